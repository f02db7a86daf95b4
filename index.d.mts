import LoopbackSocket = require('./index.js');

export default LoopbackSocket;
export { LoopbackSocket };
export import Server = LoopbackSocket.Server;
export import LoopbackSocketError = LoopbackSocket.LoopbackSocketError;
export import InvalidNameError = LoopbackSocket.InvalidNameError;
export import InvalidHostError = LoopbackSocket.InvalidHostError;
export import InvalidServerError = LoopbackSocket.InvalidServerError;
export import InvalidOptionError = LoopbackSocket.InvalidOptionError;
export import ReservedEventError = LoopbackSocket.ReservedEventError;
export import InvalidCallbackError = LoopbackSocket.InvalidCallbackError;
export import UnsendableValueError = LoopbackSocket.UnsendableValueError;
