'use strict';

/**
 * Long polling: requests are read and answered here, and served by the native server.
 */

const { admit, sessionOf } = require('./verify');
const { Body } = require('./body');
const { isJsonp, packetsOf, script } = require('./jsonp');
const protocol = require('../native/protocol');
const { hasConnectionListeners, protocolOf } = require('../socketio/engine');
const { nativeRefusal, refuseRequest } = require('./refusals');
const { pollingHeaders } = require('./headers');

const { DATA_CLOSED, DATA_OVERLAP, PAYLOAD_TOO_LARGE, POLL_CLOSED } = protocol.CloseReason;
const { NONE } = protocol.Layout;
const { OPENS } = protocol.RequestVerdict;

/**
 * Requests whose packets are being read or dealt with, by session.
 *
 * @type {WeakMap<import('./front').HttpFront, Map<string, import('http').IncomingMessage>>}
 */
const sending = new WeakMap();

/**
 * @typedef {object} Exchange
 * @property {import('http').IncomingMessage} req the request
 * @property {import('http').ServerResponse} res its response
 * @property {string} [opened] the id of the session that the request opened
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
  if (front.isClosing) {
    letGo(req, res);
    res.writeHead(503);
    res.end();
    return;
  }
  admit(
    front,
    req,
    () => res,
    false,
    (refusal, id) => {
      if (refusal !== undefined) {
        refuseRequest(front, req, res, refusal);
      } else if (req.method === 'GET') {
        serve(front, req, res, undefined, id);
      } else if (req.method === 'POST') {
        receive(front, req, res);
      } else {
        res.writeHead(500);
        res.end();
      }
    },
  );
}

/**
 * Has the socket of a request end with it: kept alive, it would keep the http.Server from closing,
 * or bring the rest of a body that nobody wants.
 *
 * @param {import('http').IncomingMessage} req the request
 * @param {import('http').ServerResponse} res its response
 * @returns {void}
 */
function letGo(req, res) {
  if (req.httpVersionMajor === 1) {
    res.setHeader('Connection', 'close');
  }
}

/**
 * Reads the packets a client sends. A client that sends more while it is sending, or more than
 * `maxHttpBufferSize`, or that leaves in the middle of it, loses its connection: a message that is
 * dropped would be lost in silence.
 *
 * @param {import('./front').HttpFront} front who serves the request
 * @param {import('http').IncomingMessage} req the request
 * @param {import('http').ServerResponse} res its response
 * @returns {void}
 */
function receive(front, req, res) {
  const sid = sessionOf(req._query);
  const busy = sending.get(front) ?? new Map();
  sending.set(front, busy);
  if (busy.has(sid)) {
    front.native.abortSession(sid, DATA_OVERLAP);
    res.writeHead(400);
    res.end();
    return;
  }
  busy.set(sid, req);
  const limit = front.options.maxHttpBufferSize;
  const body = new Body(limit);
  req.on('data', (chunk) => {
    if (!body.add(chunk) && !res.headersSent) {
      busy.delete(sid);
      front.native?.abortSession(sid, PAYLOAD_TOO_LARGE);
      letGo(req, res);
      res.writeHead(413);
      res.end();
    }
  });
  req.once('end', () => {
    if (body.length <= limit) {
      const bytes = body.whole();
      serve(front, req, res, isJsonp(req) ? packetsOf(bytes) : bytes);
    }
  });
  req.once('close', () => {
    if (!req.complete && body.length <= limit) {
      busy.delete(sid);
      front.native?.abortSession(sid, DATA_CLOSED);
    }
  });
}

/**
 * @param {import('./front').HttpFront} front who serves the request
 * @param {import('http').IncomingMessage} req the request
 * @param {import('http').ServerResponse} res its response
 * @param {Buffer} [body] the packets of a POST
 * @param {string} [id] the id of the session that the request opens
 * @returns {void}
 */
