// The class, what it is given, and, as members of it, every other type of the package.

import type { Server as HttpServer } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import * as adapters from './adapter';
import * as api from './api';
import * as calls from './calls';
import * as define from './define-api';
import * as emitter from './emitter';
import * as errors from './errors';
import * as loopback3 from './loopback3';
import * as metrics from './metrics';
import * as namespaces from './namespace';
import * as observability from './observability';
import * as options from './options';
import * as server from './server';
import * as socket from './socket';
import * as subscriptions from './subscriptions';

import Self = LoopbackSocket;

/**
 * Authenticates sockets and lets them call methods. An instance has an authentication function,
 * handlers that run after it, and methods by name. {@link LoopbackSocket.start} serves the sockets
 * of a server; one instance can serve several servers and namespaces.
 *
 * @typeParam Credentials - what clients send with `authentication`
 * @typeParam Methods - the methods that clients may call, as an interface of functions from the
 *   arguments to the result; by default any method with any arguments
 * @typeParam S - the type of the socket that handlers get; by default that of the native server
 * @typeParam Subscriptions - what clients may subscribe to, as an interface of functions from the
 *   arguments to one item; by default anything
 *
 * @example
 * const sockets = LoopbackSocket.get('bookshop');
 *
 * sockets.auth(async (socket, credentials) => credentials?.token === 'open sesame');
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
  Subscriptions extends LoopbackSocket.SubscriptionMap<Subscriptions> =
    LoopbackSocket.AnySubscriptions,
> {
  /**
   * Creates an instance that {@link LoopbackSocket.get} does not return.
   *
   * @param name - a name, for your information
   * @param options - how long a socket may stay connected without authenticating, 3000 ms by default;
   *   or an object with that and other options
   */
  constructor(name: string, options?: LoopbackSocket.Timeout | LoopbackSocket.InstanceOptions);

  /**
   * Returns the instance with that name and creates it on first use. The models of an app share it.
   *
   * @param name - any string
   * @param options - how long a socket may stay connected without authenticating, 3000 ms by default;
   *   or an object with that and other options. Later values are ignored
   * @throws {@link LoopbackSocket.LoopbackSocketError} when `name` is not a string, or an option is
   *   unknown or its value is invalid
   *
   * @example
   * const sockets = LoopbackSocket.get('bookshop', 5000);
   * LoopbackSocket.get('bookshop') === sockets; // true
   *
   * @example
   * // With one declared interface, which the client uses, too: client<Api>(socket, …)
   * interface Api {
   *   credentials: { token: string };
   *   methods: { findBooks(args: { author: string }): Array<{ title: string }> };
   *   subscriptions: { orders(args: { shop: number }): { id: number } };
   * }
   * const bookshop = LoopbackSocket.get<Api>('bookshop');
   */
  static get<
    Api extends LoopbackSocket.ApiMap<Api> = LoopbackSocket.AnyApi,
    S = LoopbackSocket.Socket,
  >(
    name: string,
    options?: LoopbackSocket.Timeout | LoopbackSocket.InstanceOptions,
  ): LoopbackSocket<
    LoopbackSocket.CredentialsOf<Api>,
    LoopbackSocket.MethodsOf<Api>,
    S,
    LoopbackSocket.SubscriptionsOf<Api>
  >;
  static get<
    Credentials = any,
    Methods extends LoopbackSocket.MethodMap<Methods> = LoopbackSocket.AnyMethods,
    S = LoopbackSocket.Socket,
    Subscriptions extends LoopbackSocket.SubscriptionMap<Subscriptions> =
      LoopbackSocket.AnySubscriptions,
  >(
    name: string,
    options?: LoopbackSocket.Timeout | LoopbackSocket.InstanceOptions,
  ): LoopbackSocket<Credentials, Methods, S, Subscriptions>;

  /**
   * Sets the function that checks credentials; a later call replaces it. The function refuses a
   * client by throwing, by rejecting, by calling `cb(err)`, or with a false value other than
   * `undefined`. The client then receives `unauthorized` with the `message` of the error.
   *
   * @example
   * // a value or a promise
   * sockets.auth(async (socket, credentials) => {
   *   if (credentials?.token !== 'open sesame') throw new Error('unknown token');
   * });
   *
   * @example
   * // a callback: the function declares a third parameter
   * sockets.auth((socket, credentials, cb) => {
   *   setImmediate(() => cb(null, credentials?.token === 'open sesame'));
   * });
   *
   * @example
   * // a method of a model, which may be defined later
   * class Customer {
   *   static authenticate(socket: unknown, credentials: { token: string }) {
   *     return credentials?.token === 'open sesame';
   *   }
   * }
   * sockets.auth({ model: Customer, method: 'authenticate' });
   */
  auth(
    authentication: LoopbackSocket.Authentication<Credentials, S> | LoopbackSocket.ModelMethod,
  ): void;

  /**
   * Adds a handler that runs after each successful authentication, before the client receives
   * `authenticated`. Handlers run one after the other, in the order in which they were added. A
   * handler that fails refuses the socket.
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
   * Removes the first handler added with {@link LoopbackSocket.onConnected} that matches: that
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
   * Defines or replaces a method that authenticated clients can call by its name. A socket has the
   * methods that were defined when it authenticated.
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
   *
   * @example
   * // options: who may call, with what, how often and for how long
   * sockets.defineMethod(
   *   'report',
   *   async (socket, credentials, args, { signal }) => {
   *     const response = await fetch(`http://reports.local/${args.year}`, { signal });
   *     return response.json();
   *   },
   *   {
   *     authorize: (socket, credentials, args) => args.year > 2000,
   *     timeout: 10_000,
   *     rate: { limit: 10, per: 60_000 },
   *     context: true,
   *   },
   * );
   */
  defineMethod<
    Name extends keyof Methods & string,
    Args extends LoopbackSocket.ArgsOf<Methods[Name]>,
  >(
    name: Name,
    method:
      | LoopbackSocket.ContextMethod<Credentials, Args, LoopbackSocket.ResultOf<Methods[Name]>, S>
      | LoopbackSocket.ModelMethod,
    options: LoopbackSocket.MethodOptions<Credentials, Args, S> & {
      validate: LoopbackSocket.StandardSchema<any, Args>;
      context: true;
    },
  ): void;
  defineMethod<
    Name extends keyof Methods & string,
    Args extends LoopbackSocket.ArgsOf<Methods[Name]>,
  >(
    name: Name,
    method:
      | LoopbackSocket.Method<Credentials, Args, LoopbackSocket.ResultOf<Methods[Name]>, S>
      | LoopbackSocket.ModelMethod,
    options: LoopbackSocket.MethodOptions<Credentials, Args, S> & {
      validate: LoopbackSocket.StandardSchema<any, Args>;
      context?: false;
    },
  ): void;
  defineMethod<Name extends keyof Methods & string>(
    name: Name,
    method:
      | LoopbackSocket.ContextMethod<
          Credentials,
          LoopbackSocket.ArgsOf<Methods[Name]>,
          LoopbackSocket.ResultOf<Methods[Name]>,
          S
        >
      | LoopbackSocket.ModelMethod,
    options: LoopbackSocket.MethodOptions<Credentials, LoopbackSocket.ArgsOf<Methods[Name]>, S> & {
      context: true;
    },
  ): void;
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
    options?: LoopbackSocket.MethodOptions<Credentials, LoopbackSocket.ArgsOf<Methods[Name]>, S> & {
      context?: false;
    },
  ): void;
  // Options that are declared as `MethodOptions`: nothing says what the fourth argument of the handler is.
  defineMethod<
    Name extends keyof Methods & string,
    Options extends LoopbackSocket.MethodOptions<
      Credentials,
      LoopbackSocket.ArgsOf<Methods[Name]>,
      S
    >,
  >(
    name: Name,
    method:
      | ((
          socket: S,
          credentials: Credentials,
          args: LoopbackSocket.ArgsOf<Methods[Name]>,
          ...rest: any[]
        ) =>
          | LoopbackSocket.ResultOf<Methods[Name]>
          | PromiseLike<LoopbackSocket.ResultOf<Methods[Name]>>
          | void)
      | LoopbackSocket.ModelMethod,
    options: Options &
      ('context' extends keyof Options
        ? boolean extends Options['context']
          ? unknown
          : never
        : never),
  ): void;

  /**
   * Defines everything of an API that {@link LoopbackSocket.defineApi} gave.
   *
   * @returns this instance, typed
   * @throws {@link LoopbackSocket.InvalidOptionError} if an option is unknown or its value is invalid
   *
   * @example
   * const api = LoopbackSocket.defineApi({
   *   methods: { add: (socket, credentials, args: { a: number; b: number }) => args.a + args.b },
   * });
   * LoopbackSocket.get('bookshop').define(api).start(3000);
   */
  define<Api extends LoopbackSocket.DefinedApi<any>>(
    api: Api,
  ): LoopbackSocket<
    LoopbackSocket.CredentialsOf<Api>,
    LoopbackSocket.MethodsOf<Api>,
    S,
    LoopbackSocket.SubscriptionsOf<Api>
  >;

  /**
   * Defines an API in one place. Its type is inferred from the handlers: the credentials from those of
   * `auth`; the arguments of a method from its schema, else from its handler; those of a subscription from
   * its schema, else from `key`, else from its handler; results and items from what handlers give. A client
   * is typed with `client<typeof api>(socket, …)`.
   *
   * @throws {@link LoopbackSocket.InvalidOptionError} if a part is unknown or invalid
   * @throws {@link LoopbackSocket.NameInUseError} if a method and a subscription have the same name
   *
   * @example
   * const api = LoopbackSocket.defineApi({
   *   auth: (socket, credentials: { token: string }) => credentials?.token === 'open sesame',
   *   methods: {
   *     findBooks: async (socket, credentials, args: { author: string }) => [{ title: args.author }],
   *     count: { handler: () => 1, timeout: 1000 },
   *   },
   *   subscriptions: {
   *     orders: {
   *       key: ({ shop }: { shop: number }) => String(shop),
   *       // without a handler, this is where the type of the items is from
   *       authorizeItem: (socket, order: { id: number }) => order.id > 0,
   *     },
   *   },
   * });
   * type Api = LoopbackSocket.ApiOf<typeof api>;
   * // { credentials: { token: string }; methods: { findBooks(args: { author: string }): … } … }
   */
  static readonly defineApi: LoopbackSocket.DefineApi;

  /**
   * Removes a method. Sockets that have already authenticated keep it.
   *
   * @example
   * sockets.removeMethod('add');
   */
  removeMethod(name: keyof Methods & string): void;

  /**
   * Defines or replaces a subscription that authenticated clients can ask for by its name. A socket has the
   * subscriptions that were defined when it authenticated.
   *
   * @param name - any name that no method has
   * @param handler - gives a source of items: an async iterable, an iterable, a stream, an emitter, an
   *   Observable. Without a handler {@link LoopbackSocket.publish} feeds the sources
   * @param options - who may subscribe, which subscriptions share a source, and limits
   * @throws {@link LoopbackSocket.ReservedEventError} if the name is an event of the socket itself, or `error`
   * @throws {@link LoopbackSocket.NameInUseError} if a method has the name
   * @throws {@link LoopbackSocket.InvalidHandlerError} if the handler is neither a function nor names a method
   *   of a model
   * @throws {@link LoopbackSocket.InvalidOptionError} if an option is unknown or its value is invalid
   *
   * @example
   * // a private source: the handler runs for each subscription
   * sockets.defineSubscription('count', async function* (socket, credentials, { to }) {
   *   for (let i = 1; i <= to; i++) yield i;
   * });
   * // client: socket.on('count', (item, meta, ack) => { if (ack) ack(); });
   * //         socket.emit('count', { args: { to: 10 } }, ({ error, result }) => …)
   *
   * @example
   * // a shared source: one for each shop, fed from anywhere
   * sockets.defineSubscription('orders', {
   *   key: ({ shop }) => String(shop),
   *   authorize: (socket, credentials, { shop }) => socket.data.shops.has(shop),
   *   history: { size: 200, ttl: 60_000 },
   * });
   * sockets.publish('orders', { key: '7' }, { id: 1, total: 12 });
   */
  defineSubscription<Name extends keyof Subscriptions & string>(
    name: Name,
    handler?:
      | LoopbackSocket.SubscriptionHandler<
          Credentials,
          LoopbackSocket.ArgsOf<Subscriptions[Name]>,
          LoopbackSocket.ItemOf<Subscriptions[Name]>,
          S
        >
      | LoopbackSocket.ModelMethod,
    options?: LoopbackSocket.SubscriptionOptions<
      Credentials,
      LoopbackSocket.ArgsOf<Subscriptions[Name]>,
      LoopbackSocket.ItemOf<Subscriptions[Name]>,
      S
    > & { key?: undefined },
  ): void;
  defineSubscription<Name extends keyof Subscriptions & string>(
    name: Name,
    handler:
      | LoopbackSocket.SubscriptionHandler<
          null,
          any,
          LoopbackSocket.ItemOf<Subscriptions[Name]>,
          null
        >
      | LoopbackSocket.ModelMethod
      | undefined,
    options: LoopbackSocket.SubscriptionOptions<
      Credentials,
      LoopbackSocket.ArgsOf<Subscriptions[Name]>,
      LoopbackSocket.ItemOf<Subscriptions[Name]>,
      S
    >,
  ): void;
  defineSubscription<Name extends keyof Subscriptions & string>(
    name: Name,
    options: LoopbackSocket.SubscriptionOptions<
      Credentials,
      LoopbackSocket.ArgsOf<Subscriptions[Name]>,
      LoopbackSocket.ItemOf<Subscriptions[Name]>,
      S
    >,
  ): void;

  /**
   * Removes a subscription. The subscriptions that clients have end with the reason `removed`.
   *
   * @example
   * sockets.removeSubscription('orders');
   */
  removeSubscription(name: keyof Subscriptions & string): void;

  /**
   * Sends an item to all subscribers of a shared source. What a method publishes arrives before its answer.
   *
   * @param name - the subscription
   * @param source - `key`, the key of the source; a subscription without keys has one source, and `{}` means
   *   that
   * @param item - the item
   * @returns whether there is such a source: not if nobody has subscribed
   * @throws {@link LoopbackSocket.NoSharedSourceError} if there is no subscription of that name, or its
   *   sources are private
   * @throws {@link LoopbackSocket.InvalidOptionError} if the key is not a string, or there should be none
   * @throws {@link LoopbackSocket.UnsendableValueError} if the item cannot be sent; then nobody gets it
   *
   * @example
   * sockets.publish('orders', { key: '7' }, { id: 1, total: 12 });
   */
  publish<Name extends keyof Subscriptions & string>(
    name: Name,
    source: { key?: string } | undefined,
    item: LoopbackSocket.ItemOf<Subscriptions[Name]>,
  ): boolean;

  /**
   * An item of a private source with an id. A client that comes back hands in the id of its last item, and the
   * handler gets it as `after`.
   *
   * @param id - a string or a number
   * @param item - the item
   *
   * @example
   * sockets.defineSubscription('journal', async function* (socket, credentials, { entries }, { after }) {
   *   for (const { id, text } of entries) {
   *     if (after === undefined || id > after) yield LoopbackSocket.tracked(id, text);
   *   }
   * });
   */
  static tracked<Item>(id: string | number, item: Item): LoopbackSocket.TrackedItem<Item>;

  /**
   * Says that a private source continues after the id that the client handed in. The client learns it as
   * `resumed: true`.
   *
   * @param source - what the handler would give without
   *
   * @example
   * sockets.defineSubscription('log', (socket, credentials, { lines }, { after }) =>
   *   after === undefined
   *     ? lines
   *     : LoopbackSocket.resumed(lines.slice(Number(after) + 1)),
   * );
   */
  static resumed<Source>(source: Source): LoopbackSocket.ResumedSource<Source>;

  /**
   * Adds an interceptor around the calls and subscriptions of all sockets. It runs within those that were
   * added before. An error that it throws is the answer to the call.
   *
   * @returns a function that removes it
   *
   * @example
   * sockets.use(async (call, next) => {
   *   const begun = performance.now();
   *   try {
   *     return await next();
   *   } finally {
   *     console.log(`${call.kind} ${call.name} took ${performance.now() - begun} ms`);
   *   }
   * });
   */
  use(interceptor: LoopbackSocket.Interceptor<Credentials, S>): () => void;

  /**
   * Adds a listener for whatever a handler throws, rejects with or passes to its callback: also if no
   * client gets it, as it asked for no answer, or has left. What the package itself refuses, such as a
   * call that `authorize` does not allow, is not an error of a handler.
   *
   * @returns a function that removes it
   *
   * @example
   * sockets.onError((error, { socket, name, kind }) => {
   *   console.error(`${kind} ${name} of ${socket?.id} failed`, error);
   * });
   */
  onError(listener: LoopbackSocket.ErrorListener<S>): () => void;

  /**
   * Lets clients call the remote methods of a LoopBack 3 application by the names `Model.method` and
   * `Model.prototype.method`, with one object of named arguments. Coercion, remote hooks, access
   * control, results and errors are those of REST. Methods that need the HTTP response, files or
   * streams are refused. `Model.changes` is a subscription to the changes of a model, whose items are
   * {@link LoopbackSocket.ModelChange}.
   *
   * @param app - what `loopback()` returned, after boot
   * @param options - which models and methods, and the access token of a call
   * @throws {@link LoopbackSocket.InvalidApplicationError} if `app` is not a LoopBack 3 application
   * @throws {@link LoopbackSocket.InvalidOptionError} if an option is unknown or its value is
   *   invalid, or if it names a model or method that the application does not have
   * @throws {@link LoopbackSocket.UnsupportedRemoteMethodError} if `methods` names a method that
   *   cannot be called over a socket
   *
   * @example
   * // in a boot script; a client then calls
   * // socket.emit('Book.find', { filter: { limit: 10 } }, ({ error, result }) => {})
   * sockets.exposeModels(app);
   *
   * @example
   * sockets.exposeModels(app, { models: ['Book'], methods: ['Customer.findById'] });
   */
  exposeModels(
    app: LoopbackSocket.LoopBack3Application,
    options?: LoopbackSocket.ExposeOptions<Credentials, S>,
  ): void;

  /**
   * Revokes the authentication of sockets: their subscriptions end, their clients receive
   * `unauthorized` with the `message` and the `code` of a {@link LoopbackSocket.RevokedError}, and their
   * connections are closed.
   *
   * @param filter - says which. It is called for every authenticated socket, on every server that the
   *   instance was started on. If it throws, nothing is revoked
   * @returns how many sockets were revoked
   * @throws {@link LoopbackSocket.InvalidOptionError} if the filter returns a promise
   *
   * @example
   * sockets.revoke((socket, credentials) => credentials.userId === 7);
   */
  revoke(filter: (socket: S, credentials: Credentials) => boolean): number;

  /**
   * Returns the figures of the instance, wherever it was started: its sockets, their calls and
   * subscriptions, and how attempts to authenticate ended. Calls are measured from the first time on. A
   * native server knows more: `io.metrics()`.
   *
   * @example
   * const { calls } = sockets.metrics();
   * console.log(calls.inFlight);
   */
  metrics(): LoopbackSocket.Metrics;

  /**
   * Serves the sockets of a server that connect from now on. Serving the same server twice is the
   * same as serving it once.
   *
   * @param io - one of
   *   - a native {@link LoopbackSocket.Server}, or a namespace of it
   *   - a Socket.IO server of npm socket.io 2, 3 or 4, or a namespace of it
   *   - a Node HTTP server, or a port as a number or a string of digits: a native server is created
   *     for it
   * @param options - which namespaces of a whole server are left out, and limits of authentication
   * @throws {@link LoopbackSocket.InvalidHostError} if `io` is none of these
   * @throws {@link LoopbackSocket.InvalidOptionError} if an option is unknown or its value is
   *   invalid
   *
   * @example
   * // the native server, on the HTTP server of a LoopBack or Express app
   * import { createServer } from 'node:http';
   * const httpServer = createServer();
   * sockets.start(new LoopbackSocket.Server(httpServer));
   *
   * @example
   * // a namespace
   * sockets.start(io.of('/admin'));
   *
   * @example
   * // a whole server, except namespaces whose broadcasts reach every client
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

  /** The name of the instance. */
  readonly _name: string;
  /** The timeout of the instance. */
  readonly _timeout: LoopbackSocket.Timeout;
  /** The function passed to {@link LoopbackSocket.auth}. */
  readonly _auth: LoopbackSocket.Authentication<Credentials, S> | LoopbackSocket.ModelMethod;
  /** The methods passed to {@link LoopbackSocket.defineMethod}, by name. */
  readonly _methods: Record<
    string,
    LoopbackSocket.Method<Credentials, any, any, S> | LoopbackSocket.ModelMethod
  >;
  /** The handlers passed to {@link LoopbackSocket.onConnected}. */
  readonly _connected: Array<
    LoopbackSocket.ConnectedHandler<Credentials, S> | LoopbackSocket.ModelMethod
  >;
  /** Always empty; kept for existing code that reads it. */
  readonly _sockets: unknown[];
  /** The last value passed to {@link LoopbackSocket.start}; `null` before that. */
  readonly _io: unknown;
}

