'use strict';

// Subscriptions of the helper, against the protocol of docs/subscriptions.md as the test plays it.

const assert = require('node:assert/strict');
const { getEventListeners } = require('node:events');
const { before, describe, it } = require('node:test');
const { FakeSocket, TIMEOUT } = require('../support/clients');

let client;
let errors;

before(async () => {
  ({ client, ...errors } = await import('../../client.mjs'));
});

/** @returns {{socket: FakeSocket, app: object}} a client that is authenticated, and its socket */
function authenticated() {
  const socket = new FakeSocket();
  const app = client(socket, { credentials: 'valid' });
  socket.receive('authenticated', true);
  socket.sent = [];
  return { app, socket };
}

/**
 * @param {number} subscription its number
 * @param {string} source the source of its items
 * @param {boolean} resumed whether it continues
 * @returns {object} the answer to a request
 */
const accepted = (subscription, source = 'S', resumed = false) => ({
  result: { subscription, source, resumed },
});

/** Everything that is due has happened. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

/**
 * The server sends an item whose value is its offset.
 *
 * @param {FakeSocket} socket the client's
 * @param {number} offset its place in the source
 * @param {object} [options] the event, the source, the id, and the acknowledgement if it asks for one
 * @returns {void}
 */
function send(
  socket,
  offset,
  { name = 'orders', source = 'S', id = `${source}-${offset}`, ack } = {},
) {
  socket.receive(name, offset, { source, id }, ...(ack ? [ack] : []));
}

/** @returns {Function} an acknowledgement, whose `count` is how often it was called */
function acknowledgement() {
  const ack = () => {
    ack.count += 1;
  };
  ack.count = 0;
  return ack;
}

/**
 * @param {(offset: number) => string | number} [idOf] the id of an item; without it the source is shared
 * @returns {{socket: FakeSocket, app: object, orders: object}} a client with a subscription whose loop has taken none of
 *   the items, one of each of two connections
 */
function unmoved(idOf = (offset) => `S-${offset}`) {
  const { app, socket } = authenticated();
  const orders = app.subscribe('orders');
  socket.answer(accepted(1));
  send(socket, 1, { id: idOf(1) });
  socket.disconnect();
  socket.connect();
  socket.answer(accepted(1, 'S', true));
  send(socket, 2, { id: idOf(2) });
  return { app, socket, orders };
}

/**
 * The socket connects, and the server refuses its credentials.
 *
 * @param {FakeSocket} socket the client's
 * @returns {void}
 */
function refuse(socket) {
  socket.connected = true;
  socket.receive('connect');
  socket.receive('unauthorized', { message: 'expired' });
}

