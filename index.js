'use strict';

const LoopbackSocket = require('./lib/loopback-socket');
const errors = require('./lib/errors');

module.exports = LoopbackSocket;
module.exports.LoopbackSocket = LoopbackSocket;
Object.assign(module.exports, errors);

// The native server is loaded by those who use it.
Object.defineProperty(module.exports, 'Server', {
  configurable: true,
  enumerable: true,
  get: () => require('./lib/server'),
});
