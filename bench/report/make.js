'use strict';

// Makes docs/benchmarks.md and docs/charts/ of the last full results.

const fs = require('node:fs');
const path = require('node:path');
const { ROOT } = require('../../scripts/steps');
const results = require('../lib/results');
const { caseCharts, growthCharts } = require('./charts');
const { renderMarkdown } = require('./markdown');

const DOCUMENT = path.join(ROOT, 'docs', 'benchmarks.md');
const CHARTS = path.join(ROOT, 'docs', 'charts');

/**
 * @param {import('../lib/results').Result | undefined} full - the cases
 * @param {import('../lib/results').Result | undefined} growth
 * @returns {Promise<{ document: string, charts: ReturnType<typeof caseCharts> }>}
 */
async function render(full, growth) {
  const charts = [
    ...(full ? caseCharts(full.cases) : []),
    ...(growth ? growthCharts(growth.growth) : []),
  ];
  const prettier = require('prettier');
  const style = await prettier.resolveConfig(DOCUMENT);
  const text = renderMarkdown(full, growth, charts);
  const document = await prettier.format(text, { ...style, filepath: DOCUMENT });
  return { document, charts };
}

/**
 * Makes the report anew.
 * @returns {Promise<void>}
 */
async function makeReport() {
  const [full, growth] = [results.read('full'), results.read('growth')];
  if (!full && !growth) throw new Error('there are no results: npm run bench -- --full');
  const { document, charts } = await render(full, growth);
  fs.rmSync(CHARTS, { recursive: true, force: true });
  fs.mkdirSync(CHARTS, { recursive: true });
  for (const { file, svg } of charts) fs.writeFileSync(path.join(CHARTS, file), svg);
  fs.writeFileSync(DOCUMENT, document);
  console.log('Made %s and %d charts', path.relative(ROOT, DOCUMENT), charts.length);
}

module.exports = { makeReport, render };
