'use strict';

// Connection state recovery on the native server: sessions in memory and their limits, middleware, adapters that
// misbehave, and what is on the wire. What it does for sockets that authenticate is in the other files.

const assert = require('node:assert/strict');
const { EventEmitter, once } = require('node:events');
const http = require('node:http');
const { before, describe, it } = require('node:test');
const { Adapter, SessionAwareAdapter } = require('socket.io-adapter');
const msgpackParser = require('socket.io-msgpack-parser');
const LoopbackSocket = require('../..');
const { reachState } = require('../support/clients');
const {
  authenticate,
  comeBack,
  flush,
  heard,
  lose,
  newInstance,
  next,
  openServer,
  socketOf,
} = require('../support/js-hosts');
const { RawPolling, RawWebsocket } = require('../support/raw');
const { reach } = require('../support/waiting');

const TIMEOUT = { timeout: 60_000 };

/**
 * @param {import('node:test').TestContext} t the test
 * @param {true | object} [recovery] the option
 * @param {object} [options] more options of the server
 * @param {object} [clientOptions] of the client
 * @returns {Promise<object>} a server, and a client that has received an event
 */
async function open(t, recovery = true, options = {}, clientOptions = {}) {
  const { io, connect } = await openServer(t, 'native', {
    connectionStateRecovery: recovery,
    ...options,
  });
  const client = connect('/', clientOptions);
  const socket = await socketOf(io, client);
  await flush(socket, client);
  return { io, connect, client, socket };
}

