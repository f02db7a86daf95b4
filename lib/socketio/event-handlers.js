'use strict';

/**
 * Hands each event of the native server to the object that it concerns, if that is still there: sockets
 * and connections may end while an event is on its way.
 */

const { exclude } = require('../auth/exclude');
const { isOfConnection } = require('./disconnect-reasons');
const { isAuthenticationRemoved } = require('./loopback-listeners');
const { Recovery } = require('./recovery/recovery');
const { Socket } = require('./socket');
const { guarded, guardedAsAsync } = require('../events');
const { InvalidCommandError, MalformedMessageError } = require('../errors');
const { authenticationTimedOut, connected, refused } = require('../observability/sockets');
const loopback = require('./loopback');

const { AUTHENTICATION_TIMEOUT, FORCED_SERVER_CLOSE } = require('../native/protocol').CloseReason;

class EventHandlers {
  #link;
  #connections;
  #sockets;
  #namespaces;
  #front;
  #connectionClosed;
  #websocketClosed;
  /** @type {Set<number>} the sockets whose session an adapter is restoring */
  #restoring = new Set();
  /** @type {Map<number, Set<string>>} the namespaces that clients were told to join, by their connections */
  #awaited = new Map();

  /**
   * @param {object} server the server's parts
   * @param {import('../native/link').NativeLink} server.link the native server
   * @param {Map<number, import('./connection').Connection>} server.connections by number
   * @param {Map<number, Socket>} server.sockets by number
   * @param {import('./namespaces').Namespaces} server.namespaces its namespaces
   * @param {import('../http/front').HttpFront} server.front where clients come
   * @param {(number: number, code: number, more: unknown) => void} server.connectionClosed takes
   *   the end of a connection: its number, its `CloseReason`, and more about that
   * @param {(owner: number) => void} server.websocketClosed takes the end of a websocket that Rust had
   *   taken over: the number it was handed over with
   */
  constructor({
    link,
    connections,
    sockets,
    namespaces,
    front,
    connectionClosed,
    websocketClosed,
  }) {
    this.#link = link;
    this.#connections = connections;
    this.#sockets = sockets;
    this.#namespaces = namespaces;
    this.#front = front;
    this.#connectionClosed = connectionClosed;
    this.#websocketClosed = websocketClosed;
    /**
     * @param {number} number the socket whose client sent what cannot be read
     * @returns {void}
     */
    this.malformed = (number) => {
      if (this.#sockets.has(number)) {
        this.#link.commands.malformed(number);
      }
    };
  }

