'use strict';

const assert = require('node:assert/strict');
const { connectFour, receive } = require('./world');

/**
 * @param {import('.').World} world
 * @returns {Promise<import('../client').Client[]>} one that is pending and one authenticated of each node
 */
async function connectPending(world) {
  const clients = await connectFour(world);
  await Promise.all([clients[1].authenticate(), clients[3].authenticate()]);
  return clients;
}

/**
 * Ends what pending clients receive: as soon as they are authenticated.
 *
 * @param {import('.').World} world
 * @param {import('../client').Client[]} clients
 * @returns {Promise<unknown[][][]>} what each received before
 */
async function authenticateAll({ a }, clients) {
  // What was sent before is on its way before this is; then the pending ones authenticate and meet the next one.
  await a.io().emit('sent');
  await clients[1].until('sent');
  await clients[3].until('sent');
  for (const client of [clients[0], clients[2]]) {
    client.socket.emit('authentication', { token: 'valid' });
  }
  return Promise.all([clients[0], clients[2]].map((client) => client.until('authenticated')));
}

/** @type {Record<string, import('.').Feature>} */
const FEATURES = {
  'A pending socket receives no broadcast of either node': async (world) => {
    const { a } = world;
    const clients = await connectPending(world);
    await Promise.all(clients.map((client) => client.join('room')));
    await a.io().emit('to all');
    await a.io().to('room').emit('to the room');
    await a
      .io()
      .to(clients.map(({ id }) => id))
      .emit('to ids');
    await a.io().volatile.emit('volatile');
    await a.socket(clients[1]).broadcast.emit('from a socket');
    await a.io().local.emit('local');
    await a.io().emit('binary', Buffer.from('bytes'));
    // The PostgreSQL adapter takes bytes another way, on which later broadcasts may overtake them.
    await Promise.all([clients[1].until('binary'), clients[3].until('binary')]);
    assert.deepEqual(await authenticateAll(world, clients), [[], []]);
  },

  'A socket receives the broadcasts of both nodes once it is authenticated': async (world) => {
    const clients = await connectFour(world);
    await Promise.all([clients[0].join('room'), clients[2].join('room')]);
    await Promise.all(clients.map((client) => client.authenticate()));
    await world.a.io().emit('to all', 1);
    await world.a.io().to('room').emit('to the room');
    await world.b.io().emit('from b');
    await clients[0].until('from b');
    await world.a.io().emit('end');
    const [, , third, fourth] = await Promise.all(
      clients.map((client, at) => (at === 0 ? [] : client.until('end'))),
    );
    const without = (events) => events.filter(([event]) => event !== 'from b');
    assert.deepEqual(without(third), [['to all', 1], ['to the room']]);
    assert.deepEqual(without(fourth), [['to all', 1]]);
  },

  'A broadcast with a callback does not wait for pending sockets': async (world) => {
    const clients = await connectPending(world);
    clients.forEach((client, number) => client.answers('question', () => number));
    const answers = await world.a.io().timeout(5000).emitWithAck('question');
    assert.deepEqual(answers.sort(), [1, 3]);
    assert.deepEqual(await authenticateAll(world, clients), [[], []]);
  },

  'A socket that the application exempts receives the broadcasts of both nodes': async (world) => {
    const { a, b, connect } = world;
    const [near, far] = [await connect(a), await connect(b)];
    for (const client of [near, far]) await client.node.call('exempt', '/', client.id);
    await a.io().emit('hello');
    await Promise.all([near.next('hello'), far.next('hello')]);
  },

  'emit() of a remote socket does not reach a pending socket': async (world) => {
    const clients = await connectPending(world);
    await world.a.remote(clients[2]).emit('hello');
    assert.deepEqual(await authenticateAll(world, clients), [[], []]);
  },

  'fetchSockets() has pending sockets too': async (world) => {
    const clients = await connectPending(world);
    const sockets = await world.a.io().fetchSockets();
    assert.deepEqual(sockets.map(({ id }) => id).sort(), clients.map(({ id }) => id).sort());
  },

  'A pending socket that the other node has join receives later broadcasts': async (world) => {
    const { a, b, connect } = world;
    const client = await connect(b);
    await a.io().in(client.id).socketsJoin('room');
    await client.untilRooms('room');
    await client.authenticate();
    await a.io().to('room').emit('hello');
    await a.io().emit('end');
    await receive([client], [[['hello']]]);
  },

  'disconnectSockets() disconnects pending sockets of both nodes': async (world) => {
    const clients = await connectPending(world);
    await world.a.io().disconnectSockets();
    for (const client of clients) {
      assert.equal(await client.untilDisconnected(), 'io server disconnect');
    }
  },

  'Authentication and calls do not go through the adapter': async ({ b, connect }) => {
    await b.call('watchAdapter', '/');
    const client = await connect(b);
    await client.authenticate();
    assert.deepEqual(await client.ask('echo', { some: ['args'] }), [
      { result: { some: ['args'] } },
    ]);
    assert.equal(await b.call('watched', '/'), 0);
  },

  'A socket that is refused is told so at once': async ({ b, connect }) => {
    const client = await connect(b);
    client.socket.emit('authentication', { token: 'wrong' });
    const [reason] = await client.next('unauthorized');
    assert.deepEqual(reason, { message: 'Authentication failure' });
  },

  'A method that broadcasts reaches authenticated sockets of both nodes': async (world) => {
    const clients = await connectPending(world);
    clients[1].socket.emit('announce', { some: 'news' });
    const expected = [{ some: 'news' }];
    assert.deepEqual(await clients[1].next('announcement'), expected);
    assert.deepEqual(await clients[3].next('announcement'), expected);
    assert.deepEqual(await authenticateAll(world, clients), [[], []]);
  },

  'A gated namespace receives no broadcast of either node while its client is pending': async (
    world,
  ) => {
    const { a, b, cluster, connect } = world;
    const namespace = '/static';
    await cluster.ready(namespace);
    const pending = await connect(b);
    const inside = await connect(b, { namespace, beside: pending });
    const member = await connect(b);
    const memberInside = await connect(b, { namespace, beside: member });
    await member.authenticate();
    await a.io(namespace).emit('hello');
    await memberInside.next('hello');
    await pending.authenticate();
    await a.io(namespace).emit('end');
    await receive([inside], [[]]);
  },

  'A client that left while pending leaves nothing on either node': async ({ a, b, connect }) => {
    const client = await connect(b);
    await client.join('room');
    await client.close();
    assert.deepEqual(await a.io().in('room').fetchSockets(), []);
  },

  'Clients of version 2 authenticate and receive the broadcasts of both nodes': async (world) => {
    const { a, b, connect } = world;
    const client = await connect(b, { version: 2 });
    const member = await connect(b);
    await member.authenticate();
    await a.io().emit('too early');
    await member.next('too early');
    await client.authenticate();
    await a.io().emit('hello', 1);
    await a.io().emit('end');
    await receive([client], [[['hello', 1]]]);
  },
};

module.exports = { FEATURES };
