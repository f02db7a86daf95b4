'use strict';

/**
 * The program of the stand-in for MongoDB: `node server.js PORT DIRECTORY`. It speaks MongoDB's wire protocol
 * (`OP_MSG`, and `OP_QUERY` for the driver's first command), and knows the commands behind `insertOne`, `find`,
 * `findOne`, `findOneAndDelete` and `watch`.
 */

const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { BSON } = require('mongodb');
const { Collection } = require('./collection');
const { matches } = require('./matches');

/** https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/ */
const OP_REPLY = 1;
const OP_QUERY = 2004;
const OP_MSG = 2013;
const HEADER_BYTES = 16;
/** The flag of a command that wants no answer. */
const MORE_TO_COME = 2;

/** How long a change stream without events waits if the client does not say, in milliseconds. */
const AWAIT_TIME = 1_000;

/** What one batch of a cursor may hold, in bytes. */
const BATCH_BYTES = 8 * 1024 * 1024;

/** Every type stays what the client sent. */
const KEEP_TYPES = { promoteValues: false, promoteLongs: false, promoteBuffers: false };

/** An error that the driver reports with its code. */
class CommandError extends Error {
  /**
   * @param {number} code
   * @param {string} codeName
   * @param {string} message
   */
  constructor(code, codeName, message) {
    super(message);
    Object.assign(this, { code, codeName });
  }
}

/** @type {Map<string, Collection>} by `database.collection` */
const collections = new Map();
/** @type {Map<string, {name: string, pipeline: object[], position: number}>} the change streams by cursor id */
const streams = new Map();
let lastCursor = 0n;

/**
 * @param {string} name `database.collection`
 * @returns {Collection}
 */
function collectionNamed(name) {
  let collection = collections.get(name);
  if (!collection) collections.set(name, (collection = new Collection()));
  return collection;
}

/**
 * @param {string} directory
 * @returns {(entry: {name: string, document?: object, removed?: object}) => void} that writes an entry to the journal
 */
function openJournal(directory) {
  const file = path.join(directory, 'journal.bson');
  const journal = fs.existsSync(file) ? fs.readFileSync(file) : Buffer.alloc(0);
  let offset = 0;
  // The last entry may be incomplete after a crash.
  while (offset + 4 <= journal.length && offset + journal.readInt32LE(offset) <= journal.length) {
    const size = journal.readInt32LE(offset);
    const entry = BSON.deserialize(journal.subarray(offset, offset + size), KEEP_TYPES);
    const collection = collectionNamed(entry.name);
    if (entry.document) collection.insert(entry.document);
    else collection.find({ _id: entry.removed }).forEach((one) => collection.remove(one));
    offset += size;
  }
  const descriptor = fs.openSync(file, 'a');
  fs.ftruncateSync(descriptor, offset);
  return (entry) => fs.writeSync(descriptor, BSON.serialize(entry));
}

/**
 * @param {number} position of an insertion
 * @returns {{_data: string}} a resume token
 */
function resumeToken(position) {
  return { _data: position.toString(16).padStart(16, '0') };
}

/**
 * @param {object} stream
 * @returns {object[]} the events since its position, as many as a batch holds; it moves on
 */
function nextEvents(stream) {
  const collection = collectionNamed(stream.name);
  const dot = stream.name.indexOf('.');
  const ns = { db: stream.name.slice(0, dot), coll: stream.name.slice(dot + 1) };
  const events = [];
  let bytes = 0;
  while (stream.position < collection.end && bytes < BATCH_BYTES) {
    const fullDocument = collection.inserted(stream.position);
    stream.position += 1;
    if (!fullDocument) continue;
    const event = {
      _id: resumeToken(stream.position),
      operationType: 'insert',
      clusterTime: new BSON.Timestamp({ t: Math.floor(Date.now() / 1000), i: stream.position }),
      fullDocument,
      ns,
      documentKey: { _id: fullDocument._id },
    };
    if (!stream.pipeline.every((stage) => matches(event, stage.$match))) continue;
    events.push(event);
    bytes += BSON.calculateObjectSize(event);
  }
  return events;
}

/**
 * @param {string} name `database.collection`
 * @param {object} command an aggregation
 * @returns {object}
 */
