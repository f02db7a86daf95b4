'use strict';

// Session ids: nobody guesses one, and a session is used as its protocol allows and in no other way.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const http = require('node:http');
const { describe, it } = require('node:test');
const { TIMEOUT, served } = require('../support/native-server');

const OPEN = '/socket.io/?EIO=4&transport=polling';

describe('session ids', () => {
  it(
    'a session id is random and reveals nothing about other ids',
    TIMEOUT,
    served({}, async (world) => {
      const ids = [];
      for (let n = 0; n < 50; n++) {
        const open = await (await fetch(world.url + OPEN)).text();
        ids.push(JSON.parse(open.slice(1)).sid);
      }
      assert.equal(new Set(ids).size, 50);
      for (const id of ids) assert.match(id, /^[\w-]{20}$/);
      // Of 120 random bits as base64 no character stays the same over 50 ids.
      for (let at = 0; at < 20; at++) {
        assert.ok(new Set(ids.map((id) => id[at])).size > 10, `place ${at}`);
      }
    }),
  );

  it(
    'a session id of protocol 5 is not a socket id',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.raw();
      assert.notEqual(raw.socket.id, raw.sid);
      const stolen = await fetch(`${world.url}${OPEN}&sid=${raw.socket.id}`);
      assert.deepEqual(await stolen.json(), { code: 1, message: 'Session ID unknown' });
    }),
  );

  it(
    'a session id is unknown after its session has ended',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.polling();
      raw.isPolling = false;
      await raw.post('1');
      await raw.closed;
      const answer = await raw.poll();
      assert.equal(answer.status, 400);
      assert.deepEqual(JSON.parse(answer.body), { code: 1, message: 'Session ID unknown' });
    }),
  );
});

describe('sessions on a websocket', () => {
  for (const eio of [3, 4]) {
    it(
      `a websocket session of Engine.IO ${eio} refuses polling requests`,
      TIMEOUT,
      served({}, async (world) => {
        const raw = await world.raw({ eio });
        raw.socket.on('echo', (value, done) => done(value));
        const url = `${world.url}/socket.io/?EIO=${eio}&transport=polling&sid=${raw.sid}`;
        for (const request of [{}, { method: 'POST', body: eio === 4 ? '42["echo",0]' : '1:1' }]) {
          const response = await fetch(url, request);
          assert.equal(response.status, 400);
          assert.deepEqual(await response.json(), { code: 3, message: 'Bad request' });
        }
        assert.deepEqual(await raw.call('echo', 1), [1]);
      }),
    );
  }
});

describe('clients that POST', () => {
  /** A POST of the session that is begun and not ended. */
  const begin = (world, raw, start) => {
    const req = http.request({
      host: '127.0.0.1',
      port: world.port,
      method: 'POST',
      path: `${raw.path}&transport=polling&sid=${raw.sid}`,
      headers: { 'Content-Length': 100 },
    });
    const answer = new Promise((resolve) => {
      req.once('response', (res) => resolve(res.statusCode));
      req.once('error', (error) => resolve(error.code));
    });
    const asked = new Promise((resolve) => {
      world.httpServer.on('request', ({ method }) => method === 'POST' && resolve());
    });
    req.write(start);
    return { req, answer, asked };
  };

  it(
    'a client that sends two POSTs at once loses its connection',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.polling();
      const ended = once(raw.socket, 'disconnect');
      const first = begin(world, raw, '42["n",');
      await first.asked;
      const second = await raw.post('42["n",2]');
      assert.equal(second.status, 400);
      assert.equal((await ended)[0], 'transport error');
      // Nobody will read the rest of it, so it is broken off.
      assert.equal(await first.answer, 'ECONNRESET');
      assert.equal(await world.isAlive(), 'yes');
    }),
  );

  it(
    'a client that aborts a POST loses its connection',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.polling();
      const ended = once(raw.socket, 'disconnect');
      const { req, asked } = begin(world, raw, '42["n",');
      await asked;
      req.destroy();
      assert.equal((await ended)[0], 'transport error');
    }),
  );

  it(
    'a client that posts a binary payload with Engine.IO 4 loses its connection',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.polling();
      const ended = once(raw.socket, 'disconnect');
      const answer = await raw.post(Buffer.from('42["n"]'), 'application/octet-stream');
      assert.equal(answer.status, 400);
      assert.equal((await ended)[0], 'transport error');
    }),
  );
});

describe('polling of Engine.IO 3', () => {
  for (const [what, query] of [
    ['with binary payloads', ''],
    ['with base64 alone', 'b64=1'],
  ]) {
    it(
      `polling of Engine.IO 3 carries binary in both directions ${what}`,
      TIMEOUT,
      served({}, async (world) => {
        const raw = await world.polling({ eio: 3, query });
        raw.socket.on('mirror', (value) => raw.socket.emit('mirrored', value, 'ü😀'));
        const placeholder = '{"_placeholder":true,"num":0}';
        const event = `451-["mirror",${placeholder}]`;
        const binary = raw.binary();
        await raw.post(`${event.length}:${event}10:b4AQIDBA==`);
        assert.deepEqual([...(await binary)], [1, 2, 3, 4]);
      }),
    );
  }
});

describe('JSONP polling', () => {
  it(
    'JSONP polling is answered with scripts and sends form bodies',
    TIMEOUT,
    served({}, async (world) => {
      const connected = once(world.io, 'connection');
      const url = `${world.url}/socket.io/?EIO=3&transport=polling&j=7x`;
      const run = async (address) => {
        const response = await fetch(address);
        assert.match(response.headers.get('content-type'), /^text\/javascript/);
        const script = await response.text();
        assert.match(script, /^___eio\[7\]\(".*"\);$/);
        return JSON.parse(script.slice('___eio[7]('.length, -2));
      };
      const { sid } = JSON.parse(/\{.*\}/.exec(await run(url))[0]);
      const [socket] = await connected;
      socket.on('echo', (value) => socket.emit('echoed', value, '\u2028'));
      assert.equal(await run(`${url}&sid=${sid}`), '2:40');
      const event = '42["echo","a\\\\nb"]';
      const sent = await fetch(`${url}&sid=${sid}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
        // As clients escape the line breaks that a form would change.
        body: `d=${encodeURIComponent(`${event.length - 1}:${event}`)}`,
      });
      assert.equal(await sent.text(), 'ok');
      assert.equal(await run(`${url}&sid=${sid}`), '23:42["echoed","a\\nb","\u2028"]');
      const nothing = await fetch(`${url}&sid=${sid}`, { method: 'POST', body: 'x=1' });
      assert.equal(await nothing.text(), 'ok');
    }),
  );
});
