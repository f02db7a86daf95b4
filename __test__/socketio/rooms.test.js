'use strict';

// Rooms by names that are any values, and the rooms of sockets' own ids: played to socket.io itself
// and to the native server, with the same outcome.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const http = require('node:http');
const { describe, it } = require('node:test');
const { Server: SocketIo } = require('socket.io');
const { Server } = require('../..');
const { RawWebsocket } = require('../support/raw');
const { TIMEOUT } = require('../support/native-server');

/** Values that are equal to no other, though many look the same as text. */
const OBJECT = { a: 1 };
const NAMES = [
  7,
  '7',
  -0.5,
  NaN,
  true,
  'true',
  null,
  'null',
  undefined,
  'undefined',
  '',
  'a\tb\nc"\\',
  '__proto__',
  'ünï✓',
  '\ud800',
  '\udc00',
  'lone \ud800 surrogate',
  '\ufffd',
  OBJECT,
  '[object Object]',
  Symbol.for('room'),
  10n,
];

/** How often a client has heard each event. */
async function heard(raw) {
  const events = [];
  for (;;) {
    const [event, ...args] = JSON.parse((await raw.packet('2[')).slice(2));
    if (event === 'end') return events;
    events.push(args.length > 0 ? [event, ...args] : event);
  }
}

/**
 * Plays something to both servers.
 *
 * @param {(io: object, clients: RawWebsocket[]) => Promise<unknown>} scenario with three clients, each
 *   with its `socket`; gives what is compared
 * @returns {() => Promise<void>} for `it`
 */
function both(scenario) {
  return async (t) => {
    const outcomes = [];
    for (const Class of [SocketIo, Server]) {
      const httpServer = http.createServer();
      const io = new Class(httpServer);
      httpServer.listen(0, '127.0.0.1');
      await once(httpServer, 'listening');
      const clients = [];
      const end = () => clients.forEach((raw) => raw.terminate());
      t.signal.addEventListener('abort', end);
      try {
        for (let i = 0; i < 3; i++) {
          const connected = once(io, 'connection');
          const raw = new RawWebsocket(httpServer.address().port);
          clients.push(raw);
          await raw.opened();
          await raw.join();
          [raw.socket] = await connected;
          raw.socket.data.name = 'abc'[i];
        }
        const outcome = await scenario(io, clients);
        io.emit('end');
        outcomes.push([outcome, await Promise.all(clients.map(heard))]);
      } finally {
        end();
        await io.close();
      }
    }
    const [theirs, ours] = outcomes;
    assert.deepEqual(ours, theirs);
    // So that the outcomes are not two times nothing.
    assert.ok(ours.flat(2).length > 0);
  };
}

const namesOf = (sockets) => sockets.map((socket) => socket.data.name).sort();

describe('rooms', () => {
  it(
    'rooms with names of any type are distinct unless the names are equal',
    TIMEOUT,
    both(async (io, [a, b]) => {
      const outcome = [];
      for (const [i, name] of NAMES.entries()) {
        a.socket.join(name);
        for (const [j, other] of NAMES.entries()) {
          io.to(other).emit('to', i, j);
          outcome.push(namesOf(await io.in(other).fetchSockets()));
        }
        io.in([name]).except('no such').emit('in', i);
        io.except(name).emit('except', i);
        b.socket.to(name).emit('by b', i);
        a.socket.leave(name);
        io.to(name).emit('left', i);
        outcome.push(a.socket.rooms.has(name), a.socket.rooms.size);
      }
      return outcome;
    }),
  );

  it(
    'room names of any type work for joining, leaving and looking up',
    TIMEOUT,
    both(async (io, [a, b, c]) => {
      const outcome = [];
      const { adapter } = io.of('/');
      for (const event of ['create-room', 'join-room', 'leave-room', 'delete-room']) {
        adapter.on(event, (room, id) => {
          const called = (one) =>
            [a, b, c].find(({ socket }) => socket.id === one)?.socket.data.name;
          outcome.push([event, called(room) ?? room, called(id)]);
        });
      }
      a.socket.join(NAMES);
      io.except(7).socketsJoin([7, '7']);
      io.in('7').socketsLeave(7);
      outcome.push([...adapter.rooms.keys()].filter((room) => room?.length !== 20).map(String));
      outcome.push(adapter.rooms.get('7').size, adapter.rooms.has(7));
      outcome.push((await adapter.sockets(new Set([OBJECT, '\ud800']))).size);
      outcome.push(adapter.socketRooms(a.socket.id).has(10n), adapter.sids.get(b.socket.id).size);
      io.to(OBJECT).to('\udc00').emit('to two');
      io.to('7').except([OBJECT]).emit('to 7 without a');
      io.in(Symbol.for('room')).disconnectSockets();
      outcome.push(adapter.rooms.has(OBJECT), adapter.rooms.get('7').size);
      await a.packet('1');
      // What the other two hear is compared.
      a.received.add('42["end"]');
      return outcome.slice();
    }),
  );
});

