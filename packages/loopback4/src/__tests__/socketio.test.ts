// Controllers that are written for `@loopback/socketio`, unchanged but for the import.

import { authorize } from '@loopback/authorization';
import { inject } from '@loopback/core';
import { HttpErrors } from '@loopback/rest';
import { SecurityBindings, type UserProfile } from '@loopback/security';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import type LoopbackSocket from 'loopback-socket';
import { SocketIoBindings, socketio } from '..';
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
