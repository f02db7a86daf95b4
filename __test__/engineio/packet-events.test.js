'use strict';

// What `socket.conn` tells of Engine.IO's packets: the text and the bytes of the wire, as on socket.io,
// and nothing that nobody listens for.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, it } = require('node:test');
const socketIo = require('socket.io');
const { Server } = require('../..');
const { run } = require('../support/context');
const { TIMEOUT, happens, served } = require('../support/native-server');

const CLIENTS = { 2.5: 'socket.io-client-2', 4.8: 'socket.io-client' };
const EVENTS = ['packet', 'packetCreate', 'message', 'data'];

/** What a client of a version does, and what its connection tells, by event. */
const visit = (version, transports) => async (context) => {
  const told = Object.fromEntries(EVENTS.map((event) => [event, []]));
  context.io.engine.on('connection', (conn) => {
    for (const event of EVENTS) {
      conn.on(event, (what) => {
        // Only one of the two keeps these.
        const own = ['preEncoded', 'volatile', 'timeout', 'wsPreEncodedFrame'];
        for (const option of own) delete what.options?.[option];
        told[event].push(what);
      });
    }
  });
  context.io.of('/closed').use((socket, next) => next(new Error('closed')));
  context.io.of('/news');
  context.io.on('connection', (socket) => {
    socket.on('question', (value, acknowledge) => {
      acknowledge(value, 'ünï');
      socket.emit('one', 1, Buffer.from('two'));
      socket.compress(false).emit('plain');
      context.io.emit('all', { three: [Buffer.from('four')] });
      context.io.compress(false).emit('all plain');
      context.io.to(socket.id).volatile.emit('room', null);
      socket.emit('ask', (answer) => socket.emit('answered', answer));
    });
  });
  const client = require(CLIENTS[version])(context.url, {
    transports,
    reconnection: false,
    forceNew: true,
  });
  const news = client.io.socket('/news');
  const closed = client.io.socket('/closed');
  const refused = happens(closed, version === '2.5' ? 'error' : 'connect_error');
  client.on('ask', (acknowledge) => acknowledge('because'));
  await Promise.all([happens(client, 'connect'), happens(news, 'connect')]);
  await refused;
  const answered = happens(client, 'answered');
  client.emit('question', Buffer.from([0, 255]), () => {});
  await answered;
  const [socket] = context.io.sockets.sockets.values();
  const left = once(socket.conn, 'close');
  news.emit('last', { of: 'all' });
  await once([...context.io.of('/news').sockets.values()][0], 'last');
  client.io.engine?.close();
  await left;
  return told;
};

/** The same without what is random. */
const masked = (told) =>
  JSON.parse(JSON.stringify(told).replace(/\\"sid\\":\\"[\w-]{20}\\"/g, 'SID'));

describe('packet events of socket.conn', () => {
  for (const version of Object.keys(CLIENTS)) {
    for (const transports of [['websocket'], ['polling']]) {
      it(
        `socket.conn emits the packet events of socket.io for a client ${version} over ${transports}`,
        TIMEOUT,
        async () => {
          const probe = visit(version, transports);
          const options = { allowEIO3: true, pingInterval: 100_000 };
          const expected = masked(await run(socketIo.Server, probe, options));
          assert.ok(EVENTS.every((event) => expected[event].length > 3));
          const told = masked(await run(Server, probe, options));
          for (const event of EVENTS) assert.deepEqual(told[event], expected[event], event);
        },
      );
    }
  }

  it(
    'listeners added when the engine opens a connection get all packets from the first one',
    TIMEOUT,
    served({ pingInterval: 50 }, async (world) => {
      const told = [];
      const beat = new Promise((resolve) => {
        world.io.engine.on('connection', (conn) => {
          conn.on('packet', ({ type, data }) => told.push(data === undefined ? type : data));
          conn.once('heartbeat', resolve);
        });
      });
      await world.raw();
      await beat;
      assert.deepEqual(told, ['0', 'pong']);
    }),
  );

  it(
    'packets are reported to JavaScript only while there are listeners',
    TIMEOUT,
    served({}, async (world) => {
      world.io.on('connection', (socket) => {
        socket.on('question', (value, acknowledge) => acknowledge(value));
      });
      const raw = await world.raw();
      const [socket] = world.io.sockets.sockets.values();
      const reported = [];
      const { packet } = socket._connection;
      socket._connection.packet = function watched(...args) {
        reported.push(String(args[2]));
        return packet.apply(this, args);
      };
      await raw.call('question', 1);
      assert.deepEqual(reported, []);
      const told = [];
      const listener = ({ data }) => told.push(data);
      socket.conn.on('packet', listener);
      socket.conn.once('packetCreate', listener);
      await raw.call('question', 2);
      await raw.call('question', 3);
      assert.deepEqual(told, ['21["question",2]', '31[2]', '22["question",3]']);
      socket.conn.off('packet', listener);
      const before = reported.length;
      await raw.call('question', 4);
      assert.equal(reported.length, before);
      socket.conn.on('message', listener);
      await raw.call('question', 5);
      socket.conn.removeAllListeners();
      const after = reported.length;
      assert.ok(after > before);
      await raw.call('question', 6);
      assert.equal(reported.length, after);
    }),
  );

  it(
    'packetCreate is emitted for packets sent after the listener was added and for no earlier ones',
    TIMEOUT,
    served({}, async (world) => {
      const told = [];
      world.io.on('connection', (socket) => {
        socket.emit('before');
        socket.conn.on('packetCreate', ({ data, options }) => told.push([data, options]));
        world.io.compress(false).emit('after');
        socket.emit('last');
      });
      const raw = await world.raw();
      await raw.packet('2["last"]');
      // What is told of it comes before that of the client's next event.
      const [socket] = world.io.sockets.sockets.values();
      socket.on('question', (acknowledge) => acknowledge());
      await raw.call('question');
      assert.deepEqual(told.slice(0, 2), [
        ['2["after"]', { compress: false }],
        ['2["last"]', { compress: true }],
      ]);
    }),
  );
});
