'use strict';

// Floor lines: the least that answers the calls of the bench over a websocket, on `ws`, on
// uWebSockets.js or on Bun. There are no rooms, no heartbeats, no polling and no handlers: what a
// Socket.IO server costs is what it takes more than this. `node bench/floor.js ws|uws|bun`; with
// BENCH_TLS, they listen with TLS.

const http = require('node:http');
const https = require('node:https');
const { answerParent, sayReady } = require('./control');
const { TLS_FILES, fromPeers, tlsOptions } = require('./servers');

const OPEN = JSON.stringify({
  sid: 'floor',
  upgrades: [],
  pingInterval: 25_000,
  pingTimeout: 20_000,
  maxPayload: 1_000_000,
});

/**
 * What a client gets for a packet.
 * @param {string} packet
 * @returns {string | undefined}
 */
function answer(packet) {
  if (packet.startsWith('40')) return '40{"sid":"floor"}';
  if (packet.startsWith('42["authentication"')) return '42["authenticated",true]';
  if (!packet.startsWith('42')) return undefined;
  const bracket = packet.indexOf('[');
  const [method, { value }] = JSON.parse(packet.slice(bracket));
  if (method !== 'double') throw new Error(`a floor line has no ${method}`);
  return `43${packet.slice(2, bracket)}${JSON.stringify([{ result: { value: 2 * value } }])}`;
}

const FLOORS = {
  ws() {
    const tls = tlsOptions();
    const server = tls ? https.createServer(tls) : http.createServer();
    const { WebSocketServer } = require('ws');
    new WebSocketServer({ server, perMessageDeflate: false }).on('connection', (socket) => {
      socket.send(`0${OPEN}`);
      socket.on('error', () => {});
      socket.on('message', (data) => {
        const text = answer(data.toString());
        if (text !== undefined) socket.send(text);
      });
    });
    server.listen(0, '127.0.0.1', () => sayReady(server.address().port));
  },
  uws() {
    const uws = fromPeers('uwebsockets');
    const files = { key_file_name: TLS_FILES.key, cert_file_name: TLS_FILES.cert };
    const app = tlsOptions() ? uws.SSLApp(files) : uws.App();
    app
      .ws('/*', {
        open: (socket) => socket.send(`0${OPEN}`),
        message: (socket, data) => {
          const text = answer(Buffer.from(data).toString());
          if (text !== undefined) socket.send(text);
        },
      })
      .listen('127.0.0.1', 0, (token) => sayReady(uws.us_socket_local_port(token)));
  },
  bun() {
    const server = globalThis.Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      tls: tlsOptions(),
      fetch: (request, bun) =>
        bun.upgrade(request) ? undefined : new globalThis.Response('', { status: 400 }),
      websocket: {
        open: (socket) => socket.send(`0${OPEN}`),
        message: (socket, data) => {
          const text = answer(data);
          if (text !== undefined) socket.send(text);
        },
      },
    });
    sayReady(server.port);
  },
};

if (require.main === module) {
  answerParent();
  FLOORS[process.argv[2]]();
}

module.exports = { answer };
