'use strict';

// One probe for each member that works as on socket.io: it is run on both servers, and what it gives
// must be equal. Keyed as the rows of docs/socketio-api.md are.

const { once } = require('node:events');
const http = require('node:http');
const { Adapter: InMemoryAdapter } = require('socket.io-adapter-2.5');
const WebSocket = require('ws');
const { heard, received } = require('../../support/context');

const wait = (emitter, event) => once(emitter, event);
const sorted = (values) => [...values].sort();

/**
 * What acts on a choice of sockets.
 * @param {(context: object) => object} choose - gives the object to probe
 * @param {string} [nsp] - where
 * @returns {Record<string, Function>}
 */
function audience(choose, nsp = '/') {
  const send = (act) => async (context) => {
    const peers = await context.three(nsp);
    await heard(...peers);
    const chosen = choose(context);
    const result = act(chosen);
    return [result === chosen || result === true, await heard(...peers)];
  };
  const change = (act) => async (context) => {
    const peers = await context.three(nsp);
    act(choose(context));
    return peers.map(({ socket }) => sorted(socket.rooms).filter((room) => room !== socket.id));
  };
  return {
    'to(room)': send((to) => {
      to.to('a').emit('one', 1);
      to.to(['a', 'b']).emit('array', 2);
      to.to('a').to('b').emit('chain', 3);
      to.to('nobody').emit('nobody', 4);
      return true;
    }),
    'in(room)': send((to) => to.in('b').emit('one', { nested: [1, null, 'x'] })),
    'except(room)': send((to) => {
      to.except('a').emit('one', 1);
      to.to('b').except('a').emit('both', 2);
      return to.except(['a', 'b']).emit('none', 3);
    }),
    local: send((to) => to.local.emit('one', Buffer.from('bytes'))),
    volatile: send((to) => to.volatile.emit('one', 1)),
    'compress(boolean)': send((to) => {
      to.compress(false).emit('one', 1);
      to.compress(true).emit('two', 2);
      return true;
    }),
    'emit(event, …)': send((to) => to.emit('one', 1, 'two', [3], { four: 4 }, null)),
    'fetchSockets()': async (context) => {
      const peers = await context.three(nsp);
      const all = await choose(context).fetchSockets();
      const some = await choose(context).in('a').except('b').fetchSockets();
      const names = (sockets) =>
        sockets.map(({ id }) => peers.findIndex(({ socket }) => socket.id === id)).sort();
      return [
        names(all),
        names(some),
        all.every((found) => peers.some(({ socket }) => socket === found)),
      ];
    },
    'allSockets()': async (context) => {
      const peers = await context.three(nsp);
      const ids = await choose(context).allSockets();
      return [ids instanceof Set, peers.map(({ socket }) => ids.has(socket.id))];
    },
    'socketsJoin(rooms)': change((to) => [to.socketsJoin('c'), to.socketsJoin(['d', 'e'])]),
    'socketsLeave(rooms)': change((to) => [to.socketsLeave('a'), to.socketsLeave(['b', 'z'])]),
    'disconnectSockets(close)': async (context) => {
      const peers = await context.three(nsp);
      const ends = peers.map(({ client }) => received(client, 'disconnect'));
      const reasons = peers.map(({ socket }) => wait(socket, 'disconnect'));
      choose(context).disconnectSockets(true);
      return [
        (await Promise.all(ends)).map(([reason]) => reason),
        (await Promise.all(reasons)).map(([reason]) => reason),
      ];
    },
  };
}

/**
 * What a server and a namespace have besides.
 * @param {(context: object) => object} choose - gives the object to probe
 * @param {string} [nsp] - where
 * @returns {Record<string, Function>}
 */
