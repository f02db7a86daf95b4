'use strict';

/**
 * MessagePack as `socket.io-msgpack-parser` has it: that of npm `notepack.io` 2.2, which the parsers of all
 * clients use. What JSON lacks travels as it is: `undefined`, `NaN`, `Infinity`, a `Date`, an
 * `ArrayBuffer`.
 *
 * Why it is not that package: its version 2.2 sends the whole memory that a typed array is a view of, and
 * lets a client set the prototype of what an application reads; its version 3 writes another format.
 * Neither notices a circle before the stack is full, nor bytes whose memory has been transferred. All else is the same, byte for byte.
 */

const { define } = require('./attachments');

/** Bytes of the buffer that is kept from one value to the next. */
const KEPT = 1 << 13;
/** Strings of so many characters at most are written one by one, if they are ASCII. */
const SHORT = 24;
/** From this depth on the objects around a value are remembered, to notice a circle. */
const WATCH_DEPTH = 16;

const TWO_32 = 2 ** 32;

/** What a value is written to; one that a getter or `toJSON` writes meanwhile gets another. */
let spare = Buffer.allocUnsafeSlow(KEPT);

class Writer {
  /**
   * @param {Buffer} buffer where to begin
   */
  constructor(buffer) {
    this.buffer = buffer;
    this.length = 0;
    /** @type {Set<object> | undefined} the objects around the value, from `WATCH_DEPTH` on */
    this.around = undefined;
  }

