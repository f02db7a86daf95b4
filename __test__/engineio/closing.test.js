'use strict';

// How connections end: the same is done to npm's socket.io 4.8 and to the native server, and what the
// application is told, with its details, and what the client is sent must be the same.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const http = require('node:http');
const { describe, it } = require('node:test');
const socketio = require('socket.io');
const { Server } = require('../..');
const {
  RawPolling,
  RawTcp,
  RawWebsocket,
  encode,
  frame,
  upgradeRequest,
} = require('../support/raw');
const { TIMEOUT } = require('../support/native-server');
const { reach } = require('../support/waiting');

/** The details of an end, as far as they are data. */
const detailsOf = (details) =>
  details instanceof Error ? [details.message, Object.entries(details)] : details;

/** A server of either kind, and all that can be seen of it. */
class Host {
  clients = [];
  /** What the application is told. */
  told = [];
  /** What the clients are sent. */
  sent = [];

  constructor(Kind, eio, options) {
    this.eio = eio;
    this.httpServer = http.createServer();
    this.io = new Kind(this.httpServer, { allowEIO3: true, maxHttpBufferSize: 1000, ...options });
    this.io.on('connection', (socket) => {
      this.socket = socket;
      this.told.push('connection');
      socket.on('error', () => {});
      this.closed = new Promise((resolve) => {
        socket.conn.once('close', (...end) => resolve(this.tell('close', ...end)));
      });
      for (const event of ['disconnecting', 'disconnect']) {
        socket.once(event, (...end) => this.tell(event, ...end));
      }
    });
  }

  tell(event, reason, details) {
    this.told.push([event, reason, detailsOf(details)]);
  }

  async listen() {
    this.httpServer.listen(0, '127.0.0.1');
    await once(this.httpServer, 'listening');
    this.port = this.httpServer.address().port;
  }

  /** A client of long polling whose session is open. */
  async open() {
    const client = new RawPolling(this.port, { eio: this.eio, poll: false });
    this.clients.push(client);
    await client.opened();
    return client;
  }

  /** A client of long polling in the default namespace, which has fetched all that it was told. */
  async polling() {
    const client = await this.open();
    if (this.eio === 4) await client.post('40');
    await client.poll();
    return client;
  }

  /** The bytes of a websocket in the default namespace. */
  async tcp() {
    const client = new RawTcp(this.port);
    this.clients.push(client);
    await client.opened();
    client.socket.write(upgradeRequest({ query: `EIO=${this.eio}&transport=websocket` }));
    await client.until(/"maxPayload":\d+}/);
    if (this.eio === 4) client.socket.write(frame('40'));
    await client.until(this.eio === 4 ? /40{"sid":"[^"]+"}/ : /\x81.40$/);
    client.data = Buffer.alloc(0);
    return client;
  }

  /** Packets as a body. */
  body(...packets) {
    return encode(this.eio, ...packets);
  }

  /** Has a poll wait at the server. */
  async wait(client) {
    const asked = once(this.httpServer, 'request');
    const answer = client.poll().catch((error) => ({ status: error.code, body: '' }));
    await asked;
    return { answer };
  }

  /** Notes an answer. */
  async note(name, answer) {
    const { status, body } = await answer;
    this.sent.push([name, status, String(body)]);
  }

  async close() {
    this.clients.forEach((client) => client.terminate());
    await this.io.close();
  }
}

/**
 * Plays a scenario to both.
 * @param {(host: Host) => Promise<void>} scenario
 * @param {object} [options] `eio`; others are those of the servers
 * @returns {Promise<{told: unknown[], sent: unknown[]}>} what was seen of each, which is the same
 */
async function both(scenario, { eio = 4, ...options } = {}) {
  const [theirs, ours] = [socketio.Server, Server].map((Kind) => new Host(Kind, eio, options));
  for (const host of [theirs, ours]) {
    await host.listen();
    try {
      await scenario(host);
    } finally {
      await host.close();
    }
  }
  assert.deepEqual(ours.told, theirs.told);
  assert.deepEqual(ours.sent, theirs.sent);
  return ours;
}

