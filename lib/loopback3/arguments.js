'use strict';

/**
 * Where the named arguments of a call go in its request, so that strong-remoting finds each where the remote
 * method's `accepts` says: in the path, the query, the headers or the body.
 *
 * What must stay true: an argument arrives as a REST client sends it. Those of the body keep their JSON
 * types; those of the path, the query and the headers are text, which strong-remoting coerces. One without a
 * source is in the path if a route of its method has its name there, else in the body.
 */

/** Verbs whose REST requests have a query instead of a body. */
const WITHOUT_BODY = new Set(['GET', 'HEAD', 'DELETE']);

/** In the path of a route, as Express 4 reads it: an escaped character, or a placeholder with what it has to match. */
const PLACEHOLDER = /\\.|:(\w+)(?:\(.*?\))?/g;

/**
 * Where a remote method looks for its arguments.
 *
 * @typedef {object} Places
 * @property {Set<string>} path names that are read from the path
 * @property {Set<string>} placeholders names that the paths of the method have
 * @property {Set<string>} query names that are read from the query
 * @property {Set<string>} header names that are read from the headers
 * @property {string | undefined} body the name whose value is the whole body, if there is one
 * @property {boolean} hasQuery whether what has no place of its own is in the query, too
 */

/**
 * What a call puts into its request.
 *
 * @typedef {object} RequestArguments
 * @property {Record<string, unknown>} params of the path
 * @property {Record<string, unknown>} query of the query
 * @property {Record<string, string>} headers by lower-case name
 * @property {unknown} body the body
 */

/**
 * @param {object} method a SharedMethod of strong-remoting
 * @param {string} verb the verb of its REST route
 * @param {string[]} [paths] those of all its REST routes
 * @returns {Places} where it looks
 */
function placesOf(method, verb, paths = []) {
  const places = {
    path: new Set(),
    placeholders: placeholdersOf(paths),
    query: new Set(),
    header: new Set(),
    body: undefined,
    hasQuery: WITHOUT_BODY.has(verb),
  };
  const accepts = method.isStatic
    ? method.accepts
    : [...(method.sharedCtor?.accepts ?? []), ...method.accepts];
  for (const { arg, name = arg, http } of accepts) {
    const source = http?.source;
    if (source === 'body') {
      places.body = name;
    } else if (source === 'path' || source === 'query' || source === 'header') {
      places[source].add(name);
    } else if (!http && places.placeholders.has(name)) {
      // strong-remoting searches the path first. In the body, a field of another argument could take its place.
      places.path.add(name);
    }
  }
  return places;
}

/**
 * @param {string[]} paths paths of routes
 * @returns {Set<string>} the names of all placeholders in them
 */
function placeholdersOf(paths) {
  const found = paths.flatMap((path) => Array.from(path.matchAll(PLACEHOLDER), ([, name]) => name));
  return new Set(found.filter((name) => name !== undefined));
}

/**
 * Puts the arguments of a call in their places. One that is read from several places is in all of them.
 *
 * @param {Places} places where the method looks
 * @param {Record<string, unknown>} args the named arguments
 * @returns {RequestArguments} what the request has
 */
function distribute(places, args) {
  const params = [];
  const query = [];
  const headers = [];
  const body = [];
  for (const [name, value] of Object.entries(args)) {
    let isPlaced = name === places.body;
    if (places.path.has(name)) {
      params.push([name, asText(value)]);
      isPlaced = true;
    }
    if (places.query.has(name)) {
      query.push([name, asText(value)]);
      isPlaced = true;
    }
    if (places.header.has(name)) {
      headers.push([name.toLowerCase(), asText(value)]);
      isPlaced = true;
    }
    if (!isPlaced) {
      body.push([name, value]);
      if (places.placeholders.has(name)) {
        // No argument of the method, but a function in `accepts` or a hook reads it there over REST.
        params.push([name, asText(value)]);
      }
      if (places.hasQuery || places.body !== undefined) {
        query.push([name, asQuery(value)]);
      }
    }
  }
  // REST has an empty object where a request has no body.
  const { [places.body]: whole = {} } = args;
  // Not assignments: an argument may be called `__proto__`.
  return {
    params: Object.fromEntries(params),
    query: Object.fromEntries(query),
    headers: Object.fromEntries(headers.filter(([, value]) => value !== undefined)),
    body: places.body === undefined ? Object.fromEntries(body) : whole,
  };
}

/**
 * @param {unknown} value an argument
 * @returns {string | undefined} it as text; arrays and objects as JSON, which strong-remoting parses
 *   without changing the types in it; `null` cannot be told from nothing
 */
function asText(value) {
  if (value === undefined || value === null) {
    return undefined;
  }
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/**
 * @param {unknown} value an argument that has no place of its own
 * @returns {unknown} it as a query has it: text, or an array or object
 */
function asQuery(value) {
  return typeof value === 'object' ? value : asText(value);
}

module.exports = { distribute, placesOf };
