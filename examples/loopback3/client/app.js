/* global io */
'use strict';

// A page as LoopBack apps have them: logs in over REST, then authenticates its socket with the token. Its
// list of books is live: it follows the changes of the model.

const element = (id) => document.getElementById(id);
const log = (text) => element('log').prepend(`${text}\n`);
let socket = null;

async function logIn(email, password) {
  const response = await fetch('/api/Customers/login', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, password }),
  });
  const body = await response.json();
  if (!response.ok) throw new Error(body.error.message);
  return body;
}

function openSocket(token) {
  socket?.disconnect();
  socket = io();
  const show = (state) => (element('state').value = state);
  socket.on('connect', () => socket.emit('authentication', { id: token.id, userId: token.userId }));
  socket.on('authenticated', () => show('authenticated'));
  socket.on('unauthorized', (error) => show(`refused: ${error.message}`));
  socket.on('disconnect', (reason) => show(`disconnected: ${reason}`));
  socket.on('bookAdded', (book) => log(`bookAdded ${JSON.stringify(book)}`));
  followBooks(socket);
}

/** Keeps the list of books up to date, also after the connection was lost. */
function followBooks(socket) {
  let books = new Map();
  let missed = null; // changes that come before the list that they are to be applied to

  function apply({ type, target, data }) {
    if (target === undefined) return load(); // many books at once
    if (type === 'remove') books.delete(target);
    else books.set(target, { ...books.get(target), ...data });
  }

  function load() {
    missed ??= [];
    socket.emit('Book.find', {}, ({ error, result }) => {
      if (error) return log(`Book.find ${JSON.stringify(error)}`);
      books = new Map(result.map((book) => [book.id, book]));
      const changes = missed ?? [];
      missed = null;
      changes.forEach(apply);
      showBooks([...books.values()]);
    });
  }

  socket.on('Book.changes', (change, meta, acknowledge) => {
    if (acknowledge) acknowledge(); // asked for from time to time, so that we are sent no more than we take
    if (missed) return missed.push(change);
    apply(change);
    showBooks([...books.values()]);
  });
  socket.on('loopback:unsubscribed', ({ reason }) => log(`no more changes: ${reason}`));
  socket.on('authenticated', () => {
    missed = [];
    socket.emit('Book.changes', {}, ({ error }) => {
      if (error) return log(`Book.changes ${JSON.stringify(error)}`);
      load();
    });
  });
}

function showBooks(books) {
  const items = books
    .sort((a, b) => a.year - b.year)
    .map(({ title, author, year }) => {
      const item = document.createElement('li');
      item.textContent = `${title}, ${author} (${year})`;
      return item;
    });
  element('books').replaceChildren(...items);
}

/** Calls a method of the socket and logs the answer. */
function call(method, args) {
  if (!socket) return log('log in first');
  socket.emit(method, args, (answer) => log(`${method} ${JSON.stringify(answer)}`));
}

element('login').addEventListener('submit', (event) => {
  event.preventDefault();
  const { email, password } = event.target.elements;
  logIn(email.value, password.value).then(openSocket, (error) => log(error.message));
});

element('add').addEventListener('submit', (event) => {
  event.preventDefault();
  const { title, author, year } = event.target.elements;
  call('addBook', { title: title.value, author: author.value, year: year.valueAsNumber });
});

for (const button of document.querySelectorAll('.call')) {
  button.addEventListener('click', () => {
    call(button.dataset.method, JSON.parse(button.dataset.args));
  });
}
