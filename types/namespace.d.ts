// Namespaces of the native server, their rooms, and broadcasts.

import type {
  AnswerOf,
  ArgsBeforeAck,
  DefaultEventsMap,
  EventArgs,
  EventName,
  EventNameWithAck,
  EventNameWithError,
  EventNameWithoutAck,
  EventsMap,
  TypedEmitter,
  WithResponses,
  WithTimeout,
} from './emitter';
import type {
  AckTimeoutError,
  InvalidOptionError,
  InvalidTimeoutError,
  ReservedEventError,
  UnsendableValueError,
  UnsupportedApiError,
} from './errors';
import type { Adapter, AdapterOfAnyVersion } from './adapter';
import type { Server } from './server';
import type { Handshake, Socket } from './socket';

/**
 * The name of a room. Any value works and is compared like the keys of a `Map`; the type is that of
 * `socket.io`.
 */
export type Room = string;

/** The id of a socket. */
export type SocketId = string;

/** An error that refuses a client; `data` is sent with its message. */
export interface ExtendedError extends Error {
  /** More data for the client, encoded as JSON. */
  data?: any;
}

/** The reserved events of a namespace. */
export interface NamespaceReservedEventsMap<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData,
> {
  /** A client connected. */
  connect: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void;
  /** A client connected. */
  connection: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void;
}

/** Selects sockets to send to or to act on. Each call returns a new operator. */
export interface Audience<
  EmitEvents extends EventsMap,
  SocketData,
  SocketEvents extends EventsMap,
> {
  /**
   * Selects the sockets of these rooms, in addition to those of rooms named before.
   *
   * @example
   * io.to('customer 1').to(['admins', 'staff']).emit('bookAdded', { title: 'Emma' });
   */
  to(room: Room | Room[]): BroadcastOperator<EmitEvents, SocketData, SocketEvents>;
  /**
   * The same as `to`.
   *
   * @example
   * io.in('customer 1').disconnectSockets();
   */
  in(room: Room | Room[]): BroadcastOperator<EmitEvents, SocketData, SocketEvents>;
  /**
   * Excludes the sockets of these rooms.
   *
   * @example
   * io.except('customer 1').emit('bookAdded', { title: 'Emma' });
   */
  except(room: Room | Room[]): BroadcastOperator<EmitEvents, SocketData, SocketEvents>;
  /**
   * Selects the sockets of this server, not those of the other servers of a cluster.
   *
   * @example
   * io.local.emit('goodbye', 'this server restarts');
   */
  readonly local: BroadcastOperator<EmitEvents, SocketData, SocketEvents>;
  /**
   * Drops the event for a client that already has data queued.
   *
   * @example
   * io.volatile.emit('position', { x: 1, y: 2 });
   */
  readonly volatile: BroadcastOperator<EmitEvents, SocketData, SocketEvents>;
  /** Has no effect: everything is JSON. A spelling of Socket.IO 2. */
  readonly json: BroadcastOperator<EmitEvents, SocketData, SocketEvents>;
  /** Has no effect: binary is detected automatically. A spelling of Socket.IO 2. */
  binary(binary?: boolean): BroadcastOperator<EmitEvents, SocketData, SocketEvents>;
  /** Whether what follows is compressed, by the options `httpCompression` and `perMessageDeflate`. @defaultValue true */
  compress(compress: boolean): BroadcastOperator<EmitEvents, SocketData, SocketEvents>;
  /**
   * Sets the time that clients have to acknowledge.
   *
   * @param timeout - in ms
   * @throws {@link InvalidTimeoutError} if it is not a number, or negative
   *
   * @example
   * io.timeout(1000).emit('are you there?', (err: Error | null, answers: string[]) => {
   *   console.log(err === null ? 'all answered' : 'some did not', answers);
   * });
   */
  timeout(timeout: number): BroadcastOperator<WithTimeout<EmitEvents>, SocketData, SocketEvents>;
  /**
   * Emits an event and waits until every client has acknowledged. Needs a `timeout()` before it.
   *
   * @returns the answers of all clients; rejects with {@link AckTimeoutError}, which has the
   *   `responses` received so far, at the timeout
   *
   * @example
   * const answers = await io.timeout(1000).emitWithAck('are you there?');
   */
  emitWithAck<Name extends EventNameWithError<EmitEvents>>(
    event: Name,
    ...args: ArgsBeforeAck<EmitEvents, Name>
  ): Promise<AnswerOf<EmitEvents, Name>>;
  /**
   * Returns the sockets of all servers, including those that have not authenticated. Those of this
   * server are its sockets themselves.
   *
   * @example
   * for (const socket of await io.in('customer 1').fetchSockets()) {
   *   console.log(socket.id, socket.data);
   * }
   */
  fetchSockets(): Promise<Array<RemoteSocket<SocketEvents, SocketData>>>;
  /** Returns their ids. @deprecated Use `fetchSockets()`. */
  allSockets(): Promise<Set<SocketId>>;
  /**
   * Makes the sockets join rooms.
   *
   * @example
   * io.in('customer 1').socketsJoin(['readers', 'buyers']);
   */
  socketsJoin(room: Room | Room[]): void;
  /**
   * Makes the sockets leave rooms.
   *
   * @example
   * io.in('customer 1').socketsLeave('buyers');
   */
  socketsLeave(room: Room | Room[]): void;
  /**
   * Disconnects the sockets.
   *
   * @param close - whether to close their connections, with all namespaces; `false` by default
   *
   * @example
   * io.in('customer 1').disconnectSockets(true);
   */
  disconnectSockets(close?: boolean): void;
}

