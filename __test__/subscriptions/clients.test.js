'use strict';

// Subscriptions with the official clients of every protocol that LoopBack apps meet, on both kinds of server.

const { javascriptClient } = require('../compatibility/clients/javascript');
const { describeSubscriptions } = require('./scenarios');

/** By the version of the client: the npm socket.io that serves it. */
const SERVERS = { 1.7: 2, 2.5: 2, 3.1: 3, 4.8: 4 };

for (const [version, server] of Object.entries(SERVERS)) {
  const kind = { ...javascriptClient(version), reconnects: true };
  describeSubscriptions(`socket.io-client ${version}`, kind, server);
}
