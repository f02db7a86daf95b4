// `@socketArgs`: what a method gets, and what a client gets whose arguments are invalid.

import type { SchemaObject } from '@loopback/rest';
import { type } from 'arktype';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as v from 'valibot';
import { z } from 'zod';
import { socketArgs, socketMethod } from '..';
import { call, makeApp, start } from './support';

const bookSchema: SchemaObject = {
  type: 'object',
  required: ['title'],
  properties: { title: { type: 'string', minLength: 1 }, year: { type: 'integer' } },
  additionalProperties: false,
};

class Library {
  @socketMethod()
  @socketArgs(z.object({ limit: z.number().int().default(10) }))
  zod(args: { limit: number }) {
    return args;
  }

  @socketMethod()
  @socketArgs(v.object({ limit: v.pipe(v.number(), v.integer()) }))
  valibot(args: { limit: number }) {
    return args;
  }

  @socketMethod()
  @socketArgs(type({ limit: 'number.integer' }))
  arktype(args: { limit: number }) {
    return args;
  }

  @socketMethod()
  @socketArgs(bookSchema)
  json(book: object) {
    return book;
  }

  @socketMethod()
  @socketArgs({ $ref: '#/components/schemas/Book', definitions: { Book: bookSchema } })
  reference(book: object) {
    return book;
  }
}

describe('@socketArgs', () => {
  for (const library of ['zod', 'valibot', 'arktype']) {
    it(`a schema of ${library} checks the arguments of a method`, async (t) => {
      const app = await start(t, { controllers: [Library] });
      const client = await app.login('token of Ada');
      assert.deepEqual(await call(client, library, { limit: 3 }), { result: { limit: 3 } });
      const { error } = await call(client, library, { limit: 'all' });
      const { details, ...others } = error;
      assert.deepEqual(others, {
        statusCode: 422,
        code: 'VALIDATION_FAILED',
        name: 'UnprocessableEntityError',
        message: `The arguments of '${library}' are invalid. See \`details\`.`,
      });
      assert.equal(details[0].path, '/limit');
      assert.match(details[0].message, /number/);
    });
  }

  it('a method gets what a schema makes of its arguments', async (t) => {
    const app = await start(t, { controllers: [Library] });
    const client = await app.login('token of Ada');
    assert.deepEqual(await call(client, 'zod', {}), { result: { limit: 10 } });
  });

  for (const method of ['json', 'reference']) {
    it(`a JSON schema checks the arguments of a method (${method})`, async (t) => {
      const app = await start(t, { controllers: [Library] });
      const client = await app.login('token of Ada');
      const book = { title: 'Emma', year: 1815 };
      assert.deepEqual(await call(client, method, book), { result: book });
      for (const invalid of [{ title: '' }, { year: 1815 }, { title: 'Emma', year: 'x' }, 7]) {
        const { error } = await call(client, method, invalid);
        assert.equal(error.statusCode, 422);
        assert.equal(error.code, 'VALIDATION_FAILED');
        assert.ok(error.details.length > 0);
      }
    });
  }

  it('something else than a schema prevents the start with an error that says what to give', async () => {
    class Wrong {
      @socketMethod()
      @socketArgs('string' as never)
      wrong() {}
    }
    await assert.rejects(makeApp({ controllers: [Wrong] }).start(), {
      code: 'ERR_LOOPBACK_SOCKET_INVALID_SCHEMA',
      message: /@socketArgs of 'wrong' needs/,
    });
  });
});
