import { Context } from '@loopback/core';
import type LoopbackSocket from 'loopback-socket';
import type { HandshakeRequest } from './handshake-request';
import { LoopbackSocketBindings } from './keys';
import type { UserProfile } from './types';

/** How many sessions of a socket with primitive credentials are kept: more than attempts can be refused. */
const MAX_SESSIONS = 128;

/** What one `authentication` of a client gave. */
export class Session {
  /** The user; `undefined` if nobody authenticated it. */
  user: UserProfile | undefined;
  /** The users that strategies returned, by the strategy, or by its metadata if that has options. */
  readonly users = new Map<unknown, UserProfile>();

  constructor(
    readonly credentials: unknown,
    readonly token: string | undefined,
    readonly request: HandshakeRequest,
  ) {}
}

/** A socket: its context and its sessions. */
export class SocketContext extends Context {
  /** The session that was accepted last, for what happens outside of calls. */
  current: Session | undefined;
  readonly #byObject = new WeakMap<object, Session>();
  readonly #byPrimitive = new Map<unknown, Session>();

  constructor(
    parent: Context,
    readonly socket: LoopbackSocket.Socket,
  ) {
    super(parent, 'socket');
    this.bind(LoopbackSocketBindings.SOCKET).to(socket);
  }

  /** Keeps a session for the calls that are made with its credentials. */
  addSession(session: Session): void {
    const { credentials } = session;
    if (isObject(credentials)) {
      this.#byObject.set(credentials, session);
      return;
    }
    this.#byPrimitive.delete(credentials);
    this.#byPrimitive.set(credentials, session);
    for (const oldest of this.#byPrimitive.keys()) {
      if (this.#byPrimitive.size <= MAX_SESSIONS) {
        break;
      }
      this.#byPrimitive.delete(oldest);
    }
  }

  /** The session of the credentials that a call is made with: those that were accepted. */
  sessionOf(credentials: unknown): Session | undefined {
    return isObject(credentials)
      ? this.#byObject.get(credentials)
      : this.#byPrimitive.get(credentials);
  }
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}
