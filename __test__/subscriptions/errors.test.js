'use strict';

// Every way in which the application's code can fail while a client subscribes or receives items, on both kinds of
// server: what the client gets, what `onError` gets, and that nothing else happens.

const assert = require('node:assert/strict');
const { EventEmitter } = require('node:events');
const { Readable } = require('node:stream');
const { describe, it } = require('node:test');
const { Observable } = require('rxjs');
const { unhandled } = require('../support/native-server');
const { TIMEOUT, deferred, subscribed } = require('../support/subscription-world');

const SERVERS = ['native', 2, 4];

/** @returns {Error} one whose code is all that a client gets of it */
const failure = (code) => Object.assign(new Error('hidden'), { code });

/** Handlers and options that fail before a source begins, with the error that the client gets. */
const REFUSALS = {
  'a handler that throws': [
    () => {
      throw failure('THROWN');
    },
    {},
    { code: 'THROWN' },
  ],
  'a handler that rejects': [
    async () => Promise.reject(failure('REJECTED')),
    {},
    { code: 'REJECTED' },
  ],
  'a handler that calls back with an error': [
    (socket, credentials, args, context, cb) => cb(failure('CALLED')),
    {},
    { code: 'CALLED' },
  ],
  'a handler that throws a string': [
    () => {
      throw 'no';
    },
    {},
    'no',
  ],
  'a method of a model that does not exist': [
    { model: { name: 'Model' }, method: 'missing' },
    {},
    {},
  ],
  'authorize that gives false': [
    () => [1],
    { authorize: () => false },
    { code: 'ERR_LOOPBACK_SOCKET_FORBIDDEN' },
  ],
  'authorize that resolves to false': [
    () => [1],
    { authorize: async () => 0 },
    { code: 'ERR_LOOPBACK_SOCKET_FORBIDDEN' },
  ],
  'authorize that throws': [
    () => [1],
    {
      authorize() {
        throw failure('THROWN');
      },
    },
    { code: 'ERR_LOOPBACK_SOCKET_FORBIDDEN', message: 'hidden' },
  ],
  'authorize that rejects': [
    () => [1],
    { authorize: () => Promise.reject(failure('REJECTED')) },
    { code: 'ERR_LOOPBACK_SOCKET_FORBIDDEN', message: 'hidden' },
  ],
  'key that throws': [
    () => [1],
    {
      key() {
        throw failure('THROWN');
      },
    },
    { code: 'THROWN' },
  ],
  'key that rejects': [
    () => [1],
    { key: async () => Promise.reject(failure('REJECTED')) },
    { code: 'REJECTED' },
  ],
  'key that gives no key': [
    () => [1],
    { key: () => ({ key: 7 }) },
    { code: 'ERR_LOOPBACK_SOCKET_INVALID_KEY' },
  ],
};

/** What handlers give that is no source. */
const NO_SOURCES = {
  'a string': 'abc',
  'a number': 5,
  nothing: undefined,
  'a generator function that was not called': function* () {},
  'a stream that is not in object mode': new Readable({ read() {} }),
};

/** Sources that give 1 and then fail with the code BROKEN. */
const FAILING = {
  'an async generator': async function* () {
    yield 1;
    throw failure('BROKEN');
  },
  'a generator': function* () {
    yield 1;
    throw failure('BROKEN');
  },
  'a stream': () =>
    Readable.from(
      (function* () {
        yield 1;
        throw failure('BROKEN');
      })(),
    ),
  'an emitter': () => {
    const emitter = new EventEmitter();
    setImmediate(() => {
      emitter.emit('data', 1);
      emitter.emit('error', failure('BROKEN'));
    });
    return emitter;
  },
  'an Observable': () =>
    new Observable((subscriber) => {
      subscriber.next(1);
      subscriber.error(failure('BROKEN'));
    }),
};

/** Items that cannot be sent. */
const UNSENDABLE = {
  'a circular object': () => {
    const item = {};
    item.self = item;
    return item;
  },
  'a BigInt': () => 1n,
  'bytes that have been transferred': () => {
    const bytes = new Uint8Array(2);
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    return { bytes };
  },
  'a toJSON that throws': () => ({
    toJSON() {
      throw new Error('no');
    },
  }),
  'a getter that throws': () => ({
    get value() {
      throw new Error('no');
    },
  }),
};

/** Listens to a subscription as a client does. */
async function ask(raw, name, request = {}) {
  const [answer] = await raw.call(name, request);
  return answer;
}

/** @returns {Promise<object>} what ended a subscription */
async function ended(raw) {
  const packet = await raw.packet('2["loopback:unsubscribed"');
  return JSON.parse(packet.slice(2))[1];
}

