export { LoopbackSocketComponent } from './component';
export {
  type ArgsSchema,
  type JsonSchema,
  socketArgs,
  socketMethod,
  type SocketMethodOptions,
  socketSubscription,
  type SocketSubscriptionOptions,
} from './decorators';
export { SocketCallError, SocketConfigurationError, SocketHttpError } from './errors';
export { HandshakeRequest } from './handshake-request';
export {
  LIFE_CYCLE_GROUP,
  LoopbackSocketBindings,
  LoopbackSocketTags,
  SOCKET_CONTROLLER_EXTENSIONS,
} from './keys';
export { LoopbackSocketMixin, socketController } from './mixin';
export type { CallControl } from './operations';
export { LoopbackSocketServer } from './server';
export { Session, SocketContext } from './sessions';
export * from './socketio';
export type {
  AuthenticateSocket,
  AuthenticationConfig,
  ErrorLogger,
  ErrorSource,
  ErrorWriter,
  LoopbackSocketConfig,
  SocketErrorBody,
  SocketServer,
  StrategyMetadata,
  UserProfile,
} from './types';
