'use strict';

// The page of the LoopBack 3 example: its list of books follows the changes of the model.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { describe, it } = require('node:test');
const vm = require('node:vm');
const { io: connectTo } = require('socket.io-client');

const EXAMPLE = path.join(__dirname, '..', '..', 'examples', 'loopback3');

/** An element of the page, as far as the page's script uses it. */
class Element {
  value = '';
  items = [];
  log = '';
  #listeners = new Map();
  /** Called when the element has changed. */
  changed = () => {};

  addEventListener(type, listener) {
    this.#listeners.set(type, listener);
  }

  /** The user submits the form that this is. */
  submit(elements) {
    this.#listeners.get('submit')({ preventDefault() {}, target: { elements } });
  }

  prepend(text) {
    this.log = text + this.log;
  }

  replaceChildren(...items) {
    this.items = items.map(({ textContent }) => textContent);
    this.changed();
  }
}

/**
 * Opens the page.
 *
 * @param {import('node:test').TestContext} t the test
 * @param {string} url where the example is served
 * @returns {{element: (id: string) => Element, lists: (count: number) => Promise<string[]>}} its elements, and
 *   what waits for a number of books
 */
function openPage(t, url) {
  const elements = new Map();
  const element = (id) => {
    if (!elements.has(id)) elements.set(id, new Element());
    return elements.get(id);
  };
  const context = {
    document: { getElementById: element, createElement: () => ({}), querySelectorAll: () => [] },
    fetch: (where, options) => {
      const headers = { ...options.headers, connection: 'close' };
      return fetch(url + where, { ...options, headers });
    },
    io() {
      const socket = connectTo(url, { forceNew: true, reconnectionDelay: 10 });
      t.after(() => socket.close());
      return socket;
    },
  };
  const file = path.join(EXAMPLE, 'client', 'app.js');
  vm.runInNewContext(fs.readFileSync(file, 'utf8'), context, { filename: file });
  const lists = async (count) => {
    const books = element('books');
    while (books.items.length !== count) {
      await new Promise((resolve) => {
        books.changed = resolve;
      });
    }
    return books.items;
  };
  return { element, lists };
}

describe('the page of the LoopBack 3 example', { timeout: 60_000 }, () => {
  it('the list of books on the page follows what other clients add, change and remove', async (t) => {
    const app = require(path.join(EXAMPLE, 'server', 'server'));
    app.set('port', 0);
    if (!app.booted) await once(app, 'booted');
    await once(app.start(), 'listening');
    t.after(
      () =>
        new Promise((resolve) => {
          app.close(resolve);
        }),
    );
    const url = app.get('url').replace(/\/$/, '');
    const { Book } = app.models;

    const pages = [openPage(t, url), openPage(t, url)];
    for (const { element } of pages) {
      const [email, password] = ['ada@example.com', 'enchantress'];
      element('login').submit({ email: { value: email }, password: { value: password } });
    }
    for (const { lists } of pages) {
      assert.equal((await lists(4))[0], 'Frankenstein, Mary Shelley (1818)');
    }

    const [adder, watcher] = pages;
    const book = { title: 'Adam Bede', author: 'George Eliot', year: 1859 };
    adder.element('add').submit({
      title: { value: book.title },
      author: { value: book.author },
      year: { valueAsNumber: book.year },
    });
    assert.deepEqual((await watcher.lists(5)).slice(2, 3), ['Adam Bede, George Eliot (1859)']);
    await adder.lists(5);

    await Book.deleteById(1);
    assert.equal((await watcher.lists(4))[0], 'The Last Man, Mary Shelley (1826)');
    await Book.destroyAll({ author: 'George Eliot' });
    assert.equal((await watcher.lists(2)).at(-1), 'The Time Machine, H. G. Wells (1895)');
    await adder.lists(2);
    assert.equal(watcher.element('state').value, 'authenticated');
  });
});
