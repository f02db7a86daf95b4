'use strict';

// What the handler of a subscription may give, and what is promised about each of them whatever it does.

const assert = require('node:assert/strict');
const { EventEmitter, on, once } = require('node:events');
const { Duplex, PassThrough, Readable, Stream } = require('node:stream');
const { ReadableStream } = require('node:stream/web');
const { after, before, describe, it } = require('node:test');

const rxjs = require('rxjs');
const ZenObservable = require('zen-observable');

const { InvalidSourceError } = require('../../lib/errors');
const { toSource } = require('../../lib/subscriptions/sources');

const FAILURE = new Error('the source failed');

/** A promise that never settles. */
const NEVER = new Promise(() => {});

/** @returns {Promise<void>} settles when everything that is ready now has run */
const turn = () => new Promise((resolve) => setImmediate(resolve));

/**
 * @param {{ start: Function }} source
 * @returns {{ log: unknown[], over: Promise<void> }} what the source gives; `over` settles at its end
 */
function record(source) {
  const log = [];
  const over = new Promise((resolve) => {
    source.start({
      item: (value) => log.push(value),
      end: () => resolve(log.push('end')),
      error: (error) => resolve(log.push({ error })),
    });
  });
  return { log, over };
}

/**
 * @param {unknown} value - what a handler gives
 * @returns {Promise<unknown[]>} all that its source gives, until its end
 */
async function allOf(value) {
  const { log, over } = record(toSource(value));
  await over;
  await turn();
  return log;
}

/**
 * @param {{ next: Function }} source
 * @returns {Promise<unknown[]>} all that it gives when it is asked, until its end
 */
async function pullAll(source) {
  const log = [];
  for (;;) {
    try {
      const { done, value } = await source.next();
      if (done) return [...log, 'end'];
      log.push(value);
    } catch (error) {
      return [...log, { error }];
    }
  }
}

/**
 * The change stream of LoopBack 3, as `PersistedModel.createChangeStream` makes it.
 * @returns {{ stream: PassThrough, removals: number }}
 */
function loopbackChangeStream() {
  const made = { stream: new PassThrough({ objectMode: true }), removals: 0 };
  const changes = made.stream;
  changes._destroy = function () {
    changes.end();
    changes.emit('end');
    changes.emit('close');
  };
  const observe = () => {};
  changes.on('close', () => (made.removals += 1));
  changes.on('error', observe);
  changes.on('finish', observe);
  return made;
}

/** A stream as before Node 0.10: an emitter that is told to stop. */
class OldStream extends Stream {
  destroyed = 0;

  destroy() {
    this.destroyed += 1;
  }
}

/** An Observable with the least that makes one. */
function observable(subscribe) {
  return {
    '@@observable'() {
      return this;
    },
    subscribe,
  };
}

/**
 * @param {Partial<Record<'next' | 'return', Function>>} methods - of the iterator
 * @returns {AsyncIterable<unknown>}
 */
const asyncIterable = (methods) => ({ [Symbol.asyncIterator]: () => methods });

/**
 * @param {Partial<Record<'next' | 'return', Function>>} methods - of the iterator
 * @returns {Iterable<unknown>}
 */
const iterable = (methods) => ({ [Symbol.iterator]: () => methods });

