'use strict';

// Adapters that an application writes use the methods of their base class in ways of their own. Sockets
// that are pending, and those of gated namespaces, must hear nothing by any of them, and nobody may wait
// for them; but whoever manages sockets finds them. Played to socket.io and to the native server.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, it } = require('node:test');
const { Adapter } = require('socket.io-adapter');
const socketIo = require('socket.io');
const LoopbackSocket = require('../..');
const { heard, received, run } = require('../support/context');
const { TIMEOUT, uncaught } = require('../support/native-server');
const { attempt } = require('./probes');
const { both, found } = require('./served');

const { Server } = LoopbackSocket;

/** How an adapter writes a packet that it has encoded. */
const ENCODED = { preEncoded: true };

/** What is heard of one broadcast to everybody. */
const TO_AUTHENTICATED = { A: [['all']], B: [['all']], P: [], G: [], N: [] };

describe('pending sockets under the methods of an adapter', () => {
  it(
    'a pending socket is passed by where the base class broadcasts, in gated namespaces too',
    TIMEOUT,
    both(
      Adapter,
      async (world) => {
        world.io.emit('all');
        world.io.to('all').emit('room', Buffer.from('bytes'));
        world.io.to(world.sockets.P.id).emit('by id');
        world.io.of('/news').emit('news');
        world.io.of('/news').to('all').emit('news again');
        world.sockets.P.broadcast.emit('from a pending one');
        world.sockets.P.emit('itself');
        return world.heard();
      },
      {
        A: [['all'], ['room', Buffer.from('bytes')], ['from a pending one']],
        B: [['all'], ['room', Buffer.from('bytes')], ['from a pending one']],
        P: [['itself']],
        G: [],
        N: [['news'], ['news again']],
      },
    ),
  );

  it(
    'a pending socket is not awaited by a broadcast with acknowledgements',
    TIMEOUT,
    both(
      Adapter,
      async (world) => {
        const { io, sockets } = world;
        const answers = [
          await io.timeout(5000).emitWithAck('question'),
          await io.to('all').timeout(5000).emitWithAck('question'),
          await io.of('/news').timeout(5000).emitWithAck('question'),
          await io.to(sockets.P.id).timeout(5000).emitWithAck('question'),
          [await sockets.P.timeout(5000).emitWithAck('question')],
        ];
        return [answers.map((each) => each.sort()), sockets.P.acks.size, sockets.G.acks.size];
      },
      [[['A', 'B'], ['A', 'B'], ['N'], [], ['P']], 0, 0],
    ),
  );

  it(
    'a pending socket is found by those who manage sockets',
    TIMEOUT,
    both(
      Adapter,
      async (world) => {
        const { io, adapter, show, sockets } = world;
        const states = [
          await found(io.fetchSockets(), show),
          await found(io.of('/news').fetchSockets(), show),
          show([...(await adapter.sockets(new Set(['all'])))]).sort(),
          show([...(await io.allSockets())]).sort(),
        ];
        io.socketsJoin('everywhere');
        io.of('/news').socketsJoin('everywhere');
        states.push([...sockets.P.rooms].includes('everywhere'), sockets.G.rooms.size);
        io.in('everywhere').socketsLeave('all');
        states.push(sockets.P.rooms.has('all'));
        io.in(sockets.P.id).disconnectSockets();
        states.push(sockets.P.connected, sockets.A.connected);
        return states;
      },
      [['A', 'B', 'P'], ['G', 'N'], ['A', 'B', 'P'], ['A', 'B', 'P'], true, 3, false, false, true],
    ),
  );

  it(
    'broadcasts of an adapter reach a socket from the moment it has authenticated',
    TIMEOUT,
    both(Adapter, async (world) => {
      const { io, peers, sockets } = world;
      io.to('all').emit('before');
      const authenticated = received(peers.P.client, 'authenticated');
      peers.P.client.emit('authentication', 'valid');
      await authenticated;
      io.to('all').emit('after');
      io.of('/news').emit('news');
      const answers = await io.timeout(5000).emitWithAck('question');
      return [await world.heard(), answers.sort(), sockets.P.rooms.size];
    }),
  );
});