function namespaceOf(choose, nsp = '/') {
  const say = (act) => async (context) => {
    const peer = await context.connect(nsp);
    const chosen = choose(context);
    return [act(chosen) === chosen, await heard(peer)];
  };
  return {
    ...audience(choose, nsp),
    'send(…)': say((to) => to.send('hello', 1)),
    'write(…)': say((to) => to.write('hello', 1)),
    'use(middleware)': async (context) => {
      const chosen = choose(context);
      const order = [];
      const chained = chosen.use((socket, next) => {
        order.push(socket.connected);
        setImmediate(next);
      });
      chosen.use((socket, next) => {
        order.push(socket.handshake.auth);
        const error = new Error('not today');
        error.data = { why: ['closed'] };
        next(socket.handshake.auth.allowed ? undefined : error);
      });
      const refused = context.client(nsp);
      const [error] = await received(refused, 'connect_error');
      const { socket } = await context.connect(nsp, { auth: { allowed: true } });
      return [chained === chosen, order, error.message, error.data, socket.connected];
    },
    'on(event, listener)': async (context) => {
      const chosen = choose(context);
      const order = [];
      chosen.on('connect', (socket) => order.push(['connect', socket.connected]));
      chosen.on('connection', (socket) => order.push(['connection', socket.rooms.size]));
      await context.connect(nsp);
      await context.connect(nsp);
      return order;
    },
    'once(event, listener)': async (context) => {
      let times = 0;
      choose(context).once('connection', () => (times += 1));
      await context.connect(nsp);
      await context.connect(nsp);
      return times;
    },
    'listeners(event)': (context) => {
      const listener = () => {};
      const chosen = choose(context).on('connection', listener);
      return [chosen.listeners('connection').includes(listener), chosen.listeners('other')];
    },
  };
}

const io = ({ io }) => io;

/** The name of what a server is attached to, and that a client reaches it. */
const attached = async (server, port) => {
  const { io: connectTo } = require('socket.io-client');
  if (!server.httpServer.listening) {
    await once(server.httpServer, 'listening');
  }
  const { port: taken } = server.httpServer.address();
  const client = connectTo(`http://localhost:${taken}`, { reconnection: false });
  await received(client, 'connect');
  client.disconnect();
  await server.close();
  return port === taken || port === 0;
};

const Server = {
  ...namespaceOf(io),
  'new Server(httpServer, options)': ({ Server }) => {
    const httpServer = http.createServer().listen(0);
    return attached(new Server(httpServer, { serveClient: false }), 0);
  },
  'new Server(port, options)': ({ Server }) => attached(new Server(0, { serveClient: false }), 0),
  'new Server(options)': ({ Server }) => {
    const server = new Server({ path: '/other' });
    return [server.path(), server.httpServer === undefined];
  },
  'attach(httpServer, options)': async ({ Server }) => {
    const httpServer = http.createServer();
    const server = new Server();
    const chained = server.attach(httpServer, { serveClient: false }) === server;
    httpServer.listen(0);
    return [chained, await attached(server, 0), server.httpServer === httpServer];
  },
  'listen(port, options)': async ({ Server }) => {
    const server = new Server();
    return [server.listen(0) === server, await attached(server, 0)];
  },
  'of(name)': async (context) => {
    const early = context.io.of('early', (socket) => socket.emit('welcome', socket.nsp.name));
    const { log, socket } = await context.connect('/early');
    const same = context.io.of('/early') === early;
    const [error] = await received(context.client('/never'), 'connect_error');
    return [same, early.name, await heard({ log, socket }), error.message];
  },
  'of(regexp)': async (context) => {
    const names = [];
    context.io.of(/^\/shop-\d+$/).on('connection', (socket) => names.push(socket.nsp.name));
    await context.connect('/shop-1', { isNew: true });
    await context.connect('/shop-2', { isNew: true });
    const [error] = await received(context.client('/shop-x'), 'connect_error');
    return [names, error.message];
  },
  'of(function)': async (context) => {
    const asked = [];
    context.io.of((name, auth, next) => {
      asked.push([name, auth]);
      setImmediate(next, null, name === '/yes');
    });
    await context.connect('/yes', { isNew: true, auth: { token: 1 } });
    const [error] = await received(context.client('/no'), 'connect_error');
    return [asked, error.message];
  },
  sockets: ({ io }) => io.sockets === io.of('/'),
  httpServer: ({ io }) => io.httpServer instanceof http.Server,
  'path()': ({ io, Server }) => [io.path(), new Server({ path: '/other/' }).path()],
  'serveClient()': ({ io, Server }) => [
    io.serveClient(),
    new Server({ serveClient: false }).serveClient(),
  ],
  'connectTimeout()': ({ io, Server }) => [
    io.connectTimeout(),
    new Server({ connectTimeout: 5 }).connectTimeout(),
  ],
  'adapter(value)': async (context) => {
    const { io } = context;
    const chained = io.adapter(InMemoryAdapter) === io;
    const peer = await context.connect();
    peer.socket.join('room');
    io.to('room').emit('one', 1);
    const later = io.of('/later').adapter;
    return [
      chained,
      io.adapter() === InMemoryAdapter,
      [io.of('/').adapter, later].map((it) => it instanceof InMemoryAdapter),
      await heard(peer),
    ];
  },
  'close(callback)': async (context) => {
    const { client, socket } = await context.connect();
    const ends = [received(client, 'disconnect'), wait(socket, 'disconnect')];
    const error = await new Promise((resolve) => context.io.close(resolve));
    const [[seen], [reason]] = await Promise.all(ends);
    return [error, seen, reason, context.io.httpServer.listening];
  },
};

