'use strict';

/**
 * docs/scaling.md. scaling-page.test.js runs its commands and `__test__/scale/` what it says of adapters, with the
 * real services; here its fragments run, with stand-ins for what is outside of the process.
 */

const assert = require('node:assert/strict');
const { EventEmitter } = require('node:events');
const http = require('node:http');
const { Adapter } = require('socket.io-adapter');
const { createAdapter } = require('@socket.io/redis-adapter');

/** A client of Redis without a server. */
class Redis extends EventEmitter {
  /** @returns {Redis} another connection */
  duplicate() {
    return new Redis();
  }

  /** Each of them is answered with nothing. */
  async subscribe() {}

  /** As above. */
  async psubscribe() {}

  /** As above. */
  async unsubscribe() {}

  /** As above. */
  async punsubscribe() {}

  /** As above. */
  async publish() {}
}

/** Declares the tests. */
module.exports = function declare(guide) {
  const page = 'docs/scaling.md';
  const httpServerOf = (world) => http.createServer().listen(world.port);

  guide(page, 'From one process to ten', async (world, code) => {
    const httpServer = httpServerOf(world);
    const { io, pubClient } = await world.run(code, { Redis, createAdapter, httpServer });
    const published = new Promise((resolve) => {
      pubClient.publish = async (channel) => resolve(channel);
    });
    io.emit('news');
    assert.match(String(await published), /^socket\.io#/);
  });

  guide(page, 'What stays in one process', async (world, code) => {
    const emitted = [];
    const io = Object.assign(new EventEmitter(), {
      serverSideEmit: (...args) => emitted.push(args),
    });
    world.sockets.defineSubscription('news', { key: ({ topic }) => topic });
    const { publishEverywhere } = await world.run(code, { io });
    void world.server;
    const socket = await world.authenticated();
    await socket.emitWithAck('news', { args: { topic: 'sport' } });
    const items = [];
    socket.on('news', (item) => items.push(item));
    publishEverywhere('sport', 'here');
    assert.deepEqual(emitted, [['publish', 'sport', 'here']]);
    io.emit('publish', 'sport', 'from elsewhere');
    await world.until(() => items.length === 2);
    assert.deepEqual(items, ['here', 'from elsewhere']);
  });

  guide(page, 'Migrating a fleet', async (world, code) => {
    const { io } = await world.run(code, { httpServer: httpServerOf(world), adapter: Adapter });
    assert.ok(io.of('/').adapter instanceof Adapter);
    await world.event(world.open(), 'connect');
  });

  guide(page, 'Connection state recovery', async (world, code) => {
    const roomsOf = ({ shop }) => [shop];
    const { io } = await world.run(code, { httpServer: httpServerOf(world), roomsOf });
    const socket = world.open({ auth: { shop: 'north' } });
    await world.event(socket, 'connect');
    const news = world.event(socket, 'news');
    io.to('north').emit('news', 1);
    await news;
    socket.io.engine.close(); // which emits `disconnect` before it returns
    const missed = world.event(socket, 'news');
    io.to('north').emit('news', 2);
    assert.equal((await missed)[0], 2);
    assert.ok(socket.recovered);
  });

  guide(page, ['Faults of sticky', 'Faults of sticky (2)'], async (world, errors, reading) => {
    const cluster = new EventEmitter();
    await world.run(errors, { cluster });
    const worker = new EventEmitter();
    cluster.emit('fork', worker);
    worker.emit('error', new Error('gone'));
    assert.deepEqual(await world.line(), ['gone']);

    const httpServer = httpServerOf(world);
    const sticky = { setupPrimary: (server) => assert.equal(server, httpServer) };
    httpServer.on('request', (req, res) => res.end('served'));
    await world.run(reading, { sticky, httpServer });
    assert.equal(await (await fetch(world.url)).text(), 'served');
  });

  guide(page, 'Closing without losing calls (2)', async (world, code) => {
    const counts = [];
    const counted = { ...code, text: `${code.text}\nconst count = () => inFlight;` };
    const { count } = await world.run(counted);
    world.sockets.defineMethod('look', () => counts.push(count()));
    void world.server;
    await world.call('look');
    assert.deepEqual(counts, [1]);
    assert.equal(count(), 0);
  });

  guide(page, ['Rejected promises', 'Rejected promises (2)'], async (world, all, publish) => {
    await world.run(all);
    world.process.emit('unhandledRejection', 'reason');
    assert.deepEqual(await world.line(), ['reason']);

    const pubClient = { publish: async () => Promise.reject(new Error('closed')) };
    await world.run(publish, { pubClient });
    await assert.rejects(pubClient.publish('channel', 'message'), { message: 'closed' });
    assert.deepEqual(await world.line(), ['Not published:', 'closed']);
  });

  guide(page, 'Errors of socket.io-redis', async (world, code) => {
    const io = new world.LoopbackSocket.Server(world.port, { adapter: Adapter });
    await world.run(code, { io });
    for (const name of ['/', '/news']) {
      io.of(name).adapter.emit('error', new Error(name));
      assert.deepEqual(await world.line(), [name]);
    }
  });

  guide(page, 'PostgreSQL: lost connections', async (world, code) => {
    const pool = new EventEmitter();
    await world.run(code, { pool });
    const released = [];
    const client = Object.assign(new EventEmitter(), {
      release(destroy) {
        released.push(destroy);
        throw new Error('it was released before');
      },
    });
    pool.emit('connect', client);
    for (const emitter of [pool, client]) {
      emitter.emit('error', new Error('lost'));
      assert.deepEqual(await world.line(), ['lost']);
    }
    client.emit('end');
    assert.deepEqual(released, [true]);
  });

  guide(page, 'Broadcasts that overtake each other', async (world, code) => {
    const inserted = [];
    const collection = {
      async insertOne(document) {
        await new Promise((resolve) => setTimeout(resolve, document));
        inserted.push(document);
        if (document === 10) throw new Error('away');
      },
    };
    await world.run(code, { collection });
    const first = collection.insertOne(10);
    const second = collection.insertOne(1);
    await assert.rejects(first, { message: 'away' });
    await second;
    assert.deepEqual(inserted, [10, 1]);
  });

  guide(page, 'Local acknowledgements on npm nodes', async (world, code) => {
    const io = new (require('socket.io').Server)(httpServerOf(world));
    const socket = world.open();
    socket.on('question', (answer) => answer(42));
    await world.event(socket, 'connect');
    assert.deepEqual((await world.run(code, { io })).answers, [42]);
  });
};
