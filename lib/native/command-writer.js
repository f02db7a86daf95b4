'use strict';

/**
 * Everything that the application has the native server do, in order, as text: a line for each command,
 * its fields separated by tabs, which JSON always escapes (`src/protocol.rs` lists the commands). A call
 * of the native server may have to wake a thread, so commands are handed over together: those of the
 * handlers of a batch at its end, the first ones after a pause at the end of their tick, and those that
 * follow when the event loop has gone round.
 */

// Taken once: the fake timers of an application's tests may replace it later.
const { setImmediate } = require('timers');
const { UnsendableValueError } = require('../errors');
const { hasBinary, deconstruct } = require('./attachments');
const { encode } = require('./msgpack');
const protocol = require('./protocol');

const {
  ACCEPT,
  ACCEPT_RECOVERABLE,
  ALLOW_NAMESPACE,
  ALLOW_NAMESPACE_WITH_ATTACHMENTS,
  ANSWER,
  ANSWER_WITH_ATTACHMENTS,
  BROADCAST,
  BROADCAST_WITH_ATTACHMENTS,
  CLOSE_CHANNEL,
  CLOSE_CONNECTION,
  DEFINE_CHANNEL,
  DISCONNECT,
  EMIT,
  EMIT_WITH_ATTACHMENTS,
  FINISH_CHANNEL,
  HOLD,
  JOIN,
  LEAVE,
  MALFORMED,
  MUTE,
  PUBLISH,
  PUBLISH_WITH_ATTACHMENTS,
  REFUSE,
  REFUSE_NAMESPACE,
  REFUSE_WITH_ATTACHMENTS,
  SUBSCRIBE,
  UNSUBSCRIBE,
  WATCH_SENT,
  WITHDRAW,
} = protocol.CommandCode;
const { UNCOMPRESSED, UNREPORTED, VOLATILE } = protocol.EmitFlag;

/** How the line of an answer begins, in one piece: there is one for each call. */
const ANSWER_TO = `${ANSWER}\t`;
/** What comes before a result in that line, and before an error. */
const RESULT = '\t[{"result":';
const ERROR = '\t[{"error":';

/** Above this many characters commands are handed over at once. */
const FLUSH_AT = 1 << 16;

/** How many numbers share their first digits. */
const TAIL = 1000;
/** The last three digits of every number. */
const TAILS = Array.from({ length: TAIL }, (_, number) => `${number}`.padStart(3, '0'));

/**
 * The options of a channel of subscriptions, all of them needed.
 *
 * @typedef {object} ChannelOptions
 * @property {number} window how many items a subscriber may have that it has not acknowledged
 * @property {number} history how many items are kept for those who subscribe later
 * @property {number} maxQueuedBytes how many bytes may wait for a subscriber
 * @property {'end' | 'latest'} overflow what becomes of one for whom more waits
 * @property {number | null} ackTimeout how many ms a subscriber that has used up its window may take to
 *   acknowledge while items wait; `null` for any time
 * @property {boolean} reportsCredit whether acknowledged items are reported
 */

/**
 * The name and the arguments of an event as they are sent, made once for all who get it.
 *
 * @typedef {object} EncodedEvent
 * @property {string} json the JSON, empty for MessagePack
 * @property {Buffer[]} [attachments] the binary values, or the MessagePack
 */

/**
 * An event that is delivered to one socket after the other, and is to be written as one command.
 *
 * @typedef {object} Delivery
 * @property {EncodedEvent} event the event
 * @property {number} namespace the namespace of the sockets
 * @property {number | ''} ack the id that they are to acknowledge with
 * @property {string} flags how it is sent
 * @property {number[]} sockets the sockets so far
 */

