'use strict';

// The official clients of every protocol that LoopBack apps meet, against the native server.

const { javascriptClient } = require('./javascript');
const { describePromises } = require('./promises');

for (const version of ['1.7', '2.5', '3.1', '4.8']) {
  describePromises(`socket.io-client ${version}`, javascriptClient(version));
}
