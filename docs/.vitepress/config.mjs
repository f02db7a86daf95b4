// The documentation as a site: the pages of docs/.

import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { slugOf } from '../../scripts/slugs.js';

const { description, repository } = createRequire(import.meta.url)('../../package.json');
const ADDRESS = repository.url.replace(/^git\+(.*)\.git$/, '$1');
const DOCS = fileURLToPath(new URL('..', import.meta.url));

/**
 * `npm run docs -- --check` reads the links of pages, and nothing of what takes most of the time: the index of the
 * search, the colours of code, and the scripts.
 */
const IS_CHECK = process.env.DOCS_CHECK === '1';

/**
 * @param {string} code
 * @returns {string} HTML without colours
 */
const plain = (code) => `<pre>${code.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</pre>`;

/** The pages, by what a reader wants. Every page of docs/ is here; scripts/docs.js sees to it. */
const sidebar = [
  {
    text: 'Getting started',
    items: [
      { text: 'LoopBack 3', link: '/getting-started-loopback3' },
      { text: 'LoopBack 4', link: '/getting-started-loopback4' },
      { text: 'Express', link: '/getting-started-express' },
      { text: 'Concepts', link: '/concepts' },
      { text: 'Choosing a server', link: '/choosing-a-server' },
    ],
  },
  {
    text: 'Guides',
    items: [
      { text: 'Everyday tasks', link: '/tasks' },
      { text: 'Frameworks and bundlers', link: '/frameworks' },
      { text: 'LoopBack 3 over sockets', link: '/loopback3' },
      { text: 'Subscriptions', link: '/subscriptions' },
      { text: 'The helper for clients', link: '/client' },
      { text: 'TypeScript', link: '/typescript' },
      { text: 'Testing an app', link: '/testing' },
      { text: 'Security', link: '/security' },
    ],
  },
  {
    text: 'In production',
    items: [
      { text: 'Deployment', link: '/deployment' },
      { text: 'More than one process', link: '/scaling' },
      { text: 'Observability', link: '/observability' },
      { text: 'Metrics', link: '/metrics' },
      { text: 'The doctor', link: '/doctor' },
      { text: 'Troubleshooting', link: '/troubleshooting' },
      { text: 'FAQ', link: '/faq' },
    ],
  },
  {
    text: 'Migration',
    items: [
      { text: 'From loopback-socket 0.4', link: '/migrating-from-0.4' },
      { text: 'From socketio-auth', link: '/migrating-from-socketio-auth' },
      { text: 'From socket.io', link: '/migrating-from-socket.io' },
    ],
  },
  {
    text: 'Reference',
    items: [
      { text: 'API', link: '/api' },
      { text: 'Server options', link: '/options' },
      { text: 'Types', link: '/reference/' },
      { text: 'Socket.IO compatibility', link: '/socketio-api' },
      { text: 'The contract with 0.4', link: '/behaviour' },
    ],
  },
  {
    text: 'About',
    collapsed: true,
    items: [
      { text: 'Benchmarks', link: '/benchmarks' },
      { text: 'Performance', link: '/performance' },
      { text: 'Guards of performance', link: '/performance-guard' },
      { text: 'Architecture', link: '/architecture' },
    ],
  },
];

/**
 * Links to files of the repository that are not pages, such as `../README.md`, lead to GitHub.
 *
 * @param {import('markdown-it').default} md
 */
function linkToRepository(md) {
  md.core.ruler.push('languages that the site does not know', ({ tokens }) => {
    for (const token of tokens) if (token.info === 'mermaid') token.info = 'text';
  });
  md.core.ruler.push('links to the repository', ({ tokens, env }) => {
    // What typedoc makes links to its own pages only.
    if (env.relativePath?.startsWith('reference/')) return;
    const links = tokens
      .flatMap(({ children }) => children ?? [])
      .filter(({ type }) => type === 'link_open');
    for (const link of links) {
      const href = link.attrGet('href');
      const [file, anchor] = href.split('#');
      const isOutside = href.startsWith('../');
      if (!isOutside && !/^[\w./-]+\.(json|svg|webp)$/.test(file)) continue;
      const target = path.posix.join('docs', file);
      const isFolder = fs.statSync(path.join(DOCS, file)).isDirectory();
      const address = `${ADDRESS}/${isFolder ? 'tree' : 'blob'}/main/${target}`;
      link.attrSet('href', anchor === undefined ? address : `${address}#${anchor}`);
    }
  });
}

export default {
  title: 'loopback-socket',
  description,
  lang: 'en',
  mpa: IS_CHECK,
  // scripts/docs.js checks the links of what is built again, with their anchors.
  ignoreDeadLinks: false,
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  transformPageData(page) {
    // Its other headings are error codes, too long for the outline to tell them apart.
    if (page.relativePath === 'troubleshooting.md') page.frontmatter.outline = 2;
  },
  markdown: {
    anchor: { slugify: slugOf },
    config: linkToRepository,
    highlight: IS_CHECK ? plain : undefined,
    languageAlias: { haproxy: 'nginx' },
  },
  themeConfig: {
    nav: [
      { text: 'Getting started', link: '/getting-started-loopback3' },
      { text: 'Guides', link: '/subscriptions' },
      { text: 'API', link: '/api' },
      { text: 'Troubleshooting', link: '/troubleshooting' },
      { text: 'Changelog', link: `${ADDRESS}/blob/main/CHANGELOG.md` },
    ],
    sidebar,
    outline: [2, 3],
    search: IS_CHECK ? undefined : { provider: 'local' },
    socialLinks: [{ icon: 'github', link: ADDRESS }],
  },
};
