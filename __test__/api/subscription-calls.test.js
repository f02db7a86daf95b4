'use strict';

// Requests to subscribe as calls: options, interceptors, listeners of errors, cancelling, and revoke(), on every kind
// of server.

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const { z } = require('zod');
const { HOSTS, call, next } = require('../support/js-hosts');
const { aborted, deferred, serve } = require('../support/subscribers');

const FORBIDDEN = 'ERR_LOOPBACK_SOCKET_FORBIDDEN';

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
        instance.defineMethod('m', () => 1, {});
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
