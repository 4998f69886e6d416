"use strict";
// Operators and functions: exactly those that generated formulas are made of, with what Excel does to texts and blanks.

/**
 * @typedef {object} Known a function of the closed list
 * @property {number} least how many arguments it takes
 * @property {number} most
 * @property {boolean} [whole] whether it takes a range as a range; other functions take the value of one cell
 * @property {(given: Result[]) => Result} run
 */

const MANY = 255;

/** @type {Record<string, (a: number, b: number) => number | Fault>} */
const ARITHMETIC = {
  "+": (a, b) => finite(a + b),
  "-": (a, b) => finite(a - b),
  "*": (a, b) => finite(a * b),
  "/": (a, b) => (b === 0 ? FAULT.zero : finite(a / b)),
  "^": (a, b) => (a === 0 && b === 0 ? FAULT.number : a === 0 && b < 0 ? FAULT.zero : finite(a ** b)),
};

/** @type {Record<string, (order: number) => boolean>} */
const COMPARED = {
  "=": (order) => order === 0,
  "<>": (order) => order !== 0,
  "<": (order) => order < 0,
  ">": (order) => order > 0,
  "<=": (order) => order <= 0,
  ">=": (order) => order >= 0,
};

/** What an operator makes of two values. @param {string} sign @returns {(a: Value, b: Value) => Value} */
function operator(sign) {
  const arithmetic = ARITHMETIC[sign];
  if (arithmetic) return (a, b) => onNumbers(arithmetic, a, b);
  const compared = COMPARED[sign];
  return (a, b) => {
    if (a instanceof Fault) return a;
    if (b instanceof Fault) return b;
    return compared ? compared(compare(a, b)) : toText(a) + toText(b);
  };
}

/** @param {(a: number, b: number) => Value} f @param {Value} a @param {Value} b @returns {Value} */
function onNumbers(f, a, b) {
  const x = toNumber(a);
  if (x instanceof Fault) return x;
  const y = toNumber(b);
  return y instanceof Fault ? y : f(x, y);
}

/** The value of a result that must be one cell's. @param {Result | undefined} result @returns {Value} */
function oneValue(result) {
  if (result instanceof Area) return result.single ? result.sheet.value(result.top, result.left) : FAULT.value;
  if (result instanceof Table) return result.values.length === 1 ? (result.values[0] ?? null) : FAULT.value;
  return result ?? null;
}

/** One value of a range or table by its place; a single row or column goes with every other.
 * @param {Result} result @param {number} y @param {number} x @returns {Value} */
function item(result, y, x) {
  if (result instanceof Area) {
    return result.sheet.value(result.top + (result.height === 1 ? 0 : y), result.left + (result.width === 1 ? 0 : x));
  }
  if (!(result instanceof Table)) return result;
  return result.values[(result.height === 1 ? 0 : y) * result.width + (result.width === 1 ? 0 : x)] ?? null;
}

/** Call `visit` with every value of a range or table, until it gives an error.
 * @param {Area | Table} range @param {(value: Value) => Fault | void} visit @returns {Fault | void} */
function eachValue(range, visit) {
  for (let y = 0; y < range.height; y++) {
    for (let x = 0; x < range.width; x++) {
      const fault = visit(item(range, y, x));
      if (fault) return fault;
    }
  }
}

/** Call `visit` with every number of a range; texts, blanks and TRUE do not count, an error ends it.
 * @param {Area} area @param {(value: number) => void} visit @returns {Fault | void} */
function eachNumber(area, visit) {
  const { sheet, right } = area.sheet.fresh(area);
  const bottom = Math.min(area.bottom, sheet.rows);
  for (let row = area.top; row <= bottom; row++) {
    const start = sheet.key(row, 0);
    for (let key = start + area.left; key <= start + right; key++) {
      const value = sheet.numbers[key] ?? NaN;
      if (value === value) visit(value);
      else {
        const other = sheet.others.get(key);
        if (other instanceof Fault) return other;
      }
    }
  }
}

/** As above over all arguments; one that is no range counts as the number that it is.
 * @param {Result[]} given @param {(value: number) => void} visit @returns {Fault | void} */
