// The errors of this package, and their codes.

import type { Server } from './server';

/** All error codes of this package. */
export type ErrorCode =
  | 'ERR_LOOPBACK_SOCKET_ACK_TIMEOUT'
  | 'ERR_LOOPBACK_SOCKET_CALL_TIMEOUT'
  | 'ERR_LOOPBACK_SOCKET_CANCELLED'
  | 'ERR_LOOPBACK_SOCKET_DISCONNECTED'
  | 'ERR_LOOPBACK_SOCKET_EXPIRED'
  | 'ERR_LOOPBACK_SOCKET_FORBIDDEN'
  | 'ERR_LOOPBACK_SOCKET_INVALID_ACCESS_TOKEN'
  | 'ERR_LOOPBACK_SOCKET_INVALID_APPLICATION'
  | 'ERR_LOOPBACK_SOCKET_INVALID_ARGUMENTS'
  | 'ERR_LOOPBACK_SOCKET_INVALID_CALLBACK'
  | 'ERR_LOOPBACK_SOCKET_INVALID_COMMAND'
  | 'ERR_LOOPBACK_SOCKET_INVALID_PACKET'
  | 'ERR_LOOPBACK_SOCKET_INVALID_HOST'
  | 'ERR_LOOPBACK_SOCKET_INVALID_NAME'
  | 'ERR_LOOPBACK_SOCKET_INVALID_OPTION'
  | 'ERR_LOOPBACK_SOCKET_INVALID_SERVER'
  | 'ERR_LOOPBACK_SOCKET_INVALID_SESSION_ID'
  | 'ERR_LOOPBACK_SOCKET_INVALID_SOURCE'
  | 'ERR_LOOPBACK_SOCKET_INVALID_TIMEOUT'
  | 'ERR_LOOPBACK_SOCKET_MALFORMED_MESSAGE'
  | 'ERR_LOOPBACK_SOCKET_NAME_IN_USE'
  | 'ERR_LOOPBACK_SOCKET_NO_ADDON'
  | 'ERR_LOOPBACK_SOCKET_RATE_LIMITED'
  | 'ERR_LOOPBACK_SOCKET_INVALID_HANDLER'
  | 'ERR_LOOPBACK_SOCKET_INVALID_KEY'
  | 'ERR_LOOPBACK_SOCKET_NO_SHARED_SOURCE'
  | 'ERR_LOOPBACK_SOCKET_TOO_MANY_SUBSCRIPTIONS'
  | 'ERR_LOOPBACK_SOCKET_TOO_MANY_SOURCES'
  | 'ERR_LOOPBACK_SOCKET_SUBSCRIPTION_REMOVED'
  | 'ERR_LOOPBACK_SOCKET_REMOTE_METHOD'
  | 'ERR_LOOPBACK_SOCKET_REPEATED_NEXT'
  | 'ERR_LOOPBACK_SOCKET_RESERVED_EVENT'
  | 'ERR_LOOPBACK_SOCKET_REVOKED'
  | 'ERR_LOOPBACK_SOCKET_TOO_MANY_ATTEMPTS'
  | 'ERR_LOOPBACK_SOCKET_TOO_MANY_CALLS'
  | 'ERR_LOOPBACK_SOCKET_TOO_MANY_PENDING'
  | 'ERR_LOOPBACK_SOCKET_UNKNOWN_OPTION'
  | 'ERR_LOOPBACK_SOCKET_UNLOADABLE_ADDON'
  | 'ERR_LOOPBACK_SOCKET_UNSENDABLE_VALUE'
  | 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_API'
  | 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_OPTION'
  | 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_REMOTE_METHOD';

/** What follows `ERR_LOOPBACK_SOCKET_` in an {@link ErrorCode}. */
type CodeName = ErrorCode extends infer Code
  ? Code extends `ERR_LOOPBACK_SOCKET_${infer Name}`
    ? Name
    : never
  : never;

