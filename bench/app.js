'use strict';

// The app under test, the same on every server: `node bench/app.js <server>`. It listens on a port
// of its own choice, and lives as long as its standard input. Beside its sockets it has a route of
// REST, `GET /api/double?value=…`.
//
// BENCH_METHODS: how many methods there are, `double` being the last; all that the cases need, if
//   it is not given.
// BENCH_ROOMS, BENCH_MEMBERS: how many rooms there are, and among how many connections they are
//   dealt. Every connection is in the room `audience`, too.
// BENCH_TLS: listens with TLS.

const { answerParent, sayReady } = require('./control');
const { ALL } = require('./servers');

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

/**
 * The route of REST.
 * @param {import('node:http').IncomingMessage} request
 * @param {import('node:http').ServerResponse} response
 */
function rest(request, response) {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  if (pathname !== '/api/double') {
    response.writeHead(404).end();
    return;
  }
  const body = JSON.stringify({ value: 2 * Number(searchParams.get('value')) });
  const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length };
  response.writeHead(200, headers).end(body);
}

/**
 * @param {string} name - of the server
 * @param {NodeJS.ProcessEnv} env
 */
function main(name, { BENCH_METHODS, BENCH_ROOMS, BENCH_MEMBERS }) {
  const kind = ALL[name];
  if (!kind?.serve) throw new Error(`no server for the app: ${name}`);
  const { io, listen } = kind.serve(rest, sayReady);
  const sockets = kind.LoopbackSocket().get('bench');
  sockets.auth(() => ({ id: 1 }));
  defineMethods(sockets, io, BENCH_METHODS && Number(BENCH_METHODS));
  if (BENCH_ROOMS) dealRooms(sockets, Number(BENCH_ROOMS), Number(BENCH_MEMBERS));
  sockets.start(io);
  answerParent();
  listen();
}

main(process.argv[2], process.env);
