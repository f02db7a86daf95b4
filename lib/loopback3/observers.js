'use strict';

/**
 * The changes of models. However many listen to the changes of a model, it has one observer for each of the
 * operations, and none when nobody listens.
 */

const { isRegExp } = require('util').types;
const { warnOf } = require('../events');
const { hiddenOf, visibleData, visibleWhere } = require('./hidden');

/** How many instances of one deletion are looked up. */
const MAX_LOOKED_UP = 100;

/**
 * A change of a model, as LoopBack's change stream has it.
 *
 * @typedef {object} Change
 * @property {object} item what is sent: `type` is `create`, `update` or `remove`; `target` is the id of the
 *   instance, `where` and `data` are there if the operation has them; nothing of it is hidden from clients
 * @property {unknown} target the id of the instance, also if it is hidden
 * @property {object[] | undefined} instances the instances that it is about; `undefined` if they are unknown
 * @property {object[] | undefined} plainInstances the same as JSON has them, made once for all listeners
 */

/**
 * @callback Listener receives a change
 * @param {Change} change the change
 * @returns {void}
 */

/** @type {WeakMap<Function, ModelObservers>} by model */
const observers = new WeakMap();

class ModelObservers {
  #Model;
  /** @type {Set<Listener>} */
  #listeners = new Set();
  /** How many of them need to know what has been removed. */
  #lookingUp = 0;
  /** @type {WeakMap<object, object[]>} what is being deleted, by the state of the operation */
  #deleted = new WeakMap();

  /**
   * @param {Function} Model whose changes
   */
  constructor(Model) {
    this.#Model = Model;
    this.observed = {
      'before delete': (ctx) => this.#lookUp(ctx),
      'after save': (ctx, next) => {
        this.#tell(ctx, false);
        next();
      },
      'after delete': (ctx, next) => {
        this.#tell(ctx, true);
        next();
      },
    };
  }

  /**
   * @param {Listener} listener receives the changes from now on
   * @param {boolean} needsInstances whether it has to know what has been removed
   * @returns {() => void} ends it
   */
  listen(listener, needsInstances) {
    if (this.#listeners.size === 0) {
      this.#observe('after save');
      this.#observe('after delete');
    }
    this.#listeners.add(listener);
    if (needsInstances) {
      this.#lookingUp += 1;
      if (this.#lookingUp === 1) {
        this.#observe('before delete');
      }
    }
    return () => {
      if (!this.#listeners.delete(listener)) {
        return;
      }
      if (needsInstances) {
        this.#lookingUp -= 1;
        if (this.#lookingUp === 0) {
          this.#unobserve('before delete');
        }
      }
      if (this.#listeners.size === 0) {
        this.#unobserve('after save');
        this.#unobserve('after delete');
      }
    };
  }

  /**
   * @param {string} operation what to observe
   * @returns {void}
   */
  #observe(operation) {
    this.#Model.observe(operation, this.observed[operation]);
  }

  /**
   * @param {string} operation what to observe no more
   * @returns {void}
   */
  #unobserve(operation) {
    this.#Model.removeObserver(operation, this.observed[operation]);
  }

  /**
   * Finds what a deletion is about, while it is there.
   *
   * @param {object} ctx of the operation
   * @returns {Promise<void>} resolves when it is known, or cannot be
   */
  async #lookUp({ Model, instance, where, hookState, options }) {
    if (instance || !hookState || Model !== this.#Model) {
      return;
    }
    try {
      const limit = MAX_LOOKED_UP + 1;
      const found = await this.#Model.find({ where: where ?? {}, limit }, options);
      if (found.length < limit) {
        this.#deleted.set(hookState, found);
      }
    } catch {
      // The deletion goes on; what it was about stays unknown.
    }
  }

  /**
   * An operation is done.
   *
   * @param {object} ctx of the operation
   * @param {boolean} isRemoved whether it was a deletion
   * @returns {void}
   */
  #tell(ctx, isRemoved) {
    // Models that extend this one notify its observers, too, and have access control of their own.
    if (ctx.Model !== this.#Model) {
      return;
    }
    try {
      const change = this.#changeOf(ctx, isRemoved);
      for (const listener of [...this.#listeners]) {
        listener(change);
      }
    } catch (error) {
      // What has been saved is saved, also if it cannot be sent.
      warnOf(error);
    }
  }

  /**
   * @param {object} ctx of the operation
   * @param {boolean} isRemoved whether it was a deletion
   * @returns {Change} what it changed
   */
  #changeOf(ctx, isRemoved) {
    const { instance, where, hookState } = ctx;
    const Model = this.#Model;
    const data = instance || ctx.data;
    const idName = Model.getIdName();
    const target = idOf(data, idName) ?? idIn(where, idName);
    const instances = instance ? [instance] : isRemoved ? this.#deleted.get(hookState) : undefined;
    const item = plain({
      type: isRemoved ? 'remove' : typeOf(ctx, target),
      target: hiddenOf(Model).includes(idName) ? undefined : target,
      // The memory connector takes a function for a filter, which JSON would leave out.
      where: typeof where === 'function' ? null : (where ?? undefined),
      data: data ?? undefined,
    });
    if (item.where) {
      item.where = visibleWhere(Model, item.where);
    }
    if (item.data && !instance) {
      item.data = visibleData(Model, item.data);
    }
    let plainInstances;
    return {
      item,
      target,
      instances,
      get plainInstances() {
        plainInstances ??= instances?.map(plain);
        return plainInstances;
      },
    };
  }
}

/**
 * @param {Function} Model a model
 * @returns {ModelObservers} its observers, always the same
 */
function observersOf(Model) {
  let found = observers.get(Model);
  if (found === undefined) {
    found = new ModelObservers(Model);
    observers.set(Model, found);
  }
  return found;
}

/**
 * @param {object} ctx of an operation that saved
 * @param {unknown} target the id of the instance, if it is known
 * @returns {'create' | 'update'} what it did; LoopBack takes an `updateAll` for a creation, which has no filter
 */
function typeOf({ isNewInstance, where }, target) {
  const isNew = isNewInstance ?? (target === undefined && where === undefined);
  return isNew ? 'create' : 'update';
}

/**
 * @param {object} [values] data or a filter
 * @param {string} idName the property that is the id
 * @returns {unknown} the id in it; `undefined` if there is none
 */
function idOf(values, idName) {
  const id = values?.[idName];
  return id || id === 0 ? id : undefined;
}

/**
 * @param {object} [where] a filter
 * @param {string} idName the property that is the id
 * @returns {unknown} the id that it selects; `undefined` if it has a condition on the id, such as `inq`, or none
 */
function idIn(where, idName) {
  const id = idOf(where, idName);
  return isCondition(id) ? undefined : id;
}

/**
 * @param {unknown} value what a filter is given for a property
 * @returns {boolean} whether it is a condition and no value: a plain object of operators, a list or a pattern
 */
function isCondition(value) {
  if (typeof value !== 'object' || value === null) {
    return false;
  }
  const prototype = Object.getPrototypeOf(value);
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  return isPlain || Array.isArray(value) || isRegExp(value);
}

/**
 * @param {object} value any object
 * @returns {object} it as JSON has it
 */
function plain(value) {
  return JSON.parse(JSON.stringify(value));
}

module.exports = { observersOf };
