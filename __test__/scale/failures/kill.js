'use strict';

const assert = require('node:assert/strict');

/** @type {Record<string, import('.').Failure>} */
module.exports = {
  'A node that is killed takes nothing from the others, and its clients go on with another': {
    short: true,
    async run({ kinds: [first, second], start }) {
      const world = await start({ kinds: [first, second, first] });
      const [, victim] = world.nodes;
      await world.stretch();

      const others = world.nodes.filter((node) => node !== victim);
      const sources = others.map(({ name }) => name);
      const bystanders = world.subscribers.filter(({ node }) => node !== victim.name);
      assert.ok(bystanders.length < world.subscribers.length, 'the node has clients');
      const before = await world.mark();
      world.takeOut(victim);
      await victim.kill('SIGKILL');
      await world.untilReady();
      const wholeAfter = await world.untilWhole();

      // What the others broadcast meanwhile reached each other's clients.
      const end = await world.after(1);
      await world.untilComplete(before, end, { subscribers: bystanders, sources });
      const lost = world.missing(before, end, { sources });
      await world.stretch();
      world.assertNoDuplicates();
      return { lost, wholeAfter };
    },
  },
};
