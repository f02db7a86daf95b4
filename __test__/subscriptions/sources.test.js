'use strict';

// Every kind of source that a handler may give, private and shared, on both kinds of server: its items arrive, its
// end is told, and it is stopped when its client unsubscribes or leaves.

const assert = require('node:assert/strict');
const { EventEmitter, on, once } = require('node:events');
const { PassThrough, Readable } = require('node:stream');
const { ReadableStream } = require('node:stream/web');
const { describe, it } = require('node:test');
const { Observable, Subject } = require('rxjs');
const ZenObservable = require('zen-observable');
const { unhandled } = require('../support/native-server');
const { TIMEOUT, deferred, subscribed } = require('../support/subscription-world');

const SERVERS = ['native', 4];
const OPTIONS = { private: {}, shared: { key: () => ({ key: 'a' }) } };

/**
 * Handlers by what they give: 1, 2, and then nothing until `end` is called.
 *
 * @param {{ stopped: () => void, ending: Promise<void> }} test what to call when the source is stopped, and
 *   what settles when it is to end
 */
const KINDS = {
  'an async generator': ({ stopped, ending }) =>
    async function* (socket, credentials, args, { signal }) {
      try {
        yield* [1, 2];
        await Promise.race([ending, once(signal, 'abort')]);
      } finally {
        stopped();
      }
    },
  'a promise of an iterator': ({ stopped, ending }) => {
    const items = [1, 2];
    const next = async () => {
      if (items.length > 0) return { done: false, value: items.shift() };
      await ending;
      return { done: true };
    };
    const iterator = { next, return: () => stopped() };
    return async () => ({ [Symbol.asyncIterator]: () => iterator });
  },
  'events.on() with the signal': ({ stopped, ending }) =>
    async function* (socket, credentials, args, { signal }) {
      const bus = new EventEmitter();
      process.nextTick(() => [1, 2].forEach((item) => bus.emit('item', item)));
      const end = new AbortController();
      ending.then(() => end.abort());
      try {
        const both = AbortSignal.any([signal, end.signal]);
        for await (const [item] of on(bus, 'item', { signal: both })) yield item;
      } catch (error) {
        if (error.name !== 'AbortError') throw error;
      } finally {
        assert.deepEqual(bus.eventNames(), []);
        stopped();
      }
    },
  'a Readable':
    ({ stopped, ending }) =>
    () => {
      const stream = new Readable({ objectMode: true, read() {} });
      stream.on('close', stopped);
      [1, 2].forEach((item) => stream.push(item));
      ending.then(() => stream.push(null));
      return stream;
    },
  'a web ReadableStream': ({ stopped, ending }) => {
    let cancelled = false;
    return () =>
      new ReadableStream({
        start(controller) {
          [1, 2].forEach((item) => controller.enqueue(item));
          ending.then(() => {
            if (!cancelled) controller.close();
            stopped();
          });
        },
        cancel() {
          cancelled = true;
          stopped();
        },
      });
  },
  'an emitter':
    ({ stopped, ending }) =>
    () => {
      const emitter = new EventEmitter();
      emitter.on('removeListener', (event) => event === 'data' && stopped());
      setImmediate(() => [1, 2].forEach((item) => emitter.emit('data', item)));
      ending.then(() => emitter.emit('end'));
      return emitter;
    },
  'an Observable of RxJS':
    ({ stopped, ending }) =>
    () =>
      new Observable((subscriber) => {
        [1, 2].forEach((item) => subscriber.next(item));
        ending.then(() => subscriber.complete());
        return stopped;
      }),
  'a Subject of RxJS':
    ({ stopped, ending }) =>
    () => {
      const subject = new Subject();
      setImmediate(() => [1, 2].forEach((item) => subject.next(item)));
      ending.then(() => subject.complete());
      subject.subscribe = ((subscribe) => (observer) => {
        const subscription = subscribe.call(subject, observer);
        subscription.add(stopped);
        return subscription;
      })(subject.subscribe);
      return subject;
    },
  'an Observable of zen-observable':
    ({ stopped, ending }) =>
    () =>
      new ZenObservable((observer) => {
        [1, 2].forEach((item) => observer.next(item));
        ending.then(() => observer.complete());
        return stopped;
      }),
  'a change stream of LoopBack 3, through the callback':
    ({ stopped, ending }) =>
    (socket, credentials, args, context, cb) => {
      const changes = new PassThrough({ objectMode: true });
      changes._destroy = () => {
        changes.end();
        changes.emit('end');
        changes.emit('close');
      };
      changes.on('close', stopped);
      [1, 2].forEach((item) => changes.write(item));
      ending.then(() => changes.end());
      process.nextTick(() => cb(null, changes));
    },
};

for (const server of SERVERS) {
  const where = server === 'native' ? 'the native server' : `socket.io ${server}`;

  describe(`sources of subscriptions on ${where}`, () => {
    for (const [what, make] of Object.entries(KINDS)) {
      for (const [kind, options] of Object.entries(OPTIONS)) {
        const source = (title, run) =>
          it(`${what}, ${kind}, ${title} (${server})`, TIMEOUT, async (t) => {
            const stop = deferred();
            const end = deferred();
            const handler = make({ stopped: stop.resolve, ending: end.promise });
            const scenario = async (world) => {
              world.sockets.defineSubscription('items', handler, options);
              const raw = await world.raw();
              const [{ result }] = await raw.call('items', {});
              const id = (offset) =>
                kind === 'shared' ? `,"id":"${result.source}-${offset}"` : '';
              for (const item of [1, 2]) {
                assert.equal(
                  await raw.packet('2["items"'),
                  `42["items",${item},{"source":"${result.source}"${id(item)}}]`,
                );
              }
              await run(raw, result.subscription, { stopped: stop.promise, end: end.resolve });
            };
            assert.deepEqual(await unhandled(() => subscribed(server, scenario)(t)), []);
          });

        source('gives its items and its end', async (raw, subscription, { end, stopped }) => {
          end();
          assert.equal(
            await raw.packet('2["loopback:unsubscribed"'),
            `42["loopback:unsubscribed",{"subscription":${subscription},"reason":"end"}]`,
          );
          if (what !== 'a promise of an iterator') await stopped;
          assert.deepEqual(await raw.call('loopback:unsubscribe', subscription), [
            { result: false },
          ]);
        });

        source(
          'is stopped when its client unsubscribes',
          async (raw, subscription, { end, stopped }) => {
            assert.deepEqual(await raw.call('loopback:unsubscribe', subscription), [
              { result: true },
            ]);
            await stopped;
            end();
            assert.deepEqual(await raw.call('answer'), [{ result: 'pong' }]);
            assert.deepEqual(raw.received.rest(), []);
          },
        );

        source('is stopped when its client leaves', async (raw, subscription, { stopped }) => {
          raw.terminate();
          await stopped;
        });
      }
    }
  });
}
