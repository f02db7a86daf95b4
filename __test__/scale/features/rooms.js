'use strict';

const assert = require('node:assert/strict');
const { connectFour, receive, sorted } = require('./world');

/** @type {Record<string, import('.').Feature>} */
const FEATURES = {
  'socketsJoin() has the sockets of both nodes join': async (world) => {
    const clients = await connectFour(world);
    await world.a.io().socketsJoin('room');
    await Promise.all(clients.map((client) => client.untilRooms('room')));
    await world.b.io().to('room').emit('hello');
    await world.b.io().emit('end');
    await receive(clients, Array(4).fill([['hello']]));
  },

  'socketsJoin() of a room has only its members join, except others': async (world) => {
    const clients = await connectFour(world);
    const [, a2, b1, b2] = clients;
    await Promise.all([a2.join('x'), b1.join('x'), b2.join('x', 'not')]);
    await world.a.io().in('x').except('not').socketsJoin(['y', 'z']);
    await Promise.all([a2.untilRooms('x', 'y', 'z'), b1.untilRooms('x', 'y', 'z')]);
    await world.a.io().to('z').emit('hello');
    await world.a.io().emit('end');
    await receive(clients, [[], [['hello']], [['hello']], []]);
  },

  'socketsJoin() has one socket of the other node join, by its id': async (world) => {
    const clients = await connectFour(world);
    await world.a.io().in(clients[2].id).socketsJoin('room');
    await clients[2].untilRooms('room');
    await world.a.io().to('room').emit('hello');
    await world.a.io().emit('end');
    await receive(clients, [[], [], [['hello']], []]);
  },

  'socketsLeave() has the sockets of both nodes leave': async (world) => {
    const clients = await connectFour(world);
    await Promise.all(clients.map((client) => client.join('x', 'y')));
    await world.a.io().in('x').except(clients[3].id).socketsLeave('x');
    await Promise.all(clients.slice(0, 3).map((client) => client.untilRooms('y')));
    await world.b.io().to('x').emit('hello');
    await world.b.io().emit('end');
    await receive(clients, [[], [], [], [['hello']]]);
  },

  'local.socketsJoin() stays on its node': async (world) => {
    const clients = await connectFour(world);
    await world.a.io().local.socketsJoin('room');
    await Promise.all(clients.slice(0, 2).map((client) => client.untilRooms('room')));
    await world.a.io().to('room').emit('hello');
    await world.a.io().emit('end');
    await receive(clients, [[['hello']], [['hello']], [], []]);
  },

  'disconnectSockets() disconnects the sockets of both nodes': async (world) => {
    const clients = await connectFour(world);
    await world.a.io().disconnectSockets();
    for (const client of clients) {
      assert.equal(await client.untilDisconnected(), 'io server disconnect');
    }
  },

  'disconnectSockets() of a room disconnects its members only': async (world) => {
    const clients = await connectFour(world);
    const [a1, a2, b1, b2] = clients;
    await Promise.all([a1.join('x'), b1.join('x'), b2.join('x', 'not')]);
    await world.a.io().in('x').except('not').disconnectSockets();
    assert.equal(await a1.untilDisconnected(), 'io server disconnect');
    assert.equal(await b1.untilDisconnected(), 'io server disconnect');
    await world.a.io().emit('end');
    await receive([a2, b2], [[], []]);
  },

  'disconnectSockets(true) ends the connections on both nodes': async (world) => {
    const clients = await connectFour(world);
    await world.a.io().disconnectSockets(true);
    for (const client of clients) {
      assert.match(await client.untilDisconnected(), /^(io server disconnect|transport close)$/);
    }
  },

  'A socket that is disconnected by the other node leaves its rooms': async (world) => {
    const { a, b, connect } = world;
    const client = await connect(b);
    await client.join('room');
    await a.io().in('room').disconnectSockets();
    await client.close();
    assert.deepEqual(await a.io().in('room').fetchSockets(), []);
  },

  'allSockets() has the ids of both nodes': async (world) => {
    const clients = await connectFour(world);
    const ids = clients.map(({ id }) => id);
    assert.deepEqual(sorted(await world.a.io().allSockets()), sorted(ids));
    await Promise.all([clients[1].join('room'), clients[2].join('room')]);
    const members = await world.a.io().in('room').allSockets();
    assert.deepEqual(sorted(members), sorted([ids[1], ids[2]]));
  },

  'The number of servers is that of the nodes': async ({ a, b }) => {
    assert.equal(await a.io().serverCount(), 2);
    assert.equal(await b.io().serverCount(), 2);
  },
};

module.exports = { FEATURES };
