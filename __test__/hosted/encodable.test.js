'use strict';

/** Results that servers of npm `socket.io` encode with faults. */

const assert = require('node:assert/strict');
const { Blob } = require('node:buffer');
const { describe, it } = require('node:test');
const vm = require('node:vm');
const {
  VERSIONS,
  authenticate,
  call,
  newInstance,
  next,
  openServer,
} = require('../support/js-hosts');

const UNSENDABLE = 'ERR_LOOPBACK_SOCKET_UNSENDABLE_VALUE';
const LIMIT = { timeout: 10_000 };

const BLOBS = {
  'a Blob': () => new Blob(['abc']),
  'an array with a Blob in an object': () => ({ list: [1, new Blob(['abc'])] }),
};

const BINARIES = {
  'a Buffer': () => Buffer.from([1, 2]),
  'a typed array on shared memory': () => {
    const shared = new Uint8Array(new SharedArrayBuffer(2));
    shared.set([1, 2]);
    return shared;
  },
  'a typed array of another context': () => vm.runInNewContext('new Uint8Array([1, 2])'),
};

/**
 * @param {import('node:test').TestContext} t the test
 * @param {number} version the version of the server
 * @param {(name: string) => object} clientOf what makes a client of a URL
 * @param {() => unknown} result what the method `m` returns
 * @returns {Promise<object>} a client that has authenticated
 */
async function clientFor(t, version, clientOf, result) {
  const { io, connect } = await openServer(t, version, { allowEIO3: true });
  const instance = newInstance();
  instance.defineMethod('m', result);
  instance.defineMethod('next', () => 'done');
  instance.start(io);
  const client =
    clientOf === undefined ? connect() : clientOf(connect('/', { autoConnect: false }));
  t.after(() => client.close());
  await next(client, 'connect');
  await authenticate(client);
  return client;
}

/** A client of version 2 for the server of another. */
function ofVersion2({ io: { uri } }) {
  const options = { transports: ['websocket'], reconnection: false, forceNew: true };
  return require('socket.io-client-2')(uri, options);
}

for (const version of VERSIONS) {
  for (const [what, clientOf] of [
    [`socket.io ${version}`, undefined],
    [`socket.io ${version} to a client of version 2`, ofVersion2],
  ]) {
    describe(`results of ${what}`, LIMIT, () => {
      for (const [name, make] of Object.entries(BLOBS)) {
        it(`${name} is answered with an error and the client stays usable, ${what}`, async (t) => {
          const client = await clientFor(t, version, clientOf, make);
          assert.equal((await call(client, 'm', null)).error.code, UNSENDABLE);
          assert.deepEqual(await call(client, 'next', null), { result: 'done' });
        });
      }

      for (const [name, make] of Object.entries(BINARIES)) {
        it(`${name} arrives as binary, ${what}`, async (t) => {
          const client = await clientFor(t, version, clientOf, () => ({ deep: [make()] }));
          const { result } = await call(client, 'm', null);
          assert.deepEqual([...Buffer.from(result.deep[0])], [1, 2]);
        });
      }

      it(`an object without a prototype may hold a Buffer, ${what}`, async (t) => {
        const make = () => Object.assign(Object.create(null), { bytes: Buffer.from([1, 2]) });
        const client = await clientFor(t, version, clientOf, make);
        const { result } = await call(client, 'm', null);
        assert.deepEqual([...Buffer.from(result.bytes)], [1, 2]);
      });
    });
  }
}
