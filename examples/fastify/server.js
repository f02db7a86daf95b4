'use strict';

// REST by Fastify and sockets of loopback-socket, on one port.
//
//   PORT=3000 node server.js

const { randomUUID } = require('node:crypto');
const fastify = require('fastify');
const LoopbackSocket = require('loopback-socket');

const tokens = new Map(); // the users who have logged in, by token

const sockets = LoopbackSocket.get('fastify');
sockets.auth((socket, credentials) => {
  socket.data.user = tokens.get(credentials?.token);
  return socket.data.user !== undefined;
});
sockets.defineMethod('greet', (socket, credentials, args) => {
  return `Good morning, ${args?.title ?? 'dear'} ${socket.data.user}`;
});

const app = fastify();
const io = new LoopbackSocket.Server(app.server);
sockets.start(io);
// Before Fastify closes its server, which waits for every connection.
app.addHook('preClose', async () => {
  await io.close();
});

app.post('/login', async (request, reply) => {
  const { user, password } = request.body ?? {};
  if (password !== 'open sesame') return reply.code(401).send({ message: 'Who are you?' });
  const token = randomUUID();
  tokens.set(token, user);
  return { token };
});
app.post('/news', async (request, reply) => {
  io.emit('news', request.body); // reaches those who have authenticated
  return reply.code(202).send({ sent: true });
});

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => app.close());
app.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' }).then((address) => {
  console.log('REST and sockets at %s', address);
});
