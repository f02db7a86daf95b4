'use strict';

/**
 * Requests that are refused: Engine.IO's codes and words, the event that tells the application, and
 * what the client is answered.
 */

const http = require('http');
const { InvalidSessionIdError } = require('../errors');
const { Refusal } = require('../native/protocol');
const { protocolOf } = require('../socketio/engine');

/** Engine.IO's words, by its code. */
const MESSAGES = [
  'Transport unknown',
  'Session ID unknown',
  'Bad handshake method',
  'Bad request',
  'Forbidden',
  'Unsupported protocol version',
];

const BAD_REQUEST = 3;
const FORBIDDEN = 4;

/**
 * Code and context of what the native server refuses.
 *
 * @type {Map<number, (query: Record<string, string>, method: string) => [number, object]>}
 */
const NATIVE = new Map([
  [Refusal.UNKNOWN_TRANSPORT, ({ transport }) => [0, { transport }]],
  [Refusal.UNKNOWN_SESSION, ({ sid }) => [1, { sid }]],
  [Refusal.BAD_HANDSHAKE_METHOD, (query, method) => [2, { method }]],
  [
    Refusal.TRANSPORT_MISMATCH,
    ({ transport }) => [
      BAD_REQUEST,
      {
        name: 'TRANSPORT_MISMATCH',
        transport,
        previousTransport: transport === 'polling' ? 'websocket' : 'polling',
      },
    ],
  ],
  [Refusal.UNSUPPORTED_PROTOCOL, (query) => [5, { protocol: protocolOf(query) }]],
  [
    Refusal.PROTOCOL_MISMATCH,
    (query) => [
      BAD_REQUEST,
      {
        name: 'PROTOCOL_MISMATCH',
        protocol: protocolOf(query),
        previousProtocol: protocolOf(query) === 4 ? 3 : 4,
      },
    ],
  ],
  [Refusal.NOT_AN_UPGRADE, () => [BAD_REQUEST, { name: 'TRANSPORT_HANDSHAKE_ERROR' }]],
  [Refusal.UPGRADE_NOT_ALLOWED, () => [BAD_REQUEST, { name: 'UPGRADE_NOT_ALLOWED' }]],
  [
    Refusal.INVALID_SESSION_ID,
    // Of another session: what is no id at all does not come so far.
    () => [BAD_REQUEST, { name: 'ID_GENERATION_ERROR', error: new InvalidSessionIdError() }],
  ],
]);

/**
 * @typedef {object} Refusal
 * @property {number} code Engine.IO's code
 * @property {object} context what more there is to say
 * @property {number} [status] the HTTP status of an upgrade that is refused, 400 if none is given
 * @property {string} [lines] more lines for the head of its answer, each with its line break
 */

/**
 * @param {number} number a `Refusal` of the native server
 * @param {http.IncomingMessage} req the request, with its `_query`
 * @returns {Refusal} the refusal
 */
function nativeRefusal(number, req) {
  const [code, context] = NATIVE.get(number)(req._query, req.method);
  return { code, context };
}

/**
 * @param {string} name why, in one word
 * @param {object} [more] what more there is to say
 * @returns {Refusal} the refusal of a bad request
 */
function badRequest(name, more) {
  return { code: BAD_REQUEST, context: { name, ...more } };
}

/**
 * @param {unknown} [message] what `allowRequest` said
 * @param {unknown} [error] what it threw
 * @returns {Refusal} the refusal of a request that the application does not allow
 */
function forbidden(message, error) {
  return { code: FORBIDDEN, context: error === undefined ? { message } : { message, error } };
}

/**
 * @param {string} [origin] the origin of a page
 * @param {unknown} [error] what the application failed with when it was asked
 * @returns {Refusal} the refusal of a page that may not connect
 */
function forbiddenOrigin(origin, error) {
  const context = { name: 'ORIGIN_NOT_ALLOWED', origin };
  return { code: FORBIDDEN, context: error === undefined ? context : { ...context, error } };
}

/**
 * Tells the application of a refusal.
 *
 * @param {import('./front').HttpFront} front who refuses
 * @param {http.IncomingMessage} req the request
 * @param {Refusal} refusal why
 * @returns {unknown} what to tell the client
 */
function tell(front, req, { code, context }) {
  front.engine.emit('connection_error', { req, code, message: MESSAGES[code], context });
  return context.message || MESSAGES[code];
}

/**
 * Refuses a request of long polling.
 *
 * @param {import('./front').HttpFront} front who refuses
 * @param {http.IncomingMessage} req the request
 * @param {http.ServerResponse} res its response
 * @param {Refusal} refusal why
 * @returns {void}
 */
function refuseRequest(front, req, res, refusal) {
  const { code } = refusal;
  const message = tell(front, req, refusal);
  if (res.headersSent) {
    res.end();
    return;
  }
  res.writeHead(code === FORBIDDEN ? 403 : 400, { 'Content-Type': 'application/json' });
  res.end(JSON.stringify({ code, message }));
}

/**
 * Refuses a websocket.
 *
 * @param {import('./front').HttpFront} front who refuses
 * @param {http.IncomingMessage} req the request
 * @param {import('stream').Duplex} socket its socket
 * @param {Refusal} refusal why
 * @returns {void}
 */
function refuseUpgrade(front, req, socket, refusal) {
  // Engine.IO answers 400 whatever the reason; RFC 6455, section 10.2, asks for 403 for an origin.
  const isOrigin = refusal.context.name === 'ORIGIN_NOT_ALLOWED';
  const { status = isOrigin ? 403 : 400, lines } = refusal;
  abortUpgrade(socket, status, String(tell(front, req, refusal)), lines);
}

/**
 * Answers the request of an upgrade with an error and ends its socket.
 *
 * @param {import('stream').Duplex} socket the socket
 * @param {number} status the HTTP status
 * @param {string} [message] what to say
 * @param {string} [lines] more lines for the head of the answer, each with its line break
 * @returns {void}
 */
function abortUpgrade(socket, status, message = http.STATUS_CODES[status], lines = '') {
  socket.end(
    `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\nConnection: close\r\n` +
      `Content-Type: text/html\r\nContent-Length: ${Buffer.byteLength(message)}\r\n${lines}\r\n${message}`,
    () => socket.destroy(),
  );
}

module.exports = {
  abortUpgrade,
  badRequest,
  forbidden,
  forbiddenOrigin,
  nativeRefusal,
  refuseRequest,
  refuseUpgrade,
};