function serve(front, req, res, body, id) {
  if (res.destroyed || front.isClosing) {
    sent(front, req);
    res.destroy();
    return;
  }
  if (req.method === 'POST' && body === undefined) {
    sent(front, req);
    // A form of JSONP without packets, which Engine.IO takes for none.
    accept(front, req, res);
    return;
  }
  const query = req._query;
  const number = front.nextRequest();
  const connection = front.nextConnection();
  const verdict = front.native.request(
    number,
    connection,
    protocolOf(query) === 3,
    Boolean(query.b64),
    sessionOf(query),
    req.headers['content-type'],
    body,
    id,
    hasConnectionListeners(front.engine),
  );
  if (verdict >= 0) {
    sent(front, req);
    refuseRequest(front, req, res, nativeRefusal(verdict, req));
    return;
  }
  if (verdict === OPENS) {
    front.opened(connection, id, req, req.socket.remoteAddress);
  }
  front.exchanges.set(number, { req, res, opened: id });
  res.once('close', () => {
    if (front.exchanges.delete(number)) {
      sent(front, req);
      abandon(front, sessionOf(query) ?? id, req.method === 'POST' ? DATA_CLOSED : POLL_CLOSED);
    }
  });
}

/**
 * Answers a request whose packets are taken.
 *
 * @param {import('./front').HttpFront} front who served it
 * @param {import('http').IncomingMessage} req the request
 * @param {import('http').ServerResponse} res its response
 * @returns {void}
 */
function accept(front, req, res) {
  res.writeHead(200, pollingHeaders(front, req, 'text/html', 'ok'));
  res.end('ok');
}

/**
 * Ends the connection of a client that left without the answer to its request: what it was to get
 * must not be lost in silence.
 *
 * @param {import('./front').HttpFront} front whose client it is
 * @param {string | undefined} sid its session, if it has one
 * @param {number} reason why, a `CloseReason`
 * @returns {void}
 */
function abandon(front, sid, reason) {
  if (sid !== undefined) {
    front.native?.abortSession(sid, reason);
  }
}

/**
 * The packets of a request are read and dealt with: the client may send more.
 *
 * @param {import('./front').HttpFront} front who served the request
 * @param {import('http').IncomingMessage} req the request
 * @returns {void}
 */
function sent(front, req) {
  if (req.method === 'POST') {
    sending.get(front)?.delete(sessionOf(req._query));
  }
}

/**
 * A connection has ended: packets that have not come whole are for nobody any more.
 *
 * @param {import('./front').HttpFront} front whose connection it was
 * @param {string} sid its session
 * @returns {void}
 */
function breakOff(front, sid) {
  const req = sending.get(front)?.get(sid);
  if (req !== undefined && !req.complete) {
    req.destroy();
  }
}

/**
 * Writes the native server's answer to a request.
 *
 * @param {import('./front').HttpFront} front who answers
 * @param {number} number the request's number
 * @param {number} status the HTTP status
 * @param {boolean} isBinary whether the body is binary
 * @param {Buffer} body the body
 * @param {number} refusal why the request is refused, or `NONE`
 * @returns {void}
 */
function answered(front, number, status, isBinary, body, refusal) {
  const exchange = front.exchanges.get(number);
  if (exchange === undefined) {
    // The client left, and its connection was ended then.
    return;
  }
  front.exchanges.delete(number);
  const { req, res, opened } = exchange;
  sent(front, req);
  if (front.isClosing) {
    letGo(req, res);
  }
  if (status !== 200) {
    refused(front, req, res, status, refusal);
    return;
  }
  let type = isBinary ? 'application/octet-stream' : 'text/plain; charset=UTF-8';
  let payload = body;
  if (req.method === 'POST') {
    // Browsers offer plain text for download.
    type = 'text/html';
  } else if (isJsonp(req)) {
    type = 'text/javascript; charset=UTF-8';
    payload = script(req, body);
  }
  try {
    res.writeHead(200, pollingHeaders(front, req, type, payload, opened));
  } catch (error) {
    // A header of the application's that cannot be sent, or a listener that threw. What the client
    // was to get is lost, so its connection must not go on as if it had got it.
    front.native?.abortSession(opened ?? sessionOf(req._query), POLL_CLOSED);
    res.destroy();
    throw error;
  }
  res.end(payload);
}

/**
 * Passes on that the engine refuses a request which had been checked: its session has ended or
 * moved meanwhile, or what it sent cannot be read.
 *
 * @param {import('./front').HttpFront} front who answers
 * @param {import('http').IncomingMessage} req the request
 * @param {import('http').ServerResponse} res its response
 * @param {number} status the HTTP status
 * @param {number} refusal why, or `NONE`
 * @returns {void}
 */
function refused(front, req, res, status, refusal) {
  if (refusal !== NONE) {
    refuseRequest(front, req, res, nativeRefusal(refusal, req));
    return;
  }
  res.writeHead(status);
  res.end();
}

module.exports = { answered, breakOff, poll };
