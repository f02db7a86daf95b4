'use strict';

// Compression of responses to long polling, and of served files, as socket.io 4 does it.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const http = require('node:http');
const { before, after, describe, it } = require('node:test');
const zlib = require('node:zlib');
const socketio = require('socket.io');
const { Server } = require('../..');

const TIMEOUT = { timeout: 60_000 };

const DECODERS = {
  gzip: zlib.gunzipSync,
  deflate: zlib.inflateSync,
  br: zlib.brotliDecompressSync,
};

const ACCEPTED = [
  undefined,
  'gzip, deflate, br, zstd',
  'deflate, gzip',
  'deflate',
  'br',
  '*',
  '*;q=0.5, gzip;q=0.1',
  'gzip;q=0, *',
  'gzip;q=0.2, deflate;q=0.8',
  'identity, gzip;q=0.5',
  'identity;q=0',
  '*;q=0',
  'GZIP',
  'gzip;q=much',
  'gzip;Q=0',
  'gzip, deflate, gzip',
  'gzip;q=0.1, deflate;q=0.2, gzip;q=0.3',
  'gz ip',
  '',
];

/** A server of one kind, and a client that polls it request by request. */
class Host {
  constructor(Kind, options) {
    this.httpServer = http.createServer();
    this.io = new Kind(this.httpServer, options);
  }

  async listen() {
    this.httpServer.listen(0, '127.0.0.1');
    await once(this.httpServer, 'listening');
    this.agent = new http.Agent({ keepAlive: true });
  }

  /** The response to a request, its body decoded. */
  async request(path, { accepted, body, method } = {}) {
    const headers = accepted === undefined ? {} : { 'Accept-Encoding': accepted };
    const { port } = this.httpServer.address();
    const { agent } = this;
    const req = http.request({ host: '127.0.0.1', port, path, headers, method, agent });
    req.end(body);
    const [res] = await once(req, 'response');
    const chunks = [];
    for await (const chunk of res) chunks.push(chunk);
    const sent = Buffer.concat(chunks);
    const encoding = res.headers['content-encoding'];
    return {
      status: res.statusCode,
      encoding,
      type: res.headers['content-type'],
      isWhole: res.headers['content-length'] === String(sent.length),
      body: encoding === undefined ? sent : DECODERS[encoding](sent),
      sent: sent.length,
    };
  }

  /** A session of a client that polls, in the default namespace. */
  async session(more = '') {
    const base = `/socket.io/?EIO=4&transport=polling${more}`;
    const connected = once(this.io, 'connection');
    const { sid } = JSON.parse(/\{.*\}/.exec(await this.text(base))[0].replaceAll('\\"', '"'));
    const path = `${base}&sid=${sid}`;
    await this.request(path, { method: 'POST', body: more === '' ? '40' : 'd=40' });
    const [socket] = await connected;
    await this.request(path);
    return { socket, poll: (accepted) => this.request(path, { accepted }) };
  }

  async text(path) {
    return String((await this.request(path)).body);
  }

  async close() {
    this.agent.destroy();
    await this.io.close();
  }
}

/** Both servers with the same options, closed with the test. */
async function both(t, options) {
  const hosts = [new Host(socketio.Server, options), new Host(Server, options)];
  for (const host of hosts) await host.listen();
  t.after(() => Promise.all(hosts.map((host) => host.close())));
  return hosts;
}

/** What a client of each gets for the same, as long as it is the same. */
async function same(hosts, ask) {
  const [npm, native] = await Promise.all(hosts.map(ask));
  assert.equal(native.encoding, npm.encoding);
  assert.deepEqual([native.status, native.isWhole], [200, true]);
  return [npm, native];
}

