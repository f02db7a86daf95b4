// What is published on the channels of node:diagnostics_channel. docs/observability.md describes them.

import type { Socket } from './socket';

/**
 * What is published of a socket. Fields that OpenTelemetry has a name for have that name. Credentials, arguments and
 * results are in no message; {@link SocketMessage.socket} is a getter, which `JSON.stringify()` does not read.
 */
export interface SocketMessage<S = Socket> {
  /** The socket. */
  readonly socket: S;
  /** Whose server it is: `LoopbackSocket.Server`, or npm `socket.io`. */
  'loopback_socket.server': 'native' | 'hosted';
  /** The name of the namespace. */
  'messaging.socket.io.namespace': string | undefined;
  /** The id of the socket. */
  'messaging.client.id': string | undefined;
  /** The address of the client, or of a proxy. */
  'client.address': string | undefined;
  /** The transport: `http` is long polling. */
  'network.protocol.name': 'websocket' | 'http' | undefined;
}

/**
 * What is published on the channel `loopback-socket:connect`: a socket has joined its namespace.
 *
 * @example
 * import { subscribe } from 'node:diagnostics_channel';
 *
 * subscribe('loopback-socket:connect', (message) => {
 *   const connected = message as LoopbackSocket.ConnectMessage;
 *   console.log(connected['client.address'], connected['network.protocol.name']);
 * });
 */
export type ConnectMessage<S = Socket> = SocketMessage<S>;

/** What is published on the channel `loopback-socket:disconnect`. */
export interface DisconnectMessage<S = Socket> extends SocketMessage<S> {
  /** Why, in Socket.IO's words, such as `transport close`. */
  reason: string;
  /** Whether the client had authenticated. */
  authenticated: boolean;
  /** Whether its connection was closed because it had not authenticated in time. */
  authenticationTimedOut: boolean;
}

/**
 * What is published on the tracing channels `loopback-socket:authenticate`, `loopback-socket:call` and
 * `loopback-socket:subscribe`, and on the channel `loopback-socket:slow`. All events of one call have the same object.
 *
 * @example
 * import { tracingChannel } from 'node:diagnostics_channel';
 *
 * tracingChannel<object, LoopbackSocket.TraceMessage>('loopback-socket:call').subscribe({
 *   asyncEnd: (message) => console.log(message['rpc.method'], message.duration),
 *   error: (message) => console.error(message['rpc.method'], message['error.type']),
 *   start() {},
 *   end() {},
 *   asyncStart() {},
 * });
 */
export interface TraceMessage<S = Socket> extends SocketMessage<S> {
  /** Which tracing channel it is of. */
  kind: 'authenticate' | 'call' | 'subscribe';
  /** The name of the LoopbackSocket. */
  'loopback_socket.name': string;
  /** The method or the subscription; `authentication` for an attempt to authenticate. */
  'messaging.socket.io.event_name': string;
  'rpc.system.name': 'loopback-socket';
  /** Both names, such as `bookshop/findBooks`. */
  'rpc.method': string;
  /** How long it took until it was answered, in ms; `undefined` before that. */
  duration: number | undefined;
  /** What it has failed with, if it has. */
  error?: unknown;
  /** The code of the error, the name of its class, or `_OTHER`. */
  'error.type'?: string;
  /**
   * What the client is answered with; whether it has authenticated, for an attempt to do so. A getter, which
   * `JSON.stringify()` does not read.
   */
  readonly result: unknown;
}
