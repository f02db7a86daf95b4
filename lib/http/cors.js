'use strict';

/**
 * The option `cors`, as the npm package of that name has it: the native server knows the headers, and
 * here the application is asked what only it knows: its functions and patterns.
 */

const { corsAnswer } = require('../native/binding');

/** The status of the response to a preflight, unless the application has another. */
const NO_CONTENT = 204;

const DEFAULTS = {
  origin: '*',
  methods: 'GET,HEAD,PUT,PATCH,POST,DELETE',
  preflightContinue: false,
  optionsSuccessStatus: NO_CONTENT,
};

/**
 * @param {true | object | Function} given the option
 * @returns {(req: import('http').IncomingMessage, res: object, next: (error?: unknown) => void) => void}
 *   middleware that adds the headers, and answers preflights
 */
function cors(given) {
  const fixed = typeof given === 'function' ? undefined : { ...DEFAULTS, ...given };
  return (req, res, next) => {
    if (fixed === undefined) {
      given(req, (error, options) => {
        if (error) {
          next(error);
        } else {
          find({ ...DEFAULTS, ...options }, req, res, next);
        }
      });
    } else {
      find(fixed, req, res, next);
    }
  };
}

/**
 * Finds out which origins are allowed, and answers.
 *
 * @param {object} options what holds for the request
 * @param {import('http').IncomingMessage} req the request
 * @param {object} res its response
 * @param {(error?: unknown) => void} next called if the request is to be served, or with an error
 * @returns {void}
 */
function find(options, req, res, next) {
  const found = (error, allowed) => {
    // Without an origin the application wants no headers.
    if (error || !allowed) {
      next(error);
    } else {
      answer(options, allowed, req, res, next);
    }
  };
  if (typeof options.origin === 'function') {
    options.origin(req.headers.origin, found);
  } else {
    found(undefined, options.origin);
  }
}

/**
 * Adds the headers to a response, and ends that to a preflight.
 *
 * @param {object} options what holds for the request
 * @param {unknown} allowed the origins that are allowed
 * @param {import('http').IncomingMessage} req the request
 * @param {object} res its response
 * @param {() => void} next called if the request is to be served
 * @returns {void}
 */
function answer(options, allowed, req, res, next) {
  const { origin } = req.headers;
  const of = isText(allowed) ? String(allowed) : isAllowed(origin, allowed);
  const { headers, vary, status } =
    req.method === 'OPTIONS' ? answerOf(options, of, req) : lastAnswerOf(options, of, req);
  for (let i = 0; i < headers.length; i += 2) {
    res.setHeader(headers[i], headers[i + 1]);
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
 * The last answer to a request that was no preflight, and all that it depends on: nearly every request
 * of a server has the same, and to have it made anew takes longer than the rest of CORS.
 */
let last = {};

/**
 * @param {object} options what holds for the request
 * @param {string | boolean} allowed the origin that is allowed, or whether the request's is
 * @param {import('http').IncomingMessage} req a request that is no preflight
 * @returns {import('../../binding').CorsAnswer} what is to be added to its response
 */
function lastAnswerOf(options, allowed, req) {
  const { credentials } = options;
  const { origin } = req.headers;
  const exposed = listOf(options.exposedHeaders);
  const isSame =
    last.allowed === allowed &&
    last.credentials === credentials &&
    last.exposed === exposed &&
    (last.origin === origin || typeof allowed === 'string');
  if (!isSame) {
    last = { allowed, credentials, exposed, origin, answer: answerOf(options, allowed, req) };
  }
  return last.answer;
}

/**
 * @param {object} options what holds for a request
 * @param {string | boolean} allowed the origin that is allowed, or whether the request's is
 * @param {import('http').IncomingMessage} req the request
 * @returns {import('../../binding').CorsAnswer} what is to be added to its response
 */
function answerOf(options, allowed, req) {
  const isPreflight = req.method === 'OPTIONS';
  const added = corsAnswer(
    nativeOptionsOf(options, isPreflight),
    req.method,
    req.headers.origin,
    req.headers['access-control-request-headers'],
    allowed,
  );
  for (let i = 0; i < added.headers.length; i += 2) {
    added.headers[i] = capitalized(added.headers[i]);
  }
  return added;
}

/**
 * @param {object} options what holds for a request
 * @param {boolean} isPreflight whether it may be a preflight: what cannot be sent must not fail requests
 *   that have no need of it
 * @returns {import('../../binding').CorsOptions} the same for the native server
 */
function nativeOptionsOf(options, isPreflight) {
  return {
    methods: isPreflight ? listOf(options.methods) : undefined,
    allowedHeaders: isPreflight ? listOf(options.allowedHeaders || options.headers) : undefined,
    exposedHeaders: listOf(options.exposedHeaders),
    maxAge: isPreflight ? textOf(options.maxAge) : undefined,
    credentials: options.credentials === true,
    preflightContinue: Boolean(options.preflightContinue),
    preflightStatus: isPreflight ? Number(options.optionsSuccessStatus) : NO_CONTENT,
  };
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
  const vary = res.getHeader('Vary');
  if (vary === undefined) {
    res.setHeader('Vary', name);
    return;
  }
  const before = [vary].flat().join(', ');
  const names = before.toLowerCase().split(/ *, */);
  if (!names.includes('*') && !names.includes(name.toLowerCase())) {
    res.setHeader('Vary', before === '' ? name : `${before}, ${name}`);
  }
}

/**
 * The option as the native server needs it to add the headers by itself.
 *
 * @param {true | object | Function} given the option
 * @returns {import('../../binding').FrontCors | null | undefined} the option; `undefined` if there are no
 *   headers to add, `null` if the application is to be asked for each request
 */
function frontCorsOf(given) {
  if (typeof given === 'function') {
    return null;
  }
  const fixed = { ...DEFAULTS, ...given };
  const { origin } = fixed;
  if (!origin) {
    return undefined;
  }
  const options = nativeOptionsOf(fixed, true);
  if (isText(origin)) {
    return { options, origin: String(origin) };
  }
  if (origin === true) {
    return { options };
  }
  return Array.isArray(origin) && origin.every(isText)
    ? { options, origins: origin.map(String) }
    : null;
}

module.exports = { cors, frontCorsOf };
