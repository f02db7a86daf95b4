'use strict';

// MessagePack instead of Socket.IO's own packets: what clients with socket.io-msgpack-parser may
// rely on, and what a client that speaks anything else comes to.

const assert = require('node:assert/strict');
const { EventEmitter, once } = require('node:events');
const { describe, it } = require('node:test');
const { inspect } = require('node:util');
const msgpack = require('socket.io-msgpack-parser');
const msgpack2 = require('socket.io-msgpack-parser-2');
const socketIo = require('socket.io');
const WebSocket = require('ws');
const { Server } = require('../..');
const { run } = require('../support/context');
const {
  TIMEOUT,
  call,
  ending,
  happens,
  loopbackSocket,
  reach,
  served,
  uncaught,
  upgraded,
} = require('../support/native-server');

/** What speaks MessagePack: version 2 of the parser belongs to Engine.IO 3 clients. */
const SPEAKERS = { 2.5: msgpack2, 3.1: msgpack, 4.8: msgpack };
const TRANSPORTS = [['websocket'], ['polling'], ['polling', 'websocket']];

const VALUES = [
  null,
  true,
  false,
  0,
  -1,
  31,
  -33,
  128,
  65_536,
  -2_147_483_649,
  Number.MAX_SAFE_INTEGER,
  Number.MIN_SAFE_INTEGER,
  0.1,
  -1.5e-7,
  Number.MAX_VALUE,
  Number.MIN_VALUE,
  '',
  'text',
  'x'.repeat(40),
  'é✓😀"\\\u0000\u2028',
  'y'.repeat(70_000),
  [],
  {},
  [[[]], [{}]],
  { '': 1, constructor: { length: 2 }, 'a"b\\c': [null], 7: 'seven' },
  Array.from({ length: 300 }, (_, index) => index),
  Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`key ${index}`, { index }])),
];

const encode = (packet) => new msgpack.Encoder().encode(packet)[0];
const decode = (message) => {
  const decoder = new msgpack.Decoder();
  let packet;
  decoder.once('decoded', (decoded) => (packet = decoded));
  decoder.add(message);
  return packet;
};
const bytes = Buffer.from([0, 1, 2, 250, 255, 30, 10]);
const toBuffer = (value) => Buffer.from(value);

/**
 * A test with a server that speaks MessagePack.
 * @param {(world: object) => Promise<void>} test
 * @returns {() => Promise<void>} for `it`
 */
function speaking(test) {
  return served({ parser: 'msgpack' }, test);
}

/**
 * @param {object} world
 * @param {object} [options] of the client
 * @param {string} [version]
 * @returns {Promise<{client: any, socket: any}>} a client with its parser, connected
 */
function speaker(world, options, version = '4.8') {
  return world.connect(version, { parser: SPEAKERS[version], ...options });
}

