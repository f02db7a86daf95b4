import { AuthenticationComponent, registerAuthenticationStrategy } from '@loopback/authentication';
import { AuthorizationComponent, AuthorizationTags } from '@loopback/authorization';
import { BootMixin } from '@loopback/boot';
import { type ApplicationConfig, createBindingFromClass } from '@loopback/core';
import { RestApplication } from '@loopback/rest';
import {
  LoopbackSocketBindings,
  LoopbackSocketComponent,
  type LoopbackSocketConfig,
} from 'loopback-socket-loopback4';
import { BookshopBindings } from './keys';
import { OrderService } from './services/order.service';
import { authorizeByRole } from './services/role.authorizer';
import { TokenService } from './services/token.service';
import { TokenStrategy } from './services/token.strategy';

export class BookshopApplication extends BootMixin(RestApplication) {
  constructor(options: ApplicationConfig = {}) {
    super(options);
    this.projectRoot = __dirname;

    this.add(createBindingFromClass(TokenService, { key: BookshopBindings.TOKENS }));
    this.add(createBindingFromClass(OrderService, { key: BookshopBindings.ORDERS }));

    this.component(AuthenticationComponent);
    registerAuthenticationStrategy(this, TokenStrategy);
    this.component(AuthorizationComponent);
    this.bind('authorizers.role').to(authorizeByRole).tag(AuthorizationTags.AUTHORIZER);

    // Sockets on the port of REST; controllers/*.socket.controller.js are found by the booter.
    this.component(LoopbackSocketComponent);
    this.configure<LoopbackSocketConfig>(LoopbackSocketBindings.COMPONENT).to({
      authentication: {
        strategies: 'token',
        // A client has to authenticate again, with a new token, before the old one expires.
        expires: (user) => user?.expires,
      },
    });
  }
}
