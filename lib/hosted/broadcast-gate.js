'use strict';

/**
 * Keeps the broadcasts of an npm `socket.io` server away from sockets that are pending, and from
 * the sockets of gated namespaces whose connection has not authenticated. What the application emits
 * to one of these itself does reach it.
 *
 * Socket.IO 2 broadcasts to the sockets in `namespace.connected`; a hidden one is taken out of it.
 * Versions 3 and 4 have one list for everything, so there the namespace's adapter is given a view of
 * the namespace in which hidden sockets cannot be found, except by the operations that are no
 * broadcasts (`fetchSockets`, `socketsJoin` and the like). The view also answers for what a cluster's
 * adapter takes over from other servers: a broadcast is what encodes a packet before it looks sockets up.
 *
 * What must stay true: a socket is hidden from the namespace's `connect` event, before any listener
 * of the application can broadcast, until it has authenticated; in a gated namespace until a socket of
 * its connection has authenticated in the default namespace, wherever that socket is by then.
 */

const { isAdminUi, isLeftOut, warnOfMuted } = require('../auth/gated-namespaces');
const { noteRecovered, recoveredOf, waitingOf, watchRecovery } = require('./recovery');
const { watchServerOf } = require('./socket-class');
const { knownState, stateOf } = require('./socket-state');

/** The reason to hide a socket that is pending itself. Another one is what is known of its connection. */
const PENDING = Symbol('pending');

/** @type {WeakSet<object>} adapters that have their view */
const gated = new WeakSet();

/** @type {WeakSet<object>} hidden sockets whose own `emit` is our detour; see `passDirectEmits` */
const detoured = new WeakSet();

/** The hidden socket whose own emit is about to become a broadcast; see `passDirectEmits`. */
let emitting;

/** @type {WeakMap<object, object>} such a socket by the options of that broadcast */
const direct = new WeakMap();

/** Names of the adapter methods that look sockets up for other reasons than to broadcast. */
const MANAGEMENT = ['sockets', 'fetchSockets', 'addSockets', 'delSockets', 'disconnectSockets'];
const BROADCASTS = ['broadcast', 'broadcastWithAck'];

/**
 * What is known of a connection.
 *
 * @typedef {object} Connection
 * @property {boolean} isAuthenticated whether a served socket of it has authenticated; stays so
 * @property {boolean} isServed whether it has, or had, a served socket
 * @property {Set<object> | undefined} muted its sockets of gated namespaces, hidden until then
 */

/** The gate of one `io` that LoopbackSockets were started on. */
class BroadcastGate {
  #io;
  /** The namespace whose sockets authenticate. */
  #served;
  /** @type {WeakMap<object, Connection>} */
  #connections = new WeakMap();
  /** @type {Set<object>} the gated namespaces */
  #gated = new Set();
  /** @type {Set<object>} the namespaces that the application leaves out */
  #open = new Set();

