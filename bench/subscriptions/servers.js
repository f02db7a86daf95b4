'use strict';

// What subscriptions are compared on: the native server and the hosted one, a plain broadcast of the
// native server as the yardstick, and two peers on `ws`, graphql-ws and tRPC, as their documentation
// has them. All of them serve the same items.

const fs = require('node:fs');
const path = require('node:path');
const { PEERS_FOLDER } = require('../servers');

const APP = path.join(__dirname, 'app.js');

/**
 * @typedef {object} SubscriptionServer
 * @property {string} title - what the report calls it
 * @property {string} color - in charts
 * @property {(string | number)[]} args - of the load generators: what is spoken, and where
 * @property {string} [needs] - a package of `peers/` that it takes
 */

const SOCKET_IO = ['--protocol', 'socket-io', '--eio', 4];

/** @type {Record<string, SubscriptionServer>} */
const SUBSCRIPTION_SERVERS = {
  broadcast: {
    title: 'plain broadcast, native',
    color: '#b9b2a7',
    args: [...SOCKET_IO, '--broadcast'],
  },
  native: { title: 'native', color: '#d9541e', args: SOCKET_IO },
  'hosted-4': { title: 'hosted on socket.io 4.8.4', color: '#5b9bd5', args: SOCKET_IO },
  'graphql-ws': {
    title: 'graphql-ws on ws',
    color: '#7f8794',
    args: ['--protocol', 'graphql-transport-ws', '--path', '/graphql'],
    needs: 'graphql-ws',
  },
  trpc: {
    title: 'tRPC on ws',
    color: '#8a6fb0',
    args: ['--protocol', 'trpc', '--path', '/trpc'],
    needs: '@trpc/server',
  },
};

/**
 * @param {string} name - of a server
 * @returns {[string, string[]]} what starts it
 */
const commandOf = (name) => [process.execPath, [APP, name]];

/** @returns {string[]} the servers that could be installed */
const installedServers = () =>
  Object.keys(SUBSCRIPTION_SERVERS).filter((name) => {
    const { needs } = SUBSCRIPTION_SERVERS[name];
    return !needs || fs.existsSync(path.join(PEERS_FOLDER, 'node_modules', needs));
  });

module.exports = { SUBSCRIPTION_SERVERS, commandOf, installedServers };
