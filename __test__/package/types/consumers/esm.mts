// A TypeScript ES module.
import LoopbackSocket, { Namespace, Server, Socket } from 'loopback-socket';
import type {
  DefaultEventsMap,
  DisconnectReason,
  ServerOptions,
  ServerToClientEvents,
  StartOptions,
} from 'loopback-socket';
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
const options: StartOptions = { open: ['/status'] };
sockets.start(io, options);
again.close();

interface Events {
  ping: (n: number) => void;
}
function greet(
  socket: Socket<Events, ServerToClientEvents>,
): Namespace<Events, ServerToClientEvents> {
  socket.on('ping', (n) => n satisfies number);
  socket.on('disconnect', (reason) => reason satisfies DisconnectReason);
  return socket.nsp;
}
new Server<Events, ServerToClientEvents>({ path: '/ws' } satisfies ServerOptions).on(
  'connection',
  greet,
);
export type NamedSocketIsTheStatic = Expect<Same<Socket<Events>, LoopbackSocket.Socket<Events>>>;
function told(value: unknown): string {
  if (value instanceof Socket) return value.id;
  if (value instanceof Namespace) return value.name;
  // @ts-expect-error servers make them
  new Socket();
  // @ts-expect-error and namespaces
  new Namespace();
  return '';
}
told(io.sockets satisfies Namespace<DefaultEventsMap>);

// @ts-expect-error no such option
new Server(0, { nonsense: true });
// @ts-expect-error not an export
import { Nonsense } from 'loopback-socket';
export type Unused = typeof Nonsense;
