/**
 * Has `require('socket.io')` and `import … from 'socket.io'` find the native server from here on:
 * `node -r loopback-socket/register app.js`. Nothing is exported.
 *
 * @example
 * // the first line of an app, instead of the flag
 * import 'loopback-socket/register';
 */
export {};
