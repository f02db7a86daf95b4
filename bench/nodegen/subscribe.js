'use strict';

// The mode `subscribe`: clients subscribe to one name, the server is told to feed it a numbered series
// of items, and every subscriber must get every item once and in order. With `--missed`, the clients
// come when the items are past, and resume after the first.

const http = require('node:http');
const { setTimeout: sleep } = require('node:timers/promises');

/** Milliseconds between items that warm the server up. */
const WARMING_GAP = 20;
/** Clients that come back at a time. */
const PARALLEL = 32;
/** How long until all are subscribed, in ms. */
const SUBSCRIBING = 30_000;
/** How long all items may take, beside their gaps, in ms. */
const LIMIT = 60_000;
/** How long what subscribing leaves to do may take, in ms. */
const SETTLE = 500;

/** How each protocol subscribes; `after` is JSON. */
const SUBSCRIBE = {
  'socket-io': (name, after) =>
    `420["${name}",{"args":{}${after === undefined ? '' : `,"after":${after}`}}]`,
  'graphql-transport-ws': (name, after) => {
    const query = `subscription { ${name}${after === undefined ? '' : `(after: ${after})`} { seq pad } }`;
    return JSON.stringify({ id: '1', type: 'subscribe', payload: { query } });
  },
  trpc: (name, after) => {
    const input = after === undefined ? undefined : { lastEventId: JSON.parse(after) };
    const params = { path: name, input };
    return JSON.stringify({ id: 1, jsonrpc: '2.0', method: 'subscription', params });
  },
};

/** The item, and its id as JSON, of a message that has one; undefined of an answer. */
const ITEM = {
  'socket-io': (text) => {
    const [, item, { id }] = JSON.parse(text);
    return { item, id };
  },
  'graphql-transport-ws': (text, name) => {
    const { type, payload } = JSON.parse(text);
    if (type !== 'next') throw new Error(text.slice(0, 200));
    return { item: payload.data[name], id: 0 };
  },
  trpc: (text) => {
    const { result } = JSON.parse(text);
    if (result.type === 'started') return undefined;
    return result.id === undefined
      ? { item: result.data }
      : { item: result.data.data ?? result.data, id: result.id };
  },
};

/**
 * @param {import('./client').Target} target
 * @param {string} path
 * @returns {Promise<string>} what the server answers to a GET
 */
function ask({ host, port }, path) {
  return new Promise((resolve, reject) => {
    const request = http.get({ host, port, path, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => {
        text += part;
      });
      response.once('end', () => resolve(text));
    });
    request.once('error', reject);
  });
}

/** Clients of one process, and what they have got. */
class Subscribers {
  /**
   * @param {object} job
   * @param {object} tally
   * @param {(tally: object, kind: string, what: string) => void} complain
   */
  constructor(job, tally, complain) {
    this.job = job;
    this.tally = tally;
    this.complain = complain;
    const { name, size, target } = job;
    this.subscribe = SUBSCRIBE[target.protocol](name);
    this.read = ITEM[target.protocol];
    this.pad = 'x'.repeat(size);
    this.answered = 0;
    this.last = 0;
    this.handlers = {
      ack: (client, id, json) => {
        if (json.startsWith('[{"result":')) this.answered++;
        else complain(tally, 'mismatched', json.slice(0, 200));
      },
      event: (client, text) => this.#received(client, text),
      lost: (client, err) => complain(tally, 'errors', err.message),
    };
  }

  /**
   * Expects items.
   * @param {object} expected
   * @param {number} expected.first - the number of the first
   * @param {number} expected.end - the number behind the last
   * @param {number} expected.total - how many, over all clients
   * @returns {Promise<void>} fulfilled when all of them are there
   */
  expect({ first, end, total }) {
    this.first = first;
    this.end = end;
    this.left = total;
    return new Promise((resolve) => {
      this.whole = resolve;
      if (total === 0) resolve();
    });
  }

  /**
   * @param {object} client
   * @param {string} text
   */
  #received(client, text) {
    let seen;
    try {
      seen = this.read(text, this.job.name);
      if (seen === undefined) {
        this.answered++;
        return;
      }
    } catch (err) {
      this.complain(this.tally, 'mismatched', err.message);
      return;
    }
    const { item, id } = seen;
    const due = client.due ?? this.first;
    if (item.seq !== due || item.pad !== this.pad) {
      this.complain(this.tally, 'mismatched', `item ${due} was due: ${text.slice(0, 200)}`);
      return;
    }
    if (due === 0) this.firstId ??= JSON.stringify(id);
    client.due = due + 1;
    this.tally.done++;
    if (client.due === this.end) client.isWhole?.();
    if (--this.left === 0) {
      this.last = performance.now();
      this.whole();
    }
  }
}