describe('recovery in memory', TIMEOUT, () => {
  it('missed events are as they were when they were emitted, in order, with bytes', async (t) => {
    const { io, client, socket } = await open(t);
    socket.join('room');
    await lose(socket, client);
    const list = [1];
    io.emit('a', list, Buffer.from('bytes'));
    list.push(2);
    io.to('room').except('nobody').emit('b', null);
    io.except('room').emit('not for the room');
    io.to('room').except(socket.id).emit('not for it');
    io.volatile.emit('volatile');
    io.timeout(10).emit('acknowledged', () => {});
    socket.emit('c');
    const events = [];
    client.onAny((...event) => events.push(event.slice(0, -1)));
    const again = await comeBack(io, client);
    await flush(again, client);
    assert.deepEqual(events, [['a', [1], Buffer.from('bytes')], ['b', null], ['c'], ['flushed']]);
  });

  it('missed events reach clients that speak MessagePack', async (t) => {
    const { io, client, socket } = await open(
      t,
      true,
      { parser: 'msgpack' },
      { parser: msgpackParser },
    );
    assert.equal(client._pid, socket.pid);
    await lose(socket, client);
    io.emit('missed', { a: Buffer.from('x') });
    const missed = next(client, 'missed');
    await comeBack(io, client);
    assert.deepEqual(await missed, { a: Buffer.from('x') });
    assert.equal(client.recovered, true);
  });

  it('on the wire missed events come in front of CONNECT, which has the id of the socket and that of its session', async (t) => {
    const { io, client, socket } = await open(t);
    await lose(socket, client);
    io.emit('missed');
    const raw = new RawWebsocket(client.io.opts.port);
    t.after(() => raw.terminate());
    await raw.opened();
    const { pid, id } = socket;
    await raw.send(`40${JSON.stringify({ pid, offset: client._lastOffset })}`);
    const message = () => raw.received.next((item) => item.startsWith('4'));
    assert.match(await message(), /^42\["missed","[\w-]+"\]$/);
    assert.equal(await message(), `40${JSON.stringify({ sid: id, pid })}`);
  });

  it('a client that has received nothing is recovered', async (t) => {
    const { io, connect } = await openServer(t, 'native', { connectionStateRecovery: true });
    io.emit('before');
    const client = connect();
    const socket = await socketOf(io, client);
    await lose(socket, client);
    io.emit('missed');
    const events = heard(client);
    const again = await comeBack(io, client);
    await flush(again, client);
    assert.equal(client.recovered, true);
    assert.deepEqual(events, ['missed', 'flushed']);
  });

  it('a client gets nothing of before it connected, whatever offset it sends', async (t) => {
    const { io, connect, client: other } = await open(t);
    io.emit('early');
    await next(other, 'early');
    const offset = other._lastOffset;
    io.emit('before');
    const client = connect();
    const socket = await socketOf(io, client);
    await lose(socket, client);
    const auth = { pid: socket.pid, offset };
    const again = connect('/', { auth });
    const events = heard(again);
    const returned = await socketOf(io, again);
    await flush(returned, again);
    assert.equal(returned.recovered, true);
    assert.deepEqual(events, ['flushed']);
  });

  it('an offset that was never sent is not recovered from', async (t) => {
    const { io, connect, client } = await open(t);
    const known = client._lastOffset;
    for (const offset of [
      `${known}0`,
      known.slice(0, 4),
      `${known.slice(0, 4)}zzzzzzzzzz`,
      `${known.slice(0, 4)}-1`,
      `${known.slice(0, 4)}0`,
      '',
      'x'.repeat(10_000),
    ]) {
      const mine = connect();
      const socket = await socketOf(io, mine);
      await lose(socket, mine);
      const again = connect('/', { auth: { pid: socket.pid, offset } });
      assert.equal((await socketOf(io, again)).recovered, false, offset.slice(0, 20));
    }
  });

  it('a session is not restored in another namespace', async (t) => {
    const { io, connect, client, socket } = await open(t);
    const admin = io.of('/admin');
    const { pid } = socket;
    await lose(socket, client);
    const stranger = connect('/admin', { auth: { pid, offset: client._lastOffset } });
    assert.equal((await socketOf(admin, stranger)).recovered, false);
    await comeBack(io, client);
    assert.equal(client.recovered, true);
  });

  it('namespaces of one connection are recovered each for itself', async (t) => {
    const { io, client, socket } = await open(t);
    const news = io.of(/^\/news/);
    const other = client.io.socket('/news-1');
    const [there] = await Promise.all([next(news, 'connection'), next(other, 'connect')]);
    await flush(there, other);
    const lost = once(there, 'disconnect');
    await lose(socket, client);
    await lost;
    io.emit('to the default one');
    io.of('/news-1').emit('to news');
    const events = [heard(client), heard(other)];
    const both = Promise.all([next(client, 'connect'), next(other, 'connect')]);
    client.connect();
    await both;
    assert.deepEqual([client.recovered, other.recovered], [true, true]);
    assert.deepEqual(events, [['to the default one'], ['to news']]);
  });

  it('recovery goes on when a server is closed and attached again', async (t) => {
    const io = new LoopbackSocket.Server({ connectionStateRecovery: true });
    const { io: connectTo } = require('socket.io-client');
    const servers = [http.createServer(), http.createServer()];
    t.after(() => io.close());
    let auth;
    for (const server of servers) {
      io.attach(server);
      await new Promise((resolve) => {
        server.listen(0, resolve);
      });
      const url = `http://localhost:${server.address().port}`;
      const client = connectTo(url, { auth, forceNew: true, reconnection: false });
      t.after(() => client.close());
      const socket = await socketOf(io, client);
      assert.equal(socket.recovered, auth !== undefined);
      auth = { pid: socket.pid };
      if (server === servers[0]) {
        await io.close();
      }
    }
  });
});

