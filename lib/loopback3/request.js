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

/** Where a response keeps who watches it; undefined once it has ended. */
const WATCHER = Symbol('loopback-socket.watcher');

/** What a response does, instead of what those of Express do, when the application writes to it. */
const WRITING = {
  json(body) {
    end(this, body);
    return this;
  },
  jsonp(body) {
    end(this, body);
    return this;
  },
  end(chunk) {
    end(this, typeof chunk === 'function' ? undefined : parsed(this, chunk));
    return this;
  },
  write() {
    return refuse(this);
  },
  flushHeaders() {},
};

/** @type {WeakMap<object, {Request: Function, Response: Function}>} by application */
const constructors = new WeakMap();

/**
 * Gives the constructors of the requests and responses of an application. Their objects inherit from its
 * `request` and `response`, as Express has it, from the beginning: to change what an object inherits from
 * makes all that is done with it slow.
 *
 * @param {object} app the LoopBack application
 * @returns {{Request: Function, Response: Function}} both
 */
function constructorsOf(app) {
  let found = constructors.get(app);
  if (found === undefined) {
    const Request = class extends IncomingMessage {};
    const Response = class extends ServerResponse {
      [WATCHER] = undefined;
    };
    Object.setPrototypeOf(Request.prototype, app.request);
    Object.setPrototypeOf(Response.prototype, app.response);
    Object.assign(Response.prototype, WRITING);
    found = { Request, Response };
    constructors.set(app, found);
  }
  return found;
}

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
  const { Request, Response } = constructorsOf(app);
  const req = new Request(new CallConnection(socket));
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json',
  };
  for (const [header, value] of Object.entries(socket.handshake?.headers ?? {})) {
    if (!OF_HANDSHAKE.has(header)) {
      headers[header] = value;
    }
  }
  req.method = verb;
  req.url = `/${name}`;
  req.originalUrl = req.url;
  req.baseUrl = '';
  req.httpVersion = '1.1';
  req.httpVersionMajor = 1;
  req.httpVersionMinor = 1;
  req.complete = true;
  req.headers = Object.assign(headers, args.headers);
  req.params = args.params;
  req.query = args.query;
  req.body = args.body;
  req.accessToken = accessToken;
  req.loopbackSocket = socket;
  req.next = ignore;
  const res = new Response(req);
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
  res[WATCHER] = { ended, streamed };
  res.on('pipe', unpipe);
}

/**
 * The application ends a response.
 *
 * @param {ServerResponse} res the response
 * @param {unknown} body what it ends it with
 * @returns {void}
 */
function end(res, body) {
  const watcher = res[WATCHER];
  if (watcher !== undefined) {
    res[WATCHER] = undefined;
    // What Node sets when the headers are written, which `headersSent` reads.
    res._header = '';
    res.emit('finish');
    watcher.ended(res.statusCode, body);
  }
}

/**
 * The application writes a piece to a response.
 *
 * @param {ServerResponse} res the response
 * @returns {false} it takes no more
 */
function refuse(res) {
  const watcher = res[WATCHER];
  if (watcher !== undefined) {
    res[WATCHER] = undefined;
    watcher.streamed();
    res.emit('close');
  }
  return false;
}

/**
 * A stream is piped to this response.
 *
 * @this {ServerResponse}
 * @param {import('stream').Readable} source the stream
 * @returns {void}
 */
function unpipe(source) {
  refuse(this);
  source.unpipe(this);
  source.destroy?.();
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
