// Subscriptions: handlers, keys, options, and what is published.
import { EventEmitter, on } from 'node:events';
import { Readable } from 'node:stream';
import LoopbackSocket = require('loopback-socket');
import type { Expect, Same } from './expect';

interface Order {
  id: number;
  total: number;
}

interface Api {
  credentials: { userId: number };
  methods: { noop(): void };
  subscriptions: {
    orders(args: { shop: number }): Order;
    ticks(): number;
  };
}

const sockets = LoopbackSocket.get<Api>('bookshop');
const untyped = LoopbackSocket.get('bookshop');
const bus = new EventEmitter();

// ---- handlers ----

sockets.defineSubscription('orders', async function* (socket, credentials, args, context) {
  type Types = [
    Expect<Same<typeof socket, LoopbackSocket.Socket>>,
    Expect<Same<typeof credentials, { userId: number }>>,
    Expect<Same<typeof args, { shop: number }>>,
    Expect<Same<typeof context.signal, AbortSignal>>,
    Expect<Same<typeof context.after, string | number | undefined>>,
  ];
  for await (const [order] of on(bus, `${args.shop}`, { signal: context.signal })) {
    yield order as Order & (Types extends never ? 1 : unknown);
  }
});
sockets.defineSubscription('ticks', () => [1, 2, 3]);
sockets.defineSubscription('ticks', async () => Readable.from([1, 2]));
sockets.defineSubscription('ticks', () => bus);
sockets.defineSubscription('ticks', (socket, credentials, args, context, cb) => cb(null, [1]));
sockets.defineSubscription('ticks', () => LoopbackSocket.resumed([LoopbackSocket.tracked('a', 1)]));
sockets.defineSubscription('ticks', { model: class {}, method: 'watch' });
sockets.defineSubscription('ticks');
// @ts-expect-error items of another type
sockets.defineSubscription('ticks', () => ['a']);
// @ts-expect-error nothing that yields items
sockets.defineSubscription('ticks', () => 42);
// @ts-expect-error no such subscription
sockets.defineSubscription('tocks', () => [1]);

// ---- options ----

sockets.defineSubscription('orders', {
  key: ({ shop }) => ({ key: String(shop), args: { shop } }),
  authorize: (socket, credentials, args) => credentials.userId === args.shop,
  authorizeItem: (socket, order) => order.total > 0,
  history: { size: 200, ttl: 60_000 },
  window: 32,
  maxQueuedBytes: 1_000_000,
  overflow: 'latest',
  ackTimeout: null,
  maxSources: Infinity,
});
sockets.defineSubscription(
  'orders',
  (socket, credentials) => {
    type Types = [Expect<Same<typeof socket, null>>, Expect<Same<typeof credentials, null>>];
    return [] satisfies Types | [];
  },
  { key: async ({ shop }) => `${shop}` },
);
sockets.defineSubscription('ticks', undefined, { key: () => 'all' });
// @ts-expect-error no such overflow
sockets.defineSubscription('ticks', () => [1], { overflow: 'drop' });
// @ts-expect-error no such option
sockets.defineSubscription('ticks', () => [1], { windows: 5 });

// ---- publishing ----

const isThere: boolean = sockets.publish('orders', { key: '7' }, { id: 1, total: 2 });
sockets.publish('ticks', {}, 1);
sockets.publish('ticks', undefined, 1);
// @ts-expect-error items of another type
sockets.publish('ticks', {}, 'a');
// @ts-expect-error a key is a string
sockets.publish('orders', { key: 7 }, { id: 1, total: 2 });
sockets.removeSubscription('orders');
// @ts-expect-error no such subscription
sockets.removeSubscription('tocks');

// ---- without an API ----

untyped.defineSubscription('anything', async function* (socket, credentials, { shop }) {
  yield shop;
});
untyped.publish('anything', { key: 'k' }, { at: new Date() });
sockets.start(3000, { maxSubscriptions: isThere ? 10 : Infinity });

// ---- what clients get ----

const meta: LoopbackSocket.ItemMeta = { source: 'x', id: 'x-1' };
const end: LoopbackSocket.SubscriptionEnd = { subscription: 1, reason: 'slow' };
const result: LoopbackSocket.SubscriptionResult = { subscription: 1, source: 'x', resumed: true };
void [meta, end, result];
