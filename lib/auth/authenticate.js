'use strict';

/**
 * Drives one attempt to authenticate, on any host: runs the auth function and the onConnected
 * handlers, binds the methods and answers the client. The session decides what comes next, this file
 * does it. An exception of anything it calls stays inside.
 */

const { ErrorKind, reportError } = require('../calls/handler-errors');
const { invoke, resolveHandler } = require('../calls/invoke');
const { TooManyAttemptsError, UnsendableValueError } = require('../errors');
const { traceOf } = require('../observability/trace');
const { disconnect, exclude } = require('./exclude');
const { attemptAccepted, attemptBegins, attemptRefused } = require('./expiry');
const { emitOwn } = require('./own-events');

const FAILURE = 'Authentication failure';

/** The event with which a client hands in its credentials. */
const AUTHENTICATION = 'authentication';

// What `host.outcome()` answers besides the index of the onConnected handler to run.
const { BIND, UNAUTHORIZED } = require('../native/protocol').SessionAnswer;

/**
 * A method with the handler that stood behind it when its socket authenticated.
 *
 * @typedef {object} BoundMethod
 * @property {string} name the name that clients call
 * @property {Function} [fn] the handler; not of a control event
 * @property {unknown} self its `this`
 * @property {boolean} isPlain whether it is a method without options
 * @property {import('../calls/method-options').MethodOptions} [options] those of the method
 * @property {import('../subscriptions/definition').SubscriptionDefinition} [subscription] its definition, if it
 *   is a subscription
 * @property {'cancel' | 'unsubscribe'} [control] what it does, if it is a control event of this package
 */

/**
 * What an attempt needs to know of the socket's owner.
 *
 * @typedef {object} Host
 * @property {(instance: number, attempt: number, accepted: boolean, handlers: number) => number} outcome as in
 *   `HostedSessions` of the addon, of this socket
 * @property {(instance: number, attempt: number) => boolean} bound the same
 * @property {(instance: number, attempt: number) => boolean} acknowledged the same
 * @property {object} socket the socket that handlers get: `auth`, `emit`, `disconnect`
 * @property {Set<import('./expiry').AttemptExpiry> | undefined} attempting the attempts of the socket that are under
 *   way, for `socket.expires`; kept with the socket, and changed in `expiry.js`
 * @property {(instance: number, methods: BoundMethod[], credentials: unknown) => void} bind puts
 *   these methods in the place of those that the instance has bound to the socket
 * @property {() => void} authenticated lets broadcasts through; called before `authenticated` is sent
 * @property {() => void} answered called when `authenticated` has been sent, or is not to be after all: sends
 *   what waited for that
 * @property {() => void} [decided] called when the attempt is decided, before its client is told
 * @property {(instance: number, by: number) => boolean} count adds to the attempts with an instance that
 *   failed or are under way; returns whether that is too many
 * @property {(value: unknown, key: string) => unknown} encodable gives what to emit for a value
 *   under a name, or throws
 * @property {import('../subscriptions/socket-subscriptions').SocketSubscriptions | undefined} subscriptions
 *   those of the socket, if it has ever had one
 */

/**
 * Runs one attempt to its end.
 *
 * @param {Host} host the socket's owner
 * @param {import('../loopback-socket')} loopbackSocket whose handlers decide
 * @param {number} instance the number the session gave to `loopbackSocket`
 * @param {number} attempt the number the session gave to this attempt
 * @param {unknown} credentials what the client sent; handlers and methods share it
 * @param {import('../observability/completion').Completion} [completion] its end, if an instrumentation measures it
 * @returns {void}
 */
function authenticate(host, loopbackSocket, instance, attempt, credentials, completion) {
  if (host.count(instance, 1)) {
    loopbackSocket._definitions.authentication.tooManyAttempts += 1;
    const error = new TooManyAttemptsError();
    exclude(host.socket, error);
    completion?.finish(true, error);
    return;
  }
  // Until it is decided, items of its subscriptions wait.
  host.subscriptions?.attemptBegins(loopbackSocket);
  const trace = traceOf('authenticate', host.socket, loopbackSocket, AUTHENTICATION);
  const observers = { trace, completion };
  const begun = new Authentication(host, loopbackSocket, instance, attempt, credentials, observers);
  if (trace === undefined) {
    begun.run();
  } else {
    trace.run(() => begun.run());
  }
}

