'use strict';

/**
 * Delivers the items of subscriptions to sockets of one namespace: channels of the native server, which
 * decides who gets what and when (`src/session/subscriptions`). Commands are executed in order, so what
 * is published after a socket was added reaches it.
 */

const { endOf } = require('../native/subscription-ends');

/**
 * Learns what the engine decides by itself.
 *
 * @typedef {object} Reports
 * @property {(socket: import('./socket').Socket, subscription: number, reason: 'slow' | 'finished') =>
 *   void} ended the subscription is removed: its client is too slow, or has been sent everything
 * @property {(socket: import('./socket').Socket, subscription: number, count: number) => void} credit its
 *   client has acknowledged this many more items; only of channels with `reportsCredit`
 */

class SubscriptionEngine {
  #namespace;
  #reports;

  /**
   * @param {import('./namespace').Namespace} namespace whose sockets subscribe
   * @param {Reports} reports learns of ends and acknowledgements
   */
  constructor(namespace, reports) {
    this.#namespace = namespace;
    this.#reports = reports;
  }

  /** @returns {Set<import('../subscriptions/grace-period').GracePeriod>} those of its server */
  get gracePeriods() {
    return this.#namespace._link.gracePeriods;
  }

  /**
   * The engine of a namespace, which is made on first use.
   *
   * @param {import('./namespace').Namespace} namespace the namespace
   * @param {Reports} reports learns of ends and acknowledgements
   * @returns {SubscriptionEngine} its engine
   */
  static of(namespace, reports) {
    namespace._subscriptionEngine ??= new SubscriptionEngine(namespace, reports);
    return namespace._subscriptionEngine;
  }

  /**
   * Opens a channel.
   *
   * @param {import('../native/command-writer').ChannelOptions} options its options
   * @returns {Channel} the channel
   */
  open(options) {
    return new Channel(this.#namespace, options);
  }

  /**
   * @param {import('./socket').Socket} socket the socket
   * @param {number} subscription its subscription, which the native server has removed
   * @param {number} end the `SubscriptionEnd`
   * @returns {void}
   */
  ended(socket, subscription, end) {
    this.#reports.ended(socket, subscription, endOf(end));
  }

  /**
   * @param {import('./socket').Socket} socket the socket
   * @param {number} subscription its subscription
   * @param {number} count how many more items its client has acknowledged
   * @returns {void}
   */
  credit(socket, subscription, count) {
    this.#reports.credit(socket, subscription, count);
  }
}

class Channel {
  #link;
  #number;
  #commands;

  /**
   * @param {import('./namespace').Namespace} namespace whose sockets subscribe
   * @param {import('../native/command-writer').ChannelOptions} options its options
   */
  constructor({ _link: link, _index: index }, options) {
    link.channels += 1;
    this.#link = link;
    this.#number = link.channels;
    this.#commands = link.commands;
    const { window, history, maxQueuedBytes, overflow, ackTimeout, reportsCredit } = options;
    link.commands?.defineChannel(this.#number, index, {
      window,
      history,
      maxQueuedBytes,
      overflow,
      ackTimeout,
      reportsCredit,
    });
  }

  /** @returns {import('../native/command-writer').CommandWriter | undefined} those of its server, while that runs */
  get #usable() {
    return this.isOpen ? this.#commands : undefined;
  }

  /** @returns {boolean} whether the native server that it was opened on is still there */
  get isOpen() {
    return this.#commands !== undefined && this.#commands === this.#link.commands;
  }

  /**
   * Publishes an item.
   *
   * @param {number} offset its offset, greater than that of the one before
   * @param {unknown[]} args the name and the arguments of the event that is sent
   * @returns {void}
   * @throws {UnsendableValueError} if an argument cannot be sent; nothing is published then
   */
  publish(offset, args) {
    this.#usable?.publish(this.#number, offset, args);
  }

  /**
   * Adds a subscriber.
   *
   * @param {import('./socket').Socket} socket the socket
   * @param {number} subscription the subscription's number, which is used once for a socket
   * @param {number} from the offset of the first item that it is to get
   * @returns {void}
   */
  add(socket, subscription, from) {
    this.#usable?.subscribe(socket._number, subscription, this.#number, from);
  }

  /**
   * Has the items of a subscription wait, or no longer.
   *
   * @param {import('./socket').Socket} socket the socket
   * @param {number} subscription its subscription
   * @param {boolean} isHeld whether they wait
   * @returns {void}
   */
  hold(socket, subscription, isHeld) {
    this.#usable?.hold(socket._number, subscription, isHeld);
  }

  /**
   * Removes a subscriber; nothing more is delivered to it.
   *
   * @param {import('./socket').Socket} socket the socket
   * @param {number} subscription its subscription
   * @returns {void}
   */
  remove(socket, subscription) {
    this.#usable?.unsubscribe(socket._number, subscription);
  }

  /**
   * There are no more items: each subscriber is reported as finished once it has been sent all.
   *
   * @returns {void}
   */
  finish() {
    this.#usable?.finishChannel(this.#number);
  }

  /**
   * Drops the channel; no subscriber may be left.
   *
   * @returns {void}
   */
  close() {
    this.#usable?.closeChannel(this.#number);
  }
}

module.exports = { SubscriptionEngine };
