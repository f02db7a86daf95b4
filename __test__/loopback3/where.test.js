'use strict';

// The filter of `Model.changes` selects what `Model.find` selects.

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const { compileLike } = require('../../lib/loopback3/like');
const { InvalidWhere, compileWhere } = require('../../lib/loopback3/where');
const { newApp } = require('../support/loopback3');

const BOOKS = [
  {
    title: 'Frankenstein',
    year: 1818,
    published: '1818-01-01T00:00:00Z',
    sold: true,
    tags: ['a', 'b'],
  },
  {
    title: 'The Last Man',
    year: 1826,
    published: '1826-02-01T00:00:00Z',
    sold: false,
    tags: ['b'],
  },
  { title: 'Middlemarch', year: 1871, sold: null, maker: { name: 'Eliot', born: 1819 } },
  { title: 'the time machine', year: 1895, maker: { name: 'Wells' } },
  { title: '100% _cotton', year: null },
  { title: '', year: 0 },
];

const WHERES = [
  {},
  { title: 'Middlemarch' },
  { year: 1818 },
  { year: '1818' },
  { year: null },
  { sold: true },
  { sold: false },
  { published: '1818-01-01' },
  { published: { gt: '1820-01-01' } },
  { year: { gt: 1826 } },
  { year: { gte: 1826 } },
  { year: { lt: 1826 } },
  { year: { lte: 1826 } },
  { year: { between: [1818, 1871] } },
  { year: { inq: [1818, 1895, 3] } },
  { year: { inq: [] } },
  { year: { nin: [1818, 1895] } },
  { year: { neq: 1818 } },
  { title: { neq: 'Middlemarch' } },
  { title: { gt: 'M' } },
  { title: { like: '%an%' } },
  { title: { nlike: '%an%' } },
  { title: { ilike: '%THE%' } },
  { title: { nilike: '%THE%' } },
  { tags: 'a' },
  { tags: 'c' },
  { 'maker.name': 'Eliot' },
  { 'maker.name': { inq: ['Wells'] } },
  { and: [{ year: { gt: 1800 } }, { sold: true }] },
  { or: [{ year: 1818 }, { title: 'Middlemarch' }] },
  { or: [{ and: [{ year: 1818 }, { sold: false }] }, { year: 1895 }], title: { ilike: 't%' } },
  { id: 2 },
  { id: '2' },
  { id: { inq: ['1', 3] } },
];

/**
 * @param {unknown} where a filter
 * @returns {import('../../lib/loopback3/where').Matcher} whether an untyped object matches
 */
const compile = (where) => compileWhere(where, () => undefined) ?? (() => true);

/**
 * @param {number} seed where to begin
 * @returns {(below: number) => number} gives whole numbers that look random, always the same ones
 */
