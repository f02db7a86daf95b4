'use strict';

// docs/socketio-api.md, row by row: nothing that socket.io declares is left out, and each row is true.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { inspect } = require('node:util');
const { describe, it } = require('node:test');
const socketIo = require('socket.io');
const { AckTimeoutError, Server } = require('../..');
const { serverOptions } = require('../../lib/socketio/options');
const { run, heard, received } = require('../support/context');
const { authenticate, call, newInstance } = require('../support/js-hosts');
const { uncaught } = require('../support/native-server');
const probes = require('./socketio-api/probes');
const { declaredMembers, readTable } = require('./socketio-api/table');

const table = readTable();

/** What the rows of a section are about, once a client is there. */
const SUBJECTS = {
  Server: ({ io }) => io,
  Namespace: ({ io }) => io.of('/'),
  BroadcastOperator: ({ io }) => io.to('room'),
  Socket: ({ socket }) => socket,
  Adapter: ({ io }) => io.of('/').adapter,
  Engine: ({ io }) => io.engine,
  Connection: ({ socket }) => socket.conn,
  Client: ({ socket }) => socket.client,
};

/** Runs a check with a server, one client of it, and its socket. */
const withClient = (check) =>
  run(Server, async (context) => {
    const { client, socket } = await context.connect();
    await check({ io: context.io, client, socket });
  });

describe('the table of docs/socketio-api.md', () => {
  const declared = declaredMembers();

  for (const [section, names] of declared) {
    it(`docs/socketio-api.md lists every member that socket.io declares for ${section}`, () => {
      const listed = new Set(table.get(section).map(({ name }) => name));
      assert.ok(names.length > 1, 'socket.io declares something');
      assert.deepEqual(
        names.filter((name) => !listed.has(name)),
        [],
      );
    });
  }

  it("docs/socketio-api.md lists every declared member of socket.io's prototypes", () => {
    const { BroadcastOperator } = require('../../node_modules/socket.io/dist/broadcast-operator');
    const classes = { ...socketIo, BroadcastOperator };
    for (const section of ['Server', 'Namespace', 'Socket', 'BroadcastOperator']) {
      const own = Object.getOwnPropertyNames(classes[section].prototype);
      const listed = new Set(table.get(section).map(({ name }) => name));
      const known = new Set([...declared.get(section), 'constructor']);
      const left = own.filter(
        (name) => known.has(name) && name !== 'constructor' && !listed.has(name),
      );
      assert.deepEqual(left, []);
    }
  });

  it('docs/socketio-api.md names only error and warning codes that exist', () => {
    const files = ['errors.js', 'socketio/options.js'].map((name) =>
      path.join(__dirname, '..', '..', 'lib', name),
    );
    const source = files.map((file) => fs.readFileSync(file, 'utf8')).join('\n');
    for (const { member, code } of [...table.values()].flat()) {
      const name = code?.slice('ERR_LOOPBACK_SOCKET_'.length);
      assert.ok(name === undefined || source.includes(`${name}'`), `${member}: ${code}`);
    }
  });
});

for (const [section, subjectOf] of Object.entries(SUBJECTS)) {
  describe(`${section} on the native server`, () => {
    const rows = table.get(section);

    it(`${section} has every member that docs/socketio-api.md does not list as refused`, () =>
      withClient((context) => {
        for (const { member, name, state } of rows) {
          assert.ok(state === 'refused' || name in subjectOf(context), member);
        }
      }));

    it(`${section} refuses every member that docs/socketio-api.md lists as refused with its code`, () =>
      withClient((context) => {
        const subject = subjectOf(context);
        for (const { member, name, code } of rows.filter(({ state }) => state === 'refused')) {
          const use = member.includes(' = ')
            ? () => (subject[name] = () => {})
            : () => subject[name](...(member.endsWith('()') ? [] : [{}, {}]));
          assert.throws(use, { code }, member);
        }
      }));
  });
}

