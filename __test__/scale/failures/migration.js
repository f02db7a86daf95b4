'use strict';

const assert = require('node:assert/strict');

/** How many nodes the fleet has. */
const NODES = 4;

/** Broadcasts of each node between two replacements. */
const PAUSE = 25;

/**
 * How many broadcasts more than with npm nodes a client may miss each time its connection ends: how long a client takes
 * to connect again differs from time to time.
 */
const TOLERANCE = 20;

/** @type {Record<string, import('.').Failure>} */
module.exports = {
  'A fleet is replaced node by node under load, and misses what a rolling restart of npm nodes misses':
    {
      async run({ kinds: [from, to], start }) {
        const world = await start({ kinds: Array(NODES).fill(from), authentication: true });
        await world.stretch();
        for (const subscriber of world.subscribers) subscriber.startCalling();

        const begin = await world.mark();
        const ends = new Map();
        const polls = { done: 0, failed: 0 };
        for (const old of [...world.nodes]) {
          await world.addNode(to);
          await world.after(PAUSE);
          world.takeOut(old);
          // What a node has broadcast before it closes reaches everybody.
          const before = await world.mark();
          const { sent, requests } = await old.call('program', 'stop');
          const last = new Map([[old.name, sent]]);
          await world.untilComplete(before, last);
          ends.set(old.name, sent);
          polls.done += requests.poll.done;
          polls.failed += requests.poll.failed;
          await old.call('close');
          await old.stop();
          await world.untilReady();
        }
        await world.after(PAUSE);
        await world.untilWhole();
        await world.stretch();

        const calls = await Promise.all(world.subscribers.map((one) => one.stopCalling()));
        const total = (key) => calls.reduce((sum, counts) => sum + counts[key], 0);
        assert.equal(total('failed'), 0, 'a call failed on a connection that held');
        assert.ok(total('done') > 0, 'calls were answered');
        const holes = world.subscribers.reduce((sum, one) => sum + one.holes(), 0);
        assert.equal(holes, 0, 'a client missed a broadcast while it was connected');
        world.assertNoDuplicates();
        const end = new Map([...ends, ...(await world.mark())]);
        const { lost, lostAtHome, sent } = world.losses(begin, end);
        const disconnections = world.subscribers.reduce((sum, one) => sum + one.disconnections, 0);
        return {
          sent,
          lost: lost + lostAtHome,
          disconnections,
          calls: total('done'),
          callsCut: total('cut'),
          pollsFailed: polls.failed,
        };
      },
      compare(figures, npm) {
        const [ours, theirs] = [figures, npm].map(
          ({ lost, disconnections }) => lost / disconnections,
        );
        assert.ok(
          ours <= 2 * theirs + TOLERANCE,
          `a client missed ${ours} broadcasts each time its connection ended, with npm nodes ${theirs}`,
        );
      },
    },
};
