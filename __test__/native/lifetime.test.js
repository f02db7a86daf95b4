'use strict';

// A process with a native server ends when it should and not before, and closing ends everything.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const http = require('node:http');
const { describe, it } = require('node:test');
const LoopbackSocket = require('../..');
const { inChild, message, start } = require('../support/child');
const { RawWebsocket } = require('../support/raw');
const { TIMEOUT, World, ending, happens, served } = require('../support/native-server');

const { Server } = LoopbackSocket;

/** A raw client of a server somewhere, joined. */
async function visitor(port) {
  const raw = new RawWebsocket(port);
  await raw.opened();
  await raw.join();
  return raw;
}

describe('when a process exits', () => {
  for (const [what, mode] of [
    ['whose server is closed', 'close'],
    ['whose server is closed and released nothing else', 'close-twice'],
    ['whose server never listened', 'never'],
    ['that called start(httpServer) and closes io', 'start'],
  ]) {
    it(`a process ${what} exits by itself`, TIMEOUT, async () => {
      const child = start('lifetime.js', [mode]);
      const { code, output } = await child.ended;
      assert.equal(code, 0, output);
    });
  }

  it(
    'a process whose server is closed exits although clients of every transport were connected',
    TIMEOUT,
    async () => {
      const child = start('lifetime.js', ['close-when-told']);
      const port = await message(child);
      const clients = [await visitor(port), await visitor(port)];
      const polling = await fetch(`http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling`);
      const sid = /"sid":"([^"]+)"/.exec(await polling.text())[1];
      const poll = `http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling&sid=${sid}`;
      const last = fetch(poll).then(
        (response) => response.text(),
        () => '',
      );
      const closed = clients.map((raw) => raw.closed);
      child.send('close');
      assert.equal((await child.ended).code, 0);
      await Promise.all(closed);
      await last;
    },
  );

  it(
    'a process whose http.Server is closed stays alive until the last websocket ends',
    TIMEOUT,
    async () => {
      const child = start('lifetime.js', ['close-http']);
      const port = await message(child);
      const raw = await visitor(port);
      child.send('close http');
      assert.equal(await message(child), 'http server closed');
      assert.deepEqual(await raw.call('echo', 'alive'), ['alive']);
      assert.equal(child.exitCode, null);
      raw.terminate();
      assert.equal((await child.ended).code, 0);
    },
  );

  it('a process with a listening server does not exit', TIMEOUT, async () => {
    const child = start('lifetime.js', ['listen']);
    const port = await message(child);
    const raw = await visitor(port);
    raw.terminate();
    await raw.closed;
    (await visitor(port)).terminate();
    assert.equal(child.exitCode, null);
    child.kill();
    await child.ended;
  });
});

describe('dropping a server', () => {
  it(
    'a server that is not closed is collected once nobody refers to it and no client can come',
    TIMEOUT,
    async () => {
      const report = await inChild('dropped-servers.js', [], { execArgv: ['--expose-gc'] });
      assert.deepEqual(report, {
        unlistened: true,
        left: true,
        isUsed: true,
        answer: ['alive'],
        visited: true,
      });
    },
  );
});

