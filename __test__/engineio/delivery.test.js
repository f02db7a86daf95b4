'use strict';

// A message is delivered, in its order, or its connection ends with a reason; and of what ended
// nothing stays.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, it } = require('node:test');
const {
  TIMEOUT,
  call,
  ending,
  happens,
  loopbackSocket,
  openFiles,
  reach,
  served,
  upgraded,
} = require('../support/native-server');
const { inChild } = require('../support/child');

describe('delivery in order', () => {
  for (const transport of ['websocket', 'polling']) {
    it(
      `2,000 outstanding calls of one connection are answered in order of completion over ${transport}`,
      TIMEOUT,
      served({}, async (world) => {
        const instance = loopbackSocket();
        const waiting = [];
        instance.defineMethod('later', (socket, credentials, args, cb) => {
          waiting.push(() => cb(null, args));
          if (waiting.length === 2000) waiting.reverse().forEach((answer) => answer());
        });
        instance.start(world.io);
        const { client } = await world.connect('4.8', { transports: [transport] });
        client.emit('authentication', { token: 'valid' });
        await happens(client, 'authenticated');
        const order = [];
        const calls = Array.from({ length: 2000 }, async (_, i) => {
          assert.deepEqual(await call(client, 'later', i), [{ result: i }]);
          order.push(i);
        });
        await Promise.all(calls);
        assert.deepEqual(
          order,
          Array.from({ length: 2000 }, (_, i) => 1999 - i),
          'answers come in the order in which the handlers were done',
        );
      }),
    );

    it(
      `5,000 broadcasts in one tick arrive in order over ${transport}`,
      TIMEOUT,
      served({}, async (world) => {
        const clients = [];
        for (const version of ['4.8', '4.8', '2.5']) {
          clients.push((await world.connect(version, { transports: [transport] })).client);
        }
        const received = clients.map(
          (client) =>
            new Promise((resolve) => {
              const numbers = [];
              client.on('n', (n) => numbers.push(n) === 5000 && resolve(numbers));
            }),
        );
        for (let n = 0; n < 5000; n++) world.io.emit('n', n);
        const expected = Array.from({ length: 5000 }, (_, n) => n);
        for (const numbers of await Promise.all(received)) assert.deepEqual(numbers, expected);
      }),
    );
  }

  it(
    'answers, emits, broadcasts, rooms and binary of one tick arrive in order',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.raw();
      raw.socket.on('go', (acknowledge) => {
        const { socket } = raw;
        socket.emit('a');
        acknowledge('b');
        world.io.emit('c', Buffer.from('c'));
        world.io.to('room').emit('not yet');
        socket.join('room');
        world.io.to('room').emit('d');
        socket.leave('room');
        world.io.to('room').emit('no more');
        socket.emit('e', Buffer.from('e'));
        socket.emit('f');
      });
      await raw.send('421["go"]');
      await raw.received.next((item) => item === '42["f"]');
      await raw.send('422["go"]');
      const items = [];
      while (items.at(-1) !== '42["f"]') items.push(await raw.received.next(() => true));
      assert.deepEqual(items.map(String), [
        '42["a"]',
        '432["b"]',
        '451-["c",{"_placeholder":true,"num":0}]',
        'c',
        '42["d"]',
        '451-["e",{"_placeholder":true,"num":0}]',
        'e',
        '42["f"]',
      ]);
    }),
  );

  it(
    'packets sent just before a disconnect arrive over any transport',
    TIMEOUT,
    served({}, async (world) => {
      for (const version of ['4.8', '2.5']) {
        for (const transport of ['websocket', 'polling']) {
          const { client, socket } = await world.connect(version, { transports: [transport] });
          const last = happens(client, 'last');
          const ended = happens(client, 'disconnect');
          for (let i = 0; i < 100; i++) socket.emit('filler', 'x'.repeat(1000));
          socket.emit('last', 'word');
          socket.disconnect(true);
          assert.deepEqual(await last, ['word'], `${version} ${transport}`);
          assert.equal((await ended)[0], 'io server disconnect', `${version} ${transport}`);
        }
      }
    }),
  );

  it(
    'packets sent between two polls arrive although the socket is then disconnected',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.polling({ poll: false, join: false });
      const connected = once(world.io, 'connection');
      await raw.post('40');
      const [socket] = await connected;
      await raw.poll();
      socket.emit('last', 'word');
      const ended = ending(socket);
      socket.disconnect(true);
      await ended;
      const { status, body } = await raw.poll();
      assert.equal(status, 200);
      const packets = String(body).split('\x1e');
      assert.deepEqual(
        packets.filter((packet) => packet !== '2'),
        ['42["last","word"]', '41'],
      );
      assert.equal(String((await raw.poll()).body), '6\x1e1', 'the next poll ends the connection');
      assert.equal((await raw.poll()).status, 400);
    }),
  );
});

