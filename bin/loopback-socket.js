#!/usr/bin/env node
'use strict';

require('../lib/doctor')
  .main(process.argv.slice(2))
  .then((code) => {
    process.exitCode = code;
    // A server that could not be closed does not keep the process.
    setTimeout(() => process.exit(), 1000).unref();
  });
