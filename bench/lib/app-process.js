'use strict';

// The app under test in a process of its own.

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const readline = require('node:readline');
const { ALL } = require('../servers');

const START_LIMIT = 30_000;
const ANSWER_LIMIT = 10_000;

/** A server under test, from its start to its end. */
class AppProcess {
  /** @param {import('node:child_process').ChildProcess} child */
  constructor(child) {
    this.child = child;
    /** @type {number} */
    this.port = undefined;
    this.lines = readline.createInterface({ input: child.stdout });
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
  static start(server, env = {}) {
    return AppProcess.run(server, ALL[server].command, env);
  }

  /**
   * Starts a server of a command, and resolves when it listens.
   * @param {string} server - what errors call it
   * @param {[string, string[]]} command - what starts it
   * @param {Record<string, string>} [env] - what it is told
   * @returns {Promise<AppProcess>}
   */
  static async run(server, command, env = {}) {
    // With BENCH_SERVER_CORES, it gets these cores alone.
    const cores = process.env.BENCH_SERVER_CORES;
    const [program, args] = cores ? ['taskset', ['-c', cores, command[0], ...command[1]]] : command;
    const child = spawn(program, args, {
      env: { ...process.env, NODE_ENV: 'production', ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    try {
      const app = new AppProcess(child);
      child.stdin.on('error', () => {}); // it has ended, which the load finds out
      app.port = await listening(app, server);
      return app;
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
    const answer = once(this.lines, 'line', { signal: AbortSignal.timeout(ANSWER_LIMIT) });
    this.child.stdin.write(`${question}\n`);
    return JSON.parse((await answer)[0]);
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
 * @param {AppProcess} app
 * @param {string} server
 * @returns {Promise<number>} the port that it says it listens on
 */
function listening({ child, lines }, server) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${server} did not start`)), START_LIMIT);
    child.once('error', reject);
    child.once('exit', (status) => {
      clearTimeout(timer);
      reject(new Error(`${server} ended as it started, exit code ${status}`));
    });
    lines.on('line', (line) => {
      const ready = /^ready (\d+)$/.exec(line);
      if (!ready) return;
      clearTimeout(timer);
      resolve(Number(ready[1]));
    });
  });
}

module.exports = { AppProcess };
