'use strict';

/** README.md, docs/index.md, getting started, and migration. */

const assert = require('node:assert/strict');
const http = require('node:http');
const serverOf2 = require('socket.io-2');
const connect2 = require('socket.io-client-2');

const TOKEN = { token: 'open sesame' };

/** @returns {{ listen: () => http.Server }} what an app of LoopBack 3 or Express has for `start()` */
const newApp = () => ({ listen: () => http.createServer().listen(0) });

/** Declares the tests. */
module.exports = function declare(guide) {
  guide(
    'README.md',
    ['Quick start', 'Quick start (2)', 'Quick start (3)'],
    async (world, server, client, helper) => {
      const { sockets } = await world.run(server);
      const { socket } = await world.run(client);
      assert.deepEqual(await world.line(), [3]);
      assert.deepEqual(await world.line(), ['A goal']);
      socket.disconnect();
      await world.until(() => !sockets.publish('news', { key: 'sport' }, {}));
      world.start(helper);
      assert.deepEqual(await world.line(), [3]);
      await world.until(() => sockets.publish('news', { key: 'sport' }, { text: 'Another' }));
      assert.deepEqual(await world.line(), ['Another']);
    },
  );

  guide(
    'README.md',
    ['Move an app from 0.4', 'Move an app from 0.4 (2)'],
    async (world, app, lastLine) => {
      const names = {
        app: newApp(),
        MyUser: { authenticate: (socket, credentials) => credentials.token === TOKEN.token },
        MyModel: { getRecords: (socket, credentials, { limit }) => limit },
      };
      world.modules['socket.io'] = serverOf2;
      const { sockets, httpServer } = await world.run(app, names);
      const url = `http://localhost:${httpServer.address().port}`;
      const old = connect2(url, { forceNew: true });
      old.on('connect', () => old.emit('authentication', TOKEN));
      await world.event(old, 'authenticated');
      assert.deepEqual(
        await new Promise((resolve) => old.emit('getRecords', { limit: 7 }, resolve)),
        {
          result: 7,
        },
      );
      old.disconnect();

      const native = newApp().listen();
      await world.run(lastLine, { sockets, httpServer: native });
      const address = `http://localhost:${native.address().port}`;
      assert.deepEqual(await world.call('getRecords', { limit: 8 }, TOKEN, address), { result: 8 });
    },
  );

  guide('docs/index.md', ['A server', 'A client'], async (world, server, client) => {
    await world.run(server);
    await world.run(client);
    assert.deepEqual(await world.line(), [3]);
  });

  guide('docs/getting-started-loopback3.md', 'A client (2)', async (world, client) => {
    world.sockets.auth((socket, { id }) => id === 'a token');
    world.sockets.defineMethod('booksByAuthor', (socket, credentials, { author }) => [author]);
    void world.server;
    const socket = world.open();
    await world.run(client, { socket, id: 'a token' });
    assert.deepEqual(await world.line(), [['Mary Shelley']]);
    const stranger = world.open();
    await world.run(client, { socket: stranger, id: 'another' });
    assert.deepEqual(await world.line(), ['Authentication failure']);
  });

  guide('docs/migrating-from-0.4.md', '1. A false value refuses', async (world, auth) => {
    await world.run(auth);
    void world.server;
    await world.authenticated(TOKEN);
    await assert.rejects(world.authenticated({}), { message: 'Authentication failure' });
  });

  guide(
    'docs/migrating-from-0.4.md',
    '3. A call without arguments is answered',
    async (world, call) => {
      let answered;
      const calls = new Promise((resolve) => {
        answered = resolve;
      });
      world.sockets.defineMethod('method', (socket, credentials, args) => answered(args));
      void world.server;
      await world.run(call, { socket: await world.authenticated() });
      assert.equal(await calls, undefined);
    },
  );

  guide(
    'docs/migrating-from-0.4.md',
    '5. `removeOnConnected({ model, method })` removes what was added as an object, or as that function',
    async (world, both) => {
      const MyUser = { joined: () => assert.fail('it is still there') };
      await world.run(both, { MyUser });
      void world.server;
      await world.authenticated();
    },
  );

  guide('docs/migrating-from-0.4.md', 'Compare both versions', async (world, choose) => {
    const original = require('loopback-socket-original');
    world.modules['loopback-socket-0.4'] = original;
    assert.equal((await world.run(choose)).LoopbackSocket, world.LoopbackSocket);
    world.process.env.OLD = '1';
    assert.equal((await world.run(choose)).LoopbackSocket, original);
  });

  guide('docs/migrating-from-socket.io.md', 'The server', async (world, server) => {
    const { io } = await world.run(server, { httpServer: http.createServer().listen(world.port) });
    assert.ok(io instanceof world.LoopbackSocket.Server);
    const socket = world.open(world.url);
    assert.deepEqual(await socket.emitWithAck('add', { a: 1, b: 2 }), { result: 3 });
  });

  guide(
    'docs/migrating-from-socket.io.md',
    [
      'Authentication and methods',
      'Authentication and methods (2)',
      'Authentication and methods (3)',
      'Keep clients as they are',
    ],
    async (world, before, after, client, keep) => {
      const names = {
        io: new world.LoopbackSocket.Server(world.port),
        verify: async (token) => {
          if (token !== TOKEN.token) throw new Error('unknown token');
          return { id: 1 };
        },
        rename: async (user, { name }) => {
          if (!name) throw new Error('a name is needed');
          return `${user.id} ${name}`;
        },
      };
      await world.run(before, names);
      const old = world.open({ auth: TOKEN });
      assert.deepEqual(await old.emitWithAck('rename', { name: 'Ada' }), { result: '1 Ada' });
      assert.deepEqual(await old.emitWithAck('rename', {}), { error: 'a name is needed' });
      const [refusal] = await world.event(world.open(), 'connect_error');
      assert.equal(refusal.message, 'unknown token');

      await new Promise((resolve) => {
        names.io.close(resolve);
      });
      names.io = new world.LoopbackSocket.Server(world.port);
      const { sockets } = await world.run(after, names);
      await world.run(client, { ...TOKEN, socket: world.open() });
      assert.deepEqual(await world.line(), ['1 Ada']);
      await world.run(client, { token: 'another', socket: world.open() });
      assert.deepEqual(await world.line(), ['unknown token']);

      const other = new world.LoopbackSocket.Server(http.createServer().listen(0));
      await world.run(keep, { io: other, sockets });
      const url = `http://localhost:${other.httpServer.address().port}`;
      await world.event(world.open(url), 'connect');
      assert.deepEqual(await world.call('rename', { name: 'Grace' }, TOKEN, `${url}/app`), {
        result: '1 Grace',
      });
    },
  );

  guide(
    'docs/migrating-from-socketio-auth.md',
    ['Migrating from socketio-auth', 'Migrating from socketio-auth (2)'],
    async (world, before, after) => {
      const users = { ada: { password: 'enchantress' } };
      const findUser = (name, callback) => callback(null, users[name]);
      for (const fragment of [before, after]) {
        const httpServer = http.createServer().listen(0);
        const io = serverOf2(httpServer);
        const connected = [];
        io.on('connection', (socket) => connected.push(socket));
        await world.run(fragment, { io, findUser });
        const url = `http://localhost:${httpServer.address().port}`;
        const login = async (data, event) => {
          const socket = connect2(url, { forceNew: true, transports: ['websocket'] });
          socket.on('connect', () => socket.emit('authentication', data));
          const [value] = await world.event(socket, event);
          socket.disconnect();
          return value;
        };
        const ada = { username: 'ada', password: 'enchantress' };
        assert.equal(await login(ada, 'authenticated'), true);
        assert.equal(connected[0].client.user, 'ada');
        assert.deepEqual(await login({ username: 'eve' }, 'unauthorized'), {
          message: 'User not found',
        });
        await login({ ...ada, password: 'wrong' }, 'unauthorized');
        io.close();
      }
    },
  );
};
