// The native server with typed events, as socket.io has them.
import LoopbackSocket = require('loopback-socket');
import type { Expect, Same } from './expect';

interface FromClients {
  hello: (name: string) => void;
  sum: (a: number, b: number, acknowledge: (total: number) => void) => void;
}
interface ToClients {
  welcome: (name: string, visits: number) => void;
  bye: () => void;
  question: (text: string, acknowledge: (answer: string, sure: boolean) => void) => void;
  ready: (acknowledge: () => void) => void;
  message: (text: string) => void;
}
interface BetweenServers {
  counted: (visits: number) => void;
  count: (what: string, acknowledge: (visits: number) => void) => void;
}
interface Data {
  userId: number;
}
type Io = LoopbackSocket.Server<FromClients, ToClients, BetweenServers, Data>;
type Client = LoopbackSocket.Socket<FromClients, ToClients, BetweenServers, Data>;

const io: Io = new LoopbackSocket.Server<FromClients, ToClients, BetweenServers, Data>();
const shop = io.of('/shop');
export type TypedNamespace = Expect<
  Same<typeof shop, LoopbackSocket.Namespace<FromClients, ToClients, BetweenServers, Data>>
>;

// ---- what clients send ----

io.on('connection', (socket) => {
  type Types = [
    Expect<Same<typeof socket, Client>>,
    Expect<Same<typeof socket.data, Data>>,
    Expect<Same<typeof socket.server, Io>>,
    Expect<Same<typeof socket.nsp, typeof shop>>,
  ];
  socket.on('hello', (name) => [name satisfies string, [] satisfies Types | []]);
  socket.once('sum', (a, b, acknowledge) => {
    type Acknowledge = Expect<Same<typeof acknowledge, (total: number) => void>>;
    acknowledge(a + b + ([] satisfies Acknowledge | []).length);
    // @ts-expect-error a number
    acknowledge('3');
  });
  socket.on('disconnect', (reason) => reason satisfies LoopbackSocket.DisconnectReason);
  socket.data.userId.toFixed();
  // @ts-expect-error no such event
  socket.on('goodbye', () => {});
  // @ts-expect-error a string
  socket.on('hello', (name: number) => name);
  // @ts-expect-error one argument too many
  socket.on('hello', (name, more) => more);
  // @ts-expect-error an event that the client is sent
  socket.on('welcome', () => {});
  // @ts-expect-error no such data
  socket.data.name;

  // ---- what clients are sent ----

  socket.emit('welcome', 'Mary', 2);
  socket.emit('bye');
  socket.emit('question', 'why?', (answer, sure) => {
    type Answer = [Expect<Same<typeof answer, string>>, Expect<Same<typeof sure, boolean>>];
    return [] satisfies Answer | [];
  });
  socket.timeout(1000).emit('question', 'why?', (err, answer) => {
    type Answer = [Expect<Same<typeof err, Error>>, Expect<Same<typeof answer, string>>];
    return [] satisfies Answer | [];
  });
  socket.emitWithAck('question', 'why?') satisfies Promise<string>;
  socket.emitWithAck('ready') satisfies Promise<undefined>;
  socket.timeout(1000).emitWithAck('question', 'why?') satisfies Promise<string>;
  socket.send('hello').write('hello');
  socket.broadcast.emit('welcome', 'Mary', 2);
  socket
    .to('readers')
    .timeout(1)
    .emit('question', 'why?', (err, answers) => {
      type Answer = [Expect<Same<typeof err, Error>>, Expect<Same<typeof answers, string[]>>];
      return [] satisfies Answer | [];
    });
  // @ts-expect-error an argument is missing
  socket.emit('welcome', 'Mary');
  // @ts-expect-error a string
  socket.emit('welcome', 1, 2);
  // @ts-expect-error an event that the client sends
  socket.emit('hello', 'Mary');
  // @ts-expect-error no acknowledgement to wait for
  socket.emitWithAck('welcome', 'Mary', 2);
  // @ts-expect-error no acknowledgement to wait for
  socket.emitWithAck('bye');
  // @ts-expect-error a string
  socket.send(1);
});

