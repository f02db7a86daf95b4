'use strict';

/**
 * Options of socket.io 2 in the words of socket.io 4, to the same effect. All others are passed on
 * as they are.
 */

const { UnsupportedOptionError } = require('../errors');

const DEFAULT_PORTS = { 'http:': '80', 'https:': '443', 'ws:': '80', 'wss:': '443' };

/** An origin that applications of socket.io 2 list: a scheme or none, a host, a port or none. */
const PATTERN = /^(?:([a-z][a-z0-9+.-]*:)\/\/)?(\[[^\]]*\]|[^:/\s]+)(?::(\d+|\*))?\/?$/i;

/**
 * @param {object} options those of socket.io 2, 3 or 4
 * @returns {object} those of socket.io 4
 * @throws {UnsupportedOptionError} if one of socket.io 2 has no counterpart
 */
function currentOptions(options) {
  const { origins, cookie, cookiePath, cookieHttpOnly, handlePreflightRequest, ...current } =
    options;
  if (handlePreflightRequest !== undefined) {
    throw new UnsupportedOptionError(
      'handlePreflightRequest',
      "Give the headers it sets as the option 'cors'.",
    );
  }
  if (origins !== undefined && origins !== null) {
    // As in socket.io 2, every page may read the answers. `allowRequest` decides which may connect.
    current.cors ??= { origin: true, credentials: true };
    current.allowRequest ??= originCheck(origins);
  }
  if (cookie !== undefined) {
    current.cookie = currentCookie(cookie, cookiePath, cookieHttpOnly);
  }
  return current;
}

/**
 * @param {unknown} cookie the cookie's name, false for none, or what socket.io 4 takes
 * @param {string | false} [path='/'] its path
 * @param {boolean} [httpOnly=true] whether scripts cannot read it
 * @returns {unknown} the option of socket.io 4
 */
function currentCookie(cookie, path, httpOnly) {
  if (typeof cookie !== 'string') {
    return cookie;
  }
  const attributes = { name: cookie, path: path ?? '/', httpOnly: httpOnly !== false };
  if (path === false) {
    attributes.path = undefined;
    attributes.httpOnly = false;
  }
  return attributes;
}

/**
 * @param {string | string[] | Function} origins who may connect: `'*:*'`, origins as
 *   `scheme://host:port`, `host:port`, `host:*` or `*:port`, or a function
 *   `(origin, callback(error, isAllowed))`
 * @returns {((req: import('http').IncomingMessage, done: Function) => void) | undefined} the option
 *   `allowRequest` of socket.io 4; undefined if everybody may
 * @throws {UnsupportedOptionError} if an origin is not written so
 */
function originCheck(origins) {
  if (typeof origins === 'function') {
    return (req, done) => origins(originOf(req), done);
  }
  const list = Array.isArray(origins)
    ? origins
    : String(origins)
        .split(/[\s,]+/)
        .filter(Boolean);
  const allowed = list.map(parsePattern);
  if (allowed.some(({ scheme, host, port }) => !scheme && host === '*' && port === '*')) {
    return undefined;
  }
  return (req, done) => {
    const isAllowed = isListed(originOf(req), allowed);
    done(isAllowed ? null : 'Origin not allowed', isAllowed);
  };
}

/**
 * @param {import('http').IncomingMessage} req a request
 * @returns {string} the page it comes from; `*` if it says none
 */
function originOf(req) {
  const origin = req.headers.origin ?? req.headers.referer;
  return origin === undefined || origin === 'null' ? '*' : origin;
}

/**
 * @param {unknown} text an origin as the application lists it
 * @returns {{scheme?: string, host: string, port?: string}} its parts
 * @throws {UnsupportedOptionError} if it has none
 */
function parsePattern(text) {
  const found = text === '*' ? ['*:*', undefined, '*', '*'] : PATTERN.exec(String(text));
  if (found === null) {
    throw new UnsupportedOptionError(
      'origins',
      "Write each origin as 'scheme://host:port', 'host:port', 'host:*', '*:port' or '*:*', or " +
        "give the option 'cors'.",
    );
  }
  const [, scheme, host, port] = found;
  return { scheme: scheme?.toLowerCase(), host: host.toLowerCase(), port };
}

/**
 * @param {string} origin the page a request comes from
 * @param {{scheme?: string, host: string, port?: string}[]} allowed those that may connect
 * @returns {boolean} whether it is one of them
 */
function isListed(origin, allowed) {
  if (!URL.canParse(origin)) {
    return false;
  }
  const { protocol, hostname, port } = new URL(origin);
  const given = port === '' ? DEFAULT_PORTS[protocol] : port;
  return allowed.some(
    (one) =>
      (one.scheme === undefined || one.scheme === protocol) &&
      (one.host === '*' || one.host === hostname) &&
      (one.port === '*' || (one.port ?? DEFAULT_PORTS[protocol]) === given),
  );
}

module.exports = { currentOptions };
