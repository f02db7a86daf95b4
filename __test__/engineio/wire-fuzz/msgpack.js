'use strict';

/**
 * Packets of `socket.io-msgpack-parser`, made of the packets in text that sequences have, and told as such.
 */

const { encode, decode } = require('notepack.io');

/** What JSON cannot have: `{"$": name}` stands for it. */
const VALUES = {
  undefined,
  nan: NaN,
  infinity: Infinity,
  'negative zero': -0,
  date: new Date(1_600_000_000_123),
  buffer: new Uint8Array([1, 255]).buffer,
  bytes: Buffer.from([0, 128]),
};

/**
 * @param {any} value - as a sequence has it
 * @param {Buffer[]} [attachments] - what placeholders in it stand for
 * @returns {any} the value that it stands for
 */
function revive(value, attachments = []) {
  if (Array.isArray(value)) return value.map((one) => revive(one, attachments));
  if (value === null || typeof value !== 'object') return value;
  if (typeof value.$ === 'string') return VALUES[value.$];

  if (value._placeholder === true) return attachments[value.num] ?? null;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, revive(one, attachments)]),
  );
}

/**
 * @param {(string | {bytes: string})[]} packets - as with JSON: what is no message of Socket.IO, and bytes
 *   that are no attachments, are passed on
 * @returns {(string | {bytes: string})[]} the same in MessagePack
 */
function encodeMsgpack(packets) {
  const left = [...packets];
  const encoded = [];
  while (left.length > 0) {
    const packet = left.shift();
    const parts = /^4(.)(?:(\d{1,2})-)?(\/[^,]*)?,?(\d*)(.*)$/s.exec(packet);
    if (parts === null) {
      encoded.push(packet);
      continue;
    }
    const [, kind, count = 0, nsp = '/', id, json] = parts;
    let own = left.findIndex((one) => typeof one === 'string');
    own = Math.min(Number(count), own < 0 ? left.length : own);
    const attachments = left.splice(0, own).map(({ bytes }) => Buffer.from(bytes, 'hex'));
    // Packets with attachments have no kinds of their own.
    const message = { type: { 5: 2, 6: 3 }[kind] ?? Number(kind), nsp };
    if (json !== '') message.data = dataOf(json, attachments);
    if (id !== '') message.id = Number(id);
    encoded.push({ bytes: encode(message).toString('hex') });
  }
  return encoded;
}

/**
 * @param {string} json
 * @param {Buffer[]} attachments
 * @returns {any} what it stands for; text that is no JSON as it is
 */
function dataOf(json, attachments) {
  try {
    return revive(JSON.parse(json), attachments);
  } catch {
    return json;
  }
}

/**
 * @param {string} hex - bytes of a server
 * @returns {{packet: any, text: string}} the packet, and about what it is in text
 */
function decodeMsgpack(hex) {
  const packet = decode(Buffer.from(hex, 'hex'));
  const { type, nsp, id = '', data } = packet;
  const namespace = nsp === '/' ? '' : `${nsp},`;
  return { packet, text: `4${type}${namespace}${id}${JSON.stringify(data) ?? ''}` };
}

module.exports = { decodeMsgpack, encodeMsgpack, revive };
