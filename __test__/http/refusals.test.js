'use strict';

// Who may open or use a connection: the same answers as socket.io's, and the same told to the
// application.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, it } = require('node:test');
const { setTimeout } = require('node:timers/promises');
const { Server } = require('../..');
const { Host, beside } = require('../support/beside');
const { upgradeRequest } = require('../support/raw');
const { TIMEOUT, happens, reach, served, unhandled } = require('../support/native-server');

const EIO3 = { socketio: { allowEIO3: true } };
const OPEN = '/socket.io/?EIO=4&transport=polling';

describe('responses to requests', () => {
  const compare = (options, requests, differences) =>
    beside(
      options,
      async (host) => {
        const answers = [];
        for (const [path, request] of requests) answers.push(await host.request(path, request));
        return answers;
      },
      differences,
    );

  it(
    'a request with no or an unknown transport is answered as by socket.io',
    TIMEOUT,
    compare({}, [
      ['/socket.io/'],
      ['/socket.io/?EIO=4'],
      ['/socket.io/?EIO=4&transport=smoke'],
      ['/socket.io/?EIO=4&transport='],
      ['/socket.io/?EIO=4&transport=toString'],
      ['/socket.io/?EIO=4&transport=webtransport'],
      ['/socket.io/nothing.js'],
    ]),
  );

  it(
    'a request with an unknown session id is answered as by socket.io',
    TIMEOUT,
    compare({}, [
      [`${OPEN}&sid=AAAAAAAAAAAAAAAAAAAA`],
      [`${OPEN}&sid=AAAAAAAAAAAAAAAA`],
      [`${OPEN}&sid=toString`],
      [`${OPEN}&sid=%C3%BC%00%22`],
      [`${OPEN}&sid=nobody`, { method: 'POST', body: '40' }],
      [`${OPEN}&sid=nobody`, { method: 'DELETE' }],
    ]),
  );

  it(
    'a request that opens a session with a wrong method is answered as by socket.io',
    TIMEOUT,
    compare(
      {},
      ['POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS'].map((method) => [OPEN, { method }]),
    ),
  );

  it(
    'a websocket request without an upgrade is answered as by socket.io',
    TIMEOUT,
    compare({}, [['/socket.io/?EIO=4&transport=websocket']]),
  );

  it(
    'a request for a transport that is not enabled is answered as by socket.io',
    TIMEOUT,
    compare({ transports: ['websocket'] }, [[OPEN]]),
  );

  it(
    'a request with repeated query parameters is answered as by socket.io',
    TIMEOUT,
    compare({}, [
      ['/socket.io/?transport=smoke&EIO=4&transport=polling'],
      ['/socket.io/?EIO=4&transport=polling&transport=smoke'],
    ]),
  );

  it(
    'a request of any Engine.IO version is answered as by socket.io',
    TIMEOUT,
    compare(
      {},
      [
        ['/socket.io/?transport=polling'],
        ['/socket.io/?transport=polling&EIO=3'],
        ['/socket.io/?transport=polling&EIO=2'],
        ['/socket.io/?transport=polling&EIO=five'],
      ],
      EIO3,
    ),
  );

  it(
    'a request of Engine.IO 3 without allowEIO3 is answered as by socket.io',
    TIMEOUT,
    compare({ allowEIO3: false }, [
      ['/socket.io/?transport=polling'],
      ['/socket.io/?transport=polling&EIO=3'],
      ['/socket.io/?transport=polling&EIO=abc'],
      [OPEN],
    ]),
  );

  it(
    'a request for a session of another version or transport is answered as by socket.io',
    TIMEOUT,
    beside(
      {},
      async (host) => {
        const answers = [];
        await host.request(OPEN);
        const { sid } = host;
        for (const query of [
          `EIO=3&transport=polling&sid=${sid}`,
          `transport=polling&sid=${sid}`,
          `EIO=4&transport=websocket&sid=${sid}`,
        ]) {
          const { status, body } = await host.request(`/socket.io/?${query}`);
          answers.push([status, body]);
        }
        for (const { context } of host.told) assert.equal(typeof context.name, 'string');
        host.told.forEach((told) => (told.url = told.url.replace(sid, 'SID')));
        return answers;
      },
      EIO3,
    ),
  );

  it(
    'a request for a session with a wrong method is answered as by socket.io',
    TIMEOUT,
    beside({}, async (host) => {
      const answers = [];
      await host.request(OPEN);
      for (const method of ['PUT', 'DELETE', 'HEAD', 'OPTIONS']) {
        answers.push(await host.request(`${OPEN}&sid=${host.sid}`, { method }));
      }
      return answers;
    }),
  );

  it(
    'a well-formed session by polling is answered as by socket.io',
    TIMEOUT,
    beside(
      { pingInterval: 12_345, pingTimeout: 6_789, maxHttpBufferSize: 54_321 },
      async (host) => {
        const answers = [await host.request(OPEN)];
        const use = `${OPEN}&sid=${host.sid}`;
        answers.push(await host.request(use, { method: 'POST', body: '40/nowhere,' }));
        answers.push(await host.request(use));
        const poll = host.request(use);
        // Nothing tells the client that its poll waits.
        await setTimeout(100);
        const close = await host.request(use, { method: 'POST', body: '1' });
        answers.push((await poll).status, close);
        return answers;
      },
    ),
  );

  it(
    'a request of Internet Explorer is answered as by socket.io',
    TIMEOUT,
    compare({}, [
      [OPEN, { headers: { 'User-Agent': 'Mozilla/4.0 (compatible;MSIE 8.0)' } }],
      [OPEN, { headers: { 'User-Agent': 'Mozilla/5.0 (Trident/7.0; rv:11.0)' } }],
    ]),
  );
});

