import { BindingKey } from '@loopback/core';
import type LoopbackSocket from 'loopback-socket';
import { LoopbackSocketBindings } from '../keys';
import type { LoopbackSocketServer } from '../server';
import type {
  SocketIoInvokeMethod,
  SocketIoRejectMethod,
  SocketIoSendMethod,
  SocketIoSequence,
} from './types';

/** The bindings of `@loopback/socketio`, under their names there. */
export namespace SocketIoBindings {
  /** The Socket.IO server. */
  export const IO = BindingKey.create<LoopbackSocket.Server>('socketio.io');

  /** The server that has `route()`. */
  export const SERVER = BindingKey.create<LoopbackSocketServer>(LoopbackSocketBindings.SERVER.key);

  /** The socket of a controller. */
  export const SOCKET = BindingKey.create<LoopbackSocket.Socket>('socketio.socket');

  /** The arguments of an event. */
  export const MESSAGE = BindingKey.create<unknown[]>('socketio.message');

  /** Handles an event; bind a class to replace what is done. */
  export const SEQUENCE = BindingKey.create<SocketIoSequence>('socketio.sequence');

  /** Calls the method of an event. */
  export const INVOKE_METHOD = BindingKey.create<SocketIoInvokeMethod>(
    'socketio.sequence.invokeMethod',
  );

  /** Acknowledges an event with a result. */
  export const SEND_METHOD = BindingKey.create<SocketIoSendMethod>('socketio.sequence.sendMethod');

  /** Acknowledges an event with an error. */
  export const REJECT_METHOD = BindingKey.create<SocketIoRejectMethod>(
    'socketio.sequence.rejectMethod',
  );

  export const CONTROLLERS_NAMESPACE = 'socketio.controllers';
}

export namespace SocketIoTags {
  /** Tags a controller for sockets. */
  export const SOCKET_IO = 'socketio';
}

/** Where a namespace with a name is bound, for `@socketio.namespace(name)`. */
export const getNamespaceKeyForName = (name: string) => `socketio.namespace.${name}`;
