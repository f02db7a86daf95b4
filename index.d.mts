import LoopbackSocket = require('./index.js');

export default LoopbackSocket;
export { LoopbackSocket };
export import Server = LoopbackSocket.Server;
export import LoopbackSocketError = LoopbackSocket.LoopbackSocketError;
export import InvalidNameError = LoopbackSocket.InvalidNameError;
export import InvalidHostError = LoopbackSocket.InvalidHostError;
export import InvalidServerError = LoopbackSocket.InvalidServerError;
export import InvalidOptionError = LoopbackSocket.InvalidOptionError;
export import UnsupportedOptionError = LoopbackSocket.UnsupportedOptionError;
export import ReservedEventError = LoopbackSocket.ReservedEventError;
export import InvalidCallbackError = LoopbackSocket.InvalidCallbackError;
export import InvalidTimeoutError = LoopbackSocket.InvalidTimeoutError;
export import AckTimeoutError = LoopbackSocket.AckTimeoutError;
export import MalformedMessageError = LoopbackSocket.MalformedMessageError;
export import UnsupportedApiError = LoopbackSocket.UnsupportedApiError;
export import UnsendableValueError = LoopbackSocket.UnsendableValueError;
export import MissingAddonError = LoopbackSocket.MissingAddonError;
