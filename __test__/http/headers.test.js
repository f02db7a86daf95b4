'use strict';

// What the answers of a server say in their heads: CORS, cookies, middleware, and what listeners
// add; and the client's bundle. The same as socket.io's.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const { Readable } = require('node:stream');
const { describe, it } = require('node:test');
const zlib = require('node:zlib');
const { Server } = require('../..');
const { Host, beside } = require('../support/beside');
const { TIMEOUT, served, unhandled } = require('../support/native-server');

const OPEN = '/socket.io/?EIO=4&transport=polling';
const BUNDLE = '/socket.io/socket.io.min.js';

/** Opens a connection, sends, and polls; every answer. */
async function session(host, headers) {
  const answers = [await host.request(OPEN, { headers })];
  const use = `${OPEN}&sid=${host.sid}`;
  answers.push(await host.request(use, { method: 'POST', body: '40/nowhere,', headers }));
  answers.push(await host.request(use, { headers }));
  return answers;
}

/** Engine middleware that adds to the query of a request. */
function addUser(req, res, next) {
  req._query.user = 'u1';
  next();
}

/** An `allowRequest` that does so. */
function allowUser(req, done) {
  addUser(req, undefined, () => done(null, true));
}

describe('the cors option', () => {
  const here = { origin: 'https://here.example' };
  const there = { origin: 'https://there.example' };
  const preflight = {
    method: 'OPTIONS',
    headers: {
      ...here,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'x-token, content-type',
    },
  };

  for (const [what, cors] of [
    ['that is not given', undefined],
    ['that is false', false],
    ['that is true', true],
    ['with every origin', { origin: '*' }],
    ['with one origin', { origin: here.origin, methods: ['GET', 'POST'], credentials: true }],
    ['with several origins', { origin: [there.origin, /here\.example$/], maxAge: 60 }],
    ['with an origin function', { origin: (origin, done) => done(null, origin === here.origin) }],
    [
      'that is a function of the request',
      (req, done) => done(null, { origin: req.headers.origin, allowedHeaders: ['x-token'] }),
    ],
    ['that fails', (req, done) => done(new Error('no cors today'))],
    ['that answers preflights itself', { origin: '*', preflightContinue: true }],
    ['whose status is a string', { origin: '*', optionsSuccessStatus: '200' }],
    ['with its own status', { origin: '*', optionsSuccessStatus: 200, exposedHeaders: ['x-a'] }],
  ]) {
    it(
      `a cors option ${what} gives the headers of socket.io`,
      TIMEOUT,
      beside({ cors }, async (host) => [
        await host.request(OPEN, preflight),
        await host.request(OPEN, { headers: here }),
        await host.request(OPEN, { headers: there }),
        await host.request(`${OPEN}&sid=nobody`, { headers: here }),
        await host.request('/socket.io/?EIO=4', { headers: here }),
        await host.request('/app', { headers: here }),
        await host.request(OPEN, { headers: here, method: 'POST' }),
      ]),
    );
  }

  it(
    'an option of cors that only preflights need fails no other request',
    TIMEOUT,
    beside({ cors: { origin: '*', optionsSuccessStatus: undefined, maxAge: 'a\nb' } }, (host) =>
      host.request(OPEN, { headers: here }),
    ),
  );

  it(
    'the headers of the cors option are written as by the cors package',
    TIMEOUT,
    served({ cors: { origin: here.origin, credentials: true } }, async ({ port }) => {
      const req = http.request({ port, path: OPEN, ...preflight }).end();
      const [response] = await once(req, 'response');
      const names = response.rawHeaders.filter((name) => /^access-control/i.test(name));
      assert.deepEqual(names.sort(), [
        'Access-Control-Allow-Credentials',
        'Access-Control-Allow-Headers',
        'Access-Control-Allow-Methods',
        'Access-Control-Allow-Origin',
      ]);
      response.resume();
    }),
  );

  it(
    'CORS headers are on every response of a session and on the response to an upgrade',
    TIMEOUT,
    beside({ cors: { origin: here.origin, credentials: true } }, async (host) => [
      await session(host, here),
      await host.upgrade({ headers: here }),
      await host.upgrade({ headers: here, query: 'EIO=4&transport=nothing' }),
    ]),
  );
});

