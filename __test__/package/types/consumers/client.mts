// The helper for clients, as an ES module: in Node, behind a bundler, in a page.
import { io as connect } from 'socket.io-client';
import {
  client,
  Client,
  DisconnectedError,
  RemoteError,
  SubscriptionError,
  TimeoutError,
  UnauthorizedError,
  type ClientState,
  type Subscription,
} from 'loopback-socket/client';
import type { Expect, Same } from './expect.js';

interface Book {
  title: string;
}
interface Api {
  credentials: { token: string };
  methods: {
    findBooks(args: { author: string }): Book[];
    count(): number;
    search(args?: { text: string }): Promise<Book>;
  };
  subscriptions: {
    orders(args: { shop: number }): { id: number };
    news(): string;
  };
}

const socket = connect('http://localhost');
const app = client<Api>(socket, { credentials: { token: 'open sesame' }, timeout: 1000 });
client<Api>(socket, { credentials: async () => ({ token: 'open sesame' }) });
client<Api>(socket, { credentials: () => ({ token: '' }), disconnectWhenUnauthorized: true });
new Client<Api>(socket) satisfies typeof app;
// @ts-expect-error other credentials
client<Api>(socket, { credentials: { password: 'guess' } });
// @ts-expect-error no such option
client(socket, { retries: 3 });
// @ts-expect-error no socket
client({});
// @ts-expect-error a method is a function
client<{ methods: { count: number } }>(socket);

// ---- authentication ----

await app.ready;
app.state satisfies ClientState;
app.addEventListener('statechange', () => app.state === 'ready');
await app.authenticate();
await app.authenticate({ token: 'renewed' });
// @ts-expect-error other credentials
await app.authenticate({ password: 'guess' });

// ---- calls ----

const books = await app.call('findBooks', { author: 'Mary Shelley' });
const count = await app.call('count');
const found = await app.call('search', undefined, { timeout: 100 });
export type Results = [
  Expect<Same<typeof books, Book[]>>,
  Expect<Same<typeof count, number>>,
  Expect<Same<typeof found, Book>>,
];
app.call('search');
app.call('count', undefined, { signal: new AbortController().signal });
// @ts-expect-error arguments are missing
app.call('findBooks');
// @ts-expect-error other arguments
app.call('findBooks', { title: 'Emma' });
// @ts-expect-error no such method
app.call('findAuthors');
// @ts-expect-error a subscription is not a method
app.call('orders', { shop: 7 });

// ---- subscriptions ----

const orders = app.subscribe('orders', { shop: 7 }, { onGap: () => app.call('count') });
export type Orders = Expect<Same<typeof orders, Subscription<{ id: number }>>>;
await orders.ready;
for await (const order of orders) {
  order.id satisfies number;
  // @ts-expect-error no such field
  order.title;
  break;
}
for await (const text of app.subscribe('news')) text satisfies string;
app.subscribe('news', undefined, { after: orders.lastId ?? 'x' });
// @ts-expect-error arguments are missing
app.subscribe('orders');
// @ts-expect-error a method is not a subscription
app.subscribe('count');

// ---- without an interface ----

const any = client(socket);
const anything = await any.call('anything', 1);
for await (const item of any.subscribe('everything')) item.anything;
export type Untyped = Expect<Same<typeof anything, any>>;

// ---- errors ----

try {
  await app.call('count');
} catch (error) {
  if (error instanceof RemoteError) error.issues?.[0]?.message satisfies string | undefined;
  else if (error instanceof UnauthorizedError) error.refusal;
  else if (error instanceof TimeoutError) error.code satisfies 'ERR_LOOPBACK_SOCKET_TIMEOUT';
  else if (error instanceof DisconnectedError) error.reason satisfies string;
  else if (error instanceof SubscriptionError) error.reason === 'slow';
}
app.close();
