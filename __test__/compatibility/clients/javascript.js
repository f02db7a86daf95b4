'use strict';

/** The official clients, each behind the same few methods. */

const { EventQueue } = require('./event-queue');

const CLIENTS = {
  1.7: () => require('socket.io-client-1'),
  2.5: () => require('socket.io-client-2'),
  3.1: () => require('socket.io-client-3'),
  4.8: () => require('socket.io-client'),
};

class JavaScriptClient {
  /** Events that arrived, by name, each with its arguments. */
  events = new EventQueue();

  /**
   * @param {any} socket a Socket of the client
   * @param {string[]} events those to listen for; they are acknowledged with their arguments
   */
  constructor(socket, events) {
    this.socket = socket;
    for (const name of events) {
      socket.on(name, (...args) => {
        const acknowledge = typeof args.at(-1) === 'function' ? args.pop() : undefined;
        this.events.push(name, args);
        acknowledge?.(...args);
      });
    }
    socket.on('connect', () => this.events.push('connect', []));
    socket.on('disconnect', (reason) => this.events.push('disconnect', reason));
    // Until 3.0 a namespace refuses with `error`, whose value is the error's data or message.
    socket.on('error', (error) => this.events.push('refused', error));
    socket.on('connect_error', ({ message, data }) =>
      this.events.push('refused', { message, data }),
    );
  }

  /** @returns {Promise<string>} what carries the connection: websocket or polling */
  async transport() {
    return this.socket.io.engine.transport.name;
  }

  /** @returns {Promise<void>} when the connection is on websocket */
  async upgraded() {
    const { engine } = this.socket.io;
    if (engine.transport.name === 'websocket') return;
    await new Promise((resolve) => engine.once('upgrade', resolve));
  }

  emit(name, ...args) {
    this.socket.emit(name, ...args);
  }

  /** @returns {Promise<any[]>} what the server acknowledged with */
  call(name, ...args) {
    return new Promise((resolve) => {
      this.socket.emit(name, ...args, (...answer) => resolve(answer));
    });
  }

  /** @returns {Promise<any[]>} the arguments of the next event of that name */
  next(name) {
    return this.events.next(name);
  }

  disconnect() {
    this.socket.disconnect();
  }

  /** Ends the connection without leaving the namespace. */
  drop() {
    this.socket.io.engine.close();
  }

  /** Ends it for good, whatever state it is in. */
  close() {
    this.socket.io.reconnection(false);
    this.socket.disconnect();
    this.socket.io.engine?.close();
  }
}

/**
 * @param {string} version `1.7`, `2.5`, `3.1` or `4.8`
 * @returns {object} a kind of client, see promises.js
 */
function javascriptClient(version) {
  const isOld = Number(version) < 3;
  return {
    hasAuth: !isOld,
    hasEmptyBytes: true,
    keepsOrder: true,
    // 1.7 takes text for UTF-8 written as UTF-8 once more, which servers since 2.0 do not send.
    isAscii: (transports) => version === '1.7' && !transports.includes('websocket'),
    refusal: ({ message, data }) => (isOld ? data : { message, data }),
    reasons: {
      byServer: 'io server disconnect',
      byClient: 'io client disconnect',
      lost: /^transport (close|error)$/,
    },
    async open({ url, namespace = '/', transports, auth, token, events = [] }) {
      const io = CLIENTS[version]();
      const options = {
        transports,
        forceNew: true,
        reconnectionDelay: 50,
        reconnectionDelayMax: 200,
        ...(isOld || auth === undefined ? {} : { auth }),
      };
      const query = token === undefined ? '' : `?token=${encodeURIComponent(token)}`;
      return new JavaScriptClient(io.connect(`${url}${namespace}${query}`, options), events);
    },
  };
}

module.exports = { javascriptClient };
