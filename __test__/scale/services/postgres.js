'use strict';

/**
 * The PostgreSQL that is installed, with a cluster of its own that any local user may enter.
 */

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { Program, freePort, temporaryDirectory, userNamed, which } = require('./program');

/** Where Debian and its like keep the programs of each version. */
const VERSIONS = '/usr/lib/postgresql';

/** The table that `@socket.io/postgres-adapter` asks its users to create. */
const ATTACHMENTS = `CREATE TABLE IF NOT EXISTS socket_io_attachments (
  id bigserial UNIQUE,
  created_at timestamptz DEFAULT NOW(),
  payload bytea
)`;

/** @returns {string | undefined} the folder with `initdb` and `postgres` */
function programs() {
  const onPath = which('initdb');
  if (onPath) return path.dirname(onPath);
  if (!fs.existsSync(VERSIONS)) return undefined;
  return fs
    .readdirSync(VERSIONS)
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => path.join(VERSIONS, version, 'bin'))
    .find((folder) => fs.existsSync(path.join(folder, 'initdb')));
}

/** @returns {boolean} whether PostgreSQL is installed */
function isInstalled() {
  return programs() !== undefined;
}

/** @returns {{uid: number, gid: number} | undefined} whom the server runs as: PostgreSQL refuses root */
function serverUser() {
  if (process.getuid?.() !== 0) return undefined;
  return userNamed('postgres') ?? userNamed('nobody');
}

/**
 * @returns {Promise<{
 *   port: number,
 *   url: string,
 *   restart: Program['restart'],
 *   pause: () => void,
 *   resume: () => void,
 *   stop: () => Promise<void>,
 * }>} a server that listens on the loopback address and has the table of attachments
 */
async function startPostgres() {
  const folder = programs();
  if (!folder) throw new Error('PostgreSQL is not installed');
  const user = serverUser();
  const port = await freePort();
  const directory = temporaryDirectory('postgres', user);
  const cluster = path.join(directory, 'cluster');
  const created = spawnSync(
    path.join(folder, 'initdb'),
    [
      ...['--pgdata', cluster, '--username', 'postgres', '--auth', 'trust'],
      ...['--encoding', 'UTF8', '--no-locale', '--no-sync'],
    ],
    { cwd: directory, ...user },
  );
  if (created.status !== 0) {
    throw new Error(`initdb failed: ${created.error?.message ?? created.stderr}`);
  }
  const settings = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    fsync: 'off',
    max_connections: 100,
  };
  const program = new Program({
    command: path.join(folder, 'postgres'),
    args: [
      ...['-D', cluster],
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    ready: /ready to accept connections/,
    directory,
    // A "fast shutdown": the default one waits until every client has gone.
    signal: 'SIGINT',
    user,
  });
  await program.start();
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const { Client } = require('pg');
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(ATTACHMENTS);
  await client.end();
  return {
    port,
    url,
    restart: (options) => program.restart(options),
    pause: () => program.pause(),
    resume: () => program.resume(),
    stop: () => program.stop(),
  };
}

module.exports = { isInstalled, startPostgres };
