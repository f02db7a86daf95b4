'use strict';

// How a socket joins its namespace: middleware decides, and a namespace is made when it is asked for, on the
// native server as on npm `socket.io`.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const http = require('node:http');
const { describe, it } = require('node:test');
const socketIo = require('socket.io');
const { Adapter } = require('socket.io-adapter');
const msgpackParser = require('socket.io-msgpack-parser');
const LoopbackSocket = require('../..');
const {
  TIMEOUT,
  World,
  happens,
  uncaught,
  unhandled,
  within,
} = require('../support/native-server');
const { reach } = require('../support/waiting');

/** A server of npm `socket.io`. */
class NpmWorld extends World {
  constructor(options) {
    super();
    this.httpServer = http.createServer();
    this.io = new socketIo.Server(this.httpServer, options);
  }
}

for (const [what, AnyWorld] of [
  ['npm socket.io', NpmWorld],
  ['the native server', World],
]) {
  const served = (options, test) => within(() => new AnyWorld(options), test);

  describe(`joining a namespace of ${what}`, () => {
    it(
      `an exception of a connection listener does not reach the middleware that called next(), on ${what}`,
      TIMEOUT,
      served({}, async (world) => {
        const { io } = world;
        const caught = [];
        io.use(async (socket, next) => {
          try {
            await null;
            next();
          } catch (error) {
            caught.push(error);
            next(error);
          }
        });
        io.on('connection', () => {
          throw new Error('of a listener');
        });
        const errors = await uncaught(async () => {
          await happens(world.client('4.8'), 'connect');
        });
        assert.deepEqual(
          errors.map(({ message }) => message),
          ['of a listener'],
        );
        assert.deepEqual(caught, []);
      }),
    );

    it(
      `middleware that throws inside of the next() of another one refuses the client, on ${what}`,
      TIMEOUT,
      served({}, async (world) => {
        const { io } = world;
        io.use(async (socket, next) => {
          try {
            await null;
            next();
          } catch (error) {
            next(error);
          }
        });
        io.use(() => {
          throw new Error('of the second one');
        });
        const [error] = await happens(world.client('4.8'), 'connect_error');
        assert.equal(error.message, 'of the second one');
      }),
    );

    for (const [whose, add] of [
      ['middleware', (io, fail) => io.of('/child').use(fail)],
      ['middleware of a parent namespace', (io, fail) => io.of(/^\/child/).use(fail)],
      [
        'middleware behind another one',
        (io, fail) =>
          io
            .of('/child')
            .use((socket, next) => next())
            .use(fail),
      ],
      [
        'a connection listener of io.engine',
        (io, fail) => io.of('/child') && io.engine.on('connection', fail),
      ],
    ]) {
      it(
        `an exception of ${whose} is an unhandled rejection, on ${what}`,
        TIMEOUT,
        served({}, async (world) => {
          const error = new Error(`of ${whose}`);
          const failed = new Promise((resolve) => {
            add(world.io, () => {
              resolve();
              throw error;
            });
          });
          const errors = await unhandled(async () => {
            const { io: manager } = world.client('4.8');
            manager.socket('/child');
            await failed;
          });
          assert.deepEqual(errors, [error]);
        }),
      );
    }

    it(
      `an exception of a connection listener of a recovered socket is an unhandled rejection, on ${what}`,
      TIMEOUT,
      served({ connectionStateRecovery: {} }, async (world) => {
        const { client, socket } = await world.connect();
        const got = happens(client, 'event');
        const lost = happens(socket, 'disconnect');
        socket.emit('event');
        await got;
        client.io.engine.close();
        await lost;
        world.io.on('connection', ({ recovered }) => {
          throw new Error(`recovered: ${recovered}`);
        });
        const errors = await unhandled(async () => {
          await happens(client.connect(), 'connect');
        });
        assert.deepEqual(
          errors.map(({ message }) => message),
          ['recovered: true'],
        );
      }),
    );

    it(
      `code after next() in middleware runs before the listeners of the connection, on ${what}`,
      TIMEOUT,
      served({}, async (world) => {
        const { io } = world;
        const order = [];
        io.use((socket, next) => {
          next();
          order.push('middleware');
        });
        io.on('connection', () => order.push('connection'));
        await happens(world.client('4.8'), 'connect');
        assert.deepEqual(order, ['middleware', 'connection']);
      }),
    );

    it(
      `a broadcast to a parent namespace calls the listeners for all that is sent, on ${what}`,
      TIMEOUT,
      served({}, async (world) => {
        const { io } = world;
        const parent = io.of(/^\/child-\d$/);
        const told = [];
        parent.on('connection', (socket) => {
          socket.onAnyOutgoing((...packet) => told.push(packet));
          socket.emit('welcome');
        });
        const raw = await world.raw();
        await raw.send('40/child-1,');
        await raw.packet('2/child-1,["welcome"]');
        parent.emit('all', 1);
        await raw.packet('2/child-1,["all",1]');
        assert.deepEqual(told, [['welcome'], ['all', 1]]);
      }),
    );

    it(
      `a parent namespace broadcasts to its children and manages no sockets, on ${what}`,
      TIMEOUT,
      served({}, async (world) => {
        const { io } = world;
        const parent = io.of(/^\/child-\d$/);
        const clients = [];
        for (const nsp of ['/child-1', '/child-2']) {
          const client = world.client('4.8', { nsp });
          client.on('question', (answer) => answer(nsp));
          await happens(client, 'connect');
          clients.push(client);
        }
        const sockets = [...parent.children].flatMap((child) => [...child.sockets.values()]);
        assert.equal(sockets.length, 2);
        const told = [];
        sockets.forEach((socket) => socket.onAnyOutgoing((event) => told.push(event)));

        for (const audience of [parent, parent.to(sockets[0].id), parent.except('nobody')]) {
          audience.socketsJoin('room');
          assert.ok(sockets.every(({ rooms }) => rooms.size === 1));
          sockets.forEach((socket) => socket.join('kept'));
          audience.socketsLeave('kept');
          assert.ok(sockets.every(({ rooms }) => rooms.has('kept')));
          sockets.forEach((socket) => socket.leave('kept'));
          audience.disconnectSockets(true);
          assert.ok(sockets.every(({ connected }) => connected));
          const answered = (emit) => new Promise((resolve) => emit((...args) => resolve(args)));
          const emit = (done) => audience.timeout(10_000).emit('question', done);
          assert.deepEqual(await answered(emit), [null, []]);
          assert.deepEqual(await audience.timeout(10_000).emitWithAck('question'), []);
        }
        assert.throws(() => parent.fetchSockets(), /fetchSockets/);
        assert.deepEqual(await parent.in(sockets[0].id).fetchSockets(), []);
        assert.deepEqual(await parent.allSockets(), new Set());
        assert.deepEqual(await parent.in(sockets[0].id).allSockets(), new Set());
        const { adapter } = parent;
        assert.deepEqual([adapter.rooms.size, adapter.sids.size], [0, 0]);
        assert.deepEqual(await adapter.sockets(new Set()), new Set());
        assert.deepEqual(told, []);

        const got = clients.map((client) => happens(client, 'news'));
        parent.to(sockets.map(({ id }) => id)).emit('news');
        await Promise.all(got);
        // Each child is asked; without a timeout, it calls back about at once.
        const asked = clients.map((client) => happens(client, 'question'));
        let count = 0;
        await new Promise((resolve) => {
          parent.emit('question', () => {
            count += 1;
            if (count === 2) resolve();
          });
        });
        await Promise.all(asked);
        assert.equal(count, 2);
        assert.throws(() => parent.emit('disconnect', () => {}), /reserved|disconnect/);
      }),
    );

    for (const [which, options] of [
      ['', {}],
      [' with recovery', { connectionStateRecovery: {} }],
    ]) {
      it(
        `a socket that has ended keeps its listeners for all that is sent, on ${what}${which}`,
        TIMEOUT,
        served(options, async (world) => {
          const { io } = world;
          const told = [];
          const ended = new Promise((resolve) => {
            io.on('connection', (socket) => {
              // Without the offset that socket.io adds.
              socket.onAnyOutgoing((event) => told.push(event));
              socket.on('disconnecting', () => socket.emit('disconnecting now'));
              socket.on('disconnect', () => {
                told.push(socket.listenersAnyOutgoing().length);
                socket.emit('bye', 1);
                socket.emit('bye', () => {});
                socket.volatile.emit('volatile');
                io.to(socket.id).emit('to its room');
                io.emit('to all');
                socket.offAnyOutgoing();
                socket.emit('nobody is told');
                resolve();
              });
            });
          });
          const client = world.client('4.8');
          await happens(client, 'connect');
          client.disconnect();
          await ended;
          // With recovery, each event is a broadcast to a room that nobody is in.
          const byes = which === '' ? ['bye', 'bye', 'volatile'] : [];
          assert.deepEqual(told, ['disconnecting now', 1, ...byes]);
        }),
      );
    }
  });
}

