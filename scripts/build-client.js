'use strict';

// Makes `client.js` of `client.mjs`: the helper for clients as CommonJS, for a Node.js before 20.19 and for test runners
// that cannot require ES modules, such as jest. Git does not keep it.

const fs = require('node:fs');
const path = require('node:path');
const { ROOT } = require('./steps');

/** What says in the file where it comes from. */
const HEADER = '// Made of client.mjs by scripts/build-client.js.\n';

/** @returns {string} the helper as CommonJS */
function commonJs() {
  const { ModuleKind, ScriptTarget, transpileModule } = require('typescript');
  const source = fs.readFileSync(path.join(ROOT, 'client.mjs'), 'utf8');
  const { outputText } = transpileModule(source, {
    // Who reads comments reads client.mjs.
    compilerOptions: {
      module: ModuleKind.CommonJS,
      target: ScriptTarget.ES2022,
      removeComments: true,
    },
  });
  return HEADER + outputText;
}

/** Writes the file. */
function buildClient() {
  fs.writeFileSync(path.join(ROOT, 'client.js'), commonJs());
}

if (require.main === module) buildClient();

module.exports = { buildClient, commonJs };
