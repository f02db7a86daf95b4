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
  InvalidCallbackError,
  InvalidTimeoutError,
  ReservedEventError,
  UnsendableValueError,
  UnsupportedApiError,
} from './errors';
import type { AdapterView, BroadcastOperator, Namespace, Room, SocketId } from './namespace';
import type { Engine, Server } from './server';

/**
 * Why a socket ended:
 * - `client namespace disconnect`: the client called `disconnect()`
 * - `server namespace disconnect`: `socket.disconnect()`
 * - `transport close`, `transport error`: its connection ended
 * - `forced close`: its connection was ended by the application, or its client sent nonsense
 * - `parse error`: its client sent what is no packet
 * - `ping timeout`: its client went silent
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
  /** When it connected, for people. */
  time: string;
  /** When it connected, in ms since 1970. */
  issued: number;
  /** The address of its end of the connection. */
  address: string;
  /** Whether it came from another origin. */
  xdomain: boolean;
  /** Whether its connection is encrypted. */
  secure: boolean;
  /** The URL of its first request. */
  url: string;
  /** The parameters of that URL. */
  query: Record<string, string>;
  /** What the client gave as `auth` when it connected (not the credentials of `authentication`). */
  auth: { [key: string]: any };
}

/** An event of a client, as middleware sees it: name, arguments, acknowledgement if asked for. */
export type Event = [string, ...any[]];

/** The events a socket has for itself. */
export interface SocketReservedEventsMap {
  /** It has ended, and is in no room any more. */
  disconnect: (reason: DisconnectReason, description?: any) => void;
  /** It is about to end; its rooms are still known. */
  disconnecting: (reason: DisconnectReason, description?: any) => void;
  /** Middleware of the socket dropped an event, or its client sent what cannot be read. */
  error: (err: Error) => void;
}

/** A packet of Engine.IO, as `socket.conn` reports it. */
export interface EnginePacket {
  /** What it is. */
  type: 'open' | 'close' | 'ping' | 'pong' | 'message' | 'upgrade' | 'noop';
  /** What it carries: text, or the bytes of a binary message. */
  data?: string | Buffer;
}

/**
 * A connection, which the sockets of its namespaces share, as Engine.IO sees it.
 *
 * @example
 * io.on('connection', (socket) => {
 *   console.log(socket.conn.transport.name); // 'polling'
 *   socket.conn.once('upgrade', (transport) => console.log(transport.name)); // 'websocket'
 * });
 */
export interface EngineSocket extends TypedEmitter<
  {
    /** It moved to websocket. */
    upgrade: (transport: { name: string }) => void;
    /** A packet came: a message has its text or its bytes as `data`, as they are on the wire. */
    packet: (packet: EnginePacket) => void;
    /** A packet is sent. Emitted when the packet is handed over, not inside `emit()`. */
    packetCreate: (packet: EnginePacket & { options: { compress: boolean } }) => void;
    /** A message came. */
    message: (data: string | Buffer) => void;
    /** The same as `message`. */
    data: (data: string | Buffer) => void;
    /** The client answered a ping, or pinged: in version 3 of Engine.IO that is its part. */
    heartbeat: () => void;
    /** It has ended. */
    close: (reason: string, description?: any) => void;
  },
  {}
