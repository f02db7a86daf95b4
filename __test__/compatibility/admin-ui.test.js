'use strict';

// @socket.io/admin-ui watches the native server as it watches that of npm: the same visit is played to
// both, and what a page of the administrator receives must be the same.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { after, before, describe, it } = require('node:test');
const { instrument } = require('@socket.io/admin-ui');
const { createAdapter } = require('@socket.io/redis-adapter');
const { Redis } = require('ioredis');
const socketIo = require('socket.io');
const LoopbackSocket = require('../..');
const { run, received } = require('../support/context');
const { isInstalled, startRedis } = require('../scale/services/redis');
const { TIMEOUT, reach } = require('../support/native-server');

const { Server } = LoopbackSocket;

const MODES = { mode: 'development', auth: false, serverId: 'here' };

/** The bcrypt hash of `changeit`, with few rounds. */
const HASH = '$2a$04$WTMip6.QucymhyxS2ne.ceOILrWd4D0iVR.Qe5SZ83rKt0gwXU9QW';

/** Events of the page that carry figures, of which `stats` compares what can be compared. */
const STATS = 'server_stats';

/** A page of the administrator. */
class Page {
  /** What it has received, without figures. */
  stream = [];
  /** Ids that were given names. */
  #names = new Map();
  #io;

  /**
   * @param {import('../support/context').Context} context
   * @param {object} [auth] what the page logs in with
   */
  constructor(context, auth) {
    this.#io = context.io;
    this.client = context.client('/admin', { auth });
    this.client.onAny((event, ...args) => event !== STATS && this.stream.push([event, ...args]));
  }

  /** @returns {Promise<this>} when the server has told it what there is */
  async ready() {
    await received(this.client, 'connect');
    this.name('page', this.socket);
    // The sockets that there are come in a later tick than the connection.
    await this.#io.fetchSockets();
    return this.settled();
  }

  /** @returns {object} the server's socket */
  get socket() {
    return this.#io.of('/admin').sockets.get(this.client.id);
  }

  /** Shows the ids of a socket by a name. */
  name(name, socket) {
    this.#names.set(socket.id, name).set(socket.conn.id, `${name}'s connection`);
  }

  /** @returns {Promise<this>} when it has received everything that the server has sent to it */
  async settled() {
    // Rooms that were left are reported one tick later.
    await new Promise((resolve) => setImmediate(resolve));
    const flushed = received(this.client, 'flush');
    this.socket.emit('flush');
    await flushed;
    return this;
  }

  /** Sends a command, and waits until the server has carried it out. */
  async command(...command) {
    const done = once(this.socket, command[0]);
    this.client.emit(...command);
    await done;
    await this.settled();
  }

  /** @returns {unknown} what it has received, without times and what is random */
  get told() {
    const told = this.stream.filter(([event]) => event !== 'flush');
    let text = JSON.stringify(told, (key, value) =>
      key === 'handshake' ? handshakeOf(value) : value,
    );
    text = text.replace(/"\d{4}-\d\d-\d\dT[\d:.]+Z"/g, '"TIME"');
    for (const [id, name] of this.#names) {
      text = text.replaceAll(id, name).replaceAll(id.slice(0, 12), `${name}, 12`);
    }
    return JSON.parse(text);
  }
}

/** A handshake without what differs from one connection to the next. */
function handshakeOf({ time, issued, headers, url, query, ...rest }) {
  const { host, 'sec-websocket-key': key, 'user-agent': agent, ...others } = headers;
  const kinds = [time, issued, host, key, agent].map((value) => typeof value);
  return {
    ...rest,
    headers: others,
    url: url.replace(/&t=[^&]*/, ''),
    query: Object.keys(query),
    kinds,
  };
}

/** The figures of a server that do not depend on time. */
async function stats(page) {
  const [{ clientsCount, pollingClientsCount, aggregatedEvents, namespaces, serverId }] =
    await received(page.client, STATS);
  const kinds = new Set(aggregatedEvents.map(({ type, subType }) => `${type} ${subType}`));
  return { clientsCount, pollingClientsCount, kinds: [...kinds].sort(), namespaces, serverId };
}

