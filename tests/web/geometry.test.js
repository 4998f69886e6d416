"use strict";
const test = require("node:test");
const assert = require("node:assert/strict");
const { load } = require("./load.js");
const { Book, Geometry, locate } = load("Book", "Geometry", "locate");

/** A sheet of 20 pixels a row, with two rows of a board above two rows that are frozen as well. */
function sheet() {
  const cells = [[12, 3, 0, 1]];
  const data = { title: "S", board: 2, freeze: [4, 0], cells };
  return new Book({ lesson: "", title: "", styles: [{}], names: {}, sheets: [data] }).sheet("S");
}

test("rows of the board have no height where they are folded", () => {
  const [whole, folded] = [new Geometry(sheet()), new Geometry(sheet(), true)];
  assert.deepEqual([...whole.y.slice(0, 5)], [0, 20, 40, 60, 80]);
  assert.deepEqual([...folded.y.slice(0, 5)], [0, 0, 0, 20, 40]);
  assert.deepEqual([whole.firstRow, folded.firstRow], [1, 3]);
  assert.deepEqual([locate(whole.y, 0), locate(folded.y, 0)], [1, 3]);
});

test("cells need room for themselves, what is frozen, the label above and all on their left", () => {
  const geometry = new Geometry(sheet());
  const [label, all] = [geometry.sizeWith([8, 2, 3, 4], false), geometry.sizeWith([8, 2, 3, 4], true)];
  assert.deepEqual(label, { width: 6 * 64, own: 5 * 64, height: 4 * 20 + 20 + 3 * 20 + 8 });
  assert.deepEqual(all, { width: 6 * 64, own: 5 * 64, height: 10 * 20 + 8 });
});
