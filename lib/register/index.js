'use strict';

/**
 * Has `require('socket.io')` and `import … from 'socket.io'` find the native server, so that an
 * application moves without a changed line. Owns the hooks into Node's module loader. Only the
 * bare name is answered: `socket.io/package.json` and whatever else the real package has stay its
 * own.
 */

const Module = require('module');
const { pathToFileURL } = require('url');
const { presentFile, presentTo } = require('./instrumentation');
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
 * Answers `require()`. `require.resolve()` gives the file of the installed socket.io, if there is one, as tools that
 * instrument modules find out by it which module is loaded.
 *
 * ES modules that are loaded by `require()` come here on versions of Node.js whose hooks do not see those (20.19 and
 * later, 22.12 to 22.14). They reach socket.io's own ES module, and that imports socket.io's main file, which Node.js
 * loads as a CommonJS module without a parent.
 *
 * @returns {void}
 */
function answerRequire() {
  const { _load: load, _resolveFilename: resolveFilename } = Module;
  Module._load = function answered(request, parent, isMain) {
    const from = parent?.filename ?? undefined;
    const substitute = isMain
      ? undefined
      : (substituteFor(request, from) ?? substituteForMain(request));
    if (substitute === undefined) {
      return presentFile(request, parent) ?? Reflect.apply(load, this, [request, parent, isMain]);
    }
    const exports = require(substitute.file);
    presentTo(substitute);
    // For an ES module, Node.js takes the exports from the module that it has prepared for the file.
    const prepared = Module._cache[request];
    if (prepared !== undefined) {
      prepared.exports = exports;
      prepared.loaded = true;
    }
    return exports;
  };
  Module._resolveFilename = function answered(request, parent, ...rest) {
    try {
      return Reflect.apply(resolveFilename, this, [request, parent, ...rest]);
    } catch (error) {
      const substitute = substituteFor(request, parent?.filename ?? undefined);
      if (substitute === undefined) {
        throw error;
      }
      return substitute.file;
    }
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
        const substitute = substituteFor(specifier, context.parentURL);
        // What is required comes here, too, to be resolved; it is answered when it is loaded.
        const isRequired = context.conditions.includes('require') && substitute?.home !== undefined;
        return substitute === undefined || isRequired
          ? next(specifier, context)
          : { url: pathToFileURL(substitute.file).href, format: 'commonjs', shortCircuit: true };
      },
    });
  } else if (typeof Module.register === 'function') {
    Module.register(pathToFileURL(require.resolve('./hooks.mjs')));
  }
}

module.exports = { register };
