'use strict';

/**
 * The options of the native server: their defaults, which are those of Socket.IO 4 (but for
 * `allowEIO3`, since the clients of LoopBack 3 need it), and what may be given.
 */

const { constants } = require('node:buffer');
const { serialize } = require('cookie');
const { isDelay } = require('../check-options');
const { InvalidOptionError, UnsupportedOptionError } = require('../errors');
const { helpFor } = require('../help');
const { parserName } = require('./parser');
const { checkDeflate } = require('./deflate-options');
const { recoveryOptions } = require('./recovery/options');
const { tlsOptions } = require('./tls-options');
const { compileTrust, isTrust } = require('./trust-proxy');

/**
 * @typedef {string | RegExp | (string | RegExp)[] | ((origin: string, done: (error: unknown,
 *   isAllowed?: boolean) => void) => void)} AllowedOrigins as `origin` of the `cors` package has it
 */

/**
 * @typedef {object} HttpCompression
 * @property {number} [threshold=1024] bytes from which on a response is compressed
 * @property {number} [level=-1] zlib's level
 * @property {number} [windowBits=15] the size of zlib's window
 * @property {number} [memLevel] without effect, as the next two
 * @property {number} [strategy]
 * @property {number} [chunkSize]
 */

/**
 * @typedef {object} ServerOptions
 * @property {string} [path='/socket.io'] where clients connect
 * @property {boolean} [addTrailingSlash=true] whether the path ends with a slash in a client's URL
 * @property {boolean} [serveClient=true] whether to serve `socket.io.js` under the path
 * @property {number} [connectTimeout=45000] ms a connection may live without joining a namespace
 * @property {number} [pingInterval=25000] ms between pings
 * @property {number} [pingTimeout=20000] ms a client may take to answer one
 * @property {number} [upgradeTimeout=10000] ms an upgrade to websocket may take
 * @property {number} [maxHttpBufferSize=1e6] bytes of the largest message of a client, at most
 *   `MAX_MESSAGE_SIZE`
 * @property {number} [maxBackpressure=16777216] bytes that may wait for a client that does not read,
 *   before its connection is closed
 * @property {('polling' | 'websocket')[]} [transports=['polling', 'websocket']] what clients may use
 * @property {boolean} [allowUpgrades=true] whether a client that polls may move to a websocket
 * @property {(req: import('http').IncomingMessage,
 *   done: (message: string | null | undefined, isAllowed: boolean) => void) => void} [allowRequest]
 *   decides whether a connection may be opened
 * @property {AllowedOrigins} [allowedOrigins] whose pages may connect, by any
 *   transport
 * @property {boolean | string | (import('cookie').CookieSerializeOptions & {name?: string})}
 *   [cookie=false] a cookie with the session's id, for load balancers: `true`, its name, or all of it
 * @property {boolean | number | string | string[] | import('./trust-proxy').Trust} [trustProxy=false]
 *   which proxies may name the client in `X-Forwarded-For`, as Express's setting "trust proxy"
 * @property {boolean | object | Function} [cors=false] options of the `cors` package
 * @property {Function} [adapter] the class of the adapters that share rooms and broadcasts with other servers
 * @property {boolean} [allowEIO3=true] whether clients of Socket.IO 1 and 2 are let in
 * @property {boolean} [cleanupEmptyChildNamespaces=false] whether a namespace made on request goes
 *   with its last socket, or if its client leaves before it joins
 * @property {boolean | import('./deflate-options').DeflateOptions} [perMessageDeflate=false] whether
 *   and how messages on websockets are compressed
 * @property {boolean | HttpCompression} [httpCompression={threshold: 1024}] whether and how responses to
 *   polls are compressed
 * @property {'json' | 'msgpack' | object} [parser='json'] how packets look on the wire, or the module
 *   (`socket.io-parser`, `socket.io-msgpack-parser`) that has them look so elsewhere
 * @property {true | import('./recovery/options').RecoveryOptions} [connectionStateRecovery] whether clients that
 *   have lost their connection get their socket back, with what they have missed
 * @property {import('./tls-options').TlsOptions} [tls] has clients come by TLS, on a port that the server opens
 * @property {boolean} [destroyUpgrade=true] whether an upgrade that nobody takes is ended
 * @property {number} [destroyUpgradeTimeout=1000] after how many ms
 */

