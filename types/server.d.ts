// The native server, and its engine.

import type { EventEmitter } from 'node:events';
import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { AdapterConstructor } from './adapter';
import type {
  DefaultEventsMap,
  EventArgs,
  EventName,
  EventNameWithoutAck,
  EventsMap,
  ListenerOf,
  TypedEmitter,
} from './emitter';
import type {
  InvalidOptionError,
  InvalidServerError,
  ReservedEventError,
  UnsendableValueError,
  UnsupportedApiError,
  UnsupportedOptionError,
} from './errors';
import type { ServerMetrics } from './metrics';
import type {
  Namespace,
  NamespaceCalls,
  NamespaceReservedEventsMap,
  ParentNamespace,
} from './namespace';
import type { CloseOptions, ServerOptions, TlsOptions } from './options';
import type { EngineSocket, Socket } from './socket';

/** The reserved events of a server. */
export interface ServerReservedEventsMap<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData,
> extends NamespaceReservedEventsMap<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
  /** A namespace was created. */
  new_namespace: (
    namespace: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
  ) => void;
}

/** Why a request to open a connection was refused. */
export interface ConnectionError {
  /** The request. */
  req: IncomingMessage;
  /** Engine.IO's code: 0 transport, 1 session id, 2 method, 3 request, 4 forbidden, 5 version. */
  code: number;
  /** The message for that code. */
  message: string;
  /** Details. */
  context: Record<string, unknown>;
}

/**
 * The Engine.IO server: what concerns all connections.
 *
 * @example
 * console.log(io.engine.clientsCount);
 *
 * @example
 * io.engine.on('connection_error', ({ code, message }) => console.log(code, message));
 *
 * @example
 * io.engine.on('initial_headers', (headers) => {
 *   headers['set-cookie'] = 'seen=1';
 * });
 */
export interface Engine extends TypedEmitter<
  {
    /** A connection was opened. */
    connection: (conn: EngineSocket) => void;
    /** A request to open a connection was refused. */
    connection_error: (err: ConnectionError) => void;
    /** The headers of the first response of a connection. Headers that a listener adds are sent. */
    initial_headers: (headers: Record<string, string>, req: IncomingMessage) => void;
    /** The headers of every response. Headers that a listener adds are sent. */
    headers: (headers: Record<string, string>, req: IncomingMessage) => void;
  },
  {}
> {
  /** The number of connections. */
  readonly clientsCount: number;
  /**
   * Adds Express-style middleware for every request of clients. For an upgrade to WebSocket, the
   * response accepts headers only.
   *
   * @example
   * io.engine.use((req, res, next) => {
   *   res.setHeader('x-served-by', 'bookshop');
   *   next();
   * });
   */
  use(
    middleware: (req: IncomingMessage, res: ServerResponse, next: (err?: any) => void) => unknown,
  ): void;
  /** The options of the server. */
  readonly opts: ServerOptions;
  /**
   * Creates the id of a session: 20 random base64url characters. Replace it to create ids of your
   * own, as a string or a promise. Each id must be unique, 1 to 63 visible ASCII characters other
   * than `"` and `\`, and impossible to guess: whoever knows an id can use the session. If the id
   * is invalid or in use, the request is refused as a bad request, and `connection_error` gives the
   * reason.
   *
   * @param req the request that opens the session
   *
   * @example
   * import { randomUUID } from 'node:crypto';
   *
   * io.engine.generateId = () => randomUUID();
   */
  generateId(req: IncomingMessage): string | Promise<string>;
  /** Closes every connection. */
  close(): this;
  /**
   * @deprecated Use `io.attach()`.
   * @throws {@link UnsupportedApiError} always
   */
  attach(...args: any[]): never;
  /**
   * @deprecated Use `io.attach()`.
   * @throws {@link UnsupportedApiError} always
   */
  handleRequest(...args: any[]): never;
  /**
   * @deprecated Use `io.attach()`.
   * @throws {@link UnsupportedApiError} always
   */
  handleUpgrade(...args: any[]): never;
  /**
   * @deprecated WebTransport is not supported.
   * @throws {@link UnsupportedApiError} always
   */
  onWebTransportSession(...args: any[]): never;
  /**
   * @deprecated Use the option `allowUpgrades`.
   * @throws {@link UnsupportedApiError} always
   */
  upgrades(...args: any[]): never;
}

/** A Node HTTP(S) server, or a port, for which an HTTP server is created. */
export type Listener = HttpServer | HttpsServer | number | `${number}`;

