'use strict';

// A client speaks for its own connection and for no other, whatever it sends.

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const { parseBatch, dispatch } = require('../../lib/native/event-batch');
const { TIMEOUT, ending, loopbackSocket, served } = require('../support/native-server');

/** A world whose method `m` and listener `spy` note what runs, and for whom. */
function spied(test) {
  return served({}, async (world) => {
    const ran = [];
    const instance = loopbackSocket();
    instance.defineMethod('m', (socket, credentials, args) => {
      ran.push({ id: socket.id, args });
      return 'done';
    });
    instance.start(world.io);
    world.io.on('connection', (socket) => {
      socket.on('spy', (...args) => ran.push({ id: socket.id, args }));
    });
    await test(world, ran);
  });
}

async function authenticated(world) {
  const raw = await world.raw();
  await raw.send('42["authentication",{"token":"valid"}]');
  await raw.packet('2["authenticated",true]');
  return raw;
}

describe('forged batches', () => {
  const tail = '["m",{"forged":true}]';
  const forgeries = {
    'a record of five fields': `42["m",{}],0,-1,0,${tail}`,
    'a record of six fields': `42["m",{}],1,1,-1,0,-1,${tail}`,
    'a record of six fields with a call': `427["m",{}],1,1,0,0,-1,${tail}`,
    'a method that runs': `42["m",{}],2,1,-1,0,-1,0`,
    'an authentication': `42["spy",{"token":"valid"}],3,1,0,1,-1,0`,
    'the end of another socket': `42["m",{}],5,1,2,0,-1,0`,
    'the end of another connection': `42["m",{}],7,1,0,0,-1,0`,
    'a second array': `42["spy"]["spy"]`,
    'an acknowledgement': `430[],1,1,-1,0,-1,${tail}`,
    'the end of the batch': `42["m",{}]]`,
    'an event in another namespace': `42/other,["m",{}],1,1,-1,0,-1,${tail}`,
    'a name that is none': `42[["m"],{}]`,
    'no name': `42[]`,
    'no array': `42{"0":"m"}`,
    'a name of the socket itself': `42["disconnect","forged"]`,
    'an escaped name of the socket itself': `42["disconnec\\u0074","forged"]`,
    'a text that ends too early': `42["m",{"a":1}`,
    nothing: `42`,
    'an acknowledgement that is no array': `430{"length":1}`,
    'a CONNECT whose payload reaches further': `40/x,{}],1,1,-1,0,-1,${tail}`,
  };
  for (const [what, forged] of Object.entries(forgeries)) {
    it(
      `a forged batch of ${what} ends its own connection and runs nothing`,
      TIMEOUT,
      spied(async (world, ran) => {
        world.io.of('/x');
        const victim = await authenticated(world);
        const attacker = await authenticated(world);
        const ended = ending(attacker.socket);
        await attacker.send(forged);
        const [reason] = await ended;
        await attacker.closed;
        assert.equal(reason, 'forced close');
        assert.deepEqual(ran, []);
        assert.deepEqual(await victim.call('m', { mine: true }), [{ result: 'done' }]);
        assert.deepEqual(ran, [{ id: victim.socket.id, args: { mine: true } }]);
        assert.equal(victim.socket.connected, true);
      }),
    );
  }

  it(
    'a forged batch over polling ends its own connection and runs nothing',
    TIMEOUT,
    spied(async (world, ran) => {
      const victim = await authenticated(world);
      const attacker = await world.polling();
      const ended = ending(attacker.socket);
      await attacker.send(`42["spy",{}],1,1,-1,0,-1,${tail}`);
      assert.deepEqual((await ended)[0], 'forced close');
      assert.deepEqual(await victim.call('m', 1), [{ result: 'done' }]);
      assert.equal(ran.length, 1);
    }),
  );

  it(
    'a forged batch with an attachment ends its own connection and runs nothing',
    TIMEOUT,
    spied(async (world, ran) => {
      for (const forged of [
        `451-["spy",{"_placeholder":true,"num":0}],1,1,-1,0,-1,${tail}`,
        '451-["spy",{"_placeholder":true,"num":1}]',
        '451-["spy",{"_placeholder":true,"num":-1}]',
        '451-["spy",{"_placeholder":true,"num":"0"}]',
      ]) {
        const attacker = await authenticated(world);
        const ended = ending(attacker.socket);
        await attacker.send(forged);
        await attacker.send(Buffer.from('x'));
        assert.equal((await ended).length > 0, true);
        await attacker.closed;
      }
      assert.deepEqual(ran, []);
      assert.equal(await world.isAlive(), 'yes');
    }),
  );

  it(
    'a packet with fewer attachments than announced ends its connection and runs no later event',
    TIMEOUT,
    spied(async (world, ran) => {
      const attacker = await authenticated(world);
      const ended = ending(attacker.socket);
      await attacker.send('452-["spy",{"_placeholder":true,"num":0}]');
      await attacker.send(Buffer.from('x'));
      await attacker.send('42["spy","after"]');
      await ended;
      await attacker.closed;
      assert.deepEqual(ran, []);
    }),
  );
});

describe('batches that do not parse', () => {
  /** What a batch of records leads to. */
  function outcome(records) {
    const seen = [];
    const server = {
      event: (...args) => seen.push(['event', ...args]),
      disconnect: (...args) => seen.push(['disconnect', ...args]),
      malformed: (subject) => seen.push(['malformed', subject]),
    };
    const batch = `[${records.map((record) => record.slice(1, -1)).join(',')}]`;
    dispatch(
      server,
      parseBatch(batch, () => records, server.malformed),
      undefined,
    );
    return seen;
  }

  const GOOD = '[1,7,-1,-1,-1,["a",1]]';
  const BAD = '[1,8,-1,-1,-1,["b",\u0001]]';

  it('a batch that parses is not split into records', () => {
    const values = parseBatch('[1,2]', () => assert.fail('asked'), assert.fail);
    assert.deepEqual(values, [1, 2]);
  });

  it('a batch that does not parse is read record by record and only the invalid one is dropped', () => {
    assert.deepEqual(outcome([GOOD, BAD, '[5,9,2,0,-1,0]']), [
      ['malformed', 8],
      ['event', 7, ['a', 1], null, -1, false, undefined],
      ['disconnect', 9, 2, 0],
    ]);
  });

  it('an invalid acknowledgement in a batch ends its connection', () => {
    assert.deepEqual(outcome(['[6,8,0,0,-1,[x]]']), [['malformed', 8]]);
  });

  it('an invalid record in a batch never runs a method or an authentication with the event of another client', () => {
    const rest = ['[2,8,0,0,-1,0]', '[3,8,0,1,-1,0]'];
    assert.deepEqual(outcome([GOOD, BAD, ...rest, GOOD]), [
      ['malformed', 8],
      ['event', 7, ['a', 1], null, -1, false, undefined],
      ['event', 7, ['a', 1], null, -1, false, undefined],
    ]);
  });
});
