'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { testExample } = require('../support/example-app');

/**
 * @param {object} socket of a client
 * @returns {Promise<[object | null, object]>} what the service answers to a new message: an error, or a result
 */
const create = (socket) =>
  new Promise((resolve) => {
    socket.emit('create', 'messages', { text: 'rain' }, {}, (...answer) => resolve(answer));
  });

/**
 * Services refuse a client that has not authenticated, by a hook.
 *
 * @param {object} socket of a client
 */
async function beforeLogin(socket) {
  const [refusal] = await create(socket);
  assert.equal(refusal.message, 'Authenticate first');
}

/**
 * Services know the user, and their events arrive.
 *
 * @param {object} socket of a client
 */
async function afterLogin(socket) {
  const message = { text: 'rain', from: 'Ada' };
  const created = once(socket, 'messages created');
  assert.deepEqual(await create(socket), [null, message]);
  assert.deepEqual((await created)[0], message);
}

for (const flags of [[], ['-r', 'loopback-socket/register']]) {
  testExample({ name: 'feathers', program: 'server.js', flags, beforeLogin, afterLogin });
}
