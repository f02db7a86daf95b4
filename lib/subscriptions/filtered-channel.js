'use strict';

/**
 * How the items of a shared source reach one subscriber, if `authorizeItem` decides about each of them.
 *
 * What must stay true: items keep their order, however long each decision takes; an item is decided about when
 * its subscriber can be sent it, so that nothing waits that was decided for what the socket authenticated as
 * before; what waits is bounded as what waits in a channel is.
 */

const { invoke } = require('../calls/invoke');
const { startAckTimer } = require('./ack-timer');
const { OVERFLOW_END } = require('./overflow');
const { ErrorKind, reportError } = require('./report');

/**
 * An item of a shared source.
 *
 * @typedef {object} ItemRecord
 * @property {number} offset its offset
 * @property {unknown} item the item
 * @property {object} meta what is sent with it
 * @property {number} bytes how long it is when encoded
 */

class FilteredChannel {
  #channel;
  #host;
  /** @type {import('./socket-subscriptions').Subscriber | undefined} */
  #subscriber;
  /** @type {ItemRecord[]} items not decided yet; the first one is being decided about */
  #undecided = [];
  #undecidedBytes = 0;
  /** How many bytes may wait. What was published before it subscribed comes on top. */
  #maxBytes;
  /** How many items the subscriber may be sent before it acknowledges some. */
  #credit;
  /** Runs while items wait for a client that has used up its window. */
  #timer;
  #isDeciding = false;
  /** Whether items wait for now: what the socket may have is not known. */
  #isHeld = false;
  /** How often they have had to. A decision from before is none for what the socket may have since. */
  #holds = 0;
  #offset = 0;
  #isFinishing = false;
  #isClosed = false;

  /**
   * @param {import('./shared-source').SharedSource} source whose items it takes
   * @param {object} host the owner of the subscriber's socket
   */
  constructor(source, host) {
    const { window, maxQueuedBytes } = source.definition.options;
    this.source = source;
    this.#host = host;
    this.#credit = window;
    this.#maxBytes = maxQueuedBytes;
    this.#channel = host.engine.open(source.definition.channelOptions({ reportsCredit: true }));
  }

  /** @returns {object} the engine of the subscriber's namespace */
  get engine() {
    return this.#host.engine;
  }

  /** @returns {import('./definition').SubscriptionDefinition} its subscription */
  get definition() {
    return this.source.definition;
  }

  /**
   * Begins to deliver.
   *
   * @param {import('./socket-subscriptions').Subscriber} subscriber to whom
   * @param {number} from the first offset of the source
   * @returns {void}
   */
  add(subscriber, from) {
    this.#subscriber = subscriber;
    this.#isHeld = subscriber.isHeld;
    this.#channel.add(subscriber.socket, subscriber.number, 1);
    for (const record of this.source.since(from)) {
      this.#maxBytes += record.bytes;
      this.#undecided.push(record);
      this.#undecidedBytes += record.bytes;
    }
    this.#decide();
    if (this.source.hasEnded) {
      this.finish();
    }
  }

  /**
   * @param {ItemRecord} record an item that the subscriber may get
   * @returns {void}
   */
  offer(record) {
    if (this.#subscriber === undefined || this.#isClosed) {
      return;
    }
    const isWaiting = this.#isDeciding || this.#isHeld || this.#credit === 0;
    if (isWaiting && this.#undecidedBytes + record.bytes > this.#maxBytes) {
      if (this.definition.options.overflow === OVERFLOW_END) {
        this.#subscriber.sockets.end(this.#subscriber, 'slow');
        return;
      }
      // The one that is being decided about stays.
      this.#undecided.length = this.#isDeciding ? 1 : 0;
      this.#undecidedBytes = this.#isDeciding ? this.#undecided[0].bytes : 0;
    }
    this.#undecided.push(record);
    this.#undecidedBytes += record.bytes;
    this.#decide();
  }

