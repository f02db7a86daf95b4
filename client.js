'use strict';

/**
 * The helper for clients in CommonJS. It needs a Node.js that can require ES modules: 20.19, 22.12 or
 * later.
 */
module.exports = require('./client.mjs');
