// The errors of sources: what clients learn of them, whatever kind of iterable a method gives.

import { inject } from '@loopback/core';
import { HttpErrors } from '@loopback/rest';
import assert from 'node:assert/strict';
import { EventEmitter, on, once } from 'node:events';
import { describe, it } from 'node:test';
import LoopbackSocket from 'loopback-socket';
import { Observable } from 'rxjs';
import { Server } from 'socket.io';
import { type CallControl, LoopbackSocketBindings, socketSubscription } from '..';
import { all, type AppOptions, call, start } from './support';

/** What a database may throw: its fields are not for clients. */
class QueryError extends Error {
  readonly sql = 'SELECT password FROM users';
}

/** Its answer to clients. */
const MASKED = {
  statusCode: 500,
  code: 'INTERNAL_SERVER_ERROR',
  name: 'InternalServerError',
  message: 'Internal Server Error',
};

/** A promise that has failed before anybody waits for it. */
function rejected(): Promise<never> {
  const promise = Promise.reject(new QueryError('Too late.'));
  promise.catch(() => {});
  return promise;
}

function* failing() {
  yield 'first';
  throw new QueryError('The table is locked.');
}

async function* failingAsync() {
  yield* failing();
}

/** The sources that a method gives, by name. */
const SOURCES: { [name: string]: () => unknown } = {
  'a generator': failing,
  'an async generator': failingAsync,
  'an array of promises': () => ['first', rejected()],
  'a set of promises': () => new Set(['first', rejected()]),
  'a resumed generator': () => LoopbackSocket.resumed(failing()),
  'an iterable whose results are promises': () => {
    const iterator = failing();
    return { [Symbol.iterator]: () => ({ next: async () => iterator.next() }) };
  },
  'an async iterable with a method pipe()': () => ({
    pipe() {},
    [Symbol.asyncIterator]: () => failingAsync(),
  }),
  'a function that is iterable': () =>
    Object.assign(() => {}, { [Symbol.iterator]: () => failing() }),
};

/** Sources that fail before they have given an item. */
const BROKEN: { [name: string]: () => unknown } = {
  'an iterable': () => ({
    [Symbol.iterator]() {
      throw new QueryError('No cursor.');
    },
  }),
  'an async iterable': () => ({
    [Symbol.asyncIterator]() {
      throw new QueryError('No cursor.');
    },
  }),
  'an object with a getter': () => ({
    get [Symbol.iterator]() {
      throw new QueryError('No cursor.');
    },
  }),
};

/** Sources without errors, and their items. */
const SOUND: { [name: string]: [() => unknown, unknown[]] } = {
  'an array of values and promises': [() => [1, Promise.resolve(2), null], [1, 2, null]],
  'a map': [() => new Map([['a', 1]]), [['a', 1]]],
  'a generator': [
    function* () {
      yield { id: 1 };
    },
    [{ id: 1 }],
  ],
  'an Observable that is iterable': [
    () =>
      Object.assign(
        new Observable((subscriber) => {
          subscriber.next('observed');
          subscriber.complete();
        }),
        { [Symbol.iterator]: () => ['iterated'].values() },
      ),
    ['observed'],
  ],
};

/** What is no source. */
const NO_SOURCES: { [name: string]: unknown } = {
  'a string': 'text',
  'a buffer': Buffer.from('text'),
  'an object': { items: [] },
  'an iterable without an iterator': { [Symbol.iterator]: () => 1 },
};

let stopped: (() => void) | undefined;
const bus = new EventEmitter();

class SourceController {
  @socketSubscription('private')
  give(@inject(LoopbackSocketBindings.ARGS) name: string) {
    return SOURCES[name]();
  }

  @socketSubscription('shared', { key: (name: string) => ({ key: name, args: name }) })
  share(@inject(LoopbackSocketBindings.ARGS) name: string) {
    return SOURCES[name]();
  }

  @socketSubscription('broken')
  break(@inject(LoopbackSocketBindings.ARGS) name: string) {
    return BROKEN[name]();
  }

  @socketSubscription('sound')
  sound(@inject(LoopbackSocketBindings.ARGS) name: string) {
    return SOUND[name][0]();
  }

  @socketSubscription('no source')
  none(@inject(LoopbackSocketBindings.ARGS) name: string) {
    return NO_SOURCES[name];
  }

  @socketSubscription('gone')
  *gone() {
    yield 'first';
    throw new HttpErrors.Gone('The book is out of print.');
  }

  @socketSubscription('endless', { window: 1 })
  *endless() {
    try {
      for (;;) yield 'item';
    } finally {
      stopped?.();
      throw new QueryError('The cursor cannot be closed.');
    }
  }
}

/** Sources that end because their signal is aborted, by the functions of Node. */
class SignalController {
  @socketSubscription('waiting')
  async *waiting(args: unknown, { signal }: CallControl) {
    try {
      yield 'first';
      for await (const [item] of on(bus, 'item', { signal })) yield item;
    } finally {
      stopped?.();
    }
  }