  /**
   * Decides about one item after the other.
   *
   * @returns {void}
   */
  #decide() {
    while (this.#mayDecide()) {
      const [record] = this.#undecided;
      const holds = this.#holds;
      let isDecided = false;
      this.#isDeciding = true;
      const decided = (failed, value) => {
        isDecided = true;
        this.#isDeciding = false;
        // Else it is decided again, for what the socket has authenticated as since.
        if (holds === this.#holds) {
          this.#decided(record, failed, value);
        }
      };
      let hasReturned = false;
      invoke(
        this.definition.options.authorizeItem,
        null,
        [this.#host.socket, record.item],
        (failed, value) => {
          decided(failed, value);
          if (hasReturned) {
            this.#decide();
          }
        },
      );
      hasReturned = true;
      if (!isDecided) {
        return;
      }
    }
    if (this.#undecided.length > 0) {
      this.#expectAcknowledgement();
      return;
    }
    this.#maxBytes = this.definition.options.maxQueuedBytes;
    if (this.#isFinishing) {
      this.#isFinishing = false;
      this.#channel.finish();
    }
  }

  /**
   * @returns {boolean} whether there is an item that can be decided about now
   */
  #mayDecide() {
    const isWaiting = this.#isDeciding || this.#isHeld || this.#credit === 0;
    return !isWaiting && !this.#isClosed && this.#undecided.length > 0;
  }

  /**
   * Ends the subscription as slow if items wait and its client does not acknowledge.
   *
   * @returns {void}
   */
  #expectAcknowledgement() {
    if (this.#credit === 0 && !this.#isClosed && this.#timer === undefined) {
      this.#timer = startAckTimer(this.#subscriber, this.definition.options.ackTimeout);
    }
  }

  /**
   * The subscriber has acknowledged items.
   *
   * @param {number} count how many
   * @returns {void}
   */
  credit(count) {
    this.#credit += count;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#decide();
  }

  /**
   * @param {ItemRecord} record an item
   * @param {boolean} failed whether `authorizeItem` failed
   * @param {unknown} value what it gave, or its error
   * @returns {void}
   */
  #decided(record, failed, value) {
    if (this.#isClosed) {
      return;
    }
    this.#undecided.shift();
    this.#undecidedBytes -= record.bytes;
    if (failed) {
      reportError(this.definition, value, this.#host.socket, ErrorKind.AUTHORIZE);
    } else if (value) {
      try {
        this.#channel.publish(this.#offset + 1, [this.definition.name, record.item, record.meta]);
        this.#offset += 1;
        this.#credit -= 1;
      } catch (error) {
        reportError(this.definition, error, this.#host.socket);
      }
    }
  }

  /**
   * @param {import('./socket-subscriptions').Subscriber} subscriber the subscriber
   * @param {boolean} isHeld whether items wait for now
   * @returns {void}
   */
  hold(subscriber, isHeld) {
    this.#isHeld = isHeld;
    this.#holds += Number(isHeld);
    this.#channel.hold(subscriber.socket, subscriber.number, isHeld);
    this.#decide();
  }

  /**
   * Ends the subscriber: nothing more is delivered.
   *
   * @param {import('./socket-subscriptions').Subscriber} subscriber whom
   * @returns {void}
   */
  remove(subscriber) {
    this.#channel.remove(subscriber.socket, subscriber.number);
    this.dropped();
  }

  /**
   * The engine has dropped the subscriber.
   *
   * @returns {void}
   */
  dropped() {
    if (!this.#isClosed) {
      this.#isClosed = true;
      clearTimeout(this.#timer);
      this.#subscriber = undefined;
      this.#undecided = [];
      this.#channel.close();
      this.source.filteredClosed(this);
    }
  }

  /**
   * The source has ended: the subscriber ends when it has been sent what it may have.
   *
   * @returns {void}
   */
  finish() {
    this.#isFinishing = true;
    this.#decide();
  }

  /**
   * @param {string} reason why the subscriber ends
   * @returns {void}
   */
  endAll(reason) {
    if (this.#subscriber !== undefined) {
      this.#subscriber.sockets.end(this.#subscriber, reason);
    }
  }
}

module.exports = { FilteredChannel };
