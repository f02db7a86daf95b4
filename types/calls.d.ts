// Options of methods, interceptors and listeners of errors.

import type { Callback, Timeout } from './loopback-socket';
import type { Socket } from './socket';

/** The second argument of {@link LoopbackSocket.get} and of the constructor, as an object. */
export interface InstanceOptions {
  /** How long a socket may stay connected without authenticating; 3000 ms by default. */
  timeout?: Timeout;
  /**
   * What a client gets if a handler fails with an `Error`. `'fields'`: the fields that were added to it,
   * as in version 0.4, which is `{}` for most errors. `'message'`: its `message` and its `code`, and
   * nothing else. Errors with a `toJSON`, and values that are not errors, are sent as they are in both.
   * @defaultValue 'fields'
   *
   * @example
   * const sockets = LoopbackSocket.get('bookshop', { errors: 'message' });
   */
  errors?: 'fields' | 'message';
  /**
   * After how many ms a call is slow, or a request to subscribe, or an attempt to authenticate. What is slow is
   * published on the channel `loopback-socket:slow` when it is answered, and shown by `DEBUG=loopback-socket:slow`.
   * `Infinity` is never.
   * @defaultValue 1000
   *
   * @example
   * const sockets = LoopbackSocket.get('bookshop', { slowAfter: 200 });
   */
  slowAfter?: number;
}

/**
 * A schema of any library that implements Standard Schema (https://standardschema.dev), such as zod,
 * valibot or arktype.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown, ...more: any[]) => any;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** How often: `limit` calls in `per` ms. Up to `limit` calls may come at once. */
export interface Rate {
  /** How many calls. */
  limit: number;
  /** In how many ms. */
  per: number;
}

/**
 * Options of {@link LoopbackSocket.defineMethod}. They apply in this order: `rate`, `concurrency`,
 * `validate`, `authorize`.
 *
 * @example
 * sockets.defineMethod('report', (socket, credentials, args) => `report of ${args.year}`, {
 *   authorize: (socket, credentials, args) => args.year > 2000,
 *   timeout: 10_000,
 *   concurrency: 2,
 *   rate: { limit: 10, per: 60_000 },
 * });
 */
export interface MethodOptions<Credentials = any, Args = any, S = Socket> {
  /**
   * Decides whether a client may make a call, before the handler runs. It may be asynchronous. Any value
   * but a true one, or an error, refuses the call: the client gets a {@link ForbiddenError}, with the
   * message of the error. An error derived from {@link LoopbackSocketError} is sent as it is.
   */
  authorize?: (socket: S, credentials: Credentials, args: Args) => unknown;
  /**
   * Checks the arguments. What it gives takes their place; if they are invalid, the client gets an
   * {@link InvalidArgumentsError}.
   */
  validate?: StandardSchema<any, Args>;
  /**
   * How long a call may take, in ms. After that, the client gets a {@link CallTimeoutError}, and the
   * `signal` of the call is aborted.
   */
  timeout?: number;
  /**
   * How many calls of one socket may run. Another one is refused with a {@link TooManyCallsError}. A call
   * counts until its handler is done, even after its timeout.
   * @defaultValue Infinity
   */
  concurrency?: number;
  /** How often one socket may call. Another call is refused with a {@link RateLimitedError}. */
  rate?: Rate;
  /**
   * Whether the handler gets a {@link CallContext} before `cb`.
   * @defaultValue false
   */
  context?: boolean;
}

/** What a handler with the option `context` gets. */
export interface CallContext {
  /**
   * Aborted when nobody waits for the result any more: the client has cancelled the call or left, or the
   * timeout is over. Its `reason` is a {@link CallCancelledError}, {@link DisconnectedError} or {@link
   * CallTimeoutError}.
   */
  signal: AbortSignal;
  /** When the timeout is over, in ms since 1970; `undefined` without a timeout. */
  deadline: number | undefined;
}

/**
 * Answers a call, as {@link LoopbackSocket.Method}, with the option `context`.
 *
 * @example
 * const search: LoopbackSocket.ContextMethod<unknown, { text: string }, unknown> = async (
 *   socket,
 *   credentials,
 *   { text },
 *   { signal },
 * ) => (await fetch(`http://search.local/?q=${encodeURIComponent(text)}`, { signal })).json();
 */
export type ContextMethod<Credentials = any, Args = any, Result = any, S = Socket> = (
  socket: S,
  credentials: Credentials,
  args: Args,
  context: CallContext,
  cb: Callback<Result>,
) => Result | PromiseLike<Result> | void;

/** A call or a request to subscribe, as interceptors get it. */
export interface InterceptedCall<Credentials = any, S = Socket> {
  /** What is called. */
  readonly kind: 'method' | 'subscription';
  /** The name of the method or subscription. */
  readonly name: string;
  /** Whose client calls. */
  readonly socket: S;
  /** Those that the socket authenticated with. */
  readonly credentials: Credentials;
  /** The arguments. An interceptor may change them before it calls `next()`. */
  args: any;
  /** Aborted when nobody waits for the result any more. */
  readonly signal: AbortSignal;
  /** When the timeout of the method is over, in ms since 1970. */
  readonly deadline: number | undefined;
}

/**
 * Runs around calls and subscriptions. `next()` runs the interceptors within it and the handler, and
 * gives the result or rejects with the error. What it returns takes the place of the result, unless it
 * returns `undefined`. For a subscription, `next()` gives an opaque value, and what it returns is ignored.
 */
export type Interceptor<Credentials = any, S = Socket> = (
  call: InterceptedCall<Credentials, S>,
  next: () => Promise<any>,
) => unknown;

/** Which handler an error comes from. */
export type ErrorKind =
  | 'authentication'
  | 'connected'
  | 'method'
  | 'subscription'
  | 'authorize'
  | 'validate'
  | 'interceptor'
  | 'clientAddress';

/** What a listener of errors gets beside the error. */
export interface ErrorDetails<S = Socket> {
  /** The socket that the handler ran for; `null` for a source that several sockets share. */
  socket: S | null;
  /** The method or subscription; `undefined` for authentication and `clientAddress`. */
  name: string | undefined;
  /** Which handler failed. */
  kind: ErrorKind;
}

/** Is told of errors of handlers. */
export type ErrorListener<S = Socket> = (error: unknown, details: ErrorDetails<S>) => void;
