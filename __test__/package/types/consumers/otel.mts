// Spans of OpenTelemetry, in an ES module.
import { registerInstrumentations } from '@opentelemetry/instrumentation';
import { LoopbackSocketInstrumentation } from 'loopback-socket/otel';

registerInstrumentations({
  instrumentations: [
    new LoopbackSocketInstrumentation(),
    new LoopbackSocketInstrumentation({ enabled: false, kinds: ['call', 'subscribe'] }),
  ],
});

// @ts-expect-error there is no such kind
new LoopbackSocketInstrumentation({ kinds: ['calls'] });
