'use strict';

/**
 * Node's http.Server in front of the native server: it passes requests and upgrades on to the native
 * server, and writes the answers. A `Server` (`lib/socketio`) knows of HTTP no more than this object.
 */

const { protocolOf } = require('../socketio/engine');
const { queryOf } = require('../socketio/handshake');
const { clientOf } = require('../socketio/trust-proxy');
const { acceptedEncoding } = require('../native/binding');
const { AcceptedWebsockets } = require('./accepted-websockets');
const { attach } = require('./attach');
const { httpConfig, isSameConfig } = require('./config');
const { observeOptions } = require('./observe');
const { answered, breakOff } = require('./polling');
const { handleRelayAction } = require('./relay');
const { RequestSnapshot, outlineOf } = require('./request-snapshot');
const { Takeover } = require('./takeover');

class HttpFront {
  /** The websockets that Rust has taken over from Node's servers. */
  accepted = new AcceptedWebsockets();
  /** Which connections of Node's servers are Rust's from the first request on. */
  takeover = new Takeover(this);
  /** @type {Map<number, import('./polling').Exchange>} requests of long polling under way, by number */
  exchanges = new Map();
  /** @type {Map<string, import('http').IncomingMessage>} requests that bring packets, by session */
  receiving = new Map();
  /** @type {import('http').Server[]} where clients come, and came */
  httpServers = [];
  /** @type {Function | undefined} the middleware of the option `cors`, once it is in use */
  cors;
  /** Numbers count up and are exact as doubles for longer than any process lives: none comes again. */
  lastRequest = 0;
  #link;
  #options;
  #opened;
  /** @type {string | undefined} the last `Accept-Encoding`: most clients send the same */
  #accepted;
  /** What the native server makes of it. */
  #encoding = 0;
  /** @type {import('../../binding').HttpOptions | undefined} what the native server has of the options */
  #config;
  /** @type {(() => void)[]} what takes the listeners off the http.Servers */
  #detach = [];

  /**
   * @param {object} server what is behind it
   * @param {import('../native/link').NativeLink} server.link the native server, while it runs
   * @param {import('../socketio/engine').Engine} server.engine its middleware and events
   * @param {() => import('../socketio/options').ServerOptions} server.options the options in force
   * @param {(number: number, id: string, opening: import('../socketio/connection').Opening) =>
   *   import('../socketio/connection').Connection} server.opened called with the number of a connection, the
   *   id of its session, and what opened it
   * @param {() => void} server.taken called when Rust takes a connection over from Node
   */
  constructor({ link, engine, options, opened, taken }) {
    this.#link = link;
    this.#options = options;
    this.engine = engine;
    this.#opened = opened;
    this.taken = taken;
  }

  /** @returns {import('../../binding').NativeServer | undefined} the native server, while it runs */
  get native() {
    return this.#link.native;
  }

  /** @returns {import('../../binding').NativeServer['takeHttp'] | undefined} passes it a connection of Node's */
  get takeHttp() {
    return this.#link.takeHttp;
  }

  /** @returns {boolean} whether the server is closing or closed: requests are refused */
  get isClosing() {
    return this.#link.isClosing;
  }

  /**
   * Counts a request that is refused.
   *
   * @param {number} refusal the `Refusal`
   * @returns {void}
   */
  countRefusal(refusal) {
    const { requests } = this.#link.refused;
    requests[refusal] = (requests[refusal] ?? 0) + 1;
  }

