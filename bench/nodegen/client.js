'use strict';

// One client: from the handshake to its last message, over a websocket, over long polling, or as
// socket.io's clients do by default: polling first, then a websocket. With the upgrade it does what
// engine.io-client does, and authenticates as soon as it is in its namespace; but it is ready for calls
// only when the upgrade is done, so that every visit has the same requests.

const http = require('node:http');
const https = require('node:https');
const WebSocket = require('ws');

/** Between packets of a payload of Engine.IO 4. */
const SEPARATOR = '\x1e';

/** How long a client may take to connect and authenticate, or to leave, in ms. */
const LIMIT = 30_000;

/** Writes and reads of all clients of this process: what the kernel was asked for. */
const traffic = { writes: 0, reads: 0 };

/**
 * Where clients connect, and how.
 * @typedef {object} Target
 * @property {string} host
 * @property {number} port
 * @property {string} path
 * @property {3|4} eio - the revision of Engine.IO
 * @property {'websocket'|'polling'|'upgrade'} transport
 * @property {boolean} tls
 * @property {boolean} resume - whether clients resume the session of one before them
 * @property {Buffer} [session] - that session
 * @property {'socket-io'|'graphql-transport-ws'|'trpc'} protocol - what is spoken
 * @property {string} credentials - JSON
 * @property {boolean} together - whether what a turn sends is one write
 */

/**
 * What a client tells.
 * @typedef {object} Handlers
 * @property {(client: Client) => void} ready - it is authenticated
 * @property {(client: Client, id: number, json: string) => void} [ack] - a call is answered
 * @property {(client: Client, json: string) => void} [event] - which is acknowledged, if the
 *   server asks for that
 * @property {(client: Client, err: Error) => void} lost
 * @property {(client: Client) => void} [left] - as it was asked to
 */

/**
 * Takes a payload of long polling apart.
 * @param {string} body
 * @param {3|4} eio
 * @returns {string[]} packets
 */
function decodePayload(body, eio) {
  if (eio === 4) return body.split(SEPARATOR);
  const packets = [];
  for (let at = 0; at < body.length;) {
    const colon = body.indexOf(':', at);
    const end = colon + 1 + Number(body.slice(at, colon));
    if (!(colon > at && end <= body.length)) throw new Error(`not a payload: ${body.slice(0, 80)}`);
    packets.push(body.slice(colon + 1, end));
    at = end;
  }
  return packets;
}

/**
 * @param {string[]} packets
 * @param {3|4} eio
 * @returns {string}
 */
function encodePayload(packets, eio) {
  if (eio === 4) return packets.join(SEPARATOR);
  return packets.map((packet) => `${packet.length}:${packet}`).join('');
}