/** Every kind of source that gives 1 and 2 and ends, or gives 1 and fails. */
const KINDS = {
  'an async generator': {
    kind: 'pull',
    ending: async function* () {
      yield* [1, 2];
    },
    failing: async function* () {
      yield 1;
      throw FAILURE;
    },
  },
  'a generator': {
    kind: 'pull',
    ending: function* () {
      yield* [1, 2];
    },
    failing: function* () {
      yield 1;
      throw FAILURE;
    },
  },
  'an iterable of promises': {
    kind: 'pull',
    ending: () => [Promise.resolve(1), Promise.resolve(2)],
    failing: () => {
      const failed = Promise.reject(FAILURE);
      // A source that is stopped before leaves it to whoever made it.
      failed.catch(() => {});
      return [Promise.resolve(1), failed];
    },
  },
  'a Readable in object mode': {
    kind: 'pull',
    ending: () => Readable.from([1, 2]),
    failing: () =>
      Readable.from(
        (function* () {
          yield 1;
          throw FAILURE;
        })(),
      ),
  },
  'a web ReadableStream': {
    kind: 'pull',
    ending: () =>
      new ReadableStream({
        start(controller) {
          controller.enqueue(1);
          controller.enqueue(2);
          controller.close();
        },
      }),
    failing: () => {
      let isFirst = true;
      return new ReadableStream({
        pull(controller) {
          if (isFirst) controller.enqueue(1);
          else controller.error(FAILURE);
          isFirst = false;
        },
      });
    },
  },
  'an Observable of RxJS': {
    kind: 'push',
    ending: () => rxjs.of(1, 2),
    failing: () =>
      rxjs.concat(
        rxjs.of(1),
        rxjs.throwError(() => FAILURE),
      ),
  },
  'an Observable of zen-observable': {
    kind: 'push',
    ending: () => ZenObservable.of(1, 2),
    failing: () =>
      new ZenObservable((observer) => {
        observer.next(1);
        observer.error(FAILURE);
      }),
  },
  'an Observable that returns a function': {
    kind: 'push',
    ending: () =>
      observable((observer) => {
        observer.next(1);
        observer.next(2);
        observer.complete();
        return () => {};
      }),
    failing: () =>
      observable((observer) => {
        observer.next(1);
        throw FAILURE;
      }),
  },
  'an emitter': {
    kind: 'push',
    ending: () => emitLater(new EventEmitter(), ['data', 1], ['data', 2], ['end']),
    failing: () => emitLater(new EventEmitter(), ['data', 1], ['error', FAILURE]),
  },
  'an emitter with addListener and removeListener alone': {
    kind: 'push',
    ending: () => emitLater(bareEmitter(), ['data', 1], ['data', 2], ['end']),
    failing: () => emitLater(bareEmitter(), ['data', 1], ['error', FAILURE]),
  },
  'a change stream of LoopBack 3': {
    kind: 'pull',
    ending: () => {
      const { stream } = loopbackChangeStream();
      stream.write(1);
      stream.end(2);
      return stream;
    },
    failing: () => {
      const { stream } = loopbackChangeStream();
      stream.write(1);
      stream.once('data', () => process.nextTick(() => stream.emit('error', FAILURE)));
      return stream;
    },
  },
};

/**
 * @param {EventEmitter} emitter
 * @param {...[string, unknown?]} events
 * @returns {EventEmitter} the emitter, which emits the events a moment later
 */
function emitLater(emitter, ...events) {
  process.nextTick(() => events.forEach(([event, value]) => emitter.emit(event, value)));
  return emitter;
}

/** @returns {EventEmitter} one without `on` and `off` */
function bareEmitter() {
  return Object.assign(new EventEmitter(), { on: undefined, off: undefined });
}

