'use strict';

// What listeners for the end of a socket see of its connection: on socket.io a lost connection has ended before
// its sockets do, while a socket that leaves its namespace has its connection.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, it } = require('node:test');
const socketIo = require('socket.io');
const { Server } = require('../..');
const { run } = require('../support/context');
const { TIMEOUT, served } = require('../support/native-server');

/** Ways in which a socket ends. */
const ENDS = {
  'the client closes its connection': ({ client }) => client.io.engine.close(),
  'the client leaves the namespace': ({ client }) => client.disconnect(),
  'the client sends an invalid packet': ({ client }) => client.io.engine.send('9'),
  'the client sends to another namespace': ({ client }) =>
    client.io.engine.send('2/other,["event"]'),
  'the application closes the connection': ({ socket }) => setImmediate(() => socket.conn.close()),
  'the application disconnects the socket': ({ socket }) => socket.disconnect(),
  'the application disconnects the client': ({ socket }) => socket.disconnect(true),
  'the server closes': ({ io }) => void io.close(),
};

/** What is seen of the connection, beside another one, in each listener for the end of its socket. */
async function seenAtEnd(context, transport, end) {
  const { io } = context;
  await context.connect('/');
  const { client, socket } = await context.connect('/', { transports: [transport] });
  const seen = [];
  socket.on('error', () => {});
  const see = (event, reason) =>
    seen.push([event, reason, io.engine.clientsCount, socket.conn.readyState]);
  socket.on('disconnecting', (reason) => see('disconnecting', reason));
  const ended = new Promise((resolve) => {
    socket.on('disconnect', (reason) => {
      see('disconnect', reason);
      resolve();
    });
  });
  end({ io, client, socket });
  await ended;
  return seen;
}

describe('the connection in listeners for the end of a socket', () => {
  for (const transport of ['websocket', 'polling']) {
    for (const [name, end] of Object.entries(ENDS)) {
      // There, socket.io ends it at once if the client's poll waits.
      if (transport === 'polling' && name.includes('another namespace')) continue;
      it(
        `clientsCount and readyState are those of socket.io when ${name} by ${transport}`,
        TIMEOUT,
        async () => {
          const probe = (context) => seenAtEnd(context, transport, end);
          const expected = await run(socketIo.Server, probe);
          assert.deepEqual(
            expected.map(([event]) => event),
            ['disconnecting', 'disconnect'],
          );
          assert.deepEqual(await run(Server, probe), expected);
        },
      );
    }
  }

  it('a connection that the application closes is closing until it is closed', TIMEOUT, () =>
    run(Server, async (context) => {
      for (const end of [(socket) => socket.conn.close(), (socket) => socket.disconnect(true)]) {
        const { socket } = await context.connect('/');
        const { conn } = socket;
        const closed = once(conn, 'close');
        end(socket);
        assert.equal(conn.readyState, 'closing');
        conn.close();
        await closed;
        assert.equal(conn.readyState, 'closed');
        assert.equal(context.io.engine.clientsCount, 0);
      }
    }),
  );

  it('a lost connection with several sockets is counted down once', TIMEOUT, () =>
    run(Server, async (context) => {
      const { io } = context;
      const counts = [];
      const count = () => counts.push(io.engine.clientsCount);
      await context.connect('/');
      const { client, socket } = await context.connect('/');
      io.of('/other').on('connection', (other) => other.on('disconnect', count));
      await once(client.io.socket('/other'), 'connect');
      const { conn } = socket;
      socket.on('disconnect', count);
      conn.on('close', count);
      const closed = once(conn, 'close');
      client.io.engine.close();
      await closed;
      count();
      assert.deepEqual(counts, [1, 1, 1, 1]);
      assert.equal(
        Object.values(io.metrics().connections.open).reduce((a, b) => a + b),
        1,
      );
    }),
  );
});

describe('readyState after the application has ended connections', () => {
  it(
    'a connection is closing right after io.engine.close()',
    TIMEOUT,
    served({}, async (world) => {
      const { socket } = await world.raw();
      assert.equal(socket.conn.readyState, 'open');
      const ended = once(socket, 'disconnect');
      world.io.engine.close();
      assert.equal(socket.conn.readyState, 'closing');
      await ended;
      assert.equal(socket.conn.readyState, 'closed');
    }),
  );
});

describe('disconnect(true)', () => {
  it(
    'disconnect(true) ends the connection of a client that has just left the namespace',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.raw();
      const { socket } = raw;
      raw.send('41');
      // Rust reads the client meanwhile, and JavaScript does not know of it yet.
      const until = Date.now() + 300;
      while (Date.now() < until);
      socket.disconnect(true);
      await raw.closed;
    }),
  );
});
