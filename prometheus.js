'use strict';

// Figures for Prometheus, by npm `prom-client`, which the application installs.

const { collectMetrics } = require('./lib/metrics/prometheus');

module.exports = { collectMetrics };
