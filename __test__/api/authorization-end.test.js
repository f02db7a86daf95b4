'use strict';

// How an authentication ends before its socket does: `socket.expires` and `revoke()`, on every kind of server.

const assert = require('node:assert/strict');
const { EventEmitter } = require('node:events');
const { describe, it } = require('node:test');
const LoopbackSocket = require('../..');
const {
  FakeServer,
  HOSTS,
  authenticate,
  call,
  newInstance,
  next,
  openServer,
  socketOf,
} = require('../support/js-hosts');

const EXPIRED = {
  message: 'The authentication has expired. Authenticate again.',
  code: 'ERR_LOOPBACK_SOCKET_EXPIRED',
};
const REVOKED = {
  message: 'The authentication has been revoked. Authenticate again.',
  code: 'ERR_LOOPBACK_SOCKET_REVOKED',
};

/** Waits for microtasks, and for no I/O: sockets of other tests must not clear their timers while timers are mocked. */
const microtasks = () => new Promise((resolve) => process.nextTick(resolve));

/** A time that does not come during a test. */
const later = (ms = 0) => Date.now() + 100_000 + ms;

/**
 * @param {import('node:test').TestContext} t the test
 * @param {number | 'native'} host the kind of server
 * @param {number} count how many instances serve it
 * @returns {Promise<object>} both sides of a client, and `begin()`, which begins an attempt with each instance and gives
 *   a function for each that decides it, and waits until the client knows
 */
async function undecided(t, host, count) {
  const { io, connect } = await openServer(t, host);
  const attempts = new EventEmitter();
  for (let i = 0; i < count; i++) {
    const instance = newInstance();
    instance.auth((socket, credentials, done) => attempts.emit('begun', i, done));
    instance.start(io);
  }
  const client = connect();
  const socket = await socketOf(io, client);
  const begin = () =>
    new Promise((resolve) => {
      const decide = [];
      const note = (i, done) => {
        decide[i] = (isAccepted) => {
          const told = next(client, isAccepted ? 'authenticated' : 'unauthorized');
          done(null, isAccepted);
          return told;
        };
        if (Object.keys(decide).length === count) {
          attempts.off('begun', note);
          resolve(decide);
        }
      };
      attempts.on('begun', note);
      client.emit('authentication', {});
    });
  return { client, socket, begin };
}

