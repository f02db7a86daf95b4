// Where sockets are served, and how that begins and ends.

import { Application, createBindingFromClass, extensionFor } from '@loopback/core';
import { RestApplication } from '@loopback/rest';
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import LoopbackSocket from 'loopback-socket';
import { Server } from 'socket.io';
import {
  LoopbackSocketBindings,
  LoopbackSocketComponent,
  type LoopbackSocketConfig,
  LoopbackSocketMixin,
  socketController,
  SOCKET_CONTROLLER_EXTENSIONS,
  socketMethod,
} from '..';
import { authenticate, call, makeApp, Running, start } from './support';

class Greeter {
  @socketMethod()
  hello(name: string) {
    return `Hello, ${name}!`;
  }
}

const OPEN = { authentication: false } as const;

describe('where sockets are served', () => {
  it('sockets are served on the port of the RestServer', async (t) => {
    const app = await start(t, { controllers: [Greeter] });
    assert.equal(app.server.url, app.app.restServer.url);
    const response = await fetch(`${app.server.url}/openapi.json`);
    assert.equal(response.status, 200);
    const client = await app.login('token of Ada');
    assert.deepEqual(await call(client, 'hello', 'Ada'), { result: 'Hello, Ada!' });
  });

  for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
    it(`an application that stops ends its clients over ${transports} and stops listening`, async (t) => {
      const app = await start(t, { controllers: [Greeter] });
      const client = await app.login('token of Ada', { transports });
      const { url } = app.server;
      const ended = once(client as never, 'disconnect');
      await app.app.stop();
      await ended;
      assert.equal(app.server.listening, false);
      await assert.rejects(fetch(url!));
    });
  }

  for (const transports of [['polling'], ['websocket']]) {
    it(`calls that are running when the application stops are answered within drain, over ${transports}`, async (t) => {
      const begun = new EventEmitter();
      class Slow {
        @socketMethod()
        async slow() {
          begun.emit('call');
          await once(begun, 'end');
          return 'done';
        }
      }
      const app = await start(t, { controllers: [Slow], config: { drain: 10_000 } });
      const client = await app.login('token of Ada', { transports });
      const other = await app.login('token of Grace', { transports });
      const { url } = app.server;
      const called = once(begun, 'call');
      const answer = call(client, 'slow');
      await called;
      const ended = once(other as never, 'disconnect');
      const stopped = app.app.stop();
      await ended;
      begun.emit('end');
      assert.deepEqual(await answer, { result: 'done' });
      await stopped;
      assert.equal(app.server.listening, false);
      await assert.rejects(fetch(url!));
      await app.app.start();
      const again = await app.login('token of Ada', { transports });
      assert.equal(again.connected, true);
    });
  }

  it('a time for calls that is impossible, or for a server that does not drain, prevents the start', async (t) => {
    const io = new LoopbackSocket.Server(0);
    t.after(() => io.close());
    for (const config of [
      { drain: -1 },
      { drain: '1s' },
      { drain: 100, io },
      { drain: 100, io: (httpServer: http.Server) => new Server(httpServer) },
      { drain: 100, io: () => new Server() },
    ]) {
      const app = makeApp({ controllers: [Greeter], config: config as LoopbackSocketConfig });
      await assert.rejects(app.start(), {
        name: 'SocketConfigurationError',
        code: 'ERR_LOOPBACK_SOCKET_INVALID_OPTION',
        message: /drain/,
      });
      const { httpServer } = await app.get<RestApplication['restServer']>('servers.RestServer');
      assert.notEqual(httpServer?.listening, true);
    }
  });

  for (const [what, config] of [
    ['a function that throws', { io: () => assert.fail('no server today') }],
    ['an option of start() that does not exist', { start: { nope: 1 } }],
  ] as const) {
    it(`nothing listens after a start that fails because of ${what}`, async () => {
      const app = makeApp({
        controllers: [Greeter],
        config: { ...OPEN, ...config } as LoopbackSocketConfig,
      });
      await assert.rejects(app.start());
      const { httpServer } = await app.get<RestApplication['restServer']>('servers.RestServer');
      assert.notEqual(httpServer?.listening, true);
    });
  }

  it('sockets end with the RestServer, if that is stopped alone', async (t) => {
    const app = await start(t, { controllers: [Greeter] });
    const client = await app.login('token of Ada', { transports: ['polling'] });
    const ended = once(client as never, 'disconnect');
    await app.app.restServer.stop();
    await ended;
    assert.equal(app.server.listening, false);
  });

  it('an application can start again after it has stopped', async (t) => {
    const app = await start(t, { controllers: [Greeter] });
    await app.login('token of Ada');
    await app.app.stop();
    await app.app.start();
    const client = await app.login('token of Grace');
    assert.deepEqual(await call(client, 'hello', 'Grace'), { result: 'Hello, Grace!' });
  });

  it('sockets can have a port of their own, in an application without REST', async (t) => {
    const app = new Application();
    app.component(LoopbackSocketComponent);
    app
      .configure(LoopbackSocketBindings.COMPONENT)
      .to({ ...OPEN, port: 0, host: '127.0.0.1', server: { path: '/sockets' } });
    socketController(app, Greeter);
    await app.start();
    const running = new Running(
      app as RestApplication,
      await app.get(LoopbackSocketBindings.SERVER),
    );
    t.after(() => running.stop());
    const client = await running.login(undefined, { path: '/sockets' });
    assert.deepEqual(await call(client, 'hello', 'Joan'), { result: 'Hello, Joan!' });
  });

  it('sockets can be served on an HTTP server of the application', async (t) => {
    const httpServer = http.createServer().listen(0, '127.0.0.1');
    await once(httpServer, 'listening');
    const app = await start(t, {
      controllers: [Greeter],
      config: { ...OPEN, httpServer: () => httpServer },
    });
    const { port } = httpServer.address() as AddressInfo;
    assert.equal(app.server.url, `http://127.0.0.1:${port}`);
    const client = await app.login(undefined);
    assert.deepEqual(await call(client, 'hello', 'Ada'), { result: 'Hello, Ada!' });
  });

  it('sockets can be those of npm socket.io on the port of the RestServer', async (t) => {
    let io: Server | undefined;
    const app = await start(t, {
      controllers: [Greeter],
      config: {
        io: (httpServer) => {
          io = new Server(httpServer as http.Server);
          return io;
        },
      },
    });
    assert.equal(await app.app.get(LoopbackSocketBindings.IO), io);
    const client = await app.login('token of Ada');
    assert.deepEqual(await call(client, 'hello', 'Ada'), { result: 'Hello, Ada!' });
  });

  it('a Socket.IO server that the application made stays open when it stops', async (t) => {
    const io = new LoopbackSocket.Server(0);
    t.after(() => io.close());
    const app = await start(t, { controllers: [Greeter], config: { ...OPEN, io } });
    await app.app.stop();
    assert.equal((io.httpServer as http.Server).listening, true);
  });

  it('only the sockets of a namespace authenticate and call, if the configuration names one', async (t) => {
    const app = await start(t, {
      controllers: [Greeter],
      config: { namespace: '/greetings', instance: new LoopbackSocket('greetings', 'none') },
    });
    const client = app.client({}, '/greetings');
    await authenticate(client, 'token of Ada');
    assert.deepEqual(await call(client, 'hello', 'Ada'), { result: 'Hello, Ada!' });
    assert.equal((await app.app.get(LoopbackSocketBindings.INSTANCE))._name, 'greetings');
  });

  it('an application without an HTTP server does not start, and the error says what to do', async () => {
    const app = new Application();
    app.component(LoopbackSocketComponent);
    app.configure(LoopbackSocketBindings.COMPONENT).to(OPEN);
    await assert.rejects(app.start(), {
      code: 'ERR_LOOPBACK_SOCKET_NO_HTTP_SERVER',
      message: /'servers\.RestServer' is not bound.*`port`/,
    });
  });

  it('a configuration with both an instance and a timeout does not start', async () => {
    const app = new Application();
    app.component(LoopbackSocketComponent);
    const instance = new LoopbackSocket('both');
    app.configure(LoopbackSocketBindings.COMPONENT).to({ ...OPEN, instance, timeout: 500 });
    await assert.rejects(app.start(), {
      code: 'ERR_LOOPBACK_SOCKET_INVALID_OPTION',
      message: /both `instance` and `timeout`/,
    });
  });

  it('an application whose RestServer does not listen is told what to configure', async () => {
    const app = new RestApplication({ rest: { listenOnStart: false } });
    app.component(LoopbackSocketComponent);
    app.configure(LoopbackSocketBindings.COMPONENT).to(OPEN);
    await assert.rejects(app.start(), {
      code: 'ERR_LOOPBACK_SOCKET_NO_HTTP_SERVER',
      message: /The RestServer does not listen.*`httpServer`/,
    });
  });
});

