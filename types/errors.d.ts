// The errors of this package, and their codes.

import type { Server } from './server';

/** All error codes of this package. */
export type ErrorCode =
  | 'ERR_LOOPBACK_SOCKET_ACK_TIMEOUT'
  | 'ERR_LOOPBACK_SOCKET_INVALID_CALLBACK'
  | 'ERR_LOOPBACK_SOCKET_INVALID_COMMAND'
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
  | 'ERR_LOOPBACK_SOCKET_RESERVED_EVENT'
  | 'ERR_LOOPBACK_SOCKET_TOO_MANY_ATTEMPTS'
  | 'ERR_LOOPBACK_SOCKET_TOO_MANY_PENDING'
  | 'ERR_LOOPBACK_SOCKET_UNKNOWN_OPTION'
  | 'ERR_LOOPBACK_SOCKET_UNSENDABLE_VALUE'
  | 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_API'
  | 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_OPTION';

/**
 * The `code` of the warnings that the process emits: for an ignored option, for a second native
 * server on the same path of one HTTP server, and for a namespace whose clients receive no
 * broadcasts because they are not in the default namespace ({@link StartOptions.open}).
 */
export type WarningCode =
  | 'ERR_LOOPBACK_SOCKET_GATED_NAMESPACE'
  | 'ERR_LOOPBACK_SOCKET_IGNORED_OPTION'
  | 'ERR_LOOPBACK_SOCKET_SAME_PATH';

/**
 * An error of this package.
 *
 * @example
 * try {
 *   sockets.start(io);
 * } catch (err) {
 *   if (err instanceof LoopbackSocket.LoopbackSocketError) console.error(err.code, err.message);
 * }
 */
export class LoopbackSocketError extends Error {
  /** The error code. It is stable across releases. */
  readonly code: ErrorCode;
}

/**
 * {@link LoopbackSocket.defineMethod} or `defineSubscription()` got a name that the other one has:
 * clients call both by their names.
 */
export class NameInUseError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_NAME_IN_USE';
}

/** {@link LoopbackSocket.get} was called without a name. */
export class InvalidNameError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_NAME';
}

/**
 * {@link LoopbackSocket.start} got something that has no sockets to serve, such as an Express app,
 * a LoopBack 4 application or a stream. The message says what it is and what to pass instead.
 */
export class InvalidHostError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_HOST';
}

/**
 * A {@link Server} got something that is neither an HTTP(S) server nor a port, or was attached
 * while it was closing.
 */
export class InvalidServerError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_SERVER';
}

/**
 * `io.engine.generateId` returned something that cannot be a session id, or the id of another
 * session.
 */
export class InvalidSessionIdError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_SESSION_ID';
}

/**
 * An option of a {@link Server} or of {@link LoopbackSocket.start} is unknown, or its value is
 * invalid.
 */
export class InvalidOptionError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_OPTION' | 'ERR_LOOPBACK_SOCKET_UNKNOWN_OPTION';
  /** The name of the option. */
  readonly option: string;
}

/** A {@link Server} does not support this option of Socket.IO, or its value. */
export class UnsupportedOptionError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_OPTION';
  /** The name of the option. */
  readonly option: string;
}

/**
 * A {@link Server} does not have this member of Socket.IO; the message says what to use instead.
 */
export class UnsupportedApiError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_API';
  /** The member. */
  readonly member: string;
}

/** An event with a reserved name, such as `disconnect`, cannot be emitted to clients. */
export class ReservedEventError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_RESERVED_EVENT';
}

/** A callback is not a function. */
export class InvalidCallbackError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_CALLBACK';
}

/** `timeout()` got something that is not a number of milliseconds. */
export class InvalidTimeoutError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_TIMEOUT';
}

/** A client did not acknowledge an event within the time given with `timeout()`. */
export class AckTimeoutError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_ACK_TIMEOUT';
  /** The answers of other clients, if the event was for several clients. */
  readonly responses?: any[];
}

/** The addon was sent a command that it cannot read: emitted as a warning of the process. */
export class InvalidCommandError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_COMMAND';
}

/**
 * A client sent something that is not a valid packet: its sockets emit this as `error`, and its
 * connection is closed.
 */
export class MalformedMessageError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_MALFORMED_MESSAGE';
}

/**
 * A value of the application cannot be sent to a client: it is circular, nested too deeply,
 * contains a `BigInt`, or one of its getters or `toJSON` methods throws.
 */
export class UnsendableValueError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_UNSENDABLE_VALUE';
}

/**
 * A client tried to authenticate too often ({@link StartOptions.maxAuthenticationAttempts}). Not
 * thrown: the client receives the message and the code with `unauthorized`.
 */
export class TooManyAttemptsError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_TOO_MANY_ATTEMPTS';
}

/**
 * Too many sockets of a client's address have not authenticated ({@link
 * StartOptions.maxPendingPerAddress}). Not thrown: the client receives the message and the code
 * with `unauthorized`.
 */
export class TooManyPendingError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_TOO_MANY_PENDING';
}

/**
 * The handler of a subscription gave something that yields no items. Not thrown: the client receives
 * the message and the code as the error of its request.
 */
export class InvalidSourceError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_SOURCE';
}

/**
 * The addon for this platform is not installed, not built, or fails to load; `cause` is the error
 * of its loader. `require('loopback-socket')` throws it.
 */
export class MissingAddonError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_NO_ADDON';
}
