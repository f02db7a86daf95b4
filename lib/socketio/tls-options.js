'use strict';

/**
 * The option `tls`: keys, certificates and versions, as Node's `tls.createServer()` takes them.
 *
 * What must stay true: no message of an error shows a key or a passphrase.
 */

const crypto = require('crypto');
const tls = require('tls');
const { InvalidOptionError, UnsupportedOptionError } = require('../errors');
const { TlsContext } = require('../native/binding');

/**
 * @typedef {object} TlsOptions
 * @property {string | Buffer | (string | Buffer | {pem: string | Buffer, passphrase?: string})[]} key private
 *   keys, PEM
 * @property {string | Buffer | (string | Buffer)[]} cert for each key its certificate and those of its
 *   issuers, PEM
 * @property {string} [passphrase] what the keys are encrypted with
 * @property {string | Buffer | (string | Buffer)[]} [ca] the authorities of clients' certificates, PEM
 * @property {boolean} [requestCert=false] whether every client must have a certificate of one of them
 * @property {true} [rejectUnauthorized=true]
 * @property {'TLSv1.2' | 'TLSv1.3'} [minVersion='TLSv1.2'] the oldest version that clients may use
 * @property {'TLSv1.2' | 'TLSv1.3'} [maxVersion='TLSv1.3'] the newest one
 * @property {string[]} [ALPNProtocols=['http/1.1']] the protocols that clients may ask for, the preferred
 *   one first
 */

/**
 * @typedef {object} Tls
 * @property {TlsContext} [context] what the native server uses; without it, Node's https.Server is to be used
 * @property {TlsOptions} given what the application gave
 */

/** The versions, the oldest first. */
const VERSIONS = ['TLSv1.2', 'TLSv1.3'];

/** What to do with options that only Node's TLS has. */
const INSTEAD = 'Make an https.Server with it, and give that to attach().';

/** Options of `tls.createServer()` that rustls does not have, and those of `net.createServer()`. */
const ONLY_OF_NODE = new Set([
  'ALPNCallback',
  'SNICallback',
  'allowHalfOpen',
  'allowPartialTrustChain',
  'ciphers',
  'clientCertEngine',
  'crl',
  'dhparam',
  'ecdhCurve',
  'enableTrace',
  'handshakeTimeout',
  'highWaterMark',
  'honorCipherOrder',
  'keepAlive',
  'keepAliveInitialDelay',
  'noDelay',
  'pauseOnConnect',
  'pfx',
  'privateKeyEngine',
  'privateKeyIdentifier',
  'pskCallback',
  'pskIdentityHint',
  'secureContext',
  'secureOptions',
  'secureProtocol',
  'sessionIdContext',
  'sessionTimeout',
  'sigalgs',
  'ticketKeys',
]);

const PEM = 'a string or a Buffer in PEM format, or an array of these';
/** What was given instead. */
const NO_PEM = 'a text with none. Of a file, give what is in it: fs.readFileSync(name)';
const BOOLEAN = { check: (value) => typeof value === 'boolean', needs: 'true or false' };
const VERSION = { check: (value) => VERSIONS.includes(value), needs: "'TLSv1.2' or 'TLSv1.3'" };

/** What each option needs. */
const RULES = {
  key: { check: (value) => listOf(value).every(isKey) && listOf(value).length > 0, needs: PEM },
  cert: { check: (value) => listOf(value).every(isPem) && listOf(value).length > 0, needs: PEM },
  passphrase: { check: (value) => typeof value === 'string', needs: 'a string' },
  ca: { check: (value) => listOf(value).every(isPem), needs: PEM },
  requestCert: BOOLEAN,
  rejectUnauthorized: BOOLEAN,
  minVersion: VERSION,
  maxVersion: VERSION,
  ALPNProtocols: { check: isProtocols, needs: "an array of names such as 'http/1.1'" },
};

/** @type {WeakMap<TlsOptions, Tls>} what was made: the keys of tickets are to stay the same */
const made = new WeakMap();

