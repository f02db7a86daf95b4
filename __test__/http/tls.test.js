'use strict';

// The option `tls`: Rust encrypts and decrypts, serves what the front in Rust serves, and gives Node the rest.

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const path = require('node:path');
const tls = require('node:tls');
const { describe, it } = require('node:test');
const { WebSocket, WebSocketServer } = require('ws');
const { Server } = require('../..');
const { TIMEOUT } = require('../support/native-server');
const { reach } = require('../support/waiting');

const CLIENTS = { 2.5: 'socket.io-client-2', 4.8: 'socket.io-client' };

const FILES = path.join(__dirname, '..', 'support', 'tls');
const TLS = {
  key: fs.readFileSync(path.join(FILES, 'key.pem')),
  cert: fs.readFileSync(path.join(FILES, 'cert.pem')),
};

/** A server with TLS for one test. */
class SecureServer {
  #clients = [];

  constructor(io) {
    this.io = io;
  }

  /** A server on a port. */
  static open(t, options) {
    return this.#ready(t, new Server(0, { tls: { ...TLS, ...options } }));
  }

  /** A server on an http.Server. */
  static on(t, httpServer) {
    const io = new Server(httpServer, { tls: TLS });
    httpServer.listen(0);
    return this.#ready(t, io);
  }

  static async #ready(t, io) {
    const server = new this(io);
    t.after(() => server.close());
    await once(io.httpServer, 'listening');
    server.port = io.httpServer.address().port;
    server.url = `https://localhost:${server.port}`;
    return server;
  }

  client(version, options) {
    const client = require(CLIENTS[version])(this.url, {
      forceNew: true,
      reconnection: false,
      ca: TLS.cert,
      ...options,
    });
    this.#clients.push(client);
    return client;
  }

  /** A connection with TLS. */
  async connect(options) {
    const socket = tls.connect({
      port: this.port,
      servername: 'localhost',
      ca: TLS.cert,
      ...options,
    });
    this.#clients.push({ close: () => socket.destroy() });
    socket.on('error', () => {});
    socket.session = new Promise((resolve) => socket.once('session', resolve));
    await once(socket, 'secureConnect');
    return socket;
  }

  /** A request of REST. Its body is read. */
  async request(options = {}) {
    const { body, ...rest } = options;
    const request = https.request({ port: this.port, host: 'localhost', ca: TLS.cert, ...rest });
    request.end(body);
    const [response] = await once(request, 'response');
    const { socket } = response;
    const chunks = await response.toArray();
    return { socket, text: String(Buffer.concat(chunks)) };
  }

  async close() {
    this.#clients.forEach((client) => client.close());
    await this.io.close();
  }
}

/** What a socket receives until it ends. */
async function received(socket) {
  const chunks = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.resume();
  await once(socket, 'close');
  return Buffer.concat(chunks);
}

/** How many connections the http.Server counts. */
function connections({ httpServer }) {
  return new Promise((resolve) => httpServer.getConnections((error, count) => resolve(count)));
}