/** A selection of sockets. Those that have not authenticated do not receive what is sent. */
export interface BroadcastOperator<
  EmitEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
  SocketEvents extends EventsMap = EmitEvents,
> extends Audience<EmitEvents, SocketData, SocketEvents> {
  /** The adapter of the namespace. */
  readonly adapter: Adapter;
  /** The operator itself. */
  readonly broadcast: this;
  /**
   * Sends an event. If the last argument is a function, it is called with `(err, responses)` when
   * every client has acknowledged, or at the timeout given with `timeout()`.
   *
   * @throws {@link ReservedEventError} if the event name is reserved
   * @throws {@link UnsendableValueError} if a value cannot be sent
   *
   * @example
   * io.to('customer 1').emit('bookAdded', { title: 'Emma' });
   */
  emit<Name extends EventName<EmitEvents>>(
    event: Name,
    ...args: EventArgs<EmitEvents, Name>
  ): boolean;
  /** Sends a `message` event. */
  send(...args: EventArgs<EmitEvents, 'message'>): this;
  /** The same as `send`. */
  write(...args: EventArgs<EmitEvents, 'message'>): this;
}

/** The methods of a namespace, which a server also has for its default namespace. */
export interface NamespaceCalls<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData,
> extends Audience<WithResponses<EmitEvents>, SocketData, EmitEvents> {
  /**
   * Adds middleware. It runs for each client before the client is accepted, in the order in which
   * it was added. If it calls `next` with an error, the client is refused and receives
   * `connect_error` with the `message` and `data` of the error.
   *
   * @example
   * io.use((socket, next) => {
   *   next(socket.handshake.auth.tenant === 'bookshop' ? undefined : new Error('no such tenant'));
   * });
   */
  use(
    middleware: (
      socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
      next: (err?: ExtendedError) => void,
    ) => void,
  ): this;
  /**
   * Sends a `message` event to every authenticated socket.
   *
   * @example
   * io.send('hello');
   */
  send(...args: EventArgs<EmitEvents, 'message'>): this;
  /** The same as `send`. */
  write(...args: EventArgs<EmitEvents, 'message'>): this;
  /**
   * Emits an event to the other servers of a cluster, where listeners of the namespace get it. If
   * the last argument is a function, it is called with `(err, answers)` when all of them have
   * answered. Without an adapter there are no others: it is called with `(null, [])`.
   *
   * @throws {@link ReservedEventError} if the event is `connect`, `connection` or `new_namespace`
   *
   * @example
   * io.on('load', (answer) => answer(process.cpuUsage().user));
   * io.serverSideEmit('load', (err: Error | null, loads: number[]) => {
   *   console.log(err === null ? Math.max(...loads) : 'some servers have not answered');
   * });
   */
  serverSideEmit<Name extends EventName<ServerSideEvents>>(
    event: Name,
    ...args: EventArgs<WithResponses<WithTimeout<ServerSideEvents>>, Name>
  ): boolean;
  /**
   * Emits an event to the other servers of a cluster and waits for their answers. Without an adapter
   * there are no others: it resolves with `[]`.
   *
   * @returns the answers; rejects if a server does not answer in time, with the `responses` that
   *   have arrived
   *
   * @example
   * const loads = await io.serverSideEmitWithAck('load');
   */
  serverSideEmitWithAck<Name extends EventNameWithAck<ServerSideEvents>>(
    event: Name,
    ...args: ArgsBeforeAck<ServerSideEvents, Name>
  ): Promise<Array<AnswerOf<ServerSideEvents, Name>>>;
  /** Returns the sockets of all servers, including those that have not authenticated. */
  fetchSockets(): Promise<Array<RemoteSocket<EmitEvents, SocketData>>>;
  /**
   * Passes the ids of the sockets to the callback; with an adapter those of all nodes, or an error if one of
   * them does not answer.
   *
   * @deprecated Of Socket.IO 2. Use `fetchSockets()`.
   */
  clients(callback: (err: Error | null, ids: SocketId[]) => void): this;
  /**
   * @deprecated Of Socket.IO before 1. Use the options of `new Server()`.
   * @throws {@link UnsupportedApiError} always
   */
  set(...args: any[]): never;
  /**
   * @deprecated Of Socket.IO before 1. Use `socket.data`.
   * @throws {@link UnsupportedApiError} always
   */
  get(...args: any[]): never;
  /**
   * @deprecated Of Socket.IO before 1. Use the options of `new Server()`.
   * @throws {@link UnsupportedApiError} always
   */
  configure(...args: any[]): never;
  /**
   * @deprecated Of Socket.IO 2. Use the option `cors`.
   * @throws {@link UnsupportedApiError} always
   */
  origins(...args: any[]): never;
  /**
   * @deprecated Of Socket.IO before 1. Use `use()`.
   * @throws {@link UnsupportedApiError} always
   */
  authorization(...args: any[]): never;
}

