'use strict';

/**
 * Random sequences of steps: what clients of every kind may send, and what they may not.
 */

const { encodeMsgpack } = require('./msgpack');
const { Random } = require('./random');

/** Options of the servers, so that each sequence meets one of them. */
const OPTIONS = [
  [10, {}],
  [3, { maxHttpBufferSize: 100 }],
  [1, { transports: ['polling'] }],
  [1, { transports: ['websocket'] }],
  [1, { allowUpgrades: false }],
  [1, { cookie: true }],
  [1, { cors: { origin: 'http://localhost', credentials: true } }],
  [1, { cleanupEmptyChildNamespaces: true }],
  [1, { destroyUpgrade: false }],
];

const NAMESPACES = [
  [12, '/'],
  [4, '/news'],
  [1, '/refuses'],
  [1, '/waits'],
  [2, '/dyn-1'],
  [1, '/asked'],
  [1, '/missing'],
];

/** Events that the application does something about. */
const EVENTS = [
  'echo',
  'echo',
  'echo',
  'ack twice',
  'ack later',
  'ack binary',
  'ack and leave',
  'many',
  'ask',
  'ask binary',
  'binary',
  'send',
  'join',
  'leave',
  'tell',
  'tell others',
  'tell all',
  'tell binary',
  'leave me',
  'close me',
  'close conn',
  'say and close',
  'leave all',
  'refuse',
  'delay',
  'unknown',
  '',
  'message',
  '__proto__',
  'ünï✓😀',
];

/** Events of a socket itself, which a client cannot emit. */
const RESERVED = [
  'connect',
  'connect_error',
  'disconnect',
  'disconnecting',
  'newListener',
  'removeListener',
];
/** The same, and the one that was reserved in Socket.IO 2. */
const RESERVED_OR_ERROR = [...RESERVED, 'error'];

const VALUES = [
  '1',
  '-0.5',
  '1e400',
  '"text"',
  '"ünï✓😀"',
  '"\\ud800"',
  '"\u2028"',
  'null',
  'true',
  '[]',
  '{}',
  '{"a":{"b":[1,2,{"c":null}]}}',
  '{"__proto__":{"x":1}}',
  '{"toString":1}',
  '"room"',
  '"room"',
  '" "',
  '""',
];

/** Values that only MessagePack carries as they are; see `msgpack.js`. */
const MSGPACK_VALUES = [
  '{"$":"undefined"}',
  '{"$":"nan"}',
  '{"$":"infinity"}',
  '{"$":"negative zero"}',
  '{"$":"date"}',
  '{"$":"buffer"}',
  '{"$":"bytes"}',
  '{"a":{"$":"undefined"},"b":[{"$":"date"}]}',
  '4294967296',
  '-2147483649',
  '9007199254740991',
  '1e300',
  `"${'x'.repeat(40)}"`,
];

/** Headers that a request of any kind may have. */
const HEADERS = [
  { Origin: 'http://localhost' },
  { Origin: 'http://elsewhere' },
  { Origin: 'null' },
  { Origin: '' },
  { Origin: 'http://\xfcn\xef' },
  { Cookie: 'io=abc; a=b' },
  { Cookie: '=;;=,%' },
  { 'X-Forwarded-For': '1.2.3.4, 5.6.7.8' },
  { 'X-Forwarded-For': 'x' },
  { 'X-Forwarded-Proto': 'https' },
  { Forwarded: 'for=1.2.3.4;proto=https' },
  { 'User-Agent': 'x;MSIE 9' },
  { 'Accept-Encoding': 'gzip' },
  { Authorization: 'Basic x' },
  { 'X-Twice': ['1', '2'], 'X-Empty': '' },
  { Cookie: ['a=1', 'b=2'], Referer: '\xff' },
];

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