const UNKNOWN = [400, '{"code":1,"message":"Session ID unknown"}'];
const FAULT = (message) => [
  'transport error',
  [
    message,
    [
      ['type', 'TransportError'],
      ['description', undefined],
    ],
  ],
];
/** What an application is told of the end of a connection with one socket. */
const ending = (reason, details) =>
  ['disconnecting', 'disconnect', 'close'].map((event) => [event, reason, details]);

describe('how polling connections end', () => {
  for (const eio of [3, 4]) {
    const noop = eio === 4 ? '6' : '1:6';
    const close = eio === 4 ? '1' : '1:1';
    const played = (scenario, options) => both(scenario, { eio, ...options });

    it(
      `a polling client of Engine.IO ${eio} that sends a close packet has its poll answered with a noop`,
      TIMEOUT,
      async () => {
        const { told, sent } = await played(async (host) => {
          const client = await host.polling();
          const { answer } = await host.wait(client);
          await host.note('post', client.post(host.body('1')));
          await host.note('poll', answer);
          await host.note('next', client.poll());
        });
        assert.deepEqual(told.slice(1), ending('transport close', undefined));
        assert.deepEqual(sent, [
          ['post', 200, 'ok'],
          ['poll', 200, noop],
          ['next', ...UNKNOWN],
        ]);
      },
    );

    it(
      `a waiting poll of Engine.IO ${eio} is answered with a close packet when the server ends the connection`,
      TIMEOUT,
      async () => {
        for (const [name, end] of Object.entries({
          'conn.close()': (host) => host.socket.conn.close(),
          'engine.close()': (host) => host.io.engine.close(),
          'a second poll': (host, client) => host.note('second', client.poll()),
          // Which is answered with 400 here (docs/socketio-api.md).
          'no packet': (host, client) => client.post('x'),
          'a body without a packet': (host, client) => client.post(''),
          'a heartbeat in the wrong direction': (host, client) =>
            host.note('post', client.post(host.body(eio === 4 ? '2' : '3'))),
        })) {
          const { sent } = await played(async (host) => {
            const client = await host.polling();
            const { answer } = await host.wait(client);
            await end(host, client);
            await host.note('poll', answer);
            await host.closed;
            await host.note('next', client.poll());
          });
          assert.deepEqual(
            sent.slice(-2),
            [
              ['poll', 200, close],
              ['next', ...UNKNOWN],
            ],
            name,
          );
        }
      },
    );

    it(
      `a connection of Engine.IO ${eio} that is closed while no poll waits answers the next poll with a close packet`,
      TIMEOUT,
      async () => {
        const { sent } = await played(async (host) => {
          const client = await host.polling();
          await host.note('malformed', client.post(host.body('42{}')));
          // What comes meanwhile is not heard any more.
          await host.note('post', client.post(host.body('42["m"]')));
          await host.note('poll', client.poll());
          await host.closed;
          await host.note('next', client.poll());
        });
        const last = eio === 4 ? '6\x1e1' : '1:61:1';
        assert.deepEqual(sent, [
          ['malformed', 200, 'ok'],
          ['post', 200, 'ok'],
          ['poll', 200, last],
          ['next', ...UNKNOWN],
        ]);
      },
    );

    it(
      `a polling client of Engine.IO ${eio} that answers no ping gets a close packet`,
      TIMEOUT,
      async () => {
        const { told, sent } = await played(
          async (host) => {
            const client = await host.polling();
            if (eio === 4) await host.note('ping', client.poll());
            await host.note('poll', client.poll());
          },
          { pingInterval: 30, pingTimeout: 30 },
        );
        assert.deepEqual(told.slice(1), ending('ping timeout', undefined));
        assert.deepEqual(sent.at(-1), ['poll', 200, close]);
      },
    );

    it(
      `a polling client of Engine.IO ${eio} that breaks the protocol ends with details that name the error`,
      TIMEOUT,
      async () => {
        const begin = (host, client) => {
          const path = `${client.path}&transport=polling&sid=${client.sid}`;
          const headers = { 'Content-Type': 'text/plain', 'Content-Length': 100 };
          const where = { host: '127.0.0.1', port: host.port, method: 'POST', path, headers };
          const req = http.request(where);
          req.once('error', () => {});
          req.write('4');
          return req;
        };
        for (const [message, act] of [
          [
            'overlap from client',
            async (host, client) => {
              const { answer } = await host.wait(client);
              await client.poll();
              await answer;
            },
          ],
          [
            'poll connection closed prematurely',
            async (host, client) => {
              const { answer } = await host.wait(client);
              client.pending.destroy();
              await answer;
            },
          ],
          [
            'data request overlap from client',
            async (host, client) => {
              const asked = once(host.httpServer, 'request');
              const req = begin(host, client);
              await asked;
              await host.note('second', client.post(host.body('42["m"]')));
              req.destroy();
            },
          ],
          [
            'data request connection closed prematurely',
            async (host, client) => {
              const asked = once(host.httpServer, 'request');
              const req = begin(host, client);
              await asked;
              req.destroy();
            },
          ],
          ...(eio === 3
            ? []
            : [
                [
                  'invalid content',
                  (host, client) =>
                    host.note('post', client.post(Buffer.from([4]), 'application/octet-stream')),
                ],
              ]),
        ]) {
          const { told } = await played(async (host) => {
            await act(host, await host.polling());
            await host.closed;
          });
          assert.deepEqual(told.slice(1), ending(...FAULT(message)), message);
        }
        // Not an error of the transport's, and without its fields.
        const { told } = await played(async (host) => {
          const client = await host.polling();
          await client.post(host.body(eio === 4 ? '2' : '3'));
          await host.closed;
        });
        assert.deepEqual(
          told.slice(1),
          ending('transport error', ['invalid heartbeat direction', []]),
        );
      },
    );
  }

  it(
    'a polling client that exceeds maxHttpBufferSize ends with details that name the error',
    TIMEOUT,
    async () => {
      // As engine.io 6.6.13 does; those before it drop the message and go on.
      const host = new Host(Server, 4, {});
      await host.listen();
      const client = await host.polling();
      await host.note('post', client.post(`42["m","${'x'.repeat(2000)}"]`));
      await host.closed;
      assert.deepEqual(host.told.slice(1), ending(...FAULT('payload too large')));
      assert.deepEqual(host.sent, [['post', 413, '']]);
      await host.close();
    },
  );

  it(
    'a connection whose socket has left its namespace still reports its end with details',
    TIMEOUT,
    async () => {
      const { told } = await both(async (host) => {
        const client = await host.polling();
        host.socket.disconnect();
        await client.poll();
        const { answer } = await host.wait(client);
        client.pending.destroy();
        await answer;
        await host.closed;
      });
      assert.deepEqual(told.at(-1), ['close', ...FAULT('poll connection closed prematurely')]);
    },
  );

  it(
    'closing the server gives sockets the reason "server shutting down" and connections "forced close"',
    TIMEOUT,
    async () => {
      const { told } = await both(async (host) => {
        await host.polling();
        host.io.close();
        await host.closed;
      });
      assert.deepEqual(told.slice(1), [
        ['disconnecting', 'server shutting down', undefined],
        ['disconnect', 'server shutting down', undefined],
        ['close', 'forced close', undefined],
      ]);
    },
  );

  it('a polling client that joins no namespace in time gets a close packet', TIMEOUT, async () => {
    const { sent } = await both(
      async (host) => {
        const client = await host.open();
        await host.note('poll', client.poll());
        await host.note('next', client.poll());
      },
      { connectTimeout: 40 },
    );
    assert.deepEqual(sent, [
      ['poll', 200, '1'],
      ['next', ...UNKNOWN],
    ]);
  });
});

