// An application for the tests, and clients for it.

import {
  AuthenticationComponent,
  type AuthenticationStrategy,
  registerAuthenticationStrategy,
} from '@loopback/authentication';
import {
  AuthorizationComponent,
  type AuthorizationContext,
  AuthorizationDecision,
  type AuthorizationMetadata,
  AuthorizationTags,
} from '@loopback/authorization';
import type { Constructor } from '@loopback/core';
import { HttpErrors, type Request, RestApplication } from '@loopback/rest';
import { securityId, type UserProfile } from '@loopback/security';
import { once } from 'node:events';
import { io as connect, type Socket } from 'socket.io-client';
import {
  LoopbackSocketBindings,
  LoopbackSocketComponent,
  type LoopbackSocketConfig,
  type LoopbackSocketServer,
} from '..';

/** What methods answer. */
export interface Answer {
  error?: any;
  result?: any;
}

/** The users by their tokens. */
const USERS: { [token: string]: { id: string; name: string; roles: string[] } } = {
  'token of Ada': { id: '1', name: 'Ada', roles: ['reader'] },
  'token of Grace': { id: '2', name: 'Grace', roles: ['reader', 'editor'] },
};

/** Knows users by the token of the `Authorization` header. */
export class TokenStrategy implements AuthenticationStrategy {
  /** How often it ran. */
  static runs = 0;

  name = 'token';

  async authenticate(request: Request): Promise<UserProfile> {
    TokenStrategy.runs += 1;
    const [scheme, token] = (request.headers.authorization ?? '').split(/ (.*)/);
    const user = scheme === 'Bearer' ? USERS[token] : undefined;
    if (user === undefined) {
      throw new HttpErrors.Unauthorized('The token is unknown.');
    }
    return { ...user, [securityId]: user.id };
  }
}

/** Knows who is on duty by a header of the handshake. */
export class DutyStrategy implements AuthenticationStrategy {
  name = 'duty';

  async authenticate(request: Request): Promise<UserProfile | undefined> {
    const name = request.get('x-duty');
    return name === undefined ? undefined : { [securityId]: name, name, roles: ['duty'] };
  }
}

/** Allows those who have one of the roles that `@authorize` names. */
export async function roleAuthorizer(
  { principals }: AuthorizationContext,
  { allowedRoles = [] }: AuthorizationMetadata,
): Promise<AuthorizationDecision> {
  const roles: string[] = principals[0]?.roles ?? [];
  return allowedRoles.some((role) => roles.includes(role))
    ? AuthorizationDecision.ALLOW
    : AuthorizationDecision.DENY;
}

/** What a test makes an application of. */
export interface AppOptions {
  controllers?: Constructor<object>[];
  config?: LoopbackSocketConfig;
  /** Called before the application starts. */
  setup?: (app: RestApplication) => void;
  /** Whether there are strategies. */
  strategies?: boolean;
}

/** An application with strategies, an authorizer and the component; not started. */
export function makeApp({ controllers = [], config, setup, strategies = true }: AppOptions) {
  const app = new RestApplication({ rest: { port: 0, host: '127.0.0.1' } });
  if (strategies) {
    app.component(AuthenticationComponent);
    registerAuthenticationStrategy(app, TokenStrategy);
    registerAuthenticationStrategy(app, DutyStrategy);
  }
  app.component(AuthorizationComponent);
  app.bind('authorizers.role').to(roleAuthorizer).tag(AuthorizationTags.AUTHORIZER);
  app.component(LoopbackSocketComponent);
  app.configure(LoopbackSocketBindings.COMPONENT).to(config ?? {});
  for (const controller of controllers) {
    app.controller(controller);
  }
  setup?.(app);
  return app;
}

/** A running application, its clients, and how they end. */
export class Running {
  readonly #clients: Socket[] = [];

  constructor(
    readonly app: RestApplication,
    readonly server: LoopbackSocketServer,
    /** Where clients connect to, if not where the application listens. */
    readonly url?: string,
  ) {}

  /** Connects a client. */
  client(options: object = {}, namespace = ''): Socket {
    const client = connect(`${this.url ?? this.server.url}${namespace}`, {
      forceNew: true,
      reconnection: false,
      transports: ['websocket'],
      ...options,
    });
    this.#clients.push(client);
    return client;
  }

  /** Connects a client and sends credentials. */
  async login(credentials: unknown, options: object = {}): Promise<Socket> {
    const client = this.client(options);
    await authenticate(client, credentials);
    return client;
  }

  /** Ends the clients and the application. */
  async stop(): Promise<void> {
    for (const client of this.#clients) {
      client.disconnect();
    }
    await this.app.stop();
  }
}

/**
 * Starts an application for a test, which ends it.
 *
 * @param url - where clients connect to, if not where the application listens
 */
export async function start(
  test: { after(done: () => Promise<void>): void },
  options: AppOptions,
  url?: string,
): Promise<Running> {
  const app = makeApp(options);
  await app.start();
  const running = new Running(app, await app.get(LoopbackSocketBindings.SERVER), url);
  test.after(() => running.stop());
  return running;
}

/**
 * Sends credentials.
 *
 * @returns when they are accepted
 * @throws the refusal
 */
export async function authenticate(client: Socket, credentials: unknown): Promise<void> {
  const accepted = once(client as never, 'authenticated');
  const refused = new Promise<never>((resolve, reject) => {
    client.once('unauthorized', (refusal: { message?: string }) => {
      reject(Object.assign(new Error(refusal.message), { refusal }));
    });
  });
  client.emit('authentication', credentials);
  await Promise.race([accepted, refused]);
}

/** Calls a method. */
export function call(client: Socket, name: string, args?: unknown): Promise<Answer> {
  return new Promise((resolve) => {
    client.emit(name, args, resolve);
  });
}

/** What a client gets of a subscription until it ends. */
export async function all(client: Socket, name: string): Promise<{ items: unknown[]; end: any }> {
  const items: unknown[] = [];
  client.on(name, (item, meta, ack) => {
    items.push(item);
    ack?.();
  });
  const [end] = await once(client as never, 'loopback:unsubscribed');
  return { items, end };
}
