// Checked JavaScript, ES module.
import LoopbackSocket, { Server } from 'loopback-socket';

const sockets = LoopbackSocket.get('bookshop');
sockets.auth(async (socket, credentials) => credentials.id === socket.id);
sockets.start(new Server(0));

// @ts-expect-error a name is needed
LoopbackSocket.get();
