'use strict';

// An app on the native server, for a runtime other than Node.js: tells its port, and what it sees of
// its clients; closes when its standard input ends.

const http = require('node:http');
const LoopbackSocket = require('../../..');

const tell = (event) => console.log(JSON.stringify(event));

const sockets = new LoopbackSocket('bun');
sockets.auth((socket, credentials) => credentials.password === 'right');
sockets.defineMethod('double', async (socket, credentials, { value }) => value * 2);
sockets.defineMethod('echo', (socket, credentials, value) => value);
sockets.defineMethod('shout', (socket, credentials, value) => io.emit('shouted', value));

const httpServer = http.createServer((req, res) => res.end('page'));
const io = new LoopbackSocket.Server(httpServer);
sockets.start(io);
io.on('connection', (socket) => socket.on('disconnect', (reason) => tell({ reason })));
httpServer.listen(0, '127.0.0.1', () => tell({ port: httpServer.address().port }));

process.stdin.resume();
process.stdin.once('end', () => io.close(() => tell({ closed: true })));
