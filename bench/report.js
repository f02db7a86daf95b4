'use strict';

// `npm run bench:report`: makes docs/benchmarks.md and docs/charts/ anew of the results that are in
// bench/results, without measuring anything.

const { makeReport } = require('./report/make');

makeReport().catch((err) => {
  console.error(err.message);
  process.exitCode = 1;
});
