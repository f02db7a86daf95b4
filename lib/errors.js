'use strict';

const { helpFor } = require('./help');

/**
 * An error of this package. Its `code` is stable; its message says what to do.
 *
 * @property {string} code `ERR_LOOPBACK_SOCKET_…`
 */
class LoopbackSocketError extends Error {
  /**
   * Whether peers cause it. They may do so often, so nothing is added to its stack: that would have the
   * stack formatted, which is otherwise done only for who reads it.
   */
  static isOfPeer = false;

  /**
   * @param {string} code what follows `ERR_LOOPBACK_SOCKET_`
   * @param {string} message what is wrong and what to do about it
   * @param {unknown} [cause] the error behind this one
   */
  constructor(code, message, cause) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = `ERR_LOOPBACK_SOCKET_${code}`;
    // In the stack and not in the message: clients get messages, and applications compare them.
    if (!new.target.isOfPeer && typeof this.stack === 'string') {
      this.stack = this.stack.replace(message, () => `${message} (see ${this.help})`);
    }
  }

  /**
   * @returns {string} the address of what the documentation says about this error
   */
  get help() {
    return helpFor(this.code);
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
      `LoopbackSocket.get() needs a name, a string such as 'myapp'; got ${describe(name)}.`,
    );
  }
}

/** `start()` got something that has no sockets to serve. */
class InvalidHostError extends LoopbackSocketError {
  /**
   * @param {unknown} host what was given instead of a server
   * @param {import('./host-kinds').Kind} [kind] what that is known to be
   */
  constructor(host, kind) {
    super(
      'INVALID_HOST',
      'start() needs a Socket.IO server, one of its namespaces, an http(s).Server or a port; got ' +
        `${kind?.what ?? describe(host)}. ` +
        (kind?.instead ??
          "Pass what require('socket.io')(httpServer), new LoopbackSocket.Server(httpServer) or " +
            'app.listen() returned.'),
    );
  }
}

/** `exposeModels()` got something that is not a LoopBack 3 application. */
class InvalidApplicationError extends LoopbackSocketError {
  /**
   * @param {unknown} app what was given instead
   */
  constructor(app) {
    super(
      'INVALID_APPLICATION',
      'exposeModels() needs a LoopBack 3 application, what loopback() returned; got ' +
        `${describe(app)}.`,
    );
  }
}

/** A remote method of LoopBack cannot be called over a socket; the client receives it as `error`. */
class UnsupportedRemoteMethodError extends LoopbackSocketError {
  static isOfPeer = true;

  /**
   * @param {string} method its name
   * @param {string} reason why, as the rest of a sentence that begins with the name
   */
  constructor(method, reason) {
    super(
      'UNSUPPORTED_REMOTE_METHOD',
      `The remote method ${method} cannot be called over a socket: it ${reason}. Use REST.`,
    );
    this.method = method;
    this.statusCode = 501;
  }

  /**
   * @returns {object} what the client receives: the form of LoopBack's errors
   */
  toJSON() {
    const { statusCode, name, message, code } = this;
    return { statusCode, name, message, code };
  }
}

/** A remote method of LoopBack failed; the client receives the error that REST sends. */
class RemoteMethodError extends LoopbackSocketError {
  static isOfPeer = true;

  #body;

  /**
   * @param {object} body the error that REST sends
   * @param {unknown} [cause] what the method, a hook or the authorization failed with
   */
  constructor(body, cause) {
    super('REMOTE_METHOD', String(body.message), cause);
    this.#body = body;
    this.statusCode = body.statusCode;
  }

  /**
   * @returns {object} what the client receives
   */
  toJSON() {
    return this.#body;
  }
}

/** The application gave something that is not an access token of LoopBack. */
class InvalidAccessTokenError extends LoopbackSocketError {
  /**
   * @param {unknown} token what was given instead
   */
  constructor(token) {
    super(
      'INVALID_ACCESS_TOKEN',
      'The option accessToken of exposeModels(), and socket.accessToken, need an instance of the ' +
        `AccessToken model, the id of one, or nothing; got ${describe(token)}.`,
    );
  }
}