declare namespace LoopbackSocket {
  /** The class itself, for `const { LoopbackSocket } = require('loopback-socket')`. */
  export import LoopbackSocket = Self;

  /**
   * How long a socket may stay connected without authenticating, in ms. 0, `null` and `undefined`
   * mean 3000; `'none'` means no limit. A numeric string works.
   */
  type Timeout = number | `${number}` | 'none' | null;

  /**
   * The Node-style callback of a handler that declares it. Only the first call counts; a falsy
   * `err` means success.
   */
  type Callback<Result = any> = (err?: unknown, result?: Result) => void;

  /**
   * A method of a model. It is looked up when it is needed, so it may be defined after this object.
   * It is called with `this` set to the model.
   */
  interface ModelMethod {
    /** A LoopBack model, or any object or class. */
    model: object;
    /** The name of its method. */
    method: string;
  }

  /**
   * Checks credentials. A function that declares `cb` reports its outcome through it; otherwise its
   * return value counts and is awaited if it is a promise. A false value refuses the client, but
   * `undefined` accepts it.
   */
  type Authentication<Credentials = any, S = Socket> = (
    socket: S,
    credentials: Credentials,
    cb: Callback<unknown>,
  ) => unknown;

  /**
   * Runs after a successful authentication. Its result is ignored; a failure refuses the client.
   */
  type ConnectedHandler<Credentials = any, S = Socket> = (
    socket: S,
    credentials: Credentials,
    cb: Callback<unknown>,
  ) => unknown;