describe('the socket of before a recovery, which an application still has', TIMEOUT, () => {
  for (const [where, options] of [
    ['in memory', {}],
    ['with an adapter that recovers', { adapter: SessionAwareAdapter }],
  ]) {
    it(`events emitted on the socket of before a recovery reach the recovered client once and in order, ${where}`, async (t) => {
      const { io, client, socket } = await open(t, true, options);
      const events = heard(client);
      await lose(socket, client);
      socket.emit('away');
      const second = await comeBack(io, client);
      assert.equal(second.recovered, true);
      second.emit('1');
      socket.emit('2');
      socket.send('3');
      second.emit('4');
      await flush(socket, client);
      // Now that nothing is queued for the client.
      socket.volatile.emit('5');
      await flush(socket, client);
      const expected = ['away', '1', '2', 'message', '4', 'flushed', '5', 'flushed'];
      assert.deepEqual(events, expected);
    });

    it(`events emitted on the socket of before a recovery are missed and recovered like those of the last one, ${where}`, async (t) => {
      const { io, client, socket } = await open(t, true, options);
      await lose(socket, client);
      const second = await comeBack(io, client);
      socket.emit('received');
      await flush(socket, client);
      await lose(second, client);
      const events = heard(client);
      socket.emit('of the first');
      second.emit('of the second');
      const third = await comeBack(io, client);
      socket.emit('later');
      await flush(third, client);
      assert.equal(third.recovered, true);
      assert.deepEqual(events, ['of the first', 'of the second', 'later', 'flushed']);
    });

    it(`a client acknowledges what is emitted on the socket of before a recovery, ${where}`, async (t) => {
      const { io, client, socket } = await open(t, true, options);
      client.on('question', (value, answer) => answer(value + 1));
      await lose(socket, client);
      await comeBack(io, client);
      assert.equal(await socket.timeout(10_000).emitWithAck('question', 1), 2);
      assert.equal(await socket.emitWithAck('question', 2), 3);
    });

    it(`the listeners for what is emitted on the socket of before a recovery are those of the recovered socket, ${where}`, async (t) => {
      const { io, client, socket } = await open(t, true, options);
      const told = [];
      socket.onAnyOutgoing((event) => told.push(`first ${event}`));
      await lose(socket, client);
      socket.emit('away');
      const second = await comeBack(io, client);
      second.onAnyOutgoing((event) => told.push(`second ${event}`));
      socket.emit('event');
      await flush(socket, client);
      assert.deepEqual(told, ['second event', 'second flushed']);
    });

    it(`the rooms of the socket of before a recovery are those of the recovered socket, and it can leave them, ${where}`, async (t) => {
      const { io, client, socket } = await open(t, true, options);
      socket.join(['a', 'b']);
      await lose(socket, client);
      assert.deepEqual([...socket.rooms], []);
      const second = await comeBack(io, client);
      socket.join('c');
      socket.leave('a');
      assert.deepEqual([...second.rooms].sort(), ['b', socket.id].sort());
      assert.deepEqual([...socket.rooms].sort(), ['b', socket.id].sort());
    });
  }

  it('events emitted on the socket of before a recovery are sent behind what the client has missed while middleware runs', async (t) => {
    const { io, client, socket } = await open(t, { skipMiddlewares: false });
    io.use((one, done) => {
      socket.emit('meanwhile');
      setImmediate(done);
    });
    await lose(socket, client);
    socket.emit('missed');
    const events = heard(client);
    await comeBack(io, client);
    await flush(socket, client);
    assert.deepEqual(events, ['missed', 'meanwhile', 'flushed']);
  });

  it('events emitted on the socket of before a recovery reach nobody if the client was not recovered', async (t) => {
    const { io, client, socket } = await open(t);
    await lose(socket, client);
    client._pid = undefined;
    const events = heard(client);
    const second = await comeBack(io, client);
    socket.emit('private');
    socket.volatile.emit('private');
    socket.emit('private', () => {});
    await flush(second, client);
    assert.equal(second.recovered, false);
    assert.deepEqual(events, ['flushed']);
  });

  it('events emitted on the socket of before a recovery wait in a gated namespace until the client has authenticated', async (t) => {
    const { io, connect } = await open(t);
    const news = io.of('/news');
    newInstance().start(io);
    const main = connect();
    const first = await socketOf(io, main);
    await authenticate(main);
    const other = main.io.socket('/news');
    const there = await socketOf(news, other);
    await flush(there, other);
    const lost = once(there, 'disconnect');
    await lose(first, main);
    await lost;
    // Only the other namespace comes back, and waits there.
    const auth = { pid: there.pid, offset: other._lastOffset };
    const again = connect('/news', { auth });
    const waiting = await socketOf(news, again);
    assert.equal(waiting.recovered, true);
    const events = heard(again);
    there.emit('private');
    there.volatile.emit('volatile');
    there.emit('question', () => {});
    const authenticating = again.io.socket('/');
    await socketOf(io, authenticating);
    assert.deepEqual(events, []);
    const released = next(again, 'private');
    await authenticate(authenticating);
    await released;
    await flush(there, again);
    assert.deepEqual(events, ['private', 'flushed']);
  });

  it('events emitted on the socket of before a recovery reach a child namespace that was made anew', async (t) => {
    const { io, connect } = await open(t, true, { cleanupEmptyChildNamespaces: true });
    const parent = io.of(/^\/child/);
    const client = connect('/child');
    const socket = await socketOf(parent, client);
    await flush(socket, client);
    await lose(socket, client);
    const second = await comeBack(parent, client);
    assert.deepEqual([second.recovered, second.nsp === socket.nsp], [true, false]);
    await flush(socket, client);
  });
});

