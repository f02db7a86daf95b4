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
