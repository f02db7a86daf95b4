'use strict';

/** docs/behaviour.md, "Calls": answers, values, errors, listeners beside methods, names. */

const later = () => new Promise((resolve) => setImmediate(resolve));

/**
 * @param {number} levels
 * @param {any} innermost
 * @param {boolean} [asArrays]
 * @returns {any} nested that deep
 */
function nest(levels, innermost, asArrays) {
  let value = innermost;
  for (let level = 0; level < levels; level++) value = asArrays ? [value] : { n: value };
  return value;
}

class Account {
  constructor() {
    this.own = 1;
    this.hidden = undefined;
  }
  get computed() {
    return 2;
  }
  method() {}
}

class Tagged {
  toJSON(key) {
    return { tagged: 'by toJSON', key };
  }
}

/** Own `__proto__` keys, as JSON.parse makes them. */
const withProtoKey = () =>
  JSON.parse('{"__proto__":{"admin":true},"a":{"__proto__":7},"b":[{"__proto__":null}]}');

/** Results by name; each group is one scenario. */
const RESULTS = {
  'undefined gives {}, and undefined fields and items are as JSON has them': {
    nothing: undefined,
    'field undefined': { a: undefined, b: 1 },
    'item undefined': [undefined, 1, undefined],
    function: () => {},
    symbol: Symbol('s'),
    'fields that JSON leaves out': { f() {}, s: Symbol('s'), [Symbol('key')]: 1, kept: null },
    'items that JSON makes null': [() => {}, Symbol('s')],
    'a hole': new Array(3),
  },
  'null, booleans and strings come through': {
    null: null,
    true: true,
    false: false,
    empty: '',
    text: 'text',
    'quotes and backslashes': '"\\ \b\f\n\r\t / \u0000\u001f\u007f',
    'line separators': '\u2028\u2029',
    'beyond latin1': 'ünï✓ 漢字 😀',
    'looks like a frame': '43["x"]\x1e42["y"]',
    'digits and dashes': '51-["a"]',
  },
  'numbers come through, edge numbers too; what is no number in JSON is null': {
    NaN,
    Infinity,
    '-Infinity': -Infinity,
    'nested NaN': [NaN, { a: -Infinity }],
    zero: 0,
    'minus zero': -0,
    'largest safe': Number.MAX_SAFE_INTEGER,
    'beyond safe': 2 ** 53 + 2,
    'smallest safe': Number.MIN_SAFE_INTEGER,
    'max value': Number.MAX_VALUE,
    'min value': Number.MIN_VALUE,
    epsilon: Number.EPSILON,
    'large exponent': 1e21,
    'small exponent': 1e-7,
    fraction: 0.1 + 0.2,
    'beyond 64 bits': 2 ** 64,
    boxed: [new Number(1), new String('s'), new Boolean(false)],
  },
  'Date and toJSON are called as JSON does': {
    date: new Date(1234567890123),
    'invalid date': new Date(NaN),
    'date inside': { at: new Date(0), list: [new Date(1)] },
    'to JSON': new Tagged(),
    'to JSON inside': { first: new Tagged(), list: [new Tagged()] },
    'to JSON giving undefined': { gone: { toJSON: () => undefined }, kept: 1 },
    'to JSON giving a string': { toJSON: () => 'a string' },
    'to JSON that is no function': { toJSON: 'a field', a: 1 },
    url: new URL('http://example.com/a?b=c'),
  },
  'key order is kept, integer-like keys first as JavaScript has them': {
    letters: { z: 1, a: 2, m: 3 },
    'integer-like': { b: 1, 10: 2, a: 3, 2: 4, '-1': 5, '01': 6 },
    'empty and odd keys': { '': 1, ' ': 2, 'a"b\\c': 3, 'ünï✓': 4, '\u0000': 5 },
  },
  'own __proto__ keys are ordinary keys': {
    proto: withProtoKey(),
    constructor: { constructor: 'x', prototype: 1, hasOwnProperty: false, toString: null },
    'length and then': { length: 1, then: 'not a function' },
  },
  'objects are their own enumerable fields': {
    instance: new Account(),
    'no prototype': Object.assign(Object.create(null), { a: 1 }),
    inherited: Object.create({ inherited: 1 }, { own: { value: 2, enumerable: true } }),
    'not enumerable': Object.defineProperty({ a: 1 }, 'b', { value: 2 }),
    getter: {
      get a() {
        return 'from a getter';
      },
    },
    map: new Map([[1, 2]]),
    set: new Set([1]),
    regexp: /x/g,
    error: Object.assign(new Error('as a result'), { code: 1 }),
    'array with fields': Object.assign([1, 2], { field: 3 }),
    'the same twice': ((shared) => ({ a: shared, b: [shared] }))({ x: 1 }),
    proxy: new Proxy({ a: 1 }, {}),
    'looks like an answer': { result: 1, error: 2 },
    'looks like an attachment': { _placeholder: 'no', num: 0 },
  },
  '2,500 levels of nesting come through': {
    objects: nest(2500, 'bottom'),
    arrays: nest(2500, 'bottom', true),
    binary: nest(200, Buffer.from('bottom')),
  },
  'lone surrogates come through': {
    high: '\ud83d',
    low: '\ude00',
    reversed: '\ude00\ud83d',
    pair: '\ud83d\ude00',
    inside: { 'key \ud800': ['a\udfffb'] },
  },
  'results of 1 MB and more come through': {
    string: 'x'.repeat(1.5 * 2 ** 20),
    'not ASCII': '✓'.repeat(600 * 1024),
    items: Array.from({ length: 40000 }, (_, index) => ({ index, text: 'some text of an item' })),
    buffer: Buffer.alloc(1.5 * 2 ** 20, 'ab'),
  },
  'Buffers and ArrayBuffers, nested anywhere, travel as binary': {
    buffer: Buffer.from([0, 1, 2, 253, 254, 255]),
    empty: Buffer.alloc(0),
    'array buffer': new Uint8Array([1, 2, 3]).buffer,
    'a slice of a buffer': Buffer.from('0123456789').subarray(2, 5),
    nested: { a: [{ b: Buffer.from('deep') }], c: new Uint8Array([7]).buffer, d: 'text' },
    several: [Buffer.from('one'), 'between', Buffer.from('two'), { three: Buffer.from('three') }],
    'the same twice': ((shared) => [shared, shared])(Buffer.from('shared')),
  },
  'typed arrays beside a Buffer travel as binary': {
    bytes: [Buffer.from('b'), new Uint8Array([1, 2, 3])],
    words: {
      buffer: Buffer.from('b'),
      words: new Uint16Array([1, 256]),
      floats: [new Float64Array([1.5])],
    },
    view: [Buffer.from('b'), new DataView(new Uint8Array([9, 8, 7, 6]).buffer, 1, 2)],
    part: [Buffer.from('b'), new Uint8Array(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2)],
  },
};

