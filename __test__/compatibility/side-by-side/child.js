'use strict';

/**
 * Runs one scenario in a process of its own, for those that end the original's process:
 * `node child.js <name of the scenario> <host> <client> <transport>`. Prints the record and exits 0
 * if it lives on. A part of the name that is in one scenario only will do.
 */

const { run } = require('./bench');
const { HOSTS } = require('./hosts');
const { SCENARIOS, nameOf } = require('./table');

const [name, hostKey, client, transport] = process.argv.slice(2);
const scenario = SCENARIOS.find((candidate) => nameOf(candidate).includes(name));
run(scenario, HOSTS[hostKey], client, transport).then((record) => {
  console.log(record);
  process.exit(0);
});
