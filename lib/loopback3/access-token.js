'use strict';

/**
 * The access token of a call: what LoopBack's token middleware finds in the header of a REST request.
 */

const { promisify } = require('util');
const { InvalidAccessTokenError } = require('../errors');

/**
 * @callback AccessTokenOf gives the access token of a socket
 * @param {object} socket the socket whose client calls
 * @param {unknown} credentials those it authenticated with
 * @returns {unknown} an instance of the AccessToken model, the id of one, or nothing; or a promise of it
 */

/**
 * Gives the access token that the application keeps with a socket, else the id that the credentials name.
 *
 * @type {AccessTokenOf}
 */
function tokenOfSocket(socket, credentials) {
  if (socket.accessToken !== undefined) {
    return socket.accessToken;
  }
  const id = typeof credentials === 'object' ? credentials?.id : credentials;
  // The credentials are what a client sent: an object among them is nobody's access token.
  return isId(id) ? id : null;
}

/**
 * Gives the access token of a call, if it is valid now.
 *
 * @param {object} app the LoopBack application
 * @param {AccessTokenOf} accessTokenOf the option `accessToken`
 * @param {object} socket the socket whose client calls
 * @param {unknown} credentials those it authenticated with
 * @returns {Promise<object | null>} the token; `null` if there is none
 * @throws {Error} as REST does, with the status 401, if it is expired
 * @throws {InvalidAccessTokenError} if the application gave an object that is not an access token
 */
async function findToken(app, accessTokenOf, socket, credentials) {
  const given = await accessTokenOf(socket, credentials);
  const { registry } = app;
  if (typeof given === 'object' && given !== null) {
    const AccessToken = registry.findModel('AccessToken');
    // Not merely an object with a `userId`: it may have come from the client with the credentials.
    if (!AccessToken || !(given instanceof AccessToken)) {
      throw new InvalidAccessTokenError(given);
    }
    if (!(await isValid(given))) {
      throw invalidToken();
    }
    return given;
  }
  if (!isId(given) || !registry.findModel('AccessToken')) {
    return null;
  }
  const AccessToken = registry.getModelByType('AccessToken');
  const token = (await promisify(AccessToken.resolve).call(AccessToken, given)) ?? null;
  return accessTokenOf === tokenOfSocket && !isOf(token, credentials) ? null : token;
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it can be the id of an access token
 */
function isId(value) {
  return (typeof value === 'string' && value !== '') || typeof value === 'number';
}

/**
 * @param {object} token an access token
 * @returns {Promise<boolean>} whether it has not expired
 */
async function isValid(token) {
  return Boolean(await promisify(token.validate).call(token));
}

/**
 * @param {object | null} token an access token
 * @param {unknown} credentials those of the socket
 * @returns {boolean} whether it is of the user that the credentials name, if they name one
 */
function isOf(token, credentials) {
  const userId = credentials?.userId;
  return token === null || userId === undefined || String(token.userId) === String(userId);
}

/**
 * @returns {Error} what LoopBack fails with for an access token that is expired
 */
function invalidToken() {
  const error = new Error('Invalid Access Token');
  return Object.assign(error, { status: 401, statusCode: 401, code: 'INVALID_TOKEN' });
}

module.exports = { findToken, tokenOfSocket };
