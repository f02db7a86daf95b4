import type { EventEmitter } from 'node:events';
import type {
  IncomingHttpHeaders,
  IncomingMessage,
  ServerResponse,
  Server as HttpServer,
} from 'node:http';
import type { Server as HttpsServer } from 'node:https';

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
   *   - a Node http server, or a port, as a number or a string of digits: a native server is made for it
   * @param options - which namespaces of a whole server are left out, and how much a client may try
   * @throws {@link LoopbackSocket.InvalidHostError} when it is none of these
   * @throws {@link LoopbackSocket.InvalidOptionError} for an option that is unknown or impossible
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
   *
   * @example
   * // a whole server, but for namespaces that everybody may hear
   * sockets.start(io, { open: ['/status', /^\/public/] });
   */
  start(
    io:
      | LoopbackSocket.Server<any, any, any, any>
      | LoopbackSocket.Namespace<any, any, any, any>
      | LoopbackSocket.SocketServerLike
      | HttpServer
      | HttpsServer
      | number
      | `${number}`,
    options?: LoopbackSocket.StartOptions,
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

  /** What a call answers, as JSON makes it: an `undefined` result is left out, `{}`. Or as MessagePack does. */
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

  /** Options of {@link LoopbackSocket.start}. */
  interface StartOptions {
    /**
     * Namespaces that are left out when a whole server is served: their names, with a slash in front or
     * without, and patterns that fit their names. None by default. No broadcast of any other namespace that
     * exists by then reaches a client until its socket in the default namespace has authenticated on
     * that connection. That of `@socket.io/admin-ui` is left out by itself.
     *
     * @example
     * sockets.start(io, { open: ['/status', /^\/public/] });
     */
    open?: ReadonlyArray<string | RegExp>;
    /**
     * How many attempts of a socket to authenticate may have failed or be under way, for each instance. With
     * one more the client gets `unauthorized` with the `message` and the `code` of a
     * {@link TooManyAttemptsError}, the authentication function is not run, and its connection is closed.
     * Attempts that succeed do not count. `Infinity` for no limit. @defaultValue 100
     */
    maxAuthenticationAttempts?: number;
    /**
     * How many sockets of one address may be connected without having authenticated. One more gets
     * `unauthorized` with the `message` and the `code` of a {@link TooManyPendingError}, and its connection
     * is closed. An IPv6 network of 64 bits counts as one address. `Infinity` for no limit.
     * @defaultValue 10000
     */
    maxPendingPerAddress?: number;
    /**
     * The address of a client for `maxPendingPerAddress`: behind a proxy all connections come from that.
     * A socket for which it gives `undefined` is not counted. By default, where the connection comes from.
     *
     * @example
     * sockets.start(io, {
     *   maxPendingPerAddress: 50,
     *   // what the nearest proxy, which is ours, has seen
     *   clientAddress: (socket) => socket.handshake.headers['x-forwarded-for']?.split(',').at(-1)?.trim(),
     * });
     */
    clientAddress?: (socket: any) => string | undefined;
  }

  /** A Socket.IO server or namespace written in JavaScript, or an emitter that looks like one. */
  interface SocketServerLike {
    on(event: any, listener: any): any;
  }

  // ---- Events as types ----

  /** Events by name, each as a function of what it carries. */
  interface EventsMap {
    [event: string]: any;
  }
  /** Any event, with any arguments. */
  interface DefaultEventsMap {
    [event: string]: (...args: any[]) => void;
  }
  /** The names of an {@link EventsMap}. */
  type EventName<Events extends EventsMap> = keyof Events & (string | symbol);
  /** What an event of an {@link EventsMap} carries. */
  type EventArgs<Events extends EventsMap, Name extends keyof Events> = Parameters<Events[Name]>;
  /** The events whose last argument is an acknowledgement. */
  type EventNameWithAck<Events extends EventsMap> = NameByAck<Events, 'any' | 'answer' | 'error'>;
  /** The events that ask for no acknowledgement. */
  type EventNameWithoutAck<Events extends EventsMap> = NameByAck<Events, 'any' | 'none'>;
  /** The events whose acknowledgement is called with an error first. */
  type EventNameWithError<Events extends EventsMap> = NameByAck<Events, 'any' | 'error'>;
  /** What an event carries besides its acknowledgement. */
  type ArgsBeforeAck<Events extends EventsMap, Name extends keyof Events> =
    EventArgs<Events, Name> extends [...infer Args, any] ? Args : any[];
  /** What an event is acknowledged with: the first value that is no error. */
  type AnswerOf<Events extends EventsMap, Name extends keyof Events> =
    AckOf<Events[Name]> extends 'any'
      ? any
      : LastOf<Events[Name]> extends (...answer: infer Answer) => any
        ? Answer[AckOf<Events[Name]> extends 'error' ? 1 : 0]
        : never;
  /** The same events where an acknowledgement may fail to come: an error, or `null`, is put first. */
  type WithTimeout<Events> = {
    [Name in keyof Events]: Events[Name] extends (...args: infer Args) => infer Returned
      ? (...args: { [Index in keyof Args]: TimedAck<Args[Index]> }) => Returned
      : Events[Name];
  };
  /** The same events for many clients: an acknowledgement gets an array, an answer for each. */
  type WithResponses<Events> = {
    [Name in keyof Events]: Events[Name] extends (...args: infer Args) => infer Returned
      ? (...args: { [Index in keyof Args]: ManyAcks<Args[Index]> }) => Returned
      : Events[Name];
  };
  /** The listener of an event, of the object itself or of its user. */
  type ListenerOf<Reserved, Listen, Name> = Name extends keyof Reserved
    ? Reserved[Name]
    : Name extends keyof Listen
      ? [Listen[Name]] extends [never]
        ? (...args: any[]) => void
        : Listen[Name]
      : (...args: any[]) => void;

  /** @internal */
  type AnyFunction = (...args: any[]) => any;
  /** @internal */
  type IsAny<T> = 0 extends 1 & T ? true : false;
  /** The last argument of a function; `never` if it takes none. @internal */
  type LastOf<F> = F extends (...args: infer Args) => any
    ? Args extends [...any[], infer Last]
      ? Last
      : Args extends ReadonlyArray<infer Last>
        ? Last
        : never
    : never;
  /** How an event is acknowledged, by its last argument. @internal */
  type AckOf<F> =
    IsAny<LastOf<F>> extends true
      ? 'any'
      : [LastOf<F>] extends [never]
        ? 'none'
        : LastOf<F> extends (...answer: infer Answer) => any
          ? BeginsWithError<Answer> extends true
            ? 'error'
            : 'answer'
          : 'none';
  /** @internal */
  type NameByAck<Events extends EventsMap, Ack> = {
    [Name in EventName<Events>]: AckOf<Events[Name]> extends Ack ? Name : never;
  }[EventName<Events>];
  /** @internal */
  type BeginsWithError<Args extends any[]> = Args extends [infer First, ...any[]]
    ? IsAny<First> extends true
      ? false
      : First extends Error
        ? true
        : false
    : false;
  /** @internal */
  type TimedAck<Arg> = Arg extends (...answer: infer Answer) => infer Returned
    ? BeginsWithError<Answer> extends true
      ? Arg
      : (err: Error, ...answer: Answer) => Returned
    : Arg;
  /** @internal */
  type ManyAcks<Arg> = Arg extends (...answer: infer Answer) => infer Returned
    ? Answer extends []
      ? () => Returned
      : BeginsWithError<Answer> extends true
        ? Answer extends [infer Err, infer First, ...any[]]
          ? (err: Err, responses: First[]) => Returned
          : Arg
        : (responses: Array<Answer[0]>) => Returned
    : Arg;

  /** An emitter whose listeners are typed: its own events, and those of its user. */
  interface TypedEmitter<
    Reserved extends EventsMap,
    Listen extends EventsMap,
  > extends EventEmitter {
    on<Name extends EventName<Reserved> | EventName<Listen>>(
      event: Name,
      listener: ListenerOf<Reserved, Listen, Name>,
    ): this;
    once<Name extends EventName<Reserved> | EventName<Listen>>(
      event: Name,
      listener: ListenerOf<Reserved, Listen, Name>,
    ): this;
    listeners<Name extends EventName<Reserved> | EventName<Listen>>(
      event: Name,
    ): Array<ListenerOf<Reserved, Listen, Name>>;
  }

  // ---- Options of the native server ----

  /** The origins that may read answers, for {@link CorsOptions}. */
  type CorsOrigin = boolean | string | RegExp | Array<boolean | string | RegExp>;

  /** What pages of other origins may do, in the words of npm cors. */
  interface CorsOptions {
    /**
     * The origins: `true` for any, `false` for none, one, several, a pattern, or a function that
     * calls back with one of these. @defaultValue `'*'`
     */
    origin?:
      | CorsOrigin
      | ((
          requestOrigin: string | undefined,
          callback: (err: Error | null, origin?: CorsOrigin) => void,
        ) => void);
    /** The HTTP methods. @defaultValue `'GET,HEAD,PUT,PATCH,POST,DELETE'` */
    methods?: string | string[];
    /** The request headers; those that the page asks for by default. */
    allowedHeaders?: string | string[];
    /** The response headers that the page may read. */
    exposedHeaders?: string | string[];
    /** Whether cookies may come along. @defaultValue false */
    credentials?: boolean;
    /** How long, in seconds, a browser may remember all this. */
    maxAge?: number;
    /** Whether a preflight request is left to the application's listeners. @defaultValue false */
    preflightContinue?: boolean;
    /** The status of the answer to a preflight request. @defaultValue 204 */
    optionsSuccessStatus?: number;
  }

  /** Decides on {@link CorsOptions} for each request. */
  type CorsOptionsDelegate = (
    request: IncomingMessage,
    callback: (err: Error | null, options?: CorsOptions) => void,
  ) => void;

  /** A cookie with the session id, in the words of npm cookie. */
  interface CookieOptions {
    /** Its name. @defaultValue `'io'` */
    name?: string;
    /** @defaultValue `'/'` */
    path?: string;
    /** Whether scripts of the page cannot read it. @defaultValue true */
    httpOnly?: boolean;
    /** @defaultValue `'lax'` */
    sameSite?: boolean | 'lax' | 'strict' | 'none';
    /** Whether it travels over https only. */
    secure?: boolean;
    /** How long it lives, in seconds. */
    maxAge?: number;
    /** When it ends. */
    expires?: Date;
    /** The host it is for. */
    domain?: string;
    /** Which cookies a browser keeps when it has too many. */
    priority?: 'low' | 'medium' | 'high';
    /** Whether it is kept apart by the page it is embedded in. */
    partitioned?: boolean;
    /** Writes its value. */
    encode?(value: string): string;
  }

  /**
   * The options of a native {@link Server}, those of socket.io 4.8 with `maxBackpressure` added. One
   * that is unknown or impossible throws {@link InvalidOptionError}; one that asks for what the
   * native server cannot do throws {@link UnsupportedOptionError}.
   *
   * @example
   * const options: LoopbackSocket.ServerOptions = {
   *   path: '/ws',
   *   cors: { origin: 'https://bookshop.example', credentials: true },
   *   maxBackpressure: 1024 * 1024,
   * };
   */
  interface ServerOptions {
    /** The path that clients connect to. @defaultValue `'/socket.io'` */
    path?: string;
    /** Whether the path ends in a slash: `/socket.io/`. @defaultValue true */
    addTrailingSlash?: boolean;
    /**
     * Whether to serve `socket.io.js` of the installed socket.io or socket.io-client under the path.
     * @defaultValue true
     */
    serveClient?: boolean;
    /** How long a connection may live without joining a namespace, in ms. @defaultValue 45000 */
    connectTimeout?: number;
    /** How often clients are pinged, in ms. @defaultValue 25000 */
    pingInterval?: number;
    /** How long a client may leave a ping unanswered, in ms. @defaultValue 20000 */
    pingTimeout?: number;
    /** How long an upgrade to websocket may take, in ms. @defaultValue 10000 */
    upgradeTimeout?: number;
    /**
     * The largest message of a client, in bytes with its attachments, on either transport; a larger
     * one ends its connection. @defaultValue 1000000
     */
    maxHttpBufferSize?: number;
    /**
     * How many bytes may wait for a client that does not read, before its connection is closed. Those
     * of a broadcast count for each client, though they are in memory once. A client that reads fast
     * (8 MB a second) is waited for instead. @defaultValue 16777216
     */
    maxBackpressure?: number;
    /** The transports that clients may open. @defaultValue `['polling', 'websocket']` */
    transports?: Array<'polling' | 'websocket'>;
    /** Whether a connection may move from polling to websocket. @defaultValue true */
    allowUpgrades?: boolean;
    /**
     * Decides on each request that opens a connection or upgrades one: `fn(null, true)` lets it in,
     * `fn('why not', false)` refuses it.
     *
     * @example
     * const options: LoopbackSocket.ServerOptions = {
     *   allowRequest: (req, fn) => fn(null, req.headers.origin === 'https://bookshop.example'),
     * };
     */
    allowRequest?: (
      req: IncomingMessage,
      fn: (err: string | null | undefined, success: boolean) => void,
    ) => void;
    /**
     * The pages that may connect, by their origins, over every transport; others are refused with 403. As
     * `origin` of npm cors: origins without a path, regular expressions, an array of both, or a function.
     * Browsers send the origin of a page with each websocket, so list that of your own pages, too. Requests
     * without an origin, of clients that are no pages, pass. The option `cors` is about the answers to long
     * polling alone: without this one a page of any origin can open a websocket, with the cookies of its
     * user (RFC 6455, section 10.2). @defaultValue every page
     *
     * @example
     * const io = new LoopbackSocket.Server(3000, {
     *   allowedOrigins: ['https://app.example.com', /^https:\/\/[a-z]+\.example\.org$/],
     * });
     */
    allowedOrigins?:
      | string
      | RegExp
      | ReadonlyArray<string | RegExp>
      | ((origin: string, done: (err: unknown, allowed?: boolean) => void) => void)
      | false;
    /**
     * A cookie with the session id, for load balancers: `true` for one named `io`, a name, or all of
     * it. @defaultValue false
     */
    cookie?: CookieOptions | string | boolean;
    /** What pages of other origins may do; `true` for anything. @defaultValue false */
    cors?: CorsOptions | CorsOptionsDelegate | boolean;
    /** Whether clients of Socket.IO 2 may connect. @defaultValue true */
    allowEIO3?: boolean;
    /**
     * Whether a namespace that `of()` made for a pattern goes with its last socket.
     * @defaultValue false
     */
    cleanupEmptyChildNamespaces?: boolean;
    /**
     * The format of packets: JSON, or MessagePack, for which the module `socket.io-msgpack-parser` is
     * taken too. Clients need the same one. In MessagePack values travel as that module has them: `undefined`,
     * `NaN`, a `Date` and an `ArrayBuffer` arrive as such. @defaultValue `'json'`
     */
    parser?: 'json' | 'msgpack' | { Encoder: new (...args: any[]) => any };
    /** Whether an upgrade request that nobody takes is ended. @defaultValue true */
    destroyUpgrade?: boolean;
    /** After how long that is, in ms. @defaultValue 1000 */
    destroyUpgradeTimeout?: number;
    /** Ignored with a warning: the native server does not compress. */
    perMessageDeflate?: boolean | object;
    /** Ignored with a warning: the native server does not compress. */
    httpCompression?: boolean | object;
    /** Ignored with a warning: websockets are served in Rust. */
    wsEngine?: any;
    /** Refused: rooms are kept in Rust, for one process. Use socket.io and `start(io)` in a cluster. */
    adapter?: undefined;
    /** Refused: a client that reconnects is a new socket. */
    connectionStateRecovery?: undefined;
    /** Refused: emit from a listener of `connection`. */
    initialPacket?: undefined;
  }

  // ---- The native server ----

  /** The name of a room: any value, compared as the keys of a `Map`, though typed as `socket.io` does. */
  type Room = string;
  /** The id of a socket. */
  type SocketId = string;

  /**
   * Why a socket ended:
   * - `client namespace disconnect`: the client called `disconnect()`
   * - `server namespace disconnect`: `socket.disconnect()`
   * - `transport close`, `transport error`: its connection ended
   * - `forced close`: its connection was ended by the application, or its client sent nonsense
   * - `parse error`: its client sent what is no packet
   * - `ping timeout`: its client went silent
   * - `server shutting down`: `io.close()`
   */
  type DisconnectReason =
    | 'client namespace disconnect'
    | 'server namespace disconnect'
    | 'transport close'
    | 'transport error'
    | 'forced close'
    | 'forced server close'
    | 'parse error'
    | 'ping timeout'
    | 'server shutting down';

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
    auth: { [key: string]: any };
  }

  /** An error that refuses a client; `data` travels with its message. */
  interface ExtendedError extends Error {
    /** More for the client, as JSON makes it. */
    data?: any;
  }

  /** An event of a client, as middleware sees it: name, arguments, acknowledgement if asked for. */
  type Event = [string, ...any[]];

  /** The events a socket has for itself. */
  interface SocketReservedEventsMap {
    /** It has ended, and is in no room any more. */
    disconnect: (reason: DisconnectReason, description?: any) => void;
    /** It is about to end; its rooms are still known. */
    disconnecting: (reason: DisconnectReason, description?: any) => void;
    /** Middleware of the socket dropped an event, or its client sent what cannot be read. */
    error: (err: Error) => void;
  }

  /** The events a namespace has for itself. */
  interface NamespaceReservedEventsMap<
    ListenEvents extends EventsMap,
    EmitEvents extends EventsMap,
    ServerSideEvents extends EventsMap,
    SocketData,
  > {
    /** A client connected. */
    connect: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void;
    /** A client connected. */
    connection: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void;
  }

  /** The events a server has for itself. */
  interface ServerReservedEventsMap<
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

  /** Sockets to send to, or to act on, chosen step by step; each step gives a new operator. */
  interface Audience<EmitEvents extends EventsMap, SocketData, SocketEvents extends EventsMap> {
    /**
     * Narrows to the sockets of these rooms, those of rooms named before included.
     *
     * @example
     * io.to('customer 1').to(['admins', 'staff']).emit('bookAdded', { title: 'Emma' });
     */
    to(room: Room | Room[]): BroadcastOperator<EmitEvents, SocketData, SocketEvents>;
    /**
     * The same as `to`.
     *
     * @example
     * io.in('customer 1').disconnectSockets();
     */
    in(room: Room | Room[]): BroadcastOperator<EmitEvents, SocketData, SocketEvents>;
    /**
     * Leaves out the sockets of these rooms.
     *
     * @example
     * io.except('customer 1').emit('bookAdded', { title: 'Emma' });
     */
    except(room: Room | Room[]): BroadcastOperator<EmitEvents, SocketData, SocketEvents>;
    /** The sockets of this process, which are all there are. */
    readonly local: BroadcastOperator<EmitEvents, SocketData, SocketEvents>;
    /**
     * What is emitted may be dropped for a client for which something waits already.
     *
     * @example
     * io.volatile.emit('position', { x: 1, y: 2 });
     */
    readonly volatile: BroadcastOperator<EmitEvents, SocketData, SocketEvents>;
    /** As Socket.IO 2 spells that what is emitted is JSON, which it always is. */
    readonly json: BroadcastOperator<EmitEvents, SocketData, SocketEvents>;
    /** As Socket.IO 2 spells whether there is binary in what is emitted, which is found without. */
    binary(binary?: boolean): BroadcastOperator<EmitEvents, SocketData, SocketEvents>;
    /** Accepted; the native server does not compress. */
    compress(compress: boolean): BroadcastOperator<EmitEvents, SocketData, SocketEvents>;
    /**
     * How long clients may take to acknowledge.
     *
     * @param timeout - in ms
     * @throws {@link InvalidTimeoutError} when it is no number, or negative
     *
     * @example
     * io.timeout(1000).emit('are you there?', (err: Error | null, answers: string[]) => {
     *   console.log(err === null ? 'all answered' : 'some did not', answers);
     * });
     */
    timeout(timeout: number): BroadcastOperator<WithTimeout<EmitEvents>, SocketData, SocketEvents>;
    /**
     * Emits an event and waits until every client has acknowledged. Needs a `timeout()` before it.
     *
     * @returns what each client acknowledged with; rejected with {@link AckTimeoutError}, with the
     *   `responses` so far, when the time is over
     *
     * @example
     * const answers = await io.timeout(1000).emitWithAck('are you there?');
     */
    emitWithAck<Name extends EventNameWithError<EmitEvents>>(
      event: Name,
      ...args: ArgsBeforeAck<EmitEvents, Name>
    ): Promise<AnswerOf<EmitEvents, Name>>;
    /**
     * The sockets, those that have not authenticated among them.
     *
     * @example
     * for (const socket of await io.in('customer 1').fetchSockets()) {
     *   console.log(socket.id, socket.data);
     * }
     */
    fetchSockets(): Promise<Array<RemoteSocket<SocketEvents, SocketData>>>;
    /** Their ids. @deprecated Use `fetchSockets()`. */
    allSockets(): Promise<Set<SocketId>>;
    /**
     * Makes them join rooms.
     *
     * @example
     * io.in('customer 1').socketsJoin(['readers', 'buyers']);
     */
    socketsJoin(room: Room | Room[]): void;
    /**
     * Makes them leave rooms.
     *
     * @example
     * io.in('customer 1').socketsLeave('buyers');
     */
    socketsLeave(room: Room | Room[]): void;
    /**
     * Disconnects them.
     *
     * @param close - end their whole connections; `false` by default
     *
     * @example
     * io.in('customer 1').disconnectSockets(true);
     */
    disconnectSockets(close?: boolean): void;
  }

  /** A choice of sockets. Those that have not authenticated hear nothing of what is sent. */
  interface BroadcastOperator<
    EmitEvents extends EventsMap = DefaultEventsMap,
    SocketData = any,
    SocketEvents extends EventsMap = EmitEvents,
  > extends Audience<EmitEvents, SocketData, SocketEvents> {
    /** Itself: broadcasting is what it does. */
    readonly broadcast: this;
    /**
     * Sends an event. A function as the last argument is called with `(err, responses)` when every
     * client has acknowledged, or when the time given by `timeout()` is over.
     *
     * @throws {@link ReservedEventError} for an event that sockets have for themselves
     * @throws {@link UnsendableValueError} for a value that cannot be sent
     *
     * @example
     * io.to('customer 1').emit('bookAdded', { title: 'Emma' });
     */
    emit<Name extends EventName<EmitEvents>>(
      event: Name,
      ...args: EventArgs<EmitEvents, Name>
    ): boolean;
    /** Sends a `message` event. */
    send(...args: EventArgs<EmitEvents, 'message'>): this;
    /** The same as `send`. */
    write(...args: EventArgs<EmitEvents, 'message'>): this;
  }

  /** What is said to a namespace, or to a server for its default namespace. */
  interface NamespaceCalls<
    ListenEvents extends EventsMap,
    EmitEvents extends EventsMap,
    ServerSideEvents extends EventsMap,
    SocketData,
  > extends Audience<WithResponses<EmitEvents>, SocketData, EmitEvents> {
    /**
     * Adds middleware: it looks at each client before it is let in, in the order it was added. One
     * that calls `next` with an error refuses: the client gets `connect_error` with its `message` and
     * `data`.
     *
     * @example
     * io.use((socket, next) => {
     *   next(socket.handshake.auth.tenant === 'bookshop' ? undefined : new Error('no such tenant'));
     * });
     */
    use(
      middleware: (
        socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
        next: (err?: ExtendedError) => void,
      ) => void,
    ): this;
    /**
     * Sends a `message` event to every authenticated socket.
     *
     * @example
     * io.send('hello');
     */
    send(...args: EventArgs<EmitEvents, 'message'>): this;
    /** The same as `send`. */
    write(...args: EventArgs<EmitEvents, 'message'>): this;
    /**
     * Emits an event to the other servers of a cluster. There are none: a function as the last
     * argument is called with `(null, [])`.
     *
     * @throws {@link ReservedEventError} for `connect`, `connection` and `new_namespace`
     */
    serverSideEmit<Name extends EventName<ServerSideEvents>>(
      event: Name,
      ...args: EventArgs<WithResponses<WithTimeout<ServerSideEvents>>, Name>
    ): boolean;
    /** Emits an event to the other servers of a cluster and waits for their answers: there are none. */
    serverSideEmitWithAck<Name extends EventNameWithAck<ServerSideEvents>>(
      event: Name,
      ...args: ArgsBeforeAck<ServerSideEvents, Name>
    ): Promise<Array<AnswerOf<ServerSideEvents, Name>>>;
    /** The sockets, those that have not authenticated among them. */
    fetchSockets(): Promise<Array<Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>>>;
    /**
     * Calls back with the ids of the sockets.
     *
     * @deprecated Of Socket.IO 2. Use `fetchSockets()`.
     */
    clients(callback: (err: null, ids: SocketId[]) => void): this;
    /**
     * @deprecated Of Socket.IO before 1. Use the options of `new Server()`.
     * @throws {@link UnsupportedApiError} always
     */
    set(...args: any[]): never;
    /**
     * @deprecated Of Socket.IO before 1. Use `socket.data`.
     * @throws {@link UnsupportedApiError} always
     */
    get(...args: any[]): never;
    /**
     * @deprecated Of Socket.IO before 1. Use the options of `new Server()`.
     * @throws {@link UnsupportedApiError} always
     */
    configure(...args: any[]): never;
    /**
     * @deprecated Of Socket.IO 2. Use the option `cors`.
     * @throws {@link UnsupportedApiError} always
     */
    origins(...args: any[]): never;
    /**
     * @deprecated Of Socket.IO before 1. Use `use()`.
     * @throws {@link UnsupportedApiError} always
     */
    authorization(...args: any[]): never;
  }

  /**
   * Which rooms there are, for reading: copies of what is so at the moment of asking.
   *
   * @example
   * const { rooms } = io.of('/').adapter;
   * console.log(rooms.get('customer 1')?.size ?? 0, 'sockets in the room');
   *
   * @example
   * io.of('/').adapter.on('join-room', (room, id) => console.log(`${id} joined ${room}`));
   */
  interface AdapterView extends TypedEmitter<
    {
      'create-room': (room: Room) => void;
      'delete-room': (room: Room) => void;
      'join-room': (room: Room, id: SocketId) => void;
      'leave-room': (room: Room, id: SocketId) => void;
    },
    {}
  > {
    /** Its namespace. */
    readonly nsp: Namespace<any, any, any, any>;
    /** The ids of the sockets of each room. */
    readonly rooms: Map<Room, Set<SocketId>>;
    /** The rooms of each socket. */
    readonly sids: Map<SocketId, Set<Room>>;
    /** The rooms of a socket, if it is connected. */
    socketRooms(id: SocketId): Set<Room> | undefined;
    /** The ids of the sockets of these rooms, or of the whole namespace. */
    sockets(rooms?: Set<Room>): Promise<Set<SocketId>>;
    /** How many servers there are: 1. */
    serverCount(): Promise<number>;
    /**
     * @deprecated Rooms are kept in Rust: use `join()`, `leave()` and `emit()`.
     * @throws {@link UnsupportedApiError} always
     */
    addAll(...args: any[]): never;
    /**
     * @deprecated Rooms are kept in Rust: use `join()`, `leave()` and `emit()`.
     * @throws {@link UnsupportedApiError} always
     */
    del(...args: any[]): never;
    /**
     * @deprecated Rooms are kept in Rust: use `join()`, `leave()` and `emit()`.
     * @throws {@link UnsupportedApiError} always
     */
    delAll(...args: any[]): never;
    /**
     * @deprecated Rooms are kept in Rust: use `join()`, `leave()` and `emit()`.
     * @throws {@link UnsupportedApiError} always
     */
    broadcast(...args: any[]): never;
    /**
     * @deprecated Rooms are kept in Rust: use `join()`, `leave()` and `emit()`.
     * @throws {@link UnsupportedApiError} always
     */
    broadcastWithAck(...args: any[]): never;
    /**
     * @deprecated Use the method of namespaces.
     * @throws {@link UnsupportedApiError} always
     */
    addSockets(...args: any[]): never;
    /**
     * @deprecated Use the method of namespaces.
     * @throws {@link UnsupportedApiError} always
     */
    delSockets(...args: any[]): never;
    /**
     * @deprecated Use the method of namespaces.
     * @throws {@link UnsupportedApiError} always
     */
    disconnectSockets(...args: any[]): never;
    /**
     * @deprecated Use the method of namespaces.
     * @throws {@link UnsupportedApiError} always
     */
    fetchSockets(...args: any[]): never;
    /**
     * @deprecated Use the method of namespaces.
     * @throws {@link UnsupportedApiError} always
     */
    serverSideEmit(...args: any[]): never;
    /**
     * @deprecated Nothing is recovered: use `socket.data`, or a store of your own.
     * @throws {@link UnsupportedApiError} always
     */
    persistSession(...args: any[]): never;
    /**
     * @deprecated Nothing is recovered: use `socket.data`, or a store of your own.
     * @throws {@link UnsupportedApiError} always
     */
    restoreSession(...args: any[]): never;
    /**
     * @deprecated Adapters are not taken.
     * @throws {@link UnsupportedApiError} always
     */
    init(...args: any[]): never;
    /**
     * @deprecated Adapters are not taken.
     * @throws {@link UnsupportedApiError} always
     */
    close(...args: any[]): never;
  }

  /**
   * The sockets of one namespace of a native {@link Server}, whose `of()` makes it.
   *
   * @example
   * console.log(io.of('/admin') instanceof LoopbackSocket.Namespace); // true
   *
   * @typeParam ListenEvents - the events that clients send
   * @typeParam EmitEvents - the events that clients are sent
   * @typeParam ServerSideEvents - the events that servers of a cluster send each other
   * @typeParam SocketData - what `socket.data` holds
   */
  abstract class Namespace<
    ListenEvents extends EventsMap = DefaultEventsMap,
    EmitEvents extends EventsMap = ListenEvents,
    ServerSideEvents extends EventsMap = DefaultEventsMap,
    SocketData = any,
  > {}
  interface Namespace<
    ListenEvents extends EventsMap = DefaultEventsMap,
    EmitEvents extends EventsMap = ListenEvents,
    ServerSideEvents extends EventsMap = DefaultEventsMap,
    SocketData = any,
  >
    extends
      TypedEmitter<
        NamespaceReservedEventsMap<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
        ServerSideEvents
      >,
      NamespaceCalls<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
    /** Its name, as `/admin`. */
    readonly name: string;
    /** Its server. */
    readonly server: Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
    /**
     * The sockets connected to it, by id.
     *
     * @example
     * console.log(io.of('/admin').sockets.size);
     */
    readonly sockets: Map<SocketId, Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>>;
    /** Which rooms there are. */
    readonly adapter: AdapterView;
    /**
     * The sockets connected to it, by id.
     *
     * @deprecated Of Socket.IO 2. Use `sockets`.
     */
    readonly connected: Record<
      SocketId,
      Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>
    >;
    /**
     * Sends an event to every authenticated socket. For acknowledgements, go through `timeout()`.
     *
     * @throws {@link ReservedEventError} for an event that sockets have for themselves
     * @throws {@link UnsendableValueError} for a value that cannot be sent
     *
     * @example
     * io.of('/admin').emit('bookAdded', { title: 'Emma' });
     */
    emit<Name extends EventNameWithoutAck<EmitEvents>>(
      event: Name,
      ...args: EventArgs<EmitEvents, Name>
    ): boolean;
  }

  /**
   * What `of()` gives for a pattern or a function: each namespace that it makes gets its listeners,
   * its middleware and the LoopbackSockets that serve it. What is sent to it is sent to them all;
   * `fetchSockets()` throws {@link UnsupportedApiError}.
   */
  interface ParentNamespace<
    ListenEvents extends EventsMap = DefaultEventsMap,
    EmitEvents extends EventsMap = ListenEvents,
    ServerSideEvents extends EventsMap = DefaultEventsMap,
    SocketData = any,
  > extends Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
    /** The namespaces it has made. */
    readonly children: Set<Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>>;
    /** Makes a namespace now, without waiting for a client to ask for it. */
    createChild(name: string): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
  }

  /** A packet of Engine.IO, as `socket.conn` tells of it. */
  interface EnginePacket {
    /** What it is. */
    type: 'open' | 'close' | 'ping' | 'pong' | 'message' | 'upgrade' | 'noop';
    /** What it carries: text, or the bytes of a binary message. */
    data?: string | Buffer;
  }

  /**
   * A connection, which the sockets of its namespaces share, as Engine.IO sees it.
   *
   * @example
   * io.on('connection', (socket) => {
   *   console.log(socket.conn.transport.name); // 'polling'
   *   socket.conn.once('upgrade', (transport) => console.log(transport.name)); // 'websocket'
   * });
   */
  interface EngineSocket extends TypedEmitter<
    {
      /** It moved to websocket. */
      upgrade: (transport: { name: string }) => void;
      /** A packet came: a message has its text or its bytes as `data`, as they are on the wire. */
      packet: (packet: EnginePacket) => void;
      /** A packet is sent, as `packet` has it; told when it is handed over, not inside `emit()`. */
      packetCreate: (packet: EnginePacket & { options: { compress: boolean } }) => void;
      /** A message came. */
      message: (data: string | Buffer) => void;
      /** The same as `message`. */
      data: (data: string | Buffer) => void;
      /** The client answered a ping, or pinged: in version 3 of Engine.IO that is its part. */
      heartbeat: () => void;
      /** It has ended. */
      close: (reason: string, description?: any) => void;
    },
    {}
  > {
    /** Its Engine.IO session id; no client should learn that of another. */
    readonly id: string;
    /** The version of Engine.IO: 3 for clients of Socket.IO 1 and 2, 4 for later ones. */
    readonly protocol: number;
    /** The address of the client's end. */
    readonly remoteAddress: string;
    /** The transport in use. */
    readonly transport: { readonly name: 'polling' | 'websocket' };
    /** Whether it began with polling and is a websocket now. */
    readonly upgraded: boolean;
    /** Whether it is open. */
    readonly readyState: 'open' | 'closed';
    /** {@link Server.engine}. */
    readonly server: Engine;
    /** The http request that opened it; `delete` it to save memory. */
    request: IncomingMessage;
    /** Ends it, with all its sockets. */
    close(): this;
    /**
     * @deprecated Use `socket.send()`.
     * @throws {@link UnsupportedApiError} always
     */
    send(...args: any[]): never;
    /**
     * @deprecated Use `socket.send()`.
     * @throws {@link UnsupportedApiError} always
     */
    write(...args: any[]): never;
  }

  /** A connection as Socket.IO sees it. */
  interface Client {
    /** The server. */
    readonly server: Server<any, any, any, any>;
    /** The same connection as Engine.IO sees it. */
    readonly conn: EngineSocket;
    /** Its Engine.IO session id. */
    readonly id: string;
    /** The http request that opened it. */
    readonly request: IncomingMessage;
    /** Its sockets, one a namespace, by id. */
    readonly sockets: Map<SocketId, Socket<any, any, any, any>>;
  }

  /** Why a request to open a connection was refused. */
  interface ConnectionError {
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
  interface Engine extends TypedEmitter<
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
     * other than `"` and `\`, and one that nobody can guess: who knows an id can use the session. A
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

  /**
   * What `fetchSockets()` gives: the sockets themselves, of which a {@link BroadcastOperator} does not
   * know what they listen for.
   */
  type RemoteSocket<EmitEvents extends EventsMap = DefaultEventsMap, SocketData = any> = Socket<
    DefaultEventsMap,
    EmitEvents,
    DefaultEventsMap,
    SocketData
  >;

  /**
   * One client in one namespace of a native {@link Server}, which makes it.
   *
   * @example
   * console.log(socket instanceof LoopbackSocket.Socket); // true
   *
   * @typeParam ListenEvents - the events that the client sends
   * @typeParam EmitEvents - the events that the client is sent
   * @typeParam ServerSideEvents - the events that servers of a cluster send each other
   * @typeParam SocketData - what `data` holds
   */
  abstract class Socket<
    ListenEvents extends EventsMap = DefaultEventsMap,
    EmitEvents extends EventsMap = ListenEvents,
    ServerSideEvents extends EventsMap = DefaultEventsMap,
    SocketData = any,
  > {}
  interface Socket<
    ListenEvents extends EventsMap = DefaultEventsMap,
    EmitEvents extends EventsMap = ListenEvents,
    ServerSideEvents extends EventsMap = DefaultEventsMap,
    SocketData = any,
  > extends TypedEmitter<SocketReservedEventsMap, ListenEvents> {
    /** Its id, new with each connection. */
    readonly id: SocketId;
    /**
     * Whether it has authenticated; `undefined` in a namespace that no instance serves. An application
     * that vouches for a socket itself may set it to `true`: its time is then no longer limited, and
     * broadcasts reach it. It has no methods until its client authenticates.
     */
    auth: boolean | undefined;
    /** How its client connected. */
    readonly handshake: Handshake;
    /** Its rooms, the one of its own id among them: a copy. */
    readonly rooms: Set<Room>;
    /** For the application to keep what it likes; an empty object at first. */
    data: SocketData;
    /** Whether it is connected. */
    readonly connected: boolean;
    /** The opposite of `connected`. */
    readonly disconnected: boolean;
    /** Always `false`: the native server recovers no sessions. */
    readonly recovered: boolean;
    /** The http request that opened its connection. */
    readonly request: IncomingMessage;
    /** Its connection, as Engine.IO sees it. */
    readonly conn: EngineSocket;
    /** Its connection, as Socket.IO sees it. */
    readonly client: Client;
    /** Its namespace. */
    readonly nsp: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
    /** Its server. */
    readonly server: Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
    /** The rooms of its namespace. */
    readonly adapter: AdapterView;
    /** Callbacks that wait for its client to acknowledge, by id. */
    readonly acks: Map<number, (...args: any[]) => void>;
    /**
     * Sends to every other authenticated socket of its namespace.
     *
     * @example
     * socket.broadcast.to('readers').emit('bookAdded', { title: 'Emma' });
     */
    readonly broadcast: BroadcastOperator<WithResponses<EmitEvents>, SocketData, EmitEvents>;
    /** The same as `broadcast`: there is one process. */
    readonly local: BroadcastOperator<WithResponses<EmitEvents>, SocketData, EmitEvents>;
    /**
     * What is emitted next may be dropped if something waits for the client already.
     *
     * @example
     * socket.volatile.emit('position', { x: 1, y: 2 });
     */
    readonly volatile: this;
    /** As Socket.IO 2 spells that what is emitted next is JSON, which it always is. */
    readonly json: this;
    /** As Socket.IO 2 spells whether there is binary in what is emitted next: found without. */
    binary(binary?: boolean): this;
    /** Accepted; the native server does not compress. */
    compress(compress: boolean): this;
    /**
     * How long the client may take to acknowledge the next event.
     *
     * @param timeout - in ms
     * @throws {@link InvalidTimeoutError} when it is no number, or negative
     *
     * @example
     * socket.timeout(1000).emit('are you there?', (err: Error | null, answer: string) => {
     *   console.log(err === null ? answer : 'no answer');
     * });
     */
    timeout(
      timeout: number,
    ): Socket<ListenEvents, WithTimeout<EmitEvents>, ServerSideEvents, SocketData>;
    /**
     * Sends an event to its client. With a function as the last argument, asks for an
     * acknowledgement and gives what it brings to the function.
     *
     * @throws {@link ReservedEventError} for an event that sockets have for themselves
     * @throws {@link UnsendableValueError} for a value that cannot be sent
     *
     * @example
     * socket.emit('hello', { from: 'the server' });
     * socket.emit('are you there?', (answer: string) => console.log(answer));
     */
    emit<Name extends EventName<EmitEvents>>(
      event: Name,
      ...args: EventArgs<EmitEvents, Name>
    ): boolean;
    /**
     * Sends an event to its client and waits for the acknowledgement.
     *
     * @returns what it brings; rejected with {@link AckTimeoutError} when the time given by
     *   `timeout()` is over, and never without one
     *
     * @example
     * const answer = await socket.timeout(1000).emitWithAck('are you there?');
     */
    emitWithAck<Name extends EventNameWithAck<EmitEvents>>(
      event: Name,
      ...args: ArgsBeforeAck<EmitEvents, Name>
    ): Promise<AnswerOf<EmitEvents, Name>>;
    /**
     * Sends a `message` event to its client.
     *
     * @example
     * socket.send('hello');
     */
    send(...args: EventArgs<EmitEvents, 'message'>): this;
    /** The same as `send`. */
    write(...args: EventArgs<EmitEvents, 'message'>): this;
    /**
     * Adds a listener for an event of its client, or of its own. An event that asks for an
     * acknowledgement has a function as its last argument.
     *
     * @example
     * socket.on('ping me', (text, acknowledge) => acknowledge(text));
     * socket.on('disconnect', (reason) => console.log(reason));
     */
    on<Name extends EventName<SocketReservedEventsMap> | EventName<ListenEvents>>(
      event: Name,
      listener: ListenerOf<SocketReservedEventsMap, ListenEvents, Name>,
    ): this;
    /**
     * Adds middleware: it looks at each event of the client before listeners and methods do. One that
     * calls `next` with an error drops the event; the socket then emits `error`.
     *
     * @example
     * socket.use(([event, ...args], next) => {
     *   next(args.length > 3 ? new Error(`too much for ${event}`) : undefined);
     * });
     */
    use(middleware: (event: Event, next: (err?: Error) => void) => void): this;
    /**
     * Adds a listener for every event of the client.
     *
     * @example
     * socket.onAny((event, ...args) => console.log(event, args));
     */
    onAny(listener: (...args: any[]) => void): this;
    /** The same as `onAny`, before the listeners there are. */
    prependAny(listener: (...args: any[]) => void): this;
    /** Removes such a listener, or all of them. */
    offAny(listener?: (...args: any[]) => void): this;
    /** The listeners that `onAny` and `prependAny` added. */
    listenersAny(): Array<(...args: any[]) => void>;
    /**
     * Adds a listener for every event that its client is sent.
     *
     * @example
     * socket.onAnyOutgoing((event, ...args) => console.log(event, args));
     */
    onAnyOutgoing(listener: (...args: any[]) => void): this;
    /** The same as `onAnyOutgoing`, before the listeners there are. */
    prependAnyOutgoing(listener: (...args: any[]) => void): this;
    /** Removes such a listener, or all of them. */
    offAnyOutgoing(listener?: (...args: any[]) => void): this;
    /** The listeners that `onAnyOutgoing` and `prependAnyOutgoing` added. */
    listenersAnyOutgoing(): Array<(...args: any[]) => void>;
    /**
     * Removes the listeners of an event, or all. Methods are listeners of the socket, as `listeners()`,
     * `listenerCount()` and `eventNames()` have it, and so is what begins an attempt to authenticate. A
     * method that is removed is there again when the client authenticates the next time.
     *
     * @example
     * socket.removeAllListeners('findBooks');
     */
    removeAllListeners(event?: string | symbol): this;
    /**
     * Joins rooms, at once.
     *
     * @param done - called when that is done, as Socket.IO 2 has it
     * @throws {@link InvalidCallbackError} when `done` is something else than a function
     *
     * @example
     * socket.join(['readers', 'buyers']);
     */
    join(room: Room | Room[], done?: (err: null) => void): this;
    /**
     * Leaves a room, at once.
     *
     * @param done - called when that is done, as Socket.IO 2 has it
     * @throws {@link InvalidCallbackError} when `done` is something else than a function
     */
    leave(room: Room, done?: (err: null) => void): this;
    /** Leaves every room, the one of its own id among them. */
    leaveAll(): void;
    /**
     * Every other authenticated socket of these rooms.
     *
     * @example
     * socket.to('readers').emit('bookAdded', { title: 'Emma' });
     */
    to(room: Room | Room[]): BroadcastOperator<WithResponses<EmitEvents>, SocketData, EmitEvents>;
    /** The same as `to`. */
    in(room: Room | Room[]): BroadcastOperator<WithResponses<EmitEvents>, SocketData, EmitEvents>;
    /** Every other authenticated socket that is in none of these rooms. */
    except(
      room: Room | Room[],
    ): BroadcastOperator<WithResponses<EmitEvents>, SocketData, EmitEvents>;
    /**
     * Disconnects it.
     *
     * @param close - end its whole connection, every namespace of it; `false` by default
     *
     * @example
     * socket.disconnect(true);
     */
    disconnect(close?: boolean): this;
  }

  /** Where clients come: a Node http(s) server, or a port, for which a http server is made. */
  type Listener = HttpServer | HttpsServer | number | `${number}`;

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
  class Server<
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
     * @param pattern - fits names, or a function that says with `next(null, whether)`
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
  interface Server<
    ListenEvents extends EventsMap = DefaultEventsMap,
    EmitEvents extends EventsMap = ListenEvents,
    ServerSideEvents extends EventsMap = DefaultEventsMap,
    SocketData = any,
  > extends NamespaceCalls<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {}

  // ---- Errors ----

  /** Every code of an error of this package. */
  type ErrorCode =
    | 'ERR_LOOPBACK_SOCKET_ACK_TIMEOUT'
    | 'ERR_LOOPBACK_SOCKET_INVALID_CALLBACK'
    | 'ERR_LOOPBACK_SOCKET_INVALID_HOST'
    | 'ERR_LOOPBACK_SOCKET_INVALID_NAME'
    | 'ERR_LOOPBACK_SOCKET_INVALID_OPTION'
    | 'ERR_LOOPBACK_SOCKET_INVALID_SERVER'
    | 'ERR_LOOPBACK_SOCKET_INVALID_SESSION_ID'
    | 'ERR_LOOPBACK_SOCKET_INVALID_TIMEOUT'
    | 'ERR_LOOPBACK_SOCKET_MALFORMED_MESSAGE'
    | 'ERR_LOOPBACK_SOCKET_NO_ADDON'
    | 'ERR_LOOPBACK_SOCKET_RESERVED_EVENT'
    | 'ERR_LOOPBACK_SOCKET_TOO_MANY_ATTEMPTS'
    | 'ERR_LOOPBACK_SOCKET_TOO_MANY_PENDING'
    | 'ERR_LOOPBACK_SOCKET_UNKNOWN_OPTION'
    | 'ERR_LOOPBACK_SOCKET_UNSENDABLE_VALUE'
    | 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_API'
    | 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_OPTION';

  /**
   * The `code` of the warning that the process emits for an option that is ignored, for a second native
   * server on the same path of one http server, and for a namespace with clients that hear nothing there
   * since they are not in the default namespace ({@link StartOptions.open}).
   */
  type WarningCode =
    | 'ERR_LOOPBACK_SOCKET_GATED_NAMESPACE'
    | 'ERR_LOOPBACK_SOCKET_IGNORED_OPTION'
    | 'ERR_LOOPBACK_SOCKET_SAME_PATH';

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

  /**
   * {@link LoopbackSocket.start} was given something that has no sockets to serve, as an app of Express,
   * a LoopBack 4 application or a stream. The message says what it is and where its server is.
   */
  class InvalidHostError extends LoopbackSocketError {
    readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_HOST';
  }

  /**
   * A {@link Server} was given something that is neither an http(s) server nor a port, or was
   * attached while it was closing.
   */
  class InvalidServerError extends LoopbackSocketError {
    readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_SERVER';
  }

  /** What `io.engine.generateId` gave is no id of a session, or that of another session. */
  class InvalidSessionIdError extends LoopbackSocketError {
    readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_SESSION_ID';
  }

  /** An option of a {@link Server}, or of {@link LoopbackSocket.start}, is unknown or impossible. */
  class InvalidOptionError extends LoopbackSocketError {
    readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_OPTION' | 'ERR_LOOPBACK_SOCKET_UNKNOWN_OPTION';
    /** The name of the option. */
    readonly option: string;
  }

  /** An option of Socket.IO asks for what a {@link Server} cannot do. */
  class UnsupportedOptionError extends LoopbackSocketError {
    readonly code: 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_OPTION';
    /** The name of the option. */
    readonly option: string;
  }

  /** A member of Socket.IO that a {@link Server} does not have; the message says what to use. */
  class UnsupportedApiError extends LoopbackSocketError {
    readonly code: 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_API';
    /** The member. */
    readonly member: string;
  }

  /** An event that a socket has for itself, as `disconnect`, cannot be emitted to clients. */
  class ReservedEventError extends LoopbackSocketError {
    readonly code: 'ERR_LOOPBACK_SOCKET_RESERVED_EVENT';
  }

  /** Something else than a function was given as a callback. */
  class InvalidCallbackError extends LoopbackSocketError {
    readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_CALLBACK';
  }

  /** `timeout()` was given something else than a number of ms. */
  class InvalidTimeoutError extends LoopbackSocketError {
    readonly code: 'ERR_LOOPBACK_SOCKET_INVALID_TIMEOUT';
  }

  /** A client did not acknowledge an event in the time given by `timeout()`. */
  class AckTimeoutError extends LoopbackSocketError {
    readonly code: 'ERR_LOOPBACK_SOCKET_ACK_TIMEOUT';
    /** What others acknowledged with, if the event was for several clients. */
    readonly responses?: any[];
  }

  /** A client sent what is no packet: its sockets emit this as `error`, and its connection ends. */
  class MalformedMessageError extends LoopbackSocketError {
    readonly code: 'ERR_LOOPBACK_SOCKET_MALFORMED_MESSAGE';
  }

  /**
   * A value of the application cannot be sent to a client: it is circular, nested too deeply, or
   * holds a `BigInt`, or a getter or `toJSON` of it throws.
   */
  class UnsendableValueError extends LoopbackSocketError {
    readonly code: 'ERR_LOOPBACK_SOCKET_UNSENDABLE_VALUE';
  }

  /**
   * A client has tried to authenticate too often ({@link StartOptions.maxAuthenticationAttempts}). Not
   * thrown: the client gets the message and the code with `unauthorized`.
   */
  class TooManyAttemptsError extends LoopbackSocketError {
    readonly code: 'ERR_LOOPBACK_SOCKET_TOO_MANY_ATTEMPTS';
  }

  /**
   * Too many sockets of a client's address have not authenticated
   * ({@link StartOptions.maxPendingPerAddress}). Not thrown: the client gets the message and the code
   * with `unauthorized`.
   */
  class TooManyPendingError extends LoopbackSocketError {
    readonly code: 'ERR_LOOPBACK_SOCKET_TOO_MANY_PENDING';
  }

  /**
   * The addon for this platform is not installed, not built, or cannot be loaded; `cause` is what its
   * loader threw. `require('loopback-socket')` itself throws it.
   */
  class MissingAddonError extends LoopbackSocketError {
    readonly code: 'ERR_LOOPBACK_SOCKET_NO_ADDON';
  }
}

export = LoopbackSocket;
