'use strict';

// What one process of the generator does: its part of a mode, with its part of the clients. A mode
// is a function of a job that returns `open()`, which prepares, `run(times)`, which resolves when all
// is answered, and `close()`.

const http = require('node:http');
const { setTimeout: sleep } = require('node:timers/promises');
const { Client } = require('./client');
const { RawClient } = require('./raw-client');
const { subscribe } = require('./subscribe');

/** Handshakes of a process at a time while clients are opened. */
const PARALLEL = 32;

/** How long a server may take to answer what is outstanding when a run is over, in ms. */
const GRACE = 5000;

/** How long a client that failed waits before it comes again, in ms: what socket.io's wait at least. */
const RECONNECTION_DELAY = 500;

/** How long a storm may last, in ms. */
const STORM_LIMIT = 60_000;

/** Values of calls go round below this. */
const VALUES = 1_000_000;

/** `performance.now()` plus this is the monotonic clock that all processes share, in ms. */
const OFFSET = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** @returns {number} the monotonic clock that all processes share, in ms */
const now = () => performance.now() + OFFSET;

/**
 * What came of a part; those of all processes are added up.
 * @returns {{ done: number, errors: number, mismatched: number, unanswered: number,
 *   complaints: string[], samples: Record<string, number[]> }}
 */
const emptyTally = () => ({
  done: 0,
  errors: 0,
  mismatched: 0,
  unanswered: 0,
  complaints: [],
  samples: { latency: [] },
});

/**
 * @param {ReturnType<typeof emptyTally>} tally
 * @param {'errors'|'mismatched'} kind
 * @param {string} what
 */
function complain(tally, kind, what) {
  tally[kind]++;
  if (tally.complaints.length < 3) tally.complaints.push(what);
}

/** Calls of one method whose answers can be checked: `value` comes back doubled. */
class Calls {
  /**
   * @param {string} method
   * @param {number} payload - bytes of the arguments, if more than the bare ones have
   */
  constructor(method, payload) {
    const bare = '{"value":1000000,"pad":""}'.length;
    this.head = `[${JSON.stringify(method)},{"value":`;
    this.tail = payload > bare ? `,"pad":"${'x'.repeat(payload - bare)}"}]` : '}]';
  }

  /**
   * @param {Client} client
   * @param {number} id
   */
  send(client, id) {
    client.send(`42${id}${this.head}${(id % VALUES) + 1}${this.tail}`);
  }

  /**
   * @param {number} id
   * @param {string} json
   * @returns {boolean} whether it is the answer to the call of that id
   */
  static matches(id, json) {
    const value = 2 * ((id % VALUES) + 1);
    if (json === `[{"result":{"value":${value}}}]`) return true;
    try {
      return JSON.parse(json)[0].result.value === value;
    } catch (err) {
      return false;
    }
  }
}

/**
 * Begins to connect a client of what is spoken.
 * @param {import('./client').Target} target
 * @param {import('./client').Handlers} handlers
 * @returns {Client | RawClient}
 */
const connect = (target, handlers) =>
  target.protocol === 'socket-io' ? new Client(target, handlers) : new RawClient(target, handlers);

/**
 * Opens clients, a few at a time.
 * @param {number} count
 * @param {import('./client').Target} target
 * @param {object} handlers - what they tell once all are open
 * @param {ReturnType<typeof emptyTally>} tally
 * @returns {Promise<Client[]>}
 */
function openAll(count, target, handlers, tally) {
  const clients = [];
  let ready = 0;
  let begun = 0;
  return new Promise((resolve, reject) => {
    const next = () => {
      while (begun < count && begun - ready < PARALLEL) {
        const index = begun++;
        const client = connect(target, {
          ...handlers,
          ready: () => {
            ready++;
            if (ready === count) resolve(clients);
            else next();
          },
          lost: (lost, err) => {
            complain(tally, 'errors', err.message);
            reject(err);
          },
        });
        client.index = index;
        clients.push(client);
      }
    };
    if (count === 0) resolve(clients);
    next();
  });
}

/**
 * Has all clients leave, for a while.
 * @param {Client[]} clients
 * @returns {Promise<void>}
 */
async function leaveAll(clients) {
  for (const client of clients) client.leave();
  const until = now() + GRACE;
  while (clients.some(({ stage }) => stage !== 'gone') && now() < until) await sleep(10);
  for (const client of clients) client.destroy();
}

