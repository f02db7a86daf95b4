'use strict';

// `io.metrics()` of the native server, and `metrics()` of a LoopbackSocket on every kind of server.

const assert = require('node:assert/strict');
const { EventEmitter, once } = require('node:events');
const { describe, it } = require('node:test');
const LoopbackSocket = require('../..');
const { BOUNDS, CallMetrics, MAX_NAMES, OTHER, measure } = require('../../lib/calls/call-metrics');
const { HOSTS, newInstance, next, openServer, socketOf } = require('../support/js-hosts');
const { TIMEOUT, call, happens, reach, served, upgraded } = require('../support/native-server');
const { WAITS, requestThatWaits } = require('../support/subscribers');

const OK = { ok: true };

/** A LoopbackSocket whose clients authenticate with `{ ok: true }`. */
function newSockets(timeout = 'none') {
  const sockets = newInstance(timeout);
  sockets.auth((socket, credentials) => credentials.ok === true);
  return sockets;
}

/** Has a client authenticate; resolves with what it gets. */
async function authenticate(client, credentials = OK) {
  const answer = Promise.race([
    next(client, 'authenticated').then(() => 'authenticated'),
    next(client, 'unauthorized').then(() => 'unauthorized'),
  ]);
  client.emit('authentication', credentials);
  return answer;
}

describe('connections in io.metrics()', TIMEOUT, () => {
  it(
    'connections are counted by transport, and an upgrade moves one',
    TIMEOUT,
    served({}, async (world) => {
      await world.connect('4.8', { transports: ['polling'] });
      await world.connect('4.8');
      const { client } = await world.connect('4.8', { transports: ['polling', 'websocket'] });
      await upgraded(client);
      await reach(() => world.io.metrics().connections.upgraded === 1);
      const { connections } = world.io.metrics();
      assert.deepEqual(connections.open, { polling: 1, websocket: 2, other: 0 });
      assert.deepEqual(connections.opened, { polling: 2, websocket: 1 });
      assert.deepEqual(connections.closed, {});
      const closed = happens(client, 'disconnect');
      client.disconnect();
      await closed;
      await reach(() => world.io.metrics().connections.open.websocket === 1);
      const after = world.io.metrics().connections;
      assert.deepEqual(Object.values(after.closed), [1]);
      assert.deepEqual(after.opened, { polling: 2, websocket: 1 });
    }),
  );

  it(
    'a connection that a client does not answer on is counted by its reason',
    TIMEOUT,
    served({ pingInterval: 50, pingTimeout: 50 }, async (world) => {
      const raw = await world.raw();
      raw.ws.pause();
      await once(raw.socket, 'disconnect');
      assert.deepEqual(world.io.metrics().connections.closed, { ping_timeout: 1 });
    }),
  );

  it(
    'bytes that wait for a client are counted, and volatile events that it does not get',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.raw();
      raw.ws.pause();
      assert.equal(world.io.metrics().connections.queuedBytes, 0);
      const large = 'x'.repeat(8_000_000);
      raw.socket.emit('large', large);
      await reach(() => world.io.metrics().connections.queuedBytes > 0);
      const { queuedBytes, maxQueuedBytes } = world.io.metrics().connections;
      assert.ok(queuedBytes <= large.length + 100, `${queuedBytes}`);
      assert.equal(maxQueuedBytes, queuedBytes);
      assert.equal(world.io.metrics().dropped.volatile, 0);
      for (let i = 0; i < 3; i++) raw.socket.volatile.emit('cursor', i);
      await reach(() => world.io.metrics().dropped.volatile === 3);
      raw.ws.resume();
      await reach(() => world.io.metrics().connections.queuedBytes === 0);
    }),
  );

  it(
    'requests that are refused are counted by what is wrong with them',
    TIMEOUT,
    served({ allowRequest: (req, fn) => fn('no', false) }, async (world) => {
      for (const query of ['transport=bogus', 'transport=polling', 'transport=polling']) {
        const response = await fetch(`${world.url}/socket.io/?EIO=4&${query}`);
        assert.equal(response.ok, false);
      }
      const { refused } = world.io.metrics().requests;
      assert.deepEqual(refused, { unknown_transport: 1, forbidden: 2 });
    }),
  );

  it(
    'sockets that are refused in a namespace are counted by why they are',
    TIMEOUT,
    served({}, async (world) => {
      world.io.use((socket, proceed) => proceed(new Error('no entry')));
      await happens(world.client('4.8'), 'connect_error');
      await happens(world.client('4.8'), 'connect_error');
      await happens(world.client('4.8', { nsp: '/none' }), 'connect_error');
      assert.deepEqual(world.io.metrics().joins.refused, { middleware: 2, unknown_namespace: 1 });
    }),
  );

  it('a server that is not attached or closed has figures, too', TIMEOUT, async () => {
    const io = new LoopbackSocket.Server();
    const before = io.metrics();
    assert.deepEqual(before.connections.open, { polling: 0, websocket: 0, other: 0 });
    io.attach(0);
    assert.deepEqual(io.metrics(), before);
    await io.close();
    assert.deepEqual(io.metrics(), before);
  });

  it(
    'a server that has closed keeps its figures, and all of them begin anew when it is attached again',
    TIMEOUT,
    served({}, async (world) => {
      const { io } = world;
      const unused = io.metrics();
      const sockets = newSockets();
      sockets.defineMethod('add', (socket, credentials, n) => n + 1);
      sockets.start(io);
      const { client } = await world.connect();
      assert.equal(await authenticate(client), 'authenticated');
      assert.deepEqual(await call(client, 'add', 1), [{ result: 2 }]);
      const refusedClient = world.client('4.8', { nsp: '/none' });
      await happens(refusedClient, 'connect_error');
      refusedClient.disconnect();
      await reach(() => io.metrics().connections.open.websocket === 1);
      const refused = await fetch(`${world.url}/socket.io/?EIO=4&transport=polling&sid=none`);
      assert.equal(refused.status, 400);
      await io.close();
      const closed = io.metrics();
      assert.deepEqual(closed.connections.opened, { polling: 0, websocket: 2 });
      assert.deepEqual(closed.connections.open, { polling: 0, websocket: 0, other: 0 });
      assert.deepEqual(closed.connections.closed, { transport_close: 1, server_shutting_down: 1 });
      assert.deepEqual(closed.sockets, unused.sockets);
      assert.equal(closed.authentication.accepted, 1);
      assert.deepEqual(closed.joins.refused, { unknown_namespace: 1 });
      assert.deepEqual(closed.requests.refused, { unknown_session: 1 });
      assert.equal(closed.calls.methods.add.succeeded, 1);
      io.attach(0);
      assert.deepEqual(io.metrics(), unused);
      await io.close();
    }),
  );
});

