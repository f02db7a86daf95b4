'use strict';

/** Results that servers of npm `socket.io` encode with faults. */

const assert = require('node:assert/strict');
const { Blob } = require('node:buffer');
const { describe, it } = require('node:test');
const vm = require('node:vm');
const { encodable, encodableForVersion4 } = require('../../lib/hosted/encodable');
const {
  HOSTS,
  VERSIONS,
  authenticate,
  call,
  newInstance,
  next,
  openServer,
} = require('../support/js-hosts');

const UNSENDABLE = 'ERR_LOOPBACK_SOCKET_UNSENDABLE_VALUE';
const LIMIT = { timeout: 10_000 };

const BLOBS = {
  'a Blob': () => new Blob(['abc']),
  'an array with a Blob in an object': () => ({ list: [1, new Blob(['abc'])] }),
};

const BINARIES = {
  'a Buffer': () => Buffer.from([1, 2]),
  'a typed array on shared memory': () => {
    const shared = new Uint8Array(new SharedArrayBuffer(2));
    shared.set([1, 2]);
    return shared;
  },
  'a SharedArrayBuffer': () => {
    const shared = new SharedArrayBuffer(2);
    new Uint8Array(shared).set([1, 2]);
    return shared;
  },
  'a typed array of another context': () => vm.runInNewContext('new Uint8Array([1, 2])'),
};

/** Views of memory, and the memory itself. */
const VIEWS = {
  'an ArrayBuffer': (memory) => memory,
  'a typed array': (memory) => new Uint8Array(memory),
  'a DataView': (memory) => new DataView(memory),
  'a Buffer': (memory) => Buffer.from(memory),
};

/**
 * @param {ArrayBuffer} memory is detached, as if it had been posted to a worker
 * @returns {void}
 */
function transfer(memory) {
  structuredClone(memory, { transfer: [memory] });
}

/**
 * @param {() => unknown} make makes a binary value
 * @returns {object} what has it behind `toJSON`, and in a property of its own
 */
function withToJSON(make) {
  return new (class {
    bytes = make();
    toJSON() {
      return { seen: this.bytes };
    }
  })();
}

/**
 * @param {import('node:test').TestContext} t the test
 * @param {number} version the version of the server
 * @param {(name: string) => object} clientOf what makes a client of a URL
 * @param {() => unknown} result what the method `m` returns
 * @param {string} [transport='websocket'] the transport of the client
 * @returns {Promise<object>} a client that has authenticated
 */
async function clientFor(t, version, clientOf, result, transport = 'websocket') {
  const { io, connect } = await openServer(t, version, { allowEIO3: true });
  const instance = newInstance();
  instance.defineMethod('m', result);
  instance.defineMethod('next', () => 'done');
  instance.start(io);
  const client =
    clientOf === undefined
      ? connect('/', { transports: [transport] })
      : clientOf(connect('/', { autoConnect: false }));
  t.after(() => client.close());
  await next(client, 'connect');
  await authenticate(client);
  return client;
}

/** A client of version 2 for the server of another. */
function ofVersion2({ io: { uri } }) {
  const options = { transports: ['websocket'], reconnection: false, forceNew: true };
  return require('socket.io-client-2')(uri, options);
}

for (const version of VERSIONS) {
  for (const [what, clientOf] of [
    [`socket.io ${version}`, undefined],
    [`socket.io ${version} to a client of version 2`, ofVersion2],
  ]) {
    describe(`results of ${what}`, LIMIT, () => {
      for (const [name, make] of Object.entries(BLOBS)) {
        it(`${name} is answered with an error and the client stays usable, ${what}`, async (t) => {
          const client = await clientFor(t, version, clientOf, make);
          assert.equal((await call(client, 'm', null)).error.code, UNSENDABLE);
          assert.deepEqual(await call(client, 'next', null), { result: 'done' });
        });
      }

      for (const [name, make] of Object.entries(BINARIES)) {
        it(`${name} arrives as binary, ${what}`, async (t) => {
          const client = await clientFor(t, version, clientOf, () => ({ deep: [make()] }));
          const { result } = await call(client, 'm', null);
          assert.deepEqual([...Buffer.from(result.deep[0])], [1, 2]);
        });
      }

      it(`an object without a prototype may hold a Buffer, ${what}`, async (t) => {
        const make = () => Object.assign(Object.create(null), { bytes: Buffer.from([1, 2]) });
        const client = await clientFor(t, version, clientOf, make);
        const { result } = await call(client, 'm', null);
        assert.deepEqual([...Buffer.from(result.bytes)], [1, 2]);
      });
    });
  }
}