/** A value of the application cannot be sent to a client. */
class UnsendableValueError extends LoopbackSocketError {
  static isOfPeer = true;

  /**
   * @param {unknown} [cause] what the encoder threw
   */
  constructor(cause) {
    super(
      'UNSENDABLE_VALUE',
      'The value cannot be sent: it is circular, nested too deeply, contains a BigInt, a Blob or bytes ' +
        'whose memory has been transferred, or one of its getters or toJSON methods throws. Return ' +
        'plain data instead.',
      cause,
    );
  }
}

/** A method and a subscription cannot have the same name. */
class NameInUseError extends LoopbackSocketError {
  /**
   * @param {string} name the name
   * @param {string} kind what has it: a method or a subscription
   * @param {string} remove the function that removes that
   */
  constructor(name, kind, remove) {
    super(
      'NAME_IN_USE',
      `There is a ${kind} named ${describe(name)}: clients call both by their names. Choose another ` +
        `name, or call ${remove} first.`,
    );
  }
}

/** A native server cannot be attached to this value, or is still closing. */
class InvalidServerError extends LoopbackSocketError {
  /**
   * @param {unknown} server what was given instead of a server
   * @param {boolean} [isClosing=false] whether the native server is still closing
   * @param {import('./host-kinds').Kind} [kind] what was given is known to be
   */
  constructor(server, isClosing = false, kind = undefined) {
    super(
      'INVALID_SERVER',
      isClosing
        ? 'The native server is still closing. Wait for the callback or the promise of close() before ' +
            'you attach it again.'
        : 'A native server needs an http.Server, an https.Server or a port; got ' +
            `${kind?.what ?? describe(server)}. ` +
            (kind?.instead ?? 'Pass what http.createServer() or app.listen() returned.'),
    );
  }
}

/** `io.engine.generateId` returned something that cannot be a session id. */
class InvalidSessionIdError extends LoopbackSocketError {
  /**
   * @param {...unknown} id what it returned; nothing if another session has that id
   */
  constructor(...id) {
    super(
      'INVALID_SESSION_ID',
      'io.engine.generateId() must return a unique string of 1 to 63 visible ASCII characters other ' +
        `than " and \\; ${id.length > 0 ? `got ${describe(id[0])}` : 'this id is in use'}.`,
    );
  }
}

/** An option of the native server or of `start()` is unknown, or its value is invalid. */
class InvalidOptionError extends LoopbackSocketError {
  /**
   * @param {string} option its name
   * @param {unknown} value what was given
   * @param {string} [needs] what it must be; if missing, the option is unknown
   * @param {string[]} [known] the options there are
   * @param {string} [whose='the native server'] what has these options, as within a sentence
   * @param {string} [got] what was given, in words, if the value says nothing or is secret
   */
  constructor(option, value, needs, known = [], whose = undefined, got = describe(value)) {
    const owner = (whose ?? 'the native server').replace(/^the /, 'The ');
    super(
      needs === undefined ? 'UNKNOWN_OPTION' : 'INVALID_OPTION',
      needs === undefined
        ? `${owner} has no option '${option}'. Its options are ${known.join(', ')}.`
        : `The option '${option}'${whose === undefined ? '' : ` of ${whose}`} must be ${needs}; got ${got}.`,
    );
    this.option = option;
  }
}

/** The native server does not support this option of Socket.IO, or its value. */
class UnsupportedOptionError extends LoopbackSocketError {
  /**
   * @param {string} option its name
   * @param {string} instead a sentence that says what to do
   */
  constructor(option, instead) {
    super(
      'UNSUPPORTED_OPTION',
      `The native server does not support what the option '${option}' asks for. ${instead}`,
    );
    this.option = option;
  }
}

/** The application cannot emit an event with a reserved name, or send the items of a subscription with it. */
class ReservedEventError extends LoopbackSocketError {
  /**
   * @param {string} event its name
   * @param {string} [reason] why it is reserved
   */
  constructor(event, reason = 'the socket itself emits it') {
    super('RESERVED_EVENT', `"${event}" is a reserved event name: ${reason}. Use another name.`);
  }
}