describe('clients of a server with the option tls', TIMEOUT, () => {
  for (const version of ['2.5', '4.8']) {
    for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
      it(`a client ${version} calls over TLS by ${transports.join(' and ')}`, async (t) => {
        const server = await SecureServer.open(t);
        server.io.on('connection', (socket) => {
          socket.on('echo', (value, done) => done(value));
          socket.emit('handshake', [
            socket.handshake.secure,
            socket.request.socket.encrypted,
            net.isIP(socket.request.socket.remoteAddress) > 0,
          ]);
        });
        const client = server.client(version, { transports });
        const handshake = once(client, 'handshake');
        assert.deepEqual((await handshake)[0], [true, true, true]);
        const large = 'é'.repeat(150_000);
        const answer = await new Promise((resolve) => client.emit('echo', large, resolve));
        assert.ok(answer === large);
        if (transports.length > 1 && client.io.engine.transport.name !== 'websocket') {
          await new Promise((resolve) => client.io.engine.once('upgrade', resolve));
        }
        const binary = Buffer.from([1, 2, 3]);
        const echoed = await new Promise((resolve) => client.emit('echo', binary, resolve));
        assert.deepEqual(Buffer.from(echoed), binary);
      });
    }
  }

  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    it(`a server with the option tls can be limited to ${version}`, async (t) => {
      const server = await SecureServer.open(t, { minVersion: version, maxVersion: version });
      const socket = await server.connect({ ALPNProtocols: ['http/1.1'] });
      assert.equal(socket.getProtocol(), version);
      assert.equal(socket.alpnProtocol, 'http/1.1');
      const other = version === 'TLSv1.2' ? 'TLSv1.3' : 'TLSv1.2';
      await assert.rejects(
        new Promise((resolve, reject) => {
          const refused = tls.connect({
            port: server.port,
            servername: 'localhost',
            ca: TLS.cert,
            minVersion: other,
            maxVersion: other,
          });
          refused.on('secureConnect', resolve).on('error', reject);
        }),
        { code: /ALERT_PROTOCOL_VERSION/ },
      );
    });

    it(`a session of ${version} is resumed by a client that has its ticket`, async (t) => {
      const server = await SecureServer.open(t);
      const options = { minVersion: version, maxVersion: version };
      const first = await server.connect(options);
      assert.equal(first.isSessionReused(), false);
      first.resume();
      const second = await server.connect({ ...options, session: await first.session });
      assert.equal(second.isSessionReused(), true);
      second.write('GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      assert.match(String(await received(second)), /^HTTP\/1.1 404 /);
    });
  }

  it('a session of TLS 1.2 is resumed by its id where the client takes no tickets', async (t) => {
    const server = await SecureServer.open(t);
    const options = {
      maxVersion: 'TLSv1.2',
      secureOptions: crypto.constants.SSL_OP_NO_TICKET,
    };
    const first = await server.connect(options);
    const second = await server.connect({ ...options, session: first.getSession() });
    assert.equal(second.isSessionReused(), true);
  });

  it('a client that speaks no TLS is ended, and no other client is', async (t) => {
    const server = await SecureServer.open(t);
    const client = server.client('4.8');
    await once(client, 'connect');
    for (const bytes of [
      'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
      crypto.randomBytes(500),
      '\0'.repeat(9),
    ]) {
      const socket = net.connect(server.port);
      socket.on('error', () => {});
      socket.write(bytes);
      const answer = await received(socket);
      // An alert, if anything.
      assert.ok(answer.length === 0 || answer[0] === 21, String(answer));
    }
    const silent = net.connect(server.port);
    await once(silent, 'connect');
    silent.end();
    await received(silent);
    assert.equal(client.connected, true);
  });

  it('a client that does not trust the certificate of the option tls does not connect', async (t) => {
    const server = await SecureServer.open(t);
    const client = server.client('4.8', { ca: undefined, transports: ['websocket'] });
    const [error] = await once(client, 'connect_error');
    assert.match(String(error), /websocket error/);
    await assert.rejects(server.request({ ca: undefined }), {
      code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    });
  });

  it('a client that asks only for another protocol than HTTP/1.1 is refused by ALPN', async (t) => {
    const server = await SecureServer.open(t);
    await assert.rejects(server.connect({ ALPNProtocols: ['h2'] }), {
      code: /ALERT_NO_APPLICATION_PROTOCOL/,
    });
  });

  it('clients with TLS, idle ones too, end with the server', async (t) => {
    const server = await SecureServer.open(t);
    const client = server.client('4.8', { transports: ['polling'] });
    await once(client, 'connect');
    const idle = await server.connect();
    const ended = once(idle, 'close');
    idle.resume();
    const left = once(client, 'disconnect');
    await server.io.close();
    await Promise.all([ended, left]);
    const late = net.connect(server.port);
    const [error] = await once(late, 'error');
    assert.equal(error.code, 'ECONNREFUSED');
  });
});

/** What a handler of REST sees of the client's socket. */
function seenOf(socket) {
  return {
    encrypted: socket.encrypted,
    remote: [socket.remoteAddress, socket.remotePort, socket.remoteFamily],
    local: [socket.localPort, socket.address().port],
    protocol: socket.getProtocol?.(),
    cipher: socket.getCipher?.(),
    alpn: socket.alpnProtocol,
    authorized: socket.authorized,
    peer: socket.getPeerCertificate?.().subject?.CN,
  };
}

