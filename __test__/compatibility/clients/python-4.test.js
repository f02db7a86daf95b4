'use strict';

// python-socketio 4 against the native server. It writes every text as ASCII: the names of events
// arrive escaped.

require('./python').describePython('4');
