// The socket of one user: logs in over REST, opens a socket and authenticates it with the access token.

import { io } from '/socket.io/socket.io.esm.min.js';
import { client } from '/vendor/loopback-socket.mjs';
import { within } from '../waiting.js';

/** Events of the protocol, which are shown as states. */
const PROTOCOL = new Set(['authenticated', 'unauthorized', 'loopback:unsubscribed']);

/** How long a call waits for its answer, in ms: a method that is not defined is never answered. */
const TIMEOUT = 10_000;

/** How long a socket that connects may take until it has authenticated, in ms. */
const READY_TIMEOUT = 30_000;

/**
 * Emits `state` when `state` or what is known of the connection has changed, `note` with a line for the activity,
 * `ready` whenever the socket has authenticated, and `broadcast` with an event that the server has sent.
 */
export class Connection extends EventTarget {
  /** @type {'disconnected' | 'connecting' | 'authenticating' | 'ready' | 'refused'} */
  state = 'disconnected';
  /** The helper for clients, while there is a socket. */
  client = null;
  /** The access token of the login, while there is one. */
  token = null;
  #settings;
  #credentials;

  /** @param {import('../settings.js').Settings} settings */
  constructor(settings) {
    super();
    this.#settings = settings;
    settings.addEventListener('change', () => this.client && this.open(this.#credentials));
  }

  /** @returns {string | undefined} the transport that is in use */
  get transport() {
    return this.client?.socket.io.engine?.transport?.name;
  }

  /** @returns {string} the kind of server that it is connected to */
  get server() {
    return this.#settings.server;
  }

  /**
   * Logs in over REST and opens a socket.
   * @param {string} email
   * @param {string} password
   * @throws {Error} if the app refuses, with its message, or cannot be reached
   */
  async logIn(email, password) {
    let response, body;
    try {
      response = await fetch('/api/Customers/login', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ email, password }),
      });
      body = await response.json();
    } catch (cause) {
      throw new Error('The server cannot be reached.', { cause });
    }
    if (!response.ok) throw new Error(`The login was refused: ${body.error.message}`);
    this.token = body;
    this.#note('POST /api/Customers/login', `${response.status}, an access token`);
    this.open({ id: body.id, userId: body.userId });
  }

  /**
   * Opens a socket that authenticates with these credentials; one that is open is closed first.
   * @param {object} credentials
   */
  open(credentials) {
    this.close();
    this.#credentials = credentials;
    const socket = io(this.#settings.urlOf(), {
      transports: this.#settings.transports,
      forceNew: true,
      reconnectionDelay: 250,
      reconnectionDelayMax: 1000,
    });
    const helper = client(socket, {
      credentials,
      timeout: TIMEOUT,
      disconnectWhenUnauthorized: true,
    });
    this.client = helper;
    this.#listen(socket, helper);
    this.#setState('connecting');
  }

  #listen(socket, helper) {
    const isCurrent = () => this.client === helper;
    const on = (emitter, event, listener) =>
      emitter.on(event, (...args) => isCurrent() && listener(...args));

    // As soon as the connection is open: it may be upgraded before the socket is connected.
    on(socket.io, 'open', () => {
      socket.io.engine.once('upgrade', ({ name }) => {
        if (!isCurrent()) return;
        this.#note('upgrade', `to ${name}`);
        this.#setState(this.state);
      });
    });
    on(socket, 'connect', () =>
      this.#note('connect', `socket ${socket.id} over ${this.transport}`),
    );
    on(socket, 'disconnect', (reason) => this.#note('disconnect', reason));
    on(socket, 'connect_error', ({ message }) =>
      this.#note('connect_error', message, { isRetry: true }),
    );
    on(socket.io, 'reconnect_attempt', (attempt) =>
      this.#note('reconnect_attempt', `number ${attempt}`, { isRetry: true }),
    );
    on(socket, 'unauthorized', ({ message }) =>
      this.#note('unauthorized', message, { tone: 'bad' }),
    );
    socket.onAny((event, ...args) => {
      if (!isCurrent() || PROTOCOL.has(event)) return;
      this.dispatchEvent(new CustomEvent('broadcast', { detail: { event, args } }));
    });
    helper.addEventListener('statechange', () => {
      if (!isCurrent()) return;
      if (helper.state === 'ready') {
        this.#note('authenticated', 'calls are answered now', { tone: 'good' });
      }
      if (helper.state === 'unauthorized') this.token = null; // it has expired, or the server has forgotten it
      this.#setState(this.#stateOf(helper));
      if (helper.state === 'ready') this.dispatchEvent(new Event('ready'));
    });
  }

  #stateOf({ state, socket }) {
    if (state === 'unauthorized') return 'refused';
    if (state !== 'disconnected') return state;
    if (socket.active) return 'connecting';
    return this.state === 'refused' ? 'refused' : 'disconnected';
  }

  #setState(state) {
    this.state = state;
    this.dispatchEvent(new Event('state'));
  }

  #note(title, text, options) {
    this.dispatchEvent(new CustomEvent('note', { detail: { title, text, ...options } }));
  }

  /**
   * Waits until the socket has authenticated.
   * @returns {Promise<void>}
   * @throws {Error} if it is refused or closed, or takes too long
   */
  async whenReady() {
    const listening = new AbortController();
    const ready = new Promise((resolve, reject) => {
      const check = () => {
        if (this.state === 'ready') resolve();
        else if (this.state === 'refused') reject(new Error('The server refuses the credentials.'));
        else if (this.client === null && this.token === null) {
          reject(new Error('The client has logged out.'));
        }
      };
      this.addEventListener('state', check, { signal: listening.signal });
      check();
    });
    try {
      await within(ready, READY_TIMEOUT, 'The server does not answer.');
    } finally {
      listening.abort();
    }
  }

  /** @returns {Promise<void>} when the connection that is open has ended */
  whenLost() {
    const { socket } = this.client;
    return new Promise((resolve) => {
      socket.once('disconnect', () => resolve());
    });
  }

  /** Loses the connection, as a bad network does; the socket connects again by itself. */
  drop() {
    this.client?.socket.io.engine?.close();
  }

  /** Closes the socket. */
  close() {
    if (this.client === null) return;
    const { socket } = this.client;
    this.client.close();
    this.client = null;
    socket.disconnect();
    this.#setState('disconnected');
  }

  /** Closes the socket and forgets the access token. */
  logOut() {
    this.close();
    this.token = null;
    this.#note('log out', 'the socket is closed');
    this.#setState('disconnected');
  }
}
