'use strict';

// One maxHttpBufferSize holds on every way in; who exceeds it loses its own connection only.

const assert = require('node:assert/strict');
const { constants } = require('node:buffer');
const { once } = require('node:events');
const { describe, it } = require('node:test');
const { frame, upgradeRequest } = require('../support/raw');
const { TIMEOUT, ending, happens, loopbackSocket, served } = require('../support/native-server');

const LIMIT = 10_000;

/** `["m",""]` and the packet types are part of the message. */
const text = (bytes) => 'x'.repeat(bytes);

/** A world with a limit, and another client that has to stay unharmed. */
function limited(test) {
  return served({ maxHttpBufferSize: LIMIT }, async (world) => {
    const sizes = [];
    const instance = loopbackSocket();
    instance.start(world.io);
    world.io.on('connection', (socket) => {
      socket.on('m', (...args) => {
        const done = typeof args.at(-1) === 'function' ? args.pop() : undefined;
        sizes.push(args.map((arg) => arg.length));
        done?.();
      });
    });
    const other = await world.raw();
    await test(world, sizes);
    assert.deepEqual(await other.call('m', 'still here'), []);
    assert.equal(other.socket.connected, true);
  });
}

describe('maxHttpBufferSize', () => {
  it(
    'a limit beyond that of strings is one that they can have',
    TIMEOUT,
    served({ maxHttpBufferSize: 1e10 }, async (world) => {
      const { maxPayload } = (await world.raw()).open;
      assert.ok(maxPayload > 5e8 && maxPayload < constants.MAX_STRING_LENGTH, `${maxPayload}`);
    }),
  );

  it(
    'a client that joins a namespace with more than 16 MiB loses its connection',
    TIMEOUT,
    served({ maxHttpBufferSize: 1e8 }, async (world) => {
      const asked = [];
      world.io.of((name, auth, next) => {
        asked.push([name.length, auth.length]);
        next(null, true);
      });
      const zeros = (n) => new Array(n).fill(0);
      for (const packet of [
        `40/${'\u0001'.repeat(1 << 24)},`,
        `40/long,${JSON.stringify({ auth: zeros(1 << 23) })}`,
      ]) {
        const raw = await world.raw({ join: false });
        await raw.send(packet);
        await raw.closed;
      }
      assert.deepEqual(asked, []);
    }),
  );

  for (const eio of [3, 4]) {
    it(
      `a websocket message of Engine.IO ${eio} up to maxHttpBufferSize is accepted and a longer one ends its connection`,
      TIMEOUT,
      limited(async (world, sizes) => {
        const raw = await world.raw({ eio });
        const room = LIMIT - '421["m",""]'.length;
        assert.deepEqual(await raw.call('m', text(room)), []);
        assert.deepEqual(sizes, [[room]]);
        const ended = ending(raw.socket);
        await raw.send(`42["m","${text(LIMIT)}"]`);
        assert.equal((await ended)[0], 'transport error');
        await raw.closed;
        assert.equal(sizes.length, 1);
      }),
    );

    it(
      `a polling message of Engine.IO ${eio} up to maxHttpBufferSize is accepted and a longer one ends its connection`,
      TIMEOUT,
      limited(async (world, sizes) => {
        const raw = await world.polling({ eio });
        const room = LIMIT - '10000:421["m",""]'.length;
        assert.deepEqual(await raw.call('m', text(room)), []);
        assert.deepEqual(sizes, [[room]]);
        const ended = ending(raw.socket);
        const body = `42["m","${text(LIMIT)}"]`;
        const { status } = await raw.post(eio === 3 ? `${body.length}:${body}` : body);
        assert.equal(status, 413);
        assert.equal((await ended)[0], 'transport error');
        await raw.closed;
        assert.equal(sizes.length, 1);
      }),
    );

    it(
      `attachments count towards maxHttpBufferSize over a websocket of Engine.IO ${eio}`,
      TIMEOUT,
      limited(async (world, sizes) => {
        const raw = await world.raw({ eio });
        const attachment = (bytes) =>
          Buffer.concat([Buffer.from(eio === 3 ? [4] : []), Buffer.alloc(bytes)]);
        const announce = (count) => {
          const holders = Array.from({ length: count }, (_, num) => ({ _placeholder: true, num }));
          return `45${count}-${eio === 3 ? '' : ''}["m",${JSON.stringify(holders).slice(1)}`;
        };
        const heard = once(raw.socket, 'm');
        await raw.send(announce(2));
        await raw.send(attachment(LIMIT / 2));
        await raw.send(attachment(LIMIT / 2));
        await heard;
        assert.deepEqual(sizes, [[LIMIT / 2, LIMIT / 2]]);
        const ended = ending(raw.socket);
        await raw.send(announce(3));
        for (let i = 0; i < 3; i++) await raw.send(attachment(LIMIT / 2));
        assert.equal((await ended)[0], 'forced close');
        await raw.closed;
        assert.equal(sizes.length, 1);
      }),
    );

    it(
      `attachments in several POSTs count towards maxHttpBufferSize over polling of Engine.IO ${eio}`,
      TIMEOUT,
      limited(async (world, sizes) => {
        const raw = await world.polling({ eio });
        const base64 = Buffer.alloc(6000).toString('base64');
        const attachment = eio === 3 ? `${base64.length + 2}:b4${base64}` : `b${base64}`;
        const ended = ending(raw.socket);
        await raw.send('452-["m",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
        await raw.post(attachment);
        await raw.post(attachment);
        assert.equal((await ended)[0], 'forced close');
        await raw.closed;
        assert.deepEqual(sizes, []);
      }),
    );
  }

  it(
    'maxHttpBufferSize applies to the sum of all fragments of a message',
    TIMEOUT,
    limited(async (world, sizes) => {
      const tcp = await world.tcp();
      const connected = once(world.io, 'connection');
      tcp.socket.write(upgradeRequest());
      await tcp.until(/101/);
      tcp.socket.write(frame('40'));
      const [socket] = await connected;
      const ended = ending(socket);
      tcp.socket.write(frame('42["m","', { fin: false }));
      for (let i = 0; i < 12; i++) {
        tcp.socket.write(frame(text(1000), { fin: false, opcode: 0 }));
      }
      assert.equal((await ended)[0], 'transport error');
      await tcp.ended;
      assert.deepEqual(sizes, []);
    }),
  );

  it(
    'a frame whose header announces more than maxHttpBufferSize is refused before its bytes arrive',
    TIMEOUT,
    limited(async (world) => {
      const tcp = await world.tcp();
      const connected = once(world.io, 'connection');
      tcp.socket.write(upgradeRequest());
      await tcp.until(/101/);
      tcp.socket.write(frame('40'));
      const [socket] = await connected;
      const ended = ending(socket);
      tcp.socket.write(frame(text(1_000_000)).subarray(0, 20));
      assert.equal((await ended)[0], 'transport error');
      await tcp.ended;
    }),
  );

  it(
    'maxHttpBufferSize applies to a chunked POST without Content-Length',
    TIMEOUT,
    limited(async (world, sizes) => {
      const raw = await world.polling();
      const ended = ending(raw.socket);
      const tcp = await world.tcp();
      tcp.socket.write(
        `POST /socket.io/?EIO=4&transport=polling&sid=${raw.sid} HTTP/1.1\r\nHost: localhost\r\n` +
          'Transfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n',
      );
      for (let i = 0; i < 12; i++) tcp.socket.write(`3e8\r\n${text(1000)}\r\n`);
      await tcp.until(/^HTTP\/1.1 413 /);
      assert.equal((await ended)[0], 'transport error');
      assert.deepEqual(sizes, []);
    }),
  );

  it(
    'a socket.io client that exceeds maxHttpBufferSize gets the reason "transport close" or "transport error"',
    TIMEOUT,
    limited(async (world) => {
      for (const version of ['4.8', '2.5']) {
        for (const transport of ['websocket', 'polling']) {
          const { client, socket } = await world.connect(version, { transports: [transport] });
          const here = ending(socket);
          const there = happens(client, 'disconnect');
          client.emit('m', text(3 * LIMIT));
          assert.equal((await here)[0], 'transport error', `${version} ${transport}`);
          assert.match((await there)[0], /^transport (close|error)$/, `${version} ${transport}`);
        }
      }
    }),
  );

  it(
    'maxHttpBufferSize is 1 MB by default',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.raw();
      assert.equal(raw.open.maxPayload, 1e6);
      raw.socket.on('m', (value, done) => done(value.length));
      assert.deepEqual(await raw.call('m', text(999_900)), [999_900]);
      const ended = ending(raw.socket);
      await raw.send(`42["m","${text(1e6)}"]`);
      assert.equal((await ended)[0], 'transport error');
    }),
  );
});
