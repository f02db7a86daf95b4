'use strict';

/** Fills the memory datasource: two customers and a few books. */
module.exports = async function (app) {
  const { Customer, Book } = app.models;
  await Customer.create({ name: 'Ada', email: 'ada@example.com', password: 'enchantress' });
  await Customer.create({ name: 'Grace', email: 'grace@example.com', password: 'nanosecond' });
  await Book.create([
    { title: 'Frankenstein', author: 'Mary Shelley', year: 1818 },
    { title: 'The Last Man', author: 'Mary Shelley', year: 1826 },
    { title: 'Middlemarch', author: 'George Eliot', year: 1871 },
    { title: 'The Time Machine', author: 'H. G. Wells', year: 1895 },
  ]);
};
