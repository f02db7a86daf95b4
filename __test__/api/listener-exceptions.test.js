'use strict';

// Listeners of the application that throw when this package ends a socket, on every kind of server: the socket ends all
// the same, and the process learns of the exception.

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const {
  FakeServer,
  HOSTS,
  VERSIONS,
  authenticate,
  newInstance,
  next,
  openServer,
  socketOf,
} = require('../support/js-hosts');
const { uncaught, warnings } = require('../support/native-server');

/**
 * @param {number | 'native'} host the kind of server
 * @param {Error} error what a listener throws
 * @param {() => Promise<void>} during when it does
 * @returns {Promise<number>} how often the process is told: by a warning, or on the native server by an uncaught
 *   exception, as with any emitter
 */
async function reports(host, error, during) {
  const told = await (host === 'native' ? uncaught(during) : warnings(during));
  return told.filter((one) => one === error).length;
}

for (const host of HOSTS) {
  describe(`a listener that throws when its socket ends, on ${host}`, { timeout: 30_000 }, () => {
    /**
     * @param {import('node:test').TestContext} t the test
     * @param {string} event what it listens to
     * @param {number | string} [timeout] of the instance
     * @returns {Promise<object>} both sides of a client that stays when it is disconnected, as far as its server lets it;
     *   its listener throws `error` once
     */
    async function open(t, event, timeout = 'none') {
      const { io, connect } = await openServer(t, host);
      const error = new Error('of the listener');
      io.on('connection', (socket) => {
        socket.once(event, () => {
          throw error;
        });
      });
      const sockets = newInstance(timeout);
      sockets.defineMethod('m', () => 'ok');
      sockets.start(io);
      const client = connect();
      client.ondisconnect = () => {};
      return { client, error, io, sockets };
    }

    /**
     * @param {object} client a client
     * @returns {Promise<string>} whether a call is answered that it makes when it is turned away, or its connection
     *   ends before
     */
    function outcomeOf(client) {
      return new Promise((resolve) => {
        client.once('unauthorized', () => client.emit('m', {}, () => resolve('answered')));
        client.once('disconnect', () => resolve('disconnected'));
      });
    }

    for (const event of ['disconnecting', 'disconnect']) {
      for (const [how, end, code] of [
        [
          'is revoked',
          (socket, sockets) => sockets.revoke(() => true),
          'ERR_LOOPBACK_SOCKET_REVOKED',
        ],
        ['has expired', (socket) => (socket.expires = Date.now()), 'ERR_LOOPBACK_SOCKET_EXPIRED'],
      ]) {
        it(`a socket that ${how} ends although a listener of ${event} throws, on ${host}`, async (t) => {
          const { client, error, io, sockets } = await open(t, event);
          const socket = await socketOf(io, client);
          await authenticate(client);
          const told = next(client, 'unauthorized');
          const outcome = outcomeOf(client);
          const count = await reports(host, error, async () => {
            end(socket, sockets);
            assert.equal((await told).code, code);
            assert.equal(await outcome, 'disconnected');
          });
          assert.equal(count, 1);
          assert.equal(socket.connected, false);
          assert.equal(
            sockets.revoke(() => true),
            0,
          );
        });
      }

      it(`the connection of a socket that stays pending is closed although a listener of ${event} throws, on ${host}`, async (t) => {
        const { client, error, io } = await open(t, event, 100);
        const count = await reports(host, error, async () => {
          const connected = socketOf(io, client);
          assert.equal(await outcomeOf(client), 'disconnected');
          assert.equal((await connected).connected, false);
        });
        assert.equal(count, 1);
      });
    }

    it(`sockets that share a connection end although a listener of one of them throws, on ${host}`, async (t) => {
      const { client, error, io, sockets } = await open(t, 'disconnect');
      io.of('/other');
      await next(client, 'connect');
      await authenticate(client);
      const other = client.io.socket('/other');
      other.ondisconnect = () => {};
      await next(other.open(), 'connect');
      const ended = next(other, 'disconnect');
      const count = await reports(host, error, async () => {
        sockets.revoke(() => true);
        await ended;
      });
      assert.equal(count, 1);
      other.close();
    });
  });
}

for (const version of VERSIONS) {
  it(`a refused client that acknowledges leaves although a listener throws, on socket.io ${version}`, async (t) => {
    const { io, connect } = await openServer(t, version);
    const sockets = newInstance();
    sockets.auth(() => false);
    sockets.start(io);
    const client = connect();
    client.ondisconnect = () => {};
    const socket = await socketOf(io, client);
    const error = new Error('of the listener');
    socket.once('disconnecting', () => {
      throw error;
    });
    const ended = next(socket, 'disconnect');
    const count = await reports(version, error, async () => {
      client.once('unauthorized', (reason, acknowledge) => acknowledge());
      client.emit('authentication', {});
      await ended;
    });
    assert.equal(count, 1);
  });
}

it('an emitter without disconnect() is left alone when its authentication is revoked', async (t) => {
  const warned = t.mock.method(process, 'emitWarning', () => {});
  const io = new FakeServer();
  const sockets = newInstance();
  sockets.start(io);
  const socket = io.connect();
  let closed = 0;
  socket.disconnect = undefined;
  socket.conn = { close: () => (closed += 1) };
  await socket.authenticate({});
  assert.equal(
    sockets.revoke(() => true),
    1,
  );
  assert.deepEqual([closed, warned.mock.callCount()], [0, 0]);
});

it('a connection that cannot be closed ends neither revoke() nor the process', async (t) => {
  const warned = t.mock.method(process, 'emitWarning', () => {});
  const io = new FakeServer();
  const sockets = newInstance();
  sockets.start(io);
  const [first, second] = [new Error('first'), new Error('second')];
  const socket = io.connect();
  socket.disconnect = () => {
    throw first;
  };
  socket.conn = {
    close() {
      throw second;
    },
  };
  await socket.authenticate({});
  assert.equal(
    sockets.revoke(() => true),
    1,
  );
  assert.deepEqual(
    warned.mock.calls.map(({ arguments: [warning] }) => warning),
    [first, second],
  );
});
