'use strict';

// Requests to subscribe as calls: options, interceptors, listeners of errors, cancelling, and revoke(), on every kind
// of server.

const assert = require('node:assert/strict');
const { AsyncLocalStorage } = require('node:async_hooks');
const { describe, it } = require('node:test');
const v8 = require('node:v8');
const vm = require('node:vm');
const { z } = require('zod');
const { HOSTS, call, next } = require('../support/js-hosts');
const { WAITS, aborted, deferred, requestThatWaits, serve } = require('../support/subscribers');
const { reach } = require('../support/waiting');

v8.setFlagsFromString('--expose-gc');
const collectGarbage = vm.runInNewContext('gc');

const FORBIDDEN = 'ERR_LOOPBACK_SOCKET_FORBIDDEN';

/** What a request may wait for, as titles of tests have it. */
const UNTIL = {
  authentication: 'until its socket has authenticated again',
  authorize: 'for authorize with other credentials',
};

for (const host of HOSTS) {
  describe(`requests to subscribe on ${host}`, () => {
    it(`interceptors run around a request to subscribe, and see its arguments, on ${host}`, async (t) => {
      const calls = [];
      const { join } = await serve(t, host, (instance) => {
        instance.defineSubscription('items', (socket, credentials, args) => [args], {
          validate: z.object({ n: z.number() }),
        });
        instance.use(async (intercepted, proceed) => {
          calls.push([intercepted.kind, intercepted.name, intercepted.args]);
          intercepted.args = { n: intercepted.args.n + 1 };
          await proceed();
          return 'ignored';
        });
      });
      const one = await join();
      const { result } = await one.subscribe('items', { n: 1, more: true });
      assert.equal(typeof result.subscription, 'number');
      assert.deepEqual(await one.got(1), [{ n: 2 }]);
      assert.deepEqual(calls, [['subscription', 'items', { n: 1 }]]);
      const { error } = await one.subscribe('items', { n: 'one' });
      assert.equal(error.code, 'ERR_LOOPBACK_SOCKET_INVALID_ARGUMENTS');
      assert.equal(calls.length, 1);
    });

    it(`an interceptor refuses a request to subscribe by throwing, or by not calling next(), on ${host}`, async (t) => {
      let runs = 0;
      const stopped = deferred();
      const { join } = await serve(t, host, (instance) => {
        instance.defineSubscription('items', (socket, credentials, args, { signal }) => {
          runs += 1;
          aborted(signal).then(stopped.resolve);
          return [1];
        });
        instance.use(async (intercepted, proceed) => {
          if (intercepted.args === 'before') throw 'before';
          if (intercepted.args === 'never') return 'never';
          const result = await proceed();
          if (intercepted.args === 'after') throw 'after';
          return result;
        });
      });
      const one = await join();
      assert.deepEqual(await one.subscribe('items', 'before'), { error: 'before' });
      assert.equal((await one.subscribe('items', 'never')).error.code, FORBIDDEN);
      assert.equal(runs, 0);
      assert.deepEqual(await one.subscribe('items', 'after'), { error: 'after' });
      assert.equal(runs, 1);
      await stopped.promise;
      await one.flush();
      assert.deepEqual(one.items, []);
      await one.subscribe('items', 'neither');
      assert.deepEqual(await one.got(1), [1]);
    });

    it(`an interceptor that does not wait for next() subscribes all the same, on ${host}`, async (t) => {
      const { join } = await serve(t, host, (instance) => {
        instance.defineSubscription('items', async () => [1]);
        instance.use((intercepted, proceed) => {
          proceed();
        });
      });
      const one = await join();
      assert.equal(typeof (await one.subscribe('items')).result.subscription, 'number');
      assert.deepEqual(await one.got(1), [1]);
    });

    it(`a request to subscribe is cancelled before its handler has given a source, on ${host}`, async (t) => {
      const begun = deferred();
      const stopped = deferred();
      const { join } = await serve(t, host, (instance) => {
        instance.defineSubscription('items', async (socket, credentials, args, { signal }) => {
          begun.resolve();
          await aborted(signal);
          stopped.resolve();
          return [1];
        });
      });
      const one = await join();
      const answer = call(one.client, 'items', {}, { call: 7 });
      await begun.promise;
      assert.deepEqual(await call(one.client, 'loopback:cancel', 7), { result: true });
      assert.equal((await answer).error.code, 'ERR_LOOPBACK_SOCKET_CANCELLED');
      await stopped.promise;
      await one.flush();
      assert.deepEqual([one.items, one.ends], [[], []]);
    });

    for (const wait of WAITS) {
      it(`a request to subscribe that waits ${UNTIL[wait]} can be cancelled, on ${host}`, async (t) => {
        const { instance, one, answer, accept } = await requestThatWaits(t, host, wait);
        assert.deepEqual(await call(one.client, 'loopback:cancel', 'request'), { result: true });
        assert.equal((await answer).error.code, 'ERR_LOOPBACK_SOCKET_CANCELLED');
        assert.deepEqual(await call(one.client, 'loopback:cancel', 'request'), { result: false });
        accept();
        await one.flush();
        assert.equal(instance.publish('items', {}, 'nobody'), false);
        await one.flush();
        assert.deepEqual([one.items, one.ends], [[], []]);
      });

      it(`a request to subscribe that waits ${UNTIL[wait]} is aborted when the socket ends, on ${host}`, async (t) => {
        let signal;
        const { instance, one, accept } = await requestThatWaits(t, host, wait, {
          define: (it) =>
            it.use((intercepted, proceed) => {
              if (intercepted.name === 'items') ({ signal } = intercepted);
              return proceed();
            }),
        });
        const ended = next(one.socket, 'disconnect');
        one.client.disconnect();
        await ended;
        assert.equal(signal.reason?.code, 'ERR_LOOPBACK_SOCKET_DISCONNECTED');
        accept();
        await new Promise((resolve) => setImmediate(resolve));
        assert.equal(instance.publish('items', {}, 'nobody'), false);
      });
    }

    it(`a request to subscribe goes on in its own asynchronous context when its socket has authenticated again, on ${host}`, async (t) => {
      const storage = new AsyncLocalStorage();
      t.after(() => storage.disable());
      const stores = [];
      const { one, answer, accept } = await requestThatWaits(t, host, 'authentication', {
        authorizes: () => {
          stores.push(storage.getStore());
          storage.enterWith('request');
        },
      });
      accept();
      assert.equal(typeof (await answer).result.subscription, 'number');
      assert.deepEqual(stores, [undefined, 'request']);
      await one.flush();
    });

    it(`requests to subscribe that are cancelled while their socket authenticates again are not kept, on ${host}`, async (t) => {
      const kept = [];
      const isAttempted = deferred();
      const { instance, join } = await serve(t, host, (it) => {
        it.defineMethod('any', () => {}, {});
        it.defineSubscription('other');
        it.defineSubscription('items', undefined, {
          authorize: (socket, credentials, args) => kept.push(new WeakRef(args)),
        });
      });
      const one = await join();
      await one.subscribe('other');
      instance.auth(() => {
        isAttempted.resolve();
        return new Promise(() => {});
      });
      one.client.emit('authentication', {});
      await isAttempted.promise;
      for (let id = 0; id < 3; id++) {
        const answer = call(one.client, 'items', { args: {} }, { call: id });
        assert.deepEqual(await call(one.client, 'loopback:cancel', id), { result: true });
        await answer;
      }
      // What was received last may be kept until something else is.
      await call(one.client, 'any');
      assert.equal(kept.length, 3);
      await reach(async () => {
        collectGarbage();
        await new Promise((resolve) => setImmediate(resolve));
        return kept.every((ref) => ref.deref() === undefined);
      });
    });

    it(`onError() is told what a subscription fails with, and not of its refusals, on ${host}`, async (t) => {
      const errors = [];
      const { join } = await serve(t, host, (instance) => {
        instance.onError((error, { name, kind }) => errors.push([error, name, kind]));
        instance.defineSubscription('items', (socket, credentials, args) => {
          if (args === 'handler') throw 'handler';
          return (function* failing() {
            yield 1;
            throw 'source';
          })();
        });
        instance.defineSubscription('other', () => [], { authorize: () => false });
        instance.defineSubscription('throwing', () => [], {
          authorize: () => {
            throw 'authorize';
          },
        });
      });
      const one = await join();
      assert.deepEqual(await one.subscribe('items', 'handler'), { error: 'handler' });
      await one.subscribe('items', 'source');
      assert.equal((await one.ended()).error, 'source');
      assert.equal((await one.subscribe('other')).error.code, FORBIDDEN);
      assert.equal((await one.subscribe('throwing')).error.code, FORBIDDEN);
      assert.deepEqual(errors, [
        ['handler', 'items', 'subscription'],
        ['source', 'items', 'subscription'],
        ['authorize', 'throwing', 'authorize'],
      ]);
    });

    it(`revoke() ends subscriptions as revoked before it disconnects, on ${host}`, async (t) => {
      const stopped = deferred();
      const { instance, join } = await serve(t, host, (it) => {
        it.defineSubscription(
          'items',
          async function* items(socket, credentials, args, { signal }) {
            yield 1;
            await aborted(signal);
            stopped.resolve();
          },
        );
      });
      const one = await join({ user: 1 });
      const other = await join({ user: 2 });
      const { result } = await one.subscribe('items');
      await one.got(1);
      const ended = Promise.all([
        one.ended(),
        next(one.client, 'unauthorized'),
        next(one.client, 'disconnect'),
      ]);
      assert.equal(
        instance.revoke((socket, { user }) => user === 1),
        1,
      );
      const [end, { code }] = await ended;
      assert.deepEqual(end, { subscription: result.subscription, reason: 'revoked' });
      assert.equal(code, 'ERR_LOOPBACK_SOCKET_REVOKED');
      await stopped.promise;
      await other.flush();
    });
  });
}
