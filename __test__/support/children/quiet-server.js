'use strict';

// Servers in a process of their own, whose sockets do what their clients say. The argument says which:
// `one`, `two`, or `worker` for one in a worker thread. Behind it, `catch` has the process survive what
// listeners throw; with `mock` its immediates never come, as with a test framework's timers; with
// `heir` a worker begins a server when the main thread leaves its own. The parent process may have
// `terminate` end the worker, and `serve` begin a server in the main thread.

const { AsyncLocalStorage } = require('node:async_hooks');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const { Worker, isMainThread, parentPort } = require('node:worker_threads');
const LoopbackSocket = require('../../..');

const [STDIN, STDOUT] = [0, 1];

const uncaught = [];

function fail(message) {
  throw new Error(message);
}

/** Keeps this thread from everything else until the parent process writes a line. */
function block() {
  fs.writeSync(STDOUT, 'blocked\n');
  const line = Buffer.alloc(9);
  if (String(line.subarray(0, fs.readSync(STDIN, line))) !== 'go on\n') fail('not blocked');
}

/** Does nothing else for so many milliseconds. */
function pass(milliseconds) {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

let work;

let worker;

/** The next call's place among those of a socket. */
const place = (socket) => socket.data.place++;

/** What a client can ask for. */
const LISTENERS = {
  place(...args) {
    args.at(-1)(place(this));
  },
  'place and throw'(done) {
    done(place(this));
    fail('place and throw');
  },
  echo: (value, done) => done(value),
  timer: (done) => setTimeout(done, 0),
  throw: fail,
  'throw in a microtask': (message) => queueMicrotask(() => fail(message)),
  reject: async (message) => fail(message),
  uncaught: (done) => done(uncaught.length, uncaught.slice(0, 9)),
  block,
  'block outside': () => setImmediate(block),
  /** Keeps this thread busy nearly all of the time, or no longer. */
  work(isToWork) {
    clearInterval(work);
    if (isToWork) work = setInterval(() => pass(19), 20);
  },
  spin() {
    parentPort.postMessage('spins');
    for (;;);
  },
  exit: () => process.exit(0),
};

/** What is known wherever what a server was made for goes on. */
const madeFor = new AsyncLocalStorage();

/**
 * Makes a server; everybody may call the methods of its LoopbackSocket.
 * @returns {Promise<number>} its port
 */
function serve() {
  const httpServer = http.createServer();
  const io = new LoopbackSocket.Server(httpServer);
  const instance = new LoopbackSocket('quiet', 'none');
  instance.defineMethod('method place', place);
  instance.defineMethod('method throw', (socket) => {
    throw `place ${place(socket)}`;
  });
  instance.start(io);
  io.on('connection', (socket) => {
    socket.data.place = 0;
    for (const [name, listener] of Object.entries(LISTENERS)) socket.on(name, listener);
    socket.on('made for', (done) => done(madeFor.getStore()));
    socket.on('sockets', (done) => done(io.sockets.sockets.size));
    socket.on('leave', () => {
      io.close();
      serveInWorker().then((port) => process.send(port));
    });
    socket.on('close', () => {
      io.close();
      if (isMainThread) process.disconnect();
    });
  });
  return new Promise((resolve) => {
    httpServer.listen(0, '127.0.0.1', () => resolve(httpServer.address().port));
  });
}

/** @returns {Promise<void>} once there is a worker that will serve when it is told to */
async function makeWorker() {
  worker = new Worker(__filename);
  await once(worker, 'message');
}

/** @returns {Promise<number>} the port of a server in the worker */
async function serveInWorker() {
  worker.postMessage('serve');
  const [port] = await once(worker, 'message');
  worker.on('message', (told) => process.send(told));
  worker.once('exit', () => process.send('ended'));
  return port;
}

async function main() {
  const [, , servers, mode] = process.argv;
  if (mode === 'catch') process.on('uncaughtException', ({ message }) => uncaught.push(message));
  if (servers === 'worker' || mode === 'heir') await makeWorker();
  if (mode === 'mock') global.setImmediate = () => {};
  const serveFirst = servers === 'worker' ? serveInWorker : serve;
  const ports = [await madeFor.run('the first', serveFirst)];
  if (servers === 'two') ports.push(await madeFor.run('the second', serve));
  process.on('message', async (command) => {
    if (command === 'serve') process.send(await serve());
    if (command === 'terminate') worker.terminate();
  });
  process.send(ports);
}

if (isMainThread) main();
else {
  parentPort.once('message', async () => parentPort.postMessage(await serve()));
  parentPort.postMessage('waits');
}
