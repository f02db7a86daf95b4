'use strict';

/**
 * Websockets: handed over to the native server, and gone from the event loop if they are plain
 * sockets with a descriptor. Others (TLS, and every socket on Windows) are pumped.
 */

const protocol = require('../native/protocol');
const { admit, sessionOf } = require('./verify');
const { pump } = require('./relay');
const { abortUpgrade, badRequest, nativeRefusal, refuseUpgrade } = require('./refusals');
const { hasConnectionListeners, protocolOf } = require('../socketio/engine');
const { addressesOf, standForClient } = require('./request-snapshot');
const { UpgradeResponse, upgradeHeaders } = require('./headers');

/** The status of the answer to an upgrade. */
const SWITCHING_PROTOCOLS = 101;

const { NONE } = protocol.Layout;
const { NOT_TAKEN, OPENS } = protocol.RequestVerdict;

/** A subprotocol is a token (RFC 6455, section 4.1; RFC 9110, section 5.6.2), with blanks around it. */
const SUBPROTOCOL = /^[\t ]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[\t ]*$/;

/** The versions of the websocket protocol that are served. */
const VERSIONS = [13, 8];

/** The handles that Node keeps of sockets whose descriptor carries their bytes as they are. */
const PLAIN = new Set(['TCP', 'Pipe']);

/**
 * Takes a websocket.
 *
 * @param {import('./front').HttpFront} front who takes it
 * @param {import('http').IncomingMessage} req the request of the upgrade
 * @param {import('net').Socket} socket its socket
 * @param {Buffer} head what was read behind the request
 * @returns {void}
 */
function upgrade(front, req, socket, head) {
  socket.on('error', ignore);
  if (front.isClosing) {
    abortUpgrade(socket, 503);
    return;
  }
  const descriptor = descriptorOf(socket);
  if (descriptor >= 0) {
    // Not a byte may be read any more that the native server would miss.
    socket._handle.readStop();
  }
  let res;
  const response = () => (res = new UpgradeResponse(req, socket));
  admit(front, req, response, true, (refusal, id) => {
    const why = refusal ?? invalidWebsocket(req);
    if (socket.destroyed) {
      return;
    }
    if (why !== undefined) {
      refuseUpgrade(front, req, socket, why);
      return;
    }
    try {
      handOver(front, req, socket, head, descriptor, res, id);
    } catch (error) {
      socket.destroy();
      // A header of the application's that cannot be sent, or a listener that threw.
      process.nextTick(rethrow, error);
    }
  });
}

/**
 * @param {import('net').Socket} socket a socket
 * @returns {number} its descriptor, if that carries its bytes as they are; else `NONE`
 */
function descriptorOf(socket) {
  const handle = socket._handle;
  const isPlain = !socket.encrypted && PLAIN.has(handle?.constructor.name);
  return isPlain && handle.fd >= 0 ? handle.fd : NONE;
}

/**
 * Checks that a request asks for a websocket, as the npm package `ws` does.
 *
 * @param {import('http').IncomingMessage} req the request of an upgrade
 * @returns {import('./refusals').Refusal | undefined} its refusal, if it does not
 */
function invalidWebsocket({ method, headers }) {
  const refused = (message, more) => ({ ...badRequest('INVALID_WEBSOCKET', { message }), ...more });
  if (method !== 'GET') {
    return refused('Invalid HTTP method', { status: 405 });
  }
  if (!/^websocket$/i.test(headers.upgrade)) {
    return refused('Invalid Upgrade header');
  }
  if (!/^[+/0-9A-Za-z]{22}==$/.test(headers['sec-websocket-key'])) {
    return refused('Missing or invalid Sec-WebSocket-Key header');
  }
  if (!VERSIONS.includes(Number(headers['sec-websocket-version']))) {
    // RFC 6455, section 4.4: the client learns which versions there are.
    const lines = `Sec-WebSocket-Version: ${VERSIONS.join(', ')}\r\n`;
    return refused('Missing or invalid Sec-WebSocket-Version header', { lines });
  }
  if (!areSubprotocols(headers['sec-websocket-protocol'])) {
    return refused('Invalid Sec-WebSocket-Protocol header');
  }
  return undefined;
}

/**
 * @param {string} [header] the value of `Sec-WebSocket-Protocol`
 * @returns {boolean} whether it lists subprotocols, each once, or is not there at all
 */
function areSubprotocols(header) {
  if (header === undefined) {
    return true;
  }
  // Blanks are left to the second step: a separator that includes them takes time that grows with the
  // square of a long run of blanks.
  const names = header.split(',').map((name) => SUBPROTOCOL.exec(name)?.[1]);
  return !names.includes(undefined) && new Set(names).size === names.length;
}

/**
 * @param {import('./front').HttpFront} front who takes the websocket
 * @param {import('http').IncomingMessage} req the request
 * @param {import('net').Socket} socket its socket
 * @param {Buffer} head what was read behind the request
 * @param {number} descriptor the socket's descriptor, or `NONE`
 * @param {UpgradeResponse} [res] what middleware has written to
 * @param {string} [id] the id of the session that the websocket opens
 * @returns {void}
 */
function handOver(front, req, socket, head, descriptor, res, id) {
  const sid = sessionOf(req._query);
  const address = socket.remoteAddress;
  const number = front.nextConnection();
  // Middleware that waits for the headers to be written adds its own now (`on-headers`, sessions).
  res?.writeHead(SWITCHING_PROTOCOLS);
  const headers = upgradeHeaders(front, req, res, sid === undefined);
  const owner = front.accepted.numberOf(socket, res?.closed);
  let verdict;
  try {
    verdict = front.native.upgrade(
      number,
      descriptor,
      protocolOf(req._query) === 3,
      sid,
      req.headers['sec-websocket-key'],
      headers,
      head,
      id,
      hasConnectionListeners(front.engine),
      owner,
    );
  } catch (error) {
    front.accepted.forget(owner);
    throw error;
  }
  if (verdict >= 0 || verdict === NOT_TAKEN || descriptor < 0) {
    front.accepted.forget(owner);
  }
  if (verdict >= 0) {
    refuseUpgrade(front, req, socket, nativeRefusal(verdict, req));
    return;
  }
  if (verdict === NOT_TAKEN) {
    abortUpgrade(socket, 500);
    return;
  }
  const connection = verdict === OPENS ? front.opened(number, id, req, address) : undefined;
  if (descriptor < 0) {
    pump(front, number, socket);
    return;
  }
  const addresses = connection?.snapshot.isSeen ? addressesOf(socket) : undefined;
  front.accepted.begin(socket);
  res?.detach();
  socket.destroy();
  if (addresses !== undefined) {
    standForClient(socket, connection, addresses);
  }
}

/**
 * Takes the error of a socket that is ending. A function of its own: one made for each socket would
 * hold what was read behind the request for as long as the socket is known.
 *
 * @returns {void}
 */
function ignore() {}

/**
 * @param {unknown} error what the application threw
 * @throws {unknown} the error
 */
function rethrow(error) {
  throw error;
}

module.exports = { upgrade };