  /**
   * Answers a call. A function that declares `cb` answers through it; otherwise its return value
   * counts and is awaited if it is a promise.
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

  /**
   * The answer to a call, as JSON (or MessagePack) encodes it. In JSON, an `undefined` result is
   * left out: `{}`.
   */
  interface Answer<Result = any, Failure = any> {
    /** What the method returned. */
    result?: Result;
    /**
     * What the method threw or passed as `err`: a string stays a string, an error becomes its own
     * fields.
     */
    error?: Failure;
  }

  /** What a refused client receives. */
  interface Refusal {
    /** The `message` of the error; missing if the error has none. */
    message?: any;
    /** The code, if this package refuses the client, and not the authentication function. */
    code?: string;
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
    /** The credentials were accepted, and the methods can be called. */
    authenticated: (accepted: true) => void;
    /**
     * The credentials were refused. If the client calls `acknowledge`, the server disconnects the
     * socket.
     */
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
     * Namespaces to leave out when a whole server is served: names, with or without a leading
     * slash, and patterns. None by default. No broadcast of any other namespace that exists at that
     * time reaches a client until its socket in the default namespace has authenticated on that
     * connection. The namespace of `@socket.io/admin-ui` is always left out.
     *
     * @example
     * sockets.start(io, { open: ['/status', /^\/public/] });
     */
    open?: ReadonlyArray<string | RegExp>;
    /**
     * How many attempts of a socket to authenticate may have failed or be in progress, per
     * instance. With the next attempt the client receives `unauthorized` with the `message` and the
     * `code` of a {@link TooManyAttemptsError}, the authentication function does not run, and the
     * connection is closed. Successful attempts do not count. `Infinity` disables the limit.
     * @defaultValue 100
     */
    maxAuthenticationAttempts?: number;
    /**
     * How many sockets of one address may be connected without having authenticated. The next one
     * receives `unauthorized` with the `message` and the `code` of a {@link TooManyPendingError},
     * and its connection is closed. An IPv6 /64 network counts as one address. `Infinity` disables
     * the limit.
     * @defaultValue 10000
     */
    maxPendingPerAddress?: number;
    /**
     * How many subscriptions a socket may have; `Infinity` for no limit. A client that asks for another one
     * gets a {@link TooManySubscriptionsError}.
     * @defaultValue 100
     */
    maxSubscriptions?: number;
    /**
     * Returns the address of a client for `maxPendingPerAddress`. By default,
     * `socket.handshake.address`, which the native server finds behind proxies, too, with
     * {@link ServerOptions.trustProxy}. Use this on a hosted server behind a proxy, where all
     * connections come from the proxy. A socket for which it returns `undefined` is not counted. One for which it
     * throws, or returns anything but a string that is not empty, counts for the address of its connection, and the
     * error goes to the listeners of `onError()`.
     *
     * @example
     * sockets.start(io, {
     *   maxPendingPerAddress: 50,
     *   // the address that our own proxy has seen
     *   clientAddress: (socket) => socket.handshake.headers['x-forwarded-for']?.split(',').at(-1)?.trim(),
     * });
     */
    clientAddress?: (socket: any) => string | undefined;
  }

