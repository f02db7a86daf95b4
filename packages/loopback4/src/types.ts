import type { Context } from '@loopback/core';
import type { Server as HttpServer } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type LoopbackSocket from 'loopback-socket';

/** A user as `@loopback/security` describes one. */
export interface UserProfile {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  [attribute: string]: any;
}

/** Which strategy authenticates, and the options it gets, as `@authenticate` has them. */
export interface StrategyMetadata {
  strategy: string;
  options?: { [name: string]: unknown };
  skip?: boolean;
}

/** What sockets have to authenticate with. */
export interface AuthenticationConfig {
  /**
   * The strategies that may authenticate a socket, by their names; the first one that accepts decides.
   * By default those of the authentication component's `defaultMetadata`, or all that are registered.
   */
  strategies?: string | StrategyMetadata | ReadonlyArray<string | StrategyMetadata>;
  /**
   * Gives the token of what a client sent with `authentication`. By default that itself if it is a
   * string, or its field `token`, `accessToken`, `access_token` or `id`, or the `token` of the
   * handshake's `auth`. Without a token strategies see the `Authorization` header of the handshake.
   */
  token?: (credentials: any, socket: LoopbackSocket.Socket) => string | undefined;
  /**
   * What stands before the token in the `Authorization` header that strategies see.
   * @defaultValue 'Bearer'
   */
  scheme?: string;
  /**
   * Gives when a client has to have authenticated again, as a date or a time in ms; its socket ends
   * if it has not.
   */
  expires?: (
    user: UserProfile | undefined,
    details: { token: string | undefined; socket: LoopbackSocket.Socket },
  ) => Date | number | null | undefined;
  /**
   * Whether strategies run again for each call of a method with `@authenticate`, as for each request
   * of REST. By default they run once for each `authentication` of a client.
   * @defaultValue false
   */
  eachCall?: boolean;
}

/** Authenticates sockets by other means than strategies. A false value other than `undefined` refuses. */
export type AuthenticateSocket = (
  socket: LoopbackSocket.Socket,
  credentials: any,
  context: Context,
) => UserProfile | undefined | false | null | Promise<UserProfile | undefined | false | null>;

/** What this package takes for a Socket.IO server that the application made. */
export type SocketServer =
  | LoopbackSocket.Server<any, any, any, any>
  | LoopbackSocket.Namespace<any, any, any, any>
  | LoopbackSocket.SocketServerLike;

/** The configuration: `app.configure(LoopbackSocketBindings.COMPONENT).to({ … })`. */
export interface LoopbackSocketConfig {
  /** An instance to use, such as `LoopbackSocket.get('bookshop')`; one of its own by default. */
  instance?: LoopbackSocket;
  /**
   * Milliseconds that a socket has to authenticate, or `'none'`; not together with `instance`.
   * @defaultValue 3000
   */
  timeout?: LoopbackSocket.Timeout;
  /**
   * Who may connect: strategies, a function, or `false` for everybody.
   * @defaultValue all registered strategies
   */
  authentication?: false | AuthenticationConfig | AuthenticateSocket;
  /** The binding of the `RestServer` on whose port sockets are served. */
  restServer?: string;
  /** An HTTP server of the application's to serve sockets on, instead of the RestServer's. */
  httpServer?: HttpServer | HttpsServer | (() => HttpServer | HttpsServer);
  /** A port of its own, 0 for any, instead of the RestServer's. */
  port?: number;
  /** The host of `port`. */
  host?: string;
  /** Options of the native server, such as `path` and `cors`. */
  server?: Partial<LoopbackSocket.ServerOptions>;
  /**
   * A Socket.IO server that the application made and closes; or a function that makes one on the
   * HTTP server, which this component closes.
   */
  io?: SocketServer | ((httpServer: HttpServer | HttpsServer) => SocketServer);
  /** The namespace whose sockets authenticate and call, if it is not the whole server. */
  namespace?: string;
  /**
   * Milliseconds that calls which are running have to be answered when the application stops, of a native
   * server. By default all sockets end at once.
   */
  drain?: number;
  /** Options of `start()`, such as `maxAuthenticationAttempts`. */
  start?: LoopbackSocket.StartOptions;
  /**
   * Whether clients get the message and the stack of errors that are the server's fault.
   * @defaultValue false
   */
  debug?: boolean;
}

/** What a client gets as `error`. */
export interface SocketErrorBody {
  statusCode: number;
  code: string;
  name: string;
  message: string;
  details?: unknown;
  stack?: string;
}

/** Where an error comes from. */
export interface ErrorSource {
  /** The method, subscription or event; `authentication` when a client was refused. */
  name: string;
  socket: LoopbackSocket.Socket | null;
}

/** Makes what a client gets from the error of a call. */
export type ErrorWriter = (error: unknown, source: ErrorSource) => SocketErrorBody;

/** Logs the error of a call. */
export type ErrorLogger = (error: unknown, statusCode: number, source: ErrorSource) => void;
