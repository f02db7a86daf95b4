'use strict';

/** docs/behaviour.md, "Deviations": where we differ from the original on purpose. */

const Bluebird = require('bluebird');

const FALSE_VALUES = [false, null, 0, -0, NaN, ''];

const AUTHENTICATED = 'authenticated(true)';
const REFUSED = 'unauthorized({"message": "Authentication failure"}) asks to acknowledge';

/** An answer to `name` that tells the client its result cannot be sent. */
const unsendable = (name) =>
  new RegExp(
    `^answer to ${name}\\(\\{"error": \\{"code": "ERR_LOOPBACK_SOCKET_[A-Z_]+", "message": ".+\\}\\}\\)$`,
  );

const times = (count, line) => Array.from({ length: count }, () => line);

/** Waits for what the client is told about an attempt, whichever it is. */
async function attempt(peer, credentials) {
  peer.emit('authentication', credentials);
  await Promise.race([peer.until('authenticated'), peer.until('unauthorized')]);
}

/** @returns {Record<string, any>} a value that contains itself */
function circular() {
  const value = { a: 1 };
  value.self = value;
  return value;
}

/**
 * Results nobody can send, and what the dying original says. Where it says nothing it lives, sends
 * its client an `error` of the protocol and never answers.
 */
const UNSENDABLE = [
  ['a circular result', () => circular(), /Maximum call stack|circular/],
  [
    'a circular array',
    () => ((list) => list.push(list) && list)([1]),
    /Maximum call stack|circular/,
  ],
  ['a BigInt', () => 1n],
  ['a nested BigInt', () => ({ list: [1n] })],
  [
    'a throwing toJSON',
    () => ({
      toJSON() {
        throw new Error('toJSON throws');
      },
    }),
    /toJSON throws/,
  ],
  [
    'a throwing getter',
    () => ({
      get field() {
        throw new Error('the getter throws');
      },
    }),
    /the getter throws/,
  ],
];

/** Frames that no client sends by itself; none of them is a call of `m`. */
const HOSTILE_FRAMES = [
  ['4'],
  ['4x'],
  ['49'],
  ['42'],
  ['42['],
  ['42[]'],
  ['42{}'],
  ['42"m"'],
  ['42["m"'],
  ['42[1]'],
  ['42[null]'],
  ['42[["m"]]'],
  ['42[{"m":1}]'],
  ['42["m",{}]x'],
  ['42["m",{}],0,-1,0,["m",{"forged":true}]'],
  ['42["m",{}]\n["m",{"forged":true}]'],
  ['42["m",{"a":1}'],
  ['42-1["m"]'],
  ['42/nowhere,["m",{}]'],
  ['43'],
  ['430'],
  ['43["no id"]'],
  ['43999["nobody asked"]'],
  ['430{}'],
  ['44"an error"'],
  ['45'],
  ['451-'],
  ['451-["m",{"_placeholder":true,"num":0}]', '42["m",{}]'],
  ['451-["m",{"_placeholder":true,"num":7}]', Buffer.from('x')],
  ['451-["m",{"_placeholder":true,"num":-1}]', Buffer.from('x')],
  ['451-["m",{"_placeholder":true,"num":"constructor"}]', Buffer.from('x')],
  ['45999999999999-["m",{"_placeholder":true,"num":0}]'],
  ['461-0[{"_placeholder":true,"num":0}]', Buffer.from('x')],
  [Buffer.from('an attachment of nothing')],
];

/** Event names that mean something to servers, sent by a client as its own. */
const RESERVED_NAMES = [
  'connect',
  'connection',
  'connect_error',
  'disconnect',
  'disconnecting',
  'error',
  'newListener',
  'removeListener',
];

/** Sends frames, and waits until the server has read them: it answers what follows, or hangs up. */
async function sendHostile(bench, frames) {
  const wire = await bench.wire();
  wire.send('42["authentication"]');
  await wire.frame();
  for (const frame of frames) wire.send(frame);
  wire.send('42777["barrier"]');
  const answered = async () => {
    while (!(await wire.frame()).startsWith('43777')) continue;
  };
  await Promise.race([answered(), wire.closedByServer()]);
}

