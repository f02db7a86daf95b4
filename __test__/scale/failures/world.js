'use strict';

/**
 * A cluster under traffic: nodes of two kinds with one adapter, a load balancer, and clients that note what they miss.
 */

const assert = require('node:assert/strict');
const { setMaxListeners } = require('node:events');
const { Cluster } = require('../cluster');
const { startBalancer } = require('../services/balancer');
const { Subscriber } = require('./subscriber');

/** Milliseconds that anything may take on a busy machine. */
const TIMEOUT = 60_000;

/** Milliseconds between two looks at what no event announces. */
const INTERVAL = 50;

/** Broadcasts of each node that a stretch of undisturbed traffic has. */
const STRETCH = 25;

/** How many clients there are for each node. */
const CLIENTS_PER_NODE = 3;

/** Milliseconds after which nodes with heartbeats take a silent one for gone. */
const HEARTBEAT_TIMEOUT = 3000;

/** What the adapters need beside what each feature's test gives them. */
const ADAPTER_OPTIONS = {
  // With the package `redis`, the mode "dynamic" loses rooms: see docs/scaling.md.
  'redis-sharded': { subscriptionMode: 'static' },
  postgres: { heartbeatTimeout: HEARTBEAT_TIMEOUT },
  mongo: { heartbeatTimeout: HEARTBEAT_TIMEOUT },
  cluster: { heartbeatTimeout: HEARTBEAT_TIMEOUT },
};

/** @typedef {Map<string, number>} Mark how many broadcasts each node had sent, by its name */

class World {
  /** @type {Subscriber[]} */
  subscribers = [];

  /**
   * @param {object} config
   * @param {string} config.adapter
   * @param {string} config.url of its service
   * @param {boolean} config.authentication
   * @param {object} [config.adapterOptions]
   * @param {object} [config.serverOptions]
   */
  constructor({ adapter, url, authentication, adapterOptions, serverOptions }) {
    this.authentication = authentication;
    this.cluster = new Cluster({
      adapter,
      url,
      authentication,
      adapterOptions: { ...ADAPTER_OPTIONS[adapter], ...adapterOptions },
      serverOptions,
      program: require.resolve('./program'),
    });
  }