describe('responses to upgrades', () => {
  const compare = (options, requests, differences) =>
    beside(
      options,
      async (host) => {
        const answers = [];
        for (const request of requests) answers.push(await host.upgrade(request));
        return answers;
      },
      differences,
    );

  it(
    'an upgrade that opens a connection is answered as by socket.io',
    TIMEOUT,
    compare({}, [{}, { headers: { 'Sec-WebSocket-Version': '8' } }]),
  );

  it(
    'an upgrade that names subprotocols is answered as by socket.io',
    TIMEOUT,
    compare({}, [
      { headers: { 'Sec-WebSocket-Protocol': 'chat, superchat' } },
      { headers: { 'Sec-WebSocket-Protocol': 'chat\t , superchat,Chat' } },
      { headers: { 'Sec-WebSocket-Protocol': "!#$%&'*+-.^_`|~09azAZ" } },
    ]),
  );

  it(
    'when its subprotocols are not a list of different names it is refused',
    TIMEOUT,
    served({}, async (world) => {
      for (const value of ['chat, chat', 'a,b,a', '', ',', 'a,', ',a', 'a,,b', 'a b', 'a/b', 'é']) {
        const tcp = await world.tcp();
        tcp.socket.write(upgradeRequest({ headers: { 'Sec-WebSocket-Protocol': value } }));
        await tcp.ended;
        assert.match(
          String(tcp.data),
          /^HTTP\/1.1 400 [^]*\r\n\r\nInvalid Sec-WebSocket-Protocol header$/,
          value,
        );
      }
    }),
  );

  it(
    'a long run of blanks between subprotocols does not block the event loop',
    TIMEOUT,
    served({}, async (world) => {
      const value = `a${' '.repeat(15_000)}b`;
      let busy = 0;
      for (let i = 0; i < 8; i += 1) {
        const tcp = await world.tcp();
        const before = performance.eventLoopUtilization();
        tcp.socket.write(upgradeRequest({ headers: { 'Sec-WebSocket-Protocol': value } }));
        await tcp.ended;
        busy += performance.eventLoopUtilization(before).active;
        assert.match(String(tcp.data), /Invalid Sec-WebSocket-Protocol header$/);
      }
      assert.ok(busy < 1000, `${busy} ms`);
    }),
  );

  it(
    'an invalid upgrade is answered as by socket.io',
    TIMEOUT,
    compare({}, [
      { query: 'EIO=4' },
      { query: 'EIO=4&transport=smoke' },
      { query: 'EIO=4&transport=websocket&sid=nobody' },
    ]),
  );

  it('an upgrade of Engine.IO 3 without allowEIO3 is refused', TIMEOUT, async () => {
    const host = new Host(Server, { allowEIO3: false });
    await host.listen();
    const [status, ...rest] = await host.upgrade({ query: 'transport=websocket' });
    assert.equal(status, 'HTTP/1.1 400 Bad Request');
    assert.equal(rest.at(-1), 'Unsupported protocol version');
    assert.deepEqual(host.told[0].context, { protocol: 3 });
    await host.close();
  });

  it(
    'an upgrade is answered as by socket.io if websockets are not enabled',
    TIMEOUT,
    compare({ transports: ['polling'] }, [{ path: '/app', query: '' }]),
  );

  it(
    'an upgrade with invalid WebSocket headers is refused',
    TIMEOUT,
    served({}, async (world) => {
      const told = [];
      world.io.engine.on('connection_error', (error) => told.push(error));
      for (const headers of [
        { Upgrade: 'h2c' },
        { 'Sec-WebSocket-Key': undefined },
        { 'Sec-WebSocket-Key': 'too short' },
        { 'Sec-WebSocket-Version': undefined },
        { 'Sec-WebSocket-Version': '12' },
      ]) {
        const tcp = await world.tcp();
        tcp.socket.write(upgradeRequest({ headers }));
        await tcp.ended;
        assert.match(
          String(tcp.data),
          /^HTTP\/1.1 400 [^]*\r\n\r\n(Invalid|Missing or invalid) \S+ header$/,
        );
      }
      assert.equal(told.length, 5);
      assert.ok(told.every(({ code }) => code === 3));
    }),
  );
});

