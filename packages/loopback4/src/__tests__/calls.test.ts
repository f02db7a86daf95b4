// Methods of controllers over sockets: contexts, injection, authentication, authorization, interceptors, errors.

import {
  authenticate,
  AuthenticationBindings,
  type AuthenticationStrategy,
  registerAuthenticationStrategy,
} from '@loopback/authentication';
import { authorize } from '@loopback/authorization';
import {
  BindingScope,
  type Context,
  type Getter,
  inject,
  injectable,
  intercept,
  type Interceptor,
  type InvocationContext,
} from '@loopback/core';
import { HttpErrors, get } from '@loopback/rest';
import { SecurityBindings, type UserProfile } from '@loopback/security';
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { describe, it } from 'node:test';
import LoopbackSocket from 'loopback-socket';
import { type CallControl, LoopbackSocketBindings, SocketCallError, socketMethod } from '..';
import { type Answer, authenticate as again, call, makeApp, start, TokenStrategy } from './support';

const log: string[] = [];

/** Notes what runs, and changes the result. */
const noting: Interceptor = async (invocation, next) => {
  log.push(`before ${invocation.targetName} by ${invocation.source?.type}`);
  const result = await next();
  return Array.isArray(result) ? [...result, 'intercepted'] : result;
};

@injectable({ scope: BindingScope.SINGLETON })
class Counter {
  #count = 0;

  @socketMethod('count')
  count() {
    this.#count += 1;
    return this.#count;
  }
}

class BookController {
  constructor(
    @inject(SecurityBindings.USER) private readonly user: UserProfile,
    @inject.context() private readonly context: Context,
  ) {}

  @get('/books')
  @socketMethod()
  async whoAmI() {
    return { name: this.user.name, id: this.user.id };
  }

  @socketMethod('books.find')
  async find(
    args: { author: string },
    @inject(LoopbackSocketBindings.SOCKET) socket: LoopbackSocket.Socket,
    @inject(LoopbackSocketBindings.CREDENTIALS) credentials: unknown,
    @inject(LoopbackSocketBindings.TOKEN) token: string,
    @inject(LoopbackSocketBindings.NAME) name: string,
    @inject.getter(LoopbackSocketBindings.ARGS) getArgs: Getter<unknown>,
  ) {
    return { args, same: (await getArgs()) === args, auth: socket.auth, credentials, token, name };
  }

  @socketMethod()
  contexts() {
    return [this.context.name, this.context.parent?.name, this.context.parent?.parent?.name];
  }

  @socketMethod()
  @intercept(noting)
  async intercepted() {
    return ['method'];
  }

  @socketMethod()
  @authorize({ allowedRoles: ['editor'] })
  async publish() {
    return `published by ${this.user.name}`;
  }

  @socketMethod()
  @authenticate('duty')
  async onDuty() {
    return this.user.name;
  }

  @socketMethod()
  @authenticate('token')
  async token() {
    return this.user.name;
  }

  @socketMethod()
  @authenticate('nothing')
  async unavailable() {}

  @socketMethod()
  async fails(kind: string) {
    const failures: { [kind: string]: unknown } = {
      missing: new HttpErrors.NotFound('There is no such book.'),
      entity: Object.assign(new Error('Entity not found: Book with id 7'), {
        code: 'ENTITY_NOT_FOUND',
      }),
      secret: new Error('the password of the database is 1234'),
      text: 'secret text',
    };
    throw failures[kind];
  }
}

