'use strict';

// Native nodes behind the real nginx and HAProxy, with the configurations of examples/proxies/: a client keeps
// its node, loses it and gets another one, and its address comes through.

const assert = require('node:assert/strict');
const http = require('node:http');
const path = require('node:path');
const { after, before, describe, it } = require('node:test');
const { start, message } = require('../../support/child');
const { call, happens, upgraded } = require('../../support/native-server');
const redis = require('../services/redis');
const { isInstalled, startProxy } = require('./proxy');

const NODE = path.join(__dirname, 'node.js');

const TIMEOUT = { timeout: 30_000 };

const CLIENTS = { 2.5: 'socket.io-client-2', 3.1: 'socket.io-client-3', 4.8: 'socket.io-client' };

const VERSIONS = Object.keys(CLIENTS);

const TRANSPORTS = [['polling'], ['polling', 'websocket'], ['websocket']];

const ALL = VERSIONS.flatMap((version) =>
  TRANSPORTS.map((transports) => ({ version, transports })),
);

const WEBSOCKETS = VERSIONS.map((version) => ({ version, transports: ['websocket'] }));

/** Three nodes, joined by Redis or not. */
class Nodes {
  /** @type {import('node:child_process').ChildProcess[]} */
  #children = [];
  #transports;
  #redis;

  /**
   * @param {string[]} transports that they take
   */
  constructor(transports) {
    this.#transports = transports.join();
  }

