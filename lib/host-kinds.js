'use strict';

/**
 * Values that are often passed instead of a server. They are recognised by their shape, since their
 * packages may not be installed. Anything else that emits events is taken for a Socket.IO server.
 */

const net = require('net');
const { Stream } = require('stream');

/**
 * @typedef {object} Kind
 * @property {string} what its name in a message
 * @property {string} [instead] a sentence that says where its server is
 * @property {(value: object | Function) => boolean} is whether a value is of this kind
 */

/** @type {Kind[]} the first that fits counts */
const KINDS = [
  {
    what: 'the process',
    is: (value) => Object.prototype.toString.call(value) === '[object process]',
  },
  { what: 'a stream', is: (value) => value instanceof Stream },
  {
    what: 'an app of Express or LoopBack 3',
    instead: 'Pass what app.listen(), or http.createServer(app), returned.',
    is: (value) => typeof value === 'function' && has(value, 'handle', 'listen'),
  },
  {
    what: 'a Koa app',
    instead: 'Pass what app.listen(), or http.createServer(app.callback()), returned.',
    is: (value) => has(value, 'callback', 'listen') && Array.isArray(value.middleware),
  },
  {
    what: 'a Fastify app',
    instead: 'Pass its `.server`.',
    is: (value) => has(value, 'inject', 'listen') && holdsServer(value),
  },
  {
    what: 'a LoopBack 4 application',
    instead: 'Pass its `.restServer.httpServer.server`, which is there once it has started.',
    is: (value) => has(value, 'bind', 'component', 'getServer'),
  },
  {
    what: 'a RestServer of LoopBack 4',
    instead: 'Pass its `.httpServer.server`, which is there once it has started.',
    is: (value) => has(value, 'bind', 'bodyParser', 'handler', 'sequence'),
  },
  {
    what: 'a NestJS application',
    instead: 'Pass what its getHttpServer() returns.',
    is: (value) => has(value, 'getHttpServer', 'listen'),
  },
  {
    what: 'an HttpServer of LoopBack 4',
    instead: 'Pass its `.server`.',
    is: (value) => has(value, 'start', 'stop') && 'requestListener' in value && holdsServer(value),
  },
  {
    what: 'an object that holds an http server',
    instead: 'Pass its `.server`.',
    is: (value) => !has(value, 'of') && holdsServer(value),
  },
  {
    what: 'an http terminator',
    instead: 'Pass the http server that it was made for.',
    is: (value) => has(value, 'terminate') && !has(value, 'on'),
  },
];

/**
 * @param {unknown} value what was given as a server
 * @returns {Kind | undefined} what it is, if it is known to be something else
 */
function kindOf(value) {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) {
    return undefined;
  }
  if (value instanceof net.Server) {
    return undefined;
  }
  return KINDS.find(({ is }) => {
    try {
      return is(value);
    } catch {
      // A getter of the value throws.
      return false;
    }
  });
}

/**
 * @param {object | Function} value any object
 * @returns {boolean} whether its `server` is an http server
 */
function holdsServer(value) {
  return value.server instanceof net.Server;
}

/**
 * @param {object | Function} value any object
 * @param {...string} names names
 * @returns {boolean} whether it has methods of all these names
 */
function has(value, ...names) {
  return names.every((name) => typeof value[name] === 'function');
}

module.exports = { kindOf };
