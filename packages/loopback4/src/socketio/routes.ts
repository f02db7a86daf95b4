import {
  BindingScope,
  type Constructor,
  Context,
  CoreBindings,
  invokeMethod,
  MetadataInspector,
} from '@loopback/core';
import type LoopbackSocket from 'loopback-socket';
import { ForeignKeys } from '../keys';
import type { IoLike, LoopbackSocketServer } from '../server';
import {
  getSocketIoMetadata,
  SOCKET_IO_CONNECT_METADATA,
  SOCKET_IO_METADATA,
  SOCKET_IO_SUBSCRIBE_METADATA,
} from './decorators';
import { getNamespaceKeyForName, SocketIoBindings } from './keys';

/** A class and the namespace whose sockets it handles. */
interface Route {
  controllerClass: Constructor<object>;
  namespace: string | RegExp | undefined;
  name: string | undefined;
}

/** What this file needs of a socket. */
interface EventSocket {
  on(event: string, listener: (...args: any[]) => void): unknown;
  use?(middleware: (packet: unknown[], next: (error?: Error) => void) => void): unknown;
  auth?: boolean;
}

/** Whether a class is decorated for `@loopback/socketio`. */
export function isSocketIoController(controllerClass: Constructor<object>): boolean {
  const { prototype } = controllerClass;
  return (
    MetadataInspector.getClassMetadata(SOCKET_IO_METADATA, controllerClass) !== undefined ||
    MetadataInspector.getAllMethodMetadata(SOCKET_IO_SUBSCRIBE_METADATA, prototype) !== undefined ||
    MetadataInspector.getAllMethodMetadata(SOCKET_IO_CONNECT_METADATA, prototype) !== undefined
  );
}

/**
 * Has the classes that are decorated for `@loopback/socketio` handle the sockets of their namespaces, as that
 * package does: one controller for each socket, its methods called for events.
 */
export class SocketIoRoutes {
  readonly #routes: Route[] = [];
  /** The namespaces of the routes that are served, by server: one that the application made outlasts a stop. */
  readonly #served = new WeakMap<IoLike, Map<Route, IoLike>>();
  #io: IoLike | undefined;

  constructor(
    private readonly app: Context,
    private readonly server: LoopbackSocketServer,
  ) {}

  /** Adds a class; to the namespace of its decorator unless another one is given. */
  add(controllerClass: Constructor<object>, namespace?: string | RegExp): void {
    const metadata = getSocketIoMetadata(controllerClass);
    const route = {
      controllerClass,
      namespace: namespace ?? metadata?.namespace,
      name: metadata?.name,
    };
    this.#routes.push(route);
    if (this.#io !== undefined) {
      this.#serve(route, this.#io);
    }
  }

  /** Handles the sockets that connect to a server from now on. */
  start(io: IoLike): void {
    this.#io = io;
    for (const route of this.#routes) {
      this.#serve(route, io);
    }
  }

  /** Handles the sockets of a route, once for each server. */
  #serve(route: Route, io: IoLike): void {
    const { controllerClass, namespace, name } = route;
    const root = typeof io.of === 'function' ? io : (io.server ?? io);
    const routes = this.#served.get(root) ?? new Map<Route, IoLike>();
    this.#served.set(root, routes);
    const known = routes.get(route);
    const served = known ?? (namespace === undefined ? root : root.of!(namespace));
    if (name !== undefined) {
      this.app.bind(getNamespaceKeyForName(name)).to(served);
    }
    if (known !== undefined) {
      return;
    }
    routes.set(route, served);
    served.on('connection', (socket: EventSocket) => {
      this.#connect(controllerClass, socket).catch((error) => {
        this.server.logError(error, 500, {
          name: `connect of ${controllerClass.name}`,
          socket: socket as unknown as LoopbackSocket.Socket,
        });
      });
    });
  }

  async #connect(controllerClass: Constructor<object>, socket: EventSocket): Promise<void> {
    const shared = this.server.socketContext(socket as unknown as LoopbackSocket.Socket);
    const context = new Context(shared, 'socketio');
    context.bind(SocketIoBindings.SOCKET).to(socket as unknown as LoopbackSocket.Socket);
    context.bind(CoreBindings.CONTROLLER_CLASS).to(controllerClass);
    context
      .bind(CoreBindings.CONTROLLER_CURRENT)
      .toClass(controllerClass)
      .inScope(BindingScope.SINGLETON);
    const controller = await context.get<object>(CoreBindings.CONTROLLER_CURRENT.key);
    const { prototype } = controllerClass;
    const connects =
      MetadataInspector.getAllMethodMetadata(SOCKET_IO_CONNECT_METADATA, prototype) ?? {};
    for (const method of Object.keys(connects)) {
      await invokeMethod(controller, method, context, [socket]);
    }
    const subscribes =
      MetadataInspector.getAllMethodMetadata(SOCKET_IO_SUBSCRIBE_METADATA, prototype) ?? {};
    const patterns: { pattern: RegExp; handle: (...args: unknown[]) => Promise<void> }[] = [];
    for (const [method, matchers] of Object.entries(subscribes)) {
      const handle = this.#handlerOf(method, socket, context);
      for (const matcher of matchers) {
        if (typeof matcher === 'string') {
          socket.on(matcher, handle);
        } else {
          patterns.push({ pattern: matcher, handle });
        }
      }
    }
    if (patterns.length > 0) {
      // A middleware of the socket, as in the original package: it sees events before their listeners, and
      // gives a method the arguments as one array.
      socket.use?.((packet, next) => {
        const [event, ...args] = packet;
        const matching = patterns.filter(({ pattern }) => String(event).search(pattern) !== -1);
        matching
          .reduce((before, { handle }) => before.then(() => handle(args)), Promise.resolve())
          .then(() => next());
      });
    }
  }

  /** The listener of an event: runs the sequence, and never rejects. */
  #handlerOf(
    method: string,
    socket: EventSocket,
    parent: Context,
  ): (...args: unknown[]) => Promise<void> {
    return async (...args) => {
      const last = args.at(-1);
      const done = typeof last === 'function' ? (args.pop() as Function) : () => {};
      const context = new Context(parent, 'socketio event');
      try {
        context.bind(SocketIoBindings.MESSAGE).to(args);
        context.bind(CoreBindings.CONTROLLER_METHOD_NAME).to(method);
        const user = this.#userOf(socket);
        if (user !== undefined) {
          context.bind(ForeignKeys.USER).to(user);
        }
        const sequence = await context.get(SocketIoBindings.SEQUENCE);
        await sequence.handle(method, args, done);
      } catch (error) {
        this.server.logError(error, 500, {
          name: method,
          socket: socket as unknown as LoopbackSocket.Socket,
        });
      } finally {
        context.close();
      }
    };
  }

  /** The user of a socket that has authenticated. */
  #userOf(socket: EventSocket): object | undefined {
    return socket.auth === true
      ? this.server.socketContext(socket as unknown as LoopbackSocket.Socket).current?.user
      : undefined;
  }
}