function watch(name, command) {
  const [{ $changeStream: options }, ...pipeline] = command.pipeline;
  if (!options || pipeline.some((stage) => !stage.$match)) {
    throw new CommandError(40324, 'UnrecognizedStage', 'The stand-in only knows change streams');
  }
  const collection = collectionNamed(name);
  const token = options.resumeAfter ?? options.startAfter;
  const position = token ? Number.parseInt(token._data, 16) : collection.end;
  if (position < collection.begin || position > collection.end) {
    throw new CommandError(286, 'ChangeStreamHistoryLost', 'The resume token was not found');
  }
  const id = ++lastCursor;
  const stream = { name, pipeline, position };
  streams.set(String(id), stream);
  return {
    cursor: {
      id: BSON.Long.fromBigInt(id),
      ns: name,
      firstBatch: nextEvents(stream),
      postBatchResumeToken: resumeToken(stream.position),
    },
  };
}

/**
 * @param {object} command
 * @param {net.Socket} socket that waits for the answer
 * @returns {Promise<object>} once there are events, or none came in time
 */
async function getMore(command, socket) {
  const id = command.getMore;
  const stream = streams.get(id.toString());
  if (!stream) throw new CommandError(43, 'CursorNotFound', `Cursor ${id} was not found`);
  const collection = collectionNamed(stream.name);
  const deadline = Date.now() + Number(command.maxTimeMS?.valueOf() ?? AWAIT_TIME);
  let nextBatch = nextEvents(stream);
  while (nextBatch.length === 0 && Date.now() < deadline && !socket.destroyed) {
    await new Promise((resolve) => {
      const timer = setTimeout(done, deadline - Date.now());
      /** Something was inserted, nobody waits any more, or the time is over. */
      function done() {
        clearTimeout(timer);
        collection.off('insert', done);
        socket.off('close', done);
        resolve();
      }
      collection.once('insert', done);
      socket.once('close', done);
    });
    nextBatch = nextEvents(stream);
  }
  return {
    cursor: {
      id: streams.has(id.toString()) ? id : BSON.Long.ZERO,
      ns: stream.name,
      nextBatch,
      postBatchResumeToken: resumeToken(stream.position),
    },
  };
}

/** @returns {object} what the driver learns of the server */
function hello() {
  return {
    helloOk: true,
    ismaster: true,
    isWritablePrimary: true,
    maxBsonObjectSize: 16 * 1024 * 1024,
    maxMessageSizeBytes: 48_000_000,
    maxWriteBatchSize: 100_000,
    minWireVersion: 0,
    maxWireVersion: 21,
    readOnly: false,
  };
}

/**
 * @param {(entry: object) => void} record writes to the journal
 * @returns {Record<string, (command: object, name: string, socket: net.Socket) => object | Promise<object>>} the
 *   commands; `name` is the `database.collection` of one that has such
 */
function commands(record) {
  const nothing = () => ({});
  return {
    hello,
    ismaster: hello,
    isMaster: hello,
    ping: nothing,
    endSessions: nothing,
    create: nothing,
    createIndexes: nothing,
    insert(command, name) {
      for (const document of command.documents) {
        record({ name, document });
        collectionNamed(name).insert(document);
      }
      return { n: command.documents.length };
    },
    find(command, name) {
      const found = collectionNamed(name).find(command.filter ?? {}, command.sort);
      const limit = Number(command.limit?.valueOf() ?? 0);
      const firstBatch = limit ? found.slice(0, limit) : found;
      return { cursor: { id: BSON.Long.ZERO, ns: name, firstBatch } };
    },
    findAndModify(command, name) {
      if (!command.remove) throw new CommandError(72, 'InvalidOptions', 'It can only remove');
      const collection = collectionNamed(name);
      const [found] = collection.find(command.query, command.sort);
      if (found) {
        record({ name, removed: found._id });
        collection.remove(found);
      }
      return { value: found ?? null, lastErrorObject: { n: found ? 1 : 0 } };
    },
    aggregate: (command, name) => watch(name, command),
    getMore: (command, name, socket) => getMore(command, socket),
    killCursors(command) {
      for (const id of command.cursors) streams.delete(id.toString());
      return { cursorsKilled: command.cursors, cursorsNotFound: [], cursorsAlive: [] };
    },
  };
}