/** A callback is not a function. */
class InvalidCallbackError extends LoopbackSocketError {
  /**
   * @param {unknown} callback what was given instead
   */
  constructor(callback) {
    super('INVALID_CALLBACK', `The callback must be a function; got ${describe(callback)}.`);
  }
}

/** A timeout is not a valid number of milliseconds. */
class InvalidTimeoutError extends LoopbackSocketError {
  /**
   * @param {unknown} timeout what was given instead
   */
  constructor(timeout) {
    super(
      'INVALID_TIMEOUT',
      `timeout() needs a number of milliseconds, 0 or more; got ${describe(timeout)}.`,
    );
  }
}

/** A client did not acknowledge an event in time. */
class AckTimeoutError extends LoopbackSocketError {
  static isOfPeer = true;

  /** Takes nothing. */
  constructor() {
    // The message of Socket.IO, which applications compare with.
    super('ACK_TIMEOUT', 'operation has timed out');
  }
}

/** A client sent a message that is not a valid Socket.IO packet; its connection is closed. */
class MalformedMessageError extends LoopbackSocketError {
  static isOfPeer = true;

  /** Takes nothing. */
  constructor() {
    super(
      'MALFORMED_MESSAGE',
      'The client sent a malformed message (invalid payload or Illegal attachments), so its connection ' +
        'is closed. Check which client library and parser it uses.',
    );
  }
}

/** The addon was sent a command that it cannot read; emitted as a warning of the process. */
class InvalidCommandError extends LoopbackSocketError {
  /**
   * @param {string} reason what the addon says
   */
  constructor(reason) {
    super(
      'INVALID_COMMAND',
      `The native server cannot carry out a command: ${reason}. Something that was to be sent is ` +
        'lost. The package and its addon may be of different versions: install it again. If that ' +
        'does not help, please report it.',
    );
  }

  /** @returns {string} what Node.js shows below a warning */
  get detail() {
    return `See ${this.help}`;
  }
}

/** An adapter was given an event that is none; emitted as a warning of the process. */
class InvalidPacketError extends LoopbackSocketError {
  static isOfPeer = true;

  /**
   * @param {string} nsp the namespace
   */
  constructor(nsp) {
    super(
      'INVALID_PACKET',
      `The adapter of the namespace '${nsp}' was given a packet that is no event with a name, or has an ` +
        'impossible id or too many arguments; it is dropped. If it comes from another server or an emitter, check that their ' +
        "versions fit the adapter's.",
    );
    this.nsp = nsp;
  }

  /** @returns {string} what Node.js shows below a warning */
  get detail() {
    return `See ${this.help}`;
  }
}

/** The native server does not have this member of Socket.IO. */
class UnsupportedApiError extends LoopbackSocketError {
  /**
   * @param {string} member the member
   * @param {string} instead what to use instead
   */
  constructor(member, instead) {
    super('UNSUPPORTED_API', `The native server does not support ${member}. Use ${instead}.`);
    this.member = member;
  }
}

/** A client tried to authenticate too often; it receives the message and the code. */
class TooManyAttemptsError extends LoopbackSocketError {
  static isOfPeer = true;

  constructor() {
    super('TOO_MANY_ATTEMPTS', 'Too many attempts to authenticate. Connect again later.');
  }
}

/** Too many sockets of a client's address are pending; it receives the message and the code. */
class TooManyPendingError extends LoopbackSocketError {
  static isOfPeer = true;

  constructor() {
    super(
      'TOO_MANY_PENDING',
      'Too many connections from this address are waiting for authentication. Connect again later.',
    );
  }
}

/** What the handler of a subscription gave is nothing that yields items. */
class InvalidSourceError extends LoopbackSocketError {
  static isOfPeer = true;

