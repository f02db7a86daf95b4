'use strict';

/**
 * The adapters of the ecosystem by name: the service that each needs, how a node makes one, and the emitter that
 * reaches its nodes from outside. An adapter is the package as published; nothing here changes what it does.
 */

const mongodb = require('./services/mongodb');
const postgres = require('./services/postgres');
const redis = require('./services/redis');

/** Milliseconds between heartbeats: nodes whose first heartbeat was lost meet at the next one. */
const HEARTBEAT_INTERVAL = 100;

/** Milliseconds until a request to nodes that do not answer fails; not configurable with every adapter. */
const REQUESTS_TIMEOUT = 1000;

/**
 * @typedef {object} Service - what nodes have in common
 * @property {() => boolean} isInstalled
 * @property {() => Promise<{url: string, stop: () => Promise<void>}>} start
 * @property {string} program - its name, for people
 */

/** @type {Record<string, Service>} */
const SERVICES = {
  redis: {
    isInstalled: redis.isInstalled,
    start: redis.startRedis,
    program: 'redis-server',
  },
  postgres: {
    isInstalled: postgres.isInstalled,
    start: postgres.startPostgres,
    program: 'PostgreSQL',
  },
  mongo: {
    isInstalled: () => true,
    start: mongodb.startMongoDb,
    program: 'the stand-in for MongoDB',
  },
  none: {
    isInstalled: () => true,
    start: async () => ({ url: '', stop: async () => {} }),
    program: 'nothing',
  },
};

/**
 * A client of Redis that outlives a restart of the server.
 *
 * @param {string} url
 * @returns {Promise<any>} connected
 */
async function redisClient(url) {
  const { createClient } = require('redis');
  const client = createClient({ url });
  client.on('error', () => {});
  // The adapter leaves the promises of what it publishes alone, and those in flight fail with the connection.
  const { publish } = client;
  client.publish = function published(...args) {
    const done = publish.apply(this, args);
    done.catch(() => {});
    return done;
  };
  await client.connect();
  return client;
}

/**
 * A client of Redis of the other package.
 *
 * @param {string} url
 * @returns {any}
 */
function ioredisClient(url) {
  const { Redis } = require('ioredis');
  const client = new Redis(url);
  client.on('error', () => {});
  return client;
}

/**
 * The collection by which nodes and emitters exchange documents.
 *
 * @param {string} url
 * @param {object} [options] of the client
 * @returns {Promise<any>} of a client that is connected
 */
async function mongoCollection(url, options) {
  const { MongoClient } = require('mongodb');
  const database = new MongoClient(url, options).db('scale');
  // The first command opens a connection; those that wait for it do not wait in their order.
  await database.command({ ping: 1 });
  return database.collection('socket.io');
}

/** All insertions go over one connection: over several, as by default, one overtakes the other. */
const IN_ORDER = { maxPoolSize: 1 };

/**
 * A pool of which the adapter keeps one connection for what it receives, which leaves one to publish by: over several,
 * as by default, one broadcast overtakes the other.
 *
 * @param {string} url
 * @returns {any}
 */
function postgresPool(url) {
  const { Pool } = require('pg');
  const pool = new Pool({ connectionString: url, max: 2 });
  pool.on('error', () => {});
  pool.on('connect', (client) => {
    // The connection that the adapter listens on has no listener for errors, and is never given back when it ends.
    client.on('error', () => {});
    client.once('end', () => {
      try {
        client.release(true);
      } catch {
        // The pool has it already.
      }
    });
  });
  return pool;
}

/**
 * Has each subscription of a client of Redis leave its promise, so that a test can wait until Redis knows of it.
 *
 * @param {any} client of the package `redis`
 * @param {Set<Promise<unknown>>} pending
 * @returns {void}
 */
function watchSubscriptions(client, pending) {
  for (const method of ['sSubscribe', 'sUnsubscribe']) {
    const original = client[method];
    client[method] = (...args) => {
      const done = original.apply(client, args);
      pending.add(done);
      Promise.resolve(done)
        .catch(() => {})
        .finally(() => pending.delete(done));
      return done;
    };
  }
}

/**
 * @typedef {object} AdapterKind
 * @property {string} service - a key of `SERVICES`
 * @property {(url: string, options: object, pending: Set<Promise<unknown>>) => Promise<any>} create - makes what the
 *   option `adapter` of a server takes; `pending` has what Redis has not confirmed yet
 * @property {(url: string) => Promise<{emitter: any, end: () => Promise<void>}>} [emitter] - makes an emitter
 */

/** @type {Record<string, AdapterKind>} */
const ADAPTERS = {
  redis: {
    service: 'redis',
    async create(url, options) {
      const { createAdapter } = require('@socket.io/redis-adapter');
      const [publisher, subscriber] = await Promise.all([redisClient(url), redisClient(url)]);
      return createAdapter(publisher, subscriber, {
        requestsTimeout: REQUESTS_TIMEOUT,
        ...options,
      });
    },
    async emitter(url) {
      const { Emitter } = require('@socket.io/redis-emitter');
      const client = await redisClient(url);
      return { emitter: new Emitter(client), end: () => client.close() };
    },
  },
  ioredis: {
    service: 'redis',
    async create(url, options) {
      const { createAdapter } = require('@socket.io/redis-adapter');
      return createAdapter(ioredisClient(url), ioredisClient(url), {
        requestsTimeout: REQUESTS_TIMEOUT,
        ...options,
      });
    },
  },
  'redis-sharded': {
    service: 'redis',
    async create(url, options, pending) {
      const { createShardedAdapter } = require('@socket.io/redis-adapter');
      const [publisher, subscriber] = await Promise.all([redisClient(url), redisClient(url)]);
      watchSubscriptions(subscriber, pending);
      return createShardedAdapter(publisher, subscriber, options);
    },
  },
  'redis-streams': {
    service: 'redis',
    async create(url, options) {
      const { createAdapter } = require('@socket.io/redis-streams-adapter');
      return createAdapter(await redisClient(url), options);
    },
  },
  postgres: {
    service: 'postgres',
    async create(url, options) {
      const { createAdapter } = require('@socket.io/postgres-adapter');
      return createAdapter(postgresPool(url), {
        heartbeatInterval: HEARTBEAT_INTERVAL,
        ...options,
      });
    },
    async emitter(url) {
      const { Emitter } = require('@socket.io/postgres-emitter');
      const pool = postgresPool(url);
      return { emitter: new Emitter(pool), end: () => pool.end() };
    },
  },
  mongo: {
    service: 'mongo',
    async create(url, options) {
      const { createAdapter } = require('@socket.io/mongo-adapter');
      const collection = await mongoCollection(url, IN_ORDER);
      // What is watched occupies a connection of its own.
      const watching = await mongoCollection(url);
      collection.watch = (...args) => watching.watch(...args);
      return createAdapter(collection, {
        heartbeatInterval: HEARTBEAT_INTERVAL,
        requestsTimeout: REQUESTS_TIMEOUT,
        ...options,
      });
    },
    async emitter(url) {
      const { Emitter } = require('@socket.io/mongo-emitter');
      const collection = await mongoCollection(url, IN_ORDER);
      return { emitter: new Emitter(collection), end: () => collection.client.close() };
    },
  },
  cluster: {
    service: 'none',
    async create(url, options) {
      const { createAdapter } = require('@socket.io/cluster-adapter');
      return createAdapter({ heartbeatInterval: HEARTBEAT_INTERVAL, ...options });
    },
  },
};

module.exports = { ADAPTERS, SERVICES };
