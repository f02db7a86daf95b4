/**
 * The helper for clients of loopback-socket: authentication, calls and subscriptions over a socket of
 * socket.io-client 1.7 to 4, in browsers and in Node.js. It has no dependencies and needs no build step.
 * docs/client.md describes it, docs/subscriptions.md what it sends.
 *
 * What must stay true: nothing is sent before the server has accepted the credentials; a call is sent at
 * most once; each item reaches its loop once and in order, and is acknowledged when the loop has asked
 * for the next one; when a subscription or the client ends, none of its listeners stays on the socket.
 */

/** An error of the helper. */
class ClientError extends Error {
  /**
   * @param {string} name the name of the class, which survives minification
   * @param {string | undefined} code a stable code, or the server's
   * @param {string} message what went wrong
   * @param {unknown} [cause] the error behind this one
   */
  constructor(name, code, message, cause) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = name;
    this.code = code;
  }
}

/** The server answered with an error. */
export class RemoteError extends ClientError {
  /**
   * @param {string} method the method or subscription
   * @param {unknown} error what the server sent: anything that can be thrown, as JSON has it
   */
  constructor(method, error) {
    super('RemoteError', error?.code, messageOf(error) ?? `${method} failed.`);
    this.method = method;
    this.error = error;
    this.issues = error?.issues;
  }
}

/** The server did not accept the credentials, or there are none. */
export class UnauthorizedError extends ClientError {
  /**
   * @param {unknown} refusal what the server sent with `unauthorized`
   * @param {unknown} [cause] what the function `credentials` failed with
   */
  constructor(refusal, cause) {
    const message = messageOf(refusal) ?? 'The server refused the credentials.';
    super('UnauthorizedError', refusal?.code ?? 'ERR_LOOPBACK_SOCKET_UNAUTHORIZED', message, cause);
    this.refusal = refusal;
  }
}

/** No answer came in time. */
export class TimeoutError extends ClientError {
  /**
   * @param {string} method the method or subscription
   * @param {number} [timeout] how long it was waited for
   */
  constructor(method, timeout) {
    const time = timeout === undefined ? 'in time' : `within ${timeout} ms`;
    const message = `${method} was not answered ${time}. Does the server define it?`;
    super('TimeoutError', 'ERR_LOOPBACK_SOCKET_TIMEOUT', message);
    this.method = method;
  }
}

/** The connection was lost, and with it the answer; or there is none and will be none. */
export class DisconnectedError extends ClientError {
  /**
   * @param {string} reason why, as the socket's `disconnect` event has it; `closed` by `close()`
   * @param {unknown} [cause] the error of the attempt to connect
   */
  constructor(reason, cause) {
    const message = `The socket is not connected: ${reason}.`;
    super('DisconnectedError', 'ERR_LOOPBACK_SOCKET_DISCONNECTED', message, cause);
    this.reason = reason;
  }
}

/** The server ended a subscription other than because its source was done. */
export class SubscriptionError extends ClientError {
  /**
   * @param {string} subscription the name
   * @param {{reason: string, error?: unknown}} end what the server sent
   * @param {string | number | undefined} lastId the id of the last item of the loop
   */
  constructor(subscription, { reason, error }, lastId) {
    const why = messageOf(error) ?? REASONS[reason] ?? 'the server ended it';
    super('SubscriptionError', error?.code, `${subscription} has ended (${reason}): ${why}.`);
    this.subscription = subscription;
    this.reason = reason;
    this.error = error;
    this.lastId = lastId;
  }
}

/** Why the server ends a subscription, for messages. */
const REASONS = {
  error: 'its source failed',
  revoked: 'the new credentials do not allow it',
  slow: 'its items were not taken in time',
  removed: 'the server does not offer it any more',
  unsubscribed: 'the loop was left',
};

/**
 * @param {unknown} error what the server sent
 * @returns {string | undefined} what it says about itself
 */
function messageOf(error) {
  const message = typeof error === 'string' ? error : error?.message;
  return typeof message === 'string' && message !== '' ? message : undefined;
}

/** The longest time of a timer, in ms: browsers and Node.js keep it in 31 bits. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

/**
 * Makes the helper for a socket. It authenticates whenever the socket connects.
 *
 * @param {object} socket of socket.io-client, connected or not
 * @param {object} [options] `credentials`, `timeout`, `disconnectWhenUnauthorized`
 * @returns {Client} for calls and subscriptions
 */
export function client(socket, options) {
  return new Client(socket, options);
}

/** Authenticates a socket, sends its calls and keeps its subscriptions. */
export class Client extends EventTarget {
  #socket;
  #credentials;
  #timeout;
  #disconnectWhenUnauthorized;
  #state = 'disconnected';
  #ready = deferred();
  /** The attempt to authenticate that the server has not answered yet. */
  #attempt;
  /** Why nothing can be sent until the socket connects or authenticates again. */
  #failure;
  /** What is sent once the socket has authenticated, in this order: `{send, fail}`. */
  #waiting = new Set();
  /** What to do with each call that has been sent and not been answered, if the connection is lost. */
  #underWay = new Set();
  #subscriptions = new Set();
  #router;
  /** The listeners on the socket and on its manager, to be removed. */
  #listeners = [];

