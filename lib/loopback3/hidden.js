'use strict';

/**
 * Keeps what clients may not see of a model out of what they are sent: the `hidden` and `protected` properties of
 * the model and of the models that are embedded in it.
 *
 * Instances hide these by their `toJSON`. The data and the filters of operations on many instances are raw, and
 * are what this is about.
 *
 * What must stay true: in doubt, it is not sent.
 */

/** The names by which a filter joins filters of the same model. */
const JUNCTIONS = new Set(['and', 'or', 'nor']);

/** Nothing is hidden. @type {Set<string>} */
const NONE = new Set();

/**
 * @param {Function} Model a model
 * @returns {string[]} the properties that are not sent to clients
 */
function hiddenOf(Model) {
  const { hidden, hiddenProperties, protected: shielded, protectedProperties } = Model.settings;
  return [hidden, hiddenProperties, shielded, protectedProperties].flatMap((names) =>
    Array.isArray(names) ? names : Object.keys(names ?? {}).filter((name) => names[name]),
  );
}

/**
 * @param {Function} Model a model
 * @param {object} data what an operation sets, as JSON has it
 * @returns {object} the same without what clients may not see, on every level
 */
function visibleData(Model, data) {
  return visible(Model, data, hiddenWithin(Model));
}

/**
 * Without one of its conditions a filter would select other instances, so it is given whole or not at all.
 *
 * @param {Function} Model a model
 * @param {object} where the filter of an operation, as JSON has it
 * @returns {object | null} the filter; `null` if it names what clients may not see
 */
function visibleWhere(Model, where) {
  const hidden = hiddenWithin(Model);
  return hidden.size > 0 && namesHidden(Model, where, hidden) ? null : where;
}

/**
 * @param {Function | undefined} Model the model of a value; `undefined` if it has none
 * @param {any} value a part of the data
 * @param {Set<string>} hidden what clients may not see of the outermost model and those in it
 * @returns {any} what they may see of it
 */
function visible(Model, value, hidden) {
  if (Model === undefined || typeof value !== 'object' || value === null) {
    return value;
  }
  if (Array.isArray(value)) {
    return value.map((one) => visible(Model, one, hidden));
  }
  const entries = Object.entries(value).flatMap(([name, inner]) => {
    if (isOperator(name)) {
      return mentions(inner, hidden) ? [] : [[name, inner]];
    }
    const end = endOf(Model, name, NONE);
    return end === undefined ? [] : [[name, visible(end.Model, inner, hidden)]];
  });
  return Object.fromEntries(entries);
}

/**
 * Where there is no model, names are looked for whatever they mean: connectors have operators of their own.
 *
 * @param {Function | undefined} Model the model that the names are of; `undefined` if there is none
 * @param {unknown} value a filter or a part of one
 * @param {Set<string>} hidden what clients may not see of the outermost model and those in it
 * @returns {boolean} whether it names any of that
 */
function namesHidden(Model, value, hidden) {
  if (typeof value !== 'object' || value === null) {
    return false;
  }
  if (Array.isArray(value)) {
    return value.some((one) => namesHidden(Model, one, hidden));
  }
  return Object.entries(value).some(([name, inner]) => {
    if (isOperator(name)) {
      return mentions({ [name]: inner }, hidden);
    }
    const end = isJunction(Model, name, inner) ? { Model } : endOf(Model, name, hidden);
    return end === undefined || namesHidden(end.Model, inner, hidden);
  });
}

/**
 * Follows a path into embedded models.
 *
 * @param {Function | undefined} Model the model that it begins at; `undefined` if there is none
 * @param {string} name a property, or a path to one
 * @param {Set<string>} hidden what is hidden where there is no model
 * @returns {{Model: Function | undefined} | undefined} the model of the value it leads to; `undefined` if a part of it
 *   is hidden
 */
function endOf(Model, name, hidden) {
  let current = Model;
  for (const part of name.split('.')) {
    if (current === undefined ? hidden.has(part) : hiddenOf(current).includes(part)) {
      return undefined;
    }
    current = current !== undefined && !isIndex(part) ? embedded(current, part) : current;
  }
  return { Model: current };
}

/**
 * @param {Function | undefined} Model the model that a filter is of
 * @param {string} name a name in the filter
 * @param {unknown} inner what it is given
 * @returns {boolean} whether it joins filters of the same model, and cannot be a property
 */
function isJunction(Model, name, inner) {
  return (
    JUNCTIONS.has(name) &&
    Array.isArray(inner) &&
    Model !== undefined &&
    !hiddenOf(Model).includes(name) &&
    !Object.hasOwn(Model.definition?.properties ?? {}, name)
  );
}

/**
 * @param {unknown} value what an operator of MongoDB is given: it may name properties in strings, also in code
 * @param {Set<string>} hidden what clients may not see
 * @returns {boolean} whether any of that is in it, as a whole word
 */
function mentions(value, hidden) {
  if (typeof value === 'string') {
    return (
      value.split(/\W+/).some((word) => hidden.has(word)) ||
      [...hidden].some((name) => !/^\w+$/.test(name) && value.includes(name))
    );
  }
  if (typeof value !== 'object' || value === null) {
    return false;
  }
  return Array.isArray(value)
    ? value.some((one) => mentions(one, hidden))
    : Object.entries(value).some((entry) => mentions(entry, hidden));
}

/**
 * @param {Function} Model a model
 * @param {Set<string>} [names] those that have been found
 * @param {Set<Function>} [seen] the models that have been looked at; a model may be embedded in itself
 * @returns {Set<string>} the names of what clients may not see of it and of the models embedded in it
 */
function hiddenWithin(Model, names = new Set(), seen = new Set()) {
  if (!seen.has(Model)) {
    seen.add(Model);
    hiddenOf(Model).forEach((name) => names.add(name));
    for (const name of Object.keys(Model.definition?.properties ?? {})) {
      const inner = embedded(Model, name);
      if (inner !== undefined) {
        hiddenWithin(inner, names, seen);
      }
    }
  }
  return names;
}

/**
 * @param {Function} Model a model
 * @param {string} name a property; that of an embedded relation is one, too
 * @returns {Function | undefined} the model of its value, or of the elements of its value
 */
function embedded(Model, name) {
  const properties = Model.definition?.properties ?? {};
  const [type] = Object.hasOwn(properties, name) ? [properties[name].type].flat() : [];
  return typeof type === 'function' && type.settings ? type : undefined;
}

/**
 * @param {string} name a name in data or a filter
 * @returns {boolean} whether it is an operator of MongoDB, which an application may allow
 */
function isOperator(name) {
  return name.startsWith('$');
}

/**
 * @param {string} part of a path
 * @returns {boolean} whether it leads to an element of an array
 */
function isIndex(part) {
  return /^\d+$/.test(part) || part.startsWith('$');
}

module.exports = { hiddenOf, visibleData, visibleWhere };
