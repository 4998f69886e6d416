"use strict";
// The modules of the page joined as Python joins them, for tests of the names that are asked for.
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const vm = require("node:vm");

const FOLDER = join(__dirname, "../../conv_sheet/web");

/** @param {string[]} names @returns {any} */
function load(...names) {
  const files = JSON.parse(readFileSync(join(FOLDER, "modules.json"), "utf8"));
  const parts = files.filter((/** @type {string} */ file) => file !== "start.js");
  const script = parts.map((/** @type {string} */ file) => readFileSync(join(FOLDER, file), "utf8")).join("\n");
  return vm.runInThisContext(`(() => {\n${script}\nreturn { ${names.join(", ")} };\n})()`, { filename: "web" });
}

module.exports = { load };
