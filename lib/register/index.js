'use strict';

/**
 * Has `require('socket.io')` and `import … from 'socket.io'` find the native server, so that an
 * application moves without a changed line. Owns the hooks into Node's module loader. Only the
 * bare name is answered: `socket.io/package.json` and whatever else the real package has stay its
 * own.
 */

const Module = require('module');
const { pathToFileURL } = require('url');
const { substituteFor, substituteForMain } = require('./resolve');

let isRegistered = false;

/**
 * Replaces socket.io in this thread. A second call has no effect.
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
 * Answers the `import` statements of ES modules that are loaded by `require()`, on versions of Node.js
 * whose hooks do not see those (20.19 and later, 22.12 to 22.14). They reach socket.io's own ES module,
 * and that imports socket.io's main file, which Node.js loads as a CommonJS module without a parent.
 *
 * @returns {void}
 */
function answerRequiredImports() {
  const load = Module._load;
  Module._load = function answered(request, parent, isMain) {
    const file = parent || isMain ? undefined : substituteForMain(request);
    if (file === undefined) {
      return Reflect.apply(load, this, [request, parent, isMain]);
    }
    const exports = require(file);
    // Node.js takes the exports from the module that it has prepared for the file.
    const prepared = Module._cache[request];
    if (prepared !== undefined) {
      prepared.exports = exports;
      prepared.loaded = true;
    }
    return exports;
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
    answerRequiredImports();
    Module.register(pathToFileURL(require.resolve('./hooks.mjs')));
  }
}

module.exports = { register };
