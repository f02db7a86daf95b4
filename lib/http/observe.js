'use strict';

/** Notices when the application changes an option in `io.engine.opts`, which Engine.IO reads for each request. */

/** The options that may be changed. */
const CHANGEABLE = ['allowRequest', 'allowedOrigins', 'cookie'];

/** @type {WeakSet<object>} options that are observed */
const observed = new WeakSet();

/**
 * Has a function called when one of the options is changed, as a whole or in place.
 *
 * @param {object} options the options
 * @param {() => void} changed the function
 * @returns {void}
 */
function observeOptions(options, changed) {
  if (!observed.has(options)) {
    observed.add(options);
    for (const name of CHANGEABLE) {
      observe(options, name, changed);
    }
  }
}

/**
 * Has a function called when a property is set, or something of its value: a list or an object.
 *
 * @param {object} target an object
 * @param {string} name the property
 * @param {() => void} changed the function
 * @returns {void}
 */
function observe(target, name, changed) {
  const then = (isDone) => {
    changed();
    return isDone;
  };
  const observed = (value) =>
    typeof value !== 'object' || value === null || value instanceof RegExp
      ? value
      : new Proxy(value, {
          set: (...args) => then(Reflect.set(...args)),
          deleteProperty: (...args) => then(Reflect.deleteProperty(...args)),
        });
  let current = observed(target[name]);
  Object.defineProperty(target, name, {
    configurable: true,
    enumerable: true,
    get: () => current,
    set(value) {
      current = observed(value);
      changed();
    },
  });
}

module.exports = { observeOptions };