describe('requests of others to a server with the option tls', TIMEOUT, () => {
  it('a REST request over TLS reaches the http.Server with what the handshake agreed on', async (t) => {
    let seen;
    const httpServer = http.createServer(async (req, res) => {
      seen = seenOf(req.socket);
      const body = Buffer.concat(await req.toArray());
      res.end(crypto.createHash('sha1').update(body).digest('hex') + 'x'.repeat(body.length));
    });
    const server = await SecureServer.on(t, httpServer);
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => agent.destroy());
    const body = crypto.randomBytes(3_000_000);
    const first = await server.request({ agent, method: 'POST', path: '/rest', body });
    const hash = crypto.createHash('sha1').update(body).digest('hex');
    assert.ok(first.text === hash + 'x'.repeat(body.length));
    const client = first.socket;
    assert.equal(seen.encrypted, true);
    assert.equal(seen.remote[1], client.localPort);
    assert.match(seen.remote[0], /127\.0\.0\.1$|^::1$/);
    assert.match(seen.remote[2], /^IPv[46]$/);
    assert.deepEqual(seen.local, [server.port, server.port]);
    assert.equal(seen.protocol, 'TLSv1.3');
    const { standardName } = client.getCipher();
    assert.deepEqual(seen.cipher, { name: standardName, standardName, version: 'TLSv1.3' });
    assert.equal(seen.alpn, client.alpnProtocol);
    assert.deepEqual([seen.authorized, seen.peer], [false, undefined]);
    const second = await server.request({ agent, path: '/again' });
    assert.equal(second.socket, client);
    assert.equal(await connections(server.io), 1);
    const old = await server.request({ maxVersion: 'TLSv1.2' });
    assert.deepEqual(seen.cipher, old.socket.getCipher());
  });

  it('REST requests and polls follow each other on one connection with TLS', async (t) => {
    const httpServer = http.createServer((req, res) => res.end(req.url));
    const server = await SecureServer.on(t, httpServer);
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => agent.destroy());
    const poll = await server.request({ agent, path: '/socket.io/?EIO=4&transport=polling' });
    assert.match(poll.text, /^0\{"sid"/);
    const rest = await server.request({ agent, path: '/rest' });
    assert.equal(rest.text, '/rest');
    assert.equal(rest.socket, poll.socket);
    const again = await server.request({ agent, path: '/socket.io/?EIO=4&transport=polling' });
    assert.match(again.text, /^0\{"sid"/);
    assert.equal(again.socket, poll.socket);
  });

  it('a websocket over TLS can be that of another server on the http.Server', async (t) => {
    const httpServer = http.createServer();
    const server = await SecureServer.on(t, httpServer);
    const others = new WebSocketServer({ noServer: true });
    httpServer.on('upgrade', (req, socket, head) => {
      if (req.url === '/other') {
        others.handleUpgrade(req, socket, head, (ws) => ws.on('message', (data) => ws.send(data)));
      }
    });
    const ws = new WebSocket(`wss://localhost:${server.port}/other`, { ca: TLS.cert });
    await once(ws, 'open');
    const data = crypto.randomBytes(2_000_000);
    ws.send(data);
    const [echo] = await once(ws, 'message');
    assert.ok(data.equals(echo));
    ws.close(4001);
    const [code] = await once(ws, 'close');
    assert.equal(code, 4001);
    const client = server.client('4.8', { transports: ['websocket'] });
    await once(client, 'connect');
  });

  it('an upgrade over TLS that nobody takes is ended on a connection that was kept alive, too', async (t) => {
    const httpServer = http.createServer((req, res) => res.end(req.url));
    const server = await SecureServer.on(t, httpServer);
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => agent.destroy());
    await server.request({ agent, path: '/rest' });
    const headers = { Connection: 'Upgrade', Upgrade: 'websocket' };
    await assert.rejects(server.request({ agent, path: '/nobody', headers }), {
      code: 'ECONNRESET',
    });
    await reach(async () => (await connections(server.io)) === 0);
  });

  it('a REST request over TLS ends with its client, and the client with its socket', async (t) => {
    const sockets = [];
    const httpServer = http.createServer((req, res) => {
      sockets.push(req.socket);
      res.write('part');
    });
    const server = await SecureServer.on(t, httpServer);
    for (const how of ['client', 'server']) {
      const client = await server.connect();
      client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      await once(client, 'data');
      client.resume();
      const socket = sockets.pop();
      const ends = Promise.all([once(socket, 'close'), once(client, 'close')]);
      (how === 'client' ? client : socket).destroy();
      await ends;
    }
    await reach(async () => (await connections(server.io)) === 0);
  });

  it('a REST response over TLS waits for a client that does not read', async (t) => {
    let sent = 0;
    const httpServer = http.createServer((req, res) => {
      if (req.url !== '/much') {
        res.end();
        return;
      }
      const chunk = Buffer.alloc(1 << 16);
      const write = () => {
        while (sent < 1 << 26) {
          sent += chunk.length;
          if (!res.write(chunk)) {
            res.once('drain', write);
            return;
          }
        }
        res.end();
      };
      write();
    });
    const server = await SecureServer.on(t, httpServer);
    const client = await server.connect();
    client.pause();
    client.write('GET /much HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    await reach(async () => {
      await server.request();
      return sent > 0;
    });
    for (let i = 0; i < 50; i += 1) {
      await server.request();
    }
    assert.ok(sent < 1 << 25, String(sent));
    const whole = await received(client);
    assert.ok(whole.length > 1 << 26);
  });
});

