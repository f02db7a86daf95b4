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
 * @property {Record<string, Feature>} features - by title
 * @property {object} [config] - of the cluster; see `Cluster`
 * @property {boolean} [emitter] - whether the features are those of an emitter outside
 * @property {boolean} [waiting] - whether they wait for a timeout, and run beside the others meanwhile
 */

const emitters = require('./emitters');
const serverSideEmit = require('./server-side-emit');

/** A LoopbackSocket is started on the nodes. */
const AUTHENTICATION = { authentication: true };

/** Nodes and clients speak MessagePack. */
const MSGPACK = { parser: 'socket.io-msgpack-parser' };

/** @type {Group[]} */
const GROUPS = [
  { features: serverSideEmit.WAITING, waiting: true },
  { features: require('./broadcasts').FEATURES },
  { features: require('./rooms').FEATURES },
  { features: require('./remote-sockets').FEATURES },
  { features: require('./acknowledgements').FEATURES },
  { features: serverSideEmit.FEATURES },
  { features: require('./namespaces').FEATURES },
  { features: require('./clients').FEATURES },
  { features: emitters.FEATURES, emitter: true },
  { features: require('./authentication').FEATURES, config: AUTHENTICATION },
  { features: emitters.AUTHENTICATION, config: AUTHENTICATION, emitter: true },
  { features: require('./msgpack').FEATURES, config: MSGPACK },
];

module.exports = { GROUPS };
