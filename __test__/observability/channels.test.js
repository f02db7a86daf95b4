'use strict';

// What is published on the channels of diagnostics_channel, on every kind of server.

const assert = require('node:assert/strict');
const { AsyncLocalStorage } = require('node:async_hooks');
const { channel, tracingChannel } = require('node:diagnostics_channel');
const { describe, it } = require('node:test');
const { inspect } = require('node:util');
const LoopbackSocket = require('../..');
const { isCallObserved, isTraced } = require('../../lib/observability/channels');
const { FakeServer, HOSTS, authenticate, call, next } = require('../support/js-hosts');
const { WAITS, requestThatWaits } = require('../support/subscribers');
const { SECRET, open, pool } = require('./observed');

/** Long enough for a busy machine; nothing waits this long unless a promise is broken. */
const TIMEOUT = 60_000;

const EVENTS = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'];

/** How `client.address` may look. */
const ADDRESS = /^(::ffff:)?127\.0\.0\.1$|^::1$/;

/**
 * Subscribes to a tracing channel until the test ends.
 *
 * @param {import('node:test').TestContext} t the test
 * @param {string} kind which
 * @returns {{events: [string, object][], ended: (count?: number) => Promise<object>}} what is published, and the
 *   message of the next `asyncEnd`, or of one behind it
 */
function tracing(t, kind) {
  const events = [];
  let ends = 0;
  const waiting = new Map();
  const subscribers = Object.fromEntries(
    EVENTS.map((event) => [event, (message) => record(event, message)]),
  );
  function record(event, message) {
    events.push([event, message]);
    if (event === 'asyncEnd') {
      ends += 1;
      waiting.get(ends)?.(message);
    }
  }
  const traced = tracingChannel(`loopback-socket:${kind}`);
  traced.subscribe(subscribers);
  t.after(() => traced.unsubscribe(subscribers));
  return {
    events,
    ended: (count = 1) => new Promise((resolve) => waiting.set(ends + count, resolve)),
  };
}

/**
 * @param {import('node:test').TestContext} t the test
 * @param {string} name a channel
 * @returns {() => Promise<object>} the next message
 */
function messages(t, name) {
  const queue = [];
  let wake = () => {};
  const plain = channel(`loopback-socket:${name}`);
  const record = (message) => {
    queue.push(message);
    wake();
  };
  plain.subscribe(record);
  t.after(() => plain.unsubscribe(record));
  return async () => {
    while (queue.length === 0) await new Promise((resolve) => (wake = resolve));
    return queue.shift();
  };
}

/**
 * @param {[string, object][]} events what was published
 * @returns {string[]} the names
 */
const namesOf = (events) => events.map(([name]) => name);

/**
 * @param {string} kind which tracing channel
 * @param {string} name that of the LoopbackSocket
 * @param {string} method what is called
 * @returns {object} the fields that say so
 */
const calledOf = (kind, name, method) => ({
  kind,
  'loopback_socket.name': name,
  'messaging.socket.io.event_name': method,
  'rpc.system.name': 'loopback-socket',
  'rpc.method': `${name}/${method}`,
});

/**
 * @param {object} message
 * @param {object} expected its fields, without those of its socket
 * @param {object} about
 * @param {object} about.socket
 * @param {number | string} about.host
 * @returns {void}
 */
function assertMessage(message, expected, { socket, host }) {
  const { 'client.address': address, ...fields } = message;
  assert.match(address, ADDRESS);
  assert.deepEqual(fields, {
    'loopback_socket.server': host === 'native' ? 'native' : 'hosted',
    'messaging.socket.io.namespace': '/',
    'messaging.client.id': socket.id,
    'network.protocol.name': 'websocket',
    ...expected,
  });
  assert.equal(message.socket, socket);
  for (const text of [JSON.stringify(message), inspect(message)]) {
    assert.ok(!text.includes(SECRET), text);
  }
}

