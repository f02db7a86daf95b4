'use strict';

// The guides are true: a page whose blocks are the files of a server and of client.mjs is run, on a free port instead
// of 3000, and the client prints what the page says, by comments behind `console.log` or in a block `text`. A block that
// begins with `// server.js` is that file, `// server.js, continued` goes on with it. Chromium opens the pages in HTML,
// the Dockerfile's steps run, and nginx runs with its configuration.

const assert = require('node:assert/strict');
const { spawn, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { describe, it } = require('node:test');
const { setTimeout: delay } = require('node:timers/promises');
const LoopbackSocket = require('../..');
const { hostTarget, parseTarget } = require('../../scripts/build-release');
const { LOOPBACK4, compile, install } = require('../../scripts/prepare');
const { npmCommand } = require('../../scripts/steps');
const { launch } = require('../support/browser');
const { freePort } = require('../support/free-port');
const { ROOT } = require('../support/installation');
const { PROGRAMS, blocksOf, isPartOfProgram } = require('../support/pages');

/** Long for a busy machine: a page takes a second, but packages may have to be installed first. */
const TIMEOUT = 10 * 60_000;

/** The file of `npx @loopback/cli app` that starts the application of the page on LoopBack 4. */
const LOOPBACK4_START = `
  import { ShopApplication } from './application';
  const app = new ShopApplication({ rest: { port: Number(process.env.PORT) } });
  void app.boot().then(() => app.start());
`;

/**
 * @param {string} page
 * @param {string} language
 * @returns {string} the first block in this language
 */
const blockOf = (page, language) =>
  blocksOf(page).find((block) => block.language === language).text;

/**
 * @param {string} page
 * @returns {Map<string, string>} the files that its blocks are, by their names
 */
function programsOf(page) {
  const programs = new Map();
  for (const { file, text } of blocksOf(page).filter(isPartOfProgram)) {
    programs.set(file, `${programs.get(file) ?? ''}${text}\n`);
  }
  return programs;
}

/**
 * @param {string} page
 * @param {string} client its client.mjs
 * @returns {string[]} what that prints, as the page says
 */
function outputOf(page, client) {
  const comments = [...client.matchAll(/console\.log\(.*\/\/ (.*)$/gm)].map(([, text]) => text);
  return comments.length > 0 ? comments : blockOf(page, 'text').trim().split('\n');
}

/**
 * @param {import('node:test').TestContext} t whose end removes it
 * @returns {string} an empty folder
 */
function folderFor(t) {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'loopback-socket-')));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/**
 * Makes a folder of the programs of a page, with the packages that they use.
 *
 * @param {import('node:test').TestContext} t whose end removes it
 * @param {string} page
 * @param {number} port instead of 3000
 * @returns {Promise<string>} the folder
 */
async function write(t, page, port) {
  const folder = folderFor(t);
  const packages = path.join(folder, 'node_modules');
  fs.mkdirSync(packages);
  const home = path.join(ROOT, PROGRAMS[page]);
  if (home !== path.join(ROOT, '.')) await install(`Installing ${PROGRAMS[page]}`, home);
  const link = (name, to) => {
    if (fs.existsSync(path.join(packages, name))) return;
    fs.symlinkSync(to, path.join(packages, name), 'junction');
  };
  link('loopback-socket', ROOT);
  link('socket.io-client', path.join(ROOT, 'node_modules', 'socket.io-client'));
  for (const name of fs.readdirSync(path.join(home, 'node_modules'))) {
    if (!name.startsWith('.')) link(name, path.join(home, 'node_modules', name));
  }
  for (const [name, text] of programsOf(page)) {
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    fs.writeFileSync(path.join(folder, name), text.replaceAll('3000', port));
  }
  return folder;
}

/**
 * Compiles the files of the page on LoopBack 4 in the application that it is for.
 *
 * @param {string} folder that has them
 */
async function compileLoopback4(folder) {
  for (const name of LOOPBACK4) {
    await install(`Installing the packages of ${name}`, path.join(ROOT, name));
    await compile(name);
  }
  fs.writeFileSync(path.join(folder, 'src/index.ts'), LOOPBACK4_START);
  const { compilerOptions } = require('../../examples/loopback4/tsconfig.json');
  fs.writeFileSync(
    path.join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, include: ['src'] }),
  );
  const compiler = path.join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status, stdout } = spawnSync(process.execPath, [compiler, '-p', folder], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stdout);
}

