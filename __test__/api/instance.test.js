'use strict';

const assert = require('node:assert/strict');
const { EventEmitter } = require('node:events');
const http = require('node:http');
const { describe, it } = require('node:test');
const LoopbackSocket = require('../..');
const { FakeServer, newInstance } = require('../support/js-hosts');

/** Names that are more than names to a careless program. */
const NAMES = ['constructor', '__proto__', 'hasOwnProperty', 'toString', '', 'a"b\\c', 'ünï✓'];

describe('LoopbackSocket', () => {
  it('LoopbackSocket is a constructor that works with and without new', () => {
    for (const instance of [new LoopbackSocket('n', 5), LoopbackSocket('n', 5)]) {
      assert.ok(instance instanceof LoopbackSocket);
      assert.deepEqual([instance._name, instance._timeout], ['n', 5]);
    }
  });

  it('LoopbackSocket can be subclassed with LoopbackSocket.call(this), as version 0.4 could', () => {
    function Sub() {
      LoopbackSocket.call(this, 'sub');
    }
    Object.setPrototypeOf(Sub.prototype, LoopbackSocket.prototype);
    const sub = new Sub();
    assert.ok(sub instanceof LoopbackSocket);
    assert.equal(sub._name, 'sub');
    sub.defineMethod('m', () => {});
    assert.deepEqual(Object.keys(sub._methods), ['m']);
  });

  it('a LoopbackSocket has the fields that existing code reads', () => {
    const { _auth: auth, ...fields } = new LoopbackSocket('n');
    assert.equal(typeof auth, 'function');
    assert.deepEqual(fields, {
      _name: 'n',
      _timeout: 3000,
      _methods: {},
      _connected: [],
      _sockets: [],
      _io: null,
    });
  });

  it('LoopbackSocket exports its error classes to require() and import', async () => {
    const imported = await import('../../index.mjs');
    assert.equal(imported.default, LoopbackSocket);
    for (const name of Object.keys(require('../../lib/errors'))) {
      assert.equal(typeof LoopbackSocket[name], 'function');
      assert.equal(imported[name], LoopbackSocket[name]);
    }
    assert.equal(imported.LoopbackSocket, LoopbackSocket);
    assert.equal(imported.Server, LoopbackSocket.Server);
  });
});

describe('LoopbackSocket.get', () => {
  it('LoopbackSocket.get() returns one instance per name and keeps its first timeout', () => {
    const first = LoopbackSocket.get('get: same', 10);
    assert.equal(LoopbackSocket.get('get: same', 20), first);
    assert.equal(first._timeout, 10);
    assert.notEqual(LoopbackSocket.get('get: other'), first);
  });

  for (const name of NAMES) {
    it(`LoopbackSocket.get() returns an ordinary instance for the name ${JSON.stringify(name)}`, () => {
      const instance = LoopbackSocket.get(name);
      assert.ok(instance instanceof LoopbackSocket);
      assert.equal(instance._name, name);
      assert.equal(LoopbackSocket.get(name), instance);
    });
  }

  for (const name of [undefined, null, 1, {}, [], Symbol('s'), () => {}, 1n]) {
    it(`LoopbackSocket.get() throws an error with a code for a name of type ${typeof name}`, () => {
      assert.throws(() => LoopbackSocket.get(name), {
        code: 'ERR_LOOPBACK_SOCKET_INVALID_NAME',
        name: 'InvalidNameError',
      });
    });
  }

  for (const timeout of [undefined, null, 0, NaN, '']) {
    it(`a timeout of ${JSON.stringify(timeout)} means 3000`, () => {
      assert.equal(new LoopbackSocket('n', timeout)._timeout, 3000);
    });
  }

  for (const timeout of ['none', '250', -1, Infinity]) {
    it(`a timeout of ${JSON.stringify(timeout)} is kept as given`, () => {
      assert.equal(new LoopbackSocket('n', timeout)._timeout, timeout);
    });
  }
});

describe('defineMethod and removeMethod', () => {
  it('defineMethod() and removeMethod() keep methods by name', () => {
    const instance = newInstance();
    const method = () => {};
    instance.defineMethod('m', method);
    assert.equal(instance._methods.m, method);
    // eslint-disable-next-line no-prototype-builtins -- as existing code asks
    assert.ok(instance._methods.hasOwnProperty('m'));
    instance.defineMethod('m', null);
    assert.deepEqual(instance._methods, { m: null });
    instance.removeMethod('other');
    assert.deepEqual(Object.keys(instance._methods), ['m']);
    instance.removeMethod('m');
    assert.deepEqual(Object.keys(instance._methods), []);
  });

  for (const name of NAMES) {
    it(`defineMethod() and removeMethod() accept ${JSON.stringify(name)} as a name`, () => {
      const instance = newInstance();
      const method = () => {};
      instance.defineMethod(name, method);
      assert.deepEqual(Object.entries(instance._methods), [[name, method]]);
      instance.removeMethod(name);
      assert.deepEqual(Object.keys(instance._methods), []);
    });
  }
});

