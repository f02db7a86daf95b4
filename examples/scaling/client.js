'use strict';

// A hundred clients, spread over the servers whose addresses are the arguments. One of them says something;
// the others hear it, whichever process they are connected to.

const { io } = require('socket.io-client');

const COUNT = 100;
const urls = process.argv.length > 2 ? process.argv.slice(2) : ['http://localhost:3000'];

/**
 * @param {number} number of the client
 * @returns {Promise<{ socket: import('socket.io-client').Socket, pid: number, heard: Promise<string> }>}
 *   the client once it has authenticated, the process it is connected to, and what it hears
 */
async function connect(number) {
  const socket = io(urls[number % urls.length], { forceNew: true });
  const heard = new Promise((resolve) => socket.once('said', resolve));
  socket.on('connect', () => socket.emit('authentication', { token: 'open sesame' }));
  await new Promise((resolve) => socket.once('authenticated', resolve));
  const { result: pid } = await socket.emitWithAck('process', null);
  return { socket, pid, heard };
}

/** Has one client say something, and counts who hears it. */
async function main() {
  const clients = await Promise.all(Array.from({ length: COUNT }, (_, number) => connect(number)));
  clients[0].socket.emit('say', 'hello');
  await Promise.all(clients.map(({ heard }) => heard));
  const processes = new Set(clients.map(({ pid }) => pid)).size;
  console.log(`${COUNT} clients of ${processes} process${processes > 1 ? 'es' : ''} heard it`);
  for (const { socket } of clients) socket.close();
}

main();
