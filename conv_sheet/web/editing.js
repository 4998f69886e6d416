"use strict";
// The keyboard on the sheet, as in every spreadsheet program; copy and paste; what a screen reader hears.

class Editing {
  /** @param {Page} page @param {Entry} entry */
  constructor(page, entry) {
    this.page = page;
    this.entry = entry;
    const { frame } = page;
    frame.addEventListener("keydown", (event) => this.key(event));
    frame.addEventListener("dblclick", () => this.open());
    document.addEventListener("copy", (event) => this.copy(event, false));
    document.addEventListener("cut", (event) => this.copy(event, true));
    document.addEventListener("paste", (event) => this.paste(event));
    element("undo").addEventListener("click", () => page.undo());
    element("redo").addEventListener("click", () => page.redo());
    page.on("step", ({ down, right }) => this.step(down, right, false));
    page.on("select", () => this.tellSelection());
    for (const kind of ["change", "stroke"]) page.on(kind, () => this.tellSteps());
    this.tellSteps();
  }

  open() {
    const { page } = this;
    const target = page.rules.target(page.cursor);
    if (target && !page.rules.isDrawn(target)) this.entry.begin();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.target !== this.page.frame) return;
    const command = event.ctrlKey || event.metaKey;
    if (command ? this.commandKey(event) : this.plainKey(event)) event.preventDefault();
  }

  /** Whether a key with Ctrl was for the sheet. @param {KeyboardEvent} event */
  commandKey(event) {
    const { page } = this;
    const way = KEYS_OUT[event.key];
    const letter = event.key.toLowerCase();
    if (way) this.leap(way[0], way[1], event.shiftKey);
    else if (event.key === "Home") this.to(1, 1, event.shiftKey);
    else if (event.key === "End") this.to(page.sheet.filledRows, page.sheet.filledColumns, event.shiftKey);
    else if (letter === "z" && !event.shiftKey) page.undo();
    else if (letter === "y" || letter === "z") page.redo();
    else if (letter === "a") page.select(new Area(page.sheet, 1, 1, page.sheet.filledRows, page.sheet.filledColumns));
    else if (event.key === "PageDown" || event.key === "PageUp")
      page.tell("turn", { by: event.key === "PageDown" ? 1 : -1 });
    else return false;
    return true;
  }

  /** @param {KeyboardEvent} event */
  plainKey(event) {
    const { page, entry } = this;
    const way = KEYS_OUT[event.key];
    const screen = Math.max(1, Math.floor(page.frame.clientHeight / (20 * page.view.zoom + 1)) - 6);
    if (event.altKey && event.key === "ArrowDown") entry.begin();
    else if (way) this.step(way[0], way[1], event.shiftKey);
    else if (event.key === "Enter" && page.rules.choices(page.cursor)) entry.begin();
    else if (event.key === "Enter") this.follow() || this.step(event.shiftKey ? -1 : 1, 0, false);
    else if (event.key === "PageDown" || event.key === "PageUp")
      this.step(event.key === "PageDown" ? screen : -screen, 0, event.shiftKey);
    else if (event.key === "Home") this.to(page.cursor.row, 1, event.shiftKey);
    else if (event.key === "F2") entry.begin();
    else if (event.key === "Delete" || event.key === "Backspace") this.empty();
    else if (event.key === "Escape") this.escape();
    else if (event.key.length === 1 && !event.altKey) entry.begin(event.key);
    else return false;
    return true;
  }

  escape() {
    const { page } = this;
    page.say("");
    page.select(page.view.geometry.whole(page.cursor.row, page.cursor.column));
  }

  /** Go where the link of a cell leads. */
  follow() {
    const { page } = this;
    const { row, column } = page.cursor;
    const link = (page.sheet.data.links ?? []).find(([y, x]) => y === row && x === column);
    return link ? page.go(link[2]) : false;
  }

  /** The corner of the selection that moves, and the way from there. @param {boolean} extends_ */
  moving(extends_) {
    const { cursor, selected } = this.page;
    if (!extends_) return cursor;
    const row = cursor.row === selected.top ? selected.bottom : selected.top;
    return { sheet: cursor.sheet, row, column: cursor.column === selected.left ? selected.right : selected.left };
  }

  /** @param {number} down @param {number} right @param {boolean} extends_ */
  step(down, right, extends_) {
    const { page } = this;
    const from = this.moving(extends_);
    const whole = page.view.geometry.whole(from.row, from.column);
    const row = down > 0 ? whole.bottom + down : down < 0 ? whole.top + down : from.row;
    const column = right > 0 ? whole.right + right : right < 0 ? whole.left + right : from.column;
    this.to(row, column, extends_);
  }

  /** @param {number} row @param {number} column @param {boolean} extends_ */
  to(row, column, extends_) {
    const { page } = this;
    const { sheet, view } = page;
    const at = { sheet, row: clamp(row, sheet.rows, view.geometry.firstRow), column: clamp(column, sheet.columns) };
    page.pointed = null;
    page.say("");
    if (extends_) page.select(around(page.cursor, at), page.cursor);
    else page.select(page.view.geometry.whole(at.row, at.column));
    page.reveal(at.row, at.column);
  }

  /** To the next end of a run of filled cells. @param {number} down @param {number} right @param {boolean} extends_ */
  leap(down, right, extends_) {
    const { sheet } = this.page;
    let { row, column } = this.moving(extends_);
    const filled = (/** @type {number} */ steps) => sheet.value(row + steps * down, column + steps * right) !== null;
    const inside = () =>
      row + down >= 1 && column + right >= 1 && row + down <= sheet.filledRows && column + right <= sheet.filledColumns;
    const run = filled(0) && filled(1);
    do [row, column] = [row + down, column + right];
    while (inside() && (run ? filled(1) : !filled(0)));
    this.to(row, column, extends_);
  }

  /** The cells of the selection that may be typed into. */
  inputs() {
    const { page } = this;
    const { sheet, top, left, bottom, right } = page.selected;
    /** @type {Spot[]} */
    const spots = [];
    for (let row = top; row <= bottom; row++) {
      for (let column = left; column <= right; column++) {
        if (page.rules.target({ sheet, row, column })) spots.push({ sheet, row, column });
      }
    }
    return spots;
  }

  empty() {
    const { page } = this;
    const spots = this.inputs().filter((spot) => !page.rules.choices(spot));
    if (!spots.length) return page.say("Nothing here can be emptied: it is calculated.", true);
    page.say(page.enter(spots.map((spot) => ({ ...spot, input: null }))), true);
  }

  /** @param {ClipboardEvent} event @param {boolean} cuts */
  copy(event, cuts) {
    const { page } = this;
    if (document.activeElement !== page.frame || !event.clipboardData) return;
    const { sheet, top, left, height, width } = page.selected;
    const rows = rowsOf(height, width, (y, x) => sheet.value(top + y, left + x));
    event.clipboardData.setData("text/plain", toTsv(rows));
    event.preventDefault();
    if (cuts) this.empty();
    page.say(height * width === 1 ? "Copied." : `Copied ${height} × ${width} cells.`);
  }

  /** @param {ClipboardEvent} event */
  paste(event) {
    const { page } = this;
    if (document.activeElement !== page.frame || !event.clipboardData) return;
    event.preventDefault();
    const rows = fromTsv(event.clipboardData.getData("text/plain"));
    const { sheet, top, left } = page.selected;
    const edits = rows.flatMap((row, y) =>
      row.map((text, x) => ({ sheet, row: top + y, column: left + x, input: readInput(text) })),
    );
    const wrong = page.enter(edits);
    page.say(wrong || `Pasted ${rows.length} × ${rows[0]?.length ?? 0} cells.`, Boolean(wrong));
    const bottom = clamp(top + rows.length - 1, sheet.rows);
    if (!wrong)
      page.select(new Area(sheet, top, left, bottom, clamp(left + (rows[0]?.length ?? 1) - 1, sheet.columns)));
  }

  /** Sum and mean of what is selected, to be seen; the cell, to be heard. */
  tellSelection() {
    const { page } = this;
    const { selected, cursor } = page;
    /** @type {number[]} */
    const numbers = [];
    if (!selected.single) eachNumber(selected, (value) => void numbers.push(value));
    const sum = numbers.reduce((total, value) => total + value, 0);
    const mean = sum / numbers.length;
    element("sums").textContent =
      numbers.length > 1
        ? `sum ${format(sum, "0.0##")} · mean ${format(mean, "0.0##")} · ${numbers.length} numbers`
        : "";
    const value = cursor.sheet.value(cursor.row, cursor.column);
    const style = cursor.sheet.style(cursor.row, cursor.column);
    const target = page.rules.target(cursor);
    const calculated = cursor.sheet.formula(cursor.row, cursor.column) ? "calculated" : "";
    const kind = target && page.rules.of(target) ? "yours to change" : calculated;
    // What a format hides, as a zero of a map, is heard.
    const shown = value === null ? "empty" : format(value, style?.format ?? "General") || format(value, "General");
    element("heard").textContent = [placeText(page, cursor), shown, kind].filter(Boolean).join(", ");
  }

  tellSteps() {
    const { done, undone } = this.page.history;
    /** @type {HTMLButtonElement} */ (element("undo")).disabled = !done.length;
    /** @type {HTMLButtonElement} */ (element("redo")).disabled = !undone.length;
  }
}

/** @param {number} place @param {number} last @param {number} [first] */
function clamp(place, last, first = 1) {
  return Math.max(first, Math.min(last, place));
}
