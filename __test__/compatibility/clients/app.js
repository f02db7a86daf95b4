'use strict';

/**
 * The application that foreign clients talk to: a native server on an http.Server, with
 * authentication and methods, and with events, rooms and a namespace of its own.
 */

const http = require('node:http');
const { once } = require('node:events');
const LoopbackSocket = require('../../..');
const { EventQueue } = require('./event-queue');

/** Names that are hard to write in JSON, or that objects have already. */
const NAMES = ['ünï✓ 😀', 'a"b\\c', 'line\nbreak\u2028', '\u0000\u001f', 'constructor', ''];

let made = 0;

class App {
  /** The sockets that connected, by the name of their namespace. */
  connected = new EventQueue();

  /**
   * @param {(text: string) => string} [say] writes text as the client can read it
   */
  constructor(say = (text) => text) {
    made += 1;
    this.say = say;
    this.loopbackSocket = LoopbackSocket.get(`foreign clients ${process.pid} ${made}`, 'none');
    this.loopbackSocket.auth((socket, credentials) => {
      if (credentials.token !== 'valid') throw new Error(say('wrong tökén'));
    });
    this.loopbackSocket.defineMethod('add', (socket, credentials, { a, b }) => a + b);
    this.loopbackSocket.defineMethod('fail', () => {
      throw Object.assign(new Error('hidden'), { code: 'FAILED', detail: [say('ü'), 1] });
    });
    this.loopbackSocket.defineMethod('reverse', async (socket, credentials, { bytes }) => ({
      reversed: Buffer.from(bytes).reverse(),
    }));
  }

  /**
   * @param {number} [port] a free one unless given
   * @returns {Promise<void>} when clients may come
   */
  async listen(port = 0) {
    this.httpServer = http.createServer();
    this.io = new LoopbackSocket.Server(this.httpServer);
    this.loopbackSocket.start(this.io);
    this.io.on('connection', (socket) => this.#serve(socket));
    this.chat = this.io.of('/chat');
    this.chat.use((socket, next) => {
      if (socket.handshake.query.token !== 'welcome') {
        next(Object.assign(new Error(this.say('not wélcome')), { data: { reason: 'token' } }));
      } else {
        next();
      }
    });
    this.chat.on('connection', (socket) => this.#serve(socket));
    this.httpServer.listen(port, '127.0.0.1');
    await once(this.httpServer, 'listening');
    this.port = this.httpServer.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
  }

  /** @returns {Promise<void>} when every client and the port are gone */
  async close() {
    await this.io.close();
  }

  #serve(socket) {
    for (const name of ['echo', ...NAMES.map(this.say)]) {
      socket.on(name, (...args) => {
        if (typeof args.at(-1) === 'function') {
          args.pop()(...args);
        } else {
          socket.emit(name, ...args);
        }
      });
    }
    this.connected.push(socket.nsp.name, socket);
  }
}

module.exports = { App, NAMES };
