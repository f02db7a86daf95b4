import { BindingScope, injectable } from '@loopback/core';
import { EventEmitter, on } from 'node:events';
import type { Order } from '../models/order.model';

/** The orders of all shops, in memory. */
@injectable({ scope: BindingScope.SINGLETON })
export class OrderService {
  readonly #orders: Order[] = [];
  readonly #bus = new EventEmitter({ captureRejections: false }).setMaxListeners(0);

  add(order: Omit<Order, 'id'>): Order {
    const added = { id: this.#orders.length + 1, ...order };
    this.#orders.push(added);
    this.#bus.emit(added.shop, added);
    return added;
  }

  find(customer: string): Order[] {
    return this.#orders.filter((order) => order.customer === customer);
  }

  /** The orders of a shop from now on, until the signal is aborted. */
  async *watch(shop: string, signal: AbortSignal): AsyncGenerator<Order> {
    for await (const [order] of on(this.#bus, shop, { signal })) {
      yield order as Order;
    }
  }

  /** How many watch the orders of a shop. */
  watchers(shop: string): number {
    return this.#bus.listenerCount(shop);
  }
}