describe('middleware of a server with the option tls', TIMEOUT, () => {
  it('middleware sees the requests of clients that come by TLS', async (t) => {
    const server = await SecureServer.open(t);
    const seen = [];
    server.io.engine.use((req, res, next) => {
      seen.push([req.socket.encrypted, req.socket.getProtocol?.()]);
      next();
    });
    server.io.on('connection', (socket) => {
      socket.on('echo', (value, done) => done(value));
    });
    for (const transports of [['websocket'], ['polling', 'websocket']]) {
      const client = server.client('4.8', { transports });
      await once(client, 'connect');
      if (client.io.engine.transport.name !== 'websocket') {
        await new Promise((resolve) => client.io.engine.once('upgrade', resolve));
      }
      const large = 'é'.repeat(300_000);
      assert.ok((await new Promise((resolve) => client.emit('echo', large, resolve))) === large);
      client.close();
    }
    assert.ok(seen.length >= 3);
    assert.ok(seen.every(([encrypted]) => encrypted === true));
  });
});

describe('certificates of clients', TIMEOUT, () => {
  const CLIENT = {
    key: fs.readFileSync(path.join(FILES, 'client-key.pem')),
    cert: fs.readFileSync(path.join(FILES, 'client-cert.pem')),
  };

  it('the certificate of a client is verified and shown to the application', async (t) => {
    const server = await SecureServer.open(t, { requestCert: true, ca: TLS.cert });
    const client = server.client('4.8', { ...CLIENT, transports: ['websocket'] });
    const [[socket]] = await Promise.all([once(server.io, 'connection'), once(client, 'connect')]);
    const { authorized, encrypted } = socket.request.socket;
    assert.deepEqual([authorized, encrypted], [true, true]);
    assert.equal(socket.request.socket.getPeerCertificate().subject.CN, 'a client');
  });

  it('requestCert refuses clients without a certificate of the authorities', async (t) => {
    const server = await SecureServer.open(t, { requestCert: true, ca: TLS.cert });
    await assert.rejects(server.request({ maxVersion: 'TLSv1.2' }), {
      code: /ALERT|ECONNRESET|EPROTO/,
    });
    // Its certificate is its own authority.
    await assert.rejects(server.request({ ...TLS, maxVersion: 'TLSv1.2' }), {
      code: /ALERT|ECONNRESET|EPROTO/,
    });
  });
});