const Namespace = {
  ...namespaceOf(({ io }) => io.of('/room'), '/room'),
  name: ({ io }) => [io.of('/room').name, io.of('slashless').name, io.of('').name],
  server: ({ io }) => io.of('/room').server === io,
  'adapter = value': async (context) => {
    const namespace = context.io.of('/room');
    const set = new InMemoryAdapter(namespace);
    namespace.adapter = set;
    const peer = await context.connect('/room');
    namespace.emit('one', 1);
    return [namespace.adapter === set, set.sids.has(peer.socket.id), await heard(peer)];
  },
  sockets: async (context) => {
    context.io.of('/room');
    const { socket, client } = await context.connect('/room');
    const { sockets } = context.io.of('/room');
    const before = [sockets instanceof Map, sockets.get(client.id) === socket, sockets.size];
    const left = wait(socket, 'disconnect');
    client.disconnect();
    await left;
    return [before, sockets.size];
  },
};

const BroadcastOperator = {
  ...audience(({ io }) => io.to('all')),
  'emitWithAck(event, …)': async (context) => {
    const [first] = await context.three();
    const answers = await context.io.timeout(5000).emitWithAck('ask', 'x');
    const some = await context.io.to('a').timeout(5000).emitWithAck('ask', 'y');
    const nobody = await context.io.to('nobody').timeout(5000).emitWithAck('ask', 'z');
    first.client.off('ask');
    const error = await context.io
      .timeout(50)
      .emitWithAck('ask', 'late')
      .catch((reason) => reason);
    return [answers, some, nobody, error instanceof Error, error.responses];
  },
};

/** A probe of what one socket does, with its peer. */
const one = (act) => async (context) => {
  const peer = await context.connect();
  return act(peer.socket, peer, context);
};
/** What the events of a connection tell of the packets that come. */
function packets(event) {
  return one(async (socket, { client }) => {
    const got = [];
    socket.conn.on(event, (packet) => got.push(packet));
    socket.on('question', (bytes, acknowledge) => acknowledge(bytes));
    await client.emitWithAck('question', Buffer.from('why'));
    client.emit('thanks', { a: [1] });
    await wait(socket, 'thanks');
    return got.slice();
  });
}
/** A probe of what one of three sockets says to the others. */
const others = (act) => async (context) => {
  const peers = await context.three();
  await heard(...peers);
  act(peers[0].socket);
  return heard(...peers);
};

