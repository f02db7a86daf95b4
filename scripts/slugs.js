'use strict';

/**
 * The anchor that GitHub gives to a heading; the site of the documentation has the same.
 *
 * @param {string} heading its text
 * @returns {string}
 */
function slugOf(heading) {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/[^\p{L}\p{N}\p{M} _-]/gu, '')
    .replaceAll(' ', '-');
}

module.exports = { slugOf };