/** An origin as a browser sends it: a scheme, a host, and a port unless it is that of the scheme. */
const ORIGIN = /^[a-z][a-z\d+.-]*:\/\/[^\s/?#]+$/i;

const DELAY = { check: isDelay, needs: 'a whole number of milliseconds from 1 to 2147483647' };
const SIZE = { check: isSize, needs: 'a whole number of bytes, 1 or more' };
const BOOLEAN = { check: isBoolean, needs: 'true or false' };

/** Bytes of the largest message that JavaScript can take as a string, with the other fields of its record. */
const MAX_MESSAGE_SIZE = constants.MAX_STRING_LENGTH - 2 ** 16;

/** What the option `adapter` needs. */
const ADAPTER = "a class of adapters, such as createAdapter() of '@socket.io/redis-adapter' gives";

/**
 * What each option needs, and what it is without: `fallback` if it is undefined, or falsy where
 * Socket.IO takes that for undefined (`or`).
 */
const RULES = {
  path: { fallback: '/socket.io', or: true, check: isPath, needs: "a path that begins with '/'" },
  addTrailingSlash: { ...BOOLEAN, fallback: true },
  serveClient: { ...BOOLEAN, fallback: true },
  connectTimeout: {
    ...DELAY,
    fallback: 45_000,
    or: true,
    needs: `${DELAY.needs}, or 0 for the default of 45000`,
  },
  pingInterval: { ...DELAY, fallback: 25_000 },
  pingTimeout: { ...DELAY, fallback: 20_000 },
  upgradeTimeout: { ...DELAY, fallback: 10_000 },
  maxHttpBufferSize: {
    ...SIZE,
    fallback: 1e6,
    complete: (size) => Math.min(size, MAX_MESSAGE_SIZE),
  },
  maxBackpressure: { ...SIZE, fallback: 16 * 1024 * 1024 },
  transports: {
    fallback: ['polling', 'websocket'],
    check: isTransports,
    needs: "an array of 'polling', 'websocket' or both",
  },
  allowUpgrades: { ...BOOLEAN, fallback: true },
  allowRequest: {
    fallback: undefined,
    or: true,
    check: isFunction,
    needs: 'a function (req, done) that calls done(message, isAllowed)',
  },
  cookie: {
    fallback: undefined,
    or: true,
    check: isCookie,
    needs: 'true, the name of the cookie, or an object with name, path, httpOnly, sameSite…',
    complete: completeCookie,
  },
  allowedOrigins: {
    fallback: undefined,
    or: true,
    check: isAllowedOrigins,
    needs:
      "an origin such as 'https://example.com', a regular expression, an array of these, or a " +
      'function (origin, done) that calls done(null, isAllowed)',
  },
  cors: {
    fallback: undefined,
    or: true,
    check: isCors,
    needs: "true, or options of the 'cors' package such as { origin: 'https://example.com' }",
  },
  connectionStateRecovery: {
    fallback: undefined,
    or: true,
    check: (value) => value === true || typeof value === 'object',
    needs: 'true, or an object such as { maxDisconnectionDuration: 120_000 }',
    complete: recoveryOptions,
  },
  adapter: { fallback: undefined, or: true, check: isFunction, needs: ADAPTER },
  trustProxy: {
    fallback: undefined,
    or: true,
    check: isTrust,
    needs:
      'true, a number of proxies, a function (address, hop), or addresses of proxies such as ' +
      "'loopback', '10.0.0.0/8' or ['10.1.2.3', 'uniquelocal']",
    complete: compileTrust,
  },
  allowEIO3: { ...BOOLEAN, fallback: true },
  cleanupEmptyChildNamespaces: { ...BOOLEAN, fallback: false },
  perMessageDeflate: {
    fallback: false,
    or: true,
    check: (value) => value === true || (typeof value === 'object' && !Array.isArray(value)),
    needs: 'true, false, or an object such as { threshold: 1024 }',
    complete: checkDeflate,
  },
  httpCompression: {
    fallback: { threshold: 1024 },
    check: isHttpCompression,
    needs:
      'true, false, or an object with threshold (bytes, 0 or more), level (-1 to 9), windowBits (8 to ' +
      '15), memLevel (1 to 9), strategy (0 to 4) and chunkSize (64 or more)',
    complete: (given) => (given ? { ...given, threshold: given.threshold ?? 1024 } : undefined),
  },
  parser: {
    fallback: 'json',
    or: true,
    check: () => true,
    complete: (parser) => {
      const name = parserName(parser);
      if (name === undefined) {
        throw new UnsupportedOptionError('parser', "Use 'json' or 'msgpack'.");
      }
      return name;
    },
  },
  tls: { fallback: undefined, or: true, check: () => true, complete: tlsOptions },
  destroyUpgrade: { ...BOOLEAN, fallback: true },
  destroyUpgradeTimeout: { ...DELAY, fallback: 1000, or: true },
};

/** Options of Socket.IO that the native server does not support, and what to do instead. */
const UNSUPPORTED = {
  initialPacket: "Emit an event to each socket in io.on('connection').",
  origins: "Use the option 'cors', and 'allowRequest' to refuse connections.",
};

/** Options of Socket.IO that the native server ignores, since no client depends on them. */
const IGNORED = {
  wsEngine: 'it implements WebSocket in Rust',
};

/** @type {Set<string>} ignored options that were warned about */
const warned = new Set();

/**
 * Completes and checks options.
 *
 * @param {ServerOptions} [given] what the application gave
 * @returns {ServerOptions} all of them; `parser` is a name, `cookie` an object or undefined, `trustProxy` a
 *   function or undefined, `path` has no slash at its end
 * @throws {InvalidOptionError} if one is unknown or impossible
 * @throws {UnsupportedOptionError} if one is something that the native server cannot do
 */
function serverOptions(given = {}) {
  if (typeof given !== 'object' || given === null) {
    throw new InvalidOptionError('options', given, 'an object');
  }
  for (const [name, value] of Object.entries(given)) {
    if (Object.hasOwn(UNSUPPORTED, name)) {
      refuse(name, value);
    } else if (Object.hasOwn(IGNORED, name)) {
      warn(name, value);
    } else if (!Object.hasOwn(RULES, name)) {
      throw new InvalidOptionError(name, value, undefined, Object.keys(RULES));
    }
  }
  const options = {};
  for (const [name, rule] of Object.entries(RULES)) {
    options[name] = complete(name, given[name], rule);
  }
  options.path = options.path.replace(/\/$/, '');
  return options;
}

/**
 * @param {string} name an option
 * @param {unknown} value what was given
 * @param {object} rule what it needs
 * @returns {unknown} what it is
 * @throws {InvalidOptionError} if it is impossible
 */
function complete(name, value, { fallback, or, check, needs, complete: whole = (it) => it }) {
  if (value === undefined || (or && !value)) {
    return fallback;
  }
  if (name === 'transports' && Array.isArray(value) && value.includes('webtransport')) {
    throw new UnsupportedOptionError('transports', "Use 'polling' and 'websocket'.");
  }
  if (!check(value)) {
    throw new InvalidOptionError(name, value, needs);
  }
  return whole(value);
}

/**
 * @param {string} name an option the native server has not
 * @param {unknown} value what was given
 * @returns {void}
 * @throws {UnsupportedOptionError} unless it is switched off
 */
function refuse(name, value) {
  if (value) {
    throw new UnsupportedOptionError(name, UNSUPPORTED[name]);
  }
}

/**
 * Warns, once for each option, that it has no effect.
 *
 * @param {string} name an option the native server has not
 * @param {unknown} value what was given
 * @returns {void}
 */
function warn(name, value) {
  if (value && !warned.has(name)) {
    warned.add(name);
    process.emitWarning(`The native server ignores the option '${name}': ${IGNORED[name]}.`, {
      code: 'ERR_LOOPBACK_SOCKET_IGNORED_OPTION',
      detail: `See ${helpFor('ERR_LOOPBACK_SOCKET_IGNORED_OPTION')}`,
    });
  }
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it is a path
 */
function isPath(value) {
  return typeof value === 'string' && value.startsWith('/') && !/[?#\s]/.test(value);
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it is a boolean
 */
function isBoolean(value) {
  return typeof value === 'boolean';
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it is a function
 */
function isFunction(value) {
  return typeof value === 'function';
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it is a number of bytes
 */
function isSize(value) {
  return Number.isSafeInteger(value) && value >= 1;
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it is a list of transports
 */
function isTransports(value) {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((name) => name === 'polling' || name === 'websocket')
  );
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it says which origins are allowed
 */
function isAllowedOrigins(value) {
  const entries = Array.isArray(value) ? value : [value];
  return (
    typeof value === 'function' ||
    entries.every(
      (one) =>
        one instanceof RegExp || (typeof one === 'string' && (ORIGIN.test(one) || one === 'null')),
    )
  );
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it is what the `cors` package takes
 */
function isCors(value) {
  return value === true || typeof value === 'object' || typeof value === 'function';
}

/** The range of each property of the option `httpCompression`: zlib's, as Node checks them. */
const HTTP_COMPRESSION = {
  threshold: [0, Number.MAX_SAFE_INTEGER],
  level: [-1, 9],
  windowBits: [8, 15],
  memLevel: [1, 9],
  strategy: [0, 4],
  chunkSize: [64, Number.MAX_SAFE_INTEGER],
};

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it says how responses to polls are compressed
 */
function isHttpCompression(value) {
  if (typeof value === 'boolean' || value === null) {
    return true;
  }
  const isIn = ([name, number]) => {
    if (!Object.hasOwn(HTTP_COMPRESSION, name)) {
      return false;
    }
    const [least, most] = HTTP_COMPRESSION[name];
    return number === undefined || (Number.isInteger(number) && number >= least && number <= most);
  };
  return typeof value === 'object' && !Array.isArray(value) && Object.entries(value).every(isIn);
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it names or describes a cookie that can be sent
 */
function isCookie(value) {
  if (value !== true && typeof value !== 'string' && typeof value !== 'object') {
    return false;
  }
  try {
    const cookie = completeCookie(value);
    serialize(cookie.name, 'id', cookie);
    return true;
  } catch {
    return false;
  }
}

/**
 * @param {true | string | object} value a cookie, its name, or that there is to be one
 * @returns {object} the cookie
 */
function completeCookie(value) {
  const given = typeof value === 'string' ? { name: value } : value;
  return { name: 'io', path: '/', httpOnly: true, sameSite: 'lax', ...given };
}

module.exports = { ADAPTER, serverOptions };
