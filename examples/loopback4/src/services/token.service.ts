import type { TokenService as TokenServiceInterface } from '@loopback/authentication';
import { BindingScope, injectable } from '@loopback/core';
import { HttpErrors } from '@loopback/rest';
import { securityId, type UserProfile } from '@loopback/security';
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** How long a token is valid, in ms. */
const LIFETIME = 15 * 60_000;

/**
 * Signs and verifies tokens that carry a user: JSON Web Tokens in all but their header. An app of yours uses
 * `@loopback/authentication-jwt`, whose strategy works the same.
 */
@injectable({ scope: BindingScope.SINGLETON })
export class TokenService implements TokenServiceInterface {
  readonly #secret = randomBytes(32);

  async generateToken({ id, name, roles }: UserProfile): Promise<string> {
    const payload = { id, name, roles, expires: Date.now() + LIFETIME };
    const body = Buffer.from(JSON.stringify(payload)).toString('base64url');
    return `${body}.${this.#sign(body).toString('base64url')}`;
  }

  async verifyToken(token: string): Promise<UserProfile> {
    const [body, signature = ''] = token.split('.');
    const given = Buffer.from(signature, 'base64url');
    const expected = this.#sign(body);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      throw new HttpErrors.Unauthorized('The token is invalid.');
    }
    const { id, name, roles, expires } = JSON.parse(Buffer.from(body, 'base64url').toString());
    if (expires <= Date.now()) {
      throw new HttpErrors.Unauthorized('The token has expired.');
    }
    return { [securityId]: String(id), id, name, roles, expires };
  }

  #sign(body: string): Buffer {
    return createHmac('sha256', this.#secret).update(body).digest();
  }
}
