'use strict';

/**
 * What stands for the socket of a client whose bytes are Rust's: `request.socket`. Applications end a
 * client by it, look whether it is there, and read its addresses.
 */

/** What is read from a socket while it is Node's. */
const ADDRESSES = [
  'remoteAddress',
  'remotePort',
  'remoteFamily',
  'localAddress',
  'localPort',
  'localFamily',
];

/**
 * @param {import('net').Socket} socket a socket of Node's
 * @returns {Record<string, unknown>} its addresses, which Node does not know once it is destroyed
 */
function addressesOf(socket) {
  return Object.fromEntries(ADDRESSES.map((name) => [name, socket[name]]));
}

/**
 * Has a socket that carries nothing any more stand for a client.
 *
 * @param {import('net').Socket} socket the socket
 * @param {object} client the client
 * @param {Record<string, unknown>} client.addresses from `addressesOf`
 * @param {() => boolean} client.isEnded whether it is gone
 * @param {() => void} client.end ends it
 * @returns {void}
 */
function standFor(socket, { addresses, isEnded, end }) {
  const properties = {
    destroyed: { get: isEnded },
    readyState: { get: () => (isEnded() ? 'closed' : 'open') },
  };
  for (const [name, value] of Object.entries(addresses)) {
    properties[name] = { enumerable: true, value };
  }
  for (const name of ['destroy', 'destroySoon', 'end', 'resetAndDestroy']) {
    properties[name] = {
      writable: true,
      value: function ended() {
        end();
        return this;
      },
    };
  }
  for (const property of Object.values(properties)) {
    property.configurable = true;
  }
  Object.defineProperties(socket, properties);
}

module.exports = { addressesOf, standFor };