/** An attempt that is under way. */
class Authentication {
  #host;
  #loopbackSocket;
  #instance;
  #attempt;
  /** What handlers get. */
  #args;
  #subscriptions;
  /** Until when it authenticates the client. */
  #expiry;
  /** @type {unknown[]} the onConnected handlers, as they were when the auth function was done */
  #handlers;
  /** @type {ReturnType<typeof traceOf>} if somebody observes the attempt */
  #trace;
  /** @type {import('../observability/completion').Completion | undefined} */
  #completion;

  /**
   * @param {Host} host the socket's owner
   * @param {import('../loopback-socket')} loopbackSocket whose handlers decide
   * @param {number} instance the number the session gave to `loopbackSocket`
   * @param {number} attempt the number the session gave to this attempt
   * @param {unknown} credentials what the client sent
   * @param {object} observers who observe it
   * @param {ReturnType<typeof traceOf>} observers.trace its trace, if somebody observes it
   * @param {import('../observability/completion').Completion} [observers.completion] its end, if an instrumentation
   *   measures it
   */
  constructor(host, loopbackSocket, instance, attempt, credentials, { trace, completion }) {
    this.#host = host;
    this.#loopbackSocket = loopbackSocket;
    this.#instance = instance;
    this.#attempt = attempt;
    this.#args = [host.socket, credentials];
    this.#subscriptions = host.subscriptions;
    this.#expiry = attemptBegins(host);
    this.#trace = trace;
    this.#completion = completion;
  }