describe('packets that are not allowed in the state of the connection', () => {
  const OUT_OF_TURN = {
    'a second CONNECT': '40',
    'an event of a namespace the client is not in': '42/x,["m"]',
  };

  for (const [name, packet] of Object.entries(OUT_OF_TURN)) {
    it(
      `${name} on polling ends the sockets at once and the connection with the next poll`,
      TIMEOUT,
      async () => {
        const { told, sent } = await both(async (host) => {
          const client = await host.polling();
          await host.note('post', client.post(packet));
          await host.note('poll', client.poll());
          await host.closed;
          await host.note('next', client.poll());
        });
        assert.deepEqual(told.slice(1), [
          ['disconnecting', 'forced server close', undefined],
          ['disconnect', 'forced server close', undefined],
          ['close', 'forced close', undefined],
        ]);
        assert.deepEqual(sent, [
          ['post', 200, 'ok'],
          ['poll', 200, '6\x1e1'],
          ['next', ...UNKNOWN],
        ]);
      },
    );

    it(
      `${name} ends sockets and connection at once on a websocket or while a poll waits`,
      TIMEOUT,
      async () => {
        const { told, sent } = await both(async (host) => {
          const client = await host.polling();
          const { answer } = await host.wait(client);
          await host.note('post', client.post(packet));
          await host.note('poll', answer);
          await host.closed;
          const tcp = await host.tcp();
          tcp.socket.write(frame(packet));
          await tcp.until(/^\x88.$/s);
          await host.closed;
          host.sent.push(tcp.data.toString('hex'));
        });
        const end = ['connection', ...ending('forced close', undefined)];
        assert.deepEqual(told, [...end, ...end]);
        assert.deepEqual(sent, [['post', 200, 'ok'], ['poll', 200, '1'], '8800']);
      },
    );
  }
});

