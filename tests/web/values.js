"use strict";
// Every value of a page's data, as its engine calculates it: values.js <data.json>
const { readFileSync } = require("node:fs");
const { load } = require("./load.js");
const { Book } = load("Book");

const book = new Book(JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")));
/** @type {Record<string, unknown>} */
const values = {};
for (const sheet of book.sheets) {
  for (let row = 1; row <= sheet.rows; row++) {
    for (let column = 1; column <= sheet.columns; column++) {
      const value = sheet.value(row, column);
      if (value !== null) values[`${sheet.title} ${row},${column}`] = value.text ?? value;
    }
  }
}
process.stdout.write(JSON.stringify(values));
