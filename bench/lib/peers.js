'use strict';

// What the bench compares with and the package does not depend on: installed into bench/peers, whose
// node_modules git ignores, and built in bench/socketioxide. What cannot be had is left out, and said.

const fs = require('node:fs');
const path = require('node:path');
const { StepError, npmCommand, run } = require('../../scripts/steps');
const { PEERS, PEERS_FOLDER, installedPeers } = require('../servers');

const SOCKETIOXIDE = path.join(__dirname, '..', 'socketioxide');

/** Installs the packages from the registry, exactly those of the lock file; none of their scripts runs. */
async function installPackages() {
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--legacy-peer-deps'];
  const { command, args } = npmCommand('npm', ['ci', '--prefix', PEERS_FOLDER, ...flags]);
  await run('Installing peers', command, args);
}

/** Builds the server of socketioxide. */
async function buildSocketioxide() {
  const manifest = path.join(SOCKETIOXIDE, 'Cargo.toml');
  const target = path.join(SOCKETIOXIDE, 'target');
  const args = ['build', '--release', '--locked', '--manifest-path', manifest];
  await run('Building socketioxide', 'cargo', [...args, '--target-dir', target]);
}

/**
 * Installs what is not there.
 * @returns {Promise<Record<string, string>>} the peers that could not be installed, and why
 */
async function installPeers() {
  const reasons = {};
  const attempt = async (names, install) => {
    if (names.every((name) => fs.existsSync(PEERS[name].needs))) return;
    try {
      await install();
    } catch (err) {
      if (!(err instanceof StepError)) throw err;
      for (const name of names) reasons[name] = err.message;
    }
  };
  await attempt(['bun-engine', 'uws-engine'], installPackages);
  await attempt(['socketioxide'], buildSocketioxide);
  const installed = installedPeers();
  const missing = Object.keys(PEERS).filter((name) => !installed.includes(name));
  for (const name of missing) console.log('    without %s: it could not be installed', name);
  return Object.fromEntries(
    missing.map((name) => [name, reasons[name] ?? 'there is no such package for this machine']),
  );
}

module.exports = { installPeers };
