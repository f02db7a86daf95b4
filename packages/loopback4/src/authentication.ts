import {
  type Application,
  BindingKey,
  type Constructor,
  Context,
  extensionFilter,
  MetadataAccessor,
  MetadataInspector,
} from '@loopback/core';
import type LoopbackSocket from 'loopback-socket';
import { SocketHttpError } from './errors';
import { HandshakeRequest, handshakeOf } from './handshake-request';
import { ForeignKeys } from './keys';
import type { Session } from './sessions';
import type { AuthenticationConfig, StrategyMetadata, UserProfile } from './types';

/** What `@authenticate` leaves at methods and classes. */
const AUTHENTICATE_METHOD_KEY = MetadataAccessor.create<StrategyMetadata[], MethodDecorator>(
  'authentication:method',
);
const AUTHENTICATE_CLASS_KEY = MetadataAccessor.create<StrategyMetadata[], ClassDecorator>(
  'authentication:class',
);

/** An authentication strategy, as `@loopback/authentication` describes it. */
interface Strategy {
  name: string;
  authenticate(request: HandshakeRequest): Promise<UserProfile | undefined>;
}

/** The configuration of `AuthenticationComponent`. */
interface ComponentOptions {
  defaultMetadata?: StrategyMetadata[];
  failOnError?: boolean;
}

/** Runs the authentication strategies that the application has registered. */
export class Authenticator {
  readonly #options: ComponentOptions;

  constructor(
    private readonly app: Application,
    private readonly config: AuthenticationConfig,
  ) {
    this.#options = app.getConfigSync<ComponentOptions>(ForeignKeys.AUTHENTICATION_COMPONENT) ?? {};
  }

  /** Whether sockets can authenticate: some strategy is registered. */
  get isPossible(): boolean {
    return strategyBindings(this.app).length > 0;
  }

  /** What `@authenticate` says of a method, or the default of the authentication component. */
  metadataOf(
    controllerClass: Constructor<object>,
    method: string,
  ): readonly StrategyMetadata[] | undefined {
    const metadata =
      MetadataInspector.getMethodMetadata(
        AUTHENTICATE_METHOD_KEY,
        controllerClass.prototype,
        method,
      ) ??
      MetadataInspector.getClassMetadata(AUTHENTICATE_CLASS_KEY, controllerClass) ??
      this.#options.defaultMetadata;
    return metadata?.[0]?.skip ? undefined : metadata;
  }

  /** The token of a client. */
  tokenOf(socket: LoopbackSocket.Socket, credentials: unknown): string | undefined {
    return this.config.token === undefined
      ? defaultTokenOf(socket, credentials)
      : this.config.token(credentials, socket);
  }

  /** The request that strategies see. */
  requestOf(
    socket: LoopbackSocket.Socket,
    credentials: unknown,
    token: string | undefined,
  ): HandshakeRequest {
    const { scheme = 'Bearer' } = this.config;
    const prefix = `${scheme} `;
    const hasScheme = token?.slice(0, prefix.length).toLowerCase() === prefix.toLowerCase();
    const authorization = token === undefined || hasScheme ? token : prefix + token;
    return new HandshakeRequest(socket, credentials, authorization);
  }

  /** Authenticates a socket: the first configured strategy that accepts it decides. */
  async login(session: Session, context: Context): Promise<UserProfile> {
    const metadata = await this.#loginMetadata(context);
    return this.#run(metadata, session, context);
  }

  /**
   * Has one of the strategies of a method authenticate a session, unless one has before.
   *
   * @returns the user
   */
  async require(
    metadata: readonly StrategyMetadata[],
    session: Session,
    context: Context,
  ): Promise<UserProfile> {
    if (!this.config.eachCall) {
      for (const entry of metadata) {
        const user = session.users.get(cacheKeyOf(entry));
        if (user !== undefined) {
          return user;
        }
      }
    }
    return this.#run(metadata, session, context);
  }