describe('members that work as on socket.io', () => {
  for (const section of [...Object.keys(SUBJECTS), 'Events']) {
    for (const { member, state } of table.get(section)) {
      // What differs may be the same in all that its probe looks at.
      const isProbed = state === 'differs' && probes[section][member] !== undefined;
      if (state !== 'works' && !isProbed) continue;
      it(`${section} ${member} works as on socket.io`, async () => {
        const probe = probes[section][member];
        assert.ok(probe !== undefined, 'there is a probe for it');
        const expected = await run(socketIo.Server, probe);
        assert.deepEqual(await run(Server, probe), expected);
      });
    }
  }

  it('every probe belongs to a row of docs/socketio-api.md', () => {
    for (const [section, members] of Object.entries(probes)) {
      const rows = new Map(table.get(section).map((row) => [row.member, row.state]));
      for (const member of Object.keys(members)) {
        assert.ok(rows.has(member), `${section}, ${member}`);
      }
    }
  });
});

describe('members that differ from socket.io', () => {
  it('serverSideEmit() reaches no other server and calls back at once', () =>
    withClient(async ({ io }) => {
      for (const to of [io, io.of('/')]) {
        const answered = await new Promise((resolve) => {
          to.serverSideEmit('anything', 1, (...args) => resolve(args));
        });
        assert.deepEqual(answered, [null, []]);
        assert.deepEqual(await to.serverSideEmitWithAck('anything'), []);
      }
    }));

  it('timeout() checks its argument and fails with a code', () =>
    withClient(async ({ io, socket }) => {
      for (const to of [io, io.of('/'), io.to('a'), socket]) {
        assert.throws(() => to.timeout('soon'), { code: 'ERR_LOOPBACK_SOCKET_INVALID_TIMEOUT' });
      }
      await assert.rejects(socket.timeout(1).emitWithAck('nobody listens'), {
        code: 'ERR_LOOPBACK_SOCKET_ACK_TIMEOUT',
        // The words of Socket.IO, which applications compare with.
        message: 'operation has timed out',
      });
      const [error, responses] = await new Promise((resolve) => {
        io.timeout(1).emit('nobody listens', (...args) => resolve(args));
      });
      assert.equal(error.code, 'ERR_LOOPBACK_SOCKET_ACK_TIMEOUT');
      assert.equal(error.message, 'operation has timed out');
      assert.ok(error instanceof AckTimeoutError);
      assert.deepEqual(responses, []);
    }));

  it('rooms of sockets and adapters are copies', () =>
    withClient(({ io, socket }) => {
      const { adapter } = io.of('/');
      const kept = [socket.rooms, adapter.rooms, adapter.sids, adapter.socketRooms(socket.id)];
      const { id } = socket;
      socket.join('later');
      const [rooms, byRoom, byId, ofSocket] = kept;
      assert.deepEqual([rooms.has('later'), ofSocket.has('later')], [false, false]);
      assert.deepEqual([byRoom.has('later'), byId.get(id).has('later')], [false, false]);
      assert.deepEqual(socket.rooms, new Set([id, 'later']));
      assert.deepEqual(adapter.rooms.get('later'), new Set([id]));
      assert.deepEqual(adapter.sids.get(id), new Set([id, 'later']));
      assert.deepEqual(adapter.socketRooms(id), new Set([id, 'later']));
    }));

  it('join() and leave() return the socket and call back', () =>
    withClient(async ({ socket }) => {
      const joined = new Promise((resolve) => socket.join('a', resolve));
      assert.equal(await joined, null);
      const left = new Promise((resolve) => socket.leave('a', resolve));
      assert.equal(await left, null);
      assert.equal(socket.join('b').leave('b'), socket);
    }));

  it('an exception of a listener stops no other listener and no method', () =>
    run(Server, async (context) => {
      const instance = newInstance();
      instance.defineMethod('x', () => 'method');
      instance.start(context.io);
      const { client, socket } = await context.connect();
      await authenticate(client);
      const called = [];
      const failing = (name) => () => {
        called.push(name);
        throw new Error(name);
      };
      socket.onAny(failing('any'));
      socket.on('x', failing('on'));
      socket.once('x', failing('once'));
      socket.on('x', () => called.push('last'));
      const errors = await uncaught(async () => {
        assert.deepEqual(await call(client, 'x', {}), { result: 'method' });
      });
      assert.deepEqual(called, ['any', 'on', 'once', 'last']);
      assert.deepEqual(
        errors.map(({ message }) => message),
        ['any', 'on', 'once'],
      );
    }));

  it('io.adapter() returns undefined and io.engine exists before a server is attached', () => {
    const io = new Server();
    assert.equal(io.adapter(), undefined);
    const { engine } = io;
    assert.equal(engine.clientsCount, 0);
    assert.deepEqual(Object.keys(engine.opts).sort(), Object.keys(serverOptions()).sort());
    assert.equal(new socketIo.Server().engine, undefined);
  });

  it('fetchSockets() of a parent namespace throws', () => {
    assert.throws(() => new Server().of(/^\/x/).fetchSockets(), {
      code: 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_API',
    });
  });

  it('packetCreate is emitted when a packet is handed to Rust and drain is never emitted', () =>
    withClient(async ({ socket, client }) => {
      const got = [];
      socket.conn.on('packetCreate', (packet) => got.push(packet));
      socket.conn.on('drain', () => got.push('drain'));
      socket.on('question', (acknowledge) => acknowledge());
      assert.deepEqual(Object.keys(socket.conn.transport), ['name']);
      socket.compress(false).volatile.emit('news', 1);
      assert.deepEqual(got, []);
      await client.emitWithAck('question');
      // Rust tells of the packet when it has sent it: the client may have it before.
      while (got.length < 2) await once(socket.conn, 'packetCreate');
      assert.deepEqual(got, [
        { type: 'message', options: { compress: false }, data: '2["news",1]' },
        { type: 'message', options: { compress: true }, data: '30[]' },
      ]);
    }));
});

