'use strict';

/**
 * A served instance with clients that subscribe, on any kind of server, for the tests of subscriptions.
 */

const { authenticate, call, newInstance, next, openServer, socketOf } = require('./js-hosts');

/** What a request to subscribe may wait for when its socket authenticates again. */
const WAITS = ['authentication', 'authorize'];

/** One client that has authenticated, and what it gets. */
class Subscriber {
  /** Each item with what came beside it, in order: `[name, item, meta]`. */
  items = [];
  /** What came with `loopback:unsubscribed`. */
  ends = [];
  /** Whether it acknowledges what it is asked to; what it is asked to meanwhile waits. */
  acknowledges = true;
  #waiting = [];
  #changed = () => {};

  /**
   * @param {object} client the client
   * @param {object} socket the server's side of it
   * @param {string[]} names the subscriptions that it listens to
   */
  constructor(client, socket, names) {
    this.client = client;
    this.socket = socket;
    for (const name of names) {
      client.on(name, (item, meta, ack) => this.#receive(name, item, meta, ack));
    }
    client.on('loopback:unsubscribed', (end) => {
      this.ends.push(end);
      this.#changed();
    });
  }

  #receive(name, item, meta, ack) {
    this.items.push([name, item, meta]);
    if (ack !== undefined) {
      if (this.acknowledges) {
        ack();
      } else {
        this.#waiting.push(ack);
      }
    }
    this.#changed();
  }

  /** @returns {unknown[]} the items alone */
  get values() {
    return this.items.map(([, item]) => item);
  }

  /**
   * Acknowledges what it was asked to, and from now on.
   *
   * @returns {void}
   */
  acknowledge() {
    this.acknowledges = true;
    this.#waiting.splice(0).forEach((ack) => ack());
  }

  /**
   * @param {string} name a subscription
   * @param {unknown} [args] its arguments
   * @param {unknown} [after] the id of the last item
   * @returns {Promise<object>} the answer
   */
  subscribe(name, args, after) {
    return call(this.client, name, { args, after });
  }

  /**
   * @param {unknown} subscription the number of a subscription
   * @returns {Promise<object>} the answer
   */
  unsubscribe(subscription) {
    return call(this.client, 'loopback:unsubscribe', subscription);
  }

  /**
   * @param {() => boolean} isReached looks at what it got
   * @returns {Promise<void>} when it is so
   */
  async until(isReached) {
    while (!isReached()) {
      await new Promise((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  /**
   * @param {number} count how many items
   * @returns {Promise<unknown[]>} the items, once there are as many
   */
  async got(count) {
    await this.until(() => this.items.length >= count);
    return this.values;
  }

  /**
   * @param {number} [count=1] how many ends
   * @returns {Promise<object>} the last of them
   */
  async ended(count = 1) {
    await this.until(() => this.ends.length >= count);
    return this.ends.at(-1);
  }

  /**
   * What was sent before has arrived when this is done.
   *
   * @returns {Promise<void>} when an event of its own has arrived
   */
  async flush() {
    const arrived = new Promise((resolve) => {
      this.client.once('flushed', resolve);
    });
    this.socket.emit('flushed');
    await arrived;
  }
}

/**
 * @param {import('node:test').TestContext} t the test
 * @param {number | 'native'} host the kind of server
 * @param {(instance: object) => void} define defines its subscriptions and methods
 * @param {object} [options] of `start()`
 * @returns {Promise<object>} the instance, the server, and what gives another subscriber
 */
async function serve(t, host, define, options) {
  const { io, connect } = await openServer(t, host);
  const instance = newInstance();
  instance.auth((socket, credentials) => credentials?.refused !== true);
  define(instance);
  instance.start(io, options);
  const join = async (credentials = {}, names = ['items', 'other']) => {
    const client = connect();
    const socket = await socketOf(io, client);
    await authenticate(client, credentials);
    return new Subscriber(client, socket, names);
  };
  return { instance, io, connect, join };
}

/**
 * Has a client subscribe to `items` while its socket authenticates again. The request waits until that is decided, or
 * until `authorize` has decided with the new credentials.
 *
 * @param {import('node:test').TestContext} t the test
 * @param {number | 'native'} host the kind of server
 * @param {string} wait which of the `WAITS`
 * @param {object} [options]
 * @param {(instance: object) => void} [options.define] defines more
 * @param {(args: unknown) => void} [options.authorizes] called each time `authorize` runs
 * @returns {Promise<object>} the instance, the client `one`, the `answer` to its request, whose id is `request`, and
 *   `accept()`, which ends the wait
 */
async function requestThatWaits(t, host, wait, { define = () => {}, authorizes = () => {} } = {}) {
  const authentication = deferred();
  const authorization = deferred();
  const isAttempted = deferred();
  const isAsked = [deferred(), deferred()];
  let asked = 0;
  const { instance, join } = await serve(t, host, (it) => {
    // Clients can cancel where a method has options.
    it.defineSubscription('other');
    it.defineSubscription('items', undefined, {
      authorize: (socket, credentials, args) => {
        isAsked[asked].resolve();
        asked += 1;
        authorizes(args);
        return asked === 1 || authorization.promise;
      },
    });
    define(it);
  });
  const one = await join();
  await one.subscribe('other');
  instance.auth(() => {
    isAttempted.resolve();
    return authentication.promise;
  });
  one.client.emit('authentication', {});
  await isAttempted.promise;
  const answer = call(one.client, 'items', { args: {} }, { call: 'request' });
  await isAsked[0].promise;
  if (wait === 'authorize') {
    const accepted = next(one.client, 'authenticated');
    authentication.resolve(true);
    await accepted;
    await isAsked[1].promise;
  }
  const accept = () => {
    authentication.resolve(true);
    authorization.resolve(true);
  };
  return { instance, one, answer, accept };
}

/**
 * @returns {{promise: Promise<any>, resolve: (value?: any) => void, reject: (error: unknown) => void}} a promise
 *   that the test settles
 */
function deferred() {
  let settle;
  const promise = new Promise((resolve, reject) => {
    settle = { resolve, reject };
  });
  return { promise, ...settle };
}

/**
 * @param {AbortSignal} signal a signal
 * @returns {Promise<void>} when it is aborted
 */
function aborted(signal) {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
    } else {
      signal.addEventListener('abort', () => resolve());
    }
  });
}

module.exports = { WAITS, aborted, deferred, requestThatWaits, serve };
