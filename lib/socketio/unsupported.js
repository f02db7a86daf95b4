'use strict';

/**
 * Members of Socket.IO that the native server does not have: calling one says what to use instead.
 */

const { UnsupportedApiError } = require('../errors');

/**
 * Gives a class members that refuse to be called.
 *
 * @param {object} prototype the class's prototype
 * @param {Record<string, string>} members what to use instead, by member; `name(…)` is a method that
 *   refuses arguments and otherwise gives nothing, `name` one that always refuses
 * @returns {void}
 */
function refuse(prototype, members) {
  for (const [member, instead] of Object.entries(members)) {
    const [name, parameters] = member.split('(');
    prototype[name] = function refused(...args) {
      if (parameters === undefined || args.length > 0) {
        throw new UnsupportedApiError(member, instead);
      }
    };
  }
}

module.exports = { refuse };
