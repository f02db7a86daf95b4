'use strict';

// Acknowledgements that clients wait for: kept by whoever may give them, and by nobody else.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, it } = require('node:test');
const { Server: SocketIo } = require('socket.io');
const LoopbackSocket = require('../..');
const { InvalidCommandError } = require('../../lib/errors');
const { UNKNOWN_SESSION } = require('../../lib/native/protocol').Refusal;
const http = require('node:http');
const v8 = require('node:v8');
const vm = require('node:vm');
const { RawWebsocket } = require('../support/raw');
const { TIMEOUT, call, loopbackSocket, served } = require('../support/native-server');
const { limited } = require('../support/waiting');

v8.setFlagsFromString('--expose-gc');
const collectGarbage = vm.runInNewContext('gc');

/**
 * @param {WeakRef<object>[]} things
 * @returns {Promise<number>} how many of them are still there
 */
async function left(things) {
  // What a job has looked at stays until its end.
  await new Promise((resolve) => setImmediate(resolve));
  collectGarbage();
  return things.filter((thing) => thing.deref() !== undefined).length;
}

describe('acknowledgements that the application never gives', () => {
  it(
    'an acknowledgement that a listener, middleware or a method never gives is garbage collected',
    TIMEOUT,
    served({}, async (world) => {
      const instance = loopbackSocket();
      const given = [];
      const note = (acknowledge) => given.push(new WeakRef(acknowledge));
      instance.defineMethod('method', (socket, credentials, args, done) => note(done));
      instance.start(world.io);
      const raw = await world.raw();
      const accepted = raw.packet('2["authenticated"');
      await raw.send('42["authentication",{"token":"valid"}]');
      await accepted;
      raw.socket.on('event', note);
      const send = async () => {
        for (let i = 0; i < 500; i++) {
          await raw.send(`42${1000 + i}["event"]`);
          await raw.send(`42${2000 + i}["method",{}]`);
        }
        await raw.send('42["last"]');
        await once(raw.socket, 'last');
      };
      await send();
      raw.socket.use((event, next) => {
        if (event[0] !== 'last') note(event.at(-1));
        next();
      });
      await send();
      assert.equal(given.length, 2 * (500 + 500) + 2 * 500);
      // Of thousands; the engine may have the last ones in hand.
      const kept = await left(given);
      assert.ok(kept < 10, `${kept} are kept`);
      assert.equal(raw.socket.connected, true);
    }),
  );
});

describe('callbacks that a client never acknowledges', () => {
  it(
    'a callback that a client never acknowledges is kept only while its socket is connected',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.raw();
      const callbacks = [];
      const callback = () => {
        const made = () => {};
        callbacks.push(new WeakRef(made));
        return made;
      };
      for (let i = 0; i < 10; i++) {
        raw.socket.emit('event', callback());
        raw.socket.volatile.emit('event', callback());
      }
      await raw.packet('2');
      assert.equal(await left(callbacks), 20);
      const ended = once(raw.socket, 'disconnect');
      raw.terminate();
      await ended;
      assert.equal(raw.socket.acks.size, 0);
      assert.equal(await left(callbacks), 0);
    }),
  );
});

