'use strict';

// The protocol in docs/subscriptions.md is true: its frames are those of the native server. A frame of the page is
// compared with a frame of the server once names of sources and ids of acknowledgements, which are different each
// time, are those of the page. Its examples are run by guides.test.js.

const assert = require('node:assert/strict');
const { EventEmitter, once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { describe, it } = require('node:test');
const notepack = require('notepack.io');
const WebSocket = require('ws');
const LoopbackSocket = require('../..');

const ROOT = path.join(__dirname, '..', '..');
const PAGE = fs.readFileSync(path.join(ROOT, 'docs', 'subscriptions.md'), 'utf8');

/** The name of the source on the page. */
const SOURCE = 'Zk3v9xQ0';

/**
 * @typedef {object} Block
 * @property {string} heading - of the section that it is in
 * @property {{ isSent: boolean, text: string }[]} frames
 */

/** @returns {Block[]} the blocks of frames of the page */
function blocks() {
  const protocol = PAGE.slice(PAGE.indexOf('# The protocol'));
  const found = [];
  let heading;
  for (const [, title, text] of protocol.matchAll(/^#+ (.*)$|^```text\n([^]*?)^```/gm)) {
    if (title !== undefined) {
      heading = title;
      continue;
    }
    const lines = text.trim().split('\n');
    const frames = lines.map((line) => ({ isSent: line[0] === '→', text: line.slice(2) }));
    found.push({ heading, frames });
  }
  return found;
}

/** A client that sends and receives whole frames. */
class FrameClient {
  /**
   * @param {number} port
   * @param {3|4} eio - the revision of Engine.IO: 3 of protocol 4, and 4 of protocol 5
   * @param {boolean} isMsgpack - whether packets are MessagePack, written as JSON on the page
   */
  constructor(port, eio, isMsgpack) {
    this.eio = eio;
    this.isMsgpack = isMsgpack;
    this.received = [];
    this.arrived = () => {};
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=${eio}&transport=websocket`);
    this.socket.on('message', (data, isBinary) => {
      this.received.push(isBinary ? this.#binary(data) : data.toString());
      this.arrived();
    });
  }

  /**
   * @param {Buffer} data
   * @returns {string} how the page writes it
   */
  #binary(data) {
    if (this.eio === 3) assert.equal(data[0], 4);
    return this.isMsgpack ? JSON.stringify(notepack.decode(data)) : '(a binary frame)';
  }

  /** @param {string} text - as on the page */
  send(text) {
    const isPacket = this.isMsgpack && text.startsWith('{');
    this.socket.send(isPacket ? notepack.encode(JSON.parse(text)) : text);
  }

  /** @returns {Promise<string>} the next frame */
  async next() {
    while (this.received.length === 0) {
      await new Promise((resolve) => {
        this.arrived = resolve;
      });
    }
    return this.received.shift();
  }

  /** Joins the namespace of a block and authenticates. */
  async authenticate(namespace) {
    const prefix = namespace === '/' ? '' : `${namespace},`;
    await this.next();
    const packet = (type, data) => JSON.stringify({ type, data, nsp: namespace });
    // In protocol 4, clients are in the default namespace without asking.
    if (this.eio === 3) assert.equal(await this.next(), '40');
    if (this.eio === 4 || namespace !== '/') {
      this.send(this.isMsgpack ? packet(0) : `40${prefix}`);
      await this.next();
    }
    const event = ['authentication', { token: 'open sesame' }];
    this.send(this.isMsgpack ? packet(2, event) : `42${prefix}${JSON.stringify(event)}`);
    return this.next();
  }
}

/**
 * What a frame of the page says.
 * @param {string} text
 * @returns {{ id?: number, event?: string, item?: any, offset?: number }}
 */
function read(text) {
  if (text.startsWith('{')) {
    const { id, data } = JSON.parse(text);
    return { id, ...parts(data) };
  }
  const [, id, json] = /^4[2-6](?:\d-)?(?:\/\w+,)?(\d*)(\[.*)$/.exec(text) ?? [];
  return json === undefined ? {} : { id: id ? Number(id) : undefined, ...parts(JSON.parse(json)) };
}

/**
 * @param {any[]} data - of a packet
 * @returns {{ event?: string, item?: any, offset?: number }}
 */
function parts([event, item, meta]) {
  const offset = Number(/-(\d+)$/.exec(meta?.id)?.[1]);
  return typeof event === 'string' ? { event, item, offset: offset || undefined } : {};
}

/** Plays one block of the page against a server. */
class Player {
  /**
   * @param {Block} block
   * @param {FrameClient} client
   * @param {EventEmitter} bus - what is emitted on it becomes an item
   */
  constructor(block, client, bus) {
    this.block = block;
    this.client = client;
    this.bus = bus;
    /** The name of the source, once it is known. */
    this.source = undefined;
    /** Real ids of requests for acknowledgements, by those of the page. */
    this.ids = new Map();
    this.published = 0;
  }

  /**
   * @param {string} text - a frame of the page
   * @returns {string} the frame to send
   */
  real(text) {
    let sent = this.source ? text.replaceAll(SOURCE, this.source) : text;
    for (const [id, real] of this.ids) sent = sent.replaceAll(String(id), String(real));
    return sent;
  }

  /**
   * @param {string} text - a frame of the server
   * @param {number} [id] - of the frame of the page
   * @returns {string} as the page has it
   */
  written(text, id) {
    this.source ??= /"source":"([^"]+)"/.exec(text)?.[1];
    const seen = read(text);
    if (seen.offset !== undefined && seen.id !== undefined) {
      assert.ok(seen.id >= 2 ** 30 && seen.id < 2 ** 31, `${seen.id} is the id of a request`);
      if (id !== undefined) this.ids.set(id, seen.id);
    }
    const named = this.source ? text.replaceAll(this.source, SOURCE) : text;
    return id !== undefined && seen.offset !== undefined
      ? named.replace(String(seen.id), String(id))
      : named;
  }

  /** @param {number} count - how many items there are to be */
  fill(count) {
    while (this.published < count) this.publish({ filler: this.published });
  }

  /** @param {any} item */
  publish(item) {
    this.published++;
    this.bus.emit('data', item);
  }

  /** Has happen what leads to a frame of the page. */
  provoke({ event, item, offset }) {
    if (offset !== undefined && offset > this.published) {
      this.fill(offset - 1);
      this.publish(item?.receipt ? { receipt: Buffer.from('scan') } : item);
    } else if (event === 'loopback:unsubscribed') {
      this.bus.emit('error', item.error);
    }
  }

  /** Plays all frames. */
  async play() {
    for (const { isSent, text } of this.block.frames) {
      if (isSent) {
        this.client.send(this.real(text));
        continue;
      }
      const wanted = read(text);
      this.provoke(wanted);
      for (;;) {
        const frame = await this.client.next();
        const seen = read(frame);
        const isEarlier = seen.offset !== undefined && seen.offset < wanted.offset;
        const isOfAnother = wanted.event === undefined && /^43\d+\[\{"error/.test(frame);
        if (!isEarlier && !isOfAnother) {
          const comparable = this.client.isMsgpack ? JSON.parse : String;
          assert.deepEqual(comparable(this.written(frame, wanted.id)), comparable(text));
          break;
        }
        this.written(frame);
        if (isEarlier && seen.id !== undefined) this.acknowledge(seen.id);
      }
    }
  }

  /** @param {number} id */
  acknowledge(id) {
    const packet = JSON.stringify({ type: 3, data: [], id, nsp: '/' });
    this.client.send(this.client.isMsgpack ? packet : `43${id}[]`);
  }
}

/**
 * A server with what the page uses, and a client that has authenticated.
 * @param {import('node:test').TestContext} t
 * @param {Block} block
 * @param {3|4} eio
 * @returns {Promise<Player>}
 */
async function prepare(t, block, eio) {
  const all = block.frames.map(({ text }) => text).join('\n');
  const isMsgpack = block.heading === 'MessagePack';
  const [namespace] = /\/shop/.exec(all) ?? ['/'];
  const bus = new EventEmitter();
  const io = new LoopbackSocket.Server(0, isMsgpack ? { parser: 'msgpack' } : {});
  t.after(() => io.close());
  const sockets = new LoopbackSocket('page');
  sockets.auth((socket, { token }) => token === 'open sesame');
  const history = { size: 200 };
  sockets.defineSubscription('orders', () => bus, { key: () => 'all', history });
  const whenAborted = (socket, credentials, args, { signal }) =>
    new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
    });
  sockets.defineMethod('report', whenAborted, { context: true });
  sockets.start(namespace === '/' ? io : io.of(namespace));
  if (!io.httpServer.listening) await once(io.httpServer, 'listening');
  const { port } = io.httpServer.address();
  const join = async () => {
    const client = new FrameClient(port, eio, isMsgpack);
    t.after(() => client.socket.terminate());
    return { client, authenticated: await client.authenticate(namespace) };
  };
  const { client, authenticated } = await join();
  const player = new Player(block, client, bus);
  if (all.includes('"authentication"')) {
    assert.equal(authenticated, block.frames[1].text);
    block.frames.length = 0;
  } else if (all.includes('"after"')) {
    // Somebody has been there before, and is still: the source is the one of the page.
    const other = (await join()).client;
    other.send('420["orders",{"args":{}}]');
    player.written(await other.next());
    player.fill(Number(/"after":"[^"]*-(\d+)"/.exec(all)[1]));
  } else if (!all.includes('"args"') && !all.includes('loopback:cancel')) {
    client.send('427["orders",{"args":{}}]');
    player.written(await client.next());
  }
  return player;
}

describe('the page about subscriptions', { timeout: 60_000 }, () => {
  for (const [eio, protocol] of [
    [4, 5],
    [3, 4],
  ]) {
    for (const block of blocks()) {
      const { heading } = block;
      if (eio === 3 && heading === 'MessagePack') continue;
      it(`the frames of the section “${heading}” are those of the native server in protocol ${protocol}`, async (t) => {
        const player = await prepare(t, block, eio);
        await player.play();
      });
    }
  }
});