module.exports = [
  {
    section: 'Deviation 1',
    deviation: 1,
    promise: 'a false value returned by an authentication function refuses',
    async run(bench) {
      bench.instance.onConnected(bench.witness('connected'));
      for (const value of FALSE_VALUES) {
        bench.instance.auth(() => value);
        await attempt(await bench.connect(), 1);
      }
    },
    expect: () => ({
      server: [],
      client: [REFUSED],
      ...Object.fromEntries([2, 3, 4, 5, 6].map((n) => [`client ${n}`, [REFUSED]])),
    }),
  },
  {
    section: 'Deviation 1',
    deviation: 1,
    promise: 'a false value resolved by an authentication function refuses',
    async run(bench) {
      const peer = await bench.connect();
      for (const value of FALSE_VALUES) {
        bench.instance.auth(async () => value);
        await attempt(peer, 1);
        bench.instance.auth(() => Bluebird.resolve(value));
        await attempt(peer, 2);
        bench.instance.auth(() => ({ then: (resolve) => resolve(value) }));
        await attempt(peer, 3);
      }
    },
    expect: () => ({ server: [], client: times(18, REFUSED) }),
  },
  {
    section: 'Deviation 1',
    deviation: 1,
    promise: 'a false value given to the cb of an authentication function refuses',
    async run(bench) {
      const peer = await bench.connect();
      for (const value of FALSE_VALUES) {
        bench.instance.auth((socket, credentials, cb) => cb(null, value));
        await attempt(peer, 1);
        bench.instance.auth((socket, credentials, cb) => cb(undefined, Promise.resolve(value)));
        await attempt(peer, 2);
      }
    },
    expect: () => ({ server: [], client: times(12, REFUSED) }),
  },
  {
    section: 'Deviation 1',
    deviation: 1,
    promise: 'a client refused by a false value is disconnected if it acknowledges',
    async run(bench) {
      bench.instance.auth(() => false);
      const peer = await bench.connect();
      peer.emit('authentication');
      if (bench.isOriginal) return void (await peer.until('authenticated'));
      const { acknowledge } = await peer.until('unauthorized');
      acknowledge();
      await peer.until('disconnect');
    },
    expect: () => ({ server: [], client: [REFUSED, 'disconnect("io server disconnect")'] }),
  },
  {
    section: 'Deviation 1',
    promise: 'undefined still accepts: no return value, cb without a value, the default function',
    async run(bench) {
      const { instance } = bench;
      const peer = await bench.connect();
      await peer.authenticate('the default');
      for (const auth of [
        () => {},
        () => undefined,
        async () => {},
        (socket, credentials, cb) => cb(),
        (socket, credentials, cb) => cb(null),
        (socket, credentials, cb) => cb(null, undefined),
        (socket, credentials, cb) => cb(false),
      ]) {
        instance.auth(auth);
        await peer.authenticate();
      }
    },
  },
  {
    section: 'Deviation 1',
    promise: 'what is true accepts, however odd',
    async run(bench) {
      const peer = await bench.connect();
      for (const value of [true, 1, -1, 'false', ' ', '0', [], {}, new Boolean(false), () => {}]) {
        bench.instance.auth(() => value);
        await peer.authenticate();
      }
    },
  },
  {
    section: 'Deviation 2',
    deviation: 2,
    promise: 'arguments after the first are ignored',
    async run(bench) {
      bench.instance.defineMethod('m', function () {
        bench.saw('m', arguments.length, arguments[2]);
        return 'result';
      });
      const peer = await bench.connect();
      await peer.authenticate();
      peer.emit('m', { a: 1 }, 'b');
      await bench.until('m');
      await peer.call('m', { a: 2 }, 'b');
      await peer.call('m', { a: 3 }, { b: 1 }, null, [4]);
    },
    expect: () => ({
      server: ['m(3, {"a": 1})', 'm(3, {"a": 2})', 'm(3, {"a": 3})'],
      client: [AUTHENTICATED, ...times(2, 'answer to m({"result": "result"})')],
    }),
    original: 'crashes',
    crash: /done is not a function/,
  },
  ...UNSENDABLE.map(([name, make, crash]) => ({
    section: 'Deviation 2',
    deviation: 2,
    promise: `${name} answers {error: {code, message}}`,
    async run(bench) {
      const { instance } = bench;
      instance.defineMethod('returns', make);
      instance.defineMethod('resolves', async () => make());
      instance.defineMethod('calls back', (socket, credentials, args, cb) => cb(null, make()));
      instance.defineMethod('lives', () => 'on');
      const peer = await bench.connect();
      await peer.authenticate();
      for (const method of ['returns', 'resolves', 'calls back', 'lives']) {
        const answered = peer.call(method, {});
        await (bench.isOriginal && method !== 'lives' ? peer.until('error') : answered);
      }
    },
    expect: () => ({
      server: [],
      client: [
        AUTHENTICATED,
        unsendable('returns'),
        unsendable('resolves'),
        unsendable('calls back'),
        'answer to lives({"result": "on"})',
      ],
    }),
    original: crash ? 'crashes' : 'differs',
    crash,
  })),
  ...UNSENDABLE.map(([name, make, crash]) => ({
    section: 'Deviation 2',
    deviation: 2,
    promise: `${name.replace(' result', ' value')} as the error answers {error: {code, message}}`,
    async run(bench) {
      const { instance } = bench;
      instance.defineMethod('throws', () => {
        throw make();
      });
      instance.defineMethod('calls back', (socket, credentials, args, cb) => cb(make()));
      instance.defineMethod('lives', () => 'on');
      const peer = await bench.connect();
      await peer.authenticate();
      for (const method of ['throws', 'calls back', 'lives']) {
        const answered = peer.call(method, {});
        await (bench.isOriginal && method !== 'lives' ? peer.until('error') : answered);
      }
    },
    expect: () => ({
      server: [],
      client: [
        AUTHENTICATED,
        unsendable('throws'),
        unsendable('calls back'),
        'answer to lives({"result": "on"})',
      ],
    }),
    original: crash ? 'crashes' : 'differs',
    crash,
  })),
  {
    section: 'Deviation 2',
    deviation: 2,
    promise: 'an unsendable result of a call without an acknowledgement has no effect',
    async run(bench) {
      bench.instance.defineMethod('m', (socket, credentials, args) => {
        bench.saw('m', args);
        return circular();
      });
      bench.instance.defineMethod('lives', () => 'on');
      const peer = await bench.connect();
      await peer.authenticate();
      peer.emit('m', 1);
      await bench.until('m');
      await peer.call('lives', {});
    },
    original: 'agrees',
    expect: () => ({
      server: ['m(1)'],
      client: [AUTHENTICATED, 'answer to lives({"result": "on"})'],
    }),
  },
  {
    section: 'Deviation 2',
    deviation: 2,
    promise: 'a refusal whose message cannot be sent still refuses',
    async run(bench) {
      bench.instance.auth((socket, credentials) => {
        if (credentials === 'bad') throw { message: 1n };
      });
      const peer = await bench.connect();
      peer.emit('authentication', 'bad');
      await peer.until(bench.isOriginal ? 'error' : 'unauthorized');
      await peer.authenticate('good');
    },
    expect: () => ({
      server: [],
      client: [/^unauthorized\(\{.*\}\) asks to acknowledge$/, AUTHENTICATED],
    }),
  },
  {
    section: 'Deviation 2',
    deviation: 2,
    promise: 'an error whose message throws still refuses',
    async run(bench) {
      bench.instance.auth((socket, credentials) => {
        if (credentials !== 'bad') return;
        throw {
          get message() {
            throw new Error('the message throws');
          },
        };
      });
      const peer = await bench.connect();
      peer.emit('authentication', 'bad');
      await peer.until('unauthorized');
      await peer.authenticate('good');
    },
    expect: () => ({
      server: [],
      client: [/^unauthorized\(\{.*\}\) asks to acknowledge$/, AUTHENTICATED],
    }),
    original: 'crashes',
    crash: /the message throws/,
  },
  {
    section: 'Deviation 2',
    deviation: 2,
    promise: 'a method that takes cb and rejects: the rejection is its outcome',
    async run(bench) {
      const { instance } = bench;
      // eslint-disable-next-line no-unused-vars -- declared to be given cb
      instance.defineMethod('m', async (socket, credentials, args, cb) => {
        throw { code: 'rejected' };
      });
      instance.defineMethod('lives', () => 'on');
      const peer = await bench.connect();
      await peer.authenticate();
      await peer.call('m', {});
      peer.emit('m', {});
      await peer.call('lives', {});
    },
    expect: () => ({
      server: [],
      client: [
        AUTHENTICATED,
        'answer to m({"error": {"code": "rejected"}})',
        'answer to lives({"result": "on"})',
      ],
    }),
    original: 'crashes',
    crash: /unhandled|rejected/i,
  },
  {
    section: 'Deviation 2',
    deviation: 2,
    promise: 'the first outcome of a method that takes cb wins: cb, then the rejection',
    async run(bench) {
      bench.instance.defineMethod('m', async (socket, credentials, args, cb) => {
        cb(null, 'from cb');
        throw new Error('rejected after cb');
      });
      const peer = await bench.connect();
      await peer.authenticate();
      await peer.call('m', {});
      await peer.barrier();
    },
    expect: () => ({ server: [], client: [AUTHENTICATED, 'answer to m({"result": "from cb"})'] }),
    original: 'crashes',
    crash: /rejected after cb/,
  },
  {
    section: 'Deviation 2',
    deviation: 2,
    promise: 'an authentication function that takes cb and rejects refuses',
    async run(bench) {
      // eslint-disable-next-line no-unused-vars -- declared to be given cb
      bench.instance.auth(async (socket, credentials, cb) => {
        throw new Error('rejected');
      });
      const peer = await bench.connect();
      peer.emit('authentication');
      await peer.until('unauthorized');
    },
    expect: () => ({
      server: [],
      client: ['unauthorized({"message": "rejected"}) asks to acknowledge'],
    }),
    original: 'crashes',
    crash: /rejected/,
  },
  {
    section: 'Deviation 2',
    deviation: 2,
    promise: 'an onConnected handler that takes cb and rejects refuses',
    async run(bench) {
      // eslint-disable-next-line no-unused-vars -- declared to be given cb
      bench.instance.onConnected(async (socket, credentials, cb) => {
        throw new Error('rejected');
      });
      const peer = await bench.connect();
      peer.emit('authentication');
      await peer.until('unauthorized');
    },
    expect: () => ({
      server: [],
      client: ['unauthorized({"message": "rejected"}) asks to acknowledge'],
    }),
    original: 'crashes',
    crash: /rejected/,
  },
  {
    section: 'Deviation 2',
    deviation: 2,
    promise: 'a malformed frame ends at most its own connection, and runs nothing',
    async run(bench) {
      bench.instance.defineMethod('m', bench.witness('ran'));
      bench.instance.defineMethod('lives', () => 'on');
      const peer = await bench.connect();
      await peer.authenticate();
      for (const frames of HOSTILE_FRAMES) await sendHostile(bench, frames);
      await peer.call('lives', {});
      // What becomes of the hostile connection is the host's affair.
      bench.logs = bench.logs.filter((log) => !log.name.startsWith('wire'));
    },
    original: 'agrees',
    expect: () => ({ server: [], client: [AUTHENTICATED, 'answer to lives({"result": "on"})'] }),
  },
  {
    section: 'Deviation 2',
    deviation: 2,
    promise: 'an event with a reserved name has no effect on other clients',
    async run(bench) {
      bench.instance.defineMethod('lives', () => 'on');
      const peer = await bench.connect();
      await peer.authenticate();
      for (const name of RESERVED_NAMES) {
        await sendHostile(bench, [`42${JSON.stringify([name, 'forged'])}`]);
      }
      await peer.call('lives', {});
      bench.logs = bench.logs.filter((log) => !log.name.startsWith('wire'));
    },
    original: 'agrees',
    expect: () => ({ server: [], client: [AUTHENTICATED, 'answer to lives({"result": "on"})'] }),
  },
  {
    section: 'Deviation 2',
    deviation: 2,
    promise: 'arguments nested too deep to be sent back answer {error: {code, message}}',
    async run(bench) {
      bench.instance.defineMethod('echo', (socket, credentials, args) => args);
      bench.instance.defineMethod('lives', () => 'on');
      const peer = await bench.connect();
      await peer.authenticate();
      const wire = await bench.wire();
      wire.send('42["authentication"]');
      await wire.frame();
      wire.send(`421["echo",${'['.repeat(50000)}${']'.repeat(50000)}]`);
      await Promise.race([wire.frame(), wire.closedByServer()]);
      await peer.call('lives', {});
    },
    expect: () => ({
      server: [],
      client: [AUTHENTICATED, 'answer to lives({"result": "on"})'],
      wire: [
        '42["authenticated",true]',
        /^431\[\{"error":\{"code":"ERR_LOOPBACK_SOCKET_[A-Z_]+","message":".+"\}\}\]$/,
      ],
    }),
    original: 'crashes',
    crash: /Maximum call stack/,
  },
  {
    section: 'Deviation 3',
    deviation: 3,
    promise: 'a call with an acknowledgement and no args is answered, args being undefined',
    async run(bench) {
      bench.instance.defineMethod('m', function () {
        bench.saw('m', arguments.length, arguments[2]);
        return 'result';
      });
      bench.instance.defineMethod('with cb', (socket, credentials, args, cb) => {
        bench.saw('with cb', args, typeof cb);
        cb(null, 'called back');
      });
      const peer = await bench.connect();
      await peer.authenticate();
      for (const name of ['m', 'with cb']) {
        const answered = peer.call(name);
        await bench.until(name);
        await (bench.isOriginal ? peer.barrier() : answered);
      }
    },
    expect: () => ({
      server: ['m(3, undefined)', 'with cb(undefined, "function")'],
      client: [
        AUTHENTICATED,
        'answer to m({"result": "result"})',
        'answer to with cb({"result": "called back"})',
      ],
    }),
  },
  {
    section: 'Deviation 4',
    deviation: 4,
    promise: 'authenticating again replaces the credentials and the methods, and each runs once',
    async run(bench) {
      const { instance } = bench;
      instance.defineMethod('who', bench.witness('who', 'first'));
      instance.defineMethod('gone', bench.witness('gone', 'still there'));
      const peer = await bench.connect();
      await peer.authenticate('one');
      await peer.call('who', 1);
      instance.defineMethod('who', bench.witness('who', 'second'));
      instance.defineMethod('new', () => 'new');
      instance.removeMethod('gone');
      await peer.authenticate('two');
      await peer.call('who', 2);
      await peer.call('new', 3);
      const lost = peer.call('gone', 4);
      if (bench.isOriginal) await lost;
      await peer.barrier();
    },
    expect: () => ({
      server: ['who("one", 1)', 'who("two", 2)'],
      client: [
        AUTHENTICATED,
        'answer to who({"result": "first"})',
        AUTHENTICATED,
        'answer to who({"result": "second"})',
        'answer to new({"result": "new"})',
      ],
    }),
  },
  {
    section: 'Deviation 4',
    deviation: 4,
    promise: 'start() twice on one io is one start',
    async run(bench) {
      bench.instance.auth(bench.witness('auth'));
      bench.instance.onConnected(bench.witness('connected'));
      bench.instance.defineMethod('m', bench.witness('method', 'result'));
      bench.start();
      bench.start();
      const peer = await bench.connect();
      await peer.authenticate('c');
      if (bench.isOriginal) await peer.until('authenticated');
      await peer.call('m', 1);
      await peer.barrier();
    },
    expect: () => ({
      server: ['auth("c")', 'connected("c")', 'method("c", 1)'],
      client: [AUTHENTICATED, 'answer to m({"result": "result"})'],
    }),
  },
  {
    section: 'Deviation 4',
    deviation: 4,
    promise: 'start() twice on one namespace is one start',
    async run(bench) {
      const namespace = bench.io.of('/x');
      bench.instance.auth(bench.witness('auth'));
      bench.start(namespace);
      bench.start(bench.io.of('/x'));
      const peer = await bench.connect({ namespace, path: '/x' });
      await peer.authenticate('c');
      await peer.barrier();
    },
    expect: () => ({ server: ['auth("c")'], client: [AUTHENTICATED] }),
  },
  {
    section: 'Deviation 4',
    promise: 'two different instances on one io both serve it',
    async run(bench) {
      const other = new bench.LoopbackSocket('the other instance', 'none');
      bench.instance.auth(bench.witness('auth of one'));
      other.auth(bench.witness('auth of the other'));
      bench.instance.defineMethod('of one', () => 1);
      other.defineMethod('of the other', () => 2);
      bench.start();
      bench.start(bench.io, other);
      const peer = await bench.connect();
      await peer.authenticate('c');
      await peer.until('authenticated');
      await peer.call('of one', {});
      await peer.call('of the other', {});
    },
  },
  {
    section: 'Deviation 4',
    promise: 'a client gets the answers of both an instance that accepts and one that refuses',
    async run(bench) {
      const other = new bench.LoopbackSocket('the refusing instance', 'none');
      other.auth(() => Promise.reject(new Error('not mine')));
      other.defineMethod('of the other', () => 2);
      bench.instance.defineMethod('of one', () => 1);
      bench.start();
      bench.start(bench.io, other);
      const peer = await bench.connect();
      peer.emit('authentication', 'c');
      await peer.until('authenticated');
      await peer.until('unauthorized');
      peer.log.lines.sort();
      bench.saw('authenticated', peer.application.auth);
      await peer.call('of one', {});
      peer.call('of the other', {});
      await peer.barrier();
    },
  },
  {
    section: 'Deviation 5',
    deviation: 5,
    promise: 'removeOnConnected({model, method}) removes what was added as such an object',
    async run(bench) {
      const { instance } = bench;
      const Room = { enter: bench.witness('enter'), stay: bench.witness('stay') };
      instance.onConnected({ model: Room, method: 'enter' });
      instance.onConnected({ model: Room, method: 'stay' });
      instance.onConnected({ model: Object.create(Room), method: 'stay' });
      instance.removeOnConnected({ model: Room, method: 'enter' });
      const peer = await bench.connect();
      await peer.authenticate('c');
    },
    expect: () => ({ server: ['stay("c")', 'stay("c")'], client: [AUTHENTICATED] }),
  },
  {
    section: 'Deviation 5',
    deviation: 5,
    promise:
      'removeOnConnected({model, method}) works before the model has the method and removes only the first match',
    async run(bench) {
      const { instance } = bench;
      const Room = {};
      instance.onConnected({ model: Room, method: 'later' });
      instance.onConnected(bench.witness('between'));
      instance.onConnected({ model: Room, method: 'later' });
      instance.removeOnConnected({ model: Room, method: 'later' });
      Room.later = bench.witness('later');
      const peer = await bench.connect();
      await peer.authenticate('c');
    },
    expect: () => ({ server: ['between("c")', 'later("c")'], client: [AUTHENTICATED] }),
  },
  {
    section: 'Deviation 6',
    deviation: 6,
    promise: 'a method of a model is called with the model as `this`',
    async run(bench) {
      const tell = (label) =>
        function () {
          bench.saw(label, this === Model);
        };
      const Model = { login: tell('auth'), enter: tell('connected'), find: tell('method') };
      Model.findLater = function (socket, credentials, args, cb) {
        bench.saw('with cb', this === Model);
        cb();
      };
      bench.instance.auth({ model: Model, method: 'login' });
      bench.instance.onConnected({ model: Model, method: 'enter' });
      bench.instance.defineMethod('find', { model: Model, method: 'find' });
      bench.instance.defineMethod('later', { model: Model, method: 'findLater' });
      const peer = await bench.connect();
      await peer.authenticate();
      await peer.call('find', {});
      await peer.call('later', {});
    },
    expect: () => ({
      server: ['auth(true)', 'connected(true)', 'method(true)', 'with cb(true)'],
      client: [AUTHENTICATED, 'answer to find({})', 'answer to later({})'],
    }),
  },
  {
    section: 'Deviation 6',
    deviation: 6,
    promise:
      'a method of a model that is a class which inherits it is called with the class as `this`',
    async run(bench) {
      class Base {
        static find() {
          bench.saw('find', this === Item);
          return this.items;
        }
      }
      class Item extends Base {}
      Item.items = ['one'];
      bench.instance.defineMethod('find', { model: Item, method: 'find' });
      const peer = await bench.connect();
      await peer.authenticate();
      await peer.call('find', {});
    },
    expect: () => ({
      server: ['find(true)'],
      client: [AUTHENTICATED, 'answer to find({"result": ["one"]})'],
    }),
  },
  {
    section: 'Deviation 7',
    deviation: 7,
    promise: 'get gives ordinary instances for names every JavaScript object has',
    async run(bench) {
      const { LoopbackSocket } = bench;
      for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
        const instance = LoopbackSocket.get(name, 77);
        const ordinary = instance instanceof LoopbackSocket;
        bench.saw(
          name,
          ordinary,
          ordinary && instance._name,
          LoopbackSocket.get(name) === instance,
        );
      }
    },
    expect: () => ({
      server: ['constructor', '__proto__', 'toString', 'hasOwnProperty'].map(
        (name) => `${name}(true, "${name}", true)`,
      ),
    }),
  },
  {
    section: 'Deviation 7',
    deviation: 7,
    promise: 'a method may have the name __proto__ like any other',
    async run(bench) {
      bench.instance.defineMethod('__proto__', (socket, credentials, args) => ['own', args]);
      bench.instance.defineMethod('lives', () => 'on');
      bench.saw('names', Object.keys(bench.instance._methods));
      const peer = await bench.connect();
      await peer.authenticate();
      const answered = peer.call('__proto__', 1);
      await (bench.isOriginal ? peer.barrier() : answered);
      bench.instance.removeMethod('__proto__');
      bench.saw('names', Object.keys(bench.instance._methods));
    },
    expect: () => ({
      server: ['names(["__proto__", "lives"])', 'names(["lives"])'],
      client: [AUTHENTICATED, 'answer to __proto__({"result": ["own", 1]})'],
    }),
  },
  {
    section: 'Deviation 8',
    deviation: 8,
    originalHost: 'originalOn4',
    promise: 'on socket.io 4 pending sockets get no broadcast to the namespace or a room either',
    async run(bench) {
      const peer = await bench.connect();
      peer.application.join('room');
      await peer.barrier();
      bench.io.emit('news', 'while pending');
      bench.io.to('room').emit('news', 'to the room, while pending');
      await peer.barrier();
      await peer.authenticate();
      bench.io.emit('news', 'after');
      bench.io.to('room').emit('news', 'to the room, after');
      await peer.barrier();
    },
    expect: () => ({
      server: [],
      client: [AUTHENTICATED, 'news("after")', 'news("to the room, after")'],
    }),
  },
  {
    section: 'Deviation 8',
    deviation: 8,
    promise: 'a namespace made before start() gets its broadcasts back after authentication',
    async run(bench) {
      const namespace = bench.io.of('/x');
      bench.start();
      const root = await bench.connect();
      const peer = await bench.connect({ namespace, path: '/x', over: root });
      namespace.emit('news', 'while the connection is pending');
      await peer.barrier();
      await root.authenticate();
      namespace.emit('news', 'of the namespace');
      await peer.barrier();
    },
    expect: () => ({
      server: [],
      client: [AUTHENTICATED],
      'client 2': ['news("of the namespace")'],
    }),
  },
  {
    section: 'Deviation 8',
    deviation: 8,
    promise:
      'a namespace that is served itself withholds broadcasts until its socket has authenticated',
    async run(bench) {
      const namespace = bench.io.of('/x');
      bench.start(namespace);
      const root = await bench.connect();
      const peer = await bench.connect({ namespace, path: '/x', over: root });
      namespace.emit('news', 'while pending');
      bench.io.emit('news', 'of the root, which nobody serves');
      await peer.barrier();
      await root.barrier();
      await peer.authenticate();
      namespace.emit('news', 'after');
      await peer.barrier();
    },
    expect: () => ({
      server: [],
      client: ['news("of the root, which nobody serves")'],
      'client 2': [AUTHENTICATED, 'news("after")'],
    }),
  },
  {
    section: 'Deviation 8',
    deviation: 8,
    promise: 'root and a namespace made before start(), both served: each gets its broadcasts back',
    async run(bench) {
      const namespace = bench.io.of('/x');
      bench.start();
      bench.start(namespace);
      const root = await bench.connect();
      const peer = await bench.connect({ namespace, path: '/x', over: root });
      namespace.emit('news', 'while pending');
      bench.io.emit('news', 'while pending');
      await root.barrier();
      await peer.barrier();
      await root.authenticate();
      await peer.authenticate();
      namespace.emit('news', 'of the namespace');
      bench.io.emit('news', 'of the root');
      await root.barrier();
      await peer.barrier();
    },
    expect: () => ({
      server: [],
      client: [AUTHENTICATED, 'news("of the root")'],
      'client 2': [AUTHENTICATED, 'news("of the namespace")'],
    }),
  },
];
