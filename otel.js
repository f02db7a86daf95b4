'use strict';

// Spans of OpenTelemetry: docs/observability.md.

const { LoopbackSocketInstrumentation } = require('./lib/observability/otel');

module.exports.LoopbackSocketInstrumentation = LoopbackSocketInstrumentation;
