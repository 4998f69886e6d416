"use strict";
const test = require("node:test");
const assert = require("node:assert/strict");
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const { load } = require("./load.js");
const { Book, FUNCTIONS, SPECIAL } = load("Book", "FUNCTIONS", "SPECIAL");

/** Values in a column, from A1 down. */
const COLUMN = [1, 2, "three", null, true, -4];

/** What a formula makes beside some values. @param {string} formula @param {any[]} [column] */
function made(formula, column = COLUMN) {
  const cells = column.flatMap((value, k) => (value === null ? [] : [[k + 1, 1, 0, value]]));
  const sheets = [{ title: "S", cells: [...cells, [1, 5, 0, null, formula]] }];
  const book = new Book({ lesson: "x", title: "x", styles: [{}], names: { all: ["S", 1, 1, 6, 1] }, sheets });
  const value = book.sheets[0].value(1, 5);
  return value?.text ?? value;
}

/** @param {Record<string, unknown>} cases */
function all(cases) {
  for (const [formula, value] of Object.entries(cases)) {
    const now = made(formula);
    if (typeof value === "number" && typeof now === "number")
      assert.ok(Math.abs(now - value) < 1e-12, `${formula} is ${now}`);
    else assert.equal(now, value, formula);
  }
}

test("the functions are those of the vocabulary of generated formulas", () => {
  const source = readFileSync(join(__dirname, "../../conv_sheet/cells/formula.py"), "utf8");
  const [, list = ""] = /FUNCTIONS = frozenset\(([\s\S]*?)\n\)/.exec(source) ?? [];
  const python = [...list.matchAll(/"([A-Z0-9]+)"/g)].map((match) => match[1]).sort();
  const marks = ["ROW", "COLUMN"];
  const here = [...Object.keys(FUNCTIONS), ...Object.keys(SPECIAL)].filter(
    (name) => !marks.includes(name) || python.includes(name),
  );
  assert.ok(python.length > 20);
  assert.deepEqual(here.sort(), python);
});

test("arithmetic takes empty as 0, TRUE as 1, and a text that is a number as one", () => {
  all({
    "A4+1": 1,
    "A5+1": 2,
    '"2"*3': 6,
    "A3+1": "#VALUE!",
    "1/A4": "#DIV/0!",
    "2^-1": 0.5,
    "-2^2": 4,
    "50%*4": 2,
    "10^400": "#NUM!",
  });
});

test("comparisons: capitals do not count, numbers come before texts before truths", () => {
  all({
    '"a"="A"': true,
    '1<"0"': true,
    '"z"<TRUE': true,
    "A4=0": true,
    'A4=""': true,
    "A4=FALSE": true,
    "2<>2": false,
    "1>=1": true,
  });
});

test("texts are joined as they are seen in the formula bar", () => {
  all({
    '"n="&2.50': "n=2.5",
    "A5&A4": "TRUE",
    '1/3&""': "0.333333333333333",
    '0.1+0.2&""': "0.3",
    '1E-7&""': "0.0000001",
  });
});

test("sums and extremes count numbers of ranges only, and every number that is typed", () => {
  all({
    "SUM(A1:A6)": -1,
    "SUM(A1:A6,TRUE)": 0,
    "MAX(A1:A6)": 2,
    "MIN(A1:A6,9)": -4,
    "MAX(A3:A4)": 0,
    "AVERAGE(A1:A6)": -1 / 3,
  });
  all({ "COUNT(A1:A6)": 3, 'COUNT(A1:A6,1,"x")': 4, "AVERAGE(A3:A4)": "#DIV/0!", 'SUM("x")': "#VALUE!" });
});

test("an error goes through", () => {
  all({
    "SUM(A1,1/0)": "#DIV/0!",
    "IF(1/0,1,2)": "#DIV/0!",
    "MAX(A1:A2,LN(0))": "#NUM!",
    'EXACT("a",1/0)': "#DIV/0!",
    "SUM(all)": -1,
  });
});

