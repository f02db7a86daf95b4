'use strict';

// CPU time, wake-ups and memory of a process, and the segments that TCP sent, from /proc.

const fs = require('node:fs');

/**
 * What a process had used at an instant.
 * @typedef {object} Sample
 * @property {number} cpu - seconds of all its threads
 * @property {number} main - seconds of its main thread
 * @property {number} switches - how often one of its threads waited for something
 * @property {number} rss - resident bytes
 * @property {number} segments - that TCP sent on this machine
 */

/**
 * A number behind a name.
 * @param {string} text
 * @param {RegExp} pattern - with one group
 * @returns {number}
 */
const numberIn = (text, pattern) => Number(pattern.exec(text)?.[1] ?? 0);

/** @returns {number} segments that TCP sent on this machine */
function segments() {
  const [heads, values] = fs
    .readFileSync('/proc/net/snmp', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('Tcp:'))
    .map((line) => line.split(' '));
  return Number(values[heads.indexOf('OutSegs')]);
}

/**
 * @param {number} pid
 * @returns {Sample}
 */
function sample(pid) {
  const folder = `/proc/${pid}`;
  const [cpu, switches] = fs.readdirSync(`${folder}/task`).reduce(
    ([ns, count], task) => {
      try {
        const read = (file) => fs.readFileSync(`${folder}/task/${task}/${file}`, 'utf8');
        const waits = numberIn(read('status'), /^voluntary_ctxt_switches:\s+(\d+)/m);
        return [ns + parseInt(read('schedstat'), 10), count + waits];
      } catch (err) {
        return [ns, count]; // it ended meanwhile
      }
    },
    [0, 0],
  );
  return {
    cpu: cpu / 1e9,
    main: parseInt(fs.readFileSync(`${folder}/task/${pid}/schedstat`, 'utf8'), 10) / 1e9,
    switches,
    rss: numberIn(fs.readFileSync(`${folder}/status`, 'utf8'), /^VmRSS:\s+(\d+)/m) * 1024,
    segments: segments(),
  };
}

/**
 * What a server used between two samples, as the other generator reports it.
 * @param {Sample | undefined} before
 * @param {Sample | undefined} after
 * @param {number} count - of what is counted
 * @returns {object}
 */
function cost(before, after, count) {
  if (!before || !after) return {};
  const perThousand = (seconds) => (count > 0 ? (seconds * 1e6) / count : null);
  const [cpu, main] = [after.cpu - before.cpu, after.main - before.main];
  return {
    server: {
      cpu_s: cpu,
      main_thread_cpu_s: main,
      switches: after.switches - before.switches,
      rss_before_bytes: before.rss,
      rss_bytes: after.rss,
    },
    server_cpu_ms_per_1000: perThousand(cpu),
    main_thread_ms_per_1000: perThousand(main),
    segments: after.segments - before.segments,
  };
}

module.exports = { cost, sample };
