'use strict';

// Long polling, and the way from it to a websocket.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const http = require('node:http');
const { describe, it } = require('node:test');
const socketio = require('socket.io');
const { WebSocket } = require('ws');
const { Server } = require('../..');
const { RawPolling, encode } = require('../support/raw');
const { CLIENTS, TIMEOUT, ending, happens, served, upgraded } = require('../support/native-server');

/**
 * A client in the default namespace that polls when the test says so: what it was welcomed with has been taken.
 *
 * @param {import('../support/native-server').World} world
 * @param {3 | 4} eio
 * @returns {Promise<RawPolling>} with `socket`, the server's socket
 */
async function joined(world, eio) {
  const connected = once(world.io, 'connection');
  const raw = await world.polling({ eio, poll: false, join: false });
  if (eio === 4) await raw.post('40');
  [raw.socket] = await connected;
  assert.match(String((await raw.poll()).body), /40/);
  return raw;
}

describe('long polling', () => {
  it(
    'a client that aborts a poll loses its connection',
    TIMEOUT,
    served({}, async (world) => {
      for (const eio of [3, 4]) {
        const raw = await joined(world, eio);
        const ended = ending(raw.socket);
        const asked = once(world.httpServer, 'request');
        const poll = raw.poll().catch((error) => error.code);
        await asked;
        raw.pending.destroy();
        assert.equal(await poll, 'ECONNRESET');
        assert.equal((await ended)[0], 'transport error');
        assert.equal((await raw.poll()).status, 400);
      }
    }),
  );

  it(
    'a client that sends two polls at once loses its connection',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.polling();
      const ended = ending(raw.socket);
      const second = await raw.poll();
      assert.equal((await ended)[0], 'transport error');
      assert.notEqual(second.status, 200);
    }),
  );

  it(
    'a polling client that sends a close packet ends its connection',
    TIMEOUT,
    served({}, async (world) => {
      for (const eio of [3, 4]) {
        const raw = await world.polling({ eio });
        const ended = ending(raw.socket);
        await raw.post(eio === 3 ? '1:1' : '1');
        assert.equal((await ended)[0], 'transport close');
        await raw.closed;
      }
    }),
  );

  it(
    'a client that posts an invalid payload loses its own connection only',
    TIMEOUT,
    served({}, async (world) => {
      for (const [eio, payload, type] of [
        [4, 'x'],
        [4, ''.padEnd(100, '\x1e')],
        [4, Buffer.from([0x34, 0x32, 0xff, 0xfe])],
        [3, '99:42["m"]'],
        [3, 'x:42["m"]'],
        [3, '1'],
        [3, '4:4"é"x'],
        // Ends amid a surrogate pair.
        [3, '1:😀1:2'],
        [3, Buffer.from([1, 9, 9, 255, 4, 1]), 'application/octet-stream'],
        [3, Buffer.from([7, 1, 255, 4]), 'application/octet-stream'],
        [3, Buffer.from([0, 255, 4]), 'application/octet-stream'],
      ]) {
        const raw = await world.polling({ eio });
        const ended = ending(raw.socket);
        await raw.post(payload, type);
        assert.match(
          (await ended)[0],
          /^(parse error|transport error|forced close)$/,
          JSON.stringify(payload),
        );
        await raw.closed;
      }
      assert.equal(await world.isAlive(), 'yes');
    }),
  );

  it(
    'a POST with the session id of a websocket is refused and the websocket goes on',
    TIMEOUT,
    served({}, async (world) => {
      for (const eio of [3, 4]) {
        const url = `127.0.0.1:${world.port}/socket.io/?EIO=${eio}&transport=websocket`;
        const connected = once(world.io, 'connection');
        const ws = new WebSocket(`ws://${url}`);
        let sid;
        // What a client sends before it is told that it has joined ends its connection.
        const joined = new Promise((resolve) => {
          ws.on('message', (data) => {
            const text = String(data);
            if (text[0] === '0') {
              ({ sid } = JSON.parse(text.slice(1)));
              if (eio === 4) ws.send('40');
            } else if (text.startsWith('40')) {
              resolve();
            }
          });
        });
        const [[socket]] = await Promise.all([connected, joined]);
        const events = [];
        socket.on('posted', () => events.push('posted'));
        const sent = new Promise((resolve) => socket.once('sent', resolve));
        for (const body of [eio === 4 ? '42["posted"]' : '12:42["posted"]', 'x']) {
          const response = await fetch(`http://${url}&sid=${sid}`, { method: 'POST', body });
          assert.equal(response.status, 400);
          assert.equal((await response.json()).message, 'Bad request');
        }
        ws.send('42["sent"]');
        await sent;
        assert.deepEqual(events, []);
        const ended = ending(socket);
        ws.close();
        assert.equal((await ended)[0], 'transport close');
      }
    }),
  );

  it(
    'calls that are posted together are answered before the POST is, so that the next ones are, too',
    TIMEOUT,
    served({}, async (world) => {
      for (const eio of [3, 4]) {
        const raw = await joined(world, eio);
        raw.socket.on('double', (value, answer) => answer(2 * value));
        for (let round = 0; round < 20; round++) {
          const order = [];
          const note = (name) => (response) => {
            order.push(name);
            return String(response.body);
          };
          const calls = [`42${2 * round}["double",1]`, `42${2 * round + 1}["double",2]`];
          const [answers, accepted] = await Promise.all([
            raw.poll().then(note('answers')),
            raw.post(encode(eio, ...calls)).then(note('accepted')),
          ]);
          assert.ok(
            answers.includes(`43${2 * round}[2]`) && answers.includes(`43${2 * round + 1}[4]`),
          );
          assert.equal(accepted, 'ok');
          assert.deepEqual(order, ['answers', 'accepted']);
        }
      }
    }),
  );

  it(
    'a POST that is overtaken by the upgrade of its session is accepted and its packets are received',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.polling();
      const received = once(raw.socket, 'sent before');
      const packet = '42["sent before",1]';
      const { socket } = await world.tcp();
      const head = [
        `POST ${raw.path}&transport=polling&sid=${raw.sid} HTTP/1.1`,
        'Host: x',
        'Connection: close',
        `Content-Length: ${packet.length}`,
      ];
      socket.write(`${head.join('\r\n')}\r\n\r\n${packet.slice(0, 5)}`);
      // The server reads this before the three steps of the upgrade.
      const ws = new WebSocket(
        `ws://127.0.0.1:${world.port}${raw.path}&transport=websocket&sid=${raw.sid}`,
      );
      await once(ws, 'open');
      ws.send('2probe');
      await once(ws, 'message');
      ws.send('5');
      await once(raw.socket.conn, 'upgrade');
      socket.write(packet.slice(5));
      const response = await socket.toArray();
      assert.match(String(Buffer.concat(response)), /^HTTP\/1.1 200 OK[^]*ok$/);
      assert.deepEqual(await received, [1]);
      ws.terminate();
    }),
  );

  it(
    'a large POST that waits for middleware is answered when the middleware is done',
    TIMEOUT,
    served({}, async (world) => {
      const asked = new Promise((resolve) => {
        world.io.use((socket, next) => (socket.conn.protocol === 3 ? resolve(next) : next()));
      });
      const raw = await world.polling({ eio: 3, join: false });
      const next = await asked;
      const order = [];
      const packet = `42["m","${'x'.repeat(100_000)}"]`;
      const accepted = raw.send(packet).then(() => order.push('accepted'));
      assert.equal(await world.isAlive(), 'yes');
      order.push('others are served');
      next();
      await accepted;
      assert.deepEqual(order, ['others are served', 'accepted']);
    }),
  );

  it(
    'a client that leaves with a POST that waits for middleware, behind a request of the application, loses its connection',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await joined(world, 4);
      const ended = ending(raw.socket);
      const asked = new Promise((resolve) => {
        world.io.engine.use((req, res, next) =>
          req.method === 'POST' ? resolve({ req, next }) : next(),
        );
      });
      const leaving = await world.tcp();
      leaving.socket.write(
        `GET /slow HTTP/1.1\r\nHost: a\r\n\r\n` +
          `POST ${raw.path}&transport=polling&sid=${raw.sid} HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n42["a"`,
      );
      const { req, next } = await asked;
      const closed = once(req.socket, 'close');
      leaving.terminate();
      await closed;
      next();
      assert.equal((await ended)[0], 'transport error');
      assert.equal(world.io._front.receiving.size, 0);
    }),
  );

  it(
    'a client that leaves after a whole POST keeps its connection and gets the answers',
    TIMEOUT,
    served({}, async (world) => {
      for (const eio of [3, 4]) {
        const raw = await joined(world, eio);
        raw.socket.on('double', (value, answer) => answer(2 * value));
        const body = encode(eio, '420["double",1]', '421["double",2]');
        const poster = await world.tcp();
        poster.socket.end(
          `POST ${raw.path}&transport=polling&sid=${raw.sid} HTTP/1.1\r\nHost: a\r\n` +
            `Content-Type: text/plain;charset=UTF-8\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        );
        await poster.ended;
        const { status, body: answers } = await raw.poll();
        assert.equal(status, 200);
        assert.match(String(answers), /430\[2\].*431\[4\]/s);
        assert.ok(raw.socket.connected);
      }
    }),
  );

  it(
    'a POST whose packets end the connection, or the server, is answered',
    TIMEOUT,
    served({}, async (world) => {
      for (const [end, eio] of [
        ['client', 3],
        ['client', 4],
        ['server', 4],
      ]) {
        const raw = await world.polling({ eio });
        raw.socket.on('end', () => {
          if (end === 'client') raw.socket.disconnect(true);
          else void world.io.close();
        });
        const { status, body } = await raw.post(encode(eio, '42["m"]', '42["end"]', '42["m"]'));
        assert.deepEqual([status, String(body)], [200, 'ok']);
        await raw.closed;
      }
    }),
  );

  it('volatile packets are dropped unless a poll is waiting', TIMEOUT, async () => {
    for (const eio of [3, 4]) {
      const heard = [];
      for (const Kind of [socketio.Server, Server]) {
        const httpServer = http.createServer();
        const io = new Kind(httpServer, { allowEIO3: true });
        httpServer.listen(0, '127.0.0.1');
        await once(httpServer, 'listening');
        const connected = once(io, 'connection');
        const raw = new RawPolling(httpServer.address().port, { eio, poll: false });
        await raw.opened();
        if (eio === 4) await raw.post('40');
        const [socket] = await connected;
        socket.join('room');
        // The welcome.
        await raw.poll();
        // In the order in which they are carried out: the last tells that the others were.
        const created = new Promise((resolve) => {
          socket.conn.on('packetCreate', ({ data }) => data?.includes('"told",2') && resolve());
        });
        socket.volatile.emit('v', 'socket');
        io.volatile.emit('v', 'namespace');
        io.to('room').volatile.emit('v', 'room');
        io.local.volatile.emit('v', Buffer.from('binary'));
        socket.emit('told', 1);
        socket.volatile.emit('v', 'behind');
        socket.emit('told', 2);
        await created;
        heard.push(String((await raw.poll()).body));
        for (const volatile of [socket.volatile, io.volatile, io.to('room').volatile]) {
          const asked = once(httpServer, 'request');
          const answer = raw.poll();
          await asked;
          volatile.emit('v', 'waited for');
          heard.push(String((await answer).body));
        }
        raw.terminate();
        await io.close();
      }
      assert.match(heard[0], /^(?:\d+:)?42\["told",1\](?:\W|\d+:)42\["told",2\]$/);
      assert.match(heard[1], /^(?:\d+:)?42\["v","waited for"\]$/);
      assert.deepEqual(heard.slice(4), heard.slice(0, 4));
    }
  });

  it(
    'several packets of one POST are received in order, and one poll may return several',
    TIMEOUT,
    served({}, async (world) => {
      for (const eio of [3, 4]) {
        const raw = await world.polling({ eio });
        const seen = [];
        raw.socket.on('n', (n) => seen.push(n));
        raw.socket.on('last', (done) => done(seen));
        const packets = Array.from({ length: 300 }, (_, n) => `42["n",${n},"ü✓😀"]`);
        const answer = raw.packet('30[');
        await raw.post(encode(eio, ...packets, '420["last"]'));
        const numbers = Array.from({ length: 300 }, (_, n) => n);
        assert.deepEqual(JSON.parse((await answer).slice(3)), [numbers]);
      }
    }),
  );
});

describe('upgrades from polling to websocket', () => {
  for (const version of CLIENTS) {
    it(
      `an upgrade keeps the order of messages in both directions with client ${version}`,
      TIMEOUT,
      served({}, async (world) => {
        const TOTAL = 3000;
        const here = [];
        const there = [];
        const connected = once(world.io, 'connection');
        const client = world.client(version, { transports: ['polling', 'websocket'] });
        const allThere = new Promise((resolve) => {
          client.on('n', (n) => there.push(n) === TOTAL && resolve());
        });
        const [socket] = await connected;
        const allHere = new Promise((resolve) => {
          socket.on('n', (n) => here.push(n) === TOTAL && resolve());
        });
        await (client.connected || happens(client, 'connect'));
        const order = Array.from({ length: TOTAL }, (_, n) => n);
        let isUpgraded = false;
        upgraded(client).then(() => (isUpgraded = true));
        let sentAfter = 0;
        for (const n of order) {
          client.emit('n', n);
          socket.emit('n', n);
          if (isUpgraded) sentAfter += 1;
          // Half of the traffic is before the upgrade is done, half of it after.
          if (n === TOTAL / 2) await upgraded(client);
          else if (n % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
        await Promise.all([allHere, allThere]);
        assert.deepEqual(here, order);
        assert.deepEqual(there, order);
        assert.ok(sentAfter > 0);
        assert.equal(client.io.engine.transport.name, 'websocket');
        assert.equal(socket.connected, true);
      }),
    );
  }

  const probe = async (world, raw) => {
    const query = `EIO=${raw.eio}&transport=websocket&sid=${raw.sid}`;
    const ws = new WebSocket(`ws://127.0.0.1:${world.port}/socket.io/?${query}`);
    await once(ws, 'open');
    return ws;
  };

  it(
    'a client may go on polling until its upgrade is done',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.polling();
      raw.socket.on('echo', (value, done) => done(value));
      const ws = await probe(world, raw);
      ws.send('2probe');
      assert.equal(String((await once(ws, 'message'))[0]), '3probe');
      assert.deepEqual(await raw.call('echo', 1), [1]);
      // A client that leaves polling waits for its poll, which is answered with nothing for that.
      raw.isPolling = false;
      assert.equal(await raw.received.next((packet) => packet === '6'), '6');
      await raw.send('421["echo",2]');
      const answer = once(ws, 'message');
      ws.send('5');
      assert.equal(String((await answer)[0]), '431[2]');
      const ended = ending(raw.socket);
      ws.close();
      assert.equal((await ended)[0], 'transport close');
    }),
  );

  it(
    'an unfinished upgrade ends at upgradeTimeout and polling goes on',
    TIMEOUT,
    served({ upgradeTimeout: 50 }, async (world) => {
      const raw = await world.polling();
      raw.socket.on('echo', (value, done) => done(value));
      for (const first of ['2probe', undefined]) {
        const ws = await probe(world, raw);
        const closed = once(ws, 'close');
        if (first !== undefined) ws.send(first);
        await closed;
        assert.deepEqual(await raw.call('echo', 1), [1]);
      }
    }),
  );

  it(
    'an upgrade that sends invalid packets or disconnects ends and polling goes on',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.polling();
      raw.socket.on('echo', (value, done) => done(value));
      for (const nonsense of [
        ['42["m"]'],
        ['x'],
        [''],
        ['2probe', '4'],
        ['x'.repeat(200)],
        [Buffer.from('2probe')],
      ]) {
        const ws = await probe(world, raw);
        const closed = once(ws, 'close');
        nonsense.forEach((frame) => ws.send(frame));
        await closed;
        assert.deepEqual(await raw.call('echo', nonsense.length), [nonsense.length]);
      }
      const left = await probe(world, raw);
      left.terminate();
      assert.deepEqual(await raw.call('echo', 0), [0]);
    }),
  );

  it(
    'a second websocket for a session that is upgrading is closed and the first upgrade goes on',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.polling();
      raw.socket.on('echo', (value, done) => done(value));
      const first = await probe(world, raw);
      first.send('2probe');
      await once(first, 'message');
      const second = await probe(world, raw);
      second.send('2probe');
      second.send('5');
      await once(second, 'close');
      raw.isPolling = false;
      await raw.received.next((packet) => packet === '6');
      first.send('5');
      first.send('420["echo",1]');
      assert.equal(String((await once(first, 'message'))[0]), '430[1]');
      const third = await probe(world, raw);
      await once(third, 'close');
      assert.equal((await raw.poll()).status, 400);
      first.send('421["echo",2]');
      assert.equal(String((await once(first, 'message'))[0]), '431[2]');
      const ended = ending(raw.socket);
      first.terminate();
      assert.equal((await ended)[0], 'transport close');
    }),
  );

  it(
    'pings of a websocket are answered before its upgrade is done',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.polling();
      const ws = await probe(world, raw);
      ws.ping('are you there');
      assert.equal(String((await once(ws, 'pong'))[0]), 'are you there');
      ws.pong();
      ws.send('2probe');
      await once(ws, 'message');
      ws.close();
      await once(ws, 'close');
    }),
  );
});
