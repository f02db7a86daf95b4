import {
  ClassDecoratorFactory,
  type Constructor,
  inject,
  MetadataAccessor,
  MetadataInspector,
  MethodDecoratorFactory,
} from '@loopback/core';
import { getNamespaceKeyForName, SocketIoBindings } from './keys';

/** What `@socketio` says of a class. */
export interface SocketIoMetadata {
  /** A name for `@socketio.namespace(name)`. */
  name?: string;
  namespace?: string | RegExp;
}

export const SOCKET_IO_METADATA = MetadataAccessor.create<SocketIoMetadata, ClassDecorator>(
  'socketio',
);

export const SOCKET_IO_SUBSCRIBE_METADATA = MetadataAccessor.create<
  (string | RegExp)[],
  MethodDecorator
>('socketio:subscribe');

export const SOCKET_IO_CONNECT_METADATA = MetadataAccessor.create<boolean, MethodDecorator>(
  'socketio:connect',
);

/** Every event, whatever its name. */
const ANY_EVENT = /^[^]*$/;

/**
 * Has the sockets of a namespace handled by a class.
 *
 * @param spec - the namespace, or that and a name for it
 *
 * @example
 * @socketio('/chats')
 * export class ChatController {
 *   @socketio.subscribe('chat message')
 *   onMessage(message: string) {}
 * }
 */
export function socketio(spec: SocketIoMetadata | string | RegExp = {}): ClassDecorator {
  const metadata = typeof spec === 'string' || spec instanceof RegExp ? { namespace: spec } : spec;
  return ClassDecoratorFactory.createDecorator(SOCKET_IO_METADATA, metadata, {
    decoratorName: '@socketio',
    cloneInputSpec: false,
  });
}

/** What `@socketio` says of a class. */
export function getSocketIoMetadata(
  controllerClass: Constructor<unknown>,
): SocketIoMetadata | undefined {
  return MetadataInspector.getClassMetadata(SOCKET_IO_METADATA, controllerClass);
}

export namespace socketio {
  /** Injects the Socket.IO server. */
  export function io() {
    return inject(SocketIoBindings.IO);
  }

  /** Injects the namespace that a class gave a name. */
  export function namespace(name: string) {
    return inject(getNamespaceKeyForName(name));
  }

  /** Injects the socket. */
  export function socket() {
    return inject(SocketIoBindings.SOCKET);
  }

  /** Calls a method for events of these names, or whose names match. */
  export function subscribe(...messageTypes: (string | RegExp)[]): MethodDecorator {
    return MethodDecoratorFactory.createDecorator(SOCKET_IO_SUBSCRIBE_METADATA, messageTypes, {
      decoratorName: '@socketio.subscribe',
      cloneInputSpec: false,
    });
  }

  /** Calls a method for every event, as `subscribe` with a pattern that matches all names. */
  export function subscribeAll(): MethodDecorator {
    return subscribe(ANY_EVENT);
  }

  /** Calls a method when a socket disconnects. */
  export function disconnect(): MethodDecorator {
    return subscribe('disconnect');
  }

  /** Calls a method when a socket connects. */
  export function connect(): MethodDecorator {
    return MethodDecoratorFactory.createDecorator(SOCKET_IO_CONNECT_METADATA, true, {
      decoratorName: '@socketio.connect',
    });
  }
}