describe('subscriptions of the helper', TIMEOUT, () => {
  it('a subscription listens before it is requested, and its loop gets items in order', async () => {
    const { app, socket } = authenticated();
    const { emit } = socket;
    socket.emit = function emitChecked(...packet) {
      assert.ok(this.events.includes('orders'));
      assert.ok(this.events.includes('loopback:unsubscribed'));
      return emit.apply(this, packet);
    };
    const orders = app.subscribe('orders', { shop: 7 });
    assert.deepEqual(socket.sent[0].slice(0, -1), ['orders', { args: { shop: 7 } }]);
    socket.answer(accepted(1));
    send(socket, 1);
    send(socket, 2);
    await orders.ready;
    const first = orders.next();
    const others = [orders.next(), orders.next()];
    send(socket, 3);
    assert.deepEqual(await first, { value: 1, done: false });
    assert.deepEqual(
      (await Promise.all(others)).map(({ value }) => value),
      [2, 3],
    );
    assert.equal(orders.lastId, 'S-3');
  });

  it('a subscription waits for authentication', async () => {
    const socket = new FakeSocket();
    const app = client(socket);
    app.subscribe('orders');
    assert.deepEqual(socket.sent, [['authentication']]);
    socket.receive('authenticated', true);
    assert.deepEqual(socket.sent[1].slice(0, -1), ['orders', { args: undefined }]);
  });

  it('an item is acknowledged when the loop asks for the next one', async () => {
    const { app, socket } = authenticated();
    const orders = app.subscribe('orders');
    socket.answer(accepted(1));
    const acks = [acknowledgement(), acknowledgement()];
    send(socket, 1, { ack: acks[0] });
    send(socket, 2);
    send(socket, 3, { ack: acks[1] });
    await orders.next();
    assert.equal(acks[0].count, 0);
    await orders.next();
    assert.equal(acks[0].count, 1);
    await orders.next();
    assert.equal(acks[1].count, 0);
    orders.next();
    assert.equal(acks[1].count, 1);
  });

  it('an item that several calls of next() wait for is acknowledged at once', () => {
    const { app, socket } = authenticated();
    const orders = app.subscribe('orders');
    socket.answer(accepted(1));
    orders.next();
    orders.next();
    const acks = [acknowledgement(), acknowledgement()];
    send(socket, 1, { ack: acks[0] });
    send(socket, 2, { ack: acks[1] });
    assert.deepEqual([acks[0].count, acks[1].count], [1, 0]);
  });

  it('subscriptions of one name share a listener and are told apart by their source', async () => {
    const { app, socket } = authenticated();
    const north = app.subscribe('orders', { shop: 'north' });
    const [, , answerNorth] = socket.sent.at(-1);
    const south = app.subscribe('orders', { shop: 'south' });
    const [, , answerSouth] = socket.sent.at(-1);
    answerSouth(accepted(1, 'south'));
    answerNorth(accepted(2, 'north'));
    send(socket, 1, { source: 'north' });
    send(socket, 8, { source: 'south' });
    send(socket, 1, { source: 'of another program' });
    assert.equal((await north.next()).value, 1);
    assert.equal((await south.next()).value, 8);
  });

  it('a loop that is left unsubscribes, and the last one removes the listeners', async () => {
    const { app, socket } = authenticated();
    const own = socket.events;
    const first = app.subscribe('orders');
    socket.answer(accepted(1, 'A'));
    const second = app.subscribe('orders');
    socket.answer(accepted(2, 'B'));
    send(socket, 1, { source: 'A' });
    for await (const order of first) {
      assert.equal(order, 1);
      break;
    }
    assert.deepEqual(socket.sent.at(-1), ['loopback:unsubscribe', 1]);
    assert.ok(socket.events.includes('orders'));
    assert.deepEqual(await first.next(), { value: undefined, done: true });
    await assert.rejects(second.throw(new Error('enough')), /enough/);
    assert.deepEqual(socket.sent.at(-1), ['loopback:unsubscribe', 2]);
    assert.deepEqual(socket.events, own);
    await second.return();
    assert.equal(socket.sent.length, 4);
  });

  it('a loop that is left before the answer unsubscribes when it comes', async () => {
    const { app, socket } = authenticated();
    const orders = app.subscribe('orders');
    const waiting = orders.next();
    await orders.return();
    assert.deepEqual(await waiting, { value: undefined, done: true });
    await assert.rejects(orders.ready, errors.SubscriptionError);
    assert.equal(socket.sent.length, 1);
    socket.answer(accepted(5));
    assert.deepEqual(socket.sent.at(-1), ['loopback:unsubscribe', 5]);
  });

  it('a signal ends a loop at once with its reason', async () => {
    const { app, socket } = authenticated();
    const controller = new AbortController();
    const orders = app.subscribe('orders', {}, { signal: controller.signal });
    socket.answer(accepted(1));
    send(socket, 1);
    await orders.next();
    send(socket, 2);
    controller.abort();
    await assert.rejects(orders.next(), { name: 'AbortError' });
    assert.deepEqual(await orders.next(), { value: undefined, done: true });
    assert.deepEqual(socket.sent.at(-1), ['loopback:unsubscribe', 1]);

    const late = app.subscribe('orders', {}, { signal: controller.signal });
    await assert.rejects(late.ready, { name: 'AbortError' });
    await assert.rejects(late.next(), { name: 'AbortError' });
    assert.equal(socket.sent.length, 2);
    assert.ok(!socket.events.includes('orders'));

    const other = new AbortController();
    const waiting = app.subscribe('orders', {}, { signal: other.signal });
    const next = waiting.next();
    other.abort(new Error('enough'));
    await assert.rejects(next, /enough/);
  });

  it('the end of a source ends the loop after its items', async () => {
    const { app, socket } = authenticated();
    const own = socket.events;
    const orders = app.subscribe('orders');
    socket.answer(accepted(1));
    send(socket, 1);
    socket.receive('loopback:unsubscribed', { subscription: 1, reason: 'end' });
    assert.deepEqual(socket.events, own);
    const items = [];
    for await (const order of orders) items.push(order);
    assert.deepEqual(items, [1]);
    assert.equal(socket.sent.length, 1);
  });

  for (const reason of ['error', 'revoked', 'slow', 'removed', 'new reason']) {
    it(`the end of a subscription by the server (${reason}) is an error of the loop`, async () => {
      const { app, socket } = authenticated();
      const orders = app.subscribe('orders');
      socket.answer(accepted(1));
      send(socket, 1);
      const error = reason === 'error' ? { code: 'GONE', message: 'shop closed' } : undefined;
      socket.receive('loopback:unsubscribed', { subscription: 1, reason, error });
      await orders.next();
      await assert.rejects(orders.next(), (thrown) => {
        assert.ok(thrown instanceof errors.SubscriptionError);
        assert.equal(thrown.reason, reason);
        assert.equal(thrown.lastId, 'S-1');
        assert.equal(thrown.error, error);
        assert.equal(thrown.code, error?.code);
        assert.match(thrown.message, /^orders has ended/);
        return true;
      });
      assert.deepEqual(await orders.next(), { value: undefined, done: true });
    });
  }

  it('a refused request is an error of the loop', async () => {
    const { app, socket } = authenticated();
    const orders = app.subscribe('orders');
    socket.answer({ error: { code: 'ERR_LOOPBACK_SOCKET_FORBIDDEN', message: 'not yours' } });
    await assert.rejects(orders.ready, { name: 'RemoteError', message: 'not yours' });
    await assert.rejects(orders.next(), { code: 'ERR_LOOPBACK_SOCKET_FORBIDDEN' });
    assert.ok(!socket.events.includes('orders'));

    const method = app.subscribe('count');
    socket.answer({ result: 5 });
    await assert.rejects(method.next(), /count is a method/);
  });

  it('a request that is not answered in time is an error of the loop', async () => {
    const { app, socket } = authenticated();
    const orders = app.subscribe('orders', {}, { timeout: 1 });
    await assert.rejects(orders.next(), errors.TimeoutError);
    socket.answer(accepted(3));
    assert.deepEqual(socket.sent.at(-1), ['loopback:unsubscribe', 3]);
  });

  it('closing the client ends its loops and unsubscribes', async () => {
    const { app, socket } = authenticated();
    const orders = app.subscribe('orders');
    socket.answer(accepted(1));
    const next = orders.next();
    app.close();
    assert.deepEqual(await next, { value: undefined, done: true });
    assert.deepEqual(socket.sent.at(-1), ['loopback:unsubscribe', 1]);
    assert.deepEqual(socket.events, []);
    const late = app.subscribe('orders');
    await assert.rejects(late.next(), { reason: 'closed' });
    assert.deepEqual(socket.events, []);
  });

  it('calls and loops that are over leave no listener on their signal', async () => {
    const { app, socket } = authenticated();
    const { signal } = new AbortController();
    const call = app.call('one', {}, { signal });
    socket.answer({ result: 1 });
    await call;
    const [left, ended] = [1, 2].map((number) => {
      const orders = app.subscribe('orders', {}, { signal });
      socket.answer(accepted(number, `S${number}`));
      return orders;
    });
    assert.equal(getEventListeners(signal, 'abort').length, 2);
    await left.return();
    socket.receive('loopback:unsubscribed', { subscription: 2, reason: 'end' });
    await ended.next();
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  });

  it('wrong options of a subscription throw', () => {
    const { app, socket } = authenticated();
    assert.throws(() => app.subscribe('orders', {}, { window: 1 }), /no option 'window'/);
    assert.throws(() => app.subscribe('orders', {}, { onGap: 1 }), /onGap/);
    assert.throws(() => app.subscribe('orders', {}, { timeout: 'x' }), /timeout/);
    assert.equal(socket.sent.length, 0);
    assert.ok(!socket.events.includes('orders'));
  });
});

