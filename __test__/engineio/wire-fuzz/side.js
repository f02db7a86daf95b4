'use strict';

/**
 * One of the two servers with its clients: plays steps, and notes what the clients and the
 * application were told.
 *
 * A step is plain data. A client is known by the number of its slot, and what it sends by the slot's
 * state: over a websocket if it has one, by POST else.
 */

const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const path = require('node:path');
const msgpackParser = require('socket.io-msgpack-parser');
const { application, plain } = require('./application');
const { decodeMsgpack, encodeMsgpack, revive } = require('./msgpack');
const { decodePayload, encodePayload } = require('./payload');
const { FuzzWebsocket } = require('./raw-websocket');
const { limited } = require('../../support/waiting');

const [TLS_KEY, TLS_CERT] = ['key.pem', 'cert.pem'].map((name) =>
  fs.readFileSync(path.join(__dirname, '..', '..', 'support', 'tls', name)),
);

/** Headers of answers that a client may rely on. */
const HEADERS = [
  'access-control-allow-credentials',
  'access-control-allow-headers',
  'access-control-allow-methods',
  'access-control-allow-origin',
  'allow',
  'cache-control',
  'connection',
  'content-encoding',
  'content-type',
  'etag',
  'set-cookie',
  'transfer-encoding',
  'vary',
  'x-content-type-options',
  'x-xss-protection',
];

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