/**
 * Checks and completes what was given for `tls`.
 *
 * @param {TlsOptions} given what was given
 * @returns {Tls} what to use
 * @throws {InvalidOptionError} if an option is unknown or impossible
 * @throws {UnsupportedOptionError} if one is something that only Node's TLS can do
 */
function tlsOptions(given) {
  const known = made.get(given);
  if (known !== undefined) {
    return known;
  }
  const options = check(given);
  const isNative = TlsContext !== undefined && process.versions.bun === undefined;
  const whole = { given, context: isNative ? contextOf(options) : undefined };
  if (!isNative) {
    // Throws Node's errors.
    tls.createSecureContext(given);
  }
  made.set(given, whole);
  return whole;
}

/**
 * @param {TlsOptions} given options
 * @returns {TlsOptions} those that have a value
 * @throws {InvalidOptionError} if one is unknown or impossible
 * @throws {UnsupportedOptionError} if one is something that only Node's TLS can do
 */
function check(given) {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new InvalidOptionError('tls', given, 'an object such as { key, cert }');
  }
  const options = Object.entries(given).filter(([, value]) => value !== undefined);
  for (const [name, value] of options) {
    if (!Object.hasOwn(RULES, name)) {
      if (ONLY_OF_NODE.has(name)) {
        throw new UnsupportedOptionError(`tls.${name}`, INSTEAD);
      }
      const whose = "the option 'tls'";
      throw new InvalidOptionError(`tls.${name}`, value, undefined, Object.keys(RULES), whose);
    }
    const { check: isPossible, needs } = RULES[name];
    if (!isPossible(value)) {
      throw new InvalidOptionError(`tls.${name}`, shown(name, value), needs);
    }
  }
  for (const name of ['key', 'cert']) {
    if (given[name] === undefined) {
      throw new InvalidOptionError(`tls.${name}`, undefined, PEM);
    }
  }
  const { minVersion = 'TLSv1.2', maxVersion = 'TLSv1.3', requestCert = false, ca } = given;
  if (minVersion > maxVersion) {
    throw new InvalidOptionError('tls.minVersion', minVersion, "'TLSv1.2', as the maximum is");
  }
  if (requestCert && given.rejectUnauthorized === false) {
    throw new UnsupportedOptionError('tls.rejectUnauthorized', INSTEAD);
  }
  if (requestCert && (ca === undefined || listOf(ca).length === 0)) {
    throw new InvalidOptionError('tls.ca', ca, `${PEM}, where requestCert is true`);
  }
  return { ...Object.fromEntries(options), minVersion, maxVersion, requestCert };
}

/**
 * @param {TlsOptions} options checked ones
 * @returns {TlsContext} what the native server uses
 * @throws {InvalidOptionError} if keys and certificates cannot be used
 */
function contextOf(options) {
  const keys = listOf(options.key).map((key) => keyOf(key, options.passphrase));
  const chains = chainsOf(options.cert, keys.length);
  const { minVersion, maxVersion } = options;
  try {
    return new TlsContext({
      identities: keys.map((key, i) => ({ key, chain: chains[i] })),
      clientAuthorities: options.requestCert
        ? listOf(options.ca).flatMap((ca) => certificatesOf('tls.ca', ca))
        : undefined,
      allowsTLS12: minVersion === 'TLSv1.2',
      allowsTLS13: maxVersion === 'TLSv1.3',
      alpnProtocols: options.ALPNProtocols ?? ['http/1.1'],
    });
  } catch (error) {
    if (error instanceof InvalidOptionError) {
      throw error;
    }
    const areOfCertificates = keys.every((key, i) => isKeyOf(key, chains[i][0]));
    const got = areOfCertificates
      ? `a key or certificates that cannot be used (${error.message})`
      : 'a key that does not belong to its certificate';
    throw invalidPem('tls.key', 'a key that belongs to its certificate', got);
  }
}

/**
 * @param {string | Buffer | {pem: string | Buffer, passphrase?: string}} key a private key
 * @param {string} [passphrase] what it is encrypted with, unless it says so itself
 * @returns {Buffer} the key, PKCS #8 and DER
 * @throws {InvalidOptionError} if it cannot be read
 */