  /** A Socket.IO server or namespace written in JavaScript, or an emitter that looks like one. */
  interface SocketServerLike {
    on(event: any, listener: any): any;
  }

  // types/api.d.ts
  export import MethodMap = api.MethodMap;
  export import AnyMethods = api.AnyMethods;
  export import SubscriptionMap = api.SubscriptionMap;
  export import AnySubscriptions = api.AnySubscriptions;
  export import ArgsOf = api.ArgsOf;
  export import ResultOf = api.ResultOf;
  export import ItemOf = api.ItemOf;
  export import AnyApi = api.AnyApi;
  export import DefinedApi = api.DefinedApi;
  export import ApiMap = api.ApiMap;
  export import ApiOf = api.ApiOf;
  export import CredentialsOf = api.CredentialsOf;
  export import MethodsOf = api.MethodsOf;
  export import SubscriptionsOf = api.SubscriptionsOf;
  // types/observability.d.ts
  export import SocketMessage = observability.SocketMessage;
  export import ConnectMessage = observability.ConnectMessage;
  export import DisconnectMessage = observability.DisconnectMessage;
  export import TraceMessage = observability.TraceMessage;
  // types/calls.d.ts
  export import InstanceOptions = calls.InstanceOptions;
  export import StandardSchema = calls.StandardSchema;
  export import Rate = calls.Rate;
  export import Metrics = metrics.Metrics;
  export import ServerMetrics = metrics.ServerMetrics;
  export import MethodMetrics = metrics.MethodMetrics;
  export import MethodOptions = calls.MethodOptions;
  export import CallContext = calls.CallContext;
  export import ContextMethod = calls.ContextMethod;
  export import InterceptedCall = calls.InterceptedCall;
  export import Interceptor = calls.Interceptor;
  export import ErrorKind = calls.ErrorKind;
  export import ErrorDetails = calls.ErrorDetails;
  export import ErrorListener = calls.ErrorListener;

