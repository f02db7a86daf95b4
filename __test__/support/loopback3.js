'use strict';

/**
 * A LoopBack 3 application that serves REST and sockets, for the tests of `exposeModels()`. LoopBack is
 * that of `examples/loopback3`, which `npm test` installs.
 */

const { once } = require('node:events');
const http = require('node:http');
const { createRequire } = require('node:module');
const path = require('node:path');
const LoopbackSocket = require('../..');
const { authenticate, call, openServer } = require('./js-hosts');

const loopback = createRequire(path.join(__dirname, '../../examples/loopback3/package.json'))(
  'loopback',
);

let instances = 0;

/**
 * @param {object} [options] of the model `Book`
 * @returns {object} an application with users, access tokens and a model `Book`, in memory
 */
function newApp(options = {}) {
  const app = loopback({ localRegistry: true, loadBuiltinModels: true });
  app.set('remoting', { errorHandler: { log: false } });
  const { registry } = app;
  app.dataSource('db', { connector: 'memory' });
  const attach = (model, config) => app.model(model, { dataSource: 'db', ...config });
  const Customer = registry.createModel('Customer', {}, { base: 'User' });
  for (const name of ['ACL', 'Role', 'RoleMapping']) {
    attach(registry.getModel(name), { public: false });
  }
  attach(Customer);
  const user = { type: 'belongsTo', model: 'Customer', foreignKey: 'userId' };
  attach(registry.getModel('AccessToken'), { public: false, relations: { user } });
  attach(
    registry.createModel(
      'Book',
      {
        title: { type: 'string', required: true },
        year: 'number',
        published: 'date',
        secret: 'string',
        customerId: 'number',
      },
      { hidden: ['secret'], ...options },
    ),
  );
  app.enableAuth();
  app.use('/api', loopback.rest());
  return app;
}

/** @type {WeakMap<object, Promise<string>>} where each application serves REST */
const urls = new WeakMap();

/**
 * Serves the REST of an application for a test, once however often it is called.
 *
 * @param {import('node:test').TestContext} t the test
 * @param {object} app the application
 * @returns {Promise<string>} where
 */
function serveRest(t, app) {
  if (!urls.has(app)) {
    const server = http.createServer(app).listen(0);
    t.after(() => server.close());
    const url = once(server, 'listening').then(
      () => `http://localhost:${server.address().port}/api`,
    );
    urls.set(app, url);
  }
  return urls.get(app);
}

/**
 * Serves an application for a test, over REST and over sockets.
 *
 * @param {import('node:test').TestContext} t the test
 * @param {number | 'native'} host the kind of server of the sockets
 * @param {object} app the application
 * @param {object} [options] of `exposeModels()`
 * @returns {Promise<object>} `rest(verb, path, options)`, `connect(credentials)`, the instance, and the
 *   server of the sockets
 */
async function serve(t, host, app, options) {
  const url = await serveRest(t, app);
  const { io, connect } = await openServer(t, host);
  const sockets = LoopbackSocket.get(`loopback3 ${++instances}`, 'none');
  sockets.exposeModels(app, options);
  sockets.start(io);
  return {
    io,
    sockets,
    /**
     * @param {object} [credentials] what to authenticate with
     * @returns {Promise<object>} a client, authenticated, with `ask(name, args)`
     */
    async connect(credentials) {
      const client = connect();
      await authenticate(client, credentials);
      client.ask = (name, ...args) => call(client, name, ...args);
      return client;
    },
    /**
     * @param {string} verb of the request
     * @param {string} where path
     * @param {object} [parts]
     * @param {object} [parts.query] strings by name
     * @param {unknown} [parts.body] sent as JSON
     * @param {object} [parts.headers] by name
     * @param {object} [parts.token] access token
     * @returns {Promise<object>} what a call over a socket should be answered with
     */
    async rest(verb, where, { query = {}, body, headers = {}, token } = {}) {
      const search = new URLSearchParams(query);
      const response = await fetch(`${url}${where}?${search}`, {
        method: verb,
        headers: {
          accept: 'application/json',
          connection: 'close',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(token ? { authorization: token.id } : {}),
          ...headers,
        },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      const text = await response.text();
      if (text === '') return {};
      const value = JSON.parse(text);
      return response.ok ? { result: value } : value;
    },
  };
}

/**
 * @param {object} app the application
 * @param {string} name of a new customer
 * @param {object} [options] of the access token, such as its `ttl`
 * @returns {Promise<object>} an access token
 */
async function logIn(app, name, { ttl = 1000 } = {}) {
  const { Customer } = app.models;
  const email = `${name}@example.com`;
  const found = await Customer.findOne({ where: { email } });
  const customer = found ?? (await Customer.create({ email, password: 'secret' }));
  return customer.accessTokens.create({ ttl });
}

module.exports = { logIn, newApp, serve };
