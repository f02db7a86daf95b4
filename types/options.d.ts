// The options of the native server.

import type { IncomingMessage } from 'node:http';
import type { InvalidOptionError, UnsupportedOptionError } from './errors';
import type { Server } from './server';

/** The origins that may read answers, for {@link CorsOptions}. */
export type CorsOrigin = boolean | string | RegExp | Array<boolean | string | RegExp>;

/** What pages of other origins may do, in the words of npm cors. */
export interface CorsOptions {
  /**
   * The origins: `true` for any, `false` for none, one, several, a pattern, or a function that
   * calls back with one of these. @defaultValue `'*'`
   */
  origin?:
    | CorsOrigin
    | ((
        requestOrigin: string | undefined,
        callback: (err: Error | null, origin?: CorsOrigin) => void,
      ) => void);
  /** The HTTP methods. @defaultValue `'GET,HEAD,PUT,PATCH,POST,DELETE'` */
  methods?: string | string[];
  /** The request headers; those that the page asks for by default. */
  allowedHeaders?: string | string[];
  /** The response headers that the page may read. */
  exposedHeaders?: string | string[];
  /** Whether cookies may come along. @defaultValue false */
  credentials?: boolean;
  /** How long, in seconds, a browser may remember all this. */
  maxAge?: number;
  /** Whether a preflight request is left to the application's listeners. @defaultValue false */
  preflightContinue?: boolean;
  /** The status of the answer to a preflight request. @defaultValue 204 */
  optionsSuccessStatus?: number;
}

/** Decides on {@link CorsOptions} for each request. */
export type CorsOptionsDelegate = (
  request: IncomingMessage,
  callback: (err: Error | null, options?: CorsOptions) => void,
) => void;

/** A cookie with the session id, in the words of npm cookie. */
export interface CookieOptions {
  /** Its name. @defaultValue `'io'` */
  name?: string;
  /** @defaultValue `'/'` */
  path?: string;
  /** Whether scripts of the page cannot read it. @defaultValue true */
  httpOnly?: boolean;
  /** @defaultValue `'lax'` */
  sameSite?: boolean | 'lax' | 'strict' | 'none';
  /** Whether it travels over https only. */
  secure?: boolean;
  /** How long it lives, in seconds. */
  maxAge?: number;
  /** When it ends. */
  expires?: Date;
  /** The host it is for. */
  domain?: string;
  /** Which cookies a browser keeps when it has too many. */
  priority?: 'low' | 'medium' | 'high';
  /** Whether it is kept apart by the page it is embedded in. */
  partitioned?: boolean;
  /** Writes its value. */
  encode?(value: string): string;
}

/**
 * The options of a native {@link Server}, those of socket.io 4.8 with `maxBackpressure` added. One
 * that is unknown or impossible throws {@link InvalidOptionError}; one that asks for what the
 * native server cannot do throws {@link UnsupportedOptionError}.
 *
 * @example
 * const options: LoopbackSocket.ServerOptions = {
 *   path: '/ws',
 *   cors: { origin: 'https://bookshop.example', credentials: true },
 *   maxBackpressure: 1024 * 1024,
 * };
 */
