'use strict';

/**
 * The application that both servers run: it notes what it is told, and does what events of clients
 * ask it for.
 */

/** Events that the application does nothing about but to note them. */
const NOTED = [
  'refuse',
  'delay',
  'unknown',
  '',
  'message',
  '__proto__',
  'ünï✓😀',
  '1',
  '1.5',
  'undefined',
];

/**
 * @param {unknown} value - an argument of an event
 * @returns {unknown} the same as JSON can have it
 */
function plain(value) {
  if (typeof value === 'function') return '<ack>';
  if (value === undefined) return '<undefined>';
  if (Buffer.isBuffer(value)) return `<bytes ${value.toString('hex')}>`;
  if (value instanceof ArrayBuffer) return `<buffer ${Buffer.from(value).toString('hex')}>`;
  if (value instanceof Date) return `<date ${value.getTime()}>`;
  if (typeof value === 'bigint') return `<bigint ${value}>`;
  if (Object.is(value, -0)) return '<-0>';
  if (typeof value === 'number' && !Number.isFinite(value)) return `<${value}>`;
  if (value instanceof Error) {
    const { message, code, data } = value;
    return { error: message, code, data };
  }
  if (Array.isArray(value)) return value.map(plain);
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
  }
  return value;
}

/**
 * @param {unknown} details - the second argument of `disconnecting` and `disconnect`
 * @returns {unknown} what of it an application may rely on
 */
function detailsOf(details) {
  if (details === undefined || details === null || typeof details !== 'object') return details;
  const description = details.description ?? details.message;
  return {
    description: description instanceof Error ? description.message : plain(description),
    context: details.context?.message ?? plain(details.context),
  };
}

/**
 * @param {unknown} room - what a client names a room with
 * @returns {string} its name
 */
function nameOf(room) {
  return typeof room === 'string' ? room : JSON.stringify(plain(room));
}

/**
 * What a socket does when it is asked to by an event of its client.
 *
 * @param {import('socket.io').Socket} socket
 * @param {import('socket.io').Server} io
 * @param {(...what: any[]) => void} note
 * @returns {void}
 */
function serve(socket, io, note) {
  const { nsp } = socket;
  const last = (args) => (typeof args.at(-1) === 'function' ? args.at(-1) : () => {});
  const actions = {
    echo: (...args) => {
      if (typeof args.at(-1) === 'function') args.at(-1)(...args.slice(0, -1));
      else socket.emit('echo', ...args);
    },
    'ack twice': (...args) => {
      last(args)('first');
      last(args)('second');
    },
    'ack later': (...args) => setImmediate(() => last(args)('late')),
    'ack binary': (...args) => last(args)(Buffer.from([1, 2, 3]), { nested: Buffer.alloc(2) }),
    'ack and leave': (...args) => {
      last(args)('bye');
      socket.disconnect();
    },
    many: () => {
      for (let i = 0; i < 4; i++) socket.emit('one of many', i);
    },
    ask: () => socket.emit('question', 1, (...answer) => note(nsp.name, 'answer', answer)),
    'ask binary': () =>
      socket.emit('question', Buffer.from([9]), (...answer) => note(nsp.name, 'answer', answer)),
    binary: () => socket.emit('binary', Buffer.from('bytes'), { deep: [Buffer.from([0, 255])] }),
    send: () => socket.send('message', { from: 'server' }),
    join: (room) => {
      socket.join(nameOf(room));
      note(nsp.name, 'rooms', socket.rooms.size);
    },
    leave: (room) => {
      socket.leave(nameOf(room));
      note(nsp.name, 'rooms', socket.rooms.size);
    },
    tell: (room, what) => io.of(nsp.name).to(nameOf(room)).emit('told', plain(what)),
    'tell others': (what) => socket.broadcast.emit('told', plain(what)),
    'tell all': (what) => io.of(nsp.name).emit('told', plain(what)),
    'tell binary': () => io.of(nsp.name).emit('told', Buffer.from([7, 8])),
    'leave me': () => socket.disconnect(),
    'close me': () => socket.disconnect(true),
    'close conn': () => socket.conn.close(),
    'say and close': () => {
      socket.emit('last word', 1);
      socket.disconnect(true);
    },
    'leave all': () => io.of(nsp.name).disconnectSockets(),
  };
  // A listener for each name, since those for any name run before the ones of events that came earlier.
  for (const name of [...Object.keys(actions), ...NOTED]) {
    socket.on(name, (...args) => {
      note(nsp.name, 'event', name, ...plain(args));
      if (Object.hasOwn(actions, name)) actions[name](...args);
    });
  }
}

/**
 * Sets the application up on a server.
 *
 * @param {import('socket.io').Server} io
 * @param {(...what: any[]) => void} note - called with everything the application is told
 * @param {boolean} hasParents - whether there are namespaces that are made on demand
 * @returns {() => void} lets in those who wait for `/waits`
 */
function application(io, note, hasParents) {
  const waiting = [];
  io.engine.on('connection_error', ({ code, message, context }) =>
    note('connection_error', code, message, plain(context)),
  );
  io.engine.on('connection', (conn) => {
    note('open', conn.protocol, conn.transport.name);
    conn.on('upgrade', (transport) => note('upgrade', transport.name, conn.transport.name));
    conn.on('close', (reason, details) => note('close', reason, detailsOf(details)));
  });
  const names = ['/', '/news', '/refuses', '/waits'];
  for (const name of hasParents ? [...names, /^\/dyn-\d$/] : names) {
    const nsp = io.of(name);
    nsp.use((socket, next) => {
      if (socket.nsp.name === '/refuses') {
        const error = new Error('refused');
        error.data = { why: 'because', auth: socket.handshake.auth };
        next(error);
      } else if (socket.nsp.name === '/waits') {
        waiting.push(next);
      } else {
        next();
      }
    });
    nsp.on('connection', (socket) => connected(socket, io, note));
  }
  const release = () => waiting.splice(0).forEach((next) => next());
  if (!hasParents) return release;
  io.of((name, auth, next) => next(null, name === '/asked' && auth?.token !== 'bad')).on(
    'connection',
    (socket) => connected(socket, io, note),
  );
  return release;
}

/**
 * @param {import('socket.io').Socket} socket - that has connected
 * @param {import('socket.io').Server} io
 * @param {(...what: any[]) => void} note
 * @returns {void}
 */
function connected(socket, io, note) {
  const { name } = socket.nsp;
  const { auth, query, headers, url, secure, xdomain, address } = socket.handshake;
  note(name, 'connection', plain(auth), plain(query), socket.conn.transport.name);
  // The port is each server's own.
  note(name, 'handshake', plain({ ...headers, host: undefined }), url, secure, xdomain, address);
  socket.use(([event], next) => {
    if (event === 'refuse') next(new Error('not this'));
    else if (event === 'delay') setImmediate(next);
    else next();
  });
  socket.on('error', (error) => {
    // The words of a malformed message are each server's own.
    const isMalformed = error instanceof Error && error.message !== 'not this';
    note(name, 'error', isMalformed ? 'malformed' : plain(error));
  });
  socket.on('disconnecting', (reason, details) =>
    note(name, 'disconnecting', reason, detailsOf(details), socket.rooms.size),
  );
  socket.on('disconnect', (reason, details) =>
    note(name, 'disconnect', reason, detailsOf(details)),
  );
  serve(socket, io, note);
}

module.exports = { application, plain };
