'use strict';

// perMessageDeflate: what is agreed on, what it saves on the wire, and what a client cannot do with it.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const http = require('node:http');
const { describe, it } = require('node:test');
const zlib = require('node:zlib');
const socketio = require('socket.io');
const LoopbackSocket = require('../..');
const { RawTcp, RawWebsocket, frame, upgradeRequest } = require('../support/raw');
const {
  TIMEOUT,
  call,
  ending,
  happens,
  reach,
  served,
  upgraded,
} = require('../support/native-server');

const EXTENSION = 'permessage-deflate';
const SERVER_ALONE = 'server_no_context_takeover';
const CLIENT_ALONE = 'client_no_context_takeover';
const SERVER_BITS = 'server_max_window_bits';
const CLIENT_BITS = 'client_max_window_bits';

/** Values of `Sec-WebSocket-Extensions`, valid and not. */
const OFFERS = [
  EXTENSION,
  `${EXTENSION}; ${CLIENT_BITS}`,
  `${EXTENSION}; ${CLIENT_BITS}=8`,
  `${EXTENSION}; ${CLIENT_BITS}=15`,
  `${EXTENSION}; ${CLIENT_BITS}="12"`,
  `${EXTENSION}; ${CLIENT_BITS}="1\\2"`,
  `${EXTENSION}; ${CLIENT_BITS}=0xa`,
  `${EXTENSION}; ${CLIENT_BITS}=1e1`,
  `${EXTENSION}; ${CLIENT_BITS}=010`,
  `${EXTENSION}; ${CLIENT_BITS}=7`,
  `${EXTENSION}; ${CLIENT_BITS}=16`,
  `${EXTENSION}; ${CLIENT_BITS}=8.5`,
  `${EXTENSION}; ${CLIENT_BITS}=x`,
  `${EXTENSION}; ${CLIENT_BITS}=""`,
  `${EXTENSION}; ${CLIENT_BITS}=`,
  `${EXTENSION}; ${CLIENT_BITS}= 10`,
  `${EXTENSION}; ${CLIENT_BITS} =10`,
  `${EXTENSION}; ${CLIENT_BITS}; ${CLIENT_BITS}`,
  `${EXTENSION}; ${SERVER_BITS}`,
  `${EXTENSION}; ${SERVER_BITS}=8`,
  `${EXTENSION}; ${SERVER_BITS}=11`,
  `${EXTENSION}; ${SERVER_BITS}=15`,
  `${EXTENSION}; ${SERVER_BITS}=10; ${SERVER_BITS}=10`,
  `${EXTENSION}; ${SERVER_ALONE}`,
  `${EXTENSION}; ${SERVER_ALONE}=true`,
  `${EXTENSION}; ${SERVER_ALONE}; ${SERVER_ALONE}`,
  `${EXTENSION}; ${CLIENT_ALONE}`,
  `${EXTENSION}; ${CLIENT_ALONE}=1`,
  `${EXTENSION}; ${CLIENT_ALONE}; ${SERVER_ALONE}; ${CLIENT_BITS}; ${SERVER_BITS}=10`,
  `${EXTENSION}; ${SERVER_BITS}=10; ${CLIENT_BITS}=9; ${SERVER_ALONE}; ${CLIENT_ALONE}`,
  `${EXTENSION};${CLIENT_BITS} ;\t${SERVER_ALONE}`,
  `${EXTENSION}; ${CLIENT_BITS}=9, ${EXTENSION}; ${CLIENT_BITS}, ${EXTENSION}`,
  `${EXTENSION}; ${SERVER_BITS}=9, ${EXTENSION}`,
  `${EXTENSION}; ${SERVER_ALONE}, ${EXTENSION}; ${CLIENT_BITS}`,
  `${EXTENSION}, ${EXTENSION}; unknown`,
  `${EXTENSION}; unknown=1`,
  `${EXTENSION}; toString`,
  `${EXTENSION}; __proto__`,
  'Permessage-Deflate',
  'x-webkit-deflate-frame',
  `foo; bar="b\\az"; __proto__=1; bar, ${EXTENSION}`,
  'foo, bar; baz=1',
  '',
  ',',
  ';',
  `${EXTENSION},`,
  `${EXTENSION};`,
  `${EXTENSION}; ;`,
  `,${EXTENSION}`,
  `${EXTENSION} ${CLIENT_BITS}`,
  `${EXTENSION}; ${CLIENT_BITS}="10`,
  `${EXTENSION}; ${CLIENT_BITS}="10"x`,
  `${EXTENSION}; ${CLIENT_BITS}="1 0"`,
  `${EXTENSION}; ${CLIENT_BITS}=10\\`,
  'permessage/deflate',
];

