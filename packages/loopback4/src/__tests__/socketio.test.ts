// Controllers that are written for `@loopback/socketio`, unchanged but for the import.

import { authorize } from '@loopback/authorization';
import { inject } from '@loopback/core';
import { HttpErrors } from '@loopback/rest';
import { SecurityBindings, type UserProfile } from '@loopback/security';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import LoopbackSocket from 'loopback-socket';
import { SocketIoBindings, socketio, type SocketServer } from '..';
import { Server } from 'socket.io';
import type { Socket } from 'socket.io-client';
import { type Answer, type AppOptions, authenticate, start } from './support';

const log: unknown[] = [];
const ended: (() => void)[] = [];

@socketio({ namespace: '/chats', name: 'chats' })
class ChatController {
  constructor(
    @socketio.socket() private readonly socket: LoopbackSocket.Socket,
    @socketio.namespace('chats') private readonly namespace: LoopbackSocket.Namespace,
    @socketio.io() private readonly io: LoopbackSocket.Server,
  ) {}

  @socketio.connect()
  connect(socket: LoopbackSocket.Socket) {
    assert.equal(socket, this.socket);
    assert.equal(this.io.of('/chats'), this.namespace);
    socket.join('room 1');
  }

  @socketio.subscribe('chat message')
  message(message: string) {
    this.namespace.to('room 1').emit('chat message', `[${this.socket.nsp.name}] ${message}`);
  }

  @socketio.subscribe('sum', 'add')
  sum(a: number, b: number) {
    return a + b;
  }

  @socketio.subscribe('fail')
  fail() {
    throw new HttpErrors.BadRequest('No.');
  }

  @socketio.subscribe(/^chat/)
  logged(args: unknown[]) {
    log.push(args);
  }

  @socketio.subscribeAll()
  every(args: unknown[]) {
    log.push(`every ${args.length}`);
  }

  @socketio.disconnect()
  disconnect(reason: string) {
    log.push(reason);
    ended.shift()?.();
  }
}

@socketio(/^\/rooms\/\w+$/)
class RoomController {
  @socketio.subscribe('where')
  where(@inject(SocketIoBindings.SOCKET) socket: LoopbackSocket.Socket) {
    return socket.nsp.name;
  }
}

@socketio()
class RootController {
  @socketio.subscribe('who')
  @authorize({ allowedRoles: ['editor'] })
  who(@inject(SecurityBindings.USER) user: UserProfile) {
    return user.name;
  }
}

@socketio({ namespace: '/visits', name: 'visits' })
class VisitController {
  constructor(@socketio.namespace('visits') private readonly namespace: LoopbackSocket.Namespace) {}

  @socketio.connect()
  connect() {
    log.push('connect');
  }

  @socketio.subscribe('visit')
  visit() {
    log.push('visit');
    return this.namespace.name;
  }
}

/** Emits an event and waits for its acknowledgement. */
function ask(client: Socket, event: string, ...args: unknown[]): Promise<unknown> {
  return new Promise((resolve) => {
    client.emit(event, ...args, resolve);
  });
}

/** Servers to test on. */
const HOSTS: [string, AppOptions['config']][] = [
  ['the native server', {}],
  ['npm socket.io', { io: (httpServer) => new Server(httpServer as never) }],
];