describe('MessagePack', () => {
  for (const [version, parser] of Object.entries(SPEAKERS)) {
    for (const transports of TRANSPORTS) {
      it(
        `a MessagePack client ${version} authenticates, calls and answers over ${transports.join(' and ')}`,
        TIMEOUT,
        speaking(async (world) => {
          const instance = loopbackSocket();
          instance.defineMethod('echo', (socket, credentials, args) => args);
          instance.defineMethod('whoami', (socket, credentials) => credentials);
          instance.defineMethod('fail', () => {
            throw Object.assign(new Error('no'), { code: 'E_NO' });
          });
          instance.start(world.io);
          const { client, socket } = await world.connect(version, { parser, transports });
          if (transports.length === 2) await upgraded(client);
          client.emit('authentication', { token: 'valid', photo: bytes });
          assert.deepEqual(await happens(client, 'authenticated'), [true]);
          const [{ result }] = await call(client, 'echo', VALUES);
          // The encoder of the client takes integers beyond 2⁶⁴ for 0.
          const expected = VALUES.map((value) => (value === Number.MAX_VALUE ? 0 : value));
          assert.deepEqual(result, expected);
          const [{ result: credentials }] = await call(client, 'whoami', 0);
          assert.deepEqual(toBuffer(credentials.photo), bytes);
          assert.deepEqual(await call(client, 'fail', 0), [{ error: { code: 'E_NO' } }]);
          client.on('ask', (value, acknowledge) => acknowledge({ deep: [value] }, 'seen'));
          const [{ deep }, seen] = await call(socket, 'ask', { bytes });
          assert.ok(Buffer.isBuffer(deep[0].bytes));
          assert.deepEqual([deep[0].bytes, seen], [bytes, 'seen']);
        }),
      );
    }
  }

  it(
    'a MessagePack client that acknowledges its refusal is disconnected',
    TIMEOUT,
    speaking(async (world) => {
      loopbackSocket().start(world.io);
      const { client } = await speaker(world);
      const refused = happens(client, 'unauthorized');
      const ended = happens(client, 'disconnect');
      client.emit('authentication', { token: 'wrong' });
      const [{ message }, acknowledge] = await refused;
      assert.equal(message, 'Authentication failure');
      acknowledge();
      assert.equal((await ended)[0], 'io server disconnect');
    }),
  );

  it(
    'MessagePack carries dates, NaN, Infinity and undefined in both directions',
    TIMEOUT,
    speaking(async (world) => {
      const { client, socket } = await speaker(world);
      const time = new Date(1_700_000_000_123);
      const values = [undefined, [time, NaN, Infinity, undefined], { gone: undefined, kept: 1 }];
      const heard = once(socket, 'm');
      client.emit('m', ...values);
      assert.deepEqual(await heard, values);
      const answer = happens(client, 'n');
      socket.emit('n', ...values);
      assert.deepEqual(await answer, values);
    }),
  );

  it(
    'MessagePack carries 2,500 levels of nesting and a deeper packet ends its connection',
    TIMEOUT,
    speaking(async (world) => {
      const { client, socket } = await speaker(world);
      let deep = [];
      for (let i = 0; i < 2500; i++) deep = [deep];
      socket.on('echo', (value, acknowledge) => acknowledge(value));
      let [answer] = await call(client, 'echo', deep);
      for (let i = 0; i < 2500; i++) [answer] = answer;
      assert.deepEqual(answer, []);
      const raw = await world.raw({ join: false });
      const bottomless = Buffer.alloc(500_000, 0x91);
      raw.send(Buffer.concat([Buffer.from('81a464617461', 'hex'), bottomless]));
      await raw.closed;
      assert.deepEqual(await call(client, 'echo', 1), [1]);
    }),
  );

  it(
    'a MessagePack acknowledgement has the id that the client gave, even a negative one',
    TIMEOUT,
    speaking(async (world) => {
      world.io.on('connection', (socket) => {
        socket.on('event', (...args) => args.pop()('done'));
      });
      const ws = new WebSocket(`ws://127.0.0.1:${world.port}/socket.io/?EIO=4&transport=websocket`);
      const answers = [];
      ws.on('message', (message, isBinary) => {
        const packet = isBinary ? decode(message) : undefined;
        if (packet?.type === 3) answers.push([packet.id, packet.data]);
      });
      await once(ws, 'message');
      ws.send(encode({ type: 0, nsp: '/' }));
      await once(ws, 'message');
      const ids = [0, 1, -1, -2, -128, 2 ** 33];
      for (const id of ids) ws.send(encode({ type: 2, nsp: '/', data: ['event'], id }));
      await reach(() => answers.length === ids.length || ws.readyState !== ws.OPEN);
      ws.terminate();
      assert.deepEqual(
        answers,
        ids.map((id) => [id, ['done']]),
      );
    }),
  );

  it(
    'a dynamic namespace gets the auth payload of a MessagePack client as it was sent',
    TIMEOUT,
    speaking(async (world) => {
      const given = [];
      const parent = world.io.of((name, auth, next) => {
        given.push(auth);
        // What came is the application's; the socket has what the client sent.
        setImmediate(() => next(null, Object.keys(auth).length > 1));
      });
      const connected = once(parent, 'connection');
      const auth = { when: new Date(7), not: NaN, photo: bytes };
      const parser = SPEAKERS[4.8];
      const client = world.client('4.8', { parser, nsp: '/made', auth });
      const [[socket]] = await Promise.all([connected, happens(client, 'connect')]);
      assert.deepEqual([socket.handshake.auth, given], [auth, [auth]]);
      const refused = world.client('4.8', { parser, nsp: '/other', auth: { photo: bytes } });
      assert.equal((await happens(refused, 'connect_error'))[0].message, 'Invalid namespace');
    }),
  );

  it(
    'a MessagePack client joins a namespace with its auth payload',
    TIMEOUT,
    speaking(async (world) => {
      world.io.of('/admin');
      const auth = { token: 'abc', deep: [1], photo: bytes };
      const { client, socket } = await speaker(world, { nsp: '/admin', auth });
      assert.deepEqual(socket.handshake.auth, auth);
      assert.equal(client.id, socket.id);
      const heard = happens(client, 'hello');
      world.io.of('/admin').emit('hello', { a: 1 });
      assert.deepEqual(await heard, [{ a: 1 }]);
      const left = ending(socket);
      client.disconnect();
      assert.equal((await left)[0], 'client namespace disconnect');
    }),
  );

  it(
    'a MessagePack client is told why a namespace refuses it',
    TIMEOUT,
    speaking(async (world) => {
      const parser = msgpack;
      const [unknown] = await happens(world.client('4.8', { parser, nsp: '/no' }), 'connect_error');
      assert.equal(unknown.message, 'Invalid namespace');
      world.io.of('/closed').use((socket, next) => {
        next(Object.assign(new Error('not you'), { data: { retryAfter: 3 } }));
      });
      const client = world.client('4.8', { parser, nsp: '/closed' });
      const [error] = await happens(client, 'connect_error');
      assert.equal(error.message, 'not you');
      assert.deepEqual(error.data, { retryAfter: 3 });
    }),
  );

  it(
    'a MessagePack client of Engine.IO 3 is told why a namespace refuses it',
    TIMEOUT,
    speaking(async (world) => {
      world.io.of('/closed').use((socket, next) => next(new Error('not you')));
      const client = world.client('2.5', { parser: msgpack2, nsp: '/closed' });
      assert.deepEqual(await happens(client, 'error'), ['not you']);
      const lost = world.client('2.5', { parser: msgpack2, nsp: '/no' });
      assert.deepEqual(await happens(lost, 'error'), ['Invalid namespace']);
    }),
  );

  it(
    'MessagePack clients receive broadcasts to their rooms and acknowledge them',
    TIMEOUT,
    speaking(async (world) => {
      const one = await speaker(world);
      const two = await speaker(world, {}, '3.1');
      const three = await speaker(world, {}, '2.5');
      one.socket.join('r');
      three.socket.join('r');
      two.client.on('news', () => assert.fail('not in the room'));
      const heard = [one, three].map(({ client }) => happens(client, 'news'));
      world.io.to('r').emit('news', 1, { bytes }, ['é']);
      for (const [number, { bytes: received }, list] of await Promise.all(heard)) {
        assert.deepEqual([number, toBuffer(received), list], [1, bytes, ['é']]);
      }
      for (const { client } of [one, two, three]) {
        client.on('ask', (acknowledge) => acknowledge(bytes));
      }
      const answers = await world.io.timeout(10_000).emitWithAck('ask');
      assert.deepEqual(answers, [bytes, bytes, bytes]);
    }),
  );

  it(
    'successive broadcasts to the same MessagePack clients keep their order and values',
    TIMEOUT,
    speaking(async (world) => {
      const speakers = [await speaker(world), await speaker(world, {}, '2.5')];
      const logs = speakers.map(({ client }) => {
        const log = [];
        client.on('n', (...args) => log.push(args));
        return log;
      });
      const done = speakers.map(({ client }) => happens(client, 'done'));
      const sent = [];
      for (let n = 0; n < 50; n++) {
        // Now and then to another audience, or with an acknowledgement.
        if (n % 10 === 3) world.io.to('nobody').emit('n', 'lost');
        if (n % 10 === 6) speakers[0].socket.emit('other', bytes);
        if (n % 10 === 8) world.io.timeout(1).emit('n', 'asked', () => {});
        else world.io.emit('n', n, { at: new Date(n), bytes: Buffer.from([n]) });
        sent.push(n % 10 === 8 ? ['asked'] : [n, new Date(n), n]);
      }
      world.io.emit('done');
      await Promise.all(done);
      for (const log of logs) {
        const got = log.map(([n, value]) =>
          n === 'asked' ? [n] : [n, value.at, new Uint8Array(value.bytes)[0]],
        );
        assert.deepEqual(got, sent);
      }
    }),
  );

  it(
    'a client that sends anything but MessagePack loses its own connection only',
    TIMEOUT,
    speaking(async (world) => {
      const { client, socket } = await speaker(world);
      socket.on('are you there', (acknowledge) => acknowledge('yes'));
      const hostile = [
        '0',
        '2["m"]',
        '{"type":2,"nsp":"/","data":["m"]}',
        Buffer.alloc(0),
        Buffer.from([0xc1]),
        Buffer.from('ddffffffff', 'hex'),
        encode({ type: 0, nsp: '/', data: [] }),
        encode({ type: 7, nsp: '/' }),
        encode({ type: 2, nsp: '/', data: 'm' }),
        Buffer.concat([encode({ type: 0, nsp: '/' }), Buffer.from([0xc0])]),
      ];
      for (const message of hostile) {
        const raw = await world.raw({ join: false });
        raw.send(typeof message === 'string' ? `4${message}` : message);
        await raw.closed;
      }
      assert.deepEqual(await call(client, 'are you there'), ['yes']);
    }),
  );

  it(
    'a MessagePack client cannot forge reserved events or the call of another client',
    TIMEOUT,
    speaking(async (world) => {
      const { socket: other } = await speaker(world);
      other.onAny(() => assert.fail('a forged event'));
      const names = ['disconnect', 'disconnecting', 'connect', 'newListener', null, {}, []];
      for (const name of names) {
        const { client, socket } = await speaker(world);
        const ended = happens(socket, 'disconnect');
        client.io.engine.write(encode({ type: 2, nsp: '/', data: [name, 'forged'] }));
        assert.equal((await ended)[0], 'forced close');
      }
      const { client, socket } = await speaker(world);
      const heard = once(socket, 'last');
      const forged = `m"],0,-1,0,["m",{"forged":true}`;
      client.emit(forged, 1);
      client.emit('last');
      await heard;
    }),
  );

  it(
    'each MessagePack packet is one binary message without unused fields',
    TIMEOUT,
    speaking(async (world) => {
      const raw = await world.raw({ join: false });
      const connected = once(world.io, 'connection');
      raw.send(encode({ type: 0, nsp: '/' }));
      const [socket] = await connected;
      socket.emit('m', bytes);
      socket.emit('n', () => {});
      socket.disconnect();
      const packets = [];
      while (packets.length < 4) {
        packets.push(decode(await raw.binary()));
      }
      assert.deepEqual(packets, [
        { type: 0, nsp: '/', data: { sid: socket.id, pid: undefined } },
        { type: 2, nsp: '/', data: ['m', bytes] },
        { type: 2, nsp: '/', data: ['n'], id: 0 },
        { type: 1, nsp: '/' },
      ]);
    }),
  );
});

