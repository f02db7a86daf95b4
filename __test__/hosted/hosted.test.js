'use strict';

const assert = require('node:assert/strict');
const { AsyncLocalStorage } = require('node:async_hooks');
const { EventEmitter, once } = require('node:events');
const { describe, it } = require('node:test');
const v8 = require('node:v8');
const vm = require('node:vm');
const { LoopbackSocket } = require('../..');
const {
  VERSIONS,
  FakeServer,
  FakeSocket,
  authenticate,
  call,
  newInstance,
  next,
  openServer,
} = require('../support/js-hosts');

const UNSENDABLE = 'ERR_LOOPBACK_SOCKET_UNSENDABLE_VALUE';

/** Waits until everything that is due at once has happened. */
const idle = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

/** @returns {{promise: Promise, resolve: Function, reject: Function}} a promise to settle later */
function deferred() {
  const it = {};
  it.promise = new Promise((resolve, reject) => Object.assign(it, { resolve, reject }));
  return it;
}

/** @returns {object} so many objects in each other */
function nested(levels) {
  const root = {};
  let leaf = root;
  for (let i = 0; i < levels; i++) {
    leaf = leaf.a = {};
  }
  return root;
}

/** @returns {object} an object in itself */
function circular() {
  const object = {};
  object.self = object;
  return object;
}

/** What cannot be sent, by what it is. */
const UNSENDABLE_VALUES = {
  'is circular': circular,
  'is a BigInt': () => 10n,
  'contains a BigInt': () => ({ deep: [{ down: 10n }] }),
  'contains a BigInt object': () => ({ n: Object(10n) }),
  'has a toJSON that throws': () => ({
    toJSON() {
      throw new Error('toJSON');
    },
  }),
  'has a toJSON that gives a BigInt': () => ({ toJSON: () => 10n }),
  'has a getter that throws': () => ({
    get bad() {
      throw new Error('getter');
    },
  }),
  'is nested deeper than can be encoded': () => nested(20000),
  'is circular beside a Buffer': () => ({ buffer: Buffer.from('b'), ...circular() }),
  'has a BigInt beside a Buffer': () => ({ buffer: Buffer.from('b'), n: 10n }),
};

