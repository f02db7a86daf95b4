'use strict';

// What a hostile client can send about subscriptions, on both kinds of server. Whatever it is: the server goes on,
// other subscriptions are untouched, nobody gets more than a window of items without an acknowledgement, and
// nothing is kept.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, it } = require('node:test');
const { unhandled } = require('../support/native-server');
const { TIMEOUT, subscribed } = require('../support/subscription-world');

const SERVERS = ['native', 2, 4];
const KEY = { key: 'a' };
const SHARED = { key: () => KEY };

/** Values of JSON that are no request, no number of a subscription, no id. */
const VALUES = [
  'null',
  'true',
  '0',
  '-1',
  '2',
  '1.5',
  '1e400',
  '9007199254740993',
  '1152921504606846976',
  '"1"',
  '""',
  '"__proto__"',
  '[]',
  '[1]',
  '[[1]]',
  '{}',
  '{"__proto__":{"args":1}}',
  '{"args":{"__proto__":{"shop":1}},"after":{"toString":1}}',
  '{"valueOf":1}',
  '{"subscription":1}',
  '{"length":1,"0":1}',
  '"\\u0000"',
];

/** @returns {string} an array within arrays, deeper than recursion goes */
const nested = (depth) => `${'['.repeat(depth)}1${']'.repeat(depth)}`;

/**
 * @param {any} raw
 * @returns {Promise<string[]>} what the client received until a method of its own was answered
 */
async function before(raw) {
  const id = 800_000 + raw.lastAck++;
  await raw.send(`42${id}["answer"]`);
  const packets = [];
  for (;;) {
    const packet = await raw.received.next((item) => typeof item === 'string' && /^4\d/.test(item));
    if (packet.startsWith(`43${id}[`)) return packets;
    packets.push(packet);
  }
}

