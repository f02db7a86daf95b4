'use strict';

/** docs/behaviour.md, "Handlers": arguments, arity, thenables, first outcome, identity of credentials. */

const Bluebird = require('bluebird');

const withLength = (length, fn) => Object.defineProperty(fn, 'length', { value: length });

/**
 * Handlers of every declared length. Each is made for a number of arguments (auth and onConnected
 * 2, methods 3) and reports how many it got, and finishes by `cb` if it got one.
 *
 * @param {2|3} given
 * @param {(label: string, ...facts: any[]) => void} saw
 * @returns {[string, Function][]}
 */
function arities(given, saw) {
  const end = (label, args) => {
    const cb = args[given];
    saw(label, args.length, typeof cb, ...args.slice(1, given));
    if (typeof cb !== 'function') return `returned by ${label}`;
    cb(null, `called back by ${label}`);
    return 'ignored';
  };
  /* eslint-disable no-unused-vars -- parameters are declared for the length they give */
  const rows = {
    'nothing declared': function () {
      return end('nothing declared', [...arguments]);
    },
    'one declared': function (socket) {
      return end('one declared', [...arguments]);
    },
    'all declared':
      given === 2
        ? function (socket, credentials) {
            return end('all declared', [...arguments]);
          }
        : function (socket, credentials, args) {
            return end('all declared', [...arguments]);
          },
    'cb declared':
      given === 2
        ? function (socket, credentials, cb) {
            return end('cb declared', [...arguments]);
          }
        : function (socket, credentials, args, cb) {
            return end('cb declared', [...arguments]);
          },
    'cb with a default':
      given === 2
        ? function (socket, credentials, cb = 'default') {
            return end('cb with a default', [socket, credentials, ...[...arguments].slice(2)]);
          }
        : function (socket, credentials, args, cb = 'default') {
            return end('cb with a default', [
              socket,
              credentials,
              args,
              ...[...arguments].slice(3),
            ]);
          },
    'a default before cb':
      given === 2
        ? function (socket, credentials = 'default', cb) {
            return end('a default before cb', [...arguments]);
          }
        : function (socket, credentials, args = 'default', cb) {
            return end('a default before cb', [...arguments]);
          },
    'rest only': (...all) => end('rest only', all),
    'rest after all':
      given === 2
        ? (socket, credentials, ...rest) => end('rest after all', [socket, credentials, ...rest])
        : (socket, credentials, args, ...rest) =>
            end('rest after all', [socket, credentials, args, ...rest]),
    'rest after cb':
      given === 2
        ? (socket, credentials, cb, ...rest) =>
            end('rest after cb', [socket, credentials, cb, ...rest])
        : (socket, credentials, args, cb, ...rest) =>
            end('rest after cb', [socket, credentials, args, cb, ...rest]),
    'bound, cb kept': withLength(given + 1, function () {
      return end('bound, cb kept', [...arguments]);
    }).bind(null),
    'bound to one argument': withLength(given + 1, function (extra, ...all) {
      return end('bound to one argument', all);
    }).bind(null, 'extra'),
    'bound to one argument, cb left': withLength(given + 2, function (extra, ...all) {
      return end('bound to one argument, cb left', all);
    }).bind(null, 'extra'),
    'one more than cb': withLength(given + 2, function () {
      return end('one more than cb', [...arguments]);
    }),
    'many more than cb': withLength(given + 9, function () {
      return end('many more than cb', [...arguments]);
    }),
    'async, all declared': withLength(given, async function () {
      return end('async, all declared', [...arguments]);
    }),
    'async, cb declared': withLength(given + 1, async function () {
      return end('async, cb declared', [...arguments]);
    }),
    'a proxy of a function with cb': new Proxy(
      withLength(given + 1, function () {
        return end('a proxy of a function with cb', [...arguments]);
      }),
      {},
    ),
  };
  /* eslint-enable no-unused-vars */
  return Object.entries(rows);
}

