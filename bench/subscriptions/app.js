'use strict';

// The server under test of subscriptions: `node bench/subscriptions/app.js <server>`. It listens on a
// port of its own choice, lives as long as its standard input, and answers two requests:
//
//   GET /ready?name=…&n=…                    whether so many subscribers are there
//   GET /feed?name=…&count=…&size=…&gap=…    begins to feed numbered items: all at once without `gap`
//
// `orders` has one source on our servers (`key`), `ordersPrivate` one for each subscriber; on the peers
// every subscription has its own in any case. `journal` can be resumed.
//
// BENCH_WINDOW: the window of `orders`, 32 if it is not given.
// BENCH_PUBLISH: has `orders` be published, without a handler.

const { EventEmitter, on } = require('node:events');
const http = require('node:http');
const { answerParent, sayReady } = require('../control');
const { fromPeers } = require('../servers');

const ours = () => require(process.env.BENCH_PACKAGE ?? '../..');

/** How many items of the journal are kept. */
const HISTORY = 200;

/** The time between the answer to `GET /feed` and the first item, in ms. */
const LEAD = 20;

/** Where items come from. */
const bus = new EventEmitter().setMaxListeners(0);

/** The last items of the journal, for the peers, which leave keeping them to the application. */
const kept = [];
bus.on('journal', (item) => {
  kept.push(item);
  if (kept.length > HISTORY) kept.shift();
});

/**
 * @param {string} name
 * @param {AbortSignal} [signal]
 * @returns {AsyncGenerator<{ seq: number, pad: string }>} the items from now on
 */
async function* itemsOf(name, signal) {
  for await (const [item] of on(bus, name, { signal })) yield item;
}

/**
 * @param {number | undefined} after - the number of an item
 * @param {AbortSignal} [signal]
 * @returns {AsyncGenerator<{ seq: number, pad: string }>} the items of the journal behind that one
 */
async function* journalFrom(after, signal) {
  const next = on(bus, 'journal', { signal });
  const missed = after === undefined ? [] : kept.filter(({ seq }) => seq > after);
  yield* missed;
  const last = missed.at(-1)?.seq ?? after ?? -1;
  for await (const [item] of next) if (item.seq > last) yield item;
}

/**
 * Our own server.
 * @param {any} io
 * @returns {{ isReady: (name: string, n: number) => boolean }}
 */
function serveOurs(io) {
  const sockets = ours().get('bench', 'none');
  const handler =
    (name) =>
    (socket, credentials, args, { signal }) =>
      itemsOf(name, signal);
  const key = () => ({ key: 'all' });
  sockets.auth(() => ({ id: 1 }));
  const window = Number(process.env.BENCH_WINDOW ?? 32);
  if (process.env.BENCH_PUBLISH) {
    sockets.defineSubscription('orders', { key, window });
    bus.on('orders', (item) => sockets.publish('orders', { key: 'all' }, item));
  } else {
    sockets.defineSubscription('orders', handler('orders'), { key, window });
  }
  sockets.defineSubscription('ordersPrivate', handler('ordersPrivate'));
  const history = { size: HISTORY, ttl: 60_000 };
  sockets.defineSubscription('journal', handler('journal'), { key, history });
  // For how much memory a subscription takes: as many sources as keys, none of which yields.
  const silent = (socket, credentials, args, { signal }) => itemsOf('silence', signal);
  const byKey = (args) => ({ key: String(args.key), args: {} });
  sockets.defineSubscription('silent', silent, { key: byKey });
  // Not `events.on()`, which alone takes 33 KB.
  sockets.defineSubscription('silentPrivate', async function* (_, credentials, args, { signal }) {
    await new Promise((resolve) => {
      signal.onabort = resolve;
    });
    yield 'never';
  });
  sockets.start(io);
  const isShared = (name) => name === 'orders' || name === 'journal';
  return {
    // What `journal` keeps for the peers listens, too.
    isReady: (name, n) =>
      bus.listenerCount(name) - Number(name === 'journal') >= (isShared(name) ? 1 : n),
  };
}

/** The peers listen for each subscriber. */
const onePerSubscriber = {
  isReady: (name, n) => bus.listenerCount(name) - Number(name === 'journal') >= n,
};

