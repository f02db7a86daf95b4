// One declared interface: credentials, methods and subscriptions.
import LoopbackSocket = require('loopback-socket');
import type { Expect, Same } from './expect';

interface Methods {
  findBooks(args: { author: string }): Array<{ title: string }>;
  count(): number;
}
interface Subscriptions {
  orders(args: { shop: number }): { id: number };
}
interface Api {
  credentials: { token: string };
  methods: Methods;
  subscriptions: Subscriptions;
}

const sockets = LoopbackSocket.get<Api>('bookshop');
export type DeclaredApi = Expect<
  Same<
    typeof sockets,
    LoopbackSocket<Api['credentials'], Methods, LoopbackSocket.Socket, Subscriptions>
  >
>;
sockets.auth((socket, { token }) => token === 'open sesame');
sockets.defineMethod('findBooks', (socket, { token }, args) => [{ title: token + args.author }]);
// @ts-expect-error no such method
sockets.defineMethod('findAuthors', () => []);
// @ts-expect-error another result
sockets.defineMethod('count', () => 'many');

// ---- parts of it ----

const withSocket = LoopbackSocket.get<Api, { mine: true }>('bookshop', 'none');
const onlyMethods = LoopbackSocket.get<{ methods: Methods }>('bookshop');
const onlySubscriptions = LoopbackSocket.get<{ subscriptions: Subscriptions }>('bookshop');
export type DeclaredParts = [
  Expect<
    Same<
      typeof withSocket,
      LoopbackSocket<Api['credentials'], Methods, { mine: true }, Subscriptions>
    >
  >,
  Expect<Same<typeof onlyMethods, LoopbackSocket<any, Methods, LoopbackSocket.Socket, {}>>>,
  Expect<
    Same<typeof onlySubscriptions, LoopbackSocket<any, {}, LoopbackSocket.Socket, Subscriptions>>
  >,
];
// @ts-expect-error no methods are declared
onlySubscriptions.defineMethod('count', () => 1);

// ---- without an interface, and in parts as before ----

const untyped = LoopbackSocket.get('bookshop');
const any = LoopbackSocket.get<any>('bookshop');
const credentials = LoopbackSocket.get<{ token: string }>('bookshop');
const unknown = LoopbackSocket.get<unknown>('bookshop');
const parts = LoopbackSocket.get<{ token: string }, Methods>('bookshop');
export type OtherTypeArguments = [
  Expect<Same<typeof untyped, LoopbackSocket>>,
  Expect<Same<typeof any, LoopbackSocket>>,
  Expect<Same<typeof credentials, LoopbackSocket<{ token: string }>>>,
  Expect<Same<typeof unknown, LoopbackSocket<unknown>>>,
  Expect<Same<typeof parts, LoopbackSocket<{ token: string }, Methods>>>,
];
