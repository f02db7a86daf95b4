import LoopbackSocket from './index.js';

export default LoopbackSocket;
export { LoopbackSocket };
export const {
  Server,
  Namespace,
  Socket,
  LoopbackSocketError,
  InvalidNameError,
  InvalidHostError,
  InvalidServerError,
  InvalidSessionIdError,
  InvalidOptionError,
  NameInUseError,
  UnsupportedOptionError,
  ReservedEventError,
  InvalidCallbackError,
  InvalidTimeoutError,
  AckTimeoutError,
  InvalidCommandError,
  MalformedMessageError,
  UnsupportedApiError,
  UnsendableValueError,
  TooManyAttemptsError,
  TooManyPendingError,
  InvalidSourceError,
  MissingAddonError,
} = LoopbackSocket;
