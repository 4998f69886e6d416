"use strict";
// A tree becomes a function, once for all cells that share a formula. It is given the cell that asks: its distance from
// the cell that the formula was written for moves the references.

/** @typedef {(at: Shift) => Result} Run */
/** @typedef {(at: Shift) => Value} RunOne */

class Compiler {
  /** @param {Book} book @param {Sheet} sheet the sheet that the formula stands on */
  constructor(book, sheet) {
    this.book = book;
    this.sheet = sheet;
  }

  /** @param {string | null} title @returns {Sheet} */
  sheetOf(title) {
    const sheet = title === null ? this.sheet : this.book.sheet(title);
    if (!sheet) throw new FormulaError(`there is no sheet “${title}”`);
    return sheet;
  }

  /** The cells that a reference names, for the cell that asks.
   * @param {Tree} tree @returns {(at: Shift) => Area} */
  area(tree) {
    if (tree.kind === "name") {
      const area = this.book.named(tree.name);
      if (!area) throw new FormulaError(`there is no name “${tree.name}”`);
      return () => area;
    }
    if (tree.kind !== "cell" && tree.kind !== "range") throw new FormulaError("a reference is missing");
    const [first, last] = tree.kind === "cell" ? [tree.cell, tree.cell] : [tree.first, tree.last];
    const sheet = this.sheetOf(first.sheet);
    const rows = [first, last].map((cell) => ({ at: cell.row, moves: cell.fixedRow ? 0 : 1 }));
    const columns = [first, last].map((cell) => ({ at: cell.column, moves: cell.fixedColumn ? 0 : 1 }));
    const [[top, bottom], [left, right]] = [ordered(rows), ordered(columns)];
    if (!top.moves && !bottom.moves && !left.moves && !right.moves) {
      const fixed = new Area(sheet, top.at, left.at, bottom.at, right.at);
      return () => fixed;
    }
    return (at) =>
      new Area(
        sheet,
        top.at + at.down * top.moves,
        left.at + at.right * left.moves,
        bottom.at + at.down * bottom.moves,
        right.at + at.right * right.moves,
      );
  }

  /** The cells from one reference to another, as `A1:INDEX(A1:C3,n,n)`. @param {Run} first @param {Run} last
   * @returns {Run} */
  span(first, last) {
    return (at) => {
      const [a, b] = [first(at), last(at)];
      if (a instanceof Fault || b instanceof Fault) return a instanceof Fault ? a : b;
      if (!(a instanceof Area && b instanceof Area && a.sheet === b.sheet)) return FAULT.reference;
      const [top, left] = [Math.min(a.top, b.top), Math.min(a.left, b.left)];
      return new Area(a.sheet, top, left, Math.max(a.bottom, b.bottom), Math.max(a.right, b.right));
    };
  }

  /** What a tree makes: a value, or the cells that it names. @param {Tree} tree @returns {Run} */
  any(tree) {
    switch (tree.kind) {
      case "cell":
      case "range":
      case "name":
        return this.area(tree);
      case "span":
        return this.span(this.any(tree.first), this.any(tree.last));
      case "call":
        return this.call(tree.name, tree.given);
      default:
        return this.one(tree);
    }
  }

  /** What a tree makes as one value. @param {Tree} tree @returns {RunOne} */
  one(tree) {
    switch (tree.kind) {
      case "value":
        return () => tree.value;
      case "slot":
        return (at) => at.slots[tree.place] ?? null;
      case "cell":
        return this.cell(tree.cell);
      case "negative": {
        const of = this.one(tree.of);
        return (at) => negated(of(at));
      }
      case "percent": {
        const of = this.one(tree.of);
        return (at) => onNumbers((a, b) => a / b, of(at), 100);
      }
      case "operation":
        return this.operation(tree.sign, this.one(tree.left), this.one(tree.right));
      default: {
        const run = this.any(tree);
        return (at) => {
          const result = run(at);
          return result instanceof Area || result instanceof Table ? oneValue(result) : result;
        };
      }
    }
  }

  /** @param {Address} cell @returns {RunOne} */
  cell(cell) {
    const { row, column } = cell;
    const sheet = this.sheetOf(cell.sheet);
    const [down, right] = [cell.fixedRow ? 0 : 1, cell.fixedColumn ? 0 : 1];
    return (at) => sheet.value(row + at.down * down, column + at.right * right);
  }

  /** @param {string} sign @param {RunOne} left @param {RunOne} right @returns {RunOne} */
  operation(sign, left, right) {
    const [combine, fast] = [operator(sign), ARITHMETIC[sign]];
    if (!fast) return (at) => combine(left(at), right(at));
    return (at) => {
      const [a, b] = [left(at), right(at)];
      return typeof a === "number" && typeof b === "number" ? fast(a, b) : combine(a, b);
    };
  }

