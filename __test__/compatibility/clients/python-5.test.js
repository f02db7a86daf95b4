'use strict';

// python-socketio 5 against the native server. It writes every text as ASCII: the names of events
// arrive escaped.

require('./python').describePython('5');
