'use strict';

/**
 * A client that speaks frames: Engine.IO 3 or 4 over a bare websocket or bare long polling. Every
 * Socket.IO frame becomes a line. Attachments are recorded as `binary <hex>`; the framing that
 * differs between the two Engine.IO versions (a leading byte 4 or `b4` in version 3) is required
 * and taken off, and so is the `40` a version 4 client sends and gets back to open a namespace.
 */

const http = require('node:http');
const WebSocket = require('ws');

const SEPARATOR = '\x1e';

/**
 * @param {string} body of a polling response
 * @param {number} version of Engine.IO
 * @returns {string[]} its packets
 */
function splitPayload(body, version) {
  if (version === 4) return body.split(SEPARATOR);
  const packets = [];
  for (let at = 0; at < body.length;) {
    const colon = body.indexOf(':', at);
    const length = Number(body.slice(at, colon));
    if (!Number.isInteger(length) || colon < 0) throw new Error(`not a payload: ${body}`);
    packets.push(body.slice(colon + 1, colon + 1 + length));
    at = colon + 1 + length;
  }
  return packets;
}

/**
 * @param {string} packet of a polling payload
 * @param {number} version of Engine.IO
 * @returns {string|Buffer}
 */
function decodePacket(packet, version) {
  if (packet[0] !== 'b') return packet;
  if (version === 4) return Buffer.from(packet.slice(1), 'base64');
  if (packet[1] !== '4') throw new Error(`not a binary message of Engine.IO 3: ${packet}`);
  return Buffer.from(packet.slice(2), 'base64');
}

class WireClient {
  /**
   * @param {{port: number, transport: string, version: number, namespace: string,
   *   answersPings: boolean, log: import('./record').Log}} options
   */
  constructor({ port, transport, version, namespace, answersPings, log }) {
    this.url = `127.0.0.1:${port}/socket.io/?EIO=${version}&transport=${transport}`;
    this.version = version;
    this.namespace = namespace;
    this.answersPings = answersPings;
    this.log = log;
    this.isWebsocket = transport === 'websocket';
    this.agent = new http.Agent({ keepAlive: true });
    this.posted = Promise.resolve();
  }

  /** @returns {Promise<void>} when the namespace is open */
  async connect() {
    if (this.isWebsocket) {
      this.websocket = new WebSocket(`ws://${this.url}`, { perMessageDeflate: false });
      this.websocket.on('message', (data, isBinary) => {
        this.received(isBinary ? this.withoutLeadingByte(data) : data.toString());
      });
      this.websocket.on('error', () => {});
      this.websocket.on('close', () => this.log.signal('closed'));
    } else {
      this.poll();
    }
    await this.log.until('opened');
  }

  withoutLeadingByte(data) {
    if (this.version === 4) return data;
    if (data[0] !== 4)
      throw new Error(`not a binary message of Engine.IO 3: ${data.toString('hex')}`);
    return data.subarray(1);
  }

  async poll() {
    while (!this.closed) {
      const body = await this.request('GET').catch(() => undefined);
      if (body === undefined) break;
      for (const packet of splitPayload(body, this.version)) {
        this.received(decodePacket(packet, this.version));
      }
    }
    this.log.signal('closed');
  }

  request(method, body) {
    const session = this.sid ? `&sid=${this.sid}` : '';
    // Engine.IO 3 sends binary payloads to those who do not ask for base64.
    const encoding = this.version === 3 ? '&b64=1' : '';
    return new Promise((resolve, reject) => {
      const request = http.request(`http://${this.url}${session}${encoding}`, {
        method,
        agent: this.agent,
        headers: body === undefined ? {} : { 'Content-Type': 'text/plain;charset=UTF-8' },
      });
      request.on('error', reject);
      request.on('response', (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          if (response.statusCode === 200) resolve(text);
          else reject(new Error(`${response.statusCode} ${text}`));
        });
      });
      request.end(body);
    });
  }

  received(frame) {
    if (typeof frame !== 'string') return this.log.add('binary', [frame.toString('hex')]);
    if (frame[0] === '0') {
      this.sid = JSON.parse(frame.slice(1)).sid;
      const suffix = this.namespace === '/' ? '' : this.namespace + (this.version === 4 ? ',' : '');
      if (this.version === 4 || suffix) this.send(`40${suffix}`);
    } else if (frame[0] === '2') {
      if (this.answersPings) this.send('3');
    } else if (/^40/.test(frame)) {
      const ofNamespace = /^40(\/[^,{]*)?/.exec(frame)[1] ?? '/';
      if (ofNamespace === this.namespace) this.log.signal('opened');
    } else if (frame[0] === '4') {
      // The frame itself is the line: no escaping, nothing cut that a reader could need.
      if (!this.log.sealed)
        this.log.lines.push(frame.length > 300 ? `${frame.slice(0, 300)}…` : frame);
      this.log.signal('frame', frame);
    } else if (frame[0] === '1') {
      this.closed = true;
    }
  }

  /** @param {string|Buffer} frame sent as it is */
  send(frame) {
    if (this.isWebsocket) {
      const isBinary = typeof frame !== 'string';
      const marked = isBinary && this.version === 3 ? Buffer.concat([Buffer.of(4), frame]) : frame;
      this.websocket.send(marked);
      return;
    }
    const packet =
      typeof frame === 'string'
        ? frame
        : `${this.version === 3 ? 'b4' : 'b'}${frame.toString('base64')}`;
    const body = this.version === 3 ? `${packet.length}:${packet}` : packet;
    this.posted = this.posted.then(() => this.request('POST', body)).catch(() => {});
  }

  /** @returns {Promise<string>} the next Socket.IO frame */
  frame() {
    return this.log.until('frame');
  }

  /** @returns {Promise<void>} when the server has closed the connection */
  closedByServer() {
    return this.log.until('closed');
  }

  close() {
    this.closed = true;
    this.websocket?.terminate();
    this.agent.destroy();
  }
}

module.exports = { WireClient };
