'use strict';

const assert = require('node:assert/strict');
const { connectFour, receive, sorted } = require('./world');

/**
 * @param {{id: string}[]} sockets
 * @returns {string[]} their ids, in the order of their names
 */
function ids(sockets) {
  return sorted(sockets.map(({ id }) => id));
}

/** @type {Record<string, import('.').Feature>} */
const FEATURES = {
  'fetchSockets() has the sockets of both nodes': async (world) => {
    const clients = await connectFour(world);
    assert.deepEqual(ids(await world.a.io().fetchSockets()), ids(clients));
  },

  'fetchSockets() of a room has its members, except others': async (world) => {
    const [a1, a2, b1, b2] = await connectFour(world);
    await Promise.all([a2.join('x'), b1.join('x'), b2.join('x', 'not')]);
    assert.deepEqual(ids(await world.a.io().in('x').fetchSockets()), ids([a2, b1, b2]));
    assert.deepEqual(ids(await world.a.io().in('x').except('not').fetchSockets()), ids([a2, b1]));
    assert.deepEqual(ids(await world.a.io().except('x').fetchSockets()), ids([a1]));
    assert.deepEqual(await world.a.io().in('nowhere').fetchSockets(), []);
  },

  'local.fetchSockets() has the sockets of its node': async (world) => {
    const [a1, a2] = await connectFour(world);
    assert.deepEqual(ids(await world.a.io().local.fetchSockets()), ids([a1, a2]));
  },

  'A remote socket has the rooms, data and handshake of the socket': async ({ a, b, connect }) => {
    const client = await connect(b, {
      auth: { token: 'ä ✓', deep: { list: [1] } },
      query: { page: '2' },
      extraHeaders: { 'x-test': 'yes' },
    });
    await client.join('x', 'y');
    await b.call('setData', '/', client.id, { name: 'Zoë', list: [1, null, { a: true }] });
    const [socket] = await a.io().in(client.id).fetchSockets();
    assert.equal(socket.id, client.id);
    assert.deepEqual(socket.rooms, sorted([client.id, 'x', 'y']));
    assert.deepEqual(socket.data, { name: 'Zoë', list: [1, null, { a: true }] });
    const { handshake } = socket;
    assert.deepEqual(handshake.auth, { token: 'ä ✓', deep: { list: [1] } });
    assert.equal(handshake.query.page, '2');
    assert.equal(handshake.headers['x-test'], 'yes');
    assert.match(handshake.address, /127\.0\.0\.1$/);
    assert.equal(handshake.secure, false);
  },

  'emit() of a remote socket reaches its client only': async (world) => {
    const clients = await connectFour(world);
    await world.a.remote(clients[2]).emit('hello', 1);
    await world.a.io().emit('end');
    await receive(clients, [[], [], [['hello', 1]], []]);
  },

  'join() and leave() of a remote socket work on its node': async ({ a, b, connect }) => {
    const client = await connect(b);
    await client.join('old');
    await a.remote(client).join(['x', 'y']);
    await client.untilRooms('old', 'x', 'y');
    await a.remote(client).leave('old');
    await client.untilRooms('x', 'y');
    await a.io().to('old').emit('to the old room');
    await a.io().to('x').emit('to the new room');
    await a.io().emit('end');
    await receive([client], [[['to the new room']]]);
  },

  'disconnect() of a remote socket disconnects its client': async ({ a, b, connect }) => {
    const [near, far] = [await connect(a), await connect(b)];
    await a.remote(far).disconnect();
    assert.equal(await far.untilDisconnected(), 'io server disconnect');
    await a.io().emit('end');
    await receive([near], [[]]);
  },

  'disconnect(true) of a remote socket ends its connection': async ({ a, b, connect }) => {
    const client = await connect(b);
    const inside = await connect(b, { namespace: '/static', beside: client });
    await a.remote(client).disconnect(true);
    assert.match(await client.untilDisconnected(), /^(io server disconnect|transport close)$/);
    assert.match(await inside.untilDisconnected(), /^(io server disconnect|transport close)$/);
  },

  'A remote socket waits for its client to acknowledge': async ({ a, b, connect }) => {
    const client = await connect(b);
    client.answers('question', (...args) => ['answer', ...args]);
    const answer = await a.remote(client).timeout(5000).emitWithAck('question', 1, { two: 2 });
    assert.deepEqual(answer, ['answer', 1, { two: 2 }]);
  },

  'A remote socket waits no longer than its timeout': async ({ a, b, connect }) => {
    const client = await connect(b);
    await assert.rejects(a.remote(client).timeout(50).emitWithAck('question'), {
      message: 'operation has timed out',
    });
  },
};

module.exports = { FEATURES };
