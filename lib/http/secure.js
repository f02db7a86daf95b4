'use strict';

/**
 * Connections with TLS of a server with the option `tls`: Rust encrypts and decrypts. Node gets those whose
 * requests are its own decrypted, as a socket that is like one of `tls`.
 */

const crypto = require('crypto');
const net = require('net');
const { markDecrypted } = require('./descriptor');

/**
 * What a handshake agreed on, and who takes part; see `HANDED_BACK` in `src/protocol.rs`.
 *
 * @typedef {object} Secure
 * @property {string} [remoteAddress] the address at the other end of the connection
 * @property {number} [remotePort]
 * @property {string} [remoteFamily]
 * @property {string} [localAddress]
 * @property {number} [localPort]
 * @property {string} [localFamily]
 * @property {string} protocol such as `TLSv1.3`
 * @property {string | null} cipherSuite as rustls names it
 * @property {string | null} alpnProtocol what the client and the server agreed to speak
 */

/**
 * Makes the socket of a client that came by TLS.
 *
 * @param {number} fd the descriptor of what is decrypted
 * @param {Secure} secure what the handshake agreed on
 * @param {Buffer} [certificate] the client's, which was verified
 * @returns {net.Socket} its socket
 */
function secureSocket(fd, secure, certificate) {
  const socket = new net.Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
  markDecrypted(socket);
  const { protocol, cipherSuite, alpnProtocol, ...addresses } = secure;
  const standardName = cipherSuite?.replace(/^TLS13_/, 'TLS_');
  const values = {
    ...addresses,
    encrypted: true,
    authorized: certificate !== undefined,
    alpnProtocol: alpnProtocol ?? false,
    getProtocol: () => protocol,
    getCipher: () => ({
      name: opensslNameOf(standardName),
      standardName,
      version: protocol,
    }),
    getPeerCertificate: () => peerCertificateOf(certificate),
    getPeerX509Certificate: () => certificate && new crypto.X509Certificate(certificate),
  };
  for (const [name, value] of Object.entries(values)) {
    Object.defineProperty(socket, name, { value: value ?? undefined, configurable: true });
  }
  Object.defineProperty(socket, 'address', {
    configurable: true,
    value: () => ({
      address: addresses.localAddress,
      family: addresses.localFamily,
      port: addresses.localPort,
    }),
  });
  return socket;
}

/**
 * @param {Buffer} [certificate] a certificate
 * @returns {object} what `getPeerCertificate()` of Node gives
 */
function peerCertificateOf(certificate) {
  return certificate === undefined ? {} : new crypto.X509Certificate(certificate).toLegacyObject();
}

/**
 * @param {string} [suite] the name of a cipher suite in the RFCs
 * @returns {string | undefined} its name in OpenSSL
 */
function opensslNameOf(suite) {
  if (!suite?.includes('_WITH_')) {
    // Those of TLS 1.3 have one name.
    return suite;
  }
  return suite
    .replace(/^TLS_/, '')
    .replace('_WITH_', '_')
    .replace(/AES_(\d+)/, 'AES$1')
    .replace(/(CHACHA20_POLY1305)_SHA256$/, '$1')
    .replaceAll('_', '-');
}

module.exports = { secureSocket };