/** Values of every kind that differs from JSON, and of some that do not. */
const KINDS = [
  undefined,
  null,
  true,
  -33,
  2 ** 40,
  0.1,
  NaN,
  -Infinity,
  'é✓😀',
  new Date(1_700_000_000_123),
  new Date(NaN),
  bytes,
  Buffer.alloc(0),
  new Uint8Array([1, 2]),
  new Float32Array([0.5]).buffer,
  [undefined, [bytes]],
  { gone: undefined, at: new Date(0), deep: { bytes }, toString() {} },
  { toJSON: () => [new Date(1)] },
  new Map([[1, 2]]),
  new (class Point {
    x = 1;
  })(),
  Object.assign(new Error('no'), { code: 'E_NO' }),
];

/** Values that cannot be sent. */
const circle = { text: 'x'.repeat(100_000) };
circle.circle = [circle];
const UNSENDABLE = {
  'a circle': circle,
  'a BigInt': { big: 1n },
  'a symbol': [Symbol('s')],
  'a function in a list': [() => {}],
  'a getter that throws': {
    get bad() {
      throw new Error('bad');
    },
  },
  'a toJSON that throws': {
    toJSON() {
      throw new Error('bad');
    },
  },
};

/**
 * What goes over the wire, and what comes of what came, on a server of either kind.
 * @param {3 | 4} eio the version of Engine.IO, and with it that of the parser
 * @returns {(context: object) => Promise<object>}
 */
