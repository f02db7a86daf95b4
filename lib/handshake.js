'use strict';

/**
 * What a client connected with, as Socket.IO describes it.
 */

/**
 * @param {object} connection the connection
 * @param {{auth?: object, query?: string}} asked what the client asked to join the namespace with
 * @returns {object} the handshake
 */
function handshakeOf(connection, asked) {
  const { request, issued } = connection;
  const { headers, url, socket } = request;
  const query = Object.fromEntries(new URLSearchParams(url.slice(url.indexOf('?') + 1)));
  return {
    headers,
    time: new Date(issued).toString(),
    address: connection.address,
    xdomain: Boolean(headers.origin),
    secure: Boolean(socket?.encrypted),
    issued,
    url,
    query: { ...query, ...Object.fromEntries(new URLSearchParams(asked.query ?? '')) },
    auth: asked.auth ?? {},
  };
}

module.exports = { handshakeOf };
