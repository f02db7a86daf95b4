// A visit to the bookshop over a real client of Socket.IO.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import * as path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { io as connect, type Socket } from 'socket.io-client';
import { type BookshopApplication, main } from '..';
import { BookshopBindings } from '../keys';

let app: BookshopApplication;
let url: string;
const sockets: Socket[] = [];

/** Logs in by REST. */
async function tokenOf(email: string, password: string): Promise<string> {
  const response = await fetch(`${url}/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, password }),
  });
  assert.equal(response.status, 200);
  const { token } = (await response.json()) as { token: string };
  return token;
}

/** Connects and authenticates with the token of the login. */
async function visit(email: string, password: string): Promise<Socket> {
  const socket = connect(url, { forceNew: true, reconnection: false });
  sockets.push(socket);
  socket.emit('authentication', { token: await tokenOf(email, password) });
  await once(socket as never, 'authenticated');
  return socket;
}

const ask = (socket: Socket, event: string, args: unknown): Promise<any> =>
  socket.timeout(10_000).emitWithAck(event, args);

describe('the bookshop', () => {
  before(async () => {
    app = await main({ rest: { port: 0, host: '127.0.0.1' } });
    url = app.restServer.url!;
  });

  after(async () => {
    for (const socket of sockets) socket.disconnect();
    await app.stop();
  });

  it('a customer orders a book and sees only orders of their own', async () => {
    const ada = await visit('ada@example.com', 'enchantress');
    const { result } = await ask(ada, 'orders.create', { book: 'Frankenstein', shop: 'Bath' });
    const { id, ...order } = result;
    assert.equal(typeof id, 'number');
    assert.deepEqual(order, { book: 'Frankenstein', copies: 1, customer: 'Ada', shop: 'Bath' });
    const grace = await visit('grace@example.com', 'nanosecond');
    await ask(grace, 'orders.create', { book: 'Emma', shop: 'Bath' });
    assert.deepEqual(await ask(ada, 'orders.mine', undefined), { result: [result] });
  });

  it('an order that is not valid is refused with what is wrong with it', async () => {
    const ada = await visit('ada@example.com', 'enchantress');
    const { error } = await ask(ada, 'orders.create', { book: 'Emma', shop: 'Bath', copies: 0 });
    assert.equal(error.statusCode, 422);
    assert.equal(error.code, 'VALIDATION_FAILED');
    assert.deepEqual(
      error.details.map(({ path }: { path: string }) => path),
      ['/copies'],
    );
  });

  it('clerks see the orders of their shop as they come, from one source', async () => {
    const clerks = await Promise.all([1, 2].map(() => visit('grace@example.com', 'nanosecond')));
    const received = Promise.all(clerks.map((clerk) => once(clerk as never, 'orders')));
    for (const clerk of clerks) {
      const { result } = await ask(clerk, 'orders', { args: { shop: 'York' } });
      assert.equal(result.resumed, false);
    }
    const orders = await app.get(BookshopBindings.ORDERS);
    assert.equal(orders.watchers('York'), 1);
    const ada = await visit('ada@example.com', 'enchantress');
    await ask(ada, 'orders.create', { book: 'Elsewhere', shop: 'Bath' });
    const { result: order } = await ask(ada, 'orders.create', { book: 'Emma', shop: 'York' });
    for (const [item, meta] of await received) {
      assert.deepEqual(item, order);
      assert.match(meta.id, /-1$/);
    }
  });

  it('a customer may not watch the orders of a shop', async () => {
    const ada = await visit('ada@example.com', 'enchantress');
    assert.deepEqual(await ask(ada, 'orders', { args: { shop: 'York' } }), {
      error: { statusCode: 403, code: 'FORBIDDEN', name: 'Error', message: 'Access denied' },
    });
  });

  it('a visit by the helper for clients shows orders to a clerk and refuses them to a customer', async () => {
    const script = path.join(__dirname, '..', '..', 'client.mjs');
    const { stdout } = await promisify(execFile)(process.execPath, [script, url]);
    const lines = stdout
      .trim()
      .replace(/order \d+/g, 'order N')
      .split('\n');
    const books = ['Frankenstein', 'Emma', 'Middlemarch'];
    assert.deepEqual(
      lines.filter((line) => line.startsWith('Ada has')),
      books.map((book) => `Ada has ordered: ${book} (order N)`),
    );
    assert.deepEqual(
      lines.filter((line) => line.startsWith('Grace')),
      books.map((book) => `Grace sees: 1 × ${book} for Ada`),
    );
    assert.equal(lines.at(-1), 'Ada may not watch them: Access denied (403)');
  });

  it('a stranger whose token is made up is refused and disconnected', async () => {
    const socket = connect(url, { forceNew: true, reconnection: false });
    sockets.push(socket);
    const refused = once(socket as never, 'unauthorized');
    socket.emit('authentication', { token: 'made-up.token' });
    const [{ message }, acknowledge] = await refused;
    assert.equal(message, 'The token is invalid.');
    const disconnected = once(socket as never, 'disconnect');
    acknowledge();
    assert.equal((await disconnected)[0], 'io server disconnect');
  });
});