describe('methods of controllers', () => {
  it('a client calls methods of a controller, which gets the user', async (t) => {
    const app = await start(t, { controllers: [BookController] });
    const client = await app.login({ token: 'token of Ada' });
    assert.deepEqual(await call(client, 'whoAmI'), { result: { name: 'Ada', id: '1' } });
  });

  it('a method gets its arguments, and by injection what belongs to the call', async (t) => {
    const app = await start(t, { controllers: [BookController] });
    const client = await app.login({ token: 'token of Ada' });
    assert.deepEqual(await call(client, 'books.find', { author: 'Mary Shelley' }), {
      result: {
        args: { author: 'Mary Shelley' },
        same: true,
        auth: true,
        credentials: { token: 'token of Ada' },
        token: 'token of Ada',
        name: 'books.find',
      },
    });
  });

  it('a call has a context of its own, whose parent is the context of its socket', async (t) => {
    const app = await start(t, { controllers: [BookController] });
    const client = await app.login('token of Ada');
    const { result } = await call(client, 'contexts');
    const names = result.map((name: string) => name.replace(/-.*$/, ''));
    assert.deepEqual(names, ['call', 'socket', 'loopback']);
  });

  it('a service in the scope of the application answers all clients', async (t) => {
    const app = await start(t, { setup: (it) => it.service(Counter) });
    const [first, second] = await Promise.all([
      app.login('token of Ada'),
      app.login('token of Grace'),
    ]);
    assert.deepEqual(await call(first, 'count'), { result: 1 });
    assert.deepEqual(await call(second, 'count'), { result: 2 });
  });

  it('interceptors of a method and of the application run around a call', async (t) => {
    log.length = 0;
    const app = await start(t, {
      controllers: [BookController],
      setup: (it) => {
        it.interceptor(
          (invocation: InvocationContext, next) => {
            log.push(`global ${invocation.methodName}`);
            return next();
          },
          { global: true, group: 'log' },
        );
        it.interceptor(
          (invocation: InvocationContext, next) => {
            log.push('for REST only');
            return next();
          },
          { global: true, source: 'route' },
        );
      },
    });
    const client = await app.login('token of Ada');
    assert.deepEqual(await call(client, 'intercepted'), { result: ['method', 'intercepted'] });
    assert.deepEqual(log, [
      'global intercepted',
      'before BookController.prototype.intercepted by socket',
    ]);
  });

  it('a controller that is bound while the application runs is there for the next client', async (t) => {
    const app = await start(t, {});
    const binding = app.app.controller(BookController);
    const first = await app.login('token of Ada');
    assert.deepEqual(await call(first, 'publish'), {
      error: {
        statusCode: 403,
        code: 'FORBIDDEN',
        name: 'Error',
        message: 'Access denied',
      },
    });
    app.app.unbind(binding.key);
    await app.login('token of Ada');
    assert.deepEqual(Object.keys(app.server.instance._methods), []);
  });

  it('a controller with a name that is taken is left out, if it comes while the application runs', async (t) => {
    class Other {
      @socketMethod('count')
      same() {}
    }
    const errors: unknown[] = [];
    const app = await start(t, {
      setup: (it) => {
        it.service(Counter);
        it.bind(LoopbackSocketBindings.LOG_ERROR).to((error) => errors.push(error));
      },
    });
    const binding = app.app.controller(Other);
    const client = await app.login('token of Ada');
    assert.deepEqual(await call(client, 'count'), { result: 1 });
    assert.match(String(errors), /Other\.prototype\.same have the same name/);
    app.app.unbind(binding.key);
    const next = await app.login('token of Ada');
    assert.deepEqual(await call(next, 'count'), { result: 2 });
  });

  it('two methods of one name prevent the start with an error that names both', async () => {
    class Other {
      @socketMethod('count')
      same() {}
    }
    const app = makeApp({ controllers: [Counter, Other] });
    await assert.rejects(app.start(), {
      code: 'ERR_LOOPBACK_SOCKET_NAME_IN_USE',
      message: /Counter\.prototype\.count and Other\.prototype\.same.*'count'/,
    });
  });
});

