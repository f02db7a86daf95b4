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
  InvalidTimeoutError,
  ReservedEventError,
  UnsendableValueError,
  UnsupportedApiError,
} from './errors';
import type { Server } from './server';
import type { Socket } from './socket';

/** The name of a room: any value, compared as the keys of a `Map`, though typed as `socket.io` does. */
export type Room = string;

/** The id of a socket. */
export type SocketId = string;

/** An error that refuses a client; `data` travels with its message. */
export interface ExtendedError extends Error {
  /** More for the client, as JSON makes it. */
  data?: any;
}

/** The events a namespace has for itself. */
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

/** Sockets to send to, or to act on, chosen step by step; each step gives a new operator. */
export interface Audience<
  EmitEvents extends EventsMap,
  SocketData,
  SocketEvents extends EventsMap,
> {
  /**
   * Narrows to the sockets of these rooms, those of rooms named before included.
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
   * Leaves out the sockets of these rooms.
   *
   * @example
   * io.except('customer 1').emit('bookAdded', { title: 'Emma' });
   */
  except(room: Room | Room[]): BroadcastOperator<EmitEvents, SocketData, SocketEvents>;
  /** The sockets of this process, which are all there are. */
  readonly local: BroadcastOperator<EmitEvents, SocketData, SocketEvents>;
  /**
   * What is emitted may be dropped for a client for which something waits already.
   *
   * @example
   * io.volatile.emit('position', { x: 1, y: 2 });
   */
  readonly volatile: BroadcastOperator<EmitEvents, SocketData, SocketEvents>;
  /** As Socket.IO 2 spells that what is emitted is JSON, which it always is. */
  readonly json: BroadcastOperator<EmitEvents, SocketData, SocketEvents>;
  /** As Socket.IO 2 spells whether there is binary in what is emitted, which is found without. */
  binary(binary?: boolean): BroadcastOperator<EmitEvents, SocketData, SocketEvents>;
  /** Accepted; the native server does not compress. */
  compress(compress: boolean): BroadcastOperator<EmitEvents, SocketData, SocketEvents>;
  /**
   * How long clients may take to acknowledge.
   *
   * @param timeout - in ms
   * @throws {@link InvalidTimeoutError} when it is no number, or negative
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
   * @returns what each client acknowledged with; rejected with {@link AckTimeoutError}, with the
   *   `responses` so far, when the time is over
   *
   * @example
   * const answers = await io.timeout(1000).emitWithAck('are you there?');
   */
  emitWithAck<Name extends EventNameWithError<EmitEvents>>(
    event: Name,
    ...args: ArgsBeforeAck<EmitEvents, Name>
  ): Promise<AnswerOf<EmitEvents, Name>>;
  /**
   * The sockets, those that have not authenticated among them.
   *
   * @example
   * for (const socket of await io.in('customer 1').fetchSockets()) {
   *   console.log(socket.id, socket.data);
   * }
   */
  fetchSockets(): Promise<Array<RemoteSocket<SocketEvents, SocketData>>>;
  /** Their ids. @deprecated Use `fetchSockets()`. */
  allSockets(): Promise<Set<SocketId>>;
  /**
   * Makes them join rooms.
   *
   * @example
   * io.in('customer 1').socketsJoin(['readers', 'buyers']);
   */
  socketsJoin(room: Room | Room[]): void;
  /**
   * Makes them leave rooms.
   *
   * @example
   * io.in('customer 1').socketsLeave('buyers');
   */
  socketsLeave(room: Room | Room[]): void;
  /**
   * Disconnects them.
   *
   * @param close - end their whole connections; `false` by default
   *
   * @example
   * io.in('customer 1').disconnectSockets(true);
   */
  disconnectSockets(close?: boolean): void;
}

/** A choice of sockets. What is sent does not reach those that have not authenticated. */
export interface BroadcastOperator<
  EmitEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
  SocketEvents extends EventsMap = EmitEvents,
