// A TypeScript CommonJS module, `import = require`.
import { createServer } from 'node:http';
import LoopbackSocket = require('loopback-socket');
import type { Expect, Same } from './expect';

interface Credentials {
  id: string;
  userId: number;
}

interface Book {
  title: string;
  year: number;
}

interface BookshopMethods {
  findBooks(args: { author: string; limit?: number }): Book[];
  count(): number;
}

// ---- instances ----

const untyped = LoopbackSocket.get('bookshop');
export type UntypedInstance = Expect<Same<typeof untyped, LoopbackSocket>>;
LoopbackSocket.get('bookshop', 2000);
LoopbackSocket.get('bookshop', '2000');
LoopbackSocket.get('bookshop', 'none');
new LoopbackSocket('bookshop', 1000);
// @ts-expect-error a name is needed
LoopbackSocket.get();
// @ts-expect-error a name is a string
LoopbackSocket.get(1);
// @ts-expect-error a timeout is a number or 'none'
LoopbackSocket.get('bookshop', 'never');

const sockets = LoopbackSocket.get<Credentials, BookshopMethods>('bookshop');

// ---- handlers: values, promises, callbacks, models ----

sockets.auth((socket, credentials) => {
  type Types = [
    Expect<Same<typeof socket, LoopbackSocket.Socket>>,
    Expect<Same<typeof credentials, Credentials>>,
  ];
  return credentials.userId > 0 && ({} as Types) !== null;
});
sockets.auth(async () => true);
sockets.auth((socket, credentials, cb) => {
  type Types = [Expect<Same<typeof cb, LoopbackSocket.Callback<unknown>>>];
  cb(null, {} as Types);
});
sockets.auth(function (socket, credentials) {
  if (socket.id === '') throw credentials;
});
sockets.auth({ model: class {}, method: 'notYetDefined' });
// @ts-expect-error no function
sockets.auth('authenticate');
// @ts-expect-error the name of the method is missing
sockets.auth({ model: class {} });
// @ts-expect-error other credentials
sockets.auth((socket, credentials: { password: string }) => credentials);
// @ts-expect-error a fourth parameter is never given
sockets.auth((socket, credentials, cb, more) => more);
// @ts-expect-error no such field
sockets.auth((socket, credentials) => credentials.password);

const welcome: LoopbackSocket.ConnectedHandler<Credentials> = (socket, credentials) => {
  socket.join(`customer ${credentials.userId}`);
};
sockets.onConnected(welcome);
sockets.onConnected((socket, credentials, cb) => cb());
sockets.onConnected({ model: Object, method: 'keys' });
sockets.removeOnConnected(welcome);
sockets.removeOnConnected({ model: Object, method: 'keys' });

sockets.defineMethod('findBooks', async (socket, credentials, args) => {
  type Types = [
    Expect<Same<typeof credentials, Credentials>>,
    Expect<Same<typeof args, { author: string; limit?: number }>>,
  ];
  return [{ title: args.author, year: 1818 }] satisfies Book[] &
    (Types extends never ? 1 : unknown);
});
sockets.defineMethod('findBooks', () => [{ title: 'Emma', year: 1815 }]);
sockets.defineMethod('findBooks', (socket, credentials, args, cb) => {
  type Types = [Expect<Same<typeof cb, LoopbackSocket.Callback<Book[]>>>];
  cb(null, [] satisfies Types | []);
  cb(new Error('no books'));
  // @ts-expect-error another result
  cb(null, 'Emma');
});
sockets.defineMethod('findBooks', { model: class {}, method: 'find' });
sockets.defineMethod('count', (socket, credentials, args) => {
  type Types = [Expect<Same<typeof args, undefined>>];
  return ([] satisfies Types | []).length;
});
sockets.removeMethod('count');
// @ts-expect-error no such method
sockets.defineMethod('findAuthors', () => []);
// @ts-expect-error another result
sockets.defineMethod('count', () => 'many');
// @ts-expect-error another result, promised
sockets.defineMethod('count', async () => 'many');
// @ts-expect-error other arguments
sockets.defineMethod('findBooks', (socket, credentials, args: { title: string }) => [args]);
// @ts-expect-error no such method
sockets.removeMethod('findAuthors');

untyped.defineMethod('anything', (socket, credentials, args) => args.anything);
untyped.defineMethod('sum', (socket, credentials, args: { a: number; b: number }) => args.a);

const add: LoopbackSocket.Method<Credentials, { a: number }, number> = (
  socket,
  credentials,
  args,
) => args.a;
untyped.defineMethod('add', add);
// @ts-expect-error a socket is not answered with its own handler's arguments
untyped.defineMethod('add');

