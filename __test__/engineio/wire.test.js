'use strict';

// What goes over the wire: binary on every transport and version, names however they are written,
// and requests that are refused.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, it } = require('node:test');
const { upgradeRequest } = require('../support/raw');
const {
  CLIENTS,
  TIMEOUT,
  call,
  happens,
  loopbackSocket,
  served,
  upgraded,
} = require('../support/native-server');

describe('binary data', () => {
  const bytes = Buffer.from([0, 1, 2, 250, 255, 30, 10]);
  const bytesOf = (value) => Buffer.from(value instanceof ArrayBuffer ? value : value);

  for (const version of CLIENTS) {
    for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
      it(
        `binary data is sent and received with client ${version} over ${transports.join(' and ')}`,
        TIMEOUT,
        served({}, async (world) => {
          const instance = loopbackSocket();
          instance.defineMethod('echo', (socket, credentials, args) => {
            assert.ok(Buffer.isBuffer(args.deep[1].bytes), 'a Buffer arrives');
            return { back: args.deep[1].bytes, typed: new Uint16Array([1, 2]), text: args.text };
          });
          instance.start(world.io);
          const { client, socket } = await world.connect(version, { transports });
          if (transports.length === 2) await upgraded(client);
          client.emit('authentication', { token: 'valid', photo: bytes });
          await happens(client, 'authenticated');
          const [{ result }] = await call(client, 'echo', { deep: [0, { bytes }], text: 'ü' });
          assert.deepEqual(bytesOf(result.back), bytes);
          assert.deepEqual(bytesOf(result.typed), Buffer.from([1, 0, 2, 0]));
          assert.equal(result.text, 'ü');
          const event = happens(client, 'event');
          const asked = call(socket, 'ask', bytes);
          client.on('ask', (value, acknowledge) => acknowledge(bytesOf(value), 'seen'));
          assert.deepEqual(await asked, [bytes, 'seen']);
          world.io.emit('event', 1, bytes, { more: new Uint8Array(bytes).buffer }, Buffer.alloc(0));
          const [one, first, { more }, empty] = await event;
          assert.deepEqual([one, bytesOf(first), bytesOf(more)], [1, bytes, bytes]);
          assert.equal(bytesOf(empty).length, 0);
        }),
      );
    }
  }

  it(
    'binary data goes as b4… to a polling client of Engine.IO 3 that asks for base64',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.polling({ eio: 3, query: 'b64=1', poll: false, join: false });
      const connected = once(world.io, 'connection');
      await raw.poll();
      const [socket] = world.io.sockets.sockets.size
        ? world.io.sockets.sockets.values()
        : await connected;
      socket.emit('x', bytes);
      const { type, body } = await raw.poll();
      assert.match(type, /^text\/plain/);
      const announced = '451-["x",{"_placeholder":true,"num":0}]';
      const attached = `b4${bytes.toString('base64')}`;
      assert.equal(String(body), `${announced.length}:${announced}${attached.length}:${attached}`);
    }),
  );

  it(
    'binary data is accepted as b4… and as bytes from a polling client of Engine.IO 3',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.polling({ eio: 3 });
      const received = [];
      raw.socket.on('x', (value, done) => {
        received.push(value);
        done();
      });
      const announced = '451-0["x",{"_placeholder":true,"num":0}]';
      const attached = `b4${bytes.toString('base64')}`;
      const first = raw.packet('30[');
      await raw.post(`${announced.length}:${announced}${attached.length}:${attached}`);
      await first;
      const digits = (n) => Buffer.from([...String(n)].map(Number));
      const head = (type, n) => Buffer.concat([Buffer.from([type]), digits(n), Buffer.from([255])]);
      const second = raw.packet('30[');
      const body = [head(0, announced.length), Buffer.from(announced)];
      body.push(head(1, bytes.length + 1), Buffer.from([4]), bytes);
      await raw.post(Buffer.concat(body), 'application/octet-stream');
      await second;
      assert.deepEqual(received, [bytes, bytes]);
    }),
  );

  for (const eio of [3, 4]) {
    it(
      `base64 with line breaks, as engine.io-client-java writes it, is decoded for a polling client of Engine.IO ${eio}`,
      TIMEOUT,
      served({}, async (world) => {
        const raw = await world.polling({ eio });
        const received = once(raw.socket, 'x');
        const long = Buffer.alloc(300, bytes);
        const lines = long.toString('base64').replace(/.{76}/g, '$&\n');
        const announced = '451-["x",{"_placeholder":true,"num":0}]';
        const attached = eio === 3 ? `b4${lines}\n` : `b${lines}\n`;
        await raw.post(
          eio === 3
            ? `${announced.length}:${announced}${attached.length}:${attached}`
            : `${announced}\x1e${attached}`,
        );
        assert.deepEqual(await received, [long]);
      }),
    );
  }
});