  /**
   * @param {object} socket of socket.io-client
   * @param {object} [options] see `client()`
   */
  constructor(socket, options = {}) {
    super();
    const { credentials, timeout, disconnectWhenUnauthorized = false, ...others } = options;
    const [unknown] = Object.keys(others);
    if (unknown !== undefined) {
      throw new TypeError(
        `client() has no option '${unknown}'. Its options are credentials, timeout and ` +
          'disconnectWhenUnauthorized.',
      );
    }
    if (typeof socket?.on !== 'function' || typeof socket.emit !== 'function') {
      throw new TypeError('client() needs a socket of socket.io-client, as io() returns it.');
    }
    this.#socket = socket;
    this.#credentials = credentials;
    this.#timeout = checkedTimeout(timeout);
    this.#disconnectWhenUnauthorized = disconnectWhenUnauthorized;
    this.#router = Router.of(socket);
    this.#listen(socket, 'connect', () => this.#onConnect());
    this.#listen(socket, 'disconnect', (reason) => this.#onDisconnect(reason));
    this.#listen(socket, 'authenticated', () => this.#onAuthenticated());
    this.#listen(socket, 'unauthorized', (...args) => this.#onUnauthorized(...args));
    this.#listen(socket, 'connect_error', (error) => this.#onConnectError(error));
    if (!('active' in socket)) {
      // Until version 2 a namespace refuses with an event `error`, and the client does not try again.
      this.#listen(socket, 'error', (error) => {
        if (!socket.connected) {
          this.#giveUp(new DisconnectedError('connect_error', error));
        }
      });
    }
    if (typeof socket.io?.on === 'function') {
      this.#listen(socket.io, 'reconnect_failed', () => {
        this.#giveUp(new DisconnectedError('reconnect_failed'));
      });
    }
    if (socket.connected) {
      this.#onConnect();
    }
  }

  /** @returns {object} the socket that was given */
  get socket() {
    return this.#socket;
  }

  /** @returns {string} `disconnected`, `authenticating`, `ready`, `unauthorized` or `closed` */
  get state() {
    return this.#state;
  }

  /** @returns {Promise<void>} resolves once the server has accepted the credentials */
  get ready() {
    if (this.#failure !== undefined && this.#failureNow() === undefined) {
      this.#renewReady();
    }
    return this.#ready.promise;
  }

  /**
   * Authenticates again, for instance with credentials that have been renewed, or after a refusal.
   * While the socket is authenticated its calls and subscriptions go on.
   *
   * @param {unknown} [credentials] used from now on, also after reconnections; those of before if left
   *   out. A function is called, as the option is
   * @returns {Promise<void>} rejects with an UnauthorizedError if the server refuses
   */
  async authenticate(...credentials) {
    if (this.#state === 'closed') {
      throw this.#failure;
    }
    if (credentials.length > 0) {
      [this.#credentials] = credentials;
    }
    while (this.#attempt !== undefined) {
      // The server answers one attempt after the other, and its answers do not say which one they mean.
      await this.#attempt.promise.catch(() => {});
    }
    return this.#socket.connected ? this.#authenticate() : this.ready;
  }

  /**
   * Calls a method once the socket is authenticated. A call is never sent twice.
   *
   * @param {string} name the method
   * @param {unknown} [args] its arguments
   * @param {{signal?: AbortSignal, timeout?: number}} [options] how to stop it
   * @returns {Promise<unknown>} the result
   */
  call(name, args, options = {}) {
    return new Promise((resolve, reject) => {
      const { signal, timeout = this.#timeout } = options;
      checkedTimeout(timeout);
      signal?.throwIfAborted();
      // An older server has no use for a third value, so that only calls that can be aborted have one.
      const id = signal === undefined ? undefined : newCallId();
      const call = {};
      let timer;
      const settle = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', call.abort);
        this.#waiting.delete(call);
        this.#underWay.delete(call);
      };
      call.fail = (error) => {
        settle();
        reject(error);
      };
      const cancel = (error) => {
        const isRunning = this.#underWay.has(call);
        call.fail(error);
        if (isRunning && id !== undefined) {
          emit(this.#socket, 'loopback:cancel', id);
        }
      };
      call.abort = () => cancel(signal.reason);
      call.send = () => {
        this.#underWay.add(call);
        const answered = (...answer) => {
          if (!this.#underWay.has(call)) {
            return;
          }
          settle();
          const { error, hasError, result } = read(answer);
          if (!hasError) {
            resolve(result);
          } else {
            reject(error instanceof Error ? new TimeoutError(name) : new RemoteError(name, error));
          }
        };
        const values = id === undefined ? [args] : [args, { call: id }];
        try {
          // JSON has no undefined: without arguments there is no value for them.
          emit(
            this.#socket,
            name,
            ...(values[0] === undefined && id === undefined ? [] : values),
            answered,
          );
        } catch (error) {
          call.fail(error);
        }
      };
      signal?.addEventListener('abort', call.abort);
      if (timeout < Infinity) {
        const delay = Math.min(timeout, LONGEST_TIMEOUT);
        timer = setTimeout(() => cancel(new TimeoutError(name, timeout)), delay);
      }
      this.#whenReady(call);
    });
  }

  /**
   * Subscribes, now or once the socket is authenticated, and again after reconnections.
   *
   * @param {string} name the subscription
   * @param {unknown} [args] its arguments
   * @param {object} [options] `signal`, `after`, `onGap`, `timeout`
   * @returns {Subscription} for `for await`
   */
  subscribe(name, args, options = {}) {
    const { timeout = this.#timeout, ...others } = options;
    checkedTimeout(timeout);
    return new Subscription(
      name,
      args,
      { ...others, timeout },
      {
        router: this.#router,
        emit: (...packet) => emit(this.#socket, ...packet),
        whenReady: (waiting) => this.#whenReady(waiting),
        forget: (waiting) => this.#waiting.delete(waiting),
        begun: (subscription) => this.#subscriptions.add(subscription),
        ended: (subscription) => this.#subscriptions.delete(subscription),
      },
    );
  }

  /**
   * Ends all calls and subscriptions and removes all listeners from the socket, which stays connected.
   *
   * @returns {void}
   */
  close() {
    if (this.#state === 'closed') {
      return;
    }
    [...this.#subscriptions].forEach((subscription) => subscription.finish());
    this.#listeners.forEach(([emitter, event, listener]) => emitter.off(event, listener));
    this.#listeners = [];
    const error = new DisconnectedError('closed');
    this.#attempt?.reject(error);
    this.#attempt = undefined;
    [...this.#underWay].forEach((call) => call.fail(error));
    this.#fail(error, 'closed');
  }

  /**
   * @param {object} emitter the socket or its manager
   * @param {string} event its name
   * @param {Function} listener removed by `close()`
   * @returns {void}
   */
  #listen(emitter, event, listener) {
    emitter.on(event, listener);
    this.#listeners.push([emitter, event, listener]);
  }

  /**
   * @param {string} state the new one
   * @param {() => void} [change] what belongs to it, and has happened when listeners learn of it
   * @returns {void}
   */
  #setState(state, change = () => {}) {
    const isNew = state !== this.#state;
    this.#state = state;
    change();
    if (isNew) {
      this.dispatchEvent(new Event('statechange'));
    }
  }

  /** Has a new promise for who waits from now on, if the one before is settled. */
  #renewReady() {
    this.#failure = undefined;
    if (this.#ready.isSettled) {
      this.#ready = deferred();
    }
  }

  /**
   * @returns {unknown} why nothing can be sent and there is nothing to wait for; undefined if there is
   */
  #failureNow() {
    const canWait =
      this.#state === 'disconnected' && (this.#socket.connected || isConnecting(this.#socket));
    return canWait ? undefined : this.#failure;
  }

  /**
   * Sends something once the socket has authenticated.
   *
   * @param {{send: () => void, fail: (error: unknown) => void}} waiting one of both is called once
   * @returns {void}
   */
  #whenReady(waiting) {
    if (this.#state === 'ready') {
      waiting.send();
      return;
    }
    const failure = this.#failureNow();
    if (failure !== undefined) {
      waiting.fail(failure);
    } else {
      this.#waiting.add(waiting);
    }
  }

  /** The socket has connected, for the first time or again. */
  #onConnect() {
    this.#authenticate().catch(() => {});
  }

  /**
   * Begins an attempt.
   *
   * @returns {Promise<void>} how the server answers
   */
  #authenticate() {
    const attempt = deferred();
    this.#attempt = attempt;
    if (this.#state !== 'ready') {
      this.#renewReady();
      this.#setState('authenticating');
    }
    if (typeof this.#credentials === 'function') {
      this.#askForCredentials(attempt, this.#credentials);
    } else {
      this.#sendCredentials(this.#credentials);
    }
    return attempt.promise;
  }

  /**
   * @param {object} attempt the attempt that they are for
   * @param {() => unknown} credentials gives them, or a promise of them
   * @returns {Promise<void>} when they have been sent
   */
  async #askForCredentials(attempt, credentials) {
    let value;
    try {
      value = await credentials();
    } catch (error) {
      if (this.#attempt === attempt) {
        const message = 'The function credentials failed; see the cause.';
        this.#refuse(new UnauthorizedError({ message }, error));
      }
      return;
    }
    if (this.#attempt === attempt) {
      this.#sendCredentials(value);
    }
  }

  /**
   * @param {unknown} credentials the value
   * @returns {void}
   */
  #sendCredentials(credentials) {
    emit(this.#socket, 'authentication', ...(credentials === undefined ? [] : [credentials]));
  }

  /** The server has accepted the credentials. */
  #onAuthenticated() {
    const attempt = this.#attempt;
    this.#attempt = undefined;
    this.#failure = undefined;
    this.#renewReady();
    this.#ready.resolve();
    attempt?.resolve();
    this.#setState('ready', () => this.#settleWaiting((waiting) => waiting.send()));
  }

  /**
   * The server has refused the credentials. It disconnects the socket if it is told to.
   *
   * @param {unknown} refusal why
   * @param {unknown} [acknowledge] tells it
   * @returns {void}
   */
  #onUnauthorized(refusal, acknowledge) {
    this.#refuse(new UnauthorizedError(refusal));
    if (this.#disconnectWhenUnauthorized && typeof acknowledge === 'function') {
      acknowledge();
    }
  }

  /**
   * @param {UnauthorizedError} error why
   * @returns {void}
   */
  #refuse(error) {
    const attempt = this.#attempt;
    this.#attempt = undefined;
    if (this.#state !== 'ready') {
      this.#fail(error, 'unauthorized');
    }
    attempt?.reject(error);
  }

  /**
   * @param {string} reason why the socket has disconnected
   * @returns {void}
   */
  #onDisconnect(reason) {
    const error = new DisconnectedError(reason);
    const refusal = this.#state === 'unauthorized' ? this.#failure : undefined;
    this.#attempt?.reject(error);
    this.#attempt = undefined;
    this.#renewReady();
    this.#setState('disconnected', () => {
      // What has been sent may have run, so it is not sent again.
      [...this.#underWay].forEach((call) => call.fail(error));
      [...this.#subscriptions].forEach((subscription) => subscription.disconnected());
    });
    this.#giveUpUnlessConnecting(refusal ?? error);
  }

  /**
   * @param {unknown} cause why the socket could not connect
   * @returns {void}
   */
  #onConnectError(cause) {
    this.#giveUpUnlessConnecting(new DisconnectedError('connect_error', cause));
  }

  /**
   * Nothing waits for a socket that does not connect again. The application may connect it in a listener
   * of its own that runs after this one.
   *
   * @param {Error} error why it does not
   * @returns {void}
   */
  #giveUpUnlessConnecting(error) {
    queueMicrotask(() => {
      if (!this.#socket.connected && !isConnecting(this.#socket)) {
        this.#giveUp(error);
      }
    });
  }

  /**
   * @param {Error} error why there is no connection, and will be none
   * @returns {void}
   */
  #giveUp(error) {
    if (this.#state === 'disconnected') {
      this.#fail(error, 'disconnected');
    }
  }

  /**
   * Fails whatever waits for authentication.
   *
   * @param {Error} error why
   * @param {string} state the new state
   * @returns {void}
   */
  #fail(error, state) {
    this.#renewReady();
    this.#failure = error;
    this.#ready.reject(error);
    this.#setState(state, () => this.#settleWaiting((waiting) => waiting.fail(error)));
  }

  /**
   * @param {(waiting: {send: () => void, fail: (error: unknown) => void}) => void} settle what to do
   *   with each one that waits
   * @returns {void}
   */
  #settleWaiting(settle) {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    waiting.forEach(settle);
  }
}