for (const host of HOSTS) {
  const on = host === 'native' ? 'on the native server' : `on socket.io ${host}`;
  describe(`bytes that are transferred, ${on}`, LIMIT, () => {
    for (const transport of ['websocket', 'polling']) {
      for (const [name, view] of Object.entries(VIEWS)) {
        it(`a result or error with ${name} that has been transferred is answered with an error, ${on}, ${transport}`, async (t) => {
          let fails = false;
          const result = () => {
            const memory = new ArrayBuffer(2);
            const value = { deep: [view(memory)] };
            transfer(memory);
            if (fails) {
              throw value;
            }
            return value;
          };
          const client = await clientFor(t, host, undefined, result, transport);
          assert.equal((await call(client, 'm', null)).error.code, UNSENDABLE);
          fails = true;
          assert.equal((await call(client, 'm', null)).error.code, UNSENDABLE);
          assert.deepEqual(await call(client, 'next', null), { result: 'done' });
        });

        for (const [when, later] of Object.entries({
          'in a microtask': queueMicrotask,
          'in the next tick': process.nextTick,
        })) {
          it(`${name} of a result may be transferred ${when} after the answer, ${on}, ${transport}`, async (t) => {
            const result = () => {
              // Larger than what Node puts into memory that several Buffers share.
              const memory = new ArrayBuffer(10_000);
              new Uint8Array(memory).fill(7);
              // The call is answered in the microtask of this one.
              later(() => later(() => transfer(memory)));
              return { bytes: view(memory) };
            };
            const client = await clientFor(t, host, undefined, result, transport);
            const { bytes } = (await call(client, 'm', null)).result;
            assert.ok(Buffer.alloc(10_000, 7).equals(Buffer.from(bytes)));
            assert.deepEqual(await call(client, 'next', null), { result: 'done' });
          });
        }
      }
    }

    it(`the error says which bytes cannot be sent, ${on}`, async (t) => {
      const memory = new ArrayBuffer(2);
      transfer(memory);
      const client = await clientFor(t, host, undefined, () => memory);
      const { error } = await call(client, 'm', null);
      assert.match(error.message, /a Blob or bytes whose memory has been transferred/);
    });

    it(`a view that reaches beyond its memory has no bytes, ${on}`, async (t) => {
      const memory = new ArrayBuffer(4, { maxByteLength: 8 });
      const views = [new Uint8Array(memory, 2, 2), new DataView(memory, 2, 2)];
      memory.resize(1);
      const client = await clientFor(t, host, undefined, () => views.shift());
      const { result } = await call(client, 'm', null);
      assert.equal(result.byteLength, 0);
      assert.equal((await call(client, 'm', null)).error.code, UNSENDABLE);
      assert.deepEqual(await call(client, 'next', null), { result: 'done' });
    });

    it(`an object is sent as its toJSON gives it, bytes too, ${on}`, async (t) => {
      const memory = new ArrayBuffer(2);
      transfer(memory);
      const results = [withToJSON(() => Buffer.from([1, 2])), withToJSON(() => memory)];
      const client = await clientFor(t, host, undefined, () => results.shift());
      const { result } = await call(client, 'm', null);
      assert.deepEqual(Object.keys(result), ['seen']);
      assert.deepEqual([...Buffer.from(result.seen)], [1, 2]);
      assert.equal((await call(client, 'm', null)).error.code, UNSENDABLE);
      assert.deepEqual(await call(client, 'next', null), { result: 'done' });
    });

    it(`bytes that a getter gives beside other values at the next reads do not break the stream, ${on}`, async (t) => {
      for (let reads = 1; reads <= 5; reads += 1) {
        const values = {
          'bytes, then none': (count) => ({
            get value() {
              return (count += 1) > reads ? 1 : Buffer.from('x');
            },
          }),
          'bytes beside a BigInt': (count) => ({
            bytes: Buffer.from('x'),
            get value() {
              return (count += 1) > reads ? 1n : 1;
            },
          }),
        };
        for (const [name, make] of Object.entries(values)) {
          const client = await clientFor(t, host, undefined, () => make(0));
          const answer = await call(client, 'm', null);
          assert.ok('result' in answer || answer.error.code === UNSENDABLE, name);
          assert.deepEqual(await call(client, 'next', null), { result: 'done' });
          client.close();
        }
      }
    });

    it(`an item of the history may be transferred in the tick after it is published, ${on}`, async (t) => {
      const { io, connect } = await openServer(t, host);
      const instance = newInstance();
      instance.defineSubscription('items', { history: { ttl: 60_000 } });
      instance.start(io);
      const client = connect();
      await next(client, 'connect');
      await authenticate(client);
      const first = (await call(client, 'items', {})).result;
      const items = [];
      client.on('items', (item) => items.push(item));
      for (const view of [(memory) => memory, (memory) => Buffer.from(memory)]) {
        const memory = new Uint8Array([1, 2]).buffer;
        instance.publish('items', {}, { bytes: view(memory) });
        // The native server takes the bytes at the end of a tick.
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
        transfer(memory);
      }
      await call(client, 'items', { after: `${first.source}-0` });
      while (items.length < 4) {
        await next(client, 'items');
      }
      assert.deepEqual(
        items.map(({ bytes }) => [...Buffer.from(bytes)]),
        new Array(4).fill([1, 2]),
      );
    });
  });
}

