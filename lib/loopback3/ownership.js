'use strict';

/**
 * Who owns an instance, as LoopBack's role `$owner` decides it, told from the instance itself: the one that
 * was removed can no longer be found.
 */

/**
 * Whose access a change is checked for.
 *
 * @typedef {object} User
 * @property {unknown} userId the id
 * @property {string} [principalType] the user's model, if the application has several
 */

/**
 * @param {Function} Model a model
 * @param {object} instance an instance of it
 * @param {User} user a user
 * @returns {boolean} whether the user owns the instance
 */
function isOwner(Model, instance, { userId, principalType }) {
  const User = Model.registry.findModel('User');
  const isUser = (other) => other === User || other?.prototype instanceof User;
  const isKind = (model) => principalType === undefined || model.modelName === principalType;
  const is = (id) => id !== undefined && id !== null && String(id) === String(userId);
  if (!User) {
    return false;
  }
  if (isUser(Model) && isKind(Model)) {
    return is(instance[Model.getIdName()]);
  }
  const relations = Object.entries(Model.relations ?? {}).filter(
    ([, { type, modelTo }]) => type === 'belongsTo' && isUser(modelTo) && isKind(modelTo),
  );
  const { ownerRelations } = Model.settings;
  if (!ownerRelations) {
    const owner = instance.userId || instance.owner;
    if (principalType === undefined && owner && typeof owner !== 'function') {
      return is(owner);
    }
    return relations.length > 0 && is(instance[relations[0][1].keyFrom]);
  }
  return relations.some(
    ([name, { keyFrom }]) =>
      (ownerRelations === true || ownerRelations.includes(name)) && is(instance[keyFrom]),
  );
}

/**
 * @param {Function} Model a model
 * @param {object} method the SharedMethod that reads its changes
 * @returns {boolean} whether its ACLs may allow the method to the owner of an instance
 */
function isAllowedToOwners(Model, method) {
  return (Model.settings.acls ?? []).some(
    ({ principalId, permission, accessType = '*', property = '*' }) =>
      principalId === '$owner' &&
      permission === 'ALLOW' &&
      ['*', 'READ'].includes(accessType) &&
      [property].flat().some((name) => name === '*' || name === method.name),
  );
}

module.exports = { isAllowedToOwners, isOwner };
