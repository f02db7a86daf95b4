import type { INestApplicationContext } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import LoopbackSocket = require('loopback-socket');

/** Runs the gateways of Nest on the native server, for the sockets that a LoopbackSocket authenticates. */
export class LoopbackSocketAdapter extends IoAdapter {
  constructor(
    app: INestApplicationContext,
    private readonly sockets: LoopbackSocket,
  ) {
    super(app);
  }

  /** Nest gives port 0 for a gateway on the port of REST. */
  override createIOServer(port: number, options: LoopbackSocket.ServerOptions = {}): any {
    const server =
      port === 0
        ? new LoopbackSocket.Server(this.httpServer, options)
        : new LoopbackSocket.Server(port, options);
    this.sockets.start(server);
    return server;
  }

  /** With `forceCloseConnections`, Nest would only destroy the sockets of Node's HTTP server, which a WebSocket has left. */
  override async close(server: { close(): unknown }): Promise<void> {
    await server.close();
  }
}
