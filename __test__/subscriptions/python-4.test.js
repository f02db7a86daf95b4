'use strict';

// Subscriptions with python-socketio 4, on both kinds of server.

const { withPython } = require('../compatibility/clients/python');
const { describeSubscriptions } = require('./scenarios');

withPython('4', (name, kind) => describeSubscriptions(name, kind, 2));
