'use strict';

const LoopbackSocket = require('loopback-socket');

/** Has clients call the remote methods of the models over their sockets, and subscribe to their changes. */
module.exports = function (app) {
  LoopbackSocket.get('bookshop').exposeModels(app);
};
