'use strict';

// The codec of MessagePack beside the one that clients' parsers use: the same bytes, the same values.

const assert = require('node:assert/strict');
const { createRequire } = require('node:module');
const { describe, it } = require('node:test');
const { encode, decode } = require('../../lib/native/msgpack');

const theirs = createRequire(require.resolve('socket.io-msgpack-parser'))('notepack.io');

class Point {
  constructor() {
    this.x = 1;
    this.move = () => {};
  }

  get y() {
    return 2;
  }
}

const repeated = (length, make) => Array.from({ length }, (_, index) => make(index));
const object = (length) => Object.fromEntries(repeated(length, (index) => [`key ${index}`, index]));

/** One value of each kind, and those around each limit of the format. */
const VALUES = [
  undefined,
  null,
  true,
  false,
  ...[0, -0, 1, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53],
  ...[2 ** 53 + 2, 2 ** 63, 2 ** 64, 1e300, -1, -32, -33, -128, -129, -32_768, -32_769],
  ...[-(2 ** 31), -(2 ** 31) - 1, -(2 ** 53), -(2 ** 63), -1e300],
  ...[0.5, -1.5e-7, NaN, Infinity, -Infinity, Number.MAX_VALUE, Number.MIN_VALUE],
  ...[
    '',
    'a',
    'é✓😀"\\\u0000\u2028',
    ...[31, 32, 255, 256, 65_535, 65_536].map((n) => 'x'.repeat(n)),
  ],
  ...[10, 11, 12, 13, 85, 86, 21_845, 21_846].map((n) => '✓'.repeat(n)),
  ...[0, -1, 1, 1_700_000_000_123, -62_167_219_200_000, 8.64e15, NaN].map((time) => new Date(time)),
  ...[0, 1, 32, 33, 255, 256, 65_535, 65_536].map((n) => Buffer.alloc(n, 7)),
  ...[0, 1, 255, 256, 65_535, 65_536].map((n) => new ArrayBuffer(n)),
  new Uint8Array([1, 2, 3]),
  new Float64Array([0.1, NaN]),
  new BigInt64Array([1n, -1n]),
  new DataView(new ArrayBuffer(3)),
  ...[0, 1, 15, 16, 65_535, 65_536].map((n) => Array(n).fill(null)),
  ...[0, 1, 15, 16, 65_535, 65_536].map(object),
  [undefined, , [[]], [{}]], // eslint-disable-line no-sparse-arrays -- a hole is one more kind
  { '': 1, constructor: { length: 2 }, 'a"b\\c': [null], 7: 'seven', gone: undefined, f() {} },
  { toJSON: () => ({ instead: [new Date(5)] }) },
  { deep: { toJSON: () => undefined } },
  Object.assign(Object.create(null), { a: 1 }),
  Object.assign(Object.create({ inherited: 1 }), { own: 2 }),
  new Point(),
  new Map([[1, 2]]),
  new Set([1]),
  Object.assign(new Error('no'), { code: 'E_NO' }),
  /expression/,
  Object(1),
  Object('text'),
  Object(Symbol('s')),
  new SharedArrayBuffer(2),
  Promise.resolve(1),
];

/** Values that have no form. */
const UNSENDABLE = [1n, Symbol('s'), () => {}, [() => {}], { a: [1n] }, [Symbol.iterator]];

/**
 * @param {number} seed where to begin
 * @returns {() => number} numbers from 0 to 1 that are the same for the same seed
 */
