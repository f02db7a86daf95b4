'use strict';

// Random sequences of requests, frames and packets, played to npm socket.io and to the native server in
// lock-step (`wire-fuzz/`): a bounded part of what `npm run fuzz:wire` does.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { describe, it } = require('node:test');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { DEVIATIONS } = require('./wire-fuzz/deviations');

/** For how many minutes sequences are played, by who reads the requests of the native server. */
const MINUTES = { rust: '0.6', node: '0.3' };

describe('the wire fuzzer', { timeout: 300_000 }, () => {
  for (const [front, minutes] of Object.entries(MINUTES)) {
    it(`random sequences of requests, frames and packets have the same outcome on socket.io and on the native server, whose requests ${front} reads`, async () => {
      // The seeds are the same in every run, so that a failure can be played again. In a process of its
      // own, since npm socket.io has timers that run on for half a minute.
      const fuzzer = path.join(__dirname, 'wire-fuzz');
      const args = [fuzzer, '--seed', '1', '--minutes', minutes, '--front', front];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
      let said = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text) => (said += text));
      }
      const [status] = await once(child, 'close');
      assert.equal(status, 0, said);
      assert.match(said, /^[1-9]\d* sequences from seed 1;/m);
    });
  }

  it('every deviation that the wire fuzzer accepts is in docs/socketio-api.md with its reason', () => {
    const file = path.join(__dirname, '..', '..', 'docs', 'socketio-api.md');
    const section = fs
      .readFileSync(file, 'utf8')
      .split(/^## /m)
      .find((text) => text.startsWith('The wire\n'));
    const rows = section
      .split('\n')
      .filter((line) => line.startsWith('|'))
      .map((line) => line.split('|').map((cell) => cell.trim()));
    for (const { name } of DEVIATIONS) {
      const row = rows.find(([, what]) => what === name);
      assert.ok(row, name);
      assert.ok(row.at(-2).length > 0, name);
    }
  });
});
