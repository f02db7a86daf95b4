import { authenticate } from '@loopback/authentication';
import { authorize } from '@loopback/authorization';
import { inject } from '@loopback/core';
import { SecurityBindings, type UserProfile } from '@loopback/security';
import { socketArgs, socketMethod, socketSubscription } from 'loopback-socket-loopback4';
import { BookshopBindings } from '../keys';
import type { Order } from '../models/order.model';
import type { OrderService } from '../services/order.service';

/** Sockets: customers order, and clerks watch the orders of their shop. */
@authenticate('token')
export class OrderController {
  constructor(@inject(BookshopBindings.ORDERS) private readonly orders: OrderService) {}

  /** Orders a book. */
  @socketMethod('orders.create')
  @socketArgs({
    type: 'object',
    required: ['book', 'shop'],
    properties: {
      book: { type: 'string', minLength: 1 },
      shop: { type: 'string', minLength: 1 },
      copies: { type: 'integer', minimum: 1, maximum: 100 },
    },
    additionalProperties: false,
  })
  create(
    { book, shop, copies = 1 }: { book: string; shop: string; copies?: number },
    @inject(SecurityBindings.USER) user: UserProfile,
  ): Order {
    return this.orders.add({ book, copies, customer: String(user.name), shop });
  }

  /** The orders of the customer who asks. */
  @socketMethod('orders.mine')
  mine(args: unknown, @inject(SecurityBindings.USER) user: UserProfile): Order[] {
    return this.orders.find(String(user.name));
  }

  /** The orders of a shop as they come: one source for all clerks of the shop. */
  @socketSubscription('orders', {
    key: ({ shop }) => ({ key: String(shop), args: { shop: String(shop) } }),
    history: { size: 100, ttl: 30_000 },
  })
  @authorize({ allowedRoles: ['clerk'] })
  watch({ shop }: { shop: string }, { signal }: { signal: AbortSignal }): AsyncIterable<Order> {
    return this.orders.watch(shop, signal);
  }
}
