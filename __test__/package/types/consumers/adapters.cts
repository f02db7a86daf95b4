// The adapters of the ecosystem, and one's own, are what the native server takes.
import clusterAdapter = require('@socket.io/cluster-adapter');
import mongoAdapter = require('@socket.io/mongo-adapter');
import postgresAdapter = require('@socket.io/postgres-adapter');
import redisAdapter = require('@socket.io/redis-adapter');
import streamsAdapter = require('@socket.io/redis-streams-adapter');
import LoopbackSocket = require('loopback-socket');
import adapter2 = require('socket.io-adapter-2.2');
import adapter3 = require('socket.io-adapter-2.3');
import adapter4 = require('socket.io-adapter-2.4');
import adapter5 = require('socket.io-adapter-2.5');
import redis6 = require('socket.io-redis-6');
import type { Expect, Same } from './expect';

declare const client: any;

// ---- those that exist ----

const constructors: LoopbackSocket.AdapterConstructor[] = [
  redisAdapter.createAdapter(client, client, { key: 'shop' }),
  redisAdapter.createShardedAdapter(client, client, { subscriptionMode: 'static' }),
  streamsAdapter.createAdapter(client),
  postgresAdapter.createAdapter(client),
  mongoAdapter.createAdapter(client),
  clusterAdapter.createAdapter(),
  redis6.createAdapter({ pubClient: client, subClient: client }),
  adapter2.Adapter,
  adapter3.Adapter,
  adapter4.Adapter,
  adapter5.Adapter,
  adapter5.SessionAwareAdapter,
];

// ---- where they go ----

const io = new LoopbackSocket.Server({ adapter: redisAdapter.createAdapter(client, client) });
for (const constructor of constructors) io.adapter(constructor) satisfies LoopbackSocket.Server;
io.adapter()?.length satisfies number | undefined;
io.of('/admin').adapter = new adapter5.Adapter(io.of('/admin'));
// @ts-expect-error no adapter
io.adapter(class {});
// @ts-expect-error no adapter
io.of('/admin').adapter = {};

// ---- one of one's own ----

class OwnAdapter extends adapter5.Adapter {
  override broadcast(packet: any, opts: LoopbackSocket.BroadcastOptions): void {
    super.broadcast(packet, { ...opts, flags: { ...opts.flags, local: true } });
  }
  override async restoreSession(pid: string): Promise<LoopbackSocket.Session> {
    return { pid, sid: 'a', rooms: ['b'], data: {}, missedPackets: [['news', 1]] };
  }
}
io.adapter(OwnAdapter);
io.adapter((nsp) => new OwnAdapter(nsp));

// ---- what it is asked ----

const { adapter } = io.of('/');
type Types = [
  Expect<Same<typeof adapter, LoopbackSocket.Adapter>>,
  Expect<Same<ReturnType<typeof adapter.serverCount>, Promise<number>>>,
  Expect<Same<ReturnType<typeof adapter.socketRooms>, Set<string> | undefined>>,
];
adapter.rooms.get('a')?.has('id');
adapter.on('create-room', (room) => room.length satisfies number | Types);
adapter.addSockets({ rooms: new Set(['a']), except: new Set() }, ['b']);

// ---- other servers ----

interface FromClients {
  ask: (question: string) => void;
}
interface ToClients {
  news: (text: string) => void;
  question: (text: string, answer: (text: string) => void) => void;
}
interface BetweenServers {
  load: (answer: (percent: number) => void) => void;
  refresh: (shop: number) => void;
}
const typed = new LoopbackSocket.Server<FromClients, ToClients, BetweenServers, { shop: number }>();
typed.serverSideEmit('refresh', 1);
typed.serverSideEmit('load', (err, percents) => {
  type Ack = [Expect<Same<typeof percents, number[]>>, Expect<Same<typeof err, Error>>];
  return percents.length satisfies number | Ack;
});
typed.serverSideEmitWithAck('load').then((percents) => percents[0]?.toFixed());
typed.on('refresh', (shop) => shop.toFixed());
typed.on('load', (answer) => answer(50));
// @ts-expect-error no such event
typed.serverSideEmit('reload');
// @ts-expect-error a number
typed.serverSideEmit('refresh', 'one');

typed.fetchSockets().then(([socket]) => {
  if (socket === undefined) return;
  socket satisfies LoopbackSocket.RemoteSocket<ToClients, { shop: number }>;
  socket.data.shop.toFixed();
  socket.handshake.address.length;
  socket.rooms.has('a');
  socket.join(['a', 'b']);
  socket.leave('a');
  socket.emit('news', 'hello');
  socket.timeout(1000).emit('question', 'why?', (err, text) => (err ? 0 : text.length));
  socket.timeout(1000).emitWithAck('question', 'why?') satisfies Promise<string>;
  socket.disconnect(true);
  // @ts-expect-error no such event
  socket.emit('ask', 'why?');
  // @ts-expect-error it may be of another server
  socket.on('ask', () => {});
});