describe('the cookie option', () => {
  for (const [what, cookie] of [
    ['that is true', true],
    ['that is false', false],
    ['with a name', { name: 'load-balancer' }],
    [
      'with all attributes',
      {
        name: 'a',
        path: '/sockets',
        httpOnly: false,
        sameSite: 'strict',
        secure: true,
        maxAge: 60,
        domain: 'example.com',
      },
    ],
    ['without attributes', { path: undefined, httpOnly: false, sameSite: false }],
  ]) {
    it(
      `a cookie option ${what} sets the cookie of socket.io when polling opens a connection`,
      TIMEOUT,
      beside({ cookie }, async (host) => [await session(host), await host.upgrade()]),
    );
  }

  it(
    'a cookie is set as io.engine.opts has it by then',
    TIMEOUT,
    beside({ cookie: { name: 'a' } }, async (host) => {
      const { opts } = host.io.engine;
      opts.cookie.maxAge = 60;
      const answers = [await host.request(OPEN)];
      opts.cookie = { name: 'b' };
      answers.push(await host.request(OPEN));
      opts.cookie = undefined;
      return [...answers, await host.request(OPEN)];
    }),
  );

  it(
    'a cookie that cannot be encoded ends its own request only',
    TIMEOUT,
    served({ cookie: { name: 'a', encode: (id) => (id === 'id' ? id : 'a;b') } }, async (world) => {
      const errors = await unhandled(() => assert.rejects(fetch(world.url + OPEN)));
      assert.deepEqual(
        errors.map(({ message }) => message),
        ['argument val is invalid'],
      );
      assert.equal(world.io.engine.clientsCount, 0);
      assert.equal(await world.isAlive(), 'yes');
    }),
  );

  it('a cookie option that is a string sets a cookie of that name', TIMEOUT, async () => {
    const host = new Host(Server, { cookie: 'io' });
    await host.listen();
    const { headers } = await host.request(OPEN);
    assert.deepEqual(headers['set-cookie'], ['io=SID; Path=/; HttpOnly; SameSite=Lax']);
    await host.close();
  });
});

describe('listeners to initial_headers and headers', () => {
  const listening = (host) => {
    const seen = [];
    host.io.engine.on('initial_headers', (headers, req) => {
      headers['x-initial'] = '1';
      headers['set-cookie'] = 'own=1; Path=/';
      seen.push(['initial_headers', req.method, req.url.replace(host.sid, 'SID')]);
    });
    host.io.engine.on('headers', (headers, req) => {
      headers['x-every'] = 'ü'.normalize('NFD')[0];
      seen.push(['headers', req.method, req.url.replace(host.sid, 'SID')]);
    });
    return seen;
  };

  it(
    'listeners to initial_headers and headers run and add headers as on socket.io',
    TIMEOUT,
    beside({}, async (host) => {
      const seen = listening(host);
      return [
        await session(host),
        await host.upgrade(),
        await host.request('/socket.io/?EIO=4'),
        await host.request(BUNDLE.replace('min', 'no')),
        seen,
      ];
    }),
  );

  it(
    'only the headers listener runs for the upgrade of a session',
    TIMEOUT,
    beside({}, async (host) => {
      const seen = listening(host);
      await host.request(OPEN);
      const query = `EIO=4&transport=websocket&sid=${host.sid}`;
      return [await host.upgrade({ query }), seen];
    }),
  );

  it(
    'a headers listener that sets an invalid header ends its own upgrade only',
    TIMEOUT,
    served({}, async (world) => {
      world.io.engine.once('headers', (headers) => {
        headers['x-bad'] = 'a\r\nb: c';
      });
      const errors = await unhandled(async () => {
        const tcp = await world.tcp();
        tcp.socket.write(require('../support/raw').upgradeRequest());
        await tcp.ended;
        assert.equal(tcp.data.length, 0);
      });
      assert.deepEqual(
        errors.map(({ code }) => code),
        ['ERR_INVALID_CHAR'],
      );
      assert.equal(await world.isAlive(), 'yes');
    }),
  );
});

