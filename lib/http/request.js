'use strict';

/**
 * What requests say, for the application and for the native server.
 */

/**
 * The target of a request as the native server reads it. As on Engine.IO, the query is that of `_query`,
 * if there is one: middleware may have changed it.
 *
 * @param {import('http').IncomingMessage} req a request
 * @returns {string} its URL, or a query
 */
function targetOf(req) {
  if (req._query === undefined) {
    return req.url;
  }
  const entries = Object.entries(req._query).filter(([, value]) => value !== undefined);
  return `?${new URLSearchParams(entries)}`;
}

/**
 * @param {import('http').IncomingMessage} req a request
 * @returns {import('../../binding').RequestOrigin} what it says of the page that makes it
 */
function fromOf({ headers }) {
  const { origin, referer } = headers;
  return { origin: origin ?? undefined, referer, site: headers['sec-fetch-site'] };
}

module.exports = { fromOf, targetOf };
