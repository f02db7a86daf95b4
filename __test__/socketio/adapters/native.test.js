'use strict';

// Adapters of the application on the native server: their rooms and broadcasts, and who is passed by.

const assert = require('node:assert/strict');
const { EventEmitter, once } = require('node:events');
const { describe, it } = require('node:test');
const { Adapter, ClusterAdapter } = require('socket.io-adapter-2.5');
const { CommandCode } = require('../../../lib/native/protocol');
const { TIMEOUT, happens, loopbackSocket, served } = require('../../support/native-server');

/**
 * @param {EventEmitter} bus what the servers of a cluster share
 * @returns {Function} the class of their adapters
 */
function clusterOn(bus) {
  return class extends ClusterAdapter {
    constructor(nsp) {
      super(nsp);
      this.listener = (from, message) => from !== this.uid && this.onMessage(message);
      this.answer = (to, response) => to === this.uid && this.onResponse(response);
      bus.on('message', this.listener).on('response', this.answer);
    }

    async doPublish(message) {
      bus.emit('message', this.uid, structuredClone(message));
      return 'offset';
    }

    async doPublishResponse(to, response) {
      bus.emit('response', to, structuredClone(response));
    }

    async serverCount() {
      return bus.listenerCount('message');
    }

    close() {
      bus.off('message', this.listener).off('response', this.answer);
    }
  };
}

/**
 * @param {object} client a client
 * @param {string} event an event
 * @returns {unknown[][]} takes the arguments of those that it gets
 */
function recorded(client, event) {
  const got = [];
  client.on(event, (...args) => got.push(args));
  return got;
}

describe('an adapter on the native server', () => {
  it(
    'one command carries a broadcast to all its receivers, and a join before it counts',
    TIMEOUT,
    served({ adapter: Adapter }, async (world) => {
      const [a, b, c] = [await world.connect(), await world.connect(), await world.connect()];
      const got = [a, b, c].map(({ client }) => recorded(client, 'news'));
      a.socket.join('room');
      b.socket.join(['room', 'other']);
      world.io.to('room').emit('news', 1, Buffer.from('binary'));
      b.socket.leave('other');
      world.io.to('other').emit('news', 2);
      world.io.except('room').emit('news', 3);
      a.socket.to('room').emit('news', 4);
      const done = [a, b, c].map(({ client }) => happens(client, 'end'));
      world.io.emit('end');
      await Promise.all(done);
      assert.deepEqual(got, [
        [[1, Buffer.from('binary')]],
        [[1, Buffer.from('binary')], [4]],
        [[3]],
      ]);
      assert.deepEqual([...b.socket.rooms], [b.client.id, 'room']);
      assert.deepEqual([...world.io.of('/').adapter.rooms.get('room')], [a.client.id, b.client.id]);
    }),
  );

  it(
    'broadcasts by an adapter pass pending sockets by, and operations find them',
    TIMEOUT,
    served({ adapter: Adapter }, async (world) => {
      loopbackSocket().start(world.io);
      const [a, b] = [await world.connect(), await world.connect()];
      const authenticated = happens(a.client, 'authenticated');
      a.client.emit('authentication', { token: 'valid' });
      await authenticated;
      a.client.on('ask', (answer) => answer('a'));
      b.client.on('ask', (answer) => answer('b'));
      const got = recorded(b.client, 'ask');
      const outgoing = [];
      b.socket.onAnyOutgoing((event) => outgoing.push(event));
      b.socket.join('room');
      assert.deepEqual(await world.io.timeout(10_000).emitWithAck('ask'), ['a']);
      world.io.to('room').emit('ask');
      assert.equal((await world.io.fetchSockets()).length, 2);
      assert.equal((await world.io.in('room').fetchSockets())[0], b.socket);
      const direct = happens(b.client, 'direct');
      b.socket.emit('direct');
      await direct;
      assert.deepEqual([got, outgoing], [[], ['direct']]);
      world.io.in('room').disconnectSockets();
      await happens(b.client, 'disconnect');
    }),
  );

  it(
    'servers of a cluster share broadcasts, acknowledgements and operations',
    TIMEOUT,
    async (t) => {
      const bus = new EventEmitter();
      const adapter = clusterOn(bus);
      await served({ adapter }, (one) =>
        served({ adapter }, async (other) => {
          const [a, b] = [await one.connect(), await other.connect()];
          a.client.on('ask', (value, answer) => answer(`a${value}`));
          b.client.on('ask', (value, answer) => answer(`b${value}`));
          assert.deepEqual((await one.io.timeout(10_000).emitWithAck('ask', 1)).sort(), [
            'a1',
            'b1',
          ]);
          assert.deepEqual(await one.io.local.timeout(10_000).emitWithAck('ask', 2), ['a2']);
          const remote = (await one.io.fetchSockets()).find(({ id }) => id === b.client.id);
          assert.equal(await remote.timeout(10_000).emitWithAck('ask', 3), 'b3');
          remote.join('room');
          const got = recorded(b.client, 'news');
          one.io.to('room').emit('news', 'there');
          other.io.on('count', (value, answer) => answer(value + 1));
          assert.deepEqual(await one.io.serverSideEmitWithAck('count', 1), [2]);
          const left = happens(b.client, 'disconnect');
          one.io.in('room').disconnectSockets(true);
          await left;
          assert.deepEqual(got, [['there']]);
        })(t),
      )(t);
      assert.equal(bus.listenerCount('message'), 0, 'the adapters are closed');
    },
  );

  it(
    'sockets that are connected stay in their rooms when an adapter is set',
    TIMEOUT,
    served({}, async (world) => {
      const { client, socket } = await world.connect();
      socket.join('room');
      for (const setAdapter of [
        () => world.io.adapter(Adapter),
        () => (world.io.of('/').adapter = new Adapter(world.io.of('/'))),
      ]) {
        setAdapter();
        assert.deepEqual([...socket.rooms], [client.id, 'room']);
        const got = happens(client, 'news');
        world.io.to('room').emit('news');
        await got;
      }
      assert.equal(world.io.adapter(), Adapter);
    }),
  );

  it(
    'an event without a name from another server is dropped with a warning',
    TIMEOUT,
    served({ adapter: Adapter }, async (world) => {
      const { client } = await world.connect();
      const warned = once(process, 'warning');
      const opts = { rooms: new Set(), except: new Set(), flags: {} };
      world.io.of('/').adapter.broadcast({ type: 2, data: 'no list' }, opts);
      assert.equal((await warned)[0].code, 'ERR_LOOPBACK_SOCKET_INVALID_PACKET');
      const got = happens(client, 'news');
      world.io.emit('news');
      await got;
    }),
  );

  it(
    'packets with impossible types and ids from another server are dropped, and never run as commands',
    TIMEOUT,
    served({ adapter: Adapter }, async (world) => {
      const { client, socket } = await world.connect();
      const { adapter } = world.io.of('/');
      const received = [];
      client.onAny((event) => received.push(event));
      const opts = { rooms: new Set(), except: new Set(), flags: {} };
      const command = `1\t\t["x"]\n${CommandCode.DISCONNECT}\t${socket._number}\t1\n`;
      for (const id of [command, 'text', {}, [], true, -1, 1.5, NaN, 1e300]) {
        adapter.broadcast({ type: 2, id, data: ['id'] }, opts);
      }
      for (const type of [undefined, null, '2', 0, 1, 3, 4, 6, 99]) {
        adapter.broadcast({ type, data: ['type'] }, opts);
      }
      const got = happens(client, 'news');
      world.io.emit('news');
      await got;
      assert.deepEqual(received, ['news']);
    }),
  );
});