describe('middleware of io.engine.use()', () => {
  const using = (...middlewares) => {
    return (host) => middlewares.forEach((middleware) => host.io.engine.use(middleware));
  };
  const sessionId = (req, res, next) => {
    res.setHeader('set-cookie', 'session=1');
    setImmediate(next);
  };
  const failing = (req, res, next) => next(new Error('not today'));
  const throwing = () => {
    throw new Error('thrown');
  };
  const rejecting = () => Promise.reject(new Error('rejected'));
  const answering = (req, res) => {
    if (req.headers.upgrade) {
      res.end();
    } else {
      res.writeHead(401, { 'x-why': 'because' });
      res.end('no');
    }
  };

  for (const [what, use] of [
    ['that sets headers', using(sessionId, sessionId)],
    ['that fails', using(sessionId, failing)],
    ['that throws', using(throwing)],
    ['that rejects', using(rejecting)],
  ]) {
    it(
      `engine middleware ${what} has the effect it has on socket.io`,
      TIMEOUT,
      beside({}, async (host) => {
        use(host);
        return [await host.request(OPEN), await host.upgrade(), await host.request('/app')];
      }),
    );
  }

  it(
    'engine middleware may change the query of a request, and its URL without effect, as on socket.io',
    TIMEOUT,
    beside({}, async (host) => {
      host.io.engine.use((req, res, next) => {
        if (req.headers['x-query']) Object.assign(req._query, JSON.parse(req.headers['x-query']));
        if (req.headers['x-url']) req.url = req.headers['x-url'];
        next();
      });
      const changed = (query, url = '') => ({
        headers: { 'x-query': JSON.stringify(query), 'x-url': url },
      });
      const opened = await host.request('/socket.io/', changed({ EIO: '4', transport: 'polling' }));
      const use = changed({ sid: host.sid });
      return [
        opened,
        await host.request(OPEN, { method: 'POST', body: '40/nowhere,', ...use }),
        await host.request(OPEN, use),
        await host.request(OPEN, changed({ sid: 'nobody' })),
        await host.request(OPEN, changed({ transport: 'none' })),
        await host.request(OPEN, changed({}, '/elsewhere')),
        await host.upgrade({ query: '', ...changed({ EIO: '4', transport: 'websocket' }) }),
      ];
    }),
  );

  it(
    'allowRequest can add a header by req.res, as on socket.io',
    TIMEOUT,
    beside(
      {
        allowRequest: (req, done) => {
          req.res.setHeader('x-mine', 'yes');
          done(null, true);
        },
      },
      (host) => host.request(OPEN),
    ),
  );

  for (const [what, options, use] of [
    ['that nobody has seen', {}, () => {}],
    ['that engine middleware has changed', {}, ({ engine }) => engine.use(addUser)],
    ['that allowRequest has changed', { allowRequest: allowUser }, () => {}],
  ]) {
    it(
      `the query of a request ${what} is in socket.request._query and in the handshake, as on socket.io`,
      TIMEOUT,
      beside(options, async (host) => {
        use(host.io);
        const seen = [];
        host.io.engine.on('connection', ({ request }) => seen.push({ ...request._query }));
        host.io.use((socket, next) => {
          seen.push({ ...socket.handshake.query }, { ...socket.request._query });
          next();
        });
        const connected = once(host.io, 'connection');
        await host.request(`${OPEN}&token=a%20b&x=1&x=2`);
        await host.request(`${OPEN}&sid=${host.sid}`, { method: 'POST', body: '40' });
        await connected;
        return seen;
      }),
    );
  }

  it(
    'engine middleware that responds keeps a request from being served',
    TIMEOUT,
    served({}, async (world) => {
      world.io.engine.use(answering);
      const response = await fetch(world.url + OPEN);
      assert.equal(response.status, 401);
      const tcp = await world.tcp();
      tcp.socket.write(require('../support/raw').upgradeRequest());
      await tcp.ended;
      assert.equal(tcp.data.length, 0);
      assert.equal(world.io.engine.clientsCount, 0);
    }),
  );
});

