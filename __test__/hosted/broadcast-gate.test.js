'use strict';

const assert = require('node:assert/strict');
const { EventEmitter, once } = require('node:events');
const { describe, it } = require('node:test');
const v8 = require('node:v8');
const vm = require('node:vm');
const { Adapter } = require('socket.io-adapter');
const {
  VERSIONS,
  authenticate,
  flush,
  heard,
  newInstance,
  next,
  openServer,
  socketOf,
} = require('../support/js-hosts');

v8.setFlagsFromString('--expose-gc');
const gc = vm.runInNewContext('gc');

for (const version of VERSIONS) {
  describe(`on a socket.io ${version} server`, { timeout: 60_000 }, () => {
    for (const name of ['/', '/served']) {
      it(`no broadcast reaches a pending socket of ${name}, to its namespace or a room`, async (t) => {
        const { io, connect } = await openServer(t, version);
        const nsp = name === '/' ? io : io.of(name);
        newInstance().start(nsp);
        const witness = connect(name);
        const other = await socketOf(nsp, witness);
        await authenticate(witness);
        const client = connect(name);
        const socket = await socketOf(nsp, client);
        const [events, witnessed] = [heard(client), heard(witness)];
        socket.join('room');
        other.join('room');
        await new Promise(setImmediate);

        const broadcast = (when) => {
          nsp.emit(`${when} to all`);
          nsp.to('room').emit(`${when} to the room`);
          nsp.to(socket.id).emit(`${when} to its own room`);
          other.broadcast.emit(`${when} by a socket`);
          other.to('room').emit(`${when} by a socket to the room`);
        };
        broadcast('pending');
        socket.emit('direct');
        await flush(socket, client);
        await flush(other, witness);
        assert.deepEqual(events, ['direct', 'flushed']);
        assert.deepEqual(witnessed, ['pending to all', 'pending to the room', 'flushed']);

        events.length = 0;
        await authenticate(client);
        broadcast('then');
        await flush(socket, client);
        assert.deepEqual(events, [
          'authenticated',
          'then to all',
          'then to the room',
          'then to its own room',
          'then by a socket',
          'then by a socket to the room',
          'flushed',
        ]);
      });
    }

    it('broadcasts reach a socket whose auth the application has set, but its methods stay unbound', async (t) => {
      const { io, connect } = await openServer(t, version);
      const [first, second] = [newInstance(), newInstance()];
      first.defineMethod('m', () => 'called');
      first.start(io);
      // Before the second instance serves the socket, and after.
      io.on('connection', (socket) => {
        socket.auth = socket.handshake.query.early === 'yes';
      });
      second.start(io);
      for (const early of ['yes', 'no']) {
        const client = connect('/', { query: { early } });
        const socket = await socketOf(io, client);
        const events = heard(client);
        assert.equal(socket.auth, early === 'yes');
        socket.auth = true;
        await new Promise(setImmediate);
        io.emit('to all');
        client.emit('m', () => events.push('answered'));
        client.emit('flush');
        await next(socket, 'flush');
        await flush(socket, client);
        assert.deepEqual(events, ['to all', 'flushed']);
        await authenticate(client);
        assert.equal(socket.auth, true);
      }
    });

    it('a failed authentication does not let broadcasts through', async (t) => {
      const { io, connect } = await openServer(t, version);
      const instance = newInstance();
      instance.auth(() => false);
      instance.start(io);
      const client = connect();
      const socket = await socketOf(io, client);
      const events = heard(client);
      const refused = next(client, 'unauthorized');
      client.emit('authentication', {});
      await refused;
      io.emit('to all');
      await flush(socket, client);
      assert.deepEqual(events, ['unauthorized', 'flushed']);
    });

    it('a broadcast by a connection listener that was added before start() does not reach a pending socket', async (t) => {
      const { io, connect } = await openServer(t, version);
      io.on('connect', () => io.emit('joined'));
      io.on('connection', () => io.emit('joined'));
      newInstance().start(io);
      const client = connect();
      const events = heard(client);
      const socket = await socketOf(io, client);
      await flush(socket, client);
      assert.deepEqual(events, ['flushed']);
    });

    it('a socket that connected before start() still receives broadcasts', async (t) => {
      const { io, connect } = await openServer(t, version);
      const client = connect();
      const socket = await socketOf(io, client);
      newInstance().start(io);
      const events = heard(client);
      io.emit('to all');
      await flush(socket, client);
      assert.deepEqual(events, ['to all', 'flushed']);
    });

    it('a namespace made before start() receives no broadcast until the connection authenticates', async (t) => {
      const { io, connect } = await openServer(t, version);
      const nsp = io.of('/other');
      newInstance().start(io);
      const client = connect();
      await socketOf(io, client);
      const other = client.io.socket('/other');
      const socket = await socketOf(nsp, other);
      const events = heard(other);
      nsp.emit('pending');
      socket.emit('direct');
      await flush(socket, other);
      assert.deepEqual(events, ['direct', 'flushed']);
      await authenticate(client);
      nsp.emit('authenticated');
      await flush(socket, other);
      assert.deepEqual(events.slice(2), ['authenticated', 'flushed']);
    });

    it('an authenticated connection receives broadcasts of a namespace as soon as it joins', async (t) => {
      const { io, connect } = await openServer(t, version);
      const nsp = io.of('/other');
      newInstance().start(io);
      const client = connect();
      await socketOf(io, client);
      await authenticate(client);
      const other = client.io.socket('/other');
      const socket = await socketOf(nsp, other);
      const events = heard(other);
      nsp.emit('to all');
      await flush(socket, other);
      assert.deepEqual(events, ['to all', 'flushed']);
    });

    it('a hidden socket of a gated namespace is garbage collected after it leaves', async (t) => {
      const { io, connect } = await openServer(t, version);
      const nsp = io.of('/other');
      newInstance().start(io);
      const client = connect();
      const served = await socketOf(io, client);
      const collected = [];
      const registry = new FinalizationRegistry((id) => collected.push(id));
      const other = client.io.socket('/other');
      const visit = async () => {
        const socket = await socketOf(nsp, other);
        registry.register(socket, socket.id);
        const left = once(socket, 'disconnect');
        other.disconnect();
        await left;
      };
      await visit();
      other.connect();
      await visit();
      await flush(served, client);
      for (let i = 0; i < 50 && collected.length === 0; i++) {
        await new Promise(setImmediate);
        gc();
      }
      assert.notEqual(collected.length, 0);
    });

    it('a client that leaves the served namespace receives no broadcast of another one', async (t) => {
      const { io, connect } = await openServer(t, version);
      const nsp = io.of('/other');
      newInstance().start(io);
      const client = connect();
      const served = await socketOf(io, client);
      const other = client.io.socket('/other');
      const socket = await socketOf(nsp, other);
      const events = heard(other);
      const left = once(served, 'disconnect');
      client.disconnect();
      await left;
      nsp.emit('to all');
      await flush(socket, other);
      assert.deepEqual(events, ['flushed']);
    });

    // A client of version 2 has no way to come back to the default namespace.
    if (version !== 2) {
      it('a client that left and reconnected receives broadcasts once it has authenticated', async (t) => {
        const { io, connect } = await openServer(t, version);
        const nsp = io.of('/other');
        newInstance().start(io);
        let isFirst = true;
        io.on('connect', (socket) => {
          // Once as the application disconnects it, before it is served; once as the client does.
          if (isFirst) {
            isFirst = false;
            socket.disconnect();
          }
        });
        const client = connect();
        const other = client.io.socket('/other');
        const [socket] = await Promise.all([socketOf(nsp, other), next(client, 'disconnect')]);
        client.connect();
        const served = await socketOf(io, client);
        const left = once(served, 'disconnect');
        client.disconnect();
        await left;
        client.connect();
        await socketOf(io, client);
        await authenticate(client);
        const events = heard(other);
        nsp.emit('to all');
        await flush(socket, other);
        assert.deepEqual(events, ['to all', 'flushed']);
      });
    }

    it('a namespace made after start() is not gated', async (t) => {
      const { io, connect } = await openServer(t, version);
      newInstance().start(io);
      const nsp = io.of('/late');
      const client = connect();
      await socketOf(io, client);
      const late = client.io.socket('/late');
      const socket = await socketOf(nsp, late);
      const events = heard(late);
      nsp.emit('to all');
      await flush(socket, late);
      assert.deepEqual(events, ['to all', 'flushed']);
    });

    it('a namespace that is served beside its server waits for its own authentication', async (t) => {
      const { io, connect } = await openServer(t, version);
      const nsp = io.of('/served');
      newInstance().start(io);
      newInstance().start(nsp);
      const client = connect();
      await socketOf(io, client);
      const other = client.io.socket('/served');
      const socket = await socketOf(nsp, other);
      const events = heard(other);
      await authenticate(client);
      nsp.emit('pending');
      await flush(socket, other);
      await authenticate(other);
      nsp.emit('to all');
      await flush(socket, other);
      assert.deepEqual(events, ['flushed', 'authenticated', 'to all', 'flushed']);
    });

    it('namespaces made on demand by a served parent are gated', async (t) => {
      const { io, connect } = await openServer(t, version);
      const parent = io.of(/^\/dynamic-\d+$/);
      newInstance().start(parent);
      const client = connect('/dynamic-1');
      const socket = await socketOf(parent, client);
      const events = heard(client);
      const broadcast = () => {
        parent.emit('to all');
        socket.nsp.emit('to its namespace');
      };
      broadcast();
      await flush(socket, client);
      await authenticate(client);
      broadcast();
      await flush(socket, client);
      assert.deepEqual(events, [
        'flushed',
        'authenticated',
        'to all',
        'to its namespace',
        'flushed',
      ]);
    });
  });
}

