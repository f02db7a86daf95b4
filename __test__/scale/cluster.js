'use strict';

/**
 * A cluster of nodes as a test sees it: processes that it starts, asks and ends, and clients of them.
 */

const { fork } = require('node:child_process');
const nodeCluster = require('node:cluster');
const { EventEmitter, once } = require('node:events');
const path = require('node:path');
const { ADAPTERS } = require('./adapters');
const { Client } = require('./client');

const NODE = path.join(__dirname, 'node.js');

/** Milliseconds between two attempts when no event announces what is waited for. */
const INTERVAL = 10;

/** Milliseconds that nodes have to reach each other. */
const READY_TIMEOUT = 20_000;

/** Makes workers with the options that nodes need, and relays messages of the cluster adapter, once. */
let isPrimarySetUp = false;

/** @returns {any} a worker of Node's `cluster` that runs a node, as a child process */
function forkWorker() {
  if (!isPrimarySetUp) {
    isPrimarySetUp = true;
    // Only with the format of structured clones do Buffers stay Buffers.
    nodeCluster.setupPrimary({ exec: NODE, args: [], serialization: 'advanced', silent: true });
    require('@socket.io/cluster-adapter').setupPrimary();
  }
  return nodeCluster.fork().process;
}

/** A method of a node's server called step by step; the last step sends it to the node. */
class Chain {
  #send;
  #start;
  #steps;

  /**
   * @param {(chain: object) => any} send
   * @param {[string, ...string[]]} start
   * @param {[string, ...unknown[]][]} [steps]
   */
  constructor(send, start, steps = []) {
    this.#send = send;
    this.#start = start;
    this.#steps = steps;
  }

  /**
   * @param {...unknown} step its name and its arguments
   * @returns {Chain}
   */
  with(...step) {
    return new Chain(this.#send, this.#start, [...this.#steps, step]);
  }

  /**
   * @param {...unknown} step its name and its arguments
   * @returns {Promise<any>} what it gives on the node
   */
  end(...step) {
    return this.#send({ start: this.#start, steps: [...this.#steps, step] });
  }

  get local() {
    return this.with('local');
  }

  get volatile() {
    return this.with('volatile');
  }

  get broadcast() {
    return this.with('broadcast');
  }
}

for (const operator of ['to', 'in', 'except', 'compress', 'timeout']) {
  Chain.prototype[operator] = function chained(...args) {
    return this.with(operator, ...args);
  };
}
for (const method of [
  'allSockets',
  'disconnect',
  'disconnectSockets',
  'emit',
  'emitWithAck',
  'emitWithCallback',
  'fetchSockets',
  'join',
  'leave',
  'serverCount',
  'serverSideEmit',
  'serverSideEmitWithAck',
  'serverSideEmitWithCallback',
  'socketsJoin',
  'socketsLeave',
]) {
  Chain.prototype[method] = function ending(...args) {
    return this.end(method, ...args);
  };
}

/** Where chains begin, for a node or for a list of chains that it runs in one tick. */
class Chains {
  #send;

  /** @param {(chain: object) => any} send */
  constructor(send) {
    this.#send = send;
  }

