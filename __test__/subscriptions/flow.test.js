'use strict';

// How fast items go to whom: credit, slow subscribers, items that wait for an authentication, ends and beginnings
// that cross each other. On both kinds of server, with clients that speak frames, so that they acknowledge what
// the test says.

const assert = require('node:assert/strict');
const { EventEmitter, once } = require('node:events');
const { describe, it } = require('node:test');
const { TIMEOUT, deferred, subscribed } = require('../support/subscription-world');

const SERVERS = ['native', 2, 4];

/** @returns {Promise<void>} settles when everything that is ready now has run */
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** What a raw client receives of subscriptions, in order. */
class Subscriber {
  constructor(raw) {
    this.raw = raw;
  }

  /**
   * @param {string} name
   * @param {object} [request]
   * @returns {Promise<{ subscription: number, source: string, resumed: boolean }>}
   */
  async subscribe(name, request = {}) {
    const [{ error, result }] = await this.raw.call(name, request);
    assert.equal(error, undefined);
    return result;
  }

  /** @returns {Promise<string>} the next event or answer, whatever it is */
  async packet() {
    const packet = await this.raw.received.next(
      (item) => typeof item === 'string' && /^4[23]/.test(item),
    );
    return packet.slice(1);
  }

  /** @returns {Promise<{ ack: string, args: unknown[] }>} the next event */
  async event() {
    const [, ack, json] = /^2(\d*)(\[.*)$/.exec(await this.packet());
    return { ack, args: JSON.parse(json) };
  }

  /** @returns {Promise<unknown>} the next item, acknowledged if it asks for it */
  async item() {
    const { ack, args } = await this.event();
    if (ack !== '') await this.acknowledge(ack);
    return args[1];
  }

  async items(count) {
    const items = [];
    while (items.length < count) items.push(await this.item());
    return items;
  }

  acknowledge(id) {
    return this.raw.send(`43${id}[]`);
  }

  /**
   * Has a method answer, and looks at what came before the answer.
   * @returns {Promise<string[]>} the packets that came before
   */
  async before() {
    const id = 900 + this.raw.lastAck++;
    await this.raw.send(`42${id}["answer"]`);
    const packets = [];
    for (;;) {
      const packet = await this.packet();
      if (packet.startsWith(`3${id}[`)) return packets;
      packets.push(packet);
    }
  }
}

/** A client of which there may be very many: it counts. */
class Ticker {
  items = [];
  isSlow = false;

