'use strict';

// REST by Express and sockets of loopback-socket, on one port.
//
//   PORT=3000 node server.js

const { randomUUID } = require('node:crypto');
const http = require('node:http');
const express = require('express');
const LoopbackSocket = require('loopback-socket');

const tokens = new Map(); // the users who have logged in, by token

const sockets = LoopbackSocket.get('express');
sockets.auth((socket, credentials) => {
  socket.data.user = tokens.get(credentials?.token);
  return socket.data.user !== undefined;
});
sockets.defineMethod('greet', (socket, credentials, args) => {
  return `Good morning, ${args?.title ?? 'dear'} ${socket.data.user}`;
});

const app = express().use(express.json());
const httpServer = http.createServer(app);
const io = new LoopbackSocket.Server(httpServer);
sockets.start(io);

app.post('/login', (req, res) => {
  if (req.body?.password !== 'open sesame')
    return res.status(401).json({ message: 'Who are you?' });
  const token = randomUUID();
  tokens.set(token, req.body.user);
  res.json({ token });
});
app.post('/news', (req, res) => {
  io.emit('news', req.body); // reaches those who have authenticated
  res.status(202).json({ sent: true });
});

httpServer.listen(process.env.PORT ?? 3000, '127.0.0.1', () => {
  console.log('REST and sockets at http://127.0.0.1:%d', httpServer.address().port);
});
