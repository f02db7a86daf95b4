// The errors of this package, and their codes.

import type { Server } from './server';

/** Every code of an error of this package. */
export type ErrorCode =
  | 'ERR_LOOPBACK_SOCKET_ACK_TIMEOUT'
  | 'ERR_LOOPBACK_SOCKET_INVALID_CALLBACK'
  | 'ERR_LOOPBACK_SOCKET_INVALID_HOST'
  | 'ERR_LOOPBACK_SOCKET_INVALID_NAME'
  | 'ERR_LOOPBACK_SOCKET_INVALID_OPTION'
  | 'ERR_LOOPBACK_SOCKET_INVALID_SERVER'
  | 'ERR_LOOPBACK_SOCKET_INVALID_SESSION_ID'
  | 'ERR_LOOPBACK_SOCKET_INVALID_TIMEOUT'
  | 'ERR_LOOPBACK_SOCKET_MALFORMED_MESSAGE'
  | 'ERR_LOOPBACK_SOCKET_NO_ADDON'
  | 'ERR_LOOPBACK_SOCKET_RESERVED_EVENT'
  | 'ERR_LOOPBACK_SOCKET_TOO_MANY_ATTEMPTS'
  | 'ERR_LOOPBACK_SOCKET_TOO_MANY_PENDING'
  | 'ERR_LOOPBACK_SOCKET_UNKNOWN_OPTION'
  | 'ERR_LOOPBACK_SOCKET_UNSENDABLE_VALUE'
  | 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_API'
  | 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_OPTION';

/**
 * The `code` of the warning that the process emits for an option that is ignored, for a second native
 * server on the same path of one http server, and for a namespace with clients that get no broadcasts
 * there, since they are not in the default namespace ({@link StartOptions.open}).
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
  /** Which one it is; stays the same from release to release. */
  readonly code: ErrorCode;
}

/** {@link LoopbackSocket.get} was called without a name. */
export class InvalidNameError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_NAME';
}

/**
 * {@link LoopbackSocket.start} was given something that has no sockets to serve, as an app of Express,
 * a LoopBack 4 application or a stream. The message says what it is and where its server is.
 */
export class InvalidHostError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_HOST';
}

/**
 * A {@link Server} was given something that is neither an http(s) server nor a port, or was
 * attached while it was closing.
 */
export class InvalidServerError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_SERVER';
}

/** What `io.engine.generateId` gave is no id of a session, or that of another session. */
export class InvalidSessionIdError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_SESSION_ID';
}

/** An option of a {@link Server}, or of {@link LoopbackSocket.start}, is unknown or impossible. */
export class InvalidOptionError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_OPTION' | 'ERR_LOOPBACK_SOCKET_UNKNOWN_OPTION';
  /** The name of the option. */
  readonly option: string;
}

/** An option of Socket.IO asks for what a {@link Server} cannot do. */
export class UnsupportedOptionError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_OPTION';
  /** The name of the option. */
  readonly option: string;
}

/** A member of Socket.IO that a {@link Server} does not have; the message says what to use. */
export class UnsupportedApiError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_API';
  /** The member. */
  readonly member: string;
}

/** An event that a socket has for itself, as `disconnect`, cannot be emitted to clients. */
export class ReservedEventError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_RESERVED_EVENT';
}

/** Something else than a function was given as a callback. */
export class InvalidCallbackError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_CALLBACK';
}

/** `timeout()` was given something else than a number of ms. */
export class InvalidTimeoutError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_TIMEOUT';
}

/** A client did not acknowledge an event in the time given by `timeout()`. */
export class AckTimeoutError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_ACK_TIMEOUT';
  /** What others acknowledged with, if the event was for several clients. */
  readonly responses?: any[];
}

/** A client sent what is no packet: its sockets emit this as `error`, and its connection ends. */
export class MalformedMessageError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_MALFORMED_MESSAGE';
}

/**
 * A value of the application cannot be sent to a client: it is circular, nested too deeply, or
 * holds a `BigInt`, or a getter or `toJSON` of it throws.
 */
export class UnsendableValueError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_UNSENDABLE_VALUE';
}

/**
 * A client has tried to authenticate too often ({@link StartOptions.maxAuthenticationAttempts}). Not
 * thrown: the client gets the message and the code with `unauthorized`.
 */
export class TooManyAttemptsError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_TOO_MANY_ATTEMPTS';
}

/**
 * Too many sockets of a client's address have not authenticated
 * ({@link StartOptions.maxPendingPerAddress}). Not thrown: the client gets the message and the code
 * with `unauthorized`.
 */
export class TooManyPendingError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_TOO_MANY_PENDING';
}

/**
 * The addon for this platform is not installed, not built, or cannot be loaded; `cause` is what its
 * loader threw. `require('loopback-socket')` itself throws it.
 */
export class MissingAddonError extends LoopbackSocketError {
  readonly code: 'ERR_LOOPBACK_SOCKET_NO_ADDON';
}
