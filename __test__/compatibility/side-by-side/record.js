'use strict';

/**
 * What one side saw, in order: one line of text per happening. `until(label)` waits for the next
 * happening of that label that nobody has waited for yet; it is the only way scenarios wait.
 */

const { show } = require('./show');

/** A happening that has not come after this long never will: the test fails with the log so far. */
const TIMEOUT_MS = 15000;

class Log {
  /** @param {string} name whose log it is; named in failures */
  constructor(name) {
    this.name = name;
    this.lines = [];
    this.sealed = false;
    this.arrived = new Map();
    this.waiting = new Map();
    this.impatience = new Set();
  }

  /**
   * @param {string} label what happened
   * @param {any[]} values shown in the line
   * @param {any} [detail] what `until` resolves to; by default the values
   * @param {string} [remark] added to the line
   */
  add(label, values, detail = values, remark = '') {
    if (this.sealed) return;
    this.lines.push(`${label}(${values.map(show).join(', ')})${remark}`);
    this.signal(label, detail);
  }

  /**
   * Lets `until(label)` go on without leaving a line.
   *
   * @param {string} label
   * @param {any} [detail]
   */
  signal(label, detail) {
    const waiter = this.waiting.get(label)?.shift();
    if (waiter) waiter(detail);
    else this.arrived.set(label, [...(this.arrived.get(label) ?? []), detail]);
  }

  /**
   * @param {string} label
   * @returns {Promise<any>} the detail of the next happening of that label
   */
  until(label) {
    const early = this.arrived.get(label);
    if (early?.length) return Promise.resolve(early.shift());
    return new Promise((resolve, reject) => {
      const impatience = setTimeout(() => {
        reject(new Error(`${this.name} never saw ${label}; it saw:\n${this.lines.join('\n')}`));
      }, TIMEOUT_MS);
      this.impatience.add(impatience);
      const waiter = (detail) => {
        clearTimeout(impatience);
        resolve(detail);
      };
      this.waiting.set(label, [...(this.waiting.get(label) ?? []), waiter]);
    });
  }

  /** Takes no more lines; whoever still waits waits in vain. */
  seal() {
    this.sealed = true;
    for (const impatience of this.impatience) clearTimeout(impatience);
  }
}

/**
 * @param {Log[]} logs
 * @returns {Record<string, string[]>} lines by name of the log; nothing is added any more
 */
function sealRecord(logs) {
  for (const log of logs) log.seal();
  return Object.fromEntries(logs.map((log) => [log.name, log.lines]));
}

module.exports = { Log, sealRecord, TIMEOUT_MS };
