'use strict';

// Properties that applications may assign on socket.io: what is assigned is what is read, and the native server
// goes on by what it knows itself.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, it } = require('node:test');
const { Adapter } = require('socket.io-adapter');
const socketIo = require('socket.io');
const { Server } = require('../..');
const { heard, run } = require('../support/context');
const { TIMEOUT } = require('../support/native-server');

const SUBJECTS = {
  socket: [
    ({ socket }) => socket,
    ['handshake', 'client', 'recovered', 'server', 'adapter', 'acks'],
  ],
  'socket.conn': [
    ({ socket }) => socket.conn,
    ['id', 'protocol', 'remoteAddress', 'transport', 'readyState', 'upgraded', 'server'],
  ],
  'socket.client': [({ socket }) => socket.client, ['id', 'conn', 'sockets']],
  io: [({ io }) => io, ['opts', 'eio']],
  'io.engine': [({ io }) => io.engine, ['clientsCount']],
};

/** Values of socket.data. */
const DATA = [null, undefined, 0, '', 'text', false, [1], { a: 1 }];

/** What an application finds on a server of either kind when it assigns properties. */
const both = (probe) => async () => {
  const expected = await run(socketIo.Server, probe);
  assert.deepEqual(await run(Server, probe), expected);
};

describe('properties that applications may assign', () => {
  for (const [name, [subjectOf, properties]] of Object.entries(SUBJECTS)) {
    for (const property of properties) {
      it(`${name}.${property} is what an application has assigned to it`, TIMEOUT, async () => {
        for (const Class of [socketIo.Server, Server]) {
          await run(Class, async (context) => {
            const subject = subjectOf({ io: context.io, ...(await context.connect()) });
            const before = subject[property];
            for (const value of [{ own: true }, null, undefined]) {
              subject[property] = value;
              assert.equal(subject[property], value);
            }
            subject[property] = before;
          });
        }
      });
    }
  }

  it('a socket with properties of the application works as before', TIMEOUT, () =>
    run(Server, async (context) => {
      const { io } = context;
      io.use((socket, next) => {
        socket.recovered = true;
        next();
      });
      const peer = await context.connect();
      const { socket, client } = peer;
      const { conn } = socket;
      const subjects = Object.values(SUBJECTS).map(([subjectOf, properties]) => [
        subjectOf({ io, socket }),
        properties,
      ]);
      for (const [subject, properties] of subjects) {
        for (const property of properties) {
          subject[property] = null;
        }
      }
      socket.join('room');
      socket.join('other').leave('other');
      io.to('room').emit('to the room');
      assert.equal(await socket.emitWithAck('ask', 'what'), 'what!');
      assert.deepEqual(await heard(peer), [[['to the room'], ['ask', 'what']]]);
      const left = once(client, 'disconnect');
      const closed = once(conn, 'close');
      socket.disconnect(true);
      assert.deepEqual((await left)[0], 'io server disconnect');
      await closed;
      assert.equal(io.sockets.sockets.size, 0);
      assert.equal((await context.connect()).socket.connected, true);
    }),
  );

  it('a Map that is assigned to socket.acks holds the callbacks from then on', TIMEOUT, () =>
    run(
      Server,
      async (context) => {
        const { socket } = await context.connect();
        const acks = new Map();
        socket.acks = acks;
        const [answer, answers] = [
          socket.emitWithAck('ask', 1),
          context.io.timeout(5000).emitWithAck('ask', 2),
        ];
        assert.equal(acks.size, 2);
        assert.deepEqual([await answer, await answers], ['1!', ['2!']]);
        assert.equal(acks.size, 0);
      },
      { adapter: Adapter },
    ),
  );

  it(
    'a remoteAddress that is assigned to a new connection is the address of its handshakes',
    TIMEOUT,
    both(async (context) => {
      context.io.engine.on('connection', (conn) => {
        conn.remoteAddress = '203.0.113.7';
      });
      const { socket } = await context.connect();
      return [socket.conn.remoteAddress, socket.handshake.address];
    }),
  );

  it(
    'socket.data is whatever was assigned to it, also for fetchSockets()',
    TIMEOUT,
    both(async (context) => {
      const { io } = context;
      const { socket } = await context.connect();
      const read = [socket.data];
      for (const value of DATA) {
        socket.data = value;
        read.push(socket.data, (await io.fetchSockets())[0].data);
      }
      return read;
    }),
  );
});
