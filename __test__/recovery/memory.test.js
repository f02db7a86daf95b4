'use strict';

// What is kept in memory for recovery, and how much of it.

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const { DisconnectedSockets } = require('../../lib/auth/disconnected-sockets');
const { ExpiringMap } = require('../../lib/auth/expiring-map');
const { PacketLog } = require('../../lib/socketio/recovery/packet-log');
const { newInstance } = require('../support/js-hosts');

/**
 * Has time pass for `performance.now()`.
 *
 * @param {import('node:test').TestContext} t the test
 * @returns {(ms: number) => void} lets so many ms pass
 */
function clock(t) {
  let now = performance.now();
  t.mock.method(performance, 'now', () => now);
  return (ms) => {
    now += ms;
  };
}

describe('a map whose entries expire', () => {
  it('an expiring map keeps each entry for its time', (t) => {
    const pass = clock(t);
    const map = new ExpiringMap({ maxAge: 10 });
    map.set('a', 1);
    pass(6);
    map.set('b', 2);
    pass(6);
    assert.deepEqual([map.get('a'), map.get('b'), map.size, map.values()], [undefined, 2, 1, [2]]);
    assert.deepEqual([map.take('b'), map.take('b')], [2, undefined]);
  });

  it('drops the oldest entries when there are too many, or they weigh too much', () => {
    const counted = new ExpiringMap({ maxAge: 60_000, maxCount: 2 });
    ['a', 'b', 'a', 'c'].forEach((key) => counted.set(key, key));
    assert.deepEqual(counted.values(), ['a', 'c']);
    const weighed = new ExpiringMap({ maxAge: 60_000, maxWeight: 10 });
    weighed.set('a', 'a', 6);
    weighed.set('b', 'b', 4);
    weighed.set('b', 'b', 3);
    weighed.set('c', 'c', 2);
    assert.deepEqual(weighed.values(), ['b', 'c']);
    weighed.set('d', 'd', 11);
    weighed.delete('b');
    weighed.set('e', 'e', 8);
    assert.deepEqual(weighed.values(), ['c', 'e']);
  });

  it('an expiring map waits no longer at once than timers can, for entries that stay for a month or for ever', (t) => {
    const pass = clock(t);
    const longest = 2 ** 31 - 1;
    const timers = [];
    t.mock.method(globalThis, 'setTimeout', (callback, delay) => {
      timers.push({ callback, delay });
      return { unref() {} };
    });
    const month = 30 * 24 * 3_600_000;
    for (const maxAge of [month, Infinity]) {
      timers.length = 0;
      const map = new ExpiringMap({ maxAge });
      map.set('a', 1);
      pass(longest);
      timers.at(-1).callback();
      assert.equal(map.get('a'), 1);
      pass(month - longest + 1);
      timers.at(-1).callback();
      assert.equal(map.get('a'), maxAge === Infinity ? 1 : undefined);
      assert.equal(timers.length, maxAge === Infinity ? 3 : 2);
      for (const { delay } of timers) assert.ok(delay <= longest, `${delay} ms`);
    }
  });

  it('frees what has expired without being asked', (t) => {
    const pass = clock(t);
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const map = new ExpiringMap({ maxAge: 10 });
    const removed = t.mock.method(map, 'delete');
    map.set('a', 1);
    pass(6);
    map.set('b', 2);
    removed.mock.resetCalls();
    for (let i = 0; i < 20; i++) {
      pass(1);
      t.mock.timers.tick(1);
    }
    assert.deepEqual(
      removed.mock.calls.map(({ arguments: [key] }) => key),
      ['a', 'b'],
    );
  });
});

describe('what is remembered of sockets that have lost their connection', () => {
  const nsp = { name: '/' };
  const pidOf = (i) => `pid ${i}`;
  const none = () => 0;

  it('the oldest sockets are forgotten beyond 10,000', () => {
    const sockets = new DisconnectedSockets(60_000);
    for (let i = 0; i <= 10_000; i++) sockets.add(pidOf(i), { nsp }, new Map(), none);
    assert.equal(sockets.find(nsp, pidOf(0)), undefined);
    assert.equal(sockets.find(nsp, pidOf(1)).isExempt, true);
    assert.equal(sockets.find(nsp, pidOf(1)), undefined);
  });

  it('the oldest sockets are forgotten beyond 16 MiB of credentials and handshakes, and one alone that has more is not remembered', () => {
    const sockets = new DisconnectedSockets(60_000);
    const instance = newInstance();
    const add = (i, length) => {
      const bound = new Map([[instance, { credentials: 'x'.repeat(length / 2), methods: [] }]]);
      assert.equal(
        sockets.add(pidOf(i), { nsp }, bound, () => length / 2),
        true,
      );
    };
    for (let i = 0; i < 17; i++) add(i, 1_000_000);
    assert.equal(sockets.find(nsp, pidOf(0)), undefined);
    add(17, 17_000_000);
    assert.equal(sockets.find(nsp, pidOf(17)), undefined);
    assert.equal(sockets.find(nsp, pidOf(16)).boundBy(instance).credentials.length, 500_000);
  });

  it('a socket is not found by its private id in another namespace', () => {
    const sockets = new DisconnectedSockets(60_000);
    sockets.add('pid', { nsp }, new Map(), none);
    assert.equal(sockets.find({ name: '/other' }, 'pid'), undefined);
    assert.equal(sockets.find({ name: '/' }, 'pid').pid, 'pid');
  });

  it('a socket that is put back is remembered for the rest of its time', (t) => {
    const pass = clock(t);
    const sockets = new DisconnectedSockets(10);
    sockets.add('pid', { nsp }, new Map(), none);
    for (let i = 0; i < 3; i++) {
      pass(3);
      sockets.putBack(sockets.find(nsp, 'pid'));
    }
    const last = sockets.find(nsp, 'pid');
    sockets.putBack(last);
    pass(3);
    assert.equal(sockets.find(nsp, 'pid'), undefined);
    assert.equal(sockets.take(last), false);
  });

  it('a socket that is forgotten while its client is on the way back is not taken', () => {
    const sockets = new DisconnectedSockets(60_000);
    sockets.add('pid', { nsp }, new Map(), none);
    const one = sockets.find(nsp, 'pid');
    for (let i = 0; i < 10_000; i++) sockets.add(pidOf(i), { nsp }, new Map(), none);
    assert.equal(sockets.take(one), false);
  });
});