describe('acknowledgements', () => {
  it(
    'a listener or a method may acknowledge at once or later',
    TIMEOUT,
    served({}, async (world) => {
      const instance = loopbackSocket();
      const waiting = [];
      instance.defineMethod('method', () => new Promise((resolve) => waiting.push(resolve)));
      instance.start(world.io);
      const { client, socket } = await world.connect();
      socket.on('event', (value, acknowledge) => waiting.push(acknowledge));
      client.emit('authentication', { token: 'valid' });
      await once(client, 'authenticated');
      const answers = [
        call(client, 'event', 1),
        call(client, 'method', 2),
        call(client, 'event', 3),
      ];
      client.emit('are they there');
      await once(socket, 'are they there');
      collectGarbage();
      waiting.reverse().forEach((answer, i) => answer(i));
      assert.deepEqual(await Promise.all(answers), [[2], [{ result: 1 }], [0]]);
    }),
  );

  it(
    'the first acknowledgement of a listener, middleware or the methods of two instances is sent and later ones are not',
    TIMEOUT,
    served({}, async (world) => {
      const [a, b] = ['acks a', 'acks b'].map((name) => {
        const instance = new LoopbackSocket(name, 'none');
        instance.auth(() => true);
        return instance;
      });
      const order = [];
      for (const [name, instance] of Object.entries({ a, b })) {
        instance.defineMethod('m', () => {
          order.push(name);
          return name;
        });
        instance.start(world.io);
      }
      const raw = await world.raw();
      const accepted = raw.packet('2["authenticated"');
      await raw.send('42["authentication",{"token":"valid"}]');
      await accepted;
      await raw.packet('2["authenticated"');
      assert.equal((await raw.call('m', {}))[0].result, order[0]);
      raw.socket.once('m', (args, acknowledge) => {
        acknowledge('listener');
        acknowledge('listener again');
      });
      assert.deepEqual(await raw.call('m', {}), ['listener']);
      raw.socket.use((event, next) => {
        if (event[0] === 'm') event.at(-1)('middleware');
        next();
      });
      assert.deepEqual(await raw.call('m', {}), ['middleware']);
      await raw.send('42["last"]');
      await once(raw.socket, 'last');
      assert.deepEqual(
        raw.received.rest().filter((packet) => packet.startsWith('43')),
        [],
      );
      assert.equal(order.length, 6);
    }),
  );

  it(
    'an acknowledgement whose value cannot be encoded may be given again',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.raw();
      raw.socket.on('event', (acknowledge) => {
        assert.throws(() => acknowledge(10n), { code: 'ERR_LOOPBACK_SOCKET_UNSENDABLE_VALUE' });
        acknowledge('after all');
      });
      assert.deepEqual(await raw.call('event'), ['after all']);
    }),
  );

  it(
    'an acknowledgement has the id that the client gave, as on socket.io',
    TIMEOUT,
    served({}, async (world) => {
      const ids = [
        '0',
        '007',
        '999',
        '1000',
        '4294967296',
        '9007199254740993',
        '9223372036854775000',
      ];
      const httpServer = http.createServer();
      const theirs = new SocketIo(httpServer);
      httpServer.listen(0, '127.0.0.1');
      await once(httpServer, 'listening');
      const answers = [];
      for (const [io, port] of [
        [theirs, httpServer.address().port],
        [world.io, world.port],
      ]) {
        io.on('connection', (socket) => socket.on('event', (acknowledge) => acknowledge()));
        const raw = new RawWebsocket(port);
        await raw.opened();
        await raw.join();
        const heard = [];
        for (const id of ids) {
          await raw.send(`42${id}["event"]`);
          heard.push(await raw.packet('3'));
        }
        answers.push(heard);
        raw.terminate();
      }
      await theirs.close();
      assert.deepEqual(answers[1], answers[0]);
    }),
  );
});

describe('the acknowledgements of a broadcast', () => {
  it(
    'a broadcast does not wait for a client that has left, even if JavaScript does not know that yet',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.raw();
      const { client } = await world.connect();
      client.on('question', (acknowledge) => acknowledge('answer'));
      const { id } = raw.socket.conn;
      raw.terminate();
      // JavaScript is busy until Rust does not know the session any more.
      const { native } = world.io._link;
      const url = `/socket.io/?EIO=4&transport=websocket&sid=${id}`;
      const check = limited('Rust has forgotten the session');
      while (native.verifyUpgrade('GET', url, {}, true) !== UNKNOWN_SESSION) check();
      assert.equal(raw.socket.connected, true);
      const answers = await world.io.timeout(10_000).emitWithAck('question');
      assert.deepEqual(answers, ['answer']);
    }),
  );

  it(
    'a broadcast that no client gets has no acknowledgements, and neither has one of a closed server',
    TIMEOUT,
    served({}, async (world) => {
      assert.deepEqual(await world.io.to('nobody').emitWithAck('question'), []);
      const ended = world.io.emitWithAck('question');
      await world.io.close();
      assert.deepEqual(await ended, []);
      assert.deepEqual(await world.io.emitWithAck('question'), []);
    }),
  );
});

describe('a command that the native server cannot read', () => {
  it(
    'a command that the native server cannot read becomes a warning of the process, and the others are carried out',
    TIMEOUT,
    served({}, async (world) => {
      const { client, socket } = await world.connect();
      const warned = once(process, 'warning');
      const got = once(client, 'after');
      world.io._link.native.push('?\t1\n');
      socket.emit('after', 'all is well');
      const [warning] = await warned;
      assert.ok(warning instanceof InvalidCommandError);
      assert.equal(warning.code, 'ERR_LOOPBACK_SOCKET_INVALID_COMMAND');
      assert.match(warning.message, /the field `code`/);
      assert.deepEqual(await got, ['all is well']);
    }),
  );
});