/**
 * A Socket.IO server in Rust, for clients of Socket.IO 1 to 4 at the same time.
 *
 * @typeParam ListenEvents - the events that clients send; any by default
 * @typeParam EmitEvents - the events that the server sends; the same by default
 * @typeParam ServerSideEvents - the events that servers of a cluster send each other
 * @typeParam SocketData - the type of `socket.data`
 *
 * @example
 * import { createServer } from 'node:http';
 * const httpServer = createServer();
 * const io = new LoopbackSocket.Server(httpServer, { pingInterval: 10000 });
 * LoopbackSocket.get('bookshop').start(io);
 * httpServer.listen(3000);
 *
 * @example
 * // a port: an HTTP server is created for it
 * const io = new LoopbackSocket.Server(3000);
 * io.on('connection', (socket) => console.log(socket.id));
 *
 * @example
 * // typed events, with those of a LoopbackSocket
 * interface BookshopMethods {
 *   findBooks(args: { author: string }): Array<{ title: string }>;
 * }
 * type FromClients = LoopbackSocket.ClientToServerEvents<{ token: string }, BookshopMethods>;
 * interface ToClients extends LoopbackSocket.ServerToClientEvents {
 *   bookAdded: (book: { title: string }) => void;
 * }
 * const io = new LoopbackSocket.Server<FromClients, ToClients>(3000);
 * io.to('readers').emit('bookAdded', { title: 'Emma' });
 */
export class Server<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends EventEmitter {
  /**
   * @param options - options; call {@link Server.attach} later
   * @throws {@link InvalidOptionError} if an option is unknown or its value is invalid
   * @throws {@link UnsupportedOptionError} if the server does not support an option
   */
  constructor(options?: ServerOptions);
  /**
   * @param listener - a Node HTTP or HTTPS server, or a port; 0 picks a free port
   * @throws {@link InvalidServerError} if it is neither
   */
  constructor(listener: Listener | undefined, options?: ServerOptions);

