// TypeScript that imports CommonJS by default import (esModuleInterop), in any module system.
import LoopbackSocket from 'loopback-socket';
import type { Expect, Same } from './expect';

const sockets = LoopbackSocket.get<{ token: string }>('bookshop');
sockets.auth((socket, credentials) => {
  type Types = [Expect<Same<typeof credentials, { token: string }>>];
  return credentials.token !== '' || ({} as Types);
});
const io: LoopbackSocket.Server = new LoopbackSocket.Server(0);
sockets.start(io);
// @ts-expect-error other credentials
sockets.auth((socket, credentials: { password: string }) => credentials);
