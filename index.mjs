import LoopbackSocket from './index.js';

export default LoopbackSocket;
export { LoopbackSocket };
export const {
  Server,
  LoopbackSocketError,
  InvalidNameError,
  InvalidHostError,
  InvalidServerError,
  InvalidOptionError,
  ReservedEventError,
  InvalidCallbackError,
  UnsendableValueError,
} = LoopbackSocket;
