"use strict";
// Cells as the text that spreadsheet programs copy: a line a row, a tab between two cells.

/** @param {Value[][]} rows */
function toTsv(rows) {
  return rows.map((row) => row.map((value) => quotedField(toText(value))).join("\t")).join("\n");
}

/** @param {string} text */
function quotedField(text) {
  return /[\t\n\r"]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The texts of its cells, row by row. @param {string} text @returns {string[][]} */
function fromTsv(text) {
  /** @type {string[][]} */
  const rows = [];
  const body = text.replace(/\r\n?/g, "\n").replace(/\n$/, "");
  let row = [];
  for (const [, quoted, plain, end] of body.matchAll(/(?:"((?:[^"]|"")*)"(?=[\t\n]|$)|([^\t\n]*))(\t|\n|$)/g)) {
    row.push(quoted === undefined ? (plain ?? "") : quoted.replaceAll('""', '"'));
    if (end === "\t") continue;
    rows.push(row);
    row = [];
    if (end === "") break;
  }
  return rows;
}
