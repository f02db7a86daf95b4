'use strict';

/**
 * Takes requests and sockets from a Node http.Server: websockets are handed over to the native
 * server and leave the event loop, long polling is read and answered here and served there.
 */

const http = require('http');
const { clientBundle } = require('./client-bundle');

/** What the native server says about a request, besides the code of a refusal. */
const SERVED = -1;
const OPENS = -2;

/** Engine.IO's words for a refusal, by its code. */
const REFUSALS = {
  0: 'Transport unknown',
  1: 'Session ID unknown',
  2: 'Bad handshake method',
  3: 'Bad request',
  5: 'Unsupported protocol version',
};

/** How long, in ms, an upgrade that nobody took may stay open. */
const UPGRADE_GRACE = 1000;

const METHODS = new Set(['GET', 'POST']);

/**
 * Puts a server in front of the listeners that an http.Server has.
 *
 * @param {import('./server')} server who serves
 * @param {http.Server} httpServer where clients come
 * @returns {void}
 */
function attach(server, httpServer) {
  const { path, serveClient } = server._options;
  const prefix = `${path}/`;
  const bundle = serveClient ? clientBundle(prefix) : undefined;
  const others = httpServer.listeners('request').slice();
  httpServer.removeAllListeners('request');
  httpServer.on('request', (req, res) => {
    if (!isFor(req.url, path, prefix)) {
      for (const listener of others) {
        Reflect.apply(listener, httpServer, [req, res]);
      }
    } else if (bundle === undefined || !bundle(req, res)) {
      poll(server, req, res);
    }
  });
  httpServer.on('upgrade', (req, socket, head) => {
    if (isFor(req.url, path, prefix)) {
      takeOver(server, req, socket, head);
    } else {
      endUntaken(socket);
    }
  });
}

/**
 * @param {string} url a request's URL
 * @param {string} path the server's path, without a slash at its end
 * @param {string} prefix the same with one
 * @returns {boolean} whether the request is the server's
 */
function isFor(url, path, prefix) {
  return url.startsWith(prefix) || url === path || url.startsWith(`${path}?`);
}

/**
 * @param {string} url a request's URL
 * @returns {string} its query, without the question mark
 */
function queryOf(url) {
  const mark = url.indexOf('?');
  return mark < 0 ? '' : url.slice(mark + 1);
}

/**
 * Ends a socket that asked for an upgrade and that no other listener took, as Engine.IO does.
 *
 * @param {import('net').Socket} socket the socket
 * @returns {void}
 */
function endUntaken(socket) {
  setTimeout(() => {
    if (socket.writable && socket.bytesWritten <= 0) {
      socket.on('error', () => {});
      socket.destroySoon();
    }
  }, UPGRADE_GRACE).unref();
}

/**
 * Hands a websocket over to the native server.
 *
 * @param {import('./server')} server who takes it
 * @param {http.IncomingMessage} req the upgrade request
 * @param {import('net').Socket} socket its socket
 * @param {Buffer} head what was read behind the request
 * @returns {void}
 */
function takeOver(server, req, socket, head) {
  socket.on('error', () => {});
  const key = req.headers['sec-websocket-key'];
  const isWebsocket =
    req.method === 'GET' &&
    /^websocket$/i.test(req.headers.upgrade ?? '') &&
    /^[+/0-9A-Za-z]{22}==$/.test(key ?? '') &&
    req.headers['sec-websocket-version'] === '13';
  if (!isWebsocket) {
    refuse(socket, 3);
    return;
  }
  if (server._isClosing) {
    abort(socket, 503, '');
    return;
  }
  const handle = socket._handle;
  if (!(handle?.fd >= 0)) {
    abort(socket, 501, 'This server cannot take websockets from such a socket.');
    return;
  }
  const address = socket.remoteAddress;
  const number = server._nextConnection();
  handle.readStop();
  const taken = server._native.upgrade(number, handle.fd, queryOf(req.url), key, head);
  if (taken >= 0) {
    refuse(socket, taken);
  } else if (taken === SERVED || taken === OPENS) {
    if (taken === OPENS) {
      server._opened(number, req, address);
    }
    socket.destroy();
  } else {
    abort(socket, 500, '');
  }
}

/**
 * @param {import('net').Socket} socket a socket that asked for an upgrade
 * @param {number} code why it is refused
 * @returns {void}
 */
function refuse(socket, code) {
  abort(socket, 400, JSON.stringify({ code, message: REFUSALS[code] }));
}

/**
 * Answers an upgrade request with an error and ends its socket.
 *
 * @param {import('net').Socket} socket the socket
 * @param {number} status the HTTP status
 * @param {string} body what to say
 * @returns {void}
 */
function abort(socket, status, body) {
  const type = body.startsWith('{') ? 'application/json' : 'text/plain';
  socket.write(
    `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\nConnection: close\r\n` +
      `Content-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  // Not just ended: nobody reads it any more, so its client's own end would not be noticed.
  socket.destroySoon();
}

/**
 * Serves a request of long polling.
 *
 * @param {import('./server')} server who serves it
 * @param {http.IncomingMessage} req the request
 * @param {http.ServerResponse} res its response
 * @returns {void}
 */
function poll(server, req, res) {
  if (server._isClosing) {
    res.setHeader('Connection', 'close');
    respond(res, 503, 'text/plain', '');
    return;
  }
  if (!METHODS.has(req.method)) {
    const code = queryOf(req.url).includes('sid=') ? 3 : 2;
    respond(res, 400, 'application/json', JSON.stringify({ code, message: REFUSALS[code] }));
    return;
  }
  if (req.method === 'GET') {
    serve(server, req, res, undefined);
    return;
  }
  const limit = server._options.maxHttpBufferSize;
  const chunks = [];
  let bytes = 0;
  req.on('data', (chunk) => {
    bytes += chunk.length;
    if (bytes <= limit) {
      chunks.push(chunk);
    } else if (!res.headersSent) {
      server._native.exceeded(queryOf(req.url));
      res.setHeader('Connection', 'close');
      respond(res, 413, 'text/plain', '');
      chunks.length = 0;
    }
  });
  req.on('end', () => {
    if (bytes <= limit) {
      serve(server, req, res, Buffer.concat(chunks));
    }
  });
}

/**
 * @param {import('./server')} server who serves it
 * @param {http.IncomingMessage} req the request
 * @param {http.ServerResponse} res its response
 * @param {Buffer} [body] the body of a POST
 * @returns {void}
 */
function serve(server, req, res, body) {
  const request = server._nextRequest();
  const connection = server._nextConnection();
  const served = server._native.request(
    request,
    connection,
    req.method,
    queryOf(req.url),
    req.headers['content-type'],
    body,
  );
  if (served >= 0) {
    const refusal = { code: served, message: REFUSALS[served] };
    respond(res, 400, 'application/json', JSON.stringify(refusal));
    return;
  }
  if (served === OPENS) {
    server._opened(connection, req, req.socket.remoteAddress);
  }
  server._responses.set(request, res);
  res.once('close', () => {
    if (server._responses.delete(request)) {
      server._native.abortRequest(request);
    }
  });
}

/**
 * @param {http.ServerResponse} res the response
 * @param {number} status its status
 * @param {string} type the type of its body
 * @param {string | Buffer} body its body
 * @returns {void}
 */
function respond(res, status, type, body) {
  res.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
  });
  res.end(body);
}

module.exports = { attach, respond };