/** Options of the server. */
const OPTIONS = [
  false,
  true,
  {},
  { serverNoContextTakeover: true, clientNoContextTakeover: true },
  { serverNoContextTakeover: false, clientNoContextTakeover: false },
  { serverMaxWindowBits: 10, clientMaxWindowBits: 10 },
  { serverMaxWindowBits: false, clientMaxWindowBits: false },
  { serverMaxWindowBits: true, clientMaxWindowBits: true },
  { serverMaxWindowBits: 8, clientMaxWindowBits: 8, serverNoContextTakeover: true },
];

/**
 * @param {Function} Server npm's or ours
 * @param {any} perMessageDeflate its option
 * @returns {Promise<any[]>} what it answers to each offer
 */
async function answers(Server, perMessageDeflate) {
  const httpServer = http.createServer();
  const io = new Server(httpServer, { perMessageDeflate });
  httpServer.listen(0, '127.0.0.1');
  await once(httpServer, 'listening');
  const found = [];
  for (const offer of [undefined, ...OFFERS]) {
    const tcp = new RawTcp(httpServer.address().port);
    await tcp.opened();
    const headers = { 'Sec-WebSocket-Extensions': offer };
    tcp.socket.write(upgradeRequest({ headers }));
    const [, head] = await tcp.until(/^([^]*?\r\n)\r\n/);
    const [status] = head.split('\r\n', 1);
    const [, extensions] = /^sec-websocket-extensions: (.*)\r$/im.exec(head) ?? [];
    if (!status.includes('101')) await tcp.ended;
    const body = status.includes('101')
      ? undefined
      : tcp.data.toString('latin1').split('\r\n\r\n')[1];
    found.push({ offer, status, extensions, body });
    tcp.terminate();
  }
  await io.close();
  return found;
}

/** @returns {string} a text of this length that compresses well */
const text = (length) =>
  'The quick brown fox jumps over the lazy dog. '.repeat(length / 45 + 1).slice(0, length);

/**
 * @param {string | Buffer} data
 * @param {object} [options] of zlib
 * @returns {Buffer} how it is sent as one message
 */
function deflated(data, options) {
  const { Z_SYNC_FLUSH } = zlib.constants;
  const stream = zlib.deflateRawSync(data, { finishFlush: Z_SYNC_FLUSH, ...options });
  return stream.subarray(0, -4);
}

/**
 * @param {string | Buffer} payload
 * @param {number} first the first byte
 * @returns {Buffer} a frame of a client
 */
function rawFrame(payload, first) {
  const bytes = frame(payload);
  bytes[0] = first;
  return bytes;
}

/**
 * @param {any} client an official client on a websocket
 * @returns {import('net').Socket} its socket
 */
const socketOf = (client) => client.io.engine.transport.ws._socket;

/**
 * @param {import('net').Socket} socket
 * @param {() => Promise<any>} during
 * @returns {Promise<{read: number, written: number}>} the bytes that crossed meanwhile
 */
async function crossed(socket, during) {
  const { bytesRead, bytesWritten } = socket;
  await during();
  return { read: socket.bytesRead - bytesRead, written: socket.bytesWritten - bytesWritten };
}

