'use strict';

/**
 * Events of the server itself that a client forges, or whose listeners the application removes. Before version 4,
 * `socket.io` emits what a client sends on the emitter of its own events.
 */

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const {
  HOSTS,
  authenticate,
  call,
  lose,
  newInstance,
  next,
  openServer,
  socketOf,
} = require('../support/js-hosts');

const LIMIT = { timeout: 10_000 };

/** The hosts that call listeners of the application with a forged event. */
const TRUSTING = [2, 3];

/** Sends a packet as no official client would. */
function forge(client, packet) {
  client.io.engine.write(packet);
}

/** A client that has connected, and its socket on the server. */
async function connected(io, connect) {
  const client = connect();
  return { client, socket: await socketOf(io, client) };
}

/** A client that has authenticated and can call `m`, and its socket, on which nobody listens to errors. */
async function withoutErrorListeners(t, host) {
  const { io, connect } = await openServer(t, host);
  const instance = newInstance();
  instance.defineMethod('m', () => 'done');
  instance.start(io);
  const { client, socket } = await connected(io, connect);
  await authenticate(client);
  socket.removeAllListeners('error');
  return { client, socket };
}

/**
 * Forges an event, and waits until the server has received it: it has emitted it, or has ended the connection.
 *
 * @param {object} client the client
 * @param {object} socket its socket on the server
 * @param {string} event the event
 * @returns {Promise<void>}
 */
async function forgeEvent(client, socket, event) {
  const isOver = new Promise((resolve) => {
    socket.once(event, resolve);
    socket.conn.once('close', resolve);
  });
  const namespace = client.nsp === '/' ? '' : `${client.nsp},`;
  forge(client, `2${namespace}${JSON.stringify([event, 'transport close'])}`);
  await isOver;
}

for (const host of HOSTS) {
  for (const event of ['disconnect', 'disconnecting']) {
    describe(`a forged ${event} on ${host}`, LIMIT, () => {
      it(`a pending socket is closed at the timeout after a forged ${event} on ${host}`, async (t) => {
        const { io, connect } = await openServer(t, host);
        newInstance(200).start(io);
        const { client, socket } = await connected(io, connect);
        const closed = next(client, 'disconnect');
        await forgeEvent(client, socket, event);
        await closed;
      });

      it(`a pending socket counts for maxPendingPerAddress after a forged ${event} on ${host}`, async (t) => {
        const { io, connect } = await openServer(t, host);
        newInstance().start(io, { maxPendingPerAddress: 1 });
        const first = await connected(io, connect);
        await forgeEvent(first.client, first.socket, event);
        if (first.socket.connected) {
          await next(connect(), 'unauthorized');
        } else {
          assert.equal(TRUSTING.includes(host), false);
        }
      });

      it(`revoke() reaches an authenticated socket after a forged ${event} on ${host}`, async (t) => {
        const { io, connect } = await openServer(t, host);
        const instance = newInstance();
        instance.start(io);
        const { client, socket } = await connected(io, connect);
        await authenticate(client);
        const closed = next(client, 'disconnect');
        await forgeEvent(client, socket, event);
        assert.equal(
          instance.revoke(() => true),
          TRUSTING.includes(host) ? 1 : 0,
        );
        await closed;
      });

      it(`socket.expires holds after a forged ${event} on ${host}`, async (t) => {
        const { io, connect } = await openServer(t, host);
        newInstance().start(io);
        const { client, socket } = await connected(io, connect);
        await authenticate(client);
        const closed = next(client, 'disconnect');
        await forgeEvent(client, socket, event);
        socket.expires = Date.now() + 50;
        await closed;
      });
    });
  }
}

for (const host of TRUSTING) {
  it(`calls and subscriptions go on after a forged disconnect on ${host}`, LIMIT, async (t) => {
    const { io, connect } = await openServer(t, host);
    const instance = newInstance();
    let ends = 0;
    instance.defineMethod('m', () => 'done');
    instance.defineSubscription('s', async function* items(socket, credentials, args, { signal }) {
      signal.addEventListener('abort', () => (ends += 1));
      yield 1;
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    });
    instance.start(io);
    const { client, socket } = await connected(io, connect);
    await authenticate(client);
    const item = next(client, 's');
    await call(client, 's', null);
    assert.equal(await item, 1);
    await forgeEvent(client, socket, 'disconnect');
    assert.deepEqual(await call(client, 'm', null), { result: 'done' });
    assert.equal(ends, 0);
    assert.equal(instance.metrics().subscriptions.open, 1);
    await lose(socket, client);
    await new Promise(setImmediate);
    assert.equal(ends, 1);
  });

  it(
    `the application's own listener of disconnect is called with a forged one on ${host}, as the server does`,
    LIMIT,
    async (t) => {
      const { io, connect } = await openServer(t, host);
      newInstance().start(io);
      const { client, socket } = await connected(io, connect);
      const heard = next(socket, 'disconnect');
      forge(client, '2["disconnect","forged"]');
      assert.equal(await heard, 'forged');
      assert.equal(socket.connected, true);
    },
  );

  it(
    `a client of a gated namespace stays without broadcasts until it authenticates after a forged disconnect on ${host}`,
    LIMIT,
    async (t) => {
      const { io, connect } = await openServer(t, host);
      const gated = io.of('/gated');
      newInstance().start(io);
      const main = connect();
      const client = main.io.socket('/gated');
      const socket = await socketOf(gated, client);
      const events = [];
      client.on('news', (value) => events.push(value));
      await forgeEvent(client, socket, 'disconnect');
      gated.emit('news', 'early');
      await authenticate(main);
      const news = next(client, 'news');
      gated.emit('news', 'late');
      await news;
      assert.deepEqual(events, ['late']);
    },
  );
}