/**
 * The `code` of the warnings that the process emits: for an ignored option, for a second native
 * server on the same path of one HTTP server, for a namespace whose clients receive no
 * broadcasts because they are not in the default namespace ({@link StartOptions.open}), for a
 * native addon of another version, and for an adapter that got no usable event.
 */
export type WarningCode =
  | 'ERR_LOOPBACK_SOCKET_GATED_NAMESPACE'
  | 'ERR_LOOPBACK_SOCKET_IGNORED_OPTION'
  | 'ERR_LOOPBACK_SOCKET_INVALID_COMMAND'
  | 'ERR_LOOPBACK_SOCKET_INVALID_PACKET'
  | 'ERR_LOOPBACK_SOCKET_SAME_PATH';

/**
 * An error of this package.
 * Constructors are those that the package itself calls; a handler may throw a {@link CallError}.
 *
 * @example
 * try {
 *   sockets.start(io);
 * } catch (err) {
 *   if (err instanceof LoopbackSocket.LoopbackSocketError) console.error(err.code, err.message);
 * }
 */
export class LoopbackSocketError extends Error {
  /**
   * @param code - what follows `ERR_LOOPBACK_SOCKET_` in its `code`, such as `'FORBIDDEN'`
   * @param message - what is wrong, and what to do
   * @param cause - the error behind it
   */
  constructor(code: CodeName, message: string, cause?: unknown);
  /** Whether it is for clients, such as one of a limit, and no mistake of the application. */
  static readonly isOfPeer: boolean;
  /** The error code. It is stable across releases. */
  readonly code: ErrorCode;
  /** The address of the paragraph of the documentation on this code. */
  readonly help: string;
}

/**
 * {@link LoopbackSocket.defineMethod} or `defineSubscription()` got a name that the other one has:
 * clients call both by their names.
 */
export class NameInUseError extends LoopbackSocketError {
  constructor(name: string, kind: string, remove: string);
  readonly code: 'ERR_LOOPBACK_SOCKET_NAME_IN_USE';
}

/** {@link LoopbackSocket.get} was called without a name. */
export class InvalidNameError extends LoopbackSocketError {
  constructor(name: unknown);
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_NAME';
}

/**
 * {@link LoopbackSocket.start} got something that has no sockets to serve, such as an Express app,
 * a LoopBack 4 application or a stream. The message says what it is and what to pass instead.
 */
export class InvalidHostError extends LoopbackSocketError {
  constructor(host: unknown, kind?: { what?: string; instead?: string });
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_HOST';
}

/** {@link LoopbackSocket.exposeModels} got something that is not a LoopBack 3 application. */
export class InvalidApplicationError extends LoopbackSocketError {
  constructor(app: unknown);
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_APPLICATION';
}

/**
 * A remote method of LoopBack cannot be called over a socket, because it needs the HTTP response, files or
 * streams. A client that calls it receives this as `error`.
 */
export class UnsupportedRemoteMethodError extends LoopbackSocketError {
  constructor(method: string, reason: string);
  readonly code: 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_REMOTE_METHOD';
  /** The name of the remote method. */
  readonly method: string;
  readonly statusCode: 501;
}

/**
 * A remote method of LoopBack failed. The client receives the error that REST sends; `cause` is what the
 * method, a hook or the authorization failed with.
 */
export class RemoteMethodError extends LoopbackSocketError {
  constructor(body: { statusCode: number; message: string; [field: string]: any }, cause?: unknown);
  readonly code: 'ERR_LOOPBACK_SOCKET_REMOTE_METHOD';
  /** The status that the REST response would have. */
  readonly statusCode: number;
  /** Returns what the client receives. */
  toJSON(): { statusCode: number; message: string; [field: string]: any };
}

/**
 * The option `accessToken` of {@link LoopbackSocket.exposeModels}, or `socket.accessToken`, gave an object that is not an
 * instance of LoopBack's AccessToken. Not thrown: the call fails.
 */
