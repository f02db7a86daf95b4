'use strict';

// Which namespaces of a served server are gated, and for how long, on every kind of server.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, it } = require('node:test');
const { instrument } = require('@socket.io/admin-ui');
const LoopbackSocket = require('../..');
const { Socket } = LoopbackSocket;
const {
  HOSTS,
  authenticate,
  flush,
  heard,
  newInstance,
  next,
  openServer,
  socketOf,
} = require('../support/js-hosts');

const WARNING = 'ERR_LOOPBACK_SOCKET_GATED_NAMESPACE';

/** Clients of Socket.IO 2 are in the default namespace before all others, and cannot come back. */
const isVersion2 = (host) => host === 2;

/**
 * Keeps the warnings of a namespace for the time of a test.
 *
 * @param {import('node:test').TestContext} t the test
 * @returns {string[]} grows with each warning
 */
function warnings(t) {
  const texts = [];
  const keep = ({ code, message }) => code === WARNING && texts.push(message);
  process.on('warning', keep);
  t.after(() => process.off('warning', keep));
  return texts;
}

for (const host of HOSTS) {
  describe(
    `on ${host === 'native' ? 'the native server' : `a socket.io ${host} server`}`,
    {
      timeout: 60_000,
    },
    () => {
      /**
       * @param {import('node:test').TestContext} t the test
       * @param {object} [options]
       * @param {object} [options.start] options of `start()`
       * @param {LoopbackSocket} [options.instance] what serves it
       * @returns {Promise<object>} a served server with the namespaces `/news` and `/more`
       */
      async function open(t, { start, instance = newInstance() } = {}) {
        const { io, connect } = await openServer(t, host);
        const [news, more] = [io.of('/news'), io.of('/more')];
        instance.start(io, start);
        return { io, news, more, connect };
      }

      /**
       * Joins a namespace over the connection of a client.
       *
       * @param {object} client the client
       * @param {object} namespace the namespace
       * @returns {Promise<{socket: object, client: object, events: string[]}>} both sides, and what the
       *   client gets
       */
      async function join(client, namespace) {
        const other = client.io.socket(namespace.name);
        const socket = await socketOf(namespace, other);
        return { socket, client: other, events: heard(other) };
      }

      /**
       * @param {object} namespace a namespace
       * @param {object} joined what `join` gave for it
       * @returns {Promise<string[]>} what its client gets of a broadcast
       */
      async function hears(namespace, { socket, client, events }) {
        events.length = 0;
        namespace.emit('to all');
        namespace.to(socket.id).emit('to its room');
        await flush(socket, client);
        assert.equal(events.pop(), 'flushed');
        return events.splice(0);
      }

      const ALL = ['to all', 'to its room'];

      /**
       * Has a client warned about; what was to be warned about before has been.
       *
       * @param {object} namespace a gated namespace that no test is about
       * @param {(namespace: string) => object} connect connects a client
       * @returns {Promise<void>} when the warning has come
       */
      async function warned(namespace, connect) {
        const warning = once(process, 'warning');
        await Promise.all([socketOf(namespace, connect(namespace.name)), warning]);
      }

      it('a client that leaves the default namespace receives no broadcast of a gated namespace', async (t) => {
        const { io, news, more, connect } = await open(t);
        const client = connect();
        const socket = await socketOf(io, client);
        const before = await join(client, news);
        const left = once(socket, 'disconnect');
        client.disconnect();
        await left;
        assert.deepEqual(await hears(news, before), []);
        if (!isVersion2(host)) {
          assert.deepEqual(await hears(more, await join(client, more)), []);
        }
      });

      it('a client that acknowledges its refusal receives no broadcast of a gated namespace', async (t) => {
        const instance = newInstance();
        instance.auth(() => false);
        const { io, news, more, connect } = await open(t, { instance });
        const client = connect();
        const socket = await socketOf(io, client);
        const before = await join(client, news);
        client.on('unauthorized', (refusal, acknowledge) => acknowledge());
        const ended = once(socket, 'disconnect');
        client.emit('authentication', {});
        await ended;
        assert.deepEqual(await hears(news, before), []);
        if (!isVersion2(host)) {
          assert.deepEqual(await hears(more, await join(client, more)), []);
        }
      });

      it('a client that the application disconnects from the default namespace receives no broadcast of a gated one', async (t) => {
        const { io, news, connect } = await open(t);
        const client = connect();
        const socket = await socketOf(io, client);
        const before = await join(client, news);
        const ended = next(client, 'disconnect');
        socket.disconnect();
        await ended;
        assert.deepEqual(await hears(news, before), []);
      });

      it('a client that has authenticated still receives broadcasts of gated namespaces after it leaves the default one', async (t) => {
        const { io, news, more, connect } = await open(t);
        const client = connect();
        const socket = await socketOf(io, client);
        const before = await join(client, news);
        await authenticate(client);
        const left = once(socket, 'disconnect');
        client.disconnect();
        await left;
        assert.deepEqual(await hears(news, before), ALL);
        if (isVersion2(host)) return;
        const after = await join(client, more);
        assert.deepEqual(await hears(more, after), ALL);

        client.connect();
        const main = { socket: await socketOf(io, client), client, events: heard(client) };
        assert.deepEqual(await hears(io, main), [], 'its new socket there is pending');
        assert.deepEqual(await hears(news, before), ALL);
      });

      it('a second connection of an authenticated user receives no broadcast of a gated namespace until it authenticates', async (t) => {
        const { io, news, connect } = await open(t);
        const first = connect();
        await socketOf(io, first);
        await authenticate(first);
        const second = connect();
        await socketOf(io, second);
        assert.deepEqual(await hears(news, await join(second, news)), []);
      });

      if (!isVersion2(host)) {
        it('a client that never joins the default namespace receives no broadcast of a gated one and has no timeout', async (t) => {
          const instance = newInstance(50);
          const { io, news, connect } = await open(t, { instance });
          const other = connect('/news');
          const joined = {
            socket: await socketOf(news, other),
            client: other,
            events: heard(other),
          };
          // One that connects later is over when its time is.
          const pending = connect();
          await socketOf(io, pending);
          await next(pending, 'disconnect');
          assert.deepEqual(await hears(news, joined), []);
          joined.socket.emit('direct');
          await flush(joined.socket, other);
          assert.deepEqual(joined.events, ['direct', 'flushed']);
        });

        it('a client that joins the default namespace last receives broadcasts of a gated namespace once it has authenticated', async (t) => {
          const { io, news, connect } = await open(t);
          const other = connect('/news');
          const joined = {
            socket: await socketOf(news, other),
            client: other,
            events: heard(other),
          };
          assert.deepEqual(await hears(news, joined), []);
          const client = other.io.socket('/');
          await socketOf(io, client);
          assert.deepEqual(await hears(news, joined), []);
          await authenticate(client);
          assert.deepEqual(await hears(news, joined), ALL);
        });

        it('a gated namespace that is served itself waits for authentication in the default namespace too', async (t) => {
          const { io, connect } = await openServer(t, host);
          const news = io.of('/news');
          const [whole, single] = [newInstance(), newInstance()];
          single.start(news);
          whole.start(io);
          const other = connect('/news');
          const joined = {
            socket: await socketOf(news, other),
            client: other,
            events: heard(other),
          };
          await authenticate(other);
          assert.deepEqual(await hears(news, joined), []);
          const client = other.io.socket('/');
          await socketOf(io, client);
          await authenticate(client);
          assert.deepEqual(await hears(news, joined), ALL);
        });

        it('one warning per gated namespace reports clients that never join the default namespace', async (t) => {
          const texts = warnings(t);
          const { news, more, connect } = await open(t);
          await warned(news, connect);
          await socketOf(news, connect('/news'));
          await warned(more, connect);
          assert.equal(texts.length, 2);
          assert.match(texts[0], /'\/'.*"\/news".*start\(io, \{ open: \["\/news"\] \}\)/);
          assert.match(texts[1], /"\/more".*start\(io, \{ open: \["\/more"\] \}\)/);
        });

        it('no warning reports a client that joins the default and a gated namespace at once, in either order', async (t) => {
          const texts = warnings(t);
          const { io, news, more, connect } = await open(t);
          io.use((socket, ready) => setTimeout(ready, 20));
          for (const isFirst of [true, false]) {
            const first = connect(isFirst ? '/' : '/news');
            const second = first.io.socket(isFirst ? '/news' : '/');
            const [main, other] = isFirst ? [first, second] : [second, first];
            await Promise.all([socketOf(io, main), socketOf(news, other)]);
          }
          await warned(more, connect);
          assert.equal(texts.length, 1);
          assert.match(texts[0], /"\/more"/);
          await warned(news, connect);
        });

        it('the namespace of the Admin UI is never gated, whatever its name', async (t) => {
          const texts = warnings(t);
          const { io, connect } = await openServer(t, host);
          const [late, more] = [io.of('/monitor'), io.of('/more')];
          const page = { auth: false, mode: 'production' };
          instrument(io, page);
          newInstance().start(io);
          instrument(io, { ...page, namespaceName: '/monitor' });
          for (const nsp of [io.of('/admin'), late]) {
            const client = connect(nsp.name);
            const joined = { socket: await socketOf(nsp, client), client, events: heard(client) };
            const events = await hears(nsp, joined);
            assert.deepEqual(
              events.filter((name) => ALL.includes(name)),
              ALL,
            );
          }
          await warned(more, connect);
          assert.equal(texts.length, 1);
        });

        it('the namespace of an Admin UI with a password is not gated', async (t) => {
          const { io, connect } = await openServer(t, host);
          // Of the password `changeit`.
          const password = '$2b$10$heqvAkYMez.Va6Et2uXInOnkCT6/uQj1brkrbyG3LpopDklcq7ZOS';
          const basic = { type: 'basic', username: 'admin', password };
          instrument(io, { auth: basic, mode: 'production' });
          newInstance().start(io);
          const client = connect('/admin', { auth: { username: 'admin', password: 'changeit' } });
          const stats = next(client, 'server_stats');
          await socketOf(io.of('/admin'), client);
          assert.equal((await stats).clientsCount, 1);
        });

        it("a namespace called /admin that is not the Admin UI's is gated", async (t) => {
          const { io, connect } = await openServer(t, host);
          const admin = io.of('/admin').on('connection', (socket) => socket.join('admins'));
          newInstance().start(io);
          const client = connect('/admin');
          const joined = { socket: await socketOf(admin, client), client, events: heard(client) };
          assert.deepEqual(await hears(admin, joined), []);
        });
      }

      it('setting socket.auth in the default namespace opens gated namespaces to the connection', async (t) => {
        const { io, news, more, connect } = await open(t);
        const client = connect();
        const socket = await socketOf(io, client);
        const before = await join(client, news);
        socket.auth = true;
        assert.deepEqual(await hears(news, before), ALL);
        assert.deepEqual(await hears(more, await join(client, more)), ALL);
      });

      it('gated namespaces joined before start() stop receiving broadcasts once a pending socket joins the default namespace', async (t) => {
        if (isVersion2(host)) return;
        const { io, connect } = await openServer(t, host);
        const [news, more] = [io.of('/news'), io.of('/more')];
        const other = connect('/news');
        const joined = { socket: await socketOf(news, other), client: other, events: heard(other) };
        newInstance().start(io, { open: ['/more'] });
        const opened = await join(other, more);
        assert.deepEqual(await hears(news, joined), ALL, 'it hears what it heard before');
        const client = other.io.socket('/');
        await socketOf(io, client);
        assert.deepEqual(await hears(news, joined), []);
        assert.deepEqual(await hears(more, opened), ALL);
      });

      it('a client that was connected before start() receives no broadcast of a gated namespace that it joins afterwards', async (t) => {
        const { io, connect } = await openServer(t, host);
        const [news, more] = [io.of('/news'), io.of('/more')];
        const client = connect();
        const socket = await socketOf(io, client);
        newInstance().start(io);
        assert.deepEqual(await hears(news, await join(client, news)), []);
        socket.auth = true;
        assert.deepEqual(await hears(more, await join(client, more)), ALL);
      });

      it('the option open exempts namespaces from gating by name and by pattern', async (t) => {
        const { io, connect } = await openServer(t, host);
        const names = ['/admin', '/plain', '/public', '/public-2', '/private', '/admin/inner'];
        const namespaces = names.map((name) => io.of(name));
        newInstance().start(io, { open: ['/admin', 'plain', /^\/public/g] });
        const client = connect();
        await socketOf(io, client);
        const open = [];
        for (const nsp of namespaces) {
          const got = await hears(nsp, await join(client, nsp));
          if (got.length > 0) open.push(nsp.name);
        }
        assert.deepEqual(open, ['/admin', '/plain', '/public', '/public-2']);
      });

      it('each LoopbackSocket gates the namespaces that its own option open does not name, and starts once', async (t) => {
        const { io, connect } = await openServer(t, host);
        const [first, second] = [newInstance(), newInstance()];
        const [a, b] = [io.of('/a'), io.of('/b')];
        first.start(io, { open: ['/a', '/b'] });
        const c = io.of('/c');
        first.start(io);
        const client = connect();
        await socketOf(io, client);
        for (const nsp of [a, b, c])
          assert.deepEqual(await hears(nsp, await join(client, nsp)), ALL);
        second.start(io, { open: ['/a'] });
        const later = connect();
        await socketOf(io, later);
        assert.deepEqual(await hears(a, await join(later, a)), ALL);
        for (const nsp of [b, c]) assert.deepEqual(await hears(nsp, await join(later, nsp)), []);
        await authenticate(later);
      });

      it('start(io.of(name)) gates no other namespace, even if that is the default one', async (t) => {
        for (const name of ['/served', '/']) {
          const { io, connect } = await openServer(t, host);
          const news = io.of('/news');
          newInstance().start(io.of(name));
          const client = connect();
          await socketOf(io, client);
          assert.deepEqual(await hears(news, await join(client, news)), ALL, name);
        }
      });

      it('a namespace that a parent made before start() is gated and one made later is open', async (t) => {
        const { io, connect } = await openServer(t, host);
        io.of(/^\/shop-\d$/);
        const early = connect('/shop-1');
        await next(early, 'connect');
        newInstance().start(io);
        const client = connect();
        await socketOf(io, client);
        const gated = io.of('/shop-1');
        assert.deepEqual(await hears(gated, await join(client, gated)), []);
        const late = client.io.socket('/shop-2');
        await next(late, 'connect');
        const made = io.of('/shop-2');
        const socket = [
          ...Object.values(made.connected ?? {}),
          ...(made.sockets.values?.() ?? []),
        ][0];
        assert.deepEqual(await hears(made, { socket, client: late, events: heard(late) }), ALL);
      });

      it('start() throws for invalid options and serves nothing', async (t) => {
        const { io, connect } = await openServer(t, host);
        const instance = newInstance();
        for (const [options, code, option] of [
          [{ opened: [] }, 'UNKNOWN_OPTION', 'opened'],
          [{ open: '/admin' }, 'INVALID_OPTION', 'open'],
          [{ open: [5] }, 'INVALID_OPTION', 'open'],
          [{ open: ['/'] }, 'INVALID_OPTION', 'open'],
          [{ open: [''] }, 'INVALID_OPTION', 'open'],
          [{ open: null }, 'INVALID_OPTION', 'open'],
          [['/admin'], 'INVALID_OPTION', 'options'],
          [null, 'INVALID_OPTION', 'options'],
          ['/admin', 'INVALID_OPTION', 'options'],
        ]) {
          assert.throws(
            () => instance.start(io, options),
            (error) =>
              error instanceof LoopbackSocket.InvalidOptionError &&
              error.code === `ERR_LOOPBACK_SOCKET_${code}` &&
              error.option === option,
            JSON.stringify(options),
          );
        }
        assert.throws(() => instance.start(io, { cors: true }), /start\(\) has no option 'cors'/);
        const client = connect();
        assert.equal((await socketOf(io, client)).auth, undefined);
        instance.start(io, { open: undefined });
        instance.start(io, {});
        instance.start(io, undefined);
      });
    },
  );
}

