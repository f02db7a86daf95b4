'use strict';

/**
 * Serves the browser's client, `/socket.io/socket.io.js`, from the installed socket.io or
 * socket.io-client: pages of LoopBack apps load it from the server they talk to.
 */

const fs = require('fs');
const path = require('path');

const FILES = /^socket\.io(?:\.slim|\.msgpack|\.esm)?(?:\.min)?\.js(?:\.map)?$/;

/** Where each package keeps the bundles; the application's own packages come first. */
const FOLDERS = [
  ['socket.io', 'client-dist'],
  ['socket.io-client', 'dist'],
];

/**
 * @param {string} prefix the server's path, with a slash at its end
 * @returns {(req: import('http').IncomingMessage, res: import('http').ServerResponse) => boolean}
 *   answers a request for a bundle; says false for any other
 */
function clientBundle(prefix) {
  return (req, res) => {
    const name = req.url.slice(prefix.length).split('?', 1)[0];
    if (!FILES.test(name) || (req.method !== 'GET' && req.method !== 'HEAD')) {
      return false;
    }
    const found = find(name);
    if (found === undefined) {
      res.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8' });
      res.end(`${name} was not found. Install socket.io or socket.io-client beside this server.\n`);
    } else {
      send(found, req, res);
    }
    return true;
  };
}

/**
 * @param {string} name the file's name
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
 * @param {{file: string, version: string}} found the file
 * @param {import('http').IncomingMessage} req the request
 * @param {import('http').ServerResponse} res its response
 * @returns {void}
 */
function send({ file, version }, req, res) {
  const etag = `"${version}"`;
  const headers = { 'Cache-Control': 'public, max-age=0', ETag: etag };
  if (req.headers['if-none-match'] === etag) {
    res.writeHead(304, headers);
    res.end();
    return;
  }
  headers['Content-Type'] = file.endsWith('.map')
    ? 'application/json; charset=utf-8'
    : 'application/javascript; charset=utf-8';
  res.writeHead(200, headers);
  if (req.method === 'HEAD') {
    res.end();
  } else {
    fs.createReadStream(file)
      .on('error', () => res.destroy())
      .pipe(res);
  }
}

module.exports = { clientBundle };
