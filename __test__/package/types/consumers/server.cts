// The native server without types of one's own: every member that users call.
import { createServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import LoopbackSocket = require('loopback-socket');
import type { Expect, Same } from './expect';

type AnyOperator = LoopbackSocket.BroadcastOperator<LoopbackSocket.DefaultEventsMap, any>;

// ---- where clients come ----

const io = new LoopbackSocket.Server();
new LoopbackSocket.Server({ path: '/ws' });
new LoopbackSocket.Server(undefined, { path: '/ws' });
new LoopbackSocket.Server(createServer());
new LoopbackSocket.Server(createHttpsServer(), { serveClient: false });
new LoopbackSocket.Server(3000);
new LoopbackSocket.Server('3000');
io.attach(createServer()).listen(0, { path: '/ws' }) satisfies LoopbackSocket.Server;
io.attach(createHttpsServer());
// @ts-expect-error no port
new LoopbackSocket.Server('somewhere');
// @ts-expect-error nowhere
io.attach();
// @ts-expect-error no server
io.listen({ path: '/ws' });

// ---- options ----

const options: LoopbackSocket.ServerOptions = {
  path: '/ws',
  addTrailingSlash: false,
  serveClient: false,
  connectTimeout: 1000,
  pingInterval: 1000,
  pingTimeout: 1000,
  upgradeTimeout: 1000,
  maxHttpBufferSize: 1e6,
  maxBackpressure: 1e6,
  transports: ['websocket'],
  allowUpgrades: false,
  allowRequest: (req, fn) => fn(null, req.headers.origin !== undefined),
  cookie: { name: 'io', path: '/', httpOnly: true, sameSite: 'strict', maxAge: 3600 },
  cors: { origin: [/bookshop/, 'https://a.example'], credentials: true, maxAge: 60 },
  allowEIO3: true,
  cleanupEmptyChildNamespaces: true,
  parser: 'msgpack',
  destroyUpgrade: true,
  destroyUpgradeTimeout: 1000,
  perMessageDeflate: { threshold: 2048, serverMaxWindowBits: 12, zlibDeflateOptions: { level: 3 } },
  httpCompression: { threshold: 1024 },
};
options.perMessageDeflate = true;
options.cookie = true;
options.cookie = 'io';
options.wsEngine = class {};
options.cors = true;
options.cors = { origin: (origin, callback) => callback(null, origin === 'https://a.example') };
options.cors = (request, callback) => callback(null, { origin: request.headers.host });
options.parser = { Encoder: class {} };
// @ts-expect-error no adapter
options.adapter = class {};
options.connectionStateRecovery = true;
options.connectionStateRecovery = { maxDisconnectionDuration: 60_000, skipMiddlewares: false };
// @ts-expect-error no such option of it
options.connectionStateRecovery = { maxDuration: 60_000 };
// @ts-expect-error no such transport
options.transports = ['webtransport'];
// @ts-expect-error no such format
options.parser = 'xml';
// @ts-expect-error no such attribute
options.cookie = { nmae: 'io' };
// @ts-expect-error a number of ms
options.pingTimeout = '1000';

// ---- namespaces ----

const admin = io.of('/admin', (socket) => socket.id);
export type NamespaceByName = Expect<Same<typeof admin, LoopbackSocket.Namespace>>;
const shops = io.of(/^\/shop-\d+$/);
export type NamespaceByPattern = Expect<Same<typeof shops, LoopbackSocket.ParentNamespace>>;
const tenants = io.of((name, auth, next) => {
  type Types = [
    Expect<Same<typeof name, string>>,
    Expect<Same<typeof auth, { [key: string]: any }>>,
  ];
  next(null, ([] satisfies Types | []).length === 0);
});
tenants.children.forEach((child) => child.name.length);
tenants.createChild('/a') satisfies LoopbackSocket.Namespace;
io.of('/admin' as string | RegExp) satisfies LoopbackSocket.Namespace;
io.on('new_namespace', (namespace) => {
  type Types = [Expect<Same<typeof namespace, LoopbackSocket.Namespace>>];
  return namespace.name satisfies string | Types;
});
admin.use((socket, next) => {
  const error: LoopbackSocket.ExtendedError = new Error(socket.id);
  error.data = { why: 'no reason' };
  next(error);
  next();
});
io.use((socket, next) => next()).emit('news');
export type Adapter = Expect<Same<typeof admin.adapter, LoopbackSocket.Adapter>>;
admin.adapter.rooms.get('a')?.has('id');
admin.adapter.sids.get('id')?.has('a');
admin.adapter.socketRooms('id')?.size;
admin.adapter.on('join-room', (room, id) => `${room satisfies string} ${id satisfies string}`);
admin.sockets.get('id')?.emit('news');
admin.connected['id']?.emit('news');
admin.clients((err, ids) => ids.length);
admin.server satisfies LoopbackSocket.Server;
admin.adapter.on('error', (error: Error) => error.message);
// @ts-expect-error an id is a string
admin.adapter.on('join-room', (room: string, id: number) => id);
// @ts-expect-error a name is read only
admin.name = '/b';
// @ts-expect-error no name
io.of();

// ---- operators ----

for (const emitter of [io, admin, io.to('a'), io.sockets]) {
  type Types = [
    Expect<Same<ReturnType<typeof emitter.to>, AnyOperator>>,
    Expect<Same<ReturnType<typeof emitter.except>, AnyOperator>>,
  ];
  emitter.to('a').in(['b', 'c']).except('d').local.volatile.compress(true).timeout(1).emit('news');
  emitter.emit('news', 1, { two: 2 }, Buffer.alloc(3), (err: Error, answers: any[]) => answers);
  emitter.timeout(1000).emit('question', (err: Error, answers: any[]) => err ?? answers);
  emitter.timeout(1000).emitWithAck('question', 1) satisfies Promise<any>;
  emitter.send('hello');
  emitter.write('hello', [] satisfies Types | []);
  emitter.fetchSockets().then(([socket]) => socket?.emit('news'));
  emitter.allSockets().then((ids) => ids.has('id'));
  emitter.socketsJoin(['a', 'b']);
  emitter.socketsLeave('a');
  emitter.disconnectSockets(true);
  // @ts-expect-error a room is a string
  emitter.to(1);
  // @ts-expect-error ms
  emitter.timeout('1000');
}
io.serverSideEmit('news', 1) satisfies boolean;
admin.serverSideEmitWithAck('question').then((answers) => answers.length);

// ---- the rest of a server ----

io.engine.clientsCount.toFixed();
io.engine.use((req, res, next) => {
  res.setHeader('x-url', req.url ?? '');
  next();
});
io.engine.on('connection', (conn) => conn.id.length);
io.engine.on('connection_error', ({ req, code, message, context }) => {
  return [req.url, code.toFixed(), message.length, context['name']];
});
io.engine.on('headers', (headers, req) => {
  headers['x-url'] = req.url ?? '';
});
io.engine.once('initial_headers', (headers) => Object.keys(headers));
// @ts-expect-error no such event
io.engine.on('nonsense', () => {});
io.engine.generateId = (req) => req.headers['x-session-id'] as string;
io.engine.generateId = async () => 'mine';
// @ts-expect-error an id is a string
io.engine.generateId = () => 7;
io.path() satisfies string;
io.serveClient() satisfies boolean;
io.connectTimeout() satisfies number;
// @ts-expect-error an option
io.path('/ws');
// @ts-expect-error rooms are Rust's
io.adapter(class {});
io.httpServer.listening;
io.close((err) => err?.message).then(() => {});
export type Refused = [
  Expect<Same<ReturnType<typeof io.set>, never>>,
  Expect<Same<ReturnType<typeof io.origins>, never>>,
];

// ---- sockets ----

io.on('connect', (socket) => {
  type Types = [
    Expect<Same<typeof socket, LoopbackSocket.Socket>>,
    Expect<Same<typeof socket.rooms, Set<string>>>,
    Expect<Same<typeof socket.broadcast, AnyOperator>>,
    Expect<Same<typeof socket.local, AnyOperator>>,
    Expect<Same<typeof socket.nsp, LoopbackSocket.Namespace>>,
    Expect<Same<typeof socket.server, LoopbackSocket.Server>>,
    Expect<Same<typeof socket.conn, LoopbackSocket.EngineSocket>>,
    Expect<Same<typeof socket.recovered, boolean>>,
    Expect<Same<typeof socket.disconnected, boolean>>,
  ];
  socket.on('disconnecting', (reason, details) => {
    type Reason = Expect<Same<typeof reason, LoopbackSocket.DisconnectReason>>;
    return [socket.rooms, details, [] satisfies Reason | [] | Types];
  });
  socket.once('disconnect', (reason) => reason === 'ping timeout');
  // @ts-expect-error no such reason
  socket.once('disconnect', (reason) => reason === 'boredom');
  socket.on('error', (err) => err.message.length);
  socket.on('question', (args, acknowledge) => acknowledge(args));
  socket.onAny((event, ...args) => [event, args]).prependAny(() => {});
  socket.offAny().listenersAny().length;
  socket.onAnyOutgoing((event, ...args) => [event, args]).prependAnyOutgoing(() => {});
  socket.offAnyOutgoing().listenersAnyOutgoing().length;
  socket.use(([event, ...args], next) => next(args.length > 1 ? new Error(event) : undefined));
  socket.volatile.compress(false).emit('news');
  socket.timeout(1000).emit('question', (err: Error, answer: any) => err ?? answer);
  socket
    .timeout(1000)
    .emitWithAck('question')
    .then((answer) => answer.anything);
  socket.send('hello').write('hello').join('a').leave('a').disconnect();
  socket.join(['a', 'b'], (err) => err satisfies null);
  socket.leave('a', () => {});
  ['a', 'b'].forEach(socket.join, socket);
  ['a', 'b'].map(socket.leave.bind(socket));
  socket.leaveAll();
  socket.conn.transport.name satisfies 'polling' | 'websocket';
  socket.conn.once('upgrade', (transport) => transport.name);
  socket.conn.on('packet', ({ type, data }) => [type.length, data]);
  socket.conn.on('close', (reason) => reason.length);
  socket.conn.remoteAddress.length;
  socket.client.conn satisfies LoopbackSocket.EngineSocket;
  socket.request.headers.cookie;
  socket.handshake.auth['token'];
  socket.removeAllListeners('question').removeAllListeners();
  // @ts-expect-error a room is a string
  socket.join(1);
  // @ts-expect-error a function
  socket.join('a', 'done');
  // @ts-expect-error no reason is given
  socket.disconnect('because');
  // @ts-expect-error set by the server
  socket.rooms = new Set();
});

// ---- errors ----

declare const failure: unknown;
if (failure instanceof LoopbackSocket.AckTimeoutError) {
  failure.code satisfies 'ERR_LOOPBACK_SOCKET_ACK_TIMEOUT';
  failure.responses?.length;
} else if (failure instanceof LoopbackSocket.UnsupportedApiError) {
  failure.code satisfies 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_API';
  failure.member satisfies string;
} else if (failure instanceof LoopbackSocket.UnsupportedOptionError) {
  failure.code satisfies 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_OPTION';
  failure.option satisfies string;
} else if (failure instanceof LoopbackSocket.InvalidTimeoutError) {
  failure.code satisfies 'ERR_LOOPBACK_SOCKET_INVALID_TIMEOUT';
} else if (failure instanceof LoopbackSocket.MalformedMessageError) {
  failure.code satisfies 'ERR_LOOPBACK_SOCKET_MALFORMED_MESSAGE';
}
const warning: LoopbackSocket.WarningCode = 'ERR_LOOPBACK_SOCKET_SAME_PATH';
// @ts-expect-error no such code
warning satisfies 'ERR_LOOPBACK_SOCKET_NONSENSE';

// ---- one key with a passphrase ----

new LoopbackSocket.Server(0, { tls: { key: { pem: 'a', passphrase: 'b' }, cert: 'c' } });
new LoopbackSocket.Server(0, { tls: { key: ['a', { pem: 'a' }], cert: ['c', 'd'] } });
