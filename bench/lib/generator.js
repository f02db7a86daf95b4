'use strict';

// One run of the load generator against a server.

const { spawn } = require('node:child_process');

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
 * @param {string} binary - of the load generator
 * @param {import('./app-process').AppProcess} app
 * @param {(string|number)[]} args - a mode and its options
 * @returns {Promise<object>} the generator's report
 * @throws {LoadError} if any answer was wrong or missing
 */
function load(binary, app, args) {
  return new Promise((resolve, reject) => {
    const target = ['--port', app.port, '--server-pid', app.pid];
    const child = spawn(binary, [...target, ...args].map(String), {
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

module.exports = { LoadError, load };
