'use strict';

/**
 * Makes the native server look like the module socket.io: a function that makes a server, with or
 * without `new`, which has the classes as properties.
 */

const { Namespace } = require('../socketio/namespace');
const { currentOptions } = require('./options');
const NativeServer = require('../http/server');
const { Socket } = require('../socketio/socket');

/**
 * @param {object} defaults options for servers that are not given them
 * @returns {Function & {Server: typeof NativeServer, Namespace: typeof Namespace, Socket: typeof
 *   Socket, listen: Function, attach: Function}} what stands in for the module
 */
function substitute(defaults) {
  class Server extends NativeServer {
    /**
     * @param {import('http').Server | number | object} [httpServer] where clients come, or options
     * @param {object} [options] those of socket.io 2, 3 or 4
     */
    constructor(httpServer, options) {
      if (isOptions(httpServer)) {
        super(currentOptions({ ...defaults, ...httpServer }));
      } else if (httpServer === undefined || httpServer === null) {
        super(currentOptions({ ...defaults, ...options }));
      } else {
        super(httpServer, currentOptions({ ...defaults, ...options }));
      }
    }

    /**
     * @param {import('http').Server | number} httpServer where clients come
     * @param {object} [options] those of socket.io 2, 3 or 4
     * @returns {this} the server
     */
    attach(httpServer, options) {
      return options === undefined
        ? super.attach(httpServer)
        : super.attach(httpServer, currentOptions(options));
    }

    /**
     * @param {import('http').Server | number} httpServer where clients come
     * @param {object} [options] those of socket.io 2, 3 or 4
     * @returns {this} the server
     */
    listen(httpServer, options) {
      return this.attach(httpServer, options);
    }
  }

  /**
   * `require('socket.io')(httpServer, options)`, and the same with `new`.
   *
   * @param {...unknown} args those of the server
   * @returns {Server} the server
   */
  function socketIo(...args) {
    const isSubclass = new.target !== undefined && new.target !== socketIo;
    return Reflect.construct(Server, args, isSubclass ? new.target : Server);
  }

  // `io instanceof require('socket.io')` and methods added to its prototype, as in socket.io 2.
  socketIo.prototype = Server.prototype;
  return Object.assign(socketIo, {
    Server,
    Namespace,
    Socket,
    attach: socketIo,
    listen: socketIo,
  });
}

/**
 * @param {unknown} value the first argument of a server
 * @returns {boolean} whether it is its options, as socket.io tells them from a server
 */
function isOptions(value) {
  return typeof value === 'object' && value !== null && !value.listen;
}

module.exports = { substitute };