const wire = (eio) => async (context) => {
  const speaks = eio === 3 ? msgpack2 : msgpack;
  const pack = (packet) => {
    let messages;
    messages = new speaks.Encoder().encode(packet, (list) => (messages = list)) ?? messages;
    return messages[0];
  };
  const { io } = context;
  const received = [];
  io.of('/closed').use((socket, next) => {
    next(Object.assign(new Error('closed'), { data: { at: new Date(7), gone: undefined } }));
  });
  io.on('connection', (socket) => {
    socket.on('values', (...values) => {
      const acknowledge = values.pop();
      received.push(values);
      acknowledge(...values);
      for (const kind of KINDS) socket.emit('kind', kind);
      socket.emit('with id', new Date(9), (...answers) => received.push(answers));
      io.emit('broadcast', { at: new Date(3), bytes, gone: undefined });
      io.to(socket.id).except('nobody').emit('room', undefined, NaN);
    });
  });
  const url = `${context.url.replace('http', 'ws')}/socket.io/?EIO=${eio}&transport=websocket`;
  const client = new WebSocket(url);
  const frames = [];
  const gets = (count) =>
    new Promise((resolve) => {
      const look = () => frames.length >= count && resolve();
      client.on('message', look);
      look();
    });
  client.on('message', (data, isBinary) =>
    frames.push(isBinary ? data.toString('hex') : `${data}`),
  );
  await once(client, 'open');
  await gets(1);
  // In Engine.IO 3, a byte with the type is before binary messages.
  const say = (packet) => {
    const message = pack(packet);
    const isText = typeof message === 'string';
    if (isText) client.send(`4${message}`);
    else client.send(eio === 3 ? Buffer.concat([Buffer.from([4]), message]) : message);
  };
  let expected = 1;
  if (eio === 4) {
    say({ type: 0, nsp: '/', data: { token: new Date(1), gone: undefined } });
    await gets((expected += 1));
    // The parser of version 2 joins in JSON, which that of the server does not read on socket.io.
    for (const nsp of ['/closed', '/nowhere']) {
      say({ type: 0, nsp });
      await gets((expected += 1));
    }
  } else {
    await gets((expected += 1));
  }
  const [socket] = io.sockets.sockets.values();
  if (eio === 4) received.push(socket.handshake.auth);
  const asked = once(socket, 'with id');
  say({ type: 2, nsp: '/', data: ['values', ...KINDS], id: 5 });
  await gets((expected += 1 + KINDS.length + 3));
  say({ type: 3, nsp: '/', data: [new Date(2), undefined, bytes], id: 0 });
  say({ type: 2, nsp: '/', data: ['with id', NaN] });
  await asked;
  const left = once(socket, 'disconnect');
  client.terminate();
  await left;
  const ids = /(b4|b2)((?:3[0-9]|[46][1-9a-f]|[57][0-9a]|2d|5f){20})/g;
  return {
    received,
    frames: frames.slice(1).map((frame) => frame.replace(ids, '$1ID')),
  };
};