  /**
   * @param {string} [namespace]
   * @returns {Chain} that begins at a namespace
   */
  io(namespace = '/') {
    return new Chain(this.#send, ['namespace', namespace]);
  }

  /** @returns {Chain} that begins at the parent of the dynamic namespaces */
  parent() {
    return new Chain(this.#send, ['parent']);
  }

  /**
   * @param {Client} client of this node
   * @returns {Chain} that begins at the client's socket
   */
  socket({ namespace, id }) {
    return new Chain(this.#send, ['socket', namespace, id]);
  }

  /**
   * @param {Client} client of any node
   * @returns {Chain} that begins at the client's socket as `fetchSockets()` gives it
   */
  remote({ namespace, id }) {
    return new Chain(this.#send, ['remote', namespace, id]);
  }
}

/** A node: emits `news` for what other nodes tell it, `disconnect` for its sockets, `outgoing`. */
class Node extends EventEmitter {
  #child;
  #requests = new Map();
  #lastId = 0;
  #output = '';
  #chains = new Chains((chain) => this.run([chain]).then(([result]) => result));

  /**
   * @param {any} child
   * @param {object} config
   */
  constructor(child, config) {
    super();
    this.setMaxListeners(0);
    this.#child = child;
    this.name = config.name;
    /** `npm` or `native`. */
    this.kind = config.kind;
    child.on('message', (message) => this.#received(message));
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (this.#output += text));
    }
    this.ended = once(child, 'exit').then(([code, signal]) => {
      const error = new Error(`${this.name} ended with ${code ?? signal}: ${this.#output}`);
      this.#requests.forEach(({ reject }) => reject(error));
      this.#requests.clear();
      return { code, signal, output: this.#output };
    });
  }

  /** @returns {number} the process */
  get pid() {
    return this.#child.pid;
  }

  /** @returns {string} what it wrote */
  get output() {
    return this.#output;
  }

  /**
   * @param {any} message
   * @returns {void}
   */
  #received(message) {
    if (message?.scale === 'notice') {
      this.emit(message.event, ...message.args);
    } else if (message?.scale === 'answer') {
      const { resolve, reject } = this.#requests.get(message.id);
      this.#requests.delete(message.id);
      if (message.error === undefined) resolve(message.result);
      else reject(Object.assign(new Error(message.error.message), message.error));
    }
  }

  /**
   * @param {string} operation of `operations.js`
   * @param {...unknown} args
   * @returns {Promise<any>} its result
   */
  call(operation, ...args) {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#requests.set(id, { resolve, reject });
      this.#child.send({ scale: 'request', id, operation, args }, (error) => {
        if (error && this.#requests.delete(id)) reject(error);
      });
    });
  }

  /**
   * @param {object[]} chains
   * @returns {Promise<any[]>} what each gives
   */
  run(chains) {
    return this.call('run', chains);
  }

  /**
   * Runs chains one after the other without a turn of the event loop between them.
   *
   * @param {(chains: Chains) => object[]} build
   * @returns {Promise<any[]>} what each gives
   */
  atOnce(build) {
    return this.run(build(new Chains((chain) => chain)));
  }

  /**
   * @param {string} [namespace]
   * @returns {Chain} see `Chains`
   */
  io(namespace) {
    return this.#chains.io(namespace);
  }

  /** @returns {Chain} see `Chains` */
  parent() {
    return this.#chains.parent();
  }

  /**
   * @param {Client} client
   * @returns {Chain} see `Chains`
   */
  socket(client) {
    return this.#chains.socket(client);
  }

  /**
   * @param {Client} client
   * @returns {Chain} see `Chains`
   */
  remote(client) {
    return this.#chains.remote(client);
  }

  /**
   * @param {NodeJS.Signals} [signal]
   * @returns {Promise<object>} how it ended
   */
  kill(signal = 'SIGKILL') {
    this.#child.kill(signal);
    return this.ended;
  }

  /** @returns {Promise<object>} how it ended */
  stop() {
    if (this.#child.connected) this.#child.disconnect();
    return this.ended;
  }
}

/** Nodes with one adapter. */
class Cluster {
  /** @type {Node[]} */
  nodes = [];
  #clients = new Set();
  #config;
  #started = 0;

  /**
   * @param {object} config
   * @param {string} config.adapter a key of `ADAPTERS`; without, nodes know nothing of each other
   * @param {string} [config.url] of the service that the adapter needs
   * @param {boolean} [config.authentication] whether a LoopbackSocket is started on each node
   * @param {string} [config.parser] a package, for nodes and clients
   * @param {string} [config.program] a module that each node runs with its server, for the operation `program`
   * @param {object} [config.adapterOptions]
   * @param {object} [config.serverOptions]
   */
  constructor(config) {
    this.#config = config;
  }

  /**
   * @param {object} config as for the constructor
   * @param {string[]} config.kinds `npm` or `native`, for each node
   * @returns {Promise<Cluster>} whose nodes reach each other
   */
  static async start({ kinds, ...config }) {
    const cluster = new Cluster(config);
    try {
      await Promise.all(kinds.map((kind) => cluster.add(kind)));
      await cluster.ready();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /**
   * @param {'npm' | 'native'} kind
   * @param {object} [overrides]
   * @param {string} [overrides.url] of the service, if this node reaches it another way
   * @returns {Promise<Node>} a node more, which listens; the others may not know of it yet, see `ready`
   */
  async add(kind, { url = this.#config.url } = {}) {
    const name = `node ${++this.#started} (${kind})`;
    const child =
      this.#config.adapter === 'cluster'
        ? forkWorker()
        : fork(NODE, { serialization: 'advanced', stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    const node = new Node(child, { name, kind });
    this.nodes.push(node);
    node.ended.then(() => (this.nodes = this.nodes.filter((other) => other !== node)));
    await Promise.race([once(node, 'ready'), node.ended]);
    ({ port: node.port } = await node.call('start', { ...this.#config, url, name, kind }));
    return node;
  }

  /**
   * @param {Node} node
   * @param {object} [options] of the client; `version`, `namespace`, `waits`: see `Client`
   * @returns {Promise<Client>} connected
   */
  async connect(node, options) {
    const { parser } = this.#config;
    const client = new Client(node, parser ? { parser: require(parser), ...options } : options);
    this.#clients.add(client);
    await client.connected();
    return client;
  }

  /**
   * Has a client of each node receive what each node broadcasts: then every subscription is in place.
   *
   * @param {string} [namespace]
   * @param {object} [options]
   * @param {boolean} [options.stay] whether the clients stay, so that a dynamic namespace does
   * @returns {Promise<void>}
   */
  async ready(namespace = '/', { stay = false } = {}) {
    const { nodes } = this;
    const signal = AbortSignal.timeout(READY_TIMEOUT);
    const clients = await Promise.all(nodes.map((node) => this.connect(node, { namespace })));
    if (this.#config.authentication) {
      await Promise.all(clients.map((client) => this.#authenticate(client)));
    }
    for (const node of nodes) {
      while ((await node.io(namespace).serverCount()) < nodes.length) {
        if (signal.aborted) throw new Error(`${node.name} does not know of every other node`);
        await new Promise((resolve) => setTimeout(resolve, INTERVAL));
      }
    }
    for (const [from, node] of nodes.entries()) {
      const isReached = () =>
        clients.every(({ received }) => received.some(([event]) => event === `probe ${from}`));
      while (!isReached()) {
        if (signal.aborted) throw new Error(`${node.name} does not reach every other node`);
        await node.io(namespace).emit(`probe ${from}`);
        await new Promise((resolve) => setTimeout(resolve, INTERVAL));
      }
      // Afterwards no probe is on its way.
      await node.io(namespace).emit('reached');
      await Promise.all(clients.map((client) => client.until('reached')));
    }
    if (stay) return;
    await Promise.all(clients.map((client) => client.close()));
    clients.forEach((client) => this.#clients.delete(client));
    await this.settle();
  }

  /**
   * @param {Client} client
   * @returns {Promise<void>} when broadcasts reach it; in another namespace its default one authenticates
   */
  async #authenticate(client) {
    if (client.namespace === '/') {
      await client.authenticate();
      return;
    }
    const main = await this.connect(client.node, { beside: client });
    await main.authenticate();
  }

  /** @returns {Promise<void>} when every node has its adapter's subscriptions confirmed */
  async settle() {
    await Promise.all(this.nodes.map((node) => node.call('settle')));
  }

  /**
   * @param {Client[]} [except] those that stay
   * @returns {Promise<void>} when every other client is closed, and the nodes know it
   */
  async closeClients(except = []) {
    const clients = [...this.#clients].filter((client) => !except.includes(client));
    clients.forEach((client) => this.#clients.delete(client));
    await Promise.all(clients.map((client) => client.close()));
    await this.settle();
  }

  /** @returns {Promise<void>} when all has ended */
  async stop() {
    this.#clients.forEach((client) => client.end());
    this.#clients.clear();
    await Promise.all(this.nodes.map((node) => node.stop()));
  }
}

module.exports = { ADAPTERS, Chain, Cluster, Node };
