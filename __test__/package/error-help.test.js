'use strict';

// Errors and warnings lead to what docs/troubleshooting.md says about their codes.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { describe, it } = require('node:test');
const LoopbackSocket = require('../..');
const { slugOf } = require('../../scripts/slugs');

const ROOT = path.join(__dirname, '..', '..');
/** Where `homepage` and `repository` of package.json lead, which npm shows. */
const PAGE = 'https://github.com/arondn2/loopback-socket/blob/main/docs/troubleshooting.md';

const anchors = new Set(
  [
    ...fs.readFileSync(path.join(ROOT, 'docs/troubleshooting.md'), 'utf8').matchAll(/^#+ (.*)$/gm),
  ].map(([, heading]) => slugOf(heading)),
);

/** @returns {Error} what get() throws without a name */
function thrown() {
  try {
    LoopbackSocket.get();
  } catch (error) {
    return error;
  }
  throw new Error('get() has thrown nothing');
}

describe('the help of errors', () => {
  it('the link is one of the repository that package.json names', () => {
    const { homepage, repository } = require('../../package.json');
    assert.ok(homepage.startsWith(PAGE.split('/blob/')[0]));
    assert.ok(repository.url.includes(PAGE.split('/blob/')[0]));
  });

  it('the help of every error class leads to the heading of its code', () => {
    const classes = Object.values(LoopbackSocket).filter(
      (value) => value?.prototype instanceof LoopbackSocket.LoopbackSocketError,
    );
    assert.ok(classes.length > 40);
    for (const Class of classes) {
      if (Class === LoopbackSocket.CallError) continue; // Applications derive from it, with codes of their own.
      const { code, help } = new Class([], {}, new Error('x'), '');
      assert.equal(help, `${PAGE}#${code.toLowerCase()}`);
      assert.ok(anchors.has(help.split('#')[1]), code);
    }
  });

  it('the stack of an error of the application has the link, its message and its fields have not', () => {
    const error = thrown();
    assert.ok(error.stack.includes(`${error.message} (see ${error.help})\n`), error.stack);
    assert.ok(!error.message.includes('http'));
    assert.deepEqual(Object.keys(error), ['code']);
  });

  it('a client whose call is refused gets the code and the message, without a link', () => {
    const sent = JSON.parse(JSON.stringify(new LoopbackSocket.ForbiddenError('not your shop')));
    assert.deepEqual(sent, { code: 'ERR_LOOPBACK_SOCKET_FORBIDDEN', message: 'not your shop' });
  });

  it('an error of the helper for clients has the link, unless its code is one of the application', async () => {
    const client = await import('../../client.mjs');
    for (const error of [
      new client.TimeoutError('add', 5),
      new client.DisconnectedError('transport close'),
      new client.UnauthorizedError(undefined),
      new client.RemoteError('add', { code: 'ERR_LOOPBACK_SOCKET_FORBIDDEN' }),
      new client.SubscriptionError('news', {
        reason: 'error',
        error: { code: 'ERR_LOOPBACK_SOCKET_EXPIRED' },
      }),
    ]) {
      assert.equal(error.help, `${PAGE}#${error.code.toLowerCase()}`);
      assert.ok(anchors.has(error.code.toLowerCase()), error.code);
    }
    for (const code of ['E_MINE', 7, undefined]) {
      assert.equal(new client.RemoteError('add', { code }).help, undefined);
    }
  });

  it('every warning that the package emits has the link', () => {
    const missing = [];
    for (const name of fs.readdirSync(path.join(ROOT, 'lib'), { recursive: true })) {
      if (!name.endsWith('.js')) continue;
      const source = fs.readFileSync(path.join(ROOT, 'lib', name), 'utf8');
      for (const [, code] of source.matchAll(/code: '(ERR_LOOPBACK_SOCKET_\w+)'/g)) {
        if (!source.includes(`helpFor('${code}')`)) missing.push(`${name}: ${code}`);
      }
      for (const [, warning] of source.matchAll(/emitWarning\(new (\w+)\(/g)) {
        const { detail, help } = new LoopbackSocket[warning]('x');
        if (detail !== `See ${help}`) missing.push(`${name}: ${warning}`);
      }
    }
    assert.deepEqual(missing, []);
  });

  it('a warning shows the link', () => {
    const program = `
      const { Server } = require(${JSON.stringify(ROOT)});
      const { createServer } = require('http');
      new Server(createServer(), { wsEngine: {} });
      process.on('warning', ({ detail }) => console.log(detail));
    `;
    const output = execFileSync(process.execPath, ['--no-warnings', '-e', program], {
      encoding: 'utf8',
    });
    assert.equal(output.trim(), `See ${PAGE}#err_loopback_socket_ignored_option`);
  });
});
