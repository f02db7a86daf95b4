'use strict';

// The native server relies on what the classes of socket.io-adapter do to a server: versions 2.2 to 2.5
// are pinned here, so that one that does something else fails.

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const socketIo = require('socket.io');
const parser = require('socket.io-msgpack-parser');
const { Server } = require('../..');
const { run } = require('../support/context');
const { TIMEOUT } = require('../support/native-server');
const { ACK_PROBES, PROBES } = require('./probes');

/** By version, with the method of a socket that a broadcast calls. */
const VERSIONS = {
  2.2: { Adapter: require('socket.io-adapter-2.2').Adapter, writes: 'packet' },
  2.3: { Adapter: require('socket.io-adapter-2.3').Adapter, writes: 'writeToEngine' },
  2.4: { Adapter: require('socket.io-adapter-2.4').Adapter, writes: 'writeToEngine' },
  2.5: { Adapter: require('socket.io-adapter-2.5').Adapter, writes: 'writeToEngine' },
  'that npm installs': { Adapter: require('socket.io-adapter').Adapter, writes: 'writeToEngine' },
};

/** That of Socket.IO 3.0, which goes through rooms itself and has no operations on sockets. */
const { Adapter: Version21 } = require(
  require.resolve('socket.io-adapter', { paths: [require.resolve('socket.io-3')] }),
);

/** Probes that need nothing but its methods. */
const WITHOUT_APPLY = Object.keys(PROBES).filter((name) => !/^management|^emits/.test(name));

/**
 * Probes that differ without an adapter: the adapter of socket.io warns of itself; and a socket that has
 * left even the room of its own id is not in its maps, but Rust still knows it as one of the namespace.
 */
const DIFFERENT = ['emits to the other servers', 'broadcasts to a socket that has left its rooms'];

/** What a class of adapters calls on a server, its sockets and itself. */
function calls(Adapter, act) {
  const log = [];
  const encoded = [{ isEncoded: true }];
  const encoder = {
    encode(packet) {
      log.push(['encode', JSON.parse(JSON.stringify(packet))]);
      return encoded;
    },
  };
  const socketOf = (id) => ({
    id,
    acks: new Map(),
    notifyOutgoingListeners: (packet) => log.push([id, 'notified', packet.data[0]]),
    // What is written is the array that the encoder has given, or what is in it.
    packet: (value, options) => log.push([id, 'packet', value === encoded, options]),
    client: {
      writeToEngine(value, options) {
        const isEncoded = value === encoded || value === encoded[0];
        log.push([id, 'writeToEngine', isEncoded, options]);
      },
    },
  });
  const sockets = new Map(['A', 'B', 'C'].map((id) => [id, socketOf(id)]));
  const nsp = { name: '/x', server: { encoder, opts: {} }, sockets, _ids: 7 };
  const adapter = new Adapter(nsp);
  const { apply } = adapter;
  adapter.apply = function applied(opts, callback) {
    log.push(['apply', typeof callback]);
    return apply.call(this, opts, callback);
  };
  for (const id of sockets.keys()) adapter.addAll(id, new Set([id, 'all']));
  adapter.addAll('B', new Set(['b']));
  act(adapter, log);
  return log;
}

const AUDIENCE = { rooms: new Set(['all']), except: new Set(['b']) };

