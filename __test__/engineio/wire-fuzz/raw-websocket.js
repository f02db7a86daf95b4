'use strict';

/**
 * A websocket client that sends whatever bytes it is told to, and notes what it receives, frame by
 * frame.
 */

const net = require('node:net');
const tls = require('node:tls');

/** What every client's frames are masked with. */
const MASK = Buffer.from([0x12, 0x34, 0x56, 0x78]);

/** The payload of the pings that find out whether everything before them has been dealt with. */
const SENTINEL = Buffer.from('sentinel');

const OPCODES = { 0: 'continuation', 1: 'text', 2: 'binary', 8: 'close', 9: 'ping', 10: 'pong' };

/**
 * A frame as bytes.
 *
 * @param {object} frame
 * @param {number} [frame.opcode]
 * @param {string | Buffer} [frame.payload]
 * @param {boolean} [frame.fin]
 * @param {number} [frame.rsv] - the three reserved bits
 * @param {boolean} [frame.masked]
 * @param {number} [frame.length] - said in the head, if it is not that of the payload
 * @param {number} [frame.form] - how many bytes the length takes at least: 1, 2 or 8
 * @returns {Buffer}
 */
function encodeFrame({
  opcode = 1,
  payload = '',
  fin = true,
  rsv = 0,
  masked = true,
  length,
  form = 1,
}) {
  const body = Buffer.from(payload);
  const said = length ?? body.length;
  let head;
  if (said < 126 && form === 1) {
    head = Buffer.from([0, said]);
  } else if (said < 65_536 && form <= 2) {
    head = Buffer.from([0, 126, said >> 8, said & 0xff]);
  } else {
    head = Buffer.alloc(10);
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(said), 2);
  }
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  if (!masked) return Buffer.concat([head, body]);
  head[1] |= 0x80;
  return Buffer.concat([head, MASK, body.map((byte, i) => byte ^ MASK[i % 4])]);
}

class FuzzWebsocket {
  /** Whether the request was answered with a websocket. */
  isOpen = false;
  /** Whether the server has sent a close frame. */
  isClosing = false;
  /** Whether the TCP connection is over. */
  isOver = false;
  #note;
  /** The TCP connection, and what carries the websocket: the same, or TLS on it. */
  #tcp;
  #socket;
  #data = Buffer.alloc(0);
  #head;
  #watchers = new Set();
  #pongs = 0;
  #pings = 0;
  #repliesToClose;
  #sentClose = false;
  /** Whether an invalid frame was sent after the server's close frame: the server ends the connection then. */
  #brokeClosing = false;
  #isMute = false;

  /**
   * @param {object} options
   * @param {number} options.port
   * @param {string} options.request - the whole request
   * @param {boolean} [options.isSecure] - whether the server is asked over TLS
   * @param {boolean} options.repliesToClose - whether a close frame is answered
   * @param {(what: any) => void} note - called with what is received
   */
  constructor({ port, request, isSecure = false, repliesToClose }, note) {
    this.#note = note;
    this.#repliesToClose = repliesToClose;
    this.#tcp = net.connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket = isSecure
      ? tls.connect({ socket: this.#tcp, rejectUnauthorized: false })
      : this.#tcp;
    this.#socket.write(request, 'latin1');
    this.#socket.on('data', (data) => {
      this.#data = Buffer.concat([this.#data, data]);
      this.#read();
      this.#changed();
    });
    this.#socket.on('end', () => this.#over('end'));
    this.#socket.on('error', ({ code }) => this.#over(code === 'EPIPE' ? 'ECONNRESET' : code));
    this.#socket.on('close', () => this.#over('close'));
  }

  /** @returns {boolean} whether both sides have sent a close frame */
  get isClosed() {
    return this.isClosing && this.#sentClose;
  }

  /** @param {Buffer} bytes */
  write(bytes) {
    if (!this.isOver) this.#socket.write(bytes);
  }

  /** @param {object[]} frames - see `encodeFrame`; sent in one write */
  send(frames) {
    this.#sentClose ||= frames.some(({ opcode }) => opcode === 8);
    this.#brokeClosing ||= this.isClosing && frames.some(({ opcode = 1 }) => !(opcode in OPCODES));
    this.write(Buffer.concat(frames.map(encodeFrame)));
  }

