// One run on one server: a worker opens the sockets and calls; the figures are of what it and the server report.

import { whole } from '../dom.js';
import { summary } from './metrics.js';

/** How long a run goes on for a report of the server, in ms: two are needed, and a busy machine is late. */
const LONGEST_WAIT = 5000;

export class Run {
  #worker = new Worker('/load/load-worker.js', { type: 'module' });
  #durations = [];
  #delays = [];
  /** What had been used and counted when the first and the last report of the server came. */
  #first = null;
  #last = null;
  #started = 0;
  /** When the newest durations came. */
  #counted = 0;
  /** Whether its time is over, and it goes on only until the server has reported. */
  #isDue = false;
  #end;

  /**
   * @param {object} options
   * @param {(text: string) => void} options.onProgress
   * @param {(durations: number[]) => void} options.onCalls
   * @param {number} options.seconds
   * @param {object} message - what the worker is to do
   */
  constructor({ onProgress, onCalls, seconds }, message) {
    this.done = new Promise((resolve, reject) => {
      this.#end = { resolve, reject };
    });
    const finish = () => {
      this.#worker.terminate(); // its connections end with it
      this.#end.resolve(this.#result());
    };
    this.stop = finish;
    let timer;
    this.#worker.addEventListener('error', ({ message: text }) => {
      this.#worker.terminate();
      this.#end.reject(new Error(text ?? 'The worker cannot be loaded.'));
    });
    this.#worker.addEventListener('message', ({ data }) => {
      if (data.type === 'opened') {
        onProgress(`${data.count} of ${message.count} sockets have authenticated`);
      } else if (data.type === 'started') {
        this.#started = performance.now();
        timer = setTimeout(() => {
          this.#isDue = true;
          if (this.#delays.length > 0) finish();
          else timer = setTimeout(finish, LONGEST_WAIT);
        }, seconds * 1000);
      } else if (data.type === 'calls') {
        onCalls(data.durations);
        for (const time of data.durations) this.#durations.push(time);
        this.#counted = performance.now();
        const left = Math.max(0, seconds - (performance.now() - this.#started) / 1000);
        onProgress(`${whole(this.#durations.length)} calls answered, ${left.toFixed(0)} s left`);
      } else {
        clearTimeout(timer);
        this.#worker.terminate();
        this.#end.reject(new Error(data.message));
      }
    });
    this.#worker.postMessage({ type: 'run', ...message });
  }

  /** @param {{ cpu: number, delay: { p99: number } }} load - what the server has reported */
  serverReports({ cpu, delay }) {
    if (this.#started === 0) return;
    const now = { cpu, count: this.#durations.length };
    this.#first ??= now;
    if (now !== this.#first) this.#delays.push(delay.p99);
    this.#last = now;
    if (this.#isDue) this.stop();
  }

  #result() {
    const seconds = (this.#counted - this.#started) / 1000;
    const { count, median, p99 } = summary(this.#durations);
    if (this.#started === 0 || count === 0) return null;
    const calls = (this.#last?.count ?? 0) - (this.#first?.count ?? 0);
    return {
      rate: count / seconds,
      median,
      p99,
      delay: summary(this.#delays).median, // of the 99th percentiles of half a second each
      cpu: calls > 0 ? (this.#last.cpu - this.#first.cpu) / calls : null,
    };
  }
}
