'use strict';

/**
 * socketio-auth's function, written with nothing but calls of LoopbackSocket: what its suite promises
 * its users, LoopbackSocket promises too.
 */

const LoopbackSocket = require('../..');

let instances = 0;

/**
 * @param {object} io the server
 * @param {object} config as socketio-auth documents it
 * @param {Function} config.authenticate `(socket, data, cb)`
 * @param {Function} [config.postAuthenticate] `(socket, data)`
 * @param {Function} [config.disconnect] `(socket)`
 * @param {number | string} [config.timeout=1000] milliseconds to authenticate in
 * @returns {void}
 */
module.exports = function socketIOAuth(io, config) {
  const instance = LoopbackSocket.get(`socketio-auth ${++instances}`, config.timeout || 1000);
  instance.auth((socket, data, cb) => config.authenticate(socket, data, cb));
  if (config.postAuthenticate) {
    instance.onConnected((socket, data) => {
      config.postAuthenticate(socket, data);
    });
  }
  if (config.disconnect) {
    io.on('connection', (socket) => socket.on('disconnect', () => config.disconnect(socket)));
  }
  instance.start(io);
};