  /** @param {string} name @param {Tree[]} given @returns {Run} */
  call(name, given) {
    const known = FUNCTIONS[name];
    if (!known || Object.hasOwn(SPECIAL, name)) return this.special(name, given);
    const parts = given.map((tree) =>
      name === "SUMPRODUCT" ? this.cells(tree) : known.whole ? this.any(tree) : this.one(tree),
    );
    const { run } = known;
    if (name === "INDEX") return this.chosen(parts);
    return (at) => run(parts.map((part) => part(at)));
  }

  /** INDEX: a formula in a cell hears of what is chosen for it. @param {Run[]} parts @returns {Run} */
  chosen(parts) {
    return (at) => {
      const area = index(parts.map((part) => part(at)));
      if (area instanceof Area && at instanceof Formula && at.key >= 0) this.book.choose(at, area);
      return area;
    };
  }

  /** @param {string} name @param {Tree[]} given @returns {Run} */
  special(name, given) {
    const [first, ...rest] = given;
    if (name === "IF") return this.condition(given);
    if (name === "CHOOSE" && first)
      return this.choice(
        this.one(first),
        rest.map((tree) => this.any(tree)),
      );
    const area = first ? this.area(first) : null;
    if (name === "ROW") return (at) => (area ? area(at).top : at.row);
    return (at) => (area ? area(at).left : at.column);
  }

  /** @param {Tree[]} given @returns {Run} */
  condition([test, then, otherwise]) {
    const condition = this.one(test ?? { kind: "value", value: null });
    const yes = this.any(then ?? { kind: "value", value: true });
    const no = this.any(otherwise ?? { kind: "value", value: false });
    return (at) => {
      const truth = toTruth(condition(at));
      return truth instanceof Fault ? truth : truth ? yes(at) : no(at);
    };
  }

  /** @param {RunOne} number @param {Run[]} choices @returns {Run} */
  choice(number, choices) {
    return (at) => {
      const place = toNumber(number(at));
      if (place instanceof Fault) return place;
      const chosen = choices[Math.trunc(place) - 1];
      return chosen ? chosen(at) : FAULT.value;
    };
  }

  /** What a tree makes inside SUMPRODUCT, where arithmetic goes cell by cell. @param {Tree} tree @returns {Run} */
  cells(tree) {
    if (tree.kind === "operation") {
      const [left, right, combine] = [this.cells(tree.left), this.cells(tree.right), operator(tree.sign)];
      return (at) => eachPair(left(at), right(at), combine);
    }
    if (tree.kind === "negative") {
      const of = this.cells(tree.of);
      return (at) => eachPair(of(at), 0, negated);
    }
    if (tree.kind === "call" && tree.given.length === 1) {
      const [known, [given]] = [FUNCTIONS[tree.name], tree.given];
      if (known && !known.whole && given) return this.mapped(known, this.cells(given));
    }
    return this.any(tree);
  }

  /** @param {Known} known @param {Run} of @returns {Run} */
  mapped(known, of) {
    return (at) => eachPair(of(at), 0, (value) => oneValue(known.run([value])));
  }
}

/** Two bounds with the smaller first. @template {{at: number}} B @param {B[]} bounds @returns {[B, B]} */
function ordered(bounds) {
  const [a, b] = /** @type {[B, B]} */ (bounds);
  return a.at <= b.at ? [a, b] : [b, a];
}

/** @param {Value} value @returns {Value} */
function negated(value) {
  const number = toNumber(value);
  return number instanceof Fault ? number : -number;
}

/** A table of what `combine` makes of each pair; a row meets a column as a table, a value meets every cell.
 * @param {Result} left @param {Result} right @param {(a: Value, b: Value) => Value} combine @returns {Result} */
function eachPair(left, right, combine) {
  const ranges = [left, right].filter((result) => result instanceof Area || result instanceof Table);
  if (!ranges.length) return combine(oneValue(left), oneValue(right));
  const [height, width] = [common(ranges.map((r) => r.height)), common(ranges.map((r) => r.width))];
  if (!height || !width) return FAULT.missing;
  return new Table(height, width, (y, x) => combine(item(left, y, x), item(right, y, x)));
}

/** The size that all have but those of size 1; 0 where there is none. @param {number[]} sizes */
function common(sizes) {
  const most = Math.max(...sizes);
  return sizes.every((size) => size === 1 || size === most) ? most : 0;
}
