'use strict';

// `node -r loopback-socket/register`: applications that know nothing of the native server run on
// it. Each is a process of its own, with the node_modules it would have.

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const readline = require('node:readline');
const { after, before, describe, it } = require('node:test');
const { currentOptions } = require('../../lib/register/options');

const ROOT = path.join(__dirname, '..', '..');
const TIMEOUT = 30_000;

const CLIENTS = {
  2.5: () => require('socket.io-client-2'),
  4.8: () => require('socket.io-client'),
};

/** Tells the test where it listens, what serves, and whether anything of socket.io is loaded. */
const TELL = `
  const tell = (io, port) => {
    const real = Object.keys(require.cache).filter((file) =>
      /node_modules.(socket|engine)\\.io(-\\d)?.(lib|dist|build)/.test(file));
    const isNative = io instanceof require('loopback-socket').Server;
    console.log(JSON.stringify({ port, isNative, real }));
  };`;

/** Written for socket.io 4. */
const APP_4 = `
  const http = require('http');
  const { Server } = require('socket.io');
  ${TELL}
  const httpServer = http.createServer((req, res) => res.end('page'));
  const io = new Server(httpServer, { cors: { origin: 'http://good.example' } });
  io.use((socket, next) => {
    socket.data.user = socket.handshake.auth.user ?? 'nobody';
    next();
  });
  io.on('connection', async (socket) => {
    socket.on('hello', (name, reply) => reply('hello ' + name, socket.data.user));
    await socket.join('room');
    io.to('room').except('none').emit('joined', socket.id);
  });
  httpServer.listen(0, () => tell(io, httpServer.address().port));`;

/** The same as an ES module. */
const APP_ESM = `
  import { createServer } from 'node:http';
  import { createRequire } from 'node:module';
  import { Server } from 'socket.io';
  const require = createRequire(import.meta.url);
  ${TELL}
  const httpServer = createServer();
  const io = new Server(httpServer);
  io.on('connection', (socket) => {
    socket.on('hello', (name, reply) => reply('hello ' + name, 'nobody'));
    io.emit('joined', socket.id);
  });
  httpServer.listen(0, () => tell(io, httpServer.address().port));`;

/** Written for socket.io 2, as LoopBack 3 applications are. */
const APP_2 = `
  const http = require('http');
  ${TELL}
  const httpServer = http.createServer();
  const io = require('socket.io')(httpServer, {
    origins: ['http://good.example:80'],
    cookie: 'sid',
    pingTimeout: 5000,
    transports: ['websocket', 'polling'],
  });
  io.sockets.on('connection', (socket) => {
    socket.on('hello', (name, reply) => reply('hello ' + name, 'nobody'));
    socket.join('room', () => io.sockets.in('room').emit('joined', socket.id));
  });
  httpServer.listen(0, () => tell(io, httpServer.address().port));`;

