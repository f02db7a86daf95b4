'use strict';

/** The commands of the documentation: those that need no network are run, in one app, in their order. */

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { it } = require('node:test');
const { promisify } = require('node:util');
const { ROOT } = require('../../support/installation');
const { placeOf } = require('../../support/pages');

/** Long for a busy machine. */
const TIMEOUT = 60_000;

/**
 * Commands that are not run, and why. What they name is checked.
 *
 * @type {{ pattern: RegExp, why: string, check: (command: string) => void }[]}
 */
const NOT_RUN = [
  {
    pattern: /^npm install /,
    why: 'it installs from the registry what tests have from lockfiles',
    check: (command) => {
      for (const argument of command.split(' ').slice(2)) {
        const name = argument.replace(/(?<=.)@.*$/, '');
        assert.ok(isKnownPackage(name), `${name} is in no lockfile of this repository`);
      }
    },
  },
  {
    pattern: /^npm (start|test|run [\w:]+)( |$)/,
    why: 'they are what runs this test, and its like',
    check: (command) => {
      const name = /^npm (?:run )?([\w:]+)/.exec(command)[1];
      assert.ok(Object.hasOwn(require('../../../package.json').scripts, name), name);
    },
  },
  {
    pattern: /^PORT=\d+ node server\.js$/,
    why: 'guides-run.test.js starts the servers of docs/tasks.md so, behind nginx',
    check: () => {},
  },
];

/** Packages that no lockfile has: those that tests replace by what is below them, and this package. */
const OTHER_PACKAGES = [
  'loopback-socket',
  'loopback-socket-loopback4',
  'loopback-socket-0.4', // an alias, of loopback-socket-original here
  '@opentelemetry/sdk-node', // made of sdk-trace-node
];

/**
 * @param {string} name
 * @returns {boolean} whether a lockfile of this repository has the package
 */
function isKnownPackage(name) {
  return (
    OTHER_PACKAGES.includes(name) ||
    ['.', 'examples/express', 'examples/loopback3', 'examples/loopback4'].some((folder) => {
      const { packages } = require(path.join(ROOT, folder, 'package-lock.json'));
      return Object.hasOwn(packages, `node_modules/${name}`);
    })
  );
}

/** An app as in the README, which ends by itself. */
const APP = `
  const LoopbackSocket = require('loopback-socket');
  const httpServer = require('node:http').createServer().listen(0);
  const sockets = LoopbackSocket.get('myapp');
  const io = require('socket.io')(httpServer);
  sockets.start(io);
  const { port } = httpServer.address();
  const client = require('socket.io-client').io('http://localhost:' + port, { forceNew: true });
  client.on('connect', () => client.emit('authentication'));
  client.on('authenticated', () => {
    console.log(io instanceof LoopbackSocket.Server ? 'native' : 'hosted');
    client.disconnect();
    io.close();
  });
`;

/**
 * What the commands that are run print, apart from nothing.
 *
 * @type {Record<string, (output: { stdout: string, stderr: string }, page: string) => void>}
 */
const OUTPUTS = {
  'node -r loopback-socket/register app.js': ({ stdout }) => assert.equal(stdout, 'native\n'),
  'DEBUG=loopback-socket* node app.js': ({ stdout, stderr }) => {
    assert.equal(stdout, 'hosted\n');
    assert.match(stderr, /loopback-socket:connect .* has connected to \/ from/);
    assert.match(stderr, /loopback-socket:authenticate .* has authenticated with "myapp"/);
  },
  'npx loopback-socket doctor': ({ stdout }) => {
    const page = fs.readFileSync(path.join(ROOT, 'docs', 'doctor.md'), 'utf8');
    const checks = (text) => [...text.matchAll(/^[✔!✘] (\w+)/gm)].map(([, name]) => name);
    assert.deepEqual(checks(stdout), checks(page));
  },
};

/**
 * @param {string} line that `DEBUG=loopback-socket*` writes
 * @returns {string} without what is another one each time
 */
const masked = (line) =>
  line
    .replace(/^.*?(loopback-socket:)/, '$1')
    .replace(/(?<= )[\w-]{20}(?= )/, 'ID')
    .replace(/[\d.]+ ms/, 'N ms')
    .replace(/ \+\w+$/, '');

