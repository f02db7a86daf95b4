'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { connectFour, receive } = require('./world');
const { reach } = require('../../support/waiting');

/** @type {Record<string, import('.').Feature>} */
const FEATURES = {
  'A broadcast of a namespace reaches its clients on both nodes only': async (world) => {
    await world.cluster.ready('/static');
    const clients = await connectFour(world, { namespace: '/static' });
    const others = await connectFour(world);
    await world.a.io('/static').emit('hello', 1);
    await world.a.io('/static').emit('end');
    await world.a.io().emit('end');
    await receive(clients, Array(4).fill([['hello', 1]]));
    await receive(others, Array(4).fill([]));
  },

  'Rooms of the same name in two namespaces stay apart on both nodes': async (world) => {
    await world.cluster.ready('/static');
    const there = await connectFour(world, { namespace: '/static' });
    const here = await connectFour(world);
    await Promise.all([...there, ...here].map((client) => client.join('room')));
    await world.a.io('/static').to('room').emit('there');
    await world.a.io().to('room').emit('here');
    await world.a.io('/static').emit('end');
    await world.a.io().emit('end');
    await receive(there, Array(4).fill([['there']]));
    await receive(here, Array(4).fill([['here']]));
  },

  'fetchSockets() and disconnectSockets() of a namespace leave others alone': async (world) => {
    await world.cluster.ready('/static');
    const { a, b, connect } = world;
    const there = await connect(b, { namespace: '/static' });
    const here = await connect(b);
    const sockets = await a.io('/static').fetchSockets();
    assert.deepEqual(
      sockets.map(({ id }) => id),
      [there.id],
    );
    await a.io('/static').disconnectSockets();
    assert.equal(await there.untilDisconnected(), 'io server disconnect');
    await a.io().emit('end');
    await receive([here], [[]]);
  },

  'A broadcast with a callback stays in its namespace': async (world) => {
    await world.cluster.ready('/static');
    const { a, b, connect } = world;
    const there = await connect(b, { namespace: '/static' });
    there.answers('question', () => 'there');
    const here = await connect(b);
    here.answers('question', () => 'here');
    assert.deepEqual(await a.io('/static').timeout(5000).emitWithAck('question'), ['there']);
  },

  'A dynamic namespace works between nodes': async (world) => {
    await world.cluster.ready('/dynamic-one', { stay: true });
    const clients = await connectFour(world, { namespace: '/dynamic-one' });
    const others = await connectFour(world, { namespace: '/dynamic-two' });
    await clients[2].join('room');
    await world.a.io('/dynamic-one').to('room').emit('to the room');
    await world.a.io('/dynamic-one').emit('end');
    await world.a.io('/dynamic-two').local.emit('end');
    await world.b.io('/dynamic-two').local.emit('end');
    await receive(clients, [[], [], [['to the room']], []]);
    await receive(others, Array(4).fill([]));
  },

  'A dynamic namespace that was cleaned up works between nodes again': async (world) => {
    const { a, b, cluster } = world;
    const namespace = '/dynamic-again';
    for (const round of [1, 2]) {
      await cluster.ready(namespace, { stay: true });
      const clients = await connectFour(world, { namespace });
      await a.io(namespace).emit('round', round);
      assert.deepEqual(await clients[0].next('round'), [round]);
      assert.deepEqual(await clients[2].next('round'), [round]);
      await cluster.closeClients();
      assert.equal(await a.call('hasNamespace', namespace), false);
      assert.equal(await b.call('hasNamespace', namespace), false);
    }
  },

  'A namespace that is cleaned up on one node still works on the other': async (world) => {
    const { a, b, connect } = world;
    const namespace = '/dynamic-rest';
    const near = await connect(a, { namespace });
    const far = await connect(b, { namespace });
    await far.close();
    assert.equal(await b.call('hasNamespace', namespace), false);
    await a.io(namespace).emit('hello');
    await near.next('hello');
    const sockets = await a.io(namespace).local.fetchSockets();
    assert.equal(sockets.length, 1);
  },

  'A node that cleans up a namespace is no longer counted in it': async (world) => {
    const { a, b, cluster, connect } = world;
    const namespace = '/dynamic-count';
    const near = await connect(a, { namespace });
    await cluster.ready(namespace, { stay: true });
    await cluster.closeClients([near]);
    assert.equal(await b.call('hasNamespace', namespace), false);
    // No event announces it: the adapter tells its service, or the other nodes, in its own time.
    await reach(async () => (await a.io(namespace).serverCount()) === 1, 60_000);
    assert.deepEqual(await a.io(namespace).serverSideEmitWithAck('who'), []);
  },

  'A broadcast of a parent reaches its namespaces on both nodes': async (world) => {
    const { a, b, cluster, connect } = world;
    const namespaces = ['/dynamic-first', '/dynamic-second'];
    for (const namespace of namespaces) await cluster.ready(namespace, { stay: true });
    const clients = await Promise.all([
      connect(a, { namespace: namespaces[0] }),
      connect(b, { namespace: namespaces[0] }),
      connect(b, { namespace: namespaces[1] }),
      connect(b),
    ]);
    await a.parent().emit('hello', 1);
    for (const client of clients.slice(0, 3)) assert.deepEqual(await client.next('hello'), [1]);
    await a.io().emit('end');
    await receive(clients.slice(3), [[]]);
  },

  'serverSideEmit() in a dynamic namespace reaches the other node': async (world) => {
    const { a, b, cluster } = world;
    const namespace = '/dynamic-servers';
    await cluster.ready(namespace, { stay: true });
    await b.call('answerServers', namespace);
    const arrives = once(b, 'news');
    await a.io(namespace).serverSideEmit('news', 1);
    assert.deepEqual(await arrives, [namespace, 1]);
  },
};

module.exports = { FEATURES };
