'use strict';

/**
 * Serves the browser's client, `/socket.io/socket.io.js`, from the installed socket.io or
 * socket.io-client: pages of LoopBack apps load it from the server they talk to.
 */

const fs = require('fs');
const path = require('path');
const { pipeline } = require('stream');
const zlib = require('zlib');
const { preferredEncoding } = require('./encoding');

/** The bundles there are, each with its map. */
const FILES = new Set(
  ['socket.io.js', 'socket.io.min.js', 'socket.io.esm.min.js', 'socket.io.msgpack.min.js'].flatMap(
    (name) => [name, `${name}.map`],
  ),
);

/** Where each package keeps the bundles; the application's own packages come first. */
const FOLDERS = [
  ['socket.io', 'client-dist'],
  ['socket.io-client', 'dist'],
];

/** How a bundle is encoded for the way. */
const ENCODERS = {
  br: zlib.createBrotliCompress,
  gzip: zlib.createGzip,
  deflate: zlib.createDeflate,
};

/** @type {Map<string, {file: string, version: string}>} bundles found, by name */
const found = new Map();

/**
 * @param {string} prefix the server's path, with a slash at its end
 * @param {(req: object, res: object, next: () => void) => void} [cors] sets the headers for other
 *   origins
 * @returns {(req: import('http').IncomingMessage, res: import('http').ServerResponse) => boolean}
 *   answers a request for a bundle; says false for any other
 */
function clientBundle(prefix, cors) {
  return (req, res) => {
    if (!req.url.startsWith(prefix)) {
      return false;
    }
    const name = req.url.slice(prefix.length).split('?', 1)[0];
    if (!FILES.has(name)) {
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
  if (bundle === undefined) {
    res.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8' });
    res.end(`${name} was not found. Install socket.io or socket.io-client beside this server.\n`);
    return;
  }
  found.set(name, bundle);
  const etag = `"${bundle.version}"`;
  const known = req.headers['if-none-match'];
  if (known === etag || known === `W/${etag}`) {
    res.writeHead(304);
    res.end();
    return;
  }
  const type = name.endsWith('.map') ? 'json' : 'javascript';
  res.setHeader('Cache-Control', 'public, max-age=0');
  res.setHeader('Content-Type', `application/${type}; charset=utf-8`);
  res.setHeader('ETag', etag);
  send(bundle.file, req, res);
}

/**
 * @param {string} name the bundle's name
 * @returns {{file: string, version: string} | undefined} where it is
 */
function find(name) {
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
 * @param {string} file the bundle
 * @param {import('http').IncomingMessage} req the request
 * @param {import('http').ServerResponse} res its response
 * @returns {void}
 */
function send(file, req, res) {
  const encoding = preferredEncoding(req.headers['accept-encoding'], Object.keys(ENCODERS));
  const steps = [fs.createReadStream(file), res];
  if (encoding !== undefined) {
    res.setHeader('Content-Encoding', encoding);
    steps.splice(1, 0, ENCODERS[encoding]());
  }
  res.writeHead(200);
  pipeline(steps, (error) => {
    if (error) {
      res.destroy();
    }
  });
}

module.exports = { clientBundle };
