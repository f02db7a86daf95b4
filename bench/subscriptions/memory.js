'use strict';

// What idle subscriptions take of memory, and whether anything is left of those that have ended.
//
// Memory: clients connect and authenticate; garbage is collected and memory is read; all of them
// subscribe; garbage is collected and memory is read again. What the process gained is divided by the
// number of subscriptions. No source yields anything.
//
// Cycles: clients subscribe and unsubscribe, again and again; memory is read ten times.

const { setTimeout: sleep } = require('node:timers/promises');
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
 * What one of many idle subscriptions takes.
 * @param {string} server
 * @param {typeof HELD[number]} what
 * @returns {Promise<{ subscriptions: number, rss: number, heap: number, outside: number }>} bytes:
 *   resident, used in V8's heap, and resident outside of it
 */
async function held(server, { sockets, each, isPrivate }) {
  const app = await AppProcess.run(server, commandOf(server));
  const { clients, call } = await openClients(app.port, sockets);
  try {
    const name = isPrivate ? 'silentPrivate' : 'silent';
    const subscribe = (client, i) => call(client, subscription(name, `key${i}`));
    await sleep(SETTLE);
    const before = await app.ask(QUESTIONS.memory);
    for (let i = 0; i < each; i++) {
      for (let at = 0; at < clients.length; at += 500) {
        await Promise.all(clients.slice(at, at + 500).map((client) => subscribe(client, i)));
      }
    }
    await sleep(SETTLE);
    const after = await app.ask(QUESTIONS.memory);
    const subscriptions = sockets * each;
    const gained = (read) => Math.round((read(after) - read(before)) / subscriptions);
    return {
      subscriptions,
      rss: gained(({ rss }) => rss),
      heap: gained(({ heapUsed }) => heapUsed),
      outside: gained(({ rss, heapTotal }) => rss - heapTotal),
    };
  } finally {
    for (const client of clients) client.destroy();
    await app.stop();
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

module.exports = { CYCLES, HELD, cycles, held };
