'use strict';

/**
 * What a subscription's handler gives, as a source of one of two kinds: one that is pulled, an item at a time,
 * or one that pushes. It hides how the many things that yield items in JavaScript begin, end, fail and are
 * stopped.
 *
 * Whatever the value does:
 *
 * - A source ends once: with an end, an error or `stop()`. It gives nothing afterwards.
 * - `stop()` releases the value once (`return()` of an iterator, `destroy()` of a stream, …), also if nothing
 *   was taken from it yet. It never throws, never waits, and a release that fails is ignored; but what a generator
 *   of the application throws then is told, as nothing of a handler may fail unseen.
 * - What the value throws, also from a getter, is an error of the source. Nothing becomes an unhandled
 *   rejection or an `error` event that nobody listens to.
 */

const { settleValue } = require('../calls/invoke');
const { InvalidSourceError } = require('../errors');

/**
 * A source that gives an item when it is asked for one. Ask again only when the last promise has settled.
 *
 * @typedef {object} PullSource
 * @property {'pull'} kind
 * @property {() => Promise<{ done: boolean, value: unknown }>} next gives the next item; `done` after the last
 *   one and after `stop()`, which also settles a promise that is pending; rejects, once, if the source fails
 * @property {(sink: Sink) => void} start instead of `next`: gives all items as fast as they come. Even if there
 *   always is another one, the event loop runs.
 * @property {() => void} stop ends it
 */

/**
 * A source that gives items when it has them.
 *
 * @typedef {object} PushSource
 * @property {'push'} kind
 * @property {(sink: Sink) => void} start begins to give items, perhaps before it returns
 * @property {() => void} stop ends it
 */

/**
 * Receives what a source gives. If `item` throws, that is an error of the source; the others must not throw.
 *
 * @typedef {object} Sink
 * @property {(value: unknown) => void} item
 * @property {() => void} end
 * @property {(error: unknown) => void} error
 */

/** How many items are taken in a row from a source that is not waited for, before the event loop runs. */
const ITEMS_IN_A_ROW = 64;

/** Does nothing. One function, so that an emitter never has it twice as a listener. */
const ignore = () => {};

/**
 * Recognises what a handler gave, and takes hold of it: of an iterable it has the iterator, of a stream the
 * reader or a listener for `error`. So the source must be stopped, or read to its end.
 *
 * The first that applies counts. Streams come first: those of Node are also async iterables and emitters, and
 * only their own methods stop them while a read is pending. Then comes what can be asked, so that it can wait;
 * an Observable comes before an iterable because an object that is both, such as an observable collection,
 * is asked for its changes. Emitters come last, because many things have an `on` that is for something else.
 *
 * 1. a `Readable` of Node: it has `read`, `on`, `pipe` and says whether it is in object mode
 * 2. a web `ReadableStream`: it has `getReader` and `cancel`
 * 3. an async iterable
 * 4. an Observable: it has `Symbol.observable` or `@@observable`
 * 5. an iterable; not a string, nor a view of bytes
 * 6. an emitter of `data`, `end`, `close` and `error`: it has `on` or `addListener`, and `off` or
 *    `removeListener`
 *
 * @param {any} value what a handler gave
 * @param {(error: unknown) => void} [dropped] takes what the value fails with when it is released, or later
 * @returns {PullSource | PushSource} the source
 * @throws {InvalidSourceError} if it is nothing that yields items
 * @throws whatever a getter of the value throws, or a method that is called to take hold of it
 */
function toSource(value, dropped = ignore) {
  if ((typeof value !== 'object' || value === null) && typeof value !== 'function') {
    const isText = typeof value === 'string';
    throw new InvalidSourceError(
      value,
      isText ? 'To send a string as one item, wrap it in an array.' : '',
    );
  }
  if (areFunctions(value.read, value.on, value.pipe)) {
    const isObjectMode = value.readableObjectMode ?? value._readableState?.objectMode;
    if (typeof isObjectMode === 'boolean') {
      if (!isObjectMode) {
        // Nobody else knows that it is not needed.
        ignoreErrors(value);
        quietly(() => value.destroy());
        throw new InvalidSourceError(
          value,
          'This stream is not in object mode: create it with { objectMode: true }, or pipe it through a ' +
            'stream that is and that parses what it reads.',
        );
      }
      return new Pulled(new ReadableReader(value));
    }
  }
  if (areFunctions(value.getReader, value.cancel)) {
    return new Pulled(new WebStreamReader(value.getReader(), dropped));
  }
  const asyncIterator = value[Symbol.asyncIterator];
  if (typeof asyncIterator === 'function') {
    return new Pulled(new IteratorReader(iteratorOf(value, asyncIterator), false, dropped));
  }
  const observable = observableOf(value);
  if (observable !== undefined) {
    return new Pushed((sink) => new ObservableSubscription(observable, sink, dropped));
  }
  const iterator = value[Symbol.iterator];
  if (typeof iterator === 'function' && !ArrayBuffer.isView(value)) {
    return new Pulled(new IteratorReader(iteratorOf(value, iterator), true, dropped));
  }
  const on = value.on ?? value.addListener;
  const off = value.off ?? value.removeListener;
  if (areFunctions(on, off)) {
    return new Pushed((sink) => new EmitterListeners(value, on, off, sink, dropped));
  }
  throw new InvalidSourceError(
    value,
    typeof value === 'function'
      ? 'Call the function, if it is a generator: give what it returns.'
      : '',
  );
}

