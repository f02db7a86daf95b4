'use strict';

// The frames of docs/subscriptions.md, byte by byte, as both kinds of server send them. Only two things differ from
// one run to the next: the name of a source, which stands as SOURCE here, and the ids of acknowledgements, which
// stand as ACK.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { describe, it } = require('node:test');
const { TIMEOUT, subscribed } = require('../support/subscription-world');

const PAGE = path.join(__dirname, '..', '..', 'docs', 'subscriptions.md');

const SERVERS = ['native', 2, 4];

const KEY = { key: '7' };
const BY_SHOP = { key: ({ shop }) => ({ key: String(shop) }) };

/** What a raw client receives, without what differs. */
class Frames {
  /** The ids of acknowledgements that were asked for, in their order. */
  acks = [];
  /** The names of sources, in their order. */
  sources = [];

  constructor(raw) {
    this.raw = raw;
  }

  /** @returns {Promise<string | Buffer>} the next frame that is not a ping of Engine.IO */
  async next() {
    const frame = await this.raw.received.next((item) => item !== '2' && item !== '3');
    return typeof frame === 'string' ? this.#masked(frame) : frame;
  }

  #masked(frame) {
    let masked = frame.replace(/"source":"([^"]+)"/, (_, source) => {
      if (!this.sources.includes(source)) this.sources.push(source);
      return '"source":"SOURCE"';
    });
    const source = this.sources.at(-1);
    if (source !== undefined) masked = masked.replaceAll(`"id":"${source}-`, '"id":"SOURCE-');
    return masked.replace(/^(42|451-)((?:\/[^,]*,)?)(\d+)\[/, (_, type, namespace, id) => {
      this.acks.push(Number(id));
      return `${type}${namespace}ACK[`;
    });
  }

  /** Authenticates, so that what is defined by now can be used. */
  async authenticate() {
    await this.play('→ 42["authentication",{"token":"open sesame"}]', '← 42["authenticated",true]');
  }

  /**
   * Sends frames and compares what comes then with what is expected.
   * @param {string[]} lines those of the page: `→` is sent, `←` is expected
   */
  async play(...lines) {
    for (const line of lines) {
      if (line.startsWith('→ ')) {
        await this.raw.send(line.slice(2).replace('ACK', () => this.acks.at(-1)));
      } else {
        assert.equal(await this.next(), line.slice(2));
      }
    }
  }
}

