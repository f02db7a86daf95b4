import { BindingKey } from '@loopback/core';
import type { OrderService } from './services/order.service';
import type { TokenService } from './services/token.service';

export namespace BookshopBindings {
  export const TOKENS = BindingKey.create<TokenService>('services.TokenService');
  export const ORDERS = BindingKey.create<OrderService>('services.OrderService');
}
