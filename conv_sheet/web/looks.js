"use strict";
// What cells look like beyond their style: colour scales, marks, verdicts and palettes. All of them follow the numbers.

/** @typedef {{fill: string, color: string, line: string, hatch: string}} Look colours; empty where the style counts */
/** @typedef {(value: Value, row: number, column: number) => Partial<Look> | null} Painter */

class Looks {
  /** @param {Book} book @param {Colours} colours */
  constructor(book, colours) {
    this.book = book;
    this.colours = colours;
    /** By sheet and cell, what paints it, the first that does first. @type {Map<Sheet, Map<number, Painter[]>>} */
    this.painters = new Map(book.sheets.map((sheet) => [sheet, new Map()]));
    for (const sheet of book.sheets) this.add(sheet);
  }

  /** @param {Sheet} sheet */
  add(sheet) {
    const { marks = [], verdicts = [], palettes = [], scales = [] } = sheet.data;
    for (const { blocks, formula, fill, line, color, hatch } of marks) {
      this.paint(sheet, blocks, this.conditional(sheet, blocks[0] ?? [], formula, { fill, line, color, hatch }, null));
    }
    const good = { fill: SHEET.good, color: SHEET.goodText };
    const bad = { fill: SHEET.bad, color: SHEET.badText };
    for (const { at, formula } of verdicts) this.paint(sheet, [at], this.conditional(sheet, at, formula, good, bad));
    for (const { blocks, colours } of palettes) {
      const fills = colours.map((colour) => css(fromHex(colour))); // of a picture: it is the same at night
      this.paint(sheet, blocks, (value) => {
        const fill = typeof value === "number" ? fills[value] : undefined;
        return fill === undefined ? null : { fill };
      });
    }
    for (const scale of scales) this.paint(sheet, scale.blocks, this.scale(sheet, scale));
  }

  /** @param {Sheet} sheet @param {Place[]} blocks @param {Painter} painter */
  paint(sheet, blocks, painter) {
    const cells = this.painters.get(sheet);
    for (const block of blocks) {
      eachPlace(block, (row, column) => {
        const key = sheet.key(row, column);
        const list = cells?.get(key);
        if (list) list.push(painter);
        else cells?.set(key, [painter]);
      });
    }
  }

  /** @param {Sheet} sheet @param {Place} first @param {string} formula
   * @param {Partial<Look>} yes @param {Partial<Look> | null} no @returns {Painter} */
  conditional(sheet, first, formula, yes, no) {
    const test = isSteady(this.book.pattern(sheet, formula).tree)
      ? this.steadyTest(sheet, formula)
      : this.movingTest(sheet, first, formula);
    return (_, row, column) => this.coloured(test(row, column) ? yes : no);
  }

  /** A test of which each cell has its own, as its references move.
   * @param {Sheet} sheet @param {Place} first @param {string} formula */
  movingTest(sheet, [top = 1, left = 1], formula) {
    /** @type {Map<number, Formula>} */
    const watched = new Map();
    return (/** @type {number} */ row, /** @type {number} */ column) => {
      const key = sheet.key(row, column);
      let test = watched.get(key);
      if (!test) {
        const at = { row, column, down: row - top, right: column - left, slots: NONE };
        watched.set(key, (test = this.book.watch(sheet, formula, at)));
      }
      return toTruth(this.book.watched(test)) === true;
    };
  }

  /** A test that reads the same cells everywhere: what all cells made of it counts until one of these changes.
   * @param {Sheet} sheet @param {string} formula */
  steadyTest(sheet, formula) {
    /** @type {Map<number, boolean>} */
    const made = new Map();
    const watched = this.book.watch(sheet, formula, here(1, 1));
    return (/** @type {number} */ row, /** @type {number} */ column) => {
      if (watched.state === STALE) {
        made.clear();
        watched.state = FRESH;
      }
      const key = sheet.key(row, column);
      let truth = made.get(key);
      if (truth === undefined) {
        truth = toTruth(oneValue(watched.pattern.run(here(row, column)))) === true;
        made.set(key, truth);
      }
      return truth;
    };
  }

  /** @param {Partial<Look> | null} look @returns {Partial<Look> | null} */
  coloured(look) {
    if (!look) return null;
    const shades = Object.entries(look).filter(([, colour]) => colour);
    return Object.fromEntries(shades.map(([part, colour]) => [part, this.colours.of(colour)]));
  }

  /** @param {Sheet} sheet @param {ScaleData} scale @returns {Painter} */
  scale(sheet, { blocks, high, low, top }) {
    const formula = typeof top === "string" ? top : `MAX(${blocks.map(blockAddress).join(",")})`;
    /** @type {Formula | null} */
    let watched = null;
    return (value) => {
      if (typeof value !== "number") return null;
      if (typeof top === "number") return { fill: this.colours.scaled(value, top, high, low) };
      const most = toNumber(this.book.watched((watched ??= this.book.watch(sheet, formula, here(1, 1)))));
      return { fill: this.colours.scaled(value, most instanceof Fault ? 0 : most, high, low) };
    };
  }

  /** @param {Sheet} sheet @param {number} row @param {number} column @param {Value} value
   * @param {Look} look to be filled */
  read(sheet, row, column, value, look) {
    look.fill = look.color = look.line = look.hatch = "";
    for (const painter of this.painters.get(sheet)?.get(sheet.key(row, column)) ?? []) {
      const found = painter(value, row, column);
      if (!found) continue;
      look.fill ||= found.fill ?? "";
      look.color ||= found.color ?? "";
      look.line ||= found.line ?? "";
      look.hatch ||= found.hatch ?? "";
    }
  }
}

/** Whether no reference of a formula moves when it is copied. @param {Tree} tree */
function isSteady(tree) {
  const fixed = (/** @type {Address} */ cell) => cell.fixedRow && cell.fixedColumn;
  return references(tree).every((reference) => {
    if (reference.kind === "cell") return fixed(reference.cell);
    return reference.kind !== "range" || (fixed(reference.first) && fixed(reference.last));
  });
}

/** The address of a block as formulas write it, all cells from its first to its last. @param {Place} place */
function blockAddress(place) {
  const { row, column, bottom, right } = spread(place);
  return `$${letters(column)}$${row}:$${letters(right)}$${bottom}`;
}
