'use strict';

// What an adapter writes to one socket after the other becomes one command, which is written when another
// command comes. Random sequences of everything that an application does are played to socket.io with its
// adapter in memory and to the native server with the same adapter: each client must receive the same, in
// the same order. A failure names the seed and the operations; the same seed gives the same sequence.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, it } = require('node:test');
const { Adapter } = require('socket.io-adapter');
const socketIo = require('socket.io');
const { io: connectTo } = require('socket.io-client');
const msgpack = require('socket.io-msgpack-parser');
const LoopbackSocket = require('../..');

/** The seeds of the sequences. */
const AS_JSON = [1, 100];
const AS_MESSAGE_PACK = [101, 160];
const LENGTH = 15;
const NAMES = ['A', 'B', 'C'];
/** Takes a second or two; much longer on a busy machine, where the clients are in the same process. */
const TIMEOUT = { timeout: 120_000 };
const ROOMS = ['a', 'b', 'all'];
/** For acknowledgements, which all come: none is asked of a client that has gone. */
const ACK_TIMEOUT = 10_000;
/** More than is kept before commands are handed over. */
const LARGE = 'x'.repeat(70_000);

/** The operations, `peer` being one of the clients, `value` a number of their own. */
const OPERATIONS = {
  all: ({ io }, peer, value) => io.emit('all', value),
  room: ({ io }, peer, value, room) => io.to(room).emit('room', value),
  except: ({ io }, peer, value, room) => io.except(room).emit('except', value),
  rooms: ({ io }, peer, value) => io.to(['a', 'b']).emit('rooms', value),
  socket: (world, { socket }, value) => socket.emit('socket', value),
  others: (world, { socket }, value) => socket.broadcast.emit('others', value),
  othersInRoom: (world, { socket }, value, room) => socket.to(room).emit('in room', value),
  uncompressed: ({ io }, peer, value) => io.compress(false).emit('uncompressed', value),
  binary: ({ io }, peer, value, room) => io.to(room).emit('binary', value, Buffer.from(`${value}`)),
  ownBinary: (world, { socket }, value) =>
    socket.emit('own binary', value, { at: [Buffer.from('x')] }),
  large: ({ io }, peer, value, room) => io.to(room).emit('large', value, LARGE),
  news: ({ news }, peer, value) => news.emit('news', value),
  newsInRoom: ({ news }, peer, value, room) => news.to(room).emit('news in room', value),
  newsToOne: (world, { inNews }, value) => inNews.emit('news to one', value),
  join: (world, { socket }, value, room) => void socket.join(room),
  leave: (world, { socket }, value, room) => void socket.leave(room),
  leaveAll: (world, { socket }) => socket.leaveAll(),
  joinNews: (world, { inNews }, value, room) => void inNews.join(room),
  joinByRoom: ({ io }, peer, value, room) => io.to(room).socketsJoin(['b', 'all']),
  leaveByRoom: ({ io }, peer, value, room) => io.in(room).socketsLeave('a'),
  ask: (world, peer, value, room) => world.ask(world.io.to(room), value),
  askNews: (world, peer, value) => world.ask(world.news, value),
  askOne: (world, { socket }, value) => socket.connected && world.ask(socket, value),
  publish: ({ instance }, peer, value) => instance.publish('items', { key: 'key' }, value),
  listen: (world, { socket }) =>
    socket.onAnyOutgoing((event, value) => event === 'all' && socket.emit('outgoing', value)),
  exempt: (world, { socket }) => socket.connected && (socket.auth = true),
  disconnect: (world, { socket }) => world.end(() => socket.disconnect()),
  disconnectNews: (world, { inNews }) => world.end(() => inNews.disconnect()),
  close: (world, { socket }) => world.end(() => socket.disconnect(true)),
  disconnectRoom: ({ io, end }, peer, value, room) => end(() => io.in(room).disconnectSockets()),
  revoke: ({ instance, end }, { socket }) => end(() => instance.revoke((one) => one === socket)),
  authenticate: (world, peer, value) => world.request(peer, 'authentication', value),
  call: (world, peer, value) => peer.isAuthenticated && world.request(peer, 'method', value),
  question: (world, peer, value) => world.request(peer, 'question', value),
  subscribe: (world, peer) => peer.isAuthenticated && world.request(peer, 'items', undefined),
  microtask: () => Promise.resolve(),
  tick: () => new Promise((resolve) => process.nextTick(resolve)),
  turn: () => new Promise((resolve) => setImmediate(resolve)),
};

/** Ends of sockets are rare, or nobody would be left to receive anything. */
const RARE = ['leaveAll', 'disconnect', 'disconnectNews', 'close', 'disconnectRoom', 'revoke'];
const CHOICE = Object.keys(OPERATIONS).flatMap((name) =>
  RARE.includes(name) ? [name] : [name, name, name],
);

/** Whole numbers below a limit, the same for each seed (mulberry32). */
function random(seed) {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) % limit;
  };
}

function sequence(seed) {
  const below = random(seed);
  const oneOf = (list) => list[below(list.length)];
  return Array.from({ length: LENGTH }, (_, value) => {
    return { name: oneOf(CHOICE), who: oneOf(NAMES), room: oneOf(ROOMS), value };
  });
}

/** A server with the namespaces `/` and `/news`, and three clients, each of them in both. */
class World {
  #peers = {};
  #options;
  /** The broadcasts with acknowledgements that are on their way. */
  #asked = [];

