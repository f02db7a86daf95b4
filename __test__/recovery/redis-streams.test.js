'use strict';

// Connection state recovery by Redis Streams, from one process to another.

const assert = require('node:assert/strict');
const { fork } = require('node:child_process');
const path = require('node:path');
const { describe, it } = require('node:test');
const { setTimeout } = require('node:timers/promises');
const { io: connectTo } = require('socket.io-client');
const { isInstalled, startRedis } = require('../scale/services/redis');
const { authenticate, call, heard, next } = require('../support/js-hosts');

const NODE = path.join(__dirname, 'children', 'node.js');

/** The process of a node, and what it has sent. */
class Node {
  #child;
  #messages = [];
  #arrived = () => {};

  /**
   * @param {import('node:test').TestContext} t the test
   * @param {number | 'native'} host which server
   * @param {string} url of Redis
   */
  constructor(t, host, url) {
    this.#child = fork(NODE, [String(host), url]);
    this.#child.on('message', (message) => {
      this.#messages.push(message);
      this.#arrived();
    });
    t.after(() => this.#child.kill('SIGKILL'));
  }

  /**
   * @param {string} key what a message has
   * @returns {Promise<any>} what the next such message has there
   */
  async until(key) {
    for (;;) {
      const index = this.#messages.findIndex((message) => key in message);
      if (index >= 0) {
        return this.#messages.splice(index, 1)[0][key];
      }
      await new Promise((resolve) => {
        this.#arrived = resolve;
      });
    }
  }

  /** @param {string} event what the node broadcasts */
  broadcast(event) {
    this.#child.send(event);
  }
}

/**
 * @param {import('node:test').TestContext} t the test
 * @param {string} url where to
 * @param {object} [auth] what it connects with
 * @returns {object} a client
 */
function connect(t, url, auth) {
  const client = connectTo(url, {
    auth,
    transports: ['websocket'],
    forceNew: true,
    reconnection: false,
  });
  t.after(() => client.close());
  return client;
}

for (const [before, after] of [
  ['native', 'native'],
  [4, 'native'],
  ['native', 4],
  [4, 4],
]) {
  const names = [before, after].map((host) => (host === 'native' ? host : 'socket.io'));

  describe(
    `recovery by Redis Streams from ${names[0]} to ${names[1]}`,
    { timeout: 60_000, skip: !isInstalled() && 'redis-server is not installed' },
    () => {
      it('a client comes back to another process with what it has missed, when it has authenticated', async (t) => {
        const redis = await startRedis();
        t.after(() => redis.stop());
        const nodes = [before, after].map((host) => new Node(t, host, redis.url));
        const urls = [];
        for (const node of nodes) urls.push(`http://127.0.0.1:${await node.until('port')}`);
        const witness = connect(t, urls[1]);
        await nodes[1].until('connected');
        await authenticate(witness, { user: 'witness' });
        // A node is not reached by what was broadcast before it began to read the stream.
        let isReached = false;
        witness.once('ready', () => (isReached = true));
        while (!isReached) {
          nodes[0].broadcast('ready');
          await setTimeout(20);
        }
        const client = connect(t, urls[0]);
        const { id } = await nodes[0].until('connected');
        await authenticate(client, { user: 'ada' });
        const received = Promise.all([next(client, 'first'), next(witness, 'first')]);
        nodes[0].broadcast('first');
        await received;

        client.io.engine.close();
        assert.equal((await nodes[0].until('disconnected')).id, id);
        const missed = next(witness, 'missed');
        nodes[0].broadcast('missed');
        await missed;
        const auth = { pid: client._pid, offset: client._lastOffset };
        const again = connect(t, urls[1], auth);
        const events = heard(again);
        assert.deepEqual(await nodes[1].until('connected'), { id, recovered: true, auth: false });
        const heldBack = next(witness, 'while it is pending');
        nodes[0].broadcast('while it is pending');
        await heldBack;
        assert.deepEqual(events, []);
        await authenticate(again, { user: 'ada' });
        assert.deepEqual(await call(again, 'whoami'), { result: 'ada' });
        const last = next(again, 'last');
        nodes[1].broadcast('last');
        await last;
        assert.deepEqual(events, ['authenticated', 'missed', 'while it is pending', 'last']);

        // The same private id again, and one that nobody has.
        for (const pid of [auth.pid, 'x'.repeat(20)]) {
          connect(t, urls[0], { ...auth, pid });
          const stranger = await nodes[0].until('connected');
          assert.deepEqual([stranger.recovered, stranger.auth], [false, false]);
        }
      });
    },
  );
}