describe('options of methods', () => {
  const signals = new EventEmitter();

  class Limited {
    @socketMethod('once', { rate: { limit: 1, per: 60_000 } })
    once() {
      return 'done';
    }

    @socketMethod('own', { authorize: (socket, credentials, { owner }) => owner === 'Ada' })
    @authorize({ allowedRoles: ['reader'] })
    own() {
      return 'yours';
    }

    @socketMethod('late', { timeout: 20 })
    late(args: unknown, { signal, deadline }: CallControl) {
      return new Promise((resolve) => {
        signal!.addEventListener('abort', () => resolve(deadline));
      });
    }

    @socketMethod()
    async endless(args: unknown, @inject(LoopbackSocketBindings.SIGNAL) signal: AbortSignal) {
      signals.emit('begun');
      await once(signal, 'abort');
      signals.emit('aborted');
    }
  }

  it('a method has the limits that its decorator names', async (t) => {
    const app = await start(t, { controllers: [Limited] });
    const client = await app.login('token of Ada');
    assert.deepEqual(await call(client, 'once'), { result: 'done' });
    assert.equal((await call(client, 'once')).error.code, 'ERR_LOOPBACK_SOCKET_RATE_LIMITED');
    assert.equal((await call(client, 'late')).error.code, 'ERR_LOOPBACK_SOCKET_CALL_TIMEOUT');
  });

  it('the option authorize decides after the decorators', async (t) => {
    const app = await start(t, { controllers: [Limited] });
    const client = await app.login('token of Ada');
    assert.deepEqual(await call(client, 'own', { owner: 'Ada' }), { result: 'yours' });
    const { error } = await call(client, 'own', { owner: 'Grace' });
    assert.equal(error.code, 'ERR_LOOPBACK_SOCKET_FORBIDDEN');
  });

  it('a client can cancel the call of a method', async (t) => {
    const app = await start(t, { controllers: [Limited] });
    const client = await app.login('token of Ada');
    const begun = once(signals, 'begun');
    const answer = new Promise<Answer>((resolve) => {
      client.emit('endless', {}, { call: 'a' }, resolve);
    });
    await begun;
    const aborted = once(signals, 'aborted');
    client.emit('loopback:cancel', 'a');
    assert.equal((await answer).error.code, 'ERR_LOOPBACK_SOCKET_CANCELLED');
    await aborted;
  });
});

