'use strict';

/**
 * The native server of one `Server`, shared by that server's objects. It is there from the moment the
 * `Server` is attached until it is closed; attached again, the `Server` gets another one.
 */
class NativeLink {
  /** @type {import('../../binding').NativeServer | undefined} the native server */
  native;
  /** @type {import('./command-writer').Output | undefined} what is sent to it */
  commands;
  /** Whether the `Server` is closing, or closed: nothing new begins. */
  isClosing = false;
}

module.exports = { NativeLink };
