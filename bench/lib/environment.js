'use strict';

// What the figures depend on: the machine, the versions, the state of the sources.

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { ROOT } = require('../../scripts/steps');

/** Descriptors that a process needs for other things than connections. */
const SPARE_DESCRIPTORS = 200;

/**
 * What a command prints.
 * @param {string} command
 * @param {string[]} args
 * @returns {string | undefined} undefined if it cannot be had
 */
function output(command, args) {
  try {
    const options = { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
    return execFileSync(command, args, options).trim();
  } catch (err) {
    return undefined;
  }
}

/** @returns {number} how many files one process may open */
function descriptorLimit() {
  const limit = output('sh', ['-c', 'ulimit -Hn']);
  return limit === 'unlimited' || limit === undefined ? Infinity : Number(limit);
}

/** @returns {number} how many connections one process may hold */
function connectionLimit() {
  return descriptorLimit() - SPARE_DESCRIPTORS;
}

/** @returns {object} the machine, as the report describes it */
function machine() {
  return {
    cpu: os.cpus()[0].model.trim(),
    cores: os.cpus().length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    kernel: `${os.type()} ${os.release()}`,
    architecture: process.arch,
    descriptors: descriptorLimit(),
  };
}

/** @returns {Record<string, string>} what the lock files of the peers say */
function peerVersions() {
  const { packages } = require('../peers/package-lock.json');
  const crate = /name = "socketioxide"\nversion = "([^"]+)"/;
  const lock = fs.readFileSync(path.join(ROOT, 'bench', 'socketioxide', 'Cargo.lock'), 'utf8');
  const names = { Bun: '@oven/bun-linux-x64', '@socket.io/bun-engine': '', uwebsockets: '' };
  return {
    ...Object.fromEntries(
      Object.entries(names).map(([title, name]) => [
        title,
        packages[`node_modules/${name || title}`].version,
      ]),
    ),
    socketioxide: crate.exec(lock)[1],
  };
}

/** @returns {Record<string, string>} what was compared, and what it ran on */
function versions() {
  const version = (name) => require(`${name}/package.json`).version;
  return {
    node: process.version,
    rust: output('rustc', ['--version']) ?? 'unknown',
    'loopback-socket': require('../../package.json').version,
    'loopback-socket, the original': version('loopback-socket-original'),
    'socket.io 2': version('socket.io-2'),
    'socket.io 4': version('socket.io'),
    ws: version('ws'),
    ...peerVersions(),
  };
}

/** @returns {Record<string, string>} what subscriptions were compared on */
function subscriptionVersions() {
  const { packages } = require('../peers/package-lock.json');
  const names = ['graphql-ws', 'graphql', '@trpc/server', 'ws'];
  return {
    Node: process.version,
    ...Object.fromEntries(names.map((name) => [name, packages[`node_modules/${name}`].version])),
  };
}

/** @returns {Record<string, string>} what servers in a cluster were compared on */
function scaleVersions() {
  const names = [
    'socket.io',
    '@socket.io/redis-adapter',
    '@socket.io/redis-streams-adapter',
    'redis',
  ];
  const version = (name) => require(`${name}/package.json`).version;
  const [, redisServer] = /v=(\S+)/.exec(output('redis-server', ['--version']) ?? '') ?? [];
  return {
    Node: process.version,
    ...Object.fromEntries(names.map((name) => [name, version(name)])),
    'redis-server': redisServer ?? 'unknown',
  };
}

/**
 * What was measured.
 * @returns {{ commit?: string, modified?: boolean, otherPackage?: boolean }} `otherPackage` if
 *   BENCH_PACKAGE named another one than that of these sources
 */
function sources() {
  if (process.env.BENCH_PACKAGE) return { otherPackage: true };
  const measured = ['src', 'lib', 'index.js', 'Cargo.toml', 'Cargo.lock', 'build.rs', 'bench'];
  const ours = [...measured, ':!bench/results'];
  return {
    commit: output('git', ['rev-parse', 'HEAD']),
    modified: Boolean(output('git', ['status', '--porcelain', '--', ...ours])),
  };
}

module.exports = {
  ...{ connectionLimit, machine, scaleVersions, sources, subscriptionVersions, versions },
};
