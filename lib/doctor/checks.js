'use strict';

/**
 * What the doctor looks at, and what to do about it: one function for each check.
 */

const { addonFailure, currentSystem, describeSystem } = require('../native/addon-failure');

/** How much is wrong. */
const Status = Object.freeze({ OK: 'ok', WARNING: 'warning', ERROR: 'error' });

/** Descriptors that a process has besides those of clients, with some to spare. */
const RESERVED = 100;

/** Below this, a server for many clients meets the limit of descriptors first. */
const FEW_DESCRIPTORS = 10_000;

/** How many connections Node has the system queue for a server that does not say how many. */
const BACKLOG = 511;

/** The load for each core from which on processes wait for long. */
const MAX_LOAD = 2;

/** How long the event loop may be late, in ms, on a machine that is not overloaded. */
const LATE = 50;

/**
 * @typedef {object} Finding
 * @property {string} check what was looked at: a word that stays the same
 * @property {'ok' | 'warning' | 'error'} status how much is wrong
 * @property {string} found what there is
 * @property {string} [advice] what to change
 * @property {Record<string, unknown>} [details] the same for programs
 */

/**
 * @param {import('./system').System} system the system
 * @param {{engines: {node: string}}} manifest that of this package
 * @returns {Finding} the version of the runtime
 */
function checkRuntime({ versions }, { engines }) {
  const { node, bun, deno } = versions;
  const details = { node, bun, deno };
  if (bun !== undefined || deno !== undefined) {
    const name = bun === undefined ? `Deno ${deno}` : `Bun ${bun}`;
    return {
      check: 'runtime',
      status: Status.OK,
      found: `${name}, as Node ${node}`,
      details,
    };
  }
  const [, least] = /(\d+)/.exec(engines.node);
  if (Number.parseInt(node, 10) < Number(least)) {
    return {
      check: 'runtime',
      status: Status.ERROR,
      found: `Node ${node}`,
      advice: `Run Node ${least} or later.`,
      details,
    };
  }
  return { check: 'runtime', status: Status.OK, found: `Node ${node}`, details };
}

/**
 * @param {() => unknown} load loads the addon, or throws
 * @returns {Finding} whether the binary loads here
 */
function checkAddon(load) {
  const platform = describeSystem(currentSystem());
  try {
    load();
    const found = `The binary for ${platform} loads.`;
    return { check: 'addon', status: Status.OK, found, details: { platform } };
  } catch (cause) {
    const error = cause?.code?.startsWith?.('ERR_LOOPBACK_SOCKET_') ? cause : addonFailure(cause);
    const { code, message } = error;
    return {
      check: 'addon',
      status: Status.ERROR,
      // It says what to do, too.
      found: message,
      details: { platform, code },
    };
  }
}

/**
 * @param {import('./system').System} system the system
 * @returns {Finding} what Node's permission model allows
 */
function checkPermission({ flags, hasPermissionModel }) {
  const isAllowed = flags.includes('--allow-addons');
  if (!hasPermissionModel) {
    const found = 'Node runs without --permission.';
    return { check: 'permission', status: Status.OK, found, details: { enabled: false } };
  }
  return {
    check: 'permission',
    status: isAllowed ? Status.OK : Status.ERROR,
    found: `Node runs with --permission, ${isAllowed ? 'and' : 'without'} --allow-addons.`,
    ...(isAllowed ? {} : { advice: 'Start Node with --allow-addons, too.' }),
    details: { enabled: true, allowsAddons: isAllowed },
  };
}

/**
 * @param {import('./system').System} system the system
 * @returns {Finding} which servers the application can use
 */
function checkServers({ versionOf }) {
  const version = versionOf('socket.io');
  const details = { 'socket.io': version };
  if (version === undefined) {
    return {
      check: 'servers',
      status: Status.OK,
      found:
        'npm socket.io is not installed: start() takes LoopbackSocket.Server, an http.Server or a port.',
      details,
    };
  }
  const major = Number.parseInt(version, 10);
  const isKnown = major >= 2 && major <= 4;
  return {
    check: 'servers',
    status: isKnown ? Status.OK : Status.WARNING,
    found: `npm socket.io ${version} is installed: start() takes its servers and LoopbackSocket.Server.`,
    ...(isKnown ? {} : { advice: 'Install version 2, 3 or 4, or use LoopbackSocket.Server.' }),
    details,
  };
}

/**
 * @param {import('./system').System} system the system
 * @param {import('./probe').Probed} probed what a client met at a native server
 * @returns {Finding} which way the sockets of a native server take
 */
function checkPath({ platform, versions }, probed) {
  const { error, isTaken, servedBy } = probed;
  if (error !== undefined) {
    return {
      check: 'path',
      status: Status.ERROR,
      found: `A client could not connect to a native server on 127.0.0.1: ${error}`,
      advice:
        'Let the process listen and connect on the loopback interface; newer versions of Node need --allow-net ' +
        'for that if they are started with --permission.',
      details: probed,
    };
  }
  const canPoll = platform === 'linux' && versions.bun === undefined;
  const polled = canPoll
    ? "Node's event loop polls them under light load, an I/O thread otherwise."
    : 'An I/O thread polls them.';
  const requests =
    servedBy === 'rust'
      ? 'Requests are served by the front in Rust, unless the app looks at them (allowRequest, io.engine.use(), ' +
        "listeners for headers), or an https.Server or another framework's server is in front."
      : "Requests are served by Node's http.Server.";
  const found = isTaken
    ? `Native: Rust reads and writes WebSockets itself. ${polled} ${requests}`
    : "Native: the bytes of WebSockets pass through Node's sockets, as there is no descriptor to take over.";
  return { check: 'path', status: Status.OK, found, details: probed };
}