/** The items of one subscription, for one loop. */
export class Subscription {
  #args;
  #onGap;
  #signal;
  #timeout;
  #session;
  #ready = deferred();
  /** Items that have arrived, and gaps between them, in order. */
  #queue = [];
  /** How many of them arrived before the last reconnection. */
  #old = 0;
  /** Whether it subscribes again only when the loop has taken these. */
  #isHeld = false;
  /** The calls of `next()` that wait for an item. */
  #loops = [];
  /** Whether the loop was given an item and has not asked for the next one. */
  #isHandling = false;
  /** What acknowledges that item. */
  #due = [];
  #isInGap = false;
  /** How it ended: with an error, or without. The loop learns it when it has taken what is queued. */
  #end;
  #hasToldEnd = false;
  /** What is done once requests can be sent, or if they cannot. */
  #waiting = { send: () => this.#subscribe(), fail: (error) => this.#conclude(error) };
  /** Counts requests: an answer to one that has been given up is not used. */
  #request = 0;
  #requestTimer;
  #isFirst = true;
  #receivedId;
  #lastId;

  // For the router.

  /** The name of the event. */
  name;
  /** The number on the server, and the source of the items; undefined while it is not subscribed. */
  number;
  source;
  /** The offsets of the last item that has arrived, and of the last one that the loop was given. */
  position = 0;
  takenPosition = 0;

