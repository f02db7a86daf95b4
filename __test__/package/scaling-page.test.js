'use strict';

// docs/scaling.md is true: each command of its section "From one process to ten" is run, in its order, and
// prints what the page shows. Ports are free ones instead of those of the page. What a step has started ends
// with the step, but for Redis, which ends with the last one.

const assert = require('node:assert/strict');
const { spawn, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { describe, it } = require('node:test');
const { setTimeout: delay } = require('node:timers/promises');
const vm = require('node:vm');

const ROOT = path.join(__dirname, '..', '..');
const EXAMPLE = path.join(ROOT, 'examples', 'scaling');
const PAGE = fs.readFileSync(path.join(ROOT, 'docs', 'scaling.md'), 'utf8');

/** The ports that the page names. */
const PORTS = ['3000', '3001', '3002', '6379'];

/** How long a command may take to print what the page shows, in ms. */
const COMMAND_TIMEOUT = 30_000;

/** Redis is not part of the package's own tests everywhere; CI installs it. */
const WITHOUT_REDIS = spawnSync('redis-server', ['--version']).error
  ? 'redis-server is not installed'
  : false;

/**
 * @typedef {object} Step
 * @property {string} title
 * @property {{ command: string, output?: string }[]} commands - with what they print
 */

/** @returns {Step[]} the steps of the section */
function stepsOf() {
  const section = /^## From one process to ten\n([^]*?)^## /m.exec(PAGE)[1];
  const steps = [];
  for (const [, title, kind, text] of section.matchAll(
    /^\*\*(\d+\. .*?)\*\*|^```(sh|text)\n([^]*?)^```/gm,
  )) {
    if (title !== undefined) steps.push({ title, commands: [] });
    else if (kind === 'text') steps.at(-1).commands.at(-1).output = text.trim();
    else if (steps.length > 0) steps.at(-1).commands.push({ command: text.trim() });
  }
  return steps;
}

/** @returns {Promise<Map<string, number>>} a free port for each one of the page */
async function freePorts() {
  const servers = PORTS.map(() => net.createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return new Map(PORTS.map((port, index) => [port, ports[index]]));
}

/** Runs commands of the page, each in a group of processes of its own. */
class Shell {
  #ports;
  #folder;
  /** @type {Map<import('node:child_process').ChildProcess, string>} */
  #running = new Map();

  /**
   * @param {Map<string, number>} ports - by those of the page
   * @param {string} folder - for what services write
   */
  constructor(ports, folder) {
    this.#ports = ports;
    this.#folder = folder;
  }

  /**
   * @param {string} text - of the page
   * @returns {string} with the ports of the test
   */
  #real(text) {
    const pattern = new RegExp(`\\b(?:${PORTS.join('|')})\\b`, 'g');
    return text.replaceAll(pattern, (port) => this.#ports.get(port));
  }

  /**
   * Runs a command until it has printed what the page shows.
   * @param {{ command: string, output?: string }} command
   * @returns {Promise<void>}
   */
  async run({ command, output }) {
    const isService = output === undefined;
    // Without PORT, the example would listen on the port of the page, which may be in use.
    const env = { ...process.env, PORT: String(this.#ports.get('3000')) };
    const child = spawn('bash', ['-c', this.#real(command)], {
      cwd: isService ? this.#folder : EXAMPLE,
      detached: true,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#running.set(child, command);
    child.once('exit', () => this.#running.delete(child));
    if (isService) return this.#connects(/--port (\d+)/.exec(command)[1]);
    const expected = this.#real(output);
    let printed = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      printed += text;
    });
    const ended = once(child, 'close').then(() => true);
    const shown = new Promise((resolve) => {
      child.stdout.setEncoding('utf8').on('data', (text) => {
        printed += text;
        if (printed.includes(`${expected}\n`)) resolve();
      });
    });
    const signal = AbortSignal.timeout(COMMAND_TIMEOUT);
    await Promise.race([shown, ended, once(signal, 'abort')]);
    assert.equal(printed.trim(), expected, command);
    // A program that only prints is done when it has ended.
    if (command.includes('client.js')) await ended;
    return undefined;
  }

  /**
   * @param {string} port - of the page
   * @returns {Promise<void>} when a service accepts connections there
   */
  async #connects(port) {
    for (;;) {
      const socket = net.connect(this.#ports.get(port), '127.0.0.1');
      const isOpen = await once(socket, 'connect').then(
        () => true,
        () => false,
      );
      socket.destroy();
      if (isOpen) return;
      // Nothing says when a service accepts connections.
      await delay(50);
    }
  }

  /**
   * Has the servers end as a process manager does.
   * @returns {Promise<void>} when they have, by themselves
   */
  async terminate() {
    const servers = [...this.#running].filter(([, command]) => command.includes('node '));
    await Promise.all(
      servers.map(async ([child, command]) => {
        const exited = once(child, 'exit', { signal: AbortSignal.timeout(COMMAND_TIMEOUT) });
        child.kill('SIGTERM');
        assert.deepEqual(await exited, [0, null], command);
      }),
    );
  }

  /**
   * Ends the commands that still run.
   * @param {(command: string) => boolean} which
   * @returns {Promise<void>}
   */
  async end(which) {
    const children = [...this.#running].filter(([, command]) => which(command));
    await Promise.all(
      children.map(([child]) => {
        const exited = once(child, 'exit');
        // Redis does not obey a SIGTERM while it cannot save what it has.
        process.kill(-child.pid, 'SIGKILL');
        return exited;
      }),
    );
  }
}

describe('the page about more than one process', { timeout: 120_000 }, () => {
  it('the commands that lead from one process to ten print what the page shows', async (t) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'loopback-socket-'));
    const shell = new Shell(await freePorts(), folder);
    const steps = stepsOf();
    assert.equal(steps.length, 4);
    try {
      for (const { title, commands } of steps) {
        if (title.startsWith('2.') && WITHOUT_REDIS) {
          t.diagnostic(`only the first step was run: ${WITHOUT_REDIS}`);
          break;
        }
        for (const command of commands) await shell.run(command);
        await shell.terminate();
      }
    } finally {
      await shell.end(() => true);
      fs.rmSync(folder, { recursive: true, force: true });
    }
  });

  it('the examples of the page about more than one process are JavaScript', () => {
    const examples = [...PAGE.matchAll(/^ *```js\n([^]*?)^ *```/gm)].map(([, code]) => code);
    assert.ok(examples.length >= 3);
    for (const code of examples) new vm.Script(`(async () => {${code}\n})`);
  });
});
