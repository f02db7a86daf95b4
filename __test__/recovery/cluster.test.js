'use strict';

// Connection state recovery on servers that share sessions by an adapter: on the native server, on one of socket.io
// 4, and from one to the other. Two servers of a test are two processes as far as authentications are concerned, as
// each has an instance of its own.

const assert = require('node:assert/strict');
const { EventEmitter, once } = require('node:events');
const { describe, it } = require('node:test');
const { ClusterAdapter } = require('socket.io-adapter');
const {
  authenticate,
  call,
  flush,
  heard,
  lose,
  newInstance,
  next,
  openServer,
  socketOf,
} = require('../support/js-hosts');

/** Server of a client first, and the one that it comes back to. */
const PAIRS = [
  ['native', 'native'],
  [4, 'native'],
  ['native', 4],
  [4, 4],
];

/**
 * Messages and sessions that servers share, like a database with an adapter on top of it.
 */
class Backend {
  bus = new EventEmitter();
  sessions = new Map();
  log = [];

  /** @returns {Function} makes the adapter of a namespace */
  createAdapter() {
    const backend = this;
    return function create(nsp) {
      return new SharedAdapter(nsp, backend);
    };
  }
}

class SharedAdapter extends ClusterAdapter {
  constructor(nsp, backend) {
    super(nsp);
    this.backend = backend;
    backend.bus.on(nsp.name, (message, offset) => {
      // As over a network: in a later turn, and as a copy.
      setImmediate(() => this.onMessage(structuredClone(message), offset));
    });
  }

  async doPublish(message) {
    const { bus, log } = this.backend;
    const offset = `${log.length + 1}-0`;
    const copy = structuredClone({ ...message, nsp: this.nsp.name });
    log.push(copy);
    bus.emit(this.nsp.name, copy, offset);
    return offset;
  }

  async serverCount() {
    return 2;
  }

  doPublishResponse(uid, response) {
    return this.doPublish(response);
  }

  persistSession(session) {
    this.backend.sessions.set(session.pid, structuredClone(session));
  }

  async restoreSession(pid, offset) {
    const { sessions, log } = this.backend;
    const session = sessions.get(pid);
    sessions.delete(pid);
    await new Promise(setImmediate);
    const after = Number(/^(\d+)-0$/.exec(offset)?.[1]);
    if (session === undefined || !(after <= log.length)) {
      throw new Error('session or offset not found');
    }
    const missedPackets = [];
    log.slice(after).forEach(({ type, data }, i) => {
      const { opts, packet } = data ?? {};
      const isFor = (rooms) => session.rooms.some((room) => rooms.includes(room));
      if (type === 3 && (opts.rooms.length === 0 || isFor(opts.rooms)) && !isFor(opts.except)) {
        missedPackets.push([...packet.data, `${after + i + 1}-0`]);
      }
    });
    return { ...session, missedPackets };
  }
}

/**
 * Waits until a server gets what others have broadcast.
 *
 * @param {object} io a server
 * @param {object} client a client of it, which broadcasts reach
 * @param {object} other another server
 * @returns {Promise<void>} when it does
 */
async function synchronize(io, client, other) {
  const arrived = next(client, 'synchronized');
  other.emit('synchronized');
  await arrived;
}

/**
 * @param {import('node:test').TestContext} t the test
 * @param {(number | 'native')[]} hosts which servers
 * @param {() => Function} adapter makes the adapters of a server
 * @returns {Promise<object>} the servers, and a client that has authenticated on the first one
 */
async function openPair(t, hosts, adapter) {
  const nodes = [];
  for (const host of hosts) {
    const options = { connectionStateRecovery: {}, adapter: adapter() };
    const { io, connect } = await openServer(t, host, options);
    const instance = newInstance();
    instance.auth((socket, { refuse }) => !refuse);
    instance.defineMethod('whoami', (socket, { user }) => user);
    instance.start(io);
    nodes.push({ io, connect, instance });
  }
  const [first, second] = nodes;
  const client = first.connect();
  const socket = await socketOf(first.io, client);
  await authenticate(client, { user: 'ada' });
  // A client of the second server that is there all the time.
  const witness = second.connect();
  await socketOf(second.io, witness);
  await authenticate(witness, { user: 'witness' });
  await synchronize(first.io, client, second.io);
  return { first, second, client, socket, witness };
}

/**
 * Has a client come back to another server.
 *
 * @param {object} node the server
 * @param {object} client the client that has lost its connection
 * @returns {Promise<[object, object, string[]]>} the server's side, the client's side, and the events that it gets
 */
async function comeBackTo({ io, connect }, client) {
  const auth = { pid: client._pid, offset: client._lastOffset };
  const again = connect('/', { auth });
  const events = heard(again);
  const socket = await socketOf(io, again);
  return [socket, again, events];
}

