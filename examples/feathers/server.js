'use strict';

// Services of Feathers over REST and sockets of loopback-socket, on one port. With `-r loopback-socket/register`
// Feathers' Socket.IO server is the native one; without it, npm socket.io.
//
//   PORT=3000 node -r loopback-socket/register server.js

const { randomUUID } = require('node:crypto');
const { once } = require('node:events');
const express = require('@feathersjs/express');
const { feathers } = require('@feathersjs/feathers');
const socketio = require('@feathersjs/socketio');
const LoopbackSocket = require('loopback-socket');

const tokens = new Map(); // the users who have logged in, by token

const app = express.default(feathers());
app.use(express.json());

const sockets = LoopbackSocket.get('feathers');
sockets.auth((socket, credentials) => {
  const user = tokens.get(credentials?.token);
  if (user === undefined) return false;
  socket.data.user = user;
  socket.feathers.user = user; // `params.user` of services
  app.channel('authenticated').join(socket.feathers); // where events go
  return true;
});
sockets.defineMethod('greet', (socket, credentials, args) => {
  return `Good morning, ${args?.title ?? 'dear'} ${socket.data.user}`;
});
app.configure(socketio({ allowEIO3: true }, (io) => sockets.start(io))); // for clients of Socket.IO 2, too

app.use('messages', {
  async create(data, params) {
    return { text: data.text, from: params.user };
  },
});
app.service('messages').hooks({
  before: {
    async all({ params }) {
      // Services answer sockets that have not authenticated, too.
      if (params.provider && params.user === undefined) throw new Error('Authenticate first');
    },
  },
});
app.publish(() => app.channel('authenticated'));

app.post('/login', (req, res) => {
  const { user, password } = req.body ?? {};
  if (password !== 'open sesame') {
    res.status(401).json({ message: 'Who are you?' });
    return;
  }
  const token = randomUUID();
  tokens.set(token, user);
  res.json({ token });
});
app.post('/news', (req, res) => {
  app.io.emit('news', req.body); // reaches those who have authenticated
  res.status(202).json({ sent: true });
});

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => app.io.close());
app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1').then(async (server) => {
  if (!server.listening) await once(server, 'listening');
  console.log('REST and sockets at http://127.0.0.1:%d', server.address().port);
});
