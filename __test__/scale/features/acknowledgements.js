'use strict';

const assert = require('node:assert/strict');
const { connectFour, sorted } = require('./world');

/** Milliseconds for answers that come. */
const LONG = 5000;

/** Milliseconds for answers that do not: enough for those of other clients to arrive on a busy machine. */
const SHORT = 400;

/**
 * @param {import('../client').Client[]} clients
 * @returns {void} each answers with its number, and with what it was asked
 */
function answering(clients) {
  clients.forEach((client, number) => client.answers('question', (...args) => [number, ...args]));
}

/** @type {Record<string, import('.').Feature>} */
const FEATURES = {
  'A broadcast with a callback collects the answers of both nodes': async (world) => {
    answering(await connectFour(world));
    const result = await world.a.io().timeout(LONG).emitWithCallback('question', 'x');
    assert.equal(result.error, undefined);
    assert.deepEqual(
      sorted(result.responses),
      [0, 1, 2, 3].map((number) => [number, 'x']),
    );
  },

  'emitWithAck() of a broadcast collects the answers of both nodes': async (world) => {
    answering(await connectFour(world));
    const responses = await world.a.io().timeout(LONG).emitWithAck('question');
    assert.deepEqual(sorted(responses), [[0], [1], [2], [3]]);
  },

  'A broadcast to a room collects the answers of its members': async (world) => {
    const clients = await connectFour(world);
    answering(clients);
    await Promise.all([clients[1].join('room'), clients[2].join('room')]);
    const responses = await world.a.io().to('room').timeout(LONG).emitWithAck('question');
    assert.deepEqual(sorted(responses), [[1], [2]]);
  },

  'A broadcast to members on the other node only collects their answers': async (world) => {
    const clients = await connectFour(world);
    answering(clients);
    await clients[3].join('room');
    const responses = await world.a.io().to('room').timeout(LONG).emitWithAck('question');
    assert.deepEqual(responses, [[3]]);
  },

  'A broadcast with except() does not wait for those left out': async (world) => {
    const clients = await connectFour(world);
    answering(clients.filter((client, number) => number !== 2));
    const operator = world.a.io().except(clients[2].id).timeout(LONG);
    assert.equal((await operator.emitWithAck('question')).length, 3);
  },

  'A broadcast from a socket collects the answers of the others': async (world) => {
    const clients = await connectFour(world);
    answering(clients);
    const operator = world.a.socket(clients[0]).broadcast.timeout(LONG);
    assert.deepEqual(sorted(await operator.emitWithAck('question')), [[1], [2], [3]]);
  },

  'A broadcast that reaches nobody is answered with an empty list': async ({ a }) => {
    const operator = a.io().to('nowhere').timeout(LONG);
    assert.deepEqual(await operator.emitWithCallback('question'), {
      error: undefined,
      responses: [],
    });
  },

  'At its timeout a broadcast has the answers that came': async (world) => {
    const clients = await connectFour(world);
    answering(clients.filter((client, number) => number !== 2));
    const result = await world.a.io().timeout(SHORT).emitWithCallback('question');
    assert.equal(result.error, 'operation has timed out');
    assert.equal(result.responses.length, 3);
  },

  'emitWithAck() is rejected at its timeout with the answers that came': async (world) => {
    const clients = await connectFour(world);
    clients[3].answers('question', () => 'only this');
    await assert.rejects(world.a.io().timeout(SHORT).emitWithAck('question'), {
      message: 'operation has timed out',
      responses: ['only this'],
    });
  },

  'A client that leaves without an answer does not prevent the others': async (world) => {
    const clients = await connectFour(world);
    answering(clients.slice(0, 3));
    clients[3].socket.on('question', () => clients[3].socket.disconnect());
    const result = await world.a.io().timeout(SHORT).emitWithCallback('question');
    assert.equal(result.error, 'operation has timed out');
    assert.equal(result.responses.length, 3);
  },

  'A local broadcast with a callback collects the answers of its node': async (world) => {
    answering(await connectFour(world));
    const result = await world.a.io().local.timeout(SHORT).emitWithCallback('question');
    assert.equal(result.error, undefined);
    assert.deepEqual(sorted(result.responses), [[0], [1]]);
  },

  'Binary answers of both nodes arrive as they are': async (world) => {
    const [near, , far, other] = await connectFour(world);
    await Promise.all([near.join('room'), far.join('room'), other.join('other room')]);
    near.answers('question', (bytes) => bytes);
    far.answers('question', (bytes) => bytes);
    const bytes = Buffer.from([0, 1, 128, 255]);
    const operator = world.a.io().to('room').timeout(LONG);
    const answers = await operator.emitWithAck('question', bytes);
    assert.deepEqual(
      answers.map((answer) => Buffer.from(answer)),
      [bytes, bytes],
    );
  },

  'Two broadcasts with callbacks at once each get their own answers': async (world) => {
    const clients = await connectFour(world);
    answering(clients);
    const [first, second] = await world.a.atOnce((node) => [
      node.io().timeout(LONG).emitWithAck('question', 'first'),
      node.io().timeout(LONG).emitWithAck('question', 'second'),
    ]);
    const expected = (question) => [0, 1, 2, 3].map((number) => [number, question]);
    assert.deepEqual(sorted(first), expected('first'));
    assert.deepEqual(sorted(second), expected('second'));
  },

  'Both nodes can wait for answers of the same clients at once': async (world) => {
    answering(await connectFour(world));
    const ask = (node) => node.io().timeout(LONG).emitWithAck('question', node.name);
    const [first, second] = await Promise.all([ask(world.a), ask(world.b)]);
    const expected = (question) => [0, 1, 2, 3].map((number) => [number, question]);
    assert.deepEqual(sorted(first), expected(world.a.name));
    assert.deepEqual(sorted(second), expected(world.b.name));
  },
};

module.exports = { FEATURES };
