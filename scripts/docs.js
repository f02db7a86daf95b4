'use strict';

// `npm run docs`: builds the site of the documentation into docs/.vitepress/dist, with a reference that is made of
// the types, and checks its links, with their anchors, and that its sidebar has every page. Needs no network.
//
// `npm run docs -- --check` only checks: it makes the same pages, without search, colours and scripts, in half the time.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const ROOT = path.join(__dirname, '..');
const SITE = path.join(ROOT, 'docs', '.vitepress', 'dist');

/**
 * Runs a program of node_modules; ends this process if it fails.
 *
 * @param {string} name of the package, and of its program
 * @param {...string} args
 */
function run(name, ...args) {
  const manifest = require(path.join(ROOT, 'node_modules', name, 'package.json'));
  const program = path.join(ROOT, 'node_modules', name, manifest.bin[name]);
  const { status, error } = spawnSync(process.execPath, [program, ...args], {
    cwd: ROOT,
    stdio: 'inherit',
  });
  if (status !== 0) {
    console.error(error ?? `${name} failed`);
    process.exit(1);
  }
}

/**
 * @param {string} text an attribute of HTML
 * @returns {string} what it stands for
 */
const decoded = (text) =>
  text.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&amp;', '&');

/**
 * Reads the pages of the site.
 *
 * @param {string} folder
 * @returns {Map<string, { ids: Set<string>, links: string[] }>} the pages by their paths
 */
function pagesOf(folder) {
  const pages = new Map();
  for (const name of fs.readdirSync(folder, { recursive: true })) {
    if (!name.endsWith('.html')) continue;
    const html = fs.readFileSync(path.join(folder, name), 'utf8');
    const ids = new Set([...html.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => decoded(id)));
    const links = [...html.matchAll(/<a\b[^>]*?\shref="([^"]*)"/g)].map(([, it]) => decoded(it));
    pages.set(`/${name.replaceAll(path.sep, '/')}`, { ids, links });
  }
  return pages;
}

/**
 * @param {string} folder with the pages of a site
 * @returns {string[]} its links that lead nowhere
 */
function brokenLinks(folder) {
  const pages = pagesOf(folder);
  const broken = new Set();
  for (const [name, { links }] of pages) {
    for (const link of links) {
      if (/^[a-z]+:/.test(link)) continue;
      const { pathname, hash } = new URL(link, `http://site${name}`);
      const file = decodeURIComponent(pathname.endsWith('/') ? `${pathname}index.html` : pathname);
      const page = pages.get(file) ?? pages.get(`${file}.html`);
      const anchor = decodeURIComponent(hash.slice(1));
      const isThere = page === undefined ? fs.existsSync(path.join(folder, file)) : true;
      const hasAnchor = anchor === '' || page?.ids.has(anchor);
      if (!isThere || !hasAnchor) broken.add(`${name}: ${link}`);
    }
  }
  return [...broken];
}

/**
 * @param {string} folder with the pages of a site
 * @returns {string[]} its pages that the sidebar does not lead to
 */
function hiddenPages(folder) {
  const pages = pagesOf(folder);
  const shown = new Set(pages.get('/api.html').links.map((link) => link.split('#')[0]));
  return [...pages.keys()].filter(
    (name) =>
      !['/404.html', '/index.html'].includes(name) &&
      !name.startsWith('/reference/') && // Its pages lead to each other.
      !shown.has(name),
  );
}

/**
 * Builds the site and checks it.
 *
 * @param {string[]} args
 */
function main(args) {
  const isCheck = args.includes('--check');
  if (isCheck) process.env.DOCS_CHECK = '1';
  run('typedoc');
  run('vitepress', 'build', 'docs');
  const faults = [
    ...brokenLinks(SITE).map((link) => `A link leads nowhere: ${link}`),
    ...hiddenPages(SITE).map((page) => `The sidebar in docs/.vitepress/config.mjs lacks ${page}`),
  ];
  if (faults.length > 0) {
    console.error(faults.join('\n'));
    process.exit(1);
  }
  if (!isCheck) console.log(`The site is in ${path.relative(ROOT, SITE)}`);
}

main(process.argv.slice(2));
