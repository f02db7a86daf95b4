'use strict';

/**
 * Brings the items of subscriptions to sockets of an npm `socket.io` server, or of an emitter that looks like
 * one. The native class `Channel` decides who gets what and when; this file keeps the items and sends them.
 *
 * What must stay true: each subscriber gets its items in their order, also if a function of the application
 * publishes, or ends a subscription, while items are sent; a timer runs only while somebody may be too slow.
 */

const { Channel: Core } = require('../native/binding');
const { emitOwn } = require('../auth/own-events');
const { EVENT_PACKET } = require('../events');
const protocol = require('../native/protocol');
const { endOf } = require('../native/subscription-ends');
const { GracePeriod } = require('../subscriptions/grace-period');
const { sizeOf } = require('../subscriptions/item-size');

const { DELIVER, CREDIT } = protocol.ChannelReport;
const { CHANNEL_REPORT_FIELDS, NONE } = protocol.Layout;

/** How often it is looked for subscribers that do not acknowledge in time: the longest interval, in ms. */
const MAX_INTERVAL = 1000;

/** The shortest one, in ms: `ackTimeout` is not more precise than that. */
const MIN_INTERVAL = 10;

/**
 * Learns what the engine decides by itself.
 *
 * @typedef {object} Reports
 * @property {(socket: object, number: number, how: 'slow' | 'finished') => void} ended the subscription is
 *   removed: its client is too slow, or has been sent everything
 * @property {(socket: object, number: number, count: number) => void} credit its client has acknowledged this
 *   many more items; only of channels with `reportsCredit`
 */

/** @type {WeakMap<object, Set<GracePeriod>>} what is kept until an HTTP server is closed */
const gracePeriodsOf = new WeakMap();

/**
 * @param {import('http').Server | undefined} httpServer the one that clients come to, if there is one
 * @returns {Set<GracePeriod>} what is kept for those who come back there
 */
function gracePeriodsUntilClosed(httpServer) {
  if (typeof httpServer?.on !== 'function') {
    return new Set();
  }
  let periods = gracePeriodsOf.get(httpServer);
  if (periods === undefined) {
    periods = new Set();
    gracePeriodsOf.set(httpServer, periods);
    // Socket.IO of all versions closes its HTTP server, which emits this when the last client is gone.
    httpServer.on('close', () => GracePeriod.endAll(periods));
  }
  return periods;
}

/** The channels for the sockets of one namespace. */
class HostedEngine {
  /** @type {Reports} */
  reports;
  /** Gives what to emit for a value under a name, or throws. */
  encodable;
  /** @type {WeakMap<object, Map<number, number>>} what channels know subscriptions by: by socket and number */
  #keys = new WeakMap();
  #lastKey = 0;

  /**
   * @param {Reports} reports learns of ends and acknowledgements
   * @param {(value: unknown, key: string) => unknown} encodable gives what to emit for a value under a name, or
   *   throws
   * @param {import('http').Server} [httpServer] the server that clients come to
   */
  constructor(reports, encodable, httpServer) {
    this.reports = reports;
    this.encodable = encodable;
    /** What is kept for subscribers to come back. */
    this.gracePeriods = gracePeriodsUntilClosed(httpServer);
  }

  /**
   * Opens a channel.
   *
   * @param {import('../../binding').ChannelOptions} options its options
   * @returns {Channel} the channel
   */
  open(options) {
    return new Channel(this, options);
  }

  /**
   * @param {object} socket a socket
   * @param {number} number a subscription of it that begins
   * @returns {number} what its channel knows it by
   */
  keyFor(socket, number) {
    let keys = this.#keys.get(socket);
    if (keys === undefined) {
      this.#keys.set(socket, (keys = new Map()));
    }
    this.#lastKey += 1;
    keys.set(number, this.#lastKey);
    return this.#lastKey;
  }

  /**
   * @param {object} socket a socket
   * @param {number} number one of its subscriptions
   * @returns {number | undefined} what its channel knows it by
   */
  keyOf(socket, number) {
    return this.#keys.get(socket)?.get(number);
  }

  /**
   * @param {object} socket a socket
   * @param {number} number one of its subscriptions, which has ended
   * @returns {void}
   */
  forget(socket, number) {
    this.#keys.get(socket)?.delete(number);
  }
}

/**
 * A subscriber of a channel.
 *
 * @typedef {object} Recipient
 * @property {object} socket the socket
 * @property {number} number its subscription
 * @property {number[]} acks the ids with which the client is to acknowledge items; the server waits for them
 */

class Channel {
  #engine;
  #core;
  #ackTimeout;
  /** @type {Map<number, unknown[]>} events by offset */
  #items = new Map();
  /** The offset of the first of them. */
  #first = 0;
  #last = 0;
  /** @type {Map<number, Recipient>} by what the core knows them by */
  #subscribers = new Map();
  /** @type {number[][]} what the core has decided and is not done yet */
  #reports = [];
  #isCarryingOut = false;
  #timer;