describe('names', () => {
  it(
    'an event name with JSON escapes equals the unescaped name',
    TIMEOUT,
    served({}, async (world) => {
      const instance = loopbackSocket();
      const names = ['spy', 'ünï✓', '😀', 'a"b\\c', '', '__proto__', 'constructor', 'tab\t'];
      for (const name of names) {
        instance.defineMethod(name, (socket, credentials, args) => [name, args]);
      }
      instance.start(world.io);
      const escaped = (name) =>
        [...name.matchAll(/[^]/g)]
          .map(([unit]) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
          .join('');
      const raw = await world.raw();
      await raw.send('42["\\u0061uthentication",{"token":"valid"}]');
      await raw.packet('2["authenticated",true]');
      assert.deepEqual((await sendNamed(raw, '"sp\\u0079"'))[0], { result: ['spy', 1] });
      for (const name of names) {
        const expected = [{ result: [name, 1] }];
        assert.deepEqual(await sendNamed(raw, JSON.stringify(name)), expected);
        assert.deepEqual(await sendNamed(raw, `"${escaped(name)}"`), expected);
        assert.deepEqual(await raw.call(name, 1), expected);
      }
      assert.equal(raw.socket.connected, true);
    }),
  );

  async function sendNamed(raw, json) {
    const id = raw.lastAck++;
    const answer = raw.packet(`3${id}[`);
    await raw.send(`42${id}[${json},1]`);
    return JSON.parse((await answer).slice(`43${id}`.length));
  }

  it(
    'an event may have any string or number as its name',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.raw();
      for (const name of ['hasOwnProperty', 'message', '12', 'lone\ud800']) {
        raw.socket.on(name, (done) => done(name));
      }
      assert.deepEqual(await raw.call('hasOwnProperty'), ['hasOwnProperty']);
      assert.deepEqual(await raw.call('message'), ['message']);
      assert.deepEqual(await raw.call(12), ['12']);
      assert.deepEqual(await raw.call('lone\ud800'), ['lone\ud800']);
    }),
  );

  it(
    'a namespace may have a query string after its name',
    TIMEOUT,
    served({}, async (world) => {
      const connected = once(world.io.of('/chat'), 'connection');
      world.client('2.5', { nsp: '/chat?token=a%20b' });
      const [socket] = await connected;
      assert.equal(socket.handshake.query.token, 'a b');
      assert.equal(socket.nsp.name, '/chat');
    }),
  );
});

describe('events before the socket is accepted', () => {
  /**
   * Has middleware look at the next socket until it is told to let it in.
   * @param {object} io
   * @returns {Promise<() => void>} lets it in
   */
  const lookedAt = (io) =>
    new Promise((resolve) => {
      io.use((socket, next) => resolve(next));
    });

  it(
    'an event of an Engine.IO 3 client waits until middleware has accepted the socket',
    TIMEOUT,
    served({}, async (world) => {
      const looking = lookedAt(world.io);
      const heard = new Promise((resolve) => {
        world.io.on('connection', (socket) => socket.on('early', resolve));
      });
      const raw = await world.raw({ eio: 3, join: false });
      const letIn = await looking;
      await raw.send('42["early",1]');
      await raw.send('2');
      await raw.received.next((item) => item === '3');
      letIn();
      assert.equal(await heard, 1);
    }),
  );

  it(
    'an event of an Engine.IO 4 client before its socket is accepted ends the connection',
    TIMEOUT,
    served({}, async (world) => {
      const looking = lookedAt(world.io);
      world.io.on('connection', () => assert.fail('it is never let in'));
      const raw = await world.raw({ join: false });
      await raw.send('40');
      await looking;
      await raw.send('42["early",1]');
      await raw.closed;
    }),
  );
});

