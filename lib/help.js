'use strict';

const { repository } = require('../package.json');

/** The page that has a paragraph on each code, with the code as its anchor. */
const PAGE = `${repository.url.replace(/^git\+(.*)\.git$/, '$1')}/blob/main/docs/troubleshooting.md`;

/**
 * @param {string} code of an error or a warning
 * @returns {string} the address of the paragraph on it
 */
const helpFor = (code) => `${PAGE}#${code.toLowerCase()}`;

module.exports = { helpFor };
