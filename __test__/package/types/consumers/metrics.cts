import { Registry } from 'prom-client';
import LoopbackSocket = require('loopback-socket');
import { collectMetrics } from 'loopback-socket/prometheus';
import type { Expect, Same } from './expect';

const io = new LoopbackSocket.Server();
const sockets = LoopbackSocket.get('metrics');

const figures: LoopbackSocket.Metrics = io.metrics();
const ofServer = io.metrics();
console.log(ofServer.connections.closed.ping_timeout, ofServer.requests.refused.forbidden);
console.log(ofServer.joins.refused.middleware, ofServer.dropped.volatile);
export type Check0 = Expect<Same<typeof ofServer.authentication.timedOut, number>>;
const { connections, calls, dropped } = sockets.metrics();
export type Check1 = Expect<Same<typeof calls.inFlight, number>>;
export type Check2 = Expect<Same<NonNullable<typeof connections>['open']['websocket'], number>>;
export type Check3 = Expect<Same<NonNullable<typeof dropped>['items'], number>>;
for (const [name, method] of Object.entries(figures.calls.methods)) {
  console.log(name.length, method.duration.buckets[0]?.le);
}

const stop = collectMetrics(io, { register: new Registry(), name: 'main' });
export type Check4 = Expect<Same<typeof stop, () => void>>;
collectMetrics(sockets);

// @ts-expect-error there is no such option
collectMetrics(io, { prefix: 'app' });
// @ts-expect-error a server of npm socket.io has no figures
collectMetrics({ emit() {} });
