// Connection state recovery: what controllers know of a socket whose client has come back.

import { authenticate } from '@loopback/authentication';
import { inject } from '@loopback/core';
import { RestBindings } from '@loopback/rest';
import { SecurityBindings, type UserProfile } from '@loopback/security';
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { describe, it } from 'node:test';
import type LoopbackSocket from 'loopback-socket';
import { Server } from 'socket.io';
import type { Socket } from 'socket.io-client';
import {
  type HandshakeRequest,
  LoopbackSocketBindings,
  type LoopbackSocketConfig,
  type LoopbackSocketServer,
  socketio,
  socketMethod,
} from '..';
import {
  authenticate as login,
  call,
  makeApp,
  type Running,
  start,
  TokenStrategy,
} from './support';

class ProfileController {
  @socketMethod()
  profile(
    args: unknown,
    control: unknown,
    @inject(SecurityBindings.USER) user: UserProfile,
    @inject(LoopbackSocketBindings.CREDENTIALS) credentials: unknown,
    @inject(LoopbackSocketBindings.TOKEN) token: string,
    @inject(LoopbackSocketBindings.SOCKET) socket: LoopbackSocket.Socket,
    @inject(RestBindings.Http.REQUEST) request: unknown,
  ) {
    const { loopbackSocket, headers } = request as HandshakeRequest;
    return {
      name: user.name,
      credentials,
      token,
      authorization: headers.authorization,
      isRequestOfSocket: loopbackSocket === socket,
    };
  }

  @socketMethod()
  @authenticate('token')
  secret(args: unknown, control: unknown, @inject(SecurityBindings.USER) user: UserProfile) {
    return `the secret of ${user.name}`;
  }
}

@socketio()
class NameController {
  @socketio.subscribe('name')
  name(@inject(SecurityBindings.USER, { optional: true }) user?: UserProfile) {
    return user?.name ?? 'nobody';
  }
}

/** Servers to test on. */
const HOSTS: [string, LoopbackSocketConfig][] = [
  ['the native server', { server: { connectionStateRecovery: true } }],
  [
    'npm socket.io',
    { io: (httpServer) => new Server(httpServer as never, { connectionStateRecovery: {} }) },
  ],
];

/** The credentials of Ada. */
const CREDENTIALS: [string, unknown][] = [
  ['a string', 'token of Ada'],
  ['an object', { token: 'token of Ada' }],
];

/** A client, which can be recovered once it has received an event; and the server's side of it. */
async function connect(app: Running, credentials: unknown) {
  const connected = once(app.server.io as unknown as EventEmitter, 'connection');
  const client = await app.login(credentials);
  const [socket] = (await connected) as [LoopbackSocket.Socket];
  const received = once(client as never, 'welcome');
  socket.emit('welcome');
  await received;
  return { client, socket };
}

/** Ends the connection of a client as the network does. */
async function lose(socket: LoopbackSocket.Socket, client: Socket): Promise<void> {
  const lost = once(socket as unknown as EventEmitter, 'disconnect');
  client.io.engine.close();
  await lost;
}

/** Connects a client again. */
async function comeBack(app: Running, client: Socket): Promise<LoopbackSocket.Socket> {
  const connected = once(app.server.io as unknown as EventEmitter, 'connection');
  const accepted = once(client as never, 'connect');
  client.connect();
  const [[socket]] = await Promise.all([connected, accepted]);
  return socket;
}

