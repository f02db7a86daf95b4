'use strict';

// Subscriptions as an application defines them and a client uses them, on every kind of server.

const assert = require('node:assert/strict');
const { EventEmitter, on, once } = require('node:events');
const { describe, it } = require('node:test');
const LoopbackSocket = require('../..');
const { HOSTS, authenticate, call } = require('../support/js-hosts');
const { aborted, deferred, serve } = require('../support/subscribers');
const { reach } = require('../support/waiting');

for (const host of HOSTS) {
  describe(
    `on ${host === 'native' ? 'the native server' : `a socket.io ${host} server`}`,
    { timeout: 60_000 },
    () => {
      it('a private source gives each subscriber items of its own, behind the answer', async (t) => {
        const calls = [];
        const { join } = await serve(t, host, (instance) => {
          instance.defineSubscription(
            'items',
            async function* (socket, credentials, args, context) {
              calls.push([socket, credentials, args, context.after]);
              yield `${args} 1`;
              yield `${args} 2`;
            },
          );
        });
        const [first, second] = [await join({ of: 1 }), await join({ of: 2 })];
        const order = [];
        first.client.on('items', (item) => order.push(item));
        first.client.emit('items', { args: 'a' }, ({ result }) => order.push(result));
        const { result } = await second.subscribe('items', 'b');
        assert.deepEqual(await second.got(2), ['b 1', 'b 2']);
        assert.deepEqual(await second.ended(), { subscription: 1, reason: 'end' });
        assert.deepEqual(await first.ended(), { subscription: 1, reason: 'end' });
        assert.equal(typeof result.source, 'string');
        assert.deepEqual(result, { subscription: 1, source: result.source, resumed: false });
        assert.deepEqual(
          second.items.map(([, , meta]) => meta),
          [{ source: result.source }, { source: result.source }],
        );
        assert.notEqual(order[0].source, result.source);
        assert.deepEqual(order.slice(1), ['a 1', 'a 2']);
        assert.equal(calls[0][0], first.socket);
        assert.equal(calls[1][0], second.socket);
        assert.deepEqual(
          calls.map(([, ...rest]) => rest),
          [
            [{ of: 1 }, 'a', undefined],
            [{ of: 2 }, 'b', undefined],
          ],
        );
      });

      it('a private source is not pulled beyond the window', async (t) => {
        let pulled = 0;
        const { join } = await serve(t, host, (instance) => {
          instance.defineSubscription(
            'items',
            async function* () {
              for (;;) yield (pulled += 1);
            },
            { window: 4 },
          );
        });
        const one = await join();
        one.acknowledges = false;
        await one.subscribe('items');
        await one.got(4);
        await one.flush();
        assert.equal(one.items.length, 4);
        assert.equal(pulled, 4);
        one.acknowledge();
        await one.got(100);
        assert.deepEqual(
          one.values,
          one.values.map((_, i) => i + 1),
        );
        assert.ok(pulled <= one.items.length + 4, `${pulled} of ${one.items.length}`);
      });

      it('a client that never acknowledges the items of a private source ends as slow, and one that did may take its time', async (t) => {
        let returned = 0;
        const { join } = await serve(t, host, (instance) => {
          instance.defineSubscription(
            'items',
            async function* () {
              try {
                for (let i = 1; ; i += 1) yield i;
              } finally {
                returned += 1;
              }
            },
            { window: 4, ackTimeout: 500 },
          );
        });
        const [never, late] = [await join(), await join()];
        never.acknowledges = false;
        late.acknowledges = false;
        await late.subscribe('items');
        await late.got(4);
        late.acknowledge();
        late.acknowledges = false;
        await late.got(8);
        await never.subscribe('items');
        assert.deepEqual(await never.ended(), { subscription: 1, reason: 'slow' });
        assert.deepEqual(never.values, [1, 2, 3, 4]);
        assert.equal(returned, 1);
        late.acknowledge();
        late.acknowledges = false;
        await late.got(12);
        assert.deepEqual(late.ends, []);
      });

      it('a handler may be a method of a model, take a callback, and be looked up when it is needed', async (t) => {
        const model = {
          own: 'its own',
          watch(socket, credentials, args, context, cb) {
            cb(null, [this.own, args]);
          },
        };
        const { join } = await serve(t, host, (instance) => {
          instance.defineSubscription('items', { model, method: 'watch' });
          instance.defineSubscription('other', { model, method: 'later' });
        });
        const one = await join();
        await one.subscribe('items', 7);
        assert.deepEqual(await one.got(2), ['its own', 7]);
        assert.ok((await one.subscribe('other')).error, 'it is missing');
        model.later = () => ['now'];
        assert.ok((await one.subscribe('other')).result);
        assert.deepEqual(await one.got(3), ['its own', 7, 'now']);
      });

      it('a private handler that fails answers with its error, and there is no subscription', async (t) => {
        const failures = {
          throws() {
            throw { code: 'THROWN' };
          },
          rejects: async () => {
            throw { code: 'REJECTED' };
          },
          'calls back': (socket, credentials, args, context, cb) => cb({ code: 'BACK' }),
          'gives nothing': () => 42,
        };
        const { join } = await serve(t, host, (instance) => {
          instance.defineSubscription('items', function handler(...args) {
            return args;
          });
          for (const [name, handler] of Object.entries(failures)) {
            instance.defineSubscription(name, handler);
          }
        });
        const one = await join();
        const codes = [];
        for (const name of Object.keys(failures)) {
          codes.push((await one.subscribe(name)).error.code);
        }
        assert.deepEqual(codes, [
          'THROWN',
          'REJECTED',
          'BACK',
          'ERR_LOOPBACK_SOCKET_INVALID_SOURCE',
        ]);
        // An error of this package that is for clients has its message, whatever the option `errors` says.
        const { error } = await one.subscribe(Object.keys(failures).at(-1));
        assert.match(error.message, /^A subscription's handler must give an async iterable/);
        assert.deepEqual(Object.keys(error).sort(), ['code', 'message']);
        assert.deepEqual(await one.unsubscribe(1), { result: false });
      });

      it('subscribers of one key share one run of the handler, which knows nothing of them', async (t) => {
        const bus = new EventEmitter();
        const calls = [];
        const { join } = await serve(t, host, (instance) => {
          instance.defineSubscription(
            'items',
            async function* (socket, credentials, args, { signal, after }) {
              calls.push([socket, credentials, args, after]);
              for await (const [item] of on(bus, args, { signal })) yield item;
            },
            { key: ({ shop }) => ({ key: String(shop), args: shop }) },
          );
        });
        const [first, second, third] = [await join(), await join(), await join()];
        const answers = [
          await first.subscribe('items', { shop: 'a', secret: 1 }, 'x'),
          await second.subscribe('items', { shop: 'a' }),
          await third.subscribe('items', { shop: 'b' }),
        ].map(({ result }) => result.source);
        bus.emit('a', 'for a');
        bus.emit('b', 'for b');
        assert.deepEqual(await first.got(1), ['for a']);
        assert.deepEqual(await second.got(1), ['for a']);
        assert.deepEqual(await third.got(1), ['for b']);
        assert.equal(answers[0], answers[1]);
        assert.notEqual(answers[0], answers[2]);
        assert.deepEqual(first.items[0][2], { source: answers[0], id: `${answers[0]}-1` });
        assert.deepEqual(second.items[0], first.items[0]);
        assert.deepEqual(calls, [
          [null, null, 'a', undefined],
          [null, null, 'b', undefined],
        ]);
      });

      it('a shared source without history ends with its last subscriber', async (t) => {
        const ended = deferred();
        let signal;
        const { join, instance } = await serve(t, host, (it) => {
          it.defineSubscription(
            'items',
            async function* (socket, credentials, args, context) {
              ({ signal } = context);
              try {
                yield 'first';
                await aborted(signal);
              } finally {
                ended.resolve();
              }
            },
            { key: () => 'k' },
          );
        });
        const [first, second] = [await join(), await join()];
        const { result } = await first.subscribe('items');
        await second.subscribe('items');
        await first.got(1);
        assert.deepEqual(await first.unsubscribe(result.subscription), { result: true });
        assert.equal(signal.aborted, false);
        assert.equal(instance.publish('items', { key: 'k' }, 'second'), true);
        assert.equal((await second.got(1)).at(-1), 'second');
        second.client.disconnect();
        await aborted(signal);
        await ended.promise;
        assert.equal(instance.publish('items', { key: 'k' }, 'lost'), false);
        await first.flush();
        assert.deepEqual(first.values, ['first']);
        assert.deepEqual(first.ends, [], 'the client knows that it has unsubscribed');
      });

      it('items that a method publishes or emits arrive before its answer', async (t) => {
        const bus = new EventEmitter();
        const { join, instance } = await serve(t, host, (it) => {
          it.defineSubscription('items');
          it.defineSubscription('other', () => bus);
          it.defineMethod('change', () => {
            const isThere = it.publish('items', {}, 'published');
            bus.emit('data', 'emitted');
            return isThere;
          });
        });
        const one = await join();
        assert.deepEqual(await call(one.client, 'change', null), { result: false });
        await one.subscribe('items');
        await one.subscribe('other');
        const answer = await call(one.client, 'change', null);
        assert.deepEqual(answer, { result: true });
        assert.deepEqual(one.values, ['published', 'emitted']);
        assert.equal(instance.publish('items', undefined, 'later'), true);
        assert.deepEqual(await one.got(3), ['published', 'emitted', 'later']);
      });

      it('publish refuses what cannot be sent, and the source goes on', async (t) => {
        const { join, instance } = await serve(t, host, (it) => {
          it.defineSubscription('items');
          it.defineSubscription('other', () => []);
        });
        const one = await join();
        await one.subscribe('items');
        const circular = {};
        circular.circular = circular;
        for (const item of [circular, 1n]) {
          assert.throws(() => instance.publish('items', {}, item), {
            code: 'ERR_LOOPBACK_SOCKET_UNSENDABLE_VALUE',
          });
        }
        instance.publish('items', {}, { bytes: Buffer.from([1, 2]), at: new Date(0) });
        const [item] = await one.got(1);
        assert.deepEqual([...new Uint8Array(item.bytes)], [1, 2]);
        assert.equal(item.at, '1970-01-01T00:00:00.000Z');
        assert.match(one.items[0][2].id, /-1$/);
        assert.throws(() => instance.publish('none', {}, 1), {
          code: 'ERR_LOOPBACK_SOCKET_NO_SHARED_SOURCE',
        });
        assert.throws(() => instance.publish('other', {}, 1), {
          code: 'ERR_LOOPBACK_SOCKET_NO_SHARED_SOURCE',
        });
        assert.throws(() => instance.publish('items', { key: 7 }, 1), {
          code: 'ERR_LOOPBACK_SOCKET_INVALID_OPTION',
        });
      });

      it('an unsubscribed client gets nothing any more, and its source is stopped', async (t) => {
        const emitter = new EventEmitter();
        let signal;
        const { join } = await serve(t, host, (instance) => {
          instance.defineSubscription('items', (socket, credentials, args, context) => {
            ({ signal } = context);
            return emitter;
          });
        });
        const one = await join();
        const { result } = await one.subscribe('items');
        emitter.emit('data', 1);
        await one.got(1);
        for (const none of [0, 2, -1, 1.5, '1', null, {}, undefined]) {
          assert.deepEqual(await one.unsubscribe(none), { result: false });
        }
        assert.deepEqual(await one.unsubscribe(result.subscription), { result: true });
        assert.equal(signal.aborted, true);
        assert.equal(emitter.listenerCount('data'), 0);
        assert.deepEqual(await one.unsubscribe(result.subscription), { result: false });
        emitter.emit('data', 2);
        await one.flush();
        assert.deepEqual(one.values, [1]);
        assert.deepEqual(one.ends, []);
        assert.equal(
          (await one.subscribe('items')).result.subscription,
          2,
          'numbers are not used again',
        );
      });

      it('a removed subscription ends its subscriptions at once, private and shared ones', async (t) => {
        const signals = [];
        const { join, instance } = await serve(t, host, (it) => {
          const handler = (socket, credentials, args, { signal }) => {
            signals.push(signal);
            return new EventEmitter();
          };
          it.defineSubscription('items', handler);
          it.defineSubscription('other', handler, { key: () => 'k' });
        });
        const one = await join();
        await one.subscribe('items');
        await one.subscribe('other');
        instance.removeSubscription('items');
        instance.removeSubscription('other');
        instance.removeSubscription('other');
        await one.ended(2);
        assert.deepEqual(one.ends, [
          { subscription: 1, reason: 'removed' },
          { subscription: 2, reason: 'removed' },
        ]);
        assert.deepEqual(
          signals.map(({ aborted: isAborted }) => isAborted),
          [true, true],
        );
        const { error } = await one.subscribe('items');
        assert.equal(error.code, 'ERR_LOOPBACK_SOCKET_SUBSCRIPTION_REMOVED');
        instance.defineSubscription('items', () => ['again']);
        await one.subscribe('items');
        assert.deepEqual(await one.got(1), ['again']);
        instance.defineMethod('other', () => 'a method now');
      });

      it('a client that comes back within the history misses nothing and gets nothing twice', async (t) => {
        const { join, instance } = await serve(t, host, (it) => {
          it.defineSubscription('items', undefined, { key: () => 'k', history: { size: 3 } });
        });
        const publish = (...items) =>
          items.forEach((item) => instance.publish('items', { key: 'k' }, item));
        const first = await join();
        await first.subscribe('items');
        publish(1, 2);
        await first.got(2);
        const last = first.items.at(-1)[2].id;
        first.client.disconnect();
        const second = await join();
        publish(3, 4);
        const order = [];
        second.client.on('items', (item) => order.push(item));
        const answer = await new Promise((resolve) => {
          second.client.emit('items', { after: last }, (given) => {
            order.push('answer');
            resolve(given);
          });
        });
        assert.equal(answer.result.resumed, true);
        publish(5);
        assert.deepEqual(await second.got(3), [3, 4, 5]);
        assert.deepEqual(order, ['answer', 3, 4, 5]);
        const third = await join();
        const { result } = await third.subscribe('items', null, last);
        assert.equal(result.resumed, true, 'three items are kept');
        assert.deepEqual(await third.got(3), [3, 4, 5]);
        publish(6);
        assert.equal((await third.subscribe('items', null, last)).result.resumed, false);
        await third.flush();
        assert.deepEqual(
          third.values,
          [3, 4, 5, 6],
          'what is not resumed begins with what is next',
        );
      });

      it('an id that is none of the source is not resumed', async (t) => {
        const { join, instance } = await serve(t, host, (it) => {
          it.defineSubscription('items', undefined, { key: () => 'k', history: { size: 3 } });
        });
        const one = await join();
        const { source } = (await one.subscribe('items')).result;
        instance.publish('items', { key: 'k' }, 1);
        for (const after of [
          `${source}-2`,
          `${source}--1`,
          `${source}-1.5`,
          `${source}-1e0`,
          `${source}-`,
          `${source}`,
          `${source}-99999999999999999999`,
          `x${source}-1`,
          'other-1',
          '',
          1,
          { source },
          null,
          true,
        ]) {
          const { result } = await one.subscribe('items', null, after);
          assert.equal(result.resumed, false, JSON.stringify(after));
        }
        assert.equal((await one.subscribe('items', null, `${source}-0`)).result.resumed, true);
        assert.equal((await one.subscribe('items', null, `${source}-1`)).result.resumed, true);
      });

      it('a source with history runs on for its ttl and no longer', async (t) => {
        let signal;
        const { join, instance } = await serve(t, host, (it) => {
          it.defineSubscription(
            'items',
            (socket, credentials, args, context) => {
              ({ signal } = context);
              return new EventEmitter();
            },
            { key: () => 'k', history: { size: 3, ttl: 400 } },
          );
        });
        const one = await join();
        const { result } = await one.subscribe('items');
        await one.unsubscribe(1);
        assert.equal(signal.aborted, false);
        assert.equal(instance.publish('items', { key: 'k' }, 'kept'), true);
        const again = await one.subscribe('items', null, `${result.source}-0`);
        assert.deepEqual(again.result, { subscription: 2, source: result.source, resumed: true });
        assert.deepEqual(await one.got(1), ['kept']);
        const left = Date.now();
        await one.unsubscribe(2);
        await aborted(signal);
        assert.ok(Date.now() - left >= 390);
        assert.equal(instance.publish('items', { key: 'k' }, 'lost'), false);
        const anew = await one.subscribe('items', null, `${result.source}-1`);
        assert.equal(anew.result.resumed, false);
        assert.notEqual(anew.result.source, result.source);
      });

      it('a private source resumes itself, with ids of its own', async (t) => {
        const { join } = await serve(t, host, (it) => {
          it.defineSubscription('items', (socket, credentials, args, { after }) => {
            const from = after ?? 0;
            const entries = [1, 2, 3]
              .filter((id) => id > from)
              .map((id) => LoopbackSocket.tracked(id, `entry ${id}`));
            // What nobody asked to continue is not resumed.
            return LoopbackSocket.resumed(entries);
          });
        });
        const one = await join();
        assert.equal((await one.subscribe('items')).result.resumed, false);
        await one.ended();
        assert.deepEqual(
          one.items.map(([, item, { id }]) => [item, id]),
          [
            ['entry 1', 1],
            ['entry 2', 2],
            ['entry 3', 3],
          ],
        );
        assert.equal((await one.subscribe('items', null, 2)).result.resumed, true);
        await one.ended(2);
        assert.deepEqual(one.values.slice(3), ['entry 3']);
        assert.throws(() => LoopbackSocket.tracked({}, 1), {
          code: 'ERR_LOOPBACK_SOCKET_INVALID_OPTION',
        });
      });

      it('a source that fails ends its subscriptions with the error, behind its items', async (t) => {
        const { join } = await serve(t, host, (it) => {
          async function* failing() {
            yield 1;
            yield 2;
            throw { code: 'BROKEN' };
          }
          it.defineSubscription('items', failing);
          it.defineSubscription('other', failing, { key: () => 'k' });
          it.defineSubscription('unsendable', () => [1, 2n], { key: () => 'k' });
          it.defineSubscription('rejects', () => Promise.reject({ code: 'LATE' }), {
            key: () => 'k',
          });
        });
        for (const name of ['items', 'other']) {
          const one = await join();
          await one.subscribe(name);
          assert.deepEqual(await one.ended(), {
            subscription: 1,
            reason: 'error',
            error: { code: 'BROKEN' },
          });
          assert.deepEqual(one.values, [1, 2]);
        }
        const two = await join({}, ['unsendable']);
        await two.subscribe('unsendable');
        const end = await two.ended();
        assert.equal(end.reason, 'error');
        assert.equal(end.error.code, 'ERR_LOOPBACK_SOCKET_UNSENDABLE_VALUE');
        assert.deepEqual(two.values, [1]);
        assert.ok(
          (await two.subscribe('rejects')).result,
          'a shared handler runs after the answer',
        );
        assert.deepEqual((await two.ended(2)).error, { code: 'LATE' });
        assert.equal(two.ends.length, 2);
      });

      it('a key may be promised; one that fails or is none answers with an error', async (t) => {
        const keys = {
          promised: async () => ({ key: 'k', args: 'a' }),
          throws() {
            throw { code: 'THROWN' };
          },
          rejects: () => Promise.reject({ code: 'REJECTED' }),
          number: () => 7,
          empty: () => ({ args: 1 }),
          nothing: () => null,
        };
        const { join } = await serve(t, host, (it) => {
          for (const [name, key] of Object.entries(keys)) {
            it.defineSubscription(name, (socket, credentials, args) => [args], { key });
          }
        });
        const one = await join({}, ['promised']);
        const codes = [];
        for (const name of Object.keys(keys).slice(1)) {
          codes.push((await one.subscribe(name)).error.code);
        }
        const invalid = 'ERR_LOOPBACK_SOCKET_INVALID_KEY';
        assert.deepEqual(codes, ['THROWN', 'REJECTED', invalid, invalid, invalid]);
        const { error } = await one.subscribe(Object.keys(keys).at(-1));
        assert.match(error.message, /^The option 'key' of the subscription/);
        await one.subscribe('promised');
        assert.deepEqual(await one.got(1), ['a']);
      });

      it('authorize decides before anything begins', async (t) => {
        let isStarted = false;
        const { join } = await serve(t, host, (it) => {
          const handler = () => {
            isStarted = true;
            return ['secret'];
          };
          it.defineSubscription('items', handler, {
            authorize: (socket, credentials, args) => {
              assert.equal(typeof socket.emit, 'function');
              if (args === 'throws') throw new Error('not you');
              return args === 'async' ? Promise.resolve(credentials.isAdmin) : credentials.isAdmin;
            },
          });
          it.defineSubscription('other', handler, { key: () => 'k', authorize: () => undefined });
        });
        const one = await join({ isAdmin: false });
        for (const args of ['sync', 'async', 'throws']) {
          assert.equal(
            (await one.subscribe('items', args)).error.code,
            'ERR_LOOPBACK_SOCKET_FORBIDDEN',
          );
        }
        assert.equal((await one.subscribe('other')).error.code, 'ERR_LOOPBACK_SOCKET_FORBIDDEN');
        assert.equal(isStarted, false);
        const two = await join({ isAdmin: true });
        await two.subscribe('items', 'async');
        assert.deepEqual(await two.got(1), ['secret']);
      });

      it('items wait while the socket authenticates again, and follow if it may still have them', async (t) => {
        const auth = deferred();
        const authorized = [];
        const { join, instance } = await serve(t, host, (it) => {
          it.defineSubscription('items', undefined, {
            authorize: (socket, credentials) => {
              authorized.push(credentials.n);
              return Promise.resolve(true);
            },
          });
        });
        const one = await join({ n: 1 });
        await one.subscribe('items');
        const started = deferred();
        instance.auth(() => {
          started.resolve();
          return auth.promise;
        });
        const order = [];
        one.client.on('authenticated', () => order.push('authenticated'));
        one.client.on('items', (item) => order.push(item));
        one.client.emit('authentication', { n: 2 });
        await started.promise;
        instance.publish('items', {}, 'waits');
        await one.flush();
        assert.deepEqual(one.values, []);
        auth.resolve(true);
        await one.got(1);
        assert.deepEqual(order, ['authenticated', 'waits']);
        assert.deepEqual(authorized, [1, 2]);
        assert.deepEqual(one.ends, []);
      });

      it('a refused attempt to authenticate again changes nothing for subscriptions', async (t) => {
        const { join, instance } = await serve(t, host, (it) => {
          it.defineSubscription('items', undefined, { authorize: () => true });
        });
        const one = await join();
        await one.subscribe('items');
        const refused = new Promise((resolve) => {
          one.client.on('unauthorized', resolve);
        });
        one.client.emit('authentication', { refused: true });
        await refused;
        instance.publish('items', {}, 'goes on');
        assert.deepEqual(await one.got(1), ['goes on']);
      });

      it('a subscription that new credentials do not allow is revoked, and gets nothing that waited', async (t) => {
        const auth = deferred();
        const { join, instance } = await serve(t, host, (it) => {
          it.defineSubscription('items', undefined, {
            authorize: (socket, credentials, args) => {
              if (credentials.throws) throw new Error('no');
              return credentials.may.includes(args);
            },
          });
        });
        const one = await join({ may: ['a', 'b'] });
        await one.subscribe('items', 'a');
        await one.subscribe('items', 'b');
        const started = deferred();
        instance.auth(() => {
          started.resolve();
          return auth.promise;
        });
        one.client.emit('authentication', { may: ['b'] });
        await started.promise;
        instance.publish('items', {}, 'waits');
        auth.resolve(true);
        await one.got(1);
        assert.deepEqual(await one.ended(), { subscription: 1, reason: 'revoked' });
        await one.flush();
        assert.deepEqual(one.values, ['waits'], 'once, for the one that is allowed');
        one.client.emit('authentication', { throws: true });
        assert.deepEqual(await one.ended(2), { subscription: 2, reason: 'revoked' });
        assert.equal(instance.publish('items', {}, 'nobody'), false);
      });

      it('a subscription that was allowed by credentials that are replaced is authorized again', async (t) => {
        const key = deferred();
        const asked = deferred();
        const { join, instance } = await serve(t, host, (it) => {
          it.defineSubscription('items', undefined, {
            authorize: (socket, { may }) => may,
            key: () => {
              asked.resolve();
              return key.promise;
            },
          });
        });
        const one = await join({ may: true });
        const answer = one.subscribe('items');
        await asked.promise;
        const again = new Promise((resolve) => {
          one.client.on('authenticated', resolve);
        });
        one.client.emit('authentication', { may: false });
        await again;
        key.resolve('k');
        assert.equal((await answer).error.code, 'ERR_LOOPBACK_SOCKET_FORBIDDEN');
        assert.equal(instance.publish('items', { key: 'k' }, 'nobody'), false);
      });

      it('authorizeItem leaves items out for one subscriber and keeps their order', async (t) => {
        const slow = deferred();
        const { join, instance } = await serve(t, host, (it) => {
          it.defineSubscription('items', undefined, {
            key: () => 'k',
            history: { size: 10 },
            authorizeItem: (socket, item) => {
              if (item === 'slow') return slow.promise;
              if (item === 'throws') throw new Error('boom');
              return item !== 'secret' || socket === instance.trusted;
            },
          });
        });
        const [first, second] = [await join(), await join()];
        instance.trusted = second.socket;
        const { source } = (await first.subscribe('items')).result;
        await second.subscribe('items');
        ['a', 'secret', 'throws', 'b'].forEach((item) =>
          instance.publish('items', { key: 'k' }, item),
        );
        assert.deepEqual(await first.got(2), ['a', 'b']);
        assert.deepEqual(await second.got(3), ['a', 'secret', 'b']);
        assert.equal(first.items[1][2].id, `${source}-4`);
        instance.publish('items', { key: 'k' }, 'slow');
        instance.publish('items', { key: 'k' }, 'c');
        await first.flush();
        assert.deepEqual(first.values, ['a', 'b']);
        slow.resolve(true);
        assert.deepEqual(await first.got(4), ['a', 'b', 'slow', 'c']);
        const third = await join();
        const { result } = await third.subscribe('items', null, `${source}-1`);
        assert.equal(result.resumed, true);
        assert.deepEqual(await third.got(3), ['b', 'slow', 'c']);
        for (let i = 0; i < 6; i++) instance.publish('items', { key: 'k' }, i);
        const late = await third.subscribe('items', null, `${source}-1`);
        assert.equal(late.result.resumed, false, 'ten items are kept');
      });

      it('an item that waits for a slow client is decided about for what the socket is when it is sent', async (t) => {
        const { join, instance } = await serve(t, host, (it) => {
          it.onConnected((socket, { user }) => {
            socket.user = user;
          });
          it.defineSubscription('items', undefined, {
            key: () => 'k',
            window: 2,
            authorizeItem: (socket, { owner }) => owner === 'all' || owner === socket.user,
          });
        });
        const one = await join({ user: 'a' });
        one.acknowledges = false;
        await one.subscribe('items');
        for (const owner of ['all', 'all', 'a', 'all']) {
          instance.publish('items', { key: 'k' }, { owner });
        }
        await one.got(2);
        await authenticate(one.client, { user: 'b' });
        one.acknowledge();
        await one.got(3);
        await one.flush();
        assert.deepEqual(
          one.values.map(({ owner }) => owner),
          ['all', 'all', 'all'],
        );
      });

      it('a client that never acknowledges items that are decided about ends as slow', async (t) => {
        const { join, instance } = await serve(t, host, (it) => {
          it.defineSubscription('items', undefined, {
            key: () => 'k',
            window: 2,
            ackTimeout: 100,
            authorizeItem: () => true,
          });
        });
        const one = await join();
        one.acknowledges = false;
        await one.subscribe('items');
        for (let i = 1; i <= 3; i++) instance.publish('items', { key: 'k' }, i);
        assert.deepEqual(await one.ended(), { subscription: 1, reason: 'slow' });
        assert.deepEqual(one.values, [1, 2]);
        assert.equal(instance.publish('items', { key: 'k' }, 4), false, 'the source has ended');
      });

      it('a source with history and authorizeItem runs on for its ttl and no longer', async (t) => {
        let signal;
        const { join, instance } = await serve(t, host, (it) => {
          it.defineSubscription(
            'items',
            (socket, credentials, args, context) => {
              ({ signal } = context);
              return new EventEmitter();
            },
            {
              key: () => 'k',
              history: { size: 3, ttl: 400 },
              authorizeItem: (socket, i) => i !== 2,
            },
          );
        });
        const one = await join();
        const { source } = (await one.subscribe('items')).result;
        await one.unsubscribe(1);
        [1, 2, 3].forEach((i) => assert.equal(instance.publish('items', { key: 'k' }, i), true));
        const again = await one.subscribe('items', null, `${source}-0`);
        assert.deepEqual(again.result, { subscription: 2, source, resumed: true });
        assert.deepEqual(await one.got(2), [1, 3]);
        const left = Date.now();
        await one.unsubscribe(2);
        await aborted(signal);
        assert.ok(Date.now() - left >= 390);
        assert.equal(instance.publish('items', { key: 'k' }, 'lost'), false);
      });

      it('a client that never acknowledges gets the window, and ends as slow once', async (t) => {
        const { join, instance } = await serve(t, host, (it) => {
          it.defineSubscription('items', undefined, { window: 4, ackTimeout: 1000 });
        });
        const [slow, fast] = [await join(), await join()];
        slow.acknowledges = false;
        await slow.subscribe('items');
        await fast.subscribe('items');
        for (let i = 1; i <= 10; i++) {
          instance.publish('items', {}, i);
          await fast.got(i);
        }
        assert.deepEqual(fast.values, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert.deepEqual(await slow.ended(), { subscription: 1, reason: 'slow' });
        instance.publish('items', {}, 11);
        await fast.got(11);
        await slow.flush();
        assert.deepEqual(slow.values, [1, 2, 3, 4]);
        assert.equal(slow.ends.length, 1);
      });

      it('more than maxQueuedBytes ends one subscriber as slow, or leaves it the newest item', async (t) => {
        const { join, instance } = await serve(t, host, (it) => {
          it.defineSubscription('items', undefined, { window: 2, maxQueuedBytes: 1000 });
          it.defineSubscription('other', undefined, {
            window: 2,
            maxQueuedBytes: 1000,
            overflow: 'latest',
          });
        });
        const one = await join();
        one.acknowledges = false;
        await one.subscribe('items');
        await one.subscribe('other');
        const big = 'x'.repeat(400);
        for (let i = 1; i <= 8; i++) {
          instance.publish('items', {}, { i, big });
          instance.publish('other', {}, { i, big });
        }
        assert.deepEqual(await one.ended(), { subscription: 1, reason: 'slow' });
        one.acknowledge();
        await one.until(() => one.items.at(-1)[1].i === 8);
        const of = (name) => one.items.filter(([it]) => it === name).map(([, { i }]) => i);
        assert.deepEqual(of('items'), [1, 2]);
        const latest = of('other');
        assert.deepEqual(latest.slice(0, 2), [1, 2]);
        assert.ok(latest.length < 8, `some are left out of ${latest}`);
        assert.deepEqual(
          latest,
          [...latest].sort((a, b) => a - b),
        );
        assert.equal(one.ends.length, 1);
      });

      it('the end of a socket aborts the signals of all that it has and prepares', async (t) => {
        const signals = [];
        const pending = deferred();
        let returned = 0;
        const { join } = await serve(t, host, (it) => {
          it.defineSubscription('items', (socket, credentials, args, { signal }) => {
            signals.push(signal);
            return args === 'pending' ? pending.promise : new EventEmitter();
          });
        });
        const one = await join();
        await one.subscribe('items');
        one.client.emit('items', { args: 'pending' }, () => assert.fail('it is gone'));
        await one.flush();
        await reach(async () => {
          await one.flush();
          return signals.length === 2;
        });
        one.client.disconnect();
        await Promise.all(signals.map(aborted));
        pending.resolve({
          [Symbol.asyncIterator]: () => ({
            next: async () => assert.fail('nobody needs it'),
            return: async () => {
              returned += 1;
              return { done: true };
            },
          }),
        });
        for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
        assert.equal(returned, 1, 'what comes too late is released');
      });

      it('a client that leaves while its key is looked for leaves nothing behind', async (t) => {
        const key = deferred();
        const asked = deferred();
        const { join, instance } = await serve(t, host, (it) => {
          it.defineSubscription('items', () => assert.fail('nobody needs it'), {
            key: () => {
              asked.resolve();
              return key.promise;
            },
          });
        });
        const one = await join();
        const gone = new Promise((resolve) => {
          one.socket.on('disconnect', resolve);
        });
        one.client.emit('items', {}, () => assert.fail('it is gone'));
        await asked.promise;
        one.client.disconnect();
        await gone;
        key.resolve('k');
        await new Promise((resolve) => setImmediate(resolve));
        assert.equal(instance.publish('items', { key: 'k' }, 1), false);
      });

      it('a socket has at most maxSubscriptions, those that are prepared included', async (t) => {
        const pending = deferred();
        const { join } = await serve(
          t,
          host,
          (it) => {
            it.defineSubscription('items', (socket, credentials, args) =>
              args === 'pending' ? pending.promise : new EventEmitter(),
            );
          },
          { maxSubscriptions: 2 },
        );
        const one = await join();
        await one.subscribe('items');
        const second = one.subscribe('items', 'pending');
        const { error } = await one.subscribe('items');
        assert.equal(error.code, 'ERR_LOOPBACK_SOCKET_TOO_MANY_SUBSCRIPTIONS');
        assert.equal(typeof error.message, 'string');
        pending.reject({ code: 'NO' });
        assert.deepEqual(await second, { error: { code: 'NO' } });
        assert.equal((await one.subscribe('items')).result.subscription, 2);
      });

      it('an instance runs at most maxSources shared sources', async (t) => {
        const { join } = await serve(t, host, (it) => {
          it.defineSubscription('items', undefined, { key: String, maxSources: 2 });
        });
        const one = await join();
        await one.subscribe('items', 'a');
        await one.subscribe('items', 'b');
        await one.subscribe('items', 'b');
        const { error } = await one.subscribe('items', 'c');
        assert.equal(error.code, 'ERR_LOOPBACK_SOCKET_TOO_MANY_SOURCES');
        await one.unsubscribe(1);
        assert.ok((await one.subscribe('items', 'c')).result);
      });

      it('a subscription is a listener of the socket like a method', async (t) => {
        const { join, instance } = await serve(t, host, (it) => {
          it.defineSubscription('items', () => ['x']);
        });
        const one = await join();
        const { socket } = one;
        assert.ok(socket.eventNames().includes('items'));
        assert.ok(socket.eventNames().includes('loopback:unsubscribe'));
        assert.equal(socket.listenerCount('items'), 1);
        const [listener] = socket.listeners('items');
        const answer = await new Promise((resolve) => {
          listener({ args: 1 }, resolve);
        });
        assert.equal(answer.result.subscription, 1);
        assert.deepEqual(await one.got(1), ['x']);
        socket.removeAllListeners('items');
        assert.equal(socket.listenerCount('items'), 0);
        one.client.emit('items', {}, () => assert.fail('it is removed'));
        await one.unsubscribe(1);
        assert.ok(instance);
      });

      it('a listener or a method of the application wins over loopback:unsubscribe', async (t) => {
        const { join, instance } = await serve(t, host, (it) => {
          it.defineSubscription('items');
        });
        const one = await join();
        await one.subscribe('items');
        one.socket.on('loopback:unsubscribe', (number, ack) => ack({ mine: number }));
        assert.deepEqual(await one.unsubscribe(1), { mine: 1 });
        assert.equal(instance.publish('items', {}, 1), true);
        instance.defineMethod('loopback:unsubscribe', () => 'a method');
        const two = await join();
        assert.deepEqual(await two.unsubscribe(1), { result: 'a method' });
      });

      it('an instance without subscriptions has no control event', async (t) => {
        const { join } = await serve(t, host, (it) => it.defineMethod('m', () => 1));
        const one = await join();
        assert.equal(one.socket.listenerCount('loopback:unsubscribe'), 0);
      });
    },
  );
}

describe('defineSubscription', () => {
  const instance = new LoopbackSocket('definitions');

  it('a method and a subscription cannot have one name', () => {
    instance.defineMethod('taken', () => {});
    assert.throws(() => instance.defineSubscription('taken'), {
      code: 'ERR_LOOPBACK_SOCKET_NAME_IN_USE',
    });
    instance.defineSubscription('sub');
    assert.throws(() => instance.defineMethod('sub', () => {}), {
      code: 'ERR_LOOPBACK_SOCKET_NAME_IN_USE',
    });
    instance.removeSubscription('sub');
    instance.defineMethod('sub', () => {});
  });

  it('an event by which the socket itself says something cannot be the name of a subscription', () => {
    for (const name of [
      'connect',
      'disconnect',
      'newListener',
      'authenticated',
      'loopback:unsubscribed',
      // Socket.IO 2 would emit the items to the listener of the subscription itself.
      'error',
    ]) {
      assert.throws(() => instance.defineSubscription(name), {
        code: 'ERR_LOOPBACK_SOCKET_RESERVED_EVENT',
      });
    }
  });

  it('the error for a subscription named error says that socket.io 2 does not send it', () => {
    assert.throws(() => instance.defineSubscription('error'), {
      message:
        '"error" is a reserved event name: a server of npm socket.io 2 does not send it to clients. ' +
        'Use another name.',
    });
    assert.throws(() => instance.defineSubscription('connect'), {
      message: /the socket itself emits it/,
    });
  });

  it('items that an emitter gives its own listeners are no requests to subscribe', async () => {
    let requests = 0;
    instance.defineSubscription('items', () => {
      requests += 1;
      // Ends, so that what is wrong fails instead of running for ever.
      return requests > 10 ? [] : [1, 2];
    });
    const io = new EventEmitter();
    instance.start(io);
    const socket = new EventEmitter();
    const items = [];
    socket.on('items', (item, meta) => typeof meta === 'object' && items.push(item));
    io.emit('connection', socket);
    await authenticate(socket);
    const ended = once(socket, 'loopback:unsubscribed');
    const { result } = await call(socket, 'items', { args: 1 });
    await ended;
    assert.equal(result.subscription, 1);
    assert.deepEqual(items, [1, 2]);
    assert.equal(requests, 1);
  });

  it('a subscription needs a name', () => {
    for (const name of [undefined, null, () => {}, {}]) {
      assert.throws(() => instance.defineSubscription(name), {
        code: 'ERR_LOOPBACK_SOCKET_INVALID_OPTION',
      });
    }
  });

  it('publish needs a key exactly if the subscription was defined with one', () => {
    instance.defineSubscription('keyed', { key: String });
    instance.defineSubscription('keyless');
    for (const [name, source] of [
      ['keyed', {}],
      ['keyed', undefined],
      ['keyed', '7'],
      ['keyless', { key: '7' }],
    ]) {
      assert.throws(() => instance.publish(name, source, 1), {
        code: 'ERR_LOOPBACK_SOCKET_INVALID_OPTION',
      });
    }
    assert.equal(instance.publish('keyed', { key: '' }, 1), false);
    assert.equal(instance.publish('keyless', {}, 1), false);
  });

  it('unknown or impossible options, and handlers that are none, throw at once', () => {
    const handler = () => [];
    const key = () => 'k';
    const wrong = [
      { key: 'k' },
      { authorize: true },
      { authorizeItem: 1 },
      { key, history: 5 },
      { key, history: { size: 0 } },
      { key, history: { size: 1.5 } },
      { key, history: { ttl: -1 } },
      { key, history: { ttl: 2 ** 31 } },
      { window: 0 },
      { window: 1.5 },
      { window: Infinity },
      { maxQueuedBytes: -1 },
      { overflow: 'drop' },
      { ackTimeout: 0 },
      { ackTimeout: Infinity },
      { maxSources: 0 },
      { validate: {} },
      { history: { size: 5 } },
      { authorizeItem: () => true },
      [],
      7,
      null,
    ];
    for (const options of wrong) {
      assert.throws(
        () => instance.defineSubscription('x', handler, options),
        { code: 'ERR_LOOPBACK_SOCKET_INVALID_OPTION' },
        JSON.stringify(options),
      );
    }
    for (const options of [{ keys: key }, { key, history: { length: 5 } }]) {
      assert.throws(() => instance.defineSubscription('x', handler, options), {
        code: 'ERR_LOOPBACK_SOCKET_UNKNOWN_OPTION',
      });
    }
    for (const none of [7, 'watch', [], true]) {
      assert.throws(() => instance.defineSubscription('x', none, {}), {
        code: 'ERR_LOOPBACK_SOCKET_INVALID_HANDLER',
      });
    }
    assert.throws(() => instance.defineSubscription('x', { model: undefined, method: 'watch' }), {
      code: 'ERR_LOOPBACK_SOCKET_INVALID_HANDLER',
    });
    assert.equal(instance.publish.length, 3);
    assert.throws(() => instance.publish('x', {}, 1), {
      code: 'ERR_LOOPBACK_SOCKET_NO_SHARED_SOURCE',
    });
  });

  it('a subscription without a handler may have options as the second argument', () => {
    instance.defineSubscription('fed', { key: () => 'k' });
    assert.equal(instance.publish('fed', { key: 'k' }, 1), false);
    instance.defineSubscription('fed', { model: {}, method: 'watch' });
    assert.throws(() => instance.publish('fed', { key: 'k' }, 1), {
      code: 'ERR_LOOPBACK_SOCKET_NO_SHARED_SOURCE',
    });
  });
});
