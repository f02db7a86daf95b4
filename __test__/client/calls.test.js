'use strict';

// Calls through the helper: results, errors, and what is sent when a connection is lost.

const assert = require('node:assert/strict');
const { before, describe, it } = require('node:test');
const { FakeSocket, PAIRS, TIMEOUT, cut, next, open, reachState } = require('../support/clients');

let client;
let errors;

before(async () => {
  ({ client, ...errors } = await import('../../client.mjs'));
});

const VALID = { credentials: { token: 'valid' } };

/** @returns {{socket: FakeSocket, app: object}} a client that is authenticated, and its socket */
function authenticated() {
  const socket = new FakeSocket();
  const app = client(socket, VALID);
  socket.receive('authenticated', true);
  socket.sent = [];
  return { app, socket };
}

for (const [host, version] of PAIRS) {
  describe(`calls by the helper, server ${host}, client ${version}`, TIMEOUT, () => {
    it('a call gives the result of the method', async (t) => {
      const { connect } = await open(t, host, version, (sockets) => {
        sockets.defineMethod('add', async (socket, credentials, { a, b }) => a + b);
        sockets.defineMethod('nothing', () => {});
        sockets.defineMethod('bytes', () => Buffer.from('abc'));
        sockets.defineMethod('isMissing', (socket, credentials, args) => args === undefined);
      });
      const app = client(connect(), VALID);
      assert.equal(await app.call('add', { a: 1, b: 2 }), 3);
      assert.equal(await app.call('nothing', {}), undefined);
      assert.equal(Buffer.from(await app.call('bytes', {})).toString(), 'abc');
      assert.equal(await app.call('isMissing'), true);
      const { signal } = new AbortController();
      assert.equal(await app.call('add', { a: 2, b: 2 }, { signal }), 4);
    });

    it('a call rejects with what the method failed with', async (t) => {
      const { connect } = await open(t, host, version, (sockets) => {
        sockets.defineMethod('text', () => Promise.reject('no such book'));
        sockets.defineMethod('fields', () => {
          throw Object.assign(new Error('hidden'), { code: 'GONE', statusCode: 410 });
        });
        sockets.defineMethod('plain', (socket, credentials, args, cb) => {
          cb({ message: 'not valid', issues: [{ message: 'too long', path: ['title'] }] });
        });
        sockets.defineMethod('nothing', (socket, credentials, args, cb) => cb(new Error('hidden')));
      });
      const app = client(connect(), VALID);
      const failure = (name) =>
        app.call(name, {}).then(
          () => assert.fail('the call has succeeded'),
          (error) => {
            assert.ok(error instanceof errors.RemoteError);
            return { ...error, message: error.message };
          },
        );
      assert.deepEqual(await failure('text'), {
        name: 'RemoteError',
        code: undefined,
        error: 'no such book',
        issues: undefined,
        message: 'no such book',
        method: 'text',
      });
      const fields = await failure('fields');
      assert.equal(fields.code, 'GONE');
      assert.equal(fields.error.statusCode, 410);
      const plain = await failure('plain');
      assert.equal(plain.message, 'not valid');
      assert.deepEqual(plain.issues, [{ message: 'too long', path: ['title'] }]);
      assert.deepEqual((await failure('nothing')).error, {});
    });

    it('a call that is under way when the connection is lost rejects, and is not sent again', async (t) => {
      let runs = 0;
      let started;
      const running = new Promise((resolve) => (started = resolve));
      const { connect } = await open(t, host, version, (sockets) => {
        sockets.defineMethod('order', () => {
          runs += 1;
          started();
          return new Promise(() => {});
        });
        sockets.defineMethod('runs', () => runs);
      });
      const socket = connect();
      const app = client(socket, VALID);
      const call = app.call('order');
      await running;
      cut(socket);
      await assert.rejects(call, errors.DisconnectedError);
      assert.equal(app.state, 'disconnected');
      assert.equal(await app.call('runs'), 1);
    });

    it('a call or a subscription that cannot be sent rejects', async (t) => {
      const { connect } = await open(t, host, version, (sockets) => {
        sockets.defineMethod('echo', (socket, credentials, args) => args);
        sockets.defineSubscription('echoes', (socket, credentials, args) => [args]);
      });
      const app = client(connect(), VALID);
      const cause = new Error('locked');
      const circular = { bytes: Buffer.from('bytes') };
      circular.itself = [circular];
      const transferred = Buffer.from(new ArrayBuffer(8));
      structuredClone(transferred.buffer, { transfer: [transferred.buffer] });
      let deep = [];
      for (let depth = 0; depth < 100_000; depth++) deep = [deep];
      const unsendable = [
        { amount: 1n },
        { amount: 1n, bytes: Buffer.from('bytes') },
        circular,
        deep,
        { list: [{ transferred }] },
        { given: { toJSON: () => transferred.buffer } },
        ...(version < 3 ? [{ big: new BigInt64Array(2) }, [new BigUint64Array(2)]] : []),
        {
          get amount() {
            throw cause;
          },
        },
        {
          toJSON() {
            throw cause;
          },
        },
      ];
      for (const args of unsendable) {
        const isExpected = (error) => {
          assert.equal(error.name, 'TypeError');
          assert.match(error.message, /^echo(es)? cannot be sent: /);
          assert.ok(error.cause instanceof Error);
          return true;
        };
        await assert.rejects(app.call('echo', args), isExpected);
        await assert.rejects(app.call('echo', args, { signal: new AbortController().signal }), {
          name: 'TypeError',
        });
        await assert.rejects(app.subscribe('echoes', args).next(), isExpected);
      }
      await assert.rejects(app.call('echo', unsendable.at(-1)), { cause });
      await assert.rejects(app.call('connect'), { name: 'TypeError', message: /reserved/ });
      await assert.rejects(app.subscribe('disconnect').next(), { message: /reserved/ });
      // What JSON leaves out, and what it escapes, is no error.
      assert.deepEqual(await app.call('echo', { symbol: Symbol('a'), run() {} }), {});
      assert.equal(await app.call('echo', Symbol('a')), null);
      assert.equal(await app.call('echo', '\ud800'), '\ud800');
      assert.deepEqual(await app.call('echo', { bytes: Buffer.from('bytes') }), {
        bytes: Buffer.from('bytes'),
      });
      assert.deepEqual(await app.call('echo', [Buffer.from('bytes'), new Date(0)]), [
        Buffer.from('bytes'),
        '1970-01-01T00:00:00.000Z',
      ]);
      // What is never answered leaves nothing behind.
      assert.deepEqual(Object.keys(app.socket.acks), []);
    });

    it('a call does not make numbers of its bytes', async (t) => {
      const { connect } = await open(t, host, version, (sockets) => {
        sockets.defineMethod('echo', (socket, credentials, args) => args);
      });
      const app = client(connect(), VALID);
      await app.ready;
      const { toJSON } = Buffer.prototype;
      let count = 0;
      Buffer.prototype.toJSON = function () {
        count += 1;
        return toJSON.call(this);
      };
      t.after(() => (Buffer.prototype.toJSON = toJSON));
      const bytes = Buffer.from('bytes');
      assert.deepEqual(await app.call('echo', { bytes, list: [bytes] }), { bytes, list: [bytes] });
      assert.equal(count, 0);
    });
  });
}

