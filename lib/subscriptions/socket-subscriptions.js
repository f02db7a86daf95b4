'use strict';

/**
 * The subscriptions of one socket, whichever LoopbackSocket they are of.
 *
 * What must stay true: each ends once; its client is told unless it ended the subscription itself or is gone;
 * nothing is delivered while it is not known whether the socket may still have it. There may be very many
 * sockets with a subscription that does nothing for hours, so each takes little memory.
 */

const { AsyncResource } = require('async_hooks');
const { isAuthorized } = require('../calls/run-call');
const { TooManySubscriptionsError } = require('../errors');
const { subscriptionEnded } = require('../observability/sockets');
const { Preparation } = require('./preparation');
const { ErrorKind, clientError, reportError } = require('./report');

/** The event by which a client learns that the server has ended a subscription. */
const UNSUBSCRIBED = 'loopback:unsubscribed';

/**
 * What owns a socket: one for each kind of server.
 *
 * @typedef {object} Host
 * @property {object} socket the socket that handlers get
 * @property {object} engine what opens channels for the socket's namespace
 * @property {(event: string, value: object) => void} send sends the client an event; throws an
 *   `UnsendableValueError`
 * @property {(instance: object) => unknown} credentialsOf gives those that the socket has authenticated with last
 *   with a LoopbackSocket
 * @property {(instance: object) => number} maxSubscriptionsOf how many the socket may have, as `start()` of a
 *   LoopbackSocket says
 */

/** The generation of a socket that has not authenticated again since it first asked for a subscription. */
const FIRST_GENERATION = 1;

/** The subscriptions of a socket that has none. */
const NONE = Object.freeze([]);

/** One subscription of a socket. */
class Subscriber {
  /** The neighbours in the list of its channel. */
  previous = undefined;
  next = undefined;
  /** Whether items wait for now. */
  isHeld = false;
  /** @type {Authorization | undefined} what `authorize` needs to run again, if there is one */
  authorization;

  /**
   * @param {SocketSubscriptions} sockets those of its socket
   * @param {number} number its number, which its client knows it by
   * @param {object} channel what brings it its items
   */
  constructor(sockets, number, channel) {
    this.sockets = sockets;
    this.number = number;
    this.channel = channel;
  }

  /** @returns {object} its socket */
  get socket() {
    return this.sockets.host.socket;
  }

  /** @returns {import('./definition').SubscriptionDefinition} its subscription */
  get definition() {
    return this.channel.definition;
  }
}

/**
 * @typedef {object} Authorization
 * @property {unknown} args the arguments of the subscription
 * @property {number} running the generation of the credentials that `authorize` runs with; 0 if it does not run
 */

/**
 * How a socket stands with one LoopbackSocket, since it has begun to authenticate again.
 *
 * @typedef {object} Standing
 * @property {number} attempts how many attempts are under way
 * @property {number} generation how many have been accepted
 * @property {Set<() => void> | undefined} waiting what is to be done when no attempt is under way
 */

class SocketSubscriptions {
  #lastNumber = 0;
  /**
   * Those that have begun, ordered by number. Most sockets have one, and it stands for itself.
   *
   * @type {Subscriber | Subscriber[] | undefined}
   */
  #begun;
  /** How many are asked for and not yet being prepared: `authorize` takes its time. */
  #requests = 0;
  /** @type {Set<object> | undefined} what is being prepared */
  #preparing;
  /** @type {Map<object, Standing> | undefined} by LoopbackSocket */
  #standings;
  #hasEnded = false;

  /**
   * @param {Host} host the socket's owner
   */
  constructor(host) {
    this.host = host;
  }

  /** @returns {number} how many subscriptions there are, with those that are asked for or being prepared */
  get count() {
    return this.#subscribers.length + (this.#preparing?.size ?? 0) + this.#requests;
  }

  /**
   * @param {object} instance a LoopbackSocket
   * @returns {number} how many of its subscriptions have begun
   */
  countOf(instance) {
    let count = 0;
    for (const { definition } of this.#subscribers) {
      count += definition.instance === instance ? 1 : 0;
    }
    return count;
  }