/**
 * @param {Buffer} message an `OP_MSG` without its header
 * @returns {{flags: number, command: object}}
 */
function decodeMessage(message) {
  const flags = message.readUInt32LE(0);
  let command = {};
  let offset = 4;
  while (offset < message.length) {
    const kind = message[offset];
    const size = message.readInt32LE(offset + 1);
    const section = message.subarray(offset + 1, offset + 1 + size);
    if (kind === 0) {
      command = { ...BSON.deserialize(section, KEEP_TYPES), ...command };
    } else {
      const nameEnd = section.indexOf(0, 4);
      const documents = [];
      let at = nameEnd + 1;
      while (at < section.length) {
        const length = section.readInt32LE(at);
        documents.push(BSON.deserialize(section.subarray(at, at + length), KEEP_TYPES));
        at += length;
      }
      command[section.toString('utf8', 4, nameEnd)] = documents;
    }
    offset += 1 + size;
  }
  return { flags, command };
}

/**
 * @param {number} opcode
 * @param {number} responseTo
 * @param {Buffer[]} parts
 * @returns {Buffer}
 */
function encode(opcode, responseTo, parts) {
  const header = Buffer.alloc(HEADER_BYTES);
  const length = parts.reduce((sum, part) => sum + part.length, HEADER_BYTES);
  [length, 0, responseTo, opcode].forEach((number, index) =>
    header.writeInt32LE(number, 4 * index),
  );
  return Buffer.concat([header, ...parts]);
}

/**
 * @param {object} known the commands
 * @param {object} command
 * @param {net.Socket} socket
 * @returns {Promise<Uint8Array>} the answer as BSON
 */
async function run(known, command, socket) {
  // The command's name is its first key; the sections of an `OP_MSG` may have brought another before it.
  const name = Object.keys(command).find((key) => Object.hasOwn(known, key));
  try {
    if (!name) {
      const list = Object.keys(command).join(', ');
      throw new CommandError(59, 'CommandNotFound', `The stand-in knows no command in: ${list}`);
    }
    const namespace = `${command.$db}.${command[name]}`;
    return BSON.serialize({ ...(await known[name](command, namespace, socket)), ok: 1 });
  } catch (err) {
    const { code = 1, codeName = 'InternalError', message } = err;
    return BSON.serialize({ ok: 0, errmsg: message, code, codeName });
  }
}

/**
 * Answers one message.
 * @param {object} known the commands
 * @param {Buffer} message
 * @param {net.Socket} socket
 */
async function answer(known, message, socket) {
  const requestId = message.readInt32LE(4);
  const opcode = message.readInt32LE(12);
  const body = message.subarray(HEADER_BYTES);
  if (opcode === OP_QUERY) {
    const documentStart = body.indexOf(0, 4) + 1 + 8;
    const command = BSON.deserialize(body.subarray(documentStart), KEEP_TYPES);
    const head = Buffer.alloc(20);
    head.writeInt32LE(1, 16);
    socket.write(encode(OP_REPLY, requestId, [head, await run(known, command, socket)]));
  } else if (opcode === OP_MSG) {
    const { flags, command } = decodeMessage(body);
    const document = await run(known, command, socket);
    if (flags & MORE_TO_COME) return;
    socket.write(encode(OP_MSG, requestId, [Buffer.alloc(5), document]));
  } else {
    socket.destroy();
  }
}

/**
 * @param {number} port
 * @param {string} directory
 */
function serve(port, directory) {
  const known = commands(openJournal(directory));
  const server = net.createServer((socket) => {
    socket.setNoDelay(true);
    socket.on('error', () => {});
    let received = Buffer.alloc(0);
    socket.on('data', (data) => {
      received = received.length === 0 ? data : Buffer.concat([received, data]);
      while (received.length >= 4 && received.length >= received.readInt32LE(0)) {
        const size = received.readInt32LE(0);
        answer(known, received.subarray(0, size), socket).catch(() => socket.destroy());
        received = received.subarray(size);
      }
    });
  });
  server.listen(port, '127.0.0.1', () => console.log('Waiting for connections'));
}

serve(Number(process.argv[2]), process.argv[3]);
