'use strict';

// Faults stay where they are: what one listener throws or one client sends harms nobody else.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, it } = require('node:test');
const { Adapter } = require('socket.io-adapter');
const {
  TIMEOUT,
  call,
  ending,
  happens,
  loopbackSocket,
  reach,
  served,
  uncaught,
  warnings,
} = require('../support/native-server');

/** The messages of warnings. */
const messagesOf = (warned) => warned.map(({ message }) => message);

describe('listeners that throw', () => {
  for (const [how, fail] of [
    [
      'throws',
      (error) => {
        throw error;
      },
    ],
    ['rejects', (error) => Promise.reject(error)],
    [
      'returns what cannot be read',
      (error) => ({
        get then() {
          throw error;
        },
      }),
    ],
  ]) {
    it(
      `a function of a dynamic namespace that ${how} refuses the client and warns the process once`,
      TIMEOUT,
      served({}, async (world) => {
        world.io.of((name, auth, next) => {
          if (name === '/decided') next(null, true);
          return fail(new Error(`none called ${name}`));
        });
        world.io.of((name, auth, next) => next(null, name === '/second'));
        const told = await warnings(async () => {
          const first = world.client('4.8');
          await happens(first, 'connect');
          const refused = first.io.socket('/none');
          const [error] = await happens(refused.connect(), 'connect_error');
          assert.equal(error.message, 'Invalid namespace');
          assert.equal(first.connected, true);
          await happens(world.client('4.8', { nsp: '/second' }), 'connect');
          await happens(world.client('4.8', { nsp: '/decided' }), 'connect');
        });
        assert.deepEqual(messagesOf(told), ['none called /none']);
      }),
    );
  }

  it(
    'a listener of new_namespace that throws leaves no namespace, and clients may ask for it again',
    TIMEOUT,
    served({}, async (world) => {
      const { io } = world;
      const guard = (socket, next) => next(new Error('guarded'));
      let isFailing = true;
      io.on('new_namespace', (namespace) => {
        if (isFailing) throw new Error('of new_namespace');
        namespace.use(guard);
      });
      const parents = [
        io.of(/^\/pattern/),
        io.of((name, auth, next) => setImmediate(next, null, name === '/later')),
      ];
      const messageOf = async (nsp) => {
        const [{ message }] = await happens(world.client('4.8', { nsp }), 'connect_error');
        return message;
      };
      const told = await warnings(async () => {
        for (const nsp of ['/pattern', '/pattern', '/later']) {
          assert.equal(await messageOf(nsp), 'Invalid namespace');
          assert.equal(io._nsps.has(nsp), false);
        }
      });
      assert.deepEqual(messagesOf(told), ['of new_namespace', 'of new_namespace']);
      assert.ok(parents.every(({ children }) => children.size === 0));
      isFailing = false;
      assert.equal(await messageOf('/pattern'), 'guarded');
      assert.equal(await messageOf('/later'), 'guarded');
    }),
  );

  it(
    'an adapter that cannot be made for a dynamic namespace refuses the client, and is closed',
    TIMEOUT,
    async (t) => {
      let open = 0;
      class Failing extends Adapter {
        init() {
          if (this.nsp.name === '/pattern') {
            open += 1;
            throw new Error('no adapter');
          }
        }

        close() {
          open -= 1;
        }
      }
      const test = served({ adapter: Failing }, async (world) => {
        world.io.of(/^\/pattern/);
        const told = await warnings(async () => {
          const refused = world.client('4.8', { nsp: '/pattern' });
          const [error] = await happens(refused, 'connect_error');
          assert.equal(error.message, 'Invalid namespace');
        });
        assert.deepEqual(messagesOf(told), ['no adapter']);
        assert.equal(open, 0);
      });
      await test(t);
    },
  );

  it(
    'an exception of a listener reaches the process and every other listener still runs',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.raw();
      const other = await world.raw();
      const seen = [];
      raw.socket.on('bad', () => {
        throw new Error('bad');
      });
      raw.socket.on('bad', () => seen.push('next listener'));
      raw.socket.on('good', (done) => done(seen.push('good')));
      other.socket.on('good', (done) => done(seen.push('other')));
      const errors = await uncaught(async () => {
        const answers = [raw.packet('30['), other.packet('30[')];
        raw.ws.send('42["bad"]');
        raw.ws.send('42["bad"]');
        raw.ws.send('420["good"]');
        other.ws.send('420["good"]');
        await Promise.all(answers);
      });
      assert.deepEqual(
        errors.map(({ message }) => message),
        ['bad', 'bad'],
      );
      assert.deepEqual(seen.sort(), ['good', 'next listener', 'next listener', 'other']);
    }),
  );

  for (const event of ['connection', 'disconnecting', 'disconnect']) {
    it(
      `an exception of a ${event} listener reaches the process and the socket still connects and disconnects`,
      TIMEOUT,
      served({}, async (world) => {
        const connected = once(world.io, 'connection');
        world.io.once('connection', (socket) => {
          const bad = () => {
            throw new Error(event);
          };
          if (event === 'connection') bad();
          socket.on(event, bad);
        });
        const errors = await uncaught(async () => {
          const raw = await world.raw({ join: false });
          await raw.join();
          const [socket] = await connected;
          socket.on('echo', (value, done) => done(value));
          assert.deepEqual(await raw.call('echo', 1), [1]);
          const ended = event === 'disconnect' ? raw.closed : ending(socket);
          raw.terminate();
          await ended;
          await world.isAlive();
        });
        assert.deepEqual(
          errors.map(({ message }) => message),
          [event],
        );
        await reach(() => world.io.sockets.sockets.size === 0);
      }),
    );
  }

  it(
    'an exception of an acknowledgement callback reaches the process and nothing else',
    TIMEOUT,
    served({}, async (world) => {
      const { client, socket } = await world.connect();
      client.on('ask', (done) => done());
      const errors = await uncaught(async () => {
        socket.emit('ask', () => {
          throw new Error('in callback');
        });
        await call(socket, 'ask');
      });
      assert.equal(errors[0].message, 'in callback');
      assert.equal(await world.isAlive(), 'yes');
    }),
  );
});