/** A `PullSource` of something that is read. */
class Pulled {
  kind = 'pull';
  /** @type {Reader | undefined} until the source has ended */
  #reader;
  /** @type {{ resolve: Function, reject: Function } | undefined} settle the promise of `next()` */
  #waiting;
  /** @type {Sink | undefined} receives all items, if the source was started */
  #sink;
  /** How many items the sink has received since the event loop ran. */
  #inARow = 0;

  /**
   * @param {Reader} reader reads it
   */
  constructor(reader) {
    this.#reader = reader;
  }

  /**
   * @returns {Promise<{ done: boolean, value: unknown }>} the next item
   */
  next() {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#read();
    });
  }

  /**
   * @param {Sink} sink receives all items
   * @returns {void}
   */
  start(sink) {
    if (this.#reader === undefined) {
      return;
    }
    this.#sink = sink;
    this.#take();
  }

  /** Ends it. */
  stop() {
    this.#sink = undefined;
    this.#end(true);
  }

  /** Takes an item for the sink, and then the next one. */
  #take = () => {
    this.next().then(this.#give, this.#giveError);
  };

  /**
   * @param {unknown} error what the source failed with
   */
  #giveError = (error) => {
    this.#sink?.error(error);
  };

  /**
   * @param {{ done: boolean, value: unknown }} next what the source gave
   */
  #give = ({ done, value }) => {
    const sink = this.#sink;
    if (sink === undefined) {
      return;
    }
    if (done) {
      sink.end();
      return;
    }
    try {
      sink.item(value);
    } catch (error) {
      // Told before the release, which may run code of the application that stops the source.
      this.#sink = undefined;
      sink.error(error);
      this.stop();
      return;
    }
    this.#inARow += 1;
    if (this.#inARow < ITEMS_IN_A_ROW) {
      this.#take();
    } else {
      this.#inARow = 0;
      setImmediate(this.#take);
    }
  };

  #read() {
    if (this.#reader === undefined) {
      this.#settle(true, undefined);
      return;
    }
    try {
      this.#reader.read(this.#settle, this.#fail);
    } catch (error) {
      this.#fail(error);
    }
  }

  /**
   * @param {boolean} done whether there are no more items
   * @param {unknown} value the item that was read
   */
  #settle = (done, value) => {
    if (done) {
      this.#end(false);
      return;
    }
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve({ done: false, value });
  };

  /**
   * @param {unknown} error what reading failed with
   */
  #fail = (error) => {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(error);
    this.#end(false);
  };

  /**
   * @param {boolean} isStopped whether it was not read to its end
   */
  #end(isStopped) {
    const reader = this.#reader;
    const waiting = this.#waiting;
    this.#reader = undefined;
    this.#waiting = undefined;
    reader?.release(isStopped);
    waiting?.resolve({ done: true, value: undefined });
  }
}

/**
 * Reads something. `read` calls one of its functions, once, before it returns or later; `release` is called
 * once and must not throw.
 *
 * @typedef {object} Reader
 * @property {(settle: (done: boolean, value: unknown) => void, fail: (error: unknown) => void) => void} read
 * @property {(isStopped: boolean) => void} release
 */

/** Reads an iterator, asynchronous or not. */
class IteratorReader {
  #iterator;
  #next;
  #isSync;
  #dropped;
  /** Whether it has neither ended nor failed: only then is its `return` called, as by `for await`. */
  #isOpen = true;
  /** Whether a `next()` that does not give a promise is being called. */
  #isRunning = false;
  #isReleased = false;

