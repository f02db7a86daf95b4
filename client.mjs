/**
 * The helper for clients of loopback-socket: authentication, calls and subscriptions over a socket of
 * socket.io-client 1.7 to 4, in browsers and in Node.js. It has no dependencies and needs no build step.
 * docs/client.md describes it, docs/subscriptions.md what it sends.
 *
 * What must stay true: nothing is sent before the server has accepted the credentials; a call is sent at
 * most once; each item reaches its loop once and in order, and is acknowledged when the loop has asked
 * for the next one; when a subscription or the client ends, none of its listeners stays on the socket.
 */

/** The page that has a paragraph on each code of this package, with the code as its anchor. */
const HELP = 'https://github.com/arondn2/loopback-socket/blob/main/docs/troubleshooting.md';

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

  /**
   * @returns {string | undefined} the address of what the documentation says about the code, if it is one of
   *   this package
   */
  get help() {
    const { code } = this;
    const isOurs = typeof code === 'string' && code.startsWith('ERR_LOOPBACK_SOCKET_');
    return isOurs ? `${HELP}#${code.toLowerCase()}` : undefined;
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

/** How many items a source keeps for loops whose request to join it has not been answered. */
const MAX_KEPT = 1000;

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
  /** @type {UnauthorizedError | undefined} why the server is about to end a socket that it had accepted */
  #dismissal;
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
    if (isUntilVersion2(socket)) {
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
      if (this.#state === 'closed') {
        throw this.#failure;
      }
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
    try {
      if (typeof credentials === 'function') {
        throw new TypeError('A function cannot be sent.'); // socket.io-client would take it for a callback
      }
      emit(this.#socket, 'authentication', ...(credentials === undefined ? [] : [credentials]));
    } catch (error) {
      const message = 'The credentials cannot be sent; see the cause.';
      this.#refuse(new UnauthorizedError({ message }, error));
    }
  }

  /** The server has accepted the credentials. */
  #onAuthenticated() {
    const attempt = this.#attempt;
    this.#attempt = undefined;
    this.#failure = undefined;
    this.#dismissal = undefined;
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
    const error = new UnauthorizedError(refusal);
    // Only the refusal of an attempt can be acknowledged. The end of an authentication may come during one.
    const isAnswer = typeof acknowledge === 'function';
    if (this.#state === 'ready' && (!isAnswer || this.#disconnectWhenUnauthorized)) {
      this.#dismissal = error;
    }
    this.#refuse(error);
    if (this.#disconnectWhenUnauthorized && isAnswer) {
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
    const refusal = this.#state === 'unauthorized' ? this.#failure : this.#dismissal;
    const isDismissed = reason === 'io server disconnect' && this.#dismissal !== undefined;
    const error = isDismissed ? refusal : new DisconnectedError(reason);
    this.#dismissal = undefined;
    this.#attempt?.reject(error);
    this.#attempt = undefined;
    this.#renewReady();
    this.#setState('disconnected', () => {
      // What has been sent may have run, so it is not sent again.
      [...this.#underWay].forEach((call) => call.fail(error));
      this.#router.disconnected();
      // Who has most to take asks first: others that share its source then get no further ahead of it.
      const slowestFirst = [...this.#subscriptions].sort((a, b) => b.queued - a.queued);
      slowestFirst.forEach((subscription) => subscription.resubscribe());
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
  /** How many of them had arrived when it subscribed again, and are not asked for again. */
  #old = 0;
  /** Whether it subscribes again only when the loop has taken these. */
  #isHeld = false;
  /** Whether it continues after the last item that has arrived, whatever other loops have. */
  #isAlone = false;
  /** The calls of `next()` that wait for an item. */
  #loops = [];
  /** The item that the loop was given, until it asks for the next one. */
  #given;
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
  #lastId;

  // For the router.

  /** The name of the event. */
  name;
  /** Where its items come from; undefined while it is not subscribed. */
  feed;
  /** The source of the last items, and the offset of the last one that has arrived; 0 before it. */
  source;
  position = 0;
  /** The id of that item, or the one that was given to begin with. */
  receivedId;

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
    this.receivedId = after;
    this.#lastId = after;
    session.router.attach(this);
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
    this.#leave();
    this.#signal?.removeEventListener('abort', this.#onAbort);
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
    this.#leave();
    this.#ready.reject(error[0]);
    this.#end ??= { error: error[0], hasError: error.length > 0 };
    this.#serve();
  }

  /** Ends what it has on the client and on the server. */
  #leave() {
    if (this.#end !== undefined) {
      return;
    }
    this.#giveUpRequest();
    this.#session.router.remove(this);
    this.#forgetAcknowledgements();
    this.#session.router.detach(this);
    this.#session.ended(this);
    // What is queued is taken without subscribing again.
    this.#isHeld = false;
    this.#old = 0;
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
    this.#old ||= this.#queue.length;
    const { after } = this.#session.router.furthestBehind(this);
    const settled = this.#session.router.requested(this.name);
    if (this.#timeout < Infinity) {
      const expired = () => {
        settled();
        this.#conclude(new TimeoutError(this.name, this.#timeout));
      };
      this.#requestTimer = setTimeout(expired, Math.min(this.#timeout, LONGEST_TIMEOUT));
    }
    const answered = (...answer) => {
      const { error, hasError, result } = read(answer);
      if (request !== this.#request) {
        // The loop has ended in between, which the server does not know yet.
        if (result?.subscription !== undefined) {
          this.#session.router.accepted(undefined, this.name, result, after);
        }
      } else if (!hasError) {
        clearTimeout(this.#requestTimer);
        this.#accepted(result, after);
      } else if (error instanceof Error) {
        this.#conclude(new TimeoutError(this.name));
      } else {
        this.#conclude(new RemoteError(this.name, error));
      }
      settled();
    };
    const asked = after === undefined ? { args: this.#args } : { args: this.#args, after };
    try {
      this.#session.emit(this.name, asked, answered);
    } catch (error) {
      settled();
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
    if (!result.resumed && after !== this.receivedId) {
      // Not from where this loop, or another one, would have had items again; perhaps from where it is.
      this.#session.router.accepted(undefined, this.name, result, after);
      this.#isHeld = this.after !== this.receivedId;
      this.#isAlone = true;
      this.#subscribe();
      return;
    }
    const queued = this.#queue.length;
    const isResumed = this.#session.router.accepted(this, this.name, result, after);
    const isGap = !isResumed && (!this.#isFirst || after !== undefined);
    if (isGap && !this.#queue[queued - 1]?.isGap) {
      this.#queue.splice(queued, 0, { isGap });
    }
    this.#isFirst = false;
    this.#isAlone = false;
    this.#ready.resolve();
    this.#serve();
  }

  /**
   * Subscribes again, now or when the connection is back.
   *
   * @returns {void}
   */
  resubscribe() {
    this.#giveUpRequest();
    this.#session.router.remove(this);
    this.#forgetAcknowledgements();
    this.#isAlone = false;
    // A loop that does not move must not collect another window of items at each reconnection. In a source
    // that has offsets, `after` prevents it.
    this.#isHeld ||= this.#old > 0 && this.position === 0;
    this.#session.whenReady(this.#waiting);
  }

  /** The loop has taken the first entry of the queue. */
  #taken() {
    if (this.#old > 0) {
      this.#old -= 1;
      if (this.#old === 0 && this.#isHeld) {
        this.#isHeld = false;
        this.#session.whenReady(this.#waiting);
      }
    }
  }

  /**
   * An item has arrived.
   *
   * @param {{item: unknown, id?: string | number, offset: number, handled?: () => void}} entry the item,
   *   and what to call when the loop has handled it
   * @returns {void}
   */
  receive(entry) {
    if (entry.offset <= this.position) {
      this.#receiveAgain(entry);
      return;
    }
    this.position = entry.offset || 0;
    this.receivedId = entry.id ?? this.receivedId;
    this.#queue.push(entry);
    this.#serve();
  }

  /**
   * An item has arrived that had arrived before, on a connection that was lost or for another loop.
   *
   * @param {{offset: number, handled?: () => void}} entry as `receive()` gets it
   * @returns {void}
   */
  #receiveAgain({ offset, handled }) {
    if (handled === undefined) {
      return;
    }
    const waiting = [this.#given, ...this.#queue].find((entry) => entry?.offset === offset);
    if (waiting === undefined) {
      handled();
    } else {
      waiting.handled = handled;
    }
  }

  /** Items are missing before the next one. */
  receiveGap() {
    this.#queue.push({ isGap: true });
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
      this.#conclude(new SubscriptionError(this.name, end, this.receivedId));
    }
  }

  /**
   * It is subscribed.
   *
   * @param {string} source the source of its items
   * @returns {void}
   */
  begin(source) {
    if (source !== this.source) {
      this.source = source;
      this.position = 0;
    }
  }

  /**
   * @param {number} offset that of the last item that it is to have, in a shared source
   * @returns {void}
   */
  continueAfter(offset) {
    if (offset > this.position) {
      this.position = offset;
      this.receivedId = `${this.source}-${offset}`;
    }
  }

  /** @returns {number} how many items, and gaps between them, the loop has not taken */
  get queued() {
    return this.#queue.length;
  }

  /** @returns {boolean} whether it is about to subscribe again */
  get isContinuing() {
    return this.feed === undefined && !this.#isHeld && !this.#isAlone;
  }

  /**
   * @returns {number} the offset after which it subscribes again, in a shared source. The loop may not
   *   have taken yet what had arrived when it did so before: then what has arrived since is asked for
   *   again, so that the server counts it as not acknowledged
   */
  get resumePosition() {
    const isAll = this.#old === 0 || this.#isAlone;
    const again = isAll ? undefined : this.#queue.slice(this.#old).find(({ offset }) => offset > 0);
    return again === undefined ? this.position : again.offset - 1;
  }

  /** @returns {string | number | undefined} the id of the item that has this offset, or is the last one */
  get after() {
    const offset = this.resumePosition;
    return offset === this.position ? this.receivedId : `${this.source}-${offset}`;
  }

  /** @returns {boolean} whether its loop has handled everything and waits for the next item */
  get isWaiting() {
    return this.#loops.length > 0 && !this.#isInGap;
  }

  /** Says of everything that has arrived that it has been handled. */
  handleAll() {
    [this.#given, ...this.#queue].forEach((entry) => entry?.handled?.());
    this.#forgetAcknowledgements();
  }

  /** Says that the loop has handled what it was given. */
  #acknowledge() {
    this.#given?.handled?.();
    this.#given = undefined;
  }

  /** Acknowledgements of one connection mean nothing, or something else, on the next one. */
  #forgetAcknowledgements() {
    [this.#given, ...this.#queue].forEach((entry) => {
      if (entry !== undefined) {
        entry.handled = undefined;
      }
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
        this.#passGap();
        continue;
      }
      this.#lastId = entry.id ?? this.#lastId;
      this.#given = entry;
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
  /**
   * By name: the listener, the loops that need it, a feed for each source, how many requests have not been
   * answered, and, by source, how many subscriptions are being ended because there is a feed already.
   */
  #routes = new Map();
  /** The feeds, by the number of their subscription on the server. */
  #numbers = new Map();
  /** Counts the connections. */
  #connection = 0;

  /**
   * @param {object} socket of socket.io-client
   */
  constructor(socket) {
    this.#socket = socket;
  }

  /**
   * Listens for the items of a loop, before it subscribes.
   *
   * @param {Subscription} subscription the loop
   * @returns {void}
   */
  attach(subscription) {
    const { name } = subscription;
    let route = this.#routes.get(name);
    if (route === undefined) {
      if (this.#routes.size === 0) {
        this.#socket.on('loopback:unsubscribed', this.#onUnsubscribed);
      }
      const feeds = new Map();
      const listener = (item, meta, ack) => {
        // Other items are of a subscription that has just been ended, or of one that is not ours.
        feeds.get(meta?.source)?.onItem(item, meta.id, typeof ack === 'function' ? ack : undefined);
      };
      route = { endings: new Map(), feeds, listener, loops: new Set(), requests: 0 };
      this.#routes.set(name, route);
      this.#socket.on(name, listener);
    }
    route.loops.add(subscription);
  }

  /**
   * @param {Subscription} subscription a loop that was attached
   * @returns {void}
   */
  detach(subscription) {
    const { name } = subscription;
    const route = this.#routes.get(name);
    route.loops.delete(subscription);
    if (route.loops.size === 0) {
      this.#routes.delete(name);
      this.#socket.off(name, route.listener);
      if (this.#routes.size === 0) {
        this.#socket.off('loopback:unsubscribed', this.#onUnsubscribed);
      }
    }
  }

  /**
   * @param {Subscription} subscription a loop that is to continue
   * @returns {Subscription} the one that continues first of those that are to continue with the same
   *   source: they will share one subscription, which has to begin there
   */
  furthestBehind(subscription) {
    const { name, source } = subscription;
    if (!subscription.isContinuing) {
      return subscription;
    }
    const loops = [...this.#routes.get(name).loops].filter(
      (loop) => loop.isContinuing && loop.source === source && loop.position > 0,
    );
    return loops.reduce((a, b) => (b.resumePosition < a.resumePosition ? b : a), subscription);
  }

  /**
   * A request to subscribe is under way. Until it is answered, nothing that may turn out to be for the
   * same source is ended or forgotten.
   *
   * @param {string} name the subscription, attached
   * @returns {() => void} to be called when the answer has been handled, or is not waited for any more
   */
  requested(name) {
    const route = this.#routes.get(name);
    const connection = this.#connection;
    let isSettled = false;
    route.requests += 1;
    route.feeds.forEach((feed) => feed.keep(true));
    return () => {
      if (!isSettled && connection === this.#connection) {
        isSettled = true;
        route.requests -= 1;
        if (route.requests === 0) {
          route.feeds.forEach((feed) => feed.keep(false));
          this.#endUnused(route);
        }
      }
    };
  }

  /**
   * Ends the subscriptions that no loop needs.
   *
   * @param {object} route where they are
   * @returns {void}
   */
  #endUnused(route) {
    for (const [source, feed] of route.feeds) {
      if (feed.loops.length === 0) {
        route.feeds.delete(source);
        if (this.#numbers.delete(feed.number)) {
          emit(this.#socket, 'loopback:unsubscribe', feed.number);
        }
      }
    }
  }

  /** The connection is lost, and with it every subscription and request. */
  disconnected() {
    this.#connection += 1;
    this.#numbers.clear();
    this.#routes.forEach((route) => {
      route.requests = 0;
      route.endings.clear();
      route.feeds.forEach((feed) => feed.close());
      route.feeds.clear();
    });
  }

  /**
   * The server has accepted a request.
   *
   * @param {Subscription | undefined} subscription the loop that it was for; undefined if it has ended
   * @param {string} name the subscription
   * @param {{subscription: number, source: string, resumed: boolean}} result the answer
   * @param {unknown} after the id after which it was to continue
   * @returns {boolean} whether it continues there
   */
  accepted(subscription, name, { subscription: number, source, resumed }, after) {
    const route = this.#routes.get(name);
    const feed = route?.feeds.get(source);
    subscription?.begin(source);
    const position = (resumed && offsetOf(after, source)) || 0;
    const isBehind = resumed && feed?.has(subscription?.position || position) === false;
    if (subscription !== undefined && (feed === undefined || isBehind)) {
      const others = route.endings.get(source) ?? 0;
      const added = new Feed(number, name, source, position, subscription, others);
      route.feeds.set(source, added);
      this.#numbers.set(number, added);
      if (feed !== undefined) {
        // What this loop continues with has gone by there, so the others wait until it has caught up.
        this.#numbers.delete(feed.number);
        added.replace(feed, this.#expectCopies(name, source, feed.number));
      }
      added.keep(route.requests > 0);
      return resumed;
    }
    // Nobody wants it, or there is one with the same items: one is enough.
    if (resumed) {
      feed?.expectCopiesAfter(position);
    }
    this.#expectCopies(name, source, number)();
    if (subscription !== undefined) {
      feed.add(subscription, resumed, position);
    }
    return resumed;
  }

  /**
   * A subscription is to be ended, whose copies may be taken for those of a feed until the server has ended it.
   *
   * @param {string} name its name
   * @param {string} source its source
   * @param {number} number its number
   * @returns {() => void} ends it, once
   */
  #expectCopies(name, source, number) {
    const route = this.#routes.get(name);
    if (route === undefined) {
      return () => emit(this.#socket, 'loopback:unsubscribe', number);
    }
    const connection = this.#connection;
    const count = (change) => {
      if (connection !== this.#connection) {
        return;
      }
      const endings = (route.endings.get(source) ?? 0) + change;
      route.endings.set(source, endings);
      if (endings === 0) {
        route.endings.delete(source);
      }
      route.feeds.get(source)?.expectCopies(endings);
    };
    count(1);
    return () => {
      if (connection === this.#connection) {
        emit(this.#socket, 'loopback:unsubscribe', number, () => count(-1));
      }
    };
  }

  /**
   * @param {Feed} feed one that has ended
   * @returns {void}
   */
  #drop(feed) {
    this.#numbers.delete(feed.number);
    this.#routes.get(feed.name).feeds.delete(feed.source);
    feed.close();
  }

  /**
   * A loop has ended.
   *
   * @param {Subscription} subscription the loop
   * @returns {void}
   */
  remove(subscription) {
    const route = this.#routes.get(subscription.name);
    subscription.feed?.remove(subscription);
    if (route.requests === 0 || route.loops.size === 1) {
      this.#endUnused(route);
    }
  }

  /** The server has ended a subscription. */
  #onUnsubscribed = (end) => {
    const feed = this.#numbers.get(end?.subscription);
    if (feed === undefined) {
      this.#routes.forEach(({ feeds }) => feeds.forEach((other) => other.onEnd(end?.subscription)));
      return;
    }
    const { loops } = feed;
    const ended = loops.filter((loop) => feed.endsWith(loop, end.reason));
    this.#drop(feed);
    // The others subscribe for themselves, and continue where they are.
    loops.filter((loop) => !ended.includes(loop)).forEach((loop) => loop.resubscribe());
    ended.forEach((member) => member.ended(end));
  };
}

/**
 * @returns {{loops: Subscription[], number: number | undefined, end: () => void}} no loops, the number of the
 *   subscription that they had, and what ends that
 */
const nobody = () => ({ loops: [], number: undefined, end: () => {} });

/**
 * A subscription on the server, and the loops that get its items. Loops with the same source share one:
 * the server would send each item once for each of them, and nothing would tell the copies apart. The
 * slowest of these loops acknowledges.
 */
class Feed {
  number;
  name;
  source;
  /** The loops, and the one whose request the server has accepted; that may have ended since. */
  members;
  #owner;
  /** The offset of the last item that has arrived. */
  #position;
  /** Whether offsets have been left out, as the server may do for a single subscription. */
  #isSparse = false;
  /** What has arrived since a request began that may turn out to be for the same source. */
  #kept;
  #keptFrom = 0;
  /** Whether there are such requests. */
  #isAwaited = false;
  /** Loops that had another subscription, of which nothing had come: they begin with its first item. */
  #joining = nobody();
  /** How many other subscriptions with the same source are being ended: their copies come here, too. */
  #others = 0;
  /** The last offset that cannot be a copy of theirs. */
  #ownUntil = 0;
  /** The last offset that this subscription itself has sent for sure: others may have brought what follows. */
  #sent;
  /** Copies that came too early, by offset: perhaps of the others, and then they come again. */
  #early = new Map();
  /** The offsets of those that have not been used. */
  #refused = [];
  /** Items that not every loop has handled, by offset, of which copies may follow. */
  #open = new Map();
  /** Acknowledgements of what came while there was no loop. */
  #withheld = [];

  /**
   * @param {number} number the subscription on the server
   * @param {string} name its name
   * @param {string} source the source of its items
   * @param {number} position the offset after which it begins; 0 if that is not known
   * @param {Subscription} owner the loop that it was requested for
   * @param {number} others see `expectCopies()`
   */
  constructor(number, name, source, position, owner, others) {
    this.#others = others;
    this.number = number;
    this.name = name;
    this.source = source;
    this.members = [owner];
    this.#owner = owner;
    this.#position = position;
    this.#sent = position;
    owner.feed = this;
  }

  /** It has ended on the server: nothing is acknowledged any more. */
  close() {
    this.loops.forEach((loop) => {
      loop.feed = undefined;
    });
    this.members = [];
    const { end } = this.#joining;
    this.#joining = nobody();
    end();
  }

  /** @returns {Subscription[]} the loops, with those that are to begin */
  get loops() {
    return [...this.members, ...this.#joining.loops];
  }

  /**
   * @param {boolean} isKept whether items are to be kept for loops that may join
   * @returns {void}
   */
  keep(isKept) {
    this.#isAwaited = isKept;
    if (!isKept && this.#joining.loops.length === 0) {
      this.#kept = undefined;
      this.#keptFrom = 0;
    } else if (this.#kept === undefined) {
      this.#kept = [];
      this.#keptFrom = this.#position;
    }
  }

  /** Keeps only what comes from now on, if anything is to be kept, since items are missing before it. */
  #keepAnew() {
    if (this.#kept !== undefined) {
      this.#kept = [];
      this.#keptFrom = this.#position;
    }
  }

  /**
   * @param {number} position an offset
   * @returns {boolean} whether every item after it is kept or has not arrived yet
   */
  has(position) {
    const first = this.#keptFrom || (this.#kept?.[0]?.offset ?? Infinity) - 1;
    return this.#position > 0 && (position >= this.#position || position >= first);
  }

  /**
   * Adds a loop whose request was accepted with the same source.
   *
   * @param {Subscription} subscription the loop
   * @param {boolean} resumed whether it continues after an item; the others have what follows then
   * @param {number} after the offset of that item
   * @returns {void}
   */
  add(subscription, resumed, after) {
    if (!resumed && this.#joining.loops.length > 0) {
      subscription.feed = this;
      this.#joining.loops.push(subscription); // what is its first item is theirs, too
      return;
    }
    this.members.push(subscription);
    this.#withheld.splice(0).forEach((ack) => ack());
    subscription.feed = this;
    const position = subscription.position || after;
    subscription.continueAfter(resumed ? position : Math.max(position, this.#position));
    if (resumed) {
      this.#kept?.forEach((entry) => subscription.receive({ ...entry }));
    }
  }

  /**
   * Takes over the loops of another subscription with the same source.
   *
   * @param {Feed} feed the other one
   * @param {() => void} end ends that on the server
   * @returns {void}
   */
  replace(feed, end) {
    feed.loops.forEach((loop) => {
      loop.feed = this;
    });
    if (feed.#position > 0 || this.#position === 0 || feed.members.length === 0) {
      feed.members.forEach((member) => member.continueAfter(feed.#position));
      this.members.push(...feed.members);
      this.#joining = feed.#joining;
      end();
    } else {
      // Nothing says where it begins, except for its first item. Until then these loops get nothing that comes
      // again for another one.
      this.#joining = { loops: feed.members, number: feed.number, end };
    }
    feed.members = [];
    feed.#joining = nobody();
    this.#isSparse = feed.#isSparse;
    this.#ownUntil = feed.#others === 0 ? feed.#sent : 0;
  }

  /**
   * The first item has come of the subscription that loops had before they joined. Where offsets are left out it
   * may be one that comes again for another loop, because nothing tells them apart.
   *
   * @param {number} offset its offset
   * @returns {void}
   */
  #join(offset) {
    const { loops, end } = this.#joining;
    this.#joining = nobody();
    loops.forEach((loop) => {
      loop.continueAfter(offset - 1);
      this.add(loop, true, offset - 1);
    });
    this.keep(this.#isAwaited);
    end();
  }

  /**
   * The server has ended a subscription.
   *
   * @param {number} number of any
   * @returns {void}
   */
  onEnd(number) {
    if (number === this.#joining.number) {
      this.#join(this.#position + 1);
    }
  }

  /**
   * @param {Subscription} subscription a loop that has ended, or whose connection is lost
   * @returns {void}
   */
  remove(subscription) {
    subscription.feed = undefined;
    const { loops } = this.#joining;
    if (loops.includes(subscription)) {
      loops.splice(loops.indexOf(subscription), 1);
      if (loops.length === 0) {
        this.#join(0); // nobody waits for it any more
      }
      return;
    }
    this.members.splice(this.members.indexOf(subscription), 1);
    subscription.handleAll(); // the others do not wait for it
  }

  /**
   * @param {Subscription} subscription one of the loops
   * @param {string} reason why the server has ended the subscription
   * @returns {boolean} whether that is the end of the loop, too
   */
  endsWith(subscription, reason) {
    if (reason === 'revoked') {
      return subscription === this.#owner;
    }
    return (
      reason !== 'slow' || !(subscription.isWaiting || this.#joining.loops.includes(subscription))
    );
  }

  /**
   * @param {number} others how many other subscriptions with the same source are being ended
   * @returns {void}
   */
  expectCopies(others) {
    if (others < this.#others) {
      this.#early.forEach((copy) => (copy.copies -= 1)); // one of each was of the one that has ended
    }
    this.#others = others;
    if (others > 0 || this.#early.size === 0) {
      return;
    }
    if (this.#isSparse && this.#position >= this.#ownUntil) {
      // They may be ours. What is before them may not have come yet, and is not used then.
      this.#tellGap();
      this.#acceptEarly(Infinity);
      this.#keepAnew();
    }
    // Where nothing is left out they are not ours, because what is before them has not come yet.
    const unused = [...this.#early.values()];
    this.#early.clear();
    this.#refused = this.#refused.filter((offset) => offset > this.#position);
    this.#refused.push(...unused.map(({ offset }) => offset));
    unused.forEach(({ acks }) => acks.forEach((ack) => ack()));
  }

  /**
   * @param {number} offset that after which another subscription continues, which is being ended
   * @returns {void}
   */
  expectCopiesAfter(offset) {
    this.#ownUntil = Math.min(this.#ownUntil, offset);
  }

  /** Items may be missing. */
  #tellGap() {
    this.members.forEach((member) => member.receiveGap());
  }

  /**
   * An item has arrived, for this subscription or for one that is being ended.
   *
   * @param {unknown} item the item
   * @param {string | number | undefined} id its id
   * @param {(() => void) | undefined} ack acknowledges it
   * @returns {void}
   */
  onItem(item, id, ack) {
    const offset = offsetOf(id, this.source);
    const acks = ack === undefined ? [] : [ack];
    if (this.#joining.loops.length > 0 && offset !== this.#position + 1 && !Number.isNaN(offset)) {
      this.#join(offset);
    }
    if (this.#others === 0 && offset > this.#sent) {
      this.#sent = offset;
    }
    if (offset <= this.#position) {
      const open = this.#open.get(offset);
      if (open !== undefined) {
        open.acks.push(...acks);
      } else if (this.members.length === 0) {
        this.#withheld.push(...acks);
      } else {
        ack?.();
      }
      return;
    }
    const isFirst = this.#position === 0;
    const isNext = isFirst ? this.#others === 0 : offset === this.#position + 1;
    if (isNext || this.#others === 0 || offset <= this.#ownUntil || Number.isNaN(offset)) {
      this.#isSparse ||= !isNext && !isFirst && !Number.isNaN(offset);
      // They were ours, after all.
      const isMissing = this.#refused.some((each) => each > this.#position && each < offset);
      if (isMissing) {
        this.#tellGap();
      }
      this.#accept({ item, id, offset, acks });
      if (isMissing) {
        this.#keepAnew();
      }
      return;
    }
    const copy = this.#early.get(offset) ?? { item, id, offset, acks: [], copies: 0 };
    copy.acks.push(...acks);
    copy.copies += 1;
    this.#early.set(offset, copy);
    if (copy.copies > this.#others) {
      // It has come for all, so that nothing before it can follow.
      if (!isFirst) {
        this.#isSparse = true;
        this.#acceptEarly(offset);
      }
      this.#accept(copy);
    }
  }

  /**
   * @param {number} limit an offset; what came too early and is before it is not waited for any more
   * @returns {void}
   */
  #acceptEarly(limit) {
    const early = [...this.#early.values()].filter(({ offset }) => offset < limit);
    early.sort((a, b) => a.offset - b.offset);
    for (const copy of early) {
      if (copy.offset > this.#position) {
        this.#accept(copy);
      }
    }
  }

  /**
   * @param {{item: unknown, id?: string | number, offset: number, acks: Array<() => void>}} copy of the
   *   item that follows for every loop
   * @returns {void}
   */
  #accept({ item, id, offset, acks }) {
    if (!Number.isNaN(offset)) {
      this.#position = offset;
    }
    if (this.members.length === 0) {
      this.#withheld.push(...acks);
    }
    const open = { acks, left: this.members.length };
    if (open.left > 0 && (this.#others > 0 || this.#kept !== undefined)) {
      this.#open.set(offset, open);
    }
    const handled = () => {
      open.left -= 1;
      if (open.left > 0) {
        return;
      }
      this.#open.delete(offset);
      if (this.members.length === 0) {
        this.#withheld.push(...open.acks);
      } else {
        open.acks.forEach((ack) => ack());
      }
    };
    this.#kept?.push({ item, id, offset });
    if (this.#kept?.length > MAX_KEPT) {
      this.#kept.shift();
      this.#keptFrom = 0; // it is kept from what is now the first
    }
    [...this.members].forEach((member) => member.receive({ item, id, offset, handled }));
    this.#early.delete(offset);
    const following = this.#early.get(offset + 1);
    if (following !== undefined) {
      this.#accept(following);
    }
  }
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
 * @throws {TypeError} if the arguments cannot be encoded
 */
function emit(socket, ...packet) {
  const [name] = packet;
  // With its option `retries` socket.io-client would send the packet again if no answer comes, and a call
  // might run twice. This is how it marks what its own queue sends.
  const isQueueing = Boolean(socket._opts?.retries);
  const { ids, io } = socket;
  const wasEncoding = io?.encoding;
  if (isQueueing) {
    socket.flags.fromQueue = true;
  }
  try {
    checkSendable(name, packet, isUntilVersion2(socket), io?.opts?.parser !== undefined);
    socket.emit(...packet);
  } catch (error) {
    if (isQueueing) {
      socket.flags.fromQueue = false;
    }
    if (socket.ids !== ids) {
      delete socket.acks[ids]; // nothing was sent that could be answered
    }
    if (wasEncoding === false) {
      io.encoding = false; // version 1.7 would send nothing any more
    }
    const why = messageOf(error) ?? 'its arguments cannot be encoded';
    throw new TypeError(`${name} cannot be sent: ${why}`, { cause: error });
  }
}

/**
 * @param {object} socket of socket.io-client
 * @returns {boolean} whether that is of version 1 or 2
 */
function isUntilVersion2(socket) {
  return typeof socket.onAny !== 'function';
}

/** Events of the socket itself, until version 2. */
const RESERVED =
  /^(connect(_error|_timeout|ing)?|disconnect|error|reconnect(_attempt|_error|_failed|ing)?|ping|pong)$/;

/**
 * Throws where socket.io-client until version 2 would send nothing, or an error, without saying so, and where any
 * version would lose the connection.
 *
 * @param {string} name the event
 * @param {unknown[]} packet the event and its arguments
 * @param {boolean} isOld whether it is one until version 2
 * @param {boolean} hasParser whether it has another parser than the default one, which throws by itself
 * @returns {void}
 */
function checkSendable(name, packet, isOld, hasParser) {
  if (isOld && RESERVED.test(name)) {
    throw new TypeError(`"${name}" is a reserved event name`);
  }
  if (hasParser) {
    return;
  }
  if (isOld) {
    JSON.stringify(packet, withoutBytes);
  }
  packet.forEach((value) => checkBytes(value));
}

/**
 * Leaves out what cannot fail. Bytes are taken out of what contains them, because JSON.stringify would first ask a
 * Buffer for an array of numbers.
 *
 * @param {string} key the name of the value
 * @param {unknown} value what `toJSON` gives for it, if it has that
 * @returns {unknown} what to encode
 */
function withoutBytes(key, value) {
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  if (isEncodable(value)) {
    return null;
  }
  if (Array.isArray(value)) {
    return value.some(isEncodable) ? value.map((item) => (isEncodable(item) ? null : item)) : value;
  }
  const names = Object.keys(value).filter((name) => isEncodable(value[name]));
  return names.length === 0
    ? value
    : { ...value, ...Object.fromEntries(names.map((name) => [name, null])) };
}

/**
 * @param {unknown} value any
 * @returns {boolean} whether it is a Buffer, or another view that JSON has numbers for. There is none for a
 *   BigInt64Array: until version 2 only Buffer and ArrayBuffer are always sent as bytes
 */
function isEncodable(value) {
  return ArrayBuffer.isView(value) && typeof value[0] !== 'bigint';
}

/**
 * Throws if bytes have been transferred, which socket.io-client notices only when it writes them.
 *
 * @param {unknown} value one of the arguments
 * @param {boolean} [isJson] whether it is what `toJSON` has given
 * @returns {void}
 */
function checkBytes(value, isJson = false) {
  if (typeof value !== 'object' || value === null || value instanceof Date) {
    return;
  }
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) {
    new Uint8Array(value.buffer ?? value); // throws if they have
  } else if (Array.isArray(value)) {
    for (const item of value) {
      checkBytes(item);
    }
  } else if (!isJson && typeof value.toJSON === 'function') {
    checkBytes(value.toJSON(), true);
  } else {
    for (const name in value) {
      if (Object.hasOwn(value, name)) {
        checkBytes(value[name]);
      }
    }
  }
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
  // Until the first releases of version 3 a socket does not say that it is active; its listeners on the manager do.
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
