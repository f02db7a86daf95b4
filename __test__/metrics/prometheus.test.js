'use strict';

// `loopback-socket/prometheus`: what a registry of prom-client gives to Prometheus.

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const { AggregatorRegistry, Registry, register: defaultRegister } = require('prom-client');
const LoopbackSocket = require('../..');
const { collectMetrics } = require('../../prometheus');
const { newInstance, next, openServer } = require('../support/js-hosts');
const { TIMEOUT, call } = require('../support/native-server');

/** A server of a kind with a method, and a client that has authenticated. */
async function open(t, host) {
  const { io, connect } = await openServer(t, host);
  const sockets = newInstance();
  sockets.defineMethod('double', (socket, credentials, { value }) => value * 2);
  sockets.start(io);
  const client = connect();
  await next(client, 'connect');
  const authenticated = next(client, 'authenticated');
  client.emit('authentication', {});
  await authenticated;
  return { io, sockets, client };
}

/**
 * @param {string} text what Prometheus gets
 * @returns {Map<string, number>} values by name and labels
 */
function parsed(text) {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.replace(/ \S+$/, ''), Number(/\S+$/.exec(line)[0])]));
}

describe('loopback-socket/prometheus', TIMEOUT, () => {
  it('a registry gives the figures of a native server', async (t) => {
    const { io, client } = await open(t, 'native');
    const register = new Registry();
    collectMetrics(io, { register, name: 'main' });
    await call(client, 'double', { value: 1 });
    await call(client, 'double', { value: 1 });
    const values = parsed(await register.metrics());
    const value = (name, labels) => values.get(`loopback_socket_${name}{server="main"${labels}}`);
    assert.equal(value('connections', ',transport="websocket"'), 1);
    assert.equal(value('sockets', ',state="authenticated"'), 1);
    assert.equal(value('authentications_total', ',result="accepted"'), 1);
    assert.equal(value('authentications_total', ',result="timed_out"'), 0);
    const method = ',method="double",kind="method"';
    assert.equal(value('calls_total', `${method},result="succeeded"`), 2);
    assert.equal(value('calls_in_flight', method), 0);
    assert.equal(value('queued_bytes', ''), 0);
    const duration = 'loopback_socket_call_duration_seconds';
    const labels = `server="main"${method}`;
    assert.equal(values.get(`${duration}_count{${labels}}`), 2);
    assert.equal(values.get(`${duration}_bucket{le="+Inf",${labels}}`), 2);
    assert.ok(values.get(`${duration}_sum{${labels}}`) > 0);
    assert.ok(values.get(`${duration}_sum{${labels}}`) < 60);
  });

  it('the buckets of the histogram add up, and their bounds are seconds', async (t) => {
    const { io, client } = await open(t, 'native');
    const register = new Registry();
    collectMetrics(io, { register });
    for (let i = 0; i < 20; i++) await call(client, 'double', { value: i });
    const buckets = [...parsed(await register.metrics())].filter(([name]) => name.includes('le='));
    const bounds = buckets.map(([name]) =>
      Number(/le="([^"]*)"/.exec(name)[1].replace('+Inf', 'Infinity')),
    );
    assert.deepEqual(
      bounds,
      bounds.toSorted((a, b) => a - b),
    );
    assert.equal(bounds[0], 0.0005);
    assert.equal(bounds.at(-1), Infinity);
    const counts = buckets.map(([, count]) => count);
    assert.deepEqual(
      counts,
      counts.toSorted((a, b) => a - b),
    );
    assert.equal(counts.at(-1), 20);
  });

  for (const version of [2, 3, 4]) {
    it(`a LoopbackSocket on socket.io ${version} has the figures that are known there`, async (t) => {
      const { sockets, client } = await open(t, version);
      const register = new Registry();
      collectMetrics(sockets, { register });
      await call(client, 'double', { value: 1 });
      const values = parsed(await register.metrics());
      const value = (name, labels) =>
        values.get(`loopback_socket_${name}{server="default"${labels}}`);
      assert.equal(value('connections', ',transport="websocket"'), 1);
      assert.equal(value('sockets', ',state="authenticated"'), 1);
      const method = ',method="double",kind="method"';
      assert.equal(value('calls_total', `${method},result="succeeded"`), 1);
      assert.equal(value('queued_bytes', ''), undefined);
    });
  }

  it('the label server distinguishes servers, and one can be taken off again', async (t) => {
    const first = await open(t, 'native');
    const second = await open(t, 'native');
    const register = new Registry();
    const stop = collectMetrics(first.io, { register, name: 'first' });
    collectMetrics(second.io, { register, name: 'second' });
    await call(second.client, 'double', { value: 1 });
    const before = await register.metrics();
    assert.match(before, /subscriptions\{server="first"\}/);
    assert.doesNotMatch(before, /calls_total\{server="first"/);
    assert.match(before, /calls_total\{server="second"/);
    stop();
    await new Promise((resolve) => setImmediate(resolve));
    const after = await register.metrics();
    assert.doesNotMatch(after, /server="first"/);
    assert.match(after, /server="second"/);
    collectMetrics(first.io, { register, name: 'first' });
    stop();
    await new Promise((resolve) => setImmediate(resolve));
    assert.match(await register.metrics(), /server="first"/, 'a second call takes nothing off');
  });

  it('a scrape asks each server once, and another scrape asks it again', async () => {
    const real = new LoopbackSocket.Server();
    let asked = 0;
    const server = {
      metrics() {
        asked += 1;
        return real.metrics();
      },
    };
    const register = new Registry();
    collectMetrics(server, { register });
    asked = 0;
    await register.metrics();
    assert.equal(asked, 1);
    await new Promise((resolve) => setImmediate(resolve));
    await register.getMetricsAsJSON();
    assert.equal(asked, 2);
  });

  it('names follow the conventions of Prometheus: units, and _total for counters alone', async () => {
    const register = new Registry();
    collectMetrics(new LoopbackSocket.Server(), { register });
    const metrics = await register.getMetricsAsJSON();
    assert.ok(metrics.length > 10);
    for (const { name, type, help } of metrics) {
      assert.match(name, /^loopback_socket_[a-z]+(_[a-z]+)*$/);
      assert.equal(name.endsWith('_total'), type === 'counter', name);
      assert.equal(name.endsWith('_seconds'), type === 'histogram', name);
      assert.match(help, /^[A-Z].*\.$/, name);
      // What `promtool check metrics` objects to besides: units that are no base units, abbreviated units, suffixes of
      // histograms and summaries, and types in names.
      assert.doesNotMatch(
        name,
        /_(milliseconds|minutes|hours|kilobytes|megabytes|ms|s|sec|secs|kb|mb|b|count|sum|bucket|info)(_total)?$/,
      );
      assert.doesNotMatch(name, /_(counter|gauge|histogram|summary)(_|$)/);
    }
  });

  it('a registry of OpenMetrics and one that is joined with those of workers have the figures', async (t) => {
    const { io, client } = await open(t, 'native');
    const register = new Registry(Registry.OPENMETRICS_CONTENT_TYPE);
    collectMetrics(io, { register });
    await call(client, 'double', { value: 1 });
    const text = await register.metrics();
    assert.match(text, /^loopback_socket_calls_total\{.*result="succeeded"\} 1$/m);
    assert.match(text, /# EOF\n$/);
    const worker = new Registry();
    collectMetrics(io, { register: worker });
    const one = await worker.getMetricsAsJSON();
    const both = await AggregatorRegistry.aggregate([one, one]).metrics();
    assert.match(both, /_duration_seconds_count\{.*\} 2$/m);
    assert.match(both, /_duration_seconds_bucket\{le="\+Inf",.*\} 2$/m);
  });

  it('a registry that was cleared can be used again', async () => {
    const register = new Registry();
    collectMetrics(new LoopbackSocket.Server(), { register });
    register.clear();
    collectMetrics(new LoopbackSocket.Server(), { register });
    assert.match(await register.metrics(), /loopback_socket_connections\{/);
  });

  it("without a registry, prom-client's default one is used", async (t) => {
    t.after(() => defaultRegister.clear());
    collectMetrics(new LoopbackSocket.Server());
    assert.match(await defaultRegister.metrics(), /loopback_socket_connections\{/);
  });

  it('impossible arguments throw at the call', () => {
    const register = new Registry();
    const io = new LoopbackSocket.Server();
    const code = (code) => ({ code: `ERR_LOOPBACK_SOCKET_${code}` });
    const invalid = [
      [() => collectMetrics(undefined), code('INVALID_OPTION')],
      [() => collectMetrics({}), code('INVALID_OPTION')],
      [() => collectMetrics(io, { register: {} }), code('INVALID_OPTION')],
      [() => collectMetrics(io, { register, name: '' }), code('INVALID_OPTION')],
      [() => collectMetrics(io, { register, prefix: 'x' }), code('UNKNOWN_OPTION')],
    ];
    for (const [act, error] of invalid) assert.throws(act, error);
    collectMetrics(io, { register });
    assert.throws(() => collectMetrics(io, { register }), code('INVALID_OPTION'));
  });
});
