'use strict';

// The native server's face is Socket.IO's: what an application calls does what it does there.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, it } = require('node:test');
const LoopbackSocket = require('../..');
const { CLIENTS, TIMEOUT, call, ending, happens, served } = require('../support/native-server');

const only = (test) => served({}, test);

/** What a client hears of some events until the event `end`. */
function hearing(client, ...events) {
  const heard = [];
  for (const event of events) client.on(event, (...args) => heard.push([event, ...args]));
  return happens(client, 'end').then(() => heard);
}

it(
  'sockets and namespaces are instances of the classes exported to require() and import',
  TIMEOUT,
  only(async (world) => {
    const { socket } = await world.connect();
    for (const face of [LoopbackSocket, await import('../../index.mjs')]) {
      const { Namespace, Server, Socket } = face;
      assert.ok(socket instanceof Socket);
      assert.ok(!(socket instanceof Namespace));
      for (const namespace of [world.io.sockets, world.io.of('/x'), world.io.of(/^\/y/)]) {
        assert.ok(namespace instanceof Namespace);
        assert.ok(!(namespace instanceof Socket));
      }
      assert.ok(world.io instanceof Server);
      assert.deepEqual([Namespace, Socket], [LoopbackSocket.Namespace, LoopbackSocket.Socket]);
    }
  }),
);

