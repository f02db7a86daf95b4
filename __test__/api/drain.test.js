'use strict';

// `io.close({ drain })`: what is in flight is done before the server closes.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const http = require('node:http');
const net = require('node:net');
const { describe, it } = require('node:test');
const { Adapter } = require('socket.io-adapter');
const LoopbackSocket = require('../..');
const { message, start } = require('../support/child');
const { RawPolling } = require('../support/raw');

const TIMEOUT = { timeout: 60_000 };

/** Longer than any test takes: a drain of it that ends has not waited for its time to be up. */
const LONG = 600_000;

const TRANSPORTS = ['websocket', 'polling'];

let names = 0;

/** A promise, and what settles it. */
function deferred() {
  let resolve;
  const promise = new Promise((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

/** A server with a LoopbackSocket, and clients for it; all are closed with the test. */
async function open(t, { isServed = true, ...options } = {}) {
  const httpServer = http.createServer((req, res) => res.end('app'));
  const io = new LoopbackSocket.Server(httpServer, options);
  const sockets = LoopbackSocket.get(`drain ${++names}`, 'none');
  if (isServed) sockets.start(io);
  httpServer.listen(0, '127.0.0.1');
  await once(httpServer, 'listening');
  const { port } = httpServer.address();
  const url = `http://127.0.0.1:${port}`;
  const clients = [];
  t.after(() => {
    clients.forEach((client) => client.disconnect());
    return io.close();
  });
  const connect = (transport, version = '', nsp = '/', at = port) => {
    const client = require(`socket.io-client${version}`)(`http://127.0.0.1:${at}${nsp}`, {
      transports: [transport],
      forceNew: true,
      reconnection: false,
    });
    clients.push(client);
    return client;
  };
  const authenticated = async (...how) => {
    const client = connect(...how);
    client.emit('authentication', {});
    await new Promise((done) => client.once('authenticated', done));
    return client;
  };
  /** Begins to close, and waits until clients without anything in flight have been ended. */
  const drain = async () => {
    const idle = connect('websocket');
    await new Promise((done) => idle.once('connect', done));
    const ended = new Promise((done) => idle.once('disconnect', done));
    const closed = io.close({ drain: LONG });
    await ended;
    return { closed };
  };
  return { io, sockets, httpServer, port, url, connect, authenticated, drain };
}

/** Defines a method `slow`: whether it has been called, and what its result waits for. */
function defineSlow(sockets) {
  const called = deferred();
  const done = deferred();
  sockets.defineMethod('slow', () => {
    called.resolve();
    return done.promise;
  });
  return { called, done };
}

/** What comes of a call: its answer, or the reason why the client was disconnected. */
function outcome(client, ...call) {
  return new Promise((resolve) => {
    client.once('disconnect', resolve);
    client.emit(...call, resolve);
  });
}

describe('a drain', () => {
  for (const [what, reach] of [
    [
      'with several http.Servers',
      async (io) => {
        io.attach(http.createServer());
        io.httpServer.listen(0, '127.0.0.1');
        await once(io.httpServer, 'listening');
      },
    ],
    [
      'that gets its connections from another one, as in a sticky worker,',
      async (io, t) => {
        const worker = http.createServer();
        io.attach(worker);
        const listener = net.createServer({ pauseOnConnect: true }, (socket) => {
          worker.emit('connection', socket);
          socket.resume();
        });
        listener.listen(0, '127.0.0.1');
        await once(listener, 'listening');
        t.after(() => listener.close());
        return listener.address().port;
      },
    ],
  ]) {
    it(`a server ${what} answers a call during a drain`, TIMEOUT, async (t) => {
      const { io, sockets, httpServer, port, connect } = await open(t);
      // The server closes only the one that it was attached to last.
      t.after(() => httpServer.close());
      const { called, done } = defineSlow(sockets);
      const client = connect('websocket', '', '/', (await reach(io, t)) ?? port);
      client.emit('authentication', {});
      await new Promise((resolve) => client.once('authenticated', resolve));
      const answered = outcome(client, 'slow', {});
      await called.promise;
      const closed = io.close({ drain: LONG });
      // Long enough for http.Servers without connections to close.
      await new Promise((resolve) => {
        http.createServer().listen(0).once('listening', resolve).close(resolve);
      });
      done.resolve('done');
      assert.deepEqual(await answered, { result: 'done' });
      await closed;
    });
  }

  for (const transport of TRANSPORTS) {
    for (const version of ['-1', '-2', '-3', '']) {
      it(
        `calls in flight by ${transport} of socket.io-client${version} are answered`,
        TIMEOUT,
        async (t) => {
          const { io, sockets, authenticated } = await open(t);
          const called = deferred();
          const done = deferred();
          sockets.defineMethod('slow', async () => {
            called.resolve();
            await done.promise;
            return 'x'.repeat(100_000);
          });
          const client = await authenticated(transport, version);
          const idle = await authenticated(transport, version);
          const idleEnded = new Promise((resolve) => idle.once('disconnect', resolve));
          const ended = new Promise((resolve) => client.once('disconnect', resolve));
          const answer = outcome(client, 'slow', {});
          await called.promise;
          const closed = io.close({ drain: LONG });
          await idleEnded;
          assert.equal(client.connected, true);
          done.resolve();
          assert.deepEqual(await answer, { result: 'x'.repeat(100_000) });
          await Promise.all([ended, closed]);
        },
      );
    }

    it(
      `a call sent during a drain by ${transport} is answered while another is in flight`,
      TIMEOUT,
      async (t) => {
        const { io, sockets, authenticated } = await open(t);
        const { called, done } = defineSlow(sockets);
        sockets.defineMethod('echo', (socket, credentials, args) => args);
        const client = await authenticated(transport);
        const slow = outcome(client, 'slow', {});
        await called.promise;
        const closed = io.close({ drain: LONG });
        assert.deepEqual(await outcome(client, 'echo', 1), { result: 1 });
        done.resolve('done');
        assert.deepEqual(await slow, { result: 'done' });
        await closed;
      },
    );

    it(`an attempt to authenticate by ${transport} is finished`, TIMEOUT, async (t) => {
      const { sockets, drain, connect } = await open(t);
      const asked = deferred();
      const decided = deferred();
      const handled = deferred();
      const handling = deferred();
      sockets.auth(() => {
        asked.resolve();
        return decided.promise;
      });
      sockets.onConnected(() => {
        handling.resolve();
        return handled.promise;
      });
      const client = connect(transport);
      const authenticated = new Promise((resolve) => client.once('authenticated', resolve));
      client.emit('authentication', {});
      await asked.promise;
      const { closed } = await drain();
      decided.resolve(true);
      await handling.promise;
      handled.resolve();
      assert.equal(await authenticated, true);
      await closed;
    });
  }

  it('a handler of a call without an acknowledgement is waited for', TIMEOUT, async (t) => {
    const { sockets, drain, authenticated } = await open(t);
    const called = deferred();
    const done = deferred();
    const order = [];
    sockets.defineMethod('note', async () => {
      called.resolve();
      await done.promise;
      order.push('handled');
    });
    const client = await authenticated('websocket');
    client.once('disconnect', () => order.push('disconnected'));
    client.emit('note', 1);
    await called.promise;
    const { closed } = await drain();
    done.resolve();
    await closed;
    assert.equal(order[0], 'handled');
  });

  it(
    'options, refusals, errors and cancelled calls leave nothing in flight',
    TIMEOUT,
    async (t) => {
      const { io, sockets, authenticated } = await open(t);
      const never = new Promise(() => {});
      sockets.defineMethod('throws', () => {
        throw new Error('thrown');
      });
      sockets.defineMethod('forbidden', () => 1, { authorize: () => false });
      sockets.defineMethod('timed', () => never, { timeout: 10 });
      sockets.defineMethod('cancelled', () => never, { context: true });
      sockets.defineMethod('unsendable', () => 1n);
      sockets.defineSubscription('items', async function* items() {
        yield 1;
        await never;
      });
      const client = await authenticated('websocket');
      for (const name of ['throws', 'forbidden', 'timed', 'unsendable']) {
        assert.ok('error' in (await outcome(client, name, {})), name);
      }
      const cancelled = outcome(client, 'cancelled', {}, { call: 1 });
      assert.deepEqual(await outcome(client, 'loopback:cancel', 1), { result: true });
      assert.ok('error' in (await cancelled));
      assert.ok('result' in (await outcome(client, 'items', {})));
      await io.close({ drain: LONG });
    },
  );

  it('a subscription goes on until its socket ends, and is told no reason', TIMEOUT, async (t) => {
    const { sockets, drain, authenticated } = await open(t);
    const { called, done } = defineSlow(sockets);
    sockets.defineSubscription('ticks');
    const client = await authenticated('websocket');
    const told = [];
    client.onAny((name, ...values) => told.push([name, values[0]?.reason]));
    await outcome(client, 'ticks', {});
    const slow = outcome(client, 'slow', {});
    await called.promise;
    const { closed } = await drain();
    const item = new Promise((resolve) => client.once('ticks', resolve));
    sockets.publish('ticks', {}, 'late');
    assert.equal(await item, 'late');
    done.resolve();
    await slow;
    await closed;
    assert.ok(told.every(([name]) => name !== 'loopback:unsubscribed'));
  });

  it(
    'sockets see that the server is shutting down, and their clients that the transport was closed',
    TIMEOUT,
    async (t) => {
      const { io, connect } = await open(t, { isServed: false });
      const reasons = [];
      io.on('connection', (socket) => socket.on('disconnect', (reason) => reasons.push(reason)));
      const client = connect('websocket');
      await new Promise((resolve) => client.once('connect', resolve));
      const ended = new Promise((resolve) => client.once('disconnect', resolve));
      await io.close({ drain: LONG });
      assert.deepEqual([reasons, await ended], [['server shutting down'], 'transport close']);
    },
  );

  it(
    'no session is opened and no namespace is joined while calls are in flight',
    TIMEOUT,
    async (t) => {
      const { io, sockets, url, port, authenticated } = await open(t);
      const { called, done } = defineSlow(sockets);
      io.of('/other');
      // A client that polls may need new connections: the http.Server still takes them.
      const client = await authenticated('polling');
      const slow = outcome(client, 'slow', {});
      await called.promise;
      const closed = io.close({ drain: LONG });
      const opened = await fetch(`${url}/socket.io/?EIO=4&transport=polling`);
      assert.deepEqual([opened.status, opened.headers.get('connection')], [503, 'close']);
      const websocket = net.connect(port, '127.0.0.1');
      websocket.write(
        'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n' +
          'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
      );
      assert.match(String((await once(websocket, 'data'))[0]), /^HTTP\/1.1 503 /);
      assert.equal(await (await fetch(url)).text(), 'app');
      const other = client.io.socket('/other');
      other.connect();
      done.resolve(1);
      assert.deepEqual(await slow, { result: 1 });
      await closed;
      assert.equal(other.connected, false);
      // It joins again by itself, as soon as its manager has connected elsewhere.
      assert.equal(other.active, true);
      await assert.rejects(fetch(url));
    },
  );

  it(
    'the http.Server accepts no more connections as soon as no client polls',
    TIMEOUT,
    async (t) => {
      const { io, sockets, httpServer, url, authenticated } = await open(t);
      const { called, done } = defineSlow(sockets);
      const client = await authenticated('websocket');
      const slow = outcome(client, 'slow', {});
      await called.promise;
      const closed = io.close({ drain: LONG });
      assert.equal(httpServer.listening, false);
      await assert.rejects(fetch(url));
      assert.throws(() => io.attach(http.createServer()), { name: 'InvalidServerError' });
      done.resolve(1);
      assert.deepEqual(await slow, { result: 1 });
      await closed;
    },
  );

  it('a client that polls fetches its answer before its connection ends', TIMEOUT, async (t) => {
    const { io, sockets, port } = await open(t);
    let ioSocket;
    io.on('connection', (socket) => (ioSocket = socket));
    const { called, done } = defineSlow(sockets);
    const client = new RawPolling(port, { poll: false });
    t.after(() => client.terminate());
    await client.opened();
    await client.post('40');
    await client.poll();
    await client.post('42["authentication",{}]');
    await client.poll();
    await client.post('420["slow",{}]');
    await called.promise;
    const closed = io.close({ drain: LONG });
    const ended = new Promise((resolve) => ioSocket.once('disconnect', resolve));
    done.resolve('kept');
    assert.equal(await ended, 'server shutting down');
    assert.equal(String((await client.poll()).body), '430[{"result":"kept"}]');
    assert.match(String((await client.poll()).body), /1$/);
    await closed;
  });

  it('a client that always has calls in flight does not keep the server', TIMEOUT, async (t) => {
    const { io, sockets, authenticated } = await open(t);
    const begun = new Set();
    sockets.defineMethod('slow', async (socket, credentials, n) => {
      begun.add(n);
      await new Promise((done) => setTimeout(done, 50));
      return n;
    });
    const client = await authenticated('websocket');
    const gone = new Promise((done) => client.once('disconnect', done));
    const answered = new Set();
    let count = 0;
    const call = () => client.emit('slow', ++count, ({ result }) => answered.add(result));
    const timer = setInterval(call, 5);
    t.after(() => clearInterval(timer));
    call();
    await io.close({ drain: LONG });
    await gone;
    assert.ok(begun.size > 1 && begun.size < count, `${begun.size} of ${count}`);
    assert.deepEqual(answered, begun);
  });

  it('the time of a drain ends calls that are not done', TIMEOUT, async (t) => {
    const { io, sockets, authenticated } = await open(t);
    const called = deferred();
    sockets.defineMethod('never', () => {
      called.resolve();
      return new Promise(() => {});
    });
    for (const transport of TRANSPORTS) await authenticated(transport);
    const client = await authenticated('websocket');
    const never = outcome(client, 'never', {});
    await called.promise;
    await io.close({ drain: 50 });
    assert.equal(await never, 'transport close');
  });

  it('closing again without a drain ends what is in flight at once', TIMEOUT, async (t) => {
    const { io, sockets, authenticated } = await open(t);
    const called = deferred();
    sockets.defineMethod('never', () => {
      called.resolve();
      return new Promise(() => {});
    });
    const client = await authenticated('websocket');
    const never = outcome(client, 'never', {});
    await called.promise;
    const errors = [];
    const first = io.close({ drain: LONG }, (error) => errors.push(error));
    const longer = io.close({ drain: LONG * 2 });
    await io.close((error) => errors.push(error?.code));
    await Promise.all([first, longer]);
    assert.equal(await never, 'transport close');
    await new Promise(setImmediate);
    assert.deepEqual(errors.sort(), ['ERR_SERVER_NOT_RUNNING', undefined].sort());
  });

  it('a shorter drain that is asked for later ends a longer one', TIMEOUT, async (t) => {
    const { io, sockets, authenticated } = await open(t);
    const called = deferred();
    sockets.defineMethod('never', () => {
      called.resolve();
      return new Promise(() => {});
    });
    const client = await authenticated('websocket');
    const never = outcome(client, 'never', {});
    await called.promise;
    const first = io.close({ drain: LONG });
    await io.close({ drain: 10 });
    await first;
    assert.equal(await never, 'transport close');
  });

  it('clients that do not read keep the server no longer than its time', TIMEOUT, async (t) => {
    const { io, port } = await open(t, { isServed: false });
    const connected = once(io, 'connection');
    const client = net.connect(port, '127.0.0.1');
    client.pause();
    t.after(() => client.destroy());
    client.write(
      'GET /socket.io/?EIO=3&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n' +
        'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    const [socket] = await connected;
    socket.emit('m', 'x'.repeat(8_000_000));
    const poller = net.connect(port, '127.0.0.1');
    poller.pause();
    t.after(() => poller.destroy());
    const another = once(io, 'connection');
    const opened = await (
      await fetch(`http://127.0.0.1:${port}/socket.io/?EIO=3&transport=polling`)
    ).text();
    const sid = /"sid":"([^"]+)"/.exec(opened)[1];
    const [polling] = await another;
    polling.emit('m', 'x'.repeat(8_000_000));
    poller.write(`GET /socket.io/?EIO=3&transport=polling&sid=${sid} HTTP/1.1\r\nHost: a\r\n\r\n`);
    const began = performance.now();
    await io.close({ drain: 300 });
    // Far less than the 30 s that clients have otherwise.
    assert.ok(performance.now() - began < 15_000);
  });

  it('a server can be attached again after a drain', TIMEOUT, async (t) => {
    const { io, connect, url } = await open(t, { isServed: false });
    await io.close({ drain: LONG });
    const again = http.createServer();
    io.attach(again);
    again.listen(new URL(url).port, '127.0.0.1');
    await once(again, 'listening');
    const client = connect('websocket');
    await new Promise((resolve) => client.once('connect', resolve));
    await io.close({ drain: 0 });
  });

  it('requests to the app are not cut off while there is time', TIMEOUT, async (t) => {
    const { io, httpServer, url } = await open(t, { isServed: false });
    const arrived = new Promise((resolve) => {
      httpServer.removeAllListeners('request');
      httpServer.once('request', (req, res) => resolve(res));
    });
    const fetched = fetch(url, { headers: { Connection: 'close' } });
    const res = await arrived;
    const closed = io.close({ drain: 2 ** 31 - 1 });
    // Nothing tells that nothing is cut off.
    await new Promise((resolve) => setTimeout(resolve, 50));
    res.end('late');
    assert.equal(await (await fetched).text(), 'late');
    await closed;
  });

  it('a server that is not running is closed as without a drain', TIMEOUT, async () => {
    await new LoopbackSocket.Server().close({ drain: LONG });
    await new LoopbackSocket.Server().close({}, () => {});
  });
});

describe('options of close()', () => {
  it('an impossible value throws at the call', async (t) => {
    const { io } = await open(t, { isServed: false });
    for (const drain of [-1, 1.5, NaN, Infinity, 2 ** 31, '1000', true, null, {}]) {
      assert.throws(() => io.close({ drain }), {
        name: 'InvalidOptionError',
        code: 'ERR_LOOPBACK_SOCKET_INVALID_OPTION',
        option: 'drain',
      });
    }
    assert.throws(() => io.close({ drian: 1 }), { name: 'InvalidOptionError', option: 'drian' });
    for (const options of [5000, 'drain', true, []]) {
      assert.throws(() => io.close(options), { name: 'InvalidOptionError', option: 'options' });
    }
    assert.equal(io.httpServer.listening, true);
  });
});

describe('SIGTERM', () => {
  for (const transport of TRANSPORTS) {
    it(
      `no call that a handler has begun is without an answer by ${transport}`,
      TIMEOUT,
      async (t) => {
        const child = start('drained-server.js');
        t.after(() => child.kill('SIGKILL'));
        const { port } = await message(child);
        const clients = [];
        t.after(() => clients.forEach((client) => client.disconnect()));
        const answered = new Set();
        const enough = deferred();
        const disconnected = [];
        for (let i = 0; i < 8; i++) {
          const client = require(i % 2 ? 'socket.io-client' : 'socket.io-client-2')(
            `http://127.0.0.1:${port}`,
            { transports: [transport], forceNew: true, reconnection: false },
          );
          clients.push(client);
          let count = 0;
          const call = () => {
            if (!client.connected) return;
            const id = `${i} ${++count}`;
            client.emit('work', { id }, ({ result }) => {
              answered.add(result);
              if (answered.size > 100) enough.resolve();
              call();
            });
          };
          client.once('authenticated', () => {
            for (let n = 0; n < 4; n++) call();
          });
          client.emit('authentication', {});
          disconnected.push(new Promise((resolve) => client.once('disconnect', resolve)));
        }
        await enough.promise;
        child.kill('SIGTERM');
        const { ids } = await message(child);
        assert.deepEqual(await child.ended, { code: 0, signal: null, output: '' });
        await Promise.all(disconnected);
        assert.deepEqual(
          ids.filter((id) => !answered.has(id)),
          [],
        );
      },
    );
  }

  it('an adapter that does not close is not waited for when the time is up', TIMEOUT, async (t) => {
    const closing = deferred();
    class Hanging extends Adapter {
      close() {
        closing.resolve();
        return new Promise(() => {});
      }
    }
    const { io, authenticated } = await open(t, { adapter: Hanging });
    await authenticated('websocket');
    const closed = io.close({ drain: 1 });
    await closing.promise;
    await closed;
  });
});
