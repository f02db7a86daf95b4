'use strict';

/**
 * What a client connected with, as Socket.IO describes it.
 */

/**
 * @param {{url?: string, _query?: Record<string, string>}} request a request
 * @returns {Record<string, string>} its query, which applications find and change in `_query`, as on Engine.IO; of a
 *   name that is there twice, the last value
 */
function queryOf(request) {
  if (request._query === undefined) {
    // A fragment, which none should have, is left out, as by Node's `url.parse()`.
    const [url] = (request.url ?? '').split('#', 1);
    const mark = url.indexOf('?');
    request._query = Object.fromEntries(new URLSearchParams(mark < 0 ? '' : url.slice(mark)));
  }
  return request._query;
}

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
  return {
    headers,
    time: String(new Date(issued)),
    address: connection.clientAddress,
    xdomain: Boolean(headers.origin),
    secure: head === undefined || snapshot.isSecure,
    issued,
    url,
    query: { ...queryOf(head ?? {}), ...asks },
    // Clients of protocol 4 send no `auth`: they identify themselves by the query.
    auth: asked.auth ?? (connection.protocol === 3 ? asks : {}),
  };
}

module.exports = { handshakeOf, queryOf };
