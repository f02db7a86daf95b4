// Checked JavaScript, CommonJS.
const LoopbackSocket = require('loopback-socket');

const sockets = LoopbackSocket.get('bookshop');
sockets.auth((socket, credentials) => socket.id !== credentials.id);
sockets.defineMethod('add', (socket, credentials, args, cb) => cb(null, args.a + args.b));
sockets.start(new LoopbackSocket.Server(0));

/** @type {import('loopback-socket').Method<unknown, { a: number }, number>} */
const double = (socket, credentials, args) => args.a * 2;
sockets.defineMethod('double', double);

// @ts-expect-error no function
sockets.auth(1);

const { LoopbackSocket: Named, InvalidNameError } = require('loopback-socket');
Named.get('bookshop').start(0);
InvalidNameError.prototype.code.length;