class CommandWriter {
  /** @type {(commands: string, attachments?: Buffer[]) => void} hands commands over */
  #push;
  /** Whether values travel as MessagePack, and not as JSON. */
  #isPacked;
  #text = '';
  #attachments = [];
  /** @type {Delivery | undefined} what is written before the next command */
  #delivery;
  /** Whether a flush is coming. */
  #scheduled = false;
  /** Whether the event loop has yet to go round after the last flush of a tick. */
  #resting = false;
  #endTick = () => {
    this.#resting = true;
    this.flush();
    setImmediate(this.#endRest);
  };
  #endRest = () => {
    this.#resting = false;
    this.#scheduled = false;
    if (this.#text !== '' || this.#delivery !== undefined) {
      this.#endTick();
    }
  };

  /**
   * @param {import('../../binding').NativeServer} native where it goes
   * @param {'json' | 'msgpack'} parser how values look on the wire
   */
  constructor(native, parser) {
    this.#push = native.push;
    this.#isPacked = parser === 'msgpack';
  }

  /**
   * Hands over the commands.
   *
   * @returns {void}
   */
  flush() {
    this.#scheduled = this.#resting;
    if (this.#delivery !== undefined) {
      this.#writeDelivery();
    }
    if (this.#text === '') {
      return;
    }
    const text = this.#text;
    this.#text = '';
    if (this.#attachments.length === 0) {
      this.#push(text);
    } else {
      const attachments = this.#attachments;
      this.#attachments = [];
      this.#push(text, attachments);
    }
  }

  /**
   * Has commands wait for the next `flush`, which the caller must call even if something throws.
   *
   * @returns {void}
   */
  gather() {
    this.#scheduled = true;
  }

  /**
   * Answers a call with the outcome of its handler.
   *
   * @param {number} socket the socket
   * @param {number} ack the client's id for its acknowledgement
   * @param {boolean} failed whether the handler failed
   * @param {unknown} value its result or error
   * @returns {void}
   * @throws {UnsendableValueError} if the value cannot be sent; nothing has been answered then
   */
  settle(socket, ack, failed, value) {
    let json;
    try {
      if (this.#isPacked || readsItsKey(value) || hasBinary(value)) {
        this.answer(socket, ack, [failed ? { error: value } : { result: value }]);
        return;
      }
      json = JSON.stringify(value);
    } catch (error) {
      throw error instanceof UnsendableValueError ? error : new UnsendableValueError(error);
    }
    if (json === undefined) {
      // As in any object of JSON, a value that JSON cannot express is left out.
      this.#add(`${ANSWER_TO}${socket}\t${digits(ack)}\t[{}]\n`);
    } else {
      const key = failed ? ERROR : RESULT;
      this.#add(`${ANSWER_TO}${socket}\t${digits(ack)}${key}${json}}]\n`);
    }
  }

  /**
   * Answers a call.
   *
   * @param {number} socket the socket
   * @param {number} ack the client's id for its acknowledgement
   * @param {unknown[]} args the answer
   * @returns {void}
   * @throws {UnsendableValueError} if a value cannot be sent; nothing has been answered then
   */
  answer(socket, ack, args) {
    const fields = `\t${socket}\t${digits(ack)}\t`;
    this.#write(ANSWER, ANSWER_WITH_ATTACHMENTS, fields, this.encode(args));
  }

  /**
   * Emits an event to one socket.
   *
   * @param {number} socket the socket
   * @param {number | ''} ack the id the client is to acknowledge with, `''` for none
   * @param {{volatile?: boolean, compress?: boolean}} flags how
   * @param {unknown[]} args the event's name and arguments
   * @returns {void}
   * @throws {UnsendableValueError} if an argument cannot be sent
   */
  emit(socket, ack, flags, args) {
    this.#writeEmit(socket, ack, flagsOf(flags), this.encode(args));
  }

  /**
   * Emits an event to an audience of a namespace.
   *
   * @param {number} namespace the namespace
   * @param {{rooms?: number[], sockets?: number[], except?: number[], exceptSockets?: number[]}}
   *   audience for whom
   * @param {number | ''} ack the id the clients are to acknowledge with, `''` for none
   * @param {{volatile?: boolean, compress?: boolean}} flags how
   * @param {unknown[]} args the event's name and arguments
   * @returns {void}
   * @throws {UnsendableValueError} if an argument cannot be sent
   */
  broadcast(namespace, audience, ack, flags, args) {
    this.#writeBroadcast(namespace, audience, ack, flagsOf(flags), this.encode(args));
  }

  /**
   * Emits an encoded event to one socket, even if that has not been accepted yet.
   *
   * @param {number} socket the socket
   * @param {{volatile?: boolean, compress?: boolean}} flags how
   * @param {EncodedEvent} event the event
   * @returns {void}
   */
  emitEncoded(socket, flags, event) {
    this.#writeEmit(socket, '', flagsOf(flags), event);
  }

  /**
   * The same as `broadcast`, for an encoded event that nobody acknowledges.
   *
   * @param {number} namespace the namespace
   * @param {object} audience for whom
   * @param {{volatile?: boolean, compress?: boolean}} flags how
   * @param {EncodedEvent} event the event
   * @returns {void}
   */
  broadcastEncoded(namespace, audience, flags, event) {
    this.#writeBroadcast(namespace, audience, '', flagsOf(flags), event);
  }

  /**
   * Encodes an event for those that take one, such as `deliver`.
   *
   * @param {unknown[]} args the event's name and arguments
   * @returns {EncodedEvent} the event
   * @throws {UnsendableValueError} if an argument cannot be sent
   */
  encode(args) {
    return this.#isPacked ? { json: '', attachments: [messagePackOf(args)] } : encodedAsJson(args);
  }

  /**
   * Sends an encoded event to a socket. Those to which the same event is sent one directly after the other
   * get it by one command.
   *
   * @param {EncodedEvent} event the event
   * @param {number} namespace the namespace of the socket
   * @param {number | ''} ack the id the client is to acknowledge with, `''` for none
   * @param {{volatile?: boolean, compress?: boolean}} flags how
   * @param {number} socket the socket
   * @returns {void}
   */
  deliver(event, namespace, ack, flags, socket) {
    const letters = flagsOf(flags);
    const delivery = this.#delivery;
    if (delivery?.event === event && delivery.flags === letters) {
      delivery.sockets.push(socket);
      return;
    }
    if (delivery !== undefined) {
      this.#writeDelivery();
    }
    this.#delivery = { event, namespace, ack, flags: letters, sockets: [socket] };
    this.#schedule();
  }

  /**
   * @returns {void}
   */
  #writeDelivery() {
    const { event, namespace, ack, flags, sockets } = this.#delivery;
    this.#delivery = undefined;
    if (sockets.length === 1) {
      this.#writeEmit(sockets[0], ack, flags, event);
    } else {
      const letters = ack === '' ? flags : flags + UNREPORTED;
      this.#writeBroadcast(namespace, { sockets }, ack, letters, event);
    }
  }

  /**
   * @param {number} socket the socket
   * @param {number | ''} ack the id the client is to acknowledge with, `''` for none
   * @param {string} letters how, as `EmitFlag`s
   * @param {EncodedEvent} event the event
   * @returns {void}
   */
  #writeEmit(socket, ack, letters, event) {
    this.#write(EMIT, EMIT_WITH_ATTACHMENTS, `\t${socket}\t${ack}\t${letters}\t`, event);
  }

  /**
   * @param {number} namespace the namespace
   * @param {object} audience for whom
   * @param {number | ''} ack the id the clients are to acknowledge with, `''` for none
   * @param {string} letters how, as `EmitFlag`s
   * @param {EncodedEvent} event the event
   * @returns {void}
   */
  #writeBroadcast(namespace, audience, ack, letters, event) {
    const fields = `\t${namespace}\t${JSON.stringify(audience)}\t${ack}\t${letters}\t`;
    this.#write(BROADCAST, BROADCAST_WITH_ATTACHMENTS, fields, event);
  }

  /**
   * @param {number} socket the socket that may not join its namespace
   * @param {unknown} reason what its client is told; `undefined` for nothing
   * @returns {void}
   * @throws {UnsendableValueError} if the reason cannot be sent
   */
  refuse(socket, reason) {
    if (this.#isPacked) {
      this.#add(`${REFUSE_WITH_ATTACHMENTS}\t1\t${socket}\t\n`, [messagePackOf(reason)]);
    } else {
      const json = reason === undefined ? '' : jsonOf(reason);
      this.#add(`${REFUSE}\t${socket}\t${json}\n`);
    }
  }

  /**
   * @param {number} socket a socket that has not joined its namespace, and whose client is told nothing
   * @returns {void}
   */
  withdraw(socket) {
    this.#add(`${WITHDRAW}\t${socket}\n`);
  }

  /**
   * Answers a client that asked for a namespace.
   *
   * @param {string} sid the id of its session
   * @param {string} request what it asked with, as JSON
   * @param {Buffer | undefined} packed its `auth`, if that is no JSON
   * @param {boolean} exists whether the namespace exists now
   * @returns {void}
   */
  answerAsk(sid, request, packed, exists) {
    if (exists && packed !== undefined) {
      this.#add(`${ALLOW_NAMESPACE_WITH_ATTACHMENTS}\t1\t${sid}\t${request}\n`, [packed]);
    } else {
      const code = exists ? ALLOW_NAMESPACE : REFUSE_NAMESPACE;
      this.#add(`${code}\t${sid}\t${request}\n`);
    }
  }

  /**
   * @param {string} sid the session id of a connection to end
   * @returns {void}
   */
  closeConnection(sid) {
    this.#add(`${CLOSE_CONNECTION}\t${sid}\n`);
  }

  /**
   * @param {string} sid the session id of a connection
   * @param {boolean} watched whether what is sent on it is reported from now on
   * @returns {void}
   */
  watchSent(sid, watched) {
    this.#add(`${WATCH_SENT}\t${sid}\t${watched ? 1 : 0}\n`);
  }

  /**
   * @param {number} socket the socket
   * @param {number} room the number of the room it joins
   * @returns {void}
   */
  join(socket, room) {
    this.#add(`${JOIN}\t${socket}\t${room}\n`);
  }

  /**
   * @param {number} socket the socket
   * @param {number} room the number of the room it leaves
   * @returns {void}
   */
  leave(socket, room) {
    this.#add(`${LEAVE}\t${socket}\t${room}\n`);
  }

  /**
   * @param {number} socket the socket that is of its namespace from now on
   * @returns {void}
   */
  accept(socket) {
    this.#add(`${ACCEPT}\t${socket}\n`);
  }

  /**
   * @param {number} socket the socket that is of its namespace from now on
   * @param {string} id what its client is told as the id of the socket
   * @param {string} pid what its client is told as the private id of its session
   * @returns {void}
   */
  acceptRecoverable(socket, id, pid) {
    this.#add(`${ACCEPT_RECOVERABLE}\t${socket}\t${id}\t${pid}\n`);
  }

  /**
   * @param {number} socket the socket
   * @param {boolean} isMuted whether broadcasts pass it by
   * @returns {void}
   */
  mute(socket, isMuted) {
    this.#add(`${MUTE}\t${socket}\t${isMuted ? 1 : 0}\n`);
  }

  /**
   * @param {number} socket the socket to disconnect
   * @returns {void}
   */
  disconnect(socket) {
    this.#add(`${DISCONNECT}\t${socket}\n`);
  }

  /**
   * @param {number} socket the socket whose client sent what cannot be read; its connection ends
   * @returns {void}
   */
  malformed(socket) {
    this.#add(`${MALFORMED}\t${socket}\n`);
  }

  /**
   * Defines a channel of subscriptions.
   *
   * @param {number} channel its number, which is used once
   * @param {number} namespace the namespace that its subscribers are in
   * @param {ChannelOptions} options its options
   * @returns {void}
   */
  defineChannel(channel, namespace, options) {
    this.#add(`${DEFINE_CHANNEL}\t${channel}\t${namespace}\t${JSON.stringify(options)}\n`);
  }

  /**
   * Publishes an item in a channel.
   *
   * @param {number} channel the channel
   * @param {number} offset the item's offset, greater than that of the one before
   * @param {unknown[]} args the name and the arguments of the event that is sent
   * @returns {void}
   * @throws {UnsendableValueError} if an argument cannot be sent; nothing is published then
   */
  publish(channel, offset, args) {
    const fields = `\t${channel}\t${digits(offset)}\t`;
    this.#write(PUBLISH, PUBLISH_WITH_ATTACHMENTS, fields, this.encode(args));
  }

  /**
   * @param {number} socket the socket
   * @param {number} subscription the number of its subscription, which is used once for a socket
   * @param {number} channel the channel that it subscribes to
   * @param {number} from the offset of the first item that it is to get
   * @returns {void}
   */
  subscribe(socket, subscription, channel, from) {
    this.#add(`${SUBSCRIBE}\t${socket}\t${subscription}\t${channel}\t${digits(from)}\n`);
  }

  /**
   * @param {number} socket the socket
   * @param {number} subscription one of its subscriptions
   * @param {boolean} isHeld whether its items wait from now on
   * @returns {void}
   */
  hold(socket, subscription, isHeld) {
    this.#add(`${HOLD}\t${socket}\t${subscription}\t${isHeld ? 1 : 0}\n`);
  }

  /**
   * @param {number} socket the socket
   * @param {number} subscription the subscription that ends
   * @returns {void}
   */
  unsubscribe(socket, subscription) {
    this.#add(`${UNSUBSCRIBE}\t${socket}\t${subscription}\n`);
  }

  /**
   * @param {number} channel the channel that gets no more items
   * @returns {void}
   */
  finishChannel(channel) {
    this.#add(`${FINISH_CHANNEL}\t${channel}\n`);
  }

  /**
   * @param {number} channel the channel to drop
   * @returns {void}
   */
  closeChannel(channel) {
    this.#add(`${CLOSE_CHANNEL}\t${channel}\n`);
  }

  /**
   * Adds a command that carries encoded values.
   *
   * @param {string} kind the command
   * @param {string} kindWithAttachments the same with attachments
   * @param {string} fields its fields before the values
   * @param {EncodedEvent} values the values
   * @returns {void}
   */
  #write(kind, kindWithAttachments, fields, { json, attachments }) {
    if (attachments === undefined) {
      this.#add(`${kind}${fields}${json}\n`);
    } else {
      this.#add(`${kindWithAttachments}\t${attachments.length}${fields}${json}\n`, attachments);
    }
  }

  /**
   * @param {string} line a command
   * @param {Buffer[]} [attachments] its attachments
   * @returns {void}
   */
  #add(line, attachments) {
    if (this.#delivery !== undefined) {
      this.#writeDelivery();
    }
    if (attachments !== undefined) {
      // Not spread: there may be more than fit on the stack.
      for (const attachment of attachments) {
        this.#attachments.push(attachment);
      }
    }
    this.#text += line;
    if (this.#text.length > FLUSH_AT) {
      this.flush();
    } else {
      this.#schedule();
    }
  }

  /**
   * @returns {void}
   */
  #schedule() {
    if (!this.#scheduled) {
      this.#scheduled = true;
      process.nextTick(this.#endTick);
    }
  }
}

