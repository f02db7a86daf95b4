import type LoopbackSocket from 'loopback-socket';
import type { SocketSessions } from './sessions';

/**
 * The sessions of sockets that have lost their connection, until their clients are back. With connection state
 * recovery a client gets a new socket, for which no authentication runs.
 *
 * What must stay true: only a socket whose state was recovered finds sessions, those of its namespace and id, and once;
 * loopback-socket decides whether it is authenticated, so one that is not finds nothing; what is kept is limited,
 * whatever clients send; what is dropped costs a client no more than to authenticate again.
 */

/** How many sockets of a server are remembered, as many as loopback-socket does; the oldest are dropped. */
const MAX_SOCKETS = 10_000;
/** How many characters their credentials and tokens may have together; the limit of loopback-socket, in bytes. */
const MAX_LENGTH = 16 * 1024 * 1024;
/** For how many ms a client may be away unless the server says otherwise, as in Socket.IO. */
const DEFAULT_DURATION = 120_000;
/** The longest time that a timer of Node can wait, in ms. */
const MAX_DELAY = 2 ** 31 - 1;

/** Why a socket may end so that it can be recovered: the reasons of Socket.IO 4.8. */
const RECOVERABLE: ReadonlySet<unknown> = new Set([
  'transport error',
  'transport close',
  'forced close',
  'ping timeout',
  'server shutting down',
  'forced server close',
]);

/** What this file needs of a socket of any server. */
interface RecoverableSocket {
  id?: unknown;
  auth?: unknown;
  recovered?: unknown;
  nsp?: RecoverableNamespace;
}

interface RecoverableNamespace {
  name: string;
  server?: RecoveringServer;
  on?(event: 'connection', listener: (socket: LoopbackSocket.Socket) => void): unknown;
}

interface RecoveringServer {
  opts?: { connectionStateRecovery?: { maxDisconnectionDuration?: unknown } };
}

/** What is kept of one socket. */
interface Entry {
  sessions: SocketSessions;
  /** How many characters its credentials and tokens have. */
  length: number;
  /** When it expires, in ms since the process began. */
  until: number;
}

/** The sessions of sockets that may be recovered, of any Socket.IO server. */
export class RecoverableSessions {
  readonly #servers = new WeakMap<object, ExpiringSessions>();
  /** The namespaces whose connections are watched. */
  readonly #watched = new WeakSet<object>();

  /**
   * Has a function called for each recovered socket of a namespace, before any other may find its sessions.
   *
   * @param socket - a socket of the namespace; nothing is done if its server recovers nothing
   * @param recovered - takes the sessions over, if there are any
   */
  watch(socket: LoopbackSocket.Socket, recovered: (socket: LoopbackSocket.Socket) => void): void {
    const { nsp } = socket as unknown as RecoverableSocket;
    if (nsp === undefined || serverOf(nsp) === undefined || this.#watched.has(nsp)) {
      return;
    }
    this.#watched.add(nsp);
    nsp.on?.('connection', (connected) => {
      if (isRecovered(connected)) {
        recovered(connected);
        // A socket that comes back pending has to authenticate, whatever the application makes of it later.
        this.#entriesOf(nsp)?.take(keyOf(connected));
      }
    });
  }

  /**
   * Keeps the sessions of a socket that has ended, if it can be recovered.
   *
   * @param socket - the socket
   * @param reason - why it has ended, in Socket.IO's words
   * @param sessions - gives what to keep
   */
  keep(
    socket: LoopbackSocket.Socket,
    reason: unknown,
    sessions: () => SocketSessions | undefined,
  ): void {
    const { nsp } = socket as unknown as RecoverableSocket;
    const server = serverOf(nsp);
    const kept = server !== undefined && RECOVERABLE.has(reason) ? sessions() : undefined;
    if (server === undefined || kept === undefined) {
      return;
    }
    let entries = this.#servers.get(server);
    if (entries === undefined) {
      entries = new ExpiringSessions(durationOf(server));
      this.#servers.set(server, entries);
    }
    entries.set(keyOf(socket), kept);
  }

