import {
  type Application,
  type Binding,
  type BindingFilter,
  config,
  type Constructor,
  Context,
  type ContextView,
  CoreBindings,
  CoreTags,
  extensionFilter,
  inject,
  injectable,
  type LifeCycleObserver,
  MetadataInspector,
} from '@loopback/core';
import { once } from 'node:events';
import * as http from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import LoopbackSocket from 'loopback-socket';
import { Authenticator } from './authentication';
import { SOCKET_ARGS_KEY, SOCKET_METHOD_KEY, SOCKET_SUBSCRIPTION_KEY } from './decorators';
import { errorWriter, logError, SocketConfigurationError } from './errors';
import {
  ForeignKeys,
  LIFE_CYCLE_GROUP,
  LoopbackSocketBindings,
  LoopbackSocketTags,
  SOCKET_CONTROLLER_EXTENSIONS,
} from './keys';
import {
  type CallControl,
  callError,
  Operation,
  type OperationHost,
  unauthenticated,
} from './operations';
import { RecoverableSessions } from './recovery';
import { Session, SocketContext } from './sessions';
import { SocketIoBindings } from './socketio/keys';
import { isSocketIoController, SocketIoRoutes } from './socketio/routes';
import type { ErrorLogger, ErrorWriter, LoopbackSocketConfig, SocketServer } from './types';
import { schemaOf } from './validation';

type AnyHttpServer = http.Server | HttpsServer;

/** What this package needs of a RestServer. */
interface RestServerLike {
  httpServer?: { server: AnyHttpServer };
  stop(): Promise<void>;
}

/** What this package needs of a Socket.IO server. */
export interface IoLike {
  close?(): unknown;
  of?(name: string | RegExp): IoLike;
  server?: IoLike;
  on(event: string, listener: (...args: any[]) => void): unknown;
  use?(middleware: (...args: any[]) => void): unknown;
}

/** A method or subscription that this server has defined. */
interface Defined {
  operation: Operation;
  kind: 'method' | 'subscription';
  isShared: boolean;
  owner: Readonly<Binding<unknown>>;
  target: string;
}

/** The longest time of a timer, in ms. */
const MAX_DELAY = 2 ** 31 - 1;

const DRAIN_NEEDS_NATIVE_SERVER =
  'The configuration has `drain`, which is for a native server that this component closes. Leave `io` out, ' +
  'or have it be a function that returns a LoopbackSocket.Server.';

const isExtension = extensionFilter(SOCKET_CONTROLLER_EXTENSIONS);

const isClassBinding: BindingFilter = (binding) =>
  binding.valueConstructor !== undefined &&
  (binding.tagNames.includes(LoopbackSocketTags.SOCKET_CONTROLLER) ||
    isExtension(binding) ||
    isSocketController(binding.valueConstructor));

/**
 * Serves the sockets of an application: a lifecycle observer whose methods and subscriptions are those of the
 * controllers and services that the application has bound.
 */
@injectable({ tags: { [CoreTags.LIFE_CYCLE_OBSERVER_GROUP]: LIFE_CYCLE_GROUP } })
export class LoopbackSocketServer extends Context implements LifeCycleObserver, OperationHost {
  readonly context: Context = this;
  readonly instance: LoopbackSocket;
  readonly authenticator: Authenticator;
  readonly writeError: ErrorWriter;
  readonly logError: ErrorLogger;

  readonly #controllers: ContextView<object>;
  readonly #defined = new Map<string, Defined>();
  /** The classes that are served, with the bindings that they are made by. */
  readonly #classes = new Map<Constructor<object>, Readonly<Binding<unknown>>>();
  readonly #sockets = new WeakMap<object, SocketContext>();
  readonly #recoverable = new RecoverableSessions();
  readonly #routes: SocketIoRoutes;
  #io: IoLike | undefined;
  #httpServer: AnyHttpServer | undefined;
  #stop: (() => Promise<void>) | undefined;
  /** Resolved when it has stopped. */
  #stopped: Promise<void> = Promise.resolve();
  #isPrepared = false;
  #isIntercepting = false;

