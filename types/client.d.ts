// The helper for clients, `loopback-socket/client`. Nothing here needs the types of Node.

import type {
  AnyApi,
  ApiMap,
  ArgsOf,
  CredentialsOf,
  ItemOf,
  MethodsOf,
  ResultOf,
  SubscriptionsOf,
} from './api';

export type {
  AnyApi,
  AnyMethods,
  AnySubscriptions,
  ApiMap,
  ApiOf,
  ArgsOf,
  CredentialsOf,
  DefinedApi,
  ItemOf,
  MethodMap,
  MethodsOf,
  ResultOf,
  SubscriptionMap,
  SubscriptionsOf,
} from './api';

/** A socket of socket.io-client, of any version from 1.7 on. */
export interface ClientSocket {
  readonly connected: boolean;
  on(event: any, listener: any): any;
  off(event: any, listener: any): any;
  emit(event: any, ...args: any[]): any;
}

/** A value, or a function that gives it or promises it. */
type Given<Value> = Value | (() => Value | PromiseLike<Value>);

/** Options of {@link client}. */
export interface ClientOptions<Credentials = any> {
  /**
   * What to authenticate with. A function is called for each attempt, so that it can renew what has
   * expired. If it fails, or what it gives cannot be sent, the attempt is refused with an
   * {@link UnauthorizedError} whose `cause` is that failure.
   */
  credentials?: Given<Credentials>;
  /**
   * How long calls and requests to subscribe wait for their answer, in ms, and calls for
   * authentication. No limit by default.
   */
  timeout?: number;
  /**
   * Whether the server is told to disconnect the socket when it refuses the credentials. By default
   * the socket stays, and may {@link Client.authenticate} until the server's timeout.
   * @defaultValue false
   */
  disconnectWhenUnauthorized?: boolean;
}

/** Options of {@link Client.call}. */
export interface CallOptions {
  /** Ends the call with the signal's reason, and the method on the server, if it has options. */
  signal?: AbortSignal;
  /** How long to wait for the answer, in ms; that of the client by default. */
  timeout?: number;
}

/** Options of {@link Client.subscribe}. */
export interface SubscribeOptions {
  /** Unsubscribes; the loop ends with the signal's reason. */
  signal?: AbortSignal;
  /** Continues after the item of this id: the {@link Subscription.lastId} of an earlier one. */
  after?: string | number;
  /**
   * Called, and awaited, when items are missing between the one that the loop has handled and the
   * next one: the connection was lost, or `after` is too old, and the server could not resume. Fetch
   * the current state here. If it fails, the loop does.
   */
  onGap?: () => unknown;
  /** How long to wait for the answer to a request to subscribe, in ms; the client's by default. */
  timeout?: number;
}

/** Arguments and options; the arguments may be left out if a method takes none. */
export type Rest<Args, Options> = undefined extends Args
  ? [args?: Args, options?: Options]
  : [args: Args, options?: Options];

/**
 * What a client is doing. `disconnected`: the socket is not connected, yet or any more.
 * `authenticating`: the credentials have not been answered. `ready`: calls are sent at once.
 * `unauthorized`: the server refused the credentials. `closed`: {@link Client.close} was called.
 */
export type ClientState = 'disconnected' | 'authenticating' | 'ready' | 'unauthorized' | 'closed';

/**
 * Makes the helper for a socket. It authenticates whenever the socket connects.
 *
 * @typeParam Api - what the server offers: an interface with `credentials`, `methods` and
 *   `subscriptions`, the same as for `LoopbackSocket.get<Api>()`, or `typeof` what `defineApi()` gives
 *
 * @example
 * import { io as connect } from 'socket.io-client';
 * import { client } from 'loopback-socket/client';
 *
 * interface Api {
 *   credentials: { token: string };
 *   methods: { findBooks(args: { author: string }): Array<{ title: string }> };
 *   subscriptions: { orders(args: { shop: number }): { id: number } };
 * }
 *
 * const app = client<Api>(connect('http://localhost:3000'), {
 *   credentials: { token: 'open sesame' },
 * });
 * const books = await app.call('findBooks', { author: 'Mary Shelley' });
 * for await (const order of app.subscribe('orders', { shop: 7 })) {
 *   console.log(order.id, books.length);
 * }
 */
export function client<Api extends ApiMap<Api> = AnyApi>(
  socket: ClientSocket,
  options?: ClientOptions<CredentialsOf<Api>>,
): Client<Api>;

/**
 * Authenticates a socket, sends its calls and keeps its subscriptions.
 *
 * @typeParam Api - see {@link client}
 */
export class Client<Api extends ApiMap<Api> = AnyApi> extends EventTarget {
  /** The same as {@link client}. */
  constructor(socket: ClientSocket, options?: ClientOptions<CredentialsOf<Api>>);

  /** The socket that was given. */
  readonly socket: ClientSocket;

  /** What the client is doing. It emits an event `statechange` when that changes. */
  readonly state: ClientState;

  /**
   * Resolves once the server has accepted the credentials. Rejects with an {@link UnauthorizedError}
   * if it refuses them, and with a {@link DisconnectedError} if the socket does not connect again. It
   * is another promise after a disconnection.
   *
   * @example
   * import { client, UnauthorizedError } from 'loopback-socket/client';
   * import { io as connect } from 'socket.io-client';
   *
   * const app = client(connect(), { credentials: { token: 'guess' } });
   * try {
   *   await app.ready;
   * } catch (error) {
   *   if (error instanceof UnauthorizedError) console.log(`Please sign in: ${error.message}`);
   * }
   */
  readonly ready: Promise<void>;

