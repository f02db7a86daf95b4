'use strict';

// `node -r loopback-socket/register app.js`: whatever the application requires or imports as
// socket.io is the native server.

require('./lib/register').register();
