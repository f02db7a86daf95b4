'use strict';

/**
 * An application that instruments socket.io, as the documentation of OpenTelemetry says: before it requires it. Prints
 * its spans, and what its clients got. With the argument `ours` it also has our instrumentation.
 */

const { registerInstrumentations } = require('@opentelemetry/instrumentation');
const { SocketIoInstrumentation } = require('@opentelemetry/instrumentation-socket.io');
const {
  InMemorySpanExporter,
  NodeTracerProvider,
  SimpleSpanProcessor,
} = require('@opentelemetry/sdk-trace-node');

const exporter = new InMemorySpanExporter();
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
provider.register();
const instrumentations = [new SocketIoInstrumentation()];
if (process.argv[2] === 'ours') {
  const { LoopbackSocketInstrumentation } = require('loopback-socket/otel');
  instrumentations.push(new LoopbackSocketInstrumentation());
}
registerInstrumentations({ instrumentations });

const { once } = require('node:events');
const http = require('node:http');
const LoopbackSocket = require('loopback-socket');
const socketIo = require('socket.io');
const connect = require('client');

/** How long the slow method takes, in ms. */
const SLOW = 50;

/**
 * @returns {Promise<object>} what is printed
 */
async function main() {
  const httpServer = http.createServer();
  const io = socketIo.Server === undefined ? socketIo(httpServer) : new socketIo.Server(httpServer);
  const runs = [];
  const sockets = LoopbackSocket.get('shop', 'none');
  sockets.defineMethod('slow', async () => {
    runs.push('slow');
    await new Promise((resolve) => setTimeout(resolve, SLOW));
    return 'done';
  });
  sockets.defineMethod('fail', async () => {
    throw new TypeError('oops');
  });
  sockets.defineMethod('bigint', () => 1n);
  sockets.defineMethod('wait', () => new Promise(() => {}), { timeout: 60_000 });
  sockets.start(io);
  io.on('connection', (socket) => {
    socket.on('own', (answer) => answer('own'));
    socket.on('disconnect', () => socket.emit('late'));
  });
  httpServer.listen(0);
  await once(httpServer, 'listening');

  const client = connect(`http://localhost:${httpServer.address().port}`, {
    transports: ['websocket'],
    reconnection: false,
  });
  const next = (event) => new Promise((resolve) => client.once(event, resolve));
  const call = (name, ...args) => new Promise((resolve) => client.emit(name, ...args, resolve));
  await next('connect');
  const answers = [];
  for (let i = 0; i < 2; i++) {
    // Twice: methods are bound again, and each call runs once all the same.
    const authenticated = next('authenticated');
    client.emit('authentication', { token: 'open sesame' });
    await authenticated;
  }
  answers.push(await call('slow', 1), await call('fail', 1), await call('own'));
  answers.push((await call('bigint', 1)).error.code);
  const waiting = call('wait', 1, { call: 'the call' });
  answers.push(await call('loopback:cancel', 'the call'));
  answers.push((await waiting).error.code);
  const all = next('all');
  io.emit('all', 1);
  await all;
  const [socket] = [...(io.sockets.sockets.values?.() ?? Object.values(io.sockets.sockets))];
  const left = new Promise((resolve) => socket.on('disconnect', resolve));
  client.close();
  await left;
  await provider.forceFlush();
  io.close();
  return {
    isNative: io instanceof LoopbackSocket.Server,
    answers,
    runs,
    spans: exporter.getFinishedSpans().map((span) => ({
      name: `${span.name} ${span.attributes['messaging.socket.io.event_name']}`,
      error: span.status.message,
      ms: span.duration[0] * 1e3 + span.duration[1] / 1e6,
      id: span.spanContext().spanId,
      parent: span.parentSpanContext?.spanId,
    })),
  };
}

main().then(
  (found) => {
    process.stdout.write(JSON.stringify(found), () => process.exit());
  },
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
