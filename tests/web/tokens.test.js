"use strict";
const test = require("node:test");
const assert = require("node:assert/strict");
const { load } = require("./load.js");
const { tokens, parse, references, shifted, Book } = load("tokens", "parse", "references", "shifted", "Book");

test("a formula falls into texts, cells, numbers, words and signs", () => {
  const kinds = tokens(`IF(Network!$A1>=1.5E-3,"say ""so""",'my sheet'!B$2)`).map(
    (/** @type {any} */ token) => token.kind,
  );
  assert.deepEqual(kinds, ["word", "sign", "cell", "sign", "number", "sign", "text", "sign", "cell", "sign"]);
});

test("a cell carries its sheet, and what of it is fixed", () => {
  const [cell] = tokens("'my ''own'' sheet'!AB$12");
  assert.deepEqual(cell, {
    kind: "cell",
    sheet: "my 'own' sheet",
    row: 12,
    column: 28,
    fixedRow: true,
    fixedColumn: false,
  });
});

test("a name may look like a cell and go on", () => {
  assert.deepEqual(
    tokens("A1_weights").map((/** @type {any} */ token) => token.kind),
    ["word"],
  );
});

test("operators bind as in Excel: a minus before a power, a power before a product", () => {
  assert.deepEqual(parse("-2^2"), {
    kind: "operation",
    sign: "^",
    left: { kind: "negative", of: { kind: "value", value: 2 } },
    right: { kind: "value", value: 2 },
  });
  assert.equal(parse("1+2*3").sign, "+");
  assert.equal(parse('1&2=3&"4"').sign, "=");
});

test("what cannot be read is said", () => {
  for (const [formula, reason] of [
    ["1+", /ends too early/],
    ["(1", /“\)” is missing/],
    ["1 2", /left over/],
    ["A1#", /cannot read “#”/],
    ["NOW()", /no function “NOW”/],
    ["ABS(1,2)", /ABS cannot take 2 arguments/],
    ["*1", /“\*” stands where a value is missing/],
  ]) {
    assert.throws(() => parse(formula), { message: reason });
  }
});

test("an unknown function, name or sheet is an error that names sheet and cell", () => {
  for (const [formula, reason] of [
    ["VLOOKUP(A1,A1:B2,2)", /^Net!B3: there is no function “VLOOKUP”: =VLOOKUP/],
    ["loss+1", /^Net!B3: there is no name “loss”/],
    ["Other!A1", /^Net!B3: there is no sheet “Other”/],
  ]) {
    const sheets = [{ title: "Net", cells: [[3, 2, 0, null, formula]] }];
    assert.throws(() => new Book({ lesson: "x", title: "x", styles: [{}], names: {}, sheets }), { message: reason });
  }
});

test("the references of a formula, in the order of its text", () => {
  const kinds = references(parse("SUM(A1:B2)+INDEX(weights,1)*$C$1")).map((/** @type {any} */ tree) => tree.kind);
  assert.deepEqual(kinds, ["range", "name", "cell"]);
});

test("a copied formula moves what is not fixed, and leaves texts alone", () => {
  const move = (/** @type {string} */ formula) => shifted(formula, { down: 2, right: 1, slots: [0.5] });
  assert.equal(move('A1+$A1+A$1+$A$1&"A1"'), 'B3+$A3+B$1+$A$1&"A1"');
  assert.equal(move("MAX(0,Z9:AA10)*{0}"), "MAX(0,AA11:AB12)*0.5");
  assert.equal(move("'A1'!B2"), "'A1'!C4");
});
