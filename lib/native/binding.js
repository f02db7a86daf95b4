'use strict';

/**
 * The addon, or an error that says why there is none and what to do.
 */

const { MissingAddonError } = require('../errors');

/**
 * @returns {import('../../binding')} the addon's classes
 * @throws {MissingAddonError} if the addon for this platform is missing or cannot be loaded
 */
function load() {
  try {
    return require('../../binding.js');
  } catch (cause) {
    throw new MissingAddonError(cause);
  }
}

module.exports = load();