/** @returns {Promise<void>} after what waits in the event loop has had its turn */
async function turns() {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

class Side {
  #Server;
  #options;
  #hasParents;
  #isSecure;
  #isMsgpack;
  #patience;
  /** Whether the server sends pings while a sequence is played. */
  #beats;
  #release;
  #httpServer;
  #io;
  #port;
  #control;
  /** When the server is closed, if a step closes it. */
  #closing;
  #slots = new Map();
  #ids = new Map();
  /** What was noted in this step, by where. */
  #notes = new Map();

  /**
   * @param {Function} Server - the class of the server
   * @param {object} options - of the server, plain data; and `hasParents`, whether its application has
   *   namespaces that are made on demand, and `isSecure`, whether it is reached over TLS
   * @param {number} [patience] - how long something may take that is bound to come, in ms
   */
  constructor(Server, { hasParents = false, isSecure = false, ...options }, patience = 500) {
    this.#Server = Server;
    this.#patience = patience;
    this.#hasParents = hasParents;
    this.#isSecure = isSecure;
    this.#isMsgpack = options.parser === 'msgpack';
    this.#beats = options.pingInterval !== undefined;
    this.#options = this.#isMsgpack ? { ...options, parser: msgpackParser } : options;
  }

  /** @returns {Promise<void>} when clients can connect */
  async start() {
    const elsewhere = (req, res) => {
      res.writeHead(404);
      res.end('not of the server');
    };
    this.#httpServer = this.#isSecure
      ? https.createServer({ key: TLS_KEY, cert: TLS_CERT }, elsewhere)
      : http.createServer(elsewhere);
    this.#io = new this.#Server(this.#httpServer, this.#options);
    this.#release = application(
      this.#io,
      (...what) => this.#note('application', what),
      this.#hasParents,
    );
    // What has come there before an event of the control client has been dealt with before it.
    this.#io.of('/control').on('connection', (socket) => {
      socket.on('still', (acknowledge) => acknowledge());
    });
    this.#httpServer.listen(0, '127.0.0.1');
    await once(this.#httpServer, 'listening');
    this.#port = this.#httpServer.address().port;
    this.#control = await (this.#options.transports?.includes('websocket') === false
      ? this.#controlOnPolling()
      : this.#controlOnWebsocket());
    await this.#still();
    this.#notes.clear();
  }

  /** @returns {Promise<void>} when everything has ended */
  async close() {
    this.#control?.terminate();
    for (const slot of this.#slots.values()) {
      slot.websockets.forEach((websocket) => websocket.terminate());
      slot.requests.forEach((request) => request.req.destroy());
      slot.agent.destroy();
    }
    this.#httpServer.closeAllConnections();
    await this.#closing;
    // One that is closed already says so.
    await this.#io.close().catch(() => {});
  }

  #note(where, what) {
    const notes = this.#notes.get(where);
    if (notes === undefined) this.#notes.set(where, [what]);
    else notes.push(what);
  }

  /**
   * What was noted since the last time, ids replaced by names.
   *
   * @returns {Record<string, any[]>} by where
   */
  take() {
    const entries = [...this.#notes].sort(([a], [b]) => (a < b ? -1 : 1));
    this.#notes.clear();
    return JSON.parse(this.#withoutIds(JSON.stringify(Object.fromEntries(entries))));
  }

  #withoutIds(text) {
    for (const [id, name] of this.#ids) {
      text = text.replaceAll(id, name);
    }
    return text;
  }

  #knows(id, name) {
    // The longer ones first: an id of Socket.IO 2 holds that of its connection.
    if (typeof id === 'string' && id !== '' && !this.#ids.has(id)) this.#ids.set(id, name);
  }

  #slot(number) {
    let slot = this.#slots.get(number);
    if (slot === undefined) {
      slot = {
        number,
        eio: 4,
        sid: undefined,
        isBase64: false,
        jsonp: undefined,
        agent: new (this.#isSecure ? https : http).Agent({ keepAlive: true }),
        websocket: undefined,
        websockets: [],
        requests: [],
        question: undefined,
        count: 0,
        pings: 0,
        /** What pings are answered with. */
        answer: ['3'],
      };
      this.#slots.set(number, slot);
    }
    return slot;
  }

  /**
   * Plays a step, and waits until all that comes of it has come.
   *
   * @param {any} step - see the functions below
   * @returns {Promise<void>}
   */
  async play(step) {
    await this[step.kind](step);
    await this.settle();
  }

  /** A client connects, as clients do. */
  open({ slot: number, transport, headers, ...step }) {
    const { eio = 4, query = '', isBase64, jsonp, repliesToClose = true } = step;
    const slot = this.#slot(number);
    Object.assign(slot, { eio, isBase64, jsonp, repliesToClose, query });
    if (transport === 'websocket') {
      this.#websocket(slot, { query: this.#query(slot, { transport }), headers });
    } else {
      this.#request(slot, { method: 'GET', isPoll: true, headers });
    }
  }

  /** A request of any kind, of a client or of nobody's. */
  request({ slot: number, ...request }) {
    this.#request(this.#slot(number), request);
  }

  /** The client polls. */
  poll({ slot: number }) {
    this.#request(this.#slot(number), { method: 'GET', isPoll: true });
  }

  /** The client leaves its poll. */
  abort({ slot: number, method = 'GET' }) {
    for (const request of this.#slot(number).requests) {
      if (request.method === method) {
        request.isAborted = true;
        request.req.destroy();
      }
    }
  }

  /** The client sends packets, in one body or one write. */
  say({ slot: number, packets }) {
    const slot = this.#slot(number);
    let texts = packets.map((packet) =>
      typeof packet === 'string' ? packet.replaceAll('{question}', slot.question ?? '0') : packet,
    );
    if (this.#isMsgpack) texts = encodeMsgpack(texts);
    this.#send(slot, texts, slot);
  }

  #send(slot, texts, { websocket, isSilent = false }) {
    if (websocket?.isOpen) {
      websocket.send(
        texts.map((packet) => {
          if (typeof packet === 'string') return { payload: packet };
          const bytes = Buffer.from(packet.bytes, 'hex');
          return {
            opcode: 2,
            payload: slot.eio === 3 ? Buffer.concat([Buffer.from([4]), bytes]) : bytes,
          };
        }),
      );
    } else {
      const { body, type } = encodePayload(slot.eio, slot.isBase64, texts);
      this.#request(slot, { method: 'POST', body, type, isSilent });
    }
  }

  /** A body, as it is. */
  post({ slot: number, body, hex, type, headers, chunks, query }) {
    const bytes = hex === undefined ? Buffer.from(body) : Buffer.from(hex, 'hex');
    this.#request(this.#slot(number), {
      method: 'POST',
      body: bytes,
      type,
      headers,
      chunks,
      query,
    });
  }

  /** The beginning of a body that is said to be longer. */
  begin({ slot: number, body, length }) {
    this.#request(this.#slot(number), { method: 'POST', body, length, isOpen: true });
  }

  /** The rest of the body that has begun. */
  finish({ slot: number, body }) {
    for (const request of this.#slot(number).requests) {
      if (request.isOpen) {
        request.isOpen = false;
        request.req.end(body);
      }
    }
  }

  /** The client asks for a websocket, to go on there. */
  upgrade({ slot: number, headers, query, repliesToClose = true, method }) {
    const slot = this.#slot(number);
    slot.repliesToClose = repliesToClose;
    this.#websocket(slot, {
      query: this.#query(slot, { transport: 'websocket', ...query }),
      headers,
      method,
    });
  }

  /** Frames of any kind on the client's websocket. */
  frames({ slot: number, frames, which }) {
    const websocket = this.#which(number, which);
    if (frames.some(({ payload }) => payload?.startsWith('5')))
      this.#slot(number).probed = undefined;
    websocket?.send(
      frames.map(({ hex, repeat, payload = '', ...frame }) => ({
        ...frame,
        payload: hex === undefined ? payload.repeat(repeat ?? 1) : Buffer.from(hex, 'hex'),
      })),
    );
  }

  /** @returns {boolean} whether polls of the client are answered so that it can leave polling */
  #isProbing({ probed }) {
    return probed !== undefined && !probed.isOver && !probed.isClosing;
  }

  /** Bytes on the client's websocket: the client may not have sent a whole frame behind them. */
  bytes({ slot: number, hex, which }) {
    this.#which(number, which)?.write(Buffer.from(hex, 'hex'));
  }

  /** The client ends its TCP connection, or breaks it off. */
  leave({ slot: number, how, which }) {
    const websocket = this.#which(number, which);
    if (how === 'reset') websocket?.reset();
    else websocket?.end();
  }

  /**
   * The client gets a ping and answers it with these packets, not with a pong as it does else. A client that
   * polls has to poll for it.
   *
   * @returns {Promise<void>}
   */
  async beat({ slot: number, packets }) {
    const slot = this.#slot(number);
    const { pings } = slot;
    slot.answer = packets;
    const until = Date.now() + this.#patience;
    while (slot.pings === pings && Date.now() < until) {
      const isPolling = !slot.websocket?.isOpen && !slot.isRefused;
      if (isPolling && !slot.requests.some((one) => one.isPoll)) this.poll({ slot: number });
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    this.#note(`client ${number}: pings`, slot.pings > pings);
    // No other ping comes before a pong.
    slot.answer = packets.includes('3') ? ['3'] : [];
  }

  /**
   * The client answers nothing until it is given up.
   *
   * @returns {Promise<void>}
   */
  async expire({ slot: number }) {
    this.#slot(number).answer = [];
    const { pingInterval, pingTimeout } = this.#options;
    const until = Date.now() + pingInterval + pingTimeout + this.#patience;
    const ends = () => this.#notes.get('application')?.some(([what]) => what === 'close');
    while (!ends() && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  /** A ping has come, on a websocket or in a poll, and is answered on the same way. */
  #pinged(slot, websocket) {
    slot.pings += 1;
    if (slot.answer.length > 0) this.#send(slot, slot.answer, { websocket, isSilent: true });
    if (slot.answer.length > 1 || slot.answer[0] !== '3') slot.answer = [];
  }

  /** The application does something of its own. */
  act({ what, args = [] }) {
    const acts = {
      emit: (values) => this.#io.emit(...values),
      tell: ([room, ...values]) => this.#io.to(room).emit(...values),
      volatile: (values) => this.#io.volatile.emit(...values),
      disconnect: ([nsp, isWhole]) => this.#io.of(nsp).disconnectSockets(isWhole),
      'disconnect all': ([isWhole]) => this.#io.disconnectSockets(isWhole),
      'disconnect room': ([room, isWhole]) => this.#io.in(room).disconnectSockets(isWhole),
      join: ([room]) => this.#io.socketsJoin(room),
      release: () => this.#release(),
      close: () => this.#closeServer(),
    };
    return acts[what](args.map((arg) => revive(arg)));
  }

  async #closeServer() {
    const control = this.#control;
    // What came before has been dealt with by now, and nobody answers any more.
    this.#control = { still: () => turns(), terminate: () => control.terminate() };
    this.#closing ??= this.#io.close().then(
      () => this.#note('application', ['closed']),
      ({ code }) => this.#note('application', ['not closed', code]),
    );
    const clients = () => [...this.#slots.values()].flatMap(({ websockets }) => websockets);
    const until = Date.now() + this.#patience;
    while (clients().some(({ isOver }) => !isOver) && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  #which(number, which = 'last') {
    const slot = this.#slot(number);
    return which === 'last' ? slot.websockets.at(-1) : slot.websockets[which];
  }

  #query(slot, overrides = {}) {
    const query = { EIO: slot.eio, ...overrides };
    if (slot.sid !== undefined && !('sid' in overrides)) query.sid = slot.sid;
    if (slot.isBase64) query.b64 = 1;
    if (slot.jsonp !== undefined && query.transport === 'polling') query.j = slot.jsonp;
    if (query.sid === '{sid}') query.sid = slot.sid;
    const parts = Object.entries(query)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
    if (slot.query) parts.push(slot.query);
    return parts.join('&');
  }

  #upgradeRequest({ query, headers = {}, method = 'GET' }) {
    const all = {
      Host: 'localhost',
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': KEY,
      ...headers,
    };
    const lines = Object.entries(all)
      .filter(([, value]) => value !== null)
      .flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}\r\n`));
    return `${method} /socket.io/?${query} HTTP/1.1\r\n${lines.join('')}\r\n`;
  }

  #websocket(slot, request) {
    const name = `client ${slot.number}: websocket ${(slot.count += 1)}`;
    const options = {
      port: this.#port,
      request: this.#upgradeRequest(request),
      isSecure: this.#isSecure,
      repliesToClose: slot.repliesToClose,
    };
    const websocket = new FuzzWebsocket(options, (what) => {
      if (what.text !== undefined) this.#received(slot, what.text);
      if (this.#beats && what.text === '2') {
        this.#pinged(slot, websocket);
        return;
      }
      if (what.binary !== undefined && this.#isMsgpack) {
        const bytes = slot.eio === 3 ? what.binary.slice(2) : what.binary;
        this.#note(name, { ...what, says: this.#unpacked(slot, bytes) });
        return;
      }
      // The client goes on where it has been told that it may.
      if (what.text === '3probe' || what.text?.startsWith('0{')) slot.websocket = websocket;
      if (what.text === '3probe') slot.probed = websocket;
      this.#note(name, this.#readable(what));
    });
    slot.websockets.push(websocket);
  }

  /**
   * @param {object} slot - of the client
   * @param {any} packet - of a poll
   * @returns {any} the same, a binary one with what it says
   */
  #message(slot, packet) {
    const base64 = typeof packet === 'string' ? /^b(4?)(.*)$/.exec(packet) : null;
    if (base64 === null && typeof packet === 'string') return packet;
    // In Engine.IO 3 the kind of the packet comes first.
    const hex =
      base64 === null
        ? packet.bytes.slice(2)
        : Buffer.from(slot.eio === 3 ? base64[2] : base64[1] + base64[2], 'base64').toString('hex');
    return { bytes: hex, says: this.#unpacked(slot, hex) };
  }

  /**
   * @param {object} slot - of the client
   * @param {string} hex - a packet in MessagePack
   * @returns {unknown} what it says; the client learns from it
   */
  #unpacked(slot, hex) {
    const { packet, text } = decodeMsgpack(hex);
    this.#received(slot, text);
    return plain(packet);
  }

  /** What a client learns from a packet. */
  #received(slot, packet) {
    if (packet.startsWith('0{')) {
      const { sid } = JSON.parse(packet.slice(1));
      slot.sid = sid;
      this.#knows(sid, `<client ${slot.number}>`);
    }
    const joined = /^40(?:(\/[^,]*),)?(\{"sid":.*)$/.exec(packet);
    if (joined !== null) {
      const { sid } = JSON.parse(joined[2]);
      this.#knows(sid, `<socket ${slot.number} of ${joined[1] ?? '/'}>`);
      this.#knows(Buffer.from(sid).toString('hex'), `<socket ${slot.number} in digits>`);
    }
    const asked = /^4[25](?:\d+-)?(?:\/[^,]*,)?(\d+)\[/.exec(packet);
    if (asked !== null) slot.question = asked[1];
  }

  #readable(what) {
    if (what.headers === undefined) return what;
    // Names of headers mean the same in any case.
    const headers = what.headers
      .filter((header) => !/^date:/i.test(header))
      .map((header) => header.replace(/^[^:]*/, (name) => name.toLowerCase()));
    return { ...what, headers: headers.sort() };
  }

  #request(slot, { method, isPoll, isOpen, isSilent, ...options }) {
    const { query, body, type, headers, length, chunks, path } = options;
    let where = `client ${slot.number}: polls`;
    if (!isPoll && !isSilent) where = `client ${slot.number}: request ${(slot.count += 1)}`;
    const all = { ...headers };
    if (type !== undefined && type !== null) all['Content-Type'] = type;
    if (length !== undefined) all['Content-Length'] = length;
    const req = (this.#isSecure ? https : http).request({
      rejectUnauthorized: false,
      port: this.#port,
      host: '127.0.0.1',
      method,
      path: path ?? `/socket.io/?${this.#query(slot, { transport: 'polling', ...query })}`,
      headers: all,
      // A connection on which a request may be broken off carries no other.
      agent: isOpen ? false : slot.agent,
    });
    const request = { req, method, isPoll, isOpen, isAborted: false };
    slot.requests.push(request);
    const over = (what) => {
      const at = slot.requests.indexOf(request);
      if (at < 0) return;
      slot.requests.splice(at, 1);
      if (request.isAborted || isSilent) return;
      this.#answered(slot, request, where, what);
    };
    req.on('response', (res) => {
      const data = [];
      res.on('data', (chunk) => data.push(chunk));
      res.on('close', () => over({ res, body: Buffer.concat(data), isWhole: res.complete }));
      res.on('error', () => {});
    });
    req.on('error', ({ code }) => {
      // Of a server that is closed, whether its connections are as well.
      const isGone = this.#closing !== undefined || code === 'EPIPE';
      over(isGone ? 'ECONNRESET' : code);
    });
    req.on('upgrade', (res, socket) => {
      socket.destroy();
      over('upgrade');
    });
    if (chunks !== undefined) {
      for (let at = 0; at < body.length; at += chunks) req.write(body.subarray(at, at + chunks));
      req.end();
    } else if (isOpen) {
      req.write(body);
    } else {
      req.end(body);
    }
  }

  #answered(slot, request, where, what) {
    if (typeof what === 'string') {
      this.#note(where, what);
      return;
    }
    const { res, body, isWhole } = what;
    const headers = {};
    for (const name of HEADERS) {
      if (res.headers[name] !== undefined) headers[name] = res.headers[name];
    }
    // Node's server adds this once it is closed, which is no sooner on the one side than on the other.
    if (this.#closing !== undefined) delete headers.connection;
    const head = { status: res.statusCode, headers };
    if (!isWhole) head.isCut = true;
    if (!request.isPoll || res.statusCode !== 200) {
      slot.isRefused ||= request.isPoll;
      const text = body.toString();
      this.#knows(/"sid":"([^"]*)"/.exec(text)?.[1], `<client ${slot.number}>`);
      this.#note(where, { ...head, body: text });
      return;
    }
    const packets = decodePayload(slot.eio, headers['content-type'], body, slot.jsonp);
    if (packets === undefined) {
      this.#note(where, { ...head, body: body.toString() });
      return;
    }
    if (this.#beats) {
      const pings = packets.packets.filter((packet) => packet === '2').length;
      packets.packets = packets.packets.filter((packet) => packet !== '2');
      for (let i = 0; i < pings; i++) this.#pinged(slot);
      if (pings > 0 && packets.packets.length === 0) {
        // As if there had been none: it comes at another time on the other server.
        this.poll({ slot: slot.number });
        slot.requests.at(-1).wasWaiting = request.wasWaiting;
        return;
      }
    }
    // What one poll brings on one server, two may bring on the other.
    const { isBinary, ...rest } = packets;
    const notes = this.#notes.get(`${where}: heads`) ?? [];
    const text = JSON.stringify({ ...head, isBinary });
    if (!notes.includes(text)) this.#note(`${where}: heads`, text);
    for (let packet of rest.packets) {
      if (typeof packet === 'string') this.#received(slot, packet);
      if (this.#isMsgpack) packet = this.#message(slot, packet);
      const so = this.#notes.get(where);
      if (packet !== '6' || so?.at(-1) !== '6') this.#note(where, packet);
    }
    if (request.wasWaiting && !rest.packets.includes('1')) slot.pollsAgain = true;
  }

  /**
   * Waits until all that came of what was done has come.
   *
   * @returns {Promise<void>}
   */
  async settle() {
    const slots = [...this.#slots.values()];
    const websockets = () => slots.flatMap((slot) => slot.websockets);
    const isWaiting = (request) => request.isPoll || request.isOpen;
    for (let round = 0; round < 20; round++) {
      await Promise.all(websockets().map((websocket) => websocket.settle(this.#patience)));
      await this.#still();
      const until = Date.now() + this.#patience;
      while (
        slots.some((slot) => slot.requests.some((one) => !isWaiting(one))) &&
        Date.now() < until
      ) {
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await this.#still();
      await Promise.all(websockets().map((websocket) => websocket.settle(this.#patience)));
      await turns();
      // Such a poll is answered in a moment, on each server after a time of its own.
      const isAwaited = (slot) => this.#isProbing(slot) && slot.requests.some((one) => one.isPoll);
      while (slots.some(isAwaited) && Date.now() < until) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      // A poll that waited was answered with the first packets of several, perhaps.
      const again = slots.filter((slot) => slot.pollsAgain);
      if (again.length === 0) break;
      for (const slot of again) {
        slot.pollsAgain = false;
        if (!slot.requests.some((one) => one.isPoll) && !this.#isProbing(slot)) {
          this.poll({ slot: slot.number });
          slot.requests.at(-1).wasWaiting = true;
        }
      }
    }
    for (const slot of slots) {
      for (const request of slot.requests) request.wasWaiting = request.isPoll;
    }
  }

  /** @returns {Promise<void>} when the application has been told what came before */
  async #still() {
    await this.#control.still();
    await turns();
  }

  #controlOnWebsocket() {
    const request = this.#upgradeRequest({ query: 'EIO=4&transport=websocket' });
    return new Promise((resolve) => {
      let echoed;
      const control = {
        still: () => {
          send('42/control,1["still"]');
          return new Promise((done) => (echoed = done));
        },
        terminate: () => websocket.terminate(),
      };
      const send = (packet) => {
        const [message] = this.#isMsgpack ? encodeMsgpack([packet]) : [packet];
        const isText = typeof message === 'string';
        const binary = () => ({ opcode: 2, payload: Buffer.from(message.bytes, 'hex') });
        websocket.send([isText ? { payload: message } : binary()]);
      };
      const options = { port: this.#port, request, isSecure: this.#isSecure };
      const websocket = new FuzzWebsocket(options, ({ text = '', binary }) => {
        const packet = binary === undefined ? text : decodeMsgpack(binary).text;
        if (packet === '2') websocket.send([{ payload: '3' }]);
        if (packet.startsWith('0{')) send('40/control,');
        if (packet.startsWith('40/control,')) resolve(control);
        if (packet.startsWith('43/control,')) echoed();
      });
    });
  }

  async #controlOnPolling() {
    const url = `http://127.0.0.1:${this.#port}/socket.io/?EIO=4&transport=polling`;
    const ask = async (query, options) => (await fetch(url + query, options)).text();
    const { sid } = JSON.parse((await ask('')).slice(1));
    const say = (body) => ask(`&sid=${sid}`, { method: 'POST', body });
    const until = async (start) => {
      const check = limited(`a poll is answered with ${start}`);
      while (!(await ask(`&sid=${sid}`)).includes(start)) check();
    };
    await say('40/control,');
    await until('40/control,');
    return {
      still: async () => {
        await say('42/control,1["still"]');
        await until('43/control,');
      },
      terminate: () => {},
    };
  }
}

module.exports = { Side };
