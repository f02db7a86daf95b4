'use strict';

/**
 * The nginx and the HAProxy that are installed, with the configurations of `examples/proxies/`: only addresses and
 * ports are put in their place.
 */

const fs = require('node:fs');
const path = require('node:path');
const { Program, freePort, temporaryDirectory, which } = require('../services/program');

const EXAMPLES = path.join(__dirname, '..', '..', '..', 'examples', 'proxies');

/** What stands around a configuration of the examples when nginx runs for a test, as its distribution has it. */
const NGINX = `
daemon off;
master_process off;
pid nginx.pid;
error_log stderr notice;
events {}
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  include example.conf;
}
`;

/** Where the administrators' programs are, which is not on everybody's path. */
const SBIN = '/usr/sbin';

/**
 * @param {string} name a program
 * @returns {string | undefined} its path, if it is installed
 */
function programOf(name) {
  const file = path.join(SBIN, name);
  return which(name) ?? (fs.existsSync(file) ? file : undefined);
}

/**
 * @param {string} example a file of `examples/proxies/`
 * @returns {string} the program it is for
 */
const proxyOf = (example) => example.split('-')[0];

/**
 * @param {string} example a file of `examples/proxies/`
 * @returns {boolean} whether its program is installed
 */
function isInstalled(example) {
  return programOf(proxyOf(example)) !== undefined;
}

/**
 * @param {string} example a file of `examples/proxies/`
 * @param {number} port where the proxy listens
 * @param {number[]} nodes the ports of the nodes
 * @returns {string} the file with these
 */
function configured(example, port, nodes) {
  const text = fs.readFileSync(path.join(EXAMPLES, example), 'utf8');
  return text
    .replace(/^(\s*)(listen |bind :)80\b/m, (line, space, word) =>
      word === 'bind :' ? `${space}bind 127.0.0.1:${port}` : `${space}listen 127.0.0.1:${port}`,
    )
    .replace(/127\.0\.0\.1:300(\d)/g, (address, number) => `127.0.0.1:${nodes[number - 1]}`);
}

/**
 * Starts a proxy.
 *
 * @param {string} example a file of `examples/proxies/`
 * @param {number[]} nodes the ports of three nodes
 * @param {(text: string) => string} [change] what to change in the file
 * @returns {Promise<{port: number, stop: () => Promise<void>}>} where clients connect to
 */
async function startProxy(example, nodes, change = (text) => text) {
  const name = proxyOf(example);
  const port = await freePort();
  const directory = temporaryDirectory(name);
  const file = path.join(directory, name === 'nginx' ? 'example.conf' : 'haproxy.cfg');
  fs.writeFileSync(file, change(configured(example, port, nodes)));
  fs.writeFileSync(path.join(directory, 'nginx.conf'), NGINX);
  const program = new Program({
    command: programOf(name),
    args:
      name === 'nginx'
        ? ['-p', directory, '-c', 'nginx.conf', '-e', 'stderr']
        : ['-W', '-db', '-f', file],
    ready: name === 'nginx' ? /event method/ : /New worker .* forked|Loading success/,
    directory,
  });
  await program.start();
  return { port, stop: () => program.stop() };
}

module.exports = { isInstalled, startProxy };
