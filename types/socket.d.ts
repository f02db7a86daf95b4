// A client of the native server in one namespace, and its connection.

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type {
  AnswerOf,
  ArgsBeforeAck,
  DefaultEventsMap,
  EventArgs,
  EventName,
  EventNameWithAck,
  EventsMap,
  ListenerOf,
  TypedEmitter,
  WithResponses,
  WithTimeout,
} from './emitter';
import type {
  AckTimeoutError,
  InvalidTimeoutError,
  ReservedEventError,
  UnsendableValueError,
  UnsupportedApiError,
} from './errors';
import type { Adapter } from './adapter';
import type { BroadcastOperator, Namespace, Room, SocketId } from './namespace';
import type { Engine, Server } from './server';

/**
 * Why a socket ended:
 * - `client namespace disconnect`: the client called `disconnect()`
 * - `server namespace disconnect`: `socket.disconnect()`
 * - `transport close`, `transport error`: its connection was closed or failed
 * - `forced close`: the application closed its connection, or its client violated the protocol
 * - `parse error`: its client sent something that is not a packet
 * - `ping timeout`: its client did not answer a ping
 * - `server shutting down`: `io.close()`
 */
export type DisconnectReason =
  | 'client namespace disconnect'
  | 'server namespace disconnect'
  | 'transport close'
  | 'transport error'
  | 'forced close'
  | 'forced server close'
  | 'parse error'
  | 'ping timeout'
  | 'server shutting down';

/** How a client connected. */
export interface Handshake {
  /** The headers of its first request. */
  headers: IncomingHttpHeaders;
  /** When it connected, as readable text. */
  time: string;
  /** When it connected, in ms since 1970. */
  issued: number;
  /**
   * The address of the client: the remote address of the connection, or behind proxies what
   * {@link ServerOptions.trustProxy} makes of it.
   */
  address: string;
  /** Whether it is from another origin. */
  xdomain: boolean;
  /** Whether the client's connection is encrypted; that to its proxy, with `trustProxy`. */
  secure: boolean;
  /** The URL of its first request. */
  url: string;
  /** The parameters of that URL. */
  query: Record<string, string>;
  /** The `auth` option of the client (not the credentials of `authentication`). */
  auth: { [key: string]: any };
}

/**
 * An event of a client, as middleware sees it: name, arguments, and the acknowledgement if the
 * client asks for one.
 */
export type Event = [string, ...any[]];

/** The reserved events of a socket. */
export interface SocketReservedEventsMap {
  /** The socket has been disconnected and is no longer in any room. */
  disconnect: (reason: DisconnectReason, description?: any) => void;
  /** The socket is about to be disconnected; its rooms are still available. */
  disconnecting: (reason: DisconnectReason, description?: any) => void;
  /** Middleware of the socket dropped an event, or its client sent a malformed message. */
  error: (err: Error) => void;
}

/** An Engine.IO packet, as `socket.conn` emits it. */
export interface EnginePacket {
  /** Its type. */
  type: 'open' | 'close' | 'ping' | 'pong' | 'message' | 'upgrade' | 'noop';
  /** Its content: text, or the bytes of a binary message. */
  data?: string | Buffer;
}

/**
 * An Engine.IO connection, shared by the client's sockets in all namespaces.
 *
 * @example
 * io.on('connection', (socket) => {
 *   console.log(socket.conn.transport.name); // 'polling'
 *   socket.conn.once('upgrade', (transport) => console.log(transport.name)); // 'websocket'
 * });
 */
export interface EngineSocket extends TypedEmitter<
  {
    /** The connection was upgraded to WebSocket. */
    upgrade: (transport: { name: string }) => void;
    /**
     * A packet was received. For a message, `data` is the text or the bytes that are on the wire.
     */
    packet: (packet: EnginePacket) => void;
    /** A packet is sent. Emitted when the packet is handed over to Rust, not inside `emit()`. */
    packetCreate: (packet: EnginePacket & { options: { compress: boolean } }) => void;
    /** A message was received. */
    message: (data: string | Buffer) => void;
    /** The same as `message`. */
    data: (data: string | Buffer) => void;
    /** The client answered a ping or, in Engine.IO 3, sent one. */
    heartbeat: () => void;
    /** The connection was closed. */
    close: (reason: string, description?: any) => void;
  },
  {}
