'use strict';

// How subscriptions begin and end where something else happens meanwhile, on every kind of server.

const assert = require('node:assert/strict');
const { EventEmitter, on } = require('node:events');
const http = require('node:http');
const { ReadableStream } = require('node:stream/web');
const { describe, it } = require('node:test');
const LoopbackSocket = require('../..');
const {
  FakeServer,
  HOSTS,
  authenticate,
  call,
  newInstance,
  next,
  openServer,
  socketOf,
} = require('../support/js-hosts');
const { aborted, deferred, serve } = require('../support/subscribers');

for (const host of HOSTS) {
  describe(
    `on ${host === 'native' ? 'the native server' : `a socket.io ${host} server`}`,
    { timeout: 60_000 },
    () => {
      it('an interceptor that fails behind next() lets go of what was prepared', async (t) => {
        const signals = [];
        const { join, instance } = await serve(t, host, (it) => {
          it.defineSubscription('items', undefined, { key: String, maxSources: 1 });
          it.defineSubscription('other', (socket, credentials, args, { signal }) => {
            signals.push(signal);
            return new EventEmitter();
          });
          it.use(async (request, nextOne) => {
            await nextOne();
            if (request.kind === 'subscription') throw { code: 'NO' };
          });
        });
        const one = await join();
        assert.deepEqual(await one.subscribe('items', 'a'), { error: { code: 'NO' } });
        assert.deepEqual(await one.subscribe('items', 'b'), { error: { code: 'NO' } });
        assert.deepEqual(await one.subscribe('other'), { error: { code: 'NO' } });
        await aborted(signals[0]);
        assert.equal(instance.publish('items', { key: 'b' }, 1), false);
        assert.deepEqual(await one.unsubscribe(1), { result: false });
      });

      it('a socket that ends while an interceptor runs lets go of what was prepared at once', async (t) => {
        const signals = [];
        const prepared = deferred();
        const { join } = await serve(t, host, (it) => {
          it.defineSubscription('items', (socket, credentials, args, { signal }) => {
            signals.push(signal);
            return new EventEmitter();
          });
          it.use(async (request, nextOne) => {
            await nextOne();
            prepared.resolve();
            await new Promise(() => {});
          });
        });
        const one = await join();
        one.client.emit('items', {}, () => assert.fail('it is gone'));
        await prepared.promise;
        one.client.disconnect();
        await aborted(signals[0]);
      });

      it('a subscription may be removed when the signal of another one is aborted', async (t) => {
        const removed = deferred();
        const { join, instance } = await serve(t, host, (it) => {
          it.defineSubscription('items', (socket, credentials, args, { signal }) => {
            signal.addEventListener('abort', () => {
              it.removeSubscription('other');
              removed.resolve();
            });
            return new EventEmitter();
          });
          it.defineSubscription('other', undefined, { key: () => 'k' });
        });
        const [one, two] = [await join(), await join()];
        await two.subscribe('other');
        await one.subscribe('items');
        await one.subscribe('other');
        one.client.disconnect();
        await removed.promise;
        assert.deepEqual(await two.ended(), { subscription: 1, reason: 'removed' });
        instance.defineSubscription('other');
        await two.subscribe('other');
        assert.equal(instance.publish('other', {}, 1), true);
        assert.deepEqual(await two.got(1), [1]);
      });

      it('no item is sent before the answer, however long an interceptor takes', async (t) => {
        const gate = deferred();
        const prepared = deferred();
        const { join, instance } = await serve(t, host, (it) => {
          it.defineSubscription('items', undefined, { key: () => 'k' });
          it.use(async (request, nextOne) => {
            await nextOne();
            if (request.socket === it.slow) {
              prepared.resolve();
              await gate.promise;
            }
          });
        });
        const [first, second] = [await join(), await join()];
        instance.slow = second.socket;
        await first.subscribe('items');
        const order = [];
        second.client.on('items', (item) => order.push(item));
        const answered = deferred();
        second.client.emit('items', {}, () => answered.resolve(order.push('answer')));
        await prepared.promise;
        instance.publish('items', { key: 'k' }, 'before');
        gate.resolve();
        await first.got(1);
        await answered.promise;
        instance.publish('items', { key: 'k' }, 'after');
        await second.got(1);
        assert.deepEqual(order, ['answer', 'after']);
      });

      it('a subscription whose source ends while it is prepared gets a new source', async (t) => {
        const gate = deferred();
        const prepared = deferred();
        const emitters = [];
        const { join, instance } = await serve(t, host, (it) => {
          it.defineSubscription(
            'items',
            () => {
              emitters.push(new EventEmitter());
              return emitters.at(-1);
            },
            { key: () => 'k' },
          );
          it.use(async (request, nextOne) => {
            await nextOne();
            if (request.socket === it.slow) {
              prepared.resolve();
              await gate.promise;
            }
          });
        });
        const [first, second] = [await join(), await join()];
        instance.slow = second.socket;
        const { source } = (await first.subscribe('items')).result;
        const answer = second.subscribe('items');
        await prepared.promise;
        emitters[0].emit('end');
        assert.equal((await first.ended()).reason, 'end');
        gate.resolve();
        const { result } = await answer;
        assert.notEqual(result.source, source);
        emitters[1].emit('data', 'new');
        assert.deepEqual(await second.got(1), ['new']);
      });

      it('a subscription that is removed while it is prepared is refused', async (t) => {
        const key = deferred();
        const asked = deferred();
        const { join, instance } = await serve(t, host, (it) => {
          it.defineSubscription('items', () => assert.fail('it is removed'), {
            key: () => {
              asked.resolve();
              return key.promise;
            },
          });
        });
        const one = await join();
        const answer = one.subscribe('items');
        await asked.promise;
        instance.removeSubscription('items');
        key.resolve('k');
        assert.equal((await answer).error.code, 'ERR_LOOPBACK_SOCKET_SUBSCRIPTION_REMOVED');
      });

      it('a subscription can be cancelled before it begins', async (t) => {
        const signals = [];
        const started = deferred();
        const { join } = await serve(t, host, (it) => {
          it.defineMethod('m', () => 1, { concurrency: 1 });
          it.defineSubscription('items', (socket, credentials, args, { signal }) => {
            signals.push(signal);
            started.resolve();
            return new Promise(() => {});
          });
        });
        const one = await join();
        const answer = call(one.client, 'items', { args: 1 }, { call: 'x' });
        await started.promise;
        assert.deepEqual(await call(one.client, 'loopback:cancel', 'x'), { result: true });
        assert.equal((await answer).error.code, 'ERR_LOOPBACK_SOCKET_CANCELLED');
        await aborted(signals[0]);
      });

      it('items wait until the last of several attempts to authenticate again is decided', async (t) => {
        const attempts = [];
        const { join, instance } = await serve(t, host, (it) => {
          it.defineSubscription('items', undefined, { authorize: () => true });
        });
        const one = await join();
        await one.subscribe('items');
        const begun = [deferred(), deferred()];
        instance.auth(() => {
          const attempt = deferred();
          begun[attempts.length].resolve();
          attempts.push(attempt);
          return attempt.promise;
        });
        one.client.emit('authentication', { n: 1 });
        one.client.emit('authentication', { n: 2 });
        await begun[1].promise;
        instance.publish('items', {}, 'waits');
        attempts[1].resolve(true);
        await next(one.client, 'authenticated');
        await one.flush();
        assert.deepEqual(one.values, []);
        attempts[0].reject(new Error('no'));
        assert.deepEqual(await one.got(1), ['waits']);
      });

      it('a subscription asked for while the socket authenticates again begins when it is decided', async (t) => {
        const auth = deferred();
        const begun = deferred();
        const { join, instance } = await serve(t, host, (it) => {
          it.defineSubscription('other');
          it.defineSubscription('items', undefined, {
            key: () => 'k',
            history: { size: 5 },
            authorize: (socket, { n }) => n !== 2,
          });
        });
        const one = await join({ n: 1 });
        const { source } = (await one.subscribe('items')).result;
        instance.publish('items', { key: 'k' }, 'kept');
        await one.got(1);
        await one.unsubscribe(1);
        await one.subscribe('other');
        instance.auth(() => {
          begun.resolve();
          return auth.promise;
        });
        one.client.emit('authentication', { n: 2 });
        await begun.promise;
        const answer = one.subscribe('items', null, `${source}-0`);
        await one.flush();
        assert.deepEqual(one.values, ['kept'], 'nothing of the history is sent meanwhile');
        auth.resolve(true);
        assert.equal((await answer).error.code, 'ERR_LOOPBACK_SOCKET_FORBIDDEN');
        assert.deepEqual(one.values, ['kept']);
      });

      it('a subscription that is being prepared is authorized again, if with the same credentials', async (t) => {
        const [asked, key] = [deferred(), deferred()];
        let isAllowed = true;
        const { join } = await serve(t, host, (it) => {
          it.defineSubscription('items', undefined, {
            key: () => {
              asked.resolve();
              return key.promise;
            },
            authorize: () => isAllowed,
          });
        });
        const one = await join('token');
        const answer = one.subscribe('items');
        await asked.promise;
        isAllowed = false;
        one.client.emit('authentication', 'token');
        await next(one.client, 'authenticated');
        key.resolve('k');
        assert.equal((await answer).error.code, 'ERR_LOOPBACK_SOCKET_FORBIDDEN');
      });

      it('more than may wait while a socket authenticates again ends its subscription as slow', async (t) => {
        const begun = deferred();
        const { join, instance } = await serve(t, host, (it) => {
          it.defineSubscription('items', undefined, { maxQueuedBytes: 1000 });
        });
        const one = await join();
        await one.subscribe('items');
        instance.auth(() => {
          begun.resolve();
          return new Promise(() => {});
        });
        one.client.emit('authentication', {});
        await begun.promise;
        for (let i = 0; i < 5; i++) instance.publish('items', {}, 'x'.repeat(400));
        assert.deepEqual(await one.ended(), { subscription: 1, reason: 'slow' });
        assert.deepEqual(one.values, []);
      });

      it('two LoopbackSockets on a socket have their own subscriptions, with numbers of one row', async (t) => {
        const { io, connect } = await openServer(t, host);
        const instances = [newInstance(), newInstance()];
        instances.forEach((instance, i) => {
          instance.defineSubscription(`items ${i}`);
          instance.start(io);
        });
        const client = connect();
        await socketOf(io, client);
        let count = 0;
        const both = new Promise((resolve) => {
          client.on('authenticated', () => ++count === 2 && resolve());
        });
        client.emit('authentication', {});
        await both;
        const items = [];
        client.on('items 0', (item) => items.push(item));
        client.on('items 1', (item) => items.push(item));
        assert.equal((await call(client, 'items 0', {})).result.subscription, 1);
        assert.equal((await call(client, 'items 1', {})).result.subscription, 2);
        assert.deepEqual(await call(client, 'loopback:unsubscribe', 2), { result: true });
        assert.equal(instances[0].publish('items 0', {}, 'first'), true);
        assert.equal(instances[1].publish('items 1', {}, 'second'), false);
        assert.deepEqual(await call(client, 'loopback:unsubscribe', 1), { result: true });
        assert.deepEqual(items, ['first']);
      });

      it('one source serves several servers and namespaces', async (t) => {
        const servers = [await openServer(t, host), await openServer(t, 'native')];
        const instance = newInstance();
        let runs = 0;
        const bus = new EventEmitter();
        instance.defineSubscription(
          'items',
          () => {
            runs += 1;
            return bus;
          },
          { key: () => 'k' },
        );
        instance.start(servers[0].io);
        instance.start(servers[0].io.of('/other'));
        instance.start(servers[1].io);
        const places = [
          [servers[0], '/'],
          [servers[0], '/other'],
          [servers[1], '/'],
        ];
        const items = [];
        for (const [i, [{ io, connect }, namespace]] of places.entries()) {
          const client = connect(namespace);
          await socketOf(io.of(namespace), client);
          await authenticate(client);
          client.on('items', (item, { id }) => {
            items.push([i, item, id.split('-')[1]]);
            if (items.length === 3) bus.emit('all');
          });
          assert.ok((await call(client, 'items', {})).result);
        }
        const all = next(bus, 'all');
        bus.emit('data', 'x');
        await all;
        assert.equal(runs, 1);
        assert.deepEqual(items.sort(), [
          [0, 'x', '1'],
          [1, 'x', '1'],
          [2, 'x', '1'],
        ]);
      });

      it('an item published while another one is decided about follows it', async (t) => {
        const { join, instance } = await serve(t, host, (it) => {
          it.defineSubscription('items', undefined, {
            key: () => 'k',
            authorizeItem: (socket, item) => {
              if (item === 1) it.publish('items', { key: 'k' }, 2);
              return true;
            },
          });
        });
        const one = await join();
        await one.subscribe('items');
        instance.publish('items', { key: 'k' }, 1);
        assert.deepEqual(await one.got(2), [1, 2]);
      });

      it('items that wait for authorizeItem are bounded', async (t) => {
        const never = new Promise(() => {});
        const { join, instance } = await serve(t, host, (it) => {
          for (const [name, overflow] of [
            ['items', 'end'],
            ['other', 'latest'],
          ]) {
            it.defineSubscription(name, undefined, {
              key: () => 'k',
              maxQueuedBytes: 1000,
              overflow,
              authorizeItem: (socket, { i }) => (i === 1 ? (it.first ?? never) : true),
            });
          }
        });
        const one = await join();
        await one.subscribe('items');
        const first = deferred();
        instance.first = first.promise;
        await one.subscribe('other');
        const big = 'x'.repeat(400);
        for (let i = 1; i <= 5; i++) {
          instance.publish('items', { key: 'k' }, { i, big });
          instance.publish('other', { key: 'k' }, { i, big });
        }
        assert.deepEqual(await one.ended(), { subscription: 1, reason: 'slow' });
        first.resolve(true);
        await one.until(() => one.items.at(-1)?.[1].i === 5);
        const got = one.items.map(([name, { i }]) => [name, i]);
        assert.ok(got.length < 5, `some are left out of ${got}`);
        assert.deepEqual(got[0], ['other', 1]);
      });

      it('the end of a source comes behind the items that wait for authorizeItem', async (t) => {
        const decision = deferred();
        const { join } = await serve(t, host, (it) => {
          it.defineSubscription('items', () => [1, 2], {
            key: () => 'k',
            authorizeItem: () => decision.promise,
          });
        });
        const one = await join();
        await one.subscribe('items');
        await one.flush();
        assert.deepEqual(one.ends, []);
        decision.resolve(true);
        assert.deepEqual(await one.ended(), { subscription: 1, reason: 'end' });
        assert.deepEqual(one.values, [1, 2]);
      });

      it('the listeners of errors learn of every failure, once', async (t) => {
        const errors = [];
        const { join, instance } = await serve(t, host, (it) => {
          it.onError((error, { name, kind, socket }) =>
            errors.push([error, kind, name, socket === null]),
          );
          const fails = (error) => () => {
            throw error;
          };
          it.defineSubscription('private', fails('private'));
          it.defineSubscription('shared', fails('shared'), { key: () => 'k' });
          it.defineSubscription('key', () => [], { key: fails('key') });
          it.defineSubscription('authorize', () => [], { authorize: fails('authorize') });
          it.defineSubscription('refused', () => [], { authorize: () => false });
          it.defineSubscription('item', () => [1], {
            key: () => 'k',
            authorizeItem: fails('item'),
          });
          it.defineSubscription(
            'generator',
            // eslint-disable-next-line require-yield
            async function* () {
              throw 'generator';
            },
          );
          it.defineSubscription('twice', (socket, credentials, args, context, cb) => {
            cb(null, []);
            cb('late');
          });
        });
        const one = await join();
        const names = [...instance._definitions.subscriptions.keys()];
        for (const name of names) await one.subscribe(name);
        await one.ended(4);
        assert.deepEqual(errors.sort(), [
          ['authorize', 'authorize', 'authorize', false],
          ['generator', 'subscription', 'generator', false],
          ['item', 'authorize', 'item', false],
          ['key', 'subscription', 'key', false],
          ['late', 'subscription', 'twice', false],
          ['private', 'subscription', 'private', false],
          ['shared', 'subscription', 'shared', true],
        ]);
      });

      it('the listeners of errors learn what a generator throws when it is returned', async (t) => {
        const errors = [];
        const told = deferred();
        const { join } = await serve(t, host, (it) => {
          it.onError((error, { name }) => {
            errors.push([name, error]);
            if (errors.length === 2) told.resolve();
          });
          it.defineSubscription('items', async function* () {
            try {
              for (;;) yield 1;
            } finally {
              // eslint-disable-next-line no-unsafe-finally -- what is tested
              throw 'in finally';
            }
          });
          it.defineSubscription('other', async function* (socket, credentials, args, { signal }) {
            yield 1;
            await aborted(signal);
            throw 'behind the signal';
          });
          it.defineSubscription('waits', async function* (socket, credentials, args, { signal }) {
            for await (const [item] of on(new EventEmitter(), 'item', { signal })) yield item;
          });
        });
        const one = await join();
        for (const name of ['waits', 'items', 'other']) await one.subscribe(name);
        await one.until(() => one.items.some(([name]) => name === 'other'));
        await one.flush();
        for (const number of [1, 2, 3]) await one.unsubscribe(number);
        await told.promise;
        assert.deepEqual(errors.sort(), [
          ['items', 'in finally'],
          ['other', 'behind the signal'],
        ]);
      });

      it('the listeners of errors learn what a source throws when it is stopped', async (t) => {
        const failing = (what) => () => {
          throw what;
        };
        const sources = {
          iterator: {
            [Symbol.asyncIterator]: () => ({
              next: () => new Promise(() => {}),
              return: failing('return'),
            }),
          },
          emitter: { on() {}, off: (event) => (event === 'data' ? failing('off')() : undefined) },
          observable: {
            [Symbol.observable ?? '@@observable']: () => sources.observable,
            subscribe: () => failing('unsubscribe'),
          },
          stream: new ReadableStream({ cancel: failing('cancel') }),
        };
        const errors = [];
        const told = deferred();
        const { join } = await serve(t, host, (it) => {
          it.onError((error) => {
            if (errors.push(error) === 4) told.resolve();
          });
          it.defineSubscription('items', (socket, credentials, kind) => sources[kind]);
        });
        const one = await join();
        for (const [i, kind] of Object.keys(sources).entries()) {
          await one.subscribe('items', kind);
          await one.unsubscribe(i + 1);
        }
        await told.promise;
        assert.deepEqual(errors, ['return', 'off', 'unsubscribe', 'cancel']);
      });

      it('an instance that sends errors by message does so when a source fails', async (t) => {
        const { io, connect } = await openServer(t, host);
        const instance = new LoopbackSocket('by message', { timeout: 'none', errors: 'message' });
        instance.defineSubscription('items', () => Promise.reject(new Error('broken')), {
          key: () => 'k',
        });
        instance.start(io);
        const client = connect();
        await socketOf(io, client);
        await authenticate(client);
        const end = next(client, 'loopback:unsubscribed');
        await call(client, 'items', {});
        assert.deepEqual(await end, {
          subscription: 1,
          reason: 'error',
          error: { message: 'broken' },
        });
      });

      it('revoked sockets learn that their subscriptions are revoked', async (t) => {
        const { join, instance } = await serve(t, host, (it) => {
          it.defineSubscription('items');
        });
        const one = await join();
        await one.subscribe('items');
        instance.revoke(() => true);
        assert.deepEqual(await one.ended(), { subscription: 1, reason: 'revoked' });
        assert.equal(instance.publish('items', {}, 1), false);
      });

      for (const [title, options] of [
        ['a source with history', {}],
        ['a source with history and authorizeItem', { authorizeItem: () => true }],
      ]) {
        it(`${title} ends when its server is closed, not at the end of its ttl`, async (t) => {
          const signals = [];
          const { io, join } = await serve(t, host, (it) => {
            const handler = (socket, credentials, key, { signal }) => {
              signals.push(signal);
              return new EventEmitter();
            };
            const key = (args) => ({ key: args, args });
            const history = { size: 1, ttl: 2 ** 31 - 1 };
            it.defineSubscription('items', handler, { ...options, key, history });
          });
          const [one, two] = [await join(), await join()];
          await one.subscribe('items', 'left before');
          await two.subscribe('items', 'there until the end');
          const hasLeft = next(one.socket, 'disconnect');
          one.client.disconnect();
          await hasLeft;
          assert.ok(signals.every((signal) => !signal.aborted));
          io.close();
          await Promise.all(signals.map(aborted));
        });
      }

      it('a private subscription is not ended while its client takes its time', async (t) => {
        const { join } = await serve(t, host, (it) => {
          it.defineSubscription('items', () => [1, 2, 3, 4, 5, 6], { window: 2, ackTimeout: 20 });
          it.defineSubscription('other', undefined, { window: 2, ackTimeout: 20 });
          it.defineMethod('publish', () => {
            for (let i = 0; i < 4; i++) it.publish('other', {}, i);
          });
        });
        const one = await join();
        // It has acknowledged an item, so it is a client that does.
        one.client.once('items', () => {
          one.acknowledges = false;
        });
        await one.subscribe('items');
        await one.until(() => !one.acknowledges);
        await one.subscribe('other');
        await call(one.client, 'publish', null);
        assert.equal((await one.ended()).subscription, 2, 'the shared one ends as slow');
        one.acknowledge();
        assert.deepEqual(await one.ended(2), { subscription: 1, reason: 'end' });
      });

      it('subscriptions that come and go leave no acknowledgements behind', async (t) => {
        const { join } = await serve(t, host, (it) => {
          it.defineSubscription('items', () => [1, 2, 3, 4], { window: 2 });
        });
        const one = await join();
        one.acknowledges = false;
        for (let i = 1; i <= 100; i++) {
          await one.subscribe('items');
          await one.got(2 * i);
          await one.unsubscribe(i);
        }
        const { acks } = one.socket;
        assert.equal(acks instanceof Map ? acks.size : Object.keys(acks).length, 0);
      });
    },
  );
}