describe('what is agreed on', () => {
  for (const options of OPTIONS) {
    it(
      `offers are answered as by socket.io 4 with perMessageDeflate ${JSON.stringify(options)}`,
      { timeout: 60_000 },
      async () => {
        const theirs = await answers(socketio.Server, options);
        const ours = await answers(LoopbackSocket.Server, options);
        assert.deepEqual(ours, theirs);
        const agreed = theirs.filter(({ extensions }) => extensions !== undefined);
        assert.equal(agreed.length > 0, options !== false);
      },
    );
  }

  it(
    'a client whose offers are refused opens no connection, and the application is told',
    TIMEOUT,
    served({ perMessageDeflate: true }, async (world) => {
      const refused = once(world.io.engine, 'connection_error');
      const tcp = await world.tcp();
      const headers = { 'Sec-WebSocket-Extensions': `${EXTENSION}; unknown` };
      tcp.socket.write(upgradeRequest({ headers }));
      const [{ code, context }] = await refused;
      assert.deepEqual(
        { code, ...context },
        {
          code: 3,
          name: 'INVALID_WEBSOCKET',
          message: 'Invalid or unacceptable Sec-WebSocket-Extensions header',
        },
      );
      assert.equal(world.io.engine.clientsCount, 0);
    }),
  );
});

