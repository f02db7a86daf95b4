'use strict';

// The charts of the report as SVG. They are drawn by ECharts, which needs no browser for it.

const echarts = require('echarts');
const { GROWTH, GROWTH_SERVERS } = require('../growth');
const { spreadOf } = require('../lib/compare');
const { measuredBy } = require('../lib/results');
const { METRICS } = require('../metrics');
const { SERVERS } = require('../servers');

const WIDTH = 920;
const HEIGHT = 400;
const INK = '#333a45';
const FAINT = '#e3e6ea';
const FONT = 'Helvetica, Arial, sans-serif';

/** How bars stand. */
const BARS = { barGap: '12%', barCategoryGap: '24%', barMaxWidth: 96 };

/** Nothing is below that on a logarithmic scale. */
const LEAST = 0.001;

/** From the top: title, subtitle, the names of the axes; from the bottom: the legend. */
const FRAME = { top: 84, bottom: 76, left: 76, right: 36, between: 92 };

/**
 * @typedef {object} Bar
 * @property {string} label - what is below a group of bars
 * @property {string} name - of the case
 * @property {string} metric
 */

/**
 * @typedef {object} BarChart
 * @property {string} file - without its ending
 * @property {string} group - of `cases.js`, the part of the report that shows it
 * @property {string} title
 * @property {string} [generator] - whose figures; those of the one in Rust by default
 * @property {boolean} [log] - whether the scale is logarithmic
 * @property {Bar[]} bars
 */

/**
 * Bars of one figure of several cases.
 * @param {string} metric
 * @param {Record<string, string>} labels - by case
 * @returns {Bar[]}
 */
const each = (metric, labels) =>
  Object.entries(labels).map(([name, label]) => ({ label, name, metric }));

/**
 * Bars of several figures of one case.
 * @param {string} name - of the case
 * @param {Record<string, string>} labels - by metric
 * @returns {Bar[]}
 */
const all = (name, labels) =>
  Object.entries(labels).map(([metric, label]) => ({ label, name, metric }));

const LOOPS = {
  'calls-50x8': '50 × 8',
  'calls-50x1': '50 × 1',
  'calls-50x8-1k': '50 × 8, 1 KiB',
  'calls-500x1': '500 × 1',
  'calls-8x1': '8 × 1',
  'calls-4x1': '4 × 1',
  'calls-1x1': '1 × 1',
};
const KINDS = {
  'together-50x8': 'sent\ntogether',
  'calls-async': 'async\nhandler',
  'calls-callback': 'callback\nhandler',
  'calls-eio3': 'Engine.IO 3\nclients',
  'calls-polling': 'long\npolling',
  'calls-binary': '1 KiB of\nbinary',
  'calls-64k': '50 × 1,\n64 KiB',
};
const PERCENTILES = { p50: 'median', p99: '99th percentile', p999: '99.9th percentile' };

/** @type {BarChart[]} */
const BAR_CHARTS = [
  { file: 'calls', group: 'calls', title: 'Calls per second', bars: each('calls', LOOPS) },
  {
    file: 'calls-node',
    group: 'calls',
    generator: 'node',
    title: 'Calls per second, by the generator in Node',
    bars: each('calls', LOOPS),
  },
  { file: 'calls-cpu', group: 'calls', title: 'CPU time per call', bars: each('cpu', LOOPS) },
  {
    file: 'calls-main',
    group: 'calls',
    title: 'Event loop time per call',
    bars: each('main', LOOPS),
  },
  {
    file: 'kinds',
    group: 'kinds',
    title: 'Calls per second, call variants',
    bars: each('calls', KINDS),
  },
  {
    file: 'paced-latency',
    group: 'paced',
    title: 'Latency at 90 % of what the better original sustains',
    log: true,
    bars: all('paced-90', PERCENTILES),
  },
  {
    file: 'paced-2000-latency',
    group: 'paced',
    title: 'Latency at 2,000 calls/s over 100 connections',
    log: true,
    bars: all('paced-2000', PERCENTILES),
  },
  {
    file: 'loop-delay',
    group: 'paced',
    title: 'Event loop delay of the app at half of what the better original sustains',
    log: true,
    bars: all('loop-delay', { loop99: '99th percentile', loopMax: 'longest' }),
  },
  {
    file: 'broadcast-burst',
    group: 'broadcasts',
    title: 'Events delivered per second, 100 broadcasts at once to 1,000 connections',
    bars: all('burst', { deliveries: '' }),
  },
  {
    file: 'broadcast-cpu',
    group: 'broadcasts',
    title: 'CPU time per event delivered',
    bars: each('deliveryCpu', { burst: '100 broadcasts at once', spaced: 'one every 20 ms' }),
  },
  {
    file: 'visits',
    group: 'visits',
    title: 'Visits per second: connect, authenticate, call, leave',
    bars: each('visits', { 'visits-default': 'default clients', churn: 'over websocket' }),
  },
  {
    file: 'storms',
    group: 'storms',
    title: 'Time to the last answer when 2,000 clients connect at once',
    bars: each('lastAnswer', { storm: 'over websocket', 'storm-default': 'default clients' }),
  },
  {
    file: 'memory',
    group: 'memory',
    title: 'Memory per idle connection',
    bars: each('memory', {
      'idle-5000': '5,000 connections',
      'idle-20000': 'up to 20,000 connections',
    }),
  },
];

