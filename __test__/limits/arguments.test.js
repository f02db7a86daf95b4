'use strict';

// How many arguments an event or an acknowledgement of a client may have, on every kind of server and with every
// parser: a server passes them to listeners on its stack, which too many of them overflow.

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const { MAX_ARGUMENTS } = require('../../lib/native/protocol').Limits;
const {
  HOSTS,
  authenticate,
  call,
  newInstance,
  next,
  openServer,
  socketOf,
} = require('../support/js-hosts');
const { TIMEOUT, served } = require('../support/native-server');

/** More than fit on the stack, in less than `maxHttpBufferSize`. */
const OVERFLOWING = 300_000;

const PARSERS = {
  JSON: () => [{}, {}],
  MessagePack: (host) => {
    const parser = require(host === 2 ? 'socket.io-msgpack-parser-2' : 'socket.io-msgpack-parser');
    return [{ parser: host === 'native' ? 'msgpack' : parser }, { parser }];
  },
};

const zeros = (count) => new Array(count).fill(0);

/** Writes an event as no official client could: with more arguments than its own stack takes. */
function forge(client, parser, packet) {
  const encoder = parser === undefined ? undefined : new parser.Encoder();
  const { type, id = '', data } = packet;
  if (encoder === undefined) {
    client.io.engine.write(`${type}${id}${JSON.stringify(data)}`);
  } else if (encoder.encode.length > 1) {
    encoder.encode({ nsp: '/', ...packet }, ([encoded]) => client.io.engine.write(encoded));
  } else {
    client.io.engine.write(encoder.encode({ nsp: '/', ...packet })[0]);
  }
}

for (const host of HOSTS) {
  const where = host === 'native' ? 'the native server' : `socket.io ${host}`;
  for (const [name, optionsOf] of Object.entries(PARSERS)) {
    describe(`arguments in ${name} on ${where}`, TIMEOUT, () => {
      /** A server, two clients of it and the socket of the first one, which has authenticated. */
      async function opened(t) {
        const [options, clientOptions] = optionsOf(host);
        const { io, connect } = await openServer(t, host, options);
        const instance = newInstance();
        instance.defineMethod('m', () => 'done');
        instance.start(io);
        const other = connect('/', clientOptions);
        await socketOf(io, other);
        const client = connect('/', clientOptions);
        const socket = await socketOf(io, client);
        await authenticate(client);
        return { client, socket, other, parser: clientOptions.parser };
      }

      /** What the client does ends its connection, and nothing else. */
      async function isClosedBy({ client, socket, other }, act) {
        const closed = next(client, 'disconnect');
        const ended = next(socket, 'disconnect');
        act();
        await Promise.all([closed, ended]);
        assert.equal(await authenticate(other), true);
      }

      it(`an event may have ${MAX_ARGUMENTS} arguments in ${name} on ${where}`, async (t) => {
        const { client, socket } = await opened(t);
        const got = new Promise((resolve) => {
          socket.on('event', (...args) => resolve(args.length));
        });
        client.emit('event', ...zeros(MAX_ARGUMENTS));
        assert.equal(await got, MAX_ARGUMENTS);
        assert.deepEqual(await call(client, 'm', ...zeros(MAX_ARGUMENTS)), { result: 'done' });
      });

      it(`an acknowledgement may have ${MAX_ARGUMENTS} arguments in ${name} on ${where}`, async (t) => {
        const { client, socket } = await opened(t);
        client.on('question', (acknowledge) => acknowledge(...zeros(MAX_ARGUMENTS)));
        const got = new Promise((resolve) => {
          socket.emit('question', (...args) => resolve(args.length));
        });
        assert.equal(await got, MAX_ARGUMENTS);
        client.on('silence', (acknowledge) => acknowledge());
        const none = new Promise((resolve) => {
          socket.emit('silence', (...args) => resolve(args.length));
        });
        assert.equal(await none, 0);
      });

      for (const count of [MAX_ARGUMENTS + 1, OVERFLOWING]) {
        for (const event of ['event', 'm', 'authentication']) {
          it(`an event ${event} with ${count} arguments ends its own connection in ${name} on ${where}`, async (t) => {
            const world = await opened(t);
            world.socket.on('event', () => assert.fail('a listener ran'));
            const data = [event, ...zeros(count)];
            await isClosedBy(world, () => forge(world.client, world.parser, { type: 2, data }));
          });
        }

        it(`an acknowledgement with ${count} arguments ends its own connection in ${name} on ${where}`, async (t) => {
          const world = await opened(t);
          const asked = next(world.client, 'question');
          world.socket.emit('question', () => assert.fail('the callback ran'));
          await asked;
          const data = zeros(count);
          const id = Number(Object.keys(world.socket.acks)[0] ?? [...world.socket.acks.keys()][0]);
          await isClosedBy(world, () => forge(world.client, world.parser, { type: 3, id, data }));
        });
      }
    });
  }
}

describe('arguments that are no array', TIMEOUT, () => {
  const parser = require('socket.io-msgpack-parser-2');
  for (const packet of [
    { type: 2, id: 1, data: { 0: 'event', length: 1 } },
    { type: 2, data: { 0: 'event', length: OVERFLOWING } },
    { type: 3, id: 0, data: { length: OVERFLOWING } },
    { type: 3, id: 0, data: 1 },
  ]) {
    it(`the data ${JSON.stringify(packet.data)} of a packet ${packet.type} ends its own connection on socket.io 2 with MessagePack`, async (t) => {
      const { io, connect } = await openServer(t, 2, { parser });
      newInstance().start(io);
      const client = connect('/', { parser });
      const socket = await socketOf(io, client);
      const asked = next(client, 'question');
      socket.emit('question', () => assert.fail('the callback ran'));
      await asked;
      const ended = next(socket, 'disconnect');
      forge(client, parser, packet);
      await ended;
    });
  }
});

describe('acknowledgements with a timeout', TIMEOUT, () => {
  for (const isBroadcast of [false, true]) {
    const what = isBroadcast ? 'a broadcast' : 'an event';
    it(
      `an acknowledgement of ${what} with a timeout may not overflow the stack`,
      TIMEOUT,
      served({}, async (world) => {
        const raw = await world.raw();
        const sender = isBroadcast ? world.io : raw.socket;
        sender.timeout(10_000).emit('question', () => {});
        const [, id] = /^42(\d+)/.exec(await raw.packet('2'));
        const ended = next(raw.socket, 'disconnect');
        await raw.send(`43${id}[${zeros(OVERFLOWING)}]`);
        assert.equal(await ended, 'forced close');
        assert.equal(await world.isAlive(), 'yes');
      }),
    );
  }
});

it(
  'an event of another server with too many arguments is dropped with a warning',
  TIMEOUT,
  served({}, async (world) => {
    const warned = new Promise((resolve) => {
      process.once('warning', resolve);
    });
    world.io.on('event', () => assert.fail('a listener ran'));
    world.io.of('/')._onServerSideEmit(['event', ...zeros(OVERFLOWING)]);
    assert.equal((await warned).code, 'ERR_LOOPBACK_SOCKET_INVALID_PACKET');
  }),
);
