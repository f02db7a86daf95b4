'use strict';

// A socket that has ended, or was refused, joins no room of an adapter: nothing would ever remove it there.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, it } = require('node:test');
const { Adapter, SessionAwareAdapter } = require('socket.io-adapter');
const socketIo = require('socket.io');
const { Server } = require('../..');
const { received, run } = require('../support/context');
const { TIMEOUT } = require('../support/native-server');

/** The base class that `socket.io-redis` 5 has. */
const Version1 = require(
  require.resolve('socket.io-adapter', { paths: [require.resolve('socket.io-redis-5')] }),
);

/** Takes its time, as one that tells other servers of rooms does. */
class Slow extends Adapter {
  async addAll(id, rooms) {
    super.addAll(id, rooms);
  }
}

/** Has a socket join and leave rooms in every way there is. */
async function joinAndLeave(io, socket) {
  socket.join('late');
  socket.join(['late', 'later']);
  socket.join([]);
  io.in(socket.id).socketsJoin('remote');
  socket.leave('later');
  await null;
}

/** How many sockets and rooms an adapter has. */
function sizesOf({ sids, rooms }) {
  return [sids, rooms].map((map) => map.size ?? Object.keys(map).length);
}

/** The clients of one probe, and what the adapter keeps of each when it has gone. */
async function keptOf(context) {
  const { io } = context;
  const sizes = [];
  const count = () => sizes.push(sizesOf(io.of('/').adapter));

  const { client, socket } = await context.connect();
  socket.once('disconnecting', () => socket.join('last'));
  const left = once(socket, 'disconnect');
  socket.once('disconnect', () => socket.join('none'));
  client.disconnect();
  await left;
  count();
  await joinAndLeave(io, socket);
  count();
  socket.leaveAll();
  count();

  let refused;
  io.use((joining, next) => {
    refused = joining;
    joining.join('early');
    next(new Error('refused'));
  });
  await received(context.client(), 'connect_error');
  count();
  await joinAndLeave(io, refused);
  count();
  return sizes;
}

describe('an adapter keeps nothing of a socket that joins a room too late', () => {
  const NOTHING = Array.from({ length: 5 }, () => [0, 0]);
  const CASES = {
    'in memory': { adapter: Adapter },
    'that takes its time': { adapter: Slow },
    'of version 1': { adapter: Version1 },
    'that recovers connections': { adapter: SessionAwareAdapter, connectionStateRecovery: {} },
  };

  for (const [name, options] of Object.entries(CASES)) {
    it(`an adapter ${name} keeps nothing of sockets that have left or were refused`, TIMEOUT, () =>
      run(Server, async (context) => assert.deepEqual(await keptOf(context), NOTHING), options),
    );
  }

  it('socket.io keeps nothing of them either', TIMEOUT, () =>
    run(socketIo.Server, async (context) => assert.deepEqual(await keptOf(context), NOTHING), {
      adapter: Adapter,
    }),
  );

  it('a socket whose connection ends during its middleware joins no room after that', TIMEOUT, () =>
    run(
      Server,
      async (context) => {
        const { io } = context;
        const asking = new Promise((resolve) => io.use((joining) => resolve(joining)));
        const client = context.client();
        const socket = await asking;
        socket.join('early');
        const { adapter } = io.of('/');
        assert.deepEqual(sizesOf(adapter), [1, 1]);
        const closed = once(socket.conn, 'close');
        client.io.engine.close();
        await closed;
        await joinAndLeave(io, socket);
        assert.deepEqual(sizesOf(adapter), [0, 0]);
      },
      { adapter: Adapter },
    ),
  );

  it('the callback of a join that is too late is called all the same', TIMEOUT, () =>
    run(
      Server,
      async (context) => {
        const { client, socket } = await context.connect();
        const left = once(socket, 'disconnect');
        client.disconnect();
        await left;
        assert.equal(await new Promise((resolve) => socket.join('late', resolve)), null);
        assert.equal(socket.join('late'), socket);
      },
      { adapter: Adapter },
    ),
  );
});
