'use strict';

// The cases of the protocols' own test suites (Engine.IO 3 and 4, Socket.IO 4 and 5), on a port and
// attached to an http.Server. Those suites are in the repository of Socket.IO; these are their promises.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const http = require('node:http');
const { describe, it } = require('node:test');
const { WebSocket } = require('ws');
const { Server } = require('../..');
const { RawPolling, RawWebsocket, encode } = require('../support/raw');
const { TIMEOUT } = require('../support/native-server');
const { reach } = require('../support/waiting');

const OPTIONS = { pingInterval: 60, pingTimeout: 40, maxHttpBufferSize: 1_000_000 };
const BINARY = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}';

/** The application of the suites. */
function application(io) {
  const connected = (socket) => {
    socket.emit('auth', socket.handshake.auth);
    socket.on('message', (...args) => socket.emit('message-back', ...args));
    socket.on('message-with-ack', (...args) => args.pop()(...args));
    socket.on('ask', (...args) => {
      socket.emit('asked', ...args, (...answer) => socket.emit('answered', ...answer));
    });
  };
  io.on('connection', connected);
  io.of('/custom').on('connection', connected);
}

/** A server with that application, and clients of one version for it. */
class Suite {
  clients = [];

  constructor(how, eio, options) {
    this.eio = eio;
    const all = { ...OPTIONS, allowEIO3: eio === 3, ...options };
    if (how === 'attached') {
      this.httpServer = http.createServer((req, res) => res.end('the application'));
      this.io = new Server(this.httpServer, all);
      this.httpServer.listen(0, '127.0.0.1');
    } else {
      this.io = new Server(all);
      this.io.listen(0);
      this.httpServer = this.io.httpServer;
    }
    application(this.io);
  }

  async listen() {
    if (!this.httpServer.listening) await once(this.httpServer, 'listening');
    this.port = this.httpServer.address().port;
    this.url = `http://127.0.0.1:${this.port}/socket.io/`;
  }

  /** A client of long polling that polls when it is told to. */
  async polling(options) {
    const client = new RawPolling(this.port, { eio: this.eio, poll: false, ...options });
    this.clients.push(client);
    await client.opened();
    return client;
  }

  /** One in the default namespace that has fetched what it was told. */
  async joined(options) {
    const client = await this.polling(options);
    if (this.eio === 4) await client.post('40');
    const { body } = await client.poll();
    assert.match(String(body), /40.*42\["auth",\{\}\]$/s);
    return client;
  }

  /** A websocket. */
  async websocket({ isSilent = false } = {}) {
    const client = new RawWebsocket(this.port, { eio: this.eio });
    this.clients.push(client);
    if (isSilent) client.ws.send = () => {};
    await client.opened();
    return client;
  }

  /** One in the default namespace that has been told that it is. */
  async socket() {
    const client = await this.websocket();
    client.ws.binaryType = 'nodebuffer';
    await client.join();
    await client.packet('2["auth"');
    return client;
  }

  /** A websocket of a session of long polling. */
  async probe({ sid }) {
    const query = `EIO=${this.eio}&transport=websocket&sid=${sid}`;
    const ws = new WebSocket(`ws://127.0.0.1:${this.port}/socket.io/?${query}`);
    ws.on('error', () => {});
    this.clients.push({ terminate: () => ws.terminate() });
    await Promise.race([once(ws, 'open'), once(ws, 'close')]);
    return ws;
  }

  /** Whether a websocket with this query is refused. */
  async isRefused(query) {
    const ws = new WebSocket(`ws://127.0.0.1:${this.port}/socket.io/?${query}`);
    const [error] = await once(ws, 'error');
    return /Unexpected server response: 400/.test(error.message);
  }

  /** Packets as a body. */
  body(...packets) {
    return encode(this.eio, ...packets);
  }

  async close() {
    this.clients.forEach((client) => client.terminate());
    await this.io.close();
  }
}