  // types/subscriptions.d.ts
  export import SubscriptionContext = subscriptions.SubscriptionContext;
  export import TrackedItem = subscriptions.TrackedItem;
  export import ResumedSource = subscriptions.ResumedSource;
  export import ItemEmitter = subscriptions.ItemEmitter;
  export import ItemObservable = subscriptions.ItemObservable;
  export import SubscriptionSource = subscriptions.SubscriptionSource;
  export import SubscriptionHandler = subscriptions.SubscriptionHandler;
  export import SubscriptionKey = subscriptions.SubscriptionKey;
  export import SubscriptionOptions = subscriptions.SubscriptionOptions;
  export import ItemMeta = subscriptions.ItemMeta;
  export import SubscriptionResult = subscriptions.SubscriptionResult;
  export import SubscriptionEnd = subscriptions.SubscriptionEnd;

  // types/define-api.d.ts
  export import ApiMethod = define.ApiMethod;
  export import ApiSubscription = define.ApiSubscription;
  export import ApiDefinition = define.ApiDefinition;
  export import InferredApi = define.InferredApi;
  export import DefineApi = define.DefineApi;

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
  export import CloseOptions = options.CloseOptions;
  export import HttpCompressionOptions = options.HttpCompressionOptions;
  export import PerMessageDeflateOptions = options.PerMessageDeflateOptions;
  export import PerMessageDeflateZlibOptions = options.PerMessageDeflateZlibOptions;
  export import ConnectionStateRecoveryOptions = options.ConnectionStateRecoveryOptions;
  export import ServerOptions = options.ServerOptions;
  export import TrustProxy = options.TrustProxy;
  export import Pem = options.Pem;
  export import TlsKey = options.TlsKey;
  export import TlsOptions = options.TlsOptions;