/**
 * @param {number} value
 * @returns {string} such as `200,000` or `0.05`
 */
const tick = (value) => value.toLocaleString('en', { maximumFractionDigits: 6 });

/**
 * What all charts have.
 * @param {string} title
 * @returns {object}
 */
function base(title) {
  return {
    animation: false,
    backgroundColor: '#ffffff',
    textStyle: { fontFamily: FONT, color: INK },
    title: {
      text: title,
      subtext: 'median of the rounds; the thin line goes from the least to the greatest',
      left: 16,
      top: 10,
      itemGap: 6,
      textStyle: { fontFamily: FONT, fontSize: 17, fontWeight: 'bold', color: INK },
      subtextStyle: { fontFamily: FONT, fontSize: 12, color: '#6b7280' },
    },
    legend: {
      bottom: 10,
      itemGap: 32,
      itemWidth: 14,
      itemHeight: 12,
      textStyle: { fontSize: 13, color: INK },
    },
  };
}

/**
 * An axis of values.
 * @param {string} name - what it shows, with its unit
 * @param {boolean} [log]
 * @returns {object}
 */
function valueAxis(name, log = false) {
  return {
    type: log ? 'log' : 'value',
    name,
    nameTextStyle: { fontSize: 12, color: INK, align: 'left' },
    nameLocation: 'end',
    axisLabel: { fontSize: 12, color: INK, formatter: tick },
    axisLine: { show: false },
    splitLine: { lineStyle: { color: FAINT } },
  };
}

/**
 * Where a logarithmic scale begins, and bars on it: at the power of ten below all values.
 * @param {number[]} values
 * @returns {{ min: number, startValue: number }}
 */
function bottomOf(values) {
  const min = 10 ** Math.floor(Math.log10(0.999 * Math.min(...values)));
  return { min, startValue: min };
}

/**
 * A vertical line with two ends, as ECharts wants it of a custom series.
 * @param {number} x - in pixels
 * @param {number} low - in pixels
 * @param {number} high - in pixels
 * @returns {object}
 */
function whisker(x, low, high) {
  const line = (x1, y1, x2, y2) => ({
    type: 'line',
    shape: { x1, y1, x2, y2 },
    style: { stroke: INK, lineWidth: 1.2 },
  });
  return {
    type: 'group',
    children: [line(x, low, x, high), line(x - 3, low, x + 3, low), line(x - 3, high, x + 3, high)],
  };
}

/**
 * @param {object} option - of ECharts
 * @returns {string} SVG
 */
function draw(option) {
  const size = { width: WIDTH, height: HEIGHT };
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, ...size });
  try {
    chart.setOption(option);
    return `${chart.renderToSVGString()}\n`;
  } finally {
    chart.dispose();
  }
}

/**
 * Groups of bars, one bar for each server.
 * @param {BarChart} chart
 * @param {Record<string, import('../lib/compare').CaseResult>} cases - of a result
 * @returns {string | undefined} SVG; undefined if nothing of it was measured
 */
function drawBars({ title, log, bars }, cases) {
  const shown = bars.filter(({ name }) => cases[name]);
  if (shown.length === 0) return undefined;
  const servers = Object.keys(SERVERS).filter((server) =>
    shown.some(({ name, metric }) => spreadOf(cases[name], metric, server)),
  );
  const fit = (value) => (log ? Math.max(LEAST, value) : value);
  const spreads = servers.map((server) =>
    shown.map(({ name, metric }) => spreadOf(cases[name], metric, server)),
  );
  const series = servers.flatMap((server, i) => {
    const { title: name, color } = SERVERS[server];
    const medians = spreads[i].map((spread) => (spread ? fit(spread.median) : null));
    const ends = spreads[i].flatMap((spread, x) =>
      spread ? [[x, fit(spread.min), fit(spread.max)]] : [],
    );
    const renderItem = (params, api) => {
      const layout = api.barLayout({ count: servers.length, ...BARS });
      const at = (value) => api.coord([api.value(0), api.value(value)]);
      return whisker(at(1)[0] + layout[i].offsetCenter, at(1)[1], at(2)[1]);
    };
    const both = { name, color, silent: true };
    return [
      { type: 'bar', ...both, ...BARS, data: medians },
      { type: 'custom', ...both, data: ends, renderItem, encode: { y: [1, 2] }, z: 5 },
    ];
  });
  return draw({
    ...base(title),
    grid: { left: FRAME.left, right: FRAME.right, top: FRAME.top + 12, bottom: FRAME.bottom },
    xAxis: {
      type: 'category',
      data: shown.map(({ label }) => label),
      axisTick: { show: false },
      axisLabel: { fontSize: 12, color: INK, interval: 0 },
    },
    yAxis: {
      ...valueAxis(METRICS[shown[0].metric].unit, log),
      ...(log && bottomOf(spreads.flat().map((spread) => fit(spread?.min ?? Infinity)))),
    },
    series,
  });
}