for (const host of HOSTS) {
  describe(`socket.expires on ${host}`, () => {
    /**
     * @param {import('node:test').TestContext} t the test
     * @param {(socket: object, credentials: any) => unknown} auth checks credentials
     * @returns {Promise<{client: object, socket: object}>} a connected client, both sides
     */
    async function connected(t, auth) {
      const { io, connect } = await openServer(t, host);
      const sockets = newInstance();
      sockets.auth(auth);
      sockets.defineMethod('m', () => 'ok');
      sockets.start(io);
      const client = connect();
      return { client, socket: await socketOf(io, client) };
    }

    for (const [what, date] of [
      ['a Date', () => new Date(Date.now() + 30)],
      ['a number', () => Date.now() + 30],
      ['a time that has passed', () => Date.now() - 1000],
    ]) {
      it(`a socket whose expires is ${what} is told and disconnected then, on ${host}`, async (t) => {
        const { client } = await connected(t, (socket) => {
          socket.expires = date();
        });
        const unauthorized = next(client, 'unauthorized');
        const disconnected = next(client, 'disconnect');
        await authenticate(client);
        assert.deepEqual(await unauthorized, EXPIRED);
        assert.equal(await disconnected, 'io server disconnect');
      });
    }

    it(`a client that authenticates again before expires stays, on ${host}`, async (t) => {
      const { io, connect } = await openServer(t, host);
      const sockets = newInstance();
      const date = Date.now() + 150;
      sockets.auth((socket, { isFirst }) => {
        if (isFirst) socket.expires = date;
      });
      sockets.defineMethod('m', () => 'ok');
      sockets.start(io);
      const client = connect();
      const socket = await socketOf(io, client);
      await authenticate(client, { isFirst: true });
      assert.equal(socket.expires, date);
      await authenticate(client, { isFirst: false });
      assert.equal(socket.expires, null);
      // Another one of the same date, which does not.
      const other = connect();
      await next(other, 'connect');
      const ended = next(other, 'disconnect');
      await authenticate(other, { isFirst: true });
      await ended;
      assert.deepEqual(await call(client, 'm', {}), { result: 'ok' });
    });

    it(`a date that is set while a client authenticates again replaces the one before, on ${host}`, async (t) => {
      const { client, socket } = await connected(t, (s, { date }) => {
        s.expires = date;
      });
      const [one, two] = [Date.now() + 100_000, Date.now() + 200_000];
      await authenticate(client, { date: one });
      assert.equal(socket.expires, one);
      await authenticate(client, { date: two });
      assert.equal(socket.expires, two);
    });

    it(`expires is cleared by null and by the end of its socket, on ${host}`, async (t) => {
      const { client, socket } = await connected(t, () => true);
      assert.equal(socket.expires, null);
      await authenticate(client);
      socket.expires = Date.now() + 100_000;
      socket.expires = null;
      assert.equal(socket.expires, null);
      socket.expires = Date.now() + 100_000;
      const ended = next(socket, 'disconnect');
      client.disconnect();
      await ended;
      assert.equal(socket.expires, null);
      socket.expires = Date.now() + 100_000;
      assert.equal(socket.expires, null);
    });

    it(`expires takes nothing but dates, numbers and null, on ${host}`, async (t) => {
      const { socket } = await connected(t, () => true);
      for (const value of ['tomorrow', NaN, new Date(NaN), {}, true]) {
        assert.throws(() => (socket.expires = value), {
          code: 'ERR_LOOPBACK_SOCKET_INVALID_OPTION',
        });
      }
      assert.equal(socket.expires, null);
    });

    it(`expires that middleware of the server has set counts, on ${host}`, async (t) => {
      const { io, connect } = await openServer(t, host);
      const date = Date.now() + 100_000;
      io.use((socket, proceed) => {
        socket.expires = date;
        proceed();
      });
      newInstance().start(io);
      const socket = await socketOf(io, connect());
      assert.equal(socket.expires, date);
      socket.expires = null;
    });

    it(`an attempt that auth refuses leaves expires as it was, on ${host}`, async (t) => {
      const { socket, begin } = await undecided(t, host, 1);
      const attempt = async (date, isAccepted) => {
        const [decide] = await begin();
        socket.expires = date;
        assert.equal(socket.expires, date);
        await decide(isAccepted);
      };
      await attempt(later(), false);
      assert.equal(socket.expires, null);
      const date = new Date(later());
      await attempt(date, true);
      for (const other of [later(1000), later(-1000), new Date(later(1000)), null]) {
        await attempt(other, false);
        assert.equal(socket.expires, date);
      }
      const outside = new Date(later(2000));
      socket.expires = outside;
      await attempt(later(), false);
      assert.equal(socket.expires, outside);
      await attempt(null, true);
      assert.equal(socket.expires, null);
    });

    it(`an attempt that an onConnected handler refuses leaves expires as it was, on ${host}`, async (t) => {
      const { io, connect } = await openServer(t, host);
      const sockets = newInstance();
      sockets.auth((socket, credentials) => {
        socket.expires = credentials.date;
      });
      sockets.onConnected((socket, { isLocked }) => {
        if (isLocked) throw new Error('locked');
      });
      sockets.start(io);
      const client = connect();
      const socket = await socketOf(io, client);
      const date = later();
      await authenticate(client, { date });
      const refused = next(client, 'unauthorized');
      client.emit('authentication', { date: later(1000), isLocked: true });
      assert.deepEqual(await refused, { message: 'locked' });
      assert.equal(socket.expires, date);
    });

    it(`an attempt that is refused keeps the date of one that was accepted meanwhile, on ${host}`, async (t) => {
      const { socket, begin } = await undecided(t, host, 1);
      const [first] = await begin();
      socket.expires = later();
      const [second] = await begin();
      const date = later(1000);
      socket.expires = date;
      await second(true);
      await first(false);
      assert.equal(socket.expires, date);
    });

    it(`an attempt that is refused does not bring back the date of one that was refused meanwhile, on ${host}`, async (t) => {
      const { socket, begin } = await undecided(t, host, 1);
      const [first] = await begin();
      socket.expires = later();
      const [second] = await begin();
      socket.expires = later(1000);
      await first(false);
      await second(false);
      assert.equal(socket.expires, null);
    });

    it(`an attempt keeps the date that it has set when another one is accepted before it, on ${host}`, async (t) => {
      const { socket, begin } = await undecided(t, host, 1);
      const [first] = await begin();
      const date = later();
      socket.expires = date;
      const [second] = await begin();
      await second(true);
      await first(true);
      assert.equal(socket.expires, date);
    });

    for (const [name, order] of [
      ['first', [0, 1]],
      ['last', [1, 0]],
    ]) {
      it(`an instance that sets no date does not clear that of another one, which is decided ${name}, on ${host}`, async (t) => {
        const { socket, begin } = await undecided(t, host, 2);
        const attempt = async (date) => {
          const decide = await begin();
          for (const i of order) {
            if (i === 0 && date !== undefined) socket.expires = date;
            await decide[i](true);
          }
        };
        const [one, two] = [new Date(later()), new Date(later(1000))];
        await attempt(one);
        assert.equal(socket.expires, one);
        await attempt(two);
        assert.equal(socket.expires, two);
        await attempt();
        assert.equal(socket.expires, null);
      });

      it(`an instance keeps its date if its attempt is refused ${name}, and the other one accepts, on ${host}`, async (t) => {
        const { socket, begin } = await undecided(t, host, 2);
        const [date, other] = [later(), later(1000)];
        const both = await begin();
        await both[1](true);
        socket.expires = date;
        await both[0](true);
        const decide = await begin();
        socket.expires = other;
        for (const i of order) {
          await decide[i](i === 1);
        }
        assert.equal(socket.expires, date);
      });
    }

    it(`each instance has a date of its own, and the earliest one counts, on ${host}`, async (t) => {
      const { socket, begin } = await undecided(t, host, 2);
      const [near, far] = [new Date(later()), new Date(later(1000))];
      const both = await begin();
      socket.expires = near;
      await both[1](true);
      socket.expires = far;
      await both[0](true);
      assert.equal(socket.expires, near);
      const again = await begin();
      await again[1](true);
      assert.equal(socket.expires, far);
      await again[0](true);
      assert.equal(socket.expires, null);
    });

    it(`the earliest date counts that is set while several attempts are under way, on ${host}`, async (t) => {
      const { socket, begin } = await undecided(t, host, 2);
      const [near, far] = [later(), later(1000)];
      const both = await begin();
      socket.expires = near;
      socket.expires = far;
      assert.equal(socket.expires, far);
      await both[0](true);
      await both[1](true);
      assert.equal(socket.expires, near);
    });

    it(`a date that is set outside of attempts replaces those of all instances, on ${host}`, async (t) => {
      const { socket, begin } = await undecided(t, host, 2);
      const both = await begin();
      socket.expires = later();
      await both[0](true);
      await both[1](true);
      const date = later(1000);
      socket.expires = date;
      assert.equal(socket.expires, date);
      const again = await begin();
      await again[1](true);
      assert.equal(socket.expires, null);
    });

    it(`an attempt that is decided after its socket has ended sets no date, on ${host}`, async (t) => {
      for (const isAccepted of [true, false]) {
        const { client, socket, begin } = await undecided(t, host, 1);
        const [first] = await begin();
        socket.expires = later();
        await first(true);
        const [decide] = await begin();
        socket.expires = later(1000);
        const ended = next(socket, 'disconnect');
        client.disconnect();
        await ended;
        decide(isAccepted);
        assert.equal(socket.expires, null);
      }
    });
  });

  describe(`revoke() on ${host}`, () => {
    it(`revoke() disconnects the sockets that its filter chooses, of every server, on ${host}`, async (t) => {
      const servers = [await openServer(t, host), await openServer(t, host)];
      const sockets = newInstance();
      sockets.defineMethod('m', () => 'ok');
      servers.forEach(({ io }) => sockets.start(io));
      const clients = servers.flatMap(({ connect }) => [connect(), connect()]);
      await Promise.all(clients.map((client) => next(client, 'connect')));
      await Promise.all(clients.map((client, user) => authenticate(client, { user })));
      const pending = servers[0].connect();
      await next(pending, 'connect');
      const ends = [1, 2].map((i) =>
        Promise.all([next(clients[i], 'unauthorized'), next(clients[i], 'disconnect')]),
      );
      const asked = [];
      const count = sockets.revoke((socket, credentials) => {
        asked.push(credentials.user);
        assert.equal(socket.auth, true);
        return credentials.user === 1 || credentials.user === 2;
      });
      assert.equal(count, 2);
      assert.deepEqual(asked.sort(), [0, 1, 2, 3]);
      for (const end of ends) {
        assert.deepEqual(await end, [REVOKED, 'io server disconnect']);
      }
      assert.deepEqual(await call(clients[0], 'm', {}), { result: 'ok' });
      assert.deepEqual(await call(clients[3], 'm', {}), { result: 'ok' });
      assert.equal(
        sockets.revoke(({ connected }) => connected === false),
        0,
      );
    });

    it(`revoke() closes the whole connection, with sockets that share it, on ${host}`, async (t) => {
      const { io, connect } = await openServer(t, host);
      const sockets = newInstance();
      io.of('/other');
      sockets.start(io);
      const client = connect();
      await next(client, 'connect');
      await authenticate(client);
      const other = client.io.socket('/other');
      await next(other.open(), 'connect');
      const ended = next(other, 'disconnect');
      assert.equal(
        sockets.revoke(() => true),
        1,
      );
      await ended;
      other.close();
    });

    it(`revoke() gives its filter the credentials of the last authentication, on ${host}`, async (t) => {
      const { io, connect } = await openServer(t, host);
      const sockets = newInstance();
      sockets.start(io.of('/shop'));
      const client = connect('/shop');
      await next(client, 'connect');
      await authenticate(client, { n: 1 });
      await authenticate(client, { n: 2 });
      const seen = [];
      assert.equal(
        sockets.revoke((socket, credentials) => seen.push(credentials) > 1),
        0,
      );
      assert.deepEqual(seen, [{ n: 2 }]);
    });

    it(`revoke() revokes nothing if its filter throws or gives a promise, on ${host}`, async (t) => {
      const { io, connect } = await openServer(t, host);
      const sockets = newInstance();
      sockets.defineMethod('m', () => 'ok');
      sockets.start(io);
      const clients = [connect(), connect()];
      await Promise.all(clients.map((client) => next(client, 'connect')));
      await Promise.all(clients.map((client) => authenticate(client)));
      let asked = 0;
      const filter = () => {
        asked += 1;
        if (asked === 2) throw new Error('mine');
        return true;
      };
      assert.throws(() => sockets.revoke(filter), { message: 'mine' });
      assert.throws(() => sockets.revoke(async () => true), {
        code: 'ERR_LOOPBACK_SOCKET_INVALID_OPTION',
      });
      assert.throws(() => sockets.revoke(), { code: 'ERR_LOOPBACK_SOCKET_INVALID_CALLBACK' });
      for (const client of clients) {
        assert.deepEqual(await call(client, 'm', {}), { result: 'ok' });
      }
    });

    it(`revoke() does not reach the sockets of another instance, on ${host}`, async (t) => {
      const { io, connect } = await openServer(t, host);
      const [one, two] = [newInstance(), newInstance()];
      one.start(io.of('/one'));
      two.start(io.of('/two'));
      const client = connect('/one');
      await next(client, 'connect');
      await authenticate(client);
      assert.equal(
        two.revoke(() => true),
        0,
      );
      assert.equal(
        one.revoke(() => true),
        1,
      );
    });
  });
}

