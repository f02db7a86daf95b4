'use strict';

// Options of the native server: what each does, and that a wrong one is told at once.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');
const { describe, it, mock } = require('node:test');
const { Server } = require('../..');
const { CLIENTS, TIMEOUT, ending, happens, served } = require('../support/native-server');

describe('options', () => {
  it('an unknown option is an error with a code that names the option', () => {
    for (const name of ['Transports', 'Path', '__proto', 'pinginterval']) {
      assert.throws(() => new Server(http.createServer(), { [name]: 1 }), {
        name: 'InvalidOptionError',
        code: 'ERR_LOOPBACK_SOCKET_UNKNOWN_OPTION',
        option: name,
        message: new RegExp(`'${name}'.*pingInterval`),
      });
    }
  });

  it('an invalid option is an error with a code that names the option and says what it needs', () => {
    const impossible = {
      path: ['socket.io', 1, '/a?b', '/a b', '/a#b', {}],
      serveClient: ['true', 1, null],
      pingInterval: [0, -1, 1.5, NaN, Infinity, 2 ** 31, '25000', null],
      pingTimeout: [0, -1, NaN, '1', null],
      upgradeTimeout: [0, '1'],
      connectTimeout: [-1, '1'],
      maxHttpBufferSize: [0, -1, 1.5, Infinity, '1mb', null],
      maxBackpressure: [0, NaN, '1'],
    };
    for (const [option, values] of Object.entries(impossible)) {
      for (const value of values) {
        assert.throws(
          () => new Server(http.createServer(), { [option]: value }),
          {
            code: 'ERR_LOOPBACK_SOCKET_INVALID_OPTION',
            option,
            message: new RegExp(`'${option}' must be `),
          },
          `${option}: ${String(value)}`,
        );
      }
    }
  });

  it('the message about connectTimeout says that 0 is its default, as in Socket.IO', () => {
    assert.throws(() => new Server({ connectTimeout: -1 }), { message: /or 0 for the default/ });
    assert.equal(new Server({ connectTimeout: 0 }).connectTimeout(), 45_000);
  });

  it('an option that is undefined has its default', async () => {
    const io = new Server(0, { path: undefined, pingInterval: undefined });
    const { port } = io.httpServer.address();
    const response = await fetch(`http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling`);
    assert.match(
      await response.text(),
      /"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000/,
    );
    await io.close();
  });

  it('options that are no object and a server that is no http.Server are errors with a code', () => {
    for (const options of [1, 'x']) {
      assert.throws(() => new Server(http.createServer(), options), {
        code: 'ERR_LOOPBACK_SOCKET_INVALID_OPTION',
      });
    }
    for (const server of ['x', net.createServer(), () => {}]) {
      assert.throws(() => new Server(server), { code: 'ERR_LOOPBACK_SOCKET_INVALID_SERVER' });
    }
  });

  it('an invalid option leaves the http.Server unchanged', () => {
    const httpServer = http.createServer(() => {});
    const before = httpServer.listeners('request');
    assert.throws(() => new Server(httpServer, { nothing: 1 }));
    assert.deepEqual(httpServer.listeners('request'), before);
    assert.equal(httpServer.listenerCount('upgrade'), 0);
  });
});

describe('the path option', () => {
  for (const given of ['/sockets', '/sockets/', '/deep/er']) {
    it(
      `clients connect at the path ${given} and at no other`,
      TIMEOUT,
      served({ path: given }, async (world) => {
        for (const transports of [['websocket'], ['polling']]) {
          const { socket } = await world.connect('4.8', { path: given, transports });
          assert.equal(socket.connected, true);
          const { socket: older } = await world.connect('2.5', { path: given, transports });
          assert.equal(older.connected, true);
        }
        const lost = world.httpServer.listenerCount('request');
        assert.equal(lost, 1);
        world.httpServer.on('request', (req, res) => {
          if (req.url.startsWith('/socket.io')) res.writeHead(404).end();
        });
        const response = await fetch(`${world.url}/socket.io/?EIO=4&transport=polling`);
        assert.equal(response.status, 404);
      }),
    );
  }
});

describe('pingInterval and pingTimeout', () => {
  const quick = { pingInterval: 40, pingTimeout: 60 };

  for (const version of CLIENTS) {
    it(
      `a client ${version} that answers pings stays connected`,
      TIMEOUT,
      served(quick, async (world) => {
        const { client, socket } = await world.connect(version);
        const { engine } = client.io;
        const beat = version === '4.8' ? 'ping' : 'pong';
        for (let i = 0; i < 5; i++) await happens(engine, beat);
        assert.equal(socket.connected, true);
      }),
    );
  }

  for (const [eio, transport] of [
    [4, 'websocket'],
    [3, 'websocket'],
    [3, 'polling'],
  ]) {
    it(
      `a client of Engine.IO ${eio} that stops answering over ${transport} ends with "ping timeout"`,
      TIMEOUT,
      served(quick, async (world) => {
        const raw = await (transport === 'polling' ? world.polling({ eio }) : world.raw({ eio }));
        if (raw.ws) raw.ws.removeAllListeners('message');
        const [reason] = await ending(raw.socket);
        assert.equal(reason, 'ping timeout');
        await raw.closed;
      }),
    );
  }

  it(
    'a client that vanishes without closing its connection ends at the ping timeout',
    TIMEOUT,
    served(quick, async (world) => {
      const raw = await world.raw();
      raw.ws.pause();
      const [reason] = await ending(raw.socket);
      assert.equal(reason, 'ping timeout');
    }),
  );
});

