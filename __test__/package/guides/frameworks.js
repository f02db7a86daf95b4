'use strict';

/** docs/frameworks.md. The frameworks themselves run in __test__/examples. */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { ROOT } = require('../../support/installation');

const PAGE = 'docs/frameworks.md';

/** Declares the tests. */
module.exports = function declare(guide) {
  guide(PAGE, 'Express', async (world, code) => {
    const app = { listen: (port) => http.createServer().listen(port) };
    const { io, httpServer } = await world.run(code, { app });
    await world.authenticated();
    await io.close();
    assert.equal(httpServer.listening, false);
  });

  guide(PAGE, 'Fastify', async (world, code) => {
    const hooks = {};
    const app = {
      server: http.createServer().listen(world.port),
      addHook: (name, hook) => (hooks[name] = hook),
    };
    await world.run(code, { app });
    const socket = await world.authenticated();
    const left = world.event(socket, 'disconnect');
    await hooks.preClose();
    await left;
  });

  guide(PAGE, 'Feathers', async (world, { text }) => {
    const program = fs.readFileSync(path.join(ROOT, 'examples/feathers/server.js'), 'utf8');
    for (const line of text.trim().split('\n')) {
      assert.ok(program.split('\n').includes(line), `examples/feathers/server.js lacks: ${line}`);
    }
  });

  guide(PAGE, 'Bundlers', async (world, code) => {
    const module = {};
    await world.run(code, { module });
    assert.deepEqual(module.exports.externals, { 'loopback-socket': 'commonjs loopback-socket' });
  });

  guide(PAGE, 'Worker threads', async (world, code) => {
    const started = [];
    class Worker {
      constructor(file) {
        started.push(file);
      }
    }
    world.modules['node:worker_threads'] = { Worker, isMainThread: true };
    await world.run(code, { __filename: 'server.js' });
    assert.deepEqual(started, ['server.js']);
    world.modules['node:worker_threads'] = { Worker, isMainThread: false };
    await world.run(code, { __filename: 'server.js' });
    await world.authenticated();
  });
};