for (const version of VERSIONS) {
  describe(`on a socket.io ${version} server`, { timeout: 60_000 }, () => {
    /**
     * @param {import('node:test').TestContext} t the test
     * @param {object} [methods] methods by name
     * @returns {Promise<object>} a server with one served instance and a client that is connected
     */
    async function open(t, methods = {}) {
      const { io, connect } = await openServer(t, version);
      const instance = newInstance();
      for (const [name, method] of Object.entries(methods)) {
        instance.defineMethod(name, method);
      }
      instance.start(io);
      const connection = next(io, 'connection');
      const client = connect();
      await next(client, 'connect');
      return { io, connect, instance, client, socket: await connection };
    }

    it('a socket authenticates and calls methods', async (t) => {
      const { socket, client } = await open(t, {
        double: (s, credentials, { value }) => ({ value: value * 2, by: credentials.user }),
      });
      assert.equal(socket.auth, false);
      assert.equal(await authenticate(client, { user: 'u' }), true);
      assert.equal(socket.auth, true);
      assert.deepEqual(await call(client, 'double', { value: 4 }), {
        result: { value: 8, by: 'u' },
      });
    });

    it('a call before authentication is dropped and never run later', async (t) => {
      const seen = [];
      const { socket, client } = await open(t, { m: (s, c, args) => seen.push(args) });
      socket.on('mark', (ack) => ack('marked'));
      client.emit('m', 'early', () => seen.push('answered'));
      assert.equal(await call(client, 'mark'), 'marked');
      await authenticate(client);
      await call(client, 'm', 'late');
      assert.deepEqual(seen, ['late']);
    });

    it('a refused socket is disconnected when it acknowledges', async (t) => {
      const { instance, client } = await open(t);
      instance.auth(() => {
        throw Object.assign(new Error('no'), { message: { code: 7 } });
      });
      const reason = next(client, 'disconnect');
      client.once('unauthorized', (error, ack) => {
        assert.deepEqual(error, { message: { code: 7 } });
        ack();
      });
      client.emit('authentication', {});
      assert.equal(await reason, 'io server disconnect');
    });

    it('a refused socket that does not acknowledge may try again', async (t) => {
      const { instance, client } = await open(t);
      instance.auth((socket, { ok }) => ok);
      const refused = next(client, 'unauthorized');
      client.emit('authentication', { ok: false });
      assert.deepEqual(await refused, { message: 'Authentication failure' });
      assert.equal(await authenticate(client, { ok: true }), true);
    });

    it('the timeout closes the connection with all its namespaces', async (t) => {
      const { io, connect } = await openServer(t, version);
      io.of('/other');
      newInstance(200).start(io);
      const client = connect();
      const other = client.io.socket('/other');
      await Promise.all([next(client, 'connect'), next(other, 'connect')]);
      const reasons = [next(client, 'disconnect'), next(other, 'disconnect')];
      assert.deepEqual(await Promise.all(reasons), [
        'io server disconnect',
        'io server disconnect',
      ]);
    });

    it('a refusal whose message cannot be encoded still refuses', async (t) => {
      const { instance, client } = await open(t);
      for (const [what, value] of Object.entries(UNSENDABLE_VALUES)) {
        instance.auth(() => {
          throw { message: value() };
        });
        const refused = next(client, 'unauthorized');
        client.emit('authentication', {});
        assert.match((await refused).message, /cannot be sent/, what);
      }
      instance.auth(() => {
        throw {
          get message() {
            throw new Error('getter');
          },
        };
      });
      const refused = next(client, 'unauthorized');
      client.emit('authentication', {});
      assert.deepEqual(await refused, { message: 'Authentication failure' });
    });

    for (const [what, value] of Object.entries(UNSENDABLE_VALUES)) {
      it(`a result or an error that ${what} is answered with an encoding error`, async (t) => {
        const { client } = await open(t, {
          result: value,
          later: async () => value(),
          failure: () => {
            throw value();
          },
          after: () => 'alive',
        });
        await authenticate(client);
        for (const name of ['result', 'later', 'failure']) {
          const { error, ...rest } = await call(client, name, {});
          assert.deepEqual([error.code, rest], [UNSENDABLE, {}]);
          assert.match(error.message, /plain data/);
        }
        assert.deepEqual(await call(client, 'after', {}), { result: 'alive' });
      });
    }

    it('results have the values that JSON.stringify gives them', async (t) => {
      class Model {
        constructor() {
          this.hidden = 1;
        }
        toJSON() {
          return { shown: 2 };
        }
      }
      const proto = JSON.parse('{"__proto__":{"x":1},"b":1,"a":2}');
      const values = {
        nothing: undefined,
        nan: NaN,
        date: new Date(0),
        model: new Model(),
        models: [new Model(), { in: new Model() }],
        proto,
        boxed: [Object('s'), Object(1), Object(true)],
        map: new Map([[1, 2]]),
        holes: [1, undefined, () => {}, Symbol('s')],
        surrogate: 'a\ud800b',
        edge: [-0, 1e21, 2 ** 53, 5e-324],
        number: Object.defineProperty({}, 'toJSON', { value: () => 5 }),
        mixed: [new Model(), Object('s'), Object(1), new Map(), [1, undefined, () => {}], NaN],
      };
      const { client } = await open(t, { get: (s, c, name) => values[name] });
      await authenticate(client);
      for (const [name, value] of Object.entries(values)) {
        const expected = JSON.stringify({ result: value });
        assert.equal(JSON.stringify(await call(client, 'get', name)), expected, name);
      }
    });

    it('a BigInt is sent if the application defines BigInt.prototype.toJSON', async (t) => {
      const { client } = await open(t, { big: () => ({ n: 10n }) });
      await authenticate(client);
      t.after(() => delete BigInt.prototype.toJSON);
      BigInt.prototype.toJSON = function toJSON() {
        return String(this);
      };
      assert.deepEqual(await call(client, 'big', {}), { result: { n: '10' } });
    });

    it('binary values of any kind and at any depth are sent as binary', async (t) => {
      const bytes = Uint8Array.from([0, 1, 2, 255]);
      const values = {
        buffer: Buffer.from(bytes),
        array: bytes,
        part: new Uint8Array(Uint8Array.from([9, ...bytes, 9]).buffer, 1, 4),
        wide: new Uint16Array(bytes.buffer.slice(0)),
        view: new DataView(bytes.buffer.slice(0)),
        arrayBuffer: bytes.buffer.slice(0),
      };
      const { client } = await open(t, {
        one: (s, c, name) => ({ deep: [{ binary: values[name] }] }),
        all: () => values,
        model: () => ({ toJSON: () => ({ binary: values.array }) }),
        echo: (s, c, args) => args,
      });
      await authenticate(client);
      const expected = Buffer.from(bytes);
      for (const name of Object.keys(values)) {
        const { result } = await call(client, 'one', name);
        assert.deepEqual(Buffer.from(result.deep[0].binary), expected, name);
      }
      const { result } = await call(client, 'all', {});
      for (const name of Object.keys(values)) {
        assert.deepEqual(Buffer.from(result[name]), expected, name);
      }
      assert.deepEqual(Buffer.from((await call(client, 'model', {})).result.binary), expected);
      const echoed = await call(client, 'echo', { a: [expected] });
      assert.deepEqual(Buffer.from(echoed.result.a[0]), expected);
    });

    it('results with 2,500 levels of nesting or more than 1 MB arrive', async (t) => {
      const text = 'ü'.repeat(2 ** 20);
      const { client } = await open(t, { deep: () => nested(2500), long: () => ({ text }) });
      await authenticate(client);
      assert.equal(
        JSON.stringify((await call(client, 'deep', {})).result),
        JSON.stringify(nested(2500)),
      );
      assert.equal((await call(client, 'long', {})).result.text, text);
    });

    it('a call is answered with a result or an error whatever the depth of its result', async (t) => {
      const { client } = await open(t, { deep: (s, c, levels) => nested(levels) });
      await authenticate(client);
      const depths = Array.from({ length: 70 }, (_, i) => 2500 + i * 75);
      const answers = await Promise.all(depths.map((levels) => call(client, 'deep', levels)));
      const isSent = answers.map(({ result, error }) => {
        assert.ok(result !== undefined || error.code === UNSENDABLE);
        return result !== undefined;
      });
      assert.deepEqual([isSent[0], isSent.at(-1)], [true, false]);
    });

    it('a call ignores arguments beyond the first and may have none', async (t) => {
      const { client } = await open(t, { m: (s, c, args) => ({ args: String(args) }) });
      await authenticate(client);
      assert.deepEqual(await call(client, 'm', 'a', 'b', 'c'), { result: { args: 'a' } });
      assert.deepEqual(await call(client, 'm'), { result: { args: 'undefined' } });
      client.emit('m', 'a', 'b');
      client.emit('m');
      assert.deepEqual(await call(client, 'm', 'alive'), { result: { args: 'alive' } });
    });

    it('methods are listeners of the socket', async (t) => {
      const { socket, client } = await open(t, { m: () => 'method' });
      const used = [];
      socket.use(([name], go) => {
        used.push(name);
        go();
      });
      await authenticate(client);
      assert.deepEqual(await call(client, 'm', {}), { result: 'method' });
      socket.on('m', (args, ack) => ack({ result: 'application' }));
      assert.deepEqual(await call(client, 'm', {}), { result: 'application' });
      assert.deepEqual(used, ['authentication', 'm', 'm']);
    });

    it('every attempt to authenticate is answered and the last successful one counts', async (t) => {
      const { instance, client } = await open(t, {
        who: (s, c) => c.user,
        gone: () => assert.fail('removed'),
      });
      const runs = [];
      instance.defineMethod('count', () => runs.push(1));
      await authenticate(client, { user: 'first' });
      instance.removeMethod('gone');
      instance.defineMethod('come', () => 'new');
      instance.auth((s, { user }) => user !== 'refused');
      await authenticate(client, { user: 'second' });
      const refused = next(client, 'unauthorized');
      client.emit('authentication', { user: 'refused' });
      await refused;
      client.emit('gone', {}, () => assert.fail('answered'));
      assert.deepEqual(await call(client, 'who', {}), { result: 'second' });
      assert.deepEqual(await call(client, 'come', {}), { result: 'new' });
      await call(client, 'count', {});
      assert.equal(runs.length, 1);
    });

    it('two attempts to authenticate at once both run and are both answered', async (t) => {
      const { instance, client } = await open(t, { who: (s, c) => c.user });
      const gates = { slow: deferred(), fast: deferred() };
      instance.auth((s, { user }) => gates[user].promise);
      client.emit('authentication', { user: 'slow' });
      const fast = authenticate(client, { user: 'fast' });
      gates.fast.resolve(true);
      await fast;
      assert.deepEqual(await call(client, 'who', {}), { result: 'fast' });
      const slow = next(client, 'authenticated');
      gates.slow.resolve(true);
      await slow;
      assert.deepEqual(await call(client, 'who', {}), { result: 'slow' });
    });

    it('start() has an effect once per instance, and two instances both serve', async (t) => {
      const { io, connect } = await openServer(t, version);
      const [one, two] = [newInstance(), newInstance()];
      const runs = [];
      one.auth(() => {
        runs.push('one');
      });
      two.auth(() => {
        runs.push('two');
      });
      one.defineMethod('one', () => 1);
      two.defineMethod('two', () => 2);
      one.start(io);
      one.start(io);
      one.start(io.of('/'));
      two.start(io);
      const client = connect();
      let answers = 0;
      await new Promise((resolve) => {
        client.on('authenticated', () => ++answers === 2 && resolve());
        client.emit('authentication', {});
      });
      assert.deepEqual(await call(client, 'one', {}), { result: 1 });
      assert.deepEqual(await call(client, 'two', {}), { result: 2 });
      assert.deepEqual(runs, ['one', 'two']);
      assert.equal(answers, 2);
    });

    it('start(io.of(name)) serves that namespace alone', async (t) => {
      const { io, connect } = await openServer(t, version);
      const instance = newInstance();
      instance.defineMethod('m', () => 'answer');
      instance.start(io.of('/served'));
      const plain = next(io, 'connection');
      const served = connect('/served');
      served.io.socket('/');
      assert.equal((await plain).auth, undefined);
      await authenticate(served);
      assert.deepEqual(await call(served, 'm', {}), { result: 'answer' });
    });

    it('results that come after a disconnect are dropped', async (t) => {
      const started = deferred();
      const result = deferred();
      const { socket, client, connect } = await open(t, {
        wait: () => {
          started.resolve();
          return result.promise;
        },
        alive: () => true,
      });
      await authenticate(client);
      const packets = [];
      const { packet } = socket;
      socket.packet = function record(sent, ...rest) {
        packets.push(sent);
        return packet.call(this, sent, ...rest);
      };
      client.emit('wait', {}, () => assert.fail('answered'));
      await started.promise;
      client.disconnect();
      await once(socket, 'disconnect');
      packets.length = 0;
      result.resolve({ late: circular() });
      await idle();
      assert.deepEqual(packets, []);
      const another = connect();
      await authenticate(another);
      assert.deepEqual(await call(another, 'alive', {}), { result: true });
    });

    it('an attempt is dropped silently when its socket disconnects', async (t) => {
      const gate = deferred();
      const { instance, socket, client } = await open(t);
      instance.auth(() => gate.promise);
      const ran = [];
      instance.onConnected(() => ran.push('onConnected'));
      const asked = next(socket, 'authentication');
      client.emit('authentication', {});
      await asked;
      client.disconnect();
      await once(socket, 'disconnect');
      gate.resolve(true);
      await idle();
      assert.deepEqual([socket.auth, ran], [false, []]);
    });

    for (const name of ['constructor', '__proto__', '', 'a"b\\c', 'ünï✓', 'message']) {
      it(`a method may be named ${JSON.stringify(name)}`, async (t) => {
        const { instance, client } = await open(t);
        instance.defineMethod(name, (s, c, args) => args);
        await authenticate(client);
        assert.deepEqual(await call(client, name, { value: 1 }), { result: { value: 1 } });
      });
    }

    it('a method named newListener or removeListener does not keep a socket from authenticating', async (t) => {
      const { instance, client } = await open(t);
      const ran = [];
      instance.defineMethod('newListener', () => ran.push('newListener'));
      instance.defineMethod('removeListener', () => ran.push('removeListener'));
      instance.defineMethod('m', () => 'answer');
      await authenticate(client);
      instance.removeMethod('m');
      instance.defineMethod('n', () => 'another');
      await authenticate(client);
      assert.deepEqual(await call(client, 'n', 1), { result: 'another' });
      assert.deepEqual(ran, []);
    });
  });
}