describe('compressed messages', () => {
  const sizes = [0, 1, 100, 125, 126, 127, 1023, 1024, 4096, 16_384, 65_535, 65_536, 131_072];

  for (const serverNoContextTakeover of [true, false]) {
    for (const clientNoContextTakeover of [true, false]) {
      for (const [server, client] of [
        [15, undefined],
        [8, 8],
        [9, 9],
        [12, 10],
      ]) {
        it(
          `messages of every size are echoed in fewer bytes (server_no_context_takeover ${serverNoContextTakeover}, client_no_context_takeover ${clientNoContextTakeover}, windows ${server} and ${client})`,
          TIMEOUT,
          served({ perMessageDeflate: { threshold: 0 } }, async (world) => {
            world.io.on('connection', (socket) => {
              socket.on('echo', (data, acknowledge) => acknowledge(data));
            });
            const { client: socket } = await world.connect('4.8', {
              perMessageDeflate: {
                threshold: 0,
                serverNoContextTakeover,
                clientNoContextTakeover,
                serverMaxWindowBits: server,
                clientMaxWindowBits: client,
              },
            });
            const { extensions } = socket.io.engine.transport.ws;
            assert.equal(extensions, EXTENSION);
            let total = 0;
            const { read, written } = await crossed(socketOf(socket), async () => {
              for (const size of sizes) {
                const random = Buffer.from(Array.from({ length: size }, (_, i) => (i * i) % 199));
                for (const data of [text(size), random, { text: text(size), random }]) {
                  assert.deepEqual(await call(socket, 'echo', data), [data]);
                  total += size;
                }
              }
            });
            assert.ok(read < total / 3 && written < total / 3, `${read} ${written} of ${total}`);
          }),
        );
      }
    }
  }

  for (const version of ['2.5', '3.1', '4.8']) {
    it(
      `a client of socket.io-client ${version} gets and sends fewer bytes with perMessageDeflate`,
      TIMEOUT,
      served({ perMessageDeflate: true }, async (world) => {
        const { client, socket } = await world.connect(version, { perMessageDeflate: {} });
        socket.on('length', (it, acknowledge) => acknowledge(it.length));
        const long = text(100_000);
        const sent = await crossed(socketOf(client), async () => {
          assert.deepEqual(await call(client, 'length', long), [100_000]);
          assert.deepEqual(await call(client, 'length', Buffer.from(long)), [100_000]);
        });
        assert.ok(sent.written < 10_000, `${sent.written}`);
        const received = await crossed(socketOf(client), async () => {
          const events = [happens(client, 'text'), happens(client, 'bytes')];
          socket.emit('text', long);
          socket.emit('bytes', Buffer.from(long));
          const [[asText], [asBytes]] = await Promise.all(events);
          assert.equal(asText, long);
          assert.equal(String(asBytes), long);
        });
        assert.ok(received.read < 10_000, `${received.read}`);
      }),
    );

    it(
      `a client of socket.io-client ${version} that moves from polling to a websocket has its messages compressed there`,
      TIMEOUT,
      served({ perMessageDeflate: true }, async (world) => {
        const { client, socket } = await world.connect(version, {
          transports: ['polling', 'websocket'],
          perMessageDeflate: {},
        });
        await upgraded(client);
        await reach(() => socket.conn.transport.name === 'websocket');
        const { read } = await crossed(socketOf(client), async () => {
          const event = happens(client, 'text');
          socket.emit('text', text(100_000));
          assert.deepEqual(await event, [text(100_000)]);
        });
        assert.ok(read < 10_000, `${read}`);
      }),
    );

    it(
      `a client of socket.io-client ${version} that offers no compression gets messages as they are`,
      TIMEOUT,
      served({ perMessageDeflate: true }, async (world) => {
        const { client, socket } = await world.connect(version, { perMessageDeflate: false });
        const { read } = await crossed(socketOf(client), async () => {
          const event = happens(client, 'text');
          socket.emit('text', text(10_000));
          await event;
        });
        assert.ok(read > 10_000, `${read}`);
      }),
    );
  }

  it(
    'messages below the threshold and those with compress(false) are sent as they are',
    TIMEOUT,
    served({ perMessageDeflate: { threshold: 200 } }, async (world) => {
      const { client, socket } = await world.connect('4.8', { perMessageDeflate: {} });
      const bytes = async (emit) => {
        const { read } = await crossed(socketOf(client), async () => {
          const event = happens(client, 'text');
          emit();
          await event;
        });
        return read;
      };
      // `42["text",""]` has 13 characters, and the header of a frame 2 or 4.
      assert.equal(await bytes(() => socket.emit('text', text(186))), 203);
      assert.ok((await bytes(() => socket.emit('text', text(187)))) < 100);
      assert.equal(await bytes(() => socket.compress(false).emit('text', text(1000))), 1017);
      assert.ok((await bytes(() => socket.compress(true).emit('text', text(1000)))) < 100);
      assert.equal(await bytes(() => world.io.compress(false).emit('text', text(1000))), 1017);
      assert.ok((await bytes(() => world.io.emit('text', text(1000)))) < 100);
    }),
  );

  it(
    'a broadcast reaches clients with every kind of compression, and those with none',
    TIMEOUT,
    served({ perMessageDeflate: true }, async (world) => {
      const clients = [];
      for (const perMessageDeflate of [
        false,
        {},
        { serverNoContextTakeover: true },
        { serverNoContextTakeover: true, serverMaxWindowBits: 9 },
        { serverMaxWindowBits: 8 },
      ]) {
        for (const version of ['2.5', '4.8', '4.8']) {
          clients.push((await world.connect(version, { perMessageDeflate })).client);
        }
      }
      for (const data of [text(5000), Buffer.from(text(5000))]) {
        for (let i = 0; i < 3; i++) {
          const events = clients.flatMap((client) => [
            happens(client, 'one'),
            happens(client, 'other'),
          ]);
          world.io.emit('one', data, i);
          world.io.emit('other', data, i);
          for (const [received, number] of await Promise.all(events)) {
            assert.deepEqual([String(received), number], [String(data), i]);
          }
        }
      }
    }),
  );

  it(
    'the server compresses answers, large and small, in the order in which they are given',
    TIMEOUT,
    served({ perMessageDeflate: true }, async (world) => {
      const { client, socket } = await world.connect('4.8', { perMessageDeflate: {} });
      socket.on('ask', (size, acknowledge) => acknowledge(text(size)));
      const order = [];
      const asked = [10, 50_000, 20, 2000, 30].map((size) =>
        call(client, 'ask', size).then(([answer]) => {
          assert.equal(answer, text(size));
          order.push(size);
        }),
      );
      await Promise.all(asked);
      assert.deepEqual(order, [10, 50_000, 20, 2000, 30]);
    }),
  );
});

