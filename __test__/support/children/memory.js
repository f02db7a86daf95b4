'use strict';

// Many clients authenticate, call, and leave in every way there is: what is left of their sockets?

const { once } = require('node:events');
const { World, call, happens, loopbackSocket, reach } = require('../native-server');

async function main() {
  const world = new World({});
  await world.listen();
  const instance = loopbackSocket(60_000);
  instance.onConnected(async () => {});
  instance.defineMethod('slow', () => new Promise(() => {}));
  instance.defineMethod('quick', (socket, credentials, args) => args);
  instance.start(world.io);
  const kept = [];
  for (let i = 0; i < 120; i++) await visit(world, i, kept);
  let collected = 0;
  await reach(() => {
    global.gc();
    collected = kept.filter((socket) => socket.deref() === undefined).length;
    return collected === 120;
  });
  process.send({ collected, sockets: world.io.sockets.sockets.size });
  await world.close();
  process.disconnect();
}

async function visit(world, i, kept) {
  const transports = i % 3 === 0 ? ['polling'] : ['websocket'];
  const { client, socket } = await world.connect(i % 2 ? '2.5' : '4.8', { transports });
  kept.push(new WeakRef(socket));
  if (i % 4 !== 0) {
    client.emit('authentication', { token: i % 4 === 1 ? 'valid' : 'invalid' });
    await happens(client, i % 4 === 1 ? 'authenticated' : 'unauthorized');
  }
  if (i % 4 === 1) {
    await call(client, 'quick', i);
    client.emit('slow', i, () => {});
    socket.join('a room');
    socket.emit('never acknowledged', () => {});
  }
  const ended = once(socket, 'disconnect');
  if (i % 5 === 0) socket.disconnect(true);
  else client.close();
  await ended;
}

main();
