'use strict';

// Every way to be attached: several servers and other listeners on one http.Server, TLS, HTTP/2, a
// Unix socket, workers of a cluster, worker threads.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const http2 = require('node:http2');
const https = require('node:https');
const os = require('node:os');
const path = require('node:path');
const { describe, it } = require('node:test');
const { WebSocket, WebSocketServer } = require('ws');
const { Server } = require('../..');
const { message, start } = require('../support/child');
const { RawPolling, RawWebsocket } = require('../support/raw');
const {
  CLIENTS,
  TIMEOUT,
  World,
  happens,
  reach,
  served,
  upgraded,
  within,
} = require('../support/native-server');
const { limited } = require('../support/waiting');

const TLS = {
  key: fs.readFileSync(path.join(__dirname, '..', 'support', 'tls', 'key.pem')),
  cert: fs.readFileSync(path.join(__dirname, '..', 'support', 'tls', 'cert.pem')),
};

/**
 * Joins the default namespace. What a client sends before its CONNECT is answered ends its connection,
 * and the application may know of its socket before the client does.
 */
async function joined(ws) {
  ws.send('40');
  await new Promise((resolve) => {
    ws.on('message', (data) => {
      if (String(data).startsWith('40')) resolve();
    });
  });
}

/** A world on TLS. */
class SecureWorld extends World {
  constructor(options, httpServer = https.createServer(TLS)) {
    super(options, httpServer);
  }

  async listen() {
    await super.listen();
    this.url = `https://127.0.0.1:${this.port}`;
  }

  client(version, options) {
    return super.client(version, { rejectUnauthorized: false, ...options });
  }

  /** A websocket of `ws`, with the server's socket for it, in the default namespace. */
  async secure() {
    const connected = once(this.io, 'connection');
    const ws = new WebSocket(`wss://127.0.0.1:${this.port}/socket.io/?EIO=4&transport=websocket`, {
      rejectUnauthorized: false,
      perMessageDeflate: false,
    });
    await once(ws, 'open');
    await joined(ws);
    const [socket] = await connected;
    return { ws, socket };
  }
}

const secured = (options, test) => within(() => new SecureWorld(options), test);

describe('https.Server', () => {
  for (const version of CLIENTS) {
    for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
      it(
        `client ${version} is served over TLS by ${transports.join(', then ')} with handshake.secure`,
        TIMEOUT,
        secured({}, async (world) => {
          const { client, socket } = await world.connect(version, { transports });
          assert.equal(socket.handshake.secure, true);
          assert.equal(socket.handshake.address, '127.0.0.1');
          if (transports.length > 1) await upgraded(client);
          socket.on('echo', (value, done) => done(value, Buffer.from('bytes')));
          const large = 'ü'.repeat(200_000);
          const [text, bytes] = await new Promise((resolve) => {
            client.emit('echo', large, (...answer) => resolve(answer));
          });
          assert.equal(text, large);
          assert.equal(String(Buffer.from(bytes)), 'bytes');
          const ended = once(socket, 'disconnect');
          client.disconnect();
          await ended;
        }),
      );
    }
  }

  it(
    'a TLS client that closes or terminates its websocket ends with "transport close"',
    TIMEOUT,
    secured({}, async (world) => {
      for (const leave of [(ws) => ws.close(), (ws) => ws.terminate()]) {
        const { ws, socket } = await world.secure();
        const ended = once(socket, 'disconnect');
        leave(ws);
        assert.equal((await ended)[0], 'transport close');
      }
      await reach(() => world.io.engine.clientsCount === 0);
    }),
  );

  it(
    'a TLS connection that the server ends closes for the client',
    TIMEOUT,
    secured({}, async (world) => {
      const { ws, socket } = await world.secure();
      const closed = once(ws, 'close');
      socket.disconnect(true);
      await closed;
    }),
  );

  it(
    'a TLS client that sends faster than it is read loses no message',
    TIMEOUT,
    secured({}, async (world) => {
      const { ws, socket } = await world.secure();
      const COUNT = 200;
      const filler = 'x'.repeat(50_000);
      const seen = [];
      const all = new Promise((resolve) => {
        socket.on('n', (n) => seen.push(n) === COUNT && resolve());
      });
      for (let n = 0; n < COUNT; n++) ws.send(`42["n",${n},"${filler}"]`);
      await all;
      assert.deepEqual(
        seen,
        Array.from({ length: COUNT }, (_, n) => n),
      );
    }),
  );

  it(
    'a TLS client that reads slowly gets every message in order',
    TIMEOUT,
    secured({}, async (world) => {
      const { ws, socket } = await world.secure();
      const COUNT = 200;
      const filler = 'x'.repeat(50_000);
      ws.pause();
      for (let n = 0; n < COUNT; n++) socket.emit('n', n, filler);
      const seen = [];
      const all = new Promise((resolve) => {
        ws.on('message', (data) => {
          const match = /^42\["n",(\d+),/.exec(data);
          if (match !== null && seen.push(Number(match[1])) === COUNT) resolve();
        });
      });
      ws.resume();
      await all;
      assert.deepEqual(
        seen,
        Array.from({ length: COUNT }, (_, n) => n),
      );
    }),
  );

  it(
    'a TLS client that does not read is closed beyond maxBackpressure',
    TIMEOUT,
    secured({ maxBackpressure: 100_000 }, async (world) => {
      const { ws, socket } = await world.secure();
      const other = await world.secure();
      ws.pause();
      const ended = once(socket, 'disconnect');
      const filler = 'x'.repeat(100_000);
      const check = limited('the socket is disconnected');
      while (socket.connected) {
        check();
        socket.emit('n', filler);
        await new Promise(setImmediate);
      }
      assert.equal((await ended)[0], 'transport error');
      other.socket.on('echo', (value, done) => done(value));
      other.ws.send('420["echo",1]');
      await happens(other.ws, 'message');
      ws.terminate();
    }),
  );
});

