'use strict';

const assert = require('node:assert/strict');
const { ADAPTERS } = require('../adapters');

/** How many nodes the fleet has. */
const NODES = 4;

/** Broadcasts of each node between two replacements. */
const PAUSE = 15;

/**
 * How many broadcasts more than with npm nodes a client may miss each time its connection ends: how long a client takes
 * to connect again differs from time to time.
 */
const TOLERANCE = 10;

/** What `connectionStateRecovery` takes. */
const RECOVERY = { maxDisconnectionDuration: 60_000, skipMiddlewares: true };

/**
 * Replaces each node of a fleet by another, one after the other, while clients call and nodes broadcast.
 * @param {import('./world').World} world
 * @param {string} kind of the new nodes
 * @returns {Promise<import('.').Figures>}
 */
async function replaceNodes(world, kind) {
  await world.stretch();
  for (const subscriber of world.subscribers) subscriber.startCalling();
  const begin = await world.mark();
  const ends = new Map();
  let pollsFailed = 0;
  for (const old of [...world.nodes]) {
    await world.addNode(kind);
    await world.after(PAUSE);
    world.takeOut(old);
    // What a node has broadcast before it closes reaches everybody.
    const before = await world.mark();
    const { sent, requests } = await old.call('program', 'stop');
    await world.untilComplete(before, new Map([[old.name, sent]]));
    ends.set(old.name, sent);
    pollsFailed += requests.poll.failed;
    await old.call('close');
    await old.stop();
    await world.untilReady();
  }
  await world.after(PAUSE);
  await world.untilWhole();
  await world.stretch();

  const { subscribers } = world;
  const sumOf = (list, get) => list.reduce((sum, one) => sum + get(one), 0);
  const calls = await Promise.all(subscribers.map((one) => one.stopCalling()));
  const failed = sumOf(calls, (counts) => counts.failed);
  assert.equal(failed, 0, 'a call failed on a connection that held');
  const holes = sumOf(subscribers, (one) => one.holes());
  assert.equal(holes, 0, 'a client missed a broadcast while it was connected');
  const end = new Map([...ends, ...(await world.mark())]);
  const { sent, lost, lostAtHome } = world.losses(begin, end);
  return {
    sent,
    lost: lost + lostAtHome,
    duplicates: sumOf(subscribers, (one) => one.duplicates),
    disconnections: sumOf(subscribers, (one) => one.disconnections),
    recoveries: sumOf(subscribers, (one) => one.recoveries),
    calls: sumOf(calls, (counts) => counts.done),
    callsCut: sumOf(calls, (counts) => counts.cut),
    pollsFailed,
  };
}

/**
 * @param {import('.').Figures} figures
 * @param {import('.').Figures} npm those of npm nodes
 */
function compareLosses(figures, npm) {
  const [ours, theirs] = [figures, npm].map(({ lost, disconnections }) => lost / disconnections);
  assert.ok(
    ours <= 2 * theirs + TOLERANCE,
    `a client missed ${ours} broadcasts each time its connection ended, with npm nodes ${theirs}`,
  );
}

/** @type {Record<string, import('.').Failure>} */
module.exports = {
  'A fleet is replaced node by node under load, and misses what a rolling restart of npm nodes misses':
    {
      async run({ kinds: [from, to], start }) {
        const world = await start({ kinds: Array(NODES).fill(from), authentication: true });
        const figures = await replaceNodes(world, to);
        assert.equal(figures.duplicates, 0, 'a client received a broadcast twice');
        return figures;
      },
      compare: compareLosses,
    },

  'A fleet with recovery is replaced node by node, and its clients recover what they missed': {
    // Others store no sessions; of MongoDB's, nobody waits until they are stored, so clients may come too early.
    not: Object.keys(ADAPTERS).filter((adapter) => adapter !== 'redis-streams'),
    async run({ kinds: [from, to], start }) {
      const world = await start({
        kinds: Array(NODES).fill(from),
        serverOptions: { connectionStateRecovery: RECOVERY },
      });
      const figures = await replaceNodes(world, to);
      assert.equal(figures.recoveries, figures.disconnections, 'every client recovered');
      return figures;
    },
    compare(figures, npm) {
      assert.ok(figures.lost <= npm.lost + TOLERANCE, `${figures.lost} were lost, not ${npm.lost}`);
    },
  },
};
