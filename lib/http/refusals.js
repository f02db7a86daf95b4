'use strict';

/**
 * Requests that are refused: the native server says what the client is answered, and what the
 * application is told by `connection_error`.
 */

const { refuseRequest: responseOf } = require('../native/binding');
const { guardedAsAsync } = require('../events');
const { Refusal } = require('../native/protocol');
const { requestRefused } = require('../observability/sockets');
const { queryOf } = require('../socketio/handshake');
const { REFUSALS } = require('../socketio/metrics');
const { fromOf, targetOf } = require('./request');

/**
 * Tells the application of a refusal.
 *
 * @param {import('./front').HttpFront} front who refuses
 * @param {import('http').IncomingMessage} req the request
 * @param {boolean} isUpgrade whether it asks for an upgrade
 * @param {number} refusal the `Refusal`
 * @param {{message?: unknown, error?: unknown}} [more] what the application has said to it
 * @returns {import('../../binding').RefusedRequest} the response
 */
function tell(front, req, isUpgrade, refusal, more) {
  const text = isUpgrade ? String : JSON.stringify;
  const message = more?.message ? text(more.message) : undefined;
  const target = targetOf(req);
  front.countRefusal(refusal);
  requestRefused(req.socket?.remoteAddress, REFUSALS.get(refusal), more?.error ?? more?.message);
  const response = responseOf(refusal, isUpgrade, req.method, target, fromOf(req), message);
  if (refusal === Refusal.INVALID_ORIGIN) {
    req.headers.origin = null;
  }
  const { code, message: words, context } = response;
  if (code !== undefined) {
    queryOf(req);
    const event = { req, code, message: words, context: { ...context, ...more } };
    guardedAsAsync(() => front.engine.emit('connection_error', event));
  }
  return response;
}

/**
 * Refuses a request of long polling.
 *
 * @param {import('./front').HttpFront} front who refuses
 * @param {import('http').IncomingMessage} req the request
 * @param {import('http').ServerResponse} res its response
 * @param {number} refusal the `Refusal`
 * @param {{message?: unknown, error?: unknown}} [more] what the application has said to it
 * @returns {void}
 */
function refuseRequest(front, req, res, refusal, more) {
  const { status, headers, body } = tell(front, req, false, refusal, more);
  if (res.headersSent) {
    res.end();
    return;
  }
  if (headers.Connection !== undefined) {
    delete headers.Connection;
    endSocket(req, res);
  }
  res.writeHead(status, headers);
  res.end(body.length > 0 ? body : undefined);
}

/**
 * Has the socket of a request end with it. HTTP/2 has no such header.
 *
 * @param {import('http').IncomingMessage} req the request
 * @param {import('http').ServerResponse} res its response
 * @returns {void}
 */
function endSocket(req, res) {
  if (req.httpVersionMajor === 1) {
    res.setHeader('Connection', 'close');
  }
}

/**
 * Refuses an upgrade, and ends its socket.
 *
 * @param {import('./front').HttpFront} front who refuses
 * @param {import('http').IncomingMessage} req the request
 * @param {import('stream').Duplex} socket its socket
 * @param {number} refusal the `Refusal`
 * @param {{message?: unknown, error?: unknown}} [more] what the application has said to it
 * @returns {void}
 */
function refuseUpgrade(front, req, socket, refusal, more) {
  const { body } = tell(front, req, true, refusal, more);
  socket.end(body, () => socket.destroy());
}

module.exports = { endSocket, refuseRequest, refuseUpgrade };
