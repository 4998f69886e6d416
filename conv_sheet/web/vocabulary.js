"use strict";
// The closed list of functions.

/** Functions that need not look at all that they are given, or that ask where they stand: compile.js knows what they
 * do.
 * Here is how many arguments they take. @type {Record<string, [number, number]>} */
const SPECIAL = { IF: [2, 3], CHOOSE: [2, MANY], ROW: [0, 1], COLUMN: [0, 1] };

/** @type {Record<string, Known>} */
const FUNCTIONS = {
  ABS: ofNumber(Math.abs),
  ADDRESS: { least: 2, most: 3, run: address },
  AND: ofTruths(false),
  AVERAGE: ofAll(
    () => ({ total: 0, count: 0 }),
    (state, value) => {
      state.total += value;
      state.count++;
    },
    (state) => (state.count ? finite(state.total / state.count) : FAULT.zero),
  ),
  COLUMNS: { least: 1, most: 1, whole: true, run: ([area]) => (area instanceof Area ? area.width : FAULT.value) },
  COUNT: {
    least: 1,
    most: MANY,
    whole: true,
    run: (given) => given.reduce((/** @type {number} */ count, result) => count + counted(result), 0),
  },
  DEVSQ: ofAll(
    () => /** @type {number[]} */ ([]),
    (values, value) => {
      values.push(value);
    },
    squaresFromMean,
  ),
  ERF: ofNumber(errorFunction),
  EXACT: { least: 2, most: 2, run: ([a, b]) => exact(oneValue(a), oneValue(b)) },
  EXP: ofNumber((value) => finite(Math.exp(value))),
  INDEX: { least: 2, most: 3, whole: true, run: index },
  INT: ofNumber(Math.floor),
  LN: ofNumber((value) => (value > 0 ? Math.log(value) : FAULT.number)),
  MATCH: { least: 2, most: 3, whole: true, run: match },
  MAX: ofAll(
    () => ({ best: -Infinity }),
    (state, value) => {
      if (value > state.best) state.best = value;
    },
    (state) => (state.best === -Infinity ? 0 : state.best),
  ),
  MIN: ofAll(
    () => ({ best: Infinity }),
    (state, value) => {
      if (value < state.best) state.best = value;
    },
    (state) => (state.best === Infinity ? 0 : state.best),
  ),
  MOD: ofTwo(modulo),
  NOT: { least: 1, most: 1, run: ([value]) => not(toTruth(oneValue(value))) },
  OR: ofTruths(true),
  REPT: { least: 2, most: 2, run: ([text, times]) => repeated(oneValue(text), toNumber(oneValue(times))) },
  ROUND: ofTwo(round),
  ROWS: { least: 1, most: 1, whole: true, run: ([area]) => (area instanceof Area ? area.height : FAULT.value) },
  SQRT: ofNumber((value) => (value < 0 ? FAULT.number : Math.sqrt(value))),
  SUM: ofAll(
    () => ({ total: 0 }),
    (state, value) => {
      state.total += value;
    },
    (state) => finite(state.total),
  ),
  SUMPRODUCT: { least: 1, most: MANY, whole: true, run: sumProduct },
  SUMXMY2: {
    least: 2,
    most: 2,
    whole: true,
    run: ([left, right]) => paired(left, right, FAULT.missing, (a, b) => (a - b) ** 2),
  },
  TANH: ofNumber(Math.tanh),
  TEXT: {
    least: 2,
    most: 2,
    run: ([value, code]) => {
      const shown = oneValue(value);
      return shown instanceof Fault ? shown : format(shown, toText(oneValue(code)));
    },
  },
};

/** How many numbers a result has. @param {Result} result */
function counted(result) {
  if (!(result instanceof Area || result instanceof Table)) {
    return result === null || toNumber(result) instanceof Fault ? 0 : 1;
  }
  let count = 0;
  eachValue(result, (value) => {
    if (typeof value === "number") count++;
  });
  return count;
}

/** @param {Value} a @param {Value} b @returns {Value} */
function exact(a, b) {
  if (a instanceof Fault) return a;
  return b instanceof Fault ? b : toText(a) === toText(b);
}

/** @param {Value} text @param {number | Fault} times @returns {Value} */
function repeated(text, times) {
  if (text instanceof Fault) return text;
  if (times instanceof Fault) return times;
  return times < 0 ? FAULT.value : toText(text).repeat(Math.floor(times));
}

/** @param {boolean | Fault} truth @returns {Value} */
function not(truth) {
  return truth instanceof Fault ? truth : !truth;
}