describe('authentication in io.metrics()', TIMEOUT, () => {
  it(
    'sockets are counted by whether they have authenticated',
    TIMEOUT,
    served({}, async (world) => {
      world.io.of('/free');
      newSockets().start(world.io);
      const { client } = await world.connect();
      await world.connect();
      const { socket: exempt } = await world.connect();
      assert.deepEqual(world.io.metrics().sockets, {
        joining: 0,
        pending: 3,
        authenticated: 0,
        open: 0,
      });
      assert.equal(await authenticate(client), 'authenticated');
      exempt.auth = true;
      assert.deepEqual(world.io.metrics().sockets, {
        joining: 0,
        pending: 1,
        authenticated: 1,
        open: 1,
      });
    }),
  );

  it(
    'attempts to authenticate are counted by how they end',
    TIMEOUT,
    served({}, async (world) => {
      const sockets = newSockets(300);
      sockets.start(world.io, { maxAuthenticationAttempts: 1, maxPendingPerAddress: 2 });
      const accepted = world.client('4.8');
      await happens(accepted, 'connect');
      assert.equal(await authenticate(accepted), 'authenticated');
      const rejected = world.client('4.8');
      await happens(rejected, 'connect');
      const gone = happens(rejected, 'disconnect');
      // It does not acknowledge that, and so it stays until its time is up.
      assert.equal(await authenticate(rejected, {}), 'unauthorized');
      await gone;
      const late = [world.client('4.8'), world.client('4.8')];
      await Promise.all(late.map((client) => happens(client, 'connect')));
      const ends = late.map((client) => happens(client, 'disconnect'));
      const refused = world.client('4.8');
      await happens(refused, 'unauthorized');
      await Promise.all(ends);
      const { authentication, sockets: open } = world.io.metrics();
      assert.equal(authentication.accepted, 1);
      assert.equal(authentication.rejected, 1);
      assert.equal(authentication.timedOut, 3);
      assert.equal(authentication.tooManyPending, 1);
      assert.equal(open.authenticated, 1);
      assert.deepEqual(sockets.metrics().authentication, authentication);
    }),
  );

  it(
    'a socket that tries to authenticate too often is counted once',
    TIMEOUT,
    served({}, async (world) => {
      newSockets().start(world.io, { maxAuthenticationAttempts: 2 });
      const { client } = await world.connect();
      const gone = happens(client, 'disconnect');
      for (let i = 0; i < 5; i++) client.emit('authentication', {});
      await gone;
      await reach(() => world.io.metrics().sockets.pending === 0);
      assert.equal(world.io.metrics().authentication.tooManyAttempts, 1);
    }),
  );
});