describe('sockets', () => {
  for (const version of CLIENTS) {
    it(
      `a socket of client ${version} has the id that its client has`,
      TIMEOUT,
      only(async (world) => {
        const { client, socket } = await world.connect(version);
        assert.equal(client.id, socket.id);
        assert.equal(world.io.sockets.sockets.get(socket.id), socket);
        world.io.of('/other');
        const other = await world.connect(version, { nsp: '/other' });
        // Client 1.7 takes the id of its connection for its id in every namespace.
        const prefix = version === '1.7' ? '/other#' : '';
        assert.equal(prefix + other.client.id, other.socket.id);
        assert.equal(other.socket.nsp, world.io.of('/other'));
        assert.equal(other.socket.nsp.name, '/other');
      }),
    );

    it(
      `a socket of client ${version} emits and acknowledges in both directions with several values or none`,
      TIMEOUT,
      only(async (world) => {
        const { client, socket } = await world.connect(version);
        socket.on('to server', (a, b, done) => done(b, a, null));
        client.on('to client', (a, b, done) => done(b, a, null));
        assert.deepEqual(await call(client, 'to server', { x: [1] }, 'ü'), ['ü', { x: [1] }, null]);
        assert.deepEqual(await call(socket, 'to client', { x: [1] }, 'ü'), ['ü', { x: [1] }, null]);
        socket.on('nothing', (done) => done());
        client.on('nothing', (done) => done());
        assert.deepEqual(await call(client, 'nothing'), []);
        assert.deepEqual(await call(socket, 'nothing'), []);
        const plain = happens(client, 'plain');
        assert.equal(socket.emit('plain', undefined, null, false), true);
        assert.deepEqual(await plain, [null, null, false]);
      }),
    );

    it(
      `events that middleware emits to a socket of client ${version} arrive in order when the socket is accepted`,
      TIMEOUT,
      only(async (world) => {
        const answers = [];
        const outgoing = [];
        world.io.use((socket, next) => {
          socket.onAnyOutgoing((...event) => outgoing.push(event));
          socket.emit('early', 1, (answer) => answers.push(answer));
          setImmediate(() => {
            socket.emit('early', Buffer.from('two'));
            next();
          });
        });
        world.io.on('connection', (socket) => socket.emit('end'));
        const client = world.client(version);
        const got = hearing(client, 'early');
        client.on('early', (value, acknowledge) => acknowledge?.(`answer ${value}`));
        const early = (await got).map(([, value]) => value);
        assert.deepEqual(early.map(String), ['1', 'two']);
        const [socket] = world.io.sockets.sockets.values();
        socket.on('last', (done) => done());
        await call(client, 'last');
        assert.deepEqual(answers, ['answer 1']);
        assert.deepEqual(outgoing, [['early', 1], ['early', Buffer.from('two')], ['end']]);
      }),
    );

    it(
      `a socket of client ${version} reports why it ended`,
      TIMEOUT,
      only(async (world) => {
        for (const [end, reason, seen] of [
          [({ client }) => client.close(), 'client namespace disconnect', /^io client disconnect$/],
          [
            ({ socket }) => socket.disconnect(),
            'server namespace disconnect',
            /^io server disconnect$/,
          ],
          [
            ({ socket }) => socket.disconnect(true),
            'server namespace disconnect',
            /^io server disconnect$/,
          ],
          [
            ({ client }) => client.io.engine.close(),
            'transport close',
            /^(forced close|transport close)$/,
          ],
        ]) {
          const pair = await world.connect(version);
          const disconnecting = once(pair.socket, 'disconnecting');
          const here = ending(pair.socket);
          const there = happens(pair.client, 'disconnect');
          pair.socket.once('disconnecting', () => {
            assert.equal(pair.socket.connected, true);
            assert.deepEqual([...pair.socket.rooms], [pair.socket.id]);
          });
          end(pair);
          assert.equal((await disconnecting)[0], reason);
          assert.equal((await here)[0], reason);
          assert.match((await there)[0], seen);
          assert.equal(pair.socket.connected, false);
          assert.equal(pair.socket.disconnected, true);
          assert.equal(pair.socket.rooms.size, 0);
        }
      }),
    );
  }

  it(
    'a new socket is emitted as connect and as connection, by the server and by the namespace',
    TIMEOUT,
    only(async (world) => {
      const seen = [];
      world.io.on('connect', (socket) => seen.push(['connect', socket]));
      world.io.of('/').on('connection', (socket) => seen.push(['connection', socket]));
      const { socket } = await world.connect();
      assert.deepEqual(seen, [
        ['connect', socket],
        ['connection', socket],
      ]);
      assert.equal(socket.connected, true);
      assert.equal(socket.auth, undefined, 'no LoopbackSocket serves it');
      assert.deepEqual([...socket.rooms], [socket.id]);
    }),
  );

  it(
    'socket.data keeps what the application stores',
    TIMEOUT,
    only(async (world) => {
      const { socket } = await world.connect();
      assert.deepEqual(socket.data, {});
      socket.data.user = 1;
      assert.equal(socket.data.user, 1);
      socket.data = { other: 2 };
      assert.deepEqual(socket.data, { other: 2 });
    }),
  );

  it(
    "a socket's handshake has the auth payload and the query of its client",
    TIMEOUT,
    only(async (world) => {
      for (const version of ['3.1', '4.8']) {
        const auth = { token: 'é', __proto__: null, deep: { a: [1] } };
        const { socket } = await world.connect(version, { auth, query: { x: 'a b&c' } });
        assert.deepEqual(socket.handshake.auth, { ...auth });
        assert.equal(socket.handshake.query.x, 'a b&c');
        assert.equal(socket.handshake.query.EIO, '4');
      }
      const { socket } = await world.connect('2.5', { query: { x: '1' } });
      assert.deepEqual(socket.handshake.auth, {});
      assert.equal(socket.handshake.query.x, '1');
      assert.equal(socket.handshake.query.EIO, '3');
    }),
  );

  it(
    'a socket calls listeners added with on, once and prependListener as any emitter does',
    TIMEOUT,
    only(async (world) => {
      const raw = await world.raw();
      const { socket } = raw;
      const seen = [];
      const on = (n) => seen.push(`on ${n}`);
      const off = () => seen.push('off');
      socket.on('n', on);
      socket.on('n', off);
      socket.once('n', (n) => seen.push(`once ${n}`));
      socket.prependListener('n', () => seen.push('first'));
      socket.off('n', off);
      socket.on('end', (done) => done());
      await raw.send('42["n",1]');
      await raw.send('42["n",2]');
      await raw.call('end');
      socket.removeAllListeners('n');
      await raw.send('42["n",3]');
      await raw.call('end');
      assert.deepEqual(seen, ['first', 'on 1', 'once 1', 'first', 'on 2']);
    }),
  );

  it(
    'sockets, namespaces and servers emit newListener and removeListener as any emitter does',
    TIMEOUT,
    only(async (world) => {
      const { socket } = await world.raw();
      for (const emitter of [socket, world.io.of('/'), world.io]) {
        const told = [];
        emitter.on('newListener', (name) => told.push(`new ${name}`));
        emitter.on('removeListener', (name) => told.push(`removed ${name}`));
        const listener = () => {};
        emitter.on('x', listener);
        emitter.off('x', listener);
        assert.deepEqual(told, ['new removeListener', 'new x', 'removed x']);
        emitter.removeAllListeners('newListener').removeAllListeners('removeListener');
      }
    }),
  );

  it(
    'join() and leave() change rooms and call back as in Socket.IO 2',
    TIMEOUT,
    only(async (world) => {
      const a = await world.connect();
      const b = await world.connect('2.5');
      const heard = hearing(b.client, 'x');
      await new Promise((resolve) => b.socket.join('one', resolve));
      b.socket.join(['two', 3]);
      assert.deepEqual([...b.socket.rooms], [b.socket.id, 'one', 'two', 3]);
      world.io.to('one').emit('x', 'one');
      world.io.in('two').emit('x', 'two');
      world.io.to(3).emit('x', 'three');
      world.io.to('one').to('two').emit('x', 'once');
      world.io.to(['one', 'two']).emit('x', 'once again');
      world.io.to(b.socket.id).emit('x', 'by id');
      world.io.to('nobody').emit('x', 'never');
      world.io.to('one').except('two').emit('x', 'never');
      world.io.except('two').emit('x', 'never');
      await new Promise((resolve) => b.socket.leave('one', resolve));
      world.io.to('one').emit('x', 'never');
      a.socket.to('two').emit('x', 'from another');
      b.socket.to('two').emit('x', 'never: its own');
      b.socket.emit('end');
      assert.deepEqual(
        (await heard).map(([, value]) => value),
        ['one', 'two', 'three', 'once', 'once again', 'by id', 'from another'],
      );
    }),
  );

  it(
    'socket.broadcast reaches all other sockets of its namespace and no other namespace',
    TIMEOUT,
    only(async (world) => {
      world.io.of('/other');
      const a = await world.connect();
      const b = await world.connect('2.5');
      const c = await world.connect('4.8', { nsp: '/other' });
      const heard = [a, b, c].map(({ client }) => hearing(client, 'x'));
      a.socket.broadcast.emit('x', 'broadcast');
      world.io.emit('x', 'everyone');
      world.io.sockets.emit('x', 'sockets');
      world.io.of('/other').emit('x', 'other');
      world.io.of('other').emit('x', 'other by a name without slash');
      c.socket.broadcast.emit('x', 'nobody else is there');
      a.socket.in('nobody').emit('x', 'nobody');
      for (const { socket } of [a, b, c]) socket.emit('end');
      const values = (await Promise.all(heard)).map((list) => list.map(([, value]) => value));
      assert.deepEqual(values, [
        ['everyone', 'sockets'],
        ['broadcast', 'everyone', 'sockets'],
        ['other', 'other by a name without slash'],
      ]);
    }),
  );

  it(
    'disconnect(true) ends all namespaces of a connection and disconnect() only one',
    TIMEOUT,
    only(async (world) => {
      const { Manager } = require('socket.io-client');
      world.io.of('/other');
      for (const close of [false, true]) {
        const manager = new Manager(world.url, { transports: ['websocket'], reconnection: false });
        const both = [once(world.io, 'connection'), once(world.io.of('/other'), 'connection')];
        const clients = [manager.socket('/'), manager.socket('/other')];
        const [[here], [there]] = await Promise.all(both);
        const ended = ending(here);
        const told = happens(clients[0], 'disconnect');
        here.disconnect(close);
        assert.equal((await ended)[0], 'server namespace disconnect');
        assert.equal((await told)[0], 'io server disconnect');
        if (close) {
          assert.equal(there.connected, false);
        } else {
          there.on('echo', (value, done) => done(value));
          assert.deepEqual(await call(clients[1], 'echo', 1), [1]);
        }
        manager.engine.close();
      }
    }),
  );

  it(
    'the methods of a socket that has ended do nothing and do not throw',
    TIMEOUT,
    only(async (world) => {
      const raw = await world.raw();
      const { socket } = raw;
      let ends = 0;
      socket.on('disconnect', () => (ends += 1));
      assert.equal(socket.disconnect(true), socket);
      socket.disconnect().disconnect(true);
      socket.emit('x', 1, () => assert.fail('acknowledged'));
      socket.join('room').leave('room').to('room').emit('x');
      socket.broadcast.emit('x', Buffer.from('x'));
      await raw.closed;
      assert.equal(ends, 1);
      assert.equal(socket.rooms.size, 0);
    }),
  );

  it(
    'a socket ignores repeated acknowledgements and those that were not requested',
    TIMEOUT,
    only(async (world) => {
      const raw = await world.raw();
      const answers = [];
      raw.socket.emit('ask', (...args) => answers.push(args));
      await raw.packet('20["ask"]');
      for (const frame of ['4399["never asked"]', '430["first"]', '430["second"]', '430[]']) {
        await raw.send(frame);
      }
      raw.socket.on('end', (done) => done());
      await raw.call('end');
      assert.deepEqual(answers, [['first']]);
    }),
  );
});