describe('broadcasts on a socket.io 4 server', { timeout: 60_000 }, () => {
  /**
   * @param {import('node:test').TestContext} t the test
   * @param {object} [options] of the server
   * @returns {Promise<object>} a served server with a client that is pending
   */
  async function open(t, options) {
    const { io, connect } = await openServer(t, 4, options);
    const instance = newInstance();
    instance.start(io);
    const client = connect();
    const socket = await socketOf(io, client);
    return { io, connect, instance, client, socket, events: heard(client) };
  }

  it('an adapter that is set after start() does not broadcast to pending sockets', async (t) => {
    const { io, connect } = await open(t);
    class Later extends Adapter {}
    io.adapter(Later);
    const client = connect();
    const socket = await socketOf(io, client);
    assert.ok(io.of('/').adapter instanceof Later);
    const events = heard(client);
    io.emit('to all');
    await flush(socket, client);
    assert.deepEqual(events, ['flushed']);
  });

  it('broadcasts from other servers of a cluster do not reach pending sockets', async (t) => {
    class Cluster extends Adapter {
      broadcast() {}
      fromAnotherServer(name) {
        super.broadcast({ type: 2, data: [name] }, { rooms: new Set(), except: new Set() });
      }
    }
    const { io, client, socket, events } = await open(t, { adapter: Cluster });
    const { adapter } = io.of('/');
    adapter.fromAnotherServer('pending');
    await flush(socket, client);
    await authenticate(client);
    adapter.fromAnotherServer('then');
    await flush(socket, client);
    assert.deepEqual(events, ['flushed', 'authenticated', 'then', 'flushed']);
  });

  it('fetchSockets(), socketsJoin() and disconnectSockets() include pending sockets', async (t) => {
    const { io, client, socket, events } = await open(t);
    assert.deepEqual(await io.fetchSockets(), [socket]);
    assert.deepEqual([...(await io.allSockets())], [socket.id]);
    io.socketsJoin('room');
    assert.ok(socket.rooms.has('room'));
    assert.deepEqual(await io.in('room').fetchSockets(), [socket]);
    io.socketsLeave('room');
    assert.ok(!socket.rooms.has('room'));
    assert.equal(io.sockets.sockets.get(socket.id), socket);
    const { adapter } = io.of('/');
    assert.equal(adapter.nsp.sockets.size, 1);
    assert.deepEqual([...adapter.nsp.sockets], [[socket.id, socket]]);
    assert.ok(adapter.nsp.sockets.has(socket.id));
    io.emit('still gated');
    await flush(socket, client);
    assert.deepEqual(events, ['flushed']);
    const reason = next(client, 'disconnect');
    io.disconnectSockets(true);
    assert.equal(await reason, 'io server disconnect');
  });

  it('fetchSockets(), socketsJoin() and disconnectSockets() of other servers include pending sockets', async (t) => {
    class Cluster extends Adapter {
      async askedByAnotherServer(operation, ...args) {
        await undefined;
        return super[operation]({ rooms: new Set(), except: new Set() }, ...args);
      }
      broadcastOfAnotherServer() {
        super.broadcast({ type: 2, data: ['to all'] }, { rooms: new Set(), except: new Set() });
      }
    }
    const { io, client, socket, events } = await open(t, { adapter: Cluster });
    const { adapter } = io.of('/');
    assert.deepEqual(await adapter.askedByAnotherServer('fetchSockets'), [socket]);
    await adapter.askedByAnotherServer('addSockets', ['room']);
    assert.ok(socket.rooms.has('room'));
    adapter.broadcastOfAnotherServer();
    await adapter.askedByAnotherServer('delSockets', ['room']);
    assert.ok(!socket.rooms.has('room'));
    adapter.broadcastOfAnotherServer();
    await flush(socket, client);
    assert.deepEqual(events, ['flushed']);
    const reason = next(client, 'disconnect');
    await adapter.askedByAnotherServer('disconnectSockets', true);
    assert.equal(await reason, 'io server disconnect');
  });

  it('a broadcast that disconnectSockets() causes does not reach pending sockets', async (t) => {
    const { io, connect, client, socket, events } = await open(t);
    const goes = connect();
    const leaving = await socketOf(io, goes);
    leaving.join('leaving');
    leaving.on('disconnect', () => io.emit('left'));
    io.in('leaving').disconnectSockets();
    await flush(socket, client);
    assert.deepEqual(events, ['flushed']);
  });

  it('a broadcast with acknowledgements expects answers only from the sockets that receive it', async (t) => {
    const { io, connect } = await open(t);
    const witness = connect();
    await socketOf(io, witness);
    await authenticate(witness);
    witness.on('question', (ack) => ack('answer'));
    assert.deepEqual(await io.timeout(20_000).emitWithAck('question'), ['answer']);
  });

  it('emits and broadcasts take their acknowledgement ids from one counter', async (t) => {
    const { io, client, socket } = await open(t);
    await authenticate(client);
    const ids = [];
    const { packet } = socket;
    socket.packet = function record(sent, ...rest) {
      ids.push(sent.id);
      return packet.call(this, sent, ...rest);
    };
    client.on('question', (ack) => ack());
    await socket.emitWithAck('question');
    await io.timeout(20_000).emitWithAck('question');
    await socket.emitWithAck('question');
    assert.deepEqual(ids, [0, 2]);
  });

  describe('with connection state recovery', () => {
    const connectionStateRecovery = {};

    /** An adapter like those of clusters: broadcasts once the cluster has the packet. */
    class Slow extends Adapter {
      async broadcast(packet, opts) {
        await new Promise(setImmediate);
        super.broadcast(packet, opts);
      }
    }

    for (const adapter of [undefined, Slow]) {
      it(`a packet emitted to a pending socket itself arrives with connection state recovery${adapter ? ' and an asynchronous adapter' : ''}`, async (t) => {
        const { io, instance, client, socket, events } = await open(t, {
          connectionStateRecovery,
          adapter,
        });
        io.emit('to all');
        socket.emit('direct');
        io.to(socket.id).emit('to its own room');
        await flush(socket, client);
        assert.deepEqual(events, ['direct', 'flushed']);
        instance.auth((s, { ok }) => ok);
        const refused = next(client, 'unauthorized');
        client.emit('authentication', { ok: false });
        await refused;
        await authenticate(client, { ok: true });
        io.emit('to all');
        await flush(socket, client);
        assert.deepEqual(events.slice(2), ['unauthorized', 'authenticated', 'to all', 'flushed']);
        assert.ok(!Object.hasOwn(socket, 'emit'));
      });
    }

    for (const isAuthenticated of [false, true]) {
      const name = isAuthenticated ? 'an authenticated socket' : 'a pending socket';
      it(`connection state recovery ${isAuthenticated ? 'sends' : 'does not send'} missed packets to ${name}`, async (t) => {
        const { io, client, socket, events } = await open(t, { connectionStateRecovery });
        if (isAuthenticated) {
          await authenticate(client);
        }
        await flush(socket, client);
        const lost = once(socket, 'disconnect');
        client.io.engine.close();
        await lost;
        io.emit('missed');
        events.length = 0;
        client.connect();
        const again = await socketOf(io, client);
        assert.equal(client.recovered, isAuthenticated);
        await flush(again, client);
        assert.deepEqual(events, isAuthenticated ? ['missed', 'flushed'] : ['flushed']);
      });
    }
  });
});

describe('broadcasts on an emitter that looks like a server with namespaces', () => {
  /** As a Socket.IO 2 server is seen from outside. */
  class FakeServer extends EventEmitter {
    constructor() {
      super();
      this.nsps = { '/a': new EventEmitter(), '/b': new EventEmitter(), '/empty': null };
      for (const nsp of [this.nsps['/a'], this.nsps['/b']]) {
        Object.assign(nsp, { sockets: [], connected: {} });
      }
    }

    connect(name, socket) {
      this.emit('connection', socket);
      const nsp = this.nsps[name];
      nsp.sockets.push(socket);
      nsp.connected[socket.id] = socket;
      nsp.emit('connect', socket);
    }
  }

  it('a pending socket is not in nsp.connected until it has authenticated', async () => {
    const io = new FakeServer();
    newInstance().start(io);
    const socket = Object.assign(new EventEmitter(), { id: 5 });
    io.connect('/a', socket);
    assert.deepEqual(io.nsps['/a'].connected, {});
    const authenticated = once(socket, 'authenticated');
    socket.emit('authentication', {});
    await authenticated;
    assert.equal(io.nsps['/a'].connected[5], socket);
    assert.deepEqual(io.nsps['/b'].connected, {});
  });
});