describe('the server options', () => {
  const SAMPLES = {
    adapter: require('socket.io-adapter-2.5').Adapter,
    connectionStateRecovery: {},
    cookie: true,
    cors: { origin: '*' },
    allowRequest: (req, fn) => fn(null, true),
  };

  for (const { member, state, code } of table.get('Options')) {
    it(`the option ${member} behaves as docs/socketio-api.md says (${state})`, async () => {
      const value = SAMPLES[member] ?? serverOptions()[member];
      if (state === 'refused') {
        assert.throws(() => new Server({ [member]: {} }), { code });
      } else if (state === 'ignored') {
        const warned = new Promise((resolve) => process.once('warning', resolve));
        new Server({ [member]: {} });
        assert.equal((await warned).code, code);
      } else {
        assert.notEqual(value, undefined);
        assert.doesNotThrow(() => new Server({ [member]: value }));
      }
    });
  }

  it('unknown transports and parsers are refused', () => {
    const code = 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_OPTION';
    assert.throws(() => new Server({ transports: ['polling', 'webtransport'] }), { code });
    assert.throws(() => new Server({ parser: { Encoder: class {} } }), { code });
    assert.equal(serverOptions({ parser: require('socket.io-parser') }).parser, 'json');
  });

  it('every option but allowEIO3 has the default of socket.io', () =>
    run(socketIo.Server, ({ io }) => {
      const ours = serverOptions();
      const theirs = { ...io.engine.opts, path: io.path(), serveClient: io.serveClient() };
      for (const name of ['pingInterval', 'pingTimeout', 'upgradeTimeout', 'maxHttpBufferSize']) {
        assert.equal(ours[name], theirs[name], name);
      }
      for (const name of ['path', 'serveClient', 'allowUpgrades']) {
        assert.equal(ours[name], theirs[name], name);
      }
      assert.equal(ours.connectTimeout, io.connectTimeout());
      assert.deepEqual([ours.allowEIO3, theirs.allowEIO3], [true, false]);
    }));

  it('the table of options lists every option with its default', () => {
    const page = fs.readFileSync(path.join(__dirname, '..', '..', 'docs', 'options.md'), 'utf8');
    for (const [name, value] of Object.entries(serverOptions())) {
      const row = page.match(new RegExp(`^\\| \`${name}\` +\\| ([^|]*)\\|`, 'm'));
      assert.ok(row !== null, `${name} has a row`);
      // `inspect` has spaces within the brackets of arrays.
      const text =
        value === undefined ? 'none' : `\`${inspect(value).replace(/^\[ (.*) ]$/, '[$1]')}\``;
      assert.equal(row[1].trim(), text, name);
    }
  });
});

