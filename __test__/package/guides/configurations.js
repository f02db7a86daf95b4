'use strict';

/** Configurations: nginx and HAProxy read theirs, Prometheus' names what there is, Python runs. */

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { it } = require('node:test');
const { Registry } = require('prom-client');
const YAML = require('yaml');
const LoopbackSocket = require('../../..');
const { collectMetrics } = require('../../../prometheus');
const { freePort } = require('../../support/free-port');
const { ROOT } = require('../../support/installation');

/**
 * @param {string} command
 * @param {string[]} args
 * @param {object} [options]
 */
function run(command, args, options) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    ...options,
  });
  assert.equal(status, 0, error?.message ?? `${stdout}${stderr}`);
  return stdout;
}

/**
 * @param {import('node:test').TestContext} t whose end removes it
 * @param {(folder: string) => string} textIn what is in the file
 * @returns {string} a file in a folder of its own
 */
function fileWith(t, textIn) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'loopback-socket-configuration-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'file');
  fs.writeFileSync(file, textIn(folder));
  return file;
}

/**
 * The page shows a part of a file that tests run.
 *
 * @param {string} text of the page
 * @param {string} file in examples/proxies
 */
function isPartOf(text, file) {
  const lines = fs
    .readFileSync(path.join(ROOT, 'examples', 'proxies', file), 'utf8')
    .split('\n')
    .map((line) => line.trim());
  for (const line of text.split('\n').map((shown) => shown.trim())) {
    if (line.startsWith('#')) continue;
    assert.ok(lines.includes(line), `examples/proxies/${file} does not have the line: ${line}`);
  }
}

/** Declares the tests. */
module.exports = function declare(take) {
  const ofLanguage = (name) => take(({ language }) => language === name);
  const [nginx] = ofLanguage('nginx');
  const [haproxy] = ofLanguage('haproxy');
  const [python] = ofLanguage('python');
  const settings = ofLanguage('json');
  const alerts = take(({ language, text }) => language === 'yaml' && /^groups:/m.test(text));

  it('nginx accepts what docs/scaling.md shows of its configuration', async (t) => {
    const { text } = nginx;
    isPartOf(text, 'nginx-cookie.conf');
    const port = await freePort();
    const servers = text.replace('server {\n', `server {\n listen 127.0.0.1:${port};\n`);
    const file = fileWith(
      t,
      (folder) =>
        `pid ${folder}/pid; error_log stderr; events {} http { access_log off; ${servers} }`,
    );
    run('nginx', ['-t', '-q', '-c', file]);
  });

  it('HAProxy accepts what docs/scaling.md shows of its configuration', async (t) => {
    const { text } = haproxy;
    isPartOf(text, 'haproxy-cookie.cfg');
    const front = `frontend clients\n bind 127.0.0.1:${await freePort()}\n default_backend nodes`;
    const times = 'timeout connect 5s\n timeout client 60s\n timeout server 60s';
    const file = fileWith(t, () => `defaults\n mode http\n ${times}\n${front}\n${text}`);
    run('haproxy', ['-c', '-q', '-f', file]);
  });

  it('the alerts of docs/metrics.md name metrics and labels that the exporter has', async () => {
    const register = new Registry();
    collectMetrics(new LoopbackSocket.Server(), { register });
    const labels = new Map();
    for (const metric of register.getMetricsAsArray()) labels.set(metric.name, metric.labelNames);
    for (const { text } of alerts) {
      const rules = YAML.parse(text).groups.flatMap((group) => {
        assert.deepEqual(Object.keys(group), ['name', 'rules']);
        return group.rules;
      });
      assert.ok(rules.length > 0);
      for (const rule of rules) {
        assert.deepEqual(Object.keys(rule), ['alert', 'expr', 'for']);
        assert.match(rule.for, /^\d+[smh]$/);
        for (const [, name, selected] of rule.expr.matchAll(
          /(loopback_socket_\w+)(?:\{(\w+)=)?/g,
        )) {
          assert.ok(labels.has(name), name);
          if (selected !== undefined) assert.ok(labels.get(name).includes(selected), selected);
        }
        assert.equal(rule.expr.split('(').length, rule.expr.split(')').length, rule.expr);
      }
    }
  });

  it('the settings in JSON of the documentation are an object', () => {
    for (const { text } of settings) {
      assert.equal(typeof JSON.parse(text), 'object');
    }
  });

  it('the handler in Python of docs/subscriptions.md keeps the id of an item', () => {
    const { text } = python;
    const program = `
handlers = {}
class sio:
    def on(name):
        return lambda handler: handlers.setdefault(name, handler)
shown = []
show = shown.append
${text}
handlers['scores']({'goals': 1}, {'id': 'x-1'})
print(shown, last)
`;
    assert.equal(run('python3', ['-'], { input: program }).trim(), "[{'goals': 1}] x-1");
  });
};
