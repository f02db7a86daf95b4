'use strict';

const assert = require('node:assert/strict');

const ROOMS = 10_000;
const ROUNDS = 5;

/** To how many of the rooms each node broadcasts. */
const BROADCASTS = 200;

/** In how many rooms one socket is. */
const ROOMS_OF_ONE = 1_000;

/** By how much the heap may have grown once every room is left, in bytes: a room costs some 200. */
const GROWTH = 5 * 1024 * 1024;

/** What the rooms need: names that are not used again, see docs/scaling.md. */
const OPTIONS = { 'redis-sharded': { subscriptionMode: 'dynamic' } };

/** @type {Record<string, import('.').Failure>} */
module.exports = {
  'Clients join, hear and leave 10,000 rooms on two nodes, and nothing is kept of them': {
    async run({ adapter, kinds, start }) {
      const world = await start({ kinds, traffic: false, adapterOptions: OPTIONS[adapter] });
      const { nodes, subscribers } = world;
      const onAll = (...args) => Promise.all(nodes.map((node) => node.call('program', ...args)));
      const before = await onAll('measure');
      const heaps = [];
      const began = performance.now();
      for (let round = 0; round < ROUNDS; round++) {
        const prefix = `round ${round} room `;
        await onAll('joinRooms', prefix, ROOMS);
        await world.cluster.settle();
        const heard = [];
        const listen = (room, from) => heard.push(`${from} ${room}`);
        for (const { socket } of subscribers) socket.on('room', listen);
        const expected = nodes.flatMap(({ name }) =>
          Array.from({ length: BROADCASTS }, (_, at) => `${name} ${prefix}${(at * 7919) % ROOMS}`),
        );
        await onAll('toRooms', prefix, BROADCASTS, ROOMS);
        // One client of each node is in each room.
        const wanted = expected.flatMap((one) => nodes.map(() => one)).sort();
        await world.until(
          'each broadcast to a room is received by its clients',
          () => heard.length >= wanted.length,
          () => `${heard.length} of ${wanted.length} were`,
        );
        assert.deepEqual(heard.sort(), wanted);
        for (const { socket } of subscribers) socket.off('room', listen);
        await onAll('leaveRooms', prefix, ROOMS);
        await world.cluster.settle();
        heaps.push(await onAll('measure'));
      }
      const took = Math.round(performance.now() - began);
      nodes.forEach((node, at) => {
        const { rooms } = heaps.at(-1)[at];
        assert.equal(rooms, before[at].rooms, `${node.name} has rooms that everybody has left`);
        const growth = heaps.at(-1)[at].heap - heaps[0][at].heap;
        assert.ok(growth < GROWTH, `the heap of ${node.name} has grown by ${growth} bytes`);
      });
      const grown = Math.max(...nodes.map((_, at) => heaps.at(-1)[at].rss - heaps[0][at].rss));
      return { took, residentGrowthInKiB: Math.round(grown / 1024) };
    },
  },

  'A socket in 1,000 rooms hears a broadcast to all of them once, and is known to other nodes': {
    async run({ kinds, start }) {
      const world = await start({ kinds, traffic: false });
      const [node, other] = world.nodes;
      const subscriber = world.subscribers.find((one) => one.node === node.name);
      const rooms = Array.from({ length: ROOMS_OF_ONE }, (_, at) => `one of many ${at}`);
      const before = await node.call('program', 'measure');
      await subscriber.socket.emitWithAck('join', rooms);
      await world.cluster.settle();
      const heard = [];
      subscriber.socket.on('room', (...args) => heard.push(args));
      for (const from of [node, other]) await from.call('program', 'toAll', rooms);
      await world.until('the socket heard of both nodes', () => heard.length >= 2);
      // What was sent after it has arrived as well, so nothing more is to come.
      await world.untilWhole();
      assert.equal(heard.length, 2);
      assert.equal(
        await other.call('program', 'countRooms', subscriber.socket.id),
        rooms.length + 2,
      );
      subscriber.close();
      world.subscribers = world.subscribers.filter((one) => one !== subscriber);
      await world.until('its rooms are gone', async () => {
        const { rooms: left } = await node.call('program', 'measure');
        return left === before.rooms - 1;
      });
      return {};
    },
  },
};
