'use strict';

/**
 * A source that all subscribers of one key share: one run of a handler, or what `publish` feeds. It pushes
 * its items into a channel for each engine, which is a namespace of one server.
 *
 * What must stay true: it ends once, and its handler's signal is aborted then. Without history it ends with
 * its last subscriber; with history some time after.
 */

const { HandlerRun } = require('./handler-run');
const { TrackedItem, idOf, newSourceName, offsetOf } = require('./item-ids');
const { FilteredChannel } = require('./filtered-channel');
const { GracePeriod } = require('./grace-period');
const { SharedChannel } = require('./shared-channel');
const { sizeOf } = require('./item-size');
const { reportError } = require('./report');

/** What a source is doing. */
const Stage = Object.freeze({ IDLE: 0, RUNNING: 1, ENDED: 2 });

class SharedSource {
  /** Why it has ended, once it has: `end`, `error` or `removed`; and with what error. */
  reason = undefined;
  error = undefined;
  #args;
  #forget;
  #stage = Stage.IDLE;
  /** How many subscriptions are being prepared that will need it. */
  #reservations = 0;
  #lastOffset = 0;
  /**
   * Items that a function of the application, such as `toJSON`, publishes while an item is published. They come
   * after it, as their ids say.
   *
   * @type {unknown[] | undefined}
   */
  #nested;
  #run;
  /** @type {Map<object, SharedChannel>} by engine */
  #channels = new Map();
  /** @type {Set<FilteredChannel>} those of subscribers with a channel of their own */
  #filtered = new Set();
  /** @type {import('./filtered-channel').ItemRecord[]} the last items, for channels of subscribers' own */
  #history = [];
  /** @type {GracePeriod | undefined} while it is kept without any subscriber with a channel of its own */
  #grace;

  /**
   * @param {import('./definition').SubscriptionDefinition} definition its subscription
   * @param {unknown} args the arguments of its handler
   * @param {() => void} forget called when it has ended, so that the key gets another one
   */
  constructor(definition, args, forget) {
    this.definition = definition;
    this.name = newSourceName();
    this.#args = args;
    this.#forget = forget;
  }

  /** @returns {boolean} whether its handler has been started and it has not ended */
  get isRunning() {
    return this.#stage === Stage.RUNNING;
  }

  /** @returns {boolean} whether it gives nothing any more */
  get hasEnded() {
    return this.#stage === Stage.ENDED;
  }

  /**
   * A subscription is being prepared that will need the source.
   *
   * @returns {void}
   */
  reserve() {
    this.#reservations += 1;
  }

  /**
   * That subscription has begun, or never will.
   *
   * @returns {void}
   */
  release() {
    this.#reservations -= 1;
    this.#endIfUnused();
  }

