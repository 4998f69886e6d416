"use strict";
const test = require("node:test");
const assert = require("node:assert/strict");
const { load } = require("./load.js");
const { Book, Rules, EditHistory, accountOf } = load("Book", "Rules", "EditHistory", "accountOf");

/** A picture of 4×4 pixels, a kernel of 2×2 with a bias, its map of 3×3, the sum of the map, and something apart. */
function lesson() {
  const pixels = Array.from({ length: 16 }, (_, k) => k);
  return {
    lesson: "small",
    title: "Small",
    styles: [{}],
    names: {
      input_1: ["Net", 1, 1, 4, 4],
      weight: ["Net", 1, 6, 2, 2],
      out_1: ["Net", 1, 9, 3, 3],
      apart: ["Net", 10, 1, 1, 1],
    },
    sheets: [
      {
        title: "Net",
        blocks: [
          { at: [1, 1, 4, 4], style: 0, values: pixels },
          { at: [1, 6, 2, 2], style: 0, values: [1, 0, 0, -1] },
          { at: [1, 9, 3, 3], style: 0, formula: "MAX(0,SUMPRODUCT(A1:B2,$F$1:$G$2)+$F$4)" },
        ],
        cells: [
          [4, 6, 0, 6],
          [6, 9, 0, null, "SUM(out_1)"],
          [10, 1, 0, 5],
          [11, 1, 0, null, "A10*2"],
        ],
        validations: [
          {
            blocks: [[1, 1, 4, 4]],
            title: "Pixel",
            hint: "",
            error: "A pixel is 0 to 99.",
            low: 0,
            high: 99,
            draw: true,
          },
          {
            blocks: [
              [1, 6, 2, 2],
              [4, 6, 1, 1],
            ],
            title: "weight",
            hint: "",
            error: "A number.",
            low: -9,
            high: 9,
          },
        ],
      },
      {
        title: "View",
        cells: [
          [1, 1, 0, null, "Net!F1"],
          [2, 1, 0, null, "INDEX(Net!A1:D4,2,3)"],
          [3, 1, 0, null, "Net!F1*2"],
        ],
      },
    ],
  };
}

function opened() {
  const book = new Book(lesson());
  const rules = new Rules(book);
  const [net, view] = book.sheets;
  return { book, rules, net, view, history: new EditHistory(book, rules) };
}

/** @param {number} value */
const typed = (value) => ({ value, formula: null });

test("one pattern is the formula of every cell of its block", () => {
  const { book, net } = opened();
  assert.equal(net.value(1, 9), 1);
  assert.equal(net.value(3, 11), 1);
  assert.equal(net.formula(3, 11).text, "MAX(0,SUMPRODUCT(C3:D4,$F$1:$G$2)+$F$4)");
  assert.equal(net.formula(3, 11).pattern, net.formula(1, 9).pattern);
  assert.equal(book.named("out_1").address, "I1:K3");
});

test("numbers that differ from cell to cell are slots of one pattern", () => {
  const blocks = [{ at: [1, 2, 2, 1], style: 0, formula: "A1*{0}+{1}", numbers: [10, 1, -20, 2] }];
  const data = {
    lesson: "x",
    title: "x",
    styles: [{}],
    names: {},
    sheets: [
      {
        title: "S",
        blocks,
        cells: [
          [1, 1, 0, 3],
          [2, 1, 0, 4],
        ],
      },
    ],
  };
  const [sheet] = new Book(data).sheets;
  assert.deepEqual([sheet.value(1, 2), sheet.value(2, 2)], [31, -78]);
  assert.equal(sheet.formula(2, 2).text, "A2*-20+2");
});

test("blocks with steps, and formulas cell by cell", () => {
  const blocks = [
    { at: [1, 1, 2, 2, 2, 3], style: 0, values: [1, 2, 3, 4] },
    { at: [6, 1, 1, 2], style: 0, formulas: ["A1+D3", "D1-A3"] },
  ];
  const [sheet] = new Book({ lesson: "x", title: "x", styles: [{}], names: {}, sheets: [{ title: "S", blocks }] })
    .sheets;
  assert.deepEqual([sheet.value(3, 4), sheet.value(2, 2), sheet.value(6, 1), sheet.value(6, 2)], [4, null, 5, -1]);
});

test("an edit calculates what depends on it, and nothing else", () => {
  const { book, net } = opened();
  assert.equal(book.calculate(), 9 + 2 + 3);
  book.put(net, 1, 1, typed(50));
  assert.equal(book.calculate(), 1 + 1, "one value of the map and the sum");
  assert.equal(net.value(1, 9), 51);
  book.put(net, 2, 3, typed(0));
  assert.equal(book.calculate(), 4 + 1 + 1, "a pixel is in four windows, and INDEX has chosen it");
  book.put(net, 10, 1, typed(6));
  assert.equal(book.calculate(), 1);
  book.put(net, 1, 6, typed(2));
  assert.equal(book.calculate(), 9 + 1 + 2, "a weight is in all of them, and two cells of the other sheet point to it");
});

