"use strict";
const test = require("node:test");
const assert = require("node:assert/strict");
const { load } = require("./load.js");
const { Book, Colours, Looks } = load("Book", "Colours", "Looks");

const INK = "1F2A44";

/** How well one colour is seen on another: WCAG 2.2. @param {string} one @param {string} other */
function contrast(one, other) {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

/** How bright a colour is, from 0 to 1: WCAG 2.2, relative luminance. @param {string} colour */
function luminance(colour) {
  const parts = colour.startsWith("#")
    ? [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16))
    : (colour.match(/\d+/g) ?? []).map(Number);
  const [red = 0, green = 0, blue = 0] = parts.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

test("figures can be read on every step of ink, by day and at night", () => {
  for (const dark of [false, true]) {
    const colours = new Colours();
    colours.use(dark);
    for (let step = 1; step <= 40; step++) {
      const fill = colours.mixed(INK, step / 40);
      const seen = contrast(colours.over("rgb(0,0,0)", fill), fill);
      assert.ok(seen > 3.9, `${fill} at ${step}: ${seen}`);
    }
  }
});

test("what is drawn is seen on its paper, by day and at night", () => {
  for (const dark of [false, true]) {
    const colours = new Colours();
    colours.use(dark);
    const seen = contrast(colours.mixed(INK, 1), colours.mixed(INK, 0));
    assert.ok(seen > 7, `${dark ? "night" : "day"}: ${seen}`);
    for (const other of ["F8696B", "7FB1F2", "D9730D"]) {
      assert.ok(contrast(colours.mixed(other, 1), colours.mixed(other, 0)) > 2, other);
    }
  }
});

test("a picture in colours has them at night as well", () => {
  const sheet = {
    title: "S",
    cells: [[1, 1, 0, 1]],
    palettes: [{ blocks: [[1, 1, 1, 1]], colours: ["000000", "FF2010"] }],
  };
  const book = new Book({ lesson: "", title: "", styles: [{}], names: {}, sheets: [sheet] });
  const [colours, look] = [new Colours(), { fill: "", color: "", line: "" }];
  colours.use(true);
  new Looks(book, colours).read(book.sheet("S"), 1, 1, 1, look);
  assert.equal(look.fill, "rgb(255,32,16)");
});

test("a text on paper keeps its colour", () => {
  const colours = new Colours();
  assert.equal(colours.over("rgb(30,58,138)", ""), "rgb(30,58,138)");
  assert.equal(colours.over("rgb(30,58,138)", "rgb(255,255,255)"), "rgb(30,58,138)");
});
