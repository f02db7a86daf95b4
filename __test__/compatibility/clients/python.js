'use strict';

/** The clients of python-socketio, driven in a process of Python, behind the same few methods. */

const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const readline = require('node:readline');
const { after, before, describe, it } = require('node:test');
const { EventQueue } = require('./event-queue');
const { describePromises } = require('./promises');

const COMMANDS = process.platform === 'win32' ? ['python', 'py'] : ['python3', 'python'];

/**
 * Makes a virtual environment with the packages of a file, or finds the one made before.
 *
 * @param {string} requirements path of the file
 * @returns {string} path of its Python
 * @throws {Error} what to install if there is no Python, or what pip said
 */
function pythonWith(requirements) {
  const python = COMMANDS.find((command) => spawnSync(command, ['--version']).status === 0);
  if (python === undefined) {
    throw new Error('Python is missing: install python3 (Debian: python3 and python3-venv)');
  }
  const packages = fs.readFileSync(requirements, 'utf8');
  const name = `loopback-socket-clients-${packages.match(/python-socketio==(.*)/)[1]}`;
  const folder = path.join(os.tmpdir(), `${name}-${os.userInfo().username}`);
  const mark = path.join(folder, 'installed.txt');
  if (!fs.existsSync(mark) || fs.readFileSync(mark, 'utf8') !== packages) {
    fs.rmSync(folder, { recursive: true, force: true });
    // Made beside it and moved: another test run may look at the same moment.
    const made = fs.mkdtempSync(`${folder}-`);
    try {
      step(python, ['-m', 'venv', made], 'install python3-venv');
      const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
      step(pythonOf(made), [...pip, '-r', requirements], 'pip needs its packages');
      fs.writeFileSync(path.join(made, 'installed.txt'), packages);
      fs.renameSync(made, folder);
    } catch (error) {
      fs.rmSync(made, { recursive: true, force: true });
      if (!fs.existsSync(mark)) throw error;
    }
  }
  return pythonOf(folder);
}

/** @returns {string} path of the Python of a virtual environment */
function pythonOf(folder) {
  return process.platform === 'win32'
    ? path.join(folder, 'Scripts', 'python.exe')
    : path.join(folder, 'bin', 'python');
}

/** Runs a command; its last line says why it failed. */
function step(command, args, advice) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) {
    const why = `${stdout}\n${stderr}`.trim().split('\n').at(-1);
    throw new Error(`${advice}: ${command} ${args.join(' ')}: ${why}`);
  }
}

/** Bytes as the driver reads them. */
function pack(value) {
  if (Buffer.isBuffer(value)) return { bytes: value.toString('base64') };
  if (Array.isArray(value)) return value.map(pack);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, pack(item)]));
  }
  return value;
}

/** The opposite of pack. */
function unpack(value) {
  if (Array.isArray(value)) return value.map(unpack);
  if (typeof value !== 'object' || value === null) return value;
  if (typeof value.bytes === 'string' && Object.keys(value).length === 1) {
    return Buffer.from(value.bytes, 'base64');
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unpack(item)]));
}

/** A process of Python with any number of clients. */
class Driver {
  #clients = new Map();
  #lastClient = 0;

  /**
   * @param {string} python path of the Python
   * @param {string} mode `sync` or `asyncio`
   */
  constructor(python, mode) {
    const args = ['-u', path.join(__dirname, 'driver.py'), mode];
    const env = { ...process.env, PYTHONIOENCODING: 'utf-8' };
    this.child = spawn(python, args, { stdio: ['pipe', 'pipe', 'inherit'], env });
    readline.createInterface({ input: this.child.stdout }).on('line', (line) => {
      const { client, ...message } = JSON.parse(line);
      this.#clients.get(client).received(unpack(message));
    });
  }

  /** @returns {PythonClient} a client, not connected yet */
  client() {
    this.#lastClient += 1;
    const client = new PythonClient(this, this.#lastClient);
    this.#clients.set(this.#lastClient, client);
    return client;
  }

  write(command) {
    this.child.stdin.write(`${JSON.stringify(pack(command))}\n`);
  }

  /** @returns {Promise<void>} when the process is gone */
  stop() {
    return new Promise((resolve) => {
      this.child.once('close', () => resolve());
      this.child.kill();
    });
  }
}

class PythonClient {
  /** Events that arrived, by name, each with its arguments. */
  events = new EventQueue();
  #answers = new Map();
  /** Its first connect is reported when connect() is done, too, an upgrade included. */
  #toConnect = 2;
  #lastCall = 0;

