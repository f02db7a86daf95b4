'use strict';

/**
 * What the native server promises to every client, whoever wrote it.
 *
 * A kind of client has `open(options)`, which gives a client of `{ url, namespace, transports, auth,
 * token, events }`; `token` goes into the query. What kinds differ in stands beside it:
 * - `hasAuth`: it sends what it authorizes a namespace with;
 * - `hasEmptyBytes`: bytes may be none;
 * - `keepsOrder`: it hands on what arrives in the order in which it arrives;
 * - `isAscii(transports)`: no other text reaches it;
 * - `refusal(error)`: what it is told of a middleware's error;
 * - `reasons`: what it says of its ends, `null` for nothing at all;
 * - `leaves`: the reason the server may see when it disconnects itself;
 * - `leavesInSilence(transports)`: it just stops, and the server finds out by its pings;
 * - `staysAway(transports)`: it takes a server's goodbye for good.
 */

const assert = require('node:assert/strict');
const { afterEach, beforeEach, describe, it } = require('node:test');
const { App, NAMES } = require('./app');
const { limited } = require('../../support/waiting');

const TRANSPORTS = {
  websocket: ['websocket'],
  polling: ['polling'],
  'polling, then websocket': ['polling', 'websocket'],
};

const EVENTS = ['authenticated', 'unauthorized', 'echo', 'ask', 'news', 'done'];
const TIMEOUT = 15_000;

/** Bytes that are no text. */
const BYTES = Buffer.from([0, 255, 128, 10, 13, 0x1e, 98, 52]);

/**
 * @param {string} name of the client, with which each title begins
 * @param {object} kind a kind of client
 */
function describePromises(name, kind) {
  for (const transport of Object.keys(TRANSPORTS)) {
    describe(`${name} over ${transport}`, () => describeTransport(name, kind, transport));
  }
}