describe('authentication by strategies', () => {
  it('a client whose token no strategy accepts is refused with the message of the strategy', async (t) => {
    const app = await start(t, { controllers: [BookController] });
    await assert.rejects(app.login({ token: 'a guess' }), /^Error: The token is unknown\.$/);
  });

  it('an error of a strategy that is the fault of the server is not told to clients', async (t) => {
    const logged: unknown[] = [];
    const app = await start(t, {
      config: {
        authentication: async () => {
          throw new Error('the password of the database is 1234');
        },
      },
      setup: (it) => {
        it.bind(LoopbackSocketBindings.LOG_ERROR).to((error, status, { name }) => {
          logged.push((error as Error).message, status, name);
        });
      },
    });
    await assert.rejects(app.login('x'), /^Error: Internal Server Error$/);
    assert.deepEqual(logged, ['the password of the database is 1234', 500, 'authentication']);
  });

  it('a strategy that cannot be made is logged with the reason, although others can', async (t) => {
    class BrokenStrategy implements AuthenticationStrategy {
      name = 'broken';
      constructor(@inject('no.such.binding') readonly missing: string) {}
      async authenticate() {
        return undefined;
      }
    }
    const logged: unknown[] = [];
    const app = await start(t, {
      config: { authentication: { strategies: 'broken' } },
      setup: (it) => {
        registerAuthenticationStrategy(it, BrokenStrategy);
        it.bind(LoopbackSocketBindings.LOG_ERROR).to((error, status) => {
          logged.push(String(error), status);
        });
      },
    });
    await assert.rejects(app.login('token of Ada'), /^Error: Internal Server Error$/);
    assert.match(String(logged[0]), /no\.such\.binding/);
    assert.equal(logged[1], 500);
  });

  it('the token may be in the handshake or its Authorization header', async (t) => {
    const app = await start(t, { controllers: [BookController] });
    const byAuth = await app.login(undefined, { auth: { token: 'token of Ada' } });
    assert.equal((await call(byAuth, 'token')).result, 'Ada');
    const byHeader = await app.login(null, {
      extraHeaders: { authorization: 'Bearer token of Grace' },
    });
    assert.equal((await call(byHeader, 'token')).result, 'Grace');
  });

  it('the configuration names the strategies that may authenticate a socket', async (t) => {
    const app = await start(t, {
      controllers: [BookController],
      config: { authentication: { strategies: 'duty' } },
    });
    await assert.rejects(app.login('token of Ada'), /User profile not returned/);
    const client = await app.login(undefined, { extraHeaders: { 'x-duty': 'Joan' } });
    assert.equal((await call(client, 'onDuty')).result, 'Joan');
  });

  it('a method with @authenticate has another strategy decide, if the login was by another one', async (t) => {
    const app = await start(t, { controllers: [BookController] });
    const off = await app.login('token of Ada');
    assert.deepEqual((await call(off, 'onDuty')).error, {
      statusCode: 401,
      code: 'USER_PROFILE_NOT_FOUND',
      name: 'UnauthorizedError',
      message: "User profile not returned from strategy's authenticate function",
    });
    const on = await app.login('token of Ada', { extraHeaders: { 'x-duty': 'Joan' } });
    assert.equal((await call(on, 'onDuty')).result, 'Joan');
    assert.equal((await call(on, 'whoAmI')).result.name, 'Ada');
    assert.equal((await call(on, 'unavailable')).error.code, 'AUTHENTICATION_STRATEGY_NOT_FOUND');
  });

  it('the default of the authentication component applies, and @authenticate.skip() does not ask', async (t) => {
    class Mixed {
      @socketMethod()
      byDefault(args: unknown, control: unknown, @inject(SecurityBindings.USER) user: UserProfile) {
        return user.name;
      }

      @socketMethod()
      @authenticate.skip()
      skipped() {
        return 'skipped';
      }
    }
    const app = await start(t, {
      controllers: [Mixed],
      config: { authentication: { strategies: 'token' } },
      setup: (it) => {
        it.configure(AuthenticationBindings.COMPONENT).to({
          defaultMetadata: [{ strategy: 'duty' }],
        });
      },
    });
    const off = await app.login('token of Ada');
    assert.equal((await call(off, 'byDefault')).error.statusCode, 401);
    assert.deepEqual(await call(off, 'skipped'), { result: 'skipped' });
    const onDuty = await app.login('token of Ada', { extraHeaders: { 'x-duty': 'Joan' } });
    assert.deepEqual(await call(onDuty, 'byDefault'), { result: 'Joan' });
  });

  it('a strategy runs once for each authentication, or for each call if configured', async (t) => {
    const cached = await start(t, { controllers: [BookController] });
    const first = await cached.login('token of Ada');
    TokenStrategy.runs = 0;
    for (const _ of [1, 2]) await call(first, 'token');
    assert.equal(TokenStrategy.runs, 0);
    const each = await start(t, {
      controllers: [BookController],
      config: { authentication: { eachCall: true } },
    });
    const second = await each.login('token of Ada');
    TokenStrategy.runs = 0;
    for (const _ of [1, 2]) assert.equal((await call(second, 'token')).result, 'Ada');
    assert.equal(TokenStrategy.runs, 2);
  });

  it('a client that authenticates again is another user from then on', async (t) => {
    const app = await start(t, { controllers: [BookController] });
    const client = await app.login('token of Ada');
    await again(client, 'token of Grace');
    assert.equal((await call(client, 'whoAmI')).result.name, 'Grace');
    await assert.rejects(again(client, 'a guess'), /unknown/);
    assert.equal((await call(client, 'whoAmI')).result.name, 'Grace');
  });

  it('a socket ends when its user has expired, unless it has authenticated again', async (t) => {
    let lifetime = 60_000;
    const app = await start(t, {
      controllers: [BookController],
      config: { authentication: { expires: () => Date.now() + lifetime } },
    });
    const client = await app.login('token of Ada');
    lifetime = 50;
    const refused = once(client as never, 'unauthorized');
    const disconnected = once(client as never, 'disconnect');
    await again(client, 'token of Ada');
    const [{ code }] = await refused;
    assert.equal(code, 'ERR_LOOPBACK_SOCKET_EXPIRED');
    await disconnected;
  });

  it('without authentication everybody may connect, and @authenticate still decides', async (t) => {
    class Open {
      @socketMethod()
      hello() {
        return 'hello';
      }
    }
    const app = await start(t, {
      controllers: [Open, BookController],
      config: { authentication: false },
    });
    const client = await app.login(undefined);
    assert.deepEqual(await call(client, 'hello'), { result: 'hello' });
    assert.equal((await call(client, 'token')).error.statusCode, 401);
  });

  it('an application without strategies does not start, and the error says what to do', async () => {
    const app = makeApp({ strategies: false });
    await assert.rejects(app.start(), {
      code: 'ERR_LOOPBACK_SOCKET_NO_STRATEGY',
      message: /No authentication strategy is registered.*`authentication`/,
    });
  });
});