  /**
   * @param {object} raw a raw websocket
   * @param {number} count after how many items it is done
   */
  constructor(raw, count) {
    this.ws = raw.ws;
    this.done = new Promise((resolve) => {
      this.ws.on('message', (data) => {
        const [, ack, item] = /^42(\d*)\["ticks",(\d+),/.exec(data) ?? [];
        if (item === undefined) return;
        this.items.push(Number(item));
        if (ack !== '' && !this.isSlow) this.ws.send(`43${ack}[]`);
        if (this.items.length === count) resolve();
      });
    });
  }

  /** @returns {Promise<void>} when the subscription is answered */
  subscribe() {
    const answered = new Promise((resolve) => {
      this.ws.on('message', (data) => {
        if (String(data).startsWith('430[{"result":')) resolve();
      });
    });
    this.ws.send('420["ticks",{}]');
    return answered;
  }
}

const KEY = { key: 'a' };
const SHARED = { key: () => KEY };

for (const server of SERVERS) {
  const on = server === 'native' ? 'the native server' : `socket.io ${server}`;

  describe(`flow of subscriptions on ${on}`, () => {
    const test = (title, run, ...options) =>
      it(`${title} (${server})`, TIMEOUT, subscribed(server, run, ...options));
    const subscriber = async (world, options) => new Subscriber(await world.raw(options));

    test('a private source is pulled no further than the window of its client', async (world) => {
      let pulled = 0;
      world.sockets.defineSubscription(
        'numbers',
        function* () {
          for (;;) yield (pulled += 1);
        },
        { window: 4 },
      );
      const client = await subscriber(world);
      await client.subscribe('numbers');
      const first = [];
      while (first.length < 4) first.push(await client.event());
      assert.deepEqual(
        first.map(({ ack, args }) => [args[1], ack !== '']),
        [
          [1, false],
          [2, true],
          [3, false],
          [4, true],
        ],
      );
      assert.deepEqual(await client.before(), []);
      assert.ok(pulled <= 5, `${pulled} items were pulled`);
      await client.acknowledge(first[1].ack);
      assert.equal((await client.event()).args[1], 5);
      assert.equal((await client.event()).args[1], 6);
      assert.deepEqual(await client.before(), []);
      assert.ok(pulled <= 7, `${pulled} items were pulled`);
    });

    test('an acknowledgement stands for all items before it', async (world) => {
      world.sockets.defineSubscription('numbers', () => Array.from({ length: 8 }, (_, i) => i), {
        window: 4,
      });
      const client = await subscriber(world);
      await client.subscribe('numbers');
      const acks = [];
      while (acks.length < 2) {
        const { ack } = await client.event();
        if (ack !== '') acks.push(ack);
      }
      await client.acknowledge(acks[1]);
      assert.deepEqual(await client.items(4), [4, 5, 6, 7]);
      // The first one, late, gives no credit a second time and does no harm.
      await client.acknowledge(acks[0]);
      await client.acknowledge(acks[1]);
      assert.equal((await client.event()).args[1].reason, 'end');
    });

    test('a client that never acknowledges gets a window of items and ends as slow', async (world) => {
      world.sockets.defineSubscription(
        'numbers',
        SHARED.key && { ...SHARED, window: 4, ackTimeout: 50 },
      );
      const client = await subscriber(world);
      const { subscription } = await client.subscribe('numbers');
      for (let i = 1; i <= 6; i += 1) world.sockets.publish('numbers', KEY, i);
      const got = [];
      for (let i = 0; i < 5; i += 1) got.push((await client.event()).args);
      assert.deepEqual(
        got.map(([, value]) => value),
        [1, 2, 3, 4, { subscription, reason: 'slow' }],
      );
      world.sockets.publish('numbers', KEY, 7);
      assert.deepEqual(await client.before(), []);
    });

    test('more bytes than may wait end a subscription as slow, and no other', async (world) => {
      world.sockets.defineSubscription('texts', { ...SHARED, window: 2, maxQueuedBytes: 1000 });
      const [slow, other] = [await subscriber(world), await subscriber(world)];
      const { subscription } = await slow.subscribe('texts');
      await other.subscribe('texts');
      const text = 'x'.repeat(400);
      for (let i = 0; i < 8; i += 1) {
        world.sockets.publish('texts', KEY, text + i);
        assert.equal(await other.item(), text + i);
        // Its acknowledgement has arrived when its call is answered.
        assert.deepEqual(await other.before(), []);
      }
      assert.equal((await slow.event()).args[1], `${text}0`);
      assert.equal((await slow.event()).args[1], `${text}1`);
      assert.deepEqual((await slow.event()).args, [
        'loopback:unsubscribed',
        { subscription, reason: 'slow' },
      ]);
      assert.deepEqual(await slow.before(), []);
    });

    test("with overflow: 'latest' the newest item is kept for a slow subscriber", async (world) => {
      world.sockets.defineSubscription('prices', {
        ...SHARED,
        window: 2,
        maxQueuedBytes: 0,
        overflow: 'latest',
      });
      const client = await subscriber(world);
      await client.subscribe('prices');
      for (let i = 1; i <= 9; i += 1) world.sockets.publish('prices', KEY, i);
      const [first, second] = [await client.event(), await client.event()];
      assert.deepEqual([first.args[1], second.args[1]], [1, 2]);
      assert.deepEqual(await client.before(), []);
      await client.acknowledge(second.ack || first.ack);
      assert.equal(await client.item(), 9);
      world.sockets.publish('prices', KEY, 10);
      assert.equal(await client.item(), 10);
    });

    // Once for each kind of server: it opens 1,000 connections.
    if (server !== 2) {
      test('990 subscribers are not delayed by 10 that acknowledge nothing', async (world) => {
        const WINDOW = 4;
        const ITEMS = 24;
        world.sockets.defineSubscription('ticks', { ...SHARED, window: WINDOW, ackTimeout: null });
        const connect = async () => new Ticker(await world.raw(), ITEMS);
        const clients = [];
        while (clients.length < 1000) {
          clients.push(...(await Promise.all(Array.from({ length: 50 }, connect))));
        }
        const slow = clients.filter((_, index) => index % 100 === 50);
        const fast = clients.filter((_, index) => index % 100 !== 50);
        slow.forEach((client) => (client.isSlow = true));
        await Promise.all(clients.map((client) => client.subscribe()));
        for (let i = 0; i < ITEMS; i += 1) {
          world.sockets.publish('ticks', KEY, i);
          if (i % WINDOW === 0) await turn();
        }
        await Promise.all(fast.map((client) => client.done));
        const expected = Array.from({ length: ITEMS }, (_, i) => i);
        for (const { items } of fast) assert.deepEqual(items, expected);
        for (const { items } of slow) assert.deepEqual(items, expected.slice(0, WINDOW));
      });
    }

    for (const isAccepted of [false, true]) {
      const outcome = isAccepted ? 'has succeeded' : 'was refused';
      test(`items wait while a client authenticates again, until it ${outcome}`, async (world) => {
        const decision = deferred();
        let attempts = 0;
        world.sockets.auth(async () => (attempts++ === 0 ? true : decision.promise));
        world.sockets.defineSubscription('news', SHARED);
        const client = await subscriber(world);
        await client.subscribe('news');
        world.sockets.publish('news', KEY, 'before');
        assert.equal(await client.item(), 'before');
        await client.raw.send('42["authentication",{}]');
        assert.deepEqual(await client.before(), []);
        world.sockets.publish('news', KEY, 'meanwhile');
        assert.deepEqual(await client.before(), []);
        decision.resolve(isAccepted);
        const { args } = await client.event();
        assert.equal(args[0], isAccepted ? 'authenticated' : 'unauthorized');
        assert.equal(await client.item(), 'meanwhile');
        world.sockets.publish('news', KEY, 'after');
        assert.equal(await client.item(), 'after');
      });
    }

    test('no item that waited reaches a client whose subscription is revoked', async (world) => {
      const decision = deferred();
      world.sockets.defineSubscription('news', {
        ...SHARED,
        authorize: (socket, { revoked }) => (revoked ? decision.promise : true),
      });
      const client = await subscriber(world);
      const { subscription } = await client.subscribe('news');
      await client.raw.send('42["authentication",{"revoked":true}]');
      await client.raw.packet('2["authenticated",true]');
      world.sockets.publish('news', KEY, 'secret');
      assert.deepEqual(await client.before(), []);
      decision.resolve(false);
      assert.deepEqual((await client.event()).args, [
        'loopback:unsubscribed',
        { subscription, reason: 'revoked' },
      ]);
      assert.deepEqual(await client.before(), []);
    });

    test('a client that leaves before its handler has given a source has that source stopped', async (world) => {
      const called = deferred();
      const gave = deferred();
      const returned = deferred();
      world.sockets.defineSubscription('numbers', async (socket, credentials, args, { signal }) => {
        signal.addEventListener('abort', () => gave.resolve());
        called.resolve();
        await gave.promise;
        return {
          [Symbol.asyncIterator]: () => ({
            next: () => assert.fail('it is not pulled'),
            return: async () => returned.resolve(),
          }),
        };
      });
      const client = await subscriber(world);
      await client.raw.send('420["numbers",{}]');
      await called.promise;
      client.raw.terminate();
      await returned.promise;
    });

    test('a client that leaves while authorize decides starts no handler', async (world) => {
      const asked = deferred();
      const decision = deferred();
      let handled = 0;
      const handler = () => {
        handled += 1;
        return [];
      };
      world.sockets.defineSubscription('numbers', handler, {
        authorize(socket) {
          asked.resolve(socket);
          return decision.promise;
        },
      });
      const client = await subscriber(world);
      await client.raw.send('420["numbers",{}]');
      const socket = await asked.promise;
      const gone = new Promise((resolve) => socket.once('disconnect', resolve));
      client.raw.terminate();
      await gone;
      decision.resolve(true);
      await turn();
      assert.equal(handled, 0);
    });

    if (server !== 'native') {
      test('a socket that ends while it is answered has its source stopped', async (world) => {
        for (const options of [{}, SHARED, { ...SHARED, authorizeItem: () => true }]) {
          let isRunning = false;
          const aborted = deferred();
          const handler = (socket, credentials, args, { signal }) => {
            isRunning = true;
            signal.addEventListener('abort', () => {
              isRunning = false;
              aborted.resolve();
            });
            return new EventEmitter();
          };
          world.sockets.defineSubscription('items', handler, {
            ...options,
            authorize(socket) {
              const { packet } = socket;
              // What npm socket.io 2 does when it writes to a connection that is closing.
              socket.packet = function (...sent) {
                socket.packet = packet;
                packet.apply(this, sent);
                socket.disconnect();
              };
              return true;
            },
          });
          const client = await subscriber(world);
          await client.raw.send('420["items",{}]');
          await client.raw.packet('1');
          if (options.key === undefined) await aborted.promise;
          await turn();
          assert.equal(isRunning, false);
          if (options.key !== undefined) {
            assert.equal(world.sockets.publish('items', KEY, 1), false);
          }
        }
      });
    }

    test('the last subscriber that leaves stops a shared source, and the next one starts another', async (world) => {
      const runs = [];
      async function* handler(socket, credentials, args, { signal }) {
        assert.deepEqual([socket, credentials, args], [null, null, { shop: 7 }]);
        const stopped = deferred();
        runs.push(stopped.promise);
        try {
          yield runs.length;
          await once(signal, 'abort');
        } finally {
          stopped.resolve('stopped');
        }
      }
      world.sockets.defineSubscription('orders', handler, {
        key: ({ shop }) => ({ key: String(shop), args: { shop } }),
      });
      const request = { args: { shop: 7, secret: 'of one client' } };
      const clients = [await subscriber(world), await subscriber(world)];
      const one = await clients[0].subscribe('orders', request);
      const two = await clients[1].subscribe('orders', request);
      assert.equal(one.source, two.source);
      assert.equal(runs.length, 1);
      clients[0].raw.terminate();
      await clients[1].raw.call('loopback:unsubscribe', two.subscription);
      assert.equal(await runs[0], 'stopped');
      const three = await clients[1].subscribe('orders', request);
      assert.notEqual(three.source, one.source);
      assert.equal(runs.length, 2);
    });

    test('a synchronous source without an end, private or shared, lets other clients be served', async (world) => {
      const endless = function* () {
        for (let i = 0; ; i += 1) yield i;
      };
      world.sockets.defineSubscription('private', endless);
      world.sockets.defineSubscription('shared', endless, {
        ...SHARED,
        overflow: 'latest',
        maxQueuedBytes: 0,
      });
      const [one, two] = [await subscriber(world), await subscriber(world)];
      await one.subscribe('private');
      const { subscription } = await one.subscribe('shared');
      assert.deepEqual(await two.raw.call('answer'), [{ result: 'pong' }]);
      assert.deepEqual(await one.raw.call('loopback:unsubscribe', subscription), [
        { result: true },
      ]);
    });

    test('items that a method publishes or emits arrive before its answer', async (world) => {
      const emitter = new EventEmitter();
      world.sockets.defineSubscription('news', SHARED);
      world.sockets.defineSubscription('own', () => emitter);
      world.sockets.defineMethod('say', () => {
        world.sockets.publish('news', KEY, 'published');
        emitter.emit('data', 'emitted');
        return 'done';
      });
      const client = await subscriber(world);
      await client.subscribe('news');
      await client.subscribe('own');
      await client.raw.send('427["say"]');
      assert.deepEqual((await client.event()).args.slice(0, 2), ['news', 'published']);
      assert.deepEqual((await client.event()).args.slice(0, 2), ['own', 'emitted']);
      assert.equal(await client.packet(), '37[{"result":"done"}]');
    });

    test('an item that is published while another one is encoded comes after it', async (world) => {
      const emitter = new EventEmitter();
      world.sockets.defineSubscription('news', SHARED);
      world.sockets.defineSubscription('own', () => emitter);
      const client = await subscriber(world);
      const { source } = await client.subscribe('news');
      await client.subscribe('own');
      const once = (publish) => {
        let isFirst = true;
        return {
          toJSON() {
            if (isFirst) publish('inner');
            isFirst = false;
            return 'outer';
          },
        };
      };
      const publish = (item) => world.sockets.publish('news', KEY, item);
      const emit = (item) => emitter.emit('data', item);
      publish(once(publish));
      emit(once(emit));
      for (const offset of [1, 2]) {
        const { args } = await client.event();
        const item = offset === 1 ? 'outer' : 'inner';
        assert.deepEqual(args, ['news', item, { source, id: `${source}-${offset}` }]);
      }
      assert.deepEqual(await client.items(2), ['outer', 'inner']);
    });

    test('removeSubscription() ends its subscriptions, and a client may not have it again', async (world) => {
      world.sockets.defineSubscription('news', SHARED);
      const client = await subscriber(world);
      const { subscription } = await client.subscribe('news');
      world.sockets.publish('news', KEY, 1);
      world.sockets.removeSubscription('news');
      assert.equal(await client.item(), 1);
      assert.deepEqual((await client.event()).args, [
        'loopback:unsubscribed',
        { subscription, reason: 'removed' },
      ]);
      const [{ result }] = await client.raw.call('news', {});
      assert.equal(result, undefined);
    });

    test('a socket has no more subscriptions than it may have', async (world) => {
      world.sockets.defineSubscription('news', SHARED);
      const client = await subscriber(world);
      const numbers = [];
      for (let i = 0; i < 3; i += 1) numbers.push((await client.subscribe('news')).subscription);
      assert.deepEqual(numbers, [1, 2, 3]);
      const [{ error }] = await client.raw.call('news', {});
      assert.equal(error.code, 'ERR_LOOPBACK_SOCKET_TOO_MANY_SUBSCRIPTIONS');
      await client.raw.call('loopback:unsubscribe', 2);
      assert.equal((await client.subscribe('news')).subscription, 4);
    }, {}, { maxSubscriptions: 3 }); // prettier-ignore

    test('the listener of an application for loopback:unsubscribe wins', async (world) => {
      world.sockets.defineSubscription('news', SHARED);
      world.io.on('connection', (socket) => {
        socket.on('loopback:unsubscribe', (...args) => args.at(-1)('of the application'));
      });
      const client = await subscriber(world);
      const { subscription } = await client.subscribe('news');
      assert.deepEqual(await client.raw.call('loopback:unsubscribe', subscription), [
        'of the application',
      ]);
      world.sockets.publish('news', KEY, 'still there');
      assert.equal(await client.item(), 'still there');
    });

    test('the method of an application named loopback:unsubscribe wins', async (world) => {
      world.sockets.defineSubscription('news', SHARED);
      world.sockets.defineMethod('loopback:unsubscribe', (socket, credentials, args) => [
        'method',
        args,
      ]);
      const client = await subscriber(world);
      const { subscription } = await client.subscribe('news');
      assert.deepEqual(await client.raw.call('loopback:unsubscribe', subscription), [
        { result: ['method', subscription] },
      ]);
    });

    test('two instances on one server keep their subscriptions apart', async (world) => {
      const other = world.instance();
      other.start(world.io);
      world.sockets.defineSubscription('news', SHARED);
      other.defineSubscription('weather', SHARED);
      const raw = await world.raw({ isAuthenticated: false });
      await raw.send('42["authentication",{}]');
      await raw.packet('2["authenticated",true]');
      await raw.packet('2["authenticated",true]');
      const client = new Subscriber(raw);
      const one = await client.subscribe('news');
      const two = await client.subscribe('weather');
      assert.notEqual(one.subscription, two.subscription);
      world.sockets.publish('news', KEY, 'a');
      other.publish('weather', KEY, 'b');
      assert.deepEqual((await client.event()).args.slice(0, 2), ['news', 'a']);
      assert.deepEqual((await client.event()).args.slice(0, 2), ['weather', 'b']);
      for (const { subscription } of [one, two]) {
        assert.deepEqual(await raw.call('loopback:unsubscribe', subscription), [{ result: true }]);
      }
    });
  });
}
