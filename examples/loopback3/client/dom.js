// Small helpers to build parts of the page.

/**
 * Makes an element.
 * @param {string} name - of its tag
 * @param {object} [properties] - of the element; `data` sets data attributes
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function h(name, properties = {}, ...children) {
  const { data, ...rest } = properties;
  const element = Object.assign(document.createElement(name), rest);
  Object.assign(element.dataset, data);
  element.append(...children);
  return element;
}

/**
 * @param {unknown} value
 * @returns {string} as JSON in one line
 */
export const inline = (value) => JSON.stringify(value) ?? 'undefined';

/**
 * @param {unknown} value
 * @returns {string} as indented JSON
 */
export const pretty = (value) => JSON.stringify(value, null, 2) ?? 'undefined';

/**
 * @param {number} ms
 * @returns {string} a duration as people read it; browsers measure tenths of a millisecond
 */
export function duration(ms) {
  if (ms < 100) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}

/**
 * @param {number} value
 * @returns {string} a whole number with separators
 */
export const whole = (value) => Math.round(value).toLocaleString('en');

/**
 * @param {Error} error - of the helper for clients
 * @returns {unknown} what it says: what the server sent, or its own name and message
 */
export const contentOf = (error) =>
  error.name === 'RemoteError' ? error.error : { name: error.name, message: error.message };