/** The server of an application, with what its clients ask it for. */
function serve(io) {
  io.use((socket, next) => next(socket.handshake.auth.isRefused ? new Error('no') : undefined));
  io.on('connection', (socket) => {
    socket.data.visits = 1;
    socket.join(['readers', 'everybody']);
    socket.on('question', (value, acknowledge) => {
      socket.emit('news', value);
      io.to('readers').except('writers').volatile.emit('headline', value);
      socket.broadcast.compress(false).emit('gossip', { about: socket.data.visits });
      acknowledge?.(value);
    });
    socket.on('poll', async (acknowledge) => {
      acknowledge(await io.in('readers').timeout(5000).emitWithAck('vote', [1, null]));
    });
    socket.on('leave', (acknowledge) => {
      socket.leave('everybody');
      socket.data.visits += 1;
      acknowledge();
    });
    socket.on('end', () => socket.disconnect());
  });
  io.of('/news').on('connection', (socket) => socket.join('subscribers'));
  io.of(/^\/dynamic-\d+$/).on('connection', (socket) => socket.emit('welcome'));
}

/** Everything that clients and the administrator do, one after the other. */
async function playEverything(context, page) {
  const { io } = context;
  const ask = (client, ...args) => client.timeout(5000).emitWithAck(...args);

  // Clients come, by both transports and to several namespaces.
  const first = context.client('/', { transports: ['polling', 'websocket'] });
  await received(first, 'connect');
  page.name('first', io.sockets.sockets.get(first.id));
  await upgraded(io.sockets.sockets.get(first.id).conn);
  await page.settled();
  const second = (await context.connect('/')).client;
  second.on('vote', (options, acknowledge) => acknowledge(options));
  first.on('vote', (options, acknowledge) => acknowledge(Buffer.from('secret')));
  page.name('second', io.sockets.sockets.get(second.id));
  const news = first.io.socket('/news');
  await received(news, 'connect');
  page.name('news', io.of('/news').sockets.get(news.id));
  const dynamic = context.client('/dynamic-1');
  await received(dynamic, 'welcome');
  page.name('dynamic', io.of('/dynamic-1').sockets.get(dynamic.id));
  const refused = context.client('/', { auth: { isRefused: true } });
  assert.equal((await received(refused, 'connect_error'))[0].message, 'no');
  await page.settled();

  // They send and receive.
  assert.deepEqual(await ask(second, 'question', { ünï: [1, { two: null }] }), {
    ünï: [1, { two: null }],
  });
  await ask(second, 'question', Buffer.from('bytes'));
  await ask(first, 'question', 7);
  await ask(first, 'poll');
  await ask(first, 'leave');
  second.emit('nobody listens', undefined, true);
  await ask(second, 'leave');
  await page.settled();
  const figures = stats(page);

  // The administrator takes part.
  await page.command('join', '/', 'all of them');
  await page.command('join', '/', ['writers', 'authors'], first.id);
  await page.command('join', '/', 'authors', 'readers');
  await page.command('leave', '/', 'writers', first.id);
  await page.command('leave', '/', 'authors', 'readers');
  await page.command('leave', '/', 'all of them');
  await page.command('emit', '/', 'readers', 'headline', 'today', { more: [1] });
  await page.command('emit', '/', first.id, 'for you');
  await page.command('emit', '/news', undefined, 'breaking', Buffer.from('bytes'));
  await page.command('emit', '/nothing', 'nobody', 'heard');
  const answer = await figures;

  // They leave, each in another way.
  const ended = (namespace, client) =>
    once(io.of(namespace).sockets.get(client.id), 'disconnect').then(() => page.settled());
  let over = ended('/news', news);
  await page.command('_disconnect', '/news', false, news.id);
  await over;
  over = ended('/', second);
  second.emit('end');
  await over;
  over = ended('/', first);
  first.disconnect();
  await over;
  over = ended('/dynamic-1', dynamic);
  dynamic.io.engine.close();
  await over;
  const last = (await context.connect('/')).client;
  page.name('last', io.sockets.sockets.get(last.id));
  over = ended('/', last);
  await page.command('_disconnect', '/', true);
  await over;
  return answer;
}

/** @returns {Promise<void>} when a connection is a websocket */
async function upgraded(conn) {
  if (conn.transport.name !== 'websocket') await once(conn, 'upgrade');
}

/** What a page receives of everything, from before the first client on. */
const everything = (options, auth) => async (context) => {
  instrument(context.io, { ...MODES, ...options });
  serve(context.io);
  const page = await new Page(context, auth).ready();
  const figures = await playEverything(context, page);
  // A page that is opened later learns of what is there.
  const later = await new Page(context, auth).ready();
  later.name('page', page.socket);
  later.name('later', later.socket);
  page.name('later', later.socket);
  await page.settled();
  return { figures, told: page.told, later: later.told };
};

