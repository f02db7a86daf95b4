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

/** What is probably wrong with one argument; undefined if nothing is. */
function problemOf(value, { name, type, required }) {
  if (value === undefined || value === null) return required ? `“${name}” is required` : undefined;
  const actual = typeOf(value);
  if (!(type in BEGINNINGS) || type === 'any' || actual === type) return undefined;
  return `“${name}” should be ${withArticle(type)}, and is ${withArticle(actual)}`;
}

/**
 * @param {unknown} value - the arguments
 * @param {{ name: string, type: string, required: boolean }[]} args - those that the method takes
 * @returns {string} what is probably wrong; empty if nothing is
 */
export function hintFor(value = {}, args) {
  if (typeOf(value) !== 'object') return 'Arguments are an object: { "name": value }';
  const known = new Set(args.map(({ name }) => name));
  const unknown = Object.keys(value).filter((name) => !known.has(name));
  return [
    ...args.map((arg) => problemOf(value[arg.name], arg)),
    ...unknown.map((name) => `“${name}” is not an argument that is known here`),
  ]
    .filter((problem) => problem !== undefined)
    .join('; ');
}