it(
  'listeners for all that is sent do not count when their socket is refused or gone',
  TIMEOUT,
  within(
    () => new World(),
    async (world) => {
      const { io } = world;
      const nsp = io.of('/');
      const listener = () => {};
      const { client, socket } = await world.connect();
      socket.onAnyOutgoing(listener);
      assert.equal(nsp._hasOutgoingListeners, true);
      const left = happens(socket, 'disconnect');
      client.disconnect();
      await left;
      socket.onAnyOutgoing(listener);
      assert.equal(nsp._hasOutgoingListeners, false);
      io.use((refused, next) => {
        refused.onAnyOutgoing(listener);
        next(new Error('no'));
      });
      await happens(world.client('4.8'), 'connect_error');
      assert.equal(nsp._hasOutgoingListeners, false);
      nsp._fns.length = 0;
      let waits;
      io.use((pending) => {
        pending.onAnyOutgoing(listener);
        waits = pending;
      });
      const leaving = world.client('4.8');
      await reach(() => waits !== undefined);
      assert.equal(nsp._hasOutgoingListeners, true);
      leaving.io.engine.close();
      await reach(() => !nsp._hasOutgoingListeners);
    },
  ),
);

// npm `socket.io` ends the connection if both come in one read.
it(
  'a client that leaves a namespace of a pattern and at once comes back joins it',
  TIMEOUT,
  within(
    () => new World({ cleanupEmptyChildNamespaces: true }),
    async (world) => {
      const { io } = world;
      io.of(/^\/pattern$/).on('connection', (socket) => socket.emit('welcome'));
      const raw = await world.raw();
      await raw.send('40/pattern,');
      await raw.packet('2/pattern,["welcome"]');
      const { _socket: stream } = raw.ws;
      stream.cork();
      raw.ws.send('41/pattern,');
      raw.ws.send('40/pattern,');
      stream.uncork();
      const answer = await raw.received.next((item) => /^4[04]\/pattern,/.test(item));
      assert.match(answer, /^40/);
      await raw.packet('2/pattern,["welcome"]');
      // It is the namespace that the application gets.
      io.of('/pattern').emit('all');
      await raw.packet('2/pattern,["all"]');
      await raw.send('41/pattern,');
      await reach(() => !io._nsps.has('/pattern'));
    },
  ),
);

