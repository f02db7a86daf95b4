'use strict';

// What a client sends right behind the request that opens its connection is read by another thread, perhaps
// before JavaScript knows of the connection: it must reach JavaScript behind that, every time.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const net = require('node:net');
const { it } = require('node:test');
const { served } = require('../support/native-server');

/** In ms. A busy machine takes 20 s for all visits. */
const TIMEOUT = { timeout: 60_000 };
/** So many that one case in 700, which is how often it went wrong once, is found. */
const VISITS = 4000;
/** Visitors at a time. */
const VISITORS = 16;

/** A short text as the masked frame of a client; the mask is zero. */
function frame(text) {
  assert.ok(text.length < 126);
  return Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0, ...Buffer.from(text)]);
}

const REQUEST = [
  'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1',
  'Host: localhost',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '\r\n',
].join('\r\n');

it(
  'packets that a client sends right behind the request that opens its connection are answered every time',
  TIMEOUT,
  served({}, async (world) => {
    const visit = async () => {
      const socket = net.connect(world.port, '127.0.0.1');
      try {
        socket.setNoDelay();
        await once(socket, 'connect');
        socket.write(REQUEST);
        let text = '';
        let isFirst = true;
        for await (const data of socket) {
          text += data.toString('latin1');
          if (isFirst && text.includes('\r\n\r\n')) {
            isFirst = false;
            socket.write(frame('40'));
          }
          if (text.includes('40{"sid":')) return;
        }
        assert.fail(`the connection ended: ${text}`);
      } finally {
        socket.destroy();
      }
    };
    let visits = 0;
    const visitor = async () => {
      while (visits++ < VISITS) await visit();
    };
    await Promise.all(Array.from({ length: VISITORS }, visitor));
  }),
);
