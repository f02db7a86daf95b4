'use strict';

// On an npm `socket.io` server, what a connection flushes together is written together.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, it } = require('node:test');
const WebSocket = require('ws');
const { VERSIONS, authenticate, call, newInstance, openServer } = require('../support/js-hosts');
const { corkFlushes } = require('../../lib/hosted/cork');

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

it('objects that are no Engine.IO connection are left alone', () => {
  const listening = { on: () => assert.fail('nobody asked for it') };
  for (const conn of [undefined, null, {}, listening]) corkFlushes(conn);
  const flushes = [];
  const conn = { transport: null, on: (event, listener) => flushes.push([event, listener]) };
  corkFlushes(conn);
  corkFlushes(conn);
  assert.equal(flushes.length, 1);
  const [[event, flushing]] = flushes;
  assert.equal(event, 'flush');
  for (const transport of [null, {}, { socket: {} }, { socket: { _socket: {} } }]) {
    Reflect.apply(flushing, { transport }, [[1, 2]]);
  }
});