describe(
  'gated namespaces on a socket.io 4 server with connection state recovery',
  { timeout: 60_000 },
  () => {
    for (const isAuthenticated of [false, true]) {
      it(`connection state recovery ${isAuthenticated ? 'sends' : 'does not send'} missed packets of a gated namespace to a client that ${isAuthenticated ? 'had' : 'had not'} authenticated, when it has done so again`, async (t) => {
        const { io, connect } = await openServer(t, 4, { connectionStateRecovery: {} });
        const news = io.of('/news');
        newInstance().start(io);
        const client = connect();
        await socketOf(io, client);
        const other = client.io.socket('/news');
        const socket = await socketOf(news, other);
        if (isAuthenticated) await authenticate(client);
        // Recovery counts from what the client got last.
        await flush(socket, other);
        const events = heard(other);
        const lost = once(socket, 'disconnect');
        client.io.engine.close();
        await lost;
        news.emit('missed');

        // Both connect with the connection that they share.
        const both = Promise.all([socketOf(io, client), socketOf(news, other)]);
        client.connect();
        const [, again] = await both;
        assert.equal(other.recovered, isAuthenticated);
        news.emit('pending');
        await flush(again, other);
        await authenticate(client);
        news.emit('then');
        await flush(again, other);
        const missed = isAuthenticated ? ['missed', 'pending'] : [];
        assert.deepEqual(events, ['flushed', ...missed, 'then', 'flushed']);
      });
    }
  },
);

describe('many gated namespaces on the native server', { timeout: 60_000 }, () => {
  it('a connection with 100 gated namespaces checks each socket once when it joins and once when it authenticates', async (t) => {
    const { io, connect } = await openServer(t, 'native');
    const namespaces = Array.from({ length: 100 }, (_, i) => io.of(`/gated-${i}`));
    newInstance().start(io);
    let looks = 0;
    const { _mute: mute } = Socket.prototype;
    t.mock.method(Socket.prototype, '_mute', function count(...args) {
      looks += 1;
      return Reflect.apply(mute, this, args);
    });
    const client = connect();
    await socketOf(io, client);
    for (const nsp of namespaces) await socketOf(nsp, client.io.socket(nsp.name));
    assert.equal(looks, 1 + 1 + namespaces.length);
    for (let i = 0; i < 10; i += 1) {
      client.disconnect();
      client.connect();
      await socketOf(io, client);
    }
    assert.equal(looks, 1 + 1 + namespaces.length + 10);
    await authenticate(client);
    assert.ok(looks <= 1 + 1 + namespaces.length + 10 + 1 + namespaces.length + 1, String(looks));
  });
});
