'use strict';

// `Model.changes`: a subscription to the changes of a model of LoopBack 3.

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const { HOSTS, authenticate, next } = require('../support/js-hosts');
const { logIn, newApp, serve } = require('../support/loopback3');
const { limited } = require('../support/waiting');

const OWNER_ACLS = [
  { principalType: 'ROLE', principalId: '$everyone', permission: 'DENY', accessType: '*' },
  { principalType: 'ROLE', principalId: '$owner', permission: 'ALLOW', accessType: '*' },
  { principalType: 'ROLE', principalId: 'auditor', permission: 'ALLOW', accessType: 'READ' },
  { principalType: 'ROLE', principalId: 'banned', permission: 'DENY', accessType: '*' },
];

const OWNED = {
  acls: OWNER_ACLS,
  relations: { customer: { type: 'belongsTo', model: 'Customer', foreignKey: 'customerId' } },
};

/**
 * @param {object} token an access token
 * @returns {object} the credentials that name it
 */
const credentialsOf = ({ id, userId }) => ({ id, userId });

/**
 * Subscribes a client to the changes of `Book`.
 *
 * @param {object} client the client
 * @param {object} [args] of the subscription
 * @returns {Promise<object>} the answer, with `items` that grow and `seen(count)`, which waits for that many
 */
async function subscribe(client, args) {
  const items = [];
  let told = () => {};
  const listener = (item, meta, ack) => {
    items.push(item);
    ack?.();
    told();
  };
  client.on('Book.changes', listener);
  const answer = await client.ask('Book.changes', { args });
  const seen = async (count) => {
    while (items.length < count) {
      await new Promise((resolve) => {
        told = resolve;
      });
    }
    return items;
  };
  return { ...answer, items, seen };
}

/**
 * @param {Function} Model a model
 * @returns {number} how many observers it has
 */
const observersOf = (Model) => Object.values(Model._observers ?? {}).flat().length;

