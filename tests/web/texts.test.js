"use strict";
const test = require("node:test");
const assert = require("node:assert/strict");
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const { load } = require("./load.js");
const { format, toTsv, fromTsv, readInput } = load("format", "toTsv", "fromTsv", "readInput");

/** What LibreOffice shows: for each value its text in every format. */
const LIBREOFFICE = JSON.parse(readFileSync(join(__dirname, "libreoffice_formats.json"), "utf8"));

test("numbers look as LibreOffice shows them, in every format", () => {
  assert.ok(LIBREOFFICE.shown.length > 40);
  const unlike = LIBREOFFICE.shown.flatMap((/** @type {[any, string[]]} */ [value, texts]) =>
    texts.flatMap((text, k) => {
      const code = LIBREOFFICE.formats[k];
      const now = format(value, code);
      return now === text ? [] : [`${value} as ${code}: ${now}, not ${text}`];
    }),
  );
  assert.deepEqual(unlike, []);
});

test("every format of the styles has been compared", () => {
  const styles = readFileSync(join(__dirname, "../../conv_sheet/cells/style.py"), "utf8");
  const codes = [...styles.matchAll(/(?:format=|^_\w+ = )(?:"([^"]*)"|'([^']*)')/gm)].map(
    ([, plain, quoted]) => plain ?? quoted,
  );
  assert.ok(codes.length > 20);
  assert.deepEqual(
    codes.filter((code) => !LIBREOFFICE.formats.includes(code)),
    [],
  );
});

test("empty, true and false", () => {
  assert.deepEqual([format(null, "0.0"), format(true, "0.0"), format(false, "General")], ["", "TRUE", "FALSE"]);
});

test("cells are copied as lines and tabs, and read back", () => {
  const rows = [
    [1, -0.5, "a\tb"],
    [null, true, 'say "so"\nnow'],
  ];
  const text = toTsv(rows);
  assert.equal(text, '1\t-0.5\t"a\tb"\n\tTRUE\t"say ""so""\nnow"');
  assert.deepEqual(fromTsv(text), [
    ["1", "-0.5", "a\tb"],
    ["", "TRUE", 'say "so"\nnow'],
  ]);
});

test("what other programs copy is read: line ends of Windows, a last line end, empty cells", () => {
  assert.deepEqual(fromTsv("1\t2\r\n3\t4\r\n"), [
    ["1", "2"],
    ["3", "4"],
  ]);
  assert.deepEqual(fromTsv("\t\n\t"), [
    ["", ""],
    ["", ""],
  ]);
  assert.deepEqual(fromTsv("x"), [["x"]]);
});

test("what is typed becomes a number, a share, a truth, a formula or a text", () => {
  const cases = {
    1.5: 1.5,
    " -2 ": -2,
    "−3": -3,
    "50%": 0.5,
    "1e-3": 0.001,
    true: true,
    "=1/9": "=1/9",
    "": null,
    "digit 7": "digit 7",
    ".5": 0.5,
  };
  for (const [text, value] of Object.entries(cases)) assert.equal(readInput(text), value, text);
});