  constructor(Server, options) {
    this.#options = options;
    this.io = new Server(0, { adapter: Adapter, ...options });
    this.news = this.io.of('/news');
    this.instance = new LoopbackSocket(`order on ${Server.name}`, 'none');
    const { io, instance } = this;
    instance.auth(() => {
      io.emit('authenticating');
      return true;
    });
    instance.onConnected((socket) => {
      io.to('all').emit('connecting');
      socket.emit('welcome');
    });
    instance.defineMethod('method', (socket, credentials, value) => {
      io.emit('called', value);
      socket.emit('you called', value);
      return value;
    });
    instance.defineSubscription('items', { key: () => 'key' });
    instance.start(io);
    io.on('connection', (socket) => {
      socket.on('question', (value, answer) => {
        socket.broadcast.emit('asked', value);
        answer(value);
        io.emit('answered', value);
      });
    });
    this.end = this.end.bind(this);
  }

  /** A broadcast with acknowledgements. */
  ask(audience, value) {
    const answers = audience.timeout(ACK_TIMEOUT).emitWithAck('ask', value);
    this.#asked.push(answers.then((all) => [value, ...[all].flat().sort()].join()));
  }

  /** Ends sockets when nobody waits for their acknowledgements any more: what they say is a race. */
  async end(act) {
    await Promise.all(this.#asked);
    act();
    await Promise.all(NAMES.map((name) => this.#left(this.#peers[name])));
  }

  async #left({ client, inClient, socket, inNews }) {
    const hasLeft = [
      [client, socket],
      [inClient, inNews],
    ].map(([of, at]) => of.connected && !at.connected && once(of, 'disconnect'));
    await Promise.all(hasLeft);
  }

  /** A client emits something, and waits until that is answered. */
  async request(peer, event, value) {
    const { client, socket, log } = peer;
    if (!socket.connected) return;
    peer.isAuthenticated ||= event === 'authentication';
    await new Promise((resolve) => {
      client.once('disconnect', resolve);
      if (event === 'authentication') {
        client.once('authenticated', resolve);
        client.emit(event, value);
      } else {
        client.emit(event, value, (answer) => {
          log.push(['answer', event === 'items' ? Object.keys(answer) : answer]);
          resolve();
        });
      }
    });
  }

  async #connect(name) {
    if (!this.io.httpServer.listening) await once(this.io.httpServer, 'listening');
    const client = connectTo(`http://127.0.0.1:${this.io.httpServer.address().port}`, {
      transports: ['websocket'],
      reconnection: false,
      forceNew: true,
      parser: this.#options.parser,
    });
    const peer = { client, inClient: client.io.socket('/news'), log: [] };
    for (const [nsp, of] of [
      ['/', client],
      ['/news', peer.inClient],
    ]) {
      of.onAny((event, ...args) => {
        const values = args.filter((arg) => typeof arg !== 'function' && arg !== LARGE);
        peer.log.push([nsp, event, ...(event === 'items' ? values.slice(0, 1) : values)]);
      });
      of.on('ask', (value, answer) => answer(name));
      of.on('end', (answer) => answer());
      of.on('disconnect', (reason) => peer.log.push([nsp, reason]));
    }
    client.on('items', (item, meta, answer) => answer?.());
    await Promise.all([once(client, 'connect'), once(peer.inClient, 'connect')]);
    peer.socket = this.io.of('/').sockets.get(client.id);
    peer.inNews = this.news.sockets.get(peer.inClient.id);
    return peer;
  }

  /** Plays a sequence: what each client has received, and what has been acknowledged. */
  async play(operations) {
    const peers = await Promise.all(NAMES.map((name) => this.#connect(name)));
    peers.forEach((peer, i) => (this.#peers[NAMES[i]] = peer));
    for (const { socket, inNews } of peers) {
      socket.join('all');
      inNews.join('all');
    }
    peers[0].socket.join('a');
    peers[1].socket.join('b');
    await this.request(peers[0], 'authentication', 'at first');
    await this.request(peers[1], 'authentication', 'at first');
    for (const { name, who, value, room } of operations) {
      await OPERATIONS[name](this, this.#peers[who], value, room);
    }
    const acknowledged = (await Promise.all(this.#asked.splice(0))).sort();
    const sockets = peers.flatMap(({ socket, inNews }) => [socket, inNews]);
    await Promise.all(
      sockets.map((one) => one.connected && one.timeout(ACK_TIMEOUT).emitWithAck('end')),
    );
    const received = peers.map(({ log }) => log.map((entry) => entry.join(' ')));
    peers.forEach(({ client }) => client.io.engine.close());
    await Promise.all(sockets.map((one) => one.connected && once(one, 'disconnect')));
    return { received, acknowledged };
  }
}

async function compare(options, [from, to]) {
  const worlds = [socketIo.Server, LoopbackSocket.Server].map(
    (Server) => new World(Server, options),
  );
  try {
    for (let seed = from; seed <= to; seed++) {
      const operations = sequence(seed);
      const [expected, actual] = [
        await worlds[0].play(operations),
        await worlds[1].play(operations),
      ];
      assert.deepEqual(
        actual,
        expected,
        `seed ${seed}: ${operations.map(({ name, who, room }) => `${name} ${who} ${room}`).join(', ')}`,
      );
    }
  } finally {
    await Promise.all(worlds.map(({ io }) => io.close()));
  }
}

describe('the order of what an application does', () => {
  it('clients receive everything in the order of socket.io', TIMEOUT, () => compare({}, AS_JSON));

  it('clients receive everything in the order of socket.io, as MessagePack', TIMEOUT, () =>
    compare({ parser: msgpack }, AS_MESSAGE_PACK),
  );
});
