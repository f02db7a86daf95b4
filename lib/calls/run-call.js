'use strict';

/**
 * Runs a call that is more than a plain method of a plain instance, the same on both kinds of host:
 *
 *   rate and concurrency -> validate -> authorize -> interceptors -> the method, or what subscribes
 *
 * What must stay true: a call is answered once at most, and whatever is late is dropped, but for errors,
 * which the listeners of errors get; a step is not begun for a call that is over.
 */

const { ErrorKind, clientError, reportError } = require('./handler-errors');
const { intercept } = require('./interceptors');
const { invoke } = require('./invoke');
const { traceOf } = require('../observability/trace');
const {
  LoopbackSocketError,
  ForbiddenError,
  InvalidArgumentsError,
  CallTimeoutError,
} = require('../errors');

/** How many issues of invalid arguments a client gets. */
const MAX_ISSUES = 100;

/** The options of a plain method. */
const NO_OPTIONS = Object.freeze({});

/** What a client calls a subscription with if it gives no object. */
const NO_REQUEST = Object.freeze({});

/**
 * A socket as calls need it.
 *
 * @typedef {object} CallHost
 * @property {object} socket the socket that handlers get
 * @property {boolean} hasEnded whether it is gone
 * @property {import('./socket-calls').SocketCalls} calls its calls, made when they are asked for
 * @property {() => void} releaseCalls drops them if there is nothing to keep
 * @property {(name: string) => boolean} isListenedTo whether the application has a listener of its own for
 *   an event of the socket
 * @property {Subscriber} [subscriber] subscribes, and ends subscriptions
 */

/**
 * What the steps of a subscription are. `prepare` begins with what can fail or take time; `commit` answers
 * the client and begins to deliver, in one go.
 *
 * @typedef {object} Subscriber
 * @property {(instance: object) => import('../errors').CallError | undefined} admit counts what a client asks
 *   for, or gives why the socket may not have it
 * @property {() => void} dismiss counts it no more: it is being prepared, or does not begin
 * @property {(request: SubscriptionRequest, done: (failed: boolean, value: unknown, isRefusal?: boolean) =>
 *   void) => void} prepare gives what to commit, or an error; `isRefusal` if the error is not one of a handler
 * @property {(prepared: any, settle: import('./invoke').Settle) => void} commit answers and delivers, once the
 *   socket does not authenticate any more
 * @property {(prepared: any) => void} dispose drops what was prepared and is not committed, or has not been
 *   answered; then it never is
 * @property {(number: unknown) => boolean} unsubscribe ends a subscription of the socket; returns whether
 *   there was one
 */

/**
 * What a client subscribes with.
 *
 * @typedef {object} SubscriptionRequest
 * @property {import('../loopback-socket')} instance whose subscription
 * @property {object} subscription its definition
 * @property {object} socket the socket
 * @property {unknown} credentials those it authenticated with
 * @property {number} generation how many times it had authenticated by then
 * @property {unknown} args what the client sent, as validation and interceptors left it
 * @property {unknown} after the id of the last item that the client has handled
 * @property {AbortSignal} signal aborted if the client is not interested any more before it is answered
 */

/**
 * What a client sends.
 *
 * @typedef {object} Request
 * @property {unknown} credentials those that the socket authenticated with
 * @property {unknown} args what the call is for
 * @property {unknown} options the third value of the event, `{ call: id }`
 */

/** What interceptors get of a call or subscription. */
class Call {
  #execution;

  /**
   * @param {Execution} execution the call
   * @param {'method' | 'subscription'} kind what is called
   * @param {unknown} credentials those that the socket authenticated with
   * @param {unknown} args what the client sent
   */
  constructor(execution, kind, credentials, args) {
    this.#execution = execution;
    this.kind = kind;
    this.name = execution.name;
    this.socket = execution.socket;
    this.credentials = credentials;
    this.args = args;
    this.deadline = undefined;
  }

  /** @returns {AbortSignal} aborted when nobody waits for the call any more */
  get signal() {
    return this.#execution.signal;
  }
}

