'use strict';

// Subscriptions with python-socketio 5, on both kinds of server.

const { withPython } = require('../compatibility/clients/python');
const { describeSubscriptions } = require('./scenarios');

withPython('5', (name, kind) => describeSubscriptions(name, kind, 4));
