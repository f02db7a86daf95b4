'use strict';

// What clients of this app can call and subscribe to, for the hints of the page. The remote methods are
// described by LoopBack itself; those that the app defines for its sockets are described here.

const { version: socketioVersion } = require('socket.io/package.json');

/** Whether a client sends an argument; others are computed from the request. */
const isSent = ({ http }) =>
  typeof http !== 'function' && !['req', 'res', 'context'].includes(http?.source);

/** Examples of arguments of remote methods, by the method's own name. */
const EXAMPLES = {
  find: { filter: { where: { author: 'Mary Shelley' }, limit: 5 } },
  findOne: { filter: { order: 'year ASC' } },
  findById: { id: 1 },
  exists: { id: 1 },
  count: { where: { author: 'Mary Shelley' } },
  create: { data: { title: 'Emma', author: 'Jane Austen', year: 1815 } },
  'prototype.patchAttributes': { id: 1, data: { year: 1818 } },
};

const text = (name, description, required = false) => ({
  name,
  type: 'string',
  required,
  description,
});
const number = (name, description, required = false) => ({
  name,
  type: 'number',
  required,
  description,
});

/** What the models define with `defineMethod` and `defineSubscription`. */
const OWN = [
  {
    name: 'findBooks',
    kind: 'method',
    description: 'Finds books, the oldest first.',
    args: [
      text('author', 'only books of this author'),
      number('limit', 'at most 100; 10 if left out'),
    ],
    example: { author: 'Mary Shelley', limit: 3 },
  },
  {
    name: 'addBook',
    kind: 'method',
    description: 'Adds a book, and broadcasts “bookAdded” to all other authenticated sockets.',
    args: [
      text('title', 'of the book', true),
      text('author', 'of the book', true),
      number('year', 'of its publication', true),
    ],
    example: { title: 'Adam Bede', author: 'George Eliot', year: 1859 },
  },
  {
    name: 'getProfile',
    kind: 'method',
    description: 'The customer that this socket has authenticated as.',
    args: [],
    example: {},
  },
  {
    name: 'echo',
    kind: 'method',
    description: 'Answers with its arguments: what a call itself costs, without the app’s work.',
    args: [{ name: 'value', type: 'any', required: false, description: 'anything' }],
    example: { value: 'hello' },
  },
  {
    name: 'restartServers',
    kind: 'method',
    description: 'Ends every connection and listens again after a moment.',
    args: [number('pause', 'milliseconds in which nobody listens, at most 10,000')],
    example: { pause: 1000 },
  },
  {
    name: 'serverLoad',
    kind: 'subscription',
    description:
      'How busy the server’s event loop is, twice a second. All subscribers share one source.',
    args: [],
    example: {},
  },
];

/**
 * @param {object} method - a shared method of strong-remoting
 * @returns {object} what the page shows of it
 */
function describe(method) {
  const [model, ...rest] = method.stringName.split('.');
  const own = rest.join('.');
  const args = method.accepts.filter(isSent).map(({ arg, type, required, description }) => ({
    name: arg,
    type: Array.isArray(type) ? 'array' : String(type ?? 'any'),
    required: Boolean(required),
    description: description ?? '',
  }));
  if (own.startsWith('prototype.')) {
    const id = { name: 'id', type: 'any', required: true, description: 'of the instance' };
    args.unshift(id);
  }
  const required = Object.fromEntries(
    args.filter((arg) => arg.required).map(({ name }) => [name, name === 'id' ? 1 : null]),
  );
  return {
    name: method.stringName,
    kind: 'method',
    group: model,
    description: [].concat(method.description ?? []).join(' '),
    args,
    example: (model === 'Book' || own === 'findById' ? EXAMPLES[own] : undefined) ?? required,
  };
}

/**
 * @param {object} app - the LoopBack app, booted
 * @returns {object[]} methods and subscriptions with their arguments
 */
function catalogue(app) {
  const remote = app
    .remotes()
    .methods()
    .filter(({ stringName }) => !stringName.endsWith('.createChangeStream'));
  const changes = ['Book', 'Customer'].map((model) => ({
    name: `${model}.changes`,
    kind: 'subscription',
    group: model,
    description: `The changes of the model ${model}, as they happen, as far as its ACLs allow.`,
    args: [
      {
        name: 'where',
        type: 'object',
        required: false,
        description: 'only changes of instances that match',
      },
    ],
    example: model === 'Book' ? { where: { year: { gt: 1850 } } } : {},
  }));
  return [
    ...OWN.map((entry) => ({ ...entry, group: 'Bookshop' })),
    ...remote.map(describe),
    ...changes,
  ];
}

module.exports = { catalogue, socketioVersion };
