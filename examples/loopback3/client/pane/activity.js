// What has happened to one client, the newest first.

import { duration, h, inline, pretty } from '../dom.js';

/** How many entries are kept. */
const LIMIT = 80;

const clock = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});

export class Activity {
  #list;

  /** @param {HTMLOListElement} list */
  constructor(list) {
    this.#list = list;
  }

  /**
   * Adds an entry.
   * @param {object} entry
   * @param {'state' | 'call' | 'event' | 'item'} entry.kind
   * @param {string} entry.title
   * @param {string} [entry.text] - a line; the value in one line if left out
   * @param {unknown} [entry.value] - shown in full when the entry is opened
   * @param {number} [entry.time] - how long it took, in ms
   * @param {'good' | 'bad'} [entry.tone]
   * @param {boolean} [entry.isRetry] - takes the place of its like, if only retries have come since
   */
  add({ kind, title, text, value, time, tone = '', isRetry = false }) {
    if (isRetry) this.#removeRetry(title);
    const line = h(
      value === undefined ? 'div' : 'summary',
      { className: 'entry-line' },
      h('time', {}, clock.format(new Date())),
      h('span', { className: 'kind' }, kind),
      h('span', { className: 'entry-title' }, title),
      h('span', { className: 'entry-text' }, text ?? inline(value)),
      h('span', { className: 'entry-time' }, time === undefined ? '' : duration(time)),
    );
    const body = value === undefined ? line : h('details', {}, line, h('pre', {}, pretty(value)));
    const data = isRetry ? { kind, tone, retry: title } : { kind, tone };
    this.#list.prepend(h('li', { data }, body));
    while (this.#list.children.length > LIMIT) this.#list.lastElementChild.remove();
  }

  /** Keeps attempts to connect again from pushing out what came before. */
  #removeRetry(title) {
    let entry = this.#list.firstElementChild;
    while (entry?.dataset.retry !== undefined && entry.dataset.retry !== title) {
      entry = entry.nextElementSibling;
    }
    if (entry?.dataset.retry === title) entry.remove();
  }
}
