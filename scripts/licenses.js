'use strict';

// `npm run licenses`: writes THIRD_PARTY_LICENSES, with the license of every crate in the binaries,
// from the sources that cargo has downloaded. Where a crate offers several, the MIT license is taken.
// cargo-about does the same, but takes minutes to build, so that no test could compare its list; leaves
// notices out; and knows ring by checksums of files that ring has changed since.

const fs = require('node:fs');
const path = require('node:path');
const { crates } = require('./sbom');
const { ROOT } = require('./steps');

const FILE = path.join(ROOT, 'THIRD_PARTY_LICENSES');

/** Names of files with a license or a copyright notice. */
const NAMES = /^(licen[cs]e|copying|copyright|notice|unlicense)/i;

const LINE = '='.repeat(80);

/**
 * The texts of the licenses that a crate is used under.
 * @param {object} crate as `cargo metadata` has it
 * @returns {string[]}
 */
function textsOf(crate) {
  const folder = path.dirname(crate.manifest_path);
  const folders = new Map([['.', []]]);
  for (const entry of fs.readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !NAMES.test(entry.name) || entry.name.endsWith('.rs')) continue;
    const place = path.relative(folder, entry.parentPath ?? entry.path) || '.';
    folders.set(place, [...(folders.get(place) ?? []), path.join(place, entry.name)]);
  }
  const isAlternative = / OR |\//.test(crate.license) && !crate.license.includes(' AND ');
  const chosen = [...folders].sort().flatMap(([place, files]) => {
    // What a crate has from others is in a folder of its own, with its license.
    const mit = files.filter((file) => /mit/i.test(path.basename(file)));
    const notices = files.filter((file) => /^(copyright|notice)/i.test(path.basename(file)));
    const takesMit = mit.length > 0 && (isAlternative || place !== '.');
    return (takesMit ? [...notices, ...mit] : files).sort();
  });
  return chosen.map((name) => {
    const text = fs.readFileSync(path.join(folder, name), 'utf8');
    return text
      .replaceAll('\r\n', '\n')
      .replaceAll(/[ \t]+$/gm, '')
      .trim();
  });
}

/** The MIT license without its copyright notices, in one line as `flatten` makes it. */
const MIT = /permission is hereby granted.*dealings in the software\.?/;

/**
 * @param {string} text
 * @returns {string} the same in lower case, on one line
 */
const flatten = (text) =>
  text
    .toLowerCase()
    .replaceAll(/["'“”]/g, '')
    .replaceAll(/\s+/g, ' ');

/**
 * The copyright notices of a text that is the MIT license and nothing else.
 * @param {string} text
 * @returns {string[]|undefined}
 */
function noticesOfMit(text) {
  if (!MIT.test(flatten(text))) return undefined;
  const lines = text.split('\n').map((line) => line.trim());
  const body = lines.findIndex((line) => /^permission is hereby granted/i.test(line));
  const rest = flatten(text).replace(MIT, '').trim();
  const head = lines.slice(0, body).filter((line) => line !== '');
  // What follows the license would be lost, and so the text is kept as it is.
  if (body < 0 || rest !== flatten(head.join(' ')).trim()) return undefined;
  return head.filter((line) => !/^(the )?mit license( \(mit\))?$/i.test(line));
}

/** @returns {string} the licenses of all crates; a text that several have is there once */
function thirdPartyLicenses() {
  const users = new Map();
  const underMit = [
    'The standard library of Rust, MIT OR Apache-2.0\n  https://github.com/rust-lang/rust\n' +
      '  Copyright (c) The Rust Project Contributors',
  ];
  for (const crate of crates()) {
    const texts = textsOf(crate);
    const notices = texts.length === 1 ? noticesOfMit(texts[0]) : undefined;
    const named = `${crate.name} ${crate.version}, ${crate.license}`;
    if (notices !== undefined || texts.length === 0) {
      const holders = notices ?? [`by ${crate.authors.join(', ') || 'its contributors'}`];
      underMit.push([named, crate.repository, ...holders].filter(Boolean).join('\n  '));
      continue;
    }
    const text = texts.join(`\n\n${'-'.repeat(80)}\n\n`);
    users.set(text, [
      ...(users.get(text) ?? []),
      [named, crate.repository].filter(Boolean).join('\n  '),
    ]);
  }
  const head =
    'The binaries of loopback-socket contain these crates. Each text is the license of the crates above it.\n';
  const own = fs.readFileSync(path.join(ROOT, 'LICENSE'), 'utf8');
  const mit = own.slice(own.indexOf('Permission is hereby granted')).trim();
  const parts = [[mit, underMit], ...users].map(
    ([text, lines]) => `${LINE}\n${lines.join('\n')}\n${LINE}\n\n${text}\n`,
  );
  return `${head}\n${parts.join('\n')}`;
}

if (require.main === module) {
  fs.writeFileSync(FILE, thirdPartyLicenses());
  console.log('%s: %d KB', path.basename(FILE), Math.round(fs.statSync(FILE).size / 1000));
}

module.exports = { FILE, thirdPartyLicenses };