const Socket = {
  id: one((socket, { client }) => [socket.id === client.id, typeof socket.id]),
  nsp: one((socket, peer, { io }) => socket.nsp === io.of('/')),
  request: one((socket) => [socket.request.method, socket.request.url.split('?')[0]]),
  handshake: async (context) => {
    const { socket } = await context.connect('/', {
      auth: { token: ['a'] },
      query: { name: 'ünï', empty: '' },
      extraHeaders: { 'x-test': 'yes', origin: 'http://elsewhere' },
    });
    const { headers, time, issued, address, url, query, ...rest } = socket.handshake;
    const { t, ...asked } = query;
    return [
      headers['x-test'],
      new Date(time).getTime() > 0,
      Math.abs(Date.now() - issued) < 60_000,
      address,
      url.split('?')[0],
      asked,
      rest,
    ];
  },
  data: one((socket) => {
    const before = socket.data;
    socket.data.seen = 1;
    return [before, (socket.data = { other: 2 }), socket.data];
  }),
  connected: one(async (socket, { client }) => {
    const before = socket.connected;
    const states = [];
    socket.on('disconnecting', () => states.push(socket.connected));
    const left = wait(socket, 'disconnect');
    client.disconnect();
    await left;
    return [before, states, socket.connected];
  }),
  disconnected: one((socket) => [socket.disconnected, socket.disconnect().disconnected]),
  recovered: one((socket) => socket.recovered),
  'on(event, listener)': one(async (socket, { client }) => {
    const got = [];
    const chained = socket.on('hello', (...args) => got.push(args)) === socket;
    socket.on('sum', (a, b, acknowledge) => acknowledge(a + b, 'more'));
    client.emit('hello', 1, { two: [2] }, Buffer.from('three'), null);
    const sum = await new Promise((resolve) => {
      client.emit('sum', 1, 2, (...args) => resolve(args));
    });
    return [chained, got, sum];
  }),
  'once(event, listener)': one(async (socket, { client }) => {
    let times = 0;
    socket.once('hello', () => (times += 1));
    const last = wait(socket, 'last');
    client.emit('hello').emit('hello').emit('last');
    await last;
    return times;
  }),
  'listeners(event)': one((socket) => {
    const listener = () => {};
    socket.on('hello', listener);
    return [socket.listeners('hello')[0] === listener, socket.listeners('other').length];
  }),
  'onAny(listener)': one(async (socket, { client }) => {
    const got = [];
    socket.onAny((...event) => got.push(event.map((arg) => typeof arg)));
    socket.on('b', (acknowledge) => acknowledge());
    client.emit('a', 1);
    await client.emitWithAck('b');
    return got;
  }),
  'prependAny(listener)': one(async (socket, { client }) => {
    const order = [];
    socket.onAny(() => order.push('second'));
    socket.prependAny(() => order.push('first'));
    const last = wait(socket, 'last');
    client.emit('last');
    await last;
    return order;
  }),
  'offAny(listener)': one((socket) => {
    const [first, second] = [() => {}, () => {}];
    socket.onAny(first).onAny(second).offAny(first);
    const left = socket.listenersAny().map((listener) => listener === second);
    return [left, socket.offAny().listenersAny()];
  }),
  'listenersAny()': one((socket) => [
    socket.listenersAny(),
    socket.onAny(() => {}).listenersAny().length,
  ]),
  'onAnyOutgoing(listener)': async (context) => {
    const [peer, other] = await context.three();
    const got = [];
    peer.socket.onAnyOutgoing((...event) => got.push(event));
    peer.socket.emit('a', 1);
    context.io.to('a').emit('b', 2);
    other.socket.to('all').emit('c', 3);
    context.io.to('b').emit('d', 4);
    peer.socket.to('all').emit('e', 5);
    return got;
  },
  'prependAnyOutgoing(listener)': one((socket) => {
    const order = [];
    socket.onAnyOutgoing(() => order.push('second'));
    socket.prependAnyOutgoing(() => order.push('first'));
    socket.emit('a');
    return order;
  }),
  'offAnyOutgoing(listener)': one((socket) => {
    const [first, second] = [() => {}, () => {}];
    socket.onAnyOutgoing(first).onAnyOutgoing(second).offAnyOutgoing(first);
    const left = socket.listenersAnyOutgoing().map((listener) => listener === second);
    return [left, socket.offAnyOutgoing().listenersAnyOutgoing()];
  }),
  'listenersAnyOutgoing()': one((socket) => [
    socket.listenersAnyOutgoing(),
    socket.onAnyOutgoing(() => {}).listenersAnyOutgoing().length,
  ]),
  'use(middleware)': one(async (socket, { client }) => {
    const got = [];
    const chained = socket.use((event, next) => {
      got.push(event.slice());
      event[1] = 'changed';
      setImmediate(next);
    });
    socket.use(([event], next) => next(event === 'bad' ? new Error('bad one') : undefined));
    socket.on('bad', () => got.push(['never']));
    const passed = wait(socket, 'good');
    client.emit('good', 1);
    got.push(['listener', ...(await passed)]);
    const failed = wait(socket, 'error');
    client.emit('bad', 2);
    const [error] = await failed;
    return [chained === socket, got, error.message];
  }),
  'emit(event, …)': one(async (socket, peer) => {
    const result = socket.emit('one', 1, 'two', { three: Buffer.from('3') }, [undefined], null);
    const answer = await new Promise((resolve) => {
      socket.emit('ask', 'x', (...args) => resolve(args));
    });
    return [result, answer, await heard(peer)];
  }),
  'emitWithAck(event, …)': one(async (socket, { client }) => {
    client.on('nothing', (acknowledge) => acknowledge());
    return [await socket.emitWithAck('ask', 'x'), await socket.emitWithAck('nothing')];
  }),
  'send(…)': one(async (socket, peer) => [socket.send('a', 1) === socket, await heard(peer)]),
  'write(…)': one(async (socket, peer) => [socket.write('a', 1) === socket, await heard(peer)]),
  volatile: one(async (socket, peer) => {
    await heard(peer);
    return [socket.volatile === socket, socket.volatile.emit('one', 1), await heard(peer)];
  }),
  'compress(boolean)': one(async (socket, peer) => {
    await heard(peer);
    const isItself = socket.compress(false) === socket;
    socket.emit('one', 1);
    socket.compress(true).emit('two', 2);
    return [isItself, await heard(peer)];
  }),
  broadcast: others((socket) => {
    socket.broadcast.emit('one', 1);
    socket.broadcast.to('a').emit('two', 2);
    socket.broadcast.except('a').emit('three', 3);
  }),
  local: others((socket) => socket.local.emit('one', 1)),
  'to(room)': others((socket) => {
    socket.to('a').emit('one', 1);
    socket.to(['a', 'b']).to('nobody').emit('two', 2);
  }),
  'in(room)': others((socket) => socket.in('b').emit('one', 1)),
  'except(room)': others((socket) => socket.except('a').emit('one', 1)),
  'disconnect(close)': async (context) => {
    context.io.of('/room');
    const { client, socket } = await context.connect();
    const beside = client.io.socket('/room');
    await received(beside, 'connect');
    const end = received(client, 'disconnect');
    const chained = socket.disconnect() === socket;
    const [seen] = await end;
    const still = beside.connected;
    const [other] = await context.io.of('/room').fetchSockets();
    const both = [received(beside, 'disconnect'), wait(other, 'disconnect')];
    other.disconnect(true);
    const [[reason], [why]] = await Promise.all(both);
    return [chained, seen, still, reason, why, client.io.engine.readyState];
  },
};