test("truths", () => {
  all({
    "AND(1,TRUE)": true,
    "AND(A1:A6,0)": false,
    "OR(A3:A4)": "#VALUE!",
    "OR(FALSE,0,2)": true,
    "NOT(0)": true,
    'AND("x")': "#VALUE!",
  });
  all({ "IF(A4,1)": false, "IF(1,2)": 2, "IF(0,1/0,7)": 7, "CHOOSE(2,1/0,5)": 5, "CHOOSE(3,1,2)": "#VALUE!" });
});

test("numbers", () => {
  all({
    "ABS(-2)": 2,
    "INT(-1.5)": -2,
    "MOD(-1,3)": 2,
    "MOD(1,-3)": -2,
    "MOD(1,0)": "#DIV/0!",
    "SQRT(-1)": "#NUM!",
    "EXP(1)": Math.E,
  });
  all({
    "ROUND(2.5,0)": 3,
    "ROUND(-2.5,0)": -3,
    "ROUND(1.005,2)": 1.01,
    "ROUND(1234.5,-2)": 1200,
    "TANH(0.5)": Math.tanh(0.5),
    "LN(EXP(2))": 2,
  });
});

test("ERF is the error function of C, to the last digits", () => {
  const known = [
    [1e-10, 1.1283791670955126e-10],
    [0.1, 0.1124629160182849],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [2, 0.9953222650189527],
    [2.5, 0.999593047982555],
    [3, 0.9999779095030014],
    [3.5, 0.9999992569016276],
    [4, 0.9999999845827421],
    [-0.3, -0.3286267594591274],
    [-5, -0.9999999999984626],
  ];
  for (const [x = 0, value = 0] of known) {
    const now = made(`ERF(${x})`);
    assert.ok(Math.abs(now - value) <= 2e-15 * Math.abs(value), `ERF(${x}) is ${now}`);
  }
  all({ "ERF(0)": 0, "ERF(40)": 1, 'ERF("x")': "#VALUE!" });
});

test("DEVSQ is the sum of the squared distances from the mean, of numbers far from zero too", () => {
  all({ "DEVSQ(A1:A6)": (4 ** 2 + 7 ** 2 + 11 ** 2) / 9, "DEVSQ(A3:A4)": "#NUM!", "DEVSQ(7)": 0 });
  all({ "DEVSQ(100000001,100000002,A2+100000001)": 2 });
});

test("places", () => {
  all({
    "INDEX(A1:A6,2)": 2,
    "INDEX(A1:A6,6,1)": -4,
    "INDEX(A1:A6,7)": "#REF!",
    "SUM(INDEX(A1:A6,0,1))": -1,
    "SUM(A1:INDEX(A1:A6,2))": 3,
  });
  all({
    'MATCH("THREE",A1:A6,0)': 3,
    "MATCH(9,A1:A6,0)": "#N/A",
    "MATCH(1.5,A1:A2)": 1,
    "ADDRESS(2,28)": "$AB$2",
    "ADDRESS(2,28,4)": "AB2",
  });
  all({
    "ROWS(A1:B3)": 3,
    "COLUMNS(A1:B3)": 2,
    "ROW()": 1,
    "COLUMN()": 5,
    "ROW(A4)": 4,
    'TEXT(0.956,"0.0%")': "95.6%",
    'REPT("ab",2.9)': "abab",
    'REPT("ab",0)': "",
    'REPT("ab",-1)': "#VALUE!",
  });
});

test("products of ranges go cell by cell, texts count as 0", () => {
  all({
    "SUMPRODUCT(A1:A2,A1:A2)": 5,
    "SUMPRODUCT((A1:A2-1)^2)": 1,
    "SUMPRODUCT((A1:A2>1)*3)": 3,
    "SUMPRODUCT(A1:A6,A1:A6)": 21,
  });
  all({
    "SUMPRODUCT(A1:A2,A1:A3)": "#VALUE!",
    "SUMXMY2(A1:A2,A5:A6)": 36,
    "SUMPRODUCT(ABS(A1:A2*-1))": 3,
    "SUMXMY2(A1:A2,A1:A3)": "#N/A",
  });
});

test("a number and a text that is one are not EXACTly different", () => {
  all({ 'EXACT("1",1)': true, 'EXACT("a","A")': false });
});
