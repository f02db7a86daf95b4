'use strict';

const js = require('@eslint/js');

const nodeGlobals = Object.fromEntries(
  [
    'AbortController',
    'AbortSignal',
    'Blob',
    'Buffer',
    'URL',
    'clearImmediate',
    'clearInterval',
    'clearTimeout',
    'console',
    'fetch',
    'global',
    'performance',
    'process',
    'queueMicrotask',
    'setImmediate',
    'setInterval',
    'setTimeout',
    'structuredClone',
    'TextDecoder',
    'TextEncoder',
    'URLSearchParams',
  ].map((name) => [name, 'readonly']),
);
const commonjsGlobals = Object.fromEntries(
  ['__dirname', '__filename', 'exports', 'module', 'require'].map((name) => [name, 'readonly']),
);
const commonGlobals = Object.fromEntries(
  ['Event', 'EventTarget', 'clearTimeout', 'queueMicrotask', 'setTimeout'].map((name) => [
    name,
    'readonly',
  ]),
);
const browserGlobals = Object.fromEntries(
  [
    'AbortController',
    'CustomEvent',
    'Event',
    'EventTarget',
    'IntersectionObserver',
    'Intl',
    'ResizeObserver',
    'Worker',
    'addEventListener',
    'clearInterval',
    'clearTimeout',
    'document',
    'fetch',
    'getComputedStyle',
    'localStorage',
    'location',
    'performance',
    'postMessage',
    'setInterval',
    'setTimeout',
    'window',
  ].map((name) => [name, 'readonly']),
);

const rules = {
  eqeqeq: ['error', 'always', { null: 'ignore' }],
  'no-shadow-restricted-names': 'error',
  'no-unused-vars': [
    'error',
    { args: 'after-used', caughtErrors: 'none', ignoreRestSiblings: true },
  ],
  'no-var': 'error',
  'object-shorthand': ['error', 'properties'],
  'prefer-const': ['error', { destructuring: 'all' }],
};

/** Fields with an underscore that are not ours to rename, or that users read; see the rules for `lib`. */
const FOREIGN_FIELDS = [
  // Node.js and ws
  [
    'cache',
    'connections',
    'emitCloseIfDrained',
    'handle',
    'header',
    'httpMessage',
    'load',
    'readableState',
    'receiver',
    'resolveFilename',
    'server',
    'socket',
  ],
  // Engine.IO, Socket.IO and its protocol
  ['fns', 'ids', 'nsps', 'placeholder', 'preConnectSockets', 'query'],
  // loopback-socket 0.4
  ['auth', 'connected', 'methods', 'name', 'timeout'],
  // an instance of ours, beside those of 0.4
  ['definitions'],
];
const OF_ANOTHER = `/^_(?!(${FOREIGN_FIELDS.flat().join('|')})$)[a-z]/i`;
const anotherClass = {
  message: 'This field is private to another class. Ask for what you need: an argument, a method.',
};

/** Loops that do not look at the clock. */
const UNTIMED = ':not(:has(MemberExpression[property.name="now"]))';

module.exports = [
  {
    ignores: [
      '**/node_modules/',
      'target/',
      'binding.js',
      'client.js',
      '**/dist/',
      'docs/.vitepress/cache/',
      '**/*.ts',
      '**/*.mts',
      '**/*.cts',
    ],
  },
  js.configs.recommended,
  {
    files: ['**/*.js'],
    languageOptions: {
      ecmaVersion: 2023,
      sourceType: 'commonjs',
      globals: { ...nodeGlobals, ...commonjsGlobals },
    },
    rules: { ...rules, strict: ['error', 'global'] },
  },
  {
    files: ['lib/**/*.js'],
    ignores: ['lib/socketio/**'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: `MemberExpression[object.type!=/^(ThisExpression|Super)$/][property.name=${OF_ANOTHER}]`,
          ...anotherClass,
        },
        { selector: `ObjectPattern > Property[key.name=${OF_ANOTHER}]`, ...anotherClass },
      ],
    },
  },
  {
    // The classes of Socket.IO are one unit, as they are there; a server's own state is its own all the same.
    files: ['lib/socketio/**/*.js'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: "MemberExpression[object.name='server'][property.name=/^_/]",
          ...anotherClass,
        },
        {
          selector: "MemberExpression[object.property.name='server'][property.name=/^_/]",
          ...anotherClass,
        },
      ],
    },
  },
  {
    // A loop that looks again and again outlives its test unless it is limited.
    files: ['__test__/**/*.js'],
    ignores: ['__test__/support/waiting.js'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: `WhileStatement[body.type="EmptyStatement"]${UNTIMED}`,
          message:
            'Use reach() or limited() of __test__/support/waiting.js, which give up in time.',
        },
        ...['[body.type!="BlockStatement"]', '[body.body.length=1]'].map((body) => ({
          selector: `WhileStatement${body}${UNTIMED} NewExpression Identifier[name=/^set(Immediate|Timeout)$/]`,
          message: 'Use reach() of __test__/support/waiting.js, which gives up in time.',
        })),
      ],
    },
  },
  {
    files: ['**/*.mjs'],
    ignores: ['client.mjs'],
    languageOptions: { ecmaVersion: 2023, sourceType: 'module', globals: nodeGlobals },
    rules,
  },
  {
    // For browsers, too, and so without what only Node.js has.
    files: ['client.mjs'],
    languageOptions: { ecmaVersion: 2023, sourceType: 'module', globals: commonGlobals },
    rules,
  },
  {
    files: ['examples/*/client/**/*.js'],
    languageOptions: {
      sourceType: 'module',
      globals: {
        ...Object.fromEntries(
          Object.keys({ ...nodeGlobals, ...commonjsGlobals }).map((name) => [name, 'off']),
        ),
        ...browserGlobals,
      },
    },
    rules: { strict: 'off' },
  },
];
