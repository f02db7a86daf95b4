import { BindingKey, CoreBindings } from '@loopback/core';
import type LoopbackSocket from 'loopback-socket';
import type { LoopbackSocketComponent } from './component';
import type { LoopbackSocketServer } from './server';
import type { ErrorLogger, ErrorWriter, LoopbackSocketConfig } from './types';

/** Where the component and what belongs to a socket, a call or a subscription are bound. */
export namespace LoopbackSocketBindings {
  /** The component. */
  export const COMPONENT = BindingKey.create<LoopbackSocketComponent>(
    `${CoreBindings.COMPONENTS}.LoopbackSocketComponent`,
  );

  /** The configuration of the component, the same as `app.configure(COMPONENT)`. */
  export const CONFIG = BindingKey.buildKeyForConfig<LoopbackSocketConfig>(COMPONENT);

  /** The lifecycle observer that serves the sockets. */
  export const SERVER = BindingKey.create<LoopbackSocketServer>('servers.LoopbackSocketServer');

  /** The `LoopbackSocket` whose methods and subscriptions the controllers define. */
  export const INSTANCE = BindingKey.create<LoopbackSocket>('loopback-socket.instance');

  /** The Socket.IO server: a native `LoopbackSocket.Server` unless the configuration has another. */
  export const IO = BindingKey.create<LoopbackSocket.Server>('loopback-socket.io');

  /** Makes what a client gets from the error of a call; replace it to send something else. */
  export const ERROR_WRITER = BindingKey.create<ErrorWriter>('loopback-socket.errorWriter');

  /** Logs the errors of calls; by default those that are the server's fault, to the console. */
  export const LOG_ERROR = BindingKey.create<ErrorLogger>('loopback-socket.logError');

  /** The socket of a call, in the context of the socket. */
  export const SOCKET = BindingKey.create<LoopbackSocket.Socket>('loopback-socket.socket');

  /** What the client sent with `authentication`, in the context of a call. */
  export const CREDENTIALS = BindingKey.create<unknown>('loopback-socket.credentials');

  /** The access token of the client, in the context of a call. */
  export const TOKEN = BindingKey.create<string | undefined>('loopback-socket.token');

  /** The name of the method or subscription, in the context of a call. */
  export const NAME = BindingKey.create<string>('loopback-socket.name');

  /** The arguments of the client, in the context of a call. */
  export const ARGS = BindingKey.create<unknown>('loopback-socket.args');

  /** An `AbortSignal` for the end of the call or subscription, in its context. */
  export const SIGNAL = BindingKey.create<AbortSignal>('loopback-socket.signal');

  /** The id of the last item that the client has handled, in the context of a subscription. */
  export const AFTER = BindingKey.create<unknown>('loopback-socket.after');
}

/** The tags of bindings that this package makes and looks for. */
export namespace LoopbackSocketTags {
  /** A class with socket methods, subscriptions or `@socketio` metadata. */
  export const SOCKET_CONTROLLER = 'socketController';
  /** The namespace of the bindings that `socketController()` makes. */
  export const SOCKET_CONTROLLERS = 'socketControllers';
}

/** The name of the extension point for socket controllers: `extensionFor(SOCKET_CONTROLLER_EXTENSIONS)`. */
export const SOCKET_CONTROLLER_EXTENSIONS = 'loopback-socket.controllers';

/** The group of the lifecycle observer, after `server`. */
export const LIFE_CYCLE_GROUP = 'loopback-socket';

/** Keys of packages that an app need not have, as those packages define them. */
export namespace ForeignKeys {
  export const REST_SERVER = 'servers.RestServer';
  export const HTTP_REQUEST = 'rest.http.request';
  export const VALIDATION_OPTIONS = 'rest.requestBodyParserOptions';
  export const USER = 'security.user';
  export const AUTHENTICATION_METADATA = 'authentication.operationMetadata';
  export const AUTHENTICATION_COMPONENT = 'components.AuthenticationComponent';
  export const STRATEGIES = 'authentication.strategies';
  export const AUTHORIZATION_GROUP = 'authorization';
}