  constructor(driver, number) {
    this.driver = driver;
    this.number = number;
  }

  received({ event, happened, opened, call, args }) {
    if (event !== undefined) {
      this.events.push(event, args);
    } else if (call !== undefined) {
      this.#answers.get(call)(args);
      this.#answers.delete(call);
    } else if (opened === undefined && happened !== 'connect') {
      this.events.push(happened, args?.[0]);
    } else if (opened !== undefined && opened !== true) {
      this.events.push('failed', opened);
    } else {
      // Either may be told first.
      this.#toConnect -= 1;
      if (this.#toConnect <= 0) this.events.push('connect', []);
    }
  }

  #command(op, rest) {
    this.driver.write({ client: this.number, op, ...rest });
  }

  #ask(op, rest) {
    this.#lastCall += 1;
    const call = this.#lastCall;
    this.#command(op, { call, ...rest });
    return new Promise((resolve) => this.#answers.set(call, resolve));
  }

  open(options) {
    this.#command('open', options);
  }

  /** @returns {Promise<string>} what carries the connection: websocket or polling */
  async transport() {
    return (await this.#ask('transport'))[0];
  }

  /** Connecting includes it. */
  async upgraded() {}

  emit(name, ...args) {
    this.#command('emit', { name, args });
  }

  /** @returns {Promise<any[]>} what the server acknowledged with */
  call(name, ...args) {
    return this.#ask('call', { name, args });
  }

  /** @returns {Promise<any[]>} the arguments of the next event of that name */
  next(name) {
    return this.events.next(name);
  }

  disconnect() {
    this.#command('disconnect');
  }

  /** Ends the connection without leaving the namespace. */
  drop() {
    this.#command('drop');
  }

  close() {
    this.#command('disconnect');
  }
}

/**
 * Describes something of the clients of one version, `sync` and `asyncio`. Without Python it is
 * skipped with the reason, but where CI says so it fails.
 *
 * @param {string} version `4` or `5`
 * @param {(name: string, kind: object) => void} describeKind describes a kind of client by its name
 */
function withPython(version, describeKind) {
  let python;
  try {
    python = pythonWith(path.join(__dirname, `requirements-${version}.txt`));
  } catch (error) {
    it(
      `python-socketio ${version} can be installed`,
      { skip: process.env.CI ? false : error.message },
      () => {
        throw error;
      },
    );
    return;
  }
  for (const mode of ['sync', 'asyncio']) {
    describe(`python-socketio ${version} (${mode})`, () => {
      let driver;
      before(() => (driver = new Driver(python, mode)));
      after(() => driver.stop());
      describeKind(
        `python-socketio ${version} (${mode})`,
        pythonClient(version, mode, () => driver.client()),
      );
    });
  }
}

/**
 * Describes the promises to the clients of one version.
 *
 * @param {string} version `4` or `5`
 */
function describePython(version) {
  withPython(version, describePromises);
}

/**
 * @param {string} version `4` or `5`
 * @param {string} mode `sync` or `asyncio`
 * @param {() => PythonClient} create makes a client
 * @returns {object} a kind of client, see promises.js
 */
function pythonClient(version, mode, create) {
  const isOld = version === '4';
  return {
    hasAuth: !isOld,
    refusal: ({ message, data }) => (isOld ? data : { message, data }),
    // 4 is told no reasons, not even that it has left; and it takes an empty attachment for none.
    reasons: isOld
      ? { byServer: undefined, byClient: null, lost: /^undefined$/ }
      : {
          byServer: 'server disconnect',
          byClient: 'client disconnect',
          lost: /^(transport error|server disconnect)$/,
        },
    hasEmptyBytes: !isOld,
    // `sync` takes every packet in a thread of its own.
    keepsOrder: mode === 'asyncio',
    // It may end its connection before what it said last is on its way.
    leaves: /^(client namespace disconnect|transport close)$/,
    leavesInSilence: (transports) => isOld && !transports.includes('websocket'),
    staysAway: (transports) => !transports.includes('websocket'),
    async open({ url, token, namespace = '/', transports, auth, events = [] }) {
      const client = create();
      const query = token === undefined ? '' : `?token=${encodeURIComponent(token)}`;
      client.open({ url: url + query, namespace, transports, auth, events });
      return client;
    },
  };
}

module.exports = { describePython, withPython };
