'use strict';

// The helper authenticates: whenever the socket connects, and when it is asked to.

const assert = require('node:assert/strict');
const { before, describe, it } = require('node:test');
const { FakeSocket, PAIRS, TIMEOUT, cut, next, open, reachState } = require('../support/clients');

let client;
let UnauthorizedError;
let DisconnectedError;

before(async () => {
  ({ client, UnauthorizedError, DisconnectedError } = await import('../../client.mjs'));
});

const VALID = { credentials: { token: 'valid' } };

for (const [host, version] of PAIRS) {
  describe(`authentication by the helper, server ${host}, client ${version}`, TIMEOUT, () => {
    it('the helper authenticates when its socket connects', async (t) => {
      const { connect } = await open(t, host, version);
      const app = client(connect(), VALID);
      assert.equal(app.state, 'disconnected');
      await app.ready;
      assert.equal(app.state, 'ready');
    });

    it('the helper authenticates a socket that is connected already', async (t) => {
      const { connect } = await open(t, host, version);
      const socket = connect();
      await next(socket, 'connect');
      const app = client(socket, VALID);
      assert.equal(app.state, 'authenticating');
      await app.ready;
    });

    it('the helper authenticates again when the connection is back', async (t) => {
      const { connect } = await open(t, host, version, (sockets) => {
        sockets.defineMethod('id', (socket) => socket.id);
      });
      const socket = connect();
      let asked = 0;
      const app = client(socket, {
        credentials: async () => {
          asked += 1;
          return { token: 'valid' };
        },
      });
      const first = await app.call('id');
      cut(socket);
      await reachState(app, 'disconnected');
      const ready = app.ready;
      await ready;
      assert.notEqual(await app.call('id'), first);
      assert.equal(asked, 2);
    });

    it('the helper rejects ready and calls when the server refuses, and keeps the socket', async (t) => {
      const { connect } = await open(t, host, version, (sockets) => {
        sockets.auth((socket, credentials) => {
          if (credentials.token !== 'valid') throw new Error('unknown token');
        });
        sockets.defineMethod('one', () => 1);
      });
      const socket = connect();
      const app = client(socket, { credentials: { token: 'guess' } });
      const waiting = app.call('one');
      const refused = (error) => {
        assert.ok(error instanceof UnauthorizedError);
        assert.equal(error.message, 'unknown token');
        assert.equal(error.code, 'ERR_LOOPBACK_SOCKET_UNAUTHORIZED');
        return true;
      };
      await assert.rejects(app.ready, refused);
      await assert.rejects(waiting, refused);
      await assert.rejects(app.call('one'), refused);
      assert.equal(app.state, 'unauthorized');
      assert.equal(socket.connected, true);

      await assert.rejects(app.authenticate({ token: 'other' }), refused);
      await app.authenticate({ token: 'valid' });
      assert.equal(app.state, 'ready');
      assert.equal(await app.call('one'), 1);
    });

    it('the helper has the server disconnect a refused socket if it is asked to', async (t) => {
      const { connect } = await open(t, host, version);
      const socket = connect();
      const app = client(socket, { disconnectWhenUnauthorized: true });
      const disconnected = next(socket, 'disconnect');
      await assert.rejects(app.ready, UnauthorizedError);
      assert.deepEqual((await disconnected).slice(0, 1), ['io server disconnect']);
      // It is still the refusal that keeps calls from being sent.
      await assert.rejects(app.call('one'), UnauthorizedError);
      assert.equal(app.state, 'disconnected');
    });

    it('a refused renewal leaves an authenticated socket as it is', async (t) => {
      const { connect } = await open(t, host, version, (sockets) => {
        sockets.defineMethod('token', (socket, { token }) => token);
      });
      const app = client(connect(), VALID);
      await app.ready;
      await assert.rejects(app.authenticate({ token: 'guess' }), UnauthorizedError);
      assert.equal(app.state, 'ready');
      assert.equal(await app.call('token'), 'valid');
    });

    it('the helper says why the server ends a socket that it had accepted', async (t) => {
      const { connect } = await open(t, host, version, (it) => {
        it.onConnected((server) => {
          server.expires = Date.now() + 50;
        });
        it.defineSubscription('news');
        it.defineMethod('hang', () => new Promise(() => {}));
      });
      const app = client(connect(), VALID);
      const expired = { name: 'UnauthorizedError', code: 'ERR_LOOPBACK_SOCKET_EXPIRED' };
      const call = app.call('hang');
      const isRejected = assert.rejects(call, expired);
      await assert.rejects(app.subscribe('news').next(), expired);
      await isRejected;
      await assert.rejects(app.call('one'), expired);
    });

    it('a call that is under way when its authentication is revoked rejects with the refusal', async (t) => {
      let started;
      const running = new Promise((resolve) => (started = resolve));
      const { connect, sockets } = await open(t, host, version, (it) => {
        it.defineMethod('hang', () => {
          started();
          return new Promise(() => {});
        });
        it.defineSubscription('news');
      });
      const app = client(connect(), VALID);
      const news = app.subscribe('news');
      await news.ready;
      const ends = Promise.all([
        assert.rejects(app.call('hang'), {
          name: 'UnauthorizedError',
          code: 'ERR_LOOPBACK_SOCKET_REVOKED',
        }),
        assert.rejects(news.next(), { name: 'SubscriptionError', reason: 'revoked' }),
      ]);
      await running;
      assert.equal(
        sockets.revoke(() => true),
        1,
      );
      await ends;
    });

    it('credentials that cannot be sent refuse the attempt, at first and later', async (t) => {
      const { connect } = await open(t, host, version, (it) => {
        it.defineMethod('one', () => 1);
      });
      const circular = {};
      circular.itself = circular;
      const failing = {
        get token() {
          throw new Error('locked');
        },
      };
      const given = [{ token: 1n }, circular, failing, () => {}];
      const refused = (error) => {
        assert.ok(error instanceof UnauthorizedError);
        assert.ok(error.cause instanceof TypeError);
        return true;
      };
      for (const credentials of given) {
        const app = client(connect(), { credentials: async () => credentials });
        await assert.rejects(app.ready, refused);
        assert.equal(app.state, 'unauthorized');
        await app.authenticate(VALID.credentials);
        await assert.rejects(
          app.authenticate(() => credentials),
          refused,
        );
        assert.equal(app.state, 'ready');
        assert.equal(await app.call('one'), 1);
      }
      const app = client(connect(), { credentials: circular });
      await assert.rejects(app.ready, refused);
    });

    it('the helper stops waiting when the server ends the socket, until the socket connects', async (t) => {
      const { io, connect } = await open(t, host, version, (sockets) => {
        sockets.defineMethod('one', () => 1);
      });
      const connected = next(io, 'connection');
      const socket = connect();
      const app = client(socket, VALID);
      await app.ready;
      const [server] = await connected;
      server.disconnect();
      await reachState(app, 'disconnected');
      const ended = (error) => {
        assert.ok(error instanceof DisconnectedError);
        assert.equal(error.reason, 'io server disconnect');
        return true;
      };
      await assert.rejects(app.ready, ended);
      await assert.rejects(app.call('one'), ended);
      socket.connect();
      assert.equal(await app.call('one'), 1);
    });
  });
}