describe('requests that are refused', () => {
  /** What a request is refused with. */
  const refusal = async (world, path, options) => {
    const response = await fetch(world.url + path, options);
    return [response.status, JSON.parse(await response.text())];
  };
  const unknownTransport = [400, { code: 0, message: 'Transport unknown' }];
  const unknownSession = [400, { code: 1, message: 'Session ID unknown' }];
  const badMethod = [400, { code: 2, message: 'Bad handshake method' }];
  const badRequest = [400, { code: 3, message: 'Bad request' }];

  it(
    'a request that cannot be served is refused with the error code of Engine.IO',
    TIMEOUT,
    served({}, async (world) => {
      const { sid } = await world.raw();
      const gone = 'AAAAAAAAAAAAAAAAAAAA';
      for (const [query, expected, options] of [
        ['', unknownTransport],
        ['?EIO=4', unknownTransport],
        ['?EIO=4&transport=smoke', unknownTransport],
        ['?EIO=4&transport=__proto__', unknownTransport],
        ['?EIO=4&transport=websocket', badRequest],
        [`?EIO=4&transport=polling&sid=${gone}`, unknownSession],
        ['?EIO=4&transport=polling&sid=nonsense', unknownSession],
        ['?EIO=4&transport=polling&sid=%00', unknownSession],
        ['?EIO=4&transport=polling', badMethod, { method: 'POST' }],
        ['?EIO=4&transport=polling', badMethod, { method: 'PUT' }],
        [`?EIO=4&transport=polling&sid=${sid}`, badRequest],
        [`?EIO=4&transport=polling&sid=${sid}`, badRequest, { method: 'POST', body: '40' }],
        [`?EIO=4&transport=polling&sid=${sid}`, badRequest, { method: 'DELETE' }],
      ]) {
        assert.deepEqual(await refusal(world, `/socket.io/${query}`, options), expected, query);
      }
      assert.equal(await world.isAlive(), 'yes');
    }),
  );

  it(
    'an upgrade that cannot be served is refused with the same error and its TCP socket ends',
    TIMEOUT,
    served({}, async (world) => {
      const query = 'EIO=4&transport=websocket';
      const invalid = (what) => [
        400,
        { message: `Missing or invalid Sec-WebSocket-${what} header` },
      ];
      for (const [options, [, { message }]] of [
        [{ query: 'EIO=4&transport=polling' }, badRequest],
        [{ query: 'EIO=4&transport=smoke' }, unknownTransport],
        [{ query: `${query}&sid=AAAAAAAAAAAAAAAAAAAA` }, unknownSession],
        [{ query, headers: { 'Sec-WebSocket-Key': undefined } }, invalid('Key')],
        [{ query, headers: { 'Sec-WebSocket-Key': '' } }, invalid('Key')],
        [{ query, headers: { 'Sec-WebSocket-Key': 'too short' } }, invalid('Key')],
        [{ query, headers: { 'Sec-WebSocket-Key': `${'x'.repeat(5000)}==` } }, invalid('Key')],
        [{ query, headers: { 'Sec-WebSocket-Version': '12' } }, invalid('Version')],
        [{ query, headers: { 'Sec-WebSocket-Version': undefined } }, invalid('Version')],
        [{ query, headers: { Upgrade: 'h2c' } }, [400, { message: 'Invalid Upgrade header' }]],
      ]) {
        const tcp = await world.tcp();
        tcp.socket.write(upgradeRequest(options));
        const [head, said] = await tcp.until(/^HTTP\/1.1 400 [^]*\r\n\r\n(.+)$/);
        assert.equal(said, message, JSON.stringify(options));
        // The client learns which versions there are (RFC 6455, section 4.4).
        const isOfVersion = message.includes('Version');
        assert.equal(/\r\nSec-WebSocket-Version: 13, 8\r\n/.test(head), isOfVersion, message);
        await tcp.ended;
      }
      assert.equal(await world.isAlive(), 'yes');
    }),
  );

  it(
    'a socket that middleware refuses gets the CONNECT_ERROR of its protocol version',
    TIMEOUT,
    served({}, async (world) => {
      let reason;
      world.io.use((socket, next) => next(reason));
      for (const [given, in3, in4] of [
        ['text', '44', '44{}'],
        [7, '44', '44{}'],
        [new Error('no'), '44"no"', '44{"message":"no"}'],
        [
          Object.assign(new Error('no'), { data: { why: 1 } }),
          '44{"why":1}',
          '44{"message":"no","data":{"why":1}}',
        ],
      ]) {
        reason = given;
        const old = await world.raw({ eio: 3, join: false });
        assert.equal(await old.packet('4'), in3);
        const raw = await world.raw({ join: false });
        await raw.send('40');
        assert.equal(await raw.packet('4'), in4);
      }
    }),
  );

  it(
    'a request without EIO speaks Engine.IO 3',
    TIMEOUT,
    served({}, async (world) => {
      const websocket = await world.raw({ eio: 0 });
      assert.ok(await websocket.socket.connected);
      const response = await fetch(`${world.url}/socket.io/?transport=polling`);
      assert.match(await response.text(), /^\d+:0\{/);
    }),
  );
});
