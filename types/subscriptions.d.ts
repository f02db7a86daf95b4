// Subscriptions: what a handler gives, and their options.

import type { StandardSchema } from './calls';
import type { Callback } from './loopback-socket';
import type { Socket } from './socket';

/** What the handler of a subscription gets as its fourth argument. */
export interface SubscriptionContext {
  /**
   * Aborted when nobody needs the source any more: the client has unsubscribed or left, it may not have the
   * subscription any more, or the source has ended.
   */
  readonly signal: AbortSignal;
  /**
   * The id of the last item that the client has handled, if it resumes a private source: what was given to
   * {@link LoopbackSocket.tracked}.
   */
  readonly after: string | number | undefined;
}

declare const made: unique symbol;

/** An item with an id: what {@link LoopbackSocket.tracked} gives, and nothing else. */
export interface TrackedItem<Item = any> {
  readonly [made]: 'tracked';
  readonly id: string | number;
  readonly item: Item;
}

/** A source that continues after the client's last item: what {@link LoopbackSocket.resumed} gives, and nothing else. */
export interface ResumedSource<Source = unknown> {
  readonly [made]: 'resumed';
  readonly source: Source;
}

/** An emitter whose `data` events are items. It ends with `end` or `error`. */
export interface ItemEmitter {
  on(event: string, listener: (...args: any[]) => void): unknown;
  off(event: string, listener: (...args: any[]) => void): unknown;
}

/** An Observable, as rxjs and others have it: what has a method `[Symbol.observable]`. */
export interface ItemObservable {
  subscribe(observer: any): unknown;
}

/** What the handler of a subscription may give. */
export type SubscriptionSource<Item = any> =
  | AsyncIterable<Item | TrackedItem<Item>>
  | Iterable<Item | TrackedItem<Item>>
  | ReadableStream<Item>
  | ItemEmitter
  | ItemObservable;

/**
 * Gives the source of a subscription, or of all subscriptions of one key. With the option `key`, `socket` and
 * `credentials` are `null`, and `args` is what `key` returned.
 *
 * @example
 * async function* ticks(
 *   socket: unknown,
 *   credentials: unknown,
 *   args: unknown,
 *   { signal }: LoopbackSocket.SubscriptionContext,
 * ) {
 *   for (let i = 0; !signal.aborted; i++) {
 *     await new Promise((resolve) => setTimeout(resolve, 1000));
 *     yield i;
 *   }
 * }
 * sockets.defineSubscription('ticks', ticks);
 */
export type SubscriptionHandler<Credentials = any, Args = any, Item = any, S = Socket> = (
  socket: S,
  credentials: Credentials,
  args: Args,
  context: SubscriptionContext,
  cb: Callback<SubscriptionSource<Item> | ResumedSource<SubscriptionSource<Item>>>,
) =>
  | SubscriptionSource<Item>
  | ResumedSource<SubscriptionSource<Item>>
  | PromiseLike<SubscriptionSource<Item> | ResumedSource<SubscriptionSource<Item>>>
  | void;

/** The key of a shared source, and the arguments that its handler gets. */
export interface SubscriptionKey {
  /** Subscriptions of the same key share one source. */
  key: string;
  /** What the handler gets: nothing else of what a client sends does it get. */
  args?: any;
}

/** Options of {@link LoopbackSocket.defineSubscription}. */
export interface SubscriptionOptions<Credentials = any, Args = any, Item = any, S = Socket> {
  /** Makes the source shared: subscriptions of the same key have one source together. */
  key?: (args: Args) => string | SubscriptionKey | PromiseLike<string | SubscriptionKey>;
  /**
   * Decides whether a client may subscribe, before anything begins, and again whenever it authenticates
   * again. Any value but a true one, or an error, refuses.
   */
  authorize?: (socket: S, credentials: Credentials, args: Args) => unknown;
  /**
   * Decides whether a subscriber of a shared source may have an item. It costs a call for each item and
   * subscriber, and that an item is not encoded once for all.
   */
  authorizeItem?: (socket: S, item: Item) => unknown;
  /** Checks the arguments, as {@link MethodOptions.validate}. */
  validate?: StandardSchema<any, any>;
  /**
   * Of a shared source: how many items are kept for clients that come back, and for how many ms the source
   * runs on after its last subscriber. By default none are kept.
   */
  history?: {
    /** @defaultValue 100 */
    size?: number;
    /** @defaultValue 60_000 */
    ttl?: number;
  };
  /**
   * How many items a client may not have acknowledged yet.
   * @defaultValue 32
   */
  window?: number;
  /**
   * How many bytes may wait for one subscriber.
   * @defaultValue 1_000_000
   */
  maxQueuedBytes?: number;
  /**
   * What happens if more wait: the subscription ends as `slow`, or only the newest item is left.
   * @defaultValue 'end'
   */
  overflow?: 'end' | 'latest';
  /**
   * For how many ms a client may acknowledge nothing while items wait for it, before its subscription ends as
   * `slow`; `null` for ever. A private source that is pulled waits for ever for a client that has acknowledged
   * anything before.
   * @defaultValue 60_000
   */
  ackTimeout?: number | null;
  /**
   * How many shared sources of the instance may run at a time; a client that needs another one gets a
   * {@link TooManySourcesError}.
   * @defaultValue 10_000
   */
  maxSources?: number;
}

/** What clients get with each item. */
export interface ItemMeta {
  /** Tells the sources of one subscription apart: that of the answer to subscribing. */
  source: string;
  /** What to subscribe with as `after` to continue behind this item. */
  id?: string | number;
}

/** What clients get as the result of subscribing. */
export interface SubscriptionResult {
  /** The number of the subscription, for `loopback:unsubscribe`. */
  subscription: number;
  /** `source` in the {@link ItemMeta} of its items. */
  source: string;
  /** Whether items continue right behind `after`. */
  resumed: boolean;
}

/** What clients get with `loopback:unsubscribed`. */
export interface SubscriptionEnd {
  /** The number of the subscription. */
  subscription: number;
  /** Why it has ended. */
  reason: 'end' | 'error' | 'revoked' | 'slow' | 'removed';
  /** With the reason `error`: what a method's error would be. */
  error?: any;
}

// As in api.d.ts: `made` is private.
export {};
