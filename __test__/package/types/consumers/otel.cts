// Spans of OpenTelemetry, and what is published on channels, in CommonJS.
import { registerInstrumentations } from '@opentelemetry/instrumentation';
import diagnostics = require('node:diagnostics_channel');
import otel = require('loopback-socket/otel');
import LoopbackSocket = require('loopback-socket');

const { LoopbackSocketInstrumentation } = otel;

registerInstrumentations({
  instrumentations: [
    new LoopbackSocketInstrumentation(),
    new LoopbackSocketInstrumentation({ enabled: false, kinds: ['call', 'subscribe'] }),
  ],
});

// @ts-expect-error there is no such kind
new LoopbackSocketInstrumentation({ kinds: ['calls'] });

diagnostics.subscribe('loopback-socket:disconnect', (message) => {
  const { reason, authenticated, socket } = message as LoopbackSocket.DisconnectMessage;
  const joined: Set<LoopbackSocket.Room> = socket.rooms;
  const texts: [string, boolean] = [reason, authenticated];
  // @ts-expect-error credentials are in no message
  (message as LoopbackSocket.TraceMessage).credentials;
  console.log(joined, texts);
});

const slow: LoopbackSocket.InstanceOptions = { slowAfter: 200 };
LoopbackSocket.get('slow', slow);
