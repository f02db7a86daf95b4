'use strict';

// What runs around calls: interceptors, listeners of errors, and how errors are sent, on every kind of server.

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const LoopbackSocket = require('../..');
const { uncaught } = require('../support/native-server');
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

/**
 * A server with one authenticated client.
 *
 * @param {import('node:test').TestContext} t the test
 * @param {number | 'native'} host which kind of server
 * @param {(sockets: import('../..')) => void} define defines what the instance has
 * @param {unknown} [options] of the instance
 * @returns {Promise<{client: object, socket: object, sockets: object}>} both sides
 */
async function served(t, host, define, options = 'none') {
  const { io, connect } = await openServer(t, host);
  const sockets = newInstance(options);
  define(sockets);
  sockets.start(io);
  const client = connect();
  const socket = await socketOf(io, client);
  await authenticate(client, { user: 'ada' });
  return { client, socket, sockets };
}

/**
 * @param {object} sockets an instance
 * @returns {{errors: unknown[][], reported: () => Promise<unknown>}} what its listener is told of, and what waits
 *   for the next one
 */
function listening(sockets) {
  const errors = [];
  let wake = () => {};
  sockets.onError((error, details) => {
    errors.push([error, details]);
    wake(error);
  });
  return { errors, reported: () => new Promise((resolve) => (wake = resolve)) };
}