describe('clients that send before their CONNECT is answered', () => {
  for (const packet of ['42["m"]', '41', '431[1]', '4x']) {
    it(
      `${packet} in one body with CONNECT closes the connection before a socket connects`,
      TIMEOUT,
      async () => {
        for (const waits of [false, true]) {
          const { told, sent } = await both(async (host) => {
            const client = await host.open();
            const { answer } = waits ? await host.wait(client) : { answer: undefined };
            await host.note('post', client.post(`40\x1e${packet}`));
            await host.note('poll', answer ?? client.poll());
            await host.note('next', client.poll());
          });
          assert.deepEqual(told, []);
          const last = waits ? '1' : '6\x1e1';
          assert.deepEqual(sent, [
            ['post', 200, 'ok'],
            ['poll', 200, last],
            ['next', ...UNKNOWN],
          ]);
        }
      },
    );

    it(
      `${packet} while middleware is still running closes the connection before a socket connects`,
      TIMEOUT,
      async () => {
        for (const waits of [false, true]) {
          const { told, sent } = await both(async (host) => {
            // Has Node serve the requests: Rust responds before JavaScript knows of a message.
            host.io.engine.use((req, res, goOn) => goOn());
            let next;
            const seen = new Promise((resolve) => {
              host.io.use((socket, goOn) => {
                next = goOn;
                resolve();
              });
            });
            const client = await host.open();
            await host.note('post', client.post('40'));
            await seen;
            const { answer } = waits ? await host.wait(client) : { answer: undefined };
            await host.note('post', client.post(packet));
            next();
            await host.note('poll', answer ?? client.poll());
            await host.note('next', client.poll());
          });
          assert.deepEqual(told, []);
          const last = waits ? '1' : '6\x1e1';
          assert.deepEqual(sent.slice(2), [
            ['poll', 200, last],
            ['next', ...UNKNOWN],
          ]);
        }
      },
    );

    it(
      `${packet} right after CONNECT on a websocket closes the connection before a socket connects`,
      TIMEOUT,
      async () => {
        const { told, sent } = await both(async (host) => {
          const seen = new Promise((resolve) => {
            host.io.of('/looked').use((socket, next) => {
              next();
              resolve();
            });
          });
          for (const namespace of ['', '/looked,']) {
            const client = new RawTcp(host.port);
            host.clients.push(client);
            await client.opened();
            client.socket.write(upgradeRequest());
            await client.until(/"maxPayload":\d+}/);
            client.data = Buffer.alloc(0);
            const early = packet.replace(/^4(\d)/, `4$1${namespace}`);
            client.socket.write(Buffer.concat([frame(`40${namespace}`), frame(early)]));
            await client.until(/^\x88.$/s);
            host.sent.push(client.data.toString('hex'));
          }
          // Middleware sees it all the same.
          await seen;
        });
        assert.deepEqual(told, []);
        assert.deepEqual(sent, ['8800', '8800']);
      },
    );
  }

  for (const eio of [3, 4]) {
    it(
      `a polling client of Engine.IO ${eio} that leaves while middleware is still running never connects`,
      TIMEOUT,
      async () => {
        for (const [name, leave] of Object.entries({
          'a close packet': async (host, client) => client.post(host.body('1')),
          'an aborted poll': async (host, client) => {
            const { answer } = await host.wait(client);
            client.pending.destroy();
            await answer;
          },
          'no packet': async (host, client) => client.post('x'),
        })) {
          const { told } = await both(
            async (host) => {
              let next;
              const seen = new Promise((resolve) => {
                host.io.use((socket, goOn) => {
                  next = goOn;
                  resolve();
                });
              });
              const client = await host.open();
              if (eio === 4) await client.post('40');
              await seen;
              await leave(host, client);
              // The session is gone, so the middleware's answer comes too late.
              await reach(async () => (await client.poll()).status !== 200);
              next();
              // Whoever connects now is told after it, had it been let in.
              await new RawPolling(host.port, { eio, poll: false }).opened();
            },
            { eio },
          );
          assert.deepEqual(told, [], name);
        }
      },
    );
  }
});

