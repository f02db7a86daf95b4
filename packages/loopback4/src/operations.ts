import {
  type Binding,
  BindingScope,
  type Constructor,
  Context,
  ContextTags,
  CoreBindings,
  InvocationContext,
  type Interceptor,
  type InvocationOptions,
  invokeInterceptors,
  invokeMethod,
} from '@loopback/core';
import LoopbackSocket from 'loopback-socket';
import type { Authenticator } from './authentication';
import { SocketCallError, SocketHttpError, statusOf } from './errors';
import { ForeignKeys, LoopbackSocketBindings } from './keys';
import type { Session, SocketContext } from './sessions';
import { untilAborted, withErrors } from './sources';
import type { ErrorLogger, ErrorWriter, StrategyMetadata } from './types';

/** What a handler gets beside its arguments. */
export interface CallControl {
  /** Aborted when the call is cancelled or the subscription has ended. */
  signal?: AbortSignal;
  /** When the call times out, in ms since 1970. */
  deadline?: number | undefined;
  /** The id of the last item that the client has handled. */
  after?: unknown;
}

/** What operations need of the server. */
export interface OperationHost {
  readonly context: Context;
  readonly authenticator: Authenticator;
  readonly writeError: ErrorWriter;
  readonly logError: ErrorLogger;
  socketContext(socket: LoopbackSocket.Socket): SocketContext;
  sessionOf(socket: LoopbackSocket.Socket, credentials: unknown): Session;
}

/** A method of a controller that clients call or subscribe to. */
export class Operation {
  readonly #authentication: readonly StrategyMetadata[] | undefined;

  /**
   * @param host - the server
   * @param name - what clients call it
   * @param binding - of the controller
   * @param controllerClass - the class of the controller
   * @param method - its method
   * @param schema - checks the arguments
   */
  constructor(
    private readonly host: OperationHost,
    readonly name: string,
    private readonly binding: Readonly<Binding<unknown>>,
    private readonly controllerClass: Constructor<object>,
    readonly method: string,
    readonly schema: LoopbackSocket.StandardSchema | undefined,
  ) {
    this.#authentication = host.authenticator.metadataOf(controllerClass, method);
  }

  /** Checks the arguments: what `defineMethod()` and `defineSubscription()` take as `validate`. */
  get validate(): LoopbackSocket.StandardSchema | undefined {
    const { schema } = this;
    if (schema === undefined) {
      return undefined;
    }
    const { vendor, validate } = schema['~standard'];
    return {
      '~standard': {
        version: 1,
        vendor,
        validate: (value) => this.#guard(null, async () => validate(value)),
      },
    };
  }

