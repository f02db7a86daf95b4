'use strict';

/**
 * Clients below the official ones: frames of a websocket, requests of long polling, bytes of a TCP
 * connection. What they receive waits until somebody asks for it.
 */

const { once } = require('node:events');
const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const { WebSocket } = require('ws');

/** What was received, in its order. */
class Received {
  #waiting = [];
  #items = [];
  #ended = false;

  /** @param {any} item */
  add(item) {
    this.#items.push(item);
    this.#look();
  }

  /** Nothing more comes. */
  end() {
    this.#ended = true;
    this.#look();
  }

  /**
   * The first item that fits, taken out; those before it are dropped.
   * @param {(item: any) => boolean} fits
   * @returns {Promise<any>}
   */
  next(fits) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ fits, resolve, reject });
      this.#look();
    });
  }

  /** @returns {any[]} all that came and that nobody took */
  rest() {
    return this.#items.splice(0);
  }

  #look() {
    for (;;) {
      const [first] = this.#waiting;
      if (first === undefined) return;
      const at = this.#items.findIndex(first.fits);
      if (at >= 0) {
        this.#waiting.shift();
        first.resolve(this.#items.splice(0, at + 1)[at]);
      } else if (this.#ended) {
        this.#waiting.shift();
        first.reject(new Error('The connection ended before what was waited for came.'));
      } else {
        return;
      }
    }
  }
}

/** What a raw client of Socket.IO does on any transport; text packets without Engine.IO's `4`. */
class RawClient {
  received = new Received();
  lastAck = 0;

  /**
   * @param {number} port
   * @param {object} options
   */
  constructor(port, { eio = 4, path = '/socket.io/', query = '' } = {}) {
    this.port = port;
    this.eio = eio;
    this.path = `${path}?${eio === 0 ? '' : `EIO=${eio}&`}${query}`;
  }

  /**
   * The next packet that begins so.
   * @param {string} start
   * @returns {Promise<string>}
   */
  packet(start) {
    return this.received.next((item) => typeof item === 'string' && item.startsWith(`4${start}`));
  }

  /** @returns {Promise<Buffer>} the next binary packet */
  binary() {
    return this.received.next((item) => Buffer.isBuffer(item));
  }

  /** @returns {Promise<void>} when the client is in the default namespace */
  async join() {
    if (this.eio === 4) await this.send('40');
    await this.packet('0');
  }

  /**
   * @param {string} name
   * @param {...any} args
   * @returns {Promise<any[]>} what the server acknowledged with
   */
  async call(name, ...args) {
    const id = this.lastAck++;
    const answer = this.packet(`3${id}[`);
    await this.send(`42${id}${JSON.stringify([name, ...args])}`);
    return JSON.parse((await answer).slice(String(id).length + 2));
  }
}

/** A websocket. `open` is Engine.IO's first packet. */
class RawWebsocket extends RawClient {
  /**
   * @param {number} port
   * @param {object} [options] `eio` (0: do not say), `path`, `query`, `secure` (over TLS), and those
   *   of `ws`
   */
  constructor(port, { eio = 4, path, query, secure = false, ...options } = {}) {
    super(port, { eio, path, query });
    const url = `${secure ? 'wss' : 'ws'}://127.0.0.1:${port}${this.path}&transport=websocket`;
    const own = { perMessageDeflate: false, rejectUnauthorized: false };
    this.ws = new WebSocket(url, { ...own, ...options });
    this.closed = new Promise((resolve) => this.ws.once('close', resolve));
    this.ws.on('error', () => {});
    this.ws.on('message', (data, isBinary) => {
      const item = isBinary ? data : String(data);
      if (item === '2') this.ws.send('3');
      this.received.add(item);
    });
    this.ws.once('close', () => this.received.end());
  }

  async opened() {
    const open = await this.received.next((item) => item[0] === '0');
    this.open = JSON.parse(open.slice(1));
    this.sid = this.open.sid;
  }

  async send(text) {
    this.ws.send(text);
  }

  terminate() {
    this.ws.terminate();
  }
}

/** Long polling: polls as long as the connection lives, unless `poll` is false. */
class RawPolling extends RawClient {
  /**
   * @param {number} port
   * @param {object} [options] `eio`, `path`, `query`, `poll`, `secure` (over TLS)
   */
  constructor(port, { poll = true, secure = false, ...options } = {}) {
    super(port, options);
    this.isPolling = poll;
    this.http = secure ? https : http;
    this.agent = new this.http.Agent({ keepAlive: true, rejectUnauthorized: false });
    this.closed = new Promise((resolve) => {
      this.end = () => {
        this.isPolling = false;
        this.received.end();
        resolve();
      };
    });
  }

  async opened() {
    const { type, body } = await this.request('GET', '');
    const [open, ...more] = decode(this.eio, type, body);
    this.open = JSON.parse(open.slice(1));
    this.sid = this.open.sid;
    more.forEach((item) => this.received.add(item));
    if (this.isPolling) this.pollForEver();
  }

  async pollForEver() {
    try {
      while (this.isPolling) {
        const { status, type, body } = await this.poll();
        if (status !== 200) break;
        for (const item of decode(this.eio, type, body)) {
          if (item === '2') await this.post('3');
          this.received.add(item);
        }
      }
    } catch {
      // The connection is gone.
    }
    this.end();
  }

  /** @returns {Promise<{status: number, headers: object, type: string, body: Buffer}>} one poll's answer */
  poll() {
    return this.request('GET', `&sid=${this.sid}`);
  }