for (const [before, after] of PAIRS) {
  const names = [before, after].map((host) => (host === 'native' ? host : 'socket.io'));

  describe(`recovery from ${names[0]} to ${names[1]} by an adapter`, { timeout: 60_000 }, () => {
    const open = (t) => {
      const backend = new Backend();
      return openPair(t, [before, after], () => backend.createAdapter());
    };

    it('a client that has authenticated elsewhere is pending, and gets what it has missed when it has authenticated', async (t) => {
      const { first, second, client, socket, witness } = await open(t);
      socket.join('room');
      socket.data = { theme: 'dark' };
      await lose(socket, client);
      first.io.emit('to all');
      second.io.to('room').emit('to the room');
      second.io.to('other').emit('to others');
      await synchronize(second.io, witness, first.io);
      const [again, returned, events] = await comeBackTo(second, client);
      assert.deepEqual([again.recovered, again.auth], [true, false]);
      assert.deepEqual([again.id, returned.id], [socket.id, socket.id]);
      assert.deepEqual(again.data, { theme: 'dark' });
      assert.deepEqual([...again.rooms].sort(), [socket.id, 'room'].sort());
      first.io.to('room').emit('while it is pending');
      first.io.emit('also while it is pending');
      second.io.volatile.emit('volatile');
      await synchronize(second.io, witness, first.io);
      again.emit('direct');
      await next(returned, 'direct');
      assert.deepEqual(events, ['direct']);
      await authenticate(returned, { user: 'ada' });
      assert.deepEqual(await call(returned, 'whoami'), { result: 'ada' });
      first.io.emit('after');
      await next(returned, 'after');
      assert.deepEqual(events, [
        'direct',
        'authenticated',
        ...['to all', 'to the room', 'synchronized'],
        ...['while it is pending', 'also while it is pending', 'synchronized'],
        'after',
      ]);
    });

    it('a client that is refused elsewhere gets nothing of what it has missed', async (t) => {
      const { first, second, client, socket, witness } = await open(t);
      await lose(socket, client);
      first.io.emit('missed');
      await synchronize(second.io, witness, first.io);
      const [again, returned, events] = await comeBackTo(second, client);
      const gone = next(returned, 'disconnect');
      returned.on('unauthorized', (reason, acknowledge) => acknowledge());
      returned.emit('authentication', { refuse: true });
      await gone;
      assert.deepEqual(events, ['unauthorized']);
      assert.equal(again.recovered, true);
      // Neither is it recovered again.
      const [third] = await comeBackTo(second, client);
      assert.equal(third.recovered, false);
    });

    it('a client that loses its connection while it is pending elsewhere is not recovered again', async (t) => {
      const { second, client, socket } = await open(t);
      await lose(socket, client);
      const [again, returned] = await comeBackTo(second, client);
      assert.equal(again.recovered, true);
      await lose(again, returned);
      const [third] = await comeBackTo(second, client);
      assert.equal(third.recovered, false);
    });

    it('a broadcast that is to be acknowledged does not wait for a recovered client that is pending', async (t) => {
      const { first, second, client, socket, witness } = await open(t);
      await lose(socket, client);
      const [again, returned] = await comeBackTo(second, client);
      assert.deepEqual([again.recovered, again.auth], [true, false]);
      witness.on('question', (answer) => answer('witness'));
      returned.on('question', (answer) => answer('pending'));
      for (const { io } of [first, second]) {
        assert.deepEqual(await io.timeout(10_000).emitWithAck('question'), ['witness']);
      }
    });

    it('a socket that is shut down with its server is recovered elsewhere', async (t) => {
      const { first, second, client, socket } = await open(t);
      const lost = once(socket, 'disconnect');
      first.io.close();
      assert.equal((await lost)[0], 'server shutting down');
      const [again, returned] = await comeBackTo(second, client);
      assert.equal(again.recovered, true);
      await authenticate(returned, { user: 'ada' });
      assert.equal(again.auth, true);
    });

    it('an unknown offset has a client begin anew', async (t) => {
      const { second, client, socket } = await open(t);
      await lose(socket, client);
      client._lastOffset = 'no offset';
      const [again] = await comeBackTo(second, client);
      assert.deepEqual([again.recovered, again.auth], [false, false]);
      assert.notEqual(again.id, socket.id);
    });

    if (before === after) {
      it('a client that comes back to its own server is authenticated, and gets what it has missed at once', async (t) => {
        const { first, client, socket } = await open(t);
        await lose(socket, client);
        first.io.emit('missed');
        const [again, returned, events] = await comeBackTo(first, client);
        assert.deepEqual([again.recovered, again.auth], [true, true]);
        assert.deepEqual(await call(returned, 'whoami'), { result: 'ada' });
        await flush(again, returned);
        assert.deepEqual(events, ['missed', 'flushed']);
      });
    }
  });
}
