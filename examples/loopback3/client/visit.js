// What the two clients do together: the things to try that the page suggests.

import { duration } from './dom.js';
import { within } from './waiting.js';

/** How long a restart keeps the sockets away, in ms. */
const PAUSE = 1000;

/** How long a broadcast, or the end of a connection, is waited for, in ms. */
const TIMEOUT = 10_000;

const isReady = ({ connection }) => connection.state === 'ready';

/**
 * Has a client log in with its own credentials, unless it has.
 * @param {import('./pane/pane.js').Pane} pane
 * @returns {Promise<void>} when it has authenticated
 * @throws {Error} if it is refused, or the server is away
 */
export async function logIn(pane) {
  const { connection } = pane;
  if (['disconnected', 'refused'].includes(connection.state)) {
    pane.reset();
    await pane.logIn();
  }
  await connection.whenReady();
}

/**
 * Has all clients log in.
 * @param {import('./pane/pane.js').Pane[]} panes
 * @returns {Promise<string>} what came of it
 */
export async function logInAll(panes) {
  const begun = performance.now();
  await Promise.all(panes.map(logIn));
  return `Both have authenticated after ${duration(performance.now() - begun)}.`;
}

/**
 * Has the first client add a book.
 * @param {import('./pane/pane.js').Pane[]} panes
 * @returns {Promise<string>} what came of it, when the second client has heard of the book
 */
export async function broadcast(panes) {
  await Promise.all(panes.map(logIn));
  const [first, second] = panes;
  const begun = performance.now();
  const arrival = new Promise((resolve) => {
    second.connection.addEventListener('broadcast', resolve, { once: true });
  });
  const { title } = await first.addBook();
  await within(arrival, TIMEOUT, `No broadcast arrived at ${second.name}.`);
  const time = duration(performance.now() - begun);
  return `“${title}” arrived at ${second.name} after ${time}.`;
}

/**
 * Has a client restart the server.
 * @param {import('./pane/pane.js').Pane[]} panes
 * @returns {Promise<string>} what came of it, when the clients that were ready are ready again
 */
export async function restart(panes) {
  const clients = panes.filter(isReady).map(({ connection }) => connection);
  if (clients.length === 0) {
    throw new Error(
      'A client has to be ready: the server restarts when it calls “restartServers”.',
    );
  }
  const begun = performance.now();
  const back = clients.map(async (connection) => {
    await within(connection.whenLost(), TIMEOUT, 'The server has not ended the connections.');
    await connection.whenReady();
  });
  await Promise.all([clients[0].client.call('restartServers', { pause: PAUSE }), ...back]);
  const time = duration(performance.now() - begun);
  return `The server is back, and its clients have authenticated again after ${time}.`;
}