describe('responses to long polling', () => {
  it(
    'a response is encoded as the same Accept-Encoding has it on socket.io',
    TIMEOUT,
    async (t) => {
      const hosts = await both(t);
      const sessions = await Promise.all(hosts.map((host) => host.session()));
      const encodings = new Set();
      for (const accepted of ACCEPTED) {
        for (const size of [
          10,
          1024 - '42["m",""]'.length - 1,
          1024 - '42["m",""]'.length,
          100_000,
        ]) {
          const text = 'ab'.repeat(size / 2).padEnd(size, '!');
          const [npm, native] = await same(sessions, ({ socket, poll }) => {
            socket.emit('m', text);
            return poll(accepted);
          });
          assert.deepEqual(native.body, npm.body, `${accepted} ${size}`);
          assert.equal(String(native.body), `42["m","${text}"]`);
          assert.equal(native.type, npm.type);
          encodings.add(native.encoding);
        }
      }
      assert.deepEqual(encodings, new Set([undefined, 'gzip', 'deflate']));
    },
  );

  it('a payload is compressed if one of its messages may be', TIMEOUT, async (t) => {
    const hosts = await both(t);
    const sessions = await Promise.all(hosts.map((host) => host.session()));
    const text = 'x'.repeat(2000);
    for (const [flags, expected] of [
      [[true], 'gzip'],
      [[false], undefined],
      [[false, false], undefined],
      [[false, true], 'gzip'],
      [[true, false], 'gzip'],
    ]) {
      const [npm, native] = await same(sessions, ({ socket, poll }) => {
        for (const flag of flags) socket.compress(flag).emit('m', text);
        return poll('gzip');
      });
      assert.equal(native.encoding, expected, flags);
      assert.deepEqual(native.body, npm.body);
    }
    const [, native] = await same(sessions, ({ socket, poll }) => {
      socket.nsp.compress(false).emit('m', text);
      return poll('gzip');
    });
    assert.equal(native.encoding, undefined);
  });

  it('the attachments of a message count for its length', TIMEOUT, async (t) => {
    const hosts = await both(t);
    const sessions = await Promise.all(hosts.map((host) => host.session()));
    const [npm, native] = await same(sessions, ({ socket, poll }) => {
      socket.emit('m', Buffer.alloc(5000, 7));
      return poll('gzip');
    });
    assert.equal(native.encoding, 'gzip');
    assert.deepEqual(native.body, npm.body);
  });

  it('a script of JSONP is compressed too', TIMEOUT, async (t) => {
    const hosts = await both(t);
    const sessions = await Promise.all(hosts.map((host) => host.session('&j=1')));
    for (const [size, expected] of [
      [100, undefined],
      [3000, 'deflate'],
    ]) {
      const [npm, native] = await same(sessions, ({ socket, poll }) => {
        socket.emit('m', '"\u2028'.repeat(size / 2));
        return poll('deflate');
      });
      assert.equal(native.encoding, expected);
      assert.deepEqual(native.body, npm.body);
    }
  });

  it('a client of Engine.IO 3 that takes bytes gets them compressed', TIMEOUT, async (t) => {
    const hosts = await both(t, { allowEIO3: true });
    const answers = await same(hosts, async (host) => {
      const path = '/socket.io/?EIO=3&transport=polling';
      const connected = once(host.io, 'connection');
      const opened = await host.text(path);
      const sid = /"sid":"([^"]+)"/.exec(opened)[1];
      const [socket] = await connected;
      // Not of the session id, which may have these digits, too.
      if (!opened.endsWith('2:40')) await host.request(`${path}&sid=${sid}`);
      socket.emit('m', Buffer.alloc(5000, 7));
      return host.request(`${path}&sid=${sid}`, { accepted: 'gzip' });
    });
    const [npm, native] = answers;
    assert.equal(native.encoding, 'gzip');
    assert.equal(native.type, 'application/octet-stream');
    assert.deepEqual(native.body, npm.body);
  });

  it('nothing is compressed if the option is false', TIMEOUT, async (t) => {
    const hosts = await both(t, { httpCompression: false });
    const sessions = await Promise.all(hosts.map((host) => host.session()));
    const [, native] = await same(sessions, ({ socket, poll }) => {
      socket.emit('m', 'x'.repeat(5000));
      return poll('gzip');
    });
    assert.equal(native.encoding, undefined);
  });

  it('the threshold holds for the response that opens a session', TIMEOUT, async (t) => {
    const hosts = await both(t, { httpCompression: { threshold: 0 } });
    const [, native] = await same(hosts, (host) =>
      host.request('/socket.io/?EIO=4&transport=polling', { accepted: 'gzip' }),
    );
    assert.equal(native.encoding, 'gzip');
    assert.match(String(native.body), /^0\{"sid":/);
  });

  it('zlib takes the level and the window of the option', TIMEOUT, async (t) => {
    const text = Array.from({ length: 20_000 }, (_, i) => `${(i * 7919) % 1009}`).join(' ');
    const sizes = [];
    for (const httpCompression of [
      { level: 0 },
      { level: 1 },
      { level: 9, windowBits: 8 },
      { level: 9 },
      { level: -1, chunkSize: 64, memLevel: 1, strategy: 0, threshold: undefined },
    ]) {
      const hosts = await both(t, { httpCompression: { threshold: 1, ...httpCompression } });
      const sessions = await Promise.all(hosts.slice(1).map((host) => host.session()));
      const [{ socket, poll }] = sessions;
      socket.emit('m', text);
      const answer = await poll('deflate');
      assert.equal(answer.encoding, 'deflate');
      assert.equal(String(answer.body), `42["m","${text}"]`);
      sizes.push(answer.sent);
    }
    const [stored, fast, narrow, best] = sizes;
    assert.ok(stored > text.length, `${sizes}`);
    assert.ok(fast < stored && narrow > best && best <= fast, `${sizes}`);
  });

  it('a client that leaves while its response is compressed ends alone', TIMEOUT, async (t) => {
    const [, native] = await both(t);
    const leaving = await native.session();
    const staying = await native.session();
    const ended = once(leaving.socket, 'disconnect');
    const text = 'leaving '.repeat(1_000_000);
    leaving.socket.emit('m', text);
    // The server knows at once that the client has left, however long the threads wait for a core.
    native.httpServer.once('request', ({ socket }) => socket.destroy());
    await assert.rejects(leaving.poll('gzip'));
    await ended;
    staying.socket.emit('m', text);
    const { encoding, body } = await staying.poll('gzip');
    assert.deepEqual([encoding, body.length], ['gzip', text.length + '42["m",""]'.length]);
  });

  it('a response that is compressed when the server closes is sent whole', TIMEOUT, async (t) => {
    const [, native] = await both(t);
    const { socket, poll } = await native.session();
    const arrived = once(native.httpServer, 'request');
    const waiting = poll('gzip');
    await arrived;
    socket.emit('m', 'closing '.repeat(100_000));
    native.io.close();
    const { encoding, body } = await waiting;
    assert.equal(encoding, 'gzip');
    assert.match(String(body), /^42\["m","closing [^"]+"\]/);
  });
});