  /**
   * @param {string} name the subscription
   * @param {unknown} args its arguments
   * @param {object} options of `subscribe()`
   * @param {object} session what it needs of its client
   */
  constructor(name, args, options, session) {
    const { signal, after, onGap, timeout, ...others } = options;
    const [unknown] = Object.keys(others);
    if (unknown !== undefined) {
      throw new TypeError(
        `subscribe() has no option '${unknown}'. Its options are signal, after, onGap and timeout.`,
      );
    }
    if (onGap !== undefined && typeof onGap !== 'function') {
      throw new TypeError('The option onGap must be a function.');
    }
    this.name = name;
    this.#args = args;
    this.#onGap = onGap;
    this.#signal = signal;
    this.#timeout = timeout;
    this.#session = session;
    this.#receivedId = after;
    this.#lastId = after;
    session.router.attach(name);
    session.begun(this);
    if (signal?.aborted) {
      this.#onAbort();
    } else {
      signal?.addEventListener('abort', this.#onAbort);
      session.whenReady(this.#waiting);
    }
  }

  /** @returns {Promise<void>} resolves once the server has accepted the subscription */
  get ready() {
    return this.#ready.promise;
  }

  /** @returns {string | number | undefined} the id of the last item that the loop was given */
  get lastId() {
    return this.#lastId;
  }

  /** @returns {Subscription} this one */
  [Symbol.asyncIterator]() {
    return this;
  }

  /**
   * Gives the next item. What was given before has been handled and is acknowledged.
   *
   * @returns {Promise<IteratorResult<unknown>>} the item
   */
  next() {
    this.#acknowledge();
    return new Promise((resolve, reject) => {
      this.#loops.push({ resolve, reject });
      this.#serve();
      if (this.#loops.length > 0 && this.number !== undefined) {
        this.#session.router.share(this);
      }
    });
  }

  /**
   * Unsubscribes; `break` calls it.
   *
   * @param {unknown} [value] what to give back
   * @returns {Promise<IteratorResult<unknown>>} that it is done
   */
  async return(value) {
    this.finish();
    return { value, done: true };
  }

  /**
   * Unsubscribes.
   *
   * @param {unknown} [error] what to throw
   * @returns {Promise<never>} rejects with the error
   */
  async throw(error) {
    this.finish();
    throw error;
  }

  /**
   * Ends it for the loop and on the server. What has not been taken is forgotten.
   *
   * @returns {void}
   */
  finish() {
    this.#stop(new SubscriptionError(this.name, { reason: 'unsubscribed' }, this.#lastId));
    this.#hasToldEnd = true;
    this.#serve();
  }

  /** The signal was aborted: the loop ends at once. */
  #onAbort = () => {
    this.#stop(this.#signal.reason);
    this.#serve();
  };

  /**
   * Ends at once, without what is queued.
   *
   * @param {unknown} error what the loop ends with
   * @returns {void}
   */
  #stop(error) {
    this.#leave(true);
    this.#ready.reject(error);
    this.#queue = [];
    this.#isInGap = false;
    this.#end = { error, hasError: true };
  }

