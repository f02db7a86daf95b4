import type { EventEmitter } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage, Server as HttpServer } from 'node:http';

import Self = LoopbackSocket;

/**
 * Sockets that authenticate, then call methods. One instance holds one set of them: an
 * authentication function, handlers to run after it, and methods by name. {@link LoopbackSocket.start}
 * puts it on a server; several servers and namespaces may be served by one instance.
 *
 * @typeParam Credentials - what clients send with `authentication`
 * @typeParam Methods - the methods clients may call, as an interface of functions from the arguments
 *   to the result; any method with any arguments by default
 * @typeParam S - the socket that handlers get: that of the native server by default
 *
 * @example
 * const sockets = LoopbackSocket.get('bookshop');
 *
 * sockets.auth(async (socket, credentials) => credentials.token === 'open sesame');
 * sockets.defineMethod('add', (socket, credentials, args) => args.a + args.b);
 * sockets.start(3000);
 *
 * @example
 * // With types of your own: names, arguments and results are checked.
 * interface BookshopMethods {
 *   findBooks(args: { author: string }): Array<{ title: string }>;
 * }
 * const typed = LoopbackSocket.get<{ token: string }, BookshopMethods>('bookshop');
 *
 * typed.defineMethod('findBooks', async (socket, credentials, args) => {
 *   return [{ title: `A book by ${args.author}` }];
 * });
 */
declare class LoopbackSocket<
  Credentials = any,
  Methods extends LoopbackSocket.MethodMap<Methods> = LoopbackSocket.AnyMethods,
  S = LoopbackSocket.Socket,