> {
  /** Its Engine.IO session id. Keep it secret from other clients. */
  readonly id: string;
  /** The version of Engine.IO: 3 for clients of Socket.IO 1 and 2, 4 for later ones. */
  readonly protocol: number;
  /** The remote address: behind a proxy, that of the proxy. */
  readonly remoteAddress: string;
  /** The transport in use. */
  readonly transport: { readonly name: 'polling' | 'websocket' };
  /** Whether it was upgraded from polling to WebSocket. */
  readonly upgraded: boolean;
  /** `closing` if this side has begun to close it. */
  readonly readyState: 'open' | 'closing' | 'closed';
  /** {@link Server.engine}. */
  readonly server: Engine;
  /** The HTTP request that opened it; `delete` it to save memory. */
  request: IncomingMessage;
  /** Closes it, with all its sockets. */
  close(): this;
  /**
   * @deprecated Use `socket.send()`.
   * @throws {@link UnsupportedApiError} always
   */
  send(...args: any[]): never;
  /**
   * @deprecated Use `socket.send()`.
   * @throws {@link UnsupportedApiError} always
   */
  write(...args: any[]): never;
}

/** A Socket.IO client: a connection and its sockets. */
export interface Client {
  /** The server. */
  readonly server: Server<any, any, any, any>;
  /** The Engine.IO connection. */
  readonly conn: EngineSocket;
  /** Its Engine.IO session id. */
  readonly id: string;
  /** The HTTP request that opened it. */
  readonly request: IncomingMessage;
  /** Its sockets, one per namespace, by id. */
  readonly sockets: Map<SocketId, Socket<any, any, any, any>>;
}

/**
 * One client in one namespace of a native {@link Server}, which creates it.
 *
 * @example
 * console.log(socket instanceof LoopbackSocket.Socket); // true
 *
 * @typeParam ListenEvents - the events that the client sends
 * @typeParam EmitEvents - the events that the server sends to it
 * @typeParam ServerSideEvents - the events that servers of a cluster send each other
 * @typeParam SocketData - the type of `data`
 */