function randomFrom(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/**
 * @param {(below: number) => number} random gives random numbers
 * @param {string[]} characters of which the text is
 * @param {number} below its length
 * @returns {string} a random text
 */
function textOf(random, characters, below) {
  return Array.from({ length: random(below) }, () => characters[random(characters.length)]).join(
    '',
  );
}

/**
 * The definition of `like`, in the plainest way: a table of which beginnings of a value match.
 *
 * @param {string} value a value
 * @param {string} pattern a pattern
 * @returns {boolean} whether the value matches
 */
function isLike(value, pattern) {
  const signs = pattern.match(/\\[^]|[^]/g) ?? [];
  let matching = [true, ...new Array(value.length).fill(false)];
  for (const sign of signs) {
    const before = matching;
    matching = before.map((isMatch, length) => {
      if (sign === '%') {
        return before.slice(0, length + 1).includes(true);
      }
      const isOne = sign === '_' || sign.at(-1) === value[length - 1];
      return length > 0 && before[length - 1] && isOne;
    });
  }
  return matching[value.length];
}

/** A value that counts how often its characters are read. What matches patterns has to read them one by one. */
class CountedText {
  reads = 0;
  #text;

  /**
   * @param {string} text its characters
   */
  constructor(text) {
    this.#text = text;
    this.length = text.length;
  }

  /**
   * @param {number} at where
   * @returns {number} the code unit there
   */
  charCodeAt(at) {
    this.reads += 1;
    return this.#text.charCodeAt(at);
  }
}

/**
 * @param {() => void} run what to measure
 * @returns {number} the milliseconds of the fastest of several runs, since the machine may be busy
 */
function fastest(run) {
  const times = Array.from({ length: 10 }, () => {
    const began = performance.now();
    run();
    return performance.now() - began;
  });
  return Math.min(...times);
}

describe('the filter of Model.changes', () => {
  it('a filter selects what find() of the memory connector selects', async () => {
    const app = newApp();
    const Book = app.registry.createModel('Novel', {
      title: 'string',
      year: 'number',
      published: 'date',
      sold: 'boolean',
      tags: ['string'],
      maker: 'object',
    });
    app.model(Book, { dataSource: 'db' });
    await Book.create(BOOKS);
    const all = JSON.parse(JSON.stringify(await Book.find()));
    const { properties } = Book.definition;
    for (const where of WHERES) {
      const found = await Book.find({ where: structuredClone(where) });
      const matches = compileWhere(where, (name) => properties[name]?.type) ?? (() => true);
      assert.deepEqual(
        all.filter(matches).map(({ title }) => title),
        found.map(({ title }) => title),
        JSON.stringify(where),
      );
    }
  });

  it('a pattern is for the whole value, and a backslash makes its signs ordinary', () => {
    const table = [
      ['abc', 'abc', true],
      ['abc', 'ab', false],
      ['abc', 'a%', true],
      ['abc', '%c', true],
      ['abc', '%b%', true],
      ['abc', 'a_c', true],
      ['abc', '_', false],
      ['', '%', true],
      ['', '', true],
      ['aaab', '%a%ab', true],
      ['a%c', 'a\\%c', true],
      ['abc', 'a\\%c', false],
      ['a\\c', 'a\\\\c', true],
      ['(a+)+', '(a+)+', true],
      [5, '5', false],
      [null, '%', false],
    ];
    for (const [value, like, expected] of table) {
      assert.equal(compile({ value: { like } })({ value }), expected, `${value} like ${like}`);
    }
  });

  it('a pattern selects what its definition says, for random patterns and values', () => {
    const random = randomFrom(20_261_129);
    let matching = 0;
    for (let i = 0; i < 20_000; i++) {
      const like = textOf(random, ['a', 'b', 'A', '%', '_', '\\'], i % 10 === 0 ? 70 : 9);
      const value = textOf(random, ['a', 'b', 'A', '%', '_', '\\'], i % 10 === 0 ? 140 : 12);
      const expected = isLike(value, like);
      const expectedAnyCase = isLike(value.toLowerCase(), like.toLowerCase());
      const results = ['like', 'nlike', 'ilike', 'nilike'].map((operator) =>
        compile({ value: { [operator]: like } })({ value }),
      );
      const message = JSON.stringify({ like, value });
      assert.deepEqual(results, [expected, !expected, expectedAnyCase, !expectedAnyCase], message);
      matching += Number(expected);
    }
    assert.ok(matching > 1000, `${matching} match`);
  });

  it('a pattern that begins and ends with % selects what it selects in the memory connector', async () => {
    const random = randomFrom(3);
    const app = newApp();
    const Text = app.registry.createModel('Text', { value: 'string' });
    app.model(Text, { dataSource: 'db' });
    const values = Array.from({ length: 200 }, () => textOf(random, ['a', 'b', 'A', ' '], 40));
    await Text.create(values.map((value) => ({ value })));
    const all = JSON.parse(JSON.stringify(await Text.find()));
    for (let i = 0; i < 100; i++) {
      const pattern = `%${textOf(random, ['a', 'b', 'A', '%', '_'], 14)}%`;
      for (const operator of ['like', 'nlike', 'ilike', 'nilike']) {
        const where = { value: { [operator]: pattern } };
        const found = await Text.find({ where: structuredClone(where) });
        assert.deepEqual(
          all.filter(compile(where)).map(({ id }) => id),
          found.map(({ id }) => id),
          JSON.stringify(where),
        );
      }
    }
  });

  it('a pattern reads each character of the value about once, whatever both are', () => {
    const long = 'a'.repeat(480);
    const patterns = [
      `${'%a'.repeat(400)}%b`,
      `%${long}${long}b`,
      `%b${long}${long}%`,
      `%${long}b${long}%`,
      `%${'a'.repeat(10)}b${long}${long}%`.slice(0, 990),
      `%_${long}_${long}_b%`,
      `%${'_a'.repeat(480)}b%`,
      `%${'\\a'.repeat(480)}b%`,
    ];
    const values = ['a'.repeat(100_000), `${long}b${long}`.repeat(100)];
    for (const pattern of patterns) {
      const matches = compileLike(pattern);
      for (const value of values) {
        const counted = new CountedText(value);
        assert.equal(matches(counted), matches(value));
        const most = value.length + pattern.length;
        assert.ok(counted.reads <= most, `${counted.reads} reads of ${value.length} characters`);
      }
    }
  });

  it('a list is not compared with each element of an array', () => {
    const listOf = (count) => Array.from({ length: count }, (_, i) => `no ${i}`);
    const tags = Array.from({ length: 20_000 }, (_, i) => `tag ${i}`);
    for (const operator of ['inq', 'nin']) {
      const times = [10, 1000].map((count) => {
        const matches = compile({ tags: { [operator]: listOf(count) } });
        assert.equal(matches({ tags }), operator === 'nin');
        assert.equal(matches({ tags: [...tags, 'no 7'] }), operator === 'inq');
        assert.equal(matches({}), operator === 'nin');
        return fastest(() => matches({ tags }));
      });
      // A hundred times the list would take a hundred times as long.
      assert.ok(times[1] < 20 * times[0], `${operator}: ${times.join(' ms, ')} ms`);
    }
  });

  it('a list has what equals one of its values, for every type of property', () => {
    const values = [null, 0, 1, '1', '', true, false, 'true', -1, 1.5, 'null', 'undefined', 'NaN'];
    for (const type of [undefined, String, Boolean]) {
      for (const one of values) {
        const isIn = compileWhere({ p: { inq: ['other', one] } }, () => type);
        const isEqual = compileWhere({ or: [{ p: 'other' }, { p: one }] }, () => type);
        for (const data of [{}, { p: {} }, { p: [] }, ...values.map((p) => ({ p }))]) {
          assert.equal(isIn(data), isEqual(data), JSON.stringify([one, data]));
        }
      }
    }
  });

  it('a filter that is no filter, is too large or asks for too much is refused', () => {
    let deep = { a: 1 };
    for (let i = 0; i < 12; i++) deep = { and: [deep] };
    const wheres = [
      5,
      'title',
      [],
      { and: {} },
      { and: [] },
      { or: [5] },
      { or: [null] },
      { title: {} },
      { title: { regexp: '(a+)+$' } },
      { title: { near: 1 } },
      { title: { constructor: 1 } },
      { title: { like: 5 } },
      { title: { like: 'x'.repeat(2000) } },
      { title: { eq: { a: 1 } } },
      { title: ['a'] },
      { title: { inq: 'a' } },
      { title: { inq: [[1]] } },
      { title: { inq: new Array(2000).fill(1) } },
      { title: { between: [1] } },
      { title: NaN },
      { or: new Array(200).fill({ a: 1 }) },
      Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`p${i}`, 1])),
      deep,
      { hidden: 1 },
      { 'hidden.x': 1 },
      { and: [{ hidden: { gt: 1 } }] },
    ];
    for (const where of wheres) {
      const typeOf = (name) => (name === 'hidden' ? null : undefined);
      assert.throws(() => compileWhere(where, typeOf), InvalidWhere, JSON.stringify(where));
    }
    const types = { year: Number, published: Date };
    for (const where of [{ year: 'x' }, { published: 'x' }, { year: { gt: 'x' } }]) {
      assert.throws(() => compileWhere(where, (name) => types[name]), InvalidWhere);
    }
  });

  it('all operators of a condition have to hold', () => {
    const matches = compile({ year: { gt: 1818, lt: 1895 } });
    assert.deepEqual(
      [1818, 1826, 1895].map((year) => matches({ year })),
      [false, true, false],
    );
  });

  it('a filter with nor selects what the same with or does not', () => {
    const matches = compile({ nor: [{ year: 1818 }, { title: 'x' }] });
    assert.deepEqual([{ year: 1818 }, { title: 'x' }, {}].map(matches), [false, false, true]);
  });

  it('names that every object has are properties like others', () => {
    assert.equal(compile({ constructor: 'x' })({}), false);
    assert.equal(compile(JSON.parse('{"__proto__":1}'))({}), false);
    assert.equal(compile(JSON.parse('{"__proto__":1}'))(JSON.parse('{"__proto__":1}')), true);
    assert.equal(compile({ 'a.length': 1 })({ a: 'x' }), false);
  });
});