> {
  /**
   * Makes an instance that {@link LoopbackSocket.get} does not know.
   *
   * @param name - for people to read
   * @param timeout - how long a socket may stay without authenticating; 3000 ms by default
   */
  constructor(name: string, timeout?: LoopbackSocket.Timeout);

  /**
   * The instance of that name, made on first use: what models of one app share.
   *
   * @param name - any string
   * @param timeout - how long a socket may stay without authenticating; 3000 ms by default. The one
   *   given first stays
   * @throws {@link LoopbackSocket.LoopbackSocketError} when `name` is not a string
   *
   * @example
   * const sockets = LoopbackSocket.get('bookshop', 5000);
   * LoopbackSocket.get('bookshop') === sockets; // true
   */
  static get<
    Credentials = any,
    Methods extends LoopbackSocket.MethodMap<Methods> = LoopbackSocket.AnyMethods,
    S = LoopbackSocket.Socket,
  >(name: string, timeout?: LoopbackSocket.Timeout): LoopbackSocket<Credentials, Methods, S>;

  /**
   * Sets the function that decides on credentials; a later call replaces it. It refuses by throwing,
   * by rejecting, with `cb(err)`, or with a false value that is not `undefined`. The client then gets
   * `unauthorized` with the `message` of the error.
   *
   * @example
   * // a value or a promise
   * sockets.auth(async (socket, credentials) => {
   *   if (credentials.token !== 'open sesame') throw new Error('unknown token');
   * });
   *
   * @example
   * // a callback: the function declares a third parameter
   * sockets.auth((socket, credentials, cb) => {
   *   setImmediate(() => cb(null, credentials.token === 'open sesame'));
   * });
   *
   * @example
   * // a method of a model, which may be defined later
   * class Customer {
   *   static authenticate(socket: unknown, credentials: { token: string }) {
   *     return credentials.token === 'open sesame';
   *   }
   * }
   * sockets.auth({ model: Customer, method: 'authenticate' });
   */
  auth(
    authentication: LoopbackSocket.Authentication<Credentials, S> | LoopbackSocket.ModelMethod,
  ): void;

  /**
   * Adds a handler to run after each successful authentication, before the client hears of it. They
   * run one after the other, in the order they were added; one that fails refuses the socket.
   *
   * @example
   * sockets.onConnected((socket, credentials) => {
   *   socket.join(`customer ${credentials.userId}`);
   * });
   */
  onConnected(
    handler: LoopbackSocket.ConnectedHandler<Credentials, S> | LoopbackSocket.ModelMethod,
  ): void;

  /**
   * Removes a handler added with {@link LoopbackSocket.onConnected}, the first that matches: that
   * function, or an object with the same model and method.
   *
   * @example
   * const greet = () => console.log('welcome');
   * sockets.onConnected(greet);
   * sockets.removeOnConnected(greet);
   */
  removeOnConnected(
    handler: LoopbackSocket.ConnectedHandler<Credentials, S> | LoopbackSocket.ModelMethod,
  ): void;

  /**
   * Defines or replaces a method that authenticated clients call by its name. Sockets have the methods
   * there were when they authenticated.
   *
   * @example
   * sockets.defineMethod('add', (socket, credentials, args) => args.a + args.b);
   * // client: socket.emit('add', { a: 1, b: 2 }, ({ error, result }) => …)
   *
   * @example
   * // a callback: the function declares a fourth parameter
   * sockets.defineMethod('addLater', (socket, credentials, args, cb) => {
   *   setTimeout(() => cb(null, args.a + args.b), 1000);
   * });
   */
  defineMethod<Name extends keyof Methods & string>(
    name: Name,
    method:
      | LoopbackSocket.Method<
          Credentials,
          LoopbackSocket.ArgsOf<Methods[Name]>,
          LoopbackSocket.ResultOf<Methods[Name]>,
          S
        >
      | LoopbackSocket.ModelMethod,
  ): void;

  /**
   * Removes a method; sockets that authenticated before keep it.
   *
   * @example
   * sockets.removeMethod('add');
   */
  removeMethod(name: keyof Methods & string): void;

  /**
   * Serves the sockets of a server, those connected from now on. Serving the same one twice is
   * serving it once.
   *
   * @param io - one of
   *   - a native {@link LoopbackSocket.Server}, or a namespace of it
   *   - a Socket.IO server of npm socket.io 2, 3 or 4, or a namespace of it
   *   - a Node http server, or a port: a native server is made for it
   * @throws {@link LoopbackSocket.LoopbackSocketError} when it is none of these
   *
   * @example
   * // the native server, on the http server of a LoopBack or express app
   * import { createServer } from 'node:http';
   * const httpServer = createServer();
   * sockets.start(new LoopbackSocket.Server(httpServer));
   *
   * @example
   * // a namespace
   * sockets.start(io.of('/admin'));
   */
  start(
    io:
      | LoopbackSocket.Server
      | LoopbackSocket.Namespace
      | LoopbackSocket.SocketServerLike
      | HttpServer
      | number,
  ): void;

  /** The name it was made with. */
  readonly _name: string;
  /** The timeout in force. */
  readonly _timeout: LoopbackSocket.Timeout;
  /** What {@link LoopbackSocket.auth} was given. */
  readonly _auth: LoopbackSocket.Authentication<Credentials, S> | LoopbackSocket.ModelMethod;
  /** What {@link LoopbackSocket.defineMethod} was given, by name. */
  readonly _methods: Record<
    string,
    LoopbackSocket.Method<Credentials, any, any, S> | LoopbackSocket.ModelMethod
  >;
  /** What {@link LoopbackSocket.onConnected} was given. */
  readonly _connected: Array<
    LoopbackSocket.ConnectedHandler<Credentials, S> | LoopbackSocket.ModelMethod
  >;
  /** Kept for code that reads it; always empty. */
  readonly _sockets: unknown[];
  /** What {@link LoopbackSocket.start} was given last, `null` before. */
  readonly _io: unknown;
}

declare namespace LoopbackSocket {
  /** The class itself, for `const { LoopbackSocket } = require('loopback-socket')`. */
  export import LoopbackSocket = Self;

  // ---- Handlers ----

  /**
   * How long a socket may stay without authenticating, in ms: 3000 for 0, `null` and `undefined`,
   * without end for `'none'`. A numeric string works.
   */
  type Timeout = number | `${number}` | 'none' | null;