for (const host of HOSTS) {
  describe(`interceptors on ${host}`, () => {
    it(`interceptors run around a call, the first one outermost, on ${host}`, async (t) => {
      const steps = [];
      const { client, socket } = await served(t, host, (sockets) => {
        sockets.defineMethod('m', (s, credentials, args) => {
          steps.push(['method', args]);
          return args.n;
        });
        sockets.use(async (intercepted, proceed) => {
          steps.push(['one', intercepted.args]);
          assert.equal(intercepted.kind, 'method');
          assert.equal(intercepted.name, 'm');
          assert.deepEqual(intercepted.credentials, { user: 'ada' });
          assert.equal(intercepted.deadline, undefined);
          assert.equal(intercepted.signal.aborted, false);
          steps.push(intercepted.socket);
          return (await proceed()) + 1;
        });
        sockets.use(async (intercepted, proceed) => {
          intercepted.args = { n: intercepted.args.n * 10 };
          return (await proceed()) + 2;
        });
      });
      assert.deepEqual(await call(client, 'm', { n: 4 }), { result: 43 });
      assert.deepEqual(steps, [['one', { n: 4 }], socket, ['method', { n: 40 }]]);
    });

    it(`an interceptor that returns nothing leaves the result, on ${host}`, async (t) => {
      const { client } = await served(t, host, (sockets) => {
        sockets.defineMethod('m', async (socket, credentials, args) => args);
        sockets.use(async (intercepted, proceed) => {
          await proceed();
        });
        sockets.use((intercepted, proceed) => {
          proceed();
        });
      });
      assert.deepEqual(await call(client, 'm', 7), { result: 7 });
    });

    it(`an interceptor answers without the method, by a value or an error, on ${host}`, async (t) => {
      const runs = [];
      const { client } = await served(t, host, (sockets) => {
        sockets.defineMethod('m', () => runs.push(1));
        sockets.use((intercepted, proceed) => {
          if (intercepted.args === 'value') return 'cached';
          if (intercepted.args === 'error') throw { code: 'CLOSED' };
          return proceed();
        });
      });
      assert.deepEqual(await call(client, 'm', 'value'), { result: 'cached' });
      assert.deepEqual(await call(client, 'm', 'error'), { error: { code: 'CLOSED' } });
      assert.deepEqual(runs, []);
      assert.deepEqual(await call(client, 'm', 'neither'), { result: 1 });
    });

    it(`an interceptor gets what the method fails with, and may take it away, on ${host}`, async (t) => {
      const { client } = await served(t, host, (sockets) => {
        sockets.defineMethod('m', (socket, credentials, args, cb) => cb(args));
        sockets.use(async (intercepted, proceed) => {
          try {
            return await proceed();
          } catch (error) {
            if (error === 'expected') return 'saved';
            throw `${error}!`;
          }
        });
      });
      assert.deepEqual(await call(client, 'm', 'expected'), { result: 'saved' });
      assert.deepEqual(await call(client, 'm', 'other'), { error: 'other!' });
    });

    it(`next() runs the rest once only, on ${host}`, async (t) => {
      let runs = 0;
      const { client } = await served(t, host, (sockets) => {
        sockets.defineMethod('m', () => (runs += 1));
        sockets.use(async (intercepted, proceed) => {
          await proceed();
          return proceed().catch((error) => error.code);
        });
      });
      assert.deepEqual(await call(client, 'm', 1), { result: 'ERR_LOOPBACK_SOCKET_REPEATED_NEXT' });
      assert.equal(runs, 1);
    });

    it(`interceptors run after the options of the method, on ${host}`, async (t) => {
      const seen = [];
      const { client } = await served(t, host, (sockets) => {
        sockets.defineMethod('m', () => 1, { authorize: () => false, timeout: 10_000 });
        sockets.defineMethod('n', () => 1, { timeout: 10_000 });
        sockets.use((intercepted, proceed) => {
          seen.push([intercepted.name, intercepted.deadline > Date.now()]);
          return proceed();
        });
      });
      assert.equal((await call(client, 'm', 1)).error.code, 'ERR_LOOPBACK_SOCKET_FORBIDDEN');
      assert.deepEqual(await call(client, 'n', 1), { result: 1 });
      assert.deepEqual(seen, [['n', true]]);
    });

    it(`an interceptor that is added or removed later counts for the next call, on ${host}`, async (t) => {
      const { client, sockets } = await served(t, host, (it) => it.defineMethod('m', () => 1));
      assert.deepEqual(await call(client, 'm', 1), { result: 1 });
      const remove = sockets.use(async (intercepted, proceed) => (await proceed()) + 1);
      assert.deepEqual(await call(client, 'm', 1), { result: 2 });
      remove();
      remove();
      assert.deepEqual(await call(client, 'm', 1), { result: 1 });
    });

    it(`no more than 1,000 calls of a socket wait for interceptors, on ${host}`, async (t) => {
      const waiting = [];
      const { client, socket } = await served(t, host, (sockets) => {
        sockets.defineMethod('m', () => 'ok');
        sockets.use(async (intercepted, proceed) => {
          if (intercepted.args === 'wait') await new Promise((resolve) => waiting.push(resolve));
          return proceed();
        });
      });
      const answers = [];
      for (let i = 0; i < 1001; i += 1) {
        answers.push(call(client, 'm', 'wait'));
      }
      const { error } = await answers.pop();
      assert.equal(error.code, 'ERR_LOOPBACK_SOCKET_TOO_MANY_CALLS');
      assert.equal(socket.connected, true);
      waiting.forEach((resolve) => resolve());
      for (const answer of answers) {
        assert.deepEqual(await answer, { result: 'ok' });
      }
      assert.deepEqual(await call(client, 'm', 'now'), { result: 'ok' });
    });
  });

  describe(`onError() on ${host}`, () => {
    const failure = new Error('mine');
    const handlers = [
      [
        'throws',
        () => {
          throw failure;
        },
      ],
      [
        'rejects',
        async () => {
          throw failure;
        },
      ],
      ['calls back with an error', (socket, credentials, args, cb) => cb(failure)],
    ];
    for (const [what, handler] of handlers) {
      it(`onError() is told if a method ${what}, with and without an acknowledgement, on ${host}`, async (t) => {
        let listened;
        const { client, socket } = await served(t, host, (sockets) => {
          listened = listening(sockets);
          sockets.defineMethod('m', handler);
        });
        assert.deepEqual(await call(client, 'm', {}), { error: {} });
        const reported = listened.reported();
        client.emit('m', {});
        await reported;
        const details = { socket, name: 'm', kind: 'method' };
        assert.deepEqual(listened.errors, [
          [failure, details],
          [failure, details],
        ]);
        assert.equal(listened.errors[0][0], failure);
      });
    }

    it(`onError() is told of an error after the outcome or the end of the socket, on ${host}`, async (t) => {
      let listened;
      let fail;
      const { client, socket } = await served(t, host, (sockets) => {
        listened = listening(sockets);
        sockets.defineMethod('late', (s, credentials, args, cb) => {
          cb(null, 1);
          throw failure;
        });
        sockets.defineMethod('gone', (s) => {
          s.emit('begun');
          return new Promise((resolve, reject) => (fail = reject));
        });
      });
      assert.deepEqual(await call(client, 'late', {}), { result: 1 });
      assert.equal(listened.errors.length, 1);
      const begun = next(client, 'begun');
      client.emit('gone', {});
      await begun;
      const ended = next(socket, 'disconnect');
      client.disconnect();
      await ended;
      const reported = listened.reported();
      fail(failure);
      assert.equal(await reported, failure);
      assert.deepEqual(
        listened.errors.map(([, { name }]) => name),
        ['late', 'gone'],
      );
    });

    it(`onError() is told which handler failed, once for each error, on ${host}`, async (t) => {
      let listened;
      const { client } = await served(t, host, (sockets) => {
        listened = listening(sockets);
        const fail = (error) => {
          throw error;
        };
        const schema = (validate) => ({ '~standard': { version: 1, vendor: 'test', validate } });
        sockets.defineMethod('authorize', () => 1, { authorize: () => fail('authorize') });
        sockets.defineMethod('validate', () => 1, { validate: schema(() => fail('validate')) });
        sockets.defineMethod('broken schema', () => 1, { validate: schema(() => undefined) });
        sockets.defineMethod('method', () => fail('method'));
        sockets.defineMethod('interceptor', () => 1);
        sockets.use(async (intercepted, proceed) => {
          const result = await proceed();
          return intercepted.name === 'interceptor' ? fail('interceptor') : result;
        });
        sockets.use((intercepted, proceed) => proceed());
      });
      for (const name of ['authorize', 'validate', 'broken schema', 'method', 'interceptor']) {
        assert.ok('error' in (await call(client, name, {})), name);
      }
      assert.deepEqual(
        listened.errors.map(([error, { name, kind }]) => [error.name ?? error, name, kind]),
        [
          ['authorize', 'authorize', 'authorize'],
          ['validate', 'validate', 'validate'],
          ['TypeError', 'broken schema', 'validate'],
          ['method', 'method', 'method'],
          ['interceptor', 'interceptor', 'interceptor'],
        ],
      );
    });

    it(`onError() is not told of what the package refuses by itself, on ${host}`, async (t) => {
      let listened;
      const { client } = await served(t, host, (sockets) => {
        listened = listening(sockets);
        const options = { context: true, timeout: 20 };
        sockets.defineMethod('forbidden', () => 1, { authorize: () => false });
        sockets.defineMethod('rate', () => 1, { rate: { limit: 1, per: 1e6 } });
        sockets.defineMethod(
          'timeout',
          (socket, credentials, args, { signal }) =>
            new Promise((resolve, reject) => {
              signal.addEventListener('abort', () => reject(signal.reason));
            }),
          options,
        );
        sockets.defineMethod(
          'abort of Node.js',
          (socket, credentials, args, { signal }) =>
            require('node:timers/promises').setTimeout(60_000, null, { signal }),
          options,
        );
      });
      await call(client, 'rate', {});
      for (const name of ['forbidden', 'rate', 'timeout', 'abort of Node.js']) {
        assert.match((await call(client, name, {})).error.code, /^ERR_LOOPBACK_SOCKET_/);
      }
      await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(listened.errors, []);
    });

    it(`onError() is told of a result that cannot be sent, on ${host}`, async (t) => {
      let listened;
      const { client } = await served(t, host, (sockets) => {
        listened = listening(sockets);
        sockets.defineMethod('m', () => ({
          toJSON() {
            throw failure;
          },
        }));
      });
      const { error } = await call(client, 'm', {});
      assert.equal(error.code, 'ERR_LOOPBACK_SOCKET_UNSENDABLE_VALUE');
      const [[told, { kind }]] = listened.errors;
      assert.equal(told.code, error.code);
      assert.equal(told.cause, failure);
      assert.equal(kind, 'method');
    });

    it(`onError() is told if authentication or an onConnected handler throws, on ${host}`, async (t) => {
      const { io, connect } = await openServer(t, host);
      const sockets = newInstance();
      const { errors } = listening(sockets);
      sockets.auth((socket, { isWrong }) => {
        if (isWrong) throw failure;
      });
      sockets.onConnected((socket, credentials, cb) => cb('not now'));
      sockets.start(io);
      const client = connect();
      const socket = await socketOf(io, client);
      for (const isWrong of [true, false]) {
        const refused = next(client, 'unauthorized');
        client.emit('authentication', { isWrong });
        await refused;
      }
      assert.deepEqual(errors, [
        [failure, { socket, name: undefined, kind: 'authentication' }],
        ['not now', { socket, name: undefined, kind: 'connected' }],
      ]);
    });

    it(`a listener of onError() is removed by what onError() returned, on ${host}`, async (t) => {
      const told = [];
      const { client, sockets } = await served(t, host, (it) => {
        it.defineMethod('m', () => {
          throw failure;
        });
      });
      const remove = sockets.onError((error) => told.push(error));
      await call(client, 'm', {});
      remove();
      assert.deepEqual(await call(client, 'm', {}), { error: {} });
      assert.deepEqual(told, [failure]);
    });

    it(`an exception of a listener of onError() is uncaught, and the call is answered, on ${host}`, async (t) => {
      const told = [];
      const { client, sockets } = await served(t, host, (it) => {
        it.defineMethod('m', () => {
          throw 'mine';
        });
      });
      sockets.onError(() => {
        throw failure;
      });
      sockets.onError((error) => told.push(error));
      const errors = await uncaught(async () => {
        assert.deepEqual(await call(client, 'm', {}), { error: 'mine' });
      });
      assert.deepEqual(errors, [failure]);
      assert.deepEqual(told, ['mine']);
    });
  });

  describe(`the option errors on ${host}`, () => {
    const made = [
      ['an Error', () => new TypeError('wrong'), {}, { message: 'wrong' }],
      [
        'an Error with fields',
        () => Object.assign(new Error('no'), { code: 'NO', statusCode: 404, query: 'SELECT' }),
        { code: 'NO', statusCode: 404, query: 'SELECT' },
        { message: 'no', code: 'NO' },
      ],
      [
        'an Error with toJSON',
        () => Object.assign(new Error('no'), { toJSON: () => ({ a: 1 }) }),
        { a: 1 },
        { a: 1 },
      ],
      ['a string', () => 'no', 'no', 'no'],
      [
        'an object',
        () => ({ message: 'm', more: 1 }),
        { message: 'm', more: 1 },
        { message: 'm', more: 1 },
      ],
      [
        'an Error of another realm',
        () => require('node:vm').runInNewContext("new Error('far')"),
        {},
        { message: 'far' },
      ],
    ];
    for (const errors of ['fields', 'message']) {
      for (const [what, make, asFields, asMessage] of made) {
        it(`${what} is sent as errors: '${errors}' says, on ${host}`, async (t) => {
          const define = (sockets) =>
            sockets.defineMethod('m', () => {
              throw make();
            });
          const { client } = await served(t, host, define, { timeout: 'none', errors });
          assert.deepEqual(await call(client, 'm', {}), {
            error: errors === 'message' ? asMessage : asFields,
          });
        });
      }
    }

    it(`a CallError of a handler is sent with its code and message, on ${host}`, async (t) => {
      const { client } = await served(t, host, (sockets) => {
        sockets.defineMethod('m', () => {
          throw new LoopbackSocket.ForbiddenError('not your shop', new Error('secret'));
        });
      });
      assert.deepEqual(await call(client, 'm', {}), {
        error: { code: 'ERR_LOOPBACK_SOCKET_FORBIDDEN', message: 'not your shop' },
      });
    });
  });
}

