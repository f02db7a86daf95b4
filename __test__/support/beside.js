'use strict';

/**
 * The same requests to socket.io and to the native server: what both answer, and what they tell the
 * application.
 */

const assert = require('node:assert/strict');
const { once } = require('node:events');
const http = require('node:http');
const socketio = require('socket.io');
const { Server } = require('../..');
const { RawTcp, upgradeRequest } = require('./raw');

/** Headers that are of the moment, or of the connection. */
const OF_THE_MOMENT = new Set(['date', 'keep-alive', 'connection', 'content-length']);

/**
 * @typedef {object} Answer
 * @property {number} status
 * @property {Record<string, string | string[]>} headers those that are not of the moment
 * @property {string | Buffer} body its session id replaced by SID, a Buffer if it is encoded
 */

/** A server of either kind, and what happens on it. */
class Host {
  /**
   * @param {any} Kind the class of the server
   * @param {object} options
   */
  constructor(Kind, options) {
    this.httpServer = http.createServer((req, res) => {
      res.writeHead(200, { 'Content-Type': 'text/plain' });
      res.end(`app ${req.method}`);
    });
    /** What the application was told of refusals. */
    this.told = [];
    this.io = new Kind(this.httpServer, options);
    this.io.engine.on('connection_error', ({ req, code, message, context }) => {
      this.told.push({ url: req.url, code, message, context });
    });
  }

  async listen() {
    this.httpServer.listen(0, '127.0.0.1');
    await once(this.httpServer, 'listening');
    this.port = this.httpServer.address().port;
  }

  /**
   * @param {string} path with its query
   * @param {object} [options] of `http.request`, and `body`
   * @returns {Promise<Answer>}
   */
  request(path, { body, ...options } = {}) {
    return new Promise((resolve, reject) => {
      const where = { host: '127.0.0.1', port: this.port, path, agent: false, ...options };
      const req = http.request(where, async (res) => {
        const chunks = [];
        for await (const chunk of res) chunks.push(chunk);
        const read = Buffer.concat(chunks);
        this.sid = /"sid":"([^"]+)"/.exec(read)?.[1] ?? this.sid;
        const mask = (text) => text.replaceAll(this.sid ?? '\0', 'SID');
        const headers = Object.entries(res.headers)
          .filter(([name]) => !OF_THE_MOMENT.has(name))
          .map(([name, value]) => [name, JSON.parse(mask(JSON.stringify(value)))]);
        resolve({
          status: res.statusCode,
          headers: Object.fromEntries(headers),
          body: res.headers['content-encoding'] ? read : mask(String(read)).replace(/^\d+:/, ''),
        });
      });
      req.once('error', reject);
      req.end(body);
    });
  }

  /**
   * @param {object} options of `upgradeRequest`
   * @returns {Promise<string[]>} the head of the answer, its lines sorted, and its body if it refuses
   */
  async upgrade(options) {
    const tcp = new RawTcp(this.port);
    await tcp.opened();
    tcp.socket.write(upgradeRequest(options));
    const [head] = await tcp.until(/^[^]*?\r\n\r\n/);
    const [status, ...all] = head.trim().split('\r\n');
    const lines = all.filter((line) => !/^(date|keep-alive):/i.test(line));
    if (status.includes(' 101 ')) {
      tcp.terminate();
      return [status, ...lines.map(lowerName).sort()];
    }
    await tcp.ended;
    const body = tcp.data.toString('latin1').slice(head.length);
    return [status, ...lines.map(lowerName).sort(), body];
  }

  /** @returns {Promise<void>} */
  async close() {
    this.httpServer.closeAllConnections();
    await new Promise((resolve) => {
      this.io.close(resolve);
    });
  }
}

/**
 * @param {string} line of a head
 * @returns {string} with its name in lower case
 */
function lowerName(line) {
  return line.replace(/^[^:]*/, (name) => name.toLowerCase());
}

/**
 * Runs a test on both servers and compares what it comes to, and what the application was told.
 * @param {object} options of both
 * @param {(host: Host) => Promise<unknown>} test
 * @param {object} [differences] options of one only: `native`, `socketio`
 * @returns {() => Promise<void>} for `it`
 */
function beside(options, test, differences = {}) {
  return async () => {
    const results = [];
    for (const [name, Kind] of [
      ['socketio', socketio.Server],
      ['native', Server],
    ]) {
      const given = typeof options === 'function' ? options() : options;
      const host = new Host(Kind, { ...given, ...differences[name] });
      await host.listen();
      try {
        results.push({ result: await test(host), told: host.told });
      } finally {
        await host.close();
      }
    }
    assert.deepEqual(results[1], results[0]);
  };
}

module.exports = { Host, beside };
