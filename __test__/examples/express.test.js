'use strict';

const { testExample } = require('../support/example-app');

testExample({ name: 'express', program: 'server.js' });