describe('uses of apply', () => {
  class Filtering extends Adapter {
    broadcast(packet, opts) {
      packet.nsp = this.nsp.name;
      const encoded = this.encoder.encode(packet);
      this.apply(opts, (socket) => {
        if (socket.data.name !== 'B') socket.client.writeToEngine(encoded, ENCODED);
      });
    }
  }

  it(
    'an adapter chooses the receivers of a broadcast by socket.data',
    TIMEOUT,
    both(
      Filtering,
      async (world) => {
        world.io.emit('all');
        world.io.to('all').emit('room', Buffer.from('bytes'));
        return world.heard();
      },
      {
        A: [['all'], ['room', Buffer.from('bytes')]],
        B: [],
        P: [],
        G: [],
        N: [],
      },
    ),
  );

  class Deaf extends Adapter {
    apply(opts, callback) {
      super.apply(opts, (socket) => socket.data.isDeaf || callback(socket));
    }
  }

  it(
    'an adapter chooses by socket.data whom every operation applies to',
    TIMEOUT,
    both(
      Deaf,
      async (world) => {
        const { io, show, sockets } = world;
        sockets.A.data.isDeaf = true;
        io.emit('all');
        const answers = await io.timeout(5000).emitWithAck('question');
        return [await world.heard(), answers, await found(io.fetchSockets(), show)];
      },
      [{ A: [], B: [['all'], ['question']], P: [], G: [], N: [] }, ['B'], ['B', 'P']],
    ),
  );

  class Counting extends Adapter {
    receivers = [];

    broadcast(packet, opts) {
      packet.nsp = this.nsp.name;
      const encoded = this.encoder.encode(packet);
      this.apply(opts, (socket) => {
        this.receivers.push(socket.data.name);
        socket.client.writeToEngine(encoded, ENCODED);
      });
    }
  }

  it(
    'an adapter counts the receivers of a broadcast without those that it does not reach',
    TIMEOUT,
    both(
      Counting,
      async (world) => {
        world.io.emit('all');
        world.io.of('/news').emit('all');
        const events = await world.heard();
        return [world.adapter.receivers, world.io.of('/news').adapter.receivers, events];
      },
      [['A', 'B'], ['N'], { ...TO_AUTHENTICATED, N: [['all']] }],
    ),
  );

  class Translating extends Adapter {
    broadcast(packet, opts) {
      const versions = new Map();
      for (const name of ['A', 'B', 'P']) {
        const data = [...packet.data, `for ${name}`];
        versions.set(name, this.encoder.encode({ ...packet, data, nsp: this.nsp.name }));
      }
      this.apply(opts, (socket) => {
        socket.client.writeToEngine(versions.get(socket.data.name), ENCODED);
      });
    }
  }

  it(
    'an adapter writes another packet to each socket',
    TIMEOUT,
    both(
      Translating,
      async (world) => {
        world.io.emit('text', 1);
        world.io.emit('bytes', Buffer.from('x'));
        world.sockets.A.emit('direct');
        return world.heard();
      },
      {
        A: [['text', 1, 'for A'], ['bytes', Buffer.from('x'), 'for A'], ['direct']],
        B: [
          ['text', 1, 'for B'],
          ['bytes', Buffer.from('x'), 'for B'],
        ],
        P: [],
        G: [],
        N: [],
      },
    ),
  );

  class Silent extends Adapter {
    broadcast(packet) {
      packet.nsp = this.nsp.name;
      this.kept = this.encoder.encode(packet);
    }
  }

  it(
    'an adapter that encodes and does not apply has nothing sent and hides nobody',
    TIMEOUT,
    both(
      Silent,
      async (world) => {
        const { io, adapter, show, sockets } = world;
        io.emit('never');
        const states = [await found(io.fetchSockets(), show)];
        io.emit('never');
        io.in('all').socketsJoin('everywhere');
        states.push(sockets.P.rooms.has('everywhere'));
        io.emit('late');
        sockets.A.emit('direct');
        sockets.A.client.writeToEngine(adapter.kept, ENCODED);
        io.emit('never');
        states.push(show([...(await adapter.sockets(new Set()))]).sort(), await world.heard());
        return states;
      },
      [
        ['A', 'B', 'P'],
        true,
        ['A', 'B', 'P'],
        { A: [['direct'], ['late']], B: [], P: [], G: [], N: [] },
      ],
    ),
  );

  class Deferring extends Adapter {
    broadcast(packet, opts) {
      packet.nsp = this.nsp.name;
      const encoded = this.encoder.encode(packet);
      setImmediate(() => {
        this.apply(opts, (socket) => socket.client.writeToEngine(encoded, ENCODED));
      });
    }
  }

  it(
    'an adapter applies a broadcast in a later tick',
    TIMEOUT,
    both(
      Deferring,
      async (world) => {
        const { io, show, sockets } = world;
        io.emit('first');
        io.to('all').emit('second', Buffer.from('x'));
        sockets.A.emit('direct');
        const states = [await found(io.fetchSockets(), show)];
        await new Promise((resolve) => setTimeout(resolve, 5));
        io.except(sockets.B.id).emit('third');
        sockets.A.leave('all');
        await new Promise((resolve) => setTimeout(resolve, 5));
        return [...states, await world.heard()];
      },
      [
        ['A', 'B', 'P'],
        {
          A: [['direct'], ['first'], ['second', Buffer.from('x')], ['third']],
          B: [['first'], ['second', Buffer.from('x')]],
          P: [],
          G: [],
          N: [],
        },
      ],
    ),
  );

  it(
    'broadcasts that a listener of outgoing events makes are sent in the order of socket.io',
    TIMEOUT,
    both(
      Adapter,
      async (world) => {
        const { io, sockets } = world;
        const nest = (name) => (event) => {
          if (event === 'outer') {
            io.to('all').emit('nested', name);
            sockets.A.emit('direct', name);
          }
        };
        sockets.A.onAnyOutgoing(nest('A'));
        sockets.B.onAnyOutgoing(nest('B'));
        sockets.P.onAnyOutgoing(nest('P'));
        io.emit('outer');
        return world.heard();
      },
      {
        A: [['nested', 'A'], ['direct', 'A'], ['outer'], ['nested', 'B'], ['direct', 'B']],
        B: [['nested', 'A'], ['nested', 'B'], ['outer']],
        P: [],
        G: [],
        N: [],
      },
    ),
  );

  class Failing extends Adapter {
    apply(opts, callback) {
      super.apply(opts, (socket) => {
        callback(socket);
        if (socket.data.isLast) throw new Error('stop');
      });
    }
  }

  it(
    'an exception while a broadcast is applied ends it there and leaves nothing behind',
    TIMEOUT,
    both(
      Failing,
      async (world) => {
        const { io, show, sockets } = world;
        sockets.A.data.isLast = true;
        const states = [attempt(() => io.emit('to the first')).error];
        sockets.A.data.isLast = false;
        states.push(await found(io.fetchSockets(), show));
        sockets.A.onAnyOutgoing(() => {
          throw new RangeError('no');
        });
        states.push(attempt(() => io.emit('to nobody')).error);
        states.push(await found(io.fetchSockets(), show));
        sockets.A.offAnyOutgoing();
        io.emit('all');
        return [...states, await world.heard()];
      },
      [
        'Error',
        ['A', 'B', 'P'],
        'RangeError',
        ['A', 'B', 'P'],
        { A: [['to the first'], ['all']], B: [['all']], P: [], G: [], N: [] },
      ],
    ),
  );

  it(
    'a value that cannot be encoded throws and leaves nothing behind',
    TIMEOUT,
    both(Adapter, async (world) => {
      const { io, show } = world;
      const outcome = attempt(() => io.emit('x', 1n));
      const states = [typeof outcome.error, await found(io.fetchSockets(), show)];
      io.emit('all');
      return [...states, await world.heard()];
    }),
  );

  class Answering extends Adapter {
    ask(opts, ...data) {
      const packet = { type: 2, data, nsp: this.nsp.name, id: this.nsp._ids++ };
      const encoded = this.encoder.encode(packet);
      const answers = [];
      this.apply(opts, (socket) => {
        answers.push(new Promise((resolve) => socket.acks.set(packet.id, resolve)));
        socket.client.writeToEngine(encoded, ENCODED);
      });
      return Promise.all(answers);
    }
  }

  it(
    'an adapter collects acknowledgements by a method of its own',
    TIMEOUT,
    both(
      Answering,
      async (world) => {
        const opts = { rooms: new Set(['all']), except: new Set() };
        const first = await world.adapter.ask(opts, 'question');
        const between = await world.io.timeout(5000).emitWithAck('question');
        const [third] = await world.adapter.ask(
          { rooms: new Set([world.sockets.A.id]) },
          'question',
        );
        return [first.sort(), between.sort(), third, world.sockets.P.acks.size];
      },
      [['A', 'B'], ['A', 'B'], 'A', 0],
    ),
  );

  it(
    'the order of joins, leaves, broadcasts and events to single sockets in one tick is kept',
    TIMEOUT,
    both(Adapter, async (world) => {
      const { io, sockets } = world;
      const { A, B } = sockets;
      io.to('new').emit('never');
      A.join('new');
      io.to('new').emit('one', 1);
      A.emit('direct', 1);
      B.join('new');
      io.to('new').emit('two', Buffer.from('x'));
      A.leave('new');
      B.emit('direct', 2);
      io.to('new').emit('three');
      io.to('new').to('all').volatile.emit('four');
      io.emit('five');
      B.disconnect();
      io.emit('six');
      A.emit('end');
      delete world.peers.B;
      delete world.peers.N;
      const [events] = await heard(world.peers.A);
      return [events, world.peers.A.log.length];
    }),
  );
});

