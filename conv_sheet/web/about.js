"use strict";
// What a sheet says of itself at its top, as texts that a screen reader reads and that a phone has room for.

class About {
  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    this.place = element("about");
    page.on("sheet", () => this.update());
  }

  update() {
    const [title, ...lines] = openingLines(this.page.sheet);
    this.place.hidden = !lines.length;
    this.place.replaceChildren(made("h2", title), ...lines.map((line) => made("p", line)));
  }
}

/** The title of a sheet and the sentences below it, from its first row on. @param {Sheet} sheet @returns {string[]} */
function openingLines(sheet) {
  /** @type {string[]} */
  const lines = [];
  for (let row = 1; row <= sheet.filledRows; row++) {
    const text = sheet.value(row, 2);
    const isLine = typeof text === "string" && text !== "" && (row === 1 || sheet.style(row, 2)?.wrap);
    if (!isLine) break;
    lines.push(text);
  }
  return lines;
}
