'use strict';

// What an application does with rooms and broadcasts, as probes that run on socket.io and on the native
// server with the same adapter: the outcomes must be the same.

const { once } = require('node:events');
const { inspect } = require('node:util');
const { heard, received } = require('../support/context');

/** The events of an adapter about rooms. */
const ROOM_EVENTS = ['create-room', 'join-room', 'leave-room', 'delete-room'];

/**
 * Shows ids by the names of their clients, and maps and sets as arrays.
 *
 * @param {unknown} value
 * @param {Record<string, string>} names
 * @returns {unknown}
 */
function named(value, names) {
  if (typeof value === 'string') return names[value] ?? value;
  if (value instanceof Map) return [...value].map((entry) => named(entry, names));
  if (value instanceof Set) return [...value].map((entry) => named(entry, names));
  if (Array.isArray(value)) return value.map((entry) => named(entry, names));
  return value;
}

/**
 * Three clients with names, and what an adapter reports about their rooms.
 *
 * @param {import('../support/context').Context} context
 * @param {string} [nsp]
 * @returns {Promise<object>}
 */
async function room(context, nsp = '/') {
  const { adapter } = context.io.of(nsp);
  const log = [];
  for (const event of ROOM_EVENTS) adapter.on(event, (...args) => log.push([event, ...args]));
  const peers = await context.three(nsp);
  const names = {};
  peers.forEach(({ socket }, i) => {
    names[socket.id] = 'ABC'[i];
    socket.data.name = 'ABC'[i];
  });
  const show = (value) => named(value, names);
  // In any order: without an adapter the native server makes these maps from what sockets have joined.
  const sorted = (map) =>
    show(map).sort((one, other) => inspect(one).localeCompare(inspect(other)));
  const maps = () => ({
    rooms: sorted(adapter.rooms),
    sids: sorted(adapter.sids).filter(([, names]) => names.length > 0),
  });
  return { adapter, peers, log, maps, names, show };
}

/** Calls something that may throw. */
function attempt(act) {
  try {
    return { value: act() };
  } catch (error) {
    return { error: error.constructor.name };
  }
}