/** An adapter that has no base class: it goes through the sockets itself. */
class Independent {
  rooms = new Map();
  sids = new Map();

  constructor(nsp) {
    this.nsp = nsp;
  }

  init() {}

  close() {}

  on() {}

  addAll(id, rooms) {
    this.sids.set(id, new Set([...(this.sids.get(id) ?? []), ...rooms]));
  }

  del(id, room) {
    this.sids.get(id)?.delete(room);
  }

  delAll(id) {
    this.sids.delete(id);
  }

  socketRooms(id) {
    return this.sids.get(id);
  }

  async serverCount() {
    return 1;
  }

  receivers({ rooms, except }) {
    const isIn = (socket, names) => [...names].some((name) => this.sids.get(socket.id).has(name));
    return [...this.sids.keys()]
      .map((id) => this.nsp.sockets.get(id))
      .filter((socket) => socket !== undefined && (rooms.size === 0 || isIn(socket, rooms)))
      .filter((socket) => !isIn(socket, except));
  }

  broadcast(packet, opts) {
    const encoded = this.nsp.server.encoder.encode({ ...packet, nsp: this.nsp.name });
    for (const { client } of this.receivers(opts)) {
      client.writeToEngine(encoded, { preEncoded: true, ...opts.flags });
    }
  }

