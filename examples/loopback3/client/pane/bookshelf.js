// The books of the shop, kept up to date by the subscription Book.changes.

import { h } from '../dom.js';

export class Bookshelf {
  #list;
  #books = new Map();
  #connection;

  /**
   * @param {HTMLUListElement} list
   * @param {import('./connection.js').Connection} connection
   */
  constructor(list, connection) {
    this.#list = list;
    this.#connection = connection;
  }

  /**
   * Follows the books until the client is closed. The helper subscribes again after a lost connection.
   * @returns {Promise<void>}
   */
  async follow() {
    const { client } = this.#connection;
    const load = async () => {
      const books = await client.call('Book.find', {});
      this.#books = new Map(books.map((book) => [book.id, book]));
      this.#show();
    };
    const changes = client.subscribe('Book.changes', {}, { onGap: load });
    await changes.ready;
    await load(); // after subscribing, so that no change is missed in between
    for await (const { type, target, data } of changes) {
      if (target === undefined) {
        await load(); // many books at once
        continue;
      }
      if (type === 'remove') this.#books.delete(target);
      else this.#books.set(target, { ...this.#books.get(target), ...data });
      this.#show(target);
    }
  }

  /**
   * @param {string} title
   * @returns {boolean} whether there is a book of this title
   */
  has(title) {
    return [...this.#books.values()].some((book) => book.title === title);
  }

  /** Empties the shelf. */
  clear() {
    this.#books.clear();
    this.#list.replaceChildren();
  }

  #show(changed) {
    const items = [...this.#books.values()]
      .sort((a, b) => a.year - b.year)
      .map(({ id, title, author, year }) =>
        h(
          'li',
          { className: id === changed ? 'fresh' : '' },
          h('span', { className: 'title' }, title),
          h('span', { className: 'muted' }, `${author}, ${year}`),
        ),
      );
    this.#list.replaceChildren(...items);
  }
}