for (const [host, config] of HOSTS) {
  describe(`controllers and recovered sockets on ${host}`, () => {
    const options = { controllers: [ProfileController, NameController], config };

    for (const [kind, credentials] of CREDENTIALS) {
      it(`a recovered socket that had authenticated with ${kind} calls methods as its user, on ${host}`, async (t) => {
        const app = await start(t, options);
        const { client, socket } = await connect(app, credentials);
        const before = await call(client, 'profile');
        assert.equal(before.result.name, 'Ada');
        const { runs } = TokenStrategy;
        await lose(socket, client);
        const recovered = await comeBack(app, client);
        assert.notEqual(recovered, socket);
        assert.equal(client.recovered, true);
        assert.deepEqual(await call(client, 'profile'), before);
        assert.equal(before.result.isRequestOfSocket, true);
        assert.deepEqual(await call(client, 'secret'), { result: 'the secret of Ada' });
        assert.equal(TokenStrategy.runs, runs);
      });

      it(`a handler of @socketio gets the user of a recovered socket that had authenticated with ${kind}, on ${host}`, async (t) => {
        const app = await start(t, options);
        const { client, socket } = await connect(app, credentials);
        assert.deepEqual(await call(client, 'name'), { result: 'Ada' });
        await lose(socket, client);
        await comeBack(app, client);
        assert.equal(client.recovered, true);
        assert.deepEqual(await call(client, 'name'), { result: 'Ada' });
      });

      it(`a socket that had authenticated with ${kind} is recovered as often as its connection is lost, also without calls, on ${host}`, async (t) => {
        const app = await start(t, { ...options, controllers: [ProfileController] });
        const { client, socket } = await connect(app, credentials);
        let current = socket;
        for (let i = 0; i < 3; i++) {
          await lose(current, client);
          current = await comeBack(app, client);
          assert.equal(client.recovered, true);
        }
        const { result } = await call(client, 'profile');
        assert.deepEqual([result.name, result.isRequestOfSocket], ['Ada', true]);
      });
    }

    it(`a recovered socket authenticates as another user, on ${host}`, async (t) => {
      const app = await start(t, options);
      const { client, socket } = await connect(app, 'token of Ada');
      await lose(socket, client);
      await comeBack(app, client);
      await login(client, 'token of Grace');
      assert.equal((await call(client, 'profile')).result.name, 'Grace');
      assert.deepEqual(await call(client, 'name'), { result: 'Grace' });
    });

    it(`a socket that is revoked while its connection is lost has no user when its client is back, on ${host}`, async (t) => {
      const app = await start(t, options);
      const { client, socket } = await connect(app, 'token of Ada');
      await lose(socket, client);
      const instance = await app.app.get(LoopbackSocketBindings.INSTANCE);
      instance.revoke(() => true);
      const again = await comeBack(app, client);
      assert.deepEqual([client.recovered, again.auth], [false, false]);
      assert.deepEqual(await call(client, 'name'), { result: 'nobody' });
      assert.equal(app.server.socketContext(again).current, undefined);
    });

    it(`a client that is back has its own user, whoever has authenticated meanwhile, on ${host}`, async (t) => {
      const app = await start(t, options);
      const { client, socket } = await connect(app, 'token of Ada');
      await lose(socket, client);
      const other = await app.login('token of Grace');
      assert.equal((await call(other, 'profile')).result.name, 'Grace');
      const recovered = await comeBack(app, client);
      assert.equal(recovered.id, socket.id);
      assert.equal((await call(client, 'profile')).result.name, 'Ada');
    });
  });
}

/** A namespace of a Socket.IO server with recovery. */
class FakeNamespace extends EventEmitter {
  constructor(
    readonly name = '/',
    readonly server: object = { opts: { connectionStateRecovery: {} } },
  ) {
    super();
  }
}

/** A socket as the server sees it. */
class FakeSocket extends EventEmitter {
  auth: boolean | undefined = true;
  connected: boolean | undefined;
  recovered = false;

  constructor(
    readonly nsp: FakeNamespace,
    readonly id = 'the id',
  ) {
    super();
  }

  /** The same socket, as it comes back. */
  again(changes: object = {}): FakeSocket {
    return Object.assign(new FakeSocket(this.nsp, this.id), { recovered: true }, changes);
  }

  /** Its connection ends. */
  end(reason = 'transport close'): void {
    this.emit('disconnect', reason);
  }
}