/** Errors by name: thrown, rejected and given to cb. */
const ERRORS = {
  string: 'a string',
  'empty array': [],
  number: 42,
  true: true,
  object: { code: 7, nested: { a: [1] } },
  array: [1, { two: 2 }],
  error: new Error('has no enumerable fields'),
  'error with fields': Object.assign(new Error('m'), { statusCode: 404, details: { a: 1 } }),
  'error with toJSON': Object.assign(new Error('m'), { toJSON: () => ({ told: 'by toJSON' }) }),
  'type error': new TypeError('typed'),
  'enumerable message': Object.defineProperty(new Error('m'), 'message', {
    value: 'enumerable',
    enumerable: true,
  }),
  'error class': new (class Denied extends Error {
    constructor() {
      super('denied');
      this.name = 'Denied';
      this.status = 403;
    }
  })(),
  date: new Date(5),
  binary: { data: Buffer.from('in an error') },
  buffer: Buffer.from('an error'),
};

/** Falsy errors thrown or rejected: cb takes them for success. */
const FALSY_ERRORS = { undefined, null: null, zero: 0, 'empty string': '', false: false, NaN };

/** Arguments a client calls with. */
const ARGUMENTS = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  1e21,
  5e-324,
  2 ** 53,
  '',
  'text',
  'ünï✓ "q" \\ \u0000 \u2028 😀',
  [],
  {},
  [[[]]],
  { z: 1, a: 2, 1: 'one', '': 'empty', nested: { list: [1, null, 'x'] } },
  withProtoKey(),
  { constructor: 1, hasOwnProperty: 2 },
  { _placeholder: false, num: 9 },
  [undefined, NaN],
  new Date(0),
];

