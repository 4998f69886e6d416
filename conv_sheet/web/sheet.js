"use strict";
// The cells of one sheet.

/** @typedef {{value: Value, formula: Formula | null}} Content */
/** @typedef {{row: number, column: number, down: number, right: number, slots: number[]}} Shift where a formula
 * stands, how
 *   far from the cell that it was written for, and the numbers for its slots */
/** @typedef {{formulas: Formula[], round: number, area: Area}} Reader all formulas that read one range */

const FRESH = 0;
const STALE = 1;
const BUSY = 2;
/** Empty rows and columns around what a sheet holds, free to type into. */
const FREE = { rows: 24, columns: 8 };

/** A formula that many cells share. Most are never asked for, so a pattern is compiled when it is. */
class Pattern {
  /** @param {string} text @param {Compiler} compiler */
  constructor(text, compiler) {
    this.text = text;
    this.compiler = compiler;
    this.tree = parse(text);
    const chosen = chosenFrom(this.tree);
    const all = references(this.tree).map((reference) => ({ reference, area: compiler.area(reference) }));
    /** All that the formula names, and what of it always counts: of what INDEX chooses from, only the chosen cell
     * does. */
    this.named = all.map(({ area }) => area);
    this.sources = all.filter(({ reference }) => !chosen.has(reference)).map(({ area }) => area);
    /** @type {Run | null} */
    this.compiled = null;
  }

  /** @type {Run} */
  get run() {
    return (this.compiled ??= this.compiler.any(this.tree));
  }
}

/** A formula in its cell; one with the key -1 stands in no cell, and colours one. */
class Formula {
  /** @param {Sheet} sheet @param {Pattern} pattern @param {Shift} at @param {number} key */
  constructor(sheet, pattern, at, key) {
    this.sheet = sheet;
    this.pattern = pattern;
    this.row = at.row;
    this.column = at.column;
    this.down = at.down;
    this.right = at.right;
    this.slots = at.slots;
    this.key = key;
    this.state = STALE;
    /** @type {Value} */
    this.value = null;
    /** The cells that INDEX has chosen so far. @type {Set<string> | null} */
    this.chosen = null;
  }

  /** Its text where it stands, without `=`. */
  get text() {
    return shifted(this.pattern.text, this);
  }
}

class Sheet {
  /** @param {Book} book @param {SheetData} data @param {number} number its place among all */
  constructor(book, data, number) {
    this.book = book;
    this.data = data;
    this.number = number;
    this.title = data.title;
    /** @type {{at: Place, formula?: string}[]} */
    this.blocks = data.blocks ?? [];
    const ends = [...this.blocks.map((block) => spread(block.at)), ...(data.merges ?? []).map(spread)];
    const singles = data.cells ?? [];
    this.filledRows = ends.reduce(
      (most, end) => Math.max(most, end.bottom),
      singles.reduce((m, c) => Math.max(m, c[0]), 1),
    );
    this.filledColumns = ends.reduce(
      (most, end) => Math.max(most, end.right),
      singles.reduce((m, c) => Math.max(m, c[1]), 1),
    );
    this.rows = this.filledRows + FREE.rows;
    this.columns = this.filledColumns + FREE.columns;
    const size = this.rows * this.columns + 1;
    /** Numbers by key, NaN where a cell holds something else: that is in `others`. */
    this.numbers = new Float64Array(size).fill(NaN);
    /** @type {Map<number, Value>} */
    this.others = new Map();
    this.states = new Uint8Array(size);
    this.styles = new Int16Array(size).fill(-1);
    /** @type {(Formula | undefined)[]} */
    this.formulas = new Array(size);
    /** Who reads a cell. @type {(Array<Formula | Reader> | undefined)[]} */
    this.readers = new Array(size);
    /** Who reads ranges of so many cells that a list in each of them would be long. @type {Reader[]} */
    this.wideReaders = [];
  }

  /** Place of a cell in the lists. @param {number} row @param {number} column */
  key(row, column) {
    return (row - 1) * this.columns + column - 1;
  }

  /** @param {number} row @param {number} column */
  has(row, column) {
    return row >= 1 && column >= 1 && row <= this.rows && column <= this.columns;
  }

  /** What a cell holds now, calculated where that is due. @param {number} row @param {number} column
   * @returns {Value} */
  value(row, column) {
    if (!this.has(row, column)) return null;
    const key = this.key(row, column);
    const state = this.states[key];
    if (state === BUSY) return FAULT.circle;
    if (state === STALE) this.calculate(key);
    return this.stored(key);
  }

  /** @param {number} key @returns {Value} */
  stored(key) {
    const number = this.numbers[key] ?? NaN;
    return number === number ? number : (this.others.get(key) ?? null);
  }

  /** @param {number} key @param {Value} value */
  store(key, value) {
    const number = typeof value === "number";
    this.numbers[key] = number ? value : NaN;
    if (number || value === null) this.others.delete(key);
    else this.others.set(key, value);
  }

  /** @param {number} key */
  calculate(key) {
    const formula = this.formulas[key];
    if (!formula) return;
    this.states[key] = BUSY;
    this.store(key, this.book.run(formula));
    this.states[key] = FRESH;
  }

  /** The same sheet with every cell of a range calculated, and where the range ends on it. @param {Area} area */
  fresh(area) {
    const [right, bottom] = [Math.min(area.right, this.columns), Math.min(area.bottom, this.rows)];
    for (let row = area.top; row <= bottom; row++) {
      const start = this.key(row, 0);
      for (let key = start + area.left; key <= start + right; key++) {
        if (this.states[key] === STALE) this.calculate(key);
        else if (this.states[key] === BUSY) this.store(key, FAULT.circle);
      }
    }
    return { sheet: this, right };
  }

  /** @param {number} row @param {number} column */
  formula(row, column) {
    return this.has(row, column) ? (this.formulas[this.key(row, column)] ?? null) : null;
  }

  /** @param {number} row @param {number} column @returns {Content} */
  content(row, column) {
    const formula = this.formula(row, column);
    return { formula, value: formula ? null : this.value(row, column) };
  }

  /** @param {number} row @param {number} column */
  style(row, column) {
    const number = this.has(row, column) ? (this.styles[this.key(row, column)] ?? -1) : -1;
    return number < 0 ? null : (this.book.styles[number] ?? null);
  }

  /** The block that a cell belongs to. @param {number} row @param {number} column */
  blockAt(row, column) {
    return this.blocks.find(({ at }) => {
      const place = spread(at);
      const [y, x] = [(row - place.row) / place.rowStep, (column - place.column) / place.columnStep];
      return Number.isInteger(y) && Number.isInteger(x) && y >= 0 && x >= 0 && y < place.height && x < place.width;
    });
  }
}
