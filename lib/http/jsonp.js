'use strict';

/**
 * Long polling of browsers that can only load scripts: answers are scripts, and packets come from a
 * form.
 */

/**
 * @param {import('http').IncomingMessage} req a request, with its `_query`
 * @returns {boolean} whether it is one of JSONP
 */
function isJsonp(req) {
  return typeof req._query.j === 'string';
}

/**
 * @param {import('http').IncomingMessage} req the request
 * @param {Buffer | string} payload packets for the client
 * @returns {string} the script that brings them
 */
function script(req, payload) {
  const call = req._query.j.replace(/[^0-9]/g, '');
  // These two end a line in a script, but not in JSON.
  const text = JSON.stringify(String(payload))
    .replace(/\u2028/g, '\\u2028')
    .replace(/\u2029/g, '\\u2029');
  return `___eio[${call}](${text});`;
}

/**
 * @param {Buffer} form what a form sent
 * @returns {Buffer | undefined} the packets in it
 */
function packetsOf(form) {
  const packets = new URLSearchParams(String(form)).get('d');
  if (packets === null) {
    return undefined;
  }
  // Browsers make \r\n of a line break, so clients send those of their data as \\n.
  const unescaped = packets.replace(/(\\)?\\n/g, (match, slash) => (slash ? '\\n' : '\n'));
  return Buffer.from(unescaped);
}

module.exports = { isJsonp, packetsOf, script };
