// The types for require(). They are in types/, by what they describe:
//
// loopback-socket   the class; its namespace has every type of the package
// calls             options of methods, interceptors, listeners of errors
// server  options   the native server
// namespace         namespaces, rooms, broadcasts
// socket            a client in a namespace, and its connection
// metrics           figures of servers and LoopbackSockets
// emitter           events as types
// observability     what is published on channels of diagnostics_channel
// loopback3         LoopBack 3: its remote methods over sockets
// errors            the errors and their codes

import LoopbackSocket = require('./types/loopback-socket');

export = LoopbackSocket;
