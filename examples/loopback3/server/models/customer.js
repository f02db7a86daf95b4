'use strict';

const { promisify } = require('node:util');
const LoopbackSocket = require('loopback-socket');

module.exports = function (Customer) {
  const sockets = LoopbackSocket.get('bookshop');

  /**
   * Lets a socket in by the access token its client got from `POST /api/Customers/login`.
   * What it throws is what the client reads as `message`.
   */
  Customer.authenticateSocket = async function (socket, credentials) {
    const { AccessToken } = Customer.app.models;
    if (typeof credentials?.id !== 'string') throw new Error('access token required');

    const token = await AccessToken.findById(credentials.id);
    const valid = token && (await promisify(token.validate).call(token));
    if (!valid || String(token.userId) !== String(credentials.userId)) {
      throw new Error('access token unknown or expired');
    }
  };
  sockets.auth({ model: Customer, method: 'authenticateSocket' });

  /** Runs after each successful authentication: every customer has a room of their own. */
  Customer.onSocketConnected = function (socket, credentials) {
    socket.join(`customer ${credentials.userId}`);
  };
  sockets.onConnected({ model: Customer, method: 'onSocketConnected' });

  /** `socket.emit('getProfile', {}, ({ error, result }) => …)` */
  Customer.getProfile = function (socket, credentials) {
    return Customer.findById(credentials.userId, { fields: ['id', 'name', 'email'] });
  };
  sockets.defineMethod('getProfile', { model: Customer, method: 'getProfile' });
};
