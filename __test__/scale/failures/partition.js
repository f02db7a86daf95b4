'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { startProxy } = require('../services/proxy');

/** Broadcasts of each node during the partition: so long that nodes with heartbeats take the node for gone. */
const APART = 100;

/** Milliseconds that a broadcast to the clients of the same node may take. */
const LOCAL_TIMEOUT = 10_000;

/**
 * @param {'cut' | 'halt'} how the network fails: with an error, or in silence
 * @returns {import('.').Failure}
 */
function partition(how) {
  return {
    not: ['cluster'],
    async run({ kinds: [first, second], service, start }) {
      const proxy = await startProxy(service.port);
      const url = new URL(service.url);
      url.port = proxy.port;
      const world = await start({
        kinds: [first, second, first],
        urls: [undefined, url.href, undefined],
      });
      try {
        const [one, apart, other] = world.nodes;
        await world.stretch();

        const before = await world.mark();
        proxy[how]();
        // Its own clients still hear what it says to them.
        const own = world.subscribers.filter(({ node }) => node === apart.name);
        assert.ok(own.length > 0, 'the node has clients');
        const signal = AbortSignal.timeout(LOCAL_TIMEOUT);
        const heard = own.map((client) => once(client, 'local', { signal }));
        await apart.call('program', 'local', 'local', how);
        await Promise.all(heard);
        // The others go on as if nothing had happened.
        const sources = [one.name, other.name];
        const subscribers = world.subscribers.filter(({ node }) => node !== apart.name);
        const during = await world.after(APART);
        await world.untilComplete(before, during, { subscribers, sources });

        proxy.heal();
        const healed = await world.mark();
        const began = performance.now();
        await world.untilFlowing();
        const flowsAfter = Math.round(performance.now() - began);
        const wholeAfter = await world.untilWhole();
        await world.stretch();
        world.assertNoDuplicates();
        return { ...world.losses(before, healed), flowsAfter, wholeAfter };
      } finally {
        await world.stop();
        await proxy.stop();
      }
    },
  };
}

/** @type {Record<string, import('.').Failure>} */
module.exports = {
  'A node whose connections to the service are cut serves its clients, and is whole again after':
    partition('cut'),
  'A node that the service does not answer serves its clients, and is whole again after':
    partition('halt'),
};
