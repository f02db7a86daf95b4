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

/** A server with one shared source and one socket. */
class Server {
  head = 0;
  window = 8;
  /** How many items it keeps. */
  history = Infinity;
  /** Whether this socket gets an item. */
  has = () => true;
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
      const handled = Number(after?.slice(2));
      const resumed = handled >= this.head - this.history;
      const sent = resumed ? handled : this.head;
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
    if (!this.has(offset)) return;
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

  /** Delivers what is on its way, and what comes of it. */
  async settle() {
    while (this.toClient.length + this.toServer.length > 0) {
      this.toServer.splice(0).forEach((deliver) => deliver());
      this.toClient.splice(0).forEach((deliver) => deliver());
      await settled();
    }
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
  /** How many of them followed an item. */
  inner = 0;
  isWaiting = false;
  #left = new AbortController();

  constructor(app, has = () => true, after) {
    this.has = has;
    this.last = after;
    const onGap = () => {
      this.gaps += 1;
      this.inner += this.taken > 0;
      this.last = undefined;
    };
    this.subscription = app.subscribe(
      'orders',
      {},
      {
        onGap,
        signal: this.#left.signal,
        after: after && `S-${after}`,
      },
    );
  }

  /** Ends it by its signal. */
  abort() {
    this.#left.abort();
  }

  async step() {
    if (this.isWaiting) {
      return;
    }
    this.isWaiting = true;
    let result;
    try {
      result = await this.subscription.next();
    } catch {
      return; // it was aborted
    }
    const { value, done } = result;
    this.isWaiting = false;
    if (!done) {
      // After a gap, a few items from before it may come, of a subscription that is being ended.
      if (this.last !== undefined && (this.gaps === 0 || value <= this.last)) {
        let following = this.last + 1;
        while (!this.has(following)) following += 1;
        assert.equal(value, following);
      }
      this.first ??= value;
      this.last = value;
      this.taken += 1;
    }
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** The seeds of random tests: some, and those that have found faults. */
const SEEDS = [
  ...Array.from({ length: 60 }, (_, i) => i + 1),
  64,
  78,
  84,
  150,
  309,
  355,
  514,
  873,
  1048,
];

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

  describe('a loop gets nothing again that another one asks for', () => {
    /**
     * A server that has published 20 items, of which it keeps as many as it is told.
     *
     * @param {number} [history] how many
     * @returns {object} it, `begin(after)` for a loop and `run()`, after which nothing is left to do
     */
    async function opened(history = Infinity) {
      const server = new Server();
      server.history = history;
      server.head = 20;
      const app = client(server.socket);
      const loops = [];
      const run = async () => {
        for (let idle = 0; idle < 20; idle++) {
          if (server.toClient.length > 0 || server.toServer.length > 0) idle = 0;
          server.toServer.splice(0).forEach((deliver) => deliver());
          server.toClient.splice(0).forEach((deliver) => deliver());
          loops.forEach((loop) => loop.step());
          await settled();
        }
      };
      const begin = (after) => {
        loops.push(new Loop(app, undefined, after));
        return loops.at(-1);
      };
      await run();
      return { server, begin, run };
    }

    /** @returns {number[][]} of each loop the first and the last item, how many it has taken, and the gaps */
    const takenBy = (...loops) =>
      loops.map(({ first, last, taken, gaps }) => [first, last, taken, gaps]);

    for (const [how, isFirst, isIdle] of [
      ['that is older than itself, if it began just before', true, false],
      ['that is older than itself, if it began long before', true, true],
      ['that is older than itself, if it began when the other one had it', false, true],
    ]) {
      it(`a loop that began live gets nothing ${how}`, async () => {
        const { server, begin, run } = await opened();
        const live = isFirst ? begin() : undefined;
        if (isIdle) await run();
        const resumed = begin(3);
        if (isIdle) await run();
        const loops = [live ?? begin(), resumed];
        await run();
        server.publish();
        await run();
        server.publish();
        await run();
        assert.deepEqual(takenBy(...loops), [
          [21, 22, 2, 0],
          [4, 22, 19, 0],
        ]);
        assert.equal(server.subscriptions.size, 1);
      });
    }

    it('a loop that was told of a gap gets nothing from before it that another one asks for', async () => {
      const { server, begin, run } = await opened(5);
      const live = begin();
      await run();
      server.publish();
      await run();
      server.socket.disconnect();
      for (let n = 0; n < 20; n++) server.publish();
      server.disconnect();
      await run();
      const resumed = begin(37);
      await run();
      server.publish();
      await run();
      server.publish();
      await run();
      assert.deepEqual(takenBy(live, resumed), [
        [21, 43, 3, 1],
        [38, 43, 6, 0],
      ]);
    });

    it('a loop that has joined another one loses nothing if that leaves, or its own subscription ends', async () => {
      for (const what of ['resumed leaves', 'live leaves', 'ends']) {
        const { server, begin, run } = await opened();
        const live = begin();
        await run();
        const [[number]] = server.subscriptions;
        const [resumed, later] = [begin(3), begin()];
        await run();
        if (what === 'resumed leaves') resumed.subscription.return();
        if (what === 'live leaves') live.subscription.return();
        if (what === 'ends') {
          server.subscriptions.delete(number);
          server.socket.receive('loopback:unsubscribed', { subscription: number, reason: 'slow' });
        }
        await run();
        for (let n = 0; n < 30; n++) {
          server.publish();
          await run();
        }
        const left = [live, resumed, later].filter((loop) => loop.last === 50);
        assert.equal(left.length, what === 'ends' ? 3 : 2);
        assert.ok([live, later].every(({ first }) => first === 21 || first === undefined));
        assert.equal(server.subscriptions.size, 1);
        for (const { subscription } of [live, resumed, later]) subscription.return();
        await run();
        assert.equal(server.subscriptions.size, 0);
      }
    });
  });

  for (const seed of SEEDS) {
    const isCut = seed % 2 === 0;
    const isSparse = seed % 3 === 0;
    const how = `${isCut ? 'over lost connections' : 'on one connection'}${isSparse ? ', if some are left out' : ''}`;
    it(`each loop gets each item once and in order ${how} (${seed})`, async () => {
      const next = random(seed);
      const server = new Server();
      if (isSparse) server.has = (offset) => offset % 5 !== 0 && offset % 7 !== 1;
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
        } else if (what < 0.97 && loops.length < 5) {
          const after = next() < 0.4 ? server.head - Math.floor(next() * 30) : 0;
          loops.push(new Loop(app, server.has, after > 0 ? after : undefined));
        } else if (what < 0.98 && loops.length > 0) {
          const [left] = loops.splice(Math.floor(next() * loops.length), 1);
          left.subscription.return();
        } else if (what < 0.983 && isCut) server.disconnect();
        await settled();
        for (const { count, acknowledged } of server.subscriptions.values()) {
          assert.ok(count - acknowledged <= server.window);
        }
      }
      // Every loop that has begun gets what there is: nobody waits for credit.
      while (!server.has(server.head)) server.publish();
      for (let rounds = 0; loops.some(({ last }) => last !== server.head); rounds++) {
        assert.ok(rounds < 5000, `${loops.map(({ last }) => last)} of ${server.head}`);
        server.toServer.splice(0).forEach((deliver) => deliver());
        server.toClient.splice(0).forEach((deliver) => deliver());
        loops.forEach((loop) => loop.step());
        if (loops.some(({ last }) => last === undefined) && rounds % 50 === 0) {
          do server.publish();
          while (!server.has(server.head));
        }
        await settled();
      }
      if (!isCut && !isSparse) assert.ok(loops.every(({ gaps }) => gaps === 0));
      loops.forEach(({ subscription }) => subscription.return());
      await server.settle();
      assert.equal(server.subscriptions.size, 0);
    });
  }
});