  /**
   * Makes room.
   *
   * @param {number} bytes how much
   * @returns {number} where it begins
   */
  room(bytes) {
    const at = this.length;
    this.length += bytes;
    if (this.length > this.buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(this.length, 2 * this.buffer.length));
      this.buffer.copy(larger, 0, 0, at);
      this.buffer = larger;
    }
    return at;
  }

  /**
   * @param {number} byte a byte
   * @returns {void}
   */
  byte(byte) {
    const at = this.room(1);
    this.buffer[at] = byte;
  }

  /**
   * A marker and a number in the fewest bytes that hold it.
   *
   * @param {number} markers the marker for one byte; those for two and four follow it
   * @param {number} number a whole number from 0, below 2³²
   * @returns {void}
   */
  sized(markers, number) {
    if (number < 0x100) {
      const at = this.room(2);
      this.buffer[at] = markers;
      this.buffer[at + 1] = number;
    } else if (number < 0x10000) {
      const at = this.room(3);
      this.buffer[at] = markers + 1;
      this.buffer.writeUInt16BE(number, at + 1);
    } else {
      const at = this.room(5);
      this.buffer[at] = markers + 2;
      this.buffer.writeUInt32BE(number, at + 1);
    }
  }

  /**
   * The head of an array or an object, of which there is no form with one byte.
   *
   * @param {number} fixed the marker that holds the length itself
   * @param {number} marker the marker for two bytes; that for four follows it
   * @param {number} length how many items
   * @returns {void}
   */
  container(fixed, marker, length) {
    if (length < 0x10) {
      this.byte(fixed | length);
    } else if (length < 0x10000) {
      const at = this.room(3);
      this.buffer[at] = marker;
      this.buffer.writeUInt16BE(length, at + 1);
    } else {
      const at = this.room(5);
      this.buffer[at] = marker + 1;
      this.buffer.writeUInt32BE(length, at + 1);
    }
  }

  /**
   * Two halves of 64 bits.
   *
   * @param {number} number a whole number
   * @param {number} at where
   * @returns {void}
   */
  halves(number, at) {
    this.buffer.writeInt32BE(Math.floor(number / TWO_32) | 0, at);
    this.buffer.writeUInt32BE(number >>> 0, at + 4);
  }

  /**
   * @param {string} text a string
   * @returns {void}
   */
  string(text) {
    const bytes = Buffer.byteLength(text);
    if (bytes < 0x20) {
      this.byte(0xa0 | bytes);
    } else {
      this.sized(0xd9, bytes);
    }
    const at = this.room(bytes);
    if (bytes > SHORT || bytes !== text.length) {
      this.buffer.write(text, at, bytes, 'utf8');
      return;
    }
    for (let i = 0; i < bytes; i++) {
      this.buffer[at + i] = text.charCodeAt(i);
    }
  }

  /**
   * @param {number} number a number
   * @returns {void}
   */
  number(number) {
    if (!Number.isInteger(number)) {
      const at = this.room(9);
      this.buffer[at] = 0xcb;
      this.buffer.writeDoubleBE(number, at + 1);
    } else if (number >= 0) {
      if (number < 0x80) {
        this.byte(number);
      } else if (number < TWO_32) {
        this.sized(0xcc, number);
      } else {
        const at = this.room(9);
        this.buffer[at] = 0xcf;
        this.halves(number, at + 1);
      }
    } else if (number >= -0x20) {
      this.byte(number);
    } else {
      this.negative(number);
    }
  }

  /**
   * @param {number} number a whole number below -32
   * @returns {void}
   */
  negative(number) {
    if (number >= -0x80) {
      const at = this.room(2);
      this.buffer[at] = 0xd0;
      this.buffer.writeInt8(number, at + 1);
    } else if (number >= -0x8000) {
      const at = this.room(3);
      this.buffer[at] = 0xd1;
      this.buffer.writeInt16BE(number, at + 1);
    } else if (number >= -0x80000000) {
      const at = this.room(5);
      this.buffer[at] = 0xd2;
      this.buffer.writeInt32BE(number, at + 1);
    } else {
      const at = this.room(9);
      this.buffer[at] = 0xd3;
      this.halves(number, at + 1);
    }
  }

  /**
   * Writes a value. One function for all that holds others: a level takes one frame of the stack.
   *
   * @param {unknown} value any value
   * @param {number} depth how deep it lies
   * @returns {void}
   * @throws {TypeError} if it has no form
   */
  value(value, depth) {
    if (typeof value !== 'object' || value === null) {
      this.primitive(value);
      return;
    }
    const isWatched = depth >= WATCH_DEPTH;
    if (isWatched) {
      this.enter(value);
    }
    if (Array.isArray(value)) {
      this.container(0x90, 0xdc, value.length);
      for (let i = 0; i < value.length; i++) {
        this.value(value[i], depth + 1);
      }
    } else if (Writer.isLeaf(value)) {
      this.leaf(value);
    } else if (typeof value.toJSON === 'function') {
      this.value(value.toJSON(), depth + 1);
    } else {
      const properties = propertiesOf(value);
      this.container(0x80, 0xde, properties.length / 2);
      for (let i = 0; i < properties.length; i += 2) {
        this.string(properties[i]);
        this.value(properties[i + 1], depth + 1);
      }
    }
    if (isWatched) {
      this.around.delete(value);
    }
  }

  /**
   * Remembers an object that lies deep.
   *
   * @param {object} object the object
   * @returns {void}
   * @throws {TypeError} if it is inside itself
   */
  enter(object) {
    this.around ??= new Set();
    if (this.around.has(object)) {
      throw new TypeError('MessagePack has no circles.');
    }
    this.around.add(object);
  }

  /**
   * @param {unknown} value any value that is no object
   * @returns {void}
   * @throws {TypeError} if it has no form
   */
  primitive(value) {
    if (typeof value === 'string') {
      this.string(value);
    } else if (typeof value === 'number') {
      this.number(value);
    } else if (typeof value === 'boolean') {
      this.byte(value ? 0xc3 : 0xc2);
    } else if (value === null) {
      this.byte(0xc0);
    } else if (value === undefined) {
      this.extension(1);
      this.byte(0);
    } else {
      throw new TypeError(`MessagePack has no ${typeof value}.`);
    }
  }

  /**
   * @param {object} object an object
   * @returns {boolean} whether it has a form of its own
   */
  static isLeaf(object) {
    return object instanceof Date || object instanceof ArrayBuffer || ArrayBuffer.isView(object);
  }

  /**
   * @param {Date | ArrayBuffer | ArrayBufferView} object an object with a form of its own
   * @returns {void}
   */
  leaf(object) {
    if (object instanceof Date) {
      this.extension(8);
      this.halves(object.getTime(), this.room(8));
    } else {
      const { buffer = object, byteOffset = 0, byteLength } = object;
      // Throws if the memory has been transferred.
      const bytes = new Uint8Array(buffer, byteOffset, byteLength);
      if (Buffer.isBuffer(object)) {
        this.sized(0xc4, byteLength);
      } else {
        this.sized(0xc7, byteLength);
        this.byte(0);
      }
      this.bytes(bytes);
    }
  }

  /**
   * The head of an extension of type 0.
   *
   * @param {1 | 8} size bytes that follow
   * @returns {void}
   */
  extension(size) {
    const at = this.room(2);
    this.buffer[at] = size === 1 ? 0xd4 : 0xd7;
    this.buffer[at + 1] = 0;
  }

  /**
   * @param {Uint8Array} bytes some bytes
   * @returns {void}
   */
  bytes(bytes) {
    const at = this.room(bytes.length);
    this.buffer.set(bytes, at);
  }
}