export class InvalidAccessTokenError extends LoopbackSocketError {
  constructor(token: unknown);
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_ACCESS_TOKEN';
}

/**
 * A {@link Server} got something that is neither an HTTP(S) server nor a port, or was attached
 * while it was closing.
 */
export class InvalidServerError extends LoopbackSocketError {
  constructor(server: unknown, isClosing?: boolean, kind?: { what?: string; instead?: string });
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_SERVER';
}

/**
 * `io.engine.generateId` returned something that cannot be a session id, or the id of another
 * session.
 */
export class InvalidSessionIdError extends LoopbackSocketError {
  constructor(...id: [id?: unknown]);
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_SESSION_ID';
}

/**
 * An option of a {@link Server} or of {@link LoopbackSocket.start} is unknown, or its value is
 * invalid.
 */
export class InvalidOptionError extends LoopbackSocketError {
  constructor(
    option: string,
    value: unknown,
    needs?: string,
    known?: string[],
    whose?: string,
    got?: string,
  );
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_OPTION' | 'ERR_LOOPBACK_SOCKET_UNKNOWN_OPTION';
  /** The name of the option. */
  readonly option: string;
}

/** A {@link Server} does not support this option of Socket.IO, or its value. */
export class UnsupportedOptionError extends LoopbackSocketError {
  constructor(option: string, instead: string);
  readonly code: 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_OPTION';
  /** The name of the option. */
  readonly option: string;
}

/**
 * A {@link Server} does not have this member of Socket.IO; the message says what to use instead.
 */
export class UnsupportedApiError extends LoopbackSocketError {
  constructor(member: string, instead: string);
  readonly code: 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_API';
  /** The member. */
  readonly member: string;
}

/** An event with a reserved name, such as `disconnect`, cannot be emitted to clients, nor be a subscription. */
export class ReservedEventError extends LoopbackSocketError {
  constructor(event: string, reason?: string);
  readonly code: 'ERR_LOOPBACK_SOCKET_RESERVED_EVENT';
}

/** A callback is not a function. */
export class InvalidCallbackError extends LoopbackSocketError {
  constructor(callback: unknown);
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_CALLBACK';
}

/** `timeout()` got something that is not a number of milliseconds. */
export class InvalidTimeoutError extends LoopbackSocketError {
  constructor(timeout: unknown);
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_TIMEOUT';
}

/** A client did not acknowledge an event within the time given with `timeout()`. */
export class AckTimeoutError extends LoopbackSocketError {
  constructor();
  readonly code: 'ERR_LOOPBACK_SOCKET_ACK_TIMEOUT';
  /** The answers of other clients, if the event was for several clients. */
  readonly responses?: any[];
}

/** The addon was sent a command that it cannot read: emitted as a warning of the process. */
export class InvalidCommandError extends LoopbackSocketError {
  constructor(reason: string);
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_COMMAND';
  /** The link, as Node.js shows it below a warning. */
  readonly detail: string;
}

/**
 * An adapter broadcasts a packet that is no event with a name, or has an impossible id; or another server has emitted an
 * event with too many arguments by `serverSideEmit()`. Emitted as a warning of the process; the packet is dropped.
 */
export class InvalidPacketError extends LoopbackSocketError {
  constructor(nsp: string);
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_PACKET';
  /** The link, as Node.js shows it below a warning. */
  readonly detail: string;
  /** The name of the namespace. */
  readonly nsp: string;
}

/**
 * A client sent something that is not a valid packet: its sockets emit this as `error`, and its
 * connection is closed.
 */
export class MalformedMessageError extends LoopbackSocketError {
  constructor();
  readonly code: 'ERR_LOOPBACK_SOCKET_MALFORMED_MESSAGE';
}

/**
 * A value of the application cannot be sent to a client: it is circular, nested too deeply,
 * contains a `BigInt`, or one of its getters or `toJSON` methods throws.
 */
