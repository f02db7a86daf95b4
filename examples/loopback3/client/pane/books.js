// Books to add, most of which the shop does not have.

const BOOKS = [
  ['Emma', 'Jane Austen', 1815],
  ['Jane Eyre', 'Charlotte Brontë', 1847],
  ['Moby-Dick', 'Herman Melville', 1851],
  ['Walden', 'Henry David Thoreau', 1854],
  ['Adam Bede', 'George Eliot', 1859],
  ['Alice’s Adventures in Wonderland', 'Lewis Carroll', 1865],
  ['Little Women', 'Louisa May Alcott', 1868],
  ['Treasure Island', 'Robert Louis Stevenson', 1883],
  ['Dracula', 'Bram Stoker', 1897],
  ['Kim', 'Rudyard Kipling', 1901],
];

/**
 * @param {(title: string) => boolean} isThere - whether the shop has a book of this title
 * @returns {{ title: string, author: string, year: number }} one that it does not have, if there is one
 */
export function bookToAdd(isThere) {
  const [title, author, year] = BOOKS.find((book) => !isThere(book[0])) ?? BOOKS[0];
  return { title, author, year };
}