describe('on an emitter that looks like a server', () => {
  it('subscriptions work as far as it can', async (t) => {
    // Timers of the package do not keep the process alive.
    const alive = setTimeout(() => {}, 10_000);
    t.after(() => clearTimeout(alive));
    const server = new FakeServer();
    const instance = newInstance();
    instance.defineSubscription('items', undefined, { window: 2, ackTimeout: 20 });
    instance.start(server);
    const socket = server.connect();
    await socket.authenticate({});
    const answer = await new Promise((resolve) => {
      socket.receive('items', { args: 1 }, resolve);
    });
    assert.equal(answer.result.subscription, 1);
    const unsubscribed = next(socket, 'sent loopback:unsubscribed');
    instance.publish('items', {}, 'a');
    const [event, item, , ack] = socket.sent.at(-1);
    assert.deepEqual([event, item, typeof ack], ['items', 'a', 'function']);
    ack();
    instance.publish('items', {}, 'b');
    instance.publish('items', {}, 'c');
    assert.deepEqual(
      socket.sent.filter(([name]) => name === 'items').map(([, it]) => it),
      ['a', 'b', 'c'],
    );
    instance.publish('items', {}, 'd');
    assert.deepEqual(await unsubscribed, { subscription: 1, reason: 'slow' });
    assert.equal(instance.publish('items', {}, 'e'), false);
  });

  it('items keep their order if the application publishes while one is sent', async () => {
    const server = new FakeServer();
    const instance = newInstance();
    instance.defineSubscription('items');
    instance.start(server);
    const sockets = [server.connect(), server.connect()];
    for (const socket of sockets) {
      await socket.authenticate({});
      await new Promise((resolve) => {
        socket.receive('items', {}, resolve);
      });
      socket.on('sent items', (item) => {
        if (item === 1) instance.publish('items', {}, 2);
      });
    }
    instance.publish('items', {}, 1);
    for (const { sent } of sockets) {
      const items = sent.filter(([name]) => name === 'items').map(([, it]) => it);
      assert.deepEqual(items, [1, 2, 2]);
    }
  });

  it('a listener that throws breaks nothing', async () => {
    const server = new FakeServer();
    const instance = newInstance();
    instance.defineSubscription('items');
    instance.start(server);
    const socket = server.connect();
    await socket.authenticate({});
    await new Promise((resolve) => {
      socket.receive('items', {}, resolve);
    });
    socket.on('sent items', () => {
      throw new Error('boom');
    });
    assert.equal(instance.publish('items', {}, 1), true);
    assert.equal(instance.publish('items', {}, 2), true);
  });
});

