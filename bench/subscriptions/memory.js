'use strict';

// What idle subscriptions take of memory, and whether anything is left of those that have ended.
//
// Memory: clients connect and authenticate; a fifth of the subscriptions is made, so that code is compiled
// and tables have a size; garbage is collected and memory is read; the others are made; and again. What was
// gained is divided by the number of those. No source yields anything. Bytes that are allocated outside of
// V8's heap are counted by `malloc-count.c`: resident memory would include what allocators have in reserve.
//
// Cycles: clients subscribe and unsubscribe, again and again; memory is read ten times.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { run } = require('../../scripts/steps');
const { QUESTIONS } = require('../control');
const { AppProcess } = require('../lib/app-process');
const { openAll } = require('../nodegen/modes');
const { commandOf } = require('./servers');

/** What memory is measured of. */
const HELD = [
  { name: 'shared-many', title: 'shared, 100 on each of 1,000 sockets', sockets: 1000, each: 100 },
  { name: 'shared-one', title: 'shared, one on each socket', sockets: 19_000, each: 1 },
  {
    ...{ name: 'private-many', title: 'private, 100 on each of 1,000 sockets', isPrivate: true },
    ...{ sockets: 1000, each: 100 },
  },
  {
    ...{ name: 'private-one', title: 'private, one on each socket', isPrivate: true },
    ...{ sockets: 19_000, each: 1 },
  },
];

/** What is subscribed to in cycles. `n` counts them. */
const CYCLES = [
  { title: 'a shared source that others use', name: 'silent', key: () => 'held' },
  { title: 'a shared source that begins and ends', name: 'silent', key: (n) => `cycle${n}` },
  { title: 'a private source', name: 'silentPrivate', key: () => 'none' },
];

const CLIENTS = 50;
const ROUNDS = 10;
/** Rounds until caches, pools and compiled code have their size. */
const WARM = 3;
/** What may be more than after those rounds: less than 20 bytes for each cycle. */
const LIMITS = { heapUsed: 2e6, rss: 16e6 };
/** Calls at a time. */
const PARALLEL = 500;
/** How long memory may take to settle, in ms. */
const SETTLE = 1500;

/**
 * @param {number} port
 * @returns {import('../nodegen/client').Target}
 */
const targetOf = (port) => ({
  ...{ host: '127.0.0.1', port, path: '/socket.io/', eio: 4, protocol: 'socket-io' },
  ...{ transport: 'websocket', tls: false, credentials: '{"token":"secret"}', together: false },
});

/**
 * Opens clients that make calls.
 * @param {number} port
 * @param {number} count
 * @returns {Promise<{ clients: object[], call: (client: object, args: string) => Promise<any> }>}
 */
async function openClients(port, count) {
  const tally = { errors: 0, complaints: [] };
  const ack = (client, id, json) => {
    const { resolve, reject } = client.waiting.get(id);
    client.waiting.delete(id);
    const [{ error, result }] = JSON.parse(json);
    if (error === undefined) resolve(result);
    else reject(new Error(JSON.stringify(error)));
  };
  const clients = await openAll(count, targetOf(port), { ack }, tally);
  for (const client of clients) {
    client.waiting = new Map();
    client.next = 0;
  }
  const call = (client, args) =>
    new Promise((resolve, reject) => {
      const id = client.next++;
      client.waiting.set(id, { resolve, reject });
      client.send(`42${id}${args}`);
    });
  return { clients, call };
}

/**
 * @param {string} name - of the subscription
 * @param {string} key
 * @returns {string}
 */
const subscription = (name, key) => JSON.stringify([name, { args: { key } }]);

/**
 * Builds what counts allocations.
 * @param {string} folder
 * @returns {Promise<string>} the library
 */
async function buildCounter(folder) {
  const library = path.join(folder, 'malloc-count.so');
  const source = path.join(__dirname, 'malloc-count.c');
  await run('Building malloc-count', 'cc', ['-O2', '-shared', '-fPIC', '-o', library, source]);
  return library;
}

/**
 * What one of many idle subscriptions takes.
 * @param {string} server
 * @param {typeof HELD[number]} what
 * @returns {Promise<{ subscriptions: number, heap: number, allocated: number }>} bytes: in V8's heap, and
 *   outside of it
 */
async function held(server, { sockets, each, isPrivate }) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bench-'));
  const file = path.join(folder, 'count');
  const env = { LD_PRELOAD: await buildCounter(folder), MALLOC_COUNT_FILE: file };
  const app = await AppProcess.run(server, commandOf(server), env);
  const { clients, call } = await openClients(app.port, sockets);
  try {
    const name = isPrivate ? 'silentPrivate' : 'silent';
    const all = clients.flatMap((client) =>
      Array.from({ length: each }, (_, i) => [client, subscription(name, `key${i}`)]),
    );
    const subscribe = async (list) => {
      for (let at = 0; at < list.length; at += PARALLEL) {
        await Promise.all(
          list.slice(at, at + PARALLEL).map(([client, args]) => call(client, args)),
        );
      }
      await sleep(SETTLE);
      const { heapUsed } = await app.ask(QUESTIONS.memory);
      return { heap: heapUsed, allocated: Number(fs.readFileSync(file).readBigInt64LE()) };
    };
    const first = all.splice(0, all.length / 5);
    const before = await subscribe(first);
    const after = await subscribe(all);
    const gained = (key) => Math.round((after[key] - before[key]) / all.length);
    return { subscriptions: all.length, heap: gained('heap'), allocated: gained('allocated') };
  } finally {
    for (const client of clients) client.destroy();
    await app.stop();
    fs.rmSync(folder, { recursive: true });
  }
}

/**
 * Subscribes and unsubscribes.
 * @param {string} server
 * @param {number} total - cycles
 * @param {(line: string) => void} log
 * @returns {Promise<{ cycles: number, samples: NodeJS.MemoryUsage[], grown: string[] }>}
 */
async function cycles(server, total, log) {
  const app = await AppProcess.run(server, commandOf(server));
  const { clients, call } = await openClients(app.port, CLIENTS + 1);
  const samples = [];
  let done = 0;
  try {
    // The source of the first kind has another subscriber all the time.
    await call(clients.pop(), subscription('silent', 'held'));
    while (samples.length < ROUNDS) {
      const until = (total * (samples.length + 1)) / ROUNDS;
      const worker = async (client) => {
        while (done < until) {
          const n = done++;
          const { name, key } = CYCLES[n % CYCLES.length];
          const { subscription: number } = await call(client, subscription(name, key(n)));
          await call(client, `["loopback:unsubscribe",${number}]`);
        }
      };
      await Promise.all(clients.map(worker));
      await sleep(SETTLE / 3);
      const memory = await app.ask(QUESTIONS.memory);
      samples.push(memory);
      const [rss, heap] = [memory.rss, memory.heapUsed].map((bytes) => (bytes / 1e6).toFixed(1));
      log(`${server}: ${done} cycles; resident ${rss} MB, heap ${heap} MB`);
    }
  } finally {
    for (const client of clients) client.destroy();
    await app.stop();
  }
  const [warm, last] = [samples[WARM - 1], samples.at(-1)];
  const grown = Object.keys(LIMITS).filter((key) => last[key] - warm[key] > LIMITS[key]);
  return { cycles: done, samples: samples.map(({ rss, heapUsed }) => ({ rss, heapUsed })), grown };
}

module.exports = { CYCLES, HELD, SETTLE, buildCounter, cycles, held };