  broadcastWithAck(packet, opts, sent, answered) {
    packet.id = this.nsp._ids++;
    const encoded = this.nsp.server.encoder.encode({ ...packet, nsp: this.nsp.name });
    const receivers = this.receivers(opts);
    for (const socket of receivers) {
      socket.acks.set(packet.id, answered);
      socket.client.writeToEngine(encoded, ENCODED);
    }
    sent(receivers.length);
  }

  async fetchSockets(opts) {
    return this.receivers(opts);
  }
}

describe('an adapter without a base class', () => {
  it(
    'an adapter without a base class broadcasts, collects acknowledgements and finds sockets',
    TIMEOUT,
    both(
      Independent,
      async (world) => {
        const { io, show, sockets } = world;
        io.emit('all');
        io.to('all').except(sockets.A.id).emit('but A', Buffer.from('x'));
        sockets.A.broadcast.emit('but A again');
        io.of('/news').emit('news');
        const answers = [
          await io.timeout(5000).emitWithAck('question'),
          await io.in('all').timeout(5000).emitWithAck('question'),
          await io.in(sockets.P.id).timeout(5000).emitWithAck('question'),
          await io.of('/news').timeout(5000).emitWithAck('question'),
        ];
        const pending = [sockets.P.acks.size, sockets.G.acks.size];
        const ids = await found(io.fetchSockets(), show);
        return [answers.map((each) => each.sort()), pending, ids, await world.heard()];
      },
      [
        [['A', 'B'], ['A', 'B'], [], ['N']],
        [0, 0],
        ['A', 'B', 'P'],
        {
          A: [['all'], ['question'], ['question']],
          B: [['all'], ['but A', Buffer.from('x')], ['but A again'], ['question'], ['question']],
          P: [],
          G: [],
          N: [['news'], ['question']],
        },
      ],
    ),
  );
});

