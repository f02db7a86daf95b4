'use strict';

// The app's sockets, served twice in one process: by the server that the app has chosen, on the app's own port, and by
// the other kind on the next port, so that the page can switch from one to the other. Each has an http.Server of its
// own: the listeners that npm socket.io adds to an http.Server would keep the native server from reading requests in
// Rust.

const { once } = require('node:events');
const http = require('node:http');
const LoopbackSocket = require('loopback-socket');

/** How to make a Socket.IO server of each kind. */
const KINDS = {
  native: (httpServer, options) => new LoopbackSocket.Server(httpServer, options),
  hosted: (httpServer, options) => require('socket.io')(httpServer, options),
};

/** Pages of this machine, such as the app's own, may open sockets on the second port. */
const SAME_MACHINE = /^http:\/\/(localhost|127\.0\.0\.1|\[::1\]):\d+$/;

class SocketServers {
  #app;
  #sockets;
  /**
   * The port of the second server: the next one, so that pages which are open find it when the process has been
   * started again, or any other if that is taken.
   */
  #secondPort;
  /** @type {{ io: object, httpServer: http.Server }[]} those that serve now */
  #serving = [];
  /** @type {Promise<void> | undefined} a restart that is under way */
  #restarting;
  #closed = false;

  /**
   * @param {object} app - the LoopBack app
   * @param {object} sockets - the instance of loopback-socket that serves them
   * @param {'native' | 'hosted'} first - which kind serves on the app's own port
   */
  constructor(app, sockets, first) {
    this.#app = app;
    this.#sockets = sockets;
    this.first = first;
    this.second = first === 'native' ? 'hosted' : 'native';
  }

  /**
   * Listens.
   * @returns {http.Server} that of the app's own port
   */
  start() {
    const port = Number(this.#app.get('port'));
    this.#secondPort ??= port > 0 && port < 65_535 ? port + 1 : 0;
    const httpServer = this.#app.listen();
    this.#serve(this.first, httpServer);
    httpServer.once('listening', () => this.#startSecond());
    return httpServer;
  }

  #startSecond() {
    if (this.#closed) return;
    const httpServer = http.createServer((req, res) => res.writeHead(404).end());
    this.#serve(this.second, httpServer, { cors: { origin: SAME_MACHINE } });
    httpServer.once('error', (err) => {
      if (err.code === 'EADDRINUSE') httpServer.listen(0, this.#app.get('host'));
      else console.error('The second server, %s, cannot listen: %s', this.second, err.message);
    });
    httpServer.once('listening', () => {
      this.#secondPort = httpServer.address().port;
    });
    httpServer.listen(this.#secondPort, this.#app.get('host'));
  }

  #serve(kind, httpServer, options) {
    const io = KINDS[kind](httpServer, options);
    this.#sockets.start(io);
    this.#serving.push({ kind, io, httpServer });
  }

  /**
   * Where a page connects to each kind.
   * @returns {{ kind: string, port: number, sockets: number }[]} the app's own first
   */
  list() {
    return this.#serving.map(({ kind, io, httpServer }) => ({
      kind,
      port: httpServer.address()?.port,
      sockets: io.engine.clientsCount,
    }));
  }

  /**
   * Ends every connection and listens again on the same ports, as a deployment would, but with the data
   * that the app has in memory.
   * @param {number} pause - how long nobody listens, in ms
   * @returns {Promise<void>} once both listen again
   */
  restart(pause) {
    this.#restarting ??= this.#restart(pause).finally(() => {
      this.#restarting = undefined;
    });
    return this.#restarting;
  }

  async #restart(pause) {
    await this.#closeAll();
    await new Promise((resolve) => {
      setTimeout(resolve, pause);
    });
    if (this.#closed) return;
    await once(this.start(), 'listening');
  }

  async #closeAll() {
    const closing = this.#serving.splice(0).map(async ({ io, httpServer }) => {
      await new Promise((resolve) => {
        io.close(resolve);
      });
      httpServer.closeAllConnections();
      if (httpServer.listening) {
        httpServer.close();
        await once(httpServer, 'close');
      }
    });
    await Promise.all(closing);
  }

  /**
   * Ends all, for good.
   * @returns {Promise<void>}
   */
  async close() {
    this.#closed = true;
    await this.#closeAll();
  }
}

module.exports = { SocketServers };