  /** @returns {boolean} whether messages may be compressed */
  get compresses() {
    return Boolean(this.#options().perMessageDeflate);
  }

  /** @returns {boolean} whether the server is about to close: requests that open a session are refused */
  get isDraining() {
    return this.#link.isDraining;
  }

  /** @returns {import('../socketio/options').ServerOptions} the options in force */
  get options() {
    return this.#options();
  }

  /**
   * @param {import('http').IncomingMessage} request a request
   * @returns {import('../socketio/trust-proxy').Client | undefined} who has made it, if the server trusts
   *   proxies
   */
  clientOf(request) {
    const { trustProxy } = this.#options();
    return trustProxy === undefined ? undefined : clientOf(request, trustProxy);
  }

  /** @returns {number} how many websockets are open that Rust has taken over */
  get openWebsockets() {
    return this.accepted.size;
  }

  /**
   * Takes the requests of an http.Server.
   *
   * @param {import('http').Server} httpServer where clients come
   * @returns {void}
   */
  attach(httpServer) {
    observeOptions(this.options, () => this.#refresh());
    this.httpServers.push(httpServer);
    this.#detach.push(attach(this, httpServer));
  }

  /**
   * Leaves all http.Servers.
   *
   * @returns {void}
   */
  detach() {
    for (const detach of this.#detach.splice(0).reverse()) {
      detach();
    }
    this.httpServers = [];
  }

  /**
   * Gives the native server the options that are about requests.
   *
   * @returns {string} what the URLs of the server's requests begin with
   */
  configure() {
    this.#config = httpConfig(this.options);
    return this.native.configureHttp(this.#config);
  }

  /**
   * Gives the native server the options anew that the application may change in `io.engine.opts`, which
   * Engine.IO reads for each request.
   *
   * @returns {void}
   */
  #refresh() {
    if (this.native !== undefined && !isSameConfig(httpConfig(this.options), this.#config)) {
      this.configure();
    }
    this.takeover.update();
  }

  /**
   * @param {string | undefined} accepted the `Accept-Encoding` of a request
   * @returns {number} how its response may be encoded, as the native server takes it
   */
  encodingFor(accepted) {
    if (accepted === undefined || this.options.httpCompression === undefined) {
      return 0;
    }
    if (accepted !== this.#accepted) {
      this.#encoding = acceptedEncoding(accepted);
      this.#accepted = accepted;
    }
    return this.#encoding;
  }

  /**
   * @returns {number} a number for a connection that a request may open
   */
  nextConnection() {
    return this.native.nextConnection();
  }

  /**
   * @returns {number} a number for a request of long polling
   */
  nextRequest() {
    this.lastRequest += 1;
    return this.lastRequest;
  }

  /**
   * A request of Node's has opened a connection.
   *
   * @param {number} number the connection's number
   * @param {string} id the id of its session
   * @param {import('http').IncomingMessage} request the request, with its `_query`
   * @param {string | undefined} address the address at the other end of the connection
   * @param {import('../socketio/trust-proxy').Client} [client] the client, if the server trusts proxies
   * @returns {import('../socketio/connection').Connection} the connection
   */
  opened(number, id, request, address, client) {
    const isSecure = Boolean(request.socket?.encrypted);
    const kept = RequestSnapshot.keep(this, request);
    return this.#opened(number, id, {
      protocol: protocolOf(queryOf(request)),
      transport: request.upgrade ? 'websocket' : 'polling',
      snapshot: (connection) => new RequestSnapshot(connection, kept, address, isSecure, client),
    });
  }

  /**
   * A request that only the front in Rust has seen has opened a connection.
   *
   * @param {number} number the connection's number
   * @param {3 | 4} protocol the version of Engine.IO
   * @param {boolean} isWebsocket whether it began with a websocket
   * @param {boolean} isSecure whether it came by TLS
   * @param {[id: string, address: string | null, request: string]} opening the id of its session, the address
   *   at the other end of the connection, and the request
   * @returns {void}
   */
  openedUnseen(number, protocol, isWebsocket, isSecure, [id, given, text]) {
    this.takeover.lookAgain();
    const address = given ?? undefined;
    const { trustProxy } = this.#options();
    const client =
      trustProxy === undefined
        ? undefined
        : clientOf(outlineOf(text, address, isSecure), trustProxy);
    this.#opened(number, id, {
      protocol,
      transport: isWebsocket ? 'websocket' : 'polling',
      snapshot: (connection) => new RequestSnapshot(connection, text, address, isSecure, client),
    });
  }

  /**
   * A connection of HTTP comes back from the front in Rust.
   *
   * @param {number} owner the number it was taken with
   * @param {number} fd its descriptor
   * @param {Buffer} bytes what was read of it
   * @param {import('./secure').Secure | null} secure what is known of a client that came by TLS
   * @param {Buffer} [certificate] its certificate
   * @returns {void}
   */
  handedBack(owner, fd, bytes, secure, certificate) {
    this.takeover.handedBack(this.accepted.serverOf(owner), fd, bytes, secure, certificate);
  }

  /**
   * The server accepts no more sessions, or is closing.
   *
   * @returns {void}
   */
  leave() {
    this.takeover.update();
    this.native?.leaveHttp();
  }

  /**
   * The native server responds to a request of long polling.
   *
   * @param {number} number the request's number
   * @param {number} status the HTTP status
   * @param {number} refusal a `Refusal` instead of a response, or `NONE`
   * @param {Record<string, unknown>} headers the headers
   * @param {Buffer} [body] the body
   * @returns {void}
   */
  answered(number, status, refusal, headers, body) {
    answered(this, number, status, refusal, headers, body);
  }

  /**
   * The native server asks to do something with a socket whose bytes are relayed.
   *
   * @param {number} number the relay's number
   * @param {number} action what to do
   * @param {Buffer} [bytes] what to write
   * @returns {void}
   */
  relayed(number, action, bytes) {
    handleRelayAction(this, number, action, bytes);
  }

  /**
   * A websocket that Rust had taken over is closed.
   *
   * @param {number} owner the number it was handed over with
   * @returns {void}
   */
  released(owner) {
    this.accepted.closed(owner);
  }

  /**
   * A connection has ended: a request that is still bringing packets for it is ended, too.
   *
   * @param {string} sid the id of its session
   * @returns {void}
   */
  connectionEnded(sid) {
    breakOff(this, sid);
  }
}

module.exports = { HttpFront };
