'use strict';

/**
 * A client as applications have them: it connects through a load balancer, joins its room again whenever it has
 * connected again, and notes which of the numbered broadcasts it received.
 */

const { EventEmitter, once } = require('node:events');
const { io } = require('socket.io-client');

/** Milliseconds that a client waits for the answer to a call. */
const CALL_TIMEOUT = 5000;

/** By how many places a broadcast may be overtaken with an adapter that does not keep their order. */
const EDGE = 10;

/** Milliseconds between an answer and the next call. */
const CALL_INTERVAL = 20;

class Subscriber extends EventEmitter {
  /** @type {Map<string, Set<number>>} the numbers received, by the node that sent them */
  received = new Map();
  /** Broadcasts received twice. */
  duplicates = 0;
  /** Broadcasts that came after a later one of the same node. */
  overtaken = 0;
  /** Connections that ended. */
  disconnections = 0;
  /** Connections that recovered the state of the one before. */
  recoveries = 0;
  /** Whether it is connected and in its room. */
  isReady = false;
  /** The node it is connected to. */
  node;
  #last = new Map();
  #authentication;
  /** What it received since it is in its room, by node; and of the times before. */
  #stretch = new Map();
  #pastHoles = 0;
  #calling;

  /**
   * @param {number} port of the load balancer
   * @param {boolean} authentication whether nodes have a LoopbackSocket
   */
  constructor(port, authentication) {
    super();
    this.setMaxListeners(0);
    this.#authentication = authentication;
    this.socket = io(`http://127.0.0.1:${port}`, {
      forceNew: true,
      transports: ['websocket'],
      reconnectionDelay: 50,
      reconnectionDelayMax: 500,
    });
    this.socket.on('connect', () => {
      if (this.socket.recovered) this.recoveries++;
      if (authentication) this.socket.emit('authentication', { token: 'valid' });
      else this.#join();
    });
    this.socket.on('authenticated', () => this.#join());
    this.socket.on('disconnect', () => {
      this.isReady = false;
      this.disconnections++;
    });
    // A client that recovers with MongoDB's adapter gets the question, but no way to answer: see docs/scaling.md.
    this.socket.on('poll', (done) => done?.(this.node));
    this.socket.on('news', (from, number) => this.#note(from, number));
    this.socket.on('local', (...args) => this.emit('local', ...args));
  }

  /** Enters its room. */
  #join() {
    const { id } = this.socket;
    this.socket.emit('join', 'news', (node) => {
      if (id !== this.socket.id) return;
      this.node = node;
      this.#pastHoles = this.holes();
      this.#stretch.clear();
      this.isReady = true;
      this.emit('ready');
    });
  }

  /**
   * @param {string} from a node
   * @param {number} number
   */
  #note(from, number) {
    let numbers = this.received.get(from);
    if (!numbers) this.received.set(from, (numbers = new Set()));
    if (numbers.has(number)) this.duplicates++;
    if (number < (this.#last.get(from) ?? -1)) this.overtaken++;
    this.#last.set(from, number);
    numbers.add(number);
    if (this.isReady) {
      let stretch = this.#stretch.get(from);
      if (!stretch) this.#stretch.set(from, (stretch = new Set()));
      stretch.add(number);
    }
    this.emit('change');
  }

  /**
   * @param {string} from a node
   * @param {number} begin
   * @param {number} end
   * @returns {number[]} the numbers from `begin` up to `end` that it did not receive
   */
  missing(from, begin, end) {
    const numbers = this.received.get(from) ?? new Set();
    const missing = [];
    for (let number = begin; number < end; number++) {
      if (!numbers.has(number)) missing.push(number);
    }
    return missing;
  }

  /**
   * @returns {number} broadcasts that it missed between others while it was in its room; near the ends of that time,
   *   one that was overtaken may have been too early or too late for it
   */
  holes() {
    let holes = this.#pastHoles;
    for (const [from, numbers] of this.#stretch) {
      const sorted = [...numbers].sort((a, b) => a - b).slice(EDGE, -EDGE);
      if (sorted.length > 0) holes += this.missing(from, sorted[0], sorted.at(-1)).length;
    }
    return holes;
  }

  /**
   * @param {(subscriber: Subscriber) => boolean} isReached
   * @param {string} event that may change it
   * @param {AbortSignal} signal
   * @returns {Promise<void>}
   */
  async until(isReached, event, signal) {
    while (!isReached(this)) await once(this, event, { signal });
  }

  /** @returns {Promise<void>} rejects when a call is not answered as it should be */
  async call() {
    const args = { text: 'called' };
    const event = this.#authentication ? 'echo' : 'question';
    const answer = await this.socket.timeout(CALL_TIMEOUT).emitWithAck(event, args);
    const result = this.#authentication ? answer.result : answer;
    if (result?.text !== args.text) throw new Error(`Answered with ${JSON.stringify(answer)}`);
  }

  /** Calls its node again and again, whenever it is in its room. */
  startCalling() {
    const counts = { done: 0, cut: 0, failed: 0 };
    let isOver = false;
    const loop = async () => {
      while (!isOver) {
        if (!this.isReady) await once(this, 'ready');
        const { disconnections } = this;
        try {
          await this.call();
          counts.done++;
        } catch {
          // A call whose connection ended has no answer.
          if (this.disconnections > disconnections) counts.cut++;
          else counts.failed++;
        }
        await new Promise((resolve) => setTimeout(resolve, CALL_INTERVAL));
      }
      return counts;
    };
    const running = loop();
    this.#calling = () => {
      isOver = true;
      return running;
    };
  }

  /** @returns {Promise<{done: number, cut: number, failed: number}>} how its calls ended; `cut` with the connection */
  stopCalling() {
    return this.#calling();
  }

  /** Ends it. */
  close() {
    this.socket.disconnect();
  }
}

module.exports = { Subscriber };
