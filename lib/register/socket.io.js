'use strict';

/**
 * What an application that was written for socket.io 3 or 4 gets for it.
 */

const { substitute } = require('./substitute');

const socketIo = substitute({});
const { Server, Namespace, Socket } = socketIo;

// Named one by one, so that `import { Server } from 'socket.io'` finds them.
module.exports = socketIo;
module.exports.Server = Server;
module.exports.Namespace = Namespace;
module.exports.Socket = Socket;
