'use strict';

// LoopbackSockets on the native server: one, two, twice, on namespaces; and what sockets that wait
// for their client to authenticate hear.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const http = require('node:http');
const { describe, it } = require('node:test');
const LoopbackSocket = require('../..');
const { CommandWriter } = require('../../lib/native/command-writer');
const {
  TIMEOUT,
  call,
  ending,
  happens,
  loopbackSocket,
  served,
} = require('../support/native-server');

const only = (test) => served({}, test);

/** What a raw client hears until the event `end`, which its socket emits now. */
async function heard(raw) {
  raw.socket.emit('end');
  const items = [];
  while (items.at(-1) !== '42["end"]') {
    items.push(String(await raw.received.next((item) => String(item).startsWith('4'))));
  }
  return items.slice(0, -1);
}

async function authenticate(raw, token = 'valid') {
  await raw.send(`42["authentication",${JSON.stringify({ token })}]`);
  await raw.packet(token === 'valid' ? '2["authenticated"' : '2');
}

describe('LoopbackSocket on the native server', () => {
  it(
    'an answer is what JSON.stringify makes of the value, with the key given to toJSON()',
    TIMEOUT,
    only(async (world) => {
      const instance = loopbackSocket();
      const named = { toJSON: (key) => `as ${key}` };
      const callable = Object.assign(() => {}, named);
      const values = {
        named: () => named,
        nested: () => ({ deep: [named] }),
        callable: () => callable,
        date: () => new Date(0),
        nothing: () => undefined,
        symbol: () => Symbol('none'),
        nan: () => NaN,
        text: () => 'a"\n\t\u2028\ud800',
        bytes: () => ({ toJSON: () => ({ deep: [1] }) }),
        wrong: () => Promise.reject(named),
        none: (socket, credentials, args, done) => done({ toJSON: () => undefined }),
      };
      for (const [name, method] of Object.entries(values)) instance.defineMethod(name, method);
      instance.start(world.io);
      const raw = await world.raw();
      await authenticate(raw);
      const answers = {};
      for (const name of Object.keys(values)) [answers[name]] = await raw.call(name, 1);
      assert.deepEqual(answers, {
        named: { result: 'as result' },
        nested: { result: { deep: ['as 0'] } },
        callable: { result: 'as result' },
        date: { result: '1970-01-01T00:00:00.000Z' },
        nothing: {},
        symbol: {},
        nan: { result: null },
        text: { result: 'a"\n\t\u2028\ud800' },
        bytes: { result: { deep: [1] } },
        wrong: { error: 'as error' },
        none: {},
      });
    }),
  );

  it(
    'answers given within one iteration of the event loop are written to Rust together',
    TIMEOUT,
    only(async (world) => {
      const instance = loopbackSocket();
      instance.defineMethod('later', (socket, credentials, n, done) => {
        setImmediate(() => setImmediate(done, null, n));
      });
      instance.start(world.io);
      const raw = await world.raw();
      await authenticate(raw);
      const link = world.io._link;
      const { push } = link.native;
      let pushes = 0;
      const counting = (...args) => {
        pushes += 1;
        push(...args);
      };
      link.commands = new CommandWriter({ push: counting }, 'json');
      const calls = [];
      for (let n = 0; n < 200; n++) calls.push(raw.call('later', n));
      const answers = await Promise.all(calls);
      assert.deepEqual(
        answers,
        calls.map((_, n) => [{ result: n }]),
      );
      assert.ok(pushes > 0 && pushes < 100, `${pushes} pushes`);
    }),
  );

  it(
    'a LoopbackSocket that is started twice on one server runs its handlers once',
    TIMEOUT,
    only(async (world) => {
      const instance = loopbackSocket();
      let runs = 0;
      instance.onConnected(() => {
        runs += 1;
      });
      instance.defineMethod('m', () => (runs += 1));
      instance.start(world.io);
      instance.start(world.io);
      instance.start(world.io.of('/'));
      const raw = await world.raw();
      await authenticate(raw);
      assert.deepEqual(await raw.call('m', 1), [{ result: 2 }]);
      assert.deepEqual(await heard(raw), []);
      assert.equal(runs, 2);
      assert.equal(instance._io, world.io.sockets);
    }),
  );

  it(
    'two LoopbackSockets on one server authenticate and answer independently',
    TIMEOUT,
    only(async (world) => {
      const first = loopbackSocket();
      const second = new LoopbackSocket('second', 'none');
      second.auth((socket, credentials) => credentials.second === true);
      first.defineMethod('one', () => 'first');
      first.defineMethod('both', () => 'first');
      second.defineMethod('two', () => 'second');
      second.defineMethod('both', () => new Promise((resolve) => setImmediate(resolve, 'second')));
      first.start(world.io);
      second.start(world.io);
      const raw = await world.raw();
      await raw.send('42["authentication",{"token":"valid","second":true}]');
      await raw.packet('2["authenticated",true]');
      await raw.packet('2["authenticated",true]');
      assert.deepEqual(await raw.call('one', 1), [{ result: 'first' }]);
      assert.deepEqual(await raw.call('two', 1), [{ result: 'second' }]);
      assert.deepEqual(await raw.call('both', 1), [{ result: 'first' }], 'the first answer wins');
      const half = await world.raw();
      await half.send('42["authentication",{"token":"valid"}]');
      await half.packet('2["authenticated",true]');
      await half.packet('20["unauthorized",{"message":"Authentication failure"}]');
      assert.deepEqual(await half.call('one', 1), [{ result: 'first' }]);
      assert.equal(half.socket.auth, true);
      await half.send('429["two",1]');
      await half.send('428["one",2]');
      assert.equal(await half.packet('3'), '438[{"result":"first"}]', 'no method of the second');
    }),
  );

  it(
    'a method named authentication is run and answered beside the attempt to authenticate',
    TIMEOUT,
    only(async (world) => {
      const instance = loopbackSocket();
      instance.defineMethod('authentication', (socket, { token }, args) => [token, args.again]);
      instance.start(world.io);
      for (const listener of [undefined, () => {}]) {
        const raw = await world.raw();
        if (listener) raw.socket.on('authentication', listener);
        await authenticate(raw);
        const again = raw.packet('2["authenticated"');
        const answer = await raw.call('authentication', { token: 'valid', again: 1 });
        assert.deepEqual(answer, [{ result: ['valid', 1] }]);
        await again;
      }
    }),
  );

  it(
    'a LoopbackSocket that is started on a namespace serves only that namespace',
    TIMEOUT,
    only(async (world) => {
      const instance = loopbackSocket();
      instance.defineMethod('m', (socket) => socket.nsp.name);
      instance.start(world.io.of('/x'));
      const there = await world.connect('4.8', { nsp: '/x' });
      const older = await world.connect('2.5', { nsp: '/x' });
      const here = await world.connect();
      assert.equal(there.socket.auth, false);
      assert.equal(here.socket.auth, undefined);
      for (const { client, socket } of [there, older]) {
        client.emit('authentication', { token: 'valid' });
        assert.deepEqual(await happens(client, 'authenticated'), [true]);
        assert.equal(socket.auth, true);
        assert.deepEqual(await call(client, 'm', 1), [{ result: '/x' }]);
      }
      const news = happens(here.client, 'news');
      world.io.emit('news', 1);
      assert.deepEqual(await news, [1]);
    }),
  );

  it(
    'two LoopbackSockets started on one http.Server share one native server',
    TIMEOUT,
    async () => {
      const httpServer = http.createServer();
      const first = loopbackSocket();
      const second = loopbackSocket();
      first.start(httpServer);
      second.start(httpServer);
      assert.ok(first._io instanceof LoopbackSocket.Server);
      assert.equal(first._io, second._io);
      assert.equal(httpServer.listenerCount('upgrade'), 1);
      await first._io.close();
    },
  );

  it('start() accepts a port as a number or as a string', TIMEOUT, async () => {
    for (const port of [0, '0']) {
      const instance = loopbackSocket();
      instance.start(port);
      assert.ok(instance._io instanceof LoopbackSocket.Server);
      await once(instance._io.httpServer, 'listening');
      await instance._io.close();
    }
    const code = 'ERR_LOOPBACK_SOCKET_INVALID_HOST';
    assert.throws(() => loopbackSocket().start('somewhere'), { code });
  });

  it(
    'sockets that connected before start() are not served',
    TIMEOUT,
    only(async (world) => {
      const early = await world.raw();
      const instance = loopbackSocket(1);
      instance.start(world.io);
      const late = await world.raw();
      await late.closed;
      assert.equal(early.socket.connected, true);
      assert.equal(early.socket.auth, undefined);
      assert.equal(late.socket.auth, false);
    }),
  );

  it(
    'the timeout closes the whole connection unless the application has set socket.auth',
    TIMEOUT,
    only(async (world) => {
      const instance = loopbackSocket(60);
      instance.start(world.io);
      world.io.of('/other');
      const { Manager } = require('socket.io-client');
      const manager = new Manager(world.url, { transports: ['websocket'], reconnection: false });
      const both = [once(world.io, 'connection'), once(world.io.of('/other'), 'connection')];
      const clients = [manager.socket('/'), manager.socket('/other')];
      const told = clients.map((client) => happens(client, 'disconnect'));
      const [[here], [there]] = await Promise.all(both);
      const vouched = await world.raw();
      vouched.socket.auth = true;
      const ends = [ending(here), ending(there)];
      for (const [reason] of await Promise.all(ends))
        assert.equal(reason, 'server namespace disconnect');
      for (const [reason] of await Promise.all(told)) assert.equal(reason, 'io server disconnect');
      const later = await world.raw();
      await later.closed;
      assert.equal(vouched.socket.connected, true);
      world.io.emit('news', 1);
      assert.deepEqual(await heard(vouched), ['42["news",1]']);
    }),
  );
});