  /**
   * The node-style callback of a handler that declares it. The first call counts; a falsy `err` is
   * success.
   */
  type Callback<Result = any> = (err?: unknown, result?: Result) => void;

  /**
   * A method of a model, looked up when it is needed: it may be defined after this object. It runs
   * with `this` = its model.
   */
  interface ModelMethod {
    /** A LoopBack model, or any object or class. */
    model: object;
    /** The name of its method. */
    method: string;
  }

  /**
   * Decides on credentials. One that declares `cb` answers through it; the return value of any other
   * counts, awaited if it is a promise. A false value refuses, `undefined` accepts.
   */
  type Authentication<Credentials = any, S = Socket> = (
    socket: S,
    credentials: Credentials,
    cb: Callback<unknown>,
  ) => unknown;

  /** Runs after a successful authentication; its result does not matter, its failure refuses. */
  type ConnectedHandler<Credentials = any, S = Socket> = (
    socket: S,
    credentials: Credentials,
    cb: Callback<unknown>,
  ) => unknown;

  /**
   * Answers a call. One that declares `cb` answers through it; the return value of any other counts,
   * awaited if it is a promise.
   *
   * @example
   * const add: LoopbackSocket.Method<unknown, { a: number; b: number }, number> = (
   *   socket,
   *   credentials,
   *   args,
   * ) => args.a + args.b;
   */
  type Method<Credentials = any, Args = any, Result = any, S = Socket> = (
    socket: S,
    credentials: Credentials,
    args: Args,
    cb: Callback<Result>,
  ) => Result | PromiseLike<Result> | void;

  // ---- Methods as types ----

  /** An interface of methods: functions from the arguments to the result. */
  type MethodMap<Methods> = { [Name in keyof Methods]: (args: any) => any };
  /** Any method, with any arguments and result. */
  type AnyMethods = Record<string, (args: any) => any>;
  /** The arguments of a method of a {@link MethodMap}; `undefined` if it takes none. */
  type ArgsOf<M> = M extends (...args: infer Args) => any
    ? Args extends []
      ? undefined
      : Args[0]
    : never;
  /** The result of a method of a {@link MethodMap}. */
  type ResultOf<M> = M extends (...args: any) => infer Result ? Awaited<Result> : never;

  /** What a call answers, as JSON makes it. An `undefined` result is left out: `{}`. */
  interface Answer<Result = any, Failure = any> {
    /** What the method returned. */
    result?: Result;
    /** What the method threw, or gave as `err`: a string stays one, an error becomes its fields. */
    error?: Failure;
  }

  /** What a refused client gets. */
  interface Refusal {
    /** The `message` of the error; missing if the error has none. */
    message?: any;
  }

  /**
   * The events a client receives, for `Socket<ServerToClientEvents, …>` of socket.io-client.
   *
   * @example
   * import { io as connect, type Socket } from 'socket.io-client';
   *
   * interface BookshopMethods {
   *   findBooks(args: { author: string }): Array<{ title: string }>;
   * }
   * const client: Socket<
   *   LoopbackSocket.ServerToClientEvents,
   *   LoopbackSocket.ClientToServerEvents<{ token: string }, BookshopMethods>
   * > = connect();
   *
   * client.on('connect', () => client.emit('authentication', { token: 'open sesame' }));
   * client.on('authenticated', () => {
   *   client.emit('findBooks', { author: 'Mary Shelley' }, ({ error, result }) => {
   *     if (error === undefined) console.log(result?.length);
   *   });
   * });
   */
  interface ServerToClientEvents {
    /** The credentials were accepted and the methods are there. */
    authenticated: (accepted: true) => void;
    /** The credentials were refused; calling `acknowledge` has the server disconnect the socket. */
    unauthorized: (refusal: Refusal, acknowledge: () => void) => void;
  }

  /** The events a client may send, for `Socket<…, ClientToServerEvents>` of socket.io-client. */
  type ClientToServerEvents<Credentials = any, Methods extends MethodMap<Methods> = AnyMethods> = {
    [Name in keyof Methods]: (
      args: ArgsOf<Methods[Name]>,
      acknowledge?: (answer: Answer<ResultOf<Methods[Name]>>) => void,
    ) => void;
  } & { authentication: (credentials: Credentials) => void };

