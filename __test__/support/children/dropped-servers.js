'use strict';

// Native servers that nobody refers to any more, run with `--expose-gc`: reports which of them are collected as
// garbage, and whether one with a client goes on.

const { once } = require('node:events');
const http = require('node:http');
const { setTimeout: sleep } = require('node:timers/promises');
const { Server } = require('../../..');
const { RawWebsocket } = require('../raw');

/**
 * @param {boolean} listens whether it listens
 * @returns {Promise<{httpServer: http.Server, server: WeakRef<Server>}>}
 */
async function made(listens) {
  const httpServer = http.createServer();
  const io = new Server(httpServer);
  io.on('connection', (socket) => socket.on('echo', (value, done) => done(value)));
  if (listens) await once(httpServer.listen(0, '127.0.0.1'), 'listening');
  return { httpServer, server: new WeakRef(io) };
}

/**
 * @param {http.Server} httpServer
 * @returns {Promise<RawWebsocket>} a client of it, joined
 */
async function visitor(httpServer) {
  const raw = new RawWebsocket(httpServer.address().port);
  await raw.opened();
  await raw.join();
  return raw;
}

/** @returns {Promise<WeakRef<Server>>} a server that never listens */
async function unlistened() {
  return (await made(false)).server;
}

/** @returns {Promise<WeakRef<Server>>} a server whose http.Server is closed, and whose client has left */
async function left() {
  const { httpServer, server } = await made(true);
  const raw = await visitor(httpServer);
  raw.terminate();
  await once(httpServer.close(), 'close');
  return server;
}

/** @returns {Promise<{server: WeakRef<Server>, raw: RawWebsocket}>} one whose client stays */
async function visited() {
  const { httpServer, server } = await made(true);
  const raw = await visitor(httpServer);
  httpServer.close();
  return { server, raw };
}

/**
 * @param {WeakRef<Server>} server
 * @returns {Promise<boolean>} whether it is collected, within time
 */
async function isCollected(server) {
  for (let i = 0; i < 100 && server.deref() !== undefined; i += 1) {
    await sleep(20);
    globalThis.gc();
  }
  return server.deref() === undefined;
}

async function main() {
  const { server, raw } = await visited();
  const report = {
    unlistened: await isCollected(await unlistened()),
    left: await isCollected(await left()),
    isUsed: server.deref() !== undefined,
    answer: await raw.call('echo', 'alive'),
  };
  raw.terminate();
  report.visited = await isCollected(server);
  process.send(report, () => process.disconnect());
}

main();
