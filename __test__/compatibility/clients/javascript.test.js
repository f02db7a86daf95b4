'use strict';

// The official clients of every protocol that LoopBack apps meet, against the native server.

const { describe } = require('node:test');
const { javascriptClient } = require('./javascript');
const { describePromises } = require('./promises');

for (const version of ['1.7', '2.5', '3.1', '4.8']) {
  describe(`socket.io-client ${version}`, () => describePromises(javascriptClient(version)));
}