  /** A Socket.IO server or namespace written in JavaScript, or an emitter that looks like one. */
  interface SocketServerLike {
    on(event: any, listener: any): any;
  }

  // ---- The native server ----

  /** The options of a native {@link Server}; one that is unknown or impossible throws. */
  interface ServerOptions {
    /** The path that clients connect to. @defaultValue `'/socket.io'` */
    path?: string;
    /** How often clients are pinged, in ms. @defaultValue 25000 */
    pingInterval?: number;
    /** How long a client may leave a ping unanswered, in ms. @defaultValue 20000 */
    pingTimeout?: number;
    /** How long an upgrade to websocket may take, in ms. @defaultValue 10000 */
    upgradeTimeout?: number;
    /** How long a connection may live without joining a namespace, in ms. @defaultValue 45000 */
    connectTimeout?: number;
    /**
     * The largest message of a client, in bytes with its attachments, on either transport; a larger
     * one ends its connection. @defaultValue 1000000
     */
    maxHttpBufferSize?: number;
    /**
     * How many bytes may wait for a client that does not read, before its connection is closed.
     * @defaultValue 16777216
     */
    maxBackpressure?: number;
    /**
     * Whether to serve `socket.io.js` of the installed socket.io or socket.io-client under the path.
     * @defaultValue true
     */
    serveClient?: boolean;
  }

  /** The name of a room. */
  type Room = string;

  /**
   * Why a socket ended:
   * - `client namespace disconnect`: the client called `disconnect()`
   * - `server namespace disconnect`: `socket.disconnect()`
   * - `transport close`, `transport error`: its connection ended
   * - `parse error`: its client sent what is no packet
   * - `ping timeout`: its client went silent
   * - `server shutting down`: `io.close()`
   */
  type DisconnectReason =
    | 'client namespace disconnect'
    | 'server namespace disconnect'
    | 'transport close'
    | 'transport error'
    | 'parse error'
    | 'ping timeout'
    | 'server shutting down'
    | (string & {});

  /** How a client connected. */
  interface Handshake {
    /** The headers of its first request. */
    headers: IncomingHttpHeaders;
    /** When it connected, for people. */
    time: string;
    /** When it connected, in ms since 1970. */
    issued: number;
    /** The address of its end of the connection. */
    address: string;
    /** Whether it came from another origin. */
    xdomain: boolean;
    /** Whether its connection is encrypted. */
    secure: boolean;
    /** The URL of its first request. */
    url: string;
    /** The parameters of that URL. */
    query: Record<string, string>;
    /** What the client gave as `auth` when it connected (not the credentials of `authentication`). */
    auth: any;
  }

  /** What sends to rooms or to a whole namespace. */
  interface Broadcaster {
    /**
     * Sends an event to every authenticated socket meant.
     *
     * @example
     * io.to('customer 1').emit('bookAdded', { title: 'Emma' });
     */
    emit(event: string, ...args: any[]): boolean;
    /** Narrows to the sockets of these rooms, those of rooms named before included. */
    to(room: Room | Room[]): BroadcastOperator;
    /** The same as `to`. */
    in(room: Room | Room[]): BroadcastOperator;
    /** Leaves out the sockets of these rooms. */
    except(room: Room | Room[]): BroadcastOperator;
  }

  /** A choice of sockets to send to; each call gives a new one. */
  interface BroadcastOperator extends Broadcaster {
    /** Itself: broadcasting is what it does. */
    readonly broadcast: BroadcastOperator;
  }