describe('acknowledgements given twice', () => {
  it(
    'an acknowledgement that is called twice answers once',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.raw();
      raw.socket.on('twice', (done) => {
        done('first');
        done('second');
        setImmediate(() => done('third'));
      });
      raw.socket.on('end', (done) => setImmediate(() => setImmediate(done)));
      await raw.send('420["twice"]');
      await raw.send('421["end"]');
      await raw.received.next((item) => item === '431[]');
      assert.deepEqual(
        (await seen(raw, '420["twice"]', '421["end"]')).filter((item) => item.startsWith('43')),
        ['430["first"]', '431[]'],
      );
    }),
  );

  /** Sends frames and gives all that comes until the answer to the last of them. */
  async function seen(raw, ...frames) {
    raw.received.rest();
    for (const frame of frames) await raw.send(frame);
    const items = [];
    while (items.at(-1) !== '431[]') items.push(String(await raw.received.next(() => true)));
    return items;
  }

  it(
    'an acknowledgement of an application listener is sent if it comes before that of the method',
    TIMEOUT,
    served({}, async (world) => {
      const instance = loopbackSocket();
      instance.defineMethod('m', async () => 'method');
      instance.start(world.io);
      world.io.on('connection', (socket) => socket.on('m', (args, done) => done?.('application')));
      const { client } = await world.connect();
      client.emit('authentication', { token: 'valid' });
      await happens(client, 'authenticated');
      assert.deepEqual(await call(client, 'm', 1), ['application']);
    }),
  );
});

