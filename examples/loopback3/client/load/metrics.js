// Durations of calls, by the kind of server that answered them.

/**
 * @param {number[]} durations - in ms
 * @returns {{ count: number, median: number | null, p99: number | null }}
 */
export function summary(durations) {
  const sorted = Float64Array.from(durations).sort();
  const at = (share) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? null;
  return { count: sorted.length, median: at(0.5), p99: at(0.99) };
}

export class Metrics {
  #durations = { native: [], hosted: [] };
  /**
   * Whether a server is under load. Other calls are not made then: both servers share one event loop, so
   * that the load on one would show in the round trips of the other.
   */
  isUnderLoad = false;

  /**
   * @param {'native' | 'hosted'} server
   * @param {...number} durations - of calls, in ms
   */
  record(server, ...durations) {
    this.#durations[server].push(...durations);
  }

  /** @returns {Record<'native' | 'hosted', ReturnType<typeof summary>>} of the time since this was called last */
  take() {
    const { native, hosted } = this.#durations;
    this.#durations = { native: [], hosted: [] };
    return { native: summary(native), hosted: summary(hosted) };
  }
}
