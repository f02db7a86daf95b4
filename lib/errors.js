'use strict';

/**
 * An error of this package. Its `code` is stable; its message says what to do.
 *
 * @property {string} code `ERR_LOOPBACK_SOCKET_…`
 */
class LoopbackSocketError extends Error {
  /**
   * @param {string} code what follows `ERR_LOOPBACK_SOCKET_`
   * @param {string} message what is wrong and what to do about it
   * @param {unknown} [cause] the error behind this one
   */
  constructor(code, message, cause) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = `ERR_LOOPBACK_SOCKET_${code}`;
  }

  /**
   * @returns {string} the name of the error's class
   */
  get name() {
    return this.constructor.name;
  }
}

/** `LoopbackSocket.get()` was called without a name. */
class InvalidNameError extends LoopbackSocketError {
  /**
   * @param {unknown} name what was given instead of a name
   */
  constructor(name) {
    super(
      'INVALID_NAME',
      `LoopbackSocket.get() needs the name as a string; got ${describe(name)}.`,
    );
  }
}

/** `start()` was given something that has no sockets to serve. */
class InvalidHostError extends LoopbackSocketError {
  /**
   * @param {unknown} host what was given instead of a server
   * @param {import('./host-kinds').Kind} [kind] what that is known to be
   */
  constructor(host, kind) {
    super(
      'INVALID_HOST',
      'start() needs a Socket.IO server, a namespace of one, an http(s).Server or a port; got ' +
        `${kind?.what ?? describe(host)}. ` +
        (kind?.instead ??
          "Pass what require('socket.io')(httpServer), new LoopbackSocket.Server(httpServer) or " +
            'app.listen() returned.'),
    );
  }
}

/** A value of the application cannot be sent to a client. */
class UnsendableValueError extends LoopbackSocketError {
  /**
   * @param {unknown} [cause] what the encoder threw
   */
  constructor(cause) {
    super(
      'UNSENDABLE_VALUE',
      'The value cannot be sent: it is circular, nested too deeply, contains a BigInt, or one of ' +
        'its getters or toJSON methods throws. Return plain data instead.',
      cause,
    );
  }
}

/** A native server cannot take clients from there, or not yet. */
class InvalidServerError extends LoopbackSocketError {
  /**
   * @param {unknown} server where from
   * @param {boolean} [isClosing=false] whether the native server is still closing
   * @param {import('./host-kinds').Kind} [kind] what was given is known to be
   */
  constructor(server, isClosing = false, kind = undefined) {
    super(
      'INVALID_SERVER',
      isClosing
        ? 'The native server is still closing. Attach it again when close() has called back, or ' +
            'its promise is fulfilled.'
        : 'A native server takes clients from an http.Server, an https.Server or a port; got ' +
            `${kind?.what ?? describe(server)}. ` +
            (kind?.instead ?? 'Pass what http.createServer() or app.listen() returned.'),
    );
  }
}

/** What `io.engine.generateId` gave cannot be the id of a session. */
class InvalidSessionIdError extends LoopbackSocketError {
  /**
   * @param {...unknown} id what it gave; nothing if that is the id of another session
   */
  constructor(...id) {
    super(
      'INVALID_SESSION_ID',
      'io.engine.generateId() must give each session an id of its own, a string of 1 to 63 visible ' +
        `ASCII characters other than " and \\; ${id.length > 0 ? `got ${describe(id[0])}` : 'this one is in use'}.`,
    );
  }
}

/** An option of the native server, or of `start()`, is unknown or impossible. */
class InvalidOptionError extends LoopbackSocketError {
  /**
   * @param {string} option its name
   * @param {unknown} value what was given
   * @param {string} [needs] what it needs; without, the option is unknown
   * @param {string[]} [known] the options there are
   * @param {string} [whose='The native server'] what has these options
   */
  constructor(option, value, needs, known = [], whose = 'The native server') {
    super(
      needs === undefined ? 'UNKNOWN_OPTION' : 'INVALID_OPTION',
      needs === undefined
        ? `${whose} has no option '${option}'. It has ${known.join(', ')}.`
        : `The option '${option}' needs ${needs}; got ${describe(value)}.`,
    );
    this.option = option;
  }
}