/** What makes children that end with their last socket, and counts how many it has made. */
class ChildrenWorld extends World {
  made = 0;

  constructor(options) {
    super({ cleanupEmptyChildNamespaces: true, ...options });
    this.io.on('new_namespace', () => (this.made += 1));
    this.parent = this.io.of(/^\/pattern/);
  }

  /** @returns {string[]} the children that there are */
  get children() {
    return [...this.io._nsps.keys()].filter((name) => name !== '/');
  }

  /**
   * Has a client leave and ask again in one read, so that the namespace ends after Rust has read the request.
   * @param {import('../support/raw').RawWebsocket} raw the client
   * @param {...string} packets what it sends
   */
  together(raw, ...packets) {
    const { _socket: stream } = raw.ws;
    stream.cork();
    packets.forEach((packet) => raw.ws.send(packet));
    stream.uncork();
  }
}

const withChildren = (test, options) => within(() => new ChildrenWorld(options), test);

describe('a namespace of a pattern that is made anew while a client asks for it', () => {
  for (const parser of [undefined, 'msgpack']) {
    it(
      `a client that asked for a namespace before it was made anew is in the new one, with the parser ${parser ?? 'of JSON'}`,
      TIMEOUT,
      withChildren(async (world) => {
        const { io, parent } = world;
        const sockets = [];
        parent.on('connection', (socket) => {
          sockets.push(socket);
          socket.join('room');
          // It ends with its last socket, and the application makes it anew.
          socket.once('disconnect', () => io.of(socket.nsp.name).emit('left'));
        });
        // Its socket in the default namespace keeps the connection.
        const { io: manager } = world.client('4.8', {
          ...(parser && { parser: msgpackParser }),
        });
        const client = manager.socket('/pattern');
        await happens(client, 'connect');
        // Rust reads both packets at once.
        const { _socket: stream } = manager.engine.transport.ws;
        stream.cork();
        client.disconnect().connect();
        await new Promise((resolve) => setImmediate(resolve));
        stream.uncork();
        await happens(client, 'connect');
        const socket = sockets.at(-1);
        assert.equal(sockets.length, 2);
        assert.equal(socket.nsp, io.of('/pattern'));
        const heard = [];
        client.onAny((event) => heard.push(event));
        const last = happens(client, 'direct');
        io.of('/pattern').emit('all');
        io.of('/pattern').to('room').emit('room');
        socket.emit('direct');
        await last;
        assert.deepEqual(heard, ['all', 'room', 'direct']);
      }, parser && { parser }),
    );
  }

  it(
    'subscriptions deliver in a namespace that was made anew after its client had asked for it',
    TIMEOUT,
    withChildren(async (world) => {
      const { io, parent } = world;
      const instance = new LoopbackSocket('made anew');
      instance.auth(() => true);
      instance.defineSubscription('ticks', async function* ticks() {
        yield 1;
      });
      instance.start(parent);
      parent.on('connection', (socket) => {
        socket.once('disconnect', () => io.of(socket.nsp.name));
      });
      const raw = await world.raw();
      await raw.send('40/pattern,');
      await raw.packet('0/pattern,');
      world.together(raw, '41/pattern,', '40/pattern,');
      await raw.packet('0/pattern,');
      await raw.send('42/pattern,["authentication",{}]');
      await raw.packet('2/pattern,["authenticated",true]');
      await raw.send('42/pattern,7["ticks",{}]');
      await raw.packet('2/pattern,["ticks",1');
    }),
  );

  it(
    'a client that leaves right after it asked for a namespace that was made anew is not in it',
    TIMEOUT,
    withChildren(async (world) => {
      const { io, parent } = world;
      let connected = 0;
      parent.on('connection', (socket) => {
        connected += 1;
        socket.once('disconnect', () => io.of(socket.nsp.name));
      });
      // Those of protocol 4 may leave before they are in.
      const raw = await world.raw({ eio: 3 });
      await raw.send('40/pattern,');
      await raw.packet('0/pattern');
      const got = once(raw.socket, 'behind it');
      world.together(raw, '41/pattern,', '40/pattern,', '41/pattern,', '42["behind it"]');
      await got;
      assert.equal(await world.isAlive(), 'yes');
      assert.deepEqual([connected, io.of('/pattern').sockets.size], [1, 0]);
    }),
  );
});

