"use strict";
const test = require("node:test");
const assert = require("node:assert/strict");
const { load } = require("./load.js");
const { Book, drawChart, CENTIMETRE } = load("Book", "drawChart", "CENTIMETRE");

const NUMBERS = [
  [0.01, 1, 2],
  [0.1, 1.5, 1],
  [1, 9, 1],
  [10, null, 0],
];

/** A sheet with a chart of two lines over the same numbers. @param {object} more */
function book(more) {
  const series = [2, 3].map((column) => ({
    labels: ["S", 1, 1, 4, 1],
    values: ["S", 1, column, 4, 1],
    label: `line ${column}`,
    color: "000000",
    line: "solid",
  }));
  const chart = {
    kind: "line",
    series,
    at: [1, 5],
    width: 10,
    height: 6,
    ...more,
  };
  const cells = NUMBERS.flatMap((row, y) =>
    row.flatMap((value, x) => (value === null ? [] : [[y + 1, x + 1, 0, value]])),
  );
  return new Book({
    lesson: "",
    title: "",
    styles: [{}],
    names: {},
    sheets: [{ title: "S", cells, charts: [chart] }],
  });
}

/** What a pen is asked to do. @param {any} book */
function drawn(book) {
  /** @type {Record<string, any[][]>} */
  const calls = {};
  const pen = new Proxy(
    {},
    {
      get:
        (_, name) =>
        (/** @type {any[]} */ ...given) => {
          (calls[String(name)] ??= []).push(given);
        },
      set: () => true,
    },
  );
  const view = {
    pen,
    zoom: 1,
    colours: { of: (/** @type {string} */ c) => c },
    book,
    xOf: () => 0,
    yOf: () => 0,
  };
  drawChart(view, book.sheet("S").data.charts[0]);
  return calls;
}

test("each line is drawn, in its own order, and named in a legend; a cell without a number is no point", () => {
  const { lineTo, fillText } = drawn(book({}));
  assert.equal(lineTo?.length, 7);
  const texts = fillText?.map(([text]) => text) ?? [];
  assert.ok(texts.includes("line 2") && texts.includes("line 3"));
});

test("between decades equal factors are equally far apart, and what is above the top is cut off", () => {
  const { lineTo, rect } = drawn(book({ decades: [-2, 2], top: 2, title: "rate" }));
  const xs = lineTo?.slice(3).map(([x]) => x) ?? [];
  const steps = xs.slice(1).map((x, k) => x - xs[k]);
  assert.ok(steps.every((step) => Math.abs(step - steps[0]) < 1e-9 && step > 0));
  const [[left, top, width]] = rect ?? [[]];
  assert.ok(lineTo?.[2]?.[1] < top, "9 is far above the chart");
  assert.ok(lineTo?.[1]?.[1] > top && left + width < 10 * CENTIMETRE + 8);
});

test("a line without a top is seen whole", () => {
  const { lineTo, rect } = drawn(book({}));
  const [[, top]] = rect ?? [[]];
  assert.ok(lineTo?.every(([, y]) => y > top));
});

test("a chart begins at its lowest value, and says which that is", () => {
  const { lineTo, rect, fillText } = drawn(book({ low: -9, top: 9 }));
  const [[, top, , height]] = rect ?? [[]];
  const middle = top + height / 2;
  assert.ok(lineTo?.every(([, y]) => y < middle + 1e-9));
  assert.ok(fillText?.some(([text]) => text === "-9"));
});
