'use strict';

// The arguments of a remote method are the same over a socket as over REST, on each kind of server.

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const { HOSTS } = require('../support/js-hosts');
const { newApp, serve } = require('../support/loopback3');

/** Values of JSON that are sent as an argument of each type. */
const VALUES = [
  undefined,
  null,
  true,
  false,
  0,
  1,
  -1.5,
  1e21,
  '',
  '0',
  '1',
  'true',
  'null',
  'text',
  '2020-02-29T12:00:00.000Z',
  '{"a":1}',
  '[1,2]',
  [],
  [1, '2', true, null],
  ['a', 'b'],
  [{ a: 1 }],
  {},
  { a: { b: [1, '2'] } },
  { lat: 1, lng: 2 },
];

const TYPES = [
  'any',
  'string',
  'number',
  'integer',
  'boolean',
  'date',
  'object',
  'array',
  'GeoPoint',
  'Book',
  ['string'],
  ['number'],
  ['date'],
  ['object'],
];

/** Where a remote method may look for an argument. */
const SOURCES = ['none', 'placeholder', 'body', 'form', 'query', 'path', 'header'];

/** Those that the path of a route has. */
const IN_PATH = ['placeholder', 'path'];

/** Those that `accepts` does not give. */
const UNDECLARED = ['none', 'placeholder'];

/**
 * @param {unknown} type the type of an argument
 * @param {string} source where it is from
 * @returns {string} the remote method that takes it
 */
const nameOf = (type, source) => `take${Array.isArray(type) ? `Many${type}` : type}From${source}`;

/**
 * @returns {object} an application whose model `Book` has a remote method for each type and source
 */
function appOfAll() {
  const app = newApp();
  const { Book } = app.models;
  for (const type of TYPES) {
    for (const source of SOURCES) {
      const name = nameOf(type, source);
      Book[name] = async (value) => ({
        kind: Object.prototype.toString.call(value),
        model: value?.constructor?.modelName,
        items: Array.isArray(value) ? value.map((item) => typeof item) : undefined,
        value,
      });
      Book.remoteMethod(name, {
        accepts: {
          arg: 'value',
          type,
          ...(UNDECLARED.includes(source) ? {} : { http: { source } }),
        },
        returns: { arg: 'seen', type: 'object', root: true },
        http: {
          verb: source === 'query' || source === 'header' ? 'get' : 'post',
          path: IN_PATH.includes(source) ? `/${name}/:value` : `/${name}`,
        },
      });
    }
  }
  return app;
}

/**
 * @param {unknown} value an argument
 * @returns {string | undefined} it as a REST client writes it into a URL or header
 */