  /**
   * @param {object} io a Socket.IO server or namespace, or an emitter that looks like one
   */
  constructor(io) {
    this.#io = io;
    this.#served = namespaceOf(io);
    // `connect` comes before `connection`, and ours before the application's.
    this.#served?.prependListener('connect', (socket) => {
      watchServerOf(socket);
      noteRecovered(socket);
      this.mute(socket);
    });
    watchRecovery(this.#served, isHidden);
  }

  /**
   * Gates the namespaces that there are, if `io` is a whole server.
   *
   * @param {(string | RegExp)[]} open those that the application leaves out
   * @returns {void}
   */
  gateNamespaces(open) {
    for (const [name, namespace] of namespacesOf(this.#io)) {
      if (
        namespace === this.#served ||
        typeof namespace.on !== 'function' ||
        this.#gated.has(namespace)
      ) {
        continue;
      }
      if (isLeftOut(name, open)) {
        if (!this.#open.has(namespace)) {
          this.#open.add(namespace);
          namespace.on('connect', watchServerOf);
        }
        continue;
      }
      this.#gated.add(namespace);
      watchRecovery(namespace, isHidden);
      const connect = (socket) => {
        watchServerOf(socket);
        noteRecovered(socket);
        this.#connect(namespace, socket);
        if (!isHidden(socket)) {
          recoveredOf(socket)?.release();
        }
      };
      if (typeof namespace.prependListener === 'function') {
        namespace.prependListener('connect', connect);
      } else {
        namespace.on('connect', connect);
      }
    }
  }

  /**
   * A served socket is pending: no broadcast reaches it from now on, nor its connection's sockets in
   * gated namespaces.
   *
   * @param {object} socket the socket
   * @returns {void}
   */
  mute(socket) {
    hide(socket, PENDING);
    const connection = this.#connection(socket);
    if (connection.isAuthenticated || connection.isServed) {
      return;
    }
    connection.isServed = true;
    if (this.#gated.size === 0) {
      return;
    }
    // For sockets that joined before `start()`.
    for (const other of listed(socket.client && socket.client.sockets)) {
      if (this.#gated.has(other.nsp) && !isAdminUi(other.nsp)) {
        muteWith(connection, other);
      }
    }
  }

  /**
   * A served socket has authenticated: broadcasts reach it, and the sockets that were muted with it.
   *
   * @param {object} socket the socket
   * @returns {void}
   */
  unmute(socket) {
    show(socket, PENDING);
    if (socket.nsp === undefined) {
      this.#showInAll(socket);
    }
    const connection = this.#connection(socket);
    connection.isAuthenticated = true;
    if (connection.muted !== undefined) {
      const { muted } = connection;
      connection.muted = undefined;
      muted.forEach((other) => show(other, connection));
    }
  }

  /**
   * A socket has connected to a gated namespace.
   *
   * @param {object} namespace the namespace
   * @param {object} socket its new socket
   * @returns {void}
   */
  #connect(namespace, socket) {
    const { client } = socket;
    if (socket.nsp === undefined || !client) {
      // An emitter that only looks like a server, with one socket for all its namespaces.
      if (!socket.auth && namespace.connected) {
        delete namespace.connected[socket.id];
      }
      return;
    }
    const connection = this.#connection(socket);
    if (connection.isAuthenticated || isAdminUi(namespace)) {
      return;
    }
    const main = this.#servedSocketOf(client);
    if (main?.auth) {
      // It is older than `start()`, and the application has exempted it since.
      connection.isAuthenticated = true;
      return;
    }
    muteWith(connection, socket);
    if (main === undefined) {
      const isMuted = () =>
        connection.muted?.has(socket) && this.#servedSocketOf(client) === undefined;
      warnOfMuted(namespace, isMuted);
    }
  }

  /**
   * @param {object} client a client of a Socket.IO server
   * @returns {object | undefined} its socket in the served namespace
   */
  #servedSocketOf(client) {
    const { name } = this.#served ?? {};
    return client.nsps instanceof Map ? client.nsps.get(name) : client.nsps?.[name];
  }

  /**
   * Puts a socket that knows no namespace back into those that know it.
   *
   * @param {object} socket the socket of an emitter that only looks like a server
   * @returns {void}
   */
  #showInAll(socket) {
    for (const [, namespace] of namespacesOf(this.#io)) {
      if (
        namespace.connected &&
        listed(namespace.sockets).some((other) => other.id === socket.id)
      ) {
        namespace.connected[socket.id] = socket;
      }
    }
  }

  /**
   * @param {object} socket any socket
   * @returns {Connection} what is known of its connection
   */
  #connection(socket) {
    const key = socket.client || socket;
    let connection = this.#connections.get(key);
    if (connection === undefined) {
      connection = { isAuthenticated: false, isServed: false, muted: undefined };
      this.#connections.set(key, connection);
    }
    return connection;
  }
}

/**
 * Hides a socket of a gated namespace until its connection has authenticated.
 *
 * @param {Connection} connection its connection
 * @param {object} socket the socket
 * @returns {void}
 */
function muteWith(connection, socket) {
  connection.muted ??= new Set();
  connection.muted.add(socket);
  // Taken out again when the socket has ended: see `socket-class.js`.
  watchServerOf(socket);
  hide(socket, connection);
}

/**
 * @param {object} io whatever LoopbackSockets are started on
 * @returns {object | undefined} the namespace whose sockets its `connection` events are about, if it
 *   is a real server or namespace
 */
function namespaceOf(io) {
  const namespace = typeof io.of === 'function' ? io.sockets : io;
  const real = namespace && namespace.server && typeof namespace.prependListener === 'function';
  return real ? namespace : undefined;
}

/**
 * @param {object} io whatever LoopbackSockets are started on
 * @returns {[string, object][]} the namespaces it has by now, with their names, if it is a server
 */
function namespacesOf(io) {
  const table = io.nsps || io._nsps || {};
  const entries = table instanceof Map ? [...table] : Object.entries(table);
  return entries.filter(([, namespace]) => typeof namespace === 'object' && namespace !== null);
}

/**
 * @param {Map<string, object> | object | object[] | undefined} table objects by name, or an array
 * @returns {object[]} the objects
 */
function listed(table) {
  const entries = table instanceof Map ? [...table.values()] : Object.values(table || {});
  return entries.filter((entry) => typeof entry === 'object' && entry !== null);
}

/**
 * Takes broadcasts away from a socket.
 *
 * @param {object} socket the socket
 * @param {symbol | Connection} reason why
 * @returns {void}
 */
