'use strict';

// What the engine of subscriptions on the native server delivers: channels of a namespace, without
// handlers or sources.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, it } = require('node:test');
const { SubscriptionEngine } = require('../../lib/socketio/subscription-engine');
const { ITEM_ACK_START, ITEM_ACK_END } = require('../../lib/native/protocol').Layout;
const { UnsendableValueError } = require('../../lib/errors');
const { TIMEOUT, served } = require('../support/native-server');

const OPTIONS = {
  window: 4,
  history: 0,
  maxQueuedBytes: 1_000_000,
  overflow: 'end',
  ackTimeout: 60_000,
  reportsCredit: false,
};

const MSGPACK = {
  2.5: 'socket.io-msgpack-parser-2',
  4.8: 'socket.io-msgpack-parser',
};

/**
 * The engine of a namespace, and what it reports.
 *
 * @param {import('../../lib/socketio/namespace').Namespace} namespace the namespace
 * @returns {{engine: SubscriptionEngine, reports: unknown[][], reported: () => Promise<void>}} the
 *   engine, what it has reported, and what waits for a report
 */
function engineOf(namespace) {
  const reports = [];
  let wake = () => {};
  const report = (...values) => {
    reports.push(values);
    wake();
  };
  const engine = SubscriptionEngine.of(namespace, {
    ended: (socket, subscription, reason) => report('ended', socket, subscription, reason),
    credit: (socket, subscription, count) => report('credit', socket, subscription, count),
  });
  const reported = () => new Promise((resolve) => (wake = resolve));
  return { engine, reports, reported };
}

/** The items that a client gets, each acknowledged if `acknowledges`; resolves with the first `count`. */
function items(client, count, acknowledges = true) {
  const received = [];
  return new Promise((resolve) => {
    client.on('orders', (...args) => {
      const ack = typeof args.at(-1) === 'function' ? args.pop() : undefined;
      received.push({ args, asks: ack !== undefined });
      if (acknowledges) {
        ack?.();
      }
      if (received.length === count) {
        resolve(received);
      }
    });
  });
}

/** Item `offset` of channels in these tests, as an event. */
const item = (offset) => ['orders', { number: offset }, { source: 's', id: `s-${offset}` }];

