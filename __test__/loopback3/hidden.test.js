'use strict';

// Changes of a model say nothing of what clients may not see of it: in data, in filters, in ids.

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const { observersOf } = require('../../lib/loopback3/observers');
const { newApp } = require('../support/loopback3');

/** A value of a hidden property, to be looked for in what is sent. */
const SECRET = 'hidden-value';

/**
 * Makes a model with hidden and protected properties, and listens to its changes.
 *
 * @param {object} [settings] of the model
 * @returns {{Model: Function, items: object[]}} the model, and the items that clients are sent
 */
function newModel(settings = {}) {
  const app = newApp();
  const { registry } = app;
  const embedded = { base: 'Model', hidden: ['pin'], idInjection: false };
  const Maker = registry.createModel('Maker', { name: 'string', pin: 'string' }, embedded);
  app.model(Maker, { dataSource: 'db', public: false });
  const Model = registry.createModel(
    'Novel',
    {
      title: 'string',
      ssn: 'string',
      year: 'number',
      rank: 'string',
      maker: 'Maker',
      makers: ['Maker'],
      inline: { a: 'string' },
      free: 'object',
    },
    { hidden: ['ssn'], protected: ['rank'], validateUpsert: false, ...settings },
  );
  app.model(Model, { dataSource: 'db' });
  const items = [];
  observersOf(Model).listen(({ item }) => items.push(item), false);
  return { Model, items };
}

