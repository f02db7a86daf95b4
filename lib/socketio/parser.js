'use strict';

/**
 * Which wire format an application asks for. The formats themselves are the native server's
 * (`src/socketio/parser`); a parser module only selects one of them.
 */

/** A packet, and how each of the formats encodes it: that tells which one a module has. */
const PACKET = { type: 2, nsp: '/', data: ['m'] };
const AS_JSON = '2["m"]';
const AS_MSGPACK = Buffer.from('83a47479706502a36e7370a12fa46461746191a16d', 'hex');

/**
 * The native server's name for the wire format of the option `parser`.
 *
 * @param {unknown} given `undefined` for the default, `'json'`, `'msgpack'`, or a module with an
 *   `Encoder`: `require('socket.io-msgpack-parser')`, or `socket.io-parser`
 * @returns {'json' | 'msgpack' | undefined} the name; `undefined` if it is neither format
 */
function parserName(given) {
  if (given === undefined || given === 'json') {
    return 'json';
  }
  if (given === 'msgpack') {
    return 'msgpack';
  }
  const messages = encoded(given);
  if (!Array.isArray(messages) || messages.length !== 1) {
    return undefined;
  }
  const [message] = messages;
  if (message === AS_JSON) {
    return 'json';
  }
  return message instanceof Uint8Array && AS_MSGPACK.equals(message) ? 'msgpack' : undefined;
}

/**
 * @param {unknown} parser what may be a parser module
 * @returns {unknown} what its encoder makes of the packet; `undefined` if it has none
 */
function encoded(parser) {
  let messages;
  try {
    // The encoders of Socket.IO 2 call back, those of later versions return.
    const returned = new parser.Encoder().encode({ ...PACKET }, (list) => {
      messages = list;
    });
    return messages ?? returned;
  } catch {
    return undefined;
  }
}

module.exports = { parserName };