  // types/server.d.ts
  export import ServerReservedEventsMap = server.ServerReservedEventsMap;
  export import ConnectionError = server.ConnectionError;
  export import Engine = server.Engine;
  export import Listener = server.Listener;
  export import Server = server.Server;

  // types/adapter.d.ts
  export import Adapter = adapters.Adapter;
  export import AdapterConstructor = adapters.AdapterConstructor;
  export import AdapterOfAnyVersion = adapters.AdapterOfAnyVersion;
  export import BroadcastFlags = adapters.BroadcastFlags;
  export import BroadcastOptions = adapters.BroadcastOptions;
  export import Session = adapters.Session;
  export import SessionToPersist = adapters.SessionToPersist;

  // types/namespace.d.ts
  export import Room = namespaces.Room;
  export import SocketId = namespaces.SocketId;
  export import ExtendedError = namespaces.ExtendedError;
  export import NamespaceReservedEventsMap = namespaces.NamespaceReservedEventsMap;
  export import Audience = namespaces.Audience;
  export import BroadcastOperator = namespaces.BroadcastOperator;
  export import NamespaceCalls = namespaces.NamespaceCalls;
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

  // types/loopback3.d.ts
  export import LoopBack3Application = loopback3.LoopBack3Application;
  export import LoopBack3Model = loopback3.LoopBack3Model;
  export import ExposeOptions = loopback3.ExposeOptions;
  export import ModelChange = loopback3.ModelChange;