describe('closing a server', () => {
  it(
    'close() ends every socket of every transport and version with "server shutting down"',
    TIMEOUT,
    async () => {
      const world = new World({});
      await world.listen();
      world.io.of('/other');
      const ends = [];
      for (const [version, options] of [
        ['4.8', { transports: ['websocket'] }],
        ['4.8', { transports: ['polling'], nsp: '/other' }],
        ['2.5', { transports: ['websocket'], nsp: '/other' }],
        ['2.5', { transports: ['polling'] }],
      ]) {
        const { client, socket } = await world.connect(version, options);
        ends.push([once(socket, 'disconnecting'), ending(socket), happens(client, 'disconnect')]);
      }
      await new Promise((resolve) => world.io.close(resolve));
      for (const [disconnecting, disconnect, there] of ends) {
        assert.equal((await disconnecting)[0], 'server shutting down');
        assert.equal((await disconnect)[0], 'server shutting down');
        assert.match((await there)[0], /^transport (close|error)$/);
      }
      assert.equal(world.io.sockets.sockets.size, 0);
      await world.close();
    },
  );

  it(
    'close() may be called several times and calls back as an http.Server does',
    TIMEOUT,
    served({}, async (world) => {
      await world.raw();
      const answers = [];
      const first = world.io.close((error) => answers.push(error));
      const second = world.io.close((error) => answers.push(error));
      await Promise.all([first, second, world.io.close()]);
      await new Promise((resolve) => world.io.close(resolve));
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(answers.length, 2);
      assert.equal(answers[0], undefined);
      assert.equal(answers[1].code, 'ERR_SERVER_NOT_RUNNING');
      assert.equal(answers[1].message, 'Server is not running.');
    }),
  );

  it(
    'close() of a server that does not listen gives its callback an error and does not throw',
    TIMEOUT,
    async () => {
      const io = new Server(http.createServer());
      const error = await new Promise((resolve) => io.close(resolve));
      assert.equal(error.code, 'ERR_SERVER_NOT_RUNNING');
    },
  );

  it(
    'close() may be called in a disconnect listener while the server closes',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.raw();
      raw.socket.on('disconnect', () => {
        world.io.close();
        raw.socket.disconnect(true);
        raw.socket.emit('too late', () => {});
        raw.socket.join('room');
        raw.socket.to('room').emit('too late');
      });
      await world.io.close();
      world.io.emit('too late');
      assert.equal(raw.socket.connected, false);
    }),
  );

  it(
    'close() does not wait for polling clients that keep their HTTP connection alive',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.polling({ poll: false, join: false });
      const asked = once(world.httpServer, 'request');
      const poll = raw.poll();
      await asked;
      const closed = world.io.close();
      assert.equal((await poll).headers.connection, 'close');
      await closed;
    }),
  );

  it('close() restores the listeners of the http.Server', TIMEOUT, async () => {
    const first = () => {};
    const last = () => {};
    const httpServer = http.createServer(first);
    const before = new Server(httpServer);
    const behind = new Server(httpServer, { path: '/behind' });
    httpServer.on('request', last);
    assert.equal(httpServer.listenerCount('upgrade'), 2);
    // In the order in which they came: the second holds on to the listener of the first.
    await before.close();
    assert.equal(httpServer.listenerCount('upgrade'), 1);
    await behind.close();
    assert.deepEqual(httpServer.listeners('request'), [first, last]);
    assert.equal(httpServer.listenerCount('upgrade'), 0);
  });

  it('an http.Server may be served again after close()', TIMEOUT, async () => {
    const httpServer = http.createServer((req, res) => res.end('the app'));
    const old = new Server(httpServer);
    await old.close();
    for (const again of [() => new Server(httpServer), () => old.attach(httpServer)]) {
      const io = again();
      httpServer.listen(0, '127.0.0.1');
      await once(httpServer, 'listening');
      const { port } = httpServer.address();
      assert.equal(httpServer.listenerCount('request'), 1);
      assert.equal(httpServer.listenerCount('upgrade'), 1);
      const headers = { connection: 'close' };
      const page = await fetch(`http://127.0.0.1:${port}/page`, { headers });
      assert.equal(await page.text(), 'the app');
      const connected = once(io, 'connection');
      const raw = await visitor(port);
      await connected;
      const closed = raw.closed;
      await io.close();
      await closed;
    }
  });

  it(
    'packets sent to websockets before close() are delivered',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.raw();
      const word = raw.packet('2["last"');
      raw.socket.emit('last', 'word');
      const closed = world.io.close();
      assert.equal(await word, '42["last","word"]');
      await closed;
    }),
  );
});

describe('servers on a port', () => {
  it(
    'new Server(port) makes an http.Server whose address is known at once, even for port 0',
    TIMEOUT,
    async () => {
      const io = new Server(0);
      const { port } = io.httpServer.address();
      assert.ok(port > 0);
      const raw = await visitor(port);
      assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 404);
      await io.close();
      await raw.closed;
    },
  );

  it('start(port) makes a server that is available as _io', TIMEOUT, async () => {
    const instance = new LoopbackSocket('port');
    instance.start(0);
    const { port } = instance._io.httpServer.address();
    const raw = await visitor(port);
    await raw.send('42["authentication",{}]');
    await raw.packet('2["authenticated",true]');
    raw.terminate();
    await instance._io.close();
  });

  it('a port that is in use emits an error on the http.Server', TIMEOUT, async () => {
    const first = new Server(0);
    const second = new Server(first.httpServer.address().port);
    const [error] = await once(second.httpServer, 'error');
    assert.equal(error.code, 'EADDRINUSE');
    await first.close();
    await second.close();
  });
});