describe('loops over one source that loses its connections', TIMEOUT, () => {
  for (const seed of SEEDS) {
    const isShort = seed % 3 === 0;
    const how = isShort ? 'or is told of a gap' : 'without a gap';
    it(`a loop of any speed gets each item once over many lost connections ${how} (${seed})`, async () => {
      const next = random(seed);
      const server = new Server();
      if (isShort) server.history = 20;
      const app = client(server.socket);
      const loops = [];
      const speeds = new Map();
      const begin = () => {
        const after = next() < 0.3 ? server.head - Math.floor(next() * 15) : 0;
        const loop = new Loop(app, undefined, after > 0 ? after : undefined);
        loops.push(loop);
        speeds.set(loop, next() < 0.4 ? next() * 0.05 : next());
      };
      const leave = (loop) => {
        loops.splice(loops.indexOf(loop), 1);
        if (next() < 0.5) loop.abort();
        else loop.subscription.return();
      };
      const pass = (queue) =>
        queue.splice(0, Math.ceil(next() * 6)).forEach((deliver) => deliver());
      let most = 0;
      for (let step = 0; step < 2000; step++) {
        const what = next();
        if (what < 0.25) pass(server.toClient);
        else if (what < 0.45) pass(server.toServer);
        else if (what < 0.6) server.publish();
        else if (what < 0.955) loops.forEach((loop) => next() < speeds.get(loop) && loop.step());
        else if (what < 0.965 && loops.length < 5) begin();
        else if (what < 0.97 && loops.length > 2) leave(loops[Math.floor(next() * loops.length)]);
        else if (what < 0.98 && app.state === 'ready') app.authenticate().catch(() => {});
        else if (what < 0.995) {
          server.disconnect();
          if (next() < 0.3) server.disconnect();
        }
        await settled();
        most = Math.max(most, ...loops.map(({ subscription }) => subscription.queued));
      }
      assert.ok(most <= 5 * server.window, `${most} items had not been taken`);
      loops.forEach((loop) => speeds.set(loop, 1));
      if (loops.length === 0) begin();
      for (let rounds = 0; loops.some(({ last }) => last !== server.head); rounds++) {
        assert.ok(rounds < 5000, `${loops.map(({ last }) => last)} of ${server.head}`);
        server.toServer.splice(0).forEach((deliver) => deliver());
        server.toClient.splice(0).forEach((deliver) => deliver());
        loops.forEach((loop) => loop.step());
        if (loops.some(({ last }) => last === undefined) && rounds % 50 === 0) server.publish();
        await settled();
      }
      if (!isShort) assert.ok(loops.every(({ inner }) => inner === 0));
      loops.forEach(({ subscription }) => subscription.return());
      await server.settle();
      assert.equal(server.subscriptions.size, 0);
    });
  }
});

