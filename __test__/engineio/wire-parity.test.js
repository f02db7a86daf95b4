'use strict';

// What clients below Socket.IO's own may send, well formed or not: sequences that npm socket.io and the
// native server once took differently. Each is played to both, and both must do what it says.

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const socketio = require('socket.io');
const { Server } = require('../..');
const { Side } = require('./wire-fuzz/side');

/**
 * Plays steps to both servers.
 * @param {object[]} steps - see `wire-fuzz/side.js`
 * @param {Record<string, any[]>} expected - what comes of the last one, by where it is noted
 * @param {(where: string) => boolean} [counts] - what of it counts
 * @param {(what: any) => any} [short] - of what counts, what is compared
 * @returns {() => Promise<void>} for `it`
 */
function plays(steps, expected, counts = (where) => !/heads$/.test(where), short = undefined) {
  return async () => {
    for (const Kind of [socketio.Server, Server]) {
      const side = new Side(Kind, { allowEIO3: true, serveClient: false });
      try {
        await side.start();
        for (const step of steps) {
          side.take();
          await side.play(step);
        }
        const notes = side.take();
        // What the request was like is none of the packets' doing.
        notes.application &&= notes.application.filter(([, what]) => what !== 'handshake');
        for (const where of Object.keys(notes)) if (!counts(where)) delete notes[where];
        if (short) for (const where of Object.keys(notes)) notes[where] = notes[where].map(short);
        assert.deepEqual(notes, expected, Kind === Server ? 'native' : 'socket.io');
      } finally {
        await side.close();
      }
    }
  };
}

const open = (transport, eio = 4) => ({ kind: 'open', slot: 0, transport, eio });
const say = (...packets) => ({ kind: 'say', slot: 0, packets });
const poll = { kind: 'poll', slot: 0 };
const upgrade = { kind: 'upgrade', slot: 0 };
const text = (...payloads) => ({
  kind: 'frames',
  slot: 0,
  frames: payloads.map((payload) => ({ payload })),
});
const OK = {
  status: 200,
  headers: { 'cache-control': 'no-store', connection: 'keep-alive', 'content-type': 'text/html' },
  body: 'ok',
};

describe('connections that the server ends', { timeout: 60_000 }, () => {
  it(
    'a websocket without sockets that sends an event ends with "forced close"',
    plays([open('websocket'), say('42["echo"]')], {
      application: [['close', 'forced close', null]],
      'client 0: websocket 1': [{ reason: '' }, 'end'],
    }),
  );

  it(
    'disconnect(true) of the last socket ends the connection with "forced close"',
    plays([open('websocket'), say('40'), say('42["close me"]')], {
      application: [
        ['/', 'event', 'close me'],
        ['/', 'disconnecting', 'server namespace disconnect', null, 1],
        ['/', 'disconnect', 'server namespace disconnect', null],
        ['close', 'forced close', null],
      ],
      'client 0: websocket 1': [{ text: '41' }, { reason: '' }, 'end'],
    }),
  );

  it(
    'an event that middleware refuses is an error before the next event is seen',
    plays([open('websocket'), say('40', '40/news,'), say('42["refuse"]', '42/news,["message"]')], {
      application: [
        ['/', 'error', { error: 'not this' }],
        ['/news', 'event', 'message'],
      ],
    }),
  );

  it(
    'a malformed message on polling emits the error at once',
    plays([open('polling'), say('40'), poll, say('42["echo"')], {
      application: [['/', 'error', 'malformed']],
      'client 0: request 2': [OK],
    }),
  );

  it(
    'a malformed message on polling ends the sockets with the next poll',
    plays([open('polling'), say('40'), poll, say('42["echo"'), poll], {
      application: [
        ['/', 'disconnecting', 'forced close', null, 1],
        ['/', 'disconnect', 'forced close', null],
        ['close', 'forced close', null],
      ],
      'client 0: polls': ['6', '1'],
    }),
  );

  it(
    'a packet for a namespace that was not joined ends the sockets at once on polling',
    plays([open('polling'), say('40'), poll, say('42/missing,["echo"]')], {
      application: [
        ['/', 'disconnecting', 'forced server close', null, 1],
        ['/', 'disconnect', 'forced server close', null],
      ],
      'client 0: request 2': [OK],
    }),
  );

  it(
    'a malformed message is reported before its unknown namespace',
    plays([open('websocket'), say('40'), say('42/missing,{}')], {
      application: [
        ['/', 'error', 'malformed'],
        ['/', 'disconnecting', 'forced close', null, 1],
        ['/', 'disconnect', 'forced close', null],
        ['close', 'forced close', null],
      ],
      'client 0: websocket 1': [{ reason: '' }, 'end'],
    }),
  );

  it(
    'a refused CONNECT is answered before a later packet ends the connection',
    plays([open('websocket'), say('40/ünï,', '42["echo"]')], {
      application: [['close', 'forced close', null]],
      'client 0: websocket 1': [
        { text: '44/ünï,{"message":"Invalid namespace"}' },
        { reason: '' },
        'end',
      ],
    }),
  );

  it(
    "the server keeps a closing websocket open until the client's close frame",
    plays([{ ...open('websocket'), repliesToClose: false }, say('42["echo"]')], {
      application: [['close', 'forced close', null]],
      'client 0: websocket 1': [{ reason: '' }],
    }),
  );

  it(
    "an invalid frame after the server's close frame ends the websocket at once",
    plays(
      [
        { ...open('websocket'), repliesToClose: false },
        say('42["echo"]'),
        { kind: 'frames', slot: 0, frames: [{ opcode: 3 }] },
      ],
      { 'client 0: websocket 1': ['end'] },
    ),
  );

  it(
    'packets after an invalid frame are ignored',
    plays(
      [
        { ...open('websocket'), repliesToClose: false },
        { kind: 'frames', slot: 0, frames: [{ opcode: 3 }] },
        say('42["echo"]'),
      ],
      {},
    ),
  );
});