for (const host of HOSTS) {
  describe(`channels on ${host}`, { timeout: TIMEOUT }, () => {
    it(`the channel call has the events of traceCallback() in their order, on ${host}`, async (t) => {
      const { connect, name } = await open(t, host, (sockets) => {
        sockets.defineMethod('sync', () => SECRET);
        sockets.defineMethod('async', async () => SECRET);
        sockets.defineMethod('throw', () => {
          throw new TypeError('wrong');
        });
        sockets.defineMethod('bigint', async () => 1n);
      });
      const { client, socket } = await connect();
      await authenticate(client, { token: SECRET });
      const { events } = tracing(t, 'call');
      const published = async (method) => {
        events.length = 0;
        await call(client, method, SECRET);
        // What was handed over before the answer has been published when another call is answered.
        const [[, message]] = events;
        assert.ok(events.every(([, other]) => other === message));
        const { duration } = message;
        assert.ok(duration >= 0 && duration < TIMEOUT, `${duration} ms`);
        const common = { ...calledOf('call', name, method), duration };
        return { names: namesOf(events), message, common };
      };

      let found = await published('sync');
      assert.deepEqual(found.names, ['start', 'asyncStart', 'asyncEnd', 'end']);
      assertMessage(found.message, found.common, { socket, host });
      assert.equal(found.message.result, SECRET);

      found = await published('async');
      assert.deepEqual(found.names, ['start', 'end', 'asyncStart', 'asyncEnd']);
      assert.equal(found.message.result, SECRET);

      found = await published('throw');
      assert.deepEqual(found.names, ['start', 'error', 'asyncStart', 'asyncEnd', 'end']);
      const { error } = found.message;
      assert.ok(error instanceof TypeError && error.message === 'wrong');
      const failed = { error, 'error.type': 'TypeError' };
      assertMessage(found.message, { ...found.common, ...failed }, { socket, host });
      assert.equal(found.message.result, undefined);

      found = await published('bigint');
      assert.deepEqual(found.names, ['start', 'end', 'asyncStart', 'error', 'asyncEnd']);
      assert.equal(found.message['error.type'], 'ERR_LOOPBACK_SOCKET_UNSENDABLE_VALUE');
      assert.equal(found.message.result, undefined);
    });

    it(`the channel call has calls with options, interceptors or no acknowledgement, on ${host}`, async (t) => {
      const { connect } = await open(
        t,
        host,
        (sockets) => {
          sockets.use((intercepted, proceed) => proceed());
          sockets.defineMethod(
            'wait',
            (socket, credentials, args, { signal }) =>
              new Promise((resolve, reject) => {
                signal.addEventListener('abort', () => reject(signal.reason));
              }),
            { context: true },
          );
          sockets.defineMethod('deny', () => {}, { authorize: () => false });
          sockets.defineMethod('fail', () => Promise.reject(new Error('the message')));
          sockets.defineMethod('plain', () => 7);
        },
        { timeout: 'none', errors: 'message' },
      );
      const { client } = await connect();
      await authenticate(client, { token: SECRET });
      const { ended } = tracing(t, 'call');
      let end = ended();
      client.emit('plain');
      assert.equal((await end).result, 7);
      end = ended();
      await call(client, 'deny');
      assert.equal((await end)['error.type'], 'ERR_LOOPBACK_SOCKET_FORBIDDEN');
      end = ended();
      assert.deepEqual(await call(client, 'fail'), { error: { message: 'the message' } });
      assert.ok((await end).error.stack.includes(__filename), 'the error is that of the handler');
      end = ended();
      client.emit('wait', null, () => {});
      await call(client, 'deny');
      end = ended();
      client.close();
      assert.equal((await end)['error.type'], 'ERR_LOOPBACK_SOCKET_DISCONNECTED');
    });

    it(`the channel authenticate has each attempt and why it is refused, on ${host}`, async (t) => {
      const { connect, name, sockets } = await open(t, host);
      const { events, ended } = tracing(t, 'authenticate');
      const { client, socket } = await connect();
      const common = calledOf('authenticate', name, 'authentication');
      let end = ended();
      client.emit('authentication', { token: `not ${SECRET}` });
      await next(client, 'unauthorized');
      let message = await end;
      const { duration, error } = message;
      assertMessage(
        message,
        { ...common, duration, error, 'error.type': 'RangeError' },
        { socket, host },
      );
      assert.equal(error.message, 'token unknown');
      assert.equal(message.result, undefined);

      sockets.auth(async () => false);
      end = ended();
      client.emit('authentication', { token: SECRET });
      await next(client, 'unauthorized');
      message = await end;
      assert.equal(message.error.message, 'Authentication failure');

      sockets.auth(async () => true);
      events.length = 0;
      end = ended();
      await authenticate(client, { token: SECRET });
      message = await end;
      assert.equal(message.result, true);
      assert.equal('error' in message, false);
      assert.deepEqual(namesOf(events), ['start', 'end', 'asyncStart', 'asyncEnd']);
    });

    it(`the channel subscribe has requests until they are answered, on ${host}`, async (t) => {
      const { connect, name } = await open(t, host, (sockets) => {
        sockets.defineSubscription('numbers', async function* numbers() {
          yield 1;
        });
        sockets.defineSubscription('broken', () => {
          throw new TypeError('no source');
        });
      });
      const { client, socket } = await connect();
      await authenticate(client, { token: SECRET });
      const calls = tracing(t, 'call');
      const { ended } = tracing(t, 'subscribe');
      let end = ended();
      const { result } = await call(client, 'numbers', { args: SECRET });
      let message = await end;
      const { duration } = message;
      const common = calledOf('subscribe', name, 'numbers');
      assertMessage(message, { ...common, duration }, { socket, host });
      assert.deepEqual(message.result, result);
      end = ended();
      await call(client, 'broken', {});
      message = await end;
      assert.equal(message.error.message, 'no source');
      assert.deepEqual(calls.events, []);
    });

    for (const wait of WAITS) {
      it(`the channel subscribe has the end of a request whose socket leaves while it waits for ${wait}, on ${host}`, async (t) => {
        const { events } = tracing(t, 'subscribe');
        const { one, accept } = await requestThatWaits(t, host, wait);
        assert.equal(events.at(-1)[0], 'end');
        const left = next(one.socket, 'disconnect');
        one.client.close();
        await left;
        assert.deepEqual(namesOf(events.slice(-3)), ['error', 'asyncStart', 'asyncEnd']);
        const [, message] = events.at(-1);
        assert.equal(message['messaging.socket.io.event_name'], 'items');
        assert.equal(message['error.type'], 'ERR_LOOPBACK_SOCKET_DISCONNECTED');
        const { length } = events;
        accept();
        await new Promise((resolve) => setImmediate(resolve));
        assert.equal(events.length, length, 'a request ends once');
      });
    }

    it(`a request to subscribe that waits for another authentication keeps the store that is bound to start, on ${host}`, async (t) => {
      const storage = new AsyncLocalStorage();
      let count = 0;
      for (const kind of ['authenticate', 'subscribe']) {
        const { start } = tracingChannel(`loopback-socket:${kind}`);
        start.bindStore(storage, () => `${kind} ${++count}`);
        t.after(() => start.unbindStore(storage));
      }
      const found = [];
      const { answer, accept } = await requestThatWaits(t, host, 'authentication', {
        authorizes: () => found.push(storage.getStore()),
      });
      accept();
      await answer;
      // The client has authenticated, has subscribed to another one, and authenticates again.
      assert.deepEqual(found, ['subscribe 4', 'subscribe 4']);
    });

    it(`the channels connect and disconnect have each socket, on ${host}`, async (t) => {
      const connected = messages(t, 'connect');
      const disconnected = messages(t, 'disconnect');
      const { connect } = await open(t, host);
      const { client, socket } = await connect();
      const about = { socket, host };
      assertMessage(await connected(), {}, about);
      await authenticate(client, { token: SECRET });
      client.close();
      const reason = 'client namespace disconnect';
      const left = { reason, authenticated: true, authenticationTimedOut: false };
      assertMessage(await disconnected(), left, about);

      const impatient = await open(t, host, undefined, { timeout: 20 });
      const late = await impatient.connect();
      await connected();
      const expired = {
        reason: 'server namespace disconnect',
        authenticated: false,
        authenticationTimedOut: true,
      };
      assertMessage(await disconnected(), expired, { socket: late.socket, host });
    });

    it(`the channel disconnect names as late only the socket that has not authenticated in time, on ${host}`, async (t) => {
      const disconnected = messages(t, 'disconnect');
      const { io, client, sockets } = await open(t, host, undefined, { timeout: 50 });
      const patient = LoopbackSocket.get(`${host} patient`, { timeout: 60_000 });
      patient.start(io.of('/patient'));
      const other = client('/patient', { forceNew: false });
      await next(other, 'connect');
      const impatient = other.io.socket('/');
      impatient.connect();
      const late = Object.fromEntries(
        [await disconnected(), await disconnected()].map((message) => [
          message['messaging.socket.io.namespace'],
          message.authenticationTimedOut,
        ]),
      );
      assert.deepEqual(late, { '/': true, '/patient': false });
      assert.equal(sockets.metrics().authentication.timedOut, 1);
      assert.equal(patient.metrics().authentication.timedOut, 0);
    });

    it(`the channel slow has what takes slowAfter or longer, on ${host}`, async (t) => {
      const slow = messages(t, 'slow');
      const define = (sockets) => {
        sockets.defineMethod('quick', () => 1);
        sockets.defineMethod('slow', () => new Promise((resolve) => setTimeout(resolve, 30)));
      };
      const patient = await open(t, host, define, { timeout: 'none', slowAfter: Infinity });
      const { client } = await patient.connect();
      await authenticate(client, { token: SECRET });
      await call(client, 'slow');
      const strict = await open(t, host, define, { timeout: 'none', slowAfter: 0 });
      const other = await strict.connect();
      await authenticate(other.client, { token: SECRET });
      assert.equal((await slow()).kind, 'authenticate');
      await call(other.client, 'quick');
      const message = await slow();
      assert.equal(message['rpc.method'], `${strict.name}/quick`);
      await call(other.client, 'slow');
      assert.ok((await slow()).duration >= 25);
    });

    it(`a store that is bound to start reaches every handler, whoever calls back, on ${host}`, async (t) => {
      const storage = new AsyncLocalStorage();
      let count = 0;
      for (const kind of ['authenticate', 'call', 'subscribe']) {
        const { start } = tracingChannel(`loopback-socket:${kind}`);
        start.bindStore(storage, () => `${kind} ${++count}`);
        t.after(() => start.unbindStore(storage));
      }
      const enter = pool(t);
      const found = [];
      const note = (step) => found.push(`${step}: ${storage.getStore()}`);
      const schema = {
        '~standard': {
          version: 1,
          vendor: 'test',
          validate: async (value) => {
            note('validate');
            return { value };
          },
        },
      };
      /** An `authorize` that calls back from elsewhere, by a thenable. */
      const authorize = () => {
        note('authorize');
        return { then: (resolve) => enter(() => resolve(true)) };
      };
      const { connect } = await open(t, host, (sockets) => {
        sockets.auth((socket, credentials, cb) => {
          note('auth');
          enter(() => cb(null, true));
        });
        sockets.onConnected((socket, credentials, cb) => {
          note('connected');
          enter(() => cb());
        });
        sockets.onConnected(async () => {
          await null;
          note('connected');
        });
        sockets.defineMethod('plain', async () => {
          await null;
          note('plain');
        });
        sockets.defineMethod('checked', () => note('checked'), { validate: schema, authorize });
        sockets.defineSubscription('numbers', () => {
          note('source');
          return [];
        });
      });
      const { client } = await connect();
      await authenticate(client);
      await call(client, 'plain');
      await call(client, 'checked', {});
      await call(client, 'numbers', {});
      assert.deepEqual(found, [
        'auth: authenticate 1',
        'connected: authenticate 1',
        'connected: authenticate 1',
        'plain: call 2',
        'validate: call 3',
        'authorize: call 3',
        'checked: call 3',
        'source: subscribe 4',
      ]);
    });

    it(`calls that come together have a context each, on ${host}`, async (t) => {
      const storage = new AsyncLocalStorage();
      const { start } = tracingChannel('loopback-socket:call');
      let count = 0;
      start.bindStore(storage, () => ++count);
      t.after(() => start.unbindStore(storage));
      const { io, connect } = await open(t, host, (sockets) => {
        sockets.defineMethod('sync', () => storage.getStore());
        sockets.defineMethod('async', async () => {
          await null;
          return storage.getStore();
        });
      });
      io.on('connection', (socket) => {
        socket.on('own', (answer) => answer(storage.getStore() ?? null));
      });
      // All packets of one turn are the body of one request.
      const { client } = await connect('/', { transports: ['polling'] });
      await authenticate(client, { token: SECRET });
      const names = ['sync', 'async', 'own', 'sync', 'own', 'async'];
      const answers = await Promise.all(names.map((name) => call(client, name)));
      assert.deepEqual(
        answers.map((answer) => answer?.result ?? answer),
        [1, 2, null, 3, null, 4],
      );
    });

    it(`a store that a handler enters with enterWith() is not seen by what comes next, on ${host}`, async (t) => {
      const storage = new AsyncLocalStorage();
      const enter = (by) => {
        const before = storage.getStore() ?? null;
        storage.enterWith(by);
        return before;
      };
      t.after(() => storage.disable());
      const { io, connect } = await open(t, host, (sockets) => {
        sockets.onConnected(() => enter('connected'));
        sockets.defineMethod('sync', () => enter('sync'));
        sockets.defineMethod('async', async () => enter('async'));
      });
      io.on('connection', (socket) => {
        enter('connection');
        socket.on('own', (answer) => answer(enter('own')));
        socket.on('acknowledged', (answer) => {
          socket.emit('please acknowledge', () => answer(enter('acknowledgement')));
        });
      });
      for (const transports of [['websocket'], ['polling']]) {
        const pairs = [await connect('/', { transports }), await connect('/', { transports })];
        for (const { client } of pairs) {
          client.on('please acknowledge', (acknowledge) => acknowledge());
          await authenticate(client, { token: SECRET });
        }
        const names = ['sync', 'async', 'own', 'acknowledged', 'sync', 'own'];
        const answers = await Promise.all(
          pairs.flatMap(({ client }) => names.map((name) => call(client, name))),
        );
        assert.deepEqual(
          answers.map((answer) => (answer === null ? null : answer.result)),
          answers.map(() => null),
        );
      }
    });

    it(`a context that a middleware of the socket sets reaches methods, on ${host}`, async (t) => {
      const storage = new AsyncLocalStorage();
      const { connect } = await open(t, host, (sockets) => {
        sockets.defineMethod('plain', () => storage.getStore());
      });
      const { client, socket } = await connect();
      await authenticate(client, { token: SECRET });
      socket.use((event, proceed) => storage.run(`by ${event[0]}`, proceed));
      assert.deepEqual(await call(client, 'plain'), { result: 'by plain' });
    });
  });
}