for (const emitter of [io, shop]) {
  emitter.emit('welcome', 'Mary', 2);
  emitter.send('hello');
  emitter.timeout(1).emit('question', 'why?', (err, answers) => {
    type Answer = [Expect<Same<typeof err, Error>>, Expect<Same<typeof answers, string[]>>];
    return [] satisfies Answer | [];
  });
  emitter.timeout(1).emitWithAck('question', 'why?') satisfies Promise<string[]>;
  emitter.timeout(1).emitWithAck('ready') satisfies Promise<undefined>;
  emitter.to('readers').timeout(1).emitWithAck('question', 'why?') satisfies Promise<string[]>;
  // @ts-expect-error without a timeout nothing is waited for
  emitter.to('readers').emitWithAck('question', 'why?');
  // @ts-expect-error acknowledgements need a timeout
  emitter.emit('question', 'why?', () => {});
  // @ts-expect-error no such event
  emitter.emit('goodbye');
  // @ts-expect-error a number
  emitter.to('readers').emit('welcome', 'Mary', '2');
}

// ---- sockets that are fetched ----

export async function fetched() {
  const all = await io.fetchSockets();
  const some = await io.in('readers').fetchSockets();
  type Types = [
    Expect<Same<typeof all, Array<LoopbackSocket.RemoteSocket<ToClients, Data>>>>,
    Expect<Same<typeof some, Array<LoopbackSocket.RemoteSocket<ToClients, Data>>>>,
  ];
  some[0]?.data.userId.toFixed();
  // an answer of one socket, though it was found among many
  some[0]?.emit('question', 'why?', (answer) => answer satisfies string);
  // @ts-expect-error no such event
  some[0]?.emit('goodbye');
  return [] satisfies Types | [];
}

// ---- between servers ----

io.on('counted', (visits) => visits satisfies number);
io.on('count', (what, acknowledge) => acknowledge(what.length));
shop.on('counted', (visits) => visits satisfies number);
io.serverSideEmit('counted', 1);
io.serverSideEmit('count', 'visits', (err, visits) => {
  type Answer = [Expect<Same<typeof err, Error>>, Expect<Same<typeof visits, number[]>>];
  return [] satisfies Answer | [];
});
io.serverSideEmitWithAck('count', 'visits') satisfies Promise<number[]>;
// @ts-expect-error no acknowledgement to wait for
io.serverSideEmitWithAck('counted', 1);
// @ts-expect-error no such event
io.serverSideEmit('forgotten');
// @ts-expect-error an event of clients
io.on('hello', () => {});

// ---- one map for both ways, and any ----

const both = new LoopbackSocket.Server<{ news: (title: string) => void }>();
both.emit('news', 'Emma');
both.on('connection', (socket) => socket.on('news', (title) => title satisfies string));
// @ts-expect-error a string
both.emit('news', 1);
new LoopbackSocket.Server<any, any>().emit('anything', 1, 2, 3);

// ---- with a LoopbackSocket ----

interface BookshopMethods {
  findBooks(args: { author: string }): Array<{ title: string }>;
}
type BookshopClients = LoopbackSocket.ClientToServerEvents<{ token: string }, BookshopMethods>;
const bookshopIo = new LoopbackSocket.Server<
  BookshopClients,
  LoopbackSocket.ServerToClientEvents
>();
type BookshopSocket = LoopbackSocket.Socket<BookshopClients, LoopbackSocket.ServerToClientEvents>;

const bookshop = LoopbackSocket.get<{ token: string }, BookshopMethods, BookshopSocket>('bookshop');
bookshop.start(bookshopIo);
bookshop.start(bookshopIo.of('/admin'));
bookshop.start(bookshopIo.of(/^\/shop-/));
bookshop.start(io);
bookshop.auth((socket, credentials) => {
  type Types = [Expect<Same<typeof socket, BookshopSocket>>];
  socket.on('findBooks', ({ author }) => [author satisfies string, [] satisfies Types | []]);
  socket.on('authentication', ({ token }) => token satisfies string);
  return credentials.token !== '';
});
