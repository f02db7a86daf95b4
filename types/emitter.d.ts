// Events as types, as socket.io has them, and emitters whose listeners are typed.

import type { EventEmitter } from 'node:events';

/** Events by name, each as a function of its arguments. */
export interface EventsMap {
  [event: string]: any;
}

/** Any event, with any arguments. */
export interface DefaultEventsMap {
  [event: string]: (...args: any[]) => void;
}

/** The names of an {@link EventsMap}. */
export type EventName<Events extends EventsMap> = keyof Events & (string | symbol);

/** The arguments of an event of an {@link EventsMap}. */
export type EventArgs<Events extends EventsMap, Name extends keyof Events> = Parameters<
  Events[Name]
>;

/** The events whose last argument is an acknowledgement. */
export type EventNameWithAck<Events extends EventsMap> = NameByAck<
  Events,
  'any' | 'answer' | 'error'
>;

/** The events that do not ask for an acknowledgement. */
export type EventNameWithoutAck<Events extends EventsMap> = NameByAck<Events, 'any' | 'none'>;

/** The events whose acknowledgement is called with an error first. */
export type EventNameWithError<Events extends EventsMap> = NameByAck<Events, 'any' | 'error'>;

/** The arguments of an event without its acknowledgement. */
export type ArgsBeforeAck<Events extends EventsMap, Name extends keyof Events> =
  EventArgs<Events, Name> extends [...infer Args, any] ? Args : any[];

/** The value that an event is acknowledged with: the first one that is not an error. */
export type AnswerOf<Events extends EventsMap, Name extends keyof Events> =
  AckOf<Events[Name]> extends 'any'
    ? any
    : LastOf<Events[Name]> extends (...answer: infer Answer) => any
      ? Answer[AckOf<Events[Name]> extends 'error' ? 1 : 0]
      : never;

/**
 * The same events with a timeout: the acknowledgement gets an error or `null` as its first
 * argument.
 */
export type WithTimeout<Events> = {
  [Name in keyof Events]: Events[Name] extends (...args: infer Args) => infer Returned
    ? (...args: { [Index in keyof Args]: TimedAck<Args[Index]> }) => Returned
    : Events[Name];
};

/**
 * The same events for many clients: the acknowledgement gets an array with one answer per client.
 */
export type WithResponses<Events> = {
  [Name in keyof Events]: Events[Name] extends (...args: infer Args) => infer Returned
    ? (...args: { [Index in keyof Args]: ManyAcks<Args[Index]> }) => Returned
    : Events[Name];
};

/** The listener of a reserved event or of an event of the application. */
export type ListenerOf<Reserved, Listen, Name> = Name extends keyof Reserved
  ? Reserved[Name]
  : Name extends keyof Listen
    ? [Listen[Name]] extends [never]
      ? (...args: any[]) => void
      : Listen[Name]
    : (...args: any[]) => void;

/** @internal */
export type AnyFunction = (...args: any[]) => any;

/** @internal */
export type IsAny<T> = 0 extends 1 & T ? true : false;

/** The last argument of a function; `never` if it takes none. @internal */
export type LastOf<F> = F extends (...args: infer Args) => any
  ? Args extends [...any[], infer Last]
    ? Last
    : Args extends ReadonlyArray<infer Last>
      ? Last
      : never
  : never;

/** How an event is acknowledged, by its last argument. @internal */
export type AckOf<F> =
  IsAny<LastOf<F>> extends true
    ? 'any'
    : [LastOf<F>] extends [never]
      ? 'none'
      : LastOf<F> extends (...answer: infer Answer) => any
        ? BeginsWithError<Answer> extends true
          ? 'error'
          : 'answer'
        : 'none';

/** @internal */
export type NameByAck<Events extends EventsMap, Ack> = {
  [Name in EventName<Events>]: AckOf<Events[Name]> extends Ack ? Name : never;
}[EventName<Events>];

/** @internal */
export type BeginsWithError<Args extends any[]> = Args extends [infer First, ...any[]]
  ? IsAny<First> extends true
    ? false
    : First extends Error
      ? true
      : false
  : false;

/** @internal */
export type TimedAck<Arg> = Arg extends (...answer: infer Answer) => infer Returned
  ? BeginsWithError<Answer> extends true
    ? Arg
    : (err: Error, ...answer: Answer) => Returned
  : Arg;

/** @internal */
export type ManyAcks<Arg> = Arg extends (...answer: infer Answer) => infer Returned
  ? Answer extends []
    ? () => Returned
    : BeginsWithError<Answer> extends true
      ? Answer extends [infer Err, infer First, ...any[]]
        ? (err: Err, responses: First[]) => Returned
        : Arg
      : (responses: Array<Answer[0]>) => Returned
  : Arg;

/** An emitter with typed listeners, for its reserved events and those of the application. */
export interface TypedEmitter<
  Reserved extends EventsMap,
  Listen extends EventsMap,
> extends EventEmitter {
  on<Name extends EventName<Reserved> | EventName<Listen>>(
    event: Name,
    listener: ListenerOf<Reserved, Listen, Name>,
  ): this;
  once<Name extends EventName<Reserved> | EventName<Listen>>(
    event: Name,
    listener: ListenerOf<Reserved, Listen, Name>,
  ): this;
  listeners<Name extends EventName<Reserved> | EventName<Listen>>(
    event: Name,
  ): Array<ListenerOf<Reserved, Listen, Name>>;
}