function keyOf(key, passphrase) {
  const isWithPassphrase = isKeyObject(key);
  const pem = isWithPassphrase ? key.pem : key;
  const options = { key: pem, passphrase: (isWithPassphrase && key.passphrase) || passphrase };
  try {
    return crypto.createPrivateKey(options).export({ type: 'pkcs8', format: 'der' });
  } catch (error) {
    throw invalidPem('tls.key', 'a private key in PEM format', whyNoKey(pem, options, error));
  }
}

/**
 * @param {string | Buffer} pem what is no key
 * @param {{passphrase?: string}} options what it was read with
 * @param {Error} error what Node says
 * @returns {string} what it is
 */
function whyNoKey(pem, { passphrase }, error) {
  const text = String(pem);
  if (!text.includes('-----BEGIN')) {
    return NO_PEM;
  }
  if (!text.includes('ENCRYPTED')) {
    return `one that cannot be read (${error.message})`;
  }
  return passphrase
    ? `an encrypted one, and a passphrase that does not decrypt it (${error.message})`
    : "an encrypted one without its passphrase; give it as 'tls.passphrase'";
}

/**
 * @param {Buffer} key a private key, PKCS #8 and DER
 * @param {Buffer} certificate a certificate, DER
 * @returns {boolean} whether they belong together
 */
function isKeyOf(key, certificate) {
  const privateKey = crypto.createPrivateKey({ key, type: 'pkcs8', format: 'der' });
  return new crypto.X509Certificate(certificate).checkPrivateKey(privateKey);
}

/**
 * @param {string} name the option
 * @param {string} needs what it must be
 * @param {string} got what it is
 * @returns {InvalidOptionError} says so, without the value
 */
function invalidPem(name, needs, got) {
  return new InvalidOptionError(name, undefined, needs, undefined, undefined, got);
}

/**
 * @param {string | Buffer | (string | Buffer)[]} cert the option `cert`
 * @param {number} count how many keys there are
 * @returns {Buffer[][]} the certificates of each key
 * @throws {InvalidOptionError} if there are not as many
 */
function chainsOf(cert, count) {
  const chains = listOf(cert).map((pem) => certificatesOf('tls.cert', pem));
  if (chains.length !== count) {
    throw new InvalidOptionError(
      'tls.cert',
      cert,
      `an array with one element for each of the ${count} keys, in their order`,
    );
  }
  return chains;
}

/**
 * @param {string} name the option that they are of
 * @param {string | Buffer} pem certificates
 * @returns {Buffer[]} each of them, DER
 * @throws {InvalidOptionError} if it is something else
 */
function certificatesOf(name, pem) {
  const pems = String(pem).match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g);
  if (pems === null) {
    throw invalidPem(name, 'certificates in PEM format', NO_PEM);
  }
  try {
    return pems.map((one) => new crypto.X509Certificate(one).raw);
  } catch (error) {
    const got = `some that cannot be read (${error.message})`;
    throw invalidPem(name, 'certificates in PEM format', got);
  }
}

/**
 * @param {unknown} value one value, or an array
 * @returns {unknown[]} an array
 */
function listOf(value) {
  return Array.isArray(value) ? value : [value];
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it may be text in PEM format
 */
function isPem(value) {
  return typeof value === 'string' || Buffer.isBuffer(value);
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it is a key with a passphrase of its own
 */
function isKeyObject(value) {
  return typeof value === 'object' && value !== null && isPem(value.pem);
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it may be a key
 */
function isKey(value) {
  return isPem(value) || isKeyObject(value);
}

/**
 * @param {unknown} value any value
 * @returns {boolean} whether it is a list of names of protocols
 */
function isProtocols(value) {
  const isName = (name) => typeof name === 'string' && /^[\x21-\x7e]{1,255}$/.test(name);
  return Array.isArray(value) && value.every(isName);
}

/**
 * @param {string} name an option
 * @param {unknown} value what was given
 * @returns {unknown} what a message may show of it
 */
function shown(name, value) {
  return typeof value === 'string' && !name.endsWith('Version') ? 'a string' : value;
}

module.exports = { tlsOptions };
