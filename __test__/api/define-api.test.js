'use strict';

// An API that is defined in one place.

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const LoopbackSocket = require('../..');
const { HOSTS, authenticate, call, next, openServer } = require('../support/js-hosts');

const { defineApi, InvalidOptionError, NameInUseError } = LoopbackSocket;

for (const host of HOSTS) {
  describe(`an API that is defined in one place, server ${host}`, { timeout: 20_000 }, () => {
    it('an API that is defined in one place is authenticated, called and subscribed to', async (t) => {
      const Model = { greet: (socket, { name }) => `hello ${name}` };
      const connected = [];
      const api = defineApi({
        auth: (socket, { name }) => name === 'Mary',
        onConnected: (socket, { name }) => connected.push(name),
        methods: {
          add: (socket, credentials, { a, b }) => a + b,
          greet: { model: Model, method: 'greet' },
          slow: { handler: () => new Promise(() => {}), timeout: 1 },
          limited: { model: Model, method: 'greet', concurrency: 1 },
        },
        subscriptions: {
          letters: (socket, credentials, { text }) => [...text],
          orders: { key: ({ shop }) => String(shop) },
          news: {},
        },
      });
      const sockets = new LoopbackSocket('defined', 'none');
      assert.equal(sockets.define(api), sockets);
      const { io, connect } = await openServer(t, host);
      sockets.start(io);
      const client = connect();
      await authenticate(client, { name: 'Mary' });
      assert.deepEqual(connected, ['Mary']);
      assert.deepEqual(await call(client, 'add', { a: 1, b: 2 }), { result: 3 });
      assert.deepEqual(await call(client, 'greet', {}), { result: 'hello Mary' });
      assert.deepEqual(await call(client, 'limited', {}), { result: 'hello Mary' });
      const { error } = await call(client, 'slow', {});
      assert.equal(error.code, 'ERR_LOOPBACK_SOCKET_CALL_TIMEOUT');

      const letter = next(client, 'letters');
      await call(client, 'letters', { args: { text: 'x' } });
      assert.equal(await letter, 'x');
      const [order, news] = [next(client, 'orders'), next(client, 'news')];
      await call(client, 'orders', { args: { shop: 7 } });
      await call(client, 'news', {});
      sockets.publish('orders', { key: '7' }, 'an order');
      sockets.publish('news', {}, 'a goal');
      assert.equal(await order, 'an order');
      assert.equal(await news, 'a goal');
    });
  });
}

describe('defineApi()', () => {
  it('one API can be given to several instances, and to one that has more', () => {
    const api = defineApi({ methods: { count: () => 1 } });
    const [first, second] = [new LoopbackSocket('a'), new LoopbackSocket('b')];
    second.defineMethod('own', () => 2);
    const { _auth } = second;
    first.define(api);
    second.define(api);
    assert.deepEqual(Object.keys(first._methods), ['count']);
    assert.deepEqual(Object.keys(second._methods), ['own', 'count']);
    assert.equal(second._auth, _auth);
  });

  it('defineApi() and define() say what is wrong', () => {
    assert.throws(() => defineApi({ method: {} }), InvalidOptionError);
    assert.throws(() => defineApi(null), InvalidOptionError);
    assert.throws(() => defineApi({ auth: 'x' }), /'auth' of defineApi\(\) must be a function or/);
    assert.throws(
      () => defineApi({ methods: 1 }),
      /'methods' of defineApi\(\) must be an object of methods/,
    );
    assert.throws(
      () => defineApi({ methods: { a: 1 } }),
      /'methods\.a' of defineApi\(\) must be a function.* got 1/,
    );
    assert.throws(
      () => defineApi({ subscriptions: { a: { model: undefined, method: 'x' } } }),
      /'subscriptions\.a' of defineApi\(\) must be a function/,
    );
    assert.throws(() => defineApi({ methods: { a: {} } }), InvalidOptionError);
    assert.throws(() => defineApi({ subscriptions: [] }), InvalidOptionError);
    assert.throws(
      () => defineApi({ methods: { a: () => 1 }, subscriptions: { a: () => [] } }),
      NameInUseError,
    );
    const instance = new LoopbackSocket('wrong');
    assert.throws(() => instance.define({ methods: {} }), /'api' must be what defineApi\(\)/);
    const api = defineApi({ methods: { a: { handler: () => 1, timeouts: 1 } } });
    assert.throws(() => instance.define(api), /has no option 'timeouts'/);
  });

  it('an error of an option or handler says which method or subscription it is of', () => {
    const handler = () => 1;
    const key = () => 'k';
    const table = [
      [
        'methods',
        { handler, timeouts: 1 },
        /^The method 'add' has no option 'timeouts'\. Its options are authorize, /,
      ],
      [
        'methods',
        { handler, timeout: 0 },
        /^The option 'timeout' of the method 'add' must be .*; got 0\.$/,
      ],
      [
        'methods',
        { handler, rate: { limit: 1 } },
        /^The option 'rate' of the method 'add' must be /,
      ],
      [
        'subscriptions',
        { handler, keys: key },
        /^The subscription 'add' has no option 'keys'\. Its options are key, /,
      ],
      ['subscriptions', { window: 0 }, /^The option 'window' of the subscription 'add' must be /],
      [
        'subscriptions',
        { handler, history: {} },
        /^The option 'history' of the subscription 'add' must be used together/,
      ],
      [
        'subscriptions',
        { key, history: { size: 0 } },
        /^The option 'size' of the option 'history' of the subscription 'add' must be /,
      ],
      [
        'subscriptions',
        { key, history: { sice: 1 } },
        /^The option 'history' of the subscription 'add' has no option 'sice'\. /,
      ],
    ];
    for (const [part, given, message] of table) {
      const { handler: own, ...options } = given;
      const api = defineApi({ [part]: { first: handler, add: given } });
      assert.throws(() => new LoopbackSocket('a').define(api), {
        name: 'InvalidOptionError',
        message,
      });
      const define = part === 'methods' ? 'defineMethod' : 'defineSubscription';
      assert.throws(() => new LoopbackSocket('a')[define]('add', own, options), { message });
    }
    const instance = new LoopbackSocket('a');
    assert.throws(() => instance.defineMethod('add', handler, null), {
      message: "The option 'options' must be an object, the options of the method 'add'; got null.",
    });
    assert.throws(() => instance.defineSubscription('add', 5), {
      code: 'ERR_LOOPBACK_SOCKET_INVALID_HANDLER',
      message: /^The subscription 'add' needs a function or .*; got 5\.$/,
    });
    assert.throws(() => defineApi({ subscriptions: { add: { handler: 5 } } }), {
      message: /^The option 'subscriptions\.add' of defineApi\(\) must be a function.* got /,
    });
  });
});