  /**
   * Runs the auth function, and what follows from its outcome.
   *
   * @returns {void}
   */
  run() {
    const { fn, self } = resolveHandler(this.#loopbackSocket._auth);
    const settle = (failed, value) => {
      if (failed) {
        this.#report(ErrorKind.AUTHENTICATION, value);
      }
      const isRefused = failed || !isAccepted(value);
      this.#handlers = isRefused ? [] : this.#loopbackSocket._connected.slice();
      const next = this.#outcome(!isRefused, this.#handlers.length);
      this.#resume(next, failed ? value : undefined);
    };
    invoke(fn, self, this.#args, settle, (late) => this.#report(ErrorKind.AUTHENTICATION, late));
  }

  /**
   * @param {boolean} accepted whether the handler that is done accepts the socket
   * @param {number} handlers how many onConnected handlers there are, when the auth function is done
   * @returns {number} the session's answer
   */
  #outcome(accepted, handlers) {
    return this.#host.outcome(this.#instance, this.#attempt, accepted, handlers);
  }

  /**
   * @param {string} kind which handler failed
   * @param {unknown} error by what
   * @returns {void}
   */
  #report(kind, error) {
    reportError(this.#loopbackSocket._definitions, error, kind, this.#host.socket);
  }

  /**
   * Does what the session decides. Handlers that are done when they return are run in this loop, so
   * that many of them do not nest.
   *
   * @param {number} next the session's answer
   * @param {unknown} [error] why the outcome before was a failure
   * @returns {void}
   */
  #proceed(next, error) {
    while (next >= 0) {
      const handler = resolveHandler(this.#handlers[next]);
      let returned = false;
      let settled = false;
      const settle = (failed, value) => {
        if (failed) {
          this.#report(ErrorKind.CONNECTED, value);
        }
        const after = this.#outcome(!failed, 0);
        const reason = failed ? value : undefined;
        if (returned) {
          this.#resume(after, reason);
        } else {
          settled = true;
          next = after;
          error = reason;
        }
      };
      const dropped = (late) => this.#report(ErrorKind.CONNECTED, late);
      invoke(handler.fn, handler.self, this.#args, settle, dropped);
      returned = true;
      if (!settled) {
        return;
      }
    }
    this.#host.decided?.();
    if (next === BIND) {
      this.#finish(false, () => this.#accept());
      return;
    }
    const isRefused = next === UNAUTHORIZED;
    this.#finish(
      isRefused,
      () => {
        if (isRefused) {
          this.#loopbackSocket._definitions.authentication.rejected += 1;
          attemptRefused(this.#host, this.#expiry);
          refuse(this.#host, this.#instance, this.#attempt, messageOf(error));
        }
        this.#subscriptions?.attemptEnds(this.#loopbackSocket, false);
        return false;
      },
      error,
    );
  }

  /**
   * Goes on after a handler that took its time.
   *
   * @param {number} next the session's answer
   * @param {unknown} error why the outcome before was a failure
   * @returns {void}
   */
  #resume(next, error) {
    if (this.#trace === undefined) {
      this.#proceed(next, error);
    } else {
      this.#trace.resume(() => this.#proceed(next, error));
    }
  }

  /**
   * The attempt is decided.
   *
   * @param {boolean} isRefused whether the client is refused
   * @param {() => boolean} answer tells it; returns whether it has authenticated
   * @param {unknown} [error] what a handler has failed with, if one has
   * @returns {void}
   */
  #finish(isRefused, answer, error) {
    const isObserved = this.#trace !== undefined || this.#completion !== undefined;
    if (!isObserved) {
      answer();
      return;
    }
    const outcome = isRefused ? (error ?? new Error(FAILURE)) : true;
    if (this.#trace === undefined) {
      answer();
    } else {
      this.#trace.finish(isRefused, outcome, answer);
    }
    this.#completion?.finish(isRefused, outcome);
  }

  /**
   * Binds the methods as they stand now and emits `authenticated`.
   *
   * @returns {boolean} whether the socket is authenticated: it has not ended meanwhile
   */
  #accept() {
    const host = this.#host;
    const { socket } = host;
    const instance = this.#instance;
    const methods = methodsOf(this.#loopbackSocket);
    // Bound before the session allows calls, so that no call finds a method missing.
    host.bind(instance, methods, this.#args[1]);
    if (!host.bound(instance, this.#attempt)) {
      host.answered();
      this.#subscriptions?.attemptEnds(this.#loopbackSocket, false);
      return false;
    }
    this.#loopbackSocket._definitions.authentication.accepted += 1;
    host.count(instance, -1);
    attemptAccepted(host, this.#expiry, this.#loopbackSocket);
    // Before `auth` is set, which would have the host ask its session again.
    host.authenticated();
    socket.auth = true;
    try {
      emitOwn(socket, 'authenticated', true);
    } catch {
      // A listener of an emitter that only looks like a socket; it is not for us to handle.
    }
    host.answered();
    // Those that have begun since the attempt did are authorized again, too.
    const wasSubscribed = this.#subscriptions !== undefined;
    host.subscriptions?.attemptEnds(this.#loopbackSocket, true, wasSubscribed);
    return true;
  }
}

/**
 * Tells the client that it is refused, and ends the socket when the client has acknowledged.
 *
 * @param {Host} host the socket's owner
 * @param {number} instance the number of the LoopbackSocket
 * @param {number} attempt the number of the attempt
 * @param {unknown} message why
 * @returns {void}
 */
function refuse(host, instance, attempt, message) {
  const { socket } = host;
  const acknowledged = () => {
    if (host.acknowledged(instance, attempt)) {
      disconnect(socket);
    }
  };
  try {
    emitOwn(socket, 'unauthorized', { message: host.encodable(message, 'message') }, acknowledged);
    return;
  } catch {
    if (isPrimitive(message)) {
      return;
    }
  }
  try {
    emitOwn(socket, 'unauthorized', { message: new UnsendableValueError().message }, acknowledged);
  } catch {
    // Not sent: the socket stays pending and ends at its timeout.
  }
}

/**
 * @param {unknown} value what an auth function gave
 * @returns {boolean} whether it accepts the socket; no value at all does
 */
function isAccepted(value) {
  return value === undefined || Boolean(value);
}

/**
 * @param {unknown} error what an auth function or onConnected handler failed with
 * @returns {unknown} the message for the client: that of the error, whatever its type
 */
function messageOf(error) {
  try {
    return error ? error.message : FAILURE;
  } catch {
    return FAILURE;
  }
}

/**
 * @param {unknown} message the message of an error
 * @returns {boolean} whether it can be sent for sure
 */
function isPrimitive(message) {
  return (
    message === undefined ||
    message === null ||
    typeof message === 'string' ||
    typeof message === 'number' ||
    typeof message === 'boolean'
  );
}

/** The control event with which a client cancels a call. */
const CANCEL = control('loopback:cancel', 'cancel');

/** The control event with which a client ends a subscription. */
const UNSUBSCRIBE = control('loopback:unsubscribe', 'unsubscribe');

/**
 * @param {string} name the event
 * @param {'cancel' | 'unsubscribe'} what what it does
 * @returns {BoundMethod} an event of this package that clients call like a method
 */
function control(name, what) {
  return bound(name, undefined, null, { control: what });
}

/**
 * @param {string} name what clients call
 * @param {Function} [fn] the handler
 * @param {unknown} self its `this`
 * @param {object} [more] what is special about it
 * @returns {BoundMethod} the method; all have the same shape
 */
function bound(name, fn, self, { options, subscription, control } = {}) {
  const isPlain = options === undefined && subscription === undefined && control === undefined;
  return { name, fn, self, isPlain, options, subscription, control };
}

/** @type {WeakMap<object, BoundMethod[]>} what each LoopbackSocket's methods were the last time */
const lastMethods = new WeakMap();

/**
 * The methods of an instance.
 *
 * @typedef {BoundMethod[] & {onDemand?: Map<string, BoundMethod>}} BoundMethods those by name of `onDemand`
 *   come last: they are too many to be listened to one by one, where methods are listeners of a socket
 */

/** @type {WeakMap<object, {parts: (readonly object[])[], methods: BoundMethods}>} by instance */
const lastExposed = new WeakMap();

/**
 * @param {import('../loopback-socket')} loopbackSocket the instance
 * @returns {Readonly<BoundMethods>} its methods as they stand now, with the remote methods that it exposes:
 *   one list for all sockets that authenticate while they stay the same
 */
function methodsOf(loopbackSocket) {
  const { _definitions: definitions } = loopbackSocket;
  const { exposures } = definitions;
  if (exposures.length === 0) {
    return ownMethodsOf(loopbackSocket);
  }
  // First, because they define subscriptions.
  const exposed = exposures.map((exposure) => exposure.methods());
  const parts = [ownMethodsOf(loopbackSocket), ...exposed];
  const last = lastExposed.get(loopbackSocket);
  if (last?.parts.length === parts.length && parts.every((part, i) => part === last.parts[i])) {
    return last.methods;
  }
  const own = [];
  const onDemand = new Map();
  for (const method of parts[0]) {
    const { name, subscription } = method;
    if (exposures.some(({ subscriptions }) => subscriptions.has(subscription))) {
      onDemand.set(name, method);
    } else {
      own.push(method);
    }
  }
  const names = new Set(own.map(({ name }) => name));
  for (const { name, fn } of exposed.flat()) {
    // A method of the application's own goes before a remote method of that name.
    if (!names.has(name) && !onDemand.has(name)) {
      onDemand.set(name, bound(name, fn, null, {}));
    }
  }
  const methods = Object.assign([...own, ...onDemand.values()], { onDemand });
  lastExposed.set(loopbackSocket, { parts, methods });
  return methods;
}

/**
 * @param {import('../loopback-socket')} loopbackSocket the instance
 * @returns {readonly BoundMethod[]} the methods that the application has defined, as they stand now, and
 *   the control events that they need: one list for all sockets that authenticate while they stay the same
 */
function ownMethodsOf(loopbackSocket) {
  const { _methods: refs, _definitions: definitions } = loopbackSocket;
  const { methodOptions, subscriptions } = definitions;
  const last = lastMethods.get(loopbackSocket);
  if (last !== undefined && stillStand(last, refs, definitions)) {
    return last;
  }
  const methods = Object.keys(refs).map((name, i) => {
    const { fn, self } = resolveHandler(refs[name]);
    const options = methodOptions.get(name);
    const before = last?.[i];
    return before?.name === name &&
      before.fn === fn &&
      before.self === self &&
      before.options === options &&
      before.subscription === undefined
      ? before
      : bound(name, fn, self, { options });
  });
  for (const [name, subscription] of subscriptions) {
    const before = last?.[methods.length];
    methods.push(
      before?.subscription === subscription
        ? before
        : bound(name, undefined, null, { subscription }),
    );
  }
  const isTaken = (name) => Object.hasOwn(refs, name) || subscriptions.has(name);
  // A request to subscribe can be cancelled like a call.
  if ((methodOptions.size > 0 || subscriptions.size > 0) && !isTaken(CANCEL.name)) {
    methods.push(CANCEL);
  }
  if (subscriptions.size > 0 && !isTaken(UNSUBSCRIBE.name)) {
    methods.push(UNSUBSCRIBE);
  }
  if (last?.length === methods.length && methods.every((method, i) => method === last[i])) {
    return last;
  }
  lastMethods.set(loopbackSocket, methods);
  return methods;
}

/**
 * Whether methods are the same as the last time, as they almost always are: makes nothing to find out.
 *
 * @param {readonly BoundMethod[]} methods those of the last time
 * @param {object} refs what the application has defined, by name
 * @param {import('../calls/definitions').Definitions} definitions what it has defined besides
 * @returns {boolean} whether they are for sure
 */
function stillStand(methods, refs, { methodOptions, subscriptions }) {
  const names = Object.keys(refs);
  if (methodOptions.size > 0 || subscriptions.size > 0 || names.length !== methods.length) {
    return false;
  }
  for (let i = 0; i < names.length; i++) {
    const { name, fn, self, isPlain } = methods[i];
    const ref = refs[name];
    if (name !== names[i] || !isPlain || fn !== ref || self !== null) {
      return false;
    }
  }
  return true;
}

module.exports = { authenticate };
