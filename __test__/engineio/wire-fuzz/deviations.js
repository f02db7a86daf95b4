'use strict';

/**
 * Differences that are meant: each is a row of the table "The wire" in `docs/socketio-api.md`, which
 * gives the reason.
 */

/**
 * What of a step is not the same.
 *
 * @typedef {object} Found
 * @property {object} step - the step
 * @property {object} options - of the servers
 * @property {number | undefined} eio - the version of Engine.IO that the step's client speaks
 * @property {string} sent - what the client sent in it, as text
 * @property {string[]} places - where what was noted differs
 * @property {Record<string, any[]>} reference - what was noted of npm socket.io
 * @property {Record<string, any[]>} native - what was noted of the native server
 */

/**
 * @param {Found} found
 * @param {RegExp} pattern
 * @returns {boolean} whether nothing differs but what is noted where the pattern says
 */
const only = ({ places }, pattern) => places.every((where) => pattern.test(where));

/**
 * @param {Record<string, any[]>} notes
 * @param {RegExp} pattern
 * @returns {boolean} whether something was noted that looks so
 */
const has = (notes, pattern) => pattern.test(JSON.stringify(notes));

/** What parts the packets of a body in Engine.IO 4. */
const SEPARATOR = '\x1e';

const ENDS = /"(disconnecting|disconnect|close)","/;

/**
 * @type {{name: string, is: (found: Found) => boolean}[]} `name` is the first cell of the row
 */
const DEVIATIONS = [
  {
    name: 'Engine.IO 3: a packet for a namespace that the client is not in',
    is: ({ eio, reference, native }) =>
      eio === 3 &&
      has(reference, ENDS) &&
      !has(reference, /"malformed"/) &&
      (!has(native, ENDS) || has(native, /"malformed"/)),
  },
  {
    name: 'a POST that cannot be read',
    is: (found) =>
      found.eio !== undefined &&
      has(found.native, /"status":400/) &&
      has(found.reference, /"body":"ok"/) &&
      (only(found, /request/) || found.step.kind === 'post'),
  },
  {
    name: 'a POST above `maxHttpBufferSize`',
    is: (found) => has(found.native, /"status":413/) && has(found.reference, /"status":413/),
  },
  {
    name: 'a POST with bytes that are no UTF-8',
    is: ({ step, native }) =>
      step.kind === 'post' && step.hex !== undefined && has(native, /"parse error"/),
  },
  {
    name: 'the type of answers to JSONP',
    is: (found) => only(found, /heads$|request/) && has(found.native, /text\/javascript/),
  },
  {
    name: 'base64 that is none',
    // At the beginning of a packet, behind a length of Engine.IO 3 or what parts those of Engine.IO 4.
    is: ({ sent, native }) => /(?:"|:|\\u001e)b/.test(sent) && has(native, /"parse error"/),
  },
  {
    name: 'the length of a packet that is not in digits',
    is: ({ eio, step, native }) =>
      eio === 3 && step.kind === 'post' && has(native, /"parse error"|"status":400/),
  },
  {
    name: 'the option `allowUpgrades: false`',
    is: ({ options, native }) =>
      options.allowUpgrades === false && has(native, /"UPGRADE_NOT_ALLOWED"/),
  },
  {
    name: 'an event that carries nothing',
    is: ({ sent, native, reference }) =>
      /"4[25](\d+-)?(\/[^,"]*,?)?\d*"/.test(sent) &&
      has(native, /"malformed"|"forced close"/) &&
      !has(reference, /"malformed"/),
  },
  {
    name: 'the query of a namespace in Engine.IO 3',
    is: (found) =>
      found.eio === 3 && /"40\/[^,]*\?/.test(found.sent) && only(found, /^application$/),
  },
  {
    name: 'the stream of an upgrade that ends',
    is: (found) =>
      found.step.kind === 'frames' &&
      (isExtraEnd(found) ||
        isExtraEnd({ ...found, reference: found.native, native: found.reference })),
  },
  {
    name: 'the id of an acknowledgement above 2^53',
    is: ({ sent }) => /\d{16,}/.test(sent),
  },
  {
    name: 'a namespace that the application is asked for',
    is: ({ options, sent }) => options.hasParents === true && /"40\//.test(sent),
  },
  {
    name: 'pongs of Engine.IO 3 that wait',
    is: (found) =>
      found.eio === 3 &&
      ((only(found, /request/) && has(found.reference, /1:31:3/)) ||
        (only(found, /polls$/) &&
          found.places.every(
            (where) =>
              JSON.stringify(found.reference[where]?.filter(isNoRepeatedPong)) ===
              JSON.stringify(found.native[where]),
          ))),
  },
  {
    name: 'the count of attachments',
    is: ({ sent, native }) => /"4[56](?!\d+-)/.test(sent) && has(native, /"malformed"/),
  },
  {
    name: 'a close packet on a websocket',
    is: ({ sent, native }) =>
      /"1[^"]*"|"hex":"01/.test(sent) && has(native, /"close","transport close"/),
  },
  {
    name: 'a request with the session of a websocket',
    is: (found) =>
      found.step.kind === 'request' &&
      found.step.query?.transport === 'websocket' &&
      has(found.native, /"TRANSPORT_MISMATCH"|"status":500/) &&
      Object.keys(found.reference).length === 0,
  },
  {
    name: 'the query b64 on a websocket',
    is: (found) =>
      only(found, /websocket/) &&
      has(found.reference, /"text":"b/) &&
      has(found.native, /"binary":"/),
  },
  {
    name: 'the letters of a namespace in Engine.IO 3',
    is: (found) => found.eio === 3 && has(found.reference, /%[0-9A-F]{2}/),
  },
  {
    name: 'a POST that has not come whole when its connection ends',
    is: (found) =>
      only(found, /request/) &&
      has(found.native, /ECONNRESET/) &&
      !has(found.reference, /ECONNRESET/),
  },
  {
    name: 'CONNECT sent twice before it is answered',
    is: ({ sent }) => /"40(\/[^,"]*,)?[^"]*"(?:.*)"40/.test(sent),
  },
  {
    name: 'a blank in the place of an id',
    is: ({ sent }) => /"42(\/[^,"]*,)? \[/.test(sent),
  },
  {
    name: 'the order in which several connections end',
    is: (found) =>
      only(found, /^application$/) &&
      has(found.native, ENDS) &&
      isSameInAnyOrder(found.reference.application, found.native.application),
  },
  {
    name: 'a placeholder whose number is not whole',
    is: ({ sent, native }) => /\\"num\\":-?\d*\.\d/.test(sent) && has(native, /"malformed"/),
  },
  {
    name: 'an acknowledgement that comes together with what asks for it',
    is: (found) =>
      parts(found.step) > 1 &&
      only(found, /^application$/) &&
      has(found.native, /"answer"/) &&
      !has(found.reference, /"answer"/),
  },
  {
    name: 'what comes together with the end of its socket',
    is: (found) =>
      parts(found.step) > 1 &&
      has(found.reference, /"(disconnecting|disconnect|close|error)","/) &&
      isPartOf(seen(found.reference), seen(found.native)),
  },
];