export class UnsendableValueError extends LoopbackSocketError {
  constructor(cause?: unknown);
  readonly code: 'ERR_LOOPBACK_SOCKET_UNSENDABLE_VALUE';
}

/**
 * A client tried to authenticate too often ({@link StartOptions.maxAuthenticationAttempts}). Not
 * thrown: the client receives the message and the code with `unauthorized`.
 */
export class TooManyAttemptsError extends LoopbackSocketError {
  constructor();
  readonly code: 'ERR_LOOPBACK_SOCKET_TOO_MANY_ATTEMPTS';
}

/**
 * Too many sockets of a client's address have not authenticated ({@link
 * StartOptions.maxPendingPerAddress}). Not thrown: the client receives the message and the code
 * with `unauthorized`.
 */
export class TooManyPendingError extends LoopbackSocketError {
  constructor();
  readonly code: 'ERR_LOOPBACK_SOCKET_TOO_MANY_PENDING';
}

/**
 * The handler of a subscription gave something that yields no items. Not thrown: the client receives
 * the message and the code as the error of its request.
 */
export class InvalidSourceError extends LoopbackSocketError {
  constructor(source: unknown, hint?: string);
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_SOURCE';
}

/**
 * A call is refused, or ends before its handler is done. The client gets its `code`, its `message` and
 * its other fields as `error`, whatever {@link InstanceOptions.errors} says. A handler may throw one
 * itself: a {@link ForbiddenError}, an {@link InvalidArgumentsError}, a {@link RateLimitedError}, or a `CallError` with
 * a code of this package and a message of its own. For a code of its own, it throws an `Error` that has a `toJSON`.
 *
 * @example
 * sockets.defineMethod('closeShop', (socket, credentials, { shop }) => {
 *   if (!socket.data.shops.has(shop)) throw new LoopbackSocket.ForbiddenError('not your shop');
 *   if (socket.data.isBusy) throw new LoopbackSocket.CallError('TOO_MANY_CALLS', 'close one shop at a time');
 * });
 */
export class CallError extends LoopbackSocketError {
  /** What the client gets. */
  toJSON(): { code: ErrorCode; message: string };
}

/** `authorize` of a method or subscription gave a false value, or threw. */
export class ForbiddenError extends CallError {
  /**
   * @param message - what the client reads; `'Forbidden'` by default
   * @param cause - the error behind it, which the client does not get
   */
  constructor(message?: string, cause?: unknown);
  readonly code: 'ERR_LOOPBACK_SOCKET_FORBIDDEN';
}

/** One thing that is wrong with the arguments of a call. */
export interface ArgumentIssue {
  /** What is wrong. */
  message: string;
  /** Where: the keys that lead to it. */
  path: Array<string | number>;
}

/** `validate` of a method or subscription found the arguments of a call invalid. */
export class InvalidArgumentsError extends CallError {
  /** @param issues - what is wrong, and where */
  constructor(issues: ArgumentIssue[]);
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_ARGUMENTS';
  /** What is wrong, and where: the first 100 issues. */
  readonly issues: ArgumentIssue[];
}

/** A call took longer than the `timeout` of its method. */
export class CallTimeoutError extends CallError {
  /** @param timeout - the timeout, in ms */
  constructor(timeout: number);
  readonly code: 'ERR_LOOPBACK_SOCKET_CALL_TIMEOUT';
}

/** The client has cancelled the call. */
export class CallCancelledError extends CallError {
  constructor();
  readonly code: 'ERR_LOOPBACK_SOCKET_CANCELLED';
}

/** Too many calls of a socket are in progress. */
export class TooManyCallsError extends CallError {
  constructor();
  readonly code: 'ERR_LOOPBACK_SOCKET_TOO_MANY_CALLS';
}

