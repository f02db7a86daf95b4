'use strict';

/** What is logged of errors of handlers, whether or not a listener of `onError` takes them. */

const { log, stackOf } = require('./log');
const { idOf } = require('./message');

/**
 * @param {unknown} error what a handler threw, rejected with or called back with
 * @param {string} kind which handler
 * @param {object | null} socket the socket that it ran for, if it ran for one
 * @param {string | undefined} name the method or subscription
 * @param {boolean} isTaken whether a listener of `onError` takes it
 * @returns {void}
 */
function handlerFailed(error, kind, socket, name, isTaken) {
  if (log.error.enabled) {
    log.error(
      '%s%s%s%s: %s',
      kind,
      name === undefined ? '' : ` ${name}`,
      socket === null ? '' : ` for ${idOf(socket)}`,
      isTaken ? '' : ' (no onError listener)',
      stackOf(error),
    );
  }
}

module.exports = { handlerFailed };
