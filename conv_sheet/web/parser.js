"use strict";
// A formula's text as a tree.
//
// A tree belongs to the cell that the formula was written for, and to every cell that it is copied to: a reference
// that is not fixed by $ moves by the distance between the two (`down` rows and `right` columns). Where only a number
// differs from cell to cell, the text has a slot for it, `{0}`, and each cell has numbers of its own for the slots.

/** @typedef {{sheet: string | null, row: number, column: number, fixedRow: boolean, fixedColumn: boolean}} Address */
/**
 * @typedef {{kind: "value", value: Value}
 *   | {kind: "slot", place: number}
 *   | {kind: "cell", cell: Address}
 *   | {kind: "range", sheet: string | null, first: Address, last: Address}
 *   | {kind: "span", first: Tree, last: Tree}
 *   | {kind: "name", name: string}
 *   | {kind: "negative", of: Tree}
 *   | {kind: "percent", of: Tree}
 *   | {kind: "operation", sign: string, left: Tree, right: Tree}
 *   | {kind: "call", name: string, given: Tree[]}} Tree
 */

const COMPARISONS = ["=", "<>", "<", ">", "<=", ">="];
/** Operators from those that bind least to those that bind most. */
const LEVELS = [COMPARISONS, ["&"], ["+", "-"], ["*", "/"], ["^"]];

/** @param {string} formula its text without `=` @returns {Tree} */
function parse(formula) {
  return new Parser(tokens(formula)).whole();
}

class Parser {
  /** @param {Token[]} list */
  constructor(list) {
    this.list = list;
    this.next = 0;
  }

  /** @returns {Tree} */
  whole() {
    const tree = this.operation(0);
    if (this.next < this.list.length) throw new FormulaError("something is left over at its end");
    return tree;
  }

  /** The sign that comes next, or an empty text. */
  get sign() {
    const token = this.list[this.next];
    return token?.kind === "sign" ? token.value : "";
  }

  /** Whether a sign comes next, which is then read. @param {string} sign */
  takes(sign) {
    const found = this.sign === sign;
    if (found) this.next++;
    return found;
  }

  /** @param {string} sign */
  needs(sign) {
    if (!this.takes(sign)) throw new FormulaError(`a “${sign}” is missing`);
  }

  /** @param {number} level @returns {Tree} */
  operation(level) {
    const signs = LEVELS[level];
    if (!signs) return this.percent();
    let tree = this.operation(level + 1);
    while (signs.includes(this.sign)) {
      const sign = this.sign;
      this.next++;
      tree = { kind: "operation", sign, left: tree, right: this.operation(level + 1) };
    }
    return tree;
  }

  /** @returns {Tree} */
  percent() {
    let tree = this.signed();
    while (this.takes("%")) tree = { kind: "percent", of: tree };
    return tree;
  }

  /** In Excel a minus binds before a power: -2^2 is 4. @returns {Tree} */
  signed() {
    if (this.takes("+")) return this.signed();
    return this.takes("-") ? { kind: "negative", of: this.signed() } : this.reference();
  }

  /** @returns {Tree} */
  reference() {
    const first = this.primary();
    if (!this.takes(":")) return first;
    const last = this.primary();
    if (first.kind !== "cell" || last.kind !== "cell") return { kind: "span", first, last };
    return { kind: "range", sheet: first.cell.sheet, first: first.cell, last: last.cell };
  }

  /** @returns {Tree} */
  primary() {
    const token = this.list[this.next++];
    if (!token) throw new FormulaError("it ends too early");
    if (token.kind === "number" || token.kind === "text") return { kind: "value", value: token.value };
    if (token.kind === "cell") return { kind: "cell", cell: token };
    if (token.kind === "slot") return token;
    if (token.kind === "word") return this.word(token.value);
    if (token.value !== "(") throw new FormulaError(`“${token.value}” stands where a value is missing`);
    const inner = this.operation(0);
    this.needs(")");
    return inner;
  }

  /** @param {string} text @returns {Tree} */
  word(text) {
    const capitals = text.toUpperCase();
    if (this.takes("(")) return called(capitals, this.given());
    if (capitals === "TRUE" || capitals === "FALSE") return { kind: "value", value: capitals === "TRUE" };
    return { kind: "name", name: text };
  }

  /** What a function is given, up to its closing bracket. @returns {Tree[]} */
  given() {
    /** @type {Tree[]} */
    const list = [];
    if (this.takes(")")) return list;
    do list.push(this.sign === "," || this.sign === ")" ? { kind: "value", value: null } : this.operation(0));
    while (this.takes(","));
    this.needs(")");
    return list;
  }
}

/** A call of a function of the closed list, with as many arguments as it takes.
 * @param {string} name @param {Tree[]} given @returns {Tree} */
function called(name, given) {
  const [least, most] = argumentsOf(name);
  if (given.length < least || given.length > most) {
    throw new FormulaError(`${name} cannot take ${given.length} arguments`);
  }
  return { kind: "call", name, given };
}

/** How many arguments a function takes, at least and at most. @param {string} name @returns {[number, number]} */
function argumentsOf(name) {
  if (Object.hasOwn(SPECIAL, name)) return /** @type {[number, number]} */ (SPECIAL[name]);
  const known = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : null;
  if (!known) throw new FormulaError(`there is no function “${name}”`);
  return [known.least, known.most];
}

/** Every reference of a tree, in the order of its text. @param {Tree} tree @param {Tree[]} [found] @returns {Tree[]} */
function references(tree, found = []) {
  if (tree.kind === "cell" || tree.kind === "range" || tree.kind === "name") found.push(tree);
  else for (const part of partsOf(tree)) references(part, found);
  return found;
}

/** The references that INDEX chooses a cell from: a formula need not hear of the others. Where INDEX is one end of a
 * range,
 * it must. @param {Tree} tree @param {Set<Tree>} [found] @returns {Set<Tree>} */
function chosenFrom(tree, found = new Set()) {
  const [first] = tree.kind === "call" && tree.name === "INDEX" ? tree.given : [];
  if (first) found.add(first);
  if (tree.kind !== "span") for (const part of partsOf(tree)) chosenFrom(part, found);
  return found;
}

/** What a tree is made of. @param {Tree} tree @returns {Tree[]} */
function partsOf(tree) {
  if (tree.kind === "call") return tree.given;
  if (tree.kind === "operation") return [tree.left, tree.right];
  if (tree.kind === "span") return [tree.first, tree.last];
  return tree.kind === "negative" || tree.kind === "percent" ? [tree.of] : [];
}

const MOVING = /"(?:[^"]|"")*"|'(?:[^']|'')*'!|\{(\d+)\}|(\$?)\b([A-Z]{1,3})(\$?)(\d+)(?![\w(.])/g;

/** The text of a formula where it is copied to, `down` rows and `right` columns from where it was written.
 * @param {string} formula @param {{down: number, right: number, slots: number[]}} shift */
function shifted(formula, { down, right, slots }) {
  if (down === 0 && right === 0 && !slots.length) return formula;
  return formula.replace(MOVING, (...match) => {
    const [whole, slot, fixedColumn, column, fixedRow, row] = match;
    if (slot !== undefined) return String(slots[Number(slot)]).toUpperCase();
    if (column === undefined) return whole;
    const x = fixedColumn ? column : letters(columnNumber(column) + right);
    return `${fixedColumn}${x}${fixedRow}${fixedRow ? row : Number(row) + down}`;
  });
}
