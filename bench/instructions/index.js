'use strict';

// `npm run bench:instructions`: counts the instructions and allocations of the session, the bridge
// and the server, and compares them with what is recorded in baseline.json. Ends with 1 if a case
// takes over 10 % more, or if cases and records do not match. `-- --record` records instead; any other argument
// picks the cases that begin with it.

const { build, toolchain } = require('./build');
const { countCases, listCases, profilePath } = require('./callgrind');
const { BOUND, compare, read, write } = require('./baseline');

const RECORD = 'npm run bench:instructions -- --record';
const PERCENT = `${BOUND * 100} %`;

const HEAD =
  `${'per operation'.padEnd(30)}${'instructions: recorded'.padStart(24)}       now    change` +
  `${'allocations: recorded'.padStart(24)}    now`;

/**
 * @param {import('./baseline').Comparison} comparison
 * @returns {string} a line of the table
 */
function line({ name, before, now, verdict }) {
  const cell = (value, width) => String(value ?? '-').padStart(width);
  let change = '';
  if (before !== undefined && now !== undefined) {
    const percent = (now.instructions / before.instructions - 1) * 100;
    change = `${percent < 0 ? '' : '+'}${percent.toFixed(1)} %`;
  }
  return [
    name.padEnd(30),
    cell(before?.instructions, 24),
    cell(now?.instructions, 10),
    cell(change, 10),
    cell(before?.allocations, 24),
    cell(now?.allocations, 7),
    verdict === 'same' ? '' : `  ${verdict}`,
  ].join('');
}

/**
 * Says what is to be done about the cases of one verdict.
 * @param {import('./baseline').Comparison[]} comparisons
 * @param {import('./baseline').Comparison['verdict'][]} verdicts
 * @param {string} advice
 * @returns {boolean} whether there are any
 */
function advise(comparisons, verdicts, advice) {
  const names = comparisons.filter((c) => verdicts.includes(c.verdict)).map((c) => c.name);
  if (names.length > 0) console.log('%s: %s', advice, names.join(', '));
  return names.length > 0;
}

/**
 * @param {string[]} args
 * @returns {Promise<boolean>} whether all is well
 */
async function main(args) {
  const records = args.includes('--record');
  const prefixes = args.filter((arg) => arg !== '--record');
  const isPicked = (name) =>
    prefixes.length === 0 || prefixes.some((prefix) => name.startsWith(prefix));
  const tools = await toolchain();
  const program = await build();
  const cases = (await listCases(program)).filter(({ name }) => isPicked(name));
  if (cases.length === 0) throw new Error(`no case begins with ${prefixes.join(' or ')}`);
  const now = await countCases(program, cases);

  const baseline = read();
  const recorded = Object.entries(baseline?.cases ?? {});
  const before = Object.fromEntries(recorded.filter(([name]) => isPicked(name)));
  const comparisons = compare(before, now);
  console.log('\n%s', HEAD);
  comparisons.forEach((comparison) => console.log(line(comparison)));
  console.log();

  if (records) {
    const others = Object.fromEntries(recorded.filter(([name]) => !isPicked(name)));
    write({ recorded: tools, cases: { ...others, ...now } });
    console.log('Recorded in bench/instructions/baseline.json.');
    return true;
  }
  if (baseline && baseline.recorded.host !== tools.host) {
    const hosts = [baseline.recorded.host, tools.host];
    console.log('note: recorded on %s and not compared on %s', ...hosts);
    return true;
  }
  advise(comparisons, ['better'], `note: over ${PERCENT} better; keep that with \`${RECORD}\``);
  const isWorse = advise(comparisons, ['worse'], `Over ${PERCENT} worse`);
  const isIncomplete = advise(
    comparisons,
    ['unrecorded', 'gone'],
    `The records are of other cases; record them with \`${RECORD}\``,
  );
  if (isWorse) {
    const worse = comparisons.filter(({ verdict }) => verdict === 'worse');
    console.log('Where they are made:');
    for (const { name } of worse) {
      console.log('  callgrind_annotate --inclusive=yes %s', profilePath(program, name));
    }
    console.log('If that is what the change is worth: `%s`', RECORD);
    if (baseline.recorded.rustc !== tools.rustc) {
      const versions = [baseline.recorded.rustc, tools.rustc];
      console.log('Recorded with Rust %s, compared with %s: that may be all.', ...versions);
    }
  }
  return !isWorse && !isIncomplete;
}

main(process.argv.slice(2)).then(
  (isWell) => {
    process.exitCode = isWell ? 0 : 1;
  },
  (err) => {
    console.error('\n%s', err.message);
    process.exitCode = 1;
  },
);
