// The playground: two clients of the bookshop side by side, and load from this page.

import { whole } from './dom.js';
import { showCharts } from './load/charts.js';
import { Load } from './load/load.js';
import { Metrics } from './load/metrics.js';
import { Pane } from './pane/pane.js';
import { Settings, bindSettings, bindTheme } from './settings.js';
import { bindTour } from './tour.js';
import { broadcast, logIn, logInAll, restart } from './visit.js';

/** The customers of the sample data. */
const USERS = [
  { name: 'Ada', email: 'ada@example.com', password: 'enchantress' },
  { name: 'Grace', email: 'grace@example.com', password: 'nanosecond' },
];

/** How old a report of the server may be to count as the current one, in ms. */
const RECENT = 1500;

/** How long what came of a button of the toolbar is shown, in ms. */
const NOTICE_TIME = 8000;

const element = (id) => document.getElementById(id);

let noticeTimer;

function notify(text) {
  element('notice').textContent = text;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => notify(''), NOTICE_TIME);
}

/** Keeps the newest report of the server, which comes over whichever client is ready. */
function followServer(panes, load) {
  let report = null;
  let received = 0;
  for (const pane of panes) {
    pane.addEventListener('load', ({ detail }) => {
      if (detail.at === report?.at) return; // both clients get the same items
      report = detail;
      received = performance.now();
      load.serverReports(detail);
    });
  }
  return () => (performance.now() - received < RECENT ? report : null);
}

function bindToolbar(panes) {
  element('drop').addEventListener('click', () => {
    for (const { connection } of panes) connection.drop();
  });
  element('restart').addEventListener('click', () => {
    restart(panes).then(notify, (error) => notify(error.message));
  });
}

/** Puts both servers under load, where it can be seen. */
async function compare(load) {
  element('load').scrollIntoView();
  const { native, hosted } = await load.run(['native', 'hosted']);
  return `${whole(native.rate)} calls a second on native, ${whole(hosted.rate)} on npm socket.io.`;
}

async function main() {
  bindTheme(element('theme'));
  const response = await fetch('/playground/info');
  const { servers, catalogue, loopback, node, socketio } = await response.json();
  const settings = new Settings(servers);
  bindSettings(settings);
  element('versions').textContent =
    `LoopBack ${loopback} · Node.js ${node} · socket.io ${socketio}`;

  const metrics = new Metrics();
  const panes = USERS.map((user) => new Pane({ user, settings, catalogue, metrics }));
  const isAnyReady = () => panes.some(({ connection }) => connection.state === 'ready');
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
  const report = followServer(panes, load);
  showCharts(element('charts'), {
    metrics,
    now: () => ({
      server: load.server ?? settings.server,
      isActive: load.server !== null || isAnyReady(),
      delay: report()?.delay ?? null,
    }),
  });
  bindToolbar(panes);
  bindTour(element('tour'), {
    login: () => logInAll(panes),
    broadcast: () => broadcast(panes),
    async restart() {
      await logInAll(panes);
      return restart(panes);
    },
    compare: () => compare(load),
  });
  document.documentElement.dataset.ready = 'true';
}

main().catch((error) => {
  element('notice').textContent = `The page could not start: ${error.message}`;
});