describe('what the native server relies on', () => {
  for (const [version, { Adapter, writes }] of Object.entries(VERSIONS)) {
    it(`socket.io-adapter ${version} encodes a broadcast once, then applies it to real sockets`, () => {
      const flags = { volatile: true, compress: false };
      const log = calls(Adapter, (adapter) => {
        adapter.broadcast({ type: 2, data: ['event', 1] }, { ...AUDIENCE, flags });
      });
      const written = log.filter(([, what]) => what === writes);
      assert.deepEqual(
        log.filter((entry) => !written.includes(entry) && entry[1] !== 'notified'),
        [
          ['encode', { type: 2, data: ['event', 1], nsp: '/x' }],
          ['apply', 'function'],
        ],
      );
      assert.deepEqual(
        written.map(([id, , isEncoded, { volatile, compress, preEncoded }]) => {
          assert.ok(isEncoded, 'what is written is what the encoder has given');
          return [id, volatile, compress, preEncoded];
        }),
        [
          ['A', true, false, true],
          ['C', true, false, true],
        ],
      );
      assert.ok(log.findIndex(([what]) => what === 'apply') < log.indexOf(written[0]));
    });

    if ('broadcastWithAck' in Adapter.prototype) {
      it(`socket.io-adapter ${version} counts the receivers of a broadcast with acknowledgements where it applies it`, () => {
        const answers = [];
        const log = calls(Adapter, (adapter) => {
          const packet = { type: 2, data: ['event'] };
          const count = (number) => answers.push(number);
          adapter.broadcastWithAck(packet, AUDIENCE, count, (value) => answers.push(value));
          assert.equal(adapter.nsp._ids, 8);
          for (const id of ['A', 'C']) adapter.nsp.sockets.get(id).acks.get(7)(id);
          assert.equal(adapter.nsp.sockets.get('B').acks.size, 0);
        });
        assert.deepEqual(log[0], ['encode', { type: 2, data: ['event'], id: 7, nsp: '/x' }]);
        assert.deepEqual(log[1], ['apply', 'function']);
        assert.equal(log.filter(([, what]) => what === writes).length, 2);
        assert.deepEqual(answers, [2, 'A', 'C']);
      });
    }

    it(`socket.io-adapter ${version} applies everything else without encoding`, () => {
      const found = [];
      const log = calls(Adapter, (adapter, entries) => {
        for (const [id, socket] of adapter.nsp.sockets) {
          socket.join = (rooms) => entries.push([id, 'join', [...rooms]]);
          socket.leave = (name) => entries.push([id, 'leave', name]);
          socket.disconnect = (close) => entries.push([id, 'disconnect', close]);
        }
        adapter.fetchSockets(AUDIENCE).then((sockets) => found.push(...sockets));
        adapter.sockets(new Set(['b'])).then((ids) => found.push(...ids));
        adapter.addSockets(AUDIENCE, ['x']);
        adapter.delSockets(AUDIENCE, ['x']);
        adapter.disconnectSockets(AUDIENCE, true);
      });
      const apply = ['apply', 'function'];
      assert.deepEqual(log, [
        apply,
        apply,
        apply,
        ['A', 'join', ['x']],
        ['C', 'join', ['x']],
        apply,
        ['A', 'leave', 'x'],
        ['C', 'leave', 'x'],
        apply,
        ['A', 'disconnect', true],
        ['C', 'disconnect', true],
      ]);
    });
  }
});

describe('versions of socket.io-adapter', () => {
  for (const [version, { Adapter }] of Object.entries(VERSIONS)) {
    const probes = 'broadcastWithAck' in Adapter.prototype ? { ...PROBES, ...ACK_PROBES } : PROBES;
    for (const [name, probe] of Object.entries(probes)) {
      it(
        `the native server and socket.io agree about ${name} with socket.io-adapter ${version}`,
        TIMEOUT,
        async () => {
          const expected = await run(socketIo.Server, probe, { adapter: Adapter });
          assert.deepEqual(await run(Server, probe, { adapter: Adapter }), expected);
        },
      );
    }
  }

  for (const [version, { Adapter }] of Object.entries(VERSIONS)) {
    it(
      `the native server with recovery and socket.io agree about broadcasts with socket.io-adapter ${version}`,
      TIMEOUT,
      async () => {
        const probe = PROBES['broadcasts to rooms, to the rest and to nobody'];
        const options = { adapter: Adapter, connectionStateRecovery: {} };
        // With recovery, Socket.IO itself needs an adapter that stores sessions, or has methods for that.
        const needs = 'persistSession' in Adapter.prototype ? options : { adapter: Adapter };
        const expected = await run(socketIo.Server, probe, needs);
        assert.deepEqual(await run(Server, probe, options), expected);
      },
    );
  }

  for (const name of WITHOUT_APPLY) {
    it(
      `the native server and socket.io agree about ${name} with an adapter that has no apply()`,
      TIMEOUT,
      async () => {
        const expected = await run(socketIo.Server, PROBES[name], { adapter: Version21 });
        assert.deepEqual(await run(Server, PROBES[name], { adapter: Version21 }), expected);
      },
    );
  }

  for (const [name, probe] of Object.entries({ ...PROBES, ...ACK_PROBES })) {
    it(
      `the native server and socket.io agree about ${name} with an adapter and MessagePack`,
      TIMEOUT,
      async () => {
        const packed = (context) => {
          const { client } = context;
          context.client = (nsp, options) => client.call(context, nsp, { parser, ...options });
          return probe(context);
        };
        const options = { adapter: VERSIONS['2.5'].Adapter, parser };
        const expected = await run(socketIo.Server, packed, options);
        assert.deepEqual(await run(Server, packed, options), expected);
      },
    );
  }

  for (const [name, probe] of Object.entries({ ...PROBES, ...ACK_PROBES })) {
    if (DIFFERENT.includes(name)) continue;
    it(
      `the native server without an adapter and socket.io agree about ${name}`,
      TIMEOUT,
      async () => {
        const expected = await run(socketIo.Server, probe);
        assert.deepEqual(await run(Server, probe), expected);
      },
    );
  }
});