  /**
   * @param {string | Buffer} payload as it stands in the body
   * @param {string} [type]
   * @returns {Promise<{status: number, headers: object, type: string, body: Buffer}>}
   */
  post(payload, type = 'text/plain;charset=UTF-8') {
    return this.request('POST', `&sid=${this.sid}`, payload, type);
  }

  async send(text) {
    await this.post(encode(this.eio, text));
  }

  /**
   * @param {string} method
   * @param {string} query
   * @param {string | Buffer} [payload]
   * @param {string} [type]
   * @returns {Promise<{status: number, headers: object, type: string, body: Buffer}>}
   */
  request(method, query, payload, type) {
    return new Promise((resolve, reject) => {
      const path = `${this.path}&transport=polling${query}`;
      const sent = payload === undefined ? {} : { 'Content-Type': type };
      const options = { port: this.port, host: '127.0.0.1', method, path, headers: sent };
      const req = this.http.request({ ...options, agent: this.agent }, async (res) => {
        const chunks = [];
        try {
          for await (const chunk of res) chunks.push(chunk);
        } catch (error) {
          reject(error);
        }
        const body = Buffer.concat(chunks);
        const { statusCode: status, headers } = res;
        resolve({ status, headers, type: headers['content-type'], body });
      });
      req.once('error', reject);
      req.end(payload);
      if (method === 'GET') this.pending = req;
    });
  }

  terminate() {
    this.isPolling = false;
    this.pending?.destroy();
    this.agent.destroy();
  }
}

/**
 * Text packets as a polling payload.
 * @param {number} eio
 * @param {...string} packets
 * @returns {string}
 */
function encode(eio, ...packets) {
  return eio === 4
    ? packets.join('\x1e')
    : packets.map((packet) => `${packet.length}:${packet}`).join('');
}

/**
 * The packets of a polling payload.
 * @param {number} eio
 * @param {string} type
 * @param {Buffer} body
 * @returns {(string | Buffer)[]} binary ones as Buffers
 */
function decode(eio, type, body) {
  if (eio === 4) {
    return String(body)
      .split('\x1e')
      .map((item) => (item[0] === 'b' ? Buffer.from(item.slice(1), 'base64') : item));
  }
  const items = [];
  if (/octet-stream/.test(type)) {
    while (body.length > 0) {
      const end = body.indexOf(0xff);
      const length = Number([...body.subarray(1, end)].join(''));
      const item = body.subarray(end + 1, end + 1 + length);
      items.push(body[0] === 1 ? item.subarray(1) : String(item));
      body = body.subarray(end + 1 + length);
    }
    return items;
  }
  let text = String(body);
  while (text.length > 0) {
    const colon = text.indexOf(':');
    const length = Number(text.slice(0, colon));
    const item = text.slice(colon + 1, colon + 1 + length);
    items.push(item.startsWith('b4') ? Buffer.from(item.slice(2), 'base64') : item);
    text = text.slice(colon + 1 + length);
  }
  return items;
}

/** A TCP connection. */
class RawTcp {
  text = '';
  data = Buffer.alloc(0);

  /** @param {number} port */
  constructor(port) {
    this.port = port;
    this.socket = net.connect(port, '127.0.0.1');
    this.socket.setNoDelay(true);
    this.ended = new Promise((resolve) => {
      this.socket.once('end', resolve);
      this.socket.once('close', resolve);
    });
    this.socket.on('error', () => {});
    this.socket.on('data', (data) => {
      this.data = Buffer.concat([this.data, data]);
    });
  }

  async opened() {
    await once(this.socket, 'connect');
  }

  /**
   * @param {RegExp} pattern
   * @returns {Promise<RegExpMatchArray>} once what came matches
   */
  async until(pattern) {
    for (;;) {
      const match = this.data.toString('latin1').match(pattern);
      if (match !== null) return match;
      if (this.socket.readableEnded || this.socket.destroyed) {
        throw new Error(`ended after ${JSON.stringify(this.data.toString('latin1'))}`);
      }
      await Promise.race([once(this.socket, 'data'), this.ended]);
    }
  }

  terminate() {
    this.socket.destroy();
  }
}

/**
 * An upgrade request as bytes.
 * @param {object} [options]
 * @returns {string}
 */
function upgradeRequest({
  query = 'EIO=4&transport=websocket',
  path = '/socket.io/',
  headers = {},
} = {}) {
  const all = {
    Host: 'localhost',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  };
  const lines = Object.entries(all)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path}?${query} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/**
 * A masked frame of a websocket client as bytes.
 * @param {string | Buffer} payload
 * @param {object} [options] `fin`, `opcode`
 * @returns {Buffer}
 */
function frame(payload, { fin = true, opcode = Buffer.isBuffer(payload) ? 2 : 1 } = {}) {
  const body = Buffer.from(payload);
  const mask = Buffer.from([0x12, 0x34, 0x56, 0x78]);
  let head;
  if (body.length < 126) {
    head = Buffer.from([0, body.length | 0x80]);
  } else if (body.length < 65_536) {
    head = Buffer.from([0, 126 | 0x80, body.length >> 8, body.length & 0xff]);
  } else {
    head = Buffer.alloc(10);
    head[1] = 127 | 0x80;
    head.writeBigUInt64BE(BigInt(body.length), 2);
  }
  head[0] = (fin ? 0x80 : 0) | opcode;
  return Buffer.concat([head, mask, body.map((byte, i) => byte ^ mask[i % 4])]);
}

module.exports = { RawPolling, RawTcp, RawWebsocket, encode, frame, upgradeRequest };
