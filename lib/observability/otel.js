'use strict';

/**
 * Spans of OpenTelemetry, from what is published on our channels: one for each attempt to authenticate, call and
 * request to subscribe, on every kind of server. `@opentelemetry/api` is the application's own.
 *
 * What must stay true: what a tracer does, or throws, changes nothing for clients.
 */

const { SpanKind, SpanStatusCode, context, diag, trace } = require('@opentelemetry/api');
const { version } = require('../../package.json');
const { checkOptions } = require('../check-options');
const { traced } = require('./channels');
const { summaryOf } = require('./log');
const { runners } = require('./trace');

/** The name of the instrumentation scope. */
const NAME = 'loopback-socket';

/** What the option `kinds` may list, and does if it is left out. */
const KINDS = Object.freeze(Object.keys(traced));

const RULES = {
  enabled: {
    fallback: true,
    check: (value) => typeof value === 'boolean',
    needs: 'true or false',
  },
  kinds: {
    fallback: KINDS,
    check: (value) => Array.isArray(value) && value.every((kind) => KINDS.includes(kind)),
    needs: `an array of ${KINDS.map((kind) => `'${kind}'`).join(', ')}, or of some of them`,
  },
};

/**
 * @typedef {object} Config
 * @property {boolean} [enabled=true] whether spans are made from the beginning
 * @property {('authenticate' | 'call' | 'subscribe')[]} [kinds] of what; of everything if it is left out
 */

/** An instrumentation, as `registerInstrumentations()` of `@opentelemetry/instrumentation` takes it. */
class LoopbackSocketInstrumentation {
  instrumentationName = NAME;
  instrumentationVersion = version;
  #config;
  #provider;
  #tracer;
  #isEnabled = false;
  /** @type {WeakMap<object, import('@opentelemetry/api').Span>} by message */
  #spans = new WeakMap();
  #runner = (message, run) => this.#run(message, run);
  #subscribers = {
    asyncEnd: (message) => this.#end(message),
  };

  /**
   * @param {Config} [config] its options
   * @throws {InvalidOptionError} if one is unknown or impossible
   */
  constructor(config) {
    this.setConfig(config);
    if (this.#config.enabled) {
      this.enable();
    }
  }

  /**
   * Begins to make spans.
   *
   * @returns {void}
   */
  enable() {
    if (!this.#isEnabled) {
      this.#isEnabled = true;
      runners.add(this.#runner);
      for (const kind of KINDS) {
        traced[kind].asyncEnd.subscribe(this.#subscribers.asyncEnd);
      }
    }
  }

  /**
   * Makes no more spans. Those of calls that are under way do not end.
   *
   * @returns {void}
   */
  disable() {
    if (this.#isEnabled) {
      this.#isEnabled = false;
      runners.delete(this.#runner);
      for (const kind of KINDS) {
        traced[kind].asyncEnd.unsubscribe(this.#subscribers.asyncEnd);
      }
    }
  }

  /**
   * @param {import('@opentelemetry/api').TracerProvider} provider whose spans; that of the application if it is never
   *   called
   * @returns {void}
   */
  setTracerProvider(provider) {
    this.#provider = provider;
    this.#tracer = undefined;
  }

  /**
   * There are no metrics here.
   *
   * @returns {void}
   */
  setMeterProvider() {}

  /**
   * @param {Config} [config] its options
   * @returns {void}
   * @throws {InvalidOptionError} if one is unknown or impossible
   */
  setConfig(config) {
    const whose = 'new LoopbackSocketInstrumentation()';
    this.#config = checkOptions(RULES, config, whose, `the argument of ${whose}`);
  }

  /** @returns {Config} its options */
  getConfig() {
    return this.#config;
  }

  /**
   * Runs what somebody observes, within a span.
   *
   * @param {import('./message').TraceMessage} message what is published of it
   * @param {() => void} run runs it
   * @returns {void}
   */
  #run(message, run) {
    let active;
    try {
      active = this.#begin(message);
    } catch (error) {
      diag.error(`${NAME}: a span could not be started`, error);
    }
    if (active === undefined) {
      run();
    } else {
      context.with(active, run);
    }
  }

  /**
   * @param {import('./message').TraceMessage} message what is published
   * @returns {import('@opentelemetry/api').Context | undefined} the context with its span, if it has one
   */
  #begin(message) {
    const { kind, duration, ...attributes } = message;
    if (!this.#config.kinds.includes(kind)) {
      return undefined;
    }
    this.#tracer ??= (this.#provider ?? trace).getTracer(NAME, version);
    const span = this.#tracer.startSpan(message['rpc.method'], {
      kind: SpanKind.SERVER,
      attributes,
    });
    this.#spans.set(message, span);
    return trace.setSpan(context.active(), span);
  }

  /**
   * It is answered.
   *
   * @param {import('./message').TraceMessage} message what is published
   * @returns {void}
   */
  #end(message) {
    const span = this.#spans.get(message);
    if (span === undefined) {
      return;
    }
    this.#spans.delete(message);
    try {
      if ('error' in message) {
        const { error, 'error.type': type } = message;
        span.setAttribute('error.type', type);
        span.recordException(error instanceof Error ? error : summaryOf(error));
        const description = error instanceof Error ? error.message : summaryOf(error);
        span.setStatus({ code: SpanStatusCode.ERROR, message: description });
      }
    } catch (failure) {
      diag.error(`${NAME}: an error could not be recorded`, failure);
    }
    span.end();
  }
}

module.exports = { LoopbackSocketInstrumentation };
