'use strict';

const LoopbackSocket = require('loopback-socket');

module.exports = function (Book) {
  const sockets = LoopbackSocket.get('bookshop');

  /** `socket.emit('findBooks', { author, limit }, ({ error, result }) => …)` */
  Book.findBooks = function (socket, credentials, args) {
    const author = args?.author;
    return Book.find({
      where: typeof author === 'string' ? { author } : {},
      order: 'year ASC',
      limit: Math.min(Number(args?.limit) || 10, 100),
    });
  };
  sockets.defineMethod('findBooks', { model: Book, method: 'findBooks' });

  /** `socket.emit('addBook', { title, author, year }, …)`, with a node-style callback. */
  Book.addBook = function (socket, credentials, args, cb) {
    const { title, author, year } = args ?? {};
    Book.create({ title, author, year }, (err, book) => {
      if (err) return cb(err);
      socket.broadcast.emit('bookAdded', book.toJSON()); // only authenticated sockets hear it
      cb(null, book);
    });
  };
  sockets.defineMethod('addBook', { model: Book, method: 'addBook' });
};