describe('on an emitter that looks like a server', () => {
  /**
   * @param {number | string} [timeout] of the instance
   * @returns {{io: FakeServer, instance: LoopbackSocket}} both, started
   */
  function open(timeout) {
    const io = new FakeServer();
    const instance = newInstance(timeout);
    instance.start(io);
    return { io, instance };
  }

  it('listeners declare the number of parameters that such emitters expect', async () => {
    const { io, instance } = open();
    instance.defineMethod('m', () => {});
    const socket = io.connect();
    await socket.authenticate();
    assert.deepEqual(
      [io.listeners[0], socket.listeners('authentication')[0], socket.listeners('m')[0]].map(
        (listener) => listener.length,
      ),
      [1, 1, 2],
    );
  });

  it("an emitter's credentials, arguments, results and errors are passed by identity", async () => {
    const { io, instance } = open();
    const [credentials, args, result] = [{ own: circular() }, { n: 1n }, { deep: circular() }];
    const error = new Error('the very one');
    const seen = [];
    instance.auth((s, c) => {
      seen.push(c);
    });
    instance.onConnected((s, c, cb) => {
      seen.push(c);
      cb();
    });
    instance.defineMethod('m', (s, c, a) => {
      seen.push(c, a);
      return result;
    });
    instance.defineMethod('e', () => {
      throw error;
    });
    const socket = io.connect();
    await socket.authenticate(credentials);
    const answer = await new Promise((resolve) => socket.receive('m', args, resolve));
    const failure = await new Promise((resolve) => socket.receive('e', args, resolve));
    assert.equal(answer.result, result);
    assert.equal(failure.error, error);
    [credentials, credentials, credentials, args].forEach((value, i) => {
      assert.equal(seen[i], value);
    });
  });

  it('credentials are undefined if the client sends only an acknowledgement', async () => {
    const { io, instance } = open();
    const seen = [];
    instance.auth((s, credentials) => {
      seen.push(credentials);
    });
    const socket = io.connect();
    await socket.authenticate(() => seen.push('answered'));
    assert.deepEqual(seen, [undefined]);
  });

  it('listeners of an earlier attempt do nothing if the emitter cannot remove them', async () => {
    const { io, instance } = open();
    const ran = [];
    instance.defineMethod('m', () => ran.push('m'));
    const socket = new FakeSocket();
    socket.removeListener = undefined;
    io.emit('connection', socket);
    const attempt = async () => {
      socket.receive('authentication', {});
      await idle();
    };
    await attempt();
    instance.removeMethod('m');
    await attempt();
    const answers = [];
    socket.receive('m', {}, (answer) => answers.push(answer));
    await idle();
    assert.deepEqual([ran, answers], [[], []]);
    instance.defineMethod('m', () => 'back');
    await attempt();
    socket.receive('m', {}, (answer) => answers.push(answer));
    await idle();
    assert.deepEqual(answers, [{ result: 'back' }]);
  });

  it('a removed method has no listener after the next attempt', async () => {
    const { io, instance } = open();
    instance.defineMethod('m', () => {});
    const socket = io.connect();
    await socket.authenticate();
    await socket.authenticate();
    assert.equal(socket.listenerCount('m'), 1);
    instance.removeMethod('m');
    await socket.authenticate();
    assert.equal(socket.listenerCount('m'), 0);
  });

  it('a socket that connects again after it disconnected starts as pending', async () => {
    const { io, instance } = open();
    let attempts = 0;
    instance.auth(() => {
      attempts += 1;
    });
    const socket = io.connect();
    await socket.authenticate();
    socket.disconnect();
    io.emit('connection', socket);
    assert.equal(socket.auth, false);
    await socket.authenticate();
    assert.equal(socket.auth, true);
    assert.equal(attempts, 2);
  });

  it('exceptions in listeners, acknowledgements and disconnect() do not escape', async () => {
    const { io, instance } = open();
    instance.defineMethod('m', () => 1);
    const socket = io.connect();
    const thrown = () => {
      throw new Error('not ours');
    };
    socket.on('sent authenticated', thrown);
    socket.on('sent unauthorized', thrown);
    socket.disconnect = thrown;
    socket.receive('authentication', {});
    await idle();
    let answers = 0;
    socket.receive('m', {}, () => {
      answers += 1;
      thrown();
    });
    await idle();
    assert.equal(answers, 2);
    instance.auth(() => false);
    socket.receive('authentication', {});
    await idle();
    const [, , acknowledge] = socket.sent.at(-1);
    acknowledge();
    assert.deepEqual(
      socket.sent.map(([event]) => event),
      ['authenticated', 'unauthorized'],
    );
  });

  it('a handler that disconnects its own socket is not answered', async () => {
    const { io, instance } = open();
    instance.defineMethod('leave', (socket) => {
      socket.disconnect();
      return 'late';
    });
    const socket = io.connect();
    await socket.authenticate();
    const answers = [];
    socket.receive('leave', {}, (answer) => answers.push(answer));
    await idle();
    assert.deepEqual(answers, []);
  });

  it('a pending call is answered unless the socket disconnects meanwhile', async () => {
    const { io, instance } = open();
    const gate = deferred();
    instance.defineMethod('wait', () => gate.promise);
    instance.defineMethod('now', async () => 1);
    const [stays, leaves] = [io.connect(), io.connect()];
    await Promise.all([stays.authenticate(), leaves.authenticate()]);
    const answers = [];
    stays.receive('now', {}, () => answers.push('now'));
    stays.receive('wait', {}, () => answers.push('stays'));
    leaves.receive('wait', {}, () => answers.push('leaves'));
    await idle();
    leaves.disconnect();
    gate.resolve();
    await idle();
    assert.deepEqual(answers, ['now', 'stays']);
  });

  it('a socket that disconnects while its methods are looked up is not authenticated', async () => {
    const { io, instance } = open();
    const socket = new FakeSocket();
    instance.defineMethod('m', {
      get model() {
        socket.disconnect();
        return undefined;
      },
    });
    io.emit('connection', socket);
    socket.receive('authentication', {});
    await idle();
    assert.deepEqual([socket.auth, socket.sent, socket.listenerCount('m')], [false, [], 0]);
  });

  it('a refusal that is acknowledged twice disconnects once', async () => {
    const { io, instance } = open();
    instance.auth(() => false);
    const socket = io.connect();
    socket.receive('authentication', {});
    await idle();
    const [[, , acknowledge]] = socket.sent;
    assert.deepEqual(socket.disconnects, []);
    acknowledge();
    acknowledge();
    assert.deepEqual(socket.disconnects, [undefined]);
  });

  it('an onConnected handler may remove itself, and the others run', async () => {
    const { io, instance } = open();
    const seen = [];
    for (const name of ['a', 'b', 'c']) {
      const handler = () => {
        seen.push(name);
        instance.removeOnConnected(handler);
      };
      instance.onConnected(handler);
    }
    await io.connect().authenticate();
    assert.deepEqual([seen, instance._connected], [['a', 'b', 'c'], []]);
  });

  it('a running call is answered even if its method is removed meanwhile', async () => {
    const { io, instance } = open();
    const gate = deferred();
    instance.defineMethod('m', () => gate.promise);
    const socket = io.connect();
    await socket.authenticate();
    const answer = new Promise((resolve) => socket.receive('m', {}, resolve));
    instance.removeMethod('m');
    const again = socket.authenticate();
    await again;
    gate.resolve('answer');
    assert.deepEqual(await answer, { result: 'answer' });
  });

  it("a second call of a handler's callback is dropped", async () => {
    const { io, instance } = open();
    const gate = deferred();
    instance.defineMethod('m', (s, c, args, cb) => {
      gate.promise.then(() => {
        cb(null, 1);
        cb(null, 2);
      });
    });
    const socket = io.connect();
    await socket.authenticate();
    const answers = [];
    socket.receive('m', {}, (answer) => answers.push(answer));
    gate.resolve();
    await idle();
    assert.deepEqual(answers, [{ result: 1 }]);
  });

  it('calls are answered in order of completion', async () => {
    const { io, instance } = open();
    const gates = [deferred(), deferred(), deferred()];
    instance.defineMethod('m', (s, c, i) => gates[i].promise);
    const socket = io.connect();
    await socket.authenticate();
    const answers = [];
    [0, 1, 2].forEach((i) => socket.receive('m', i, ({ result }) => answers.push(result)));
    for (const i of [2, 0, 1]) {
      gates[i].resolve(i);
      await idle();
    }
    assert.deepEqual(answers, [2, 0, 1]);
  });

  it('handlers run in the asynchronous context of their event', async () => {
    const { io, instance } = open();
    const storage = new AsyncLocalStorage();
    instance.defineMethod('m', () => storage.getStore());
    const socket = io.connect();
    await socket.authenticate();
    const answers = await Promise.all(
      ['a', 'b'].map(
        (store) =>
          new Promise((resolve) => storage.run(store, () => socket.receive('m', {}, resolve))),
      ),
    );
    assert.deepEqual(answers, [{ result: 'a' }, { result: 'b' }]);
  });

  it('any number of onConnected handlers run one after the other', async () => {
    const { io, instance } = open();
    const seen = [];
    for (let i = 0; i < 20000; i++) {
      instance.onConnected(i % 5000 === 0 ? async () => seen.push(i) : () => seen.push(i));
    }
    await io.connect().authenticate();
    assert.deepEqual(
      seen,
      Array.from({ length: 20000 }, (_, i) => i),
    );
  });

  it('the onConnected handlers that run are those registered when auth succeeds', async () => {
    const { io, instance } = open();
    const seen = [];
    const model = {};
    instance.auth(() => {
      instance.onConnected(() => {
        seen.push('first');
        instance.onConnected(() => seen.push('too late'));
        model.second = function second() {
          seen.push(this === model);
        };
      });
      instance.onConnected({ model, method: 'second' });
    });
    await io.connect().authenticate();
    assert.deepEqual(seen, ['first', true]);
  });

  it('an onConnected handler refuses by failing, not by a false value', async () => {
    const { io, instance } = open();
    instance.onConnected(() => false);
    instance.onConnected((s, c, cb) => cb(null, 0));
    const socket = io.connect();
    assert.equal(await socket.authenticate(), true);
  });

  for (const value of [false, null, 0, NaN, '']) {
    const name = String(JSON.stringify(value));
    it(`auth refuses if it returns, resolves to or calls back with ${name}`, async () => {
      const { io, instance } = open();
      for (const auth of [() => value, async () => value, (s, c, cb) => cb(null, value)]) {
        instance.auth(auth);
        const socket = io.connect();
        const refused = next(socket, 'sent unauthorized');
        socket.receive('authentication', {});
        assert.deepEqual(await refused, { message: 'Authentication failure' });
        assert.equal(socket.auth, false);
      }
    });
  }

  it('a call that arrives right after the credentials is dropped', async () => {
    const { io, instance } = open();
    const seen = [];
    instance.defineMethod('m', () => seen.push('ran'));
    const socket = io.connect();
    const authenticated = socket.authenticate();
    socket.receive('m', {}, () => seen.push('answered'));
    await authenticated;
    await idle();
    assert.deepEqual(seen, []);
  });

  it('a second start() adds no listener', () => {
    const { io, instance } = open();
    instance.start(io);
    assert.equal(io.listeners.length, 1);
  });

  it('a request to subscribe that waits for another authentication ends for an instrumentation when its socket does', async () => {
    const server = new FakeServer();
    const sockets = newInstance();
    sockets.defineSubscription('other');
    sockets.defineSubscription('items');
    sockets.start(server);
    const socket = new FakeSocket();
    const completions = [];
    const { on } = socket;
    // As `@opentelemetry/instrumentation-socket.io` wraps it.
    socket.on = (name, listener) =>
      Reflect.apply(on, socket, [
        name,
        (...args) => {
          const completion = listener(...args);
          if (name === 'items') completions.push(completion);
        },
      ]);
    socket.on.__wrapped = true;
    server.emit('connection', socket);
    await socket.authenticate({});
    await new Promise((resolve) => {
      socket.receive('other', {}, resolve);
    });
    sockets.auth(() => new Promise(() => {}));
    socket.receive('authentication', {});
    socket.receive('items', {}, () => assert.fail('the socket has ended'));
    await idle();
    assert.equal(completions.length, 1);
    const outcomes = [];
    completions[0].then(
      (value) => outcomes.push(value),
      ({ code }) => outcomes.push(code),
    );
    assert.deepEqual(outcomes, []);
    socket.disconnect();
    assert.deepEqual(outcomes, ['ERR_LOOPBACK_SOCKET_DISCONNECTED']);
  });
});

