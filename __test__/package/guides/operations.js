'use strict';

/** docs/deployment.md, docs/metrics.md and docs/observability.md. */

const assert = require('node:assert/strict');
const http = require('node:http');

/** What `apps` of PM2 may have, of its documentation, as far as the pages use it. */
const PM2_FIELDS = {
  name: 'string',
  script: 'string',
  exec_mode: 'string',
  instances: 'number',
  increment_var: 'string',
  env: 'object',
  kill_timeout: 'number',
};

/** Declares the tests. */
module.exports = function declare(guide) {
  const shutdowns = [
    ['docs/deployment.md', 'Stop without losing calls', ['SIGTERM', 'SIGINT']],
    ['docs/scaling.md', 'PM2 (2)', ['SIGINT']],
    ['docs/scaling.md', 'Closing without losing calls', ['SIGTERM']],
  ];
  for (const [page, key, signals] of shutdowns) {
    guide(page, key, async (world, code) => {
      let finish;
      let begun;
      const running = new Promise((resolve) => {
        begun = resolve;
      });
      world.sockets.defineMethod('slow', () => {
        begun();
        return new Promise((resolve) => {
          finish = resolve;
        });
      });
      await world.run(code, { io: world.server });
      for (const signal of signals) assert.equal(world.process.listenerCount(signal), 1);
      const answer = world.call('slow');
      await running;
      const exited = world.event(world.process, 'exited');
      world.process.emit(signals[0]);
      finish('done');
      assert.deepEqual(await answer, { result: 'done' });
      await exited;
    });
  }

  for (const page of ['docs/deployment.md', 'docs/scaling.md']) {
    guide(page, 'PM2', async (world, code) => {
      const module = {};
      await world.run(code, { module });
      const { apps } = module.exports;
      assert.equal(apps.length, 1);
      for (const [field, value] of Object.entries(apps[0])) {
        assert.equal(typeof value, PM2_FIELDS[field], field);
      }
      assert.ok(apps[0].kill_timeout > 10_000, 'PM2 waits for longer than drain');
    });
  }

  guide('docs/metrics.md', '`io.metrics()`', async (world, code) => {
    const httpServer = http.createServer().listen(world.port);
    const { io } = await world.run(code, { httpServer });
    assert.deepEqual(await world.line(), [0, 0, 0]);
    await world.event(world.open({ transports: ['websocket'] }), 'connect');
    assert.equal(io.metrics().connections.open.websocket, 1);
  });

  guide('docs/metrics.md', '`loopbackSocket.metrics()`', async (world, code) => {
    const httpServer = http.createServer().listen(world.port);
    const io = new (require('socket.io').Server)(httpServer);
    const { sockets } = await world.run(code, { io });
    await world.authenticated();
    assert.equal(sockets.metrics().sockets.authenticated, 1);
  });

  guide('docs/metrics.md', 'Prometheus', async (world, code) => {
    let route;
    const app = {
      get(path, handler) {
        assert.equal(path, '/metrics');
        route = handler;
      },
    };
    const { register } = await world.run(code, { io: world.server, app });
    const headers = {};
    const body = await new Promise((resolve) => {
      route({}, { set: (name, value) => (headers[name] = value), end: resolve });
    });
    register.clear();
    assert.match(headers['Content-Type'], /^text\/plain/);
    assert.match(body, /^loopback_socket_connections\{/m);
  });

  guide('docs/observability.md', 'What to look at first', async (world, code) => {
    let report;
    const { delay } = await world.run(code, {
      setInterval(listener, every) {
        report = listener;
        assert.equal(every, 10_000);
        return { unref: () => {} };
      },
    });
    await new Promise((resolve) => {
      setTimeout(resolve, 30);
    });
    report();
    delay.disable();
    const [, late] = await world.line();
    assert.ok(late > 0 && late < 20_000, `${late} ms`);
  });

  guide('docs/observability.md', 'Channels', async (world, code) => {
    world.sockets.defineMethod('break', () => {
      throw new Error('broken');
    });
    void world.server;
    await world.run(code);
    await world.call('break');
    const [method, error] = await world.line();
    assert.equal(method, 'guide/break');
    assert.equal(error.message, 'broken');
  });

  guide('docs/observability.md', 'AsyncLocalStorage', async (world, code) => {
    await world.run(code);
    void world.server;
    await world.call('findBooks');
    assert.match((await world.line())[0], /^[\da-f-]{36}$/);
  });

  guide('docs/observability.md', 'Slow calls', async (world, code) => {
    const { sockets } = await world.run(code);
    const { subscribe, unsubscribe } = require('node:diagnostics_channel');
    const slow = new Promise((resolve) => {
      const listener = (message) => {
        unsubscribe('loopback-socket:slow', listener);
        resolve(message);
      };
      subscribe('loopback-socket:slow', listener);
    });
    sockets.defineMethod('wait', () => new Promise((resolve) => setTimeout(resolve, 250, 'done')));
    sockets.start(world.port);
    await world.call('wait');
    const message = await slow;
    assert.equal(message['rpc.method'], 'bookshop/wait');
    assert.ok(message.duration >= 200);
  });

  guide('docs/observability.md', 'OpenTelemetry', async (world, code) => {
    const { registerInstrumentations } = require('@opentelemetry/instrumentation');
    const {
      InMemorySpanExporter,
      NodeTracerProvider,
      SimpleSpanProcessor,
    } = require('@opentelemetry/sdk-trace-node');
    const exporter = new InMemorySpanExporter();
    let disable;
    // What sdk-node does with these options, without its exporters.
    world.modules['@opentelemetry/sdk-node'] = {
      NodeSDK: class {
        constructor({ serviceName, instrumentations }) {
          assert.equal(serviceName, 'bookshop');
          this.instrumentations = instrumentations;
        }

        start() {
          const spanProcessors = [new SimpleSpanProcessor(exporter)];
          const provider = new NodeTracerProvider({ spanProcessors });
          provider.register();
          disable = registerInstrumentations({
            instrumentations: this.instrumentations,
            tracerProvider: provider,
          });
        }
      },
    };
    await world.run(code);
    world.sockets.defineMethod('findBooks', () => []);
    void world.server;
    await world.call('findBooks');
    disable();
    const names = exporter.getFinishedSpans().map(({ name }) => name);
    assert.ok(names.includes('guide/findBooks'), names.join());
  });
};