describe('internals of socket.io', () => {
  for (const { member, state } of table.get('Internals')) {
    it(`${member} exists on socket.io and not on the native server (${state})`, async () => {
      assert.equal(state, 'absent');
      const find = async (context) => {
        const { socket } = await context.connect();
        const [first, ...names] = member.split('.');
        return names.reduce((object, name) => object[name], { io: context.io, socket }[first]);
      };
      assert.notEqual(await run(socketIo.Server, find), undefined);
      assert.equal(await run(Server, find), undefined);
    });
  }

  it('a copy of a socket has no accessors, and has its fields', () =>
    withClient(({ socket }) => {
      const copy = { ...socket };
      assert.deepEqual([copy.data, copy.handshake, copy.client], [undefined, undefined, undefined]);
      assert.equal(copy.id, socket.id);
    }));
});

describe('the API of Socket.IO 2', () => {
  const rows = table.get('Socket.IO 2');
  const legacy = {
    'io.sockets.in(room).emit(event)': async ({ io, socket, client }) => {
      const got = received(client, 'news');
      io.sockets.in(socket.id).emit('news', 1);
      assert.deepEqual(await got, [1]);
    },
    'socket.broadcast.to(room)': async ({ io, socket, client }) => {
      io.sockets.sockets.get(client.id).broadcast.to(socket.id).emit('news', 'for others');
      assert.deepEqual(await heard({ socket, log: [] }), [[]]);
    },
    'socket.join(room, callback)': async ({ socket }) => {
      assert.equal(await new Promise((resolve) => socket.join('a', resolve)), null);
      assert.ok(socket.rooms.has('a'));
    },
    'socket.leave(room, callback)': async ({ socket }) => {
      socket.join('a');
      assert.equal(await new Promise((resolve) => socket.leave('a', resolve)), null);
      assert.ok(!socket.rooms.has('a'));
    },
    'socket.leaveAll()': ({ socket }) => {
      socket.join(['a', 'b']);
      socket.leaveAll();
      assert.equal(socket.rooms.size, 0);
    },
    'socket.json': async ({ io, socket, client }) => {
      const got = received(client, 'news');
      socket.json.emit('news', 1);
      assert.deepEqual(await got, [1]);
      const again = received(client, 'news');
      io.json.to(socket.id).json.emit('news', 2);
      assert.deepEqual(await again, [2]);
    },
    'socket.binary(boolean)': async ({ io, socket, client }) => {
      const got = received(client, 'news');
      socket.binary(false).emit('news', Buffer.from('x'));
      assert.deepEqual(Buffer.from((await got)[0]), Buffer.from('x'));
      const again = received(client, 'news');
      io.binary(true).emit('news', 2);
      assert.deepEqual(await again, [2]);
    },
    'io.sockets.connected': ({ io, socket }) => {
      const { connected } = io.sockets;
      assert.equal(connected[socket.id], socket);
      delete connected[socket.id];
      connected[socket.id] = undefined;
      assert.equal(connected[socket.id], socket);
    },
    'io.eio': ({ io }) => assert.equal(io.eio, io.engine),
    'io.sockets.clients(callback)': async ({ io, socket }) => {
      const answer = new Promise((resolve) => io.sockets.clients((...args) => resolve(args)));
      assert.deepEqual(await answer, [null, [socket.id]]);
    },
    'io.sockets.sockets': ({ io }) => assert.ok(io.sockets.sockets instanceof Map),
  };

  for (const { member, state, code } of rows) {
    it(`${member} of Socket.IO 2 is as docs/socketio-api.md says`, () =>
      withClient(async (context) => {
        if (state === 'refused') {
          const [, name] = /^io\.(\w+)\(/.exec(member);
          assert.throws(() => context.io[name]('anything'), { code });
          assert.throws(() => context.io.sockets[name]('anything'), { code });
        } else {
          assert.ok(legacy[member] !== undefined, 'there is a check for it');
          await legacy[member](context);
        }
      }));
  }
});