describe('what changes of a model say', () => {
  it('a filter that names a hidden property anywhere is sent as null, others as they are', async () => {
    const hidden = [
      { ssn: SECRET },
      { ssn: { inq: [SECRET] }, title: 'A' },
      { 'ssn.digits': SECRET },
      { and: [{ ssn: SECRET }, { title: 'A' }] },
      { or: [{ title: 'A' }, { ssn: { neq: SECRET } }] },
      { and: [{ or: [{ and: [{ ssn: { like: SECRET } }] }] }] },
      { rank: SECRET },
      { 'maker.pin': SECRET },
      { 'makers.0.pin': SECRET },
    ];
    const visible = [
      { title: 'ssn' },
      { and: [{ title: 'A' }, { or: [{ year: { gt: 1 } }, { year: { inq: [1, 2] } }] }] },
      { 'maker.name': 'x' },
      {},
    ];
    const { Model, items } = newModel();
    for (const where of [...hidden, ...visible]) {
      await Model.updateAll(structuredClone(where), { title: 'B' });
      await Model.destroyAll(structuredClone(where));
      const [updated, removed] = items.splice(0);
      const expected = hidden.includes(where) ? null : where;
      assert.deepEqual(updated, { type: 'update', where: expected, data: { title: 'B' } });
      assert.deepEqual(removed, { type: 'remove', where: expected });
    }
  });

  it('operators that this package does not know do not let names of hidden properties through', () => {
    const wheres = [
      { nor: [{ ssn: SECRET }] },
      { not: { ssn: SECRET } },
      { any: { of: [[{ ssn: SECRET }]] } },
      { $or: [{ ssn: SECRET }] },
      { $expr: { $eq: ['$ssn', SECRET] } },
      { $where: `this.ssn === '${SECRET}'` },
      { maker: { pin: SECRET } },
      () => true,
    ];
    const { Model, items } = newModel();
    const { observed } = observersOf(Model);
    for (const where of wheres) {
      observed['after delete']({ Model, where }, () => {});
      assert.deepEqual(items.splice(0), [{ type: 'remove', where: null }]);
    }
    const where = { $or: [{ title: 'A' }] };
    observed['after delete']({ Model, where }, () => {});
    assert.deepEqual(items, [{ type: 'remove', where }]);
  });

  it('a filter is sent if what it names is hidden in another model than it names it of', async () => {
    const app = newApp();
    const properties = { sku: 'string', status: 'string', ok: 'string' };
    const Line = app.registry.createModel('Line', properties, { hidden: ['id', 'status'] });
    app.model(Line, { dataSource: 'db', public: false });
    const Order = app.registry.createModel('Order', { status: 'string', free: 'object' });
    app.model(Order, { dataSource: 'db' });
    Order.embedsMany(Line, { as: 'lines', property: 'lineItems' });
    const items = [];
    observersOf(Order).listen(({ item }) => items.push(item), false);
    const wheres = [
      [{ status: 'new' }, true],
      [{ id: { inq: [1, 2] } }, true],
      [
        { and: [{ status: { neq: 'new' } }, { or: [{ id: 1 }, { nor: [{ status: 'x' }] }] }] },
        true,
      ],
      [{ 'lineItems.sku': 'x', lineItems: { sku: { inq: ['x'] } } }, true],
      [{ free: { a: 1 } }, true],
      [{ 'lineItems.status': 'x' }, false],
      [{ 'lineItems.0.id': 1 }, false],
      [{ lineItems: { elemMatch: { status: 'x' } } }, false],
      [{ and: [{ lineItems: [{ status: 'x' }] }] }, false],
      // What there is no model for may be anything.
      [{ 'lines.status': 'x' }, false],
      [{ 'free.id': 1 }, false],
      [{ free: { status: 1 } }, false],
      [{ any: [{ status: 'new' }] }, false],
      [{ and: { status: 'new' } }, false],
      [{ 'and.status': 'new' }, false],
      [{ $or: [{ status: 'new' }] }, false],
    ];
    const { observed } = observersOf(Order);
    for (const [where, isSent] of wheres) {
      observed['after delete']({ Model: Order, where }, () => {});
      assert.deepEqual(items.splice(0), [{ type: 'remove', where: isSent ? where : null }]);
    }
    Order.definition.properties.and = { type: [Line] };
    observed['after delete']({ Model: Order, where: { and: [{ status: 'x' }] } }, () => {});
    assert.deepEqual(items, [{ type: 'remove', where: null }]);
  });

  it('a filter is not sent if an operator of MongoDB has the name of a hidden property as a whole word', () => {
    const { Model, items } = newModel({ hidden: ['p', 'a-b', 'größe'], protected: [] });
    const wheres = [
      [{ $expr: { $gt: ['$apples', 1] } }, true],
      [{ $where: 'this.apples > 1' }, true],
      [{ $expr: { $gt: ['$p', 1] } }, false],
      [{ $expr: { $gt: ['$maker.pin', 1] } }, false],
      [{ $where: 'return\np > 1' }, false],
      [{ $where: 'this["a-b"] > 1' }, false],
      [{ $where: 'this.größe > 1' }, false],
      [{ $or: [{ 'x.p': 1 }] }, false],
    ];
    for (const [where, isSent] of wheres) {
      observersOf(Model).observed['after delete']({ Model, where }, () => {});
      assert.deepEqual(items.splice(0), [{ type: 'remove', where: isSent ? where : null }]);
    }
  });

  it('a condition on the id is no target, an id is one', async () => {
    class ObjectId {
      toJSON() {
        return 'abc';
      }
    }
    const { Model, items } = newModel();
    const conditions = [
      { inq: [1, 2] },
      { gt: 1 },
      [1, 2],
      /1/,
      Object.assign(Object.create(null), { neq: 1 }),
    ];
    for (const id of conditions) {
      observersOf(Model).observed['after delete']({ Model, where: { id } }, () => {});
      assert.ok(!('target' in items.pop()), JSON.stringify(id));
    }
    for (const id of [1, 0, 'a', new ObjectId()]) {
      observersOf(Model).observed['after delete']({ Model, where: { id } }, () => {});
      assert.equal(items.pop().target, JSON.parse(JSON.stringify(id)));
    }
  });

  it('a filter of a model that hides nothing is sent whatever it has', () => {
    const { Model, items } = newModel({ hidden: [], protected: [] });
    delete Model.definition.properties.maker;
    delete Model.definition.properties.makers;
    const where = { and: [{ ssn: SECRET }, { $expr: { $eq: ['$ssn', 1] } }] };
    observersOf(Model).observed['after delete']({ Model, where }, () => {});
    assert.deepEqual(items, [{ type: 'remove', where }]);
  });

  it('the data of an updateAll is sent without hidden properties, also of embedded models', async () => {
    const { Model, items } = newModel();
    const maker = { name: 'x', pin: SECRET };
    const inline = { a: 'y' };
    await Model.updateAll({}, { title: 'B', ssn: SECRET, rank: SECRET, maker, makers: [maker] });
    await Model.updateAll({}, { inline, free: { pin: 1, ssn: [2] } });
    const seen = { name: 'x' };
    assert.deepEqual(
      items.map(({ data }) => data),
      [
        { title: 'B', maker: seen, makers: [seen] },
        { inline, free: { pin: 1, ssn: [2] } },
      ],
    );
  });

  it('data with paths and operators of MongoDB is sent without what names hidden properties', () => {
    const { Model, items } = newModel();
    const data = {
      'maker.name': 'x',
      'maker.pin': SECRET,
      'makers.0.pin': SECRET,
      'makers.$[].pin': SECRET,
      'ssn.digits': SECRET,
      $set: { ssn: SECRET, title: 'A' },
      $rename: { title: 'ssn' },
      $push: { makers: { $each: [{ pin: SECRET }] } },
      $inc: { year: 1 },
    };
    observersOf(Model).observed['after save']({ Model, where: {}, data }, () => {});
    assert.deepEqual(items, [
      { type: 'update', where: {}, data: { 'maker.name': 'x', $inc: { year: 1 } } },
    ]);
  });

  it('an instance is sent as REST sends it', async () => {
    const { Model, items } = newModel();
    const maker = { name: 'x', pin: SECRET };
    const novel = await Model.create({ title: 'A', ssn: SECRET, maker, makers: [maker] });
    await novel.patchAttributes({ ssn: `${SECRET}2` });
    await novel.destroy();
    const expected = JSON.parse(JSON.stringify(novel));
    assert.deepEqual(expected.maker, { name: 'x' });
    assert.deepEqual(
      items.map(({ type, data }) => [type, data]),
      ['create', 'update', 'remove'].map((type) => [type, expected]),
    );
    assert.ok(!JSON.stringify(items).includes(SECRET));
  });

  it('an id that is hidden is not sent as the target either', async () => {
    const { Model, items } = newModel({ hidden: ['id'] });
    const novel = await Model.create({ title: 'A' });
    await novel.patchAttributes({ title: 'B' });
    await Model.deleteById(novel.id);
    assert.deepEqual(
      items.map(({ type, target, where, data }) => [type, target, where, data?.title, data?.id]),
      [
        ['create', undefined, undefined, 'A', undefined],
        ['update', undefined, undefined, 'B', undefined],
        ['remove', undefined, null, undefined, undefined],
      ],
    );
  });
});
