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
 * @returns {string} a duration as people read it
 */
export function duration(ms) {
  if (ms < 10) return `${ms.toFixed(2)} ms`;
  if (ms < 100) return `${ms.toFixed(1)} ms`;
  if (ms < 10_000) return `${Math.round(ms)} ms`;
  return `${(ms / 1000).toFixed(1)} s`;
}

/**
 * @param {number} value
 * @returns {string} a whole number with separators
 */
export const whole = (value) => Math.round(value).toLocaleString('en');
