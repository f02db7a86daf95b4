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

  /**
   * @param credentials - what the client sent
   * @param token - the token of the client
   * @param request - the request that strategies get
   * @param users - the users that strategies returned, by the strategy, or by its metadata if that has options
   */
  constructor(
    readonly credentials: unknown,
    readonly token: string | undefined,
    readonly request: HandshakeRequest,
    readonly users = new Map<unknown, UserProfile>(),
  ) {}
}

/** A session without its request, which has the socket. */
export type SessionState = Omit<Session, 'request'>;

/** Makes the request of a session. */
export type RequestMaker = (credentials: unknown, token: string | undefined) => HandshakeRequest;

/**
 * The sessions of a socket that has ended, for the one that its client comes back with. Nothing here keeps the socket
 * in memory, nor credentials that are objects: loopback-socket does that, for as long as the socket can be recovered.
 */
export interface SocketSessions {
  readonly byObject: WeakMap<object, Session>;
  readonly byPrimitive: readonly SessionState[];
  /** The credentials of the session that was accepted last. */
  readonly current: WeakRef<object> | { readonly credentials: unknown };
}

/** A socket: its context and its sessions. */
export class SocketContext extends Context {
  /** The session that was accepted last, for what happens outside of calls. */
  current: Session | undefined;
  #byObject = new WeakMap<object, Session>();
  readonly #byPrimitive = new Map<unknown, Session>();
  /** Makes the requests of sessions of an earlier socket, if this one was recovered. */
  #requestOf: RequestMaker | undefined;

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
    if (!isObject(credentials)) {
      return this.#byPrimitive.get(credentials);
    }
    const session = this.#byObject.get(credentials);
    const requestOf = this.#requestOf;
    if (
      session === undefined ||
      requestOf === undefined ||
      session.request.loopbackSocket === this.socket
    ) {
      return session;
    }
    const renewed = withRequest(session, requestOf);
    this.addSession(renewed);
    return renewed;
  }

  /** What the context of the recovered socket needs to know; `undefined` if no session was accepted. */
  get sessions(): SocketSessions | undefined {
    const { current } = this;
    if (current === undefined) {
      return undefined;
    }
    const { credentials } = current;
    return {
      byObject: this.#byObject,
      byPrimitive: Array.from(
        this.#byPrimitive.values(),
        ({ credentials: primitive, token, user, users }) => ({
          credentials: primitive,
          token,
          user,
          users,
        }),
      ),
      current: isObject(credentials) ? new WeakRef(credentials) : { credentials },
    };
  }

  /**
   * Takes over the sessions of the socket whose state was recovered: this one has authenticated with them.
   *
   * @param sessions - what the context of that socket has left
   * @param requestOf - makes the requests that strategies get, of the handshake of this socket
   */
  takeOver({ byObject, byPrimitive, current }: SocketSessions, requestOf: RequestMaker): void {
    this.#requestOf = requestOf;
    this.#byObject = byObject;
    for (const state of byPrimitive) {
      this.addSession(withRequest(state, requestOf));
    }
    if (current instanceof WeakRef) {
      const credentials = current.deref();
      this.current = credentials && this.sessionOf(credentials);
    } else {
      this.current = this.sessionOf(current.credentials);
    }
  }
}

/** A session with another request. */
function withRequest(
  { credentials, token, user, users }: SessionState,
  requestOf: RequestMaker,
): Session {
  const session = new Session(credentials, token, requestOf(credentials, token), users);
  session.user = user;
  return session;
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}
