'use strict';

// What a client can cost a server that has much to do, and what such a server still owes its clients.

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const { Body } = require('../../lib/http/body');
const { TIMEOUT } = require('../support/native-server');
const { inChild, start } = require('../support/child');
const { RawPolling, RawWebsocket } = require('../support/raw');

/** How long JavaScript is busy, in ms: many times the delays of the servers below. */
const BUSY = 3000;
/** How many events a client sends meanwhile: more than are taken from it unheard. */
const EVENTS = 20;

/** A client that polls and, as it has to, sends one POST at a time. */
class Polling extends RawPolling {
  #last = Promise.resolve();

  post(...args) {
    this.#last = this.#last.then(() => super.post(...args));
    return this.#last;
  }
}

/** A server in a process of its own that can be kept busy, and its clients. */
class BusyServer {
  #messages = [];
  #waiting = [];
  #clients = [];

  /** @param {object} given `options` of the server, `secure`, `timeout` of authentication */
  constructor(given) {
    this.secure = given.secure;
    this.child = start('busy.js', [JSON.stringify(given)]);
    this.child.on('message', (message) => {
      this.#messages.push(message);
      this.#waiting = this.#waiting.filter((look) => !look());
    });
  }

  /**
   * @param {string} key
   * @param {any} [value]
   * @returns {Promise<any>} the first message with that
   */
  told(key, value) {
    return new Promise((resolve) => {
      const look = () => {
        const told = this.#messages.find(
          (message) => key in message && (value === undefined || message[key] === value),
        );
        if (told !== undefined) resolve(told);
        return told !== undefined;
      };
      if (!look()) this.#waiting.push(look);
    });
  }

  /** @returns {object[]} how clients have ended */
  get gone() {
    return this.#messages.filter((message) => 'gone' in message);
  }

  /**
   * @param {string} transport
   * @param {object} [options] of the client; `join`
   * @returns {Promise<any>} a client
   */
  async client(transport, { join = true, ...options } = {}) {
    const { port } = await this.told('port');
    const Client = transport === 'polling' ? Polling : RawWebsocket;
    const client = new Client(port, { secure: this.secure, ...options });
    this.#clients.push(client);
    await client.opened();
    if (join) await client.join();
    return client;
  }

  /**
   * Keeps the server busy.
   * @param {number} [ms]
   * @returns {Promise<void>} when it is
   */
  async beBusy(ms = BUSY) {
    const client = await this.client('websocket');
    client.send(`42["be busy",${ms}]`);
    await this.told('busy', true);
  }

  /** @returns {Promise<void>} when everything has ended */
  async close() {
    this.#clients.forEach((client) => client.terminate());
    if (this.child.connected) this.child.send('end');
    await this.child.ended;
  }
}

/**
 * @param {object} given see `BusyServer`
 * @param {(server: BusyServer) => Promise<void>} test
 * @returns {(t: object) => Promise<void>} for `it`
 */
function busy(given, test) {
  return async (t) => {
    const server = new BusyServer(given);
    t.signal.addEventListener('abort', () => server.child.kill());
    try {
      await test(server);
    } finally {
      await server.close();
    }
  };
}

/**
 * Has a client of Engine.IO 3 ping.
 * @param {any} client
 * @returns {() => void} ends it
 */
