'use strict';

// What is alive is known by numbers, which a client can have the server give away as fast as it
// sends. None is given twice, and numbers of more than 31, 32 or 51 bits are told apart everywhere
// from those that have the same lower bits.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const fs = require('node:fs');
const https = require('node:https');
const path = require('node:path');
const { describe, it } = require('node:test');
const { WebSocket } = require('ws');
const { TIMEOUT, ending, loopbackSocket, reach, served } = require('../support/native-server');

/** How many numbers are used up in between: where bit operations, 32 bits and doubles come to an end. */
const DISTANCES = [2 ** 31, 2 ** 32, 2 ** 51];

const tls = (name) => fs.readFileSync(path.join(__dirname, '..', 'support', 'tls', name));

/**
 * Has everything that is named next get the number it would get if so many had been given before.
 *
 * @param {object} io the server
 * @param {number} distance how many
 * @returns {void}
 */
function useUp(io, distance) {
  const last = Math.max(...io._sockets.keys(), 0);
  io._link.native.skipNumbers(last + distance - 1);
  io._front.lastConnection += distance - 1;
  io._front.lastRequest += distance - 1;
  for (const { _rooms: rooms } of io._nsps.values()) {
    rooms._last += distance;
  }
}

/** A server whose clients authenticate by their names, and learn by a method what they are called. */
function named(options, test) {
  return served(options, async (world) => {
    const instance = loopbackSocket();
    instance.auth((socket, { name }) => name !== undefined);
    instance.defineMethod('who am i', (socket, { name }) => name);
    instance.start(world.io);
    await test(world, async (raw, name) => {
      const accepted = raw.packet('2["authenticated"');
      await raw.send(`42["authentication",{"name":"${name}"}]`);
      await accepted;
      return raw;
    });
  });
}

for (const distance of DISTANCES) {
  describe(`clients whose internal ids differ by ${distance}`, () => {
    for (const transport of ['raw', 'polling']) {
      it(
        `two clients whose internal ids differ by ${distance} receive only their own messages over ${transport === 'raw' ? 'websocket' : transport}`,
        TIMEOUT,
        named({}, async (world, authenticate) => {
          const { io } = world;
          const first = await authenticate(await world[transport](), 'first');
          // As many numbers lie between these two as between the next two, so that each comes to
          // lie where the other would be if its upper bits were lost.
          useUp(io, distance);
          const second = await authenticate(await world[transport](), 'second');
          assert.ok(second.socket._number >= first.socket._number + distance);
          assert.equal(io._sockets.size, 2);
          assert.equal(io._connections.size, 2);

          first.socket.join('room');
          useUp(io, distance);
          second.socket.join('another room');
          io.to('another room').except('room').emit('news', 'of another room');
          second.socket.emit('private', 'for second');
          first.socket.emit('private', 'for first');
          io.to('room').emit('news', 'of the room');
          second.socket.broadcast.emit('news', 'by second');
          io.emit('end');
          const heard = async (raw) => {
            const packets = [];
            for (let packet = ''; packet !== '42["end"]'; packets.push(packet)) {
              packet = await raw.packet('2');
            }
            return packets.map((packet) => JSON.parse(packet.slice(2)).at(-1));
          };
          assert.deepEqual(await heard(first), ['for first', 'of the room', 'by second', 'end']);
          assert.deepEqual(await heard(second), ['of another room', 'for second', 'end']);

          assert.deepEqual(await first.call('who am i', {}), [{ result: 'first' }]);
          assert.deepEqual(await second.call('who am i', {}), [{ result: 'second' }]);

          const left = ending(second.socket);
          second.socket.disconnect(true);
          await left;
          await second.closed;
          assert.equal(first.socket.connected, true);
          assert.deepEqual(await first.call('who am i', {}), [{ result: 'first' }]);
        }),
      );
    }

    it(
      `two clients whose internal ids differ by ${distance} have their own dynamic namespaces`,
      TIMEOUT,
      served({}, async (world) => {
        const { io } = world;
        io.of(/^\/room-\d+$/).on('connection', (socket) => socket.emit('here', socket.nsp.name));
        const clients = [];
        for (const name of ['/room-1', '/room-2']) {
          const raw = await world.raw({ join: false });
          const here = raw.packet(`2${name},["here"`);
          await raw.send(`40${name},`);
          assert.equal(await here, `42${name},["here","${name}"]`);
          clients.push(raw);
          useUp(io, distance);
        }
        const [first, second] = clients;
        assert.notEqual(io.of('/room-1')._index, io.of('/room-2')._index);
        io.of('/room-1').emit('news', 1);
        io.of('/room-2').emit('news', 2);
        assert.equal(await first.packet('2/room-1,["news"'), '42/room-1,["news",1]');
        assert.equal(await second.packet('2'), '42/room-2,["news",2]');
      }),
    );

    it(
      `two TLS clients whose internal ids differ by ${distance} receive only their own bytes`,
      TIMEOUT,
      async (t) =>
        named(
          { httpServer: https.createServer({ key: tls('key.pem'), cert: tls('cert.pem') }) },
          async (world) => {
            const clients = [];
            t.signal.addEventListener('abort', () => clients.forEach((ws) => ws.terminate()));
            for (let i = 0; i < 2; i++) {
              const url = `wss://127.0.0.1:${world.port}/socket.io/?EIO=4&transport=websocket`;
              const ws = new WebSocket(url, { rejectUnauthorized: false });
              const heard = [];
              ws.on('message', (data) => heard.push(String(data)));
              const connected = once(world.io, 'connection');
              ws.once('message', () => ws.send('40'));
              const [socket] = await connected;
              clients.push(Object.assign(ws, { heard, socket }));
              useUp(world.io, distance);
            }
            for (const [i, { socket }] of clients.entries()) {
              socket.emit('private', i);
            }
            for (const [i, ws] of clients.entries()) {
              await reach(() => ws.heard.some((text) => text.startsWith('42')));
              assert.deepEqual(
                ws.heard.filter((text) => text.startsWith('42')),
                [`42["private",${i}]`],
              );
              ws.terminate();
            }
          },
        )(t),
    );
  });
}
