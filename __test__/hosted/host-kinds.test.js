'use strict';

// What users take for a server, and what they are told.

const assert = require('node:assert/strict');
const { EventEmitter } = require('node:events');
const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const { Duplex, PassThrough, Readable, Writable } = require('node:stream');
const { describe, it } = require('node:test');
const LoopbackSocket = require('../..');

const method = () => {};

/** LoopBack 4's `Context`, which its applications and servers are. */
class Context extends EventEmitter {
  bind() {}
}

class Application extends Context {
  component() {}
  controller() {}
  getServer() {}
  server() {}
}

class RestApplication extends Application {
  /** Throws before the application has its server, as others do that look into their bindings. */
  get restServer() {
    throw new Error('The key is not bound');
  }
  bodyParser() {}
  handler() {}
  sequence() {}
}

class RestServer extends Context {
  httpServer = undefined;
  bodyParser() {}
  handler() {}
  sequence() {}
}

class HttpServer {
  _listening = false;
  requestListener = method;
  server = http.createServer();
  start() {}
  stop() {}
}

/** What is given, what it is called, and what is to be given in its place. */
const KINDS = [
  [process, 'the process'],
  [process.stdin, 'a stream'],
  [new net.Socket(), 'a stream'],
  [new http.IncomingMessage(), 'a stream'],
  [new http.ServerResponse({}), 'a stream'],
  [new Duplex(), 'a stream'],
  [new PassThrough(), 'a stream'],
  [new Readable(), 'a stream'],
  [new Writable(), 'a stream'],
  [
    Object.assign(() => {}, { on: method, handle: method, listen: method }),
    'an app of Express or LoopBack 3',
    'app.listen()',
  ],
  [
    Object.assign(new EventEmitter(), { callback: method, listen: method, middleware: [] }),
    'a Koa app',
    'app.listen()',
  ],
  [
    { inject: method, listen: method, server: http.createServer() },
    'a Fastify app',
    'its `.server`',
  ],
  [new Application(), 'a LoopBack 4 application', 'its `.restServer.httpServer.server`'],
  [new RestApplication(), 'a LoopBack 4 application', 'its `.restServer.httpServer.server`'],
  [new RestServer(), 'a RestServer of LoopBack 4', 'its `.httpServer.server`'],
  [new HttpServer(), 'an HttpServer of LoopBack 4', 'its `.server`'],
  [{ getHttpServer: method, listen: method }, 'a NestJS application', 'its getHttpServer()'],
  [{ server: http.createServer() }, 'an object that holds an http server', 'its `.server`'],
  [{ server: https.createServer() }, 'an object that holds an http server', 'its `.server`'],
  [
    Object.assign(new EventEmitter(), { server: http.createServer() }),
    'an object that holds an http server',
    'its `.server`',
  ],
  [{ terminate: method }, 'an http terminator', 'the http server that it was made for'],
];

describe('values that are no server', () => {
  for (const [value, what, instead = 'Pass what'] of KINDS) {
    const name = `${what} (${value.constructor.name})`;

    it(`start() refuses ${name} and says what to pass instead`, () => {
      const instance = new LoopbackSocket('host kinds');
      assert.throws(
        () => instance.start(value),
        (error) => {
          assert.ok(error instanceof LoopbackSocket.InvalidHostError);
          assert.equal(error.code, 'ERR_LOOPBACK_SOCKET_INVALID_HOST');
          assert.ok(error.message.includes(`got ${what}.`), error.message);
          assert.ok(error.message.includes(instead), error.message);
          return true;
        },
      );
      assert.equal(instance._io, null);
    });

    it(`new Server() and attach() refuse ${name} and say what to pass instead`, () => {
      for (const make of [
        () => new LoopbackSocket.Server(value),
        () => new LoopbackSocket.Server(value, {}),
        () => new LoopbackSocket.Server().attach(value),
        () => new LoopbackSocket.Server().listen(value),
      ]) {
        assert.throws(make, (error) => {
          assert.ok(error instanceof LoopbackSocket.InvalidServerError);
          assert.equal(error.code, 'ERR_LOOPBACK_SOCKET_INVALID_SERVER');
          assert.ok(error.message.includes(`got ${what}.`), error.message);
          assert.ok(error.message.includes(instead), error.message);
          return true;
        });
      }
    });
  }
});

describe('other emitters', () => {
  const server = http.createServer();
  for (const [what, members] of [
    ['an emitter', {}],
    ['an emitter that listens', { listen: method, handle: method }],
    ['an emitter with the http server of a Socket.IO server', { httpServer: server }],
    ['an emitter with namespaces and an http server', { of: method, server }],
    ['an emitter whose server is a Socket.IO server', { server: new EventEmitter(), name: '/' }],
    ['an emitter that can be terminated', { terminate: method }],
  ]) {
    it(`start() serves ${what}`, () => {
      const io = Object.assign(new EventEmitter(), members);
      const instance = new LoopbackSocket('host kinds', 'none');
      instance.start(io);
      const socket = new EventEmitter();
      io.emit('connection', socket);
      assert.equal(instance._io, io);
      assert.equal(socket.auth, false);
    });
  }
});

it('start() refuses an object whose getters throw', () => {
  const value = {
    get server() {
      throw new Error('not yet');
    },
  };
  assert.throws(() => new LoopbackSocket('host kinds').start(value), {
    code: 'ERR_LOOPBACK_SOCKET_INVALID_HOST',
    message: /got an object\./,
  });
});
