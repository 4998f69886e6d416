"use strict";
// A prepared sheet to send: what was changed, in the fragment of a link or in a file.

/** @typedef {{lesson: string, sheet: string, at: string, edits: [string, number, number, Plain][]}} State */

class Share {
  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    this.menu = /** @type {HTMLDetailsElement} */ (element("share"));
    element("link").addEventListener("click", () => this.copyLink());
    element("save").addEventListener("click", () => this.save());
    element("restore").addEventListener("click", () => this.restore());
    const file = /** @type {HTMLInputElement} */ (element("file"));
    element("load").addEventListener("click", () => file.click());
    file.addEventListener("change", () => this.load(file));
    const workbook = /** @type {HTMLAnchorElement} */ (element("workbook"));
    workbook.hidden = !page.data.workbook;
    if (page.data.workbook) workbook.href = page.data.workbook;
    addEventListener("hashchange", () => this.open());
  }

  /** @returns {State} */
  get state() {
    const { page } = this;
    return {
      lesson: page.data.lesson,
      sheet: page.sheet.title,
      at: page.selected.address,
      edits: page.history.edits().map(({ sheet, row, column }) => {
        const formula = sheet.formula(row, column);
        const value = formula ? `=${formula.text}` : sheet.value(row, column);
        return [sheet.title, row, column, value instanceof Fault ? null : value];
      }),
    };
  }

  /** Put a state into the sheets; what is not allowed there stays out. @param {State} state */
  apply({ lesson, sheet, at, edits }) {
    const { page } = this;
    if (lesson !== page.data.lesson || !Array.isArray(edits))
      return page.say("This is the state of another lesson.", true);
    this.putBack();
    let refused = 0;
    page.history.begin();
    for (const [title, row, column, input] of edits) {
      const place = page.book.sheet(String(title));
      const spot = place && { sheet: place, row: Number(row), column: Number(column), input };
      if (!spot || page.enter([spot])) refused++;
    }
    page.history.end();
    const seen = page.book.sheet(String(sheet));
    if (seen && !seen.data.hidden) page.show(seen);
    page.go(String(at));
    if (refused) page.say(`${refused} of ${edits.length} changes do not fit into this lesson.`, true);
  }

  putBack() {
    const { page } = this;
    page.apply(page.history.edits().map(({ sheet, row, column, own }) => ({ sheet, row, column, after: own })));
  }

  restore() {
    this.putBack();
    this.menu.open = false;
    this.page.say("Everything is as the lesson had it.");
  }

  async copyLink() {
    const url = `${location.href.split("#")[0]}#s=${await packed(JSON.stringify(this.state))}`;
    history.replaceState(null, "", url);
    this.menu.open = false;
    try {
      await navigator.clipboard.writeText(url);
      this.page.say("The link is copied: whoever opens it sees what you see.");
    } catch {
      this.page.say("The link stands in the address bar: copy it from there.");
    }
  }

  save() {
    const anchor = made("a");
    anchor.href = URL.createObjectURL(new Blob([JSON.stringify(this.state)], { type: "application/json" }));
    anchor.download = `${this.page.data.lesson}.json`;
    anchor.click();
    URL.revokeObjectURL(anchor.href);
    this.menu.open = false;
  }

  /** @param {HTMLInputElement} input */
  async load(input) {
    const [file] = input.files ?? [];
    if (!file) return;
    try {
      this.apply(JSON.parse(await file.text()));
    } catch {
      this.page.say("This file is no state of a lesson.", true);
    }
    input.value = "";
    this.menu.open = false;
  }

  /** What the fragment of the address says: a state, or a cell to go to. */
  async open() {
    const hash = decodeURIComponent(location.hash.slice(1));
    if (!hash) return;
    if (!hash.startsWith("s=")) return void this.page.go(hash);
    try {
      this.apply(JSON.parse(await unpacked(hash.slice(2))));
    } catch {
      this.page.say("The link is damaged: the lesson's own numbers are shown.", true);
    }
  }
}

/** A text, compressed, as letters that a link may have. @param {string} text */
async function packed(text) {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** @param {string} text */
async function unpacked(text) {
  return inflated(text.replaceAll("-", "+").replaceAll("_", "/"), "deflate-raw");
}

/** @param {string} base64 @param {CompressionFormat} kind */
async function inflated(base64, kind) {
  const bytes = Uint8Array.from(atob(base64.trim()), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream(kind))).text();
}
