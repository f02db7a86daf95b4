'use strict';

// What Node's http.Server knows of the websockets that it has accepted and Rust has, and what
// middleware for requests sees of them: as with socket.io, whose websockets stay Node's.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const path = require('node:path');
const { describe, it } = require('node:test');
const { WebSocket } = require('ws');
const LoopbackSocket = require('../..');
const socketIo = require('socket.io');
const { AcceptedWebsockets } = require('../../lib/http/accepted-websockets');
const { unhandled } = require('../support/native-server');
const { reach } = require('../support/waiting');

const SERVERS = {
  native: (httpServer, options) => new LoopbackSocket.Server(httpServer, options),
  'socket.io': (httpServer, options) => new socketIo.Server(httpServer, options),
};

/** Opens a server of a kind for a test. */
function open(t, kind, options) {
  return openOn(
    t,
    http.createServer((req, res) => res.end('page')),
    kind,
    options,
  );
}

/** Opens a server of a kind on a server of Node's. */
async function openOn(t, httpServer, kind, options) {
  const io = SERVERS[kind](httpServer, options);
  t.after(() => {
    io.close();
    httpServer.closeAllConnections();
  });
  httpServer.listen(0, '127.0.0.1');
  await once(httpServer, 'listening');
  return { io, httpServer, port: httpServer.address().port };
}

/** A client of Engine.IO 4 by websocket that has joined the default namespace. */
async function join(t, io, port, headers = {}) {
  const url = `ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`;
  const client = new WebSocket(url, { headers });
  t.after(() => client.terminate());
  const response = once(client, 'upgrade');
  await once(client, 'open');
  const connected = once(io, 'connection');
  client.send('40');
  const [[socket], [answer]] = await Promise.all([connected, response]);
  client.closed = once(client, 'close');
  return { client, socket, headers: answer.headers };
}

const count = (httpServer) =>
  new Promise((resolve, reject) => {
    httpServer.getConnections((error, number) => (error ? reject(error) : resolve(number)));
  });

