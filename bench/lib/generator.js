'use strict';

// The two load generators, and one run of either against a server. Both take the same modes and
// options, as far as they know them, and print the same report.

const { spawn } = require('node:child_process');
const path = require('node:path');

/** The generators by their names in results. */
const GENERATORS = {
  rust: { title: 'Rust', text: 'one thread in Rust that does as little work per call as possible' },
  node: {
    title: 'Node',
    text: 'two Node processes with `ws` and `http`, like common client tools',
  },
};

/**
 * What starts each generator.
 * @param {string} binary - the one in Rust
 * @returns {Record<keyof typeof GENERATORS, [string, string[]]>}
 */
const commands = (binary) => ({
  rust: [binary, []],
  node: [process.execPath, [path.join(__dirname, '..', 'nodegen')]],
});

/** No run takes this long, in ms, unless something hangs. */
const LIMIT = 180_000;

/** A server that answered wrong, late or not at all, or a run that could not be made. */
class LoadError extends Error {
  /**
   * @param {string} message
   * @param {object} [report] - of the generator, if it gave one
   */
  constructor(message, report) {
    super(message);
    this.name = 'LoadError';
    this.report = report;
  }
}

/**
 * Puts load on a server.
 * @param {[string, string[]]} generator - what starts it
 * @param {import('./app-process').AppProcess} app
 * @param {(string|number)[]} args - a mode and its options
 * @returns {Promise<object>} the generator's report
 * @throws {LoadError} if any answer was wrong or missing
 */
function load([command, first], app, args) {
  return new Promise((resolve, reject) => {
    const target = ['--port', app.port, '--server-pid', app.pid];
    const child = spawn(command, [...first, ...target, ...args].map(String), {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: LIMIT,
      killSignal: 'SIGKILL',
    });
    const output = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr']) {
      child[stream].setEncoding('utf8').on('data', (text) => {
        output[stream] += text;
      });
    }
    child.once('error', reject);
    child.once('close', (status, signal) => {
      const report = output.stdout.startsWith('{') ? JSON.parse(output.stdout) : undefined;
      if (status === 0 && report) {
        resolve(report);
        return;
      }
      const lines = output.stderr.trim().split('\n').slice(-3).join('; ');
      reject(new LoadError(`${signal ?? `exit code ${status}`}: ${lines}`, report));
    });
  });
}

module.exports = { GENERATORS, LoadError, commands, load };
