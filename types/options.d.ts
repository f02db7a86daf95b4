// The options of the native server.

import type { IncomingMessage } from 'node:http';
import type { AdapterConstructor } from './adapter';
import type { InvalidOptionError, UnsupportedOptionError } from './errors';
import type { Server } from './server';

/** The origins that may read responses, for {@link CorsOptions}. */
export type CorsOrigin = boolean | string | RegExp | Array<boolean | string | RegExp>;

/** CORS options for pages of other origins, as in npm `cors`. */
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
  /** The allowed request headers; by default those that the page asks for. */
  allowedHeaders?: string | string[];
  /** The response headers that the page may read. */
  exposedHeaders?: string | string[];
  /** Whether cookies may be sent. @defaultValue false */
  credentials?: boolean;
  /** How long a browser may cache the response to a preflight request, in seconds. */
  maxAge?: number;
  /** Whether to pass preflight requests on to the application's listeners. @defaultValue false */
  preflightContinue?: boolean;
  /** The status of the response to a preflight request. @defaultValue 204 */
  optionsSuccessStatus?: number;
}

/** The options of connection state recovery. */
export interface ConnectionStateRecoveryOptions {
  /** For how many ms a client may be away. @defaultValue 120000 */
  maxDisconnectionDuration?: number;
  /** Whether the middleware of the namespace is skipped for a socket that is recovered. @defaultValue true */
  skipMiddlewares?: boolean;
  /** Without an adapter: how many sessions of clients that are away are kept. @defaultValue 50000 */
  maxSessions?: number;
  /** Without an adapter: how many events are kept for them. @defaultValue 100000 */
  maxPackets?: number;
  /** Without an adapter: how many bytes these events may take. @defaultValue 67108864 */
  maxPacketBytes?: number;
}

/** Returns the {@link CorsOptions} for each request. */
export type CorsOptionsDelegate = (
  request: IncomingMessage,
  callback: (err: Error | null, options?: CorsOptions) => void,
) => void;

/** A cookie with the session id. The options are those of npm `cookie`. */
export interface CookieOptions {
  /** Its name. @defaultValue `'io'` */
  name?: string;
  /** @defaultValue `'/'` */
  path?: string;
  /** Whether scripts of the page cannot read it. @defaultValue true */
  httpOnly?: boolean;
  /** @defaultValue `'lax'` */
  sameSite?: boolean | 'lax' | 'strict' | 'none';
  /** Whether it is sent over HTTPS only. */
  secure?: boolean;
  /** Its lifetime in seconds. */
  maxAge?: number;
  /** When it expires. */
  expires?: Date;
  /** Its domain. */
  domain?: string;
  /** Its priority when a browser has to evict cookies. */
  priority?: 'low' | 'medium' | 'high';
  /** Whether it is partitioned by the top-level site (CHIPS). */
  partitioned?: boolean;
  /** Encodes its value. */
  encode?(value: string): string;
}

/**
 * Which proxies may name the client, as Express's setting "trust proxy": `true` for all, how many
 * there are, addresses and subnets (also `'loopback'`, `'linklocal'` and `'uniquelocal'`; a string may
 * list several with commas), or a function that gets each address and how many others lie between it
 * and this process.
 */
export type TrustProxy =
  | boolean
  | number
  | string
  | readonly string[]
  | ((address: string | undefined, hop: number) => boolean);

/**
 * The options of `io.close()`.
 *
 * @example
 * const options: LoopbackSocket.CloseOptions = { drain: 10_000 };
 * await io.close(options);
 */
export interface CloseOptions {
  /**
   * For how many ms calls and attempts to authenticate that are in flight are waited for. Each connection
   * ends as soon as it has none; nothing new is accepted meanwhile. @defaultValue 0
   */
  drain?: number;
}

/**
 * The options of {@link ServerOptions.httpCompression}.
 *
 * @example
 * const httpCompression: LoopbackSocket.HttpCompressionOptions = { threshold: 4096, level: 3 };
 */
export interface HttpCompressionOptions {
  /** The length in bytes from which on a response is compressed. @defaultValue 1024 */
  threshold?: number;
  /** From 0 (nothing is compressed) to 9 (smallest); -1 stands for 6. @defaultValue -1 */
  level?: number;
  /** From 8 to 15: zlib looks back 2 to the power of it bytes. @defaultValue 15 */
  windowBits?: number;
  /** No effect. */
  memLevel?: number;
  /** No effect. */
  strategy?: number;
  /** No effect. */
  chunkSize?: number;
}

/**
 * The options of {@link ServerOptions.perMessageDeflate}: those of `ws`.
 *
 * @example
 * new LoopbackSocket.Server(3000, {
 *   perMessageDeflate: { threshold: 2048, serverNoContextTakeover: true },
 * });
 */
