'use strict';

// The part of docs/benchmarks.md about subscriptions.

const { medianOf, spreadOf } = require('../lib/compare');
const { GENERATORS } = require('../lib/generator');
const { median } = require('../lib/statistics');
const {
  FIGURES,
  MEMORY_MUST,
  SUBSCRIPTION_CASES,
  SUBSCRIPTION_TARGETS,
} = require('../subscriptions/cases');
const { HELD } = require('../subscriptions/memory');
const { SUBSCRIPTION_SERVERS } = require('../subscriptions/servers');
const { figure, number } = require('./numbers');

/**
 * @typedef {object} Verdict
 * @property {string} title
 * @property {string} must
 * @property {Record<string, number>} found - by generator
 * @property {boolean} reached - by the worse of them
 */

/**
 * Whether what was to be reached is.
 * @param {object} result
 * @returns {Verdict[]} of what was measured
 */
function judgeSubscriptions({ cases, memory }) {
  const verdicts = SUBSCRIPTION_TARGETS.flatMap(({ title, name, servers, bound, must }) => {
    const found = Object.fromEntries(
      Object.entries(cases[name] ?? {}).flatMap(([generator, measured]) => {
        const [value, other] = servers.map((server) => medianOf(measured, 'cpu', server));
        return value && other ? [[generator, value / other]] : [];
      }),
    );
    const values = Object.values(found);
    if (values.length === 0) return [];
    const reached = values.every((value) => (bound === 'at least' ? value >= must : value <= must));
    return [
      { title, must: `${bound === 'at least' ? '≥' : '≤'} ${must}×`, found, reached, unit: '×' },
    ];
  });
  const shared = HELD.filter(({ name, isPrivate }) => !isPrivate && memory?.[name]);
  for (const { name, title } of shared) {
    const bytes = median(memory[name].native.map(({ heap, allocated }) => heap + allocated));
    verdicts.push({
      title: `Memory of an idle subscription, native: ${title}`,
      must: `≤ ${MEMORY_MUST} bytes`,
      found: { node: bytes },
      reached: bytes <= MEMORY_MUST,
      unit: ' bytes',
    });
  }
  return verdicts;
}

/**
 * The part about subscriptions.
 * @param {object | undefined} result - undefined if there is none
 * @param {(heads: string[], rows: string[][]) => string} table
 * @returns {string[]}
 */
function subscriptionsPart(result, table) {
  if (!result) return [];
  const { cases, memory, cycles, parts } = result;
  const { versions } = parts.cases;
  const verdicts = judgeSubscriptions(result).map(({ title, must, found, reached, unit }) => [
    title,
    must,
    ...Object.keys(GENERATORS).map((generator) =>
      found[generator] === undefined ? '–' : `${number(found[generator])}${unit}`,
    ),
    reached ? 'yes' : '**no**',
  ]);
  const names = Object.keys(SUBSCRIPTION_SERVERS);
  const heads = names.map((name) => SUBSCRIPTION_SERVERS[name].title);
  const tables = Object.entries(FIGURES).map(([metric, { title, unit }]) => {
    const rows = SUBSCRIPTION_CASES.flatMap((one) =>
      Object.entries(cases[one.name] ?? {}).map(([generator, measured]) => [
        one.title,
        GENERATORS[generator].title,
        ...names.map((name) => figure(spreadOf(measured, metric, name))),
      ]),
    );
    return table([`${title}, ${unit}`, 'by', ...heads], rows);
  });
  return [
    '## Subscriptions',
    '`npm run bench:subscriptions` measures these. Peers are the servers of `graphql-ws` and of tRPC’s ' +
      '`wsLink` on `ws`, each as its documentation has it; the clients are the load generators, which ' +
      'speak all three protocols themselves, acknowledge what asks for it, and check that every ' +
      'subscriber gets every item once and in order. A plain broadcast of the native server to a room, ' +
      'with messages of the same size, is the yardstick. It has no back-pressure: in a burst everything ' +
      'for a client leaves in one write, while a subscription sends a window and waits for the client. ' +
      `Medians, measured ${measuredAt(parts.cases)}, with ` +
      `${Object.entries(versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(', ')}.`,
    table(
      ['target', 'must', ...Object.values(GENERATORS).map(({ title }) => `by ${title}`), 'reached'],
      verdicts,
    ),
    ...tables,
    ...memoryPart(memory, parts.memory, table),
    ...cyclesPart(cycles, parts.cycles, table),
  ];
}

/**
 * @param {object} part - of the result: when and of what it is
 * @returns {string}
 */
function measuredAt({ started, sources, rounds }) {
  const commit = sources.commit ?? 'another build';
  const changes = sources.modified ? ', with uncommitted changes' : '';
  return `on ${started.slice(0, 10)} in ${rounds} ${rounds === 1 ? 'round' : 'rounds'} at ${commit}${changes}`;
}

/**
 * @param {object | undefined} memory
 * @param {object} part
 * @param {(heads: string[], rows: string[][]) => string} table
 * @returns {string[]}
 */
function memoryPart(memory, part, table) {
  if (!memory) return [];
  const rows = HELD.filter(({ name }) => memory[name]).flatMap(({ name, title }) =>
    Object.entries(memory[name]).map(([server, found]) => {
      const middle = (key) => median(found.map((one) => one[key])).toLocaleString('en');
      const { title: where } = SUBSCRIPTION_SERVERS[server];
      const sum = median(found.map(({ heap, allocated }) => heap + allocated));
      return [title, where, sum.toLocaleString('en'), middle('heap'), middle('allocated')];
    }),
  );
  return [
    'Memory of an idle subscription, in bytes that are in use after garbage collection: in V8’s heap, and ' +
      'allocated outside of it. Clients that were connected and authenticated subscribed, the first fifth ' +
      'of them before the measurement. 100 subscriptions of a socket have 100 keys, which all sockets ' +
      'share. A private one is an async generator that waits for its signal; what a handler itself keeps ' +
      'comes on top (`events.on()` of Node takes 33 KB). ' +
      `Measured ${measuredAt(part)}.`,
    table(['subscriptions', 'server', 'bytes', 'in V8’s heap', 'outside of it'], rows),
  ];
}

/**
 * @param {object | undefined} cycles
 * @param {object} part
 * @param {(heads: string[], rows: string[][]) => string} table
 * @returns {string[]}
 */
function cyclesPart(cycles, part, table) {
  if (!cycles) return [];
  const mb = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
  const rows = Object.entries(cycles).map(([server, { cycles: done, samples, grown }]) => [
    SUBSCRIPTION_SERVERS[server].title,
    done.toLocaleString('en'),
    ...[samples[2], samples.at(-1)].map(({ rss, heapUsed }) => `${mb(rss)}, heap ${mb(heapUsed)}`),
    grown.length === 0 ? 'no' : `**${grown.join(', ')}**`,
  ]);
  return [
    'Subscribing and unsubscribing, one third each: a shared source that others use, a shared source ' +
      `that begins and ends each time, and a private one. Measured ${measuredAt(part)}.`,
    table(['server', 'cycles', 'resident after 30 %', 'at the end', 'grew'], rows),
  ];
}

module.exports = { judgeSubscriptions, subscriptionsPart };
