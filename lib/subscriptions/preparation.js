'use strict';

/**
 * How a subscription begins: prepared first, which may take its time and fail, and then committed in one
 * step, so that nothing of its source leaves before the answer.
 */

const { settleValue } = require('../calls/invoke');
const {
  InvalidKeyError,
  RemovedSubscriptionError,
  TooManySourcesError,
  TooManySubscriptionsError,
} = require('../errors');
const { isItemId } = require('./item-ids');
const { PrivateSource } = require('./private-source');

/**
 * What a client asks for.
 *
 * @typedef {object} Request
 * @property {import('./definition').SubscriptionDefinition} subscription the subscription, as it was bound
 * @property {unknown} credentials those that the client has authenticated with
 * @property {number} generation how many times it had authenticated by then, as `generationOf` gives it
 * @property {unknown} args the arguments
 * @property {unknown} after what it gave as the id of the last item that it has
 * @property {AbortSignal} signal aborted when the client does not want it any more
 */

/**
 * @callback Prepared receives the outcome of a preparation, once
 * @param {boolean} failed whether the subscription cannot begin
 * @param {unknown} value the preparation, or the error
 * @param {boolean} [isRefusal] whether the error is no failure of a function of the application
 * @returns {void}
 */

/** One subscription that is about to begin. */
class Preparation {
  #host;
  #definition;
  #subscriptions;
  #credentials;
  /** How many times the socket had authenticated when `authorize` allowed the subscription. */
  #generation;
  #args;
  #after;
  /** @type {PrivateSource | import('./shared-source').SharedSource | undefined} */
  #source;
  #key;
  #keyArgs;
  #isOver = false;
  /** @type {(() => void) | undefined} ends the wait for the socket to authenticate again */
  #stopWaiting;
  /** Called when it is prepared, or cannot be; `undefined` from then on. */
  #done;
  #signal;
  #abort = () => this.#settle(true, this.#signal.reason, true);

  /**
   * @param {import('./socket-subscriptions').SocketSubscriptions} subscriptions those of the socket
   * @param {Request} request what is asked for
   */
  constructor(subscriptions, { subscription, credentials, generation, args, after }) {
    this.#subscriptions = subscriptions;
    this.#host = subscriptions.host;
    this.#definition = subscription;
    this.#credentials = credentials;
    this.#generation = generation;
    this.#args = args;
    this.#after = isItemId(after) ? after : undefined;
  }

  /**
   * Prepares it.
   *
   * @param {Request} request what is asked for
   * @param {Prepared} done called once it may begin, or cannot
   * @returns {void}
   */
  start(request, done) {
    const definition = this.#definition;
    if (definition.isRemoved) {
      this.#isOver = true;
      done(true, new RemovedSubscriptionError(), true);
      return;
    }
    if (this.#subscriptions.count >= this.#host.maxSubscriptionsOf(definition.instance)) {
      this.#isOver = true;
      done(true, new TooManySubscriptionsError(), true);
      return;
    }
    this.#subscriptions.prepares(this);
    this.#done = done;
    const found = (failed, error) => this.#settle(failed, failed ? error : this);
    if (definition.isShared) {
      this.#findKey(found);
    } else {
      this.#source = new PrivateSource(definition);
      const { socket } = this.#host;
      this.#source.prepare(socket, this.#credentials, this.#args, this.#after, found);
    }
    if (this.#done !== undefined) {
      // Looked at only if it takes its time: the signal is made when it is asked for.
      this.#signal = request.signal;
      this.#signal.addEventListener('abort', this.#abort);
    }
  }

