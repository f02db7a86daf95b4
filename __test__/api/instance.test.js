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
  it('is a constructor, with and without new', () => {
    for (const instance of [new LoopbackSocket('n', 5), LoopbackSocket('n', 5)]) {
      assert.ok(instance instanceof LoopbackSocket);
      assert.deepEqual([instance._name, instance._timeout], ['n', 5]);
    }
  });

  it('can be inherited from as its predecessor could', () => {
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

  it('has the fields that existing code reads', () => {
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

  it('offers the errors, also to import', async () => {
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

describe('get', () => {
  it('gives the same instance for a name, and the first timeout stays', () => {
    const first = LoopbackSocket.get('get: same', 10);
    assert.equal(LoopbackSocket.get('get: same', 20), first);
    assert.equal(first._timeout, 10);
    assert.notEqual(LoopbackSocket.get('get: other'), first);
  });

  for (const name of NAMES) {
    it(`gives an ordinary instance for ${JSON.stringify(name)}`, () => {
      const instance = LoopbackSocket.get(name);
      assert.ok(instance instanceof LoopbackSocket);
      assert.equal(instance._name, name);
      assert.equal(LoopbackSocket.get(name), instance);
    });
  }

  for (const name of [undefined, null, 1, {}, [], Symbol('s'), () => {}, 1n]) {
    it(`throws an error with a code for ${typeof name} as the name`, () => {
      assert.throws(() => LoopbackSocket.get(name), {
        code: 'ERR_LOOPBACK_SOCKET_INVALID_NAME',
        name: 'InvalidNameError',
      });
    });
  }

  for (const timeout of [undefined, null, 0, NaN, '']) {
    it(`takes 3000 for a timeout of ${JSON.stringify(timeout)}`, () => {
      assert.equal(new LoopbackSocket('n', timeout)._timeout, 3000);
    });
  }

  for (const timeout of ['none', '250', -1, Infinity]) {
    it(`keeps a timeout of ${JSON.stringify(timeout)} as it was given`, () => {
      assert.equal(new LoopbackSocket('n', timeout)._timeout, timeout);
    });
  }
});

describe('defineMethod and removeMethod', () => {
  it('keep an object by name', () => {
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
    it(`take ${JSON.stringify(name)} for a name like any other`, () => {
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
    ['a function by a reference to it', model.a, ref('a'), true],
    ['a reference by the function it names', ref('a'), model.a, true],
    ['an equal reference to what does not exist yet', ref('later'), ref('later'), true],
    ['one that names nothing by another that names nothing', ref('later'), ref('never'), false],
    ['one that is no handler by another that is none', {}, {}, false],
    ['a function by what is no handler', model.a, undefined, false],
  ];
  for (const [what, added, removed, isRemoved] of rows) {
    it(`${isRemoved ? 'removes' : 'leaves'} ${what}`, () => {
      const instance = newInstance();
      instance.onConnected(added);
      instance.removeOnConnected(removed);
      assert.deepEqual(instance._connected, isRemoved ? [] : [added]);
    });
  }

  it('removes the first match only', () => {
    const instance = newInstance();
    const other = () => {};
    [other, ref('a'), model.a, ref('a')].forEach((handler) => instance.onConnected(handler));
    instance.removeOnConnected(ref('a'));
    assert.deepEqual(instance._connected, [other, model.a, ref('a')]);
  });

  it('does as the documentation shows it', () => {
    function MyModel() {}
    const instance = newInstance();
    instance.onConnected({ model: MyModel, method: 'customOnConnectedHandler' });
    MyModel.customOnConnectedHandler = () => {};
    instance.removeOnConnected({ model: MyModel, method: 'customOnConnectedHandler' });
    assert.deepEqual(instance._connected, []);
  });

  it('does not throw when a model does', () => {
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
  it('returns nothing and keeps the io', () => {
    const instance = newInstance();
    const io = new FakeServer();
    assert.equal(instance.start(io), undefined);
    assert.equal(instance._io, io);
  });

  it('has whoever knows how to serve an instance do so', () => {
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

  it('makes one native server of an http.Server, for all that are started on it', (t) => {
    const httpServer = http.createServer();
    const [one, two] = [newInstance(), newInstance()];
    one.start(httpServer);
    t.after(() => one._io.close());
    two.start(httpServer);
    assert.ok(one._io instanceof LoopbackSocket.Server);
    assert.equal(one._io.httpServer, httpServer);
    assert.equal(two._io, one._io);
  });

  it('makes another native server for an http.Server whose own was closed', async (t) => {
    const httpServer = http.createServer();
    const [one, two] = [newInstance(), newInstance()];
    one.start(httpServer);
    await one._io.close();
    two.start(httpServer);
    t.after(() => two._io.close());
    assert.notEqual(two._io, one._io);
  });

  it('refuses an app, whose sockets are those of what it listens with', () => {
    const app = Object.assign(() => {}, { on() {}, handle() {}, listen() {} });
    assert.throws(() => newInstance().start(app), {
      code: 'ERR_LOOPBACK_SOCKET_INVALID_HOST',
      message: /app\.listen\(\)/,
    });
  });

  it('makes a native server on a port', (t) => {
    const instance = newInstance();
    instance.start(0);
    t.after(() => instance._io.close());
    assert.ok(instance._io instanceof LoopbackSocket.Server);
    assert.ok(instance._io.httpServer.address().port > 0);
  });

  for (const io of [undefined, null, {}, 'http://localhost', true, () => {}, [], { on: 1 }]) {
    it(`throws an error with a code for ${JSON.stringify(io) ?? typeof io}`, () => {
      const instance = newInstance();
      assert.throws(() => instance.start(io), {
        code: 'ERR_LOOPBACK_SOCKET_INVALID_HOST',
        name: 'InvalidHostError',
      });
      assert.equal(instance._io, null);
    });
  }
});
