'use strict';

// Applications that end sockets and servers from within their own listeners and handlers, or throw
// there: each end is told once, nothing runs for a socket that has ended, and nothing is kept of it
// or lost in silence.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const http = require('node:http');
const { describe, it } = require('node:test');
const {
  TIMEOUT,
  call,
  ending,
  happens,
  loopbackSocket,
  served,
  uncaught,
  unhandled,
} = require('../support/native-server');

const only = (test) => served({}, test);

describe('disconnecting a socket within its own listeners', () => {
  it(
    'a socket that is disconnected within its `disconnecting` listener ends once with the first reason',
    TIMEOUT,
    only(async (world) => {
      const { client, socket } = await world.connect();
      const told = [];
      socket.on('disconnecting', (reason) => {
        told.push(`disconnecting: ${reason}`);
        socket.disconnect();
        socket.disconnect(true);
      });
      socket.on('disconnect', (reason) => told.push(`disconnect: ${reason}`));
      const ended = ending(socket);
      const errors = await uncaught(async () => {
        client.disconnect();
        await ended;
      });
      assert.deepEqual(errors, []);
      assert.deepEqual(told, [
        'disconnecting: client namespace disconnect',
        'disconnect: client namespace disconnect',
      ]);
    }),
  );

  it(
    'a socket whose `disconnecting` listener closes the server ends once',
    TIMEOUT,
    only(async (world) => {
      const { client, socket } = await world.connect();
      const told = [];
      let closed;
      socket.on('disconnecting', () => {
        told.push('disconnecting');
        closed = world.io.close();
      });
      socket.on('disconnect', () => told.push('disconnect'));
      const ended = ending(socket);
      client.disconnect();
      await ended;
      await closed;
      assert.deepEqual(told, ['disconnecting', 'disconnect']);
    }),
  );

  it(
    'an exception of a `disconnecting` listener is uncaught, and so is that of a `disconnect` listener',
    TIMEOUT,
    only(async (world) => {
      const ends = {
        client: ({ client }) => client.disconnect(),
        server: ({ socket }) => socket.disconnect(),
      };
      for (const [who, end] of Object.entries(ends)) {
        const errors = await uncaught(async () => {
          const peer = await world.connect();
          const ended = ending(peer.socket);
          for (const event of ['disconnecting', 'disconnect']) {
            peer.socket.on(event, () => {
              throw new Error(event);
            });
          }
          end(peer);
          await ended;
        });
        assert.deepEqual(
          errors.map(({ message }) => message),
          ['disconnecting', 'disconnect'],
          `the ${who} ends the socket`,
        );
      }
    }),
  );

  it(
    'a socket that is disconnected by its auth function is not authenticated',
    TIMEOUT,
    only(async (world) => {
      const instance = loopbackSocket();
      let handlers = 0;
      instance.auth((socket) => {
        socket.disconnect();
        return true;
      });
      instance.onConnected(() => {
        handlers += 1;
      });
      instance.start(world.io);
      const { client, socket } = await world.connect();
      const ended = ending(socket);
      client.emit('authentication', {});
      await ended;
      await happens(client, 'disconnect');
      assert.equal(handlers, 0);
      assert.equal(socket.auth, false);
    }),
  );

  it(
    'no further onConnected handler runs after one that disconnects the socket',
    TIMEOUT,
    only(async (world) => {
      const instance = loopbackSocket();
      const ran = [];
      instance.onConnected(async (socket) => {
        ran.push('first');
        socket.disconnect();
      });
      instance.onConnected(() => ran.push('second'));
      instance.start(world.io);
      const { client, socket } = await world.connect();
      client.emit('authentication', { token: 'valid' });
      await happens(client, 'disconnect');
      assert.deepEqual(ran, ['first']);
      assert.equal(socket.auth, false);
    }),
  );
});

describe('room listeners that throw', () => {
  it(
    'a socket disconnects completely even if a leave-room listener throws',
    TIMEOUT,
    only(async (world) => {
      const { client, socket } = await world.connect();
      socket.join('room');
      world.io.of('/').adapter.on('leave-room', () => {
        throw new Error('the listener of leave-room');
      });
      const ended = ending(socket);
      const errors = await uncaught(async () => {
        client.disconnect();
        await ended;
      });
      assert.ok(errors.length > 0);
      assert.ok(errors.every(({ message }) => message === 'the listener of leave-room'));
      assert.equal(world.io.sockets.sockets.size, 0);
      assert.equal(world.io._sockets.size, 0);
    }),
  );

  it(
    'a socket connects even if a join-room listener throws',
    TIMEOUT,
    only(async (world) => {
      world.io.of('/').adapter.on('join-room', () => {
        throw new Error('the listener of join-room');
      });
      const errors = await uncaught(async () => {
        const { client, socket } = await world.connect();
        socket.on('ping', (acknowledge) => acknowledge('pong'));
        assert.deepEqual(await call(client, 'ping'), ['pong']);
      });
      assert.equal(errors.length, 1);
    }),
  );
});

describe('`headers` listeners that throw', () => {
  it(
    'a connection whose `headers` listener throws ends on both sides',
    TIMEOUT,
    only(async (world) => {
      const { client, socket } = await world.connect('4.8', { transports: ['polling'] });
      const ends = Promise.all([ending(socket), happens(client, 'disconnect')]);
      const errors = await unhandled(async () => {
        world.io.engine.once('headers', () => {
          throw new Error('the listener of headers');
        });
        socket.emit('event');
        await ends;
      });
      assert.deepEqual(
        errors.map(({ message }) => message),
        ['the listener of headers'],
      );
    }),
  );
});

describe('values that cannot be encoded', () => {
  it(
    'an emit() that throws leaves no acknowledgement pending',
    TIMEOUT,
    only(async (world) => {
      const { socket } = await world.connect();
      const circle = {};
      circle.circle = circle;
      let calls = 0;
      const count = () => {
        calls += 1;
      };
      assert.throws(() => socket.emit('event', circle, count));
      assert.throws(() => socket.timeout(1).emit('event', circle, count));
      assert.equal(socket.acks.size, 0);
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.equal(calls, 0);
    }),
  );
});

describe('sockets that connected before start()', () => {
  it(
    'a socket that connected before start() receives broadcasts after its client joined another namespace',
    TIMEOUT,
    only(async (world) => {
      world.io.of('/other');
      const { client } = await world.connect('4.8');
      loopbackSocket().start(world.io);
      const joined = once(world.io.of('/other'), 'connection');
      const other = client.io.socket('/other');
      await joined;
      const heard = happens(client, 'news');
      other.close();
      world.io.emit('news', 1);
      assert.deepEqual(await heard, [1]);
    }),
  );
});

describe('attaching a server while it closes', () => {
  it(
    'attach() throws while the server closes and works once it has closed',
    TIMEOUT,
    only(async (world) => {
      const { client } = await world.connect();
      const closed = world.io.close();
      const httpServer = http.createServer();
      assert.throws(() => world.io.attach(httpServer), {
        code: 'ERR_LOOPBACK_SOCKET_INVALID_SERVER',
        message: /still closing/,
      });
      await closed;
      assert.equal(world.httpServer.listening, false);
      client.close();
      world.io.attach(httpServer);
      world.httpServer = httpServer;
      await world.listen();
      assert.equal(await world.isAlive(), 'yes');
    }),
  );
});