for (const how of ['on a port', 'attached']) {
  const played = (eio, test, options) => async () => {
    const suite = new Suite(how, eio, options);
    await suite.listen();
    try {
      await test(suite);
    } finally {
      await suite.close();
    }
  };
  const slow = { pingInterval: 25_000, pingTimeout: 20_000 };

  for (const eio of [3, 4]) {
    const noop = eio === 4 ? '6' : '1:6';
    const hasKeys = (open, upgrades) => {
      const { sid, ...rest } = open;
      assert.equal(typeof sid, 'string');
      assert.deepEqual(rest, {
        upgrades,
        pingInterval: 60,
        pingTimeout: 40,
        maxPayload: 1_000_000,
      });
    };

    describe(`Engine.IO ${eio} ${how}`, TIMEOUT, () => {
      it(
        'a client opens a session by long polling and by websocket',
        played(eio, async (suite) => {
          hasKeys((await suite.polling()).open, ['websocket']);
          hasKeys((await suite.websocket()).open, []);
        }),
      );

      it(
        'an unknown transport and a wrong HTTP method are refused',
        played(eio, async (suite) => {
          for (const query of [`EIO=${eio}`, `EIO=${eio}&transport=abc`]) {
            assert.equal((await fetch(`${suite.url}?${query}`)).status, 400);
            assert.ok(await suite.isRefused(query));
          }
          for (const method of ['POST', 'PUT']) {
            const url = `${suite.url}?EIO=${eio}&transport=polling`;
            assert.equal((await fetch(url, { method })).status, 400, method);
          }
        }),
      );

      if (eio === 4) {
        it(
          'another protocol version is refused without allowEIO3',
          played(eio, async (suite) => {
            for (const transport of ['polling', 'websocket']) {
              for (const version of ['', '&EIO=abc']) {
                const query = `transport=${transport}${version}`;
                if (transport === 'websocket') assert.ok(await suite.isRefused(query));
                else assert.equal((await fetch(`${suite.url}?${query}`)).status, 400);
              }
            }
          }),
        );
      }

      it(
        'long polling carries one or several text and binary packets',
        played(
          eio,
          async (suite) => {
            const client = await suite.joined({ query: 'b64=1&' });
            const event = (...args) => `42${JSON.stringify(['message', ...args])}`;
            const back = (...args) => `42${JSON.stringify(['message-back', ...args])}`;
            const bytes = eio === 4 ? 'bAQIDBA==' : 'b4AQIDBA==';
            const head = (name) => `451-["${name}",{"_placeholder":true,"num":0}]`;
            for (const [packets, answers] of [
              [[event('hello')], [back('hello')]],
              [[1, 2, 3].map((n) => event(n)), [1, 2, 3].map((n) => back(n))],
              [
                [event('hello'), head('message'), bytes],
                [back('hello'), head('message-back'), bytes],
              ],
            ]) {
              const post = await client.post(suite.body(...packets));
              assert.deepEqual([post.status, String(post.body)], [200, 'ok']);
              const poll = await client.poll();
              assert.equal(poll.status, 200);
              assert.equal(String(poll.body), suite.body(...answers));
            }
          },
          slow,
        ),
      );

      if (eio === 3) {
        it(
          'long polling of Engine.IO 3 carries binary payloads',
          played(
            eio,
            async (suite) => {
              const client = await suite.joined();
              const packets = ['451-["message",{"_placeholder":true,"num":0}]', 'b4AQIDBA=='];
              await client.post(suite.body(...packets));
              const { body } = await client.poll();
              const text = '451-["message-back",{"_placeholder":true,"num":0}]';
              const head = [0, ...String(text.length).split('').map(Number), 255];
              const expected = [head, [...Buffer.from(text)], [1, 5, 255, 4, 1, 2, 3, 4]];
              assert.deepEqual([...body], expected.flat());
            },
            slow,
          ),
        );
      }

      it(
        'a websocket carries text and binary packets',
        played(
          eio,
          async (suite) => {
            const client = await suite.socket();
            await client.send('42["message","hello"]');
            assert.equal(await client.packet('2'), '42["message-back","hello"]');
            const bytes = eio === 4 ? [1, 2, 3, 4] : [4, 1, 2, 3, 4];
            await client.send('451-["message",{"_placeholder":true,"num":0}]');
            await client.send(Buffer.from(bytes));
            await client.packet('51-["message-back"');
            assert.deepEqual([...(await client.binary())], bytes);
          },
          slow,
        ),
      );

      it(
        'an invalid packet closes the session',
        played(eio, async (suite) => {
          const client = await suite.polling();
          assert.equal((await client.post('abc')).status, 400);
          assert.equal((await client.poll()).status, 400);
          const websocket = await suite.websocket();
          websocket.ws.send('abc');
          await websocket.closed;
        }),
      );

      it(
        'two concurrent polls or an aborted one close the session',
        played(
          eio,
          async (suite) => {
            for (const isBrokenOff of [false, true]) {
              const client = await suite.joined();
              const asked = once(suite.httpServer, 'request');
              const first = client.poll().catch((error) => error.code);
              await asked;
              if (isBrokenOff) {
                const ended = new Promise((resolve) => {
                  const [socket] = suite.io.sockets.sockets.values();
                  socket.conn.once('close', resolve);
                });
                client.pending.destroy();
                assert.equal(await first, 'ECONNRESET');
                await ended;
              } else {
                assert.equal((await client.poll()).status, 400);
                const { status, body } = await first;
                assert.deepEqual([status, String(body)], [200, eio === 4 ? '1' : '1:1']);
              }
              assert.equal((await client.poll()).status, 400);
            }
          },
          slow,
        ),
      );

      it(
        'a session stays open while its client keeps up the heartbeat',
        played(
          eio,
          async (suite) => {
            const client = eio === 4 ? await suite.polling() : await suite.joined();
            const websocket = await suite.websocket();
            for (let beats = 0; beats < 3; beats++) {
              if (eio === 4) {
                assert.equal(String((await client.poll()).body), '2');
                assert.equal((await client.post('3')).status, 200);
                assert.equal(await websocket.received.next((item) => item === '2'), '2');
              } else {
                assert.equal((await client.post('1:2')).status, 200);
                assert.equal(String((await client.poll()).body), '1:3');
                websocket.ws.send('2');
                await websocket.received.next((item) => item === '3');
              }
            }
          },
          // Long enough for a busy machine.
          { pingTimeout: 10_000 },
        ),
      );

      it(
        'a session whose client sends no heartbeat is closed',
        played(eio, async (suite) => {
          const websocket = await suite.websocket({ isSilent: true });
          await websocket.closed;
          const client = await suite.polling();
          let last;
          await reach(async () => {
            last = await client.poll();
            return last.status !== 200;
          });
          assert.equal(last.status, 400);
        }),
      );

      it(
        'a client closes its session with a close packet',
        played(
          eio,
          async (suite) => {
            const client = await suite.joined();
            const asked = once(suite.httpServer, 'request');
            const poll = client.poll();
            await asked;
            const post = await client.post(suite.body('1'));
            assert.equal(post.status, 200);
            assert.deepEqual([(await poll).status, String((await poll).body)], [200, noop]);
            assert.equal((await client.poll()).status, 400);
            const websocket = await suite.websocket();
            websocket.ws.send('1');
            await websocket.closed;
          },
          slow,
        ),
      );

      it(
        'an upgraded session accepts no other transport',
        played(
          eio,
          async (suite) => {
            const client = await suite.joined();
            const ws = await suite.probe(client);
            ws.send('2probe');
            assert.equal(String((await once(ws, 'message'))[0]), '3probe');
            const poll = await client.poll();
            assert.deepEqual([poll.status, String(poll.body)], [200, noop]);
            ws.send('5');
            // Right behind it: the websocket is read first.
            assert.equal((await client.poll()).status, 400);
            const other = await suite.probe(client);
            if (other.readyState !== WebSocket.CLOSED) await once(other, 'close');
            const answer = once(ws, 'message');
            ws.send('42["message","moved"]');
            assert.equal(String((await answer)[0]), '42["message-back","moved"]');
          },
          slow,
        ),
      );
    });
  }

  for (const [protocol, eio] of [
    [4, 3],
    [5, 4],
  ]) {
    describe(`Socket.IO ${protocol} ${how}`, TIMEOUT, () => {
      const calm = (test, options) => played(eio, test, { ...slow, ...options });

      it(
        'a client joins the default namespace',
        calm(async (suite) => {
          for (const auth of eio === 3 ? [undefined] : [undefined, '{"token":"123"}']) {
            const client = await suite.websocket();
            if (eio === 4) await client.send(`40${auth ?? ''}`);
            const welcome = await client.packet('0');
            if (eio === 3) assert.equal(welcome, '40');
            else assert.deepEqual(Object.keys(JSON.parse(welcome.slice(2))), ['sid']);
            assert.equal(await client.packet('2'), `42["auth",${auth ?? '{}'}]`);
          }
        }),
      );

      it(
        'a client joins a namespace that exists and is refused one that does not',
        calm(async (suite) => {
          for (const auth of eio === 3 ? [undefined] : [undefined, '{"token":"abc"}']) {
            const client = await suite.websocket();
            await client.send(`40/custom,${auth ?? ''}`);
            const welcome = await client.packet('0/custom');
            if (eio === 4) assert.deepEqual(Object.keys(JSON.parse(welcome.slice(10))), ['sid']);
            assert.equal(await client.packet('2/custom'), `42/custom,["auth",${auth ?? '{}'}]`);
            await client.send('40/random');
            const refusal = '44/random,{"message":"Invalid namespace"}';
            assert.equal(await client.packet('4/random'), refusal);
          }
        }),
      );

      it(
        'an invalid packet closes the connection before and after CONNECT',
        calm(async (suite) => {
          const early = await suite.websocket();
          await early.send('4abc');
          await early.closed;
          for (const packet of ['4abc', '42{}', '42abc["message-with-ack",1,"2",{"3":[false]}]']) {
            const client = await suite.socket();
            await client.send(packet);
            await client.closed;
          }
        }),
      );

      if (eio === 4) {
        it(
          'a connection that joins no namespace is closed',
          calm(
            async (suite) => {
              await (
                await suite.websocket()
              ).closed;
            },
            { connectTimeout: 50 },
          ),
        );
      }

      it(
        'a client may leave a namespace and keep its connection',
        calm(async (suite) => {
          const client = await suite.socket();
          await client.send('40/custom');
          await client.packet('2/custom,["auth"');
          await client.send('41/custom');
          await client.send('42["message","to the default one"]');
          assert.equal(await client.packet('2'), '42["message-back","to the default one"]');
        }),
      );

      it(
        'a client may leave the default namespace and keep its connection',
        played(eio, async (suite) => {
          const client = await suite.socket();
          const gone = new Promise((resolve) => {
            const [socket] = suite.io.sockets.sockets.values();
            socket.once('disconnect', resolve);
          });
          await client.send('41');
          assert.equal(await gone, 'client namespace disconnect');
          if (eio === 3) await client.send('2');
          const beat = eio === 4 ? '2' : '3';
          assert.equal(await client.received.next((item) => item === beat), beat);
        }),
      );

      const bytes =
        eio === 4
          ? [
              [1, 2, 3],
              [4, 5, 6],
            ]
          : [
              [4, 1, 2, 3],
              [4, 4, 5, 6],
            ];
      const sendBytes = (client) => bytes.forEach((list) => client.ws.send(Buffer.from(list)));
      const getsBytes = async (client) => {
        for (const list of bytes) assert.deepEqual([...(await client.binary())], list);
      };

      it(
        'events are carried with and without attachments',
        calm(async (suite) => {
          const client = await suite.socket();
          await client.send('42["message",1,"2",{"3":[true]}]');
          assert.equal(await client.packet('2'), '42["message-back",1,"2",{"3":[true]}]');
          await client.send(`452-["message",${BINARY}]`);
          sendBytes(client);
          assert.equal(await client.packet('5'), `452-["message-back",${BINARY}]`);
          await getsBytes(client);
        }),
      );

      it(
        'the server acknowledges events with and without attachments',
        calm(async (suite) => {
          const client = await suite.socket();
          await client.send('42456["message-with-ack",1,"2",{"3":[false]}]');
          assert.equal(await client.packet('3'), '43456[1,"2",{"3":[false]}]');
          await client.send(`452-789["message-with-ack",${BINARY}]`);
          sendBytes(client);
          assert.equal(await client.packet('6'), `462-789[${BINARY}]`);
          await getsBytes(client);
        }),
      );

      it(
        'the client acknowledges events with and without attachments',
        calm(async (suite) => {
          const client = await suite.socket();
          await client.send('42["ask",1,"2",{"3":[true]}]');
          assert.equal(await client.packet('2'), '420["asked",1,"2",{"3":[true]}]');
          await client.send('430[1,"2",{"3":[true]}]');
          assert.equal(await client.packet('2'), '42["answered",1,"2",{"3":[true]}]');
          await client.send(`452-["ask",${BINARY},"test"]`);
          sendBytes(client);
          assert.equal(await client.packet('5'), `452-1["asked",${BINARY},"test"]`);
          await getsBytes(client);
          await client.send(`462-1[${BINARY},"test"]`);
          sendBytes(client);
          assert.equal(await client.packet('5'), `452-["answered",${BINARY},"test"]`);
          await getsBytes(client);
        }),
      );
    });
  }
}
