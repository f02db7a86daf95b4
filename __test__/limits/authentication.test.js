'use strict';

// How often a client may try to authenticate, and how many sockets of one address may be pending, on
// every kind of server.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, it } = require('node:test');
const Bluebird = require('bluebird');
const proxyAddr = require('proxy-addr');
const { networkOf } = require('../../lib/auth/limits');
const { HOSTS, authenticate, newInstance, next, openServer } = require('../support/js-hosts');

const TOO_MANY_ATTEMPTS = {
  message: 'Too many attempts to authenticate. Connect again later.',
  code: 'ERR_LOOPBACK_SOCKET_TOO_MANY_ATTEMPTS',
};
const TOO_MANY_PENDING = {
  message:
    'Too many connections from this address are waiting for authentication. Connect again later.',
  code: 'ERR_LOOPBACK_SOCKET_TOO_MANY_PENDING',
};

/** @returns {object} an instance that accepts `'right'` */
function guarded() {
  const sockets = newInstance();
  sockets.auth((socket, credentials) => credentials === 'right');
  return sockets;
}

/** @returns {Promise<unknown>} what a client is refused with */
function refused(client, credentials = 'wrong') {
  const unauthorized = next(client, 'unauthorized');
  client.emit('authentication', credentials);
  return unauthorized;
}

