'use strict';

/**
 * What each node runs while things fail: it numbers what it broadcasts, so that a client knows what it missed, and asks
 * all clients and all nodes all the time.
 */

const { EventEmitter, once } = require('node:events');

/** The room of the clients that count. */
const ROOM = 'news';

/** Milliseconds between two broadcasts of a node. */
const INTERVAL = 20;

/** Milliseconds that a broadcast waits for the acknowledgements of all clients. */
const ACKNOWLEDGE_TIMEOUT = 2000;

/** Of so many broadcasts one is followed by requests to all nodes. */
const REQUEST_EVERY = 25;

/**
 * @param {{io: any, name: string}} node
 * @returns {Record<string, Function>} what the test process may call
 */
module.exports = function start({ io, name }) {
  const progress = new EventEmitter().setMaxListeners(0);
  let sent = 0;
  let timer;
  /** How requests ended, by their kind. */
  const requests = {};

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
