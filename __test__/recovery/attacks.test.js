'use strict';

// What clients and the order of events must not gain by recovery: an authentication that was taken back, the state of
// another namespace, the memory of the server.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, it } = require('node:test');
const { Adapter } = require('socket.io-adapter');
const {
  authenticate,
  authenticated,
  comeBack,
  flush,
  heard,
  lose,
  newInstance,
  next,
  openServer,
  socketOf,
} = require('../support/js-hosts');

/** Sessions that servers keep elsewhere, as an adapter of Redis does: by their private ids, whatever the namespace. */
class Sessions {
  #byPid = new Map();
  /** Called before a session is found; may give a promise. */
  restoring = () => {};

  /** @returns {Function} makes the adapter of a namespace */
  createAdapter() {
    const sessions = this.#byPid;
    const restoring = () => this.restoring();
    return class extends Adapter {
      persistSession(session) {
        sessions.set(session.pid, structuredClone(session));
      }

      async restoreSession(pid) {
        await restoring();
        const session = sessions.get(pid);
        sessions.delete(pid);
        return session && { ...session, missedPackets: [['missed', 'offset']] };
      }

      broadcast(packet, opts) {
        packet.data?.push('offset');
        super.broadcast(packet, opts);
      }
    };
  }
}

for (const host of [4, 'native']) {
  const name = host === 'native' ? 'the native server' : 'a socket.io 4 server';

  describe(`attacks on recovery on ${name}`, { timeout: 60_000 }, () => {
    /**
     * @param {import('node:test').TestContext} t the test
     * @param {object} [recovery] the option `connectionStateRecovery`
     * @param {object} [options] more options of the server
     * @returns {Promise<object>} a served server, and an authenticated client that has received an event
     */
    async function open(t, recovery = {}, options = {}) {
      const all = { connectionStateRecovery: recovery, ...options };
      const { io, connect } = await openServer(t, host, all);
      const instance = newInstance();
      instance.start(io);
      return { io, instance, connect, ...(await authenticated(io, connect)) };
    }

    it('a socket that is revoked while its middleware runs does not come back authenticated, and gets nothing', async (t) => {
      const { io, instance, client, socket } = await open(t, { skipMiddlewares: false });
      await lose(socket, client);
      io.emit('missed');
      io.use((one, proceed) => {
        assert.equal(
          instance.revoke((given, { user }) => given === socket && user === 'ada'),
          0,
        );
        setImmediate(proceed);
      });
      const events = heard(client);
      const told = next(client, 'unauthorized');
      const gone = next(client, 'disconnect');
      client.connect();
      assert.equal((await told).code, 'ERR_LOOPBACK_SOCKET_REVOKED');
      await gone;
      assert.deepEqual(events, ['unauthorized']);
      await comeBack(io, client);
      assert.equal(client.recovered, false);
    });

    it('a socket that expires while its middleware runs does not come back authenticated, and gets nothing', async (t) => {
      const { io, client, socket } = await open(t, { skipMiddlewares: false });
      const date = new Date(Date.now() + 3_600_000);
      socket.expires = date;
      await lose(socket, client);
      io.emit('missed');
      io.use((one, proceed) => {
        date.setTime(Date.now() - 1);
        setImmediate(proceed);
      });
      const events = heard(client);
      const told = next(client, 'unauthorized');
      client.connect();
      assert.equal((await told).code, 'ERR_LOOPBACK_SOCKET_EXPIRED');
      assert.deepEqual(events, ['unauthorized']);
    });

    it('a socket that is revoked while an adapter restores its session does not come back authenticated', async (t) => {
      const sessions = new Sessions();
      const { instance, client, socket } = await open(t, {}, { adapter: sessions.createAdapter() });
      await lose(socket, client);
      let asked = 0;
      sessions.restoring = () => {
        instance.revoke((one) => one === socket && (asked += 1) > 0);
      };
      const events = heard(client);
      const told = next(client, 'unauthorized');
      client.connect();
      assert.equal((await told).code, 'ERR_LOOPBACK_SOCKET_REVOKED');
      assert.deepEqual([asked, events], [1, ['unauthorized']]);
    });

    it('the session of a revoked socket is not restored by an adapter, however often its client asks', async (t) => {
      const sessions = new Sessions();
      const adapter = sessions.createAdapter();
      const { io, instance, client, socket, connect } = await open(t, {}, { adapter });
      await lose(socket, client);
      instance.revoke(() => true);
      const auth = { pid: client._pid, offset: client._lastOffset };
      for (let i = 0; i < 3; i++) {
        const again = await socketOf(io, connect('/', { auth }));
        assert.deepEqual([again.recovered, again.auth], [false, false]);
      }
    });

    it('a session that an adapter finds is not restored in another namespace', async (t) => {
      const sessions = new Sessions();
      const { io, connect } = await openServer(t, host, {
        connectionStateRecovery: {},
        adapter: sessions.createAdapter(),
      });
      const [open, closed] = ['/open', '/closed'].map((nsp) => io.of(nsp));
      newInstance().start(open);
      newInstance().start(closed);
      closed.use((socket, proceed) => proceed(new Error('closed')));
      const client = connect('/open');
      const socket = await socketOf(open, client);
      socket.join('staff');
      await authenticate(client);
      await flush(socket, client);
      await lose(socket, client);
      const stranger = connect('/closed', {
        auth: { pid: client._pid, offset: client._lastOffset },
      });
      assert.equal((await next(stranger, 'connect_error')).message, 'closed');
    });

    it('one private id that is used many times at once is restored once', async (t) => {
      for (const adapter of [undefined, new Sessions().createAdapter()]) {
        const { io, client, socket, connect } = await open(
          t,
          { skipMiddlewares: false },
          {
            ...(adapter && { adapter }),
          },
        );
        await lose(socket, client);
        io.use((one, proceed) => setImmediate(proceed));
        const auth = { pid: client._pid, offset: client._lastOffset };
        const arrived = [];
        io.on('connection', (one) => arrived.push(one));
        await Promise.all(
          Array.from({ length: 20 }, () => next(connect('/', { auth }), 'connect')),
        );
        assert.equal(arrived.filter(({ recovered }) => recovered).length, 1);
        assert.equal(arrived.filter((one) => one.auth).length, 1);
        assert.equal(new Set(arrived.map(({ id }) => id)).size, 20);
      }
    });

    it('sockets that have lost their connection are remembered only as long as what their clients have joined with takes 16 MiB', async (t) => {
      const { io, instance, connect } = await open(t);
      const auth = { token: 'x'.repeat(900_000) };
      for (let i = 0; i < 20; i++) {
        const client = connect('/', { auth });
        const socket = await socketOf(io, client);
        await authenticate(client, { user: 'bob' });
        await lose(socket, client);
      }
      let remembered = 0;
      instance.revoke((socket, { user }) => {
        remembered += user === 'bob' ? 1 : 0;
        return false;
      });
      assert.equal(remembered, 18);
    });

    it('sockets of all namespaces together are remembered only as long as their credentials take 16 MiB', async (t) => {
      const { io, connect } = await openServer(t, host, { connectionStateRecovery: {} });
      const instance = newInstance();
      const names = Array.from({ length: 20 }, (_, i) => `/${i}`);
      for (const nsp of names) {
        instance.start(io.of(nsp));
        const client = connect(nsp);
        const socket = await socketOf(io.of(nsp), client);
        await authenticate(client, 'x'.repeat(900_000));
        const lost = once(socket, 'disconnect');
        client.io.engine.close();
        await lost;
      }
      let remembered = 0;
      instance.revoke(() => {
        remembered += 1;
        return false;
      });
      assert.equal(remembered, 18);
    });
  });
}
