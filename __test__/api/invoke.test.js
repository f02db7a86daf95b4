'use strict';

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const Bluebird = require('bluebird');
const { invoke, resolveHandler } = require('../../lib/calls/invoke');

/**
 * Runs a handler with two arguments and waits until nothing more can come of it.
 *
 * @param {Function} handler the handler
 * @param {unknown} [self] its `this`
 * @returns {Promise<Array<[boolean, unknown]>>} every outcome it settled with
 */
async function outcomesOf(handler, self = null) {
  const outcomes = [];
  invoke(handler, self, ['a', 'b'], (failed, value) => outcomes.push([failed, value]));
  await new Promise((resolve) => {
    setImmediate(() => setImmediate(resolve));
  });
  return outcomes;
}

const boom = new Error('boom');

describe('a handler without a callback', () => {
  const rows = {
    'results in what it returns': [() => 1, [[false, 1]]],
    'results in undefined when it returns nothing': [() => {}, [[false, undefined]]],
    'fails with what it throws': [
      () => {
        throw boom;
      },
      [[true, boom]],
    ],
    'fails with a string that it throws': [
      () => {
        throw 'text';
      },
      [[true, 'text']],
    ],
    'fails with undefined if it throws undefined': [
      () => {
        throw undefined;
      },
      [[true, undefined]],
    ],
    'results in what its promise resolves to': [async () => 1, [[false, 1]]],
    'fails with what its promise rejects with': [() => Promise.reject(boom), [[true, boom]]],
    'results in what a Bluebird promise resolves to': [() => Bluebird.resolve(1), [[false, 1]]],
    'fails with what a Bluebird promise rejects with': [
      () => Bluebird.reject(boom),
      [[true, boom]],
    ],
    'results in what any thenable resolves to': [() => ({ then: (ok) => ok(1) }), [[false, 1]]],
    'treats a function with a then method as a thenable': [
      () => Object.assign(() => {}, { then: (ok) => ok(1) }),
      [[false, 1]],
    ],
    'settles with the first outcome of a thenable that settles twice': [
      () => ({
        then(ok, fail) {
          ok(1);
          fail(boom);
          ok(2);
        },
      }),
      [[false, 1]],
    ],
    'fails when then throws': [
      () => ({
        then() {
          throw boom;
        },
      }),
      [[true, boom]],
    ],
    'fails when the getter of then throws': [
      () => ({
        get then() {
          throw boom;
        },
      }),
      [[true, boom]],
    ],
    'awaits a thenable that a thenable resolves to': [
      () => ({ then: (ok) => ok({ then: (inner) => setImmediate(inner, 1) }) }),
      [[false, 1]],
    ],
    'results in an object whose then is no function': [() => ({ then: 1 }), [[false, { then: 1 }]]],
    'fails when its promise was tampered with': [
      () =>
        Object.defineProperty(Promise.resolve(1), 'constructor', { get: () => assert.fail('x') }),
      undefined,
    ],
  };
  for (const [promise, [handler, expected]] of Object.entries(rows)) {
    it(`a handler without a callback ${promise}`, async () => {
      const outcomes = await outcomesOf(handler);
      if (expected === undefined) {
        assert.equal(outcomes.length, 1);
        assert.equal(outcomes[0][0], true);
      } else {
        assert.deepEqual(outcomes, expected);
      }
    });
  }

  it('a handler that returns no thenable settles before invoke() returns', () => {
    let settled = false;
    invoke(
      () => 1,
      null,
      [],
      () => {
        settled = true;
      },
    );
    assert.equal(settled, true);
  });

  it('invoke() reads the then property of a result once', async () => {
    let reads = 0;
    const outcomes = await outcomesOf(() => ({
      get then() {
        reads += 1;
        return (ok) => ok(1);
      },
    }));
    assert.deepEqual([outcomes, reads], [[[false, 1]], 1]);
  });

  it('a handler takes a callback by its length: default and rest parameters do not count, and bind() shortens it', async () => {
    const seen = [];
    await outcomesOf((a, b, c = 0) => seen.push(c));
    await outcomesOf((a, b, ...rest) => seen.push(rest.length));
    await outcomesOf(
      function bound(x, a, b) {
        seen.push([x, a, b]);
      }.bind(null, 'x'),
    );
    assert.deepEqual(seen, [0, 0, ['x', 'a', 'b']]);
  });
});

