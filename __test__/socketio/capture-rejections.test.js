'use strict';

// `captureRejections` of Node's emitters: what becomes of the rejection of an async listener of a socket, on the native
// server as on npm `socket.io`.

const assert = require('node:assert/strict');
const { EventEmitter } = require('node:events');
const http = require('node:http');
const { after, before, describe, it } = require('node:test');
const socketIo = require('socket.io');
const { TIMEOUT, World, happens, unhandled, within } = require('../support/native-server');

/** A server of npm `socket.io`. */
class NpmWorld extends World {
  constructor() {
    super();
    this.httpServer = http.createServer();
    this.io = new socketIo.Server(this.httpServer);
  }
}

const failing = () => Promise.reject(Object.assign(new Error('failed'), { code: 'WRONG' }));

for (const [what, AnyWorld] of [
  ['npm socket.io', NpmWorld],
  ['the native server', World],
]) {
  const served = (test) => within(() => new AnyWorld(), test);

  describe(`rejections of async listeners with captureRejections on ${what}`, () => {
    before(() => (EventEmitter.captureRejections = true));
    after(() => (EventEmitter.captureRejections = false));

    for (const [title, listen] of [
      ['on()', (socket) => socket.on('x', failing)],
      ['once()', (socket) => socket.once('x', failing)],
    ]) {
      it(
        `the rejection of a listener of ${title} is sent to the client as an error event, on ${what}`,
        TIMEOUT,
        served(async (world) => {
          const { client, socket } = await world.connect();
          listen(socket);
          const told = happens(client, 'error');
          const errors = await unhandled(async () => {
            client.emit('x', 1);
            assert.deepEqual(await told, [{ code: 'WRONG' }]);
          });
          assert.deepEqual(errors, []);
        }),
      );
    }

    it(
      `the rejection of a listener goes to the method of the socket that takes rejections, on ${what}`,
      TIMEOUT,
      served(async (world) => {
        const { client, socket } = await world.connect();
        socket.on('x', failing);
        const taken = new Promise((resolve) => {
          socket[Symbol.for('nodejs.rejection')] = (error, ...event) => resolve([error, event]);
        });
        client.emit('x', 1);
        const [{ message }, event] = await taken;
        assert.equal(message, 'failed');
        assert.deepEqual(event, ['x', 1]);
      }),
    );

    it(
      `an object whose then throws is an error of its listener, on ${what}`,
      TIMEOUT,
      served(async (world) => {
        const { client, socket } = await world.connect();
        socket.on('x', () => ({
          get then() {
            throw Object.assign(new Error('no promise'), { code: 'THEN' });
          },
        }));
        socket.on('y', () => ({ then: 'no function' }));
        const told = happens(client, 'error');
        client.emit('y');
        client.emit('x');
        assert.deepEqual(await told, [{ code: 'THEN' }]);
      }),
    );
  });

  describe(`rejections of async listeners without captureRejections on ${what}`, () => {
    it(
      `the rejection of a listener is unhandled, on ${what}`,
      TIMEOUT,
      served(async (world) => {
        const { client, socket } = await world.connect();
        const called = new Promise((resolve) => {
          socket.on('x', () => {
            resolve();
            return failing();
          });
        });
        const errors = await unhandled(async () => {
          client.emit('x');
          await called;
        });
        assert.deepEqual(
          errors.map(({ message }) => message),
          ['failed'],
        );
      }),
    );
  });
}
