'use strict';

// One native server in a process that has nothing else to do; the argument says what it goes
// through.

const http = require('node:http');
const LoopbackSocket = require('../../..');

const [, , mode] = process.argv;
const httpServer = http.createServer();
let io;
if (mode === 'start') {
  const instance = new LoopbackSocket('lifetime');
  instance.start(httpServer);
  io = instance._io;
} else {
  io = new LoopbackSocket.Server(httpServer);
}
io.on('connection', (socket) => socket.on('echo', (value, done) => done(value)));

if (mode === 'never') {
  process.disconnect();
} else {
  httpServer.listen(0, '127.0.0.1', () => {
    if (mode === 'close' || mode === 'start') {
      io.close();
      process.disconnect();
    } else if (mode === 'close-twice') {
      io.close(() => io.close(() => process.disconnect()));
    } else {
      process.send(httpServer.address().port);
    }
  });
}

process.once('message', (told) => {
  if (told === 'close') {
    io.close();
    process.disconnect();
  } else {
    httpServer.close();
    process.send('http server closed', () => process.disconnect());
  }
});