  /**
   * @param {HostedEngine} engine its engine
   * @param {import('../../binding').ChannelOptions} options its options
   */
  constructor(engine, options) {
    this.#engine = engine;
    this.#ackTimeout = options.ackTimeout;
    // The addon takes an option that is left out, not one that is null.
    this.#core = new Core({ ...options, ackTimeout: options.ackTimeout ?? undefined });
  }

  /** @returns {boolean} whether it can be used, as the channels of a native server can until that is closed */
  get isOpen() {
    return true;
  }

  /**
   * Publishes an item.
   *
   * @param {number} offset its offset, greater than that of the one before
   * @param {[string, unknown, object]} event the name and the arguments of the event that is sent
   * @returns {void}
   * @throws {import('../errors').UnsendableValueError} if the item cannot be sent; nothing is published then
   */
  publish(offset, [name, item, meta]) {
    const event = [name, this.#engine.encodable(item, '1'), meta];
    const bytes = sizeOf(event);
    if (this.#items.size === 0) {
      this.#first = offset;
    }
    this.#items.set(offset, event);
    this.#last = offset;
    this.#carryOut(this.#core.publish(offset, bytes, performance.now()));
  }

  /**
   * Adds a subscriber.
   *
   * @param {object} socket the socket
   * @param {number} number its subscription
   * @param {number} from the offset of the first item that it is to get
   * @returns {void}
   */
  add(socket, number, from) {
    const key = this.#engine.keyFor(socket, number);
    this.#subscribers.set(key, { socket, number, acks: [] });
    this.#carryOut(this.#core.add(key, from, performance.now()));
  }

  /**
   * Has the items of a subscription wait, or no longer.
   *
   * @param {object} socket the socket
   * @param {number} number its subscription
   * @param {boolean} isHeld whether they wait
   * @returns {void}
   */
  hold(socket, number, isHeld) {
    const key = this.#engine.keyOf(socket, number);
    if (key !== undefined) {
      this.#carryOut(this.#core.hold(key, isHeld, performance.now()));
    }
  }

  /**
   * Removes a subscriber; nothing more is delivered to it.
   *
   * @param {object} socket the socket
   * @param {number} number its subscription
   * @returns {void}
   */
  remove(socket, number) {
    const key = this.#engine.keyOf(socket, number);
    if (key !== undefined) {
      this.#core.remove(key);
      this.#forget(key);
      this.#carryOut([]);
    }
  }

  /**
   * There are no more items: each subscriber is reported as finished once it has been sent all.
   *
   * @returns {void}
   */
  finish() {
    this.#carryOut(this.#core.finish(performance.now()));
  }

  /**
   * Drops the channel; no subscriber may be left.
   *
   * @returns {void}
   */
  close() {
    for (const key of [...this.#subscribers.keys()]) {
      this.#core.remove(key);
      this.#forget(key);
    }
    this.#items.clear();
    this.#watch();
  }

  /**
   * @param {number} key a subscriber that is none any more
   * @returns {void}
   */
  #forget(key) {
    const { socket, number, acks } = this.#subscribers.get(key);
    acks.forEach((id) => dropAck(socket, id));
    this.#subscribers.delete(key);
    this.#engine.forget(socket, number);
  }

  /**
   * Does what the core has decided. If that has the core decide more, it is done after the rest.
   *
   * @param {number[]} reports `ChannelReport`s
   * @returns {void}
   */
  #carryOut(reports) {
    if (reports.length > 0) {
      this.#reports.push(reports);
    }
    if (this.#isCarryingOut) {
      return;
    }
    this.#isCarryingOut = true;
    try {
      for (let next = this.#reports.shift(); next !== undefined; next = this.#reports.shift()) {
        for (let i = 0; i < next.length; i += CHANNEL_REPORT_FIELDS) {
          const subscriber = this.#subscribers.get(next[i + 1]);
          if (subscriber !== undefined) {
            this.#carryOutOne(next[i], next[i + 1], subscriber, next[i + 2], next[i + 3]);
          }
        }
      }
    } finally {
      this.#isCarryingOut = false;
    }
    this.#prune();
    this.#watch();
  }