  /**
   * @param {object} config
   * @param {string} config.adapter
   * @param {{url: string}} config.service
   * @param {string[]} config.kinds of the nodes
   * @param {string[]} [config.urls] by which each node reaches the service
   * @param {boolean} [config.authentication] whether nodes have a LoopbackSocket, and clients authenticate
   * @param {object} [config.adapterOptions]
   * @param {object} [config.serverOptions]
   * @param {boolean} [config.traffic] whether nodes broadcast
   * @returns {Promise<World>} whose nodes reach each other
   */
  static async start({ service, kinds, urls, authentication = false, traffic = true, ...config }) {
    const world = new World({ ...config, url: service.url, authentication });
    try {
      await Promise.all(kinds.map((kind, at) => world.cluster.add(kind, { url: urls?.[at] })));
      await world.cluster.ready();
      world.balancer = await startBalancer(() => world.#open.map(({ port }) => port));
      world.#open = [...world.nodes];
      await world.connect(kinds.length * CLIENTS_PER_NODE);
      if (traffic) await world.startTraffic();
    } catch (error) {
      await world.stop();
      throw error;
    }
    return world;
  }

  /** @returns {Promise<void>} when every node broadcasts */
  async startTraffic() {
    await Promise.all(this.nodes.map((node) => node.call('program', 'start')));
  }

  /** The nodes to which the balancer sends new connections. */
  #open = [];
  #isStopped = false;

  /** @returns {import('../cluster').Node[]} those that run */
  get nodes() {
    return this.cluster.nodes;
  }

  /**
   * @param {number} count of further clients
   * @returns {Promise<void>} when all are in their room
   */
  async connect(count) {
    for (let i = 0; i < count; i++) {
      this.subscribers.push(new Subscriber(this.balancer.port, this.authentication));
    }
    await this.untilReady();
  }

  /** @returns {Promise<void>} when every client is connected to some node and in its room */
  async untilReady() {
    const signal = AbortSignal.timeout(TIMEOUT);
    setMaxListeners(0, signal);
    await Promise.all(
      this.subscribers.map((one) => one.until(({ isReady }) => isReady, 'ready', signal)),
    );
  }

  /**
   * @param {string} kind
   * @returns {Promise<import('../cluster').Node>} a node more, with traffic of its own
   */
  async addNode(kind) {
    const node = await this.cluster.add(kind);
    await this.until(`${node.name} knows every other node`, async () => {
      const counts = await Promise.all(this.nodes.map((one) => one.call('program', 'countNodes')));
      return counts.every((count) => count >= this.nodes.length);
    });
    await node.call('program', 'start');
    this.#open.push(node);
    return node;
  }

  /**
   * Has the balancer send a node no new connections.
   * @param {import('../cluster').Node} node
   */
  takeOut(node) {
    this.#open = this.#open.filter((other) => other !== node);
  }

  /** @returns {Promise<Mark>} how many broadcasts each node has sent */
  async mark() {
    const { nodes } = this;
    const sent = await Promise.all(nodes.map((node) => node.call('program', 'sent')));
    return new Map(nodes.map(({ name }, at) => [name, sent[at]]));
  }

  /**
   * @param {number} count
   * @returns {Promise<Mark>} once each node has sent so many broadcasts more
   */
  async after(count) {
    await Promise.all(this.nodes.map((node) => node.call('program', 'after', count)));
    return this.mark();
  }

  /**
   * @param {Mark} begin
   * @param {Mark} end
   * @param {object} [among]
   * @param {Subscriber[]} [among.subscribers]
   * @param {string[]} [among.sources] names of nodes
   * @returns {number} broadcasts between these marks that clients did not receive
   */
  missing(begin, end, { subscribers = this.subscribers, sources = [...end.keys()] } = {}) {
    let missing = 0;
    for (const subscriber of subscribers) {
      for (const source of sources) {
        missing += subscriber.missing(source, begin.get(source) ?? 0, end.get(source)).length;
      }
    }
    return missing;
  }

  /**
   * @param {Mark} begin
   * @param {Mark} end
   * @param {object} [among] as for `missing`
   * @returns {Promise<void>} when the clients have received every broadcast between these marks
   */
  async untilComplete(begin, end, among = {}) {
    await this.until(
      'every broadcast is received',
      () => this.missing(begin, end, among) === 0,
      () => `${this.missing(begin, end, among)} are missing`,
    );
  }

  /** @returns {Promise<void>} when a broadcast of each node reaches the clients of all nodes again */
  async untilFlowing() {
    let begin = await this.mark();
    let end = await this.after(1);
    await this.until(
      'broadcasts reach every client',
      async () => {
        if (this.missing(begin, end) === 0) return true;
        begin = await this.mark();
        end = await this.after(1);
        return false;
      },
      () => `${this.missing(begin, end)} are missing`,
    );
  }

  /**
   * @param {Mark} begin
   * @param {Mark} end
   * @returns {{sent: number, lost: number, lostAtHome: number}} how many broadcasts times clients there were between
   *   these marks, how many of them were lost between nodes, and how many on the way to clients of the same node
   */
  losses(begin, end) {
    let [sent, lost, lostAtHome] = [0, 0, 0];
    for (const subscriber of this.subscribers) {
      for (const source of end.keys()) {
        const missing = subscriber.missing(source, begin.get(source) ?? 0, end.get(source)).length;
        sent += end.get(source) - (begin.get(source) ?? 0);
        if (source === subscriber.node) lostAtHome += missing;
        else lost += missing;
      }
    }
    return { sent, lost, lostAtHome };
  }

  /** @returns {Promise<void>} after a stretch of traffic of which every client receives everything */
  async stretch() {
    const begin = await this.mark();
    await this.untilComplete(begin, await this.after(STRETCH));
  }

  /**
   * Checks everything that crosses nodes, again and again until all of it works as without a failure.
   * @returns {Promise<number>} how long it took, in milliseconds
   */
  async untilWhole() {
    const began = performance.now();
    const { subscribers } = this;
    const expected = {
      countNodes: this.nodes.length,
      countSockets: subscribers.length,
      poll: subscribers.length,
    };
    for (const node of this.nodes) {
      for (const [method, wanted] of Object.entries(expected)) {
        let got;
        await this.until(
          `${method} of ${node.name} is ${wanted}`,
          async () => {
            got = await node.call('program', method).catch(({ message }) => message);
            return got === wanted;
          },
          () => `it is ${got}`,
        );
      }
    }
    const took = performance.now() - began;
    await Promise.all(subscribers.map((one) => one.call()));
    return Math.round(took);
  }

  /**
   * @param {string} what
   * @param {() => boolean | Promise<boolean>} isReached
   * @param {() => string} [detail] what it is instead
   * @returns {Promise<void>}
   */
  async until(what, isReached, detail = () => 'it never was') {
    const signal = AbortSignal.timeout(TIMEOUT);
    while (!(await isReached())) {
      if (signal.aborted) throw new Error(`Waited until ${what}, but ${detail()}`);
      await new Promise((resolve) => setTimeout(resolve, INTERVAL));
    }
  }

  /** Checks that no client received anything twice. */
  assertNoDuplicates() {
    const duplicates = this.subscribers.reduce((sum, one) => sum + one.duplicates, 0);
    assert.equal(duplicates, 0, 'a client received a broadcast twice');
  }

  /** @returns {Promise<void>} when all has ended */
  async stop() {
    if (this.#isStopped) return;
    this.#isStopped = true;
    for (const subscriber of this.subscribers) subscriber.close();
    await this.cluster.stop();
    await this.balancer?.stop();
  }
}

module.exports = { World };