  /** The sockets of one namespace of a native {@link Server}. */
  interface Namespace extends EventEmitter, Broadcaster {
    emit(event: string, ...args: any[]): boolean;
    /** Its name, as `/admin`. */
    readonly name: string;
    /** Its server. */
    readonly server: Server;
    /** The sockets connected to it, by id. */
    readonly sockets: ReadonlyMap<string, Socket>;
    /**
     * Adds a listener. `connection` comes with each new {@link Socket}.
     *
     * @example
     * io.of('/admin').on('connection', (socket) => console.log(socket.id));
     */
    on(event: 'connection' | 'connect', listener: (socket: Socket) => void): this;
    on(event: string, listener: (...args: any[]) => void): this;
    /** As `on`, for one time. */
    once(event: 'connection' | 'connect', listener: (socket: Socket) => void): this;
    once(event: string, listener: (...args: any[]) => void): this;
    /** Removes a listener. */
    off(event: string, listener: (...args: any[]) => void): this;
  }

  /** One client in one namespace of a native {@link Server}. */
  interface Socket<Data = any> extends EventEmitter {
    /** Its id, new with each connection. */
    readonly id: string;
    /**
     * Whether it has authenticated; `undefined` in a namespace that no instance serves. An application
     * that vouches for a socket itself may set it to `true`: its time is then no longer limited.
     */
    auth: boolean | undefined;
    /** How its client connected. */
    readonly handshake: Handshake;
    /** Its rooms, the one of its own id among them. */
    readonly rooms: ReadonlySet<Room>;
    /** For the application to keep what it likes; an empty object at first. */
    data: Data;
    /** Whether it is connected. */
    readonly connected: boolean;
    /** The opposite of `connected`. */
    readonly disconnected: boolean;
    /** The http request that opened its connection. */
    readonly request: IncomingMessage;
    /** Its namespace. */
    readonly nsp: Namespace;
    /**
     * Sends to every other authenticated socket of its namespace.
     *
     * @example
     * socket.broadcast.emit('bookAdded', { title: 'Emma' });
     */
    readonly broadcast: BroadcastOperator;
    /**
     * Adds a listener for an event of its client. An event that asks for an acknowledgement has a
     * function as its last argument.
     *
     * @example
     * socket.on('ping me', (text, acknowledge) => acknowledge(text));
     * socket.on('disconnect', (reason) => console.log(reason));
     */
    on(
      event: 'disconnect' | 'disconnecting',
      listener: (reason: DisconnectReason, details?: unknown) => void,
    ): this;
    on(event: string, listener: (...args: any[]) => void): this;
    /** As `on`, for one time. */
    once(
      event: 'disconnect' | 'disconnecting',
      listener: (reason: DisconnectReason, details?: unknown) => void,
    ): this;
    once(event: string, listener: (...args: any[]) => void): this;
    /** Removes a listener. */
    off(event: string, listener: (...args: any[]) => void): this;
    /**
     * Sends an event to its client. With a function as the last argument, asks for an
     * acknowledgement and gives what it brings to the function.
     *
     * @example
     * socket.emit('hello', { from: 'the server' });
     * socket.emit('are you there?', (answer: string) => console.log(answer));
     */
    emit(event: string, ...args: any[]): boolean;
    /**
     * Joins rooms, at once.
     *
     * @param done - called when that is done, as Socket.IO 2 has it
     */
    join(room: Room | Room[], done?: (err: null) => void): this;
    /** Leaves a room, at once. */
    leave(room: Room, done?: (err: null) => void): this;
    /** Every other authenticated socket of these rooms. */
    to(room: Room | Room[]): BroadcastOperator;
    /** The same as `to`. */
    in(room: Room | Room[]): BroadcastOperator;
    /** Every other authenticated socket that is in none of these rooms. */
    except(room: Room | Room[]): BroadcastOperator;
    /**
     * Disconnects it.
     *
     * @param close - end its whole connection, every namespace of it; `false` by default
     */
    disconnect(close?: boolean): this;
  }

  /**
   * A Socket.IO server in Rust, for clients of Socket.IO 2, 3 and 4 at once.
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
   */
  class Server extends EventEmitter implements Broadcaster {
    /**
     * @param httpServer - a Node http server
     * @throws {@link InvalidServerError} when it is none
     * @throws {@link InvalidOptionError} for an option that is unknown or impossible
     */
    constructor(httpServer: HttpServer, options?: ServerOptions);
    /** @param port - for an http server made here; 0 for any that is free */
    constructor(port: number, options?: ServerOptions);