  /**
   * Whether no socket is accepted any more. A client that asks for one gets no answer: it asks another server
   * when its connection ends, while it would give up if it were refused.
   *
   * @returns {boolean} whether the server is closing, or about to
   */
  get #acceptsNone() {
    return this.#link.isClosing || this.#link.isDraining;
  }

  /**
   * @param {number} number the socket
   * @param {unknown[]} payload the event's name and arguments
   * @param {number | null} ack the client's acknowledgement id, `null` if it asks for none
   * @param {number} run the method to run, below 0 for none
   * @param {boolean} isLast whether the client left right behind it
   * @param {import('../native/event-batch').Step[]} [steps] what else runs for it
   * @returns {void}
   */
  event(number, payload, ack, run, isLast, steps) {
    const socket = this.#sockets.get(number);
    if (socket !== undefined) {
      socket._onEvent(
        payload,
        ack,
        run,
        isLast,
        steps && ((event, ackState) => this.#take(socket, event, ack, ackState, steps)),
      );
    }
  }

  /**
   * @param {Socket} socket the socket
   * @param {unknown[]} event the event's name and arguments
   * @param {number | null} ack the client's acknowledgement id, `null` if it asks for none
   * @param {import('./method-calls').AckState} ackState whether it has been
   * @param {import('../native/event-batch').Step[]} steps what runs for it
   * @returns {void}
   */
  #take(socket, event, ack, ackState, steps) {
    for (const step of steps) {
      if (!socket.nsp._isLive(socket)) {
        return;
      }
      if ('run' in step) {
        socket._call(event, ack, step.run, ackState);
      } else if (!isAuthenticationRemoved(socket, step.instance)) {
        loopback.attempt(socket, step.instance, event[1]);
      }
    }
  }

  /**
   * @param {number} number the socket
   * @param {number} connectionNumber its connection
   * @param {number} index the number of the namespace that the native server has it in
   * @param {{id: string, nsp: string}} request what the client asked with
   * @param {boolean} hasEnded whether the socket ended right behind it: as in Socket.IO, where a
   *   socket joins a tick after it asks, only middleware sees such a socket
   * @param {Buffer} [packed] `auth` as it came, if it is no JSON
   * @returns {void}
   */
  connect(number, connectionNumber, index, request, hasEnded, packed) {
    const connection = this.#connections.get(connectionNumber);
    const namespace = this.#namespaces.byName.get(request.nsp);
    if (connection === undefined || this.#acceptsNone) {
      return;
    }
    if (namespace?._index !== index) {
      // It was removed with its last socket after the client had asked for it. A parent may make it anew, or has:
      // broadcasts to that one do not reach the socket, which is in the one before.
      if (!hasEnded) {
        const { nsp, query, auth } = request;
        this.#link.commands.withdraw(number);
        this.ask(connectionNumber, { nsp, query, auth }, packed);
      }
      return;
    }
    this.#joins(connectionNumber, request.nsp);
    // A client of Engine.IO 3 asks for nothing: it is in the default namespace from the start.
    const isGone = hasEnded && connection.protocol !== 3;
    const { recovery } = this.#link;
    if (
      recovery === undefined ||
      isGone ||
      connection.protocol === 3 ||
      !Recovery.isAskedBy(request.auth)
    ) {
      this.#enter(number, connection, namespace, request, isGone);
      return;
    }
    this.#restoring.add(number);
    // An adapter takes a while, in which the last socket may leave the namespace.
    namespace._restoring += 1;
    recovery.restore(namespace, request.auth, (restored) => {
      namespace._restoring -= 1;
      const isThere = this.#restoring.delete(number) && !this.#acceptsNone;
      if (!isThere) {
        restored?.putBack();
        namespace._dropIfEmpty();
      } else if (restored !== undefined && isInUse(namespace, restored.session.sid)) {
        this.#enter(number, connection, namespace, request, false);
      } else {
        this.#enter(number, connection, namespace, request, false, restored);
      }
    });
  }

  /**
   * Runs the middleware for a socket, and has it join its namespace.
   *
   * @param {number} number the socket
   * @param {import('./connection').Connection} connection its connection
   * @param {import('./namespace').Namespace} namespace the namespace
   * @param {{id: string, nsp: string}} request what the client asked with
   * @param {boolean} isGone whether the socket has ended
   * @param {import('./recovery/recovery').RestoredSession} [restored] its session, if that is restored
   * @returns {void}
   */
  #enter(number, connection, namespace, request, isGone, restored) {
    const socket = new Socket(namespace, number, connection, request, restored);
    this.#sockets.set(number, socket);
    connection.add(socket);
    const skipsMiddleware = restored !== undefined && this.#link.recovery.options.skipMiddlewares;
    const hasMiddleware = namespace._fns.length > 0 && !skipsMiddleware;
    if (hasMiddleware || restored !== undefined) {
      namespace._preConnectSockets.set(socket.id, socket);
    }
    if (restored !== undefined) {
      guarded(() => socket.join(restored.session.rooms));
    }
    if (!hasMiddleware) {
      if (!isGone && skipsMiddleware) {
        guardedAsAsync(() => this.#accept(socket));
      } else if (!isGone) {
        this.#accept(socket);
      }
      return;
    }
    guardedAsAsync(() =>
      namespace._runMiddleware(socket, (error) => {
        if (isGone || !namespace._isLive(socket) || this.#acceptsNone) {
          return;
        }
        if (error) {
          this.#link.refused.byMiddleware += 1;
          refused(socket.id, namespace.name, error);
          socket._refuse(error);
        } else {
          this.#accept(socket);
        }
      }),
    );
  }

  /**
   * @param {Socket} socket a socket that may join its namespace
   * @returns {void}
   */
  #accept(socket) {
    const { nsp } = socket;
    nsp._preConnectSockets.delete(socket.id);
    nsp.sockets.set(socket.id, socket);
    const refusal = loopback.serve(socket);
    socket._connection.joined(socket);
    if (socket._recovery?.isRecovered && socket.auth) {
      // It has authenticated on an earlier connection.
      socket._connection.authenticated(socket);
    }
    socket._accept();
    connected(socket);
    if (refusal === undefined) {
      nsp._emitConnection(socket);
    } else {
      exclude(socket, refusal);
    }
  }

  /**
   * @param {number} connectionNumber the connection
   * @param {{nsp: string, auth?: object, query?: string}} request the namespace it wants
   * @param {Buffer} [packed] `auth` as it came, if it is no JSON
   * @returns {void}
   */
  ask(connectionNumber, request, packed) {
    const sid = this.#connections.get(connectionNumber)?.sid;
    if (sid === undefined || this.#acceptsNone) {
      return;
    }
    const { nsp: name, auth, query } = request;
    // The request is kept as text by the callback alone, so a client that is never answered costs no
    // more than that. Taken now: the application may change `auth`.
    const asked = JSON.stringify(packed === undefined ? request : { nsp: name, query });
    const given = auth ?? Object.fromEntries(new URLSearchParams(query ?? ''));
    this.#namespaces.find(name, given, (exists) => {
      if (exists) {
        this.#awaits(connectionNumber, name);
      }
      this.#link.commands?.answerAsk(sid, asked, packed, exists);
    });
  }

  /**
   * A client is told to join a namespace, which may have been made for it. If its connection ends before, nobody
   * else may ever join that.
   *
   * @param {number} connectionNumber the connection
   * @param {string} name the namespace
   * @returns {void}
   */
  #awaits(connectionNumber, name) {
    const connection = this.#connections.get(connectionNumber);
    if (connection === undefined) {
      this.#namespaces.byName.get(name)?._dropIfEmpty();
      return;
    }
    if (connection.socketIn(name) !== undefined) {
      // It had asked twice.
      return;
    }
    const names = this.#awaited.get(connectionNumber);
    if (names === undefined) {
      this.#awaited.set(connectionNumber, new Set([name]));
    } else {
      names.add(name);
    }
  }

  /**
   * A client joins a namespace.
   *
   * @param {number} connectionNumber the connection
   * @param {string} name the namespace
   * @returns {void}
   */
  #joins(connectionNumber, name) {
    const names = this.#awaited.get(connectionNumber);
    if (names?.delete(name) && names.size === 0) {
      this.#awaited.delete(connectionNumber);
    }
  }

  /**
   * @param {number} number the socket
   * @param {number} code the `CloseReason`
   * @param {unknown} more what there is to say of it besides
   * @returns {void}
   */
  disconnect(number, code, more) {
    const socket = this.#sockets.get(number);
    if (socket === undefined) {
      this.#restoring.delete(number);
      return;
    }
    const { _connection: connection } = socket;
    const { reason, details } = connection.endOf(code, more);
    if (code === FORCED_SERVER_CLOSE) {
      connection.isClosing = true;
    } else if (isOfConnection(code) && socket.connected) {
      connection.markLost();
    }
    if (code === AUTHENTICATION_TIMEOUT && socket.connected) {
      for (const { _definitions: definitions } of socket._instances) {
        definitions.authentication.timedOut += 1;
      }
      authenticationTimedOut(socket);
    }
    socket._end(reason, details);
    if (code === AUTHENTICATION_TIMEOUT) {
      // As after `disconnect(true)`.
      connection.isClosing = true;
    }
  }

  /**
   * @param {number} number a socket whose client sent what is no Socket.IO packet
   * @returns {void}
   */
  failed(number) {
    const socket = this.#sockets.get(number);
    if (socket?.connected) {
      guarded(() => socket._onError(new MalformedMessageError()));
    }
  }

  /**
   * @param {number} namespace the number of a namespace
   * @param {number} ack the id with which clients are to acknowledge a broadcast
   * @param {number[]} receivers the sockets that it is sent to
   * @returns {void}
   */
  broadcastSent(namespace, ack, receivers) {
    this.#link.broadcasts.sent(namespace, ack, receivers);
  }

  /**
   * @param {number} number the socket
   * @param {number} subscription one of its subscriptions, which has ended
   * @param {number} end the `SubscriptionEnd`
   * @returns {void}
   */
  subscriptionEnded(number, subscription, end) {
    const socket = this.#sockets.get(number);
    socket?.nsp._subscriptionEngine?.ended(socket, subscription, end);
  }

  /**
   * @param {number} number the socket
   * @param {number} subscription one of its subscriptions
   * @param {number} count how many more of its items the client has acknowledged
   * @returns {void}
   */
  subscriptionCredit(number, subscription, count) {
    const socket = this.#sockets.get(number);
    socket?.nsp._subscriptionEngine?.credit(socket, subscription, count);
  }

  /**
   * @param {string} reason why a command cannot be carried out
   * @returns {void}
   */
  invalidCommand(reason) {
    process.emitWarning(new InvalidCommandError(reason));
  }

  /**
   * @param {number} number the socket
   * @param {number} ack the id the event was sent with
   * @param {unknown[]} args what the client acknowledges with
   * @returns {void}
   */
  acknowledged(number, ack, args) {
    this.#sockets.get(number)?._onAck(ack, args);
  }

  /**
   * @param {number} owner a number of what had accepted a websocket that is closed now
   * @returns {void}
   */
  released(owner) {
    this.#websocketClosed(owner);
  }

  /**
   * @param {number} number a connection that a request has opened which JavaScript has not seen
   * @param {3 | 4} protocol the version of Engine.IO
   * @param {boolean} isWebsocket whether it began with a websocket
   * @param {boolean} isSecure whether the client came by TLS
   * @param {[id: string, address: string | null, request: string]} opening the id of its session, the address
   *   at its other end, and the request
   * @returns {void}
   */
  opened(number, protocol, isWebsocket, isSecure, opening) {
    // A server that is closing has not counted it, and ends it unseen.
    if (!this.#link.isClosing) {
      this.#front.openedUnseen(number, protocol, isWebsocket, isSecure, opening);
    }
  }

  /**
   * @param {number} owner a number of what had accepted a connection of HTTP that is Node's again
   * @param {number} fd its descriptor
   * @param {Buffer[]} attached what was read of it, and the client's certificate, if it has one
   * @param {object | null} secure what is known of a client that came by TLS
   * @returns {void}
   */
  handedBack(owner, fd, [bytes, certificate], secure) {
    this.#front.handedBack(owner, fd, bytes, secure, certificate);
  }

  /**
   * @param {number} number a connection that moved to websocket
   * @returns {void}
   */
  upgraded(number) {
    const connection = this.#connections.get(number);
    if (connection !== undefined) {
      connection.transport = 'websocket';
      connection.isUpgraded = true;
      connection.emit('upgrade', { name: connection.transport });
    }
  }

  /**
   * @param {number} number a connection whose packets are watched
   * @param {number} type the packet's type, by its digit
   * @param {number} flags what is so of it
   * @param {Buffer} bytes what it carries
   * @returns {void}
   */
  packet(number, type, flags, bytes) {
    this.#connections.get(number)?.packet(type, flags, bytes);
  }

  /**
   * @param {number} number a connection that ended
   * @param {number} code the `CloseReason`
   * @param {unknown} more what there is to say of it besides
   * @returns {void}
   */
  closed(number, code, more) {
    this.#connectionClosed(number, code, more);
    const names = this.#awaited.get(number);
    this.#awaited.delete(number);
    names?.forEach((name) => this.#namespaces.byName.get(name)?._dropIfEmpty());
  }

  /**
   * @param {number} number a request of long polling
   * @param {number} status its response's status
   * @param {number} refusal why the request is refused instead, or `NONE`
   * @param {Record<string, unknown>} headers the headers
   * @param {Buffer} [body] the body
   * @returns {void}
   */
  response(number, status, refusal, headers, body) {
    this.#front.answered(number, status, refusal, headers, body);
  }

  /**
   * @param {number} number a socket whose bytes are carried
   * @param {number} action what to do with it
   * @param {Buffer} [bytes] what to write
   * @returns {void}
   */
  relayed(number, action, bytes) {
    this.#front.relayed(number, action, bytes);
  }
}

/**
 * @param {import('./namespace').Namespace} namespace a namespace
 * @param {string} id the id of a socket
 * @returns {boolean} whether a socket of it has that id
 */
function isInUse(namespace, id) {
  return namespace._withId(id) !== undefined;
}

module.exports = { EventHandlers };