function everyNumber(given, visit) {
  for (const result of given) {
    let fault;
    if (result instanceof Area) fault = eachNumber(result, visit);
    else if (result instanceof Table) {
      fault = eachValue(result, (value) =>
        typeof value === "number" ? visit(value) : value instanceof Fault ? value : undefined,
      );
    } else {
      const value = toNumber(result);
      if (value instanceof Fault) return value;
      visit(value);
    }
    if (fault) return fault;
  }
}

/** A function of one number. @param {(value: number) => Value} f @returns {Known} */
function ofNumber(f) {
  const run = (/** @type {Result[]} */ given) => {
    const value = toNumber(oneValue(given[0]));
    return value instanceof Fault ? value : f(value);
  };
  return { least: 1, most: 1, run };
}

/** A function of two numbers. @param {(a: number, b: number) => Value} f @returns {Known} */
function ofTwo(f) {
  return { least: 2, most: 2, run: (given) => onNumbers(f, oneValue(given[0]), oneValue(given[1])) };
}

/** A function of all numbers of its arguments. @template S
 * @param {() => S} start @param {(state: S, value: number) => void} add @param {(state: S) => Value} end
 * @returns {Known} */
function ofAll(start, add, end) {
  const run = (/** @type {Result[]} */ given) => {
    const state = start();
    return everyNumber(given, (value) => add(state, value)) ?? end(state);
  };
  return { least: 1, most: MANY, whole: true, run };
}

/** AND and OR: `ends` is the truth that decides them. @param {boolean} ends @returns {Known} */
function ofTruths(ends) {
  const run = (/** @type {Result[]} */ given) => {
    let [found, counted] = [!ends, 0];
    const visit = (/** @type {Value} */ value) => {
      const truth = toTruth(value);
      if (truth instanceof Fault) return truth;
      counted++;
      if (truth === ends) found = ends;
    };
    for (const result of given) {
      const range = result instanceof Area || result instanceof Table;
      const fault = range
        ? eachValue(result, (value) => (value === null || typeof value === "string" ? undefined : visit(value)))
        : visit(result);
      if (fault) return fault;
    }
    return counted ? found : FAULT.value;
  };
  return { least: 1, most: MANY, whole: true, run };
}

/** Half goes away from zero, and 15 digits decide what is a half. @param {number} value @param {number} places */
function round(value, places) {
  const size = 10 ** Math.abs(Math.trunc(places));
  const scaled = Number((places < 0 ? Math.abs(value) / size : Math.abs(value) * size).toPrecision(15));
  return (Math.sign(value) * Math.round(scaled)) / (places < 0 ? 1 / size : size);
}

/** The sign of the rest is that of the divisor. @param {number} a @param {number} b */
function modulo(a, b) {
  return b === 0 ? FAULT.zero : a - b * Math.floor(a / b);
}

/** The error function: 2/√π·e^(-x²)·(x + 2x³/3 + 4x⁵/15 + …), of which no term is negative; far out what is missing to
 * 1, as a continued fraction. @param {number} value @returns {number} */
function errorFunction(value) {
  const x = Math.abs(value);
  const scale = Math.exp(-x * x) / Math.sqrt(Math.PI);
  let rest = x;
  if (x > 3) {
    for (let n = 40; n > 0; n--) rest = x + n / 2 / rest;
    return Math.sign(value) * (1 - scale / rest);
  }
  for (let [n, term] = [1, x]; term > rest * 1e-17; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    rest += term;
  }
  return Math.sign(value) * 2 * scale * rest;
}

/** @param {number[]} values */
function squaresFromMean(values) {
  if (values.length === 0) return FAULT.number;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return finite(values.reduce((sum, value) => sum + (value - mean) ** 2, 0));
}

/** @param {Result[]} given @returns {Result} */
function index([area, first, second]) {
  if (!(area instanceof Area)) return area instanceof Fault ? area : FAULT.value;
  const [one, two] = [toNumber(oneValue(first)), second === undefined ? null : toNumber(oneValue(second))];
  if (one instanceof Fault) return one;
  if (two instanceof Fault) return two;
  const alongRow = two === null && area.height === 1;
  const row = alongRow ? 1 : Math.trunc(one);
  const column = alongRow ? Math.trunc(one) : Math.trunc(two ?? (area.width === 1 ? 1 : 0));
  if (row < 0 || column < 0) return FAULT.value;
  if (row > area.height || column > area.width) return FAULT.reference;
  const [top, left] = [area.top + Math.max(row - 1, 0), area.left + Math.max(column - 1, 0)];
  return new Area(area.sheet, top, left, row ? top : area.bottom, column ? left : area.right);
}

