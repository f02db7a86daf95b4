'use strict';

/**
 * Runs a server of another project for the length of a test: in a directory of its own, on a free port of the
 * loopback address, and never longer than the test's own process.
 */

const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');

/** A busy machine may take this long to start a server, in milliseconds. */
const START_TIMEOUT = 60_000;

/**
 * @param {string} name a program
 * @returns {string | undefined} its path, if it is installed
 */
function which(name) {
  return (process.env.PATH ?? '')
    .split(path.delimiter)
    .map((folder) => path.join(folder, name))
    .find((file) => fs.existsSync(file));
}

/** @returns {Promise<number>} a port of the loopback address on which nothing listened a moment ago */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/**
 * @param {string} name of what it is for
 * @param {{uid: number, gid: number}} [owner] who may write there, if not this process's user
 * @returns {string} an empty directory
 */
function temporaryDirectory(name, owner) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), `loopback-socket-${name}-`));
  if (owner) fs.chownSync(directory, owner.uid, owner.gid);
  return directory;
}

/**
 * @param {string} name of a user
 * @returns {{uid: number, gid: number} | undefined}
 */
function userNamed(name) {
  const ids = ['-u', '-g'].map((flag) => Number(spawnSync('id', [flag, name]).stdout?.toString()));
  return ids.every((id) => id > 0) ? { uid: ids[0], gid: ids[1] } : undefined;
}

/**
 * The arguments with which Linux ends a program when this process ends, however that happens: a test that is killed
 * runs no handler.
 * @param {{uid: number, gid: number}} [user] whom the program runs as
 * @returns {string[]}
 */
function boundToThisProcess(user) {
  const setpriv = which('setpriv');
  if (!setpriv) return [];
  const as = user
    ? ['--reuid', String(user.uid), '--regid', String(user.gid), '--clear-groups']
    : [];
  return [setpriv, ...as, '--pdeathsig', 'KILL', '--'];
}

/**
 * A server that runs in a process of its own, and can be ended, started again and halted.
 */
class Program {
  #arguments;
  #options;
  #user;
  #child;
  #ended;

  /**
   * @param {object} options
   * @param {string} options.command
   * @param {string[]} options.args
   * @param {RegExp} options.ready what it writes once it serves
   * @param {string} [options.directory] that is removed at the end
   * @param {NodeJS.Signals} [options.signal='SIGTERM'] that ends it in good order
   * @param {{uid: number, gid: number}} [options.user] whom it runs as
   */
  constructor({ command, args, ready, directory, signal = 'SIGTERM', user }) {
    this.#arguments = [...boundToThisProcess(user), command, ...args];
    this.#options = { ready, directory, signal };
    this.#user = this.#arguments[0] === command ? user : undefined;
  }

  /** @returns {number | undefined} the process that runs now */
  get pid() {
    return this.#child?.pid;
  }

  /** @returns {Promise<void>} once it serves */
  async start() {
    const [command, ...args] = this.#arguments;
    const { directory, ready } = this.#options;
    const child = spawn(command, args, {
      ...this.#user,
      cwd: directory,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C' },
    });
    this.#child = child;
    this.#ended = new Promise((resolve) => child.once('close', resolve));
    let output = '';
    await new Promise((resolve, reject) => {
      const fail = (why) => {
        clearTimeout(timer);
        reject(new Error(`${path.basename(command)} ${why}:\n${output}`));
      };
      const timer = setTimeout(fail, START_TIMEOUT, 'did not start in time');
      child.once('error', (err) => fail(err.message));
      child.once('close', (code) => fail(`ended with ${code}`));
      const read = (data) => {
        if (output.length < 65_536) output += data;
        if (!ready.test(output)) return;
        clearTimeout(timer);
        resolve();
      };
      child.stdout.on('data', read);
      child.stderr.on('data', read);
    });
  }

  /**
   * Ends it, and keeps its data.
   * @param {NodeJS.Signals} [signal]
   * @returns {Promise<void>} once it has ended
   */
  async end(signal = this.#options.signal) {
    const child = this.#child;
    this.#child = undefined;
    if (!child) return;
    child.kill('SIGCONT');
    child.kill(signal);
    await this.#ended;
  }

  /**
   * Ends it and starts it again, with the same port and the same data.
   * @param {object} [options]
   * @param {NodeJS.Signals} [options.signal] that ends it; `SIGKILL` is a crash
   * @param {() => Promise<unknown>} [options.meanwhile] what happens while it is away
   * @returns {Promise<void>} once it serves again
   */
  async restart({ signal, meanwhile } = {}) {
    await this.end(signal);
    await meanwhile?.();
    await this.start();
  }

  /** Halts it: its connections stay open, nothing is answered. */
  pause() {
    this.#child.kill('SIGSTOP');
  }

  /** Lets it go on. */
  resume() {
    this.#child.kill('SIGCONT');
  }

  /** @returns {Promise<void>} once it has ended and its data is gone */
  async stop() {
    await this.end();
    const { directory } = this.#options;
    if (directory) fs.rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

module.exports = { Program, freePort, temporaryDirectory, userNamed, which };
