'use strict';

/**
 * What an application that was written for socket.io 2 gets for it: the options it does not give
 * are those of socket.io 2, where pages of every origin may connect and a cookie names the session.
 */

const { substitute } = require('./substitute');

const socketIo = substitute({ origins: '*:*', cookie: 'io' });
const { Server, Namespace, Socket } = socketIo;

// Named one by one, so that `import { Server } from 'socket.io'` finds them.
module.exports = socketIo;
module.exports.Server = Server;
module.exports.Namespace = Namespace;
module.exports.Socket = Socket;