export interface PerMessageDeflateOptions {
  /** The length in bytes from which on a message is compressed. @defaultValue 1024 */
  threshold?: number;
  /**
   * Whether the server compresses each message by itself, which takes no memory for each client. If
   * missing, as the client asks for; if `false`, a client that asks for it is refused.
   */
  serverNoContextTakeover?: boolean;
  /** Whether clients have to compress each message by itself. */
  clientNoContextTakeover?: boolean;
  /** 8 to 15: the window of what the server sends; `false`: a client that asks for one is refused. */
  serverMaxWindowBits?: boolean | number;
  /**
   * 8 to 15: the window of what clients send; a client that does not offer to limit it is refused.
   */
  clientMaxWindowBits?: boolean | number;
  /** No effect: messages are compressed one after the other. */
  concurrencyLimit?: number;
  /** Of these, `level` has an effect. */
  zlibDeflateOptions?: PerMessageDeflateZlibOptions;
  /** No effect. */
  zlibInflateOptions?: PerMessageDeflateZlibOptions;
}

/** The options of zlib that are accepted. */
export interface PerMessageDeflateZlibOptions {
  /** From 0 (nothing is compressed) to 9 (smallest). @defaultValue 6 */
  level?: number;
  /** No effect. */
  memLevel?: number;
  /** No effect. */
  strategy?: number;
  /** No effect. */
  chunkSize?: number;
  /** No effect. */
  windowBits?: number;
  /** No effect. */
  flush?: number;
  /** No effect. */
  finishFlush?: number;
}

/** What a private key or a certificate may be given as: text in PEM format. */
export type Pem = string | Buffer;

/** A private key, with its passphrase if it has one of its own. */
export type TlsKey = Pem | { pem: Pem; passphrase?: string };

/**
 * The options of {@link ServerOptions.tls}: those of Node's `tls.createServer()`. Another one of these throws
 * {@link UnsupportedOptionError}: make an `https.Server` with it.
 *
 * @example
 * import { readFileSync } from 'node:fs';
 *
 * const tls: LoopbackSocket.TlsOptions = {
 *   key: readFileSync('key.pem'),
 *   cert: readFileSync('fullchain.pem'),
 *   minVersion: 'TLSv1.3',
 * };
 */
export interface TlsOptions {
  /** A private key, or several: each client gets the first that it can use. */
  key: TlsKey | readonly TlsKey[];
  /** Its certificate, followed by those of its issuers; an array with one element for each key. */
  cert: Pem | readonly Pem[];
  /** What the key is encrypted with. */
  passphrase?: string;
  /** The authorities of clients' certificates, for `requestCert`. */
  ca?: Pem | readonly Pem[];
  /** Whether each client must have a certificate that one of the authorities in `ca` has issued. @defaultValue false */
  requestCert?: boolean;
  /** `false` is refused with `requestCert`. @defaultValue true */
  rejectUnauthorized?: boolean;
  /** @defaultValue `'TLSv1.2'` */
  minVersion?: 'TLSv1.2' | 'TLSv1.3';
  /** @defaultValue `'TLSv1.3'` */
  maxVersion?: 'TLSv1.2' | 'TLSv1.3';
  /** The protocols that clients may ask for, the preferred one first. @defaultValue `['http/1.1']` */
  ALPNProtocols?: readonly string[];
}

