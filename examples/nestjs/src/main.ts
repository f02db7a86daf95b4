import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import LoopbackSocket = require('loopback-socket');
import { AppController } from './app.controller';
import { GreetingGateway } from './greeting.gateway';
import { LoopbackSocketAdapter } from './loopback-socket.adapter';
import { UsersService } from './users.service';

@Module({ controllers: [AppController], providers: [UsersService, GreetingGateway] })
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.create(AppModule, {
    logger: ['error', 'warn'],
    forceCloseConnections: true, // `app.close()` does not wait for requests
  });
  const sockets = LoopbackSocket.get('nestjs');
  sockets.auth({ model: app.get(UsersService), method: 'authenticate' });
  app.useWebSocketAdapter(new LoopbackSocketAdapter(app, sockets));
  app.enableShutdownHooks();
  await app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1');
  console.log('REST and sockets at %s', await app.getUrl());
}

main();