describe('namespaces of a pattern that nobody joins', () => {
  const gone = async (world, made) => {
    await reach(() => world.made >= made && world.children.length === 0);
    assert.equal(world.parent.children.size, 0);
  };

  it(
    'a namespace that was made for a client whose websocket ends is removed',
    TIMEOUT,
    withChildren(async (world) => {
      const raw = await world.raw();
      const names = Array.from({ length: 40 }, (_, i) => `40/pattern-${i},`);
      world.together(raw, ...names, '1');
      await gone(world, 40);
    }),
  );

  it(
    'a namespace that was made for a client whose polling session ends is removed',
    TIMEOUT,
    withChildren(async (world) => {
      const raw = await world.polling();
      await raw.send(['40/pattern-1,', '40/pattern-2,', '1'].join('\x1e'));
      await gone(world, 2);
    }),
  );

  it(
    'a namespace that is decided on after its client has gone is removed, and its adapter is closed',
    TIMEOUT,
    async (t) => {
      const open = new Set();
      class Counted extends Adapter {
        init() {
          open.add(this.nsp.name);
        }

        close() {
          open.delete(this.nsp.name);
        }
      }
      await withChildren(
        async (world) => {
          let decide;
          world.io.of((name, auth, next) => (decide = next));
          const raw = await world.raw();
          await raw.send('40/decided,');
          await reach(() => decide !== undefined);
          raw.terminate();
          await reach(() => world.io.engine.clientsCount === 0);
          decide(null, true);
          await gone(world, 1);
          assert.deepEqual([...open], ['/']);
        },
        { adapter: Counted },
      )(t);
    },
  );

  it(
    'a namespace whose only client is refused, or leaves while middleware runs, is removed',
    TIMEOUT,
    withChildren(async (world) => {
      const { parent } = world;
      let running = 0;
      parent.use((socket, next) => {
        running += 1;
        if (socket.nsp.name === '/pattern-refused') next(new Error('no'));
      });
      const raw = await world.raw();
      await raw.send('40/pattern-refused,');
      await raw.packet('4/pattern-refused,');
      await gone(world, 1);
      await raw.send('40/pattern-waits,');
      await reach(() => running === 2);
      raw.terminate();
      await gone(world, 2);
    }),
  );

  it(
    'a namespace is kept for the clients that are in it when another one ends that had asked for it',
    TIMEOUT,
    withChildren(async (world) => {
      const [first, second] = [await world.raw(), await world.raw()];
      world.together(first, '40/pattern,', '1');
      await second.send('40/pattern,');
      await second.packet('0/pattern,');
      await reach(() => world.io.engine.clientsCount === 1);
      world.io.of('/pattern').emit('all');
      await second.packet('2/pattern,["all"]');
    }),
  );
});