describe('socket middleware', () => {
  it(
    'socket middleware runs before every call and every authentication of each LoopbackSocket',
    TIMEOUT,
    served({}, async (world) => {
      const ran = [];
      for (const name of ['first', 'second']) {
        const instance = loopbackSocket();
        instance.auth((socket, credentials) => {
          ran.push(`${name} auth`);
          return credentials.token === 'valid';
        });
        instance.defineMethod('both', () => {
          ran.push(`${name} both`);
          return name;
        });
        instance.start(world.io);
      }
      let isOpen = true;
      world.io.on('connection', (socket) => {
        socket.use((event, next) => setImmediate(() => next(isOpen ? undefined : new Error('no'))));
      });
      const raw = await world.raw();
      await authenticate(raw);
      await raw.packet('2["authenticated",true]');
      await raw.call('both');
      assert.deepEqual(ran.splice(0), ['first auth', 'second auth', 'first both', 'second both']);
      isOpen = false;
      const refused = new Promise((resolve) => {
        let errors = 0;
        raw.socket.on('error', () => (errors += 1) === 2 && resolve());
      });
      await raw.send('42["both"]');
      await raw.send('42["authentication",{"token":"valid"}]');
      await refused;
      assert.deepEqual(ran, []);
    }),
  );
});

describe('broadcasts and authentication', () => {
  it(
    'a pending socket receives no broadcast of any kind, only what is emitted to it alone',
    TIMEOUT,
    only(async (world) => {
      loopbackSocket().start(world.io);
      const pending = await world.raw();
      const other = await world.raw();
      await authenticate(other);
      pending.socket.join('room');
      const broadcast = (n) => {
        world.io.emit('n', n);
        world.io.to('room').emit('n', n);
        world.io.to(pending.socket.id).emit('n', n);
        world.io.of('/').emit('n', n, Buffer.from('x'));
        other.socket.broadcast.emit('n', n);
        other.socket.to('room').emit('n', n);
        pending.socket.emit('alone', n);
      };
      broadcast(1);
      assert.deepEqual(await heard(pending), ['42["alone",1]']);
      assert.deepEqual(await heard(other), [
        '42["n",1]',
        '451-["n",1,{"_placeholder":true,"num":0}]',
      ]);
      await authenticate(pending);
      broadcast(2);
      const after = await heard(pending);
      assert.equal(after.filter((item) => item === '42["n",2]').length, 5);
    }),
  );

  it(
    'a refused socket receives no broadcast until it is accepted',
    TIMEOUT,
    only(async (world) => {
      loopbackSocket().start(world.io);
      const raw = await world.raw();
      await authenticate(raw, 'wrong');
      world.io.emit('n', 1);
      assert.deepEqual(await heard(raw), []);
      await authenticate(raw);
      world.io.emit('n', 2);
      assert.deepEqual(await heard(raw), ['42["n",2]']);
    }),
  );

  it(
    'a pending socket receives no broadcast in namespaces that existed before start(io)',
    TIMEOUT,
    only(async (world) => {
      const before = world.io.of('/before');
      loopbackSocket().start(world.io);
      const after = world.io.of('/after');
      const { Manager } = require('socket.io-client');
      const manager = new Manager(world.url, { transports: ['websocket'], reconnection: false });
      const [here, there, new_] = ['/', '/before', '/after'].map((nsp) => manager.socket(nsp));
      const sockets = await Promise.all(
        [world.io.of('/'), before, after].map(async (nsp) => (await once(nsp, 'connection'))[0]),
      );
      await Promise.all(
        [here, there, new_].map((client) => client.connected || happens(client, 'connect')),
      );
      const got = [];
      there.on('n', (n) => got.push(['/before', n]));
      new_.on('n', (n) => got.push(['/after', n]));
      const round = async (n) => {
        before.emit('n', n);
        after.emit('n', n);
        const ends = [there, new_].map((client) => happens(client, 'end'));
        sockets[1].emit('end');
        sockets[2].emit('end');
        await Promise.all(ends);
      };
      await round(1);
      assert.deepEqual(got.splice(0), [['/after', 1]]);
      here.emit('authentication', { token: 'valid' });
      await happens(here, 'authenticated');
      await round(2);
      assert.deepEqual(got.splice(0).sort(), [
        ['/after', 2],
        ['/before', 2],
      ]);
      manager.engine.close();
    }),
  );

  it(
    'a socket receives a broadcast that is emitted right after its authentication succeeds',
    TIMEOUT,
    only(async (world) => {
      const instance = loopbackSocket();
      instance.onConnected(() => {
        world.io.emit('n', 'during');
      });
      instance.start(world.io);
      const raw = await world.raw();
      Object.defineProperty(raw.socket, 'emit', {
        value(event, ...args) {
          const result = Object.getPrototypeOf(this).emit.call(this, event, ...args);
          if (event === 'authenticated') world.io.emit('n', 'right after');
          return result;
        },
      });
      await raw.send('42["authentication",{"token":"valid"}]');
      assert.equal(await raw.packet('2'), '42["authenticated",true]');
      assert.equal(await raw.packet('2'), '42["n","right after"]');
    }),
  );
});
