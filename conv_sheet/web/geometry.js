"use strict";
// Where the cells of a sheet stand, in pixels at 100 %.

/** A character of the standard font and a column without a width, in pixels; a column's width counts characters. */
const CHARACTER = 7;
const USUAL_WIDTH = 64 / CHARACTER;
const USUAL_HEIGHT = 15;

class Geometry {
  /** @param {Sheet} sheet @param {boolean} [folded] without the rows that say what the page says beside the sheet */
  constructor(sheet, folded = false) {
    const { data } = sheet;
    this.sheet = sheet;
    this.firstRow = folded ? (data.board ?? 0) + 1 : 1;
    this.frozenRows = data.freeze?.[0] ?? 0;
    this.frozenColumns = data.freeze?.[1] ?? 0;
    /** Right edges of columns, from that of column 0 on. */
    this.x = edges(sheet.columns, data.width ?? USUAL_WIDTH, data.widths ?? [], CHARACTER);
    /** @type {[number, number, number][]} */
    const heights = [...(data.heights ?? []), [1, this.firstRow - 1, 0]];
    this.y = edges(sheet.rows, data.height ?? USUAL_HEIGHT, heights, 4 / 3);
    /** Merged cells by the key of their first one, and the keys of all others. @type {Map<number, Place>} */
    this.merged = new Map();
    /** @type {Map<number, number>} */
    this.covered = new Map();
    for (const place of data.merges ?? []) {
      const [row = 1, column = 1] = place;
      const first = sheet.key(row, column);
      eachPlace(place, (r, c) => this.covered.set(sheet.key(r, c), first));
      this.covered.delete(first);
      this.merged.set(first, place);
    }
  }

  /** The room of cells with all that is left of them, what is frozen, and what is above them, all of it or the label;
   * and how wide they are themselves. @param {Place} place @param {boolean} all */
  sizeWith(place, all) {
    const { x, y, frozenRows } = this;
    const { row, column, bottom, right } = spread(place);
    const above = all ? 0 : (y[frozenRows] ?? 0) - (y[Math.max(frozenRows, row - 2)] ?? 0);
    const width = x[right + 1] ?? 0;
    return { width, own: width - (x[column - 1] ?? 0), height: above + (y[bottom] ?? 0) + 8 };
  }

  /** The whole merged cell that a cell is part of, or the cell. @param {number} row @param {number} column
   * @returns {Area} */
  whole(row, column) {
    const { sheet } = this;
    const key = sheet.key(row, column);
    const place = this.merged.get(this.covered.get(key) ?? key);
    if (!place) return new Area(sheet, row, column, row, column);
    const { row: top, column: left, bottom, right } = spread(place);
    return new Area(sheet, top, left, bottom, right);
  }
}

/** @param {number} count @param {number} usual @param {[number, number, number][]} runs @param {number} unit */
function edges(count, usual, runs, unit) {
  const sizes = new Float64Array(count + 1).fill(Math.round(usual * unit));
  for (const [first, last, size] of runs) sizes.fill(Math.round(size * unit), first, Math.min(last, count) + 1);
  const ends = new Float64Array(count + 1);
  for (let k = 1; k <= count; k++) ends[k] = (ends[k - 1] ?? 0) + (sizes[k] ?? 0);
  return ends;
}

/** Which row or column a position is in, counted from 1. @param {Float64Array} ends @param {number} position */
function locate(ends, position) {
  let [low, high] = [0, ends.length - 1];
  while (low < high - 1) {
    const middle = (low + high) >> 1;
    if ((ends[middle] ?? 0) <= position) low = middle;
    else high = middle;
  }
  return low + 1;
}