/**
 * The options of a native {@link Server}: those of socket.io 4.8, and `maxBackpressure`,
 * `allowedOrigins`, `trustProxy` and `tls`. An unknown option or an invalid value throws {@link InvalidOptionError}; an
 * option that the native server does not support throws {@link UnsupportedOptionError}.
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
  /** Whether the path ends with a slash: `/socket.io/`. @defaultValue true */
  addTrailingSlash?: boolean;
  /**
   * Whether to serve `socket.io.js` of the installed socket.io or socket.io-client under the path.
   * @defaultValue true
   */
  serveClient?: boolean;
  /**
   * Time after which a connection that has not joined a namespace is closed, in ms. @defaultValue
   * 45000
   */
  connectTimeout?: number;
  /** Time between two pings, in ms. @defaultValue 25000 */
  pingInterval?: number;
  /** Time that a client has to answer a ping, in ms. @defaultValue 20000 */
  pingTimeout?: number;
  /** Time that an upgrade to WebSocket may take, in ms. @defaultValue 10000 */
  upgradeTimeout?: number;
  /**
   * The maximum size of a client's message in bytes, including its attachments, on both transports.
   * A larger message closes the connection. More than 536 MB counts as that, since no string of
   * JavaScript can be longer. @defaultValue 1000000
   */
  maxHttpBufferSize?: number;
  /**
   * The maximum number of bytes queued for a client that does not read; beyond it the connection is
   * closed. The bytes of a broadcast count for each client, although they are in memory only once.
   * If the client reads fast (8 MB a second), the server waits for it instead. @defaultValue
   * 16777216
   */
  maxBackpressure?: number;
  /** The transports that clients may open. @defaultValue `['polling', 'websocket']` */
  transports?: Array<'polling' | 'websocket'>;
  /** Whether a connection may upgrade from polling to WebSocket. @defaultValue true */
  allowUpgrades?: boolean;
  /**
   * Accepts or refuses each request that opens a connection: `fn(null, true)` accepts it, `fn('reason', false)` refuses it.
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
   * Which proxies may name the client in `X-Forwarded-For` and `X-Forwarded-Proto`, as Express's
   * setting "trust proxy". Decides `socket.handshake.address` and `socket.handshake.secure`, and the
   * address that `maxPendingPerAddress` of `start()` counts by; headers of anybody else are ignored.
   * `socket.conn.remoteAddress` stays the address of the proxy. @defaultValue false
   *
   * @example
   * // nginx or HAProxy on the same machine
   * const options: LoopbackSocket.ServerOptions = { trustProxy: 'loopback' };
   */
  trustProxy?: TrustProxy;
  /**
   * Has clients come by TLS, which Rust encrypts and decrypts: on the port that the server opens, or on the plain
   * `http.Server` that it is given. Requests of others reach the listeners of `io.httpServer` decrypted.
   *
   * @example
   * import { readFileSync } from 'node:fs';
   *
   * const tls = { key: readFileSync('key.pem'), cert: readFileSync('fullchain.pem') };
   * const io = new LoopbackSocket.Server(443, { tls });
   */
  tls?: TlsOptions;
  /**
   * The origins of pages that may connect, over every transport; others are refused with 403. As
   * `origin` of npm `cors`: origins without a path, regular expressions, an array of both, or a
   * function. Browsers send the origin of a page with each WebSocket, so list that of your own
   * pages, too. Requests without an origin, from clients that are not browsers, are accepted. The
   * option `cors` applies to long polling only: without `allowedOrigins`, a page of any origin can
   * open a WebSocket with the cookies of its user (RFC 6455, section 10.2). @defaultValue every
   * page
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
   * A cookie with the session id, for load balancers: `true` for a cookie named `io`, a name, or
   * its options. @defaultValue false
   */
  cookie?: CookieOptions | string | boolean;
  /** CORS for pages of other origins; `true` allows every origin. @defaultValue false */
  cors?: CorsOptions | CorsOptionsDelegate | boolean;
  /** Whether clients of Socket.IO 1 and 2 may connect. @defaultValue true */
  allowEIO3?: boolean;
  /**
   * Whether a namespace created from a pattern is removed with its last socket, or if its client leaves before it
   * joins.
   * @defaultValue false
   */
  cleanupEmptyChildNamespaces?: boolean;
  /**
   * The wire format of packets: JSON or MessagePack. For MessagePack you can also pass the module
   * `socket.io-msgpack-parser`. Clients need the same parser. With MessagePack, values are encoded
   * as by that module: `undefined`, `NaN`, a `Date` and an `ArrayBuffer` arrive as such.
   * @defaultValue `'json'`
   */
  parser?: 'json' | 'msgpack' | { Encoder: new (...args: any[]) => any };
  /** Whether to close an upgrade request that nobody handles. @defaultValue true */
  destroyUpgrade?: boolean;
  /** Time after which it is closed, in ms. @defaultValue 1000 */
  destroyUpgradeTimeout?: number;
  /**
   * Whether and how messages on WebSockets are compressed, with clients that offer it (RFC 7692).
   * @defaultValue false
   * @example
   * new LoopbackSocket.Server(3000, { perMessageDeflate: { serverNoContextTakeover: true } });
   */
  perMessageDeflate?: boolean | PerMessageDeflateOptions;
  /**
   * Whether clients that have lost their connection get their socket back, with its rooms, its data and what they
   * have missed.
   *
   * @example
   * new LoopbackSocket.Server(3000, {
   *   connectionStateRecovery: { maxDisconnectionDuration: 60_000 },
   * });
   */
  connectionStateRecovery?: boolean | ConnectionStateRecoveryOptions;
  /**
   * Whether and how responses to long polling are compressed, for clients that accept it.
   *
   * @defaultValue `{ threshold: 1024 }`
   * @example new Server(httpServer, { httpCompression: { threshold: 4096, level: 3 } })
   */
  httpCompression?: boolean | HttpCompressionOptions;
  /** Ignored with a warning: WebSocket is implemented in Rust. */
  wsEngine?: any;
  /**
   * What makes the adapter of each namespace: a class, or what `createAdapter()` of an adapter's
   * package returns. Servers that share one form a cluster. By default rooms are kept in Rust, for
   * one process.
   *
   * @example
   * import { createAdapter } from '@socket.io/cluster-adapter';
   *
   * const io = new LoopbackSocket.Server(3000, { adapter: createAdapter() });
   */
  adapter?: AdapterConstructor;
  /** Not supported: emit an event in a `connection` listener. */
  initialPacket?: undefined;
}
