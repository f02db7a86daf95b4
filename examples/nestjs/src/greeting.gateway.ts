import { UseGuards } from '@nestjs/common';
import {
  ConnectedSocket,
  MessageBody,
  SubscribeMessage,
  WebSocketGateway,
  WebSocketServer,
} from '@nestjs/websockets';
import LoopbackSocket = require('loopback-socket');
import { AuthenticatedGuard } from './authenticated.guard';

@WebSocketGateway()
@UseGuards(AuthenticatedGuard)
export class GreetingGateway {
  @WebSocketServer()
  server!: LoopbackSocket.Server;

  /** What it returns is the acknowledgement of the client. */
  @SubscribeMessage('greet')
  greet(
    @ConnectedSocket() socket: LoopbackSocket.Socket,
    @MessageBody() args: { title?: string } | undefined,
  ): { result: string } {
    return { result: `Good morning, ${args?.title ?? 'dear'} ${socket.data.user}` };
  }
}