/** Thenables that are not, or not only, native promises; each gives `value`. */
const thenables = {
  native: (value) => Promise.resolve(value),
  'native, later': (value) => new Promise((resolve) => setImmediate(resolve, value)),
  bluebird: (value) => Bluebird.resolve(value),
  'bluebird, later': (value) => Bluebird.delay(1, value),
  'an object with then': (value) => ({ then: (resolve) => resolve(value) }),
  'an object with then, later': (value) => ({
    then: (resolve) => void setImmediate(resolve, value),
  }),
  'a function with then': (value) => Object.assign(() => {}, { then: (resolve) => resolve(value) }),
  'an inherited then': (value) =>
    new (class Foreign {
      then(resolve) {
        resolve(value);
      }
    })(),
  'a getter for then': (value) => ({
    get then() {
      return (resolve) => resolve(value);
    },
  }),
  'a thenable of a thenable': (value) => ({
    then: (resolve) => resolve({ then: (inner) => inner(value) }),
  }),
  'a promise of a bluebird promise': (value) => Promise.resolve(Bluebird.resolve(value)),
  'both outcomes, resolved first': (value) => ({
    then(resolve, reject) {
      resolve(value);
      reject('too late');
    },
  }),
  'resolved, then throwing': (value) => ({
    then(resolve) {
      resolve(value);
      throw new Error('too late');
    },
  }),
};

/** Thenables that fail with `reason`. */
const failingThenables = {
  native: (reason) => Promise.reject(reason),
  bluebird: (reason) => Bluebird.reject(reason),
  'an object with then': (reason) => ({ then: (resolve, reject) => reject(reason) }),
  'a throwing then': (reason) => ({
    then() {
      throw reason;
    },
  }),
  'a throwing getter for then': (reason) => ({
    get then() {
      throw reason;
    },
  }),
  'both outcomes, rejected first': (reason) => ({
    then(resolve, reject) {
      reject(reason);
      resolve('too late');
    },
  }),
  'a thenable of a failing thenable': (reason) => ({
    then: (resolve) => resolve({ then: (inner, reject) => reject(reason) }),
  }),
};

/** Values with a `then` that is no function: ordinary results. */
const notThenables = { 'then: true': { then: true }, 'then: null': { then: null, a: 1 } };

/** Handlers of a method with two outcomes; `late()` returns when the socket's next barrier came. */
const firstOutcomes = {
  'cb twice': (late, cb) => {
    cb(null, 'first');
    cb(null, 'second');
  },
  'cb with a result, then with an error': (late, cb) => {
    cb(null, 'first');
    cb('second');
  },
  'cb with an error, then with a result': (late, cb) => {
    cb('first');
    cb(null, 'second');
  },
  'cb, then throw': (late, cb) => {
    cb(null, 'first');
    throw new Error('second');
  },
  'cb with an error, then throw': (late, cb) => {
    cb('first');
    throw new Error('second');
  },
  'throw, then late cb': (late, cb) => {
    late.push(() => cb(null, 'second'));
    throw 'first';
  },
  'cb, then late cb': (late, cb) => {
    late.push(() => cb('second'));
    cb(null, 'first');
  },
  'late cb twice': (late, cb) => {
    setImmediate(() => {
      cb(null, 'first');
      cb('second');
    });
  },
  'a returned value beside cb': (late, cb) => {
    setImmediate(cb, null, 'first');
    return 'never';
  },
  'a returned promise beside cb': (late, cb) => {
    setImmediate(cb, null, 'first');
    return Promise.resolve('never');
  },
};

const FALSY_ERRORS = [undefined, null, 0, '', false, NaN, -0];

