'use strict';

// Clients that say little are waited for by Node's event loop itself, all others by the I/O thread:
// whoever it is, every call is answered, and nothing of it is in the way of the application.

const assert = require('node:assert/strict');
const { fork } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { describe, it } = require('node:test');
const { setImmediate: round, setTimeout: pause } = require('node:timers/promises');
const { message } = require('../support/child');
const { RawWebsocket } = require('../support/raw');
const { TIMEOUT } = require('../support/native-server');
const { limited, reach } = require('../support/waiting');

const SERVER = path.join(__dirname, '..', 'support', 'children', 'quiet-server.js');

const IS_LINUX = process.platform === 'linux';

/** Large enough for a stream of them to be a load, small enough for the default limits. */
const LARGE = 'x'.repeat(4000);

/** A client whose calls are answered with their place among those that its socket heard. */
class Caller {
  #calls = 0;
  /** The answers, as they came. */
  answers = [];

  /**
   * @param {RawWebsocket} raw
   * @param {string} name what it calls
   */
  constructor(raw, name) {
    this.raw = raw;
    this.name = name;
  }

  /** Makes so many calls, in one write. */
  send(count, ...args) {
    const { ws } = this.raw;
    ws._socket.cork();
    for (let i = 0; i < count; i++) {
      ws.send(`42${this.#calls++}${JSON.stringify([this.name, ...args])}`);
    }
    ws._socket.uncork();
  }

  /** So many answers more. */
  async answered(count) {
    for (let i = 0; i < count; i++) this.answers.push(await this.raw.packet('3'));
  }

  /** Makes a call and has it answered. */
  async call() {
    this.send(1);
    await this.answered(1);
  }

  /**
   * Keeps so many calls under way until there were enough, and has all of them answered.
   * @param {number} underWay at most, and half of it at least
   * @param {() => boolean} isEnough
   * @param {...any} args of each call
   * @returns {Promise<void>}
   */
  async flood(underWay, isEnough, ...args) {
    const half = underWay / 2;
    this.send(underWay, ...args);
    do {
      await this.answered(half);
      this.send(half, ...args);
      // The other clients of this process.
      await round();
    } while (!isEnough());
    await this.answered(underWay);
  }

