'use strict';

/**
 * `npx loopback-socket doctor`: whether the package works on this machine, and what to change. It works when
 * the addon does not.
 */

const checks = require('./checks');
const { currentSystem } = require('./system');
const manifest = require('../../package.json');

const USAGE = `Usage: loopback-socket doctor [--json] [--port <port>]

Says whether the addon loads here, which way sockets take, and which limits of the machine apply.

  --json         prints one JSON object
  --port <port>  also checks whether the process can listen there

The exit code is 1 if something does not work, and 2 if the arguments are wrong.
`;

/** The signs of how much is wrong. */
const SIGNS = { ok: '✔', warning: '!', error: '✖' };

/**
 * @param {string[]} args the arguments of the command line
 * @param {{out?: (text: string) => void, err?: (text: string) => void}} [to] what prints
 * @returns {Promise<number>} the exit code
 */
async function main(args, { out = write(process.stdout), err = write(process.stderr) } = {}) {
  const options = optionsOf(args);
  if (options.isHelp) {
    out(USAGE);
    return 0;
  }
  if (options.error !== undefined) {
    err(`${options.error}\n\n${USAGE}`);
    return 2;
  }
  const report = await examine(options);
  out(options.isJson ? `${JSON.stringify(report, undefined, 2)}\n` : textOf(report));
  return report.ok ? 0 : 1;
}

/**
 * @param {object} [options] what to examine
 * @param {number} [options.port] a port
 * @param {import('./system').System} [options.system] another system than this, for tests
 * @returns {Promise<{ok: boolean, version: string, findings: import('./checks').Finding[]}>} what was found
 */
async function examine({ port, system = currentSystem(process.cwd()) } = {}) {
  const { eventLoopDelay, listenOn, probe } = require('./probe');
  const addon = checks.checkAddon(() => require('../native/binding'));
  const findings = [
    checks.checkRuntime(system, manifest),
    addon,
    checks.checkPermission(system),
    checks.checkServers(system),
  ];
  if (addon.status === checks.Status.OK) {
    findings.push(checks.checkPath(system, await probe()));
  }
  findings.push(
    checks.checkDescriptors(system),
    checks.checkCores(system, await eventLoopDelay()),
    checks.checkKernel(system),
  );
  if (port !== undefined) {
    findings.push(checks.checkPort(system, port, await listenOn(port)));
  }
  const ok = findings.every(({ status }) => status !== checks.Status.ERROR);
  return { ok, version: manifest.version, findings };
}

/**
 * @param {string[]} args the arguments of the command line
 * @returns {{isHelp?: boolean, isJson?: boolean, port?: number, error?: string}} what they say
 */
function optionsOf(args) {
  const isHelp = args.some((arg) => arg === '--help' || arg === '-h' || arg === 'help');
  if (isHelp) {
    return { isHelp };
  }
  const [command, ...rest] = args;
  if (command !== 'doctor') {
    return {
      error: command === undefined ? 'A command is missing.' : `Unknown command: ${command}`,
    };
  }
  const options = { isJson: false };
  while (rest.length > 0) {
    const arg = rest.shift();
    if (arg === '--json') {
      options.isJson = true;
    } else if (arg === '--port' || arg.startsWith('--port=')) {
      const given = arg === '--port' ? rest.shift() : arg.slice('--port='.length);
      options.port = Number(given);
      if (!/^\d+$/.test(given ?? '') || options.port > 65535) {
        return { error: 'A port is a whole number from 0 to 65535.' };
      }
    } else {
      return { error: `Unknown option: ${arg}` };
    }
  }
  return options;
}

/**
 * @param {{ok: boolean, version: string, findings: import('./checks').Finding[]}} report what was found
 * @returns {string} the same for people
 */
function textOf({ ok, version, findings }) {
  const width = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.flatMap(({ check, status, found, advice }) => {
    const line = `${SIGNS[status]} ${check.padEnd(width)}  ${found}`;
    return advice === undefined ? [line] : [line, `  ${' '.repeat(width)}  → ${advice}`];
  });
  const warnings = findings.filter(({ status }) => status === checks.Status.WARNING).length;
  const verdict = ok
    ? `It works here${warnings === 0 ? '.' : `; ${warnings} ${warnings === 1 ? 'thing' : 'things'} could be better.`}`
    : 'It does not work here: see ✖ above.';
  return `loopback-socket ${version}\n\n${lines.join('\n')}\n\n${verdict}\n`;
}

/**
 * @param {NodeJS.WriteStream} stream where to
 * @returns {(text: string) => void} what prints there
 */
function write(stream) {
  return (text) => {
    stream.write(text);
  };
}

module.exports = { examine, main };