describe('the adapters of a server', () => {
  it(
    'each namespace has an adapter that is initialized, and closed with the namespace or the server',
    TIMEOUT,
    async () => {
      const play = async (Class) => {
        const log = [];
        class Logged extends Adapter {
          constructor(nsp) {
            super(nsp);
            log.push(`new ${nsp.name}`);
          }

          init() {
            log.push(`init ${this.nsp.name}`);
          }

          close() {
            log.push(`close ${this.nsp.name}`);
          }
        }
        await run(
          Class,
          async (context) => {
            const { io } = context;
            io.of('/static');
            const parent = io.of(/^\/dynamic-\d$/);
            const peers = [
              await context.connect('/dynamic-1', { isNew: true }),
              await context.connect('/dynamic-2', { isNew: true }),
            ];
            parent.emit('to all');
            parent.to(peers[1].socket.id).emit('to one');
            log.push(await heard(...peers));
            const ended = once(peers[0].socket, 'disconnect');
            peers[0].client.disconnect();
            await ended;
            log.push(io._nsps.has('/dynamic-1'));
            const again = await context.connect('/dynamic-1', { isNew: true });
            parent.emit('again');
            log.push(await heard(again), io.of('/dynamic-1').adapter instanceof Logged, 'end');
          },
          { adapter: Logged, cleanupEmptyChildNamespaces: true },
        );
        // Socket.IO closes an adapter twice if its namespace goes because the server is closed.
        const closed = new Set(log.splice(log.indexOf('end')));
        return [log, [...closed].sort()];
      };
      assert.deepEqual(await play(Server), await play(socketIo.Server));
    },
  );

  it(
    'a server whose adapter is exchanged closes nothing and keeps rooms, and namespaces show the new one',
    TIMEOUT,
    () =>
      run(Server, async (context) => {
        const { io } = context;
        assert.equal(io.adapter(), undefined);
        const peers = await context.three();
        peers[0].socket.join(7);
        assert.equal(io.adapter(Adapter), io);
        assert.equal(io.adapter(), Adapter);
        class Other extends Adapter {}
        io.adapter(Other);
        assert.ok(io.of('/').adapter instanceof Other && io.of('/new').adapter instanceof Other);
        io.to(7).emit('seven');
        io.to('a').emit('a');
        io.of('/').adapter = new Adapter(io.of('/'));
        io.to('b').except('a').emit('b');
        io.emit('all');
        assert.deepEqual(await heard(...peers), [
          [['seven'], ['a'], ['all']],
          [['b'], ['all']],
          [['a'], ['all']],
        ]);
        for (const none of [null, {}, 'redis', 7]) {
          const expected = { code: 'ERR_LOOPBACK_SOCKET_INVALID_OPTION' };
          assert.throws(() => (io.of('/').adapter = none), expected);
          assert.throws(() => io.adapter(none), expected);
        }
      }),
  );
});