  constructor(
    @inject(CoreBindings.APPLICATION_INSTANCE) private readonly app: Application,
    @inject(LoopbackSocketBindings.INSTANCE) instance: LoopbackSocket,
    @config({ fromBinding: LoopbackSocketBindings.COMPONENT })
    private readonly options: LoopbackSocketConfig = {},
    @inject(LoopbackSocketBindings.ERROR_WRITER, { optional: true })
    writer: ErrorWriter = errorWriter(Boolean(options.debug)),
    @inject(LoopbackSocketBindings.LOG_ERROR, { optional: true }) logger: ErrorLogger = logError,
  ) {
    super(app, 'loopback-socket');
    this.instance = instance;
    this.writeError = writer;
    this.logError = logger;
    const { authentication } = options;
    this.authenticator = new Authenticator(
      app,
      typeof authentication === 'object' ? authentication : {},
    );
    this.#routes = new SocketIoRoutes(app, this);
    this.#controllers = this.createView<object>(isClassBinding);
  }

  /** The Socket.IO server, while the application runs. */
  get io(): IoLike | undefined {
    return this.#io;
  }

  /** Whether sockets are served. */
  get listening(): boolean {
    return this.#stop !== undefined;
  }

  /** Where clients connect to, while the application runs and has an HTTP server. */
  get url(): string | undefined {
    const address = this.#httpServer?.address() as AddressInfo | string | null | undefined;
    if (address === null || address === undefined || typeof address === 'string') {
      return undefined;
    }
    const protocol = 'setSecureContext' in this.#httpServer! ? 'https' : 'http';
    const isAny = address.address === '::' || address.address === '0.0.0.0';
    const host = isAny ? '127.0.0.1' : address.address;
    return `${protocol}://${host.includes(':') ? `[${host}]` : host}:${address.port}`;
  }

  /** Defines what the controllers have, before anything listens: what is wrong with them ends the start. */
  init(): void {
    this.#prepare();
  }

  /** Serves sockets: on the port of the RestServer, unless the configuration says otherwise. */
  async start(): Promise<void> {
    if (this.#stop !== undefined) {
      return;
    }
    await this.#stopped.catch(() => {});
    this.#prepare();
    const { io, httpServer, stop } = await this.#open();
    this.#io = io;
    this.#httpServer = httpServer;
    this.#stop = stop;
    try {
      this.#serve(io);
    } catch (error) {
      // The application does not stop what has not started.
      await this.stop();
      throw error;
    }
    // Whoever closes the HTTP server, the RestServer say, ends the sockets, too.
    httpServer?.once('close', () => {
      if (this.#httpServer === httpServer) {
        void this.stop();
      }
    });
  }