/** What both kinds of server report of the same. */
async function bothReport(probe) {
  const [expected, actual] = await Promise.all([run(socketIo.Server, probe), run(Server, probe)]);
  assert.deepEqual(actual, expected);
  return expected;
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

/** A client that comes, asks and goes, over the transports it is given. */
const counted = (transports) => async (context) => {
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

/** A client of a server that a LoopbackSocket serves, before and after it authenticates. */
async function watchAuthentication(context) {
  const { io } = context;
  instrument(io, MODES);
  io.of('/news');
  const instance = new LoopbackSocket('administered', 'none');
  instance.auth((socket, credentials) => credentials.token === 'valid');
  instance.defineMethod('greet', (socket, credentials, name) => `hello ${name}`);
  instance.start(io);
  const page = await new Page(context).ready();
  const clients = {};
  const heard = [];
  for (const [name, namespace] of [
    ['patient', '/'],
    ['pending', '/'],
  ]) {
    const { client, socket } = await context.connect(namespace);
    page.name(name, socket);
    clients[name] = client;
    client.onAny((...event) => heard.push([name, ...event]));
  }
  const { pending, patient } = clients;
  const gated = pending.io.socket('/news');
  gated.onAny((...event) => heard.push(['gated', ...event]));
  await received(gated, 'connect');
  page.name('gated', io.of('/news').sockets.get(gated.id));
  const later = await new Page(context).ready();
  page.name('later', later.socket);

  // The administrator finds pending sockets, but what it emits does not reach them.
  await page.command('join', '/', 'room');
  await page.command('emit', '/', 'room', 'early', 1);
  await page.command('emit', '/news', undefined, 'early', 2);
  const authenticated = received(pending, 'authenticated');
  pending.emit('authentication', { token: 'valid' });
  await authenticated;
  await page.command('emit', '/', 'room', 'late', 3);
  await page.command('emit', '/news', undefined, 'late', 4);
  assert.deepEqual(await pending.emitWithAck('greet', 'you'), { result: 'hello you' });
  const refused = received(patient, 'unauthorized');
  patient.emit('authentication', { token: 'wrong' });
  await refused;
  const ended = once(io.sockets.sockets.get(patient.id), 'disconnect');
  await page.command('_disconnect', '/', true, patient.id);
  await ended;
  await page.settled();
  const plain = heard.map((event) => event.filter((arg) => typeof arg !== 'function'));
  return {
    told: page.told,
    heard: plain,
    sockets: later.stream.find(([event]) => event === 'all_sockets')[1].length,
  };
}

/** @returns {string[]} the events of a stream, each once */
function kindsOf(told) {
  return [...new Set(told.map(([event]) => event))];
}

describe('@socket.io/admin-ui', () => {
  for (const transports of [['websocket'], ['polling']]) {
    it(
      `@socket.io/admin-ui counts the same packets and bytes as on socket.io over ${transports}`,
      TIMEOUT,
      async () => {
        const expected = await run(socketIo.Server, counted(transports));
        assert.ok(expected.bytesIn > 50 && expected.bytesOut > 100 && expected.packetsOut > 5);
        assert.deepEqual(await run(Server, counted(transports)), expected);
      },
    );
  }

  it(
    '@socket.io/admin-ui in development mode reports everything that it reports on socket.io',
    TIMEOUT,
    async () => {
      const { told, later, figures } = await bothReport(everything());
      assert.deepEqual(kindsOf(told).sort(), [
        'all_sockets',
        'config',
        'event_received',
        'event_sent',
        'room_joined',
        'room_left',
        'socket_connected',
        'socket_disconnected',
        'socket_updated',
      ]);
      assert.ok(told.length > 60, `${told.length} events`);
      assert.deepEqual(
        later.find(([event]) => event === 'all_sockets')[1].map(({ id }) => id),
        ['page', 'later'],
      );
      assert.equal(figures.clientsCount, 4);
      assert.ok(figures.kinds.includes('packetsOut undefined'));
    },
  );

  it(
    '@socket.io/admin-ui in production mode reports figures only and carries out commands, as on socket.io',
    TIMEOUT,
    async () => {
      const { told, figures } = await bothReport(everything({ mode: 'production' }));
      assert.deepEqual(kindsOf(told), ['config']);
      assert.ok(told[0][1].supportedFeatures.includes('MDISCONNECT'));
      assert.ok(!told[0][1].supportedFeatures.includes('ALL_EVENTS'));
      assert.equal(figures.namespaces.find(({ name }) => name === '/').socketsCount, 2);
    },
  );

  it(
    '@socket.io/admin-ui carries out no command when it is read-only, as on socket.io',
    TIMEOUT,
    async () => {
      const { told } = await bothReport(async (context) => {
        const { io } = context;
        instrument(io, { ...MODES, readonly: true });
        const page = await new Page(context).ready();
        const { client, socket, log } = await context.connect('/');
        page.name('app', socket);
        const arrived = new Promise((resolve) => {
          page.socket.onAny((event) => event === '_disconnect' && resolve());
        });
        page.client.emit('join', '/', 'room');
        page.client.emit('emit', '/', undefined, 'headline');
        page.client.emit('_disconnect', '/', true);
        await arrived;
        const answered = received(client, 'last');
        socket.emit('last');
        await answered;
        await page.settled();
        return { told: page.told, log, rooms: socket.rooms.size };
      });
      assert.deepEqual(told.find(([event]) => event === 'config')[1].supportedFeatures, [
        'AGGREGATED_EVENTS',
        'ALL_EVENTS',
      ]);
    },
  );

  it(
    '@socket.io/admin-ui lets in the administrator by password and then by session, and nobody else',
    TIMEOUT,
    async () => {
      const auth = { type: 'basic', username: 'admin', password: HASH };
      const outcome = await bothReport(async (context) => {
        instrument(context.io, { ...MODES, auth });
        const login = { username: 'admin', password: 'changeit' };
        const refused = [];
        for (const wrong of [{}, { ...login, password: 'guess' }, { sessionId: 'guess' }]) {
          const client = context.client('/admin', { auth: wrong });
          refused.push((await received(client, 'connect_error'))[0].message);
        }
        const page = await new Page(context, login).ready();
        const session = page.stream.find(([event]) => event === 'session');
        const again = await new Page(context, { sessionId: session[1] }).ready();
        const kinds = [page, again].map(({ stream }) => kindsOf(stream).sort());
        return { refused, kinds, length: session[1].length };
      });
      assert.deepEqual(outcome.refused, Array(3).fill('invalid credentials'));
    },
  );

  it('@socket.io/admin-ui shows a recovered socket as on socket.io', TIMEOUT, async () => {
    const probe = async (context) => {
      const { io } = context;
      instrument(io, MODES);
      serve(io);
      const page = await new Page(context).ready();
      const { client, socket } = await context.connect('/');
      page.name('app', socket);
      const news = received(client, 'news');
      socket.emit('news', 1);
      await news;
      await page.settled();
      const ended = once(socket, 'disconnect');
      client.io.engine.close();
      await ended;
      await page.settled();
      io.to('readers').emit('headline', 'missed');
      const missed = received(client, 'headline');
      client.connect();
      const [headline] = await missed;
      const again = io.sockets.sockets.get(client.id);
      page.name('app', again);
      await page.settled();
      // Each event ends with its offset; on socket.io listeners for outgoing events get that, too.
      const told = page.told.map((event) => event.slice(0, -1));
      const sent = told.find(([event]) => event === 'event_sent');
      sent[3] = sent[3].slice(0, 2);
      return { told, headline, recovered: again.recovered, visits: again.data.visits };
    };
    const options = { connectionStateRecovery: {} };
    const expected = await run(socketIo.Server, probe, options);
    const actual = await run(Server, probe, options);
    assert.deepEqual(actual, expected);
    assert.ok(actual.recovered);
  });

  it(
    'pending sockets are shown to @socket.io/admin-ui, but what it emits does not reach them, on both kinds of server',
    TIMEOUT,
    async () => {
      const { heard, told, sockets } = await bothReport(watchAuthentication);
      assert.deepEqual(heard, [
        ['pending', 'authenticated', true],
        ['pending', 'late', 3],
        ['gated', 'late', 4],
        ['patient', 'unauthorized', { message: 'Authentication failure' }],
      ]);
      assert.equal(sockets, 5, 'three of clients and those of two pages');
      const joined = told.filter(([event, , room]) => event === 'room_joined' && room === 'room');
      assert.deepEqual(
        joined.map(([, , , id]) => id),
        ['patient', 'pending'],
      );
    },
  );
});

/**
 * Runs a probe on two servers of a cluster.
 *
 * @param {number} port of Redis
 * @param {Function[]} classes of the servers
 * @param {(contexts: import('../support/context').Context[]) => Promise<unknown>} probe
 * @returns {Promise<unknown>} what it gives
 */
async function onTwo(port, classes, probe) {
  const clients = Array.from({ length: 4 }, () => new Redis(port));
  for (const client of clients) {
    // The admin UI sends figures of a server even when that is closed.
    const { publish } = client;
    client.publish = (...args) => Reflect.apply(publish, client, args).catch(() => {});
  }
  await Promise.all(clients.map((client) => once(client, 'ready')));
  const adapters = [createAdapter(...clients.slice(0, 2)), createAdapter(...clients.slice(2))];
  try {
    return await run(
      classes[0],
      (one) => run(classes[1], (other) => probe([one, other]), { adapter: adapters[1] }),
      { adapter: adapters[0] },
    );
  } finally {
    clients.forEach((client) => client.disconnect());
  }
}

/** What a page at the first of two servers receives about clients of both. */
const watchBoth = (options) => async (contexts) => {
  const ids = ['first server', 'second server'];
  contexts.forEach(({ io }, i) => {
    instrument(io, { ...MODES, serverId: ids[i], ...options });
    serve(io);
  });
  const [one, other] = contexts;
  const page = await new Page(one).ready();
  const steps = [];
  const step = async () => {
    // What the servers do at the same time arrives in any order.
    await page.settled();
    const flushed = received(page.client, 'flush');
    other.io.of('/admin').emit('flush');
    await flushed;
    steps.push(page.told.map((event) => JSON.stringify(event)).sort());
    page.stream.length = 0;
  };
  await step();
  const sockets = [];
  const clients = [];
  for (const [i, context] of contexts.entries()) {
    const { client, socket } = await context.connect('/');
    page.name(`client ${i}`, socket);
    sockets.push(socket);
    clients.push(client);
    await step();
  }
  assert.equal(await clients[1].timeout(5000).emitWithAck('question', 'far'), 'far');
  await step();
  page.client.emit('join', '/', 'both');
  await reach(() => sockets.every(({ rooms }) => rooms.has('both')));
  await step();
  const headlines = clients.map((client) => received(client, 'headline'));
  page.client.emit('emit', '/', 'both', 'headline', 1);
  await Promise.all(headlines);
  await step();
  page.client.emit('leave', '/', 'both', sockets[1].id);
  await reach(() => !sockets[1].rooms.has('both'));
  await step();
  const later = await new Page(one).ready();
  page.name('later', later.socket);
  await reach(
    () => later.stream.some(([event]) => event === 'all_sockets') || options.mode === 'production',
  );
  await step();
  const figures = new Map();
  page.client.on(STATS, ({ serverId, clientsCount, pollingClientsCount, namespaces }) => {
    figures.set(serverId, { clientsCount, pollingClientsCount, namespaces });
  });
  await reach(() => figures.size === 2);
  const gone = once(sockets[1], 'disconnect');
  page.client.emit('_disconnect', '/', true, sockets[1].id);
  await gone;
  await step();
  later.stream = later.stream.filter(([event]) => event === 'all_sockets');
  for (const [, all] of later.stream) all.sort((a, b) => a.id.localeCompare(b.id));
  const shown = later.stream.flatMap(([, all]) => all);
  const data = shown.map((socket) => [
    socket.nsp,
    socket.data,
    socket.transport,
    socket.rooms.length,
  ]);
  return { steps, figures: ids.map((id) => figures.get(id)), data: data.map(String).sort() };
};

describe(
  '@socket.io/admin-ui on two servers',
  { skip: !isInstalled() && 'redis-server is not installed' },
  () => {
    let redis;
    const expected = new Map();
    before(async () => {
      redis = await startRedis();
      for (const mode of ['development', 'production']) {
        const npm = [socketIo.Server, socketIo.Server];
        expected.set(mode, await onTwo(redis.port, npm, watchBoth({ mode })));
      }
    });
    after(() => redis.stop());

    for (const [name, classes] of [
      ['a native server and one of npm', [Server, socketIo.Server]],
      ['a server of npm and a native one', [socketIo.Server, Server]],
      ['two native servers', [Server, Server]],
    ]) {
      for (const mode of ['development', 'production']) {
        it(
          `@socket.io/admin-ui in ${mode} mode shows ${name} as it shows two of npm`,
          TIMEOUT,
          async () => {
            const told = await onTwo(redis.port, classes, watchBoth({ mode }));
            assert.deepEqual(told, expected.get(mode));
            assert.ok(told.figures.every(({ clientsCount }) => clientsCount > 0));
          },
        );
      }
    }
  },
);
