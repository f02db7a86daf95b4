'use strict';

/**
 * `LoopbackSocket.Server`: Socket.IO's `Server`, whose clients come to a Node http.Server.
 */

const SocketIoServer = require('../socketio/server');
const { HttpFront } = require('./front');

class Server extends SocketIoServer {
  /**
   * @param {object} parts what the front needs of the server; see `HttpFront`
   * @returns {HttpFront} where clients come
   */
  _createFront(parts) {
    return new HttpFront(parts);
  }
}

module.exports = Server;
