'use strict';

/** The example apps for web frameworks: installs one, runs its program, and visits it with clients. */

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const readline = require('node:readline');
const { after, before, describe, it } = require('node:test');
const { install } = require('../../scripts/prepare');

const EXAMPLES = path.join(__dirname, '..', '..', 'examples');

/** Long for a busy machine; a visit takes seconds, an installation from an empty cache a minute. */
const TIMEOUT = 240_000;

/** For one test: long for a busy machine, and short of the limit that would not say which test hangs. */
const VISIT = { timeout: 60_000 };

const CLIENTS = { 2: 'socket.io-client-2', 4: 'socket.io-client' };

/**
 * Starts a program and waits for the address that it prints.
 *
 * @param {string} folder of the example
 * @param {string} program from there
 * @param {string[]} flags for Node
 * @returns {Promise<{ child: import('node:child_process').ChildProcess, url: string }>}
 */
async function start(folder, program, flags) {
  const child = spawn(process.execPath, [...flags, program], {
    cwd: folder,
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (errors += text));
  for await (const line of readline.createInterface({ input: child.stdout })) {
    const [url] = /http:\/\/\S+/.exec(line) ?? [];
    if (url !== undefined) return { child, url: url.replace('[::1]', '127.0.0.1') };
  }
  throw new Error(`the program has ended: ${errors}`);
}

/**
 * Sends JSON to a route.
 *
 * @param {string} url
 * @param {object} body
 * @returns {Promise<{ status: number, body: object }>}
 */
async function post(url, body) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

/**
 * Declares the tests of one example.
 *
 * @param {object} example
 * @param {string} example.name of its folder
 * @param {string} example.program what `npm start` runs
 * @param {string[]} [example.flags] for Node
 * @param {(folder: string) => Promise<void>} [example.build] before it is run
 * @param {(socket: object, address: string) => Promise<void>} [example.beforeLogin] what a client meets
 *   that has not authenticated
 * @param {(socket: object) => Promise<void>} [example.afterLogin] what one meets that has
 */
function testExample({ name, program, flags = [], build, beforeLogin, afterLogin }) {
  describe(`examples/${[name, ...flags].join(' ')}`, { timeout: TIMEOUT }, () => {
    const folder = path.join(EXAMPLES, name);
    let app;

    before(async () => {
      await install(`Installing examples/${name}`, folder);
      await build?.(folder);
      app = await start(folder, program, flags);
    });

    after(() => app?.child.kill('SIGKILL'));

    it('the login by REST refuses a wrong password', VISIT, async () => {
      const { status } = await post(`${app.url}/login`, { user: 'Ada', password: 'wrong' });
      assert.equal(status, 401);
    });

    for (const [version, client] of Object.entries(CLIENTS)) {
      /**
       * @param {import('node:test').TestContext} t
       * @returns {Promise<object>} a socket that has connected
       */
      async function connect(t) {
        const { io } = require(client);
        const socket = (io ?? require(client))(app.url, { forceNew: true, reconnection: false });
        t.after(() => socket.disconnect());
        await once(socket, 'connect');
        return socket;
      }

      it(
        `a client of version ${version} authenticates with its token, calls, and receives news`,
        VISIT,
        async (t) => {
          const login = await post(`${app.url}/login`, { user: 'Ada', password: 'open sesame' });
          assert.equal(login.status, 200);
          const socket = await connect(t);
          await beforeLogin?.(socket, app.url);
          socket.emit('authentication', login.body);
          await once(socket, 'authenticated');
          const answer = await new Promise((resolve) => {
            socket.emit('greet', { title: 'Countess' }, resolve);
          });
          assert.deepEqual(answer, { result: 'Good morning, Countess Ada' });
          await afterLogin?.(socket);
          const pending = await connect(t);
          const early = [];
          pending.on('news', (item) => early.push(item));
          const news = once(socket, 'news');
          assert.equal((await post(`${app.url}/news`, { text: 'rain' })).status, 202);
          assert.deepEqual(await news, [{ text: 'rain' }]);
          pending.emit('authentication', login.body);
          await once(pending, 'authenticated');
          assert.deepEqual(early, []); // what was sent to it would have come before
        },
      );

      it(
        `a client of version ${version} with a wrong token is refused and disconnected`,
        VISIT,
        async (t) => {
          const socket = await connect(t);
          const disconnected = once(socket, 'disconnect');
          socket.once('unauthorized', (refusal, ack) => {
            assert.deepEqual(refusal, { message: 'Authentication failure' });
            ack?.();
          });
          socket.emit('authentication', { token: 'forged' });
          assert.equal((await disconnected)[0], 'io server disconnect');
        },
      );
    }

    it(
      'the program ends on SIGTERM while a client that has authenticated has a WebSocket',
      VISIT,
      async (t) => {
        const { io } = require(CLIENTS[4]);
        const options = { forceNew: true, reconnection: false, transports: ['websocket'] };
        const socket = io(app.url, options);
        t.after(() => socket.disconnect());
        await once(socket, 'connect');
        const login = await post(`${app.url}/login`, { user: 'Ada', password: 'open sesame' });
        socket.emit('authentication', login.body);
        await once(socket, 'authenticated');
        const ended = once(app.child, 'exit');
        const disconnected = once(socket, 'disconnect');
        app.child.kill('SIGTERM');
        await Promise.all([ended, disconnected]);
      },
    );
  });
}

module.exports = { testExample };
