'use strict';

// The app under test in a process of its own.

const { fork } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');

const APP = path.join(__dirname, '..', 'app.js');
const START_LIMIT = 30_000;
const ANSWER_LIMIT = 10_000;

/** A server under test, from its start to its end. */
class AppProcess {
  /**
   * @param {import('node:child_process').ChildProcess} child
   * @param {number} port
   */
  constructor(child, port) {
    this.child = child;
    this.port = port;
  }

  /** @returns {number} */
  get pid() {
    return this.child.pid;
  }

  /**
   * Starts a server, and resolves when it listens.
   * @param {string} server - one of `servers.js`
   * @param {Record<string, string>} [env] - what the app is told
   * @returns {Promise<AppProcess>}
   */
  static async start(server, env = {}) {
    const child = fork(APP, [server], {
      env: { ...process.env, NODE_ENV: 'production', ...env },
      execArgv: [],
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    try {
      return new AppProcess(child, await listening(child, server));
    } catch (err) {
      child.kill('SIGKILL');
      throw err;
    }
  }

  /**
   * @param {string} question - that the app knows
   * @returns {Promise<any>} its answer
   */
  async ask(question) {
    const answer = once(this.child, 'message', { signal: AbortSignal.timeout(ANSWER_LIMIT) });
    this.child.send(question);
    return (await answer)[0];
  }

  /**
   * Ends the server at once.
   * @returns {Promise<void>}
   */
  async stop() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
  }
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {string} server
 * @returns {Promise<number>} the port that it says it listens on
 */
function listening(child, server) {
  return new Promise((resolve, reject) => {
    let output = '';
    const timer = setTimeout(() => reject(new Error(`${server} did not start`)), START_LIMIT);
    child.once('error', reject);
    child.once('exit', (status) => {
      clearTimeout(timer);
      reject(new Error(`${server} ended as it started, exit code ${status}`));
    });
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
      const ready = /^ready (\d+)$/m.exec(output);
      if (!ready) return;
      clearTimeout(timer);
      resolve(Number(ready[1]));
    });
  });
}

module.exports = { AppProcess };