/**
 * @param {import('./system').System} system the system
 * @returns {Finding} how many descriptors the process may have
 */
function checkDescriptors({ openFiles, read }) {
  const total = numberIn(read('/proc/sys/fs/file-max'));
  const details = { limit: openFiles, systemLimit: total };
  if (openFiles === undefined) {
    const found = 'The system says no limit.';
    return { check: 'descriptors', status: Status.OK, found, details };
  }
  if (openFiles === 'unlimited') {
    const found = 'The process may have any number.';
    return { check: 'descriptors', status: Status.OK, found, details };
  }
  const clients = Math.max(0, openFiles - RESERVED);
  const isFew = openFiles < FEW_DESCRIPTORS;
  return {
    check: 'descriptors',
    status: isFew ? Status.WARNING : Status.OK,
    found: `The process may have ${openFiles}: about ${clients} clients at a time, as each has one.`,
    ...(isFew && {
      advice:
        'For more clients raise the limit: LimitNOFILE= of systemd, --ulimit nofile= of Docker, ' +
        'or nofile in /etc/security/limits.conf.',
    }),
    details: { ...details, clients },
  };
}

/**
 * @param {import('./system').System} system the system
 * @param {number} delay how late the event loop was, in ms
 * @returns {Finding} whether there is enough processing power
 */
function checkCores({ cores, load, read }, delay) {
  const quota = quotaIn(read('/sys/fs/cgroup/cpu.max'));
  const available = Math.min(cores, quota ?? Infinity);
  const details = { cores, quota, load, eventLoopDelay: delay };
  const found = `The process may use ${number(available)}; the load is ${number(load)}, and the event loop was ${number(delay)} ms late at most.`;
  if (delay > LATE || load > available * MAX_LOAD) {
    return {
      check: 'cores',
      status: Status.WARNING,
      found,
      advice:
        'Other processes keep the machine busy. Measure nothing now, and give the app more of it.',
      details,
    };
  }
  if (available < 2) {
    return {
      check: 'cores',
      status: Status.WARNING,
      found,
      advice:
        'A native server uses a second core for its I/O thread when it is busy. Give the process two.',
      details,
    };
  }
  return { check: 'cores', status: Status.OK, found, details };
}

/**
 * @param {import('./system').System} system the system
 * @returns {Finding} what the kernel allows
 */
function checkKernel({ platform, read }) {
  const somaxconn = numberIn(read('/proc/sys/net/core/somaxconn'));
  const range = read('/proc/sys/net/ipv4/ip_local_port_range')?.split(/\s+/).map(Number);
  const outgoing = range?.length === 2 ? range[1] - range[0] + 1 : undefined;
  const details = { somaxconn, backlog: BACKLOG, outgoingPorts: outgoing };
  if (somaxconn === undefined) {
    const found = `Its limits are not known on ${platform}.`;
    return { check: 'kernel', status: Status.OK, found, details };
  }
  const queued = Math.min(somaxconn, BACKLOG);
  const proxy =
    outgoing === undefined
      ? ''
      : ` A proxy on this machine can have ${outgoing} connections to one address and port.`;
  const found = `${queued} connections may wait to be accepted (somaxconn ${somaxconn}, Node asks for ${BACKLOG}).${proxy}`;
  if (somaxconn < BACKLOG) {
    return {
      check: 'kernel',
      status: Status.WARNING,
      found,
      advice:
        'When all clients reconnect at once, some wait for seconds. Set net.core.somaxconn to 4096, and give ' +
        'listen() a backlog.',
      details,
    };
  }
  return { check: 'kernel', status: Status.OK, found, details };
}

/**
 * @param {import('./system').System} system the system
 * @param {number} port a port
 * @param {NodeJS.ErrnoException} [error] why the process cannot listen there
 * @returns {Finding} whether it can
 */
function checkPort({ read }, port, error) {
  const details = { port, code: error?.code };
  if (error === undefined) {
    const found = `${port} is free.`;
    return { check: 'port', status: Status.OK, found, details };
  }
  const first = numberIn(read('/proc/sys/net/ipv4/ip_unprivileged_port_start')) ?? 1024;
  const advice =
    {
      ERR_ACCESS_DENIED: 'Start Node with --allow-net, too.',
      EADDRINUSE: 'Another process listens there. End it, or choose another port.',
      EACCES: `Ports below ${first} are not for every user. Choose another one behind a proxy, or grant CAP_NET_BIND_SERVICE.`,
    }[error.code] ?? 'Choose another port.';
  return { check: 'port', status: Status.ERROR, found: error.message, advice, details };
}

/**
 * @param {string | undefined} text a file of the kernel
 * @returns {number | undefined} the number in it
 */
function numberIn(text) {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/**
 * @param {string | undefined} text `cpu.max` of a control group: `max 100000` or `150000 100000`
 * @returns {number | undefined} how many cores it allows
 */
function quotaIn(text) {
  const [, quota, period] = /^(\d+) (\d+)$/.exec(text ?? '') ?? [];
  return quota === undefined ? undefined : Number(quota) / Number(period);
}

/**
 * @param {number} value a number
 * @returns {string} with two digits behind the point at most
 */
function number(value) {
  return String(Math.round(value * 100) / 100);
}

module.exports = {
  Status,
  checkAddon,
  checkCores,
  checkDescriptors,
  checkKernel,
  checkPath,
  checkPermission,
  checkPort,
  checkRuntime,
  checkServers,
};
