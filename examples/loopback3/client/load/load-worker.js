// Opens many sockets and calls a method over them, away from the thread that draws the page. WebSockets
// only: a browser opens six connections to a host for HTTP, too few for the polls of a hundred sockets.

import { io } from '/socket.io/socket.io.esm.min.js';
import { client } from '/vendor/loopback-socket.mjs';
import { within } from '../waiting.js';

/** How many sockets are opened at a time. */
const BATCH = 10;

/** How often durations are reported, in ms. */
const REPORT = 250;

/** How long a socket may take to authenticate, in ms. */
const TIMEOUT = 15_000;

let sockets = [];
let durations = [];
let timer;
let isRunning = false;

async function open(url, credentials) {
  const socket = io(url, { transports: ['websocket'], forceNew: true, reconnection: false });
  sockets.push(socket);
  const helper = client(socket, { credentials });
  try {
    await within(helper.ready, TIMEOUT, 'A socket has not authenticated in time.');
  } finally {
    helper.close(); // calls are made without it: its promises would be part of what is measured
  }
  socket.on('disconnect', (reason) => fail(new Error(`The connections were lost: ${reason}.`)));
  return socket;
}

function fail(error) {
  if (!isRunning) return;
  stop();
  postMessage({ type: 'failed', message: error.message });
}

/** Calls over one socket: again when the last call is answered, or at intervals. */
function call(socket, method, args, interval) {
  const send = () => {
    if (!isRunning) return;
    const begun = performance.now();
    socket.emit(method, args, (answer) => {
      if (answer?.error !== undefined) return fail(new Error(JSON.stringify(answer.error)));
      const time = performance.now() - begun;
      durations.push(time);
      if (interval === 0) send();
      else setTimeout(send, Math.max(0, interval - time));
    });
  };
  setTimeout(send, Math.random() * interval);
}

async function run({ url, credentials, count, rate, method, args }) {
  isRunning = true;
  while (sockets.length < count && isRunning) {
    const batch = Array.from({ length: Math.min(BATCH, count - sockets.length) }, () =>
      open(url, credentials),
    );
    await Promise.all(batch);
    postMessage({ type: 'opened', count: sockets.length });
  }
  if (!isRunning) return;
  postMessage({ type: 'started' });
  timer = setInterval(() => {
    postMessage({ type: 'calls', durations });
    durations = [];
  }, REPORT);
  const interval = rate === 0 ? 0 : (1000 * count) / rate;
  for (const socket of sockets) call(socket, method, args, interval);
}

function stop() {
  isRunning = false;
  clearInterval(timer);
  for (const socket of sockets) socket.disconnect();
  sockets = [];
}

addEventListener('message', ({ data }) => {
  if (data.type === 'run') run(data).catch(fail);
});
