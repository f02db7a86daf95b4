'use strict';

// Adapters with the methods of socket.io-adapter 1, as those for Socket.IO 1 and 2 are.

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const socketIo = require('socket.io');
const { Server } = require('../..');
const { heard, run } = require('../support/context');
const { TIMEOUT } = require('../support/native-server');
const { PROBES } = require('./probes');
const { served } = require('./served');

/** The base class that `socket.io-redis` 5 has. */
const Version1 = require(
  require.resolve('socket.io-adapter', { paths: [require.resolve('socket.io-redis-5')] }),
);

/** What does not depend on maps and events that these adapters do not have. */
const SAME = [
  'broadcasts to rooms, to the rest and to nobody',
  'broadcasts of values of every kind',
  'broadcasts in another namespace',
];

/** @returns {Promise<unknown[]>} what a method that calls back calls back with */
function calledBack(call) {
  return new Promise((resolve) => call((...args) => resolve(args)));
}

describe('adapters of socket.io-adapter 1', () => {
  for (const name of SAME) {
    it(
      `an adapter of socket.io-adapter 1 on the native server and socket.io agree about ${name}`,
      TIMEOUT,
      async () => {
        const expected = await run(socketIo.Server, PROBES[name]);
        assert.deepEqual(await run(Server, PROBES[name], { adapter: Version1 }), expected);
      },
    );
  }

  it(
    'a server with recovery and an adapter of version 1, which stores no sessions, emits as without recovery',
    TIMEOUT,
    async () => {
      const probe = PROBES['broadcasts to rooms, to the rest and to nobody'];
      const expected = await run(socketIo.Server, probe);
      const options = { adapter: Version1, connectionStateRecovery: {} };
      assert.deepEqual(await run(Server, probe, options), expected);
    },
  );

  it('sockets join and leave rooms of an adapter of version 1 and are called back', TIMEOUT, () =>
    run(
      Server,
      async (context) => {
        const { io } = context;
        const { client, socket } = await context.connect('/');
        const { adapter } = io.of('/');
        assert.ok(adapter instanceof Version1);
        assert.equal(socket.join('a'), socket);
        assert.deepEqual(await calledBack((done) => socket.join(['b', 'c'], done)), [null]);
        assert.deepEqual(await calledBack((done) => socket.join('b', done)), [null]);
        assert.deepEqual([...socket.rooms], [socket.id, 'a', 'b', 'c']);
        assert.deepEqual(Object.keys(adapter.sids[socket.id]), [socket.id, 'a', 'b', 'c']);
        assert.deepEqual(await calledBack((done) => socket.leave('b', done)), [null]);
        assert.equal(socket.leave('nothing'), socket);
        assert.deepEqual([...socket.rooms], [socket.id, 'a', 'c']);
        assert.deepEqual(Object.keys(adapter.rooms), [socket.id, 'a', 'c']);
        const ended = new Promise((resolve) => socket.once('disconnect', resolve));
        client.disconnect();
        await ended;
        assert.deepEqual([adapter.rooms, adapter.sids, socket.rooms.size], [{}, {}, 0]);
      },
      { adapter: Version1 },
    ),
  );

  it(
    'rooms joined in middleware and before the adapter was set are rooms of an adapter of version 1',
    TIMEOUT,
    () =>
      run(Server, async (context) => {
        const { io } = context;
        const first = await context.connect('/');
        first.socket.join('early');
        io.adapter(Version1);
        io.use((socket, next) => {
          socket.join('early');
          next();
        });
        const second = await context.connect('/');
        io.to('early').emit('early');
        io.emit('all');
        assert.deepEqual(await heard(first, second), [
          [['early'], ['all']],
          [['early'], ['all']],
        ]);
      }),
  );

  it(
    'pending sockets are passed by an adapter of version 1, and found by its clients()',
    TIMEOUT,
    () =>
      run(
        Server,
        async (context) => {
          const world = await served(context);
          const { io, adapter, show, sockets } = world;
          io.emit('all');
          io.to('all').emit('room', Buffer.from('bytes'));
          io.to(sockets.P.id).emit('by id');
          io.except('all').emit('never');
          io.of('/news').emit('news');
          sockets.P.emit('itself');
          const [error, ids] = await calledBack((done) => adapter.clients(['all'], done));
          assert.deepEqual([error, show(ids).sort()], [null, ['A', 'B', 'P']]);
          const [, all] = await calledBack((done) => io.of('/').clients(done));
          assert.deepEqual(show(all).sort(), ['A', 'B', 'P']);
          assert.deepEqual(show([...(await io.in('all').allSockets())]).sort(), ['A', 'B', 'P']);
          assert.equal((await io.in('all').except(sockets.A.id).fetchSockets()).length, 2);
          assert.deepEqual(await world.heard(), {
            A: [['all'], ['room', Buffer.from('bytes')]],
            B: [['all'], ['room', Buffer.from('bytes')]],
            P: [['itself']],
            G: [],
            N: [['news']],
          });
        },
        { adapter: Version1 },
      ),
  );

  it(
    'operations that an adapter of version 1 does not have are refused or carried out on this server',
    TIMEOUT,
    () =>
      run(
        Server,
        async (context) => {
          const { io } = context;
          const peers = await context.three();
          const [a, b, c] = peers.map(({ socket }) => socket);
          const unsupported = { code: 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_API' };
          assert.throws(() => io.emit('x', () => {}), unsupported);
          await assert.rejects(io.timeout(100).emitWithAck('x'), unsupported);
          assert.throws(() => io.serverSideEmit('x'), unsupported);
          io.in('a').socketsJoin(['x', 'y']);
          io.in('x').except('b').socketsLeave('y');
          assert.deepEqual([...a.rooms], [a.id, 'all', 'a', 'x']);
          assert.deepEqual([...c.rooms], [c.id, 'all', 'a', 'b', 'x', 'y']);
          const answer = await a.timeout(5000).emitWithAck('ask', 'one client');
          assert.equal(answer, 'one client!');
          const gone = new Promise((resolve) => b.once('disconnect', resolve));
          io.in('b').disconnectSockets();
          await gone;
          assert.deepEqual([a.connected, b.connected, c.connected], [true, false, false]);
        },
        { adapter: Version1 },
      ),
  );

  it('namespace.connected shows the sockets that there are, as an object', TIMEOUT, () =>
    run(Server, async (context) => {
      const { connected } = context.io.of('/');
      assert.deepEqual(Object.keys(connected), []);
      const { client, socket } = await context.connect('/');
      assert.equal(connected[socket.id], socket);
      assert.ok(Object.hasOwn(connected, socket.id) && socket.id in connected);
      // As code for Socket.IO 2 asks.
      assert.equal(typeof connected.hasOwnProperty, 'function');
      assert.deepEqual(Object.entries(connected), [[socket.id, socket]]);
      assert.equal(connected.nobody, undefined);
      delete connected[socket.id];
      connected.nobody = socket;
      const ids = [];
      for (const id in connected) ids.push(id);
      assert.deepEqual(ids, [socket.id]);
      const gone = new Promise((resolve) => socket.once('disconnect', resolve));
      client.disconnect();
      await gone;
      assert.deepEqual(Object.keys(connected), []);
    }),
  );
});
