'use strict';

/**
 * What `DEBUG=loopback-socket*` shows: one logger of npm `debug` for each topic. Topics have the names of the
 * channels, beside `error`.
 *
 * What must stay true: credentials, arguments and results are never written; whatever comes from a client is
 * quoted, so that it cannot forge a line.
 */

const createDebug = require('debug');

/** @type {Record<'connect' | 'disconnect' | 'authenticate' | 'call' | 'subscribe' | 'slow' | 'error', import('debug').Debugger>} */
const log = {
  connect: createDebug('loopback-socket:connect'),
  disconnect: createDebug('loopback-socket:disconnect'),
  authenticate: createDebug('loopback-socket:authenticate'),
  call: createDebug('loopback-socket:call'),
  subscribe: createDebug('loopback-socket:subscribe'),
  slow: createDebug('loopback-socket:slow'),
  error: createDebug('loopback-socket:error'),
};

/** Which of them are enabled, for these namespaces of `debug`. */
let enabled;
let namespaces;

/**
 * As `log[topic].enabled` of each topic, which takes `debug` 14 ns to say: too long to be asked several times for
 * each call.
 *
 * @returns {Readonly<Record<keyof typeof log, boolean>>} which topics are shown
 */
function shownTopics() {
  if (enabled === undefined || createDebug.namespaces !== namespaces) {
    ({ namespaces } = createDebug);
    enabled = Object.fromEntries(Object.entries(log).map(([name, write]) => [name, write.enabled]));
  }
  return enabled;
}

/** How many causes of an error are shown. */
const MAX_CAUSES = 5;

/**
 * @param {unknown} error what a handler failed with, which may be any value with any getters
 * @returns {string} its code and its message, in one line
 */
function summaryOf(error) {
  try {
    if (typeof error !== 'object' || error === null) {
      return typeof error === 'string' ? quoted(error) : String(error);
    }
    const { code, message } = error;
    const text = quoted(typeof message === 'string' ? message : String(error));
    return typeof code === 'string' ? `${quoted(code).slice(1, -1)} ${text}` : text;
  } catch {
    return 'a value that cannot be shown';
  }
}

/**
 * @param {unknown} error what a handler failed with, which may be any value with any getters
 * @returns {string} its stack and those of its causes, indented; without its own fields, which may have credentials in them
 */
function stackOf(error) {
  try {
    const stacks = [];
    for (let cause = error; cause !== undefined && stacks.length < MAX_CAUSES;) {
      const { stack } = Object(cause);
      stacks.push(typeof stack === 'string' ? stack : summaryOf(cause));
      cause = Object(cause).cause;
    }
    return indented(stacks.join('\ncaused by '));
  } catch {
    return 'an error that cannot be shown';
  }
}

/**
 * @param {string} text any text
 * @returns {string} the same in quotes, in one line of characters that can be shown
 */
function quoted(text) {
  return withoutControls(JSON.stringify(text).replaceAll(/[\u2028\u2029]/g, ' '));
}

/**
 * @param {string} text lines, in which the message of an error may be, and in that what a client has sent
 * @returns {string} the same, so that no line but the first begins where lines of the log begin
 */
function indented(text) {
  return withoutControls(text.replaceAll(/\r\n|[\n\r\u2028\u2029]/g, '\n  '));
}

/**
 * @param {string} text any text
 * @returns {string} the same, with control characters but for those of lines as JavaScript writes them
 */
function withoutControls(text) {
  return text.replaceAll(
    /[^\P{Cc}\n\t]/gu,
    (control) => `\\u${control.charCodeAt().toString(16).padStart(4, '0')}`,
  );
}

module.exports = { log, quoted, shownTopics, stackOf, summaryOf };