describe('official clients', () => {
  // The XMLHttpRequest of the clients in Node does not send the header: a proxy does in its place.
  let host;
  let proxy;
  const encodings = [];

  before(async () => {
    host = new Host(Server);
    await host.listen();
    host.io.on('connection', (socket) => {
      socket.on('echo', (value, answer) => answer(value));
    });
    proxy = http.createServer((req, res) => {
      const { port } = host.httpServer.address();
      const headers = { ...req.headers, 'accept-encoding': 'gzip, deflate' };
      const { method, url: path } = req;
      const on = http.request({ host: '127.0.0.1', port, method, path, headers }, async (from) => {
        const chunks = [];
        for await (const chunk of from) chunks.push(chunk);
        const encoding = from.headers['content-encoding'];
        encodings.push(encoding);
        const body = Buffer.concat(chunks);
        delete from.headers['content-encoding'];
        delete from.headers['content-length'];
        res.writeHead(from.statusCode, from.headers);
        res.end(encoding === undefined ? body : DECODERS[encoding](body));
      });
      on.on('error', () => res.destroy());
      req.pipe(on);
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
  });

  after(async () => {
    proxy.close();
    proxy.closeAllConnections();
    await host.close();
  });

  for (const version of ['-1', '-2', '-3', '']) {
    it(
      `socket.io-client${version} gets large messages compressed by polling`,
      TIMEOUT,
      async (t) => {
        encodings.length = 0;
        const socket = require(`socket.io-client${version}`)(
          `http://127.0.0.1:${proxy.address().port}`,
          { transports: ['polling'], forceNew: true },
        );
        t.after(() => socket.close());
        for (const value of ['small', 'ünï '.repeat(20_000), Buffer.alloc(30_000, 3), 'last']) {
          assert.deepEqual(await new Promise((done) => socket.emit('echo', value, done)), value);
        }
        assert.ok(encodings.includes('gzip') && encodings.includes(undefined), `${encodings}`);
      },
    );
  }

  it('a client with fetch() decodes what is compressed itself', TIMEOUT, async (t) => {
    const { Fetch } = await import('engine.io-client');
    const { io } = require('socket.io-client');
    const { port } = host.httpServer.address();
    const socket = io(`http://127.0.0.1:${port}`, { transports: [Fetch], forceNew: true });
    t.after(() => socket.close());
    const text = 'fetched '.repeat(10_000);
    assert.equal(await socket.emitWithAck('echo', text), text);
  });
});

describe('served files', () => {
  it('the client bundle is encoded as on socket.io', TIMEOUT, async (t) => {
    const hosts = await both(t);
    for (const accepted of [...ACCEPTED, 'br;q=0.5, gzip;q=0.9', 'br, gzip', 'gzip, br']) {
      for (const name of ['socket.io.js', 'socket.io.min.js.map']) {
        const ask = (host) => host.request(`/socket.io/${name}`, { accepted });
        const [npm, native] = await Promise.all(hosts.map(ask));
        assert.equal(native.encoding, npm.encoding, accepted);
        assert.ok(native.body.equals(npm.body), accepted);
      }
    }
  });
});

describe('the option httpCompression', () => {
  const make = (httpCompression) => new Server(http.createServer(), { httpCompression });

  it('a value that is impossible throws', () => {
    for (const value of [
      1,
      'gzip',
      [],
      () => {},
      { threshold: -1 },
      { threshold: '1024' },
      { threshold: NaN },
      { level: 10 },
      { level: -2 },
      { windowBits: 7 },
      { windowBits: 16 },
      { memLevel: 0 },
      { strategy: 5 },
      { chunkSize: 63 },
      { dictionary: Buffer.from('a') },
      { toString: 1 },
    ]) {
      assert.throws(() => make(value), {
        name: 'InvalidOptionError',
        code: 'ERR_LOOPBACK_SOCKET_INVALID_OPTION',
        option: 'httpCompression',
      });
    }
  });

  it('true, an object and undefined stand for 1,024 bytes, and false and null for nothing', () => {
    for (const [value, expected] of [
      [undefined, { threshold: 1024 }],
      [true, { threshold: 1024 }],
      [{}, { threshold: 1024 }],
      [{ level: 1 }, { level: 1, threshold: 1024 }],
      [{ threshold: 0 }, { threshold: 0 }],
      [false, undefined],
      [null, undefined],
    ]) {
      assert.deepEqual(make(value).engine.opts.httpCompression, expected);
    }
  });
});