module.exports = [
  {
    section: 'Handlers',
    promise: 'auth gets (socket, credentials) with the application’s own socket',
    async run(bench) {
      bench.onConnection = (socket) => (bench.socket = socket);
      bench.instance.auth(function () {
        bench.saw('auth', arguments.length, arguments[0] === bench.socket, arguments[1]);
      });
      const peer = await bench.connect();
      peer.emit('authentication', { a: 1 }, 'more', 3);
      await peer.until('authenticated');
    },
  },
  {
    section: 'Handlers',
    promise: 'onConnected handlers get (socket, credentials), methods (socket, credentials, args)',
    async run(bench) {
      bench.onConnection = (socket) => (bench.socket = socket);
      bench.instance.onConnected(function () {
        bench.saw('connected', arguments.length, arguments[0] === bench.socket, arguments[1]);
      });
      bench.instance.defineMethod('m', function () {
        bench.saw(
          'method',
          arguments.length,
          arguments[0] === bench.socket,
          arguments[1],
          arguments[2],
        );
      });
      const peer = await bench.connect();
      await peer.authenticate({ a: 1 });
      await peer.call('m', { b: 2 });
    },
  },
  {
    section: 'Handlers',
    promise: 'a plain function has no `this`',
    async run(bench) {
      const tell = (label) =>
        function () {
          bench.saw(label, this);
        };
      bench.instance.auth(tell('auth'));
      bench.instance.onConnected(tell('connected'));
      bench.instance.defineMethod('m', tell('method'));
      const peer = await bench.connect();
      await peer.authenticate();
      await peer.call('m', {});
    },
  },
  {
    section: 'Handlers',
    promise: 'the length of an authentication function decides whether it gets cb',
    async run(bench) {
      const peer = await bench.connect();
      for (const [label, handler] of arities(2, (...facts) => bench.saw(...facts))) {
        bench.instance.auth(handler);
        await peer.authenticate(label);
      }
    },
  },
  {
    section: 'Handlers',
    promise: 'the length of an onConnected handler decides whether it gets cb',
    async run(bench) {
      for (const [, handler] of arities(2, (...facts) => bench.saw(...facts))) {
        bench.instance.onConnected(handler);
      }
      const peer = await bench.connect();
      await peer.authenticate('c');
    },
  },
  {
    section: 'Handlers',
    promise: 'the length of a method decides whether it gets cb',
    async run(bench) {
      const rows = arities(3, (...facts) => bench.saw(...facts));
      for (const [label, handler] of rows) bench.instance.defineMethod(label, handler);
      const peer = await bench.connect();
      await peer.authenticate('c');
      for (const [label] of rows) await peer.call(label, { asked: label });
    },
  },
  {
    section: 'Handlers',
    promise: 'a handler that declares cb may take its time, and its return value is ignored',
    async run(bench) {
      const { instance } = bench;
      instance.auth((socket, credentials, cb) => {
        setImmediate(() => {
          bench.saw('auth');
          cb(null, { user: 1 });
        });
        return false;
      });
      instance.onConnected((socket, credentials, cb) => {
        setImmediate(() => {
          bench.saw('connected');
          cb();
        });
        return new Promise(() => {});
      });
      instance.defineMethod('m', (socket, credentials, args, cb) => {
        setImmediate(cb, null, 'from cb');
        return 'from return';
      });
      const peer = await bench.connect();
      await peer.authenticate();
      await peer.call('m', {});
    },
  },
  {
    section: 'Handlers',
    promise: 'the return value of a method counts, awaited if it is any thenable',
    async run(bench) {
      for (const [kind, make] of Object.entries(thenables)) {
        bench.instance.defineMethod(kind, () => make({ by: kind }));
      }
      for (const [kind, value] of Object.entries(notThenables)) {
        bench.instance.defineMethod(kind, () => value);
      }
      const peer = await bench.connect();
      await peer.authenticate();
      for (const kind of [...Object.keys(thenables), ...Object.keys(notThenables)]) {
        await peer.call(kind, {});
      }
    },
  },
  {
    section: 'Handlers',
    promise: 'a thenable that fails is the error of a method',
    async run(bench) {
      for (const [kind, make] of Object.entries(failingThenables)) {
        bench.instance.defineMethod(kind, () => make({ by: kind }));
      }
      const peer = await bench.connect();
      await peer.authenticate();
      for (const kind of Object.keys(failingThenables)) await peer.call(kind, {});
    },
  },
  {
    section: 'Handlers',
    promise: 'an authentication function’s thenable is awaited, whatever made it',
    async run(bench) {
      const peer = await bench.connect();
      for (const [kind, make] of Object.entries(thenables)) {
        bench.instance.auth(() => make(true));
        await peer.authenticate(kind);
      }
      for (const [kind, make] of Object.entries(failingThenables)) {
        bench.instance.auth(() => make(new Error(kind)));
        await peer.beRefused(kind);
      }
    },
  },
  {
    section: 'Handlers',
    promise: 'an onConnected handler’s thenable is awaited, whatever made it',
    async run(bench) {
      const { instance } = bench;
      const peer = await bench.connect();
      for (const [kind, make] of Object.entries(thenables)) {
        instance._connected.length = 0;
        instance.onConnected(() => make(true));
        await peer.authenticate(kind);
      }
      for (const [kind, make] of Object.entries(failingThenables)) {
        instance._connected.length = 0;
        instance.onConnected(() => make(new Error(kind)));
        await peer.beRefused(kind);
      }
    },
  },
  {
    section: 'Handlers',
    promise: 'a thenable given to cb as the result is awaited too; as the error it is not',
    async run(bench) {
      const { instance } = bench;
      for (const [kind, make] of Object.entries(thenables)) {
        instance.defineMethod(kind, (socket, credentials, args, cb) =>
          cb(null, make({ by: kind })),
        );
      }
      instance.defineMethod('an error', (socket, credentials, args, cb) =>
        cb({ then: 'a field', code: 1 }),
      );
      const peer = await bench.connect();
      await peer.authenticate();
      for (const kind of Object.keys(thenables)) await peer.call(kind, {});
      await peer.call('an error', {});
    },
  },
  {
    section: 'Handlers',
    promise: 'the first outcome of a method wins',
    async run(bench) {
      const late = [];
      for (const [kind, act] of Object.entries(firstOutcomes)) {
        bench.instance.defineMethod(kind, (socket, credentials, args, cb) => act(late, cb));
      }
      const peer = await bench.connect();
      await peer.authenticate();
      for (const kind of Object.keys(firstOutcomes)) {
        await peer.call(kind, {});
        await peer.barrier();
        while (late.length) late.shift()();
      }
      await peer.barrier();
    },
  },
  {
    section: 'Handlers',
    promise: 'the first outcome of an authentication function wins',
    async run(bench) {
      const late = [];
      const peer = await bench.connect();
      for (const [kind, act] of Object.entries(firstOutcomes)) {
        bench.instance.auth((socket, credentials, cb) => act(late, cb));
        const refused = /^(cb with an error|throw)/.test(kind);
        await (refused ? peer.beRefused(kind) : peer.authenticate(kind));
        await peer.barrier();
        while (late.length) late.shift()();
      }
      await peer.barrier();
    },
  },
  {
    section: 'Handlers',
    promise: 'the first outcome of an onConnected handler wins',
    async run(bench) {
      const { instance } = bench;
      const late = [];
      const peer = await bench.connect();
      for (const [kind, act] of Object.entries(firstOutcomes)) {
        instance._connected.length = 0;
        instance.onConnected((socket, credentials, cb) => act(late, cb));
        instance.onConnected(bench.witness('next handler'));
        const refused = /^(cb with an error|throw)/.test(kind);
        await (refused ? peer.beRefused(kind) : peer.authenticate(kind));
        await peer.barrier();
        while (late.length) late.shift()();
      }
      await peer.barrier();
    },
  },
  {
    section: 'Handlers',
    promise: 'a falsy err given to cb is success',
    async run(bench) {
      const { instance } = bench;
      const peer = await bench.connect();
      for (const error of FALSY_ERRORS) {
        instance.auth((socket, credentials, cb) => cb(error, true));
        instance._connected.length = 0;
        instance.onConnected((socket, credentials, cb) => cb(error));
        await peer.authenticate();
      }
      FALSY_ERRORS.forEach((error, index) => {
        instance.defineMethod(`m${index}`, (socket, credentials, args, cb) => cb(error, { index }));
      });
      const other = await bench.connect();
      await other.authenticate();
      for (const index of FALSY_ERRORS.keys()) await other.call(`m${index}`, {});
    },
  },
  {
    section: 'Handlers',
    promise: 'the same credentials object reaches auth, onConnected handlers and methods',
    async run(bench) {
      const { instance } = bench;
      let first;
      instance.auth((socket, credentials) => {
        first = credentials;
        credentials.user = 'set by auth';
      });
      instance.onConnected((socket, credentials) => {
        bench.saw('connected', credentials === first, credentials);
        credentials.room = 'set by onConnected';
      });
      instance.onConnected((socket, credentials, cb) => {
        bench.saw('connected with cb', credentials === first);
        cb();
      });
      instance.defineMethod('m', (socket, credentials) => {
        bench.saw('method', credentials === first, credentials);
      });
      instance.defineMethod('n', (socket, credentials, args, cb) => {
        cb(null, credentials === first);
      });
      const peer = await bench.connect();
      await peer.authenticate({ token: 1 });
      await peer.call('m', {});
      await peer.call('n', {});
    },
  },
  {
    section: 'Handlers',
    promise: 'each socket has its own credentials',
    async run(bench) {
      bench.instance.defineMethod('who', (socket, credentials) => credentials.name);
      const one = await bench.connect();
      const two = await bench.connect();
      await one.authenticate({ name: 'one' });
      await two.authenticate({ name: 'two' });
      await one.call('who', {});
      await two.call('who', {});
      await one.call('who', {});
    },
  },
];
