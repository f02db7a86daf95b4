'use strict';

/**
 * Long polling: what a request asks for is decided by the native server, which serves it. Here the
 * application is asked, bodies are received, and responses are written.
 */

const { serialize } = require('cookie');
const { InvalidSessionIdError } = require('../errors');
const { rejectUnhandled } = require('../events');
const { CloseReason, Refusal } = require('../native/protocol');
const { hasConnectionListeners } = require('../socketio/engine');
const { queryOf } = require('../socketio/handshake');
const { Body } = require('./body');
const { offer } = require('./headers');
const { endSocket, refuseRequest } = require('./refusals');
const { fromOf, targetOf } = require('./request');
const { allow, askOrigin, runMiddleware } = require('./verify');

const { NONE } = require('../native/protocol').Layout;
const { ASKS_ORIGIN, OPENS, RECEIVES } = require('../native/protocol').RequestVerdict;

/**
 * @typedef {object} Exchange
 * @property {import('http').IncomingMessage} req the request
 * @property {import('http').ServerResponse} res its response
 * @property {string} [opened] the id of the session that the request opened
 * @property {boolean} [isDelivering] whether a response is not yet written as a whole, or cannot be
 */

/**
 * Takes a request of long polling.
 *
 * @param {import('./front').HttpFront} front who serves it
 * @param {import('http').IncomingMessage} req the request
 * @param {import('http').ServerResponse} res its response
 * @returns {void}
 */
function poll(front, req, res) {
  // As in Engine.IO: `allowRequest` and listeners reach the response by the request.
  req.res = res;
  if (front.isClosing) {
    refuseRequest(front, req, res, Refusal.UNAVAILABLE);
  } else if (front.engine.middlewares.length === 0) {
    serve(front, req, res, false);
  } else {
    runMiddleware(
      front,
      req,
      () => res,
      (refusal) => {
        if (refusal === undefined) {
          serve(front, req, res, false);
        } else {
          refuseRequest(front, req, res, refusal);
        }
      },
    );
  }
}

/**
 * Has the native server serve a request, as far as it can without the application or the body.
 *
 * @param {import('./front').HttpFront} front who serves it
 * @param {import('http').IncomingMessage} req the request
 * @param {import('http').ServerResponse} res its response
 * @param {boolean} isOriginAllowed whether the application was asked about the origin, and allows it
 * @returns {void}
 */
function serve(front, req, res, isOriginAllowed) {
  const { headers, method } = req;
  if (isGone(req, res)) {
    // The client left while the application was asked. What it has sent is lost, so its session ends.
    const { sid } = queryOf(req);
    if (method === 'POST' && sid !== undefined) {
      front.native?.abortSession(sid, CloseReason.DATA_CLOSED);
    }
    return;
  }
  const target = targetOf(req);
  const number = front.nextRequest();
  const from = front.options.allowedOrigins === undefined ? undefined : fromOf(req);
  const verdict = front.native.request(
    number,
    method,
    target,
    headers['user-agent'],
    headers.origin,
    from,
    isOriginAllowed,
    front.encodingFor(headers['accept-encoding']),
  );
  if (verdict >= 0) {
    refuseRequest(front, req, res, verdict);
  } else if (verdict === RECEIVES) {
    receive(front, req, res, number, target);
  } else if (verdict === OPENS) {
    allow(front, req, (refusal, more, opens) => {
      if (refusal === undefined) {
        open(front, req, res, number, opens);
      } else {
        refuseRequest(front, req, res, refusal, more);
      }
    });
  } else if (verdict === ASKS_ORIGIN) {
    askOrigin(front, req, (refusal, more) => {
      if (refusal === undefined) {
        serve(front, req, res, true);
      } else {
        refuseRequest(front, req, res, refusal, more);
      }
    });
  } else {
    wait(front, { req, res }, number, CloseReason.POLL_CLOSED);
  }
}

/**
 * @param {import('http').IncomingMessage} req a request
 * @param {import('http').ServerResponse} res its response. While it waits for another one on the same connection, Node
 *   does not destroy it
 * @returns {boolean} whether the client has left
 */
function isGone(req, res) {
  return res.destroyed || req.socket.destroyed;
}

/**
 * Opens a session.
 *
 * @param {import('./front').HttpFront} front who serves the request
 * @param {import('http').IncomingMessage} req the request
 * @param {import('http').ServerResponse} res its response
 * @param {number} number the request's number
 * @param {import('./verify').Opens} opens the session
 * @returns {void}
 */
function open(front, req, res, number, { id, client }) {
  if (isGone(req, res)) {
    return;
  }
  const connection = front.nextConnection();
  let cookie;
  try {
    cookie = encoded(front.options.cookie, id);
  } catch (error) {
    // The application's encoding threw, or made something of the id that cannot be sent.
    res.destroy();
    rejectUnhandled(error);
    return;
  }
  const verdict = front.native.open(
    number,
    connection,
    targetOf(req),
    req.headers['user-agent'],
    id,
    cookie,
    hasConnectionListeners(front.engine),
    front.encodingFor(req.headers['accept-encoding']),
  );
  if (verdict >= 0) {
    const error =
      verdict === Refusal.INVALID_SESSION_ID ? { error: new InvalidSessionIdError() } : undefined;
    refuseRequest(front, req, res, verdict, error);
    return;
  }
  // The request is kept for as long as the client stays, the response is not.
  req.res = null;
  front.opened(connection, id, req, req.socket.remoteAddress, client);
  wait(front, { req, res, opened: id }, number, CloseReason.POLL_CLOSED);
}

