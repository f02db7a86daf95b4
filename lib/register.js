'use strict';

/**
 * Has `require('socket.io')` and `import … from 'socket.io'` find the native server, so that an
 * application moves without a changed line. Owns the hooks into Node's module loader. Only the
 * bare name is answered: `socket.io/package.json` and whatever else the real package has stay its
 * own.
 */

const Module = require('module');
const { pathToFileURL } = require('url');
const { substituteFor } = require('./register-resolve');

let isRegistered = false;

/**
 * Begins to answer for socket.io, in this thread. Calling it twice is calling it once.
 *
 * @returns {void}
 */
function register() {
  if (isRegistered) {
    return;
  }
  isRegistered = true;
  answerRequire();
  answerImport();
}

/**
 * Answers `require()` and `require.resolve()`.
 *
 * @returns {void}
 */
function answerRequire() {
  const resolveFilename = Module._resolveFilename;
  Module._resolveFilename = function answered(request, parent, ...rest) {
    const from = parent?.filename ?? undefined;
    return (
      substituteFor(request, from) ??
      Reflect.apply(resolveFilename, this, [request, parent, ...rest])
    );
  };
}

/**
 * Answers `import` statements and `import()`. A Node.js without such hooks, before 20.6, leaves
 * ES modules as they are.
 *
 * @returns {void}
 */
function answerImport() {
  if (typeof Module.registerHooks === 'function') {
    Module.registerHooks({
      resolve(specifier, context, next) {
        const file = substituteFor(specifier, context.parentURL);
        return file === undefined
          ? next(specifier, context)
          : { url: pathToFileURL(file).href, format: 'commonjs', shortCircuit: true };
      },
    });
  } else if (typeof Module.register === 'function') {
    Module.register('./register-hooks.mjs', pathToFileURL(__filename));
  }
}

module.exports = { register };
