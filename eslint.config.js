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
const browserGlobals = { document: 'readonly', fetch: 'readonly', window: 'readonly' };

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

module.exports = [
  { ignores: ['**/node_modules/', 'target/', 'binding.js', '**/*.ts', '**/*.mts', '**/*.cts'] },
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
    files: ['**/*.mjs'],
    languageOptions: { ecmaVersion: 2023, sourceType: 'module', globals: nodeGlobals },
    rules,
  },
  {
    files: ['examples/*/client/**/*.js'],
    languageOptions: { sourceType: 'script', globals: browserGlobals },
  },
];
