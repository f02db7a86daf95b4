'use strict';

/**
 * One run of one scenario: a server of its own, a LoopbackSocket of its own, clients and logs.
 * Scenarios receive it as their only argument.
 */

const { inspect } = require('node:util');
const { open } = require('./hosts');
const { createManager, Peer } = require('./clients');
const { WireClient } = require('./wire');
const { Log, sealRecord, TIMEOUT_MS } = require('./record');

let runs = 0;

class Bench {
  /**
   * @param {import('./hosts').Host} host
   * @param {string} client
   * @param {string} transport
   * @param {{timeout?: any, hostOptions?: object}} [options] timeout of the LoopbackSocket, by
   *   default `none`; options of the Socket.IO server
   */
  constructor(host, client, transport, { timeout = 'none', hostOptions } = {}) {
    this.host = host;
    this.client = client;
    this.transport = transport;
    this.hostOptions = hostOptions;
    this.isOriginal = host.isOriginal === true;
    this.LoopbackSocket = host.LoopbackSocket();
    this.instance = new this.LoopbackSocket(`side by side ${++runs}`, timeout);
    this.server = new Log('server');
    this.logs = [this.server];
    this.peers = [];
    this.openings = [];
    this.arrivals = new Map();
    /** Called with each application socket as it connects, before anything of it is heard. */
    this.onConnection = undefined;
  }

  async open() {
    this.opening = await this.openAnother();
    this.io = this.opening.io;
  }

  /** @returns {Promise<{io: any, port: number}>} one more server of the same kind */
  async openAnother() {
    const opening = await open(this.host, this.hostOptions);
    this.openings.push(opening);
    return opening;
  }

  /**
   * Starts the instance on `io` and begins to note its sockets; `connect` does it for the root
   * when a scenario has not.
   *
   * @param {any} [io] server or namespace
   * @param {any} [instance]
   */
  start(io = this.io, instance = this.instance) {
    this.started = true;
    const returned = instance.start(io);
    this.note(io);
    return returned;
  }

  /** Notes the sockets of a server or namespace without serving them. */
  note(io) {
    if (this.arrivals.has(io)) return;
    const arrivals = new Log('arrivals');
    this.arrivals.set(io, arrivals);
    io.on('connection', (socket) => {
      socket.on('barrier', (done) => typeof done === 'function' && done());
      this.onConnection?.(socket);
      arrivals.signal('socket', socket);
    });
  }

  /** A line of what the server side saw. */
  saw(label, ...values) {
    this.server.add(label, values);
  }

  /** Waits for the next such line. */
  until(label) {
    return this.server.until(label);
  }

  /** A handler that leaves a line `label` with what it was given after the socket. */
  witness(label, outcome) {
    const bench = this;
    return function (socket, ...values) {
      bench.saw(label, ...values);
      return outcome;
    };
  }

  log(name) {
    const taken = this.logs.filter((log) => log.name.split(' ')[0] === name).length;
    const log = new Log(taken ? `${name} ${taken + 1}` : name);
    this.logs.push(log);
    return log;
  }

  /**
   * Connects a client socket and waits until both sides have it.
   *
   * @param {{namespace?: any, path?: string, over?: Peer, port?: number}} [options] `namespace` is
   *   the server's object and `path` its name; `over` shares the connection of another peer
   * @returns {Promise<Peer>} with the server's socket as `application`
   */
  async connect({ namespace = this.io, path = '/', over, port = this.opening.port } = {}) {
    if (!this.started) this.start();
    this.note(namespace);
    const manager = over?.manager ?? createManager(this.client, this.transport, port);
    const peer = new Peer(manager, path, this.log('client'));
    this.peers.push(peer);
    await peer.connect();
    peer.application = await this.arrivals.get(namespace).until('socket');
    return peer;
  }

  /**
   * @param {{namespace?: any, path?: string, answersPings?: boolean}} [options]
   * @returns {Promise<WireClient>} with the server's socket as `application`
   */
  async wire({ namespace = this.io, path = '/', answersPings = true } = {}) {
    if (!this.started) this.start();
    this.note(namespace);
    const wire = new WireClient({
      port: this.opening.port,
      transport: this.transport,
      version: this.client === '2.5' ? 3 : 4,
      namespace: path,
      answersPings,
      log: this.log('wire'),
    });
    this.peers.push(wire);
    await wire.connect();
    wire.application = await this.arrivals.get(namespace).until('socket');
    return wire;
  }

  /** Leaves what the clients saw out of the record, where it is left to chance. */
  recordServerOnly() {
    this.logs = [this.server];
  }

  /** @returns {Record<string, string[]>} */
  record() {
    return sealRecord(this.logs);
  }

  async close() {
    for (const arrivals of this.arrivals.values()) arrivals.seal();
    for (const peer of this.peers) peer.close();
    await Promise.all(this.openings.map((opening) => opening.close()));
  }
}

/**
 * @param {object} scenario
 * @param {import('./hosts').Host} host
 * @param {string} client
 * @param {string} transport
 * @returns {Promise<Record<string, string[]>>} what everybody saw
 */
async function run(scenario, host, client, transport) {
  const bench = new Bench(host, client, transport, scenario);
  await bench.open();
  try {
    await withinPatience(
      scenario.run(bench),
      () => `the scenario hangs; so far:\n${inspect(bench.record())}`,
    );
    return bench.record();
  } finally {
    await withinPatience(bench.close(), () => 'the server does not close');
  }
}

/**
 * @template T
 * @param {Promise<T>} work
 * @param {() => string} complaint
 * @returns {Promise<T>} rejects when the work goes on for longer than anything here ever should
 */
async function withinPatience(work, complaint) {
  let impatience;
  const failure = new Promise((_, reject) => {
    impatience = setTimeout(() => reject(new Error(complaint())), TIMEOUT_MS);
  });
  try {
    return await Promise.race([work, failure]);
  } finally {
    clearTimeout(impatience);
  }
}

module.exports = { run };