describe('how websockets end', () => {
  const first = (byte, payload) => {
    const bytes = frame(Buffer.from(payload));
    bytes[0] = byte;
    return bytes;
  };
  const code = (number, ...more) => Buffer.from([number >> 8, number & 0xff, ...more]);
  const INVALID = 'RangeError: Invalid WebSocket frame: ';
  const FRAMES = [
    [`${INVALID}MASK must be set`, Buffer.from([0x81, 1, 0x78])],
    [`${INVALID}RSV1 must be clear`, first(0xc1, 'x')],
    [`${INVALID}RSV1 must be clear`, first(0xc9, 'x')],
    [`${INVALID}RSV2 and RSV3 must be clear`, first(0xa1, 'x')],
    [`${INVALID}RSV2 and RSV3 must be clear`, first(0xd1, 'x')],
    [`${INVALID}invalid opcode 3`, first(0x83, 'x')],
    [`${INVALID}invalid opcode 15`, first(0x8f, '')],
    [`${INVALID}invalid opcode 0`, first(0x80, 'x')],
    [`${INVALID}invalid opcode 1`, Buffer.concat([first(0x01, 'x'), first(0x81, 'x')])],
    [`${INVALID}invalid opcode 2`, Buffer.concat([first(0x02, 'x'), first(0x82, 'x')])],
    [`${INVALID}FIN must be set`, first(0x09, 'x')],
    [`${INVALID}invalid payload length 126`, first(0x89, Buffer.alloc(126))],
    [`${INVALID}invalid payload length 1`, first(0x88, 'x')],
    [`${INVALID}invalid status code 1005`, first(0x88, code(1005))],
    [`${INVALID}invalid status code 999`, first(0x88, code(999))],
    [`${INVALID}invalid status code 65535`, first(0x88, code(65_535))],
    ['Error: Invalid WebSocket frame: invalid UTF-8 sequence', first(0x81, [0x34, 0xff])],
    ['Error: Invalid WebSocket frame: invalid UTF-8 sequence', first(0x88, code(1000, 0xff))],
    ['RangeError: Max payload size exceeded', first(0x81, Buffer.alloc(2000, 'x'))],
    [
      'RangeError: Max payload size exceeded',
      Buffer.concat([first(0x01, Buffer.alloc(600)), first(0x80, Buffer.alloc(600))]),
    ],
    [
      'RangeError: Unsupported WebSocket frame: payload length > 2^53 - 1',
      Buffer.from([0x82, 0xff, 0, 0x20, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]),
    ],
  ];

  it(
    'a websocket that sends an invalid frame ends with the error message of ws in its details',
    TIMEOUT,
    async () => {
      for (const eio of [3, 4]) {
        for (const [message, bytes] of FRAMES) {
          const { told } = await both(
            async (host) => {
              const tcp = await host.tcp();
              tcp.socket.write(bytes);
              await Promise.all([host.closed, tcp.ended]);
              host.sent.push(tcp.data.toString('hex'));
            },
            { eio },
          );
          assert.deepEqual(told.slice(1), ending(...FAULT(message)));
        }
      }
    },
  );

  it(
    'a websocket that its client closes gets the close code and reason back',
    TIMEOUT,
    async () => {
      for (const payload of ['', code(1000), code(3000, ...Buffer.from('why')), code(1014)]) {
        const { told, sent } = await both(async (host) => {
          const tcp = await host.tcp();
          tcp.socket.write(first(0x88, payload));
          await Promise.all([host.closed, tcp.ended]);
          host.sent.push(tcp.data.subarray(2).toString('hex'));
        });
        assert.deepEqual(told.slice(1), ending('transport close', undefined));
        assert.deepEqual(sent, [Buffer.from(payload).toString('hex')]);
      }
    },
  );

  it('a websocket whose stream ends without a close frame gets none back', TIMEOUT, async () => {
    for (const bytes of [Buffer.alloc(0), Buffer.from([0x81, 0x85, 1])]) {
      const { told, sent } = await both(async (host) => {
        const tcp = await host.tcp();
        tcp.socket.end(bytes);
        await Promise.all([host.closed, tcp.ended]);
        host.sent.push(tcp.data.toString('hex'));
      });
      assert.deepEqual(told.slice(1), ending('transport close', undefined));
      assert.deepEqual(sent, ['']);
    }
  });

  it('packets that a client has no reason to send are ignored', TIMEOUT, async () => {
    for (const [eio, packets] of [
      [4, ['0', '0{}', '5', '5x', '6', '6x']],
      [3, ['0', '5x', '6', Buffer.from([5, 1]), Buffer.from([9]), Buffer.alloc(0)]],
    ]) {
      const { sent } = await both(
        async (host) => {
          host.io.on('connection', (socket) => socket.on('echo', (done) => done('here')));
          const raw = new RawWebsocket(host.port, { eio });
          host.clients.push(raw);
          await raw.opened();
          await raw.join();
          packets.forEach((packet) => raw.ws.send(packet));
          // Without an id, or without arguments, an acknowledgement is for nobody.
          ['43[1]', '43', '430'].forEach((packet) => raw.ws.send(packet));
          host.sent.push(await raw.call('echo'));
          raw.ws.close();
          await host.closed;
        },
        { eio },
      );
      assert.deepEqual(sent, [['here']]);
    }
  });
});

describe('sessions that are being closed', () => {
  for (const [what, joins] of [
    ['that has never joined a namespace', false],
    ['that the server has disconnected', true],
  ]) {
    it(
      `the session of a polling client ${what} and is gone ends with its heartbeat`,
      TIMEOUT,
      async (t) => {
        const options = { pingInterval: 300, pingTimeout: 300, connectTimeout: 500 };
        const host = new Host(Server, 4, options);
        await host.listen();
        t.after(() => host.io.close());
        const ended = once(host.io.engine, 'connection').then(([conn]) => once(conn, 'close'));
        const url = `http://127.0.0.1:${host.port}/socket.io/?EIO=4&transport=polling`;
        const { sid } = JSON.parse((await (await fetch(url)).text()).slice(1));
        if (joins) {
          await fetch(`${url}&sid=${sid}`, { method: 'POST', body: '40' });
          await reach(() => host.socket !== undefined);
          host.socket.disconnect(true);
        }
        await ended;
        assert.equal(host.io.engine.clientsCount, 0);
      },
    );
  }
});
