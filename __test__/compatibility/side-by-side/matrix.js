'use strict';

/**
 * Which host runs with which client over which transport. Impossible, and proven so by a test of
 * its own: a 4.x client with a socket.io 2 server, whose protocol it does not speak.
 */

const { HOSTS } = require('./hosts');

const TRANSPORTS = ['websocket', 'polling'];

/** The hosts whose records are compared with the original's. */
const SUBJECTS = ['hostedOn2', 'hostedOn4', 'native'];

/**
 * @typedef {object} Combination
 * @property {string} hostKey
 * @property {import('./hosts').Host} host
 * @property {string} client
 * @property {string} transport
 * @property {string} name
 */

/**
 * @param {string} hostKey
 * @returns {Combination[]}
 */
function combinationsOf(hostKey) {
  const host = HOSTS[hostKey];
  return host.clients.flatMap((client) =>
    TRANSPORTS.map((transport) => ({
      hostKey,
      host,
      client,
      transport,
      name: `${host.name}, client ${client}, ${transport}`,
    })),
  );
}

module.exports = { SUBJECTS, TRANSPORTS, combinationsOf };
