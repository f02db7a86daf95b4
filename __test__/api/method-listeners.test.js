'use strict';

// Methods are listeners of the socket in every way an application can see, on every kind of server.

const assert = require('node:assert/strict');
const { getEventListeners } = require('node:events');
const { describe, it } = require('node:test');
const {
  HOSTS,
  authenticate,
  call,
  flush,
  heard,
  newInstance,
  next,
  openServer,
  socketOf,
} = require('../support/js-hosts');

for (const host of HOSTS) {
  describe(
    `on ${host === 'native' ? 'the native server' : `a socket.io ${host} server`}`,
    {
      timeout: 60_000,
    },
    () => {
      /**
       * @param {import('node:test').TestContext} t the test
       * @param {number} [count=1] how many LoopbackSockets serve it
       * @returns {Promise<object>} instances with the methods `m` and `other`, and a pending client
       */
      async function open(t, count = 1) {
        const { io, connect } = await openServer(t, host);
        const instances = Array.from({ length: count }, () => newInstance());
        instances.forEach((instance, i) => {
          instance.auth((socket, { refuse }) => refuse !== i);
          instance.defineMethod('m', (socket, credentials, args) => ({ i, credentials, args }));
          instance.defineMethod('other', () => 'other');
          instance.start(io);
        });
        const client = connect();
        const socket = await socketOf(io, client);
        return { io, connect, instances, instance: instances[0], client, socket };
      }

      /**
       * @param {object} socket the server's side
       * @returns {string[]} its events that have listeners, without those of the server's own
       */
      const names = (socket) =>
        socket
          .eventNames()
          .filter((name) => name !== 'disconnect' && name !== 'error')
          .sort();

      it('a pending socket has an authentication listener for each LoopbackSocket and no method listeners', async (t) => {
        const { socket } = await open(t, 2);
        assert.deepEqual(names(socket), ['authentication']);
        assert.equal(socket.listenerCount('authentication'), 2);
        assert.equal(socket.listeners('authentication').length, 2);
        assert.equal(socket.listenerCount('m'), 0);
        assert.deepEqual(socket.listeners('m'), []);
      });

      it('an authenticated socket has its methods as listeners after those of the application', async (t) => {
        const { client, socket } = await open(t);
        const own = () => {};
        socket.on('m', own);
        socket.once('m', own);
        await authenticate(client);
        assert.deepEqual(names(socket), ['authentication', 'm', 'other']);
        assert.equal(socket.listenerCount('m'), 3);
        assert.equal(socket.listenerCount('other'), 1);
        assert.equal(socket.listenerCount('nothing'), 0);
        assert.equal(socket.listenerCount(Symbol('m')), 0);
        const [first, second, method] = socket.listeners('m');
        assert.deepEqual([first, second], [own, own]);
        assert.equal(typeof method, 'function');
        assert.equal(socket.listeners('m')[2], method, 'the same every time');
        assert.equal(socket.rawListeners('m')[2], method);
        assert.equal(socket.rawListeners('m')[1].listener, own);
        assert.deepEqual(getEventListeners(socket, 'm'), [own, own, method]);
        assert.equal(socket.listenerCount('m', own), 2);
        assert.equal(socket.listenerCount('m', method), 1);
        assert.equal(socket.listenerCount('m', socket.listeners('other')[0]), 0);
        await authenticate(client, { again: true });
        assert.equal(socket.listeners('m')[2], method, 'the same after another authentication');
        assert.equal(socket.listenerCount('authentication'), 1);
      });

      it('calling the listener of a method runs the method and acknowledges with its result', async (t) => {
        const { client, instance, socket } = await open(t);
        instance.defineMethod('fails', () => {
          throw 'why';
        });
        instance.defineMethod('bad', () => 5n);
        const credentials = { some: 1 };
        await authenticate(client, credentials);
        const run = (name, ...args) =>
          new Promise((resolve) => socket.listeners(name)[0](...args, resolve));
        const answer = (args) => ({ result: { i: 0, credentials, args } });
        assert.deepEqual(await run('m', 'x'), answer('x'));
        assert.deepEqual(await run('m'), answer(undefined));
        assert.deepEqual(await run('m', 'x', 'more'), answer('x'));
        assert.deepEqual(await run('fails', 'x'), { error: 'why' });
        await authenticate(client, { other: 2 });
        assert.deepEqual((await run('m')).result.credentials, { other: 2 });
        socket.listeners('m')[0]('nobody waits');
      });

      it('a method whose listener is removed does not run until the client authenticates again', async (t) => {
        const { client, socket } = await open(t);
        await authenticate(client);
        const [method] = socket.listeners('m');
        socket.off('other', method);
        assert.equal(socket.listenerCount('m'), 1, 'it is the listener of another event');
        assert.equal(socket.off('m', method), socket);
        assert.deepEqual(names(socket), ['authentication', 'other']);
        assert.equal(socket.listenerCount('m'), 0);

        const events = heard(client);
        client.emit('m', 'lost', () => events.push('answered'));
        assert.deepEqual(await call(client, 'other'), { result: 'other' });
        // Listeners of the application answer when they like.
        socket.on('m', (args, acknowledge) => setImmediate(acknowledge, 'by a listener'));
        assert.equal(await call(client, 'm', 'x'), 'by a listener');
        assert.deepEqual(events, []);
        socket.removeAllListeners('m');

        await authenticate(client);
        assert.deepEqual(socket.listeners('m'), [method]);
        assert.equal((await call(client, 'm', 'x')).result.args, 'x');
        socket.removeListener('m', method);
        socket.on('m', method);
        assert.equal((await call(client, 'm', 'y')).result.args, 'y', 'it is added as any other');
      });

      it('removeAllListeners(name) leaves the other methods', async (t) => {
        const { client, socket } = await open(t);
        socket.on('m', () => {});
        await authenticate(client);
        assert.equal(socket.removeAllListeners('m'), socket);
        assert.deepEqual(names(socket), ['authentication', 'other']);
        const answers = [];
        client.emit('m', 'lost', (answer) => answers.push(answer));
        answers.push(await call(client, 'other'));
        assert.deepEqual(answers, [{ result: 'other' }]);
      });

      it('removeAllListeners() removes methods and authentication', async (t) => {
        const { io, client, socket } = await open(t);
        await authenticate(client);
        socket.removeAllListeners();
        assert.deepEqual(names(socket), []);
        assert.equal(socket.listenerCount('authentication'), 0);
        assert.deepEqual(socket.listeners('authentication'), []);
        const events = heard(client);
        client.emit('m', 'lost', () => events.push('answered'));
        client.emit('authentication', {});
        client.emit('end');
        await next(socket, 'end');
        await flush(socket, client);
        assert.deepEqual(events, ['flushed']);
        io.emit('news');
        await flush(socket, client);
        assert.deepEqual(events, ['flushed', 'news', 'flushed'], 'it stays authenticated');
      });

      it('the listener of one LoopbackSocket can be removed while the others still answer', async (t) => {
        const { client, socket } = await open(t, 3);
        const done = new Promise((resolve) => {
          let count = 0;
          client.on('authenticated', () => ++count === 3 && resolve());
        });
        client.emit('authentication', {});
        await done;
        const methods = socket.listeners('m');
        assert.equal(methods.length, 3);
        assert.equal((await call(client, 'm')).result.i, 0);
        socket.off('m', methods[0]);
        assert.deepEqual(socket.listeners('m'), methods.slice(1));
        assert.equal((await call(client, 'm')).result.i, 1);
        socket.off('m', methods[2]);
        assert.equal((await call(client, 'm')).result.i, 1);

        const attempts = socket.listeners('authentication');
        assert.equal(attempts.length, 3);
        socket.off('authentication', attempts[0]);
        assert.equal(socket.listenerCount('authentication'), 2);
        const events = heard(client);
        client.emit('authentication', {});
        while (events.length < 2) await next(client, 'authenticated');
        await flush(socket, client);
        assert.deepEqual(events, ['authenticated', 'authenticated', 'flushed']);
      });

      it('the authentication listener begins an attempt when the application calls it', async (t) => {
        const { client, instance, socket } = await open(t);
        const given = [];
        instance.onConnected((s, credentials) => given.push(credentials));
        const [begin] = socket.listeners('authentication');
        for (const credentials of [{ by: 'the application' }, undefined]) {
          instance.auth(() => true);
          const authenticated = next(client, 'authenticated');
          begin(credentials);
          assert.equal(await authenticated, true);
        }
        assert.deepEqual(given, [{ by: 'the application' }, undefined]);
        assert.equal(socket.auth, true);
      });

      it('another authentication updates the method listeners', async (t) => {
        const { client, instance, socket } = await open(t);
        await authenticate(client);
        const [other] = socket.listeners('other');
        instance.removeMethod('other');
        instance.defineMethod('third', () => {});
        await authenticate(client);
        assert.deepEqual(names(socket), ['authentication', 'm', 'third']);
        assert.equal(socket.listenerCount('other'), 0);
        other('x', () => assert.fail('a method that is bound no more runs'));
        instance.defineMethod('other', () => 'again');
        await authenticate(client);
        assert.deepEqual(await call(client, 'other'), { result: 'again' });
      });

      it('methods named newListener or removeListener get no listener, and any other name does', async (t) => {
        const { client, instance, socket } = await open(t);
        for (const name of ['newListener', 'removeListener', '__proto__', 'constructor', '', '5']) {
          instance.defineMethod(name, () => name);
        }
        await authenticate(client);
        const expected = ['', '5', '__proto__', 'authentication', 'constructor', 'm', 'other'];
        assert.deepEqual(names(socket), expected);
        assert.equal(socket.listenerCount(5), 1);
        assert.equal(socket.listeners('__proto__').length, 1);
        assert.equal(socket.listenerCount('newListener'), 0);
        socket.removeAllListeners('constructor');
        assert.equal(socket.listenerCount('constructor'), 0);
      });
    },
  );
}
