'use strict';

// Adapters that fail, never answer or return nonsense, and messages of other servers that are none: the
// application and its clients go on, and nothing throws where socket.io does not.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, it } = require('node:test');
const { inspect } = require('node:util');
const { Adapter, ClusterAdapter } = require('socket.io-adapter');
const socketIo = require('socket.io');
const { Server } = require('../..');
const { TIMEOUT, ending, happens, served, uncaught } = require('../support/native-server');
const { attempt } = require('./probes');

/** What a method of an adapter may return, or how it may fail in a way that its caller does not see. */
const RESULTS = {
  'a promise that is never settled': () => new Promise(() => {}),
  'a promise that is rejected': () => Promise.reject(new Error('failed')),
  'a promise that is rejected with nothing': () => Promise.reject(undefined),
  'a promise that is rejected with what has no text': () => Promise.reject(Object.create(null)),
  'a thenable that throws': () => ({
    then() {
      throw new Error('failed');
    },
  }),
  'a thenable that expects two functions': () => ({
    then(resolve, reject) {
      resolve(1);
      reject(new Error('failed'));
    },
  }),
  'a getter of `then` that throws': () => ({
    get then() {
      throw new Error('failed');
    },
  }),
  'an object that is no thenable': () => ({ then: 7 }),
  null: () => null,
};

/** What an application calls without waiting, by the method of the adapter that is behind it. */
const CALLS = {
  init: ({ io }) => io.of('/made later'),
  addAll: (world, socket) => void socket.join('room'),
  del: (world, socket) => void socket.leave('room'),
  broadcast: ({ io }) => io.emit('event'),
  broadcastWithAck: ({ io }) => io.timeout(1).emit('event', () => {}),
  serverCount: ({ io }) => io.timeout(1).emit('event', () => {}),
  addSockets: ({ io }) => io.socketsJoin('room'),
  delSockets: ({ io }) => io.socketsLeave('room'),
  disconnectSockets: ({ io }) => io.in('nobody').disconnectSockets(),
  serverSideEmit: ({ io }) => io.serverSideEmit('event'),
  delAll: (world, socket) => void socket.leaveAll(),
  persistSession: (world, socket) => void socket.client.conn.close(),
  close: () => {},
};

/** Rejections of promises that an application was given: nobody else can handle them. */
const OF_THE_APPLICATION = ['addAll', 'del'];

/** Values that a field of a message may have instead. */
const VALUES = [
  () => undefined,
  () => null,
  () => 0,
  () => -1,
  () => NaN,
  () => 2 ** 53,
  () => '',
  () => 'text',
  () => '1\t2\n3',
  () => true,
  () => [],
  () => ['a'],
  () => [null],
  () => [{}],
  () => ['event', 1n],
  () => ({}),
  () => ({ length: 2 }),
  () => 10n,
  () => Buffer.from('bytes'),
];

const opts = () => ({ rooms: ['a'], except: ['b'], flags: { compress: true } });

/** The messages of the servers of a cluster. */
const MESSAGES = [
  () => ({ type: 3, data: { opts: opts(), packet: { type: 2, data: ['event', 1], id: 1 } } }),
  () => ({ type: 3, data: { opts: opts(), requestId: 'x', packet: { type: 2, data: ['event'] } } }),
  () => ({ type: 4, data: { opts: opts(), rooms: ['new'] } }),
  () => ({ type: 5, data: { opts: opts(), rooms: ['new'] } }),
  () => ({ type: 6, data: { opts: { ...opts(), rooms: ['nobody'] }, close: false } }),
  () => ({ type: 7, data: { opts: opts(), requestId: 'x' } }),
  () => ({ type: 8, data: { requestId: 'x', sockets: [] } }),
  () => ({ type: 9, data: { packet: ['event', 1] } }),
  () => ({ type: 9, data: { requestId: 'x', packet: ['event', 1] } }),
  () => ({ type: 10, data: { requestId: 'x', packet: 1 } }),
  () => ({ type: 11, data: { requestId: 'x', clientCount: 1 } }),
  () => ({ type: 12, data: { requestId: 'x', packet: 1 } }),
];

/** Every field of a message, as the way to it. */
function* fields(value, way = []) {
  for (const key of Object.keys(value)) {
    yield [...way, key];
    if (typeof value[key] === 'object') yield* fields(value[key], [...way, key]);
  }
}

/** Each message with each field replaced by each value. */
function* malformed() {
  for (const message of MESSAGES) {
    for (const way of fields(message())) {
      for (const valueOf of VALUES) {
        const made = message();
        const [last, value] = [way.at(-1), valueOf()];
        const holder = way.slice(0, -1).reduce((of, key) => of[key], made);
        if (value === undefined) delete holder[last];
        else holder[last] = value;
        yield [`${message().type} ${way.join('.')} ${inspect(value)}`, made];
      }
    }
  }
}

class Cluster extends ClusterAdapter {
  constructor(nsp) {
    super(nsp);
  }

  doPublish() {
    return Promise.resolve('offset');
  }

  doPublishResponse() {
    return Promise.resolve();
  }

  /** Whether a message of another server throws. */
  throwsAt(message) {
    return (
      attempt(() => this.onMessage({ uid: 'other', nsp: '/', ...message })).error !== undefined
    );
  }
}

