'use strict';

/**
 * One node of a cluster, a process of its own: an npm `socket.io` server or a native one, with an adapter, with or
 * without a LoopbackSocket. It does what the test process asks for over IPC, by the operations of `operations.js`,
 * and ends with that channel. Started by `Cluster`.
 */

const { OPERATIONS } = require('./operations');

process.on('message', async (message) => {
  // Node's `cluster` has messages of the adapter on the same channel.
  if (message?.scale !== 'request') return;
  const { id, operation, args } = message;
  try {
    const result = await OPERATIONS[operation](...args);
    process.send({ scale: 'answer', id, result });
  } catch (error) {
    const { message, stack, responses } = error;
    process.send({ scale: 'answer', id, error: { message, stack, responses } });
  }
});

process.on('disconnect', () => process.exit());
process.send({ scale: 'notice', event: 'ready', args: [] });
