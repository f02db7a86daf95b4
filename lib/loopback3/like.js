'use strict';

/**
 * Patterns of `like`. A client sends both the pattern and, in changes of its own, the value, so matching never
 * goes back: what stands between two `%` is looked for once, from where the part before it ended.
 *
 * What must stay true: for n characters of the value and m of the pattern, a match takes O(n + m) steps, and
 * with `_` O(n · m / 32); a prepared pattern takes O(m) memory.
 */

/** Stands for `_` among the code units of a part. */
const ANY = -1;

/** How many characters of a part a word has bits for. */
const BITS = 32;

/**
 * Prepares a pattern.
 *
 * @param {string} pattern as SQL has it: `%` stands for any characters, `_` for one, a backslash takes their
 *   meaning from them
 * @returns {(value: string) => boolean} whether all of a value matches
 */
function compileLike(pattern) {
  const parts = partsOf(pattern);
  const first = parts[0];
  if (parts.length === 1) {
    return (value) => value.length === first.length && isAt(first, value, 0);
  }
  const last = parts.at(-1);
  const finders = parts
    .slice(1, -1)
    .filter(({ length }) => length > 0)
    .map((part) => (part.includes(ANY) ? bitFinder(part) : literalFinder(part)));
  return (value) => {
    const end = value.length - last.length;
    if (first.length > end || !isAt(first, value, 0) || !isAt(last, value, end)) {
      return false;
    }
    // The first place is the best: it leaves most to the parts that follow.
    let from = first.length;
    return finders.every((find) => {
      from = find(value, from, end);
      return from >= 0;
    });
  };
}

/**
 * @param {string} pattern a pattern
 * @returns {number[][]} what stands between its `%`: code units, or `ANY`
 */
function partsOf(pattern) {
  const parts = [[]];
  for (let p = 0; p < pattern.length; p++) {
    const char = pattern[p];
    if (char === '%') {
      parts.push([]);
    } else if (char === '_') {
      parts.at(-1).push(ANY);
    } else {
      // A backslash at the end stands for itself.
      p += char === '\\' && p + 1 < pattern.length ? 1 : 0;
      parts.at(-1).push(pattern.charCodeAt(p));
    }
  }
  return parts;
}

/**
 * @param {number[]} part a part of a pattern
 * @param {string} value a value
 * @param {number} at where in the value
 * @returns {boolean} whether the part is there
 */
function isAt(part, value, at) {
  return part.every((unit, i) => unit === ANY || unit === value.charCodeAt(at + i));
}

/**
 * Looks for a part in a value.
 *
 * @callback Finder
 * @param {string} value a value
 * @param {number} from where the part may begin
 * @param {number} end where it has to have ended
 * @returns {number} where the first one ends; -1 if there is none
 */

/**
 * By the algorithm of Knuth, Morris and Pratt: `indexOf` of V8 takes n · m steps for some patterns.
 *
 * @param {number[]} part code units
 * @returns {Finder} finds them
 */
function literalFinder(part) {
  /** For each count of units that match, how many of the last of them also begin the part. */
  const borders = new Uint16Array(part.length + 1);
  for (let i = 1, border = 0; i < part.length; i++) {
    while (border > 0 && part[i] !== part[border]) {
      border = borders[border];
    }
    border += part[i] === part[border] ? 1 : 0;
    borders[i + 1] = border;
  }
  return (value, from, end) => {
    let matched = 0;
    for (let v = from; v < end; v++) {
      const unit = value.charCodeAt(v);
      while (matched > 0 && unit !== part[matched]) {
        matched = borders[matched];
      }
      matched += unit === part[matched] ? 1 : 0;
      if (matched === part.length) {
        return v + 1;
      }
    }
    return -1;
  };
}

/**
 * By the algorithm of Baeza-Yates and Gonnet (Shift-And): a bit for each count of units that match says whether
 * the last ones of the value do.
 *
 * @param {number[]} part code units and `ANY`
 * @returns {Finder} finds them
 */
function bitFinder(part) {
  const words = Math.ceil(part.length / BITS);
  /** @type {Map<number, number[]>} where each unit is in the part */
  const places = new Map();
  part.forEach((unit, i) => {
    if (!places.has(unit)) {
      places.set(unit, []);
    }
    places.get(unit).push(i);
  });
  /** The bit in the last word that says that all of the part matches. */
  const whole = 1 << ((part.length - 1) % BITS);
  return (value, from, end) => {
    if (end - from < part.length) {
      return -1;
    }
    const others = withBits(new Int32Array(words), places.get(ANY));
    // Only of units that the value has: all of them would take m · m / 32 words.
    const masks = new Map();
    const matched = new Int32Array(words);
    for (let v = from; v < end; v++) {
      const unit = value.charCodeAt(v);
      let mask = masks.get(unit);
      if (mask === undefined) {
        mask = places.has(unit) ? withBits(others.slice(), places.get(unit)) : others;
        masks.set(unit, mask);
      }
      let carry = 1;
      for (let word = 0; word < words; word++) {
        const before = matched[word];
        matched[word] = ((before << 1) | carry) & mask[word];
        carry = before < 0 ? 1 : 0; // its highest bit
      }
      if (matched[words - 1] & whole) {
        return v + 1;
      }
    }
    return -1;
  };
}

/**
 * @param {Int32Array} bits words of bits
 * @param {number[]} places which are to be set
 * @returns {Int32Array} the same
 */
function withBits(bits, places) {
  for (const i of places) {
    bits[Math.floor(i / BITS)] |= 1 << (i % BITS);
  }
  return bits;
}

module.exports = { compileLike };