const adapter = (act) => async (context) => {
  const peers = await context.three();
  return act(context.io.of('/').adapter, peers, context);
};

const Adapter = {
  nsp: adapter((view, peers, { io }) => view.nsp === io.of('/')),
  'sockets(rooms)': adapter(async (view, peers) => {
    const has = (ids) => peers.map(({ socket }) => ids.has(socket.id));
    return [has(await view.sockets(new Set(['a']))), has(await view.sockets(new Set()))];
  }),
  'serverCount()': adapter((view) => view.serverCount()),
};

const Engine = {
  clientsCount: async (context) => {
    const before = context.io.engine.clientsCount;
    const { client, socket } = await context.connect();
    const during = context.io.engine.clientsCount;
    const closed = wait(socket.conn, 'close');
    client.disconnect();
    await closed;
    return [before, during, context.io.engine.clientsCount];
  },
  'use(middleware)': async (context) => {
    const seen = [];
    context.io.engine.use((req, res, next) => {
      seen.push([req.method, req.url.split('?')[0]]);
      res.setHeader('x-served-by', 'middleware');
      setImmediate(next);
    });
    const response = await fetch(`${context.url}/socket.io/?EIO=4&transport=polling`);
    await context.connect();
    return [response.status, response.headers.get('x-served-by'), seen];
  },
  'close()': async (context) => {
    const { client } = await context.connect();
    const end = received(client, 'disconnect');
    const chained = context.io.engine.close() === context.io.engine;
    return [chained, (await end)[0]];
  },
};

