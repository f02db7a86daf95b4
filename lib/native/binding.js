'use strict';

/**
 * The addon, or an error that says why there is none and what to do.
 */

const { addonFailure, addonFault } = require('./addon-failure');

/**
 * @returns {import('../../binding')} the addon's classes
 * @throws {import('../errors').MissingAddonError} if the addon for this platform is not installed
 * @throws {import('../errors').UnloadableAddonError} if it is, and cannot be loaded
 */
function load() {
  const fault = addonFault();
  if (fault !== undefined) throw fault;
  try {
    return require('../../binding.js');
  } catch (cause) {
    throw addonFailure(cause);
  }
}

module.exports = load();