describe('on a socket.io 4 server with connection state recovery', () => {
  it('items get no argument of the adapter', async (t) => {
    const { io, connect } = await openServer(t, 4, { connectionStateRecovery: {} });
    const instance = newInstance();
    instance.defineSubscription('items', () => ['a', 'b'], { window: 32 });
    instance.start(io);
    const client = connect();
    await socketOf(io, client);
    await authenticate(client);
    const got = [];
    client.on('items', (...args) => got.push(args.length));
    const ended = new Promise((resolve) => {
      client.on('loopback:unsubscribed', (...args) => resolve(args));
    });
    await call(client, 'items', {});
    assert.deepEqual(await ended, [{ subscription: 1, reason: 'end' }]);
    assert.deepEqual(got, [2, 2]);
  });
});

describe('on a native server that is attached again', () => {
  it('a source with history begins anew', async (t) => {
    const servers = [http.createServer(), http.createServer()];
    const io = new LoopbackSocket.Server();
    t.after(() => io.close());
    const instance = newInstance();
    instance.defineSubscription('items', undefined, { key: () => 'k', history: { size: 5 } });
    instance.start(io);
    const { io: connectTo } = require('socket.io-client');
    const open = async (server) => {
      io.attach(server);
      await new Promise((resolve) => {
        server.listen(0, resolve);
      });
      const client = connectTo(`http://localhost:${server.address().port}`, {
        transports: ['websocket'],
        forceNew: true,
        reconnection: false,
      });
      t.after(() => client.disconnect());
      await socketOf(io, client);
      await authenticate(client);
      return client;
    };
    const first = await open(servers[0]);
    const { source } = (await call(first, 'items', {})).result;
    instance.publish('items', { key: 'k' }, 1);
    await io.close();
    const second = await open(servers[1]);
    const { result } = await call(second, 'items', { after: `${source}-0` });
    assert.equal(result.resumed, false, 'what was sent is gone with the server');
    const item = next(second, 'items');
    assert.equal(instance.publish('items', { key: 'k' }, 2), true);
    assert.equal(await item, 2);
  });
});