/**
 * @param {any[]} [some]
 * @param {any[]} [others]
 * @returns {boolean} whether both are the same, in whatever order
 */
function isSameInAnyOrder(some = [], others = []) {
  const sorted = (list) => JSON.stringify(list.map((one) => JSON.stringify(one)).sort());
  return sorted(some) === sorted(others);
}

/**
 * @param {any} packet
 * @param {number} i
 * @param {any[]} all
 * @returns {boolean} whether it is anything but a pong behind a pong
 */
function isNoRepeatedPong(packet, i, all) {
  return packet !== '3' || all[i - 1] !== '3';
}

/**
 * @param {Record<string, any[]>} notes
 * @returns {string[]} what of it the application has seen of packets
 */
function seen({ application = [] }) {
  return application
    .filter((what) => ['event', 'answer'].includes(what[1]))
    .map((what) => JSON.stringify(what));
}

/**
 * @param {Found} found
 * @returns {boolean} whether the native server only ended a stream as well
 */
function isExtraEnd({ places, reference, native }) {
  return places.every(
    (where) =>
      JSON.stringify([...(reference[where] ?? []), 'end']) === JSON.stringify(native[where]),
  );
}

/**
 * @param {string[]} some
 * @param {string[]} all
 * @returns {boolean} whether all of the one are in the other
 */
function isPartOf(some, all) {
  return some.every((one) => all.includes(one));
}

/**
 * @param {object} step
 * @returns {number} how many packets it sends at once
 */
function parts({ packets, frames, body }) {
  return (
    packets?.length ??
    frames?.length ??
    String(body).replaceAll(SEPARATOR, ' 1:').split(/\d+:/).length
  );
}

/**
 * @param {{reference: object, native: object, step: number}} difference
 * @param {{options: object, steps: object[]}} sequence
 * @returns {string | undefined} the deviation that a difference is, if it is a known one
 */
function deviationOf({ reference, native, step: number }, { options, steps }) {
  const step = steps[number];
  const places = [...new Set([...Object.keys(reference), ...Object.keys(native)])].filter(
    (where) => JSON.stringify(reference[where]) !== JSON.stringify(native[where]),
  );
  const { eio } = steps.find(({ kind, slot }) => kind === 'open' && slot === step.slot) ?? {};
  const sent = JSON.stringify(step.packets ?? step.frames ?? step.body ?? '');
  const found = { step, options, eio, sent, places, reference, native };
  return DEVIATIONS.find(({ is }) => is(found))?.name;
}

module.exports = { DEVIATIONS, deviationOf };
