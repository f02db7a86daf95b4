'use strict';

// Who may open or use a connection: the same answers as socket.io's, and the same told to the
// application.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, it } = require('node:test');
const { Server } = require('../..');
const { Host, beside } = require('../support/beside');
const { upgradeRequest } = require('../support/raw');
const { TIMEOUT, reach, served } = require('../support/native-server');

const EIO3 = { socketio: { allowEIO3: true } };
const OPEN = '/socket.io/?EIO=4&transport=polling';

describe('a request is answered as by socket.io', () => {
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
    'when it names no transport, or none there is',
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
    'when its session is unknown',
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
    'when its method opens nothing',
    TIMEOUT,
    compare(
      {},
      ['POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS'].map((method) => [OPEN, { method }]),
    ),
  );

  it(
    'when it asks for a websocket and for no upgrade',
    TIMEOUT,
    compare({}, [['/socket.io/?EIO=4&transport=websocket']]),
  );

  it(
    'when its transport is not allowed',
    TIMEOUT,
    compare({ transports: ['websocket'] }, [[OPEN]]),
  );

  it(
    'when it says twice what it wants',
    TIMEOUT,
    compare({}, [
      ['/socket.io/?transport=smoke&EIO=4&transport=polling'],
      ['/socket.io/?EIO=4&transport=polling&transport=smoke'],
    ]),
  );

  it(
    'whatever version of Engine.IO it names',
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
    'when the versions before 4 are not allowed',
    TIMEOUT,
    compare({ allowEIO3: false }, [
      ['/socket.io/?transport=polling'],
      ['/socket.io/?transport=polling&EIO=3'],
      ['/socket.io/?transport=polling&EIO=abc'],
      [OPEN],
    ]),
  );

  it(
    'when the session it names is of another version or another transport',
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
    'when its method uses nothing',
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
    'when it is well-formed: the open packet, packets, and the end',
    TIMEOUT,
    beside(
      { pingInterval: 12_345, pingTimeout: 6_789, maxHttpBufferSize: 54_321 },
      async (host) => {
        const answers = [await host.request(OPEN)];
        const use = `${OPEN}&sid=${host.sid}`;
        answers.push(await host.request(use, { method: 'POST', body: '40/nowhere,' }));
        answers.push(await host.request(use));
        const both = [host.request(use), host.request(use, { method: 'POST', body: '1' })];
        const [poll, close] = await Promise.all(both);
        answers.push(poll.status, close);
        return answers;
      },
    ),
  );

  it(
    'when it is of an old browser',
    TIMEOUT,
    compare({}, [
      [OPEN, { headers: { 'User-Agent': 'Mozilla/4.0 (compatible;MSIE 8.0)' } }],
      [OPEN, { headers: { 'User-Agent': 'Mozilla/5.0 (Trident/7.0; rv:11.0)' } }],
    ]),
  );
});

describe('an upgrade is answered as by socket.io', () => {
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
    'when it opens a connection',
    TIMEOUT,
    compare({}, [{}, { headers: { 'Sec-WebSocket-Version': '8' } }]),
  );

  it(
    'when it names subprotocols',
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
    'when it may not',
    TIMEOUT,
    compare({}, [
      { query: 'EIO=4' },
      { query: 'EIO=4&transport=smoke' },
      { query: 'EIO=4&transport=websocket&sid=nobody' },
    ]),
  );

  it('when the versions before 4 are not allowed it opens nothing', TIMEOUT, async () => {
    const host = new Host(Server, { allowEIO3: false });
    await host.listen();
    const [status, ...rest] = await host.upgrade({ query: 'transport=websocket' });
    assert.equal(status, 'HTTP/1.1 400 Bad Request');
    assert.equal(rest.at(-1), 'Unsupported protocol version');
    assert.deepEqual(host.told[0].context, { protocol: 3 });
    await host.close();
  });

  it(
    'when websockets are not allowed it is a request like any other',
    TIMEOUT,
    compare({ transports: ['polling'] }, [{ path: '/app', query: '' }]),
  );

  it(
    'and one that is no upgrade to a websocket is refused',
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
    'decides over requests as on socket.io',
    TIMEOUT,
    beside({ allowRequest }, async (host) => [
      await host.request(OPEN),
      await host.request(OPEN, { headers: { why: 'No "entry" today' } }),
      await host.request(OPEN, { headers: { allow: 'yes' } }),
      await host.request(`${OPEN}&sid=${host.sid}`, { method: 'POST', body: '40/nowhere,' }),
    ]),
  );

  it(
    'decides over websockets as on socket.io',
    TIMEOUT,
    beside({ allowRequest }, async (host) => [
      await host.upgrade(),
      await host.upgrade({ headers: { why: 'No "entry" today' } }),
      await host.upgrade({ headers: { allow: 'yes' } }),
    ]),
  );

  it(
    'that fails refuses, however often it answers afterwards',
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

  it('opens nothing for a client that has left before it answers', TIMEOUT, (t) => {
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
  });
});