describe('socket.expires over time', () => {
  it('a date that has passed while an attempt was under way ends its socket when the attempt is refused', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
    const io = new FakeServer();
    const sockets = newInstance();
    let decide;
    sockets.auth((socket, credentials, done) => {
      decide = done;
    });
    sockets.start(io);
    const socket = io.connect();
    socket.expires = 1000;
    socket.receive('authentication', {});
    await microtasks();
    socket.expires = 5000;
    t.mock.timers.tick(2000);
    decide(null, false);
    const events = () => socket.sent.map(([event, { message }]) => [event, message]);
    const refused = ['unauthorized', 'Authentication failure'];
    assert.deepEqual([events(), socket.disconnects], [[refused], []]);
    t.mock.timers.tick(1);
    const expired = ['unauthorized', EXPIRED.message];
    assert.deepEqual([events(), socket.disconnects], [[refused, expired], [true]]);
  });

  it('a socket holds one timer for all dates, for the earliest one', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
    const io = new FakeServer();
    const decide = [];
    for (const i of [0, 1]) {
      const sockets = newInstance();
      sockets.auth((socket, credentials, done) => {
        decide[i] = done;
      });
      sockets.start(io);
    }
    const socket = io.connect();
    socket.receive('authentication', {});
    await microtasks();
    socket.expires = 1000;
    decide[0](null, true);
    socket.expires = 2000;
    decide[1](null, true);
    t.mock.timers.tick(999);
    assert.deepEqual(socket.disconnects, []);
    t.mock.timers.tick(1);
    assert.deepEqual(socket.disconnects, [true]);
    t.mock.timers.tick(10_000);
    assert.deepEqual(socket.disconnects, [true]);
  });

  it('expires beyond the longest timer of Node.js does not come early', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
    const io = new FakeServer();
    newInstance().start(io);
    const socket = io.connect();
    const far = 2 ** 31 * 2.5;
    socket.expires = far;
    t.mock.timers.tick(2 ** 31 - 1);
    t.mock.timers.tick(2 ** 31 - 1);
    t.mock.timers.tick(far - 2 * (2 ** 31 - 1) - 1);
    assert.deepEqual(socket.disconnects, []);
    t.mock.timers.tick(1);
    assert.deepEqual(socket.disconnects, [true]);
    assert.deepEqual(socket.sent, [['unauthorized', EXPIRED]]);
  });

  it('a timer for expires does not keep the process alive, and ends with its socket', () => {
    const before = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const io = new FakeServer();
    newInstance().start(io);
    const socket = io.connect();
    socket.expires = new Date(Date.now() + 100_000);
    const after = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    assert.equal(after, before);
    socket.disconnect();
    assert.equal(socket.expires, null);
  });

  it('an instance does not keep a native server alive that it was started on', async (t) => {
    if (typeof globalThis.gc !== 'function') {
      require('node:v8').setFlagsFromString('--expose-gc');
      globalThis.gc = require('node:vm').runInNewContext('gc');
    }
    const sockets = newInstance();
    const other = new FakeServer();
    const refs = await (async () => {
      const io = new LoopbackSocket.Server(0);
      sockets.start(io);
      // `_io` is the last one that it was started on.
      sockets.start(other);
      await io.close();
      return new WeakRef(io);
    })();
    t.diagnostic('waits for the collector');
    for (let i = 0; i < 50 && refs.deref() !== undefined; i += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      globalThis.gc();
    }
    assert.equal(refs.deref(), undefined);
    assert.equal(
      sockets.revoke(() => true),
      0,
    );
  });
});