describe('the timeout', () => {
  /**
   * @param {import('node:test').TestContext} t the test, whose timers stand still
   * @param {...(number | string)} timeouts of the instances that serve the socket
   * @returns {FakeSocket} a socket that has just connected
   */
  function connect(t, ...timeouts) {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const io = new FakeServer();
    timeouts.forEach((timeout) => newInstance(timeout).start(io));
    return io.connect();
  }

  const rows = [
    [undefined, 3000],
    [null, 3000],
    [0, 3000],
    [NaN, 3000],
    ['', 3000],
    [80, 80],
    ['80', 80],
    [1.5, 1],
    ['0', 1],
    [-1, 1],
    [Infinity, 1],
    [2 ** 31, 1],
    [2 ** 31 - 1, 2 ** 31 - 1],
    ['soon', 1],
    [{}, 3000],
    [[], 1],
    [100n, 100],
  ];
  for (const [timeout, delay] of rows) {
    const name = typeof timeout === 'bigint' ? `${timeout}n` : String(JSON.stringify(timeout));
    it(`a timeout of ${Number.isFinite(timeout) ? timeout : `${typeof timeout} ${name}`} ends a pending socket after ${delay} ms`, (t) => {
      const socket = connect(t, timeout);
      if (delay > 1) {
        t.mock.timers.tick(delay - 1);
        assert.deepEqual(socket.disconnects, []);
        t.mock.timers.tick(1);
      } else {
        t.mock.timers.tick(2);
      }
      assert.deepEqual(socket.disconnects, [true]);
    });
  }

  it("a timeout of 'none' never ends a pending socket", (t) => {
    const socket = connect(t, 'none');
    t.mock.timers.tick(2 ** 31 - 1);
    assert.deepEqual(socket.disconnects, []);
  });

  it('the timeout is the one that the instance has at start()', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const io = new FakeServer();
    const instance = newInstance(50);
    instance._timeout = 70;
    instance.start(io);
    instance._timeout = 10;
    const socket = io.connect();
    t.mock.timers.tick(69);
    assert.deepEqual(socket.disconnects, []);
    t.mock.timers.tick(1);
    assert.deepEqual(socket.disconnects, [true]);
  });

  it('the shortest timeout of several instances counts', (t) => {
    const socket = connect(t, 500, 50, 'none');
    t.mock.timers.tick(50);
    assert.deepEqual(socket.disconnects, [true]);
    t.mock.timers.tick(450);
    assert.deepEqual(socket.disconnects, [true]);
  });

  it('the timeout does not end a socket that has authenticated with one of several instances', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const io = new FakeServer();
    const [open, closed] = [newInstance(50), newInstance(60)];
    closed.auth(() => false);
    [open, closed].forEach((instance) => instance.start(io));
    const socket = io.connect();
    await socket.authenticate();
    t.mock.timers.tick(1000);
    assert.deepEqual(socket.disconnects, []);
  });

  it('the timeout does not end a socket whose auth the application has set', (t) => {
    const socket = connect(t, 50, 100);
    socket.auth = true;
    t.mock.timers.tick(1000);
    assert.deepEqual(socket.disconnects, []);
  });

  it('a failed attempt does not restart the timeout', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const io = new FakeServer();
    const instance = newInstance(50);
    instance.auth(() => false);
    instance.start(io);
    const socket = io.connect();
    t.mock.timers.tick(49);
    const refused = next(socket, 'sent unauthorized');
    socket.receive('authentication', {});
    await refused;
    t.mock.timers.tick(1);
    assert.deepEqual(socket.disconnects, [true]);
  });

  it('no timer is left of a socket that clientAddress ends', () => {
    const timers = () =>
      process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const before = timers();
    const io = new FakeServer();
    const clientAddress = (socket) => {
      socket.disconnect(true);
      return '192.0.2.1';
    };
    // Other instances serve it no more either.
    newInstance(60_000).start(io, { clientAddress });
    newInstance(60_000).start(io, { clientAddress });
    const socket = io.connect();
    assert.ok(socket.disconnects.length > 0);
    assert.equal(timers(), before);
  });

  it('no timer is left once the socket has authenticated or disconnected', async () => {
    const timers = () =>
      process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const before = timers();
    const io = new FakeServer();
    newInstance(60_000).start(io);
    const [stays, leaves] = [io.connect(), io.connect()];
    assert.equal(timers(), before + 2);
    await stays.authenticate();
    assert.equal(timers(), before + 1);
    leaves.disconnect();
    assert.equal(timers(), before);
  });
});

