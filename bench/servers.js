'use strict';

// The servers that are compared: the four that the report is about, and their peers and floor lines.
// The package under test is the one around this folder, or the one that BENCH_PACKAGE names. What the
// peers need is installed into `peers/` when the bench runs.

const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const { createRequire } = require('node:module');
const path = require('node:path');
const { ROOT } = require('../scripts/steps');

const PEERS_FOLDER = path.join(__dirname, 'peers');
const BUN = path.join(PEERS_FOLDER, 'node_modules', '@oven', 'bun-linux-x64', 'bin', 'bun');
const SOCKETIOXIDE = path.join(__dirname, 'socketioxide', 'target', 'release', 'floor');

const ours = () => require(process.env.BENCH_PACKAGE ?? path.join(__dirname, '..'));
const original = () => require('loopback-socket-original');
const fromPeers = (name) => createRequire(path.join(PEERS_FOLDER, 'package.json'))(name);

/** The app, which every server but the floor lines runs, and what runs those. */
const APP = path.join(__dirname, 'app.js');
const FLOOR = path.join(__dirname, 'floor.js');

/**
 * @typedef {object} ServerKind
 * @property {string} title - what the report calls it
 * @property {3|4} eio - the Engine.IO revision of the clients that its apps have
 * @property {[string, string[]]} command - what starts it
 * @property {boolean} [original] - whether it is one of those that ours are measured against
 * @property {'peer'|'floor'} [beside] - what it is, if it is not one of the four
 * @property {string} [color] - in charts
 * @property {string} [needs] - a file that is there if it could be installed
 * @property {string[]} [lacks] - metrics that it cannot have
 * @property {() => Function} [LoopbackSocket]
 * @property {(rest: import('node:http').RequestListener, ready: (port: number) => void) =>
 *   { io: any, listen: () => void }} [serve] - makes its `io`
 */

const TLS_FOLDER = path.join(ROOT, '__test__', 'support', 'tls');

/** The files with the key and the certificate of a server with BENCH_TLS. */
const TLS_FILES = {
  key: path.join(TLS_FOLDER, 'key.pem'),
  cert: path.join(TLS_FOLDER, 'cert.pem'),
};

/**
 * @returns {{key: Buffer, cert: Buffer} | undefined} with BENCH_TLS, the key of the server
 */
function tlsOptions() {
  return process.env.BENCH_TLS
    ? { key: fs.readFileSync(TLS_FILES.key), cert: fs.readFileSync(TLS_FILES.cert) }
    : undefined;
}

/**
 * A server that shares Node's http.Server, or with BENCH_TLS its https.Server.
 * @param {(httpServer: import('node:http').Server) => any} attach - makes `io`
 * @returns {ServerKind['serve']}
 */
function onNode(attach) {
  return (rest, ready) => {
    const tls = tlsOptions();
    const httpServer = tls ? https.createServer(tls, rest) : http.createServer(rest);
    const listen = () => httpServer.listen(0, '127.0.0.1', () => ready(httpServer.address().port));
    return { io: attach(httpServer), listen };
  };
}

/**
 * The native server on Node's http.Server. With BENCH_TLS, Rust encrypts.
 * @type {ServerKind['serve']}
 */
function native(rest, ready) {
  const httpServer = http.createServer(rest);
  const tls = tlsOptions();
  const listen = () => httpServer.listen(0, '127.0.0.1', () => ready(httpServer.address().port));
  return { io: new (ours().Server)(httpServer, tls && { tls }), listen };
}

/** socket.io 4, open to clients of Socket.IO 2 as an app that has both sets it. */
const onSocketIo4 = onNode(
  (server) => new (require('socket.io').Server)(server, { allowEIO3: true }),
);

const app = (name) => [process.execPath, [APP, name]];

/** @type {Record<string, ServerKind>} */
const SERVERS = {
  'original-2': {
    title: 'original on socket.io 2.5.1',
    original: true,
    eio: 3,
    color: '#b9b2a7',
    command: app('original-2'),
    LoopbackSocket: original,
    serve: onNode((server) => require('socket.io-2')(server)),
  },
  'original-4': {
    title: 'original on socket.io 4.8.4',
    original: true,
    eio: 4,
    color: '#7f8794',
    command: app('original-4'),
    LoopbackSocket: original,
    serve: onSocketIo4,
  },
  'hosted-4': {
    title: 'hosted on socket.io 4.8.4',
    eio: 4,
    color: '#5b9bd5',
    command: app('hosted-4'),
    LoopbackSocket: ours,
    serve: onSocketIo4,
  },
  native: {
    title: 'native',
    eio: 4,
    color: '#d9541e',
    command: app('native'),
    LoopbackSocket: ours,
    serve: native,
  },
};

/** Those that do the same otherwise, and those that do the least that can be done. */
const PEERS = {
  'bun-engine': {
    title: 'original on @socket.io/bun-engine',
    beside: 'peer',
    eio: 4,
    needs: BUN,
    command: [BUN, [APP, 'bun-engine']],
    LoopbackSocket: original,
    serve: (rest, ready) => {
      const io = new (require('socket.io').Server)();
      const engine = new (fromPeers('@socket.io/bun-engine').Server)({ path: '/socket.io/' });
      io.bind(engine);
      const listen = () => {
        const options = { port: 0, hostname: '127.0.0.1', ...engine.handler() };
        ready(globalThis.Bun.serve(options).port);
      };
      return { io, listen };
    },
  },
  'uws-engine': {
    title: 'original on socket.io on uWebSockets.js',
    beside: 'peer',
    eio: 4,
    needs: path.join(PEERS_FOLDER, 'node_modules', 'uwebsockets', 'package.json'),
    command: app('uws-engine'),
    LoopbackSocket: original,
    serve: (rest, ready) => {
      const uws = fromPeers('uwebsockets');
      const server = uws.App();
      const io = new (require('socket.io').Server)();
      io.attachApp(server);
      const listen = () =>
        server.listen('127.0.0.1', 0, (token) => ready(uws.us_socket_local_port(token)));
      return { io, listen };
    },
  },
  socketioxide: {
    title: 'socketioxide on hyper',
    beside: 'floor',
    eio: 4,
    needs: SOCKETIOXIDE,
    lacks: ['main', 'loop99', 'loopMax'],
    command: [SOCKETIOXIDE, []],
  },
  'raw-ws': {
    title: 'raw ws',
    beside: 'floor',
    eio: 4,
    command: [process.execPath, [FLOOR, 'ws']],
  },
  'raw-uws': {
    title: 'raw uWebSockets.js',
    beside: 'floor',
    eio: 4,
    needs: path.join(PEERS_FOLDER, 'node_modules', 'uwebsockets', 'package.json'),
    command: [process.execPath, [FLOOR, 'uws']],
  },
  'raw-bun': {
    title: 'raw Bun',
    beside: 'floor',
    eio: 4,
    needs: BUN,
    command: [BUN, [FLOOR, 'bun']],
  },
};

/** Every server by its name. */
const ALL = { ...SERVERS, ...PEERS };

/** Those that ours are measured against. */
const ORIGINALS = Object.keys(SERVERS).filter((name) => SERVERS[name].original);

/** @returns {string[]} the peers and floor lines that could be installed */
const installedPeers = () =>
  Object.keys(PEERS).filter((name) => !PEERS[name].needs || fs.existsSync(PEERS[name].needs));

module.exports = {
  ALL,
  ORIGINALS,
  PEERS,
  PEERS_FOLDER,
  SERVERS,
  TLS_FILES,
  fromPeers,
  installedPeers,
  tlsOptions,
};
