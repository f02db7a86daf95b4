'use strict';

/**
 * What each node runs while things fail: it numbers what it broadcasts, so that a client knows what it missed, and asks
 * all clients and all nodes all the time.
 */

const { EventEmitter, once } = require('node:events');
const v8 = require('node:v8');
const vm = require('node:vm');
const LoopbackSocket = require('../../..');

v8.setFlagsFromString('--expose-gc');
const collectGarbage = vm.runInNewContext('gc');

/** The room of the clients that count. */
const ROOM = 'news';

/** Milliseconds between two broadcasts of a node. */
const INTERVAL = 40;

/** Milliseconds that a broadcast waits for the acknowledgements of all clients. */
const ACKNOWLEDGE_TIMEOUT = 5000;

/** Rooms that get a broadcast are so far from each other: a prime number, so that every room has its turn. */
const ROOM_STEP = 7919;

/** Of so many broadcasts one is followed by requests to all nodes. */
const REQUEST_EVERY = 12;

/**
 * @param {{io: any, name: string, adapter: string}} node
 * @returns {Record<string, Function>} what the test process may call
 */
module.exports = function program({ io, name, adapter }) {
  const progress = new EventEmitter().setMaxListeners(0);
  let sent = 0;
  let timer;
  /** How requests ended, by their kind. */
  const requests = {};

  // npm socket.io and the adapter for MongoDB ignore promises that fail with a connection: see docs/scaling.md. A native
  // node with another adapter is to go on without this.
  if (adapter === 'mongo' || !(io instanceof LoopbackSocket.Server)) {
    process.on('unhandledRejection', () => {});
  }

  io.on('connection', (socket) => {
    socket.on('join', (rooms, done) => {
      socket.join(rooms);
      done(name);
    });
  });

  /**
   * @param {string} kind
   * @param {Promise<unknown>} outcome
   */
  function count(kind, outcome) {
    const counts = (requests[kind] ??= { done: 0, failed: 0 });
    outcome.then(
      () => counts.done++,
      () => counts.failed++,
    );
  }

  /** One broadcast, and at times the requests to other nodes. */
  function tick() {
    io.to(ROOM).emit('news', name, sent++);
    progress.emit('sent');
    if (sent % REQUEST_EVERY !== 0) return;
    count('poll', io.to(ROOM).timeout(ACKNOWLEDGE_TIMEOUT).emitWithAck('poll'));
    count('fetchSockets', io.fetchSockets());
    io.serverSideEmit('news', name, sent);
  }

  /**
   * @param {number} count of rooms
   * @param {(socket: any, numbers: number[]) => void} visit gets each socket of this node with its share of the rooms
   */
  function eachShare(count, visit) {
    const sockets = [...io.of('/').sockets.values()];
    sockets.forEach((socket, at) => {
      const numbers = [];
      for (let number = at; number < count; number += sockets.length) numbers.push(number);
      visit(socket, numbers);
    });
  }

  return {
    start() {
      timer = setInterval(tick, INTERVAL);
    },
    stop() {
      clearInterval(timer);
      return { sent, requests };
    },
    sent: () => sent,
    /**
     * @param {number} more
     * @returns {Promise<number>} how many were sent, once that is so many more
     */
    async after(more) {
      const goal = sent + more;
      while (sent < goal) await once(progress, 'sent');
      return sent;
    },
    /** Has each of so many rooms joined by one of the sockets of this node. */
    joinRooms(prefix, count) {
      eachShare(count, (socket, numbers) => socket.join(numbers.map((one) => prefix + one)));
    },
    /** Has each left again. */
    leaveRooms(prefix, count) {
      eachShare(count, (socket, numbers) => {
        for (const one of numbers) socket.leave(prefix + one);
      });
    },
    /** Broadcasts to some of the rooms. */
    toRooms(prefix, broadcasts, count) {
      for (let at = 0; at < broadcasts; at++) {
        const room = `${prefix}${(at * ROOM_STEP) % count}`;
        io.to(room).emit('room', room, name);
      }
    },
    /** Broadcasts once to all these rooms. */
    toAll(rooms) {
      io.to(rooms).emit('room', name);
    },
    /** @returns {Promise<number>} in how many rooms a socket of any node is */
    countRooms: async (id) => (await io.in(id).fetchSockets())[0].rooms.size,
    /** @returns {{rooms: number, heap: number, rss: number}} what the process holds once garbage is collected */
    async measure() {
      for (let i = 0; i < 3; i++) {
        collectGarbage();
        await new Promise(setImmediate);
      }
      const { heapUsed, rss } = process.memoryUsage();
      return { rooms: io.of('/').adapter.rooms.size, heap: heapUsed, rss };
    },
    /** Broadcasts to the clients of this node only. */
    local(event, ...args) {
      io.local.to(ROOM).emit(event, ...args);
    },
    /** @returns {Promise<number>} how many clients of all nodes acknowledge */
    poll: async () => (await io.to(ROOM).timeout(ACKNOWLEDGE_TIMEOUT).emitWithAck('poll')).length,
    /** @returns {Promise<number>} how many sockets all nodes have */
    countSockets: async () => (await io.fetchSockets()).length,
    /** @returns {Promise<number>} how many nodes there are */
    countNodes: () => io.of('/').adapter.serverCount(),
  };
};