describe('adapters that fail', () => {
  for (const [method, call] of Object.entries(CALLS)) {
    for (const [title, result] of Object.entries(RESULTS)) {
      class Failing extends Adapter {
        isFailing = false;
      }
      Failing.prototype[method] = function fail(...args) {
        const isFailing = method === 'init' ? this.nsp.name !== '/' : this.isFailing;
        return isFailing ? result() : Adapter.prototype[method].apply(this, args);
      };
      it(
        `an application and its clients go on when ${method}() of an adapter returns ${title}`,
        TIMEOUT,
        async (t) => {
          const rejected = [];
          const onRejection = (error) => rejected.push(error);
          const others = process.listeners('unhandledRejection');
          process.removeAllListeners('unhandledRejection');
          process.on('unhandledRejection', onRejection);
          const options = { adapter: Failing, connectionStateRecovery: {} };
          const errors = await uncaught(() =>
            served(options, async (world) => {
              const { socket } = await world.connect();
              const { adapter } = world.io.of('/');
              adapter.isFailing = true;
              call(world, socket);
              const ended = ending(socket);
              socket.disconnect(true);
              await ended;
              adapter.isFailing = false;
              const other = await world.connect();
              const got = happens(other.client, 'event');
              world.io.emit('event');
              await got;
              adapter.isFailing = method !== 'close' || !/never/.test(title);
            })(t),
          );
          await new Promise((resolve) => setImmediate(resolve));
          process.off('unhandledRejection', onRejection);
          others.forEach((listener) => process.on('unhandledRejection', listener));
          assert.deepEqual(errors, []);
          if (!OF_THE_APPLICATION.includes(method)) assert.deepEqual(rejected, []);
        },
      );
    }
  }

  it(
    'a broadcast with acknowledgements that throws, since an argument cannot be sent, leaves nothing behind',
    TIMEOUT,
    async (t) => {
      let counted = 0;
      class Counting extends Adapter {
        async serverCount() {
          counted += 1;
          throw new Error('unreachable');
        }
      }
      const errors = await uncaught(() =>
        served({ adapter: Counting }, async ({ io }) => {
          const outcomes = [];
          const circular = [];
          circular.push(circular);
          assert.throws(() => io.timeout(1).emit('event', circular, () => outcomes.push('thrown')));
          await assert.rejects(io.timeout(1).emitWithAck('event', circular));
          assert.equal(counted, 0);
          const warned = once(process, 'warning');
          await new Promise((resolve) => io.timeout(5).emit('event', resolve));
          assert.deepEqual([outcomes, counted], [[], 1]);
          assert.equal((await warned)[0].message, 'unreachable');
        })(t),
      );
      assert.deepEqual(errors, []);
    },
  );

  it(
    'a client that leaves does not end the process when its session cannot be encoded',
    TIMEOUT,
    async (t) => {
      class Encoding extends Adapter {
        persistSession({ data }) {
          JSON.stringify(data);
        }
      }
      const options = { adapter: Encoding, connectionStateRecovery: {} };
      const errors = await uncaught(() =>
        served(options, async (world) => {
          const { client, socket } = await world.connect();
          socket.data.itself = socket.data;
          const [warned, ended] = [once(process, 'warning'), ending(socket)];
          client.io.engine.close();
          await ended;
          assert.match((await warned)[0].message, /circular/);
        })(t),
      );
      assert.deepEqual(errors, []);
    },
  );
});

describe('messages of other servers', () => {
  it('a malformed message throws only where it throws on socket.io', TIMEOUT, async () => {
    const servers = [socketIo.Server, Server].map((Class) => new Class(0, { adapter: Cluster }));
    const [reference, native] = servers.map((io) => io.of('/').adapter);
    servers.forEach((io) => io.on('error', () => {}));
    const warnings = [];
    const warn = process.emitWarning;
    process.emitWarning = (warning) => warnings.push(warning.code);
    try {
      const more = [...malformed()].filter(([, message]) => {
        const copy = structuredClone(message);
        return native.throwsAt(message) && !reference.throwsAt(copy);
      });
      assert.deepEqual(
        more.map(([title]) => title),
        [],
      );
    } finally {
      process.emitWarning = warn;
      await Promise.all(servers.map((io) => io.close()));
    }
    assert.deepEqual([...new Set(warnings)], ['ERR_LOOPBACK_SOCKET_INVALID_PACKET']);
  });

  it(
    'a server-side event that is no list is dropped with a warning',
    TIMEOUT,
    served({ adapter: Cluster }, async (world) => {
      const { adapter } = world.io.of('/');
      for (const packet of [undefined, null, {}, [], 'event', { length: 1 }]) {
        const warned = once(process, 'warning');
        assert.equal(adapter.throwsAt({ type: 9, data: { packet } }), false);
        assert.equal((await warned)[0].code, 'ERR_LOOPBACK_SOCKET_INVALID_PACKET');
      }
      const got = once(world.io, 'event');
      adapter.throwsAt({ type: 9, data: { packet: ['event', 1] } });
      assert.deepEqual(await got, [1]);
    }),
  );
});
