'use strict';

// Spans of OpenTelemetry, with its real SDK: those of `@opentelemetry/instrumentation-socket.io`, in applications of
// their own, and those of `loopback-socket/otel`, on every kind of server.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, beforeEach, describe, it } = require('node:test');
const { promisify } = require('node:util');
const { SpanKind, SpanStatusCode, context, diag, trace } = require('@opentelemetry/api');
const {
  InMemorySpanExporter,
  NodeTracerProvider,
  SimpleSpanProcessor,
} = require('@opentelemetry/sdk-trace-node');
const stable = require('@opentelemetry/semantic-conventions');
const { LoopbackSocketInstrumentation } = require('../../otel');
const { version } = require('../../package.json');
const { HOSTS, VERSIONS, authenticate, call, next } = require('../support/js-hosts');
const { SECRET, open } = require('./observed');

const ROOT = path.join(__dirname, '..', '..');

/** Long enough for a busy machine; nothing waits this long unless a promise is broken. */
const TIMEOUT = 60_000;

/** The names of attributes that the current conventions have, and do not deprecate. */
const CONVENTIONS = new Set([
  ...Object.keys(stable).flatMap((name) => (name.startsWith('ATTR_') ? [stable[name]] : [])),
  'messaging.client.id',
]);

/** The slow method takes 50 ms; timers may fire a little early. */
const SLOW = 45;

describe('@opentelemetry/instrumentation-socket.io', { timeout: 6 * TIMEOUT }, () => {
  let folder;

  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'loopback-socket-otel-'));
  });
  after(() => fs.rmSync(folder, { recursive: true, force: true }));

  /**
   * Runs the application with a version of socket.io installed.
   *
   * @param {number} major which version
   * @param {string[]} args of Node
   * @param {string[]} [appArgs] of the application
   * @returns {Promise<object>} what it prints
   */
  async function run(major, args, appArgs = []) {
    const home = fs.mkdtempSync(path.join(folder, `app-${major}-`));
    const modules = path.join(home, 'node_modules');
    fs.mkdirSync(modules);
    const own = path.join(ROOT, 'node_modules');
    const suffix = major === 4 ? '' : `-${major}`;
    for (const [name, target] of [
      ['loopback-socket', ROOT],
      ['@opentelemetry', path.join(own, '@opentelemetry')],
      ['socket.io', path.join(own, `socket.io${suffix}`)],
      ['client', path.join(own, `socket.io-client${suffix}`)],
    ]) {
      fs.symlinkSync(target, path.join(modules, name), 'junction');
    }
    const app = path.join(home, 'app.js');
    fs.copyFileSync(path.join(__dirname, 'opentelemetry', 'app.js'), app);
    // Instrumentations find modules by the names of their folders, so links must stay.
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--preserve-symlinks', ...args, app, ...appArgs],
      { cwd: home, env: { ...process.env, NODE_PATH: own }, timeout: TIMEOUT },
    );
    return JSON.parse(stdout);
  }

  const ANSWERS = [
    { result: 'done' },
    { error: {} },
    'own',
    'ERR_LOOPBACK_SOCKET_UNSENDABLE_VALUE',
    { result: true },
    'ERR_LOOPBACK_SOCKET_CANCELLED',
  ];

  /**
   * @param {object[]} spans
   * @param {string} name
   * @returns {object} the only span of that name
   */
  function only(spans, name) {
    const found = spans.filter((span) => span.name === name);
    assert.equal(found.length, 1, `${name} in ${JSON.stringify(spans, null, 1)}`);
    return found[0];
  }

  for (const major of VERSIONS) {
    it(`instrumentation-socket.io measures methods on socket.io ${major} until they are answered`, async () => {
      const { isNative, answers, runs, spans } = await run(major, []);
      assert.equal(isNative, false);
      assert.deepEqual(answers, ANSWERS);
      assert.deepEqual(runs, ['slow']);
      assert.ok(only(spans, 'receive / slow').ms >= SLOW);
      assert.equal(only(spans, 'receive / fail').error, 'oops');
      assert.match(only(spans, 'receive / bigint').error, /cannot be sent/);
      assert.match(only(spans, 'receive / wait').error, /cancelled/i);
      only(spans, 'receive / own');
      only(spans, 'send / all');
      const attempts = spans.filter(({ name }) => name === 'receive / authentication');
      const sent = spans.filter(({ name }) => name === 'send / authenticated');
      assert.deepEqual(
        sent.map(({ parent }) => parent),
        attempts.map(({ id }) => id),
        'what an attempt sends is within its span',
      );
    });

    it(`instrumentation-socket.io sees the native server that register puts in the place of socket.io ${major}`, async () => {
      const found = await run(major, ['-r', 'loopback-socket/register'], ['ours']);
      const { isNative, answers, runs, spans } = found;
      assert.equal(isNative, true);
      assert.deepEqual(answers, ANSWERS);
      assert.deepEqual(runs, ['slow']);
      only(spans, 'receive / own');
      only(spans, 'send / all');
      assert.equal(spans.filter(({ name }) => name === 'receive / connection').length, 1);
      assert.ok(only(spans, 'shop/slow slow').ms >= SLOW);
      assert.equal(only(spans, 'shop/fail fail').error, 'oops');
      const attempts = spans.filter(({ name }) => name.startsWith('shop/authentication'));
      const sent = spans.filter(({ name }) => name === 'send / authenticated');
      assert.deepEqual(
        sent.map(({ parent }) => parent),
        attempts.map(({ id }) => id),
      );
    });
  }
});