  /**
   * @param {any} iterator what a method of the iterable returned
   * @param {boolean} isSync whether it gives its results without a promise
   * @param {(error: unknown) => void} dropped takes what it fails with when it has been released
   */
  constructor(iterator, isSync, dropped) {
    this.#iterator = iterator;
    this.#next = iterator.next;
    this.#isSync = isSync;
    this.#dropped = dropped;
  }

  read(settle, fail) {
    let result;
    this.#isRunning = this.#isSync;
    try {
      result = Reflect.apply(this.#next, this.#iterator, []);
    } catch (error) {
      this.#isOpen = false;
      fail(error);
      return;
    } finally {
      this.#isRunning = false;
    }
    // Whatever kind it is: some iterators of iterables give promises of results, though they should not.
    settleValue(result, (failed, value) => {
      if (failed) {
        this.#isOpen = false;
        if (this.#isReleased) {
          this.#dropped(value);
        }
        fail(value);
      } else {
        this.#take(value, settle, fail);
      }
    });
  }

  /**
   * @param {any} result a result of the iterator
   * @param {Function} settle as in `read`
   * @param {Function} fail as in `read`
   */
  #take(result, settle, fail) {
    let value;
    try {
      if (!isObject(result)) {
        throw new TypeError('next() of the iterator gave something that is not an object.');
      }
      if (result.done) {
        this.#isOpen = false;
      } else {
        value = result.value;
      }
    } catch (error) {
      this.#isOpen = false;
      fail(error);
      return;
    }
    if (this.#isReleased) {
      this.release();
    } else if (!this.#isOpen) {
      settle(true, undefined);
    } else if (this.#isSync) {
      // As in `for await`: the items of an iterable may be promises.
      settleValue(value, (failed, item) => (failed ? fail(item) : settle(false, item)));
    } else {
      settle(false, value);
    }
  }

  release() {
    this.#isReleased = true;
    // A generator cannot be returned while it runs: that follows when it has given its item.
    if (this.#isOpen && !this.#isRunning) {
      this.#isOpen = false;
      quietly(() => this.#iterator.return?.(), this.#dropped);
      // A promise of `next()` that never settles would keep it.
      this.#iterator = undefined;
      this.#next = undefined;
    }
  }
}

/** Reads a web `ReadableStream`. */
class WebStreamReader {
  #reader;
  #dropped;

  /**
   * @param {ReadableStreamDefaultReader} reader of the stream
   * @param {(error: unknown) => void} dropped takes what it fails with when it is cancelled
   */
  constructor(reader, dropped) {
    this.#reader = reader;
    this.#dropped = dropped;
  }

  read(settle, fail) {
    settleValue(this.#reader.read(), (failed, result) => {
      if (failed) {
        fail(result);
        return;
      }
      try {
        settle(Boolean(result.done), result.value);
      } catch (error) {
        fail(error);
      }
    });
  }

  release(isStopped) {
    if (isStopped) {
      quietly(() => this.#reader.cancel(), this.#dropped);
    }
  }
}

/** Reads a `Readable` of Node, of this or an older release. */
class ReadableReader {
  #stream;
  #hasEnded = false;
  /** @type {{ error: unknown } | undefined} what the stream failed with */
  #failure;
  /** @type {{ settle: Function, fail: Function } | undefined} the functions of a `read` that waits */
  #waiting;
  /** Whether `readable` is listened to: only from the first `read`, as listening makes the stream begin. */
  #isReading = false;

  /**
   * @param {import('node:stream').Readable} stream the stream
   */
  constructor(stream) {
    this.#stream = stream;
    if (stream.errored != null) {
      this.#failure = { error: stream.errored };
    } else if (stream.destroyed && !stream.readableEnded) {
      this.#failure = { error: prematureClose() };
    } else if (stream.readable === false) {
      this.#hasEnded = true;
    }
    stream.on('error', this.#onError);
    stream.on('end', this.#onEnd);
    stream.on('close', this.#onClose);
  }

  read(settle, fail) {
    this.#waiting = { settle, fail };
    if (!this.#isReading) {
      this.#isReading = true;
      this.#stream.on('readable', this.#advance);
    }
    this.#advance();
  }

  #advance = () => {
    const waiting = this.#waiting;
    if (waiting === undefined) {
      return;
    }
    // What was buffered before the end or the failure of an older stream can still be read.
    let item;
    try {
      item = this.#stream.read();
    } catch (error) {
      this.#failure ??= { error };
      item = null;
    }
    if (this.#waiting !== waiting) {
      // While it was read, the stream called a listener that stopped the source.
      return;
    }
    if (item !== null) {
      this.#waiting = undefined;
      waiting.settle(false, item);
    } else if (this.#failure !== undefined) {
      this.#waiting = undefined;
      waiting.fail(this.#failure.error);
    } else if (this.#hasEnded) {
      this.#waiting = undefined;
      waiting.settle(true, undefined);
    }
  };

  #onError = (error) => {
    this.#failure ??= { error };
    this.#advance();
  };

  #onEnd = () => {
    this.#hasEnded = true;
    this.#advance();
  };

  #onClose = () => {
    if (!this.#hasEnded) {
      this.#failure ??= { error: prematureClose() };
    }
    this.#advance();
  };