describe('authentication by the helper', TIMEOUT, () => {
  it('states change as an event announces them', async () => {
    const socket = new FakeSocket();
    socket.connected = false;
    const app = client(socket, VALID);
    const states = [];
    app.addEventListener('statechange', () => states.push(app.state));
    socket.connect();
    socket.disconnect();
    socket.receive('connect');
    socket.receive('unauthorized', {});
    app.close();
    assert.deepEqual(states, [
      'authenticating',
      'ready',
      'disconnected',
      'authenticating',
      'unauthorized',
      'closed',
    ]);
  });

  it('credentials that cannot be had refuse the attempt with their failure as the cause', async () => {
    const cause = new Error('no network');
    const socket = new FakeSocket();
    const app = client(socket, {
      credentials: () => {
        throw cause;
      },
    });
    await assert.rejects(app.ready, (error) => {
      assert.ok(error instanceof UnauthorizedError);
      assert.equal(error.cause, cause);
      return true;
    });
    assert.deepEqual(socket.sent, []);
    const renewed = app.authenticate({ token: 'valid' });
    socket.receive('authenticated', true);
    await renewed;
    assert.deepEqual(socket.sent, [['authentication', { token: 'valid' }]]);
  });

  it('credentials of a connection that is lost meanwhile are not sent', async () => {
    const socket = new FakeSocket();
    const given = [];
    const app = client(socket, { credentials: () => new Promise((give) => given.push(give)) });
    socket.disconnect();
    socket.connected = true;
    socket.receive('connect');
    given[0]('first');
    given[1]('second');
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(socket.sent, [['authentication', 'second']]);
    socket.receive('authenticated', true);
    await app.ready;
  });

  it('an authentication that ends during a renewal is why calls fail, and one that was renewed is not', async () => {
    const socket = new FakeSocket();
    const app = client(socket, { credentials: 1 });
    socket.receive('authenticated', true);
    const refusal = { message: 'expired', code: 'ERR_LOOPBACK_SOCKET_EXPIRED' };
    const ends = [app.call('one'), app.authenticate(2)];
    socket.receive('unauthorized', refusal);
    socket.disconnect(false);
    for (const end of ends) await assert.rejects(end, { name: 'UnauthorizedError', ...refusal });
    await assert.rejects(app.call('one'), { name: 'UnauthorizedError', ...refusal });

    socket.connect();
    const renewal = app.authenticate(3);
    socket.receive('unauthorized', { message: 'no' }, () => {});
    await assert.rejects(renewal, { message: 'no' });
    const call = app.call('one');
    socket.disconnect(false);
    await assert.rejects(call, { name: 'DisconnectedError', reason: 'io server disconnect' });
    await assert.rejects(app.call('one'), { name: 'DisconnectedError' });
  });

  it('a refusal that the helper has the server disconnect for is why calls fail', async () => {
    const socket = new FakeSocket();
    const app = client(socket, { credentials: 1, disconnectWhenUnauthorized: true });
    socket.receive('authenticated', true);
    const call = app.call('one');
    const renewal = app.authenticate(2);
    socket.receive('unauthorized', { message: 'no' }, () => socket.disconnect(false));
    await assert.rejects(renewal, { name: 'UnauthorizedError', message: 'no' });
    await assert.rejects(call, { name: 'UnauthorizedError', message: 'no' });
  });

  it('attempts are sent one after the other', async () => {
    const socket = new FakeSocket();
    const app = client(socket, { credentials: 1 });
    const second = app.authenticate(2);
    const third = app.authenticate(3);
    assert.deepEqual(socket.sent, [['authentication', 1]]);
    socket.receive('authenticated', true);
    await app.ready;
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(socket.sent.length, 2);
    socket.receive('unauthorized', { message: 'no' });
    await assert.rejects(second, { message: 'no' });
    await new Promise((resolve) => setImmediate(resolve));
    socket.receive('authenticated', true);
    await third;
    assert.equal(socket.sent.length, 3);
  });

  it('a socket that cannot connect and does not try again fails what waits', async (t) => {
    const { connect, io } = await open(t, 'native', '4.8');
    await io.close();
    const app = client(connect({ reconnection: false }), VALID);
    await assert.rejects(app.call('one'), (error) => {
      assert.equal(error.reason, 'connect_error');
      assert.ok(error.cause instanceof Error);
      return true;
    });
    const patient = client(connect({ reconnectionAttempts: 1 }), VALID);
    await assert.rejects(patient.call('one'), { reason: 'reconnect_failed' });
  });

  for (const version of ['2.5', '4.8']) {
    it(`a namespace that refuses client ${version} fails what waits`, async (t) => {
      const { connect, io } = await open(t, 'native', version);
      io.use((socket, done) => done(new Error('full')));
      const app = client(connect(), VALID);
      await assert.rejects(app.call('one'), { reason: 'connect_error' });
    });
  }

  it('a closed client leaves no listener on its socket and sends nothing', async () => {
    const socket = new FakeSocket();
    const app = client(socket, VALID);
    const { ready } = app;
    const call = app.call('one');
    app.close();
    app.close();
    assert.deepEqual(socket.events, []);
    assert.equal(app.state, 'closed');
    await assert.rejects(ready, { reason: 'closed' });
    await assert.rejects(call, { reason: 'closed' });
    await assert.rejects(app.ready, { reason: 'closed' });
    await assert.rejects(app.call('one'), { reason: 'closed' });
    await assert.rejects(app.authenticate(), { reason: 'closed' });
    assert.equal(socket.sent.length, 1);
  });

  it('a client that is closed during an attempt does not begin the next one', async () => {
    const socket = new FakeSocket();
    const app = client(socket, VALID);
    app.ready.catch(() => {});
    const next = app.authenticate({ token: 'other' });
    app.close();
    await assert.rejects(next, { reason: 'closed' });
    assert.equal(app.state, 'closed');
    assert.deepEqual(
      socket.sent.map(([event]) => event),
      ['authentication'],
    );
  });

  it('the helper says which of its options are wrong', () => {
    assert.throws(() => client(), /needs a socket of socket.io-client/);
    assert.throws(() => client({}), /needs a socket of socket.io-client/);
    assert.throws(() => client(new FakeSocket(), { credential: 1 }), /no option 'credential'/);
    assert.throws(() => client(new FakeSocket(), { timeout: -1 }), /timeout/);
  });
});
