'use strict';

/**
 * One call of a remote method over a socket. It does what strong-remoting's REST adapter does with a
 * request: it makes an HttpContext, finds the instance, and runs the authorization, the hooks and the
 * method.
 *
 * What must stay true: a call has exactly one outcome, and it is the one that REST would have had.
 */

const { RemoteMethodError, UnsupportedRemoteMethodError } = require('../errors');
const { findToken } = require('./access-token');
const { distribute } = require('./arguments');
const { refusalOf, refusalOfArguments } = require('./hostile');
const { makeRequest, watchResponse } = require('./request');

/**
 * What calls of an application need.
 *
 * @typedef {object} Exposure
 * @property {object} app the LoopBack application
 * @property {import('./access-token').AccessTokenOf} accessToken the option `accessToken`
 */

/**
 * Calls a remote method.
 *
 * @param {Exposure} exposure whose
 * @param {import('./remote-methods').RemoteMethod} remote the method
 * @param {object} socket the socket whose client calls
 * @param {unknown} credentials those it authenticated with
 * @param {unknown} args the named arguments
 * @returns {Promise<unknown>} what REST sends as JSON; `undefined` where it sends nothing
 * @throws {RemoteMethodError} the error that REST sends
 * @throws {UnsupportedRemoteMethodError} if the method cannot be called over a socket
 */
async function callRemoteMethod(exposure, remote, socket, credentials, args) {
  const { app } = exposure;
  const { name, method, verb, places, refusal } = remote;
  if (refusal !== undefined) {
    throw new UnsupportedRemoteMethodError(name, refusal);
  }
  const request = (accessToken, named) =>
    makeRequest(app, { socket, name, verb, accessToken, args: distribute(places, named) });
  let accessToken = null;
  try {
    // The application may have disabled it since the socket authenticated.
    if (!method.sharedClass.isMethodEnabled(method)) {
      throw statusError(404, `There is no remote method ${name}.`);
    }
    if (args !== undefined && args !== null && !isNamed(args)) {
      throw statusError(400, 'The arguments must be an object of named arguments.');
    }
    const hostile = refusalOfArguments(args ?? {});
    if (hostile !== undefined) {
      throw statusError(400, hostile);
    }
    accessToken = await findToken(app, exposure.accessToken, socket, credentials);
    return plainOf(app, await runInContext(app, method, request(accessToken, args ?? {})));
  } catch (error) {
    if (error instanceof RemoteMethodError || error instanceof UnsupportedRemoteMethodError) {
      throw error;
    }
    throw await restError(app, error, request(accessToken, {}));
  }
}

/**
 * Runs a method as the REST adapter does.
 *
 * @param {object} app the LoopBack application
 * @param {object} method a SharedMethod
 * @param {{req: object, res: object}} request what it is called with
 * @returns {Promise<unknown>} its result
 */
function runInContext(app, method, { req, res }) {
  return new Promise((resolve, reject) => {
    watchResponse(
      res,
      (status, body) => (status < 300 ? resolve(body) : reject(writtenError(status, body))),
      () =>
        reject(
          new UnsupportedRemoteMethodError(method.stringName, 'writes its response in pieces'),
        ),
    );
    const remotes = app.remotes();
    const { Context, options, typeRegistry } = app.handler('rest').adapter;
    const ctx = new Context(req, res, method, options, typeRegistry);
    for (const value of Object.values(ctx.args)) {
      const hostile = refusalOf(value);
      if (hostile !== undefined) {
        throw statusError(400, hostile);
      }
    }
    const step = (run, next) => (error) => {
      if (error) {
        reject(error);
        return;
      }
      try {
        run(next);
      } catch (thrown) {
        reject(thrown);
      }
    };
    const { before, after } = method.rest ?? {};
    const done = step(() => resolve(ctx.result));
    const afterInvoke = after ? step((next) => after.call(ctx.getScope(), ctx, next), done) : done;
    const invoke = step((next) => remotes.invokeMethodInContext(ctx, next), afterInvoke);
    const start = before ? step((next) => before.call(ctx.getScope(), ctx, next), invoke) : invoke;
    if (method.isStatic) {
      start();
      return;
    }
    const found = (error, instance) => {
      // As over REST, an instance that is not found is told to whoever may know of it: authorization
      // comes first.
      if (error) {
        ctx.sharedCtorError = error;
      } else {
        ctx.instance = instance;
      }
      start();
    };
    ctx.invoke(method.ctor, method.sharedCtor, found, true);
  });
}

/**
 * @param {object} app the LoopBack application
 * @param {unknown} value a result
 * @returns {unknown} what Express's `res.json()` makes of it
 */
function plainOf(app, value) {
  const text = JSON.stringify(value, app.get('json replacer'));
  return text === undefined ? undefined : JSON.parse(text);
}

/**
 * The error that REST sends. It is made by the error handler of strong-remoting's REST adapter, with
 * the options that the application has configured for it.
 *
 * @param {object} app the LoopBack application
 * @param {unknown} error what a call failed with
 * @param {{req: object, res: object}} request a request of the same call
 * @returns {Promise<RemoteMethodError>} what the client gets
 */
function restError(app, error, { req, res }) {
  return new Promise((resolve) => {
    const settle = (body) => resolve(new RemoteMethodError(body, error));
    try {
      watchResponse(
        res,
        (status, body) =>
          settle(isNamed(body) ? errorIn(body) : { statusCode: status, message: String(body) }),
        settle500,
      );
      const { adapter } = app.handler('rest');
      const configured = (app.remotes().options ?? {}).errorHandler ?? {};
      // Where REST leaves errors to the middleware of the application, it does not log them either.
      const isLogged = configured.log !== false && (adapter.options ?? {}).handleErrors !== false;
      const handle = adapter.constructor.errorHandler({ ...configured, log: isLogged });
      handle(error, req, res, settle500);
    } catch {
      settle500();
    }

    /** Nothing is known of the error that a client may know. */
    function settle500() {
      settle({ statusCode: 500, message: 'Internal Server Error' });
    }
  });
}

/**
 * @param {object} body the body of an error response
 * @returns {object} the error in it
 */
function errorIn(body) {
  const { error } = body;
  return isNamed(error) ? error : body;
}

/**
 * @param {number} status the status of a response that the application wrote itself
 * @param {unknown} body its body
 * @returns {RemoteMethodError} what the client gets
 */
function writtenError(status, body) {
  const error = isNamed(body) ? errorIn(body) : { message: body === undefined ? '' : String(body) };
  return new RemoteMethodError({ statusCode: status, ...error });
}

/**
 * @param {number} statusCode the status
 * @param {string} message the message
 * @returns {Error} an error as LoopBack's are
 */
function statusError(statusCode, message) {
  return Object.assign(new Error(message), { statusCode });
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it is an object of named values
 */
function isNamed(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

module.exports = { callRemoteMethod, restError, runInContext };
