'use strict';

// Preloaded (`node --require`), it has every native server of the process serve all of its requests through
// Node's http.Server, as it does when the application looks at requests: the same tests, on the other front.

const { Takeover } = require('../../lib/http/takeover');

Takeover.prototype.attach = () => () => {};
