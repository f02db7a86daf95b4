// A TypeScript ES module.
import LoopbackSocket, { Server } from 'loopback-socket';
import type { Expect, Same } from './expect.js';

const sockets = LoopbackSocket.get<{ token: string }>('bookshop', 'none');
sockets.auth((socket, credentials) => {
  type Types = [Expect<Same<typeof credentials, { token: string }>>];
  return credentials.token === 'open sesame' || ({} as Types);
});
const authentication: LoopbackSocket.Authentication<{ token: string }> = async () => true;
sockets.auth(authentication);
sockets.auth({ model: Object, method: 'keys' });

const io = new Server(0, { path: '/ws' });
export type NamedIsTheStatic = Expect<Same<typeof Server, typeof LoopbackSocket.Server>>;
const again: Server = new LoopbackSocket.Server(0);
sockets.start(io);
again.close();

// @ts-expect-error no such option
new Server(0, { nonsense: true });
// @ts-expect-error not an export
import { Nonsense } from 'loopback-socket';
export type Unused = typeof Nonsense;
