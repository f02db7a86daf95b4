'use strict';

// Several loops over one source on one socket: the server sends each item once for each of them, and
// the copies look the same. A server is simulated here as docs/subscriptions.md describes it, with delays
// in both directions.

const assert = require('node:assert/strict');
const { before, describe, it } = require('node:test');
const { FakeSocket, TIMEOUT } = require('../support/clients');

let client;

before(async () => {
  ({ client } = await import('../../client.mjs'));
});

/**
 * @param {number} seed any
 * @returns {() => number} numbers from 0 to 1, the same for a seed
 */
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A server with one shared source, which keeps everything, and one socket. */
class Server {
  head = 0;
  window = 8;
  subscriptions = new Map();
  #numbers = 0;
  /** What is on its way to the client and from it: functions that deliver it. */
  toClient = [];
  toServer = [];

  constructor() {
    this.socket = new FakeSocket();
    this.socket.emit = (event, ...args) => this.toServer.push(() => this.#onEvent(event, args));
  }

  #onEvent(event, args) {
    const answer = typeof args.at(-1) === 'function' ? args.pop() : () => {};
    if (event === 'authentication') {
      this.toClient.push(() => this.socket.receive('authenticated', true));
    } else if (event === 'loopback:unsubscribe') {
      this.subscriptions.delete(args[0]);
      this.toClient.push(() => answer({ result: true }));
    } else {
      const [{ after }] = args;
      const number = ++this.#numbers;
      const resumed = after !== undefined;
      const sent = resumed ? Number(after.slice(2)) : this.head;
      this.subscriptions.set(number, { sent, count: 0, acknowledged: 0 });
      const result = { subscription: number, source: 'S', resumed };
      this.toClient.push(() => answer({ result }));
      this.pump();
    }
  }

  publish() {
    this.head += 1;
    this.pump();
  }

  /** Sends what the windows allow. */
  pump() {
    for (const subscription of this.subscriptions.values()) {
      while (
        subscription.sent < this.head &&
        subscription.count - subscription.acknowledged < this.window
      ) {
        this.#send(subscription);
      }
    }
  }

  #send(subscription) {
    const offset = (subscription.sent += 1);
    const count = (subscription.count += 1);
    let ack;
    if (count % (this.window / 2) === 0) {
      ack = () =>
        this.toServer.push(() => {
          subscription.acknowledged = Math.max(subscription.acknowledged, count);
          this.pump();
        });
    }
    this.toClient.push(() => {
      this.socket.receive('orders', offset, { source: 'S', id: `S-${offset}` }, ack);
    });
  }

  /** The connection is lost, and what was on its way. */
  disconnect() {
    this.subscriptions.clear();
    this.toClient = [];
    this.toServer = [];
    this.socket.disconnect();
    this.toServer = [];
    this.socket.connected = true;
    this.socket.receive('connect');
  }
}

/** A loop that goes on when it is told to, and checks that its items follow each other. */
class Loop {
  taken = 0;
  gaps = 0;
  isWaiting = false;

  constructor(app) {
    const onGap = () => {
      this.gaps += 1;
      this.last = undefined;
    };
    this.subscription = app.subscribe('orders', {}, { onGap });
  }

  async step() {
    if (this.isWaiting) {
      return;
    }
    this.isWaiting = true;
    const { value, done } = await this.subscription.next();
    this.isWaiting = false;
    if (!done) {
      // After a gap, a few items from before it may come, of a subscription that is being ended.
      if (this.last !== undefined && (this.gaps === 0 || value <= this.last)) {
        assert.equal(value, this.last + 1);
      }
      this.last = value;
      this.taken += 1;
    }
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('several loops over one source', TIMEOUT, () => {
  it('loops over one source get its items at the pace of the slowest, which is one window', async () => {
    const server = new Server();
    const app = client(server.socket);
    const flow = async () => {
      while (server.toClient.length > 0 || server.toServer.length > 0) {
        server.toServer.splice(0).forEach((deliver) => deliver());
        server.toClient.splice(0).forEach((deliver) => deliver());
        await settled();
      }
    };
    await flow();
    const loops = [1, 2, 3].map(() => new Loop(app));
    const [fast, slow, stuck] = loops;
    await flow();
    assert.equal(server.subscriptions.size, 1);
    const publish = async (times) => {
      for (let n = 0; n < times; n++) {
        server.publish();
        await flow();
        fast.step();
        if (n % 10 === 0) slow.step();
        await flow();
      }
    };
    await publish(100);
    assert.deepEqual([fast.last, stuck.last], [server.window, undefined]);
    stuck.subscription.return();
    for (let n = 0; n < 100; n++) {
      fast.step();
      slow.step();
      await flow();
    }
    assert.deepEqual([fast.last, slow.last], [100, 100]);
    assert.deepEqual([fast.taken, slow.taken], [100, 100]);
    slow.subscription.return();
    assert.equal(server.toServer.length, 0);
    fast.subscription.return();
    await flow();
    assert.equal(server.subscriptions.size, 0);
    assert.deepEqual(
      loops.map(({ gaps }) => gaps),
      [0, 0, 0],
    );
  });

  for (let seed = 1; seed <= 60; seed++) {
    const isCut = seed % 2 === 0;
    const how = isCut ? 'over lost connections' : 'on one connection';
    it(`each loop gets each item once and in order ${how} (${seed})`, async () => {
      const next = random(seed);
      const server = new Server();
      const app = client(server.socket);
      const loops = [];
      const pass = (queue) =>
        queue.splice(0, Math.ceil(next() * 4)).forEach((deliver) => deliver());
      for (let step = 0; step < 1500; step++) {
        const what = next();
        if (what < 0.25) pass(server.toClient);
        else if (what < 0.5) pass(server.toServer);
        else if (what < 0.65) server.publish();
        else if (what < 0.95 && loops.length > 0) {
          // Some loops are much faster than others.
          loops[Math.floor(next() ** 3 * loops.length)].step();
        } else if (what < 0.97 && loops.length < 5) loops.push(new Loop(app));
        else if (what < 0.98 && loops.length > 0) {
          const [left] = loops.splice(Math.floor(next() * loops.length), 1);
          left.subscription.return();
        } else if (what < 0.983 && isCut) server.disconnect();
        await settled();
        for (const { count, acknowledged } of server.subscriptions.values()) {
          assert.ok(count - acknowledged <= server.window);
        }
      }
      // Every loop that has begun gets what there is: nobody waits for credit.
      for (let rounds = 0; loops.some(({ last }) => last !== server.head); rounds++) {
        assert.ok(rounds < 5000, `${loops.map(({ last }) => last)} of ${server.head}`);
        server.toServer.splice(0).forEach((deliver) => deliver());
        server.toClient.splice(0).forEach((deliver) => deliver());
        loops.forEach((loop) => loop.step());
        if (loops.some(({ last }) => last === undefined) && rounds % 50 === 0) server.publish();
        await settled();
      }
      if (!isCut) assert.ok(loops.every(({ gaps }) => gaps === 0));
      loops.forEach(({ subscription }) => subscription.return());
      server.toServer.splice(0).forEach((deliver) => deliver());
      assert.equal(server.subscriptions.size, 0);
    });
  }
});