describe('listeners that the application removes', LIMIT, () => {
  for (const host of HOSTS) {
    for (const args of [[], ['disconnect']]) {
      const what = `socket.removeAllListeners(${args.map((name) => `'${name}'`)})`;
      it(`a socket is let go of when it ends after ${what} on ${host}`, async (t) => {
        const { io, connect } = await openServer(t, host);
        const instance = newInstance();
        instance.start(io);
        const { client, socket } = await connected(io, connect);
        await authenticate(client);
        socket.removeAllListeners(...args);
        await lose(socket, client);
        await new Promise(setImmediate);
        instance.revoke(() => assert.fail('asked for a socket that has ended'));
      });
    }
  }
});

describe('packets on which a server throws', LIMIT, () => {
  const HARMLESS = {
    'an event named error': '2["error"]',
    'an event named error with an argument': '2["error",{"message":"forged"}]',
  };
  const HOSTILE = {
    'an event whose name is an object': '2[{"toString":1}]',
    'an event whose name is an array': '2[["m"]]',
    'an event whose name is null': '2[null]',
    'an event without a name': '2[]',
    'an error whose message is an object': '4{"toString":1}',
  };

  for (const host of HOSTS) {
    for (const [what, packet] of Object.entries(HARMLESS)) {
      it(`${what}, which nobody listens to, is dropped on ${host}`, async (t) => {
        const { client } = await withoutErrorListeners(t, host);
        forge(client, packet);
        assert.deepEqual(await call(client, 'm', null), { result: 'done' });
      });
    }

    for (const [what, packet] of Object.entries(HOSTILE)) {
      it(`${what} ends its own connection and nothing else on ${host}`, async (t) => {
        const { io, connect } = await openServer(t, host);
        newInstance().start(io);
        const other = await connected(io, connect);
        const { client, socket } = await connected(io, connect);
        const closed = next(client, 'disconnect');
        const ended = next(socket, 'disconnect');
        forge(client, packet);
        await Promise.all([closed, ended]);
        assert.equal(await authenticate(other.client), true);
      });
    }

    it(`events named error that are forged at once for a listener that is removed are harmless on ${host}`, async (t) => {
      const { client, socket } = await withoutErrorListeners(t, host);
      const heard = new Promise((resolve) => {
        socket.once('error', resolve);
      });
      forge(client, '2["error","first"]');
      forge(client, '2["error","second"]');
      assert.equal(await heard, 'first');
      assert.deepEqual(await call(client, 'm', null), { result: 'done' });
    });

    it(`a listener of error gets what a client sends with an event of that name on ${host}`, async (t) => {
      const { io, connect } = await openServer(t, host);
      newInstance().start(io);
      const { client, socket } = await connected(io, connect);
      const heard = next(socket, 'error');
      forge(client, '2["error","forged"]');
      assert.equal(await heard, 'forged');
    });
  }

  for (const where of ['/gated', '/left-out']) {
    it(`a packet to the namespace ${where} does not end the process on 3`, async (t) => {
      const { io, connect } = await openServer(t, 3);
      const namespace = io.of(where);
      newInstance().start(io, { open: ['/left-out'] });
      const client = connect(where);
      const socket = await socketOf(namespace, client);
      forge(client, `2${where},["error"]`);
      const closed = next(socket, 'disconnect');
      forge(client, `2${where},[{"toString":1}]`);
      await closed;
    });
  }

  it('an event whose name is an object ends its own connection on 4 with socket.io-msgpack-parser', async (t) => {
    const parser = require('socket.io-msgpack-parser');
    const { io, connect } = await openServer(t, 4, { parser });
    newInstance(200).start(io);
    const client = connect('/', { parser });
    const socket = await socketOf(io, client);
    const forgeData = (data) =>
      client.io.engine.write(new parser.Encoder().encode({ type: 2, nsp: '/', data })[0]);
    forgeData(['disconnect']);
    await next(socket, 'disconnect');
    assert.equal(socket.connected, true);
    forgeData(['error']);
    const ended = next(socket, 'disconnect');
    forgeData([{ toString: 1 }]);
    assert.equal(await ended, 'forced close');
  });
});
