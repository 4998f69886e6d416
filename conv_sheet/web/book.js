"use strict";
// All sheets of a lesson, and what is calculated when a cell changes: what depends on it, and only when it is asked
// for. The form of the data is described in data.js.

/** A range of more cells is not listed in each of them. */
const WIDE = 1024;
/** @type {number[]} */
const NONE = [];

/** @type {CellStyle} */
const USUAL = {
  size: 8,
  bold: false,
  italic: false,
  mono: false,
  underline: false,
  color: "1F2A44",
  fill: "",
  line: "",
  format: "General",
  horizontal: /** @type {CellStyle["horizontal"]} */ (/** @type {unknown} */ ("")),
  vertical: "center",
  wrap: false,
  shrink: false,
  indent: 0,
};

class Book {
  /** Throws an Error that names sheet and cell where a formula cannot be read. @param {Data} data */
  constructor(data) {
    this.data = data;
    this.styles = data.styles.map((style) => ({ ...USUAL, ...style }));
    /** How many formulas were calculated so far. */
    this.evaluations = 0;
    this.round = 0;
    this.sheets = data.sheets.map((sheet, number) => new Sheet(this, sheet, number));
    this.compilers = this.sheets.map((sheet) => new Compiler(this, sheet));
    this.titles = new Map(this.sheets.map((sheet) => [sheet.title, sheet]));
    this.names = new Map(Object.entries(data.names));
    /** @type {Map<string, string>} */
    this.lowerNames = new Map([...this.names.keys()].map((name) => [name.toLowerCase(), name]));
    /** @type {Map<string, Pattern>} */
    this.patterns = new Map();
    /** @type {Map<string, Reader>} */
    this.readers = new Map();
    /** @type {Map<string, Area>} */
    this.areas = new Map();
    for (const sheet of this.sheets) this.fill(sheet);
  }

  /** @param {string} title */
  sheet(title) {
    return this.titles.get(title) ?? null;
  }

  /** The cells of a defined name. @param {string} name @returns {Area | null} */
  named(name) {
    const place = this.namedPlace(name);
    if (!place) return null;
    let area = this.areas.get(name);
    if (!area) this.areas.set(name, (area = this.areaOf(place)));
    return area;
  }

  /** @param {string} name */
  namedPlace(name) {
    return this.names.get(name) ?? this.names.get(this.lowerNames.get(name.toLowerCase()) ?? "") ?? null;
  }

  /** @param {[string, ...number[]]} place @returns {Area} */
  areaOf([title, ...place]) {
    const { row, column, bottom, right } = spread(place);
    const sheet = this.sheet(title);
    if (!sheet) throw new FormulaError(`there is no sheet “${title}”`);
    return new Area(sheet, row, column, bottom, right);
  }

  /** The cells that a name or an address means, `A1` and `A1:B2` on the sheet given; null where it means none.
   * @param {string} text @param {Sheet} sheet @returns {Area | null} */
  find(text, sheet) {
    try {
      const tree = parse(
        text.replace(/^[A-Za-z$:\d]+$/, (plain) => (this.namedPlace(plain) ? plain : plain.toUpperCase())),
      );
      const area = new Compiler(this, sheet).area(tree)(here(1, 1));
      return area.sheet.has(area.bottom, area.right) ? area : null;
    } catch (error) {
      if (error instanceof FormulaError) return null;
      throw error;
    }
  }

  /** @param {Sheet} sheet */
  fill(sheet) {
    for (const block of sheet.data.blocks ?? []) {
      const { at, style = -1, values, formula, numbers } = block;
      const first = spread(at);
      const slots = numbers ? numbers.length / (first.height * first.width) : 0;
      eachPlace(at, (row, column, place) => {
        const shift = here(row, column);
        if (formula) [shift.down, shift.right] = [row - first.row, column - first.column];
        if (numbers) shift.slots = numbers.slice(place * slots, (place + 1) * slots);
        this.fillCell(sheet, shift, style, values?.[place] ?? null, formula ?? block.formulas?.[place]);
      });
    }
    for (const [row, column, style, value, formula] of sheet.data.cells ?? []) {
      this.fillCell(sheet, here(row, column), style, value, formula);
    }
  }

  /** @param {Sheet} sheet @param {Shift} at @param {number} style @param {Plain} value @param {string} [formula] */
  fillCell(sheet, at, style, value, formula) {
    const key = sheet.key(at.row, at.column);
    sheet.styles[key] = style;
    if (formula === undefined) return sheet.store(key, value);
    try {
      this.place(this.formula(sheet, formula, at, key));
    } catch (error) {
      if (!(error instanceof FormulaError)) throw error;
      throw new Error(`${sheet.title}!${letters(at.column)}${at.row}: ${error.message}: =${formula}`);
    }
  }

  /** A formula that is registered with all that it reads, but does not stand in its cell yet.
   * @param {Sheet} sheet @param {string} text @param {Shift} at @param {number} key */
  formula(sheet, text, at, key) {
    const formula = new Formula(sheet, this.pattern(sheet, text), at, key);
    const { sources, named } = formula.pattern;
    for (const source of key < 0 ? named : sources) this.listen(source(formula), formula);
    return formula;
  }

  /** Let a formula hear of the cell that INDEX has chosen for it. @param {Formula} formula @param {Area} area */
  choose(formula, area) {
    const id = `${area.sheet.number}!${area.address}`;
    formula.chosen ??= new Set();
    if (formula.chosen.has(id)) return;
    formula.chosen.add(id);
    this.listen(area, formula);
  }

