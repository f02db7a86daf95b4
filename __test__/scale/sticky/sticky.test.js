'use strict';

// Native workers of Node's cluster behind @socket.io/sticky, with @socket.io/cluster-adapter between them.

const assert = require('node:assert/strict');
const path = require('node:path');
const { describe, it } = require('node:test');
const { start, message } = require('../../support/child');
const { call, happens, upgraded, within } = require('../../support/native-server');
const { limited, reach } = require('../../support/waiting');

const CLUSTER = path.join(__dirname, 'cluster.js');

const TIMEOUT = { timeout: 30_000 };

const CLIENTS = { 2.5: 'socket.io-client-2', 3.1: 'socket.io-client-3', 4.8: 'socket.io-client' };

const TRANSPORTS = [['polling'], ['polling', 'websocket'], ['websocket']];

/** Every client with every way to connect. */
const KINDS = Object.keys(CLIENTS).flatMap((version) =>
  TRANSPORTS.map((transports) => ({ version, transports })),
);

/** Larger than what the primary reads at once, so that it forwards the rest piece by piece. */
const LARGE = 'x'.repeat(300_000);

/** A cluster with its clients. */
class Cluster {
  #child;
  #clients = [];

  /**
   * @param {string} method the load-balancing method of the primary
   */
  constructor(method) {
    this.#child = start(CLUSTER, [method, '2']);
  }

  /** @returns {Promise<any>} the next message of the primary */
  message() {
    return message(this.#child);
  }

  /** @returns {Promise<void>} when clients can connect */
  async listen() {
    this.port = (await this.message()).port;
  }

  /**
   * @param {{version: string, transports: string[]}} kind of the client
   * @returns {Promise<object>} its socket, connected, upgraded if it can, and served by a worker that the
   *   primary knows
   */
  async connect({ version, transports }) {
    // The primary may learn of a session only after the client's next request, and then gives that to
    // any worker, which refuses it; so it does with workers of npm socket.io. Clients then try again.
    for (let attempt = 1; ; attempt += 1) {
      const client = require(CLIENTS[version])(`http://127.0.0.1:${this.port}`, {
        forceNew: true,
        reconnectionDelay: 10,
        reconnectionDelayMax: 50,
        // A connection that the primary gives to a worker that has just died is never answered.
        timeout: 2_000,
        transports,
      });
      this.#clients.push(client);
      try {
        const failed = Promise.race([
          happens(client, 'disconnect'),
          happens(client.io, 'upgradeError'),
        ]).then(([reason]) => {
          throw reason;
        });
        await Promise.race([settled(client, transports), failed]);
        return client;
      } catch (error) {
        client.close();
        assert.ok(attempt < 10, `attempt ${attempt}: ${error}`);
      }
    }
  }

  /** @returns {Promise<void>} when every process has ended */
  async close() {
    this.#clients.forEach((client) => client.close());
    if (this.#child.connected) this.#child.send('close');
    await this.#child.ended;
  }
}

/**
 * Runs a test with a cluster.
 *
 * @param {string} method the load-balancing method of its primary
 * @param {(cluster: Cluster) => Promise<void>} test
 * @returns {(t: import('node:test').TestContext) => Promise<void>} for `it`
 */
function clustered(method, test) {
  return within(() => new Cluster(method), test);
}

/**
 * Asks a client's worker something, again if the client has to reconnect meanwhile.
 *
 * @param {object} client a client
 * @param {...unknown} args event and arguments
 * @returns {Promise<unknown>} what it answers
 */
async function ask(client, ...args) {
  for (;;) {
    const lost = happens(client, 'disconnect').then(() => undefined);
    const answer = await Promise.race([call(client, ...args), lost]);
    if (answer !== undefined) return answer[0];
  }
}

/**
 * @param {object} client a client
 * @returns {Promise<number>} the process that serves it
 */
const workerOf = (client) => ask(client, 'who');

/**
 * @param {object} client a client that is connecting
 * @param {string[]} transports those it may use
 * @returns {Promise<void>} when it is on the last of them and its worker has answered it
 */
async function settled(client, transports) {
  await happens(client, 'connect');
  if (transports.length > 1) await upgraded(client);
  await workerOf(client);
}

describe('@socket.io/sticky', () => {
  for (const method of ['least-connection', 'round-robin', 'random']) {
    it(
      `native workers behind @socket.io/sticky (${method}) keep their clients and broadcast to all`,
      TIMEOUT,
      clustered(method, async (cluster) => {
        const clients = [];
        const workers = [];
        for (const kind of KINDS) {
          const client = await cluster.connect(kind);
          clients.push(client);
          workers.push(await workerOf(client));
        }
        if (method !== 'random') {
          assert.equal(new Set(workers).size, 2, 'both workers have clients');
        }
        for (const [i, client] of clients.entries()) {
          const title = `${KINDS[i].version} over ${KINDS[i].transports}`;
          assert.equal(await ask(client, 'echo', LARGE), LARGE, title);
          assert.equal(await workerOf(client), workers[i], title);
          await ask(client, 'join', 'readers');
        }
        for (const [i, client] of clients.entries()) {
          const news = Promise.all(clients.map((one) => happens(one, 'news')));
          client.emit('publish', 'readers', i);
          assert.deepEqual(await news, Array(clients.length).fill([i]));
        }
        assert.equal(await ask(clients[0], 'others'), clients.length);
      }),
    );
  }

  it(
    'the clients of a worker that dies reconnect to the others, and its successor gets clients',
    TIMEOUT,
    clustered('round-robin', async (cluster) => {
      const clients = [];
      for (const kind of KINDS) clients.push(await cluster.connect(kind));
      const before = await Promise.all(clients.map(workerOf));
      const dead = before[0];
      const hit = clients.filter((client, i) => before[i] === dead);
      assert.ok(hit.length < clients.length, 'both workers have clients');
      const again = hit.map(async (client) => {
        await happens(client, 'disconnect');
        await new Promise((resolve) => client.once('connect', resolve));
      });
      const replaced = cluster.message();
      process.kill(dead, 'SIGKILL');
      await Promise.all(again);
      const successor = (await replaced).replaced;
      const after = await Promise.all(clients.map(workerOf));
      assert.ok(!after.includes(dead));
      for (const [i, client] of clients.entries()) {
        if (!hit.includes(client)) assert.equal(after[i], before[i], 'an untouched client stays');
      }
      const late = [];
      while (!after.includes(successor) && late.length < KINDS.length) {
        late.push(await cluster.connect(KINDS[late.length]));
        after.push(await workerOf(late.at(-1)));
      }
      assert.ok(after.includes(successor), 'the successor has clients');
      // Workers learn of each other by heartbeats.
      await reach(async () => (await ask(clients[0], 'servers')) === 2);
      const all = [...clients, ...late];
      let isHeardByAll = false;
      const check = limited('all clients hear a broadcast');
      while (!isHeardByAll) {
        check();
        await reach(async () => (await ask(late.at(-1) ?? clients[0], 'others')) === all.length);
        const lost = all.map((client) => happens(client, 'disconnect').then(() => false));
        const news = Promise.all(all.map((client) => happens(client, 'news'))).then(() => true);
        all.at(-1).emit('publish', null, 'all');
        isHeardByAll = await Promise.race([news, ...lost]);
      }
    }),
  );
});