describe('Socket.IO packets', { timeout: 60_000 }, () => {
  const forced = [
    ['/', 'disconnecting', 'forced close', null, 1],
    ['/', 'disconnect', 'forced close', null],
    ['close', 'forced close', null],
  ];
  const goodbye = [{ reason: '' }, 'end'];
  const malformed = {
    application: [['/', 'error', 'malformed'], ...forced],
    'client 0: websocket 1': goodbye,
  };
  const outOfPlace = { application: forced, 'client 0: websocket 1': goodbye };

  for (const [packet, what] of [
    ['451-["connect",{"_placeholder":true,"num":0}]', 'with a reserved name'],
    ['451-{}', 'with no array'],
    ['450-["echo"]', 'with no attachments'],
    ['461-0{}', 'that acknowledges with no array'],
  ]) {
    it(
      `a binary packet ${what} is malformed before its attachments arrive`,
      plays([open('websocket'), say('40'), say(packet)], malformed),
    );
  }

  for (const packet of ['41[]', '44{', '40[]', '43/news,1{}', '42/news,[]']) {
    it(
      `the invalid packet ${packet} is malformed`,
      plays([open('websocket'), say('40'), say(packet)], malformed),
    );
  }

  for (const packet of [
    '44',
    '44"x"',
    '44{"message":"x"}',
    '40',
    '42/["echo"]',
    '43/news,1[]',
    '41/news,',
  ]) {
    it(
      `the valid packet ${packet} ends its connection if it is not allowed`,
      plays([open('websocket'), say('40'), say(packet)], outOfPlace),
    );
  }

  it(
    'a CONNECT packet of protocol 4 has no auth payload',
    plays([open('websocket', 3), say('40/news,{"token":"2"}')], {
      application: [['/news', 'connection', {}, { EIO: '3', transport: 'websocket' }, 'websocket']],
      'client 0: websocket 1': [{ text: '40/news,' }],
    }),
  );

  it(
    'an event may have blanks after its acknowledgement id',
    plays([open('websocket'), say('40'), say('427 ["echo",1]')], {
      application: [['/', 'event', 'echo', 1, '<ack>']],
      'client 0: websocket 1': [{ text: '437[1]' }],
    }),
  );

  it(
    'a namespace of protocol 5 includes the query string',
    plays([open('websocket'), say('40/news?token=1,')], {
      'client 0: websocket 1': [{ text: '44/news?token=1,{"message":"Invalid namespace"}' }],
    }),
  );
});

