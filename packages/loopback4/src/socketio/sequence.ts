import {
  type Context,
  type ControllerClass,
  CoreBindings,
  inject,
  invokeMethod,
  type Provider,
} from '@loopback/core';
import { errorWriter } from '../errors';
import { LoopbackSocketBindings } from '../keys';
import type { ErrorWriter } from '../types';
import { SocketIoBindings } from './keys';
import type {
  SocketIoInvokeMethod,
  SocketIoRejectMethod,
  SocketIoSendMethod,
  SocketIoSequence,
} from './types';

/** Calls the method of an event and acknowledges it with what came of it. */
export class DefaultSocketIoSequence implements SocketIoSequence {
  constructor(
    @inject.context() protected context: Context,
    @inject(CoreBindings.CONTROLLER_CURRENT) protected controller: ControllerClass,
    @inject(SocketIoBindings.INVOKE_METHOD) protected invoke: SocketIoInvokeMethod,
    @inject(SocketIoBindings.SEND_METHOD) protected send: SocketIoSendMethod,
    @inject(SocketIoBindings.REJECT_METHOD) protected reject: SocketIoRejectMethod,
  ) {}

  async handle(methodName: string, args: unknown[], done: Function): Promise<void> {
    try {
      const result = await this.invoke(this.context, this.controller, methodName, args);
      await this.send(done, result);
    } catch (error) {
      await this.reject(done, error as Error);
    }
  }
}

export class SocketIoInvokeMethodProvider implements Provider<SocketIoInvokeMethod> {
  value(): SocketIoInvokeMethod {
    return (context, controller, methodName, args) =>
      invokeMethod(controller, methodName, context, args);
  }
}

export class SocketIoSendProvider implements Provider<SocketIoSendMethod> {
  value(): SocketIoSendMethod {
    return (done, result) => done({ result });
  }
}

export class SocketIoRejectProvider implements Provider<SocketIoRejectMethod> {
  constructor(
    @inject(LoopbackSocketBindings.ERROR_WRITER, { optional: true })
    private readonly write: ErrorWriter = errorWriter(false),
  ) {}

  value(): SocketIoRejectMethod {
    return (done, error) => done({ error: this.write(error, { name: 'socketio', socket: null }) });
  }
}