/** One call from its beginning to its end. */
class Execution {
  /** @type {string | number | undefined} what the client named it */
  id;
  /** @type {Execution | undefined} the neighbours among the calls of its socket */
  previous;
  /** @type {Execution | undefined} */
  next;
  /** @type {import('./socket-calls').Usage | undefined} what it counts for */
  usage;
  #host;
  #instance;
  #method;
  #subscription;
  #settle;
  #call;
  #after;
  /** Whether it has been answered, or never will be. */
  #isOver = false;
  /** Whether the socket's calls count it, and can abort it. */
  #isCounted = false;
  /** Whether it counts as one of the subscriptions of its socket. */
  #isAdmitted = false;
  /** How many times the socket had authenticated when the client asked for a subscription. */
  #generation;
  /** @type {AbortController | undefined} made when its signal is asked for */
  #controller;
  /** Why it was aborted. */
  #reason;
  #timer;
  /** @type {ReturnType<typeof traceOf>} if somebody observes the call */
  #trace;
  /** What is prepared of a subscription, while it waits to begin. */
  #prepared;
  /** How many of its parts run: the steps, and the handler. While there is one, it counts for `concurrency`. */
  #parts = 1;
  /** @type {Set<unknown> | undefined} the errors that listeners have been told of */
  #reported;

  /**
   * @param {CallHost} host the socket
   * @param {import('../loopback-socket')} instance whose method it is
   * @param {import('../auth/authenticate').BoundMethod} method what is called
   * @param {Request} request what the client sends
   * @param {import('./invoke').Settle} settle answers the client
   * @param {ReturnType<typeof traceOf>} [trace] that of the call, if somebody observes it
   */
  constructor(host, instance, method, request, settle, trace) {
    const subscription = method.subscription?.current();
    this.definitions = instance._definitions;
    this.name = method.name;
    this.socket = host.socket;
    this.options = method.options ?? subscription?.options ?? NO_OPTIONS;
    this.#host = host;
    this.#instance = instance;
    this.#method = method;
    this.#subscription = subscription;
    this.#settle = settle;
    this.#trace = trace;
    if (subscription === undefined) {
      this.#call = new Call(this, 'method', request.credentials, request.args);
    } else {
      const { args, after } = Object(request.args ?? NO_REQUEST);
      this.#call = new Call(this, 'subscription', request.credentials, args);
      this.#after = after;
    }
  }

