'use strict';

// The bookshop: a LoopBack 3 app that serves REST and sockets on one port.
// Its models say who may connect and what can be called: see models/customer.js and models/book.js.

const loopback = require('loopback');
const boot = require('loopback-boot');
const LoopbackSocket = require('loopback-socket');

const app = loopback();
module.exports = app;

/**
 * Makes the Socket.IO server: the native one, or npm socket.io with SOCKETS=hosted.
 * @param {import('node:http').Server} httpServer
 * @returns {object}
 */
function createSocketServer(httpServer) {
  if (process.env.SOCKETS === 'hosted') {
    return require('socket.io')(httpServer);
  }
  return new LoopbackSocket.Server(httpServer);
}

/**
 * Listens, and serves the sockets of that port.
 * @returns {import('node:http').Server} `app.close(cb)` ends it with all its sockets
 */
app.start = function start() {
  const httpServer = app.listen();
  const io = createSocketServer(httpServer);
  LoopbackSocket.get('bookshop').start(io);
  app.close = (cb) => io.close(() => httpServer.close(() => cb()));
  return httpServer;
};

boot(app, __dirname, (err) => {
  if (err) throw err;
  app.booted = true;
  app.emit('booted');
});

if (require.main === module) {
  if (process.env.PORT) app.set('port', Number(process.env.PORT));
  app.once('booted', () => {
    app.start().once('listening', () => console.log('The bookshop is open: %s', app.get('url')));
  });
}
