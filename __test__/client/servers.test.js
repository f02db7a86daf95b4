'use strict';

// Subscriptions through the helper, over real servers and clients of every version.

const assert = require('node:assert/strict');
const { EventEmitter, on } = require('node:events');
const { before, describe, it } = require('node:test');
const { PAIRS, TIMEOUT, cut, next, open, reachState } = require('../support/clients');
const { reach } = require('../support/waiting');

let client;

before(async () => {
  ({ client } = await import('../../client.mjs'));
});

const VALID = { credentials: { token: 'valid' } };

/** @returns {object} options of a subscription shared by shop, with a history */
const byShop = () => ({
  key: ({ shop }) => ({ key: String(shop), args: { shop } }),
  history: { size: 1000, ttl: 60_000 },
});

for (const [host, version] of PAIRS) {
  describe(`subscriptions by the helper, server ${host}, client ${version}`, TIMEOUT, () => {
    it('a loop gets what a generator yields, to its end', async (t) => {
      const { connect } = await open(t, host, version, (sockets) => {
        sockets.defineSubscription('count', async function* (socket, credentials, { to }) {
          for (let n = 1; n <= to; n++) yield { n };
        });
      });
      const app = client(connect(), VALID);
      const items = [];
      for await (const { n } of app.subscribe('count', { to: 200 })) items.push(n);
      assert.deepEqual(
        items,
        Array.from({ length: 200 }, (_, index) => index + 1),
      );
    });

    it('a loop that waits makes the generator wait', async (t) => {
      let yielded = 0;
      const { connect } = await open(t, host, version, (sockets) => {
        sockets.defineSubscription(
          'count',
          async function* () {
            for (;;) yield (yielded += 1);
          },
          { window: 4 },
        );
        sockets.defineMethod('yielded', () => yielded);
      });
      const app = client(connect(), VALID);
      const numbers = app.subscribe('count');
      await numbers.ready;
      for (let n = 1; n <= 50; n++) {
        assert.equal((await numbers.next()).value, n);
        assert.ok((await app.call('yielded')) <= n + 5);
      }
      await numbers.return();
    });

    it('a loop that is left ends the source', async (t) => {
      const bus = new EventEmitter();
      const { connect } = await open(t, host, version, (sockets) => {
        sockets.defineSubscription(
          'orders',
          async function* (socket, credentials, args, { signal }) {
            try {
              for await (const [order] of on(bus, 'order', { signal })) yield order;
            } finally {
              bus.emit('ended');
            }
          },
        );
      });
      const app = client(connect(), VALID);
      const orders = app.subscribe('orders');
      const first = orders.next();
      await orders.ready;
      while (bus.listenerCount('order') === 0) await next(bus, 'newListener');
      const ended = next(bus, 'ended');
      bus.emit('order', 'first');
      assert.equal((await first).value, 'first');
      await orders.return();
      await ended;
    });

    it('a shared source continues after a lost connection without a gap', async (t) => {
      const { connect, sockets } = await open(t, host, version, (sockets) => {
        sockets.defineSubscription('orders', byShop());
      });
      const socket = connect();
      const app = client(socket, VALID);
      const gaps = [];
      const orders = app.subscribe('orders', { shop: 7 }, { onGap: () => gaps.push('gap') });
      await orders.ready;
      const items = [];
      for (let n = 1; n <= 60; n++) {
        sockets.publish('orders', { key: '7' }, n);
        sockets.publish('orders', { key: '8' }, -n);
        if (n % 25 === 0) {
          cut(socket);
          await reachState(app, 'disconnected');
        }
        if (n % 5 === 0) {
          for (let count = 0; count < 5; count++) items.push((await orders.next()).value);
        }
      }
      assert.deepEqual(
        items,
        Array.from({ length: 60 }, (_, index) => index + 1),
      );
      assert.deepEqual(gaps, []);
    });

    it('a loop learns of items that are missing after a lost connection', async (t) => {
      const { connect, sockets } = await open(t, host, version, (sockets) => {
        sockets.defineSubscription('orders', { key: () => ({ key: 'all' }) });
      });
      const socket = connect();
      const app = client(socket, VALID);
      const log = [];
      const orders = app.subscribe('orders', {}, { onGap: () => log.push('gap') });
      await orders.ready;
      sockets.publish('orders', { key: 'all' }, 1);
      log.push((await orders.next()).value);
      const waiting = orders.next();
      cut(socket);
      await reachState(app, 'disconnected');
      sockets.publish('orders', { key: 'all' }, 2);
      await reachState(app, 'ready');
      // The next subscription is answered after that of the loop.
      await app.subscribe('orders').ready;
      sockets.publish('orders', { key: 'all' }, 3);
      log.push((await waiting).value);
      assert.deepEqual(log, [1, 'gap', 3]);
    });

    it('loops over one source get each item once each', async (t) => {
      const { connect, sockets } = await open(t, host, version, (sockets) => {
        sockets.defineSubscription('orders', byShop());
      });
      const socket = connect();
      const app = client(socket, VALID);
      const loops = [1, 2, 3].map(() => app.subscribe('orders', { shop: 7 }));
      await Promise.all(loops.map(({ ready }) => ready));
      const expected = Array.from({ length: 100 }, (_, index) => index + 1);
      const collected = loops.map(() => []);
      const ends = loops.map(async (loop, index) => {
        for await (const order of loop) {
          collected[index].push(order);
          if (order === (index === 1 ? 50 : 100)) break;
        }
      });
      for (const n of expected) {
        sockets.publish('orders', { key: '7' }, n);
        if (n === 20 || n === 70) {
          await reach(() => collected[0].length >= n - 10);
          cut(socket);
        }
      }
      await Promise.all(ends);
      assert.deepEqual(collected, [expected, expected.slice(0, 50), expected]);
    });

    it('a loop ends as the server says', async (t) => {
      const { connect, sockets } = await open(t, host, version, (sockets) => {
        sockets.defineSubscription('fails', async function* () {
          yield 1;
          throw { code: 'GONE', message: 'shop closed' };
        });
        sockets.defineSubscription('secret', () => [], { authorize: () => false });
        sockets.defineSubscription('news', { key: () => ({ key: 'all' }) });
      });
      const app = client(connect(), VALID);
      const fails = app.subscribe('fails');
      assert.equal((await fails.next()).value, 1);
      await assert.rejects(fails.next(), {
        name: 'SubscriptionError',
        reason: 'error',
        code: 'GONE',
        message: 'fails has ended (error): shop closed.',
      });
      await assert.rejects(app.subscribe('secret').next(), {
        name: 'RemoteError',
        code: 'ERR_LOOPBACK_SOCKET_FORBIDDEN',
      });
      const news = app.subscribe('news');
      await news.ready;
      sockets.removeSubscription('news');
      await assert.rejects(news.next(), { name: 'SubscriptionError', reason: 'removed' });
    });

    it('a method is cancelled by the signal of its call', async (t) => {
      const bus = new EventEmitter();
      const { connect } = await open(t, host, version, (sockets) => {
        const handler = (socket, credentials, args, { signal }) => {
          bus.emit('started');
          signal.addEventListener('abort', () => bus.emit('aborted'));
          return new Promise(() => {});
        };
        sockets.defineMethod('report', handler, { context: true });
      });
      const app = client(connect(), VALID);
      const controller = new AbortController();
      const [started, aborted] = [next(bus, 'started'), next(bus, 'aborted')];
      const call = app.call('report', { year: 2026 }, { signal: controller.signal });
      await started;
      controller.abort();
      await assert.rejects(call, { name: 'AbortError' });
      await aborted;
    });

    it('a loop goes on if the application connects again at once', async (t) => {
      const { connect, io, sockets } = await open(t, host, version, (sockets) => {
        sockets.defineSubscription('orders', byShop());
      });
      const connected = next(io, 'connection');
      const socket = connect();
      const app = client(socket, VALID);
      socket.once('disconnect', () => socket.connect());
      const orders = app.subscribe('orders', { shop: 7 });
      await orders.ready;
      const [server] = await connected;
      sockets.publish('orders', { key: '7' }, 1);
      assert.equal((await orders.next()).value, 1);
      server.disconnect();
      await reachState(app, 'disconnected');
      sockets.publish('orders', { key: '7' }, 2);
      assert.equal((await orders.next()).value, 2);
      await orders.return();
    });

    it('a loop over ten thousand items leaves the socket as it was', async (t) => {
      const { connect } = await open(t, host, version, (sockets) => {
        sockets.defineSubscription('count', function* (socket, credentials, { to }) {
          for (let n = 0; n < to; n++) yield n;
        });
      });
      const socket = connect();
      const app = client(socket, VALID);
      await app.ready;
      let count = 0;
      for await (const n of app.subscribe('count', { to: 10_000 })) {
        assert.equal(n, count);
        count += 1;
      }
      assert.equal(count, 10_000);
      for (const event of ['count', 'loopback:unsubscribed']) {
        assert.equal(socket.listeners(event).length, 0);
      }
      app.close();
      assert.equal(socket.listeners('authenticated').length, 0);
    });

    it('new credentials end what they do not allow', async (t) => {
      const { connect } = await open(t, host, version, (sockets) => {
        sockets.auth(() => true);
        sockets.defineSubscription('orders', {
          key: ({ shop }) => ({ key: String(shop) }),
          authorize: (socket, { shops }, { shop }) => shops.includes(shop),
        });
      });
      const app = client(connect(), { credentials: { shops: [1, 2] } });
      const [first, second] = [1, 2].map((shop) => app.subscribe('orders', { shop }));
      await Promise.all([first.ready, second.ready]);
      await app.authenticate({ shops: [2] });
      await assert.rejects(first.next(), { name: 'SubscriptionError', reason: 'revoked' });
      const third = app.subscribe('orders', { shop: 2 });
      await third.ready;
      await Promise.all([second.return(), third.return()]);
    });
  });
}

