'use strict';

/**
 * Which pages may connect, by the option `allowedOrigins`. Browsers send the origin of a page with each
 * websocket and with each request to another origin, and no page can change it (RFC 6454, section 7;
 * RFC 6455, section 10.2).
 */

/**
 * Finds out whether the page that makes a request may connect. A request that no page of another
 * origin can make (one without an origin) passes.
 *
 * @param {import('../socketio/options').AllowedOrigins} allowed the option
 * @param {import('http').IncomingMessage} req the request, with its `_query`
 * @param {(isAllowed: boolean, origin?: string, error?: unknown) => void} then called once
 * @returns {void}
 */
function checkOrigin(allowed, req, then) {
  const origin = originOf(req);
  if (origin === undefined) {
    then(!isFromElsewhere(req));
    return;
  }
  if (typeof allowed !== 'function') {
    const entries = Array.isArray(allowed) ? allowed : [allowed];
    then(
      entries.some((one) => isMatch(one, origin)),
      origin,
    );
    return;
  }
  let isAnswered = false;
  const answer = (error, isAllowed) => {
    if (!isAnswered) {
      isAnswered = true;
      then(!error && Boolean(isAllowed), origin, error || undefined);
    }
  };
  try {
    allowed(origin, answer);
  } catch (error) {
    answer(error);
  }
}

/**
 * @param {string | RegExp} entry an origin, or a pattern
 * @param {string} origin the origin of a page
 * @returns {boolean} whether it fits
 */
function isMatch(entry, origin) {
  // Not `test`, which goes on from where a pattern with the flag `g` matched before.
  return entry instanceof RegExp
    ? origin.search(entry) !== -1
    : entry.toLowerCase() === origin.toLowerCase();
}

/**
 * @param {import('http').IncomingMessage} req a request
 * @returns {string | undefined} the origin of the page that makes it; that of the referring page for a
 *   script (JSONP), with which browsers send no `Origin`
 */
function originOf({ headers, _query }) {
  if (headers.origin !== undefined || _query.j === undefined) {
    return headers.origin;
  }
  try {
    return new URL(headers.referer).origin;
  } catch {
    // A script of a page that does not say which one it is.
    return 'null';
  }
}

/**
 * @param {import('http').IncomingMessage} req a request without an origin
 * @returns {boolean} whether a browser says that a page of another origin makes it (Fetch Metadata)
 */
function isFromElsewhere({ headers }) {
  const site = headers['sec-fetch-site'];
  return site === 'cross-site' || site === 'same-site';
}

module.exports = { checkOrigin };
