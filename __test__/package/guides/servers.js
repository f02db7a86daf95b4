'use strict';

/** docs/choosing-a-server.md, docs/options.md and docs/socketio-api.md. */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { ROOT } = require('../../support/installation');

/**
 * @param {http.Server} httpServer that listens
 * @returns {string} where
 */
const urlOf = (httpServer) => `http://localhost:${httpServer.address().port}`;

/** Declares the tests. */
module.exports = function declare(guide) {
  guide('docs/choosing-a-server.md', 'Choosing a server', async (world, code) => {
    const httpServers = [];
    const next = () => {
      httpServers.push(http.createServer().listen(0));
      return httpServers.at(-1);
    };
    const names = {
      /** Another one for each line. */
      get httpServer() {
        return next();
      },
    };
    const old = require('socket.io-2');
    world.modules['socket.io'] = Object.assign((...args) => old(...args), {
      Server: require('socket.io').Server,
    });
    await world.run(code, names);
    assert.equal(httpServers.length, 3);
    const [, hosted, native] = httpServers;
    for (const server of [hosted, native]) await world.authenticated({}, urlOf(server));
    const socket = require('socket.io-client-2')(urlOf(httpServers[0]), { forceNew: true });
    socket.on('connect', () => socket.emit('authentication'));
    await world.event(socket, 'authenticated');
    socket.disconnect();
  });

  for (const key of ['`httpCompression`', '`perMessageDeflate`']) {
    guide('docs/options.md', key, async (world, code) => {
      const httpServer = http.createServer().listen(world.port);
      await world.run(code, { httpServer });
      await world.event(world.open(), 'connect');
    });
  }

  guide('docs/options.md', '`trustProxy`', async (world, code) => {
    const { io } = await world.run(code, { httpServer: http.createServer().listen(world.port) });
    const connected = world.event(io, 'connection');
    world.open({ extraHeaders: { 'x-forwarded-for': '192.0.2.7' } });
    assert.equal((await connected)[0].handshake.address, '192.0.2.7');
  });

  guide('docs/options.md', ['`tls`', '`tls` (2)'], async (world, ownPort, ownServer) => {
    const folder = path.join(ROOT, '__test__', 'support', 'tls');
    const files = { 'key.pem': 'key.pem', 'fullchain.pem': 'cert.pem' };
    const names = {
      fs: { readFileSync: (name) => fs.readFileSync(path.join(folder, files[name])) },
      app: (req, res) => res.end('app'),
    };
    const on443 = (block) => ({ ...block, text: block.text.replaceAll('443', world.port) });
    const url = `https://localhost:${world.port}`;
    const { io, tls } = await world.run(on443(ownPort), names);
    await world.event(world.open(url, { rejectUnauthorized: false }), 'connect');
    await new Promise((resolve) => {
      io.close(resolve);
    });
    await world.run(on443(ownServer), { ...names, tls });
    await world.event(world.open(url, { rejectUnauthorized: false }), 'connect');
  });

  guide('docs/options.md', '`connectionStateRecovery`', async (world, code) => {
    const { io } = await world.run(code, { httpServer: http.createServer().listen(world.port) });
    const socket = world.open();
    await world.event(socket, 'connect');
    const news = world.event(socket, 'news');
    io.emit('news');
    await news;
    const { id } = socket;
    socket.io.engine.close();
    await world.event(socket, 'connect');
    assert.ok(socket.recovered);
    assert.equal(socket.id, id);
  });

  guide('docs/socketio-api.md', "Node's http.Server", async (world, code) => {
    const steps = [];
    const terminator = { terminate: async () => steps.push('terminated') };
    const { server: io } = world;
    const socket = world.open({ reconnection: false });
    await world.event(socket, 'connect');
    await world.run(code, { io, terminator });
    const left = world.event(socket, 'disconnect');
    world.process.emit('SIGTERM');
    await left;
    await world.until(() => steps.length > 0);
  });
};
