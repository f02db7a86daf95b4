'use strict';

// Remote methods over a socket do what they do over REST: hooks, access control, results and errors.

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const LoopbackSocket = require('../..');
const {
  FakeServer,
  HOSTS,
  authenticate,
  call,
  newInstance,
  openServer,
  socketOf,
} = require('../support/js-hosts');
const { logIn, newApp, serve } = require('../support/loopback3');

const SECRET_ACLS = [
  { principalType: 'ROLE', principalId: '$everyone', permission: 'DENY', accessType: '*' },
  {
    principalType: 'ROLE',
    principalId: '$authenticated',
    permission: 'ALLOW',
    property: ['create', 'find'],
  },
  { principalType: 'ROLE', principalId: '$owner', permission: 'ALLOW', accessType: '*' },
];

/**
 * @param {object} token an access token
 * @returns {object} the credentials that name it
 */
const credentialsOf = ({ id, userId }) => ({ id, userId });

for (const host of HOSTS) {
  describe(`remote methods, sockets on ${host}`, { timeout: 60_000 }, () => {
    it('the methods of a model give over a socket what they give over REST', async (t) => {
      const { rest, connect } = await serve(t, host, newApp());
      const client = await connect();
      const data = { title: 'Frankenstein', year: 1818, published: '1818-01-01', secret: 'x' };

      const created = await client.ask('Book.create', { data });
      assert.deepEqual(await rest('GET', '/Books/1'), created);
      assert.equal(created.result.published, '1818-01-01T00:00:00.000Z');
      assert.equal(Object.hasOwn(created.result, 'secret'), false, 'hidden properties stay hidden');
      await client.ask('Book.create', { data: [{ title: 'A' }, { title: 'B' }] });

      const filter = {
        where: { title: { inq: ['A', 'Frankenstein'] } },
        order: 'title DESC',
        limit: 5,
      };
      const pairs = [
        ['Book.find', { filter }, ['GET', '/Books', { query: { filter: JSON.stringify(filter) } }]],
        ['Book.find', undefined, ['GET', '/Books', {}]],
        ['Book.findById', { id: 1 }, ['GET', '/Books/1', {}]],
        ['Book.findById', { id: 99 }, ['GET', '/Books/99', {}]],
        [
          'Book.findById',
          { id: 1, filter: { fields: ['year'] } },
          ['GET', '/Books/1', { query: { filter: '{"fields":["year"]}' } }],
        ],
        [
          'Book.findOne',
          { filter: { where: { title: 'none' } } },
          ['GET', '/Books/findOne', { query: { filter: '{"where":{"title":"none"}}' } }],
        ],
        ['Book.exists', { id: 99 }, ['GET', '/Books/99/exists', {}]],
        [
          'Book.count',
          { where: { year: { gt: 1800 } } },
          ['GET', '/Books/count', { query: { where: '{"year":{"gt":1800}}' } }],
        ],
        [
          'Book.updateAll',
          { where: { title: 'A' }, data: { year: 1900 } },
          ['POST', '/Books/update', { query: { where: '{"title":"A"}' }, body: { year: 1900 } }],
        ],
        [
          'Book.patchOrCreate',
          { data: { id: 2, year: 1901 } },
          ['PATCH', '/Books', { body: { id: 2, year: 1901 } }],
        ],
        [
          'Book.upsert',
          { data: { id: 2, year: 1902 } },
          ['PATCH', '/Books', { body: { id: 2, year: 1902 } }],
        ],
        [
          'Book.replaceById',
          { id: 2, data: { title: 'C' } },
          ['PUT', '/Books/2', { body: { title: 'C' } }],
        ],
        [
          'Book.prototype.patchAttributes',
          { id: 2, data: { title: 'D' } },
          ['PATCH', '/Books/2', { body: { title: 'D' } }],
        ],
        [
          'Book.prototype.patchAttributes',
          { id: 99, data: { title: 'D' } },
          ['PATCH', '/Books/99', { body: { title: 'D' } }],
        ],
        ['Book.create', { data: { year: 1 } }, ['POST', '/Books', { body: { year: 1 } }]],
        ['Book.find', { filter: 'not JSON' }, ['GET', '/Books', { query: { filter: 'not JSON' } }]],
        [
          'Book.find',
          { filter: { where: { year: { unheardOf: 1 } } } },
          ['GET', '/Books', { query: { filter: '{"where":{"year":{"unheardOf":1}}}' } }],
        ],
        ['Book.deleteById', { id: 99 }, ['DELETE', '/Books/99', {}]],
        [
          'Customer.login',
          { credentials: { email: 'a@example.com', password: 'b' } },
          ['POST', '/Customers/login', { body: { email: 'a@example.com', password: 'b' } }],
        ],
      ];
      for (const [name, args, request] of pairs) {
        const expected = await rest(...request);
        const answer = await (args === undefined ? client.ask(name) : client.ask(name, args));
        assert.deepEqual(answer, expected, `${name} ${JSON.stringify(args)}`);
      }
    });

    it('errors have the status, the name, the code and the details that they have over REST', async (t) => {
      const { connect } = await serve(t, host, newApp());
      const client = await connect();
      assert.deepEqual((await client.ask('Book.findById', { id: 5 })).error, {
        statusCode: 404,
        name: 'Error',
        message: 'Unknown "Book" id "5".',
        code: 'MODEL_NOT_FOUND',
      });
      const { error } = await client.ask('Book.create', { data: {} });
      assert.equal(error.statusCode, 422);
      assert.equal(error.name, 'ValidationError');
      assert.deepEqual(error.details.codes, { title: ['presence'] });
    });

    it('an error of the server itself is sent as its status alone', async (t) => {
      const app = newApp();
      const { Book } = app.models;
      const thrown = { now: new Error('the database is at 10.0.0.1') };
      Book.fail = async () => {
        throw thrown.now;
      };
      Book.remoteMethod('fail', { http: { verb: 'post' } });
      const { rest, connect } = await serve(t, host, app);
      const client = await connect();
      const values = [thrown.now, 'text', { statusCode: 418, message: 'teapot' }, [new Error('a')]];
      for (thrown.now of values) {
        assert.deepEqual(await client.ask('Book.fail'), await rest('POST', '/Books/fail'));
      }
      thrown.now = values[0];
      assert.deepEqual(await client.ask('Book.fail'), {
        error: { statusCode: 500, message: 'Internal Server Error' },
      });
    });

    it('remote hooks run in the order of REST, with the arguments, the result and the instance', async (t) => {
      const app = newApp();
      const { Book } = app.models;
      const log = [];
      const note =
        (what) =>
        (ctx, ...rest) => {
          const { id } = ctx.instance ?? {};
          log.push([what, ctx.method.stringName, Object.keys(ctx.args), id, ctx.req.method]);
          rest.find((one) => typeof one === 'function')();
        };
      const remotes = app.remotes();
      remotes.before('**', note('remotes.before'));
      remotes.after('**', note('remotes.after'));
      remotes.afterError('**', note('remotes.afterError'));
      Book.beforeRemote('create', note('beforeRemote'));
      Book.afterRemote('create', (ctx, result, next) => {
        note('afterRemote')(ctx, next);
        ctx.result = { title: result.title, by: 'hook' };
      });
      Book.beforeRemote('prototype.patchAttributes', note('beforeRemote'));
      Book.afterRemoteError('*', (ctx, next) => {
        log.push(['afterRemoteError', ctx.error.statusCode]);
        next();
      });
      const { rest, connect } = await serve(t, host, app);
      const client = await connect();

      const both = async (name, args, ...request) => {
        log.length = 0;
        const answer = await client.ask(name, args);
        const overSocket = log.splice(0);
        const expected = await rest(...request);
        assert.deepEqual(answer, expected);
        assert.deepEqual(overSocket, log);
        assert.ok(log.length > 1);
        return answer;
      };
      const { result } = await both('Book.create', { data: { title: 'A' } }, 'POST', '/Books', {
        body: { title: 'A' },
      });
      assert.deepEqual(result, { title: 'A', by: 'hook' });
      await both(
        'Book.prototype.patchAttributes',
        { id: 1, data: { year: 1 } },
        'PATCH',
        '/Books/1',
        {
          body: { year: 1 },
        },
      );
      await both('Book.create', { data: {} }, 'POST', '/Books', { body: {} });
    });

    it('a hook knows the socket, and the response that a hook ends ends the call', async (t) => {
      const app = newApp();
      const { Book } = app.models;
      let seen;
      Book.beforeRemote('find', (ctx, unused, next) => {
        seen = ctx.req.loopbackSocket;
        assert.equal(typeof ctx.req.ip, 'string');
        assert.ok(ctx.req.get('host').startsWith('localhost'));
        const { answer } = ctx.args.filter ?? {};
        if (answer === undefined) next();
        else answer(ctx.res);
      });
      const { io, connect } = await serve(t, host, app);
      const client = await connect();
      await client.ask('Book.find');
      assert.equal(seen.id, client.id);
      assert.ok(io);
      const answers = [
        [(res) => res.json({ own: true }), { result: { own: true } }],
        [(res) => res.status(204).end(), {}],
        [(res) => res.send('text'), { result: 'text' }],
        [
          (res) => res.status(409).json({ error: { message: 'busy' } }),
          { error: { statusCode: 409, message: 'busy' } },
        ],
        [(res) => res.sendStatus(403), { error: { statusCode: 403, message: 'Forbidden' } }],
      ];
      for (const [answer, expected] of answers) {
        Book.observe('access', (ctx, next) => next());
        app.remotes().options.answer = answer;
        Book.beforeRemote('count', (ctx) => app.remotes().options.answer(ctx.res));
        assert.deepEqual(await client.ask('Book.count'), expected);
      }
    });

    it('a method that writes its response in pieces is refused when it does', async (t) => {
      const app = newApp();
      const { Book } = app.models;
      Book.stream = (ctx) => {
        ctx.res.write('a');
        ctx.res.end('b');
      };
      Book.remoteMethod('stream', {
        accepts: { arg: 'ctx', type: 'object', http: { source: 'context' } },
      });
      const { connect } = await serve(t, host, app);
      const client = await connect();
      const { error } = await client.ask('Book.stream');
      assert.equal(error.code, 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_REMOTE_METHOD');
      assert.match(error.message, /Book\.stream .* writes its response in pieces/);
    });

    it('access control allows and refuses as over REST', async (t) => {
      const app = newApp({
        acls: SECRET_ACLS,
        relations: { customer: { type: 'belongsTo', model: 'Customer', foreignKey: 'customerId' } },
      });
      const [ada, bob] = [await logIn(app, 'ada'), await logIn(app, 'bob')];
      const { Book } = app.models;
      await Book.create({ title: 'of Ada', customerId: ada.userId });
      const { rest, connect } = await serve(t, host, app);
      const cases = [
        ['Book.find', {}, 'GET', '/Books', {}],
        ['Book.findById', { id: 1 }, 'GET', '/Books/1', {}],
        ['Book.findById', { id: 7 }, 'GET', '/Books/7', {}],
        [
          'Book.prototype.patchAttributes',
          { id: 1, data: { year: 1 } },
          'PATCH',
          '/Books/1',
          {
            body: { year: 1 },
          },
        ],
        [
          'Book.prototype.patchAttributes',
          { id: 7, data: { year: 1 } },
          'PATCH',
          '/Books/7',
          {
            body: { year: 1 },
          },
        ],
        ['Book.deleteById', { id: 7 }, 'DELETE', '/Books/7', {}],
        ['Customer.find', {}, 'GET', '/Customers', {}],
      ];
      const statuses = [];
      for (const [who, token] of Object.entries({ nobody: undefined, ada, bob })) {
        const client = await connect(token && credentialsOf(token));
        for (const [name, args, verb, where, parts] of cases) {
          const expected = await rest(verb, where, { ...parts, token });
          assert.deepEqual(await client.ask(name, args), expected, `${name} by ${who}`);
          statuses.push(expected.error?.statusCode ?? 200);
        }
      }
      assert.deepEqual(
        statuses,
        [
          [401, 401, 401, 401, 401, 401, 401],
          [200, 200, 401, 200, 401, 401, 401],
          [200, 401, 401, 401, 401, 401, 401],
        ].flat(),
      );
    });

    it('relations are called as methods of an instance', async (t) => {
      const app = newApp();
      const { Book } = app.models;
      Book.hasMany(Book, { as: 'sequels', foreignKey: 'customerId' });
      const { id } = await Book.create({ title: 'A' });
      const { rest, connect } = await serve(t, host, app);
      const client = await connect();
      const created = await client.ask('Book.prototype.__create__sequels', {
        id,
        data: { title: 'B' },
      });
      assert.deepEqual(created, { result: { title: 'B', customerId: id, id: 2 } });
      const pairs = [
        [
          '__get__sequels',
          { filter: { where: { title: 'B' } } },
          'GET',
          '',
          { filter: '{"where":{"title":"B"}}' },
        ],
        ['__findById__sequels', { fk: 2 }, 'GET', '/2'],
        ['__findById__sequels', { fk: 9 }, 'GET', '/9'],
        ['__count__sequels', {}, 'GET', '/count'],
        ['__updateById__sequels', { fk: 2, data: { year: 5 } }, 'PUT', '/2', {}, { year: 5 }],
      ];
      for (const [name, args, verb, where, query, body] of pairs) {
        assert.deepEqual(
          await client.ask(`Book.prototype.${name}`, { id, ...args }),
          await rest(verb, `/Books/${id}/sequels${where}`, { query, body }),
          name,
        );
      }
    });

    it('a token that is expired, deleted or of another user counts as over REST', async (t) => {
      const app = newApp({ acls: SECRET_ACLS });
      const token = await logIn(app, 'ada');
      const { rest, connect } = await serve(t, host, app);
      const client = await connect(credentialsOf(token));
      const impostor = await connect({ id: token.id, userId: token.userId + 1 });
      const forger = await connect({ id: { neq: null }, userId: token.userId });
      assert.deepEqual(await client.ask('Book.find'), { result: [] });
      assert.equal((await impostor.ask('Book.find')).error.code, 'AUTHORIZATION_REQUIRED');
      assert.equal((await forger.ask('Book.find')).error.code, 'AUTHORIZATION_REQUIRED');

      await token.updateAttributes({ created: new Date(0) });
      const old = await client.ask('Book.find');
      assert.equal(old.error.code, 'INVALID_TOKEN');
      assert.equal(old.error.statusCode, 401);
      const deleted = await client.ask('Book.find');
      assert.deepEqual(deleted, await rest('GET', '/Books', { token }));
      assert.equal(deleted.error.code, 'AUTHORIZATION_REQUIRED');
    });

    it('the option accessToken gives the token of a call', async (t) => {
      const app = newApp({ acls: SECRET_ACLS });
      const token = await logIn(app, 'ada');
      const given = { now: undefined };
      const { sockets, connect } = await serve(t, host, app, {
        accessToken: async (socket, credentials) => {
          assert.equal(credentials.name, 'ada');
          return given.now;
        },
      });
      const client = await connect({ name: 'ada' });
      for (given.now of [token, token.id]) {
        assert.deepEqual(await client.ask('Book.find'), { result: [] });
      }
      for (given.now of [undefined, null, '', 'unknown']) {
        assert.equal((await client.ask('Book.find')).error.code, 'AUTHORIZATION_REQUIRED');
      }
      // As a client may send it: nobody has signed it.
      given.now = { userId: token.userId };
      let cause;
      sockets.onError((error) => {
        ({ cause } = error);
      });
      assert.deepEqual((await client.ask('Book.find')).error, {
        statusCode: 500,
        message: 'Internal Server Error',
      });
      assert.equal(cause.code, 'ERR_LOOPBACK_SOCKET_INVALID_ACCESS_TOKEN');
    });

    it('methods that need the response, files or streams are refused by name', async (t) => {
      const app = newApp();
      const { Book } = app.models;
      const unsupported = {
        download: { accepts: { arg: 'res', type: 'object', http: { source: 'res' } } },
        upload: { accepts: { arg: 'cover', type: 'file', http: { source: 'formData' } } },
        cover: { returns: { arg: 'body', type: 'file', root: true } },
        pipe: { http: { pipe: { dest: 'res' } } },
      };
      for (const [name, options] of Object.entries(unsupported)) {
        Book[name] = () => assert.fail(`${name} was called`);
        Book.remoteMethod(name, options);
      }
      const { connect } = await serve(t, host, app);
      const client = await connect();
      const reasons = {};
      for (const name of [...Object.keys(unsupported), 'createChangeStream']) {
        const { error } = await client.ask(`Book.${name}`, {});
        assert.equal(error.code, 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_REMOTE_METHOD');
        assert.equal(error.statusCode, 501);
        reasons[name] = /cannot be called over a socket: it (.*)\. Use REST\.$/.exec(
          error.message,
        )[1];
        assert.throws(
          () => newInstance().exposeModels(app, { methods: [`Book.${name}`] }),
          LoopbackSocket.UnsupportedRemoteMethodError,
        );
      }
      assert.deepEqual(reasons, {
        download: "writes the HTTP response itself (its argument 'res')",
        upload: "takes a file (its argument 'cover')",
        cover: 'returns a file',
        pipe: 'pipes its request or response',
        createChangeStream: "returns a stream; subscribe to 'Book.changes' instead",
      });
    });

    it('only what is selected is exposed', async (t) => {
      const app = newApp();
      const { connect, sockets } = await serve(t, host, app, {
        models: [app.models.Customer],
        methods: ['Book.find', 'Book.prototype.updateAttributes'],
      });
      sockets.defineMethod('Customer.count', () => 'mine');
      const client = await connect();
      const answered = [];
      const names = [
        'Book.create',
        'Book.find',
        'Book.prototype.updateAttributes',
        'Customer.count',
        'Customer.findById',
        'AccessToken.find',
      ];
      for (const name of names) {
        client.emit(name, {}, ({ error, result }) =>
          answered.push([name, result ?? error.statusCode]),
        );
      }
      await client.ask('Customer.find');
      await client.ask('Customer.find');
      assert.deepEqual(Object.fromEntries(answered), {
        'Book.find': [],
        'Book.prototype.updateAttributes': 400,
        'Customer.count': 'mine',
        'Customer.findById': 401,
      });
    });

    it('a socket has the remote methods that are shared when it authenticates', async (t) => {
      const app = newApp();
      const { connect } = await serve(t, host, app);
      const { Book } = app.models;
      const before = await connect();
      await before.ask('Book.count');
      Book.hello = async () => 'hello';
      Book.remoteMethod('hello', { returns: { arg: 'text', type: 'string', root: true } });
      Book.disableRemoteMethodByName('count');
      const after = await connect();
      assert.deepEqual(await after.ask('Book.hello'), { result: 'hello' });
      const { error } = await before.ask('Book.count');
      assert.equal(error.statusCode, 404);
      await authenticate(before, {});
      assert.deepEqual(await before.ask('Book.hello'), { result: 'hello' });
    });

    it('interceptors run around remote methods, and listeners of errors learn what failed', async (t) => {
      const app = newApp();
      const { Book } = app.models;
      const cause = new Error('the database is down');
      Book.fail = async () => {
        throw cause;
      };
      Book.remoteMethod('fail', {});
      const { sockets, connect } = await serve(t, host, app);
      const calls = [];
      sockets.use(async ({ name, kind, args }, next) => {
        calls.push([kind, name, args]);
        return next();
      });
      const errors = [];
      sockets.onError((error, { name, kind }) => errors.push([error.cause, name, kind]));
      const client = await connect();
      assert.deepEqual(await client.ask('Book.count', { where: { year: 1 } }), {
        result: { count: 0 },
      });
      assert.deepEqual(await client.ask('Book.fail'), {
        error: { statusCode: 500, message: 'Internal Server Error' },
      });
      assert.deepEqual(calls, [
        ['method', 'Book.count', { where: { year: 1 } }],
        ['method', 'Book.fail', undefined],
      ]);
      assert.deepEqual(errors, [[cause, 'Book.fail', 'method']]);
    });

    it('a socket that is gone does not keep a remote method from being done', async (t) => {
      const app = newApp();
      const { Book } = app.models;
      let finish;
      const started = new Promise((resolve) => {
        Book.wait = () => {
          resolve();
          return new Promise((done) => {
            finish = () => Book.create({ title: 'late' }).then(done);
          });
        };
      });
      Book.remoteMethod('wait', {});
      const { connect } = await serve(t, host, app);
      const client = await connect();
      client.emit('Book.wait', {}, () => assert.fail('nobody is there to be answered'));
      await started;
      client.disconnect();
      await finish();
      assert.equal(await Book.count(), 1);
    });

    it('a call whose arguments are not named is refused', async (t) => {
      const { connect } = await serve(t, host, newApp());
      const client = await connect();
      for (const args of [[1], 'text', 5, true]) {
        const { error } = await client.ask('Book.find', args);
        assert.equal(error.statusCode, 400);
        assert.match(error.message, /named arguments/);
      }
      assert.deepEqual(await client.ask('Book.find', null), { result: [] });
    });
  });
}

describe('remote methods over MessagePack', () => {
  it('a result is what JSON makes of it, whichever parser the server has', async (t) => {
    const parser = require('socket.io-msgpack-parser');
    const app = newApp();
    const { Book } = app.models;
    Book.values = async () => ({ date: new Date(0), bytes: Buffer.from('a'), none: undefined });
    Book.remoteMethod('values', { returns: { arg: 'values', type: 'object', root: true } });
    const { io, connect } = await openServer(t, 'native', { parser: 'msgpack' });
    const sockets = newInstance();
    sockets.exposeModels(app);
    sockets.start(io);
    const client = connect('/', { parser });
    await authenticate(client, {});
    assert.deepEqual(await call(client, 'Book.values', {}), {
      result: { date: '1970-01-01T00:00:00.000Z', bytes: { type: 'Buffer', data: [97] } },
    });
    const { result } = await call(client, 'Book.create', {
      data: { title: 'A', published: '2020-01-01' },
    });
    assert.equal(result.published, '2020-01-01T00:00:00.000Z');
  });
});

describe('exposeModels()', () => {
  it('a value that is not a LoopBack 3 application is refused', () => {
    for (const app of [undefined, null, {}, () => {}, 'app', { remotes() {} }]) {
      assert.throws(() => newInstance().exposeModels(app), {
        code: 'ERR_LOOPBACK_SOCKET_INVALID_APPLICATION',
      });
    }
  });

  it('an option that is unknown, impossible or names what is not there is refused', () => {
    const app = newApp();
    const code = 'ERR_LOOPBACK_SOCKET_INVALID_OPTION';
    for (const options of [
      { models: 'Book' },
      { models: ['Nothing'] },
      { models: ['AccessToken'] },
      { methods: [5] },
      { methods: ['Book.nothing'] },
      { methods: ['Book.destroyAll'] },
      { accessToken: 'id' },
    ]) {
      assert.throws(
        () => newInstance().exposeModels(app, options),
        { code },
        JSON.stringify(options),
      );
    }
    assert.throws(() => newInstance().exposeModels(app, { model: [] }), {
      code: 'ERR_LOOPBACK_SOCKET_UNKNOWN_OPTION',
    });
  });

  for (const version of HOSTS.filter((host) => host !== 'native')) {
    it(`a socket of socket.io ${version} listens to no remote method until its client calls it`, async (t) => {
      const app = newApp();
      const { io, connect } = await openServer(t, version);
      const sockets = newInstance();
      sockets.exposeModels(app);
      sockets.start(io);
      const [[socket], client] = await Promise.all([
        new Promise((resolve) => io.on('connection', (...args) => resolve(args))),
        connect(),
      ]);
      await authenticate(client, {});
      const names = () => socket.eventNames().filter((name) => String(name).startsWith('Book.'));
      assert.deepEqual(names(), []);
      const used = [];
      socket.use((event, next) => {
        used.push(event[0]);
        next(event[0] === 'Book.count' ? new Error('no') : undefined);
      });
      await call(client, 'Book.find', {});
      await call(client, 'Book.find', {});
      client.emit('Book.count', {}, () => assert.fail('a middleware had refused it'));
      await call(client, 'Book.find', {});
      assert.deepEqual(used, ['Book.find', 'Book.find', 'Book.count', 'Book.find']);
      assert.deepEqual(names(), ['Book.find', 'Book.count']);
      assert.equal(socket.listeners('Book.find').length, 1);

      await authenticate(client, {});
      await call(client, 'Book.find', {});
      assert.equal(socket.listeners('Book.find').length, 1);
    });
  }

  it('remote methods are listeners of a socket that has no middleware', async () => {
    const server = new FakeServer();
    const sockets = newInstance();
    sockets.exposeModels(newApp());
    sockets.start(server);
    const socket = server.connect();
    await socket.authenticate({});
    assert.equal(socket.listenerCount('Book.find'), 1);
    const answer = await new Promise((resolve) => {
      socket.receive('Book.count', {}, resolve);
    });
    assert.deepEqual(answer, { result: { count: 0 } });
  });

  it('remote methods are listeners of a native socket, which the application can remove', async (t) => {
    const { io, connect } = await openServer(t, 'native');
    const sockets = newInstance();
    sockets.exposeModels(newApp());
    sockets.start(io);
    const client = connect();
    const socket = await socketOf(io, client);
    await authenticate(client, {});
    assert.ok(socket.eventNames().includes('Book.find'));
    assert.equal(socket.listeners('Book.find').length, 1);
    socket.removeAllListeners('Book.find');
    client.emit('Book.find', {}, () => assert.fail('it was removed'));
    assert.deepEqual(await call(client, 'Book.count', {}), { result: { count: 0 } });
    assert.equal(socket.listenerCount('Book.find'), 0);
  });
});