function describeTransport(clientName, kind, transport) {
  const transports = TRANSPORTS[transport];
  /** An application for each promise, so that none meets the clients of another. */
  let app;
  let opened;

  const say = kind.isAscii?.(transports)
    ? (text) => text.replaceAll(/[^ -~]/gu, '?')
    : (text) => text;
  const names = NAMES.map(say);

  beforeEach(async () => {
    opened = [];
    app = new App(say);
    await app.listen();
  });
  afterEach(async () => {
    for (const client of opened) await client.close();
    await app.close();
  });

  /** @returns {Promise<any>} a client, connected or not yet */
  async function open(options) {
    const client = await kind.open({
      url: app.url,
      transports,
      events: [...EVENTS, ...names],
      ...options,
    });
    opened.push(client);
    return client;
  }

  /** @returns {Promise<{client: any, socket: any}>} a client and its socket on the server */
  async function connect(options) {
    const client = await open(options);
    const [socket] = await Promise.all([
      app.connected.next(options?.namespace ?? '/'),
      client.next('connect'),
    ]);
    if (transports.length > 1) await Promise.all([client.upgraded(), upgraded(socket.conn)]);
    return { client, socket };
  }

  async function authenticate(client) {
    client.emit('authentication', { token: 'valid' });
    assert.deepEqual(await client.next('authenticated'), [true]);
  }

  /** @returns {Promise<string>} why a socket of the server will have ended */
  function ended(socket) {
    return new Promise((resolve) => socket.once('disconnect', (reason) => resolve(reason)));
  }

  function promise(what, run) {
    it(`${clientName} ${what} (${transport})`, { timeout: TIMEOUT }, run);
  }

  promise('connects over the transport it asks for', async () => {
    const { client, socket } = await connect();
    assert.equal(await client.transport(), transports.at(-1));
    assert.equal(socket.conn.transport.name, transports.at(-1));
  });

  promise('authenticates, calls a method and gets the answer', async () => {
    const { client } = await connect();
    await authenticate(client);
    const [a, b] = [say('größer '), say('😀')];
    assert.deepEqual(await client.call('add', { a, b }), [{ result: a + b }]);
  });

  promise('gets the error of a method that fails', async () => {
    const { client } = await connect();
    await authenticate(client);
    assert.deepEqual(await client.call('fail', {}), [
      { error: { code: 'FAILED', detail: [say('ü'), 1] } },
    ]);
  });

  promise('gets the message of its refusal and is disconnected when it acknowledges', async () => {
    const { client, socket } = await connect();
    const end = ended(socket);
    client.emit('authentication', { token: 'wrong' });
    assert.deepEqual(await client.next('unauthorized'), [{ message: say('wrong tökén') }]);
    assert.equal(await client.next('disconnect'), kind.reasons.byServer);
    assert.equal(await end, 'server namespace disconnect');
  });

  promise('sends and receives bytes anywhere in a value', async () => {
    const { client } = await connect();
    await authenticate(client);
    const value = { list: [1, { deep: BYTES }] };
    const more = [];
    if (kind.keepsOrder) {
      value.list.push(Buffer.from('über'));
      more.push(BYTES);
      if (kind.hasEmptyBytes) value.empty = Buffer.alloc(0);
    }
    client.emit('echo', value, ...more);
    assert.deepEqual(await client.next('echo'), [value, ...more]);
    assert.deepEqual(await client.call('echo', value), [value]);
    assert.deepEqual(await client.call('reverse', { bytes: BYTES }), [
      { result: { reversed: Buffer.from(BYTES).reverse() } },
    ]);
  });

  promise('gives and gets acknowledgements with several values', async () => {
    const { client, socket } = await connect();
    const values = ['one', 2, { drei: [null, true] }];
    assert.deepEqual(await client.call('echo', ...values), values);
    const answer = await new Promise((resolve) => {
      socket.emit('ask', ...values, BYTES, (...args) => resolve(args));
    });
    assert.deepEqual(answer, [...values, BYTES]);
  });

  promise('receives the broadcasts to its room in order and no others', async () => {
    const [{ client, socket }, other] = [await connect(), await connect()];
    await Promise.all([authenticate(client), authenticate(other.client)]);
    await socket.join('öffentlich');
    app.io.to('öffentlich').emit('news', 'for the room', BYTES);
    other.socket.to('öffentlich').emit('news', 'from another');
    socket.to('öffentlich').emit('news', 'from itself');
    app.io.emit('done', 'for all');
    const news = [await client.next('news'), await client.next('news')];
    // Such a client handles packets concurrently, so it may report them in another order.
    if (!kind.keepsOrder) news.sort(([one], [two]) => (one < two ? -1 : 1));
    assert.deepEqual(news, [['for the room', BYTES], ['from another']]);
    for (const one of [client, other.client]) {
      assert.deepEqual(await one.next('done'), ['for all']);
      assert.deepEqual(one.events.untaken('news'), []);
    }
  });

  promise('receives no broadcast before it has authenticated', async () => {
    const { client } = await connect();
    app.io.emit('news', 'too early');
    await authenticate(client);
    app.io.emit('news', 'in time');
    assert.deepEqual(await client.next('news'), ['in time']);
  });

  promise('joins a namespace with a query and an auth payload', async () => {
    const { client, socket } = await connect({
      namespace: '/chat',
      token: 'welcome',
      auth: { key: 'ключ' },
    });
    assert.equal(socket.nsp.name, '/chat');
    assert.equal(socket.handshake.query.token, 'welcome');
    if (kind.hasAuth) assert.deepEqual(socket.handshake.auth, { key: 'ключ' });
    assert.deepEqual(await client.call('echo', 'here'), ['here']);
    app.chat.emit('news', 'for the namespace');
    assert.deepEqual(await client.next('news'), ['for the namespace']);
  });

  promise('is told why a namespace refuses it', async () => {
    const client = await open({ namespace: '/chat', token: 'unwelcome' });
    const expected = kind.refusal({ message: say('not wélcome'), data: { reason: 'token' } });
    assert.deepEqual(await client.next('refused'), expected);
  });

  promise('is disconnected by the server with the reason on both sides', async () => {
    const { client, socket } = await connect();
    const end = ended(socket);
    socket.disconnect();
    assert.equal(await client.next('disconnect'), kind.reasons.byServer);
    assert.equal(await end, 'server namespace disconnect');
  });

  if (!kind.leavesInSilence?.(transports)) {
    promise('disconnects itself with the reason on both sides', async () => {
      const { client, socket } = await connect();
      const end = ended(socket);
      client.disconnect();
      if (kind.reasons.byClient !== null) {
        assert.equal(await client.next('disconnect'), kind.reasons.byClient);
      }
      assert.match(await end, kind.leaves ?? /^client namespace disconnect$/);
    });

    promise('disconnects with "transport close" when its connection is lost', async () => {
      const { client, socket } = await connect();
      const end = ended(socket);
      client.drop();
      assert.equal(await end, 'transport close');
    });
  }

  promise('may give events any name with any JSON escapes', async () => {
    const { client } = await connect();
    await authenticate(client);
    for (const name of names) {
      assert.deepEqual(await client.call(name, name), [name], JSON.stringify(name));
      client.emit(name, 'back');
      assert.deepEqual(await client.next(name), ['back'], JSON.stringify(name));
    }
  });

  promise('calls methods whose names have JSON escapes', async () => {
    const { client } = await connect();
    const name = say('größe "in" 😀');
    app.loopbackSocket.defineMethod(name, (socket, credentials, args) => args);
    await authenticate(client);
    assert.deepEqual(await client.call(name, 'XL'), [{ result: 'XL' }]);
  });

  promise('reconnects after the server was restarted', async () => {
    const { client } = await connect();
    await authenticate(client);
    await app.close();
    assert.match(String(await client.next('disconnect')), kind.reasons.lost);
    const staysAway = kind.staysAway?.(transports);
    await app.listen(staysAway ? 0 : app.port);
    const next = staysAway ? await open() : client;
    await Promise.all([app.connected.next('/'), next.next('connect')]);
    await authenticate(next);
    assert.deepEqual(await next.call('add', { a: 1, b: 2 }), [{ result: 3 }]);
  });

  if (transports.length > 1) {
    promise('loses no message and keeps their order during an upgrade', async () => {
      const client = await open();
      const [socket] = await Promise.all([app.connected.next('/'), client.next('connect')]);
      let isUpgraded = false;
      const moved = Promise.all([client.upgraded(), upgraded(socket.conn)]).then(() => {
        isUpgraded = true;
      });
      const sent = [];
      const check = limited('the connection is on websocket');
      while (!isUpgraded || sent.length < 100) {
        check();
        sent.push(kind.keepsOrder ? [sent.length, BYTES] : [sent.length]);
        client.emit('echo', ...sent.at(-1));
        socket.emit('news', ...sent.at(-1));
        await new Promise(setImmediate);
      }
      await moved;
      for (const name of ['echo', 'news']) {
        const received = [];
        while (received.length < sent.length) received.push(await client.next(name));
        if (!kind.keepsOrder) received.sort(([a], [b]) => a - b);
        assert.deepEqual(received, sent, name);
      }
    });
  }
}

/** @returns {Promise<void>} when the server has a connection on websocket */
async function upgraded(connection) {
  while (connection.transport.name !== 'websocket') {
    await new Promise((resolve) => connection.once('upgrade', resolve));
  }
}

module.exports = { describePromises };