describe('the log of events', () => {
  const NONE = new Set();
  const event = { json: '["event"]' };

  /**
   * @param {object} [limits]
   * @returns {PacketLog}
   */
  const newLog = (limits = {}) =>
    new PacketLog({ maxAge: 60_000, maxEvents: Infinity, maxBytes: Infinity, ...limits });

  it('finds events by their offsets, in order, through a million of them', () => {
    const log = newLog({ maxEvents: 1000 });
    const offsets = [];
    for (let i = 0; i < 1_000_000; i++) {
      if (i % 1000 === 0 || i >= 999_000) offsets.push(log.nextOffset);
      log.add('/', NONE, NONE, { json: `[${i}]` });
    }
    assert.equal(log.positionOf(offsets[0]), undefined);
    assert.equal(log.positionOf(offsets.at(-1)), 1_000_000);
    const position = log.positionOf(offsets.at(-3));
    const missed = log.missed('/', [], position, log.end);
    assert.deepEqual(
      missed.map(({ json }) => json),
      ['[999998]', '[999999]'],
    );
    assert.equal(log.positionOf(log.nextOffset), undefined);
  });

  it('the log of events finds those for a socket by its namespace and its rooms', () => {
    const log = newLog();
    const add = (nsp, rooms, except, name) =>
      log.add(nsp, new Set(rooms), new Set(except), { json: name });
    add('/', [], [], 'all');
    add('/other', [], [], 'elsewhere');
    add('/', ['a', 'b'], [], 'a or b');
    add('/', ['c'], [], 'c');
    add('/', [], ['a'], 'except a');
    add('/', ['b'], ['a'], 'b except a');
    const missed = log.missed('/', ['a', 'b'], 0, log.end);
    assert.deepEqual(
      missed.map(({ json }) => json),
      ['all', 'a or b'],
    );
  });

  it('no client is recovered from an offset whose events are too old, too many or too large', (t) => {
    const pass = clock(t);
    for (const [limits, count] of [
      [{ maxEvents: 2 }, 3],
      [{ maxBytes: 2 * event.json.length }, 3],
      [{ maxBytes: 1 }, 1],
    ]) {
      const log = newLog(limits);
      for (let i = 0; i < count; i++) log.add('/', NONE, NONE, event);
      assert.equal(log.missed('/', [], 0, log.end), undefined);
      assert.notEqual(log.missed('/', [], log.end, log.end), undefined);
    }
    const log = newLog({ maxAge: 10 });
    const offset = log.nextOffset;
    log.add('/', NONE, NONE, event);
    pass(6);
    log.add('/', NONE, NONE, event);
    assert.equal(log.positionOf(offset), 1);
    pass(6);
    assert.equal(log.positionOf(offset), 1);
    pass(6);
    assert.equal(log.positionOf(offset), undefined);
  });

  it('finding what a socket has missed goes through its rooms once, not for each event', () => {
    const log = newLog();
    for (let i = 0; i < 1000; i++) {
      log.add('/', new Set([i % 2 ? 'a' : 'b']), new Set(['c']), { json: `[${i}]` });
    }
    let looked = 0;
    const rooms = {
      *[Symbol.iterator]() {
        for (let i = 0; i < 1000; i++) {
          looked += 1;
          yield i === 500 ? 'a' : i;
        }
      },
    };
    assert.equal(log.missed('/', rooms, 0, log.end).length, 500);
    assert.equal(looked, 1000);
  });

  it('the offsets of another log are unknown', () => {
    const [one, other] = [newLog(), newLog()];
    const offset = one.nextOffset;
    other.add('/', NONE, NONE, event);
    assert.equal(other.positionOf(offset), undefined);
  });
});