describe('the ends of a subscription that loops share', TIMEOUT, () => {
  /**
   * Loops over one source, of which the first has an item that it has not handled.
   *
   * @param {number} count how many
   * @returns {{socket: FakeSocket, loops: object[], waiting: Promise<object>[]}} them, and what the
   *   others wait for
   */
  function sharing(count) {
    const socket = new FakeSocket();
    const app = client(socket);
    socket.receive('authenticated', true);
    const loops = Array.from({ length: count }, () => app.subscribe('orders'));
    const requests = socket.sent.filter(([event]) => event === 'orders');
    requests.forEach(([, , answer], index) =>
      answer({ result: { subscription: index + 1, source: 'S', resumed: false } }),
    );
    socket.sent
      .filter(([event]) => event === 'loopback:unsubscribe')
      .forEach(([, , answer]) => answer({ result: true }));
    socket.sent = [];
    const waiting = loops.slice(1).map((loop) => loop.next());
    socket.receive('orders', 'item', { source: 'S', id: 'S-5' });
    return { loops, socket, waiting };
  }

  it('a slow loop ends, and loops that wait subscribe again where they are', async () => {
    const { loops, socket, waiting } = sharing(3);
    await Promise.all(waiting);
    const next = loops.slice(1).map((loop) => loop.next());
    socket.receive('loopback:unsubscribed', { subscription: 1, reason: 'slow' });
    assert.equal((await loops[0].next()).value, 'item');
    await assert.rejects(loops[0].next(), { reason: 'slow', lastId: 'S-5' });
    const requests = socket.sent.filter(([event]) => event === 'orders');
    assert.deepEqual(
      requests.map(([, { after }]) => after),
      ['S-5', 'S-5'],
    );
    requests[0][2]({ result: { subscription: 4, source: 'S', resumed: true } });
    requests[1][2]({ result: { subscription: 5, source: 'S', resumed: true } });
    socket.receive('orders', 'more', { source: 'S', id: 'S-6' });
    assert.deepEqual(
      (await Promise.all(next)).map(({ value }) => value),
      ['more', 'more'],
    );
  });

  it('a revoked loop ends, and the others ask for themselves', async () => {
    const { loops, socket, waiting } = sharing(2);
    await Promise.all(waiting);
    socket.receive('loopback:unsubscribed', { subscription: 1, reason: 'revoked' });
    await loops[0].next();
    await assert.rejects(loops[0].next(), { reason: 'revoked' });
    assert.equal(socket.sent.length, 1);
    socket.answer({ error: { code: 'ERR_LOOPBACK_SOCKET_FORBIDDEN' } });
    await assert.rejects(loops[1].next(), { name: 'RemoteError' });
  });

  for (const reason of ['end', 'error', 'removed']) {
    it(`the end of a source (${reason}) is that of all its loops`, async () => {
      const { loops, socket, waiting } = sharing(3);
      await Promise.all(waiting);
      socket.receive('loopback:unsubscribed', { subscription: 1, reason });
      await loops[0].next();
      const ends = await Promise.allSettled(loops.map((loop) => loop.next()));
      for (const { reason: error, value } of ends) {
        assert.deepEqual(
          error?.reason ?? value,
          reason === 'end' ? { value: undefined, done: true } : reason,
        );
      }
      assert.ok(!socket.events.includes('orders'));
      assert.deepEqual(socket.sent, []);
    });
  }

  it('a request that is not answered has a source keep a limited number of items', async () => {
    const { loops, socket } = sharing(1);
    socket.sent = [];
    const app = client(socket);
    socket.receive('authenticated', true);
    const late = app.subscribe('orders', {}, { after: 'S-5' });
    const lost = app.subscribe('orders', {}, { after: 'S-900' });
    const [first, second] = socket.sent.filter(([event]) => event === 'orders');
    for (let offset = 6; offset <= 1500; offset++) {
      socket.receive('orders', offset, { source: 'S', id: `S-${offset}` });
    }
    second[2]({ result: { subscription: 8, source: 'S', resumed: true } });
    assert.equal((await lost.next()).value, 901);
    first[2]({ result: { subscription: 9, source: 'S', resumed: true } });
    // It takes the place of the first one, since nobody has what follows any more.
    const next = [late.next(), late.next()];
    socket.receive('orders', 1501, { source: 'S', id: 'S-1501' });
    for (const offset of [6, 7]) {
      socket.receive('orders', offset, { source: 'S', id: `S-${offset}` });
    }
    assert.deepEqual(
      (await Promise.all(next)).map(({ value }) => value),
      [6, 7],
    );
    await Promise.all([...loops, late, lost].map((loop) => loop.return()));
  });

  it('copies of what came while there was no loop are acknowledged for the next one', async () => {
    const { loops, socket } = sharing(1);
    const app = client(socket);
    socket.receive('authenticated', true);
    const next = app.subscribe('orders');
    const [, , answer] = socket.sent.at(-1);
    await loops[0].return();
    let count = 0;
    for (let copy = 0; copy < 2; copy++) {
      socket.receive('orders', 'item', { source: 'S', id: 'S-6' }, () => (count += 1));
    }
    assert.equal(count, 0);
    answer({ result: { subscription: 2, source: 'S', resumed: false } });
    assert.equal(count, 2);
    await next.return();
  });

  it('an acknowledgement waits for every loop, and for none of a lost connection', async () => {
    const { loops, socket } = sharing(2);
    let count = 0;
    socket.receive('orders', 'next', { source: 'S', id: 'S-6' }, () => (count += 1));
    const [first, second] = loops;
    await first.next();
    await first.next();
    await second.next();
    second.next();
    assert.equal(count, 0);
    first.next();
    assert.equal(count, 1);
    socket.receive('orders', 'last', { source: 'S', id: 'S-7' }, () => (count += 1));
    second.next();
    socket.disconnect();
    first.next();
    assert.equal(count, 1);
  });
});
