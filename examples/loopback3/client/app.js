/* global io */
'use strict';

// A page as LoopBack apps have them: logs in over REST, then authenticates its socket with the token.

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
}

element('login').addEventListener('submit', (event) => {
  event.preventDefault();
  const { email, password } = event.target.elements;
  logIn(email.value, password.value).then(openSocket, (error) => log(error.message));
});

for (const button of document.querySelectorAll('.call')) {
  button.addEventListener('click', () => {
    const { method, args } = button.dataset;
    if (!socket) return log('log in first');
    socket.emit(method, JSON.parse(args), (answer) => log(`${method} ${JSON.stringify(answer)}`));
  });
}
