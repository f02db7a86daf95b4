'use strict';

/**
 * Why sockets and connections end: the words of Socket.IO, and the details it gives as the second
 * argument of `disconnecting`, `disconnect` and the `close` of `socket.conn`.
 */

const { CloseReason } = require('../native/protocol');

/** Engine.IO's words for the end of a connection whose sockets end for a reason of Socket.IO's own. */
const FORCED = 'forced close';

const ERROR = 'transport error';

/**
 * An error of a transport, as Engine.IO makes it.
 *
 * @param {string} message what is wrong
 * @returns {Error} the error
 */
function transportError(message) {
  return Object.assign(new Error(message), { type: 'TransportError', description: undefined });
}

/** What listeners are told of a client that did not read what was sent. */
const BACKPRESSURE = 'The client did not read what was sent: maxBackpressure was exceeded.';

/**
 * The reasons: Socket.IO's words, and what makes the details where there are any.
 *
 * @type {Map<number, [reason: string, detailsOf?: (more: unknown) => object]>}
 */
const REASONS = new Map([
  [CloseReason.CLIENT_NAMESPACE_DISCONNECT, ['client namespace disconnect']],
  [CloseReason.SERVER_NAMESPACE_DISCONNECT, ['server namespace disconnect']],
  [CloseReason.AUTHENTICATION_TIMEOUT, ['server namespace disconnect']],
  [CloseReason.TRANSPORT_CLOSE, ['transport close']],
  [CloseReason.TRANSPORT_ERROR, [ERROR]],
  [CloseReason.PING_TIMEOUT, ['ping timeout']],
  [CloseReason.PARSE_ERROR, ['parse error']],
  [CloseReason.SERVER_SHUTTING_DOWN, ['server shutting down']],
  [CloseReason.BACKPRESSURE, [ERROR, () => ({ message: BACKPRESSURE })]],
  [CloseReason.FORCED_SERVER_CLOSE, ['forced server close']],
  [CloseReason.FORCED_CLOSE, [FORCED]],
  [CloseReason.REFUSED, ['server namespace disconnect']],
  [CloseReason.POLL_OVERLAP, [ERROR, () => transportError('overlap from client')]],
  [CloseReason.DATA_OVERLAP, [ERROR, () => transportError('data request overlap from client')]],
  [CloseReason.INVALID_CONTENT, [ERROR, () => transportError('invalid content')]],
  [CloseReason.PAYLOAD_TOO_LARGE, [ERROR, () => transportError('payload too large')]],
  [CloseReason.POLL_CLOSED, [ERROR, () => transportError('poll connection closed prematurely')]],
  [
    CloseReason.DATA_CLOSED,
    [ERROR, () => transportError('data request connection closed prematurely')],
  ],
  [CloseReason.HEARTBEAT_DIRECTION, [ERROR, () => new Error('invalid heartbeat direction')]],
  [CloseReason.INVALID_FRAME, [ERROR, transportError]],
]);

/**
 * For these a socket ends while its connection is open. For any other the connection is closed by then, as in
 * Socket.IO, where the end of the connection comes first.
 */
const WHILE_OPEN = new Set([
  CloseReason.CLIENT_NAMESPACE_DISCONNECT,
  CloseReason.SERVER_NAMESPACE_DISCONNECT,
  CloseReason.AUTHENTICATION_TIMEOUT,
  CloseReason.SERVER_SHUTTING_DOWN,
  CloseReason.FORCED_SERVER_CLOSE,
  CloseReason.REFUSED,
]);

/**
 * @typedef {object} End
 * @property {number} code its `CloseReason`
 * @property {string} reason Socket.IO's words
 * @property {object} [details] more about it
 */

/**
 * @param {number} code a `CloseReason`
 * @param {unknown} more what there is to say of it besides
 * @returns {End} reason and details
 */
function endOf(code, more) {
  const [reason, detailsOf] = REASONS.get(code);
  return { code, reason, details: detailsOf?.(more) };
}

/**
 * @param {number} code the `CloseReason` of a socket
 * @returns {boolean} whether its connection has ended, too
 */
function isOfConnection(code) {
  return !WHILE_OPEN.has(code);
}

/**
 * @param {string} reason why a connection's sockets ended
 * @returns {string} why the connection did, in Engine.IO's words
 */
function ofConnection(reason) {
  return reason === 'server shutting down' ? FORCED : reason;
}

/**
 * @param {{message?: unknown}} [details] of the end of a socket
 * @returns {boolean} whether its client did not read what was sent
 */
function isOfBackpressure(details) {
  return details?.message === BACKPRESSURE;
}

module.exports = { endOf, isOfBackpressure, isOfConnection, ofConnection };
