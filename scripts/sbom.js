'use strict';

// `npm run sbom -- <folder>`: writes lists of the components of what is published, in CycloneDX: that
// of the package, which npm makes, and that of the binaries, from what cargo knows of their crates.

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { name, napi, version } = require('../package.json');
const { ROOT, npmCommand } = require('./steps');

/** What a crate's identifier ends with when it comes from crates.io. */
const REGISTRY = /^registry\+/;

/**
 * The crates in the binary of any target, without those that only build or test it.
 * @returns {object[]} packages of `cargo metadata`, sorted by name
 */
function crates() {
  const args = ['metadata', '--format-version', '1', '--locked'];
  for (const target of napi.targets) args.push('--filter-platform', target);
  const options = { cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 28 };
  const { packages, resolve } = JSON.parse(execFileSync('cargo', args, options));
  const nodes = new Map(resolve.nodes.map((node) => [node.id, node]));
  const reached = new Set();
  const pending = [resolve.root];
  while (pending.length > 0) {
    const id = pending.pop();
    if (reached.has(id)) continue;
    reached.add(id);
    for (const { pkg, dep_kinds: kinds } of nodes.get(id).deps) {
      if (kinds.some(({ kind }) => kind === null)) pending.push(pkg);
    }
  }
  return packages
    .filter(({ id, source }) => reached.has(id) && REGISTRY.test(source))
    .sort((a, b) => (`${a.name} ${a.version}` < `${b.name} ${b.version}` ? -1 : 1));
}

/** @returns {object} the list of the binaries' components, in CycloneDX 1.5 */
function rustComponents() {
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: {
      component: { type: 'library', 'bom-ref': 'addon', name: `${name} addon`, version },
    },
    components: crates().map((crate) => ({
      type: 'library',
      'bom-ref': `pkg:cargo/${crate.name}@${crate.version}`,
      name: crate.name,
      version: crate.version,
      licenses: [{ expression: crate.license.replaceAll('/', ' OR ') }],
      purl: `pkg:cargo/${crate.name}@${crate.version}`,
    })),
  };
}

/** @returns {object} the list of the package's components, in CycloneDX */
function npmComponents() {
  const npm = npmCommand('npm', ['sbom', '--sbom-format=cyclonedx', '--omit=dev', '--omit=peer']);
  const options = { cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 28 };
  return JSON.parse(execFileSync(npm.command, npm.args, options));
}

/** @param {string} folder where the lists go */
function main(folder) {
  if (folder === undefined) throw new Error('name a folder: npm run sbom -- <folder>');
  fs.mkdirSync(folder, { recursive: true });
  for (const [file, list] of [
    ['npm.cdx.json', npmComponents()],
    ['rust.cdx.json', rustComponents()],
  ]) {
    fs.writeFileSync(path.join(folder, file), `${JSON.stringify(list, null, 2)}\n`);
    console.log('%s: %d components', path.join(folder, file), list.components.length);
  }
}

if (require.main === module) main(process.argv[2]);

module.exports = { crates, rustComponents };
