'use strict';

// A large audience: what is broadcast reaches all of it, whatever the pace.

const assert = require('node:assert/strict');
const http = require('node:http');
const net = require('node:net');
const { once } = require('node:events');
const { it } = require('node:test');
const LoopbackSocket = require('../..');

const AUDIENCE = 1000;
const BROADCASTS = 1000;
const TIMEOUT = { timeout: 60_000 };

/**
 * A text frame as a server sends it.
 * @param {string} text - up to 125 bytes
 * @returns {Buffer}
 */
function frame(text) {
  return Buffer.concat([Buffer.from([0x81, text.length]), Buffer.from(text)]);
}

/** What each client is to hear: every broadcast, in order, and nothing else. */
const EXPECTED = Buffer.concat(
  Array.from({ length: BROADCASTS }, (_, i) => frame(`42["news",${i}]`)),
);

/**
 * Joins the default namespace over a bare TCP socket, which can tell its stream byte by byte.
 * @param {number} port
 * @returns {Promise<{ socket: net.Socket, rest: Buffer }>} the socket, paused behind the welcome
 */
async function join(port) {
  const socket = net.connect(port, '127.0.0.1');
  socket.write(
    'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\n' +
      'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  // A masked `40`, the mask being zeros.
  socket.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x34, 0x30]));
  let seen = Buffer.alloc(0);
  for (;;) {
    const [chunk] = await once(socket, 'data');
    seen = Buffer.concat([seen, chunk]);
    const welcome = seen.indexOf('40{"sid"');
    const end = welcome < 0 ? -1 : seen.indexOf('}', welcome);
    if (end >= 0) {
      socket.pause();
      return { socket, rest: seen.subarray(end + 1) };
    }
  }
}

/**
 * Hears a client out.
 * @param {{ socket: net.Socket, rest: Buffer }} client
 * @returns {Promise<Buffer>} as many bytes as there should be
 */
async function hear({ socket, rest }) {
  const chunks = [rest];
  let bytes = rest.length;
  socket.resume();
  while (bytes < EXPECTED.length) {
    const [chunk] = await once(socket, 'data');
    chunks.push(chunk);
    bytes += chunk.length;
  }
  return Buffer.concat(chunks);
}

it('1,000 broadcasts to 1,000 sockets in one tick all arrive in order', TIMEOUT, async () => {
  const httpServer = http.createServer();
  const io = new LoopbackSocket.Server(httpServer);
  let joined = 0;
  const complete = new Promise((resolve) => {
    io.on('connection', () => {
      joined += 1;
      if (joined === AUDIENCE) resolve();
    });
  });
  await new Promise((resolve) => {
    httpServer.listen(0, '127.0.0.1', resolve);
  });
  const { port } = httpServer.address();
  const clients = [];
  while (clients.length < AUDIENCE) {
    clients.push(...(await Promise.all(Array.from({ length: 50 }, () => join(port)))));
  }
  await complete;
  for (let i = 0; i < BROADCASTS; i++) {
    io.emit('news', i);
  }
  for (const heard of await Promise.all(clients.map(hear))) {
    assert.ok(heard.equals(EXPECTED));
  }
  clients.forEach(({ socket }) => socket.destroy());
  await io.close();
});
