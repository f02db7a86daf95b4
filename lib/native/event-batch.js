'use strict';

/**
 * Takes the batches of events of the native server apart (`src/protocol.rs` defines their records) and
 * calls the handler of each event.
 */

const { AsyncResource, executionAsyncId } = require('async_hooks');
const { reconstruct } = require('./attachments');
const { decode } = require('./msgpack');
const protocol = require('./protocol');

const { CLIENT_NAMESPACE_DISCONNECT } = protocol.CloseReason;
const { ATTACHMENT_RADIX, NONE, RECORD_FIELDS: FIELDS } = protocol.Layout;
const {
  EVENT,
  METHOD,
  AUTHENTICATION,
  CONNECT,
  DISCONNECT,
  ACKNOWLEDGEMENT,
  CLOSED,
  RESPONSE,
  NAMESPACE_REQUEST,
  UPGRADED,
  RELAY,
  PACKET,
  MALFORMED,
  RELEASED,
  INVALID_COMMAND,
  BROADCAST_SENT,
  SUBSCRIPTION_ENDED,
  SUBSCRIPTION_CREDIT,
  OPENED,
  HANDED_BACK,
} = protocol.RecordKind;

/** What tools that watch asynchronous contexts call that of a record. */
const CONTEXT = 'LOOPBACK_SOCKET_EVENT';

/**
 * The values of a batch, six a record.
 *
 * @param {string} batch the batch
 * @param {() => string[]} records gives its records one by one, should it not parse as a whole
 * @param {(subject: number) => void} malformed learns whose record cannot be parsed
 * @returns {unknown[]} the values of all records that can
 */
function parseBatch(batch, records, malformed) {
  try {
    return JSON.parse(batch);
  } catch {
    const values = [];
    for (const record of records()) {
      try {
        values.push(...JSON.parse(record));
      } catch {
        const [kind, subject] = record.slice(1).split(',', 2).map(Number);
        if (kind === EVENT || kind === ACKNOWLEDGEMENT) {
          malformed(subject);
        }
        // What runs for this event must not run for the one before it.
        values.push(EVENT, subject, NONE, NONE, NONE, undefined);
      }
    }
    return values;
  }
}

/**
 * How a payload and its attachments become one value.
 *
 * @param {'json' | 'msgpack'} parser how values look on the wire
 * @returns {(payload: unknown, attachments: Buffer[]) => unknown} what does it
 */
function assembler(parser) {
  return parser === 'msgpack' ? (payload, [packed]) => decode(packed) : reconstruct;
}

/**
 * Calls the handler of each record of a batch, in order. What a listener of the application throws
 * becomes an uncaught exception, as with any emitter, and the records behind it are dispatched all the same.
 *
 * @param {object} server has a method for each kind of record: see `lib/socketio/event-handlers.js`
 * @param {unknown[]} values from `parseBatch`
 * @param {Buffer[]} [attachments] the binary values of all records
 * @param {(payload: unknown, attachments: Buffer[]) => unknown} [assemble] from `assembler`
 * @returns {void}
 */
function dispatch(server, values, attachments, assemble = reconstruct) {
  const { ending, leaving } = endingIn(values);
  for (let i = 0; i < values.length; i += FIELDS) {
    const kind = values[i];
    const subject = values[i + 1];
    const a = values[i + 2];
    const b = values[i + 3];
    const place = values[i + 4];
    try {
      if (kind === EVENT) {
        let payload = values[i + 5];
        const behind = stepsBehind(values, i);
        i += (behind?.length ?? 0) * FIELDS;
        if (place >= 0) {
          payload = whole(server, subject, payload, attachments, place, assemble);
        }
        if (payload !== undefined) {
          const isLast = leaving?.has(subject) ?? false;
          apart(server.event, server, subject, payload, acknowledgement(a), b, isLast, behind);
        }
      } else if (kind === RESPONSE) {
        const body = attachments?.[Math.floor(place / ATTACHMENT_RADIX)];
        server.response(subject, a, b, values[i + 5], body);
      } else if (kind === OPENED) {
        const isWebsocket = (b & 1) > 0;
        apart(server.opened, server, subject, a, isWebsocket, (b & 2) > 0, values[i + 5]);
      } else if (kind === HANDED_BACK) {
        server.handedBack(subject, a, attachedTo(attachments, place), values[i + 5]);
      } else if (kind === RELAY) {
        server.relayed(subject, a, attachments?.[Math.floor(place / ATTACHMENT_RADIX)]);
      } else if (kind === PACKET) {
        const bytes = attachments[Math.floor(place / ATTACHMENT_RADIX)];
        apart(server.packet, server, subject, a, b, bytes);
      } else if (kind === SUBSCRIPTION_CREDIT) {
        apart(server.subscriptionCredit, server, subject, a, b);
      } else if (kind === SUBSCRIPTION_ENDED) {
        apart(server.subscriptionEnded, server, subject, a, b);
      } else if (kind === CONNECT) {
        const joins = joining(values[i + 5], attachments, place, assemble);
        const packed = attachments?.[Math.floor(place / ATTACHMENT_RADIX)];
        apart(server.connect, server, subject, a, b, joins, ending?.has(subject) ?? false, packed);
      } else if (kind === DISCONNECT) {
        apart(server.disconnect, server, subject, a, values[i + 5]);
      } else if (kind === CLOSED) {
        apart(server.closed, server, subject, a, values[i + 5]);
      } else if (kind === MALFORMED) {
        apart(server.failed, server, subject);
      } else if (kind === NAMESPACE_REQUEST) {
        const asked = joining(values[i + 5], attachments, place, assemble);
        const packed = attachments?.[Math.floor(place / ATTACHMENT_RADIX)];
        apart(server.ask, server, subject, asked, packed);
      } else if (kind === RELEASED) {
        server.released(subject);
      } else if (kind === BROADCAST_SENT) {
        apart(server.broadcastSent, server, subject, a, values[i + 5]);
      } else if (kind === INVALID_COMMAND) {
        server.invalidCommand(values[i + 5]);
      } else if (kind === UPGRADED) {
        apart(server.upgraded, server, subject);
      } else if (kind === ACKNOWLEDGEMENT) {
        const args =
          place >= 0
            ? whole(server, subject, values[i + 5], attachments, place, assemble)
            : values[i + 5];
        if (args !== undefined) {
          apart(server.acknowledged, server, subject, a, args);
        }
      }
    } catch (error) {
      process.nextTick(rethrow, error);
    }
  }
}