function hide(socket, reason) {
  const { nsp } = socket;
  if (nsp === undefined) {
    return;
  }
  const state = stateOf(socket);
  const { hidden } = state;
  if (hidden instanceof Set) {
    hidden.add(reason);
  } else if (hidden !== reason) {
    state.hidden = hidden === undefined ? reason : new Set([hidden, reason]);
  }
  if (nsp.sockets instanceof Map) {
    gateAdapter(nsp);
    passDirectEmits(socket);
  } else if (nsp.connected) {
    delete nsp.connected[socket.id];
  }
}

/**
 * Lets broadcasts through to a socket again, unless there is another reason why not.
 *
 * @param {object} socket the socket
 * @param {symbol | Connection} reason why it was hidden
 * @returns {void}
 */
function show(socket, reason) {
  const { nsp } = socket;
  if (nsp === undefined) {
    return;
  }
  const state = knownState(socket);
  const hidden = state?.hidden;
  if (hidden instanceof Set) {
    hidden.delete(reason);
    if (hidden.size > 0) {
      return;
    }
  } else if (hidden !== undefined && hidden !== reason) {
    return;
  }
  if (state !== undefined) {
    state.hidden = undefined;
  }
  if (detoured.delete(socket)) {
    delete socket.emit;
  }
  recoveredOf(socket)?.release();
  if (nsp.connected && nsp.sockets && nsp.sockets[socket.id] === socket) {
    nsp.connected[socket.id] = socket;
  }
}

/**
 * @param {object} socket a socket
 * @returns {boolean} whether broadcasts pass it by
 */
function isHidden(socket) {
  return knownState(socket)?.hidden !== undefined;
}

/**
 * Gives a namespace's adapter its view of the namespace. Called for each hidden socket, since the
 * application may give the server another adapter at any time.
 *
 * @param {object} nsp a namespace of Socket.IO 3 or 4
 * @returns {void}
 */
function gateAdapter(nsp) {
  const { adapter } = nsp;
  if (!adapter || gated.has(adapter)) {
    return;
  }
  gated.add(adapter);
  const sockets = new GatedSockets(nsp.sockets);
  adapter.nsp = viewOf(nsp, sockets);

  const packets = new EncodedPackets(adapter);
  const managing = { isGated: false, holds: false, revealed: undefined, within: MANAGEMENT };
  wrap(adapter, MANAGEMENT, (run) => sockets.show(managing, run));
  // Gated again within: a socket that is disconnected or joins a room may cause a broadcast.
  wrap(adapter, BROADCASTS, (run, packet, opts) => {
    if (emitting !== undefined) {
      direct.set(opts, emitting);
      emitting = undefined;
    }
    const view = { isGated: true, holds: false, revealed: undefined, within: BROADCASTS };
    return packets.forBroadcast(() => sockets.show(view, run));
  });
  // The adapter of a cluster may come to its local sockets later, or for another server. Then only the options
  // identify an emit, and only a packet that has been encoded before identifies a broadcast.
  wrap(adapter, ['apply'], (run, opts) => {
    const { within } = sockets.view;
    const holds = packets.mayBeKept;
    const isBroadcast = within !== MANAGEMENT && (packets.take() || within === BROADCASTS);
    const revealed = direct.get(opts);
    return sockets.show({ isGated: isBroadcast, holds, revealed }, run);
  });
}

/**
 * Has some methods of an object run within another function.
 *
 * @param {object} object the object
 * @param {string[]} names of the methods; those it has not are left out
 * @param {(run: () => unknown, ...args: unknown[]) => unknown} within gets the call as `run`, and its
 *   arguments; returns what `run` returns
 * @returns {void}
 */
function wrap(object, names, within) {
  for (const name of names) {
    const method = object[name];
    if (typeof method === 'function') {
      object[name] = function wrapped(...args) {
        return within(() => Reflect.apply(method, this, args), ...args);
      };
    }
  }
}

/**
 * Makes an object that is the namespace in everything but its sockets. What the adapter writes to it,
 * like the counter of acknowledgement ids, is written to the namespace.
 *
 * @param {object} nsp the namespace
 * @param {GatedSockets} sockets what the view shows as `sockets`
 * @returns {object} the view
 */
function viewOf(nsp, sockets) {
  const properties = {};
  for (const key of Reflect.ownKeys(nsp)) {
    properties[key] = {
      enumerable: true,
      get: () => nsp[key],
      set: (value) => {
        nsp[key] = value;
      },
    };
  }
  properties.sockets = { enumerable: true, value: sockets };
  return Object.create(nsp, properties);
}

/**
 * With connection state recovery, Socket.IO 4 emits to a single socket by a broadcast to its own
 * room. Has the gate know a hidden socket's own emits.
 *
 * @param {object} socket a hidden socket
 * @returns {void}
 */
