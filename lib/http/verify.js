'use strict';

/**
 * What a request goes through before it is served: the middleware of `io.engine.use()` and the
 * `cors` option, the checks of Engine.IO, the application's `allowRequest`, and what it gets its session
 * id from.
 */

const { identify, protocolOf } = require('../socketio/engine');
const protocol = require('../native/protocol');
const { checkOrigin } = require('./origins');
const { badRequest, forbidden, forbiddenOrigin, nativeRefusal } = require('./refusals');

const { OPENS } = protocol.RequestVerdict;
const { UNKNOWN_TRANSPORT } = protocol.Refusal;

/** What no `Origin` may contain. */
const NOT_IN_HEADERS = /[^\t\x20-\x7e\x80-\xff]/;

/**
 * Finds out whether a request may be served.
 *
 * @param {import('./front').HttpFront} front who would serve it
 * @param {import('http').IncomingMessage} req the request; gets its query as `_query`
 * @param {() => object} response gives its response, or what stands for one, for the middleware
 * @param {boolean} isUpgrade whether it asks for an upgrade
 * @param {(refusal?: import('./refusals').Refusal, id?: string) => void} then called with the refusal,
 *   if it may not, else with the id of the session that it opens, if it does; not at all if a middleware
 *   answers the request itself
 * @returns {void}
 */
function admit(front, req, response, isUpgrade, then) {
  req._query ??= queryOf(req.url);
  const { middlewares } = front.engine;
  // The application may take its time, and close the server meanwhile.
  const still = (goOn) => (front.isClosing ? then(badRequest('SERVER_CLOSING')) : goOn());
  const check = () =>
    verify(front, req, isUpgrade, (refusal) =>
      refusal === undefined ? still(() => name(front, req, then)) : then(refusal),
    );
  if (middlewares.length === 0) {
    check();
    return;
  }
  const res = response();
  let chain = Promise.resolve();
  for (const middleware of middlewares) {
    chain = chain.then(() => run(middleware, req, res));
  }
  chain.then(
    () => still(check),
    () => then(badRequest('MIDDLEWARE_FAILURE')),
  );
}

/**
 * Gives a session that a request opens its id.
 *
 * @param {import('./front').HttpFront} front who serves the request
 * @param {import('http').IncomingMessage} req the request
 * @param {(refusal?: import('./refusals').Refusal, id?: string) => void} then see `admit`
 * @returns {void}
 */
function name(front, req, then) {
  if (sessionOf(req._query) !== undefined) {
    then();
    return;
  }
  identify(front.engine, req, (error, id) => {
    if (front.isClosing) {
      then(badRequest('SERVER_CLOSING'));
    } else if (error !== undefined) {
      then(badRequest('ID_GENERATION_ERROR', { error }));
    } else {
      then(undefined, id);
    }
  });
}

/**
 * @param {string} url a request's URL
 * @returns {Record<string, string>} its query; of a name that is there twice, the last value
 */
function queryOf(url) {
  const mark = url.indexOf('?');
  return Object.fromEntries(new URLSearchParams(mark < 0 ? '' : url.slice(mark)));
}

/**
 * Runs a middleware.
 *
 * @param {(req: object, res: object, next: (error?: unknown) => void) => unknown} middleware it
 * @param {import('http').IncomingMessage} req the request
 * @param {object} res the response
 * @returns {Promise<void>} resolved when it calls `next`, rejected when it fails
 */
function run(middleware, req, res) {
  return new Promise((resolve, reject) => {
    const next = (error) => (error ? reject(error) : resolve());
    try {
      Promise.resolve(middleware(req, res, next)).catch(reject);
    } catch (error) {
      reject(error);
    }
  });
}

/**
 * @param {import('./front').HttpFront} front who would serve the request
 * @param {import('http').IncomingMessage} req the request
 * @param {boolean} isUpgrade whether it asks for an upgrade
 * @param {(refusal?: import('./refusals').Refusal) => void} then see `admit`
 * @returns {void}
 */
function verify(front, req, isUpgrade, then) {
  const query = req._query;
  const { origin } = req.headers;
  const verdict = front.native.verify(
    protocolOf(query) === 3,
    String(query.transport),
    sessionOf(query),
    req.method === 'GET',
    isUpgrade,
  );
  const { allowedOrigins, allowRequest } = front.options;
  const allow = () => {
    if (verdict === OPENS && allowRequest !== undefined) {
      ask(allowRequest, req, then);
    } else {
      then();
    }
  };
  if (verdict !== UNKNOWN_TRANSPORT && origin !== undefined && NOT_IN_HEADERS.test(origin)) {
    req.headers.origin = null;
    then(badRequest('INVALID_ORIGIN', { origin }));
  } else if (verdict >= 0) {
    then(nativeRefusal(verdict, req));
  } else if (allowedOrigins !== undefined) {
    checkOrigin(allowedOrigins, req, (isAllowed, from, error) => {
      if (isAllowed) {
        allow();
      } else {
        then(forbiddenOrigin(from, error));
      }
    });
  } else {
    allow();
  }
}

/**
 * @param {Record<string, string>} query a request's query
 * @returns {string | undefined} the session it names
 */
function sessionOf({ sid }) {
  return sid ? String(sid) : undefined;
}

/**
 * Asks the application whether a connection may be opened. One that fails to answer has not
 * allowed it.
 *
 * @param {(req: object, done: (message: unknown, isAllowed: boolean) => void) => unknown}
 *   allowRequest the application's function
 * @param {import('http').IncomingMessage} req the request
 * @param {(refusal?: import('./refusals').Refusal) => void} then see `admit`
 * @returns {void}
 */
function ask(allowRequest, req, then) {
  let isAnswered = false;
  const answer = (refusal) => {
    if (!isAnswered) {
      isAnswered = true;
      then(refusal);
    }
  };
  const failed = (error) => answer(forbidden(undefined, error));
  let returned;
  try {
    returned = allowRequest(req, (message, isAllowed) =>
      answer(isAllowed ? undefined : forbidden(message)),
    );
  } catch (error) {
    failed(error);
    return;
  }
  if (typeof returned?.then === 'function') {
    Promise.resolve(returned).catch(failed);
  }
}

module.exports = { admit, queryOf, sessionOf };