/** Headers of the request of a websocket, and what Node's server may make of them. */
const WEBSOCKET_HEADERS = [
  { Connection: 'keep-alive, Upgrade' },
  { Connection: 'UPGRADE, close' },
  { Connection: 'close' },
  { Connection: 'close', Upgrade: null },
  { Connection: ['close', 'upgrade'] },
  { Upgrade: 'WebSocket' },
  { Upgrade: 'websocket, x' },
  { Upgrade: 'h2c' },
  { Upgrade: ['websocket', 'websocket'] },
  { 'Sec-WebSocket-Version': '8' },
  { 'Sec-WebSocket-Version': '12' },
  { 'Sec-WebSocket-Version': '13, 8' },
  { 'Sec-WebSocket-Version': ['13', '13'] },
  { 'Sec-WebSocket-Version': '' },
  { 'Sec-WebSocket-Version': null },
  { 'Sec-WebSocket-Version': '0xd' },
  { 'Sec-WebSocket-Version': '13.0' },
  { 'Sec-WebSocket-Key': null },
  { 'Sec-WebSocket-Key': '' },
  { 'Sec-WebSocket-Key': KEY.slice(1) },
  { 'Sec-WebSocket-Key': `${KEY}=` },
  { 'Sec-WebSocket-Key': `${'A'.repeat(22)}==` },
  { 'Sec-WebSocket-Key': `${'-'.repeat(22)}==` },
  { 'Sec-WebSocket-Key': [KEY, KEY] },
  { 'Sec-WebSocket-Protocol': 'a' },
  { 'Sec-WebSocket-Protocol': 'b , a' },
  { 'Sec-WebSocket-Protocol': 'a, a' },
  { 'Sec-WebSocket-Protocol': 'a,' },
  { 'Sec-WebSocket-Protocol': '' },
  { 'Sec-WebSocket-Protocol': 'a b' },
  { 'Sec-WebSocket-Protocol': '\xe9' },
  { 'Sec-WebSocket-Protocol': ['a', 'b'] },
  { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' },
  { 'Sec-WebSocket-Extensions': '; =' },
  { 'Sec-WebSocket-Accept': 'x' },
  { Origin: ['http://localhost', 'http://elsewhere'] },
  { Origin: '\x7f' },
  { Host: null },
];

class Grammar {
  #random;
  #slots = [];
  #isMsgpack = false;

  /** @param {number} seed */
  constructor(seed) {
    this.#random = new Random(seed);
  }

  /** @returns {{options: object, steps: object[]}} a sequence for servers with these options */
  sequence() {
    const random = this.#random;
    if (random.chance(0.04)) return this.#heartbeats();
    const options = { ...random.weighted(OPTIONS) };
    if (random.chance(0.3)) options.hasParents = true;
    if (options.transports === undefined) {
      if (random.chance(0.06)) options.isSecure = true;
      this.#isMsgpack = random.chance(0.1);
      if (this.#isMsgpack) options.parser = 'msgpack';
    }
    const steps = [];
    const length = random.int(3, 14);
    while (steps.length < length) {
      steps.push(...this.#next());
    }
    if (random.chance(0.05)) {
      const at = random.int(1, steps.length);
      steps.splice(at, 0, { kind: 'act', what: 'close' });
      steps.splice(at + 3);
    }
    return { options, steps };
  }

  /** A client that answers pings, or not. What pings is not that client in Engine.IO 3, but the server. */
  #heartbeats() {
    const random = this.#random;
    const options = { pingInterval: 60, pingTimeout: 350 };
    const steps = this.#open({ number: 0, eio: random.chance(0.8) ? 4 : 3 });
    const [{ eio, transport }] = steps;
    // Their type is a known deviation, over which time would pass.
    delete steps[0].jsonp;
    const say = (...packets) => ({ kind: 'say', slot: 0, packets });
    const beat = (...packets) => ({ kind: 'beat', slot: 0, packets });
    const expire = { kind: 'expire', slot: 0 };
    if (transport === 'polling' && random.chance(0.4)) {
      const text = (payload) => ({ kind: 'frames', slot: 0, frames: [{ payload }] });
      steps.push({ kind: 'upgrade', slot: 0 }, text('2probe'), text('5'));
    }
    for (let i = random.int(1, 4); i > 0; i--) {
      steps.push(
        ...random.weighted(
          eio === 4
            ? [
                [6, [beat('3')]],
                [1, [beat('3', '3')]],
                [1, [beat('42["echo",1]', '3')]],
                // Anything that a client says shows that it is there, but is no answer.
                [1, [beat('42["echo",1]'), say('3')]],
                [1, [beat('2')]],
                [1, [say('3')]],
                [1, [say('42["echo",1]')]],
              ]
            : [
                [6, [say('2')]],
                [1, [say('2', '2')]],
                [1, [say('2probe')]],
                [1, [say('3')]],
                [1, [say('42["echo",1]')]],
              ],
        ),
      );
    }
    if (random.chance(0.6)) {
      if (eio === 4 && random.chance(0.3)) steps.push(beat('42["echo",2]'));
      steps.push(expire);
    }
    return { options, steps };
  }

  #next() {
    const random = this.#random;
    if (this.#slots.length === 0 || (this.#slots.length < 3 && random.chance(0.15))) {
      return this.#open();
    }
    const slot = random.pick(this.#slots);
    return random.weighted([
      [10, () => this.#say(slot)],
      [slot.isPolling ? 5 : 0, () => [{ kind: 'poll', slot: slot.number }]],
      [slot.isPolling ? 3 : 0, () => this.#upgrade(slot)],
      [slot.isPolling ? 1 : 0, () => [{ kind: 'abort', slot: slot.number }]],
      [slot.isPolling ? 1 : 0, () => this.#overlap(slot)],
      [slot.isPolling ? 2 : 0.3, () => this.#post(slot)],
      [1, () => this.#request(slot)],
      [slot.isPolling ? 0.2 : 3, () => this.#frames(slot)],
      [slot.isPolling ? 0.1 : 0.7, () => this.#leave(slot)],
      [1, () => this.#act()],
    ])();
  }

  #open({ number = this.#slots.length, eio = this.#random.chance(0.65) ? 4 : 3 } = {}) {
    const random = this.#random;
    const isPolling = random.chance(0.55);
    const slot = { number, eio, isPolling, isUpgraded: false };
    this.#slots.push(slot);
    const step = {
      kind: 'open',
      slot: slot.number,
      transport: isPolling ? 'polling' : 'websocket',
      eio: slot.eio,
    };
    if (random.chance(0.1)) step.isBase64 = true;
    if (isPolling && random.chance(0.1)) step.jsonp = random.pick(['0', '12', 'x<1>']);
    if (random.chance(0.15))
      step.query = random.pick(['token=1', 'a=1&a=2', 'x=%F0%9F%98%80', 't=abc']);
    if (random.chance(0.1)) step.repliesToClose = false;
    if (random.chance(0.15)) step.headers = this.#headers(isPolling);
    const steps = [step];
    if (isPolling && random.chance(0.6)) steps.push({ kind: 'poll', slot: slot.number });
    if (slot.eio === 4 && random.chance(0.85)) {
      steps.push({ kind: 'say', slot: slot.number, packets: [this.#connect('/')] });
    }
    return steps;
  }

  #headers(isPolling) {
    return this.#random.pick(isPolling || this.#random.chance(0.3) ? HEADERS : WEBSOCKET_HEADERS);
  }

  #namespace() {
    return this.#random.weighted(NAMESPACES);
  }

  /** How a packet names its namespace. */
  #prefix(name) {
    const random = this.#random;
    if (name === '/') return random.chance(0.95) ? '' : random.pick(['/,', '/']);
    return `${name}${random.chance(0.05) ? '?token=a&b=%20' : ''},`;
  }

  #connect(name = this.#namespace()) {
    const random = this.#random;
    const auth = random.weighted([
      [8, ''],
      [2, '{"token":"abc"}'],
      [1, '{"token":"bad"}'],
      [0.3, random.pick(['null', '1', '"text"', '[]', '{', '{}', '{"a":1}x'])],
    ]);
    return `40${this.#prefix(name)}${auth}`;
  }

  #args() {
    const more = this.#isMsgpack && this.#random.chance(0.5) ? MSGPACK_VALUES : VALUES;
    return this.#random.several(0, 3, () => this.#random.pick(more));
  }

  /** @returns {any[]} one message of Socket.IO, its attachments behind it */
  #message() {
    const random = this.#random;
    const name = this.#namespace();
    const prefix = this.#prefix(name);
    const ack = random.weighted([
      [5, ''],
      [4, String(random.int(0, 20))],
      [
        0.3,
        random.pick(['9007199254740991', '9007199254740993', '99999999999999999999', '007', '-1']),
      ],
    ]);
    const event = random.chance(0.95) ? random.pick(EVENTS) : random.pick(RESERVED_OR_ERROR);
    const args = [JSON.stringify(event), ...this.#args()];
    return random.weighted([
      [14, () => [`42${prefix}${ack}[${args}]`]],
      [
        2,
        () => [
          `43${prefix}${random.pick(['{question}', '{question}', '0', '77'])}[${this.#args()}]`,
        ],
      ],
      [3, () => [this.#connect()]],
      [1.5, () => [`41${prefix}`]],
      [2, () => this.#binary(prefix, ack, args)],
      [1.5, () => [this.#malformed(prefix, ack)]],
      [this.#isMsgpack ? 2 : 0, () => this.#mangled(`42${prefix}${ack}[${args}]`)],
    ])();
  }

  /** A packet in MessagePack that is cut off, goes on, or has a byte that is another one. */
  #mangled(packet) {
    const random = this.#random;
    const [{ bytes }] = encodeMsgpack([packet]);
    const at = 2 * random.int(0, bytes.length / 2 - 1);
    const byte = random.pick(['00', '7f', '80', '90', 'a0', 'c0', 'c1', 'c4', 'cb', 'd4', 'ff']);
    return [
      {
        bytes: random.pick([
          bytes.slice(0, at),
          bytes + byte,
          bytes.slice(0, at) + byte + bytes.slice(at + 2),
        ]),
      },
    ];
  }

  #bytes() {
    return { bytes: this.#random.pick(['', '00', '0102ff', 'ffff', '34']) };
  }

  #binary(prefix, ack, args) {
    const random = this.#random;
    const count = random.int(1, 3);
    const placeholders = Array.from(
      { length: count },
      (_, num) => `{"_placeholder":true,"num":${num}}`,
    );
    const isAck = random.chance(0.25);
    const head = isAck ? `46${count}-${prefix}{question}` : `45${count}-${prefix}${ack}`;
    const lead = isAck ? [] : args;
    const attachments = placeholders.map(() => this.#bytes());
    return random.weighted([
      [6, () => [`${head}[${[...lead, ...placeholders]}]`, ...attachments]],
      [1, () => [`${head}[${[...lead, ...placeholders]}]`, ...attachments.slice(1)]],
      [1, () => [`${head}[${[...lead, ...placeholders]}]`, ...attachments, this.#bytes()]],
      [1, () => [`${head}[${[...lead, `{"deep":[${placeholders.reverse()}]}`]}]`, ...attachments]],
      [1, () => [`${head}[${lead}]`, ...attachments]],
      [
        1,
        () => [
          `${head}[${[...lead, random.pick(['{"_placeholder":true,"num":9}', '{"_placeholder":true,"num":-1}', '{"_placeholder":true}', '{"_placeholder":true,"num":"0"}', '{"_placeholder":false,"num":0}', '{"_placeholder":true,"num":0.5}', '{"_placeholder":true,"num":0,"more":1}'])]}]`,
          ...attachments,
        ],
      ],
      [
        0.5,
        () => [
          `${random.pick(['45-', '450-', '45x-', '45', '451', '4501-', '45-1-', '4599999-', '451.5-', '45 1-'])}${prefix}["echo"]`,
          this.#bytes(),
        ],
      ],
    ])();
  }

  #malformed(prefix, ack) {
    const random = this.#random;
    return random.pick([
      `42${prefix}${ack}`,
      `42${prefix}${ack}[]`,
      `42${prefix}${ack}{}`,
      `42${prefix}${ack}"echo"`,
      `42${prefix}${ack}["echo"`,
      `42${prefix}${ack}["echo"]]`,
      `42${prefix}${ack}["echo"] `,
      `42${prefix}${ack} ["echo"]`,
      `42${prefix}${ack}["echo",]`,
      `42${prefix}${ack}["echo",undefined]`,
      `42${prefix}${ack}["echo","\u0001"]`,
      `42${prefix}${ack}["echo",01]`,
      `42${prefix}${ack}[null]`,
      `42${prefix}${ack}[1,2]`,
      `42${prefix}${ack}[1.50,2]`,
      `42${prefix}${ack}[{}]`,
      `42${prefix}${ack}[["echo"]]`,
      `42${prefix}${ack}[true]`,
      `42${prefix}x["echo"]`,
      `42${prefix}1x["echo"]`,
      `43${prefix}["x"]`,
      `43${prefix}${ack}{}`,
      `43${prefix}${ack}`,
      `44${prefix}{"message":"x"}`,
      `44${prefix}"x"`,
      `44${prefix}`,
      `41${prefix}x`,
      `41${prefix}[]`,
      `41${prefix}{}`,
      `41${prefix}1`,
      `40${prefix}1`,
      `40${prefix}1{}`,
      '4',
      '47',
      '48["x"]',
      '4x',
      '42',
      '40/',
      '40/news',
      '40/news?token=1',
      '40news,',
      '42/news["echo"]',
      '42/,["echo",1]',
      '41/news',
      '40/ünï,',
      '40/,{}',
      '40//,',
    ]);
  }

  #say(slot) {
    const random = this.#random;
    const packets = random.several(1, random.chance(0.3) ? 4 : 1, () => this.#message()).flat();
    if (random.chance(0.1)) {
      packets.splice(random.int(0, packets.length), 0, this.#engineAny(slot));
    }
    return [{ kind: 'say', slot: slot.number, packets }];
  }

  /** A packet of Engine.IO that is no message. */
  #engineAny(slot) {
    return this.#random.weighted([
      [slot.eio === 3 ? 6 : 1, '2'],
      [slot.eio === 3 ? 1 : 6, '3'],
      [1, '1'],
      [1, '6'],
      [1, '5'],
      [1, '2probe'],
      [0.5, '3probe'],
      [0.3, '0'],
      [0.3, '7'],
      [0.3, ''],
      [0.3, '1x'],
      [0.3, '6x'],
      [0.3, '5x'],
      [0.3, 'x'],
      [0.3, 'b'],
      [0.3, 'bAQI='],
      [0.3, 'bAQI'],
      [0.3, 'b!!'],
      [0.3, 'b4AQI='],
      [0.3, '€'],
    ]);
  }

  #upgrade(slot) {
    const random = this.#random;
    const { number } = slot;
    const begin = { kind: 'upgrade', slot: number };
    if (random.chance(0.1)) begin.repliesToClose = false;
    if (random.chance(0.15)) begin.headers = this.#headers(false);
    if (random.chance(0.03)) begin.method = random.pick(['POST', 'HEAD', 'OPTIONS']);
    const text = (payload) => ({ kind: 'frames', slot: number, frames: [{ payload }] });
    const maybe = (probability, step) => (random.chance(probability) ? step() : []);
    if (random.chance(0.8)) {
      slot.isPolling = false;
      return [
        begin,
        ...maybe(0.2, () => this.#say(slot)),
        text('2probe'),
        ...maybe(0.3, () => this.#say(slot)),
        ...maybe(0.3, () => [{ kind: 'poll', slot: number }]),
        text('5'),
      ];
    }
    return random.weighted([
      [1, () => [begin, text('5')]],
      [1, () => [begin, text('2probe'), text('2probe'), text('5')]],
      [
        1,
        () => [
          begin,
          text(random.pick(['2', '2x', '3probe', '1', '40', '6', '42["echo"]', '', 'x'])),
        ],
      ],
      [
        1,
        () => [
          begin,
          text('2probe'),
          text(random.pick(['2', '1', '40', '6', '42["echo"]', '', 'x', '5x'])),
        ],
      ],
      [
        1,
        () => [
          begin,
          {
            kind: 'frames',
            slot: number,
            frames: [{ payload: '2probe' }, { payload: '5' }, { payload: '42["echo",1]' }],
          },
        ],
      ],
      [1, () => [begin, { kind: 'upgrade', slot: number }, text('2probe'), text('5')]],
      [
        1,
        () => [
          begin,
          text('2probe'),
          { kind: 'leave', slot: number, how: random.pick(['end', 'reset']) },
          ...this.#say(slot),
        ],
      ],
      [
        1,
        () => [
          begin,
          text('2probe'),
          { kind: 'frames', slot: number, frames: [{ opcode: 8, hex: '03e8' }] },
          ...this.#say(slot),
        ],
      ],
      [1, () => [begin, { kind: 'frames', slot: number, frames: [{ opcode: 2, hex: '0102' }] }]],
      [1, () => [begin, ...this.#frames(slot)]],
      [1, () => [{ kind: 'upgrade', slot: number, query: { EIO: random.pick([3, 4, 5, null]) } }]],
      [1, () => [begin, text('2probe'), { kind: 'say', slot: number, packets: ['1'] }, text('5')]],
      [1, () => [begin, text('2probe'), text('5'), { kind: 'poll', slot: number }]],
      [1, () => [begin, text('2probe'), text('5'), { kind: 'post', slot: number, body: '3' }]],
      [1, () => [{ kind: 'say', slot: number, packets: ['1'] }, begin]],
    ])();
  }

  #overlap(slot) {
    const random = this.#random;
    const { number } = slot;
    const body = slot.eio === 3 ? '12:42["echo",1]' : '42["echo",1]';
    const begin = { kind: 'begin', slot: number, body: body.slice(0, 5), length: body.length };
    const finish = { kind: 'finish', slot: number, body: body.slice(5) };
    return random.weighted([
      [2, () => [begin, finish]],
      [2, () => [begin, ...this.#say(slot), finish]],
      [1, () => [begin, { kind: 'abort', slot: number, method: 'POST' }]],
      [
        2,
        () => [
          { kind: 'poll', slot: number },
          { kind: 'poll', slot: number },
        ],
      ],
      [1, () => [begin, ...this.#act(), finish]],
      [1, () => [begin, { kind: 'poll', slot: number }, { kind: 'abort', slot: number }]],
    ])();
  }

  #post(slot) {
    const random = this.#random;
    const step = { kind: 'post', slot: slot.number };
    const text = 'text/plain;charset=UTF-8';
    const octets = 'application/octet-stream';
    const v4 = () => ({
      body: random.pick([
        '',
        '\x1e',
        '3\x1e',
        '\x1e3',
        '3\x1e\x1e3',
        '3\x1e3',
        '42["echo",1]\x1e42["echo",2]\x1e3',
        '42["echo",1]\x1ex\x1e42["echo",2]',
        '42["echo",1]\x1e1\x1e42["echo",2]',
        '1:3',
        'd=42["echo"]',
        `42["echo","${'a'.repeat(120)}"]`,
        `42["echo","${'é'.repeat(60)}"]`,
        '42["echo","\u2028\\n"]',
        '3'.repeat(50),
      ]),
    });
    const v3 = () => ({
      body: random.pick([
        '',
        '1:2',
        '1:21:2',
        '2:2',
        '0:',
        ':2',
        'x:2',
        '-1:2',
        '01:2',
        '1.5:22',
        ' 1:2',
        '1:2x',
        '1:x',
        '12:42["echo",1]12:42["echo",2]',
        '12:42["echo",1]2:4',
        '12:42["echo",1]1:x12:42["echo",2]',
        '12:42["echo",1]1:112:42["echo",2]',
        '12:42["echo",1]\n',
        '15:42["echo","ü✓"]',
        '16:42["echo","😀"]',
        '15:42["echo","😀"]',
        '42["echo",1]',
        '6:b4AQI=',
        '5:bAQI=',
        '4:b4!!',
        `131:42["echo","${'a'.repeat(120)}"]`,
        '99999999999999999999:2',
      ]),
    });
    const binary = () => ({
      hex: random.pick([
        '',
        '0001ff32',
        '0001ff320001ff32',
        '0101ff04',
        '0102ff0401',
        '0001ff04',
        '0005ff32',
        '00ff',
        '00',
        '000102ff34325b226563686f222c315d',
        '00010cff' + Buffer.from('42["echo"]').toString('hex'),
        '000100ff' + Buffer.from('42["echo"]').toString('hex'),
        '0201ff32',
        '000fff32',
        '0001ffff',
        '0102fe0401',
      ]),
    });
    Object.assign(
      step,
      random.weighted([
        [slot.eio === 4 ? 6 : 1, v4],
        [slot.eio === 3 ? 6 : 1, v3],
        [slot.eio === 3 ? 3 : 0.5, binary],
        [
          0.7,
          () => ({
            hex: random.pick(['34ff', '3432c328', 'ff', '343220', 'efbbbf33', '33efbbbf']),
          }),
        ],
      ])(),
    );
    step.type = random.weighted([
      [6, step.hex === undefined ? text : octets],
      [
        1,
        random.pick([
          text,
          octets,
          null,
          'text/html',
          'application/json',
          'APPLICATION/OCTET-STREAM',
          'application/octet-stream; x=1',
          'application/x-www-form-urlencoded',
        ]),
      ],
    ]);
    if (random.chance(0.1)) step.chunks = random.int(1, 20);
    return [step];
  }

  #request(slot) {
    const random = this.#random;
    const step = {
      kind: 'request',
      slot: slot.number,
      method: random.weighted([
        [5, 'GET'],
        [3, 'POST'],
        [1, 'PUT'],
        [1, 'OPTIONS'],
        [1, 'DELETE'],
        [0.5, 'HEAD'],
      ]),
      query: {},
    };
    const { query } = step;
    const some = (probability, name, values) => {
      if (random.chance(probability)) query[name] = random.pick(values);
    };
    some(0.6, 'sid', [null, 'nobody', '', '{sid}', '__proto__', 'constructor', '0'.repeat(300)]);
    some(0.4, 'transport', [
      null,
      'websocket',
      'Polling',
      'webtransport',
      'x',
      'constructor',
      '__proto__',
      '',
    ]);
    some(0.4, 'EIO', [null, 3, 4, 5, 2, 'x', '', '04', '4 ']);
    some(0.1, 'j', ['0', 'x', '']);
    some(0.1, 'b64', ['0', '1', '']);
    if (step.method === 'POST') step.body = '3';
    if (random.chance(0.2)) {
      step.headers = random.pick([
        { Origin: 'http://localhost' },
        { Origin: 'http://elsewhere' },
        { Origin: 'x\u0080'.slice(0, 1) },
        { 'User-Agent': 'x;MSIE 9' },
        { 'User-Agent': 'Trident/7' },
        { 'Access-Control-Request-Method': 'POST', Origin: 'http://localhost' },
        { Upgrade: 'websocket' },
        ...HEADERS,
      ]);
    }
    if (random.chance(0.05)) {
      step.path = random.pick([
        '/socket.io',
        '/socket.io/',
        '/socket.io/x',
        '/socket.iox/',
        '/',
        '//socket.io/',
        '/socket.io/?',
        '/socket.io/?EIO=4&transport=polling&transport=websocket',
        '/socket.io/?EIO=4&EIO=3&transport=polling',
      ]);
    }
    // A request that waits would be as a poll is.
    return [step];
  }

  #frames(slot) {
    const random = this.#random;
    const { number } = slot;
    const text = (payload, more) => ({ payload, ...more });
    const frames = random.weighted([
      [
        2,
        () => [
          { opcode: 8, hex: random.pick(['', '03e8', '03e9', '03f1', '0bb8', '0fa0', '03e86279']) },
        ],
      ],
      [
        2,
        () => [
          {
            opcode: 8,
            hex: random.pick([
              '00',
              '0000',
              '03e7',
              '03ec',
              '03ed',
              '03ee',
              '03f7',
              '07d0',
              '1388',
              'ffff',
              '03e8ff',
              '03e8c328',
            ]),
          },
        ],
      ],
      [1, () => [{ opcode: 8, hex: '03e8' }, text('42["echo","behind"]')]],
      [2, () => [{ opcode: 9, payload: random.pick(['', 'hello', 'x'.repeat(125)]) }]],
      [1, () => [{ opcode: 10, payload: random.pick(['', 'hello']) }]],
      [1, () => [{ opcode: random.pick([8, 9, 10]), payload: 'x'.repeat(126), form: 2 }]],
      [1, () => [{ opcode: random.pick([8, 9, 10]), fin: false }]],
      [1, () => [text('42["echo",1]', { rsv: random.pick([1, 2, 4, 7]) })]],
      [1, () => [{ opcode: random.pick([3, 4, 7, 11, 15]), payload: 'x' }]],
      [1, () => [text('42["echo",1]', { masked: false })]],
      [2, () => [text('42["ec', { fin: false }), { opcode: 0, payload: 'ho",1]' }]],
      [
        1,
        () => [
          text('42["ec', { fin: false }),
          { opcode: 9, payload: 'x' },
          { opcode: 0, payload: 'ho",1]' },
        ],
      ],
      [1, () => [text('42["ec', { fin: false }), text('42["echo",1]')]],
      [1, () => [{ opcode: 0, payload: 'x' }]],
      [
        1,
        () => [
          text('42["ec', { fin: false }),
          { opcode: 0, payload: '', fin: false },
          { opcode: 0, payload: 'ho",1]' },
        ],
      ],
      [1, () => [text('', { fin: false }), { opcode: 0, payload: '' }]],
      [
        1,
        () => [
          {
            opcode: 1,
            hex: random.pick(['34ff', '3432c328', 'eda080', '34f0908080', '34f4908080', 'efbbbf']),
          },
        ],
      ],
      [
        1,
        () => [
          { opcode: 1, hex: '34325b226563686f222c22c3', fin: false },
          { opcode: 0, hex: 'bc225d' },
        ],
      ],
      [1, () => [text('42["echo",1]', { form: random.pick([2, 8]) })]],
      [1, () => [text(`42["echo","${'a'.repeat(130)}"]`)]],
      [
        1,
        () => [
          text(`42["echo","${'a'.repeat(60)}`, { fin: false }),
          { opcode: 0, payload: `${'a'.repeat(60)}"]` },
        ],
      ],
      [0.5, () => [text('', { length: 2_000_000 })]],
      [0.3, () => [text('', { length: 2 ** 52 })]],
      [1, () => [text(this.#engineAny(slot))]],
      [1, () => [{ opcode: 2, hex: random.pick(['', '04', '0401', '0102', '34']) }]],
      [1, () => [text('42["echo",1]'), { opcode: 8, hex: '03e8' }]],
    ])();
    return [{ kind: 'frames', slot: number, frames }];
  }

  #leave(slot) {
    return [{ kind: 'leave', slot: slot.number, how: this.#random.pick(['end', 'reset']) }];
  }

  #act() {
    const random = this.#random;
    return [
      random.weighted([
        [3, () => ({ kind: 'act', what: 'emit', args: ['news', 1] })],
        [2, () => ({ kind: 'act', what: 'tell', args: ['room', 'news', { a: 1 }] })],
        [1, () => ({ kind: 'act', what: 'volatile', args: ['news', 2] })],
        [
          this.#isMsgpack ? 2 : 0,
          () => ({
            kind: 'act',
            what: 'emit',
            args: ['news', JSON.parse(random.pick(MSGPACK_VALUES))],
          }),
        ],
        [
          1,
          () => ({
            kind: 'act',
            what: 'disconnect',
            args: [random.pick(['/', '/news']), random.chance(0.5)],
          }),
        ],
        [0.5, () => ({ kind: 'act', what: 'disconnect all', args: [random.chance(0.5)] })],
        [0.5, () => ({ kind: 'act', what: 'disconnect room', args: ['room', random.chance(0.5)] })],
        [1, () => ({ kind: 'act', what: 'join', args: ['room'] })],
        [1.5, () => ({ kind: 'act', what: 'release' })],
      ])(),
    ];
  }
}

/**
 * @param {number} seed
 * @returns {{options: object, steps: object[]}} the sequence of the seed
 */
function sequenceOf(seed) {
  return new Grammar(seed).sequence();
}

module.exports = { RESERVED, sequenceOf };
