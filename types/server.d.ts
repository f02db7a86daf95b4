// The native server, and its engine.

import type { EventEmitter } from 'node:events';
import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
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
import type {
  Namespace,
  NamespaceCalls,
  NamespaceReservedEventsMap,
  ParentNamespace,
} from './namespace';
import type { ServerOptions } from './options';
import type { EngineSocket, Socket } from './socket';

/** The events a server has for itself. */
export interface ServerReservedEventsMap<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData,
> extends NamespaceReservedEventsMap<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
  /** A namespace was made. */
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
  /** The same in words. */
  message: string;
  /** More about it. */
  context: Record<string, unknown>;
}

/**
 * What is above single connections.
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
    /** A connection is open. */
    connection: (conn: EngineSocket) => void;
    /** A request to open a connection was refused. */
    connection_error: (err: ConnectionError) => void;
    /** The headers of the first response of a connection; what a listener adds is sent. */
    initial_headers: (headers: Record<string, string>, req: IncomingMessage) => void;
    /** The headers of every response; what a listener adds is sent. */
    headers: (headers: Record<string, string>, req: IncomingMessage) => void;
  },
  {}
> {
  /** How many connections there are. */
  readonly clientsCount: number;
  /**
   * Adds middleware, as Express has it, for every request of clients. For an upgrade to websocket
   * the response takes headers only.
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
  /** The options in force. */
  readonly opts: ServerOptions;
  /**
   * Makes the id of a session: 20 random characters of base64url. Set it to make ids of your own, at
   * once or by a promise. Each session needs a string of its own, 1 to 63 visible ASCII characters
   * other than `"` and `\`. It must be impossible to guess: whoever knows an id can use the session. A
   * request whose id cannot be used is refused as a bad request, and `connection_error` tells why.
   *
   * @param req the request that opens the session
   *
   * @example
   * import { randomUUID } from 'node:crypto';
   *
   * io.engine.generateId = () => randomUUID();
   */
  generateId(req: IncomingMessage): string | Promise<string>;
  /** Ends every connection. */
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
   * @deprecated There is no WebTransport.
   * @throws {@link UnsupportedApiError} always
   */
  onWebTransportSession(...args: any[]): never;
  /**
   * @deprecated Use the option `allowUpgrades`.
   * @throws {@link UnsupportedApiError} always
   */
  upgrades(...args: any[]): never;
}

/** Where clients connect: a Node http(s) server, or a port, for which an http server is made. */
export type Listener = HttpServer | HttpsServer | number | `${number}`;

/**
 * A Socket.IO server in Rust, for clients of Socket.IO 2, 3 and 4 at once.
 *
 * @typeParam ListenEvents - the events that clients send; any by default
 * @typeParam EmitEvents - the events that clients are sent; the same by default
 * @typeParam ServerSideEvents - the events that servers of a cluster send each other
 * @typeParam SocketData - what `socket.data` holds
 *
 * @example
 * import { createServer } from 'node:http';
 * const httpServer = createServer();
 * const io = new LoopbackSocket.Server(httpServer, { pingInterval: 10000 });
 * LoopbackSocket.get('bookshop').start(io);
 * httpServer.listen(3000);
 *
 * @example
 * // a port: the http server is made for it
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
   * @param options - for a server that {@link Server.attach} puts somewhere later
   * @throws {@link InvalidOptionError} for an option that is unknown or impossible
   * @throws {@link UnsupportedOptionError} for one that asks for what the server cannot do
   */
  constructor(options?: ServerOptions);
  /**
   * @param listener - a Node http or https server, or a port, 0 for any that is free
   * @throws {@link InvalidServerError} when it is neither
   */
  constructor(listener: Listener | undefined, options?: ServerOptions);

  /** The http server it takes its connections from; `undefined` before it is attached. */
  readonly httpServer: HttpServer | HttpsServer;
  /** The default namespace, `/`. */
  readonly sockets: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
  /** What is above single connections. */
  readonly engine: Engine;
  /**
   * Takes the connections of a server, or of a port. A server that was closed may be attached again.
   *
   * @param options - added to those of the constructor
   * @throws {@link InvalidServerError} when it is neither a http(s) server nor a port, or while
   *   the server is closing
   *
   * @example
   * const io = new LoopbackSocket.Server({ serveClient: false });
   * io.attach(3000);
   */
  attach(listener: Listener, options?: ServerOptions): this;
  /** The same as `attach`. */
  listen(listener: Listener, options?: ServerOptions): this;
  /**
   * A namespace, made on first use.
   *
   * @param name - its name; a slash in front may be left out
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
   * Namespaces that are made when a client asks for one whose name fits.
   *
   * @param pattern - a pattern for names, or a function that calls `next(null, whether)`
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
   * Adds a listener to the default namespace. `connection` comes with each new {@link Socket},
   * `new_namespace` with each {@link Namespace}.
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
  /** As `on`, for one time. */
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
   * Sends an event to every authenticated socket of the default namespace. For acknowledgements, go
   * through `timeout()`.
   *
   * @throws {@link ReservedEventError} for an event that sockets have for themselves
   * @throws {@link UnsendableValueError} for a value that cannot be sent
   *
   * @example
   * io.emit('bookAdded', { title: 'Emma' });
   */
  emit<Name extends EventNameWithoutAck<EmitEvents>>(
    event: Name,
    ...args: EventArgs<EmitEvents, Name>
  ): boolean;
  /** The option `path`. Giving one throws {@link UnsupportedApiError}. */
  path(): string;
  /** The option `serveClient`. Giving one throws {@link UnsupportedApiError}. */
  serveClient(): boolean;
  /** The option `connectTimeout`. Giving one throws {@link UnsupportedApiError}. */
  connectTimeout(): number;
  /** Nothing: rooms are kept in Rust. Giving one throws {@link UnsupportedApiError}. */
  adapter(): undefined;
  /** Nothing. @deprecated Giving an engine throws {@link UnsupportedApiError}: use `attach()`. */
  bind(): undefined;
  /** Nothing. @deprecated Giving an app throws {@link UnsupportedApiError}: use `attach()`. */
  attachApp(): undefined;
  /**
   * Ends every socket with `server shutting down`, and closes the http server. Closing twice is
   * harmless.
   *
   * @param cb - called when all is closed, with the error of an http server that was not listening
   * @returns a promise for the same moment, which is never rejected
   *
   * @example
   * io.close(() => console.log('closed'));
   */
  close(cb?: (err?: Error) => void): Promise<void>;
}
export interface Server<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends NamespaceCalls<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {}