for (const host of HOSTS) {
  const title = host === 'native' ? 'the native server' : `a socket.io ${host} server`;

  describe(`limits of authentication on ${title}`, { timeout: 60_000 }, () => {
    it('a socket that fails to authenticate too often is told why and loses its connection', async (t) => {
      const { io, connect } = await openServer(t, host);
      guarded().start(io, { maxAuthenticationAttempts: 3 });
      const client = connect();
      await once(client, 'connect');
      for (let attempt = 0; attempt < 3; attempt += 1) {
        assert.deepEqual(await refused(client), { message: 'Authentication failure' });
      }
      const disconnected = next(client, 'disconnect');
      assert.deepEqual(await refused(client, 'right'), TOO_MANY_ATTEMPTS);
      assert.equal(await disconnected, 'io server disconnect');
    });

    it('pending attempts count, and the auth function does not run beyond the limit', async (t) => {
      const { io, connect } = await openServer(t, host);
      const sockets = newInstance();
      let running = 0;
      sockets.auth(() => {
        running += 1;
        return new Promise(() => {});
      });
      sockets.start(io, { maxAuthenticationAttempts: 5 });
      const client = connect();
      await once(client, 'connect');
      const unauthorized = next(client, 'unauthorized');
      const disconnected = next(client, 'disconnect');
      for (let attempt = 0; attempt < 50; attempt += 1) client.emit('authentication', {});
      assert.deepEqual(await unauthorized, TOO_MANY_ATTEMPTS);
      assert.equal(await disconnected, 'io server disconnect');
      assert.equal(running, 5);
    });

    it('successful attempts do not count', async (t) => {
      const { io, connect } = await openServer(t, host);
      const sockets = guarded();
      sockets.defineMethod('m', () => 'called');
      sockets.start(io, { maxAuthenticationAttempts: 2 });
      const client = connect();
      await once(client, 'connect');
      assert.deepEqual(await refused(client), { message: 'Authentication failure' });
      for (let attempt = 0; attempt < 10; attempt += 1) {
        assert.equal(await authenticate(client, 'right'), true);
      }
      assert.deepEqual(await refused(client), { message: 'Authentication failure' });
      const answer = await new Promise((resolve) => client.emit('m', {}, resolve));
      assert.deepEqual(answer, { result: 'called' });
      assert.deepEqual(await refused(client), TOO_MANY_ATTEMPTS);
    });

    it('attempts are counted for each socket', async (t) => {
      const { io, connect } = await openServer(t, host);
      guarded().start(io, { maxAuthenticationAttempts: 1 });
      const [first, second] = [connect(), connect()];
      await Promise.all([once(first, 'connect'), once(second, 'connect')]);
      await refused(first);
      assert.deepEqual(await refused(first), TOO_MANY_ATTEMPTS);
      assert.deepEqual(await refused(second), { message: 'Authentication failure' });
    });

    it('a socket is refused while too many sockets of its address are pending', async (t) => {
      const { io, connect } = await openServer(t, host);
      guarded().start(io, { maxPendingPerAddress: 2 });
      const left = [];
      io.on('connection', (socket) => {
        socket.on('disconnect', () => left.forEach((resolve) => resolve()));
      });
      const [first, second] = [connect(), connect()];
      await Promise.all([once(first, 'connect'), once(second, 'connect')]);

      const turnedAway = async () => {
        const client = connect();
        const disconnected = next(client, 'disconnect');
        assert.deepEqual(await next(client, 'unauthorized'), TOO_MANY_PENDING);
        assert.equal(await disconnected, 'io server disconnect');
      };
      const admitted = async () => {
        const client = connect();
        await once(client, 'connect');
        assert.deepEqual(await refused(client), { message: 'Authentication failure' });
        return client;
      };
      await turnedAway();
      // One authenticates: there is room for another.
      assert.equal(await authenticate(first, 'right'), true);
      const third = await admitted();
      await turnedAway();
      // One leaves: there is room again.
      const gone = new Promise((resolve) => left.push(resolve));
      third.disconnect();
      await gone;
      await admitted();
      await turnedAway();
    });

    it('the option clientAddress gives the address of a client', async (t) => {
      const { io, connect } = await openServer(t, host);
      guarded().start(io, {
        maxPendingPerAddress: 1,
        clientAddress: (socket) => socket.handshake.query.address,
      });
      const from = (address) => connect('/', { query: { address } });
      const first = from('10.0.0.1');
      await once(first, 'connect');
      const second = from('10.0.0.2');
      await once(second, 'connect');
      assert.deepEqual(await refused(second), { message: 'Authentication failure' });
      const same = from('10.0.0.1');
      assert.deepEqual(await next(same, 'unauthorized'), TOO_MANY_PENDING);
    });

    it('a socket for which clientAddress fails counts for the address of its connection', async (t) => {
      const { io, connect } = await openServer(t, host);
      const sockets = guarded();
      const errors = [];
      sockets.onError((error, { socket, name, kind }) => {
        errors.push([error.message, socket.handshake.query.how, name, kind]);
      });
      const fails = {
        throws() {
          throw new Error('no header');
        },
        rejects: () => Promise.reject(new Error('not in time')),
      };
      sockets.start(io, {
        maxPendingPerAddress: 1,
        clientAddress: (socket) => fails[socket.handshake.query.how]?.() ?? '192.0.2.1',
      });
      const first = connect('/', { query: { how: 'throws' } });
      await once(first, 'connect');
      assert.deepEqual(await refused(first), { message: 'Authentication failure' });
      const second = connect('/', { query: { how: 'rejects' } });
      assert.deepEqual(await next(second, 'unauthorized'), TOO_MANY_PENDING);
      await once(connect(), 'connect');
      assert.equal(await authenticate(first, 'right'), true);
      assert.deepEqual(errors, [
        ['no header', 'throws', undefined, 'clientAddress'],
        [
          'clientAddress must return the address itself, not a promise',
          'rejects',
          undefined,
          'clientAddress',
        ],
      ]);
    });

    it('a socket for which clientAddress returns no address counts for the address of its connection', async (t) => {
      const { io, connect } = await openServer(t, host);
      const sockets = guarded();
      const errors = [];
      sockets.onError((error, { kind }) => errors.push([error.message, kind]));
      const rejection = new Error('not in time');
      const returned = [
        () => null,
        () => 0,
        () => 7,
        () => '',
        () => ['192.0.2.1', '192.0.2.2'],
        () => ({ address: '192.0.2.1' }),
        () => Bluebird.resolve('192.0.2.1'),
        // A rejection that nobody handles would fail the test.
        () => Bluebird.reject(rejection),
        () => ({ then: (resolve, reject) => reject(rejection) }),
        () => ({
          get then() {
            throw rejection;
          },
        }),
      ];
      sockets.start(io, {
        maxPendingPerAddress: 1,
        clientAddress: (socket) => returned[socket.handshake.query.which]?.(),
      });
      const first = connect('/', { query: { which: 0 } });
      await once(first, 'connect');
      for (const which of returned.keys()) {
        const client = connect('/', { query: { which } });
        assert.deepEqual(await next(client, 'unauthorized'), TOO_MANY_PENDING, `${which}`);
      }
      await once(connect('/', { query: { which: 'none' } }), 'connect');
      const noString =
        'clientAddress must return an address, a string that is not empty, or undefined';
      const noPromise = 'clientAddress must return the address itself, not a promise';
      const expected = [0, ...returned.keys()].map((which) =>
        which < 6 ? noString : which < 9 ? noPromise : rejection.message,
      );
      assert.deepEqual(
        errors,
        expected.map((message) => [message, 'clientAddress']),
      );
    });

    it('an error of clientAddress that nobody listens to becomes one warning', async (t) => {
      const { io, connect } = await openServer(t, host);
      const warnings = [];
      const listener = ({ message }) => warnings.push(message);
      process.on('warning', listener);
      t.after(() => process.off('warning', listener));
      guarded().start(io, {
        clientAddress: () => {
          throw new Error(`none on ${host}`);
        },
      });
      for (let i = 0; i < 2; i += 1) {
        const client = connect();
        await once(client, 'connect');
        assert.equal(await authenticate(client, 'right'), true);
      }
      assert.deepEqual(
        warnings.filter((message) => message.startsWith('none on')),
        [`none on ${host}`],
      );
    });

    it('clientAddress counts clients behind a proxy by the address that proxy-addr finds', async (t) => {
      const { io, connect } = await openServer(t, host);
      const trust = proxyAddr.compile('loopback');
      guarded().start(io, {
        maxPendingPerAddress: 1,
        clientAddress: (socket) => proxyAddr(socket.request, trust),
      });
      const from = (address) => connect('/', { extraHeaders: { 'X-Forwarded-For': address } });
      const first = from('192.0.2.1, 203.0.113.1');
      await once(first, 'connect');
      const second = from('192.0.2.1, 203.0.113.2');
      await once(second, 'connect');
      assert.deepEqual(await refused(second), { message: 'Authentication failure' });
      const same = from('192.0.2.9, 203.0.113.1');
      assert.deepEqual(await next(same, 'unauthorized'), TOO_MANY_PENDING);
    });

    it('the default limit allows 100 failed attempts', async (t) => {
      const { io, connect } = await openServer(t, host);
      guarded().start(io);
      const client = connect();
      await once(client, 'connect');
      for (let attempt = 0; attempt < 100; attempt += 1) {
        assert.deepEqual(await refused(client), { message: 'Authentication failure' });
      }
      assert.deepEqual(await refused(client), TOO_MANY_ATTEMPTS);
    });
  });
}