describe('what use(), onError() and get() take', () => {
  it('use() and onError() take nothing but functions', () => {
    for (const method of ['use', 'onError']) {
      assert.throws(() => newInstance()[method]({}), {
        code: 'ERR_LOOPBACK_SOCKET_INVALID_CALLBACK',
      });
    }
  });

  it('get() and the constructor take a timeout or options', () => {
    const instance = newInstance({ timeout: 5, errors: 'message' });
    assert.equal(instance._timeout, 5);
    assert.equal(new LoopbackSocket('x', { errors: 'message' })._timeout, 3000);
    assert.throws(() => newInstance({ errors: 'stack' }), {
      code: 'ERR_LOOPBACK_SOCKET_INVALID_OPTION',
      message: /'fields' or 'message'/,
    });
    assert.throws(() => newInstance({ error: 'message' }), {
      code: 'ERR_LOOPBACK_SOCKET_UNKNOWN_OPTION',
    });
  });

  it('a plain method runs before the events that follow it, as it did', async () => {
    const sockets = newInstance();
    sockets.defineMethod('m', (...args) => args.length);
    const io = new FakeServer();
    sockets.start(io);
    const socket = io.connect();
    await socket.authenticate({});
    const answer = new Promise((resolve) => socket.receive('m', 1, { call: 'x' }, resolve));
    assert.deepEqual(await answer, { result: 3 });
  });
});
