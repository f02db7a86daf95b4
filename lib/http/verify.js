'use strict';

/**
 * What only the application can say of a request: its middleware, `allowedOrigins` where that is a
 * pattern or a function, `allowRequest`, and the id of the session. It may take its time, and close the
 * server meanwhile.
 */

const { attempt } = require('../events');
const { Refusal } = require('../native/protocol');
const { identify } = require('../socketio/engine');
const { queryOf } = require('../socketio/handshake');
const { checkOrigin } = require('./origins');

/**
 * @typedef {object} Opens what a request opens
 * @property {string} id the id of the session
 * @property {import('../socketio/trust-proxy').Client} [client] the client, if the server trusts proxies
 */

/**
 * @callback Verified
 * @param {number} [refusal] the `Refusal` if the request is refused
 * @param {{message?: unknown, error?: unknown}} [more] what the application has said to it
 * @param {Opens} [opens] what the request opens, if it opens a session
 * @returns {void}
 */

/**
 * Runs the middleware of `io.engine.use()`, the option `cors` among them.
 *
 * @param {import('./front').HttpFront} front whose
 * @param {import('http').IncomingMessage} req the request
 * @param {() => object} response gives its response, or what stands for one
 * @param {Verified} then called if no middleware answers the request itself
 * @returns {void}
 */
function runMiddleware(front, req, response, then) {
  queryOf(req);
  const { middlewares } = front.engine;
  if (middlewares.length === 0) {
    then();
    return;
  }
  const res = response();
  let chain = Promise.resolve();
  for (const middleware of middlewares) {
    chain = chain.then(() => run(middleware, req, res));
  }
  chain.then(
    () => unlessClosing(front, then)(),
    () => then(Refusal.MIDDLEWARE_FAILURE),
  );
}

/**
 * @param {import('./front').HttpFront} front who serves a request
 * @param {Verified} then called when the application has answered
 * @returns {Verified} the same, but that it refuses what the application lets in too late
 */
function unlessClosing(front, then) {
  return (refusal, more, id) => {
    if (refusal === undefined && front.isClosing) {
      then(Refusal.SERVER_CLOSING);
    } else {
      then(refusal, more, id);
    }
  };
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
    attempt(() => middleware(req, res, next), reject);
  });
}

/**
 * Asks the application about the origin of a request.
 *
 * @param {import('./front').HttpFront} front who serves the request
 * @param {import('http').IncomingMessage} req the request
 * @param {Verified} then called when it has answered
 * @returns {void}
 */
function askOrigin(front, req, then) {
  const answered = unlessClosing(front, then);
  checkOrigin(front.options.allowedOrigins, req, (isAllowed, error) => {
    if (isAllowed) {
      answered();
    } else {
      answered(Refusal.ORIGIN_NOT_ALLOWED, error === undefined ? undefined : { error });
    }
  });
}

/**
 * Asks the application whether a request may open a session, for the id of that, and who the client is.
 *
 * @param {import('./front').HttpFront} front who serves the request
 * @param {import('http').IncomingMessage} req the request
 * @param {Verified} then called when it has answered
 * @returns {void}
 */
function allow(front, req, then) {
  if (front.isDraining) {
    then(Refusal.UNAVAILABLE);
    return;
  }
  queryOf(req);
  const { allowRequest } = front.options;
  const name = unlessClosing(front, (refusal, more) => {
    if (refusal !== undefined) {
      then(refusal, more);
      return;
    }
    identify(front.engine, req, (error, id) => {
      if (front.isClosing) {
        then(Refusal.SERVER_CLOSING);
      } else if (front.isDraining) {
        then(Refusal.UNAVAILABLE);
      } else if (error !== undefined) {
        then(Refusal.INVALID_SESSION_ID, { error });
      } else {
        let client;
        try {
          client = front.clientOf(req);
        } catch (thrown) {
          // By the application's function of the option `trustProxy`: the addresses are what a client has sent.
          then(Refusal.FORBIDDEN, failure(thrown));
          return;
        }
        then(undefined, undefined, { id, client });
      }
    });
  });
  if (allowRequest === undefined) {
    name();
  } else {
    ask(allowRequest, req, name);
  }
}

/**
 * Asks `allowRequest`. One that fails to answer has not allowed the request.
 *
 * @param {(req: object, done: (message: unknown, isAllowed: boolean) => void) => unknown}
 *   allowRequest the application's function
 * @param {import('http').IncomingMessage} req the request
 * @param {Verified} then called once
 * @returns {void}
 */
function ask(allowRequest, req, then) {
  let isAnswered = false;
  const answer = (...verdict) => {
    if (!isAnswered) {
      isAnswered = true;
      then(...verdict);
    }
  };
  const answered = (message, isAllowed) => {
    if (isAllowed) {
      answer();
    } else {
      answer(Refusal.FORBIDDEN, { message });
    }
  };
  attempt(
    () => allowRequest(req, answered),
    (error) => answer(Refusal.FORBIDDEN, failure(error)),
  );
}

/**
 * @param {unknown} error what a function of the application failed with
 * @returns {{message: undefined, error: unknown}} what is told of it
 */
function failure(error) {
  return { message: undefined, error };
}

module.exports = { allow, askOrigin, runMiddleware };
