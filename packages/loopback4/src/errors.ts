import { STATUS_CODES } from 'node:http';
import LoopbackSocket from 'loopback-socket';
import type { ErrorLogger, ErrorWriter, SocketErrorBody } from './types';

/** What REST makes of the codes of errors without a status. */
const STATUS_OF_CODE: { [code: string]: number } = {
  ENTITY_NOT_FOUND: 404,
  AUTHENTICATION_STRATEGY_NOT_FOUND: 401,
  USER_PROFILE_NOT_FOUND: 401,
};

/** An error with a status, as those of `http-errors`. */
export class SocketHttpError extends Error {
  constructor(
    readonly statusCode: number,
    message: string,
    readonly code: string = codeOf(statusCode),
    readonly details?: unknown,
  ) {
    super(message);
    this.name = nameOf(statusCode);
  }
}

/** The codes of what is wrong with what an application has configured or decorated. */
type ConfigurationCode =
  | 'ERR_LOOPBACK_SOCKET_INVALID_OPTION'
  | 'ERR_LOOPBACK_SOCKET_INVALID_SCHEMA'
  | 'ERR_LOOPBACK_SOCKET_NAME_IN_USE'
  | 'ERR_LOOPBACK_SOCKET_NO_HTTP_SERVER'
  | 'ERR_LOOPBACK_SOCKET_NO_STRATEGY';

/** What follows `ERR_LOOPBACK_SOCKET_` in a code. */
type CodeName<Code> = Code extends `ERR_LOOPBACK_SOCKET_${infer Name}` ? Name : never;

/** Its types take the codes of loopback-socket only. */
const Base = LoopbackSocket.LoopbackSocketError as unknown as new (
  code: string,
  message: string,
  cause: unknown,
) => Error;

/**
 * What a handler throws: the client gets its body; listeners of errors find what was thrown as its `cause`.
 * It derives from `LoopbackSocketError` so that `authorize` may throw it, too.
 */
export class SocketCallError extends Base {
  /** The code that the client gets. */
  readonly code: string;

  constructor(
    readonly body: SocketErrorBody,
    cause: unknown,
  ) {
    super(body.code, body.message, cause);
    this.code = body.code;
  }

  get statusCode(): number {
    return this.body.statusCode;
  }

  toJSON(): SocketErrorBody {
    return this.body;
  }
}

/** What an application has configured or decorated does not fit: thrown where it starts, or by what got it. */
export class SocketConfigurationError extends Base {
  declare readonly code: ConfigurationCode;

  /**
   * @param code - what follows `ERR_LOOPBACK_SOCKET_`
   * @param message - what is wrong and what to do about it
   * @param cause - the error behind this one
   */
  constructor(code: CodeName<ConfigurationCode>, message: string, cause?: unknown) {
    super(code, message, cause);
  }
}

/**
 * Makes what a client gets of an error, by the rules of REST: an error of the client's is sent with its
 * message and details, and of any other one nothing but that it happened.
 *
 * @param debug - whether to send all of it
 */
export function errorWriter(debug: boolean): ErrorWriter {
  return (error) => {
    if (error instanceof SocketCallError) {
      return error.body;
    }
    const statusCode = statusOf(error);
    const { name, message, code, details, stack } = fieldsOf(error);
    if (statusCode >= 500 && !debug) {
      return {
        statusCode,
        code: codeOf(statusCode),
        name: nameOf(statusCode),
        message: STATUS_CODES[statusCode] ?? 'Unknown Error',
      };
    }
    return {
      statusCode,
      code: code ?? codeOf(statusCode),
      name: name ?? nameOf(statusCode),
      message: message ?? STATUS_CODES[statusCode] ?? 'Unknown Error',
      ...(details === undefined ? undefined : { details }),
      ...(debug && stack !== undefined ? { stack } : undefined),
    };
  };
}

/** Logs errors that are the server's fault, as REST does. */
export const logError: ErrorLogger = (error, statusCode, { name }) => {
  if (statusCode >= 500) {
    const { stack } = fieldsOf(error);
    console.error(
      'Socket event %s failed with status code %s. %s',
      name,
      statusCode,
      stack ?? error,
    );
  }
};

/** The status of an error: its own, that of its code, or 500. */
export function statusOf(error: unknown): number {
  const fields = asObject(error);
  for (const status of [fields.statusCode, fields.status]) {
    if (typeof status === 'number' && status >= 400 && status < 600) {
      return status;
    }
  }
  return (typeof fields.code === 'string' && STATUS_OF_CODE[fields.code]) || 500;
}

interface ErrorFields {
  name?: string;
  message?: string;
  code?: string;
  details?: unknown;
  stack?: string;
}

function fieldsOf(error: unknown): ErrorFields {
  if (typeof error === 'string') {
    return { message: error };
  }
  const { name, message, code, details, stack } = asObject(error);
  return {
    name: stringOf(name),
    message: stringOf(message),
    code: typeof code === 'number' ? String(code) : stringOf(code),
    details,
    stack: stringOf(stack),
  };
}

function asObject(value: unknown): { [field: string]: unknown } {
  return typeof value === 'object' && value !== null ? (value as { [field: string]: unknown }) : {};
}

function stringOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** `FORBIDDEN` for 403: for errors that have no code of their own. */
function codeOf(statusCode: number): string {
  return (STATUS_CODES[statusCode] ?? `STATUS_${statusCode}`)
    .toUpperCase()
    .replaceAll("'", '')
    .replaceAll(/[^A-Z0-9]+/g, '_');
}

/** `ForbiddenError` for 403, as `http-errors` names them. */
function nameOf(statusCode: number): string {
  const words = (STATUS_CODES[statusCode] ?? 'Unknown').replaceAll(/[^A-Za-z ]/g, '').split(' ');
  const name = words.map((word) => word[0].toUpperCase() + word.slice(1)).join('');
  return name.endsWith('Error') ? name : `${name}Error`;
}