/**
 * Calls what may run functions of the application, in an asynchronous context of its own, as each message has one in
 * Node's servers: what a function puts into an `AsyncLocalStorage` with `enterWith()` is not seen by the next
 * record, which may be another client's.
 *
 * @param {Function} handler the handler of a record
 * @param {object} server whose it is
 * @param {...unknown} args its arguments
 * @returns {void}
 */
function apart(handler, server, ...args) {
  // What causes it is given as a number, as it is by default, since Node takes longer to find no options.
  new AsyncResource(CONTEXT, executionAsyncId()).runInAsyncScope(handler, server, ...args);
}

/**
 * @param {number} number as an event's record has it
 * @returns {number | null} the client's id for its acknowledgement, if it wants one
 */
function acknowledgement(number) {
  return number >= 0 ? number : number === NONE ? null : number + 1;
}

/**
 * What runs for an event beside the method in its record: another method, or an attempt to authenticate with a
 * LoopbackSocket.
 *
 * @typedef {{run: number} | {instance: number}} Step
 */

/**
 * @param {unknown[]} values the batch
 * @param {number} i where the record of an event is
 * @returns {Step[] | undefined} what the records behind it say that runs for it, if there are any
 */
function stepsBehind(values, i) {
  let steps;
  for (let at = i + FIELDS; values[at] === METHOD || values[at] === AUTHENTICATION; at += FIELDS) {
    const [kind, , a, b] = values.slice(at, at + 4);
    steps ??= [];
    steps.push(kind === METHOD ? { run: b } : { instance: a });
  }
  return steps;
}

/**
 * The sockets that end in a batch, and those of them whose clients leave the namespace: listeners do not
 * see the events right before that, as in Socket.IO 4, where listeners run a tick after the event.
 *
 * @param {unknown[]} values the batch
 * @returns {{ending?: Set<number>, leaving?: Set<number>}} the sockets, if there are any
 */
function endingIn(values) {
  let ending;
  let leaving;
  for (let i = 0; i < values.length; i += FIELDS) {
    if (values[i] === DISCONNECT) {
      ending ??= new Set();
      ending.add(values[i + 1]);
      if (values[i + 2] === CLIENT_NAMESPACE_DISCONNECT) {
        leaving ??= new Set();
        leaving.add(values[i + 1]);
      }
    }
  }
  return { ending, leaving };
}

/**
 * A payload with its binary values in place.
 *
 * @param {object} server the server
 * @param {number} socket the socket
 * @param {unknown} payload the payload with placeholders
 * @param {Buffer[]} attachments the binary values of all records
 * @param {number} place where this record's are, and how many
 * @param {(payload: unknown, attachments: Buffer[]) => unknown} assemble what puts them together
 * @returns {unknown} the payload, or `undefined` if the client sent what cannot be put together
 */
function whole(server, socket, payload, attachments, place, assemble) {
  try {
    return assemble(payload, attachedTo(attachments, place));
  } catch {
    server.malformed(socket);
    return undefined;
  }
}

/**
 * @param {Buffer[]} attachments the binary values of all records
 * @param {number} place where those of one record are
 * @returns {Buffer[]} those
 */
function attachedTo(attachments, place) {
  const first = Math.floor(place / ATTACHMENT_RADIX);
  return attachments.slice(first, first + (place % ATTACHMENT_RADIX));
}

/**
 * What a client asks with to join a namespace: its `auth` may be beside the record.
 *
 * @param {{auth?: object}} request what is in the record
 * @param {Buffer[] | undefined} attachments the binary values of all records
 * @param {number} place where the `auth` is, or `NONE`
 * @param {(payload: unknown, attachments: Buffer[]) => unknown} assemble what reads it
 * @returns {{auth?: object}} all of it
 */
function joining(request, attachments, place, assemble) {
  if (place < 0) {
    return request;
  }
  // Checked by the native server, so that it can be read.
  const auth = assemble(undefined, [attachments[Math.floor(place / ATTACHMENT_RADIX)]]);
  return { ...request, auth };
}

/**
 * @param {unknown} error what a listener of the application threw
 * @throws {unknown} the error
 */
function rethrow(error) {
  throw error;
}

module.exports = { assembler, parseBatch, dispatch };
