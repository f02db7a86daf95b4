// The class, what it is given, and, as members of it, every other type of the package.

import type { Server as HttpServer } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import * as emitter from './emitter';
import * as errors from './errors';
import * as namespaces from './namespace';
import * as options from './options';
import * as server from './server';
import * as socket from './socket';

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
   * Adds a handler that runs after each successful authentication, before the client gets
   * `authenticated`. Handlers run one after the other, in the order in which they were added; one that
   * fails refuses the socket.
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
   * // a whole server, except for namespaces whose broadcasts reach every client
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

  // types/emitter.d.ts
  export import EventsMap = emitter.EventsMap;
  export import DefaultEventsMap = emitter.DefaultEventsMap;
  export import EventName = emitter.EventName;
  export import EventArgs = emitter.EventArgs;
  export import EventNameWithAck = emitter.EventNameWithAck;
  export import EventNameWithoutAck = emitter.EventNameWithoutAck;
  export import EventNameWithError = emitter.EventNameWithError;
  export import ArgsBeforeAck = emitter.ArgsBeforeAck;
  export import AnswerOf = emitter.AnswerOf;
  export import WithTimeout = emitter.WithTimeout;
  export import WithResponses = emitter.WithResponses;
  export import ListenerOf = emitter.ListenerOf;
  export import AnyFunction = emitter.AnyFunction;
  export import IsAny = emitter.IsAny;
  export import LastOf = emitter.LastOf;
  export import AckOf = emitter.AckOf;
  export import NameByAck = emitter.NameByAck;
  export import BeginsWithError = emitter.BeginsWithError;
  export import TimedAck = emitter.TimedAck;
  export import ManyAcks = emitter.ManyAcks;
  export import TypedEmitter = emitter.TypedEmitter;

  // types/options.d.ts
  export import CorsOrigin = options.CorsOrigin;
  export import CorsOptions = options.CorsOptions;
  export import CorsOptionsDelegate = options.CorsOptionsDelegate;
  export import CookieOptions = options.CookieOptions;
  export import ServerOptions = options.ServerOptions;

  // types/server.d.ts
  export import ServerReservedEventsMap = server.ServerReservedEventsMap;
  export import ConnectionError = server.ConnectionError;
  export import Engine = server.Engine;
  export import Listener = server.Listener;
  export import Server = server.Server;

  // types/namespace.d.ts
  export import Room = namespaces.Room;
  export import SocketId = namespaces.SocketId;
  export import ExtendedError = namespaces.ExtendedError;
  export import NamespaceReservedEventsMap = namespaces.NamespaceReservedEventsMap;
  export import Audience = namespaces.Audience;
  export import BroadcastOperator = namespaces.BroadcastOperator;
  export import NamespaceCalls = namespaces.NamespaceCalls;
  export import AdapterView = namespaces.AdapterView;
  export import Namespace = namespaces.Namespace;
  export import ParentNamespace = namespaces.ParentNamespace;
  export import RemoteSocket = namespaces.RemoteSocket;

  // types/socket.d.ts
  export import DisconnectReason = socket.DisconnectReason;
  export import Handshake = socket.Handshake;
  export import Event = socket.Event;
  export import SocketReservedEventsMap = socket.SocketReservedEventsMap;
  export import EnginePacket = socket.EnginePacket;
  export import EngineSocket = socket.EngineSocket;
  export import Client = socket.Client;
  export import Socket = socket.Socket;

  // types/errors.d.ts
  export import ErrorCode = errors.ErrorCode;
  export import WarningCode = errors.WarningCode;
  export import LoopbackSocketError = errors.LoopbackSocketError;
  export import InvalidNameError = errors.InvalidNameError;
  export import InvalidHostError = errors.InvalidHostError;
  export import InvalidServerError = errors.InvalidServerError;
  export import InvalidSessionIdError = errors.InvalidSessionIdError;
  export import InvalidOptionError = errors.InvalidOptionError;
  export import UnsupportedOptionError = errors.UnsupportedOptionError;
  export import UnsupportedApiError = errors.UnsupportedApiError;
  export import ReservedEventError = errors.ReservedEventError;
  export import InvalidCallbackError = errors.InvalidCallbackError;
  export import InvalidTimeoutError = errors.InvalidTimeoutError;
  export import AckTimeoutError = errors.AckTimeoutError;
  export import MalformedMessageError = errors.MalformedMessageError;
  export import UnsendableValueError = errors.UnsendableValueError;
  export import TooManyAttemptsError = errors.TooManyAttemptsError;
  export import TooManyPendingError = errors.TooManyPendingError;
  export import MissingAddonError = errors.MissingAddonError;
}

export = LoopbackSocket;