describe('namespaces', () => {
  it(
    "a namespace that does not exist refuses its client with the error of the client's protocol",
    TIMEOUT,
    only(async (world) => {
      const four = world.client('4.8', { nsp: '/none' });
      const [error] = await new Promise((resolve) => {
        four.once('connect_error', (...args) => resolve(args));
      });
      assert.equal(error.message, 'Invalid namespace');
      // A client of Engine.IO 3 joins the default namespace, too, and may be refused before it has.
      const joined = happens(world.io, 'connection');
      const two = world.client('2.5', { nsp: '/none' });
      assert.deepEqual(await happens(two, 'error'), [{ message: 'Invalid namespace' }]);
      await joined;
      assert.equal(await world.isAlive(), 'yes');
    }),
  );

  it(
    'io.of() returns one namespace per name and io.sockets is the default one',
    TIMEOUT,
    only(async (world) => {
      const { io } = world;
      assert.equal(io.of('/'), io.sockets);
      assert.equal(io.of('x'), io.of('/x'));
      assert.equal(io.of('/x').server, io);
    }),
  );

  it(
    'a namespace counts acknowledgement ids from 0 over all of its sockets',
    TIMEOUT,
    only(async (world) => {
      const a = await world.raw();
      const b = await world.raw();
      a.socket.emit('ask', () => {});
      b.socket.emit('ask', () => {});
      a.socket.emit('ask', () => {});
      await a.packet('20["ask"]');
      await b.packet('21["ask"]');
      await a.packet('22["ask"]');
    }),
  );
});