/** A server and its clients, which do what docs/observability.md shows. */
const OBSERVED = `
  const LoopbackSocket = require('loopback-socket');
  const httpServer = require('node:http').createServer().listen(0, '127.0.0.1');
  const io = new LoopbackSocket.Server(httpServer);
  const sockets = LoopbackSocket.get('bookshop');
  sockets.auth(async (socket, { id }) => {
    if (id !== 'known') throw new Error('access token unknown');
  });
  sockets.defineMethod('findBooks', () => []);
  sockets.start(io);
  httpServer.once('listening', connect);
  function connect() {
    const url = 'http://127.0.0.1:' + httpServer.address().port;
    const client = require('socket.io-client').io(url, { transports: ['websocket'] });
    client.on('connect', () => client.emit('authentication', { id: 'x' }));
    client.on('unauthorized', () => client.emit('authentication', { id: 'known' }));
    client.on('authenticated', () => client.emit('findBooks', {}, () => client.io.engine.close()));
  }
  io.on('connection', (socket) => socket.on('disconnect', () => io.close(() => process.exit())));
`;

/** Declares the test. */
module.exports = function declare(take) {
  const blocks = take(({ language }) => language === 'sh');
  const [log] = take(({ page, key }) => page === 'docs/observability.md' && key === 'DEBUG');
  it('the commands of the documentation run, or name what there is', async (t) => {
    const folder = fs.realpathSync(
      fs.mkdtempSync(path.join(os.tmpdir(), 'loopback-socket-commands-')),
    );
    t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
    const packages = path.join(folder, 'node_modules');
    fs.mkdirSync(path.join(packages, '.bin'), { recursive: true });
    fs.symlinkSync(ROOT, path.join(packages, 'loopback-socket'), 'junction');
    for (const name of ['socket.io', 'socket.io-client']) {
      fs.symlinkSync(path.join(ROOT, 'node_modules', name), path.join(packages, name), 'junction');
    }
    fs.symlinkSync(
      path.join(ROOT, 'bin', 'loopback-socket.js'),
      path.join(packages, '.bin', 'loopback-socket'),
    );
    fs.writeFileSync(path.join(folder, 'app.js'), APP);

    const outputs = new Map();
    for (const block of blocks) {
      let cwd = folder;
      for (const line of block.text.trim().split('\n')) {
        const command = line.replace(/ +#.*$/, '');
        const exception = NOT_RUN.find(({ pattern }) => pattern.test(command));
        if (exception !== undefined) {
          exception.check(command);
          continue;
        }
        if (!outputs.has(command)) {
          const { NODE_TEST_CONTEXT, NODE_OPTIONS, ...env } = process.env;
          const options = { cwd, env, timeout: TIMEOUT };
          const output = await promisify(execFile)('bash', ['-c', command], options).catch(
            (error) => assert.fail(`${placeOf(block)}: ${command}\n${error.stdout}${error.stderr}`),
          );
          outputs.set(command, output);
        }
        const [, changed] = /^mkdir \S+ && cd (\S+)$/.exec(command) ?? [];
        if (changed !== undefined) cwd = path.join(cwd, changed);
        OUTPUTS[command]?.(outputs.get(command));
      }
    }
    fs.writeFileSync(path.join(folder, 'server.js'), OBSERVED);
    const [, command] = /^\$ (.*)\n/.exec(log.text);
    const { NODE_TEST_CONTEXT, NODE_OPTIONS, ...env } = process.env;
    const options = { cwd: folder, env, timeout: TIMEOUT };
    const { stderr } = await promisify(execFile)('bash', ['-c', command], options);
    const lines = stderr.split('\n').filter((line) => line.includes('loopback-socket:'));
    const shown = log.text.split('\n').filter((line) => line.startsWith('loopback-socket:'));
    assert.deepEqual(lines.map(masked), shown.map(masked));

    for (const command of Object.keys(OUTPUTS)) assert.ok(outputs.has(command), command);
    assert.ok(fs.existsSync(path.join(folder, 'news', 'package.json')), 'npm init makes it');
  });
};
