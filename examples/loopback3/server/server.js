'use strict';

// The bookshop: a LoopBack 3 app that serves REST and sockets on one port.
// Its models say who may connect and what can be called: see models/customer.js and models/book.js.

const loopback = require('loopback');
const boot = require('loopback-boot');
const LoopbackSocket = require('loopback-socket');
const { SocketServers } = require('./playground/socket-servers');

const app = loopback();
module.exports = app;

// The models get the same instance by its name. Clients read the `message` of errors, no other field of them.
const sockets = LoopbackSocket.get('bookshop', { errors: 'message' });

/**
 * Listens, and serves the sockets of that port: by the native server, or by npm socket.io with
 * SOCKETS=hosted. The other one serves on a port beside it, so that the page can compare them; in an app
 * of your own this is `sockets.start(new LoopbackSocket.Server(app.listen()))`.
 * @returns {import('node:http').Server} `app.close(cb)` ends it with all its sockets
 */
app.start = function start() {
  const kind = process.env.SOCKETS === 'hosted' ? 'hosted' : 'native';
  app.socketServers = new SocketServers(app, sockets, kind);
  app.close = (cb) => app.socketServers.close().then(() => cb(), cb);
  return app.socketServers.start();
};

boot(app, __dirname, (err) => {
  if (err) throw err;
  app.booted = true;
  app.emit('booted');
});

if (require.main === module) {
  if (process.env.PORT) app.set('port', Number(process.env.PORT));
  app.once('booted', () => {
    app.start().once('listening', () => console.log('The playground: %s', app.get('url')));
  });
}