describe('loopback-socket/register', () => {
  let folder;
  const children = [];

  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'loopback-socket-register-'));
  });
  after(async () => {
    for (const child of children) {
      const closed = new Promise((resolve) => child.once('close', resolve));
      if (child.exitCode === null && child.kill()) await closed;
    }
    fs.rmSync(folder, { recursive: true, force: true });
  });

  function promise(name, run) {
    it(`loopback-socket/register ${name}`, { timeout: TIMEOUT }, run);
  }

  /** Writes an application with the packages it has. */
  function application(name, source, packages = {}) {
    const home = path.join(folder, name);
    const modules = path.join(home, 'node_modules');
    fs.mkdirSync(modules, { recursive: true });
    const file = path.join(home, source.includes('import {') ? 'app.mjs' : 'app.js');
    fs.writeFileSync(file, source);
    const linked = { 'loopback-socket': ROOT, ...packages };
    for (const [as, folderOf] of Object.entries(linked)) {
      fs.symlinkSync(folderOf, path.join(modules, as), 'junction');
    }
    return { file, home };
  }

  /** @returns {Promise<any>} the first line an application writes */
  function run({ file, home }, args = ['-r', 'loopback-socket/register']) {
    const child = spawn(process.execPath, [...args, file], {
      cwd: home,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(child);
    return new Promise((resolve, reject) => {
      let errors = '';
      child.stderr.setEncoding('utf8').on('data', (text) => (errors += text));
      child.once('close', () => reject(new Error(`ended before it listened: ${errors}`)));
      readline
        .createInterface({ input: child.stdout })
        .once('line', (line) => resolve(JSON.parse(line)));
    });
  }

  /** Prints what a program finds. */
  function evaluate(name, expression, packages) {
    const source = `console.log(JSON.stringify((() => { ${expression} })()));`;
    return run(application(name, source, packages));
  }

  /** @returns {Promise<any[]>} what the application answers a client over a transport */
  async function greet(port, version, transport) {
    const socket = CLIENTS[version]().connect(`http://127.0.0.1:${port}`, {
      transports: [transport],
      forceNew: true,
      reconnection: false,
      auth: { user: 'ann' },
    });
    try {
      const joined = new Promise((resolve) => socket.once('joined', resolve));
      await new Promise((resolve, reject) => {
        socket.once('connect', resolve);
        socket.once('connect_error', reject);
      });
      const id = socket.id;
      assert.equal(await joined, id);
      return await new Promise((resolve) => {
        socket.emit('hello', 'wörld', (...answer) => resolve(answer));
      });
    } finally {
      socket.disconnect();
    }
  }

  const installed = (name) => path.dirname(require.resolve(`${name}/package.json`));

  for (const [title, packages] of [
    ['installed', { 'socket.io': installed('socket.io') }],
    ['missing', {}],
  ]) {
    promise(`serves an unchanged app of socket.io 4 with socket.io ${title}`, async () => {
      const told = await run(application(`app 4 ${title}`, APP_4, packages));
      assert.deepEqual([told.isNative, told.real], [true, []]);
      for (const transport of ['websocket', 'polling']) {
        assert.deepEqual(await greet(told.port, 4.8, transport), ['hello wörld', 'ann']);
        assert.deepEqual(await greet(told.port, 2.5, transport), ['hello wörld', 'nobody']);
      }
      const page = await fetch(`http://127.0.0.1:${told.port}/`);
      assert.equal(await page.text(), 'page');
    });

    promise(`serves an app of ES modules with socket.io ${title}`, async () => {
      const told = await run(application(`app esm ${title}`, APP_ESM, packages));
      assert.deepEqual([told.isNative, told.real], [true, []]);
      assert.deepEqual(await greet(told.port, 4.8, 'websocket'), ['hello wörld', 'nobody']);
    });
  }

  promise('serves an unchanged app of socket.io 2 with its options', async () => {
    const packages = { 'socket.io': installed('socket.io-2') };
    const told = await run(application('app 2', APP_2, packages));
    assert.deepEqual([told.isNative, told.real], [true, []]);
    // As with socket.io 2, a list of origins admits nobody without one.
    const url = `http://127.0.0.1:${told.port}/socket.io/?EIO=3&transport=polling`;
    const from = async (origin) => fetch(url, { headers: origin ? { origin } : {} });
    const good = await from('http://good.example');
    assert.equal(good.status, 200);
    assert.equal(good.headers.get('access-control-allow-origin'), 'http://good.example');
    assert.equal(good.headers.get('access-control-allow-credentials'), 'true');
    assert.match(good.headers.get('set-cookie'), /^sid=[^;]+; Path=\/; HttpOnly/);
    await good.text();
    for (const origin of ['http://evil.example', 'https://good.example', undefined]) {
      assert.equal((await from(origin)).status, 403, origin);
    }
  });

  promise('gives an app of socket.io 2 its defaults of every origin and a cookie', async () => {
    const source = APP_2.replace(/\{\s+origins[^}]*\}/, 'undefined');
    const packages = { 'socket.io': installed('socket.io-2') };
    const { port } = await run(application('app 2 defaults', source, packages));
    for (const transport of ['websocket', 'polling']) {
      assert.deepEqual(await greet(port, 2.5, transport), ['hello wörld', 'nobody']);
      assert.deepEqual(await greet(port, 4.8, transport), ['hello wörld', 'nobody']);
    }
    const url = `http://127.0.0.1:${port}/socket.io/?EIO=3&transport=polling`;
    const opened = await fetch(url, { headers: { origin: 'http://any.example' } });
    assert.equal(opened.headers.get('access-control-allow-origin'), 'http://any.example');
    assert.match(opened.headers.get('set-cookie'), /^io=/);
  });

  promise('exports a module that supports every way to create a socket.io server', async () => {
    const found = await evaluate(
      'spellings',
      `const io = require('socket.io');
       const http = require('http');
       const { Server, Namespace, Socket } = io;
       class Mine extends io {}
       class Other extends Server {}
       const made = [io(), new io(), new Server(), io(http.createServer()), io({ path: '/a' }),
         io(http.createServer(), { path: '/b' }), io.listen(http.createServer()), new Mine(),
         new Other(), io().attach(http.createServer(), { origins: '*:*' }),
         io().listen(http.createServer())];
       Server.prototype.added = () => 'added';
       return {
         are: made.every((one) => one instanceof io && one instanceof Server),
         subclasses: made[7] instanceof Mine && made[8] instanceof Other,
         shared: made[0].added(),
         paths: made.map((one) => one.path()),
         classes: [Server.name, Namespace.name, Socket.name],
         namespace: made[0].of('/x') instanceof Namespace,
         same: require('socket.io') === io,
       };`,
    );
    const base = '/socket.io';
    assert.deepEqual(found, {
      are: true,
      subclasses: true,
      shared: 'added',
      paths: [base, base, base, base, '/a', '/b', base, base, base, base, base],
      classes: ['Server', 'Namespace', 'Socket'],
      namespace: true,
      same: true,
    });
  });

  // As NestJS 12 is loaded by an application of CommonJS modules.
  const canRequireEsModules = process.features.require_module === true;
  for (const [version, names] of [
    ['socket.io-2', 'io'],
    ['socket.io-3', '{ Server }'],
    ['socket.io', '{ Server }'],
  ]) {
    it(
      `loopback-socket/register serves an ES module that is loaded by require() with ${version} installed`,
      { timeout: TIMEOUT, skip: !canRequireEsModules },
      async () => {
        const packages = { 'socket.io': path.join(ROOT, 'node_modules', version) };
        const app = application(
          `required ${version}`,
          `const { Server, later } = require('framework');
           later.then((dynamic) => console.log(JSON.stringify({
             imported: Server.prototype instanceof require('loopback-socket').Server,
             same: Server === require('socket.io').Server && Server === dynamic.default.Server,
             real: Object.keys(require.cache).filter((file) =>
               /node_modules.engine\\.io(-\\d)?.(lib|build)/.test(file)),
           })));`,
          packages,
        );
        const home = path.join(app.home, 'node_modules', 'framework');
        fs.mkdirSync(home);
        fs.writeFileSync(
          path.join(home, 'package.json'),
          JSON.stringify({ name: 'framework', type: 'module', exports: './index.js' }),
        );
        fs.writeFileSync(
          path.join(home, 'index.js'),
          `import ${names} from 'socket.io';
           const found = ${names === 'io' ? 'io.Server' : 'Server'};
           export { found as Server };
           export const later = import('socket.io');`,
        );
        assert.deepEqual(await run(app), { imported: true, same: true, real: [] });
      },
    );
  }

  promise('does not change other modules', async () => {
    const found = await evaluate(
      'other names',
      `const code = (run) => { try { return run(); } catch (error) { return error.code; } };
       return {
         manifest: require('socket.io/package.json').name,
         deep: typeof require('socket.io/lib/socket'),
         resolved: require.resolve('socket.io').includes('node_modules'),
         same: require(require.resolve('socket.io')) === require('socket.io'),
         missing: code(() => require('socket.io-missing')),
       };`,
      { 'socket.io': installed('socket.io-2') },
    );
    assert.equal(found.manifest, 'socket.io');
    assert.equal(found.deep, 'function');
    assert.equal(found.resolved, true, 'tools find out by the path which module is loaded');
    assert.equal(found.same, true);
    assert.equal(found.missing, 'MODULE_NOT_FOUND');
  });

  promise('reports that socket.io is missing if one of its files is required', async () => {
    const found = await evaluate(
      'missing',
      `try { require('socket.io/package.json'); } catch (error) { return error.code; }`,
    );
    assert.equal(found, 'MODULE_NOT_FOUND');
  });

  promise('gives the native server the adapter of the application', async () => {
    const found = await evaluate(
      'adapter',
      `const { Adapter } = require('socket.io-adapter');
       class OwnAdapter extends Adapter {}
       const io = new (require('socket.io').Server)({ adapter: OwnAdapter });
       return [
         io instanceof require('loopback-socket').Server,
         io.of('/shop').adapter instanceof OwnAdapter,
       ];`,
      { 'socket.io': installed('socket.io'), 'socket.io-adapter': installed('socket.io-adapter') },
    );
    assert.deepEqual(found, [true, true]);
  });

  promise('works in worker threads and may be required twice', async () => {
    const found = await evaluate(
      'twice',
      `require('loopback-socket/register');
       require('loopback-socket/register');
       return new (require('socket.io').Server)() instanceof require('loopback-socket').Server;`,
    );
    assert.equal(found, true);
    const told = await run(
      application(
        'worker',
        `const { Worker, isMainThread, parentPort } = require('worker_threads');
         if (isMainThread) new Worker(__filename).on('message', (value) => console.log(value));
         else parentPort.postMessage(new (require('socket.io').Server)() instanceof
           require('loopback-socket').Server);`,
      ),
    );
    assert.equal(told, true);
  });
});