for (const [host, config] of HOSTS) {
  describe(`controllers for @loopback/socketio on ${host}`, () => {
    it(`methods are called for the events of a namespace, without authentication, on ${host}`, async (t) => {
      const app = await start(t, { controllers: [ChatController], config });
      const [client, other] = [app.client({}, '/chats'), app.client({}, '/chats')];
      assert.deepEqual(await ask(client, 'sum', 1, 2), { result: 3 });
      assert.deepEqual(await ask(other, 'add', 3, 4), { result: 7 });
      const received = once(other as never, 'chat message');
      client.emit('chat message', 'hello');
      assert.deepEqual(await received, ['[/chats] hello']);
    });

    it(`a method that throws answers with the error, on ${host}`, async (t) => {
      const app = await start(t, { controllers: [ChatController], config });
      assert.deepEqual(await ask(app.client({}, '/chats'), 'fail'), {
        error: { statusCode: 400, code: 'BAD_REQUEST', name: 'BadRequestError', message: 'No.' },
      });
    });

    it(`patterns match names of events, and their methods get the arguments in an array, on ${host}`, async (t) => {
      const app = await start(t, { controllers: [ChatController], config });
      const client = app.client({}, '/chats');
      log.length = 0;
      const received = once(client as never, 'chat message');
      client.emit('chat message', 'hello');
      await received;
      assert.deepEqual(log, [['hello'], 'every 1']);
      await ask(client, 'sum', 1, 2);
      assert.deepEqual(log, [['hello'], 'every 1', 'every 3']);
    });

    it(`a method is called when a socket disconnects, on ${host}`, async (t) => {
      const app = await start(t, { controllers: [ChatController], config });
      const client = app.client({}, '/chats');
      await ask(client, 'sum', 1, 2);
      log.length = 0;
      const disconnected = new Promise<void>((resolve) => ended.push(resolve));
      client.disconnect();
      await disconnected;
      assert.deepEqual(log, ['client namespace disconnect']);
    });

    it(`namespaces can be those that match a pattern, on ${host}`, async (t) => {
      const app = await start(t, { controllers: [RoomController], config });
      assert.deepEqual(await ask(app.client({}, '/rooms/blue'), 'where'), {
        result: '/rooms/blue',
      });
    });

    it(`a method in the default namespace gets the user of a socket that has authenticated, on ${host}`, async (t) => {
      const app = await start(t, { controllers: [RootController], config });
      const pending = app.client();
      assert.equal(((await ask(pending, 'who')) as Answer).error.statusCode, 403);
      await assert.rejects(authenticate(pending, 'a guess'));
      assert.equal(((await ask(pending, 'who')) as Answer).error.statusCode, 403);
      const reader = await app.login('token of Ada');
      assert.equal(((await ask(reader, 'who')) as Answer).error.statusCode, 403);
      const editor = await app.login('token of Grace');
      assert.deepEqual(await ask(editor, 'who'), { result: 'Grace' });
    });

    it(`a class can be routed to another namespace than that of its decorator, on ${host}`, async (t) => {
      const app = await start(t, { config });
      app.server.route(RoomController, '/elsewhere');
      assert.deepEqual(await ask(app.client({}, '/elsewhere'), 'where'), { result: '/elsewhere' });
    });
  });
}

/** Servers that an application makes. */
const SERVERS: [string, (httpServer: http.Server) => SocketServer & { close(): unknown }][] = [
  ['the native server', (httpServer) => new LoopbackSocket.Server(httpServer)],
  ['npm socket.io', (httpServer) => new Server(httpServer)],
];

for (const [host, makeServer] of SERVERS) {
  /** A Socket.IO server that outlasts the application, and where clients connect to. */
  async function open(t: TestContext): Promise<{ io: SocketServer; url: string }> {
    const httpServer = http.createServer().listen(0, '127.0.0.1');
    await once(httpServer, 'listening');
    const io = makeServer(httpServer);
    t.after(() => io.close());
    return { io, url: `http://127.0.0.1:${(httpServer.address() as AddressInfo).port}` };
  }

  describe(`controllers for @loopback/socketio on an io of the application, ${host}`, () => {
    it(`a socket has one controller, however often the application has started on its own io, on ${host}`, async (t) => {
      const { io, url } = await open(t);
      const app = await start(t, { controllers: [VisitController], config: { io } }, url);
      for (let i = 0; i < 2; i++) {
        await app.app.stop();
        await app.app.start();
      }
      log.length = 0;
      const client = app.client({}, '/visits');
      assert.deepEqual(await ask(client, 'visit'), { result: '/visits' });
      // The answer to another event comes when all handlers of this one have run.
      assert.deepEqual(await ask(client, 'visit'), { result: '/visits' });
      assert.deepEqual(log, ['connect', 'visit', 'visit']);
    });

    it(`a class that is routed after the application has started again on its own io is served once, on ${host}`, async (t) => {
      const { io, url } = await open(t);
      const app = await start(t, { config: { io } }, url);
      await app.app.stop();
      await app.app.start();
      app.server.route(VisitController);
      log.length = 0;
      const client = app.client({}, '/visits');
      assert.deepEqual(await ask(client, 'visit'), { result: '/visits' });
      assert.deepEqual(await ask(client, 'visit'), { result: '/visits' });
      assert.deepEqual(log, ['connect', 'visit', 'visit']);
    });

    it(`controllers are served on the new server of an application that starts again, on ${host}`, async (t) => {
      const config: AppOptions['config'] = {
        io: (httpServer) => makeServer(httpServer as http.Server),
      };
      const app = await start(t, { controllers: [VisitController], config });
      await app.app.stop();
      await app.app.start();
      log.length = 0;
      const client = app.client({}, '/visits');
      assert.deepEqual(await ask(client, 'visit'), { result: '/visits' });
      assert.deepEqual(log, ['connect', 'visit']);
    });
  });
}