describe('limits of recovery in memory', TIMEOUT, () => {
  for (const [name, limits] of [
    ['events', { maxPackets: 3 }],
    ['bytes', { maxPacketBytes: 100 }],
  ]) {
    it(`a client that has missed more ${name} than are kept gets a new socket`, async (t) => {
      const { io, client, socket } = await open(t, limits);
      for (const count of [3, 4]) {
        const current = count === 3 ? socket : [...io.sockets.sockets.values()][0];
        await lose(current, client);
        for (let i = 0; i < count; i++) io.emit('missed', 'x'.repeat(10));
        const events = heard(client);
        const again = await comeBack(io, client);
        await flush(again, client);
        assert.equal(client.recovered, count === 3);
        assert.equal(events.length, count === 3 ? 4 : 1);
      }
    });
  }

  it('the oldest session is dropped when there are too many', async (t) => {
    const { io, connect, client, socket } = await open(t, { maxSessions: 1 });
    const second = connect();
    const other = await socketOf(io, second);
    await lose(socket, client);
    await lose(other, second);
    await comeBack(io, client);
    await comeBack(io, second);
    assert.deepEqual([client.recovered, second.recovered], [false, true]);
  });

  it('a client that has missed more than may be queued for it begins anew after one connection', async (t) => {
    const { io, client, socket } = await open(t, true, { maxBackpressure: 10_000 });
    const { pid } = socket;
    await lose(socket, client);
    for (let i = 0; i < 20; i++) io.emit('missed', 'x'.repeat(1000));
    const ask = `40${JSON.stringify({ pid, offset: client._lastOffset })}`;
    const overwhelmed = once(io, 'connection').then(([one]) => once(one, 'disconnect'));
    const first = new RawPolling(client.io.opts.port);
    t.after(() => first.terminate());
    await first.opened();
    await first.send(ask);
    const [reason, { message }] = await overwhelmed;
    assert.deepEqual([reason, /maxBackpressure/.test(message)], ['transport error', true]);
    const second = new RawPolling(client.io.opts.port);
    t.after(() => second.terminate());
    await second.opened();
    await second.send(ask);
    const { sid, pid: other } = JSON.parse((await second.packet('0{')).slice('40'.length));
    assert.notEqual(sid, socket.id);
    assert.notEqual(other, pid);
  });

  it('a session is dropped after maxDisconnectionDuration', async (t) => {
    const { io, client, socket } = await open(t, { maxDisconnectionDuration: 1 });
    await lose(socket, client);
    const since = performance.now();
    await reach(() => performance.now() - since >= 5);
    await comeBack(io, client);
    assert.equal(client.recovered, false);
  });

  it('a pending client for which too much waits is disconnected, and begins anew', async (t) => {
    const { io, connect, client, socket } = await open(t, { maxPackets: 5 });
    const news = io.of('/news');
    newInstance().start(io);
    const main = connect();
    const first = await socketOf(io, main);
    await authenticate(main);
    const other = main.io.socket('/news');
    const there = await socketOf(news, other);
    const lost = once(there, 'disconnect');
    await lose(first, main);
    await lost;
    // Only the other namespace comes back, and waits there.
    const again = connect('/news', {
      auth: { pid: there.pid },
      reconnection: true,
      reconnectionDelay: 1,
    });
    const waiting = await socketOf(news, again);
    assert.equal(waiting.recovered, true);
    for (let i = 0; i < 6; i++) news.emit('much');
    const authenticating = again.io.socket('/');
    await socketOf(io, authenticating);
    const closed = next(again, 'disconnect');
    const ended = once(waiting, 'disconnect');
    authenticating.emit('authentication', {});
    await ended;
    await closed;
    const coming = await socketOf(news, again);
    again.io.reconnection(false);
    authenticating.close();
    assert.equal(coming.recovered, false);
    assert.deepEqual([socket.connected, client.connected], [true, true]);
  });

  it('options that are unknown or impossible are refused', () => {
    for (const [recovery, option] of [
      [{ maxDisconnectionDuration: 0 }, 'maxDisconnectionDuration'],
      [{ maxDisconnectionDuration: '1' }, 'maxDisconnectionDuration'],
      [{ skipMiddlewares: 1 }, 'skipMiddlewares'],
      [{ maxSessions: 0 }, 'maxSessions'],
      [{ maxPackets: -1 }, 'maxPackets'],
      [{ maxPacketBytes: NaN }, 'maxPacketBytes'],
      ['yes', 'connectionStateRecovery'],
    ]) {
      assert.throws(() => new LoopbackSocket.Server({ connectionStateRecovery: recovery }), {
        code: 'ERR_LOOPBACK_SOCKET_INVALID_OPTION',
        option,
      });
    }
  });
});

