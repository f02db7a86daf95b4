'use strict';

// Requests that are served in Rust and requests that are Node's, on the same connections: what a client gets
// is the same, in the same order, whoever serves it.

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const http = require('node:http');
const net = require('node:net');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const diagnostics = require('node:diagnostics_channel');
const { describe, it } = require('node:test');
const { Worker } = require('node:worker_threads');
const { Server } = require('../..');
const { TIMEOUT, World, happens, openFiles, reach, within } = require('../support/native-server');

/** More bytes than the system holds of what a client does not read. */
const LARGE = 30 << 20;

const LINUX = { ...TIMEOUT, skip: process.platform !== 'linux' };

/** A world whose http.Server has an application of its own beside the Socket.IO server. */
class Mixed extends World {
  constructor(options) {
    const page = (req, res) => {
      let body = '';
      req.setEncoding('utf8').on('data', (text) => (body += text));
      req.on('end', () => res.end(`${req.method} ${req.url} ${body}`));
    };
    super({ pingInterval: 60_000, ...options }, http.createServer(page));
    this.messages = [];
    this.io.on('connection', (socket) => socket.on('m', (value) => this.messages.push(value)));
  }

  /** @returns {number} how many requests of Socket.IO clients Node has served */
  get servedByNode() {
    return this.io._front.lastRequest;
  }

  /** @returns {Promise<number>} how many connections the http.Server counts */
  count() {
    return new Promise((resolve) => {
      this.httpServer.getConnections((error, count) => resolve(count));
    });
  }

  /**
   * @param {import('../support/raw').RawTcp} tcp a connection
   * @param {string} bytes a request
   * @returns {Promise<string>} the body of its response
   */
  async ask(tcp, bytes) {
    tcp.socket.write(bytes);
    const [{ body }] = await responses(tcp, 1);
    return body;
  }

  /** @returns {Promise<string>} the id of a new session in the default namespace */
  async session() {
    const tcp = await this.tcp();
    const sid = sidOf(await this.ask(tcp, get()));
    assert.equal(await this.ask(tcp, post(sid, '40')), 'ok');
    await this.ask(tcp, get(`&sid=${sid}`));
    tcp.terminate();
    return sid;
  }

  /** @returns {Promise<{sid: string, socket: object, ended: Promise<any[]>}>} a session, and its socket */
  async connected() {
    const connected = once(this.io, 'connection');
    const sid = await this.session();
    const [socket] = await connected;
    return { sid, socket, ended: once(socket, 'disconnect') };
  }

  /**
   * A session whose client has begun to read the response to a poll, and reads no more: there is more of it than
   * the system holds.
   * @param {string} [lines] of the head of the poll
   * @returns {Promise<{sid: string, socket: object, ended: Promise<any[]>, tcp: import('../support/raw').RawTcp}>}
   */
  async polledLarge(lines) {
    const { sid, socket, ended } = await this.connected();
    const tcp = await this.tcp();
    tcp.socket.pause();
    socket.emit('large', 'x'.repeat(LARGE));
    tcp.socket.write(get(`&sid=${sid}`, lines));
    await once(tcp.socket, 'readable');
    return { sid, socket, ended, tcp };
  }
}

const mixed = (test, options) => within(() => new Mixed(options), test);

const HOST = 'Host: a\r\n';
const POLLING = '/socket.io/?EIO=4&transport=polling';

/** A request for the Socket.IO server. */
const get = (query = '', lines = '') => `GET ${POLLING}${query} HTTP/1.1\r\n${HOST}${lines}\r\n`;

/** Packets for a session. */
const post = (sid, body, lines = '') =>
  `POST ${POLLING}&sid=${sid} HTTP/1.1\r\n${HOST}Content-Length: ${body.length}\r\n${lines}\r\n${body}`;

/** A request for the rest of the application. */
const rest = (name, body = '') =>
  `POST /${name} HTTP/1.1\r\n${HOST}Content-Length: ${body.length}\r\n\r\n${body}`;

const sidOf = (body) => JSON.parse(body.slice(1)).sid;

/**
 * Takes a response off the beginning of what has come.
 * @param {Buffer} data
 * @returns {{status: number, head: string, body: string, length: number} | undefined} if all of it is there
 */
function parse(data) {
  const text = data.toString('latin1');
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = text.slice(0, end);
  const status = Number(head.split(' ')[1]);
  const length = /^content-length: (\d+)$/im.exec(head);
  const whole = text.slice(end + 4);
  if (/^transfer-encoding: chunked$/im.test(head)) {
    const chunked = /^([\da-f]+)\r\n([^]*?)\r\n0\r\n\r\n/.exec(whole);
    const body = chunked?.[2] ?? '';
    if (whole.startsWith('0\r\n\r\n')) return { status, head, body, length: end + 9 };
    return chunked && { status, head, body, length: end + 4 + chunked[0].length };
  }
  const size = Number(length?.[1] ?? 0);
  if (whole.length < size) return undefined;
  return { status, head, body: whole.slice(0, size), length: end + 4 + size };
}