/**
 * @param {import('node:test').TestContext} t whose end kills it
 * @param {string} command
 * @param {string[]} args
 * @param {object} [options] of `spawn()`
 * @returns {import('node:child_process').ChildProcess & { errors: string }}
 */
function background(t, command, args, options) {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], ...options });
  child.errors = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    child.errors += text;
  });
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  });
  return child;
}

/**
 * Waits until a program listens.
 *
 * @param {import('node:child_process').ChildProcess & { errors: string }} child
 * @param {number} port
 */
async function listens(child, port) {
  for (;;) {
    assert.equal(child.exitCode, null, child.errors);
    const socket = net.connect(port, '127.0.0.1');
    const isOpen = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'close').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (isOpen) return;
    await delay(20);
  }
}

/**
 * Runs the server of a page.
 *
 * @param {import('node:test').TestContext} t whose end kills it
 * @param {string} page
 * @returns {Promise<{ folder: string, port: number }>} when it listens
 */
async function serve(t, page) {
  const port = await freePort();
  const folder = await write(t, page, port);
  const isLoopback4 = programsOf(page).has('src/application.ts');
  if (isLoopback4) await compileLoopback4(folder);
  const program = isLoopback4 ? 'dist/index.js' : 'server.js';
  const env = { ...process.env, PORT: String(port) };
  await listens(background(t, process.execPath, [program], { cwd: folder, env }), port);
  return { folder, port };
}

/**
 * @param {string} cwd
 * @param {...string} args of npm
 * @returns {string} what it prints
 */
