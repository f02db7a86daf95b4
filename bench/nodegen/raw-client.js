'use strict';

// One client of another protocol than Socket.IO, over a websocket: graphql-transport-ws, or that of
// tRPC's wsLink. It has the same surface as a client of Socket.IO.

const WebSocket = require('ws');
const { traffic } = require('./client');

/** How long a client may take to connect, in ms. */
const LIMIT = 30_000;

/** What a client of a protocol opens its websocket with, and what it waits for. */
const OPENING = {
  'graphql-transport-ws': {
    subprotocols: ['graphql-transport-ws'],
    hello: '{"type":"connection_init"}',
    welcome: '{"type":"connection_ack"',
  },
  trpc: { subprotocols: [] },
};

/** A client. */
class RawClient {
  /**
   * Begins to connect.
   * @param {import('./client').Target} target
   * @param {import('./client').Handlers} handlers - `event` gets every message
   */
  constructor({ host, port, path, protocol }, handlers) {
    const { subprotocols, hello, welcome } = OPENING[protocol];
    this.handlers = handlers;
    /** @type {'opening'|'ready'|'leaving'|'gone'} */
    this.stage = 'opening';
    this.timer = setTimeout(() => this.#fail(new Error('timed out')), LIMIT);
    const options = { perMessageDeflate: false };
    const socket = new WebSocket(`ws://${host}:${port}${path}`, subprotocols, options);
    this.socket = socket;
    socket.once('open', () => {
      socket._socket.on('data', () => {
        traffic.reads++;
      });
      if (hello) this.send(hello);
      else this.#ready();
    });
    socket.on('message', (data) => {
      const text = data.toString();
      if (this.stage === 'ready') handlers.event?.(this, text);
      else if (this.stage === 'opening' && text.startsWith(welcome)) this.#ready();
      else if (this.stage === 'opening') this.#fail(new Error(`unexpected: ${text}`));
    });
    socket.on('error', (err) => this.#fail(err));
    socket.on('close', (code) => {
      if (this.stage === 'leaving') this.destroy();
      else this.#fail(new Error(`websocket closed by the server: ${code}`));
    });
  }

  /** @param {string} text */
  send(text) {
    traffic.writes++;
    this.socket.send(text, { compress: false });
  }

  /** Leaves. */
  leave() {
    if (this.stage === 'gone' || this.stage === 'leaving') return;
    this.stage = 'leaving';
    this.socket.close(1000);
  }

  /** Ends at once. */
  destroy() {
    if (this.stage === 'gone') return;
    this.stage = 'gone';
    clearTimeout(this.timer);
    this.socket.terminate();
  }

  #ready() {
    this.stage = 'ready';
    clearTimeout(this.timer);
    this.handlers.ready(this);
  }

  /** @param {Error} err */
  #fail(err) {
    if (this.stage === 'gone') return;
    const isLost = this.stage !== 'leaving';
    this.destroy();
    if (isLost) this.handlers.lost(this, err);
  }
}

module.exports = { RawClient };