function passDirectEmits(socket) {
  const { opts } = socket.nsp.server;
  if (!opts || !opts.connectionStateRecovery || detoured.has(socket)) {
    return;
  }
  detoured.add(socket);
  const { emit } = socket;
  socket.emit = function emitDirectly(...args) {
    emitting = socket;
    try {
      return Reflect.apply(emit, this, args);
    } finally {
      emitting = undefined;
    }
  };
}

/**
 * Knows how many packets an adapter has encoded and not yet sent. Rather too many than too few: where one is
 * left, an operation that comes from another server does not find hidden sockets.
 */
class EncodedPackets {
  /** What is not known counts as a broadcast. */
  #isKnown = false;
  #count = 0;
  /** Whether the one that was encoded last is to be acknowledged. */
  #isAcknowledged = false;
  /** Whether sockets were looked up since `forBroadcast` began. */
  #hasApplied = false;

  /**
   * @param {object} adapter an adapter, whose encoder is watched from now on
   */
  constructor(adapter) {
    const { encoder } = adapter;
    if (typeof encoder?.encode !== 'function') {
      return;
    }
    this.#isKnown = true;
    adapter.encoder = Object.create(encoder);
    adapter.encoder.encode = (packet) => {
      const encoded = encoder.encode(packet);
      this.#count += 1;
      this.#isAcknowledged = packet.id !== undefined;
      return encoded;
    };
  }

  /**
   * Runs a broadcast of this server. If it looks sockets up at once, nothing of it is left.
   *
   * @param {() => unknown} run runs it
   * @returns {unknown} what `run` returns
   */
  forBroadcast(run) {
    const count = this.#count;
    this.#hasApplied = false;
    try {
      return run();
    } finally {
      if (this.#hasApplied) {
        this.#count = count;
      }
    }
  }

  /**
   * Whether the packet that sockets are looked up for next may be one that nobody acknowledges: such a packet waits
   * for sockets whose state was recovered.
   *
   * @returns {boolean} whether it may
   */
  get mayBeKept() {
    return this.#count > 1 || (this.#count === 1 && !this.#isAcknowledged);
  }

  /**
   * Sockets are looked up.
   *
   * @returns {boolean} whether that is, or may be, for a packet
   */
  take() {
    const hasEncoded = this.#count > 0 || !this.#isKnown;
    this.#count = Math.max(this.#count - 1, 0);
    this.#hasApplied = true;
    return hasEncoded;
  }
}

/** The sockets of a namespace as its adapter sees them: a hidden one is not found by its id. */
class GatedSockets {
  /**
   * @param {Map<string, object>} sockets the namespace's own list
   */
  constructor(sockets) {
    this._sockets = sockets;
    this._view = { isGated: true, holds: false, revealed: undefined };
  }

  /**
   * Shows the sockets otherwise than before for as long as something runs.
   *
   * @param {{isGated: boolean, holds: boolean, revealed: object | undefined, within?: string[]}} view whether
   *   hidden sockets are left out; whether what they would get waits, if their state was recovered; which one is
   *   not hidden; methods of which kind are running
   * @param {() => unknown} run what runs
   * @returns {unknown} what `run` returns
   */
  show(view, run) {
    const before = this._view;
    this._view = view;
    try {
      return run();
    } finally {
      this._view = before;
    }
  }

  /** @returns {{isGated: boolean, holds: boolean, revealed: object | undefined, within?: string[]}} how they are shown now */
  get view() {
    return this._view;
  }

  /**
   * @param {string} id the id of a socket
   * @returns {object | undefined} the socket, unless it is hidden; what stands in for it, if what it would get
   *   waits
   */
  get(id) {
    const socket = this._sockets.get(id);
    const { isGated, holds, revealed } = this._view;
    if (!isGated || socket === revealed) {
      return socket;
    }
    const waiting = waitingOf(socket);
    if (waiting === undefined) {
      return socket !== undefined && isHidden(socket) ? undefined : socket;
    }
    return holds ? waiting.standIn : undefined;
  }

  /**
   * @returns {number} how many sockets there are, hidden or not
   */
  get size() {
    return this._sockets.size;
  }

  /**
   * @returns {Iterator<[string, object]>} all sockets by id, hidden or not
   */
  [Symbol.iterator]() {
    return this._sockets[Symbol.iterator]();
  }
}

// In everything else the namespace's own list answers.
for (const name of ['has', 'set', 'delete', 'clear', 'keys', 'values', 'entries', 'forEach']) {
  GatedSockets.prototype[name] = function forwarded(...args) {
    return this._sockets[name](...args);
  };
}

module.exports = { BroadcastGate };