describe('HTTP/2 server with allowHTTP1', () => {
  it(
    'an HTTP/2 server serves polling over HTTP/2 and websockets over HTTP/1',
    TIMEOUT,
    async (t) => {
      const world = new SecureWorld({}, http2.createSecureServer({ ...TLS, allowHTTP1: true }));
      await world.listen();
      t.signal.addEventListener('abort', () => world.close());
      const session = http2.connect(world.url, { rejectUnauthorized: false });
      const request = async (method, query, body) => {
        const stream = session.request({
          ':method': method,
          ':path': `/socket.io/?EIO=4&transport=polling${query}`,
        });
        stream.end(body);
        let text = '';
        for await (const chunk of stream.setEncoding('utf8')) text += chunk;
        return text;
      };
      const open = await request('GET', '');
      const { sid } = JSON.parse(open.slice(1));
      const connected = once(world.io, 'connection');
      assert.equal(await request('POST', `&sid=${sid}`, '40'), 'ok');
      const [socket] = await connected;
      assert.equal(socket.handshake.secure, true);
      assert.match(await request('GET', `&sid=${sid}`), /^40/);
      const { ws } = await world.secure();
      const both = [once(ws, 'close'), once(socket, 'disconnect')];
      session.close();
      await world.close();
      await Promise.all(both);
    },
  );
});

describe('Unix socket', () => {
  it('websockets and polling are served on a Unix socket', TIMEOUT, async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'loopback-socket-'));
    const socketPath = path.join(folder, 'socket');
    const httpServer = http.createServer();
    const io = new Server(httpServer);
    httpServer.listen(socketPath);
    await once(httpServer, 'listening');
    const connected = once(io, 'connection');
    const ws = new WebSocket(`ws+unix://${socketPath}:/socket.io/?EIO=4&transport=websocket`);
    const received = [];
    ws.on('message', (data) => received.push(String(data)));
    await once(ws, 'open');
    await joined(ws);
    const [socket] = await connected;
    socket.on('echo', (value, done) => done(value));
    ws.send('420["echo",1]');
    await reach(() => received.length === 3);
    assert.equal(received[2], '430[1]');
    const open = await new Promise((resolve, reject) => {
      http
        .get({ socketPath, path: '/socket.io/?EIO=4&transport=polling' }, (res) => {
          res.setEncoding('utf8').once('data', resolve);
        })
        .once('error', reject);
    });
    assert.match(open, /^0\{"sid"/);
    const closed = once(ws, 'close');
    await io.close();
    await closed;
    fs.rmSync(folder, { recursive: true });
  });
});