describe('recovery and middleware', TIMEOUT, () => {
  it('middleware is skipped for a recovered socket, unless skipMiddlewares is false', async (t) => {
    for (const skipMiddlewares of [true, false]) {
      const { io, client, socket } = await open(t, { skipMiddlewares });
      let runs = 0;
      io.use((one, done) => {
        runs += 1;
        assert.deepEqual([one.recovered, one.id, one.rooms.has('room')], [true, socket.id, true]);
        done();
      });
      socket.join('room');
      await lose(socket, client);
      await comeBack(io, client);
      assert.equal(runs, skipMiddlewares ? 0 : 1);
      assert.equal(client.recovered, true);
    }
  });

  it('the adapter shows the rooms of a recovered socket as soon as it joins them', async (t) => {
    for (const skipMiddlewares of [true, false]) {
      const { io, client, socket } = await open(t, { skipMiddlewares });
      const { adapter } = io.of('/');
      socket.join('room');
      await lose(socket, client);
      const sizes = [];
      adapter.on('join-room', (room) => sizes.push(adapter.rooms.get(room)?.size));
      await comeBack(io, client);
      assert.deepEqual(sizes, [1, 1]);
      assert.equal(io.of('/')._preConnectSockets.size, 0);
    }
  });

  it('events that are broadcast while middleware runs arrive once, after those that were missed before', async (t) => {
    const { io, client, socket } = await open(t, { skipMiddlewares: false });
    io.use((one, done) => {
      io.emit('meanwhile');
      setImmediate(done);
    });
    await lose(socket, client);
    io.emit('missed');
    const events = heard(client);
    const again = await comeBack(io, client);
    await flush(again, client);
    assert.deepEqual(events, ['missed', 'meanwhile', 'flushed']);
  });

  it('a recovered client that middleware refuses gets nothing', async (t) => {
    const { io, client, socket } = await open(t, { skipMiddlewares: false });
    io.use((one, done) => done(new Error('no')));
    await lose(socket, client);
    io.emit('missed');
    const events = heard(client);
    const refused = next(client, 'connect_error');
    client.connect();
    assert.equal((await refused).message, 'no');
    assert.deepEqual(events, []);
    assert.equal(io.sockets.sockets.size, 0);
  });

  it('a client that is lost again while middleware runs is recovered the next time', async (t) => {
    const { io, client, socket } = await open(t, { skipMiddlewares: false });
    let go;
    let isFirst = true;
    const asked = new Promise((resolve) => {
      io.use((one, done) => {
        if (!isFirst) {
          done();
          return;
        }
        isFirst = false;
        go = done;
        resolve();
      });
    });
    await lose(socket, client);
    io.emit('missed');
    client.connect();
    await asked;
    const closed = new Promise((resolve) => {
      const check = () => (io.engine.clientsCount === 0 ? resolve() : setImmediate(check));
      client.io.engine.close();
      check();
    });
    await closed;
    go();
    const missed = next(client, 'missed');
    const again = await comeBack(io, client);
    await missed;
    assert.deepEqual([again.recovered, again.id], [true, socket.id]);
  });
});