  release() {
    const stream = this.#stream;
    this.#waiting = undefined;
    ignoreErrors(stream);
    quietly(() => stream.removeListener('readable', this.#advance));
    quietly(() => stream.removeListener('end', this.#onEnd));
    quietly(() => stream.removeListener('close', this.#onClose));
    quietly(() => stream.removeListener('error', this.#onError));
    quietly(() => stream.destroy());
  }
}

/** A `PushSource`. What comes before it is started waits. */
class Pushed {
  kind = 'push';
  /** @type {Producer | undefined} until the source has ended */
  #producer;
  /** @type {Sink | undefined} where its items go */
  #sink;
  /** @type {[keyof Sink, unknown][] | undefined} what is given to the sink when the source is started */
  #early = [];
  /** Whether nothing more is taken from the producer. */
  #isClosed = false;

  /**
   * @param {(sink: Sink) => Producer} produce begins to listen
   */
  constructor(produce) {
    this.#producer = produce({
      item: (value) => this.#receive('item', value),
      end: () => this.#receive('end'),
      error: (error) => this.#receive('error', error),
    });
    if (this.#isClosed) {
      this.#release();
    }
  }

  /**
   * @param {Sink} sink receives all items
   * @returns {void}
   */
  start(sink) {
    this.#sink = sink;
    // What is emitted meanwhile is appended, so it comes after what was there before.
    for (let at = 0; this.#early !== undefined && at < this.#early.length; at += 1) {
      this.#give(...this.#early[at]);
    }
    this.#early = undefined;
    try {
      this.#producer?.start();
    } catch (error) {
      this.#receive('error', error);
    }
  }

  /** Ends it. */
  stop() {
    this.#isClosed = true;
    this.#early = undefined;
    this.#sink = undefined;
    this.#release();
  }

  /**
   * @param {keyof Sink} kind what the producer gives
   * @param {unknown} [value] an item or an error
   */
  #receive(kind, value) {
    if (this.#isClosed) {
      return;
    }
    if (kind !== 'item') {
      this.#isClosed = true;
      this.#release();
    }
    if (this.#early === undefined) {
      this.#give(kind, value);
    } else {
      this.#early.push([kind, value]);
    }
  }

  /**
   * @param {keyof Sink} kind what the sink receives
   * @param {unknown} value an item or an error
   */
  #give(kind, value) {
    const sink = this.#sink;
    if (sink === undefined) {
      return;
    }
    if (kind !== 'item') {
      sink[kind](value);
      return;
    }
    try {
      sink.item(value);
    } catch (error) {
      this.#isClosed = true;
      this.#sink = undefined;
      sink.error(error);
      this.stop();
    }
  }

  #release() {
    const producer = this.#producer;
    this.#producer = undefined;
    producer?.release();
  }
}

/**
 * Something that gives items to the sink it was made with. It may give them, end or fail before `start` is
 * called; `release` is called once and must not throw.
 *
 * @typedef {object} Producer
 * @property {() => void} start
 * @property {() => void} release
 */

/** Subscribes to an Observable when it is started. */
class ObservableSubscription {
  #observable;
  #sink;
  #subscription;
  #dropped;
  #isReleased = false;

  /**
   * @param {any} observable has a method `subscribe`
   * @param {Sink} sink receives its items
   * @param {(error: unknown) => void} dropped takes what unsubscribing fails with
   */
  constructor(observable, sink, dropped) {
    this.#observable = observable;
    this.#sink = sink;
    this.#dropped = dropped;
  }

  start() {
    const { item, end, error } = this.#sink;
    const subscription = this.#observable.subscribe({
      // Observables of the ECMAScript proposal call this before they give the first item.
      start: (early) => {
        this.#subscription ??= early;
      },
      next: item,
      error,
      complete: end,
    });
    this.#subscription ??= subscription;
    if (this.#isReleased) {
      this.#unsubscribe();
    }
  }

  release() {
    this.#isReleased = true;
    this.#unsubscribe();
  }

  #unsubscribe() {
    const subscription = this.#subscription;
    this.#subscription = undefined;
    quietly(
      () => (typeof subscription === 'function' ? subscription() : subscription?.unsubscribe()),
      this.#dropped,
    );
  }
}

/**
 * Listens to an emitter, at once: nobody knows when it begins to emit. A stream of the first kind, without
 * `read`, is an emitter too; it is destroyed at the end.
 */
class EmitterListeners {
  #emitter;
  #on;
  #off;
  #dropped;
  /** Whether it is a stream, which nobody else needs. */
  #isStream;
  /** @type {[string, Function][]} */
  #listeners = [];