// ---- what is served ----

const httpServer = createServer();
const io = new LoopbackSocket.Server(httpServer, { path: '/ws', pingInterval: 1000 });
new LoopbackSocket.Server(createServer(), { maxHttpBufferSize: 1e6, serveClient: false });
new LoopbackSocket.Server(0);
// @ts-expect-error no such option
new LoopbackSocket.Server(0, { pingIntervall: 1000 });
// @ts-expect-error an option of another type
new LoopbackSocket.Server(0, { path: 1 });
// @ts-expect-error neither a server nor a port
new LoopbackSocket.Server('somewhere');

sockets.start(io);
sockets.start(io.of('/admin'));
sockets.start(httpServer);
sockets.start(3000);
sockets.start('3000');
sockets.start(io, { open: ['/admin', /^\/public/] });
sockets.start(io, {});
// @ts-expect-error names and patterns, in an array
sockets.start(io, { open: '/admin' });
// @ts-expect-error there is no such option
sockets.start(io, { opened: [] });
// @ts-expect-error no port
sockets.start('somewhere');
export type StartReturnsNothing = Expect<Same<ReturnType<typeof sockets.start>, void>>;
// @ts-expect-error has no `on`
sockets.start({});
// @ts-expect-error nothing to serve
sockets.start();

// ---- the native server ----

declare const something: unknown;
if (something instanceof LoopbackSocket.Socket) something.join('readers');
if (something instanceof LoopbackSocket.Namespace) something.emit('bookAdded');

io.on('connection', (socket) => {
  type Types = [
    Expect<Same<typeof socket, LoopbackSocket.Socket>>,
    Expect<Same<typeof socket.auth, boolean | undefined>>,
    Expect<Same<typeof socket.id, string>>,
  ];
  socket.data.seen = [] satisfies Types | [];
  socket.join(['a', 'b']);
  socket.leave('a');
  socket.to('b').in('c').emit('news', 1, { two: 2 });
  socket.broadcast.emit('news');
  socket.emit('question', (answer: string) => answer.length);
  socket.on('disconnect', (reason) => reason.length);
  socket.once('question', (args, acknowledge) => acknowledge(args));
  socket.handshake.headers['user-agent']?.length;
  socket.handshake.query['token']?.length;
  socket.rooms.has(socket.id);
  socket.nsp.name.length;
  socket.disconnect(true);
  // @ts-expect-error an id is the server's
  socket.id = 'mine';
  // @ts-expect-error no such member
  socket.volatility;
});
io.to('a').emit('news');
io.emit('news');
io.sockets.emit('news');
io.close(() => {});
io.close().then((nothing) => nothing satisfies void);

// ---- a client of these methods, typed ----

declare const client: import('socket.io-client').Socket<
  LoopbackSocket.ServerToClientEvents,
  LoopbackSocket.ClientToServerEvents<Credentials, BookshopMethods>
>;
client.emit('authentication', { id: 'token', userId: 1 });
client.emit('findBooks', { author: 'Mary Shelley' }, (answer) => {
  type Types = [Expect<Same<typeof answer, LoopbackSocket.Answer<Book[]>>>];
  return answer.error === undefined ? answer.result?.length : ([] satisfies Types | []);
});
client.on('authenticated', (accepted) => accepted satisfies true);
client.on('unauthorized', (refusal, acknowledge) => {
  acknowledge();
  return refusal.message;
});
// @ts-expect-error other credentials
client.emit('authentication', { password: 'guess' });
// @ts-expect-error other arguments
client.emit('findBooks', { title: 'Emma' });
// @ts-expect-error no such method
client.emit('findAuthors', {});

// ---- sockets of npm socket.io ----

import socketIo = require('socket.io');
const hosted = LoopbackSocket.get<
  Credentials,
  BookshopMethods,
  socketIo.Socket & { auth: boolean }
>('hosted');
const hostedIo = new socketIo.Server(httpServer);
hosted.start(hostedIo);
hosted.start(hostedIo.of('/admin'));
hosted.auth((socket) => socket.handshake.secure);

// ---- errors ----

try {
  sockets.start(3000);
} catch (err) {
  if (err instanceof LoopbackSocket.InvalidHostError) {
    err.code satisfies 'ERR_LOOPBACK_SOCKET_INVALID_HOST';
  } else if (err instanceof LoopbackSocket.LoopbackSocketError) {
    err.code satisfies LoopbackSocket.ErrorCode;
    // @ts-expect-error no such code
    err.code === 'ERR_LOOPBACK_SOCKET_NONSENSE';
  }
}