describe('observing', () => {
  it('nothing is observed before somebody subscribes, and after', () => {
    const observed = () => [
      Boolean(isCallObserved()),
      ...['authenticate', 'call', 'subscribe'].map((kind) => Boolean(isTraced(kind))),
    ];
    assert.deepEqual(observed(), [false, false, false, false]);
    for (const event of EVENTS) {
      const { [event]: published } = tracingChannel('loopback-socket:call');
      const subscriber = () => {};
      published.subscribe(subscriber);
      assert.deepEqual(observed(), [true, false, true, false], event);
      published.unsubscribe(subscriber);
    }
    const slow = channel('loopback-socket:slow');
    const subscriber = () => {};
    slow.subscribe(subscriber);
    assert.deepEqual(observed(), [true, true, true, true]);
    slow.unsubscribe(subscriber);
    assert.deepEqual(observed(), [false, false, false, false]);
  });

  it('an emitter whose properties throw is observed without them', async (t) => {
    const connected = messages(t, 'connect');
    const { ended } = tracing(t, 'authenticate');
    const io = new FakeServer();
    const sockets = new LoopbackSocket(Symbol('a name that is no string'));
    sockets.start(io);
    const socket = io.connect();
    assert.equal((await connected()).socket, socket);
    for (const name of ['id', 'handshake', 'conn']) {
      Object.defineProperty(socket, name, {
        configurable: true,
        get() {
          throw new Error(`${name} is not to be read`);
        },
      });
    }
    const end = ended();
    socket.receive('authentication', {});
    const message = await end;
    assert.equal(message.result, true);
    assert.deepEqual(
      [message['messaging.client.id'], message['client.address'], message['rpc.method']],
      [undefined, undefined, 'authentication'],
    );
  });

  it('slowAfter must be a number of milliseconds', () => {
    for (const slowAfter of [-1, NaN, '10', null]) {
      assert.throws(() => new LoopbackSocket('slow', { slowAfter }), {
        code: 'ERR_LOOPBACK_SOCKET_INVALID_OPTION',
        message: /slowAfter/,
      });
    }
    assert.doesNotThrow(() => new LoopbackSocket('slow', { slowAfter: Infinity }));
  });
});
