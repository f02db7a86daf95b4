'use strict';

/**
 * Refuses arguments on which strong-remoting and LoopBack throw where nobody catches it, which ends the process:
 * over REST, too.
 */

/** How deep arguments may be nested. strong-remoting goes through them by recursion. */
const MAX_DEPTH = 200;

/** Names that LoopBack calls as functions of a value. */
const METHODS = new Set(['__proto__', 'hasOwnProperty', 'toJSON', 'toString', 'valueOf']);

/** What strong-remoting makes of an object with a `$type`, and of what `$data` it can. */
const TYPED = {
  base64: (data) => typeof data === 'string',
  date: (data) => typeof data === 'string' || typeof data === 'number',
};

/**
 * @param {unknown} value arguments, as they came or as they have been coerced
 * @returns {string | undefined} why they are refused, if they are
 */
function refusalOf(value) {
  const pending = [[value, 0]];
  while (pending.length > 0) {
    const [current, depth] = pending.pop();
    if (!isPlain(current)) {
      continue;
    }
    if (depth > MAX_DEPTH) {
      return `The arguments are nested more than ${MAX_DEPTH} levels deep.`;
    }
    const { $type: type, $data: data } = current;
    if (typeof type === 'string' && Object.hasOwn(TYPED, type) && !TYPED[type](data)) {
      return `A value of the $type '${type}' has impossible $data.`;
    }
    for (const name of Object.keys(current)) {
      if (METHODS.has(name)) {
        return `A value has a property that it must not have: '${name}'.`;
      }
      pending.push([current[name], depth + 1]);
    }
  }
  return undefined;
}

/**
 * Tells why the arguments of a call are refused. A string may be JSON, which strong-remoting parses where an
 * argument comes from a path, query or header.
 *
 * @param {Record<string, unknown>} args the named arguments
 * @returns {string | undefined} why, if they are
 */
function refusalOfArguments(args) {
  for (const value of Object.values(args)) {
    if (typeof value === 'string' && /^[[{]/.test(value)) {
      let parsed;
      try {
        parsed = JSON.parse(value);
      } catch {
        continue;
      }
      const refusal = refusalOf(parsed);
      if (refusal !== undefined) {
        return refusal;
      }
    }
  }
  return refusalOf(args);
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it is an array, or an object of no class
 */
function isPlain(value) {
  if (typeof value !== 'object' || value === null) {
    return false;
  }
  if (Array.isArray(value)) {
    return true;
  }
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

module.exports = { refusalOf, refusalOfArguments };