describe('clients that do not read', () => {
  it(
    'a client that does not read is closed beyond maxBackpressure and no other client is affected',
    TIMEOUT,
    served({ maxBackpressure: 1e6 }, async (world) => {
      const other = await world.raw();
      const slow = await world.raw();
      slow.ws.pause();
      const before = process.memoryUsage().rss;
      const filler = 'x'.repeat(100_000);
      const ended = ending(slow.socket);
      let sent = 0;
      const sending = (async () => {
        while (slow.socket.connected && sent < 5000) {
          slow.socket.emit('filler', filler);
          sent += 1;
          await new Promise((resolve) => setImmediate(resolve));
        }
      })();
      const [reason, details] = await ended;
      await sending;
      assert.equal(reason, 'transport error');
      assert.match(details.message, /maxBackpressure/);
      assert.ok(sent * filler.length > 1e6, 'it was allowed to wait');
      const grown = process.memoryUsage().rss - before;
      assert.ok(grown < 150e6, `memory is bounded (grew by ${grown} bytes, sent ${sent})`);
      const hears = other.packet('2["news"]');
      world.io.emit('news');
      await hears;
      slow.ws.resume();
      await slow.closed;
    }),
  );

  it(
    'a client that does not read does not delay messages to other clients',
    TIMEOUT,
    served({ maxBackpressure: 1e6 }, async (world) => {
      const [other, slow] = [await world.raw(), await world.raw()];
      slow.ws.pause();
      const order = [];
      const ended = ending(slow.socket).then(() => order.push('closed'));
      const heard = other.packet('2["news"]').then(() => order.push('news'));
      for (let i = 0; i < 20; i++) slow.socket.emit('filler', Buffer.alloc(1e6));
      other.socket.emit('news');
      await Promise.all([ended, heard]);
      assert.deepEqual(order, ['news', 'closed']);
      slow.ws.resume();
      await slow.closed;
    }),
  );

  it(
    'a client that does not poll is closed beyond maxBackpressure',
    TIMEOUT,
    served({ maxBackpressure: 1e6 }, async (world) => {
      const raw = await world.polling({ poll: false, join: false });
      const connected = once(world.io, 'connection');
      await raw.post('40');
      const [socket] = await connected;
      const ended = ending(socket);
      for (let i = 0; i < 30; i++) world.io.emit('filler', 'x'.repeat(100_000));
      const [reason, details] = await ended;
      assert.equal(reason, 'transport error');
      assert.match(details.message, /maxBackpressure/);
      assert.equal((await raw.poll()).status, 400);
    }),
  );

  it(
    'bytes that a client has read do not count towards maxBackpressure',
    TIMEOUT,
    served({ maxBackpressure: 1e6 }, async (world) => {
      for (const raw of [await world.raw(), await world.polling()]) {
        for (let i = 0; i < 40; i++) {
          const arrives = raw.packet(`2["filler",${i}`);
          raw.socket.emit('filler', i, 'x'.repeat(200_000));
          await arrives;
        }
        assert.equal(raw.socket.connected, true);
      }
    }),
  );
});

describe('connections that have ended', () => {
  it(
    'connections leave no file descriptor open however they end',
    { ...TIMEOUT, skip: process.platform !== 'linux' },
    served({}, async (world) => {
      const cycle = async () => {
        const ends = [];
        for (const [version, transports] of [
          ['4.8', ['websocket']],
          ['2.5', ['websocket']],
          ['4.8', ['polling', 'websocket']],
        ]) {
          const { client, socket } = await world.connect(version, { transports });
          if (transports.length === 2) await upgraded(client);
          ends.push(ending(socket));
          client.close();
        }
        const rude = await world.raw();
        ends.push(ending(rude.socket));
        rude.terminate();
        const told = await world.raw();
        ends.push(ending(told.socket), told.closed);
        told.socket.disconnect(true);
        const silent = await world.raw({ join: false });
        silent.terminate();
        await Promise.all(ends);
      };
      for (let i = 0; i < 3; i++) await cycle();
      const before = openFiles();
      for (let i = 0; i < 60; i++) await cycle();
      await reach(() => openFiles() <= before + 4);
    }),
  );

  it(
    'sockets and handlers of connections that have ended are garbage collected',
    TIMEOUT,
    async () => {
      const { collected, sockets } = await inChild('memory.js', [], { execArgv: ['--expose-gc'] });
      assert.deepEqual({ collected, sockets }, { collected: 120, sockets: 0 });
    },
  );
});