describe('what slow subscribers miss in io.metrics()', TIMEOUT, () => {
  it(
    "items that a subscription with overflow: 'latest' passes over are counted as dropped",
    TIMEOUT,
    served({}, async (world) => {
      const sockets = newSockets();
      sockets.defineSubscription('ticks', {
        window: 2,
        maxQueuedBytes: 0,
        overflow: 'latest',
      });
      sockets.start(world.io);
      const { client } = await world.connect();
      await authenticate(client);
      // It takes no item, as it acknowledges none.
      client.on('ticks', () => {});
      await call(client, 'ticks', {});
      assert.equal(world.io.metrics().subscriptions.open, 1);
      assert.equal(sockets.metrics().subscriptions.open, 1);
      for (let i = 0; i < 50; i++) sockets.publish('ticks', {}, { i });
      await reach(() => world.io.metrics().dropped.items > 0);
      assert.ok(world.io.metrics().dropped.items <= 50);
      client.disconnect();
      await reach(() => world.io.metrics().subscriptions.open === 0);
    }),
  );
});

for (const host of HOSTS) {
  describe(`metrics() of a LoopbackSocket on ${host}`, TIMEOUT, () => {
    it('calls are counted by method, with their duration, and never by a name that only clients use', async (t) => {
      const { io, connect } = await openServer(t, host);
      const sockets = newSockets();
      let finish;
      sockets.defineMethod('plain', () => 1);
      sockets.defineMethod('slow', () => new Promise((resolve) => (finish = resolve)));
      sockets.defineMethod('fails', () => Promise.reject(new Error('no')), { timeout: 10_000 });
      sockets.defineSubscription('ticks');
      sockets.start(io);
      assert.deepEqual(sockets.metrics().calls, { inFlight: 0, methods: {} });
      if (host === 'native') io.metrics();
      const client = connect();
      await next(client, 'connect');
      client.on('ticks', () => {});
      assert.equal(await authenticate(client), 'authenticated');
      client.emit('of the client', 1);
      await call(client, 'plain', {});
      await call(client, 'plain', {});
      await call(client, 'fails', {});
      await call(client, 'ticks', {});
      await call(client, 'loopback:cancel', 1);
      const answered = call(client, 'slow', {});
      await reach(() => finish !== undefined);
      const check = ({ calls }) => {
        assert.equal(calls.inFlight, 1);
        const { plain, slow, fails, ticks, ...others } = calls.methods;
        assert.deepEqual(others, {});
        assert.deepEqual([plain.kind, ticks.kind], ['method', 'subscription']);
        const ends = ({ inFlight, succeeded, failed }) => [inFlight, succeeded, failed];
        assert.deepEqual([plain, slow, fails, ticks].map(ends), [
          [0, 2, 0],
          [1, 0, 0],
          [0, 0, 1],
          [0, 1, 0],
        ]);
        assert.equal(plain.duration.count, 2);
        assert.ok(plain.duration.sum >= 0);
        assert.equal(slow.duration.count, 0);
      };
      check(sockets.metrics());
      if (host === 'native') check(io.metrics());
      finish();
      await answered;
      assert.equal(sockets.metrics().calls.inFlight, 0);
      assert.equal(sockets.metrics().subscriptions.open, 1);
    });

    it('sockets, connections and attempts to authenticate are counted, as far as they are known', async (t) => {
      const { io, connect } = await openServer(t, host);
      const sockets = newSockets();
      sockets.start(io);
      const [first, second] = [connect(), connect('/', { transports: ['polling'] })];
      await Promise.all([first, second].map((client) => next(client, 'connect')));
      await reach(() => sockets.metrics().sockets.pending === 2);
      await authenticate(first);
      await authenticate(second, {});
      const { sockets: states, authentication, connections } = sockets.metrics();
      assert.deepEqual(states, { joining: 0, pending: 1, authenticated: 1, open: 0 });
      assert.equal(authentication.accepted, 1);
      assert.equal(authentication.rejected, 1);
      const open = { polling: 1, websocket: 1, other: 0 };
      const expected = host === 'native' ? undefined : { open };
      assert.deepEqual(connections, expected);
      first.disconnect();
      await reach(() => sockets.metrics().sockets.authenticated === 0);
    });

    it('a call that was in flight before anybody asked for figures is not counted when it ends', async (t) => {
      const { io, connect } = await openServer(t, host);
      const sockets = newSockets();
      let finish;
      sockets.defineMethod('slow', () => new Promise((resolve) => (finish = resolve)));
      sockets.start(io);
      const client = connect();
      await next(client, 'connect');
      await authenticate(client);
      const answered = call(client, 'slow', {});
      await reach(() => finish !== undefined);
      assert.equal(sockets.metrics().calls.inFlight, 0);
      finish();
      await answered;
      assert.deepEqual(sockets.metrics().calls, { inFlight: 0, methods: {} });
    });

    it('sockets in namespaces that a pattern has made are counted', async (t) => {
      const { io, connect } = await openServer(t, host);
      const sockets = newSockets();
      sockets.start(io.of(/^\/room-\d$/));
      const clients = [connect('/room-1'), connect('/room-2'), connect('/')];
      await Promise.all(clients.map((client) => next(client, 'connect')));
      await authenticate(clients[0]);
      await reach(() => sockets.metrics().sockets.pending === 1);
      assert.equal(sockets.metrics().sockets.authenticated, 1);
    });

    it('an emitter that only looks like a server has figures of calls alone', () => {
      const sockets = newSockets();
      sockets.start(new EventEmitter());
      const { connections, sockets: states } = sockets.metrics();
      assert.equal(connections, undefined);
      assert.deepEqual(states, { joining: 0, pending: 0, authenticated: 0, open: 0 });
    });

    it('calls of a socket that leaves are not in flight any more', async (t) => {
      const { io, connect } = await openServer(t, host);
      const sockets = newSockets();
      let began = 0;
      sockets.defineMethod('waits', () => new Promise(() => (began += 1)), { timeout: 100_000 });
      sockets.start(io);
      sockets.metrics();
      const client = connect();
      await next(client, 'connect');
      await authenticate(client);
      client.emit('waits', {}, () => {});
      await reach(() => began === 1);
      assert.equal(sockets.metrics().calls.inFlight, 1);
      client.disconnect();
      await reach(() => sockets.metrics().calls.inFlight === 0);
      assert.equal(sockets.metrics().calls.methods.waits.failed, 1);
    });

    const ENDS = {
      'disconnect() of the client': ({ client }) => client.disconnect(),
      'the end of its connection': ({ client }) => client.io.engine.close(),
      'disconnect() of the socket': ({ socket }) => socket.disconnect(),
      'disconnect(true) of the socket': ({ socket }) => socket.disconnect(true),
      'a handler that disconnects its socket': ({ client }) => client.emit('leaves', {}, () => {}),
      'the end of its authentication': ({ socket }) => (socket.expires = Date.now() + 1),
      'revoke()': ({ sockets }) => sockets.revoke(() => true),
      'a packet that cannot be read': ({ client }) => client.io.engine.write('4]'),
      'close() of the server': ({ io }) => io.close(),
    };
    for (const [how, end] of Object.entries(ENDS)) {
      it(`calls in flight count as failed once, when their socket ends by ${how}`, async (t) => {
        const { io, connect } = await openServer(t, host);
        const sockets = newSockets();
        const finish = [];
        const waits = () => new Promise((resolve, reject) => finish.push(resolve, reject));
        sockets.defineMethod('plain', waits);
        sockets.defineMethod('unanswered', waits);
        sockets.defineMethod('fails', (socket, credentials, args, cb) => finish.push(cb));
        sockets.defineMethod('options', waits, { context: true });
        sockets.defineSubscription('items', waits);
        sockets.defineMethod('leaves', (socket) => void socket.disconnect());
        sockets.defineMethod('done', () => 1);
        sockets.start(io);
        const ofServer = host === 'native' ? [() => io.metrics()] : [];
        const figures = [() => sockets.metrics(), ...ofServer].map((get) => () => get().calls);
        figures.forEach((get) => get());
        const client = connect();
        client.on('error', () => {});
        const socket = await socketOf(io, client);
        socket.on('error', () => {});
        await authenticate(client);
        for (const name of ['plain', 'fails', 'options', 'items']) {
          client.emit(name, {}, () => {});
        }
        client.emit('unanswered');
        await call(client, 'done', {});
        await reach(() => figures[0]().inFlight === 5);
        const ended = next(socket, 'disconnect');
        end({ io, sockets, socket, client });
        await ended;
        const check = () => {
          for (const get of figures) {
            const { inFlight, methods } = get();
            assert.equal(inFlight, 0);
            for (const [name, { inFlight, succeeded, failed, duration }] of Object.entries(
              methods,
            )) {
              const isDone = name === 'done';
              assert.deepEqual([name, inFlight, succeeded, failed], [name, 0, +isDone, +!isDone]);
              assert.equal(duration.count, 1);
            }
          }
        };
        check();
        finish.forEach((outcome) => outcome(1));
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
        check();
      });
    }

    for (const wait of WAITS) {
      it(`a request to subscribe that waits for ${wait} counts as failed when its socket leaves`, async (t) => {
        const { instance, one, accept } = await requestThatWaits(t, host, wait, {
          define: (sockets) => sockets.metrics(),
        });
        const figures = () => {
          const { inFlight, methods } = instance.metrics().calls;
          const { succeeded, failed } = methods.items;
          return { inFlight, succeeded, failed };
        };
        assert.deepEqual(figures(), { inFlight: 1, succeeded: 0, failed: 0 });
        const left = next(one.socket, 'disconnect');
        one.client.disconnect();
        await left;
        assert.deepEqual(figures(), { inFlight: 0, succeeded: 0, failed: 1 });
        accept();
        await new Promise((resolve) => setImmediate(resolve));
        assert.deepEqual(figures(), { inFlight: 0, succeeded: 0, failed: 1 });
      });
    }
  });
}