/**
 * @param {unknown[]} args the name and the arguments of an event
 * @returns {EncodedEvent} both as JSON, with attachments
 * @throws {UnsendableValueError} if an argument cannot be sent
 */
function encodedAsJson(args) {
  try {
    if (!hasBinary(args)) {
      return { json: JSON.stringify(args), attachments: undefined };
    }
    const attachments = [];
    return { json: JSON.stringify(deconstruct(args, attachments)), attachments };
  } catch (error) {
    throw new UnsendableValueError(error);
  }
}

/**
 * @param {unknown} value any value
 * @returns {Buffer} the value as MessagePack
 * @throws {UnsendableValueError} if it cannot be sent
 */
function messagePackOf(value) {
  try {
    return encode(value);
  } catch (error) {
    throw new UnsendableValueError(error);
  }
}

/**
 * The digits of a number that is another one each time. V8 keeps the strings of the last
 * 16,384 numbers it was asked for, and every collection of young garbage would have to look at them.
 *
 * @param {number} number a whole number
 * @returns {string} its digits
 */
function digits(number) {
  return number < TAIL || number > Number.MAX_SAFE_INTEGER
    ? `${number}`
    : `${Math.floor(number / TAIL)}${TAILS[number % TAIL]}`;
}

/**
 * @param {{volatile?: boolean, compress?: boolean}} flags how something is sent
 * @returns {string} the same as a field of a command
 */
function flagsOf({ volatile, compress }) {
  return `${volatile === true ? VOLATILE : ''}${compress === false ? UNCOMPRESSED : ''}`;
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether its JSON may depend on the name it is sent under
 */
function readsItsKey(value) {
  return typeof value === 'object' && value !== null
    ? typeof value.toJSON === 'function'
    : typeof value === 'bigint' || typeof value === 'function';
}

/**
 * @param {unknown} value any value
 * @returns {string} its JSON
 * @throws {UnsendableValueError} if it has none
 */
function jsonOf(value) {
  try {
    return JSON.stringify(value) ?? 'null';
  } catch (error) {
    throw new UnsendableValueError(error);
  }
}

/**
 * @param {EncodedEvent} event an event
 * @returns {number} how many bytes it takes, about
 */
function sizeOfEncoded({ json, attachments = [] }) {
  return attachments.reduce((sum, { byteLength }) => sum + byteLength, json.length);
}

module.exports = { CommandWriter, sizeOfEncoded };
