import { MetadataAccessor, MethodDecoratorFactory } from '@loopback/core';
import type LoopbackSocket from 'loopback-socket';

/** A JSON or OpenAPI schema, checked with the ajv of `@loopback/rest`. */
export interface JsonSchema {
  readonly [keyword: string]: any;
}

/** What `@socketArgs` takes. */
export type ArgsSchema = LoopbackSocket.StandardSchema | JsonSchema;

/** Options of a method: those of `defineMethod()` that have no decorator. */
export type SocketMethodOptions = Omit<LoopbackSocket.MethodOptions, 'validate' | 'context'>;

/** Options of a subscription: those of `defineSubscription()` that have no decorator. */
export type SocketSubscriptionOptions = Omit<LoopbackSocket.SubscriptionOptions, 'validate'>;

/** What the decorators say of a method of a class. */
export interface SocketOperation<Options> {
  /** What clients call; the name of the method if it is missing. */
  name?: string;
  options?: Options;
}

export const SOCKET_METHOD_KEY = MetadataAccessor.create<
  SocketOperation<SocketMethodOptions>,
  MethodDecorator
>('loopback-socket:method');

export const SOCKET_SUBSCRIPTION_KEY = MetadataAccessor.create<
  SocketOperation<SocketSubscriptionOptions>,
  MethodDecorator
>('loopback-socket:subscription');

export const SOCKET_ARGS_KEY = MetadataAccessor.create<ArgsSchema, MethodDecorator>(
  'loopback-socket:args',
);

/**
 * Lets clients call a method: `socket.emit(name, args, ({ error, result }) => …)`.
 *
 * @param name - what clients call it; the name of the method by default
 * @param options - those of `defineMethod()`
 *
 * @example
 * class BookController {
 *   @socketMethod('findBooks', { timeout: 5000 })
 *   async find(args: { author: string }) {
 *     return this.books.find({ where: { author: args.author } });
 *   }
 * }
 */
export function socketMethod(name?: string, options?: SocketMethodOptions): MethodDecorator {
  return decorate(SOCKET_METHOD_KEY, { name, options }, '@socketMethod');
}

/**
 * Lets clients subscribe to what a method yields.
 *
 * @param name - what clients subscribe to; the name of the method by default
 * @param options - those of `defineSubscription()`
 *
 * @example
 * class OrderController {
 *   @socketSubscription('orders', { key: ({ shop }) => ({ key: String(shop), args: { shop } }) })
 *   async *watch(args: { shop: number }, { signal }: { signal: AbortSignal }) {
 *     for await (const [order] of on(this.bus, String(args.shop), { signal })) yield order;
 *   }
 * }
 */
export function socketSubscription(
  name?: string,
  options?: SocketSubscriptionOptions,
): MethodDecorator {
  return decorate(SOCKET_SUBSCRIPTION_KEY, { name, options }, '@socketSubscription');
}

/**
 * Checks the arguments of a socket method or subscription before anything else of it runs. What a Standard
 * Schema makes of them is what the method gets.
 *
 * @param schema - a Standard Schema (zod, valibot, arktype), or a JSON schema, which needs `@loopback/rest`
 *
 * @example
 * class BookController {
 *   @socketMethod('findBooks')
 *   @socketArgs(z.object({ author: z.string() }))
 *   async find(args: { author: string }) {}
 * }
 */
export function socketArgs(schema: ArgsSchema): MethodDecorator {
  return decorate(SOCKET_ARGS_KEY, schema, '@socketArgs');
}

function decorate<T>(
  key: MetadataAccessor<T, MethodDecorator>,
  spec: T,
  decoratorName: string,
): MethodDecorator {
  // Not cloned: a schema and the functions of options are what they are.
  return MethodDecoratorFactory.createDecorator<T>(key, spec, {
    decoratorName,
    cloneInputSpec: false,
  });
}
