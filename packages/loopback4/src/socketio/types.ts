import type { Context, ControllerClass } from '@loopback/core';

/** What is done with an event. */
export interface SocketIoSequence {
  handle(methodName: string, args: unknown[], done: Function): Promise<void>;
}

export type SocketIoDoneFunction = (response: unknown) => Promise<void> | void;

export type SocketIoInvokeMethod = (
  context: Context,
  controller: ControllerClass,
  methodName: string,
  args: unknown[],
) => unknown;

export type SocketIoSendMethod = (done: Function, result: unknown) => unknown;

export type SocketIoRejectMethod = (done: Function, error: Error) => unknown;
