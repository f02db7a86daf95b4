'use strict';

/**
 * The source of one subscriber alone, and the channel that brings it its items.
 *
 * What must stay true: nothing is taken from a source that is pulled beyond what the subscriber has credit
 * for. It waits for its client for as long as that takes, once the client has shown that it acknowledges.
 */

const { startAckTimer } = require('./ack-timer');
const { HandlerRun } = require('./handler-run');
const { TrackedItem, newSourceName } = require('./item-ids');
const { reportError } = require('./report');

class PrivateSource {
  /** Why it has ended, once it has: `end` or `error`; and with what error. */
  reason = undefined;
  error = undefined;
  #run = new HandlerRun();
  #source;
  #isResumed = false;
  #channel;
  #socket;
  #subscriber;
  #offset = 0;
  /** @type {unknown[] | undefined} the item that is being published, and those that came meanwhile */
  #nested;
  /** How many items the subscriber may be sent before it acknowledges some. */
  #credit;
  #isPulling = false;
  /** Whether the client has acknowledged any item. */
  #hasAcknowledged = false;
  /** Runs while a client that has never acknowledged anything has used up its window. */
  #timer;

  /**
   * @param {import('./definition').SubscriptionDefinition} definition its subscription
   */
  constructor(definition) {
    this.definition = definition;
    this.name = newSourceName();
    this.#credit = definition.options.window;
  }

  /** @returns {PrivateSource} itself: as a channel it has a source */
  get source() {
    return this;
  }

  /**
   * Calls the handler.
   *
   * @param {object} socket what the handler gets
   * @param {unknown} credentials what the handler gets
   * @param {unknown} args what the handler gets
   * @param {unknown} after the id of the last item that the client has
   * @param {(failed: boolean, error?: unknown) => void} done called when it has given its source, or failed;
   *   not called once the source has been stopped
   * @returns {void}
   */
  prepare(socket, credentials, args, after, done) {
    this.#socket = socket;
    const { handler } = this.definition;
    const started = (failed, value, isResumed) => {
      if (failed) {
        done(true, value);
      } else {
        this.#source = value;
        this.#isResumed = isResumed && after !== undefined;
        done(false);
      }
    };
    const dropped = (error) => reportError(this.definition, error, socket);
    this.#run.start(handler, [socket, credentials, args], after, started, dropped);
  }

  /**
   * Opens the channel of its subscriber.
   *
   * @param {object} host the owner of the subscriber's socket
   * @returns {{channel: PrivateSource, from: number, resumed: boolean}} the channel, the first offset to
   *   deliver, and whether that follows the client's last item
   */
  join(host) {
    this.#channel = host.engine.open(
      this.definition.channelOptions({ reportsCredit: this.#source.kind === 'pull' }),
    );
    return { channel: this, from: 1, resumed: this.#isResumed };
  }

  /**
   * Begins to deliver.
   *
   * @param {import('./socket-subscriptions').Subscriber} subscriber to whom
   * @param {number} from the first offset
   * @returns {void}
   */
  add(subscriber, from) {
    this.#subscriber = subscriber;
    this.definition.privateSources.add(this);
    this.#channel.add(subscriber.socket, subscriber.number, from);
  }

  /**
   * Begins to take items from the source.
   *
   * @returns {void}
   */
  start() {
    if (this.#run.isStopped) {
      return;
    }
    if (this.#source.kind === 'pull') {
      this.#pull();
      return;
    }
    this.#source.start({
      item: (item) => this.#receive(item),
      end: () => this.#finish('end'),
      error: (error) => this.#fail(error),
    });
  }

  /**
   * Takes items while there is credit for them.
   *
   * @returns {Promise<void>} when there is none, or the source has ended
   */
  async #pull() {
    if (this.#isPulling) {
      return;
    }
    this.#isPulling = true;
    try {
      while (this.#credit > 0 && !this.#run.isStopped) {
        const { done, value } = await this.#source.next();
        if (this.#run.isStopped) {
          return;
        }
        if (done) {
          this.#finish('end');
          return;
        }
        this.#credit -= 1;
        this.#publish(value);
      }
      this.#expectAcknowledgement();
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#isPulling = false;
    }
  }

  /**
   * Ends the subscription as slow if its client has used up the window and does not acknowledge. A client that
   * has acknowledged before may take its time.
   *
   * @returns {void}
   */
  #expectAcknowledgement() {
    const { ackTimeout } = this.definition.options;
    if (this.#run.isStopped || this.#hasAcknowledged || this.#credit > 0) {
      return;
    }
    this.#timer = startAckTimer(this.#subscriber, ackTimeout);
  }

  /**
   * Publishes an item. One that comes while another is published, because its `toJSON` had the source give it,
   * comes after it.
   *
   * @param {unknown} item what a source that pushes gave
   * @returns {void}
   * @throws {import('../errors').UnsendableValueError} if it cannot be sent
   */
  #receive(item) {
    if (this.#nested !== undefined) {
      this.#nested.push(item);
      return;
    }
    const nested = [item];
    this.#nested = nested;
    try {
      for (const one of nested) {
        if (!this.#run.isStopped) {
          this.#publish(one);
        }
      }
    } finally {
      this.#nested = undefined;
    }
  }

  /**
   * @param {unknown} value what the source gave
   * @returns {void}
   * @throws {import('../errors').UnsendableValueError} if it cannot be sent
   */
  #publish(value) {
    const isTracked = value instanceof TrackedItem;
    const meta = isTracked ? { source: this.name, id: value.id } : { source: this.name };
    const item = isTracked ? value.item : value;
    this.#channel.publish(this.#offset + 1, [this.definition.name, item, meta]);
    this.#offset += 1;
  }

  /**
   * The subscriber has acknowledged items.
   *
   * @param {number} count how many
   * @returns {void}
   */
  credit(count) {
    this.#credit += count;
    this.#hasAcknowledged = true;
    clearTimeout(this.#timer);
    if (!this.#run.isStopped) {
      this.#pull();
    }
  }

  /**
   * @param {unknown} error why it ends
   * @returns {void}
   */
  #fail(error) {
    if (!this.#run.isStopped) {
      reportError(this.definition, error, this.#socket);
      this.#finish('error', error);
    }
  }

  /**
   * Ends, when the subscriber has been sent what was published before.
   *
   * @param {string} reason `end` or `error`
   * @param {unknown} [error] why
   * @returns {void}
   */
  #finish(reason, error) {
    if (!this.#run.isStopped) {
      this.reason = reason;
      this.error = error;
      this.stop();
      this.#channel.finish();
    }
  }

  /**
   * @param {import('./socket-subscriptions').Subscriber} subscriber the subscriber
   * @param {boolean} isHeld whether items wait for now
   * @returns {void}
   */
  hold(subscriber, isHeld) {
    this.#channel.hold(subscriber.socket, subscriber.number, isHeld);
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
    this.definition.privateSources.delete(this);
    this.#channel.close();
    this.stop();
  }

  /**
   * @param {string} reason why the subscriber ends
   * @returns {void}
   */
  end(reason) {
    this.#subscriber.sockets.end(this.#subscriber, reason);
  }

  /**
   * Nobody needs the source any more.
   *
   * @returns {void}
   */
  stop() {
    clearTimeout(this.#timer);
    this.#run.stop();
  }
}

module.exports = { PrivateSource };