  #serve(io: IoLike): void {
    const root = rootOf(io) as unknown as LoopbackSocket.Server;
    this.app.bind(LoopbackSocketBindings.IO).to(root);
    this.app.bind(SocketIoBindings.IO).to(root);
    const { namespace, start } = this.options;
    const served = namespace === undefined ? io : rootOf(io).of!(namespace);
    this.instance.start(served as LoopbackSocket.SocketServerLike, start);
    this.#routes.start(io);
  }

  /** Ends every socket, and the HTTP server with them. */
  stop(): Promise<void> {
    const stop = this.#stop;
    this.#stop = undefined;
    this.#io = undefined;
    this.#httpServer = undefined;
    if (stop !== undefined) {
      this.#stopped = stop();
    }
    return this.#stopped;
  }

  /**
   * Adds the events of a class that is decorated for `@loopback/socketio`.
   *
   * @param controllerClass - the class
   * @param namespace - where, if its decorator does not say it
   */
  route(controllerClass: Constructor<object>, namespace?: string | RegExp): void {
    this.#routes.add(controllerClass, namespace);
  }

  /** The context of a socket, made on first use. */
  socketContext(socket: LoopbackSocket.Socket): SocketContext {
    let context = this.#sockets.get(socket);
    if (context === undefined) {
      context = new SocketContext(this, socket);
      this.#sockets.set(socket, context);
      const made = context;
      (socket as unknown as IoLike).on('disconnect', (reason: unknown) => {
        if ((socket as { connected?: unknown }).connected === true) {
          // The client has sent an event of this name, which Socket.IO 2 and 3 emit.
          return;
        }
        this.#recoverable.keep(socket, reason, () => made.sessions);
        made.close();
      });
      this.#recover(context);
    }
    return context;
  }

  /** Has a socket whose state was recovered find the sessions that its client had. */
  #recover(context: SocketContext): void {
    const { socket } = context;
    const sessions = this.#recoverable.take(socket);
    if (sessions !== undefined) {
      context.takeOver(sessions, (credentials, token) =>
        this.authenticator.requestOf(socket, credentials, token),
      );
    }
  }

  /** The session that a call was made in. */
  sessionOf(socket: LoopbackSocket.Socket, credentials: unknown): Session {
    const session = this.socketContext(socket).sessionOf(credentials);
    if (session === undefined) {
      throw unauthenticated();
    }
    return session;
  }

  /** Defines what the controllers have, once; from then on those that come and go. */
  #prepare(): void {
    if (this.#isPrepared) {
      return;
    }
    checkDrain(this.options);
    this.#isPrepared = true;
    const { authentication } = this.options;
    if (
      authentication !== false &&
      typeof authentication !== 'function' &&
      !this.authenticator.isPossible
    ) {
      this.#isPrepared = false;
      throw new SocketConfigurationError(
        'NO_STRATEGY',
        'No authentication strategy is registered, so that no socket could authenticate. Register one ' +
          'with registerAuthenticationStrategy(), or configure LoopbackSocketBindings.COMPONENT with ' +
          '`authentication`: a function, or false to let everybody in.',
      );
    }
    for (const binding of this.#controllers.bindings) {
      this.#add(binding);
    }
    this.#controllers.on('bind', ({ binding }) => this.#addLate(binding));
    this.#controllers.on('unbind', ({ binding }) => this.#remove(binding));
    const { instance } = this;
    instance.auth((socket: LoopbackSocket.Socket, credentials: unknown) =>
      this.#authenticate(socket, credentials),
    );
    instance.onConnected((socket: LoopbackSocket.Socket, credentials: unknown) =>
      this.#connected(socket, credentials),
    );
  }

  #add(binding: Readonly<Binding<unknown>>): void {
    const controllerClass = binding.valueConstructor as Constructor<object>;
    if (this.#classes.has(controllerClass)) {
      return;
    }
    this.#classes.set(controllerClass, binding);
    if (isSocketIoController(controllerClass)) {
      this.#routes.add(controllerClass);
    }
    const { instance } = this;
    const prototype = controllerClass.prototype as object;
    const schemas = MetadataInspector.getAllMethodMetadata(SOCKET_ARGS_KEY, prototype) ?? {};
    const methods = MetadataInspector.getAllMethodMetadata(SOCKET_METHOD_KEY, prototype) ?? {};
    for (const [method, { name = method, options = {} }] of Object.entries(methods)) {
      const operation = this.#operation(binding, controllerClass, method, name, schemas[method]);
      this.#keep(operation, 'method', false, binding);
      const { authorize, ...others } = options;
      instance.defineMethod(
        name,
        (
          socket: LoopbackSocket.Socket,
          credentials: unknown,
          args: unknown,
          control: CallControl,
        ) => operation.call(socket, credentials, args, control),
        {
          ...others,
          context: true,
          ...(operation.validate && { validate: operation.validate }),
          ...(authorize && {
            authorize: (socket: LoopbackSocket.Socket, credentials: unknown, args: unknown) =>
              operation.authorize(socket, credentials, args, authorize),
          }),
        },
      );
    }
    const subscriptions =
      MetadataInspector.getAllMethodMetadata(SOCKET_SUBSCRIPTION_KEY, prototype) ?? {};
    for (const [method, { name = method, options = {} }] of Object.entries(subscriptions)) {
      const operation = this.#operation(binding, controllerClass, method, name, schemas[method]);
      const isShared = options.key !== undefined;
      this.#keep(operation, 'subscription', isShared, binding);
      if (isShared) {
        this.#interceptShared();
      }
      instance.defineSubscription(
        name,
        (
          socket: LoopbackSocket.Socket | null,
          credentials: unknown,
          args: unknown,
          control: CallControl,
        ) =>
          socket === null
            ? operation.share(args, control)
            : operation.subscribe(socket, credentials, args, control),
        {
          ...options,
          ...(operation.validate && { validate: operation.validate }),
          authorize: (socket: LoopbackSocket.Socket, credentials: unknown, args: unknown) =>
            operation.authorize(socket, credentials, args, options.authorize),
        },
      );
    }
  }

  /** Runs the interceptors of the application for each client that subscribes to a shared source. */
  #interceptShared(): void {
    if (this.#isIntercepting) {
      return;
    }
    this.#isIntercepting = true;
    this.instance.use((call, next) => {
      const defined = call.kind === 'subscription' ? this.#defined.get(call.name) : undefined;
      return defined?.isShared
        ? defined.operation.intercept(call.socket, call.credentials, call.args, next)
        : next();
    });
  }

  #operation(
    binding: Readonly<Binding<unknown>>,
    controllerClass: Constructor<object>,
    method: string,
    name: string,
    schema: object | undefined,
  ): Operation {
    const ajvOptions = schema === undefined ? undefined : this.#ajvOptions();
    const checked = schema === undefined ? undefined : schemaOf(schema, name, ajvOptions);
    return new Operation(this, name, binding, controllerClass, method, checked);
  }

  #ajvOptions(): { [option: string]: unknown } {
    const options = this.getSync<{ validation?: { [option: string]: unknown } }>(
      ForeignKeys.VALIDATION_OPTIONS,
      { optional: true },
    );
    return options?.validation ?? {};
  }

  #keep(
    operation: Operation,
    kind: Defined['kind'],
    isShared: boolean,
    owner: Readonly<Binding<unknown>>,
  ): void {
    const target = `${owner.valueConstructor!.name}.prototype.${operation.method}`;
    const other = this.#defined.get(operation.name);
    if (other !== undefined) {
      throw new SocketConfigurationError(
        'NAME_IN_USE',
        `${other.target} and ${target} have the same name for clients, '${operation.name}'. Give one of ` +
          'them another name.',
      );
    }
    this.#defined.set(operation.name, { operation, kind, isShared, owner, target });
  }

  /** Adds a class that is bound while the application runs: nobody waits for its errors. */
  #addLate(binding: Readonly<Binding<unknown>>): void {
    try {
      this.#add(binding);
    } catch (error) {
      this.logError(error, 500, { name: binding.key, socket: null });
    }
  }

  #remove(binding: Readonly<Binding<unknown>>): void {
    const controllerClass = binding.valueConstructor as Constructor<object>;
    if (this.#classes.get(controllerClass) !== binding) {
      return;
    }
    this.#classes.delete(controllerClass);
    for (const [name, { owner, kind }] of this.#defined) {
      if (owner !== binding) {
        continue;
      }
      this.#defined.delete(name);
      if (kind === 'method') {
        this.instance.removeMethod(name);
      } else {
        this.instance.removeSubscription(name);
      }
    }
  }

  /** Decides about a client that sent credentials. */
  async #authenticate(socket: LoopbackSocket.Socket, credentials: unknown): Promise<boolean> {
    const { authentication } = this.options;
    const context = this.socketContext(socket);
    try {
      const token = this.authenticator.tokenOf(socket, credentials);
      const request = this.authenticator.requestOf(socket, credentials, token);
      const session = new Session(credentials, token, request);
      if (typeof authentication === 'function') {
        const user = await authentication(socket, credentials, context);
        if (user !== undefined && !user) {
          return false;
        }
        session.user = typeof user === 'object' && user !== null ? user : undefined;
      } else if (authentication !== false) {
        session.user = await this.authenticator.login(session, context);
      }
      context.addSession(session);
      return true;
    } catch (error) {
      throw callError(this, error, 'authentication', socket);
    }
  }

  #connected(socket: LoopbackSocket.Socket, credentials: unknown): void {
    const context = this.socketContext(socket);
    const session = context.sessionOf(credentials);
    context.current = session;
    // No handler runs for a recovered socket: its connection is all that tells of it.
    this.#recoverable.watch(socket, (recovered) => this.#recover(this.socketContext(recovered)));
    const { authentication } = this.options;
    if (session !== undefined && typeof authentication === 'object' && authentication.expires) {
      const { user, token } = session;
      try {
        socket.expires = authentication.expires(user, { token, socket }) ?? null;
      } catch (error) {
        throw callError(this, error, 'authentication', socket);
      }
    }
  }

  /** Finds or makes the Socket.IO server. */
  async #open(): Promise<{
    io: IoLike;
    httpServer: AnyHttpServer | undefined;
    stop: () => Promise<void>;
  }> {
    const { io: given, port, host, server = {}, drain } = this.options;
    if (given !== undefined && typeof given !== 'function') {
      return { io: given as unknown as IoLike, httpServer: undefined, stop: async () => {} };
    }
    const { httpServer, stopHttp } = await this.#httpServerOf(port, host);
    let io: IoLike;
    try {
      io = (typeof given === 'function'
        ? given(httpServer)
        : new LoopbackSocket.Server(httpServer, server)) as unknown as IoLike;
      if (drain !== undefined && !(rootOf(io) instanceof LoopbackSocket.Server)) {
        await closeIo(io);
        throw new SocketConfigurationError('INVALID_OPTION', DRAIN_NEEDS_NATIVE_SERVER);
      }
    } catch (error) {
      await stopHttp?.();
      throw error;
    }
    const stop = async () => {
      if (drain === undefined) {
        // Both at once: each waits for the HTTP server to be closed, and closes it.
        await Promise.all([stopHttp?.(), closeIo(io)]);
      } else {
        // Clients that poll need the HTTP server until their calls are answered.
        await closeIo(io, { drain });
        await stopHttp?.();
      }
    };
    return { io, httpServer, stop };
  }

  /** The HTTP server to serve sockets on, and what else closes it. */
  async #httpServerOf(
    port: number | undefined,
    host: string | undefined,
  ): Promise<{ httpServer: AnyHttpServer; stopHttp?: () => Promise<void> }> {
    if (port !== undefined) {
      const httpServer = http.createServer((request, response) => {
        response.writeHead(404).end();
      });
      httpServer.listen(port, host);
      await once(httpServer, 'listening');
      const stopHttp = () => new Promise<void>((resolve) => httpServer.close(() => resolve()));
      return { httpServer, stopHttp };
    }
    const { httpServer } = this.options;
    if (httpServer !== undefined) {
      return { httpServer: typeof httpServer === 'function' ? httpServer() : httpServer };
    }
    const key = this.options.restServer ?? ForeignKeys.REST_SERVER;
    const rest = await this.app.get<RestServerLike>(key, { optional: true });
    if (rest === undefined) {
      throw new SocketConfigurationError(
        'NO_HTTP_SERVER',
        `There is no server to serve sockets on: '${key}' is not bound. Use a RestApplication, or ` +
          'configure LoopbackSocketBindings.COMPONENT with `port`, `httpServer` or `io`.',
      );
    }
    if (rest.httpServer === undefined) {
      throw new SocketConfigurationError(
        'NO_HTTP_SERVER',
        'The RestServer does not listen. If it has `listenOnStart: false`, configure ' +
          'LoopbackSocketBindings.COMPONENT with `httpServer`, `port` or `io`. If the application orders ' +
          `its lifecycle observers, put the group '${LIFE_CYCLE_GROUP}' behind 'server'.`,
      );
    }
    return { httpServer: rest.httpServer.server, stopHttp: () => rest.stop() };
  }
}