  /** Ends the client's half of the TCP connection. */
  end() {
    this.#socket.end();
  }

  /** Breaks the TCP connection off. */
  reset() {
    this.isOver = true;
    this.#tcp.resetAndDestroy();
    this.#socket.destroy();
    this.#changed();
  }

  terminate() {
    this.isOver = true;
    this.#socket.destroy();
    this.#changed();
  }

  /**
   * Waits until the server has dealt with all that was sent, or will not any more.
   *
   * @param {number} patience - ms
   * @returns {Promise<boolean>} false if that was not to be found out
   */
  async settle(patience) {
    if (this.isOver || this.#isMute) return true;
    let isSettled = await this.#until(() => this.#head !== undefined || this.isOver, patience);
    if (isSettled && this.isOpen && !this.isClosing) {
      this.write(encodeFrame({ opcode: 9, payload: SENTINEL }));
      this.#pings += 1;
      isSettled = await this.#until(
        () => this.#pongs >= this.#pings || this.isClosing || this.isOver,
        patience,
      );
    }
    const isEnding =
      this.isClosed || this.#brokeClosing || (this.#head !== undefined && !this.isOpen);
    if (isSettled && isEnding) {
      isSettled = await this.#until(() => this.isOver, patience);
    }
    // Whoever did not answer once is not waited for again.
    this.#isMute = !isSettled;
    return isSettled;
  }

  #until(isReached, patience) {
    return new Promise((resolve) => {
      const look = () => {
        if (isReached()) finish(true);
      };
      const finish = (result) => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        resolve(result);
      };
      const timer = setTimeout(() => finish(false), patience);
      this.#watchers.add(look);
      look();
    });
  }

  #changed() {
    for (const look of [...this.#watchers]) look();
  }

  #over(how) {
    if (this.isOver) return;
    this.isOver = true;
    if (!this.isOpen && this.#data.length > 0) this.#note({ body: this.#data.toString() });
    this.#note(how);
    this.#changed();
  }

  #read() {
    if (this.#head === undefined) {
      const end = this.#data.indexOf('\r\n\r\n');
      if (end < 0) return;
      const [status, ...lines] = this.#data.toString('latin1', 0, end).split('\r\n');
      this.#head = { status, headers: lines };
      this.#note(this.#head);
      this.#data = this.#data.subarray(end + 4);
      this.isOpen = status.startsWith('HTTP/1.1 101');
    }
    while (this.isOpen) {
      const frame = this.#frame();
      if (frame === undefined) return;
      this.#received(frame);
    }
  }

  /** @returns {object | undefined} the next frame, if it has come whole */
  #frame() {
    const data = this.#data;
    if (data.length < 2) return undefined;
    let length = data[1] & 0x7f;
    let at = 2;
    if (length === 126) {
      if (data.length < 4) return undefined;
      length = data.readUInt16BE(2);
      at = 4;
    } else if (length === 127) {
      if (data.length < 10) return undefined;
      length = Number(data.readBigUInt64BE(2));
      at = 10;
    }
    if (data.length < at + length) return undefined;
    const payload = data.subarray(at, at + length);
    this.#data = data.subarray(at + length);
    const { 0: first, 1: second } = data;
    return {
      fin: first >> 7,
      rsv: (first >> 4) & 7,
      opcode: first & 15,
      mask: second >> 7,
      payload,
    };
  }

  #received({ opcode, payload, fin, rsv, mask }) {
    if (opcode === 10 && payload.equals(SENTINEL)) {
      this.#pongs += 1;
      return;
    }
    const odd = fin === 1 && rsv === 0 && mask === 0 ? {} : { fin, rsv, mask };
    const kind = OPCODES[opcode] ?? opcode;
    if (opcode === 8) {
      this.isClosing = true;
      const code = payload.length >= 2 ? payload.readUInt16BE(0) : undefined;
      this.#note({ close: code, reason: payload.toString('utf8', 2), ...odd });
      if (this.#repliesToClose && !this.#sentClose) {
        this.send([{ opcode: 8, payload }]);
      }
    } else if (opcode === 1) {
      this.#note({ text: payload.toString(), ...odd });
    } else {
      this.#note({ [kind]: payload.toString('hex'), ...odd });
    }
  }
}

module.exports = { FuzzWebsocket };
