import type { AuthenticationStrategy } from '@loopback/authentication';
import { inject } from '@loopback/core';
import { HttpErrors, type Request } from '@loopback/rest';
import type { UserProfile } from '@loopback/security';
import { BookshopBindings } from '../keys';
import type { TokenService } from './token.service';

/** Authenticates requests of REST and sockets alike, by the bearer token of their `Authorization` header. */
export class TokenStrategy implements AuthenticationStrategy {
  name = 'token';

  constructor(@inject(BookshopBindings.TOKENS) private readonly tokens: TokenService) {}

  async authenticate(request: Request): Promise<UserProfile> {
    const [scheme, token] = (request.headers.authorization ?? '').split(' ');
    if (scheme !== 'Bearer' || !token) {
      throw new HttpErrors.Unauthorized('There is no bearer token.');
    }
    return this.tokens.verifyToken(token);
  }
}