  async #loginMetadata(context: Context): Promise<readonly StrategyMetadata[]> {
    const { strategies } = this.config;
    if (strategies !== undefined) {
      return [strategies]
        .flat()
        .map(
          (entry) => (typeof entry === 'string' ? { strategy: entry } : entry) as StrategyMetadata,
        );
    }
    if (this.#options.defaultMetadata?.length && !this.#options.defaultMetadata[0].skip) {
      return this.#options.defaultMetadata;
    }
    const { strategies: all, failure } = await strategiesIn(context);
    if (all.length === 0 && failure !== undefined) {
      throw failure;
    }
    return all.map(({ name }) => ({ strategy: name }));
  }

  async #run(
    metadata: readonly StrategyMetadata[],
    session: Session,
    context: Context,
  ): Promise<UserProfile> {
    const strategyContext = new Context(context, 'authentication');
    try {
      strategyContext.bind(ForeignKeys.HTTP_REQUEST).to(session.request);
      strategyContext.bind(ForeignKeys.AUTHENTICATION_METADATA).to(metadata);
      const { strategies, failure } = await strategiesIn(strategyContext);
      const errors: unknown[] = [];
      for (const entry of metadata) {
        const strategy = strategies.find(({ name }) => name === entry.strategy);
        if (strategy === undefined) {
          // One that could not be made has no name: that may be this one.
          throw (
            failure ??
            new SocketHttpError(
              401,
              `The strategy '${entry.strategy}' is not available.`,
              'AUTHENTICATION_STRATEGY_NOT_FOUND',
            )
          );
        }
        let user: UserProfile | undefined;
        try {
          user = await strategy.authenticate(session.request);
        } catch (error) {
          if (this.#options.failOnError) {
            throw error;
          }
          errors.push(error);
          continue;
        }
        if (isRedirect(user)) {
          throw new SocketHttpError(
            401,
            `The strategy '${entry.strategy}' redirects the client, which a socket cannot follow.`,
          );
        }
        if (user !== undefined && user !== null) {
          session.users.set(cacheKeyOf(entry), user);
          return user;
        }
      }
      throw errors.length > 0
        ? errors[0]
        : new SocketHttpError(
            401,
            "User profile not returned from strategy's authenticate function",
            'USER_PROFILE_NOT_FOUND',
          );
    } finally {
      strategyContext.close();
    }
  }
}

/** Under what a session keeps the user of a strategy: one with options is another one for each method. */
function cacheKeyOf(entry: StrategyMetadata): unknown {
  return entry.options === undefined ? entry.strategy : entry;
}

function strategyBindings(context: Context) {
  return context.find<Strategy>(extensionFilter(ForeignKeys.STRATEGIES));
}

/** The strategies that can be made in a context, and why another one, that needs a response, say, cannot. */
async function strategiesIn(
  context: Context,
): Promise<{ strategies: Strategy[]; failure: unknown }> {
  const strategies: Strategy[] = [];
  let failure: unknown;
  for (const { key } of strategyBindings(context)) {
    try {
      strategies.push(await context.get<Strategy>(BindingKey.create<Strategy>(key)));
    } catch (error) {
      failure ??= error;
    }
  }
  return { strategies, failure };
}

/** Whether a strategy returned a `RedirectRoute` of `@loopback/rest`. */
function isRedirect(user: UserProfile | undefined): boolean {
  return typeof user?.targetLocation === 'string' && typeof user.statusCode === 'number';
}

const TOKEN_FIELDS = ['token', 'accessToken', 'access_token', 'id'];

function defaultTokenOf(socket: LoopbackSocket.Socket, credentials: unknown): string | undefined {
  if (typeof credentials === 'string') {
    return credentials;
  }
  for (const field of TOKEN_FIELDS) {
    const token = fieldOf(credentials, field);
    if (typeof token === 'string') {
      return token;
    }
  }
  const token = fieldOf(handshakeOf(socket).auth, 'token');
  return typeof token === 'string' ? token : undefined;
}

function fieldOf(value: unknown, field: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, field)
    ? (value as { [field: string]: unknown })[field]
    : undefined;
}
