'use strict';

// On an npm `socket.io` server, what a connection flushes together is written together, and streams end once.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, it } = require('node:test');
const WebSocket = require('ws');
const { VERSIONS, authenticate, call, newInstance, openServer } = require('../support/js-hosts');
const { spareStreams } = require('../../lib/hosted/streams');

/** Counts the writes of a stream. */
function counted(stream) {
  const count = { writes: 0 };
  for (const method of ['_write', '_writev']) {
    const before = stream[method];
    stream[method] = function write(...args) {
      count.writes += 1;
      return Reflect.apply(before, this, args);
    };
  }
  return count;
}

/** Counts the ends that reach the class of a stream although it has finished. */
function endsAgain(stream) {
  const again = { count: 0 };
  const { end } = Object.getPrototypeOf(stream);
  const proto = Object.create(Object.getPrototypeOf(stream), {
    end: {
      value(...args) {
        if (this.writableFinished) again.count += 1;
        return Reflect.apply(end, this, args);
      },
    },
  });
  Object.setPrototypeOf(stream, proto);
  return again;
}

/**
 * @param {import('node:test').TestContext} t the test
 * @returns {Promise<{client: object, stream: import('node:net').Socket}>} a client on socket.io 4, and the stream below
 *   its websocket
 */
async function openConnection(t) {
  const { io, connect } = await openServer(t, 4);
  newInstance().start(io);
  const connection = once(io, 'connection');
  const client = connect();
  const [socket] = await connection;
  return { client, stream: socket.conn.transport.socket._socket };
}

for (const version of VERSIONS) {
  describe(`on socket.io ${version}`, () => {
    for (const [what, transports] of [
      ['websocket', ['websocket']],
      ['websocket that began with polling', ['polling', 'websocket']],
    ]) {
      it(`packets sent at once over a ${what} are one write and keep their order`, async (t) => {
        const { io, connect } = await openServer(t, version);
        const instance = newInstance();
        instance.defineMethod('echo', (socket, credentials, args) => args);
        instance.start(io);
        const connected = once(io, 'connection');
        const client = connect('/', { transports });
        const [socket] = await connected;
        if (transports.length > 1) await once(client.io.engine, 'upgrade');
        await authenticate(client);
        const heard = [];
        client.on('n', (n) => heard.push(n));
        const { _socket: stream } = socket.conn.transport.socket;
        const count = counted(stream);
        for (let n = 0; n < 50; n++) socket.emit('n', n);
        assert.deepEqual(await call(client, 'echo', 1), { result: 1 });
        assert.deepEqual(
          heard,
          Array.from({ length: 50 }, (_, n) => n),
        );
        // The first, those that gathered behind it, and the answer.
        assert.ok(count.writes <= 4, `${count.writes} writes`);
        assert.equal(stream.writableCorked, 0);
      });

      for (const [who, leave] of [
        ['the client', ({ client }) => client.disconnect()],
        ['the server', ({ socket }) => socket.disconnect(true)],
        ['the network', ({ stream }) => stream.destroy()],
      ]) {
        it(`the streams of a ${what} that ${who} ends are not ended again`, async (t) => {
          const { io, connect } = await openServer(t, version);
          newInstance().start(io);
          const connected = once(io, 'connection');
          const client = connect('/', { transports, reconnection: false });
          const [socket] = await connected;
          if (transports.length > 1) await once(client.io.engine, 'upgrade');
          await authenticate(client);
          const { _socket: stream, _receiver: receiver } = socket.conn.transport.socket;
          const again = [endsAgain(stream), endsAgain(receiver)];
          const closed = [once(stream, 'close'), once(receiver, 'finish')];
          leave({ client, socket, stream });
          await Promise.all(closed);
          await new Promise(setImmediate);
          assert.ok(stream.destroyed && receiver.writableFinished);
          assert.deepEqual(again, [{ count: 0 }, { count: 0 }]);
        });
      }
    }

    it('packets sent right before a connection ends arrive', async (t) => {
      const { io, connect } = await openServer(t, version);
      const instance = newInstance();
      instance.defineMethod('leave', (socket) => {
        for (let n = 0; n < 50; n++) socket.emit('n', n);
        socket.disconnect(true);
      });
      instance.start(io);
      const client = connect();
      await authenticate(client);
      let heard = 0;
      client.on('n', () => (heard += 1));
      const left = once(client, 'disconnect');
      client.emit('leave');
      await left;
      assert.equal(heard, 50);
    });
  });
}

it('on socket.io 4, the response that accepts a websocket and the first packet are one write', async (t) => {
  const { io, connect } = await openServer(t, 4);
  newInstance().start(io);
  // Its engine is known from the first connection on.
  const first = connect();
  await once(first, 'connect');
  const accepted = once(io.httpServer, 'connection');
  const client = connect();
  const [stream] = await accepted;
  const count = counted(stream);
  await once(client.io, 'open');
  assert.equal(count.writes, 1);
  await authenticate(client);
  assert.equal(stream.writableCorked, 0);
});

it('on socket.io 4, the response that accepts a websocket does not wait for an id that takes time', async (t) => {
  const { io, connect } = await openServer(t, 4);
  newInstance().start(io);
  const first = connect();
  await once(first, 'connect');
  let giveId;
  const id = new Promise((resolve) => {
    giveId = resolve;
  });
  io.engine.generateId = () => id;
  const { port } = io.httpServer.address();
  const websocket = new WebSocket(`ws://localhost:${port}/socket.io/?EIO=4&transport=websocket`);
  t.after(() => websocket.terminate());
  await once(websocket, 'open');
  giveId('late');
  const [opening] = await once(websocket, 'message');
  assert.equal(JSON.parse(opening.toString().slice(1)).sid, 'late');
});

it('the end of a finished stream calls back with its error', async (t) => {
  const { client, stream } = await openConnection(t);
  await authenticate(client);
  const closed = once(stream, 'close');
  client.disconnect();
  await closed;
  assert.equal(stream.end(), stream);
  const error = await new Promise((resolve) => stream.end(resolve));
  assert.equal(error.code, 'ERR_STREAM_ALREADY_FINISHED');
});

it('an `end` that a stream has of its own is kept', async (t) => {
  const { client, stream } = await openConnection(t);
  const { end } = Object.getPrototypeOf(stream);
  const own = (...args) => Reflect.apply(end, stream, args);
  stream.end = own;
  await authenticate(client);
  assert.equal(stream.end, own);
});

it('objects that are no Engine.IO connection are left alone', () => {
  const listening = { on: () => assert.fail('nobody asked for it') };
  for (const conn of [undefined, null, {}, listening]) spareStreams(conn);
  const flushes = [];
  const conn = { transport: null, on: (event, listener) => flushes.push([event, listener]) };
  spareStreams(conn);
  spareStreams(conn);
  assert.equal(flushes.length, 1);
  const [[event, flushing]] = flushes;
  assert.equal(event, 'flush');
  for (const transport of [null, {}, { socket: {} }, { socket: { _socket: {} } }]) {
    Reflect.apply(flushing, { transport }, [[1, 2]]);
  }
});