> {
  /** Its Engine.IO session id; no client should learn that of another. */
  readonly id: string;
  /** The version of Engine.IO: 3 for clients of Socket.IO 1 and 2, 4 for later ones. */
  readonly protocol: number;
  /** The address of the client's end. */
  readonly remoteAddress: string;
  /** The transport in use. */
  readonly transport: { readonly name: 'polling' | 'websocket' };
  /** Whether it began with polling and is a websocket now. */
  readonly upgraded: boolean;
  /** Whether it is open. */
  readonly readyState: 'open' | 'closed';
  /** {@link Server.engine}. */
  readonly server: Engine;
  /** The http request that opened it; `delete` it to save memory. */
  request: IncomingMessage;
  /** Ends it, with all its sockets. */
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

/** A connection as Socket.IO sees it. */
export interface Client {
  /** The server. */
  readonly server: Server<any, any, any, any>;
  /** The same connection as Engine.IO sees it. */
  readonly conn: EngineSocket;
  /** Its Engine.IO session id. */
  readonly id: string;
  /** The http request that opened it. */
  readonly request: IncomingMessage;
  /** Its sockets, one a namespace, by id. */
  readonly sockets: Map<SocketId, Socket<any, any, any, any>>;
}

/**
 * One client in one namespace of a native {@link Server}, which makes it.
 *
 * @example
 * console.log(socket instanceof LoopbackSocket.Socket); // true
 *
 * @typeParam ListenEvents - the events that the client sends
 * @typeParam EmitEvents - the events that the client is sent
 * @typeParam ServerSideEvents - the events that servers of a cluster send each other
 * @typeParam SocketData - what `data` holds
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
   * Whether it has authenticated; `undefined` in a namespace that no instance serves. An application may
   * exempt a socket by setting it to `true`: then no timeout ends the socket, and broadcasts reach it. It
   * has no methods until its client authenticates.
   */
  auth: boolean | undefined;
  /** How its client connected. */
  readonly handshake: Handshake;
  /** Its rooms, the one of its own id among them: a copy. */
  readonly rooms: Set<Room>;
  /** For the application to keep what it likes; an empty object at first. */
  data: SocketData;
  /** Whether it is connected. */
  readonly connected: boolean;
  /** The opposite of `connected`. */
  readonly disconnected: boolean;
  /** Always `false`: the native server recovers no sessions. */
  readonly recovered: boolean;
  /** The http request that opened its connection. */
  readonly request: IncomingMessage;
  /** Its connection, as Engine.IO sees it. */
  readonly conn: EngineSocket;
  /** Its connection, as Socket.IO sees it. */
  readonly client: Client;
  /** Its namespace. */
  readonly nsp: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
  /** Its server. */
  readonly server: Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
  /** The rooms of its namespace. */
  readonly adapter: AdapterView;
  /** Callbacks that wait for its client to acknowledge, by id. */
  readonly acks: Map<number, (...args: any[]) => void>;
  /**
   * Sends to every other authenticated socket of its namespace.
   *
   * @example
   * socket.broadcast.to('readers').emit('bookAdded', { title: 'Emma' });
   */
  readonly broadcast: BroadcastOperator<WithResponses<EmitEvents>, SocketData, EmitEvents>;
  /** The same as `broadcast`: there is one process. */
  readonly local: BroadcastOperator<WithResponses<EmitEvents>, SocketData, EmitEvents>;
  /**
   * What is emitted next may be dropped if something waits for the client already.
   *
   * @example
   * socket.volatile.emit('position', { x: 1, y: 2 });
   */
  readonly volatile: this;
  /** As Socket.IO 2 spells that what is emitted next is JSON, which it always is. */
  readonly json: this;
  /** As Socket.IO 2 spells whether there is binary in what is emitted next: found without. */
  binary(binary?: boolean): this;
  /** Accepted; the native server does not compress. */
  compress(compress: boolean): this;
  /**
   * How long the client may take to acknowledge the next event.
   *
   * @param timeout - in ms
   * @throws {@link InvalidTimeoutError} when it is no number, or negative
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
   * Sends an event to its client. With a function as the last argument, asks for an
   * acknowledgement and gives what it brings to the function.
   *
   * @throws {@link ReservedEventError} for an event that sockets have for themselves
   * @throws {@link UnsendableValueError} for a value that cannot be sent
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
   * @returns what it brings; rejected with {@link AckTimeoutError} when the time given by
   *   `timeout()` is over, and never without one
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
   * Adds a listener for an event of its client, or of its own. An event that asks for an
   * acknowledgement has a function as its last argument.
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
   * Adds middleware: it looks at each event of the client before listeners and methods do. One that
   * calls `next` with an error drops the event; the socket then emits `error`.
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
  /** The same as `onAny`, before the listeners there are. */
  prependAny(listener: (...args: any[]) => void): this;
  /** Removes such a listener, or all of them. */
  offAny(listener?: (...args: any[]) => void): this;
  /** The listeners that `onAny` and `prependAny` added. */
  listenersAny(): Array<(...args: any[]) => void>;
  /**
   * Adds a listener for every event that its client is sent.
   *
   * @example
   * socket.onAnyOutgoing((event, ...args) => console.log(event, args));
   */
  onAnyOutgoing(listener: (...args: any[]) => void): this;
  /** The same as `onAnyOutgoing`, before the listeners there are. */
  prependAnyOutgoing(listener: (...args: any[]) => void): this;
  /** Removes such a listener, or all of them. */
  offAnyOutgoing(listener?: (...args: any[]) => void): this;
  /** The listeners that `onAnyOutgoing` and `prependAnyOutgoing` added. */
  listenersAnyOutgoing(): Array<(...args: any[]) => void>;
  /**
   * Removes the listeners of an event, or all. Methods are listeners of the socket, as `listeners()`,
   * `listenerCount()` and `eventNames()` have it, and so is what begins an attempt to authenticate. A
   * method that is removed is there again when the client authenticates the next time.
   *
   * @example
   * socket.removeAllListeners('findBooks');
   */
  removeAllListeners(event?: string | symbol): this;
  /**
   * Joins rooms, at once.
   *
   * @param done - called when that is done, as Socket.IO 2 has it
   * @throws {@link InvalidCallbackError} when `done` is something else than a function
   *
   * @example
   * socket.join(['readers', 'buyers']);
   */
  join(room: Room | Room[], done?: (err: null) => void): this;
  /**
   * Leaves a room, at once.
   *
   * @param done - called when that is done, as Socket.IO 2 has it
   * @throws {@link InvalidCallbackError} when `done` is something else than a function
   */
  leave(room: Room, done?: (err: null) => void): this;
  /** Leaves every room, the one of its own id among them. */
  leaveAll(): void;
  /**
   * Every other authenticated socket of these rooms.
   *
   * @example
   * socket.to('readers').emit('bookAdded', { title: 'Emma' });
   */
  to(room: Room | Room[]): BroadcastOperator<WithResponses<EmitEvents>, SocketData, EmitEvents>;
  /** The same as `to`. */
  in(room: Room | Room[]): BroadcastOperator<WithResponses<EmitEvents>, SocketData, EmitEvents>;
  /** Every other authenticated socket that is in none of these rooms. */
  except(room: Room | Room[]): BroadcastOperator<WithResponses<EmitEvents>, SocketData, EmitEvents>;
  /**
   * Disconnects it.
   *
   * @param close - end its whole connection, every namespace of it; `false` by default
   *
   * @example
   * socket.disconnect(true);
   */
  disconnect(close?: boolean): this;
}
