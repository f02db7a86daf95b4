'use strict';

/**
 * What every client can do with subscriptions, whoever wrote it, on both kinds of server.
 *
 * A kind of client is that of `compatibility/clients/promises.js`. Its clients acknowledge what asks for it.
 */

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, it } = require('node:test');
const { TIMEOUT, authenticate, deferred, subscribed } = require('../support/subscription-world');

const EVENTS = [
  'authenticated',
  'unauthorized',
  'numbers',
  'news',
  'bytes',
  'loopback:unsubscribed',
];

/** Bytes that are no text. */
const BYTES = Buffer.from([0, 255, 128, 10, 13, 0x1e, 98, 52]);

/**
 * @param {string} name of the client, with which each title begins
 * @param {object} kind a kind of client
 * @param {number} version the version of npm socket.io that serves such clients
 */
function describeSubscriptions(name, kind, version) {
  for (const server of ['native', version]) {
    for (const transport of ['websocket', 'polling']) {
      const on = server === 'native' ? 'the native server' : `socket.io ${server}`;
      describe(`${name} on ${on} over ${transport}`, () => {
        describeScenarios(name, kind, server, [transport]);
      });
    }
  }
}

function describeScenarios(clientName, kind, server, transports) {
  const suffix = `(${server === 'native' ? server : `socket.io ${server}`}, ${transports})`;

  function scenario(what, test) {
    it(`${clientName} ${what} ${suffix}`, TIMEOUT, subscribed(server, test));
  }

  const connect = (world, options) =>
    world.client(kind, { transports, events: EVENTS, ...options });

  /** @returns {Promise<any>} what the client is answered when it subscribes */
  async function ask(client, name, request) {
    const answer = await client.call(name, request);
    assert.equal(answer.length, 1);
    return answer[0];
  }

  /** @returns {Promise<{ subscription: number, source: string, resumed: boolean }>} */
  async function subscribe(client, name, request = {}) {
    const { error, result } = await ask(client, name, request);
    assert.equal(error, undefined);
    assert.equal(typeof result.subscription, 'number');
    assert.equal(typeof result.source, 'string');
    return result;
  }

  /** @returns {Promise<[unknown, { source: string, id?: string }][]>} the next items, in the order of the server */
  async function take(client, name, count) {
    const items = [];
    while (items.length < count) items.push(await client.next(name));
    // Such a client handles packets concurrently, so it may report them in another order.
    if (kind.keepsOrder === false) items.sort(([one], [two]) => one - two);
    return items;
  }

  scenario(
    'receives all items of a generator, many windows of them, and then its end',
    async (world) => {
      world.sockets.defineSubscription(
        'numbers',
        async function* (socket, credentials, { count }) {
          for (let i = 0; i < count; i += 1) yield i;
        },
        { window: 4 },
      );
      const client = await connect(world);
      const { subscription, source, resumed } = await subscribe(client, 'numbers', {
        args: { count: 50 },
      });
      assert.equal(resumed, false);
      const items = await take(client, 'numbers', 50);
      assert.deepEqual(
        items,
        Array.from({ length: 50 }, (_, i) => [i, { source }]),
      );
      assert.deepEqual(await client.next('loopback:unsubscribed'), [
        { subscription, reason: 'end' },
      ]);
    },
  );

  scenario('shares a source with another client and gets the same items and ids', async (world) => {
    const { sockets } = world;
    sockets.defineSubscription('news', { key: ({ topic }) => ({ key: topic }), window: 4 });
    const clients = [await connect(world), await connect(world)];
    const [first, second] = [
      await subscribe(clients[0], 'news', { args: { topic: 'a' } }),
      await subscribe(clients[1], 'news', { args: { topic: 'a' } }),
    ];
    assert.equal(first.source, second.source);
    for (let i = 1; i <= 20; i += 1) {
      sockets.publish('news', { key: 'b' }, 'of another key');
      sockets.publish('news', { key: 'a' }, i);
    }
    for (const client of clients) {
      assert.deepEqual(
        await take(client, 'news', 20),
        Array.from({ length: 20 }, (_, i) => [
          i + 1,
          { source: first.source, id: `${first.source}-${i + 1}` },
        ]),
      );
    }
  });

  scenario('unsubscribes, and the generator is returned', async (world) => {
    const { sockets } = world;
    const returned = deferred();
    sockets.defineSubscription('numbers', async function* (socket, credentials, args, { signal }) {
      try {
        yield 1;
        await once(signal, 'abort');
      } finally {
        returned.resolve();
      }
    });
    const client = await connect(world);
    const { subscription } = await subscribe(client, 'numbers');
    await client.next('numbers');
    assert.deepEqual(await client.call('loopback:unsubscribe', subscription), [{ result: true }]);
    await returned.promise;
    assert.deepEqual(await client.call('loopback:unsubscribe', subscription), [{ result: false }]);
    assert.deepEqual(await client.call('answer', {}), [{ result: 'pong' }]);
    assert.deepEqual(client.events.untaken('loopback:unsubscribed'), []);
  });

  scenario('gets the error of a handler that throws as the answer', async (world) => {
    world.sockets.defineSubscription('numbers', () => {
      throw Object.assign(new Error('hidden'), { code: 'GONE' });
    });
    const client = await connect(world);
    assert.deepEqual(await ask(client, 'numbers', {}), { error: { code: 'GONE' } });
  });

  scenario('gets the error that a source fails with after its last item', async (world) => {
    world.sockets.defineSubscription('numbers', async function* () {
      yield 1;
      throw Object.assign(new Error('hidden'), { code: 'BROKEN' });
    });
    const client = await connect(world);
    const { subscription, source } = await subscribe(client, 'numbers');
    assert.deepEqual(await client.next('numbers'), [1, { source }]);
    assert.deepEqual(await client.next('loopback:unsubscribed'), [
      { subscription, reason: 'error', error: { code: 'BROKEN' } },
    ]);
  });

  scenario('receives items with bytes, and acknowledges them', async (world) => {
    world.sockets.defineSubscription(
      'bytes',
      function* () {
        for (let number = 0; number < 6; number += 1) yield { number, list: [BYTES] };
      },
      { window: 2 },
    );
    const client = await connect(world);
    const { source } = await subscribe(client, 'bytes');
    const items = [];
    while (items.length < 6) items.push(await client.next('bytes'));
    items.sort(([one], [two]) => one.number - two.number);
    assert.deepEqual(
      items,
      Array.from({ length: 6 }, (_, number) => [{ number, list: [BYTES] }, { source }]),
    );
  });

  scenario('resumes after it was away, without a gap or a repetition', async (world) => {
    const { sockets } = world;
    sockets.defineSubscription('news', {
      key: () => ({ key: 'a' }),
      history: { size: 10, ttl: 20_000 },
    });
    const client = await connect(world);
    const { source } = await subscribe(client, 'news');
    sockets.publish('news', { key: 'a' }, 1);
    sockets.publish('news', { key: 'a' }, 2);
    const [, [, { id }]] = await take(client, 'news', 2);
    const [socket] = socketsOf(world);
    const gone = new Promise((resolve) => socket.once('disconnect', resolve));
    if (kind.reconnects) {
      client.drop();
    } else {
      socket.disconnect(true);
    }
    await gone;
    for (const item of [3, 4, 5]) sockets.publish('news', { key: 'a' }, item);
    const next = kind.reconnects ? client : await connect(world);
    if (kind.reconnects) {
      await next.next('connect');
      await authenticate(next, {});
    }
    const again = await subscribe(next, 'news', { after: id });
    assert.deepEqual(again, { subscription: 1, source, resumed: true });
    sockets.publish('news', { key: 'a' }, 6);
    assert.deepEqual(
      await take(next, 'news', 4),
      [3, 4, 5, 6].map((item) => [item, { source, id: `${source}-${item}` }]),
    );
    assert.equal((await subscribe(next, 'news', { after: 'another-3' })).resumed, false);
  });

  scenario(
    'loses a subscription when it authenticates as somebody who may not have it',
    async (world) => {
      const { sockets } = world;
      sockets.defineSubscription('news', {
        key: () => ({ key: 'a' }),
        authorize: (socket, { role }) => role === 'reader',
      });
      const client = await connect(world, { credentials: { role: 'reader' } });
      const { subscription } = await subscribe(client, 'news');
      sockets.publish('news', { key: 'a' }, 1);
      assert.equal((await client.next('news'))[0], 1);
      await authenticate(client, { role: 'nobody' });
      assert.deepEqual(await client.next('loopback:unsubscribed'), [
        { subscription, reason: 'revoked' },
      ]);
      sockets.publish('news', { key: 'a' }, 2);
      const { error } = await ask(client, 'news', {});
      assert.equal(error.code, 'ERR_LOOPBACK_SOCKET_FORBIDDEN');
      assert.deepEqual(client.events.untaken('news'), []);
    },
  );

  scenario('has its sources stopped when its connection ends', async (world) => {
    const stopped = deferred();
    world.sockets.defineSubscription(
      'numbers',
      async function* (socket, credentials, args, { signal }) {
        signal.addEventListener('abort', stopped.resolve);
        yield 1;
        await once(signal, 'abort');
      },
    );
    const client = await connect(world);
    await subscribe(client, 'numbers');
    await client.next('numbers');
    socketsOf(world)[0].disconnect(true);
    await stopped.promise;
  });
}

/** @returns {any[]} the sockets of the default namespace, whatever the server is */
function socketsOf(world) {
  const { sockets } = world.io.of('/');
  return sockets instanceof Map ? [...sockets.values()] : Object.values(sockets);
}

module.exports = { describeSubscriptions };