  /**
   * Ends when the loop has taken what is queued.
   *
   * @param {...unknown} error what the loop ends with, if it is an error
   * @returns {void}
   */
  #conclude(...error) {
    this.#leave(false);
    this.#ready.reject(error[0]);
    this.#end ??= { error: error[0], hasError: error.length > 0 };
    this.#serve();
  }

  /**
   * Ends what it has on the client and on the server.
   *
   * @param {boolean} isTold whether the server is to be told; it knows if it has ended it itself
   * @returns {void}
   */
  #leave(isTold) {
    if (this.#end !== undefined) {
      return;
    }
    const { number } = this;
    this.#giveUpRequest();
    this.#session.router.remove(this);
    this.#forgetAcknowledgements();
    if (isTold && number !== undefined) {
      this.#session.emit('loopback:unsubscribe', number);
    }
    this.#session.router.detach(this.name);
    this.#session.ended(this);
  }

  /** Nothing waits to be sent or answered any more. */
  #giveUpRequest() {
    this.#request += 1;
    clearTimeout(this.#requestTimer);
    this.#session.forget(this.#waiting);
  }

  /** Sends the request. The listener for items is attached already. */
  #subscribe() {
    if (this.#isHeld) {
      return;
    }
    this.#giveUpRequest();
    const request = this.#request;
    const after = this.#receivedId;
    if (this.#timeout < Infinity) {
      const expired = () => this.#conclude(new TimeoutError(this.name, this.#timeout));
      this.#requestTimer = setTimeout(expired, Math.min(this.#timeout, LONGEST_TIMEOUT));
    }
    const answered = (...answer) => {
      const { error, hasError, result } = read(answer);
      if (request !== this.#request) {
        // The loop has ended in between, which the server does not know yet.
        if (result?.subscription !== undefined) {
          this.#session.emit('loopback:unsubscribe', result.subscription);
        }
        return;
      }
      clearTimeout(this.#requestTimer);
      if (!hasError) {
        this.#accepted(result, after);
      } else if (error instanceof Error) {
        this.#conclude(new TimeoutError(this.name));
      } else {
        this.#conclude(new RemoteError(this.name, error));
      }
    };
    const asked = after === undefined ? { args: this.#args } : { args: this.#args, after };
    try {
      this.#session.emit(this.name, asked, answered);
    } catch (error) {
      this.#conclude(error);
    }
  }

  /**
   * The server has subscribed the socket.
   *
   * @param {{subscription: number, source: string, resumed: boolean}} result its answer
   * @param {string | number | undefined} after the id after which it was to continue
   * @returns {void}
   */
  #accepted(result, after) {
    if (typeof result?.source !== 'string') {
      const message = `${this.name} is a method, not a subscription. Use call().`;
      this.#conclude(new RemoteError(this.name, { message }));
      return;
    }
    if (!result.resumed && (!this.#isFirst || after !== undefined)) {
      this.#queue.push({ isGap: true });
    }
    this.#isFirst = false;
    this.number = result.subscription;
    this.source = result.source;
    this.position = (result.resumed && offsetOf(after, result.source)) || 0;
    this.#session.router.add(this);
    this.#ready.resolve();
    this.#serve();
  }

  /** The connection is lost: subscribes again when it is back. */
  disconnected() {
    this.#giveUpRequest();
    this.#session.router.remove(this);
    this.#forgetAcknowledgements();
    // A loop that does not move must not collect another window of items at each reconnection.
    this.#isHeld = this.#old > 0;
    if (!this.#isHeld) {
      this.#old = this.#queue.length;
    }
    this.#session.whenReady(this.#waiting);
  }

  /** The loop has taken the first entry of the queue. */
  #taken() {
    if (this.#old > 0) {
      this.#old -= 1;
      if (this.#old === 0 && this.#isHeld) {
        this.#isHeld = false;
        this.#old = this.#queue.length;
        this.#session.whenReady(this.#waiting);
      }
    }
  }

  /**
   * An item has arrived.
   *
   * @param {{item: unknown, id?: string | number, offset: number, acks: Function[]}} entry the item
   * @returns {void}
   */
  receive(entry) {
    this.position = entry.offset || this.position;
    this.#receivedId = entry.id ?? this.#receivedId;
    this.#queue.push(entry);
    this.#serve();
  }

  /**
   * The server has ended it.
   *
   * @param {{reason: string, error?: unknown}} end how
   * @returns {void}
   */
  ended(end) {
    if (end.reason === 'end') {
      this.#conclude();
    } else {
      this.#conclude(new SubscriptionError(this.name, end, this.#receivedId));
    }
  }

  /** @returns {number} how many items the loop has not taken */
  get backlog() {
    return this.#queue.length;
  }

  /**
   * Keeps an acknowledgement until the loop has handled an item.
   *
   * @param {number} offset the item's
   * @param {Function} ack the acknowledgement
   * @returns {boolean} whether the item has not been handled yet
   */
  holdUntil(offset, ack) {
    const queued = this.#queue.find((entry) => entry.offset === offset);
    const isHandled = !this.#isHandling || this.takenPosition !== offset;
    if (queued === undefined && isHandled) {
      return false;
    }
    (queued?.acks ?? this.#due).push(ack);
    return true;
  }

  /**
   * Gives the last items of the queue away to a loop that waits for exactly these.
   *
   * @param {number} position the offset of the last item that it has
   * @returns {object[]} the items right after it, if they are queued here and have not been taken
   */
  takeAfter(position) {
    const start = this.#queue.findIndex((entry) => entry.offset > position);
    const before = start > 0 ? this.#queue[start - 1].offset : this.takenPosition;
    if (start < this.#old || before !== position) {
      return [];
    }
    this.position = position;
    return this.#queue.splice(start);
  }

  /** @returns {Function[]} the acknowledgements of everything that has not been handled */
  acknowledgements() {
    return [...this.#due, ...this.#queue.flatMap(({ acks }) => acks ?? [])];
  }

  /** Acknowledges what the loop has handled. */
  #acknowledge() {
    const due = this.#due;
    this.#due = [];
    this.#isHandling = false;
    due.forEach((ack) => ack());
  }

  /** Acknowledgements of one connection mean nothing, or something else, on the next one. */
  #forgetAcknowledgements() {
    this.#due = [];
    this.#queue.forEach((entry) => {
      entry.acks = [];
    });
  }

  /** Gives what is queued to the loops that wait, and then tells them of the end. */
  #serve() {
    while (this.#loops.length > 0 && !this.#isInGap) {
      const entry = this.#queue.shift();
      if (entry === undefined) {
        if (this.#end === undefined) {
          return;
        }
        this.#tellEnd(this.#loops.shift());
        continue;
      }
      this.#taken();
      if (entry.isGap) {
        this.takenPosition = 0;
        this.#passGap();
        continue;
      }
      this.#lastId = entry.id ?? this.#lastId;
      this.takenPosition = entry.offset || 0;
      this.#due = entry.acks;
      this.#isHandling = true;
      this.#loops.shift().resolve({ value: entry.item, done: false });
      if (this.#loops.length > 0) {
        this.#acknowledge(); // the loop has asked for more already
      }
    }
  }

  /**
   * @param {{resolve: Function, reject: Function}} loop one that has taken everything
   * @returns {void}
   */
  #tellEnd({ resolve, reject }) {
    this.#signal?.removeEventListener('abort', this.#onAbort);
    if (this.#end.hasError && !this.#hasToldEnd) {
      this.#hasToldEnd = true;
      reject(this.#end.error);
    } else {
      resolve({ value: undefined, done: true });
    }
  }

  /**
   * Items are missing here. The loop continues when the application has caught up.
   *
   * @returns {Promise<void>} when it has
   */
  async #passGap() {
    if (this.#onGap === undefined) {
      return;
    }
    this.#isInGap = true;
    try {
      await this.#onGap();
    } catch (error) {
      if (this.#isInGap) {
        this.#stop(error);
      }
    }
    this.#isInGap = false;
    this.#serve();
  }
}