  /**
   * @param {string} [url] of the Redis that joins them
   * @returns {Promise<void>} when all of them take clients
   */
  async start(url) {
    this.#redis = url;
    this.ports = await Promise.all([0, 1, 2].map((index) => this.#startOne(index, 0)));
  }

  /**
   * @param {number} index which of them
   * @param {number} port of it
   * @returns {Promise<number>} its port
   */
  #startOne(index, port) {
    const url = this.#redis === undefined ? [] : [this.#redis];
    this.#children[index] = start(NODE, [String(port), this.#transports, ...url]);
    return message(this.#children[index]);
  }

  /**
   * @param {number} pid of a node
   * @returns {Promise<() => Promise<number>>} once it has died; starts another one on its port
   */
  async kill(pid) {
    const index = this.#children.findIndex((child) => child.pid === pid);
    this.#children[index].kill('SIGKILL');
    await this.#children[index].ended;
    return () => this.#startOne(index, this.ports[index]);
  }

  /**
   * @param {number} pid of a node
   * @returns {Promise<{finish: () => Promise<void>}>} once it drains; ends its calls, and starts another one on its
   *   port when it has ended
   */
  async drain(pid) {
    const index = this.#children.findIndex((child) => child.pid === pid);
    const child = this.#children[index];
    const draining = message(child);
    child.send('drain');
    await draining;
    const finish = async () => {
      child.kill('SIGUSR2');
      await child.ended;
      await this.#startOne(index, this.ports[index]);
    };
    return { finish };
  }

  /** @returns {Promise<void>} when all of them have ended */
  async stop() {
    for (const child of this.#children) child.kill('SIGKILL');
    await Promise.all(this.#children.map((child) => child.ended));
  }
}

/** Gives all requests of a client the client's address, and keeps its cookies as a browser does. */
class ClientAgent extends http.Agent {
  /** @type {Map<string, string>} values by name */
  #cookies = new Map();
  #keepsCookies;

  /**
   * @param {string} localAddress of the client
   * @param {boolean} keepsCookies whether it is like a browser
   */
  constructor(localAddress, keepsCookies) {
    super({ localAddress });
    this.#keepsCookies = keepsCookies;
  }

  /**
   * @param {http.ClientRequest} request that is about to be sent
   * @param {object} options of it
   * @returns {unknown} what Node.js makes of it
   */
  addRequest(request, options) {
    if (this.#keepsCookies) {
      const cookies = [...this.#cookies].map((cookie) => cookie.join('='));
      if (cookies.length > 0) request.setHeader('Cookie', cookies.join('; '));
      const keep = ({ headers }) => {
        for (const cookie of headers['set-cookie'] ?? []) {
          const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
          this.#cookies.set(name, value);
        }
      };
      request.once('response', keep);
      request.once('upgrade', keep);
    }
    return super.addRequest(request, options);
  }
}

/** Clients that connect to a proxy, each from an address of its own. */
class Clients {
  #port;
  #cleanup = [];
  #count = 0;

  /** @param {number} port of the proxy */
  constructor(port) {
    this.#port = port;
  }

  /**
   * @param {{version: string, transports: string[]}} kind of the client
   * @param {object} [options]
   * @param {boolean} [options.keepsCookies] whether it does what a browser does
   * @param {object} [options.headers] that it sends
   * @param {http.Agent} [options.agent] of another client, if it is the same browser
   * @param {string} [options.namespace] that it joins
   * @returns {Promise<object>} its socket, connected and, if it can, upgraded; `address` is the client's
   */
  async connect(
    { version, transports },
    { keepsCookies = false, headers = {}, agent, namespace = '' } = {},
  ) {
    this.#count += 1;
    const address = `127.0.${this.#count}.${this.#count}`;
    agent ??= new ClientAgent(address, keepsCookies);
    const client = require(CLIENTS[version])(`http://127.0.0.1:${this.#port}${namespace}`, {
      forceNew: true,
      reconnectionDelay: 10,
      reconnectionDelayMax: 100,
      transports,
      agent,
      extraHeaders: headers,
    });
    this.#cleanup.push(client);
    await happens(client, 'connect');
    if (transports.length > 1) await upgraded(client);
    return Object.assign(client, { address, agent });
  }

  /** Ends all of them. */
  close() {
    this.#cleanup.forEach((client) => client.close());
  }
}

/**
 * @param {object} client a client
 * @returns {Promise<number>} the process that serves it
 */
async function nodeOf(client) {
  return (await call(client, 'who'))[0];
}

/**
 * What holds of a client behind every proxy.
 *
 * @param {object} client a client
 * @returns {Promise<number>} its node
 */
async function keepsItsNode(client) {
  const node = await nodeOf(client);
  for (let i = 0; i < 4; i += 1) {
    assert.equal(await nodeOf(client), node);
  }
  return node;
}

/**
 * @param {object[]} clients some clients
 * @param {Nodes} nodes those that there are
 * @returns {Promise<void>} when a node has ended, and those of its clients have reconnected to others
 */
async function loseTheirNode(clients, nodes) {
  const before = await Promise.all(clients.map(nodeOf));
  const hit = clients.filter((client, i) => before[i] === before[0]);
  const again = hit.map(async (client) => {
    await happens(client, 'disconnect');
    await new Promise((resolve) => client.once('connect', resolve));
  });
  const restart = await nodes.kill(before[0]);
  await Promise.all(again);
  const later = await Promise.all(clients.map(nodeOf));
  for (const [i, node] of later.entries()) {
    assert.notEqual(node, before[0]);
    if (!hit.includes(clients[i])) assert.equal(node, before[i], 'clients of other nodes stay');
  }
  await restart();
}

/**
 * @param {string} example a file of `examples/proxies/`
 * @returns {string | false} why no test can run it, if so
 */
function whyNot(example) {
  if (process.platform !== 'linux') return 'the clients need addresses as Linux has them';
  return isInstalled(example) ? false : `${example.split('-')[0]} is not installed`;
}

/**
 * The tests of one configuration.
 *
 * @param {string} example a file of `examples/proxies/`
 * @param {Nodes} nodes behind it
 * @param {{version: string, transports: string[]}[]} kinds of clients
 * @param {object} [options] of `Clients.connect`; `drains` whether clients of a node that drains get others
 */
function behind(example, nodes, kinds, options = {}) {
  const skip = whyNot(example);

  describe(`behind the proxy of examples/proxies/${example}`, { skip }, () => {
    let proxy;
    let clients;
    before(async () => {
      proxy = await startProxy(example, nodes.ports);
      clients = new Clients(proxy.port);
    });
    after(async () => {
      clients?.close();
      await proxy?.stop();
    });

    it('a client keeps its node, and the node knows its address', TIMEOUT, async () => {
      const used = new Set();
      for (let round = 0; round === 0 || (used.size < 2 && round < 5); round += 1) {
        for (const kind of kinds) {
          const client = await clients.connect(kind, options);
          used.add(await keepsItsNode(client));
          assert.deepEqual(await call(client, 'address'), [client.address, false, '127.0.0.1']);
        }
      }
      assert.ok(used.size > 1, 'more than one node has clients');
    });

    it('a client cannot forge its address', TIMEOUT, async () => {
      const headers = { 'X-Forwarded-For': '203.0.113.7', 'X-Forwarded-Proto': 'https' };
      const client = await clients.connect(kinds[0], { ...options, headers });
      assert.deepEqual(await call(client, 'address'), [client.address, false, '127.0.0.1']);
    });

    if (options.drains) {
      it('while a node drains, clients that come get other nodes', TIMEOUT, async () => {
        const kind = kinds.at(-1);
        // A client that polls keeps the HTTP server open.
        const first = { ...kind, transports: kinds === ALL ? ['polling'] : ['websocket'] };
        const caller = await clients.connect(first, { ...options, namespace: '/calls' });
        caller.emit('authentication');
        await happens(caller, 'authenticated');
        const [{ result: drained }] = await call(caller, 'process', null);
        const answer = call(caller, 'wait', null);
        await call(caller, 'process', null);
        const { finish } = await nodes.drain(drained);
        const { agent } = caller;
        for (const next of [kind, first, kind, first]) {
          const client = await clients.connect(next, { ...options, agent });
          assert.notEqual(await keepsItsNode(client), drained);
        }
        await finish();
        assert.deepEqual(await answer, [{ result: 'SIGUSR2' }]);
      });
    }

    it('clients whose node ends reconnect to other nodes', TIMEOUT, async () => {
      const all = [];
      for (const kind of kinds) all.push(await clients.connect(kind, options));
      await loseTheirNode(all, nodes);
    });
  });
}

/**
 * @param {string} example a file of `examples/proxies/`
 * @param {Nodes} nodes behind it
 * @param {{version: string, transports: string[]}} kind of the clients
 * @param {(clients: object[], heard: Set<object>, nodesOf: number[]) => Promise<void>} check has a client say
 *   something, and asserts who has heard it
 * @returns {Promise<void>} when it is done
 */
async function broadcasts(example, nodes, kind, check) {
  const proxy = await startProxy(example, nodes.ports);
  const connected = new Clients(proxy.port);
  try {
    const clients = [];
    const nodesOf = [];
    while (clients.length < 4 || (new Set(nodesOf).size < 2 && clients.length < 40)) {
      clients.push(await connected.connect(kind));
      nodesOf.push(await nodeOf(clients.at(-1)));
    }
    const heard = new Set();
    clients.forEach((client) => client.on('news', () => heard.add(client)));
    await check(clients, heard, nodesOf);
  } finally {
    connected.close();
    await proxy.stop();
  }
}

const NEEDS_REDIS = redis.isInstalled() ? false : 'redis-server is not installed';

describe('nodes with an adapter', { skip: NEEDS_REDIS }, () => {
  const nodes = new Nodes(['polling', 'websocket']);
  let service;
  before(async () => {
    service = await redis.startRedis();
    await nodes.start(service.url);
  });
  after(async () => {
    await nodes.stop();
    await service?.stop();
  });

  behind('nginx-cookie.conf', nodes, ALL, { keepsCookies: true });
  behind('haproxy-cookie.cfg', nodes, ALL, { keepsCookies: true, drains: true });
  for (const example of ['nginx-ip-hash.conf', 'haproxy-ip-hash.cfg']) {
    behind(example, nodes, ALL);
  }

  it(
    'a client keeps its node by the prefix that HAProxy gives the cookie of the server',
    { ...TIMEOUT, skip: whyNot('haproxy-cookie.cfg') },
    async () => {
      const proxy = await startProxy('haproxy-cookie.cfg', nodes.ports, (text) =>
        text.replace(/^( *cookie) route insert .*$/m, '$1 io prefix indirect nocache'),
      );
      const clients = new Clients(proxy.port);
      try {
        const used = new Set();
        for (const kind of ALL) {
          used.add(await keepsItsNode(await clients.connect(kind, { keepsCookies: true })));
        }
        assert.ok(used.size > 1, 'more than one node has clients');
      } finally {
        clients.close();
        await proxy.stop();
      }
    },
  );

  it('a broadcast reaches the clients of all nodes', TIMEOUT, async (t) => {
    const example = ['nginx-ip-hash.conf', 'haproxy-ip-hash.cfg'].find((one) => !whyNot(one));
    if (example === undefined) return t.skip('no proxy can be run');
    const kind = { version: '4.8', transports: ['polling'] };
    return broadcasts(example, nodes, kind, async (clients) => {
      const news = Promise.all(clients.map((client) => happens(client, 'news')));
      await call(clients[0], 'publish', 'to all');
      assert.deepEqual(await news, Array(clients.length).fill(['to all']));
    });
  });
});

describe('nodes without an adapter, over WebSocket', () => {
  const nodes = new Nodes(['websocket']);
  before(() => nodes.start());
  after(() => nodes.stop());

  for (const example of ['nginx-websockets.conf', 'haproxy-websockets.cfg']) {
    behind(example, nodes, WEBSOCKETS, { drains: true });
  }

  it('a broadcast reaches the clients of its own node', TIMEOUT, async (t) => {
    const example = ['nginx-websockets.conf', 'haproxy-websockets.cfg'].find((one) => !whyNot(one));
    if (example === undefined) return t.skip('no proxy can be run');
    return broadcasts(example, nodes, WEBSOCKETS.at(-1), async (clients, heard, nodesOf) => {
      const own = clients.filter((client, i) => nodesOf[i] === nodesOf[0]);
      const news = Promise.all(own.map((client) => happens(client, 'news')));
      await call(clients[0], 'publish', 'to some');
      await news;
      // What follows on each connection comes after a broadcast would have.
      await Promise.all(clients.map(nodeOf));
      assert.deepEqual(heard, new Set(own));
    });
  });
});
