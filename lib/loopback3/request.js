'use strict';

/**
 * The request and the response of a call: those of the application's Express, made without a connection.
 * What reads a request over REST reads this one; nothing is written to the client.
 */

const { EventEmitter } = require('events');
const { IncomingMessage, ServerResponse } = require('http');

/** Headers that belong to the handshake's connection and message, not to the call. */
const OF_HANDSHAKE = new Set([
  'accept',
  'accept-encoding',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'keep-alive',
  'sec-websocket-extensions',
  'sec-websocket-key',
  'sec-websocket-protocol',
  'sec-websocket-version',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What stands for the socket of the connection: who is at its other end, and how to end it. */
class CallConnection extends EventEmitter {
  #socket;

  /**
   * @param {object} socket the socket whose client calls
   */
  constructor(socket) {
    super();
    const { address, secure } = socket.handshake ?? {};
    this.#socket = socket;
    this.remoteAddress = address;
    this.encrypted = Boolean(secure);
  }

  /**
   * Ends the client's connection.
   *
   * @returns {this} this
   */
  destroy() {
    this.#socket.disconnect(true);
    return this;
  }
}

/**
 * What ended a response that the application wrote itself.
 *
 * @callback Ended
 * @param {number} status its status
 * @param {unknown} body a value if it is JSON, else text
 * @returns {void}
 */

/**
 * Makes the request and the response of a call.
 *
 * @param {object} app the LoopBack application
 * @param {object} call what is called
 * @param {object} call.socket the socket whose client calls
 * @param {string} call.name the name of the remote method
 * @param {string} call.verb the verb of its REST route
 * @param {object} call.accessToken the access token, or `null`
 * @param {import('./arguments').RequestArguments} call.args what the request has
 * @returns {{req: IncomingMessage, res: ServerResponse}} both
 */
function makeRequest(app, { socket, name, verb, accessToken, args }) {
  const req = new IncomingMessage(new CallConnection(socket));
  Object.setPrototypeOf(req, app.request);
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json',
  };
  for (const [header, value] of Object.entries(socket.handshake?.headers ?? {})) {
    if (!OF_HANDSHAKE.has(header)) {
      headers[header] = value;
    }
  }
  Object.assign(req, {
    method: verb,
    url: `/${name}`,
    originalUrl: `/${name}`,
    baseUrl: '',
    httpVersion: '1.1',
    httpVersionMajor: 1,
    httpVersionMinor: 1,
    complete: true,
    headers: Object.assign(headers, args.headers),
    params: args.params,
    query: args.query,
    body: args.body,
    // Body-parser's mark of a body that is parsed.
    _body: true,
    accessToken,
    loopbackSocket: socket,
    next: ignore,
  });
  const res = new ServerResponse(req);
  Object.setPrototypeOf(res, app.response);
  res.locals = {};
  req.res = res;
  return { req, res };
}

/**
 * Has a response tell what the application ends it with. It cannot be written to bit by bit: an
 * acknowledgement is one value.
 *
 * @param {ServerResponse} res the response
 * @param {Ended} ended receives the status and the body
 * @param {() => void} streamed called if the application writes to it in pieces
 * @returns {void}
 */
function watchResponse(res, ended, streamed) {
  let isEnded = false;
  const end = (body) => {
    if (isEnded) {
      return;
    }
    isEnded = true;
    // What Node sets when the headers are written, which `headersSent` reads.
    res._header = '';
    res.emit('finish');
    ended(res.statusCode, body);
  };
  const refuse = () => {
    if (!isEnded) {
      isEnded = true;
      streamed();
      res.emit('close');
    }
    return false;
  };
  Object.assign(res, {
    json: (body) => {
      end(body);
      return res;
    },
    jsonp: (body) => {
      end(body);
      return res;
    },
    end: (chunk) => {
      end(typeof chunk === 'function' ? undefined : parsed(res, chunk));
      return res;
    },
    write: refuse,
    flushHeaders: ignore,
  });
  res.on('pipe', (source) => {
    refuse();
    source.unpipe(res);
    source.destroy?.();
  });
}

/**
 * @param {ServerResponse} res a response
 * @param {unknown} chunk what it ends with
 * @returns {unknown} the value if it is JSON, else text
 */
function parsed(res, chunk) {
  if (chunk === undefined || chunk === null) {
    return undefined;
  }
  const text = String(chunk);
  if (/json/.test(String(res.getHeader('content-type')))) {
    try {
      return JSON.parse(text);
    } catch {
      // Not JSON after all.
    }
  }
  return text;
}

/** Does nothing. */
function ignore() {}

module.exports = { makeRequest, watchResponse };
