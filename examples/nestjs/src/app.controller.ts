import { Body, Controller, HttpCode, Post, UnauthorizedException } from '@nestjs/common';
import { GreetingGateway } from './greeting.gateway';
import { UsersService } from './users.service';

@Controller()
export class AppController {
  constructor(
    private readonly users: UsersService,
    private readonly gateway: GreetingGateway,
  ) {}

  @Post('login')
  @HttpCode(200)
  login(@Body() body: { user: string; password: string }): { token: string } {
    const token = this.users.login(body.user, body.password);
    if (token === undefined) throw new UnauthorizedException('Who are you?');
    return { token };
  }

  @Post('news')
  @HttpCode(202)
  news(@Body() body: object): { sent: boolean } {
    this.gateway.server.emit('news', body); // reaches those who have authenticated
    return { sent: true };
  }
}