  /**
   * @param {any} emitter the emitter
   * @param {Function} on its method that adds a listener
   * @param {Function} off its method that removes one
   * @param {Sink} sink receives what it emits
   * @param {(error: unknown) => void} dropped takes what it fails with when it is released
   */
  constructor(emitter, on, off, sink, dropped) {
    this.#emitter = emitter;
    this.#on = on;
    this.#off = off;
    this.#dropped = dropped;
    this.#isStream = areFunctions(emitter.pipe, emitter.destroy);
    const listeners = Object.entries({
      error: (error) => sink.error(error),
      end: () => sink.end(),
      close: () => sink.end(),
      data: (value) => sink.item(value),
    });
    try {
      for (const [event, listener] of listeners) {
        this.#listeners.push([event, listener]);
        Reflect.apply(on, emitter, [event, listener]);
      }
    } catch (error) {
      this.release();
      throw error;
    }
  }

  start() {}

  release() {
    const emitter = this.#emitter;
    ignoreErrors(emitter, this.#on, this.#off);
    for (const [event, listener] of this.#listeners) {
      quietly(() => Reflect.apply(this.#off, emitter, [event, listener]), this.#dropped);
    }
    if (this.#isStream) {
      quietly(() => emitter.destroy(), this.#dropped);
    }
  }
}

/**
 * Keeps a listener for `error`, one, on an emitter that is not listened to any more: it may fail later, and the
 * process would end if nobody listened, for no other reason than that a client has left.
 *
 * @param {any} emitter an emitter or a stream
 * @param {Function} [on] its method that adds a listener
 * @param {Function} [off] its method that removes one
 * @returns {void}
 */
function ignoreErrors(emitter, on = emitter.on, off = emitter.removeListener) {
  quietly(() => Reflect.apply(off, emitter, ['error', ignore]));
  quietly(() => Reflect.apply(on, emitter, ['error', ignore]));
}

/**
 * Runs something that releases a value. What it throws does not matter to the source, and neither does the
 * rejection of a promise that it gives: the source has ended.
 *
 * @param {() => unknown} release what to run
 * @param {(error: unknown) => void} [dropped] takes the error
 * @returns {void}
 */
function quietly(release, dropped = ignore) {
  try {
    settleValue(release(), (failed, error) => (failed ? dropped(error) : undefined));
  } catch (error) {
    dropped(error);
  }
}

/**
 * @param {any} iterable has the method
 * @param {Function} method gives its iterator
 * @returns {object} the iterator
 * @throws {InvalidSourceError} if it is none
 */
function iteratorOf(iterable, method) {
  const iterator = Reflect.apply(method, iterable, []);
  if (!isObject(iterator) || typeof iterator.next !== 'function') {
    throw new InvalidSourceError(
      iterable,
      'The method that gives its iterator gave something else.',
    );
  }
  return iterator;
}

/**
 * @param {any} value any object
 * @returns {object | undefined} the Observable that it is or gives
 * @throws {InvalidSourceError} if what it gives is none
 */
function observableOf(value) {
  // RxJS has the string if nobody had defined the symbol before it was loaded.
  const method = (Symbol.observable && value[Symbol.observable]) ?? value['@@observable'];
  if (typeof method !== 'function') {
    return undefined;
  }
  const observable = Reflect.apply(method, value, []);
  if (!isObject(observable) || typeof observable.subscribe !== 'function') {
    throw new InvalidSourceError(
      value,
      'The method that gives its Observable gave something else.',
    );
  }
  return observable;
}

/**
 * @returns {Error} the error of a stream that is closed before it has ended, as Node has it
 */
function prematureClose() {
  const error = new Error('The stream was closed before its end.');
  return Object.assign(error, { code: 'ERR_STREAM_PREMATURE_CLOSE' });
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it has members
 */
function isObject(value) {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

/**
 * @param {...unknown} values any values
 * @returns {boolean} whether all of them are functions
 */
function areFunctions(...values) {
  return values.every((value) => typeof value === 'function');
}

module.exports = { toSource };
