import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { WsException } from '@nestjs/websockets';
import type LoopbackSocket = require('loopback-socket');

/** Lets in the messages of clients that have authenticated: Nest listens to a socket from its connection on. */
@Injectable()
export class AuthenticatedGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const socket = context.switchToWs().getClient<LoopbackSocket.Socket>();
    if (socket.auth !== true) throw new WsException('Authenticate first');
    return true;
  }
}
