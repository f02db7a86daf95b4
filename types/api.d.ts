// What clients may call and subscribe to, declared once for the server and for the client. Nothing
// here needs the types of Node: the types of the client use it in browsers.

/** An interface of methods: functions from the arguments to the result. */
export type MethodMap<Methods> = { [Name in keyof Methods]: (args: any) => any };

/** Any method, with any arguments and result. */
export type AnyMethods = Record<string, (args: any) => any>;

/** An interface of subscriptions: functions from the arguments to one item. */
export type SubscriptionMap<Subscriptions> = {
  [Name in keyof Subscriptions]: (args: any) => any;
};

/** Any subscription, with any arguments and items. */
export type AnySubscriptions = Record<string, (args: any) => any>;

/** The arguments of a method or a subscription; `undefined` if it takes none. */
export type ArgsOf<M> = M extends (...args: infer Args) => any
  ? Args extends []
    ? undefined
    : Args[0]
  : never;

/** The result of a method of a {@link MethodMap}. */
export type ResultOf<M> = M extends (...args: any) => infer Result ? Awaited<Result> : never;

/** The items of a subscription of a {@link SubscriptionMap}. */
export type ItemOf<M> = M extends (...args: any) => infer Item ? Item : never;

/** What clients send and may use, when nothing is declared. */
export interface AnyApi {
  credentials: any;
  methods: AnyMethods;
  subscriptions: AnySubscriptions;
}

declare const declared: unique symbol;

/** What {@link defineApi} gives: handlers, and the API that they make, as a type. */
export interface DefinedApi<Api> {
  readonly [declared]: Api;
}

/**
 * What may be declared as an API: an interface with `methods`, `subscriptions` or both, and
 * `credentials`; or the type of what {@link defineApi} gives.
 *
 * @example
 * interface Api {
 *   credentials: { token: string };
 *   methods: { findBooks(args: { author: string }): Array<{ title: string }> };
 *   subscriptions: { orders(args: { shop: number }): { id: number } };
 * }
 * const bookshop = LoopbackSocket.get<Api>('bookshop');
 */
export type ApiMap<Api> =
  | DefinedApi<any>
  | (({ methods: unknown } | { subscriptions: unknown }) & {
      [Part in keyof Api]: Part extends 'methods' | 'subscriptions'
        ? MethodMap<Api[Part]>
        : unknown;
    });

/** The declared interface behind an {@link ApiMap}. */
export type ApiOf<Api> = Api extends DefinedApi<infer Declared> ? Declared : Api;

/** What clients of an API send with `authentication`. */
export type CredentialsOf<Api> =
  ApiOf<Api> extends { credentials: infer Credentials } ? Credentials : any;

/** A part of an API, whose members are known to be functions. */
type FunctionsOf<Part> = {
  [Name in keyof Part]: Part[Name] extends (args: any) => any ? Part[Name] : never;
};

/** The methods of an API. */
export type MethodsOf<Api> = 0 extends 1 & Api
  ? AnyMethods
  : FunctionsOf<ApiOf<Api> extends { methods: infer Methods } ? Methods : {}>;

/** The subscriptions of an API. */
export type SubscriptionsOf<Api> = 0 extends 1 & Api
  ? AnySubscriptions
  : FunctionsOf<ApiOf<Api> extends { subscriptions: infer Subscriptions } ? Subscriptions : {}>;

// Without this, every name of a declaration file is exported, and the compiler writes private ones to the declarations
// of users, who cannot import this file.
export {};