/** Whether a class has methods or subscriptions for sockets. */
export function isSocketController(controllerClass: Function): boolean {
  const { prototype } = controllerClass;
  return (
    MetadataInspector.getAllMethodMetadata(SOCKET_METHOD_KEY, prototype) !== undefined ||
    MetadataInspector.getAllMethodMetadata(SOCKET_SUBSCRIPTION_KEY, prototype) !== undefined ||
    isSocketIoController(controllerClass as Constructor<object>)
  );
}

/** The whole server of a namespace. */
export function rootOf(io: IoLike): IoLike {
  return typeof io.of === 'function' ? io : (io.server ?? io);
}

/** Closes a Socket.IO server of any version; only the native one takes options. */
async function closeIo(io: IoLike, ...options: [{ drain: number }?]): Promise<void> {
  const server = rootOf(io);
  if (typeof server.close !== 'function') {
    return;
  }
  const { close } = server as { close: (...args: unknown[]) => unknown };
  const closed = new Promise((resolve, reject) => {
    Promise.resolve(close.call(server, ...options, resolve)).catch(reject);
  });
  // One that has never been attached fails to close.
  await closed.catch(() => {});
}

/**
 * Checks the option `drain` before anything listens: when the application stops, it would be late.
 *
 * @throws SocketConfigurationError if it is impossible
 */
function checkDrain({ drain, io }: LoopbackSocketConfig): void {
  if (drain === undefined) {
    return;
  }
  if (!Number.isInteger(drain) || drain < 0 || drain > MAX_DELAY) {
    throw new SocketConfigurationError(
      'INVALID_OPTION',
      `The option \`drain\` of the configuration needs a whole number of milliseconds from 0 to ${MAX_DELAY}.`,
    );
  }
  if (io !== undefined && typeof io !== 'function') {
    throw new SocketConfigurationError('INVALID_OPTION', DRAIN_NEEDS_NATIVE_SERVER);
  }
}

export type { SocketServer };