describe('limits of authentication', () => {
  it('start() throws for invalid authentication limits', () => {
    for (const options of [
      { maxAuthenticationAttempts: 0 },
      { maxAuthenticationAttempts: '3' },
      { maxPendingPerAddress: -1 },
      { maxPendingPerAddress: NaN },
      { clientAddress: 'x-forwarded-for' },
    ]) {
      assert.throws(() => newInstance().start({ on() {} }, options), {
        code: 'ERR_LOOPBACK_SOCKET_INVALID_OPTION',
        option: Object.keys(options)[0],
      });
    }
    newInstance().start({ on() {} }, { maxPendingPerAddress: Infinity });
  });

  it('an IPv6 network of 64 bits counts as one address, and IPv4 in IPv6 counts as IPv4', () => {
    for (const [address, network] of [
      ['203.0.113.7', '203.0.113.7'],
      ['::ffff:203.0.113.7', '203.0.113.7'],
      ['2001:db8::1', '2001:db8:0:0'],
      ['2001:DB8:0000:0:1:2:3:4', '2001:db8:0:0'],
      ['2001:db8:0:1::', '2001:db8:0:1'],
      ['fe80::1%eth0', 'fe80:0:0:0'],
      ['a proxy says so', 'a proxy says so'],
      ['', undefined],
      [undefined, undefined],
    ]) {
      assert.equal(networkOf(address), network, address);
    }
  });
});

describe('attempts that nothing takes', { timeout: 60_000 }, () => {
  const BLOCKED = {
    'that middleware blocks': (socket) => socket.use((event, passOn) => passOn(new Error('no'))),
    'that middleware keeps': (socket) => socket.use(() => {}),
    'whose listener the application has removed': (socket) =>
      socket.removeAllListeners('authentication'),
    'of a socket whose connection is about to be closed': (socket) => {
      socket._beginsNothing = true;
    },
  };
  for (const [what, block] of Object.entries(BLOCKED)) {
    it(`the native server keeps nothing of credentials ${what}`, async (t) => {
      const { io, connect } = await openServer(t, 'native');
      const sockets = newInstance();
      sockets.auth(() => assert.fail('the auth function ran'));
      sockets.start(io);
      const client = connect();
      const [socket] = await Promise.all([next(io, 'connection'), once(client, 'connect')]);
      block(socket);
      for (let i = 0; i < 3; i += 1) {
        client.emit('authentication', 'right');
      }
      const { sessions } = socket.nsp._link;
      await new Promise((resolve) => {
        socket.onAny((event) => event === 'last' && resolve());
        client.emit('last');
      });
      // The next attempt is the first one: none of those before has begun.
      assert.equal(sessions.credentials(socket._number, 0), 1);
    });
  }

  it('an attempt counts when it begins, after middleware, and each is decided on its own', async (t) => {
    for (const host of HOSTS) {
      const { io, connect } = await openServer(t, host);
      guarded().start(io, { maxAuthenticationAttempts: 1 });
      const client = connect();
      const [socket] = await Promise.all([next(io, 'connection'), once(client, 'connect')]);
      let blocked = 0;
      socket.use(([event], passOn) => {
        if (event === 'authentication' && blocked < 3) {
          blocked += 1;
          return;
        }
        passOn();
      });
      for (let i = 0; i < 3; i += 1) {
        client.emit('authentication', 'wrong');
      }
      assert.equal(await authenticate(client, 'right'), true);
      assert.equal(blocked, 3);
    }
  });
});
