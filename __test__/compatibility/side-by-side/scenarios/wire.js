'use strict';

/**
 * docs/behaviour.md, "Wire": the frames of the default namespace, and of another one, as a client of
 * Engine.IO 3 (in the place of client 2.5) and of Engine.IO 4 (of client 4.8) reads and writes
 * them, over a bare websocket and bare polling.
 */

module.exports = [
  {
    section: 'Wire',
    promise: 'a success is 42["authenticated",true] on the wire',
    async run(bench) {
      const wire = await bench.wire();
      wire.send('42["authentication",{"token":1}]');
      await wire.frame();
    },
  },
  {
    section: 'Wire',
    promise:
      'a refusal is 42<id>["unauthorized",{"message":…}] with ids counted per namespace from 0',
    async run(bench) {
      bench.instance.auth((socket, credentials) => Promise.reject({ message: credentials }));
      const wire = await bench.wire();
      for (const message of ['no', 7, null, { a: [1] }, 'ünï✓ "q"']) {
        wire.send(`42${JSON.stringify(['authentication', message])}`);
        await wire.frame();
      }
      const other = await bench.wire();
      other.send('42["authentication","other socket"]');
      await other.frame();
    },
  },
  {
    section: 'Wire',
    promise: 'another namespace counts its own acknowledgement ids',
    async run(bench) {
      const namespace = bench.io.of('/x');
      bench.instance.auth(() => Promise.reject(new Error('no')));
      bench.start();
      bench.start(namespace);
      const root = await bench.wire();
      root.send('42["authentication"]');
      await root.frame();
      const wire = await bench.wire({ namespace, path: '/x' });
      wire.send('42/x,["authentication"]');
      await wire.frame();
      wire.send('42/x,["authentication"]');
      await wire.frame();
      root.send('42["authentication"]');
      await root.frame();
    },
  },
  {
    section: 'Wire',
    promise: 'an error without a message or with one that JSON leaves out is {}',
    async run(bench) {
      const wire = await bench.wire();
      for (const failure of ['a string', 5, {}, { message: undefined }]) {
        bench.instance.auth(() => Promise.reject(failure));
        wire.send('42["authentication"]');
        await wire.frame();
      }
    },
  },
  {
    section: 'Wire',
    promise: 'the server sends 41 after the refusal is acknowledged with 43<id>[]',
    async run(bench) {
      bench.instance.auth(() => Promise.reject(new Error('no')));
      const wire = await bench.wire();
      wire.send('42["authentication"]');
      await wire.frame();
      wire.send('430[]');
      await wire.frame();
    },
  },
  {
    section: 'Wire',
    promise: 'an acknowledgement with another id than the refusal’s does not disconnect',
    async run(bench) {
      bench.instance.auth(() => Promise.reject(new Error('no')));
      const wire = await bench.wire();
      wire.send('42["authentication"]');
      await wire.frame();
      wire.send('4399[]');
      wire.send('421["barrier"]');
      await wire.frame();
    },
  },
  {
    section: 'Wire',
    promise: 'a result is 43<id>[{"result":…}] on the wire',
    async run(bench) {
      bench.instance.defineMethod('echo', (socket, credentials, args) => args);
      const wire = await bench.wire();
      wire.send('42["authentication"]');
      await wire.frame();
      const calls = [
        [0, null],
        [7, { z: 1, a: [true, 'ünï✓', { 1: 2 }] }],
        [12, 'a string with "quotes", \\ and \u2028'],
        [123456789, -0.5],
        [8, 1e300],
        [9, {}],
      ];
      for (const [id, args] of calls) {
        wire.send(`42${id}${JSON.stringify(['echo', args])}`);
        await wire.frame();
      }
    },
  },
  {
    section: 'Wire',
    promise: 'an error is 43<id>[{"error":…}] on the wire',
    async run(bench) {
      bench.instance.defineMethod('throw', (socket, credentials, args) => Promise.reject(args));
      bench.instance.defineMethod('throw Error', () => {
        throw Object.assign(new Error('hidden'), { code: 1 });
      });
      const wire = await bench.wire();
      wire.send('42["authentication"]');
      await wire.frame();
      wire.send('421["throw","a string"]');
      await wire.frame();
      wire.send('422["throw",{"code":2,"a":[]}]');
      await wire.frame();
      wire.send('423["throw Error",{}]');
      await wire.frame();
    },
  },
  {
    section: 'Wire',
    promise: 'a result or an error of undefined is 43<id>[{}] on the wire',
    async run(bench) {
      bench.instance.defineMethod('nothing', () => {});
      bench.instance.defineMethod('fails with nothing', () => Promise.reject());
      const wire = await bench.wire();
      wire.send('42["authentication"]');
      await wire.frame();
      wire.send('425["nothing",{}]');
      await wire.frame();
      wire.send('426["fails with nothing",{}]');
      await wire.frame();
    },
  },
  {
    section: 'Wire',
    promise:
      'a binary result is 461-<id>[{"result":{"_placeholder":true,"num":0}}] and its attachment',
    async run(bench) {
      bench.instance.defineMethod('one', () => Buffer.from([1, 2, 255]));
      bench.instance.defineMethod('two', () => ({
        a: [Buffer.from('first')],
        b: { c: Buffer.from('second'), d: 'text' },
      }));
      bench.instance.defineMethod('error', () => Promise.reject(Buffer.from('in an error')));
      const wire = await bench.wire();
      wire.send('42["authentication"]');
      await wire.frame();
      for (const [id, name, attachments] of [
        [5, 'one', 1],
        [6, 'two', 2],
        [7, 'error', 1],
      ]) {
        wire.send(`42${id}${JSON.stringify([name, {}])}`);
        await wire.frame();
        for (let index = 0; index < attachments; index++) await wire.log.until('binary');
      }
    },
  },
  {
    section: 'Wire',
    promise: 'a call whose args are in an attachment is received with it',
    async run(bench) {
      bench.instance.defineMethod('echo', (socket, credentials, args) => args);
      const wire = await bench.wire();
      wire.send('42["authentication"]');
      await wire.frame();
      wire.send('451-3["echo",{"a":{"_placeholder":true,"num":0}}]');
      wire.send(Buffer.from([9, 8, 7]));
      await wire.frame();
      await wire.log.until('binary');
    },
  },
  {
    section: 'Wire',
    promise: 'a call without an id has no answer on the wire, and one with an id has one',
    async run(bench) {
      bench.instance.defineMethod('m', (socket, credentials, args, cb) => {
        bench.saw('m', args);
        cb(null, 1);
        cb(null, 2);
      });
      const wire = await bench.wire();
      wire.send('42["authentication"]');
      await wire.frame();
      wire.send('42["m","unanswered"]');
      await bench.until('m');
      wire.send('421["m","answered"]');
      await wire.frame();
      wire.send('422["barrier"]');
      await wire.frame();
    },
  },
  {
    section: 'Wire',
    promise: 'event names may be escaped in JSON',
    async run(bench) {
      bench.instance.defineMethod('spy', bench.witness('spy', 1));
      bench.instance.defineMethod('ünï✓', bench.witness('ünï✓', 2));
      bench.instance.defineMethod('', bench.witness('empty', 3));
      const wire = await bench.wire();
      wire.send('42["\\u0061uthentication","c"]');
      await wire.frame();
      for (const [id, name] of [
        [1, 'sp\\u0079'],
        [2, '\\u00fcn\\u00ef\\u2713'],
        [3, ''],
        [4, 'sp\\/y'],
      ]) {
        wire.send(`42${id}["${name}",{}]`);
        if (id < 4) await wire.frame();
      }
      wire.send('425["barrier"]');
      await wire.frame();
    },
  },
  {
    section: 'Wire',
    promise: 'whitespace in a frame is JSON’s',
    async run(bench) {
      bench.instance.defineMethod('echo', (socket, credentials, args) => args);
      const wire = await bench.wire();
      wire.send('42[ "authentication" , { "a" : 1 } ]');
      await wire.frame();
      wire.send('421[\t"echo" ,\n{ "b" : [ 1 , 2 ] } ]');
      await wire.frame();
    },
  },
];
