'use strict';

// Ids of sessions and sockets, as the ecosystem of Socket.IO counts on them: of 20 characters, known
// as soon as there is a connection, and made by the application if it wants to.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, it } = require('node:test');
const { io: connect } = require('socket.io-client');
const { TIMEOUT, happens, served, upgraded } = require('../support/native-server');

/** What npm base64id makes of 15 bytes. */
const ID = /^[\w-]{20}$/;
const OPEN = '/socket.io/?EIO=4&transport=polling';

describe('connection ids', () => {
  for (const [name, transports] of Object.entries({
    websocket: ['websocket'],
    polling: ['polling'],
    'polling and websocket': ['polling', 'websocket'],
  })) {
    it(
      `the id of a connection is known when the engine emits it, over ${name}`,
      TIMEOUT,
      served({}, async (world) => {
        const seen = [];
        world.io.engine.on('connection', (conn) => seen.push([conn.id, conn.protocol]));
        world.io.use((socket, next) => {
          seen.push([socket.client.id, socket.conn.protocol]);
          next();
        });
        const { client, socket } = await world.connect('4.8', { transports });
        const { id } = client.io.engine;
        assert.match(id, ID);
        assert.deepEqual(seen, [
          [id, 4],
          [id, 4],
        ]);
        assert.deepEqual([socket.conn.id, socket.client.id], [id, id]);
        if (transports.length > 1) await upgraded(client);
        assert.equal(socket.conn.id, id);
      }),
    );
  }

  it(
    'the id of an Engine.IO 3 connection is known when the engine emits it',
    TIMEOUT,
    served({}, async (world) => {
      const connected = once(world.io.engine, 'connection');
      const raw = await world.raw({ eio: 3 });
      const [conn] = await connected;
      assert.deepEqual([conn.id, conn.protocol], [raw.sid, 3]);
      assert.match(raw.sid, ID);
    }),
  );
});

describe('socket ids', () => {
  it(
    "the socket id of a protocol 5 client has 20 characters and differs from its connection's id",
    TIMEOUT,
    served({}, async (world) => {
      world.io.of('/news');
      const { socket } = await world.connect();
      const { socket: other } = await world.connect('4.8', { nsp: '/news' });
      const ids = [socket.id, other.id, socket.conn.id, other.conn.id];
      for (const id of ids) assert.match(id, ID);
      assert.equal(new Set(ids).size, 4);
    }),
  );

  it(
    "the socket id of a protocol 4 client is made of its connection's id",
    TIMEOUT,
    served({}, async (world) => {
      world.io.of('/news');
      const { socket } = await world.connect('2.5');
      assert.equal(socket.id, socket.conn.id);
      const { socket: other } = await world.connect('2.5', { nsp: '/news' });
      assert.equal(other.id, `/news#${other.conn.id}`);
    }),
  );
});

describe('io.engine.generateId', () => {
  it(
    'io.engine.generateId() returns a new id of 20 characters each time',
    TIMEOUT,
    served({}, async ({ io }) => {
      const ids = Array.from({ length: 100 }, () => io.engine.generateId());
      for (const id of ids) assert.match(id, ID);
      assert.equal(new Set(ids).size, 100);
    }),
  );

  for (const [name, late] of [
    ['at once', (id) => id],
    ['in a promise', (id) => new Promise((resolve) => setImmediate(resolve, id))],
  ]) {
    it(
      `io.engine.generateId may be replaced by a function that returns ids ${name}`,
      TIMEOUT,
      served({ cookie: true }, async (world) => {
        let last = 0;
        world.io.engine.generateId = (req) => {
          last += 1;
          return late(`mine:${new URL(req.url, world.url).searchParams.get('transport')}-${last}`);
        };
        const { client, socket } = await world.connect('4.8', {
          transports: ['polling', 'websocket'],
        });
        await upgraded(client);
        assert.equal(client.io.engine.id, 'mine:polling-1');
        assert.equal(socket.conn.id, 'mine:polling-1');
        assert.match(socket.id, ID);
        const { socket: direct } = await world.connect('4.8');
        assert.equal(direct.conn.id, 'mine:websocket-2');
        const old = await world.polling({ eio: 3 });
        assert.equal(old.sid, 'mine:polling-3');
        const answer = await fetch(world.url + OPEN);
        assert.match(answer.headers.get('set-cookie'), /^io=mine%3Apolling-4;/);
        const closed = once(socket.conn, 'close');
        socket.conn.close();
        await closed;
        assert.equal(direct.connected, true);
      }),
    );
  }

  it(
    'io.engine.generateId gets the request that sockets have later',
    TIMEOUT,
    served({}, async (world) => {
      world.io.engine.generateId = (req) => {
        req.isMine = true;
        return `mine-${req.headers['x-number']}`;
      };
      for (const [number, transport] of ['websocket', 'polling'].entries()) {
        const { socket } = await world.connect('4.8', {
          transports: [transport],
          extraHeaders: { 'x-number': number },
        });
        assert.deepEqual([socket.request.isMine, socket.conn.id], [true, `mine-${number}`]);
      }
    }),
  );

  it(
    'io.engine.generateId refuses a request if it throws or returns no valid id',
    TIMEOUT,
    served({}, async (world) => {
      const told = [];
      world.io.engine.on('connection_error', ({ code, context }) => told.push([code, context]));
      const failed = new Error('no more ids');
      const refuse = async (generateId) => {
        world.io.engine.generateId = generateId;
        const answer = await fetch(world.url + OPEN);
        assert.equal(answer.status, 400);
        assert.deepEqual(await answer.json(), { code: 3, message: 'Bad request' });
        const client = connect(world.url, { transports: ['websocket'], reconnection: false });
        assert.equal((await happens(client, 'connect_error'))[0].message, 'websocket error');
        assert.equal(told.length, 2);
        return told.splice(0).map(([code, { name, error }]) => {
          assert.deepEqual([code, name], [3, 'ID_GENERATION_ERROR']);
          return error;
        });
      };
      for (const error of await refuse(() => {
        throw failed;
      })) {
        assert.equal(error, failed);
      }
      for (const error of await refuse(() => Promise.reject(failed))) assert.equal(error, failed);
      for (const id of [undefined, 7, '', 'a b', 'a"b', 'a\\b', 'a\nb', 'é', 'x'.repeat(64), {}]) {
        for (const error of await refuse(async () => id)) {
          assert.equal(error.code, 'ERR_LOOPBACK_SOCKET_INVALID_SESSION_ID');
        }
      }
      assert.equal(world.io.engine.clientsCount, 0);
    }),
  );

  it(
    'io.engine.generateId cannot give the id of an open session to another one',
    TIMEOUT,
    served({}, async (world) => {
      const told = [];
      world.io.engine.on('connection_error', ({ context }) => told.push(context.error.code));
      world.io.on('connection', (socket) => socket.on('echo', (value, done) => done(value)));
      world.io.engine.generateId = () => 'the-only-one';
      const first = await world.polling();
      assert.equal(first.sid, 'the-only-one');
      assert.equal((await fetch(world.url + OPEN)).status, 400);
      const second = connect(world.url, { transports: ['websocket'], reconnection: false });
      await happens(second, 'connect_error');
      assert.deepEqual(told, Array(2).fill('ERR_LOOPBACK_SOCKET_INVALID_SESSION_ID'));
      assert.deepEqual(await first.call('echo', 1), [1]);
    }),
  );
});
