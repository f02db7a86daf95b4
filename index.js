'use strict';

const LoopbackSocket = require('./lib/loopback-socket');
const errors = require('./lib/errors');

module.exports = LoopbackSocket;
module.exports.LoopbackSocket = LoopbackSocket;
Object.assign(module.exports, errors);

// The native server is loaded by those who use it.
const lazily = {
  Server: () => require('./lib/http/server'),
  Namespace: () => require('./lib/socketio/namespace').Namespace,
  Socket: () => require('./lib/socketio/socket').Socket,
};
for (const [name, get] of Object.entries(lazily)) {
  Object.defineProperty(module.exports, name, { configurable: true, enumerable: true, get });
}
