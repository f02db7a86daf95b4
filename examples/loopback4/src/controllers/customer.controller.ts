import { inject } from '@loopback/core';
import { HttpErrors, post, requestBody } from '@loopback/rest';
import { securityId } from '@loopback/security';
import { BookshopBindings } from '../keys';
import type { TokenService } from '../services/token.service';

/** The customers and clerks of the shop, by their email addresses. */
const USERS = [
  { id: 1, email: 'ada@example.com', password: 'enchantress', name: 'Ada', roles: ['customer'] },
  { id: 2, email: 'grace@example.com', password: 'nanosecond', name: 'Grace', roles: ['clerk'] },
];

/** REST: whoever logs in gets the token that authenticates a socket, too. */
export class CustomerController {
  constructor(@inject(BookshopBindings.TOKENS) private readonly tokens: TokenService) {}

  @post('/login', {
    responses: { '200': { description: 'A token', content: { 'application/json': {} } } },
  })
  async login(
    @requestBody({
      required: true,
      content: {
        'application/json': {
          schema: {
            type: 'object',
            required: ['email', 'password'],
            properties: { email: { type: 'string' }, password: { type: 'string' } },
          },
        },
      },
    })
    { email, password }: { email: string; password: string },
  ): Promise<{ token: string }> {
    const user = USERS.find((one) => one.email === email && one.password === password);
    if (user === undefined) {
      throw new HttpErrors.Unauthorized('The email address or the password is wrong.');
    }
    const { id, name, roles } = user;
    return {
      token: await this.tokens.generateToken({ [securityId]: String(id), id, name, roles }),
    };
  }
}