describe('clients that do not keep to the protocol', () => {
  it(
    'a client gets what it sends in compressed fragments, with control frames between them',
    TIMEOUT,
    served({ perMessageDeflate: true }, async (world) => {
      const raw = await world.raw({ perMessageDeflate: true });
      raw.socket.on('echo', (it) => raw.socket.emit('echo', it));
      const message = deflated(`42["echo","${text(300)}"]`);
      const pong = once(raw.ws, 'pong');
      raw.ws._socket.write(rawFrame(message.subarray(0, 9), 0x41));
      raw.ws._socket.write(rawFrame('hi', 0x89));
      raw.ws._socket.write(rawFrame(message.subarray(9, 10), 0x00));
      raw.ws._socket.write(rawFrame('', 0x00));
      raw.ws._socket.write(rawFrame(message.subarray(10), 0x80));
      assert.equal(await raw.packet('2'), `42["echo","${text(300)}"]`);
      assert.equal(String((await pong)[0]), 'hi');
    }),
  );

  for (const [what, bytes, code] of [
    ['invalid compressed data', rawFrame(Buffer.alloc(20, 0xff), 0xc1), 1007],
    ['a compressed text that is not UTF-8', rawFrame(deflated(Buffer.alloc(20, 0xff)), 0xc1), 1007],
    ['a compressed ping', rawFrame(deflated('hi'), 0xc9), 1002],
    [
      'a compressed continuation',
      Buffer.concat([rawFrame(deflated('hi'), 0x41), rawFrame(deflated('hi'), 0xc0)]),
      1002,
    ],
    ['a compressed message that is too large', rawFrame(deflated(text(20_000)), 0xc1), 1009],
    [
      'a compressed message that is too large only with all its fragments',
      Buffer.concat([
        rawFrame(deflated(text(8_000)), 0x41),
        rawFrame(Buffer.from([0, 0, 0xff, 0xff]), 0x00),
        rawFrame(deflated(text(8_000)), 0x80),
      ]),
      1009,
    ],
  ]) {
    it(
      `a client that sends ${what} is closed with ${code}, as by socket.io 4`,
      TIMEOUT,
      async () => {
        const found = [];
        for (const Server of [LoopbackSocket.Server, socketio.Server]) {
          const httpServer = http.createServer();
          const io = new Server(httpServer, { perMessageDeflate: true, maxHttpBufferSize: 10_000 });
          const opened = once(io, 'connection').then(([socket]) => ending(socket));
          httpServer.listen(0, '127.0.0.1');
          await once(httpServer, 'listening');
          const raw = new RawWebsocket(httpServer.address().port, { perMessageDeflate: true });
          await raw.opened();
          await raw.join();
          raw.ws._socket.write(bytes);
          const [[reason], closed] = await Promise.all([opened, raw.closed]);
          found.push([reason, closed]);
          await io.close();
        }
        assert.deepEqual(found, [
          ['transport error', code],
          ['transport error', code],
        ]);
      },
    );
  }

  it(
    'RSV1 is refused where no compression was agreed on',
    TIMEOUT,
    served({ perMessageDeflate: true }, async (world) => {
      const raw = await world.raw({ perMessageDeflate: false });
      raw.ws._socket.write(rawFrame(deflated('42["a"]'), 0xc1));
      assert.equal(await raw.closed, 1002);
    }),
  );

  it(
    'a bomb of 1 GiB ends its own connection, takes no memory, and others are served',
    { timeout: 60_000 },
    served({ perMessageDeflate: true, maxHttpBufferSize: 2_000_000 }, async (world) => {
      // Each piece refers to nothing before it, so that the pieces can be put one after the other.
      const { Z_FULL_FLUSH } = zlib.constants;
      const piece = zlib.deflateRawSync(Buffer.alloc(1 << 20), { finishFlush: Z_FULL_FLUSH });
      const bomb = Buffer.concat(Array(1024).fill(piece));
      assert.ok(bomb.length < 1_500_000, `${bomb.length}`);
      const other = await world.raw({ perMessageDeflate: true });
      other.socket.on('echo', (it, acknowledge) => acknowledge(it));
      const before = process.memoryUsage().rss;
      for (let i = 0; i < 20; i++) {
        const raw = await world.raw({ perMessageDeflate: true });
        const ended = ending(raw.socket);
        raw.ws._socket.write(rawFrame(bomb, 0xc2));
        assert.equal((await ended)[0], 'transport error');
        assert.equal(await raw.closed, 1009);
        assert.deepEqual(await other.call('echo', text(5000)), [text(5000)]);
      }
      const grown = (process.memoryUsage().rss - before) / (1 << 20);
      assert.ok(grown < 128, `${grown} MiB`);
    }),
  );
});