  /**
   * Finds where a subscriber begins.
   *
   * @param {object} host the owner of its socket
   * @param {unknown} after the id of the last item that its client has
   * @returns {{channel: SharedChannel | FilteredChannel, from: number, resumed: boolean}} the channel, the
   *   first offset to deliver, and whether that follows the client's last item
   */
  join(host, after) {
    const { history, authorizeItem } = this.definition.options;
    let channel;
    let opened = 0;
    if (authorizeItem === undefined) {
      channel = this.#channels.get(host.engine);
      if (channel?.isOpen === false) {
        // Its server was closed, and has been opened again.
        channel.discard();
        channel = undefined;
      }
      if (channel === undefined) {
        channel = new SharedChannel(this, host.engine, this.#lastOffset);
        this.#channels.set(host.engine, channel);
      }
      ({ opened } = channel);
    } else {
      channel = new FilteredChannel(this, host);
      this.#filtered.add(channel);
      this.#keepNoMore();
    }
    const offset = offsetOf(this.name, after);
    // The offset of the last item that a client may have for the next one to be still there.
    const oldest = Math.max(opened, this.#lastOffset - (history?.size ?? 0));
    const resumed = offset !== undefined && offset >= oldest && offset <= this.#lastOffset;
    return { channel, from: (resumed ? offset : this.#lastOffset) + 1, resumed };
  }

  /**
   * Has its handler run, unless it does already.
   *
   * @returns {void}
   */
  start() {
    if (this.#stage !== Stage.IDLE) {
      return;
    }
    this.#stage = Stage.RUNNING;
    const { handler } = this.definition;
    if (handler === undefined) {
      return;
    }
    this.#run = new HandlerRun();
    const started = (failed, source) => {
      if (failed) {
        this.#fail(source);
        return;
      }
      source.start({
        item: (item) => {
          if (this.isRunning) {
            this.#take(item);
          }
        },
        end: () => this.#finish('end'),
        error: (error) => this.#fail(error),
      });
    };
    const dropped = (error) => reportError(this.definition, error, null);
    this.#run.start(handler, [null, null, this.#args], undefined, started, dropped);
  }

  /**
   * @param {unknown} item what the handler's source gave
   * @returns {void}
   * @throws {import('../errors').UnsendableValueError} if it cannot be sent
   */
  #take(item) {
    this.publish(item instanceof TrackedItem ? item.item : item);
  }

  /**
   * Sends an item to all subscribers.
   *
   * @param {unknown} item the item
   * @returns {void}
   * @throws {import('../errors').UnsendableValueError} if it cannot be sent; then nobody gets it
   */
  publish(item) {
    if (this.#nested !== undefined) {
      this.#nested.push(item);
      return;
    }
    this.#nested = [];
    try {
      this.#publishOne(item);
    } finally {
      const nested = this.#nested;
      for (const one of nested) {
        this.#publishNested(one);
      }
      this.#nested = undefined;
    }
  }

  /**
   * @param {unknown} item an item that was published while another one was
   * @returns {void}
   */
  #publishNested(item) {
    try {
      if (this.isRunning) {
        this.#publishOne(item);
      }
    } catch (error) {
      reportError(this.definition, error, null);
    }
  }

  /**
   * @param {unknown} item the item
   * @returns {void}
   * @throws {import('../errors').UnsendableValueError} if it cannot be sent; then nobody gets it
   */
  #publishOne(item) {
    const { authorizeItem } = this.definition.options;
    const bytes = authorizeItem === undefined ? 0 : sizeOf(item);
    const offset = (this.#lastOffset += 1);
    const meta = { source: this.name, id: idOf(this.name, offset) };
    if (authorizeItem !== undefined) {
      this.#offer({ offset, item, meta, bytes });
      return;
    }
    let isPublished = false;
    let failure;
    for (const channel of this.#channels.values()) {
      try {
        channel.publish(offset, item, meta);
        isPublished = true;
      } catch (error) {
        failure ??= { error };
      }
    }
    if (failure !== undefined) {
      if (!isPublished) {
        this.#lastOffset -= 1;
      }
      throw failure.error;
    }
  }

  /**
   * Offers an item to the channel of each subscriber.
   *
   * @param {import('./filtered-channel').ItemRecord} record the item
   * @returns {void}
   */
  #offer(record) {
    const size = this.definition.options.history?.size ?? 0;
    if (size > 0) {
      this.#history.push(record);
      if (this.#history.length > size) {
        this.#history.shift();
      }
    }
    for (const channel of [...this.#filtered]) {
      channel.offer(record);
    }
  }

  /**
   * @param {number} from an offset
   * @returns {import('./filtered-channel').ItemRecord[]} the items from there on
   */
  since(from) {
    return this.#history.filter(({ offset }) => offset >= from);
  }

  /**
   * @param {unknown} error why it ends
   * @returns {void}
   */
  #fail(error) {
    if (this.isRunning) {
      reportError(this.definition, error, null);
      this.#finish('error', error);
    }
  }

  /**
   * Ends, when each subscriber has got what was published before.
   *
   * @param {string} reason `end` or `error`
   * @param {unknown} [error] why
   * @returns {void}
   */
  #finish(reason, error) {
    if (!this.isRunning) {
      return;
    }
    this.#end(reason, error);
    for (const channel of [...this.#channels.values(), ...this.#filtered]) {
      channel.finish();
    }
  }

  /**
   * The subscription is defined no more: ends all subscribers at once.
   *
   * @returns {void}
   */
  remove() {
    this.#end('removed');
    for (const channel of [...this.#channels.values(), ...this.#filtered]) {
      channel.endAll('removed');
    }
  }

  /**
   * @param {string} reason why it ends
   * @param {unknown} [error] its error
   * @returns {void}
   */
  #end(reason, error) {
    if (this.hasEnded) {
      return;
    }
    this.#stage = Stage.ENDED;
    this.reason = reason;
    this.error = error;
    this.#history = [];
    this.#keepNoMore();
    this.#forget();
    this.#run?.stop();
    this.#run = undefined;
  }

  /**
   * A channel has been closed, since it had no subscribers any more.
   *
   * @param {object} engine its engine
   * @returns {void}
   */
  channelClosed(engine) {
    this.#channels.delete(engine);
    this.#endIfUnused();
  }

  /**
   * A subscriber's own channel has been closed.
   *
   * @param {FilteredChannel} channel the channel
   * @returns {void}
   */
  filteredClosed(channel) {
    this.#filtered.delete(channel);
    const { history } = this.definition.options;
    if (this.#filtered.size > 0 || this.hasEnded) {
      return;
    }
    if (history === undefined) {
      this.#endIfUnused();
    } else {
      this.#grace = new GracePeriod(history.ttl, channel.engine.gracePeriods, () => {
        this.#grace = undefined;
        this.#endIfUnused();
      });
    }
  }

  /**
   * @returns {void}
   */
  #keepNoMore() {
    this.#grace?.cancel();
    this.#grace = undefined;
  }

  /**
   * @returns {void}
   */
  #endIfUnused() {
    const isUsed = this.#reservations > 0 || this.#channels.size > 0 || this.#filtered.size > 0;
    if (!isUsed && this.#grace === undefined) {
      this.#end('end');
    }
  }
}

module.exports = { SharedSource };