    /** The http server it takes its connections from. */
    readonly httpServer: HttpServer;
    /** The default namespace, `/`. */
    readonly sockets: Namespace;
    /**
     * A namespace, made on first use.
     *
     * @example
     * LoopbackSocket.get('bookshop').start(io.of('/admin'));
     */
    of(name: string): Namespace;
    /**
     * Adds a listener to the default namespace. `connection` comes with each new {@link Socket}.
     */
    on(event: 'connection' | 'connect', listener: (socket: Socket) => void): this;
    on(event: string, listener: (...args: any[]) => void): this;
    /** As `on`, for one time. */
    once(event: 'connection' | 'connect', listener: (socket: Socket) => void): this;
    once(event: string, listener: (...args: any[]) => void): this;
    /** Removes a listener. */
    off(event: string, listener: (...args: any[]) => void): this;
    /** Sends an event to every authenticated socket of the default namespace. */
    emit(event: string, ...args: any[]): boolean;
    /** The authenticated sockets of these rooms of the default namespace. */
    to(room: Room | Room[]): BroadcastOperator;
    /** The same as `to`. */
    in(room: Room | Room[]): BroadcastOperator;
    /** The authenticated sockets of the default namespace that are in none of these rooms. */
    except(room: Room | Room[]): BroadcastOperator;
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

  // ---- Errors ----

  /** Every code of an error of this package. */
  type ErrorCode =
    | 'ERR_LOOPBACK_SOCKET_INVALID_CALLBACK'
    | 'ERR_LOOPBACK_SOCKET_INVALID_HOST'
    | 'ERR_LOOPBACK_SOCKET_INVALID_NAME'
    | 'ERR_LOOPBACK_SOCKET_INVALID_OPTION'
    | 'ERR_LOOPBACK_SOCKET_INVALID_SERVER'
    | 'ERR_LOOPBACK_SOCKET_RESERVED_EVENT'
    | 'ERR_LOOPBACK_SOCKET_UNKNOWN_OPTION'
    | 'ERR_LOOPBACK_SOCKET_UNSENDABLE_VALUE';

  /**
   * An error of this package.
   *
   * @example
   * try {
   *   sockets.start(io);
   * } catch (err) {
   *   if (err instanceof LoopbackSocket.LoopbackSocketError) console.error(err.code, err.message);
   * }
   */
  class LoopbackSocketError extends Error {
    /** Which one it is; stays the same from release to release. */
    readonly code: ErrorCode;
  }

  /** {@link LoopbackSocket.get} was called without a name. */
  class InvalidNameError extends LoopbackSocketError {
    readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_NAME';
  }

  /** {@link LoopbackSocket.start} was given something that has no sockets to serve. */
  class InvalidHostError extends LoopbackSocketError {
    readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_HOST';
  }

  /** `new Server()` was given something that is neither an http server nor a port. */
  class InvalidServerError extends LoopbackSocketError {
    readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_SERVER';
  }

  /** An option of a {@link Server} is unknown or impossible. */
  class InvalidOptionError extends LoopbackSocketError {
    readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_OPTION' | 'ERR_LOOPBACK_SOCKET_UNKNOWN_OPTION';
    /** The name of the option. */
    readonly option: string;
  }

  /** An event that a socket has for itself, as `disconnect`, cannot be emitted to clients. */
  class ReservedEventError extends LoopbackSocketError {
    readonly code: 'ERR_LOOPBACK_SOCKET_RESERVED_EVENT';
  }

  /** Something else than a function was given as a callback. */
  class InvalidCallbackError extends LoopbackSocketError {
    readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_CALLBACK';
  }

  /**
   * A value of the application cannot be sent to a client: it is circular, nested too deeply, or
   * holds a `BigInt`, or a getter or `toJSON` of it throws.
   */
  class UnsendableValueError extends LoopbackSocketError {
    readonly code: 'ERR_LOOPBACK_SOCKET_UNSENDABLE_VALUE';
  }
}

export = LoopbackSocket;