/** A server that lets everybody in; it is not started. */
async function makeServer(): Promise<LoopbackSocketServer> {
  const app = makeApp({ config: { authentication: () => ({ name: 'Ada' }) } });
  const server = await app.get(LoopbackSocketBindings.SERVER);
  server.init();
  return server;
}

/** Has a socket authenticate. */
async function accept(
  server: LoopbackSocketServer,
  socket: FakeSocket,
  credentials: unknown = 'the credentials',
): Promise<void> {
  const { _auth: auth, _connected: connected } = server.instance as unknown as {
    _auth: (...args: unknown[]) => Promise<boolean>;
    _connected: ((...args: unknown[]) => void)[];
  };
  assert.equal(await auth(socket, credentials), true);
  connected.forEach((handler) => handler(socket, credentials));
}

/** The name of a socket's user. */
function nameOf(server: LoopbackSocketServer, socket: FakeSocket): string | undefined {
  return server.socketContext(socket as never).current?.user?.name;
}

describe('the sessions of sockets that have lost their connection', () => {
  it('a recovered socket finds the sessions of the socket with its namespace and id alone, and once', async () => {
    const server = await makeServer();
    const nsp = new FakeNamespace('/books');
    const socket = new FakeSocket(nsp);
    await accept(server, socket);
    socket.end();
    const others = {
      'one that is not recovered': socket.again({ recovered: false }),
      'one that says so in another way': socket.again({ recovered: 'true' }),
      'one that is pending': socket.again({ auth: false }),
      'one with another id': socket.again({ id: 'another id' }),
      'one of another namespace': socket.again({ nsp: new FakeNamespace('/', nsp.server) }),
      'one of another server': socket.again({ nsp: new FakeNamespace('/books') }),
    };
    for (const [which, other] of Object.entries(others)) {
      assert.equal(nameOf(server, other), undefined, which);
      assert.throws(() => server.sessionOf(other as never, 'the credentials'), { statusCode: 401 });
    }
    const again = socket.again();
    assert.equal(nameOf(server, again), 'Ada');
    assert.equal(
      server.sessionOf(again as never, 'the credentials').request.loopbackSocket,
      again as never,
    );
    assert.equal(nameOf(server, socket.again()), undefined);
  });

  it('an event of a client that is called disconnect does not end its session', async () => {
    const server = await makeServer();
    const socket = new FakeSocket(new FakeNamespace());
    await accept(server, socket);
    socket.connected = true;
    socket.end('transport close');
    assert.equal(nameOf(server, socket), 'Ada');
    assert.equal(nameOf(server, socket.again()), undefined);
    socket.connected = false;
    socket.end('transport close');
    assert.equal(nameOf(server, socket.again()), 'Ada');
  });

  it('a recovered socket finds its sessions if its context was made before it was served', async () => {
    const server = await makeServer();
    const nsp = new FakeNamespace();
    const socket = new FakeSocket(nsp);
    await accept(server, socket);
    socket.end();
    const again = socket.again({ auth: undefined });
    assert.equal(nameOf(server, again), undefined);
    again.auth = true;
    nsp.emit('connection', again);
    assert.equal(nameOf(server, again), 'Ada');
  });

  it('a socket that comes back pending has no user when the application exempts it', async () => {
    const server = await makeServer();
    const nsp = new FakeNamespace();
    const socket = new FakeSocket(nsp);
    await accept(server, socket);
    socket.end();
    const again = socket.again({ auth: false });
    nsp.emit('connection', again);
    again.auth = true;
    assert.equal(nameOf(server, again), undefined);
    again.end();
    assert.equal(nameOf(server, socket.again()), undefined);
  });

  it('sessions are kept of a socket that can be recovered: for its reason to end, by its server', async () => {
    const server = await makeServer();
    for (const [reason, isKept] of [
      ['transport error', true],
      ['transport close', true],
      ['forced close', true],
      ['ping timeout', true],
      ['server shutting down', true],
      ['forced server close', true],
      ['client namespace disconnect', false],
      ['server namespace disconnect', false],
      ['parse error', false],
    ] as const) {
      const socket = new FakeSocket(new FakeNamespace());
      await accept(server, socket);
      socket.end(reason);
      assert.equal(nameOf(server, socket.again()), isKept ? 'Ada' : undefined, reason);
    }
    for (const opts of [undefined, {}, { connectionStateRecovery: false }]) {
      const socket = new FakeSocket(new FakeNamespace('/', { opts }));
      await accept(server, socket);
      socket.end();
      assert.equal(nameOf(server, socket.again()), undefined);
    }
  });

  it('sessions are kept for maxDisconnectionDuration, two minutes by default, by a timer that lets the process exit', async (t) => {
    const server = await makeServer();
    let now = 0;
    t.mock.method(performance, 'now', () => now);
    const timers = t.mock.method(globalThis, 'setTimeout');
    for (const [duration, options] of [
      [120_000, {}],
      [5_000, { maxDisconnectionDuration: 5_000 }],
    ] as const) {
      const nsp = new FakeNamespace('/', { opts: { connectionStateRecovery: options } });
      const [first, second] = [new FakeSocket(nsp, 'first'), new FakeSocket(nsp, 'second')];
      await accept(server, first);
      await accept(server, second);
      timers.mock.resetCalls();
      first.end();
      second.end();
      assert.equal(timers.mock.callCount(), 1);
      assert.equal(timers.mock.calls[0].arguments[1], duration);
      assert.equal(timers.mock.calls[0].result?.hasRef(), false);
      now += duration - 1;
      assert.equal(nameOf(server, first.again()), 'Ada');
      now += 1;
      assert.equal(nameOf(server, second.again()), undefined);
    }
  });

  it('the time for which sessions are kept begins anew when a recovered socket loses its connection, also without calls', async (t) => {
    const server = await makeServer();
    let now = 0;
    t.mock.method(performance, 'now', () => now);
    const nsp = new FakeNamespace();
    let socket = new FakeSocket(nsp);
    await accept(server, socket);
    for (let i = 0; i < 3; i++) {
      socket.end();
      now += 100_000;
      socket = socket.again();
      nsp.emit('connection', socket);
      now += 100_000;
    }
    assert.equal(nameOf(server, socket), 'Ada');
  });

  it('the sessions of 10,000 sockets of a server are kept; those of the oldest are dropped', async () => {
    const server = await makeServer();
    const nsp = new FakeNamespace();
    const sockets = Array.from({ length: 10_001 }, (_, i) => new FakeSocket(nsp, `id ${i}`));
    for (const socket of sockets) {
      await accept(server, socket);
      socket.end();
    }
    assert.equal(nameOf(server, sockets[0].again()), undefined);
    assert.equal(nameOf(server, sockets[1].again()), 'Ada');
    assert.equal(nameOf(server, sockets.at(-1)!.again()), 'Ada');
  });

  it('credentials of 16 Mi characters are kept for all sockets of a server; those of the oldest are dropped', async () => {
    const server = await makeServer();
    const nsp = new FakeNamespace();
    // A string is its own token, so it counts twice.
    const credentials = 'x'.repeat(2 * 1024 * 1024);
    const sockets = Array.from({ length: 5 }, (_, i) => new FakeSocket(nsp, `id ${i}`));
    for (const socket of sockets) {
      await accept(server, socket, credentials);
      socket.end();
    }
    assert.deepEqual(
      sockets.map((socket) => nameOf(server, socket.again())),
      [undefined, 'Ada', 'Ada', 'Ada', 'Ada'],
    );
    const [modest, greedy] = [new FakeSocket(nsp, 'modest'), new FakeSocket(nsp, 'greedy')];
    await accept(server, modest);
    modest.end();
    await accept(server, greedy, credentials.repeat(5));
    greedy.end();
    assert.equal(nameOf(server, greedy.again()), undefined);
    assert.equal(nameOf(server, modest.again()), 'Ada');
  });
});