export abstract class Socket<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> {}
export interface Socket<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends TypedEmitter<SocketReservedEventsMap, ListenEvents> {
  /** Its id, new with each connection. */
  readonly id: SocketId;
  /**
   * Whether it has authenticated; `undefined` in a namespace that no instance serves. An
   * application that has checked the client by other means can set it to `true`: the timeout then
   * no longer applies, and broadcasts reach the socket. It has no methods until its client
   * authenticates.
   */
  auth: boolean | undefined;
  /**
   * Until when its client is authenticated: a date, or ms since 1970; `null` for no limit. At that time
   * the client receives `unauthorized` with the `message` and the `code` of an {@link ExpiredError}, and
   * its connection is closed, unless it has authenticated again before. A successful authentication
   * clears the date; set it in the authentication function. An attempt that is refused leaves the date
   * as it was. Each instance has a date of its own, and the earliest one counts. Sockets of npm
   * `socket.io` that an instance serves have it, too.
   *
   * @throws {@link InvalidOptionError} if it is set to something else
   *
   * @example
   * sockets.auth((socket, credentials) => {
   *   const token = JSON.parse(atob(credentials.token.split('.')[1])); // verify it first
   *   socket.expires = token.exp * 1000;
   * });
   */
  expires: Date | number | null;
  /** How its client connected. */
  readonly handshake: Handshake;
  /** A copy of its rooms, including the room of its own id. */
  readonly rooms: Set<Room>;
  /** Data of the application; initially an empty object. */
  data: SocketData;
  /** Whether it is connected. */
  readonly connected: boolean;
  /** The opposite of `connected`. */
  readonly disconnected: boolean;
  /**
   * Whether the state of a lost connection was recovered: the socket has the id, the rooms and the data that it had,
   * and the client gets what it has missed.
   */
  readonly recovered: boolean;
  /** The HTTP request that opened its connection. */
  readonly request: IncomingMessage;
  /** Its Engine.IO connection. */
  readonly conn: EngineSocket;
  /** Its Socket.IO client. */
  readonly client: Client;
  /** Its namespace. */
  readonly nsp: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
  /** Its server. */
  readonly server: Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
  /** The adapter of its namespace. */
  readonly adapter: Adapter;
  /** Callbacks that wait for an acknowledgement of the client, by id. */
  readonly acks: Map<number, (...args: any[]) => void>;
  /**
   * Selects every other authenticated socket of its namespace.
   *
   * @example
   * socket.broadcast.to('readers').emit('bookAdded', { title: 'Emma' });
   */
  readonly broadcast: BroadcastOperator<WithResponses<EmitEvents>, SocketData, EmitEvents>;
  /** Selects every other authenticated socket of its namespace on this server. */
  readonly local: BroadcastOperator<WithResponses<EmitEvents>, SocketData, EmitEvents>;
  /**
   * Drops the next event if the client already has data queued.
   *
   * @example
   * socket.volatile.emit('position', { x: 1, y: 2 });
   */
  readonly volatile: this;
  /** Has no effect: everything is JSON. A spelling of Socket.IO 2. */
  readonly json: this;
  /** Has no effect: binary is detected automatically. A spelling of Socket.IO 2. */
  binary(binary?: boolean): this;
  /**
   * Whether the next event is compressed, with the options `httpCompression` and `perMessageDeflate`.
   * @defaultValue true
   * @example socket.compress(false).emit('token', token)
   */
  compress(compress: boolean): this;
  /**
   * Sets the time that the client has to acknowledge the next event.
   *
   * @param timeout - in ms
   * @throws {@link InvalidTimeoutError} if it is not a number, or negative
   *
   * @example
   * socket.timeout(1000).emit('are you there?', (err: Error | null, answer: string) => {
   *   console.log(err === null ? answer : 'no answer');
   * });
   */
  timeout(
    timeout: number,
  ): Socket<ListenEvents, WithTimeout<EmitEvents>, ServerSideEvents, SocketData>;
  /**
   * Sends an event to its client. If the last argument is a function, the client is asked for an
   * acknowledgement, and the function is called with its arguments.
   *
   * @throws {@link ReservedEventError} if the event name is reserved
   * @throws {@link UnsendableValueError} if a value cannot be sent
   *
   * @example
   * socket.emit('hello', { from: 'the server' });
   * socket.emit('are you there?', (answer: string) => console.log(answer));
   */
  emit<Name extends EventName<EmitEvents>>(
    event: Name,
    ...args: EventArgs<EmitEvents, Name>
  ): boolean;
  /**
   * Sends an event to its client and waits for the acknowledgement.
   *
   * @returns the client's answer; rejects with {@link AckTimeoutError} at the timeout given with
   *   `timeout()`, and never without one
   *
   * @example
   * const answer = await socket.timeout(1000).emitWithAck('are you there?');
   */
  emitWithAck<Name extends EventNameWithAck<EmitEvents>>(
    event: Name,
    ...args: ArgsBeforeAck<EmitEvents, Name>
  ): Promise<AnswerOf<EmitEvents, Name>>;
  /**
   * Sends a `message` event to its client.
   *
   * @example
   * socket.send('hello');
   */
  send(...args: EventArgs<EmitEvents, 'message'>): this;
  /** The same as `send`. */
  write(...args: EventArgs<EmitEvents, 'message'>): this;
  /**
   * Adds a listener for an event of its client, or for a reserved event. If the client asks for an
   * acknowledgement, the last argument is a function.
   *
   * @example
   * socket.on('ping me', (text, acknowledge) => acknowledge(text));
   * socket.on('disconnect', (reason) => console.log(reason));
   */
  on<Name extends EventName<SocketReservedEventsMap> | EventName<ListenEvents>>(
    event: Name,
    listener: ListenerOf<SocketReservedEventsMap, ListenEvents, Name>,
  ): this;
  /**
   * Adds middleware. It runs for each event of the client, before listeners and methods. If it
   * calls `next` with an error, the event is dropped and the socket emits `error`.
   *
   * @example
   * socket.use(([event, ...args], next) => {
   *   next(args.length > 3 ? new Error(`too much for ${event}`) : undefined);
   * });
   */
  use(middleware: (event: Event, next: (err?: Error) => void) => void): this;
  /**
   * Adds a listener for every event of the client.
   *
   * @example
   * socket.onAny((event, ...args) => console.log(event, args));
   */
  onAny(listener: (...args: any[]) => void): this;
  /** The same as `onAny`, but adds the listener before the existing ones. */
  prependAny(listener: (...args: any[]) => void): this;
  /** Removes one of these listeners, or all of them. */
  offAny(listener?: (...args: any[]) => void): this;
  /** The listeners that `onAny` and `prependAny` added. */
  listenersAny(): Array<(...args: any[]) => void>;
  /**
   * Adds a listener for every event that is sent to the client.
   *
   * @example
   * socket.onAnyOutgoing((event, ...args) => console.log(event, args));
   */
  onAnyOutgoing(listener: (...args: any[]) => void): this;
  /** The same as `onAnyOutgoing`, but adds the listener before the existing ones. */
  prependAnyOutgoing(listener: (...args: any[]) => void): this;
  /** Removes one of these listeners, or all of them. */
  offAnyOutgoing(listener?: (...args: any[]) => void): this;
  /** The listeners that `onAnyOutgoing` and `prependAnyOutgoing` added. */
  listenersAnyOutgoing(): Array<(...args: any[]) => void>;
  /**
   * Removes the listeners of an event, or all listeners. Methods are listeners of the socket, also
   * for `listeners()`, `listenerCount()` and `eventNames()`, and so is the listener for
   * `authentication`. A method that is removed returns when the client authenticates the next time.
   *
   * @example
   * socket.removeAllListeners('findBooks');
   */
  removeAllListeners(event?: string | symbol): this;
  /**
   * Joins rooms immediately.
   *
   * @param done - called when it is done, as in Socket.IO 2; anything else is ignored, such as the index that
   *   `rooms.forEach(socket.join, socket)` passes
   *
   * @example
   * socket.join(['readers', 'buyers']);
   */
  join(room: Room | Room[], done?: (err: null) => void): this;
  join(room: Room | Room[], ignored?: number): this;
  /**
   * Leaves a room immediately.
   *
   * @param done - called when it is done, as in Socket.IO 2; anything else is ignored, such as the index that
   *   `rooms.forEach(socket.join, socket)` passes
   */
  leave(room: Room, done?: (err: null) => void): this;
  leave(room: Room, ignored?: number): this;
  /** Leaves every room, including the room of its own id. */
  leaveAll(): void;
  /**
   * Selects every other authenticated socket of these rooms.
   *
   * @example
   * socket.to('readers').emit('bookAdded', { title: 'Emma' });
   */
  to(room: Room | Room[]): BroadcastOperator<WithResponses<EmitEvents>, SocketData, EmitEvents>;
  /** The same as `to`. */
  in(room: Room | Room[]): BroadcastOperator<WithResponses<EmitEvents>, SocketData, EmitEvents>;
  /** Selects every other authenticated socket that is in none of these rooms. */
  except(room: Room | Room[]): BroadcastOperator<WithResponses<EmitEvents>, SocketData, EmitEvents>;
  /**
   * Disconnects the socket.
   *
   * @param close - whether to close its connection, with all namespaces; `false` by default
   *
   * @example
   * socket.disconnect(true);
   */
  disconnect(close?: boolean): this;
}