/** @param {Result[]} given @returns {Value} */
function match([wanted, range, kind]) {
  const [value, order] = [oneValue(wanted), kind === undefined ? 1 : toNumber(oneValue(kind))];
  if (value instanceof Fault) return value;
  if (order instanceof Fault) return order;
  if (value === null || !(range instanceof Area || range instanceof Table)) return FAULT.missing;
  let best = 0;
  for (let place = 0; place < Math.max(range.height, range.width); place++) {
    const other = range.height > 1 ? item(range, place, 0) : item(range, 0, place);
    if (other === null || other instanceof Fault || rank(other) !== rank(value)) continue;
    const ordered = compare(other, value);
    if (order === 0 ? ordered === 0 : order > 0 ? ordered <= 0 : ordered >= 0) best = place + 1;
    else if (order !== 0) break;
    if (order === 0 && best) break;
  }
  return best || FAULT.missing;
}

/** @param {Result[]} given @returns {Value} */
function address([first, second, kind]) {
  const [row, column] = [toNumber(oneValue(first)), toNumber(oneValue(second))];
  const fixed = kind === undefined ? 1 : toNumber(oneValue(kind));
  if (row instanceof Fault || column instanceof Fault || fixed instanceof Fault) return FAULT.value;
  if (row < 1 || column < 1) return FAULT.value;
  const [acrossSign, downSign] = [fixed === 1 || fixed === 3 ? "$" : "", fixed < 3 ? "$" : ""];
  return acrossSign + letters(Math.trunc(column)) + downSign + Math.trunc(row);
}

/** The sum of `term` over two ranges of one shape, where both hold numbers.
 * @param {Result | undefined} left @param {Result | undefined} right @param {Fault} unlike
 * @param {(a: number, b: number) => number} term @returns {Value} */
function paired(left, right, unlike, term) {
  if (!(left instanceof Area && right instanceof Area)) return FAULT.value;
  if (left.height !== right.height || left.width !== right.width) return unlike;
  const [p, q] = [left.sheet.fresh(left).sheet, right.sheet.fresh(right).sheet];
  let total = 0;
  for (let y = 0; y < left.height; y++) {
    const [one, two] = [p.key(left.top + y, left.left), q.key(right.top + y, right.left)];
    for (let x = 0; x < left.width; x++) {
      const [a, b] = [p.numbers[one + x] ?? NaN, q.numbers[two + x] ?? NaN];
      if (a === a && b === b) total += term(a, b);
      else {
        const fault = [p.others.get(one + x), q.others.get(two + x)].find((value) => value instanceof Fault);
        if (fault !== undefined) return fault;
      }
    }
  }
  return finite(total);
}

/** @param {Result[]} given @returns {Value} */
function sumProduct(given) {
  const fault = given.find((result) => result instanceof Fault);
  if (fault instanceof Fault) return fault;
  const [first, second] = given;
  if (given.length === 2 && first instanceof Area && second instanceof Area && inside(first) && inside(second)) {
    return paired(first, second, FAULT.value, (a, b) => a * b);
  }
  const [height, width] = first instanceof Area || first instanceof Table ? [first.height, first.width] : [1, 1];
  for (const range of given) {
    const [h, w] = range instanceof Area || range instanceof Table ? [range.height, range.width] : [1, 1];
    if (h !== height || w !== width) return FAULT.value;
  }
  let total = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let product = 1;
      for (const range of given) {
        const value = item(range, y, x);
        if (value instanceof Fault) return value;
        product *= typeof value === "number" ? value : 0;
      }
      total += product;
    }
  }
  return finite(total);
}

/** Whether all cells of a range are kept, as none beyond the filled part of a sheet is. @param {Area} area */
function inside(area) {
  return area.bottom <= area.sheet.rows && area.right <= area.sheet.columns;
}