/**
 * Lines of growth, a panel for each figure and a line for each server.
 * @param {import('../growth').Series} growth
 * @param {import('../lib/compare').CaseResult[]} points - of a result
 * @returns {string} SVG
 */
function drawLines({ title, axis, metrics, log = [] }, points) {
  const room = WIDTH - FRAME.left - FRAME.right - FRAME.between * (metrics.length - 1);
  const width = room / metrics.length;
  const panels = metrics.map((metric, i) => ({
    metric,
    left: FRAME.left + i * (width + FRAME.between),
  }));
  const series = panels.flatMap(({ metric }, i) =>
    GROWTH_SERVERS.flatMap((server) => {
      const { title: name, color } = SERVERS[server];
      const known = points.flatMap((point) => {
        const spread = spreadOf(point, metric, server);
        return spread ? [[point.x, spread.median, spread.min, spread.max]] : [];
      });
      const renderItem = (params, api) => {
        const at = (value) => api.coord([api.value(0), api.value(value)]);
        return whisker(at(1)[0], at(2)[1], at(3)[1]);
      };
      const place = { name, color, silent: true, xAxisIndex: i, yAxisIndex: i };
      const line = { symbol: 'circle', symbolSize: 7, lineStyle: { width: 2.5 } };
      return [
        { type: 'line', ...place, ...line, data: known.map(([x, median]) => [x, median]) },
        { type: 'custom', ...place, data: known, renderItem, encode: { x: 0, y: [1, 2, 3] }, z: 1 },
      ];
    }),
  );
  return draw({
    ...base(title),
    grid: panels.map(({ left }) => ({
      left,
      width,
      top: FRAME.top + 12,
      bottom: FRAME.bottom + 24,
    })),
    xAxis: panels.map((_, i) => ({
      ...valueAxis(axis, true),
      gridIndex: i,
      nameLocation: 'middle',
      nameGap: 28,
      nameTextStyle: { fontSize: 12, color: INK, align: 'center' },
      splitLine: { show: false },
    })),
    yAxis: panels.map(({ metric }, i) => {
      const { title: what, unit } = METRICS[metric];
      return { ...valueAxis(`${what.split(',')[0]}, ${unit}`, log.includes(metric)), gridIndex: i };
    }),
    series,
  });
}

/**
 * Bars of what a client beside a flood sees.
 * @param {import('../lib/compare').CaseResult[]} points - of a result
 * @returns {string} SVG
 */
function drawFlood([point]) {
  const bars = all('flood', { idle99: 'before the flood', flooded99: 'in the flood' });
  const title = 'Latency of another client during a flood, 99th percentile';
  return drawBars({ title, log: true, bars }, { flood: point });
}

/**
 * The charts of the cases.
 * @param {import('../lib/results').Result['cases']} cases
 * @returns {{ file: string, group: string, title: string, svg: string }[]}
 */
function caseCharts(cases) {
  return BAR_CHARTS.flatMap((chart) => {
    const svg = drawBars(chart, measuredBy(cases, chart.generator ?? 'rust'));
    return svg ? [{ file: `${chart.file}.svg`, group: chart.group, title: chart.title, svg }] : [];
  });
}

/**
 * The charts of growth.
 * @param {Record<string, import('../lib/compare').CaseResult[]>} growth - of a result
 * @returns {{ file: string, group: string, title: string, svg: string }[]} `group` being the series
 */
function growthCharts(growth) {
  return GROWTH.filter(({ name }) => growth[name]).map((series) => {
    const points = growth[series.name];
    const svg = series.name === 'flood' ? drawFlood(points) : drawLines(series, points);
    return { file: `growth-${series.name}.svg`, group: series.name, title: series.title, svg };
  });
}

module.exports = { caseCharts, growthCharts };
