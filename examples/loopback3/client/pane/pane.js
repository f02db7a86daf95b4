// One client: a user, a socket, and what can be done with it.

import { contentOf, inline } from '../dom.js';
import { SERVER_NAMES, TRANSPORT_NAMES } from '../settings.js';
import { Activity } from './activity.js';
import { bookToAdd } from './books.js';
import { Bookshelf } from './bookshelf.js';
import { CallForm } from './call-form.js';
import { Connection } from './connection.js';
import { Subscriptions } from './subscriptions.js';

/** How often a client calls `echo`, so that the charts move, in ms. */
const PULSE = 500;

/** Takes an error that the pane has shown already. */
const isShown = () => {};

/** Emits `load` with an item of the subscription serverLoad. */
export class Pane extends EventTarget {
  #root;
  #user;
  #metrics;
  #activity;
  #form;
  #shelf;
  #subscriptions;
  /** The names of subscriptions, whose items are events of the socket, too. */
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
      this.#send(entry, args),
    );
    this.#subscriptions = new Subscriptions(
      this.#find('.subscriptions'),
      this.#activity,
      this.#form,
    );
    this.#fillIn();
    this.#bind();
    this.#showState();
    document.getElementById('panes').append(this.#root);
  }

  /** @returns {string} the name of its user */
  get name() {
    return this.#user.name;
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
      this.logIn().catch(isShown);
    });
    login.elements.forge.addEventListener('click', () => {
      this.#problem('');
      this.connection.open({ id: 'a made-up token', userId: 1 });
    });
    this.#find('[name=add]').addEventListener('click', () => this.addBook().catch(isShown));
    this.#find('.session [name=drop]').addEventListener('click', () => this.connection.drop());
    this.#find('[name=logout]').addEventListener('click', () => this.connection.logOut());

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
      if (client.state === 'closed' || error.name === 'UnauthorizedError') return; // is shown already
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
    this.#showForms(token !== null);
    const serverName = `the ${SERVER_NAMES[server]} server`;
    const facts = {
      disconnected: 'Not connected',
      refused: 'The server has refused the credentials',
      ready: `${TRANSPORT_NAMES[transport]} to ${serverName}`,
    };
    this.#find('.facts').textContent = facts[state] ?? `To ${serverName}`;
    this.#find('.socket-id').textContent = state === 'ready' ? client.socket.id : '';
    if (client === null) {
      this.#shelf.clear();
      this.#subscriptions.stopAll();
    }
  }

  /** Shows the form to log in, or what can be done after it; the focus goes on to what takes its place. */
  #showForms(isLoggedIn) {
    const [login, session] = [this.#find('form.login'), this.#find('.session')];
    const [shown, gone] = isLoggedIn ? [session, login] : [login, session];
    const hadFocus = gone.contains(document.activeElement);
    gone.hidden = true;
    shown.hidden = false;
    if (hadFocus) shown.querySelector('input, button').focus();
  }

  /**
   * Logs in with what is in the form.
   * @returns {Promise<void>}
   * @throws {Error} if that fails, after it has been shown
   */
  async logIn() {
    const { email, password } = this.#find('form.login').elements;
    this.#problem('');
    try {
      await this.connection.logIn(email.value, password.value);
    } catch (error) {
      const { message: text } = error;
      this.#problem(text);
      this.#activity.add({ kind: 'state', title: 'POST /api/Customers/login', text, tone: 'bad' });
      throw error;
    }
  }

  /**
   * Adds a book that the shop does not have yet.
   * @returns {Promise<object>} the book
   * @throws {Error} if that fails, after it has been shown
   */
  async addBook() {
    const book = bookToAdd((title) => this.#shelf.has(title));
    return this.#call('addBook', book);
  }

  /** Calls a method or subscribes, as the form asks for. */
  #send({ name, kind }, args) {
    const sent = kind === 'method' ? this.#call(name, args) : this.#subscribe(name, args);
    sent.catch(isShown);
  }

  async #subscribe(name, args) {
    const { client } = this.#requireReady(name);
    this.#subscribed.add(name);
    await this.#subscriptions.follow(client, name, args);
  }

  /** The connection, on which something is to be sent; shows why nothing can be if it is not ready. */
  #requireReady(name) {
    const { state, token } = this.connection;
    if (state === 'ready') return this.connection;
    const message =
      token === null
        ? 'Log in first: the server answers clients that have authenticated.'
        : `The socket is ${state}: try again when it is ready.`;
    this.#form.show({ title: name, value: { message }, tone: 'bad' });
    throw new Error(message);
  }

  async #call(name, args) {
    const { client, server } = this.#requireReady(name);
    const begun = performance.now();
    const report = (value, tone) => {
      const time = performance.now() - begun;
      if (tone === 'good') this.#metrics.record(server, time);
      this.#form.show({ title: tone === 'good' ? name : `${name} failed`, value, time, tone });
      const text = `${inline(args ?? {})} → ${inline(value)}`;
      this.#activity.add({ kind: 'call', title: name, text, value, time, tone });
    };
    this.#form.showWaiting(name);
    try {
      const answer = await client.call(name, args);
      report(answer, 'good');
      return answer;
    } catch (error) {
      report(contentOf(error), 'bad');
      throw error;
    }
  }
}
