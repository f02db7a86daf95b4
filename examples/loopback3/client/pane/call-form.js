// The form that calls any method and subscribes to anything, with hints from the server's catalogue.

import { duration, h, pretty } from '../dom.js';
import { beginningOf, hintFor, parse } from './arguments.js';

/** The option for a name that is not in the catalogue. */
const OTHER = 'another name…';

/** How long a call may take until the form says that it waits, in ms: most answers come before. */
const WAITING_AFTER = 200;

/** How many lines the editor of the arguments has. */
const ROWS = { least: 3, most: 10 };

export class CallForm {
  #form;
  #catalogue;
  #send;
  #waiting;

  /**
   * @param {HTMLFormElement} form
   * @param {object[]} catalogue
   * @param {(entry: { name: string, kind: string }, args: unknown) => void} send
   */
  constructor(form, catalogue, send) {
    this.#form = form;
    this.#catalogue = new Map(catalogue.map((entry) => [entry.name, entry]));
    this.#send = send;
    this.#fillTargets(catalogue);
    const { target, kind, name, args } = form.elements;
    target.addEventListener('change', () => this.#select());
    kind.addEventListener('change', () => this.#showKind());
    name.addEventListener('input', () => this.#check());
    args.addEventListener('input', () => this.#check());
    args.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        form.requestSubmit();
      }
    });
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#select();
  }

  #fillTargets(catalogue) {
    const groups = new Map();
    for (const { name, kind, group } of catalogue) {
      const label = kind === 'subscription' ? 'Subscriptions' : `Methods of ${group}`;
      if (!groups.has(label)) groups.set(label, h('optgroup', { label }));
      groups.get(label).append(h('option', { value: name }, name));
    }
    const subscriptions = groups.get('Subscriptions');
    groups.delete('Subscriptions');
    const [first, ...others] = groups.values();
    const other = h('option', { value: OTHER }, OTHER);
    this.#form.elements.target.append(first, subscriptions, ...others, other);
  }

  /** What is chosen; a name that is not in the catalogue has no arguments that are known. */
  get #entry() {
    const { target, name, kind } = this.#form.elements;
    const known = this.#catalogue.get(target.value);
    return known ?? { name: name.value.trim(), kind: kind.value, args: null };
  }

  #select() {
    const { description, args } = this.#entry;
    for (const field of this.#form.querySelectorAll('.other')) field.hidden = args !== null;
    this.#form.elements.name.required = args === null;
    this.#form.querySelector('.description').textContent =
      description ?? 'A method or subscription that is not in the list of the server.';
    this.#write(this.#entry.example ?? {});
    this.#form
      .querySelector('.args')
      .replaceChildren(
        ...(args ?? []).map((arg) =>
          h(
            'li',
            {},
            h(
              'button',
              { type: 'button', title: `Insert “${arg.name}”`, onclick: () => this.#insert(arg) },
              arg.name,
              h('span', { className: 'type' }, arg.required ? `${arg.type}, required` : arg.type),
            ),
            h('span', { className: 'muted', title: arg.description }, arg.description),
          ),
        ),
      );
    this.#showKind();
    this.#check();
  }

  /** Writes arguments into the editor, which grows with them. */
  #write(value) {
    const field = this.#form.elements.args;
    field.value = pretty(value);
    const { length } = field.value.split('\n');
    field.rows = Math.min(Math.max(length, ROWS.least), ROWS.most);
  }

  #showKind() {
    const isSubscription = this.#entry.kind === 'subscription';
    this.#form.elements.send.textContent = isSubscription ? 'Subscribe' : 'Call';
  }

  #insert({ name, type }) {
    const field = this.#form.elements.args;
    const { value, problem } = parse(field.value);
    if (problem !== undefined || typeof (value ?? {}) !== 'object') return field.focus();
    this.#write({ ...value, [name]: value?.[name] ?? beginningOf(type) });
    field.focus();
    this.#check();
  }

  #check() {
    const { value, problem } = parse(this.#form.elements.args.value);
    const { args } = this.#entry;
    const hint = problem ?? (args === null ? '' : hintFor(value, args));
    const line = this.#form.querySelector('.hint');
    line.textContent = hint;
    line.dataset.tone = problem === undefined ? '' : 'bad';
    this.#form.elements.args.setAttribute('aria-invalid', String(problem !== undefined));
    return { value, problem };
  }

  #submit() {
    const { value, problem } = this.#check();
    if (problem !== undefined) return this.#form.elements.args.focus();
    const { name, kind } = this.#entry;
    this.#send({ name, kind }, value);
  }

  /**
   * Shows that an answer is awaited, unless it comes at once.
   * @param {string} title
   */
  showWaiting(title) {
    clearTimeout(this.#waiting);
    this.#waiting = setTimeout(() => this.show({ title, tone: 'waiting' }), WAITING_AFTER);
  }

  /**
   * Shows an answer.
   * @param {object} answer
   * @param {string} answer.title
   * @param {unknown} [answer.value]
   * @param {number} [answer.time] - in ms
   * @param {'good' | 'bad' | 'waiting'} answer.tone
   */
  show({ title, value, time, tone }) {
    clearTimeout(this.#waiting);
    const box = this.#form.querySelector('.answer');
    box.hidden = false;
    box.dataset.tone = tone;
    box.querySelector('strong').textContent = title;
    box.querySelector('span').textContent = time === undefined ? '' : duration(time);
    box.querySelector('pre').textContent =
      tone === 'waiting' ? 'Waiting for the answer …' : pretty(value);
  }
}