describe('events that cannot be emitted', () => {
  it(
    'emit() throws for a reserved event',
    TIMEOUT,
    only(async (world) => {
      const { socket } = await world.raw();
      for (const name of ['connect', 'disconnect', 'disconnecting', 'connect_error']) {
        const expected = { code: 'ERR_LOOPBACK_SOCKET_RESERVED_EVENT', message: new RegExp(name) };
        assert.throws(() => socket.emit(name), expected);
        assert.throws(() => world.io.to('x').emit(name), expected);
      }
    }),
  );

  it(
    'emit() throws for a value that cannot be encoded and sends nothing',
    TIMEOUT,
    only(async (world) => {
      const raw = await world.raw();
      const circle = {};
      circle.self = circle;
      const expected = { code: 'ERR_LOOPBACK_SOCKET_UNSENDABLE_VALUE' };
      const throws = {
        get x() {
          throw new Error('no');
        },
      };
      const deep = JSON.parse(`${'['.repeat(50_000)}${']'.repeat(50_000)}`);
      for (const value of [circle, 1n, { toJSON: () => 1n }, throws, deep]) {
        assert.throws(() => raw.socket.emit('x', value), expected);
        assert.throws(() => world.io.emit('x', value), expected);
        assert.throws(() => raw.socket.emit('x', Buffer.from('x'), value), expected);
      }
      raw.socket.emit('sound');
      const [first] = [
        await raw.received.next((item) => String(item).startsWith('42') || Buffer.isBuffer(item)),
      ];
      assert.equal(first, '42["sound"]');
    }),
  );
});
