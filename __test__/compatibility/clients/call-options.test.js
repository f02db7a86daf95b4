'use strict';

// Clients of each version use what calls have beyond version 0.4, without a helper: they cancel, and read refusals.

const assert = require('node:assert/strict');
const { it } = require('node:test');
const { z } = require('zod');
const LoopbackSocket = require('../../..');
const { PAIRS, TIMEOUT, open } = require('../../support/clients');
const { authenticate, call, next } = require('../../support/js-hosts');
const { World } = require('../../support/native-server');

/**
 * @param {LoopbackSocket} sockets an instance that gets methods
 * @returns {void}
 */
function define(sockets) {
  sockets.defineMethod('wait', () => new Promise(() => {}), {});
  sockets.defineMethod('checked', (socket, credentials, args) => args, {
    validate: z.object({ n: z.number() }),
    rate: { limit: 2, per: 3_600_000 },
  });
}

/**
 * @param {object} client a client that has authenticated
 * @returns {Promise<void>} when it has done all
 */
async function exercise(client) {
  const answer = call(client, 'wait', null, { call: 'x' });
  assert.deepEqual(await call(client, 'loopback:cancel', 'x'), { result: true });
  assert.deepEqual(await answer, {
    error: {
      code: 'ERR_LOOPBACK_SOCKET_CANCELLED',
      message: 'The call was cancelled by the client.',
    },
  });
  assert.deepEqual(await call(client, 'checked', { n: 1 }), { result: { n: 1 } });
  const { error } = await call(client, 'checked', { n: 'one' });
  assert.deepEqual(Object.keys(error).sort(), ['code', 'issues', 'message']);
  assert.equal(error.code, 'ERR_LOOPBACK_SOCKET_INVALID_ARGUMENTS');
  assert.deepEqual(error.issues[0].path, ['n']);
  const { error: refusal } = await call(client, 'checked', { n: 1 });
  assert.deepEqual(Object.keys(refusal).sort(), ['code', 'message', 'retryAfter']);
  assert.equal(refusal.code, 'ERR_LOOPBACK_SOCKET_RATE_LIMITED');
}

for (const [host, version] of PAIRS) {
  for (const transport of ['websocket', 'polling']) {
    it(
      `client ${version} cancels and reads refusals over ${transport} on ${host}`,
      TIMEOUT,
      async (t) => {
        const { sockets, connect } = await open(t, host, version, define);
        const client = connect({ transports: [transport] });
        await next(client, 'connect');
        await authenticate(client, { token: 'valid' });
        await exercise(client);
        // On long polling, Engine.IO keeps a connection that it closes for half a minute.
        if (transport === 'polling') return;
        const unauthorized = next(client, 'unauthorized');
        const disconnected = next(client, 'disconnect');
        assert.equal(
          sockets.revoke(() => true),
          1,
        );
        assert.equal((await unauthorized).code, 'ERR_LOOPBACK_SOCKET_REVOKED');
        assert.equal(await disconnected, 'io server disconnect');
      },
    );
  }
}

it('a client with the MessagePack parser cancels and reads refusals', TIMEOUT, async (t) => {
  const world = new World({ parser: 'msgpack' });
  await world.listen();
  t.after(() => world.close());
  const sockets = new LoopbackSocket('msgpack', { timeout: 'none', errors: 'message' });
  define(sockets);
  sockets.defineMethod('fails', () => {
    throw new Error('no');
  });
  sockets.start(world.io);
  const parser = require('socket.io-msgpack-parser');
  const { client } = await world.connect('4.8', { parser });
  await authenticate(client);
  await exercise(client);
  assert.deepEqual(await call(client, 'fails', {}), { error: { message: 'no' } });
});
