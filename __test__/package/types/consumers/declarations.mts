// What users export without naming its type: the compiler writes the types that it infers into their declarations.
import LoopbackSocket, { Server, defineApi } from 'loopback-socket';
import { client } from 'loopback-socket/client';
import { io as connect } from 'socket.io-client';
interface Api {
  credentials: { token: string };
  methods: { add(args: { a: number; b: number }): number };
  subscriptions: { orders(args: { shop: number }): { id: number } };
}
export const sockets = LoopbackSocket.get<Api>('bookshop');
export const untyped = LoopbackSocket.get('bookshop');
export const api = defineApi({
  auth: (socket, credentials: { token: string }) => credentials.token === 'x',
  onConnected: (socket) => socket.id,
  methods: {
    add: (socket, credentials, args: { a: number }) => args.a,
    page: { handler: (s, c, args: { x: 1 }) => args, timeout: 4 },
  },
  subscriptions: {
    orders: async function* (socket, credentials, args: { shop: number }) {
      yield { id: args.shop };
    },
  },
});
export const defined = LoopbackSocket.get('bookshop').define(api);
export class Shop {
  readonly sockets = LoopbackSocket.get<Api>('bookshop');
  readonly defined = LoopbackSocket.get('bookshop').define(api);
  readonly app = client<Api>(connect());
  add = (a: number) => this.app.call('add', { a, b: 1 });
  orders = () => this.app.subscribe('orders', { shop: 1 });
}
export const app = client<typeof api>(connect());
export const call = () => app.call('add', { a: 1 });
export const orders = () => app.subscribe('orders', { shop: 1 });
export function generic<A extends LoopbackSocket.ApiMap<A>>(name: string) {
  return LoopbackSocket.get<A>(name);
}
export function genericClient<A extends LoopbackSocket.ApiMap<A>>() {
  return client<A>(connect()).call;
}
export const define = sockets.defineMethod.bind(sockets);
export const revoke = sockets.revoke;
export const methods = sockets._methods;
export const use = sockets.use(async (call, next) => next());
export const figures = sockets.metrics();
export const figuresOfMethods = sockets.metrics().calls;
export const tracked = LoopbackSocket.tracked(1, 'a');
export const resumed = LoopbackSocket.resumed([tracked]);
export const make = defineApi;
interface FromClients {
  typing(room: string, ack: (n: number) => void): void;
}
interface ToClients {
  news(item: string, ack: (n: number) => void): void;
}
export const io = new Server<FromClients, ToClients, {}, { user: string }>(0);
export const operator = io.timeout(3).to('s').volatile;
export const answer = () => io.timeout(3).emitWithAck('news', 's');
export const fetchSockets = () => io.fetchSockets();
export const space = io.of('/x');
export const parent = io.of(/x/);
export const engine = io.engine;
export const adapter = io.sockets.adapter;
export const broadcast = (socket: LoopbackSocket.Socket) => socket.timeout(4).broadcast;
export const handshake = (socket: LoopbackSocket.Socket) => socket.handshake;
export const connection = (socket: LoopbackSocket.Socket) => socket.conn;
export const anyListeners = (socket: LoopbackSocket.Socket) => socket.listenersAny();
export const emits = io.emit;
export const ons = io.on;
export const ack = io.to('x').emitWithAck;
export const timeoutAck = (socket: Parameters<Parameters<typeof io.use>[0]>[0]) =>
  socket.timeout(3).emitWithAck;