for (const server of SERVERS) {
  const on = server === 'native' ? 'the native server' : `socket.io ${server}`;

  describe(`hostile clients of subscriptions on ${on}`, () => {
    const test = (title, run, ...options) =>
      it(`${title} (${server})`, TIMEOUT, async (t) => {
        const found = await unhandled(() => subscribed(server, run, ...options)(t));
        assert.deepEqual(found, []);
      });

    test('every value that is no request is answered, and subscribes at most', async (world) => {
      world.sockets.defineSubscription('shared', SHARED);
      world.sockets.defineSubscription('private', () => [1]);
      const raw = await world.raw();
      for (const name of ['shared', 'private']) {
        for (const value of [...VALUES, nested(5000)]) {
          await raw.send(`427["${name}",${value}]`);
          const answer = JSON.parse((await raw.packet('37[')).slice(3));
          assert.equal(answer.length, 1);
          assert.equal(answer[0].error ?? answer[0].result.resumed, false, value);
        }
        await raw.send(`42["${name}",{},1,2,3]`);
        await raw.send(`42["${name}",{},{"call":1},"more"]`);
      }
      await before(raw);
      assert.deepEqual(await raw.call('answer'), [{ result: 'pong' }]);
    });

    test('nothing but the number of a subscription of its own lets a client unsubscribe', async (world) => {
      world.sockets.defineSubscription('news', SHARED);
      const [raw, other] = [await world.raw(), await world.raw()];
      await raw.call('news', {});
      for (const name of ['news', 'news', 'news']) await other.call(name, {});
      for (const value of [...VALUES, nested(5000)]) {
        await raw.send(`427["loopback:unsubscribe",${value}]`);
        assert.equal(await raw.packet('37['), '437[{"result":false}]', value);
      }
      await raw.send('427["loopback:unsubscribe"]');
      assert.equal(await raw.packet('37['), '437[{"result":false}]');
      await raw.send('42["loopback:unsubscribe",{"toString":1}]');
      await raw.send('42["loopback:unsubscribe",7,8,9]');
      world.sockets.publish('news', KEY, 'still there');
      await raw.packet('2["news","still there"');
      for (let i = 0; i < 3; i += 1) await other.packet('2["news","still there"');
      assert.deepEqual(await raw.call('loopback:unsubscribe', 1), [{ result: true }]);
    });

    test('nothing but the id of an item in the history is resumed after', async (world) => {
      world.sockets.defineSubscription('news', { ...SHARED, history: { size: 5, ttl: 10_000 } });
      const raw = await world.raw();
      const [{ result }] = await raw.call('news', {});
      const { source } = result;
      for (let i = 1; i <= 10; i += 1) world.sockets.publish('news', KEY, i);
      const resumable = [5, 6, 7, 8, 9, 10].map((offset) => `"${source}-${offset}"`);
      const others = [
        ...VALUES,
        ...[
          0,
          1,
          4,
          11,
          -1,
          '5.5',
          1e21,
          2 ** 53,
          '18446744073709551621',
          'NaN',
          '',
          ' 5',
          '5 ',
          '0x5',
          '5-5',
        ].map((offset) => `"${source}-${offset}"`),
        `"${source}"`,
        `"${source}5"`,
        `"${source}x-5"`,
        `"x${source}-5"`,
        '"another-5"',
        '5',
        nested(5000),
        `"${'x'.repeat(100_000)}"`,
      ];
      for (const after of [...resumable, ...others]) {
        await raw.send(`427["news",{"after":${after}}]`);
        const [answer] = JSON.parse((await raw.packet('37[')).slice(3));
        assert.equal(answer.result.resumed, resumable.includes(after), after.slice(0, 60));
        assert.equal(answer.result.source, source);
        await raw.call('loopback:unsubscribe', answer.result.subscription);
      }
      world.sockets.publish('news', KEY, 11);
      await raw.packet('2["news",11,');
    });

    test('acknowledgements of what was not asked for give no credit', async (world) => {
      world.sockets.defineSubscription('news', { ...SHARED, window: 4 });
      world.sockets.defineSubscription(
        'private',
        function* () {
          for (let i = 0; ; i += 1) yield i;
        },
        { window: 4 },
      );
      const [raw, other] = [await world.raw(), await world.raw()];
      for (const client of [raw, other]) {
        await client.call('news', {});
        await client.call('private', {});
      }
      for (let i = 1; i <= 50; i += 1) world.sockets.publish('news', KEY, i);
      const asked = (await before(other)).map((packet) => /^42(\d+)\[/.exec(packet)?.[1]);
      const stolen = asked.filter((id) => id !== undefined);
      assert.equal(stolen.length, 4);
      const mine = (await before(raw)).map((packet) => /^42(\d+)\[/.exec(packet)?.[1]);
      assert.equal(mine.length, 8);
      const foreign = stolen.filter((id) => !mine.includes(id));
      const guesses = [0, 1, 2, 100, 2 ** 30 + 1000, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1];
      for (const id of [...foreign, ...guesses.filter((guess) => !mine.includes(String(guess)))]) {
        for (const args of ['[]', '[1,{"a":[]}]', '[null]']) await raw.send(`43${id}${args}`);
      }
      assert.deepEqual(await before(raw), []);
    });

    test('an acknowledgement that is repeated gives credit once', async (world) => {
      world.sockets.defineSubscription('news', { ...SHARED, window: 4 });
      const raw = await world.raw();
      await raw.call('news', {});
      for (let i = 1; i <= 50; i += 1) world.sockets.publish('news', KEY, i);
      const first = await before(raw);
      assert.equal(first.length, 4);
      const ids = first
        .map((packet) => /^42(\d+)\[/.exec(packet)?.[1])
        .filter((id) => id !== undefined);
      for (let times = 0; times < 20; times += 1) {
        for (const id of [ids[1], ids[0]]) await raw.send(`43${id}[]`);
      }
      assert.equal((await before(raw)).length, 4);
    });

    test('acknowledgements of a subscription that has ended are ignored', async (world) => {
      world.sockets.defineSubscription('news', { ...SHARED, window: 2 });
      const raw = await world.raw();
      await raw.call('news', {});
      for (let i = 1; i <= 9; i += 1) world.sockets.publish('news', KEY, i);
      const ids = (await before(raw)).map((packet) => /^42(\d+)\[/.exec(packet)?.[1]);
      await raw.call('loopback:unsubscribe', 1);
      await raw.call('news', {});
      for (const id of ids) await raw.send(`43${id}[]`);
      assert.deepEqual(await before(raw), []);
      for (let i = 1; i <= 9; i += 1) world.sockets.publish('news', KEY, i);
      assert.equal((await before(raw)).length, 2);
    });

    test('a flood of requests gets as many subscriptions as a socket may have, and all end with it', async (world) => {
      const LIMIT = 100;
      const REQUESTS = 1000;
      const signals = new Set();
      async function* handler(socket, credentials, args, { signal }) {
        signals.add(signal);
        signal.addEventListener('abort', () => signals.delete(signal));
        yield 1;
        await once(signal, 'abort');
      }
      world.sockets.defineSubscription('private', handler);
      world.sockets.defineSubscription('shared', handler, { key: ({ i }) => ({ key: String(i) }) });
      const raw = await world.raw();
      for (let i = 0; i < REQUESTS; i += 1) {
        await raw.send(`42${i}["${i % 2 ? 'private' : 'shared'}",{"args":{"i":${i}}}]`);
      }
      const packets = await before(raw);
      const answers = packets.filter((packet) => packet.startsWith('43'));
      assert.equal(answers.length, REQUESTS);
      assert.equal(answers.filter((packet) => packet.includes('"result"')).length, LIMIT);
      assert.equal(
        answers.filter((packet) => packet.includes('"ERR_LOOPBACK_SOCKET_TOO_MANY_SUBSCRIPTIONS"'))
          .length,
        REQUESTS - LIMIT,
      );
      assert.equal(signals.size, LIMIT);
      const gone = Promise.all([...signals].map((signal) => once(signal, 'abort')));
      raw.terminate();
      await gone;
      assert.equal(signals.size, 0);
    });

    test('requests that wait for authorize count for the limit of a socket', async (world) => {
      let asked = 0;
      world.sockets.defineSubscription('news', {
        ...SHARED,
        authorize() {
          asked += 1;
          return new Promise(() => {});
        },
      });
      const raw = await world.raw();
      for (let i = 0; i < 500; i += 1) await raw.send(`42${i}["news",{}]`);
      const refused = await before(raw);
      assert.ok(refused.length >= 400, `${refused.length} of 500 requests were refused`);
      assert.ok(asked <= 500);
    });

    test('subscribing and unsubscribing 5,000 times in a row leaves no source', async (world) => {
      let running = 0;
      async function* handler(socket, credentials, args, { signal }) {
        running += 1;
        try {
          yield 1;
          await once(signal, 'abort');
        } finally {
          running -= 1;
        }
      }
      world.sockets.defineSubscription('private', handler);
      world.sockets.defineSubscription('shared', handler, SHARED);
      const raw = await world.raw();
      let results = 0;
      for (let i = 0; i < 5000; i += 50) {
        for (let k = 1; k <= 50; k += 1) {
          await raw.send(`420["${k % 2 ? 'private' : 'shared'}",{}]`);
          await raw.send(`421["loopback:unsubscribe",${i + k}]`);
        }
        const packets = await before(raw);
        results += packets.filter((packet) => packet === '431[{"result":true}]').length;
      }
      assert.equal(results, 5000);
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(running, 0);
    });

    test('a client that authenticates again and again keeps its subscription, and one only', async (world) => {
      world.sockets.defineSubscription('news', { ...SHARED, authorize: async () => true });
      const raw = await world.raw();
      await raw.call('news', {});
      for (let i = 0; i < 40; i += 1) {
        await raw.send(`42["authentication",{"token":"${i % 3 === 0 ? 'wrong' : 'valid'}"}]`);
        world.sockets.publish('news', KEY, i);
      }
      const numbers = [];
      while (numbers.length < 32) {
        const packet = await raw.packet('2');
        const [, item] = /^42\d*\["news",(\d+),/.exec(packet) ?? [];
        if (item !== undefined) {
          numbers.push(Number(item));
          const [, ack] = /^42(\d+)\[/.exec(packet) ?? [];
          if (ack !== undefined) await raw.send(`43${ack}[]`);
        }
      }
      assert.deepEqual(
        numbers,
        Array.from({ length: 32 }, (_, i) => i),
      );
    });
  });
}