describe("the room of a socket's id", () => {
  it(
    'a second argument of join() and leave() that is no function is ignored',
    TIMEOUT,
    both(async (io, [{ socket }, { socket: other }]) => {
      ['a', 'b'].forEach(socket.join, socket);
      socket.join('c', 1);
      const joined = [...socket.rooms].slice(1);
      ['a', 'b'].map(socket.leave.bind(socket));
      const [found] = await io.in(other.id).fetchSockets();
      ['a', 'b'].forEach(found.join, found);
      ['b'].forEach(found.leave, found);
      ['d', 'e'].forEach(io.socketsJoin, io);
      ['e'].forEach(io.socketsLeave, io);
      return [joined, [...socket.rooms].slice(1), [...other.rooms].slice(1)];
    }),
  );

  it(
    "the room of a socket's id holds that socket and those that join it",
    TIMEOUT,
    both(async (io, [a, b, c]) => {
      const outcome = [];
      const { adapter } = io.of('/');
      const note = async (step) => {
        const { id } = a.socket;
        io.to(id).emit('to a', step);
        io.to([id, b.socket.id]).emit('to a and b', step);
        io.to([id, 'room']).emit('to a and the room', step);
        io.except(id).emit('not a', step);
        io.to('room').except(id).emit('to the room without a', step);
        c.socket.to(id).emit('by c', step);
        a.socket.to(id).emit('by a', step);
        outcome.push(step, namesOf(await io.in(id).fetchSockets()), a.socket.rooms.has(id));
        outcome.push(adapter.rooms.get(id)?.size);
      };
      for (const event of ['create-room', 'join-room', 'leave-room', 'delete-room']) {
        adapter.on(event, (room) => outcome.push([event, room === a.socket.id]));
      }
      await note('at first');
      b.socket.join(a.socket.id);
      a.socket.join('room');
      await note('b has joined');
      a.socket.leave(a.socket.id);
      await note('a has left');
      c.socket.join(a.socket.id);
      b.socket.leave(a.socket.id);
      await note('only c is there');
      c.socket.leave(a.socket.id);
      await note('nobody is there');
      a.socket.join(a.socket.id);
      await note('a is back');
      for (const room of a.socket.rooms) a.socket.leave(room);
      await note('a is nowhere');
      return outcome.slice();
    }),
  );

  it(
    "the room of a socket's id outlives the socket while others are in it",
    TIMEOUT,
    both(async (io, [a, b, c]) => {
      const { id } = a.socket;
      const outcome = [];
      b.socket.join(id);
      a.socket.disconnect();
      io.to(id).emit('to those who are left');
      c.socket.to(id).emit('by c');
      outcome.push(namesOf(await io.in(id).fetchSockets()), io.of('/').adapter.rooms.get(id).size);
      b.socket.leave(id);
      io.to(id).emit('to nobody');
      outcome.push(io.of('/').adapter.rooms.has(id));
      await a.packet('1');
      a.received.add('42["end"]');
      return outcome;
    }),
  );
});

describe('rooms joined in middleware', () => {
  it(
    'rooms joined in middleware are kept if the socket is accepted and dropped if it is refused',
    TIMEOUT,
    both(async (io, [a]) => {
      const outcome = [];
      const { adapter } = io.of('/');
      io.use((socket, next) => {
        socket.join(['early', 7, socket.id]);
        next(socket.handshake.auth.refused ? new Error('no') : undefined);
      });
      for (const refused of [false, true]) {
        const raw = new RawWebsocket(a.port);
        await raw.opened();
        await raw.send(`40{"refused":${refused}}`);
        await raw.packet(refused ? '4' : '0');
        io.to(7).emit('early');
        io.to('early').emit('early');
        outcome.push(refused, adapter.rooms.get(7)?.size, adapter.rooms.get('early')?.size);
        if (!refused) outcome.push(await raw.packet('2'), await raw.packet('2'));
        const socket = [...io.of('/').sockets.values()].at(-1);
        const ended = refused ? undefined : once(socket, 'disconnect');
        raw.terminate();
        await ended;
        outcome.push(adapter.rooms.has(7));
      }
      return outcome;
    }),
  );
});

