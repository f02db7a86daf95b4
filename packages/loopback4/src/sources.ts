import LoopbackSocket from 'loopback-socket';

/** Gives what to throw for an error. */
type ErrorMapper = (error: unknown) => unknown;

/**
 * Makes of the errors of a source what clients get: of an iterable, asynchronous or not, also of one that is resumed.
 * Streams, Observables and emitters are left as they are, because they are told apart by what they are.
 *
 * @param source - what a method gave
 * @param mapError - gives what to throw for an error
 */
export function withErrors(source: unknown, mapError: ErrorMapper): unknown {
  if (source instanceof ResumedSource) {
    return LoopbackSocket.resumed(withErrors(source.source, mapError));
  }
  // A getter of the source may throw, too.
  const kind = mapped(mapError, () => kindOf(source));
  if (kind === 'async') {
    const iterable = source as AsyncIterable<unknown>;
    return { [Symbol.asyncIterator]: () => asyncIterator(iterable, mapError) };
  }
  if (kind === 'sync') {
    const iterable = source as Iterable<unknown>;
    return { [Symbol.iterator]: () => syncIterator(iterable, mapError) };
  }
  return source;
}

/**
 * A source without items, for a method that gives none: what is published is all that its subscribers get.
 *
 * @param signal - ends it
 */
export function untilAborted(signal: AbortSignal | undefined): AsyncIterable<never> {
  const done = { done: true, value: undefined } as const;
  return {
    [Symbol.asyncIterator]: () => ({
      next: () =>
        new Promise((resolve) => {
          signal?.addEventListener('abort', () => resolve(done), { once: true });
        }),
      return: async () => done,
    }),
  };
}

/** The class of what `LoopbackSocket.resumed()` gives. */
const ResumedSource = LoopbackSocket.resumed([]).constructor as new () => { source: unknown };

function asyncIterator(
  iterable: AsyncIterable<unknown>,
  mapError: ErrorMapper,
): AsyncIterator<unknown> {
  const iterator = mapped(mapError, () => iterable[Symbol.asyncIterator]());
  if (!isIterator(iterator)) {
    // loopback-socket refuses it.
    return iterator;
  }
  let isStopped = false;
  // That a source ends because its signal is aborted is no failure: loopback-socket knows it by its name.
  const map: ErrorMapper = (error) => (isStopped && isAbort(error) ? error : mapError(error));
  return {
    next: () => mappedAsync(map, async () => resultOf(await iterator.next())),
    return: () => {
      isStopped = true;
      return mappedAsync(
        map,
        async () => (await iterator.return?.()) ?? { done: true, value: undefined },
      );
    },
  };
}

/** One that stays synchronous: of such a source, loopback-socket takes promises as items, and waits for each. */
function syncIterator(iterable: Iterable<unknown>, mapError: ErrorMapper): Iterator<unknown> {
  const iterator = mapped(mapError, () => iterable[Symbol.iterator]());
  if (!isIterator(iterator)) {
    return iterator;
  }
  const read = (result: IteratorResult<unknown>): IteratorResult<unknown> => {
    const { done, value } = resultOf(result);
    return done ? { done, value } : { done: false, value: mappedItem(mapError, value) };
  };
  return {
    next: () => {
      const result = mapped(mapError, () => iterator.next());
      // Some iterators give promises of results, though they should not.
      return isThenable(result)
        ? (mappedAsync(mapError, async () => read(await result)) as never)
        : mapped(mapError, () => read(result));
    },
    return: () => mapped(mapError, () => iterator.return?.() ?? { done: true, value: undefined }),
  };
}

/** How loopback-socket reads a source, if it does so as an iterable: the first kind that applies counts there, too. */
function kindOf(source: unknown): 'async' | 'sync' | undefined {
  if (!isObject(source) || isReadable(source) || areFunctions(source.getReader, source.cancel)) {
    return undefined;
  }
  if (areFunctions(source[Symbol.asyncIterator])) {
    return 'async';
  }
  const isIterable = areFunctions(source[Symbol.iterator]) && !ArrayBuffer.isView(source);
  return isIterable && !isObservable(source) ? 'sync' : undefined;
}

/** Whether it is a `Readable` of Node, of any release. */
function isReadable({ read, on, pipe, readableObjectMode, _readableState }: Members): boolean {
  const state = _readableState as { objectMode?: unknown } | null | undefined;
  return (
    areFunctions(read, on, pipe) && typeof (readableObjectMode ?? state?.objectMode) === 'boolean'
  );
}

function isObservable(source: Members): boolean {
  const { observable } = Symbol as { observable?: symbol };
  return areFunctions((observable && source[observable]) ?? source['@@observable']);
}

interface Members {
  [member: string | symbol]: unknown;
}

function isObject(value: unknown): value is Members {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

function areFunctions(...values: unknown[]): boolean {
  return values.every((value) => typeof value === 'function');
}

function isIterator(value: unknown): boolean {
  return isObject(value) && areFunctions(value.next);
}

/** Whether an error is how functions of Node end whose signal is aborted. */
function isAbort(error: unknown): boolean {
  return isObject(error) && error.name === 'AbortError';
}

/** A result of an iterator. */
function resultOf<T>(result: T): T {
  if (!isObject(result)) {
    throw new TypeError('next() of the iterator gave something that is not an object.');
  }
  return result;
}

function isThenable(value: unknown): boolean {
  return isObject(value) && areFunctions(value.then);
}

/** An item, which may be a promise. */
function mappedItem(mapError: ErrorMapper, item: unknown): unknown {
  if (!isThenable(item)) {
    return item;
  }
  const promise = mappedAsync(mapError, async () => item);
  // The source may have been stopped by now, and then nobody waits for the item.
  promise.catch(() => {});
  return promise;
}

function mapped<T>(mapError: ErrorMapper, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw mapError(error);
  }
}

async function mappedAsync<T>(mapError: ErrorMapper, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw mapError(error);
  }
}