  /** @returns {AbortSignal} aborted when nobody waits for the call any more */
  get signal() {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) {
        this.#controller.abort(this.#reason);
      }
    }
    return this.#controller.signal;
  }

  /**
   * Runs the call.
   *
   * @param {unknown} id what the client names it, to cancel it
   * @returns {void}
   */
  run(id) {
    const refusal = this.#admit() ?? this.#host.calls.enter(this, id);
    if (refusal !== undefined) {
      this.#isOver = true;
      this.#dismiss();
      this.#settle(true, refusal);
      return;
    }
    this.#isCounted = true;
    this.#begin();
  }

  /**
   * Runs a call of which nothing is counted, as nothing can abort it.
   *
   * @returns {void}
   */
  runUncounted() {
    this.#runHandler((failed, value) => this.#finish(failed, value));
  }

  /**
   * The call is over before it is done: the client gets the reason, and the signal is aborted.
   *
   * @param {import('../errors').LoopbackSocketError} reason why
   * @returns {void}
   */
  abort(reason) {
    if (this.#isOver) {
      return;
    }
    this.#reason = reason;
    this.#end();
    this.#disposeOfPrepared();
    this.#settle(true, reason);
    this.#controller?.abort(reason);
  }

  /**
   * A subscription that is prepared does not begin, and what it waits for need not call back.
   *
   * @returns {void}
   */
  #disposeOfPrepared() {
    const prepared = this.#prepared;
    if (prepared !== undefined) {
      this.#prepared = undefined;
      this.#host.subscriber.dispose(prepared);
      this.#partDone();
    }
  }

  /**
   * A request for a subscription counts as one until it is prepared, however long the steps before take.
   *
   * @returns {import('../errors').CallError | undefined} why it may not begin
   */
  #admit() {
    if (this.#subscription === undefined) {
      return undefined;
    }
    const refusal = this.#host.subscriber.admit(this.#instance);
    this.#isAdmitted = refusal === undefined;
    this.#generation = this.#host.subscriber.generationOf(this.#instance);
    return refusal;
  }

  /**
   * The request counts no more, or counts as what it prepares.
   *
   * @returns {void}
   */
  #dismiss() {
    if (this.#isAdmitted) {
      this.#isAdmitted = false;
      this.#host.subscriber.dismiss();
    }
  }

  /**
   * The call counts from now on.
   *
   * @returns {void}
   */
  #begin() {
    const { timeout } = this.options;
    if (timeout !== undefined) {
      this.#call.deadline = Date.now() + timeout;
      this.#timer = setTimeout(() => this.abort(new CallTimeoutError(timeout)), timeout);
      this.#timer.unref();
    }
    this.#validate();
  }

  /**
   * @returns {void}
   */
  #validate() {
    const schema = this.options.validate;
    if (schema === undefined) {
      this.#authorize();
      return;
    }
    invoke(
      () => schema['~standard'].validate(this.#call.args),
      null,
      [],
      (failed, value) => {
        const outcome = failed ? { error: value } : outcomeOf(value);
        if ('error' in outcome) {
          this.#fail(outcome.error, ErrorKind.VALIDATE);
        } else if (outcome.issues !== undefined) {
          this.#refuse(new InvalidArgumentsError(outcome.issues));
        } else {
          this.#call.args = outcome.args;
          this.#next(() => this.#authorize());
        }
      },
    );
  }

  /**
   * @returns {void}
   */
  #authorize() {
    const { authorize } = this.options;
    if (authorize === undefined) {
      this.#intercept();
      return;
    }
    const { credentials, args } = this.#call;
    isAuthorized(authorize, this.socket, credentials, args, (refusal, error) => {
      if (refusal === undefined) {
        this.#next(() => this.#intercept());
        return;
      }
      if (error !== undefined) {
        this.#report(error.cause, ErrorKind.AUTHORIZE);
      }
      this.#refuse(refusal);
    });
  }

  /**
   * Runs the next step, unless the call is over.
   *
   * @param {() => void} step the step
   * @returns {void}
   */
  #next(step) {
    if (this.#isOver) {
      this.#partDone();
    } else if (this.#trace === undefined) {
      step();
    } else {
      this.#trace.resume(step);
    }
  }

  /**
   * @returns {void}
   */
  #intercept() {
    const { interceptors } = this.definitions;
    const isSubscription = this.#subscription !== undefined;
    const innermost = isSubscription
      ? (done) => this.#prepare(done)
      : (done) => this.#runHandler(done);
    const finish = isSubscription
      ? (failed, value) => this.#commit(failed, value)
      : (failed, value) => this.#finish(failed, value);
    if (interceptors.length === 0) {
      innermost(finish);
      return;
    }
    let inner;
    const promised = () => {
      inner = new Promise((resolve, reject) => {
        if (this.#isOver) {
          reject(this.#reason);
        } else {
          innermost((failed, value) => (failed ? reject(value) : resolve(value)));
        }
      });
      return inner;
    };
    const failed = (error) => this.#report(error, ErrorKind.INTERCEPTOR);
    intercept(interceptors, this.#call, promised, failed).then(
      (result) => {
        if (!isSubscription) {
          finish(false, result);
        } else if (inner === undefined) {
          finish(true, new ForbiddenError());
        } else {
          // What an interceptor gives is ignored; and it need not have waited.
          inner.then(
            (prepared) => finish(false, prepared),
            (error) => finish(true, error),
          );
        }
      },
      (error) => {
        finish(true, error);
        if (isSubscription) {
          inner?.then((prepared) => this.#host.subscriber.dispose(prepared), ignore);
        }
      },
    );
  }

  /**
   * Runs the handler of a method.
   *
   * @param {import('./invoke').Settle} done takes its outcome
   * @returns {void}
   */
  #runHandler(done) {
    const { credentials, args, deadline } = this.#call;
    const { fn, self } = this.#method;
    const values = [this.socket, credentials, args];
    if (this.options.context) {
      values.push({ signal: this.signal, deadline });
    }
    this.#parts += 1;
    invoke(
      fn,
      self,
      values,
      (failed, value) => {
        if (failed) {
          this.#report(value, ErrorKind.METHOD);
        }
        this.#partDone();
        done(failed, value);
      },
      (error) => this.#report(error, ErrorKind.METHOD),
    );
  }

  /**
   * Prepares a subscription.
   *
   * @param {import('./invoke').Settle} done takes what is prepared
   * @returns {void}
   */
  #prepare(done) {
    const execution = this;
    const { credentials, args, socket } = this.#call;
    const request = {
      instance: this.#instance,
      subscription: this.#subscription,
      socket,
      credentials,
      generation: this.#generation,
      args,
      after: this.#after,
      get signal() {
        return execution.signal;
      },
    };
    this.#parts += 1;
    this.#dismiss();
    this.#host.subscriber.prepare(request, (failed, value, isRefusal = false) => {
      if (failed && !isRefusal) {
        this.#report(value, ErrorKind.SUBSCRIPTION);
      } else if (failed) {
        this.#markReported(value);
      }
      this.#partDone();
      done(failed, value);
    });
  }

  /**
   * The steps of a subscription are done: answers, and begins to deliver. That waits while the socket authenticates
   * again, and can be aborted until then.
   *
   * @param {boolean} failed whether one of them failed
   * @param {unknown} value what is prepared, or the error
   * @returns {void}
   */
  #commit(failed, value) {
    if (failed) {
      this.#finish(true, value);
      return;
    }
    if (this.#isOver) {
      this.#host.subscriber.dispose(value);
      this.#partDone();
      return;
    }
    this.#prepared = value;
    const answer = (hasFailed, outcome) => {
      this.#prepared = undefined;
      this.#finish(hasFailed, outcome);
    };
    this.#next(() => this.#host.subscriber.commit(value, answer));
  }

  /**
   * A step refuses the call. That is no error of a handler.
   *
   * @param {import('../errors').CallError} refusal what the client gets
   * @returns {void}
   */
  #refuse(refusal) {
    this.#finish(true, refusal);
  }

  /**
   * A step failed by an error of the application.
   *
   * @param {unknown} error the error
   * @param {string} kind of which handler
   * @returns {void}
   */
  #fail(error, kind) {
    this.#report(error, kind);
    this.#finish(true, error);
  }

  /**
   * The steps are done: answers the client, unless the call is over.
   *
   * @param {boolean} failed whether one of them failed
   * @param {unknown} value the result or the error
   * @returns {void}
   */
  #finish(failed, value) {
    if (!this.#isOver) {
      this.#end();
      this.#answer(failed, value);
    }
    this.#partDone();
  }

  /**
   * @param {boolean} failed whether the call failed
   * @param {unknown} value the result or the error
   * @returns {void}
   */
  #answer(failed, value) {
    if (failed) {
      this.#trace?.causedBy(value);
    }
    const unsendable = this.#settle(failed, failed ? clientError(this.definitions, value) : value);
    if (unsendable !== undefined) {
      this.#report(unsendable, this.#call.kind);
    }
  }

  /**
   * The call is over: nothing aborts it any more.
   *
   * @returns {void}
   */
  #end() {
    this.#isOver = true;
    clearTimeout(this.#timer);
    if (this.#isCounted) {
      this.#host.calls.leave(this);
      this.#host.releaseCalls();
    }
  }

  /**
   * A part of the call is done. When all are, it does not count for `concurrency` any more.
   *
   * @returns {void}
   */
  #partDone() {
    this.#parts -= 1;
    if (this.#parts > 0) {
      return;
    }
    this.#dismiss();
    if (this.usage !== undefined) {
      this.usage.running -= 1;
      this.usage = undefined;
    }
  }

  /**
   * Tells the listeners of errors, once for each error. That a handler ended because the call was aborted
   * is no error: it fails with the reason of the signal, or with an error of Node that has it as its cause.
   *
   * @param {unknown} error what a handler failed with
   * @param {string} kind which
   * @returns {void}
   */
  #report(error, kind) {
    const { definitions, name, socket } = this;
    const isAbort =
      this.#reason !== undefined && (error === this.#reason || causeOf(error) === this.#reason);
    if (isAbort || this.#reported?.has(error)) {
      return;
    }
    this.#markReported(error);
    reportError(definitions, error, kind, socket, name);
  }

  /**
   * @param {unknown} error an error that listeners know, or need not
   * @returns {void}
   */
  #markReported(error) {
    this.#reported ??= new Set();
    this.#reported.add(error);
  }
}