/**
 * A namespace of a native {@link Server}, created with `of()`.
 *
 * @example
 * console.log(io.of('/admin') instanceof LoopbackSocket.Namespace); // true
 *
 * @typeParam ListenEvents - the events that clients send
 * @typeParam EmitEvents - the events that the server sends
 * @typeParam ServerSideEvents - the events that servers of a cluster send each other
 * @typeParam SocketData - the type of `socket.data`
 */
export abstract class Namespace<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> {}
export interface Namespace<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
>
  extends
    TypedEmitter<
      NamespaceReservedEventsMap<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
      ServerSideEvents
    >,
    NamespaceCalls<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
  /** Its name, such as `/admin`. */
  readonly name: string;
  /** Its server. */
  readonly server: Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
  /**
   * The sockets connected to it, by id.
   *
   * @example
   * console.log(io.of('/admin').sockets.size);
   */
  readonly sockets: Map<SocketId, Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>>;
  /**
   * Its adapter. An adapter that was made for the namespace can be assigned; sockets that are
   * connected stay in their rooms.
   *
   * @throws {@link InvalidOptionError} if something else is assigned
   */
  get adapter(): Adapter;
  set adapter(adapter: AdapterOfAnyVersion);
  /**
   * The sockets connected to it, by id.
   *
   * @deprecated Of Socket.IO 2. Use `sockets`.
   */
  readonly connected: Record<
    SocketId,
    Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>
  >;
  /**
   * Sends an event to every authenticated socket. For acknowledgements, call `timeout()` first.
   *
   * @throws {@link ReservedEventError} if the event name is reserved
   * @throws {@link UnsendableValueError} if a value cannot be sent
   *
   * @example
   * io.of('/admin').emit('bookAdded', { title: 'Emma' });
   */
  emit<Name extends EventNameWithoutAck<EmitEvents>>(
    event: Name,
    ...args: EventArgs<EmitEvents, Name>
  ): boolean;
}

/**
 * Returned by `of()` for a pattern or a function. Each namespace that it creates has its listeners,
 * its middleware and the LoopbackSockets that serve it. An event sent to it goes to all of them;
 * `fetchSockets()` throws {@link UnsupportedApiError}.
 */
export interface ParentNamespace<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
  /** The namespaces that it has created. */
  readonly children: Set<Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>>;
  /** Creates a namespace now, instead of when a client asks for it. */
  createChild(name: string): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
}

/**
 * A socket as `fetchSockets()` returns it, of whichever server of the cluster.
 *
 * @typeParam EmitEvents - the events that the server sends to it
 * @typeParam SocketData - the type of `data`
 *
 * @example
 * for (const socket of await io.fetchSockets()) {
 *   if (socket.data.customer === 1) socket.disconnect(true);
 * }
 */
export interface RemoteSocket<EmitEvents extends EventsMap = DefaultEventsMap, SocketData = any> {
  /** Its id. */
  readonly id: SocketId;
  /** How its client connected. */
  readonly handshake: Handshake;
  /** Its rooms when it was fetched. */
  readonly rooms: Set<Room>;
  /** Its data. Of a socket of another server it is a copy, which only JSON has to survive. */
  readonly data: SocketData;
  /**
   * Sets the time that the client has to acknowledge the next event.
   *
   * @param timeout - in ms
   * @throws {@link InvalidTimeoutError} if it is not a number, or negative
   *
   * @example
   * const [first] = await io.fetchSockets();
   * first?.timeout(1000).emit('are you there?', (err: Error | null, answer: string) => {
   *   console.log(err === null ? answer : 'no answer');
   * });
   */
  timeout(timeout: number): {
    emit<Name extends EventName<WithTimeout<EmitEvents>>>(
      event: Name,
      ...args: EventArgs<WithTimeout<EmitEvents>, Name>
    ): boolean;
    emitWithAck<Name extends EventNameWithError<WithTimeout<EmitEvents>>>(
      event: Name,
      ...args: ArgsBeforeAck<WithTimeout<EmitEvents>, Name>
    ): Promise<AnswerOf<WithTimeout<EmitEvents>, Name>>;
  };
  /** Sends an event to its client. */
  emit<Name extends EventName<EmitEvents>>(
    event: Name,
    ...args: EventArgs<EmitEvents, Name>
  ): boolean;
  /** Makes it join rooms. */
  join(room: Room | Room[]): void;
  /** Makes it leave a room. */
  leave(room: Room): void;
  /**
   * Disconnects it.
   *
   * @param close - whether to close its connection, with all namespaces; `false` by default
   */
  disconnect(close?: boolean): unknown;
}