/**
 * Gives the items that a socket receives to the subscriptions that they are for: one listener for each
 * name, however many subscriptions have it.
 *
 * Subscriptions of one name with the same source get one copy of each item each, and nothing tells the
 * copies apart. So each copy goes to a subscription that does not have the item yet, in the order of
 * each; among equals to the one whose loop has taken most. So each loop gets every item once and in
 * order, and the acknowledgements of its copies wait for it alone.
 */
class Router {
  static #routers = new WeakMap();

  /**
   * @param {object} socket any
   * @returns {Router} the one of that socket, also if it has several clients
   */
  static of(socket) {
    let router = Router.#routers.get(socket);
    if (router === undefined) {
      router = new Router(socket);
      Router.#routers.set(socket, router);
    }
    return router;
  }

  #socket;
  /** By name: the listener, how many subscriptions need it, and those of each source. */
  #routes = new Map();
  /** The subscriptions, by their number on the server. */
  #numbers = new Map();

  /**
   * @param {object} socket of socket.io-client
   */
  constructor(socket) {
    this.#socket = socket;
  }

  /**
   * Listens for a name, before anything subscribes to it.
   *
   * @param {string} name the subscription
   * @returns {void}
   */
  attach(name) {
    let route = this.#routes.get(name);
    if (route === undefined) {
      if (this.#routes.size === 0) {
        this.#socket.on('loopback:unsubscribed', this.#onUnsubscribed);
      }
      const sources = new Map();
      const listener = (item, meta, ack) => this.#onItem(sources, item, meta, ack);
      route = { count: 0, listener, sources };
      this.#routes.set(name, route);
      this.#socket.on(name, listener);
    }
    route.count += 1;
  }

