'use strict';

// The dashboard for Grafana shows what the exporter has, and all of it.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { it } = require('node:test');
const { Registry } = require('prom-client');
const LoopbackSocket = require('../..');
const { collectMetrics } = require('../../prometheus');

const FILE = path.join(__dirname, '..', '..', 'docs', 'grafana-dashboard.json');
const dashboard = JSON.parse(fs.readFileSync(FILE, 'utf8'));

/** The metrics of the exporter: by name, what labels they may have. */
async function exported() {
  const register = new Registry();
  collectMetrics(new LoopbackSocket.Server(), { register });
  const labels = new Map();
  for (const metric of register.getMetricsAsArray()) {
    const { name, type } = await metric.get();
    if (type === 'histogram') {
      labels.set(`${name}_bucket`, [...metric.labelNames, 'le']);
    } else {
      labels.set(name, metric.labelNames);
    }
  }
  return labels;
}

const panels = dashboard.panels.filter(({ type }) => type !== 'row');
const exprs = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));

it('the dashboard has what Grafana needs to import it', () => {
  assert.ok(Number.isInteger(dashboard.schemaVersion) && dashboard.schemaVersion >= 36);
  assert.equal(dashboard.title, 'loopback-socket');
  assert.match(dashboard.uid, /^[\w-]{1,40}$/);
  const ids = dashboard.panels.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  const names = dashboard.templating.list.map(({ name }) => name);
  assert.deepEqual(names, ['datasource', 'job', 'server']);
  for (const { title, datasource, gridPos } of panels) {
    assert.equal(datasource.uid, '${datasource}', title);
    assert.ok(gridPos.x + gridPos.w <= 24, title);
  }
});

it('no two panels of the dashboard overlap', () => {
  const cells = new Set();
  for (const { title, gridPos } of dashboard.panels) {
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        assert.ok(!cells.has(`${x} ${y}`), title);
        cells.add(`${x} ${y}`);
      }
    }
  }
});

it('each expression of the dashboard names a metric of the exporter, and labels that it has', async () => {
  const metrics = await exported();
  const queries = dashboard.templating.list.map(({ definition }) => definition).filter(Boolean);
  for (const expr of [...exprs, ...queries]) {
    const names = expr.match(/loopback_socket_\w+/g);
    assert.ok(names.length > 0, expr);
    for (const name of names) {
      assert.ok(metrics.has(name), `${name} in ${expr}`);
    }
    const grouped = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list]) => list.split(', '));
    const selected = [...expr.matchAll(/(\w+)=~?"/g)].map(([, label]) => label);
    const known = [...names.flatMap((name) => metrics.get(name)), 'job'];
    for (const label of [...grouped, ...selected]) {
      assert.ok(known.includes(label), `${label} in ${expr}`);
    }
    assert.equal(expr.split('(').length, expr.split(')').length, expr);
  }
});

it('every counter of the dashboard is shown as a rate, and no gauge is', () => {
  for (const expr of exprs) {
    for (const [, rate, name] of expr.matchAll(/(rate\()?(loopback_socket_\w+)/g)) {
      assert.equal(rate !== undefined, /_(total|bucket)$/.test(name), expr);
    }
  }
});

it('the dashboard shows every metric of the exporter', async () => {
  const shown = new Set(exprs.flatMap((expr) => expr.match(/loopback_socket_\w+/g)));
  assert.deepEqual(
    [...(await exported()).keys()].filter((name) => !shown.has(name)),
    [],
  );
});
