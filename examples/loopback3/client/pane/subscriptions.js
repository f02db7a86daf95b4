// What a client has subscribed to by its form: an entry of the activity for each item, and a button to stop.

import { contentOf, h, inline } from '../dom.js';

export class Subscriptions {
  #list;
  #activity;
  #form;
  /** @type {Map<HTMLElement, AbortController>} */
  #controllers = new Map();

  /**
   * @param {HTMLUListElement} list
   * @param {import('./activity.js').Activity} activity
   * @param {import('./call-form.js').CallForm} form
   */
  constructor(list, activity, form) {
    this.#list = list;
    this.#activity = activity;
    this.#form = form;
  }

  /**
   * Subscribes, and shows what comes.
   * @param {import('/vendor/loopback-socket.mjs').Client} client
   * @param {string} name
   * @param {object} [args]
   * @returns {Promise<void>} when it has ended
   */
  async follow(client, name, args) {
    const controller = new AbortController();
    const { signal } = controller;
    const chip = this.#addChip(name, args, controller);
    const add = (entry) => this.#activity.add({ kind: 'item', title: name, ...entry });
    const begun = performance.now();
    let isAccepted = false;
    try {
      const onGap = () => add({ text: 'items may be missing from before this one' });
      const items = client.subscribe(name, args, { signal, onGap });
      await items.ready;
      isAccepted = true;
      const time = performance.now() - begun;
      this.#form.show({ title: `${name}: subscribed`, value: args ?? {}, time, tone: 'good' });
      add({ text: `subscribed with ${inline(args ?? {})}`, time, tone: 'good' });
      for await (const value of items) add({ value });
      add({ text: 'the source has ended' });
    } catch (error) {
      if (signal.aborted || client.state === 'closed') return add({ text: 'unsubscribed' });
      const value = contentOf(error);
      add({ value, tone: 'bad' });
      if (isAccepted) return;
      const time = performance.now() - begun;
      this.#form.show({ title: `${name} failed`, value, time, tone: 'bad' });
    } finally {
      this.#controllers.delete(chip);
      chip.remove();
      this.#list.hidden = this.#controllers.size === 0;
    }
  }

  #addChip(name, args, controller) {
    const stop = h('button', { type: 'button', onclick: () => controller.abort() }, 'Stop');
    stop.setAttribute('aria-label', `Stop ${name}`);
    const chip = h('li', {}, h('code', {}, `${name} ${inline(args ?? {})}`), stop);
    this.#controllers.set(chip, controller);
    this.#list.append(chip);
    this.#list.hidden = false;
    return chip;
  }

  /** Ends all of them. */
  stopAll() {
    for (const controller of this.#controllers.values()) controller.abort();
  }
}
