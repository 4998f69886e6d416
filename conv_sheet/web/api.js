"use strict";
// For teachers and other programs: `window.convSheet`, and the same by messages from a page that embeds this one.
//
// `convSheet.ready` is a promise. `sheets` are the titles. `get("conv1_out_1")` is a number, a text, or rows of them;
// `set("conv1_bias", [[0, 1]])` is a promise that resolves when all is calculated, and is rejected with a sentence
// where a value is not allowed; `formula("Network!AK10")` is a text or null; `select("Network!B10")` shows cells.
// Event `change`: `convSheet.addEventListener("change", (event) => event.detail.cells)`.
//
// By message: `frame.postMessage({ convSheet: "get", id: 1, given: ["prediction"] }, "*")` is answered by `{
// convSheet: "answer", id: 1, value }` or `{ …, error }`; a change sends `{ convSheet: "change", cells }`.

/** @typedef {number | string | boolean | null} Scalar */

class Api extends EventTarget {
  constructor() {
    super();
    /** @type {(page: Page) => void} */
    this.start = () => {};
    /** @type {Promise<void>} */
    this.ready = new Promise((resolve) => {
      this.start = (page) => {
        this.page = page;
        page.on("change", ({ cells }) => this.changed(cells));
        resolve();
      };
    });
    addEventListener("message", (event) => this.hear(event));
  }

  /** @returns {Page} */
  get open() {
    if (!this.page) throw new Error("the lesson is not ready: wait for convSheet.ready");
    return this.page;
  }

  get sheets() {
    return this.open.book.sheets.filter((sheet) => !sheet.data.hidden).map((sheet) => sheet.title);
  }

  /** The cells of a name or an address, row by row. @param {string} text @returns {Spot[][]} */
  spots(text) {
    const { book, sheet: seen } = this.open;
    const area = book.find(String(text), seen);
    if (!area) throw new Error(`there is no cell or name ${text}`);
    const place = spread(book.namedPlace(text)?.slice(1).map(Number) ?? [area.top, area.left, area.height, area.width]);
    return rowsOf(place.height, place.width, (y, x) => ({
      sheet: area.sheet,
      row: place.row + y * place.rowStep,
      column: place.column + x * place.columnStep,
    }));
  }

  /** @param {string} text @returns {Scalar | Scalar[][]} */
  get(text) {
    const rows = this.spots(text).map((row) => row.map(({ sheet, row: r, column }) => scalar(sheet.value(r, column))));
    return rows.length === 1 && rows[0]?.length === 1 ? (rows[0][0] ?? null) : rows;
  }

  /** @param {string} text @param {Scalar | Scalar[] | Scalar[][]} value */
  async set(text, value) {
    const { open } = this;
    const spots = this.spots(text);
    const edits = spots.flatMap((line, y) =>
      line.map((spot, x) => {
        const input = part(value, y, x);
        if (input === undefined) throw new Error(`${text} has ${spots.length} × ${line.length} cells`);
        return { ...spot, input };
      }),
    );
    const wrong = open.enter(edits);
    if (wrong) throw new Error(wrong);
    open.book.calculate();
  }

  /** @param {string} text @returns {string | null} */
  formula(text) {
    const [spot] = this.spots(text)[0] ?? [];
    const formula = spot?.sheet.formula(spot.row, spot.column);
    return formula ? `=${formula.text}` : null;
  }

  /** @param {string} text */
  select(text) {
    if (!this.open.go(text)) throw new Error(`there is no cell or name ${text} to be seen`);
  }

  /** @param {Spot[]} spots */
  changed(spots) {
    const cells = spots.map(({ sheet, row, column }) => `${sheet.title}!${letters(column)}${row}`);
    this.dispatchEvent(new CustomEvent("change", { detail: { cells } }));
    if (parent !== window) parent.postMessage({ convSheet: "change", cells }, "*");
  }

  /** @param {MessageEvent} event */
  async hear({ data, source }) {
    const { convSheet: what, id, given = [] } = data ?? {};
    if (!["ready", "sheets", "get", "set", "formula", "select"].includes(what)) return;
    const answer = { convSheet: "answer", id };
    try {
      await this.ready;
      Object.assign(answer, { value: await this.ask(what, given) });
    } catch (error) {
      Object.assign(answer, { error: error instanceof Error ? error.message : String(error) });
    }
    source?.postMessage(answer, { targetOrigin: "*" });
  }

  /** @param {string} what @param {any[]} given */
  ask(what, [place, value]) {
    if (what === "sheets") return this.sheets;
    if (what === "get") return this.get(place);
    if (what === "set") return this.set(place, value);
    if (what === "formula") return this.formula(place);
    return what === "select" ? this.select(place) : true;
  }
}

/** One value of rows of values, of a single row, or the value that all cells get.
 * @param {Scalar | Scalar[] | Scalar[][]} value @param {number} y @param {number} x @returns {Scalar | undefined} */
function part(value, y, x) {
  if (!Array.isArray(value)) return value;
  const row = Array.isArray(value[0]) ? value[y] : y === 0 ? value : undefined;
  const one = Array.isArray(row) ? row[x] : undefined;
  return Array.isArray(one) ? undefined : one;
}

/** @param {Value} value @returns {Scalar} */
function scalar(value) {
  return value instanceof Fault ? value.text : value;
}
