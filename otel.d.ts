/**
 * Spans of OpenTelemetry for what clients do: one for each attempt to authenticate, call and request to subscribe, on
 * `LoopbackSocket.Server` and on npm `socket.io`. It needs `@opentelemetry/api`, which the application installs.
 */

import type { MeterProvider, TracerProvider } from '@opentelemetry/api';

/** Options of {@link LoopbackSocketInstrumentation}. */
export interface LoopbackSocketInstrumentationConfig {
  /**
   * Whether spans are made from the beginning.
   * @defaultValue true
   */
  enabled?: boolean;
  /**
   * Of what spans are made.
   * @defaultValue ['authenticate', 'call', 'subscribe']
   */
  kinds?: readonly ('authenticate' | 'call' | 'subscribe')[];
}

/**
 * An instrumentation, for `registerInstrumentations()` of `@opentelemetry/instrumentation`, for `NodeSDK`, or for use
 * without either. Spans have the name `service/method`, such as `bookshop/findBooks`, the kind `SERVER`, and the
 * attributes that `docs/observability.md` lists. What handlers do is within their span.
 *
 * @example
 * import { registerInstrumentations } from '@opentelemetry/instrumentation';
 * import { LoopbackSocketInstrumentation } from 'loopback-socket/otel';
 *
 * registerInstrumentations({ instrumentations: [new LoopbackSocketInstrumentation()] });
 *
 * @example
 * import { LoopbackSocketInstrumentation } from 'loopback-socket/otel';
 *
 * new LoopbackSocketInstrumentation({ kinds: ['call'] });
 */
export declare class LoopbackSocketInstrumentation {
  constructor(config?: LoopbackSocketInstrumentationConfig);
  readonly instrumentationName: string;
  readonly instrumentationVersion: string;
  /** Begins to make spans. */
  enable(): void;
  /** Makes no more spans. */
  disable(): void;
  /** Sets whose spans they are: without a call, those of the provider that is registered globally. */
  setTracerProvider(provider: TracerProvider): void;
  /** There are no metrics here. */
  setMeterProvider(provider: MeterProvider): void;
  setConfig(config: LoopbackSocketInstrumentationConfig): void;
  getConfig(): LoopbackSocketInstrumentationConfig;
}
