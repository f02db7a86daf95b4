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

module.exports = { httpConfig };
