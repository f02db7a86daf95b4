'use strict';

// Connection state recovery beside LoopbackSockets, while sessions are kept in memory: on the native server and
// on one of socket.io 4.

const assert = require('node:assert/strict');
const { EventEmitter, once } = require('node:events');
const { describe, it } = require('node:test');
const {
  authenticate,
  authenticated,
  call,
  comeBack,
  flush,
  heard,
  lose,
  newInstance,
  next,
  openServer,
  socketOf,
} = require('../support/js-hosts');

const RECOVERY = { connectionStateRecovery: {} };

for (const host of [4, 'native']) {
  const name = host === 'native' ? 'the native server' : 'a socket.io 4 server';

  describe(`recovery of authenticated sockets on ${name}`, { timeout: 60_000 }, () => {
    /**
     * @param {import('node:test').TestContext} t the test
     * @param {(instance: object) => void} [define] defines methods
     * @param {object} [options] of the server
     * @returns {Promise<object>} a served server, and an authenticated client that has received an event
     */
    async function open(t, define = () => {}, options = RECOVERY) {
      const { io, connect } = await openServer(t, host, options);
      const instance = newInstance();
      instance.auth((socket, { refuse }) => !refuse);
      instance.defineMethod('whoami', (socket, credentials, args) => [credentials.user, args]);
      define(instance);
      instance.start(io);
      return { io, instance, connect, ...(await authenticated(io, connect)) };
    }

    it('an authenticated socket comes back authenticated, with its credentials and methods, and is sent nothing but what it has missed', async (t) => {
      let attempts = 0;
      const { io, client, socket } = await open(t, (instance) => {
        instance.onConnected(() => {
          attempts += 1;
        });
      });
      socket.join('room');
      socket.data.user = 'ada';
      await lose(socket, client);
      io.emit('to all');
      io.to('room').emit('to the room');
      io.to('elsewhere').emit('to others');
      const events = heard(client);
      const again = await comeBack(io, client);
      assert.equal(again.auth, true);
      assert.deepEqual([again.recovered, client.recovered], [true, true]);
      assert.deepEqual([again.id, client.id], [socket.id, socket.id]);
      assert.deepEqual([...again.rooms].sort(), [socket.id, 'room'].sort());
      assert.deepEqual(again.data, { user: 'ada' });
      assert.deepEqual(await call(client, 'whoami', 7), { result: ['ada', 7] });
      await flush(again, client);
      assert.deepEqual(events, ['to all', 'to the room', 'flushed']);
      assert.equal(attempts, 1);
    });

    it('a recovered socket has the methods that were bound when it authenticated', async (t) => {
      const { io, instance, client, socket } = await open(t);
      await lose(socket, client);
      instance.removeMethod('whoami');
      instance.defineMethod('later', () => 'later');
      const again = await comeBack(io, client);
      assert.deepEqual(await call(client, 'whoami', 1), { result: ['ada', 1] });
      await authenticate(client, { user: 'ada' });
      assert.deepEqual(await call(client, 'later'), { result: 'later' });
      assert.equal(again.listenerCount('whoami'), 0);
    });

    it('a recovered socket authenticates again as ever, and may be refused', async (t) => {
      const { io, client, socket } = await open(t);
      await lose(socket, client);
      await comeBack(io, client);
      await authenticate(client, { user: 'eve' });
      assert.deepEqual(await call(client, 'whoami', 1), { result: ['eve', 1] });
      const gone = next(client, 'disconnect');
      client.on('unauthorized', (reason, ack) => ack());
      client.emit('authentication', { refuse: true });
      await gone;
      await comeBack(io, client);
      assert.equal(client.recovered, false);
    });

    it('an authenticated socket is recovered as often as its connection is lost', async (t) => {
      const { io, client, socket } = await open(t);
      let current = socket;
      for (let i = 0; i < 3; i++) {
        await lose(current, client);
        io.emit('missed', i);
        const missed = next(client, 'missed');
        current = await comeBack(io, client);
        assert.equal(await missed, i);
        assert.deepEqual(await call(client, 'whoami', i), { result: ['ada', i] });
      }
    });

    it('a pending socket is not recovered', async (t) => {
      const { io, connect } = await open(t);
      const client = connect();
      const socket = await socketOf(io, client);
      await flush(socket, client);
      await lose(socket, client);
      io.emit('missed');
      const events = heard(client);
      const again = await comeBack(io, client);
      await flush(again, client);
      assert.deepEqual([again.recovered, client.recovered, again.auth], [false, false, false]);
      assert.deepEqual(events, ['flushed']);
    });

    it('a socket that was refused and has not acknowledged that is not recovered', async (t) => {
      const { io, connect } = await open(t);
      const client = connect();
      const socket = await socketOf(io, client);
      const refused = next(client, 'unauthorized');
      client.emit('authentication', { refuse: true });
      await refused;
      await flush(socket, client);
      await lose(socket, client);
      await comeBack(io, client);
      assert.equal(client.recovered, false);
    });

    it('a socket that is revoked while its connection is lost is not recovered, and its filter gets its credentials', async (t) => {
      const { io, instance, client, socket } = await open(t);
      await lose(socket, client);
      const asked = [];
      const revoked = instance.revoke((one, credentials) => {
        asked.push([one.id, credentials.user]);
        return true;
      });
      assert.deepEqual([asked, revoked], [[[socket.id, 'ada']], 0]);
      assert.equal(
        instance.revoke(() => assert.fail('asked twice')),
        0,
      );
      const again = await comeBack(io, client);
      assert.deepEqual([client.recovered, again.auth], [false, false]);
    });

    it('a socket that revoke() has spared while its connection is lost comes back authenticated', async (t) => {
      const { io, instance, client, socket } = await open(t);
      await lose(socket, client);
      assert.equal(
        instance.revoke((one, { user }) => user !== 'ada'),
        0,
      );
      const again = await comeBack(io, client);
      assert.deepEqual([client.recovered, again.auth], [true, true]);
    });

    it('a socket that is revoked while it is connected is not recovered', async (t) => {
      const { io, instance, client } = await open(t);
      const gone = next(client, 'disconnect');
      const told = next(client, 'unauthorized');
      assert.equal(
        instance.revoke(() => true),
        1,
      );
      assert.equal((await told).code, 'ERR_LOOPBACK_SOCKET_REVOKED');
      await gone;
      await comeBack(io, client);
      assert.equal(client.recovered, false);
    });

    it('a socket that is revoked while it is disconnecting is not recovered', async (t) => {
      const { io, instance, client, socket } = await open(t);
      socket.once('disconnecting', () => instance.revoke(() => true));
      await lose(socket, client);
      const again = await comeBack(io, client);
      assert.deepEqual([client.recovered, again.auth], [false, false]);
    });

    it('socket.expires comes back with a socket, and ends it', async (t) => {
      const { io, client, socket } = await open(t);
      const expires = new Date(Date.now() + 3_600_000);
      socket.expires = expires;
      await lose(socket, client);
      const again = await comeBack(io, client);
      assert.equal(client.recovered, true);
      assert.deepEqual(again.expires, expires);
      const told = next(client, 'unauthorized');
      again.expires = Date.now();
      assert.equal((await told).code, 'ERR_LOOPBACK_SOCKET_EXPIRED');
    });

    it('the date of an instance comes back with a socket, and the acceptance by another instance does not clear it', async (t) => {
      const { io, connect } = await openServer(t, host, RECOVERY);
      const [dated, other] = [newInstance(), newInstance()];
      const date = new Date(Date.now() + 3_600_000);
      dated.auth((socket, { refuse }) => {
        if (refuse) return false;
        socket.expires = date;
        return true;
      });
      dated.start(io);
      other.start(io);
      const { client, socket } = await authenticated(io, connect);
      await lose(socket, client);
      const again = await comeBack(io, client);
      assert.deepEqual([client.recovered, again.expires], [true, date]);
      const answers = [next(client, 'authenticated'), next(client, 'unauthorized')];
      client.emit('authentication', { refuse: true });
      await Promise.all(answers);
      assert.equal(again.expires, date);
      const events = heard(client);
      await authenticate(client, { user: 'ada' });
      await flush(again, client);
      assert.deepEqual(events, ['authenticated', 'authenticated', 'flushed']);
      assert.equal(again.expires, date);
    });

    it('an attempt that is under way when the connection is lost does not postpone the date of its socket', async (t) => {
      const { io, connect } = await openServer(t, host, RECOVERY);
      const instance = newInstance();
      const dates = [Date.now() + 3_600_000, Date.now() + 7_200_000];
      const [date] = dates;
      const attempts = new EventEmitter();
      instance.auth((socket, credentials, done) => {
        socket.expires = dates.shift();
        attempts.emit('begun', done);
      });
      instance.start(io);
      attempts.once('begun', (done) => done());
      const { client, socket } = await authenticated(io, connect);
      const begun = once(attempts, 'begun');
      client.emit('authentication', {});
      await begun;
      await lose(socket, client);
      const again = await comeBack(io, client);
      assert.deepEqual([client.recovered, again.expires], [true, date]);
    });

    it('a date that middleware sets for a connection counts in the place of those that come back', async (t) => {
      const recovery = { connectionStateRecovery: { skipMiddlewares: false } };
      const { io, client, socket } = await open(t, () => {}, recovery);
      socket.expires = Date.now() + 3_600_000;
      const date = Date.now() + 7_200_000;
      await lose(socket, client);
      io.use((one, proceed) => {
        one.expires = date;
        proceed();
      });
      const again = await comeBack(io, client);
      assert.deepEqual([client.recovered, again.expires], [true, date]);
    });

    it('a socket whose authentication expires while its connection is lost is not recovered', async (t) => {
      const { io, client, socket } = await open(t);
      const date = new Date(Date.now() + 3_600_000);
      socket.expires = date;
      await lose(socket, client);
      date.setTime(Date.now() - 1);
      const again = await comeBack(io, client);
      assert.deepEqual([client.recovered, again.auth, again.expires], [false, false, null]);
    });

    it('a socket that the application has exempted is exempted again', async (t) => {
      const { io, connect } = await open(t);
      const client = connect();
      const socket = await socketOf(io, client);
      socket.auth = true;
      await flush(socket, client);
      await lose(socket, client);
      io.emit('missed');
      const missed = next(client, 'missed');
      const again = await comeBack(io, client);
      await missed;
      assert.deepEqual([again.auth, client.recovered], [true, true]);
    });

    it('a socket comes back authenticated with those instances that had authenticated it, and pending with none', async (t) => {
      const other = newInstance();
      other.auth((socket, { other: isOther }) => isOther === true);
      other.defineMethod('ofOther', () => 'other');
      const { io, client, socket } = await open(t);
      other.start(io);
      await lose(socket, client);
      const again = await comeBack(io, client);
      assert.equal(again.auth, true);
      assert.deepEqual(await call(client, 'whoami', 1), { result: ['ada', 1] });
      assert.equal(again.listenerCount('ofOther'), 0);
      await authenticate(client, { user: 'ada', other: true });
      await flush(again, client);
      assert.equal(again.listenerCount('ofOther'), 1);
    });

    it('a private id works once, and another one has no effect', async (t) => {
      const { io, client, socket, connect } = await open(t);
      const { pid } = socket;
      const { _lastOffset: offset } = client;
      await lose(socket, client);
      const others = [
        { pid, offset: 'unknown' },
        { pid: 'x'.repeat(20), offset },
        { pid: 'x'.repeat(100_000), offset },
        { pid: ['a'], offset: { b: 1 } },
        { pid: '__proto__', offset: 'constructor' },
      ];
      for (const auth of others.slice(1)) {
        const stranger = connect('/', { auth });
        const got = await socketOf(io, stranger);
        assert.deepEqual([got.recovered, got.auth], [false, false]);
        assert.notEqual(got.pid, auth.pid);
      }
      const both = [1, 2].map(() => connect('/', { auth: { pid, offset } }));
      const arrived = [];
      io.on('connection', (one) => arrived.push(one));
      await Promise.all(both.map((one) => next(one, 'connect')));
      const [first, second] = arrived;
      assert.deepEqual([first.recovered, second.recovered].sort(), [false, true]);
      assert.notEqual(first.id, second.id);
      const lost = Promise.all([once(first, 'disconnect'), once(second, 'disconnect')]);
      both.forEach((one) => one.disconnect());
      await lost;
      const late = connect('/', { auth: { pid, offset } });
      assert.equal((await socketOf(io, late)).recovered, false);
    });

    it('the wrong offset costs the session, and the client is pending', async (t) => {
      const { io, client, socket, connect } = await open(t);
      const { pid } = socket;
      await lose(socket, client);
      const stranger = connect('/', { auth: { pid, offset: 'unknown' } });
      const got = await socketOf(io, stranger);
      assert.deepEqual([got.recovered, got.auth], [false, false]);
    });

    it('clients that disconnect, or that the server disconnects, are not recovered', async (t) => {
      const { io, client, socket } = await open(t);
      const { pid } = socket;
      const left = once(socket, 'disconnect');
      client.disconnect();
      await left;
      const again = await comeBack(io, client);
      assert.equal(client.recovered, false);
      assert.notEqual(again.pid, pid);
      await authenticate(client, { user: 'ada' });
      await flush(again, client);
      const gone = next(client, 'disconnect');
      again.disconnect(true);
      await gone;
      await comeBack(io, client);
      assert.equal(client.recovered, false);
    });

    it('an event that is emitted to a socket with a lost connection arrives on its next one', async (t) => {
      const { io, client, socket } = await open(t);
      await lose(socket, client);
      socket.emit('direct');
      io.to(socket.id).emit('to its id');
      const events = heard(client);
      const again = await comeBack(io, client);
      await flush(again, client);
      assert.deepEqual(events, ['direct', 'to its id', 'flushed']);
    });

    it('events of this package carry no offset, and are not sent again', async (t) => {
      const { io, client, socket } = await open(t);
      const lengths = [];
      client.on('authenticated', (...args) => lengths.push(args.length));
      client.on('unauthorized', (...args) => lengths.push(args.length));
      await authenticate(client, { user: 'ada' });
      const refused = next(client, 'unauthorized');
      client.emit('authentication', { refuse: true });
      await refused;
      assert.deepEqual(lengths, [1, 2]);
      await lose(socket, client);
      const events = heard(client);
      const again = await comeBack(io, client);
      await flush(again, client);
      assert.deepEqual(events, ['flushed']);
    });

    it('a recovered socket does not count as pending', async (t) => {
      const { io, connect } = await openServer(t, host, RECOVERY);
      const instance = newInstance();
      instance.start(io, { maxPendingPerAddress: 1 });
      const client = connect();
      const socket = await socketOf(io, client);
      await authenticate(client, {});
      await flush(socket, client);
      await lose(socket, client);
      const pending = connect();
      await socketOf(io, pending);
      await comeBack(io, client);
      assert.equal(client.recovered, true);
    });

    it('a socket of a gated namespace waits for the default namespace with what it has missed', async (t) => {
      const { io, connect } = await openServer(t, host, RECOVERY);
      const news = io.of('/news');
      const instance = newInstance();
      instance.start(io);
      const client = connect();
      const socket = await socketOf(io, client);
      await authenticate(client);
      const other = client.io.socket('/news');
      const there = await socketOf(news, other);
      await flush(there, other);
      const lost = once(there, 'disconnect');
      await lose(socket, client);
      await lost;
      instance.revoke(() => true);
      news.emit('missed');
      const events = heard(other);
      const both = Promise.all([socketOf(io, client), socketOf(news, other)]);
      client.connect();
      const [, again] = await both;
      assert.deepEqual([client.recovered ?? false, other.recovered], [false, true]);
      news.emit('while it waits');
      news.timeout(10).emit('to be acknowledged', () => {});
      await flush(again, other);
      assert.deepEqual(events, ['flushed']);
      await authenticate(client);
      news.emit('then');
      await flush(again, other);
      assert.deepEqual(events, ['flushed', 'missed', 'while it waits', 'then', 'flushed']);
    });

    it('a socket of a gated namespace is recovered at once beside one that comes back authenticated', async (t) => {
      const { io, connect } = await openServer(t, host, RECOVERY);
      const news = io.of('/news');
      newInstance().start(io);
      const client = connect();
      const socket = await socketOf(io, client);
      await authenticate(client);
      await flush(socket, client);
      const other = client.io.socket('/news');
      const there = await socketOf(news, other);
      await flush(there, other);
      const lost = once(there, 'disconnect');
      await lose(socket, client);
      await lost;
      news.emit('missed');
      const events = heard(other);
      const both = Promise.all([socketOf(io, client), socketOf(news, other)]);
      client.connect();
      const [, again] = await both;
      await flush(again, other);
      assert.deepEqual([client.recovered, other.recovered], [true, true]);
      assert.deepEqual(events, ['missed', 'flushed']);
    });

    it('without recovery nothing carries an offset', async (t) => {
      const { io, client, socket } = await open(t, () => {}, {});
      const lengths = [];
      for (const event of ['broadcast', 'direct']) {
        client.on(event, (...args) => lengths.push(args.length));
      }
      io.emit('broadcast', 1);
      socket.emit('direct', 1);
      await flush(socket, client);
      assert.deepEqual(lengths, [1, 1]);
      assert.deepEqual([socket.pid, client._pid], [undefined, undefined]);
      await lose(socket, client);
      await comeBack(io, client);
      assert.ok(!client.recovered);
    });
  });
}
