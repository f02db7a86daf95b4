'use strict';

/**
 * How the items of a shared source reach its subscribers of one engine.
 *
 * What must stay true: it is closed when it has no subscribers, or with history some time after.
 */

const { GracePeriod } = require('./grace-period');

class SharedChannel {
  #channel;
  #engine;
  /** @type {import('./socket-subscriptions').Subscriber | undefined} the head of a list of all subscribers */
  #first;
  #count = 0;
  /** @type {GracePeriod | undefined} while it is kept without a subscriber */
  #grace;
  #isClosed = false;

  /**
   * @param {import('./shared-source').SharedSource} source whose items it takes
   * @param {object} engine the engine
   * @param {number} opened the offset of the source's last item
   */
  constructor(source, engine, opened) {
    const { history } = source.definition.options;
    this.source = source;
    /** Items up to this offset are not in its history. */
    this.opened = opened;
    this.#engine = engine;
    this.#channel = engine.open(
      source.definition.channelOptions({ reportsCredit: false, history: history?.size }),
    );
  }

  /** @returns {import('./definition').SubscriptionDefinition} its subscription */
  get definition() {
    return this.source.definition;
  }

  /** @returns {boolean} whether its server has not been closed */
  get isOpen() {
    return this.#channel.isOpen;
  }

  /**
   * Closes it, as its server was closed: it has no subscribers any more.
   *
   * @returns {void}
   */
  discard() {
    this.#grace?.cancel();
    this.#close();
  }

  /**
   * @param {number} offset the item's offset
   * @param {unknown} item the item
   * @param {object} meta what is sent with it
   * @returns {void}
   * @throws {import('../errors').UnsendableValueError} if it cannot be sent
   */
  publish(offset, item, meta) {
    this.#channel.publish(offset, [this.definition.name, item, meta]);
  }

  /**
   * Begins to deliver.
   *
   * @param {import('./socket-subscriptions').Subscriber} subscriber to whom
   * @param {number} from the first offset
   * @returns {void}
   */
  add(subscriber, from) {
    this.#grace?.cancel();
    this.#count += 1;
    subscriber.next = this.#first;
    if (this.#first !== undefined) {
      this.#first.previous = subscriber;
    }
    this.#first = subscriber;
    this.#channel.add(subscriber.socket, subscriber.number, from);
    if (this.source.hasEnded) {
      this.#channel.finish();
    }
  }

  /**
   * @param {import('./socket-subscriptions').Subscriber} subscriber a subscriber
   * @param {boolean} isHeld whether items wait for now
   * @returns {void}
   */
  hold(subscriber, isHeld) {
    this.#channel.hold(subscriber.socket, subscriber.number, isHeld);
  }

  /**
   * Ends a subscriber: nothing more is delivered.
   *
   * @param {import('./socket-subscriptions').Subscriber} subscriber whom
   * @returns {void}
   */
  remove(subscriber) {
    this.#channel.remove(subscriber.socket, subscriber.number);
    this.dropped(subscriber);
  }

  /**
   * The engine has dropped a subscriber.
   *
   * @param {import('./socket-subscriptions').Subscriber} subscriber whom
   * @returns {void}
   */
  dropped(subscriber) {
    const { previous, next } = subscriber;
    if (previous === undefined) {
      this.#first = next;
    } else {
      previous.next = next;
    }
    if (next !== undefined) {
      next.previous = previous;
    }
    subscriber.previous = undefined;
    subscriber.next = undefined;
    this.#count -= 1;
    this.#closeIfUnused();
  }

  /**
   * The source has ended: subscribers end when they have been sent what was published.
   *
   * @returns {void}
   */
  finish() {
    this.#grace?.cancel();
    if (this.#count === 0) {
      this.#close();
    } else {
      this.#channel.finish();
    }
  }

  /**
   * @param {string} reason why all subscribers end
   * @returns {void}
   */
  endAll(reason) {
    const subscribers = [];
    for (let one = this.#first; one !== undefined; one = one.next) {
      subscribers.push(one);
    }
    // One whose socket is just ending is not listed there any more, and is removed by that.
    subscribers.forEach((subscriber) => subscriber.sockets.end(subscriber, reason));
    this.#grace?.cancel();
    this.#close();
  }

  /**
   * @returns {void}
   */
  #closeIfUnused() {
    if (this.#count > 0) {
      return;
    }
    const { history } = this.definition.options;
    if (history === undefined || this.source.hasEnded) {
      this.#close();
    } else {
      this.#grace = new GracePeriod(history.ttl, this.#engine.gracePeriods, () => this.#close());
    }
  }

  /**
   * @returns {void}
   */
  #close() {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#channel.close();
      this.source.channelClosed(this.#engine);
    }
  }
}

module.exports = { SharedChannel };
