'use strict';

/**
 * Properties that Socket.IO has as plain ones, so that applications may assign them, and that are getters here. What
 * is assigned is what the application reads from then on. The server uses its own values: it must not read such a
 * property for its decisions.
 */

/**
 * Lets applications assign properties that a class has getters for.
 *
 * @param {object} prototype the class's prototype
 * @param {string[]} names the properties
 * @returns {void}
 */
function makeAssignable(prototype, names) {
  for (const name of names) {
    const descriptor = Object.getOwnPropertyDescriptor(prototype, name);
    Object.defineProperty(prototype, name, {
      ...descriptor,
      set(value) {
        assign(this, name, value);
      },
    });
  }
}

/**
 * Gives an object a property of its own, as an assignment does where the class has no getter.
 *
 * @param {object} object the object
 * @param {string} name the property
 * @param {unknown} value its value
 * @returns {void}
 */
function assign(object, name, value) {
  Object.defineProperty(object, name, {
    value,
    configurable: true,
    enumerable: true,
    writable: true,
  });
}

module.exports = { assign, makeAssignable };