describe('subscriptions of the helper after a lost connection', TIMEOUT, () => {
  it('a subscription continues after the last item that has arrived', async () => {
    const { app, socket } = authenticated();
    let gaps = 0;
    const orders = app.subscribe('orders', { shop: 7 }, { onGap: () => (gaps += 1) });
    socket.answer(accepted(1));
    send(socket, 1);
    send(socket, 2);
    assert.equal((await orders.next()).value, 1);
    socket.disconnect();
    socket.connect();
    assert.deepEqual(socket.sent.at(-1).slice(0, -1), [
      'orders',
      { args: { shop: 7 }, after: 'S-2' },
    ]);
    socket.answer(accepted(1, 'S', true));
    send(socket, 3);
    assert.equal((await orders.next()).value, 2);
    assert.equal((await orders.next()).value, 3);
    assert.equal(gaps, 0);
  });

  it('an acknowledgement of a lost connection is never sent on the next one', async () => {
    const { app, socket } = authenticated();
    const orders = app.subscribe('orders');
    socket.answer(accepted(1));
    const acks = [acknowledgement(), acknowledgement()];
    send(socket, 1, { ack: acks[0] });
    send(socket, 2, { ack: acks[1] });
    await orders.next();
    socket.disconnect();
    await orders.next();
    socket.connect();
    socket.answer(accepted(1, 'S', true));
    orders.next();
    assert.deepEqual([acks[0].count, acks[1].count], [0, 0]);
  });

  it('the loop waits at a gap until the application has caught up', async () => {
    const { app, socket } = authenticated();
    let caughtUp;
    const log = [];
    const orders = app.subscribe(
      'orders',
      {},
      {
        onGap: () => {
          log.push('gap');
          return new Promise((resolve) => (caughtUp = resolve));
        },
      },
    );
    socket.answer(accepted(1));
    send(socket, 1);
    send(socket, 2);
    socket.disconnect();
    socket.connect();
    socket.answer(accepted(1, 'T', false));
    send(socket, 1, { source: 'T' });
    const loop = (async () => {
      for await (const order of orders) log.push(order);
    })();
    await settled();
    assert.deepEqual(log, [1, 2, 'gap']);
    caughtUp();
    await settled();
    assert.deepEqual(log, [1, 2, 'gap', 1]);
    await orders.return();
    await loop;
  });

  it('a loop that is left at a gap ends at once', async () => {
    const { app, socket } = authenticated();
    const orders = app.subscribe(
      'orders',
      {},
      { after: 'old', onGap: () => new Promise(() => {}) },
    );
    assert.equal(socket.sent[0][1].after, 'old');
    socket.answer(accepted(1));
    const next = orders.next();
    await settled();
    await orders.return();
    assert.deepEqual(await next, { value: undefined, done: true });
  });

  it('an error of onGap ends the loop', async () => {
    const { app, socket } = authenticated();
    const orders = app.subscribe(
      'orders',
      {},
      {
        after: 'old',
        onGap: () => {
          throw new Error('no state');
        },
      },
    );
    socket.answer(accepted(1));
    send(socket, 1);
    await assert.rejects(orders.next(), /no state/);
    assert.deepEqual(socket.sent.at(-1), ['loopback:unsubscribe', 1]);
    assert.deepEqual(await orders.next(), { value: undefined, done: true });
  });

  it('a first subscription has no gap, nor one that was not accepted before', async () => {
    const { app, socket } = authenticated();
    let gaps = 0;
    const orders = app.subscribe('orders', {}, { onGap: () => (gaps += 1) });
    socket.disconnect();
    socket.connect();
    assert.equal('after' in socket.sent.at(-1)[1], false);
    socket.answer(accepted(1));
    send(socket, 1);
    await orders.next();
    assert.equal(gaps, 0);
  });

  it('a gap is reported when nothing had arrived before the connection was lost', async () => {
    const { app, socket } = authenticated();
    let gaps = 0;
    const orders = app.subscribe('orders', {}, { onGap: () => (gaps += 1) });
    socket.answer(accepted(1));
    socket.disconnect();
    socket.connect();
    socket.answer(accepted(1));
    send(socket, 1);
    await orders.next();
    assert.equal(gaps, 1);
  });

  it('a loop over a private source that does not move collects no more than what two connections sent', async () => {
    const { app, socket } = authenticated();
    const orders = app.subscribe('orders');
    const requests = () => socket.sent.filter(([name]) => name === 'orders').length;
    socket.answer(accepted(1));
    send(socket, 1, { id: 1 });
    send(socket, 2, { id: 2 });
    socket.disconnect();
    socket.connect();
    socket.answer(accepted(1, 'S', true));
    send(socket, 3, { id: 3 });
    socket.disconnect();
    socket.connect();
    assert.equal(requests(), 2);
    await orders.next();
    assert.equal(requests(), 2);
    await orders.next();
    assert.equal(requests(), 3);
    assert.equal(socket.sent.at(-1)[1].after, 3);
    socket.answer(accepted(1, 'S', true));
    send(socket, 4, { id: 4 });
    assert.equal((await orders.next()).value, 3);
    assert.equal((await orders.next()).value, 4);
  });

  it('a loop over a shared source that does not move asks again for what came on the second connection', async () => {
    const { socket, orders } = unmoved();
    for (let times = 0; times < 5; times++) {
      socket.disconnect();
      socket.connect();
      assert.equal(socket.sent.at(-1)[1].after, 'S-1');
      socket.answer(accepted(1, 'S', true));
      const ack = acknowledgement();
      send(socket, 2, { ack });
      assert.equal(ack.count, 0);
    }
    const ack = acknowledgement();
    send(socket, 3, { ack });
    for (const value of [1, 2, 3]) {
      assert.deepEqual(await orders.next(), { value, done: false });
    }
    assert.equal(ack.count, 0);
    orders.next();
    assert.equal(ack.count, 1);
  });

  it('an item that comes again while the loop handles it is acknowledged after it', async () => {
    const { socket, orders } = unmoved();
    socket.disconnect();
    socket.connect();
    await orders.next();
    await orders.next();
    const ack = acknowledgement();
    socket.answer(accepted(1, 'S', true));
    send(socket, 2, { ack });
    assert.equal(ack.count, 0);
    orders.next();
    assert.equal(ack.count, 1);
  });

  it('a loop that cannot have items again asks from where it is, once it has taken what is old', async () => {
    const { app, socket, orders } = unmoved();
    let gaps = 0;
    const other = app.subscribe('orders', {}, { after: 'S-2', onGap: () => (gaps += 1) });
    socket.answer(accepted(2, 'S', true));
    socket.disconnect();
    socket.connect();
    const requests = () => socket.sent.filter(([name]) => name === 'orders');
    const [first, second] = requests().slice(-2);
    assert.deepEqual([first[1].after, second[1].after], ['S-1', 'S-1']);
    first[2](accepted(1));
    second[2](accepted(2));
    const [third, ...held] = requests().slice(requests().indexOf(second) + 1);
    assert.deepEqual([third[1].after, held], ['S-2', []]);
    third[2](accepted(3, 'S', true));
    send(socket, 3);
    assert.equal((await other.next()).value, 3);
    assert.equal((await orders.next()).value, 1);
    assert.equal(socket.sent.at(-1)[1].after, 'S-2');
    socket.answer(accepted(4, 'S', true)); // the other loop's subscription has sent what follows already
    assert.deepEqual(socket.sent.at(-1).slice(0, 2), ['loopback:unsubscribe', 3]);
    const waiting = other.next();
    send(socket, 3);
    send(socket, 4);
    assert.deepEqual(await waiting, { value: 4, done: false });
    for (const value of [2, 3, 4]) {
      assert.deepEqual(await orders.next(), { value, done: false });
    }
    assert.equal(gaps, 0);
  });

  it('a refusal of the credentials or the request after a reconnection ends the loop', async () => {
    const { app, socket } = authenticated();
    const orders = app.subscribe('orders');
    socket.answer(accepted(1));
    send(socket, 1);
    socket.disconnect();
    refuse(socket);
    assert.equal((await orders.next()).value, 1);
    await assert.rejects(orders.next(), { name: 'UnauthorizedError', message: 'expired' });

    await Promise.all([app.authenticate(), settled().then(() => socket.receive('authenticated'))]);
    const again = app.subscribe('orders');
    socket.answer(accepted(1));
    socket.disconnect();
    socket.connect();
    socket.answer({ error: { code: 'NO' } });
    await assert.rejects(again.next(), { name: 'RemoteError', code: 'NO' });
  });

  for (const [what, returns, name] of [
    ['the credentials are refused', true, 'UnauthorizedError'],
    ['the socket does not connect again', false, 'DisconnectedError'],
  ]) {
    it(`a loop that does not move gets all its items and then the end if ${what}`, async () => {
      const { socket, orders } = unmoved();
      send(socket, 3);
      socket.disconnect(returns);
      if (returns) refuse(socket);
      const requests = socket.sent.filter(([event]) => event === 'orders').length;
      for (const value of [1, 2, 3]) {
        assert.deepEqual(await orders.next(), { value, done: false });
        assert.equal(orders.lastId, `S-${value}`);
      }
      await assert.rejects(orders.next(), { name });
      assert.equal(socket.sent.filter(([event]) => event === 'orders').length, requests);
    });
  }

  for (const [kind, idOf] of [['shared'], ['private', (offset) => offset]]) {
    it(`a loop over a ${kind} source that ended while it did not move does not come back`, async () => {
      const { app, socket, orders } = unmoved(idOf);
      socket.disconnect();
      refuse(socket);
      await Promise.all([
        app.authenticate(),
        settled().then(() => socket.receive('authenticated')),
      ]);
      const requests = socket.sent.filter(([event]) => event === 'orders').length;
      assert.equal((await orders.next()).value, 1);
      assert.equal((await orders.next()).value, 2);
      await assert.rejects(orders.next(), { name: 'UnauthorizedError' });
      assert.equal(socket.sent.filter(([event]) => event === 'orders').length, requests);
    });
  }

  it('a loop ends if the socket does not connect again', async () => {
    const { app, socket } = authenticated();
    const orders = app.subscribe('orders');
    socket.answer(accepted(1));
    socket.disconnect(false);
    await assert.rejects(orders.next(), {
      name: 'DisconnectedError',
      reason: 'io server disconnect',
    });
  });

  it('an end that arrives before a lost connection is not subscribed to again', async () => {
    const { app, socket } = authenticated();
    const orders = app.subscribe('orders');
    socket.answer(accepted(1));
    send(socket, 1);
    socket.receive('loopback:unsubscribed', { subscription: 1, reason: 'end' });
    socket.disconnect();
    socket.connect();
    assert.equal(socket.sent.filter(([name]) => name === 'orders').length, 1);
    assert.equal((await orders.next()).value, 1);
    assert.equal((await orders.next()).done, true);
  });
});
