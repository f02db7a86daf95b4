'use strict';

/** What ends the service: the crash of one that keeps no data, PostgreSQL's own way of ending at once. */
const SIGNALS = { postgres: 'SIGINT' };

/** Broadcasts of each node while the service is away: more than a second of them. */
const AWAY = 30;

/** @type {Record<string, import('.').Failure>} */
module.exports = {
  'Nodes outlive a restart of the service under traffic, and then nothing is missed any more': {
    short: true,
    not: ['cluster'],
    async run({ adapter, kinds: [first, second], service, start }) {
      const world = await start({ kinds: [first, second] });
      await world.stretch();

      const before = await world.mark();
      await service.restart({
        signal: SIGNALS[adapter] ?? 'SIGKILL',
        meanwhile: () => world.after(AWAY),
      });
      const back = await world.mark();
      const began = performance.now();
      await world.untilFlowing();
      const flowsAfter = Math.round(performance.now() - began);
      const wholeAfter = await world.untilWhole();
      await world.stretch();

      world.assertNoDuplicates();
      const disconnections = world.subscribers.reduce((sum, one) => sum + one.disconnections, 0);
      if (disconnections > 0) throw new Error(`${disconnections} connections of clients ended`);
      return {
        ...world.losses(before, back),
        flowsAfter,
        wholeAfter,
      };
    },
  },
};
