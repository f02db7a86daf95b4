// A visit to the bookshop: a clerk watches the orders of a shop while a customer orders.
//
//   node client.mjs [http://127.0.0.1:3000]

import { client } from 'loopback-socket/client';
import { io } from 'socket.io-client';

const url = process.argv[2] ?? 'http://127.0.0.1:3000';

/** A client that logs in over REST whenever it has to authenticate. */
function visitor(email, password) {
  const credentials = async () => {
    const response = await fetch(`${url}/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email, password }),
    });
    return response.json(); // { token }
  };
  return client(io(url), { credentials });
}

const ada = visitor('ada@example.com', 'enchantress');
const grace = visitor('grace@example.com', 'nanosecond');

const orders = grace.subscribe('orders', { shop: 'York' });
const watching = (async () => {
  for await (const order of orders) {
    console.log('Grace sees: %d × %s for %s', order.copies, order.book, order.customer);
    if (order.book === 'Middlemarch') break;
  }
})();

await orders.ready;
for (const book of ['Frankenstein', 'Emma', 'Middlemarch']) {
  const { id } = await ada.call('orders.create', { book, shop: 'York' });
  console.log('Ada has ordered: %s (order %d)', book, id);
}
await watching;

try {
  for await (const order of ada.subscribe('orders', { shop: 'York' })) console.log(order);
} catch (error) {
  console.log('Ada may not watch them: %s (%d)', error.message, error.error.statusCode);
}

for (const { socket } of [ada, grace]) socket.disconnect();