  /**
   * @param {unknown} source what it gave
   * @param {string} [hint] a sentence that says what to do about it
   */
  constructor(source, hint = '') {
    super(
      'INVALID_SOURCE',
      "A subscription's handler must give an async iterable, an iterable, a Readable of Node in object " +
        'mode, a web ReadableStream, an Observable, or an object with on() and off() that emits data, end ' +
        `and error; got ${describe(source)}.${hint && ` ${hint}`}`,
    );
  }
}

/**
 * A call is refused, or ends before its handler is done. The client gets its fields and its message as
 * the `error` of the call, whatever the instance's option `errors`.
 */
class CallError extends LoopbackSocketError {
  static isOfPeer = true;

  /**
   * @returns {object} what the client gets
   */
  toJSON() {
    return { ...this, message: this.message };
  }
}

/** `authorize` of a method or subscription gave a false value, or threw. */
class ForbiddenError extends CallError {
  /**
   * @param {string} [message='Forbidden'] for the client
   * @param {unknown} [cause] what `authorize` threw
   */
  constructor(message = 'Forbidden', cause = undefined) {
    super('FORBIDDEN', message, cause);
  }
}

/** `validate` of a method or subscription found the arguments of a call invalid. */
class InvalidArgumentsError extends CallError {
  /**
   * @param {{message: string, path: (string | number)[]}[]} issues what is wrong, and where
   */
  constructor(issues) {
    const [first] = issues;
    super(
      'INVALID_ARGUMENTS',
      first === undefined
        ? 'The arguments are invalid.'
        : `The arguments are invalid: ${[first.path.join('.'), first.message].filter((it) => it !== '').join(': ')}`,
    );
    this.issues = issues;
  }
}

/** A call took longer than the `timeout` of its method. */
class CallTimeoutError extends CallError {
  /**
   * @param {number} timeout the timeout, in ms
   */
  constructor(timeout) {
    super('CALL_TIMEOUT', `The call was given up after ${timeout} ms.`);
  }
}

/** The client has cancelled the call. */
class CallCancelledError extends CallError {
  constructor() {
    super('CANCELLED', 'The call was cancelled by the client.');
  }
}

/** Too many calls of a socket are under way. */
class TooManyCallsError extends CallError {
  constructor() {
    super('TOO_MANY_CALLS', 'Too many calls are in progress. Wait for one of them to be answered.');
  }
}

/** A socket calls a method more often than its `rate` allows. */
class RateLimitedError extends CallError {
  /**
   * @param {number} retryAfter ms until the next call is allowed
   */
  constructor(retryAfter) {
    super('RATE_LIMITED', `Too many calls. Call again in ${retryAfter} ms.`);
    this.retryAfter = retryAfter;
  }
}

/** The socket has ended: why the `signal` of its calls is aborted. */
class DisconnectedError extends LoopbackSocketError {
  static isOfPeer = true;

  constructor() {
    super('DISCONNECTED', 'The socket that called has been disconnected.');
  }
}

/** An interceptor called `next()` a second time. */
class RepeatedNextError extends LoopbackSocketError {
  constructor() {
    super('REPEATED_NEXT', 'An interceptor called next() twice. Call it once at most.');
  }
}

/** The date in `socket.expires` has passed; the client receives the message and the code. */
class ExpiredError extends LoopbackSocketError {
  static isOfPeer = true;

  constructor() {
    super('EXPIRED', 'The authentication has expired. Authenticate again.');
  }
}

/** `revoke()` has ended the socket; the client receives the message and the code. */
class RevokedError extends LoopbackSocketError {
  static isOfPeer = true;

  constructor() {
    super('REVOKED', 'The authentication has been revoked. Authenticate again.');
  }
}

/** A handler is neither a function nor names a method of a model. */
class InvalidHandlerError extends LoopbackSocketError {
  /**
   * @param {string} where what it was given to
   * @param {unknown} handler what was given instead
   */
  constructor(where, handler) {
    super(
      'INVALID_HANDLER',
      `${where} needs a function or { model, method } as its handler; got ${describe(handler)}.`,
    );
  }
}

