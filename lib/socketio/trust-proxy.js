'use strict';

/**
 * The option `trustProxy`: which proxies may say for whom they make a request. It has the values and the
 * meaning of Express's setting "trust proxy", by Express's own module.
 */

/**
 * @callback Trust
 * @param {string | undefined} address an address that a request has passed
 * @param {number} hop how many others lie between it and this process
 * @returns {boolean} whether what is there may name the address before it
 */

/**
 * @typedef {object} Client
 * @property {string | undefined} address the client's address
 * @property {boolean} isSecure whether the client itself came by TLS
 */

/** What proxies write to `X-Forwarded-Proto`: most of them `https` for a websocket, too; Traefik `wss`. */
const SECURE = new Set(['https', 'wss']);

/** @type {WeakSet<Trust>} those made here, which throw nothing */
const ours = new WeakSet();

/**
 * @param {unknown} value the option
 * @returns {Trust | undefined} what decides; `undefined` if no proxy is trusted
 * @throws {TypeError} if it cannot be the option
 */
function compileTrust(value) {
  if (typeof value === 'function') {
    return value;
  }
  const compiled = compile(value);
  if (compiled !== undefined) {
    ours.add(compiled);
  }
  return compiled;
}

/**
 * @param {unknown} value the option, if it is no function
 * @returns {Trust | undefined} what decides; `undefined` if no proxy is trusted
 * @throws {TypeError} if it cannot be the option
 */
function compile(value) {
  if (value === true) {
    return () => true;
  }
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new TypeError(`${value} is no number of proxies`);
    }
    return value === 0 ? undefined : (address, hop) => hop < value;
  }
  const list = typeof value === 'string' ? value.split(',').map((part) => part.trim()) : value;
  if (!Array.isArray(list) || !list.every((part) => typeof part === 'string')) {
    throw new TypeError('Addresses are needed');
  }
  return list.length === 0 ? undefined : proxyAddr().compile(list);
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it can be the option
 */
function isTrust(value) {
  try {
    compileTrust(value);
    return true;
  } catch {
    return false;
  }
}

/**
 * Finds out who has made a request: the first address, from this process outwards, that is not a trusted
 * proxy. What an untrusted address says of others does not count.
 *
 * @param {import('http').IncomingMessage} request the request
 * @param {Trust} trust which proxies are trusted
 * @returns {Client} the client
 * @throws {unknown} what the application's function throws; a `TypeError` if it is async
 */
function clientOf(request, trust) {
  const { socket, headers } = request;
  const trusts = (address, hop) => checked(trust(address, hop));
  const forwarded = trusts(socket.remoteAddress, 0) ? headers['x-forwarded-proto'] : undefined;
  return {
    address: proxyAddr()(request, trusts),
    isSecure:
      forwarded === undefined || forwarded === ''
        ? Boolean(socket.encrypted)
        : // The proxy that the client came to is the first.
          SECURE.has(forwarded.split(',', 1)[0].trim().toLowerCase()),
  };
}

/**
 * @returns {typeof import('proxy-addr')} the module; loaded only by who uses the option
 */
function proxyAddr() {
  return require('proxy-addr');
}

/**
 * @param {unknown} isTrusted what the application's function has decided
 * @returns {unknown} the same
 * @throws {TypeError} if it is a promise, which would count as true
 */
function checked(isTrusted) {
  if (typeof isTrusted?.then === 'function') {
    Promise.resolve(isTrusted).catch(() => {});
    throw new TypeError(
      'The function of the option `trustProxy` has to return a boolean, not a promise.',
    );
  }
  return isTrusted;
}

/**
 * @param {Trust} trust which proxies are trusted
 * @returns {boolean} whether it is no function of the application
 */
function isCompiled(trust) {
  return ours.has(trust);
}

module.exports = { clientOf, compileTrust, isCompiled, isTrust };