describe('recovery by adapters that misbehave', TIMEOUT, () => {
  /**
   * @param {(pid: string, offset: string) => unknown} restoreSession what the adapter does
   * @param {(session: object) => unknown} [persistSession] what the adapter does
   * @returns {Function} the adapter
   */
  const misbehaving = (restoreSession, persistSession = () => {}) =>
    class extends Adapter {
      restoreSession(...args) {
        return restoreSession(...args);
      }

      persistSession(...args) {
        return persistSession(...args);
      }
    };
  const auth = { pid: 'p'.repeat(20), offset: '1-0' };
  const session = { sid: 'former', pid: auth.pid, rooms: ['room'], data: {}, missedPackets: [] };

  for (const [name, restore] of [
    ['throws', () => assert.fail('boom')],
    ['rejects', () => Promise.reject(new Error('boom'))],
    ['rejects with undefined', () => Promise.reject()],
    ['gives nothing', () => null],
    ['gives a text', () => 'session'],
    ['gives an empty object', () => ({})],
    ['gives an id that cannot be one', () => ({ ...session, sid: 'a\tb\n' })],
    ['gives rooms that are none', () => ({ ...session, rooms: 'room' })],
    ['gives packets that are none', () => ({ ...session, missedPackets: [['ok'], 'no'] })],
    ['gives no packets', () => ({ ...session, missedPackets: undefined })],
  ]) {
    it(`an adapter that ${name} has a client get a new socket`, async (t) => {
      const { io, connect } = await openServer(t, 'native', {
        adapter: misbehaving(restore),
        connectionStateRecovery: true,
      });
      const client = connect('/', { auth });
      const socket = await socketOf(io, client);
      assert.deepEqual([socket.recovered, client.recovered], [false, false]);
      assert.notEqual(client._pid, auth.pid);
      io.emit('usable');
      await next(client, 'usable');
    });
  }

  it('an adapter that never answers has a client get a new socket in the end', async (t) => {
    const { setTimeout: wait } = globalThis;
    const keepAlive = [];
    t.mock.method(globalThis, 'setTimeout', (done, delay, ...args) => {
      const timer = wait(done, delay === 10_000 ? 1 : delay, ...args);
      if (delay === 10_000) setImmediate(() => keepAlive.push(timer.hasRef()));
      return timer;
    });
    const { io, connect } = await openServer(t, 'native', {
      adapter: misbehaving(() => new Promise(() => {})),
      connectionStateRecovery: true,
    });
    const client = connect('/', { auth });
    assert.equal((await socketOf(io, client)).recovered, false);
    assert.deepEqual(keepAlive, [false]);
  });

  it('a session is persisted again if its client is lost while the adapter restores it', async (t) => {
    let answer;
    let persisted;
    const asked = new EventEmitter();
    const restore = () =>
      new Promise((resolve) => {
        answer = resolve;
        asked.emit('asked');
      });
    const { io, connect } = await openServer(t, 'native', {
      adapter: misbehaving(restore, (one) => {
        persisted = one;
      }),
      connectionStateRecovery: true,
    });
    io.on('connection', () => assert.fail('connected'));
    const client = connect('/', { auth });
    await once(asked, 'asked');
    client.io.engine.close();
    await reach(() => io.engine.clientsCount === 0);
    answer({ ...session });
    await reach(() => persisted !== undefined);
    const { missedPackets, ...rest } = session;
    assert.deepEqual(persisted, { ...rest, nsp: '/' });
    assert.deepEqual([missedPackets, io.sockets.sockets.size], [[], 0]);
  });

  it('a child namespace stays while an adapter restores a session of it, and goes with the client that never comes', async (t) => {
    const answers = [];
    const { io, connect } = await openServer(t, 'native', {
      adapter: misbehaving(() => new Promise((resolve) => answers.push(resolve))),
      connectionStateRecovery: true,
      cleanupEmptyChildNamespaces: true,
    });
    const parent = io.of(/^\/child$/);
    const former = await socketOf(parent, connect('/child'));
    const child = former.nsp;
    const client = connect('/child', { auth });
    await reach(() => answers.length === 1);
    former.disconnect(true);
    const joined = socketOf(child, client);
    answers[0]({ ...session });
    const socket = await joined;
    assert.deepEqual([socket.recovered, socket.nsp], [true, child]);
    const got = next(client, 'all');
    io.of('/child').emit('all');
    await got;
    const late = connect('/child', { auth });
    await reach(() => answers.length === 2);
    socket.disconnect(true);
    late.io.engine.close();
    await reach(() => io.engine.clientsCount === 0);
    answers[1](null);
    await reach(() => !io._nsps.has('/child') && parent.children.size === 0);
  });

  it('a server that is closed while an adapter restores a session ends the client', async (t) => {
    let answer;
    const { io, connect } = await openServer(t, 'native', {
      adapter: misbehaving(
        () =>
          new Promise((resolve) => {
            answer = resolve;
          }),
      ),
      connectionStateRecovery: true,
    });
    const client = connect('/', { auth });
    await reach(() => answer !== undefined);
    await io.close();
    answer({ ...session });
    await new Promise(setImmediate);
    assert.equal(io.sockets.sockets.size, 0);
    assert.equal(client.connected, false);
  });

  it('a session whose socket is still connected is not restored', async (t) => {
    const { io, connect } = await openServer(t, 'native', {
      adapter: misbehaving(() => ({ ...session })),
      connectionStateRecovery: true,
    });
    const clients = [connect('/', { auth }), connect('/', { auth })];
    const sockets = [];
    io.on('connection', (socket) => sockets.push(socket));
    await Promise.all(clients.map((client) => next(client, 'connect')));
    assert.deepEqual(sockets.map(({ recovered }) => recovered).sort(), [false, true]);
    assert.equal(io.sockets.sockets.size, 2);
  });

  it('an adapter that throws when it is to persist a session ends nothing', async (t) => {
    const { io, connect } = await openServer(t, 'native', {
      adapter: misbehaving(
        () => null,
        () => Promise.reject(new Error('boom')),
      ),
      connectionStateRecovery: true,
    });
    const client = connect();
    const socket = await socketOf(io, client);
    const warned = once(process, 'warning');
    await lose(socket, client);
    assert.equal((await warned)[0].message, 'boom');
    await comeBack(io, client);
    assert.equal(client.recovered, false);
  });
});

