'use strict';

// `npm run sbom -- <folder>`: writes lists of the components of what is published, in CycloneDX: that
// of the package, which npm makes, and that of the binaries, from what cargo knows of their crates.

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { name, napi, version } = require('../package.json');
const { ROOT, npmCommand } = require('./steps');

/**
 * The crates in the binary of any target, without those that only build or test it: macros of the
 * compiler too.
 * @returns {object[]} packages of `cargo metadata`, sorted by name
 */
function crates() {
  const cargo = (...args) => {
    const options = { cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 28 };
    return execFileSync('cargo', [...args, '--locked'], options);
  };
  const tree = ['tree', '--edges=normal,no-proc-macro', '--prefix=none', '--format={p}'];
  const lines = napi.targets.flatMap((target) => cargo(...tree, '--target', target).split('\n'));
  // Such as `ring v0.17.14`; what follows is the folder, or a mark.
  const names = new Set(lines.map((line) => line.split(' ').slice(0, 2).join(' ')));
  const platforms = napi.targets.flatMap((target) => ['--filter-platform', target]);
  const { packages } = JSON.parse(cargo('metadata', '--format-version=1', ...platforms));
  return packages
    .filter(({ name, version, source }) => source !== null && names.has(`${name} v${version}`))
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