test("what is not asked for is not calculated", () => {
  const { book, net } = opened();
  assert.equal(net.value(1, 9), 1);
  assert.equal(book.evaluations, 1);
});

test("wide ranges are heard of too", () => {
  const blocks = [{ at: [1, 1, 50, 50], style: 0, values: new Array(2500).fill(1) }];
  const sheets = [
    {
      title: "S",
      blocks,
      cells: [
        [1, 60, 0, null, "SUM(A1:AX50)"],
        [2, 60, 0, null, "SUM(A1:A2)"],
      ],
    },
  ];
  const book = new Book({ lesson: "x", title: "x", styles: [{}], names: {}, sheets });
  book.calculate();
  book.put(book.sheets[0], 50, 50, typed(11));
  assert.equal(book.calculate(), 1);
  assert.equal(book.sheets[0].value(1, 60), 2510);
});

test("a formula that is typed takes part, and one that needs itself says so", () => {
  const { book, net } = opened();
  book.put(net, 10, 1, book.read(net, 10, 1, "=1/8"));
  assert.equal(net.value(11, 1), 0.25);
  book.put(net, 10, 1, book.read(net, 10, 1, "=A11+1"));
  assert.equal(net.value(10, 1).text, "#CIRCLE!");
  assert.throws(() => book.read(net, 10, 1, "=NOW()"), /no function/);
});

test("a value goes where a formula only points to", () => {
  const { rules, net, view } = opened();
  assert.deepEqual(rules.target({ sheet: view, row: 1, column: 1 }), { sheet: net, row: 1, column: 6 });
  assert.deepEqual(rules.target({ sheet: view, row: 2, column: 1 }), { sheet: net, row: 2, column: 3 });
  assert.equal(rules.target({ sheet: view, row: 3, column: 1 }), null, "a calculation is nobody's to type over");
  assert.ok(rules.target({ sheet: view, row: 9, column: 9 }), "a free cell is everybody's");
});

test("a rule refuses with its own sentence", () => {
  const { rules, net } = opened();
  const spot = { sheet: net, row: 1, column: 1 };
  assert.equal(rules.refusal(spot, 100), "A pixel is 0 to 99.");
  assert.equal(rules.refusal(spot, "ink"), "A pixel is 0 to 99.");
  assert.equal(rules.refusal(spot, 99), null);
  assert.equal(rules.refusal(spot, null), null);
});

test("steps are undone and made again, formulas with them", () => {
  const { book, net, history } = opened();
  history.apply([{ sheet: net, row: 1, column: 1, after: typed(7) }]);
  history.begin();
  for (const value of [1, 2, 3]) history.apply([{ sheet: net, row: 2, column: 2, after: typed(value) }]);
  history.end();
  history.apply([{ sheet: net, row: 11, column: 1, after: typed(0) }]);
  assert.equal(history.done.length, 3);
  history.undo();
  assert.equal(net.value(11, 1), 10, "the formula is back");
  history.undo();
  assert.equal(net.value(2, 2), 5, "a stroke is one step");
  history.redo();
  assert.equal(net.value(2, 2), 3);
  history.undo();
  history.undo();
  assert.equal(history.undo(), null);
  assert.deepEqual(history.edits(), []);
  assert.equal(book.calculate() >= 0 && net.value(1, 9), 1);
});

test("what was changed can be put back, in one step that can be undone", () => {
  const { net, history } = opened();
  history.apply([{ sheet: net, row: 1, column: 1, after: typed(7) }]);
  history.apply([{ sheet: net, row: 1, column: 6, after: typed(7) }]);
  history.restore((spot) => spot.column === 1);
  assert.deepEqual([net.value(1, 1), net.value(1, 6)], [0, 7]);
  history.undo();
  assert.equal(net.value(1, 1), 7);
});

test("a formula alone says window, kernel, bias and activation", () => {
  const { net } = opened();
  const account = accountOf(net.formula(2, 10));
  assert.deepEqual(
    account.products.map(({ window, kernel }) => [window.address, kernel.address]),
    [["B2:C3", "F1:G2"]],
  );
  assert.deepEqual(
    account.added.map((area) => area.address),
    ["F4"],
  );
  assert.deepEqual([account.activation, account.sum], ["ReLU", 1]);
  assert.deepEqual(
    accountOf(net.formula(6, 9)).used.map((area) => area.address),
    ["I1:K3"],
  );
});

test("names are found as they are typed", () => {
  const { book, net } = opened();
  assert.equal(book.find("INPUT_1", net).address, "A1:D4");
  assert.equal(book.find("b2:a1", net).address, "A1:B2");
  assert.equal(book.find("View!A1", net).sheet.title, "View");
  for (const nothing of ["", "loss", "A0", "1+1", "ZZZ99999", "Nowhere!A1"])
    assert.equal(book.find(nothing, net), null);
});
