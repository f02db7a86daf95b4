'use strict';

// socket.io-redis, as clusters of Socket.IO 2 and 3 have it: native servers beside those of npm, on the
// redis-server that is installed.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const http = require('node:http');
const { after, before, describe, it } = require('node:test');
const LoopbackSocket = require('../..');
const { TIMEOUT, happens, reach } = require('../support/native-server');
const { isInstalled, startRedis } = require('../scale/services/redis');

/** The Redis client that a version of socket.io-redis brings along. */
const redisOf = (name) => require(require.resolve('redis', { paths: [require.resolve(name)] }));

const SERVERS = {
  'socket.io 2': (httpServer) => require('socket.io-2')(httpServer),
  'socket.io 3': (httpServer) => new (require('socket.io-3').Server)(httpServer),
  'socket.io 4': (httpServer) => new (require('socket.io').Server)(httpServer),
  'the native server': (httpServer) => new LoopbackSocket.Server(httpServer),
};
const CLIENTS = {
  'socket.io 2': require('socket.io-client-2'),
  'socket.io 3': require('socket.io-client-3').io,
  'socket.io 4': require('socket.io-client').io,
  'the native server': require('socket.io-client').io,
};

/** Two servers on one Redis, with two clients each. */
class Cluster {
  nodes = [];
  subscribers = [];
  #ends = [];

  /**
   * @param {{port: number}} redis
   * @param {string} name of the adapter's package
   */
  constructor(redis, name) {
    this.redis = redis;
    this.name = name;
  }

  /** Adds a server of a kind. */
  async add(kind) {
    const { createClient } = redisOf(this.name);
    const httpServer = http.createServer();
    const io = SERVERS[kind](httpServer);
    const [pubClient, subClient] = [createClient(this.redis.port), createClient(this.redis.port)];
    const ready = Promise.all([pubClient, subClient].map((client) => once(client, 'ready')));
    io.adapter(require(this.name)({ pubClient, subClient, requestsTimeout: 5000 }));
    const adapter = (io.sockets ?? io.of('/')).adapter;
    httpServer.listen(0, '127.0.0.1');
    await Promise.all([once(httpServer, 'listening'), ready]);
    const node = { kind, io, adapter, clients: [], sockets: [], logs: [] };
    this.nodes.push(node);
    this.subscribers.push(subClient);
    const close = async () => {
      node.clients.forEach((client) => client.close());
      await new Promise((resolve) => io.close(resolve));
      pubClient.quit();
      subClient.quit();
    };
    this.#ends.push(close);
    for (let i = 0; i < 2; i++) {
      const connected = once(io, 'connection');
      const client = CLIENTS[kind](`http://127.0.0.1:${httpServer.address().port}`, {
        transports: ['websocket'],
        forceNew: true,
        reconnection: false,
      });
      node.clients.push(client);
      const log = [];
      for (const event of ['x', 'y']) client.on(event, (...args) => log.push([event, ...args]));
      node.logs.push(log);
      const [[socket]] = await Promise.all([connected, happens(client, 'connect')]);
      node.sockets.push(socket);
    }
  }

  /** Waits until all that was sent before has arrived everywhere. */
  async settled() {
    for (const { io } of this.nodes) {
      // What one server sends arrives in order.
      const ends = this.nodes
        .flatMap((node) => node.clients)
        .map((client) => happens(client, 'end'));
      io.emit('end');
      await Promise.all(ends);
    }
  }

  /** @returns {unknown[][][]} what the clients of each server have received since the last time */
  async taken() {
    await this.settled();
    return this.nodes.map(({ logs }) => logs.map((log) => log.splice(0)));
  }