export interface ServerOptions {
  /** The path that clients connect to. @defaultValue `'/socket.io'` */
  path?: string;
  /** Whether the path ends in a slash: `/socket.io/`. @defaultValue true */
  addTrailingSlash?: boolean;
  /**
   * Whether to serve `socket.io.js` of the installed socket.io or socket.io-client under the path.
   * @defaultValue true
   */
  serveClient?: boolean;
  /** How long a connection may live without joining a namespace, in ms. @defaultValue 45000 */
  connectTimeout?: number;
  /** How often clients are pinged, in ms. @defaultValue 25000 */
  pingInterval?: number;
  /** How long a client may leave a ping unanswered, in ms. @defaultValue 20000 */
  pingTimeout?: number;
  /** How long an upgrade to websocket may take, in ms. @defaultValue 10000 */
  upgradeTimeout?: number;
  /**
   * The largest message of a client, in bytes with its attachments, on either transport; a larger
   * one ends its connection. @defaultValue 1000000
   */
  maxHttpBufferSize?: number;
  /**
   * How many bytes may wait for a client that does not read, before its connection is closed. Those
   * of a broadcast count for each client, though they are in memory once. A client that reads fast
   * (8 MB a second) is waited for instead. @defaultValue 16777216
   */
  maxBackpressure?: number;
  /** The transports that clients may open. @defaultValue `['polling', 'websocket']` */
  transports?: Array<'polling' | 'websocket'>;
  /** Whether a connection may move from polling to websocket. @defaultValue true */
  allowUpgrades?: boolean;
  /**
   * Decides on each request that opens a connection or upgrades one: `fn(null, true)` lets it in,
   * `fn('why not', false)` refuses it.
   *
   * @example
   * const options: LoopbackSocket.ServerOptions = {
   *   allowRequest: (req, fn) => fn(null, req.headers.origin === 'https://bookshop.example'),
   * };
   */
  allowRequest?: (
    req: IncomingMessage,
    fn: (err: string | null | undefined, success: boolean) => void,
  ) => void;
  /**
   * The pages that may connect, by their origins, over every transport; others are refused with 403. As
   * `origin` of npm cors: origins without a path, regular expressions, an array of both, or a function.
   * Browsers send the origin of a page with each websocket, so list that of your own pages, too. Requests
   * without an origin, of clients that are no pages, pass. The option `cors` is about the answers to long
   * polling alone: without this one a page of any origin can open a websocket, with the cookies of its
   * user (RFC 6455, section 10.2). @defaultValue every page
   *
   * @example
   * const io = new LoopbackSocket.Server(3000, {
   *   allowedOrigins: ['https://app.example.com', /^https:\/\/[a-z]+\.example\.org$/],
   * });
   */
  allowedOrigins?:
    | string
    | RegExp
    | ReadonlyArray<string | RegExp>
    | ((origin: string, done: (err: unknown, allowed?: boolean) => void) => void)
    | false;
  /**
   * A cookie with the session id, for load balancers: `true` for one named `io`, a name, or all of
   * it. @defaultValue false
   */
  cookie?: CookieOptions | string | boolean;
  /** What pages of other origins may do; `true` for anything. @defaultValue false */
  cors?: CorsOptions | CorsOptionsDelegate | boolean;
  /** Whether clients of Socket.IO 2 may connect. @defaultValue true */
  allowEIO3?: boolean;
  /**
   * Whether a namespace that `of()` made for a pattern goes with its last socket.
   * @defaultValue false
   */
  cleanupEmptyChildNamespaces?: boolean;
  /**
   * The format of packets: JSON, or MessagePack, for which the module `socket.io-msgpack-parser` is
   * taken too. Clients need the same one. In MessagePack values travel as that module has them: `undefined`,
   * `NaN`, a `Date` and an `ArrayBuffer` arrive as such. @defaultValue `'json'`
   */
  parser?: 'json' | 'msgpack' | { Encoder: new (...args: any[]) => any };
  /** Whether an upgrade request that nobody takes is ended. @defaultValue true */
  destroyUpgrade?: boolean;
  /** After how long that is, in ms. @defaultValue 1000 */
  destroyUpgradeTimeout?: number;
  /** Ignored with a warning: the native server does not compress. */
  perMessageDeflate?: boolean | object;
  /** Ignored with a warning: the native server does not compress. */
  httpCompression?: boolean | object;
  /** Ignored with a warning: websockets are served in Rust. */
  wsEngine?: any;
  /** Refused: rooms are kept in Rust, for one process. Use socket.io and `start(io)` in a cluster. */
  adapter?: undefined;
  /** Refused: a client that reconnects is a new socket. */
  connectionStateRecovery?: undefined;
  /** Refused: emit from a listener of `connection`. */
  initialPacket?: undefined;
}