/**
 * Runs a call: of a method with options, of a subscription, of a control event, or of any method of an
 * instance that has interceptors or listeners of errors, or sends errors by message.
 *
 * @param {CallHost} host the socket
 * @param {import('../loopback-socket')} instance whose method it is
 * @param {import('../auth/authenticate').BoundMethod} method what is called
 * @param {Request} request what the client sends
 * @param {import('./invoke').Settle} settle answers the client; returns an error if it could not send the value
 * @returns {void}
 */
function runCall(host, instance, method, request, settle) {
  const { control, subscription } = method;
  if (control !== undefined) {
    if (!host.isListenedTo(method.name)) {
      settle(
        false,
        control === 'cancel'
          ? cancel(host, request.args)
          : host.subscriber.unsubscribe(request.args),
      );
    }
    return;
  }
  const isPlain = method.options === undefined && subscription === undefined;
  const isUncounted = isPlain && instance._definitions.interceptors.length === 0;
  if (!isUncounted && host.hasEnded) {
    return;
  }
  const kind = subscription === undefined ? 'call' : 'subscribe';
  const trace = traceOf(kind, host.socket, instance, method.name);
  if (trace === undefined) {
    begin(new Execution(host, instance, method, request, settle), isUncounted, request);
    return;
  }
  const settleTraced = (failed, value) => trace.finish(failed, value, () => settle(failed, value));
  const execution = new Execution(host, instance, method, request, settleTraced, trace);
  trace.run(() => begin(execution, isUncounted, request));
}

