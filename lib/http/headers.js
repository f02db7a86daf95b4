'use strict';

/**
 * The headers that the application adds to what clients are answered: by middleware, and by listeners
 * to `initial_headers` and `headers` of `io.engine`.
 */

const { validateHeaderName, validateHeaderValue } = require('http');
const { EventEmitter } = require('events');
const { queryOf } = require('../socketio/handshake');

/**
 * Lets the application add to the headers of an answer.
 *
 * @param {import('./front').HttpFront} front who answers
 * @param {import('http').IncomingMessage} req the request
 * @param {Record<string, unknown>} headers the headers; listeners change them
 * @param {boolean} isInitial whether the request opens a connection
 * @returns {Record<string, unknown>} the same
 */
function offer(front, req, headers, isInitial) {
  const { engine } = front;
  if (engine.listenerCount('headers') > 0 || engine.listenerCount('initial_headers') > 0) {
    queryOf(req);
  }
  if (isInitial) {
    engine.emit('initial_headers', headers, req);
  }
  engine.emit('headers', headers, req);
  return headers;
}

/**
 * The headers of the answer to an upgrade, beside those of the websocket itself.
 *
 * @param {import('./front').HttpFront} front who answers
 * @param {import('http').IncomingMessage} req the request
 * @param {UpgradeResponse} [res] what middleware has written to
 * @param {boolean} isInitial whether the request opens a connection
 * @returns {string} a line each, with its line break
 * @throws {TypeError} if one cannot be sent
 */
function upgradeHeaders(front, req, res, isInitial) {
  const headers = offer(front, req, res?.headers ?? {}, isInitial);
  let lines = '';
  for (const [name, value] of Object.entries(headers)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      lines += line(name, String(one));
    }
  }
  return lines;
}

/**
 * @param {string} name a header's name
 * @param {string} value its value
 * @returns {string} its line
 * @throws {TypeError} if it cannot be sent
 */
function line(name, value) {
  validateHeaderName(name);
  validateHeaderValue(name, value);
  return `${name}: ${value}\r\n`;
}

/**
 * What middleware takes for the response to an upgrade: it can set headers until they are written, or
 * end the socket. It emits `close` when the websocket is closed, and `finish` if it is ended.
 */
class UpgradeResponse extends EventEmitter {
  /** The status of the answer, should it be an upgrade. */
  statusCode = 101;
  /** Whether the headers are written: from then on setting one changes nothing. */
  headersSent = false;
  /** Whether middleware has ended it. */
  writableEnded = false;
  #closed = () => this.emit('close');

  /**
   * @param {import('http').IncomingMessage} req the request
   * @param {import('stream').Duplex} socket the socket of the request
   */
  constructor(req, socket) {
    super();
    this.req = req;
    this.socket = socket;
    /** @type {Record<string, unknown>} */
    this.headers = {};
    socket.once('close', this.#closed);
  }

  /**
   * What to call when the websocket is closed, should it be taken from its socket.
   *
   * @returns {(() => void) | undefined} has the response emit `close`, if somebody listens
   */
  get closed() {
    return this.listenerCount('close') === 0 ? undefined : this.#closed;
  }

  /**
   * The websocket is taken from its socket, whose end is not that of the response any more.
   *
   * @returns {void}
   */
  detach() {
    this.socket.removeListener('close', this.#closed);
  }

  /**
   * @param {string} name a header's name
   * @returns {string} the same as it was first set, whatever its case
   */
  #nameOf(name) {
    const lower = String(name).toLowerCase();
    return Object.keys(this.headers).find((known) => known.toLowerCase() === lower) ?? name;
  }

  /**
   * @param {string} name a header's name
   * @param {unknown} value its value
   * @returns {this} itself
   */
  setHeader(name, value) {
    this.headers[this.#nameOf(name)] = value;
    return this;
  }

  /**
   * @param {string} name a header's name
   * @param {string | string[]} value one more value, or several
   * @returns {this} itself
   */
  appendHeader(name, value) {
    const before = this.getHeader(name);
    return this.setHeader(name, before === undefined ? value : [before, value].flat());
  }

  /**
   * @param {string} name a header's name
   * @returns {unknown} its value
   */
  getHeader(name) {
    return this.headers[this.#nameOf(name)];
  }

  /**
   * @param {string} name a header's name
   * @returns {boolean} whether it is set
   */
  hasHeader(name) {
    return this.getHeader(name) !== undefined;
  }

  /** @returns {string[]} the names of the headers, in lower case */
  getHeaderNames() {
    return Object.keys(this.headers).map((name) => name.toLowerCase());
  }

  /** @returns {Record<string, unknown>} a copy of the headers, their names in lower case */
  getHeaders() {
    const entries = Object.entries(this.headers);
    return Object.fromEntries(entries.map(([name, value]) => [name.toLowerCase(), value]));
  }

  /**
   * @param {string} name a header's name
   * @returns {void}
   */
  removeHeader(name) {
    delete this.headers[this.#nameOf(name)];
  }

  /** @returns {void} */
  write() {}

  /**
   * The headers are about to be written. Called once by the server; middleware puts a function of its
   * own in its place to be told.
   *
   * @returns {this} itself
   */
  writeHead() {
    this.headersSent = true;
    return this;
  }

  /**
   * Ends the socket.
   *
   * @returns {this} itself
   */
  end() {
    this.writableEnded = true;
    this.emit('finish');
    this.socket.destroy();
    return this;
  }
}

module.exports = { UpgradeResponse, offer, upgradeHeaders };
