"use strict";
// A formula's text as its smallest parts.

/**
 * @typedef {{kind: "number", value: number}
 *   | {kind: "text", value: string}
 *   | {kind: "cell", sheet: string | null, row: number, column: number, fixedRow: boolean, fixedColumn: boolean}
 *   | {kind: "slot", place: number}
 *   | {kind: "word", value: string}
 *   | {kind: "sign", value: string}} Token
 */

/** A formula that cannot be read; its message says why. */
class FormulaError extends Error {}

/** Groups: 1 a text, 2 to 6 a cell (sheet, $, column, $, row), 7 a number, 8 a word, 9 a sign, 10 a slot. */
const PARTS = [
  /"((?:[^"]|"")*)"/,
  /(?:('(?:[^']|'')*'|[A-Za-z_][\w.]*)!)?(\$?)([A-Z]{1,3})(\$?)(\d+)(?![\w(.])/,
  /((?:\d+\.?\d*|\.\d+)(?:[Ee][-+]?\d+)?)/,
  /([A-Za-z_][\w.]*)/,
  /(<>|<=|>=|[-+*/^&=<>(),:%])/,
  /\{(\d+)\}/,
];
const TOKEN = new RegExp(`\\s*(?:${PARTS.map((part) => part.source).join("|")})`, "y");

/** @param {string} formula its text without `=` @returns {Token[]} */
function tokens(formula) {
  /** @type {Token[]} */
  const found = [];
  const end = formula.trimEnd().length;
  for (let start = 0; start < end; start = TOKEN.lastIndex) {
    TOKEN.lastIndex = start;
    const match = TOKEN.exec(formula);
    if (!match) throw new FormulaError(`cannot read “${formula.slice(start, start + 20)}”`);
    found.push(token(match));
  }
  return found;
}

/** @param {RegExpExecArray} match @returns {Token} */
function token([, text, sheet, fixedColumn, column, fixedRow, row, number, word, sign, slot]) {
  if (sign !== undefined) return { kind: "sign", value: sign };
  if (number !== undefined) return { kind: "number", value: Number(number) };
  if (word !== undefined) return { kind: "word", value: word };
  if (slot !== undefined) return { kind: "slot", place: Number(slot) };
  if (text !== undefined) return { kind: "text", value: text.replaceAll('""', '"') };
  return {
    kind: "cell",
    sheet: sheet === undefined ? null : title(sheet),
    row: Number(row),
    column: columnNumber(column ?? ""),
    fixedRow: fixedRow === "$",
    fixedColumn: fixedColumn === "$",
  };
}

/** A sheet's title as formulas write it, without its quotes. @param {string} text */
function title(text) {
  return text.startsWith("'") ? text.slice(1, -1).replaceAll("''", "'") : text;
}