/** A socket calls a method more often than its `rate` allows. */
export class RateLimitedError extends CallError {
  /** @param retryAfter - in how many ms the next call is allowed */
  constructor(retryAfter: number);
  readonly code: 'ERR_LOOPBACK_SOCKET_RATE_LIMITED';
  /** In how many ms the next call is allowed. */
  readonly retryAfter: number;
}

/** The socket has ended: the `reason` of the aborted `signal` of its calls. */
export class DisconnectedError extends LoopbackSocketError {
  constructor();
  readonly code: 'ERR_LOOPBACK_SOCKET_DISCONNECTED';
}

/** An interceptor called `next()` a second time. */
export class RepeatedNextError extends LoopbackSocketError {
  constructor();
  readonly code: 'ERR_LOOPBACK_SOCKET_REPEATED_NEXT';
}

/**
 * The date in `socket.expires` has passed. Not thrown: the client receives the message and the code
 * with `unauthorized`.
 */
export class ExpiredError extends LoopbackSocketError {
  constructor();
  readonly code: 'ERR_LOOPBACK_SOCKET_EXPIRED';
}

/**
 * {@link LoopbackSocket.revoke} has ended the socket. Not thrown: the client receives the message and
 * the code with `unauthorized`.
 */
export class RevokedError extends LoopbackSocketError {
  constructor();
  readonly code: 'ERR_LOOPBACK_SOCKET_REVOKED';
}

/** {@link LoopbackSocket.defineSubscription} got a handler that is neither a function nor names a method of a model. */
export class InvalidHandlerError extends LoopbackSocketError {
  constructor(where: string, handler: unknown);
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_HANDLER';
}

/** The option `key` of a subscription returned neither a string nor `{ key, args }` with one. */
export class InvalidKeyError extends LoopbackSocketError {
  constructor(name: string, key: unknown);
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_KEY';
}

/** {@link LoopbackSocket.publish} got the name of no subscription, or of one with private sources. */
export class NoSharedSourceError extends LoopbackSocketError {
  constructor(name: string, isDefined: boolean);
  readonly code: 'ERR_LOOPBACK_SOCKET_NO_SHARED_SOURCE';
}

/** A socket has as many subscriptions as `maxSubscriptions` of {@link LoopbackSocket.start} allows. */
export class TooManySubscriptionsError extends CallError {
  constructor();
  readonly code: 'ERR_LOOPBACK_SOCKET_TOO_MANY_SUBSCRIPTIONS';
}

/** An instance runs as many shared sources as {@link SubscriptionOptions.maxSources} allows. */
export class TooManySourcesError extends CallError {
  constructor();
  readonly code: 'ERR_LOOPBACK_SOCKET_TOO_MANY_SOURCES';
}

/** A client asked for a subscription that was removed after it had authenticated. */
export class RemovedSubscriptionError extends CallError {
  constructor();
  readonly code: 'ERR_LOOPBACK_SOCKET_SUBSCRIPTION_REMOVED';
}

/**
 * The addon for this platform is not installed and not built; the message names the package that has
 * it, and `cause` is the error of its loader. `require('loopback-socket')` throws it.
 */
export class MissingAddonError extends LoopbackSocketError {
  constructor(platform: string, advice: string, cause?: unknown);
  readonly code: 'ERR_LOOPBACK_SOCKET_NO_ADDON';
}

/**
 * The addon for this platform is installed and cannot be loaded: the system's C library is too old,
 * Node was started with `--permission` and without `--allow-addons`, the file is damaged or is for
 * another system. The message has the reason and what to do; `cause` is what the system said.
 * `require('loopback-socket')` throws it.
 */
export class UnloadableAddonError extends LoopbackSocketError {
  constructor(platform: string, file: string, reason: Error, remedy: string);
  readonly code: 'ERR_LOOPBACK_SOCKET_UNLOADABLE_ADDON';
}

// As in api.d.ts: `CodeName` is private.
export {};