  /**
   * @param {string} name as it was attached
   * @returns {void}
   */
  detach(name) {
    const route = this.#routes.get(name);
    route.count -= 1;
    if (route.count === 0) {
      this.#routes.delete(name);
      this.#socket.off(name, route.listener);
      if (this.#routes.size === 0) {
        this.#socket.off('loopback:unsubscribed', this.#onUnsubscribed);
      }
    }
  }

  /**
   * @param {Subscription} subscription one that the server has accepted
   * @returns {void}
   */
  add(subscription) {
    this.#numbers.set(subscription.number, subscription);
    const { sources } = this.#routes.get(subscription.name);
    const members = sources.get(subscription.source);
    if (members === undefined) {
      sources.set(subscription.source, [subscription]);
    } else {
      members.push(subscription);
    }
  }

  /**
   * @param {Subscription} subscription one that has ended, or whose connection is lost
   * @returns {void}
   */
  remove(subscription) {
    if (subscription.number === undefined) {
      return;
    }
    this.#numbers.delete(subscription.number);
    const members = this.#membersOf(subscription);
    members.splice(members.indexOf(subscription), 1);
    if (members.length === 0) {
      this.#routes.get(subscription.name).sources.delete(subscription.source);
    } else if (this.#socket.connected) {
      // What it holds may be copies of the others, which would wait for credit.
      subscription.acknowledgements().forEach((ack) => ack());
    }
    subscription.number = undefined;
    subscription.source = undefined;
  }

  /**
   * Gives a loop that waits what another one has received in its place and has not taken.
   *
   * @param {Subscription} subscription the one whose loop waits
   * @returns {void}
   */
  share(subscription) {
    if (subscription.position === 0) {
      return; // where it begins is not known before its first item
    }
    for (const other of this.#membersOf(subscription)) {
      if (other !== subscription) {
        other.takeAfter(subscription.position).forEach((entry) => subscription.receive(entry));
      }
    }
  }

