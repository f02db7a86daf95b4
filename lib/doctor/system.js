'use strict';

/**
 * What the doctor finds out about the process and its machine. Everything that it reads is read here, so that
 * tests can put another machine in its place.
 */

const fs = require('fs');
const os = require('os');
const { createRequire } = require('module');
const path = require('path');

/**
 * @typedef {object} System
 * @property {string} platform as `process.platform` has it
 * @property {Record<string, string | undefined>} versions those of the runtime, as `process.versions`
 * @property {string[]} flags of Node, also those of NODE_OPTIONS
 * @property {boolean} hasPermissionModel whether Node was started with `--permission`
 * @property {number | 'unlimited' | undefined} openFiles how many descriptors the process may have
 * @property {number} cores how many cores the process may use
 * @property {number} load the load of the last minute
 * @property {(file: string) => string | undefined} read gives a file of the system, if there is one
 * @property {(name: string) => string | undefined} versionOf gives the version of a package that the
 *   application has installed
 */

/**
 * @param {string} folder that of the application
 * @returns {System} the system that this process runs on
 */
function currentSystem(folder) {
  return {
    platform: process.platform,
    versions: process.versions,
    flags: [...process.execArgv, ...(process.env.NODE_OPTIONS ?? '').split(/\s+/)].filter(Boolean),
    hasPermissionModel: process.permission !== undefined,
    openFiles: openFiles(),
    cores: os.availableParallelism(),
    load: os.loadavg()[0],
    read,
    versionOf: (name) => versionOf(name, folder),
  };
}

/**
 * @returns {number | 'unlimited' | undefined} how many descriptors the process may have
 */
function openFiles() {
  try {
    process.report.excludeNetwork = true;
    const made = process.report.getReport();
    const { userLimits } = typeof made === 'string' ? JSON.parse(made) : made;
    return userLimits.open_files.soft;
  } catch {
    // Windows has no such limit, and some runtimes have no reports.
    return undefined;
  }
}

/**
 * @param {string} file a file of the system
 * @returns {string | undefined} its text, if it can be read
 */
function read(file) {
  try {
    return fs.readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/**
 * @param {string} name a package
 * @param {string} folder where it would be required from
 * @returns {string | undefined} the version that is installed
 */
function versionOf(name, folder) {
  for (const from of [folder, __dirname]) {
    try {
      const file = createRequire(path.join(from, 'index.js')).resolve(`${name}/package.json`);
      return JSON.parse(fs.readFileSync(file, 'utf8')).version;
    } catch {
      // Not there, or nothing that may be read.
    }
  }
  return undefined;
}

module.exports = { currentSystem };
