import type { Registry } from 'prom-client';
import type LoopbackSocket = require('./types/loopback-socket');

/** Options of {@link collectMetrics}. */
export interface CollectMetricsOptions {
  /** The registry; without it, `register` of prom-client. */
  register?: Registry<any>;
  /** The label `server` of every series, which distinguishes several servers. Default: `'default'`. */
  name?: string;
}

/**
 * Adds the figures of a server to a registry of `prom-client`: the metrics `loopback_socket_…`. Calls
 * are measured from now on.
 *
 * @param server - a `LoopbackSocket.Server`; for a server of npm `socket.io`, the LoopbackSocket that
 *   was started on it
 * @returns a function that removes the server from the registry
 * @throws `InvalidOptionError` if an option is unknown or impossible, or the name is in use
 *
 * @example
 * import { register } from 'prom-client';
 * import { collectMetrics } from 'loopback-socket/prometheus';
 *
 * collectMetrics(io);
 * app.get('/metrics', async (req, res) => {
 *   res.type(register.contentType).send(await register.metrics());
 * });
 */
export function collectMetrics(
  server: { metrics(): LoopbackSocket.Metrics },
  options?: CollectMetricsOptions,
): () => void;
