import type LoopbackSocket from 'loopback-socket';
import type { ArgsSchema, JsonSchema } from './decorators';
import { SocketConfigurationError, SocketHttpError } from './errors';

type StandardSchema = LoopbackSocket.StandardSchema;

const STATUS = 422;
const CODE = 'VALIDATION_FAILED';

/** Options of ajv, those of `RestBindings.REQUEST_BODY_PARSER_OPTIONS`. */
export interface AjvOptions {
  [option: string]: unknown;
}

/**
 * Makes a Standard Schema of what `@socketArgs` was given, whose failures are errors with status 422.
 *
 * @param schema - a Standard Schema or a JSON schema
 * @param name - the method or subscription, for messages
 * @param ajvOptions - for JSON schemas
 * @throws if it is neither, or a JSON schema without `@loopback/rest`
 */
export function schemaOf(
  schema: ArgsSchema,
  name: string,
  ajvOptions: AjvOptions = {},
): StandardSchema {
  if (isStandardSchema(schema)) {
    const { vendor } = schema['~standard'];
    return wrap(vendor, async (value) => {
      const { issues, value: output } = await schema['~standard'].validate(value);
      if (issues !== undefined) {
        throw invalid(name, issues.map(detailOf));
      }
      return output;
    });
  }
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
    throw new SocketConfigurationError(
      'INVALID_SCHEMA',
      `@socketArgs of '${name}' needs a schema: one of a library that implements Standard Schema, ` +
        'such as zod, or a JSON schema.',
    );
  }
  const validate = jsonValidator(schema, name, ajvOptions);
  return wrap('loopback', validate);
}

/** A Standard Schema whose `validate` throws what the client is to get. */
function wrap(vendor: string, check: (value: unknown) => Promise<unknown>): StandardSchema {
  return {
    '~standard': { version: 1, vendor, validate: async (value) => ({ value: await check(value) }) },
  };
}

function jsonValidator(
  schema: JsonSchema,
  name: string,
  ajvOptions: AjvOptions,
): (value: unknown) => Promise<unknown> {
  const { validateValueAgainstSchema } = requireRest(name);
  const { definitions, ...own } = schema;
  return async (value) => {
    try {
      await validateValueAgainstSchema(value, own, definitions ?? {}, {
        ...ajvOptions,
        source: 'body',
      });
    } catch (error) {
      const { statusCode, details } = error as { statusCode?: number; details?: unknown };
      throw statusCode === STATUS ? invalid(name, details) : error;
    }
    return value;
  };
}

function requireRest(name: string): typeof import('@loopback/rest') {
  try {
    return require('@loopback/rest');
  } catch (cause) {
    throw new SocketConfigurationError(
      'INVALID_SCHEMA',
      `@socketArgs of '${name}' has a JSON schema, which @loopback/rest validates: install that, or ` +
        'use a schema of a library that implements Standard Schema, such as zod.',
      cause,
    );
  }
}

/** Whether a value implements Standard Schema; schemas of arktype are functions. */
export function isStandardSchema(value: unknown): value is StandardSchema {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return (
    isObject && typeof (value as Partial<StandardSchema>)['~standard']?.validate === 'function'
  );
}

function invalid(name: string, details: unknown): SocketHttpError {
  return new SocketHttpError(
    STATUS,
    `The arguments of '${name}' are invalid. See \`details\`.`,
    CODE,
    details,
  );
}

/** An issue of a Standard Schema in the shape of REST's details. */
function detailOf(issue: { message: string; path?: ReadonlyArray<unknown> }) {
  const keys = (issue.path ?? []).map((segment) =>
    String(
      typeof segment === 'object' && segment !== null ? (segment as { key: unknown }).key : segment,
    ),
  );
  return { path: keys.length === 0 ? '' : `/${keys.join('/')}`, message: issue.message };
}
