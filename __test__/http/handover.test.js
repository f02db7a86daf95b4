'use strict';

// A websocket is taken over from Node without losing a byte, and everybody else on the same
// http.Server goes on as before.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { describe, it } = require('node:test');
const { WebSocket, WebSocketServer } = require('ws');
const { Server } = require('../..');
const { frame, upgradeRequest } = require('../support/raw');
const { TIMEOUT, openFiles, reach, served } = require('../support/native-server');

const LINUX = { ...TIMEOUT, skip: process.platform !== 'linux' };

/**
 * The frames of a client that calls `m` with a few payloads of every length's coding. It is of
 * Engine.IO 3, and so in its namespace from the start: others have to wait for their welcome.
 */
const PAYLOADS = ['a', 'b'.repeat(200), 'c'.repeat(70_000), 'd'];
const FRAMES = PAYLOADS.map((payload) => frame(`42${JSON.stringify(['m', payload])}`));
const EAGER = upgradeRequest({ query: 'EIO=3&transport=websocket' });

/** What the server hears of one client, until it has heard as much as that client says. */
function heard(world) {
  return new Promise((resolve) => {
    world.io.once('connection', (socket) => {
      const seen = [];
      socket.on('m', (payload) => seen.push(payload) === PAYLOADS.length && resolve(seen));
    });
  });
}

describe('handing over a websocket', () => {
  it(
    'no byte is lost that arrives in one segment with the upgrade request',
    TIMEOUT,
    served({}, async (world) => {
      const tcp = await world.tcp();
      const all = heard(world);
      tcp.socket.write(Buffer.concat([Buffer.from(EAGER), ...FRAMES]));
      assert.deepEqual(await all, PAYLOADS);
      const head = await tcp.until(/^HTTP\/1.1 101 [^]*?\r\n\r\n/);
      assert.match(head[0], /sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/i);
    }),
  );

  it(
    'no byte is lost when every byte arrives alone',
    TIMEOUT,
    served({}, async (world) => {
      const tcp = await world.tcp();
      const all = heard(world);
      const small = Buffer.concat([Buffer.from(EAGER), ...FRAMES.slice(0, 3)]);
      for (const byte of small) {
        tcp.socket.write(Buffer.from([byte]));
        await new Promise((resolve) => setImmediate(resolve));
      }
      tcp.socket.write(Buffer.concat(FRAMES.slice(3)));
      assert.deepEqual(await all, PAYLOADS);
    }),
  );

  it(
    'no byte is lost wherever the stream is cut in two',
    TIMEOUT,
    served({}, async (world) => {
      const stream = Buffer.concat([Buffer.from(EAGER), ...FRAMES]);
      const cuts = Array.from({ length: 60 }, (_, i) => 1 + i * 9);
      for (const cut of cuts) {
        const tcp = await world.tcp();
        const all = heard(world);
        tcp.socket.write(stream.subarray(0, cut));
        await new Promise((resolve) => setImmediate(resolve));
        tcp.socket.write(stream.subarray(cut));
        assert.deepEqual(await all, PAYLOADS, `cut at ${cut}`);
        tcp.terminate();
      }
    }),
  );

  it('a websocket over a Unix socket is handed over', TIMEOUT, async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'loopback-socket-'));
    const file = path.join(folder, 'http.sock');
    const httpServer = http.createServer();
    const io = new Server(httpServer);
    httpServer.listen(file);
    await once(httpServer, 'listening');
    io.on('connection', (socket) => socket.on('echo', (value, done) => done(value)));
    const ws = new WebSocket(`ws+unix:${file}:/socket.io/?EIO=4&transport=websocket`);
    const messages = [];
    const answered = new Promise((resolve) => {
      ws.on('message', (data) => {
        messages.push(String(data));
        if (messages.at(-1)[0] === '0') ws.send('40');
        if (messages.at(-1).startsWith('40')) ws.send('427["echo","unix"]');
        if (messages.at(-1).startsWith('43')) resolve();
      });
    });
    await answered;
    assert.equal(messages.at(-1), '437["unix"]');
    ws.close();
    await io.close();
    fs.rmSync(folder, { recursive: true });
  });

  it(
    'no file descriptor stays open after 300 connections, even if clients disconnect during the hand-over',
    LINUX,
    served({}, async (world) => {
      const request = Buffer.from(upgradeRequest());
      const stream = Buffer.concat([request, ...FRAMES]);
      const visit = async (i) => {
        const tcp = await world.tcp();
        tcp.socket.write(stream.subarray(0, request.length - 20 + (i % 100)));
        if (i % 3 === 0) tcp.socket.resetAndDestroy();
        else if (i % 3 === 1) tcp.socket.end();
        else if (i % 100 >= 20) await tcp.until(/101/);
        tcp.terminate();
      };
      for (let i = 0; i < 10; i++) await visit(i);
      await reach(() => world.io.sockets.sockets.size === 0);
      const before = openFiles();
      for (let i = 0; i < 300; i++) await visit(i);
      await reach(() => openFiles() <= before + 2);
    }),
  );

  it(
    'a server can close after a client reset its connection during the hand-over',
    TIMEOUT,
    async () => {
      for (let i = 0; i < 20; i++) {
        await served({}, async (world) => {
          const tcp = await world.tcp();
          const asked = once(world.httpServer, 'upgrade');
          tcp.socket.write(upgradeRequest());
          tcp.socket.resetAndDestroy();
          await Promise.race([asked, once(tcp.socket, 'close')]);
        })({ signal: new AbortController().signal });
      }
    },
  );

  it(
    'a websocket that is being handed over is closed with its server',
    TIMEOUT,
    served({}, async (world) => {
      let closed;
      world.httpServer.on('upgrade', () => {
        closed = world.io.close();
      });
      const tcp = await world.tcp();
      tcp.socket.write(upgradeRequest());
      // The end of the websocket, which the client answers: then it is that of the stream, too.
      await tcp.until(/\x88\W$/);
      tcp.socket.write(Buffer.from([0x88, 0x80, 0, 0, 0, 0]));
      await tcp.ended;
      await closed;
    }),
  );

  it(
    'the handshake of a websocket has the headers and the query of its request',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.raw({ query: 'token=a%20b&x=1', headers: { 'X-Mine': 'yes' } });
      const { handshake, request } = raw.socket;
      assert.equal(handshake.headers['x-mine'], 'yes');
      assert.equal(handshake.query.token, 'a b');
      assert.equal(handshake.query.EIO, '4');
      assert.equal(handshake.query.transport, 'websocket');
      assert.equal(handshake.address, '127.0.0.1');
      assert.equal(handshake.secure, false);
      assert.equal(handshake.xdomain, false);
      assert.match(handshake.url, /^\/socket\.io\/\?EIO=4&token=a%20b/);
      assert.ok(Math.abs(Date.now() - handshake.issued) < 10_000);
      assert.equal(new Date(handshake.time).getTime(), Math.floor(handshake.issued / 1000) * 1000);
      assert.equal(request.headers.host, `127.0.0.1:${world.port}`);
      assert.deepEqual(request._query, { EIO: '4', token: 'a b', x: '1', transport: 'websocket' });
    }),
  );
});