/**
 * @param {Execution} execution a call
 * @param {boolean} isUncounted whether nothing is counted of it
 * @param {Request} request what the client sends
 * @returns {void}
 */
function begin(execution, isUncounted, { options }) {
  if (isUncounted) {
    execution.runUncounted();
  } else {
    execution.run(idOf(options));
  }
}

/**
 * @param {CallHost} host a socket
 * @param {unknown} id what its client named a call
 * @returns {boolean} whether there was such a call
 */
function cancel(host, id) {
  const { calls } = host;
  const isCancelled = calls.cancel(id);
  host.releaseCalls();
  return isCancelled;
}

/**
 * Asks `authorize` of a method or subscription. Only a true value allows, so that one that forgets to return
 * allows nothing.
 *
 * @param {Function} authorize `(socket, credentials, args)`
 * @param {object} socket the socket
 * @param {unknown} credentials those it authenticated with
 * @param {unknown} args what it is to be allowed for
 * @param {(refusal?: Error, thrown?: {cause: unknown}) => void} done takes why it is refused, if it is, and
 *   what `authorize` threw
 * @returns {void}
 */
function isAuthorized(authorize, socket, credentials, args, done) {
  invoke(authorize, null, [socket, credentials, args], (failed, value) => {
    if (failed) {
      const refusal =
        value instanceof LoopbackSocketError ? value : new ForbiddenError(messageOf(value), value);
      done(refusal, { cause: value });
    } else {
      done(value ? undefined : new ForbiddenError());
    }
  });
}

/**
 * @param {unknown} error what `authorize` threw
 * @returns {string | undefined} its message
 */
function messageOf(error) {
  try {
    const { message } = Object(error);
    return typeof message === 'string' && message !== '' ? message : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param {unknown} error any value
 * @returns {unknown} its cause
 */
function causeOf(error) {
  try {
    return Object(error).cause;
  } catch {
    return undefined;
  }
}

/**
 * @param {unknown} result what a schema gave
 * @returns {{args: unknown} | {issues: object[]} | {error: unknown}} what it means; an error if it is no result
 *   of Standard Schema
 */
function outcomeOf(result) {
  try {
    return result.issues === undefined
      ? { args: result.value }
      : { issues: issuesOf(result.issues) };
  } catch (error) {
    return { error };
  }
}

/**
 * @param {readonly {message: string, path?: readonly unknown[]}[]} issues of Standard Schema
 * @returns {{message: string, path: (string | number)[]}[]} the first of them, as a client gets them
 */
function issuesOf(issues) {
  return Array.from(issues)
    .slice(0, MAX_ISSUES)
    .map(({ message, path }) => ({
      message: String(message),
      path: Array.from(path ?? [], (segment) => {
        const key = typeof segment === 'object' && segment !== null ? segment.key : segment;
        return typeof key === 'number' ? key : String(key);
      }),
    }));
}

/**
 * @param {unknown} options the third value of an event
 * @returns {unknown} what the client names the call
 */
function idOf(options) {
  return typeof options === 'object' && options !== null ? options.call : undefined;
}

/** Does nothing. */
function ignore() {}

module.exports = { Execution, isAuthorized, runCall };