const Connection = {
  id: one((socket, { client }) => socket.conn.id === client.io.engine.id),
  protocol: one((socket) => socket.conn.protocol),
  remoteAddress: one((socket) => socket.conn.remoteAddress === socket.handshake.address),
  request: one((socket) => {
    const before = socket.conn.request === socket.request;
    delete socket.conn.request;
    return [before, socket.conn.request];
  }),
  upgraded: async (context) => {
    const { socket } = await context.connect('/', { transports: ['polling', 'websocket'] });
    if (!socket.conn.upgraded) {
      await wait(socket.conn, 'upgrade');
    }
    return [socket.conn.upgraded, socket.conn.transport.name];
  },
  readyState: one(async (socket, { client }) => {
    const { conn } = socket;
    const before = conn.readyState;
    const closed = wait(conn, 'close');
    client.disconnect();
    await closed;
    return [before, conn.readyState];
  }),
  'close()': one(async (socket, { client }) => {
    const both = [received(client, 'disconnect'), wait(socket, 'disconnect')];
    socket.conn.close();
    const [[seen], [reason]] = await Promise.all(both);
    return [seen, reason];
  }),
};

const Client = {
  conn: one((socket) => socket.client.conn === socket.conn),
  request: one((socket) => socket.client.request === socket.request),
};

/** What an emitter says while clients come, do something and go. */
const events =
  (of, event, act = () => {}) =>
  async (context) => {
    const got = [];
    of(context).on(event, (...args) => got.push(args.map(shape)));
    await act(context);
    return got;
  };
/** A name stays itself; an id is told from a name by its length. */
const shape = (value) => (String(value).length < 10 ? value : typeof value);
const comes = async (context) => {
  context.io.of('/room');
  await context.connect();
};
const rooms = async (context) => {
  const { socket, client } = await context.connect();
  socket.join('a');
  socket.join(['a', 'b']);
  socket.leave('a');
  const left = wait(socket, 'disconnect');
  client.disconnect();
  await left;
};
const ofAdapter = ({ io }) => io.of('/').adapter;
const ofEngine = ({ io }) => io.engine;