  /** @returns {readonly Subscriber[]} those that have begun, ordered by number */
  get #subscribers() {
    const begun = this.#begun;
    return begun === undefined ? NONE : begun instanceof Subscriber ? [begun] : begun;
  }

  /** @returns {boolean} whether the socket is gone */
  get hasEnded() {
    return this.#hasEnded;
  }

  /**
   * A client asks for a subscription: it counts as one from now on.
   *
   * @param {object} instance the LoopbackSocket
   * @returns {TooManySubscriptionsError | undefined} the error if there are too many already
   */
  admit(instance) {
    if (this.count >= this.host.maxSubscriptionsOf(instance)) {
      return new TooManySubscriptionsError();
    }
    this.#requests += 1;
    return undefined;
  }

  /**
   * One that was asked for is being prepared, or does not begin.
   *
   * @returns {void}
   */
  dismiss() {
    this.#requests -= 1;
  }

  /**
   * Prepares a subscription.
   *
   * @param {import('./preparation').Request} request what the client asks for
   * @param {import('./preparation').Prepared} done called with what is prepared, or with an error
   * @returns {void}
   */
  prepare(request, done) {
    new Preparation(this, request).start(request, done);
  }

  /**
   * Has a subscription begin: the client is answered, then the first item may follow.
   *
   * @param {Preparation} preparation what is prepared
   * @param {import('../calls/invoke').Settle} answer answers the client
   * @returns {void}
   */
  commit(preparation, answer) {
    preparation.commit(answer);
  }

  /**
   * A subscription does not begin after all.
   *
   * @param {Preparation} preparation what is prepared
   * @returns {void}
   */
  dispose(preparation) {
    preparation.dispose();
  }

  /**
   * A subscription is being prepared.
   *
   * @param {{dispose: () => void}} preparation what to dispose of when the socket ends
   * @returns {void}
   */
  prepares(preparation) {
    this.#preparing ??= new Set();
    this.#preparing.add(preparation);
  }

  /**
   * It is being prepared no more.
   *
   * @param {object} preparation which
   * @returns {void}
   */
  prepared(preparation) {
    this.#preparing?.delete(preparation);
    if (this.#preparing?.size === 0) {
      this.#preparing = undefined;
    }
  }

  /**
   * @returns {number} the number of the next subscription
   */
  nextNumber() {
    this.#lastNumber += 1;
    return this.#lastNumber;
  }

  /**
   * A subscription begins.
   *
   * @param {number} number its number, the last that was given
   * @param {object} channel what brings it its items
   * @param {number} from the first offset
   * @param {unknown} args its arguments, for `authorize`
   * @returns {void}
   */
  add(number, channel, from, args) {
    const subscriber = new Subscriber(this, number, channel);
    if (channel.definition.options.authorize !== undefined) {
      subscriber.authorization = { args, running: 0 };
    }
    if (this.#begun === undefined) {
      this.#begun = subscriber;
    } else if (this.#begun instanceof Subscriber) {
      this.#begun = [this.#begun, subscriber];
    } else {
      this.#begun.push(subscriber);
    }
    channel.add(subscriber, from);
    if (this.#hasEnded && this.#take(number) !== undefined) {
      // The socket ended while its client was answered: npm socket.io 2 finds out when it writes.
      channel.remove(subscriber);
    }
  }

  /**
   * The engine has dropped a subscriber.
   *
   * @param {number} number its number
   * @param {'slow' | 'finished'} how why
   * @returns {void}
   */
  ended(number, how) {
    const subscriber = this.#take(number);
    if (subscriber === undefined) {
      return;
    }
    const { source, definition } = subscriber.channel;
    subscriber.channel.dropped(subscriber);
    if (how === 'slow') {
      this.#tell(number, definition, 'slow');
    } else {
      this.#tell(number, definition, source.reason, source.error);
    }
  }

  /**
   * A subscriber has acknowledged items.
   *
   * @param {number} number its number
   * @param {number} count how many
   * @returns {void}
   */
  credit(number, count) {
    this.#find(number)?.channel.credit?.(count);
  }

  /**
   * The client ends a subscription.
   *
   * @param {unknown} number what it gave as its number
   * @returns {boolean} whether there was one
   */
  unsubscribe(number) {
    const subscriber = this.#take(number);
    if (subscriber === undefined) {
      return false;
    }
    const { channel, definition } = subscriber;
    channel.remove(subscriber);
    subscriptionEnded(this.host.socket, definition.name, subscriber.number, 'unsubscribe');
    return true;
  }

  /**
   * The server ends a subscription.
   *
   * @param {Subscriber} subscriber which
   * @param {string} reason why
   * @returns {void}
   */
  end(subscriber, reason) {
    if (this.#take(subscriber.number) !== undefined) {
      const { definition } = subscriber;
      subscriber.channel.remove(subscriber);
      this.#tell(subscriber.number, definition, reason);
    }
  }

  /**
   * The server ends all subscriptions of a LoopbackSocket.
   *
   * @param {object} instance the LoopbackSocket
   * @param {string} reason why
   * @returns {void}
   */
  endAll(instance, reason) {
    for (const subscriber of this.#of(instance)) {
      this.end(subscriber, reason);
    }
  }

  /**
   * The socket is gone.
   *
   * @returns {void}
   */
  close() {
    this.#hasEnded = true;
    for (const preparation of [...(this.#preparing ?? [])]) {
      preparation.dispose();
    }
    const subscribers = this.#subscribers;
    this.#begun = undefined;
    for (const subscriber of subscribers) {
      subscriber.channel.remove(subscriber);
    }
  }

  /**
   * The socket begins to authenticate again: until it is decided, items wait.
   *
   * @param {object} instance with which LoopbackSocket
   * @returns {void}
   */
  attemptBegins(instance) {
    this.#standingOf(instance).attempts += 1;
    this.#of(instance).forEach((subscriber) => this.#hold(subscriber));
  }

  /**
   * An attempt is over.
   *
   * @param {object} instance with which LoopbackSocket
   * @param {boolean} isAccepted whether the socket has authenticated again
   * @param {boolean} [hasBegun=true] whether it was known that it had begun
   * @returns {void}
   */
  attemptEnds(instance, isAccepted, hasBegun = true) {
    const standing = this.#standingOf(instance);
    if (hasBegun) {
      standing.attempts -= 1;
    }
    if (isAccepted) {
      standing.generation += 1;
    }
    for (const subscriber of this.#of(instance)) {
      if (isAccepted) {
        this.#authorizeAgain(subscriber, standing);
      } else {
        this.#release(subscriber, standing);
      }
    }
    if (standing.attempts === 0) {
      const { waiting } = standing;
      standing.waiting = undefined;
      waiting?.forEach((done) => done());
    }
  }

  /**
   * @param {object} instance a LoopbackSocket
   * @returns {boolean} whether the socket is about to authenticate again with it
   */
  isAuthenticating(instance) {
    return this.#standings?.get(instance)?.attempts > 0;
  }

  /**
   * @param {object} instance a LoopbackSocket
   * @returns {number} how many times the socket has authenticated with it since it first asked for a subscription
   */
  generationOf(instance) {
    return this.#standings?.get(instance)?.generation ?? FIRST_GENERATION;
  }

  /**
   * @param {object} instance a LoopbackSocket with which the socket is about to authenticate again
   * @param {() => void} done called when that is decided, in the asynchronous context of the caller
   * @returns {() => void} keeps it from being called
   */
  whenDecided(instance, done) {
    const standing = this.#standingOf(instance);
    const waiting = (standing.waiting ??= new Set());
    const resume = AsyncResource.bind(done, 'LOOPBACK_SOCKET');
    waiting.add(resume);
    return () => waiting.delete(resume);
  }

  /**
   * Asks whether the socket may have a subscription.
   *
   * @param {import('./definition').SubscriptionDefinition} definition the subscription
   * @param {unknown} args its arguments
   * @param {(refusal?: import('../errors').ForbiddenError) => void} done takes why it is refused, if it is
   * @returns {void}
   */
  authorize(definition, args, done) {
    const { instance, options } = definition;
    if (options.authorize === undefined) {
      done();
      return;
    }
    const { socket } = this.host;
    const credentials = this.host.credentialsOf(instance);
    isAuthorized(options.authorize, socket, credentials, args, (refusal, thrown) => {
      if (thrown !== undefined) {
        reportError(definition, thrown.cause, socket, ErrorKind.AUTHORIZE);
      }
      done(refusal);
    });
  }

  /**
   * @param {object} instance a LoopbackSocket
   * @returns {Standing} how the socket stands with it
   */
  #standingOf(instance) {
    this.#standings ??= new Map();
    let standing = this.#standings.get(instance);
    if (standing === undefined) {
      standing = { attempts: 0, generation: FIRST_GENERATION, waiting: undefined };
      this.#standings.set(instance, standing);
    }
    return standing;
  }

  /**
   * Asks whether a socket may still have a subscription, now that it has other credentials. Items wait.
   *
   * @param {Subscriber} subscriber the subscription
   * @param {Standing} standing with which credentials
   * @returns {void}
   */
  #authorizeAgain(subscriber, standing) {
    const { authorization, definition } = subscriber;
    if (authorization === undefined) {
      this.#release(subscriber, standing);
      return;
    }
    const { generation } = standing;
    authorization.running = generation;
    this.#hold(subscriber);
    this.authorize(definition, authorization.args, (refusal) => {
      if (authorization.running !== generation || !this.#has(subscriber)) {
        return;
      }
      authorization.running = 0;
      if (refusal === undefined) {
        this.#release(subscriber, standing);
      } else {
        this.end(subscriber, 'revoked');
      }
    });
  }

  /**
   * @param {Subscriber} subscriber whose items wait from now on
   * @returns {void}
   */
  #hold(subscriber) {
    if (!subscriber.isHeld) {
      subscriber.isHeld = true;
      subscriber.channel.hold(subscriber, true);
    }
  }

  /**
   * @param {Subscriber} subscriber whose items wait no more, unless there is another reason
   * @param {Standing} standing how its socket stands
   * @returns {void}
   */
  #release(subscriber, standing) {
    const isDecided = standing.attempts === 0 && !subscriber.authorization?.running;
    if (subscriber.isHeld && isDecided) {
      subscriber.isHeld = false;
      subscriber.channel.hold(subscriber, false);
    }
  }

  /**
   * @param {object} instance a LoopbackSocket
   * @returns {Subscriber[]} its subscriptions, a copy
   */
  #of(instance) {
    return this.#subscribers.filter(({ definition }) => definition.instance === instance);
  }

  /**
   * @param {Subscriber} subscriber a subscription
   * @returns {boolean} whether it has not ended
   */
  #has(subscriber) {
    return this.#find(subscriber.number) === subscriber;
  }

  /**
   * @param {unknown} number what may be the number of a subscription
   * @returns {Subscriber | undefined} the subscription
   */
  #find(number) {
    const subscribers = this.#subscribers;
    return subscribers[indexOf(subscribers, number)];
  }

  /**
   * @param {unknown} number what may be the number of a subscription
   * @returns {Subscriber | undefined} the subscription, which is not listed any more
   */
  #take(number) {
    const subscribers = this.#subscribers;
    const index = indexOf(subscribers, number);
    if (index < 0) {
      return undefined;
    }
    const subscriber = subscribers[index];
    if (subscribers.length === 1) {
      this.#begun = undefined;
    } else {
      this.#begun.splice(index, 1);
    }
    return subscriber;
  }

  /**
   * Tells the client that a subscription has ended.
   *
   * @param {number} subscription its number
   * @param {import('./definition').SubscriptionDefinition} definition what it was of
   * @param {string} reason why
   * @param {unknown} [error] with what error
   * @returns {void}
   */
  #tell(subscription, definition, reason, error) {
    if (this.#hasEnded) {
      return;
    }
    subscriptionEnded(this.host.socket, definition.name, subscription, reason);
    const ended = { subscription, reason };
    if (reason !== 'error') {
      this.host.send(UNSUBSCRIBED, ended);
      return;
    }
    try {
      this.host.send(UNSUBSCRIBED, { ...ended, error: clientError(definition, error) });
    } catch ({ code, message }) {
      this.host.send(UNSUBSCRIBED, { ...ended, error: { code, message } });
    }
  }
}

/**
 * @param {readonly Subscriber[]} subscribers ordered by number
 * @param {unknown} number what may be the number of one
 * @returns {number} its index; -1 if it is of none
 */
function indexOf(subscribers, number) {
  if (typeof number !== 'number') {
    return -1;
  }
  let [low, high] = [0, subscribers.length];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (subscribers[middle].number < number) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return subscribers[low]?.number === number ? low : -1;
}

module.exports = { SocketSubscriptions };
