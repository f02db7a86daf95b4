'use strict';

/** docs/api.md, docs/subscriptions.md, docs/security.md, docs/faq.md, docs/loopback3.md and docs/tasks.md. */

const assert = require('node:assert/strict');
const { EventEmitter, once } = require('node:events');
const http = require('node:http');
const { createRequire } = require('node:module');
const path = require('node:path');
const { z } = require('zod');
const { ROOT } = require('../../support/installation');

const TOKEN = { token: 'open sesame' };

/** @returns {object} an app of LoopBack 3 with users, books and REST, in memory */
function newLoopbackApp() {
  const loopback = createRequire(path.join(ROOT, 'examples/loopback3/package.json'))('loopback');
  const app = loopback({ localRegistry: true, loadBuiltinModels: true });
  app.dataSource('memory', { connector: 'memory' });
  app.enableAuth({ dataSource: 'memory' });
  for (const [name, fields] of Object.entries({
    Book: { title: String, author: String, year: Number },
    Author: { name: String },
    Shop: { name: String },
  })) {
    app.model(app.registry.createModel(name, fields, { forceId: false }), { dataSource: 'memory' });
  }
  app.use('/api', loopback.rest());
  return app;
}

/** Declares the tests. */
module.exports = function declare(guide) {
  guide('docs/api.md', 'Handlers', async (world, handlers) => {
    const MyUser = {};
    const MyModel = { find: (filter, callback) => callback(null, [filter.limit]) };
    const AccessToken = { findById: async (id) => (id === 'known' ? { userId: 7 } : null) };
    await world.run(handlers, { MyUser, MyModel, AccessToken });
    world.sockets.auth({ model: MyUser, method: 'authenticate' });
    world.sockets.defineMethod('getRecords', { model: MyModel, method: 'getRecords' });
    const connected = once(world.server, 'connection');
    assert.deepEqual(await world.call('getRecords', { limit: 3 }, { id: 'known' }), {
      result: [3],
    });
    assert.equal((await connected)[0].userId, 7);
    await assert.rejects(world.authenticated({ id: 'x' }), { message: 'access token unknown' });
  });

  guide('docs/api.md', 'Errors of handlers', async (world, listen) => {
    const error = new Error('broken');
    world.sockets.defineMethod('break', () => {
      throw error;
    });
    void world.server;
    const { remove } = await world.run(listen);
    await world.call('break');
    assert.deepEqual(await world.line(), ['method break failed', error]);
    assert.equal(typeof remove, 'function');
  });

  guide(
    'docs/api.md',
    ['Options of methods', 'Options of methods (2)'],
    async (world, define, client) => {
      const Report = { make: (shop, year, { signal }) => once(signal, 'abort') };
      await world.run(define, { Report, z });
      world.server.on('connection', (socket) => {
        socket.shops = new Set([7]);
      });
      const socket = await world.authenticated();
      const { error } = await socket.emitWithAck('report', { shop: 8, year: 2026 });
      assert.equal(error.code, 'ERR_LOOPBACK_SOCKET_FORBIDDEN');
      const { error: invalid } = await socket.emitWithAck('report', { shop: 'x' });
      assert.equal(invalid.code, 'ERR_LOOPBACK_SOCKET_INVALID_ARGUMENTS');
      await world.run(client, { socket });
      const lines = [await world.line(), await world.line()].flat();
      assert.ok(lines.some(({ code }) => code === 'ERR_LOOPBACK_SOCKET_CANCELLED'));
      assert.ok(lines.includes(true));
    },
  );

  guide('docs/api.md', 'An API in one place', async (world, api) => {
    await world.run(api, {
      MyUser: { authenticate: (socket, credentials) => credentials.token === TOKEN.token },
      MyModel: { getRecords: () => ['record'] },
      createReport: (socket, credentials, args, { signal }) => signal.aborted,
      async *watchOrders(socket, credentials, key) {
        yield key;
      },
    });
    const socket = await world.authenticated(TOKEN);
    assert.deepEqual(await socket.emitWithAck('getRecords', {}), { result: ['record'] });
    assert.deepEqual(await socket.emitWithAck('report', {}), { result: false });
    assert.ok((await socket.emitWithAck('orders', { args: { shop: 7 } })).result.subscription);
  });

  guide('docs/api.md', 'Interceptors', async (world, intercept) => {
    world.sockets.defineMethod('add', (socket, credentials, { a, b }) => a + b);
    void world.server;
    await world.run(intercept);
    assert.deepEqual(await world.call('add', { a: 1, b: 2 }), { result: 3 });
    assert.match((await world.line())[0], /^method add took \d+(\.\d+)? ms$/);
  });

  guide('docs/api.md', ['Subscriptions', 'Subscriptions (2)'], async (world, define, client) => {
    await world.run(define);
    void world.server;
    await world.run(client, { socket: await world.authenticated() });
    const lines = [];
    while (lines.at(-1) !== 'end') lines.push((await world.line())[0]);
    const items = lines.filter(Number.isInteger);
    assert.deepEqual(
      items,
      Array.from({ length: 100 }, (_, index) => index + 1),
    );
    assert.ok(lines.some((line) => line.subscription !== undefined));
  });

  guide(
    'docs/api.md',
    ['When an authentication ends', 'When an authentication ends (2)'],
    async (world, expire, revoke) => {
      await world.run(expire, {
        key: 'key',
        jwtVerify: async (token, key) => ({
          payload: { exp: Date.now() / 1000 + Number(token), key },
        }),
      });
      const expired = await (async () => {
        void world.server;
        const socket = await world.authenticated({ token: '0.2' });
        return (await world.event(socket, 'unauthorized'))[0];
      })();
      assert.equal(expired.code, 'ERR_LOOPBACK_SOCKET_EXPIRED');

      world.sockets.onConnected((socket) => {
        socket.userId = 7;
      });
      const socket = await world.authenticated({ token: '100' });
      const revoked = world.event(socket, 'unauthorized');
      await world.run(revoke, { user: { id: 8 } });
      await world.run(revoke, { user: { id: 7 } });
      assert.equal((await revoked)[0].code, 'ERR_LOOPBACK_SOCKET_REVOKED');
    },
  );

  guide('docs/api.md', 'Namespaces', async (world, start) => {
    const io = new world.LoopbackSocket.Server(world.port);
    for (const name of ['/admin', '/publicity', '/orders']) io.of(name);
    await world.run(start, { io });
    const received = [];
    const clients = ['/admin', '/publicity', '/orders'].map((name) => {
      const socket = world.open(world.url + name);
      socket.on('news', () => received.push(name));
      return socket;
    });
    await Promise.all(clients.map((socket) => world.event(socket, 'connect')));
    for (const name of ['/admin', '/publicity', '/orders']) io.of(name).emit('news');
    await world.until(() => received.length >= 2);
    // What is sent to one socket comes after what has been broadcast.
    const last = once(clients[2], 'last');
    for (const socket of io.of('/orders').sockets.values()) socket.emit('last');
    await last;
    assert.deepEqual(received.sort(), ['/admin', '/publicity']);
  });

  guide('docs/api.md', 'Limits of authentication', async (world, start) => {
    const httpServer = http.createServer().listen(world.port);
    const io = new (require('socket.io').Server)(httpServer);
    await world.run(start, { io });
    await world.authenticated();
  });

  guide('docs/faq.md', 'How do I send something to one user?', async (world, code) => {
    world.sockets.auth((socket, { id }) => {
      socket.data.user = { id };
    });
    const { server: io } = world;
    await world.run(code, { io });
    const socket = await world.authenticated({ id: 7 });
    const news = world.event(socket, 'news');
    await world.run(code, { io });
    assert.deepEqual(await news, [{ text: 'rain' }]);
  });

  guide('docs/security.md', 'Connection state recovery', async (world, code) => {
    await world.run(code);
    world.server.on('connection', (socket) => {
      Object.defineProperty(socket, 'recovered', { value: true });
      socket.data.userId = 7;
    });
    await world.authenticated({ userId: 7 });
    await assert.rejects(world.authenticated({ userId: 8 }), { message: 'connect again' });
  });

  guide(
    'docs/subscriptions.md',
    ['An example', 'An example (2)'],
    async (world, server, client) => {
      const { bus } = await world.run(server);
      await world.run(client);
      assert.deepEqual(await world.line(), ['subscribed: 1']);
      await world.until(() => bus.listenerCount('north') > 0);
      bus.emit('north', { id: 5 });
      assert.deepEqual(await world.line(), [{ id: 5 }]);
    },
  );

  guide('docs/subscriptions.md', 'Private and shared sources', async (world, define) => {
    const bus = new EventEmitter();
    const { sockets } = await world.run(define, { bus, on: require('node:events').on });
    sockets.start(world.port);
    const [one, other] = [await world.authenticated(), await world.authenticated()];
    const items = [one, other].map((socket) => world.event(socket, 'prices'));
    for (const socket of [one, other]) {
      await socket.emitWithAck('prices', { args: { market: 'north' } });
    }
    await world.until(() => bus.listenerCount('north') > 0);
    assert.equal(bus.listenerCount('north'), 1);
    bus.emit('north', 100);
    for (const [price] of await Promise.all(items)) assert.equal(price, 100);
  });

  guide('docs/subscriptions.md', 'Publishing', async (world, publish) => {
    await world.run(publish);
    void world.server;
    const socket = await world.authenticated();
    await socket.emitWithAck('news', { args: { topic: 'sport' } });
    await socket.emitWithAck('announcements', {});
    const items = ['news', 'announcements'].map((name) => world.event(socket, name));
    const again = publish.text.split('\n').filter((line) => line.startsWith('sockets.publish('));
    await world.run({ ...publish, text: again.join('\n') });
    const [[news], [announcement]] = await Promise.all(items);
    assert.deepEqual(news, { title: 'A goal' });
    assert.equal(announcement, 'Closed on Monday');
  });

  guide('docs/subscriptions.md', 'Who may subscribe', async (world, define) => {
    const Invoice = {
      async *watch(socket, credentials, { shop }) {
        yield shop;
      },
    };
    await world.run(define, { Invoice });
    world.server.on('connection', (socket) => {
      socket.shops = new Set(['north']);
    });
    const socket = await world.authenticated();
    const { error } = await socket.emitWithAck('invoices', { args: { shop: 'south' } });
    assert.equal(error.code, 'ERR_LOOPBACK_SOCKET_FORBIDDEN');
    const item = world.event(socket, 'invoices');
    await socket.emitWithAck('invoices', { args: { shop: 'north' } });
    assert.equal((await item)[0], 'north');
  });

  guide('docs/subscriptions.md', ['Resuming', 'On the client'], async (world, define, client) => {
    const bus = new EventEmitter();
    await world.run(define, { Match: { watch: () => bus } });
    void world.server;
    const socket = world.open();
    socket.on('connect', () => socket.emit('authentication', {}));
    const shown = new EventEmitter();
    const show = (score) => shown.emit('score', score);
    const fetched = [];
    const refetch = () => fetched.push('all');
    await world.run(client, { socket, show, refetch });
    await world.until(() => bus.listenerCount('data') > 0);
    const first = world.event(shown, 'score');
    bus.emit('data', { goals: 1 });
    assert.deepEqual(await first, [{ goals: 1 }]);
    assert.equal(fetched.length, 1);

    socket.io.engine.close();
    const second = world.event(shown, 'score');
    bus.emit('data', { goals: 2 });
    assert.deepEqual(await second, [{ goals: 2 }]);
    assert.equal(fetched.length, 1, 'nothing was missed');
  });

  guide('docs/subscriptions.md', 'Resuming (2)', async (world, define) => {
    const Journal = {
      async *read({ from = 0 }) {
        for (let id = from + 1; id <= 3; id++) yield { id };
      },
    };
    await world.run(define, { Journal });
    void world.server;
    const socket = await world.authenticated();
    const ids = [];
    socket.on('journal', ({ id }, meta) => ids.push([id, meta.id]));
    const ended = world.event(socket, 'loopback:unsubscribed');
    const { result } = await socket.emitWithAck('journal', { after: 1 });
    assert.equal(result.resumed, true);
    await ended;
    assert.deepEqual(ids, [
      [2, 2],
      [3, 3],
    ]);
  });

  guide(
    'docs/loopback3.md',
    ['LoopBack 3 over sockets', 'LoopBack 3 over sockets (2)', 'LoopBack 3 over sockets (3)'],
    async (world, boot, client, helper) => {
      const app = newLoopbackApp();
      app.models.Customer = app.models.User;
      app.models.User.authenticateSocket = async (socket, { id }) => {
        if (!(await app.models.AccessToken.findById(id))) throw new Error('access token unknown');
      };
      const user = await app.models.User.create({ email: 'ada@example.com', password: 'x' });
      const token = await user.createAccessToken(3600);
      await app.models.Book.create({ id: 7, title: 'Adam Bede' });
      await app.models.Book.create({ title: 'Frankenstein', author: 'Mary Shelley' });

      const module = {};
      await world.run(boot, { module });
      module.exports(app);
      const sockets = world.LoopbackSocket.get('bookshop');
      sockets.start(world.port);

      const socket = world.open();
      await world.run(client, { socket, token });
      const [[books], [type, target, data]] = [await world.line(), await world.line()];
      assert.deepEqual(
        books.map(({ title }) => title),
        ['Frankenstein'],
      );
      assert.deepEqual([type, target], ['update', 7]);
      assert.equal(data.year, 1859);

      world.start(helper, { token });
      await world.until(() => app.models.Book._observers?.['after save']?.length > 0);
      socket.disconnect();
      const changed = world.line();
      await world.until(async () => {
        await app.models.Book.upsertWithWhere({ id: 7 }, { year: 1859 });
        return Promise.race([changed, new Promise((resolve) => setTimeout(resolve, 20))]);
      });
      assert.equal((await changed)[2].title, 'Adam Bede');
    },
  );

  guide('docs/tasks.md', 'Expose some methods of LoopBack 3 only', async (world, expose) => {
    const app = newLoopbackApp();
    await app.models.Book.create({ title: 'Emma' });
    await world.run(expose, { app });
    void world.server;
    const socket = await world.authenticated();
    const { result } = await socket.emitWithAck('Book.find', {});
    assert.equal(result[0].title, 'Emma');
    assert.deepEqual((await socket.emitWithAck('Author.count', {})).result, { count: 0 });
    assert.ok((await socket.emitWithAck('Book.changes', {})).result.subscription);
    const [served] = [...world.server.sockets.sockets.values()];
    assert.equal(served.listenerCount('Book.create'), 0);
    assert.equal(served.listenerCount('Shop.find'), 0);
  });
};