describe('the client bundle', () => {
  const files = ['', '.min', '.esm.min', '.msgpack.min']
    .map((kind) => `socket.io${kind}.js`)
    .flatMap((name) => [name, `${name}.map`]);

  for (const name of files) {
    it(
      `${name} is served as by socket.io`,
      TIMEOUT,
      beside({}, (host) => host.request(`/socket.io/${name}`)),
    );
  }

  it(
    'the headers of the client bundle are written as by socket.io',
    TIMEOUT,
    served({}, async ({ port }) => {
      const headers = { 'accept-encoding': 'gzip' };
      const [response] = await once(http.get({ port, path: BUNDLE, headers }), 'response');
      const names = response.rawHeaders.filter((name, i) => i % 2 === 0);
      for (const name of ['Cache-Control', 'Content-Type', 'ETag', 'Content-Encoding']) {
        assert.ok(names.includes(name), `${name} in ${names}`);
      }
      response.resume();
    }),
  );

  it(
    'the client bundle is served as by socket.io under another path, with a query and for any method',
    TIMEOUT,
    beside({ path: '/other/' }, async (host) => [
      await host.request('/other/socket.io.min.js?v=1'),
      await host.request('/other/socket.io.min.js', { method: 'HEAD' }),
      await host.request('/other/socket.io.min.js', { method: 'POST' }),
      await host.request('/other/socket.io.slim.js'),
      await host.request('/other/socket.io.js/'),
      await host.request('/socket.io/socket.io.min.js'),
    ]),
  );

  it(
    'the client bundle is not served with serveClient: false',
    TIMEOUT,
    beside({ serveClient: false }, (host) => host.request(BUNDLE)),
  );

  it(
    'the client bundle is not sent again if the ETag matches',
    TIMEOUT,
    beside({}, async (host) => {
      const { etag } = (await host.request(BUNDLE)).headers;
      const known = (value) => ({ headers: { 'if-none-match': value } });
      return [
        await host.request(BUNDLE, known(etag)),
        await host.request(BUNDLE, known(`W/${etag}`)),
        await host.request(BUNDLE, known('"0.9"')),
      ];
    }),
  );

  it(
    'the client bundle is served from a package in an archive, whose files are never reported as open',
    TIMEOUT,
    served({}, async ({ url }, t) => {
      const { createReadStream } = fs;
      t.mock.method(fs, 'createReadStream', (...args) =>
        Readable.from(createReadStream(...args), { objectMode: false }),
      );
      const response = await fetch(`${url}${BUNDLE}`);
      assert.equal(response.status, 200);
      assert.match(await response.text(), /Socket\.IO/);
    }),
  );

  it(
    'the client bundle is not there if it cannot be read',
    TIMEOUT,
    served({}, async ({ url }, t) => {
      const { createReadStream } = fs;
      t.mock.method(fs, 'createReadStream', (file) => createReadStream(`${file}.gone`));
      assert.equal((await fetch(`${url}${BUNDLE}`)).status, 404);
    }),
  );

  it(
    'the client bundle is compressed as Accept-Encoding asks, as by socket.io',
    TIMEOUT,
    beside({ cors: { origin: 'https://here.example' } }, async (host) => {
      const answers = [];
      for (const accepted of [
        'gzip,br,deflate',
        'br',
        'deflate',
        'gzip, deflate, br',
        'gzip;q=0.5, br;q=0.9',
        'identity;q=1, gzip;q=0.1',
        '*',
        '*;q=0.5, gzip;q=0.1',
        'br;q=0, *',
        'br;q=0, gzip;q=0, deflate;q=0',
        'zstd, GZIP',
        ';;,',
        '',
      ]) {
        const answer = await host.request(BUNDLE, { headers: { 'accept-encoding': accepted } });
        const encoding = answer.headers['content-encoding'];
        if (encoding === 'br') answer.body = String(zlib.brotliDecompressSync(answer.body));
        else if (encoding !== undefined) answer.body = String(zlib.unzipSync(answer.body));
        answers.push([accepted, answer]);
      }
      return answers;
    }),
  );
});
