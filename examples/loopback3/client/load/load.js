// Load from the page, on one server or on both after each other, and the figures of each.

import { duration, h, whole } from '../dom.js';
import { SERVER_NAMES } from '../settings.js';
import { summary } from './metrics.js';

/** The arguments that methods are called with. */
const ARGUMENTS = {
  echo: { value: 'hello' },
  findBooks: { limit: 3 },
  'Book.find': { filter: { limit: 3 } },
};

/** The figures: what is shown of a run, and whether more is better. */
const FIGURES = [
  { title: 'Calls per second', of: ({ rate }) => rate, format: whole, isMoreBetter: true },
  { title: 'Round trip, median', of: ({ median }) => median, format: duration },
  { title: 'Round trip, 99th percentile', of: ({ p99 }) => p99, format: duration },
  {
    title: 'Event loop delay, median of 99th percentiles',
    of: ({ delay }) => delay,
    format: duration,
  },
  {
    title: 'CPU time of the server per call',
    of: ({ cpu }) => cpu,
    format: (us) => `${us < 100 ? us.toFixed(1) : Math.round(us)} µs`,
  },
];

/** How long a run goes on for a report of the server, in ms: two are needed, and a busy machine is late. */
const LONGEST_WAIT = 5000;

/** Up to this ratio, two figures are called the same. */
const SAME = 1.05;

/**
 * @param {number} ratio - how much better native is
 * @returns {string} in words
 */
function comparison(ratio) {
  const times = (value) => `${value.toFixed(value < 10 ? 1 : 0)}×`;
  if (ratio > SAME) return `${times(ratio)} better`;
  return ratio < 1 / SAME ? `${times(1 / ratio)} worse` : 'the same';
}

/** One run on one server. */
class Run {
  #worker = new Worker('/load/load-worker.js', { type: 'module' });
  #durations = [];
  #delays = [];
  /** What had been used and counted when the first and the last report of the server came. */
  #first = null;
  #last = null;
  #started = 0;
  /** Whether its time is over, and it goes on only until the server has reported. */
  #isDue = false;
  #end;

  /**
   * @param {object} options
   * @param {(text: string) => void} options.report
   * @param {(durations: number[]) => void} options.onCalls
   * @param {number} options.seconds
   * @param {object} message - what the worker is to do
   */
  constructor({ report, onCalls, seconds }, message) {
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
      this.#end.reject(new Error(text ?? 'the worker could not be loaded'));
    });
    this.#worker.addEventListener('message', ({ data }) => {
      if (data.type === 'opened') {
        report(`${data.count} of ${message.count} sockets have authenticated`);
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
        const left = Math.max(0, seconds - (performance.now() - this.#started) / 1000);
        report(`${whole(this.#durations.length)} calls answered, ${left.toFixed(0)} s left`);
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
    const now = { cpu, count: this.#durations.length, at: performance.now() };
    this.#first ??= now;
    if (now !== this.#first) this.#delays.push(delay.p99);
    this.#last = now;
    if (this.#isDue) this.stop();
  }

  #result() {
    const seconds = (performance.now() - this.#started) / 1000;
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

export class Load {
  #form;
  #settings;
  #metrics;
  #credentials;
  #results = {};
  /** @type {Run | null} */
  #run = null;
  #isStopped = false;

  /**
   * @param {object} options
   * @param {import('../settings.js').Settings} options.settings
   * @param {import('./metrics.js').Metrics} options.metrics
   * @param {() => Promise<object>} options.credentials - of a user, who is logged in if need be
   */
  constructor({ settings, metrics, credentials }) {
    this.#form = document.getElementById('load');
    this.#settings = settings;
    this.#metrics = metrics;
    this.#credentials = credentials;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.run([settings.server]);
    });
    document.getElementById('compare').addEventListener('click', () => {
      if (this.#form.reportValidity()) this.run(['native', 'hosted']);
    });
    document.getElementById('stop').addEventListener('click', () => {
      this.#isStopped = true;
      this.#run?.stop();
    });
    const nameButton = () => {
      this.#form.elements.run.textContent = `Run on ${SERVER_NAMES[settings.server]}`;
    };
    settings.addEventListener('change', nameButton);
    nameButton();
    this.#showFigures();
  }

  /** The kind of server that is under load now. */
  server = null;

  /** @param {object} load - an item of the subscription serverLoad */
  serverReports(load) {
    this.#run?.serverReports(load);
  }

  /**
   * Puts servers under load, one after the other.
   * @param {string[]} servers - their kinds
   * @returns {Promise<void>}
   */
  async run(servers) {
    if (this.server !== null) return;
    this.#isStopped = false;
    this.server = servers[0];
    this.#setBusy(true);
    this.#metrics.isUnderLoad = true;
    try {
      const credentials = await this.#credentials();
      for (const server of servers) {
        if (this.#isStopped) break;
        await this.#runOn(server, credentials);
      }
      this.#report(this.#isStopped ? 'Stopped.' : 'Done: the figures are below.');
    } catch (error) {
      this.#report(`The load ended: ${error.message}`);
    } finally {
      this.server = null;
      this.#run = null;
      this.#metrics.isUnderLoad = false;
      this.#setBusy(false);
    }
  }

  async #runOn(server, credentials) {
    const { elements } = this.#form;
    const name = SERVER_NAMES[server];
    this.server = server;
    const run = new Run(
      {
        report: (text) => this.#report(`${name[0].toUpperCase()}${name.slice(1)}: ${text}`),
        onCalls: (durations) => this.#metrics.record(server, ...durations),
        seconds: elements.seconds.valueAsNumber,
      },
      {
        url: this.#settings.urlOf(server),
        credentials,
        count: elements.sockets.valueAsNumber,
        rate: Number(elements.rate.value),
        method: elements.method.value,
        args: ARGUMENTS[elements.method.value],
      },
    );
    this.#run = run;
    const result = await run.done;
    if (result !== null) this.#results[server] = result;
    this.#showFigures();
  }

  #report(text) {
    document.getElementById('load-status').textContent = text;
  }

  #setBusy(isBusy) {
    for (const element of this.#form.elements) {
      if (element.id !== 'stop') element.disabled = isBusy;
    }
    document.getElementById('stop').hidden = !isBusy;
  }

  #showFigures() {
    const { native, hosted } = this.#results;
    const rows = FIGURES.map(({ title, of, format, isMoreBetter }) => {
      const values = [native, hosted].map((result) => (result ? of(result) : null));
      const shown = values.map((value) => (value === null ? '–' : format(value)));
      const [first, second] = isMoreBetter ? values : values.toReversed();
      const ratio = first > 0 && second > 0 ? first / second : null;
      const verdict = h('td', {}, ratio === null ? '–' : comparison(ratio));
      verdict.classList.toggle('better', ratio > SAME);
      const goal = isMoreBetter ? 'more is better' : 'less is better';
      return h(
        'tr',
        {},
        h('th', { scope: 'row' }, title, h('span', { className: 'muted' }, ` ${goal}`)),
        ...shown.map((text) => h('td', {}, text)),
        verdict,
      );
    });
    document.querySelector('#figures tbody').replaceChildren(...rows);
  }
}
