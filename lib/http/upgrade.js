'use strict';

/**
 * Websockets: handed over to the native server, and gone from the event loop if they are plain
 * sockets with a descriptor. Others (TLS, and every socket on Windows) are relayed.
 */

const { InvalidSessionIdError } = require('../errors');
const { rejectUnhandled } = require('../events');
const { Refusal } = require('../native/protocol');
const { hasConnectionListeners } = require('../socketio/engine');
const { descriptorOf } = require('./descriptor');
const { startRelay } = require('./relay');
const { refuseUpgrade } = require('./refusals');
const { fromOf, targetOf } = require('./request');
const { addressesOf, standForClient } = require('./request-snapshot');
const { UpgradeResponse, upgradeHeaders } = require('./headers');
const { allow, askOrigin, runMiddleware } = require('./verify');

const { NONE } = require('../native/protocol').Layout;
const { ASKS_ORIGIN, OPENS } = require('../native/protocol').RequestVerdict;

/** The status of the answer to an upgrade. */
const SWITCHING_PROTOCOLS = 101;

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
    refuseUpgrade(front, req, socket, Refusal.UNAVAILABLE);
    return;
  }
  const descriptor = descriptorOf(socket);
  if (descriptor >= 0) {
    // Not a byte may be read any more that the native server would miss.
    socket._handle.readStop();
  }
  let res;
  const response = () => (res = new UpgradeResponse(req, socket));
  const verified = (verdict, more, opens) => {
    const refusal = verdict ?? invalidWebsocket(front, req);
    if (socket.destroyed) {
      return;
    }
    if (refusal !== undefined) {
      refuseUpgrade(front, req, socket, refusal, more);
      return;
    }
    try {
      handOver(front, req, socket, head, descriptor, res, opens);
    } catch (error) {
      socket.destroy();
      // A header of the application's that cannot be sent, or a listener that threw.
      rejectUnhandled(error);
    }
  };
  runMiddleware(front, req, response, (refusal) => {
    if (refusal === undefined) {
      verify(front, req, false, verified);
    } else {
      verified(refusal);
    }
  });
}

/**
 * Finds out whether an upgrade may be taken.
 *
 * @param {import('./front').HttpFront} front who takes it
 * @param {import('http').IncomingMessage} req the request
 * @param {boolean} isOriginAllowed whether the application was asked about the origin, and allows it
 * @param {import('./verify').Verified} then called once
 * @returns {void}
 */
function verify(front, req, isOriginAllowed, then) {
  const target = targetOf(req);
  const verdict = front.native.verifyUpgrade(req.method, target, fromOf(req), isOriginAllowed);
  if (verdict >= 0) {
    then(verdict);
  } else if (verdict === OPENS) {
    allow(front, req, then);
  } else if (verdict === ASKS_ORIGIN) {
    askOrigin(front, req, (refusal, more) => {
      if (refusal === undefined) {
        verify(front, req, true, then);
      } else {
        then(refusal, more);
      }
    });
  } else {
    then();
  }
}

/**
 * @param {import('./front').HttpFront} front who takes the websocket
 * @param {import('http').IncomingMessage} req the request of an upgrade
 * @returns {number | undefined} the `Refusal`, if it does not ask for a websocket
 */
function invalidWebsocket(front, req) {
  const { method, headers } = req;
  const refusal = front.native.verifyWebsocket(
    method,
    headers.upgrade,
    headers['sec-websocket-key'],
    headers['sec-websocket-version'],
    headers['sec-websocket-protocol'],
    extensionsOf(front, req),
  );
  return refusal === NONE ? undefined : refusal;
}

/**
 * @param {import('./front').HttpFront} front who takes a websocket
 * @param {import('http').IncomingMessage} req the request of the upgrade
 * @returns {string | undefined} the extensions that the client offers, if any is known
 */
function extensionsOf(front, req) {
  return front.compresses ? req.headers['sec-websocket-extensions'] : undefined;
}

/**
 * @param {import('./front').HttpFront} front who takes the websocket
 * @param {import('http').IncomingMessage} req the request
 * @param {import('net').Socket} socket its socket
 * @param {Buffer} head what was read behind the request
 * @param {number} descriptor the socket's descriptor, or `NONE`
 * @param {UpgradeResponse} [res] what middleware has written to
 * @param {import('./verify').Opens} [opens] the session, if it opens one
 * @returns {void}
 */
function handOver(front, req, socket, head, descriptor, res, { id, client } = {}) {
  const address = socket.remoteAddress;
  const number = front.nextConnection();
  // Middleware that waits for the headers to be written adds its own now (`on-headers`, sessions).
  res?.writeHead(SWITCHING_PROTOCOLS);
  const headers = upgradeHeaders(front, req, res, id !== undefined);
  const owner = front.accepted.numberOf(socket, res?.closed);
  let verdict;
  try {
    verdict = front.native.upgrade(
      number,
      descriptor,
      targetOf(req),
      req.headers['sec-websocket-key'],
      req.headers['sec-websocket-protocol'],
      extensionsOf(front, req),
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
  if (verdict >= 0 || descriptor < 0) {
    front.accepted.forget(owner);
  }
  if (verdict >= 0) {
    const error =
      verdict === Refusal.INVALID_SESSION_ID ? { error: new InvalidSessionIdError() } : undefined;
    refuseUpgrade(front, req, socket, verdict, error);
    return;
  }
  const connection = verdict === OPENS ? front.opened(number, id, req, address, client) : undefined;
  if (descriptor < 0) {
    startRelay(front, number, socket);
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

module.exports = { upgrade };