for (const kind of Object.keys(SERVERS)) {
  describe(`the http.Server of a ${kind} server`, { timeout: 30_000 }, () => {
    it('close() ends the sessions of long polling', async (t) => {
      const { io, httpServer, port } = await open(t, kind);
      const url = `http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling`;
      const connected = once(io, 'connection');
      const { sid } = JSON.parse((await (await fetch(url)).text()).slice(1));
      await (await fetch(`${url}&sid=${sid}`, { method: 'POST', body: '40' })).text();
      const [socket] = await connected;
      const ended = once(socket, 'disconnect');
      httpServer.close();
      assert.equal((await ended)[0], 'forced close');
      await reach(() => io.engine.clientsCount === 0);
    });

    it('close() of one of several http.Servers leaves clients of the others', async (t) => {
      const { io, httpServer, port } = await open(t, kind);
      // `io` closes only the one that it was attached to last.
      t.after(() => httpServer.close());
      const other = http.createServer();
      io.attach(other);
      other.listen(0, '127.0.0.1');
      await once(other, 'listening');
      const { socket } = await join(t, io, port);
      other.close();
      await once(other, 'close');
      assert.ok(socket.connected);
      assert.equal(socket.conn.readyState, 'open');
    });

    it('a handler of a request that closes the Socket.IO server closes the http.Server at once', async (t) => {
      const httpServer = http.createServer({ keepAliveTimeout: 60_000 }, (req, res) => {
        closed = new Promise((resolve) => {
          io.close(resolve);
        });
        res.end('page');
      });
      const { io, port } = await openOn(t, httpServer, kind);
      let closed;
      const client = net.connect(port, '127.0.0.1');
      t.after(() => client.destroy());
      const ended = once(client, 'close');
      client.resume();
      client.write('GET /shutdown HTTP/1.1\r\nHost: a\r\n\r\n');
      await ended;
      await closed;
    });

    it('getConnections() counts websockets until they are closed', async (t) => {
      const { io, httpServer, port } = await open(t, kind);
      const first = await join(t, io, port);
      const second = await join(t, io, port);
      assert.equal(await count(httpServer), 2);
      first.client.close();
      await first.client.closed;
      await reach(async () => (await count(httpServer)) === 1);
      second.socket.disconnect(true);
      await second.client.closed;
      await reach(async () => (await count(httpServer)) === 0);
    });

    it('getConnections() counts the websocket of an upgrade whether it succeeds or fails', async (t) => {
      const { httpServer, port } = await open(t, kind, { upgradeTimeout: 50 });
      const base = `127.0.0.1:${port}/socket.io/?EIO=4`;
      const poll = async () => {
        const headers = { connection: 'close' };
        const response = await fetch(`http://${base}&transport=polling`, { headers });
        return JSON.parse((await response.text()).slice(1)).sid;
      };
      const probe = async () => {
        const client = new WebSocket(`ws://${base}&transport=websocket&sid=${await poll()}`);
        t.after(() => client.terminate());
        await once(client, 'open');
        client.send('2probe');
        await once(client, 'message');
        return client;
      };
      const moved = await probe();
      moved.send('5');
      const failed = await probe();
      await reach(async () => (await count(httpServer)) === 2);
      // The second one never says that it moves.
      await once(failed, 'close');
      await reach(async () => (await count(httpServer)) === 1);
      moved.terminate();
      await reach(async () => (await count(httpServer)) === 0);
    });

    it('maxConnections includes websockets', async (t) => {
      const { io, httpServer, port } = await open(t, kind);
      httpServer.maxConnections = 2;
      const first = await join(t, io, port);
      await join(t, io, port);
      const dropped = once(httpServer, 'drop');
      const third = net.connect(port, '127.0.0.1');
      third.on('error', () => {});
      await Promise.all([dropped, once(third, 'close')]);
      first.client.close();
      await reach(async () => (await count(httpServer)) === 1);
      await join(t, io, port);
    });

    it('maxConnections of 0 admits nobody in Node 21 and later, and everybody before', async (t) => {
      const { httpServer, port } = await open(t, kind);
      httpServer.maxConnections = 0;
      const ws = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`);
      t.after(() => ws.terminate());
      const isAdmitted = await new Promise((resolve) => {
        ws.once('open', () => resolve(true)).once('error', () => resolve(false));
      });
      assert.equal(isAdmitted, parseInt(process.versions.node, 10) < 21);
    });

    it('an http.Server closes when its last websocket does', async (t) => {
      const { io, httpServer, port } = await open(t, kind);
      const { client } = await join(t, io, port);
      let isClosed = false;
      const closed = new Promise((resolve) => {
        httpServer.close(() => {
          isClosed = true;
          resolve();
        });
      });
      // A round trip of the client: it is still served.
      const told = once(client, 'message');
      io.emit('still', 'here');
      await told;
      assert.equal(isClosed, false);
      client.close();
      await closed;
    });

    it('closing the Socket.IO server closes the http.Server and its clients', async (t) => {
      const { io, httpServer, port } = await open(t, kind);
      const { client } = await join(t, io, port);
      const closed = once(httpServer, 'close');
      await Promise.all([io.close(), client.closed, closed]);
      assert.equal(await count(httpServer), 0);
    });

    it('ending or destroying socket.request.socket disconnects the client', async (t) => {
      const { io, port } = await open(t, kind);
      for (const end of ['destroy', 'end']) {
        const { client, socket } = await join(t, io, port);
        const reason = once(socket, 'disconnect');
        socket.request.socket[end]();
        assert.equal((await reason)[0], 'transport close', end);
        await client.closed;
        assert.equal(socket.request.socket.destroyed, true, end);
      }
    });

    for (const seen of [false, true]) {
      const title = seen ? 'that middleware has read' : 'that no code has read';
      it(`the socket of a request ${title} has the addresses of the client while it is connected`, async (t) => {
        const { io, port } = await open(t, kind);
        const requests = [];
        if (seen) {
          io.engine.use((req, res, next) => {
            requests.push(req);
            next();
          });
        }
        const during = [];
        io.use((socket, next) => {
          during.push(socket.request.socket.destroyed);
          next();
        });
        const { client, socket } = await join(t, io, port);
        const { port: localPort, address } = client._socket.address();
        const shown = () => {
          const { destroyed, encrypted } = socket.request.socket;
          const { remoteAddress, remotePort, remoteFamily } = socket.request.socket;
          const { localAddress, localPort: ours, localFamily } = socket.request.socket;
          return [
            destroyed,
            Boolean(encrypted),
            [remoteAddress, remotePort, remoteFamily],
            [localAddress, ours, localFamily],
          ];
        };
        assert.deepEqual(during, [false]);
        assert.deepEqual(shown(), [
          false,
          false,
          [address, localPort, 'IPv4'],
          ['127.0.0.1', port, 'IPv4'],
        ]);
        if (seen) assert.equal(socket.request, requests[0]);
        const disconnected = once(socket, 'disconnect');
        client.close();
        await disconnected;
        await reach(() => socket.request.socket.destroyed);
      });
    }

    it('middleware may add headers to the response of an upgrade when they are written', async (t) => {
      const { io, port } = await open(t, kind);
      io.engine.use((req, res, next) => {
        // As npm `on-headers` does, on which sessions and cookies stand.
        const { writeHead } = res;
        res.writeHead = function told(...args) {
          const before = res.getHeader('Set-Cookie') ?? [];
          res.setHeader('Set-Cookie', [...before, 'late=2']);
          return writeHead.apply(this, args);
        };
        res.setHeader('Set-Cookie', ['early=1']);
        next();
      });
      const { headers } = await join(t, io, port);
      // socket.io puts several cookies in one header, which browsers take for one.
      const cookies = kind === 'native' ? ['early=1', 'late=2'] : ['early=1,late=2'];
      assert.deepEqual(headers['set-cookie'], cookies);
    });

    it('the response to an upgrade closes when the websocket does and not before', async (t) => {
      const { io, port } = await open(t, kind);
      const events = [];
      io.engine.use((req, res, next) => {
        for (const event of ['finish', 'close']) res.on(event, () => events.push(event));
        next();
      });
      const { client, socket } = await join(t, io, port);
      const told = once(client, 'message');
      socket.emit('x');
      await told;
      assert.deepEqual(events, []);
      client.close();
      await reach(() => events.length > 0);
      assert.deepEqual(events, ['close']);
    });

    it('the response to an upgrade over TLS closes when the websocket does', async (t) => {
      const [key, cert] = ['key.pem', 'cert.pem'].map((name) =>
        fs.readFileSync(path.join(__dirname, '..', 'support', 'tls', name)),
      );
      const { io, port } = await openOn(t, https.createServer({ key, cert }), kind);
      const closed = new Promise((resolve) => {
        io.engine.use((req, res, next) => {
          res.on('close', resolve);
          next();
        });
      });
      const url = `wss://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`;
      const client = new WebSocket(url, { rejectUnauthorized: false });
      await once(client, 'open');
      client.close();
      await closed;
    });

    it('the response to an upgrade that middleware refuses finishes or closes', async (t) => {
      const { io, port } = await open(t, kind);
      const events = [];
      io.engine.use((req, res, next) => {
        for (const event of ['finish', 'close']) res.on(event, () => events.push(event));
        if (req.url.includes('refused')) next(new Error('refused'));
        else res.end();
      });
      for (const [query, expected] of [
        ['refused', ['close']],
        ['ended', ['finish', 'close']],
      ]) {
        events.length = 0;
        const url = `ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket&${query}`;
        const client = new WebSocket(url);
        const failed = new Promise((resolve) => client.once('error', resolve));
        await failed;
        await reach(() => events.includes('close'));
        assert.deepEqual(events, expected, query);
      }
    });
  });
}

describe('failed hand-overs', () => {
  it('a websocket whose hand-over fails is forgotten with its response', async (t) => {
    const { io, port } = await open(t, 'native');
    io.engine.use((req, res, next) => {
      res.on('close', () => {});
      next();
    });
    const failure = new Error('not taken');
    t.mock.method(io._link.native, 'upgrade', () => {
      throw failure;
    });
    const numberOf = t.mock.method(AcceptedWebsockets.prototype, 'numberOf');
    const forget = t.mock.method(AcceptedWebsockets.prototype, 'forget');
    const errors = await unhandled(async () => {
      const client = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`);
      await once(client, 'error');
    });
    assert.deepEqual(errors, [failure]);
    const [{ result: number }] = numberOf.mock.calls;
    assert.deepEqual(
      forget.mock.calls.map(({ arguments: [which] }) => which),
      [number],
    );
  });
});
