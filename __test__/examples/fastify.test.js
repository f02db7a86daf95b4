'use strict';

const { testExample } = require('../support/example-app');

testExample({ name: 'fastify', program: 'server.js' });