  /**
   * Authenticates again: with credentials that have been renewed, or after a refusal. Calls and
   * subscriptions of an authenticated socket go on meanwhile, and after a refusal, too.
   *
   * @param credentials - used from now on, also after reconnections; by default those of before
   */
  authenticate(credentials?: Given<CredentialsOf<Api>>): Promise<void>;

  /**
   * Calls a method, once the socket is authenticated. A call is sent once at most: if the connection
   * is lost before the answer, it rejects with a {@link DisconnectedError}; if the server ends the
   * authentication, with an {@link UnauthorizedError}.
   *
   * @throws {@link RemoteError} if the method fails, {@link TimeoutError}, {@link DisconnectedError},
   *   {@link UnauthorizedError}, a `TypeError` whose `cause` is why the arguments cannot be sent, or the
   *   reason of the signal
   */
  call<Name extends keyof MethodsOf<Api> & string>(
    name: Name,
    ...rest: Rest<ArgsOf<MethodsOf<Api>[Name]>, CallOptions>
  ): Promise<ResultOf<MethodsOf<Api>[Name]>>;

  /**
   * Subscribes, now or once the socket is authenticated, and again after each reconnection, after the
   * last item that has arrived.
   */
  subscribe<Name extends keyof SubscriptionsOf<Api> & string>(
    name: Name,
    ...rest: Rest<ArgsOf<SubscriptionsOf<Api>[Name]>, SubscribeOptions>
  ): Subscription<ItemOf<SubscriptionsOf<Api>[Name]>>;

  /**
   * Ends all calls and subscriptions and removes all listeners from the socket, which stays
   * connected.
   */
  close(): void;
}

/**
 * The items of one subscription, for one loop. An item is acknowledged when the loop asks for the
 * next one; a loop that takes its time slows the server down.
 */
export class Subscription<Item = any> implements AsyncIterableIterator<Item, undefined> {
  private constructor();

  /**
   * Resolves once the server has accepted the subscription: every item from then on is given to the
   * loop. Rejects with what the loop fails with if it does not.
   */
  readonly ready: Promise<void>;

  /** The id of the last item that the loop was given; undefined if it has none. */
  readonly lastId: string | number | undefined;

  /** Gives the next item. What was given before has been handled, and is acknowledged. */
  next(): Promise<IteratorResult<Item, undefined>>;

  /** Unsubscribes. `break` and `return` in a loop call it. */
  return(value?: any): Promise<IteratorResult<Item, undefined>>;

  /** Unsubscribes. */
  throw(error?: unknown): Promise<IteratorResult<Item, undefined>>;

  [Symbol.asyncIterator](): this;
}

/** The server answered with an error. */
export class RemoteError extends Error {
  readonly name: 'RemoteError';
  /** The method or subscription. */
  readonly method: string;
  /** What the server sent: anything that can be thrown, as JSON has it. */
  readonly error: any;
  /** Its `code`, if it has one. */
  readonly code: any;
  /** The address of what the documentation says about the code, if it is one of this package. */
  readonly help: string | undefined;
  /** What is wrong with the arguments, if the server has validated them: Standard Schema's issues. */
  readonly issues: ReadonlyArray<{ message: string; path?: ReadonlyArray<any> }> | undefined;
}

/**
 * The server did not accept the credentials, or has ended the authentication, or the function
 * `credentials` failed, or gave what cannot be sent. If a call was under way, it may have run.
 */
export class UnauthorizedError extends Error {
  readonly name: 'UnauthorizedError';
  /** The `code` of the refusal if it has one; else `ERR_LOOPBACK_SOCKET_UNAUTHORIZED`. */
  readonly code: any;
  /** The address of what the documentation says about the code, if it is one of this package. */
  readonly help: string | undefined;
  /** What the server sent with `unauthorized`. */
  readonly refusal: any;
}

/** No answer came in time. The method may have run. */
export class TimeoutError extends Error {
  readonly name: 'TimeoutError';
  readonly code: 'ERR_LOOPBACK_SOCKET_TIMEOUT';
  /** The address of what the documentation says about the code. */
  readonly help: string;
  /** The method or subscription. */
  readonly method: string;
}

/**
 * The connection was lost while a call was under way, which may have run; or the socket does not
 * connect again.
 */
export class DisconnectedError extends Error {
  readonly name: 'DisconnectedError';
  readonly code: 'ERR_LOOPBACK_SOCKET_DISCONNECTED';
  /** The address of what the documentation says about the code. */
  readonly help: string;
  /**
   * The reason of the socket's `disconnect` event; `connect_error` and `reconnect_failed` if it could
   * not connect; `closed` after {@link Client.close}.
   */
  readonly reason: string;
}

/** The server ended a subscription other than because its source was done. */
export class SubscriptionError extends Error {
  readonly name: 'SubscriptionError';
  /** The name of the subscription. */
  readonly subscription: string;
  /** Why it ended; a later server may have more reasons. */
  readonly reason: 'error' | 'revoked' | 'slow' | 'removed' | (string & {});
  /** What its source failed with, for the reason `error`. */
  readonly error: any;
  /** The `code` of that, if it has one. */
  readonly code: any;
  /** The address of what the documentation says about the code, if it is one of this package. */
  readonly help: string | undefined;
  /** The id of the last item, to subscribe again `after` it. */
  readonly lastId: string | number | undefined;
}