function asText(value) {
  if (value === undefined || value === null) return undefined;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/**
 * @param {string} name the remote method
 * @param {string} source where it takes its argument from
 * @param {unknown} value the argument
 * @returns {[string, string, object] | undefined} a REST request for it, if there is one
 */
function requestOf(name, source, value) {
  const text = asText(value);
  switch (source) {
    case 'query':
      return ['GET', `/Books/${name}`, { query: text === undefined ? {} : { value: text } }];
    case 'header':
      return ['GET', `/Books/${name}`, { headers: text === undefined ? {} : { value: text } }];
    case 'placeholder':
    case 'path':
      return text ? ['POST', `/Books/${name}/${encodeURIComponent(text)}`, {}] : undefined;
    case 'body':
      return ['POST', `/Books/${name}`, { body: value === undefined ? {} : value }];
    default:
      return ['POST', `/Books/${name}`, { body: { value } }];
  }
}

describe('arguments of remote methods', { timeout: 120_000 }, () => {
  for (const source of SOURCES) {
    it(`an argument of any type from ${source} is coerced as over REST`, async (t) => {
      const app = appOfAll();
      const served = await Promise.all(HOSTS.map((host) => serve(t, host, app)));
      const clients = await Promise.all(served.map(({ connect }) => connect()));
      const [{ rest }] = served;
      let compared = 0;
      for (const type of TYPES) {
        const name = nameOf(type, source);
        for (const value of VALUES) {
          const request = requestOf(name, source, value);
          if (request === undefined) continue;
          const [expected, ...answers] = await Promise.all([
            rest(...request),
            ...clients.map((client) => client.ask(`Book.${name}`, { value })),
          ]);
          answers.forEach((answer, i) => {
            assert.deepEqual(
              answer,
              expected,
              `${name} of ${JSON.stringify(value)}, sockets on ${HOSTS[i]}`,
            );
          });
          compared += 1;
        }
      }
      assert.ok(compared > TYPES.length * 15);
    });
  }

  it('an argument that a route has in its path is not taken from the body', async (t) => {
    const app = newApp();
    const { Book } = app.models;
    const data = { arg: 'data', type: 'object', http: { source: 'body' } };
    const define = (name, accepts, ...routes) => {
      const isStatic = !name.startsWith('prototype.');
      const owner = isStatic ? Book : Book.prototype;
      owner[name.replace('prototype.', '')] = async function echo(...args) {
        // strong-remoting adds a callback.
        const taken = args.slice(0, accepts.length);
        return { instance: isStatic ? undefined : this.title, args: taken };
      };
      const http = routes.map(([verb, path]) => ({ verb, path }));
      Book.remoteMethod(name, {
        accepts,
        http,
        returns: { arg: 'seen', type: 'object', root: true },
      });
    };
    const id = { arg: 'id', type: 'number' };
    define('rename', [id, data], ['put', '/:id/rename']);
    define('renameAs', [id, data], ['put', '/renameAs'], ['put', '/:id/renameAs']);
    define('part', [{ arg: 'n', type: 'string' }, data], ['put', '/parts/:n(\\d+)?']);
    define('prototype.page', [{ arg: 'page', type: 'any' }, data], ['put', '/pages/:page']);
    const fromPath = { arg: 'shop', type: 'any', http: (ctx) => ctx.req.params.shop };
    define('ofShop', [fromPath, data], ['put', '/shops/:shop/books']);
    define('bare', [id], ['get', '/bare/:id']);
    await Book.create({ title: 'Emma' });
    const body = { id: 6, n: '6', page: 6, shop: 6 };
    const pairs = [
      ['rename', { id: 5, data: body }, 'PUT', '/5/rename'],
      ['renameAs', { id: 5, data: body }, 'PUT', '/5/renameAs'],
      ['part', { n: 5, data: body }, 'PUT', '/parts/5'],
      ['part', { data: body }, 'PUT', '/parts'],
      ['prototype.page', { id: 1, page: '5', data: body }, 'PUT', '/1/pages/5'],
      ['ofShop', { shop: 5, data: body }, 'PUT', '/shops/5/books'],
      ['bare', { id: 5 }, 'GET', '/bare/5'],
    ];
    const expected = [
      [5, body],
      [5, body],
      ['5', body],
      // As over REST: what the path leaves out is taken from the body.
      ['6', body],
      [5, body],
      ['5', body],
      [5],
    ];
    for (const host of HOSTS) {
      const { rest, connect } = await serve(t, host, app);
      const client = await connect();
      for (const [i, [name, args, verb, path]] of pairs.entries()) {
        const overRest = await rest(verb, `/Books${path}`, verb === 'GET' ? {} : { body });
        const answer = await client.ask(`Book.${name}`, args);
        assert.deepEqual(answer, overRest, `${name}, sockets on ${host}`);
        assert.deepEqual(answer.result.args, expected[i], name);
      }
    }
  });

  it('arguments on which LoopBack would end the process are refused', async (t) => {
    const app = newApp();
    const served = await Promise.all(HOSTS.map((host) => serve(t, host, app)));
    const clients = await Promise.all(served.map(({ connect }) => connect()));
    const nested = (depth) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
    const texts = [
      '{"where":{"$type":"base64","$data":5}}',
      '{"where":{"x":[{"$type":"date","$data":{}}]}}',
      '{"id":{"toString":1}}',
      '{"id":[{"valueOf":1}]}',
      '{"data":{"__proto__":{"a":1}}}',
      '{"data":{"hasOwnProperty":1}}',
      `{"data":${nested(300)}}`,
    ];
    const args = texts.map((text) => JSON.parse(text));
    // What strong-remoting parses itself, from a path or a query.
    args.push({ id: '{"toString":1}' }, { where: '{"$type":"base64","$data":5}' });
    args.push({ id: nested(3000) });
    for (const client of clients) {
      for (const one of args) {
        for (const name of ['Book.findById', 'Book.upsertWithWhere', 'Book.create']) {
          const { error } = await client.ask(name, one);
          assert.equal(error.statusCode, 400, `${name} ${texts[args.indexOf(one)]}`);
        }
      }
      const { error } = await client.ask('Book.prototype.patchAttributes', { id: '{"valueOf":1}' });
      assert.equal(error.statusCode, 400);
      const { result } = await client.ask('Book.create', {
        data: { title: 'A', secret: { $type: 'base64', $data: 'YQ==' } },
      });
      assert.equal(result.title, 'A');
    }
  });
});