describe('results of socket.io 3 with socket.io-msgpack-parser', LIMIT, () => {
  it('an ArrayBuffer arrives as an ArrayBuffer, and one that has been transferred is answered with an error', async (t) => {
    const parser = require('socket.io-msgpack-parser');
    const { io, connect } = await openServer(t, 3, { parser });
    const gone = new ArrayBuffer(2);
    transfer(gone);
    const results = [new Uint8Array([1, 2]).buffer, gone];
    const instance = newInstance();
    instance.defineMethod('m', () => ({ bytes: results.shift() }));
    instance.start(io);
    const client = connect('/', { parser });
    await next(client, 'connect');
    await authenticate(client);
    const { bytes } = (await call(client, 'm', null)).result;
    assert.ok(bytes instanceof ArrayBuffer);
    assert.deepEqual([...new Uint8Array(bytes)], [1, 2]);
    assert.equal((await call(client, 'm', null)).error.code, UNSENDABLE);
  });
});

describe('results of socket.io 4 with socket.io-msgpack-parser', LIMIT, () => {
  it('the parser of the application decides what a SharedArrayBuffer arrives as', async (t) => {
    const parser = require('socket.io-msgpack-parser');
    const { io, connect } = await openServer(t, 4, { parser });
    const instance = newInstance();
    instance.defineMethod('m', () => ({
      shared: new SharedArrayBuffer(2),
      view: Buffer.from('a'),
    }));
    instance.start(io);
    const client = connect('/', { parser });
    await next(client, 'connect');
    await authenticate(client);
    const { shared, view } = (await call(client, 'm', null)).result;
    assert.deepEqual(shared, {});
    assert.deepEqual([...Buffer.from(view)], [97]);
  });
});

describe('copies of results for servers of npm socket.io', () => {
  it('a result that has to be copied is copied as JSON has it', () => {
    class Row {
      [Symbol('unseen')] = 1n;
      own = 1;
      get ofClass() {
        return 1n;
      }
    }
    const result = {
      row: new Row(),
      wrapped: [Object(1), Object('a'), Object(false)],
      bare: Object.assign(Object.create(null), {
        list: [undefined, null, NaN, () => 1, Symbol('s')],
      }),
      nothing: undefined,
      run() {},
      proto: JSON.parse('{"__proto__":{"a":[1]}}'),
      proto1: JSON.parse('{"__proto__":1}'),
      when: new Date(0),
      keys: Object.assign([{ toJSON: (key) => [typeof key, key] }], { more: 1 }),
      key: { toJSON: (key) => key },
      error: Object.assign(new Error('unseen'), { seen: 1 }),
      map: new Map([[1, 2]]),
      proxy: new Proxy({ a: { b: 1 } }, {}),
    };
    for (const encode of [encodable, encodableForVersion4]) {
      const copy = encode(result, 'result');
      assert.notEqual(copy, result);
      assert.equal(JSON.stringify(copy), JSON.stringify(result));
      assert.equal(Object.getPrototypeOf(copy.proto), Object.prototype);
    }
  });

  it('a getter of a result that has to be copied is called once', () => {
    let calls = 0;
    const result = {
      key: { toJSON: (key) => key },
      get deep() {
        calls += 1;
        return { bytes: Buffer.from([calls]) };
      },
    };
    const { deep } = encodableForVersion4(result, 'result');
    assert.deepEqual([...deep.bytes], [calls]);
    assert.equal(calls, 1);
  });
});