function npm(cwd, ...args) {
  const { command, args: all } = npmCommand('npm', args);
  const { status, stdout, stderr } = spawnSync(command, all, { cwd, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout;
}

/**
 * @param {string} from a folder with a package
 * @param {string} to where its tarball goes
 * @returns {string} the tarball
 */
function pack(from, to) {
  const output = npm(from, 'pack', '--json', '--ignore-scripts', '--pack-destination', to);
  return path.join(to, Object.values(JSON.parse(output))[0].filename);
}

describe('the guides', { timeout: TIMEOUT }, () => {
  for (const page of Object.keys(PROGRAMS)) {
    it(`the server and the client of ${page} print what the page says`, async (t) => {
      const { folder } = await serve(t, page);
      const client = spawn(process.execPath, ['client.mjs'], { cwd: folder, stdio: 'pipe' });
      let [output, errors] = ['', ''];
      client.stdout.setEncoding('utf8').on('data', (text) => (output += text));
      client.stderr.setEncoding('utf8').on('data', (text) => (errors += text));
      t.after(() => client.kill('SIGKILL'));
      const [status] = await once(client, 'close');
      assert.equal(status, 0, errors);
      const { 'client.mjs': program } = Object.fromEntries(programsOf(page));
      assert.deepEqual(output.trim().split('\n'), outputOf(page, program));
    });
  }

  it('the pages in HTML of the documentation call methods in Chromium', async (t) => {
    const browser = await launch();
    t.after(() => browser.close());
    const { folder, port } = await serve(t, 'docs/getting-started-express.md');
    fs.mkdirSync(path.join(folder, 'public'));
    const index = path.join(folder, 'public', 'index.html');
    fs.writeFileSync(index, blockOf('docs/getting-started-express.md', 'html'));
    const express = await browser.newPage();
    await express.goto(`http://localhost:${port}/`);
    await express.getByText('Good morning, dear Ada').waitFor();

    const httpServer = http.createServer((req, res) => {
      res.setHeader('content-type', 'text/html');
      res.end(
        `<script>localStorage.token = 'open sesame'</script>${blockOf('docs/client.md', 'html')}`,
      );
    });
    const io = new LoopbackSocket.Server(httpServer.listen(0));
    t.after(() => io.close());
    const sockets = new LoopbackSocket('guide');
    sockets.auth((socket, { token }) => token === 'open sesame');
    sockets.defineMethod('getRecords', (socket, credentials, { limit }) => `${limit} records`);
    sockets.start(io);
    const helper = await browser.newPage();
    const logged = helper.waitForEvent('console', (message) => message.type() === 'log');
    await helper.goto(`http://localhost:${httpServer.address().port}/`);
    assert.equal((await logged).text(), '10 records');
  });

  it('the steps of the Dockerfile of docs/deployment.md run', (t) => {
    const folder = folderFor(t);
    const [context, image, binary] = ['context', 'image', 'binary'].map((name) => {
      fs.mkdirSync(path.join(folder, name));
      return path.join(folder, name);
    });
    const { platform, file } = parseTarget(hostTarget());
    fs.cpSync(path.join(ROOT, 'npm', platform), binary, { recursive: true });
    fs.copyFileSync(path.join(ROOT, path.basename(file)), path.join(binary, path.basename(file)));
    fs.writeFileSync(path.join(context, 'server.js'), programsOf('docs/tasks.md').get('server.js'));
    fs.writeFileSync(path.join(context, 'package.json'), '{ "private": true }');
    const tarballs = [ROOT, binary].map((from) => pack(from, folder));
    npm(context, 'install', '--package-lock-only', '--prefer-offline', ...tarballs);

    const env = { ...process.env };
    const run = (command) => {
      const options = { cwd: image, env, encoding: 'utf8', shell: true };
      const { status, stdout, stderr } = spawnSync(command, options);
      assert.equal(status, 0, `${command}\n${stdout}${stderr}`);
    };
    let command;
    for (const line of blockOf('docs/deployment.md', 'dockerfile').trim().split('\n')) {
      const [, instruction, rest] = /^([A-Z]+) (.*)$/.exec(line);
      if (instruction === 'COPY') {
        const names = rest.split(' ');
        assert.match(names.pop(), /^\.\/?$/);
        for (const name of names) {
          fs.cpSync(path.join(context, name), path.join(image, name), { recursive: true });
        }
      } else if (instruction === 'RUN') run(rest);
      else if (instruction === 'CMD') command = JSON.parse(rest);
      else assert.ok(['FROM', 'WORKDIR', 'USER', 'EXPOSE'].includes(instruction), line);
    }
    assert.deepEqual(command, ['node', 'server.js']);
    run(`node --check server.js && node -e "require('loopback-socket').Server"`);
  });

  it('two servers of docs/tasks.md serve clients behind nginx, each always by the same one', async (t) => {
    const page = 'docs/tasks.md';
    const folder = await write(t, page, 3000);
    const ports = new Map();
    for (const port of ['3001', '3002', '80']) ports.set(port, await freePort());
    const real = (text) => text.replaceAll(/\b(3001|3002|80)\b/g, (port) => ports.get(port));
    const commands = blocksOf(page).find(({ key }) => key.startsWith('Run two processes')).text;
    for (const command of real(commands).trim().split('\n')) {
      const port = Number(/PORT=(\d+)/.exec(command)[1]);
      const server = background(t, 'bash', ['-c', `${command.replace('node', 'exec node')}`], {
        cwd: folder,
      });
      await listens(server, port);
    }
    const file = path.join(folder, 'nginx.conf');
    const servers = real(blockOf(page, 'nginx')).replace('listen ', 'listen 127.0.0.1:');
    const log = `error_log ${folder}/error.log; pid ${folder}/pid;`;
    fs.writeFileSync(
      file,
      `daemon off; master_process off; ${log} events {} http { access_log off; ${servers} }`,
    );
    const port = ports.get('80');
    await listens(background(t, 'nginx', ['-c', file, '-e', `${folder}/error.log`]), port);

    const url = `http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling`;
    for (let client = 0; client < 8; client++) {
      const opened = await fetch(url);
      assert.equal(opened.status, 200);
      const [cookie] = opened.headers.get('set-cookie').split(';');
      const { sid } = JSON.parse((await opened.text()).slice(1));
      for (let request = 0; request < 3; request++) {
        const options = { method: 'POST', headers: { cookie }, body: request === 0 ? '40' : '3' };
        assert.equal((await fetch(`${url}&sid=${sid}`, options)).status, 200);
      }
    }
  });
});
