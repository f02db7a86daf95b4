'use strict';

/**
 * What the fragments of code in the documentation run in: a native server on a port of its own, an instance,
 * clients, and whatever names a test adds. Everything that a fragment has opened is closed when its test ends.
 */

const assert = require('node:assert/strict');
const { EventEmitter, once } = require('node:events');
const http = require('node:http');
const net = require('node:net');
const vm = require('node:vm');
const ts = require('typescript');
const { io: connect } = require('socket.io-client');
const LoopbackSocket = require('../../..');
const { freePort } = require('../../support/free-port');
const { placeOf } = require('../../support/pages');

/** Long for a busy machine; nothing waits this long unless a page is wrong. */
const PATIENCE = 20_000;

/** The port that the pages have. */
const PORT_OF_PAGES = /\b3000\b/g;

/** @type {Set<{ close: () => unknown }> | undefined} the servers that the running fragments have opened */
let opened;

const { attach } = LoopbackSocket.Server.prototype;
LoopbackSocket.Server.prototype.attach = function attachAndRemember(...args) {
  opened?.add(this);
  return attach.apply(this, args);
};
const { listen } = net.Server.prototype;
net.Server.prototype.listen = function listenAndRemember(...args) {
  opened?.add(this);
  return listen.apply(this, args);
};

/**
 * @param {ts.BindingName} name
 * @returns {string[]} the names that it declares
 */
function namesIn(name) {
  if (ts.isIdentifier(name)) return [name.text];
  return name.elements.filter(ts.isBindingElement).flatMap((element) => namesIn(element.name));
}

/**
 * Makes a function of a fragment: ES modules become CommonJS, and types go.
 *
 * @param {import('../../support/pages').Block} block
 * @param {number} port in place of that of the pages
 * @returns {(scope: object) => Promise<object>} which takes the names that it may use, and gives those that it
 *   declares
 */
function compile(block, port) {
  const text = block.text.replaceAll(PORT_OF_PAGES, port);
  const { outputText, diagnostics } = ts.transpileModule(text, {
    fileName: `block.${block.language}`,
    reportDiagnostics: true,
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.CommonJS,
      esModuleInterop: true,
      removeComments: false,
    },
  });
  const faults = diagnostics.map(({ messageText }) =>
    ts.flattenDiagnosticMessageText(messageText, '\n'),
  );
  assert.deepEqual(faults, [], placeOf(block));
  const code = outputText.replace(/^"use strict";\n/, '');
  const declared = ts
    .createSourceFile('block.js', code, ts.ScriptTarget.ES2022)
    .statements.flatMap((statement) => {
      if (ts.isFunctionDeclaration(statement)) return [statement.name.text];
      if (!ts.isVariableStatement(statement)) return [];
      return statement.declarationList.declarations.flatMap(({ name }) => namesIn(name));
    });
  // A name that nobody has declared is looked up in the scope, whenever that is. What is declared later than
  // a fragment stops, at its `for await`, is undefined.
  const source = `(async function (scope) { with (scope) {${code}\n; return { ${declared.join(', ')} }; } })`;
  return new vm.Script(source, { filename: placeOf(block), lineOffset: -1 }).runInThisContext();
}

/** One test's server, instance and clients. */
class World {
  #names;
  #console = new EventEmitter();
  #lines;
  #running = [];
  #clients = [];
  #isOver = false;
  #io;
  #instances = new Map();