/** What serves, by its name. */
const SERVERS = {
  native: (server) => serveOurs(new (ours().Server)(server)),
  'hosted-4': (server) => serveOurs(new (require('socket.io').Server)(server)),
  broadcast(server) {
    const io = new (ours().Server)(server);
    const sockets = ours().get('bench', 'none');
    sockets.auth(() => ({ id: 1 }));
    sockets.onConnected((socket) => socket.join('audience'));
    sockets.start(io);
    let offset = 0;
    // The same bytes as an item of a subscription.
    bus.on('orders', (item) => {
      io.to('audience').emit('orders', item, { source: 'Zk3v9xQ0', id: `Zk3v9xQ0-${++offset}` });
    });
    return { isReady: () => true };
  },
  'graphql-ws'(server) {
    const { WebSocketServer } = fromPeers('ws');
    const { useServer } = fromPeers('graphql-ws/use/ws');
    const { buildSchema } = fromPeers('graphql');
    const schema = buildSchema(`
      type Item { seq: Int!, pad: String! }
      type Query { none: Int }
      type Subscription { orders: Item!, ordersPrivate: Item!, journal(after: Int): Item! }
    `);
    const fields = schema.getSubscriptionType().getFields();
    const resolve = (item) => item;
    Object.assign(fields.orders, { subscribe: () => itemsOf('orders'), resolve });
    Object.assign(fields.ordersPrivate, { subscribe: () => itemsOf('ordersPrivate'), resolve });
    Object.assign(fields.journal, { subscribe: (_, { after }) => journalFrom(after), resolve });
    useServer({ schema }, new WebSocketServer({ server, path: '/graphql' }));
    return onePerSubscriber;
  },
  trpc(server) {
    const { WebSocketServer } = fromPeers('ws');
    const { applyWSSHandler } = fromPeers('@trpc/server/adapters/ws');
    const { initTRPC, tracked } = fromPeers('@trpc/server');
    const t = initTRPC.create();
    const router = t.router({
      orders: t.procedure.subscription(({ signal }) => itemsOf('orders', signal)),
      ordersPrivate: t.procedure.subscription(({ signal }) => itemsOf('ordersPrivate', signal)),
      journal: t.procedure
        .input((input) => input)
        .subscription(async function* ({ input, signal }) {
          const after = input?.lastEventId === undefined ? undefined : Number(input.lastEventId);
          for await (const item of journalFrom(after, signal)) {
            yield tracked(String(item.seq), item);
          }
        }),
    });
    applyWSSHandler({ wss: new WebSocketServer({ server, path: '/trpc' }), router });
    return onePerSubscriber;
  },
};

/**
 * Feeds a numbered series of items.
 * @param {object} request
 * @param {string} request.name
 * @param {number} request.count
 * @param {number} request.size - bytes of padding in each
 * @param {number} request.gap - ms between two of them; all at once if 0
 */
function feed({ name, count, size, gap }) {
  const pad = 'x'.repeat(size);
  let seq = 0;
  if (gap === 0) {
    setTimeout(() => {
      while (seq < count) bus.emit(name, { seq: seq++, pad });
    }, LEAD);
    return;
  }
  const timer = setInterval(() => {
    bus.emit(name, { seq: seq++, pad });
    if (seq === count) clearInterval(timer);
  }, gap);
}

/**
 * @param {string} name - of the server
 */
function main(name) {
  const httpServer = http.createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://localhost');
    const number = (field) => Number(searchParams.get(field));
    const topic = searchParams.get('name');
    let body;
    if (pathname === '/ready') {
      body = String(subscribers.isReady(topic, number('n')));
    } else if (pathname === '/feed') {
      const [count, size, gap] = ['count', 'size', 'gap'].map(number);
      feed({ name: topic, count, size, gap });
      body = 'true';
    }
    response.writeHead(body ? 200 : 404, { 'Content-Length': body?.length ?? 0 }).end(body);
  });
  const subscribers = SERVERS[name](httpServer);
  answerParent();
  httpServer.listen(0, '127.0.0.1', () => sayReady(httpServer.address().port));
}

main(process.argv[2]);
