'use strict';

// @socket.io/admin-ui watches the native server as it does that of npm: the same visit is played to
// both, and the page must be told the same.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, it } = require('node:test');
const { instrument } = require('@socket.io/admin-ui');
const socketIo = require('socket.io');
const { Server } = require('../..');
const { run, received } = require('../support/context');
const { TIMEOUT } = require('../support/native-server');

const MODES = { mode: 'development', auth: false, serverId: 'here' };

/** What the page is told, without times and what is random. */
function masked(told, ids) {
  const text = JSON.stringify(told, (key, value) =>
    key === 'handshake' ? Object.keys(value) : value,
  );
  let plain = text.replace(/"\d{4}-\d\d-\d\dT[\d:.]+Z"/g, '"TIME"');
  for (const [name, id] of Object.entries(ids)) {
    plain = plain.replaceAll(id, name).replaceAll(id.slice(0, 12), `${name} 12`);
  }
  return JSON.parse(plain);
}

/** The counts of the server so far, by kind and detail. */
function counts(io) {
  const sums = {};
  for (const { type, subType, count } of io._eventBuffer.getValuesAndClear()) {
    const name = subType === undefined ? type : `${type} ${subType}`;
    sums[name] = (sums[name] ?? 0) + count;
  }
  return sums;
}

/** A visit of a client, over the transports it is given. */
const visit = (transports) => async (context) => {
  const { io } = context;
  instrument(io, MODES);
  io.on('connection', (socket) => {
    socket.on('question', (value, acknowledge) => {
      socket.emit('news', value);
      io.emit('all', value);
      acknowledge(value);
    });
  });
  const app = context.client('/', { transports });
  await received(app, 'connect');
  const answer = await app.emitWithAck('question', { ünï: Buffer.from('bytes') });
  assert.deepEqual(answer, { ünï: Buffer.from('bytes') });
  const ended = once(io.sockets.sockets.get(app.id).conn, 'close');
  app.io.engine.close();
  await ended;
  return counts(io);
};

describe('@socket.io/admin-ui', () => {
  for (const transports of [['websocket'], ['polling']]) {
    it(
      `@socket.io/admin-ui counts the same packets and bytes as on socket.io over ${transports}`,
      TIMEOUT,
      async () => {
        const expected = await run(socketIo.Server, visit(transports));
        assert.ok(expected.bytesIn > 50 && expected.bytesOut > 100 && expected.packetsOut > 5);
        assert.deepEqual(await run(Server, visit(transports)), expected);
      },
    );
  }

  it(
    '@socket.io/admin-ui reports the same events and carries out the same commands as on socket.io',
    TIMEOUT,
    async () => {
      const watch = async (context) => {
        const { io } = context;
        instrument(io, MODES);
        io.of('/news');
        io.on('connection', (socket) => {
          socket.on('question', (value, acknowledge) => {
            socket.emit('news', value);
            acknowledge(value);
          });
        });
        const app = await context.connect('/');
        const page = context.client('/admin', { transports: ['websocket'] });
        const told = [];
        page.onAny((event, ...args) => event !== 'server_stats' && told.push([event, ...args]));
        const all = received(page, 'all_sockets');
        const stats = received(page, 'server_stats');
        await all;
        const until = async (event, act) => {
          const heard = received(page, event);
          act();
          await heard;
        };
        await until('event_sent', () => app.client.emit('question', [1], () => {}));
        await until('room_joined', () => page.emit('join', '/', 'readers', app.client.id));
        const emitted = received(app.client, 'headline');
        page.emit('emit', '/', 'readers', 'headline', 'today');
        assert.deepEqual(await emitted, ['today']);
        await until('room_left', () => page.emit('leave', '/', 'readers', app.client.id));
        const [{ clientsCount, pollingClientsCount, aggregatedEvents, namespaces }] = await stats;
        const left = received(app.client, 'disconnect');
        const roomLeft = received(page, 'room_left');
        await until('socket_disconnected', () =>
          page.emit('_disconnect', '/', true, app.client.id),
        );
        await roomLeft;
        assert.equal((await left)[0], 'io server disconnect');
        const kinds = new Set(aggregatedEvents.map(({ type }) => type));
        for (const kind of ['rawConnection', 'packetsIn', 'packetsOut', 'bytesIn', 'bytesOut']) {
          assert.ok(kinds.has(kind), kind);
        }
        const ids = { app: app.socket.id, conn: app.socket.conn.id, page: page.id };
        ids.pageConn = page.io.engine.id;
        return masked({ clientsCount, pollingClientsCount, namespaces, told }, ids);
      };
      const expected = await run(socketIo.Server, watch);
      const events = new Set(expected.told.map(([event]) => event));
      assert.ok(events.has('event_received') && events.has('room_joined') && events.has('config'));
      assert.deepEqual(await run(Server, watch), expected);
    },
  );
});