/**
 * @param {object} object an object
 * @returns {unknown[]} the names of its properties that are no functions, each with its value
 */
function propertiesOf(object) {
  const properties = [];
  for (const name of Object.keys(object)) {
    const value = object[name];
    if (typeof value !== 'function') {
      properties.push(name, value);
    }
  }
  return properties;
}

/**
 * @param {unknown} value any value
 * @returns {Buffer} its MessagePack
 * @throws {TypeError | RangeError} if it has none: a circle, too deep, a `BigInt`, a function, a symbol
 */
function encode(value) {
  const writer = new Writer(spare ?? Buffer.allocUnsafeSlow(KEPT));
  spare = undefined;
  try {
    writer.value(value, 0);
    return Buffer.from(writer.buffer.subarray(0, writer.length));
  } finally {
    spare = writer.buffer.length <= KEPT ? writer.buffer : undefined;
  }
}

class Reader {
  /**
   * @param {Buffer} buffer one whole value, as the native server has checked it to be
   */
  constructor(buffer) {
    this.buffer = buffer;
    this.at = 0;
  }

  /**
   * @param {number} bytes how many bytes to pass over
   * @returns {number} where they begin
   */
  skip(bytes) {
    const { at } = this;
    this.at += bytes;
    return at;
  }

  /**
   * A length, or another whole number from 0.
   *
   * @param {1 | 2 | 4} bytes how many bytes it has
   * @returns {number} the number
   */
  unsigned(bytes) {
    return this.buffer.readUIntBE(this.skip(bytes), bytes);
  }

  /**
   * @param {boolean} isSigned whether it may be negative
   * @returns {number} the number of 64 bits, as near as a number comes to it
   */
  wide(isSigned) {
    const at = this.skip(8);
    const high = isSigned ? this.buffer.readInt32BE(at) : this.buffer.readUInt32BE(at);
    return high * TWO_32 + this.buffer.readUInt32BE(at + 4);
  }

  /**
   * @param {number} length bytes
   * @returns {string} text; what is not UTF-8 is replaced
   */
  text(length) {
    const at = this.skip(length);
    return this.buffer.toString('utf8', at, at + length);
  }

  /**
   * @param {number} length bytes
   * @returns {Buffer} a view of the message
   */
  bytes(length) {
    const at = this.skip(length);
    return this.buffer.subarray(at, at + length);
  }

  /**
   * An extension of a size that its marker says.
   *
   * @param {number} length bytes
   * @returns {unknown} `undefined`, a `Date`, or its type and bytes
   */
  fixedExtension(length) {
    const type = this.buffer.readInt8(this.skip(1));
    if (type === 0 && length === 1) {
      this.skip(1);
      return undefined;
    }
    if (type === 0 && length === 8) {
      return new Date(this.wide(true));
    }
    return [type, this.bytes(length)];
  }

  /**
   * @param {number} length bytes
   * @returns {unknown} an `ArrayBuffer`, or its type and bytes
   */
  extension(length) {
    const type = this.buffer.readInt8(this.skip(1));
    const bytes = this.bytes(length);
    return type === 0 ? new Uint8Array(bytes).buffer : [type, bytes];
  }