function pingOn(client) {
  let isOver = false;
  const ping = async () => {
    while (!isOver) {
      await (client instanceof RawPolling ? client.post('1:2') : client.send('2'));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  // A connection that has ended is not pinged any more.
  ping().catch(() => {});
  return () => (isOver = true);
}

const say = (client) => {
  const event = `42["say","${'x'.repeat(1000)}"]`;
  if (client instanceof RawWebsocket) {
    for (let i = 0; i < EVENTS; i++) client.send(event);
    return;
  }
  const framed = client.eio === 3 ? `${event.length}:${event}` : event;
  client.post(
    Array(EVENTS)
      .fill(framed)
      .join(client.eio === 3 ? '' : '\x1e'),
  );
};

describe('bodies of POST requests', () => {
  it(
    'a POST body in chunks of one byte takes memory only in proportion to its bytes',
    TIMEOUT,
    async () => {
      const { bytes, kept } = await inChild('chunks.js', [], { execArgv: ['--expose-gc'] });
      assert.ok(kept < 20 * bytes, `${kept} bytes are kept of ${bytes}`);
    },
  );

  it('a POST body is complete whatever its chunks and takes at most twice its length', () => {
    const all = Buffer.from(Array.from({ length: 5000 }, (_, i) => i % 251));
    for (const size of [1, 7, 1024, 4999, 5000]) {
      const body = new Body(5000);
      for (let at = 0; at < all.length; at += size) {
        assert.equal(body.add(all.subarray(at, at + size)), true);
        assert.ok(body.capacity <= Math.min(Math.max(2 * body.length, 1024), 5000));
      }
      assert.deepEqual(body.whole(), all);
    }
    assert.deepEqual(new Body(5000).whole(), Buffer.alloc(0));
  });

  it('a POST body is dropped as soon as it exceeds the limit', () => {
    for (const first of [0, 3, 10]) {
      const body = new Body(10);
      body.add(Buffer.alloc(first));
      assert.equal(body.add(Buffer.alloc(11 - first)), false);
      assert.equal(body.add(Buffer.alloc(1)), false);
      assert.equal(body.capacity, 0);
    }
  });
});

describe('large broadcasts', () => {
  it(
    'a large broadcast reaches a client that reads, and clients that do not read share one copy',
    TIMEOUT,
    async (t) => {
      const [messages, bytes, stalled] = [300, 100_000, 40];
      const server = { messages, bytes, maxBackpressure: 8e6 };
      const child = start('broadcast.js', [JSON.stringify(server)]);
      t.signal.addEventListener('abort', () => child.kill());
      const told = [];
      const tells = (what) =>
        new Promise((resolve) => {
          child.on('message', (message) => what(message) && resolve(message));
        });
      child.on('message', (message) => told.push(message));
      const { port } = await tells((message) => 'port' in message);
      const open = async () => {
        const client = new RawWebsocket(port);
        await client.opened();
        await client.join();
        return client;
      };
      const silent = await Promise.all(Array.from({ length: stalled }, open));
      silent.forEach((client) => client.ws.pause());
      const reader = await open();
      const gone = () => told.filter((message) => 'gone' in message);
      const allGone = tells(() => gone().length === stalled);
      const began = tells((message) => 'before' in message);
      child.send('broadcast');
      for (let n = 0; n < messages; n++) {
        const packet = await reader.packet('2["n",');
        assert.equal(packet.slice(0, 12), `42["n",${n},"xxxx`.slice(0, 12));
        assert.ok(packet.length > bytes);
      }
      await allGone;
      assert.deepEqual(gone(), Array(stalled).fill({ gone: 'transport error' }));
      const { before } = await began;
      const ends = tells((message) => 'peak' in message);
      child.send('end');
      const { peak } = await ends;
      if (peak !== undefined) {
        const grown = peak - before;
        assert.ok(grown < 6 * messages * bytes, `memory grew by ${grown} bytes`);
      }
      [reader, ...silent].forEach((client) => client.terminate());
      await child.ended;
    },
  );
});

describe('a busy JavaScript thread', { concurrency: 4 }, () => {
  const short = { pingInterval: 300, pingTimeout: 600 };

  for (const eio of [4, 3]) {
    for (const transport of ['websocket', 'polling']) {
      for (const secure of [false, true]) {
        const how = `${transport}${secure ? ' and TLS' : ''} of Engine.IO ${eio}`;
        it(
          `no client that keeps up its heartbeat is dropped while JavaScript is busy over ${how}`,
          TIMEOUT,
          busy({ options: short, secure }, async (server) => {
            const clients = await Promise.all(
              Array.from({ length: 5 }, () => server.client(transport, { eio })),
            );
            const ends = eio === 3 ? clients.map(pingOn) : [];
            await server.beBusy();
            clients.forEach(say);
            await server.told('busy', false);
            await server.told('says', 5 * EVENTS);
            const answers = await Promise.all(clients.map((client) => client.call('still here?')));
            assert.deepEqual(answers, Array(5).fill(['yes']));
            assert.deepEqual(server.gone, []);
            ends.forEach((end) => end());
          }),
        );
      }
    }
  }

  it(
    'pings are sent while JavaScript is busy',
    TIMEOUT,
    busy({ options: short }, async (server) => {
      const client = await server.client('websocket');
      await server.beBusy();
      say(client);
      for (let i = 0; i < 3; i++) await client.received.next((item) => item === '2');
      let isOver = false;
      server.told('busy', false).then(() => (isOver = true));
      await client.received.next((item) => item === '2');
      assert.equal(isOver, false);
    }),
  );

  it(
    'a client that answers no ping while JavaScript is busy ends with "ping timeout"',
    TIMEOUT,
    busy({ options: short }, async (server) => {
      const client = await server.client('websocket');
      client.ws.removeAllListeners('message');
      await server.beBusy();
      say(client);
      const { reason } = await server.told('gone');
      assert.equal(reason, 'ping timeout');
      await server.told('says', EVENTS);
      await client.closed;
    }),
  );

  for (const transport of ['websocket', 'polling']) {
    it(
      `a client over ${transport} and TLS can join and authenticate in time although JavaScript is busy`,
      TIMEOUT,
      busy({ options: { connectTimeout: 1500 }, secure: true, timeout: 1500 }, async (server) => {
        const late = await server.client(transport, { join: false });
        const pending = await server.client(transport);
        await server.beBusy();
        late.send('40');
        pending.send('42["authentication",{"token":"valid"}]');
        await Promise.all([late.packet('0'), pending.packet('2["authenticated",true]')]);
        assert.deepEqual(await pending.call('still here?'), ['yes']);
      }),
    );
  }

  it(
    'a client that sent its credentials in time is not disconnected although JavaScript was busy',
    TIMEOUT,
    busy({ timeout: 1500 }, async (server) => {
      const pending = await server.client('websocket');
      await server.beBusy();
      pending.send('42["authentication",{"token":"valid"}]');
      await pending.packet('2["authenticated",true]');
      assert.deepEqual(await pending.call('still here?'), ['yes']);
    }),
  );

  it(
    'an upgrade does not time out while JavaScript is busy',
    TIMEOUT,
    busy({ options: { upgradeTimeout: 1500 } }, async (server) => {
      const polling = await server.client('polling', { poll: false, join: false });
      await polling.send('40');
      await polling.poll();
      const websocket = new RawWebsocket(polling.port, { query: `sid=${polling.sid}` });
      await new Promise((resolve) => websocket.ws.once('open', resolve));
      const poll = polling.poll();
      await server.beBusy();
      websocket.send('2probe');
      await websocket.received.next((item) => item === '3probe');
      assert.equal(String((await poll).body), '6');
      websocket.send('5');
      await server.told('upgraded');
      assert.deepEqual(await websocket.call('still here?'), ['yes']);
      websocket.terminate();
    }),
  );
});