describe('a handler with a callback', () => {
  const rows = {
    'results in the value given to cb': [(a, b, cb) => cb(null, 1), [[false, 1]]],
    'fails with the error of cb': [(a, b, cb) => cb(boom, 1), [[true, boom]]],
    'succeeds with a falsy error': [(a, b, cb) => cb(0, 1), [[false, 1]]],
    'is awaited however late cb comes': [(a, b, cb) => setImmediate(cb, null, 1), [[false, 1]]],
    'has its return value ignored': [
      (a, b, cb) => {
        setImmediate(cb, null, 1);
        return 2;
      },
      [[false, 1]],
    ],
    'has the value of its promise ignored': [
      async (a, b, cb) => {
        setImmediate(cb, null, 1);
        return 2;
      },
      [[false, 1]],
    ],
    'fails when its promise rejects first': [
      // eslint-disable-next-line no-unused-vars
      async (a, b, cb) => {
        throw boom;
      },
      [[true, boom]],
    ],
    'settles once when cb is called twice': [
      (a, b, cb) => {
        cb(null, 1);
        cb(boom);
      },
      [[false, 1]],
    ],
    'settles once when it throws after cb': [
      (a, b, cb) => {
        cb(null, 1);
        throw boom;
      },
      [[false, 1]],
    ],
    'settles once when cb is called after a throw': [
      (a, b, cb) => {
        setImmediate(cb, null, 1);
        throw boom;
      },
      [[true, boom]],
    ],
    'awaits a promise given to cb': [(a, b, cb) => cb(null, Promise.resolve(1)), [[false, 1]]],
    'settles with the first call of cb even if that got a pending promise': [
      (a, b, cb) => {
        cb(null, new Promise((resolve) => setImmediate(resolve, 1)));
        cb(boom);
        throw boom;
      },
      [[false, 1]],
    ],
    'ignores a returned thenable whose then getter throws': [
      (a, b, cb) => {
        cb(null, 1);
        return {
          get then() {
            throw boom;
          },
        };
      },
      [[false, 1]],
    ],
  };
  for (const [promise, [handler, expected]] of Object.entries(rows)) {
    it(`a handler with a callback ${promise}`, async () => {
      assert.deepEqual(await outcomesOf(handler), expected);
    });
  }

  it('a handler that declares more parameters gets cb right after its arguments', async () => {
    let got;

    await outcomesOf((a, b, cb, x, y) => {
      got = [typeof cb, x, y];
    });
    assert.deepEqual(got, ['function', undefined, undefined]);
  });

  it('a handler whose length is not a number gets cb', async () => {
    const odd = Object.defineProperty(
      function odd() {
        arguments[2](null, 1);
      },
      'length',
      { value: 'odd' },
    );
    assert.deepEqual(await outcomesOf(odd), [[false, 1]]);
  });
});

describe('references to handlers', () => {
  it('a function resolves to itself, without this', () => {
    const fn = () => {};
    assert.deepEqual(resolveHandler(fn), { fn, self: null });
  });

  it("a model reference resolves to the model's current method, with the model as this", () => {
    const model = {};
    const ref = { model, method: 'm' };
    assert.throws(() => resolveHandler(ref).fn(), { message: 'invalid method' });
    model.m = () => {};
    assert.deepEqual(resolveHandler(ref), { fn: model.m, self: model });
  });

  it('a model reference may name a method of a function, as LoopBack models are', () => {
    function Model() {}
    Model.m = () => {};
    assert.deepEqual(resolveHandler({ model: Model, method: 'm' }), { fn: Model.m, self: Model });
  });

  for (const ref of [undefined, null, 1, 'text', true, {}, [], { model: {} }, { model: 1 }]) {
    it(`a reference of ${JSON.stringify(ref)} fails with "invalid method"`, async () => {
      const { fn, self } = resolveHandler(ref);
      const [[failed, error]] = await outcomesOf(fn, self);
      assert.deepEqual([failed, error.message], [true, 'invalid method']);
    });
  }

  it('a model reference whose lookup throws fails when it is run', async () => {
    const { fn, self } = resolveHandler({
      get model() {
        throw boom;
      },
    });
    assert.deepEqual(await outcomesOf(fn, self), [[true, boom]]);
  });
});