describe('the option perMessageDeflate', () => {
  const make = (perMessageDeflate) =>
    new LoopbackSocket.Server(http.createServer(), { perMessageDeflate });

  it('an unknown or invalid option of perMessageDeflate is refused', () => {
    for (const [given, message] of [
      [1, "'perMessageDeflate' must be true, false, or"],
      [[], "'perMessageDeflate' must be true, false, or"],
      [{ treshold: 1 }, "'perMessageDeflate' has no option 'treshold'"],
      [{ threshold: -1 }, "'perMessageDeflate.threshold' must be a whole number"],
      [{ threshold: '1024' }, "'perMessageDeflate.threshold' must be"],
      [{ serverNoContextTakeover: 1 }, 'must be true or false'],
      [{ clientNoContextTakeover: 'no' }, 'must be true or false'],
      [{ serverMaxWindowBits: 7 }, 'must be true, false, or a whole number from 8 to 15'],
      [{ clientMaxWindowBits: 16 }, 'must be true, false, or a whole number from 8 to 15'],
      [{ concurrencyLimit: -1 }, 'must be a whole number'],
      [{ zlibDeflateOptions: 9 }, "'perMessageDeflate.zlibDeflateOptions' must be an object"],
      [{ zlibDeflateOptions: { level: 10 } }, 'zlibDeflateOptions.level'],
      [{ zlibDeflateOptions: { memLevel: 0 } }, 'zlibDeflateOptions.memLevel'],
      [{ zlibDeflateOptions: { dictionary: Buffer.alloc(1) } }, "no option 'dictionary'"],
      [{ zlibInflateOptions: { chunkSize: 1 } }, 'zlibInflateOptions.chunkSize'],
    ]) {
      assert.throws(
        () => make(given),
        (error) => error.name === 'InvalidOptionError' && error.message.includes(message),
        JSON.stringify(given),
      );
    }
  });

  it('perMessageDeflate is off by default and takes all that ws takes', () => {
    for (const [given, expected] of [
      [undefined, false],
      [null, false],
      [false, false],
      [true, { threshold: 1024 }],
      [{ threshold: undefined }, { threshold: 1024 }],
      [{ threshold: Infinity }, { threshold: Infinity }],
      [
        {
          threshold: 1,
          concurrencyLimit: 10,
          serverMaxWindowBits: 9,
          clientMaxWindowBits: null,
          zlibDeflateOptions: { level: 3, memLevel: 7, chunkSize: 1024, strategy: 2 },
          zlibInflateOptions: { chunkSize: 10 * 1024 },
        },
        {
          threshold: 1,
          concurrencyLimit: 10,
          serverMaxWindowBits: 9,
          zlibDeflateOptions: { level: 3, memLevel: 7, chunkSize: 1024, strategy: 2 },
          zlibInflateOptions: { chunkSize: 10 * 1024 },
        },
      ],
    ]) {
      assert.deepEqual(make(given).engine.opts.perMessageDeflate, expected);
    }
  });

  it('the level decides how much is saved', TIMEOUT, async (t) => {
    const noise = Array.from({ length: 3000 }, (_, i) => (i * i * 7919) % 1000).join(' ');
    const sizes = [];
    for (const level of [0, 1, 9]) {
      const options = { perMessageDeflate: { zlibDeflateOptions: { level } } };
      await served(options, async (world) => {
        const { client, socket } = await world.connect('4.8', { perMessageDeflate: {} });
        const { read } = await crossed(socketOf(client), async () => {
          const event = happens(client, 'text');
          socket.emit('text', noise);
          assert.deepEqual(await event, [noise]);
        });
        sizes.push(read);
      })(t);
    }
    const [stored, fast, best] = sizes;
    assert.ok(stored > noise.length && noise.length > fast && fast > best, `${sizes}`);
  });
});
