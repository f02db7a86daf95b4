import type { ApplicationConfig } from '@loopback/core';
import { BookshopApplication } from './application';

export { BookshopApplication };

/** Starts the bookshop. */
export async function main(options: ApplicationConfig = {}): Promise<BookshopApplication> {
  const app = new BookshopApplication(options);
  await app.boot();
  await app.start();
  return app;
}

if (require.main === module) {
  const port = Number(process.env.PORT ?? 3000);
  main({ rest: { port, host: process.env.HOST ?? '127.0.0.1' } }).then(
    (app) => console.log('The bookshop: REST and sockets at %s', app.restServer.url),
    (error) => {
      console.error('The bookshop cannot start:', error);
      process.exitCode = 1;
    },
  );
}
