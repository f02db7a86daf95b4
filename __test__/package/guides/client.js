'use strict';

/** docs/client.md and docs/typescript.md: what their fragments do. guides.test.js compiles them, too. */

const assert = require('node:assert/strict');
const { EventEmitter } = require('node:events');

const TOKEN = { token: 'open sesame' };

/**
 * Gives the world what the fragments of docs/client.md use.
 *
 * @param {import('./world').World} world
 * @returns {Promise<{ app: object, names: object, bus: EventEmitter, shown: unknown[] }>} the helper, the names for
 *   fragments; an emitter of items, and what fragments have been given
 */
async function prepare(world) {
  const bus = new EventEmitter();
  const shown = [];
  const { sockets } = world;
  sockets.auth((socket, { token }) => token === TOKEN.token);
  sockets.defineMethod('getRecords', (socket, credentials, { limit }) => [limit]);
  sockets.defineMethod('openOrders', (socket, credentials, { shop }) => `open in ${shop}`);
  for (const name of ['orders', 'prices']) {
    sockets.defineSubscription(name, () => bus, { key: (args) => JSON.stringify(args) });
  }
  void world.server;
  const { client } = await import('../../../client.mjs');
  const socket = world.open();
  const app = client(socket, { credentials: TOKEN });
  await app.ready;
  const show = (item) => shown.push(item);
  const refetch = () => show('refetch');
  const { signal } = new AbortController();
  return {
    app,
    socket,
    bus,
    shown,
    names: { app, signal, refetch, show, render: show, update: show },
  };
}

/** Declares the tests. */
module.exports = function declare(guide) {
  const page = 'docs/client.md';

  guide(page, 'The helper for clients', async (world, code) => {
    const { bus } = await prepare(world);
    world.start(code);
    await world.until(() => bus.listenerCount('data') > 0);
    bus.emit('data', { id: 1 });
    assert.deepEqual(await world.line(), [{ id: 1 }]);
  });

  guide(page, 'States', async (world, code) => {
    const { app, socket } = await prepare(world);
    const badge = {};
    await world.run(code, { app, badge });
    socket.io.engine.close();
    await world.until(() => badge.textContent && badge.textContent !== 'ready');
    await world.until(() => badge.textContent === 'ready');
  });

  guide(page, ['Calls', 'Calls (2)'], async (world, call, retry) => {
    const { app, names, socket } = await prepare(world);
    assert.deepEqual((await world.run(call, names)).records, [10]);
    let calls = 0;
    world.sockets.defineMethod('count', () => {
      calls += 1;
      if (calls > 1) return calls;
      socket.io.engine.close();
      return new Promise(() => {});
    });
    await app.authenticate(TOKEN);
    const { retried } = await world.run(retry, names);
    assert.equal(await retried('count'), 2);
  });

  guide(page, ['Subscriptions', 'Subscriptions (2)'], async (world, simple, current) => {
    for (const [fragment, first] of [
      [simple, []],
      [current, ['open in 7']],
    ]) {
      const { bus, names, shown } = await prepare(world);
      world.start(fragment, names);
      await world.until(() => bus.listenerCount('data') > 0 && shown.length === first.length);
      bus.emit('data', { id: 1 });
      await world.until(() => shown.length > first.length);
      assert.deepEqual(shown, [...first, { id: 1 }]);
      names.app.close();
    }
  });

  guide(page, 'How a loop ends', async (world, code) => {
    const { names, shown } = await prepare(world);
    const after = [];
    // A source that ends as slow, and continues after the last item.
    const app = {
      async *subscribe(name, args, options) {
        after.push(options.after);
        yield after.length;
        if (after.length > 1) return;
        throw Object.assign(new Error('slow'), { reason: 'slow', lastId: 'x-1' });
      },
    };
    const { follow } = await world.run(code, { ...names, app });
    await follow();
    assert.deepEqual(after, [undefined, 'x-1']);
    assert.deepEqual(shown, [1, 2]);
  });

  guide(page, 'After a lost connection', async (world, code) => {
    const { bus, names, shown, socket } = await prepare(world);
    world.start(code, names);
    await world.until(() => bus.listenerCount('data') > 0);
    bus.emit('data', { id: 1 });
    await world.until(() => shown.length === 1);
    socket.io.engine.close();
    await world.until(() => shown.length === 2);
    assert.equal(shown[1], 'open in 7');
    await world.until(() => bus.listenerCount('data') > 0);
    bus.emit('data', { id: 2 });
    await world.until(() => shown.length === 3);
  });

  guide(page, ['Types (2)', 'Types (3)'], async (world, server, client) => {
    const { sockets } = await world.run(server);
    sockets.start(world.port);
    const { books } = await world.run(client, { socket: world.open() });
    assert.deepEqual(books, [{ title: 'Mary Shelley' }]);
  });

  guide(page, 'Types (4)', async (world, code) => {
    await world.run(code);
    assert.deepEqual(await world.call('count', null, TOKEN), { result: 1 });
    const socket = await world.authenticated(TOKEN);
    const item = world.event(socket, 'orders');
    await socket.emitWithAck('orders', { args: { shop: 7 } });
    assert.deepEqual((await item)[0], { id: 1 });
  });

  guide('docs/typescript.md', 'TypeScript', async (world, code) => {
    await world.run(code);
    assert.deepEqual(await world.call('add', { a: 1, b: 2 }, TOKEN), { result: 3 });
  });

  guide(
    'docs/typescript.md',
    ['An interface for both sides (2)', 'An interface for both sides (3)'],
    async (world, server, client) => {
      const { sockets } = await world.run(server);
      sockets.start(world.port);
      const { titles } = await world.run(client);
      assert.deepEqual(await titles(world.open()), ['Mary Shelley']);
    },
  );

  guide('docs/typescript.md', 'The fields of a socket', async (world, code) => {
    const { io } = await world.run(code);
    io.on('connection', (socket) => {
      socket.data.user = 'Ada';
    });
    const socket = await world.authenticated();
    socket.emit('typing', 'north');
    assert.deepEqual(await world.line(), ['Ada', 'north']);
  });
};
