'use strict';

// `npm run sanitize -- address` or `-- thread`: runs the unit tests of the Rust half under a sanitizer
// of the compiler. Arguments behind that name tests. Needs Linux and a nightly toolchain as the default
// one; ThreadSanitizer needs the source of the standard library too (`rustup component add rust-src`),
// since it takes what it cannot see in there for races.

const { spawnSync } = require('node:child_process');
const path = require('node:path');
const { ROOT } = require('./steps');

/** How each sanitizer is run: options of cargo, and of the sanitizer itself. */
const SANITIZERS = {
  // The threads of the runtime live as long as the process, and so does what they hold.
  address: { cargo: [], environment: { ASAN_OPTIONS: 'detect_leaks=0' } },
  thread: { cargo: ['-Zbuild-std'], environment: {} },
};

/**
 * @param {string} sanitizer - its name
 * @param {string[]} only - names of tests, or parts of them; all when empty
 * @returns {number} the exit code of the tests
 */
function sanitize(sanitizer, only) {
  const { cargo, environment } = SANITIZERS[sanitizer];
  const version = spawnSync('rustc', ['-vV'], { encoding: 'utf8' }).stdout;
  const target = /^host: (.*)$/m.exec(version)[1];
  const args = ['test', '--lib', ...cargo, '--target', target, ...only];
  const { status } = spawnSync('cargo', args, {
    cwd: ROOT,
    stdio: 'inherit',
    env: {
      ...process.env,
      ...environment,
      RUSTFLAGS: `-Zsanitizer=${sanitizer}`,
      CARGO_TARGET_DIR: path.join(ROOT, 'target', `sanitizer-${sanitizer}`),
    },
  });
  return status ?? 1;
}

const [sanitizer, ...only] = process.argv.slice(2);
if (Object.hasOwn(SANITIZERS, sanitizer ?? '')) {
  process.exitCode = sanitize(sanitizer, only);
} else {
  console.error('Name a sanitizer: %s', Object.keys(SANITIZERS).join(' or '));
  process.exitCode = 1;
}