/** The option `key` of a subscription gave no key. */
class InvalidKeyError extends LoopbackSocketError {
  static isOfPeer = true;

  /**
   * @param {string} name the subscription
   * @param {unknown} key what it gave
   */
  constructor(name, key) {
    super(
      'INVALID_KEY',
      `The option 'key' of the subscription '${name}' must return a string, or { key, args } with a ` +
        `string as key; it returned ${describe(key)}.`,
    );
  }
}

/** There is no shared source to publish to. */
class NoSharedSourceError extends LoopbackSocketError {
  /**
   * @param {string} name what was published to
   * @param {boolean} isDefined whether there is a subscription of that name, with private sources
   */
  constructor(name, isDefined) {
    super(
      'NO_SHARED_SOURCE',
      isDefined
        ? `The sources of the subscription ${describe(name)} are private, so nothing can be published to ` +
            'them. Give it the option `key`.'
        : `There is no subscription ${describe(name)}. Call defineSubscription() first.`,
    );
  }
}

/** A socket has as many subscriptions as it may have; its client receives the message and the code. */
class TooManySubscriptionsError extends CallError {
  constructor() {
    super(
      'TOO_MANY_SUBSCRIPTIONS',
      'The socket has too many subscriptions. End one of them before you begin another one.',
    );
  }
}

/** An instance runs as many shared sources as it may; the client receives the message and the code. */
class TooManySourcesError extends CallError {
  constructor() {
    super(
      'TOO_MANY_SOURCES',
      'The server runs too many sources of subscriptions. Try again later.',
    );
  }
}

/** A subscription has been removed since the socket authenticated. */
class RemovedSubscriptionError extends CallError {
  constructor() {
    super('SUBSCRIPTION_REMOVED', 'This subscription has been removed.');
  }
}

/** The addon for this platform is not installed and not built. */
class MissingAddonError extends LoopbackSocketError {
  /**
   * @param {string} platform what the process runs on, in words
   * @param {string} advice what to do
   * @param {unknown} [cause] what its loader threw
   */
  constructor(platform, advice, cause) {
    super('NO_ADDON', `The addon for ${platform} is not installed. ${advice}`, cause);
  }
}

/** The addon for this platform is installed, and the system does not load it. */
class UnloadableAddonError extends LoopbackSocketError {
  /**
   * @param {string} platform what the process runs on, in words
   * @param {string} file the binary
   * @param {Error} reason what the system said
   * @param {string} remedy what to do
   */
  constructor(platform, file, reason, remedy) {
    const why = reason.message.trim().replace(/\.$/, '');
    const at = why.includes(file) ? '' : ` (${file})`;
    super(
      'UNLOADABLE_ADDON',
      `The addon for ${platform} is installed and cannot be loaded: ${why}${at}. ${remedy}`,
      reason,
    );
  }
}

/**
 * Describes a value in a message without running any of the value's code.
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
  InvalidApplicationError,
  UnsupportedRemoteMethodError,
  RemoteMethodError,
  InvalidAccessTokenError,
  InvalidServerError,
  InvalidSessionIdError,
  InvalidOptionError,
  NameInUseError,
  UnsupportedOptionError,
  ReservedEventError,
  InvalidCallbackError,
  InvalidTimeoutError,
  AckTimeoutError,
  InvalidCommandError,
  InvalidPacketError,
  MalformedMessageError,
  UnsupportedApiError,
  UnsendableValueError,
  TooManyAttemptsError,
  TooManyPendingError,
  InvalidSourceError,
  CallError,
  ForbiddenError,
  InvalidArgumentsError,
  CallTimeoutError,
  CallCancelledError,
  TooManyCallsError,
  RateLimitedError,
  DisconnectedError,
  RepeatedNextError,
  ExpiredError,
  RevokedError,
  InvalidHandlerError,
  InvalidKeyError,
  NoSharedSourceError,
  TooManySubscriptionsError,
  TooManySourcesError,
  RemovedSubscriptionError,
  MissingAddonError,
  UnloadableAddonError,
};