describe('a shared http.Server', () => {
  it(
    'several servers on one http.Server serve their own paths and close independently',
    TIMEOUT,
    served({ path: '/first' }, async (world) => {
      const servers = ['/second', '/third/deep', '/without'].map((where) => {
        const options = { path: where, addTrailingSlash: where !== '/without' };
        return [where, new Server(world.httpServer, options)];
      });
      for (const [where, io] of [['/first', world.io], ...servers]) {
        io.on('connection', (socket) => socket.on('where', (done) => done(where)));
      }
      for (const where of ['/first', '/second', '/third/deep', '/without']) {
        const given = where === '/without' ? where : `${where}/`;
        for (const Raw of [RawWebsocket, RawPolling]) {
          const raw = new Raw(world.port, { path: given });
          await raw.opened();
          await raw.join();
          assert.deepEqual(await raw.call('where'), [where]);
          raw.terminate();
        }
      }
      for (const [, io] of servers) await io.close();
    }),
  );

  it(
    'a server may be attached before and after it listens, and to several http.Servers',
    TIMEOUT,
    async () => {
      const early = http.createServer((req, res) => res.end('early'));
      const late = http.createServer((req, res) => res.end('late'));
      const io = new Server({ pingInterval: 12_000 });
      io.on('connection', (socket) => socket.on('echo', (value, done) => done(value)));
      io.attach(early);
      early.listen(0, '127.0.0.1');
      late.listen(0, '127.0.0.1');
      await Promise.all([once(early, 'listening'), once(late, 'listening')]);
      const { port } = late.address();
      assert.equal(await (await fetch(`http://127.0.0.1:${port}/socket.io/`)).text(), 'late');
      io.attach(late);
      for (const server of [early, late]) {
        const raw = new RawWebsocket(server.address().port);
        await raw.opened();
        assert.equal(raw.open.pingInterval, 12_000);
        await raw.join();
        assert.deepEqual(await raw.call('echo', 1), [1]);
        raw.terminate();
        await raw.closed;
      }
      early.close();
      await io.close();
    },
  );

  it(
    'a server that closes waits for its websockets on every http.Server, which count none afterwards',
    TIMEOUT,
    async () => {
      const [first, last] = [http.createServer(), http.createServer()];
      const io = new Server();
      for (const httpServer of [first, last]) {
        io.attach(httpServer);
        httpServer.listen(0, '127.0.0.1');
        await once(httpServer, 'listening');
      }
      const { port } = first.address();
      const ws = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`);
      const connected = once(io, 'connection');
      await once(ws, 'open');
      await joined(ws);
      const [socket] = await connected;
      const ended = once(socket, 'disconnect');
      // It does not answer the server's close frame yet.
      ws._socket.pause();
      let isClosed = false;
      const closed = io.close().then(() => {
        isClosed = true;
      });
      await ended;
      await once(last, 'close');
      for (let i = 0; i < 5; i++) await new Promise(setImmediate);
      assert.equal(isClosed, false);
      ws._socket.resume();
      await closed;
      await new Promise((resolve) => {
        first.close(resolve);
      });
    },
  );

  it(
    'a request listener that was added before the server, as by Express, gets every other request',
    TIMEOUT,
    served(
      () => {
        const httpServer = http.createServer();
        const app = (req, res) => res.end(`app ${req.url}`);
        httpServer.on('request', app);
        return { httpServer, path: '/api/socket.io', addTrailingSlash: false };
      },
      async (world) => {
        const text = async (url) => (await fetch(world.url + url)).text();
        assert.equal(await text('/api/users'), 'app /api/users');
        assert.equal(
          await text('/socket.io/?EIO=4&transport=polling'),
          'app /socket.io/?EIO=4&transport=polling',
        );
        assert.match(await text('/api/socket.io?EIO=4&transport=polling'), /^0\{"sid"/);
        assert.match(await text('/api/socket.io/?EIO=4&transport=polling'), /^0\{"sid"/);
      },
    ),
  );

  it(
    'another websocket server on its own path keeps working with and without destroyUpgrade',
    TIMEOUT,
    async () => {
      for (const destroyUpgrade of [true, false]) {
        const world = new World({ destroyUpgrade, destroyUpgradeTimeout: 30 });
        await world.listen();
        const other = new WebSocketServer({ noServer: true });
        const sockets = [];
        world.httpServer.on('upgrade', (req, socket, head) => {
          sockets.push(socket);
          if (req.url === '/other') {
            other.handleUpgrade(req, socket, head, (ws) =>
              ws.on('message', (data) => ws.send(data)),
            );
          }
        });
        const ws = new WebSocket(`ws://127.0.0.1:${world.port}/other`);
        await once(ws, 'open');
        const nobody = await world.tcp();
        nobody.socket.write(
          'GET /nobody HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
        );
        const started = Date.now();
        if (destroyUpgrade) {
          await nobody.ended;
          assert.ok(Date.now() - started >= 25);
        } else {
          await new Promise((resolve) => setTimeout(resolve, 100));
          assert.equal(nobody.socket.readableEnded, false);
        }
        ws.send('still here');
        assert.equal(String((await once(ws, 'message'))[0]), 'still here');
        sockets.forEach((socket) => socket.destroy());
        await world.close();
      }
    },
  );
});

