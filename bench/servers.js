'use strict';

// The four servers that are compared. The package under test is the one around this folder, or the
// one that BENCH_PACKAGE names.

const path = require('node:path');

const ours = () => require(process.env.BENCH_PACKAGE ?? path.join(__dirname, '..'));
const original = () => require('loopback-socket-original');

/**
 * @typedef {object} ServerKind
 * @property {string} title - what the report calls it
 * @property {boolean} original - whether it is one of those that ours are measured against
 * @property {3|4} eio - the Engine.IO revision of the clients that its apps have
 * @property {string} color - in charts
 * @property {() => Function} LoopbackSocket
 * @property {(httpServer: import('node:http').Server) => any} serve - makes its `io`
 */

/**
 * socket.io 4, open to clients of Socket.IO 2 as an app that has both sets it.
 * @param {import('node:http').Server} httpServer
 * @returns {any}
 */
const serveSocketIo4 = (httpServer) =>
  new (require('socket.io').Server)(httpServer, { allowEIO3: true });

/** @type {Record<string, ServerKind>} */
const SERVERS = {
  'original-2': {
    title: 'original on socket.io 2.5.1',
    original: true,
    eio: 3,
    color: '#b9b2a7',
    LoopbackSocket: original,
    serve: (httpServer) => require('socket.io-2')(httpServer),
  },
  'original-4': {
    title: 'original on socket.io 4.8.4',
    original: true,
    eio: 4,
    color: '#7f8794',
    LoopbackSocket: original,
    serve: serveSocketIo4,
  },
  'hosted-4': {
    title: 'hosted on socket.io 4.8.4',
    original: false,
    eio: 4,
    color: '#5b9bd5',
    LoopbackSocket: ours,
    serve: serveSocketIo4,
  },
  native: {
    title: 'native',
    original: false,
    eio: 4,
    color: '#d9541e',
    LoopbackSocket: ours,
    serve: (httpServer) => new (ours().Server)(httpServer),
  },
};

/** Those that ours are measured against. */
const ORIGINALS = Object.keys(SERVERS).filter((name) => SERVERS[name].original);

module.exports = { SERVERS, ORIGINALS };
