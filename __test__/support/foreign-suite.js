'use strict';

/**
 * Runs the mocha suite of another package, unchanged, in a directory of its own.
 */

const { execFile } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const ROOT = path.join(__dirname, '..', '..');

/**
 * @typedef {object} Outcome
 * @property {string[]} passes full titles of the tests that passed
 * @property {Array<{title: string, message: string}>} failures those that failed, and why
 */

/**
 * @param {string} suite path of the suite
 * @param {Record<string, string>} files what the suite requires, by its path in the directory in
 *   whose `test/` the suite lies
 * @returns {Promise<Outcome>} what mocha reports
 */
async function runForeignSuite(suite, files) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'loopback-socket-suite-'));
  try {
    fs.mkdirSync(path.join(directory, 'test'));
    fs.copyFileSync(suite, path.join(directory, 'test', 'test.js'));
    for (const [name, text] of Object.entries(files)) {
      fs.mkdirSync(path.dirname(path.join(directory, name)), { recursive: true });
      fs.writeFileSync(path.join(directory, name), text);
    }
    return await runMocha(directory);
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}

/**
 * @param {string} directory with `test/test.js`
 * @returns {Promise<Outcome>} what mocha reports
 */
function runMocha(directory) {
  const mocha = path.join(path.dirname(require.resolve('mocha/package.json')), 'bin', 'mocha.js');
  const report = path.join(directory, 'report.json');
  const args = [mocha, '--exit', '--reporter', 'json', '--reporter-option', `output=${report}`];
  const env = { ...process.env, NODE_PATH: path.join(ROOT, 'node_modules') };
  delete env.NODE_TEST_CONTEXT;
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { cwd: directory, env }, (error, stdout, stderr) => {
      if (!fs.existsSync(report)) {
        reject(new Error(`mocha made no report: ${stderr || stdout || error}`));
        return;
      }
      const { passes, failures } = JSON.parse(fs.readFileSync(report, 'utf8'));
      resolve({
        passes: passes.map(({ fullTitle }) => fullTitle),
        failures: failures.map(({ fullTitle, err }) => ({
          title: fullTitle,
          message: err.message,
        })),
      });
    });
  });
}

module.exports = { ROOT, runForeignSuite };