/** A client. */
class Client {
  /**
   * Begins to connect.
   * @param {Target} target
   * @param {Handlers} handlers
   */
  constructor(target, handlers) {
    this.target = target;
    this.handlers = handlers;
    /** @type {'opening'|'joining'|'authenticating'|'ready'|'leaving'|'gone'} */
    this.stage = 'opening';
    /** What waits for a transport that takes it. */
    this.queue = [];
    this.isCorked = false;
    this.isPolling = false;
    this.isPosting = false;
    /** Whether polling rests, for an upgrade. */
    this.isPaused = false;
    const { path, eio, transport } = target;
    this.timer = setTimeout(() => this.#fail(new Error(`timed out: ${this.stage}`)), LIMIT);
    if (transport === 'websocket') {
      this.socket = this.#openSocket(`${path}?EIO=${eio}&transport=websocket`);
    } else {
      const options = { keepAlive: true, maxSockets: 2 };
      this.agent = target.tls
        ? new https.Agent({ ...options, rejectUnauthorized: false })
        : new http.Agent(options);
      this.url = `${path}?EIO=${eio}&transport=polling`;
      this.#poll();
    }
  }

  /**
   * Sends a packet of Engine.IO: its type digit first.
   * @param {string} packet
   */
  send(packet) {
    if (!this.isOpen) {
      this.queue.push(packet);
      this.#post();
      return;
    }
    const tcp = this.socket._socket;
    if (this.target.together && !this.isCorked) {
      // What this turn sends leaves when it is over.
      this.isCorked = true;
      tcp.cork();
      process.nextTick(() => {
        this.isCorked = false;
        traffic.writes++;
        tcp.uncork();
      });
    } else if (!this.isCorked) {
      traffic.writes++;
    }
    this.socket.send(packet, { compress: false });
  }

  /** Leaves: the disconnect of Socket.IO, then the end of the transport. */
  leave() {
    if (this.stage === 'gone' || this.stage === 'leaving') return;
    this.stage = 'leaving';
    clearInterval(this.pinger);
    this.timer = setTimeout(() => this.#gone(), LIMIT);
    this.send('41');
    if (this.isOpen) {
      this.socket.close(1000);
    } else {
      this.send('1');
    }
  }

  /** Ends at once, whatever waits. */
  destroy() {
    if (this.stage === 'gone') return;
    this.stage = 'gone';
    clearTimeout(this.timer);
    clearInterval(this.pinger);
    this.socket?.terminate();
    this.probe?.terminate();
    this.agent?.destroy();
  }

  /** Whether a websocket carries what is sent. */
  get isOpen() {
    return this.socket !== undefined && this.socket.readyState === WebSocket.OPEN;
  }

  /**
   * @param {string} url
   * @returns {WebSocket}
   */
  #openSocket(url) {
    const { target } = this;
    const { host, port, tls, session } = target;
    const socket = new WebSocket(`${tls ? 'wss' : 'ws'}://${host}:${port}${url}`, {
      perMessageDeflate: false,
      rejectUnauthorized: false,
      session,
    });
    if (target.resume) {
      socket._req.once('socket', (stream) => {
        stream.once('session', (ticket) => {
          target.session = ticket;
        });
      });
    }
    // Not before it is open: a second listener would take what came with the handshake from ws.
    socket.once('open', () => {
      socket._socket.on('data', () => {
        traffic.reads++;
      });
    });
    socket.on('message', (data) => {
      const text = data.toString();
      if (socket === this.probe) this.#probed(text);
      else this.#packet(text);
    });
    socket.on('error', (err) => this.#fail(err));
    socket.on('close', (code) => {
      if (this.stage === 'leaving') this.#gone();
      else this.#fail(new Error(`websocket closed by the server: ${code}`));
    });
    return socket;
  }

  /**
   * One request of long polling.
   * @param {'GET'|'POST'} method
   * @param {string | undefined} body
   * @param {(body: string) => void} done
   */
  #request(method, body, done) {
    const { host, port, tls } = this.target;
    const { agent } = this;
    const headers =
      body === undefined
        ? {}
        : {
            'Content-Type': 'text/plain;charset=UTF-8',
            'Content-Length': Buffer.byteLength(body),
          };
    const options = { host, port, method, path: this.url, agent, headers };
    const request = (tls ? https : http).request(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => {
        traffic.reads++;
        text += part;
      });
      response.once('end', () => {
        if (this.stage === 'gone') return;
        if (response.statusCode === 200) done(text);
        else if (this.stage === 'leaving') done('');
        else this.#fail(new Error(`${method} was answered with ${response.statusCode}: ${text}`));
      });
    });
    request.once('error', (err) => (this.stage === 'leaving' ? this.#gone() : this.#fail(err)));
    traffic.writes++;
    request.end(body);
  }

  /** Asks for what the server has to say. */
  #poll() {
    if (this.isPolling || this.isPaused) return;
    if (this.stage === 'leaving' || this.stage === 'gone') return;
    this.isPolling = true;
    this.#request('GET', undefined, (body) => {
      this.isPolling = false;
      try {
        for (const packet of decodePayload(body, this.target.eio)) this.#packet(packet);
      } catch (err) {
        this.#fail(err);
        return;
      }
      this.#rest();
      this.#poll();
    });
  }

  /** Posts what waits. */
  #post() {
    if (this.isPosting || this.isPaused || this.queue.length === 0) return;
    if (this.url === undefined || this.stage === 'opening' || this.stage === 'gone') return;
    this.isPosting = true;
    const isLast = this.stage === 'leaving';
    const body = encodePayload(this.queue.splice(0), this.target.eio);
    this.#request('POST', body, (answer) => {
      this.isPosting = false;
      if (isLast) {
        this.#gone();
        return;
      }
      if (answer !== 'ok') {
        this.#fail(new Error(`a POST was answered with ${answer}`));
        return;
      }
      this.#rest();
      this.#post();
    });
  }

  /**
   * What the websocket of an upgrade says.
   * @param {string} text
   */
  #probed(text) {
    if (text !== '3probe') {
      this.#fail(new Error(`the probe was answered with ${text}`));
      return;
    }
    this.isPaused = true;
    this.#rest();
  }

  /** Goes on with an upgrade once polling rests. */
  #rest() {
    if (!this.isPaused || this.isPolling || this.isPosting || !this.probe) return;
    if (this.stage === 'leaving' || this.stage === 'gone') return;
    this.socket = this.probe;
    this.probe = undefined;
    this.agent.destroy();
    this.send('5');
    for (const packet of this.queue.splice(0)) this.send(packet);
    if (this.stage === 'ready') this.handlers.ready(this);
  }

  /** @param {string} text - a packet of Engine.IO */
  #packet(text) {
    if (this.stage === 'leaving' || this.stage === 'gone') return;
    switch (text[0]) {
      case '0':
        this.#opened(JSON.parse(text.slice(1)));
        return;
      case '2':
        this.send('3');
        return;
      case '3':
      case '6':
        return;
      case '4':
        this.#message(text);
        return;
      default:
        this.#fail(new Error(`unexpected while ${this.stage}: ${text.slice(0, 200)}`));
    }
  }

  /** @param {{ sid: string, pingInterval: number, upgrades: string[] }} handshake */
  #opened({ sid, pingInterval, upgrades }) {
    const { path, eio, transport } = this.target;
    this.stage = 'joining';
    if (this.url !== undefined) this.url += `&sid=${sid}`;
    if (eio === 4) this.send('40');
    else this.pinger = setInterval(() => this.send('2'), pingInterval);
    if (transport !== 'upgrade') return;
    if (!upgrades.includes('websocket')) {
      this.#fail(new Error('the server offers no upgrade'));
      return;
    }
    this.probe = this.#openSocket(`${path}?EIO=${eio}&transport=websocket&sid=${sid}`);
    this.probe.once('open', () => this.probe?.send('2probe'));
  }

  /** @param {string} text - a packet of Engine.IO that has one of Socket.IO */
  #message(text) {
    const { stage } = this;
    if (text[1] === '3' && stage === 'ready') {
      const bracket = text.indexOf('[');
      this.handlers.ack?.(this, Number(text.slice(2, bracket)), text.slice(bracket));
    } else if (text[1] === '2' && stage === 'ready') {
      const bracket = text.indexOf('[');
      if (bracket > 2) this.send(`43${text.slice(2, bracket)}[]`);
      this.handlers.event?.(this, text.slice(bracket));
    } else if (text[1] === '2' && stage === 'authenticating') {
      if (text.startsWith('42["authenticated"')) {
        this.stage = 'ready';
        clearTimeout(this.timer);
        if (this.target.transport !== 'upgrade' || this.socket) this.handlers.ready(this);
      } else if (text.startsWith('42["unauthorized"')) {
        this.#fail(new Error(text));
      }
    } else if (text[1] === '0' && stage === 'joining') {
      this.stage = 'authenticating';
      this.send(`42["authentication",${this.target.credentials}]`);
    } else {
      this.#fail(new Error(`unexpected while ${stage}: ${text.slice(0, 200)}`));
    }
  }

  #gone() {
    if (this.stage === 'gone') return;
    this.destroy();
    this.handlers.left?.(this);
  }

  /** @param {Error} err */
  #fail(err) {
    if (this.stage === 'gone') return;
    if (this.stage === 'leaving') {
      this.#gone();
      return;
    }
    this.destroy();
    this.handlers.lost(this, err);
  }
}

module.exports = { Client, decodePayload, encodePayload, traffic };