  @socketSubscription('closing')
  async *closing(args: unknown, { signal }: CallControl) {
    try {
      for (;;) yield 'first';
    } finally {
      stopped?.();
      await once(bus, 'closed', { signal });
    }
  }

  @socketSubscription('aborted')
  async *aborted() {
    yield 'first';
    AbortSignal.abort().throwIfAborted();
  }
}

/** Servers to test on. */
const HOSTS: [string, AppOptions['config']][] = [
  ['the native server', {}],
  ['npm socket.io', { io: (httpServer) => new Server(httpServer as never) }],
];

for (const [host, config] of HOSTS) {
  describe(`errors of sources on ${host}`, () => {
    /** An application that keeps what is logged, and a client of it. */
    async function open(t: { after(done: () => Promise<void>): void }) {
      const logged: unknown[] = [];
      const app = await start(t, {
        controllers: [SourceController, SignalController],
        config,
        setup: (it) => {
          it.bind(LoopbackSocketBindings.LOG_ERROR).to((error) => {
            logged.push(error);
          });
        },
      });
      return { app, logged, client: await app.login('token of Ada') };
    }

    for (const name of Object.keys(SOURCES)) {
      for (const subscription of ['private', 'shared']) {
        it(`the error of ${name} is masked and logged (${subscription}), on ${host}`, async (t) => {
          const { client, logged } = await open(t);
          const received = all(client, subscription);
          await call(client, subscription, { args: name });
          const { items, end } = await received;
          assert.deepEqual(items, ['first']);
          assert.equal(end.reason, 'error');
          assert.deepEqual(end.error, MASKED);
          assert.equal(logged.length, 1);
          assert.ok(logged[0] instanceof QueryError);
        });
      }
    }

    for (const name of Object.keys(BROKEN)) {
      it(`the error of ${name} that gives no iterator is masked and logged, on ${host}`, async (t) => {
        const { client, logged } = await open(t);
        assert.deepEqual(await call(client, 'broken', { args: name }), { error: MASKED });
        assert.equal(logged.length, 1);
        assert.ok(logged[0] instanceof QueryError);
      });
    }

    for (const [name, [, expected]] of Object.entries(SOUND)) {
      it(`a client gets the items of ${name}, on ${host}`, async (t) => {
        const { client, logged } = await open(t);
        const received = all(client, 'sound');
        await call(client, 'sound', { args: name });
        const { items, end } = await received;
        assert.deepEqual(items, expected);
        assert.equal(end.reason, 'end');
        assert.deepEqual(logged, []);
      });
    }

    for (const name of Object.keys(NO_SOURCES)) {
      it(`a client cannot subscribe to ${name}, on ${host}`, async (t) => {
        const { client } = await open(t);
        const { error } = await call(client, 'no source', { args: name });
        assert.equal(error.code, 'ERR_LOOPBACK_SOCKET_INVALID_SOURCE');
      });
    }

    it(`the error of a client that a generator throws is sent as it is, on ${host}`, async (t) => {
      const { client } = await open(t);
      const received = all(client, 'gone');
      await call(client, 'gone', {});
      const { items, end } = await received;
      assert.deepEqual(items, ['first']);
      assert.deepEqual(end.error, {
        statusCode: 410,
        code: 'GONE',
        name: 'GoneError',
        message: 'The book is out of print.',
      });
    });

    for (const name of ['waiting', 'closing']) {
      it(`nothing is logged of a source that ends with its signal (${name}), on ${host}`, async (t) => {
        const { client, logged } = await open(t);
        const isStopped = new Promise<void>((resolve) => {
          stopped = resolve;
        });
        const first = once(client as never, name);
        const { result } = await call(client, name, {});
        await first;
        await call(client, 'loopback:unsubscribe', result.subscription);
        await isStopped;
        // What the source fails with is known when a later call is answered.
        await call(client, 'loopback:unsubscribe', result.subscription);
        assert.deepEqual(logged, []);
      });
    }

    it(`a source that is aborted while its client is subscribed fails, on ${host}`, async (t) => {
      const { client, logged } = await open(t);
      const received = all(client, 'aborted');
      await call(client, 'aborted', {});
      const { end } = await received;
      assert.deepEqual(end.error, MASKED);
      assert.equal(logged.length, 1);
    });

    it(`a generator is returned when its client unsubscribes, and what it throws then is logged, on ${host}`, async (t) => {
      const { client, logged } = await open(t);
      const isStopped = new Promise<void>((resolve) => {
        stopped = resolve;
      });
      const first = once(client as never, 'endless');
      const { result } = await call(client, 'endless', {});
      await first;
      await call(client, 'loopback:unsubscribe', result.subscription);
      await isStopped;
      assert.equal(logged.length, 1);
      assert.ok(logged[0] instanceof QueryError);
    });
  });
}