  /**
   * It is prepared, or cannot be.
   *
   * @param {boolean} failed whether it cannot be
   * @param {unknown} value this object, or the error
   * @param {boolean} [isRefusal] whether the error is no failure of a function of the application
   * @returns {void}
   */
  #settle(failed, value, isRefusal = value instanceof TooManySourcesError) {
    const done = this.#done;
    if (done === undefined) {
      return;
    }
    this.#done = undefined;
    this.#signal?.removeEventListener('abort', this.#abort);
    this.#signal = undefined;
    if (failed) {
      this.dispose();
    }
    done(failed, value, failed && isRefusal);
  }

  /**
   * @param {(failed: boolean, error?: unknown) => void} done called when it is found, or cannot be
   * @returns {void}
   */
  #findKey(done) {
    const { key } = this.#definition.options;
    const found = (failed, value) => {
      if (failed) {
        done(true, value);
      } else if (!this.#isOver) {
        try {
          this.#setKey(value);
          this.#reserve();
        } catch (error) {
          done(true, error);
          return;
        }
        done(false);
      }
    };
    if (key === undefined) {
      found(false, '');
      return;
    }
    let value;
    try {
      value = key(this.#args);
    } catch (error) {
      found(true, error);
      return;
    }
    settleValue(value, found);
  }

  /**
   * @param {unknown} value what `key` gave
   * @returns {void}
   * @throws {InvalidKeyError} if it is no key
   */
  #setKey(value) {
    if (typeof value === 'string') {
      this.#key = value;
      return;
    }
    const key = typeof value === 'object' && value !== null ? value.key : undefined;
    if (typeof key !== 'string') {
      throw new InvalidKeyError(this.#definition.name, value);
    }
    this.#key = key;
    this.#keyArgs = value.args;
  }

  /**
   * @returns {void}
   * @throws {import('../errors').TooManySourcesError} if there are too many already
   */
  #reserve() {
    this.#source = this.#definition.sources.reserve(this.#key, this.#keyArgs);
  }

  /**
   * Has it begin: the client is answered, then the first item may follow. If it is disposed of before, `answer` is
   * not called.
   *
   * @param {import('../calls/invoke').Settle} answer answers the client
   * @returns {void}
   */
  commit(answer) {
    if (this.#isOver) {
      return;
    }
    const definition = this.#definition;
    const { instance } = definition;
    if (this.#subscriptions.isAuthenticating(instance)) {
      this.#stopWaiting = this.#subscriptions.whenDecided(instance, () => this.commit(answer));
      return;
    }
    if (definition.isRemoved) {
      this.#refuse(answer, new RemovedSubscriptionError());
      return;
    }
    if (this.#subscriptions.generationOf(instance) !== this.#generation) {
      // The socket has authenticated again since `authorize` allowed the subscription, if with the same credentials.
      this.#authorizeAgain(answer);
      return;
    }
    if (definition.isShared && this.#source.hasEnded) {
      this.#source.release();
      this.#source = undefined;
      try {
        this.#reserve();
      } catch (error) {
        this.#refuse(answer, error);
        return;
      }
    }
    this.#begin(answer);
  }

  /**
   * @param {import('../calls/invoke').Settle} answer answers the client
   * @param {Error} error why it does not begin
   * @returns {void}
   */
  #refuse(answer, error) {
    this.dispose();
    answer(true, error);
  }

  /**
   * @param {import('../calls/invoke').Settle} answer answers the client
   * @returns {void}
   */
  #authorizeAgain(answer) {
    const definition = this.#definition;
    this.#generation = this.#subscriptions.generationOf(definition.instance);
    this.#subscriptions.authorize(definition, this.#args, (refusal) => {
      if (refusal === undefined) {
        this.commit(answer);
      } else if (!this.#isOver) {
        this.#refuse(answer, refusal);
      }
    });
  }

  /**
   * @param {import('../calls/invoke').Settle} answer answers the client
   * @returns {void}
   */
  #begin(answer) {
    const definition = this.#definition;
    this.#isOver = true;
    const source = this.#source;
    const subscriptions = this.#subscriptions;
    subscriptions.prepared(this);
    const number = subscriptions.nextNumber();
    const { channel, from, resumed } = source.join(this.#host, this.#after);
    answer(false, { subscription: number, source: source.name, resumed });
    subscriptions.add(number, channel, from, this.#args);
    if (definition.isShared) {
      source.release();
    }
    source.start();
  }

  /**
   * It does not begin: lets go of what was prepared.
   *
   * @returns {void}
   */
  dispose() {
    if (this.#isOver) {
      return;
    }
    this.#isOver = true;
    this.#done = undefined;
    this.#signal?.removeEventListener('abort', this.#abort);
    // A client may cancel any number of requests while one attempt is under way.
    this.#stopWaiting?.();
    this.#subscriptions.prepared(this);
    if (this.#definition.isShared) {
      this.#source?.release();
    } else {
      this.#source?.stop();
    }
    this.#source = undefined;
  }
}

module.exports = { Preparation };
