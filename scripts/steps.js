'use strict';

// Runs the long steps of a set-up or a test run as child processes, and shows that they get on:
// a line that moves on a terminal, a line every ten seconds elsewhere. Their full output is shown
// only when they fail.

const { spawn } = require('node:child_process');
const path = require('node:path');

/** The top folder of the package. */
const ROOT = path.join(__dirname, '..');

const TERMINAL_INTERVAL = 200;
const LOG_INTERVAL = 10_000;

/** A step that went wrong; its output has been shown. */
class StepError extends Error {
  /**
   * @param {string} title - the step
   * @param {string} reason - what went wrong, and what to do where that is known
   */
  constructor(title, reason) {
    super(`${title}: ${reason}`);
    this.name = 'StepError';
  }
}

/**
 * The command line of npm or npx as this very npm provides them, so that Windows needs no shell.
 * @param {'npm'|'npx'} tool
 * @param {string[]} args
 * @returns {{ command: string, args: string[] }}
 */
function npmCommand(tool, args) {
  const npmCli = process.env.npm_execpath;
  if (npmCli && path.basename(npmCli) === 'npm-cli.js') {
    const cli = path.join(path.dirname(npmCli), `${tool}-cli.js`);
    return { command: process.execPath, args: [cli, ...args] };
  }
  return { command: process.platform === 'win32' ? `${tool}.cmd` : tool, args };
}

/** Shows the time a step takes and the last line it wrote. */
class Progress {
  /** The steps that run, several of them at the same time perhaps. */
  static running = new Set();

  /** @param {string} title */
  constructor(title) {
    this.title = title;
    Progress.running.add(this);
    this.started = Date.now();
    this.lastLine = '';
    this.onTerminal = Boolean(process.stdout.isTTY);
    if (!this.onTerminal) console.log('%s ...', title);
    const interval = this.onTerminal ? TERMINAL_INTERVAL : LOG_INTERVAL;
    this.timer = setInterval(() => this.show(), interval);
  }

  /** @returns {string} whole seconds since the step began */
  get seconds() {
    return `${Math.round((Date.now() - this.started) / 1000)} s`;
  }

  /** Shows where the step is. */
  show() {
    const line = `${this.title} ... ${this.seconds}  ${this.lastLine}`;
    const [first] = Progress.running;
    if (this.onTerminal) {
      if (this !== first) return; // A terminal has one line that moves.
      process.stdout.write(`\r\x1b[K${line.slice(0, (process.stdout.columns || 80) - 1)}`);
    } else {
      const title = Progress.running.size > 1 ? `${this.title}: ` : '';
      console.log(`    ${title}${this.seconds}  ${this.lastLine}`.trimEnd());
    }
  }

  /** @param {string} text - what the step wrote */
  note(text) {
    const lines = text.split(/[\r\n]+/).filter((line) => line.trim() !== '');
    if (lines.length > 0) this.lastLine = lines.at(-1).trim();
  }

  /** @param {string} outcome - how the step ended */
  end(outcome) {
    clearInterval(this.timer);
    const isAlone = Progress.running.size === 1;
    Progress.running.delete(this);
    const title = isAlone ? '' : `${this.title}: `;
    const prefix = this.onTerminal ? `\r\x1b[K${this.title} ... ` : `    ${title}`;
    console.log('%s%s (%s)', prefix, outcome, this.seconds);
  }
}

/**
 * Runs one step.
 * @param {string} title - what the user reads
 * @param {string} command
 * @param {string[]} args
 * @param {object} [options]
 * @param {string} [options.cwd] - the top folder by default
 * @param {NodeJS.ProcessEnv} [options.env] - this process's by default
 * @param {(status: number) => boolean} [options.accept] - which exit codes are an outcome rather
 *   than a failure; only 0 by default
 * @param {string} [options.hint] - what to do when the command does not exist
 * @returns {Promise<{ stdout: string, stderr: string, status: number }>}
 * @throws {StepError} when it cannot be started, or ends with a code that is not accepted
 */
function run(title, command, args, options = {}) {
  const { cwd = ROOT, env = process.env, accept = (status) => status === 0, hint } = options;
  return new Promise((resolve, reject) => {
    const progress = new Progress(title);
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const output = { stdout: '', stderr: '' };
    const all = [];
    for (const stream of ['stdout', 'stderr']) {
      child[stream].setEncoding('utf8').on('data', (text) => {
        output[stream] += text;
        all.push(text);
        progress.note(text);
      });
    }
    child.once('error', (err) => {
      progress.end('failed');
      const reason = err.code === 'ENOENT' ? (hint ?? `${command} was not found`) : err.message;
      reject(new StepError(title, reason));
    });
    child.once('close', (status, signal) => {
      if (child.pid === undefined) return; // never started: `error` has told
      if (status !== null && accept(status)) {
        progress.end('done');
        resolve({ ...output, status });
        return;
      }
      progress.end('failed');
      process.stderr.write(all.join(''));
      const ending = signal ? `ended by ${signal}` : `exit code ${status}`;
      reject(new StepError(title, `${[command, ...args].join(' ')} failed (${ending})`));
    });
  });
}

module.exports = { ROOT, StepError, npmCommand, run };