const UNTAKEN =
  'GET /nobody HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const PAGE = 'GET /page HTTP/1.1\r\nHost: x\r\n\r\n';

/** An application that answers `/page`, `/slow` when it is told to, and upgrades to `/first` and `/later`. */
class Beside extends World {
  constructor(options, create = (page) => http.createServer(page)) {
    const page = (req, res) => {
      if (req.url === '/slow') this.respond = () => res.end('slow');
      else res.end('page');
    };
    const httpServer = create(page);
    // Before the native server's listener.
    httpServer.on('upgrade', (req, socket) => {
      this.upgrades.push(socket);
      if (req.url === '/first') take(socket);
    });
    super({ destroyUpgradeTimeout: 50, ...options }, httpServer);
    this.upgrades = [];
    httpServer.on('upgrade', (req, socket) => {
      if (req.url === '/later') setImmediate(() => take(socket));
    });
    const take = (socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
      socket.on('data', (data) => socket.write(`echo ${data}`)).on('end', () => socket.end());
    };
  }

  /** @returns {Promise<import('net').Socket>} a connection that has got the response to a request */
  async keptAlive() {
    const { socket } = await this.tcp();
    socket.write(PAGE);
    await sees(socket, 'page');
    return socket;
  }

  /** Waits until an upgrade that came later than all others, and that nobody takes, has been ended. */
  async graceIsOver() {
    const { socket } = await this.tcp();
    const ended = once(socket, 'end');
    socket.write(UNTAKEN);
    await ended;
  }
}

/** Waits until a client has got this, at the end of what it has got. */
async function sees(socket, text) {
  let seen = '';
  while (!seen.endsWith(text)) seen += String((await once(socket, 'data'))[0]);
}

const beside = (test, ...args) => within(() => new Beside(...args), test);

