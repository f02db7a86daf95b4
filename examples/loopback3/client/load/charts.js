// The charts: a minute of round-trip times, calls per second, and the server's event loop delay.

import uPlot from '/vendor/uplot/uPlot.esm.js';
import { duration, h, whole } from '../dom.js';
import { SERVER_NAMES } from '../settings.js';

/** How often a point is added, in ms. */
const STEP = 500;

/** How many points are shown. */
const POINTS = 121;

const HEIGHT = 170;

const CHARTS = [
  { id: 'round-trip', title: 'Round-trip time', format: duration, dashed: true, least: 2 },
  { id: 'rate', title: 'Calls per second', format: whole, dashed: false, least: 10 },
  {
    id: 'delay',
    title: 'Event loop delay of the server',
    format: duration,
    dashed: true,
    least: 2,
  },
];

const KINDS = ['native', 'hosted'];

/** The custom properties whose colours the charts use. */
const COLOURS = ['--muted', '--grid', '--native', '--hosted'];

/** @returns {Record<string, string>} these colours, as the current theme has them */
function currentColours() {
  const probe = document.body.appendChild(h('i', { hidden: true }));
  const entries = COLOURS.map((name) => {
    probe.style.color = `var(${name})`;
    return [name, getComputedStyle(probe).color];
  });
  probe.remove();
  return Object.fromEntries(entries);
}

/** The colours that the charts are drawn in. */
let colours = {};

/**
 * @param {string} name - of a custom property
 * @returns {() => string} gives its colour when the chart is drawn
 */
const colour = (name) => () => colours[name];

class Chart {
  #plot;
  #reading;
  #figure;
  #definition;
  /** The series: per kind of server the median, or the rate, and if it is dashed the 99th percentile. */
  #series;
  #isVisible = false;

  constructor(definition, container, times) {
    this.#definition = definition;
    const { id, title } = definition;
    this.#reading = h('span', { className: 'reading' });
    const canvas = h('div', { className: 'plot' });
    canvas.setAttribute('role', 'img');
    this.#figure = h(
      'figure',
      { data: { chart: id } },
      h('figcaption', {}, h('span', {}, title), this.#reading),
      canvas,
    );
    container.append(this.#figure);
    this.#series = KINDS.flatMap((kind) =>
      definition.dashed ? [{ kind }, { kind, dashed: true }] : [{ kind }],
    ).map((series) => ({ ...series, values: times.map(() => null) }));
    this.#plot = new uPlot(this.#options(canvas), this.#data(times), canvas);
    // A chart that is out of sight is not drawn.
    new IntersectionObserver(([{ isIntersecting }]) => {
      this.#isVisible = isIntersecting;
      if (isIntersecting) this.#draw(times);
    }).observe(canvas);
    new ResizeObserver(() =>
      this.#plot.setSize({ width: canvas.clientWidth, height: HEIGHT }),
    ).observe(canvas);
  }

  #options(canvas) {
    const { format, least } = this.#definition;
    const axis = {
      stroke: colour('--muted'),
      grid: { stroke: colour('--grid'), width: 1 },
      ticks: { show: false },
      font: '11px system-ui, sans-serif',
    };
    return {
      width: canvas.clientWidth || 300,
      height: HEIGHT,
      padding: [8, 16, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 5 } },
      hooks: { setCursor: [() => this.#read()] },
      scales: {
        x: { time: false },
        y: { range: (plot, low, high) => [0, Math.max(least, high * 1.1)] },
      },
      axes: [
        {
          ...axis,
          size: 24,
          space: 60,
          values: (plot, splits) => splits.map((at) => (at === 0 ? 'now' : `${at} s`)),
        },
        {
          ...axis,
          size: 52,
          values: (plot, splits) =>
            splits.map((value) =>
              format === duration ? `${value} ms` : value.toLocaleString('en'),
            ),
        },
      ],
      series: [
        {},
        ...this.#series.map(({ kind, dashed }) => ({
          stroke: colour(`--${kind}`),
          width: dashed ? 1 : 2,
          dash: dashed ? [3, 3] : undefined,
          points: { show: false },
        })),
      ],
    };
  }

  #data(times) {
    return [times, ...this.#series.map(({ values }) => values)];
  }

  /**
   * Adds a point.
   * @param {number[]} times - of all points, in seconds before now
   * @param {number} steps - how many steps it stands for
   * @param {Record<string, { value: number | null, p99?: number | null }>} point - by kind of server
   */
  add(times, steps, point) {
    for (const { kind, dashed, values } of this.#series) {
      const value = (dashed ? point[kind]?.p99 : point[kind]?.value) ?? null;
      values.push(...Array(steps).fill(value));
      values.splice(0, steps);
    }
    if (this.#isVisible) this.#draw(times);
    this.#read();
  }

  #draw(times) {
    this.#plot.setData(this.#data(times));
  }

  /** Shows the values under the cursor, or the newest ones. */
  #read() {
    const { format, title } = this.#definition;
    const index = this.#plot?.cursor.idx ?? POINTS - 1;
    const parts = this.#series
      .filter(({ dashed, values }) => !dashed && values[index] !== null)
      .map(({ kind, values }) =>
        h(
          'span',
          { className: kind },
          h('i', { className: `swatch ${kind}` }),
          format(values[index]),
        ),
      );
    this.#reading.replaceChildren(...parts);
    const spoken = this.#series
      .filter(({ values }) => values.at(-1) !== null)
      .map(
        ({ kind, dashed, values }) =>
          `${SERVER_NAMES[kind]}${dashed ? ', 99th percentile' : ''} ${format(values.at(-1))}`,
      );
    this.#figure
      .querySelector('.plot')
      .setAttribute('aria-label', `${title}: ${spoken.join('; ') || 'nothing yet'}`);
  }

  /** Draws again, in the colours of the theme. */
  redraw() {
    this.#plot.redraw(false, true);
  }
}

/**
 * Shows the charts and keeps them moving.
 * @param {HTMLElement} container
 * @param {object} sources
 * @param {import('./metrics.js').Metrics} sources.metrics
 * @param {() => { server: string, isActive: boolean, delay: object | null }} sources.now - which server
 *   is in use, whether anything calls it, and the last delay of the event loop
 */
export function showCharts(container, { metrics, now }) {
  colours = currentColours();
  const times = Array.from({ length: POINTS }, (_, index) => ((index - POINTS + 1) * STEP) / 1000);
  const [roundTrip, rate, delay] = CHARTS.map(
    (definition) => new Chart(definition, container, times),
  );
  let last = performance.now();
  setInterval(() => {
    const { server, isActive, delay: measured } = now();
    const elapsed = performance.now() - last;
    last += elapsed;
    // More than one when timers are slow: browsers slow down those of a page in the background.
    const steps = Math.min(Math.max(Math.round(elapsed / STEP), 1), POINTS);
    const taken = metrics.take();
    const roundTrips = {};
    const rates = {};
    for (const kind of KINDS) {
      const { count, median, p99 } = taken[kind];
      roundTrips[kind] = { value: median, p99 };
      rates[kind] = {
        value: count > 0 || (isActive && kind === server) ? (1000 * count) / elapsed : null,
      };
    }
    roundTrip.add(times, steps, roundTrips);
    rate.add(times, steps, rates);
    delay.add(times, steps, {
      [server]: measured === null ? {} : { value: measured.median, p99: measured.p99 },
    });
  }, STEP);
  window.addEventListener('themechange', () => {
    colours = currentColours();
    for (const chart of [roundTrip, rate, delay]) chart.redraw();
  });
}
