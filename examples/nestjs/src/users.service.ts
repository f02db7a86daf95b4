import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type LoopbackSocket = require('loopback-socket');

/** Who has logged in. */
@Injectable()
export class UsersService {
  private readonly users = new Map<string, string>();

  /** Returns a token, or nothing if the password is wrong. */
  login(user: string, password: string): string | undefined {
    if (password !== 'open sesame') return undefined;
    const token = randomUUID();
    this.users.set(token, user);
    return token;
  }

  /** The authentication function of sockets. */
  authenticate(socket: LoopbackSocket.Socket, credentials: { token?: string } | null): boolean {
    const user = this.users.get(credentials?.token ?? '');
    socket.data.user = user;
    return user !== undefined;
  }
}