for (const host of HOSTS) {
  describe(`changes of a model, sockets on ${host}`, { timeout: 60_000 }, () => {
    it('the items are those of the change stream of LoopBack', async (t) => {
      const app = newApp();
      const { Book } = app.models;
      const { connect } = await serve(t, host, app);
      const client = await connect();
      const { seen, result } = await subscribe(client);
      assert.equal(result.resumed, false);
      const stream = await Book.createChangeStream(undefined);
      const expected = [];
      stream.on('data', (change) => expected.push(JSON.parse(JSON.stringify(change))));

      const book = await Book.create({ title: 'A', published: '2020-01-01', secret: 'x' });
      await Book.create([{ title: 'B' }, { title: 'C' }]);
      await book.patchAttributes({ year: 1 });
      await Book.upsert({ id: 1, title: 'A', year: 2 });
      await Book.upsertWithWhere({ title: 'B' }, { title: 'B', year: 5 });
      await Book.replaceById(2, { title: 'D' });
      await Book.updateAll({ title: 'C' }, { year: 3 });
      await book.destroy();
      await Book.deleteById(2);
      await Book.destroyAll({ title: 'C' });
      const items = await seen(11);
      stream.destroy();
      const many = expected.find(({ where }) => where?.title === 'C');
      assert.equal(many.type, 'create', 'LoopBack takes an update of many for a creation');
      many.type = 'update';
      assert.deepEqual(items, expected);
      assert.deepEqual(
        items.map(({ type }) => type),
        ['create', 'create', 'create', 'update', 'update', 'update', 'update', 'update'].concat([
          'remove',
          'remove',
          'remove',
        ]),
      );
      assert.ok(items.every(({ data }) => !Object.hasOwn(data ?? {}, 'secret')));
    });

    it('changes that come over REST and over sockets are told', async (t) => {
      const { rest, connect } = await serve(t, host, newApp());
      const [client, other] = [await connect(), await connect()];
      const { seen } = await subscribe(client);
      await rest('POST', '/Books', { body: { title: 'A' } });
      await other.ask('Book.create', { data: { title: 'B' } });
      const titles = (await seen(2)).map(({ data }) => data.title);
      assert.deepEqual(titles, ['A', 'B']);
    });

    it('a client with a where gets what matches, removals of it included', async (t) => {
      const app = newApp();
      const { Book } = app.models;
      const { connect } = await serve(t, host, app);
      const client = await connect();
      const { seen } = await subscribe(client, { where: { year: { gt: 1900 } } });
      const [old, young, third] = await Book.create([
        { title: 'old', year: 1800 },
        { title: 'young', year: 2000 },
        { title: 'third', year: 1801 },
      ]);
      await old.patchAttributes({ title: 'older' });
      await young.patchAttributes({ title: 'younger' });
      await third.patchAttributes({ year: 1999 });
      await Book.deleteById(old.id);
      await Book.deleteById(young.id);
      await third.destroy();
      await Book.destroyAll({ title: 'nothing' });
      await Book.create({ title: 'last', year: 3000 });
      const items = await seen(6);
      assert.deepEqual(
        items.map(({ type, target, data }) => [type, target, data?.title]),
        [
          ['create', 2, 'young'],
          ['update', 2, 'younger'],
          ['update', 3, 'third'],
          ['remove', 2, undefined],
          ['remove', 3, 'third'],
          ['create', 4, 'last'],
        ],
      );
    });

    it('clients with the same where share a source', async (t) => {
      const app = newApp();
      const { connect } = await serve(t, host, app);
      const wheres = [
        { year: 1, title: 'A' },
        { title: 'A', year: 1 },
        { title: 'A', year: 2 },
        undefined,
        {},
        { and: [{}] },
      ];
      const sources = [];
      for (const where of wheres) {
        const { result } = await subscribe(await connect(), { where });
        sources.push(result.source);
      }
      const [a, b, c, all, none] = sources;
      assert.equal(a, b);
      assert.notEqual(a, c);
      assert.notEqual(a, all);
      assert.equal(all, none);
    });

    it('a where that is impossible or asks for hidden properties is refused', async (t) => {
      const { connect } = await serve(t, host, newApp());
      const client = await connect();
      for (const where of [{ secret: 'x' }, { year: { regexp: '.*' } }, 'text', { year: 'x' }]) {
        const { error } = await client.ask('Book.changes', { args: { where } });
        assert.equal(error.statusCode, 400, JSON.stringify(where));
        assert.equal(typeof error.message, 'string');
      }
    });

    it('however many subscribe, a model has one observer of each kind, and none afterwards', async (t) => {
      const app = newApp();
      const { Book } = app.models;
      const before = observersOf(Book);
      const { io, connect } = await serve(t, host, app);
      const clients = await Promise.all([connect(), connect(), connect()]);
      await Promise.all(clients.map((client) => subscribe(client)));
      assert.equal(observersOf(Book), before + 2);
      await Promise.all(clients.map((client) => subscribe(client, { where: { year: 1 } })));
      await Promise.all(clients.map((client) => subscribe(client, { where: { year: 2 } })));
      assert.equal(observersOf(Book), before + 3, 'a where has removals looked up');

      const left = clients.map(
        (client) =>
          new Promise((resolve) => {
            const sockets = io.sockets.sockets;
            const socket = sockets.get?.(client.id) ?? sockets[client.id];
            socket.once('disconnect', resolve);
          }),
      );
      clients.forEach((client) => client.disconnect());
      await Promise.all(left);
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      assert.equal(observersOf(Book), before);
    });

    it('a thousand subscriptions that begin and end leave no observer', async (t) => {
      const app = newApp();
      const { Book } = app.models;
      const before = observersOf(Book);
      const { connect } = await serve(t, host, app);
      const client = await connect();
      for (let i = 0; i < 1000; i++) {
        const { result } = await client.ask('Book.changes', { args: { where: { year: i % 3 } } });
        assert.ok(observersOf(Book) <= before + 3);
        await client.ask('loopback:unsubscribe', result.subscription);
      }
      assert.equal(observersOf(Book), before);
    });

    it('a client that may not read the model may not subscribe, and gets the error of REST', async (t) => {
      const deny = [
        { principalType: 'ROLE', principalId: '$everyone', permission: 'DENY', accessType: '*' },
        {
          principalType: 'ROLE',
          principalId: '$authenticated',
          permission: 'ALLOW',
          accessType: 'READ',
        },
      ];
      const app = newApp({ acls: deny });
      const token = await logIn(app, 'ada');
      const { rest, connect } = await serve(t, host, app);
      const nobody = await connect({});
      assert.deepEqual(await nobody.ask('Book.changes', {}), await rest('GET', '/Books'));
      const { seen } = await subscribe(await connect(credentialsOf(token)));
      await app.models.Book.create({ title: 'A' });
      assert.equal((await seen(1))[0].data.title, 'A');
    });

    it('a hook of the method that gives changes may refuse a subscription', async (t) => {
      const app = newApp();
      app.models.Book.beforeRemote('createChangeStream', (ctx, unused, done) => {
        const { where } = ctx.args.options;
        done(where ? undefined : Object.assign(new Error('where?'), { statusCode: 400 }));
      });
      const { connect } = await serve(t, host, app);
      const client = await connect();
      assert.deepEqual((await client.ask('Book.changes', {})).error, {
        statusCode: 400,
        name: 'Error',
        message: 'where?',
      });
      const { error } = await client.ask('Book.changes', { args: { where: { year: 1 } } });
      assert.equal(error, undefined);
    });

    it('an owner gets the changes of what they own, and nobody else does', async (t) => {
      const app = newApp(OWNED);
      const { Book } = app.models;
      const [ada, bob, audit] = await Promise.all(
        ['ada', 'bob', 'audit'].map((name) => logIn(app, name)),
      );
      const auditor = await app.models.Role.create({ name: 'auditor' });
      await auditor.principals.create({ principalType: 'USER', principalId: audit.userId });
      const { connect } = await serve(t, host, app);
      const [ofAda, ofBob, ofAuditor] = await Promise.all(
        [ada, bob, audit].map(async (token) => subscribe(await connect(credentialsOf(token)))),
      );
      const nobody = await connect({});
      const { error } = await nobody.ask('Book.changes', {});
      assert.equal(error.code, 'AUTHORIZATION_REQUIRED');

      const [a, b] = await Book.create([
        { title: 'of Ada', customerId: ada.userId },
        { title: 'of Bob', customerId: bob.userId },
        { title: 'of nobody' },
      ]);
      await a.patchAttributes({ year: 1 });
      await Book.updateAll({ customerId: bob.userId }, { year: 2 });
      await Book.deleteById(a.id);
      await b.destroy();
      await Book.destroyAll({ title: 'of nobody' });
      for (const token of [ada, bob])
        await Book.create({ title: 'last', customerId: token.userId });
      const kinds = (items) => items.map(({ type, target }) => `${type} ${target}`);
      assert.deepEqual(kinds(await ofAda.seen(4)), [
        'create 1',
        'update 1',
        'remove 1',
        'create 4',
      ]);
      assert.deepEqual(kinds(await ofBob.seen(3)), ['create 2', 'remove 2', 'create 5']);
      assert.equal((await ofAuditor.seen(10)).length, 10);
    });

    it('an owner whom another ACL refuses gets nothing', async (t) => {
      const app = newApp(OWNED);
      const { Book } = app.models;
      const [ada, bob] = [await logIn(app, 'ada'), await logIn(app, 'bob')];
      const banned = await app.models.Role.create({ name: 'banned' });
      await banned.principals.create({ principalType: 'USER', principalId: ada.userId });
      const { connect } = await serve(t, host, app);
      const [ofAda, ofBob] = await Promise.all(
        [ada, bob].map(async (token) => subscribe(await connect(credentialsOf(token)))),
      );
      await Book.create({ title: 'A', customerId: ada.userId });
      await Book.create({ title: 'B', customerId: bob.userId });
      await ofBob.seen(1);
      assert.equal((await ofBob.seen(1))[0].data.title, 'B');
      assert.deepEqual(ofAda.items, []);
    });

    it('a socket that authenticates as another user loses or changes what it gets', async (t) => {
      const app = newApp(OWNED);
      const { Book } = app.models;
      const [ada, bob] = [await logIn(app, 'ada'), await logIn(app, 'bob')];
      const { connect } = await serve(t, host, app);
      const client = await connect(credentialsOf(ada));
      const { seen, result } = await subscribe(client);
      await Book.create({ title: 'A', customerId: ada.userId });
      await seen(1);

      await authenticate(client, credentialsOf(bob));
      await client.ask('Book.find', {});
      await Book.create({ title: 'B', customerId: ada.userId });
      await Book.create({ title: 'C', customerId: bob.userId });
      assert.deepEqual(
        (await seen(2)).map(({ data }) => data.title),
        ['A', 'C'],
      );

      const unsubscribed = next(client, 'loopback:unsubscribed');
      await authenticate(client, {});
      const { subscription, reason } = await unsubscribed;
      assert.deepEqual([subscription, reason], [result.subscription, 'revoked']);
    });

    it('a change while a socket authenticates as another user is not told to that user', async (t) => {
      const app = newApp(OWNED);
      const { Book } = app.models;
      const [ada, bob] = [await logIn(app, 'ada'), await logIn(app, 'bob')];
      const { sockets, connect } = await serve(t, host, app);
      const client = await connect(credentialsOf(ada));
      const { seen, items } = await subscribe(client);
      await Book.create({ title: 'before', customerId: ada.userId });
      await seen(1);

      let decide;
      const asked = new Promise((resolve) => {
        sockets.auth(() => {
          resolve();
          return new Promise((accept) => {
            decide = accept;
          });
        });
      });
      const authenticated = authenticate(client, credentialsOf(bob));
      await asked;
      await Book.create({ title: 'of Ada', customerId: ada.userId });
      await Book.create({ title: 'of Bob', customerId: bob.userId });
      decide(true);
      await authenticated;
      await Book.create({ title: 'last', customerId: bob.userId });
      await seen(3);
      assert.deepEqual(
        items.map(({ data }) => data.title),
        ['before', 'of Bob', 'last'],
      );
    });

    it('changes that the app does not share are exposed only if they are named', async (t) => {
      const app = newApp();
      app.models.Book.disableRemoteMethodByName('createChangeStream');
      const silent = await serve(t, host, app);
      const client = await silent.connect();
      client.emit('Book.changes', {}, () => assert.fail('it is not shared'));
      await client.ask('Book.find', {});
      await client.ask('Book.find', {});

      const named = await serve(t, host, app, { methods: ['Book.changes'] });
      const other = await named.connect();
      const { seen } = await subscribe(other);
      await app.models.Book.create({ title: 'A' });
      assert.equal((await seen(1)).length, 1);
    });

    it('a subscription of the application goes before that of the model', async (t) => {
      const app = newApp();
      const { sockets, connect } = await serve(t, host, app);
      sockets.defineSubscription('Book.changes', () => ['mine']);
      const { seen } = await subscribe(await connect());
      assert.deepEqual(await seen(1), ['mine']);
    });
  });
}