describe('the option tls', TIMEOUT, () => {
  const RSA = {
    key: fs.readFileSync(path.join(FILES, 'rsa-key.pem'), 'utf8'),
    cert: fs.readFileSync(path.join(FILES, 'rsa-cert.pem'), 'utf8'),
  };

  it('each client gets one of several keys of the option tls that it can use', async (t) => {
    const server = await SecureServer.open(t, {
      key: [TLS.key, RSA.key],
      cert: [TLS.cert, RSA.cert],
    });
    const options = { ca: [TLS.cert, RSA.cert] };
    const modern = await server.connect(options);
    assert.equal(modern.getPeerCertificate().asn1Curve, 'prime256v1');
    const old = await server.connect({ ...options, sigalgs: 'RSA-PSS+SHA256' });
    assert.equal(old.getPeerCertificate().bits, 2048);
  });

  it('a client that has no cipher or signature in common with the option tls is told so', async (t) => {
    const server = await SecureServer.open(t);
    for (const options of [
      { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA' },
      { maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256' },
      { sigalgs: 'RSA-PSS+SHA256', minVersion: 'TLSv1.3' },
    ]) {
      await assert.rejects(server.connect(options), { code: /ALERT_HANDSHAKE_FAILURE/ });
    }
  });

  it('the option tls takes an encrypted key with its passphrase', async (t) => {
    const key = crypto.createPrivateKey(RSA.key);
    const options = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' };
    const encrypted = key.export(options);
    const forms = [
      { key: encrypted, passphrase: 'secret' },
      { key: [{ pem: encrypted, passphrase: 'secret' }] },
    ];
    for (const form of forms) {
      const server = await SecureServer.open(t, { ...RSA, ...form });
      const { text } = await server.request({ ca: RSA.cert });
      assert.equal(text, 'Not found\n');
    }
  });

  it('an option tls that cannot be used throws at the call, and no message shows a key', () => {
    const { key, cert } = TLS;
    const encrypted = crypto
      .createPrivateKey(key)
      .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'a' });
    const cases = [
      [true, /'tls' must be an object such as \{ key, cert \}/],
      [{}, /'tls\.key' must be a string or a Buffer in PEM format.* got undefined/],
      [{ key }, /'tls\.cert' must be a string or a Buffer in PEM format.* got undefined/],
      [{ key: 1, cert }, /'tls\.key' must be .* got 1/],
      [{ key: 'key.pem', cert }, /'tls\.key' must be a private key in PEM .* give what is in it/],
      [{ key: 'secret', cert }, /'tls\.key' must be a private key in PEM format/],
      [{ key: encrypted, cert }, /'tls\.key' .* an encrypted one without its passphrase/],
      [
        { key: encrypted, cert, passphrase: 'b' },
        /'tls\.key' .* a passphrase that does not decrypt/,
      ],
      [{ key, cert: 'cert.pem' }, /'tls\.cert' must be certificates in PEM .* give what is in it/],
      [
        { key, cert, nope: 1 },
        /^The option 'tls' has no option 'tls\.nope'\. Its options are key, /,
      ],
      [{ key: cert, cert }, /'tls\.key' must be a private key in PEM format/],
      [{ key, cert: key }, /'tls\.cert' must be certificates in PEM format/],
      [
        { key, cert: RSA.cert },
        /'tls\.key' must .* got a key that does not belong to its certificate/,
      ],
      [
        { key: [key, key], cert },
        /'tls\.cert' must be an array with one element for each of the 2/,
      ],
      [{ key, cert, minVersion: 'TLSv1' }, /'tls\.minVersion' must be 'TLSv1\.2' or 'TLSv1\.3'/],
      [
        { key, cert, minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' },
        /'tls\.minVersion' must be 'TLSv1\.2', as the maximum is/,
      ],
      [{ key, cert, requestCert: true }, /'tls\.ca' must be .* where requestCert is true/],
      [{ key, cert, ALPNProtocols: 'h2' }, /'tls\.ALPNProtocols' must be an array of names/],
      [{ key, cert, SNICallback() {} }, /'tls\.SNICallback' asks for\. Make an https\.Server/],
      [
        { key, cert, ca: cert, requestCert: true, rejectUnauthorized: false },
        /'tls\.rejectUnauthorized' asks for\. Make an https\.Server/,
      ],
      [{ key, cert, passphrase: 7 }, /'tls\.passphrase' must be a string; got 7/],
    ];
    for (const [option, message] of cases) {
      assert.throws(
        () => new Server({ tls: option }),
        (error) => {
          assert.match(error.code, /^ERR_LOOPBACK_SOCKET_(INVALID|UNKNOWN|UNSUPPORTED)_OPTION$/);
          assert.match(error.message, message);
          assert.doesNotMatch(error.message, /secret|BEGIN/);
          return true;
        },
      );
    }
  });

  it('setSecureContext() has later clients get another certificate, and keeps the others', async (t) => {
    const server = await SecureServer.open(t);
    const client = server.client('4.8', { transports: ['websocket'] });
    await once(client, 'connect');
    assert.throws(() => server.io.setSecureContext({ key: RSA.key, cert: TLS.cert }), {
      code: 'ERR_LOOPBACK_SOCKET_INVALID_OPTION',
    });
    server.io.setSecureContext(RSA);
    const later = await server.connect({ ca: RSA.cert });
    assert.equal(later.getPeerCertificate().bits, 2048);
    assert.equal(client.connected, true);
    await assert.rejects(server.request(), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
    assert.throws(() => new Server().setSecureContext(RSA), {
      code: 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_API',
    });
  });

  it('the option tls is refused for a server that has TLS of its own', () => {
    const io = new Server({ tls: TLS });
    assert.throws(() => io.attach(https.createServer(TLS)), {
      code: 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_OPTION',
      message: /Give it with a port or a plain http\.Server/,
    });
  });
});
