'use strict';

// One node of a cluster: `node bench/scale/node.js <server> <adapter>`, with the addresses of Redis in
// BENCH_REDIS. It listens on a port of its own choice and lives as long as its standard input. Clients
// authenticate and call `broadcast`, as those of the load generators do. Requests:
//
//   GET /feed?count=…&size=…&gap=…     broadcasts numbered messages to the room `audience`: all at once
//                                      without `gap`
//   GET /joins?rounds=…                has every socket join a room and leave it so many times; answers
//                                      with the CPU time of one, in µs
//   GET /ready?servers=…               whether the node knows so many nodes

const http = require('node:http');
const { setImmediate: tick, setTimeout: sleep } = require('node:timers/promises');
const { answerParent, sayReady } = require('../control');

const ours = () => require(process.env.BENCH_PACKAGE ?? '../..');

/** Rooms among which sockets are dealt, beside the one that has them all. */
const ROOMS = 100;
/** How long Rust may take for what it was told, in ms. */
const SETTLE = 100;

/** What makes adapters, by their names. */
const ADAPTERS = {
  none: async () => undefined,
  async redis(url) {
    const [pubClient, subClient] = await connect(url, 2);
    return require('@socket.io/redis-adapter').createAdapter(pubClient, subClient);
  },
  async 'redis-streams'(url) {
    const [client] = await connect(url, 1);
    return require('@socket.io/redis-streams-adapter').createAdapter(client);
  },
};

/**
 * @param {string} url
 * @param {number} count
 * @returns {Promise<any[]>} so many clients of Redis
 */
function connect(url, count) {
  const { createClient } = require('redis');
  return Promise.all(
    Array.from({ length: count }, async () => {
      const client = createClient({ url });
      client.on('error', (err) => console.error(err.message));
      await client.connect();
      return client;
    }),
  );
}

/** What serves, by its name: `join` is called with each socket that has authenticated. */
const SERVERS = {
  native(httpServer, options, methods, join) {
    const io = new (ours().Server)(httpServer, options);
    const sockets = ours().get('bench', 'none');
    sockets.auth(() => ({ id: 1 }));
    sockets.onConnected(join);
    for (const [name, method] of Object.entries(methods(io))) {
      sockets.defineMethod(name, (socket, credentials, args) => method(args));
    }
    sockets.start(io);
    return io;
  },
  // The least that answers the same clients.
  'socket.io'(httpServer, options, methods, join) {
    const { Server } = require('socket.io');
    const io = new Server(httpServer, options.adapter ? options : {});
    io.on('connection', (socket) => {
      socket.on('authentication', () => {
        join(socket);
        socket.emit('authenticated', true);
      });
      for (const [name, method] of Object.entries(methods(io))) {
        socket.on(name, async (args, ack) => ack({ result: await method(args) }));
      }
    });
    return io;
  },
};

/**
 * Broadcasts a numbered series.
 * @param {any} operator - of whom it is for
 * @param {{ count: number, size: number, gap: number }} request
 */
function feed(operator, { count, size, gap }) {
  const pad = 'x'.repeat(size);
  let seq = 0;
  if (gap === 0) {
    while (seq < count) operator.emit('news', { seq: seq++, pad });
    return;
  }
  const timer = setInterval(() => {
    operator.emit('news', { seq: seq++, pad });
    if (seq === count) clearInterval(timer);
  }, gap);
}

/**
 * What clients call: a broadcast of this node, or with `via` of the node that listens there.
 * @param {any} io
 * @returns {Record<string, (args: any) => any>}
 */
const methods = (io) => ({
  async broadcast({ count, size, gap, via }) {
    if (via === undefined) {
      feed(io.local.to('audience'), { count, size, gap });
      return true;
    }
    const query = new URLSearchParams({ count, size, gap });
    const response = await fetch(`http://127.0.0.1:${via}/feed?${query}`);
    return response.ok;
  },
});

/**
 * @param {any} io
 * @param {number} rounds
 * @returns {Promise<number>} the CPU time of one that joins and leaves, in µs
 */
async function joins(io, rounds) {
  const sockets = [...io.sockets.sockets.values()];
  const before = process.cpuUsage();
  for (let round = 0; round < rounds; round++) {
    for (const [n, socket] of sockets.entries()) socket.join(`joined${(round + n) % ROOMS}`);
    await tick();
    for (const [n, socket] of sockets.entries()) socket.leave(`joined${(round + n) % ROOMS}`);
    await tick();
  }
  await sleep(SETTLE);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / (rounds * sockets.length);
}

/**
 * @param {string} server
 * @param {string} adapter
 * @returns {Promise<void>}
 */
async function main(server, adapter) {
  const options = { adapter: await ADAPTERS[adapter](process.env.BENCH_REDIS) };
  const httpServer = http.createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://localhost');
    const number = (field) => Number(searchParams.get(field));
    let answer;
    if (pathname === '/feed') {
      const [count, size, gap] = ['count', 'size', 'gap'].map(number);
      feed(io.to('audience'), { count, size, gap });
      answer = true;
    } else if (pathname === '/joins') {
      answer = await joins(io, number('rounds'));
    } else if (pathname === '/ready') {
      answer = (await io.of('/').adapter.serverCount()) === number('servers');
    }
    response.writeHead(answer === undefined ? 404 : 200).end(JSON.stringify(answer));
  });
  let joined = 0;
  const io = SERVERS[server](httpServer, options, methods, (socket) => {
    socket.join(['audience', `room${joined++ % ROOMS}`]);
  });
  answerParent();
  httpServer.listen(0, '127.0.0.1', () => sayReady(httpServer.address().port));
}

main(process.argv[2], process.argv[3]);