  /** Calls the method for a client, with all interceptors. */
  call(
    socket: LoopbackSocket.Socket,
    credentials: unknown,
    args: unknown,
    control: CallControl,
  ): Promise<unknown> {
    return this.#guard(socket, () =>
      this.#within(socket, credentials, args, control, (context) =>
        this.#invoke(context, args, control),
      ),
    );
  }

  /**
   * Calls the method for a client that subscribes, with all interceptors: it gives the source. The context
   * lasts as long as that.
   */
  async subscribe(
    socket: LoopbackSocket.Socket,
    credentials: unknown,
    args: unknown,
    control: CallControl,
  ): Promise<any> {
    const source = await this.#guard(socket, () =>
      this.#within(
        socket,
        credentials,
        args,
        control,
        (context) => this.#invoke(context, args, control),
        control.signal,
      ),
    );
    return withErrors(source, (error) => callError(this.host, error, this.name, socket));
  }

  /** Starts a source that sockets share: in the context of the server, without any client's interceptors. */
  async share(args: unknown, control: CallControl): Promise<any> {
    const source = await this.#guard(null, () => {
      const context = this.#makeContext(this.host.context, args, control);
      return closing(
        context,
        () => this.#invoke(context, args, control, { skipInterceptors: true }),
        control.signal,
      );
    });
    return source === undefined
      ? untilAborted(control.signal)
      : withErrors(source, (error) => callError(this.host, error, this.name, null));
  }

  /**
   * Asks the decorators, the authorizers and the application whether a client may.
   *
   * @param then - what the options of the decorator add
   * @returns a false value other than `undefined` if it may not
   */
  authorize(
    socket: LoopbackSocket.Socket,
    credentials: unknown,
    args: unknown,
    then?: (socket: LoopbackSocket.Socket, credentials: any, args: any) => unknown,
  ): Promise<unknown> {
    return this.#guard(socket, () =>
      this.#within(socket, credentials, args, {}, async (context) => {
        const interceptors = context
          .findByTag<Interceptor>(ContextTags.GLOBAL_INTERCEPTOR)
          .filter(isAuthorizationInterceptor)
          .map(({ key }) => key);
        await this.#intercept(context, interceptors, args, () => undefined);
        return then === undefined ? true : then(socket, credentials, args);
      }),
    );
  }

  /** Runs the interceptors of the method around something else, which subscribes a client. */
  intercept(
    socket: LoopbackSocket.Socket,
    credentials: unknown,
    args: unknown,
    next: () => unknown,
  ): Promise<unknown> {
    return this.#guard(socket, () =>
      this.#within(socket, credentials, args, {}, async (context) => {
        const target = Object.create(await this.#target(context), {
          [this.method]: { value: next },
        });
        return invokeMethod(target, this.method, context, [args, {}], {
          source: this.#source,
          skipParameterInjection: true,
        });
      }),
    );
  }

  /** Calls the method. */
  async #invoke(
    context: Context,
    args: unknown,
    control: CallControl,
    options: InvocationOptions = {},
  ): Promise<unknown> {
    const target = await this.#target(context);
    return invokeMethod(target, this.method, context, [args, control], {
      ...options,
      source: this.#source,
    });
  }

  /**
   * Runs something in a context of a call, after `@authenticate`.
   *
   * @param until - the end of the context; by default that of what runs
   */
  async #within<T>(
    socket: LoopbackSocket.Socket,
    credentials: unknown,
    args: unknown,
    control: CallControl,
    run: (context: Context) => Promise<T>,
    until?: AbortSignal,
  ): Promise<T> {
    const session = this.host.sessionOf(socket, credentials);
    const context = this.#makeContext(this.host.socketContext(socket), args, control);
    context.bind(LoopbackSocketBindings.CREDENTIALS).to(credentials);
    context.bind(LoopbackSocketBindings.TOKEN).to(session.token);
    context.bind(ForeignKeys.HTTP_REQUEST).to(session.request);
    const begin = async () => {
      let { user } = session;
      if (this.#authentication?.length) {
        user = await this.host.authenticator.require(this.#authentication, session, context);
      }
      if (user !== undefined) {
        context.bind(ForeignKeys.USER).to(user);
      }
      return run(context);
    };
    return closing(context, begin, until);
  }

  #makeContext(parent: Context, args: unknown, control: CallControl): Context {
    const context = new Context(parent, 'call');
    context.scope = BindingScope.REQUEST;
    context.bind(CoreBindings.CONTROLLER_CLASS).to(this.controllerClass);
    context.bind(CoreBindings.CONTROLLER_METHOD_NAME).to(this.method);
    context.bind(CoreBindings.CONTROLLER_CURRENT).toDynamicValue(() => this.#target(context));
    context.bind(ForeignKeys.AUTHENTICATION_METADATA).to(this.#authentication);
    context.bind(LoopbackSocketBindings.NAME).to(this.name);
    context.bind(LoopbackSocketBindings.ARGS).to(args);
    // Read when it is asked for: a signal is made then.
    context.bind(LoopbackSocketBindings.SIGNAL).toDynamicValue(() => control.signal);
    if (control.after !== undefined) {
      context.bind(LoopbackSocketBindings.AFTER).to(control.after);
    }
    return context;
  }

  async #target(context: Context): Promise<object> {
    return (await context.get<object>(this.binding.key)) as object;
  }

  async #intercept(
    context: Context,
    interceptors: string[],
    args: unknown,
    next: () => unknown,
  ): Promise<unknown> {
    if (interceptors.length === 0) {
      return next();
    }
    const target = await this.#target(context);
    const invocation = new InvocationContext(
      context,
      target,
      this.method,
      [args, {}],
      this.#source,
    );
    return closing(invocation, async () =>
      invokeInterceptors(invocation, [...interceptors, next as Interceptor]),
    );
  }

  get #source() {
    return { type: 'socket', value: this.name, toString: () => `socket ${this.name}` };
  }

  /** Makes of what is thrown what the client gets, and logs it. */
  async #guard<T>(socket: LoopbackSocket.Socket | null, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      throw callError(this.host, error, this.name, socket);
    }
  }
}

/**
 * Runs something in a context and closes that, so that its parents hold nothing of it.
 *
 * @param until - closes it when it is aborted; without, it is closed when what runs is done
 */
async function closing<T>(
  context: Context,
  run: () => Promise<T>,
  until?: AbortSignal,
): Promise<T> {
  let isKept = false;
  try {
    const result = await run();
    isKept = until !== undefined && !until.aborted;
    if (isKept) {
      until?.addEventListener('abort', () => context.close(), { once: true });
    }
    return result;
  } finally {
    if (!isKept) {
      context.close();
    }
  }
}

/** What a handler throws for an error, which is logged. */
export function callError(
  { writeError, logError }: Pick<OperationHost, 'writeError' | 'logError'>,
  error: unknown,
  name: string,
  socket: LoopbackSocket.Socket | null,
): Error {
  if (error instanceof SocketCallError || isForClients(error)) {
    return error;
  }
  const source = { name, socket };
  const body = writeError(error, source);
  logError(error, statusOf(error), source);
  return new SocketCallError(body, error);
}

/** Whether an error of loopback-socket is for clients: a limit, say, and not a mistake of the application. */
function isForClients(error: unknown): error is LoopbackSocket.LoopbackSocketError {
  return (
    error instanceof LoopbackSocket.LoopbackSocketError &&
    (error.constructor as typeof LoopbackSocket.LoopbackSocketError).isOfPeer
  );
}

/** The error of a call without a session. */
export function unauthenticated(): SocketHttpError {
  return new SocketHttpError(401, 'The socket has not authenticated.');
}

function isAuthorizationInterceptor(binding: Readonly<Binding<unknown>>): boolean {
  return binding.tagMap[ContextTags.GLOBAL_INTERCEPTOR_GROUP] === ForeignKeys.AUTHORIZATION_GROUP;
}
