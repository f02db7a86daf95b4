'use strict';

/** Has LoopBack check the ACLs of every REST request. */
module.exports = function (app) {
  app.enableAuth();
};