describe('upgrades', { timeout: 60_000 }, () => {
  const upgraded = { application: [['upgrade', 'websocket', 'websocket']] };

  it('an upgrade needs no probe', plays([open('polling'), upgrade, text('5')], upgraded));

  it(
    'an upgrade may be probed twice',
    plays([open('polling'), upgrade, text('2probe', '2probe', '5')], {
      ...upgraded,
      'client 0: websocket 1': [{ text: '3probe' }, { text: '3probe' }],
    }),
  );

  it(
    'an upgrade without a probe ends the waiting poll',
    plays([open('polling'), upgrade, poll, text('5')], { 'client 0: polls': ['1'] }, (where) =>
      /polls$/.test(where),
    ),
  );

  it(
    'an upgrade that the client closes is closed with the same code',
    plays(
      [open('polling'), upgrade, { kind: 'frames', slot: 0, frames: [{ opcode: 8, hex: '03e8' }] }],
      {
        'client 0: websocket 1': [{ close: 1000, reason: '' }, 'end'],
      },
    ),
  );

  it(
    'an upgrade may start right after another one ended',
    plays(
      [open('polling'), { ...upgrade, repliesToClose: false }, text('x'), upgrade, text('2probe')],
      { 'client 0: websocket 2': [{ text: '3probe' }] },
    ),
  );

  it(
    'an upgrade with an invalid frame is closed with code 1002',
    plays([open('polling'), upgrade, { kind: 'frames', slot: 0, frames: [{ opcode: 3 }] }], {
      'client 0: websocket 1': [{ close: 1002, reason: '' }, 'end'],
    }),
  );

  it(
    'an upgrade ends with any other packet',
    plays([open('polling'), upgrade, text('2x')], {
      'client 0: websocket 1': [{ reason: '' }, 'end'],
    }),
  );
});

describe('Engine.IO packets', { timeout: 60_000 }, () => {
  it(
    'a ping of Engine.IO 3 is answered without its payload',
    plays([open('websocket', 3), text('2probe', '2')], {
      'client 0: websocket 1': [{ text: '3' }, { text: '3' }],
    }),
  );

  it(
    'Engine.IO packets that only a server sends are ignored',
    plays([open('websocket'), text('0', '0{}', '6', '6x', '5', '5x')], {}),
  );

  it(
    'a binary packet of Engine.IO 3 with an unknown type is ignored',
    plays(
      [
        open('websocket', 3),
        {
          kind: 'frames',
          slot: 0,
          frames: ['', '00', '06', '3401'].map((hex) => ({ opcode: 2, hex })),
        },
      ],
      {},
    ),
  );

  it(
    'an empty packet of Engine.IO 3 in a payload is ignored',
    plays([open('polling', 3), { kind: 'post', slot: 0, body: '0:1:2' }, poll], {
      'client 0: polls': ['40', '3'],
    }),
  );
});

describe('POST requests', { timeout: 60_000 }, () => {
  it(
    'a JSONP POST may have no packets',
    plays(
      [
        { ...open('polling'), jsonp: '0' },
        { kind: 'post', slot: 0, body: 'x=3', query: { j: 0 } },
      ],
      {
        'client 0: request 1': [OK],
      },
    ),
  );

  it(
    'an empty POST ends its connection',
    plays(
      [open('polling'), { kind: 'post', slot: 0, body: '' }],
      { application: [['close', 'parse error', null]] },
      (where) => where === 'application',
    ),
  );

  it(
    'a POST that is aborted after a malformed one ends the connection with "transport error"',
    plays(
      [
        open('polling'),
        say('40'),
        poll,
        say('42[]'),
        { kind: 'begin', slot: 0, body: '4', length: 9 },
        { kind: 'abort', slot: 0, method: 'POST' },
      ],
      { application: ['disconnecting', 'disconnect', 'close'] },
      (where) => where === 'application',
      ([nsp, ...rest]) => (rest[0] === 'transport error' ? nsp : rest[0]),
    ),
  );

  it(
    'an incomplete POST is aborted when its connection ends',
    plays(
      [open('polling'), poll, { kind: 'begin', slot: 0, body: '42["e', length: 12 }, poll],
      { 'client 0: request 1': ['ECONNRESET'] },
      (where) => /request/.test(where),
    ),
  );
});