describe('MessagePack beside socket.io with socket.io-msgpack-parser', () => {
  for (const eio of [3, 4]) {
    it(
      `the native server sends the same bytes and reads the same values as socket.io with a MessagePack client of Engine.IO ${eio}`,
      TIMEOUT,
      async () => {
        const options = { parser: msgpack, allowEIO3: true };
        const expected = await run(socketIo.Server, wire(eio), options);
        assert.ok(expected.received.length > 0);
        const got = await run(Server, wire(eio), options);
        assert.deepEqual(got.received, expected.received);
        assert.deepEqual(got.frames, expected.frames);
      },
    );
  }

  it(
    'MessagePack answers to calls have the same bytes on the native server and on socket.io',
    TIMEOUT,
    async () => {
      const answers = async (context) => {
        const instance = loopbackSocket();
        instance.defineMethod('kind', (socket, credentials, index) => KINDS[index]);
        instance.defineMethod('fail', (socket, credentials, index) => {
          throw KINDS[index];
        });
        instance.defineMethod('late', (socket, credentials, index, done) => {
          setImmediate(done, null, KINDS[index]);
        });
        instance.start(context.io);
        const client = context.client('/', { parser: msgpack });
        const authenticated = happens(client, 'authenticated');
        client.emit('authentication', { token: 'valid', at: new Date(5) });
        await authenticated;
        const packets = [];
        client.io.engine.on('data', (data) => packets.push(Buffer.from(data).toString('hex')));
        for (const [index] of KINDS.entries()) {
          for (const method of ['kind', 'late', 'fail']) {
            await new Promise((resolve) => client.emit(method, index, resolve));
          }
        }
        assert.equal(packets.length, 3 * KINDS.length);
        return packets;
      };
      const options = { parser: msgpack };
      assert.deepEqual(
        await run(Server, answers, options),
        await run(socketIo.Server, answers, options),
      );
    },
  );
});