  /**
   * @param {number} kind the `ChannelReport`
   * @param {number} key the subscriber, as the core knows it
   * @param {Recipient} subscriber the same
   * @param {number} a the offset of an item, a count, or a `SubscriptionEnd`
   * @param {number} b the number of an acknowledgement request, or `NONE`
   * @returns {void}
   */
  #carryOutOne(kind, key, { socket, number, acks }, a, b) {
    if (kind === DELIVER) {
      const event = this.#items.get(a);
      if (b === NONE) {
        send(socket, event);
        return;
      }
      const sent = { id: undefined };
      const acknowledged = () => {
        const index = acks.indexOf(sent.id);
        if (index >= 0) {
          acks.splice(index, 1);
        }
        this.#carryOut(this.#core.acknowledge(key, b, performance.now()));
      };
      send(socket, event, acknowledged);
      sent.id = lastAck(socket, acknowledged);
      if (sent.id !== undefined) {
        acks.push(sent.id);
      }
    } else if (kind === CREDIT) {
      this.#engine.reports.credit(socket, number, a);
    } else {
      this.#forget(key);
      this.#engine.reports.ended(socket, number, endOf(a));
    }
  }

  /**
   * Drops items that are neither waited for nor of the history.
   *
   * @returns {void}
   */
  #prune() {
    if (this.#items.size === 0) {
      return;
    }
    const kept = Math.min(this.#core.firstKept(), this.#last + 1);
    for (; this.#first < kept; this.#first++) {
      this.#items.delete(this.#first);
    }
  }

  /**
   * Looks for slow subscribers from time to time, while there may be one.
   *
   * @returns {void}
   */
  #watch() {
    const isNeeded = this.#core.needsTick;
    if (isNeeded === (this.#timer !== undefined)) {
      return;
    }
    if (isNeeded) {
      const interval = Math.max(MIN_INTERVAL, Math.min(MAX_INTERVAL, this.#ackTimeout / 8));
      this.#timer = setInterval(() => this.#carryOut(this.#core.tick(performance.now())), interval);
      this.#timer.unref();
    } else {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }
}

/** @type {object | undefined} what comes with the item that is being emitted */
let emitting;

/**
 * An emitter that only looks like a socket may call its own listeners with what is emitted to its client, as
 * Socket.IO 2 does for some names. The method or subscription of that name must not take an item for a call.
 *
 * @param {unknown} meta the second argument that a listener has got
 * @returns {boolean} whether the event is an item that this package is emitting
 */
function isOwnItem(meta) {
  return emitting !== undefined && meta === emitting;
}

/**
 * Sends a socket an event.
 *
 * @param {object} socket the server's socket
 * @param {unknown[]} event the event's name and arguments, which can be sent
 * @param {() => void} [acknowledged] called when the client acknowledges it; without, it is not asked to
 * @returns {void}
 */
function send(socket, event, acknowledged) {
  // A listener that is called meanwhile may have others get items.
  const outer = emitting;
  emitting = event[2];
  try {
    if (acknowledged !== undefined) {
      emitOwn(socket, ...event, acknowledged);
    } else if (isBuffered(socket)) {
      socket.packet({ type: EVENT_PACKET, data: event });
    } else {
      emitOwn(socket, ...event);
    }
  } catch {
    // A listener of an emitter that only looks like a socket; it is not for us to handle.
  } finally {
    emitting = outer;
  }
}

/**
 * @param {object} socket the server's socket
 * @param {Function} callback what is called when the client acknowledges the event that was sent last
 * @returns {number | undefined} the id of the acknowledgement; `undefined` if there is no telling
 */
function lastAck(socket, callback) {
  // Socket.IO 2 has `ids` and an object, 3 and 4 have `_ids` and a Map.
  const { ids, _ids: next = ids } = Object(socket.nsp);
  const id = next - 1;
  const { acks } = socket;
  const found = acks instanceof Map ? acks.get(id) : acks?.[id];
  return found === callback ? id : undefined;
}

/**
 * The server need not wait for an acknowledgement any more: clients that never acknowledge make it keep
 * nothing for subscriptions that have ended.
 *
 * @param {object} socket the server's socket
 * @param {number} id the id of the acknowledgement
 * @returns {void}
 */
function dropAck({ acks }, id) {
  if (acks instanceof Map) {
    acks.delete(id);
  } else if (acks !== undefined) {
    delete acks[id];
  }
}

/**
 * @param {object} socket the server's socket
 * @returns {boolean} whether its adapter keeps events for connection state recovery, and adds an argument to
 *   them, as Socket.IO 4 does; events that ask for an acknowledgement are exempt
 */
function isBuffered(socket) {
  return (
    Boolean(socket.nsp?.server?.opts?.connectionStateRecovery) &&
    typeof socket.packet === 'function'
  );
}

module.exports = { HostedEngine, isOwnItem, send };