/**
 * @param {object} [cookie] the option
 * @param {string} id the id of a session
 * @returns {string | undefined} what it is in the cookie, if the application has its own encoding
 */
function encoded(cookie, id) {
  const encode = cookie?.encode;
  return encode === undefined ? undefined : serialize('_', id, { encode }).slice('_='.length);
}

/**
 * Receives the packets a client sends. A client that sends more than `maxHttpBufferSize`, or that leaves
 * in the middle of it, loses its connection: a message that is dropped would be lost in silence.
 *
 * @param {import('./front').HttpFront} front who serves the request
 * @param {import('http').IncomingMessage} req the request
 * @param {import('http').ServerResponse} res its response
 * @param {number} number the request's number
 * @param {string} target its target
 * @returns {void}
 */
function receive(front, req, res, number, target) {
  const { sid } = queryOf(req);
  const { receiving } = front;
  receiving.set(sid, req);
  const limit = front.options.maxHttpBufferSize;
  const body = new Body(limit);
  req.on('data', (chunk) => {
    if (!body.add(chunk) && !res.headersSent) {
      receiving.delete(sid);
      front.native?.abortSession(sid, CloseReason.PAYLOAD_TOO_LARGE);
      refuseRequest(front, req, res, Refusal.PAYLOAD_TOO_LARGE);
    }
  });
  req.once('end', () => {
    if (body.length <= limit) {
      receiving.delete(sid);
      received(front, req, res, number, target, body.whole());
    }
  });
  req.once('close', () => {
    if (!req.complete && body.length <= limit) {
      receiving.delete(sid);
      front.native?.abortSession(sid, CloseReason.DATA_CLOSED);
    }
  });
}

/**
 * @param {import('./front').HttpFront} front who serves the request
 * @param {import('http').IncomingMessage} req the request
 * @param {import('http').ServerResponse} res its response
 * @param {number} number the request's number
 * @param {string} target its target
 * @param {Buffer} body its body
 * @returns {void}
 */
function received(front, req, res, number, target, body) {
  if (res.destroyed || front.isClosing) {
    front.native?.abortSession(queryOf(req).sid, CloseReason.DATA_CLOSED);
    res.destroy();
    return;
  }
  const { headers } = req;
  const agent = headers['user-agent'];
  const verdict = front.native.post(number, target, agent, headers['content-type'], body);
  if (verdict >= 0) {
    refuseRequest(front, req, res, verdict);
    return;
  }
  // The client may leave now, as in Engine.IO: nothing is lost with the response.
  wait(front, { req, res }, number);
}

/**
 * Waits for the native server's response. A client that leaves without the response to a poll, or without all of the
 * packets that are in it, loses its connection: what it was to get must not be lost in silence.
 *
 * @param {import('./front').HttpFront} front who serves the request
 * @param {Exchange} exchange the request and its response
 * @param {number} number the request's number
 * @param {number} [reason] the `CloseReason` should the client leave, if that ends its connection
 * @returns {void}
 */
function wait(front, exchange, number, reason) {
  front.exchanges.set(number, exchange);
  const { res } = exchange;
  res.once('close', () => {
    const isLost = exchange.isDelivering && reason === CloseReason.POLL_CLOSED;
    if ((front.exchanges.delete(number) || isLost) && reason !== undefined) {
      front.native?.abortSession(sessionOf(exchange), reason);
    }
  });
}

/**
 * @param {Exchange} exchange a request and its response
 * @returns {string} the session it opened or uses
 */
function sessionOf({ req, opened }) {
  return opened ?? queryOf(req).sid;
}

/**
 * A connection has ended: a request that is still bringing packets for it is ended, too.
 *
 * @param {import('./front').HttpFront} front whose connection it was
 * @param {string} sid its session
 * @returns {void}
 */
function breakOff(front, sid) {
  const req = front.receiving.get(sid);
  front.receiving.delete(sid);
  req?.destroy();
}

/**
 * Writes the native server's response to a request.
 *
 * @param {import('./front').HttpFront} front who answers
 * @param {number} number the request's number
 * @param {number} status the HTTP status
 * @param {number} refusal a `Refusal` instead of a response, or `NONE`
 * @param {Record<string, unknown>} headers the headers
 * @param {Buffer} body the body
 * @returns {void}
 */
function answered(front, number, status, refusal, headers, body) {
  const exchange = front.exchanges.get(number);
  if (exchange === undefined) {
    // The client left, and its connection was ended then.
    return;
  }
  front.exchanges.delete(number);
  const { req, res, opened } = exchange;
  if (front.isClosing) {
    endSocket(req, res);
  }
  if (refusal !== NONE) {
    refuseRequest(front, req, res, refusal);
    return;
  }
  try {
    res.writeHead(status, offer(front, req, headers, opened !== undefined));
  } catch (error) {
    // A header of the application's that cannot be sent, or a listener that threw. What the client
    // was to get is lost, so its connection must not go on as if it had got it.
    front.native?.abortSession(sessionOf(exchange), CloseReason.POLL_CLOSED);
    res.destroy();
    rejectUnhandled(error);
    return;
  }
  exchange.isDelivering = true;
  // Node says so of a response that it could not write, too.
  res.once('finish', () => (exchange.isDelivering = req.socket.errored !== null));
  res.end(body);
}

module.exports = { answered, breakOff, poll };
