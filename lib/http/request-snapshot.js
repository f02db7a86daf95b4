'use strict';

/**
 * What opened a connection. Node's request holds its socket, their streams and listeners and what the
 * parser left behind, several kilobytes for as long as the client stays. So a request that only
 * this package has seen is kept as text, and made again when the application asks for it.
 */

const http = require('http');
const net = require('net');
const { Engine } = require('../socketio/engine');
const { queryOf } = require('../socketio/handshake');
const { addressesOf, standFor } = require('./client-socket');

class RequestSnapshot {
  /** The request as text, while that is all there is of it. */
  #text;
  #isEncrypted;
  #headers;
  #request;
  #connection;
  /** The address at the other end of the connection: the client's, or a proxy's. */
  address;
  /** The client's address, as far as `trustProxy` has a proxy name it; else the same. */
  clientAddress;
  /** Whether the client came by TLS. */
  isSecure;

  /**
   * @param {import('../socketio/connection').Connection} connection what was opened
   * @param {string | http.IncomingMessage} request what opened it, or that as text
   * @param {string | undefined} address the address at the other end of the connection
   * @param {boolean} isSecure whether that connection is TLS
   * @param {import('../socketio/trust-proxy').Client} [client] the client, if the server trusts proxies
   */
  constructor(connection, request, address, isSecure, client) {
    this.#connection = connection;
    this.address = address;
    this.clientAddress = client === undefined ? address : client.address;
    this.#isEncrypted = isSecure;
    this.isSecure = client === undefined ? isSecure : client.isSecure;
    if (typeof request === 'string') {
      this.#text = request;
    } else {
      this.#request = request;
    }
  }

  /**
   * @param {import('./front').HttpFront} front where a request came
   * @param {http.IncomingMessage} request the request
   * @returns {string | http.IncomingMessage} what is kept of it: text, if only this package has seen it
   */
  static keep(front, request) {
    return (isUnseen(front, request) ? textOf(request) : undefined) ?? request;
  }

  /**
   * The request.
   *
   * @returns {http.IncomingMessage} the one that came, or one like it; always the same
   */
  get request() {
    if (this.#request === undefined) {
      const encrypted = this.#isEncrypted ? { encrypted: true } : {};
      const socket = { remoteAddress: this.address, ...encrypted };
      this.#request = requestOf(this.#text, socket, this.#headers, this.#connection);
      this.#text = undefined;
      this.#headers = undefined;
    }
    return this.#request;
  }

  /**
   * Whether the application may have a reference to the request that came.
   *
   * @returns {boolean} if not, it is kept as text
   */
  get isSeen() {
    return this.#request !== undefined;
  }

  /** @returns {number} how many characters the request has */
  get size() {
    const { url = '', rawHeaders = [] } = this.#request ?? {};
    return this.#text?.length ?? rawHeaders.reduce((sum, { length }) => sum + length, url.length);
  }

