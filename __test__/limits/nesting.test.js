'use strict';

// What a client nests deeply: it ends no process, and costs its own connection at most.

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const parser = require('socket.io-msgpack-parser');
const { TIMEOUT, happens, served } = require('../support/native-server');

/** What `auth` may have, and far more than `JSON.stringify()` can handle. */
const ALLOWED = 1000;
const DEEP = 100_000;

const json = (depth) => `${'{"a":'.repeat(depth)}0${'}'.repeat(depth)}`;

function depthOf(value) {
  let depth = 0;
  for (let inner = value; typeof inner === 'object'; inner = inner.a) {
    depth += 1;
  }
  return depth;
}

describe('the depth of auth', TIMEOUT, () => {
  for (const namespace of ['/', '/child-1']) {
    it(
      `auth of ${ALLOWED} levels reaches the application in the namespace ${namespace}`,
      TIMEOUT,
      served({}, async (world) => {
        const connected = new Promise((resolve) => {
          world.io.on('connection', resolve);
          world.io.of(/^\/child-\d$/).on('connection', resolve);
        });
        const raw = await world.raw({ join: false });
        await raw.send(`40${namespace === '/' ? '' : `${namespace},`}${json(ALLOWED)}`);
        assert.equal(depthOf((await connected).handshake.auth), ALLOWED);
      }),
    );

    for (const depth of [ALLOWED + 1, DEEP]) {
      it(
        `auth of ${depth} levels ends its own connection in the namespace ${namespace}`,
        TIMEOUT,
        served({}, async (world) => {
          world.io.on('connection', (socket) => {
            assert.ok(depthOf(socket.handshake.auth) < ALLOWED);
          });
          world.io.of(/^\/child-\d$/).on('connection', () => assert.fail('it has connected'));
          const raw = await world.raw({ join: false });
          await raw.send(`40${namespace === '/' ? '' : `${namespace},`}${json(depth)}`);
          await raw.closed;
          assert.equal(await world.isAlive(), 'yes');
        }),
      );
    }
  }

  it(
    'auth in MessagePack may be nested as deeply as in JSON',
    TIMEOUT,
    served({ parser: 'msgpack' }, async (world) => {
      world.io.of(/^\/child-\d$/).on('connection', () => assert.fail('it has connected'));
      const { client } = await world.connect('4.8', { parser });
      const closed = happens(client, 'disconnect');
      const depth = ALLOWED + 1;
      const auth = Buffer.concat(
        [...new Array(depth).fill('\x81\xa1a'), '\0'].map((text) => Buffer.from(text, 'latin1')),
      );
      const head = Buffer.from('\x83\xa4type\0\xa3nsp\xa8/child-1\xa4data', 'latin1');
      client.io.engine.write(Buffer.concat([head, auth]));
      await closed;
    }),
  );
});

describe('the depth of events', TIMEOUT, () => {
  it(
    `listeners and acknowledgements get values of ${DEEP} levels, and the server goes on`,
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.raw();
      const got = new Promise((resolve) => {
        raw.socket.on('event', resolve);
      });
      await raw.send(`42["event",${json(DEEP)}]`);
      assert.equal(depthOf(await got), DEEP);
      const acknowledged = new Promise((resolve) => {
        raw.socket.emit('question', resolve);
      });
      const [, id] = /^42(\d+)/.exec(await raw.packet('2'));
      await raw.send(`43${id}[${json(DEEP)}]`);
      assert.equal(depthOf(await acknowledged), DEEP);
      assert.equal(await world.isAlive(), 'yes');
    }),
  );
});
