'use strict';

// What the bench compares with and the package does not depend on: installed into bench/peers, whose
// node_modules git ignores, and built in bench/socketioxide. What cannot be had is left out, and said.

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
  const lacking = Object.keys(PEERS).filter((name) => !installedPeers().includes(name));
  const fromNpm = lacking.filter((name) => PEERS[name].needs.startsWith(PEERS_FOLDER));
  const fromCargo = lacking.filter((name) => !fromNpm.includes(name));
  const reasons = {};
  const attempt = async (names, install, reason) => {
    if (names.length === 0) return;
    try {
      await install();
    } catch (err) {
      if (!(err instanceof StepError)) throw err;
      for (const name of names) reasons[name] = reason;
    }
  };
  await attempt(fromNpm, installPackages, 'npm could not install its package');
  await attempt(fromCargo, buildSocketioxide, 'cargo could not build it');
  const missing = lacking.filter((name) => !installedPeers().includes(name));
  for (const name of missing) reasons[name] ??= 'it is not to be had for this machine';
  const told = Object.fromEntries(missing.map((name) => [name, reasons[name]]));
  for (const [name, reason] of Object.entries(told)) {
    console.log('    without %s: %s', name, reason);
  }
  return told;
}

module.exports = { installPackages, installPeers };
