'use strict';

/**
 * Serves the browser's client, `/socket.io/socket.io.js`, from the installed socket.io or
 * socket.io-client, and our own helper for it, `/socket.io/loopback-socket.mjs`: pages of LoopBack apps
 * load them from the server they talk to. The native server says which requests are for them and what
 * the head of the response is; here are the files.
 */

const fs = require('fs');
const path = require('path');
const { pipeline } = require('stream');
const zlib = require('zlib');
const { clientFileOf, clientFileResponse } = require('../native/binding');

/** Where each package keeps the bundles; the application's own packages come first. */
const FOLDERS = [
  ['socket.io', 'client-dist'],
  ['socket.io-client', 'dist'],
];

/** The helper, by the name that it is served as. */
const HELPER = 'loopback-socket.mjs';

/** How a bundle is encoded for the way. */
const ENCODERS = {
  br: zlib.createBrotliCompress,
  gzip: zlib.createGzip,
  deflate: zlib.createDeflate,
};

/** @type {Map<string, {file: string, version: string}>} bundles found, by name */
const found = new Map();

/**
 * @param {string} folder the server's path, with a slash at its end
 * @param {(req: object, res: object, next: () => void) => void} [cors] sets the headers for other
 *   origins
 * @returns {(req: import('http').IncomingMessage, res: import('http').ServerResponse) => boolean}
 *   answers a request for a bundle; says false for any other
 */
function clientBundle(folder, cors) {
  return (req, res) => {
    // Most requests are for the application, or have their query right behind the folder.
    if (!req.url.startsWith(folder) || req.url[folder.length] === '?') {
      return false;
    }
    const name = clientFileOf(folder, req.url);
    if (name === null) {
      return false;
    }
    if (cors === undefined) {
      serve(name, req, res);
    } else {
      cors(req, res, () => serve(name, req, res));
    }
    return true;
  };
}

/**
 * @param {string} name the bundle's name
 * @param {import('http').IncomingMessage} req the request
 * @param {import('http').ServerResponse} res its response
 * @returns {void}
 */
function serve(name, req, res) {
  const bundle = found.get(name) ?? find(name);
  if (bundle !== undefined) {
    found.set(name, bundle);
  }
  const response = responseWith(name, bundle?.version, req);
  if (!response.file) {
    end(response, res);
    return;
  }
  // Nothing is said of the file before its first bytes: it may be gone, or not to be read. The stream of a file that a
  // package manager keeps in an archive is never reported as open.
  const file = fs.createReadStream(bundle.file);
  const refuse = () => {
    found.delete(name);
    end(responseWith(name, undefined, req), res);
  };
  file.once('error', refuse);
  file.once('readable', () => {
    file.off('error', refuse);
    res.writeHead(response.status, response.headers);
    send(file, response.encoding, res);
  });
}

/**
 * @param {string} name the bundle's name
 * @param {string | undefined} version the bundle's, if there is one
 * @param {import('http').IncomingMessage} req the request
 * @returns {ReturnType<typeof clientFileResponse>} the response
 */
function responseWith(name, version, { headers }) {
  return clientFileResponse(name, version, headers['if-none-match'], headers['accept-encoding']);
}

/**
 * Responds without a file.
 *
 * @param {ReturnType<typeof clientFileResponse>} response the response
 * @param {import('http').ServerResponse} res where it goes
 * @returns {void}
 */
function end({ status, headers, body }, res) {
  res.writeHead(status, headers);
  res.end(body);
}

/**
 * @param {string} name the bundle's name
 * @returns {{file: string, version: string} | undefined} where it is
 */
function find(name) {
  if (name === HELPER) {
    const { version } = require('../../package.json');
    const file = path.join(__dirname, '..', '..', 'client.mjs');
    // It is not there if the application has been bundled.
    return fs.existsSync(file) ? { file, version } : undefined;
  }
  const paths = [process.cwd(), path.dirname(require.main?.filename ?? __filename), __dirname];
  for (const [owner, folder] of FOLDERS) {
    for (const from of paths) {
      try {
        const manifest = require.resolve(`${owner}/package.json`, { paths: [from] });
        const file = path.join(path.dirname(manifest), folder, name);
        if (fs.existsSync(file)) {
          return { file, version: require(manifest).version };
        }
      } catch {
        // Not installed there.
      }
    }
  }
  return undefined;
}

/**
 * @param {import('fs').ReadStream} file the bundle
 * @param {string | undefined} encoding how it is to be encoded
 * @param {import('http').ServerResponse} res the response
 * @returns {void}
 */
function send(file, encoding, res) {
  const steps = [file, res];
  if (encoding !== undefined) {
    steps.splice(1, 0, ENCODERS[encoding]());
  }
  pipeline(steps, (error) => {
    if (error) {
      res.destroy();
    }
  });
}

module.exports = { clientBundle };