> extends Audience<EmitEvents, SocketData, SocketEvents> {
  /** Itself: broadcasting is what it does. */
  readonly broadcast: this;
  /**
   * Sends an event. A function as the last argument is called with `(err, responses)` when every
   * client has acknowledged, or when the time given by `timeout()` is over.
   *
   * @throws {@link ReservedEventError} for an event that sockets have for themselves
   * @throws {@link UnsendableValueError} for a value that cannot be sent
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

/** The calls of a namespace, which a server has, too, for its default namespace. */
export interface NamespaceCalls<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData,
> extends Audience<WithResponses<EmitEvents>, SocketData, EmitEvents> {
  /**
   * Adds middleware: it looks at each client before it is let in, in the order it was added. One
   * that calls `next` with an error refuses: the client gets `connect_error` with its `message` and
   * `data`.
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
   * Emits an event to the other servers of a cluster. There are none: a function as the last
   * argument is called with `(null, [])`.
   *
   * @throws {@link ReservedEventError} for `connect`, `connection` and `new_namespace`
   */
  serverSideEmit<Name extends EventName<ServerSideEvents>>(
    event: Name,
    ...args: EventArgs<WithResponses<WithTimeout<ServerSideEvents>>, Name>
  ): boolean;
  /** Emits an event to the other servers of a cluster and waits for their answers: there are none. */
  serverSideEmitWithAck<Name extends EventNameWithAck<ServerSideEvents>>(
    event: Name,
    ...args: ArgsBeforeAck<ServerSideEvents, Name>
  ): Promise<Array<AnswerOf<ServerSideEvents, Name>>>;
  /** The sockets, those that have not authenticated among them. */
  fetchSockets(): Promise<Array<Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>>>;
  /**
   * Calls back with the ids of the sockets.
   *
   * @deprecated Of Socket.IO 2. Use `fetchSockets()`.
   */
  clients(callback: (err: null, ids: SocketId[]) => void): this;
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
 * Which rooms there are, for reading: copies of what is so at the moment of asking.
 *
 * @example
 * const { rooms } = io.of('/').adapter;
 * console.log(rooms.get('customer 1')?.size ?? 0, 'sockets in the room');
 *
 * @example
 * io.of('/').adapter.on('join-room', (room, id) => console.log(`${id} joined ${room}`));
 */
export interface AdapterView extends TypedEmitter<
  {
    'create-room': (room: Room) => void;
    'delete-room': (room: Room) => void;
    'join-room': (room: Room, id: SocketId) => void;
    'leave-room': (room: Room, id: SocketId) => void;
  },
  {}
> {
  /** Its namespace. */
  readonly nsp: Namespace<any, any, any, any>;
  /** The ids of the sockets of each room. */
  readonly rooms: Map<Room, Set<SocketId>>;
  /** The rooms of each socket. */
  readonly sids: Map<SocketId, Set<Room>>;
  /** The rooms of a socket, if it is connected. */
  socketRooms(id: SocketId): Set<Room> | undefined;
  /** The ids of the sockets of these rooms, or of the whole namespace. */
  sockets(rooms?: Set<Room>): Promise<Set<SocketId>>;
  /** How many servers there are: 1. */
  serverCount(): Promise<number>;
  /**
   * @deprecated Rooms are kept in Rust: use `join()`, `leave()` and `emit()`.
   * @throws {@link UnsupportedApiError} always
   */
  addAll(...args: any[]): never;
  /**
   * @deprecated Rooms are kept in Rust: use `join()`, `leave()` and `emit()`.
   * @throws {@link UnsupportedApiError} always
   */
  del(...args: any[]): never;
  /**
   * @deprecated Rooms are kept in Rust: use `join()`, `leave()` and `emit()`.
   * @throws {@link UnsupportedApiError} always
   */
  delAll(...args: any[]): never;
  /**
   * @deprecated Rooms are kept in Rust: use `join()`, `leave()` and `emit()`.
   * @throws {@link UnsupportedApiError} always
   */
  broadcast(...args: any[]): never;
  /**
   * @deprecated Rooms are kept in Rust: use `join()`, `leave()` and `emit()`.
   * @throws {@link UnsupportedApiError} always
   */
  broadcastWithAck(...args: any[]): never;
  /**
   * @deprecated Use the method of namespaces.
   * @throws {@link UnsupportedApiError} always
   */
  addSockets(...args: any[]): never;
  /**
   * @deprecated Use the method of namespaces.
   * @throws {@link UnsupportedApiError} always
   */
  delSockets(...args: any[]): never;
  /**
   * @deprecated Use the method of namespaces.
   * @throws {@link UnsupportedApiError} always
   */
  disconnectSockets(...args: any[]): never;
  /**
   * @deprecated Use the method of namespaces.
   * @throws {@link UnsupportedApiError} always
   */
  fetchSockets(...args: any[]): never;
  /**
   * @deprecated Use the method of namespaces.
   * @throws {@link UnsupportedApiError} always
   */
  serverSideEmit(...args: any[]): never;
  /**
   * @deprecated Nothing is recovered: use `socket.data`, or a store of your own.
   * @throws {@link UnsupportedApiError} always
   */
  persistSession(...args: any[]): never;
  /**
   * @deprecated Nothing is recovered: use `socket.data`, or a store of your own.
   * @throws {@link UnsupportedApiError} always
   */
  restoreSession(...args: any[]): never;
  /**
   * @deprecated Adapters are not taken.
   * @throws {@link UnsupportedApiError} always
   */
  init(...args: any[]): never;
  /**
   * @deprecated Adapters are not taken.
   * @throws {@link UnsupportedApiError} always
   */
  close(...args: any[]): never;
}

/**
 * The sockets of one namespace of a native {@link Server}, whose `of()` makes it.
 *
 * @example
 * console.log(io.of('/admin') instanceof LoopbackSocket.Namespace); // true
 *
 * @typeParam ListenEvents - the events that clients send
 * @typeParam EmitEvents - the events that clients are sent
 * @typeParam ServerSideEvents - the events that servers of a cluster send each other
 * @typeParam SocketData - what `socket.data` holds
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
  /** Its name, as `/admin`. */
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
  /** Which rooms there are. */
  readonly adapter: AdapterView;
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
   * Sends an event to every authenticated socket. For acknowledgements, go through `timeout()`.
   *
   * @throws {@link ReservedEventError} for an event that sockets have for themselves
   * @throws {@link UnsendableValueError} for a value that cannot be sent
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
 * What `of()` gives for a pattern or a function: each namespace that it makes gets its listeners,
 * its middleware and the LoopbackSockets that serve it. What is sent to it is sent to them all;
 * `fetchSockets()` throws {@link UnsupportedApiError}.
 */
export interface ParentNamespace<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
  /** The namespaces it has made. */
  readonly children: Set<Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>>;
  /** Makes a namespace now, without waiting for a client to ask for it. */
  createChild(name: string): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
}

/**
 * What `fetchSockets()` gives: the sockets themselves, of which a {@link BroadcastOperator} does not
 * know what they listen for.
 */
export type RemoteSocket<
  EmitEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> = Socket<DefaultEventsMap, EmitEvents, DefaultEventsMap, SocketData>;
