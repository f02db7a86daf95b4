'use strict';

/** docs/behaviour.md, "API": the constructor, its calls and fields, handlers named by model and method. */

const { EventEmitter } = require('node:events');

/** Auth and onConnected handlers and methods that are no functions, now or ever. */
const NEVER_HANDLERS = [
  ['undefined', undefined],
  ['null', null],
  ['a string', 'handler'],
  ['a number', 7],
  ['an empty object', {}],
  ['a model without such a method', { model: {}, method: 'missing' }],
  ['a method that is not a function', { model: { field: 7 }, method: 'field' }],
  ['no model', { model: undefined, method: 'any' }],
];

/** As much of a server's socket as an emitter that looks like one has. */
class LookalikeSocket {
  constructor(saw) {
    this.saw = saw;
    this.listeners = [];
  }

  on(name, listener) {
    this.listeners.push([name, listener]);
  }

  emit(name, ...values) {
    this.saw(`emitted ${name}`, ...values);
  }

  disconnect(...values) {
    this.saw('disconnect', ...values);
  }

  receive(name, ...values) {
    for (const [known, listener] of [...this.listeners]) if (known === name) listener(...values);
  }
}

module.exports = [
  {
    section: 'API',
    promise: 'start serves an emitter that merely looks like a server',
    async run(bench) {
      const lookalike = new EventEmitter();
      bench.instance.auth((socket, credentials) => {
        bench.saw('auth', socket === fake, credentials);
        if (credentials === 'bad') throw new Error('no');
      });
      bench.instance.defineMethod('m', bench.witness('method', 'result'));
      bench.saw('start', bench.instance.start(lookalike));
      const fake = new LookalikeSocket((...facts) => bench.saw(...facts));
      lookalike.emit('connection', fake);
      bench.saw('pending', fake.auth);
      fake.receive('authentication', 'bad');
      const [, acknowledge] = await bench.until('emitted unauthorized');
      fake.receive('authentication', 'good');
      await bench.until('emitted authenticated');
      bench.saw('authenticated', fake.auth);
      fake.receive('m', { a: 1 }, (...values) => bench.saw('answer', ...values));
      await bench.until('answer');
      acknowledge();
      await bench.until('disconnect');
      fake.receive('disconnect', 'transport close');
    },
  },
  {
    section: 'API',
    promise: 'the module is the constructor LoopbackSocket(name, timeout), and new works',
    async run(bench) {
      const { LoopbackSocket } = bench;
      const made = new LoopbackSocket('made by new', 1234);
      bench.saw('constructor', typeof LoopbackSocket, LoopbackSocket.name);
      bench.saw('instance', made instanceof LoopbackSocket, made._name, made._timeout);
      bench.saw('unregistered', LoopbackSocket.get('made by new') === made);
    },
  },
  {
    section: 'API',
    promise:
      'get makes an instance on first use, returns it ever after, and its first timeout stays',
    async run(bench) {
      const { LoopbackSocket } = bench;
      const name = `${bench.instance._name} registered`;
      const first = LoopbackSocket.get(name, 4321);
      bench.saw('made', first instanceof LoopbackSocket, first._timeout);
      bench.saw('again', LoopbackSocket.get(name) === first);
      bench.saw('other timeout', LoopbackSocket.get(name, 99) === first, first._timeout);
      bench.saw('other name', LoopbackSocket.get(`${name} too`) === first);
      bench.saw('default timeout', LoopbackSocket.get(`${name} too`)._timeout);
    },
  },
  {
    section: 'API',
    promise: 'the fields existing code reads are there: _methods by name, _connected in order',
    async run(bench) {
      const { instance } = bench;
      const auth = () => {};
      const method = () => {};
      const model = { model: {}, method: 'later' };
      bench.saw('name', typeof instance._name, instance._timeout);
      bench.saw('empty', instance._methods, instance._connected, instance._sockets);
      bench.saw('before start', instance._io, typeof instance._auth);
      instance.auth(auth);
      instance.onConnected(method);
      instance.onConnected(model);
      instance.defineMethod('b', method);
      instance.defineMethod('a', model);
      bench.saw('auth', instance._auth === auth);
      bench.saw('methods', Object.keys(instance._methods), instance._methods.b === method);
      bench.saw('model', instance._methods.a === model);
      bench.saw(
        'connected',
        Array.isArray(instance._connected),
        instance._connected.indexOf(model),
      );
      instance.removeMethod('b');
      instance.removeOnConnected(method);
      bench.saw('left', Object.keys(instance._methods), instance._connected.length);
      instance.start(bench.io);
      bench.saw('after start', instance._io === bench.io);
    },
  },
  {
    section: 'API',
    promise: 'the configuring calls return nothing',
    async run(bench) {
      const { instance } = bench;
      const handler = () => {};
      bench.saw('auth', instance.auth(handler));
      bench.saw('onConnected', instance.onConnected(handler));
      bench.saw('removeOnConnected', instance.removeOnConnected(handler));
      bench.saw('defineMethod', instance.defineMethod('m', handler));
      bench.saw('removeMethod', instance.removeMethod('m'));
      bench.saw('removeMethod of none', instance.removeMethod('none'));
      bench.saw('start', bench.start());
    },
  },
  {
    section: 'API',
    promise: 'an instance that was given no authentication function accepts everybody',
    async run(bench) {
      const peer = await bench.connect();
      await peer.authenticate('anything');
    },
  },
  {
    section: 'API',
    promise: 'a later auth() replaces the function, for connected sockets too',
    async run(bench) {
      bench.instance.auth(bench.witness('first'));
      bench.instance.auth(bench.witness('second'));
      const peer = await bench.connect();
      await peer.authenticate('one');
      const other = await bench.connect();
      bench.instance.auth(bench.witness('third'));
      await other.authenticate('two');
    },
  },
  {
    section: 'API',
    promise: 'auth takes {model, method} and a function alike',
    async run(bench) {
      const User = { login: bench.witness('login') };
      bench.instance.auth({ model: User, method: 'login' });
      const peer = await bench.connect();
      await peer.authenticate({ token: 1 });
    },
  },
  {
    section: 'API',
    promise: 'onConnected appends: functions and models run in the order they were added',
    async run(bench) {
      const { instance } = bench;
      const Room = { enter: bench.witness('model') };
      instance.onConnected(bench.witness('first'));
      instance.onConnected({ model: Room, method: 'enter' });
      instance.onConnected(bench.witness('last'));
      const peer = await bench.connect();
      await peer.authenticate({ token: 1 });
    },
  },
  {
    section: 'API',
    promise: 'a handler added twice runs twice, and removeOnConnected removes the first match only',
    async run(bench) {
      const { instance } = bench;
      const twice = bench.witness('twice');
      instance.onConnected(twice);
      instance.onConnected(bench.witness('between'));
      instance.onConnected(twice);
      const peer = await bench.connect();
      await peer.authenticate(1);
      instance.removeOnConnected(twice);
      const other = await bench.connect();
      await other.authenticate(2);
    },
  },
  {
    section: 'API',
    promise: 'removing an onConnected handler that was never added changes nothing',
    async run(bench) {
      const { instance } = bench;
      instance.onConnected(bench.witness('stays'));
      instance.removeOnConnected(() => {});
      instance.removeOnConnected({ model: {}, method: 'none' });
      instance.removeOnConnected(undefined);
      const peer = await bench.connect();
      await peer.authenticate(1);
    },
  },
  {
    section: 'API',
    promise: 'removeOnConnected takes {model, method} for the function it stands for',
    async run(bench) {
      const { instance } = bench;
      const Room = { enter: bench.witness('entered'), leave: bench.witness('left') };
      instance.onConnected(Room.enter);
      instance.onConnected(Room.leave);
      instance.removeOnConnected({ model: Room, method: 'enter' });
      const peer = await bench.connect();
      await peer.authenticate(1);
    },
  },
  {
    section: 'API',
    promise: 'defineMethod defines and replaces a method; removeMethod removes it',
    async run(bench) {
      const { instance } = bench;
      instance.defineMethod('kept', () => 'kept');
      instance.defineMethod('replaced', () => 'old');
      instance.defineMethod('replaced', () => 'new');
      instance.defineMethod('removed', bench.witness('removed ran'));
      instance.removeMethod('removed');
      const peer = await bench.connect();
      await peer.authenticate();
      await peer.call('kept', {});
      await peer.call('replaced', {});
      peer.call('removed', {});
      await peer.barrier();
    },
  },
  {
    section: 'API',
    promise: 'defineMethod takes {model, method} and a function alike',
    async run(bench) {
      const Item = { find: bench.witness('find', ['an item']) };
      bench.instance.defineMethod('find', { model: Item, method: 'find' });
      const peer = await bench.connect();
      await peer.authenticate('c');
      await peer.call('find', { id: 1 });
    },
  },
  {
    section: 'API',
    promise: 'start serves several servers with one instance',
    async run(bench) {
      bench.instance.auth(bench.witness('auth'));
      bench.instance.defineMethod('where', (socket) => socket === here.application);
      let here = {};
      const other = await bench.openAnother();
      bench.start();
      bench.start(other.io);
      here = await bench.connect();
      const there = await bench.connect({ namespace: other.io, port: other.port });
      await here.authenticate('here');
      await there.authenticate('there');
      await here.call('where', {});
      await there.call('where', {});
    },
  },
  {
    section: 'API',
    promise: 'start serves a namespace, and then only that namespace',
    async run(bench) {
      const namespace = bench.io.of('/x');
      bench.instance.auth(bench.witness('auth'));
      bench.instance.defineMethod('echo', (socket, credentials, args) => [credentials, args]);
      bench.start(namespace);
      const root = await bench.connect();
      const peer = await bench.connect({ namespace, path: '/x', over: root });
      bench.saw('pending', root.application.auth, peer.application.auth);
      root.emit('authentication', 'to the root');
      await root.barrier();
      await peer.authenticate('to the namespace');
      await peer.call('echo', { a: 1 });
      root.call('echo', { a: 1 });
      await root.barrier();
      bench.saw('authenticated', root.application.auth, peer.application.auth);
    },
  },
  {
    section: 'API',
    promise: 'start serves several namespaces and the root of one server, each socket by itself',
    async run(bench) {
      const namespace = bench.io.of('/x');
      bench.instance.auth(bench.witness('auth'));
      bench.instance.defineMethod('echo', (socket, credentials, args) => [credentials, args]);
      bench.start();
      bench.start(namespace);
      const root = await bench.connect();
      const peer = await bench.connect({ namespace, path: '/x', over: root });
      await peer.authenticate('x');
      bench.saw('authenticated', root.application.auth, peer.application.auth);
      root.call('echo', 0);
      await root.barrier();
      await root.authenticate('root');
      await root.call('echo', 1);
      await peer.call('echo', 2);
    },
  },
  {
    section: 'API',
    promise: 'an authentication method of a model is looked up when credentials arrive',
    async run(bench) {
      const User = {};
      bench.instance.auth({ model: User, method: 'login' });
      const peer = await bench.connect();
      await peer.beRefused('too early');
      User.login = bench.witness('login');
      await peer.authenticate('now');
      User.login = bench.witness('other login');
      const other = await bench.connect();
      await other.authenticate('later');
    },
  },
  {
    section: 'API',
    promise: 'an onConnected method of a model is looked up when it runs',
    async run(bench) {
      const Room = {};
      bench.instance.auth(() => {
        Room.first = (socket, credentials) => {
          bench.saw('first', credentials);
          Room.second = bench.witness('second');
        };
      });
      bench.instance.onConnected({ model: Room, method: 'first' });
      bench.instance.onConnected({ model: Room, method: 'second' });
      const peer = await bench.connect();
      await peer.authenticate('c');
    },
  },
  {
    section: 'API',
    promise: 'a method of a model is looked up when the socket authenticates, and not again',
    async run(bench) {
      const Item = {};
      bench.instance.onConnected(() => {
        Item.late = () => 'there in time';
      });
      bench.instance.defineMethod('late', { model: Item, method: 'late' });
      bench.instance.defineMethod('missing', { model: Item, method: 'missing' });
      const peer = await bench.connect();
      await peer.authenticate();
      Item.late = () => 'replaced';
      Item.missing = () => 'there now';
      await peer.call('late', {});
      await peer.call('missing', {});
    },
  },
  {
    section: 'API',
    promise: 'a missing authentication function answers `invalid method`',
    async run(bench) {
      const peer = await bench.connect();
      for (const [kind, handler] of NEVER_HANDLERS) {
        bench.instance.auth(handler);
        await peer.beRefused(kind);
      }
    },
  },
  {
    section: 'API',
    promise: 'a missing onConnected handler answers `invalid method`',
    async run(bench) {
      const peer = await bench.connect();
      for (const [kind, handler] of NEVER_HANDLERS) {
        bench.instance._connected.length = 0;
        bench.instance.onConnected(handler);
        await peer.beRefused(kind);
      }
    },
  },
  {
    section: 'API',
    promise: 'a missing method answers as Error(`invalid method`) does: an error without fields',
    async run(bench) {
      for (const [kind, handler] of NEVER_HANDLERS) bench.instance.defineMethod(kind, handler);
      const peer = await bench.connect();
      await peer.authenticate();
      for (const [kind] of NEVER_HANDLERS) await peer.call(kind, {});
    },
  },
];
