'use strict';

// The filter of `Model.changes` selects what `Model.find` selects.

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
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

  it('a pattern with many signs takes little time on a long value', () => {
    const matches = compile({ value: { like: `${'%a'.repeat(400)}%b` } });
    const began = process.hrtime.bigint();
    assert.equal(matches({ value: 'a'.repeat(20_000) }), false);
    assert.ok(process.hrtime.bigint() - began < 5_000_000_000n);
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