for (const server of SERVERS) {
  describe(`errors of subscriptions on ${server === 'native' ? 'the native server' : `socket.io ${server}`}`, () => {
    const on = `(${server})`;
    const test = (title, run) => it(`${title} ${on}`, TIMEOUT, subscribed(server, run));

    for (const [what, [handler, options, error]] of Object.entries(REFUSALS)) {
      test(`${what} is the answer to the client, and an error for onError`, async (world) => {
        const told = [];
        world.sockets.onError((reason, context) => told.push([reason, context.name, context.kind]));
        world.sockets.defineSubscription('items', handler, options);
        const raw = await world.raw();
        const found = await unhandled(async () => {
          const answer = await ask(raw, 'items');
          assert.equal(answer.result, undefined);
          if (typeof error === 'object') {
            assert.equal(answer.error.code, error.code);
            if (error.message !== undefined) assert.equal(answer.error.message, error.message);
          } else {
            assert.equal(answer.error, error);
          }
        });
        assert.deepEqual(found, []);
        assert.deepEqual(await raw.call('answer'), [{ result: 'pong' }]);
        if (error.code !== 'ERR_LOOPBACK_SOCKET_FORBIDDEN' || error.message !== undefined) {
          assert.equal(told.length, 1);
          const kind = what.startsWith('authorize') ? 'authorize' : 'subscription';
          assert.deepEqual(told[0].slice(1), ['items', kind]);
        }
      });
    }

    for (const [what, value] of Object.entries(NO_SOURCES)) {
      test(`a handler that gives ${what} is answered with what it may give`, async (world) => {
        world.sockets.defineSubscription('items', () => value);
        const raw = await world.raw();
        const { error } = await ask(raw, 'items');
        assert.equal(error.code, 'ERR_LOOPBACK_SOCKET_INVALID_SOURCE');
      });
    }

    for (const [what, handler] of Object.entries(FAILING)) {
      for (const options of [{}, { key: () => ({ key: 'a' }) }]) {
        const kind = options.key === undefined ? 'private' : 'shared';
        test(`${what} that fails ends its ${kind} subscription with its error`, async (world) => {
          const told = [];
          world.sockets.onError((error, context) =>
            told.push([error.code, context.name, context.kind]),
          );
          world.sockets.defineSubscription('items', handler, options);
          const raw = await world.raw();
          const { result } = await ask(raw, 'items');
          assert.match(await raw.packet('2["items"'), /^42\["items",1,/);
          assert.deepEqual(await ended(raw), {
            subscription: result.subscription,
            reason: 'error',
            error: { code: 'BROKEN' },
          });
          assert.deepEqual(told, [['BROKEN', 'items', 'subscription']]);
        });
      }
    }

    for (const [what, item] of Object.entries(UNSENDABLE)) {
      for (const options of [{}, { key: () => ({ key: 'a' }) }]) {
        const kind = options.key === undefined ? 'private' : 'shared';
        test(`an item with ${what} ends its ${kind} subscription, whose source is stopped`, async (world) => {
          const stopped = deferred();
          async function* handler() {
            try {
              yield 1;
              yield item();
              yield 2;
            } finally {
              stopped.resolve();
            }
          }
          world.sockets.defineSubscription('items', handler, options);
          const raw = await world.raw();
          const { result } = await ask(raw, 'items');
          await raw.packet('2["items",1,');
          const { subscription, reason, error } = await ended(raw);
          assert.deepEqual(
            { subscription, reason },
            { subscription: result.subscription, reason: 'error' },
          );
          assert.equal(error.code, 'ERR_LOOPBACK_SOCKET_UNSENDABLE_VALUE');
          await stopped.promise;
        });
      }

      test(`publish() of ${what} throws, and subscribers go on without a gap`, async (world) => {
        world.sockets.defineSubscription('items', { key: () => ({ key: 'a' }) });
        const raw = await world.raw();
        const { result } = await ask(raw, 'items');
        world.sockets.publish('items', { key: 'a' }, 1);
        assert.throws(() => world.sockets.publish('items', { key: 'a' }, item()), {
          code: 'ERR_LOOPBACK_SOCKET_UNSENDABLE_VALUE',
        });
        world.sockets.publish('items', { key: 'a' }, 2);
        const { source } = result;
        for (const number of [1, 2]) {
          assert.equal(
            await raw.packet('2["items"'),
            `42["items",${number},{"source":"${source}","id":"${source}-${number}"}]`,
          );
        }
      });
    }

    test('an error that cannot be sent ends a subscription with one that says so', async (world) => {
      world.sockets.defineSubscription('items', async function* () {
        yield 1;
        throw { big: 1n };
      });
      const raw = await world.raw();
      await ask(raw, 'items');
      const { reason, error } = await ended(raw);
      assert.equal(reason, 'error');
      assert.equal(error.code, 'ERR_LOOPBACK_SOCKET_UNSENDABLE_VALUE');
    });

    test('a source whose return() rejects leaves no unhandled rejection', async (world) => {
      const returned = deferred();
      world.sockets.defineSubscription('items', () => ({
        [Symbol.asyncIterator]: () => ({
          next: () => new Promise(() => {}),
          return() {
            returned.resolve();
            return Promise.reject(failure('RETURN'));
          },
        }),
      }));
      const raw = await world.raw();
      const found = await unhandled(async () => {
        const { result } = await ask(raw, 'items');
        assert.deepEqual(await raw.call('loopback:unsubscribe', result.subscription), [
          { result: true },
        ]);
        await returned.promise;
      });
      assert.deepEqual(found, []);
    });
  });
}