describe('how controllers are bound', () => {
  const ways: [string, (app: RestApplication) => void][] = [
    ['app.controller()', (app) => app.controller(Greeter)],
    ['app.service()', (app) => app.service(Greeter)],
    ['socketController()', (app) => socketController(app, Greeter)],
    [
      'an extension of the point for socket controllers',
      (app) =>
        app.add(
          createBindingFromClass(Greeter, { key: 'greeter' }).apply(
            extensionFor(SOCKET_CONTROLLER_EXTENSIONS),
          ),
        ),
    ],
    [
      'app.controller() and socketController() at once',
      (app) => {
        app.controller(Greeter);
        socketController(app, Greeter);
      },
    ],
  ];
  for (const [way, bind] of ways) {
    it(`clients can call methods of a class that is bound by ${way}`, async (t) => {
      const app = await start(t, { setup: bind });
      const client = await app.login('token of Ada');
      assert.deepEqual(await call(client, 'hello', 'Ada'), { result: 'Hello, Ada!' });
    });
  }

  it('the mixin adds the component and app.socketController()', async (t) => {
    class GreetingApplication extends LoopbackSocketMixin(RestApplication) {}
    const app = new GreetingApplication({ rest: { port: 0, host: '127.0.0.1' } });
    app.configure(LoopbackSocketBindings.COMPONENT).to(OPEN);
    app.socketController(Greeter);
    await app.start();
    const running = new Running(app, await app.get(LoopbackSocketBindings.SERVER));
    t.after(() => running.stop());
    const client = await running.login(undefined);
    assert.deepEqual(await call(client, 'hello', 'Ada'), { result: 'Hello, Ada!' });
  });
});