  async close() {
    for (const end of this.#ends) await end();
  }
}

describe('socket.io-redis', { skip: !isInstalled() && 'redis-server is not installed' }, () => {
  let redis;
  before(async () => {
    redis = await startRedis();
  });
  after(() => redis.stop());

  /** Runs a test with a cluster. */
  const clustered = (name, kinds, test) => async (t) => {
    const cluster = new Cluster(redis, name);
    t.signal.addEventListener('abort', () => cluster.close());
    try {
      for (const kind of kinds) await cluster.add(kind);
      // The servers have subscribed when they know of each other.
      await cluster.settled();
      await test(cluster, ...cluster.nodes);
    } finally {
      await cluster.close();
    }
  };

  /** @returns {Promise<any>} what a method of the adapter answers, by a callback or a promise */
  const asked = (adapter, method, ...args) => {
    if (adapter[method].length <= args.length) return adapter[method](...args);
    return new Promise((resolve, reject) => {
      adapter[method](...args, (error, value) => (error ? reject(error) : resolve(value)));
    });
  };

  for (const [name, kinds] of [
    ['socket.io-redis-5', ['socket.io 2', 'the native server']],
    ['socket.io-redis-5', ['the native server', 'the native server']],
    ['socket.io-redis-6', ['socket.io 3', 'the native server']],
    ['socket.io-redis-6', ['socket.io 4', 'the native server']],
  ]) {
    const where = `${name.replace(/-(\d)$/, ' $1')} between ${kinds.join(' and ')}`;

    it(
      `${where} carries broadcasts to rooms, to the rest and of bytes, both ways`,
      TIMEOUT,
      clustered(name, kinds, async (cluster, ...nodes) => {
        nodes.forEach(({ sockets }) => sockets[0].join('room'));
        for (const [at, { io, sockets }] of nodes.entries()) {
          io.emit('x', 'all', at);
          io.to('room').emit('x', 'room', { ünï: ['✓', null] });
          io.to('nobody').emit('x', 'never');
          io.to('room').emit('y', Buffer.from('bytes'), [Buffer.from('more')]);
          sockets[0].broadcast.emit('y', 'others');
          sockets[1].to('room').emit('y', 'from outside');
          io.local.emit('x', 'local');
          const all = ['x', 'all', at];
          const room = [
            ['x', 'room', { ünï: ['✓', null] }],
            ['y', Buffer.from('bytes'), [Buffer.from('more')]],
          ];
          const outside = ['y', 'from outside'];
          const local = ['x', 'local'];
          const expected = nodes.map(() => [
            [all, ...room, ['y', 'others'], outside],
            [all, ['y', 'others']],
          ]);
          expected[at] = [
            [all, ...room, outside, local],
            [all, ['y', 'others'], local],
          ];
          assert.deepEqual(await cluster.taken(), expected);
        }
        nodes.forEach(({ sockets }) => sockets[0].leave('room'));
        nodes[0].io.to('room').emit('x', 'never');
        assert.deepEqual(await cluster.taken(), [
          [[], []],
          [[], []],
        ]);
      }),
    );

    it(
      `${where} answers questions about the sockets and rooms of both`,
      TIMEOUT,
      clustered(name, kinds, async (cluster, one, other) => {
        const [a, b] = [one.sockets[0], other.sockets[0]];
        a.join('room');
        b.join(['room', 'there']);
        const ids = [...one.sockets, ...other.sockets].map(({ id }) => id).sort();
        for (const { io, adapter } of [one, other]) {
          if (adapter.clients !== undefined) {
            assert.deepEqual((await asked(adapter, 'clients', [])).sort(), ids);
            assert.deepEqual(
              (await asked(adapter, 'clients', ['room'])).sort(),
              [a.id, b.id].sort(),
            );
            assert.deepEqual(await asked(adapter, 'clientRooms', b.id), [b.id, 'room', 'there']);
          } else {
            assert.deepEqual([...(await adapter.sockets(new Set()))].sort(), ids);
          }
          const rooms = new Set(await asked(adapter, 'allRooms'));
          assert.ok(rooms.has('room') && rooms.has('there') && rooms.has(a.id));
          if (io.allSockets !== undefined) {
            assert.deepEqual([...(await io.in('room').allSockets())].sort(), [a.id, b.id].sort());
          }
        }
      }),
    );

    it(
      `${where} moves and disconnects the sockets of the other server`,
      TIMEOUT,
      clustered(name, kinds, async (cluster, one, other) => {
        for (const [from, to] of [
          [one, other],
          [other, one],
        ]) {
          const [socket, second] = to.sockets;
          await asked(from.adapter, 'remoteJoin', socket.id, 'far');
          from.io.to('far').emit('x', 'far');
          await cluster.settled();
          assert.deepEqual(to.logs[0].splice(0), [['x', 'far']]);
          await asked(from.adapter, 'remoteLeave', socket.id, 'far');
          from.io.to('far').emit('x', 'never');
          await cluster.settled();
          assert.deepEqual(to.logs[0].splice(0), []);
          if (from.kind === 'the native server') {
            from.io.in(socket.id).socketsJoin('moved');
            await reach(() => isIn(socket, 'moved'));
            from.io.in('moved').socketsLeave('moved');
            await reach(() => !isIn(socket, 'moved'));
          }
          const gone = once(second, 'disconnect');
          await asked(from.adapter, 'remoteDisconnect', second.id, true);
          await gone;
          to.clients.splice(1);
          to.sockets.splice(1);
        }
      }),
    );
  }

  it(
    'errors of socket.io-redis 5 are emitted by the adapter, and broadcasts reach both servers when Redis is back',
    TIMEOUT,
    clustered(
      'socket.io-redis-5',
      ['socket.io 2', 'the native server'],
      async (cluster, ...nodes) => {
        const failed = nodes.map(
          ({ adapter }) => new Promise((resolve) => adapter.on('error', resolve)),
        );
        const ready = cluster.subscribers.map((client) => happens(client, 'ready'));
        await redis.restart({ meanwhile: () => Promise.all(failed) });
        await Promise.all(ready);
        // Nothing tells when a server has subscribed again.
        for (const { io } of nodes) {
          const there = nodes
            .flatMap(({ clients }) => clients)
            .map((client) => happens(client, 'back'));
          const timer = setInterval(() => io.emit('back'), 50);
          await Promise.all(there);
          clearInterval(timer);
        }
      },
    ),
  );

  it(
    'customRequest of socket.io-redis 5 is answered by native servers and by those of npm',
    TIMEOUT,
    clustered(
      'socket.io-redis-5',
      ['socket.io 2', 'the native server'],
      async (cluster, ...nodes) => {
        nodes.forEach(({ adapter }, i) => {
          adapter.customHook = (data, answer) => answer(`${data} ${i}`);
        });
        for (const { adapter } of nodes) {
          const answers = await asked(adapter, 'customRequest', 'question');
          assert.deepEqual(answers.sort(), ['question 0', 'question 1']);
        }
      },
    ),
  );

  it(
    'pending sockets of a native server receive nothing that socket.io-redis brings from other servers',
    TIMEOUT,
    clustered(
      'socket.io-redis-5',
      ['socket.io 2', 'the native server'],
      async (cluster, npm, native) => {
        const instance = new LoopbackSocket('beside redis', 'none');
        instance.auth((socket, credentials) => credentials === 'valid');
        instance.start(native.io);
        const client = CLIENTS['the native server'](native.clients[0].io.uri, { forceNew: true });
        native.clients.push(client);
        const log = [];
        client.on('x', (value) => log.push(value));
        await happens(client, 'connect');
        npm.io.emit('x', 'early');
        native.io.emit('x', 'early');
        const heard = native.clients.slice(0, 2).map((one) => happens(one, 'end'));
        npm.io.emit('end');
        await Promise.all(heard);
        const authenticated = happens(client, 'authenticated');
        client.emit('authentication', 'valid');
        await authenticated;
        npm.io.emit('x', 'late');
        await cluster.settled();
        assert.deepEqual(log, ['late']);
      },
    ),
  );
});

/** Whether a socket of any version is in a room. */
function isIn(socket, room) {
  return socket.rooms instanceof Set ? socket.rooms.has(room) : room in socket.rooms;
}
