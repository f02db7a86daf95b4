'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { connectFour, receive } = require('./world');

/** More than the 8,000 bytes that a notification of PostgreSQL holds, and than one TCP segment. */
const LARGE = 'x'.repeat(300_000);

/** As many as a stream of Redis is read at once. */
const MANY = 100;

/** @type {Record<string, import('.').Feature>} */
const FEATURES = {
  'A broadcast to everyone reaches the clients of both nodes, once': async (world) => {
    const clients = await connectFour(world);
    await world.a.io().emit('hello', 1, { two: [3] });
    await world.a.io().emit('end');
    const hello = [['hello', 1, { two: [3] }]];
    await receive(clients, [hello, hello, hello, hello]);
  },

  'A broadcast to a room reaches its members on both nodes, and nobody else': async (world) => {
    const clients = await connectFour(world);
    const [inA, , inB] = clients;
    await Promise.all([inA.join('room'), inB.join('room')]);
    await world.a.io().to('room').emit('hello');
    await world.a.io().in('room').emit('hello again');
    await world.a.io().emit('end');
    const both = [['hello'], ['hello again']];
    await receive(clients, [both, [], both, []]);
  },

  'A broadcast to a room that has members only on the other node reaches them': async (world) => {
    const clients = await connectFour(world);
    await clients[3].join('far away');
    await world.a.io().to('far away').emit('hello');
    await world.a.io().emit('end');
    await receive(clients, [[], [], [], [['hello']]]);
  },

  'A broadcast to a room without members reaches nobody': async (world) => {
    const clients = await connectFour(world);
    await world.a.io().to('nowhere').emit('hello');
    await world.a.io().emit('end');
    await receive(clients, [[], [], [], []]);
  },

  'A broadcast to several rooms reaches a member of two of them once': async (world) => {
    const clients = await connectFour(world);
    const [a1, a2, b1, b2] = clients;
    await Promise.all([a1.join('x', 'y'), a2.join('z'), b1.join('y', 'x'), b2.join('y')]);
    await world.a.io().to('x').to('y').emit('chained');
    await world.a.io().to(['x', 'y']).emit('list');
    await world.a.io().emit('end');
    const both = [['chained'], ['list']];
    await receive(clients, [both, [], both, both]);
  },

  'A broadcast leaves out the members of excepted rooms on both nodes': async (world) => {
    const clients = await connectFour(world);
    const [a1, , b1, b2] = clients;
    await Promise.all([a1.join('x', 'not'), b1.join('x', 'not'), b2.join('x')]);
    await world.a.io().except('not').emit('to all');
    await world.a.io().to('x').except('not').emit('to x');
    await world.a.io().except(['not', 'x']).emit('to one');
    await world.a.io().emit('end');
    const all = ['to all'];
    await receive(clients, [[], [all, ['to one']], [], [all, ['to x']]]);
  },

  'A broadcast leaves out one socket of the other node by its id': async (world) => {
    const clients = await connectFour(world);
    await world.a.io().except(clients[2].id).emit('hello');
    await world.a.io().emit('end');
    await receive(clients, [[['hello']], [['hello']], [], [['hello']]]);
  },

  'An event to the id of a socket on the other node reaches only that socket': async (world) => {
    const clients = await connectFour(world);
    await world.a.io().to(clients[3].id).emit('private', 'message');
    await world.a.io().emit('end');
    await receive(clients, [[], [], [], [['private', 'message']]]);
  },

  'An event from a socket to the id of one on the other node reaches it': async (world) => {
    const clients = await connectFour(world);
    await world.a.socket(clients[0]).to(clients[2].id).emit('private');
    await world.a.io().emit('end');
    await receive(clients, [[], [], [['private']], []]);
  },

  'A socket that broadcasts reaches everyone else on both nodes': async (world) => {
    const clients = await connectFour(world);
    await world.a.socket(clients[0]).broadcast.emit('hello');
    await world.a.io().emit('end');
    await receive(clients, [[], [['hello']], [['hello']], [['hello']]]);
  },

  'A socket that emits to a room reaches its other members on both nodes': async (world) => {
    const clients = await connectFour(world);
    const [a1, a2, b1] = clients;
    await Promise.all([a1.join('room'), a2.join('room', 'not'), b1.join('room')]);
    await world.a.socket(a1).to('room').emit('to');
    await world.a.socket(a1).to('room').except('not').emit('except');
    await world.a.io().emit('end');
    await receive(clients, [[], [['to']], [['to'], ['except']], []]);
  },

  'A local broadcast stays on its node': async (world) => {
    const clients = await connectFour(world);
    await clients[0].join('room');
    await clients[2].join('room');
    await world.a.io().local.emit('to all');
    await world.a.io().local.to('room').emit('to room');
    await world.a.socket(clients[1]).local.emit('from a socket');
    await world.a.io().emit('end');
    await receive(clients, [[['to all'], ['to room'], ['from a socket']], [['to all']], [], []]);
  },

  'A volatile broadcast reaches clients of both nodes that are ready for it': async (world) => {
    const clients = await connectFour(world);
    await world.a.io().volatile.emit('hello', 1);
    await world.a.io().emit('end');
    await receive(clients, Array(4).fill([['hello', 1]]));
  },

  'A broadcast that is not to be compressed reaches clients of both nodes': async (world) => {
    const clients = await connectFour(world);
    await world.a.io().compress(false).emit('hello', 1);
    await world.a.io().emit('end');
    await receive(clients, Array(4).fill([['hello', 1]]));
  },

  'Binary values reach clients of both nodes as they are': async (world) => {
    const [near, , far] = await connectFour(world);
    const bytes = Buffer.from([0, 1, 127, 128, 255]);
    await world.a.io().emit('binary', bytes, { nested: [Buffer.from('text'), 'text'] }, 'last');
    for (const client of [near, far]) {
      const [first, second, last] = await client.next('binary');
      assert.ok(Buffer.isBuffer(first), `${first}`);
      assert.deepEqual(first, bytes);
      assert.deepEqual(second, { nested: [Buffer.from('text'), 'text'] });
      assert.equal(last, 'last');
    }
  },

  'Binary values reach a room of the other node and nobody else': async (world) => {
    const clients = await connectFour(world);
    await clients[2].join('room');
    await world.a.io().to('room').emit('binary', Buffer.from('for the room'));
    await world.a.io().emit('end', Buffer.from('for all'));
    await receive(clients, [[], [], [['binary', Buffer.from('for the room')]], []]);
  },

  'A large message reaches clients of both nodes whole': async (world) => {
    const [near, , far] = await connectFour(world);
    await world.a.io().emit('large', { text: LARGE });
    assert.deepEqual(await near.next('large'), [{ text: LARGE }]);
    assert.deepEqual(await far.next('large'), [{ text: LARGE }]);
  },

  'A large binary message reaches clients of both nodes whole': async (world) => {
    const [near, , far] = await connectFour(world);
    const bytes = Buffer.alloc(300_000, 'bytes ');
    await world.a.io().emit('large', bytes);
    assert.ok(bytes.equals((await near.next('large'))[0]));
    assert.ok(bytes.equals((await far.next('large'))[0]));
  },

  'Text that is not ASCII reaches clients of both nodes as it is': async (world) => {
    const [near, , far] = await connectFour(world);
    const text = 'zażółć gęślą jaźń ✓ 日本語 \u2028 👩‍👩‍👧 "\\';
    await world.a.io().emit('ünï ✓', text, { [text]: text });
    assert.deepEqual(await near.next('ünï ✓'), [text, { [text]: text }]);
    assert.deepEqual(await far.next('ünï ✓'), [text, { [text]: text }]);
  },

  'Large text that is not ASCII reaches clients of both nodes as it is': async (world) => {
    const [near, , far] = await connectFour(world);
    const text = 'zażółć ✓ 日本語 👩‍👩‍👧 '.repeat(8000);
    await world.a.io().emit('large', text);
    assert.ok((await near.next('large'))[0] === text, 'near');
    assert.ok((await far.next('large'))[0] === text, 'far');
  },

  'Values of every JSON type reach clients of both nodes as they are': async (world) => {
    const clients = await connectFour(world);
    const values = [
      null,
      true,
      false,
      0,
      -1.5,
      2 ** 53 - 1,
      '',
      [],
      {},
      [null],
      { a: { b: null } },
    ];
    await world.a.io().emit('values', ...values);
    await world.a.io().emit('end');
    await receive(clients, Array(4).fill([['values', ...values]]));
  },

  'Whole numbers of more than 64 bits reach clients of both nodes as they are': async (world) => {
    const clients = await connectFour(world);
    await world.a.io().emit('number', 1e300);
    await world.a.io().emit('end');
    await receive(clients, Array(4).fill([['number', 1e300]]));
  },

  'Rooms whose names need care stay apart on both nodes': async (world) => {
    const clients = await connectFour(world);
    const names = ['#', 'a#b', '*', '[x]', '__proto__', 'ünï ✓', '1', ''];
    await Promise.all([clients[0].join(...names), clients[2].join(...names)]);
    for (const name of names) await world.a.io().to(name).emit('hello', name);
    await world.a.io().emit('end');
    const all = names.map((name) => ['hello', name]);
    await receive(clients, [all, [], all, []]);
  },

  'A socket that joins a room receives the broadcast that follows at once': async (world) => {
    const { a, b, connect } = world;
    const [near, far] = [await connect(a), await connect(b)];
    await far.join('room');
    await a.atOnce((node) => [node.socket(near).join('room'), node.io().to('room').emit('hello')]);
    await a.io().emit('end');
    await receive([near, far], [[['hello']], [['hello']]]);
  },

  'A socket that leaves a room does not receive a broadcast that follows at once': async (
    world,
  ) => {
    const { a, b, connect } = world;
    const [near, far] = [await connect(a), await connect(b)];
    await Promise.all([near.join('room'), far.join('room')]);
    await a.atOnce((node) => [node.socket(near).leave('room'), node.io().to('room').emit('hello')]);
    await a.io().emit('end');
    await receive([near, far], [[], [['hello']]]);
  },

  'A socket that joined in middleware receives broadcasts to the room': async (world) => {
    const { a, b, connect } = world;
    const clients = [
      await connect(a, { auth: { room: 'early' } }),
      await connect(b, { auth: { room: 'early' } }),
      await connect(b),
    ];
    await b.call('settle');
    await a.io().to('early').emit('hello');
    await a.io().emit('end');
    await receive(clients, [[['hello']], [['hello']], []]);
  },

  'A broadcast when a client connects reaches that client and the others': async (world) => {
    const { a, b, connect } = world;
    const [near, far] = [await connect(a), await connect(b)];
    const client = await connect(a, { auth: { greets: 'Zoë' } });
    for (const each of [near, far, client]) assert.deepEqual(await each.next('greeting'), ['Zoë']);
  },

  'A socket that is about to go can tell the rooms it leaves': async (world) => {
    const { a, b, connect } = world;
    const [near, far, goes] = [await connect(a), await connect(b), await connect(a)];
    await Promise.all([near, far, goes].map((client) => client.join('farewell')));
    goes.end();
    for (const each of [near, far]) assert.deepEqual(await each.next('farewell'), [goes.id]);
  },

  'Values that JSON changes arrive as JSON has them': async (world) => {
    const { a } = world;
    const [near, , far] = await connectFour(world);
    await a.io().emit('values', new Date(0), { at: new Date(0) }, [undefined]);
    const values = ['1970-01-01T00:00:00.000Z', { at: '1970-01-01T00:00:00.000Z' }, [null]];
    assert.deepEqual(await near.next('values'), values);
    assert.deepEqual(await far.next('values'), values);
  },

  'Rooms whose names are numbers have their members on both nodes': async (world) => {
    const clients = await connectFour(world);
    await Promise.all([clients[0].join(1, 2), clients[2].join(1)]);
    await world.a.io().to(1).emit('to one');
    await world.a.io().to([1, 2]).emit('to both');
    await world.a.io().emit('end');
    const both = [['to one'], ['to both']];
    await receive(clients, [both, [], both, []]);
  },

  'A last broadcast arrives before the sockets of its node are disconnected': async (world) => {
    const { a, connect } = world;
    const clients = await Promise.all([connect(a), connect(a, { transports: ['polling'] })]);
    await a.atOnce((node) => [node.io().emit('bye'), node.io().disconnectSockets(true)]);
    for (const client of clients) {
      await client.next('bye');
      await client.untilDisconnected();
    }
  },

  'A last broadcast arrives before the sockets of the other node are disconnected': async (
    world,
  ) => {
    const { a, b, connect } = world;
    const clients = await Promise.all([connect(b), connect(b, { transports: ['polling'] })]);
    await a.atOnce((node) => [node.io().emit('bye'), node.io().disconnectSockets(true)]);
    for (const client of clients) {
      await client.next('bye');
      await client.untilDisconnected();
    }
  },

  'A broadcast arrives before the answer that its listener gives afterwards': async (world) => {
    const { a, b, connect } = world;
    const [near, far] = [await connect(a), await connect(b)];
    const atAnswer = await new Promise((resolve) => {
      near.socket.emit('shout', 'hello', () => resolve([...near.received]));
    });
    assert.deepEqual(atAnswer, [['shouted', 'hello']]);
    assert.deepEqual(await far.next('shouted'), ['hello']);
  },

  'Broadcasts and events to one socket arrive in the order of its node': async (world) => {
    const { a, connect } = world;
    const [client, other] = [await connect(a), await connect(a)];
    await a.atOnce((node) => [
      node.io().emit('1'),
      node.socket(client).emit('2'),
      node.io().to(client.id).emit('3'),
      node.io().local.emit('4'),
      node.socket(client).emit('5'),
      node.socket(other).broadcast.emit('6'),
    ]);
    await a.io().emit('end');
    await receive([client], [[['1'], ['2'], ['3'], ['4'], ['5'], ['6']]]);
  },

  'Small broadcasts arrive in the order they were sent in on both nodes': async (world) => {
    const clients = await connectFour(world);
    const numbers = Array.from({ length: MANY }, (_, number) => number);
    await world.a.atOnce((node) => numbers.map((number) => node.io().emit('count', number)));
    await world.a.io().emit('end');
    await receive(clients, Array(4).fill(numbers.map((number) => ['count', number])));
  },

  'Broadcasts to different rooms arrive in the order they were sent in': async (world) => {
    const clients = await connectFour(world);
    await Promise.all(clients.map((client) => client.join('x', 'y')));
    const numbers = Array.from({ length: MANY }, (_, number) => number);
    const room = (number) => ['x', 'y', ['x', 'y']][number % 3];
    await world.a.atOnce((node) =>
      numbers.map((number) => node.io().to(room(number)).emit('count', number)),
    );
    await world.a.io().emit('end');
    await receive(clients, Array(4).fill(numbers.map((number) => ['count', number])));
  },

  'A small broadcast does not overtake a large or a binary one': async (world) => {
    const [near, , far] = await connectFour(world);
    const payloads = [LARGE, 'small', Buffer.alloc(20_000), 'small', Buffer.from('b'), 'small'];
    await world.a.atOnce((node) =>
      payloads.map((payload, at) => node.io().emit('one', at, payload)),
    );
    for (const client of [near, far]) {
      const order = [];
      while (order.length < payloads.length) order.push((await client.next('one'))[0]);
      assert.deepEqual(order, [0, 1, 2, 3, 4, 5], client.node.name);
    }
  },

  'Broadcasts that both nodes send at once all arrive, in the order of each': async (world) => {
    const { a, b } = world;
    const clients = await connectFour(world);
    const numbers = Array.from({ length: MANY }, (_, number) => number);
    await Promise.all(
      [a, b].map((node) =>
        node.atOnce((at) => numbers.map((number) => at.io().emit('count', node.name, number))),
      ),
    );
    await Promise.all([a.io().emit('end of a'), b.io().emit('end of b')]);
    for (const client of clients) {
      const counts = {};
      const note = (events) => {
        for (const [, sender, number] of events.filter(([event]) => event === 'count')) {
          (counts[sender] ??= []).push(number);
        }
      };
      const first = await client.until('end of a');
      note(first);
      const isDone = first.some(([event]) => event === 'end of b');
      if (!isDone) note(await client.until('end of b'));
      assert.deepEqual(counts, { [a.name]: numbers, [b.name]: numbers });
    }
  },

  'Listeners of outgoing packets see what the other node broadcasts': async ({ a, b, connect }) => {
    const client = await connect(b);
    await b.call('watchOutgoing', '/', client.id);
    const seen = once(b, 'outgoing');
    await a.io().emit('hello', 1, { two: 2 });
    assert.deepEqual(await seen, [client.id, 'hello', 1, { two: 2 }]);
    assert.deepEqual(await client.next('hello'), [1, { two: 2 }]);
  },

  'Nothing of a closed client is left on either node': async ({ a, b, connect }) => {
    const [near, far] = [await connect(a), await connect(b)];
    await Promise.all([near.join('room'), far.join('room')]);
    await far.close();
    const sockets = await a.io().in('room').fetchSockets();
    assert.deepEqual(
      sockets.map(({ id }) => id),
      [near.id],
    );
  },
};

module.exports = { FEATURES };
