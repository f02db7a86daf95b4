'use strict';

// What JavaScript reports to Rust by functions: any value is answered like a report that comes too late.

const assert = require('node:assert/strict');
const http = require('node:http');
const { it } = require('node:test');
const LoopbackSocket = require('../..');
const { hostedSessions } = require('../../lib/native/binding');
const { NOTHING } = require('../../lib/native/protocol').SessionAnswer;

const ODD = [
  undefined,
  null,
  NaN,
  -1,
  0.5,
  2 ** 53,
  '1',
  true,
  1n,
  Symbol('odd'),
  {},
  [],
  () => {},
];

/** Calls a function with every odd value in the place of each argument, and with too few of them. */
function answersOf(call) {
  const argumentLists = [[]];
  for (const odd of ODD) argumentLists.push([odd], [odd, odd, odd], [odd, 0, 0, odd, odd, odd]);
  return argumentLists.map((args) => call(...args));
}

it('functions about sessions answer odd values as if the socket had ended', (t) => {
  const io = new LoopbackSocket.Server(http.createServer());
  t.after(() => io.close());
  const { open, openRestored, ...hosted } = hostedSessions();
  for (const [name, call] of Object.entries({ ...hosted, ...io._link.sessions })) {
    for (const answer of answersOf(call)) {
      assert.ok([NOTHING, false, undefined].includes(answer), `${name}: ${answer}`);
    }
  }
});

it('a session that is opened with odd times has a number of its own', () => {
  const { open } = hostedSessions();
  const numbers = answersOf(open);
  assert.deepEqual(
    numbers,
    numbers.map((_, i) => numbers[0] + i),
  );
});

it('no connection is taken that odd values stand for', (t) => {
  const io = new LoopbackSocket.Server(http.createServer());
  t.after(() => io.close());
  assert.ok(answersOf(io._link.takeHttp).every((isTaken) => isTaken === false));
  assert.equal(io._link.takeHttp(2 ** 31 - 1, 1), false);
});

it('hosted sessions that are made apart do not share sockets', () => {
  const sessions = hostedSessions();
  const socket = sessions.open(null, 0);
  const other = hostedSessions();
  assert.equal(other.credentials(socket, 0), NOTHING);
  assert.equal(sessions.credentials(socket, 0), 1);
});
