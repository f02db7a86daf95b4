'use strict';

// The app under test, the same on every server: `node bench/app.js <server>`. It listens on a port
// of its own choice, prints `ready <port>`, and lives as long as the process that forked it.
//
// BENCH_METHODS: how many methods there are, `double` being the last; all that the cases need, if
//   it is not given.
// BENCH_ROOMS, BENCH_MEMBERS: how many rooms there are, and among how many connections they are
//   dealt. Every connection is in the room `audience`, too.

const http = require('node:http');
const { monitorEventLoopDelay } = require('node:perf_hooks');
const { SERVERS } = require('./servers');

/** How often the event loop is looked at, in ms, while its delay is asked for. */
const LOOP_RESOLUTION = 1;

/**
 * The methods that clients call.
 * @param {any} io
 * @returns {Record<string, Function>}
 */
function methodsOf(io) {
  return {
    doubleAsync: async (socket, credentials, { value }) => {
      await null;
      return { value: 2 * value };
    },
    doubleCallback: (socket, credentials, { value }, cb) => cb(null, { value: 2 * value }),
    blob: (socket, credentials, { value, data }) => ({ value: 2 * value, data }),
    broadcast: (socket, credentials, request) => broadcast(io, request),
    hang: () => new Promise(() => {}),
    double: (socket, credentials, { value }) => ({ value: 2 * value }),
  };
}

/**
 * Sends a numbered series of events to everybody, or to a room.
 * @param {any} io
 * @param {object} request
 * @param {number} request.count - how many events
 * @param {number} request.size - bytes of padding in each
 * @param {number} [request.gap] - ms between two of them; all at once without
 * @param {string} [request.room]
 * @returns {true}
 */
function broadcast(io, { count, size, gap = 0, room }) {
  const pad = 'x'.repeat(size);
  const send = (seq) => (room === undefined ? io : io.to(room)).emit('news', { seq, pad });
  if (gap === 0) {
    for (let seq = 0; seq < count; seq++) send(seq);
    return true;
  }
  let seq = 0;
  const timer = setInterval(() => {
    send(seq++);
    if (seq === count) clearInterval(timer);
  }, gap);
  return true;
}

/**
 * Defines as many methods as are wanted, `double` last.
 * @param {any} sockets - a LoopbackSocket
 * @param {any} io
 * @param {number} [count] - all that the cases need, if not given
 */
function defineMethods(sockets, io, count) {
  const methods = methodsOf(io);
  if (count === undefined) {
    for (const [name, method] of Object.entries(methods)) sockets.defineMethod(name, method);
    return;
  }
  for (let i = 1; i < count; i++) sockets.defineMethod(`method${i}`, () => i);
  sockets.defineMethod('double', methods.double);
}

/**
 * Deals rooms among the first connections: the nth gets every room whose number is n modulo their
 * count.
 * @param {any} sockets - a LoopbackSocket
 * @param {number} rooms
 * @param {number} members
 */
function dealRooms(sockets, rooms, members) {
  let connected = 0;
  sockets.onConnected((socket) => {
    socket.join('audience');
    for (let room = connected++; room < rooms; room += members) socket.join(`room${room}`);
  });
}

/** Answers the process that forked this one. */
function answerParent() {
  const histogram = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION });
  const delay = (ns) => Math.max(0, ns / 1e6 - LOOP_RESOLUTION);
  process.on('message', (question) => {
    if (question === 'watch the event loop') {
      histogram.enable();
      histogram.reset();
      process.send({});
    } else if (question === 'event loop delay') {
      histogram.disable();
      process.send({
        p50: delay(histogram.percentile(50)),
        p99: delay(histogram.percentile(99)),
        max: delay(histogram.max),
      });
    }
  });
  process.on('disconnect', () => process.exit());
}

/**
 * @param {string} name - of the server
 * @param {NodeJS.ProcessEnv} env
 */
function main(name, { BENCH_METHODS, BENCH_ROOMS, BENCH_MEMBERS }) {
  const kind = SERVERS[name];
  if (!kind) throw new Error(`servers: ${Object.keys(SERVERS).join(', ')}`);
  const httpServer = http.createServer();
  const io = kind.serve(httpServer);
  const sockets = kind.LoopbackSocket().get('bench');
  sockets.auth(() => ({ id: 1 }));
  defineMethods(sockets, io, BENCH_METHODS && Number(BENCH_METHODS));
  if (BENCH_ROOMS) dealRooms(sockets, Number(BENCH_ROOMS), Number(BENCH_MEMBERS));
  sockets.start(io);
  if (process.connected) answerParent();
  httpServer.listen(0, '127.0.0.1', () => console.log('ready %d', httpServer.address().port));
}

main(process.argv[2], process.env);