describe('recovery and subscriptions by the helper for clients', TIMEOUT, () => {
  let helper;

  before(async () => {
    ({ client: helper } = await import('../../client.mjs'));
  });

  for (const isRemembered of [true, false]) {
    it(`a loop continues without a gap when its socket comes back ${isRemembered ? 'authenticated' : 'pending'}`, async (t) => {
      const { io, connect } = await openServer(t, 'native', { connectionStateRecovery: true });
      const instance = newInstance();
      instance.auth((one, credentials) => {
        // What cannot be measured is not remembered, as if another process had authenticated the socket.
        if (!isRemembered) credentials.unmeasurable = 1n;
      });
      io.on('connection', (one) => {
        assert.equal(one.auth, one.recovered && isRemembered);
      });
      instance.defineSubscription('orders', {
        key: () => ({ key: 'all' }),
        history: { size: 100, ttl: 60_000 },
      });
      instance.start(io);
      const socket = connect('/', { reconnection: true, reconnectionDelay: 1 });
      const app = helper(socket, { credentials: {} });
      const gaps = [];
      const orders = app.subscribe('orders', {}, { onGap: () => gaps.push('gap') });
      const items = [];
      await orders.ready;
      for (let n = 1; n <= 30; n++) {
        instance.publish('orders', { key: 'all' }, `item ${n}`);
        if (n % 10 === 5) {
          const current = io.sockets.sockets.get(socket.id);
          const lost = once(current, 'disconnect');
          socket.io.engine.close();
          await lost;
          instance.publish('orders', { key: 'all' }, `item ${n}+`);
          await reachState(app, 'disconnected');
          await reachState(app, 'ready');
          assert.equal(socket.recovered, true);
          items.push((await orders.next()).value);
        }
        items.push((await orders.next()).value);
      }
      const expected = Array.from({ length: 30 }, (_, i) =>
        (i + 1) % 10 === 5 ? [`item ${i + 1}`, `item ${i + 1}+`] : [`item ${i + 1}`],
      );
      socket.io.reconnection(false);
      assert.deepEqual(items, expected.flat());
      assert.deepEqual(gaps, []);
    });
  }
});