/**
 * @param {import('../support/raw').RawTcp} tcp a connection
 * @param {number} count how many responses to wait for
 * @returns {Promise<{status: number, head: string, body: string}[]>} them
 */
async function responses(tcp, count) {
  const found = [];
  while (found.length < count) {
    const response = parse(tcp.data);
    if (response !== undefined) {
      tcp.data = tcp.data.subarray(response.length);
      found.push(response);
    } else if (tcp.socket.readableEnded || tcp.socket.destroyed) {
      throw new Error(`ended after ${found.length} responses and ${tcp.data.toString('latin1')}`);
    } else {
      await Promise.race([once(tcp.socket, 'data'), tcp.ended]);
    }
  }
  return found;
}

describe('connections with requests of both', () => {
  it(
    'a connection can carry requests for the Socket.IO server and for the application in any order',
    TIMEOUT,
    mixed(async (world) => {
      const tcp = await world.tcp();
      for (let i = 0; i < 5; i++) {
        const sid = sidOf(await world.ask(tcp, get()));
        assert.equal(await world.ask(tcp, post(sid, '40')), 'ok');
        assert.match(await world.ask(tcp, get(`&sid=${sid}`)), /^40/);
        assert.equal(await world.ask(tcp, rest(i, 'body')), `POST /${i} body`);
      }
      assert.equal(await world.count(), 1);
    }),
  );

  it(
    'requests are served in Rust until one comes that is not for the server',
    TIMEOUT,
    mixed(async (world) => {
      const tcp = await world.tcp();
      const sid = sidOf(await world.ask(tcp, get()));
      await world.ask(tcp, post(sid, '40'));
      assert.equal(world.servedByNode, 0);
      await world.ask(tcp, rest('x'));
      await world.ask(tcp, get(`&sid=${sid}`));
      assert.equal(world.servedByNode, 1);
    }),
  );

  it(
    'the responses to pipelined requests come in the order of the requests',
    TIMEOUT,
    mixed(async (world) => {
      const sid = await world.session();
      const kinds = {
        open: [get(), /^0\{/],
        page: [rest('page', 'abc'), /^POST \/page abc$/],
        packets: [post(sid, '42["m",1]'), /^ok$/],
      };
      const names = Object.keys(kinds);
      let sent = 0;
      for (const first of names)
        for (const second of names)
          for (const third of names) {
            const chosen = [first, second, third];
            sent += chosen.filter((name) => name === 'packets').length;
            // Two requests that bring packets for one session at once end it.
            if (first === 'packets' && second === 'packets') continue;
            if (second === 'packets' && third === 'packets') continue;
            if (first === 'packets' && third === 'packets') continue;
            const tcp = await world.tcp();
            tcp.socket.write(chosen.map((name) => kinds[name][0]).join(''));
            const got = await responses(tcp, 3);
            got.forEach(({ body }, i) => assert.match(body, kinds[chosen[i]][1], chosen.join()));
            tcp.terminate();
          }
      assert.ok(sent > world.messages.length && world.messages.length === 12);
    }),
  );

  it(
    'requests are the same wherever the stream of a connection is cut',
    TIMEOUT,
    mixed(async (world) => {
      const sid = await world.session();
      const stream = post(sid, '42["m",2]') + rest('page', 'abc') + get();
      for (let cut = 1; cut < stream.length; cut++) {
        const tcp = await world.tcp();
        tcp.socket.write(stream.slice(0, cut));
        await new Promise((resolve) => setImmediate(resolve));
        tcp.socket.write(stream.slice(cut));
        const [one, two, three] = await responses(tcp, 3);
        assert.deepEqual([one.body, two.body], ['ok', 'POST /page abc'], `cut at ${cut}`);
        assert.match(three.body, /^0\{/);
        tcp.terminate();
      }
      assert.equal(world.messages.length, stream.length - 1);
    }),
  );

  for (const [what, bytes, expected] of [
    ['a Socket.IO client', get(), /^0\{/],
    ['another client', rest('late', 'x'), /^POST \/late x$/],
  ]) {
    it(
      `the first request of ${what} may come long after the connection and in pieces`,
      TIMEOUT,
      mixed(async (world) => {
        for (const delay of [20, 1_500]) {
          const tcp = await world.tcp();
          await new Promise((resolve) => setTimeout(resolve, delay));
          for (const piece of [bytes.slice(0, 10), bytes.slice(10, 40), bytes.slice(40)]) {
            tcp.socket.write(piece);
            await new Promise((resolve) => setImmediate(resolve));
          }
          const [{ body }] = await responses(tcp, 1);
          assert.match(body, expected);
        }
      }),
    );
  }
});

/** What has every request go through Node from then on. */
const CONDITIONS = {
  'io.engine.use()': ({ io }) => io.engine.use((req, res, next) => next()),
  'a listener for headers': ({ io }) => io.engine.on('headers', () => {}),
  'a listener for initial_headers': ({ io }) => io.engine.on('initial_headers', () => {}),
  allowRequest: ({ io }) => (io.engine.opts.allowRequest = (req, done) => done(null, true)),
  'a pattern that is added to allowedOrigins': ({ io }) => io.engine.opts.allowedOrigins.push(/./),
  'other allowedOrigins': ({ io }) =>
    (io.engine.opts.allowedOrigins = [(origin, done) => done(null, true)]),
  'an encoding of the cookie': ({ io }) => (io.engine.opts.cookie.encode = (value) => value),
  'ids of its own': ({ io }) => {
    let last = 0;
    io.engine.generateId = () => `id-${last++}`;
  },
  'a listener for requests': ({ httpServer }) => httpServer.on('request', () => {}),
  'a listener for upgrades': ({ httpServer }) => httpServer.on('upgrade', () => {}),
  'a listener for connections': ({ httpServer }) =>
    httpServer.prependListener('connection', () => {}),
};

describe('applications that look at requests', () => {
  for (const [title, change] of Object.entries(CONDITIONS)) {
    it(
      `${title} has Node serve the next request of open and new connections`,
      TIMEOUT,
      mixed(
        async (world) => {
          const tcp = await world.tcp();
          await world.ask(tcp, get());
          assert.equal(world.servedByNode, 0);
          change(world);
          const { status } = (tcp.socket.write(get()), (await responses(tcp, 1))[0]);
          assert.equal(status, 200);
          assert.equal(world.servedByNode, 1);
          await world.ask(await world.tcp(), get());
          assert.equal(world.servedByNode, 2);
        },
        { allowedOrigins: ['http://a.example'], cookie: { name: 'io' } },
      ),
    );
  }

  for (const [title, change] of Object.entries({
    timeout: ({ httpServer }) => httpServer.setTimeout(60_000),
    maxRequestsPerSocket: ({ httpServer }) => (httpServer.maxRequestsPerSocket = 10),
    'a patched emit': ({ httpServer }) => {
      const { emit } = httpServer;
      httpServer.emit = (...args) => Reflect.apply(emit, httpServer, args);
    },
  })) {
    it(
      `${title} of the http.Server has Node serve new connections`,
      TIMEOUT,
      mixed(async (world) => {
        await world.ask(await world.tcp(), get());
        assert.equal(world.servedByNode, 0);
        change(world);
        await world.ask(await world.tcp(), get());
        assert.equal(world.servedByNode, 1);
      }),
    );
  }

  it(
    'a subscriber to http.server.request.start sees the requests of new connections',
    TIMEOUT,
    mixed(async (world) => {
      await world.ask(await world.tcp(), get());
      const urls = [];
      const subscriber = ({ request }) => urls.push(request.url);
      diagnostics.subscribe('http.server.request.start', subscriber);
      try {
        await world.ask(await world.tcp(), get('&x'));
      } finally {
        diagnostics.unsubscribe('http.server.request.start', subscriber);
      }
      assert.deepEqual(urls, [`${POLLING}&x`]);
      await world.ask(await world.tcp(), get());
      assert.equal(world.servedByNode, 1);
    }),
  );

  it(
    'a change that Node does not tell of reaches connections that were kept alive once a session is opened',
    TIMEOUT,
    mixed(async (world) => {
      const tcp = await world.tcp();
      await world.ask(tcp, get());
      world.httpServer.maxRequestsPerSocket = 1000;
      await reach(async () => {
        await world.ask(tcp, get());
        return world.servedByNode > 0;
      });
    }),
  );
});

/** What clients may send that is not what most send; `SID` stands for the id of a session. */
const REQUESTS = {
  HEAD: `HEAD ${POLLING} HTTP/1.1\r\n${HOST}\r\n`,
  PUT: `PUT ${POLLING} HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n`,
  'OPTIONS without cors': `OPTIONS ${POLLING} HTTP/1.1\r\n${HOST}\r\n`,
  'HTTP/1.0': `GET ${POLLING} HTTP/1.0\r\n\r\n`,
  'HTTP/1.0 with keep-alive': `GET ${POLLING} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n`,
  'Connection: close': get('', 'Connection: close\r\n'),
  'Connection: keep-alive': get('', 'Connection: keep-alive\r\n'),
  'no Host': `GET ${POLLING} HTTP/1.1\r\n\r\n`,
  'two Hosts': `GET ${POLLING} HTTP/1.1\r\n${HOST}${HOST}\r\n`,
  'a lower-case method': `get ${POLLING} HTTP/1.1\r\n${HOST}\r\n`,
  'no request': 'hello\r\n\r\n',
  'an unknown session': get('&sid=unknown'),
  'an unknown transport': `GET /socket.io/?EIO=4&transport=x HTTP/1.1\r\n${HOST}\r\n`,
  'an unsupported protocol': `GET /socket.io/?EIO=2&transport=polling HTTP/1.1\r\n${HOST}\r\n`,
  'a POST without a session': post('', 'x').replace('&sid=', ''),
  'a POST without a length': `POST ${POLLING}&sid=SID HTTP/1.1\r\n${HOST}\r\n`,
  'an empty POST': post('SID', ''),
  'a POST in chunks': `POST ${POLLING}&sid=SID HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n2\r\n40\r\n0\r\n\r\n`,
  'a POST with a length and chunks': `POST ${POLLING}&sid=SID HTTP/1.1\r\n${HOST}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n40\r\n0\r\n\r\n`,
  'a POST with two lengths': post('SID', '40', 'Content-Length: 3\r\n'),
  'a POST with the length twice': post('SID', '40', 'Content-Length: 2\r\n'),
  'a POST that expects 100': post('SID', '40', 'Expect: 100-continue\r\n'),
  'a POST that cannot be parsed': post('SID', 'x'),
  'a GET with a body': get('', 'Content-Length: 2\r\n') + 'xx',
  'a folded header': get('', 'A: b\r\n c\r\n'),
  'a header with a space before its colon': get('', 'A : b\r\n'),
  'a header that ends with a line feed': get('', 'A: b\n'),
  'an empty line before the request': `\r\n${get()}`,
  'a tab in the target': `GET ${POLLING}\tx HTTP/1.1\r\n${HOST}\r\n`,
  'a target with bytes that are no ASCII': `GET ${POLLING}&x=\xe9 HTTP/1.1\r\n${HOST}\r\n`,
  'an absolute target': `GET http://a${POLLING} HTTP/1.1\r\n${HOST}\r\n`,
  'a fragment in the target': `GET ${POLLING}#x HTTP/1.1\r\n${HOST}\r\n`,
  'a header that is 6 KiB long': get('', `A: ${'a'.repeat(6_000)}\r\n`),
  'a head that is 12 KiB long': get('', `A: ${'a'.repeat(12_000)}\r\n`),
  'a head that is 20 KiB long': get('', `A: ${'a'.repeat(20_000)}\r\n`),
  'seventy headers': get('', Array.from({ length: 70 }, (_, i) => `X-${i}: 1\r\n`).join('')),
  JSONP: get('&j=0'),
  'JSONP with a number that is none': get('&j=alert(1)'),
  'an upgrade that is not to websocket': get('', 'Connection: Upgrade\r\nUpgrade: h2c\r\n'),
  'an upgrade without a key': `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  'Upgrade without Connection': get('', 'Upgrade: websocket\r\n'),
  'a websocket by GET': `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n${HOST}\r\n`,
  'the bundle of the client': `GET /socket.io/socket.io.js HTTP/1.1\r\n${HOST}If-None-Match: x\r\n\r\n`,
  'the server without a query': `GET /socket.io/ HTTP/1.1\r\n${HOST}\r\n`,
  'a path that begins like that of the server': `GET /socket.iox/ HTTP/1.1\r\n${HOST}\r\n`,
};

/**
 * Sends a request and then one for the application, which everybody can see the response to.
 * @param {Mixed} world
 * @param {string} bytes
 * @returns {Promise<string>} all that came
 */
async function exchanged(world, bytes) {
  const first = await world.tcp();
  const sid = sidOf(await world.ask(first, get()));
  first.terminate();
  const tcp = await world.tcp();
  tcp.socket.write(bytes.replaceAll('SID', sid), 'latin1');
  const follow = `GET /follow HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`;
  const responded = once(tcp.socket, 'data');
  await Promise.race([responded, tcp.ended]);
  // Not before the first response: Node closes a connection with bytes it has not read by a reset.
  tcp.socket.write(follow);
  await tcp.ended;
  return tcp.data
    .toString('latin1')
    .replaceAll(sid, 'SID')
    .replace(/"sid":"[^"]+"/g, '"sid":""')
    .replace(/\\"sid\\":\\"[^"]+\\"/g, '"sid":""')
    .replace(/^Date: .*$/gm, 'Date:');
}

/** The lines of responses, in whatever order their headers are. */
const sorted = (text) => text.split('\r\n').sort();

describe('requests that are not what most clients send', () => {
  for (const cors of [undefined, { origin: 'http://a.example', credentials: true }]) {
    const how = cors === undefined ? '' : ' of a server with cors';
    for (const [title, bytes] of Object.entries(REQUESTS)) {
      it(`the response${how} is that of Node's front to ${title}`, TIMEOUT, async (t) => {
        const texts = [];
        for (const isNode of [false, true]) {
          await mixed(
            async (world) => {
              if (isNode) world.io.engine.use((req, res, next) => next());
              texts.push(await exchanged(world, bytes));
            },
            { cors },
          )(t);
        }
        assert.deepEqual(sorted(texts[0]), sorted(texts[1]));
      });
    }
  }
});

