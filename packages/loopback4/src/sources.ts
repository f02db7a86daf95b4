import LoopbackSocket from 'loopback-socket';

/**
 * Makes of the errors of a source what clients get: of an async iterable, also of one that is resumed.
 * Streams and Observables are left as they are, because they are told apart by what they are.
 *
 * @param source - what a method gave
 * @param mapError - gives what to throw for an error
 */
export function withErrors(source: unknown, mapError: (error: unknown) => unknown): unknown {
  if (source instanceof ResumedSource) {
    return LoopbackSocket.resumed(withErrors(source.source, mapError));
  }
  if (!isAsyncIterable(source) || isStream(source)) {
    return source;
  }
  return {
    [Symbol.asyncIterator](): AsyncIterator<unknown> {
      const iterator = source[Symbol.asyncIterator]();
      return {
        next: async () => {
          try {
            return await iterator.next();
          } catch (error) {
            throw mapError(error);
          }
        },
        return: async () => (await iterator.return?.()) ?? { done: true, value: undefined },
      };
    },
  };
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

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator] === 'function'
  );
}

function isStream(value: object): boolean {
  const { pipe, getReader } = value as { pipe?: unknown; getReader?: unknown };
  return typeof pipe === 'function' || typeof getReader === 'function';
}
