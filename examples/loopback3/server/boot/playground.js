'use strict';

// What the page in `client/` needs beyond the bookshop: the list of what can be called, the libraries it
// loads, and methods to see the server work. An app of your own needs none of this.

const path = require('node:path');
const LoopbackSocket = require('loopback-socket');
const { catalogue, socketioVersion } = require('../playground/catalogue');
const { serverLoad } = require('../playground/server-load');

/** How long a restart may keep the sockets away, in ms. */
const LONGEST_PAUSE = 10_000;

/** The helper for clients. The native server has it at /socket.io/loopback-socket.mjs, npm socket.io has not. */
const HELPER = path.join(
  path.dirname(require.resolve('loopback-socket/package.json')),
  'client.mjs',
);

module.exports = function (app) {
  const sockets = LoopbackSocket.get('bookshop');

  sockets.defineMethod('echo', (socket, credentials, args) => args ?? null);

  sockets.defineMethod('restartServers', (socket, credentials, args) => {
    const pause = Math.min(Math.max(Number(args?.pause) || 0, 0), LONGEST_PAUSE);
    setTimeout(() => {
      app.socketServers.restart(pause).catch((err) => console.error('Cannot listen again:', err));
    }, 100); // so that the answer arrives first
    return { pause };
  });

  sockets.defineSubscription(
    'serverLoad',
    (socket, credentials, args, { signal }) => serverLoad(signal, () => app.socketServers.list()),
    { key: () => '' },
  );

  app.get('/playground/info', (req, res) => {
    res.json({
      loopback: app.loopback.version,
      node: process.version,
      socketio: socketioVersion,
      servers: app.socketServers.list(),
      catalogue: catalogue(app),
    });
  });

  app.get('/vendor/loopback-socket.mjs', (req, res) => res.sendFile(HELPER));
};
