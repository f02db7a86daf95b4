'use strict';

// The guides are true: a page with a server.js and a client.mjs is run, on a free port instead of 3000, and the client
// prints what the page says, by comments behind `console.log` or in a block `text`. A block that begins with
// `// server.js` is that file, `// server.js, continued` goes on with it. The Dockerfile's steps run, and nginx accepts
// its configuration.

const assert = require('node:assert/strict');
const { spawn, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { describe, it } = require('node:test');
const { setTimeout: delay } = require('node:timers/promises');
const { hostTarget, parseTarget } = require('../../scripts/build-release');
const { install } = require('../../scripts/prepare');
const { npmCommand } = require('../../scripts/steps');
const { ROOT } = require('../support/installation');

/** Long for a busy machine: a page takes a second, but packages may have to be installed first. */
const TIMEOUT = 5 * 60_000;

const DOCS = path.join(ROOT, 'docs');

/** Where packages are that the pages use and this package does not. */
const ELSEWHERE = { express: 'examples/express', loopback: 'examples/loopback3' };

/** @type {Map<string, { language: string, text: string }[]>} the blocks of code of each page */
const pages = new Map(
  fs
    .readdirSync(DOCS)
    .filter((name) => name.endsWith('.md'))
    .map((name) => {
      const page = fs.readFileSync(path.join(DOCS, name), 'utf8');
      const blocks = [...page.matchAll(/^```(\w+)\n([^]*?)^```$/gm)];
      return [name, blocks.map(([, language, text]) => ({ language, text }))];
    }),
);

/**
 * @param {string} page
 * @param {string} language
 * @returns {string} the first block in this language
 */
const blockOf = (page, language) =>
  pages.get(page).find((block) => block.language === language).text;

/**
 * @param {string} page
 * @returns {Map<string, string>} the programs that its blocks are, by the names of their files
 */
function programsOf(page) {
  const programs = new Map();
  for (const { text } of pages.get(page)) {
    const [, name] = /^\/\/ (\w+\.m?js)(?:, continued)?\n/.exec(text) ?? [];
    if (name !== undefined) programs.set(name, `${programs.get(name) ?? ''}${text}\n`);
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
 * Writes programs into a folder, with the packages that they use.
 *
 * @param {string} folder
 * @param {Map<string, string>} programs
 * @param {number} port instead of 3000
 */
async function write(folder, programs, port) {
  const packages = path.join(folder, 'node_modules');
  fs.mkdirSync(packages);
  fs.symlinkSync(ROOT, path.join(packages, 'loopback-socket'), 'junction');
  for (const [name, text] of programs) {
    fs.writeFileSync(path.join(folder, name), text.replaceAll('3000', port));
    for (const [, used] of text.matchAll(/(?:require\(|from )'([a-z][\w.-]*)/g)) {
      const link = path.join(packages, used);
      if (fs.existsSync(link)) continue;
      const home = path.join(ROOT, ELSEWHERE[used] ?? '.');
      if (home !== path.join(ROOT, '.')) await install(`Installing ${ELSEWHERE[used]}`, home);
      const target = path.join(home, 'node_modules', used);
      if (fs.existsSync(target)) fs.symlinkSync(target, link, 'junction');
    }
  }
}

/** @returns {Promise<number>} a port that is free */
async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/**
 * Starts server.js and waits until it listens.
 *
 * @param {import('node:test').TestContext} t whose end kills it
 * @param {string} folder
 * @param {number} port
 */
async function serve(t, folder, port) {
  const server = spawn(process.execPath, ['server.js'], { cwd: folder, stdio: 'pipe' });
  let errors = '';
  server.stderr.setEncoding('utf8').on('data', (text) => (errors += text));
  server.stdout.resume();
  t.after(async () => {
    if (server.exitCode !== null) return;
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
  });
  for (;;) {
    assert.equal(server.exitCode, null, errors);
    const socket = net.connect(port, '127.0.0.1');
    const [isOpen] = await Promise.race([
      once(socket, 'connect').then(() => [true]),
      once(socket, 'close').then(() => [false]),
    ]).catch(() => [false]);
    socket.destroy();
    if (isOpen) return;
    await delay(20);
  }
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
  for (const page of ['getting-started-loopback3.md', 'getting-started-express.md', 'tasks.md']) {
    it(`the server and the client of docs/${page} print what the page says`, async (t) => {
      const programs = programsOf(page);
      const folder = folderFor(t);
      const port = await freePort();
      await write(folder, programs, port);
      await serve(t, folder, port);
      const client = spawn(process.execPath, ['client.mjs'], { cwd: folder, stdio: 'pipe' });
      let [output, errors] = ['', ''];
      client.stdout.setEncoding('utf8').on('data', (text) => (output += text));
      client.stderr.setEncoding('utf8').on('data', (text) => (errors += text));
      t.after(() => client.kill('SIGKILL'));
      const [status] = await once(client, 'close');
      assert.equal(status, 0, errors);
      assert.deepEqual(output.trim().split('\n'), outputOf(page, programs.get('client.mjs')));
    });
  }

  it('the steps of the Dockerfile of docs/deployment.md run', (t) => {
    const folder = folderFor(t);
    const [context, image, binary] = ['context', 'image', 'binary'].map((name) => {
      fs.mkdirSync(path.join(folder, name));
      return path.join(folder, name);
    });
    const { platform, file } = parseTarget(hostTarget());
    fs.cpSync(path.join(ROOT, 'npm', platform), binary, { recursive: true });
    fs.copyFileSync(path.join(ROOT, path.basename(file)), path.join(binary, path.basename(file)));
    fs.writeFileSync(path.join(context, 'server.js'), programsOf('tasks.md').get('server.js'));
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
    for (const line of blockOf('deployment.md', 'dockerfile').trim().split('\n')) {
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

  it('nginx accepts the configuration of docs/tasks.md', (t) => {
    const folder = folderFor(t);
    const file = path.join(folder, 'nginx.conf');
    const servers = blockOf('tasks.md', 'nginx').replace('listen 80', 'listen 127.0.0.1:18080');
    fs.writeFileSync(
      file,
      `pid ${folder}/pid; error_log stderr; events {} http { access_log off; ${servers} }`,
    );
    const { status, stderr, error } = spawnSync('nginx', ['-t', '-c', file], { encoding: 'utf8' });
    assert.equal(status, 0, error?.message ?? stderr);
  });
});