const PROBES = {
  async 'rooms and events about them'(context) {
    const { adapter, peers, log, maps, show } = await room(context);
    const [a, b, c] = peers.map(({ socket }) => socket);
    const states = [maps()];
    a.join('a');
    a.join(['x', 'y', 7, '7']);
    b.join('x');
    a.leave('x');
    a.leave('nobody');
    b.leave('x');
    c.leave(c.id);
    c.join(c.id);
    states.push(maps(), show([a.rooms, b.rooms, c.rooms]));
    states.push(show([adapter.socketRooms(a.id), adapter.socketRooms('nobody')]));
    b.leaveAll();
    states.push(maps());
    const ended = [once(a, 'disconnect'), once(c, 'disconnect')];
    const rooms = once(a, 'disconnecting').then(() => show(a.rooms));
    peers[0].client.disconnect();
    await ended[0];
    c.disconnect(true);
    await Promise.all(ended);
    a.join('late');
    states.push(await rooms, maps(), show(a.rooms));
    return { states, log: show(log) };
  },

  async 'rooms joined in middleware'(context) {
    const { io } = context;
    const log = [];
    const { adapter } = io.of('/');
    for (const event of ROOM_EVENTS) {
      adapter.on(event, (name) => log.push([event, name.length === 20 ? 'own' : name]));
    }
    io.use((socket, next) => {
      socket.join(['early', socket.id, 'room']);
      socket.leave('room');
      next(socket.handshake.auth.isRefused ? new Error('no') : undefined);
    });
    const peer = await context.connect('/');
    io.to('early').emit('to early');
    const [events] = await heard(peer);
    const rooms = [...peer.socket.rooms].map((name) => name.replace(peer.socket.id, 'own'));
    const refused = context.client('/', { auth: { isRefused: true } });
    await received(refused, 'connect_error');
    return { events, rooms, log, sizes: [adapter.rooms.size, adapter.sids.size] };
  },

  async 'broadcasts to rooms, to the rest and to nobody'(context) {
    const { io } = context;
    const { peers } = await room(context);
    const [a, b] = peers.map(({ socket }) => socket);
    io.emit('to all', 1);
    io.to('a').emit('to a');
    io.to('a').to('b').emit('once');
    io.in(['a', 'b']).emit('once again');
    io.to('nobody').emit('never');
    io.except('a').emit('except a');
    io.to('all').except(['a', b.id]).emit('never');
    io.to(a.id).emit('by id');
    a.broadcast.emit('to the others');
    a.to('b').emit('to b but A');
    a.to('a').except('b').emit('never');
    io.local.to('b').emit('local');
    io.volatile.emit('volatile');
    io.compress(false).emit('uncompressed');
    io.to('b').compress(true).volatile.emit('flags');
    io.send('sent');
    b.leave('b');
    io.to('b').emit('after leaving');
    b.join('b');
    io.to('b').emit('after joining');
    io.of('/other').emit('never');
    a.emit('itself');
    return heard(...peers);
  },

  async 'broadcasts to a socket that has left its rooms'(context) {
    const { io } = context;
    const { peers } = await room(context);
    const [a, b] = peers.map(({ socket }) => socket);
    a.leaveAll();
    b.leave(b.id);
    io.emit('to all');
    io.to('all').emit('to a room');
    io.to([a.id, b.id]).emit('by id');
    b.broadcast.emit('to the others');
    a.join('again');
    io.emit('to all again');
    io.to('again').emit('to the room again');
    return heard(...peers);
  },

  async 'broadcasts of values of every kind'(context) {
    const { io } = context;
    const { peers } = await room(context);
    for (const value of [
      undefined,
      null,
      { ünï: '✓ "quoted"\u2028' },
      Buffer.from('bytes'),
      [new Uint8Array([1, 2, 3]), { deep: { er: Buffer.from('more') } }],
      new Date(0),
      '',
      -0.5,
      [[[]]],
    ]) {
      io.emit('value', value, 'behind');
      io.to('a').emit('to a', { value });
    }
    io.emit('', 'no name');
    return heard(...peers);
  },

  async 'broadcasts in another namespace'(context) {
    const { io } = context;
    const { peers } = await room(context, '/other');
    const outsider = await context.connect('/');
    io.of('/other').emit('to all', 1);
    io.of('/other').to('a').emit('to a', Buffer.from('bytes'));
    peers[0].socket.broadcast.emit('to the others');
    io.emit('default');
    return heard(...peers, outsider);
  },

  async 'the compression of broadcasts'(context) {
    const { io } = context;
    const { peers } = await room(context);
    const [{ socket }] = peers;
    const packets = [];
    socket.conn.on('packetCreate', ({ type, data, options }) => {
      packets.push([type, data, options.compress]);
    });
    io.emit('x', 1);
    io.compress(false).emit('x', 2);
    io.to('a').compress(true).emit('x', 3);
    socket.compress(false).emit('x', 4);
    peers[1].socket.compress(false).broadcast.emit('x', 5);
    peers[1].socket.broadcast.compress(false).emit('x', Buffer.from('six'));
    await heard(...peers);
    return packets;
  },

  async 'listeners for what is sent'(context) {
    const { io } = context;
    const { peers } = await room(context);
    const [a, b] = peers.map(({ socket }) => socket);
    const log = [];
    a.onAnyOutgoing((...args) => log.push(['A', ...args]));
    b.onAnyOutgoing((...args) => log.push(['B', ...args]));
    io.emit('to all', 1);
    io.to('a').emit('to a', Buffer.from('bytes'));
    io.to('b').except('a').emit('to b');
    a.emit('itself', null);
    a.broadcast.emit('others');
    b.offAnyOutgoing();
    io.emit('to all', 2);
    const events = await heard(...peers);
    return { events, log: log.filter(([, event]) => event !== 'ask') };
  },

  async 'management of sockets'(context) {
    const { io } = context;
    const { adapter, peers, log, maps, show } = await room(context);
    const [a, b] = peers.map(({ socket }) => socket);
    const fetched = await io.in('a').fetchSockets();
    const ids = show(fetched.map(({ id }) => id));
    const same = fetched[0] === a;
    const states = [show(await io.except('b').fetchSockets()).length];
    states.push(show(await io.allSockets()), show(await io.in('b').allSockets()));
    states.push(
      show(await adapter.sockets(new Set())),
      show(await adapter.sockets(new Set(['b']))),
    );
    io.socketsJoin('everywhere');
    io.in('a').socketsJoin(['x', 'y']);
    io.in('a').except('b').socketsLeave('x');
    io.socketsLeave(['everywhere', 'all']);
    a.to('b').socketsJoin('of the others');
    states.push(maps());
    const outcome = peers.map(({ client }) => received(client, 'disconnect'));
    io.in('b').disconnectSockets();
    states.push(await outcome[1], await outcome[2], b.connected, show(adapter.sids));
    io.disconnectSockets(true);
    states.push(await outcome[0]);
    await context.io.fetchSockets();
    return { ids, same, states: JSON.parse(JSON.stringify(states)), log: show(log) };
  },

  async 'emits to the other servers'(context) {
    const { io } = context;
    const warn = console.warn;
    const warnings = [];
    console.warn = (text) => warnings.push(text);
    try {
      return { outcome: attempt(() => io.serverSideEmit('hello', 1)), warnings };
    } finally {
      console.warn = warn;
    }
  },
};

/** Of adapters since version 2.4. */
const ACK_PROBES = {
  async 'broadcasts with acknowledgements'(context) {
    const { io } = context;
    const { peers } = await room(context);
    peers.forEach(({ client }, i) => {
      client.on('question', (value, acknowledge) => acknowledge([i, value]));
      client.on('silent', (acknowledge) => i === 1 && acknowledge('B'));
    });
    const [a] = peers.map(({ socket }) => socket);
    const outcome = [];
    outcome.push((await io.timeout(5000).emitWithAck('question', 1)).sort());
    outcome.push((await io.to('a').timeout(5000).emitWithAck('question', null)).sort());
    outcome.push((await a.broadcast.timeout(5000).emitWithAck('question', 'x')).sort());
    outcome.push(await io.to('nobody').timeout(5000).emitWithAck('question', 2));
    outcome.push(
      await new Promise((resolve) => {
        io.except('b')
          .timeout(5000)
          .emit('question', Buffer.from('bytes'), (...args) => resolve(args));
      }),
    );
    const late = await io
      .timeout(100)
      .emitWithAck('silent')
      .catch((error) => error.responses);
    outcome.push(late, await io.of('/').adapter.serverCount());
    outcome.push(peers.map(({ socket }) => socket.acks.size));
    return { outcome, events: await heard(...peers) };
  },

  async 'acknowledgements of clients that leave'(context) {
    const { io } = context;
    const { peers } = await room(context);
    peers[0].client.on('question', (acknowledge) => acknowledge('A'));
    const arrived = received(peers[1].client, 'question');
    const answer = io
      .to('a')
      .to('b')
      .timeout(200)
      .emitWithAck('question')
      .catch((error) => error.responses);
    await arrived;
    peers[1].client.disconnect();
    return answer;
  },
};

module.exports = { ACK_PROBES, PROBES, attempt, named, room };