describe('allowRequest', () => {
  const allowRequest = (req, done) => {
    setImmediate(() => done(req.headers.why, req.headers.allow === 'yes'));
  };

  it(
    'allowRequest accepts and refuses requests as on socket.io',
    TIMEOUT,
    beside({ allowRequest }, async (host) => [
      await host.request(OPEN),
      await host.request(OPEN, { headers: { why: 'No "entry" today' } }),
      await host.request(OPEN, { headers: { allow: 'yes' } }),
      await host.request(`${OPEN}&sid=${host.sid}`, { method: 'POST', body: '40/nowhere,' }),
    ]),
  );

  it(
    'allowRequest accepts and refuses websockets as on socket.io',
    TIMEOUT,
    beside({ allowRequest }, async (host) => [
      await host.upgrade(),
      await host.upgrade({ headers: { why: 'No "entry" today' } }),
      await host.upgrade({ headers: { allow: 'yes' } }),
    ]),
  );

  it(
    'an allowRequest function that fails or calls back twice refuses the request',
    TIMEOUT,
    served(
      {
        allowRequest: (req, done) => {
          if (req.headers.how === 'throw') throw new Error('thrown');
          if (req.headers.how === 'reject') return Promise.reject(new Error('rejected'));
          done(null, false);
          done(null, true);
          return undefined;
        },
      },
      async (world) => {
        const told = [];
        world.io.engine.on('connection_error', ({ context }) => told.push(context.error?.message));
        for (const how of ['throw', 'reject', 'answer']) {
          const response = await fetch(world.url + OPEN, { headers: { how } });
          assert.equal(response.status, 403);
          assert.deepEqual(await response.json(), { code: 4, message: 'Forbidden' });
        }
        assert.deepEqual(told, ['thrown', 'rejected', undefined]);
        assert.equal(world.io.engine.clientsCount, 0);
      },
    ),
  );

  it(
    'a listener of connection_error that throws leaves a rejection unhandled, and the client is refused',
    TIMEOUT,
    served({ allowRequest: (req, done) => done(null, false) }, async (world) => {
      world.io.engine.on('connection_error', () => {
        throw new Error('of the listener');
      });
      const errors = await unhandled(async () => {
        const response = await fetch(world.url + OPEN);
        assert.equal(response.status, 403);
        const client = world.client('4.8');
        await happens(client, 'connect_error');
      });
      assert.deepEqual(
        errors.map(({ message }) => message),
        ['of the listener', 'of the listener'],
      );
    }),
  );

  it(
    'allowRequest opens no connection for a client that disconnected before the answer',
    TIMEOUT,
    (t) => {
      const asked = [];
      const ask = (req, done) => asked.push({ req, done });
      return served({ allowRequest: ask }, async (world) => {
        for (const request of [`GET ${OPEN} HTTP/1.1\r\nHost: x\r\n\r\n`, upgradeRequest()]) {
          const tcp = await world.tcp();
          tcp.socket.write(request);
          await reach(() => asked.length > 0);
          const { req, done } = asked.pop();
          const closed = once(req.socket, 'close');
          tcp.terminate();
          // A websocket is not read while it is asked about; its end shows when it is taken.
          if (req.headers.upgrade) req.socket.destroy();
          await closed;
          done(null, true);
          assert.equal(world.io.engine.clientsCount, 0);
        }
      })(t);
    },
  );
});
