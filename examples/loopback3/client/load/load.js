// Load from the page, on one server or on both after each other.

import { SERVER_NAMES } from '../settings.js';
import { showFigures } from './figures.js';
import { Run } from './run.js';

/** The arguments that methods are called with. */
const ARGUMENTS = {
  echo: { value: 'hello' },
  findBooks: { limit: 3 },
  'Book.find': { filter: { limit: 3 } },
};

/** How long the server's next report is waited for after a run, in ms. */
const SETTLE_TIMEOUT = 2000;

/** Takes an error that has been shown already. */
const isShown = () => {};

export class Load {
  #form;
  #settings;
  #metrics;
  #credentials;
  #results = {};
  /** @type {Run | null} */
  #run = null;
  #isStopped = false;
  #reported = () => {};
  /** The control that gets the focus when a run has ended. */
  #pressed;

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
      this.run([settings.server]).catch(isShown);
    });
    document.getElementById('compare').addEventListener('click', () => {
      this.run(['native', 'hosted']).catch(isShown);
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
    this.#reported();
  }

  /**
   * Puts servers under load, one after the other.
   * @param {string[]} servers - their kinds
   * @returns {Promise<Record<string, { rate: number }>>} the figures of each
   * @throws {Error} if it ends before there are any, after that has been shown
   */
  async run(servers) {
    if (this.server !== null) throw new Error('The servers are under load already.');
    if (!this.#form.reportValidity()) throw new Error('Correct the settings of the load first.');
    this.#isStopped = false;
    this.server = servers[0];
    this.#setBusy(true);
    this.#metrics.isUnderLoad = true;
    try {
      const credentials = await this.#credentials();
      const results = {};
      for (const server of servers) results[server] = await this.#runOn(server, credentials);
      this.#report('Done: the figures are below.');
      return results;
    } catch (error) {
      this.#report(error.message);
      throw error;
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
    const onProgress = (text) =>
      this.#report(`${name[0].toUpperCase()}${name.slice(1)}: ${text}`, { isProgress: true });
    if (!this.#isStopped) {
      this.#run = new Run(
        {
          onProgress,
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
      const result = await this.#run.done;
      if (result !== null) this.#results[server] = result;
      this.#showFigures();
      await this.#settle();
    }
    if (this.#isStopped) throw new Error('Stopped.');
    return this.#results[server];
  }

  /** Waits for the server's next report: what it says is due to the run, not to what comes after it. */
  #settle() {
    return new Promise((resolve) => {
      this.#reported = resolve;
      setTimeout(resolve, SETTLE_TIMEOUT);
    });
  }

  /** Shows how far a run is, which screen readers do not read out each time, or how it has ended. */
  #report(text, { isProgress = false } = {}) {
    const line = document.getElementById('load-status');
    line.ariaLive = isProgress ? 'off' : 'polite';
    line.textContent = text;
  }

  /** Disables the form during a run. The focus goes to the button that stops it, and back. */
  #setBusy(isBusy) {
    const stop = document.getElementById('stop');
    const hadFocus = this.#form.contains(document.activeElement);
    if (isBusy) this.#pressed = hadFocus ? document.activeElement : this.#form.elements.run;
    stop.hidden = false;
    for (const element of this.#form.elements) {
      if (element !== stop) element.disabled = isBusy;
    }
    if (hadFocus) (isBusy ? stop : this.#pressed).focus();
    stop.hidden = !isBusy;
  }

  #showFigures() {
    showFigures(document.querySelector('#figures tbody'), this.#results);
  }
}
