'use strict';

// Makes docs/benchmarks.md, docs/charts/ and the table of the README of the last full results.

const fs = require('node:fs');
const path = require('node:path');
const { ROOT } = require('../../scripts/steps');
const results = require('../lib/results');
const { caseCharts, growthCharts } = require('./charts');
const { headline, withHeadline } = require('./headline');
const { renderMarkdown } = require('./markdown');

const DOCUMENT = path.join(ROOT, 'docs', 'benchmarks.md');
const CHARTS = path.join(ROOT, 'docs', 'charts');
const README = path.join(ROOT, 'README.md');

/**
 * @param {string} text - Markdown
 * @param {string} filepath
 * @returns {Promise<string>} as the project formats it
 */
async function formatted(text, filepath) {
  const prettier = require('prettier');
  return prettier.format(text, { ...(await prettier.resolveConfig(filepath)), filepath });
}

/**
 * @param {import('../lib/results').Result | undefined} full - the cases
 * @param {import('../lib/results').Result | undefined} growth
 * @param {object} [subscriptions] - the result of `bench/subscriptions`
 * @param {object} [scale] - the result of `bench/scale`
 * @param {import('../lib/results').Result} [oneCore] - the cases with one core for the server
 * @returns {Promise<{ document: string, charts: ReturnType<typeof caseCharts> }>}
 */
async function render(full, growth, subscriptions, scale, oneCore) {
  const charts = [
    ...(full ? caseCharts(full.cases) : []),
    ...(growth ? growthCharts(growth.growth) : []),
  ];
  const text = renderMarkdown(full, growth, charts, subscriptions, scale, oneCore);
  const document = await formatted(text, DOCUMENT);
  return { document, charts };
}

/**
 * @param {string} readme
 * @param {import('../lib/results').Result} full
 * @returns {Promise<string>} the README with its table made anew
 */
const renderReadme = (readme, full) => formatted(withHeadline(readme, headline(full)), README);

/**
 * Makes the report anew.
 * @returns {Promise<void>}
 */
async function makeReport() {
  const [full, growth] = [results.read('full'), results.read('growth')];
  const [subscriptions, scale] = [results.read('subscriptions'), results.read('scale')];
  if (!full && !growth) throw new Error('there are no results: npm run bench -- --full');
  const oneCore = results.read('one-core');
  const { document, charts } = await render(full, growth, subscriptions, scale, oneCore);
  fs.rmSync(CHARTS, { recursive: true, force: true });
  fs.mkdirSync(CHARTS, { recursive: true });
  for (const { file, svg } of charts) fs.writeFileSync(path.join(CHARTS, file), svg);
  fs.writeFileSync(DOCUMENT, document);
  if (full) {
    fs.writeFileSync(README, await renderReadme(fs.readFileSync(README, 'utf8'), full));
  }
  console.log('Made %s and %d charts', path.relative(ROOT, DOCUMENT), charts.length);
}

module.exports = { README, makeReport, render, renderReadme };
