'use strict';

/**
 * Differences that are meant: each is a row of the table "The wire" in `docs/socketio-api.md`, which
 * gives the reason.
 */

const { RESERVED } = require('./grammar');
const { decodeMsgpack, encodeMsgpack } = require('./msgpack');

/**
 * What of a step is not the same.
 *
 * @typedef {object} Found
 * @property {object} step - the step
 * @property {object} options - of the servers
 * @property {number | undefined} eio - the version of Engine.IO that the step's client speaks
 * @property {Map<number, number>} versions - that of each client
 * @property {object[]} history - the steps up to this one
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

/** The deviation about the types of answers to polls. */
const GROUPING = 'Engine.IO 3: a binary message for a client with a waiting poll';

const ENDS = /"(disconnecting|disconnect|close)","/;

/**
 * @type {{name: string, is: (found: Found) => boolean}[]} `name` is the first cell of the row
 */
const DEVIATIONS = [
  {
    name: 'Engine.IO 3: a packet for a namespace that the client has not joined',
    is: ({ eio, reference, native, history, step, places }) =>
      eio === 3 &&
      ((has(reference, ENDS) &&
        !has(reference, /"malformed"/) &&
        (!has(native, ENDS) || has(native, /"malformed"/))) ||
        // On polling the end waits for the next poll, and nothing is taken meanwhile.
        (isOutOfPlace([...history.slice(0, -1), withoutLastMessage(step)], step.slot) &&
          reference.application === undefined &&
          native.application !== undefined) ||
        // A ping that comes after such a packet is answered, since the connection stays.
        (isOutOfPlace(history, step.slot) && isWithPongs({ places, reference, native }))),
  },
  {
    name: 'a malformed POST',
    is: (found) =>
      found.eio !== undefined &&
      has(found.native, /"status":400/) &&
      has(found.reference, /"body":"ok"/) &&
      (only(found, /request/) || found.step.kind === 'post'),
  },
  {
    name: 'a POST larger than `maxHttpBufferSize`',
    is: (found) => has(found.native, /"status":413/) && has(found.reference, /"status":413/),
  },
  {
    name: 'a POST that is not valid UTF-8',
    is: ({ step, native }) =>
      step.kind === 'post' && step.hex !== undefined && has(native, /"parse error"/),
  },
  {
    name: 'the content type of JSONP responses',
    is: (found) => only(found, /heads$|request/) && has(found.native, /text\/javascript/),
  },
  {
    name: 'a packet length that is not decimal digits',
    is: ({ eio, step, native }) =>
      eio === 3 &&
      step.kind === 'post' &&
      hasOddLength(step) &&
      has(native, /"parse error"|"status":400/),
  },
  {
    name: 'the option `allowUpgrades: false`',
    is: ({ options, native }) =>
      options.allowUpgrades === false && has(native, /"UPGRADE_NOT_ALLOWED"/),
  },
  {
    name: 'an event without data',
    is: ({ sent, native, reference }) =>
      /"4[25](\d+-)?(\/[^,"]*,?)?\d*"/.test(sent) &&
      has(native, /"malformed"|"forced close"/) &&
      !has(reference, /"malformed"/),
  },
  {
    name: 'MessagePack: an event whose name is reserved, or neither a string nor a number',
    is: ({ options, step, native, reference }) =>
      options.parser === 'msgpack' &&
      has(native, /"malformed"/) &&
      !has(reference, /"malformed"/) &&
      namesOf(step).some((name) => !isEventName(name)),
  },
  {
    name: 'the query of a namespace in Engine.IO 3',
    is: (found) =>
      found.eio === 3 && /"40\/[^,]*\?/.test(found.sent) && only(found, /^application$/),
  },
  {
    name: 'the stream of an upgrade that fails',
    is: (found) =>
      found.step.kind === 'frames' &&
      (isExtraEnd(found) ||
        isExtraEnd({ ...found, reference: found.native, native: found.reference })),
  },
  {
    name: 'an acknowledgement id above 2^53',
    is: ({ places, reference, native, history }) => {
      const names = largeIds(history);
      const isSame = (where) =>
        JSON.stringify(withExactIds(reference[where], names)) === JSON.stringify(native[where]);
      return names.size > 0 && places.every(isSame);
    },
  },
  {
    name: 'packets for several namespaces that arrive together',
    is: ({ options, history, places, reference, native }) =>
      history.some(isForSeveralNamespaces) &&
      (places.every((where) => isSameByNamespace(reference[where], native[where])) ||
        (options.hasParents === true && isEndedUnanswered({ places, reference, native }))),
  },
  {
    name: 'queued pongs of Engine.IO 3',
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
    name: 'the number of attachments',
    is: ({ sent, native }) => /"4[56](?!\d+-)/.test(sent) && has(native, /"malformed"/),
  },
  {
    name: 'a close packet on a WebSocket',
    is: ({ sent, native }) =>
      /"1[^"]*"|"hex":"01/.test(sent) && has(native, /"close","transport close"/),
  },
  {
    name: 'a polling request with the session id of a WebSocket',
    is: (found) =>
      found.step.kind === 'request' &&
      found.step.query?.transport === 'websocket' &&
      has(found.native, /"TRANSPORT_MISMATCH"|"status":500/) &&
      Object.keys(found.reference).length === 0,
  },
  {
    name: GROUPING,
    is: ({ places, reference, native, versions }) =>
      places.every((where) => {
        const [, number] = /^client (\d+): polls: heads$/.exec(where) ?? [];
        if (number === undefined) return false;
        const isText = (head) => !JSON.parse(head).isBinary;
        const without = reference[where]?.filter((head) => !isText(head)) ?? [];
        return (
          versions.get(Number(number)) === 3 &&
          without.length > 0 &&
          reference[where].some(isText) &&
          JSON.stringify(without) === JSON.stringify(native[where])
        );
      }),
  },
  {
    name: 'an upgrade with the session id of a WebSocket',
    is: ({ step, places, reference, native }) =>
      step.kind === 'upgrade' &&
      places.every((where) => {
        const [answer, ...more] = reference[where] ?? [];
        const [same, close, ...rest] = native[where] ?? [];
        return (
          /101/.test(answer?.status) &&
          more.length === 0 &&
          JSON.stringify(answer) === JSON.stringify(same) &&
          JSON.stringify(close) === '{"reason":""}' &&
          (rest.length === 0 || rest.join() === 'end')
        );
      }),
  },
  {
    name: 'a connection that is about to be closed when its server is closed',
    is: (found) => {
      const { application: told = [] } = found.native;
      const { application: expected = [] } = found.reference;
      const isEnd = (note) => note[0] === 'close';
      const others = (notes) => JSON.stringify(notes.filter((note) => !isEnd(note)));
      return (
        found.step.what === 'close' &&
        found.places.every((where) => where === 'application' || isEndOfUpgrade(found, where)) &&
        others(told) === others(expected) &&
        told.filter(isEnd).length > expected.filter(isEnd).length
      );
    },
  },
  {
    name: 'the heartbeat after an upgrade',
    is: ({ step, history, native, reference }) =>
      step.kind === 'expire' &&
      history.some(({ kind, slot }) => kind === 'upgrade' && slot === step.slot) &&
      has(native, /"close","ping timeout"/) &&
      !has(reference, /"close"/),
  },
  {
    name: 'a property `__proto__`, in MessagePack or in a message with bytes',
    is: ({ history, places, reference, native }) =>
      has(history, /__proto__/) &&
      places.every(
        (where) => JSON.stringify(reference[where]) === withoutProto(JSON.stringify(native[where])),
      ),
  },
  {
    name: 'an acknowledgement of a socket that has been closed',
    is: ({ history, places, reference, native }) =>
      has(history, /ack later/) &&
      places.every(
        (where) =>
          JSON.stringify(reference[where]?.filter((note) => !isLateAnswer(note))) ===
          JSON.stringify(native[where]),
      ),
  },
  {
    name: 'the query parameter `b64` on a WebSocket',
    is: (found) =>
      only(found, /websocket/) &&
      has(found.reference, /"text":"b/) &&
      has(found.native, /"binary":"/),
  },
  {
    name: 'the characters of a namespace in Engine.IO 3',
    is: ({ eio, sent, reference }) =>
      eio === 3 &&
      (has(reference, /%[0-9A-F]{2}/) ||
        (/"4\d(\d+-)?\/\//.test(sent) && has(reference, /"malformed"/))),
  },
  {
    name: 'an incomplete POST when its client leaves polling',
    is: (found) =>
      found.step.kind === 'frames' &&
      found.history.some(({ kind }) => kind === 'begin') &&
      only(found, /request/) &&
      found.places.every(
        (where) => found.reference[where]?.join() === 'ECONNRESET' && !found.native[where],
      ),
  },
  {
    name: 'an incomplete POST when its connection is about to be closed',
    is: (found) =>
      found.history.some(({ kind }) => kind === 'begin') &&
      only(found, /^application$|request|polls$/) &&
      has(found.reference, /"close","transport error",\{"description":"data request connection/) &&
      (!has(found.native, ENDS) || has(found.native, /"close","forced close"/)),
  },
  {
    name: 'an upgrade that the client gives up while its connection is about to be closed',
    is: ({ step, history, places, reference, native }) =>
      step.kind === 'poll' &&
      history.some(({ kind, slot }) => kind === 'upgrade' && slot === step.slot) &&
      history.some(({ kind, slot }) => kind === 'leave' && slot === step.slot) &&
      places.every((where) => {
        const [expected, told] = [reference[where] ?? [], native[where] ?? []].map((notes) =>
          notes.map((note) => JSON.stringify(note)),
        );
        const more = told.slice(expected.length).join();
        return (
          expected.every((note, at) => note === told[at]) &&
          more === (where === 'application' ? '["close","forced close",null]' : '"6","1"')
        );
      }),
  },
  {
    name: 'MessagePack: the refusal of a namespace in Engine.IO 3',
    is: ({ eio, options, places, reference, native }) =>
      eio === 3 &&
      options.parser === 'msgpack' &&
      places.every((where) => {
        const refusals = (notes = []) =>
          notes.map((note) => note.says?.data?.message ?? note.says?.data);
        return (
          has(reference, /"data":\{"message":"Invalid namespace"\}/) &&
          JSON.stringify(refusals(reference[where])) === JSON.stringify(refusals(native[where]))
        );
      }),
  },
  {
    name: 'an incomplete POST when its connection is closed',
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
    name: 'a space instead of an id',
    is: ({ sent }) => /"42(\/[^,"]*,)? \[/.test(sent),
  },
  {
    name: 'a WebSocket that is refused because of its headers',
    is: (found) => {
      const isRefusal = (note) =>
        note[0] === 'connection_error' && note[3]?.name === 'INVALID_WEBSOCKET';
      const told = found.native.application ?? [];
      return (
        only(found, /^application$/) &&
        told.some(isRefusal) &&
        JSON.stringify(told.filter((note) => !isRefusal(note))) ===
          JSON.stringify(found.reference.application ?? [])
      );
    },
  },
  {
    name: 'the order in which several connections are closed',
    is: (found) =>
      only(found, /^application$/) &&
      has(found.native, ENDS) &&
      isSameInAnyOrder(found.reference.application, found.native.application),
  },
  {
    name: 'a placeholder whose number is not an integer',
    is: ({ sent, native }) => /\\"num\\":-?\d*\.\d/.test(sent) && has(native, /"malformed"/),
  },
  {
    name: 'an acknowledgement that arrives together with the event that asks for it',
    is: (found) =>
      parts(found.step) > 1 &&
      only(found, /^application$/) &&
      has(found.native, /"answer"/) &&
      !has(found.reference, /"answer"/),
  },
  {
    name: 'a message that arrives together with a disconnect',
    is: (found) =>
      parts(found.step) > 1 &&
      has(found.reference, /"(disconnecting|disconnect|close|error)","/) &&
      isPartOf(seen(found.reference), seen(found.native)),
  },
];

/**
 * Reads the lengths of a body of Engine.IO 3 as npm socket.io does.
 *
 * @param {object} step - a POST
 * @returns {boolean} whether one is not in digits, though JavaScript reads it as a number, or promises
 *   bytes that are not there
 */
function hasOddLength({ hex, body, type }) {
  if (type === 'application/octet-stream') {
    let left = Buffer.from(hex ?? body, hex === undefined ? 'utf8' : 'hex');
    while (left.length > 0) {
      const end = left.indexOf(0xff);
      if (end < 0) return false;
      const digits = left.subarray(1, end);
      const length = Number(digits.join(''));
      if (digits.length === 0 || digits.some((digit) => digit > 9)) return true;
      if (length > left.length - end - 1) return true;
      left = left.subarray(end + 1 + length);
    }
    return false;
  }
  let left = hex === undefined ? body : Buffer.from(hex, 'hex').toString();
  for (;;) {
    const [, text, rest] = /^([^:]+):(.*)$/s.exec(left) ?? [];
    const length = Number(text);
    if (!(length >= 0 && length <= rest?.length)) return false;
    if (!/^\d+$/.test(text)) return Number.isInteger(length);
    left = rest.slice(length);
  }
}

/**
 * @param {object} step
 * @returns {any[]} what the events in MessagePack that it sends are named with
 */
function namesOf({ packets = [] }) {
  return encodeMsgpack(packets).flatMap((packet) => {
    try {
      const { type, data } = decodeMsgpack(packet.bytes).packet;
      return type === 2 && Array.isArray(data) ? [data[0]] : [];
    } catch {
      return [];
    }
  });
}

/**
 * @param {any} name
 * @returns {boolean} whether a client may name an event so
 */
function isEventName(name) {
  return typeof name === 'number' || (typeof name === 'string' && !RESERVED.includes(name));
}

/**
 * @param {string} [text] - notes in JSON
 * @returns {string | undefined} the same without the properties `__proto__` that sequences have
 */
function withoutProto(text) {
  return text
    ?.replaceAll('81a95f5f70726f746f5f5f81a17801', '80')
    .replace(/\{\\*"__proto__\\*":\{\\*"x\\*":1\}\}/g, '{}');
}

/**
 * @param {any} note
 * @returns {string} the packet that it is of, as it is in JSON; empty if it is of none
 */
function textOf(note) {
  if (note.says !== undefined) {
    const { type, nsp, id = '', data } = note.says;
    return `4${type}${nsp === '/' ? '' : `${nsp},`}${id}${JSON.stringify(data)}`;
  }
  const text = note.text ?? note;
  return typeof text === 'string' ? text : '';
}

/** Events upon which the application disconnects the socket that they came for. */
const LEAVES = /^4[25](?:\d+-)?(?:(\/[^,?]*)[^,]*,)?\d*\["(leave me|ack and leave|leave all)"/;

/**
 * @param {object[]} history - the steps so far
 * @param {number} number - of a client of Engine.IO 3
 * @returns {boolean} whether it has sent a packet for a namespace that it was not in, or CONNECT for one
 *   that it was in
 */
function isOutOfPlace(history, number) {
  const joined = new Set(['/']);
  for (const { slot, packets = [], what, args = [] } of history) {
    const left = new Set();
    for (const packet of packets) {
      const [, of = '/', event] = LEAVES.exec(packet) ?? [];
      if (event === 'leave all' || (event !== undefined && slot === number)) left.add(of);
      const [, kind, name = '/'] = /^4(\d)(?:\d+-)?(\/[^,?]*)?/.exec(packet) ?? [];
      if (slot !== number || kind === undefined) continue;
      if (joined.has(name) === (kind === '0')) return true;
      if (kind === '0') joined.add(name);
      if (kind === '1') joined.delete(name);
    }
    if (what === 'disconnect') left.add(args[0]);
    if (what === 'disconnect all') left.add('/');
    // The application hears of events after all packets that arrived together.
    for (const name of left) joined.delete(name);
  }
  return false;
}

/**
 * @param {Pick<Found, 'places' | 'reference' | 'native'>} found
 * @returns {boolean} whether nothing differs but that the native server sent pongs, too
 */
function isWithPongs({ places, reference, native }) {
  return places.every(
    (where) =>
      JSON.stringify(reference[where]) ===
      JSON.stringify(native[where]?.filter((note) => !/^3(probe)?$/.test(note))),
  );
}

/**
 * @param {object} step
 * @returns {object} the same without its last packet and the attachments of that
 */
function withoutLastMessage({ packets = [], ...step }) {
  const at = packets.findLastIndex((packet) => typeof packet === 'string');
  return { ...step, packets: packets.slice(0, Math.max(at, 0)) };
}

/**
 * @param {Found} found
 * @param {string} where
 * @returns {boolean} whether nothing differs there but that the native server closed the WebSocket of an
 *   upgrade that had begun
 */
function isEndOfUpgrade({ history, reference, native }, where) {
  const [, number] = /^client (\d+): websocket \d+$/.exec(where) ?? [];
  const [close, ...rest] = native[where] ?? [];
  return (
    history.some(({ kind, slot }) => kind === 'upgrade' && slot === Number(number)) &&
    reference[where] === undefined &&
    JSON.stringify(close) === '{"reason":""}' &&
    (rest.length === 0 || rest.join() === 'end')
  );
}

/**
 * @param {any} note
 * @returns {boolean} whether it is the answer that the application gives a turn later
 */
function isLateAnswer(note) {
  return /^43(\/[^,]*,)?\d+\["late"\]$/.test(textOf(note));
}

/**
 * @param {object[]} history - the steps so far
 * @returns {Map<bigint, string>} ids that JavaScript rounds, with the events that were sent with them
 */
function largeIds(history) {
  const names = new Map();
  for (const { packets = [] } of history) {
    for (const packet of packets) {
      const [, id, name] = /^4[25](?:\d+-)?(?:\/[^,]*,)?(\d+) ?\["([^"]*)"/.exec(packet) ?? [];
      if (id !== undefined && !Number.isSafeInteger(Number(id))) names.set(BigInt(id), name);
    }
  }
  return names;
}

/** The first id that the native server does not take for one. */
const TOO_LARGE = 2n ** 63n;

/**
 * What npm socket.io would have sent and told if it did not round ids, and took those that are too large
 * for none.
 *
 * @param {any[]} [notes]
 * @param {Map<bigint, string>} names - of ids that it rounds
 * @returns {any[]} the same with exact ids
 */
function withExactIds(notes, names) {
  let attachments = 0;
  return notes?.flatMap((note) => {
    const text = note.text ?? note;
    if (attachments > 0) {
      attachments -= 1;
      return [];
    }
    if (Array.isArray(text)) {
      const isOfNone = [...names].some(([id, name]) => id >= TOO_LARGE && name === text[2]);
      return [isOfNone && text[1] === 'event' ? text.filter((arg) => arg !== '<ack>') : text];
    }
    const parts = /^4([36])((?:\d+-)?(?:\/[^,]*,)?)([\de+.]+)\[(.*)$/s.exec(text);
    const found = [...names].find(([id]) => String(Number(id)) === parts?.[3]);
    if (found === undefined) return [note];
    const [, kind, prefix, , args] = parts;
    const [id, name] = found;
    let exact = `4${kind}${prefix}${id}[${args}`;
    if (id >= TOO_LARGE) {
      if (name !== 'echo') {
        attachments = parseInt(prefix, 10) || 0;
        return [];
      }
      // The application answers an event without an acknowledgement with another event.
      exact = `4${kind - 1}${prefix}["echo"${args === ']' ? '' : ','}${args}`;
    }
    return [typeof note === 'string' ? exact : { ...note, text: exact }];
  });
}

/**
 * @param {object} step
 * @returns {boolean} whether it asks for a namespace and has packets for another one, at once
 */
function isForSeveralNamespaces({ packets = [] }) {
  const names = packets.map((packet) => /^4\d(?:\d+-)?(\/[^,?]*)?/.exec(packet)?.[1] ?? '/');
  return new Set(names).size > 1 && packets.some((packet) => /^40/.test(packet));
}

/**
 * @param {Partial<Found>} found
 * @returns {boolean} whether nothing differs but that npm socket.io had refused a namespace, and so told
 *   the client, before the end of the connection
 */
function isEndedUnanswered({ places, reference, native }) {
  const isRefusal = (note) => /^44\/[^,]*,\{"message":"Invalid namespace"\}$/.test(textOf(note));
  const isEnd = (note) => ['6', '1'].includes(note) || (Array.isArray(note) && note[0] === 'close');
  const left = (notes = [], isLeftOut) => JSON.stringify(notes.filter((note) => !isLeftOut(note)));
  return (
    places.some((where) => reference[where]?.some(isRefusal)) &&
    places.every(
      (where) =>
        left(reference[where], (note) => isRefusal(note) || isEnd(note)) ===
        left(native[where], isEnd),
    )
  );
}

/**
 * @param {any[]} [some]
 * @param {any[]} [others]
 * @returns {boolean} whether both are the same but for the order of what is not of one namespace
 */
function isSameByNamespace(some = [], others = []) {
  const grouped = (notes) => {
    const groups = new Map();
    let last = '';
    for (const note of notes) {
      const text = note.text ?? note;
      let name = last;
      if (Array.isArray(text)) name = String(text[0]);
      else if (note.says !== undefined) name = note.says.nsp;
      // The attachments of a packet follow it.
      else if (typeof text === 'string' && !text.startsWith('b')) {
        name = /^4\d(?:\d+-)?(\/[^,]*)/.exec(text)?.[1] ?? text.slice(0, 1);
      }
      groups.set(name, [...(groups.get(name) ?? []), note]);
      last = name;
    }
    return JSON.stringify([...groups].sort(([a], [b]) => (a < b ? -1 : 1)));
  };
  return grouped(some) === grouped(others);
}

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
  const opened = steps.filter(({ kind }) => kind === 'open');
  const versions = new Map(opened.map(({ slot, eio }) => [slot, eio]));
  const eio = versions.get(step.slot);
  const sent = JSON.stringify(step.packets ?? step.frames ?? step.body ?? '');
  const history = steps.slice(0, number + 1);
  const found = { step, options, eio, versions, history, sent, places, reference, native };
  const known = DEVIATIONS.find(({ is }) => is(found));
  if (known !== undefined) return known.name;
  // How packets are divided among polls may come with another deviation.
  const grouping = DEVIATIONS.find(({ name }) => name === GROUPING);
  const others = places.filter((where) => !grouping.is({ ...found, places: [where] }));
  if (others.length === 0 || others.length === places.length) return undefined;
  return DEVIATIONS.find(({ is }) => is({ ...found, places: others }))?.name;
}

module.exports = { DEVIATIONS, deviationOf };
