'use strict';

// What `defineMethod()` takes as options, on every kind of server.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, it } = require('node:test');
const { type } = require('arktype');
const v = require('valibot');
const { z } = require('zod');
const { LoopbackSocketError } = require('../..');
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
const { reach } = require('../support/waiting');

const CODE = (name) => `ERR_LOOPBACK_SOCKET_${name}`;

/**
 * A server with one authenticated client.
 *
 * @param {import('node:test').TestContext} t the test
 * @param {number | 'native'} host which kind of server
 * @param {(sockets: import('../..')) => void} define defines methods
 * @param {unknown} [options] of the instance
 * @returns {Promise<{client: object, socket: object, sockets: object, io: object}>} both sides
 */
async function served(t, host, define, options = 'none') {
  const { io, connect } = await openServer(t, host);
  const sockets = newInstance(options);
  define(sockets);
  sockets.start(io);
  const client = connect();
  const socket = await socketOf(io, client);
  await authenticate(client, { user: 'ada' });
  return { client, socket, sockets, io };
}

for (const host of HOSTS) {
  describe(`a method with options on ${host}`, () => {
    it(`a call that authorize allows runs the method, on ${host}`, async (t) => {
      const seen = [];
      const { client, socket } = await served(t, host, (sockets) => {
        sockets.defineMethod('m', (s, credentials, args) => args.n + 1, {
          authorize: async (...given) => seen.push(given) > 0,
        });
      });
      assert.deepEqual(await call(client, 'm', { n: 1 }), { result: 2 });
      assert.deepEqual(seen, [[socket, { user: 'ada' }, { n: 1 }]]);
    });

    const refusals = [
      ['gives false', () => false, 'Forbidden'],
      ['gives nothing', () => undefined, 'Forbidden'],
      ['resolves with null', async () => null, 'Forbidden'],
      [
        'throws',
        () => {
          throw new Error('not yours');
        },
        'not yours',
      ],
      ['rejects', () => Promise.reject(new Error('not yours')), 'not yours'],
      ['rejects with what is no Error', () => Promise.reject(7), 'Forbidden'],
    ];
    for (const [what, authorize, message] of refusals) {
      it(`a call is refused if authorize ${what}, on ${host}`, async (t) => {
        const runs = [];
        const { client } = await served(t, host, (sockets) => {
          sockets.defineMethod('m', () => runs.push(1), { authorize });
        });
        assert.deepEqual(await call(client, 'm', {}), {
          error: { code: CODE('FORBIDDEN'), message },
        });
        assert.deepEqual(runs, []);
      });
    }

    const schemas = [
      ['zod', z.object({ n: z.coerce.number().max(9) })],
      ['zod, asynchronously', z.object({ n: z.coerce.number().refine(async (n) => n < 10) })],
      ['valibot', v.object({ n: v.pipe(v.unknown(), v.transform(Number), v.maxValue(9)) })],
      [
        'arktype',
        type({ n: 'string.integer.parse' }).pipe(({ n }) => ({ n }), type({ n: 'number<10' })),
      ],
    ];
    for (const [library, validate] of schemas) {
      it(`arguments are validated and replaced by a schema of ${library}, on ${host}`, async (t) => {
        const seen = [];
        const { client } = await served(t, host, (sockets) => {
          sockets.defineMethod('m', (socket, credentials, args) => seen.push(args), { validate });
        });
        assert.deepEqual(await call(client, 'm', { n: '7' }), { result: 1 });
        assert.deepEqual(seen, [{ n: 7 }]);
        const { error } = await call(client, 'm', { n: '12' });
        assert.equal(error.code, CODE('INVALID_ARGUMENTS'));
        assert.match(error.message, /^The arguments are invalid: n: ./);
        assert.equal(error.issues.length, 1);
        assert.deepEqual(error.issues[0].path, ['n']);
        assert.equal(typeof error.issues[0].message, 'string');
        assert.equal(seen.length, 1);
      });
    }

    it(`an error of authorize that derives from LoopbackSocketError is sent as it is, on ${host}`, async (t) => {
      class AclError extends LoopbackSocketError {
        toJSON() {
          return { statusCode: 403, message: this.message };
        }
      }
      const { client } = await served(t, host, (sockets) => {
        sockets.defineMethod('m', () => 1, {
          authorize: () => {
            throw new AclError('ACL', 'not yours');
          },
        });
      });
      assert.deepEqual(await call(client, 'm', {}), {
        error: { statusCode: 403, message: 'not yours' },
      });
    });

    it(`authorize and handler get validated arguments, on ${host}`, async (t) => {
      const seen = [];
      const { client } = await served(t, host, (sockets) => {
        sockets.defineMethod('m', (socket, credentials, args) => seen.push(args), {
          validate: z.object({ n: z.number() }),
          authorize: (socket, credentials, args) => seen.push(args),
        });
      });
      await call(client, 'm', { n: 1, more: 2 });
      assert.deepEqual(seen, [{ n: 1 }, { n: 1 }]);
    });

    it(`a call that takes longer than its timeout is answered and its signal aborted, on ${host}`, async (t) => {
      const aborted = [];
      const { client } = await served(t, host, (sockets) => {
        sockets.defineMethod(
          'm',
          async (socket, credentials, args, { signal, deadline }) => {
            assert.ok(Math.abs(deadline - Date.now() - 30) <= 5, `${deadline - Date.now()}`);
            await once(signal, 'abort');
            aborted.push(signal.reason.code);
            return 'late';
          },
          { timeout: 30, context: true },
        );
      });
      assert.deepEqual(await call(client, 'm', {}), {
        error: { code: CODE('CALL_TIMEOUT'), message: 'The call was given up after 30 ms.' },
      });
      assert.deepEqual(aborted, [CODE('CALL_TIMEOUT')]);
    });

    it(`no more calls of a socket run than concurrency allows, on ${host}`, async (t) => {
      const done = [];
      const { client } = await served(t, host, (sockets) => {
        sockets.defineMethod('m', (socket, credentials, args, cb) => done.push(cb), {
          concurrency: 2,
        });
        sockets.defineMethod('finish', () => done.shift()(null, 'finished'));
      });
      const first = call(client, 'm', {});
      const second = call(client, 'm', {});
      const { error } = await call(client, 'm', {});
      assert.equal(error.code, CODE('TOO_MANY_CALLS'));
      await call(client, 'finish');
      assert.deepEqual(await first, { result: 'finished' });
      const third = call(client, 'm', {});
      await call(client, 'finish');
      await call(client, 'finish');
      assert.deepEqual(await second, { result: 'finished' });
      assert.deepEqual(await third, { result: 'finished' });
    });

    it(`a socket calls a method as often as rate allows, on ${host}`, async (t) => {
      const { client } = await served(t, host, (sockets) => {
        sockets.defineMethod('m', () => 'ok', { rate: { limit: 2, per: 3_600_000 } });
      });
      assert.deepEqual(await call(client, 'm', {}), { result: 'ok' });
      assert.deepEqual(await call(client, 'm', {}), { result: 'ok' });
      const { error } = await call(client, 'm', {});
      assert.equal(error.code, CODE('RATE_LIMITED'));
      assert.ok(error.retryAfter > 1_700_000 && error.retryAfter <= 1_800_000, error.retryAfter);
    });

    it(`a rate is one of a socket, also when it authenticates again, on ${host}`, async (t) => {
      const { io, connect } = await openServer(t, host);
      const sockets = newInstance();
      sockets.defineMethod('m', () => 'ok', { rate: { limit: 1, per: 3_600_000 } });
      sockets.start(io);
      const [one, two] = [connect(), connect()];
      await Promise.all([next(one, 'connect'), next(two, 'connect')]);
      await Promise.all([authenticate(one), authenticate(two)]);
      assert.deepEqual(await call(one, 'm', {}), { result: 'ok' });
      assert.deepEqual(await call(two, 'm', {}), { result: 'ok' });
      await authenticate(one);
      assert.equal((await call(one, 'm', {})).error.code, CODE('RATE_LIMITED'));
    });

    it(`a client cancels a call by the id that it gave it, on ${host}`, async (t) => {
      const aborted = [];
      const { client } = await served(t, host, (sockets) => {
        sockets.defineMethod(
          'm',
          async (socket, credentials, args, { signal }) => {
            await once(signal, 'abort');
            aborted.push(signal.reason.code);
            throw new Error('late');
          },
          { context: true },
        );
      });
      const answer = call(client, 'm', {}, { call: 'one' });
      assert.deepEqual(await call(client, 'loopback:cancel', 'two'), { result: false });
      assert.deepEqual(await call(client, 'loopback:cancel', 'one'), { result: true });
      assert.deepEqual(await answer, {
        error: { code: CODE('CANCELLED'), message: 'The call was cancelled by the client.' },
      });
      assert.deepEqual(aborted, [CODE('CANCELLED')]);
      assert.deepEqual(await call(client, 'loopback:cancel', 'one'), { result: false });
    });

    it(`the signal of a call is aborted when its socket ends, on ${host}`, async (t) => {
      let signal;
      const { client, socket } = await served(t, host, (sockets) => {
        sockets.defineMethod(
          'm',
          (s, credentials, args, context, cb) => {
            ({ signal } = context);
            s.emit('begun');
            signal.addEventListener('abort', () => cb(new Error('late')));
          },
          { context: true },
        );
      });
      const begun = next(client, 'begun');
      client.emit('m', {});
      await begun;
      assert.equal(signal.aborted, false);
      const ended = next(socket, 'disconnect');
      client.disconnect();
      await ended;
      assert.equal(signal.reason.code, CODE('DISCONNECTED'));
    });

    it(`the application's listener for loopback:cancel wins, on ${host}`, async (t) => {
      const { client, socket } = await served(t, host, (sockets) => {
        sockets.defineMethod('m', () => new Promise(() => {}), {});
      });
      socket.on('loopback:cancel', (id, ack) => ack(`mine ${id}`));
      assert.equal(await call(client, 'loopback:cancel', 1), 'mine 1');
    });

    it(`the application's method named loopback:cancel wins, on ${host}`, async (t) => {
      const { client } = await served(t, host, (sockets) => {
        sockets.defineMethod('m', () => 1, {});
        sockets.defineMethod('loopback:cancel', () => 'mine');
      });
      assert.deepEqual(await call(client, 'loopback:cancel', 1), { result: 'mine' });
    });

    it(`loopback:cancel does not exist without a method with options, on ${host}`, async (t) => {
      const { socket } = await served(t, host, (sockets) => sockets.defineMethod('m', () => 1));
      assert.equal(socket.listenerCount('loopback:cancel'), 0);
    });

    it(`a method named error can be called, on ${host}`, async (t) => {
      const { client } = await served(t, host, (sockets) => {
        sockets.defineMethod('error', (socket, credentials, args) => `of ${args}`);
      });
      // A client of Socket.IO 2 emits such an event to itself.
      const answer = new Promise((resolve) => {
        if (host === 2) {
          client.acks[999] = resolve;
          client.packet({ type: 2, data: ['error', 'mine'], id: 999 });
        } else {
          client.emit('error', 'mine', resolve);
        }
      });
      assert.deepEqual(await answer, { result: 'of mine' });
    });

    it(`a method that is defined again without options has none, on ${host}`, async (t) => {
      const { client } = await served(t, host, (sockets) => {
        sockets.defineMethod('m', () => 1, { authorize: () => false });
        sockets.defineMethod('m', () => 2);
        sockets.defineMethod('n', () => 1, { authorize: () => false });
        sockets.removeMethod('n');
        sockets.defineMethod('n', () => 3);
      });
      assert.deepEqual(await call(client, 'm', {}), { result: 2 });
      assert.deepEqual(await call(client, 'n', {}), { result: 3 });
    });
  });
}

