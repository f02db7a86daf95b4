'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');
const { it } = require('node:test');
const { runForeignSuite } = require('../support/foreign-suite');

/** Every test of socketio-auth 0.1.1 applies: none asks for what LoopbackSocket has no call for. */
const TITLES = [
  'Server socket authentication Should mark the socket as unauthenticated upon connection',
  'Server socket authentication Should not send messages to unauthenticated sockets',
  'Server socket authentication Should disconnect sockets that do not authenticate',
  'Server socket authentication Should authenticate with valid credentials',
  'Server socket authentication Should call post auth function',
  'Server socket authentication Should send updates to authenticated sockets',
  'Server socket authentication Should send error event on invalid credentials',
  'Server socket authentication Should send error event on missing credentials',
  'Server socket authentication Should disconnect on missing credentials',
  'Server socket authentication Should disconnect on invalid credentials',
  'Server socket disconnect Should call discon function',
];

it("socketio-auth's own test suite passes against a shim that calls LoopbackSocket", async () => {
  const suite = path.join(path.dirname(require.resolve('socketio-auth')), 'test', 'test.js');
  const shim = path.join(__dirname, '..', 'support', 'socketio-auth.js');
  const { passes, failures } = await runForeignSuite(suite, {
    'lib/socketio-auth.js': `module.exports = require(${JSON.stringify(shim)});`,
  });
  assert.deepEqual(failures, []);
  assert.deepEqual(passes.sort(), [...TITLES].sort());
});