function random(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/**
 * @param {() => number} next gives random numbers
 * @param {number} depth how much deeper it may go
 * @returns {unknown} a value of any kind
 */
function anything(next, depth) {
  const whole = (below) => Math.floor(next() * below);
  const text = () => String.fromCodePoint(...repeated(whole(40), () => whole(0xd800)));
  const kinds = [
    () => undefined,
    () => null,
    () => next() < 0.5,
    () => Math.floor((next() - 0.5) * 2 ** whole(70)),
    () => (next() - 0.5) * 10 ** whole(40),
    () => text(),
    () => new Date(Math.floor((next() - 0.5) * 2e15)),
    () => Buffer.from(text()),
    () => new Uint8Array(repeated(whole(300), () => whole(256))),
    () => new Uint16Array(repeated(whole(20), () => whole(65_536))).buffer,
    () => repeated(whole(20), () => anything(next, depth - 1)),
    () => Object.fromEntries(repeated(whole(20), () => [text(), anything(next, depth - 1)])),
  ];
  return kinds[whole(depth > 0 ? kinds.length : kinds.length - 2)]();
}

/** Checks that a value is written and read as it is by the codec of the parsers. */
function check(value, what) {
  const bytes = theirs.encode(value);
  assert.ok(bytes.equals(encode(value)), what);
  assert.deepEqual(decode(bytes), theirs.decode(bytes), what);
}

describe('the MessagePack codec', () => {
  it('the MessagePack codec encodes and decodes each kind of value as socket.io-msgpack-parser does', () => {
    VALUES.forEach((value, index) => check(value, `value ${index}`));
    check(VALUES, 'all of them');
  });

  it('the MessagePack codec encodes and decodes random values as socket.io-msgpack-parser does', () => {
    for (let seed = 1; seed <= 500; seed++) check(anything(random(seed), 4), `seed ${seed}`);
  });

  it('the MessagePack codec refuses the values that socket.io-msgpack-parser refuses', () => {
    for (const value of UNSENDABLE) {
      assert.throws(() => theirs.encode(value));
      assert.throws(() => encode(value), TypeError);
    }
  });

  it("the MessagePack codec decodes other encoders' forms as socket.io-msgpack-parser does", () => {
    for (const hex of [
      // Wider than they need be; floats of either width; numbers and more as names.
      'cf0000000000000005',
      'd3ffffffffffffffff',
      'dd00000001db000000016d',
      'df00000001d9016bc3',
      '92ca3f000000cb4000000000000000',
      '8701c0ffc0c3c0c0c0d40000c0cb3ff8000000000000c0a16101',
      // Extensions of every size, known and not; text that is not UTF-8.
      'd405aa',
      'd500aabb',
      'd605aabbccdd',
      'd7050102030405060708',
      `d805${'11'.repeat(16)}`,
      'c70305aabbcc',
      'c80003ffaabbcc',
      'c90000000300aabbcc',
      'a361ff62',
      'a2c1a4',
    ]) {
      const bytes = Buffer.from(hex, 'hex');
      assert.deepEqual(decode(bytes), theirs.decode(bytes), hex);
    }
  });

  it('the MessagePack codec encodes only the part of a buffer that a typed array views', () => {
    const memory = Buffer.from('secret public secret');
    const view = new Uint8Array(memory.buffer, memory.byteOffset + 7, 6);
    assert.equal(encode(view).toString('latin1'), '\xc7\x06\x00public');
    const words = new Uint16Array(new ArrayBuffer(8), 2, 1);
    assert.equal(encode(words).length, 3 + 2);
  });

  it('the MessagePack codec refuses bytes whose memory has been transferred', () => {
    const views = [
      (memory) => memory,
      (memory) => Buffer.from(memory),
      (memory) => new Uint8Array(memory),
      (memory) => new DataView(memory),
    ];
    for (const view of views) {
      const memory = new ArrayBuffer(4);
      const value = view(memory);
      structuredClone(memory, { transfer: [memory] });
      assert.throws(() => encode({ value }), TypeError);
    }
  });

  it('the MessagePack codec decodes __proto__ as an own property', () => {
    const value = decode(theirs.encode(JSON.parse('{"__proto__":{"isAdmin":true},"a":1}')));
    assert.equal(value.isAdmin, undefined);
    assert.deepEqual(Object.keys(value), ['__proto__', 'a']);
    assert.equal(Object.getPrototypeOf(value), Object.prototype);
    assert.deepEqual(encode(value), theirs.encode(value));
  });

  it('the MessagePack codec detects a circular value before it has written much', () => {
    const circle = { text: 'x'.repeat(1_000_000) };
    circle.deep = [[circle]];
    assert.throws(() => encode(circle), /circle/);
    const list = [];
    list.push(list);
    assert.throws(() => encode(list), /circle/);
    // The same object twice is none.
    const twice = { a: 1 };
    let deep = [twice, twice];
    for (let depth = 0; depth < 30; depth++) deep = [deep, twice, twice];
    check(deep, 'the same object often');
  });

  it('the MessagePack codec decodes 100,000 levels of nesting', () => {
    const depth = 100_000;
    let value = decode(Buffer.concat([Buffer.alloc(depth, 0x91), Buffer.from([0xc0])]));
    for (let at = 0; at < depth; at++) [value] = value;
    assert.equal(value, null);
    let written = [];
    for (let at = 0; at < 2500; at++) written = { written };
    let read = decode(encode(written));
    for (let at = 0; at < 2500; at++) read = read.written;
    assert.deepEqual(read, []);
  });

  it('the MessagePack codec may be called by a getter of a value that it encodes', () => {
    const inner = { text: 'inner' };
    let within;
    const outer = {
      before: 'b',
      get getter() {
        within = encode(inner);
        return 1;
      },
      method: { toJSON: () => encode(inner).length },
      large: 'x'.repeat(20_000),
      after: 'a',
    };
    const plain = {
      before: 'b',
      getter: 1,
      method: encode(inner).length,
      large: outer.large,
      after: 'a',
    };
    assert.deepEqual(encode(outer), theirs.encode(plain));
    assert.deepEqual(within, theirs.encode(inner));
    assert.throws(() =>
      encode([
        {
          get bad() {
            throw new Error('bad');
          },
        },
      ]),
    );
    assert.deepEqual(encode(plain), theirs.encode(plain));
  });

  it('the MessagePack codec replaces lone surrogates', () => {
    for (const text of ['\ud800', 'a\udc00b', `${'x'.repeat(40)}\ud800`]) {
      assert.equal(decode(encode(text)), text.toWellFormed());
    }
  });

  it('the MessagePack codec throws for truncated input', () => {
    const whole = encode([{ a: [1, 'text', 2.5, new Date(0), Buffer.from('x')] }, 'y'.repeat(300)]);
    for (let end = 0; end < 60; end++) {
      const cut = whole.subarray(0, end);
      let value;
      try {
        value = decode(cut);
      } catch (error) {
        assert.ok(error instanceof RangeError || error instanceof TypeError, String(error));
        continue;
      }
      assert.notDeepEqual(value, decode(whole));
    }
    assert.throws(() => decode(Buffer.from([0xc1])), RangeError);
  });
});
