// Figures of servers and LoopbackSockets.

/** The calls of one method or subscription, since they are measured. */
export interface MethodMetrics {
  kind: 'method' | 'subscription';
  /** Calls that are not answered yet. */
  inFlight: number;
  /** Calls that were answered with a result. */
  succeeded: number;
  /** Calls that were answered with an error, or ended with their socket. */
  failed: number;
  /** How long calls took from their dispatch until they were answered. */
  duration: {
    count: number;
    /** The sum of all durations, in ms. */
    sum: number;
    /** How many took at most `le` ms, and more than the bound before. Slower ones are in `count` alone. */
    buckets: Array<{ le: number; count: number }>;
  };
}

/**
 * The figures of a server or of a LoopbackSocket. What is missing is not known there.
 *
 * @example
 * const { connections, calls } = sockets.metrics();
 * console.log(connections?.open.websocket, calls.inFlight);
 */
export interface Metrics {
  connections?: {
    /** Open connections, by transport. */
    open: { polling: number; websocket: number; other: number };
    /** Connections that were opened, by the transport they began with. */
    opened?: { polling: number; websocket: number };
    /** Connections that have left long polling for a WebSocket. */
    upgraded?: number;
    /** Connections that have ended, by reason, such as `ping_timeout` or `backpressure`. */
    closed?: Record<string, number>;
    /** Bytes that are queued for all clients. */
    queuedBytes?: number;
    /** Bytes that are queued for the client for which the most are. */
    maxQueuedBytes?: number;
  };
  /** HTTP requests that were refused, by reason, such as `origin_not_allowed`. */
  requests?: { refused: Record<string, number> };
  /**
   * Sockets that were refused in a namespace, by reason: `middleware` of the application has refused them, or the
   * namespace does not exist (`unknown_namespace`).
   */
  joins?: { refused: Record<string, number> };
  /** Sockets in namespaces, now. */
  sockets: {
    /** Middleware of the application is running for them. */
    joining: number;
    /** They have to authenticate. */
    pending: number;
    authenticated: number;
    /** They need not authenticate. */
    open: number;
  };
  /** How attempts to authenticate ended. */
  authentication: {
    accepted: number;
    /** The `auth` function or an `onConnected` handler refused. */
    rejected: number;
    /** Sockets that did not authenticate in time. */
    timedOut?: number;
    /** Sockets that exceeded `maxAuthenticationAttempts`. */
    tooManyAttempts: number;
    /** Sockets that exceeded `maxPendingPerAddress`. */
    tooManyPending: number;
  };
  calls: {
    /** Calls that are not answered yet. */
    inFlight: number;
    /** By the names that the application has defined. */
    methods: Record<string, MethodMetrics>;
  };
  subscriptions: { open: number };
  /** What clients did not get because they were too slow. */
  dropped?: {
    /** Volatile events. */
    volatile: number;
    /** Items of subscriptions with `overflow: 'latest'`. */
    items: number;
  };
}

/**
 * The figures of a native server, which knows all of them.
 *
 * @example
 * const { connections, calls } = io.metrics();
 * console.log(connections.open.websocket, calls.inFlight);
 */
export interface ServerMetrics extends Metrics {
  connections: Required<NonNullable<Metrics['connections']>>;
  requests: NonNullable<Metrics['requests']>;
  joins: NonNullable<Metrics['joins']>;
  authentication: Required<Metrics['authentication']>;
  dropped: NonNullable<Metrics['dropped']>;
}
