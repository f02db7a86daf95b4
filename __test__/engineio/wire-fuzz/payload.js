'use strict';

/**
 * The bodies of long polling, as clients write and read them.
 */

/** What parts the packets of a body in Engine.IO 4. */
const SEPARATOR = '\x1e';

/**
 * @param {number} eio - the version of Engine.IO
 * @param {boolean} isBase64 - whether a client of version 3 writes binary packets as text
 * @param {(string | {bytes: string})[]} packets - binary ones in hexadecimal digits
 * @returns {{body: Buffer, type: string}}
 */
function encodePayload(eio, isBase64, packets) {
  const type = 'text/plain;charset=UTF-8';
  const base64 = (bytes) => Buffer.from(bytes, 'hex').toString('base64');
  if (eio !== 3) {
    const texts = packets.map((one) => (typeof one === 'string' ? one : `b${base64(one.bytes)}`));
    return { body: Buffer.from(texts.join(SEPARATOR)), type };
  }
  if (isBase64 || packets.every((packet) => typeof packet === 'string')) {
    const texts = packets.map((one) => (typeof one === 'string' ? one : `b4${base64(one.bytes)}`));
    return { body: Buffer.from(texts.map((text) => `${text.length}:${text}`).join('')), type };
  }
  const parts = packets.flatMap((packet) => {
    const isText = typeof packet === 'string';
    const data = isText ? Buffer.from(packet) : Buffer.from(`04${packet.bytes}`, 'hex');
    const digits = [...String(data.length)].map(Number);
    return [Buffer.from([isText ? 0 : 1, ...digits, 0xff]), data];
  });
  return { body: Buffer.concat(parts), type: 'application/octet-stream' };
}

/**
 * @param {number} eio - the version of Engine.IO
 * @param {string} type - of the body
 * @param {Buffer} body
 * @param {string} [jsonp] - the number of the callback, for JSONP
 * @returns {{packets: any[], isBinary: boolean} | undefined} nothing if it cannot be read
 */
function decodePayload(eio, type, body, jsonp) {
  let text = body.toString();
  if (jsonp !== undefined) {
    const call = /^___eio\[(\d*)\]\((".*")\);$/s.exec(text);
    if (call === null) return undefined;
    text = JSON.parse(call[2]);
  }
  if (eio !== 3) {
    return { packets: text.split(SEPARATOR), isBinary: false };
  }
  const packets = [];
  if (type === 'application/octet-stream') {
    for (let rest = body; rest.length > 0;) {
      const end = rest.indexOf(0xff);
      if (end < 0) return undefined;
      const length = Number([...rest.subarray(1, end)].join(''));
      const data = rest.subarray(end + 1, end + 1 + length);
      packets.push(rest[0] === 1 ? { bytes: data.toString('hex') } : data.toString());
      rest = rest.subarray(end + 1 + length);
    }
    return { packets, isBinary: true };
  }
  while (text.length > 0) {
    const colon = text.indexOf(':');
    const length = Number(text.slice(0, colon));
    if (colon < 0 || !(length >= 0)) return undefined;
    packets.push(text.slice(colon + 1, colon + 1 + length));
    text = text.slice(colon + 1 + length);
  }
  return { packets, isBinary: false };
}

module.exports = { decodePayload, encodePayload };