describe('the http.Server of connections in Rust', () => {
  it(
    'closeIdleConnections() ends connections without a request and no others',
    TIMEOUT,
    mixed(async (world) => {
      const idle = await world.tcp();
      const sid = sidOf(await world.ask(idle, get()));
      const waiting = await world.tcp();
      await world.ask(waiting, post(sid, '40'));
      await world.ask(waiting, get(`&sid=${sid}`));
      waiting.socket.write(get(`&sid=${sid}`));
      const polls = await world.tcp();
      // The poll has been read after some round trips: whoever reads passes no connection over.
      for (let i = 0; i < 10; i++) await world.ask(polls, post(sid, '42["m",3]'));
      await reach(() => world.messages.length > 0);
      assert.equal(await world.count(), 3);
      world.httpServer.closeIdleConnections();
      await Promise.all([idle.ended, polls.ended]);
      world.io.emit('still');
      const [{ body }] = await responses(waiting, 1);
      assert.equal(body, '42["still"]');
    }),
  );

  it(
    'closeAllConnections() ends the connections of requests that wait, and their sessions',
    TIMEOUT,
    mixed(async (world) => {
      const connected = once(world.io, 'connection');
      const silent = await world.tcp();
      const waiting = await world.tcp();
      const sid = sidOf(await world.ask(waiting, get()));
      await world.ask(waiting, post(sid, '40'));
      const [socket] = await connected;
      await world.ask(waiting, get(`&sid=${sid}`));
      waiting.socket.write(get(`&sid=${sid}`) + get('&x'.repeat(2_000)).repeat(5));
      const other = await world.tcp();
      // The poll has been read after some round trips: whoever reads passes no connection over.
      for (let i = 0; i < 10; i++) await world.ask(other, post(sid, '42["m",3]'));
      await reach(() => world.messages.length > 0);
      const ended = once(socket, 'disconnect');
      world.httpServer.closeAllConnections();
      await Promise.all([silent.ended, waiting.ended, other.ended]);
      assert.match((await ended)[0], /^transport /);
      assert.equal(await world.isAlive(), 'yes');
    }),
  );

  it(
    'a connection ends when it has been idle for keepAliveTimeout',
    TIMEOUT,
    mixed(async (world) => {
      world.httpServer.keepAliveTimeout = 1_000;
      const tcp = await world.tcp();
      tcp.socket.write(get());
      const [{ head }] = await responses(tcp, 1);
      assert.match(head, /^Keep-Alive: timeout=1$/m);
      const since = performance.now();
      await tcp.ended;
      assert.ok(performance.now() - since > 900);
      assert.equal(world.servedByNode, 0);
    }),
  );

  it(
    'a response says how long its connection is kept alive as one of Node does, whatever keepAliveTimeout is',
    TIMEOUT,
    mixed(async (world) => {
      for (const keepAliveTimeout of [0, 1, 500, 1_000, 2_500]) {
        world.httpServer.keepAliveTimeout = keepAliveTimeout;
        const [ours, nodes] = [await world.tcp(), await world.tcp()];
        ours.socket.write(get());
        nodes.socket.write(rest('page'));
        const heads = [await responses(ours, 1), await responses(nodes, 1)];
        const [our, node] = heads.map(([{ head }]) => head.match(/^(Connection|Keep-Alive): .*/gm));
        assert.deepEqual(our, node);
      }
      assert.equal(world.servedByNode, 0);
    }),
  );

  it(
    'a connection whose first request comes late is served in Rust',
    TIMEOUT,
    mixed(async (world) => {
      const accepted = [];
      const onSocket = ({ socket }) => accepted.push(socket);
      diagnostics.subscribe('net.server.socket', onSocket);
      const tcp = await world.tcp();
      await reach(() => world.httpServer._connections === 1);
      assert.match(await world.ask(tcp, get()), /^0\{/);
      diagnostics.unsubscribe('net.server.socket', onSocket);
      assert.equal(world.servedByNode, 0);
      assert.deepEqual(accepted, []);
    }),
  );

  it('a connection on which nothing comes is Node’s, with its time limits', TIMEOUT, async (t) => {
    const limits = { headersTimeout: 500, requestTimeout: 500, connectionsCheckingInterval: 100 };
    const world = new World({}, http.createServer(limits));
    await world.listen();
    t.after(() => world.close());
    const silent = await world.tcp();
    const late = await world.tcp();
    const [{ status }] = await responses(silent, 1);
    assert.equal(status, 408);
    await Promise.all([silent.ended, late.ended]);
    await reach(() => world.httpServer._connections === 0);
  });

  it('a socket that Node gets late is as those that its server accepts', TIMEOUT, async (t) => {
    const seen = [];
    const settings = { keepAlive: true, noDelay: false, highWaterMark: 1234 };
    const httpServer = http.createServer(settings, ({ socket }, res) => {
      seen.push(socket.readableHighWaterMark, socket.remoteAddress, socket.remotePort);
      res.end('seen');
    });
    const world = new World({}, httpServer);
    await world.listen();
    t.after(() => world.close());
    const published = [];
    const onSocket = ({ socket }) => published.push(socket.remotePort);
    diagnostics.subscribe('net.server.socket', onSocket);
    t.after(() => diagnostics.unsubscribe('net.server.socket', onSocket));
    const tcp = await world.tcp();
    await reach(() => httpServer._connections === 1);
    tcp.socket.write(rest('late'));
    const [{ body }] = await responses(tcp, 1);
    assert.equal(body, 'seen');
    assert.deepEqual(seen, [1234, '127.0.0.1', tcp.socket.localPort]);
    assert.deepEqual(published, [tcp.socket.localPort]);
    assert.equal(httpServer._connections, 1);
    tcp.terminate();
    await reach(() => httpServer._connections === 0);
  });

  it(
    'a body that never ends is given up after requestTimeout, and its session with it',
    TIMEOUT,
    mixed(async (world) => {
      world.httpServer.requestTimeout = 1_000;
      const { sid, ended } = await world.connected();
      const tcp = await world.tcp();
      tcp.socket.write(post(sid, '42["m",4]').slice(0, -1));
      await Promise.all([tcp.ended, ended]);
      assert.equal(String(tcp.data), 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n');
      assert.equal(world.servedByNode, 0);
      assert.deepEqual(world.messages, []);
    }),
  );

  it(
    'a client that sends no more after a whole POST is answered',
    TIMEOUT,
    mixed(async (world) => {
      const { sid } = await world.connected();
      const tcp = await world.tcp();
      tcp.socket.end(post(sid, '42["m",1]\x1e42["m",2]'));
      await tcp.ended;
      assert.match(String(tcp.data), /^HTTP\/1\.1 200 OK\r\n.*\r\n\r\nok$/s);
      assert.deepEqual(world.messages, [1, 2]);
      assert.equal(world.servedByNode, 0);
    }),
  );

  it(
    'a client that sends no more while its poll waits has left',
    TIMEOUT,
    mixed(async (world) => {
      const { sid, ended } = await world.connected();
      const tcp = await world.tcp();
      tcp.socket.end(get(`&sid=${sid}`));
      assert.match((await ended)[0], /^transport /);
      await tcp.ended;
    }),
  );

  for (const drain of [0, 2_000]) {
    it(
      `a server that is closed with drain ${drain} responds to polls that wait and leaves no connection`,
      TIMEOUT,
      async (t) => {
        const world = new Mixed();
        await world.listen();
        const sid = await world.session();
        const waiting = await world.tcp();
        waiting.socket.write(get(`&sid=${sid}`));
        const idle = await world.tcp();
        await world.ask(idle, get());
        const half = await world.tcp();
        half.socket.write('GET /x HTTP/1.1\r\n');
        const silent = await world.tcp();
        await reach(() => world.httpServer._connections === 4);
        t.after(() => half.terminate());
        const closed = world.io.close({ drain });
        if (drain === 0) half.terminate();
        const [{ status }] = await responses(waiting, 1);
        assert.equal(status, 200);
        half.terminate();
        await Promise.all([closed, waiting.ended, idle.ended, silent.ended]);
        assert.equal(world.httpServer.listening, false);
      },
    );
  }

  it(
    'two servers with different paths are served on one http.Server',
    TIMEOUT,
    mixed(async (world) => {
      const other = new Server(world.httpServer, { path: '/other' });
      const tcp = await world.tcp();
      const body = await world.ask(tcp, get().replace('/socket.io/', '/other/'));
      assert.match(body, /^0\{/);
      assert.match(await world.ask(tcp, get()), /^0\{/);
      assert.equal(other.engine.clientsCount, 1);
      assert.equal(world.io.engine.clientsCount, 1);
      await other.close();
    }),
  );

  it('requests on a Unix socket are served in Rust and by Node', TIMEOUT, async (t) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'loopback-socket-'));
    t.after(() => fs.rmSync(folder, { recursive: true }));
    const httpServer = http.createServer((req, res) => res.end('page'));
    const io = new Server(httpServer);
    t.after(() => io.close());
    const socketPath = path.join(folder, 'http.sock');
    httpServer.listen(socketPath);
    await once(httpServer, 'listening');
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => agent.destroy());
    for (const [target, expected] of [
      [POLLING, /^0\{/],
      ['/', /^page$/],
      [POLLING, /^0\{/],
    ]) {
      const [response] = await once(http.get({ socketPath, path: target, agent }), 'response');
      assert.match((await response.setEncoding('utf8').toArray()).join(''), expected);
    }
    assert.equal(io._front.lastRequest, 1);
  });

  it(
    'connections that the application passes to the http.Server itself are served',
    TIMEOUT,
    mixed(async (world, t) => {
      const own = net.createServer((socket) => world.httpServer.emit('connection', socket));
      t.after(() => own.close());
      own.listen(0, '127.0.0.1');
      await once(own, 'listening');
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      t.after(() => agent.destroy());
      for (const [target, expected] of [
        [POLLING, /^0\{/],
        ['/page', /^GET \/page $/],
        [POLLING, /^0\{/],
      ]) {
        const where = { port: own.address().port, path: target, agent };
        const [response] = await once(http.get(where), 'response');
        assert.match((await response.setEncoding('utf8').toArray()).join(''), expected);
      }
    }),
  );

  it(
    'official clients connect by polling beside other requests of the same agent',
    TIMEOUT,
    mixed(async (world) => {
      const agent = new http.Agent({ keepAlive: true });
      const client = world.client('4.8', { transports: ['polling'], agent });
      await happens(client, 'connect');
      for (let i = 0; i < 20; i++) {
        client.emit('m', i);
        const [response] = await once(
          http.get({ port: world.port, path: `/${i}`, agent }),
          'response',
        );
        response.resume();
        await once(response, 'end');
      }
      await reach(() => world.messages.length === 20);
      assert.deepEqual(
        world.messages,
        Array.from({ length: 20 }, (_, i) => i),
      );
      agent.destroy();
    }),
  );
});

/** A process or thread that serves requests of both kinds, closes its server, and ends by itself. */
const PROGRAM = `
  const http = require('node:http');
  const { Server } = require(${JSON.stringify(path.join(__dirname, '..', '..'))});
  const { parentPort } = require('node:worker_threads');
  const io = new Server(0);
  const { httpServer } = io;
  const agent = new http.Agent({ keepAlive: true });
  const get = (path) =>
    new Promise((resolve, reject) => {
      const where = { host: '127.0.0.1', port: httpServer.address().port, path, agent };
      const request = http.get(where, (response) => {
        response.resume();
        response.once('end', () => resolve(response.statusCode));
      });
      request.once('error', reject);
    });
  const told = async () => {
    const codes = [];
    for (const path of ['${POLLING}', '/none', '${POLLING}']) codes.push(await get(path));
    const report = { codes, byNode: io._front.lastRequest };
    parentPort ? parentPort.postMessage(report) : process.send(report);
    await io.close();
    if (process.connected) process.disconnect();
  };
  if (httpServer.listening) told();
  else httpServer.once('listening', told);
`;

describe('processes and threads with connections in Rust', () => {
  const report = { codes: [200, 404, 200], byNode: 1 };

  it(
    'a process ends by itself when its server is closed and clients keep their connections',
    TIMEOUT,
    async () => {
      const child = spawn(process.execPath, ['-e', PROGRAM], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      const [[told], [status]] = await Promise.all([once(child, 'message'), once(child, 'exit')]);
      assert.deepEqual(told, report);
      assert.equal(status, 0);
    },
  );

  it('a worker thread serves connections in Rust and ends by itself', TIMEOUT, async () => {
    const worker = new Worker(PROGRAM, { eval: true });
    const [[told], [status]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
    assert.deepEqual(told, report);
    assert.equal(status, 0);
  });
});

describe('hostile clients of HTTP', () => {
  it(
    'a session ends when its client resets the connection of a poll that waits',
    TIMEOUT,
    mixed(async (world) => {
      const { sid, ended } = await world.connected();
      const tcp = await world.tcp();
      tcp.socket.write(get(`&sid=${sid}`));
      // One thread reads both in their order.
      await world.ask(await world.tcp(), rest('x'));
      tcp.socket.resetAndDestroy();
      assert.match((await ended)[0], /^transport /);
    }),
  );

  it(
    'a session that ends while its client has not read a response takes its connection with it',
    TIMEOUT,
    mixed(async (world) => {
      const { socket, ended, tcp } = await world.polledLarge();
      socket.disconnect(true);
      await ended;
      assert.equal(await world.isAlive(), 'yes');
      tcp.terminate();
      await reach(() => world.httpServer._connections === 0);
    }),
  );

  for (const [front, options] of [
    ['Rust', {}],
    ['Node', { allowRequest: (req, decide) => decide(null, true) }],
  ]) {
    it(
      `a session ends when its client leaves in the middle of what a poll brings, served by ${front}`,
      TIMEOUT,
      mixed(async (world) => {
        const { ended, tcp } = await world.polledLarge();
        tcp.socket.resetAndDestroy();
        assert.match((await ended)[0], /^transport /);
        assert.equal(await world.isAlive(), 'yes');
      }, options),
    );

    it(
      `close() does not wait for a client that does not read what a poll brings, served by ${front}`,
      TIMEOUT,
      mixed(async (world) => {
        const { ended } = await world.polledLarge();
        await world.io.close();
        assert.equal((await ended)[0], 'server shutting down');
      }, options),
    );
  }

  it(
    'a session goes on after a large response with which its connection ends',
    TIMEOUT,
    mixed(async (world) => {
      const { sid, socket, tcp } = await world.polledLarge('Connection: close\r\n');
      tcp.socket.resume();
      await tcp.ended;
      assert.ok(tcp.data.length > LARGE);
      const other = await world.tcp();
      assert.equal(await world.ask(other, post(sid, '42["m",1]')), 'ok');
      assert.equal(socket.connected, true);
    }),
  );

  it(
    'a server that closes while connections come back to Node closes all of them',
    LINUX,
    async () => {
      const visit = async () => {
        const world = new Mixed();
        await world.listen();
        const clients = await Promise.all(Array.from({ length: 10 }, () => world.tcp()));
        await Promise.all(clients.map((tcp) => world.ask(tcp, get())));
        clients.forEach((tcp) => tcp.socket.write(rest('x')));
        // Half of the requests arrive before it is closed, half of them after.
        await new Promise((resolve) => setImmediate(resolve));
        const closed = world.io.close();
        clients.forEach((tcp) => tcp.socket.end());
        await Promise.all([closed, ...clients.map(({ ended }) => ended)]);
        clients.forEach((tcp) => tcp.terminate());
      };
      for (let i = 0; i < 3; i++) await visit();
      const before = openFiles();
      for (let i = 0; i < 10; i++) await visit();
      await reach(() => openFiles() <= before);
    },
  );

  it(
    'no descriptor stays open of clients that leave at any point',
    LINUX,
    mixed(async (world) => {
      const stream = get() + rest('x') + get('', 'Upgrade: x\r\n');
      const visit = async (i) => {
        const tcp = await world.tcp();
        tcp.socket.write(stream.slice(0, (i * 7) % stream.length));
        if (i % 2) await new Promise((resolve) => setImmediate(resolve));
        if (i % 3 === 0) tcp.socket.resetAndDestroy();
        else if (i % 3 === 1) tcp.socket.end();
        await new Promise((resolve) => setImmediate(resolve));
        tcp.terminate();
      };
      for (let i = 0; i < 20; i++) await visit(i);
      await reach(() => world.httpServer._connections === 0);
      const before = openFiles();
      for (let i = 0; i < 400; i++) await visit(i);
      await reach(() => world.httpServer._connections === 0 && openFiles() <= before);
    }),
  );

  it(
    'a client that sends requests and reads no response holds no more than the system does',
    TIMEOUT,
    mixed(
      async (world) => {
        const tcp = await world.tcp();
        tcp.socket.pause();
        const request = get('&sid=unknown-session', 'X: 1\r\n').replace('GET', 'OPTIONS');
        let drained = true;
        const many = request.repeat(500);
        let sent = 0;
        while (drained && sent < 2_000) {
          drained = await new Promise((resolve) => {
            const timer = setTimeout(() => resolve(false), 300);
            tcp.socket.write(many, () => {
              clearTimeout(timer);
              resolve(true);
            });
          });
          sent += 1;
        }
        assert.equal(drained, false);
        assert.equal(await world.isAlive(), 'yes');
      },
      { cors: { origin: '*' } },
    ),
  );

  it(
    'a second request is never read out of the body of a first one',
    TIMEOUT,
    mixed(async (world) => {
      const inner = rest('smuggled');
      const sid = await world.session();
      const tries = [`${POLLING}&sid=${sid}`, '/page'].flatMap((target) =>
        [
          `Content-Length: ${inner.length}\r\nTransfer-Encoding: chunked\r\n`,
          `Content-Length: ${inner.length}\r\nContent-Length: 0\r\n`,
          `Content-Length: 0\r\nContent-Length : ${inner.length}\r\n`,
          `Content-Length: ${inner.length}\n`,
          `Content-Length: +0\r\n`,
          `Content-Length: 0, ${inner.length}\r\n`,
          `Content-Length:\r\n ${inner.length}\r\n`,
          `Transfer-Encoding: \x0bchunked\r\n`,
          `Transfer-Encoding: identity\r\nContent-Length: ${inner.length}\r\n`,
          `Content-Length: ${inner.length}\r\n`,
        ].map((lines) => `POST ${target} HTTP/1.1\r\n${HOST}${lines}\r\n${inner}`),
      );
      for (const bytes of tries) {
        const tcp = await world.tcp();
        tcp.socket.write(bytes, 'latin1');
        await Promise.race([once(tcp.socket, 'data'), tcp.ended]);
        tcp.socket.end();
        await tcp.ended;
        assert.doesNotMatch(tcp.data.toString('latin1'), /^POST \/smuggled $/m, bytes);
      }
    }),
  );
});