describe('damaged MessagePack packets', () => {
  /** Numbers below a bound that are the same for the same seed. */
  const random = (seed) => {
    let state = seed;
    return (below) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
  };
  /** The packet with some bytes changed, put in or left out. */
  const damaged = (packet, pick) => {
    const changed = [...packet];
    for (let changes = 1 + pick(3); changes > 0; changes--) {
      const inserted = [pick(256), pick(256)].slice(0, pick(3));
      changed.splice(pick(changed.length + 1), pick(3), ...inserted);
    }
    return Buffer.from(changed);
  };
  /** A value as text: the reporter of node:test throws at a `Date` that is none. */
  const inspected = (value) => inspect(value, { depth: null, maxStringLength: null });
  const theirs = (packet) => {
    try {
      return decode(packet);
    } catch {
      return undefined;
    }
  };

  it(
    'a damaged MessagePack event has the values that socket.io-msgpack-parser reads or ends the connection',
    { timeout: 60_000 },
    speaking(async (world) => {
      const heard = [];
      const after = new EventEmitter();
      world.io.on('connection', (socket) => {
        socket.onAny((...event) => {
          heard.push(event.filter((arg) => typeof arg !== 'function'));
          if (event[0] === 'after') after.emit('after');
        });
      });
      const whole = encode({
        type: 2,
        nsp: '/',
        data: ['m', { a: [1, -1, 2 ** 40, 0.5], at: new Date(5) }, undefined, bytes, 'é', [[]]],
        id: 7,
      });
      let accepted = 0;
      let raw;
      const errors = await uncaught(async () => {
        for (let seed = 1; seed <= 300; seed++) {
          const packet = damaged(whole, random(seed));
          if (raw === undefined || raw.isGone) {
            raw = await world.raw({ join: false });
            const { ws } = raw;
            ws.once('close', () => (raw.isGone = true));
            raw.send(encode({ type: 0, nsp: '/' }));
            await raw.binary();
          }
          heard.length = 0;
          raw.send(packet);
          // What comes next is heard if the connection lives.
          const next = new Promise((resolve) => after.once('after', resolve));
          raw.send(encode({ type: 2, nsp: '/', data: ['after'] }));
          await Promise.race([next, raw.closed]);
          const [event] = heard;
          if (event !== undefined && event[0] !== 'after') {
            accepted += 1;
            const { nsp, data } = theirs(packet);
            assert.equal(inspected([nsp, ...event]), inspected(['/', ...data]), `seed ${seed}`);
          }
        }
      });
      assert.deepEqual(errors, []);
      assert.ok(accepted > 25, `${accepted} were read`);
    }),
  );

  it(
    'a damaged MessagePack CONNECT packet harms no other client',
    { timeout: 60_000 },
    speaking(async (world) => {
      const joined = [];
      world.io.on('connection', (socket) => joined.push(socket.handshake.auth));
      const whole = encode({
        type: 0,
        nsp: '/',
        data: { token: 'abc', a: [1, { b: null }], at: new Date(5), bytes },
      });
      const errors = await uncaught(async () => {
        for (let seed = 1; seed <= 100; seed++) {
          const packet = damaged(whole, random(seed));
          const raw = await world.raw({ join: false });
          joined.length = 0;
          raw.send(packet);
          // A second CONNECT ends a connection that has joined, and so does anything else.
          raw.send(Buffer.from([0xc1]));
          await raw.closed;
          if (joined.length > 0) {
            const { data = {} } = theirs(packet);
            assert.equal(inspected(joined[0]), inspected(data), `seed ${seed}`);
          }
        }
      });
      assert.deepEqual(errors, []);
      const { client, socket } = await speaker(world);
      const heard = once(socket, 'm');
      client.emit('m', 1);
      assert.deepEqual(await heard, [1]);
    }),
  );
});

