// APIs that are defined in one place, and whose types are inferred.

import type { DefinedApi } from './api';
import type { ContextMethod, MethodOptions } from './calls';
import type { Authentication, ConnectedHandler, Method, ModelMethod } from './loopback-socket';
import type { Socket } from './socket';
import type {
  ResumedSource,
  SubscriptionHandler,
  SubscriptionOptions,
  TrackedItem,
} from './subscriptions';

/** A method of an API: a handler, or an object of a handler and options. */
export type ApiMethod<Credentials = any, S = Socket> =
  | (Method<Credentials, any, any, S> & { context?: undefined; handler?: undefined })
  | (ModelMethod & MethodOptions<Credentials, any, S> & { handler?: undefined })
  | PlainApiMethod<Credentials, S>
  | ContextApiMethod<Credentials, S>;

interface PlainApiMethod<Credentials, S> extends Omit<
  MethodOptions<Credentials, any, S>,
  'context'
> {
  handler: Method<Credentials, any, any, S> | ModelMethod;
  context?: false;
}

interface ContextApiMethod<Credentials, S> extends Omit<
  MethodOptions<Credentials, any, S>,
  'context'
> {
  handler: ContextMethod<Credentials, any, any, S> | ModelMethod;
  context: true;
}

/** A subscription of an API: a handler, or an object of a handler, if there is one, and options. */
export type ApiSubscription<Credentials = any, S = Socket> =
  | SubscriptionHandler<Credentials, any, any, S>
  | (ModelMethod & SubscriptionOptions<Credentials, any, any, S>)
  | ({
      handler?: SubscriptionHandler<any, any, any, any> | ModelMethod;
    } & SubscriptionOptions<Credentials, any, any, S>);

/** What {@link defineApi} takes. */
export interface ApiDefinition<
  Credentials = any,
  S = Socket,
  Methods = Record<string, ApiMethod<Credentials, S>>,
  Subscriptions = Record<string, ApiSubscription<Credentials, S>>,
> {
  /** As {@link LoopbackSocket.auth} takes it. The type of its credentials is that of the API. */
  auth?: Authentication<Credentials, S> | ModelMethod;
  /** As {@link LoopbackSocket.onConnected} takes it. */
  onConnected?: ConnectedHandler<Credentials, S> | ModelMethod;
  /** Methods by name, as {@link LoopbackSocket.defineMethod} takes them. */
  methods?: Methods;
  /** Subscriptions by name, as {@link LoopbackSocket.defineSubscription} takes them. */
  subscriptions?: Subscriptions;
}

/** A type that says nothing: of a parameter without a type, or of none. */
type Silent<T> = unknown extends T ? true : false;

/** The handler of an entry, if it is a function. */
type HandlerOf<Entry> = Entry extends (...args: any) => any
  ? Entry
  : Entry extends { handler: infer Handler }
    ? Handler
    : unknown;

/** What a client passes to the schema of an entry; `unknown` without a schema. */
type InputOf<Entry> = Entry extends {
  validate: { readonly '~standard': { readonly types?: infer Types } };
}
  ? NonNullable<Types> extends { readonly input: infer Input }
    ? Input
    : unknown
  : unknown;

/** The third argument of a handler; `unknown` if it takes none. */
type HandlerArgs<Handler> = Handler extends (
  socket: any,
  credentials: any,
  args: infer Args,
  ...rest: any
) => any
  ? Args
  : any;

/** The first argument of `key`. */
type KeyArgs<Entry> = Entry extends { key: (args: infer Args, ...rest: any) => any }
  ? Args
  : unknown;

/** The first of these types that says something; `undefined` if a handler takes no arguments. */
type FirstOf<A, B, C> =
  Silent<A> extends false
    ? A
    : Silent<B> extends false
      ? B
      : 0 extends 1 & C
        ? any
        : Silent<C> extends true
          ? undefined
          : C;

/** What a handler gives to its callback, or returns. */
type HandlerResult<Handler> = Handler extends (...args: infer Args) => infer Result
  ? Args extends [any, any, any, ...any[], (err?: any, result?: infer Value) => any]
    ? Value
    : Awaited<Result>
  : any;

/**
 * The items of what the handler of a subscription gives. What is told by a class at run time comes first, and else the
 * order is that of the run time: an Observable may have a property `source`, too.
 */
type ItemsOf<Source> = 0 extends 1 & Source
  ? any
  : Source extends ResumedSource<infer Inner>
    ? ItemsOf<Inner>
    : Source extends ReadableStream<infer Item>
      ? Untracked<Item>
      : Source extends AsyncIterable<infer Item>
        ? Untracked<Item>
        : Source extends { subscribe(observer: infer Observer, ...rest: any): any }
          ? ObservedItem<Observer>
          : Source extends Iterable<infer Item>
            ? Untracked<Item>
            : any;

/** What an observer of an Observable gets: a function, or an object with a method `next`. */
type ObservedItem<Observer> = 0 extends 1 & Observer
  ? any
  : ItemFor<Observer> extends infer Item
    ? [Item] extends [never]
      ? any
      : Item
    : any;

/** What each member of a union of observers gets. */
type ItemFor<Observer> = Observer extends (value: infer Item, ...rest: any) => any
  ? Item
  : Observer extends { next?: infer Next }
    ? NonNullable<Next> extends (value: infer Item, ...rest: any) => any
      ? Item
      : never
    : never;

type Untracked<Item> = Item extends TrackedItem<infer Inner> ? Inner : Item;

/** The items of a subscription: of its handler, or what `authorizeItem` takes. */
type ApiItem<Entry> =
  HandlerOf<Entry> extends (...args: any) => any
    ? ItemsOf<HandlerResult<HandlerOf<Entry>>>
    : Entry extends { authorizeItem: (socket: any, item: infer Item) => any }
      ? Item
      : any;

/** The names of entries; none if there are no entries. */
type NamesOf<Entries> = string extends keyof Entries ? never : keyof Entries;

/** The interface that handlers make. */
export interface InferredApi<Credentials, Methods, Subscriptions> {
  credentials: Credentials;
  methods: {
    [Name in NamesOf<Methods>]: (
      args: FirstOf<InputOf<Methods[Name]>, unknown, HandlerArgs<HandlerOf<Methods[Name]>>>,
    ) => HandlerResult<HandlerOf<Methods[Name]>>;
  };
  subscriptions: {
    [Name in NamesOf<Subscriptions>]: (
      args: FirstOf<
        InputOf<Subscriptions[Name]>,
        KeyArgs<Subscriptions[Name]>,
        HandlerArgs<HandlerOf<Subscriptions[Name]>>
      >,
    ) => ApiItem<Subscriptions[Name]>;
  };
}

/** See {@link LoopbackSocket.defineApi}. */
export type DefineApi = <
  Methods extends Record<string, ApiMethod<Credentials, S>>,
  Subscriptions extends Record<string, ApiSubscription<Credentials, S>>,
  Credentials = any,
  S = Socket,
>(
  definition: ApiDefinition<Credentials, S, Methods, Subscriptions>,
) => DefinedApi<InferredApi<Credentials, Methods, Subscriptions>>;

// As in api.d.ts: the helpers above are private.
export {};
