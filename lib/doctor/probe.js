'use strict';

/**
 * Opens a native server on the loopback interface and has a client connect, to see which way its bytes take.
 * Requires the addon when it is called, since there may be none.
 */

const { once } = require('events');
const http = require('http');
const net = require('net');
const { monitorEventLoopDelay } = require('perf_hooks');
const { setTimeout: sleep } = require('timers/promises');

/** How long the client may take, in ms. */
const TIMEOUT = 5000;

/** How long the server may take to close, in ms. One that does not answer may not close either. */
const CLOSE_TIMEOUT = 1000;

/** How long the event loop is watched, in ms. */
const WATCHED = 300;

/** The request of a client that opens a WebSocket. */
const REQUEST = [
  'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1',
  'Host: localhost',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '',
  '',
].join('\r\n');

/**
 * What a client met.
 *
 * @typedef {object} Probed
 * @property {string} [error] why it could not connect
 * @property {boolean} [isTaken] whether Rust has taken the descriptor over from Node
 * @property {'rust' | 'node'} [servedBy] which front has served its request
 */

/**
 * @returns {Promise<Probed>} what a client met at a native server
 */
async function probe() {
  const denied = networkDenied();
  if (denied !== undefined) {
    return { error: denied.message };
  }
  const Server = require('../http/server');

  /** A native server that says how its clients come. */
  class ProbedServer extends Server {
    /** @returns {Probed} how the client has come */
    get probed() {
      return {
        isTaken: this._front.openWebsockets > 0,
        servedBy: this.isServedByRust ? 'rust' : 'node',
      };
    }

    /**
     * @returns {void}
     */
    watch() {
      const { takeHttp } = this._link;
      this.isServedByRust = false;
      this._link.takeHttp = (...args) => {
        const isTaken = takeHttp(...args);
        this.isServedByRust ||= isTaken;
        return isTaken;
      };
    }
  }

  const httpServer = http.createServer();
  let io;
  let client;
  let timer;
  try {
    httpServer.listen(0, '127.0.0.1');
    await once(httpServer, 'listening');
    io = new ProbedServer(httpServer, { serveClient: false });
    io.watch();
    client = net.connect(httpServer.address().port, '127.0.0.1');
    const late = new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(new Error('it got no answer')), TIMEOUT);
    });
    await Promise.race([opened(client), late]);
    return io.probed;
  } catch (error) {
    return { error: error.message };
  } finally {
    clearTimeout(timer);
    client?.destroy();
    httpServer.close();
    await Promise.race([io?.close(), sleep(CLOSE_TIMEOUT)]);
  }
}

/**
 * @param {net.Socket} client a client that connects
 * @returns {Promise<void>} when its WebSocket is open
 */
async function opened(client) {
  client.write(REQUEST);
  let text = '';
  for await (const chunk of client) {
    text += chunk.toString('latin1');
    if (text.startsWith('HTTP/1.1 101') && text.includes('"sid"')) {
      return;
    }
  }
  throw new Error(`it was answered ${text.split('\r\n', 1)[0]}`);
}

/**
 * @returns {Promise<number>} how late the event loop was at most, in ms
 */
async function eventLoopDelay() {
  const resolution = 10;
  const histogram = monitorEventLoopDelay({ resolution });
  histogram.enable();
  await new Promise((resolve) => setTimeout(resolve, WATCHED));
  histogram.disable();
  return Math.max(0, histogram.max / 1e6 - resolution);
}

/**
 * @param {number} port a port
 * @returns {Promise<NodeJS.ErrnoException | undefined>} why the process cannot listen there, if it cannot
 */
function listenOn(port) {
  const denied = networkDenied();
  if (denied !== undefined) {
    return Promise.resolve(denied);
  }
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', resolve);
    server.listen(port, () => server.close(() => resolve(undefined)));
  });
}

/**
 * Node throws where nobody can catch it when a process that may not use the network listens.
 *
 * @returns {NodeJS.ErrnoException | undefined} why the process may not use the network, if it may not
 */
function networkDenied() {
  const isKnown = process.allowedNodeEnvironmentFlags.has('--allow-net');
  if (!isKnown || process.permission === undefined || process.permission.has('net')) {
    return undefined;
  }
  const error = new Error('Node runs with --permission, without --allow-net.');
  return Object.assign(error, { code: 'ERR_ACCESS_DENIED' });
}

module.exports = { eventLoopDelay, listenOn, probe };