describe('values that MessagePack cannot carry', () => {
  for (const [name, value] of Object.entries(UNSENDABLE)) {
    it(
      `${name} that MessagePack cannot carry makes emit() throw and a call answer with an error`,
      TIMEOUT,
      speaking(async (world) => {
        const code = 'ERR_LOOPBACK_SOCKET_UNSENDABLE_VALUE';
        const instance = loopbackSocket();
        instance.defineMethod('result', () => value);
        instance.defineMethod('fail', async () => {
          throw value;
        });
        instance.start(world.io);
        const { client, socket } = await speaker(world);
        client.emit('authentication', { token: 'valid' });
        await happens(client, 'authenticated');
        for (const method of ['result', 'fail']) {
          const [{ error }] = await call(client, method);
          assert.equal(error.code, code, method);
          assert.equal(typeof error.message, 'string');
        }
        for (const sender of [socket, world.io, world.io.to('room')]) {
          assert.throws(() => sender.emit('news', value), { code });
        }
        const heard = happens(client, 'last');
        socket.emit('last', 1);
        assert.deepEqual(await heard, [1]);
      }),
    );
  }
});

describe('the parser option', () => {
  it(
    'the parser option accepts a name or the parser module that clients use',
    TIMEOUT,
    async () => {
      for (const parser of ['msgpack', msgpack, 'json', require('socket.io-parser'), undefined]) {
        await new Server({ parser }).close();
      }
    },
  );

  it('the parser option refuses formats that the server does not support', () => {
    const { Decoder } = msgpack;
    class Encoder {
      encode(packet) {
        return [JSON.stringify(packet)];
      }
    }
    for (const parser of ['xml', { Encoder, Decoder }, {}, 1]) {
      assert.throws(() => new Server({ parser }), {
        code: 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_OPTION',
      });
    }
  });
});
