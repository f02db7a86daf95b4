'use strict';

/**
 * Which encoding of a body a client prefers.
 */

/**
 * @param {string | undefined} header the request's `Accept-Encoding`
 * @param {string[]} offered what there is, besides the body as it is
 * @returns {string | undefined} the one the client weighs most; of several the one it names first,
 *   those it does not name (`*`) last; none if it takes none of them
 */
function preferredEncoding(header, offered) {
  const accepted = (header ?? '').split(',').map(parse);
  const any = accepted.findIndex(({ name }) => name === '*');
  let preferred;
  let best = { weight: 0, place: 0 };
  for (const name of offered) {
    const named = accepted.findIndex((one) => one.name === name);
    const place = named < 0 ? any : named;
    const { weight } = accepted[place] ?? { weight: 0 };
    const candidate = { weight, place: named < 0 ? Infinity : named };
    if (weight > best.weight || (weight === best.weight && candidate.place < best.place)) {
      [preferred, best] = [name, candidate];
    }
  }
  return best.weight > 0 ? preferred : undefined;
}

/**
 * @param {string} text one encoding of a header
 * @returns {{name: string, weight: number}} its name and its weight
 */
function parse(text) {
  const [name, ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const quality = parameters.find((parameter) => parameter.startsWith('q='));
  const weight = quality === undefined ? 1 : Number.parseFloat(quality.slice(2));
  return { name, weight: weight > 0 ? weight : 0 };
}

module.exports = { preferredEncoding };