  /** A formula that stands in no cell, but follows what it reads, as that of a colour.
   * @param {Sheet} sheet @param {string} text @param {Shift} at */
  watch(sheet, text, at) {
    return this.formula(sheet, text, at, -1);
  }

  /** @param {Sheet} sheet @param {string} text @returns {Pattern} */
  pattern(sheet, text) {
    const id = `${sheet.number}=${text}`;
    let pattern = this.patterns.get(id);
    if (!pattern)
      this.patterns.set(id, (pattern = new Pattern(text, this.compilers[sheet.number] ?? new Compiler(this, sheet))));
    return pattern;
  }

  /** @param {Formula} formula */
  place(formula) {
    formula.sheet.formulas[formula.key] = formula;
    formula.sheet.states[formula.key] = STALE;
  }

  /** Let a formula hear of changes in some cells. @param {Area} area @param {Formula} formula */
  listen(area, formula) {
    const { sheet } = area;
    if (area.single)
      return void (sheet.has(area.top, area.left) && add(sheet, sheet.key(area.top, area.left), formula));
    const id = `${sheet.number}:${area.top}:${area.left}:${area.bottom}:${area.right}`;
    let reader = this.readers.get(id);
    if (!reader) this.readers.set(id, (reader = this.reader(area)));
    reader.formulas.push(formula);
  }

  /** @param {Area} area @returns {Reader} */
  reader(area) {
    const { sheet } = area;
    const reader = { formulas: [], round: 0, area };
    if (area.height * area.width > WIDE) sheet.wideReaders.push(reader);
    else {
      for (let row = area.top; row <= Math.min(area.bottom, sheet.rows); row++) {
        for (let column = area.left; column <= Math.min(area.right, sheet.columns); column++) {
          add(sheet, sheet.key(row, column), reader);
        }
      }
    }
    return reader;
  }

  /** What the formula of a cell, or of a colour, makes. @param {Formula} formula @returns {Value} */
  run(formula) {
    this.evaluations++;
    return oneValue(formula.pattern.run(formula)) ?? 0;
  }

  /** The value of a formula that stands in no cell. @param {Formula} formula */
  watched(formula) {
    if (formula.state === STALE) {
      formula.value = this.run(formula);
      formula.state = FRESH;
    }
    return formula.value;
  }

  /** What a cell would hold, from what is typed: a value, or a formula with its `=`. Throws FormulaError.
   * @param {Sheet} sheet @param {number} row @param {number} column @param {Plain} input @returns {Content} */
  read(sheet, row, column, input) {
    if (typeof input !== "string" || !input.startsWith("=") || input.length === 1)
      return { value: input, formula: null };
    return { value: null, formula: this.formula(sheet, input.slice(1), here(row, column), sheet.key(row, column)) };
  }

  /** Put something into a cell; what depends on it is calculated when it is asked for.
   * @param {Sheet} sheet @param {number} row @param {number} column @param {Content} content */
  put(sheet, row, column, { value, formula }) {
    const key = sheet.key(row, column);
    sheet.formulas[key] = undefined;
    sheet.states[key] = FRESH;
    if (formula) this.place(formula);
    else sheet.store(key, value);
    this.touch(sheet, key);
  }

  /** Mark all that depends on a cell as stale. @param {Sheet} sheet @param {number} key */
  touch(sheet, key) {
    this.round++;
    /** @type {{sheet: Sheet, key: number}[]} */
    const changed = [{ sheet, key }];
    for (let next = changed.pop(); next; next = changed.pop()) {
      for (const reader of next.sheet.readers[next.key] ?? []) {
        if (reader instanceof Formula) this.spoil(reader, changed);
        else this.spoilAll(reader, changed);
      }
      const [row, column] = [Math.floor(next.key / next.sheet.columns) + 1, (next.key % next.sheet.columns) + 1];
      for (const reader of next.sheet.wideReaders) {
        if (reader.round !== this.round && reader.area.holds(next.sheet, row, column)) this.spoilAll(reader, changed);
      }
    }
  }

  /** @param {Reader} reader @param {{sheet: Sheet, key: number}[]} changed */
  spoilAll(reader, changed) {
    if (reader.round === this.round) return;
    reader.round = this.round;
    for (const formula of reader.formulas) this.spoil(formula, changed);
  }

  /** @param {Formula} formula @param {{sheet: Sheet, key: number}[]} changed */
  spoil(formula, changed) {
    const { sheet, key } = formula;
    if (key < 0) formula.state = STALE;
    else if (sheet.formulas[key] === formula && sheet.states[key] === FRESH) {
      sheet.states[key] = STALE;
      changed.push({ sheet, key });
    }
  }

  /** Calculate everything that is stale; returns how many formulas that were. */
  calculate() {
    const before = this.evaluations;
    for (const sheet of this.sheets) {
      for (let key = 0; key < sheet.states.length; key++) if (sheet.states[key] === STALE) sheet.calculate(key);
    }
    return this.evaluations - before;
  }
}

/** Where a formula stands that was written for its cell. @param {number} row @param {number} column @returns {Shift} */
function here(row, column) {
  return { row, column, down: 0, right: 0, slots: NONE };
}

/** @param {Sheet} sheet @param {number} key @param {Formula | Reader} reader */
function add(sheet, key, reader) {
  const list = sheet.readers[key];
  if (list) list.push(reader);
  else sheet.readers[key] = [reader];
}