describe('other listeners on the same http.Server', () => {
  it(
    'other upgrade listeners keep working and an upgrade that no listener handles is closed',
    TIMEOUT,
    served({}, async (world) => {
      const echo = new WebSocketServer({ noServer: true });
      world.httpServer.on('upgrade', (req, socket, head) => {
        if (req.url === '/echo') {
          echo.handleUpgrade(req, socket, head, (ws) => {
            ws.on('message', (data) => ws.send(data));
          });
        }
      });
      const ws = new WebSocket(`ws://127.0.0.1:${world.port}/echo`);
      await once(ws, 'open');
      const nobody = await world.tcp();
      nobody.socket.write(upgradeRequest({ path: '/nobody' }));
      await nobody.ended;
      assert.equal(nobody.data.length, 0);
      ws.send('still here');
      assert.equal(String((await once(ws, 'message'))[0]), 'still here');
      assert.equal(await world.isAlive(), 'yes');
      ws.close();
      await once(ws, 'close');
    }),
  );

  const app = () => {
    const httpServer = http.createServer((req, res) => res.end(`app ${req.method} ${req.url}`));
    return { httpServer };
  };

  it(
    'a request listener gets every URL but those of the server',
    TIMEOUT,
    served(app, async (world) => {
      const text = async (url, options) => (await fetch(world.url + url, options)).text();
      for (const url of [
        '/',
        '/socket.iox/?EIO=4',
        '/socket.io?EIO=4&transport=polling',
        '/socket.io.js',
        '/api/socket.io/',
        '/SOCKET.IO/',
      ]) {
        assert.equal(await text(url), `app GET ${url}`);
      }
      assert.equal(await text('/post', { method: 'POST', body: 'x' }), 'app POST /post');
      assert.match(await text('/socket.io/?EIO=4&transport=polling'), /^0\{"sid"/);
      assert.match(await text('/socket.io/nothing'), /Transport unknown/);
    }),
  );

  it(
    'a request listener that was added after the server gets every request',
    TIMEOUT,
    served(app, async (world) => {
      const seen = [];
      world.httpServer.on('request', (req) => seen.push(req.url));
      await fetch(`${world.url}/later`);
      assert.deepEqual(seen, ['/later']);
    }),
  );

  it(
    'several native servers with different paths share an http.Server',
    TIMEOUT,
    served({}, async (world) => {
      const second = new Server(world.httpServer, { path: '/second' });
      const connected = once(second, 'connection');
      const raw = await world.raw({ path: '/second/', join: false });
      await raw.join();
      const [socket] = await connected;
      socket.on('echo', (value, done) => done(value));
      assert.deepEqual(await raw.call('echo', 2), [2]);
      const polling = await world.polling({ path: '/second/', join: false });
      await polling.join();
      assert.equal(second.sockets.sockets.size, 2);
      assert.equal(await world.isAlive(), 'yes');
      await second.close();
      await raw.closed;
    }),
  );
});
