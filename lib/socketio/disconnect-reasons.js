'use strict';

/**
 * Why sockets and connections end: the words of Socket.IO, and the details it gives as the second
 * argument of `disconnecting`, `disconnect` and the `close` of `socket.conn`.
 */

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

/** The words of `ws` for what a websocket may not carry, by `Fault::number` in `src/websocket/codec.rs`. */
const FAULTS = [
  () => 'RangeError: Invalid WebSocket frame: RSV2 and RSV3 must be clear',
  () => 'RangeError: Invalid WebSocket frame: RSV1 must be clear',
  (opcode) => `RangeError: Invalid WebSocket frame: invalid opcode ${opcode}`,
  () => 'RangeError: Invalid WebSocket frame: FIN must be set',
  (length) => `RangeError: Invalid WebSocket frame: invalid payload length ${length}`,
  () => 'RangeError: Invalid WebSocket frame: MASK must be set',
  (code) => `RangeError: Invalid WebSocket frame: invalid status code ${code}`,
  () => 'Error: Invalid WebSocket frame: invalid UTF-8 sequence',
  () => 'RangeError: Max payload size exceeded',
  () => 'RangeError: Unsupported WebSocket frame: payload length > 2^53 - 1',
];

/** The reasons by the native server's code for each, with what makes the details where there are any. */
const REASONS = [
  ['client namespace disconnect'],
  ['server namespace disconnect'],
  ['transport close'],
  [ERROR],
  ['ping timeout'],
  ['parse error'],
  ['server shutting down'],
  [
    ERROR,
    () => ({ message: 'The client did not read what was sent: maxBackpressure was exceeded.' }),
  ],
  ['forced server close'],
  [FORCED],
  ['server namespace disconnect'],
  [ERROR, () => transportError('overlap from client')],
  [ERROR, () => transportError('data request overlap from client')],
  [ERROR, () => transportError('invalid content')],
  [ERROR, () => transportError('payload too large')],
  [ERROR, () => transportError('poll connection closed prematurely')],
  [ERROR, () => transportError('data request connection closed prematurely')],
  [ERROR, () => new Error('invalid heartbeat direction')],
  [ERROR, (fault, more) => transportError(FAULTS[fault](more))],
];

/** The codes of what goes wrong with a request of long polling. */
const DATA_OVERLAP = 12;
const PAYLOAD_TOO_LARGE = 14;
const POLL_CLOSED = 15;
const DATA_CLOSED = 16;

/**
 * @typedef {object} End
 * @property {number} code the native server's code for it
 * @property {string} reason Socket.IO's words
 * @property {object} [details] more about it
 */

/**
 * @param {number} code the native server's code: a reason, a fault of a frame, what more there is to
 *   about that
 * @returns {End} reason and details
 */
function endOf(code) {
  const [reason, detailsOf] = REASONS[code & 0xff];
  return { code, reason, details: detailsOf?.((code >> 8) & 0xff, code >>> 16) };
}

/**
 * @param {string} reason why a connection's sockets ended
 * @returns {string} why the connection did, in Engine.IO's words
 */
function ofConnection(reason) {
  return reason === 'server shutting down' ? FORCED : reason;
}

module.exports = {
  DATA_CLOSED,
  DATA_OVERLAP,
  PAYLOAD_TOO_LARGE,
  POLL_CLOSED,
  endOf,
  ofConnection,
};
