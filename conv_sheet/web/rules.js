"use strict";
// What may be typed where.

/** @typedef {{sheet: Sheet, row: number, column: number}} Spot a cell */

class Rules {
  /** @param {Book} book */
  constructor(book) {
    this.book = book;
    /** Cells that the user has typed into. @type {Set<string>} */
    this.typed = new Set();
    /** @type {Map<Sheet, Place[][]>} */
    this.drawn = new Map();
    /** @type {Map<Sheet, Map<number, RuleData>>} */
    this.bySheet = new Map();
    for (const sheet of book.sheets) {
      /** @type {Map<number, RuleData>} */
      const rules = new Map();
      for (const rule of sheet.data.validations ?? []) {
        for (const place of rule.blocks) eachPlace(place, (row, column) => rules.set(sheet.key(row, column), rule));
      }
      this.bySheet.set(sheet, rules);
    }
  }

  /** The rule of a cell. @param {Spot} spot */
  of({ sheet, row, column }) {
    return sheet.has(row, column) ? (this.bySheet.get(sheet)?.get(sheet.key(row, column)) ?? null) : null;
  }

  /** The cell that a typed value goes into: the cell itself, or the one that its formula only points to; null where the
   * cell is not to be typed over. @param {Spot} spot @returns {Spot | null} */
  target(spot) {
    if (this.isTyped(spot)) return spot;
    const formula = spot.sheet.formula(spot.row, spot.column);
    if (!formula) return this.of(spot) || this.isFree(spot) ? spot : null;
    const source = formula.pattern.run(formula);
    if (!(source instanceof Area && source.single)) return null;
    const pointed = { sheet: source.sheet, row: source.top, column: source.left };
    return this.of(pointed) ? this.target(pointed) : null;
  }

  /** Whether a cell is empty and nobody's. @param {Spot} spot */
  isFree({ sheet, row, column }) {
    if (!sheet.has(row, column)) return false;
    const key = sheet.key(row, column);
    return sheet.stored(key) === null && (sheet.styles[key] ?? -1) < 0;
  }

  /** Whether what stands in a cell was typed by the user. @param {Spot} spot */
  isTyped({ sheet, row, column }) {
    return this.typed.has(`${sheet.number}:${row}:${column}`);
  }

  /** @param {Spot} spot */
  markTyped({ sheet, row, column }) {
    this.typed.add(`${sheet.number}:${row}:${column}`);
  }

  /** Why a value may not stand in a cell; null where it may. @param {Spot} spot @param {Value} value */
  refusal(spot, value) {
    const rule = this.of(spot);
    if (!rule || value === null) return null;
    const choices = this.choices(spot);
    if (choices) return choices.some((choice) => toText(choice) === toText(value)) ? null : rule.error;
    const { low = -Infinity, high = Infinity, whole = false } = rule;
    const fits = typeof value === "number" && value >= low && value <= high && (!whole || Number.isInteger(value));
    return fits ? null : rule.error;
  }

  /** What a cell may be chosen to hold; null where it is not a choice. @param {Spot} spot @returns {Value[] | null} */
  choices(spot) {
    const choices = this.of(spot)?.choices;
    if (choices === undefined) return null;
    if (typeof choices !== "string") {
      const asText = spot.sheet.style(spot.row, spot.column)?.format === "@";
      return choices.map((choice) => (asText ? choice : readInput(choice)));
    }
    const area = this.book.find(choices, spot.sheet);
    /** @type {Value[]} */
    const listed = [];
    if (area) eachValue(area, (value) => void (value !== null && listed.push(value)));
    return listed;
  }

  /** The pictures of a sheet that can be drawn into, each with a block for a channel: those that are typed there, and
   * those whose formulas only point to such. @param {Sheet} sheet @returns {Place[][]} */
  pictures(sheet) {
    let pictures = this.drawn.get(sheet);
    if (!pictures) {
      const typed = (sheet.data.validations ?? []).filter((rule) => rule.draw).map((rule) => rule.blocks);
      const pointing = sheet.blocks.filter(({ at, formula }) => {
        const { row, column, height, width } = spread(at);
        const target = formula && height > 1 && width > 1 && !this.of({ sheet, row, column })?.draw;
        const source = target ? this.target({ sheet, row, column }) : null;
        return source !== null && this.isDrawn(source);
      });
      this.drawn.set(sheet, (pictures = [...typed, ...pointing.map(({ at }) => [at])]));
    }
    return pictures;
  }

  /** Whether a cell is part of a picture to draw into. @param {Spot} spot */
  isDrawn(spot) {
    return this.of(spot)?.draw === true;
  }
}

/** What is typed, as what the cell holds: a number, a percentage, TRUE, FALSE, a formula with its `=`, or a text.
 * @param {string} text @returns {Plain} */
function readInput(text) {
  const bare = text.trim();
  if (bare === "") return null;
  if (/^true$/i.test(bare)) return true;
  if (/^false$/i.test(bare)) return false;
  const number = bare.replace(/[−–]/g, "-");
  if (/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?%?$/i.test(number)) {
    return number.endsWith("%") ? Number(number.slice(0, -1)) / 100 : Number(number);
  }
  return bare.startsWith("=") ? bare : text;
}