/**
 * @param {Promise<void>} whole
 * @param {number} limit - in ms
 * @returns {Promise<void>} fulfilled when all is there or the limit is over
 */
const within = (whole, limit) => Promise.race([whole, sleep(limit, undefined, { ref: false })]);

/**
 * The mode.
 * @param {object} job
 * @param {object} tally
 * @param {object} tools - of the other modes
 * @param {(count: number, target: object, handlers: object, tally: object) => Promise<object[]>}
 *   tools.openAll
 * @param {(target: object, handlers: object) => object} tools.connect
 * @param {(clients: object[]) => Promise<void>} tools.leaveAll
 * @param {Function} tools.complain
 * @returns {{ open: () => Promise<void>, run: () => Promise<void>, close: () => Promise<void> }}
 */
function subscribe(job, tally, { openAll, connect, leaveAll, complain }) {
  const { connections, total, count, size, gap, warm, name, missed, isBroadcast, target } = job;
  const subscribers = new Subscribers(job, tally, complain);
  let clients = [];

  const subscribeAll = async (n) => {
    const until = performance.now() + SUBSCRIBING;
    const isAnswered = !isBroadcast && target.protocol !== 'graphql-transport-ws';
    if (!isBroadcast) for (const client of clients) client.send(subscribers.subscribe);
    const isReady = async () =>
      (!isAnswered || subscribers.answered >= clients.length) &&
      (await ask(target, `/ready?name=${name}&n=${n}`)) === 'true';
    while (!(await isReady())) {
      if (performance.now() > until) throw new Error('not all are subscribed');
      await sleep(50);
    }
    await sleep(SETTLE);
  };
  const feed = (items, between) =>
    ask(target, `/feed?name=${name}&count=${items}&size=${size}&gap=${between}`);
  /** Has clients come back, some at a time, each until it has what it missed. */
  const comeBack = async (n) => {
    let begun = 0;
    const visit = () =>
      new Promise((resolve) => {
        const client = connect(target, {
          ...subscribers.handlers,
          ready: (ready) => ready.send(subscribers.subscribe),
          lost: (lost, err) => {
            subscribers.handlers.lost(lost, err);
            resolve();
          },
        });
        client.isWhole = resolve;
        clients.push(client);
      });
    const worker = async () => {
      while (begun++ < n) await visit();
    };
    await Promise.all(Array.from({ length: PARALLEL }, worker));
  };

  const live = {
    async open() {
      clients = await openAll(connections, target, subscribers.handlers, tally);
      await subscribeAll(total);
    },
    /** Items that nobody counts: the server compiles what it runs. */
    async warm() {
      const whole = subscribers.expect({ first: 0, end: warm, total: connections * warm });
      if (job.isFirst) await feed(warm, WARMING_GAP);
      await within(whole, LIMIT);
      tally.done = 0;
      for (const client of clients) client.due = undefined;
    },
    async run({ begin }, now) {
      const whole = subscribers.expect({ first: 0, end: count, total: connections * count });
      if (job.isFirst) await feed(count, gap);
      await within(whole, LIMIT + gap * count);
      tally.unanswered = connections * count - tally.done;
      tally.elapsed = now() - begin;
    },
  };
  const returning = {
    async open() {
      clients = await openAll(1, target, subscribers.handlers, tally);
      await subscribeAll(1);
      const whole = subscribers.expect({ first: 0, end: missed + 1, total: missed + 1 });
      await feed(missed + 1, 0);
      await within(whole, LIMIT);
      if (subscribers.firstId === undefined) throw new Error('items have no id');
      subscribers.subscribe = SUBSCRIBE[target.protocol](name, subscribers.firstId);
    },
    async warm() {
      const whole = subscribers.expect({ first: 1, end: missed + 1, total: warm * missed });
      await comeBack(warm);
      await within(whole, LIMIT);
      tally.done = 0;
    },
    async run({ begin }, now) {
      subscribers.expect({ first: 1, end: missed + 1, total: connections * missed });
      await within(comeBack(connections), LIMIT);
      tally.unanswered = connections * missed - tally.done;
      tally.elapsed = now() - begin;
    },
  };
  return { ...(missed > 0 ? returning : live), close: () => leaveAll(clients) };
}

module.exports = { SUBSCRIBE, subscribe };
