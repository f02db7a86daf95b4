'use strict';

/**
 * What a node does for the test process: its server's methods, run as the steps of a `Chain`, and what a test needs to
 * know of the node besides. Values that leave the process are descriptions: no sockets, no functions.
 */

const { once } = require('node:events');
const http = require('node:http');
const LoopbackSocket = require('../..');
const { ADAPTERS } = require('./adapters');

/** Namespaces that are made when clients ask for them. */
const DYNAMIC = /^\/dynamic-\w+$/;

/** What the adapter has asked its service for and was not confirmed yet. */
const pending = new Set();

let io;
let name;
/** The namespace that makes those. */
let parent;
/** What the program of the test gives, if the node was started with one. */
let program;

/**
 * @param {string} event
 * @param {...unknown} args
 * @returns {void}
 */
function notify(event, ...args) {
  process.send({ scale: 'notice', event, args });
}

/**
 * @param {any} value
 * @returns {unknown} what can be told of it to another process
 */
function describe(value) {
  if (Array.isArray(value)) return value.map(describe);
  if (typeof value === 'function') return undefined;
  if (typeof value !== 'object' || value === null) return value;
  if (value.handshake !== undefined) {
    const { id, data, rooms, handshake } = value;
    const { headers, address, query, auth, secure } = handshake;
    return {
      id,
      data,
      rooms: [...rooms].sort(),
      handshake: { headers, address, query: { ...query }, auth, secure },
    };
  }
  const isPlain = [Object.prototype, null].includes(Object.getPrototypeOf(value));
  const isCloneable = isPlain || value instanceof Set || ArrayBuffer.isView(value);
  return isCloneable ? value : undefined;
}

/**
 * Calls a method whose last argument is `(error, responses)`.
 *
 * @param {string} method
 * @returns {(target: any, ...args: unknown[]) => Promise<{error?: string, responses: unknown}>}
 */
function withCallback(method) {
  return (target, ...args) =>
    new Promise((resolve) => {
      target[method](...args, (error, responses) => {
        resolve({ error: error?.message, responses: responses ?? error?.responses });
      });
    });
}

/** The steps of a chain: what each does to what the one before gave. */
const STEPS = {
  emitWithCallback: withCallback('emit'),
  serverSideEmitWithCallback: withCallback('serverSideEmit'),
  serverCount: (target) => target.adapter.serverCount(),
};
for (const property of ['local', 'volatile', 'broadcast']) {
  STEPS[property] = (target) => target[property];
}
for (const method of [
  'allSockets',
  'compress',
  'disconnect',
  'disconnectSockets',
  'emit',
  'emitWithAck',
  'except',
  'fetchSockets',
  'in',
  'join',
  'leave',
  'serverSideEmit',
  'serverSideEmitWithAck',
  'socketsJoin',
  'socketsLeave',
  'timeout',
  'to',
]) {
  STEPS[method] = (target, ...args) => target[method](...args);
}

/**
 * @param {string} namespace
 * @param {string} id
 * @returns {any} the socket of that id on this node
 */
function socketOf(namespace, id) {
  const socket = io.of(namespace).sockets.get(id);
  if (socket === undefined) throw new Error(`${name} has no socket ${id} in ${namespace}`);
  return socket;
}

/** Where a chain begins. */
const STARTS = {
  namespace: (namespace) => io.of(namespace),
  parent: () => parent,
  socket: socketOf,
  remote: async (namespace, id) => {
    const sockets = await io.of(namespace).in(id).fetchSockets();
    if (sockets.length !== 1) throw new Error(`${sockets.length} sockets have the id ${id}`);
    return sockets[0];
  },
};

/**
 * @param {{start: [string, ...string[]], steps: [string, ...unknown[]][]}} chain
 * @returns {unknown} what its last step gives
 */
function runSteps({ start: [kind, ...where], steps }) {
  const begin = STARTS[kind](...where);
  const proceed = (target) =>
    steps.reduce((current, [step, ...args]) => STEPS[step](current, ...args), target);
  return kind === 'remote' ? begin.then(proceed) : proceed(begin);
}

/**
 * What nodes answer each other by `serverSideEmit`.
 *
 * @param {string} namespace
 * @returns {void}
 */
function answerServers(namespace) {
  const nsp = io.of(namespace);
  nsp.on('news', (...args) => notify('news', namespace, ...args));
  nsp.on('who', (...args) => args.pop()(args.length === 0 ? name : [name, ...args]));
  nsp.on('silence', () => {});
  nsp.on('pass on', (...args) => nsp.local.emit(...args));
}

/**
 * What applications do when a client comes, speaks and goes.
 *
 * @param {any} socket
 * @returns {void}
 */
function serve(socket) {
  const { nsp, id } = socket;
  socket.on('disconnect', (reason) => notify('disconnect', nsp.name, id, reason));
  socket.on('question', (...args) => args.pop()(...args));
  socket.on('shout', (text, answer) => {
    nsp.emit('shouted', text);
    answer(text);
  });
  socket.on('disconnecting', () => {
    const rooms = [...socket.rooms].filter((room) => String(room).startsWith('farewell'));
    rooms.forEach((room) => socket.to(room).emit('farewell', id));
  });
  const { greets } = socket.handshake.auth ?? {};
  if (greets) nsp.emit('greeting', greets);
}

