'use strict';

// The package as npm would publish it, and folders that look as if npm had installed it.

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { npmCommand } = require('../../scripts/steps');

const ROOT = path.join(__dirname, '..', '..');

/**
 * The files npm would publish from a folder.
 * @param {string} folder
 * @returns {{ path: string, size: number }[]} sorted by path
 */
function packedFiles(folder) {
  const { command, args } = npmCommand('npm', ['pack', '--dry-run', '--json', '--ignore-scripts']);
  const options = { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
  const [{ files }] = Object.values(JSON.parse(execFileSync(command, args, options)));
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * The paths of the files npm would publish from a folder.
 * @param {string} folder
 * @returns {string[]} sorted
 */
function packed(folder) {
  return packedFiles(folder).map((file) => file.path);
}

/**
 * Copies files as an installation would have them.
 * @param {string[]} files
 * @param {string} from
 * @param {string} to
 */
function copy(files, from, to) {
  for (const file of files) {
    fs.mkdirSync(path.dirname(path.join(to, file)), { recursive: true });
    fs.copyFileSync(path.join(from, file), path.join(to, file));
  }
}

/**
 * Copies packages and all they depend on from our own `node_modules`.
 * @param {string[]} names
 * @param {string} project - where to
 */
function install(names, project) {
  for (const name of names) {
    const from = path.join(ROOT, 'node_modules', name);
    fs.cpSync(from, path.join(project, 'node_modules', name), { recursive: true });
    install(Object.keys(require(path.join(from, 'package.json')).dependencies ?? {}), project);
  }
}

module.exports = { ROOT, copy, install, packed, packedFiles };
