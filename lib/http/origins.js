'use strict';

/**
 * Which pages may connect, by the option `allowedOrigins`: the native server compares origins, and asks
 * here where the option has a pattern or a function.
 */

const { originOf } = require('../native/binding');
const { attempt } = require('../events');
const { fromOf, targetOf } = require('./request');

/**
 * The part of the option that the native server knows.
 *
 * @param {import('../socketio/options').AllowedOrigins} [allowed] the option
 * @returns {{origins: string[] | undefined, asks: boolean}} the origins that may connect (every one, if
 *   undefined), and whether `checkOrigin` is to be asked about others
 */
function originsOf(allowed) {
  if (allowed === undefined) {
    return { origins: undefined, asks: false };
  }
  const entries = [allowed].flat();
  const origins = entries.filter((entry) => typeof entry === 'string');
  return { origins, asks: origins.length < entries.length };
}

/**
 * Finds out whether the page that makes a request may connect, by the patterns or the function of the
 * option.
 *
 * @param {import('../socketio/options').AllowedOrigins} allowed the option
 * @param {import('http').IncomingMessage} req the request
 * @param {(isAllowed: boolean, error?: unknown) => void} then called once
 * @returns {void}
 */
function checkOrigin(allowed, req, then) {
  const origin = originOf(targetOf(req), fromOf(req));
  if (typeof allowed !== 'function') {
    // Not `test`, which goes on from where a pattern with the flag `g` matched before.
    then([allowed].flat().some((one) => one instanceof RegExp && origin.search(one) !== -1));
    return;
  }
  let isAnswered = false;
  const answer = (error, isAllowed) => {
    if (!isAnswered) {
      isAnswered = true;
      then(!error && Boolean(isAllowed), error || undefined);
    }
  };
  attempt(() => allowed(origin, answer), answer);
}

module.exports = { checkOrigin, originsOf };