/**
 * Waits until something holds, for a while.
 * @param {() => boolean} holds
 * @param {number} until - of the shared clock
 * @returns {Promise<void>}
 */
async function wait(holds, until) {
  while (!holds() && now() < until) await sleep(5);
}

/** A closed loop: each client keeps a window of calls outstanding. */
function call(job, tally) {
  const { connections, window, method, payload, target } = job;
  const calls = new Calls(method, payload);
  let goesOn = true;
  let clients;
  let times;
  const begin = (client, id) => {
    client.open.set(id, performance.now());
    calls.send(client, id);
  };
  const ack = (client, id, json) => {
    const sent = client.open.get(id);
    if (sent === undefined) {
      complain(tally, 'errors', `an answer to nothing: ${id}`);
      return;
    }
    client.open.delete(id);
    if (!Calls.matches(id, json)) complain(tally, 'mismatched', json.slice(0, 200));
    const at = performance.now();
    if (at + OFFSET >= times.from && at + OFFSET < times.until) {
      tally.done++;
      tally.samples.latency.push(at - sent);
    }
    if (goesOn) begin(client, client.next++);
  };
  return {
    async open() {
      clients = await openAll(connections, target, { ack }, tally);
    },
    async run(given) {
      times = given;
      for (const client of clients) {
        client.open = new Map();
        client.next = window;
        for (let id = 0; id < window; id++) begin(client, id);
      }
      await sleep(times.until - now());
      goesOn = false;
      await wait(() => clients.every(({ open }) => open.size === 0), now() + GRACE);
      for (const { open } of clients) tally.unanswered += open.size;
    },
    close: () => leaveAll(clients),
  };
}

/** An open loop: calls leave on a schedule, and latency counts from when a call was due. */
function paced(job, tally) {
  const { connections, rate, method, payload, target } = job;
  const calls = new Calls(method, payload);
  const open = new Map();
  let clients;
  let times;
  tally.samples.service = [];
  const ack = (client, id, json) => {
    const call = open.get(id);
    open.delete(id);
    if (call === undefined) complain(tally, 'errors', `an answer to nothing: ${id}`);
    else if (!Calls.matches(id, json)) complain(tally, 'mismatched', json.slice(0, 200));
    else if (call.due >= times.from) {
      const at = now();
      tally.done++;
      tally.samples.latency.push(at - call.due);
      tally.samples.service.push(at - call.sent);
    }
  };
  return {
    tally,
    async open() {
      clients = await openAll(connections, target, { ack }, tally);
    },
    async run(given) {
      times = given;
      const period = 1000 / rate;
      let made = 0;
      for (let due = times.begin; due < times.until; due = times.begin + made * period) {
        const early = due - now();
        if (early > 0) {
          await sleep(early);
          continue;
        }
        open.set(made, { due, sent: now() });
        calls.send(clients[made % clients.length], made);
        made++;
        // What has come is read, too, when calls are late.
        if (made % 32 === 0) await new Promise(setImmediate);
      }
      await wait(() => open.size === 0, now() + GRACE);
      tally.unanswered = open.size;
    },
    close: () => leaveAll(clients),
  };
}

/** Clients that connect, authenticate, call once and leave, again and again. */
function churn(job, tally) {
  const { connections, method, target } = job;
  const calls = new Calls(method, 0);
  const clients = new Set();
  let id = 0;
  const visit = ({ from, until }) =>
    new Promise((resolve) => {
      const begun = now();
      const call = id++;
      const over = (client) => {
        clients.delete(client);
        resolve();
      };
      const client = new Client(target, {
        ready: () => calls.send(client, call),
        ack: (_, answered, json) => {
          if (answered === call && Calls.matches(call, json)) {
            if (now() < from || now() >= until) return client.leave();
            tally.samples.latency.push(now() - begun);
            tally.done++;
          } else {
            complain(tally, 'mismatched', json.slice(0, 200));
          }
          return client.leave();
        },
        left: () => over(client),
        lost: (_, err) => {
          complain(tally, 'errors', err.message);
          over(client);
        },
      });
      clients.add(client);
    });
  return {
    async open() {},
    async run(times) {
      const { until } = times;
      const worker = async () => {
        while (now() < until && tally.errors < 100) await visit(times);
      };
      await Promise.race([
        Promise.all(Array.from({ length: connections }, worker)),
        sleep(until - now() + GRACE, undefined, { ref: false }),
      ]);
      tally.unanswered = clients.size;
    },
    close: () => leaveAll([...clients]),
  };
}