describe('options of socket.io 2', () => {
  /** @returns {boolean} whether a page may connect */
  function admits(origins, headers) {
    const { allowRequest } = currentOptions({ origins });
    let admitted;
    allowRequest({ headers }, (error, isAllowed) => (admitted = isAllowed));
    return admitted;
  }

  for (const [origins, origin, isAllowed] of [
    ['http://a.example:80', 'http://a.example', true],
    ['http://a.example:80', 'https://a.example', false],
    ['http://a.example:80', 'http://a.example.evil', false],
    ['a.example:443', 'https://a.example', true],
    ['a.example:443', 'https://nota.example', false],
    ['a.example:*', 'http://a.example:8080', true],
    ['*:3000', 'http://any.example:3000', true],
    ['*:3000', 'http://any.example', false],
    ['http://a.example:* b.example:80', 'http://b.example', true],
    [['https://a.example', 'b.example:80'], 'https://a.example', true],
    [['https://a.example'], 'https://a.example:444', false],
    ['a.example:80', 'no origin at all', false],
    ['a.example:80', undefined, false],
    ['a.example:80', 'null', false],
  ]) {
    it(`the socket.io 2 option origins: ${JSON.stringify(origins)} ${isAllowed ? 'accepts' : 'refuses'} ${origin}`, () => {
      assert.equal(admits(origins, { origin }), isAllowed);
    });
  }

  it('the socket.io 2 option origins may be a function that gets the referer if there is no origin', () => {
    const asked = [];
    const origins = (origin, callback) => {
      asked.push(origin);
      callback(null, origin === 'https://a.example/page');
    };
    assert.equal(admits(origins, { referer: 'https://a.example/page' }), true);
    assert.equal(admits(origins, {}), false);
    assert.deepEqual(asked, ['https://a.example/page', '*']);
  });

  it('socket.io 2 options do not override cors and allowRequest of the application', () => {
    const allowRequest = () => {};
    const cors = { origin: false };
    assert.deepEqual(currentOptions({ origins: 'a.example:80', cors, allowRequest }), {
      cors,
      allowRequest,
    });
  });

  it("socket.io 2 options set the cookie's name, path and HttpOnly", () => {
    assert.deepEqual(currentOptions({ cookie: 'io' }).cookie, {
      name: 'io',
      path: '/',
      httpOnly: true,
    });
    assert.deepEqual(
      currentOptions({ cookie: 'io', cookiePath: '/app', cookieHttpOnly: false }).cookie,
      { name: 'io', path: '/app', httpOnly: false },
    );
    assert.equal(currentOptions({ cookie: false }).cookie, false);
  });

  it('a socket.io 2 option without a counterpart throws an error that says what to use instead', () => {
    for (const options of [{ handlePreflightRequest() {} }, { origins: ['not an origin'] }]) {
      assert.throws(() => currentOptions(options), {
        code: 'ERR_LOOPBACK_SOCKET_UNSUPPORTED_OPTION',
        message: /'cors'/,
      });
    }
  });
});