/**
 * A socket of a server that is nothing but an emitter, authenticated.
 *
 * @param {(sockets: import('../..')) => void} define defines methods
 * @returns {Promise<{socket: object, request: (name: string, ...args: unknown[]) => Promise<object>, sockets: object}>}
 *   the socket, and what calls
 */
async function faked(define) {
  const sockets = newInstance();
  define(sockets);
  const io = new FakeServer();
  sockets.start(io);
  const socket = io.connect();
  await socket.authenticate({});
  const request = (...args) => new Promise((resolve) => socket.receive(...args, resolve));
  return { socket, request, sockets };
}

describe('limits of calls', () => {
  it('a call counts for concurrency until its handler is done, although it was answered', async (t) => {
    // The timer of a call does not keep the process alive; here is no connection that does.
    const alive = setInterval(() => {}, 1000);
    t.after(() => clearInterval(alive));
    let finish;
    const { request } = await faked((sockets) => {
      sockets.defineMethod('m', () => new Promise((resolve) => (finish = resolve)), {
        concurrency: 1,
        timeout: 5,
      });
    });
    assert.equal((await request('m', 1)).error.code, CODE('CALL_TIMEOUT'));
    assert.equal((await request('m', 1)).error.code, CODE('TOO_MANY_CALLS'));
    finish();
    await null;
    const last = request('m', 1, { call: 1 });
    await request('loopback:cancel', 1);
    assert.equal((await last).error.code, CODE('CANCELLED'));
  });

  it('a call that is refused by a later step does not count for concurrency any more', async () => {
    let isAllowed = false;
    const { request } = await faked((sockets) => {
      sockets.defineMethod('m', () => 'ok', {
        concurrency: 1,
        validate: z.number(),
        authorize: () => isAllowed,
      });
    });
    assert.equal((await request('m', 'x')).error.code, CODE('INVALID_ARGUMENTS'));
    assert.equal((await request('m', 1)).error.code, CODE('FORBIDDEN'));
    isAllowed = true;
    assert.deepEqual(await request('m', 1), { result: 'ok' });
  });

  it('a bucket of calls is filled again with time, up to its limit', async (t) => {
    let now = 0;
    t.mock.method(performance, 'now', () => now);
    const { request } = await faked((sockets) => {
      sockets.defineMethod('m', () => 'ok', { rate: { limit: 2, per: 1000 } });
    });
    const outcomes = async (count) => {
      const answers = [];
      for (let i = 0; i < count; i += 1) answers.push(await request('m', 1));
      return answers.map(({ result, error }) => result ?? error.retryAfter);
    };
    assert.deepEqual(await outcomes(3), ['ok', 'ok', 500]);
    now = 400;
    assert.deepEqual(await outcomes(1), [100]);
    now = 500;
    assert.deepEqual(await outcomes(2), ['ok', 500]);
    now = 100_000;
    assert.deepEqual(await outcomes(3), ['ok', 'ok', 500]);
  });

  it('other limits count anew when a method is defined with other options', async () => {
    const { request, sockets, socket } = await faked((it) => {
      it.defineMethod('m', () => 1, { rate: { limit: 1, per: 1e6 } });
    });
    assert.deepEqual(await request('m', 1), { result: 1 });
    sockets.defineMethod('m', () => 2, { rate: { limit: 2, per: 1e6 } });
    assert.equal((await request('m', 1)).error.code, CODE('RATE_LIMITED'));
    await socket.authenticate({});
    assert.deepEqual(await request('m', 1), { result: 2 });
    assert.deepEqual(await request('m', 1), { result: 2 });
    assert.equal((await request('m', 1)).error.code, CODE('RATE_LIMITED'));
  });

  it('a method that keeps its handler and gets other options has these', async () => {
    const handler = () => 1;
    const { request, sockets, socket } = await faked((it) => it.defineMethod('m', handler));
    assert.deepEqual(await request('m', 1), { result: 1 });
    for (const isAllowed of [false, true]) {
      sockets.defineMethod('m', handler, { authorize: () => isAllowed });
      await socket.authenticate({});
      assert.equal('result' in (await request('m', 1)), isAllowed);
    }
  });

  it('no more than 1,000 calls of a socket run of methods with options', async () => {
    const finish = [];
    const { request, socket } = await faked((sockets) => {
      sockets.defineMethod('m', () => new Promise((resolve) => finish.push(resolve)), {});
      sockets.defineMethod('plain', () => 'ok');
    });
    for (let i = 0; i < 1000; i += 1) {
      socket.receive('m', i, { call: i }, () => {});
    }
    assert.equal((await request('m', 1)).error.code, CODE('TOO_MANY_CALLS'));
    assert.deepEqual(await request('plain', 1), { result: 'ok' });
    assert.deepEqual(await request('loopback:cancel', 500), { result: true });
    const last = request('m', 1);
    await request('plain', 1);
    assert.equal(finish.length, 1001);
    finish[1000]('last');
    assert.deepEqual(await last, { result: 'last' });
  });
});

