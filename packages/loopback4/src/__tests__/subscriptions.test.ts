// Subscriptions of controllers: private and shared sources, who may subscribe, and how they end.

import { authenticate } from '@loopback/authentication';
import { authorize } from '@loopback/authorization';
import {
  BindingScope,
  ContextView,
  inject,
  injectable,
  type InvocationContext,
} from '@loopback/core';
import { HttpErrors } from '@loopback/rest';
import { SecurityBindings, type UserProfile } from '@loopback/security';
import assert from 'node:assert/strict';
import { EventEmitter, on, once } from 'node:events';
import { describe, it } from 'node:test';
import LoopbackSocket from 'loopback-socket';
import { Server } from 'socket.io';
import type { Socket } from 'socket.io-client';
import { z } from 'zod';
import { LoopbackSocketBindings, socketArgs, socketMethod, socketSubscription } from '..';
import { all, type AppOptions, authenticate as login, call, start } from './support';

interface Order {
  shop: string;
  book: string;
}

/** What the controller below has been asked. */
const started: string[] = [];
const stopped = new EventEmitter();
const sockets = new Set<LoopbackSocket.Socket>();

@injectable({ scope: BindingScope.SINGLETON })
class Bus extends EventEmitter {}

class OrderController {
  constructor(@inject('services.Bus') private readonly bus: Bus) {}

  @socketSubscription('countdown')
  @socketArgs(z.object({ from: z.number() }))
  async *countdown(
    { from }: { from: number },
    control: unknown,
    @inject(SecurityBindings.USER) user: UserProfile,
  ) {
    for (let n = from; n > 0; n--) yield `${n} for ${user.name}`;
  }

  @socketSubscription('orders', {
    key: ({ shop }) => ({ key: shop, args: { shop } }),
    history: { size: 10, ttl: 60_000 },
  })
  @authorize({ allowedRoles: ['editor'] })
  async *orders({ shop }: { shop: string }, { signal }: { signal: AbortSignal }) {
    started.push(shop);
    try {
      for await (const [order] of on(this.bus, shop, { signal })) yield order as Order;
    } finally {
      stopped.emit(shop);
    }
  }

  @socketSubscription('prices', { key: ({ book }: { book: string }) => book })
  async *prices(
    args: unknown,
    control: unknown,
    @inject(LoopbackSocketBindings.SOCKET, { optional: true }) socket: unknown,
    @inject(SecurityBindings.USER, { optional: true }) user: unknown,
  ) {
    yield { args: args ?? null, socket: socket ?? null, user: user ?? null };
    throw new HttpErrors.Gone('The book is out of print.');
  }

  @socketSubscription('journal')
  @authorize({ allowedRoles: ['editor'] })
  async *journal(args: unknown, { signal }: { signal: AbortSignal }) {
    yield 'begun';
    try {
      await once(this.bus, 'never', { signal });
    } finally {
      stopped.emit('journal');
    }
  }

  @socketSubscription('resumable')
  resumable(args: unknown, { after }: { after?: unknown }) {
    async function* entries(from: number) {
      for (let id = from; id <= 3; id++) yield LoopbackSocket.tracked(id, `entry ${id}`);
      throw new Error('the password of the database is 1234');
    }
    return after === undefined ? entries(1) : LoopbackSocket.resumed(entries(Number(after) + 1));
  }

  @socketSubscription('on duty', { key: () => 'all' })
  @authenticate('duty')
  async *duty() {
    yield 1;
  }

  @socketSubscription()
  async *views(
    args: unknown,
    control: unknown,
    @inject.view((binding) => binding.key === 'services.Bus') view: ContextView<Bus>,
  ) {
    yield view.bindings.length;
  }

  @socketMethod()
  view(
    args: unknown,
    control: unknown,
    @inject.view((binding) => binding.key === 'services.Bus') view: ContextView<Bus>,
    @inject(LoopbackSocketBindings.SOCKET) socket: LoopbackSocket.Socket,
  ) {
    sockets.add(socket);
    socket.once('disconnect', () => stopped.emit('gone'));
    return view.bindings.length;
  }

  @socketSubscription('news', { key: ({ topic }) => ({ key: topic, args: { topic } }) })
  @authenticate('token')
  news() {}

  @socketMethod()
  order(order: Order) {
    this.bus.emit(order.shop, order);
  }
}

/** The next item. */
async function item(client: Socket, name: string): Promise<any> {
  const [value] = await once(client as never, name);
  return value;
}

/** Servers to test on. */
const HOSTS: [string, AppOptions['config']][] = [
  ['the native server', {}],
  ['npm socket.io', { io: (httpServer) => new Server(httpServer as never) }],
];