describe('errors of methods', () => {
  it('a method that @authorize denies answers with the status of the refusal', async (t) => {
    const app = await start(t, { controllers: [BookController] });
    const reader = await app.login('token of Ada');
    assert.deepEqual(await call(reader, 'publish'), {
      error: { statusCode: 403, code: 'FORBIDDEN', name: 'Error', message: 'Access denied' },
    });
    const editor = await app.login('token of Grace');
    assert.deepEqual(await call(editor, 'publish'), { result: 'published by Grace' });
  });

  it('errors with a status reach the client, and all others only say that they happened', async (t) => {
    const logged: number[] = [];
    const app = await start(t, {
      controllers: [BookController],
      setup: (it) => {
        it.bind(LoopbackSocketBindings.LOG_ERROR).to((error, status) => logged.push(status));
      },
    });
    const client = await app.login('token of Ada');
    assert.deepEqual((await call(client, 'fails', 'missing')).error, {
      statusCode: 404,
      code: 'NOT_FOUND',
      name: 'NotFoundError',
      message: 'There is no such book.',
    });
    assert.deepEqual((await call(client, 'fails', 'entity')).error, {
      statusCode: 404,
      code: 'ENTITY_NOT_FOUND',
      name: 'Error',
      message: 'Entity not found: Book with id 7',
    });
    const internal = {
      statusCode: 500,
      code: 'INTERNAL_SERVER_ERROR',
      name: 'InternalServerError',
      message: 'Internal Server Error',
    };
    assert.deepEqual((await call(client, 'fails', 'secret')).error, internal);
    assert.deepEqual((await call(client, 'fails', 'text')).error, internal);
    assert.deepEqual(logged, [404, 404, 500, 500]);
  });

  it('a mistake of a method with loopback-socket itself is masked and logged, as any other', async (t) => {
    class Mistaken {
      @socketMethod()
      publish() {
        LoopbackSocket.get('mistaken').publish('no such subscription', undefined, 1);
      }
    }
    const logged: unknown[] = [];
    const app = await start(t, {
      controllers: [Mistaken],
      setup: (it) => {
        it.bind(LoopbackSocketBindings.LOG_ERROR).to((error, status) => {
          logged.push((error as { code: string }).code, status);
        });
      },
    });
    const client = await app.login('token of Ada');
    const { error } = await call(client, 'publish');
    assert.deepEqual(error, {
      statusCode: 500,
      code: 'INTERNAL_SERVER_ERROR',
      name: 'InternalServerError',
      message: 'Internal Server Error',
    });
    assert.deepEqual(logged, ['ERR_LOOPBACK_SOCKET_NO_SHARED_SOURCE', 500]);
  });

  it('with debug a client gets the message and the stack of every error', async (t) => {
    const app = await start(t, {
      controllers: [BookController],
      config: { debug: true },
      setup: (it) => {
        it.bind(LoopbackSocketBindings.LOG_ERROR).to(() => {});
      },
    });
    const client = await app.login('token of Ada');
    const { error } = await call(client, 'fails', 'secret');
    assert.equal(error.message, 'the password of the database is 1234');
    assert.match(error.stack, /calls\.test/);
  });

  it('the application can replace what clients get of an error', async (t) => {
    const app = await start(t, {
      controllers: [BookController],
      setup: (it) => {
        it.bind(LoopbackSocketBindings.LOG_ERROR).to(() => {});
        it.bind(LoopbackSocketBindings.ERROR_WRITER).to((error, { name }) => ({
          statusCode: 418,
          code: 'TEAPOT',
          name: 'Teapot',
          message: name,
        }));
      },
    });
    const client = await app.login('token of Ada');
    assert.equal((await call(client, 'fails', 'missing')).error.message, 'fails');
  });

  it('an error that a method throws keeps its cause for listeners of the server', () => {
    const cause = new Error('inner');
    const body = { statusCode: 400, code: 'BAD_REQUEST', name: 'BadRequestError', message: 'x' };
    const error = new SocketCallError(body, cause);
    assert.equal(error.cause, cause);
    assert.deepEqual(JSON.parse(JSON.stringify(error)), body);
  });
});