describe('the end of a call', () => {
  /**
   * @param {import('node:test').TestContext} t the test
   * @param {number} delay of the timers that count
   * @returns {object[]} grows with each timer that is made
   */
  function timersOf(t, delay) {
    const timers = [];
    const { setTimeout: original } = globalThis;
    t.mock.method(globalThis, 'setTimeout', (run, ms, ...args) => {
      const timer = original(run, ms, ...args);
      if (ms === delay) timers.push(timer);
      return timer;
    });
    return timers;
  }

  it('a call that is answered, cancelled or whose socket ends has no timer any more', async (t) => {
    const timers = timersOf(t, 76_543);
    const { request, socket } = await faked((sockets) => {
      const options = { timeout: 76_543 };
      sockets.defineMethod('m', () => 1, options);
      sockets.defineMethod('waiting', () => new Promise(() => {}), options);
    });
    await request('m', 1);
    request('waiting', 1, { call: 1 });
    request('waiting', 1);
    await request('loopback:cancel', 1);
    assert.deepEqual(
      timers.map((timer) => [timer._destroyed, timer.hasRef()]),
      [
        [true, false],
        [true, false],
        [false, false],
      ],
    );
    socket.disconnect();
    assert.equal(timers[2]._destroyed, true);
  });

  it('a handler counts for concurrency although an interceptor has answered before it is done', async () => {
    let fail;
    const errors = [];
    const { request } = await faked((sockets) => {
      sockets.defineMethod('m', () => new Promise((resolve, reject) => (fail = reject)), {
        concurrency: 1,
      });
      sockets.use((intercepted, proceed) => {
        proceed();
        return 'early';
      });
      sockets.onError((error) => errors.push(error));
    });
    assert.deepEqual(await request('m', 1), { result: 'early' });
    assert.equal((await request('m', 1)).error.code, CODE('TOO_MANY_CALLS'));
    // Nobody waits for it, which must not end the process.
    fail('late');
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(errors, ['late']);
    assert.deepEqual(await request('m', 1), { result: 'early' });
  });
});

