// The playground: two clients of the bookshop side by side, and load from this page.

import { Load } from './load/load.js';
import { Metrics } from './load/metrics.js';
import { showCharts } from './load/charts.js';
import { Pane } from './pane/pane.js';
import { Settings, bindSettings, bindTheme } from './settings.js';
import { bindTour } from './tour.js';

/** The customers of the sample data. */
const USERS = [
  { name: 'Ada', email: 'ada@example.com', password: 'enchantress' },
  { name: 'Grace', email: 'grace@example.com', password: 'nanosecond' },
];

/** How long a restart keeps the sockets away, in ms. */
const PAUSE = 1000;

/** How old a report of the server may be to count as the current one, in ms. */
const RECENT = 1500;

const element = (id) => document.getElementById(id);

/** Resolves when a client has authenticated. */
function ready({ connection }) {
  if (connection.state === 'ready') return Promise.resolve();
  return new Promise((resolve) => {
    connection.addEventListener('ready', resolve, { once: true });
  });
}

async function logIn(pane) {
  if (pane.connection.state === 'ready') return;
  const isReady = ready(pane);
  if (pane.connection.token === null) {
    pane.reset();
    await pane.logIn();
  }
  await isReady;
}

const notify = (text) => {
  element('notice').textContent = text;
};

async function restart(panes) {
  const pane = panes.find(({ connection }) => connection.state === 'ready');
  if (pane === undefined) {
    notify(
      'Log in first: restartServers is a method, and methods are for clients that have logged in.',
    );
    return;
  }
  const { client } = pane.connection;
  const lost = panes
    .filter(({ connection }) => connection.state === 'ready')
    .map(
      (each) =>
        new Promise((resolve) => {
          each.connection.client.socket.once('disconnect', () => resolve(ready(each)));
        }),
    );
  notify(`The server closes all connections, and listens again after ${PAUSE / 1000} s …`);
  await client.call('restartServers', { pause: PAUSE });
  await Promise.all(lost);
  notify('The server is back, and the clients have authenticated again.');
}

async function main() {
  bindTheme(element('theme'));
  const settings = new Settings();
  const response = await fetch('/playground/info');
  const { servers, catalogue, loopback, node, socketio } = await response.json();
  settings.setServers(servers);
  settings.server = servers[0].kind;
  bindSettings(settings);
  element('versions').textContent =
    `LoopBack ${loopback} · Node.js ${node} · socket.io ${socketio}`;

  const metrics = new Metrics();
  const panes = USERS.map((user) => new Pane({ user, settings, catalogue, metrics }));
  const load = new Load({
    settings,
    metrics,
    async credentials() {
      const pane = panes.find(({ connection }) => connection.state === 'ready') ?? panes[0];
      await logIn(pane);
      const { id, userId } = pane.connection.token;
      return { id, userId };
    },
  });

  let report = null;
  for (const pane of panes) {
    pane.addEventListener('load', ({ detail }) => {
      if (report !== null && detail.at <= report.at) return; // both clients get the same items
      report = { ...detail, received: performance.now() };
      load.serverReports(detail);
    });
  }
  showCharts(element('charts'), {
    metrics,
    now: () => ({
      server: load.server ?? settings.server,
      isActive:
        load.server !== null || panes.some(({ connection }) => connection.state === 'ready'),
      delay: report !== null && performance.now() - report.received < RECENT ? report.delay : null,
    }),
  });

  element('drop').addEventListener('click', () => {
    for (const { connection } of panes) connection.drop();
  });
  element('restart').addEventListener('click', () => restart(panes));
  settings.addEventListener('change', () => notify(''));

  const both = () => Promise.all(panes.map(logIn));
  bindTour(element('tour'), {
    login: both,
    async broadcast() {
      await both();
      await panes[0].addBook();
    },
    async restart() {
      await both();
      await restart(panes);
    },
    async compare() {
      element('load').scrollIntoView({ block: 'nearest' });
      await load.run(['native', 'hosted']);
    },
  });
  document.documentElement.dataset.ready = 'true';
}

main().catch((error) => notify(`The page could not start: ${error.message}`));
