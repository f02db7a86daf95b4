// Clients of every version of socket.io-client call, are refused and subscribe.

import { authenticate } from '@loopback/authentication';
import { authorize } from '@loopback/authorization';
import { inject } from '@loopback/core';
import { SecurityBindings, type UserProfile } from '@loopback/security';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { Server } from 'socket.io';
import type { Socket } from 'socket.io-client';
import { socketMethod, socketSubscription } from '..';
import { authenticate as login, call, start } from './support';

@authenticate('token')
class Shop {
  @socketMethod()
  hello(args: unknown, control: unknown, @inject(SecurityBindings.USER) user: UserProfile) {
    return `Hello, ${user.name}!`;
  }

  @socketMethod()
  @authorize({ allowedRoles: ['editor'] })
  edit() {}

  @socketSubscription()
  async *three() {
    yield* [1, 2, 3];
  }
}

const CLIENTS = [
  'socket.io-client-1',
  'socket.io-client-2',
  'socket.io-client-3',
  'socket.io-client',
];

for (const name of CLIENTS) {
  const module = require(name);
  const connect: (url: string, options: object) => Socket = module.io ?? module;
  const { version } = require(`${name}/package.json`) as { version: string };

  describe(`socket.io-client ${version}`, () => {
    for (const transports of [['websocket'], ['polling']]) {
      for (const host of ['the native server', 'npm socket.io']) {
        it(`a client of ${version} calls, is refused and subscribes over ${transports} on ${host}`, async (t) => {
          const io = (httpServer: unknown) => new Server(httpServer as never, { allowEIO3: true });
          const app = await start(t, {
            controllers: [Shop],
            config: host === 'npm socket.io' ? { io } : {},
          });
          const client = connect(app.server.url!, {
            forceNew: true,
            reconnection: false,
            transports,
          });
          t.after(() => client.disconnect());
          await once(client as never, 'connect');
          await login(client, { token: 'token of Ada' });
          assert.deepEqual(await call(client, 'hello', {}), { result: 'Hello, Ada!' });
          assert.equal((await call(client, 'edit', {})).error.statusCode, 403);
          const items: number[] = [];
          client.on('three', (item: number) => items.push(item));
          const ended = once(client as never, 'loopback:unsubscribed');
          const { result } = await call(client, 'three', {});
          assert.deepEqual(await ended, [{ subscription: result.subscription, reason: 'end' }]);
          assert.deepEqual(items, [1, 2, 3]);
        });
      }
    }
  });
}
