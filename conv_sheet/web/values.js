"use strict";
// What cells hold and formulas make, and how Excel takes one kind of value for another.

/** @typedef {number | string | boolean | null | Fault} Value what a cell holds; null where it is empty */
/** @typedef {Value | Area | Table} Result what a part of a formula makes */

/** An error as a value, such as `#DIV/0!`. */
class Fault {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }

  toString() {
    return this.text;
  }
}

const FAULT = {
  value: new Fault("#VALUE!"),
  reference: new Fault("#REF!"),
  zero: new Fault("#DIV/0!"),
  missing: new Fault("#N/A"),
  number: new Fault("#NUM!"),
  circle: new Fault("#CIRCLE!"),
};

/** A rectangle of cells of a sheet; rows and columns count from 1. */
class Area {
  /** @param {Sheet} sheet @param {number} top @param {number} left @param {number} bottom @param {number} right */
  constructor(sheet, top, left, bottom, right) {
    this.sheet = sheet;
    this.top = top;
    this.left = left;
    this.bottom = bottom;
    this.right = right;
  }

  get height() {
    return this.bottom - this.top + 1;
  }

  get width() {
    return this.right - this.left + 1;
  }

  get single() {
    return this.top === this.bottom && this.left === this.right;
  }

  /** @param {Sheet} sheet @param {number} row @param {number} column */
  holds(sheet, row, column) {
    return sheet === this.sheet && row >= this.top && row <= this.bottom && column >= this.left && column <= this.right;
  }

  /** Its address, as `B2:D4`. */
  get address() {
    const first = letters(this.left) + this.top;
    return this.single ? first : `${first}:${letters(this.right)}${this.bottom}`;
  }
}

/** Values in rows and columns that stand in no cell: what SUMPRODUCT makes on the way. */
class Table {
  /** @param {number} height @param {number} width @param {(row: number, column: number) => Value} value */
  constructor(height, width, value) {
    this.height = height;
    this.width = width;
    /** @type {Value[]} */
    this.values = new Array(height * width);
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) this.values[y * width + x] = value(y, x);
  }
}

/** Rows of what `one` makes of each place. @template T
 * @param {number} height @param {number} width @param {(y: number, x: number) => T} one @returns {T[][]} */
function rowsOf(height, width, one) {
  const along = (/** @type {number} */ length) => Array.from({ length }, (_, place) => place);
  return along(height).map((y) => along(width).map((x) => one(y, x)));
}

/** Letters of a column: 28 is AB. @param {number} column */
function letters(column) {
  let text = "";
  for (; column > 0; column = Math.floor((column - 1) / 26))
    text = String.fromCharCode(65 + ((column - 1) % 26)) + text;
  return text;
}

/** Number of a column: AB is 28. @param {string} text */
function columnNumber(text) {
  let column = 0;
  for (const letter of text) column = column * 26 + letter.charCodeAt(0) - 64;
  return column;
}

/** A value as arithmetic takes it: empty is 0, TRUE is 1, a text that is a number counts as one.
 * @param {Value} value @returns {number | Fault} */
function toNumber(value) {
  if (typeof value === "number") return value;
  if (value === null || value === false) return 0;
  if (value === true) return 1;
  if (value instanceof Fault) return value;
  return value.trim() !== "" && Number.isFinite(Number(value)) ? Number(value) : FAULT.value;
}

/** A value as a condition. @param {Value} value @returns {boolean | Fault} */
function toTruth(value) {
  if (typeof value === "boolean" || value instanceof Fault) return value;
  if (typeof value === "number") return value !== 0;
  return value === null ? false : FAULT.value;
}

/** A value as a text. @param {Value} value */
function toText(value) {
  if (value === null) return "";
  if (typeof value === "boolean") return value ? "TRUE" : "FALSE";
  return typeof value === "number" ? plainNumber(value) : String(value);
}

/** A number in 15 digits, as Excel joins it to a text. @param {number} value */
function plainNumber(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e21 || size < 1e-15)) return exponent(value);
  const text = String(Number(value.toPrecision(15)));
  return text.includes("e") ? Number(text).toFixed(20).replace(/0+$/, "") : text;
}

/** A number in 15 digits with an exponent of two: 1E-07. @param {number} value */
function exponent(value) {
  const [digits, power = "+0"] = Number(value.toPrecision(15)).toExponential().split("e");
  return `${digits}E${power[0]}${power.slice(1).padStart(2, "0")}`;
}

/** No number is larger than what a cell can hold. @param {number} value @returns {number | Fault} */
function finite(value) {
  return Number.isFinite(value) ? value : FAULT.number;
}

/** Numbers come before texts, texts before TRUE and FALSE. @param {number | string | boolean} value */
function rank(value) {
  return typeof value === "number" ? 0 : typeof value === "string" ? 1 : 2;
}

/** What an empty cell counts as beside another value.
 * @param {number | string | boolean | null} value @param {number | string | boolean | null} other */
function filled(value, other) {
  if (value !== null) return value;
  return typeof other === "string" ? "" : typeof other === "boolean" ? false : 0;
}

/** Below zero, zero, or above: how Excel orders two values; capitals do not count.
 * @param {number | string | boolean | null} left @param {number | string | boolean | null} right */
function compare(left, right) {
  let a = filled(left, right);
  let b = filled(right, left);
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (typeof a === "string" && typeof b === "string") [a, b] = [a.toLowerCase(), b.toLowerCase()];
  return a < b ? -1 : a > b ? 1 : 0;
}