describe('the measurement of calls', () => {
  const settled = [];
  const settle = (failed, value) => {
    settled.push([failed, value]);
  };

  it('a duration is counted in the first bucket whose bound is not below it', () => {
    const metrics = new CallMetrics();
    const realNow = performance.now;
    const durations = [0, 0.5, 0.51, BOUNDS.at(-1), BOUNDS.at(-1) + 1];
    try {
      for (const ms of durations) {
        performance.now = () => 0;
        const end = measure({}, { name: 'm' }, settle, metrics);
        performance.now = () => ms;
        end(false, ms);
      }
    } finally {
      performance.now = realNow;
    }
    const { duration } = metrics.figures.methods.m;
    const filled = duration.buckets.filter(({ count }) => count > 0);
    assert.deepEqual(filled, [
      { le: 0.5, count: 2 },
      { le: 1, count: 1 },
      { le: BOUNDS.at(-1), count: 1 },
    ]);
    assert.equal(duration.count, durations.length);
    assert.equal(
      duration.sum,
      durations.reduce((a, b) => a + b),
    );
    assert.deepEqual(settled.at(-1), [false, durations.at(-1)]);
  });

  it('the measurement passes on why a value could not be sent, and counts that as a failure', () => {
    const error = new Error('unsendable');
    const [ofInstance, ofServer] = [new CallMetrics(), new CallMetrics()];
    const end = measure({}, { name: 'm' }, () => error, ofInstance, ofServer);
    assert.equal(end(false, 1), error);
    for (const { figures } of [ofInstance, ofServer]) {
      const { inFlight, succeeded, failed } = figures.methods.m;
      assert.deepEqual([inFlight, succeeded, failed], [0, 0, 1]);
    }
  });

  it('the number of names that are told apart is limited', () => {
    const metrics = new CallMetrics();
    for (let i = 0; i < MAX_NAMES + 50; i++) measure({}, { name: `m${i}` }, settle, metrics)(false);
    const { methods } = metrics.figures;
    assert.equal(Object.keys(methods).length, MAX_NAMES + 1);
    assert.equal(methods[OTHER].succeeded, 50);
  });

  it('a method may have the name of a member of every object', () => {
    const metrics = new CallMetrics();
    for (const name of ['__proto__', 'constructor']) measure({}, { name }, settle, metrics)(false);
    assert.deepEqual(Object.keys(metrics.figures.methods), ['__proto__', 'constructor']);
  });
});
