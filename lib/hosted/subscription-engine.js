'use strict';

/**
 * Brings the items of subscriptions to sockets of an npm `socket.io` server, or of an emitter that looks like
 * one.
 */

const { sizeOf } = require('../subscriptions/item-size');
const { UnsendableValueError } = require('../errors');

/** How often it is looked for subscribers that acknowledge nothing, in ms. */
const TICK = 1000;

class HostedEngine {
  #reports;
  #encodable;
  #stalled = new Set();
  #timer;

  /**
   * @param {object} reports takes what there is to report of subscribers
   */
  constructor(reports, encodable) {
    this.#reports = reports;
    this.#encodable = encodable;
  }

  open(options) {
    return new Channel(options, this.#reports, this, this.#encodable);
  }

  stalls(channel, isStalled) {
    if (isStalled) {
      this.#stalled.add(channel);
      if (this.#timer === undefined) {
        this.#timer = setInterval(() => {
          const now = Date.now();
          for (const one of [...this.#stalled]) one.tick(now);
        }, TICK);
        this.#timer.unref();
      }
    } else {
      this.#stalled.delete(channel);
      if (this.#stalled.size === 0) {
        clearInterval(this.#timer);
        this.#timer = undefined;
      }
    }
  }
}

class Channel {
  #options;
  #reports;
  #engine;
  #every;
  #items = [];
  #subscribers = new Set();
  #last = 0;
  #isFinished = false;

  constructor(options, reports, engine, encodable) {
    this.encodable = encodable;
    this.#options = options;
    this.#reports = reports;
    this.#engine = engine;
    this.#every = Math.ceil(options.window / 2);
  }

  publish(offset, [name, item, meta]) {
    const values = [name, this.encodable(item, 1), meta];
    let bytes = 0;
    try {
      bytes = sizeOf(values);
    } catch (error) {
      throw new UnsendableValueError(error);
    }
    this.#last = offset;
    this.#items.push({ offset, values, bytes });
    for (const subscriber of [...this.#subscribers]) {
      this.#advance(subscriber);
    }
    this.#prune();
  }

  #prune() {
    let first = this.#last + 1 - this.#options.history;
    for (const { next } of this.#subscribers) first = Math.min(first, next);
    while (this.#items.length > 0 && this.#items[0].offset < first) this.#items.shift();
  }

  #of(socket, number) {
    for (const one of this.#subscribers) {
      if (one.socket === socket && one.number === number) return one;
    }
    return undefined;
  }

  add(socket, number, from, isHeld = false) {
    const subscriber = {
      socket,
      number,
      next: from,
      start: this.#last + 1,
      unacknowledged: 0,
      until: this.#every,
      isHeld,
      stalledSince: undefined,
    };
    this.#subscribers.add(subscriber);
    this.#advance(subscriber);
    this.#prune();
  }

  hold(socket, number, isHeld) {
    const subscriber = this.#of(socket, number);
    if (subscriber !== undefined) {
      subscriber.isHeld = isHeld;
      this.#advance(subscriber);
      this.#prune();
    }
  }

  remove(socket, number) {
    const subscriber = this.#of(socket, number);
    if (subscriber !== undefined) {
      this.#subscribers.delete(subscriber);
      this.#checkStalled();
      this.#prune();
    }
  }

  finish() {
    this.#isFinished = true;
    for (const subscriber of [...this.#subscribers]) this.#advance(subscriber);
  }

  close() {
    this.#subscribers.clear();
    this.#items = [];
    this.#checkStalled();
  }

  tick(now) {
    for (const subscriber of [...this.#subscribers]) {
      if (now - subscriber.stalledSince >= this.#options.ackTimeout) this.#end(subscriber, 'slow');
    }
  }

  #checkStalled() {
    const isStalled = [...this.#subscribers].some((one) => one.stalledSince !== undefined);
    this.#engine.stalls(this, isStalled && this.#options.ackTimeout !== null);
  }

  #end(subscriber, how) {
    this.#subscribers.delete(subscriber);
    this.#checkStalled();
    this.#reports.ended(subscriber.socket, subscriber.number, how);
  }

  #advance(subscriber) {
    const { window, overflow, maxQueuedBytes } = this.#options;
    while (!subscriber.isHeld && subscriber.unacknowledged < window) {
      const item = this.#items.find(({ offset }) => offset >= subscriber.next);
      if (item === undefined) break;
      subscriber.next = item.offset + 1;
      subscriber.unacknowledged += 1;
      subscriber.until -= 1;
      if (subscriber.until === 0) {
        subscriber.until = this.#every;
        let sent = true;
        const counted = subscriber.unacknowledged;
        subscriber.requests = (subscriber.requests ?? 0) + 1;
        const request = subscriber.requests;
        send(subscriber.socket, item.values, () => {
          if (!sent || !this.#subscribers.has(subscriber) || request <= (subscriber.acked ?? 0))
            return;
          sent = false;
          const count = (request - (subscriber.acked ?? 0)) * this.#every;
          subscriber.acked = request;
          subscriber.unacknowledged -= count;
          subscriber.stalledSince = undefined;
          this.#checkStalled();
          if (this.#options.reportsCredit) {
            this.#reports.credit(subscriber.socket, subscriber.number, count);
          }
          this.#advance(subscriber);
          this.#prune();
          void counted;
        });
      } else {
        send(subscriber.socket, item.values);
      }
      if (!this.#subscribers.has(subscriber)) return;
    }
    const waiting = this.#items.filter(({ offset }) => offset >= subscriber.next);
    if (waiting.length === 0) {
      if (this.#isFinished) this.#end(subscriber, 'finished');
      return;
    }
    const queued = waiting
      .filter(({ offset }) => offset >= subscriber.start)
      .reduce((sum, { bytes }) => sum + bytes, 0);
    if (queued > maxQueuedBytes) {
      if (overflow === 'end') {
        this.#end(subscriber, 'slow');
        return;
      }
      subscriber.next = waiting.at(-1).offset;
    }
    if (!subscriber.isHeld && subscriber.stalledSince === undefined) {
      subscriber.stalledSince = Date.now();
      this.#checkStalled();
    }
  }
}

/**
 * Sends a socket an event.
 *
 * @param {object} socket the server's socket
 * @param {unknown[]} event the event's name and arguments, which can be sent
 * @param {() => void} [acknowledged] called when the client acknowledges it; without, it is not asked to
 * @returns {void}
 */
function send(socket, event, acknowledged) {
  try {
    if (acknowledged !== undefined) {
      socket.emit(...event, acknowledged);
    } else {
      socket.emit(...event);
    }
  } catch {
    // A listener of an emitter that only looks like a socket; it is not for us to handle.
  }
}

module.exports = { HostedEngine, send };