/**
 * @param {number} seed any
 * @returns {() => number} numbers from 0 to 1, the same for a seed
 */
function random(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 0) / 2 ** 32;
  };
}

for (const host of ['native', 4]) {
  describe(`loops of any speed over one source, server ${host}`, TIMEOUT, () => {
    it('a loop that does not move collects twice the window beside one that does', async (t) => {
      const { connect, sockets } = await open(t, host, '4.8', (instance) => {
        instance.defineSubscription('orders', { ...byShop(), window: 8 });
        instance.defineMethod('one', () => 1);
      });
      const socket = connect();
      const app = client(socket, VALID);
      const stuck = app.subscribe('orders', { shop: 7 });
      const fast = app.subscribe('orders', { shop: 7 });
      await Promise.all([stuck.ready, fast.ready]);
      let last = 0;
      (async () => {
        for await (const order of fast) {
          assert.equal(order, last + 1);
          last = order;
        }
      })();
      for (let order = 1; order <= 100; order++) sockets.publish('orders', { key: '7' }, order);
      await reach(() => last === 8);
      for (let times = 0; times < 4; times++) {
        const disconnected = next(socket, 'disconnect');
        cut(socket);
        await disconnected;
        await reach(() => last === 16 && app.state === 'ready');
        // Answers follow what was sent before.
        for (let calls = 0; calls < 5; calls++) await app.call('one');
        assert.equal(stuck.queued, 16);
      }
      stuck.return();
      await reach(() => last === 100);
      fast.return();
    });

    for (let seed = 1; seed <= 3; seed++) {
      it(`each loop gets each item once, however often the connection is lost (${seed})`, async (t) => {
        const roll = random(seed);
        const { connect, sockets } = await open(t, host, '4.8', (instance) => {
          const authorize = () => new Promise((allow) => setTimeout(allow, roll() * 3, true));
          instance.defineSubscription('orders', { ...byShop(), window: 8, authorize });
        });
        const socket = connect({ reconnectionDelay: 1, reconnectionDelayMax: 2 });
        const app = client(socket, VALID);
        await app.ready;
        let published = 0;
        const faults = [];
        const follow = async (pause, count) => {
          const left = new AbortController();
          let last;
          const onGap = () => last !== undefined && faults.push(`a gap after ${last}`);
          const orders = app.subscribe('orders', { shop: 7 }, { onGap, signal: left.signal });
          try {
            for await (const order of orders) {
              if (last !== undefined && order !== last + 1) faults.push(`${order} after ${last}`);
              last = order;
              count -= 1;
              if (count === 0 && pause > 2) left.abort();
              if (count === 0 || order === 600) break;
              if (pause > 0) await new Promise((resume) => setTimeout(resume, roll() * pause));
            }
          } catch (error) {
            assert.equal(error, left.signal.reason);
          }
        };
        const loops = [follow(0), follow(1), follow(6)];
        const passing = (async () => {
          // Some come and go.
          while (published < 550) await follow(roll() * 5, 1 + Math.floor(roll() * 40));
        })();
        const losing = (async () => {
          while (published < 590) {
            await reachState(app, 'ready');
            const before = published;
            await reach(() => published > before + 3 || published >= 590);
            if (roll() < 0.2 && app.state === 'ready') await app.authenticate().catch(() => {});
            if (app.state === 'ready') cut(socket);
          }
        })();
        while (published < 600) {
          published += 1;
          sockets.publish('orders', { key: '7' }, published);
          await new Promise((resume) => setTimeout(resume, 1));
        }
        await Promise.all([...loops, passing, losing]);
        assert.deepEqual(faults, []);
        await reach(() => sockets.metrics().subscriptions.open === 0);
      });
    }
  });
}