/** An option of Socket.IO asks for what the native server cannot do. */
class UnsupportedOptionError extends LoopbackSocketError {
  /**
   * @param {string} option its name
   * @param {string} instead a sentence that says what to do
   */
  constructor(option, instead) {
    super('UNSUPPORTED_OPTION', `The native server cannot do what '${option}' asks. ${instead}`);
    this.option = option;
  }
}

/** An event of the socket itself cannot be emitted to clients. */
class ReservedEventError extends LoopbackSocketError {
  /**
   * @param {string} event its name
   */
  constructor(event) {
    super(
      'RESERVED_EVENT',
      `"${event}" is a reserved event name: it is an event of the socket itself. Emit another name.`,
    );
  }
}

/** Something that cannot be called was given as a callback. */
class InvalidCallbackError extends LoopbackSocketError {
  /**
   * @param {unknown} callback what was given instead
   */
  constructor(callback) {
    super('INVALID_CALLBACK', `The callback needs to be a function; got ${describe(callback)}.`);
  }
}

/** A timeout is no number of milliseconds. */
class InvalidTimeoutError extends LoopbackSocketError {
  /**
   * @param {unknown} timeout what was given instead
   */
  constructor(timeout) {
    super('INVALID_TIMEOUT', `timeout() needs milliseconds, 0 or more; got ${describe(timeout)}.`);
  }
}

/** A client did not acknowledge an event in time. */
class AckTimeoutError extends LoopbackSocketError {
  /** Takes nothing. */
  constructor() {
    // The words of Socket.IO, which applications compare with.
    super('ACK_TIMEOUT', 'operation has timed out');
  }
}

/** A client sent what is no Socket.IO packet: its connection ends. */
class MalformedMessageError extends LoopbackSocketError {
  /** Takes nothing. */
  constructor() {
    super(
      'MALFORMED_MESSAGE',
      'The client sent a message that cannot be read (invalid payload or Illegal attachments); its ' +
        'connection ends. Check what it is built with.',
    );
  }
}

/** A member of Socket.IO that the native server does not have. */
class UnsupportedApiError extends LoopbackSocketError {
  /**
   * @param {string} member the member
   * @param {string} instead what to use instead
   */
  constructor(member, instead) {
    super('UNSUPPORTED_API', `The native server has no ${member}. Use ${instead}.`);
    this.member = member;
  }
}

/** A client has tried to authenticate too often; it gets the message and the code. */
class TooManyAttemptsError extends LoopbackSocketError {
  constructor() {
    super('TOO_MANY_ATTEMPTS', 'Too many attempts to authenticate. Connect again later.');
  }
}

/** Too many sockets of a client's address are pending; it gets the message and the code. */
class TooManyPendingError extends LoopbackSocketError {
  constructor() {
    super(
      'TOO_MANY_PENDING',
      'Too many connections of this address wait for authentication. Connect again later.',
    );
  }
}

/** The addon for this platform is not installed, not built, or cannot be loaded. */
class MissingAddonError extends LoopbackSocketError {
  /**
   * @param {unknown} [cause] what its loader threw
   */
  constructor(cause) {
    super(
      'NO_ADDON',
      `The addon for ${process.platform} ${process.arch} cannot be loaded. It is an optional ` +
        'dependency: install again without --omit=optional or --no-optional, on the platform that ' +
        'the app runs on. In a checkout, run `npm run build`.',
      cause,
    );
  }
}

/**
 * Names a value in a message without running any code of the value.
 *
 * @param {unknown} value any value
 * @returns {string} a short description
 */
function describe(value) {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
    case 'object':
      return value === null ? 'null' : Array.isArray(value) ? 'an array' : 'an object';
    case 'function':
      return 'a function';
    default:
      return String(value);
  }
}

module.exports = {
  LoopbackSocketError,
  InvalidNameError,
  InvalidHostError,
  InvalidServerError,
  InvalidSessionIdError,
  InvalidOptionError,
  UnsupportedOptionError,
  ReservedEventError,
  InvalidCallbackError,
  InvalidTimeoutError,
  AckTimeoutError,
  MalformedMessageError,
  UnsupportedApiError,
  UnsendableValueError,
  TooManyAttemptsError,
  TooManyPendingError,
  MissingAddonError,
};