/**
 * Clients that all come at once, call once, and stay. One that is turned away or gives up comes again,
 * as clients do.
 */
function storm(job, tally) {
  const { connections, method, target } = job;
  const calls = new Calls(method, 0);
  const clients = [];
  tally.reconnections = 0;
  const visit = (id, begun, answered) => {
    let isAnswered = false;
    clients[id] = new Client(target, {
      ready: (client) => calls.send(client, id),
      ack: (_, number, json) => {
        isAnswered = true;
        if (number === id && Calls.matches(id, json)) tally.done++;
        else complain(tally, 'mismatched', json.slice(0, 200));
        tally.samples.latency.push(now() - begun);
        answered();
      },
      lost: () => {
        if (isAnswered) return;
        tally.reconnections++;
        setTimeout(() => visit(id, begun, answered), RECONNECTION_DELAY);
      },
    });
  };
  return {
    async open() {},
    async run({ begin }) {
      const each = Array.from({ length: connections }, (_, id) => id);
      const all = Promise.all(
        each.map((id) => new Promise((resolve) => visit(id, begin, resolve))),
      );
      await Promise.race([all, sleep(STORM_LIMIT, undefined, { ref: false })]);
      tally.unanswered = connections - tally.done - tally.mismatched;
    },
    close: () => leaveAll(clients),
  };
}

/** Clients that are sent a numbered series of events; the first of the first process asks for it. */
function fanout(job, tally) {
  const { connections, count, size, gap, isFirst, extra, target } = job;
  let clients;
  let whole = 0;
  let last = 0;
  let finish;
  const isWhole = new Promise((resolve) => {
    finish = resolve;
  });
  const event = (client, json) => {
    const [name, { seq }] = JSON.parse(json);
    if (name !== 'news' || seq !== client.seq) {
      complain(tally, 'mismatched', `event ${client.seq} was due, and ${seq} came`);
    }
    client.seq = seq + 1;
    tally.done++;
    if (client.seq !== count) return;
    last = now();
    if (++whole === connections) finish();
  };
  return {
    async open() {
      clients = await openAll(connections, target, { event, ack: () => {} }, tally);
      for (const client of clients) client.seq = 0;
    },
    async run({ begin }) {
      const ask = JSON.stringify(['broadcast', { count, size, gap, ...extra }]);
      if (isFirst) clients[0].send(`420${ask}`);
      await Promise.race([isWhole, sleep(60_000 + gap * count, undefined, { ref: false })]);
      tally.unanswered = connections * count - tally.done;
      tally.elapsed = last - begin;
    },
    close: () => leaveAll(clients),
  };
}

/** Requests of REST in a closed loop, beside sockets that call at a rate. */
function rest(job, tally) {
  const sockets = paced(job, emptyTally());
  const agent = new http.Agent({ keepAlive: job.keepAlive, maxSockets: job.requests });
  const { host, port } = job.target;
  let id = 0;
  const get = (value) =>
    new Promise((resolve, reject) => {
      const path = `/api/double?value=${value}`;
      http
        .get({ host, port, path, agent }, (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (part) => {
            text += part;
          });
          response.once('end', () => resolve(text));
        })
        .once('error', reject);
    });
  return {
    open: () => sockets.open(),
    async run(times) {
      const worker = async () => {
        while (now() < times.until) {
          const value = id++ % VALUES;
          const begun = now();
          const text = await get(value);
          const at = now();
          if (text !== JSON.stringify({ value: 2 * value })) {
            complain(tally, 'mismatched', text.slice(0, 200));
          } else if (begun >= times.from && at < times.until) {
            tally.done++;
            tally.samples.latency.push(at - begun);
          }
        }
      };
      const workers = Array.from({ length: job.requests }, worker);
      const calls = await Promise.all([sockets.run(times), ...workers]).then(() => sockets.tally);
      tally.samples.service = calls.samples.latency;
      for (const key of ['errors', 'mismatched', 'unanswered']) tally[key] += calls[key];
      tally.complaints.push(...calls.complaints);
    },
    close: async () => {
      agent.destroy();
      await sockets.close();
    },
  };
}

const MODES = {
  ...{ call, paced, churn, storm, fanout, rest },
  subscribe: (job, tally) => subscribe(job, tally, { openAll, connect, leaveAll, complain }),
};

module.exports = { Calls, MODES, emptyTally, now, openAll };