describe('ids of calls', () => {
  const waiting = (sockets) => sockets.defineMethod('m', () => new Promise(() => {}), {});

  it('ids are strings and numbers that differ by their type; others name no call', async () => {
    const { request, socket } = await faked(waiting);
    const ids = [1, '', 'x'.repeat(128), -0.5];
    for (const id of [...ids, 'x'.repeat(129), null, {}, [1], true]) {
      socket.receive('m', 1, { call: id }, () => {});
    }
    for (const options of [null, undefined, 'call', 5, []]) {
      socket.receive('m', 1, options, () => {});
    }
    for (const id of ids) {
      assert.deepEqual(await request('loopback:cancel', id), { result: true }, String(id));
      assert.deepEqual(await request('loopback:cancel', id), { result: false }, String(id));
    }
    for (const id of ['1', 'x'.repeat(129), null, true, undefined, {}]) {
      assert.deepEqual(await request('loopback:cancel', id), { result: false }, String(id));
    }
  });

  it('the later of two calls with one id is cancelled', async () => {
    const { request } = await faked(waiting);
    const answers = [];
    const first = request('m', 1, { call: 'a' }).then(() => answers.push('first'));
    const second = request('m', 2, { call: 'a' }).then(() => answers.push('second'));
    assert.deepEqual(await request('loopback:cancel', 'a'), { result: true });
    await second;
    assert.deepEqual(await request('loopback:cancel', 'a'), { result: false });
    assert.deepEqual(answers, ['second']);
    assert.ok(first instanceof Promise);
  });

  it('a cancelled call is not begun if a step before its handler still runs', async () => {
    let allow;
    const runs = [];
    const { request } = await faked((sockets) => {
      sockets.defineMethod('m', () => runs.push(1), {
        authorize: () => new Promise((resolve) => (allow = resolve)),
        concurrency: 1,
      });
    });
    const answer = request('m', 1, { call: 1 });
    await request('loopback:cancel', 1);
    assert.equal((await answer).error.code, CODE('CANCELLED'));
    allow(true);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(runs, []);
    const next = request('m', 1);
    await null;
    allow(true);
    assert.deepEqual(await next, { result: 1 });
  });

  it('a cancelled call is not begun if an interceptor still waits before next()', async () => {
    let proceedNow;
    const [runs, rejections, errors] = [[], [], []];
    const { request } = await faked((sockets) => {
      sockets.defineMethod('m', () => runs.push(1), {});
      sockets.onError((error) => errors.push(error));
      sockets.use(async (intercepted, proceed) => {
        await new Promise((resolve) => (proceedNow = resolve));
        return proceed().catch((error) => {
          rejections.push(error === intercepted.signal.reason && error.code);
          throw error;
        });
      });
    });
    const answer = request('m', 1, { call: 1 });
    assert.deepEqual(await request('loopback:cancel', 1), { result: true });
    assert.equal((await answer).error.code, CODE('CANCELLED'));
    proceedNow();
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([runs, rejections, errors], [[], [CODE('CANCELLED')], []]);
  });

  it('a client without an acknowledgement cancels, too', async () => {
    const { request, socket } = await faked(waiting);
    const answer = request('m', 1, { call: 1 });
    socket.receive('loopback:cancel', 1);
    assert.equal((await answer).error.code, CODE('CANCELLED'));
  });

  it('two instances on one server share the ids of a socket', async () => {
    const io = new FakeServer();
    const instances = ['one', 'two'].map((name) => {
      const sockets = newInstance();
      sockets.defineMethod(name, () => new Promise(() => {}), {});
      sockets.start(io);
      return sockets;
    });
    assert.equal(instances.length, 2);
    const socket = io.connect();
    await socket.authenticate({});
    await reach(() => socket.listenerCount('one') + socket.listenerCount('two') === 2);
    const answer = new Promise((resolve) => socket.receive('two', 1, { call: 1 }, resolve));
    const first = await new Promise((resolve) => socket.receive('loopback:cancel', 1, resolve));
    assert.deepEqual(first, { result: true });
    assert.equal((await answer).error.code, CODE('CANCELLED'));
  });
});

