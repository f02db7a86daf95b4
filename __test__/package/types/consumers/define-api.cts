// An API that is defined in one place, and the client of its type.
import LoopbackSocket = require('loopback-socket');
import { client } from 'loopback-socket/client';
import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import { BehaviorSubject, interval, type Observable } from 'rxjs';
import { io as connect } from 'socket.io-client';
import type { Expect, Same } from './expect';

interface Book {
  title: string;
}
declare const schema: LoopbackSocket.StandardSchema<{ page?: string }, { page: number }>;
const api = LoopbackSocket.defineApi({
  auth: (socket, credentials: { token: string }) => socket.id !== credentials.token,
  methods: {
    findBooks: async (socket, credentials, args: { author: string }): Promise<Book[]> => [
      { title: args.author + credentials.token + socket.id },
    ],
    count: () => 1,
    later: (socket, credentials, args: { n: number }, cb: LoopbackSocket.Callback<string>) =>
      cb(null, 'x'),
    page: {
      handler: (socket, credentials, args: { page: number }) => args.page,
      validate: schema,
      timeout: 100,
    },
    ctx: {
      context: true,
      handler: async (socket, credentials, args: { a: 1 }, { signal }) => signal.aborted,
    },
    model: { model: class {}, method: 'x', timeout: 5 },
    any: (socket, credentials, args) => String(args),
  },
  subscriptions: {
    ticks: async function* (socket, credentials, args: { every: number }) {
      yield args.every;
    },
    orders: {
      key: ({ shop }: { shop: number }) => String(shop),
      authorizeItem: (socket, item: Book) => true,
    },
    watch: {
      key: ({ shop }: { shop: number }) => ({ key: String(shop), args: { s: shop } }),
      handler: async function* (socket, credentials, args: { s: number }) {
        yield { id: args.s };
      },
    },
    tracked: (socket, credentials, args: { x: 1 }, { after }) =>
      LoopbackSocket.resumed([LoopbackSocket.tracked(1, 'a')]),
    published: { key: ({ topic }: { topic: string }) => topic },
  },
});
type Api = LoopbackSocket.ApiOf<typeof api>;
export type Inferred = [
  Expect<Same<Api['credentials'], { token: string }>>,
  Expect<Same<Api['methods']['findBooks'], (args: { author: string }) => Book[]>>,
  Expect<Same<Api['methods']['count'], (args: undefined) => number>>,
  Expect<Same<Api['methods']['later'], (args: { n: number }) => string>>,
  Expect<Same<Api['methods']['page'], (args: { page?: string }) => number>>,
  Expect<Same<Api['methods']['ctx'], (args: { a: 1 }) => boolean>>,
  Expect<Same<Api['methods']['model'], (args: any) => any>>,
  Expect<Same<Api['methods']['any'], (args: any) => string>>,
  Expect<Same<Api['subscriptions']['ticks'], (args: { every: number }) => number>>,
  Expect<Same<Api['subscriptions']['orders'], (args: { shop: number }) => Book>>,
  Expect<Same<Api['subscriptions']['watch'], (args: { shop: number }) => { id: number }>>,
  Expect<Same<Api['subscriptions']['tracked'], (args: { x: 1 }) => string>>,
  Expect<Same<Api['subscriptions']['published'], (args: { topic: string }) => any>>,
];

const sockets = LoopbackSocket.get('bookshop').define(api);
export type TypedInstance = Expect<Same<typeof sockets, ReturnType<typeof typed>>>;
function typed() {
  return LoopbackSocket.get<typeof api>('bookshop');
}
sockets.publish('published', { key: 'sport' }, 'a goal');
// @ts-expect-error no such subscription
sockets.publish('unknown', { key: 'sport' }, 'a goal');
// @ts-expect-error not what defineApi() gives
LoopbackSocket.get('bookshop').define({ methods: {} });

const app = client<typeof api>(connect(), { credentials: { token: 'open sesame' } });
app.call('findBooks', { author: 'Mary Shelley' }).then((books) => books satisfies Book[]);
app.call('count').then((count) => count satisfies number);
app
  .subscribe('orders', { shop: 7 })
  .next()
  .then(({ value }) => value?.title satisfies string | undefined);
// @ts-expect-error other arguments
app.call('findBooks', { title: 'Emma' });
// @ts-expect-error other credentials
client<typeof api>(connect(), { credentials: { password: 'guess' } });

// ---- sockets of npm socket.io, and what is wrong ----

import socketIo = require('socket.io');
LoopbackSocket.defineApi({
  auth: (socket: socketIo.Socket, credentials: { token: string }) => socket.handshake.secure,
  methods: { id: (socket: socketIo.Socket) => socket.id },
});
const nothing = LoopbackSocket.defineApi({});
export type Nothing = Expect<Same<LoopbackSocket.ApiOf<typeof nothing>['methods'], {}>>;
// @ts-expect-error a method is a handler
LoopbackSocket.defineApi({ methods: { count: 1 } });

// ---- every kind of source ----

interface OwnObservable {
  subscribe(observer: { next(value: Book): void; error?(reason: unknown): void }): unknown;
}
declare const anyObservable: Observable<any>;
const sources = LoopbackSocket.defineApi({
  subscriptions: {
    observable: () => interval(1000),
    subject: (socket, credentials, args: { x: 1 }) => new BehaviorSubject('a'),
    later: async () => interval(1000),
    resumed: () => LoopbackSocket.resumed(interval(1000)),
    anything: () => anyObservable,
    own: (): OwnObservable => ({ subscribe: () => {} }),
    web: () => new ReadableStream<Book>(),
    stream: () => Readable.from([1]),
    emitter: () => new EventEmitter(),
    array: async () => [1, 2],
    // an item with such fields has no id of its own
    items: () => [{ id: 1, item: 'a', source: 'b' }],
    unknown: (): any => [],
  },
});
type Sources = LoopbackSocket.ApiOf<typeof sources>['subscriptions'];
export type Items = [
  Expect<Same<ReturnType<Sources['observable']>, number>>,
  Expect<Same<ReturnType<Sources['subject']>, string>>,
  Expect<Same<Parameters<Sources['subject']>, [args: { x: 1 }]>>,
  Expect<Same<ReturnType<Sources['later']>, number>>,
  Expect<Same<ReturnType<Sources['resumed']>, number>>,
  Expect<Same<ReturnType<Sources['anything']>, any>>,
  Expect<Same<ReturnType<Sources['own']>, Book>>,
  Expect<Same<ReturnType<Sources['web']>, Book>>,
  Expect<Same<ReturnType<Sources['stream']>, any>>,
  Expect<Same<ReturnType<Sources['emitter']>, any>>,
  Expect<Same<ReturnType<Sources['array']>, number>>,
  Expect<Same<ReturnType<Sources['items']>, { id: number; item: string; source: string }>>,
  Expect<Same<ReturnType<Sources['unknown']>, any>>,
];