describe('changes of models', () => {
  it('the helper for clients calls remote methods and loops over changes', async (t) => {
    const { client: help } = await import('../../client.mjs');
    const app = newApp({ acls: [] });
    const token = await logIn(app, 'ada');
    const { connect } = await serve(t, 'native', app);
    const socket = await connect(credentialsOf(token));
    const helper = help(socket, { credentials: credentialsOf(token) });
    t.after(() => helper.close());
    const created = await helper.call('Book.create', { data: { title: 'A' } });
    assert.equal(created.title, 'A');
    await assert.rejects(helper.call('Book.findById', { id: 99 }), {
      code: 'MODEL_NOT_FOUND',
      message: 'Unknown "Book" id "99".',
    });
    const before = observersOf(app.models.Book);
    const changes = helper.subscribe('Book.changes', { where: { title: 'C' } });
    const first = changes[Symbol.asyncIterator]().next();
    const check = limited('the subscription observes the model');
    while (observersOf(app.models.Book) === before) {
      check();
      await helper.call('Book.count');
    }
    await helper.call('Book.create', { data: [{ title: 'B' }, { title: 'C' }] });
    const { value } = await first;
    assert.deepEqual([value.type, value.data.title], ['create', 'C']);
  });

  it('instances that are removed are serialised once, however many filters clients have', async (t) => {
    const app = newApp();
    const { Book } = app.models;
    const { connect } = await serve(t, 'native', app);
    const client = await connect();
    for (const year of [1, 2, 3]) await subscribe(client, { where: { year: { neq: year } } });
    await Book.create([{ title: 'A', year: 1 }]);
    let count = 0;
    const { toJSON } = Book.prototype;
    Book.prototype.toJSON = function counted() {
      count += 1;
      return toJSON.call(this);
    };
    await Book.destroyAll({ title: 'A' });
    assert.equal(count, 1);
  });

  it('a model that extends another does not tell its changes to the subscribers of that', async (t) => {
    const app = newApp();
    const { Book } = app.models;
    const Novel = app.registry.createModel('Novel', {}, { base: 'Book' });
    app.model(Novel, { dataSource: 'db' });
    const { connect } = await serve(t, 'native', app);
    const { seen } = await subscribe(await connect());
    await Novel.create({ title: 'novel' });
    await Book.create({ title: 'book' });
    assert.deepEqual(
      (await seen(1)).map(({ data }) => data.title),
      ['book'],
    );
  });
});
