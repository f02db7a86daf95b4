// Adapters, which join servers to a cluster. These types have the structure of those of npm
// `socket.io-adapter`, which an application need not have.

import type { DefaultEventsMap, TypedEmitter } from './emitter';
import type { UnsupportedApiError } from './errors';
import type { Room, SocketId } from './namespace';

/** How a packet is broadcast. */
export interface BroadcastFlags {
  /** Whether clients that already have data queued do not get it. */
  volatile?: boolean;
  /** Whether it may be compressed. */
  compress?: boolean;
  /** Whether only clients of this server get it. */
  local?: boolean;
  /** Whether the sender does not get it. */
  broadcast?: boolean;
  /** Whether it contains binary data. */
  binary?: boolean;
  /** The time to acknowledge it, in ms. */
  timeout?: number;
}

/** Which sockets an operation of an adapter is for. */
export interface BroadcastOptions {
  /** Those of these rooms; of the whole namespace if there are none. */
  rooms: Set<Room>;
  /** But not those of these rooms. */
  except?: Set<Room>;
  /** How. */
  flags?: BroadcastFlags;
}

/** What is kept of a socket whose connection is lost, for connection state recovery. */
export interface SessionToPersist {
  /** The id of the socket. */
  sid: SocketId;
  /** The secret id of the session, which the client sends when it comes back. */
  pid: string;
  /** The rooms of the socket. */
  rooms: Room[];
  /** Its `data`. */
  data: unknown;
}

/** What is restored when the client comes back. */
export type Session = SessionToPersist & {
  /** The events that it has missed, each as an array of the name and the arguments. */
  missedPackets: unknown[][];
};

/**
 * The adapter of a namespace: its rooms, and what reaches the other servers of the cluster. It is the
 * one that the option `adapter` makes, or that has been assigned. While there is none, rooms are kept
 * in Rust: `rooms` and `sids` are copies then, and the methods from `addAll` on throw {@link
 * UnsupportedApiError}. One of the application may emit further events, such as `error`.
 *
 * @example
 * const { rooms } = io.of('/').adapter;
 * console.log(rooms.get('customer 1')?.size ?? 0, 'sockets in the room');
 *
 * @example
 * io.of('/').adapter.on('join-room', (room, id) => console.log(`${id} joined ${room}`));
 */
export interface Adapter extends TypedEmitter<
  {
    'create-room': (room: Room) => void;
    'delete-room': (room: Room) => void;
    'join-room': (room: Room, id: SocketId) => void;
    'leave-room': (room: Room, id: SocketId) => void;
  },
  DefaultEventsMap
> {
  /** Its namespace. */
  readonly nsp: any;
  /** The ids of the sockets of each room, on this server. */
  readonly rooms: Map<Room, Set<SocketId>>;
  /** The rooms of each socket of this server. */
  readonly sids: Map<SocketId, Set<Room>>;
  /** The rooms of a socket, if it is connected to this server. */
  socketRooms(id: SocketId): Set<Room> | undefined;
  /** The ids of the sockets of these rooms, or of the whole namespace, on this server. */
  sockets(rooms: Set<Room>): Promise<Set<SocketId>>;
  /**
   * The number of servers of the cluster, with this one.
   *
   * @example
   * console.log(await io.of('/').adapter.serverCount());
   */
  serverCount(): Promise<number>;
  /** Puts a socket into rooms. */
  addAll(id: SocketId, rooms: Set<Room>): Promise<void> | void;
  /** Takes a socket out of a room. */
  del(id: SocketId, room: Room): Promise<void> | void;
  /** Takes a socket out of all rooms. */
  delAll(id: SocketId): void;
  /** Broadcasts a packet. */
  broadcast(packet: any, opts: BroadcastOptions): void;
  /**
   * Broadcasts a packet and waits for acknowledgements.
   *
   * @param clientCountCallback - called by each server with the number of clients that are asked
   * @param ack - called with each answer
   */
  broadcastWithAck(
    packet: any,
    opts: BroadcastOptions,
    clientCountCallback: (clientCount: number) => void,
    ack: (...args: any[]) => void,
  ): void;
  /** The sockets of all servers. */
  fetchSockets(opts: BroadcastOptions): Promise<any[]>;
  /** Makes sockets of all servers join rooms. */
  addSockets(opts: BroadcastOptions, rooms: Room[]): void;
  /** Makes sockets of all servers leave rooms. */
  delSockets(opts: BroadcastOptions, rooms: Room[]): void;
  /** Disconnects sockets of all servers. */
  disconnectSockets(opts: BroadcastOptions, close: boolean): void;
  /** Sends an event to the other servers. */
  serverSideEmit(packet: any[]): void;
  /** Keeps a session. */
  persistSession(session: SessionToPersist): void;
  /** Gives back a session, with what was sent after an offset. */
  restoreSession(pid: string, offset: string): Promise<Session>;
  /** Called when its namespace is created. */
  init(): Promise<void> | void;
  /** Called when its namespace is removed, or the server closed. */
  close(): Promise<void> | void;
}

/** What an adapter has at least. Adapters of earlier versions of Socket.IO have fewer methods. */
export type AdapterOfAnyVersion = Pick<Adapter, 'broadcast' | 'del' | 'rooms' | 'sids'>;

/**
 * What makes the adapter of each namespace: a class, or what `createAdapter()` of an adapter's package
 * returns.
 *
 * @example
 * import { Adapter } from 'socket.io-adapter';
 *
 * class LoggingAdapter extends Adapter {
 *   override broadcast(packet: any, opts: LoopbackSocket.BroadcastOptions) {
 *     console.log(this.nsp.name, packet.data);
 *     super.broadcast(packet, opts);
 *   }
 * }
 * new LoopbackSocket.Server(3000, { adapter: LoggingAdapter });
 */
export type AdapterConstructor =
  (new (nsp: any) => AdapterOfAnyVersion) | ((nsp: any) => AdapterOfAnyVersion);
