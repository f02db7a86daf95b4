'use strict';

/**
 * The options of the server as the native server takes them for requests.
 */

const { serialize } = require('cookie');
const { originsOf } = require('./origins');

/**
 * @param {import('../socketio/options').ServerOptions} options the options in force
 * @returns {import('../../binding').HttpOptions} those that are about requests
 */
function httpConfig({ path, addTrailingSlash, allowedOrigins, cookie }) {
  const { origins, asks } = originsOf(allowedOrigins);
  return {
    path,
    addTrailingSlash,
    allowedOrigins: origins,
    asksOrigin: asks,
    cookie: cookie && { name: cookie.name, attributes: attributesOf(cookie) },
  };
}

/**
 * @param {object} cookie a cookie
 * @returns {string} its attributes as in `Set-Cookie`, each with `; ` in front
 */
function attributesOf(cookie) {
  const empty = serialize(cookie.name, '', { ...cookie, encode: () => '' });
  return empty.slice(`${cookie.name}=`.length);
}

/**
 * @param {import('../../binding').HttpOptions} one what options come to
 * @param {import('../../binding').HttpOptions} other the same of other options
 * @returns {boolean} whether they are the same for requests that come
 */
function isSameConfig(one, other) {
  return (
    one.asksOrigin === other.asksOrigin &&
    one.cookie?.name === other.cookie?.name &&
    one.cookie?.attributes === other.cookie?.attributes &&
    one.allowedOrigins?.length === other.allowedOrigins?.length &&
    (one.allowedOrigins ?? []).every((origin, i) => origin === other.allowedOrigins[i])
  );
}

module.exports = { httpConfig, isSameConfig };