const ODD_NAMES = [
  'constructor',
  'toString',
  'hasOwnProperty',
  'prototype',
  'valueOf',
  '',
  ' ',
  '0',
  'a.b',
  'a"b\\c',
  "'quoted'",
  'ünï✓',
  '漢字 😀',
  'line\nbreak\ttab',
  '\u0000',
  '/x,',
  '42["m"]',
  'n'.repeat(300),
];

module.exports = [
  {
    section: 'Calls',
    promise: 'a call with an acknowledgement is answered with {result} or {error}, once',
    async run(bench) {
      const { instance } = bench;
      instance.defineMethod('adds', (socket, credentials, { a, b }) => a + b);
      instance.defineMethod('throws', () => {
        throw { code: 'no' };
      });
      instance.defineMethod('calls back', (socket, credentials, args, cb) => cb(null, args));
      instance.defineMethod('calls back an error', (socket, credentials, args, cb) => cb(args));
      const peer = await bench.connect();
      await peer.authenticate();
      await peer.call('adds', { a: 1, b: 2 });
      await peer.call('throws', {});
      await peer.call('calls back', 'args');
      await peer.call('calls back an error', 'args');
      await peer.barrier();
    },
  },
  {
    section: 'Calls',
    promise: 'a call is answered when its handler is done: in order of completion',
    async run(bench) {
      const ends = {};
      bench.instance.defineMethod('waits', async (socket, credentials, args) => {
        await new Promise((resolve) => {
          ends[args] = resolve;
          bench.saw('begun', args);
        });
        return args;
      });
      const peer = await bench.connect();
      await peer.authenticate();
      const answers = {};
      for (const name of ['a', 'b', 'c', 'd']) {
        answers[name] = peer.call('waits', name);
        await bench.until('begun');
      }
      for (const name of ['c', 'a', 'd', 'b']) {
        ends[name]();
        await answers[name];
      }
    },
  },
  {
    section: 'Calls',
    promise: 'many calls at once are each answered with their own result',
    async run(bench) {
      bench.instance.defineMethod('double', async (socket, credentials, n) => {
        if (n % 3 === 0) await later();
        return n * 2;
      });
      const peer = await bench.connect();
      await peer.authenticate();
      const numbers = Array.from({ length: 300 }, (_, index) => index);
      const answers = await Promise.all(numbers.map((n) => peer.call('double', n)));
      bench.saw(
        'all',
        answers.every(({ result }, n) => result === n * 2),
      );
      peer.log.lines.sort();
    },
  },
  {
    section: 'Calls',
    promise: 'calls arrive in the order they were sent',
    async run(bench) {
      bench.instance.defineMethod('m', bench.witness('m'));
      bench.onConnection = (socket) => socket.on('own', (value) => bench.saw('own', value));
      const peer = await bench.connect();
      await peer.authenticate('c');
      for (let n = 0; n < 30; n++) peer.emit(n % 3 ? 'm' : 'own', n);
      await peer.barrier();
      // The original begins its methods a little later: each kind is in order by itself.
      const isOwn = (line) => line.startsWith('own');
      bench.server.lines.sort((a, b) => isOwn(a) - isOwn(b));
    },
  },
  {
    section: 'Calls',
    promise: 'without an acknowledgement the handler still runs, and its result is dropped',
    async run(bench) {
      const { instance } = bench;
      instance.defineMethod('returns', bench.witness('returns', 'dropped'));
      instance.defineMethod('throws', (socket, credentials, args) => {
        bench.saw('throws', args);
        throw new Error('dropped');
      });
      instance.defineMethod('rejects', async (socket, credentials, args) => {
        bench.saw('rejects', args);
        throw new Error('dropped');
      });
      instance.defineMethod('calls back', (socket, credentials, args, cb) => {
        bench.saw('calls back', args);
        cb('dropped');
      });
      instance.defineMethod('binary', bench.witness('binary', Buffer.from('dropped')));
      const peer = await bench.connect();
      await peer.authenticate('c');
      for (const name of ['returns', 'throws', 'rejects', 'calls back', 'binary']) {
        peer.emit(name, { name });
        await bench.until(name);
      }
      await peer.barrier();
    },
  },
  {
    section: 'Calls',
    promise: 'without an acknowledgement and without args the handler runs too',
    async run(bench) {
      bench.instance.defineMethod('m', function () {
        bench.saw('m', arguments.length, arguments[2]);
      });
      const peer = await bench.connect();
      await peer.authenticate();
      peer.emit('m');
      await bench.until('m');
      await peer.barrier();
    },
  },
  ...Object.entries(RESULTS).map(([promise, results]) => ({
    section: 'Calls',
    promise,
    async run(bench) {
      for (const [name, value] of Object.entries(results)) {
        bench.instance.defineMethod(`m ${name}`, () => value);
        bench.instance.defineMethod(`later ${name}`, async () => {
          await later();
          return value;
        });
      }
      const peer = await bench.connect();
      await peer.authenticate();
      for (const name of Object.keys(results)) {
        await peer.call(`m ${name}`, {});
        await peer.call(`later ${name}`, {});
      }
    },
  })),
  {
    section: 'Calls',
    promise: 'a typed array travels as binary even without a Buffer beside it',
    async run(bench) {
      const { instance } = bench;
      instance.defineMethod('bytes', () => new Uint8Array([1, 2, 3]));
      instance.defineMethod('words', () => ({ nested: [new Uint16Array([1, 256])] }));
      instance.defineMethod(
        'part',
        () => new Uint8Array(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2),
      );
      const peer = await bench.connect();
      await peer.authenticate();
      for (const name of ['bytes', 'words', 'part']) await peer.call(name, {});
    },
    contract: 'socket.io 2 itself sends a typed array without a Buffer beside it as an object',
    expect() {
      return {
        server: [],
        client: [
          'authenticated(true)',
          'answer to bytes({"result": Buffer<010203>})',
          'answer to words({"result": {"nested": [Buffer<01000001>]}})',
          'answer to part({"result": Buffer<0203>})',
        ],
      };
    },
  },
  {
    section: 'Calls',
    promise: 'arguments have the values of JSON',
    async run(bench) {
      bench.instance.defineMethod('m', bench.witness('args'));
      const peer = await bench.connect();
      await peer.authenticate('c');
      for (const value of ARGUMENTS) await peer.call('m', value);
    },
  },
  {
    section: 'Calls',
    promise: 'lone surrogates and 1,000 levels of nesting arrive as arguments',
    async run(bench) {
      bench.instance.defineMethod('m', bench.witness('args'));
      const peer = await bench.connect();
      await peer.authenticate('c');
      for (const value of [
        '\ud83d',
        { 'key \udfff': 'a\ud800' },
        nest(1000, 1),
        nest(1000, 1, true),
      ]) {
        await peer.call('m', value);
      }
    },
  },
  {
    section: 'Calls',
    promise: 'binary arguments, nested anywhere, arrive as Buffers',
    async run(bench) {
      bench.instance.defineMethod('m', bench.witness('args'));
      bench.instance.defineMethod('echo', (socket, credentials, args) => args);
      const peer = await bench.connect();
      await peer.authenticate('c');
      for (const value of [
        Buffer.from([0, 255]),
        Buffer.alloc(0),
        new Uint8Array([1, 2]).buffer,
        { a: [Buffer.from('x'), { b: Buffer.from('y') }], c: 'text', d: null },
        [Buffer.from('same'), Buffer.from('same')],
        nest(100, Buffer.from('deep')),
      ]) {
        await peer.call('m', value);
        await peer.call('echo', value);
      }
    },
  },
  {
    section: 'Calls',
    promise: 'arguments of 1 MB and more arrive, where the host allows them',
    hostOptions: { maxHttpBufferSize: 2e7 },
    async run(bench) {
      bench.instance.defineMethod('m', bench.witness('args'));
      bench.instance.defineMethod('echo', (socket, credentials, args) => args);
      const peer = await bench.connect();
      await peer.authenticate('c');
      for (const value of ['x'.repeat(1.2e6), '✓'.repeat(5e5), { b: Buffer.alloc(1.2e6, 'ab') }]) {
        await peer.call('m', value);
        await peer.call('echo', value);
      }
    },
  },
  {
    section: 'Calls',
    promise: 'a thrown error is `error` as JSON makes it',
    async run(bench) {
      const all = { ...ERRORS, ...FALSY_ERRORS };
      for (const [name, error] of Object.entries(all)) {
        bench.instance.defineMethod(`m ${name}`, () => {
          throw error;
        });
      }
      const peer = await bench.connect();
      await peer.authenticate();
      for (const name of Object.keys(all)) await peer.call(`m ${name}`, {});
    },
  },
  {
    section: 'Calls',
    promise: 'a rejection is `error` as JSON makes it',
    async run(bench) {
      const all = { ...ERRORS, ...FALSY_ERRORS };
      for (const [name, error] of Object.entries(all)) {
        bench.instance.defineMethod(`m ${name}`, async () => {
          await later();
          throw error;
        });
      }
      const peer = await bench.connect();
      await peer.authenticate();
      for (const name of Object.keys(all)) await peer.call(`m ${name}`, {});
    },
  },
  {
    section: 'Calls',
    promise: 'an error given to cb is `error` as JSON makes it',
    async run(bench) {
      for (const [name, error] of Object.entries(ERRORS)) {
        bench.instance.defineMethod(`m ${name}`, (socket, credentials, args, cb) => cb(error, 1));
      }
      const peer = await bench.connect();
      await peer.authenticate();
      for (const name of Object.keys(ERRORS)) await peer.call(`m ${name}`, {});
    },
  },
  {
    section: 'Calls',
    promise: 'a listener of the application beside a method also runs, whenever it was added',
    async run(bench) {
      bench.instance.defineMethod('m', bench.witness('method', 'result'));
      bench.onConnection = (socket) => {
        socket.on('m', (args, acknowledge) => bench.saw('early', args, typeof acknowledge));
      };
      const peer = await bench.connect();
      await peer.authenticate('c');
      peer.application.on('m', (args, acknowledge) => {
        bench.saw('late', args, typeof acknowledge);
      });
      await peer.call('m', { a: 1 });
      for (const label of ['early', 'late', 'method']) await bench.until(label);
      peer.emit('m', { a: 2 });
      for (const label of ['early', 'late', 'method']) await bench.until(label);
      // The original begins its method a little later than it was called: only who ran counts.
      bench.server.lines.sort();
    },
  },
  {
    section: 'Calls',
    promise: 'a listener beside a method receives the calls made while the socket is pending',
    async run(bench) {
      bench.instance.defineMethod('m', bench.witness('method', 'from the method'));
      bench.onConnection = (socket) => {
        socket.on('m', (args, acknowledge) => {
          bench.saw('listener', args);
          if (socket.auth === false) acknowledge('from the listener');
        });
      };
      const peer = await bench.connect();
      await peer.call('m', 'pending');
      await peer.authenticate('c');
      await peer.call('m', 'authenticated');
    },
  },
  {
    section: 'Calls',
    promise: 'the first acknowledgement wins: a listener that answers before the method is done',
    async run(bench) {
      bench.instance.defineMethod('m', async (socket, credentials, args) => {
        await later();
        bench.saw('method done', args);
        return 'from the method';
      });
      bench.onConnection = (socket) => {
        socket.on('m', (args, acknowledge) => acknowledge('from the listener', 2));
      };
      const peer = await bench.connect();
      await peer.authenticate();
      await peer.call('m', 1);
      await bench.until('method done');
      await peer.barrier();
    },
  },
  {
    section: 'Calls',
    promise: 'the first acknowledgement wins: a method that is done before a listener answers',
    async run(bench) {
      bench.instance.defineMethod('m', () => 'from the method');
      bench.onConnection = (socket) => {
        socket.on('m', async (args, acknowledge) => {
          await later();
          await later();
          acknowledge('from the listener');
          bench.saw('listener done');
        });
      };
      const peer = await bench.connect();
      await peer.authenticate();
      await peer.call('m', 1);
      await bench.until('listener done');
      await peer.barrier();
    },
  },
  ...['before', 'after'].map((when) => ({
    section: 'Calls',
    promise: `a listener added ${when} the methods that answers at once precedes a method that does`,
    async run(bench) {
      bench.instance.defineMethod('m', () => 'from the method');
      const listen = (socket) => {
        socket.on('m', (args, acknowledge) => acknowledge('from the listener'));
      };
      if (when === 'before') bench.onConnection = listen;
      const peer = await bench.connect();
      await peer.authenticate();
      if (when === 'after') listen(peer.application);
      await peer.call('m', 1);
      await peer.barrier();
    },
  })),
  {
    section: 'Calls',
    promise: 'the application may take a method off its socket as it takes off any listener',
    async run(bench) {
      bench.instance.defineMethod('m', bench.witness('method'));
      bench.instance.defineMethod('n', () => 'kept');
      const peer = await bench.connect();
      await peer.authenticate('c');
      await peer.call('m', 1);
      peer.application.removeAllListeners('m');
      peer.call('m', 2);
      await peer.call('n', 3);
      await peer.barrier();
    },
  },
  {
    section: 'Calls',
    promise: 'socket.use() sees calls, may change their args, and may keep them from running',
    leftOut({ host }) {
      if (!host.isNative) return undefined;
      const { Socket } = require('../../../../lib/socketio/socket');
      return typeof Socket?.prototype.use === 'function'
        ? undefined
        : 'the native socket has no use() yet';
    },
    async run(bench) {
      bench.instance.defineMethod('m', bench.witness('method', 'result'));
      bench.onConnection = (socket) => {
        socket.use((event, next) => {
          const [name, ...values] = event;
          if (name === 'barrier') return next();
          bench.saw('use', name, ...values);
          if (name === 'm' && values[0].blocked) return;
          if (name === 'm') event[1] = { ...event[1], seen: true };
          next();
        });
      };
      const peer = await bench.connect();
      await peer.authenticate('c');
      await peer.call('m', { a: 1 });
      peer.call('m', { blocked: true });
      await peer.barrier();
    },
  },
  {
    section: 'Calls',
    promise: 'any name is a name',
    async run(bench) {
      for (const name of ODD_NAMES) {
        bench.instance.defineMethod(name, (socket, credentials, args) => ({ name, args }));
      }
      const peer = await bench.connect();
      await peer.authenticate();
      for (const name of ODD_NAMES) await peer.call(name, { asked: name });
    },
  },
  {
    section: 'Calls',
    promise:
      'names that were not defined are no methods, even if every JavaScript object has a property of that name',
    async run(bench) {
      bench.instance.defineMethod('defined', () => 'alive');
      const peer = await bench.connect();
      await peer.authenticate();
      for (const name of [...ODD_NAMES, '__proto__', '__defineGetter__']) peer.call(name, {});
      await peer.call('defined', {});
      await peer.barrier();
    },
  },
  {
    section: 'Calls',
    promise: 'a method may emit to its socket, join rooms and disconnect it',
    async run(bench) {
      const { instance } = bench;
      instance.defineMethod('emits', (socket) => {
        socket.emit('from method', { a: Buffer.from('b') });
        return 'emitted';
      });
      instance.defineMethod('joins', (socket) => {
        socket.join('room');
      });
      instance.defineMethod('leaves', (socket) => {
        socket.disconnect();
        return 'gone';
      });
      const peer = await bench.connect();
      await peer.authenticate();
      peer.call('emits', {});
      await peer.until('from method');
      await peer.call('joins', {});
      bench.io.to('room').emit('to the room', 1);
      await peer.until('to the room');
      peer.call('leaves', {});
      await peer.until('disconnect');
      peer.log.lines.sort();
    },
  },
];
