'use strict';

/**
 * The option `cors`, as the npm package of that name has it: the native server knows the headers, and
 * here the application is asked what only it knows: its functions and patterns.
 */

const { corsAnswer } = require('../native/binding');

const DEFAULTS = {
  origin: '*',
  methods: 'GET,HEAD,PUT,PATCH,POST,DELETE',
  preflightContinue: false,
  optionsSuccessStatus: 204,
};

/**
 * @param {true | object | Function} given the option
 * @returns {(req: import('http').IncomingMessage, res: object, next: (error?: unknown) => void) => void}
 *   middleware that adds the headers, and answers preflights
 */
function cors(given) {
  return (req, res, next) => {
    optionsOf(given, req, (error, options) => {
      if (error) {
        next(error);
        return;
      }
      const all = { ...DEFAULTS, ...options };
      allowedOf(all.origin, req.headers.origin, (failure, allowed) => {
        // Without an origin the application wants no headers.
        if (failure || !allowed) {
          next(failure);
        } else {
          answer(all, allowed, req, res, next);
        }
      });
    });
  };
}

/**
 * @param {true | object | Function} given the option
 * @param {import('http').IncomingMessage} req the request
 * @param {(error: unknown, options?: object) => void} then called with what holds for the request
 * @returns {void}
 */
function optionsOf(given, req, then) {
  if (typeof given === 'function') {
    given(req, then);
  } else {
    then(null, given);
  }
}

/**
 * @param {unknown} allowed the option `origin`
 * @param {string | undefined} origin the origin of the request
 * @param {(error: unknown, allowed?: unknown) => void} then called with what is allowed
 * @returns {void}
 */
function allowedOf(allowed, origin, then) {
  if (typeof allowed === 'function') {
    allowed(origin, then);
  } else {
    then(null, allowed);
  }
}

/**
 * @param {object} options what holds for the request
 * @param {unknown} allowed the origins that are allowed
 * @param {import('http').IncomingMessage} req the request
 * @param {object} res its response
 * @param {() => void} next called if the request is to be served
 * @returns {void}
 */
function answer(options, allowed, req, res, next) {
  const { origin } = req.headers;
  const { headers, vary, status } = corsAnswer(
    {
      methods: listOf(options.methods),
      allowedHeaders: listOf(options.allowedHeaders || options.headers),
      exposedHeaders: listOf(options.exposedHeaders),
      maxAge: textOf(options.maxAge),
      credentials: options.credentials === true,
      preflightContinue: Boolean(options.preflightContinue),
      preflightStatus: options.optionsSuccessStatus,
    },
    req.method,
    origin,
    req.headers['access-control-request-headers'],
    isText(allowed) ? String(allowed) : isAllowed(origin, allowed),
  );
  for (let i = 0; i < headers.length; i += 2) {
    res.setHeader(capitalized(headers[i]), headers[i + 1]);
  }
  for (const name of vary) {
    addVary(res, name);
  }
  if (status === undefined) {
    next();
  } else {
    res.statusCode = status;
    res.end();
  }
}

/**
 * @param {string} name a header's name
 * @returns {string} the name as the `cors` package writes it
 */
function capitalized(name) {
  return name.replace(/(?:^|-)[a-z]/g, (start) => start.toUpperCase());
}

/**
 * @param {string | undefined} origin the origin of a request
 * @param {unknown} allowed an origin, a pattern, a list of them, or whether any is allowed
 * @returns {boolean} whether it is allowed
 */
function isAllowed(origin, allowed) {
  if (Array.isArray(allowed)) {
    return allowed.some((one) => isAllowed(origin, one));
  }
  if (isText(allowed)) {
    return origin === allowed;
  }
  return allowed instanceof RegExp ? allowed.test(origin) : Boolean(allowed);
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it is a string
 */
function isText(value) {
  return typeof value === 'string' || value instanceof String;
}

/**
 * @param {string | string[] | undefined} value names
 * @returns {string | undefined} the names as a header has them
 */
function listOf(value) {
  return value ? String(value.join ? value.join(',') : value) : undefined;
}

/**
 * @param {unknown} value any value
 * @returns {string | undefined} it as text, if it is one
 */
function textOf(value) {
  return typeof value === 'number' || value ? String(value) : undefined;
}

/**
 * @param {object} res a response
 * @param {string} name a header of requests on which it depends
 * @returns {void}
 */
function addVary(res, name) {
  const before = [res.getHeader('Vary') ?? []].flat().join(', ');
  const names = before.toLowerCase().split(/ *, */);
  if (!names.includes('*') && !names.includes(name.toLowerCase())) {
    res.setHeader('Vary', before === '' ? name : `${before}, ${name}`);
  }
}

module.exports = { cors };
