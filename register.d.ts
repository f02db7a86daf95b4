/**
 * Makes `require('socket.io')` and `import … from 'socket.io'` return the native server from now
 * on: `node -r loopback-socket/register app.js`. Exports nothing.
 *
 * @example
 * // the first line of an app, instead of the flag
 * import 'loopback-socket/register';
 */
export {};