/**
 * Middleware that has sockets join the room their clients ask for.
 *
 * @param {any} socket
 * @param {() => void} next
 * @returns {void}
 */
function joinEarly(socket, next) {
  const { room } = socket.handshake.auth ?? {};
  if (room !== undefined) socket.join(room);
  next();
}

/**
 * @param {any} server
 * @returns {LoopbackSocket} that accepts the token `valid`
 */
function authenticating(server) {
  const sockets = new LoopbackSocket('scale', 'none');
  sockets.auth((socket, credentials) => credentials?.token === 'valid');
  sockets.defineMethod('echo', (socket, credentials, args) => args);
  sockets.defineMethod('announce', (socket, credentials, args) => {
    io.emit('announcement', args);
  });
  sockets.start(server);
  return sockets;
}

/** What the test process asks for, by name. */
const OPERATIONS = {
  /**
   * @param {object} config see `Cluster.start`
   * @returns {Promise<{port: number}>}
   */
  async start(config) {
    const { kind, adapter, url, adapterOptions, serverOptions, authentication, parser } = config;
    ({ name } = config);
    const httpServer = http.createServer();
    const options = {
      allowEIO3: true,
      cleanupEmptyChildNamespaces: true,
      maxHttpBufferSize: 1e7,
      ...serverOptions,
    };
    if (adapter !== undefined) {
      options.adapter = await ADAPTERS[adapter].create(url, adapterOptions ?? {}, pending);
    }
    const Server = kind === 'npm' ? require('socket.io').Server : LoopbackSocket.Server;
    if (kind === 'native') delete options.allowEIO3;
    if (parser !== undefined) options.parser = require(parser);
    io = new Server(httpServer, options);
    io.use(joinEarly);
    for (const namespace of ['/', '/static']) {
      io.of(namespace).on('connection', serve);
      answerServers(namespace);
    }
    parent = io.of(DYNAMIC);
    parent.on('connection', serve);
    if (authentication) authenticating(io);
    if (config.program) program = require(config.program)({ io, name, adapter });
    // The port 0 of two workers of Node's `cluster` would be the same port.
    httpServer.listen({ port: 0, host: '127.0.0.1', exclusive: true });
    await once(httpServer, 'listening');
    return { port: httpServer.address().port };
  },

  /** Calls a function of the program that the node was started with. */
  program: (method, ...args) => program[method](...args),

  /**
   * @param {object[]} chains run one after the other in the same tick
   * @returns {Promise<unknown[]>} what each gives
   */
  async run(chains) {
    const results = await Promise.all(chains.map(runSteps));
    return results.map(describe);
  },

  /** @returns {Promise<void>} when the adapter has no subscription that is not confirmed */
  async settle() {
    while (pending.size > 0) await Promise.allSettled(pending);
  },

  /**
   * @param {string} namespace
   * @param {string} id
   * @param {string[]} rooms
   * @returns {Promise<void>} when a socket is in these rooms and in no other but its own
   */
  async untilRooms(namespace, id, rooms) {
    const expected = [...rooms, id].sort().join();
    const { adapter } = io.of(namespace);
    const isReached = () => [...socketOf(namespace, id).rooms].sort().join() === expected;
    const changed = () =>
      new Promise((resolve) => {
        const look = () => {
          adapter.off('join-room', look);
          adapter.off('leave-room', look);
          setImmediate(resolve);
        };
        adapter.on('join-room', look);
        adapter.on('leave-room', look);
      });
    while (!isReached()) await changed();
  },

  /** Has a namespace answer other nodes, as those that there are from the start do. */
  answerServers,

  /** @returns {boolean} whether this node has the namespace */
  hasNamespace: (namespace) => io._nsps.has(namespace),

  /** Sets what a socket has as `data`. */
  setData: (namespace, id, data) => {
    socketOf(namespace, id).data = data;
  },

  /** Has the application exempt a socket from authentication. */
  exempt: (namespace, id) => {
    socketOf(namespace, id).auth = true;
  },

  /** Tells the test process of each packet that a socket sends to its client. */
  watchOutgoing: (namespace, id) => {
    socketOf(namespace, id).onAnyOutgoing((...args) => notify('outgoing', id, ...args));
  },

  /** Counts, from now on, how often the adapter of a namespace is asked to broadcast. */
  watchAdapter: (namespace) => {
    const { adapter } = io.of(namespace);
    adapter.watched = 0;
    for (const method of ['broadcast', 'broadcastWithAck']) {
      const original = adapter[method];
      adapter[method] = function broadcast(...args) {
        adapter.watched++;
        return original.apply(this, args);
      };
    }
  },

  /** @returns {number} how often it was since */
  watched: (namespace) => io.of(namespace).adapter.watched,

  /** @returns {Promise<void>} when the server is closed */
  close: () => new Promise((resolve) => io.close(() => resolve())),
};

module.exports = { OPERATIONS };
