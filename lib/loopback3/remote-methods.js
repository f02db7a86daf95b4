'use strict';

/**
 * The remote methods of a LoopBack application that are callable over a socket, by name.
 *
 * What must stay true: the list of them is one and the same until the application's remote methods change.
 */

const { placesOf } = require('./arguments');

/**
 * A remote method that clients may call, or learn why they cannot.
 *
 * @typedef {object} RemoteMethod
 * @property {string} name the name that clients call: `Model.method` or `Model.prototype.method`
 * @property {object} method the SharedMethod of strong-remoting
 * @property {string} verb the verb of its first REST route
 * @property {import('./arguments').Places} places where it looks for its arguments
 * @property {string | undefined} refusal why it cannot be called over a socket
 */

/**
 * What the application chose to expose.
 *
 * @typedef {object} Selection
 * @property {Set<string>} [models] names of models whose remote methods are exposed
 * @property {Set<string>} [methods] names of remote methods that are exposed
 */

/**
 * @param {object} app the LoopBack application
 * @returns {object[]} the SharedMethods that REST has, of the models that are public
 */
function sharedMethodsOf(app) {
  const remotes = app.remotes();
  return remotes
    .classes((remotes.options ?? {}).rest)
    .flatMap((sharedClass) => sharedClass.methods())
    .filter((method) => !method.isSharedCtor);
}

/**
 * Lists the remote methods that are exposed.
 *
 * @param {object} app the LoopBack application
 * @param {object} adapter the REST adapter of strong-remoting
 * @param {Selection} selection what is exposed; without models and methods, everything that REST has
 * @returns {RemoteMethod[]} them, once for each of their names
 */
function remoteMethodsOf(app, adapter, selection) {
  const byName = new Map();
  const aliases = [];
  for (const method of sharedMethodsOf(app)) {
    const verb = verbOf(adapter, method);
    const places = placesOf(method, verb, pathsOf(adapter, method));
    const remote = { method, verb, places, refusal: refusalOf(method) };
    byName.set(method.stringName, remote);
    aliases.push(...aliasesOf(method).map((alias) => [alias, remote]));
  }
  for (const [alias, remote] of aliases) {
    if (!byName.has(alias)) {
      byName.set(alias, remote);
    }
  }
  return [...byName]
    .filter(([name, { method }]) => isSelected(selection, name, method))
    .map(([name, remote]) => ({ ...remote, name }));
}

/**
 * @param {Selection} selection what is exposed
 * @param {string} name a name of a remote method
 * @param {object} method the SharedMethod
 * @returns {boolean} whether it is exposed under that name
 */
function isSelected({ models, methods }, name, method) {
  if (models === undefined && methods === undefined) {
    return true;
  }
  return Boolean(models?.has(method.sharedClass.name) || methods?.has(name));
}

/**
 * @param {object} method a SharedMethod
 * @returns {string[]} the other names that its model has for it
 */
function aliasesOf(method) {
  const prefix = method.stringName.slice(0, -method.name.length);
  return method.aliases.map((alias) => prefix + alias);
}

/**
 * @param {object} adapter the REST adapter
 * @param {object} method a SharedMethod
 * @returns {string} the verb of its first route; `POST` if it takes any
 */
function verbOf(adapter, method) {
  const verb = adapter.getRoutes(method)[0]?.verb ?? 'all';
  if (verb === 'all') {
    return 'POST';
  }
  return verb === 'del' ? 'DELETE' : verb.toUpperCase();
}

/**
 * @param {object} adapter the REST adapter
 * @param {object} method a SharedMethod
 * @returns {string[]} the paths of all its routes; of an instance method, also those that find the instance
 */
function pathsOf(adapter, method) {
  const { isStatic, sharedCtor } = method;
  return (isStatic || !sharedCtor ? [method] : [sharedCtor, method])
    .flatMap((part) => adapter.getRoutes(part))
    .map(({ path }) => String(path));
}

/**
 * @param {object} method a SharedMethod
 * @returns {string | undefined} why it cannot be called over a socket, as the rest of a sentence that
 *   begins with its name
 */
function refusalOf({ name, streams, http, accepts, returns, sharedClass }) {
  if (streams) {
    return name === 'createChangeStream'
      ? `returns a stream; subscribe to '${sharedClass.name}.changes' instead`
      : 'returns a stream';
  }
  if (http?.pipe) {
    return 'pipes its request or response';
  }
  const taken = accepts.find((arg) => arg.http?.source === 'res');
  if (taken !== undefined) {
    return `writes the HTTP response itself (its argument '${taken.arg}')`;
  }
  const upload = accepts.find(({ type }) => isFile(type));
  if (upload !== undefined) {
    return `takes a file (its argument '${upload.arg}')`;
  }
  return returns.some(({ root, type }) => root && isFile(type)) ? 'returns a file' : undefined;
}

/**
 * @param {unknown} type the type of an argument
 * @returns {boolean} whether it is a file
 */
function isFile(type) {
  return typeof type === 'string' && type.toLowerCase() === 'file';
}

module.exports = { aliasesOf, refusalOf, remoteMethodsOf, sharedMethodsOf };