describe('sources of subscriptions', () => {
  /** What must never happen, whatever a source does. */
  const unhandled = [];
  const note = (error) => unhandled.push(error);

  before(() => process.on('unhandledRejection', note).on('uncaughtException', note));
  after(async () => {
    await turn();
    process.off('unhandledRejection', note).off('uncaughtException', note);
    assert.deepEqual(unhandled, []);
  });

  for (const [what, { kind, ending, failing }] of Object.entries(KINDS)) {
    it(`${what} gives its items and then ends`, async () => {
      assert.deepEqual(await allOf(ending()), [1, 2, 'end']);
    });

    it(`${what} gives its items and then the error that it fails with`, async () => {
      assert.deepEqual(await allOf(failing()), [1, { error: FAILURE }]);
    });

    it(`${what} is stopped before it is started without giving anything`, async () => {
      const source = toSource(ending());
      assert.equal(source.kind, kind);
      source.stop();
      const { log } = record(source);
      await turn();
      assert.deepEqual(log, []);
    });

    it(`${what} is stopped after its first item and gives nothing more`, async () => {
      const source = toSource(failing());
      const log = [];
      await new Promise((resolve) => {
        source.start({
          item(value) {
            log.push(value);
            source.stop();
            source.stop();
            resolve();
          },
          end: () => log.push('end'),
          error: (error) => log.push({ error }),
        });
      });
      await turn();
      assert.deepEqual(log, [1]);
    });

    it(`${what} fails with what the receiver of its items throws`, async () => {
      const log = [];
      await new Promise((resolve) => {
        toSource(ending()).start({
          item(value) {
            log.push(value);
            throw FAILURE;
          },
          end: () => log.push('end'),
          error: (error) => resolve(log.push({ error })),
        });
      });
      await turn();
      assert.deepEqual(log, [1, { error: FAILURE }]);
    });

    if (kind === 'pull') {
      it(`${what} gives an item each time it is asked, and no more than that after its end`, async () => {
        const source = toSource(ending());
        assert.deepEqual(await source.next(), { done: false, value: 1 });
        assert.deepEqual(await source.next(), { done: false, value: 2 });
        assert.deepEqual(await source.next(), { done: true, value: undefined });
        assert.deepEqual(await source.next(), { done: true, value: undefined });
      });

      it(`${what} rejects once when it fails`, async () => {
        const source = toSource(failing());
        assert.deepEqual(await pullAll(source), [1, { error: FAILURE }]);
        assert.deepEqual(await source.next(), { done: true, value: undefined });
      });
    }
  }

  describe('what is no source', () => {
    const notInObjectMode = new Readable({ read() {} });
    const values = {
      undefined: [undefined, /got undefined\.$/],
      null: [null, /got null\.$/],
      'a number': [5, /got 5\.$/],
      'a string': ['abc', /got "abc"\. To send a string as one item, wrap it in an array\.$/],
      'a Buffer': [Buffer.from('abc'), /got an object\.$/],
      'a typed array': [new Uint8Array(3), /got an object\.$/],
      'an ordinary object': [{ on: 5, off() {} }, /got an object\.$/],
      'an object with on alone': [{ on() {} }, /got an object\.$/],
      'a generator function that was not called': [async function* () {}, /Call the function/],
      'an async iterable without an iterator': [
        asyncIterable(undefined),
        /The method that gives its iterator gave something else/,
      ],
      'an Observable that gives none': [
        { '@@observable': () => ({}) },
        /The method that gives its Observable gave something else/,
      ],
      'a stream that is not in object mode': [
        notInObjectMode,
        /create it with \{ objectMode: true \}/,
      ],
    };
    for (const [what, [value, message]] of Object.entries(values)) {
      it(`${what} is refused with an error that lists what is accepted`, () => {
        assert.throws(
          () => toSource(value),
          (error) => {
            assert.ok(error instanceof InvalidSourceError);
            assert.equal(error.code, 'ERR_LOOPBACK_SOCKET_INVALID_SOURCE');
            assert.match(error.message, /must give an async iterable, an iterable, a Readable/);
            assert.match(error.message, message);
            return true;
          },
        );
      });
    }

    it('a refused stream is destroyed, because nobody else does it', () => {
      assert.equal(notInObjectMode.destroyed, true);
    });

    it('getters that throw are errors of the source', () => {
      const throwing = (key) => ({
        get [key]() {
          throw FAILURE;
        },
      });
      for (const key of ['read', 'getReader', Symbol.asyncIterator, '@@observable', 'on']) {
        assert.throws(() => toSource(throwing(key)), FAILURE);
      }
      assert.throws(() => toSource(asyncIterable(throwing('next'))), FAILURE);
    });
  });

  describe('order of recognition', () => {
    it('a Readable is taken for a stream, though it is an async iterable and an emitter', async () => {
      const stream = new Readable({ objectMode: true, read() {} });
      const source = toSource(stream);
      const pending = source.next();
      source.stop();
      assert.deepEqual(await pending, { done: true, value: undefined });
      assert.equal(stream.destroyed, true);
    });

    it('an emitter that is an async iterable is pulled', () => {
      const both = Object.assign(new EventEmitter(), asyncIterable({ next: () => NEVER }));
      assert.equal(toSource(both).kind, 'pull');
      assert.deepEqual(both.eventNames(), []);
    });

    it('an object that is an Observable and an iterable is asked for its changes', async () => {
      const collection = Object.assign(rxjs.of('changed'), {
        [Symbol.iterator]: () => [1, 2].values(),
      });
      assert.deepEqual(await allOf(collection), ['changed', 'end']);
    });

    it('a Subject of RxJS gives what is sent after the start', async () => {
      const subject = new rxjs.Subject();
      const { log, over } = record(toSource(subject));
      subject.next(1);
      subject.complete();
      await over;
      assert.deepEqual(log, [1, 'end']);
    });

    it('Symbol.observable is used where it is defined', async (t) => {
      Object.defineProperty(Symbol, 'observable', {
        value: Symbol('observable'),
        configurable: true,
      });
      t.after(() => Reflect.deleteProperty(Symbol, 'observable'));
      const modern = { [Symbol.observable]: () => rxjs.of(1) };
      assert.deepEqual(await allOf(modern), [1, 'end']);
      assert.deepEqual(await allOf(rxjs.of(2)), [2, 'end']);
    });
  });

  describe('iterators', () => {
    it('events.on() of Node is a source that its signal ends', async () => {
      const bus = new EventEmitter();
      const abort = new AbortController();
      const source = toSource(on(bus, 'order', { signal: abort.signal }));
      const first = source.next();
      bus.emit('order', { id: 1 });
      assert.deepEqual(await first, { done: false, value: [{ id: 1 }] });
      const second = source.next();
      abort.abort();
      await assert.rejects(second, { name: 'AbortError' });
      assert.deepEqual(bus.eventNames(), []);
    });

    it('events.on() of Node is released when the source is stopped before it was read', () => {
      const bus = new EventEmitter();
      toSource(on(bus, 'order')).stop();
      assert.deepEqual(bus.eventNames(), []);
    });

    it('an iterator is returned once, however often the source is stopped', () => {
      for (const make of [asyncIterable, iterable]) {
        let returned = 0;
        const source = toSource(make({ next: () => NEVER, return: () => (returned += 1) }));
        source.stop();
        source.stop();
        assert.equal(returned, 1);
      }
    });

    it('an iterator that has ended or failed is not returned', async () => {
      for (const make of [asyncIterable, iterable]) {
        for (const next of [
          () => ({ done: true }),
          () => {
            throw FAILURE;
          },
          () => 5,
          () => ({
            get done() {
              throw FAILURE;
            },
          }),
        ]) {
          let returned = 0;
          const source = toSource(make({ next, return: () => (returned += 1) }));
          await pullAll(source);
          source.stop();
          assert.equal(returned, 0);
        }
      }
    });

    it('an iterable is returned if one of its promises rejects', async () => {
      let returned = 0;
      const source = toSource(
        iterable({
          next: () => ({ done: false, value: Promise.reject(FAILURE) }),
          return: () => (returned += 1),
        }),
      );
      assert.deepEqual(await pullAll(source), [{ error: FAILURE }]);
      assert.equal(returned, 1);
    });

    it('stop() does not wait for a next() that never settles, and returns the iterator', async () => {
      let returned = 0;
      const source = toSource(asyncIterable({ next: () => NEVER, return: () => (returned += 1) }));
      const pending = source.next();
      source.stop();
      assert.equal(returned, 1);
      assert.deepEqual(await pending, { done: true, value: undefined });
    });

    it('an item or error that comes from next() after stop() is ignored', async () => {
      for (const next of [async () => ({ done: false, value: 1 }), () => Promise.reject(FAILURE)]) {
        const source = toSource(asyncIterable({ next }));
        const { log } = record(source);
        source.stop();
        await turn();
        assert.deepEqual(log, []);
      }
    });

    it('return() may be missing, throw, reject or be something else', async () => {
      const returns = [
        undefined,
        5,
        () => {
          throw FAILURE;
        },
        () => Promise.reject(FAILURE),
        () => ({
          get then() {
            throw FAILURE;
          },
        }),
        () => ({ then: (_, reject) => reject(FAILURE) }),
      ];
      for (const value of returns) {
        const source = toSource(asyncIterable({ next: () => NEVER, return: value }));
        source.next();
        source.stop();
        await turn();
      }
      const throwing = {
        next: () => NEVER,
        get return() {
          throw FAILURE;
        },
      };
      toSource(asyncIterable(throwing)).stop();
    });

    it('an async generator that stops its own source while it runs is returned', async () => {
      let isCleanedUp = false;
      const source = toSource(
        (async function* () {
          try {
            source.stop();
            yield 1;
            yield 2;
          } finally {
            isCleanedUp = true;
          }
        })(),
      );
      assert.deepEqual(await source.next(), { done: true, value: undefined });
      await turn();
      assert.equal(isCleanedUp, true);
    });

    it('a generator that stops its own source while it runs is returned', async () => {
      let isCleanedUp = false;
      const source = toSource(
        (function* () {
          try {
            source.stop();
            yield 1;
            yield 2;
          } finally {
            isCleanedUp = true;
          }
        })(),
      );
      assert.deepEqual(await source.next(), { done: true, value: undefined });
      assert.equal(isCleanedUp, true);
    });

    it('next() that throws or gives a thenable that misbehaves is an error of the source', async () => {
      const results = [
        () => {
          throw FAILURE;
        },
        () => ({
          get then() {
            throw FAILURE;
          },
        }),
        () => ({
          then() {
            throw FAILURE;
          },
        }),
        () => Promise.resolve({ get done() { throw FAILURE; } }), // prettier-ignore
        () => Promise.resolve({ done: false, get value() { throw FAILURE; } }), // prettier-ignore
      ];
      for (const next of results) {
        assert.deepEqual(await allOf(asyncIterable({ next })), [{ error: FAILURE }]);
      }
    });

    it('an iterable without an end lets the event loop run', async () => {
      let count = 0;
      const endless = iterable({ next: () => ({ done: false, value: (count += 1) }) });
      for (const value of [
        endless,
        asyncIterable({ next: async () => ({ done: false, value: 1 }) }),
      ]) {
        const source = toSource(value);
        record(source);
        await turn();
        await turn();
        source.stop();
      }
      const taken = count;
      await turn();
      assert.equal(count, taken);
    });

    it('an iterator of an iterable may give promises of its results', async () => {
      let count = 0;
      const next = async () => ({ done: count === 2, value: (count += 1) });
      assert.deepEqual(await allOf(iterable({ next })), [1, 2, 'end']);
    });

    it('a return() that stops the source keeps no error from its receiver, nor gives it two', async () => {
      const log = [];
      const source = toSource(
        iterable({ next: () => ({ done: false, value: 1 }), return: () => source.stop() }),
      );
      source.start({
        item() {
          throw FAILURE;
        },
        end: () => log.push('end'),
        error: (error) => log.push(error),
      });
      await turn();
      assert.deepEqual(log, [FAILURE]);
    });

    it('a source that nobody asks takes nothing from its iterator', async () => {
      let asked = 0;
      const source = toSource(asyncIterable({ next: () => (asked += 1) }));
      await turn();
      assert.equal(asked, 0);
      source.stop();
    });
  });

  describe('streams', () => {
    it('a stream is read only when the source is asked', async () => {
      let count = 0;
      const stream = new Readable({
        objectMode: true,
        highWaterMark: 2,
        read() {
          this.push((count += 1));
        },
      });
      const source = toSource(stream);
      await turn();
      assert.equal(count, 0);
      assert.deepEqual(await source.next(), { done: false, value: 1 });
      await turn();
      assert.ok(count <= 4, `${count} items were read`);
      source.stop();
    });

    it('a stream that fails after it was stopped does not end the process', async () => {
      const stream = new Readable({
        objectMode: true,
        read() {},
        destroy(error, done) {
          setImmediate(() => done(FAILURE));
        },
      });
      const source = toSource(stream);
      source.next();
      source.stop();
      await new Promise((resolve) => {
        stream.once('close', resolve);
      });
      assert.equal(stream.errored, FAILURE);
    });

    it('a stream that fails before it was asked gives its error then', async () => {
      const stream = new Readable({ objectMode: true, read() {} });
      const source = toSource(stream);
      stream.destroy(FAILURE);
      await turn();
      assert.deepEqual(await pullAll(source), [{ error: FAILURE }]);
    });

    it('a stream that has ended, failed or was destroyed before is over', async () => {
      const ended = Readable.from([]).resume();
      await once(ended, 'close');
      assert.deepEqual(await allOf(ended), ['end']);
      const failed = new Readable({ objectMode: true, read() {} }).on('error', () => {});
      failed.destroy(FAILURE);
      assert.deepEqual(await allOf(failed), [{ error: FAILURE }]);
      const destroyed = new Readable({ objectMode: true, read() {} });
      destroyed.destroy();
      const [{ error }] = await allOf(destroyed);
      assert.equal(error.code, 'ERR_STREAM_PREMATURE_CLOSE');
    });

    it('a stream that is closed before its end has failed', async () => {
      const stream = new Readable({ objectMode: true, read() {} });
      const { log, over } = record(toSource(stream));
      stream.push(1);
      await turn();
      stream.destroy();
      await over;
      assert.equal(log[0], 1);
      assert.equal(log[1].error.code, 'ERR_STREAM_PREMATURE_CLOSE');
    });

    it('a stopped stream keeps no listener but one that ignores errors', async () => {
      const stream = new Readable({ objectMode: true, read() {} });
      const source = toSource(stream);
      source.next();
      source.stop();
      assert.deepEqual(
        stream.eventNames().map((event) => [event, stream.listenerCount(event)]),
        [['error', 1]],
      );
    });

    it('destroy() may be missing, throw or reject', async () => {
      const destroys = [
        undefined,
        () => {
          throw FAILURE;
        },
        () => Promise.reject(FAILURE),
      ];
      for (const destroy of destroys) {
        const stream = new Readable({ objectMode: true, read() {} });
        stream.destroy = destroy;
        const source = toSource(stream);
        source.next();
        source.stop();
        await turn();
      }
    });

    it('the readable half of a Duplex is a source', async () => {
      const pair = new Duplex({ objectMode: true, read() {}, write: (chunk, _, done) => done() });
      pair.push(1);
      pair.push(null);
      assert.deepEqual(await allOf(pair), [1, 'end']);
    });

    it('a change stream of LoopBack 3 removes its observers when the source is stopped', async () => {
      const made = loopbackChangeStream();
      const source = toSource(made.stream);
      made.stream.write(1);
      assert.deepEqual(await source.next(), { done: false, value: 1 });
      source.stop();
      assert.equal(made.removals, 1);
    });

    it('a stream without read() is destroyed at its end and when it is stopped', async () => {
      for (const finish of [(stream) => stream.emit('end'), (_, source) => source.stop()]) {
        const stream = new OldStream();
        const source = toSource(stream);
        const { log } = record(source);
        stream.emit('data', 1);
        finish(stream, source);
        stream.emit('data', 2);
        stream.emit('error', FAILURE);
        assert.equal(stream.destroyed, 1);
        assert.equal(log[0], 1);
        assert.deepEqual(stream.eventNames(), ['error']);
      }
    });

    it('a web stream is cancelled when the source is stopped while it waits', async () => {
      for (const cancel of [() => {}, () => Promise.reject(FAILURE)]) {
        let cancelled = 0;
        const stream = new ReadableStream({
          cancel() {
            cancelled += 1;
            return cancel();
          },
        });
        const source = toSource(stream);
        const pending = source.next();
        source.stop();
        assert.deepEqual(await pending, { done: true, value: undefined });
        assert.equal(cancelled, 1);
        await turn();
      }
    });

    it('a web stream that somebody else reads is refused', () => {
      const stream = new ReadableStream();
      stream.getReader();
      assert.throws(() => toSource(stream), TypeError);
    });
  });

  describe('emitters', () => {
    it('an emitter keeps one listener, which ignores errors, when its sources are over', () => {
      for (const finish of [
        (emitter) => emitter.emit('end'),
        (emitter) => emitter.emit('close'),
        (emitter) => emitter.emit('error', FAILURE),
        (_, source) => source.stop(),
      ]) {
        const emitter = new EventEmitter();
        for (let times = 0; times < 3; times += 1) {
          const source = toSource(emitter);
          record(source);
          assert.equal(emitter.eventNames().length, 4);
          finish(emitter, source);
        }
        assert.deepEqual(emitter.eventNames(), ['error']);
        assert.equal(emitter.listenerCount('error'), 1);
        emitter.emit('error', FAILURE);
      }
    });

    it('an emitter that closes has ended', async () => {
      const emitter = emitLater(new EventEmitter(), ['data', 1], ['close'], ['end']);
      assert.deepEqual(await allOf(emitter), [1, 'end']);
    });

    it('items that an emitter emits before the start wait, in order', () => {
      const emitter = new EventEmitter();
      const source = toSource(emitter);
      emitter.emit('data', 1);
      emitter.emit('data', 2);
      const log = [];
      source.start({
        item(value) {
          log.push(value);
          if (value === 1) {
            emitter.emit('data', 3);
            emitter.emit('end');
          }
        },
        end: () => log.push('end'),
      });
      assert.deepEqual(log, [1, 2, 3, 'end']);
    });

    it('an emitter that fails before the start gives its items and its error then', async () => {
      const emitter = new EventEmitter();
      const source = toSource(emitter);
      emitter.emit('data', 1);
      emitter.emit('error', FAILURE);
      assert.deepEqual(emitter.eventNames(), ['error']);
      const { log, over } = record(source);
      await over;
      assert.deepEqual(log, [1, { error: FAILURE }]);
    });

    it('on() that throws is an error, and no listener for data stays', () => {
      const emitter = new EventEmitter();
      emitter.on('newListener', (event) => {
        if (event === 'data') throw FAILURE;
      });
      assert.throws(() => toSource(emitter), FAILURE);
      assert.deepEqual(emitter.eventNames(), ['newListener', 'error']);
    });

    it('off() that throws is ignored', () => {
      const source = toSource({
        on() {},
        off() {
          throw FAILURE;
        },
      });
      source.stop();
    });
  });

  describe('Observables', () => {
    it('an Observable is not subscribed to before the start', () => {
      let subscribed = 0;
      const source = toSource(observable(() => (subscribed += 1)));
      source.stop();
      record(source);
      assert.equal(subscribed, 0);
    });

    it('an Observable is unsubscribed once when the source is stopped, and its teardown may throw', () => {
      let torn = 0;
      const make = (Class) =>
        new Class(() => () => {
          torn += 1;
          throw FAILURE;
        });
      for (const value of [
        make(rxjs.Observable),
        observable(() => () => {
          torn += 1;
          throw FAILURE;
        }),
        observable(() => ({
          unsubscribe() {
            torn += 1;
            throw FAILURE;
          },
        })),
        observable(() => undefined),
      ]) {
        const source = toSource(value);
        record(source);
        source.stop();
        source.stop();
      }
      assert.equal(torn, 3);
    });

    it('an Observable that is stopped during subscribe() is unsubscribed when that has returned', () => {
      let torn = 0;
      const log = [];
      const source = toSource(
        observable((observer) => {
          observer.next(1);
          observer.next(2);
          return () => (torn += 1);
        }),
      );
      source.start({
        item(value) {
          log.push(value);
          source.stop();
        },
      });
      assert.deepEqual(log, [1]);
      assert.equal(torn, 1);
    });

    it('an Observable that gives more after its end gives nothing more', async () => {
      const value = observable((observer) => {
        observer.next(1);
        observer.complete();
        observer.next(2);
        observer.complete();
        observer.error(FAILURE);
      });
      assert.deepEqual(await allOf(value), [1, 'end']);
    });
  });
});
