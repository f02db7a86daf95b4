// One client: a user, a socket, and what can be done with it.

import { h, inline } from '../dom.js';
import { SERVER_NAMES } from '../settings.js';
import { Activity } from './activity.js';
import { Bookshelf } from './bookshelf.js';
import { CallForm } from './call-form.js';
import { Connection } from './connection.js';

/** How often a client calls `echo`, so that the charts move, in ms. */
const PULSE = 500;

/** Books to add. */
const BOOKS = [
  ['Emma', 'Jane Austen', 1815],
  ['Jane Eyre', 'Charlotte Brontë', 1847],
  ['Moby-Dick', 'Herman Melville', 1851],
  ['Walden', 'Henry David Thoreau', 1854],
  ['Adam Bede', 'George Eliot', 1859],
  ['Alice’s Adventures in Wonderland', 'Lewis Carroll', 1865],
  ['Little Women', 'Louisa May Alcott', 1868],
  ['Treasure Island', 'Robert Louis Stevenson', 1883],
  ['Dracula', 'Bram Stoker', 1897],
  ['Kim', 'Rudyard Kipling', 1901],
];

/** What an error of the helper says: what the server sent, or its own name and message. */
const contentOf = (error) =>
  error.name === 'RemoteError' ? error.error : { name: error.name, message: error.message };

/** Emits `load` with an item of the subscription serverLoad. */
export class Pane extends EventTarget {
  #root;
  #user;
  #metrics;
  #activity;
  #form;
  #shelf;
  /** @type {Map<HTMLElement, AbortController>} */
  #subscriptions = new Map();
  #subscribed = new Set();

  /**
   * @param {object} options
   * @param {{ name: string, email: string, password: string }} options.user - whose fields are filled in
   * @param {import('../settings.js').Settings} options.settings
   * @param {object[]} options.catalogue
   * @param {import('../load/metrics.js').Metrics} options.metrics
   */
  constructor({ user, settings, catalogue, metrics }) {
    super();
    this.#user = user;
    this.#metrics = metrics;
    const template = document.getElementById('pane-template').content.cloneNode(true);
    this.#root = template.firstElementChild;
    this.#root.id = user.name.toLowerCase();
    this.connection = new Connection(settings);
    this.#activity = new Activity(this.#find('.activity ol'));
    this.#shelf = new Bookshelf(this.#find('.shelf ul'), this.connection);
    this.#form = new CallForm(this.#find('form.call'), catalogue, (entry, args) =>
      this.send(entry, args),
    );
    this.#fillIn();
    this.#bind();
    this.#showState();
    document.getElementById('panes').append(this.#root);
  }