for (const server of SERVERS) {
  for (const transport of ['websocket', 'polling']) {
    const on = `${server === 'native' ? 'the native server' : `socket.io ${server}`} over ${transport}`;

    describe(`frames of subscriptions on ${on}`, () => {
      const test = (title, run, ...options) => {
        it(
          `${title} (${server}, ${transport})`,
          TIMEOUT,
          subscribed(
            server,
            async (world) => {
              const raw = await world.raw({ transport, isAuthenticated: false });
              await run(new Frames(raw), world);
            },
            ...options,
          ),
        );
      };

      test('a subscription is answered, its items follow, and every second window half asks', async (frames, world) => {
        world.sockets.defineSubscription('orders', { ...BY_SHOP, window: 4 });
        await frames.authenticate();
        await frames.play(
          '→ 420["orders",{"args":{"shop":7}}]',
          '← 430[{"result":{"subscription":1,"source":"SOURCE","resumed":false}}]',
        );
        for (let id = 1; id <= 4; id += 1)
          world.sockets.publish('orders', KEY, { id, total: 'ü"✓' });
        await frames.play(
          '← 42["orders",{"id":1,"total":"ü\\"✓"},{"source":"SOURCE","id":"SOURCE-1"}]',
          '← 42ACK["orders",{"id":2,"total":"ü\\"✓"},{"source":"SOURCE","id":"SOURCE-2"}]',
          '← 42["orders",{"id":3,"total":"ü\\"✓"},{"source":"SOURCE","id":"SOURCE-3"}]',
          '← 42ACK["orders",{"id":4,"total":"ü\\"✓"},{"source":"SOURCE","id":"SOURCE-4"}]',
          '→ 43ACK[]',
        );
        if (server === 'native') {
          for (const id of frames.acks) assert.ok(id >= 2 ** 30 && id < 2 ** 31, `${id}`);
        }
        world.sockets.publish('orders', KEY, undefined);
        await frames.play(
          '← 42["orders",null,{"source":"SOURCE","id":"SOURCE-5"}]',
          '→ 421["loopback:unsubscribe",1]',
          '← 431[{"result":true}]',
          '→ 422["loopback:unsubscribe",1]',
          '← 432[{"result":false}]',
        );
      });

      test('a private subscription ends with its reason and its error', async (frames, world) => {
        world.sockets.defineSubscription('orders', function* () {
          yield { id: 5 };
          throw Object.assign(new Error('hidden'), { code: 'GONE' });
        });
        await frames.authenticate();
        await frames.play(
          '→ 420["orders",{"args":{"shop":7}}]',
          '← 430[{"result":{"subscription":1,"source":"SOURCE","resumed":false}}]',
          '← 42["orders",{"id":5},{"source":"SOURCE"}]',
          '← 42["loopback:unsubscribed",{"subscription":1,"reason":"error","error":{"code":"GONE"}}]',
        );
      });

      test('a subscription resumes after the id that its client gives', async (frames, world) => {
        world.sockets.defineSubscription('orders', {
          ...BY_SHOP,
          history: { size: 10, ttl: 10_000 },
        });
        await frames.authenticate();
        await frames.play(
          '→ 420["orders",{"args":{"shop":7}}]',
          '← 430[{"result":{"subscription":1,"source":"SOURCE","resumed":false}}]',
        );
        for (let id = 1; id <= 3; id += 1) world.sockets.publish('orders', KEY, id);
        await frames.play(
          '← 42["orders",1,{"source":"SOURCE","id":"SOURCE-1"}]',
          '← 42["orders",2,{"source":"SOURCE","id":"SOURCE-2"}]',
          '← 42["orders",3,{"source":"SOURCE","id":"SOURCE-3"}]',
          '→ 421["loopback:unsubscribe",1]',
          '← 431[{"result":true}]',
          `→ 422["orders",{"args":{"shop":7},"after":"${frames.sources[0]}-1"}]`,
          '← 432[{"result":{"subscription":2,"source":"SOURCE","resumed":true}}]',
          '← 42["orders",2,{"source":"SOURCE","id":"SOURCE-2"}]',
          '← 42["orders",3,{"source":"SOURCE","id":"SOURCE-3"}]',
        );
      });

      test('items of a private source have the ids that its handler gives', async (frames, world) => {
        const { tracked, resumed } = world.sockets.constructor;
        world.sockets.defineSubscription('journal', (socket, credentials, args, { after }) => {
          const items = [tracked('a', 1), tracked(2, { n: 2 }), 3];
          return after === undefined ? items : resumed(items.slice(2));
        });
        await frames.authenticate();
        await frames.play(
          '→ 420["journal",{}]',
          '← 430[{"result":{"subscription":1,"source":"SOURCE","resumed":false}}]',
          '← 42["journal",1,{"source":"SOURCE","id":"a"}]',
          '← 42["journal",{"n":2},{"source":"SOURCE","id":2}]',
          '← 42["journal",3,{"source":"SOURCE"}]',
          '← 42["loopback:unsubscribed",{"subscription":1,"reason":"end"}]',
          '→ 421["journal",{"after":2}]',
          '← 431[{"result":{"subscription":2,"source":"SOURCE","resumed":true}}]',
          '← 42["journal",3,{"source":"SOURCE"}]',
          '← 42["loopback:unsubscribed",{"subscription":2,"reason":"end"}]',
        );
      });

      test('an item with bytes is a packet with attachments', async (frames, world) => {
        world.sockets.defineSubscription('orders', { ...BY_SHOP, window: 2 });
        await frames.authenticate();
        await frames.play(
          '→ 420["orders",{"args":{"shop":7}}]',
          '← 430[{"result":{"subscription":1,"source":"SOURCE","resumed":false}}]',
        );
        world.sockets.publish('orders', KEY, { receipt: Buffer.from([1, 2, 255]) });
        await frames.play(
          '← 451-ACK["orders",{"receipt":{"_placeholder":true,"num":0}},{"source":"SOURCE","id":"SOURCE-1"}]',
        );
        const bytes = await frames.next();
        // In protocol 4, a binary frame of a websocket begins with the type of the Engine.IO packet.
        const isPrefixed = server === 2 && transport === 'websocket';
        assert.deepEqual([...bytes], isPrefixed ? [4, 1, 2, 255] : [1, 2, 255]);
      });

      test('a refusal is the answer', async (frames, world) => {
        world.sockets.defineSubscription('orders', { ...BY_SHOP, authorize: () => false });
        await frames.authenticate();
        await frames.raw.send('420["orders",{"args":{"shop":7}}]');
        const answer = JSON.parse((await frames.next()).slice(3));
        assert.equal(answer[0].error.code, 'ERR_LOOPBACK_SOCKET_FORBIDDEN');
        assert.deepEqual(Object.keys(answer[0]), ['error']);
        assert.deepEqual(Object.keys(answer[0].error), ['code', 'message']);
      });

      test('subscribing without an acknowledgement, an argument or an object does no harm', async (frames, world) => {
        world.sockets.defineSubscription('orders', { key: () => '7' });
        await frames.authenticate();
        await frames.play('→ 42["orders",{"args":{"shop":7}}]');
        await frames.play('→ 421["answer"]', '← 431[{"result":"pong"}]');
        world.sockets.publish('orders', KEY, 1);
        assert.match(await frames.next(), /^42\["orders",1,\{"source":"SOURCE","id":"/);
        await frames.play(
          '→ 422["orders"]',
          '← 432[{"result":{"subscription":2,"source":"SOURCE","resumed":false}}]',
          '→ 423["orders",null]',
          '← 433[{"result":{"subscription":3,"source":"SOURCE","resumed":false}}]',
          '→ 424["orders",5]',
          '← 434[{"result":{"subscription":4,"source":"SOURCE","resumed":false}}]',
        );
      });
    });
  }

  const on = server === 'native' ? 'the native server' : `socket.io ${server}`;

  it(`frames of subscriptions name their namespace on ${on}`, TIMEOUT, async (t) => {
    const test = subscribed(server, async (world) => {
      const shop = world.io.of('/shop');
      const sockets = world.instance();
      sockets.start(shop);
      sockets.defineSubscription('orders', { ...BY_SHOP, window: 2 });
      const raw = await world.raw();
      await raw.send('40/shop');
      await raw.packet('0/shop');
      await raw.send('42/shop,["authentication",{}]');
      await raw.packet('2/shop,["authenticated",true]');
      const frames = new Frames(raw);
      await frames.play(
        '→ 42/shop,0["orders",{"args":{"shop":7}}]',
        '← 43/shop,0[{"result":{"subscription":1,"source":"SOURCE","resumed":false}}]',
      );
      sockets.publish('orders', KEY, { id: 5 });
      await frames.play(
        '← 42/shop,ACK["orders",{"id":5},{"source":"SOURCE","id":"SOURCE-1"}]',
        '→ 43/shop,ACK[]',
        '→ 42/shop,1["loopback:unsubscribe",1]',
        '← 43/shop,1[{"result":true}]',
      );
    });
    await test(t);
  });
}

describe('docs/subscriptions.md', () => {
  it('the page shows frames as they are tested: requests, answers, items and ends', () => {
    const page = fs.readFileSync(PAGE, 'utf8');
    const shown = [...page.matchAll(/^[→←] (4[^\n]+)$/gm)].map(([, frame]) => frame);
    assert.ok(shown.length > 15, `${shown.length} frames`);
    const FORMS = [
      /^42\["authentication",\{.*\}\]$/,
      /^42\["authenticated",true\]$/,
      /^42(\/shop,)?\d+\["orders",\{"args":\{"shop":7\}(,"after":"[\w-]+-\d+")?\}\]$/,
      /^43(\/shop,)?\d+\[\{"result":\{"subscription":1,"source":"\w+","resumed":(true|false)\}\}\]$/,
      /^42(\/shop,)?(1\d{9})?\["orders",\{.*\},\{"source":"(\w+)","id":"\3-\d+"\}\]$/,
      /^451-1\d{9}\["orders",\{"receipt":\{"_placeholder":true,"num":0\}\},\{"source":"(\w+)","id":"\1-\d+"\}\]$/,
      /^431\d{9}\[\]$/,
      /^421\["loopback:unsubscribe",1\]$/,
      /^43\d\[\{"result":(true|false)\}\]$/,
      /^42\["loopback:unsubscribed",\{"subscription":1,"reason":"error","error":\{"code":"GONE"\}\}\]$/,
      /^42\d\["report",\{"year":2026\},\{"call":"r1"\}\]$/,
      /^42\d\["loopback:cancel","r1"\]$/,
    ];
    assert.deepEqual(
      shown.filter((frame) => !FORMS.some((form) => form.test(frame))),
      [],
    );
  });
});