describe('disconnected sockets', () => {
  it('a disconnected socket is garbage collected', async () => {
    v8.setFlagsFromString('--expose-gc');
    const gc = vm.runInNewContext('gc');
    const io = new FakeServer();
    const instance = newInstance();
    const never = deferred();
    instance.defineMethod('m', () => {});
    instance.start(io);
    const collected = new Set();
    const registry = new FinalizationRegistry((name) => collected.add(name));
    await (async () => {
      for (const name of ['authenticated', 'pending']) {
        const socket = io.connect();
        registry.register(socket, name);
        if (name === 'authenticated') {
          await socket.authenticate();
          socket.receive('m', {}, () => {});
        }
        socket.disconnect();
      }
    })();
    for (let i = 0; i < 50 && collected.size < 2; i++) {
      await idle();
      gc();
    }
    assert.deepEqual([...collected].sort(), ['authenticated', 'pending']);
    never.resolve();
  });

  it('a socket that an earlier connection listener disconnected is not served', async (t) => {
    const { io, connect } = await openServer(t, 4);
    io.on('connection', (socket) => socket.disconnect(true));
    const instance = newInstance(60_000);
    instance.start(io);
    const connection = next(io, 'connection');
    connect();
    const socket = await connection;
    assert.equal(socket.auth, false);
    assert.equal(socket.listenerCount('authentication'), 0);
  });
});

describe('other emitters', () => {
  it('start() serves any emitter', async () => {
    const io = new EventEmitter();
    const instance = new LoopbackSocket('odd', 'none');
    instance.start(io);
    const socket = new FakeSocket();
    io.emit('connection', socket);
    assert.equal(await socket.authenticate(), true);
  });
});