const Events = {
  'io: connection': events(io, 'connection', comes),
  'io: connect': events(io, 'connect', comes),
  'io: new_namespace': async (context) => {
    const names = [];
    context.io.on('new_namespace', ({ name }) => names.push(name));
    context.io.of('/one');
    context.io.of('/one');
    context.io.of(/^\/two/);
    await context.connect('/two-2', { isNew: true });
    return names;
  },
  'socket: disconnecting': one(async (socket, { client }) => {
    const got = [];
    socket.join('a');
    socket.on('disconnecting', (reason) => got.push([reason, socket.rooms.size, socket.connected]));
    const left = wait(socket, 'disconnect');
    client.disconnect();
    await left;
    return [got, socket.rooms.size];
  }),
  'socket: disconnect': async (context) => {
    const ways = [
      ({ client }) => client.disconnect(),
      ({ socket }) => socket.disconnect(),
      ({ socket }) => socket.disconnect(true),
      ({ client }) => client.io.engine.close(),
      ({ socket }) => socket.nsp.disconnectSockets(),
    ];
    const reasons = [];
    for (const end of ways) {
      const peer = await context.connect();
      const left = wait(peer.socket, 'disconnect');
      end(peer);
      reasons.push((await left)[0]);
    }
    return reasons;
  },
  'socket: error': one(async (socket, { client }) => {
    socket.use((event, next) => next(new Error('no')));
    const failed = wait(socket, 'error');
    client.emit('anything');
    return (await failed)[0].message;
  }),
  'adapter: create-room': events(ofAdapter, 'create-room', rooms),
  'adapter: delete-room': events(ofAdapter, 'delete-room', rooms),
  'adapter: join-room': events(ofAdapter, 'join-room', rooms),
  'adapter: leave-room': events(ofAdapter, 'leave-room', rooms),
  'engine: connection': events(ofEngine, 'connection', comes),
  'engine: connection_error': async (context) => {
    const got = [];
    context.io.engine.on('connection_error', ({ req, code, message, context: more }) => {
      got.push([req.url, code, message, more]);
    });
    const statuses = [];
    for (const query of ['EIO=4', 'EIO=4&transport=pigeon', 'EIO=4&transport=polling&sid=none']) {
      statuses.push((await fetch(`${context.url}/socket.io/?${query}`)).status);
    }
    const post = { method: 'POST', body: '' };
    statuses.push((await fetch(`${context.url}/socket.io/?EIO=4&transport=polling`, post)).status);
    return [statuses, got];
  },
  'engine: initial_headers': async (context) => {
    context.io.engine.on('initial_headers', (headers, req) => {
      headers['x-initial'] = req.method;
    });
    const response = await fetch(`${context.url}/socket.io/?EIO=4&transport=polling`);
    return response.headers.get('x-initial');
  },
  'engine: headers': async (context) => {
    context.io.engine.on('headers', (headers, req) => {
      headers['x-every'] = req.method;
    });
    const response = await fetch(`${context.url}/socket.io/?EIO=4&transport=polling`);
    return response.headers.get('x-every');
  },
  'conn: upgrade': async (context) => {
    const { socket, client } = await context.connect('/', { transports: ['polling', 'websocket'] });
    const before = socket.conn.transport.name;
    if (before === 'polling') {
      const [transport] = await wait(socket.conn, 'upgrade');
      return [transport.name, socket.conn.transport.name, client.connected];
    }
    return ['websocket', before, client.connected];
  },
  'conn: packet': packets('packet'),
  'conn: message': packets('message'),
  'conn: data': packets('data'),
  // A client of Engine.IO 3 says when.
  'conn: heartbeat': async (context) => {
    context.io.engine.opts.allowEIO3 = true;
    const connected = wait(context.io.engine, 'connection');
    const url = `${context.url.replace('http', 'ws')}/socket.io/?EIO=3&transport=websocket`;
    const client = new WebSocket(url);
    const [[conn]] = await Promise.all([connected, wait(client, 'open')]);
    const got = [];
    conn.on('heartbeat', (...args) => got.push(args));
    for (let n = 0; n < 2; n++) {
      const beat = wait(conn, 'heartbeat');
      client.send('2');
      await beat;
    }
    client.terminate();
    return got;
  },
  'conn: close': one(async (socket, { client }) => {
    const closed = wait(socket.conn, 'close');
    client.disconnect();
    return (await closed)[0];
  }),
};

module.exports = {
  Server,
  Namespace,
  BroadcastOperator,
  Socket,
  Adapter,
  Engine,
  Connection,
  Client,
  Events,
};