describe('loopback-socket/otel', { timeout: TIMEOUT }, () => {
  const exporter = new InMemorySpanExporter();
  const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });

  before(() => provider.register());
  beforeEach(() => exporter.reset());
  after(async () => {
    await provider.shutdown();
    trace.disable();
    context.disable();
  });

  /**
   * @param {import('node:test').TestContext} t the test
   * @param {object} [config] of the instrumentation
   * @returns {LoopbackSocketInstrumentation} one that is enabled until the test ends
   */
  function instrumented(t, config) {
    const instrumentation = new LoopbackSocketInstrumentation(config);
    t.after(() => instrumentation.disable());
    return instrumentation;
  }

  /** @returns {string[]} the names of the spans that have ended */
  const names = () => exporter.getFinishedSpans().map(({ name }) => name);

  for (const host of HOSTS) {
    it(`loopback-socket/otel makes a span of each attempt, call and request to subscribe on ${host}`, async (t) => {
      instrumented(t);
      let active;
      const { connect, name } = await open(t, host, (sockets) => {
        sockets.defineMethod('slow', async () => {
          await new Promise((resolve) => setTimeout(resolve, 50));
          active = trace.getActiveSpan();
          return SECRET;
        });
        sockets.defineMethod('fail', () => {
          throw Object.assign(new TypeError('oops'), { code: 'E_OOPS', secret: SECRET });
        });
        sockets.defineMethod('string', () => Promise.reject('just text'));
        sockets.defineSubscription('numbers', () => []);
      });
      const { client, socket } = await connect();
      client.emit('authentication', { token: `not ${SECRET}` });
      await next(client, 'unauthorized');
      await authenticate(client, { token: SECRET });
      await call(client, 'slow', SECRET);
      await call(client, 'fail');
      await call(client, 'string');
      await call(client, 'numbers', {});

      const spans = exporter.getFinishedSpans();
      assert.deepEqual(names(), [
        `${name}/authentication`,
        `${name}/authentication`,
        `${name}/slow`,
        `${name}/fail`,
        `${name}/string`,
        `${name}/numbers`,
      ]);
      const [refused, accepted, slow, failed, text, subscribed] = spans;
      assert.equal(active, slow);
      assert.equal(slow.kind, SpanKind.SERVER);
      assert.ok(slow.duration[0] * 1e3 + slow.duration[1] / 1e6 >= SLOW);
      const { 'client.address': address, ...attributes } = slow.attributes;
      assert.match(address, /127\.0\.0\.1|::1/);
      assert.deepEqual(attributes, {
        'loopback_socket.server': host === 'native' ? 'native' : 'hosted',
        'messaging.client.id': socket.id,
        'messaging.socket.io.event_name': 'slow',
        'messaging.socket.io.namespace': '/',
        'loopback_socket.name': name,
        'network.protocol.name': 'websocket',
        'rpc.method': `${name}/slow`,
        'rpc.system.name': 'loopback-socket',
      });
      for (const attribute of spans.flatMap((span) => Object.keys(span.attributes))) {
        const isOwn = /^(loopback_socket|messaging\.socket\.io)\./.test(attribute);
        assert.ok(isOwn || CONVENTIONS.has(attribute), `${attribute} is in no convention`);
      }
      assert.deepEqual(slow.instrumentationScope, {
        name: 'loopback-socket',
        version,
        schemaUrl: undefined,
      });
      for (const span of [accepted, slow, subscribed]) {
        assert.equal(span.status.code, SpanStatusCode.UNSET);
      }
      assert.deepEqual(
        [refused, failed, text].map(({ status }) => status),
        ['token unknown', 'oops', '"just text"'].map((message) => ({
          code: SpanStatusCode.ERROR,
          message,
        })),
      );
      assert.equal(failed.attributes['error.type'], 'E_OOPS');
      assert.equal(text.attributes['error.type'], '_OTHER');
      assert.equal(failed.events[0].name, 'exception');
      assert.ok(failed.events[0].attributes['exception.stacktrace'].includes(__filename));
      for (const { attributes: own, events, status } of spans) {
        assert.ok(!JSON.stringify([own, events, status]).includes(SECRET));
      }
    });
  }

  it('loopback-socket/otel makes spans of the kinds that it is asked for, while it is enabled', async (t) => {
    const instrumentation = instrumented(t, { kinds: ['call'], enabled: false });
    const { connect, name } = await open(t, 'native', (sockets) => {
      sockets.defineMethod('m', () => 1);
    });
    const { client } = await connect();
    await authenticate(client, { token: SECRET });
    await call(client, 'm');
    assert.deepEqual(names(), []);
    instrumentation.enable();
    instrumentation.enable();
    await authenticate(client, { token: SECRET });
    await call(client, 'm');
    assert.deepEqual(names(), [`${name}/m`]);
    instrumentation.disable();
    await call(client, 'm');
    assert.deepEqual(names(), [`${name}/m`]);
  });

  it('loopback-socket/otel uses the provider that it is given', async (t) => {
    const own = new InMemorySpanExporter();
    const ownProvider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(own)] });
    const instrumentation = instrumented(t);
    instrumentation.setTracerProvider(ownProvider);
    const { connect, name } = await open(t, 'native');
    const { client } = await connect();
    await authenticate(client, { token: SECRET });
    assert.deepEqual(
      own.getFinishedSpans().map((span) => span.name),
      [`${name}/authentication`],
    );
    assert.deepEqual(names(), []);
  });

  it('a tracer that throws changes nothing for clients', async (t) => {
    const errors = [];
    diag.setLogger({ error: (...args) => errors.push(args) });
    t.after(() => diag.disable());
    const instrumentation = instrumented(t);
    const { connect } = await open(t, 'native', (sockets) => {
      sockets.defineMethod('m', () => 1);
      sockets.defineMethod('fail', () => {
        throw new Error('oops');
      });
    });
    const { client } = await connect();
    const broken = () => {
      throw new Error('no tracer');
    };
    instrumentation.setTracerProvider({ getTracer: broken });
    await authenticate(client, { token: SECRET });
    assert.deepEqual(await call(client, 'm'), { result: 1 });
    assert.match(errors[0][0], /could not be started/);
    const span = {
      ...trace.wrapSpanContext({}),
      recordException: broken,
      setAttribute() {},
      end() {},
    };
    instrumentation.setTracerProvider({ getTracer: () => ({ startSpan: () => span }) });
    assert.deepEqual(await call(client, 'fail'), { error: {} });
    assert.match(errors.at(-1)[0], /could not be recorded/);
  });

  it('loopback-socket/otel refuses options that are unknown or impossible', () => {
    for (const config of [{ kinds: ['calls'] }, { kinds: 'call' }, { enabled: 1 }, { kind: [] }]) {
      assert.throws(() => new LoopbackSocketInstrumentation(config), {
        code: /^ERR_LOOPBACK_SOCKET_(INVALID|UNKNOWN)_OPTION$/,
      });
    }
  });
});
