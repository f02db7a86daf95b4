'use strict';

// Opens the bookshop and visits it as its clients do: log in over REST, open a socket, authenticate,
// call methods, be refused. Prints a transcript; each line is checked. `--once` closes the shop after it.

const { once } = require('node:events');
const { isDeepStrictEqual } = require('node:util');
const connect = require('socket.io-client');

const app = require('./server/server');

const STEP_TIMEOUT = 10_000;
let steps = 0;
let closing;

/** Prints one line of the transcript. */
function show(what, outcome) {
  steps += 1;
  console.log('  %s %s', what.padEnd(52), outcome);
}

/** Ends the walk-through unless `actual` is what the step promises. */
function expect(what, actual, expected) {
  if (!isDeepStrictEqual(actual, expected)) {
    const [got, wanted] = [actual, expected].map((value) => JSON.stringify(value));
    throw new Error(`${what}: got ${got}, expected ${wanted}`);
  }
}

/** The first of these events of a socket: `{ event, args }`. */
async function firstOf(socket, ...events) {
  const signal = AbortSignal.timeout(STEP_TIMEOUT);
  const waits = events.map(async (event) => ({
    event,
    args: await once(socket, event, { signal }),
  }));
  return Promise.race(waits).catch(() => {
    throw new Error(`none of ${events.join(', ')} came within ${STEP_TIMEOUT / 1000} s`);
  });
}

/** Logs in over REST; the access token of LoopBack, or the refusal. */
async function logIn(url, email, password) {
  const response = await fetch(`${url}/api/Customers/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({ email, password }),
  });
  const body = await response.json();
  show(
    `POST /api/Customers/login (${password})`,
    response.ok ? '200, an access token' : `${response.status}, ${body.error.message}`,
  );
  return { status: response.status, body };
}

/** Opens a socket and sends it these credentials; `{ socket, event, args }` of the answer. */
async function authenticate(url, credentials) {
  const socket = connect(url, { forceNew: true, reconnection: false });
  const { event, args } = await firstOf(socket, 'connect', 'connect_error');
  if (event === 'connect_error') throw args[0];
  show('connect', `socket ${socket.id}`);

  const answered = firstOf(socket, 'authenticated', 'unauthorized', 'disconnect');
  socket.emit('authentication', credentials);
  const answer = await answered;
  const shown = { ...credentials, id: `${credentials.id.slice(0, 6)}…` };
  show(
    `emit authentication ${JSON.stringify(shown)}`,
    answer.event === 'authenticated'
      ? 'authenticated'
      : `${answer.event}: ${answer.args[0].message}`,
  );
  return { socket, ...answer };
}

/** Calls a method of the socket and shows its answer. */
async function call(socket, method, args) {
  const answer = await socket.timeout(STEP_TIMEOUT).emitWithAck(method, args);
  const [first, ...more] = [].concat(answer.result ?? answer);
  const rest = more.length > 0 ? ` and ${more.length} more` : '';
  show(`emit ${method} ${JSON.stringify(args)}`, `${JSON.stringify(first)}${rest}`);
  return answer;
}

/** Subscribes to the changes of a model and shows the answer. */
async function subscribe(socket, name, args) {
  const { error, result } = await socket.timeout(STEP_TIMEOUT).emitWithAck(name, { args });
  show(
    `emit ${name} ${JSON.stringify({ args })}`,
    error ? error.message : `subscription ${result.subscription}`,
  );
}

/** The visit of a customer. */
async function visit(url) {
  console.log('A customer');
  const { status, body: token } = await logIn(url, 'ada@example.com', 'enchantress');
  expect('login', status, 200);
  const { socket, event } = await authenticate(url, { id: token.id, userId: token.userId });
  expect('authentication', event, 'authenticated');

  const profile = await call(socket, 'getProfile', {});
  expect('getProfile', profile.result?.name, 'Ada');
  const books = await call(socket, 'findBooks', { author: 'Mary Shelley' });
  expect(
    'findBooks',
    books.result?.map((book) => book.title),
    ['Frankenstein', 'The Last Man'],
  );

  // Remote methods of LoopBack, with the access control that they have over REST.
  const first = await call(socket, 'Book.find', { filter: { fields: ['title'], limit: 1 } });
  expect('Book.find', first.result, [{ title: 'Frankenstein' }]);
  const own = await call(socket, 'Customer.findById', { id: token.userId });
  expect('Customer.findById', own.result?.email, 'ada@example.com');
  const refused = await call(socket, 'Book.create', { data: { title: 'Emma' } });
  expect('Book.create', refused.error?.code, 'AUTHORIZATION_REQUIRED');

  // The changes of a model, as they happen.
  const changed = firstOf(socket, 'Book.changes'); // before subscribing, to miss nothing
  await subscribe(socket, 'Book.changes', { where: { year: 1859 } });
  await call(socket, 'addBook', { title: 'Emma', author: 'Jane Austen', year: 1815 });
  await call(socket, 'addBook', { title: 'Adam Bede', author: 'George Eliot', year: 1859 });
  const [{ type, data }] = (await changed).args;
  show('on Book.changes', `${type} ${JSON.stringify(data)}`);
  expect('Book.changes', [type, data.title], ['create', 'Adam Bede']);
  socket.disconnect();
}

/** Someone with a wrong password, then with a token nobody gave out. */
async function intrude(url) {
  console.log('A stranger');
  const { status } = await logIn(url, 'ada@example.com', 'guess');
  expect('login', status, 401);

  const { socket, event, args } = await authenticate(url, { id: 'made-up token', userId: 1 });
  expect('authentication', event, 'unauthorized');
  expect('message', args[0].message, 'access token unknown or expired');
  const left = firstOf(socket, 'disconnect');
  const acknowledge = args.at(-1);
  acknowledge(); // as the AngularJS-era clients of socketio-auth do: the server ends the socket
  const reason = (await left).args[0];
  show('acknowledge the refusal', `disconnected: ${reason}`);
  expect('disconnect', reason, 'io server disconnect');
}

/** What serves the sockets, in words. */
function hostName() {
  return process.env.SOCKETS === 'hosted'
    ? `npm socket.io ${require('socket.io/package.json').version}`
    : 'the native server';
}

/**
 * @param {object} options
 * @param {boolean} options.keepServing - stay open after the walk-through
 */
async function main({ keepServing }) {
  const port = process.env.PORT ?? (keepServing ? 3000 : 0);
  app.set('port', Number(port));
  if (!app.booted) await once(app, 'booted');
  await once(app.start(), 'listening');

  const url = app.get('url').replace(/\/$/, '');
  console.log('The bookshop (LoopBack %s), sockets on %s\n', app.loopback.version, hostName());
  await visit(url);
  await intrude(url);
  console.log('\nAll %d steps went as they should.', steps);

  if (keepServing) {
    console.log('\nThe bookshop stays open. Open its playground in a browser: %s', url);
    console.log('Ctrl+C closes it.');
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, close);
  } else {
    await close();
  }
}

/** Closes the bookshop, once; the process then ends by itself. */
function close() {
  closing ??= new Promise((resolve) => app.close(resolve)).then(() => console.log('Closed.'));
  return closing;
}

main({ keepServing: !process.argv.includes('--once') }).catch((err) => {
  console.error(
    '\nThe walk-through failed: %s',
    err.code === 'EADDRINUSE' ? busy(err) : err.message,
  );
  process.exit(1);
});

/** What to do about a port that is taken. */
function busy(err) {
  return `port ${err.port} is taken; choose another one: PORT=3001 npm start`;
}