  /**
   * @returns {unknown} the next value; of a container an `Open`, whose values follow
   * @throws {RangeError} if there is none
   */
  next() {
    const marker = this.buffer[this.at];
    this.at += 1;
    if (marker < 0x80) {
      return marker;
    }
    if (marker < 0x90) {
      return new Open({}, marker & 0x0f, true);
    }
    if (marker < 0xa0) {
      return new Open([], marker & 0x0f, false);
    }
    if (marker < 0xc0) {
      return this.text(marker & 0x1f);
    }
    if (marker >= 0xe0) {
      return marker - 0x100;
    }
    return FORMS[marker - 0xc0](this);
  }
}

/** A container whose values have not all come. */
class Open {
  /**
   * @param {object | unknown[]} container the container
   * @param {number} left how many values are to come
   * @param {boolean} isMap whether each has a name before it
   */
  constructor(container, left, isMap) {
    this.container = container;
    this.left = left;
    this.isMap = isMap;
    this.name = '';
  }

  /**
   * @param {unknown} value the next value
   * @returns {void}
   */
  add(value) {
    this.left -= 1;
    if (this.isMap) {
      define(this.container, this.name, value);
    } else {
      this.container.push(value);
    }
  }
}

/** What the markers from 0xc0 to 0xdf begin. */
const FORMS = [
  () => null,
  () => {
    throw new RangeError('Nothing begins with 0xc1.');
  },
  () => false,
  () => true,
  (reader) => reader.bytes(reader.unsigned(1)),
  (reader) => reader.bytes(reader.unsigned(2)),
  (reader) => reader.bytes(reader.unsigned(4)),
  (reader) => reader.extension(reader.unsigned(1)),
  (reader) => reader.extension(reader.unsigned(2)),
  (reader) => reader.extension(reader.unsigned(4)),
  (reader) => reader.buffer.readFloatBE(reader.skip(4)),
  (reader) => reader.buffer.readDoubleBE(reader.skip(8)),
  (reader) => reader.unsigned(1),
  (reader) => reader.unsigned(2),
  (reader) => reader.unsigned(4),
  (reader) => reader.wide(false),
  (reader) => reader.buffer.readInt8(reader.skip(1)),
  (reader) => reader.buffer.readInt16BE(reader.skip(2)),
  (reader) => reader.buffer.readInt32BE(reader.skip(4)),
  (reader) => reader.wide(true),
  (reader) => reader.fixedExtension(1),
  (reader) => reader.fixedExtension(2),
  (reader) => reader.fixedExtension(4),
  (reader) => reader.fixedExtension(8),
  (reader) => reader.fixedExtension(16),
  (reader) => reader.text(reader.unsigned(1)),
  (reader) => reader.text(reader.unsigned(2)),
  (reader) => reader.text(reader.unsigned(4)),
  (reader) => new Open([], reader.unsigned(2), false),
  (reader) => new Open([], reader.unsigned(4), false),
  (reader) => new Open({}, reader.unsigned(2), true),
  (reader) => new Open({}, reader.unsigned(4), true),
];

/**
 * @param {Buffer} buffer one whole value, as the native server has checked it to be
 * @returns {unknown} the value; however deep it is, nothing here recurses
 * @throws {RangeError} if it is none
 */
function decode(buffer) {
  const reader = new Reader(buffer);
  const around = [];
  let value = reader.next();
  let inmost;
  for (;;) {
    if (value instanceof Open) {
      if (inmost !== undefined) {
        around.push(inmost);
      }
      inmost = value;
    } else if (inmost === undefined) {
      return value;
    } else {
      inmost.add(value);
    }
    while (inmost.left === 0) {
      const { container } = inmost;
      inmost = around.pop();
      if (inmost === undefined) {
        return container;
      }
      inmost.add(container);
    }
    if (inmost.isMap) {
      inmost.name = String(reader.next());
    }
    value = reader.next();
  }
}

module.exports = { encode, decode };
