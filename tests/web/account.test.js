"use strict";
const test = require("node:test");
const assert = require("node:assert/strict");
const { load } = require("./load.js");
const { Book, accountOf, sumText } = load("Book", "accountOf", "sumText");

/** The account of a formula in A4, over a window A1:B2 of ones and a kernel C1:D2 of such a number.
 * @param {string} formula @param {number} weight */
function account(formula, weight) {
  const blocks = [
    { at: [1, 1, 2, 2], style: 0, values: [1, 1, 1, 1] },
    { at: [1, 3, 2, 2], style: 0, values: Array(4).fill(weight) },
  ];
  const cells = [[4, 1, 0, null, formula.replaceAll("x", "SUMPRODUCT(A1:B2,C1:D2)")]];
  const book = new Book({ lesson: "", title: "", styles: [{}], names: {}, sheets: [{ title: "S", blocks, cells }] });
  return accountOf(book.sheet("S").formula(4, 1));
}

test("an activation is called what it is", () => {
  const kinds = {
    "MAX(0,x)": "ReLU",
    "MIN(6,MAX(0,x))": "ReLU6",
    "MIN(6,MAX(-1,x))": "Hardtanh",
    "MIN(1,MAX(-1,x))": "Hardtanh",
    "MIN(6,MAX(0,x+3))/6": "Hardsigmoid",
    "1/(1+EXP(-MAX(-700,x)))": "sigmoid",
    "TANH(x)": "tanh",
    "IF(x>0,x,0.01*x)": "leaky ReLU",
  };
  for (const [formula, activation] of Object.entries(kinds)) {
    const found = account(formula, 0.5);
    assert.deepEqual([found.activation, found.sum, found.products.length], [activation, 2, 1], formula);
  }
});

test("what is alike is not called an activation", () => {
  const others = [
    "MAX(1,x)",
    "MIN(6,x)",
    "x/(1+EXP(-x))",
    "MIN(6,MAX(0,x+2))/6",
    "MIN(6,MAX(0,x+3))/5",
    "2/(1+EXP(-x))",
  ];
  for (const formula of [...others, "MAX(-A1,x)", "IF(x>0,x,EXP(x)-1)", "IF(x>0,1,0.01*x)"])
    assert.equal(account(formula, 0.5).activation, "", formula);
});

test("a sum is cut off where the activation cuts it off", () => {
  const said = (/** @type {string} */ formula, /** @type {number} */ weight) => {
    const found = account(formula, weight);
    return sumText(found, found.sum);
  };
  assert.equal(said("MAX(0,x)", 2), "all together 8.0: ReLU lets it pass");
  assert.equal(said("MAX(0,x)", -2), "all together -8.0: below zero, so ReLU makes it 0");
  assert.equal(said("MIN(6,MAX(0,x))", 2), "all together 8.0: above 6, so ReLU6 makes it 6");
  assert.equal(said("MIN(6,MAX(0,x))", 1), "all together 4.0: ReLU6 lets it pass");
  assert.equal(said("MIN(6,MAX(-1,x))", -2), "all together -8.0: below -1, so Hardtanh makes it -1");
  assert.equal(said("TANH(x)", 2), "all together 8.0, then tanh");
});
