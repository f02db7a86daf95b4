'use strict';

// The smoke suite: an app and its clients in one process, on the native server and on npm
// `socket.io`, over each transport. It runs where the packages are installed, on any runtime, so it
// uses no test runner. Prints a line for each check, then the totals; ends with 1 if one failed.

const assert = require('node:assert/strict');
const http = require('node:http');
const LoopbackSocket = require('loopback-socket');
const { Server } = require('socket.io');
const { io: connect } = require('socket.io-client');

/** How long one check may take: an emulated processor is slow. */
const TIMEOUT = 4 * 60_000;

const totals = { passed: 0, failed: 0 };

/**
 * @param {Promise<T>} promise
 * @returns {Promise<T>} the same, which rejects when it takes too long
 * @template T
 */
function inTime(promise) {
  let timer;
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing for ${TIMEOUT / 1000} s`)), TIMEOUT);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/**
 * Runs one check and prints what came of it.
 * @param {string} title
 * @param {() => Promise<void>} run
 */
async function check(title, run) {
  try {
    await inTime(run());
    totals.passed++;
    console.log('ok - %s', title);
  } catch (err) {
    totals.failed++;
    console.log('not ok - %s\n%s', title, err.stack);
  }
}

/**
 * @param {import('node:events').EventEmitter} emitter
 * @param {string} event
 * @returns {Promise<unknown>} the first argument of the next one
 */
const next = (emitter, event) => new Promise((resolve) => emitter.once(event, resolve));

/**
 * @param {import('socket.io-client').Socket} socket
 * @param {string} name
 * @param {unknown} args
 * @returns {Promise<{ error?: unknown, result?: unknown }>} the answer to a call
 */
const call = (socket, name, args) => new Promise((resolve) => socket.emit(name, args, resolve));

/**
 * Starts an app.
 * @param {string} kind
 * @param {new (server: http.Server) => object} Class of server
 */
async function start(kind, Class) {
  const httpServer = http.createServer((req, res) => res.end('page'));
  const io = new Class(httpServer);
  const sockets = LoopbackSocket.get(kind);
  sockets.auth(async (socket, credentials) => credentials.password === 'right');
  sockets.defineMethod('double', async (socket, credentials, { value }) => value * 2);
  sockets.defineMethod('echo', (socket, credentials, value) => value);
  sockets.defineMethod('shout', (socket, credentials, value) => void io.emit('shouted', value));
  sockets.defineSubscription('news', { key: ({ topic }) => topic });
  sockets.defineMethod('post', (socket, credentials, { topic, text }) => {
    sockets.publish('news', { key: topic }, { text });
  });
  sockets.start(io);
  await new Promise((resolve) => httpServer.listen(0, '127.0.0.1', resolve));
  return { io, address: `http://127.0.0.1:${httpServer.address().port}` };
}

/**
 * Checks one kind of server.
 * @param {string} kind
 * @param {new (server: http.Server) => object} Class of server
 */
async function checkServer(kind, Class) {
  let app;
  await check(`${kind}: starts`, async () => {
    app = await start(kind, Class);
  });
  if (app === undefined) return;
  const open = (transports) =>
    connect(app.address, { transports, forceNew: true, reconnection: false });
  for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
    const title = `${kind}, ${transports.join(' then ')}`;
    const socket = open(transports);
    await check(`${title}: refuses, then authenticates`, async () => {
      await next(socket, 'connect');
      socket.emit('authentication', { password: 'wrong' });
      assert.deepEqual(await next(socket, 'unauthorized'), { message: 'Authentication failure' });
      socket.emit('authentication', { password: 'right' });
      assert.equal(await next(socket, 'authenticated'), true);
    });
    await check(`${title}: answers calls`, async () => {
      assert.deepEqual(await call(socket, 'double', { value: 21 }), { result: 42 });
      const long = 'ä'.repeat(100_000);
      assert.deepEqual(await call(socket, 'echo', long), { result: long });
      const { result } = await call(socket, 'echo', Buffer.from([1, 2, 3]));
      assert.deepEqual([...new Uint8Array(result)], [1, 2, 3]);
    });
    await check(`${title}: broadcasts`, async () => {
      const shouted = next(socket, 'shouted');
      await call(socket, 'shout', 'hello');
      assert.equal(await shouted, 'hello');
    });
    await check(`${title}: serves a subscription`, async () => {
      const item = next(socket, 'news');
      assert.equal((await call(socket, 'news', { args: { topic: 'sport' } })).error, undefined);
      await call(socket, 'post', { topic: 'sport', text: 'A goal' });
      assert.deepEqual(await item, { text: 'A goal' });
    });
    socket.disconnect();
  }
  await check(`${kind}: leaves other requests to the http.Server`, async () => {
    const page = await fetch(app.address, { headers: { connection: 'close' } });
    assert.equal(await page.text(), 'page');
  });
  await check(`${kind}: closes`, () => new Promise((resolve) => app.io.close(() => resolve())));
}

(async () => {
  await checkServer('native', LoopbackSocket.Server);
  await checkServer('hosted', Server);
  console.log('%d passed, %d failed', totals.passed, totals.failed);
  process.exitCode = totals.failed === 0 ? 0 : 1;
})();