describe('rooms of sockets whose middleware is running', () => {
  /** Has another client ask for the namespace with these auth data. */
  async function join({ port }, auth = {}) {
    const raw = new RawWebsocket(port);
    await raw.opened();
    await raw.send(`40${JSON.stringify(auth)}`);
    return raw;
  }

  it(
    'the adapter shows the rooms that middleware has a socket join, and only sockets that are connected',
    TIMEOUT,
    both(async (io, [a]) => {
      const nsp = io.of('/');
      const { adapter } = nsp;
      a.socket.join('room');
      const outcome = [];
      let id;
      const look = async (socket) => {
        const { rooms, sids } = adapter;
        const [known, joined] = [sids.get(socket.id), adapter.socketRooms(socket.id)];
        outcome.push([
          rooms.size,
          [...(rooms.get('room') ?? [])].map((one) => (one === socket.id ? 'itself' : 'another')),
          known && [...known].map((room) => (room === socket.id ? 'own' : room)),
          joined && [...joined].map((room) => (room === socket.id ? 'own' : room)),
          sids.size,
          (await adapter.sockets(new Set(['room']))).size,
          (await io.in('room').fetchSockets()).length,
          nsp.sockets.size,
        ]);
      };
      io.use(async (socket, next) => {
        await look(socket);
        await socket.join('room');
        await look(socket);
        await socket.join([socket.id, 7]);
        await look(socket);
        await socket.leave('room');
        await socket.leave(7);
        await socket.leave(socket.id);
        await look(socket);
        await socket.join('room');
        ({ id } = socket);
        next(socket.handshake.auth.refused ? new Error('no') : undefined);
      });
      for (const refused of [false, true]) {
        const raw = await join(a, { refused });
        await raw.packet(refused ? '4' : '0');
        outcome.push(adapter.rooms.get('room').size, adapter.sids.has(id));
        const socket = nsp.sockets.get(id);
        const ended = socket && once(socket, 'disconnect');
        raw.terminate();
        await ended;
      }
      return outcome;
    }),
  );

  it(
    'middleware can limit how many sockets are in a room',
    TIMEOUT,
    both(async (io, [a]) => {
      io.use(async (socket, next) => {
        await socket.join('user');
        next(io.of('/').adapter.rooms.get('user').size > 2 ? new Error('too many') : undefined);
      });
      const outcome = [];
      for (let i = 0; i < 4; i++) {
        const raw = await join(a);
        outcome.push((await raw.received.next((item) => /^4[04]/.test(item))).slice(0, 2));
      }
      return outcome;
    }),
  );

  it(
    'a room of the id of a socket whose middleware is running is not created a second time',
    TIMEOUT,
    both(async (io, [a, b]) => {
      const { adapter } = io.of('/');
      const outcome = [];
      for (const event of ['create-room', 'join-room', 'leave-room', 'delete-room']) {
        adapter.on(event, () => outcome.push(event));
      }
      io.use(async (socket, next) => {
        await socket.join(socket.id);
        await b.socket.join(socket.id);
        await b.socket.leave(socket.id);
        next(new Error('no'));
      });
      const raw = await join(a);
      await raw.packet('4');
      return outcome;
    }),
  );
});

describe('newListener and removeListener', () => {
  for (const event of ['newListener', 'removeListener']) {
    it(
      `${event} cannot be emitted to clients`,
      TIMEOUT,
      both(async (io, [{ socket }]) => {
        const emitters = { io, namespace: io.of('/'), socket, room: io.to('room') };
        return Object.entries(emitters).map(([name, emitter]) => {
          try {
            return [name, emitter.emit(event, 'x', () => {})];
          } catch (error) {
            return [name, error.message.split(':')[0]];
          }
        });
      }),
    );
  }

  it(
    'newListener and removeListener are emitted to their listeners on a native namespace',
    TIMEOUT,
    async (t) => {
      const io = new Server();
      t.after(() => io.close());
      const nsp = io.of('/');
      const events = [];
      nsp.on('newListener', (name) => events.push(['added', name]));
      nsp.on('removeListener', (name) => events.push(['removed', name]));
      const listener = () => {};
      nsp.once('x', listener);
      nsp.off('x', listener);
      assert.throws(() => nsp.emit('newListener', 'x', listener), {
        code: 'ERR_LOOPBACK_SOCKET_RESERVED_EVENT',
      });
      assert.deepEqual(events, [
        ['added', 'removeListener'],
        ['added', 'x'],
        ['removed', 'x'],
      ]);
    },
  );
});
