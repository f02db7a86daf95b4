'use strict';

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const Bluebird = require('bluebird');
const { invoke, resolveHandler } = require('../../lib/invoke');

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
    'gives what it returns': [() => 1, [[false, 1]]],
    'gives undefined when it returns nothing': [() => {}, [[false, undefined]]],
    'fails with what it throws': [
      () => {
        throw boom;
      },
      [[true, boom]],
    ],
    'may throw a string': [
      () => {
        throw 'text';
      },
      [[true, 'text']],
    ],
    'may throw nothing at all': [
      () => {
        throw undefined;
      },
      [[true, undefined]],
    ],
    'gives what its promise resolves to': [async () => 1, [[false, 1]]],
    'fails with what its promise rejects with': [() => Promise.reject(boom), [[true, boom]]],
    'gives what a bluebird promise resolves to': [() => Bluebird.resolve(1), [[false, 1]]],
    'fails with what a bluebird promise rejects with': [
      () => Bluebird.reject(boom),
      [[true, boom]],
    ],
    'gives what any thenable calls back with': [() => ({ then: (ok) => ok(1) }), [[false, 1]]],
    'takes a function with then for a thenable': [
      () => Object.assign(() => {}, { then: (ok) => ok(1) }),
      [[false, 1]],
    ],
    'takes the first word of a thenable that calls twice': [
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
    'gives an object whose then is no function': [() => ({ then: 1 }), [[false, { then: 1 }]]],
    'fails when its promise was tampered with': [
      () =>
        Object.defineProperty(Promise.resolve(1), 'constructor', { get: () => assert.fail('x') }),
      undefined,
    ],
  };
  for (const [promise, [handler, expected]] of Object.entries(rows)) {
    it(promise, async () => {
      const outcomes = await outcomesOf(handler);
      if (expected === undefined) {
        assert.equal(outcomes.length, 1);
        assert.equal(outcomes[0][0], true);
      } else {
        assert.deepEqual(outcomes, expected);
      }
    });
  }

  it('settles before invoke returns unless it returned a thenable', () => {
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

  it('reads then once', async () => {
    let reads = 0;
    const outcomes = await outcomesOf(() => ({
      get then() {
        reads += 1;
        return (ok) => ok(1);
      },
    }));
    assert.deepEqual([outcomes, reads], [[[false, 1]], 1]);
  });

  it('declares its parameters by length: defaults and rest do not count, bind takes away', async () => {
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
    'gives the result of cb': [(a, b, cb) => cb(null, 1), [[false, 1]]],
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
    'counts once when cb is called twice': [
      (a, b, cb) => {
        cb(null, 1);
        cb(boom);
      },
      [[false, 1]],
    ],
    'counts once when it throws after cb': [
      (a, b, cb) => {
        cb(null, 1);
        throw boom;
      },
      [[false, 1]],
    ],
    'counts once when cb comes after a throw': [
      (a, b, cb) => {
        setImmediate(cb, null, 1);
        throw boom;
      },
      [[true, boom]],
    ],
    'awaits a promise given to cb': [(a, b, cb) => cb(null, Promise.resolve(1)), [[false, 1]]],
    'is done with cb even if that got a promise that takes its time': [
      (a, b, cb) => {
        cb(null, new Promise((resolve) => setImmediate(resolve, 1)));
        cb(boom);
        throw boom;
      },
      [[false, 1]],
    ],
    'may return what misbehaves as a thenable': [
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
    it(promise, async () => {
      assert.deepEqual(await outcomesOf(handler), expected);
    });
  }

  it('gets cb after the arguments even if it declares more', async () => {
    let got;

    await outcomesOf((a, b, cb, x, y) => {
      got = [typeof cb, x, y];
    });
    assert.deepEqual(got, ['function', undefined, undefined]);
  });

  it('gets cb as well if its length is no number', async () => {
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

describe('a reference to a handler', () => {
  it('is a function itself, without this', () => {
    const fn = () => {};
    assert.deepEqual(resolveHandler(fn), { fn, self: null });
  });

  it('is a method of a model as it is now, with the model as this', () => {
    const model = {};
    const ref = { model, method: 'm' };
    assert.throws(() => resolveHandler(ref).fn(), { message: 'invalid method' });
    model.m = () => {};
    assert.deepEqual(resolveHandler(ref), { fn: model.m, self: model });
  });

  it('may be a method of a function, like a LoopBack model', () => {
    function Model() {}
    Model.m = () => {};
    assert.deepEqual(resolveHandler({ model: Model, method: 'm' }), { fn: Model.m, self: Model });
  });

  for (const ref of [undefined, null, 1, 'text', true, {}, [], { model: {} }, { model: 1 }]) {
    it(`answers invalid method if it is ${JSON.stringify(ref)}`, async () => {
      const { fn, self } = resolveHandler(ref);
      const [[failed, error]] = await outcomesOf(fn, self);
      assert.deepEqual([failed, error.message], [true, 'invalid method']);
    });
  }

  it('fails when run if looking it up throws', async () => {
    const { fn, self } = resolveHandler({
      get model() {
        throw boom;
      },
    });
    assert.deepEqual(await outcomesOf(fn, self), [[true, boom]]);
  });
});