describe('clients that send invalid data', () => {
  it(
    'an event named error has no effect without a listener',
    TIMEOUT,
    served({}, async (world) => {
      const raw = await world.raw();
      raw.socket.on('end', (done) => done());
      const errors = await uncaught(async () => {
        await raw.send('42["error",{"message":"mine"}]');
        await raw.send('42["error"]');
        await raw.call('end');
      });
      assert.deepEqual(errors, []);
      const heard = new Promise((resolve) => raw.socket.on('error', resolve));
      await raw.send('42["error","heard"]');
      assert.equal(await heard, 'heard');
    }),
  );

  for (const name of [
    'connect',
    'connect_error',
    'disconnect',
    'disconnecting',
    'newListener',
    'removeListener',
  ]) {
    it(
      `a client that sends the reserved event ${name} loses its connection and reaches no listener`,
      TIMEOUT,
      served({}, async (world) => {
        const raw = await world.raw();
        const forged = [];
        raw.socket.on(name, (...args) => args[0] === 'forged' && forged.push(args));
        const ended = ending(raw.socket);
        await raw.send(`42["${name}","forged"]`);
        assert.equal((await ended)[0], 'forced close');
        assert.deepEqual(forged, []);
      }),
    );
  }

  it(
    'a client that sends an invalid packet loses its own connection only',
    TIMEOUT,
    served({}, async (world) => {
      for (const frame of [
        '',
        '4',
        '47',
        '4x',
        'x',
        '49',
        '48["m"]',
        '451["m"]',
        '45-["m"]',
        '4599999999999999999999-["m"]',
        '40{"a":',
        '40[]',
        '40"x"',
        '41',
        '41[]',
        '430{}',
        '44"error"',
        '450-["m"]',
        '42/none,["m"]',
        '4299999999999999999999999["m"',
        Buffer.from('nobody announced me'),
        Buffer.alloc(0),
      ]) {
        const raw = await world.raw();
        const ended = ending(raw.socket);
        await raw.send(frame);
        const what = `${typeof frame} ${frame}`;
        const expected =
          frame === '41'
            ? /^client namespace disconnect$/
            : /^(parse error|transport error|forced close)$/;
        assert.match((await ended)[0], expected, what);
      }
      assert.equal(await world.isAlive(), 'yes');
    }),
  );

  it(
    'a client that sends invalid WebSocket frames loses its own connection only',
    TIMEOUT,
    served({}, async (world) => {
      const { frame, upgradeRequest } = require('../support/raw');
      for (const bytes of [
        Buffer.alloc(16, 0xff),
        Buffer.from([0x81, 0x02, 0x34, 0x30]), // not masked
        frame('x', { opcode: 3 }),
        frame(Buffer.from([0xc3, 0x28]), { opcode: 1 }), // not UTF-8
        frame('x', { opcode: 0 }), // continues nothing
        frame('x'.repeat(126), { opcode: 9 }), // a control frame that is too long
      ]) {
        const tcp = await world.tcp();
        const connected = once(world.io, 'connection');
        tcp.socket.write(upgradeRequest());
        await tcp.until(/101/);
        tcp.socket.write(frame('40'));
        const [socket] = await connected;
        const ended = ending(socket);
        tcp.socket.write(bytes);
        assert.match((await ended)[0], /^transport (error|close)$/);
        await tcp.ended;
      }
      assert.equal(await world.isAlive(), 'yes');
    }),
  );

  it(
    'arguments with 100,000 levels of nesting do no harm',
    TIMEOUT,
    served({}, async (world) => {
      const instance = loopbackSocket();
      instance.defineMethod('m', (socket, credentials, args) => args);
      instance.start(world.io);
      const raw = await world.raw();
      await raw.send('42["authentication",{"token":"valid"}]');
      await raw.packet('2["authenticated",true]');
      const nested = (depth) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
      const answer = raw.packet('30[');
      await raw.send(`420["m",${nested(2500)}]`);
      assert.equal(await answer, `430[{"result":${nested(2500)}}]`);
      const refused = raw.packet('31[');
      await raw.send(`421["m",${nested(100_000)}]`);
      assert.match(await refused, /ERR_LOOPBACK_SOCKET_UNSENDABLE_VALUE|^431\[\{"result":\[/);
      assert.equal(await world.isAlive(), 'yes');
    }),
  );
});

/**
 * Receives the messages of a flood.
 *
 * @param {object} socket the server's socket of who sends them
 * @param {number} total how many there are, with their numbers in order
 * @returns {{count: number, all: Promise<void>}} how many have come, and when all have
 */
function received(socket, total) {
  const flood = { count: 0 };
  flood.all = new Promise((resolve) => {
    socket.on('n', (n) => {
      assert.equal(n, flood.count);
      flood.count += 1;
      if (flood.count === total) resolve();
    });
  });
  return flood;
}

describe('a flood of messages', () => {
  it(
    'a flood of messages over a websocket lets timers and other clients proceed',
    TIMEOUT,
    served({ maxHttpBufferSize: 5e6 }, async (world) => {
      const TOTAL = 50_000;
      const flooder = await world.raw();
      const other = await world.raw();
      const atTimer = [];
      const flood = received(flooder.socket, TOTAL);
      other.socket.on('echo', (done) => done());
      let isOver = false;
      const tick = () => {
        atTimer.push(flood.count);
        if (!isOver) setTimeout(tick, 0);
      };
      // Held back and sent at once, so that all of it is there before the first portion.
      flooder.ws._socket.cork();
      for (let n = 0; n < TOTAL; n++) flooder.ws.send(`42["n",${n}]`);
      flooder.ws._socket.uncork();
      setTimeout(tick, 0);
      let answers = 0;
      const asking = (async () => {
        while (!isOver) {
          await other.call('echo');
          if (!isOver) answers += 1;
        }
      })();
      await flood.all;
      isOver = true;
      await asking;
      const steps = new Set(atTimer.filter((at) => at > 0 && at < TOTAL));
      assert.ok(steps.size >= 10, `timers ran at ${[...steps]}`);
      let last = 0;
      for (const at of steps) {
        assert.ok(at - last <= 5000, `${at - last} events without a timer`);
        last = at;
      }
      assert.ok(answers >= 1, 'the other client was not answered');
    }),
  );

  it(
    'a flood of messages in one polling payload lets timers and other clients proceed, and comes in order',
    TIMEOUT,
    async () => {
      const middleware = (req, res, next) => next();
      for (const isNodes of [false, true]) {
        const test = served({ maxHttpBufferSize: 5e6 }, async (world) => {
          const TOTAL = 50_000;
          if (isNodes) world.io.engine.use(middleware);
          const flooder = await world.polling();
          const other = await world.raw();
          const flood = received(flooder.socket, TOTAL);
          other.socket.on('echo', (done) => done());
          const atTimer = new Set();
          const timer = setInterval(() => atTimer.add(flood.count), 0);
          const packets = Array.from({ length: TOTAL }, (_, n) => `42["n",${n}]`);
          const accepted = flooder.post(packets.join('\x1e')).then(() => flood.count);
          let isOver = false;
          const answered = [];
          const asking = (async () => {
            while (!isOver) {
              await other.call('echo');
              answered.push(flood.count);
            }
          })();
          await flood.all;
          isOver = true;
          assert.equal(await accepted, TOTAL);
          await asking;
          clearInterval(timer);
          const steps = [...atTimer].filter((at) => at > 0 && at < TOTAL);
          assert.ok(steps.length >= 10, `timers ran at ${steps}`);
          // As beside the same messages on a websocket.
          const most = Math.max(...answered.map((at, i) => at - (answered[i - 1] ?? 0)));
          assert.ok(most <= 5000, `${most} events while another client waited`);
        });
        await test({ signal: new AbortController().signal });
      }
    },
  );
});