  #find(selector) {
    return this.#root.querySelector(selector);
  }

  #fillIn() {
    const { name } = this.#user;
    this.#find('h2').textContent = name;
    this.#root.setAttribute('aria-label', `The client of ${name}`);
    this.#find('.avatar').textContent = name[0];
    this.reset();
  }

  /** Fills the user's own credentials into the form. */
  reset() {
    const { elements } = this.#find('form.login');
    elements.email.value = this.#user.email;
    elements.password.value = this.#user.password;
  }

  #bind() {
    const login = this.#find('form.login');
    login.addEventListener('submit', (event) => {
      event.preventDefault();
      this.logIn();
    });
    login.elements.forge.addEventListener('click', () => {
      this.#problem('');
      this.connection.open({ id: 'a made-up token', userId: 1 });
    });
    this.#find('[name=add]').addEventListener('click', () => this.addBook());
    this.#find('.session [name=drop]').addEventListener('click', () => this.connection.drop());
    this.#find('[name=logout]').addEventListener('click', () => {
      this.connection.logOut();
      login.elements.email.focus();
    });

    const { connection } = this;
    connection.addEventListener('state', () => this.#showState());
    connection.addEventListener('note', ({ detail }) =>
      this.#activity.add({ kind: 'state', ...detail }),
    );
    connection.addEventListener('broadcast', ({ detail: { event, args } }) => {
      if (this.#subscribed.has(event)) return;
      this.#activity.add({
        kind: 'event',
        title: event,
        value: args.length > 1 ? args : args[0],
        tone: 'good',
      });
    });
    let followed = null;
    connection.addEventListener('ready', () => {
      if (followed === connection.client) return; // the helper goes on after a reconnection
      followed = connection.client;
      this.#begin(connection.client);
    });
    setInterval(() => this.#pulse(), PULSE);
  }

  /** What every client does once it has authenticated for the first time. */
  #begin(client) {
    this.#subscribed = new Set(['Book.changes', 'serverLoad']);
    const failed = (title) => (error) => {
      if (client.state === 'closed') return;
      this.#activity.add({ kind: 'item', title, value: contentOf(error), tone: 'bad' });
    };
    this.#shelf.follow().catch(failed('Book.changes'));
    this.#followLoad(client).catch(failed('serverLoad'));
  }

  async #followLoad(client) {
    for await (const detail of client.subscribe('serverLoad')) {
      this.dispatchEvent(new CustomEvent('load', { detail }));
    }
  }

  #pulse() {
    const { connection } = this;
    if (connection.state !== 'ready' || this.#metrics.isUnderLoad) return;
    const { client, server } = connection;
    const begun = performance.now();
    client.call('echo', {}).then(
      () => this.#metrics.record(server, performance.now() - begun),
      () => {}, // the connection was lost, which is shown already
    );
  }

  #problem(text) {
    this.#find('.problem').textContent = text;
  }

  #showState() {
    const { state, client, server, transport, token } = this.connection;
    const output = this.#find('.state');
    output.textContent = state;
    output.dataset.state = state;
    const current = state === 'refused' ? 'authenticating' : state;
    const steps = [...this.#root.querySelectorAll('.states li')];
    const reached = steps.findIndex(({ dataset }) => dataset.state === current);
    steps.forEach((step, index) => {
      step.classList.toggle('reached', index <= reached);
      step.classList.toggle('current', index === reached);
      step.classList.toggle('refused', index === reached && state === 'refused');
    });
    const isLoggedIn = token !== null;
    this.#find('form.login').hidden = isLoggedIn;
    this.#find('.session').hidden = !isLoggedIn;
    this.#find('.facts').textContent =
      state === 'ready'
        ? `${transport} to the ${SERVER_NAMES[server]} server, ${client.socket.id}`
        : ({ disconnected: 'Not connected', refused: 'The server has refused the credentials' }[
            state
          ] ?? `To the ${SERVER_NAMES[server]} server`);
    if (client === null) {
      this.#shelf.clear();
      for (const controller of this.#subscriptions.values()) controller.abort();
    }
  }

  /**
   * Logs in with what is in the form.
   * @returns {Promise<void>}
   */
  async logIn() {
    const { email, password } = this.#find('form.login').elements;
    this.#problem('');
    try {
      await this.connection.logIn(email.value, password.value);
    } catch (error) {
      this.#problem(`The login was refused: ${error.message}`);
      this.#activity.add({
        kind: 'state',
        title: 'POST /api/Customers/login',
        text: error.message,
        tone: 'bad',
      });
    }
  }

  /**
   * Adds a book that the shop does not have yet.
   * @returns {Promise<void>}
   */
  addBook() {
    const missing = BOOKS.filter(([title]) => !this.#shelf.has(title));
    const [title, author, year] = missing[0] ?? BOOKS[0];
    return this.send({ name: 'addBook', kind: 'method' }, { title, author, year });
  }

  /**
   * Calls a method or subscribes, and shows what comes of it.
   * @param {{ name: string, kind: string }} entry
   * @param {unknown} args
   * @returns {Promise<void>}
   */
  async send({ name, kind }, args) {
    if (this.connection.state !== 'ready') {
      const message = 'Log in first: the server answers clients that have authenticated.';
      this.#form.show({ title: name, value: { message }, tone: 'bad' });
      return;
    }
    await (kind === 'subscription' ? this.#subscribe(name, args) : this.#call(name, args));
  }

  async #call(name, args) {
    const { client, server } = this.connection;
    const begun = performance.now();
    const report = (value, tone) => {
      const time = performance.now() - begun;
      if (tone === 'good') this.#metrics.record(server, time);
      this.#form.show({ title: tone === 'good' ? name : `${name} failed`, value, time, tone });
      const text = `${inline(args ?? {})} → ${inline(value)}`;
      this.#activity.add({ kind: 'call', title: name, text, value, time, tone });
    };
    try {
      report(await client.call(name, args), 'good');
    } catch (error) {
      report(contentOf(error), 'bad');
    }
  }

  async #subscribe(name, args) {
    const { client } = this.connection;
    const controller = new AbortController();
    const chip = this.#addChip(name, args, controller);
    this.#subscribed.add(name);
    const add = (entry) => this.#activity.add({ kind: 'item', title: name, ...entry });
    const begun = performance.now();
    let time;
    try {
      const items = client.subscribe(name, args, {
        signal: controller.signal,
        onGap: () => add({ text: 'items may be missing from before this one' }),
      });
      await items.ready;
      time = performance.now() - begun;
      this.#form.show({ title: `${name}: subscribed`, value: args ?? {}, time, tone: 'good' });
      add({ text: `subscribed with ${inline(args ?? {})}`, time, tone: 'good' });
      for await (const value of items) add({ value });
      add({ text: 'the source has ended' });
    } catch (error) {
      if (controller.signal.aborted || client.state === 'closed') {
        add({ text: 'unsubscribed' });
      } else {
        const value = contentOf(error);
        if (time === undefined) {
          time = performance.now() - begun;
          this.#form.show({ title: `${name} failed`, value, time, tone: 'bad' });
        }
        add({ value, tone: 'bad' });
      }
    } finally {
      this.#subscriptions.delete(chip);
      chip.remove();
      this.#find('.subscriptions').hidden = this.#subscriptions.size === 0;
    }
  }

  #addChip(name, args, controller) {
    const stop = h('button', { type: 'button', onclick: () => controller.abort() }, 'Stop');
    stop.setAttribute('aria-label', `Stop ${name}`);
    const chip = h('li', {}, h('code', {}, `${name} ${inline(args ?? {})}`), stop);
    this.#subscriptions.set(chip, controller);
    const list = this.#find('.subscriptions');
    list.append(chip);
    list.hidden = false;
    return chip;
  }
}