describe('channels of subscriptions on the native server', TIMEOUT, () => {
  for (const version of ['1.7', '2.5', '3.1', '4.8']) {
    for (const transport of ['websocket', 'polling']) {
      it(
        `items reach socket.io-client ${version} by ${transport} in order, and those that ask are acknowledged`,
        served({}, async (world) => {
          const { client, socket } = await world.connect(version, { transports: [transport] });
          const { engine } = engineOf(world.io.of('/'));
          const channel = engine.open(OPTIONS);
          const received = items(client, 11);
          channel.add(socket, 1, 1);
          for (let offset = 1; offset <= 11; offset += 1) {
            channel.publish(offset, item(offset));
          }
          const all = await received;
          assert.deepEqual(
            all.map(({ args }) => args),
            Array.from({ length: 11 }, (_, i) => item(i + 1).slice(1)),
          );
          assert.deepEqual(
            all.flatMap(({ asks }, i) => (asks ? [i + 1] : [])),
            [2, 4, 6, 8, 10],
          );
        }),
      );
    }
  }

  for (const [version, parser] of Object.entries(MSGPACK)) {
    it(
      `items reach socket.io-client ${version} in MessagePack, with binary values`,
      served({ parser: 'msgpack' }, async (world) => {
        const { client, socket } = await world.connect(version, { parser: require(parser) });
        const { engine } = engineOf(world.io.of('/'));
        const channel = engine.open(OPTIONS);
        const received = items(client, 6);
        channel.add(socket, 1, 1);
        for (let offset = 1; offset <= 6; offset += 1) {
          channel.publish(offset, ['orders', Buffer.from([offset])]);
        }
        const bytes = (await received).map(({ args: [value] }) => value[0] ?? value.data?.[0]);
        assert.deepEqual(bytes, [1, 2, 3, 4, 5, 6]);
      }),
    );
  }

  it(
    'items with binary values reach their subscribers whole',
    served({}, async (world) => {
      const [one, two] = [await world.connect(), await world.connect('2.5')];
      const channel = engineOf(world.io.of('/')).engine.open(OPTIONS);
      const received = [one, two].map(({ client }) => items(client, 6));
      channel.add(one.socket, 1, 1);
      channel.add(two.socket, 1, 1);
      for (let offset = 1; offset <= 6; offset += 1) {
        const value = offset % 3 === 0 ? 'text' : Buffer.from([offset]);
        channel.publish(offset, ['orders', { value }]);
      }
      for (const all of await Promise.all(received)) {
        const values = all.map(({ args: [{ value }] }) => value[0]);
        assert.deepEqual(values, [1, 2, 't', 4, 5, 't']);
      }
    }),
  );

  it(
    'items of a namespace other than the default one reach its sockets',
    served({}, async (world) => {
      const { client, socket } = await world.connect('4.8', { nsp: '/shop' });
      const channel = engineOf(world.io.of('/shop')).engine.open(OPTIONS);
      const received = items(client, 6);
      channel.add(socket, 1, 1);
      for (let offset = 1; offset <= 6; offset += 1) {
        channel.publish(offset, item(offset));
      }
      assert.deepEqual(
        (await received).map(({ args: [{ number }] }) => number),
        [1, 2, 3, 4, 5, 6],
      );
    }),
  );

  it(
    'a value that cannot be sent throws, and nothing is published',
    served({}, async (world) => {
      const { client, socket } = await world.connect();
      const channel = engineOf(world.io.of('/')).engine.open(OPTIONS);
      const received = items(client, 1);
      channel.add(socket, 1, 1);
      assert.throws(() => channel.publish(1, ['orders', 1n]), UnsendableValueError);
      channel.publish(1, item(1));
      assert.deepEqual((await received)[0].args, item(1).slice(1));
    }),
  );

  it(
    'a socket that is added late gets the history first',
    served({}, async (world) => {
      const { client, socket } = await world.connect();
      const channel = engineOf(world.io.of('/')).engine.open({ ...OPTIONS, history: 3 });
      for (let offset = 1; offset <= 5; offset += 1) {
        channel.publish(offset, item(offset));
      }
      const received = items(client, 3);
      channel.add(socket, 1, 4);
      channel.publish(6, item(6));
      assert.deepEqual(
        (await received).map(({ args: [{ number }] }) => number),
        [4, 5, 6],
      );
    }),
  );

  it(
    'a subscriber that acknowledges nothing is reported as slow once more is queued than may be',
    served({}, async (world) => {
      const { client, socket } = await world.connect();
      const { engine, reports, reported } = engineOf(world.io.of('/'));
      const channel = engine.open({ ...OPTIONS, maxQueuedBytes: 200 });
      const received = items(client, 4, false);
      channel.add(socket, 7, 1);
      const isReported = reported();
      for (let offset = 1; offset <= 20; offset += 1) {
        channel.publish(offset, item(offset));
      }
      await isReported;
      assert.deepEqual(reports, [['ended', socket, 7, 'slow']]);
      assert.equal((await received).length, 4);
      channel.close();
    }),
  );

  it(
    'a finished channel reports each subscriber when everything is sent, and credit only if asked to',
    served({}, async (world) => {
      const { client, socket } = await world.connect();
      const { engine, reports, reported } = engineOf(world.io.of('/'));
      const channel = engine.open({ ...OPTIONS, reportsCredit: true });
      const received = items(client, 5);
      channel.add(socket, 7, 1);
      for (let offset = 1; offset <= 5; offset += 1) {
        channel.publish(offset, item(offset));
      }
      channel.finish();
      await received;
      while (!reports.some(([kind]) => kind === 'ended')) {
        await reported();
      }
      assert.deepEqual(reports, [
        ['credit', socket, 7, 2],
        ['ended', socket, 7, 'finished'],
      ]);
    }),
  );

  it(
    'a held subscription gets its items when it is released, and one that was removed gets none',
    served({}, async (world) => {
      const { client, socket } = await world.connect();
      const channel = engineOf(world.io.of('/')).engine.open(OPTIONS);
      const events = [];
      client.onAny((...args) =>
        events.push(typeof args[1] === 'object' ? args[1].number : args[0]),
      );
      channel.add(socket, 1, 1);
      channel.hold(socket, 1, true);
      channel.publish(1, item(1));
      socket.emit('held');
      channel.hold(socket, 1, false);
      channel.remove(socket, 1);
      channel.publish(2, item(2));
      socket.emit('over');
      await once(client, 'over');
      assert.deepEqual(events, ['held', 1, 'over']);
    }),
  );

  it(
    'an acknowledgement that the application waits for has no id of an item',
    served({}, async (world) => {
      const { client, socket } = await world.connect();
      const namespace = world.io.of('/');
      namespace._lastAck = ITEM_ACK_START - 1;
      client.on('question', (ack) => ack('answer'));
      assert.equal(await socket.emitWithAck('question'), 'answer');
      assert.equal(namespace._nextAck(), ITEM_ACK_END + 1);
    }),
  );

  it(
    'the end of a socket ends its subscriptions without a report',
    served({}, async (world) => {
      const [one, two] = [await world.connect(), await world.connect()];
      const { engine, reports } = engineOf(world.io.of('/'));
      const channel = engine.open(OPTIONS);
      channel.add(one.socket, 1, 1);
      channel.add(two.socket, 1, 1);
      const received = items(two.client, 3);
      const isOver = once(one.socket, 'disconnect');
      one.client.disconnect();
      await isOver;
      for (let offset = 1; offset <= 3; offset += 1) {
        channel.publish(offset, item(offset));
      }
      await received;
      assert.deepEqual(reports, []);
    }),
  );
});
