'use strict';

// The option `allowedOrigins`: which pages may connect, by each transport.

const assert = require('node:assert/strict');
const http = require('node:http');
const { once } = require('node:events');
const { describe, it } = require('node:test');
const { WebSocket } = require('ws');
const { Server } = require('../..');

const APP = 'https://app.example';

/** Opens a server for a test; gives its port and the refusals its application is told of. */
async function open(t, allowedOrigins, options = {}) {
  const httpServer = http.createServer();
  const io = new Server(httpServer, { ...options, allowedOrigins });
  const told = [];
  io.engine.on('connection_error', ({ code, context }) => told.push({ code, context }));
  t.after(() => io.close());
  httpServer.listen(0);
  await once(httpServer, 'listening');
  return { io, port: httpServer.address().port, told };
}

/** @returns {Promise<{status: number, body: string}>} the answer to a request of long polling */
function poll(port, headers, query = '') {
  return new Promise((resolve, reject) => {
    const path = `/socket.io/?EIO=4&transport=polling${query}`;
    http
      .get({ port, path, headers, agent: false }, (res) => {
        let body = '';
        res.setEncoding('utf8').on('data', (text) => (body += text));
        res.once('end', () => resolve({ status: res.statusCode, body }));
      })
      .once('error', reject);
  });
}

/** @returns {Promise<number>} the status of the answer to a websocket's request */
function websocket(port, headers, query = '') {
  return new Promise((resolve) => {
    const url = `ws://localhost:${port}/socket.io/?EIO=4&transport=websocket${query}`;
    const socket = new WebSocket(url, { headers });
    socket.once('upgrade', (res) => {
      resolve(res.statusCode);
      socket.once('open', () => socket.terminate());
    });
    socket.once('unexpected-response', (req, res) => {
      resolve(res.statusCode);
      req.destroy();
    });
    socket.on('error', () => {});
  });
}

describe('allowedOrigins', { timeout: 30_000 }, () => {
  for (const [kind, allowed] of [
    ['a string', APP],
    ['a list', ['https://other.example', APP]],
    ['a pattern', /^https:\/\/app\.example$/],
    ['a pattern with the global flag', [/^https:\/\/app\.example$/g]],
    ['a function', (origin, done) => setImmediate(done, null, origin === APP)],
  ]) {
    it(`allowedOrigins as ${kind} accepts only its own origins over every transport`, async (t) => {
      const { port } = await open(t, allowed);
      for (const [origin, polled, upgraded] of [
        [APP, 200, 101],
        [APP, 200, 101],
        ['https://evil.example', 403, 403],
        ['https://app.example.evil.example', 403, 403],
        ['https://app.example:8443', 403, 403],
        ['http://app.example', 403, 403],
        ['null', 403, 403],
      ]) {
        assert.equal((await poll(port, { origin })).status, polled, origin);
        assert.equal(await websocket(port, { origin }), upgraded, origin);
      }
    });
  }

  it('allowedOrigins accepts clients that send no origin', async (t) => {
    const { port } = await open(t, APP);
    assert.equal((await poll(port, {})).status, 200);
    assert.equal(await websocket(port, {}), 101);
  });

  it('allowedOrigins refuses requests and upgrades of another origin for an open session', async (t) => {
    const { port } = await open(t, APP);
    const { body } = await poll(port, { origin: APP });
    const { sid } = JSON.parse(body.slice(1));
    const evil = { origin: 'https://evil.example' };
    assert.equal(await websocket(port, evil, `&sid=${sid}`), 403);
    assert.equal((await poll(port, evil, `&sid=${sid}`)).status, 403);
    assert.equal(await websocket(port, { origin: APP }, `&sid=${sid}`), 101);
  });

  it('allowedOrigins checks the Referer of JSONP requests and the Sec-Fetch-Site header', async (t) => {
    const { port } = await open(t, APP);
    const script = '&j=0';
    assert.equal((await poll(port, { referer: `${APP}/page` }, script)).status, 200);
    assert.equal((await poll(port, { referer: 'https://evil.example/' }, script)).status, 403);
    assert.equal((await poll(port, {}, script)).status, 403);
    for (const [site, status] of [
      ['same-origin', 200],
      ['none', 200],
      ['same-site', 403],
      ['cross-site', 403],
    ]) {
      assert.equal((await poll(port, { 'sec-fetch-site': site })).status, status, site);
    }
  });

  it('a refusal of allowedOrigins emits connection_error with the origin and answers the client with 403', async (t) => {
    const { port, told } = await open(t, (origin, done) => {
      if (origin === 'https://broken.example') throw new Error('broken');
      if (origin === 'https://rejected.example') return Promise.reject(new Error('rejected'));
      return done(new Error('asked the wrong one'));
    });
    const evil = await poll(port, { origin: 'https://evil.example' });
    assert.deepEqual(JSON.parse(evil.body), { code: 4, message: 'Forbidden' });
    assert.equal(await websocket(port, { origin: 'https://broken.example' }), 403);
    assert.equal(await websocket(port, { origin: 'https://rejected.example' }), 403);
    assert.deepEqual(
      told.map(({ code, context: { error, ...context } }) => [code, context, error.message]),
      [
        [4, { name: 'ORIGIN_NOT_ALLOWED', origin: 'https://evil.example' }, 'asked the wrong one'],
        [4, { name: 'ORIGIN_NOT_ALLOWED', origin: 'https://broken.example' }, 'broken'],
        [4, { name: 'ORIGIN_NOT_ALLOWED', origin: 'https://rejected.example' }, 'rejected'],
      ],
    );
  });

  it('allowedOrigins is checked before allowRequest, which may still refuse', async (t) => {
    const asked = [];
    const { port } = await open(t, APP, {
      allowRequest: (req, done) => {
        asked.push(req.headers.origin);
        done(null, false);
      },
    });
    assert.equal((await poll(port, { origin: 'https://evil.example' })).status, 403);
    assert.equal((await poll(port, { origin: APP })).status, 403);
    assert.deepEqual(asked, [APP]);
  });

  it('every origin is accepted without allowedOrigins', async (t) => {
    const { port } = await open(t, undefined);
    assert.equal(await websocket(port, { origin: 'https://any.example' }), 101);
  });

  it('an invalid value of allowedOrigins throws', () => {
    for (const allowedOrigins of ['*', 'app.example', `${APP}/`, [1], {}, 7]) {
      assert.throws(() => new Server({ allowedOrigins }), {
        code: 'ERR_LOOPBACK_SOCKET_INVALID_OPTION',
        option: 'allowedOrigins',
      });
    }
  });

  it('allowedOrigins that the application changes in io.engine.opts count from then on', async (t) => {
    const { io, port } = await open(t, [APP]);
    const other = { origin: 'https://other.example' };
    assert.equal((await poll(port, other)).status, 403);
    io.engine.opts.allowedOrigins.push(other.origin);
    assert.equal((await poll(port, other)).status, 200);
    io.engine.opts.allowedOrigins = APP;
    assert.equal((await poll(port, other)).status, 403);
    assert.equal(await websocket(port, other), 403);
    io.engine.opts.allowedOrigins = undefined;
    assert.equal(await websocket(port, other), 101);
  });
});
