'use strict';

// A server with an adapter that a LoopbackSocket serves, some of whose clients have not authenticated.

const assert = require('node:assert/strict');
const socketIo = require('socket.io');
const LoopbackSocket = require('../..');
const { heard, received, run } = require('../support/context');
const { named } = require('./probes');

/**
 * Four clients of a server that a LoopbackSocket serves: A and B have authenticated, P is pending; G is
 * the socket of P in the gated namespace `/news`, N that of B.
 *
 * @param {import('../support/context').Context} context
 * @returns {Promise<object>}
 */
async function served(context) {
  const { io } = context;
  io.of('/news');
  const instance = new LoopbackSocket('served with an adapter', 'none');
  instance.auth((socket, credentials) => credentials === 'valid');
  instance.start(io);
  const names = {};
  const peers = {};
  for (const name of 'ABP') {
    const peer = await context.connect('/');
    if (name !== 'P') {
      const authenticated = received(peer.client, 'authenticated');
      peer.client.emit('authentication', 'valid');
      await authenticated;
      peer.log.length = 0;
    }
    peers[name] = peer;
  }
  for (const [name, of] of Object.entries({ G: peers.P, N: peers.B })) {
    const client = of.client.io.socket('/news');
    const log = [];
    client.onAny((...event) => log.push(event.filter((arg) => typeof arg !== 'function')));
    client.on('ask', (question, acknowledge) => acknowledge(`${question}!`));
    await received(client, 'connect');
    peers[name] = { client, socket: io.of('/news').sockets.get(client.id), log };
  }
  for (const [name, { socket, client }] of Object.entries(peers)) {
    names[socket.id] = name;
    socket.data.name = name;
    socket.join('all');
    client.on('question', (acknowledge) => acknowledge(name));
  }
  const all = Object.values(peers);
  return {
    io,
    peers,
    adapter: io.of('/').adapter,
    show: (value) => named(value, names),
    sockets: Object.fromEntries(Object.entries(peers).map(([name, peer]) => [name, peer.socket])),
    /** @returns {Promise<Record<string, unknown[][]>>} what each has received */
    async heard() {
      const events = await heard(...all);
      return Object.fromEntries(Object.keys(peers).map((name, i) => [name, events[i]]));
    },
  };
}

/** The names of the sockets that are found. */
async function found(sockets, show) {
  return show((await sockets).map(({ id }) => id)).sort();
}

/**
 * Plays something to socket.io and to the native server, with the same adapter.
 *
 * @param {Function} Class of adapters
 * @param {(world: object) => Promise<unknown>} scenario
 * @param {unknown} [expected] if this test knows
 * @returns {() => Promise<void>} for `it`
 */
function both(Class, scenario, expected) {
  return async () => {
    const probe = async (context) => scenario(await served(context), context);
    const reference = await run(socketIo.Server, probe, { adapter: Class });
    assert.deepEqual(await run(LoopbackSocket.Server, probe, { adapter: Class }), reference);
    if (expected !== undefined) assert.deepEqual(reference, expected);
  };
}

module.exports = { both, found, served };