  /**
   * Every call was answered, in order, once.
   * @param {(place: number) => any} [expected] what an answer is
   * @returns {Promise<void>}
   */
  async isAnswered(expected = (at) => at) {
    await this.call();
    const all = Array.from({ length: this.#calls }, (_, i) => `43${i}[${toJson(expected(i))}]`);
    const wrong = all.findIndex((answer, i) => answer !== this.answers[i]);
    assert.equal(this.answers[wrong], all[wrong]);
    assert.equal(this.answers.length, all.length);
    assert.deepEqual(this.raw.received.rest(), []);
  }
}

const toJson = (value) => JSON.stringify(value);

/** A process that serves, and its clients. */
class Host {
  #raws = [];
  #thread;

  constructor(...args) {
    this.child = fork(SERVER, args, { stdio: ['pipe', 'pipe', 'pipe', 'ipc'] });
    let output = '';
    this.child.stdout.on('data', (data) => (output += data));
    this.child.stderr.on('data', (data) => (output += data));
    // What it is told when it has ended already.
    this.child.stdin.on('error', () => {});
    this.child.ended = new Promise((resolve) => {
      this.child.once('close', (code, signal) => resolve({ code, signal, output }));
    });
  }

  /**
   * @param {number} [server]
   * @returns {Promise<RawWebsocket>} a client of one of the servers
   */
  async raw(server = 0) {
    const raw = new RawWebsocket(this.ports[server]);
    this.#raws.push(raw);
    await raw.opened();
    await raw.join();
    await raw.send('42["authentication",{}]');
    await raw.packet('2["authenticated",true]');
    return raw;
  }

  /** A client of one of the servers, to call. */
  async caller({ server = 0, name = 'place' } = {}) {
    return new Caller(await this.raw(server), name);
  }

  /** Begins a server in the main thread, behind the others. */
  async serve() {
    this.child.send('serve');
    this.ports.push(await message(this.child));
  }

  /** Begins one there while the worker waits for its client, and has a client of each. */
  async serveBoth() {
    const caller = await this.caller();
    await this.calm(caller);
    await this.serve();
    return [caller, await this.caller({ server: 1 })];
  }

  /** Has a client keep the thread of its server from everything else. */
  async block(caller, event) {
    const blocked = once(this.child.stdout, 'data');
    await caller.raw.send(`42["${event}"]`);
    assert.equal(String((await blocked)[0]), 'blocked\n');
  }

  /** No longer. */
  goOn() {
    this.child.stdin.write('go on\n');
  }

  /** How often the I/O thread slept. */
  sleeps() {
    this.#thread ??= fs
      .readdirSync(`/proc/${this.child.pid}/task`)
      .find((task) => this.#told(task, 'comm').trim() === 'loopback-socket');
    return this.#sleepsOf(this.#thread);
  }

  /** How often the main thread did. */
  mainSleeps() {
    return this.#sleepsOf(this.child.pid);
  }

  #sleepsOf(task) {
    return Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(this.#told(task, 'status'))[1]);
  }

  #told(task, file) {
    return fs.readFileSync(`/proc/${this.child.pid}/task/${task}/${file}`, 'utf8');
  }

  /**
   * Clients call one by one.
   * @param {Caller[]} callers take turns
   * @param {number} calls
   * @returns {Promise<number>} how often the I/O thread slept meanwhile
   */
  async pace(callers, calls) {
    const before = IS_LINUX && this.sleeps();
    for (let i = 0; i < calls; i++) {
      await callers[i % callers.length].call();
      await pause(1);
    }
    return IS_LINUX ? this.sleeps() - before : 0;
  }

  /** Clients that call one by one are read by the I/O thread, and go on being. */
  async areReadByTheIoThread(...callers) {
    const sleeps = [];
    while (sleeps.length < 5) sleeps.push(await this.pace(callers, 40));
    if (IS_LINUX) assert.ok(Math.min(...sleeps) >= 20, `in 40 calls it slept ${sleeps} times`);
  }

  /** Has clients call one by one until the event loop waits for them. */
  async calm(...callers) {
    const check = limited('the event loop waits for clients that call one by one');
    while ((await this.pace(callers, 40)) >= 20) check();
  }

  /** Has clients call all at once until the I/O thread waits for them. */
  async rush(...callers) {
    const before = IS_LINUX && this.sleeps();
    const isWorking = () => !IS_LINUX || this.sleeps() - before > 50;
    await Promise.all(callers.map((caller) => caller.flood(300, isWorking, LARGE)));
  }

  /** It ends by itself. */
  async ends(expected = 0) {
    const { code, signal, output } = await this.child.ended;
    assert.deepEqual({ code, signal }, { code: expected, signal: null }, output);
    return output;
  }

  async close() {
    this.#raws.forEach((raw) => raw.terminate());
    this.child.kill('SIGKILL');
    await this.child.ended;
  }
}

/**
 * Runs a test with servers in a process of their own.
 * @param {string[]} args of the process
 * @param {(host: Host) => Promise<void>} test
 * @returns {() => Promise<void>} for `it`
 */
function hosted(args, test) {
  return async (t) => {
    const host = new Host(...args);
    // A test that takes too long is over, and so is what it opened.
    t.signal.addEventListener('abort', () => host.close());
    try {
      host.ports = await message(host.child);
      await test(host, t);
    } catch (error) {
      const { exitCode, signalCode, ended } = host.child;
      const how = (exitCode ?? signalCode) === null ? 'lives' : `ended: ${toJson(await ended)}`;
      error.message += `\nThe process ${how}`;
      throw error;
    } finally {
      await host.close();
    }
  };
}

describe('calls under light load', () => {
  if (IS_LINUX) {
    it(
      'calls that arrive one by one do not wake the I/O thread',
      TIMEOUT,
      hosted(['one'], async (host) => {
        const caller = await host.caller();
        await host.calm(caller);
        // A machine that is busy otherwise may interrupt it: not every time.
        const sleeps = [];
        do sleeps.push(await host.pace([caller], 300));
        while (sleeps.at(-1) >= 100 && sleeps.length < 5);
        assert.ok(sleeps.at(-1) < 100, `in 300 calls it slept ${sleeps} times`);
      }),
    );

    for (const [who, clients, calls] of [
      ['many clients at once', 40, 1],
      ['one client in one write', 1, 40],
    ]) {
      it(
        `many calls of ${who} are read by the I/O thread`,
        TIMEOUT,
        hosted(['one'], async (host) => {
          const callers = [];
          while (callers.length < clients) callers.push(await host.caller());
          await host.calm(callers[0]);
          const call = async (caller) => {
            caller.send(calls);
            await caller.answered(calls);
          };
          let before;
          do {
            before = host.sleeps();
            for (let i = 0; i < 40; i++) {
              await Promise.all(callers.map(call));
              await pause(1);
            }
          } while (host.sleeps() - before < 40);
          for (const caller of callers) await caller.isAnswered();
        }),
      );
    }
  }

  it(
    'calls with attachments are answered while the event loop polls the sockets',
    TIMEOUT,
    hosted(['one'], async (host) => {
      const caller = await host.caller();
      await host.calm(caller);
      const { raw } = caller;
      await raw.send('451-9["echo",{"_placeholder":true,"num":0}]');
      await raw.send(Buffer.from('bytes'));
      await raw.packet('61-9[{"_placeholder":true,"num":0}]');
      assert.deepEqual(await raw.binary(), Buffer.from('bytes'));
    }),
  );

  it(
    'clients may connect and disconnect while the event loop polls the sockets',
    TIMEOUT,
    hosted(['one'], async (host) => {
      const caller = await host.caller();
      for (let i = 0; i < 5; i++) {
        const other = await host.caller();
        await host.calm(caller, other);
        await other.isAnswered();
        other.raw.terminate();
        await reach(async () => (await caller.raw.call('sockets'))[0] === 1);
      }
    }),
  );

  for (const [where, name] of [
    ['listeners', 'place'],
    ['methods', 'method place'],
  ]) {
    it(
      `calls reach ${where} in order and are answered once when light and heavy load alternate`,
      TIMEOUT,
      hosted(['one'], async (host) => {
        const caller = await host.caller({ name });
        for (let i = 0; i < 4; i++) {
          await host.calm(caller);
          caller.send(300);
          await caller.answered(300);
          await host.rush(caller);
        }
        await caller.isAnswered(name === 'place' ? undefined : (result) => ({ result }));
      }),
    );
  }

  it(
    'calls of two servers are answered once when light and heavy load alternate',
    TIMEOUT,
    hosted(['two'], async (host) => {
      const first = await host.caller();
      const second = await host.caller({ server: 1 });
      for (let i = 0; i < 2; i++) {
        await host.calm(first, second);
        await host.rush(first, second);
        await host.calm(first);
        await Promise.all([host.rush(first), host.pace([second], 20)]);
        await host.calm(second);
        await Promise.all([host.pace([first], 20), host.rush(second)]);
      }
      await first.isAnswered();
      await second.isAnswered();
    }),
  );

  it(
    'calls at a high rate are answered once while it is tried how clients are served best',
    TIMEOUT,
    hosted(['one'], async (host) => {
      const callers = [];
      while (callers.length < 4) callers.push(await host.caller());
      for (const [underWay, seconds] of [
        [100, 1],
        [2, 0.6],
        [8, 0.6],
        [2, 0.6],
      ]) {
        const end = performance.now() + seconds * 1000;
        const isOver = () => performance.now() > end;
        await Promise.all(callers.map((caller) => caller.flood(underWay, isOver)));
        await host.pace(callers, 40);
      }
      await Promise.all(callers.map((caller) => caller.isAnswered()));
    }),
  );
});

describe('asynchronous context', () => {
  it(
    'a listener runs in the asynchronous context in which its server was created',
    TIMEOUT,
    hosted(['two'], async (host) => {
      const callers = [await host.caller(), await host.caller({ server: 1 })];
      const areKnown = async () => {
        for (const [server, name] of ['the first', 'the second'].entries()) {
          assert.deepEqual(await callers[server].raw.call('made for'), [name]);
        }
      };
      await areKnown();
      await host.calm(...callers);
      for (let i = 0; i < 5; i++) await areKnown();
    }),
  );
});

describe('a busy application while the event loop polls the sockets', () => {
  for (const [where, event] of [
    ['in a listener', 'block'],
    ['elsewhere', 'block outside'],
  ]) {
    it(
      `clients are read while the application is busy ${where}`,
      TIMEOUT,
      hosted(['one'], async (host) => {
        const caller = await host.caller();
        await host.calm(caller);
        await host.block(caller, event);
        await caller.raw.send('40/nowhere,');
        caller.send(50);
        // Without JavaScript, and what takes JavaScript is not answered yet.
        const first = await caller.raw.received.next(() => true);
        assert.equal(first, '44/nowhere,{"message":"Invalid namespace"}');
        assert.deepEqual(caller.raw.received.rest(), []);
        host.goOn();
        await caller.answered(50);
        await host.calm(caller);
        await caller.isAnswered();
      }),
    );
  }
});

if (IS_LINUX) {
  describe('an event loop under load', () => {
    it(
      'the I/O thread reads the clients while the event loop has much to do',
      TIMEOUT,
      hosted(['one'], async (host) => {
        const caller = await host.caller();
        await host.calm(caller);
        await caller.raw.send('42["work",true]');
        const check = limited('the I/O thread reads the clients');
        while ((await host.pace([caller], 40)) < 40) check();
        await caller.raw.send('42["work",false]');
        await host.calm(caller);
        await caller.isAnswered();
      }),
    );
  });
}

describe('exceptions while the event loop polls the sockets', () => {
  it(
    'an exception of a listener reaches the process once and all clients are still served',
    TIMEOUT,
    hosted(['one', 'catch'], async (host) => {
      const caller = await host.caller();
      const other = await host.caller();
      const control = await host.raw();
      const thrown = [];
      for (const how of ['throw', 'throw in a microtask', 'reject']) {
        await host.calm(caller, other);
        for (const which of ['first', 'second']) {
          await caller.raw.send(`42["${how}","${which}"]`);
          thrown.push(which);
          await caller.call();
          await other.call();
        }
        assert.deepEqual(await control.call('uncaught'), [thrown.length, thrown]);
      }
      await host.calm(caller, other);
      await caller.isAnswered();
      await other.isAnswered();
      assert.deepEqual(await control.call('uncaught'), [thrown.length, thrown]);
    }),
  );

  it(
    'an uncaught exception of a listener ends the process',
    TIMEOUT,
    hosted(['one'], async (host) => {
      const caller = await host.caller();
      await host.calm(caller);
      await caller.raw.send('42["throw","nobody cares"]');
      assert.match(await host.ends(1), /nobody cares/);
      await caller.raw.closed;
    }),
  );
});

describe('worker threads whose event loop polls the sockets', () => {
  for (const [what, end] of [
    ['can be terminated', ({ host }) => host.child.send('terminate')],
    [
      'can be terminated within a listener',
      async ({ host, caller }) => {
        const spins = message(host.child);
        await caller.raw.send('42["spin"]');
        assert.equal(await spins, 'spins');
        host.child.send('terminate');
      },
    ],
    ['can end itself within a listener', ({ caller }) => caller.raw.send('42["exit"]')],
    ['ends by itself when its server is closed', ({ caller }) => caller.raw.send('42["close"]')],
  ]) {
    it(
      `a worker thread that polls the sockets ${what} and another thread can serve then`,
      TIMEOUT,
      hosted(['worker'], async (host) => {
        const caller = await host.caller();
        await host.calm(caller);
        await end({ host, caller });
        assert.equal(await message(host.child), 'ended');
        await caller.raw.closed;
        await host.serve();
        const elsewhere = await host.caller({ server: 1 });
        await host.calm(elsewhere);
        await elsewhere.isAnswered();
        await elsewhere.raw.send('42["close"]');
        await host.ends();
      }),
    );
  }
});

if (IS_LINUX) {
  describe('leaving a server while the event loop polls its sockets', () => {
    it(
      'a thread that has left its server does not poll the sockets of the next one',
      TIMEOUT,
      hosted(['one', 'heir'], async (host) => {
        const caller = await host.caller();
        await host.calm(caller);
        await caller.raw.send('42["leave"]');
        host.ports.push(await message(host.child));
        const elsewhere = await host.caller({ server: 1 });
        await host.calm(elsewhere);
        const before = host.mainSleeps();
        await host.pace([elsewhere], 200);
        const sleeps = host.mainSleeps() - before;
        assert.ok(sleeps < 100, `in 200 calls the main thread slept ${sleeps} times`);
        await elsewhere.isAnswered();
      }),
    );
  });
}

describe('two threads with servers', () => {
  it(
    'the I/O thread reads the clients while two threads have servers, and the event loop again when one is left',
    TIMEOUT,
    hosted(['worker'], async (host) => {
      const [caller, elsewhere] = await host.serveBoth();
      await host.areReadByTheIoThread(caller, elsewhere);
      await caller.isAnswered();
      await caller.raw.send('42["close"]');
      await caller.raw.closed;
      await host.calm(elsewhere);
      await elsewhere.isAnswered();
    }),
  );

  it(
    'a busy thread does not delay the clients of another thread',
    TIMEOUT,
    hosted(['worker'], async (host) => {
      const [caller, elsewhere] = await host.serveBoth();
      const blocked = host.block(caller, 'block');
      for (let i = 0; i < 50; i++) await elsewhere.call();
      await blocked;
      await host.pace([elsewhere], 50);
      host.goOn();
      await caller.isAnswered();
      await elsewhere.isAnswered();
    }),
  );
});

describe('exiting while the event loop polls the sockets', () => {
  for (const [what, event] of [
    ['ends by itself when its server is closed', 'close'],
    ['can end itself within a listener', 'exit'],
  ]) {
    it(
      `a process whose event loop polls the sockets ${what}`,
      TIMEOUT,
      hosted(['one'], async (host) => {
        const caller = await host.caller();
        await host.calm(caller);
        await caller.raw.send(`42["${event}"]`);
        await host.ends();
        await caller.raw.closed;
      }),
    );
  }
});

describe('thousands of calls in flight', () => {
  for (const [name, what, expected] of [
    ['place', 'listeners that answer'],
    ['place and throw', 'listeners that answer and throw'],
    ['method throw', 'methods that throw', (at) => ({ error: `place ${at}` })],
  ]) {
    it(
      `thousands of calls in flight to ${what} are all answered and starve neither timers nor other clients`,
      TIMEOUT,
      hosted(['one', 'catch'], async (host) => {
        const caller = await host.caller({ name });
        const other = await host.caller();
        const control = await host.raw();
        await host.calm(other);
        let isServed = false;
        const others = (async () => {
          for (let i = 0; i < 20; i++) {
            await other.call();
            await control.call('timer');
          }
          isServed = true;
        })();
        await caller.flood(2000, () => isServed && caller.answers.length >= 8000);
        await others;
        await caller.isAnswered(expected);
        await other.isAnswered();
        const thrown = name === 'place and throw' ? caller.answers.length : 0;
        await reach(async () => (await control.call('uncaught'))[0] >= thrown);
        assert.equal((await control.call('uncaught'))[0], thrown);
      }),
    );
  }
});

describe('mocked immediates', () => {
  it(
    'an application whose immediates are mocked receives every message',
    TIMEOUT,
    hosted(['one', 'mock'], async (host) => {
      const caller = await host.caller();
      await caller.flood(2000, () => caller.answers.length >= 8000);
      await caller.isAnswered();
    }),
  );
});