describe('arguments that are invalid', () => {
  it('issues have paths of strings and numbers, and at most 100 are sent', async () => {
    const path = ['a', 0, Symbol('s'), { key: 'b' }, { key: 1 }];
    const validate = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: () => ({
          issues: Array.from({ length: 1000 }, (_, i) =>
            i === 0 ? { message: 'm', path } : { message: `${i}` },
          ),
        }),
      },
    };
    const { request } = await faked((sockets) => sockets.defineMethod('m', () => 1, { validate }));
    const { error } = await request('m', {});
    assert.equal(error.issues.length, 100);
    const { issues, message } = JSON.parse(JSON.stringify(error));
    assert.deepEqual(issues[0], { message: 'm', path: ['a', 0, 'Symbol(s)', 'b', 1] });
    assert.deepEqual(issues[1], { message: '1', path: [] });
    assert.equal(message, 'The arguments are invalid: a.0.Symbol(s).b.1: m');
  });
});

describe('options of defineMethod()', () => {
  const impossible = [
    [{ authorise: () => true }, 'UNKNOWN_OPTION', 'authorise'],
    [{ authorize: true }, 'INVALID_OPTION', 'authorize'],
    [{ validate: {} }, 'INVALID_OPTION', 'validate'],
    [{ timeout: 0 }, 'INVALID_OPTION', 'timeout'],
    [{ timeout: 2 ** 31 }, 'INVALID_OPTION', 'timeout'],
    [{ concurrency: 1.5 }, 'INVALID_OPTION', 'concurrency'],
    [{ rate: { limit: 1 } }, 'INVALID_OPTION', 'rate'],
    [{ rate: { limit: 1, per: 1, each: 1 } }, 'INVALID_OPTION', 'rate'],
    [{ context: 1 }, 'INVALID_OPTION', 'context'],
    [null, 'INVALID_OPTION', 'options'],
    [[], 'INVALID_OPTION', 'options'],
  ];
  for (const [options, code, option] of impossible) {
    it(`defineMethod() with ${JSON.stringify(options)} throws, and defines nothing`, () => {
      const sockets = newInstance();
      assert.throws(() => sockets.defineMethod('m', () => 1, options), {
        name: 'InvalidOptionError',
        code: CODE(code),
        option,
      });
      assert.deepEqual(Object.keys(sockets._methods), []);
    });
  }

  it('a handler with context gets a callback if it declares a fifth parameter', async () => {
    const sockets = newInstance();
    sockets.defineMethod('m', (socket, credentials, args, context, cb) => cb(null, args), {
      context: true,
    });
    const io = new FakeServer();
    sockets.start(io);
    const socket = io.connect();
    await socket.authenticate({});
    assert.deepEqual(await new Promise((resolve) => socket.receive('m', 7, resolve)), {
      result: 7,
    });
  });
});
