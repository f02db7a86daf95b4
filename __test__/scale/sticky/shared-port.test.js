'use strict';

// Workers of Node's cluster that share a port, where nothing keeps a client on its worker.

const assert = require('node:assert/strict');
const path = require('node:path');
const { describe, it } = require('node:test');
const { start, message } = require('../../support/child');
const { TIMEOUT, call, happens } = require('../../support/native-server');

const CLIENTS = ['socket.io-client-2', 'socket.io-client-3', 'socket.io-client'];

describe('native workers of a cluster on one port', () => {
  it('clients that use WebSocket only need no sticky sessions', TIMEOUT, async () => {
    const child = start(path.join(__dirname, 'shared-port.js'));
    const clients = [];
    try {
      const port = await message(child);
      const workers = [];
      for (const name of [...CLIENTS, ...CLIENTS]) {
        const client = require(name)(`http://127.0.0.1:${port}`, {
          transports: ['websocket'],
          forceNew: true,
          reconnection: false,
        });
        clients.push(client);
        await happens(client, 'connect');
        workers.push((await call(client, 'who'))[0]);
        assert.deepEqual(await call(client, 'who'), [workers.at(-1)]);
      }
      assert.equal(new Set(workers).size, 2, 'both workers have clients');
    } finally {
      clients.forEach((client) => client.close());
      if (child.connected) child.send('close');
      await child.ended;
    }
  });
});