  /** Opens nothing yet. */
  constructor() {
    this.signal = AbortSignal.timeout(PATIENCE);
    const lines = [];
    let arrived = () => {};
    this.#console.on('line', (line) => {
      lines.push(line);
      arrived();
    });
    this.#lines = async () => {
      while (lines.length === 0) {
        await new Promise((resolve, reject) => {
          arrived = resolve;
          this.signal.addEventListener('abort', () => reject(new Error('Nothing was logged')));
        });
      }
      return lines.shift();
    };
  }

  /** Chooses the port, and what fragments see. */
  async begin() {
    this.port = await freePort();
    opened = new Set();
    this.url = `http://localhost:${this.port}`;
    const log = (...args) => this.#console.emit('line', args);
    const world = this;
    /** The class with instances of this test alone. */
    this.LoopbackSocket = class extends LoopbackSocket {
      /** @returns {LoopbackSocket} the instance with that name */
      static get(name, options) {
        const instances = world.#instances;
        if (!instances.has(name)) instances.set(name, new LoopbackSocket(name, options));
        return instances.get(name);
      }
    };
    for (const name of Object.getOwnPropertyNames(LoopbackSocket)) {
      // An ES module of CommonJS has own properties only.
      if (name in Function.prototype || name === 'prototype' || name === 'get') continue;
      const descriptor = Object.getOwnPropertyDescriptor(LoopbackSocket, name);
      Object.defineProperty(this.LoopbackSocket, name, descriptor);
    }
    this.process = Object.assign(new EventEmitter(), {
      env: {},
      exit: () => this.process.emit('exited'),
    });
    const { client } = await import('../../../client.mjs');
    this.modules = {
      'loopback-socket': this.LoopbackSocket,
      'loopback-socket/client': { client },
      'socket.io-client': { io: (...args) => this.open(...args) },
    };
    this.#names = {
      LoopbackSocket: this.LoopbackSocket,
      sockets: this.sockets,
      Server: LoopbackSocket.Server,
      client,
      io: (...args) => this.open(...args),
      exports: {},
      http,
      process: this.process,
      console: { log, warn: log, error: log },
      require: (name) =>
        name in this.modules
          ? this.modules[name]
          : require(name.replace(/^loopback-socket\//, '../../../')),
    };
  }

  /** The instance of fragments that make none. */
  get sockets() {
    return this.LoopbackSocket.get('guide', 'none');
  }

  /** The native server of fragments that make none; serves `sockets`. */
  get server() {
    if (this.#io === undefined) {
      this.#io = new LoopbackSocket.Server(this.port);
      this.sockets.start(this.#io);
    }
    return this.#io;
  }

  /**
   * @param {string} [url]
   * @param {object} [options] of socket.io-client
   * @returns {import('socket.io-client').Socket} a socket that ends with the test
   */
  open(url = this.url, options = {}) {
    if (typeof url === 'object') return this.open(this.url, url);
    const socket = connect(url, { forceNew: true, ...options });
    this.#clients.push(socket);
    return socket;
  }

  /**
   * @param {unknown} [credentials]
   * @param {string} [url]
   * @returns {Promise<import('socket.io-client').Socket>} a socket that has authenticated
   */
  async authenticated(credentials = {}, url = this.url) {
    const socket = this.open(url);
    socket.on('connect', () => socket.emit('authentication', credentials));
    const refused = once(socket, 'unauthorized', { signal: this.signal });
    refused.catch(() => {});
    await Promise.race([
      once(socket, 'authenticated', { signal: this.signal }),
      refused.then(([refusal]) => {
        throw Object.assign(new Error(refusal.message), refusal);
      }),
    ]);
    return socket;
  }

  /**
   * Calls a method by a client of its own.
   *
   * @param {string} method
   * @param {unknown} [args]
   * @param {unknown} [credentials]
   * @param {string} [url]
   * @returns {Promise<object>} the answer
   */
  async call(method, args, credentials, url) {
    const socket = await this.authenticated(credentials, url);
    return socket.timeout(PATIENCE).emitWithAck(method, args);
  }

  /**
   * Runs a fragment to its end.
   *
   * @param {import('../../support/pages').Block} block
   * @param {object} [names] that it may use, in addition to those of the world
   * @returns {Promise<object>} what it declares
   */
  async run(block, names = {}) {
    // Not spread: a name may be a getter.
    const scope = Object.create(this.#names, Object.getOwnPropertyDescriptors(names));
    return compile(block, this.port)(scope);
  }

  /**
   * Starts a fragment that ends only with the sockets that it uses, such as a loop over a subscription. If it
   * fails before that, the test fails.
   *
   * @param {import('../../support/pages').Block} block
   * @param {object} [names]
   */
  start(block, names) {
    const running = this.run(block, names).catch((error) => {
      if (!this.#isOver) throw error;
    });
    running.catch(() => {});
    this.#running.push(running);
  }

  /** @returns {Promise<unknown[]>} the arguments of the next call of `console.log()` and its like */
  line() {
    return this.#lines();
  }

  /**
   * @param {EventEmitter} emitter
   * @param {string} event
   * @returns {Promise<unknown[]>} what comes with it
   */
  event(emitter, event) {
    return once(emitter, event, { signal: this.signal });
  }

  /**
   * Waits for something that has no event.
   *
   * @template T
   * @param {() => T | Promise<T>} condition
   * @returns {Promise<T>} its first true value
   */
  async until(condition) {
    for (;;) {
      const value = await condition();
      if (value) return value;
      this.signal.throwIfAborted();
      await new Promise((resolve) => {
        setTimeout(resolve, 5);
      });
    }
  }

  /** Closes what the test has opened, and fails if a fragment has failed. */
  async end() {
    this.#isOver = true;
    const remembered = [...opened];
    opened = undefined;
    for (const socket of this.#clients) socket.disconnect();
    for (const server of remembered) {
      if (server instanceof LoopbackSocket.Server) await server.close();
    }
    for (const server of remembered) {
      if (server instanceof LoopbackSocket.Server) continue;
      server.closeAllConnections?.();
      server.close();
    }
    await Promise.all(this.#running);
  }
}

module.exports = { World };
