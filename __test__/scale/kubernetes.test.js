'use strict';

// What docs/scaling.md has a process do on Kubernetes: the code of the page is run, and gets the requests and
// signals that Kubernetes sends.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { describe, it } = require('node:test');
const { io: connect } = require('socket.io-client');
const { start, message } = require('../support/child');
const { TIMEOUT, happens } = require('../support/native-server');
const { reach } = require('../support/waiting');

const ROOT = path.join(__dirname, '..', '..');
const PAGE = fs.readFileSync(path.join(ROOT, 'docs', 'scaling.md'), 'utf8');

/** @returns {string[]} the examples of the section, without what sets them off from the text */
function examples() {
  const [, section] = /^## Kubernetes\n([^]*?)^## /m.exec(PAGE);
  return [...section.matchAll(/^ *```js\n([^]*?)^ *```/gm)].map(([, code]) => code);
}

/** @returns {string} a program made of the examples, with a method that takes its time */
function program() {
  const [readiness, shutdown] = examples();
  return `
    const http = require('node:http');
    const LoopbackSocket = require(${JSON.stringify(ROOT)});
    const isReady = true;
    ${readiness}
    const io = new LoopbackSocket.Server(httpServer);
    const sockets = LoopbackSocket.get('chat');
    sockets.defineMethod('slow', async () => {
      process.send('called');
      await new Promise((resolve) => process.once('message', resolve));
      return 'done';
    });
    sockets.start(io);
    ${shutdown}
    httpServer.listen(0, '127.0.0.1', () => process.send(httpServer.address().port));
  `;
}

/**
 * @param {string} where - the server, for long polling
 * @returns {Promise<boolean>} whether a new client is served; it leaves at once
 */
async function isServed(where) {
  let response;
  try {
    response = await fetch(where);
  } catch {
    return false;
  }
  const body = await response.text();
  if (response.status !== 200) return false;
  const { sid } = JSON.parse(body.slice(1));
  await fetch(`${where}&sid=${sid}`, { method: 'POST', body: '1' });
  return true;
}

describe('a process on Kubernetes', () => {
  it(
    'a process is ready, and answers the calls in flight before SIGTERM ends it',
    TIMEOUT,
    async (t) => {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'loopback-socket-kubernetes-'));
      const file = path.join(folder, 'server.js');
      fs.writeFileSync(file, program());
      const child = start(file);
      t.after(async () => {
        child.kill('SIGKILL');
        await child.ended;
        fs.rmSync(folder, { recursive: true });
      });
      const url = `http://127.0.0.1:${await message(child)}`;
      assert.equal((await fetch(`${url}/ready`)).status, 200);
      assert.equal((await fetch(`${url}/other`)).status, 503);

      const client = connect(url, { forceNew: true, reconnection: false });
      t.after(() => client.close());
      client.on('connect', () => client.emit('authentication', {}));
      await happens(client, 'authenticated');
      const called = message(child);
      const answer = client.emitWithAck('slow', null);
      await called;
      const disconnected = happens(client, 'disconnect');
      child.kill('SIGTERM');
      // New clients are refused once the process has begun to close.
      await reach(async () => !(await isServed(`${url}/socket.io/?EIO=4&transport=polling`)));
      child.send('go on');
      assert.deepEqual(await answer, { result: 'done' });
      await disconnected;
      const { code, signal, output } = await child.ended;
      assert.deepEqual({ code, signal, output }, { code: 0, signal: null, output: '' });
    },
  );
});