describe('connectTimeout', () => {
  it(
    'connectTimeout ends a connection that joins no namespace',
    TIMEOUT,
    served({ connectTimeout: 30 }, async (world) => {
      const idle = await world.raw({ join: false });
      const joined = await world.raw();
      await idle.closed;
      const polling = await world.polling({ join: false });
      await polling.closed;
      assert.equal(joined.socket.connected, true);
    }),
  );
});

describe('serveClient', () => {
  const bundle = path.join(path.dirname(require.resolve('socket.io/package.json')), 'client-dist');

  it(
    'serveClient serves the installed client and its source map, or status 304 if the ETag matches',
    TIMEOUT,
    served({}, async (world) => {
      const script = await fetch(`${world.url}/socket.io/socket.io.js`);
      assert.equal(script.status, 200);
      assert.match(script.headers.get('content-type'), /^application\/javascript/);
      assert.equal(await script.text(), fs.readFileSync(path.join(bundle, 'socket.io.js'), 'utf8'));
      const etag = script.headers.get('etag');
      const again = await fetch(`${world.url}/socket.io/socket.io.js?v=1`, {
        headers: { 'If-None-Match': etag },
      });
      assert.equal(again.status, 304);
      assert.equal(await again.text(), '');
      const other = await fetch(`${world.url}/socket.io/socket.io.js`, {
        headers: { 'If-None-Match': '"other"' },
      });
      assert.equal(other.status, 200);
      await other.text();
      const map = await fetch(`${world.url}/socket.io/socket.io.js.map`);
      assert.match(map.headers.get('content-type'), /^application\/json/);
      assert.equal(JSON.parse(await map.text()).version, 3);
      const small = await fetch(`${world.url}/socket.io/socket.io.min.js`);
      assert.match(await small.text(), /Socket\.IO v4\.8/);
      const head = await fetch(`${world.url}/socket.io/socket.io.js`, { method: 'HEAD' });
      assert.equal(head.status, 200);
      assert.equal(await head.text(), '');
    }),
  );

  it(
    'serveClient serves the helper for clients, or status 304 if the ETag matches',
    TIMEOUT,
    served({ cors: { origin: '*' } }, async (world) => {
      const url = `${world.url}/socket.io/loopback-socket.mjs`;
      const script = await fetch(url);
      assert.equal(script.status, 200);
      assert.match(script.headers.get('content-type'), /^application\/javascript/);
      assert.equal(script.headers.get('access-control-allow-origin'), '*');
      const file = path.join(__dirname, '..', '..', 'client.mjs');
      assert.equal(await script.text(), fs.readFileSync(file, 'utf8'));
      const etag = script.headers.get('etag');
      assert.equal(etag, `"${require('../../package.json').version}"`);
      const again = await fetch(url, { headers: { 'If-None-Match': etag } });
      assert.equal(again.status, 304);
    }),
  );

  it(
    'serveClient responds with status 404 while a file that was there cannot be read, and looks for it again',
    TIMEOUT,
    served({}, async (world) => {
      const url = `${world.url}/socket.io/loopback-socket.mjs`;
      const statusOf = async () => {
        const response = await fetch(url);
        await response.text();
        return response.status;
      };
      assert.equal(await statusOf(), 200);
      const { createReadStream } = fs;
      const reading = mock.method(fs, 'createReadStream', () =>
        createReadStream(path.join(__dirname, 'no such file')),
      );
      try {
        assert.equal(await statusOf(), 404);
      } finally {
        reading.mock.restore();
      }
      assert.equal(await statusOf(), 200);
    }),
  );

  it(
    'serveClient serves no other files',
    TIMEOUT,
    served({}, async (world) => {
      for (const file of [
        'package.json',
        '..%2Fpackage.json',
        'socket.io.js/../../package.json',
        'socket.io.jsx',
        'socket.io.esm.js',
        'socket.io.slim.min.js',
      ]) {
        const request = new Promise((resolve, reject) => {
          http
            .get({ port: world.port, path: `/socket.io/${file}` }, (res) => {
              res.resume();
              resolve(res.statusCode);
            })
            .once('error', reject);
        });
        assert.equal(await request, 400, file);
      }
    }),
  );

  it(
    'serveClient: false serves no client',
    TIMEOUT,
    served({ serveClient: false }, async (world) => {
      const response = await fetch(`${world.url}/socket.io/socket.io.js`);
      assert.equal(response.status, 400);
      assert.deepEqual(await response.json(), { code: 0, message: 'Transport unknown' });
      assert.equal(await world.isAlive(), 'yes');
    }),
  );
});