  // types/errors.d.ts
  export import ErrorCode = errors.ErrorCode;
  export import WarningCode = errors.WarningCode;
  export import LoopbackSocketError = errors.LoopbackSocketError;
  export import InvalidNameError = errors.InvalidNameError;
  export import InvalidHostError = errors.InvalidHostError;
  export import InvalidApplicationError = errors.InvalidApplicationError;
  export import UnsupportedRemoteMethodError = errors.UnsupportedRemoteMethodError;
  export import RemoteMethodError = errors.RemoteMethodError;
  export import InvalidAccessTokenError = errors.InvalidAccessTokenError;
  export import InvalidServerError = errors.InvalidServerError;
  export import InvalidSessionIdError = errors.InvalidSessionIdError;
  export import InvalidOptionError = errors.InvalidOptionError;
  export import NameInUseError = errors.NameInUseError;
  export import UnsupportedOptionError = errors.UnsupportedOptionError;
  export import UnsupportedApiError = errors.UnsupportedApiError;
  export import ReservedEventError = errors.ReservedEventError;
  export import InvalidCallbackError = errors.InvalidCallbackError;
  export import InvalidTimeoutError = errors.InvalidTimeoutError;
  export import AckTimeoutError = errors.AckTimeoutError;
  export import InvalidCommandError = errors.InvalidCommandError;
  export import InvalidPacketError = errors.InvalidPacketError;
  export import MalformedMessageError = errors.MalformedMessageError;
  export import UnsendableValueError = errors.UnsendableValueError;
  export import TooManyAttemptsError = errors.TooManyAttemptsError;
  export import TooManyPendingError = errors.TooManyPendingError;
  export import InvalidSourceError = errors.InvalidSourceError;
  export import ArgumentIssue = errors.ArgumentIssue;
  export import CallError = errors.CallError;
  export import ForbiddenError = errors.ForbiddenError;
  export import InvalidArgumentsError = errors.InvalidArgumentsError;
  export import CallTimeoutError = errors.CallTimeoutError;
  export import CallCancelledError = errors.CallCancelledError;
  export import TooManyCallsError = errors.TooManyCallsError;
  export import RateLimitedError = errors.RateLimitedError;
  export import DisconnectedError = errors.DisconnectedError;
  export import RepeatedNextError = errors.RepeatedNextError;
  export import ExpiredError = errors.ExpiredError;
  export import RevokedError = errors.RevokedError;
  export import InvalidHandlerError = errors.InvalidHandlerError;
  export import InvalidKeyError = errors.InvalidKeyError;
  export import NoSharedSourceError = errors.NoSharedSourceError;
  export import TooManySubscriptionsError = errors.TooManySubscriptionsError;
  export import TooManySourcesError = errors.TooManySourcesError;
  export import RemovedSubscriptionError = errors.RemovedSubscriptionError;
  export import MissingAddonError = errors.MissingAddonError;
  export import UnloadableAddonError = errors.UnloadableAddonError;
}

export = LoopbackSocket;
