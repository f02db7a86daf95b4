'use strict';

/**
 * What a client connected with, as Socket.IO describes it.
 */

/**
 * @param {import('./connection').Connection} connection the connection
 * @param {{auth?: object, query?: string}} asked what the client asked to join the
 *   namespace with
 * @returns {object} the handshake
 */
function handshakeOf(connection, asked) {
  const { issued, snapshot, head } = connection;
  const { headers = {}, url = '' } = head ?? {};
  const asks = Object.fromEntries(new URLSearchParams(asked.query ?? ''));
  const query = url.includes('?') ? url.slice(url.indexOf('?') + 1) : '';
  return {
    headers,
    time: String(new Date(issued)),
    address: snapshot.clientAddress,
    xdomain: Boolean(headers.origin),
    secure: head === undefined || snapshot.isSecure,
    issued,
    url,
    query: { ...Object.fromEntries(new URLSearchParams(query)), ...asks },
    // Clients of protocol 4 send no `auth`: they identify themselves by the query.
    auth: asked.auth ?? (connection.protocol === 3 ? asks : {}),
  };
}

module.exports = { handshakeOf };