describe('removeOnConnected', () => {
  const model = { a() {}, b() {} };
  const ref = (method, of = model) => ({ model: of, method });
  const same = ref('a');
  const rows = [
    ['a function added as such', model.a, model.a, true],
    ['another function', model.a, model.b, false],
    ['the reference that was added', same, same, true],
    ['an equal reference', ref('a'), ref('a'), true],
    ['a reference to another method', ref('a'), ref('b'), false],
    ['a reference to another model', ref('a'), ref('a', { ...model }), false],
    ['a function, given a reference to it,', model.a, ref('a'), true],
    ['a reference, given the function it names,', ref('a'), model.a, true],
    ['an equal reference to a method that does not exist yet', ref('later'), ref('later'), true],
    [
      'a reference to a missing method, given a reference to another missing method',
      ref('later'),
      ref('never'),
      false,
    ],
    ['a value that is no handler, given another one', {}, {}, false],
    ['a function, given undefined', model.a, undefined, false],
  ];
  for (const [what, added, removed, isRemoved] of rows) {
    it(`removeOnConnected() ${isRemoved ? 'removes' : 'keeps'} ${what}`, () => {
      const instance = newInstance();
      instance.onConnected(added);
      instance.removeOnConnected(removed);
      assert.deepEqual(instance._connected, isRemoved ? [] : [added]);
    });
  }

  it('removeOnConnected() removes only the first match', () => {
    const instance = newInstance();
    const other = () => {};
    [other, ref('a'), model.a, ref('a')].forEach((handler) => instance.onConnected(handler));
    instance.removeOnConnected(ref('a'));
    assert.deepEqual(instance._connected, [other, model.a, ref('a')]);
  });

  it('removeOnConnected() works as the documentation shows', () => {
    function MyModel() {}
    const instance = newInstance();
    instance.onConnected({ model: MyModel, method: 'customOnConnectedHandler' });
    MyModel.customOnConnectedHandler = () => {};
    instance.removeOnConnected({ model: MyModel, method: 'customOnConnectedHandler' });
    assert.deepEqual(instance._connected, []);
  });

  it('removeOnConnected() does not throw when a getter of the model does', () => {
    const instance = newInstance();
    const trap = {
      get a() {
        throw new Error('trap');
      },
    };
    instance.onConnected(model.a);
    instance.removeOnConnected(ref('a', trap));
    assert.deepEqual(instance._connected, [model.a]);
  });
});

describe('start', () => {
  it('start() returns nothing and keeps its argument as _io', () => {
    const instance = newInstance();
    const io = new FakeServer();
    assert.equal(instance.start(io), undefined);
    assert.equal(instance._io, io);
  });

  it("start() calls the server's own Symbol.for('loopback-socket.serve') method if it has one", () => {
    const instance = newInstance();
    const served = [];
    const io = Object.assign(new EventEmitter(), {
      [Symbol.for('loopback-socket.serve')](given) {
        served.push([this === io, given === instance]);
      },
    });
    instance.start(io);
    assert.deepEqual(served, [[true, true]]);
    assert.equal(instance._io, io);
    assert.equal(io.listenerCount('connection'), 0);
  });

  it('start(httpServer) makes one native server for all LoopbackSockets on that http.Server', (t) => {
    const httpServer = http.createServer();
    const [one, two] = [newInstance(), newInstance()];
    one.start(httpServer);
    t.after(() => one._io.close());
    two.start(httpServer);
    assert.ok(one._io instanceof LoopbackSocket.Server);
    assert.equal(one._io.httpServer, httpServer);
    assert.equal(two._io, one._io);
  });

  it('start(httpServer) makes a new native server if the previous one was closed', async (t) => {
    const httpServer = http.createServer();
    const [one, two] = [newInstance(), newInstance()];
    one.start(httpServer);
    await one._io.close();
    two.start(httpServer);
    t.after(() => two._io.close());
    assert.notEqual(two._io, one._io);
  });

  it('start() refuses an Express app and names app.listen()', () => {
    const app = Object.assign(() => {}, { on() {}, handle() {}, listen() {} });
    assert.throws(() => newInstance().start(app), {
      code: 'ERR_LOOPBACK_SOCKET_INVALID_HOST',
      message: /app\.listen\(\)/,
    });
  });

  it('start(port) makes a native server on that port', (t) => {
    const instance = newInstance();
    instance.start(0);
    t.after(() => instance._io.close());
    assert.ok(instance._io instanceof LoopbackSocket.Server);
    assert.ok(instance._io.httpServer.address().port > 0);
  });

  for (const io of [undefined, null, {}, 'http://localhost', true, () => {}, [], { on: 1 }]) {
    it(`start() throws an error with a code for ${JSON.stringify(io) ?? typeof io}`, () => {
      const instance = newInstance();
      assert.throws(() => instance.start(io), {
        code: 'ERR_LOOPBACK_SOCKET_INVALID_HOST',
        name: 'InvalidHostError',
      });
      assert.equal(instance._io, null);
    });
  }
});
