// The hook of ES modules for versions of Node.js that run such hooks in a thread of their own.

import { pathToFileURL } from 'node:url';
import resolving from './resolve.js';

/**
 * @param {string} specifier what is imported
 * @param {{parentURL?: string}} context by whom
 * @param {(specifier: string, context: object) => Promise<object>} next Node's own answer
 * @returns {Promise<object>} where it is
 */
export async function resolve(specifier, context, next) {
  const substitute = resolving.substituteFor(specifier, context.parentURL);
  return substitute === undefined
    ? next(specifier, context)
    : { url: pathToFileURL(substitute.file).href, format: 'commonjs', shortCircuit: true };
}
