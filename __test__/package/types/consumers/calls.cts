// Options of methods, interceptors, listeners of errors, and the end of an authentication.
import LoopbackSocket = require('loopback-socket');
import { type } from 'arktype';
import * as v from 'valibot';
import { z } from 'zod';
import type { Expect, Same } from './expect';

interface Credentials {
  userId: number;
}

interface BookshopMethods {
  findBooks(args: { author: string; limit?: number }): string[];
  count(): number;
}

const sockets = LoopbackSocket.get<Credentials, BookshopMethods>('bookshop', {
  timeout: 'none',
  errors: 'message',
});
const untyped = LoopbackSocket.get('bookshop', { errors: 'fields' });
new LoopbackSocket('bookshop', { timeout: 5000 });
// @ts-expect-error no such way to send errors
LoopbackSocket.get('bookshop', { errors: 'stack' });

// ---- options ----

sockets.defineMethod('findBooks', (socket, credentials, args) => [args.author], {
  authorize: (socket, credentials, args) => {
    type Types = [
      Expect<Same<typeof credentials, Credentials>>,
      Expect<Same<typeof args, { author: string; limit?: number }>>,
    ];
    return ([] satisfies Types | []).length === 0;
  },
  timeout: 1000,
  concurrency: 2,
  rate: { limit: 10, per: 1000 },
});
sockets.defineMethod(
  'findBooks',
  async (socket, credentials, args, { signal, deadline }) => {
    type Types = [
      Expect<Same<typeof args, { author: string; limit?: number }>>,
      Expect<Same<typeof signal, AbortSignal>>,
      Expect<Same<typeof deadline, number | undefined>>,
    ];
    return [args.author] satisfies string[] & (Types extends never ? 1 : unknown);
  },
  { context: true },
);
sockets.defineMethod('count', (socket, credentials, args, context, cb) => cb(null, 1), {
  context: true,
});
sockets.defineMethod('count', { model: class {}, method: 'count' }, { context: true });
// @ts-expect-error another result
sockets.defineMethod('count', () => 'many', { timeout: 1000 });
// @ts-expect-error no such option
sockets.defineMethod('count', () => 1, { authorise: () => true });
// @ts-expect-error a schema is needed
sockets.defineMethod('count', () => 1, { validate: () => true });
// @ts-expect-error without the option, the fourth parameter is the callback
sockets.defineMethod('count', (socket, credentials, args, { signal }) => 1, { timeout: 1000 });

// ---- the arguments are what a schema gives ----

untyped.defineMethod('add', (socket, credentials, args) => args.n satisfies number, {
  validate: z.object({ n: z.coerce.number() }),
  authorize: (socket, credentials, args) => args.n > 0,
});
untyped.defineMethod('add', (socket, credentials, args) => args.n satisfies number, {
  validate: v.object({ n: v.number() }),
});
untyped.defineMethod(
  'add',
  (socket, credentials, args, { signal }) => (signal.aborted ? 0 : (args.n satisfies number)),
  { validate: type({ n: 'number' }), context: true },
);
// @ts-expect-error the schema gives a number
untyped.defineMethod('add', (socket, credentials, args) => args.n.length, {
  validate: z.object({ n: z.number() }),
});
sockets.defineMethod('findBooks', (socket, credentials, args) => [args.author], {
  validate: z.object({ author: z.string(), limit: z.number().optional() }),
});
sockets.defineMethod('findBooks', () => [], {
  // @ts-expect-error other arguments than the method has
  validate: z.object({ title: z.string() }),
});

// ---- interceptors and errors ----

const remove = sockets.use(async (call, next) => {
  type Types = [
    Expect<Same<typeof call.kind, 'method' | 'subscription'>>,
    Expect<Same<typeof call.credentials, Credentials>>,
    Expect<Same<typeof call.socket, LoopbackSocket.Socket>>,
  ];
  call.args = { ...call.args, seen: ([] satisfies Types | []).length };
  // @ts-expect-error the name is that of the method
  call.name = 'another';
  return next();
});
remove();
sockets.onError((error, { socket, name, kind }) => {
  type Types = [
    Expect<Same<typeof error, unknown>>,
    Expect<Same<typeof socket, LoopbackSocket.Socket | null>>,
    Expect<Same<typeof name, string | undefined>>,
  ];
  return kind === 'method' ? ([] satisfies Types | []) : undefined;
})();
// @ts-expect-error no function
sockets.use({});

throw new LoopbackSocket.ForbiddenError('not your shop', new Error('why'));

// ---- the end of an authentication ----

sockets.auth((socket, { userId }) => {
  socket.expires = new Date();
  socket.expires = Date.now() + userId;
  socket.expires = null;
  // @ts-expect-error no date
  socket.expires = 'tomorrow';
});
sockets.revoke(
  (socket, credentials) => credentials.userId === 7 && socket.connected,
) satisfies number;
// @ts-expect-error a filter decides at once
sockets.revoke(async () => true);

// ---- errors that handlers throw ----

export const thrown: LoopbackSocket.CallError[] = [
  new LoopbackSocket.ForbiddenError('not your shop'),
  new LoopbackSocket.RateLimitedError(1000),
  new LoopbackSocket.TooManyCallsError(),
  new LoopbackSocket.CallError('TOO_MANY_CALLS', 'one at a time'),
];
// @ts-expect-error a number of ms
export const slow = new LoopbackSocket.RateLimitedError('slow down');
// @ts-expect-error no code
export const coded = new LoopbackSocket.CallError('Your quota is used up.');

// ---- options that are declared apart ----

const options: LoopbackSocket.MethodOptions = { timeout: 1000 };
untyped.defineMethod('a', () => 1, options);
untyped.defineMethod('b', (socket, credentials, args) => args.a, { context: Math.random() > 0.5 });
const shop = LoopbackSocket.get<{ methods: { add(args: { a: number }): number } }>('shop');
shop.defineMethod('add', (socket, credentials, args) => args.a satisfies number, options);
// @ts-expect-error another result
shop.defineMethod('add', () => 'a', options);
// @ts-expect-error with a context, the fourth argument is not the callback
shop.defineMethod('add', (socket, credentials, args, cb) => cb(null, 1), { context: true });

// ---- applications of LoopBack 3 ----

/** As `@types/loopback` has it: neither callable nor complete. */
interface LoopBackApplication {
  start(done?: () => void): any;
  handler(type: string): any;
  model(Model: string | (() => void), config: { dataSource: string; public?: boolean }): any;
  models(): any;
  remotes(): any;
}
declare const loopBack: LoopBackApplication;
declare const express: { (req: any, res: any): any; get(name: string): any; use(fn: any): any };
untyped.exposeModels(loopBack);
// @ts-expect-error not of LoopBack
untyped.exposeModels(express);