describe('adapters that fail', () => {
  it(
    'an adapter that cannot store the rooms of new sockets causes a warning and not the end of the process',
    TIMEOUT,
    () => {
      class Full extends Adapter {
        async addAll() {
          throw new RangeError('no space');
        }
      }
      return run(
        Server,
        async (context) => {
          const warned = once(process, 'warning');
          const peer = await context.connect('/');
          assert.equal((await warned)[0].message, 'no space');
          await assert.rejects(peer.socket.join('a'), { message: 'no space' });
          peer.socket.emit('direct');
          assert.deepEqual(await heard(peer), [[['direct']]]);
          assert.equal(peer.socket.rooms.size, 0);
        },
        { adapter: Full },
      );
    },
  );

  for (const [name, Class] of [
    ['socket.io', socketIo.Server],
    ['the native server', Server],
  ]) {
    it(`an exception in the constructor of an adapter is thrown by ${name}`, () => {
      class Broken extends Adapter {
        constructor(nsp) {
          super(nsp);
          throw new RangeError('no adapter');
        }
      }
      assert.throws(() => new Class({ adapter: Broken }), { message: 'no adapter' });
      const io = new Class();
      assert.throws(() => io.adapter(Broken), { message: 'no adapter' });
    });

    it(
      `${name} works without what an adapter initializes if its init() rejects`,
      TIMEOUT,
      async () => {
        class Unreachable extends Adapter {
          async init() {
            throw new Error('no database');
          }
        }
        const errors = await uncaught(() =>
          run(
            Class,
            async (context) => {
              const { io } = context;
              const peer = await context.connect('/other');
              io.of('/other').emit('all', 1);
              assert.deepEqual(await heard(peer), [[['all', 1]]]);
            },
            { adapter: Unreachable },
          ),
        );
        assert.deepEqual(errors, []);
      },
    );

    it(`join() and leave() of ${name} give what the adapter gives`, TIMEOUT, async () => {
      class Slow extends Adapter {
        async addAll(id, rooms) {
          await new Promise((resolve) => setImmediate(resolve));
          super.addAll(id, rooms);
          return `joined ${rooms.size}`;
        }

        async del(id, room) {
          await new Promise((resolve) => setImmediate(resolve));
          super.del(id, room);
          return `left ${room}`;
        }
      }
      await run(
        Class,
        async (context) => {
          const { io } = context;
          const peer = await context.connect('/');
          const joined = peer.socket.join(['a', 'b']);
          assert.equal(peer.socket.rooms.has('a'), false);
          io.to('a').emit('never');
          assert.equal(await joined, 'joined 2');
          io.to('a').emit('a');
          const left = peer.socket.leave('b');
          io.to('b').emit('b');
          assert.equal(await left, 'left b');
          io.to('b').emit('never');
          assert.deepEqual([...peer.socket.rooms].slice(1), ['a']);
          assert.deepEqual(await heard(peer), [[['a'], ['b']]]);
        },
        { adapter: Slow },
      );
    });

    it(`exceptions of an adapter's methods reach the one who called ${name}`, TIMEOUT, async () => {
      class Down extends Adapter {
        broadcast() {
          throw new RangeError('broadcast');
        }

        async fetchSockets() {
          throw new RangeError('fetchSockets');
        }

        serverSideEmit() {
          throw new RangeError('serverSideEmit');
        }

        addSockets() {
          throw new RangeError('addSockets');
        }

        disconnectSockets() {
          throw new RangeError('disconnectSockets');
        }
      }
      await run(
        Class,
        async (context) => {
          const { io } = context;
          const peer = await context.connect('/');
          assert.throws(() => io.emit('x'), { message: 'broadcast' });
          assert.throws(() => peer.socket.to('a').emit('x'), { message: 'broadcast' });
          await assert.rejects(io.fetchSockets(), { message: 'fetchSockets' });
          assert.throws(() => io.serverSideEmit('x'), { message: 'serverSideEmit' });
          assert.throws(() => io.socketsJoin('x'), { message: 'addSockets' });
          assert.throws(() => io.disconnectSockets(), { message: 'disconnectSockets' });
          peer.socket.emit('direct');
          assert.deepEqual(await heard(peer), [[['direct']]]);
        },
        { adapter: Down },
      );
    });
  }
});
