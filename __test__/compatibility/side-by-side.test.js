'use strict';

/**
 * Side by side with the original: every scenario of the table runs against npm loopback-socket
 * 0.4.2 and against ours on every host, client and transport, and the records must be equal, or
 * equal to what the scenario's deviation says. `side-by-side/table.js` is the table.
 *
 * `SCENARIO=text` runs only the scenarios whose name contains the text, `HOST=native,hostedOn4`
 * only those hosts of ours.
 */

require('./side-by-side/timers');
const assert = require('node:assert/strict');
const { after, describe, test } = require('node:test');
const { assertOriginal, assertOurs } = require('./side-by-side/compare');
const { createManager } = require('./side-by-side/clients');
const { HOSTS, open } = require('./side-by-side/hosts');
const { SUBJECTS, TRANSPORTS, combinationsOf } = require('./side-by-side/matrix');
const { SCENARIOS, SECTIONS, nameOf } = require('./side-by-side/table');

const wanted = SCENARIOS.filter((scenario) =>
  nameOf(scenario).includes(process.env.SCENARIO ?? ''),
);
const subjects = SUBJECTS.filter((host) => (process.env.HOST ?? host).split(',').includes(host));
// compare.js keeps the number of runs that really go on at once.
const concurrency = 10000;
const leftOut = new Map();

/** @returns {string} the title of a scenario on one host, with one client and transport */
const titleOf = (scenario, { name }) => `${scenario.promise} (${name})`;

describe('side by side with the original', { concurrency }, () => {
  for (const scenario of wanted) {
    describe(nameOf(scenario), { concurrency }, () => {
      for (const combination of combinationsOf(scenario.originalHost ?? 'original')) {
        test(titleOf(scenario, combination), () => assertOriginal(scenario, combination));
      }
      for (const combination of subjects.flatMap(combinationsOf)) {
        const reason = scenario.leftOut?.(combination);
        if (reason) {
          leftOut.set(`${nameOf(scenario)} — ${combination.host.name}`, reason);
          test(titleOf(scenario, combination), { skip: reason }, () => {});
        } else {
          test(titleOf(scenario, combination), () => assertOurs(scenario, combination));
        }
      }
    });
  }
});

describe('what cannot be compared', () => {
  for (const transport of TRANSPORTS) {
    test(`a 4.x client cannot connect to a socket.io 2 server over ${transport}`, async (t) => {
      const { port, close } = await open(HOSTS.original);
      t.after(close);
      const manager = createManager('4.8', transport, port);
      const socket = manager.socket('/');
      const outcome = await new Promise((resolve) => {
        socket.once('connect', () => resolve('connected'));
        socket.once('connect_error', () => resolve('refused'));
        socket.once('disconnect', () => resolve('refused'));
        manager.once('close', () => resolve('refused'));
        socket.open();
      });
      manager.engine.close();
      assert.equal(outcome, 'refused');
    });
  }
});

describe('the table of scenarios', () => {
  test('every section of docs/behaviour.md has scenarios, and every scenario a section', () => {
    const counts = new Map(SECTIONS.map((section) => [section, 0]));
    for (const { section } of SCENARIOS) {
      assert.ok(counts.has(section), `no such section: ${section}`);
      counts.set(section, counts.get(section) + 1);
    }
    console.log('Scenarios per section of docs/behaviour.md:');
    for (const [section, count] of counts) console.log(`  ${section}: ${count}`);
    console.log(`  in all: ${SCENARIOS.length}`);
    for (const [section, count] of counts) assert.ok(count > 0, `no scenario for ${section}`);
  });

  test('names of scenarios are unique', () => {
    const names = SCENARIOS.map(nameOf);
    assert.deepEqual([...new Set(names)], names);
  });

  test('every scenario that differs from the original has its reason and what is expected', () => {
    for (const scenario of SCENARIOS) {
      const differs = scenario.deviation !== undefined || scenario.contract !== undefined;
      assert.equal(typeof scenario.expect === 'function', differs, nameOf(scenario));
      assert.equal(scenario.original === 'crashes', scenario.crash !== undefined, nameOf(scenario));
    }
  });
});

after(() => {
  if (leftOut.size) console.log('Left out:');
  for (const [name, reason] of leftOut) console.log(`  ${name}: ${reason}`);
});