describe('calls by the helper', TIMEOUT, () => {
  it('calls wait for authentication and are sent in their order', async () => {
    const socket = new FakeSocket();
    const app = client(socket, VALID);
    const first = app.call('first', { n: 1 });
    const second = app.call('second');
    assert.equal(socket.sent.length, 1);
    app.addEventListener('statechange', () => app.call('third'));
    socket.receive('authenticated', true);
    assert.deepEqual(
      socket.sent.map(([name]) => name),
      ['authentication', 'first', 'second', 'third'],
    );
    assert.deepEqual(socket.sent[1].slice(0, -1), ['first', { n: 1 }]);
    socket.sent[1].at(-1)({ result: 1 });
    socket.sent[2].at(-1)({});
    assert.equal(await first, 1);
    assert.equal(await second, undefined);
  });

  it('a call that waits when the connection is lost is sent when it is back', async () => {
    const socket = new FakeSocket();
    const app = client(socket, VALID);
    const call = app.call('one');
    socket.disconnect();
    socket.connect();
    assert.equal(socket.sent.filter(([name]) => name === 'one').length, 1);
    socket.answer({ result: 1 });
    assert.equal(await call, 1);
  });

  it('a call without a signal is an event as any client of 0.4 sends it', () => {
    const { app, socket } = authenticated();
    app.call('one', { n: 1 }, { timeout: 60_000 }).catch(() => {});
    assert.equal(socket.sent[0].length, 3);
    app.close();
  });

  it('a method may have the name of an event that sockets before version 3 reserve', async () => {
    const { app: old, socket: ofVersion2 } = authenticated();
    ofVersion2.onAny = undefined;
    await assert.rejects(old.call('ping'), { message: /reserved/ });
    assert.deepEqual(ofVersion2.sent, []);
    const { app, socket } = authenticated();
    delete socket.active; // which the first releases of version 3 do not have
    const call = app.call('ping');
    assert.equal(socket.sent[0][0], 'ping');
    for (const each of [app, old]) each.close();
    await assert.rejects(call, errors.DisconnectedError);
  });

  it('a signal ends a call with its reason and cancels the method', async () => {
    const { app, socket } = authenticated();
    const controller = new AbortController();
    const call = app.call('report', { year: 2026 }, { signal: controller.signal });
    const [name, args, options] = socket.sent[0];
    assert.deepEqual([name, args], ['report', { year: 2026 }]);
    assert.equal(typeof options.call, 'string');
    const reason = new Error('not needed any more');
    controller.abort(reason);
    await assert.rejects(call, reason);
    assert.deepEqual(socket.sent[1], ['loopback:cancel', options.call]);
    socket.sent[0].at(-1)({ result: 1 });
    controller.abort();
    assert.equal(socket.sent.length, 2);
  });

  it('a signal ends a call before it is sent', async () => {
    const socket = new FakeSocket();
    const app = client(socket, VALID);
    await assert.rejects(app.call('one', {}, { signal: AbortSignal.abort() }), {
      name: 'AbortError',
    });
    const controller = new AbortController();
    const call = app.call('one', {}, { signal: controller.signal });
    controller.abort();
    await assert.rejects(call, { name: 'AbortError' });
    socket.receive('authenticated', true);
    assert.deepEqual(
      socket.sent.map(([name]) => name),
      ['authentication'],
    );
  });

  it('calls with a signal have names of their own', () => {
    const { app, socket } = authenticated();
    const { signal } = new AbortController();
    app.call('one', {}, { signal });
    app.call('one', {}, { signal });
    assert.notEqual(socket.sent[0][2].call, socket.sent[1][2].call);
  });

  it('a call that is not answered in time rejects, and is cancelled if it can be', async () => {
    const { app, socket } = authenticated();
    const { signal } = new AbortController();
    const call = app.call('one', {}, { timeout: 1, signal });
    await assert.rejects(call, {
      name: 'TimeoutError',
      code: 'ERR_LOOPBACK_SOCKET_TIMEOUT',
      method: 'one',
      message: 'one was not answered within 1 ms. Does the server define it?',
    });
    assert.equal(socket.sent[1][0], 'loopback:cancel');
    const waiting = client(new FakeSocket(), { timeout: 1 });
    await assert.rejects(waiting.call('one'), errors.TimeoutError);
    await assert.rejects(app.call('one', {}, { timeout: '1' }), TypeError);
  });

  it('a call is sent once by a client that would send events again', async (t) => {
    let runs = 0;
    const { connect } = await open(t, 4, '4.8', (sockets) => {
      sockets.defineMethod('slow', (socket, credentials, args, cb) => {
        runs += 1;
        setTimeout(cb, 100, null, runs);
      });
      sockets.defineMethod('runs', () => runs);
    });
    const app = client(connect({ retries: 3, ackTimeout: 50 }), VALID);
    await assert.rejects(app.call('slow'), errors.TimeoutError);
    assert.equal(await app.call('runs'), 1);
  });

  it('a call works beside an acknowledgement timeout of the socket', async (t) => {
    const { connect } = await open(t, 4, '4.8', (sockets) => {
      sockets.defineMethod('one', () => 1);
      sockets.defineMethod('fails', () => Promise.reject({ code: 'NO' }));
    });
    const app = client(connect({ ackTimeout: 10_000 }), VALID);
    assert.equal(await app.call('one'), 1);
    await assert.rejects(app.call('fails'), { name: 'RemoteError', code: 'NO' });
  });

  it('a call that cannot be sent does not change how the application sends', async (t) => {
    const { connect } = await open(t, 4, '4.8');
    const socket = connect({ retries: 3, ackTimeout: 10_000 });
    const app = client(socket, VALID);
    await app.ready;
    await assert.rejects(app.call('one', 1n), TypeError);
    assert.ok(!socket.flags.fromQueue);
  });

  it('a call that fails while it is encoded does not keep version 1.7 from sending others', async (t) => {
    const { connect } = await open(t, 'native', '1.7', (sockets) => {
      sockets.defineMethod('one', () => 1);
    });
    const app = client(connect(), { ...VALID, timeout: 5000 });
    await app.ready;
    let isDone = false;
    for (let reads = 1; !isDone; reads++) {
      // It can be read a number of times, so that each of those who read it gets to fail.
      let left = reads;
      const args = {
        get amount() {
          left -= 1;
          if (left === 0) throw new Error('locked');
          return 1;
        },
      };
      isDone = (await app.call('one', args).catch(() => 2)) === 1;
      assert.equal(await app.call('one'), 1);
      assert.deepEqual(Object.keys(app.socket.acks), []);
    }
  });

  it('two clients of one socket do not disturb each other', async (t) => {
    const { connect } = await open(t, 'native', '4.8', (sockets) => {
      sockets.defineMethod('echo', (socket, credentials, args) => args);
    });
    const socket = connect();
    const apps = [client(socket, VALID), client(socket, VALID)];
    const answers = await Promise.all(apps.map((app, index) => app.call('echo', index)));
    assert.deepEqual(answers, [0, 1]);
    apps[0].close();
    const disconnected = next(socket, 'disconnect');
    cut(socket);
    await disconnected;
    await reachState(apps[1], 'ready');
    assert.equal(await apps[1].call('echo', 2), 2);
  });
});