  /**
   * @param {Subscription} subscription one that is subscribed
   * @returns {Subscription[]} all with its name and source
   */
  #membersOf({ name, source }) {
    return this.#routes.get(name).sources.get(source);
  }

  /**
   * @param {Map<string, Subscription[]>} sources the subscriptions of the name, by source
   * @param {unknown} item the item
   * @param {{source: string, id?: string | number}} meta what the server says about it
   * @param {Function} [ack] if it is to be acknowledged
   * @returns {void}
   */
  #onItem(sources, item, meta, ack) {
    const members = sources.get(meta?.source);
    if (members === undefined) {
      return; // of a subscription that has just been ended, or of one that is not ours
    }
    const offset = offsetOf(meta.id, meta.source);
    const acks = typeof ack === 'function' ? [ack] : [];
    const receiver = receiverOf(members, offset);
    if (receiver !== undefined) {
      receiver.receive({ item, id: meta.id, offset, acks });
    } else if (acks.length > 0 && !members.some((member) => member.holdUntil(offset, ack))) {
      ack();
    }
  }

  /** The server has ended a subscription. */
  #onUnsubscribed = (end) => {
    let ended = this.#numbers.get(end?.subscription);
    if (ended === undefined) {
      return;
    }
    if (end.reason === 'slow') {
      // Of several it is the one whose loop has taken least, whichever number its copies came by.
      for (const member of this.#membersOf(ended)) {
        if (member.backlog > ended.backlog) {
          ended = member;
        }
      }
      this.#exchangeNumbers(ended, this.#numbers.get(end.subscription));
    }
    ended.ended(end);
  };

  /**
   * @param {Subscription} a one of two with the same source
   * @param {Subscription} b the other
   * @returns {void}
   */
  #exchangeNumbers(a, b) {
    [a.number, b.number] = [b.number, a.number];
    this.#numbers.set(a.number, a);
    this.#numbers.set(b.number, b);
  }
}

/**
 * @param {Subscription[]} members subscriptions with the same source
 * @param {number} offset an item's; NaN for an item of a private source, which has one subscription
 * @returns {Subscription | undefined} the one whose copy this is, or as good as; undefined if all have
 *   the item
 */
function receiverOf(members, offset) {
  /** The one whose next item it is; else one without items yet; else the one that has received most. */
  const rank = ({ position }) =>
    position + 1 === offset ? Infinity : position === 0 ? Number.MAX_VALUE : position;
  let receiver;
  for (const member of members) {
    if (member.position >= offset) {
      continue;
    }
    const [its, best] = [rank(member), receiver === undefined ? -1 : rank(receiver)];
    if (its > best || (its === best && member.takenPosition > receiver.takenPosition)) {
      receiver = member;
    }
  }
  return receiver;
}

/**
 * @param {unknown} id the id of an item
 * @param {string} source its source
 * @returns {number} the item's offset in a shared source, whose ids are `<source>-<offset>`; else NaN
 */
function offsetOf(id, source) {
  return typeof id === 'string' && id.startsWith(`${source}-`)
    ? Number(id.slice(source.length + 1) || NaN)
    : NaN;
}

/**
 * Emits now, and once.
 *
 * @param {object} socket of socket.io-client, connected
 * @param {...unknown} packet the event's name and arguments
 * @returns {void}
 */
function emit(socket, ...packet) {
  // With its option `retries` socket.io-client would send the packet again if no answer comes, and a call
  // might run twice. This is how it marks what its own queue sends.
  if (socket._opts?.retries) {
    socket.flags.fromQueue = true;
  }
  socket.emit(...packet);
}

/**
 * Reads an answer. With its option `ackTimeout` socket.io-client passes an error first, or null.
 *
 * @param {unknown[]} answer what the acknowledgement was called with
 * @returns {{error?: unknown, hasError: boolean, result?: unknown}} an Error is one of the client's own
 */
function read([first, second]) {
  if (first instanceof Error) {
    return { error: first, hasError: true };
  }
  const answer = first ?? second ?? {};
  return { error: answer.error, hasError: Object.hasOwn(answer, 'error'), result: answer.result };
}

/**
 * @param {object} socket of socket.io-client, not connected
 * @returns {boolean} whether it is connecting, or will by itself
 */
function isConnecting(socket) {
  const manager = socket.io;
  // Until version 2 a socket does not say that it is active; it has its listeners on the manager then.
  const isActive = socket.active ?? Boolean(socket.subs);
  if (!isActive || typeof manager?.reconnection !== 'function') {
    return isActive;
  }
  const isOpening = (manager._readyState ?? manager.readyState) !== 'closed';
  return isOpening || (manager.reconnection() && !manager.skipReconnect);
}

/** What tells the calls of this program apart from those of others on the same socket. */
const CALL_PREFIX = Math.random().toString(36).slice(2, 8);

let calls = 0;

/**
 * @returns {string} a name for a call, to cancel it by
 */
function newCallId() {
  calls += 1;
  return `${CALL_PREFIX}-${calls}`;
}

/**
 * @param {unknown} [timeout] an option
 * @returns {number} milliseconds; Infinity if there is no limit
 */
function checkedTimeout(timeout = Infinity) {
  if (typeof timeout !== 'number' || !(timeout >= 0)) {
    throw new TypeError('The option timeout must be a number of milliseconds, 0 or more.');
  }
  return timeout;
}

/**
 * @returns {{promise: Promise<unknown>, resolve: Function, reject: Function, isSettled: boolean}} a
 *   promise that may stay without a listener when it is rejected
 */
function deferred() {
  const made = { isSettled: false };
  made.promise = new Promise((resolve, reject) => {
    made.resolve = (value) => {
      made.isSettled = true;
      resolve(value);
    };
    made.reject = (error) => {
      made.isSettled = true;
      reject(error);
    };
  });
  made.promise.catch(() => {});
  return made;
}
