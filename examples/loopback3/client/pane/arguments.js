// Checks of arguments against the types that the server's catalogue gives: hints, never a refusal.

/** A value to begin with, by type. */
const BEGINNINGS = { string: '', number: 0, boolean: true, object: {}, array: [], any: null };

/**
 * @param {string} type
 * @returns {unknown} a value of this type to begin with
 */
export const beginningOf = (type) => BEGINNINGS[type] ?? null;

function typeOf(value) {
  if (Array.isArray(value)) return 'array';
  return value === null ? 'null' : typeof value;
}

const withArticle = (type) => (/^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`);

/**
 * @param {string} text
 * @returns {{ value?: object, problem?: string }} what it says, or why it is no JSON
 */
export function parse(text) {
  if (text.trim() === '') return { value: undefined };
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    return { problem: `This is not JSON: ${error.message}` };
  }
}

/**
 * @param {unknown} value - the arguments
 * @param {{ name: string, type: string, required: boolean }[]} args - those that the method takes
 * @returns {string} what is probably wrong; empty if nothing is
 */
export function hintFor(value, args) {
  if (value === undefined) value = {};
  if (typeOf(value) !== 'object') return 'Arguments are an object: { "name": value }';
  for (const { name, type, required } of args) {
    if (value[name] === undefined || value[name] === null) {
      if (required) return `“${name}” is required`;
      continue;
    }
    const actual = typeOf(value[name]);
    if (type in BEGINNINGS && type !== 'any' && actual !== type) {
      return `“${name}” should be ${withArticle(type)}, and is ${withArticle(actual)}`;
    }
  }
  const known = new Set(args.map(({ name }) => name));
  const unknown = Object.keys(value).find((name) => !known.has(name));
  if (unknown !== undefined) return `“${unknown}” is not an argument that is known here`;
  return '';
}