  /**
   * Takes the sessions of a socket that has authenticated on an earlier connection.
   *
   * @param socket - the socket
   * @returns what was kept; `undefined` if its state was not recovered, if it is pending, or if nothing is kept
   */
  take(socket: LoopbackSocket.Socket): SocketSessions | undefined {
    const { nsp, auth } = socket as unknown as RecoverableSocket;
    return isRecovered(socket) && auth === true
      ? this.#entriesOf(nsp)?.take(keyOf(socket))
      : undefined;
  }

  #entriesOf(nsp: RecoverableNamespace | undefined): ExpiringSessions | undefined {
    return nsp?.server && this.#servers.get(nsp.server);
  }
}

/** The sessions of one server. Its timer does not keep the process alive. */
class ExpiringSessions {
  /** In the order in which they expire. */
  readonly #entries = new Map<string, Entry>();
  #length = 0;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param maxAge - for how many ms each is kept
   */
  constructor(private readonly maxAge: number) {}

  /** Keeps sessions. What is too much to keep is dropped: the oldest first. */
  set(key: string, sessions: SocketSessions): void {
    this.#delete(key);
    const length = lengthOf(sessions);
    if (length > MAX_LENGTH) {
      return;
    }
    this.#entries.set(key, { sessions, length, until: performance.now() + this.maxAge });
    this.#length += length;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= MAX_SOCKETS && this.#length <= MAX_LENGTH) {
        break;
      }
      this.#delete(oldest);
    }
    this.#wait();
  }

  /** Removes sessions and returns them, unless they have expired. */
  take(key: string): SocketSessions | undefined {
    const entry = this.#entries.get(key);
    this.#delete(key);
    return entry !== undefined && entry.until > performance.now() ? entry.sessions : undefined;
  }

  #delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined) {
      this.#entries.delete(key);
      this.#length -= entry.length;
    }
  }

  /** Waits for the oldest to expire, unless it does so already. */
  #wait(): void {
    const [oldest] = this.#entries.values();
    if (this.#timer !== undefined || oldest === undefined) {
      return;
    }
    const delay = Math.max(1, Math.ceil(oldest.until - performance.now()));
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#dropExpired();
        this.#wait();
      },
      Math.min(delay, MAX_DELAY),
    );
    this.#timer.unref();
  }

  #dropExpired(): void {
    const now = performance.now();
    for (const [key, { until }] of this.#entries) {
      if (until > now) {
        return;
      }
      this.#delete(key);
    }
  }
}

function isRecovered(socket: LoopbackSocket.Socket): boolean {
  return (socket as unknown as RecoverableSocket).recovered === true;
}

/** The server of a namespace, if it recovers sockets. */
function serverOf(nsp: RecoverableNamespace | undefined): RecoveringServer | undefined {
  const server = nsp?.server;
  return server?.opts?.connectionStateRecovery ? server : undefined;
}

/** For how many ms the clients of a server may be away. */
function durationOf({ opts }: RecoveringServer): number {
  const duration = opts?.connectionStateRecovery?.maxDisconnectionDuration;
  return typeof duration === 'number' && duration >= 0 ? duration : DEFAULT_DURATION;
}

/** What finds the sessions of a socket. By the name of its namespace: one without sockets may be made anew. */
function keyOf(socket: LoopbackSocket.Socket): string {
  const { nsp, id } = socket as unknown as RecoverableSocket;
  return JSON.stringify([nsp?.name, id]);
}

/** How many characters of what a client has sent are kept. */
function lengthOf({ byPrimitive }: SocketSessions): number {
  return byPrimitive.reduce(
    (sum, { credentials, token }) =>
      sum + (typeof credentials === 'string' ? credentials.length : 0) + (token?.length ?? 0),
    0,
  );
}