  /** The HTTP server that it is attached to; `undefined` before that. */
  readonly httpServer: HttpServer | HttpsServer;
  /** The default namespace, `/`. */
  readonly sockets: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
  /** The Engine.IO server: what concerns all connections. */
  readonly engine: Engine;
  /**
   * Attaches the server to an HTTP server or a port. A server that was closed can be attached
   * again.
   *
   * @param options - added to those of the constructor
   * @throws {@link InvalidServerError} if it is neither an HTTP(S) server nor a port, or while the
   *   server is closing
   *
   * @example
   * const io = new LoopbackSocket.Server({ serveClient: false });
   * io.attach(3000);
   */
  attach(listener: Listener, options?: ServerOptions): this;
  /** The same as `attach`. */
  listen(listener: Listener, options?: ServerOptions): this;
  /**
   * Has clients that connect from now on get another certificate, such as a renewed one.
   *
   * @param tls - the whole {@link ServerOptions.tls}
   * @throws {@link InvalidOptionError} if it is impossible
   * @throws {@link UnsupportedApiError} if the server has no option `tls`
   *
   * @example
   * import { readFileSync, watchFile } from 'node:fs';
   *
   * const read = () => ({ key: readFileSync('key.pem'), cert: readFileSync('cert.pem') });
   * const io = new LoopbackSocket.Server(443, { tls: read() });
   * watchFile('cert.pem', () => io.setSecureContext(read()));
   */
  setSecureContext(tls: TlsOptions): void;
  /**
   * Returns a namespace and creates it on first use.
   *
   * @param name - its name; the leading slash is optional
   * @param onConnect - a listener for its sockets
   *
   * @example
   * LoopbackSocket.get('bookshop').start(io.of('/admin'));
   */
  of(
    name: string,
    onConnect?: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void,
  ): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
  /**
   * Returns a parent of namespaces that are created when a client asks for one with a matching
   * name.
   *
   * @param pattern - a pattern for names, or a function that accepts a name with `next(null, true)`
   * @param onConnect - a listener for their sockets
   *
   * @example
   * io.of(/^\/shop-\d+$/).on('connection', (socket) => console.log(socket.nsp.name));
   *
   * @example
   * io.of((name, auth, next) => next(null, auth.tenant === name.slice(1)));
   */
  of(
    pattern:
      | RegExp
      | ((
          name: string,
          auth: { [key: string]: any },
          next: (err: Error | null, success: boolean) => void,
        ) => void),
    onConnect?: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void,
  ): ParentNamespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
  of(
    name:
      | string
      | RegExp
      | ((
          name: string,
          auth: { [key: string]: any },
          next: (err: Error | null, success: boolean) => void,
        ) => void),
    onConnect?: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void,
  ): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
  /**
   * Adds a listener to the default namespace. `connection` is emitted with each new {@link Socket},
   * `new_namespace` with each new {@link Namespace}.
   *
   * @example
   * io.on('connection', (socket) => console.log(socket.id));
   */
  on<
    Name extends
      | EventName<ServerReservedEventsMap<ListenEvents, EmitEvents, ServerSideEvents, SocketData>>
      | EventName<ServerSideEvents>,
  >(
    event: Name,
    listener: ListenerOf<
      ServerReservedEventsMap<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
      ServerSideEvents,
      Name
    >,
  ): this;
  /** Like `on`, but the listener is called only once. */
  once<
    Name extends
      | EventName<ServerReservedEventsMap<ListenEvents, EmitEvents, ServerSideEvents, SocketData>>
      | EventName<ServerSideEvents>,
  >(
    event: Name,
    listener: ListenerOf<
      ServerReservedEventsMap<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
      ServerSideEvents,
      Name
    >,
  ): this;
  /** The listeners of an event of the default namespace. */
  listeners<
    Name extends
      | EventName<ServerReservedEventsMap<ListenEvents, EmitEvents, ServerSideEvents, SocketData>>
      | EventName<ServerSideEvents>,
  >(
    event: Name,
  ): Array<
    ListenerOf<
      ServerReservedEventsMap<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
      ServerSideEvents,
      Name
    >
  >;
  /**
   * Sends an event to every authenticated socket of the default namespace. For acknowledgements,
   * call `timeout()` first.
   *
   * @throws {@link ReservedEventError} if the event name is reserved
   * @throws {@link UnsendableValueError} if a value cannot be sent
   *
   * @example
   * io.emit('bookAdded', { title: 'Emma' });
   */
  emit<Name extends EventNameWithoutAck<EmitEvents>>(
    event: Name,
    ...args: EventArgs<EmitEvents, Name>
  ): boolean;
  /** Returns the option `path`. With an argument it throws {@link UnsupportedApiError}. */
  path(): string;
  /** Returns the option `serveClient`. With an argument it throws {@link UnsupportedApiError}. */
  serveClient(): boolean;
  /**
   * Returns the option `connectTimeout`. With an argument it throws {@link UnsupportedApiError}.
   */
  connectTimeout(): number;
  /** Returns what makes the adapters of namespaces; `undefined` while rooms are kept in Rust. */
  adapter(): AdapterConstructor | undefined;
  /**
   * Gives every namespace an adapter, those that are created later included, so that servers that
   * share one form a cluster. The same as the option `adapter`. Sockets that are connected stay in
   * their rooms.
   *
   * @param value - a class, or what `createAdapter()` of an adapter's package returns
   * @throws {@link InvalidOptionError} if it is something else
   *
   * @example
   * import { createAdapter } from '@socket.io/redis-adapter';
   * import { createClient } from 'redis';
   *
   * const pubClient = createClient({ url: 'redis://localhost:6379' });
   * const subClient = pubClient.duplicate();
   * await Promise.all([pubClient.connect(), subClient.connect()]);
   * io.adapter(createAdapter(pubClient, subClient));
   */
  adapter(value: AdapterConstructor): this;
  /**
   * Returns `undefined`. @deprecated With an argument it throws {@link UnsupportedApiError}: use
   * `attach()`.
   */
  bind(): undefined;
  /**
   * Returns `undefined`. @deprecated With an argument it throws {@link UnsupportedApiError}: use
   * `attach()`.
   */
  attachApp(): undefined;
  /**
   * Returns the figures of the server: connections, sockets, calls, what is queued and what was dropped.
   * Calls are measured from the first time on.
   *
   * @example
   * setInterval(() => console.log(io.metrics().calls.inFlight), 10_000);
   */
  metrics(): ServerMetrics;
  /**
   * Disconnects every socket with `server shutting down` and closes the HTTP server. Closing twice
   * has no effect.
   *
   * @param cb - called when everything is closed, with an error if the HTTP server was not
   *   listening
   * @returns a promise that resolves at the same time and never rejects
   *
   * @example
   * io.close(() => console.log('closed'));
   */
  close(cb?: (err?: Error) => void): Promise<void>;
  /**
   * The same, but waits for calls that are in flight if `drain` is given. `close()` meanwhile ends all
   * at once.
   *
   * @throws `InvalidOptionError` if an option is unknown or impossible
   *
   * @example
   * process.on('SIGTERM', async () => {
   *   await io.close({ drain: 10_000 });
   *   process.exit();
   * });
   */
  close(options: CloseOptions, cb?: (err?: Error) => void): Promise<void>;
}
export interface Server<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends NamespaceCalls<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {}