for (const [host, config] of HOSTS) {
  const options: AppOptions = {
    controllers: [OrderController],
    config,
    setup: (app) => {
      app.service(Bus);
      app.bind(LoopbackSocketBindings.LOG_ERROR).to(() => {});
    },
  };

  describe(`subscriptions of controllers on ${host}`, () => {
    it(`a client subscribes to what a method yields, on ${host}`, async (t) => {
      const app = await start(t, options);
      const client = await app.login('token of Ada');
      const received = all(client, 'countdown');
      const { result } = await call(client, 'countdown', { args: { from: 3 } });
      assert.equal(result.resumed, false);
      const { items, end } = await received;
      assert.deepEqual(items, ['3 for Ada', '2 for Ada', '1 for Ada']);
      assert.deepEqual(end, { subscription: result.subscription, reason: 'end' });
    });

    it(`the arguments of a subscription are checked, on ${host}`, async (t) => {
      const app = await start(t, options);
      const client = await app.login('token of Ada');
      const { error } = await call(client, 'countdown', { args: { from: 'x' } });
      assert.equal(error.statusCode, 422);
      assert.equal(error.details[0].path, '/from');
    });

    it(`clients of one key share a source, which has the context of the server, on ${host}`, async (t) => {
      const app = await start(t, options);
      const first = await app.login('token of Ada');
      const received = all(first, 'prices');
      await call(first, 'prices', { args: { book: 'Emma' } });
      const { items, end } = await received;
      assert.deepEqual(items, [{ args: null, socket: null, user: null }]);
      assert.equal(end.reason, 'error');
      assert.deepEqual(end.error, {
        statusCode: 410,
        code: 'GONE',
        name: 'GoneError',
        message: 'The book is out of print.',
      });
    });

    it(`one source feeds all subscribers of a key, on ${host}`, async (t) => {
      started.length = 0;
      const app = await start(t, options);
      const clients = await Promise.all([1, 2, 3].map(() => app.login('token of Grace')));
      for (const client of clients) {
        const { result } = await call(client, 'orders', { args: { shop: 'north' } });
        assert.equal(typeof result.subscription, 'number');
      }
      assert.deepEqual(started, ['north']);
      const order = { shop: 'north', book: 'Emma' };
      const items = Promise.all(clients.map((client) => item(client, 'orders')));
      await call(clients[0], 'order', order);
      assert.deepEqual(await items, [order, order, order]);
    });

    it(`@authorize decides who may subscribe to a shared source, on ${host}`, async (t) => {
      started.length = 0;
      const app = await start(t, options);
      const client = await app.login('token of Ada');
      assert.deepEqual(await call(client, 'orders', { args: { shop: 'south' } }), {
        error: { statusCode: 403, code: 'FORBIDDEN', name: 'Error', message: 'Access denied' },
      });
      assert.deepEqual(started, []);
    });

    it(`@authenticate decides who may subscribe, on ${host}`, async (t) => {
      const app = await start(t, options);
      const off = await app.login('token of Ada');
      const refused = await call(off, 'on duty', {});
      assert.equal(refused.error.statusCode, 401);
      const onDuty = await app.login('token of Ada', { extraHeaders: { 'x-duty': 'Joan' } });
      const received = all(onDuty, 'on duty');
      await call(onDuty, 'on duty', {});
      assert.deepEqual((await received).items, [1]);
    });

    for (const name of ['orders', 'journal']) {
      it(`a client that becomes another user loses what that one may not have (${name}), on ${host}`, async (t) => {
        const app = await start(t, options);
        const client = await app.login('token of Grace');
        const { result } = await call(client, name, { args: { shop: 'east' } });
        await login(client, 'token of Grace');
        const ended = once(client as never, 'loopback:unsubscribed');
        await login(client, 'token of Ada');
        assert.deepEqual(await ended, [{ subscription: result.subscription, reason: 'revoked' }]);
      });
    }

    it(`contexts of calls and subscriptions leave no listeners behind, on ${host}`, async (t) => {
      const app = await start(t, options);
      const before = app.server.listenerCount('bind');
      const client = await app.login('token of Ada');
      const visit = async () => {
        const ended = all(client, 'views');
        await call(client, 'views', {});
        await ended;
        assert.deepEqual(await call(client, 'view', {}), { result: 1 });
        return app.server.socketContext([...sockets].at(-1)!).listenerCount('bind');
      };
      const counted = await visit();
      assert.equal(await visit(), counted);
      const gone = once(stopped, 'gone');
      client.disconnect();
      await gone;
      assert.equal(app.server.listenerCount('bind'), before);
    });

    it(`the signal of a source is aborted when its client leaves, on ${host}`, async (t) => {
      const app = await start(t, options);
      const client = await app.login('token of Grace');
      const begun = item(client, 'journal');
      await call(client, 'journal', {});
      assert.equal(await begun, 'begun');
      const isStopped = once(stopped, 'journal');
      client.disconnect();
      await isStopped;
    });

    it(`a private source resumes after an id, and its errors are masked, on ${host}`, async (t) => {
      const app = await start(t, options);
      const client = await app.login('token of Ada');
      const received = all(client, 'resumable');
      const { result } = await call(client, 'resumable', { after: 1 });
      assert.equal(result.resumed, true);
      const { items, end } = await received;
      assert.deepEqual(items, ['entry 2', 'entry 3']);
      assert.equal(end.error.message, 'Internal Server Error');
    });

    it(`a method that gives no source has what is published sent, on ${host}`, async (t) => {
      const app = await start(t, options);
      const client = await app.login('token of Ada');
      await call(client, 'news', { args: { topic: 'books' } });
      const received = item(client, 'news');
      const instance = await app.app.get(LoopbackSocketBindings.INSTANCE);
      instance.publish('news', { key: 'films' }, 'not for this client');
      instance.publish('news', { key: 'books' }, 'Emma is out');
      assert.equal(await received, 'Emma is out');
    });

    it(`global interceptors run once for each client that subscribes, on ${host}`, async (t) => {
      const seen: string[] = [];
      const app = await start(t, {
        ...options,
        setup: (it) => {
          options.setup!(it);
          it.interceptor(
            async (invocation: InvocationContext, next) => {
              const user = await invocation.get<UserProfile>(SecurityBindings.USER.key);
              seen.push(`${invocation.methodName} ${user.name}`);
              if (invocation.args[0]?.shop === 'closed') throw new HttpErrors.Locked('Closed.');
              return next();
            },
            { global: true },
          );
        },
      });
      const client = await app.login('token of Grace');
      await call(client, 'orders', { args: { shop: 'west' } });
      await call(client, 'countdown', { args: { from: 1 } });
      assert.deepEqual(seen, ['orders Grace', 'countdown Grace']);
      const { error } = await call(client, 'orders', { args: { shop: 'closed' } });
      assert.equal(error.statusCode, 423);
    });
  });
}