  /**
   * The request's headers, URL and query, which do not need the rest of it.
   *
   * @returns {{headers: http.IncomingHttpHeaders, url: string, _query?: Record<string, string>}} the same headers as
   *   the request's; `queryOf` gives the query of it
   */
  get head() {
    if (this.#request !== undefined) {
      const { headers, url } = this.#request;
      return { headers, url, _query: queryOf(this.#request) };
    }
    const { url, rawHeaders } = partsOf(this.#text);
    this.#headers ??= headersOf(rawHeaders);
    return { headers: this.#headers, url };
  }
}

/**
 * Tells whether only this package has seen a request: then no other code has changed it or keeps a
 * reference to it.
 *
 * @param {import('./front').HttpFront} front where the request came
 * @param {http.IncomingMessage} request the request
 * @returns {boolean} whether it is so
 */
function isUnseen(front, request) {
  const { engine, options, httpServers } = front;
  const event = request.upgrade ? 'upgrade' : 'request';
  return (
    // Made by Node itself, for a socket of its own that has nothing to it but its addresses.
    request.constructor === http.IncomingMessage &&
    request.socket instanceof net.Socket &&
    !request.socket.encrypted &&
    // No other listener of the http.Server gets it.
    httpServers.every((one) => one.listenerCount('connection') <= 1) &&
    httpServers.every((one) => one.listenerCount(event) <= 1) &&
    options.allowRequest === undefined &&
    !Engine.hasOwnIds(engine) &&
    typeof options.cors !== 'function' &&
    engine.middlewares.every((middleware) => middleware === front.cors) &&
    engine.listenerCount('initial_headers') === 0 &&
    engine.listenerCount('headers') === 0
  );
}

/**
 * @param {http.IncomingMessage} request a request
 * @returns {string | undefined} what makes it up, a line each: no line break gets through a parser of
 *   HTTP; `undefined` if that would not be all
 */
function textOf({ method, url, upgrade, httpVersion, socket, rawHeaders, headers }) {
  // Most often the headers are the raw ones in lower case. Where a name came twice they are not.
  if (2 * Object.keys(headers).length !== rawHeaders.length) {
    return undefined;
  }
  const { remotePort, remoteFamily, localAddress, localPort } = socket;
  const start = [method, url, upgrade ? 1 : '', httpVersion];
  return start.concat(remotePort, remoteFamily, localAddress, localPort, rawHeaders).join('\n');
}

/**
 * @param {string} text from `textOf`
 * @returns {object} what it was made of
 */
function partsOf(text) {
  const [method, url, upgrade, httpVersion, ...rest] = text.split('\n');
  const [remotePort, remoteFamily, localAddress, localPort, ...rawHeaders] = rest;
  const addresses = {
    remotePort: numberOf(remotePort),
    remoteFamily: remoteFamily || undefined,
    localAddress: localAddress || undefined,
    localPort: numberOf(localPort),
    // A connection has one family.
    localFamily: remoteFamily || undefined,
  };
  return { method, url, upgrade, httpVersion, addresses, rawHeaders };
}

/**
 * @param {string[]} raw names and values of headers, no name twice
 * @returns {http.IncomingHttpHeaders} the headers
 */
function headersOf(raw) {
  const headers = {};
  for (let i = 0; i < raw.length; i += 2) {
    headers[raw[i].toLowerCase()] = raw[i + 1];
  }
  return headers;
}

/**
 * @param {string[]} raw names and values of headers
 * @returns {Record<string, string[]>} all values of each name
 */
function distinctOf(raw) {
  const headers = Object.create(null);
  for (let i = 0; i < raw.length; i += 2) {
    (headers[raw[i].toLowerCase()] ??= []).push(raw[i + 1]);
  }
  return headers;
}

/**
 * @param {string} text digits, or nothing
 * @returns {number | undefined} the number
 */
function numberOf(text) {
  return text === '' ? undefined : Number(text);
}

/**
 * Makes a request again, with a socket that stands for the client.
 *
 * @param {string} text from `textOf`
 * @param {Record<string, unknown>} known what its socket shows that is not part of the text
 * @param {http.IncomingHttpHeaders | undefined} seen the headers, if the application has seen them
 *   already
 * @param {import('../socketio/connection').Connection} connection what the request opened
 * @returns {http.IncomingMessage} the request
 */
function requestOf(text, known, seen, connection) {
  const { addresses, ...parts } = partsOf(text);
  const socket = new net.Socket();
  standForClient(socket, connection, { ...known, ...addresses });
  const request = new http.IncomingMessage(socket);
  const [major, minor] = parts.httpVersion.split('.');
  Object.assign(request, parts, {
    upgrade: parts.upgrade !== '',
    httpVersionMajor: Number(major),
    httpVersionMinor: Number(minor),
    headers: seen ?? headersOf(parts.rawHeaders),
    headersDistinct: distinctOf(parts.rawHeaders),
    complete: true,
  });
  // Engine.IO sets it, and applications read it.
  queryOf(request);
  request.push(null);
  return request;
}

/**
 * @param {net.Socket} socket a socket that carries nothing any more
 * @param {import('../socketio/connection').Connection} connection the connection of the client that it stands for
 * @param {Record<string, unknown>} addresses its addresses
 * @returns {void}
 */
function standForClient(socket, connection, addresses) {
  standFor(socket, {
    addresses,
    isEnded: () => !connection.isOpen,
    end: () => connection.terminate(),
  });
}

/**
 * What the front in Rust has kept of a request, as far as it takes to find out who made it.
 *
 * @param {string} text the request, as the front in Rust writes it
 * @param {string | undefined} address the address at the other end of the connection
 * @param {boolean} isSecure whether it came by TLS
 * @returns {object} like a request
 */
function outlineOf(text, address, isSecure) {
  const { url, upgrade, rawHeaders } = partsOf(text);
  const socket = { remoteAddress: address, encrypted: isSecure };
  return { url, upgrade, headers: headersOf(rawHeaders), socket };
}

module.exports = { RequestSnapshot, addressesOf, outlineOf, standForClient };
