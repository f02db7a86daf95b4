'use strict';

// What a client does many times costs the same each time: nothing that it can lengthen is gone
// through, or copied, at each step. Counted in elements that the server's code visits, not in time.
// What Rust does is counted in `src/socketio/sockets.rs`.

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const { TIMEOUT, loopbackSocket, reach, served } = require('../support/native-server');

/** What goes through a list from its beginning. */
const METHODS = [
  'every',
  'filter',
  'find',
  'findIndex',
  'flatMap',
  'forEach',
  'includes',
  'indexOf',
  'map',
  'reduce',
  'slice',
  'some',
  'splice',
  'toSpliced',
];

/**
 * @param {() => Promise<void>} during what is counted
 * @returns {Promise<number>} how many elements of lists were visited by JavaScript meanwhile
 */
async function visits(during) {
  let count = 0;
  const undo = [];
  const replace = (prototype, name, make) => {
    const original = prototype[name];
    prototype[name] = make(original);
    undo.push(() => (prototype[name] = original));
  };
  for (const list of [[], new Map(), new Set()]) {
    replace(Object.getPrototypeOf(list[Symbol.iterator]()), 'next', (next) => {
      return function () {
        count += 1;
        return Reflect.apply(next, this, []);
      };
    });
  }
  for (const name of METHODS) {
    replace(Array.prototype, name, (method) => {
      return function (...args) {
        count += this.length;
        return Reflect.apply(method, this, args);
      };
    });
  }
  try {
    await during();
  } finally {
    undo.forEach((restore) => restore());
  }
  return count;
}

/**
 * Has what is done so many times, and four times as often, compared.
 *
 * @param {(times: number) => Promise<void>} act does it
 * @returns {Promise<void>}
 */
async function growsWithItsLength(act) {
  const few = await visits(() => act(250));
  const many = await visits(() => act(1000));
  assert.ok(many < 6 * few, `${few} elements were visited at first, then ${many}`);
}

describe('constant cost of repeated steps', () => {
  for (const isServed of [false, true]) {
    it(
      `joining and leaving a namespace costs the same for the 1,000th namespace as for the first, ${isServed ? 'with' : 'without'} a LoopbackSocket`,
      TIMEOUT,
      served({ cleanupEmptyChildNamespaces: true }, async (world) => {
        const { io } = world;
        io.of(/^\/dynamic-\d+$/);
        if (isServed) loopbackSocket().start(io);
        await growsWithItsLength(async (times) => {
          const raw = await world.raw();
          for (let i = 0; i < times; i++) raw.ws.send(`40/dynamic-${i},`);
          await reach(() => io._sockets.size === times + 1);
          for (let i = 0; i < times / 2; i++) raw.ws.send(`41/dynamic-${i},`);
          await reach(() => io._sockets.size === times / 2 + 1);
          raw.ws.close();
          await reach(() => io._sockets.size === 0);
        });
      }),
    );
  }

  for (const isWatched of [false, true]) {
    it(
      `joining and leaving a room costs the same for the 1,000th room as for the first, ${isWatched ? 'with' : 'without'} adapter listeners`,
      TIMEOUT,
      served({}, async (world) => {
        const { adapter } = world.io.of('/');
        let seen = 0;
        if (isWatched) {
          for (const event of ['create-room', 'join-room', 'leave-room', 'delete-room']) {
            adapter.on(event, () => (seen += 1));
          }
        }
        world.io.on('connection', (socket) => {
          socket.on('join', (room) => socket.join(room));
          socket.on('leave', (room) => socket.leave(room));
        });
        await growsWithItsLength(async (times) => {
          const raw = await world.raw();
          for (let i = 0; i < times; i++) raw.ws.send(`42["join","room ${i}"]`);
          await reach(() => raw.socket.rooms.size === times + 1);
          for (let i = 0; i < times / 2; i++) raw.ws.send(`42["leave","room ${i}"]`);
          await reach(() => raw.socket.rooms.size === times / 2 + 1);
          raw.ws.close();
          await reach(() => world.io._sockets.size === 0);
        });
        // Own rooms too.
        assert.equal(seen, isWatched ? 4 * (250 + 1000 + 2) : 0);
      }),
    );
  }
});
