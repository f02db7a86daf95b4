'use strict';

/**
 * What works from one node to another: every feature is a function that acts on node `a` and looks at what happens on
 * both. They run one after the other on the same two nodes, each with clients of its own.
 */

/**
 * @typedef {object} World
 * @property {import('../cluster').Node} a - the node that acts
 * @property {import('../cluster').Node} b - the other one
 * @property {import('../cluster').Cluster} cluster
 * @property {(node: import('../cluster').Node, options?: object) => Promise<import('../client').Client>} connect
 * @property {string} adapter - its name
 * @property {any} [emitter] - of the adapter, outside of both nodes
 */

/** @typedef {(world: World) => Promise<void>} Feature */

/**
 * @typedef {object} Group
 * @property {string} name
 * @property {boolean} [authentication] - whether a LoopbackSocket is started on the nodes
 * @property {boolean} [emitter] - whether the features are those of an emitter outside
 * @property {Record<string, Feature>} features - by title
 */

/** @type {Group[]} */
const GROUPS = [{ name: 'broadcasts', features: require('./broadcasts') }];

module.exports = { GROUPS };