describe('upgrades that nobody takes', () => {
  it(
    'an upgrade that nobody takes on a connection that was kept alive is ended, whether its client stays or leaves',
    TIMEOUT,
    beside(async (world) => {
      const [stays, leaves] = [await world.keptAlive(), await world.keptAlive()];
      const ended = once(stays, 'end');
      stays.write(UNTAKEN);
      leaves.write(UNTAKEN);
      await reach(() => world.upgrades.length === 2);
      leaves.destroy();
      await ended;
      await reach(() => world.upgrades.every((socket) => socket.destroyed));
    }),
  );

  it(
    'an upgrade that nobody takes is ended although a response to a request before it is written later',
    TIMEOUT,
    beside(async (world) => {
      const { socket } = await world.tcp();
      const ended = once(socket, 'end');
      socket.write(PAGE.replace('/page', '/slow') + UNTAKEN);
      await reach(() => world.upgrades.length === 1);
      world.respond();
      await sees(socket, 'slow');
      await ended;
      await reach(() => world.upgrades[0].destroyed);
    }),
  );

  it(
    'an upgrade that nobody takes on a connection of an https.Server that was kept alive is ended',
    TIMEOUT,
    beside(
      async (world) => {
        const agent = new https.Agent({ keepAlive: true, rejectUnauthorized: false });
        const options = { port: world.port, host: '127.0.0.1', agent };
        const [response] = await once(https.get({ ...options, path: '/page' }), 'response');
        await once(response.resume(), 'end');
        const headers = { Connection: 'Upgrade', Upgrade: 'websocket' };
        const upgrade = https.get({ ...options, path: '/nobody', headers });
        assert.equal((await once(upgrade, 'error'))[0].code, 'ECONNRESET');
        assert.equal(upgrade.reusedSocket, true);
        await reach(() => world.upgrades[0].destroyed);
      },
      {},
      (page) => https.createServer(TLS, page),
    ),
  );

  it(
    'an upgrade on a connection that was kept alive goes on when a listener has taken it before or after ours',
    TIMEOUT,
    beside(async (world) => {
      for (const target of ['/first', '/later']) {
        for (const socket of [(await world.tcp()).socket, await world.keptAlive()]) {
          socket.write(UNTAKEN.replace('/nobody', target));
          await sees(socket, '\r\n\r\n');
          await world.graceIsOver();
          socket.write('still here');
          await sees(socket, 'echo still here');
          socket.end();
        }
      }
    }),
  );

  it(
    'an upgrade that another native server on the same http.Server decides slowly is not ended',
    TIMEOUT,
    beside(async (world) => {
      const allowRequest = (req, callback) => {
        void world.graceIsOver().then(() => callback(null, true));
      };
      const other = new Server(world.httpServer, { path: '/other', allowRequest });
      const ws = new WebSocket(`ws://127.0.0.1:${world.port}/other/?EIO=4&transport=websocket`);
      await once(ws, 'open');
      ws.terminate();
      await other.close();
    }),
  );
});

describe('cluster', () => {
  it('websockets on a shared port are served by all workers of a cluster', TIMEOUT, async () => {
    const child = start('cluster.js');
    const port = await message(child);
    const pids = new Set();
    const clients = [];
    const check = limited('both workers serve clients');
    while (pids.size < 2) {
      check();
      const raw = new RawWebsocket(port);
      await raw.opened();
      await raw.join();
      const [pid] = await raw.call('who');
      pids.add(pid);
      clients.push(raw);
    }
    assert.ok(!pids.has(child.pid));
    child.send('close');
    assert.deepEqual(await message(child), [0, 0]);
    await Promise.all(clients.map((raw) => raw.closed));
    assert.equal((await child.ended).code, 0);
  });
});

describe('worker threads', () => {
  it(
    'a worker thread serves clients, and terminating it closes their connections and its port but not the process',
    TIMEOUT,
    async () => {
      const child = start('threads.js');
      for (const told of ['again', 'again', 'end']) {
        const port = await message(child);
        const clients = [];
        for (const Raw of [RawWebsocket, RawWebsocket, RawPolling]) {
          const raw = new Raw(port);
          await raw.opened();
          await raw.join();
          assert.deepEqual(await raw.call('echo', told), [told]);
          clients.push(raw);
        }
        // Calls are under way when the thread ends.
        for (const raw of clients) raw.send('420["echo",1]').catch(() => {});
        const next = told === 'end' ? message(child) : undefined;
        child.send(told);
        await Promise.all(clients.map((raw) => raw.closed));
        if (next !== undefined) assert.equal(await next, 'ended');
        // Nobody listens there any more: another server can.
        const successor = http.createServer().listen(port, '127.0.0.1');
        await once(successor, 'listening');
        successor.close();
      }
      const { code, signal, output } = await child.ended;
      assert.equal(code, 0, `${signal} ${output}`);
    },
  );
});
